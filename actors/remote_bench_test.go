package actors

import (
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	journal "github.com/suanpan-bank/suanpan/journal/embedded"
	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle"
	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle/standin"
)

// BenchmarkRemoteTransfers is the way of a transfer over a ledger elsewhere whose every request takes a
// millisecond, from 256 callers that wait for their answers: payments of a thousand customers, and of one.
// The second must reach 0.9 of the first.
func BenchmarkRemoteTransfers(b *testing.B) {
	for name, payers := range map[string]int{"spread": 1000, "hot": 1} {
		b.Run(name, func(b *testing.B) { benchmarkRemote(b, payers) })
	}
}

func benchmarkRemote(b *testing.B, payers int) {
	server, err := standin.Start(standin.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	books, err := tigerbeetle.Open(tigerbeetle.Options{Addresses: []string{server.Addr()}})
	if err != nil {
		b.Skip(err) // without cgo there is no client
	}
	defer func() {
		if err := books.Close(); err != nil {
			b.Error(err)
		}
	}()
	n := NewNode(Options{
		Ledger: books, Clock: testClock, Catalogue: bank.DefaultCatalogue(),
		Unseal: func(b []byte) ([]byte, error) { return b, nil }, Logger: slog.New(slog.DiscardHandler), Sequence: 7,
	})
	j, err := journal.Open(filepath.Join(b.TempDir(), "journal"), journal.Options{OnDurable: n.Durable, OnFault: n.Fault})
	if err != nil {
		b.Fatal(err)
	}
	if err := n.Recover(b.Context(), j); err != nil {
		b.Fatal(err)
	}
	if err := n.Resume(); err != nil {
		b.Fatal(err)
	}
	o := &office{tb: b, node: n, opened: 1}
	payee := o.customer("payee", 0)
	accounts := make([]bank.AccountNo, payers)
	for i := range accounts {
		accounts[i] = o.customer(string(rune(0x4e00+i)), 1_000_000_000)
	}
	server.DelayCommits(time.Millisecond)
	const callers = 256
	calls := make([]*bank.Call, b.N)
	for i := range calls {
		calls[i] = o.call(&bank.TransferInternal{Payer: accounts[i%payers], Payee: payee, AmountFen: 1})
	}
	var next atomic.Int64
	var clients sync.WaitGroup
	b.ResetTimer()
	for range callers {
		clients.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				o.send(calls[i-1])()
			}
		})
	}
	clients.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	for _, call := range calls {
		if call.Err != nil || call.Receipt.Refusal != nil {
			b.Fatalf("%+v %v", call.Receipt, call.Err)
		}
	}
	if err := n.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}
