package main

import (
	"runtime/metrics"
	"sync"
	"time"
)

// What works behind the requests' backs makes room for them (internal/pace) while they come, and more while they wait for a
// processor. That they come their number tells. That they wait the runtime tells: it measures how long every goroutine
// that could run had to wait. Payments on event loops wait as no goroutines, but a loop reads all there are: how many are
// under way tells.

const (
	waitMetric = "/sched/latencies:seconds"
	waitLong   = 0.5e-3                 // seconds; an idle machine takes some µs
	waitShare  = 0.1                    // of goroutines that waited long, from which on the node is busy
	lookEvery  = 20 * time.Millisecond  // a look takes some µs
	manyUnder  = 16                     // commands under way, from which on it is too; at 5,000 a second there are some eight
	manyFor    = 3                      // looks: what was flushed together is answered together, and for a moment there are few
	servedFor  = 200 * time.Millisecond // after the last command was answered
)

// load tells what the process has to do for its callers.
type load struct {
	mu       sync.Mutex
	looked   time.Time
	before   []uint64
	busy     bool
	many     int // for so many looks there still are many commands under way
	answered int64
	asked    time.Time // when a command was seen last

	commands func() (answered, underWay int64) // of callers
}

// Served tells whether commands have come of late.
func (l *load) Served() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.look()
	return l.looked.Sub(l.asked) < servedFor
}

// Busy tells whether the process has more to do than processors.
func (l *load) Busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.look()
	return l.busy
}

// look looks, unless it has not long ago; the lock is held.
func (l *load) look() {
	now := time.Now()
	if now.Sub(l.looked) < lookEvery {
		return
	}
	l.looked = now
	sample := []metrics.Sample{{Name: waitMetric}}
	metrics.Read(sample)
	answered, underWay := l.commands()
	if answered != l.answered || underWay > 0 {
		l.answered, l.asked = answered, now
	}
	l.see(sample[0].Value.Float64Histogram(), underWay)
}

// see compares the waits so far with those of the last look, and has the commands under way now.
func (l *load) see(waits *metrics.Float64Histogram, underWay int64) {
	var long, all uint64
	for i, n := range waits.Counts {
		if i < len(l.before) {
			n -= l.before[i]
		}
		all += n
		if waits.Buckets[i] >= waitLong {
			long += n
		}
	}
	l.before = append(l.before[:0], waits.Counts...)
	if l.many--; underWay >= manyUnder {
		l.many = manyFor
	}
	l.many = max(l.many, 0)
	l.busy = float64(long) > waitShare*float64(all) || l.many > 0
}
