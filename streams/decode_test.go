package streams

import (
	"reflect"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// What is read without reflection is what package json reads: a report must not depend on who wrote a comma.
func FuzzReadEnvelope(f *testing.F) {
	env := Envelope{
		EventID: "01KB", Type: "InternalTransferred", SchemaVersion: 1, OccurredAtNs: 1_700_000_000_000_000_000, AccountingDate: 20261124, CustomerToken: "C0000000018",
		ActorSeq: 7, TxnID: bank.NewTxnID(1_700_000_000_000, 1, 7), Channel: bank.ChannelApp, Teller: 3, TellerSerial: 4, Branch: "B", RegionCode: 5, TraceID: "t", Position: 9,
		TransferIDs: []ledger.Uint128{{Lo: 1, Hi: 2}, {Lo: 3}}, Classification: "C2", PayloadHash: "ab", Payload: []byte(`{"a":[1,{"b":"}"}]}`),
		Entries: []Entry{{ID: ledger.U64(1), Ledger: 156, Code: 1121, Phase: Post, Debit: ledger.U64(2), Credit: ledger.U64(3), AmountFen: 5, ReleasedFen: -6}},
	}
	f.Add(env.appendJSON(nil))
	env.TransferIDs, env.Entries, env.Channel, env.AccountingDate = nil, nil, 0, 0
	f.Add(env.appendJSON(nil))
	env.Payload = []byte(`{"a":1},"a":{}`)
	f.Add(env.appendJSON(nil))
	f.Fuzz(func(t *testing.T, value []byte) {
		var got Envelope
		if !got.read(value) {
			return
		}
		var want Envelope
		if err := json.Unmarshal(value, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v\nwant %+v, %v", value, got, want, err)
		}
	})
}

// Were it not so, the report would go on correctly, and slowly.
func TestWhatTheRelayWritesIsReadWithoutReflection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &bank.InternalTransferred{
			TxnID: bank.NewTxnID(1_700_000_000_000, 1, rapid.Uint64Range(1, 1<<40-1).Draw(t, "seq")), Role: bank.Role(rapid.Uint8().Draw(t, "role")),
			Payer: bank.NewAccountNo(1, 1, 0), Payee: bank.NewAccountNo(2, 999_999_999, 9), AmountFen: rapid.Int64().Draw(t, "amount"),
			Channel: bank.Channel(rapid.IntRange(0, 10).Draw(t, "channel")), DayTotalFen: rapid.Int64().Draw(t, "day"), Summary: rapid.StringN(0, 20, -1).Draw(t, "summary"),
		}
		payload, err := appendPayload(nil, e)
		want, err2 := json.Marshal(e)
		if err != nil || err2 != nil || string(payload) != string(want) {
			t.Fatalf("got  %s %v\nwant %s %v", payload, err, want, err2)
		}
		env := Envelope{
			EventID: "e", Type: "InternalTransferred", SchemaVersion: SchemaVersion, OccurredAtNs: rapid.Int64().Draw(t, "at"), CustomerToken: "C0000000018",
			TxnID: e.TxnID, Channel: e.Channel, Payload: payload, Entries: []Entry{{Phase: Posted, AmountFen: e.AmountFen}},
		}
		var got Envelope
		ok := got.read(env.appendJSON(nil))
		if !ok || !reflect.DeepEqual(got, env) {
			t.Fatalf("%t\ngot  %+v\nwant %+v", ok, got, env)
		}
	})
}
