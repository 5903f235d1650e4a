package actors

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
	journal "github.com/suanpan-bank/suanpan/journal/embedded"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// BenchmarkTransfers is the way of a transfer through actor, ledger and journal in this process, with as
// many under way as a busy node has. Its allocations are what to watch.
func BenchmarkTransfers(b *testing.B) {
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
	o := &office{tb: b, node: n, opened: 1}
	const customers, underWay = 100, 256
	var accounts []bank.AccountNo
	for i := range customers {
		accounts = append(accounts, o.customer(string(rune('a'+i)), 1_000_000_000))
	}
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
	b.StopTimer()
	if err := n.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}
