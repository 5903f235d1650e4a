package pace

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func yes() bool { return true }
func no() bool  { return false }

// What rests too little makes payments wait; what rests too long never catches up.
func TestWorkRestsWhileRequestsComeAndNoLonger(t *testing.T) {
	for _, c := range []struct {
		name                  string
		served, busy, awaited func() bool
		took, least, most     time.Duration
	}{
		{"nobody there", no, no, no, time.Second, 0, 0},
		{"requests come", yes, no, no, 10 * time.Millisecond, 10 * time.Millisecond, 11 * time.Millisecond},
		{"they wait", yes, yes, no, 10 * time.Millisecond, 80 * time.Millisecond, 86 * time.Millisecond},
		{"they wait, and it is waited for", yes, yes, yes, 10 * time.Millisecond, 20 * time.Millisecond, 21 * time.Millisecond},
		{"always waited for", yes, yes, nil, 10 * time.Millisecond, 20 * time.Millisecond, 21 * time.Millisecond},
		{"a short piece", yes, no, no, time.Millisecond, 0, 0},
		{"a very long piece", yes, yes, no, time.Hour, 2 * restMax, 2*restMax + 2*restStep},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := NewRoom(c.served, c.busy).Pace(c.awaited).Begin(t.Context())
				begun := time.Now()
				w.EndAfter(t.Context(), c.took)
				if rested := time.Since(begun); rested < c.least || rested > c.most {
					t.Errorf("rested %v, want %v to %v", rested, c.least, c.most)
				}
			})
		})
	}
}

func TestARestEndsWhenNoMoreRequestsCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		served := func() bool { return time.Since(begun) < 30*time.Millisecond }
		w := NewRoom(served, no).Pace(no).Begin(t.Context())
		w.EndAfter(t.Context(), time.Second)
		if rested := time.Since(begun); rested > 30*time.Millisecond+restStep {
			t.Errorf("rested %v", rested)
		}
	})
}

func TestRestsForShortPiecesAreAddedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewRoom(yes, no).Pace(nil)
		begun := time.Now()
		for range 100 {
			w := p.Begin(t.Context())
			w.EndAfter(t.Context(), time.Millisecond)
		}
		if rested := time.Since(begun); rested < 197*time.Millisecond || rested > 203*time.Millisecond {
			t.Errorf("rested %v for 100 ms", rested)
		}
	})
}

func TestWhatNothingWaitsForGivesWayToWhatSomethingDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRoom(yes, no)
		first := r.Pace(yes).Begin(t.Context())
		first.EndAfter(t.Context(), time.Millisecond)
		w := r.Pace(no).Begin(t.Context())
		begun := time.Now()
		w.EndAfter(t.Context(), 10*time.Millisecond)
		if rested := time.Since(begun); rested < 70*time.Millisecond {
			t.Errorf("rested %v", rested)
		}
	})
}

// A day's end that rests for twice as long as it works however large the bank is takes too long.
func TestWhatIsWaitedForLongRestsLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewRoom(yes, no).Pace(nil)
		rested := func() time.Duration {
			w := p.Begin(t.Context())
			begun := time.Now()
			w.EndAfter(t.Context(), 10*time.Millisecond)
			return time.Since(begun)
		}
		for begun := time.Now(); time.Since(begun) < HurryAfter; {
			if r := rested(); r < 20*time.Millisecond {
				t.Fatalf("rested %v after %v", r, time.Since(begun))
			}
		}
		rested()
		if r := rested(); r > 6*time.Millisecond {
			t.Errorf("rested %v after %v", r, HurryAfter)
		}
		time.Sleep(pressedGap)
		if r := rested(); r < 20*time.Millisecond {
			t.Errorf("rested %v, another day", r)
		}
	})
}

func TestFewWorkAtOnceWhileRequestsCome(t *testing.T) {
	for _, c := range []struct {
		served func() bool
		gentle bool
	}{{yes, true}, {no, false}} {
		synctest.Test(t, func(t *testing.T) {
			r := NewRoom(c.served, no)
			var at, most atomic.Int32
			var all sync.WaitGroup
			for range 10 * cap(r.turns) {
				p := r.Pace(nil)
				all.Go(func() {
					w := p.Begin(t.Context())
					if w.Gentle() != c.gentle {
						t.Errorf("gentle: %t", w.Gentle())
					}
					if n := at.Add(1); n > most.Load() {
						most.Store(n)
					}
					time.Sleep(time.Millisecond)
					at.Add(-1)
					w.End(t.Context())
				})
			}
			all.Wait()
			if few := int(most.Load()) <= cap(r.turns); few != c.gentle {
				t.Errorf("%d at once, %d turns", most.Load(), cap(r.turns))
			}
		})
	}
}

// A relay that waits for its broker must not hold up a day's end.
func TestATurnThatTakesLongHoldsNobodyUpForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRoom(yes, no)
		p := r.Pace(nil)
		var held []Work
		for range cap(r.turns) {
			held = append(held, p.Begin(t.Context()))
		}
		begun := time.Now()
		for range 100 {
			w := p.Begin(t.Context())
			w.EndAfter(t.Context(), 0)
		}
		if waited := time.Since(begun); waited > turnMax {
			t.Errorf("waited %v", waited)
		}
		held[0].EndAfter(t.Context(), 0)
		if w := p.Begin(t.Context()); !w.Gentle() {
			t.Error("the turn that was given back is not given out")
		}
	})
}

func TestAnEndedContextEndsWaitsAndRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := NewRoom(yes, yes)
		begun := time.Now()
		for range cap(r.turns) + 1 {
			r.Pace(no).Begin(ctx)
		}
		w := NewRoom(yes, yes).Pace(no).Begin(ctx)
		w.EndAfter(ctx, time.Hour)
		if waited := time.Since(begun); waited > 0 {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestWithoutAPaceNothingRests(t *testing.T) {
	var none *Pace
	w := none.Begin(t.Context())
	w.Next(t.Context())
	w.End(t.Context())
	if w.Gentle() {
		t.Error("gentle")
	}
}
