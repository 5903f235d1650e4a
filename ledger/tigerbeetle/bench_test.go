//go:build cgo

package tigerbeetle

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle/standin"
)

// atOnce is a client that answers at once: what remains is the adapter's own cost.
type atOnce struct{ client }

func (atOnce) createTransfers(transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results := make([]ledger.CreateTransferResult, len(transfers))
	for i := range results {
		results[i].Status = ledger.TransferCreated
	}
	return results, nil
}

func (atOnce) lookupAccounts([]ledger.Uint128) ([]ledger.Account, error) { return nil, nil }
func (atOnce) close()                                                    {}

func BenchmarkAdapterAlone(b *testing.B) {
	benchmarkTransfers(b, func(b *testing.B) *Ledger {
		l, err := open(Options{Addresses: []string{"3001"}}, func(ledger.Uint128, []string) (client, error) { return atOnce{}, nil })
		if err != nil {
			b.Fatal(err)
		}
		return l
	})
}

func BenchmarkOverTheStandIn(b *testing.B) {
	benchmarkTransfers(b, func(b *testing.B) *Ledger {
		server, err := standin.Start(standin.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { server.Close() })
		l, err := Open(Options{Addresses: []string{server.Addr()}})
		if err != nil {
			b.Fatal(err)
		}
		accounts := []ledger.Account{{ID: ledger.U64(1), Ledger: book, Code: 1}, {ID: ledger.U64(2), Ledger: book, Code: 1}}
		if _, err := l.CreateAccounts(b.Context(), accounts); err != nil {
			b.Fatal(err)
		}
		return l
	})
}

// benchmarkTransfers measures one transfer, in calls of one, four and a full request.
func benchmarkTransfers(b *testing.B, open func(*testing.B) *Ledger) {
	for _, shape := range []struct{ callers, perCall int }{{1, 1}, {256, 1}, {1024, 1}, {1024, 4}, {1, batchMax}, {4, batchMax}} {
		b.Run(fmt.Sprintf("callers=%d/transfers=%d", shape.callers, shape.perCall), func(b *testing.B) {
			l := open(b)
			defer l.Close()
			before := l.Stats()
			var next, left atomic.Int64
			left.Store(int64(b.N))
			failed := make(chan error, shape.callers) // one for each caller at most
			b.ResetTimer()
			for range shape.callers {
				go func() {
					transfers := make([]ledger.Transfer, shape.perCall)
					for left.Add(int64(-shape.perCall)) > int64(-shape.perCall) {
						first := next.Add(int64(shape.perCall))
						for i := range transfers {
							transfers[i] = move(uint64(first) + uint64(i) + 1_000_000)
						}
						results, err := l.CreateTransfers(context.Background(), transfers)
						if err != nil {
							failed <- err
							return
						}
						if results[0].Status != ledger.TransferCreated {
							failed <- fmt.Errorf("%v", results[0].Status)
							return
						}
					}
					failed <- nil
				}()
			}
			for range shape.callers {
				if err := <-failed; err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			s := l.Stats()
			b.ReportMetric(float64(s.Events-before.Events)/float64(s.Requests-before.Requests), "transfers/request")
		})
	}
}

func BenchmarkConversionOfATransfer(b *testing.B) {
	transfers := make([]ledger.Transfer, batchMax)
	var to []tb.Transfer
	for range b.N/batchMax + 1 {
		to = convertInto(to, transfers, toTransfer)
	}
	if len(to) != batchMax {
		b.Fatal("lost some")
	}
}
