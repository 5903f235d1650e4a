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
)

// publishWait is how long the stream may take to come up to the journal's position. It makes room for requests, so
// that a day's many events take it a while.
const publishWait = 5 * time.Minute

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
	}
	if s.books != nil {
		day.Transfers = s.books
	}
	if day.Books, day.Position, err = s.subledger(ctx); err != nil {
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

// subledger adds the ledger's accounts up between two decisions.
func (s *server) subledger(ctx context.Context) (*audit.Subledger, journal.Position, error) {
	var at journal.Position
	sums := audit.NewSubledger()
	err := s.node.AtRest(ctx, func(position journal.Position) error {
		at = position
		if s.books == nil {
			return eachAccount(ctx, s.ledger, sums.Add)
		}
		var fault error
		s.books.EachAccount(func(a *ledger.Account) bool {
			fault = sums.Add(a)
			return fault == nil
		})
		return fault
	})
	return sums, at, err
}

// eachAccount reads a ledger elsewhere page by page.
func eachAccount(ctx context.Context, l ledger.Ledger, visit func(*ledger.Account) error) error {
	filter := ledger.QueryFilter{Limit: uint32(l.Limits().QueryMax)}
	for {
		page, err := l.QueryAccounts(ctx, filter)
		if err != nil {
			return fmt.Errorf("accounts of the ledger: %w", err)
		}
		for i := range page {
			if err := visit(&page[i]); err != nil {
				return err
			}
			filter.TimestampMin = page[i].Timestamp + 1
		}
		if len(page) < int(filter.Limit) {
			return nil
		}
	}
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
