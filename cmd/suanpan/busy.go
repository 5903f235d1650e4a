package main

import (
	"runtime/metrics"
	"sync"
	"time"
)

// Relay and report make room for requests (streams.Pace) while requests wait for a processor. The runtime tells: it
// measures how long every goroutine that could run had to wait. Payments on event loops wait as no goroutines, but a loop
// reads all there are: their number tells.

const (
	waitMetric = "/sched/latencies:seconds"
	waitLong   = 0.5e-3                // seconds; an idle machine takes some µs
	waitShare  = 0.1                   // of goroutines that waited long, from which on the node is busy
	lookEvery  = 20 * time.Millisecond // a look takes some µs
	manyUnder  = 16                    // commands under way, from which on it is too; at 5,000 a second there are some eight
	manyFor    = 3                     // looks: what was flushed together is answered together, and for a moment there are few
)

// load tells whether the process has more to do than processors.
type load struct {
	mu     sync.Mutex
	looked time.Time
	before []uint64
	busy   bool
	many   int // for so many looks there still are many commands under way

	underWay func() int64 // commands accepted and not answered
}

// Busy looks, or repeats what it saw not long ago.
func (l *load) Busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.looked) >= lookEvery {
		l.looked = now
		sample := []metrics.Sample{{Name: waitMetric}}
		metrics.Read(sample)
		l.see(sample[0].Value.Float64Histogram(), l.underWay())
	}
	return l.busy
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
