package embedded

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

// busy fills an engine with transfers of few accounts and few business ids.
func busy(t *testing.T, transfers int) (*house, []ledger.Transfer) {
	h := newHouse(t)
	h.open(ledger.AccountHistory, 1, 2)
	h.open(0, 3, 4)
	random := rand.New(rand.NewPCG(3, 4))
	var batch []ledger.Transfer
	for i := range transfers {
		from := 1 + random.Uint64N(4)
		x := pay(uint64(1000+i), from, 1+from%4, 1+random.Uint64N(9))
		x.UserData128, x.UserData64, x.UserData32 = ledger.U64(random.Uint64N(4)), random.Uint64N(3), random.Uint32N(3)
		x.Code = 1 + uint16(random.Uint32N(3))
		batch = append(batch, x)
		if len(batch) == 100 || i == transfers-1 {
			h.now += second
			h.send(batch...)
			batch = batch[:0]
		}
	}
	q, _ := newFieldQuery(ledger.QueryFilter{Limit: queryMax})
	all := h.queryTransfers(q)
	if len(all) != transfers {
		t.Fatalf("%d of %d transfers", len(all), transfers)
	}
	return h, all
}

// naive answers a filter by looking at everything.
func naive(all []ledger.Transfer, reversed bool, limit int, match func(*ledger.Transfer) bool) []ledger.Transfer {
	var out []ledger.Transfer
	for i := range all {
		x := &all[i]
		if reversed {
			x = &all[len(all)-1-i]
		}
		if match(x) && len(out) < limit {
			out = append(out, *x)
		}
	}
	return out
}

// A statement that leaves out or repeats a transfer is a wrong statement.
func TestEveryFilterFindsWhatAFullScanFinds(t *testing.T) {
	h, all := busy(t, 3000)
	random := rand.New(rand.NewPCG(5, 6))
	zero := func(n uint64) bool { return random.Uint64N(n) != 0 }
	for range 2000 {
		f := ledger.AccountFilter{
			AccountID: ledger.U64(1 + random.Uint64N(5)), Limit: 1 + random.Uint32N(200),
			Flags: ledger.AccountFilterFlags(1 + random.Uint32N(7)),
		}
		if f.Flags == ledger.AccountFilterReversed {
			f.Flags |= ledger.AccountFilterDebits
		}
		if random.Uint32N(4) == 0 {
			f.Limit = queryMax
		}
		if !zero(2) {
			f.TimestampMin = all[random.IntN(len(all))].Timestamp + random.Uint64N(3) - 1
		}
		if !zero(2) {
			f.TimestampMax = max(f.TimestampMin, all[random.IntN(len(all))].Timestamp+random.Uint64N(3)-1)
		}
		if !zero(3) {
			f.UserData128 = ledger.U64(random.Uint64N(5))
		}
		if !zero(4) {
			f.UserData64, f.UserData32, f.Code = random.Uint64N(3), random.Uint32N(3), uint16(random.Uint32N(4))
		}
		to := f.TimestampMax
		if to == 0 {
			to = timestampMax
		}
		common := func(x *ledger.Transfer) bool {
			return x.Timestamp >= f.TimestampMin && x.Timestamp <= to &&
				(f.UserData128.IsZero() || x.UserData128 == f.UserData128) && (f.UserData64 == 0 || x.UserData64 == f.UserData64) &&
				(f.UserData32 == 0 || x.UserData32 == f.UserData32) && (f.Code == 0 || x.Code == f.Code)
		}
		reversed := f.Flags&ledger.AccountFilterReversed != 0
		want := naive(all, reversed, int(f.Limit), func(x *ledger.Transfer) bool {
			return common(x) && (f.Flags&ledger.AccountFilterDebits != 0 && x.DebitAccountID == f.AccountID ||
				f.Flags&ledger.AccountFilterCredits != 0 && x.CreditAccountID == f.AccountID)
		})
		got, err := h.AccountTransfers(t.Context(), f)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%+v: %d transfers, want %d (%v)", f, len(got), len(want), err)
		}
		balances, err := h.AccountBalances(t.Context(), f)
		if err != nil || f.AccountID.Lo <= 2 && len(balances) != len(want) || f.AccountID.Lo > 2 && len(balances) != 0 {
			t.Fatalf("%+v: %d balances (%v)", f, len(balances), err)
		}
		for i, b := range balances {
			if b.Timestamp != want[i].Timestamp {
				t.Fatalf("%+v: balance %d is of another transfer", f, i)
			}
		}
		q := ledger.QueryFilter{
			UserData128: f.UserData128, UserData64: f.UserData64, UserData32: f.UserData32, Code: f.Code,
			TimestampMin: f.TimestampMin, TimestampMax: f.TimestampMax, Limit: f.Limit,
		}
		if reversed {
			q.Flags = ledger.QueryFilterReversed
		}
		got, err = h.QueryTransfers(t.Context(), q)
		if want := naive(all, reversed, int(f.Limit), common); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%+v: %d transfers, want %d (%v)", q, len(got), len(want), err)
		}
	}
}

// Statements are read while the ledger works; under the race detector this fails if they touch
// what it writes.
func TestReadersSeeWholeChainsWhileTheLedgerWorks(t *testing.T) {
	h := newHouse(t)
	e := New(Options{})
	h.Engine = e
	h.open(ledger.AccountHistory, 1, 2)
	var writer, readers sync.WaitGroup
	done := make(chan struct{})
	writer.Go(func() {
		defer close(done)
		results := make([]ledger.CreateTransferResult, 0, 4)
		for i := range uint64(3000) {
			chain := []ledger.Transfer{flagged(pay(10*i+1, 1, 2, 1), linked), flagged(pay(10*i+2, 1, 2, 1), linked), pay(10*i+3, 1, 2, 1)}
			if i%3 == 0 {
				chain[2].CreditAccountID = chain[2].DebitAccountID
			}
			for j := range chain {
				chain[j].UserData128 = ledger.U64(5)
			}
			results = e.ExecuteTransfers(i*second, chain, results[:0])
		}
	})
	read := func(f func() int) {
		readers.Go(func() {
			for {
				if n := f(); n%3 != 0 {
					t.Errorf("%d transfers are visible, not a multiple of a chain", n)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	ctx := t.Context()
	filter := ledger.AccountFilter{AccountID: ledger.U64(1), Flags: 3, Limit: 6000}
	read(func() int { got, _ := e.AccountTransfers(ctx, filter); return len(got) })
	read(func() int { got, _ := e.AccountBalances(ctx, filter); return len(got) })
	read(func() int {
		got, _ := e.QueryTransfers(ctx, ledger.QueryFilter{UserData128: ledger.U64(5), Limit: 6000})
		return len(got)
	})
	read(func() int { got, _ := e.QueryTransfers(ctx, ledger.QueryFilter{Limit: 6000}); return len(got) })
	read(func() int { a, _ := e.Account(ledger.U64(1)); return int(a.DebitsPosted.Lo) })
	writer.Wait()
	readers.Wait()
	h.balances(1, 0, 6000, 0, 0)
}

// A decision starts with such a read; garbage would be paid for by every request.
func TestReadsOfOneObjectAndPlainTransfersDontAllocate(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	h.send(pay(10, 1, 2, 1))
	if n := testing.AllocsPerRun(100, func() { h.Account(ledger.U64(1)); h.Transfer(ledger.U64(10)) }); n != 0 {
		t.Errorf("%v allocations a read", n)
	}
	batch, results := make([]ledger.Transfer, 1), make([]ledger.CreateTransferResult, 0, 1)
	if n := testing.AllocsPerRun(1000, func() {
		batch[0] = pay(h.fresh().Lo, 1, 2, 1)
		results = h.ExecuteTransfers(h.now, batch, results[:0])
	}); n >= 1 {
		t.Errorf("%v allocations a transfer", n)
	}
}
