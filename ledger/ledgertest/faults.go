package ledgertest

import (
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// wrong is a transfer being made wrong in one or more ways, and what the ledger must hold for
// each way to be wrong in. Faults are added one after the other; one that can't be there together
// with those before it says so. Then try builds everything and sends the transfer.
type wrong struct {
	t       ledger.Transfer
	settles bool            // it is a post or a void of a pending transfer between debit and credit
	claims  map[string]bool // what a fault before has decided
	on, off ledger.TransferFlags

	debit, credit party
	id            identity
	stamp         stamp
	first         imports // of the request's first event; default: as the event itself
	imported      imports
	chainBroken   bool // it stands in a chain that has failed
	last          bool // it is linked and the request's last
	held          holding
	static        bool // wrong in itself, so that no such transfer could have been made before
	repeated      bool // a valid transfer with its id and contents was made before
	late          bool // in a year when timeouts overflow

	newest  uint64 // timestamp of the newest transfer before it
	request []ledger.Transfer
}

// party is one account of the transfer.
type party struct {
	is        being
	closed    bool
	young     bool // younger than the imported transfer
	otherBook bool
	limited   bool // by its flag, with nothing left

	pendingAtLeast, postedAtLeast ledger.Uint128 // on the transfer's side

	id                         ledger.Uint128
	counterpart, reserve, fund ledger.Uint128 // other accounts it has business with
}

// being says what the transfer names as the party's account.

type being uint8

const (
	ordinary being = iota
	zeroID
	maxID
	missing
	sameAsDebit
	another // exists, but isn't the pending transfer's
)

// identity says whether the transfer's id was used before.
type identity uint8

const (
	newID identity = iota
	existingID
	burntID
)

// stamp is the kind of timestamp an event carries.
type stamp uint8

const (
	fitting stamp = iota // zero, or for an imported transfer a time newer than everything
	stray                // not zero, though not imported
	nought               // zero, though imported
	beyond               // the end of time
	future
	stale // the newest transfer's
)

// imports says whether an event has the imported flag.
type imports uint8

const (
	either imports = iota
	importing
	notImporting
)

// holding is what the pending transfer of a post or void is.
type holding uint8

const (
	waits holding = iota
	nowhere
	singlePhase
	wasPosted
	wasVoided
	hasExpired
)

// fault makes a transfer wrong so that it alone would be refused with status.
type fault struct {
	status ledger.CreateTransferStatus
	name   string // tells apart several ways to be wrong with the same status
	add    func(*wrong) bool
}

// claim decides a part of the transfer that only one fault can decide.
func (w *wrong) claim(part string) bool {
	if w.claims[part] {
		return false
	}
	w.claims[part] = true
	return true
}

func (w *wrong) set(flags ledger.TransferFlags) bool {
	w.on |= flags
	return w.on&w.off == 0
}

func (w *wrong) clear(flags ledger.TransferFlags) bool {
	w.off |= flags
	return w.on&w.off == 0
}

func (w *wrong) imports(v imports) bool {
	if w.imported == either {
		w.imported = v
	}
	return w.imported == v
}

func (w *wrong) firstImports(v imports) bool {
	if w.first == either {
		w.first = v
	}
	return w.first == v
}

func (w *wrong) stamped(s stamp) bool {
	w.stamp = s
	return w.claim("timestamp")
}

func (w *wrong) identified(i identity) bool {
	w.id = i
	return w.claim("id")
}

// inItself marks a fault that no valid transfer can have; it can't be a valid one's repeat.
func (w *wrong) inItself() bool {
	w.static = true
	return !w.repeated
}

// commonFaults come before a transfer's kind matters.
var commonFaults = []fault{
	{ledger.TransferLinkedEventChainOpen, "", func(w *wrong) bool { w.last = true; return true }},
	{ledger.TransferLinkedEventFailed, "", func(w *wrong) bool { w.chainBroken = true; return true }},
	{ledger.TransferImportedEventExpected, "", func(w *wrong) bool { return w.imports(notImporting) && w.firstImports(importing) }},
	{ledger.TransferImportedEventNotExpected, "", func(w *wrong) bool { return w.imports(importing) && w.firstImports(notImporting) }},
	{ledger.TransferTimestampMustBeZero, "", func(w *wrong) bool { return w.imports(notImporting) && w.stamped(stray) }},
	{ledger.TransferImportedEventTimestampOutOfRange, "zero", func(w *wrong) bool { return w.imports(importing) && w.stamped(nought) }},
	{ledger.TransferImportedEventTimestampOutOfRange, "beyond", func(w *wrong) bool { return w.imports(importing) && w.stamped(beyond) }},
	{ledger.TransferImportedEventTimestampMustNotAdvance, "", func(w *wrong) bool { return w.imports(importing) && w.stamped(future) }},
	{ledger.TransferReservedFlag, "the lowest", func(w *wrong) bool { return w.set(1 << 9) }},
	{ledger.TransferReservedFlag, "the highest", func(w *wrong) bool { return w.set(1 << 15) }},
	{ledger.TransferIDMustNotBeZero, "", func(w *wrong) bool { w.t.ID = ledger.Uint128{}; return w.claim("id") }},
	{ledger.TransferIDMustNotBeIntMax, "", func(w *wrong) bool { w.t.ID = ledger.AmountMax; return w.claim("id") }},
	{ledger.TransferExistsWithDifferentFlags, "", func(w *wrong) bool { return w.identified(existingID) }},
	{ledger.TransferIDAlreadyFailed, "", func(w *wrong) bool { return w.identified(burntID) }},
}

var (
	threeQuarters = ledger.Uint128{Hi: 3 << 62}
	oneQuarter    = ledger.Uint128{Hi: 1 << 62}
	oneEighth     = ledger.Uint128{Hi: 1 << 61}
)

// huge asks for three quarters of what an amount can be.
func (w *wrong) huge() bool {
	if w.t.Amount != threeQuarters && !w.claim("amount") {
		return false
	}
	w.t.Amount = threeQuarters
	return w.inItself()
}

func (p *party) holdAtLeast(pending, posted ledger.Uint128) bool {
	if p.pendingAtLeast.Less(pending) {
		p.pendingAtLeast = pending
	}
	if p.postedAtLeast.Less(posted) {
		p.postedAtLeast = posted
	}
	return !p.young
}

func (p *party) limit() bool {
	p.limited = true
	return !p.young
}

// makeYoung needs an account without a past.
func (p *party) makeYoung() bool {
	p.young = true
	return !p.limited && p.pendingAtLeast.IsZero() && p.postedAtLeast.IsZero()
}

// moveFaults are those of transfers that are neither posts nor voids.
var moveFaults = []fault{
	{ledger.TransferExists, "", func(w *wrong) bool { w.repeated = true; return !w.static && w.claim("id") }},
	{ledger.TransferDebitAccountIDMustNotBeZero, "", func(w *wrong) bool { w.debit.is = zeroID; return w.inItself() && w.claim("debit") }},
	{ledger.TransferDebitAccountIDMustNotBeIntMax, "", func(w *wrong) bool { w.debit.is = maxID; return w.inItself() && w.claim("debit") }},
	{ledger.TransferCreditAccountIDMustNotBeZero, "", func(w *wrong) bool { w.credit.is = zeroID; return w.inItself() && w.claim("credit") }},
	{ledger.TransferCreditAccountIDMustNotBeIntMax, "", func(w *wrong) bool { w.credit.is = maxID; return w.inItself() && w.claim("credit") }},
	{ledger.TransferAccountsMustBeDifferent, "", func(w *wrong) bool { w.credit.is = sameAsDebit; return w.inItself() && w.claim("credit") }},
	{ledger.TransferPendingIDMustBeZero, "", func(w *wrong) bool { w.t.PendingID = fresh(); return w.inItself() }},
	{ledger.TransferTimeoutReservedForPendingTransfer, "", func(w *wrong) bool {
		w.t.Timeout = 1
		return w.inItself() && w.clear(pending) && w.claim("timeout")
	}},
	{ledger.TransferClosingTransferMustBePending, "debit", func(w *wrong) bool {
		return w.inItself() && w.clear(pending) && w.set(ledger.TransferClosingDebit)
	}},
	{ledger.TransferClosingTransferMustBePending, "credit", func(w *wrong) bool {
		return w.inItself() && w.clear(pending) && w.set(ledger.TransferClosingCredit)
	}},
	{ledger.TransferLedgerMustNotBeZero, "", func(w *wrong) bool { w.t.Ledger = 0; return w.inItself() && w.claim("ledger") }},
	{ledger.TransferCodeMustNotBeZero, "", func(w *wrong) bool { w.t.Code = 0; return w.inItself() }},
	{ledger.TransferDebitAccountNotFound, "", func(w *wrong) bool { w.debit.is = missing; return w.inItself() && w.claim("debit") }},
	{ledger.TransferCreditAccountNotFound, "", func(w *wrong) bool { w.credit.is = missing; return w.inItself() && w.claim("credit") }},
	{ledger.TransferAccountsMustHaveTheSameLedger, "", func(w *wrong) bool { w.credit.otherBook = true; return w.inItself() }},
	{ledger.TransferTransferMustHaveTheSameLedgerAsAccounts, "", func(w *wrong) bool { w.t.Ledger = freshBook(); return w.inItself() && w.claim("ledger") }},
	{ledger.TransferImportedEventTimestampMustNotRegress, "", func(w *wrong) bool { return w.imports(importing) && w.stamped(stale) && w.inItself() }},
	{ledger.TransferImportedEventTimestampMustPostdateDebitAccount, "", func(w *wrong) bool { return w.imports(importing) && w.inItself() && w.debit.makeYoung() }},
	{ledger.TransferImportedEventTimestampMustPostdateCreditAccount, "", func(w *wrong) bool { return w.imports(importing) && w.inItself() && w.credit.makeYoung() }},
	{ledger.TransferImportedEventTimeoutMustBeZero, "", func(w *wrong) bool {
		w.t.Timeout = 1
		return w.imports(importing) && w.inItself() && w.set(pending) && w.claim("timeout")
	}},
	{ledger.TransferDebitAccountAlreadyClosed, "", func(w *wrong) bool { w.debit.closed = true; return true }},
	{ledger.TransferCreditAccountAlreadyClosed, "", func(w *wrong) bool { w.credit.closed = true; return true }},
	{ledger.TransferOverflowsDebitsPending, "", func(w *wrong) bool {
		return w.set(pending) && w.huge() && w.debit.holdAtLeast(oneQuarter, ledger.Uint128{})
	}},
	{ledger.TransferOverflowsCreditsPending, "", func(w *wrong) bool {
		return w.set(pending) && w.huge() && w.credit.holdAtLeast(oneQuarter, ledger.Uint128{})
	}},
	{ledger.TransferOverflowsDebitsPosted, "", func(w *wrong) bool { return w.huge() && w.debit.holdAtLeast(ledger.Uint128{}, oneQuarter) }},
	{ledger.TransferOverflowsCreditsPosted, "", func(w *wrong) bool { return w.huge() && w.credit.holdAtLeast(ledger.Uint128{}, oneQuarter) }},
	{ledger.TransferOverflowsDebits, "", func(w *wrong) bool { return w.huge() && w.debit.holdAtLeast(oneEighth, oneEighth) }},
	{ledger.TransferOverflowsCredits, "", func(w *wrong) bool { return w.huge() && w.credit.holdAtLeast(oneEighth, oneEighth) }},
	{ledger.TransferOverflowsTimeout, "", func(w *wrong) bool {
		w.t.Timeout, w.late = 1<<32-1, true
		return w.inItself() && w.set(pending) && w.imports(notImporting) && w.claim("timeout")
	}},
	{ledger.TransferExceedsCredits, "", func(w *wrong) bool { return w.debit.limit() }},
	{ledger.TransferExceedsDebits, "", func(w *wrong) bool { return w.credit.limit() }},
}

func (w *wrong) holds(h holding) bool {
	w.held = h
	return w.claim("pending transfer")
}

// mixed is a post or void that is something else too.
func mixed(name string, flags ledger.TransferFlags) fault {
	return fault{ledger.TransferFlagsAreMutuallyExclusive, name, func(w *wrong) bool { return w.set(flags) }}
}

// settlementFaults are those of posts and voids.
var settlementFaults = []fault{
	mixed("post and void", ledger.TransferPostPending|ledger.TransferVoidPending),
	mixed("pending", ledger.TransferPending),
	mixed("balancing debit", ledger.TransferBalancingDebit),
	mixed("balancing credit", ledger.TransferBalancingCredit),
	mixed("closing debit", ledger.TransferClosingDebit),
	mixed("closing credit", ledger.TransferClosingCredit),
	{ledger.TransferPendingIDMustNotBeZero, "", func(w *wrong) bool { w.t.PendingID = ledger.Uint128{}; return w.claim("pending id") }},
	{ledger.TransferPendingIDMustNotBeIntMax, "", func(w *wrong) bool { w.t.PendingID = ledger.AmountMax; return w.claim("pending id") }},
	{ledger.TransferPendingIDMustBeDifferent, "", func(w *wrong) bool { w.t.PendingID = w.t.ID; return w.claim("pending id") && w.claim("id") }},
	{ledger.TransferTimeoutReservedForPendingTransfer, "", func(w *wrong) bool { w.t.Timeout = 1; return true }},
	{ledger.TransferPendingTransferNotFound, "", func(w *wrong) bool { return w.claim("pending id") && w.holds(nowhere) }},
	{ledger.TransferPendingTransferNotPending, "", func(w *wrong) bool { return w.holds(singlePhase) }},
	{ledger.TransferPendingTransferHasDifferentDebitAccountID, "", func(w *wrong) bool { w.debit.is = another; return true }},
	{ledger.TransferPendingTransferHasDifferentCreditAccountID, "", func(w *wrong) bool { w.credit.is = another; return true }},
	{ledger.TransferPendingTransferHasDifferentLedger, "", func(w *wrong) bool { w.t.Ledger = freshBook(); return true }},
	{ledger.TransferPendingTransferHasDifferentCode, "", func(w *wrong) bool { w.t.Code = testPaymentCode + 1; return true }},
	{ledger.TransferExceedsPendingTransferAmount, "of a post", func(w *wrong) bool {
		w.t.Amount = ledger.U64(testAmount + 1)
		return w.clear(ledger.TransferVoidPending) && w.set(ledger.TransferPostPending) && w.claim("amount")
	}},
	{ledger.TransferExceedsPendingTransferAmount, "of a void", func(w *wrong) bool {
		w.t.Amount = ledger.AmountMax
		return w.clear(ledger.TransferPostPending) && w.set(ledger.TransferVoidPending) && w.claim("amount")
	}},
	{ledger.TransferPendingTransferHasDifferentAmount, "", func(w *wrong) bool {
		w.t.Amount = ledger.U64(testAmount - 1)
		return w.clear(ledger.TransferPostPending) && w.set(ledger.TransferVoidPending) && w.claim("amount")
	}},
	{ledger.TransferPendingTransferAlreadyPosted, "", func(w *wrong) bool { return w.holds(wasPosted) }},
	{ledger.TransferPendingTransferAlreadyVoided, "", func(w *wrong) bool { return w.holds(wasVoided) }},
	{ledger.TransferPendingTransferExpired, "", func(w *wrong) bool { return w.holds(hasExpired) }},
	{ledger.TransferImportedEventTimestampMustNotRegress, "", func(w *wrong) bool { return w.imports(importing) && w.stamped(stale) }},
	{ledger.TransferDebitAccountAlreadyClosed, "", func(w *wrong) bool {
		w.debit.closed = true
		return w.clear(ledger.TransferVoidPending) && w.set(ledger.TransferPostPending)
	}},
	{ledger.TransferCreditAccountAlreadyClosed, "", func(w *wrong) bool {
		w.credit.closed = true
		return w.clear(ledger.TransferVoidPending) && w.set(ledger.TransferPostPending)
	}},
}

const testAmount = 100

func newWrong(settles bool) *wrong {
	w := &wrong{settles: settles, claims: map[string]bool{}}
	w.t.ID = fresh()
	if settles {
		w.t.PendingID = fresh()
	} else {
		w.t.Amount = ledger.U64(testAmount)
	}
	return w
}

// with adds faults, unless they exclude each other.
func (w *wrong) with(d *teller, faults ...fault) bool {
	if !w.settles {
		w.t.Ledger, w.t.Code = d.book, testPaymentCode
	}
	for _, f := range faults {
		if !f.add(w) {
			return false
		}
	}
	if w.settles && w.on&(ledger.TransferPostPending|ledger.TransferVoidPending) == 0 {
		w.on |= ledger.TransferPostPending
		if w.t.Amount.IsZero() {
			w.t.Amount = ledger.AmountMax
		}
	}
	return true
}

// try makes the accounts and everything else the faults need, sends the transfer and returns what
// it is told.
func (w *wrong) try(d *teller) ledger.CreateTransferStatus {
	d.Helper()
	w.prepare(d)
	if w.held == hasExpired {
		d.pass(expiryWait)
	}
	return w.send(d)
}

// expiryWait is longer than the timeout of a hold that must expire.
const expiryWait = 1100 * time.Millisecond

// prepare makes the accounts and the pending transfer.
func (w *wrong) prepare(d *teller) {
	d.Helper()
	w.openAccounts(d)
	w.fill(d, &w.debit, true)
	w.fill(d, &w.credit, false)
	w.t.Flags = w.on
	if w.imported == importing {
		w.t.Flags |= ledger.TransferImported
	}
	w.name()
	if w.settles {
		w.hold(d)
	}
}

// send makes what must come later, and the transfer.
func (w *wrong) send(d *teller) ledger.CreateTransferStatus {
	d.Helper()
	switch {
	case w.repeated:
		d.one(created, w.plain())
	case w.id == existingID:
		original := d.pay(w.debit.counterpart, w.debit.reserve, 1)
		original.ID = w.t.ID
		if w.t.Flags&pending == 0 {
			original.Flags = pending
		}
		d.one(created, original)
	case w.id == burntID:
		burnt := d.pay(fresh(), w.debit.counterpart, 1)
		burnt.ID = w.t.ID
		d.one(ledger.TransferDebitAccountNotFound, burnt)
	}
	w.close(d, &w.debit, ledger.TransferClosingDebit)
	w.close(d, &w.credit, ledger.TransferClosingCredit)
	w.date(d)

	var request []ledger.Transfer
	if w.first != either {
		filler := d.pay(w.debit.counterpart, w.debit.reserve, 0)
		if w.first == importing {
			filler.Flags, filler.Timestamp = ledger.TransferImported, w.newest+1
		}
		request = append(request, filler)
	}
	if w.chainBroken {
		request = append(request, with(spoiler(), linked))
	}
	if w.last {
		w.t.Flags |= linked
	}
	w.request = append(request, w.t)
	return w.again(d)
}

// again sends the same request once more.
func (w *wrong) again(d *teller) ledger.CreateTransferStatus {
	d.Helper()
	results := d.send(w.request...)
	return results[len(results)-1].Status
}

// openAccounts creates both parties and, beside each, accounts to do business with.
func (w *wrong) openAccounts(d *teller) {
	d.Helper()
	var accounts []ledger.Account
	add := func() *ledger.Account {
		accounts = append(accounts, d.newAccount())
		return &accounts[len(accounts)-1]
	}
	for _, p := range []*party{&w.debit, &w.credit} {
		p.counterpart, p.reserve, p.fund = add().ID, add().ID, add().ID
		if p.otherBook {
			for i := range 3 {
				accounts[len(accounts)-1-i].Ledger = d.otherBook
			}
		}
		p.id = fresh()
		if !p.young {
			w.describe(d, p, add())
		}
	}
	d.openAll(accounts)
}

func (w *wrong) describe(d *teller, p *party, a *ledger.Account) {
	a.ID = p.id
	if p.otherBook {
		a.Ledger = d.otherBook
	}
	switch {
	case p.limited && p == &w.debit:
		a.Flags |= ledger.AccountDebitsMustNotExceedCredits
	case p.limited:
		a.Flags |= ledger.AccountCreditsMustNotExceedDebits
	}
	if p.young && p.closed {
		a.Flags |= ledger.AccountClosed
	}
}

// fill brings a party's balances on its own side to what the faults need. Every transfer has
// another account on the other side, so that those overflow nothing.
func (w *wrong) fill(d *teller, p *party, debits bool) {
	d.Helper()
	between := func(other ledger.Uint128, own bool, amount ledger.Uint128) ledger.Transfer {
		t := d.pay(p.id, other, 0)
		if own != debits {
			t.DebitAccountID, t.CreditAccountID = other, p.id
		}
		t.Amount = amount
		if p.otherBook {
			t.Ledger = d.otherBook
		}
		return t
	}
	var transfers []ledger.Transfer
	if p.limited {
		total, _ := p.pendingAtLeast.Add(p.postedAtLeast)
		if w.repeated {
			total, _ = total.Add(w.t.Amount)
		}
		transfers = append(transfers, between(p.fund, false, total))
	}
	if !p.pendingAtLeast.IsZero() {
		transfers = append(transfers, with(between(p.reserve, true, p.pendingAtLeast), pending))
	}
	if !p.postedAtLeast.IsZero() {
		transfers = append(transfers, between(p.counterpart, true, p.postedAtLeast))
	}
	if len(transfers) > 0 {
		d.sendAll(transfers)
	}
}

// name puts the parties' ids into the transfer.
func (w *wrong) name() {
	side := func(p *party) ledger.Uint128 {
		switch {
		case p.is == zeroID:
			return ledger.Uint128{}
		case p.is == maxID:
			return ledger.AmountMax
		case p.is == missing:
			return fresh()
		case p.is == sameAsDebit:
			return w.t.DebitAccountID
		case p.is == another:
			return p.reserve
		case w.settles:
			return ledger.Uint128{}
		}
		return p.id
	}
	w.t.DebitAccountID = side(&w.debit)
	w.t.CreditAccountID = side(&w.credit)
}

// plain is the transfer without what is wrong about its place in the request.
func (w *wrong) plain() ledger.Transfer {
	t := w.t
	t.Flags &= 1<<9 - 1
	t.Flags &^= ledger.TransferImported
	return t
}

// hold makes the pending transfer of a post or void, and what became of it.
func (w *wrong) hold(d *teller) {
	d.Helper()
	if w.held == nowhere {
		return
	}
	p := d.hold(w.debit.id, w.credit.id, testAmount)
	if !w.claims["pending id"] {
		p.ID = w.t.PendingID
	}
	switch w.held {
	case singlePhase:
		p.Flags = 0
	case hasExpired:
		p.Timeout = 1
	}
	d.one(created, p)
	switch w.held {
	case wasPosted:
		d.one(created, post(p.ID, ledger.AmountMax))
	case wasVoided:
		d.one(created, void(p.ID))
	}
}

func (w *wrong) close(d *teller, p *party, flag ledger.TransferFlags) {
	d.Helper()
	if !p.closed || p.young {
		return
	}
	t := d.hold(p.id, p.counterpart, 0)
	if flag == ledger.TransferClosingCredit {
		t = d.hold(p.counterpart, p.id, 0)
	}
	if p.otherBook {
		t.Ledger = d.otherBook
	}
	d.one(created, with(t, flag))
}

// date gives the transfer its timestamp, and makes the accounts that must be younger.
func (w *wrong) date(d *teller) {
	d.Helper()
	d.pass(time.Millisecond)
	w.newest = d.one(created, d.pay(w.debit.counterpart, w.debit.reserve, 0))
	d.pass(time.Millisecond)
	now := d.judgedAt()
	switch {
	case w.stamp == stray:
		w.t.Timestamp = 1
	case w.stamp == beyond:
		w.t.Timestamp = 1 << 63
	case w.stamp == future:
		w.t.Timestamp = now + 3600*second
	case w.stamp == stale:
		w.t.Timestamp = w.newest
	case w.stamp == fitting && w.imported == importing:
		w.t.Timestamp = now
	}
	d.pass(time.Millisecond)
	var accounts []ledger.Account
	for _, p := range []*party{&w.debit, &w.credit} {
		if p.young {
			a := d.newAccount()
			w.describe(d, p, &a)
			accounts = append(accounts, a)
		}
	}
	if len(accounts) > 0 {
		d.openAll(accounts)
	}
	d.pass(time.Millisecond)
}
