package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/clock"
	"github.com/suanpan-bank/suanpan/journal"
)

// accountingDay is the server's accounting day, with what checks its books and keeps the reports.
type accountingDay struct {
	*actors.Days
	server *server
	dir    string // of the reports
	files  reconciliation

	// Fences of the last report and of the one before it; zero: there is none. The next report counts the records behind
	// the last, and the reconciliation of the next day asks for transfers behind the other.
	counted, before atomic.Uint64
}

// openDays begins the accounting day. What its steps need is open.
func (s *server) openDays(files reconciliation, at layout, o serveOptions) error {
	minute, err := cutMinute(o.dayCut)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(at.days(), 0o700); err != nil {
		return fmt.Errorf("directory of the days' reports: %w", err)
	}
	s.day = &accountingDay{server: s, dir: at.days(), files: files}
	s.day.Days = actors.NewDays(s.node, actors.DayOptions{
		Clock: s.clock, CutMinute: minute, Pace: s.room.Pace(nil), Logger: s.logger,
		Work: map[bank.DayStep]func(context.Context, actors.Closed) error{
			bank.StepReconcile: s.day.reconcileFiles, bank.StepCheck: s.day.checkClosed,
		},
	})
	if err := s.day.findLast(); err != nil {
		return err
	}
	s.daily = s.run("accounting day", s.day.Run)
	return nil
}

// findLast notes what the next report begins with.
func (a *accountingDay) findLast() error {
	names, err := filepath.Glob(filepath.Join(a.dir, "*.json")) // sorted, and so the dates are
	if err != nil {
		return err
	}
	for _, name := range names[max(0, len(names)-2):] {
		date, err := bank.ParseDate(strings.TrimSuffix(filepath.Base(name), ".json"))
		if err != nil {
			return fmt.Errorf("%s is no day's report: %w", name, err)
		}
		r, err := a.Report(date)
		if err != nil {
			return err
		}
		a.count(r)
	}
	return nil
}

// count notes the last report. One that is made anew, for a step that was repeated, has its fence already.
func (a *accountingDay) count(r *bank.DayReport) {
	if r.Fence != a.counted.Load() {
		a.before.Store(a.counted.Swap(r.Fence))
	}
}

// needs is the first position of the journal that the day's work still reads.
func (a *accountingDay) needs() journal.Position {
	first := journal.Position(math.MaxInt64) // no day has ended: what is gone is taken from the ledger
	if cut := a.Needs(); cut > 0 {
		first = cut
	}
	if a.counted.Load() > 0 {
		first = min(first, max(1, journal.Position(a.before.Load())))
	}
	return first
}

// cutMinute reads a time of day such as 23:30.
func cutMinute(text string) (int, error) {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0, fmt.Errorf("--day-cut takes a time of day such as 00:00 or 23:30, not %q", text)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// moveClock is what moves the clock; nil: it is the machine's. It stops at each day cut on its way until the work
// of that day's end is done, so that what a day brings happens on that day.
func (s *server) moveClock() func(context.Context, time.Time) error {
	m, ok := s.clock.(*clock.Movable)
	if !ok {
		return nil
	}
	return func(ctx context.Context, to time.Time) error {
		s.moving.Lock()
		defer s.moving.Unlock()
		if to.Before(m.Now()) {
			return m.MoveTo(to) // refused
		}
		for {
			if err := s.day.Catch(ctx); err != nil {
				return err
			}
			cut := s.day.NextCut()
			if cut.After(to) {
				break
			}
			if cut.After(m.Now()) {
				if err := m.MoveTo(cut); err != nil {
					return err
				}
			}
		}
		if to.Before(m.Now()) { // the days took longer
			return nil
		}
		return m.MoveTo(to)
	}
}

func (a *accountingDay) path(date bank.Date) string {
	return filepath.Join(a.dir, date.String()+".json")
}

// Report reads the report of a date's end.
func (a *accountingDay) Report(date bank.Date) (*bank.DayReport, error) {
	text, err := os.ReadFile(a.path(date))
	if errors.Is(err, os.ErrNotExist) {
		return nil, bank.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	r := new(bank.DayReport)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("report of %s: %w", date, err)
	}
	return r, nil
}

// keep writes a report, so that it is whole or not there after a crash.
func (a *accountingDay) keep(r *bank.DayReport) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := note(a.path(r.Date), string(text)); err != nil {
		return fmt.Errorf("keep the report of %s: %w", r.Date, err)
	}
	a.count(r)
	return nil
}

// dayMetrics measure the accounting day.
func (s *server) dayMetrics(r *prometheus.Registry) {
	gauge := func(name, help string, value func(bank.DayStatus) float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(s.day.Status()) }))
	}
	gauge("suanpan_day_accounting_date", "The accounting date, yyyymmdd.", func(d bank.DayStatus) float64 { return float64(d.AccountingDate) })
	gauge("suanpan_day_working_date", "The date whose end is being worked on, yyyymmdd; 0: none.", func(d bank.DayStatus) float64 { return float64(d.Working) })
	gauge("suanpan_day_steps_done", "Steps of it that are done.", func(d bank.DayStatus) float64 { return float64(d.StepsDone) })
	gauge("suanpan_day_customers_visited", "Customers that the sweep under way has visited.", func(d bank.DayStatus) float64 { return float64(d.Visited) })
	gauge("suanpan_day_customers_to_visit", "Customers that it visits in all.", func(d bank.DayStatus) float64 { return float64(d.ToVisit) })
	gauge("suanpan_day_customers_per_second", "How fast it is.", func(d bank.DayStatus) float64 { return float64(d.PerSecond) })
	gauge("suanpan_day_seconds_left", "How long it will take.", func(d bank.DayStatus) float64 { return float64(d.LeftSeconds) })
	gauge("suanpan_day_failed", "1 while a step can't be done.", func(d bank.DayStatus) float64 {
		if d.Failure != "" {
			return 1
		}
		return 0
	})
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "suanpan_day_checks_broken", Help: "Daily checks that were broken when they were made last."},
		func() float64 { return float64(s.broken.Load()) }))
}
