package main

import "testing"

// Too seldom, and memory grows without need; too often, and payments wait.
func TestTheCollectorLetsAGigabyteGatherAndMoreWhereMoreLives(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{{0, gcPercentMax}, {4 << 20, gcPercentMax}, {128 << 20, 800}, {512 << 20, gcPercent}, {4 << 30, gcPercent}} {
		if got := collectAt(c.live); got != c.want {
			t.Errorf("%d bytes live: %d %%, want %d", c.live, got, c.want)
		}
	}
}
