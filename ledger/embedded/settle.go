package embedded

import "github.com/suanpan-bank/suanpan/ledger"

// settle posts or voids a pending transfer: all of what it reserved is released, and a post moves
// up to that much.
func (e *Engine) settle(t *ledger.Transfer, at uint64) ledger.CreateTransferResult {
	refuse := func(status ledger.CreateTransferStatus) ledger.CreateTransferResult {
		return ledger.CreateTransferResult{Timestamp: at, Status: status}
	}
	if status := wellFormedSettlement(t); status != ledger.TransferCreated {
		return refuse(status)
	}
	pendingRow, what := e.findTransfer(t.PendingID)
	if what != isTransfer {
		return refuse(ledger.TransferPendingTransferNotFound)
	}
	var space transferRow
	p := *e.transfers.get(pendingRow, &space)
	if p.stored&ledger.TransferPending == 0 {
		return refuse(ledger.TransferPendingTransferNotPending)
	}
	settlement, whole := *t, e.transferOf(&p)
	inherit(&settlement, &whole)
	if status := matches(&settlement, &whole); status != ledger.TransferCreated {
		return refuse(status)
	}
	var dr, cr party
	e.take(&dr, p.debit)
	e.take(&cr, p.credit)
	if status := e.open(t, at, &p, &dr, &cr); status != ledger.TransferCreated {
		return refuse(status)
	}
	if t.Flags&ledger.TransferImported != 0 {
		at = t.Timestamp
	}

	if t.Flags&ledger.TransferPostPending != 0 {
		e.release(&p, &dr, &cr, whole.Amount, posted)
		dr.debitsPosted, _ = dr.debitsPosted.Add(settlement.Amount)
		cr.creditsPosted, _ = cr.creditsPosted.Add(settlement.Amount)
	} else {
		e.release(&p, &dr, &cr, whole.Amount, voided)
		p.reopen(&dr, &cr)
	}
	if e.chain.recording {
		e.chain.settled = append(e.chain.settled, p.pending-1)
	}
	e.record(&settlement, settlement.Amount, at, &dr, &cr, pendingRow+1)
	return ledger.CreateTransferResult{Timestamp: at, Status: ledger.TransferCreated}
}

// wellFormedSettlement judges what can be judged from the post or void alone.
func wellFormedSettlement(t *ledger.Transfer) ledger.CreateTransferStatus {
	switch {
	case t.Flags&settles == settles, t.Flags&(ledger.TransferPending|balancing|closing) != 0:
		return ledger.TransferFlagsAreMutuallyExclusive
	case t.PendingID.IsZero():
		return ledger.TransferPendingIDMustNotBeZero
	case t.PendingID == ledger.AmountMax:
		return ledger.TransferPendingIDMustNotBeIntMax
	case t.PendingID == t.ID:
		return ledger.TransferPendingIDMustBeDifferent
	case t.Timeout != 0:
		return ledger.TransferTimeoutReservedForPendingTransfer
	}
	return ledger.TransferCreated
}

// inherit fills what a post or void leaves out from the pending transfer. A void of 0 and a post
// of AmountMax mean all of it; a post of 0 posts nothing.
func inherit(t, p *ledger.Transfer) {
	if t.DebitAccountID.IsZero() {
		t.DebitAccountID = p.DebitAccountID
	}
	if t.CreditAccountID.IsZero() {
		t.CreditAccountID = p.CreditAccountID
	}
	if t.Flags&ledger.TransferVoidPending != 0 && t.Amount.IsZero() ||
		t.Flags&ledger.TransferPostPending != 0 && t.Amount == ledger.AmountMax {
		t.Amount = p.Amount
	}
	if t.UserData128.IsZero() {
		t.UserData128 = p.UserData128
	}
	if t.UserData64 == 0 {
		t.UserData64 = p.UserData64
	}
	if t.UserData32 == 0 {
		t.UserData32 = p.UserData32
	}
	if t.Ledger == 0 {
		t.Ledger = p.Ledger
	}
	if t.Code == 0 {
		t.Code = p.Code
	}
}

// matches compares a filled-in post or void with the pending transfer.
func matches(t, p *ledger.Transfer) ledger.CreateTransferStatus {
	switch {
	case t.DebitAccountID != p.DebitAccountID:
		return ledger.TransferPendingTransferHasDifferentDebitAccountID
	case t.CreditAccountID != p.CreditAccountID:
		return ledger.TransferPendingTransferHasDifferentCreditAccountID
	case t.Ledger != p.Ledger:
		return ledger.TransferPendingTransferHasDifferentLedger
	case t.Code != p.Code:
		return ledger.TransferPendingTransferHasDifferentCode
	case p.Amount.Less(t.Amount):
		return ledger.TransferExceedsPendingTransferAmount
	case t.Flags&ledger.TransferVoidPending != 0 && t.Amount.Less(p.Amount):
		return ledger.TransferPendingTransferHasDifferentAmount
	}
	return ledger.TransferCreated
}

// open judges whether the pending transfer p can still be settled by t at timestamp at.
func (e *Engine) open(t *ledger.Transfer, at uint64, p *transferRow, dr, cr *party) ledger.CreateTransferStatus {
	switch *e.pendings.at(p.pending - 1) {
	case posted:
		return ledger.TransferPendingTransferAlreadyPosted
	case voided:
		return ledger.TransferPendingTransferAlreadyVoided
	case expired:
		return ledger.TransferPendingTransferExpired
	}
	// The clock decides, not the sweep: what is overdue can't be posted while it waits for a pulse.
	if p.timeout != 0 && p.expiresAt() <= at {
		return ledger.TransferPendingTransferExpired
	}
	if t.Flags&ledger.TransferImported != 0 && e.transferRegresses(t.Timestamp) {
		return ledger.TransferImportedEventTimestampMustNotRegress
	}
	// A void gives money back and may reopen the account, so it is always allowed.
	if t.Flags&ledger.TransferPostPending != 0 {
		if dr.account.flags&ledger.AccountClosed != 0 {
			return ledger.TransferDebitAccountAlreadyClosed
		}
		if cr.account.flags&ledger.AccountClosed != 0 {
			return ledger.TransferCreditAccountAlreadyClosed
		}
	}
	return ledger.TransferCreated
}

// expiresAt is when a pending transfer with a timeout is over, in ns.
func (p *transferRow) expiresAt() uint64 { return p.timestamp + uint64(p.timeout)*nsPerSecond }

// expire ends a pending transfer whose time is over.
func (e *Engine) expire(transfer uint32, timestamp uint64) {
	var space transferRow
	p := *e.transfers.get(transfer, &space)
	var dr, cr party
	e.take(&dr, p.debit)
	e.take(&cr, p.credit)
	e.release(&p, &dr, &cr, e.amountOf(&p), expired)
	p.reopen(&dr, &cr)
	e.put(&dr)
	e.put(&cr)

	_, x := e.expiries.add()
	*x = expiryRow{timestamp: timestamp, transfer: transfer, closed: closedSides(&dr, &cr)}
	x.balances, x.wide = e.keep(&dr.sums, &cr.sums, ledger.Uint128{})
}

// release takes a pending transfer's reservation off its parties' sums, and touches their accounts.
func (e *Engine) release(p *transferRow, dr, cr *party, amount ledger.Uint128, state pendingState) {
	e.touch(p.debit)
	e.touch(p.credit)
	var below, under bool
	dr.debitsPending, below = dr.debitsPending.Sub(amount)
	cr.creditsPending, under = cr.creditsPending.Sub(amount)
	if below || under {
		panic("embedded: a pending transfer releases more than its account has reserved")
	}
	e.setPending(p.pending-1, state)
	if p.timeout != 0 {
		e.expiring.waiting--
	}
}

// reopen takes back the closing a pending transfer did.
func (p *transferRow) reopen(dr, cr *party) {
	if p.stored&ledger.TransferClosingDebit != 0 {
		dr.account.flags &^= ledger.AccountClosed
	}
	if p.stored&ledger.TransferClosingCredit != 0 {
		cr.account.flags &^= ledger.AccountClosed
	}
}

// addPending starts the life of the pending transfer that is recorded next and returns its row + 1.
func (e *Engine) addPending(t *ledger.Transfer, timestamp uint64) uint32 {
	n, state := e.pendings.add()
	*state = waiting
	if t.Timeout != 0 {
		e.fresh = append(e.fresh, expiryEntry{timestamp + uint64(t.Timeout)*nsPerSecond, e.transfers.n})
		e.expiring.waiting++
	}
	return n + 1
}
