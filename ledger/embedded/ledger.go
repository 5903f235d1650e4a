package embedded

import (
	"context"
	"errors"

	"github.com/suanpan-bank/suanpan/ledger"
)

var _ ledger.Ledger = (*Engine)(nil)

// CreateAccounts implements ledger.Ledger at the clock's time. Durable on return if the engine was made
// by Open.
func (e *Engine) CreateAccounts(ctx context.Context, accounts []ledger.Account) (results []ledger.CreateAccountResult, err error) {
	err = e.change(ctx, len(accounts), func(now uint64) error {
		if err := e.logAccounts(now, accounts); err != nil {
			return err
		}
		results = e.executeAccounts(now, accounts, make([]ledger.CreateAccountResult, 0, len(accounts)))
		return nil
	})
	return only(results, err)
}

// CreateTransfers implements ledger.Ledger at the clock's time. Durable on return if the engine was made
// by Open.
func (e *Engine) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) (results []ledger.CreateTransferResult, err error) {
	err = e.change(ctx, len(transfers), func(now uint64) error {
		if err := e.logTransfers(now, transfers); err != nil {
			return err
		}
		results = e.executeTransfers(now, transfers, make([]ledger.CreateTransferResult, 0, len(transfers)))
		e.saveIfDue()
		return nil
	})
	return only(results, err)
}

// only keeps results from a caller who must not rely on them.
func only[T any](results []T, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return results, nil
}

// LookupAccounts implements ledger.Ledger.
func (e *Engine) LookupAccounts(ctx context.Context, ids []ledger.Uint128) (found []ledger.Account, err error) {
	err = e.ask(ctx, len(ids), batchMax, func() {
		e.mu.RLock()
		defer e.mu.RUnlock()
		found = make([]ledger.Account, 0, len(ids))
		for _, id := range ids {
			if row, ok := e.findAccount(id); ok {
				found = append(found, e.account(row))
			}
		}
	})
	return only(found, err)
}

// LookupTransfers implements ledger.Ledger.
func (e *Engine) LookupTransfers(ctx context.Context, ids []ledger.Uint128) (found []ledger.Transfer, err error) {
	err = e.ask(ctx, len(ids), batchMax, func() {
		r := e.read()
		defer r.end()
		found = make([]ledger.Transfer, 0, len(ids))
		for _, id := range ids {
			r.yield(yieldEvery)
			if row, what := e.findTransfer(id); what == isTransfer {
				found = append(found, e.transfer(row))
			}
		}
	})
	return only(found, err)
}

// AccountTransfers implements ledger.Ledger. It lets writers in now and then.
func (e *Engine) AccountTransfers(ctx context.Context, filter ledger.AccountFilter) (out []ledger.Transfer, err error) {
	err = e.ask(ctx, int(filter.Limit), queryMax, func() {
		if q, ok := newAccountQuery(filter); ok {
			out = e.accountTransfers(q)
		}
	})
	return only(out, err)
}

// AccountBalances implements ledger.Ledger. It lets writers in now and then.
func (e *Engine) AccountBalances(ctx context.Context, filter ledger.AccountFilter) (out []ledger.AccountBalance, err error) {
	err = e.ask(ctx, int(filter.Limit), queryMax, func() {
		if q, ok := newAccountQuery(filter); ok {
			out = e.accountBalances(q)
		}
	})
	return only(out, err)
}

// QueryAccounts implements ledger.Ledger. UserData128 is indexed; any other query looks at all accounts
// in its range of time, letting writers in now and then.
func (e *Engine) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) (out []ledger.Account, err error) {
	err = e.ask(ctx, int(filter.Limit), queryMax, func() {
		if q, ok := newFieldQuery(filter); ok {
			out = e.queryAccounts(q)
		}
	})
	return only(out, err)
}

// QueryTransfers implements ledger.Ledger. Every field is indexed. It lets writers in now and then.
func (e *Engine) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) (out []ledger.Transfer, err error) {
	err = e.ask(ctx, int(filter.Limit), queryMax, func() {
		if q, ok := newFieldQuery(filter); ok {
			out = e.queryTransfers(q)
		}
	})
	return only(out, err)
}

// ChangeEvents implements ledger.Ledger. It lets writers in now and then.
func (e *Engine) ChangeEvents(ctx context.Context, filter ledger.ChangeEventsFilter) (out []ledger.ChangeEvent, err error) {
	err = e.ask(ctx, int(filter.Limit), changeEventMax, func() {
		if s, ok := spanOf(filter.TimestampMin, filter.TimestampMax); ok && filter.Limit > 0 {
			out = e.changeEvents(s, filter.Limit)
		}
	})
	return only(out, err)
}

// Limits implements ledger.Ledger with TigerBeetle's production limits.
func (e *Engine) Limits() ledger.Limits {
	return ledger.Limits{BatchMax: batchMax, QueryMax: queryMax, ChangeEventMax: changeEventMax}
}

// Close makes every later call of the ledger.Ledger methods answer ledger.ErrClosed, saves what there is
// to save and closes the files. A second Close does nothing.
func (e *Engine) Close() error {
	e.mu.Lock()
	closed := e.closed
	e.closed = true
	e.mu.Unlock()
	if closed {
		return nil
	}
	var errs []error
	if e.log != nil {
		errs = append(errs, e.closeLog())
	}
	return errors.Join(append(errs, e.closeFiles())...)
}

// closeFiles ends what is written behind, in the order in which one hands over to the other: rows to the index by field, which may
// begin another run for the last of them. The directory is let go of when all has ended.
func (e *Engine) closeFiles() error {
	if e.store == nil {
		return e.fields.close()
	}
	e.store.drain()
	return errors.Join(e.fields.close(), e.store.close())
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

// change expires what is due, executes a request and returns when both are durable.
func (e *Engine) change(ctx context.Context, size int, execute func(now uint64) error) error {
	if err := e.enter(ctx, size, batchMax); err != nil {
		return err
	}
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return ledger.ErrClosed
	}
	now, err := e.tick()
	if err == nil {
		err = execute(now)
	}
	position := e.position()
	e.mu.Unlock()
	if err != nil {
		return err
	}
	return e.settled(ctx, position)
}

// ask expires what is due, so that no read shows money as reserved whose time is over, reads, and returns
// when what was seen is durable.
func (e *Engine) ask(ctx context.Context, size, limit int, read func()) (err error) {
	if err := e.enter(ctx, size, limit); err != nil {
		return err
	}
	if err := e.expireDue(); err != nil {
		return err
	}
	defer func() { err = caught(recover(), err) }()
	read()
	e.mu.RLock()
	position := e.position()
	e.mu.RUnlock()
	return e.settled(ctx, position)
}

// caught answers a read that met damage, or the end of the engine. Anything else stays a panic.
func caught(cause any, err error) error {
	if cause == nil {
		return err
	}
	if fault, ok := cause.(error); ok && (errors.Is(fault, ErrDamaged) || errors.Is(fault, ledger.ErrClosed)) {
		return fault
	}
	panic(cause)
}

func (e *Engine) expireDue() error {
	if e.options.Clock == nil {
		return nil
	}
	e.mu.RLock()
	due := e.expiring.due(max(e.timestamp+1, e.options.Clock()))
	e.mu.RUnlock()
	if !due {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ledger.ErrClosed
	}
	_, err := e.tick()
	return err
}

// tick reads the clock and expires what is due by it.
func (e *Engine) tick() (now uint64, err error) {
	if e.options.Clock == nil {
		return 0, nil
	}
	now = e.options.Clock()
	if !e.expiring.due(max(e.timestamp+1, now)) {
		return now, nil
	}
	for expired := batchMax; expired == batchMax; {
		if err := e.logPulse(now); err != nil {
			return 0, err
		}
		expired = e.pulse(now)
	}
	return now, nil
}
