package main

import (
	"runtime/metrics"
	"testing"
	"time"
)

// A node that takes itself for busy when it is not publishes late; one that never does is slow for everybody.
func TestANodeIsBusyWhenGoroutinesOrManyCommandsWait(t *testing.T) {
	l := load{commands: func() (int64, int64) { return 0, 0 }}
	waits := &metrics.Float64Histogram{Buckets: []float64{0, 1e-6, 1e-3, 1}, Counts: make([]uint64, 3)}
	for i, c := range []struct {
		quick, long uint64
		underWay    int64
		want        bool
	}{
		{1000, 0, 0, false}, {1000, 500, 0, true}, {1000, 20, 0, false}, {0, 0, 0, false}, {0, 3, 0, true}, {1000, 0, 0, false},
		{1000, 0, manyUnder - 1, false}, {1000, 0, manyUnder, true}, {1000, 0, 1, true}, {1000, 0, 1, true}, {1000, 0, 1, false},
	} {
		waits.Counts[0] += c.quick
		waits.Counts[2] += c.long
		if l.see(waits, c.underWay); l.busy != c.want {
			t.Errorf("look %d: busy %t", i, l.busy)
		}
	}
	if l.Busy(); l.looked.IsZero() || len(l.before) < 10 {
		t.Error("the runtime was not asked")
	}
	l.looked, l.busy = time.Now(), true
	if !l.Busy() {
		t.Error("it looks too often")
	}
}
