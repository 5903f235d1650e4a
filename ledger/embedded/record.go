package embedded

import "github.com/suanpan-bank/suanpan/ledger"

// list strings an account's transfers together, newest first, through the links in their rows.
// Every markEvery-th transfer leaves a mark, so that a reader finds a time in the list of a busy
// account, or its oldest end, without walking it.
type list struct {
	last      uint32 // transfer row + 1
	count     uint32
	firstMark uint32 // row + 1
	lastMark  uint32
}

// mark is the end of a run of markEvery transfers of one account.
type mark struct {
	timestamp      uint64 // of the transfer
	transfer       uint32 // row + 1
	previous, next uint32 // row + 1; next is meaningful only below the list's lastMark
}

const markEvery = 64

// balancesRow holds both accounts' balances just after an event: debits pending, debits posted,
// credits pending, credits posted of the debit account, then of the credit account. Amounts below
// 2^63 fen stand there as they are, 32 bytes a side. If any of the eight is larger, the first
// cell is wideBit plus a row of Engine.wide and the others are meaningless.
type balancesRow [8]uint64

type wideBalances [8]ledger.Uint128

const wideBit = 1 << 63

// record appends a transfer between two accounts whose balances are already as it leaves them,
// and enters it in the indexes.
func (e *Engine) record(t *ledger.Transfer, amount ledger.Uint128, timestamp uint64, debit, credit uint32) *transferRow {
	dr, cr := e.accounts.at(debit), e.accounts.at(credit)
	n, row := e.transfers.add()
	*row = transferRow{
		Transfer:       *t,
		debit:          debit,
		credit:         credit,
		previousDebit:  dr.list.last,
		previousCredit: cr.list.last,
		closed:         closedSides(dr, cr),
	}
	row.Amount, row.Timestamp = amount, timestamp
	reference := n + 1
	e.enlist(&dr.list, reference, timestamp)
	e.enlist(&cr.list, reference, timestamp)
	e.transferIDs.insert(hashOf(t.ID), reference)
	row.previousUser = e.linkTransferUser(t.UserData128, reference)

	_, balances := e.balances.add()
	e.keepBalances(balances, &dr.Account, &cr.Account)
	return row
}

func (e *Engine) enlist(l *list, reference uint32, timestamp uint64) {
	l.last = reference
	l.count++
	if l.count%markEvery != 0 {
		return
	}
	n, m := e.marks.add()
	*m = mark{timestamp: timestamp, transfer: reference, previous: l.lastMark}
	if l.lastMark != 0 {
		e.marks.at(l.lastMark - 1).next = n + 1
	} else {
		l.firstMark = n + 1
	}
	l.lastMark = n + 1
}

func (e *Engine) linkTransferUser(user ledger.Uint128, reference uint32) (previous uint32) {
	if user.IsZero() {
		return 0
	}
	if previous = e.newestTransferOf(user); previous != 0 {
		e.transferUsers.replace(hashOf(user), previous, reference)
	} else {
		e.transferUsers.insert(hashOf(user), reference)
	}
	return previous
}

// newestTransferOf returns the newest transfer with a UserData128 as row + 1, or 0.
func (e *Engine) newestTransferOf(user ledger.Uint128) uint32 {
	hash := hashOf(user)
	s := e.transferUsers.shard(hash)
	for reference, next := s.probe(hash, s.home(hash)); reference != 0; reference, next = s.probe(hash, next) {
		if e.transfers.at(reference-1).UserData128 == user {
			return reference
		}
	}
	return 0
}

func closedSides(dr, cr *accountRow) sides {
	var closed sides
	if dr.Flags&ledger.AccountClosed != 0 {
		closed |= debitSide
	}
	if cr.Flags&ledger.AccountClosed != 0 {
		closed |= creditSide
	}
	return closed
}

func (e *Engine) keepBalances(row *balancesRow, dr, cr *ledger.Account) {
	*row = balancesRow{
		dr.DebitsPending.Lo, dr.DebitsPosted.Lo, dr.CreditsPending.Lo, dr.CreditsPosted.Lo,
		cr.DebitsPending.Lo, cr.DebitsPosted.Lo, cr.CreditsPending.Lo, cr.CreditsPosted.Lo,
	}
	high := dr.DebitsPending.Hi | dr.DebitsPosted.Hi | dr.CreditsPending.Hi | dr.CreditsPosted.Hi |
		cr.DebitsPending.Hi | cr.DebitsPosted.Hi | cr.CreditsPending.Hi | cr.CreditsPosted.Hi
	for _, low := range row {
		high |= low & wideBit
	}
	if high == 0 {
		return
	}
	n, w := e.wide.add()
	*w = wideBalances{
		dr.DebitsPending, dr.DebitsPosted, dr.CreditsPending, dr.CreditsPosted,
		cr.DebitsPending, cr.DebitsPosted, cr.CreditsPending, cr.CreditsPosted,
	}
	row[0] = wideBit | uint64(n)
}

// readBalances is the reverse of keepBalances.
func readBalances(row *balancesRow, wide *table[wideBalances]) wideBalances {
	if row[0]&wideBit != 0 {
		return *wide.at(uint32(row[0]))
	}
	var all wideBalances
	for i, v := range row {
		all[i].Lo = v
	}
	return all
}
