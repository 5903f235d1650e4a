package actors

import (
	"testing"
	"testing/synctest"
)

// turnOf is a turn that needs its round.
type turnOf func(*round)

func (t turnOf) take(r *round) { t(r) }

// A customer who is read from disk must not hold up the others, however many are.
func TestThoseWhoWaitForTheDiskHoldNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDispatcher()
		for _, waiting := range []int{2 * idleWorkersMax, idleWorkersMax} {
			all, disk := make(chan struct{}), make(chan struct{})
			for range waiting {
				d.schedule(turnOf(func(r *round) {
					<-all
					r.wait()
					d.aside(func() { <-disk })
				}))
			}
			ran := make(chan struct{})
			d.Schedule(func() { close(ran) })
			synctest.Wait()
			close(all)
			<-ran
			close(disk)
			synctest.Wait()
			if d.idle != idleWorkersMax || d.taking != 0 {
				t.Errorf("%d goroutines are kept, want %d; %d turns are still taken", d.idle, idleWorkersMax, d.taking)
			}
		}
		handled := false
		d.end()
		d.Schedule(func() { handled = true })
		synctest.Wait()
		if !handled {
			t.Error("a turn after the end was never taken")
		}
	})
}

// More turns at once only wait for one lock; fewer leave a processor idle.
func TestAsManyTurnsAreTakenAtOnceAsMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDispatcher()
		const turns = 1000
		begun, gate := make(chan struct{}, turns), make(chan struct{})
		for range turns {
			d.Schedule(func() { begun <- struct{}{}; <-gate })
		}
		for done := range turns {
			synctest.Wait()
			if want := min(done+d.most, turns); len(begun) != want {
				t.Fatalf("%d turns are over and %d begun, want %d", done, len(begun), want)
			}
			gate <- struct{}{}
		}
		d.end()
	})
}
