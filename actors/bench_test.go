package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/bank"
	journal "github.com/suanpan-bank/suanpan/journal/embedded"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// BenchmarkTransfers is the way of a transfer through actor, ledger and journal in this process, with as
// many under way as a busy node has. Its allocations are what to watch.
func BenchmarkTransfers(b *testing.B) {
	const customers, underWay = 100, 256
	o, accounts := benchOffice(b, customers)
	defer b.StopTimer()
	defer reportCPU(b)()
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		var calls []*bank.Call
		for ; len(calls) < underWay && done < b.N; done++ {
			calls = append(calls, o.call(&bank.TransferInternal{
				Payer: accounts[done%customers], Payee: accounts[(done+1)%customers], AmountFen: 1,
			}))
		}
		o.send(calls...)()
	}
}

// BenchmarkBatches is the same for sixteen callers at once, each with a hundred transfers of customers here and
// there: what /v1/batches does, without HTTP and JSON.
func BenchmarkBatches(b *testing.B) {
	const customers, callers, batch = 10_000, 16, 100
	o, accounts := benchOffice(b, customers)
	var left atomic.Int64
	left.Store(int64(b.N))
	defer b.StopTimer()
	defer reportCPU(b)()
	b.ReportAllocs()
	b.ResetTimer()
	var clients sync.WaitGroup
	for c := range callers {
		clients.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(c)))
			for n := uint64(0); left.Add(-batch) > -batch; {
				calls := make([]*bank.Call, 0, batch)
				for range batch {
					n++
					from := rng.IntN(customers)
					calls = append(calls, &bank.Call{
						Command: &bank.TransferInternal{Payer: accounts[from], Payee: accounts[(from+1)%customers], AmountFen: 1},
						Key:     bank.U128{Lo: n, Hi: 1<<32 + uint64(c)},
					})
				}
				o.send(calls...)()
			}
		})
	}
	clients.Wait()
}

// benchOffice is a node over a journal on disk, with customers who have money.
func benchOffice(b *testing.B, customers int) (*office, []bank.AccountNo) {
	engine := embedded.New(embedded.Options{})
	n := NewNode(Options{
		Engine: engine, Books: engine, Clock: testClock, Catalogue: bank.DefaultCatalogue(),
		Unseal: func(b []byte) ([]byte, error) { return b, nil }, Logger: slog.New(slog.DiscardHandler), Sequence: 7,
	})
	j, err := journal.Open(filepath.Join(b.TempDir(), "journal"), journal.Options{OnDurable: n.Durable, OnFault: n.Fault})
	if err != nil {
		b.Fatal(err)
	}
	if err := n.Recover(b.Context(), j); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(n.Close(context.Background()), j.Close()); err != nil {
			b.Fatal(err)
		}
	})
	o := &office{tb: b, node: n, opened: 1}
	var accounts []bank.AccountNo
	for i := range customers {
		accounts = append(accounts, o.customer(fmt.Sprint(i), 1_000_000_000))
	}
	return o, accounts
}

// reportCPU begins to count the processor time of all that goes on, and returns how to report it.
func reportCPU(b *testing.B) func() {
	used := func() int64 {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	began := used()
	return func() { b.ReportMetric(float64(used()-began)/float64(b.N), "cpu-ns/op") }
}
