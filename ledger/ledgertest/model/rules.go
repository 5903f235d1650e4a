package model

import (
	"slices"

	"github.com/suanpan-bank/suanpan/ledger"
)

const (
	accountFlagsKnown  ledger.AccountFlags  = 1<<6 - 1
	transferFlagsKnown ledger.TransferFlags = 1<<9 - 1

	limits    = ledger.AccountDebitsMustNotExceedCredits | ledger.AccountCreditsMustNotExceedDebits
	settling  = ledger.TransferPostPending | ledger.TransferVoidPending
	balancing = ledger.TransferBalancingDebit | ledger.TransferBalancingCredit
	closing   = ledger.TransferClosingDebit | ledger.TransferClosingCredit
)

var highest = ledger.AmountMax

// createAccount judges a at timestamp at. The checks stand in their documented order.
func (l *Ledger) createAccount(a *ledger.Account, at uint64) (ledger.CreateAccountStatus, uint64) {
	switch was := l.byID[a.ID]; {
	case a.Reserved != 0:
		return ledger.AccountReservedField, at
	case a.Flags&^accountFlagsKnown != 0:
		return ledger.AccountReservedFlag, at
	case a.ID.IsZero():
		return ledger.AccountIDMustNotBeZero, at
	case a.ID == highest:
		return ledger.AccountIDMustNotBeIntMax, at
	case was != nil:
		if status := accountExists(a, was); status != ledger.AccountExists {
			return status, at
		}
		return ledger.AccountExists, was.Timestamp
	case a.Flags&limits == limits:
		return ledger.AccountFlagsAreMutuallyExclusive, at
	case !a.DebitsPending.IsZero():
		return ledger.AccountDebitsPendingMustBeZero, at
	case !a.DebitsPosted.IsZero():
		return ledger.AccountDebitsPostedMustBeZero, at
	case !a.CreditsPending.IsZero():
		return ledger.AccountCreditsPendingMustBeZero, at
	case !a.CreditsPosted.IsZero():
		return ledger.AccountCreditsPostedMustBeZero, at
	case a.Ledger == 0:
		return ledger.AccountLedgerMustNotBeZero, at
	case a.Code == 0:
		return ledger.AccountCodeMustNotBeZero, at
	}
	stored := *a
	stored.Timestamp = at
	if a.Flags&ledger.AccountImported != 0 {
		if n := len(l.accounts); n > 0 && a.Timestamp <= l.accounts[n-1].Timestamp || l.transferAt(a.Timestamp) {
			return ledger.AccountImportedEventTimestampMustNotRegress, at
		}
		stored.Timestamp = a.Timestamp
	}
	l.change(func() {
		l.accounts = append(l.accounts, &stored)
		l.byID[stored.ID] = &stored
	}, func() {
		l.accounts = l.accounts[:len(l.accounts)-1]
		delete(l.byID, stored.ID)
	})
	return ledger.AccountCreated, stored.Timestamp
}

func accountExists(a, was *ledger.Account) ledger.CreateAccountStatus {
	switch {
	case a.Flags != was.Flags:
		return ledger.AccountExistsWithDifferentFlags
	case a.UserData128 != was.UserData128:
		return ledger.AccountExistsWithDifferentUserData128
	case a.UserData64 != was.UserData64:
		return ledger.AccountExistsWithDifferentUserData64
	case a.UserData32 != was.UserData32:
		return ledger.AccountExistsWithDifferentUserData32
	case a.Ledger != was.Ledger:
		return ledger.AccountExistsWithDifferentLedger
	case a.Code != was.Code:
		return ledger.AccountExistsWithDifferentCode
	}
	return ledger.AccountExists
}

// createTransfer judges t at timestamp at. The checks stand in their documented order.
func (l *Ledger) createTransfer(t *ledger.Transfer, at uint64) (ledger.CreateTransferStatus, uint64) {
	pending := t.Flags&ledger.TransferPending != 0
	switch was := l.entries[t.ID]; {
	case t.Flags&^transferFlagsKnown != 0:
		return ledger.TransferReservedFlag, at
	case t.ID.IsZero():
		return ledger.TransferIDMustNotBeZero, at
	case t.ID == highest:
		return ledger.TransferIDMustNotBeIntMax, at
	case was != nil:
		if status := l.transferExists(t, was); status != ledger.TransferExists {
			return status, at
		}
		return ledger.TransferExists, was.Timestamp
	case l.burnt[t.ID]:
		return ledger.TransferIDAlreadyFailed, at
	case t.Flags&settling != 0:
		return l.settle(t, at)
	case t.DebitAccountID.IsZero():
		return ledger.TransferDebitAccountIDMustNotBeZero, at
	case t.DebitAccountID == highest:
		return ledger.TransferDebitAccountIDMustNotBeIntMax, at
	case t.CreditAccountID.IsZero():
		return ledger.TransferCreditAccountIDMustNotBeZero, at
	case t.CreditAccountID == highest:
		return ledger.TransferCreditAccountIDMustNotBeIntMax, at
	case t.DebitAccountID == t.CreditAccountID:
		return ledger.TransferAccountsMustBeDifferent, at
	case !t.PendingID.IsZero():
		return ledger.TransferPendingIDMustBeZero, at
	case !pending && t.Timeout != 0:
		return ledger.TransferTimeoutReservedForPendingTransfer, at
	case !pending && t.Flags&closing != 0:
		return ledger.TransferClosingTransferMustBePending, at
	case t.Ledger == 0:
		return ledger.TransferLedgerMustNotBeZero, at
	case t.Code == 0:
		return ledger.TransferCodeMustNotBeZero, at
	}
	dr, cr := l.byID[t.DebitAccountID], l.byID[t.CreditAccountID]
	switch {
	case dr == nil:
		return ledger.TransferDebitAccountNotFound, at
	case cr == nil:
		return ledger.TransferCreditAccountNotFound, at
	case dr.Ledger != cr.Ledger:
		return ledger.TransferAccountsMustHaveTheSameLedger, at
	case t.Ledger != dr.Ledger:
		return ledger.TransferTransferMustHaveTheSameLedgerAsAccounts, at
	}
	stored := *t
	stored.Timestamp = at
	if t.Flags&ledger.TransferImported != 0 {
		stored.Timestamp = t.Timestamp
		switch {
		case l.regresses(t.Timestamp):
			return ledger.TransferImportedEventTimestampMustNotRegress, at
		case t.Timestamp <= dr.Timestamp:
			return ledger.TransferImportedEventTimestampMustPostdateDebitAccount, at
		case t.Timestamp <= cr.Timestamp:
			return ledger.TransferImportedEventTimestampMustPostdateCreditAccount, at
		case t.Timeout != 0:
			return ledger.TransferImportedEventTimeoutMustBeZero, at
		}
	}
	if dr.Flags&ledger.AccountClosed != 0 {
		return ledger.TransferDebitAccountAlreadyClosed, at
	}
	if cr.Flags&ledger.AccountClosed != 0 {
		return ledger.TransferCreditAccountAlreadyClosed, at
	}
	if t.Flags&ledger.TransferBalancingDebit != 0 {
		stored.Amount = least(stored.Amount, dr.CreditsPosted.SubSat(sum(dr.DebitsPosted, dr.DebitsPending)))
	}
	if t.Flags&ledger.TransferBalancingCredit != 0 {
		stored.Amount = least(stored.Amount, cr.DebitsPosted.SubSat(sum(cr.CreditsPosted, cr.CreditsPending)))
	}
	amount := stored.Amount
	switch {
	case pending && overflows(dr.DebitsPending, amount):
		return ledger.TransferOverflowsDebitsPending, at
	case pending && overflows(cr.CreditsPending, amount):
		return ledger.TransferOverflowsCreditsPending, at
	case overflows(dr.DebitsPosted, amount):
		return ledger.TransferOverflowsDebitsPosted, at
	case overflows(cr.CreditsPosted, amount):
		return ledger.TransferOverflowsCreditsPosted, at
	case overflows(sum(dr.DebitsPending, dr.DebitsPosted), amount):
		return ledger.TransferOverflowsDebits, at
	case overflows(sum(cr.CreditsPending, cr.CreditsPosted), amount):
		return ledger.TransferOverflowsCredits, at
	case stored.Timestamp+uint64(t.Timeout)*nsPerSecond > timestampMax:
		return ledger.TransferOverflowsTimeout, at
	case dr.Flags&ledger.AccountDebitsMustNotExceedCredits != 0 &&
		dr.CreditsPosted.Less(sum(sum(dr.DebitsPending, dr.DebitsPosted), amount)):
		return ledger.TransferExceedsCredits, at
	case cr.Flags&ledger.AccountCreditsMustNotExceedDebits != 0 &&
		cr.DebitsPosted.Less(sum(sum(cr.CreditsPending, cr.CreditsPosted), amount)):
		return ledger.TransferExceedsDebits, at
	}
	l.touch(dr, cr, func() {
		if pending {
			dr.DebitsPending, cr.CreditsPending = sum(dr.DebitsPending, amount), sum(cr.CreditsPending, amount)
		} else {
			dr.DebitsPosted, cr.CreditsPosted = sum(dr.DebitsPosted, amount), sum(cr.CreditsPosted, amount)
		}
		if t.Flags&ledger.TransferClosingDebit != 0 {
			dr.Flags |= ledger.AccountClosed
		}
		if t.Flags&ledger.TransferClosingCredit != 0 {
			cr.Flags |= ledger.AccountClosed
		}
	})
	l.add(stored)
	return ledger.TransferCreated, stored.Timestamp
}

// settle posts or voids.
func (l *Ledger) settle(t *ledger.Transfer, at uint64) (ledger.CreateTransferStatus, uint64) {
	voiding := t.Flags&ledger.TransferVoidPending != 0
	switch {
	case t.Flags&settling == settling, t.Flags&(ledger.TransferPending|balancing|closing) != 0:
		return ledger.TransferFlagsAreMutuallyExclusive, at
	case t.PendingID.IsZero():
		return ledger.TransferPendingIDMustNotBeZero, at
	case t.PendingID == highest:
		return ledger.TransferPendingIDMustNotBeIntMax, at
	case t.PendingID == t.ID:
		return ledger.TransferPendingIDMustBeDifferent, at
	case t.Timeout != 0:
		return ledger.TransferTimeoutReservedForPendingTransfer, at
	}
	p := l.entries[t.PendingID]
	if p == nil {
		return ledger.TransferPendingTransferNotFound, at
	}
	stored := filled(t, p)
	expiresAt, timed := l.timed[p]
	switch {
	case p.Flags&ledger.TransferPending == 0:
		return ledger.TransferPendingTransferNotPending, at
	case stored.DebitAccountID != p.DebitAccountID:
		return ledger.TransferPendingTransferHasDifferentDebitAccountID, at
	case stored.CreditAccountID != p.CreditAccountID:
		return ledger.TransferPendingTransferHasDifferentCreditAccountID, at
	case stored.Ledger != p.Ledger:
		return ledger.TransferPendingTransferHasDifferentLedger, at
	case stored.Code != p.Code:
		return ledger.TransferPendingTransferHasDifferentCode, at
	case p.Amount.Less(stored.Amount):
		return ledger.TransferExceedsPendingTransferAmount, at
	case voiding && stored.Amount.Less(p.Amount):
		return ledger.TransferPendingTransferHasDifferentAmount, at
	case p.fate == posted:
		return ledger.TransferPendingTransferAlreadyPosted, at
	case p.fate == voided:
		return ledger.TransferPendingTransferAlreadyVoided, at
	case p.fate == expired, timed && expiresAt <= at:
		return ledger.TransferPendingTransferExpired, at
	}
	stored.Timestamp = at
	if t.Flags&ledger.TransferImported != 0 {
		if l.regresses(t.Timestamp) {
			return ledger.TransferImportedEventTimestampMustNotRegress, at
		}
		stored.Timestamp = t.Timestamp
	}
	dr, cr := l.byID[p.DebitAccountID], l.byID[p.CreditAccountID]
	if dr.Flags&ledger.AccountClosed != 0 && !voiding {
		return ledger.TransferDebitAccountAlreadyClosed, at
	}
	if cr.Flags&ledger.AccountClosed != 0 && !voiding {
		return ledger.TransferCreditAccountAlreadyClosed, at
	}
	if voiding {
		l.release(p, voided)
		l.reopen(p)
	} else {
		l.release(p, posted)
		l.touch(dr, cr, func() {
			dr.DebitsPosted, cr.CreditsPosted = sum(dr.DebitsPosted, stored.Amount), sum(cr.CreditsPosted, stored.Amount)
		})
	}
	l.add(stored)
	return ledger.TransferCreated, stored.Timestamp
}

// filled is a post or void with what it leaves out taken from the pending transfer.
func filled(t *ledger.Transfer, p *entry) ledger.Transfer {
	f := *t
	if f.DebitAccountID.IsZero() {
		f.DebitAccountID = p.DebitAccountID
	}
	if f.CreditAccountID.IsZero() {
		f.CreditAccountID = p.CreditAccountID
	}
	if f.UserData128.IsZero() {
		f.UserData128 = p.UserData128
	}
	if f.UserData64 == 0 {
		f.UserData64 = p.UserData64
	}
	if f.UserData32 == 0 {
		f.UserData32 = p.UserData32
	}
	if f.Ledger == 0 {
		f.Ledger = p.Ledger
	}
	if f.Code == 0 {
		f.Code = p.Code
	}
	all := highest // of a post
	if f.Flags&ledger.TransferVoidPending != 0 {
		all = ledger.Uint128{}
	}
	if f.Amount == all {
		f.Amount = p.Amount
	}
	return f
}

// transferExists compares t with the transfer that has its id.
func (l *Ledger) transferExists(t *ledger.Transfer, was *entry) ledger.CreateTransferStatus {
	switch {
	case t.Flags != was.Flags:
		return ledger.TransferExistsWithDifferentFlags
	case t.PendingID != was.PendingID:
		return ledger.TransferExistsWithDifferentPendingID
	case t.Timeout != was.Timeout:
		return ledger.TransferExistsWithDifferentTimeout
	}
	same := *t
	if t.Flags&settling != 0 {
		same = filled(t, l.entries[was.PendingID])
	}
	different := same.Amount != was.Amount
	if t.Flags&balancing != 0 {
		different = same.Amount.Less(was.Amount) // it may have moved less than was asked for
	}
	switch {
	case same.DebitAccountID != was.DebitAccountID:
		return ledger.TransferExistsWithDifferentDebitAccountID
	case same.CreditAccountID != was.CreditAccountID:
		return ledger.TransferExistsWithDifferentCreditAccountID
	case different:
		return ledger.TransferExistsWithDifferentAmount
	case same.UserData128 != was.UserData128:
		return ledger.TransferExistsWithDifferentUserData128
	case same.UserData64 != was.UserData64:
		return ledger.TransferExistsWithDifferentUserData64
	case same.UserData32 != was.UserData32:
		return ledger.TransferExistsWithDifferentUserData32
	case same.Ledger != was.Ledger:
		return ledger.TransferExistsWithDifferentLedger
	case same.Code != was.Code:
		return ledger.TransferExistsWithDifferentCode
	}
	return ledger.TransferExists
}

// add stores a transfer whose accounts are already as it leaves them.
func (l *Ledger) add(t ledger.Transfer) {
	e := &entry{Transfer: t, debit: *l.byID[t.DebitAccountID], credit: *l.byID[t.CreditAccountID]}
	l.change(func() {
		l.transfers = append(l.transfers, e)
		l.entries[e.ID] = e
		if t.Timeout != 0 {
			l.timed[e] = t.Timestamp + uint64(t.Timeout)*nsPerSecond
		}
	}, func() {
		l.transfers = l.transfers[:len(l.transfers)-1]
		delete(l.entries, e.ID)
		delete(l.timed, e)
	})
}

// release ends a pending transfer and frees all it reserved.
func (l *Ledger) release(p *entry, as fate) {
	dr, cr := l.byID[p.DebitAccountID], l.byID[p.CreditAccountID]
	l.touch(dr, cr, func() {
		dr.DebitsPending, cr.CreditsPending = difference(dr.DebitsPending, p.Amount), difference(cr.CreditsPending, p.Amount)
	})
	at, timed := l.timed[p]
	l.change(func() {
		p.fate = as
		delete(l.timed, p)
	}, func() {
		p.fate = waiting
		if timed {
			l.timed[p] = at
		}
	})
}

// reopen opens what a pending transfer had closed.
func (l *Ledger) reopen(p *entry) {
	dr, cr := l.byID[p.DebitAccountID], l.byID[p.CreditAccountID]
	l.touch(dr, cr, func() {
		if p.Flags&ledger.TransferClosingDebit != 0 {
			dr.Flags &^= ledger.AccountClosed
		}
		if p.Flags&ledger.TransferClosingCredit != 0 {
			cr.Flags &^= ledger.AccountClosed
		}
	})
}

// touch changes two accounts.
func (l *Ledger) touch(dr, cr *ledger.Account, do func()) {
	debit, credit := *dr, *cr
	l.change(do, func() { *dr, *cr = debit, credit })
}

// regresses reports whether an imported transfer's time isn't after the newest transfer's or is an
// account's.
func (l *Ledger) regresses(timestamp uint64) bool {
	if n := len(l.transfers); n > 0 && timestamp <= l.transfers[n-1].Timestamp {
		return true
	}
	_, taken := slices.BinarySearchFunc(l.accounts, timestamp, func(a *ledger.Account, at uint64) int { return order(a.Timestamp, at) })
	return taken
}

func (l *Ledger) transferAt(timestamp uint64) bool {
	_, taken := slices.BinarySearchFunc(l.transfers, timestamp, func(e *entry, at uint64) int { return order(e.Timestamp, at) })
	return taken
}

func order(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func least(a, b ledger.Uint128) ledger.Uint128 {
	if b.Less(a) {
		return b
	}
	return a
}

func overflows(a, b ledger.Uint128) bool {
	_, over := a.Add(b)
	return over
}

// sum adds what is known not to overflow.
func sum(a, b ledger.Uint128) ledger.Uint128 {
	s, over := a.Add(b)
	if over {
		panic("model: a sum of balances overflows")
	}
	return s
}

func difference(a, b ledger.Uint128) ledger.Uint128 {
	d, below := a.Sub(b)
	if below {
		panic("model: more is released than was reserved")
	}
	return d
}
