package streams

import (
	"context"
	"time"
)

// Pace (让路) lets work that nobody waits for make room for requests, on the same cores. While the bank is
// busy a consumer rests after each of its rounds, long enough that it works for an ActiveShare of the time at
// most; it falls behind then, and catches up when there is time. It never stops: whatever happens outside, it
// gets its share.
//
// Nothing is lost by that: what is not published is in the journal, and what the report has not read the
// broker keeps. How far behind they are is a metric.
type Pace struct {
	// Busy tells whether requests wait for the processor; nil: never.
	Busy func() bool
	// Awaited tells whether the bank itself waits for the consumer, as the checks of a day's end do for the stream; nil:
	// never. Then it rests as long as it works, and no longer.
	Awaited func() bool
}

const (
	// ActiveShare is the part of its time, as 1 in so many, that a consumer works while the bank is busy.
	ActiveShare = 8
	restMax     = time.Second          // however long the round was
	restStep    = 5 * time.Millisecond // how soon a rest ends when the bank is not busy any more
)

// Rest rests after a round that took so long.
func (p Pace) Rest(ctx context.Context, took time.Duration) {
	if p.Busy == nil {
		return
	}
	rest := min(took*(ActiveShare-1), restMax)
	if p.Awaited != nil && p.Awaited() {
		rest = min(took, restMax)
	}
	for begun := time.Now(); p.Busy() && time.Since(begun) < rest; {
		select {
		case <-time.After(min(restStep, rest)):
		case <-ctx.Done():
			return
		}
	}
}
