package tigerbeetle

import (
	"context"
	"errors"
	"slices"

	"github.com/suanpan-bank/suanpan/ledger"
)

// lookup bounds a look-up by ids, and learns the bound.
func lookup[T any](ctx context.Context, l *Ledger, ids []ledger.Uint128, do func(client, []ledger.Uint128) ([]T, error)) ([]T, error) {
	if len(ids) == 0 {
		return []T{}, l.checkIn(ctx)
	}
	l.mu.Lock()
	allowed := l.lookups.allows(len(ids))
	l.mu.Unlock()
	if !allowed {
		return nil, ledger.ErrTooMuchData
	}
	owned := slices.Clone(ids) // the client may read it when the caller has gone
	return read(ctx, l, func(c client) ([]T, error) {
		found, err := do(c, owned)
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case err == nil:
			l.lookups.accepted(len(owned))
		case errors.Is(err, ledger.ErrTooMuchData):
			l.lookups.refused(len(owned))
		}
		return found, err
	})
}

// query bounds a query by its filter's limit.
func query[F, T any](ctx context.Context, l *Ledger, filter F, limit uint32, most uint32, do func(client, F) ([]T, error)) ([]T, error) {
	if limit > most {
		return nil, ledger.ErrTooMuchData
	}
	return read(ctx, l, func(c client) ([]T, error) { return do(c, filter) })
}

// read asks the client in a goroutine of its own. The client packs reads that wait into shared
// requests by itself, and they have no order to keep.
func read[T any](ctx context.Context, l *Ledger, do func(client) ([]T, error)) ([]T, error) {
	type outcome struct {
		found []T
		err   error
	}
	arrived := make(chan outcome, 1) // for the one outcome, whose reader may have gone

	l.mu.Lock()
	service, err := l.admit()
	switch {
	case err != nil:
	case ctx.Err() != nil:
		err = l.refuse(ctx.Err())
	case l.reads >= l.options.ReadsMax:
		err = l.refuse(errReads)
	}
	if err != nil {
		l.mu.Unlock()
		return nil, err
	}
	l.reads++
	l.owned.Go(func() {
		found, err := exchange(l, do)
		l.mu.Lock()
		l.reads--
		if err == nil {
			l.stats.Reads++
		}
		l.mu.Unlock()
		arrived <- outcome{found, err}
	})
	l.mu.Unlock()

	select {
	case o := <-arrived:
		if o.err == nil || errors.Is(o.err, ledger.ErrTooMuchData) || errors.Is(o.err, ledger.ErrClosed) {
			return o.found, o.err
		}
		err = o.err
	case <-ctx.Done():
		err = ctx.Err()
	case <-service.Done():
		err = context.Cause(service)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ledger.ErrClosed
	}
	return nil, l.refuse(err)
}
