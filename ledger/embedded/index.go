package embedded

import (
	"math/bits"

	"github.com/suanpan-bank/suanpan/ledger"
)

// index finds rows by a 128-bit key. It is an open-addressing hash table of 8-byte entries, half
// of the key's hash and half a reference; the keys themselves stay in the rows, where the caller
// compares them. A reference is never zero.
//
// It is cut by hash into shards that double one at a time, because doubling one table of ten
// million entries would stop the ledger for a tenth of a second, and one shard takes less than a
// millisecond.
type index struct {
	shards [indexShards]shard
}

type shard struct {
	entries []uint64 // hash<<32 | reference; 0 is free; linear probing; length a power of two
	used    uint32
	shift   uint8 // 32 − log2(len(entries))
}

const (
	indexShardBits = 8
	indexShards    = 1 << indexShardBits
	shardLenMin    = 16
)

// hashOf mixes a key into 32 bits. Results never depend on it, only speed does.
func hashOf(key ledger.Uint128) uint32 {
	hi, lo := bits.Mul64(key.Lo^0x9e3779b97f4a7c15, key.Hi^0xd1342543de82ef95)
	h := (hi ^ lo) * 0xff51afd7ed558ccd
	return uint32((h ^ h>>32) >> 8)
}

func (x *index) shard(hash uint32) *shard { return &x.shards[hash>>(32-indexShardBits)] }

// home is where the search for a hash begins. It uses the hash's high bits, so that the place of
// an entry follows from the entry alone, without reading the row.
func (s *shard) home(hash uint32) uint32 { return hash << indexShardBits >> s.shift }

// probe returns the next reference with this hash at or after place, and the place after it; 0
// when there are no more.
func (s *shard) probe(hash, place uint32) (reference, next uint32) {
	mask := uint32(len(s.entries) - 1)
	if len(s.entries) == 0 {
		return 0, 0
	}
	for {
		entry := s.entries[place&mask]
		if entry == 0 {
			return 0, 0
		}
		place++
		if uint32(entry>>32) == hash {
			return uint32(entry), place
		}
	}
}

func (x *index) insert(hash, reference uint32) {
	s := x.shard(hash)
	if s.used*8 >= uint32(len(s.entries))*5 {
		s.double()
	}
	s.put(uint64(hash)<<32 | uint64(reference))
	s.used++
}

func (s *shard) put(entry uint64) {
	mask := uint32(len(s.entries) - 1)
	place := s.home(uint32(entry >> 32))
	for s.entries[place&mask] != 0 {
		place++
	}
	s.entries[place&mask] = entry
}

func (s *shard) double() {
	old := s.entries
	length := max(2*len(old), shardLenMin)
	s.entries = make([]uint64, length)
	s.shift = uint8(32 - bits.TrailingZeros(uint(length)))
	for _, entry := range old {
		if entry != 0 {
			s.put(entry)
		}
	}
}

// replace points the entry of one reference at another with the same hash.
func (x *index) replace(hash, reference, with uint32) {
	s := x.shard(hash)
	s.entries[s.place(hash, reference)] = uint64(hash)<<32 | uint64(with)
}

// remove takes an entry out and closes the gap, so that searches still may stop at a free entry.
func (x *index) remove(hash, reference uint32) {
	s := x.shard(hash)
	mask := uint32(len(s.entries) - 1)
	gap := s.place(hash, reference)
	for next := (gap + 1) & mask; s.entries[next] != 0; next = (next + 1) & mask {
		home := s.home(uint32(s.entries[next] >> 32))
		if (next-home)&mask >= (next-gap)&mask {
			s.entries[gap] = s.entries[next]
			gap = next
		}
	}
	s.entries[gap] = 0
	s.used--
}

func (s *shard) place(hash, reference uint32) uint32 {
	mask := uint32(len(s.entries) - 1)
	want := uint64(hash)<<32 | uint64(reference)
	for place := s.home(hash) & mask; ; place = (place + 1) & mask {
		switch s.entries[place] {
		case want:
			return place
		case 0:
			panic("embedded: an index lost an entry")
		}
	}
}
