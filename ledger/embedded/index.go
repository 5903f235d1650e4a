package embedded

import (
	"math"
	"math/bits"

	"github.com/suanpan-bank/suanpan/ledger"
)

// index finds rows by a 128-bit key, in 10 bytes a row. It is a hash table of 8-byte entries, half of
// the key's hash and half a reference; the keys themselves stay in the rows, where the caller compares
// them. A reference is never zero.
//
// It is cut by hash into shards, and a shard into lines of eight entries, one cache line each. A tag belongs
// into the line that its size says, and all entries of a shard lie in the order of their tags, as far up
// as their lines and those behind them let them: what finds its line full is in the one below. So a search
// reads one line, seldom two, and has no branch that depends on where in it the entry is; a shard may be
// seven eighths full; and growing one by a quarter is a single pass in place, from the top down. A shard
// grows by itself, each a little fuller than the next, so that one batch seldom meets more than one of
// these passes (BenchmarkShardGrowth). A large one grows to the end of a huge page, which it has anyway: how many lines a new
// entry moves others through rises steeply with how full they are, from one in four at 0.7 to more than two at 0.85.
type index struct {
	shards [indexShards]shard
	roomy  bool // three quarters full at most: quicker to search, an entry more seldom lies below its line
}

type shard struct {
	entries []uint64 // tag<<32 | reference; 0 is free; the first is always free
	lines   uint32   // of the shard; below them is room for what finds the lowest ones full
	used    uint32
	memory  *mapping // of entries; nil: the Go heap
}

const (
	indexShardBits = 6
	indexShards    = 1 << indexShardBits

	lineEntries  = 8
	linesMin     = 2
	linesDouble  = 512     // smaller shards grow by doubling
	linesBelow   = 32      // room below the lines, at most
	heapBytesMax = 1 << 20 // larger shards lie outside the heap, in huge pages
	growsSoon    = 8       // a shard that has room for an entry in every so many lines only is made ready to grow

	// shardReserve is the address space of a shard outside the heap, in entries: rowsMax rows, six
	// tenths full and not quite evenly spread. Only what is used takes memory.
	shardReserve = rowsMax / indexShards * 10 / 6
)

// hashOf mixes a key. Results never depend on it, only speed does.
func hashOf(key ledger.Uint128) uint64 {
	hi, lo := bits.Mul64(key.Lo^0x9e3779b97f4a7c15, key.Hi^0xd1342543de82ef95)
	h := (hi ^ lo) * 0xff51afd7ed558ccd
	return h ^ h>>32
}

func tagOf(hash uint64) uint32 { return uint32(hash >> 32) }

func (x *index) shard(hash uint64) *shard { return &x.shards[hash&(indexShards-1)] }

// below is the number of entries below the lowest line.
func (s *shard) below() int { return lineEntries * int(min(s.lines, linesBelow)) }

// home is the first entry of a tag's line.
func (s *shard) home(tag uint32) int {
	return s.below() + lineEntries*int(uint64(tag)*uint64(s.lines)>>32)
}

// find returns the place of the last entry whose tag is at most this one; a free one if there is none.
func (s *shard) find(tag uint32) int {
	if s.lines == 0 {
		return 0
	}
	most := uint64(tag)<<32 | math.MaxUint32
	for at := s.home(tag); ; at -= lineEntries {
		line := (*[lineEntries]uint64)(s.entries[at:])
		if i := lastOf(line, most); line[i%lineEntries] <= most {
			return at + i
		}
	}
}

// lastOf returns the place in a line of the last entry that is at most this one; 0 if there is none. Three
// steps of a binary search, without a branch: where an entry lies can't be foreseen.
func lastOf(line *[lineEntries]uint64, most uint64) int {
	_, greater := bits.Sub64(most, line[4], 0)
	i := 4 - 4*greater
	_, greater = bits.Sub64(most, line[(i+2)%lineEntries], 0)
	i += 2 - 2*greater
	_, greater = bits.Sub64(most, line[(i+1)%lineEntries], 0)
	return int(i + 1 - greater)
}

// probe returns the reference at a place that find or probe returned, and the next place to look at;
// 0 when there are no more with this tag.
func (s *shard) probe(tag uint32, place int) (reference uint32, next int) {
	if s.lines == 0 {
		return 0, 0
	}
	if entry := s.entries[place]; uint32(entry>>32) == tag {
		return uint32(entry), place - 1
	}
	return 0, 0
}

// insert enters a reference.
func (x *index) insert(hash uint64, reference uint32) {
	s := x.shard(hash)
	x.insertAt(hash, reference, s.find(tagOf(hash)))
}

// insertAt is insert where find has returned this place and nothing has been entered since.
func (x *index) insertAt(hash uint64, reference uint32, place int) {
	s := x.shard(hash)
	most := uint64(7)
	if x.roomy {
		most = 6
	}
	number := uint32(hash & (indexShards - 1))
	switch room := int64(uint64(s.lines)*(most*indexShards-uint64(number))/indexShards) - int64(s.used); {
	case room <= 0:
		s.grow(number)
		place = s.find(tagOf(hash))
	case room == int64(s.lines/growsSoon):
		s.makeReady(number)
	}
	for left := s.put(uint64(tagOf(hash))<<32|uint64(reference), place); left != 0; {
		s.grow(0)
		left = s.put(left, s.find(uint32(left>>32)))
	}
	s.used++
}

// put enters an entry behind the place that find returned for its tag. Those up to the place move down by one, and what
// a full line loses so goes into the one below, in the same way. What finds no room in the lowest line is returned; 0: all
// is in. There is a branch for each line, and none for each entry.
func (s *shard) put(entry uint64, place int) (left uint64) {
	at := place &^ (lineEntries - 1)
	for last := uint64(place - at); ; last = lineEntries - 1 {
		line := (*[lineEntries]uint64)(s.entries[at:])
		if at == 0 && line[1] != 0 {
			return entry
		}
		lost := line[0]
		for i := range uint64(lineEntries - 1) {
			_, moves := bits.Sub64(i, last, 0)
			line[i] ^= (line[i] ^ line[i+1]) & -moves
		}
		line[last%lineEntries] = entry
		if lost == 0 {
			return 0
		}
		entry, at = lost, at-lineEntries
	}
}

// more is how many lines the shard with this number has when it has grown.
func (s *shard) more(number uint32) uint32 {
	switch {
	case s.lines == 0:
		return linesMin + number/16
	case s.lines < linesDouble:
		return 2 * s.lines
	}
	return toHugePage(s.lines + s.lines/5)
}

// toHugePage adds to the lines of a shard outside the heap those that the last huge page has room for.
func toHugePage(lines uint32) uint32 {
	const lineBytes = 8 * lineEntries
	if bytes := (int(lines) + linesBelow) * lineBytes; bytes > heapBytesMax {
		lines = uint32((bytes+hugePage-1)/hugePage*hugePage/lineBytes) - linesBelow
	}
	return lines
}

// makeReady has the memory that the shard will grow into touched by another goroutine: the first touch of memory may
// cost a machine more than all else that is done with it. Nothing is in there yet, and nothing depends on it.
func (s *shard) makeReady(number uint32) {
	if s.memory == nil {
		return
	}
	next := sliceOf[uint64](s.memory.bytes)[len(s.entries) : s.below()+lineEntries*int(s.more(number))]
	go s.memory.populate(bytesOf(next))
}

// grow makes room in the shard with this number.
func (s *shard) grow(number uint32) {
	lines := s.more(number)
	for !s.resize(lines) {
		lines = toHugePage(lines + lines/8)
	}
}

// resize spreads the entries over this many lines, at least as many as before, or reports that they
// don't fit and more are needed. No entry's place becomes lower, so it is done in place from the top:
// fresh memory is dear.
func (s *shard) resize(lines uint32) bool {
	last := len(s.entries) - 1
	s.lines = lines
	below := s.below()
	s.extend(below + lineEntries*int(lines))
	next := len(s.entries)
	for from := last; from >= 0; from-- {
		entry := s.entries[from]
		place := min(next-1, below+lineEntries*int((entry>>32)*uint64(lines)>>32)+lineEntries-1)
		// A free one stays where it is. Without a branch: which ones are free can't be foreseen.
		_, free := bits.Sub64(entry, 1, 0)
		place += (from - place) & -int(free)
		if place < max(from, 1-int(free)) {
			return false
		}
		s.entries[from] = 0
		s.entries[place] = entry
		next += (place - next) & (int(free) - 1)
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

// remove takes an entry out and lets those below it move up again.
func (x *index) remove(hash uint64, reference uint32) {
	s := x.shard(hash)
	gap := s.place(tagOf(hash), reference)
	for next := gap - 1; s.entries[next] != 0 && s.home(uint32(s.entries[next]>>32))+lineEntries-1 > next; next-- {
		s.entries[gap] = s.entries[next]
		gap = next
	}
	s.entries[gap] = 0
	s.used--
}

func (s *shard) place(tag, reference uint32) int {
	want := uint64(tag)<<32 | uint64(reference)
	for place := s.find(tag); ; place-- {
		switch entry := s.entries[place]; {
		case entry == want:
			return place
		case entry == 0 || uint32(entry>>32) != tag:
			panic("embedded: an index lost an entry")
		}
	}
}
