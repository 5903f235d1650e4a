package ingress

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
	"google.golang.org/protobuf/encoding/protowire"
)

// asProtobuf writes an operation of a batch in JSON as protobuf.
func asProtobuf(t testing.TB, operation string) []byte {
	t.Helper()
	var o struct {
		Key  string          `json:"idempotency_key"`
		Path string          `json:"path"`
		Body json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal([]byte(operation), &o); err != nil {
		t.Fatal(err)
	}
	b := appendTextField(nil, 1, o.Key)
	if o.Path != transfersPath {
		b = appendTextField(b, 2, o.Path)
		return protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), o.Body)
	}
	var fields map[string]any
	if err := json.Unmarshal(o.Body, &fields); err != nil {
		t.Fatal(err)
	}
	var transfer []byte
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		number := protowire.Number(slices.Index(transferFields, name))
		if number < 0 {
			number = 99
		}
		switch v := fields[name].(type) {
		case string:
			transfer = protowire.AppendString(protowire.AppendTag(transfer, number, protowire.BytesType), v)
		case float64:
			transfer = protowire.AppendVarint(protowire.AppendTag(transfer, number, protowire.VarintType), uint64(int64(v)))
		case bool:
			transfer = protowire.AppendVarint(protowire.AppendTag(transfer, number, protowire.VarintType), protowire.EncodeBool(v))
		}
	}
	return protowire.AppendBytes(protowire.AppendTag(b, 4, protowire.BytesType), transfer)
}

// batchOf puts operations into a batch.
func batchOf(operations ...[]byte) (b []byte) {
	for _, o := range operations {
		b = protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), o)
	}
	return b
}

// fieldsOf takes a message apart that must be in order.
func fieldsOf(t *testing.T, b []byte, each func(number protowire.Number, text []byte, v float64)) {
	t.Helper()
	for last := protowire.Number(0); len(b) > 0; {
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 || number < last {
			t.Fatalf("a field %d behind %d: % x", number, last, b)
		}
		last, b = number, b[n:]
		var text []byte
		var v uint64
		if wire == protowire.BytesType {
			text, n = protowire.ConsumeBytes(b)
		} else {
			v, n = protowire.ConsumeVarint(b)
		}
		if n < 0 {
			t.Fatalf("field %d: % x", number, b)
		}
		b = b[n:]
		each(number, text, float64(int64(v)))
	}
}

// object reads a message as JSON would show it: what is absent is as in the object.
func object(t *testing.T, b []byte, object map[string]any, names ...string) map[string]any {
	t.Helper()
	fieldsOf(t, b, func(number protowire.Number, text []byte, v float64) {
		name := names[number-1]
		switch {
		case name == "balances":
			object[name] = append(object[name].([]any), balanceObject(t, text))
		case text != nil:
			object[name] = string(text)
		default:
			object[name] = v
		}
	})
	return object
}

func balanceObject(t *testing.T, b []byte) map[string]any {
	t.Helper()
	return object(t, b, map[string]any{"posted_fen": 0.0, "pending_in_fen": 0.0, "pending_out_fen": 0.0, "available_fen": 0.0},
		"account_no", "posted_fen", "pending_in_fen", "pending_out_fen", "available_fen")
}

// resultsOf reads an answer in protobuf as JSON would show it.
func resultsOf(t *testing.T, b []byte) (results []any) {
	t.Helper()
	fieldsOf(t, b, func(_ protowire.Number, result []byte, _ float64) {
		got := map[string]any{"idempotency_key": ""}
		fieldsOf(t, result, func(number protowire.Number, text []byte, v float64) {
			switch number {
			case 1:
				got["idempotency_key"] = string(text)
			case 2:
				got["status"] = v
			case 3:
				got["replayed"] = v == 1
			case 4:
				got["body"] = object(t, text, map[string]any{"fee_fen": 0.0, "balances": []any{}},
					"transfer_id", "kind", "status", "amount_fen", "fee_fen", "accounting_date", "balances")
			case 5:
				var body map[string]any
				if err := json.Unmarshal(text, &body); err != nil {
					t.Fatal(err)
				}
				got["body"] = body
			case 6:
				got["body"] = object(t, text, map[string]any{}, "type", "title", "status", "detail", "code", "field", "limit_fen")
			}
		})
		results = append(results, got)
	})
	return results
}

func (h *house) protobuf(body []byte, accept string) answer {
	h.Helper()
	req := h.request(http.MethodPost, batchPath, string(body))
	req.Header.Set("Content-Type", protobufType)
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	return h.send(req)
}

// A machine that changes from JSON to protobuf hears the same of everything, and nothing that it sent in one form is done
// again in the other.
func TestABatchIsTheSameInJSONAndInProtobuf(t *testing.T) {
	h := openHouse(t, Limits{})
	from, to := h.account(7, 10_000_000), h.account(8, 0)
	operation := func(path, body string, values ...any) string {
		return fmt.Sprintf(`{"idempotency_key":"KEY","path":%q,"body":%s}`, path, fmt.Sprintf(body, values...))
	}
	transfer := func(body string, values ...any) string { return operation(transfersPath, body, values...) }
	operations := []string{
		transfer(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1000}`, from, to),
		transfer(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1001,"summary":"工资","channel":"BATCH"}`, from, to),
		transfer(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":99000000}`, from, to), // refused
		transfer(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":-1}`, from, to),
		transfer(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":0}`, from, to),
		transfer(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1}`, from, from),
		transfer(`{"kind":"internal","from_account":%q,"to_account":"1","amount_fen":1}`, from),
		transfer(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1,"to_bank":"ABC"}`, from, to),
		transfer(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1,"accounting_date":"2026-13-01"}`, from, to),
		transfer(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1,"channel":"PIGEON"}`, from, to),
		transfer(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1,"confirmed":true}`, from, to),
		transfer(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":2,"risk_delay":"R7"}`, from, to),
		transfer(`{"kind":"out","from_account":%q,"to_bound_card":true,"amount_fen":500}`, from),
		transfer(`{"kind":"out","from_account":%q,"to_account":"6222021001116245702","to_name":"钱七","to_bank":"ICBC","amount_fen":501}`, from),
		transfer(`{"kind":"out","from_account":%q,"to_bound_card":true,"bound_card_no":"6228480402564890018","amount_fen":502}`, from),
		transfer(`{"kind":"in_bound","to_account":%q,"amount_fen":503}`, to),
		transfer(`{"kind":"inbound","to_account":%q,"from_account":"62220210","from_name":"吴","from_bank":"ICBC","channel_serial":"S1","amount_fen":504}`, to),
		transfer(`{"kind":"inbound","to_account":%q,"from_bound_card":true,"from_account":"1","amount_fen":505}`, to),
		transfer(`{"kind":"gift"}`), transfer(`{}`),
		transfer(`{"kind":"internal","summary":%q,"amount_fen":1}`, strings.Repeat("长", summaryMax+1)),
		transfer(`{"kind":5}`), transfer(`{"amount_fen":"5"}`), transfer(`{"confirmed":"yes"}`), transfer(`{"kind":"internal","color":"red"}`),
		operation("/v1/deposits", `{"account_no":%q,"product":"JFC3M","amount_fen":5000}`, from),
		operation("/v1/deposits", `{"account_no":%q,"product":"NONE","amount_fen":5000}`, from),
		operation("/v1/deposits", `{"account_no":%q,"colour":5000}`, from),
		operation("/v1/accounts/"+from+"/restrictions", `{"kind":"FREEZE"}`),
		operation("/v1/nothing", `{}`),
		strings.Replace(transfer(`{}`), "KEY", "", 1),
		strings.Replace(transfer(`{}`), "KEY", strings.Repeat("k", idempotencyKeyMax+1), 1),
	}
	for first, second := range map[string]string{"json": "protobuf", "protobuf": "json"} {
		send := map[string]func([]string, string) []any{
			"json": func(all []string, accept string) []any {
				req := h.request(http.MethodPost, batchPath, `{"operations":[`+strings.Join(all, ",")+`]}`)
				req.Header.Set("Accept", accept)
				a := h.send(req)
				if accept == protobufType {
					return resultsOf(t, []byte(a.raw))
				}
				return a.body["results"].([]any)
			},
			"protobuf": func(all []string, accept string) []any {
				var messages [][]byte
				for _, o := range all {
					messages = append(messages, asProtobuf(t, o))
				}
				a := h.protobuf(batchOf(messages...), accept)
				if accept == "application/json" {
					return a.body["results"].([]any)
				}
				if got := a.header.Get("Content-Type"); a.status != 200 || got != protobufType {
					t.Fatalf("%d %s %s", a.status, got, a.raw)
				}
				return resultsOf(t, []byte(a.raw))
			},
		}
		var keyed []string
		for i, o := range operations {
			keyed = append(keyed, strings.Replace(o, "KEY", fmt.Sprintf("%s-%d", first, i), 1))
		}
		want := send[first](keyed, "")
		got := send[second](keyed, "")
		crossed := [][]any{send["json"](keyed, protobufType), send["protobuf"](keyed, "application/json")}
		for i, o := range keyed {
			a, b := want[i].(map[string]any), got[i].(map[string]any)
			if done := a["status"].(float64) == 201; done && b["replayed"] != true || a["replayed"] != nil {
				t.Errorf("%s\nnot repeated: %v\n%v", o, a, b)
			}
			for _, again := range append(crossed, got) {
				r := maps.Clone(again[i].(map[string]any))
				delete(r, "replayed")
				if field, ok := r["body"].(map[string]any)["field"].(string); ok && a["body"].(map[string]any)["code"] == codeFieldName && field == "99" {
					r["body"].(map[string]any)["field"] = a["body"].(map[string]any)["field"] // a number has no name
				}
				if field, ok := a["body"].(map[string]any)["field"].(string); ok && field == "99" {
					continue
				}
				if !reflect.DeepEqual(a, r) {
					t.Errorf("%s\nfirst as %s: %v\nthen:  %v", o, first, a, r)
				}
			}
		}
	}
}

// What is not exactly a batch changes nothing, and says what is wrong with it.
func TestAProtobufThatIsNoBatchIsRefusedAsAWhole(t *testing.T) {
	h := openHouse(t, Limits{})
	from, to := h.account(7, 100_000), h.account(8, 0)
	good := asProtobuf(t, fmt.Sprintf(`{"idempotency_key":"k","path":"/v1/transfers","body":{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1}}`, from, to))
	field := func(number protowire.Number, wire protowire.Type, rest ...byte) []byte {
		return append(protowire.AppendTag(nil, number, wire), rest...)
	}
	with := func(more []byte) []byte { return batchOf(good, append(slices.Clone(good), more...)) }
	for name, c := range map[string]struct {
		body        []byte
		status      int
		code, field string
	}{
		"nothing":                       {nil, 413, codeBatchMax, "operations"},
		"too many operations":           {batchOf(slices.Repeat([][]byte{good}, BatchMax+1)...), 413, codeBatchMax, "operations"},
		"another field":                 {append(batchOf(good), field(2, protowire.VarintType, 1)...), 400, codeFieldName, "2"},
		"operations of another type":    {field(1, protowire.VarintType, 1), 400, codeFieldType, "operations"},
		"cut off":                       {batchOf(good)[:20], 400, codeBody, "operations"},
		"not protobuf":                  {[]byte(`{"operations":[]}`), 400, codeFieldName, "15"},
		"a tag that does not end":       {[]byte{0xFF, 0xFF}, 400, codeBody, ""},
		"a length beyond all":           {[]byte{0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}, 400, codeBody, "operations"},
		"an operation's other field":    {with(field(9, protowire.VarintType, 1)), 400, codeFieldName, "operations.1.9"},
		"a key twice":                   {with(field(1, protowire.BytesType, 1, 'k')), 400, codeFieldTwice, "operations.1.idempotency_key"},
		"a transfer twice":              {with(field(4, protowire.BytesType, 0)), 400, codeFieldTwice, "operations.1.transfer"},
		"a transfer and a path":         {with(field(2, protowire.BytesType, 1, '/')), 400, codeFieldHere, "operations.1.transfer"},
		"a transfer and a body":         {with(field(3, protowire.BytesType, 0)), 400, codeFieldHere, "operations.1.transfer"},
		"a key that is not UTF-8":       {batchOf(field(1, protowire.BytesType, 1, 0xFF)), 400, codeBody, "operations.0.idempotency_key"},
		"a group, as it once was":       {batchOf(field(4, protowire.StartGroupType)), 400, codeFieldType, "operations.0.transfer"},
		"a number where a text belongs": {batchOf(field(2, protowire.Fixed64Type, 1, 2, 3, 4, 5, 6, 7, 8)), 400, codeFieldType, "operations.0.path"},
	} {
		a := h.protobuf(c.body, "")
		got, _ := a.body["field"].(string)
		if a.status != c.status || a.code() != c.code || got != c.field || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	// What is wrong with a transfer is its own affair.
	wrong := func(transfer []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(field(1, protowire.BytesType, 1, 'w'), 4, protowire.BytesType), transfer)
	}
	a := h.protobuf(batchOf(
		wrong(field(1, protowire.BytesType, 9, 'i')),
		wrong(append(field(4, protowire.VarintType, 1), field(4, protowire.VarintType, 1)...)),
		wrong(field(8, protowire.VarintType, 2)),
		wrong(field(5, protowire.BytesType, 1, 0xFF)),
		good,
	), "")
	var got []string
	for _, r := range resultsOf(t, []byte(a.raw)) {
		result := r.(map[string]any)
		got = append(got, fmt.Sprintf("%v %v %v", result["status"], result["body"].(map[string]any)["code"], result["body"].(map[string]any)["field"]))
	}
	want := []string{"400 BODY_MALFORMED kind", "400 FIELD_DUPLICATE amount_fen", "400 FIELD_TYPE confirmed", "400 BODY_MALFORMED summary", "201 <nil> <nil>"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if h.balance(to) != 1 {
		t.Errorf("%d was paid", h.balance(to))
	}
}

// What reads bytes from a network must not fail whatever they are; and what it takes in it writes as it was.
func FuzzBatchProtobuf(f *testing.F) {
	transfer := appendTextField(appendTextField(appendTextField(nil, 1, "internal"), 2, "9990221000000000105"), 3, "9990221000000000204")
	transfer = appendNumberField(transfer, 4, 1)
	good := protowire.AppendBytes(protowire.AppendTag(appendTextField(nil, 1, "k"), 4, protowire.BytesType), transfer)
	f.Add(batchOf(good, good))
	f.Add(batchOf(appendTextField(appendTextField(appendTextField(nil, 1, "k"), 2, "/v1/transfers"), 3, fuzzedPayment)))
	f.Add([]byte{0x0A, 0xFF, 0x01})
	s := fuzzedServer()
	f.Fuzz(func(t *testing.T, body []byte) {
		var request fasthttp.Request
		request.Header.SetMethod("POST")
		request.SetRequestURI(batchPath)
		request.Header.SetContentType(protobufType)
		request.SetBody(body)
		var ctx fasthttp.RequestCtx
		ctx.Init(&request, nil, nil)
		s.handle(&ctx)
		status := ctx.Response.StatusCode()
		if status >= 500 || status < 200 {
			t.Fatalf("%d %s", status, ctx.Response.Body())
		}
		in := batch{server: s, ctx: &ctx}
		if p := in.readProtobuf(body); (p == nil && in.count > 0) != (status == 200) {
			t.Fatalf("%d %+v", status, p)
		}
		if status == 200 && len(resultsOf(t, ctx.Response.Body())) != in.count {
			t.Fatalf("results: % x", ctx.Response.Body())
		}
	})
}

// A length of any size stands before what it counts.
func TestAMessageIsAsLongAsItSays(t *testing.T) {
	for _, size := range []int{0, 1, 127, 128, 129, 16_383, 16_384, 70_000} {
		text := bytes.Repeat([]byte{'x'}, size)
		b, at := openMessage([]byte("before"), 3)
		b = closeMessage(append(b, text...), at)
		want := protowire.AppendBytes(protowire.AppendTag([]byte("before"), 3, protowire.BytesType), text)
		if !bytes.Equal(b, want) {
			t.Errorf("%d bytes: % x", size, b[:min(len(b), 20)])
		}
	}
}
