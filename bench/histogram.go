package main

import (
	"math/bits"
	"time"
)

// histogram counts latencies in buckets whose width grows with the value: 32 to each power of two, so
// a quantile is at most about 3 % too high, for every duration there is, in 15 KiB.
type histogram struct {
	counts [(64 - subBits) << subBits]uint64
	total  uint64
	max    time.Duration
}

// subBits is how many bits after the leading one choose the bucket.
const subBits = 5

func (h *histogram) record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))]++
	h.total++
	h.max = max(h.max, d)
}

// quantile returns a latency that the share q (0…1) of those recorded did not exceed; 0 of none.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := uint64(q * float64(h.total))
	rank = min(max(rank, 1), h.total)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(time.Duration(bucketEnd(i)), h.max)
		}
	}
	panic("bench: histogram counts do not add up to their total")
}

func (h *histogram) reset() { *h = histogram{} }

// bucketOf numbers the bucket of v: values below 64 have one each, larger ones share by their first
// six significant bits.
func bucketOf(v uint64) int {
	if v < 2<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return shift<<subBits + int(v>>shift)
}

// bucketEnd is the largest value in bucket i.
func bucketEnd(i int) uint64 {
	if i < 2<<subBits {
		return uint64(i)
	}
	shift := i>>subBits - 1
	mantissa := uint64(i&(1<<subBits-1) | 1<<subBits)
	return (mantissa+1)<<shift - 1
}
