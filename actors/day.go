package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/clock"
	"github.com/suanpan-bank/suanpan/internal/pace"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// DayOptions of Days.
type DayOptions struct {
	Clock clock.Clock
	// CutMinute is the time of the day cut, minutes after midnight in Shanghai; only the first start of a bank asks
	// for it, then it is the bank's.
	CutMinute int
	// Pace is at what the end of day makes room for requests; nil: it does not.
	Pace *pace.Pace
	// Work does the steps that other parts of the bank fill. A step that nobody fills has nothing to do.
	Work   map[bank.DayStep]func(ctx context.Context, day Closed) error
	Logger *slog.Logger
}

// Closed is a date that is closed and whose end is being worked on.
type Closed struct {
	Date bank.Date
	// Fence is the position of the record with which its cut began: what is booked behind it is of later dates,
	// but for what names its date.
	Fence journal.Position
}

// Days (日切与日终) moves the accounting day and does the work of each day's end. There is one for a bank. What it
// does is in the journal step by step, so that another process goes on where one ended.
type Days struct {
	node    *Node
	options DayOptions
	asked   chan struct{} // capacity 1: somebody wants it to look now
	cutNow  atomic.Bool   // whatever the clock says
	fence   atomic.Uint64 // no later than the record of the last cut; zero: not known

	mu       sync.Mutex
	day      bank.AccountingDay
	changed  chan struct{} // closed and replaced whenever the day or failure changes
	failure  error         // of the step under way, which is tried again; nil: none
	sweep    *sweep        // under way; nil: none
	stepped  time.Time     // when the step under way began
	begin    []bank.CustomerNo
	compared *comparing // by the last sweep of a day's end
	beginOf  bank.Date  // the date of begin: who has something to do at its beginning; zero: not known
}

// retryStep is how long a step that failed rests.
const retryStep = 10 * time.Second

// NewDays prepares the days of a node that has recovered; Run does the work.
func NewDays(n *Node, options DayOptions) *Days {
	return &Days{node: n, options: options, asked: make(chan struct{}, 1), changed: make(chan struct{})}
}

// Run opens the bank's first day, if need be, ends what is left of an earlier one, and cuts the days as the clock
// passes them, in order, until ctx ends.
func (d *Days) Run(ctx context.Context) error {
	for {
		again, err := d.advance(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, bank.ErrStopping):
			return nil // the node says why
		case err != nil:
			d.fail(err)
			d.options.Logger.Error("the day can't go on; it is tried again", "cause", err)
			d.rest(ctx, retryStep)
			continue
		}
		d.fail(nil)
		if again {
			continue
		}
		d.mu.Lock()
		cut := d.day.CutAt(d.day.Current)
		d.mu.Unlock()
		d.until(ctx, cut)
	}
}

// rest waits for a while, or until somebody wants it to go on.
func (d *Days) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-d.asked:
	case <-timer.C:
	}
}

// until waits until the clock stands at t, or somebody wants it to look.
func (d *Days) until(ctx context.Context, t time.Time) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reached := make(chan struct{})
	go func() {
		defer close(reached)
		_ = d.options.Clock.Until(ctx, t) // an error is ctx's end
	}()
	select {
	case <-reached:
	case <-d.asked:
		cancel()
		<-reached
	}
}

// advance takes the next thing that there is to do; false: nothing is.
func (d *Days) advance(ctx context.Context) (again bool, err error) {
	day, err := d.read(ctx)
	if err != nil {
		return false, err
	}
	now := d.options.Clock.Now()
	switch {
	case day.Current == 0:
		first := bank.AccountingDay{CutMinute: d.options.CutMinute}
		return true, d.take(ctx, first.DateAt(now), &bank.OpenDay{Date: first.DateAt(now), CutMinute: d.options.CutMinute}, "open")
	case day.Closing != 0:
		if err := d.node.Drained(ctx); err != nil {
			return false, err
		}
		return true, d.take(ctx, day.Closing, &bank.FinishDayCut{Date: day.Closing}, "cut finished")
	case day.Working != 0:
		return true, d.step(ctx, day)
	case day.DateAt(now) > day.Current || d.cutNow.Load():
		d.options.Logger.Info("day cut", "from", day.Current, "to", day.Current.AddDays(1))
		d.fence.Store(uint64(d.node.journal.Last()))
		err := d.take(ctx, day.Current, &bank.StartDayCut{Date: day.Current}, cutStarted)
		d.cutNow.Store(false)
		return true, err
	}
	return false, nil
}

// cutStarted is the step in the key of a day cut's first command.
const cutStarted = "cut started"

// step takes the day's next step, passing over those that have nothing to do.
func (d *Days) step(ctx context.Context, day bank.AccountingDay) error {
	work, err := d.works(day.Working)
	if err != nil {
		return err
	}
	next := int(day.Done)
	for next < len(bank.DaySteps)-1 && work[bank.DaySteps[next].Step] == nil {
		d.nothing(day.Working, next)
		next++
	}
	step := bank.DaySteps[next]
	d.mu.Lock()
	d.stepped = time.Now()
	d.mu.Unlock()
	begun := time.Now()
	if do := work[step.Step]; do != nil {
		if err := do(ctx); err != nil {
			return fmt.Errorf("end of %s, step %s (%s): %w", day.Working, step.Code, step.Zh, err)
		}
	}
	for next < len(bank.DaySteps)-1 && !slices.ContainsFunc(bank.DaySteps[next+1:], func(s bank.DayStepName) bool { return work[s.Step] != nil }) {
		next++
		d.nothing(day.Working, next)
	}
	done := bank.DaySteps[next]
	if err := d.take(ctx, day.Working, &bank.FinishDayStep{Date: day.Working, Step: done.Step}, "finished "+done.Code); err != nil {
		return err
	}
	d.options.Logger.Info("end of day: step finished", "date", day.Working, "step", step.Code, "took", time.Since(begun).Round(time.Millisecond))
	return nil
}

// works is what there is to do for a date in each step.
func (d *Days) works(date bank.Date) (map[bank.DayStep]func(context.Context) error, error) {
	closed, err := d.closed(date)
	if err != nil {
		return nil, err
	}
	bound := func(work func(context.Context, Closed) error) func(context.Context) error {
		return func(ctx context.Context) error { return work(ctx, closed) }
	}
	work := map[bank.DayStep]func(context.Context) error{
		bank.StepCustomers: bound(d.closeCustomers), bank.StepAccrue: bound(d.accrue), bank.StepBegin: bound(d.beginCustomers),
	}
	for step, do := range d.options.Work {
		work[step] = bound(do)
	}
	return work, nil
}

func (d *Days) nothing(date bank.Date, step int) {
	d.options.Logger.Info("end of day: nothing to do in this step", "date", date, "step", bank.DaySteps[step].Code)
}

// closed finds the cut of a date in the journal.
func (d *Days) closed(date bank.Date) (Closed, error) {
	cut := bank.SystemCommand{Command: &bank.StartDayCut{Date: date}, Step: cutStarted}
	rec, err := d.node.journal.FindCommand(ledger.Uint128(cut.Key(date)))
	switch {
	case err != nil:
		return Closed{}, err
	case rec == nil:
		return Closed{}, fmt.Errorf("the record of the day cut of %s is not kept any more: keep more of the journal (--journal-keep)", date)
	}
	d.fence.Store(uint64(rec.Position))
	return Closed{date, rec.Position}, nil
}

// Needs is the first position of the journal that the end of the last day that was cut reads; zero: not known.
func (d *Days) Needs() journal.Position { return journal.Position(d.fence.Load()) }

// take has the bank's house decide something and takes up the day as it is then.
func (d *Days) take(ctx context.Context, date bank.Date, cmd bank.Command, step string) error {
	receipts, err := d.node.carryOut(ctx, date, []bank.SystemCommand{{Command: cmd, Step: step}})
	if err != nil {
		return err
	}
	if r := receipts[0].Refusal; r != nil {
		return fmt.Errorf("%s of %s: %w", cmd.Operation(), date, r)
	}
	_, err = d.read(ctx)
	return err
}

// read asks the bank's house for the day.
func (d *Days) read(ctx context.Context) (bank.AccountingDay, error) {
	var day bank.AccountingDay
	q := NewQuery(bank.BankHouse, func(v *View) {
		if v.Day != nil {
			day = *v.Day
		}
	})
	pid, err := d.node.Shard(bank.BankHouse.Shard())
	if err != nil {
		return day, err
	}
	d.node.system.Root.Send(pid, q)
	if err := q.Wait(ctx, d.node.stopped); err != nil {
		return day, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.day != day {
		d.day = day
		d.tell()
	}
	return day, nil
}

// tell wakes whoever waits for the day; the lock is held.
func (d *Days) tell() {
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *Days) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failure != nil || err != nil {
		d.failure = err
		d.tell()
	}
}

// Cut cuts the day now, whatever the clock says, and returns when the cut is made and the work of the day's end is
// done. The next cut by the clock comes when it has passed the new date.
func (d *Days) Cut(ctx context.Context) error {
	d.mu.Lock()
	from := d.day.Current
	d.mu.Unlock()
	d.cutNow.Store(true)
	return d.Reach(ctx, from.AddDays(1))
}

// Catch returns when every cut that the clock has passed is made and the work of all days is done. Meanwhile the
// error of a step that fails is returned at once; it goes on being tried.
func (d *Days) Catch(ctx context.Context) error {
	day, err := d.read(ctx)
	if err != nil {
		return err
	}
	return d.Reach(ctx, max(day.Current, day.DateAt(d.options.Clock.Now())))
}

// Reach returns when the accounting date is the one given, or later, and the work of the days before it is done.
func (d *Days) Reach(ctx context.Context, date bank.Date) error {
	d.mu.Lock()
	d.failure = nil
	d.mu.Unlock()
	wake(d.asked)
	for {
		d.mu.Lock()
		day, failure, changed := d.day, d.failure, d.changed
		d.mu.Unlock()
		switch {
		case failure != nil:
			return failure
		case day.Current >= date && day.Closing == 0 && day.Working == 0:
			return nil
		}
		select {
		case <-changed:
		case <-d.node.stopped:
			return bank.ErrStopping
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// NextCut is when the current day ends by the clock; the zero time before the bank has opened.
func (d *Days) NextCut() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.day.Current == 0 {
		return time.Time{}
	}
	return d.day.CutAt(d.day.Current)
}

// Status is where the day stands.
func (d *Days) Status() bank.DayStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := bank.DayStatus{
		AccountingDate: d.day.Current, NextCut: d.day.CutAt(d.day.Current).Format(time.RFC3339), FenceSeq: d.day.FenceSeq,
		Closing: d.day.Closing, Working: d.day.Working, Customers: int64(d.node.registry.highest()),
	}
	if d.failure != nil {
		s.Failure = d.failure.Error()
	}
	if d.day.Working != 0 {
		next := bank.DaySteps[d.day.Done]
		s.Step, s.StepZh, s.StepsDone, s.Steps = next.Code, next.Zh, int(d.day.Done), len(bank.DaySteps)
	}
	if w := d.sweep; w != nil {
		s.Visited, s.ToVisit, s.Decided, s.Refused = w.visited.Load(), int64(w.count), w.commands.Load(), w.refused.Load()
		if took := time.Since(d.stepped).Seconds(); took > 0 && s.Visited > 0 {
			rate := float64(s.Visited) / took
			s.PerSecond, s.LeftSeconds = int64(rate), int64(float64(s.ToVisit-s.Visited)/rate)
		}
	}
	return s
}
