package main

import (
	"runtime/metrics"
	"sync"
	"time"
)

// Relay and report make room for requests (streams.Pace) while requests wait for a processor. Commands that
// have been accepted don't tell: most of a queue stands in the sockets, unread. The runtime does: it measures
// how long every goroutine that could run had to wait.

const (
	waitMetric = "/sched/latencies:seconds"
	waitLong   = 0.5e-3                // seconds; an idle machine takes some µs
	waitShare  = 0.1                   // of goroutines that waited long, from which on the node is busy
	lookEvery  = 20 * time.Millisecond // a look takes some µs
)

// load tells whether the process has more to do than processors.
type load struct {
	mu     sync.Mutex
	looked time.Time
	before []uint64
	busy   bool
}

// Busy looks, or repeats what it saw not long ago.
func (l *load) Busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.looked) >= lookEvery {
		l.looked = now
		sample := []metrics.Sample{{Name: waitMetric}}
		metrics.Read(sample)
		l.see(sample[0].Value.Float64Histogram())
	}
	return l.busy
}

// see compares the waits so far with those of the last look.
func (l *load) see(waits *metrics.Float64Histogram) {
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
	l.busy = float64(long) > waitShare*float64(all)
}
