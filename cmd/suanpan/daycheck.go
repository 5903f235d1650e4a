package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/audit"
	"github.com/suanpan-bank/suanpan/internal/clock"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// publishWait is how long the stream may take to come up to the journal's position. It makes room for requests, so
// that a day's many events take it a while.
const publishWait = 5 * time.Minute

// accountsBlock is how many accounts are added up between two rests.
const accountsBlock = 4096

// checkClosed checks the books at the end of a date, keeps the report, and writes the trial balance down. A broken
// check is loud and does not hold up the next day: customers have their interest, and the report says what to do.
func (a *accountingDay) checkClosed(ctx context.Context, day actors.Closed) error {
	r, err := a.check(ctx, day.Date, day.Fence)
	if err != nil {
		return err
	}
	if err := a.keep(r); err != nil {
		return err
	}
	return a.RecordTrial(ctx, day.Date, r.Ledgers)
}

// Check checks the books as they are now.
func (a *accountingDay) Check(ctx context.Context) (*bank.DayReport, error) {
	return a.check(ctx, a.Status().AccountingDate, 0)
}

func (a *accountingDay) check(ctx context.Context, date bank.Date, fence journal.Position) (*bank.DayReport, error) {
	s := a.server
	s.letGo.RLock()
	defer s.letGo.RUnlock()
	before, err := a.Report(date.AddDays(-1))
	if err != nil && !errors.Is(err, bank.ErrNotFound) {
		return nil, err
	}
	contracts, err := a.Contracts(ctx, date)
	if err != nil {
		return nil, err
	}
	day := audit.Day{
		Date: date, Fence: fence, Before: before, Journal: s.journal, Catalogue: s.catalogue, Contracts: contracts, Stream: s.relay != nil,
		Pace: s.room.Pace(nil),
	}
	if s.books != nil {
		day.Transfers = s.books
	}
	day.Books, day.Ledger = audit.NewSubledger(), s.ledger
	if s.books != nil {
		day.Ledger = s.books
	}
	if day.Position, day.Through, err = s.subledger(ctx, day.Books); err != nil {
		return nil, err
	}
	if err := s.journal.WaitDurable(ctx, day.Position); err != nil {
		return nil, err
	}
	if s.relay != nil {
		if day.Published, err = s.publishedTo(ctx, day.Position); err != nil {
			return nil, err
		}
	}
	r, err := day.Check(ctx)
	if err != nil {
		return nil, err
	}
	r.MadeAt, r.Customers = s.clock.Now().In(clock.Shanghai).Format(time.RFC3339), int64(s.node.Customers())
	broken := int64(0)
	for i := range r.Checks {
		if c := &r.Checks[i]; c.Result == bank.CheckBroken {
			broken++
			s.logger.Error("a daily check is broken", "date", date, "check", c.ID, "what", c.En, "differences", c.Differences, "first", c.Findings)
		}
	}
	s.broken.Store(broken)
	return r, nil
}

// subledger adds the ledger's accounts up between two decisions; what it returns is accountsAt's.
func (s *server) subledger(ctx context.Context, sums *audit.Subledger) (at journal.Position, through uint64, err error) {
	if s.books == nil { // everybody waits
		return s.accountsAt(ctx, sums.Add)
	}
	work, added := s.room.Pace(nil).Begin(ctx), 0
	defer func() { work.End(ctx) }()
	return s.accountsAt(ctx, func(a *ledger.Account) error {
		if added++; added%accountsBlock == 0 {
			work.Next(ctx)
		}
		return sums.Add(a)
	})
}

// accountsAt visits the ledger's accounts as they are between two decisions, and returns the journal's position there and
// the time of the ledger's last transfer. With the ledger in this process payments go on meanwhile.
func (s *server) accountsAt(ctx context.Context, visit func(*ledger.Account) error) (at journal.Position, through uint64, err error) {
	if s.books == nil {
		err = s.node.AtRest(ctx, func(position journal.Position) error {
			at = position
			last, err := s.ledger.QueryTransfers(ctx, ledger.QueryFilter{Flags: ledger.QueryFilterReversed, Limit: 1})
			if err != nil {
				return fmt.Errorf("the ledger's last transfer: %w", err)
			}
			for i := range last {
				through = last[i].Timestamp
			}
			return audit.EachAccount(ctx, s.ledger, visit)
		})
		return at, through, err
	}
	s.viewing.Lock()
	defer s.viewing.Unlock()
	var view *embedded.View
	err = s.node.AtRest(ctx, func(position journal.Position) (err error) {
		at, through = position, s.books.Timestamp()
		view, err = s.books.View()
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	defer view.Close()
	view.EachAccount(func(a *ledger.Account) bool {
		err = visit(a)
		return err == nil
	})
	return at, through, err
}

// publishedTo waits until the stream has the journal up to a position, and tells how far it has come if that takes
// too long.
func (s *server) publishedTo(ctx context.Context, at journal.Position) (journal.Position, error) {
	s.awaited.Add(1)
	defer s.awaited.Add(-1)
	late := time.NewTimer(publishWait)
	defer late.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.relay.Position() < at {
		select {
		case <-tick.C:
		case <-late.C:
			return s.relay.Position(), nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return s.relay.Position(), nil
}
