package embedded

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

const benchmarkAccounts = 1_000_000

func openAccounts(tb testing.TB, e *Engine, n int) {
	tb.Helper()
	var results []ledger.CreateAccountResult
	batch := make([]ledger.Account, 0, batchMax)
	for id := 1; id <= n; id++ {
		batch = append(batch, ledger.Account{ID: ledger.U64(uint64(id)), Ledger: 156, Code: 2011})
		if len(batch) == cap(batch) || id == n {
			results = e.ExecuteAccounts(0, batch, results[:0])
			for _, r := range results {
				if r.Status != ledger.AccountCreated {
					tb.Fatal(r.Status)
				}
			}
			batch = batch[:0]
		}
	}
}

// BenchmarkCreateTransfers measures one plain transfer between two random accounts out of a
// million, each with a business id of its own, alone and in full batches.
func BenchmarkCreateTransfers(b *testing.B) {
	for _, size := range []int{1, batchMax} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			e := New(Options{})
			openAccounts(b, e, benchmarkAccounts)
			random := rand.New(rand.NewPCG(1, 2))
			batch := make([]ledger.Transfer, size)
			results := make([]ledger.CreateTransferResult, 0, size)
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; {
				n := min(size, b.N-done)
				for i := range n {
					from := random.Uint64N(benchmarkAccounts)
					to := (from + 1 + random.Uint64N(benchmarkAccounts-1)) % benchmarkAccounts
					batch[i] = ledger.Transfer{
						ID:             ledger.Uint128{Lo: random.Uint64(), Hi: uint64(done + i)},
						DebitAccountID: ledger.U64(from + 1), CreditAccountID: ledger.U64(to + 1),
						Amount: ledger.U64(1), UserData128: ledger.Uint128{Lo: random.Uint64(), Hi: 1},
						Ledger: 156, Code: 1121,
					}
				}
				results = e.ExecuteTransfers(0, batch[:n], results[:0])
				if results[0].Status != ledger.TransferCreated {
					b.Fatal(results[0].Status)
				}
				done += n
			}
		})
	}
}

// BenchmarkChains measures a decision of four linked transfers, the shape most of the bank's
// commands have.
func BenchmarkChains(b *testing.B) {
	e := New(Options{})
	openAccounts(b, e, benchmarkAccounts)
	random := rand.New(rand.NewPCG(1, 2))
	batch := make([]ledger.Transfer, 4)
	results := make([]ledger.CreateTransferResult, 0, len(batch))
	b.ReportAllocs()
	for n := range b.N {
		from := random.Uint64N(benchmarkAccounts - 8)
		user := ledger.Uint128{Lo: random.Uint64(), Hi: 1}
		for i := range batch {
			batch[i] = ledger.Transfer{
				ID:             ledger.Uint128{Lo: random.Uint64(), Hi: uint64(n)},
				DebitAccountID: ledger.U64(from + 1), CreditAccountID: ledger.U64(from + 2 + uint64(i)),
				Amount: ledger.U64(1), UserData128: user, Ledger: 156, Code: 1121,
				Flags: ledger.TransferLinked,
			}
		}
		batch[3].Flags = 0
		results = e.ExecuteTransfers(0, batch, results[:0])
		if results[0].Status != ledger.TransferCreated {
			b.Fatal(results[0].Status)
		}
	}
}

// BenchmarkAccount measures the read that a decision starts with.
func BenchmarkAccount(b *testing.B) {
	e := New(Options{})
	openAccounts(b, e, benchmarkAccounts)
	random := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := e.Account(ledger.U64(1 + random.Uint64N(benchmarkAccounts))); !ok {
			b.Fatal("account lost")
		}
	}
}
