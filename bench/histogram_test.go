package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestEveryLatencyHasOneBucketAndBucketsAreNarrow(t *testing.T) {
	next := uint64(0)
	for i := range len(histogram{}.counts) {
		first, last := next, bucketEnd(i)
		if bucketOf(first) != i || bucketOf(last) != i {
			t.Fatalf("bucket %d is %d…%d, but they are put into %d and %d", i, first, last, bucketOf(first), bucketOf(last))
		}
		if width := last - first; width > first>>subBits {
			t.Fatalf("bucket %d is %d…%d: too wide", i, first, last)
		}
		next = last + 1
		if last == math.MaxInt64 {
			return
		}
	}
	t.Fatalf("no bucket from %d on", next)
}

func TestQuantilesAreNotBelowTheTruthAndLittleAbove(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(math.Exp(random.NormFloat64()*2+12)) * time.Nanosecond
		h.record(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.5, 0.99, 0.999, 1} {
		truth, got := all[int(q*float64(len(all)))-1], h.quantile(q)
		if got < truth || got > truth+truth>>subBits+1 {
			t.Errorf("quantile %v is %v; the truth is %v", q, got, truth)
		}
	}
	if h.quantile(1) != h.max {
		t.Errorf("the largest is %v, not %v", h.quantile(1), h.max)
	}
	h.reset()
	if h.quantile(0.5) != 0 {
		t.Error("nothing recorded, yet a median")
	}
}
