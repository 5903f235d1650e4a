package model

import (
	"cmp"
	"context"
	"slices"

	"github.com/suanpan-bank/suanpan/ledger"
)

// LookupAccounts implements ledger.Ledger.
func (l *Ledger) LookupAccounts(ctx context.Context, ids []ledger.Uint128) ([]ledger.Account, error) {
	if err := l.enter(ctx, len(ids), batchMax); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	var found []ledger.Account
	for _, id := range ids {
		if a := l.byID[id]; a != nil {
			found = append(found, *a)
		}
	}
	return found, nil
}

// LookupTransfers implements ledger.Ledger.
func (l *Ledger) LookupTransfers(ctx context.Context, ids []ledger.Uint128) ([]ledger.Transfer, error) {
	if err := l.enter(ctx, len(ids), batchMax); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	var found []ledger.Transfer
	for _, id := range ids {
		if e := l.entries[id]; e != nil {
			found = append(found, e.Transfer)
		}
	}
	return found, nil
}

// AccountTransfers implements ledger.Ledger.
func (l *Ledger) AccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	if err := l.enter(ctx, int(filter.Limit), queryMax); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	var found []ledger.Transfer
	for _, e := range l.ofAccount(filter) {
		found = append(found, e.Transfer)
	}
	return found, nil
}

// AccountBalances implements ledger.Ledger.
func (l *Ledger) AccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	if err := l.enter(ctx, int(filter.Limit), queryMax); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	if a := l.byID[filter.AccountID]; a == nil || a.Flags&ledger.AccountHistory == 0 {
		return nil, nil
	}
	var found []ledger.AccountBalance
	for _, e := range l.ofAccount(filter) {
		a := e.credit
		if e.DebitAccountID == filter.AccountID {
			a = e.debit
		}
		found = append(found, ledger.AccountBalance{
			DebitsPending: a.DebitsPending, DebitsPosted: a.DebitsPosted,
			CreditsPending: a.CreditsPending, CreditsPosted: a.CreditsPosted,
			Timestamp: e.Timestamp,
		})
	}
	return found, nil
}

// ofAccount lists the entries an account filter selects.
func (l *Ledger) ofAccount(f ledger.AccountFilter) []*entry {
	sides := f.Flags & (ledger.AccountFilterDebits | ledger.AccountFilterCredits)
	known := ledger.AccountFilterDebits | ledger.AccountFilterCredits | ledger.AccountFilterReversed
	if f.AccountID.IsZero() || f.AccountID == highest || sides == 0 || f.Flags&^known != 0 ||
		!validSpan(f.TimestampMin, f.TimestampMax) {
		return nil
	}
	return selected(l.transfers, f.Limit, f.Flags&ledger.AccountFilterReversed != 0, func(e *entry) bool {
		debits := f.Flags&ledger.AccountFilterDebits != 0 && e.DebitAccountID == f.AccountID
		credits := f.Flags&ledger.AccountFilterCredits != 0 && e.CreditAccountID == f.AccountID
		return (debits || credits) && within(e.Timestamp, f.TimestampMin, f.TimestampMax) &&
			(f.UserData128.IsZero() || e.UserData128 == f.UserData128) &&
			(f.UserData64 == 0 || e.UserData64 == f.UserData64) &&
			(f.UserData32 == 0 || e.UserData32 == f.UserData32) &&
			(f.Code == 0 || e.Code == f.Code)
	})
}

// QueryAccounts implements ledger.Ledger.
func (l *Ledger) QueryAccounts(ctx context.Context, f ledger.QueryFilter) ([]ledger.Account, error) {
	if err := l.enter(ctx, int(f.Limit), queryMax); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	if !validQuery(f) {
		return nil, nil
	}
	var found []ledger.Account
	for _, a := range selected(l.accounts, f.Limit, f.Flags&ledger.QueryFilterReversed != 0, func(a *ledger.Account) bool {
		return within(a.Timestamp, f.TimestampMin, f.TimestampMax) &&
			(f.UserData128.IsZero() || a.UserData128 == f.UserData128) &&
			(f.UserData64 == 0 || a.UserData64 == f.UserData64) &&
			(f.UserData32 == 0 || a.UserData32 == f.UserData32) &&
			(f.Ledger == 0 || a.Ledger == f.Ledger) &&
			(f.Code == 0 || a.Code == f.Code)
	}) {
		found = append(found, *a)
	}
	return found, nil
}

// QueryTransfers implements ledger.Ledger.
func (l *Ledger) QueryTransfers(ctx context.Context, f ledger.QueryFilter) ([]ledger.Transfer, error) {
	if err := l.enter(ctx, int(f.Limit), queryMax); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	if !validQuery(f) {
		return nil, nil
	}
	var found []ledger.Transfer
	for _, e := range selected(l.transfers, f.Limit, f.Flags&ledger.QueryFilterReversed != 0, func(e *entry) bool {
		return within(e.Timestamp, f.TimestampMin, f.TimestampMax) &&
			(f.UserData128.IsZero() || e.UserData128 == f.UserData128) &&
			(f.UserData64 == 0 || e.UserData64 == f.UserData64) &&
			(f.UserData32 == 0 || e.UserData32 == f.UserData32) &&
			(f.Ledger == 0 || e.Ledger == f.Ledger) &&
			(f.Code == 0 || e.Code == f.Code)
	}) {
		found = append(found, e.Transfer)
	}
	return found, nil
}

// ChangeEvents implements ledger.Ledger.
func (l *Ledger) ChangeEvents(ctx context.Context, f ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
	if err := l.enter(ctx, int(f.Limit), changeEventMax); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	if !validSpan(f.TimestampMin, f.TimestampMax) {
		return nil, nil
	}
	made := selected(l.transfers, f.Limit, false, func(e *entry) bool { return within(e.Timestamp, f.TimestampMin, f.TimestampMax) })
	lapsed := selected(l.expiries, f.Limit, false, func(x expiry) bool { return within(x.timestamp, f.TimestampMin, f.TimestampMax) })
	var events []ledger.ChangeEvent
	for _, e := range made {
		kind := ledger.ChangeSinglePhase
		switch {
		case e.Flags&ledger.TransferPending != 0:
			kind = ledger.ChangeTwoPhasePending
		case e.Flags&ledger.TransferPostPending != 0:
			kind = ledger.ChangeTwoPhasePosted
		case e.Flags&ledger.TransferVoidPending != 0:
			kind = ledger.ChangeTwoPhaseVoided
		}
		events = append(events, ledger.ChangeEvent{
			Type: kind, Timestamp: e.Timestamp, Ledger: e.Ledger, Transfer: e.Transfer, DebitAccount: e.debit, CreditAccount: e.credit,
		})
	}
	for _, x := range lapsed {
		events = append(events, ledger.ChangeEvent{
			Type: ledger.ChangeTwoPhaseExpired, Timestamp: x.timestamp, Ledger: x.pending.Ledger, Transfer: x.pending.Transfer,
			DebitAccount: x.debit, CreditAccount: x.credit,
		})
	}
	slices.SortFunc(events, func(a, b ledger.ChangeEvent) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return events[:min(len(events), int(f.Limit))], nil
}

func validQuery(f ledger.QueryFilter) bool {
	return f.Flags&^ledger.QueryFilterReversed == 0 && validSpan(f.TimestampMin, f.TimestampMax)
}

func validSpan(from, to uint64) bool {
	return from <= timestampMax && to <= timestampMax && (to == 0 || from <= to)
}

func within(timestamp, from, to uint64) bool {
	return timestamp >= from && (to == 0 || timestamp <= to)
}

// selected returns the first rows that match, or the last when reversed.
func selected[T any](rows []T, limit uint32, reversed bool, match func(T) bool) []T {
	var found []T
	for i := range rows {
		row := rows[i]
		if reversed {
			row = rows[len(rows)-1-i]
		}
		if len(found) == int(limit) {
			break
		}
		if match(row) {
			found = append(found, row)
		}
	}
	return found
}
