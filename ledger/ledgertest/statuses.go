package ledgertest

import (
	"slices"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// A wrong refusal makes the bank retry what can't succeed, or give up what could.
var statusTests = []conformance{
	{"every account fault is reported, and of two the first in the order of checks", accountFaultsAlone},
	{"every transfer fault is reported, and of the passing ones only once", transferFaultsAlone},
	{"of two faults of a transfer the first in the order of checks is reported", movesWithTwoFaults},
	{"of two faults of a post or void the first in the order of checks is reported", settlementsWithTwoFaults},
	{"a repeat is compared field by field with the original, in order", repeats},
	{"a repeated balancing transfer may ask for more than was moved", repeatedBalancing},
	{"a refused transfer changes nothing", refusalsChangeNothing},
	{"a refusal carries the time of its judgement, exists the original's", timestampsOfResults},
	{"an id that failed for a passing reason is burnt", passingReasonsBurnIDs},
	{"an id that failed for a lasting reason can be used again", lastingReasonsBurnNothing},
	{"seeded balances count like earned ones", seededBalances},
}

// lateYear is when the longest timeout reaches beyond the end of time.
const lateYear = 5 << 60

// turnLate moves the ledger's clock beyond lateYear.
func (d *teller) turnLate() {
	d.Helper()
	if now := d.judgedAt(); now < lateYear {
		d.Advance(time.Duration(lateYear - now))
	}
}

// possible reports whether this ledger can be asked for w.
func (w *wrong) possible(d *teller) bool {
	return !(w.late && d.Advance == nil) && !(w.settles && w.imported == importing && d.RefusesImportedSettlement)
}

// alone tries each fault by itself, twice: a passing reason burns the id, a lasting one is given
// again. The late faults are left to the end, as time doesn't go back.
func (d *teller) alone(settles bool, faults []fault) {
	d.Helper()
	for _, late := range []bool{false, true} {
		for _, f := range faults {
			w := newWrong(settles)
			if !w.with(d, f) {
				d.Fatalf("%v %s excludes itself", f.status, f.name)
			}
			if w.late != late {
				continue
			}
			if !w.possible(d) {
				d.Logf("left out here: %v", f.status)
				continue
			}
			if late {
				d.turnLate()
			}
			if got := w.try(d); got != f.status {
				d.Errorf("%s: %v, want %v", f.name, got, f.status)
			}
			want := f.status
			if f.status.Transient() {
				want = ledger.TransferIDAlreadyFailed
			}
			if got := w.again(d); got != want {
				d.Errorf("%v %s, sent again: %v, want %v", f.status, f.name, got, want)
			}
		}
	}
}

func transferFaultsAlone(d *teller) {
	d.alone(false, slices.Concat(commonFaults, moveFaults))
	d.alone(true, slices.Concat(commonFaults, settlementFaults))
	for _, status := range transferOrder {
		listed := slices.ContainsFunc(slices.Concat(commonFaults, moveFaults, settlementFaults), func(f fault) bool { return f.status == status })
		if !listed && !slices.Contains(repeatStatuses(), status) {
			d.Errorf("no fault in the list leads to %v", status)
		}
	}
	d.holdsTheBooks()
}

func movesWithTwoFaults(d *teller) { d.inPairs(false, slices.Concat(commonFaults, moveFaults)) }
func settlementsWithTwoFaults(d *teller) {
	d.inPairs(true, slices.Concat(commonFaults, settlementFaults))
}

// inPairs tries every two faults that can be there together.
func (d *teller) inPairs(settles bool, faults []fault) {
	faults = slices.Clone(faults)
	slices.SortStableFunc(faults, func(a, b fault) int {
		return slices.Index(transferOrder, a.status) - slices.Index(transferOrder, b.status)
	})
	const pairsMin = 250 // far fewer would mean that the faults exclude each other by mistake
	pairs, left := 0, 0
	check := func(first, second fault, got ledger.CreateTransferStatus) {
		d.Helper()
		pairs++
		if got != first.status {
			d.Errorf("%v %s and %v %s: reported is %v", first.status, first.name, second.status, second.name, got)
		}
	}
	var expiring []func() // what a ledger with a real clock is asked after one wait for all
	for _, late := range []bool{false, true} {
		for i, first := range faults {
			for _, second := range faults[i+1:] {
				w := newWrong(settles)
				if first.status == second.status || !w.with(d, first, second) || w.late != late {
					continue
				}
				switch {
				case !w.possible(d):
					left++
					continue
				case late:
					d.turnLate()
				case w.held == hasExpired && d.Advance == nil:
					w.prepare(d)
					expiring = append(expiring, func() { check(first, second, w.send(d)) })
					continue
				}
				check(first, second, w.try(d))
			}
		}
	}
	if len(expiring) > 0 {
		d.pass(expiryWait)
	}
	for _, ask := range expiring {
		ask()
	}
	if left > 0 {
		d.Logf("left out: %d pairs that need a ledger whose clock can be moved, or that takes imported posts", left)
	}
	if pairs < pairsMin {
		d.Errorf("only %d pairs of faults", pairs)
	}
	d.holdsTheBooks()
}

// alteration makes a repeated transfer differ from its original.
type alteration struct {
	status ledger.CreateTransferStatus
	alter  func(*ledger.Transfer)
}

var alterations = []alteration{
	{ledger.TransferExistsWithDifferentFlags, func(t *ledger.Transfer) {
		switch {
		case t.Flags&ledger.TransferPostPending != 0:
			t.Flags ^= ledger.TransferPostPending | ledger.TransferVoidPending
		default:
			t.Flags ^= ledger.TransferBalancingDebit
		}
	}},
	{ledger.TransferExistsWithDifferentPendingID, func(t *ledger.Transfer) { t.PendingID = fresh() }},
	{ledger.TransferExistsWithDifferentTimeout, func(t *ledger.Transfer) { t.Timeout++ }},
	{ledger.TransferExistsWithDifferentDebitAccountID, func(t *ledger.Transfer) { t.DebitAccountID = fresh() }},
	{ledger.TransferExistsWithDifferentCreditAccountID, func(t *ledger.Transfer) { t.CreditAccountID = fresh() }},
	{ledger.TransferExistsWithDifferentAmount, func(t *ledger.Transfer) { t.Amount = ledger.U64(testAmount - 7) }},
	{ledger.TransferExistsWithDifferentUserData128, func(t *ledger.Transfer) { t.UserData128 = fresh() }},
	{ledger.TransferExistsWithDifferentUserData64, func(t *ledger.Transfer) { t.UserData64 = 64 }},
	{ledger.TransferExistsWithDifferentUserData32, func(t *ledger.Transfer) { t.UserData32 = 32 }},
	{ledger.TransferExistsWithDifferentLedger, func(t *ledger.Transfer) { t.Ledger = freshBook() }},
	{ledger.TransferExistsWithDifferentCode, func(t *ledger.Transfer) { t.Code = 9 }},
}

func repeatStatuses() statuses {
	list := statuses{ledger.TransferExists}
	for _, a := range alterations {
		list = append(list, a.status)
	}
	return list
}

// repeats sends originals of every kind again with one and with two fields different. Retrying is
// how every decision of the bank ends after a failure.
func repeats(d *teller) {
	a, b := d.open2(0)
	userData := func(t ledger.Transfer) ledger.Transfer {
		t.UserData128, t.UserData64, t.UserData32 = ledger.U64(1), 2, 3
		return t
	}
	holding := func() ledger.Uint128 {
		p := userData(d.hold(a, b, testAmount))
		d.one(created, p)
		return p.ID
	}
	full := func(t ledger.Transfer) ledger.Transfer {
		t.DebitAccountID, t.CreditAccountID, t.Ledger, t.Code = a, b, d.book, testPaymentCode
		return userData(t)
	}
	for _, original := range []struct {
		name string
		t    ledger.Transfer
		same []func(*ledger.Transfer) // other ways to say the same
	}{
		{"single-phase", userData(d.pay(a, b, testAmount)), nil},
		{"without user data", d.pay(a, b, testAmount), nil},
		{"of nothing", d.pay(a, b, 0), nil},
		{"pending", userData(d.timed(a, b, testAmount, 1000)), nil},
		{"closing", with(d.hold(d.open1(0), b, 0), ledger.TransferClosingDebit), nil},
		{"linked", with(d.pay(a, b, testAmount), linked), nil},
		{"post of all", post(holding(), ledger.AmountMax), []func(*ledger.Transfer){
			func(t *ledger.Transfer) { *t = full(*t) },
			func(t *ledger.Transfer) { t.Amount = ledger.U64(testAmount) },
			func(t *ledger.Transfer) { t.UserData64 = 2 },
		}},
		{"post of part", full(post(holding(), ledger.U64(40))), []func(*ledger.Transfer){
			func(t *ledger.Transfer) { t.DebitAccountID, t.CreditAccountID = ledger.Uint128{}, ledger.Uint128{} },
			func(t *ledger.Transfer) { t.Ledger, t.Code, t.UserData128 = 0, 0, ledger.Uint128{} },
		}},
		{"post of nothing", post(holding(), ledger.Uint128{}), nil},
		{"void", void(holding()), []func(*ledger.Transfer){
			func(t *ledger.Transfer) { *t = full(*t) },
			func(t *ledger.Transfer) { t.Amount = ledger.U64(testAmount) },
		}},
		{"void in full", full(with(ledger.Transfer{ID: fresh(), PendingID: holding(), Amount: ledger.U64(testAmount)}, ledger.TransferVoidPending)), []func(*ledger.Transfer){
			func(t *ledger.Transfer) { t.Amount = ledger.Uint128{} },
		}},
	} {
		var firstAt uint64
		if original.t.Flags&linked != 0 {
			firstAt = d.expect(statuses{created, created}, original.t, d.pay(a, b, 1))[0].Timestamp
		} else {
			firstAt = d.one(created, original.t)
		}
		repeat := func(want ledger.CreateTransferStatus, change func(*ledger.Transfer)) {
			d.Helper()
			t := original.t
			change(&t)
			request := []ledger.Transfer{t}
			if t.Flags&linked != 0 {
				request = append(request, d.pay(a, b, 1))
			}
			got := d.send(request...)[0]
			if got.Status != want {
				d.Errorf("%s: %v, want %v", original.name, got.Status, want)
			}
			if want == ledger.TransferExists && got.Timestamp != firstAt {
				d.Errorf("%s: exists doesn't carry the original's time", original.name)
			}
		}
		repeat(ledger.TransferExists, func(*ledger.Transfer) {})
		for _, same := range original.same {
			repeat(ledger.TransferExists, same)
		}
		for i, first := range alterations {
			repeat(first.status, first.alter)
			for _, second := range alterations[i+1:] {
				repeat(first.status, func(t *ledger.Transfer) { first.alter(t); second.alter(t) })
			}
		}
	}
	// What a post fills in must have been filled in: its own user data isn't the pending transfer's.
	own := post(holding(), ledger.AmountMax)
	own.UserData64 = 77
	d.one(created, own)
	own.UserData64 = 0
	d.one(ledger.TransferExistsWithDifferentUserData64, own)
	// Expired, posted or closed since: a repeat is a repeat all the same.
	p := d.hold(a, b, testAmount)
	d.one(created, p)
	settlement := post(p.ID, ledger.AmountMax)
	d.one(created, settlement)
	d.one(created, with(d.hold(a, b, 0), ledger.TransferClosingDebit|ledger.TransferClosingCredit))
	d.one(ledger.TransferExists, p)
	d.one(ledger.TransferExists, settlement)
	d.holdsTheBooks()
}

func repeatedBalancing(d *teller) {
	for _, flags := range []ledger.TransferFlags{
		ledger.TransferBalancingDebit, ledger.TransferBalancingCredit, ledger.TransferBalancingDebit | pending,
	} {
		a, b := d.open2(0)
		d.one(created, d.pay(a, b, 20))
		t := with(d.pay(b, a, 50), flags)
		d.one(created, t)
		for _, c := range []struct {
			amount uint64
			want   ledger.CreateTransferStatus
		}{{19, ledger.TransferExistsWithDifferentAmount}, {20, ledger.TransferExists}, {21, ledger.TransferExists}, {1000, ledger.TransferExists}} {
			t.Amount = ledger.U64(c.amount)
			d.one(c.want, t)
		}
		t.UserData64 = 1
		d.one(ledger.TransferExistsWithDifferentUserData64, t)
		if got := d.transfer(t.ID).Amount; got != ledger.U64(20) {
			d.Errorf("%v was moved", got.Big())
		}
	}
}

func refusalsChangeNothing(d *teller) {
	a, b := d.open2(0)
	limited := d.open1(ledger.AccountDebitsMustNotExceedCredits)
	d.one(created, d.pay(a, b, 5))
	before, log := d.accounts(a, b, limited), len(d.events(d.since))
	d.expect(statuses{
		spoiled, ledger.TransferAccountsMustBeDifferent, ledger.TransferExceedsCredits, ledger.TransferDebitAccountNotFound,
		ledger.TransferPendingTransferNotFound, ledger.TransferCodeMustNotBeZero,
	}, spoiler(), d.pay(a, a, 1), d.pay(limited, a, 1), d.pay(fresh(), a, 1), void(fresh()), ledger.Transfer{ID: fresh(), DebitAccountID: a, CreditAccountID: b, Ledger: d.book})
	if !slices.Equal(before, d.accounts(a, b, limited)) || len(d.events(d.since)) != log || len(d.statement(a)) != 1 {
		d.Error("something changed")
	}
}

func timestampsOfResults(d *teller) {
	a, b := d.open2(0)
	original := d.pay(a, b, 1)
	first := d.one(created, original)
	d.pass(time.Millisecond)
	results := d.send(d.pay(a, b, 1), spoiler(), original, d.pay(a, a, 1), d.pay(a, b, 1))
	for i, r := range results {
		want := results[0].Timestamp + uint64(i)
		if i == 2 {
			want = first
		}
		if r.Timestamp != want || r.Timestamp < first {
			d.Errorf("result %d is dated %d, want %d", i, r.Timestamp, want)
		}
	}
	if stored := d.transfer(original.ID); stored.Timestamp != first {
		d.Error("the result's time isn't the transfer's")
	}
	x := d.newAccount()
	opened := d.createAccounts(x)[0]
	d.pass(time.Millisecond)
	again := d.createAccounts(x, ledger.Account{})
	if again[0].Status != ledger.AccountExists || again[0].Timestamp != opened.Timestamp || again[1].Timestamp <= opened.Timestamp {
		d.Errorf("a repeated account: %+v after %+v", again, opened)
	}
	if d.account(x.ID).Timestamp != opened.Timestamp {
		d.Error("the result's time isn't the account's")
	}
}

// passingReasons returns events refused for what the ledger holds, and what makes them possible.
func passingReasons(d *teller) []struct {
	status ledger.CreateTransferStatus
	t      ledger.Transfer
	cure   func()
} {
	a, b := d.open2(0)
	limitedDebits := d.open1(ledger.AccountDebitsMustNotExceedCredits)
	limitedCredits := d.open1(ledger.AccountCreditsMustNotExceedDebits)
	x, y := d.open2(0)
	later1, later2 := d.newAccount(), d.newAccount()
	p := d.hold(a, b, 1) // made only by its cure
	held, heldByCredit := d.hold(x, b, 1), d.hold(a, y, 1)
	closeX := with(d.hold(x, a, 0), ledger.TransferClosingDebit)
	closeY := with(d.hold(a, y, 0), ledger.TransferClosingCredit)
	d.expect(statuses{created, created, created, created}, held, heldByCredit, closeX, closeY)
	return []struct {
		status ledger.CreateTransferStatus
		t      ledger.Transfer
		cure   func()
	}{
		{ledger.TransferDebitAccountNotFound, d.pay(later1.ID, b, 1), func() { d.openAll([]ledger.Account{later1}) }},
		{ledger.TransferCreditAccountNotFound, d.pay(a, later2.ID, 1), func() { d.openAll([]ledger.Account{later2}) }},
		{ledger.TransferPendingTransferNotFound, post(p.ID, ledger.AmountMax), func() { d.one(created, p) }},
		{ledger.TransferExceedsCredits, d.pay(limitedDebits, b, 1), func() { d.one(created, d.pay(a, limitedDebits, 1)) }},
		{ledger.TransferExceedsDebits, d.pay(a, limitedCredits, 1), func() { d.one(created, d.pay(limitedCredits, a, 1)) }},
		{ledger.TransferDebitAccountAlreadyClosed, post(held.ID, ledger.AmountMax), func() {}},
		{ledger.TransferCreditAccountAlreadyClosed, post(heldByCredit.ID, ledger.AmountMax), func() {}},
		{ledger.TransferDebitAccountAlreadyClosed, d.pay(x, b, 1), func() { d.one(created, void(closeX.ID)) }},
		{ledger.TransferCreditAccountAlreadyClosed, d.pay(a, y, 1), func() { d.one(created, void(closeY.ID)) }},
	}
}

// A late duplicate must not move money which its sender was told did not move.
func passingReasonsBurnIDs(d *teller) {
	for _, r := range passingReasons(d) {
		d.one(r.status, r.t)
		r.cure()
		d.one(ledger.TransferIDAlreadyFailed, r.t)
		other := r.t
		other.Amount, other.Code, other.UserData64 = ledger.U64(0), testPaymentCode, 5
		d.one(ledger.TransferIDAlreadyFailed, other)
		if len(d.transfers(r.t.ID)) != 0 {
			d.Errorf("%v: the refused transfer can be found", r.status)
		}
	}
	d.holdsTheBooks()
}

func lastingReasonsBurnNothing(d *teller) {
	a, b := d.open2(0)
	p := d.hold(a, b, 5)
	d.one(created, p)
	single := d.pay(a, b, 1)
	d.one(created, single)
	t := d.pay(a, b, 1)
	for _, c := range []struct {
		status ledger.CreateTransferStatus
		spoil  func(*ledger.Transfer)
	}{
		{ledger.TransferReservedFlag, func(t *ledger.Transfer) { t.Flags = 1 << 12 }},
		{ledger.TransferTimestampMustBeZero, func(t *ledger.Transfer) { t.Timestamp = 5 }},
		{ledger.TransferDebitAccountIDMustNotBeZero, func(t *ledger.Transfer) { t.DebitAccountID = ledger.Uint128{} }},
		{ledger.TransferAccountsMustBeDifferent, func(t *ledger.Transfer) { t.DebitAccountID = b }},
		{ledger.TransferTimeoutReservedForPendingTransfer, func(t *ledger.Transfer) { t.Timeout = 1 }},
		{ledger.TransferLedgerMustNotBeZero, func(t *ledger.Transfer) { t.Ledger = 0 }},
		{ledger.TransferTransferMustHaveTheSameLedgerAsAccounts, func(t *ledger.Transfer) { t.Ledger = d.otherBook }},
		{ledger.TransferPendingTransferNotPending, func(t *ledger.Transfer) { t.Flags, t.PendingID = ledger.TransferPostPending, single.ID }},
		{ledger.TransferExceedsPendingTransferAmount, func(t *ledger.Transfer) {
			t.Flags, t.PendingID, t.Amount = ledger.TransferPostPending, p.ID, ledger.U64(6)
		}},
		{ledger.TransferPendingTransferHasDifferentAmount, func(t *ledger.Transfer) {
			t.Flags, t.PendingID = ledger.TransferVoidPending, p.ID
		}},
	} {
		wrong := t
		c.spoil(&wrong)
		d.one(c.status, wrong)
	}
	huge := d.pay(a, b, 0)
	huge.Amount = ledger.AmountMax
	d.one(ledger.TransferOverflowsDebitsPosted, huge)
	huge.Amount = ledger.U64(1)
	d.one(created, huge)
	d.one(created, t)
}

// The hook is there so that balances no test could earn can be judged.
func seededBalances(d *teller) {
	if d.Seed == nil {
		d.Skip("left out: balances can't be seeded here")
	}
	limited := d.open1(ledger.AccountDebitsMustNotExceedCredits)
	receiving := d.open1(ledger.AccountCreditsMustNotExceedDebits)
	n := ledger.U64
	d.Seed(limited, n(10), n(20), n(7), n(40))
	d.Seed(receiving, n(0), n(30), n(15), n(5))
	d.balances(limited, 10, 20, 7, 40)
	d.one(ledger.TransferExceedsCredits, d.pay(limited, receiving, 11))
	d.one(created, d.pay(limited, receiving, 10))
	d.balances(limited, 10, 30, 7, 40)
	d.one(ledger.TransferExceedsCredits, d.pay(limited, receiving, 1))
	d.Seed(limited, n(0), n(0), n(0), ledger.AmountMax)
	d.one(ledger.TransferExceedsDebits, d.pay(limited, receiving, 1))
	other := d.open1(0)
	d.Seed(other, oneQuarter, oneQuarter, oneEighth, oneEighth)
	over := d.pay(limited, other, 0)
	over.Amount = ledger.Uint128{Hi: 7 << 61}
	over.Flags = pending
	d.one(ledger.TransferOverflowsCreditsPending, over)
	over.DebitAccountID, over.CreditAccountID = other, limited
	d.one(ledger.TransferOverflowsDebitsPending, over)
}
