package ingress

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
)

func TestBadInputIsNamedAndChangesNothing(t *testing.T) {
	h := openHouse(t, Limits{})
	from, to := h.account(1, 1_000_000), h.account(2, 0)
	id := h.get("/v1/accounts/" + from).body["customer_id"].(string)
	pay := func(more string) string {
		return fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q%s}`, from, to, more)
	}
	const unknown = "9990221000000009004"
	for _, c := range []struct {
		what, path, body string
		status           int
		code, field      string
	}{
		{"nothing", "/v1/transfers", ``, 400, "BODY_MALFORMED", ""},
		{"broken JSON", "/v1/transfers", `{"kind":`, 400, "BODY_MALFORMED", ""},
		{"two objects", "/v1/transfers", pay(`,"amount_fen":1`) + `{}`, 400, "BODY_MALFORMED", ""},
		{"an array", "/v1/transfers", `[]`, 400, "BODY_MALFORMED", ""},
		{"null", "/v1/transfers", `null`, 400, "BODY_MALFORMED", ""},
		{"a comment", "/v1/transfers", pay(`,"amount_fen":1/* */`), 400, "BODY_MALFORMED", ""},
		{"bad UTF-8", "/v1/transfers", pay(`,"amount_fen":1,"summary":"` + "\xff" + `"`), 400, "BODY_MALFORMED", "summary"},
		{"half a surrogate", "/v1/transfers", pay(`,"amount_fen":1,"summary":"\ud800"`), 400, "BODY_MALFORMED", "summary"},
		{"an unknown field", "/v1/transfers", pay(`,"amount_fen":1,"fee":0`), 400, "FIELD_UNKNOWN", "fee"},
		{"another case", "/v1/transfers", pay(`,"Amount_Fen":1`), 400, "FIELD_UNKNOWN", "Amount_Fen"},
		{"a field twice", "/v1/transfers", pay(`,"amount_fen":1,"amount_fen":2`), 400, "FIELD_DUPLICATE", "amount_fen"},
		{"an amount as text", "/v1/transfers", pay(`,"amount_fen":"100"`), 400, "FIELD_TYPE", "amount_fen"},
		{"a fraction", "/v1/transfers", pay(`,"amount_fen":1.5`), 400, "FIELD_TYPE", "amount_fen"},
		{"an exponent", "/v1/transfers", pay(`,"amount_fen":1e2`), 400, "FIELD_TYPE", "amount_fen"},
		{"an overflow", "/v1/transfers", pay(`,"amount_fen":9223372036854775808`), 400, "FIELD_TYPE", "amount_fen"},
		{"a huge number", "/v1/transfers", pay(`,"amount_fen":` + strings.Repeat("9", 400)), 400, "FIELD_TYPE", "amount_fen"},
		{"zero", "/v1/transfers", pay(`,"amount_fen":0`), 422, "AMOUNT_INVALID", "amount_fen"},
		{"negative", "/v1/transfers", pay(`,"amount_fen":-1`), 422, "AMOUNT_INVALID", "amount_fen"},
		{"above the limit", "/v1/transfers", pay(`,"amount_fen":10000000000001`), 422, "AMOUNT_INVALID", "amount_fen"},
		{"no amount", "/v1/transfers", pay(``), 422, "AMOUNT_INVALID", "amount_fen"},
		{"no kind", "/v1/transfers", `{"amount_fen":1}`, 400, "FIELD_MISSING", "kind"},
		{"an unknown kind", "/v1/transfers", `{"kind":"gift","amount_fen":1}`, 422, "FIELD_INVALID", "kind"},
		{"a field of another kind", "/v1/transfers", pay(`,"amount_fen":1,"to_bank":"ICBC"`), 400, "FIELD_NOT_ALLOWED", ""},
		{"an unknown payer", "/v1/transfers", strings.Replace(pay(`,"amount_fen":1`), from, unknown, 1), 404, "ACCOUNT_UNKNOWN", "from_account"},
		{"an unknown payee", "/v1/transfers", strings.Replace(pay(`,"amount_fen":1`), to, unknown, 1), 404, "PAYEE_UNKNOWN", "to_account"},
		{"a number with a wrong check digit", "/v1/transfers", strings.Replace(pay(`,"amount_fen":1`), to, "9990221000000009009", 1), 404, "PAYEE_UNKNOWN", "to_account"},
		{"oneself", "/v1/transfers", strings.Replace(pay(`,"amount_fen":1`), to, from, 1), 422, "SAME_ACCOUNT", ""},
		{"more than there is", "/v1/transfers", pay(`,"amount_fen":1000001`), 422, "INSUFFICIENT_FUNDS", "amount_fen"},
		{"a date of one's own", "/v1/transfers", pay(`,"amount_fen":1,"accounting_date":"2020-01-01"`), 422, "DATE_NOT_ALLOWED", "accounting_date"},
		{"no such day", "/v1/transfers", pay(`,"amount_fen":1,"accounting_date":"2025-02-29"`), 400, "FIELD_TYPE", "accounting_date"},
		{"a control character", "/v1/transfers", pay(`,"amount_fen":1,"summary":"a\u0000b"`), 422, "FIELD_INVALID", "summary"},
		{"a long summary", "/v1/transfers", pay(`,"amount_fen":1,"summary":"` + strings.Repeat("长", 61) + `"`), 422, "FIELD_INVALID", "summary"},
		{"deep nesting", "/v1/transfers", strings.Repeat(`{"kind":`, 20_000), 400, "BODY_MALFORMED", ""},
		{"an unknown customer", "/v1/customers/C0000090000/accounts", `{` + card + `}`, 404, "CUSTOMER_UNKNOWN", ""},
		{"no card", "/v1/customers/" + id + "/accounts", `{}`, 422, "BOUND_CARD_REQUIRED", "bound_card.card_no"},
		{"a wrong identity number", "/v1/customers", `{"name":"李","id_number":"220113198506150002","mobile":"13800000000"}`, 422, "FIELD_INVALID", "id_number"},
		{"a wrong mobile number", "/v1/customers", `{"name":"李","id_number":"220113198506150001","mobile":"12800000000"}`, 422, "FIELD_INVALID", "mobile"},
		{"an unknown product", "/v1/deposits", fmt.Sprintf(`{"account_no":%q,"product":"GOLD","amount_fen":100000}`, from), 422, "PRODUCT_UNKNOWN", "product"},
		{"an unknown deposit", "/v1/deposits/D0000000010000019/redemptions", `{"all":true}`, 404, "DEPOSIT_UNKNOWN", ""},
		{"a number that is none", "/v1/deposits/..%2f/redemptions", `{"all":true}`, 404, "PATH_UNKNOWN", ""},
		{"an unknown loan", "/v1/loans/B1/repayments", `{"settle":true}`, 404, "LOAN_UNKNOWN", ""},
		{"an unknown transfer", "/v1/channel/results", `{"transfer_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","result":"SUCCESS"}`, 404, "TRANSFER_UNKNOWN", ""},
		{"an empty batch", "/v1/batches", `{"operations":[]}`, 413, "BATCH_TOO_LARGE", "operations"},
		{"no such path", "/v1/transfer", `{}`, 404, "PATH_UNKNOWN", ""},
		{"a path that is read only", "/v1/accounts/" + from, `{}`, 405, "HTTP_METHOD_NOT_ALLOWED", ""},
	} {
		a := h.post(c.path, c.body)
		if a.status != c.status || a.code() != c.code || c.field != "" && a.body["field"] != c.field {
			t.Errorf("%s: %d %s, want %d %s %s", c.what, a.status, a.raw, c.status, c.code, c.field)
			continue
		}
		if a.header.Get("Content-Type") != "application/problem+json" || a.body["title"] == "" || a.body["detail"] == "" || a.body["status"] != float64(c.status) {
			t.Errorf("%s: not a problem document: %s", c.what, a.raw)
		}
	}
	if h.balance(from) != 1_000_000 || h.balance(to) != 0 {
		t.Errorf("money moved: %d, %d", h.balance(from), h.balance(to))
	}
}

func TestKeysAreRequiredAndBounded(t *testing.T) {
	h := openHouse(t, Limits{})
	for key, code := range map[string]string{
		"": "IDEMPOTENCY_KEY_MISSING", strings.Repeat("k", 129): "IDEMPOTENCY_KEY_INVALID", "a b": "IDEMPOTENCY_KEY_INVALID", "键": "IDEMPOTENCY_KEY_INVALID",
	} {
		req := h.request(http.MethodPost, "/v1/customers", `{}`)
		req.Header.Set("Idempotency-Key", key)
		if a := h.send(req); a.status != 400 || a.code() != code {
			t.Errorf("key %q: %d %s", key, a.status, a.raw)
		}
	}
}

func TestProblemsSpeakTheClientsLanguage(t *testing.T) {
	h := openHouse(t, Limits{})
	for accept, title := range map[string]string{
		"": "There is no such account", "en": "There is no such account", "zh-CN,zh;q=0.9,en;q=0.5": "账户不存在",
		"en;q=0.3, zh-Hans;q=0.8": "账户不存在", "fr": "There is no such account", strings.Repeat("zh,", 200): "There is no such account",
	} {
		req := h.request(http.MethodGet, "/v1/accounts/1", "")
		req.Header.Set("Accept-Language", accept)
		if a := h.send(req); a.body["title"] != title {
			t.Errorf("%q: %s", accept, a.raw)
		}
	}
}

func TestEveryRefusalIsExplainedInBothLanguages(t *testing.T) {
	for _, code := range bank.RefusalCodes {
		e, ok := explanations[string(code)]
		if !ok || e.status < 400 || e.status > 499 {
			t.Errorf("%s is not explained: %+v", code, e)
		}
	}
	for code, e := range explanations {
		if e.titleZh == "" || e.titleEn == "" || e.detailZh == "" || e.detailEn == "" {
			t.Errorf("%s: %+v", code, e)
		}
	}
}

func TestALargeBodyIsRefusedAndTheSenderHearsIt(t *testing.T) {
	h := openHouse(t, Limits{})
	if a := h.post("/v1/transfers", `{"kind":"`+strings.Repeat("x", 1<<20)+`"}`); a.status != 422 {
		t.Errorf("1 MiB: %d %.200s", a.status, a.raw)
	}
	req := h.request(http.MethodPost, "/v1/transfers", "")
	req.Body, req.ContentLength = io.NopCloser(io.LimitReader(endless{}, 100<<20)), 100<<20
	if a := h.send(req); a.status != 413 || a.code() != "BODY_TOO_LARGE" {
		t.Errorf("100 MiB: %d %s", a.status, a.raw)
	}
	chunked := h.request(http.MethodPost, "/v1/transfers", "")
	chunked.Body, chunked.ContentLength = io.NopCloser(io.LimitReader(endless{}, 100<<20)), -1
	if a := h.send(chunked); a.status != 413 || a.code() != "BODY_TOO_LARGE" {
		t.Errorf("100 MiB in chunks: %d %s", a.status, a.raw)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte{' '}, len(p))), nil }

// raw sends bytes as they are and returns what comes back until the server closes or a second passes.
func (h *house) raw(request string) string {
	h.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		h.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	b, _ := io.ReadAll(c)
	return string(b)
}

// Each of these was let through by the HTTP library, or took the process down, before it was refused here.
func TestWhatTheHTTPLibraryLetsThroughIsRefused(t *testing.T) {
	h := openHouse(t, Limits{ReadTimeout: 300 * time.Millisecond})
	for what, c := range map[string]struct{ request, status string }{
		"two lengths":          {"POST /v1/transfers HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		"two lengths, swapped": {"POST /v1/transfers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\n", "400"},
		"HTTP/2 preface":       {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
		"TRACE":                {"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "405"},
		"no HTTP at all":       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n", "400"},
		"a request that stops": {"POST /v1/transfers HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{", "408"},
		"a head without end":   {"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 20_000), "431"},
		"a panic":              {"GET /v1/reports/panic HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "500"},
	} {
		got := h.raw(c.request)
		if !strings.HasPrefix(got, "HTTP/1.1 "+c.status) {
			t.Errorf("%s: %.300q", what, got)
		}
		if strings.Count(got, "HTTP/1.1 ") != 1 {
			t.Errorf("%s is answered more than once: %.600q", what, got)
		}
	}
	if a := h.get("/livez"); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
}

// The body of a request is memory that the next request uses: nothing of one customer may turn up with
// another.
func TestNothingOfARequestIsKept(t *testing.T) {
	h := openHouse(t, Limits{})
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	names := []string{"AAAAAAAAAA", "BBBBBBBBBB", "CCCCCCCCCC"}
	for i, name := range names {
		body := fmt.Sprintf(`{"name":%q,"id_type":"OTHER","id_number":%q,"mobile":"1380000000%d","branch":%q}`, name, name, i, name)
		fmt.Fprintf(c, "POST /v1/customers HTTP/1.1\r\nHost: a\r\nIdempotency-Key: %s\r\nContent-Length: %d\r\n\r\n%s", name, len(body), body)
		r, err := http.ReadResponse(in, nil)
		if err != nil || r.StatusCode != 201 {
			t.Fatal(r, err)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}
	for i, name := range names {
		a := h.get("/v1/customers/" + bank.CustomerNo(i+1).String())
		if got := a.body["name"].(string); got[len(got)-1] != name[0] {
			t.Errorf("customer %d is called %s, registered as %s", i+1, got, name)
		}
	}
}

func TestAClientThatNeverReadsIsCutOff(t *testing.T) {
	h := openHouse(t, Limits{WriteTimeout: 300 * time.Millisecond})
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetReadBuffer(4096)
	_ = c.SetWriteDeadline(time.Now().Add(time.Minute))
	request := []byte("GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n")
	for i := 0; ; i++ {
		if _, err := c.Write(request); err != nil {
			if netErr, ok := err.(net.Error); ok && netErr.Timeout() {
				t.Fatalf("after %d requests the server still waits for the client", i)
			}
			break // cut off
		}
	}
	if a := h.get("/livez"); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
}

// Ten thousand keys of one customer at once are more than he may have under way: what is refused is repeated, as
// a client would, until it is done; nothing is done twice.
func TestTenThousandKeysInFlight(t *testing.T) {
	h := openHouse(t, Limits{})
	from, to := h.account(1, 10_000_000), h.account(2, 0)
	var group sync.WaitGroup
	for b := range 10 {
		group.Go(func() {
			var ops []string
			for i := range 1000 {
				ops = append(ops, fmt.Sprintf(`{"idempotency_key":"k%d-%d","path":"/v1/transfers","body":{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1}}`, b, i, from, to))
			}
			r, err := http.NewRequest(http.MethodPost, h.base+"/v1/batches", strings.NewReader(`{"operations":[`+strings.Join(ops, ",")+`]}`))
			if err != nil {
				t.Error(err)
				return
			}
			for done := 0; done < 2; { // once more when all are done
				a := h.send(r.Clone(t.Context()))
				r.Body, _ = r.GetBody()
				created, refused := strings.Count(a.raw, `"status":201`), strings.Count(a.raw, `"status":503,"body"`)
				if a.status != 200 || created+refused != 1000 {
					t.Errorf("%d %.300s", a.status, a.raw)
					return
				}
				if refused == 0 {
					done++
				}
			}
		})
	}
	group.Wait()
	if h.balance(to) != 10_000 {
		t.Errorf("payee has %d", h.balance(to))
	}
}

func TestMetricsAndDescriptionCoverEveryRoute(t *testing.T) {
	h := openHouse(t, Limits{})
	h.account(1, 1000)
	metrics := h.get("/metrics").raw
	for _, want := range []string{
		`suanpan_http_requests_total{route="POST /v1/customers",status="201"} 1`, `suanpan_http_request_seconds_count{route="POST /v1/transfers"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in /metrics", want)
		}
	}
	description := h.get("/openapi.json")
	paths := description.body["paths"].(map[string]any)
	for _, r := range h.server.routes {
		if paths[r.path].(map[string]any)[strings.ToLower(r.method)] == nil {
			t.Errorf("%s is not described", r.name)
		}
	}
	if h.get("/readyz").status != 200 || h.get("/livez").status != 200 {
		t.Error("not ready")
	}
	if a := h.get("/v1/accounts/1/transactions?page=2"); a.status != 404 {
		t.Errorf("a statement of nothing: %d", a.status)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(0, []byte(`{"name":"张三","id_number":"220113198506150001","mobile":"13800138000"}`))
	f.Add(2, []byte(`{"kind":"internal","from_account":"9990221000000000105","to_account":"9990221000000000204","amount_fen":1}`))
	f.Add(6, []byte(`{"customer_id":"C0000000018","product":"NJD","amount_fen":1,"term_months":1,"purpose":"x"}`))
	for i := range operations { // none is left to chance
		f.Add(i, []byte(`{}`))
		f.Add(i, []byte(`{"channel":"APP"}`))
	}
	args := []string{"C0000000018", "01KEZP37S70000000100000006"}
	s := New(Options{Bank: noBank{}, Vault: plain{}, Catalogue: bank.DefaultCatalogue(), Clock: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }})
	f.Fuzz(func(t *testing.T, n int, body []byte) {
		o := &operations[uint(n)%uint(len(operations))]
		cmd, p := o.command(s, body, args[:strings.Count(o.path, "{")])
		if p != nil {
			if _, ok := explanations[p.code]; !ok {
				t.Fatalf("problem %q is not explained", p.code)
			}
			return
		}
		if _, p := callOf(o.path, cmd, []byte("k")); p != nil {
			t.Fatal(p)
		}
	})
}

type noBank struct{ Bank }

type plain struct{}

func (plain) Seal(s string) ([]byte, error)   { return []byte(s), nil }
func (plain) Token(kind, value string) string { return kind + value }
func (plain) Cover(b [16]byte) [16]byte       { return b }
func (plain) Uncover(b [16]byte) [16]byte     { return b }
