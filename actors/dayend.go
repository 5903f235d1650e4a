package actors

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
)

// closeCustomers (客户日终) visits every customer at the end of the date, and notes who has something to do at the
// beginning of the next.
func (d *Days) closeCustomers(ctx context.Context, day Closed) error {
	s := d.node.newSweep(day.Date, bank.EndOfDay, d.options.Pace)
	s.after, s.afterDate = bank.BeginOfDay, day.Date.AddDays(1)
	s.resting, s.due = closeResting, s.afterDate
	if d.node.pipeline.submitter == nil {
		s.compare = &comparing{date: day.Date}
	}
	if err := d.visit(ctx, s, "customers' end of day"); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.compared = s.compare
	if d.beginOf = 0; d.node.pipeline.submitter == nil {
		slices.Sort(s.noted)
		d.begin, d.beginOf = append([]bank.CustomerNo{}, s.noted...), s.afterDate
	}
	return nil
}

// beginCustomers (客户日初) visits those who have something to do at the beginning of the date after. Whom the sweep
// of its end did not note has nothing: who came later began on that date. Another process has no notes and visits
// everybody.
func (d *Days) beginCustomers(ctx context.Context, day Closed) error {
	s := d.node.newSweep(day.Date.AddDays(1), bank.BeginOfDay, d.options.Pace)
	s.resting, s.due = passResting, s.date
	d.mu.Lock()
	if d.beginOf == s.date {
		s.only, s.count = d.begin, uint64(len(d.begin))
	}
	d.mu.Unlock()
	return d.visit(ctx, s, "customers' beginning of day")
}

// progressEvery is how often a sweep says how far it is.
const progressEvery = 5 * time.Second

// visit runs a sweep and says how far it is.
func (d *Days) visit(ctx context.Context, s *sweep, what string) error {
	d.mu.Lock()
	d.sweep = s
	d.mu.Unlock()
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				now := d.Status()
				d.options.Logger.Info(what, "date", s.date, "visited", now.Visited, "of", now.ToVisit, "per_second", now.PerSecond, "left_s", now.LeftSeconds)
			}
		}
	}()
	err := s.run(ctx)
	close(ended)
	<-stopped
	d.mu.Lock()
	d.sweep = nil
	d.mu.Unlock()
	if err != nil {
		return err
	}
	d.options.Logger.Info(what, "date", s.date, "visited", s.visited.Load(), "decided", s.commands.Load(), "refused", s.refused.Load())
	if n := s.refused.Load(); n > 0 {
		return fmt.Errorf("%d commands are refused; the log names them", n)
	}
	return nil
}

// accrueBlock is how many records are read between two rests: one may have the closed days of closingBlock customers.
const accrueBlock = 8

// accrue (计提入账) posts what all contracts have earned on the date, by product and shard, as the customers' closed
// days say. The sums are read from the journal, which has all of them whichever process has written them; the sweep has
// ended when the last of them was on disk.
func (d *Days) accrue(ctx context.Context, day Closed) error {
	sums := make(map[uint16]map[string]bank.AccrualSum)
	var fault error
	work := d.options.Pace.Begin(ctx)
	defer func() { work.End(ctx) }()
	err := d.node.journal.Scan(ctx, day.Fence, func(rec *journal.Record) bool {
		if rec.Position%accrueBlock == 0 {
			work.Next(ctx)
		}
		if rec.Kind == journal.KindIntent {
			return true
		}
		for i := range rec.Events {
			if fault = addAccruals(sums, rec, &rec.Events[i], day.Date); fault != nil {
				return false
			}
		}
		return ctx.Err() == nil
	})
	if err == nil {
		err = ctx.Err()
	}
	if fault != nil || err != nil {
		return fmt.Errorf("read the customers' closed days: %w", cmp.Or(fault, err))
	}
	var commands []bank.SystemCommand
	for _, shard := range slices.Sorted(maps.Keys(sums)) {
		post := &bank.PostAccruals{Shard: shard, Date: day.Date}
		for _, product := range slices.Sorted(maps.Keys(sums[shard])) {
			if sum := sums[shard][product]; sum.DeltaFen != 0 {
				post.Accruals = append(post.Accruals, sum)
			}
		}
		if len(post.Accruals) > 0 {
			commands = append(commands, bank.SystemCommand{Command: post, Step: "accrue"})
		}
	}
	receipts, err := d.node.carryOut(ctx, day.Date, commands)
	if err != nil {
		return err
	}
	for i := range receipts {
		if r := receipts[i].Refusal; r != nil {
			return fmt.Errorf("accruals of shard %d: %w", commands[i].Command.(*bank.PostAccruals).Shard, r)
		}
	}
	return nil
}

// addAccruals adds what an event says was earned on the date.
func addAccruals(sums map[uint16]map[string]bank.AccrualSum, rec *journal.Record, e *journal.Event, date bank.Date) error {
	if bank.EventType(e.Type) != bank.EventCustomerDayClosed {
		return nil
	}
	var closed bank.CustomerDayClosed
	if err := bank.Decode(e.Body, &closed); err != nil {
		return fmt.Errorf("position %d: %w", rec.Position, err)
	}
	if closed.Date != date {
		return nil
	}
	shard := bank.CustomerNo(e.Customer).Shard()
	if sums[shard] == nil {
		sums[shard] = make(map[string]bank.AccrualSum)
	}
	for _, a := range closed.Accruals {
		sum := sums[shard][a.Product]
		sum.Product = a.Product
		sum.DeltaFen += a.DeltaFen
		sum.Contracts++
		sums[shard][a.Product] = sum
	}
	return nil
}

// RecordTrial writes a date's trial balance down, of each ledger.
func (d *Days) RecordTrial(ctx context.Context, date bank.Date, ledgers []bank.Trial) error {
	var commands []bank.SystemCommand
	for i := range ledgers {
		record := &bank.RecordTrialBalance{Date: date, Ledger: ledgers[i].Ledger}
		for _, row := range ledgers[i].Subjects {
			record.Subjects = append(record.Subjects, row.SubjectBalance)
		}
		commands = append(commands, bank.SystemCommand{Command: record, Step: "trial balance", Ref: fmt.Sprint(ledgers[i].Ledger)})
	}
	_, err := d.node.carryOut(ctx, date, commands)
	return err
}
