package ingress

import (
	"context"
	"fmt"
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
