package embedded

import (
	"testing"

	"pgregory.net/rapid"
)

// Were an id lost, a retried transfer would be paid twice.
func TestTheIndexFindsExactlyWhatIsInIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x index
		in := map[uint32]uint32{} // reference to hash
		next := uint32(1)
		// Few hashes, and neighbours: long runs of occupied places that wrap around.
		hash := rapid.Custom(func(t *rapid.T) uint32 {
			return rapid.SampledFrom([]uint32{0, 0x00fffff0, 0x00ffffff, 0xff000000}).Draw(t, "region") + rapid.Uint32Range(0, 3).Draw(t, "offset")<<4
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
		seen := 0
		for _, h := range hashesOf(in) {
			s := x.shard(h)
			for reference, place := s.probe(h, s.home(h)); reference != 0; reference, place = s.probe(h, place) {
				if in[reference] != h {
					t.Fatalf("hash %x finds %d, which isn't in the index with it", h, reference)
				}
				seen++
			}
		}
		if seen != len(in) {
			t.Fatalf("%d entries are found of %d", seen, len(in))
		}
	})
}

func hashesOf(in map[uint32]uint32) (hashes []uint32) {
	seen := map[uint32]bool{}
	for _, h := range in {
		if !seen[h] {
			seen[h] = true
			hashes = append(hashes, h)
		}
	}
	return hashes
}
