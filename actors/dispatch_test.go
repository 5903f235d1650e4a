package actors

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// An actor that waits for the disk must not hold up the others, however many wait.
func TestAMailboxThatWaitsHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, gate := make(chan struct{}), make(chan struct{})
		d := newDispatcher(stop)
		for range 2 * idleWorkersMax {
			d.Schedule(func() { <-gate })
		}
		ran := make(chan struct{})
		d.Schedule(func() { close(ran) })
		<-ran
		close(gate)
		synctest.Wait()
		if kept := len(d.keep); kept != idleWorkersMax {
			t.Errorf("%d goroutines are kept, want %d", kept, idleWorkersMax)
		}
		before := runtime.NumGoroutine()
		for range 10 * idleWorkersMax {
			done := make(chan struct{})
			d.Schedule(func() { close(done) })
			<-done
			synctest.Wait()
		}
		if after := runtime.NumGoroutine(); after != before {
			t.Errorf("%d goroutines became %d: those that wait are not used, or do not wait again", before, after)
		}
		close(stop)
		synctest.Wait()
	})
}
