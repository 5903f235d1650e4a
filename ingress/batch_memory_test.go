package ingress

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
)

// slowBank does not know the outcome of a batch's last call, or breaks: it keeps the calls, as a node does that is being stopped.
type slowBank struct {
	refusingBank
	err  error
	kept []*bank.Call
}

func (b *slowBank) DoAll(_ context.Context, calls []*bank.Call) {
	b.kept = append(b.kept, calls...)
	if b.err == nil {
		panic("broken")
	}
	for i, call := range calls {
		if call.Receipt.Refusal = (&bank.Refusal{Code: bank.AccountUnknown}); i == len(calls)-1 {
			call.Err = b.err
		}
	}
}

// batch has the server carry out a batch of transfers whose keys are numbered from the given one on.
func (b *slowBank) batch(t *testing.T, s *Server, from, count int) {
	t.Helper()
	body := []byte(`{"operations":[`)
	for i := range count {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"idempotency_key":"key-%04d","path":"/v1/transfers","body":%s}`, from+i, fuzzedPayment)
	}
	var request fasthttp.Request
	request.Header.SetMethod("POST")
	request.SetRequestURI(batchPath)
	request.Header.SetContentType(jsonType)
	request.SetBody(append(body, "]}"...))
	var ctx fasthttp.RequestCtx
	ctx.Init(&request, nil, nil)
	s.handle(&ctx)
}

// A call that is under way belongs to who carries it out: another batch written over it would be carried out instead.
func TestCallsThatAreUnderWayAreNotUsedAgain(t *testing.T) {
	for name, err := range map[string]error{"unknown": bank.ErrOutcomeUnknown, "panic": nil} {
		t.Run(name, func(t *testing.T) {
			b := &slowBank{err: err}
			s := fuzzedServer()
			s.options.Bank = b
			const batches, operations = 20, 150
			for i := range batches {
				b.batch(t, s, i*operations, operations)
			}
			seen := make(map[bank.U128]bool)
			for _, call := range b.kept {
				if call.Key.IsZero() || call.Command == nil {
					t.Fatal("a call was cleared")
				}
				seen[call.Key] = true
			}
			if len(seen) != batches*operations {
				t.Fatalf("of %d calls there are %d left", batches*operations, len(seen))
			}
		})
	}
}

// What is told is used again, for something else: nothing of the batch before may be in the next.
func TestCallsOfWhichAllIsToldAreUsedAgainAndEmpty(t *testing.T) {
	b := new(batch)
	for range 3 {
		for i := range 2*ordersTogether + 1 {
			o := b.next()
			if o.call.Command != nil || !o.call.Key.IsZero() || o.call.Receipt.Refusal != nil || o.transfer != (bank.TransferInternal{}) {
				t.Fatalf("order %d is %+v", i, o)
			}
			o.transfer.AmountFen = 1
			o.call = bank.Call{Command: &o.transfer, Key: bank.U128{Lo: 1}, Receipt: bank.Receipt{Refusal: new(bank.Refusal)}}
		}
		if len(b.orders) != 3 {
			t.Fatalf("%d pieces of memory", len(b.orders))
		}
		b.empty()
	}
}

// Batches of many clients come one behind the other in the same memory: each operation is carried out once, as it was asked, and
// answered to who asked.
func TestClientsWhoseBatchesShareMemoryHearOfTheirOwn(t *testing.T) {
	h := openHouse(t, Limits{})
	const clients, batches, most = 6, 12, 150
	var from, to [clients]string
	for i := range clients {
		from[i], to[i] = h.account(20+2*i, 1_000_000_000), h.account(21+2*i, 0)
	}
	var paid [clients]int64
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for n := range batches {
				var operations []string
				count := 1 + (n*37+i*53)%most
				for k := range count {
					fen := 1 + i + clients*(k+most*n)
					paid[i] += int64(fen)
					operations = append(operations, fmt.Sprintf(`{"idempotency_key":"%d-%d-%d","path":"/v1/transfers","body":{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":%d}}`,
						i, n, k, from[i], to[i], fen))
				}
				a := h.post(batchPath, `{"operations":[`+strings.Join(operations, ",")+`]}`)
				results, _ := a.body["results"].([]any)
				if len(results) != count {
					t.Errorf("%d operations: %d %s", count, a.status, a.raw)
					return
				}
				for k, r := range results {
					r := r.(map[string]any)
					body, _ := r["body"].(map[string]any)
					if r["idempotency_key"] != fmt.Sprintf("%d-%d-%d", i, n, k) || r["status"] != 201.0 || r["replayed"] != nil ||
						!strings.Contains(fmt.Sprint(body["balances"]), "account_no:"+from[i]) || body["amount_fen"] != float64(1+i+clients*(k+most*n)) {
						t.Errorf("operation %d of batch %d of client %d: %v", k, n, i, r)
						return
					}
				}
			}
		})
	}
	all.Wait()
	for i := range clients {
		if got := h.balance(to[i]); got != paid[i] {
			t.Errorf("client %d has paid %d, and %d has come", i, paid[i], got)
		}
	}
}
