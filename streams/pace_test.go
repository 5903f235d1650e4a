package streams

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAConsumerRestsWhileTheBankIsBusyAndNoLonger(t *testing.T) {
	for _, c := range []struct {
		name              string
		pace              func() bool
		took, least, most time.Duration
	}{
		{"no pace", nil, time.Second, 0, 0},
		{"idle", func() bool { return false }, time.Second, 0, 0},
		{"busy", func() bool { return true }, 10 * time.Millisecond, 70 * time.Millisecond, 70*time.Millisecond + restStep},
		{"a short round", func() bool { return true }, 100 * time.Microsecond, 700 * time.Microsecond, 700*time.Microsecond + restStep},
		{"a long round", func() bool { return true }, time.Hour, restMax, restMax + restStep},
		{"nothing done", func() bool { return true }, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				Pace{Busy: c.pace}.Rest(t.Context(), c.took)
				if rested := time.Since(begun); rested < c.least || rested > c.most {
					t.Errorf("rested %v, want %v to %v", rested, c.least, c.most)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		yes := func() bool { return true }
		Pace{Busy: yes, Awaited: yes}.Rest(t.Context(), 10*time.Millisecond)
		if rested := time.Since(begun); rested < 10*time.Millisecond || rested > 10*time.Millisecond+restStep {
			t.Errorf("awaited, rested %v", rested)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		Pace{Busy: func() bool { return time.Since(begun) < 30*time.Millisecond }}.Rest(t.Context(), time.Second)
		if rested := time.Since(begun); rested > 30*time.Millisecond+restStep {
			t.Errorf("the bank was idle after 30 ms, rested %v", rested)
		}
	})
}
