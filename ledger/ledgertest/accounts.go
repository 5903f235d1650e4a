package ledgertest

import (
	"slices"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// wrongAccount is an account being made wrong in one or more ways, as wrong is a transfer.
type wrongAccount struct {
	a               ledger.Account
	original        ledger.Account // with the same id; only when repeated
	claims          map[string]bool
	first, imported imports
	chainBroken     bool
	last            bool
	stamp           stamp
	repeated        bool
}

func (w *wrongAccount) claim(part string) bool {
	if w.claims[part] {
		return false
	}
	w.claims[part] = true
	return true
}

func (w *wrongAccount) imports(v imports) bool {
	if w.imported == either {
		w.imported = v
	}
	return w.imported == v
}

func (w *wrongAccount) stamped(s stamp) bool {
	w.stamp = s
	return w.claim("timestamp")
}

// repeats makes the account one that exists.
func (w *wrongAccount) repeats() bool {
	w.repeated = true
	return true
}

type accountFault struct {
	status ledger.CreateAccountStatus
	name   string
	add    func(*wrongAccount) bool
}

const bothLimits = ledger.AccountDebitsMustNotExceedCredits | ledger.AccountCreditsMustNotExceedDebits

var accountFaults = []accountFault{
	{ledger.AccountLinkedEventChainOpen, "", func(w *wrongAccount) bool { w.last = true; return true }},
	{ledger.AccountLinkedEventFailed, "", func(w *wrongAccount) bool { w.chainBroken = true; return true }},
	{ledger.AccountImportedEventExpected, "", func(w *wrongAccount) bool {
		w.first = importing
		return w.imports(notImporting)
	}},
	{ledger.AccountImportedEventNotExpected, "", func(w *wrongAccount) bool {
		w.first = notImporting
		return w.imports(importing)
	}},
	{ledger.AccountTimestampMustBeZero, "", func(w *wrongAccount) bool { return w.imports(notImporting) && w.stamped(stray) }},
	{ledger.AccountImportedEventTimestampOutOfRange, "zero", func(w *wrongAccount) bool { return w.imports(importing) && w.stamped(nought) }},
	{ledger.AccountImportedEventTimestampOutOfRange, "beyond", func(w *wrongAccount) bool { return w.imports(importing) && w.stamped(beyond) }},
	{ledger.AccountImportedEventTimestampMustNotAdvance, "", func(w *wrongAccount) bool { return w.imports(importing) && w.stamped(future) }},
	{ledger.AccountReservedField, "", func(w *wrongAccount) bool { w.a.Reserved = 1; return true }},
	{ledger.AccountReservedFlag, "the lowest", func(w *wrongAccount) bool { w.a.Flags |= 1 << 6; return true }},
	{ledger.AccountReservedFlag, "the highest", func(w *wrongAccount) bool { w.a.Flags |= 1 << 15; return true }},
	{ledger.AccountIDMustNotBeZero, "", func(w *wrongAccount) bool { w.a.ID = ledger.Uint128{}; return w.claim("id") }},
	{ledger.AccountIDMustNotBeIntMax, "", func(w *wrongAccount) bool { w.a.ID = ledger.AmountMax; return w.claim("id") }},
	{ledger.AccountExistsWithDifferentFlags, "", func(w *wrongAccount) bool {
		w.original.Flags ^= ledger.AccountHistory
		return w.repeats()
	}},
	{ledger.AccountExistsWithDifferentUserData128, "", func(w *wrongAccount) bool {
		w.original.UserData128 = fresh()
		return w.repeats()
	}},
	{ledger.AccountExistsWithDifferentUserData64, "", func(w *wrongAccount) bool {
		w.original.UserData64 = 6
		return w.repeats()
	}},
	{ledger.AccountExistsWithDifferentUserData32, "", func(w *wrongAccount) bool {
		w.original.UserData32 = 3
		return w.repeats()
	}},
	{ledger.AccountExistsWithDifferentLedger, "", func(w *wrongAccount) bool {
		w.original.Ledger = freshBook()
		return w.repeats()
	}},
	{ledger.AccountExistsWithDifferentCode, "", func(w *wrongAccount) bool {
		w.original.Code = testCode + 1
		return w.repeats()
	}},
	{ledger.AccountExists, "", func(w *wrongAccount) bool { return w.repeats() }},
	{ledger.AccountFlagsAreMutuallyExclusive, "", func(w *wrongAccount) bool {
		w.a.Flags |= bothLimits
		return !w.repeated || w.original.Flags != w.a.Flags&^bothLimits
	}},
	{ledger.AccountDebitsPendingMustBeZero, "", func(w *wrongAccount) bool { w.a.DebitsPending = ledger.U64(1); return true }},
	{ledger.AccountDebitsPostedMustBeZero, "", func(w *wrongAccount) bool { w.a.DebitsPosted = ledger.U64(1); return true }},
	{ledger.AccountCreditsPendingMustBeZero, "", func(w *wrongAccount) bool { w.a.CreditsPending = ledger.Uint128{Hi: 1}; return true }},
	{ledger.AccountCreditsPostedMustBeZero, "", func(w *wrongAccount) bool { w.a.CreditsPosted = ledger.AmountMax; return true }},
	{ledger.AccountLedgerMustNotBeZero, "", func(w *wrongAccount) bool {
		w.a.Ledger = 0
		return !w.repeated || w.original.Flags != w.a.Flags
	}},
	{ledger.AccountCodeMustNotBeZero, "", func(w *wrongAccount) bool {
		w.a.Code = 0
		return !w.repeated || w.original.Flags != w.a.Flags
	}},
	{ledger.AccountImportedEventTimestampMustNotRegress, "", func(w *wrongAccount) bool {
		return w.imports(importing) && w.stamped(stale) && !w.repeated
	}},
}

func newWrongAccount(d *teller) *wrongAccount {
	a := d.newAccount()
	return &wrongAccount{a: a, original: a, claims: map[string]bool{}}
}

func (w *wrongAccount) try(d *teller) ledger.CreateAccountStatus {
	d.Helper()
	if w.repeated {
		d.openAll([]ledger.Account{w.original})
	}
	filler := d.newAccount()
	newest := d.createAccounts(filler)[0].Timestamp
	d.pass(time.Millisecond)
	now := d.judgedAt()
	d.pass(time.Millisecond)
	switch w.stamp {
	case stray:
		w.a.Timestamp = 1
	case beyond:
		w.a.Timestamp = 1 << 63
	case future:
		w.a.Timestamp = now + 3600*second
	case stale:
		w.a.Timestamp = newest
	case fitting:
		if w.imported == importing {
			w.a.Timestamp = now
		}
	}
	if w.imported == importing {
		w.a.Flags |= ledger.AccountImported
	}
	var request []ledger.Account
	if w.first != either {
		filler.ID = fresh()
		if w.first == importing {
			filler.Flags, filler.Timestamp = ledger.AccountImported, newest+1
		}
		request = append(request, filler)
	}
	if w.chainBroken {
		request = append(request, ledger.Account{Flags: ledger.AccountLinked})
	}
	if w.last {
		w.a.Flags |= ledger.AccountLinked
	}
	results := d.createAccounts(append(request, w.a)...)
	return results[len(results)-1].Status
}

func accountFaultsAlone(d *teller) {
	for _, status := range accountOrder {
		if !slices.ContainsFunc(accountFaults, func(f accountFault) bool { return f.status == status }) {
			d.Errorf("no fault in the list leads to %v", status)
		}
	}
	pairs := 0
	for i, first := range accountFaults {
		w := newWrongAccount(d)
		if !first.add(w) {
			d.Fatalf("%v excludes itself", first.status)
		}
		if got := w.try(d); got != first.status {
			d.Errorf("%s: %v, want %v", first.name, got, first.status)
		}
		for _, second := range accountFaults[i+1:] {
			w := newWrongAccount(d)
			if first.status == second.status || !first.add(w) || !second.add(w) {
				continue
			}
			pairs++
			if got := w.try(d); got != first.status {
				d.Errorf("%v %s and %v %s: reported is %v", first.status, first.name, second.status, second.name, got)
			}
		}
	}
	const pairsMin = 250
	if pairs < pairsMin {
		d.Errorf("only %d pairs of faults", pairs)
	}
	// An account's time mustn't be a transfer's either.
	a, b := d.open2(0)
	d.pass(time.Millisecond)
	taken := d.one(created, d.pay(a, b, 1))
	d.pass(time.Millisecond)
	x := d.newAccount()
	x.Flags, x.Timestamp = ledger.AccountImported, taken
	if got := d.createAccounts(x)[0].Status; got != ledger.AccountImportedEventTimestampMustNotRegress {
		d.Errorf("an account at a transfer's time: %v", got)
	}
	x.Timestamp++
	if got := d.createAccounts(x)[0].Status; got != ledger.AccountCreated {
		d.Errorf("an account after a transfer's time: %v", got)
	}
}
