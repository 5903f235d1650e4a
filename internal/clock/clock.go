// Package clock is the bank's time (时钟). Everything in the product that asks for the time of a decision, or waits
// for a time of day, asks a Clock. One that can be moved is for tests and demonstrations: there a year passes in
// seconds, with all its ends of day.
//
// What measures how long something took, or paces work, asks the machine instead.
package clock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Shanghai is the zone in which the bank tells the time: UTC+8 all year.
var Shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// Clock tells the time. Its methods are safe for concurrent use.
type Clock interface {
	Now() time.Time
	// Until returns nil when the clock stands at t or later, and ctx's error if that ends first.
	Until(ctx context.Context, t time.Time) error
}

// System is the machine's clock.
type System struct{}

// Now is the machine's time.
func (System) Now() time.Time { return time.Now() }

// Until waits in the machine's time.
func (System) Until(ctx context.Context, t time.Time) error {
	return wait(ctx, time.Until(t), nil)
}

// ErrBackwards: a clock was to be moved to a time before its own.
var ErrBackwards = errors.New("a clock never goes backwards")

// Movable is a clock that begins at a given time, runs on as fast as the machine's, and can be moved forward.
type Movable struct {
	mu    sync.Mutex
	ahead time.Duration // of the machine's clock
	moved chan struct{} // closed and replaced at each move
}

// NewMovable starts a clock at a time.
func NewMovable(at time.Time) *Movable {
	return &Movable{ahead: time.Until(at), moved: make(chan struct{})}
}

// Now is the clock's time.
func (m *Movable) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.ahead)
}

// MoveTo moves the clock forward; ErrBackwards, with both times, if it is later already.
func (m *Movable) MoveTo(t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now().Add(m.ahead); t.Before(now) {
		return fmt.Errorf("%w: it stands at %s, which is after %s", ErrBackwards, now.In(Shanghai).Format(time.RFC3339), t.In(Shanghai).Format(time.RFC3339))
	}
	m.ahead = time.Until(t)
	close(m.moved)
	m.moved = make(chan struct{})
	return nil
}

// Until follows the clock when it is moved.
func (m *Movable) Until(ctx context.Context, t time.Time) error {
	for {
		m.mu.Lock()
		left, moved := t.Sub(time.Now().Add(m.ahead)), m.moved
		m.mu.Unlock()
		if left <= 0 {
			return ctx.Err()
		}
		if err := wait(ctx, left, moved); err != nil {
			return err
		}
	}
}

// wait returns after d, when wake is closed, or with ctx's error.
func wait(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
