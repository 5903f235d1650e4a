package embedded

import (
	"sort"

	"github.com/suanpan-bank/suanpan/ledger"
)

// reading is a read under way. It holds the engine's lock for a few rows at a time, so that a long one
// doesn't hold up the writers: rows never change once written, and lists only grow at the end.
type reading struct {
	e     *Engine
	steps int
	space transferRow
}

// yieldEvery is after how many rows a reading lets writers in. Rows may come from the disk.
const yieldEvery = 64

func (e *Engine) read() *reading {
	e.mu.RLock()
	if e.closed {
		defer e.mu.RUnlock()
		panic(ledger.ErrClosed) // see yield
	}
	return &reading{e: e}
}

func (r *reading) end() { r.e.mu.RUnlock() }

// yield lets writers in now and then.
func (r *reading) yield(every int) {
	if r.steps++; r.steps%every != 0 {
		return
	}
	r.e.mu.RUnlock()
	r.e.mu.RLock()
	if r.e.closed {
		panic(ledger.ErrClosed) // its files are gone; answered by caught
	}
}

// transfer returns a transfer's row, valid until the next call.
func (r *reading) transfer(row uint32) *transferRow {
	r.yield(yieldEvery)
	return r.e.transfers.get(row, &r.space)
}

// span is a checked range of time with both bounds set, inclusive.
type span struct{ from, to uint64 }

func spanOf(from, to uint64) (span, bool) {
	if from > timestampMax || to > timestampMax {
		return span{}, false
	}
	s := span{from, to}
	if s.to == 0 {
		s.to = timestampMax
	}
	return s, s.from <= s.to
}

func (s span) holds(timestamp uint64) bool { return s.from <= timestamp && timestamp <= s.to }

// accountQuery is a valid AccountFilter.
type accountQuery struct {
	ledger.AccountFilter
	span
	account uint32 // row
}

func newAccountQuery(f ledger.AccountFilter) (accountQuery, bool) {
	const sidesKnown = ledger.AccountFilterDebits | ledger.AccountFilterCredits
	s, ok := spanOf(f.TimestampMin, f.TimestampMax)
	ok = ok && !f.AccountID.IsZero() && f.AccountID != ledger.AmountMax && f.Limit > 0 &&
		f.Flags&sidesKnown != 0 && f.Flags&^(sidesKnown|ledger.AccountFilterReversed) == 0
	return accountQuery{AccountFilter: f, span: s}, ok
}

func (q *accountQuery) matches(t *transferRow) bool {
	return q.holds(t.timestamp) &&
		(q.Flags&ledger.AccountFilterDebits != 0 && t.debit == q.account ||
			q.Flags&ledger.AccountFilterCredits != 0 && t.credit == q.account) &&
		(q.UserData128.IsZero() || q.UserData128 == t.userData128) &&
		(q.UserData64 == 0 || q.UserData64 == t.userData64) &&
		(q.UserData32 == 0 || q.UserData32 == t.userData32) &&
		(q.Code == 0 || q.Code == t.code)
}

// each calls visit for the transfers of the query's account that it matches, in its order, until the limit.
func (q *accountQuery) each(r *reading, visit func(t *transferRow)) {
	left := int(q.Limit)
	take := func(t *transferRow) bool {
		if q.matches(t) {
			visit(t)
			left--
		}
		return left > 0
	}
	if q.Flags&ledger.AccountFilterReversed != 0 {
		q.newestFirst(r, take)
	} else {
		q.oldestFirst(r, take)
	}
}

// newestFirst offers an account's transfers from the newest in the span, perhaps some newer ones.
func (q *accountQuery) newestFirst(r *reading, take func(t *transferRow) bool) {
	start := r.e.accounts.at(q.account).last
	for m := r.e.mark(r.e.details.at(q.account).lastMark); m.ordinal != 0 && m.timestamp > q.to; {
		start = m.transfer
		if over := r.e.mark(m.jump); over.ordinal != 0 && over.timestamp > q.to {
			m = over
		} else {
			m = r.e.mark(m.previous)
		}
	}
	for reference := start; reference != 0; {
		t := r.transfer(reference - 1)
		reference = t.previous(q.account)
		if t.timestamp < q.from || !take(t) {
			return
		}
	}
}

// oldestFirst offers an account's transfers from the oldest in the span, perhaps some older ones. It goes
// from mark to mark and turns each run between them around.
func (q *accountQuery) oldestFirst(r *reading, take func(t *transferRow) bool) {
	var run [markEvery]transferRow
	offer := func(end uint32, length int) bool {
		for i := range length {
			run[length-1-i] = *r.transfer(end - 1)
			end = run[length-1-i].previous(q.account)
		}
		for i := range length {
			if run[i].timestamp > q.to || !take(&run[i]) {
				return false
			}
		}
		return true
	}
	account, last := *r.e.accounts.at(q.account), r.e.mark(r.e.details.at(q.account).lastMark)
	oldest := mark{ordinal: last.ordinal + 1} // of those from the span on; here: none, only what follows the last
	for m := last; m.ordinal != 0 && m.timestamp >= q.from; {
		oldest = m
		if over := r.e.mark(m.jump); over.ordinal != 0 && over.timestamp >= q.from {
			m = over
		} else {
			m = r.e.mark(m.previous)
		}
	}
	for ordinal := oldest.ordinal; ordinal <= last.ordinal; ordinal++ {
		if !offer(r.e.markAt(last, ordinal).transfer, markEvery) {
			return
		}
	}
	offer(account.last, int(account.count%markEvery))
}

// markAt goes back from a mark to the one with this ordinal.
func (e *Engine) markAt(m mark, ordinal uint32) mark {
	for m.ordinal > ordinal {
		if over := e.mark(m.jump); over.ordinal >= ordinal {
			m = over
		} else {
			m = e.mark(m.previous)
		}
	}
	return m
}

// previous is the account's transfer before t, row + 1.
func (t *transferRow) previous(account uint32) uint32 {
	if t.debit == account {
		return t.previousDebit
	}
	return t.previousCredit
}

// fieldQuery is a valid QueryFilter.
type fieldQuery struct {
	ledger.QueryFilter
	span
}

func newFieldQuery(f ledger.QueryFilter) (fieldQuery, bool) {
	s, ok := spanOf(f.TimestampMin, f.TimestampMax)
	return fieldQuery{f, s}, ok && f.Limit > 0 && f.Flags&^ledger.QueryFilterReversed == 0
}

func (q *fieldQuery) reversed() bool { return q.Flags&ledger.QueryFilterReversed != 0 }

func (q *fieldQuery) matches(user128 ledger.Uint128, user64 uint64, user32, book uint32, code uint16, timestamp uint64) bool {
	return q.holds(timestamp) &&
		(q.UserData128.IsZero() || q.UserData128 == user128) &&
		(q.UserData64 == 0 || q.UserData64 == user64) &&
		(q.UserData32 == 0 || q.UserData32 == user32) &&
		(q.Ledger == 0 || q.Ledger == book) &&
		(q.Code == 0 || q.Code == code)
}

// scan offers the rows from low to high (exclusive) in the query's order until take refuses more.
func (q *fieldQuery) scan(low, high uint32, take func(row uint32) bool) bool {
	for i := range high - low {
		row := low + i
		if q.reversed() {
			row = high - 1 - i
		}
		if !take(row) {
			return false
		}
	}
	return true
}

// transferFrom returns the first transfer row with at least this timestamp, or the row count.
func (e *Engine) transferFrom(timestamp uint64) uint32 {
	block := sort.Search(len(e.fences), func(i int) bool { return e.fences[i] >= timestamp })
	if block == 0 {
		return 0
	}
	first := uint32(block-1) << blockShift
	var space transferRow
	return first + uint32(sort.Search(int(min(blockRows, e.transfers.n-first)), func(i int) bool {
		return e.transfers.get(first+uint32(i), &space).timestamp >= timestamp
	}))
}

func (e *Engine) transferAt(timestamp uint64) bool {
	row := e.transferFrom(timestamp)
	var space transferRow
	return row < e.transfers.n && e.transfers.get(row, &space).timestamp == timestamp
}

func (e *Engine) accountFrom(timestamp uint64) uint32 {
	return uint32(sort.Search(int(e.accounts.n), func(i int) bool { return e.details.at(uint32(i)).timestamp >= timestamp }))
}

func (e *Engine) expiryFrom(timestamp uint64) uint32 {
	var space expiryRow
	return uint32(sort.Search(int(e.expiries.n), func(i int) bool {
		return e.expiries.get(uint32(i), &space).timestamp >= timestamp
	}))
}

func (e *Engine) expiredAt(timestamp uint64) bool {
	row := e.expiryFrom(timestamp)
	var space expiryRow
	return row < e.expiries.n && e.expiries.get(row, &space).timestamp == timestamp
}

// accountTransfers and the following take their locks themselves.
func (e *Engine) accountTransfers(q accountQuery) (out []ledger.Transfer) {
	r := e.read()
	defer r.end()
	var ok bool
	if q.account, ok = e.findAccount(q.AccountID); ok {
		q.each(r, func(t *transferRow) { out = append(out, e.transferOf(t)) })
	}
	return out
}

func (e *Engine) accountBalances(q accountQuery) (out []ledger.AccountBalance) {
	r := e.read()
	defer r.end()
	var ok bool
	if q.account, ok = e.findAccount(q.AccountID); !ok || e.accounts.at(q.account).flags&ledger.AccountHistory == 0 {
		return nil
	}
	q.each(r, func(t *transferRow) {
		all := e.kept(&t.balances, t.wide)
		own := all[:4]
		if t.credit == q.account {
			own = all[4:]
		}
		out = append(out, ledger.AccountBalance{
			DebitsPending: own[0], DebitsPosted: own[1], CreditsPending: own[2], CreditsPosted: own[3],
			Timestamp: t.timestamp,
		})
	})
	return out
}

func (e *Engine) queryTransfers(q fieldQuery) (out []ledger.Transfer) {
	r := e.read()
	defer r.end()
	take := func(row uint32) bool {
		t := r.transfer(row)
		if q.matches(t.userData128, t.userData64, t.userData32, t.ledger, t.code, t.timestamp) {
			out = append(out, e.transferOf(t))
		}
		return len(out) < int(q.Limit)
	}
	e.fields.candidates(&q, e.transferFrom(q.from), e.transferFrom(q.to+1), take)
	return out
}

// accountsYieldEvery is yieldEvery for accounts, which are all in memory.
const accountsYieldEvery = 4096

// queryAccounts finds the accounts first, by fields that never change, and then reads them all at once:
// balances do change, and those of one answer belong to one moment.
func (e *Engine) queryAccounts(q fieldQuery) []ledger.Account {
	r := e.read()
	defer r.end()
	var rows []uint32
	take := func(row uint32) bool {
		r.yield(accountsYieldEvery)
		d := e.details.at(row)
		if q.matches(d.userData128, d.userData64, d.userData32, e.accounts.at(row).ledger, d.code, d.timestamp) {
			rows = append(rows, row)
		}
		return len(rows) < int(q.Limit)
	}
	low, high := e.accountFrom(q.from), e.accountFrom(q.to+1)
	if q.UserData128.IsZero() {
		q.scan(low, high, take)
	} else {
		rows = e.accountsOf(&q, low, high)
	}
	out := make([]ledger.Account, len(rows))
	for i, row := range rows {
		out[i] = e.account(row)
	}
	return out
}

// accountsOf follows the accounts with one UserData128, which are linked from the newest back.
func (e *Engine) accountsOf(q *fieldQuery, low, high uint32) (rows []uint32) {
	for reference := e.newestAccountOf(q.UserData128); reference > low; reference = e.details.at(reference - 1).previousUser {
		row := reference - 1
		d := e.details.at(row)
		if row < high && q.matches(d.userData128, d.userData64, d.userData32, e.accounts.at(row).ledger, d.code, d.timestamp) {
			rows = append(rows, row)
		}
	}
	if !q.reversed() {
		for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
			rows[i], rows[j] = rows[j], rows[i]
		}
	}
	return rows[:min(len(rows), int(q.Limit))]
}

// changeEvents merges the transfers with the expiries by time. Both are in order by themselves;
// together they need not have been appended in it, since imported transfers bring their own time.
func (e *Engine) changeEvents(s span, limit uint32) (out []ledger.ChangeEvent) {
	r := e.read()
	defer r.end()
	transfer, expiry := e.transferFrom(s.from), e.expiryFrom(s.from)
	for len(out) < int(limit) {
		const never = ^uint64(0)
		var lapse expiryRow
		made, lapsed := never, never
		if transfer < e.transfers.n {
			made = r.transfer(transfer).timestamp
		}
		if expiry < e.expiries.n {
			lapse = *e.expiries.get(expiry, &lapse)
			lapsed = lapse.timestamp
		}
		if min(made, lapsed) > s.to {
			break
		}
		if made < lapsed {
			t := *r.transfer(transfer)
			out = append(out, e.changeEvent(changeType(t.stored), made, &t, t.stored, &t.balances, t.wide))
			transfer++
		} else {
			t := *r.transfer(lapse.transfer)
			out = append(out, e.changeEvent(ledger.ChangeTwoPhaseExpired, lapsed, &t, lapse.closed, &lapse.balances, lapse.wide))
			expiry++
		}
	}
	return out
}

func changeType(flags ledger.TransferFlags) ledger.ChangeEventType {
	switch {
	case flags&ledger.TransferPending != 0:
		return ledger.ChangeTwoPhasePending
	case flags&ledger.TransferPostPending != 0:
		return ledger.ChangeTwoPhasePosted
	case flags&ledger.TransferVoidPending != 0:
		return ledger.ChangeTwoPhaseVoided
	}
	return ledger.ChangeSinglePhase
}

func (e *Engine) changeEvent(kind ledger.ChangeEventType, timestamp uint64, t *transferRow, closed ledger.TransferFlags, b *balances, wide uint32) ledger.ChangeEvent {
	all := e.kept(b, wide)
	whole := e.transferOf(t)
	return ledger.ChangeEvent{
		Type:          kind,
		Timestamp:     timestamp,
		Ledger:        whole.Ledger,
		Transfer:      whole,
		DebitAccount:  accountThen(e.account(t.debit), all[:4], closed&debitClosed != 0),
		CreditAccount: accountThen(e.account(t.credit), all[4:], closed&creditClosed != 0),
	}
}

// accountThen is an account with the balances and the closed flag it had at an event.
func accountThen(a ledger.Account, balances []ledger.Uint128, closed bool) ledger.Account {
	a.DebitsPending, a.DebitsPosted = balances[0], balances[1]
	a.CreditsPending, a.CreditsPosted = balances[2], balances[3]
	a.Flags &^= ledger.AccountClosed
	if closed {
		a.Flags |= ledger.AccountClosed
	}
	return a
}
