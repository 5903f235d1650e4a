package actors

import (
	"testing"
	"testing/synctest"
)

// An actor that waits for the disk must not hold up the others, however many wait.
func TestAMailboxThatWaitsHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		d := newDispatcher(stop)
		for _, waiting := range []int{2 * idleWorkersMax, idleWorkersMax} {
			gate := make(chan struct{})
			for range waiting {
				d.Schedule(func() { <-gate })
			}
			synctest.Wait()
			if kept := len(d.keep); kept != 0 {
				t.Errorf("%d mailboxes wait and %d goroutines are free: new ones were made instead", waiting, kept)
			}
			ran := make(chan struct{})
			d.Schedule(func() { close(ran) })
			<-ran
			close(gate)
			synctest.Wait()
			if kept := len(d.keep); kept != idleWorkersMax {
				t.Errorf("%d goroutines are kept, want %d", kept, idleWorkersMax)
			}
		}
		close(stop)
		synctest.Wait()
	})
}
