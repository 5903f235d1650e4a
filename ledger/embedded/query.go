package embedded

import (
	"sort"

	"github.com/suanpan-bank/suanpan/ledger"
)

// view is what a reader of transfers needs, taken under the lock and used without it: rows of
// whole chains never change, so a long scan doesn't hold up the writers.
type view struct {
	transfers table[transferRow]
	balances  table[balancesRow]
	wide      table[wideBalances]
	marks     table[mark]
}

func (e *Engine) view() view { return view{e.transfers, e.balances, e.wide, e.marks} }

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
}

func newAccountQuery(f ledger.AccountFilter) (accountQuery, bool) {
	const sidesKnown = ledger.AccountFilterDebits | ledger.AccountFilterCredits
	s, ok := spanOf(f.TimestampMin, f.TimestampMax)
	ok = ok && !f.AccountID.IsZero() && f.AccountID != ledger.AmountMax && f.Limit > 0 &&
		f.Flags&sidesKnown != 0 && f.Flags&^(sidesKnown|ledger.AccountFilterReversed) == 0
	return accountQuery{f, s}, ok
}

func (q *accountQuery) matches(t *ledger.Transfer) bool {
	return q.holds(t.Timestamp) &&
		(q.Flags&ledger.AccountFilterDebits != 0 && t.DebitAccountID == q.AccountID ||
			q.Flags&ledger.AccountFilterCredits != 0 && t.CreditAccountID == q.AccountID) &&
		(q.UserData128.IsZero() || q.UserData128 == t.UserData128) &&
		(q.UserData64 == 0 || q.UserData64 == t.UserData64) &&
		(q.UserData32 == 0 || q.UserData32 == t.UserData32) &&
		(q.Code == 0 || q.Code == t.Code)
}

// eachOfAccount calls visit for the transfer rows of an account that the query matches, in its
// order, until the limit.
func (v *view) eachOfAccount(q *accountQuery, account uint32, l list, visit func(row uint32)) {
	left := int(q.Limit)
	take := func(row uint32) bool {
		if q.matches(&v.transfers.at(row).Transfer) {
			visit(row)
			left--
		}
		return left > 0
	}
	if q.Flags&ledger.AccountFilterReversed != 0 {
		v.newestFirst(account, l, q.span, take)
	} else {
		v.oldestFirst(account, l, q.span, take)
	}
}

// newestFirst offers an account's transfers from the newest in the span, perhaps some newer ones.
func (v *view) newestFirst(account uint32, l list, s span, take func(row uint32) bool) {
	start := l.last
	for m := l.lastMark; m != 0; {
		at := v.marks.at(m - 1)
		if at.timestamp <= s.to {
			break
		}
		start, m = at.transfer, at.previous
	}
	for reference := start; reference != 0; reference = v.previous(account, reference) {
		if v.transfers.at(reference-1).Timestamp < s.from || !take(reference-1) {
			return
		}
	}
}

// oldestFirst offers an account's transfers from the oldest in the span, perhaps some older ones.
// It goes from mark to mark and turns each run between them around.
func (v *view) oldestFirst(account uint32, l list, s span, take func(row uint32) bool) {
	var run [markEvery]uint32
	offer := func(end uint32, length int) bool {
		for i := range length {
			run[length-1-i] = end
			end = v.previous(account, end)
		}
		for _, reference := range run[:length] {
			if v.transfers.at(reference-1).Timestamp > s.to || !take(reference-1) {
				return false
			}
		}
		return true
	}
	for m := l.firstMark; m != 0; {
		at := v.marks.at(m - 1)
		if at.timestamp >= s.from && !offer(at.transfer, markEvery) {
			return
		}
		if m == l.lastMark {
			break
		}
		m = at.next
	}
	offer(l.last, int(l.count%markEvery))
}

func (v *view) previous(account, reference uint32) uint32 {
	t := v.transfers.at(reference - 1)
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

func (q *fieldQuery) matchesTransfer(t *ledger.Transfer) bool {
	return q.matches(t.UserData128, t.UserData64, t.UserData32, t.Ledger, t.Code, t.Timestamp)
}

func (q *fieldQuery) matchesAccount(a *ledger.Account) bool {
	return q.matches(a.UserData128, a.UserData64, a.UserData32, a.Ledger, a.Code, a.Timestamp)
}

func (q *fieldQuery) matches(user128 ledger.Uint128, user64 uint64, user32, book uint32, code uint16, timestamp uint64) bool {
	return q.holds(timestamp) &&
		(q.UserData128.IsZero() || q.UserData128 == user128) &&
		(q.UserData64 == 0 || q.UserData64 == user64) &&
		(q.UserData32 == 0 || q.UserData32 == user32) &&
		(q.Ledger == 0 || q.Ledger == book) &&
		(q.Code == 0 || q.Code == code)
}

// scan offers the rows from low to high (exclusive) in the query's order until take has accepted
// as many as the limit.
func (q *fieldQuery) scan(low, high uint32, take func(row uint32) bool) {
	left := int(q.Limit)
	for i := range high - low {
		row := low + i
		if q.reversed() {
			row = high - 1 - i
		}
		if take(row) {
			if left--; left == 0 {
				return
			}
		}
	}
}

// follow walks the rows with one UserData128, which are linked from the newest back, and returns
// those in the query's order that match, at most the limit.
func (q *fieldQuery) follow(newest uint32, previous func(reference uint32) uint32, match func(row uint32) bool) []uint32 {
	limit := int(q.Limit)
	var rows []uint32 // in walking order; of the oldest limit rows, as a ring, when those are asked for
	n := 0
	for reference := newest; reference != 0; reference = previous(reference) {
		if !match(reference - 1) {
			continue
		}
		if n < limit {
			rows = append(rows, reference-1)
		} else if q.reversed() {
			break
		} else {
			rows[n%limit] = reference - 1
		}
		n++
	}
	if q.reversed() {
		return rows
	}
	ordered := make([]uint32, len(rows))
	for i := range ordered {
		ordered[i] = rows[(n-1-i)%limit]
	}
	return ordered
}

// transferFrom returns the first transfer row with at least this timestamp, or the row count.
func (e *Engine) transferFrom(timestamp uint64) uint32 { return transferFrom(&e.transfers, timestamp) }

func transferFrom(t *table[transferRow], timestamp uint64) uint32 {
	return uint32(sort.Search(int(t.n), func(i int) bool { return t.at(uint32(i)).Timestamp >= timestamp }))
}

func (e *Engine) accountFrom(timestamp uint64) uint32 {
	return uint32(sort.Search(int(e.accounts.n), func(i int) bool { return e.accounts.at(uint32(i)).Timestamp >= timestamp }))
}

func (e *Engine) expiryFrom(timestamp uint64) uint32 {
	return uint32(sort.Search(int(e.expiries.n), func(i int) bool { return e.expiries.at(uint32(i)).timestamp >= timestamp }))
}

func (e *Engine) expiredAt(timestamp uint64) bool {
	row := e.expiryFrom(timestamp)
	return row < e.expiries.n && e.expiries.at(row).timestamp == timestamp
}

// accountTransfers and the following take their locks themselves.
func (e *Engine) accountTransfers(q accountQuery) []ledger.Transfer {
	account, l, v, ok := e.listOf(q.AccountID, 0)
	if !ok {
		return nil
	}
	var out []ledger.Transfer
	v.eachOfAccount(&q, account, l, func(row uint32) { out = append(out, v.transfers.at(row).Transfer) })
	return out
}

func (e *Engine) accountBalances(q accountQuery) []ledger.AccountBalance {
	account, l, v, ok := e.listOf(q.AccountID, ledger.AccountHistory)
	if !ok {
		return nil
	}
	var out []ledger.AccountBalance
	v.eachOfAccount(&q, account, l, func(row uint32) {
		t := v.transfers.at(row)
		side := readBalances(v.balances.at(row), &v.wide)
		own := side[:4]
		if t.credit == account {
			own = side[4:]
		}
		out = append(out, ledger.AccountBalance{
			DebitsPending: own[0], DebitsPosted: own[1], CreditsPending: own[2], CreditsPosted: own[3],
			Timestamp: t.Timestamp,
		})
	})
	return out
}

// listOf returns an account's list and a view to read it with, if the account has these flags.
func (e *Engine) listOf(id ledger.Uint128, flags ledger.AccountFlags) (account uint32, l list, v view, ok bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	account, ok = e.findAccount(id)
	if !ok || e.accounts.at(account).Flags&flags != flags {
		return 0, list{}, view{}, false
	}
	return account, e.accounts.at(account).list, e.view(), true
}

func (e *Engine) queryTransfers(q fieldQuery) []ledger.Transfer {
	e.mu.RLock()
	v := e.view()
	newest := uint32(0)
	if !q.UserData128.IsZero() {
		newest = e.newestTransferOf(q.UserData128)
	}
	e.mu.RUnlock()

	var out []ledger.Transfer
	if !q.UserData128.IsZero() {
		rows := q.follow(newest,
			func(reference uint32) uint32 { return v.transfers.at(reference - 1).previousUser },
			func(row uint32) bool { return q.matchesTransfer(&v.transfers.at(row).Transfer) })
		for _, row := range rows {
			out = append(out, v.transfers.at(row).Transfer)
		}
		return out
	}
	q.scan(transferFrom(&v.transfers, q.from), transferFrom(&v.transfers, q.to+1), func(row uint32) bool {
		t := &v.transfers.at(row).Transfer
		if !q.matchesTransfer(t) {
			return false
		}
		out = append(out, *t)
		return true
	})
	return out
}

// queryAccounts holds the lock throughout: balances change in place, and those of one answer
// belong to one moment.
func (e *Engine) queryAccounts(q fieldQuery) []ledger.Account {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var out []ledger.Account
	if !q.UserData128.IsZero() {
		rows := q.follow(e.newestAccountOf(q.UserData128),
			func(reference uint32) uint32 { return e.accounts.at(reference - 1).previousUser },
			func(row uint32) bool { return q.matchesAccount(&e.accounts.at(row).Account) })
		for _, row := range rows {
			out = append(out, e.accounts.at(row).Account)
		}
		return out
	}
	q.scan(e.accountFrom(q.from), e.accountFrom(q.to+1), func(row uint32) bool {
		a := &e.accounts.at(row).Account
		if !q.matchesAccount(a) {
			return false
		}
		out = append(out, *a)
		return true
	})
	return out
}

// changeEvents merges the transfers with the expiries by time. Both are in order by themselves;
// together they need not have been appended in it, since imported transfers bring their own time.
func (e *Engine) changeEvents(s span, limit uint32) []ledger.ChangeEvent {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var out []ledger.ChangeEvent
	transfer, expiry := e.transferFrom(s.from), e.expiryFrom(s.from)
	for len(out) < int(limit) {
		const never = ^uint64(0)
		made, lapsed := never, never
		if transfer < e.transfers.n {
			made = e.transfers.at(transfer).Timestamp
		}
		if expiry < e.expiries.n {
			lapsed = e.expiries.at(expiry).timestamp
		}
		if min(made, lapsed) > s.to {
			break
		}
		if made < lapsed {
			t := e.transfers.at(transfer)
			out = append(out, e.changeEvent(changeType(t.Flags), made, t, t.closed, e.balances.at(transfer)))
			transfer++
		} else {
			x := e.expiries.at(expiry)
			out = append(out, e.changeEvent(ledger.ChangeTwoPhaseExpired, lapsed, e.transfers.at(x.transfer), x.closed, &x.balances))
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

func (e *Engine) changeEvent(kind ledger.ChangeEventType, timestamp uint64, t *transferRow, closed sides, balances *balancesRow) ledger.ChangeEvent {
	all := readBalances(balances, &e.wide)
	return ledger.ChangeEvent{
		Type:          kind,
		Timestamp:     timestamp,
		Ledger:        t.Ledger,
		Transfer:      t.Transfer,
		DebitAccount:  accountThen(e.accounts.at(t.debit).Account, all[:4], closed&debitSide != 0),
		CreditAccount: accountThen(e.accounts.at(t.credit).Account, all[4:], closed&creditSide != 0),
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
