package embedded

import "github.com/suanpan-bank/suanpan/ledger"

const (
	transferFlagsKnown = ledger.TransferLinked | ledger.TransferPending | ledger.TransferPostPending |
		ledger.TransferVoidPending | ledger.TransferBalancingDebit | ledger.TransferBalancingCredit |
		ledger.TransferClosingDebit | ledger.TransferClosingCredit | ledger.TransferImported

	settles   = ledger.TransferPostPending | ledger.TransferVoidPending
	balancing = ledger.TransferBalancingDebit | ledger.TransferBalancingCredit
	closing   = ledger.TransferClosingDebit | ledger.TransferClosingCredit
)

// createTransfer judges a transfer at timestamp at and makes it. The order of the checks is the
// order in which faults are reported.
func (e *Engine) createTransfer(t *ledger.Transfer, at uint64) ledger.CreateTransferResult {
	var status ledger.CreateTransferStatus
	switch {
	case t.Flags&^transferFlagsKnown != 0:
		status = ledger.TransferReservedFlag
	case t.ID.IsZero():
		status = ledger.TransferIDMustNotBeZero
	case t.ID == ledger.AmountMax:
		status = ledger.TransferIDMustNotBeIntMax
	default:
		hash := hashOf(t.ID)
		e.id = newID{hash, e.transferIDs.shard(hash).find(tagOf(hash))}
		row, what := e.findTransferFrom(hash, e.id.place, t.ID)
		switch {
		case what == isTransfer:
			was := e.transfer(row)
			if status = e.sameTransfer(t, &was); status == ledger.TransferExists {
				at = was.Timestamp
			}
		case what == isBurnt:
			status = ledger.TransferIDAlreadyFailed
		case t.Flags&settles != 0:
			return e.settle(t, at)
		default:
			return e.move(t, at)
		}
	}
	return ledger.CreateTransferResult{Timestamp: at, Status: status}
}

// move makes a single-phase or a pending transfer.
func (e *Engine) move(t *ledger.Transfer, at uint64) ledger.CreateTransferResult {
	refuse := func(status ledger.CreateTransferStatus) ledger.CreateTransferResult {
		return ledger.CreateTransferResult{Timestamp: at, Status: status}
	}
	if status := wellFormedMove(t); status != ledger.TransferCreated {
		return refuse(status)
	}
	debit, ok := e.findAhead(0, t.DebitAccountID)
	if !ok {
		return refuse(ledger.TransferDebitAccountNotFound)
	}
	credit, ok := e.findAhead(1, t.CreditAccountID)
	if !ok {
		return refuse(ledger.TransferCreditAccountNotFound)
	}
	var dr, cr party
	e.take(&dr, debit)
	e.take(&cr, credit)
	if status := e.acceptableMove(t, &dr, &cr); status != ledger.TransferCreated {
		return refuse(status)
	}
	timestamp := at
	if t.Flags&ledger.TransferImported != 0 {
		timestamp = t.Timestamp
	}
	amount := balanced(t, &dr.sums, &cr.sums)
	if status := affordable(t, amount, timestamp, &dr, &cr); status != ledger.TransferCreated {
		return refuse(status)
	}

	e.touch(debit)
	e.touch(credit)
	e.moved = [2]uint32{debit, credit}
	if t.Flags&ledger.TransferPending != 0 {
		dr.debitsPending, _ = dr.debitsPending.Add(amount)
		cr.creditsPending, _ = cr.creditsPending.Add(amount)
	} else {
		dr.debitsPosted, _ = dr.debitsPosted.Add(amount)
		cr.creditsPosted, _ = cr.creditsPosted.Add(amount)
	}
	if t.Flags&ledger.TransferClosingDebit != 0 {
		dr.account.flags |= ledger.AccountClosed
	}
	if t.Flags&ledger.TransferClosingCredit != 0 {
		cr.account.flags |= ledger.AccountClosed
	}
	var pending uint32
	if t.Flags&ledger.TransferPending != 0 {
		pending = e.addPending(t, timestamp)
	}
	e.record(t, amount, timestamp, &dr, &cr, pending)
	return ledger.CreateTransferResult{Timestamp: timestamp, Status: ledger.TransferCreated}
}

// wellFormedMove judges what can be judged from the transfer alone.
func wellFormedMove(t *ledger.Transfer) ledger.CreateTransferStatus {
	pending := t.Flags&ledger.TransferPending != 0
	switch {
	case t.DebitAccountID.IsZero():
		return ledger.TransferDebitAccountIDMustNotBeZero
	case t.DebitAccountID == ledger.AmountMax:
		return ledger.TransferDebitAccountIDMustNotBeIntMax
	case t.CreditAccountID.IsZero():
		return ledger.TransferCreditAccountIDMustNotBeZero
	case t.CreditAccountID == ledger.AmountMax:
		return ledger.TransferCreditAccountIDMustNotBeIntMax
	case t.DebitAccountID == t.CreditAccountID:
		return ledger.TransferAccountsMustBeDifferent
	case !t.PendingID.IsZero():
		return ledger.TransferPendingIDMustBeZero
	case !pending && t.Timeout != 0:
		return ledger.TransferTimeoutReservedForPendingTransfer
	case !pending && t.Flags&closing != 0:
		return ledger.TransferClosingTransferMustBePending
	case t.Ledger == 0:
		return ledger.TransferLedgerMustNotBeZero
	case t.Code == 0:
		return ledger.TransferCodeMustNotBeZero
	}
	return ledger.TransferCreated
}

// acceptableMove judges a transfer against its accounts, amounts aside.
func (e *Engine) acceptableMove(t *ledger.Transfer, dr, cr *party) ledger.CreateTransferStatus {
	if dr.account.ledger != cr.account.ledger {
		return ledger.TransferAccountsMustHaveTheSameLedger
	}
	if t.Ledger != dr.account.ledger {
		return ledger.TransferTransferMustHaveTheSameLedgerAsAccounts
	}
	if t.Flags&ledger.TransferImported != 0 {
		switch {
		case e.transferRegresses(t.Timestamp):
			return ledger.TransferImportedEventTimestampMustNotRegress
		case t.Timestamp <= e.details.at(dr.row).timestamp:
			return ledger.TransferImportedEventTimestampMustPostdateDebitAccount
		case t.Timestamp <= e.details.at(cr.row).timestamp:
			return ledger.TransferImportedEventTimestampMustPostdateCreditAccount
		case t.Timeout != 0:
			return ledger.TransferImportedEventTimeoutMustBeZero
		}
	}
	if dr.account.flags&ledger.AccountClosed != 0 {
		return ledger.TransferDebitAccountAlreadyClosed
	}
	if cr.account.flags&ledger.AccountClosed != 0 {
		return ledger.TransferCreditAccountAlreadyClosed
	}
	return ledger.TransferCreated
}

// transferRegresses reports whether an imported transfer's timestamp isn't after the newest
// transfer's or is taken.
func (e *Engine) transferRegresses(timestamp uint64) bool {
	if n := e.transfers.n; n > 0 {
		var space transferRow
		if timestamp <= e.transfers.get(n-1, &space).timestamp {
			return true
		}
	}
	row := e.accountFrom(timestamp)
	return row < e.accounts.n && e.details.at(row).timestamp == timestamp || e.expiredAt(timestamp)
}

// balanced cuts a balancing transfer's amount to what its accounts have left, down to zero.
func balanced(t *ledger.Transfer, dr, cr *sums) ledger.Uint128 {
	amount := t.Amount
	if t.Flags&ledger.TransferBalancingDebit != 0 {
		used, _ := dr.debitsPosted.Add(dr.debitsPending)
		amount = smaller(amount, dr.creditsPosted.SubSat(used))
	}
	if t.Flags&ledger.TransferBalancingCredit != 0 {
		used, _ := cr.creditsPosted.Add(cr.creditsPending)
		amount = smaller(amount, cr.debitsPosted.SubSat(used))
	}
	return amount
}

func smaller(a, b ledger.Uint128) ledger.Uint128 {
	if a.Less(b) {
		return a
	}
	return b
}

// affordable judges the amount: nothing may overflow, and the accounts' flags hold afterwards.
func affordable(t *ledger.Transfer, amount ledger.Uint128, timestamp uint64, dr, cr *party) ledger.CreateTransferStatus {
	if t.Flags&ledger.TransferPending != 0 {
		if _, over := dr.debitsPending.Add(amount); over {
			return ledger.TransferOverflowsDebitsPending
		}
		if _, over := cr.creditsPending.Add(amount); over {
			return ledger.TransferOverflowsCreditsPending
		}
	}
	if _, over := dr.debitsPosted.Add(amount); over {
		return ledger.TransferOverflowsDebitsPosted
	}
	if _, over := cr.creditsPosted.Add(amount); over {
		return ledger.TransferOverflowsCreditsPosted
	}
	// Pending and posted together never overflow: every transfer before this one passed here.
	debits, _ := dr.debitsPending.Add(dr.debitsPosted)
	debits, over := debits.Add(amount)
	if over {
		return ledger.TransferOverflowsDebits
	}
	credits, _ := cr.creditsPending.Add(cr.creditsPosted)
	credits, over = credits.Add(amount)
	if over {
		return ledger.TransferOverflowsCredits
	}
	if timestamp+uint64(t.Timeout)*nsPerSecond > timestampMax {
		return ledger.TransferOverflowsTimeout
	}
	if dr.account.flags&ledger.AccountDebitsMustNotExceedCredits != 0 && dr.creditsPosted.Less(debits) {
		return ledger.TransferExceedsCredits
	}
	if cr.account.flags&ledger.AccountCreditsMustNotExceedDebits != 0 && cr.debitsPosted.Less(credits) {
		return ledger.TransferExceedsDebits
	}
	return ledger.TransferCreated
}

// sameTransfer compares t with the transfer of the same id. The timestamp of an imported transfer
// isn't compared.
func (e *Engine) sameTransfer(t, was *ledger.Transfer) ledger.CreateTransferStatus {
	switch {
	case t.Flags != was.Flags:
		return ledger.TransferExistsWithDifferentFlags
	case t.PendingID != was.PendingID:
		return ledger.TransferExistsWithDifferentPendingID
	case t.Timeout != was.Timeout:
		return ledger.TransferExistsWithDifferentTimeout
	case t.Flags&settles != 0:
		row, _ := e.findTransfer(t.PendingID)
		as, p := *t, e.transfer(row)
		inherit(&as, &p)
		return sameContents(&as, was)
	}
	return sameContents(t, was)
}

func sameContents(t, was *ledger.Transfer) ledger.CreateTransferStatus {
	switch {
	case t.DebitAccountID != was.DebitAccountID:
		return ledger.TransferExistsWithDifferentDebitAccountID
	case t.CreditAccountID != was.CreditAccountID:
		return ledger.TransferExistsWithDifferentCreditAccountID
	// A balancing transfer moved at most what was asked for.
	case t.Flags&balancing != 0 && t.Amount.Less(was.Amount),
		t.Flags&balancing == 0 && t.Amount != was.Amount:
		return ledger.TransferExistsWithDifferentAmount
	case t.UserData128 != was.UserData128:
		return ledger.TransferExistsWithDifferentUserData128
	case t.UserData64 != was.UserData64:
		return ledger.TransferExistsWithDifferentUserData64
	case t.UserData32 != was.UserData32:
		return ledger.TransferExistsWithDifferentUserData32
	case t.Ledger != was.Ledger:
		return ledger.TransferExistsWithDifferentLedger
	case t.Code != was.Code:
		return ledger.TransferExistsWithDifferentCode
	}
	return ledger.TransferExists
}
