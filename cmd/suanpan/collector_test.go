package main

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// Too seldom, and memory grows without need; too often, and payments wait.
func TestTheCollectorLetsAGigabyteGatherAndMoreWhereMoreLives(t *testing.T) {
	for _, c := range []struct {
		live, least uint64
		want        int
	}{
		{0, gcLeastBytes, gcPercentMax}, {4 << 20, gcLeastBytes, gcPercentMax}, {128 << 20, gcLeastBytes, 800}, {512 << 20, gcLeastBytes, gcPercent},
		{4 << 30, gcLeastBytes, gcPercent}, {32 << 20, 128 << 20, 400}, {128 << 20, 128 << 20, gcPercent},
	} {
		if got := collectAt(c.live, c.least); got != c.want {
			t.Errorf("%d bytes live, %d at least: %d %%, want %d", c.live, c.least, got, c.want)
		}
	}
}

// On a small machine a gigabyte of garbage would be most of the memory.
func TestTheSmallerOfMachineAndContainerCounts(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		total, most string
		want        uint64
	}{
		{"MemTotal:        2000000 kB\nMemFree:  1 kB\n", "max\n", 2_000_000 << 10},
		{"MemTotal:        2000000 kB\n", "1073741824\n", 1 << 30},
		{"MemTotal:        1000 kB\n", "1073741824\n", 1_024_000},
		{"", "1073741824", 1 << 30},
		{"something else", "", math.MaxUint64},
	} {
		total, most := filepath.Join(dir, "total"), filepath.Join(dir, "most")
		for path, text := range map[string]string{total: c.total, most: c.most} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := memoryBytes(total, most); got != c.want {
			t.Errorf("%q %q: %d, want %d", c.total, c.most, got, c.want)
		}
	}
	if got := memoryBytes(filepath.Join(dir, "none"), filepath.Join(dir, "none")); got != math.MaxUint64 {
		t.Error(got)
	}
}
