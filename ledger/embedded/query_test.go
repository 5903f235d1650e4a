package embedded

import (
	"context"
	"errors"
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

// The running balance on a statement is the balance the customer had then.
func TestHistoryIsTheBalanceAfterEachTransfer(t *testing.T) {
	h := newHouse(t)
	h.open(ledger.AccountHistory, 1)
	h.open(0, 2)
	h.one(created, pay(10, 2, 1, 100))
	h.one(created, timed(pay(11, 1, 2, 30), 5))
	h.one(created, timed(pay(12, 1, 2, 20), 500))
	h.now += 10 * second // 11 expires: it isn't a transfer and has no line of its own
	h.one(created, post(13, 12, ledger.U64(15)))
	wide := pay(14, 2, 1, 0)
	wide.Amount = ledger.Uint128{Hi: 3, Lo: 7}
	h.one(created, wide)
	got, err := h.AccountBalances(t.Context(), ledger.AccountFilter{AccountID: ledger.U64(1), Flags: 3, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	after, _ := wide.Amount.Add(ledger.U64(100))
	want := [][4]ledger.Uint128{
		{{}, {}, {}, ledger.U64(100)},
		{ledger.U64(30), {}, {}, ledger.U64(100)},
		{ledger.U64(50), {}, {}, ledger.U64(100)},
		{{}, ledger.U64(15), {}, ledger.U64(100)},
		{{}, ledger.U64(15), {}, after},
	}
	if len(got) != len(want) {
		t.Fatalf("%d balances, want %d", len(got), len(want))
	}
	for i, b := range got {
		if [4]ledger.Uint128{b.DebitsPending, b.DebitsPosted, b.CreditsPending, b.CreditsPosted} != want[i] {
			t.Errorf("after transfer %d: %+v, want %v", i, b, want[i])
		}
	}
	if none, _ := h.AccountBalances(t.Context(), ledger.AccountFilter{AccountID: ledger.U64(2), Flags: 3, Limit: 10}); len(none) != 0 {
		t.Error("an account without history has one")
	}
}

// A consumer that follows the log must be able to keep its own balances from it.
func TestTheChangeLogShowsBothAccountsAfterEachEvent(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	h.one(created, pay(10, 1, 2, 5))
	h.one(created, flagged(pay(11, 1, 2, 7), ledger.TransferPending))
	h.one(created, post(12, 11, ledger.U64(3)))
	h.one(created, flagged(pay(13, 1, 2, 1), ledger.TransferPending|ledger.TransferClosingCredit))
	h.one(created, void(14, 13))
	events := h.events(ledger.ChangeEventsFilter{})
	want := []struct {
		kind                  ledger.ChangeEventType
		amount, held, moved   uint64
		closed, originalFlags bool
	}{
		{ledger.ChangeSinglePhase, 5, 0, 5, false, true},
		{ledger.ChangeTwoPhasePending, 7, 7, 5, false, true},
		{ledger.ChangeTwoPhasePosted, 3, 0, 8, false, true},
		{ledger.ChangeTwoPhasePending, 1, 1, 8, true, true},
		{ledger.ChangeTwoPhaseVoided, 1, 0, 8, false, true},
	}
	if len(events) != len(want) {
		t.Fatalf("%d events, want %d", len(events), len(want))
	}
	for i, w := range want {
		e := events[i]
		if e.Type != w.kind || e.Ledger != book || e.Timestamp != e.Transfer.Timestamp || e.Transfer.Amount != ledger.U64(w.amount) ||
			e.DebitAccount.DebitsPending != ledger.U64(w.held) || e.CreditAccount.CreditsPosted != ledger.U64(w.moved) ||
			(e.CreditAccount.Flags&ledger.AccountClosed != 0) != w.closed || e.DebitAccount.Flags&ledger.AccountClosed != 0 {
			t.Errorf("event %d: %+v, want %+v", i, e, w)
		}
	}
	tail := h.events(ledger.ChangeEventsFilter{TimestampMin: events[2].Timestamp + 1})
	if len(tail) != 2 || tail[0].Timestamp != events[3].Timestamp {
		t.Error("the tail of the log doesn't begin after the last event seen")
	}
	if got := h.events(ledger.ChangeEventsFilter{TimestampMin: events[1].Timestamp, TimestampMax: events[3].Timestamp}); len(got) != 3 {
		t.Errorf("%d events between two times, want 3", len(got))
	}
}

func TestAccountsAreFoundByTheirFields(t *testing.T) {
	h := newHouse(t)
	var stamps []uint64
	for i := range uint64(10) {
		a := ledger.Account{ID: ledger.U64(i + 1), Ledger: book, Code: uint16(1 + i%2), UserData128: ledger.U64(i % 3), UserData64: i % 5, UserData32: uint32(i % 4)}
		if got := h.account(a); got != ledger.AccountCreated {
			t.Fatal(got)
		}
		stamps = append(stamps, h.Timestamp())
	}
	for _, c := range []struct {
		f    ledger.QueryFilter
		want []uint64
	}{
		{ledger.QueryFilter{Limit: 3}, []uint64{1, 2, 3}},
		{ledger.QueryFilter{Limit: 3, Flags: ledger.QueryFilterReversed}, []uint64{10, 9, 8}},
		{ledger.QueryFilter{Limit: 2, UserData128: ledger.U64(1)}, []uint64{2, 5}},
		{ledger.QueryFilter{Limit: 2, UserData128: ledger.U64(1), Flags: ledger.QueryFilterReversed}, []uint64{8, 5}},
		{ledger.QueryFilter{Limit: 9, UserData128: ledger.U64(1), TimestampMin: stamps[2], TimestampMax: stamps[6]}, []uint64{5}},
		{ledger.QueryFilter{Limit: 9, Code: 2, UserData64: 3}, []uint64{4}},
		{ledger.QueryFilter{Limit: 9, UserData32: 3}, []uint64{4, 8}},
		{ledger.QueryFilter{Limit: 9, UserData128: ledger.U64(77)}, nil},
		{ledger.QueryFilter{Limit: 9, Ledger: otherBook}, nil},
		{ledger.QueryFilter{Limit: 9, TimestampMin: stamps[8]}, []uint64{9, 10}},
	} {
		got, err := h.QueryAccounts(t.Context(), c.f)
		var ids []uint64
		for _, a := range got {
			ids = append(ids, a.ID.Lo)
		}
		if err != nil || !slices.Equal(ids, c.want) {
			t.Errorf("%+v: accounts %v, want %v (%v)", c.f, ids, c.want, err)
		}
	}
}

// TigerBeetle answers a filter that means nothing with nothing; so do we, or callers would differ.
func TestAnInvalidFilterFindsNothing(t *testing.T) {
	h, _ := busy(t, 10)
	valid := ledger.AccountFilter{AccountID: ledger.U64(1), Flags: 3, Limit: 10}
	for name, spoil := range map[string]func(*ledger.AccountFilter){
		"no account":       func(f *ledger.AccountFilter) { f.AccountID = ledger.Uint128{} },
		"the highest id":   func(f *ledger.AccountFilter) { f.AccountID = ledger.AmountMax },
		"unknown account":  func(f *ledger.AccountFilter) { f.AccountID = ledger.U64(99) },
		"no side":          func(f *ledger.AccountFilter) { f.Flags = ledger.AccountFilterReversed },
		"unknown flag":     func(f *ledger.AccountFilter) { f.Flags |= 8 },
		"no limit":         func(f *ledger.AccountFilter) { f.Limit = 0 },
		"end before start": func(f *ledger.AccountFilter) { f.TimestampMin, f.TimestampMax = 9, 8 },
		"start too late":   func(f *ledger.AccountFilter) { f.TimestampMin = 1 << 63 },
		"end too late":     func(f *ledger.AccountFilter) { f.TimestampMax = 1 << 63 },
	} {
		f := valid
		spoil(&f)
		transfers, err := h.AccountTransfers(t.Context(), f)
		balances, err2 := h.AccountBalances(t.Context(), f)
		if len(transfers)+len(balances) != 0 || err != nil || err2 != nil {
			t.Errorf("%s: %d transfers, %d balances, %v, %v", name, len(transfers), len(balances), err, err2)
		}
	}
	for name, f := range map[string]ledger.QueryFilter{
		"unknown flag": {Limit: 1, Flags: 2}, "no limit": {}, "end before start": {Limit: 1, TimestampMin: 9, TimestampMax: 8}, "start too late": {Limit: 1, TimestampMin: 1 << 63},
	} {
		transfers, err := h.QueryTransfers(t.Context(), f)
		accounts, err2 := h.QueryAccounts(t.Context(), f)
		if len(transfers)+len(accounts) != 0 || err != nil || err2 != nil {
			t.Errorf("%s: %d transfers, %d accounts, %v, %v", name, len(transfers), len(accounts), err, err2)
		}
	}
	if events, err := h.ChangeEvents(t.Context(), ledger.ChangeEventsFilter{}); len(events) != 0 || err != nil {
		t.Errorf("no limit: %d change events, %v", len(events), err)
	}
}

// One request must not be able to stop the ledger for everyone else.
func TestRequestsBeyondTheLimitsAreRefusedWhole(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	ctx := t.Context()
	transfers := make([]ledger.Transfer, batchMax+1)
	for i := range transfers {
		transfers[i] = pay(uint64(i+1), 1, 2, 1)
	}
	calls := func(batch, query, events int) map[string]error {
		ids := make([]ledger.Uint128, batch)
		errs := map[string]error{}
		_, errs["create accounts"] = h.CreateAccounts(ctx, make([]ledger.Account, batch))
		_, errs["create transfers"] = h.CreateTransfers(ctx, transfers[:batch])
		_, errs["lookup accounts"] = h.LookupAccounts(ctx, ids)
		_, errs["lookup transfers"] = h.LookupTransfers(ctx, ids)
		_, errs["account transfers"] = h.AccountTransfers(ctx, ledger.AccountFilter{Limit: uint32(query)})
		_, errs["account balances"] = h.AccountBalances(ctx, ledger.AccountFilter{Limit: uint32(query)})
		_, errs["query accounts"] = h.QueryAccounts(ctx, ledger.QueryFilter{Limit: uint32(query)})
		_, errs["query transfers"] = h.QueryTransfers(ctx, ledger.QueryFilter{Limit: uint32(query)})
		_, errs["change events"] = h.ChangeEvents(ctx, ledger.ChangeEventsFilter{Limit: uint32(events)})
		return errs
	}
	expectAll := func(want error, batch, query, events int) {
		t.Helper()
		for call, err := range calls(batch, query, events) {
			if !errors.Is(err, want) {
				t.Errorf("%s of %d, %d, %d: %v, want %v", call, batch, query, events, err, want)
			}
		}
	}
	limits := h.Limits()
	if limits != (ledger.Limits{BatchMax: 8189, QueryMax: 8189, ChangeEventMax: 2730}) {
		t.Errorf("limits %+v", limits)
	}
	expectAll(ledger.ErrTooMuchData, 8190, 8190, 2731)
	h.balances(1, 0, 0, 0, 0)
	expectAll(nil, 8189, 8189, 2730)
	expectAll(nil, 0, 0, 0)

	var cancel context.CancelFunc
	ctx, cancel = context.WithCancel(ctx)
	cancel()
	expectAll(context.Canceled, 1, 1, 1)
	ctx = t.Context()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	expectAll(ledger.ErrClosed, 1, 1, 1)
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
