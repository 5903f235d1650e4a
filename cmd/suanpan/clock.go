package main

import (
	"context"
	"fmt"
	"time"

	"github.com/suanpan-bank/suanpan/internal/clock"
	"github.com/suanpan-bank/suanpan/journal"
)

// clockSlack is how far the machine's clock may be behind the journal: machines' clocks are set now and then.
const clockSlack = time.Hour

// openClock begins the bank's time: at the time that is asked for, or where the journal's last record has brought
// it. A journal that was written under a clock far ahead of the machine's is refused without one: what happens
// next would stand before what has happened.
func (s *server) openClock(ctx context.Context, begin string) error {
	last, err := s.lastTime(ctx)
	if err != nil {
		return err
	}
	if begin == "" {
		if ahead := time.Until(last); ahead > clockSlack {
			return fmt.Errorf("the journal has come to %s, which is %s from now: go on with --clock, or set this machine's clock",
				last.In(clock.Shanghai).Format(time.RFC3339), ahead.Round(time.Minute))
		}
		return nil
	}
	at, err := time.Parse(time.RFC3339, begin)
	if err != nil {
		return fmt.Errorf("--clock takes a time such as 2026-01-15T10:00:00+08:00: %w", err)
	}
	if at.Before(last) {
		at = last
	}
	s.clock = clock.NewMovable(at)
	return nil
}

// lookBack is how many records are read at once to find the last one with a time: claims of shards have none.
const lookBack = 4096

// lastTime is when the journal's last record was written; zero if there is none.
func (s *server) lastTime(ctx context.Context) (at time.Time, err error) {
	for end := s.journal.Last(); at.IsZero() && end >= s.journal.First(); {
		from := max(s.journal.First(), end-min(end, lookBack)+1)
		err := s.journal.Scan(ctx, from, func(rec *journal.Record) bool {
			if rec.Kind != journal.KindClaim {
				at = time.Unix(0, rec.Time)
			}
			return rec.Position < end
		})
		if err != nil {
			return at, fmt.Errorf("when the journal ends: %w", err)
		}
		end = from - 1
	}
	return at, nil
}
