package embedded

import (
	"math/bits"

	"github.com/suanpan-bank/suanpan/ledger"
)

// index finds rows by a 128-bit key, in 10 bytes a row. It is a hash table of 8-byte entries, half of
// the key's hash and half a reference; the keys themselves stay in the rows, where the caller compares
// them. A reference is never zero.
//
// It is cut by hash into shards. Within a shard entries are kept in the order of their tags by linear
// probing: a search stops at the first larger tag, so the table may be seven eighths full, and growing it
// by a fifth is one pass in order. A shard grows by itself and they begin at different sizes, so that
// one batch seldom meets more than one of these passes: seven milliseconds with fifty million ids.
type index struct {
	shards [indexShards]shard
}

type shard struct {
	entries []uint64 // tag<<32 | reference; 0 is free; the last is always free
	places  uint32   // a search begins in entries[:places]; behind are those pushed over the end
	used    uint32
	memory  *mapping // of entries; nil: the Go heap
}

const (
	indexShardBits = 6
	indexShards    = 1 << indexShardBits

	placesMin    = 16
	placesDouble = 4096    // smaller shards grow by doubling
	overhangMax  = 256     // entries behind the places
	heapBytesMax = 1 << 20 // larger shards lie outside the heap, in huge pages

	// shardReserve is the address space of a shard outside the heap, in entries: rowsMax rows, seven
	// tenths full and not quite evenly spread. Only what is used takes memory.
	shardReserve = rowsMax / indexShards * 10 / 7
)

// hashOf mixes a key. Results never depend on it, only speed does.
func hashOf(key ledger.Uint128) uint64 {
	hi, lo := bits.Mul64(key.Lo^0x9e3779b97f4a7c15, key.Hi^0xd1342543de82ef95)
	h := (hi ^ lo) * 0xff51afd7ed558ccd
	return h ^ h>>32
}

func tagOf(hash uint64) uint32 { return uint32(hash >> 32) }

func (x *index) shard(hash uint64) *shard { return &x.shards[hash&(indexShards-1)] }

// home is where the search for a tag begins.
func (s *shard) home(tag uint32) uint32 { return uint32(uint64(tag) * uint64(s.places) >> 32) }

// probe returns the next reference with this tag at or after place, and the place after it; 0 when
// there are no more.
func (s *shard) probe(tag, place uint32) (reference, next uint32) {
	if s.places == 0 {
		return 0, 0
	}
	for {
		entry := s.entries[place]
		if entry == 0 || uint32(entry>>32) > tag {
			return 0, 0
		}
		place++
		if uint32(entry>>32) == tag {
			return uint32(entry), place
		}
	}
}

func (x *index) insert(hash uint64, reference uint32) {
	s := x.shard(hash)
	if uint64(s.used)*8 >= uint64(s.places)*7 {
		s.grow(placesMin + uint32(hash&(indexShards-1))/4)
	}
	for !s.put(uint64(tagOf(hash))<<32 | uint64(reference)) {
		s.grow(0)
	}
	s.used++
}

// put enters an entry in order, or reports that the overhang is full.
func (s *shard) put(entry uint64) bool {
	tag := uint32(entry >> 32)
	place := s.home(tag)
	for s.entries[place] != 0 && uint32(s.entries[place]>>32) <= tag {
		place++
	}
	free := place
	for s.entries[free] != 0 {
		free++
	}
	if int(free) == len(s.entries)-1 {
		return false
	}
	copy(s.entries[place+1:free+1], s.entries[place:free])
	s.entries[place] = entry
	return true
}

// grow makes room, beginning with first places.
func (s *shard) grow(first uint32) {
	places := s.places + s.places/5
	switch {
	case s.places == 0:
		places = first
	case s.places < placesDouble:
		places = 2 * s.places
	}
	for !s.resize(places) {
		places += places / 8
	}
}

// resize spreads the entries over this many places, at least as many as before, or reports that they
// don't fit and more are needed. The order stays, so it is done in place: fresh memory is dear.
func (s *shard) resize(places uint32) bool {
	s.extend(int(places) + int(min(places, overhangMax)) + 1)
	s.places = places
	last := len(s.entries) - 1
	first := last
	for from := last - 1; from >= 0; from-- {
		// Without a branch on whether the place is free, which can't be foreseen.
		entry := s.entries[from]
		s.entries[from] = 0
		s.entries[first-1] = entry
		if entry != 0 {
			first--
		}
	}
	next := 0
	for from := first; from < last; from++ {
		entry := s.entries[from]
		place := max(next, int(s.home(uint32(entry>>32))))
		if place > from {
			return false
		}
		s.entries[from] = 0
		s.entries[place] = entry
		next = place + 1
	}
	return true
}

// extend makes entries at least this long. A large shard has room reserved to grow in.
func (s *shard) extend(length int) {
	switch {
	case length <= len(s.entries):
	case s.memory != nil:
		s.entries = sliceOf[uint64](s.memory.bytes)[:length]
	case 8*length <= heapBytesMax:
		s.entries = append(make([]uint64, 0, length), s.entries...)[:length]
	default:
		s.memory = mapHuge(8 * shardReserve)
		entries := sliceOf[uint64](s.memory.bytes)[:length]
		copy(entries, s.entries)
		s.entries = entries
	}
}

// replace points the entry of one reference at another with the same hash.
func (x *index) replace(hash uint64, reference, with uint32) {
	s := x.shard(hash)
	s.entries[s.place(tagOf(hash), reference)] = uint64(tagOf(hash))<<32 | uint64(with)
}

// remove takes an entry out and closes the gap, so that searches still may stop at a free entry.
func (x *index) remove(hash uint64, reference uint32) {
	s := x.shard(hash)
	gap := s.place(tagOf(hash), reference)
	for next := gap + 1; s.entries[next] != 0 && s.home(uint32(s.entries[next]>>32)) < next; next++ {
		s.entries[gap] = s.entries[next]
		gap = next
	}
	s.entries[gap] = 0
	s.used--
}

func (s *shard) place(tag, reference uint32) uint32 {
	want := uint64(tag)<<32 | uint64(reference)
	for place := s.home(tag); ; place++ {
		switch entry := s.entries[place]; {
		case entry == want:
			return place
		case entry == 0 || uint32(entry>>32) > tag:
			panic("embedded: an index lost an entry")
		}
	}
}
