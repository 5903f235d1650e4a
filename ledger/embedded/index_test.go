package embedded

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// Were an id lost, a retried transfer would be paid twice.
func TestTheIndexFindsExactlyWhatIsInIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x index
		in := map[uint32]uint64{} // reference to hash
		next := uint32(1)
		// Few tags, and neighbours, at both ends: long runs of occupied places, and some pushed over the end.
		hash := rapid.Custom(func(t *rapid.T) uint64 {
			tag := rapid.SampledFrom([]uint64{0, 0x00fffff0, 0x80000000, 0xffffff00, 0xfffffffc}).Draw(t, "region") + rapid.Uint64Range(0, 3).Draw(t, "offset")
			return tag<<32 | rapid.Uint64Range(0, 1).Draw(t, "shard")
		})
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.IntRange(0, 2).Draw(t, "step") > 0 || len(in) == 0 {
				h := hash.Draw(t, "hash")
				x.insert(h, next)
				in[next] = h
				next++
				continue
			}
			reference := rapid.Uint32Range(1, next-1).Draw(t, "reference")
			h, ok := in[reference]
			if !ok {
				continue
			}
			delete(in, reference)
			if rapid.Bool().Draw(t, "replace") {
				x.replace(h, reference, next)
				in[next] = h
				next++
			} else {
				x.remove(h, reference)
			}
		}
		checkIndex(t, &x, in)
	})
}

// Growing shards are the rule in a bank that has just opened, and the moment at which an entry is lost
// most easily.
func TestTheIndexFindsEverythingAfterGrowingAndShrinking(t *testing.T) {
	long(t)
	var x index
	in := map[uint32]uint64{}
	random := rand.New(rand.NewPCG(1, 2))
	const n = 400_000
	for reference := uint32(1); reference <= n; reference++ {
		in[reference] = random.Uint64()&^(indexShards-1) | uint64(reference%2) // two shards, large ones
		x.insert(in[reference], reference)
	}
	for reference := uint32(1); reference <= n; reference += 3 {
		x.remove(in[reference], reference)
		delete(in, reference)
	}
	checkIndex(t, &x, in)
	if x.shards[0].memory == nil {
		t.Error("the test was to reach shards outside the Go heap")
	}
}

func checkIndex(t interface{ Fatalf(string, ...any) }, x *index, in map[uint32]uint64) {
	seen := 0
	done := map[uint64]bool{}
	for _, h := range in {
		shardAndTag := h&(indexShards-1) | uint64(tagOf(h))<<32
		if done[shardAndTag] {
			continue
		}
		done[shardAndTag] = true
		s, tag := x.shard(h), tagOf(h)
		for reference, place := s.probe(tag, s.find(tag)); reference != 0; reference, place = s.probe(tag, place) {
			if got, ok := in[reference]; !ok || tagOf(got) != tag {
				t.Fatalf("tag %x finds %d, which isn't in the index with it", tag, reference)
			}
			seen++
		}
	}
	if seen != len(in) {
		t.Fatalf("%d entries are found of %d", seen, len(in))
	}
}
