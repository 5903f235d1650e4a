package ledgertest

import (
	"slices"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Holds, what becomes of them, and closed accounts.
var twoPhaseTests = []conformance{
	{"a post releases the whole hold and moves what it names, nothing or all", postsOfEveryAmount},
	{"a void gives everything back", voids},
	{"a post or void inherits what it leaves out and says what it adds", inheritance},
	{"a hold is settled once", settledOnce},
	{"limits count what is held", limitsCountHolds},
	{"balancing transfers take what is left, down to nothing", balancing},
	{"amounts up to the largest are kept exactly", largestAmounts},
	{"a closed account takes no money but gives back what it held", closedAccounts},
	{"an account can be created closed", createdClosed},
	{"a hold is over by the clock even before the sweep", overBeforeTheSweep},
	{"expiries come in order of their time, reopen accounts, and are in the change log", expiriesInOrder},
	{"holds that end at the same nanosecond expire in the order they were made", endingTogether},
	{"what was posted or voided doesn't expire", settledHoldsDontExpire},
	{"expiry goes through on accounts that were closed since", expiryOfClosedAccounts},
	{"more expiries than fit a batch all happen, once", manyExpiries},
}

func postsOfEveryAmount(d *teller) {
	for _, c := range []struct {
		amount ledger.Uint128
		moved  uint64
	}{{ledger.U64(40), 40}, {ledger.U64(0), 0}, {ledger.U64(100), 100}, {ledger.AmountMax, 100}} {
		a, b := d.open2(ledger.AccountHistory)
		p := d.timed(a, b, 100, 1000)
		d.one(created, p)
		d.balances(a, 100, 0, 0, 0)
		d.balances(b, 0, 0, 100, 0)
		x := post(p.ID, c.amount)
		d.one(created, x)
		d.balances(a, 0, c.moved, 0, 0)
		d.balances(b, 0, 0, 0, c.moved)
		if got := d.transfer(x.ID); got.Amount != ledger.U64(c.moved) || got.Timeout != 0 {
			d.Errorf("a post of %v is kept as one of %v with timeout %d", c.amount, got.Amount, got.Timeout)
		}
		if got := d.transfer(p.ID); got.Amount != p.Amount || got.Flags != p.Flags || got.Timeout != p.Timeout {
			d.Error("the post changed the pending transfer")
		}
	}
	d.holdsTheBooks()
}

func voids(d *teller) {
	a, b := d.open2(0)
	for _, amount := range []uint64{0, 100} {
		p := d.hold(a, b, 100)
		d.one(created, p)
		x := void(p.ID)
		x.Amount = ledger.U64(amount)
		d.one(created, x)
		d.balances(a, 0, 0, 0, 0)
		d.balances(b, 0, 0, 0, 0)
		if got := d.transfer(x.ID); got.Amount != p.Amount {
			d.Errorf("the void is kept with amount %v", got.Amount)
		}
	}
	nothing := d.hold(a, b, 0)
	d.one(created, nothing)
	d.one(created, void(nothing.ID))
	nothing.ID = fresh()
	d.one(created, nothing)
	d.one(created, post(nothing.ID, ledger.AmountMax))
	d.balances(a, 0, 0, 0, 0)
	d.holdsTheBooks()
}

func inheritance(d *teller) {
	a, b := d.open2(0)
	for _, settlement := range []ledger.TransferFlags{ledger.TransferPostPending, ledger.TransferVoidPending} {
		p := d.timed(a, b, 100, 1000)
		p.UserData128, p.UserData64, p.UserData32 = fresh(), 8, 9
		d.one(created, p)
		x := ledger.Transfer{ID: fresh(), PendingID: p.ID, Amount: p.Amount, Flags: settlement, UserData64: 88}
		at := d.one(created, x)
		want := p
		want.ID, want.PendingID, want.Flags, want.Timeout, want.UserData64, want.Timestamp = x.ID, p.ID, settlement, 0, 88, at
		if got := d.transfer(x.ID); got != want {
			d.Errorf("kept as %+v\nwant    %+v", got, want)
		}
	}
}

func settledOnce(d *teller) {
	a, b := d.open2(0)
	p, q := d.hold(a, b, 9), d.hold(a, b, 9)
	d.expect(statuses{created, created}, p, q)
	d.one(created, post(p.ID, ledger.U64(0)))
	d.one(created, void(q.ID))
	d.one(ledger.TransferPendingTransferAlreadyPosted, post(p.ID, ledger.U64(9)))
	d.one(ledger.TransferPendingTransferAlreadyPosted, void(p.ID))
	d.one(ledger.TransferPendingTransferAlreadyVoided, post(q.ID, ledger.U64(9)))
	d.one(ledger.TransferPendingTransferAlreadyVoided, void(q.ID))
	settlement := void(q.ID)
	settlement.ID = p.ID
	d.one(ledger.TransferExistsWithDifferentFlags, settlement)
	x := d.hold(a, b, 9)
	d.one(created, x)
	settlement = post(x.ID, ledger.U64(0))
	d.one(created, settlement)
	d.one(ledger.TransferPendingTransferNotPending, void(settlement.ID))
	d.balances(a, 0, 0, 0, 0)
}

func limitsCountHolds(d *teller) {
	a := d.open1(0)
	limited := d.open1(ledger.AccountDebitsMustNotExceedCredits)
	receiving := d.open1(ledger.AccountCreditsMustNotExceedDebits)
	d.one(created, d.pay(a, limited, 100))
	incoming := d.hold(a, limited, 50)
	d.one(created, incoming) // not spendable yet
	out := d.hold(limited, a, 70)
	d.one(created, out)
	d.one(ledger.TransferExceedsCredits, d.pay(limited, a, 31))
	d.one(ledger.TransferExceedsCredits, d.hold(limited, a, 31))
	d.one(created, d.pay(limited, a, 30))
	d.one(ledger.TransferExceedsCredits, d.pay(limited, a, 1))
	d.one(created, d.pay(limited, a, 0))
	d.one(created, post(incoming.ID, ledger.AmountMax))
	d.one(created, d.pay(limited, a, 50))
	d.one(created, post(out.ID, ledger.U64(20)))
	d.one(created, d.pay(limited, a, 50))
	d.balances(limited, 0, 150, 0, 150)

	d.one(created, d.pay(receiving, a, 100))
	in := d.hold(a, receiving, 70)
	d.one(created, in)
	d.one(ledger.TransferExceedsDebits, d.pay(a, receiving, 31))
	d.one(ledger.TransferExceedsDebits, d.hold(a, receiving, 31))
	d.one(created, d.pay(a, receiving, 30))
	d.one(created, void(in.ID))
	d.one(created, d.pay(a, receiving, 70))
	d.balances(receiving, 0, 100, 0, 100)
	// A limit is of the account's own side: credits of the one and debits of the other are free.
	d.one(created, d.pay(receiving, limited, 1_000_000))
	d.holdsTheBooks()
}

func balancing(d *teller) {
	const debit, credit = ledger.TransferBalancingDebit, ledger.TransferBalancingCredit
	all := func(t ledger.Transfer) ledger.Transfer {
		t.Amount = ledger.AmountMax
		return t
	}
	a := d.open1(0)
	limited := d.open1(ledger.AccountDebitsMustNotExceedCredits)
	receiving := d.open1(ledger.AccountCreditsMustNotExceedDebits)
	d.one(created, d.pay(a, limited, 100))
	d.one(created, d.hold(limited, a, 30))
	d.one(created, d.pay(receiving, a, 40))
	both := all(with(d.pay(limited, receiving, 0), debit|credit))
	d.one(created, both)
	d.balances(limited, 30, 40, 0, 100)
	d.balances(receiving, 0, 40, 0, 40)
	if got := d.transfer(both.ID); got.Amount != ledger.U64(40) || got.Flags != both.Flags {
		d.Errorf("kept as %v with flags %d", got.Amount, got.Flags)
	}
	part := with(d.pay(limited, a, 5), debit) // less than is left
	d.one(created, part)
	d.balances(limited, 30, 45, 0, 100)
	d.one(created, with(d.pay(limited, a, 1000), debit|pending))
	d.balances(limited, 55, 45, 0, 100)
	empty := with(d.pay(limited, a, 1000), debit)
	d.one(created, empty)
	if got := d.transfer(empty.ID); !got.Amount.IsZero() {
		d.Errorf("moved %v from an account with nothing left", got.Amount)
	}
	d.one(created, all(with(d.pay(a, receiving, 0), credit))) // filled up already
	d.balances(receiving, 0, 40, 0, 40)

	// More is held and spent than there is: nothing is left, not a huge amount.
	free, other := d.open2(0)
	d.one(created, d.pay(other, free, 10))
	d.one(created, d.pay(free, other, 25))
	d.one(created, all(with(d.pay(free, other, 0), debit)))
	d.balances(free, 0, 25, 0, 10)
	d.one(created, all(with(d.pay(free, other, 0), credit|pending))) // other has 10 debits and 25 credits
	d.balances(other, 0, 10, 0, 25)
	d.one(created, d.pay(other, free, 20)) // now 30 debits, 25 credits
	d.one(created, all(with(d.pay(free, other, 0), credit|pending)))
	d.balances(other, 0, 30, 5, 25)
	d.one(created, d.pay(other, free, 10)) // now 40 debits, 25 credits and 5 held
	d.one(created, all(with(d.pay(free, other, 0), credit)))
	d.balances(other, 0, 40, 5, 35)
	// What is asked for is cut before anything can overflow.
	d.one(created, all(with(d.pay(free, other, 0), debit)))
	d.holdsTheBooks()
}

func largestAmounts(d *teller) {
	a, b := d.open2(ledger.AccountHistory)
	x := d.pay(a, b, 0)
	x.Amount = ledger.AmountMax
	d.one(created, x)
	if got := balancesOf(d.account(b)); got != [4]ledger.Uint128{{}, {}, {}, ledger.AmountMax} {
		d.Errorf("balances %v", got)
	}
	d.one(created, d.pay(a, b, 0))
	d.one(ledger.TransferOverflowsDebitsPosted, d.pay(a, b, 1))
	d.one(ledger.TransferOverflowsDebitsPosted, d.hold(a, b, 1))

	p, q := d.open2(ledger.AccountHistory)
	h := d.hold(p, q, 0)
	h.Amount = ledger.AmountMax
	d.one(created, h)
	d.one(ledger.TransferOverflowsDebits, d.pay(p, q, 1))
	d.one(ledger.TransferOverflowsDebitsPending, d.hold(p, q, 1))
	// AmountMax of a post means all of it, which is here the same number.
	d.one(created, post(h.ID, ledger.AmountMax))
	if got := balancesOf(d.account(p)); got != [4]ledger.Uint128{{}, ledger.AmountMax, {}, {}} {
		d.Errorf("balances %v", got)
	}
	wide := ledger.Uint128{Hi: 1<<63 - 1, Lo: 12345}
	r, s := d.open2(ledger.AccountHistory)
	for _, flags := range []ledger.TransferFlags{0, pending} {
		t := with(d.pay(r, s, 0), flags)
		t.Amount = wide
		d.one(created, t)
	}
	want := [4]ledger.Uint128{wide, wide, {}, {}}
	if got := balancesOf(d.account(r)); got != want {
		d.Errorf("balances %v, want %v", got, want)
	}
	for _, id := range []ledger.Uint128{r, s} {
		history := d.accountBalances(ledger.AccountFilter{AccountID: id, Flags: bothSides, Limit: 10})
		last := history[len(history)-1]
		now := d.account(id)
		if got := [4]ledger.Uint128{last.DebitsPending, last.DebitsPosted, last.CreditsPending, last.CreditsPosted}; got != balancesOf(now) {
			d.Errorf("the last balance is %v, the account's %v", got, balancesOf(now))
		}
	}
	d.holdsTheBooks()
}

func closedAccounts(d *teller) {
	for _, side := range []ledger.TransferFlags{ledger.TransferClosingDebit, ledger.TransferClosingCredit} {
		x, y := d.open2(ledger.AccountHistory)
		refused := ledger.TransferDebitAccountAlreadyClosed
		pay := func(amount uint64) ledger.Transfer { return d.pay(x, y, amount) }
		if side == ledger.TransferClosingCredit {
			refused = ledger.TransferCreditAccountAlreadyClosed
			pay = func(amount uint64) ledger.Transfer { return d.pay(y, x, amount) }
		}
		held := with(pay(5), pending)
		d.one(created, held)
		before := d.account(x)
		closing := with(pay(0), pending|side)
		d.one(created, closing)
		if !d.isClosed(x) || d.isClosed(y) {
			d.Fatal("the wrong account is closed")
		}
		d.one(refused, pay(0))
		d.one(refused, with(pay(1), pending))
		d.one(refused, with(pay(0), pending|side))
		d.one(refused, post(held.ID, ledger.AmountMax))
		d.one(refused, post(closing.ID, ledger.AmountMax))
		d.one(created, void(held.ID))
		repeat := ledger.Account{ID: x, Ledger: before.Ledger, Code: before.Code, Flags: before.Flags}
		if got := d.createAccounts(repeat)[0]; got.Status != ledger.AccountExistsWithDifferentFlags {
			d.Errorf("creating the closed account again: %v", got.Status)
		}
		repeat.Flags |= ledger.AccountClosed
		if got := d.createAccounts(repeat)[0]; got.Status != ledger.AccountExists {
			d.Errorf("creating it as a closed one: %v", got.Status)
		}
		reopening := void(closing.ID)
		d.one(created, reopening)
		repeat.Flags &^= ledger.AccountClosed
		if got := d.createAccounts(repeat)[0]; got.Status != ledger.AccountExists || got.Timestamp != before.Timestamp {
			d.Errorf("creating the reopened account again: %+v", got)
		}
		d.one(created, pay(1))
		d.one(ledger.TransferExists, reopening)
		if d.isClosed(x) {
			d.Error("a repeated void closed it again")
		}
	}
	x, y := d.open2(0)
	both := with(d.hold(x, y, 3), ledger.TransferClosingDebit|ledger.TransferClosingCredit)
	d.one(created, both)
	if !d.isClosed(x) || !d.isClosed(y) {
		d.Error("one transfer didn't close both")
	}
	d.one(created, void(both.ID))
	if d.isClosed(x) || d.isClosed(y) {
		d.Error("one void didn't reopen both")
	}
	d.holdsTheBooks()
}

func createdClosed(d *teller) {
	closed, other := d.open1(ledger.AccountClosed|ledger.AccountHistory), d.open1(0)
	if d.account(closed).Flags != ledger.AccountClosed|ledger.AccountHistory {
		d.Error("its flags were changed")
	}
	d.one(ledger.TransferDebitAccountAlreadyClosed, d.pay(closed, other, 1))
	d.one(ledger.TransferCreditAccountAlreadyClosed, d.pay(other, closed, 1))
	d.one(ledger.TransferDebitAccountAlreadyClosed, d.pay(closed, d.open1(ledger.AccountClosed), 1))
}

// Otherwise money could leave after the customer was told the hold had lapsed.
func overBeforeTheSweep(d *teller) {
	d.needClock()
	a, b := d.open2(0)
	limited := d.open1(ledger.AccountDebitsMustNotExceedCredits)
	d.one(created, d.pay(a, limited, 10))
	d.Advance(time.Second) // so that the clock, not the event before, dates the next request
	p, q := d.timed(limited, b, 10, 60), d.timed(a, b, 5, 60)
	results := d.expect(statuses{created, created}, p, q)
	// The request was dated by the clock: its first event one nanosecond after it. Move to one
	// nanosecond before p's end: nothing is due, but the events of the next request are at p's end,
	// q's end and beyond.
	now := results[0].Timestamp - 1
	end := results[0].Timestamp + 60*second
	d.Advance(time.Duration(end - 1 - now))
	results = d.expect(statuses{
		ledger.TransferPendingTransferExpired, ledger.TransferPendingTransferExpired, ledger.TransferPendingTransferExpired,
		ledger.TransferExceedsCredits, // p's money is still held: the sweep gives it back
	}, post(p.ID, ledger.AmountMax), void(p.ID), post(q.ID, ledger.AmountMax), d.pay(limited, b, 1))
	if results[0].Timestamp != end {
		d.Fatalf("the request is dated %d, so it proves nothing about %d", results[0].Timestamp, end)
	}
	d.Advance(time.Second)
	d.balances(limited, 0, 0, 0, 10)
	d.one(created, d.pay(limited, b, 10))

	// A nanosecond before its end a hold can be posted.
	d.Advance(time.Second)
	r := d.timed(a, b, 5, 60)
	at := d.one(created, r)
	d.Advance(time.Duration(60*second - 1))
	if posted := d.one(created, post(r.ID, ledger.AmountMax)); posted != at+60*second-1 {
		d.Fatalf("posted at %d, so it proves nothing about %d", posted, at+60*second)
	}

	// At its end it is swept.
	d.Advance(time.Second)
	d.one(created, d.timed(a, b, 3, 60))
	d.Advance(time.Duration(60*second + 1)) // the clock was a nanosecond before the hold's time
	if held := d.account(a).DebitsPending; !held.IsZero() {
		d.Errorf("%v is held at the end of the hold", held.Big())
	}
	d.holdsTheBooks()
}

func endingTogether(d *teller) {
	d.needClock()
	a, b := d.open2(0)
	var holds []ledger.Transfer
	var ends []uint64
	for timeout := uint32(4); timeout > 0; timeout-- {
		d.Advance(time.Second) // each is made a second after the one before and waits a second less
		p := d.timed(a, b, 1<<timeout, timeout)
		ends = append(ends, d.one(created, p)+uint64(timeout)*second)
		holds = append(holds, p)
	}
	for _, end := range ends {
		if end != ends[0] {
			d.Fatalf("the holds end at %d, so they prove nothing", ends)
		}
	}
	from := d.judgedAt()
	d.Advance(time.Minute)
	events := d.events(from)
	if len(events) != len(holds) {
		d.Fatalf("%d expiries of %d holds", len(events), len(holds))
	}
	for i, e := range events {
		if e.Transfer.ID != holds[i].ID {
			d.Errorf("expiry %d isn't of hold %d", i, i)
		}
	}
}

func expiriesInOrder(d *teller) {
	a, b := d.open2(0)
	holds := []ledger.Transfer{d.timed(a, b, 1, 2), d.timed(a, b, 2, 1), d.timed(a, b, 8, 1), with(d.timed(a, b, 0, 1), ledger.TransferClosingCredit)}
	if d.Advance != nil {
		holds[0].Timeout = 30
	}
	d.expect(statuses{created, created, created, created}, holds...)
	if !d.isClosed(b) {
		d.Fatal("the closing transfer didn't close")
	}
	from := d.judgedAt()
	d.pass(1200 * time.Millisecond)
	if !d.soon(func() bool { return d.account(a).DebitsPending == ledger.U64(1) }) {
		d.Fatalf("held after 1 s: %v", d.account(a).DebitsPending)
	}
	if d.isClosed(b) {
		d.Error("the expiry of a closing transfer left the account closed")
	}
	if d.Advance != nil {
		d.Advance(30 * time.Second)
	} else {
		d.pass(time.Second)
	}
	if !d.soon(func() bool { return d.account(a).DebitsPending.IsZero() }) {
		d.Fatal("the last hold is there after its time")
	}
	// 1 and 2 end before 3, which ended at the same time but was made later, and so on.
	want := []struct {
		hold int
		held uint64
	}{{1, 9}, {2, 1}, {3, 1}, {0, 0}}
	events := d.events(from)
	if len(events) != len(want) {
		d.Fatalf("%d change events, want %d", len(events), len(want))
	}
	for i, w := range want {
		got := events[i]
		stored := d.transfer(holds[w.hold].ID)
		if got.Type != ledger.ChangeTwoPhaseExpired || got.Transfer != stored || got.Ledger != d.book ||
			got.DebitAccount.DebitsPending != ledger.U64(w.held) || got.CreditAccount.CreditsPending != ledger.U64(w.held) {
			d.Errorf("event %d: %+v, want the expiry of hold %d that leaves %d", i, got, w.hold, w.held)
		}
		if closed := got.CreditAccount.Flags&ledger.AccountClosed != 0; closed != (i < 2) {
			d.Errorf("event %d shows the credit account closed=%v", i, closed)
		}
		if i > 0 && got.Timestamp <= events[i-1].Timestamp {
			d.Errorf("event %d isn't later than the one before", i)
		}
		if stored.Flags&pending == 0 || stored.Timestamp > from {
			d.Error("an expiry changed the transfer itself")
		}
		d.one(ledger.TransferPendingTransferExpired, post(holds[w.hold].ID, ledger.AmountMax))
		d.one(ledger.TransferPendingTransferExpired, void(holds[w.hold].ID))
		d.one(ledger.TransferExists, holds[w.hold])
	}
	d.holdsTheBooks()
}

func settledHoldsDontExpire(d *teller) {
	a, b := d.open2(0)
	p, q, r := d.timed(a, b, 10, 1), d.timed(a, b, 20, 1), d.timed(a, b, 40, 1)
	d.expect(statuses{created, created, created}, p, q, r)
	d.expect(statuses{created, created}, post(p.ID, ledger.U64(4)), void(q.ID))
	from := d.judgedAt()
	d.pass(1500 * time.Millisecond)
	if !d.soon(func() bool { return d.account(a).DebitsPending.IsZero() }) {
		d.Fatalf("held: %v", d.account(a).DebitsPending)
	}
	d.balances(a, 0, 4, 0, 0)
	if events := d.events(from); len(events) != 1 || events[0].Transfer.ID != r.ID {
		d.Errorf("%d expiries, want that of the third hold", len(events))
	}
	d.one(ledger.TransferPendingTransferAlreadyPosted, void(p.ID))
	d.one(ledger.TransferPendingTransferAlreadyVoided, void(q.ID))
	d.holdsTheBooks()
}

func expiryOfClosedAccounts(d *teller) {
	a, b := d.open2(0)
	p := d.timed(a, b, 10, 1)
	d.one(created, p)
	d.one(created, with(d.hold(a, b, 0), ledger.TransferClosingDebit|ledger.TransferClosingCredit))
	d.pass(1500 * time.Millisecond)
	if !d.soon(func() bool { return d.account(a).DebitsPending.IsZero() }) {
		d.Fatal("the hold is still there")
	}
	if !d.isClosed(a) || !d.isClosed(b) {
		d.Error("the expiry of an ordinary hold reopened an account")
	}
	d.holdsTheBooks()
}

func manyExpiries(d *teller) {
	d.needClock()
	a, b := d.open2(0)
	batchMax := d.Ledger.Limits().BatchMax
	holds := make([]ledger.Transfer, 2*batchMax+100)
	for i := range holds {
		holds[i] = d.timed(a, b, 1, 1)
	}
	d.sendAll(holds)
	from := d.judgedAt()
	if held := d.account(a).DebitsPending; held != ledger.U64(uint64(len(holds))) {
		d.Fatalf("%v held, want %d", held.Big(), len(holds))
	}
	d.Advance(10 * time.Second)
	d.balances(a, 0, 0, 0, 0)
	events := d.events(from)
	if len(events) != len(holds) {
		d.Fatalf("%d expiries of %d holds", len(events), len(holds))
	}
	for i, e := range events {
		if e.Transfer.ID != holds[i].ID || e.Type != ledger.ChangeTwoPhaseExpired ||
			e.DebitAccount.DebitsPending != ledger.U64(uint64(len(holds)-1-i)) {
			d.Fatalf("event %d is of %v and leaves %v", i, e.Transfer.ID, e.DebitAccount.DebitsPending.Big())
		}
	}
	if next := d.one(created, d.pay(a, b, 1)); next <= events[len(events)-1].Timestamp {
		d.Error("a transfer after the expiries is dated before them")
	}
	if !slices.IsSortedFunc(events, func(x, y ledger.ChangeEvent) int { return int(int64(x.Timestamp) - int64(y.Timestamp)) }) {
		d.Error("expiries out of order")
	}
}
