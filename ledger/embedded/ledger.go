package embedded

import (
	"context"

	"github.com/suanpan-bank/suanpan/ledger"
)

var _ ledger.Ledger = (*Engine)(nil)

// CreateAccounts implements ledger.Ledger at the clock's time. Nothing is durable.
func (e *Engine) CreateAccounts(ctx context.Context, accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
	if err := e.enter(ctx, len(accounts), batchMax); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.tick()
	return e.executeAccounts(now, accounts, make([]ledger.CreateAccountResult, 0, len(accounts))), nil
}

// CreateTransfers implements ledger.Ledger at the clock's time. Nothing is durable.
func (e *Engine) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if err := e.enter(ctx, len(transfers), batchMax); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.tick()
	return e.executeTransfers(now, transfers, make([]ledger.CreateTransferResult, 0, len(transfers))), nil
}

// LookupAccounts implements ledger.Ledger.
func (e *Engine) LookupAccounts(ctx context.Context, ids []ledger.Uint128) ([]ledger.Account, error) {
	if err := e.enterReading(ctx, len(ids), batchMax); err != nil {
		return nil, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	found := make([]ledger.Account, 0, len(ids))
	for _, id := range ids {
		if row, ok := e.findAccount(id); ok {
			found = append(found, e.accounts.at(row).Account)
		}
	}
	return found, nil
}

// LookupTransfers implements ledger.Ledger.
func (e *Engine) LookupTransfers(ctx context.Context, ids []ledger.Uint128) ([]ledger.Transfer, error) {
	if err := e.enterReading(ctx, len(ids), batchMax); err != nil {
		return nil, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	found := make([]ledger.Transfer, 0, len(ids))
	for _, id := range ids {
		if row, what := e.findTransfer(id); what == isTransfer {
			found = append(found, e.transfers.at(row).Transfer)
		}
	}
	return found, nil
}

// AccountTransfers implements ledger.Ledger. Writers aren't held up by it.
func (e *Engine) AccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	if err := e.enterReading(ctx, int(filter.Limit), queryMax); err != nil {
		return nil, err
	}
	q, ok := newAccountQuery(filter)
	if !ok {
		return nil, nil
	}
	return e.accountTransfers(q), nil
}

// AccountBalances implements ledger.Ledger. Writers aren't held up by it.
func (e *Engine) AccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	if err := e.enterReading(ctx, int(filter.Limit), queryMax); err != nil {
		return nil, err
	}
	q, ok := newAccountQuery(filter)
	if !ok {
		return nil, nil
	}
	return e.accountBalances(q), nil
}

// QueryAccounts implements ledger.Ledger. UserData128 is indexed; any other query reads all
// accounts in its range of time, while writers wait.
func (e *Engine) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	if err := e.enterReading(ctx, int(filter.Limit), queryMax); err != nil {
		return nil, err
	}
	q, ok := newFieldQuery(filter)
	if !ok {
		return nil, nil
	}
	return e.queryAccounts(q), nil
}

// QueryTransfers implements ledger.Ledger. UserData128 is indexed; any other query reads all
// transfers in its range of time. Writers aren't held up by it.
func (e *Engine) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	if err := e.enterReading(ctx, int(filter.Limit), queryMax); err != nil {
		return nil, err
	}
	q, ok := newFieldQuery(filter)
	if !ok {
		return nil, nil
	}
	return e.queryTransfers(q), nil
}

// ChangeEvents implements ledger.Ledger.
func (e *Engine) ChangeEvents(ctx context.Context, filter ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
	if err := e.enterReading(ctx, int(filter.Limit), changeEventMax); err != nil {
		return nil, err
	}
	s, ok := spanOf(filter.TimestampMin, filter.TimestampMax)
	if !ok || filter.Limit == 0 {
		return nil, nil
	}
	return e.changeEvents(s, filter.Limit), nil
}

// Limits implements ledger.Ledger with TigerBeetle's production limits.
func (e *Engine) Limits() ledger.Limits {
	return ledger.Limits{BatchMax: batchMax, QueryMax: queryMax, ChangeEventMax: changeEventMax}
}

// Close makes every later call of the ledger.Ledger methods answer ledger.ErrClosed.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	return nil
}

// enter refuses calls that can't be served. A context that has ended refuses before anything is
// done; after that a call always runs to its end.
func (e *Engine) enter(ctx context.Context, size, limit int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.mu.RLock()
	closed := e.closed
	e.mu.RUnlock()
	switch {
	case closed:
		return ledger.ErrClosed
	case size > limit:
		return ledger.ErrTooMuchData
	}
	return nil
}

// enterReading also expires what is due, so that no read shows money as reserved whose time is over.
func (e *Engine) enterReading(ctx context.Context, size, limit int) error {
	if err := e.enter(ctx, size, limit); err != nil {
		return err
	}
	if e.clock == nil {
		return nil
	}
	e.mu.RLock()
	due := e.expiring.due(max(e.timestamp+1, e.clock()))
	e.mu.RUnlock()
	if due {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.tick()
	}
	return nil
}

// tick reads the clock and expires what is due by it.
func (e *Engine) tick() (now uint64) {
	if e.clock == nil {
		return 0
	}
	now = e.clock()
	for e.pulse(now) == batchMax {
	}
	return now
}
