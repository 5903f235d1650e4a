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
	"time"

	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/hugepages"
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
	for _, customers := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(customers), func(b *testing.B) { benchmarkBatches(b, customers) })
	}
}

func benchmarkBatches(b *testing.B, customers int) {
	const callers, batch = 16, 100
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
	for len(accounts) < customers {
		accounts = append(accounts, o.customers(len(accounts), min(1000, customers-len(accounts)), 1_000_000_000)...)
	}
	keep, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- hugepages.Keep(keep) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	time.Sleep(time.Second) // what there is so far becomes huge pages
	return o, accounts
}

// customers is customer for n of them at once, from the given one on.
func (o *office) customers(from, n int, fen int64) (accounts []bank.AccountNo) {
	o.tb.Helper()
	all := func(command func(i int) bank.Command) (receipts []bank.Receipt) {
		calls := make([]*bank.Call, n)
		for i := range calls {
			calls[i] = o.call(command(i))
		}
		o.send(calls...)()
		for _, c := range calls {
			if c.Err != nil || c.Receipt.Refusal != nil {
				o.tb.Fatal(c.Err, c.Receipt.Refusal)
			}
			receipts = append(receipts, c.Receipt)
		}
		return receipts
	}
	registered := all(func(i int) bank.Command {
		return &bank.RegisterCustomer{IDKind: bank.ResidentID, Region: 220113, Person: bank.PersonSealed{
			IDSealed: []byte("220113198506150001"), IDToken: fmt.Sprint(from + i),
		}}
	})
	opened := all(func(i int) bank.Command {
		return &bank.OpenAccount{
			Customer: registered[i].Events[0].(*bank.CustomerRegistered).CustomerNo, Class: 1, FaceToFace: true,
			Card: bank.CardSealed{Token: fmt.Sprint("card", from+i)},
		}
	})
	for _, r := range opened {
		accounts = append(accounts, r.Events[0].(*bank.AccountOpened).AccountNo)
	}
	all(func(i int) bank.Command { return &bank.CreditInbound{Account: accounts[i], AmountFen: fen} })
	return accounts
}

// reportCPU begins to count the processor time of all that goes on, and returns how to report it.
func reportCPU(b *testing.B) func() {
	began := cpuNow(b)
	return func() { b.ReportMetric(float64(cpuNow(b)-began)/float64(b.N), "cpu-ns/op") }
}

// cpuNow is the processor time that this process has used, nanoseconds.
func cpuNow(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
