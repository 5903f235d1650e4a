package embedded

import "github.com/suanpan-bank/suanpan/ledger"

// An account's transfers are strung together, newest first, through the links in their rows. Every markEvery-th
// leaves a mark, so that a reader finds a time in the list of a busy account, or its oldest end, without walking it.

// mark is the end of a run of markEvery transfers of one account. Marks are linked from the newest
// back, and each has a second link that jumps over a part of those before it, laid out so that any of n
// marks is reached in O(log n) steps (E. Myers, An applicative random-access stack, 1983). So a mark
// never changes and may lie on disk.
type mark struct {
	timestamp      uint64 // of the transfer
	transfer       uint32 // row + 1
	ordinal        uint32 // 1, 2, 3 … within the account
	previous, jump uint32 // row + 1
}

const markEvery = 64

// balances of both accounts just after an event: debits pending, debits posted, credits pending,
// credits posted of the debit account, then of the credit account. They are good only where no wide
// row is given: it has those that don't fit.
type balances [8]uint64

// wideBalances are balances and an amount of which at least one is beyond 64 bits.
type wideBalances struct {
	balances [8]ledger.Uint128
	amount   ledger.Uint128
}

// record appends a transfer between two parties whose sums are already as it leaves them, puts those into the accounts
// and enters it in the indexes. Both accounts have been touched.
func (e *Engine) record(t *ledger.Transfer, amount ledger.Uint128, timestamp uint64, dr, cr *party, pending uint32) {
	e.put(dr)
	e.put(cr)
	n, row := e.transfers.add()
	*row = transferRow{
		id:             t.ID,
		userData128:    t.UserData128,
		timestamp:      timestamp,
		userData64:     t.UserData64,
		amount:         amount.Lo,
		debit:          dr.row,
		credit:         cr.row,
		previousDebit:  dr.account.last,
		previousCredit: cr.account.last,
		pending:        pending,
		userData32:     t.UserData32,
		timeout:        t.Timeout,
		code:           t.Code,
		ledger:         dr.account.ledger,
		stored:         t.Flags | closedSides(dr, cr),
	}
	row.balances, row.wide = e.keep(&dr.sums, &cr.sums, amount)
	if n&(blockRows-1) == 0 {
		e.fences = append(e.fences, timestamp)
	}
	reference := n + 1
	e.enlist(dr, reference, timestamp)
	e.enlist(cr, reference, timestamp)
	e.transferIDs.insertAt(e.id.hash, reference, e.id.place)
}

func (e *Engine) enlist(p *party, reference uint32, timestamp uint64) {
	a := p.account
	a.last = reference
	a.count++
	if a.count%markEvery != 0 {
		return
	}
	d := e.details.at(p.row)
	m := mark{timestamp: timestamp, transfer: reference, ordinal: a.count / markEvery, previous: d.lastMark}
	// A jump as long as the two before it, if those are equally long; else a jump to the one before.
	before := e.mark(d.lastMark)
	over := e.mark(before.jump)
	m.jump = d.lastMark
	if before.ordinal-over.ordinal == over.ordinal-e.mark(over.jump).ordinal {
		m.jump = over.jump
	}
	n, row := e.marks.add()
	*row = m
	d.lastMark = n + 1
}

// mark returns the mark with this reference; the one before the first is all zero.
func (e *Engine) mark(reference uint32) mark {
	if reference == 0 {
		return mark{}
	}
	var space mark
	return *e.marks.get(reference-1, &space)
}

func closedSides(dr, cr *party) ledger.TransferFlags {
	var closed ledger.TransferFlags
	if dr.account.flags&ledger.AccountClosed != 0 {
		closed |= debitClosed
	}
	if cr.account.flags&ledger.AccountClosed != 0 {
		closed |= creditClosed
	}
	return closed
}

// keep notes balances and amount: eight words, or a wide row (+ 1) where they don't fit.
func (e *Engine) keep(dr, cr *sums, amount ledger.Uint128) (b balances, wide uint32) {
	if !dr.wide() && !cr.wide() && amount.Hi == 0 {
		return balances{
			dr.debitsPending.Lo, dr.debitsPosted.Lo, dr.creditsPending.Lo, dr.creditsPosted.Lo,
			cr.debitsPending.Lo, cr.debitsPosted.Lo, cr.creditsPending.Lo, cr.creditsPosted.Lo,
		}, 0
	}
	n, w := e.wide.add()
	*w = wideBalances{
		balances: [8]ledger.Uint128{
			dr.debitsPending, dr.debitsPosted, dr.creditsPending, dr.creditsPosted,
			cr.debitsPending, cr.debitsPosted, cr.creditsPending, cr.creditsPosted,
		},
		amount: amount,
	}
	return balances{}, n + 1
}

// kept is the reverse of keep.
func (e *Engine) kept(b *balances, wide uint32) (all [8]ledger.Uint128) {
	if wide != 0 {
		var space wideBalances
		return e.wide.get(wide-1, &space).balances
	}
	for i, v := range b {
		all[i].Lo = v
	}
	return all
}

func (e *Engine) amountOf(t *transferRow) ledger.Uint128 {
	if t.wide != 0 {
		var space wideBalances
		return e.wide.get(t.wide-1, &space).amount
	}
	return ledger.U64(t.amount)
}
