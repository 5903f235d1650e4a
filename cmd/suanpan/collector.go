package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// The garbage collector reads all that lives, on every processor that it takes for idle: for 10 to 40 ms each payment
// shares them with it. How often depends on how much is allocated, some 100 MB a second at 5,000 payments, nearly all by
// relay, broker and report. With little alive it would be often enough to make one payment of a hundred slow.

const (
	// gcPercent is how much is allocated, as a share of what lives, between two collections. At Go's own 100 that was 12 to
	// 22 % of the CPU of a transfer.
	gcPercent = 200
	// gcLeastBytes is how much is allocated between two collections at least, however little lives, but no more than a part
	// (gcLeastShare) of the memory there is. GOMEMLIMIT still holds.
	gcLeastBytes = 1 << 30
	gcLeastShare = 8
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
	least := gcLeast()
	for set := 0; ; {
		metrics.Read(live)
		// A change stops everybody for a moment.
		if want := collectAt(live[0].Value.Uint64(), least); want < set*3/4 || want > set*4/3 {
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

// gcLeast is how much is allocated between two collections at least, on this machine.
func gcLeast() uint64 { return min(gcLeastBytes, memoryBytes(memTotalFile, memMaxFile)/gcLeastShare) }

// preparedHeap is how far a heap grows soon: what is allocated between two collections, and as much that lives. A hundred
// thousand customers are half a gigabyte.
func preparedHeap() uint64 { return 2 * gcLeast() }

// collectAt is the percentage for so many bytes that live and so many to be allocated at least.
func collectAt(live, least uint64) int {
	return int(min(max(least*100/max(live, 1), gcPercent), gcPercentMax))
}

const (
	memTotalFile = "/proc/meminfo"
	memMaxFile   = "/sys/fs/cgroup/memory.max"
)

// memoryBytes is how much memory the machine has, or the container if that may use less; where neither says so, more than
// any has.
func memoryBytes(total, most string) uint64 {
	bytes := uint64(math.MaxUint64)
	if text, err := os.ReadFile(total); err == nil {
		var kilobytes uint64
		if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kilobytes); err == nil {
			bytes = kilobytes << 10
		}
	}
	if text, err := os.ReadFile(most); err == nil {
		if n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil { // "max": no limit
			bytes = min(bytes, n)
		}
	}
	return bytes
}
