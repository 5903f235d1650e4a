package ledgertest

import (
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Records brought over from another ledger keep their own time, which only goes forward.
var importTests = []conformance{
	{"the first event of a request says whether it imports", firstEventDecides},
	{"imported accounts and transfers keep their time", importsKeepTheirTime},
	{"imported time never goes back and is nobody else's", importsNeverGoBack},
	{"an imported transfer is younger than its accounts", importsPostdateTheirAccounts},
	{"a broken chain of imports keeps its times and counts for nothing", brokenImports},
	{"an import may be older than an expiry and stands before it", importsBeforeExpiries},
	{"imported posts and voids obey the same times", importedSettlements},
	{"a repeated import is compared without its time", repeatedImports},
	{"imports may be younger than the last event and older than now", importsUpToNow},
}

// past lets a moment pass and returns a time in it: younger than everything, older than now, with
// room for a thousand imports after it.
func (d *teller) past() uint64 {
	d.Helper()
	d.pass(2 * time.Millisecond)
	at := d.judgedAt()
	d.pass(2 * time.Millisecond)
	return at
}

func imported(t ledger.Transfer, at uint64) ledger.Transfer {
	t.Timestamp = at
	return with(t, ledger.TransferImported)
}

func importedAccount(a ledger.Account, at uint64) ledger.Account {
	a.Timestamp = at
	a.Flags |= ledger.AccountImported
	return a
}

func firstEventDecides(d *teller) {
	a, b := d.open2(0)
	at := d.past()
	d.expect(statuses{created, ledger.TransferImportedEventExpected, created},
		imported(d.pay(a, b, 1), at), d.pay(a, b, 1), imported(d.pay(a, b, 1), at+1))
	d.expect(statuses{created, ledger.TransferImportedEventNotExpected, created},
		d.pay(a, b, 1), imported(d.pay(a, b, 1), at+2), d.pay(a, b, 1))
	// A first event that fails decides all the same.
	bad := imported(spoiler(), 0)
	at = d.past()
	d.expect(statuses{ledger.TransferImportedEventTimestampOutOfRange, created, ledger.TransferImportedEventExpected},
		bad, imported(d.pay(a, b, 1), at), d.pay(a, b, 1))
	d.balances(a, 0, 5, 0, 0)

	x := d.newAccount()
	results := d.createAccounts(importedAccount(d.newAccount(), at+1), x, importedAccount(d.newAccount(), at+2))
	for i, want := range []ledger.CreateAccountStatus{ledger.AccountCreated, ledger.AccountImportedEventExpected, ledger.AccountCreated} {
		if results[i].Status != want {
			d.Errorf("account %d: %v, want %v", i, results[i].Status, want)
		}
	}
}

func importsKeepTheirTime(d *teller) {
	at := d.past()
	x, y := importedAccount(d.newAccount(), at), importedAccount(d.newAccount(), at+10)
	x.Flags |= ledger.AccountHistory
	for i, r := range d.createAccounts(x, y) {
		if r.Status != ledger.AccountCreated || r.Timestamp != at+uint64(i)*10 {
			d.Fatalf("account %d: %+v, want time %d", i, r, at+uint64(i)*10)
		}
	}
	if got := d.account(x.ID); got.Timestamp != at || got.Flags != x.Flags {
		d.Errorf("kept as %+v", got)
	}
	p := imported(d.hold(x.ID, y.ID, 9), at+20)
	single := imported(d.pay(x.ID, y.ID, 4), at+30)
	results := d.expect(statuses{created, created}, p, single)
	if results[0].Timestamp != at+20 || results[1].Timestamp != at+30 {
		d.Errorf("results are dated %d and %d, want %d and %d", results[0].Timestamp, results[1].Timestamp, at+20, at+30)
	}
	if got := d.transfer(p.ID); got != p {
		d.Errorf("kept as %+v, want %+v", got, p)
	}
	if list := d.accountTransfers(ledger.AccountFilter{AccountID: x.ID, Flags: bothSides, Limit: 10, TimestampMin: at + 20, TimestampMax: at + 29}); len(list) != 1 || list[0].ID != p.ID {
		d.Errorf("%d transfers in the range of the first import", len(list))
	}
	if history := d.accountBalances(ledger.AccountFilter{AccountID: x.ID, Flags: bothSides, Limit: 10}); len(history) != 2 || history[1].Timestamp != at+30 {
		d.Errorf("history %+v", history)
	}
	d.one(created, void(p.ID))
	d.holdsTheBooks()
}

func importsNeverGoBack(d *teller) {
	a, b := d.open2(0)
	d.pass(time.Millisecond)
	newest := d.one(created, d.pay(a, b, 1))
	regress := ledger.TransferImportedEventTimestampMustNotRegress
	at := d.past()
	d.one(regress, imported(d.pay(a, b, 1), newest))
	d.one(regress, imported(d.pay(a, b, 1), newest-1))
	d.one(regress, imported(d.pay(a, b, 1), 1))
	d.expect(statuses{created, regress, regress, created},
		imported(d.pay(a, b, 1), at), imported(d.pay(a, b, 1), at), imported(d.pay(a, b, 1), at-1), imported(d.pay(a, b, 1), at+1))
	x := importedAccount(d.newAccount(), at+5)
	if got := d.createAccounts(x)[0].Status; got != ledger.AccountCreated {
		d.Fatal(got)
	}
	d.one(regress, imported(d.pay(a, b, 1), at+5)) // the account's
	d.one(created, imported(d.pay(a, b, 1), at+6))
	for stamp, want := range map[uint64]ledger.CreateAccountStatus{
		at + 4: ledger.AccountImportedEventTimestampMustNotRegress,
		at + 5: ledger.AccountImportedEventTimestampMustNotRegress,
		at + 6: ledger.AccountImportedEventTimestampMustNotRegress, // the transfer's
	} {
		if got := d.createAccounts(importedAccount(d.newAccount(), stamp))[0].Status; got != want {
			d.Errorf("an account at %d: %v, want %v", stamp-at, got, want)
		}
	}
	// An account may be older than the newest transfer: each kind has its own newest.
	d.one(created, imported(d.pay(a, b, 1), at+100))
	if got := d.createAccounts(importedAccount(d.newAccount(), at+50))[0].Status; got != ledger.AccountCreated {
		d.Errorf("an account older than the newest transfer: %v", got)
	}
	d.one(created, imported(d.pay(a, b, 1), at+101))
	// And what is not imported counts as the newest too.
	d.one(created, d.pay(a, b, 1))
	d.one(regress, imported(d.pay(a, b, 1), at+102))
	d.holdsTheBooks()
}

func importsPostdateTheirAccounts(d *teller) {
	old := d.open1(0)
	at := d.past()
	young := importedAccount(d.newAccount(), at+10)
	if got := d.createAccounts(young)[0].Status; got != ledger.AccountCreated {
		d.Fatal(got)
	}
	d.one(ledger.TransferImportedEventTimestampMustPostdateDebitAccount, imported(d.pay(young.ID, old, 1), at+9))
	d.one(ledger.TransferImportedEventTimestampMustPostdateCreditAccount, imported(d.pay(old, young.ID, 1), at+9))
	d.one(ledger.TransferImportedEventTimestampMustNotRegress, imported(d.pay(old, young.ID, 1), at+10))
	d.one(created, imported(d.pay(old, young.ID, 1), at+11))
}

func brokenImports(d *teller) {
	a, b := d.open2(0)
	at := d.past()
	first, second := imported(with(d.pay(a, b, 1), linked), at), imported(with(d.pay(a, b, 1), linked), at+1)
	results := d.expect(statuses{chainFailed, chainFailed, ledger.TransferAccountsMustBeDifferent, chainFailed},
		first, second, imported(with(d.pay(a, a, 1), linked), at+2), imported(d.pay(a, b, 1), at+3))
	if results[0].Timestamp != at || results[1].Timestamp != at+1 {
		d.Errorf("what was undone is dated %d and %d, want its own times", results[0].Timestamp-at, results[1].Timestamp-at)
	}
	if results[2].Timestamp <= at+3 || results[3].Timestamp != results[2].Timestamp+1 {
		d.Errorf("the culprit and its follower are dated %d and %d, not by when they were judged", results[2].Timestamp, results[3].Timestamp)
	}
	first.Flags &^= linked
	d.one(created, first) // what was undone isn't the newest, nor is its id or time taken

	x := importedAccount(d.newAccount(), at+10)
	chained := x
	chained.Flags |= ledger.AccountLinked
	opened := d.createAccounts(chained, importedAccount(ledger.Account{}, at+11))
	if opened[0].Status != ledger.AccountLinkedEventFailed || opened[0].Timestamp != at+10 {
		d.Errorf("an undone account: %+v", opened[0])
	}
	if got := d.createAccounts(x)[0].Status; got != ledger.AccountCreated {
		d.Errorf("the account after it was undone: %v", got)
	}
	d.holdsTheBooks()
}

func importsBeforeExpiries(d *teller) {
	a, b := d.open2(ledger.AccountHistory)
	p := d.timed(a, b, 7, 1)
	d.one(created, p)
	at := d.past()
	d.pass(1500 * time.Millisecond)
	if !d.soon(func() bool { return d.account(a).DebitsPending.IsZero() }) {
		d.Fatal("nothing expired")
	}
	x := imported(d.pay(a, b, 3), at)
	d.one(created, x)
	after := d.pay(a, b, 1)
	d.one(created, after)
	events := d.events(d.since)
	want := []ledger.Uint128{p.ID, x.ID, p.ID, after.ID}
	if len(events) != len(want) {
		d.Fatalf("%d change events, want %d", len(events), len(want))
	}
	for i, e := range events {
		if e.Transfer.ID != want[i] || i > 0 && e.Timestamp <= events[i-1].Timestamp {
			d.Errorf("change event %d is of another transfer or time", i)
		}
	}
	// The import happened after the expiry, whatever its date says.
	if e := events[1]; e.DebitAccount.DebitsPending != ledger.U64(0) || e.DebitAccount.DebitsPosted != ledger.U64(3) {
		d.Errorf("the import shows %v", decimals(balancesOf(e.DebitAccount)))
	}
	if e := events[2]; e.Type != ledger.ChangeTwoPhaseExpired || !e.DebitAccount.DebitsPosted.IsZero() {
		d.Errorf("the expiry shows %v", decimals(balancesOf(e.DebitAccount)))
	}
	d.balances(a, 0, 4, 0, 0)
}

func importedSettlements(d *teller) {
	a, b := d.open2(0)
	at := d.past()
	p, q := imported(d.hold(a, b, 9), at), imported(d.hold(a, b, 20), at+1)
	d.expect(statuses{created, created}, p, q)
	if d.RefusesImportedSettlement {
		for _, t := range []ledger.Transfer{imported(post(p.ID, ledger.AmountMax), at+5), imported(void(q.ID), at+6)} {
			if results, err := d.Ledger.CreateTransfers(d.Context(), []ledger.Transfer{t}); err == nil {
				d.Errorf("an imported settlement was sent: %+v", results)
			}
		}
		d.balances(a, 29, 0, 0, 0)
		return
	}
	d.one(ledger.TransferImportedEventTimestampMustNotRegress, imported(post(p.ID, ledger.AmountMax), at+1))
	young := importedAccount(d.newAccount(), at+3)
	if got := d.createAccounts(young)[0].Status; got != ledger.AccountCreated {
		d.Fatal(got)
	}
	d.one(ledger.TransferImportedEventTimestampMustNotRegress, imported(void(q.ID), at+3)) // an account's
	x := imported(post(p.ID, ledger.U64(4)), at+5)
	if got := d.one(created, x); got != at+5 {
		d.Errorf("the post is dated %d after its holds, want 5", got-at)
	}
	d.one(created, imported(void(q.ID), at+6))
	d.one(ledger.TransferExists, imported(x, at+50))
	d.one(ledger.TransferPendingTransferAlreadyPosted, imported(post(p.ID, ledger.AmountMax), at+7))
	d.balances(a, 0, 4, 0, 0)
	// A hold that wasn't imported can be posted by an import younger than it.
	r := d.hold(a, b, 1)
	d.one(created, r)
	d.one(ledger.TransferImportedEventTimestampMustNotRegress, imported(post(r.ID, ledger.AmountMax), at+8))
	at = d.past()
	d.one(created, imported(post(r.ID, ledger.AmountMax), at))
	d.holdsTheBooks()
}

func repeatedImports(d *teller) {
	a, b := d.open2(0)
	at := d.past()
	x := imported(d.pay(a, b, 1), at)
	d.one(created, x)
	for _, stamp := range []uint64{at, at - 1, at + 1, 1} {
		if got := d.one(ledger.TransferExists, imported(x, stamp)); got != at {
			d.Errorf("repeated with another time it exists at %d", got)
		}
	}
	plain := x
	plain.Flags, plain.Timestamp = 0, 0
	d.one(ledger.TransferExistsWithDifferentFlags, plain)
	y := importedAccount(d.newAccount(), at+1)
	for i, want := range []ledger.CreateAccountStatus{ledger.AccountCreated, ledger.AccountExists, ledger.AccountExists} {
		r := d.createAccounts(y)[0]
		if r.Status != want || r.Timestamp != at+1 {
			d.Errorf("account: %+v, want %v", r, want)
		}
		y.Timestamp = at + uint64(i)*7
	}
}

func importsUpToNow(d *teller) {
	a, b := d.open2(0)
	d.past()
	far := d.judgedAt() + 3600*second
	d.one(ledger.TransferImportedEventTimestampMustNotAdvance, imported(d.pay(a, b, 1), far))
	d.one(ledger.TransferImportedEventTimestampMustNotAdvance, imported(d.pay(a, b, 1), 1<<63-1))
	d.one(ledger.TransferImportedEventTimestampOutOfRange, imported(d.pay(a, b, 1), 1<<63))
	if d.Advance != nil {
		// The bound is the time of the request's last event.
		d.Advance(time.Second)
		now := d.judgedAt() - 1 // the clock
		d.Advance(time.Second)
		now += second
		d.expect(statuses{ledger.TransferImportedEventTimestampMustNotAdvance, created, ledger.TransferAccountsMustBeDifferent},
			imported(d.pay(a, b, 1), now+3), imported(d.pay(a, b, 1), now+2), imported(d.pay(a, a, 1), now+2))
	}
}
