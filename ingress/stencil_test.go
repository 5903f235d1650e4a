package ingress

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
	"google.golang.org/protobuf/encoding/protowire"
)

const stencilled = `{"idempotency_key":"key-1","path":"/v1/transfers","body":{"kind":"internal","from_account":"9990221000000000105","to_account":"9990221000000000204","amount_fen":123,"summary":"房租"}}`

// readers read a batch's body with stencils and without.
func readers(s *Server) (stencils, plainly *batch) {
	ctx := new(fasthttp.RequestCtx)
	return &batch{server: s, ctx: ctx}, &batch{server: s, ctx: ctx, stencil: stencil{learned: stencilsMax}}
}

func (b *batch) again() {
	b.items, b.count = b.items[:0], 0
	if b.stencil.parts[0] != "" {
		b.stencil.learned = 0
	}
}

// readAlike fails unless both read the same.
func readAlike(t testing.TB, stencils, plainly *batch, body []byte, inProtobuf bool) {
	t.Helper()
	var got, want *problem
	if inProtobuf {
		got, want = stencils.readProtobuf(body), plainly.readProtobuf(body)
	} else {
		got, want = stencils.readJSON(body), plainly.readJSON(body)
	}
	if !reflect.DeepEqual(got, want) || stencils.count != plainly.count {
		t.Fatalf("%q: %d operations, %+v; without stencils %d, %+v", body, stencils.count, got, plainly.count, want)
	}
	for i := range stencils.items {
		a, b := &stencils.items[i], &plainly.items[i]
		if a.key != b.key || a.of != b.of || !reflect.DeepEqual(a.problem, b.problem) || !reflect.DeepEqual(a.call, b.call) {
			t.Fatalf("%q: operation %d is %q %+v %+v %+v; without stencils %q %+v %+v %+v", body, i, a.key, a.problem, a.call, a.call.Command, b.key, b.problem, b.call, b.call.Command)
		}
	}
	stencils.again()
	plainly.again()
}

func inJSON(operations ...string) []byte {
	return []byte(`{"operations":[` + strings.Join(operations, ",") + `]}`)
}

// What is read otherwise with a stencil is an order that nobody gave.
func FuzzStencil(f *testing.F) {
	for _, change := range [][2]string{
		{"key-1", "key-2"}, {"key-1", "a"}, {"123", "9"}, {"123", "10000000000000"}, {"123", "10000000000001"}, {"123", "0"}, {"123", "012"}, {"123", "1e2"}, {"123", "-1"}, {"key-1", `a\"b`},
		{"key-1", "银"}, {"key-1", ""}, {"000105", "000106"}, {"房租", "x"}, {`"summary"`, `"amount_fen":5,"summary"`}, {"}}", "}"}, {"}}", "}}}"}, {"房租", "amount_fen"}, {"internal", "out"},
	} {
		second := strings.Replace(stencilled, change[0], change[1], 1)
		f.Add([]byte(stencilled), []byte(second), false)
		f.Add([]byte(second), []byte(stencilled), false)
		if json.Valid([]byte(second)) {
			f.Add(asProtobuf(f, stencilled), asProtobuf(f, second), true)
		}
	}
	s := fuzzedServer()
	f.Fuzz(func(t *testing.T, first, second []byte, inProtobuf bool) {
		stencils, plainly := readers(s)
		if inProtobuf {
			readAlike(t, stencils, plainly, batchOf(first, second, first), true)
			readAlike(t, stencils, plainly, batchOf(second), true)
			readAlike(t, stencils, plainly, batchOf(first, second), true)
			return
		}
		readAlike(t, stencils, plainly, inJSON(string(first), string(second), string(first)), false)
		readAlike(t, stencils, plainly, inJSON(string(second)), false)
		readAlike(t, stencils, plainly, inJSON(string(first), string(second)), false)
	})
}

// If a machine's transfers were not taken as alike, nobody would notice. And what is not alike must not be.
func TestAMachinesTransfersAreReadByAStencil(t *testing.T) {
	s := fuzzedServer()
	turned := `{ "path" : "/v1/transfers", "body" : { "amount_fen" : 5 , "to_account":"9990221000000000204" ,"from_account":"9990221000000000105", "kind":"internal"} , "idempotency_key" : "k" }`
	for _, operation := range []string{stencilled, turned} {
		for _, inProtobuf := range []bool{false, true} {
			stencils, plainly := readers(s)
			asked := func(operation string) (alike bool) {
				t.Helper()
				readAlike(t, stencils, plainly, form(t, inProtobuf, operation), inProtobuf)
				if inProtobuf {
					alike = stencils.alikeProtobuf(string(asProtobuf(t, operation)))
				} else {
					alike = stencils.alikeJSON(operation) == len(operation)
				}
				stencils.again()
				return alike
			}
			if !asked(operation) {
				t.Fatalf("%s is not alike itself", operation)
			}
			for _, change := range [][2]string{{"000105", "000303"}, {"000204", "000303"}, {"key-1", "key-2"}, {"123", "125"}, {" 5 ", " 9 "}} {
				if next := strings.Replace(operation, change[0], change[1], 1); !asked(next) {
					t.Errorf("%s is not alike %s (protobuf: %t)", next, operation, inProtobuf)
				}
			}
			stencils.stencil.learned = stencilsMax // nothing is learned of what comes
			for _, change := range [][2]string{
				{"000105", "000106"}, {"000204", "000205"}, {`"key-1"`, `"银行"`}, {`"key-1"`, `""`}, {"123", "0"}, {" 5 ", " 0 "}, {"房租", "工资"},
				{"internal", "out"}, {`"key-1"`, `"` + strings.Repeat("k", idempotencyKeyMax+1) + `"`}, {"123", "99999999999999"}, {`"kind"`, `"to_bound_card":true,"kind"`},
			} {
				next := strings.Replace(operation, change[0], change[1], 1)
				if next == operation {
					continue
				}
				readAlike(t, stencils, plainly, form(t, inProtobuf, next), inProtobuf)
				stencils.stencil.learned = stencilsMax
				if inProtobuf && stencils.alikeProtobuf(string(asProtobuf(t, next))) || !inProtobuf && stencils.alikeJSON(next) > 0 {
					t.Errorf("%s is alike %s (protobuf: %t)", next, operation, inProtobuf)
				}
			}
		}
	}
}

func form(t *testing.T, inProtobuf bool, operation string) []byte {
	if inProtobuf {
		return batchOf(asProtobuf(t, operation))
	}
	return inJSON(operation)
}

// A client with something new in each operation has them read as before, and costs no more than some stencils.
func TestStencilsOfABatchAreFew(t *testing.T) {
	stencils, plainly := readers(fuzzedServer())
	var operations []string
	for i := range 3 * stencilsMax {
		operations = append(operations, strings.Replace(stencilled, "房租", fmt.Sprint("房租", i), 1))
	}
	_ = stencils.readJSON(inJSON(operations...))
	if stencils.stencil.learned != stencilsMax || stencils.stencil.made.Summary != fmt.Sprint("房租", stencilsMax-1) {
		t.Errorf("%+v", stencils.stencil)
	}
	stencils.again()
	readAlike(t, stencils, plainly, inJSON(operations...), false)
}

// More operations than a batch may have are counted, and not kept.
func TestABatchThatIsTooLongIsNotKept(t *testing.T) {
	stencils, plainly := readers(fuzzedServer())
	body := inJSON(strings.TrimSuffix(strings.Repeat(stencilled+",", BatchMax+50), ","))
	readAlike(t, stencils, plainly, body, false)
	_ = stencils.readJSON(body)
	if stencils.count != BatchMax+50 || len(stencils.items) != BatchMax {
		t.Errorf("%d operations, %d kept", stencils.count, len(stencils.items))
	}
	many := batchOf(asProtobuf(t, stencilled))
	for range 10 {
		many = append(many, many...)
	}
	stencils.again()
	if p := stencils.readProtobuf(many); p == nil || p.code != codeBatchMax || len(stencils.items) != BatchMax {
		t.Errorf("%+v, %d kept", p, len(stencils.items))
	}
}

// A body of the size that is allowed may hold a million operations of two bytes.
func TestABatchThatIsNotPlainIsBoundedToo(t *testing.T) {
	for _, c := range []struct {
		operations string
		kept       int
		code       string
	}{
		{strings.Repeat(`{},`, BatchMax+50) + `{}`, BatchMax + 1, ""},
		{strings.Repeat(`{},`, BatchMax-1) + `{}`, BatchMax, ""},
		{`{},`, 2, codeBody},
		{`{},{"path":1}`, 2, codeFieldType},
		{`{},{"paths":""}`, 2, codeFieldName},
	} {
		var in batchRequest
		p := decode([]byte(`{"operations":[`+c.operations+`]}`), &in)
		if len(in.Operations) != c.kept || (p == nil) != (c.code == "") || p != nil && p.code != c.code {
			t.Errorf("%.40s: %d kept, %+v", c.operations, len(in.Operations), p)
		}
	}
	for body, code := range map[string]string{`{"operations":null}`: "", `{"operations":{}}`: codeFieldType} {
		var in batchRequest
		if p := decode([]byte(body), &in); (p == nil) != (code == "") || p != nil && (p.code != code || p.field != "operations") {
			t.Errorf("%s: %+v", body, p)
		}
	}
}

// A length or a number that is written with more bytes than it needs is read the same.
func TestAStencilInProtobufKeepsItsSizes(t *testing.T) {
	s := fuzzedServer()
	first := asProtobuf(t, stencilled)
	amount := protowire.AppendVarint(protowire.AppendTag(nil, 4, protowire.VarintType), 123)
	at := strings.Index(string(first), string(amount))
	for _, other := range [][]byte{{0x20, 0xFB}, {0x20, 0x80}, {0x20, 0x00}, {0x21, 0x05}} {
		second := append([]byte(nil), first...)
		copy(second[at:], other)
		stencils, plainly := readers(s)
		readAlike(t, stencils, plainly, batchOf(first, second), true)
	}
}
