package ingress

import (
	"bytes"
	"math"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/bank"
)

// A body that two readers understand differently is a hole between a gateway's check and the bank's.
func FuzzScanReadsWhatDecodeReads(f *testing.F) {
	for _, body := range []string{
		`{"kind":"internal","from_account":"9990221000000000107","to_account":"9990221000000000206","amount_fen":1234}`,
		` { "kind" : "out" , "to_bound_card" : true , "summary" : "房租" , "amount_fen" : 9223372036854775807 } `,
		`{"amount_fen":9223372036854775808}`, `{"amount_fen":01}`, `{"amount_fen":1.0}`, `{"amount_fen":-0}`, `{"amount_fen":1,"amount_fen":1}`,
		`{"kind":"\u0069nternal"}`, "{\"kind\":\"\xff\"}", `{"Kind":"out"}`, `{"kind":null}`, `{"kind":"out",}`, `{,}`, `{}`, `{"kind":"out"}{}`,
		`{"operations":[{"idempotency_key":"a","path":"/v1/transfers","body":{"kind":"out","amount_fen":5}},{"body":{"a":[1,{"b":"}"}]}}]}`,
		`{"operations":[{"body":{"a":1,"a":2}}]}`, `{"operations":[{"body":{"a":tru}}]}`, `{"operations":[{"body":[]}]}`, `{"operations":[,]}`, `{"operations":[{}],"operations":[]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want transferRequest
		if got.scan(body) {
			if p := decode(body, &want); p != nil || got != want {
				t.Errorf("%q is read as %+v, by decode as %+v %+v", body, got, want, p)
			}
		}
		batch, ok := scannedBatch(body)
		if !ok {
			return
		}
		var wanted batchRequest
		if p := decode(body, &wanted); p != nil || len(batch.Operations) != len(wanted.Operations) {
			t.Fatalf("%q is read as %+v, by decode as %+v %+v", body, batch, wanted, p)
		}
		for i, o := range batch.Operations {
			w := wanted.Operations[i]
			if o.IdempotencyKey != w.IdempotencyKey || o.Path != w.Path || !bytes.Equal(o.Body, w.Body) {
				t.Errorf("%q: operation %d is %+v, by decode %+v", body, i, o, w)
			}
			var transfer transferRequest
			if p := decode(o.Body, &transfer); o.plain && (p != nil || transfer != o.transfer) {
				t.Errorf("%q: operation %d is the transfer %+v, by decode %+v %+v", body, i, o.transfer, transfer, p)
			}
		}
	})
}

// scannedBatch reads a batch operation for operation.
func scannedBatch(body []byte) (in batchRequest, ok bool) {
	s := scanner{b: body, s: string(body)}
	ok = s.operations(func() {
		var o batchOperation
		o.scan(&s)
		in.Operations = append(in.Operations, o)
	})
	return in, ok
}

// What nearly all clients send is read without reflection; if it were not, nobody would notice.
func TestAPlainBodyIsScanned(t *testing.T) {
	const transfer = `{ "kind":"internal","from_account":"a","to_account":"b", "amount_fen":1234,"summary":"房租","to_bound_card":false }`
	if in := (transferRequest{}); !in.scan([]byte(transfer)) || in.AmountFen != 1234 || in.Summary != "房租" || in.Kind != "internal" {
		t.Errorf("%+v", in)
	}
	in, ok := scannedBatch([]byte(`{"operations":[{"idempotency_key":"k","path":"/v1/transfers","body":` + transfer + `},{"path":"/v1/customers","body":{"name":"x"},"idempotency_key":""}]}`))
	if !ok || len(in.Operations) != 2 || !in.Operations[0].plain || in.Operations[1].plain {
		t.Errorf("%+v", in)
	}
}

func TestFrequentRepliesAreWrittenAsJSONMarshalWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 20, -1)
		fen := func(name string) int64 {
			return rapid.SampledFrom([]int64{0, 7, -7, math.MaxInt64, math.MinInt64}).Draw(t, name)
		}
		transfer := transferReply{
			TransferID: bank.NewTxnID(1_700_000_000_000, 1, rapid.Uint64Range(1, 1<<40-1).Draw(t, "seq")), Kind: rapid.OneOf(text, rapid.Just("internal")).Draw(t, "kind"), Status: rapid.OneOf(text, rapid.Just(bank.TransferSucceeded)).Draw(t, "status"),
			AmountFen: fen("amount"), FeeFen: fen("fee"), AccountingDate: rapid.SampledFrom([]bank.Date{0, 20261124}).Draw(t, "date"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "balances") {
			no := bank.NewAccountNo(1, bank.CustomerNo(rapid.Uint32Range(1, 999_999_999).Draw(t, "customer")), uint8(rapid.IntRange(0, 9).Draw(t, "index")))
			transfer.Balances = append(transfer.Balances, bank.Balance{
				Account: no, PostedFen: fen("posted"), PendingInFen: fen("in"), PendingOutFen: fen("out"), AvailableFen: fen("available"),
			})
		}
		var batch batchReply
		for i := range rapid.IntRange(0, 3).Draw(t, "results") {
			bodies := []any{transfer, (&problem{code: codeKeyBad, field: text.Draw(t, "field")}).document(true), customerReply{Name: text.Draw(t, "name")}}
			batch.Results = append(batch.Results, batchResult{
				IdempotencyKey: text.Draw(t, "key"), Status: rapid.IntRange(100, 999).Draw(t, "code"), Replayed: rapid.Bool().Draw(t, "replayed"), Body: bodies[i%len(bodies)],
			})
		}
		same := func(got []byte, err error, v any) {
			want, err2 := json.Marshal(v, json.Deterministic(true))
			if err != nil || err2 != nil || !bytes.Equal(got, want) {
				t.Fatalf("got  %s %v\nwant %s %v", got, err, want, err2)
			}
		}
		got, err := appendJSON(nil, transfer)
		same(got, err, transfer)
		got, err = appendResults(nil, len(batch.Results), func(i int) batchResult { return batch.Results[i] })
		same(got, err, batch)
	})
}
