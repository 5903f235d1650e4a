package clock

import (
	"context"
	"errors"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 15, 10, 0, 0, 0, time.FixedZone("", 8*3600))

// Who waits for midnight must be told when a demonstration moves the clock there, and not before.
func TestWhoeverWaitsFollowsTheClockWhenItIsMoved(t *testing.T) {
	c := NewMovable(start)
	reached := make(chan error, 1)
	midnight := start.Add(14 * time.Hour)
	go func() { reached <- c.Until(t.Context(), midnight) }()
	if err := c.MoveTo(start.Add(13 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-reached:
		t.Fatal("told an hour too early")
	default:
	}
	if err := c.MoveTo(midnight); err != nil {
		t.Fatal(err)
	}
	if err := <-reached; err != nil {
		t.Fatal(err)
	}
	if now := c.Now(); now.Before(midnight) {
		t.Fatalf("it is %s after midnight was reached", now)
	}
}

func TestAClockNeverGoesBackwards(t *testing.T) {
	c := NewMovable(start)
	if err := c.MoveTo(start.Add(-time.Second)); !errors.Is(err, ErrBackwards) {
		t.Fatalf("moved back: %v", err)
	}
	if c.Now().Before(start) {
		t.Fatal("it went back all the same")
	}
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]Clock{"movable": NewMovable(start), "system": System{}} {
		if err := c.Until(ctx, c.Now().Add(time.Hour)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Until(t.Context(), c.Now().Add(-time.Hour)); err != nil {
			t.Errorf("%s, a time that has passed: %v", name, err)
		}
	}
}
