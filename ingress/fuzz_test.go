package ingress

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
)

// refusingBank refuses every command and has nothing to show.
type refusingBank struct{}

func (refusingBank) Do(_ context.Context, call *bank.Call) {
	call.Receipt = bank.Receipt{Refusal: &bank.Refusal{Code: bank.AccountUnknown}}
}

func (b refusingBank) Begin(call *bank.Call, then func()) {
	b.Do(context.Background(), call)
	then()
}

func (refusingBank) Ahead([]*bank.Call) {}

func (b refusingBank) DoAll(ctx context.Context, calls []*bank.Call) {
	for _, call := range calls {
		b.Do(ctx, call)
	}
}
func (refusingBank) Ready() error { return nil }
func (refusingBank) Customer(context.Context, bank.CustomerNo) (v bank.CustomerView, err error) {
	return v, bank.ErrNotFound
}
func (refusingBank) Account(context.Context, bank.AccountNo) (v bank.AccountView, err error) {
	return v, bank.ErrNotFound
}
func (refusingBank) Statement(context.Context, bank.StatementQuery) (v bank.StatementPage, err error) {
	return v, bank.ErrNotFound
}
func (refusingBank) StatementTotals(context.Context, bank.StatementQuery) (v bank.StatementTotals, err error) {
	return v, bank.ErrNotFound
}
func (refusingBank) Vouchers(context.Context, bank.CustomerNo, uint64, int) (v bank.VoucherPage, err error) {
	return v, bank.ErrNotFound
}
func (refusingBank) Slip(context.Context, bank.TxnID) (v bank.SlipView, err error) {
	return v, bank.ErrNotFound
}
func (refusingBank) Certificate(context.Context, bank.ContractNo) (v bank.CertificateView, err error) {
	return v, bank.ErrNotFound
}
func (refusingBank) Transfer(context.Context, bank.TxnID) (v bank.TransferView, err error) {
	return v, bank.ErrNotFound
}
func (refusingBank) Deposit(context.Context, bank.ContractNo) (v bank.DepositView, err error) {
	return v, bank.ErrNotFound
}
func (refusingBank) Loan(context.Context, bank.ContractNo) (v bank.LoanView, err error) {
	return v, bank.ErrNotFound
}

func fuzzedServer() *Server {
	return New(Options{
		Catalogue: bank.DefaultCatalogue(),
		Bank:      refusingBank{}, Vault: plain{}, Logger: slog.New(slog.DiscardHandler),
		Clock: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) },
	})
}

const fuzzedPayment = `{"kind":"internal","from_account":"9990221000000000105","to_account":"9990221000000000204","amount_fen":1}`

// meant fails unless the answer to a request is one the bank means: never a panic's 500.
func meant(t *testing.T, s *Server, method, uri, key string, body []byte) {
	var request fasthttp.Request
	request.Header.SetMethod(method)
	request.SetRequestURI(uri)
	request.Header.Set("Idempotency-Key", key)
	request.Header.SetContentType("application/json")
	request.SetBody(body)
	var ctx fasthttp.RequestCtx
	ctx.Init(&request, nil, nil)
	s.handle(&ctx)
	if status := ctx.Response.StatusCode(); status >= 500 || status < 200 {
		t.Fatalf("%d %s", status, ctx.Response.Body())
	}
}

// Whatever path, key and body a request has, the answer is one the bank means.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "/v1/transfers", "key", []byte(fuzzedPayment))
	f.Add("POST", "/v1/batches", "key", []byte(`{"operations":[{"operation":"transfer","idempotency_key":"1","body":`+fuzzedPayment+`}]}`))
	f.Add("POST", "/v1/customers/C0000000018/accounts", "key", []byte(`{"class":"I","face_to_face":true}`))
	f.Add("GET", "/v1/accounts/9990221000000000105/transactions?limit=2&after=1", "", []byte{})
	f.Add("GET", "/v1/accounts/9990221000000000105/transactions?li\x8fit=2", "", []byte{})
	f.Add("GET", "/v1/transfers/01M8323B800000000200000005", "", []byte{})
	s := fuzzedServer()
	f.Fuzz(func(t *testing.T, method, uri, key string, body []byte) {
		meant(t, s, method, uri, key, body)
	})
}

// A batch's body comes from a machine that may be wrong, or not the one it says it is.
func FuzzBatch(f *testing.F) {
	for _, operations := range []string{
		`{"operation":"transfer","idempotency_key":"1","body":` + fuzzedPayment + `}`,
		`{"operation":"transfer","idempotency_key":"1","body":` + fuzzedPayment + `},{"operation":"transfer","idempotency_key":"1","body":{}}`,
		`{"operation":"none","idempotency_key":"","body":null}`,
	} {
		f.Add([]byte(`{"operations":[` + operations + `]}`))
	}
	s := fuzzedServer()
	f.Fuzz(func(t *testing.T, body []byte) {
		meant(t, s, "POST", "/v1/batches", "", body)
	})
}

// Two keys must never be one command, and one key always the same.
func FuzzIdempotencyKey(f *testing.F) {
	f.Add([]byte("key"), []byte("yek"))
	f.Add([]byte{}, []byte(" "))
	f.Add([]byte("ключ"), bytes.Repeat([]byte("k"), idempotencyKeyMax+1))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, key := range [][]byte{a, b} {
			good := len(key) > 0 && len(key) <= idempotencyKeyMax
			for _, c := range key {
				good = good && c > ' ' && c <= '~'
			}
			if (checkKey(key) == nil) != good {
				t.Fatalf("%q: %v", key, checkKey(key))
			}
		}
		cmd := &bank.TransferInternal{Payer: 9990221000000000105, Payee: 9990221000000000204, AmountFen: 1}
		x, _ := callOf("transfer", cmd, a)
		y, _ := callOf("transfer", cmd, b)
		if (x.Key == y.Key) != bytes.Equal(a, b) || x.Body != y.Body {
			t.Fatalf("%q and %q: %v %v", a, b, x.Key, y.Key)
		}
	})
}

// A key of an earlier version is in the journal: a command that is repeated after an upgrade must find its first result.
func TestKeysAndBodiesAreHashedAsEver(t *testing.T) {
	half := func(parts ...[]byte) bank.U128 {
		sum := sha256.Sum256(bytes.Join(parts, []byte{0}))
		return bank.U128{Lo: binary.LittleEndian.Uint64(sum[:]), Hi: binary.LittleEndian.Uint64(sum[8:])}
	}
	for _, key := range []string{"k", strings.Repeat("k", 46), strings.Repeat("k", 47), strings.Repeat("k", idempotencyKeyMax)} {
		for _, summary := range []string{"", "房租", strings.Repeat("租", summaryMax)} {
			cmd := &bank.TransferInternal{Payer: bank.NewAccountNo(1, 10, 0), Payee: bank.NewAccountNo(1, 20, 0), AmountFen: 1, Summary: summary}
			call, p := callOf(transfersPath, cmd, []byte(key))
			stored, err := bank.AppendEncoded(nil, cmd)
			if p != nil || err != nil {
				t.Fatal(p, err)
			}
			if want := half(binary.LittleEndian.AppendUint64(nil, 10), []byte(key)); call.Key != want {
				t.Errorf("%q: %v, not %v", key, call.Key, want)
			}
			if want := half([]byte(transfersPath), stored); call.Body != want || call.Bytes != len(stored) {
				t.Errorf("%q: %v and %d bytes, not %v and %d", summary, call.Body, call.Bytes, want, len(stored))
			}
		}
	}
}
