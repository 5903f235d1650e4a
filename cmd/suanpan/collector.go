package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The garbage collector reads all that lives, on every processor that it takes for idle: for 10 to 40 ms each payment
// shares them with it. How often depends on how much is allocated, some 100 MB a second at 5,000 payments, nearly all by
// relay, broker and report. With little alive it would be often enough to make one payment of a hundred slow.

const (
	// gcPercent is how much is allocated, as a share of what lives, between two collections. At Go's own 100 that was 12 to
	// 22 % of the CPU of a transfer.
	gcPercent = 200
	// gcLeastBytes is how much is allocated between two collections at least, however little lives. GOMEMLIMIT still holds.
	gcLeastBytes = 1 << 30
	// gcPercentMax bounds what the two come to before anything lives.
	gcPercentMax  = 1000
	collectorLook = 2 * time.Second
	liveMetric    = "/gc/heap/live:bytes" // after the last collection
)

// keepCollector has the collector follow what lives, until ctx ends.
func keepCollector(ctx context.Context) error {
	tick := time.NewTicker(collectorLook)
	defer tick.Stop()
	live := []metrics.Sample{{Name: liveMetric}}
	for set := 0; ; {
		metrics.Read(live)
		// A change stops everybody for a moment.
		if want := collectAt(live[0].Value.Uint64()); want < set*3/4 || want > set*4/3 {
			debug.SetGCPercent(want)
			set = want
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// collectAt is the percentage for so many bytes that live.
func collectAt(live uint64) int {
	return int(min(max(gcLeastBytes*100/max(live, 1), gcPercent), gcPercentMax))
}
