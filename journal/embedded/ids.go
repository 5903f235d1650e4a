package embedded

import (
	"math/bits"
	"slices"

	"github.com/suanpan-bank/suanpan/internal/prefetch"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// idIndex finds positions by the hash of a command or a subject, for records since the last checkpoint. It keeps
// 64 bits of hash and the position, 16 bytes an entry and no pointer for the garbage collector; a hit is
// confirmed by reading the record.
//
// A hash table of half a million entries lies beyond the processor's caches, and each entry and each look would wait
// for memory. Here whoever looks for an id that is not there, nearly always the case, looks into a filter alone, and
// entries gather before they go to their parts: many at once, so that the waits for memory overlap.
type idIndex struct {
	newest []idEntry                  // not in their parts yet
	parts  [1 << idPartBits][]idEntry // by the first bits of the hash, each in the order of entering
	filter []uint64                   // of each id some bits in one word; the length is a power of two
	shift  uint                       // of a hash to its word
	used   int
}

const (
	idPartBits = 11
	idsNewest  = 1024
	// idsPerWord is how many ids share a word of the filter when a checkpoint is due: one look in 150 is then wrong
	// and costs going through a part.
	idsPerWord = 4
)

type idEntry struct {
	hash     uint64
	position journal.Position
}

// newIDIndex makes an index for so many records, which may have two ids each; more are taken as well, at a price.
func newIDIndex(records int) *idIndex {
	words := bits.Len(uint(2 * records / idsPerWord))
	return &idIndex{newest: make([]idEntry, 0, idsNewest), filter: make([]uint64, 1<<words), shift: uint(64 - words)}
}

// commandHash and subjectHash mix an id's halves; the high bits choose the part, the next ones the slot.
func commandHash(id ledger.Uint128) uint64 { return mixed(id.Lo ^ id.Hi*0x9E3779B97F4A7C15) }

func subjectHash(id ledger.Uint128) uint64 {
	return mixed(id.Lo ^ id.Hi*0x9E3779B97F4A7C15 ^ 0xD6E8FEB86659FD93)
}

// mixed is the finaliser of MurmurHash3: every bit of h moves every bit of the result.
func mixed(h uint64) uint64 {
	h = (h ^ h>>33) * 0xFF51AFD7ED558CCD
	h = (h ^ h>>33) * 0xC4CEB9FE1A85EC53
	return h ^ h>>33
}

func (x *idIndex) add(hash uint64, position journal.Position) {
	x.newest = append(x.newest, idEntry{hash, position})
	x.filter[hash>>x.shift] |= filterBits(hash)
	x.used++
	if len(x.newest) == idsNewest {
		x.spread()
	}
}

// spread brings the newest entries to their parts.
func (x *idIndex) spread() {
	for _, e := range x.newest {
		part := &x.parts[e.hash>>(64-idPartBits)]
		*part = append(*part, e)
	}
	x.newest = x.newest[:0]
}

// ahead asks for the memory in which an id is looked for.
func (x *idIndex) ahead(hash uint64) { prefetch.Line(&x.filter[hash>>x.shift]) }

// filterBits are the bits of an id in its word, by the last bits of its hash.
func filterBits(hash uint64) uint64 { return 1<<(hash&63) | 1<<(hash>>6&63) | 1<<(hash>>12&63) }

// mayHave reports false only if nothing was entered under the hash.
func (x *idIndex) mayHave(hash uint64) bool {
	is := filterBits(hash)
	return x.filter[hash>>x.shift]&is == is
}

// clear empties the index and keeps its memory.
func (x *idIndex) clear() {
	for i := range x.parts {
		x.parts[i] = x.parts[i][:0]
	}
	clear(x.filter)
	x.newest, x.used = x.newest[:0], 0
}

// find appends the positions entered under the hash, in order.
func (x *idIndex) find(hash uint64, out []journal.Position) []journal.Position {
	if !x.mayHave(hash) {
		return out
	}
	for _, entries := range [...][]idEntry{x.parts[hash>>(64-idPartBits)], x.newest} {
		for i := range entries {
			if entries[i].hash == hash {
				out = append(out, entries[i].position)
			}
		}
	}
	return out
}

// sorted calls the entries that are in their parts, some at a time, by rising hash, and by position where hashes are equal.
func (x *idIndex) sorted(each func([]idEntry) error) error {
	var sorted []idEntry
	for i := range x.parts {
		sorted = sortEntries(x.parts[i], sorted, idPartBits)
		if err := each(sorted); err != nil {
			return err
		}
	}
	return nil
}

// sortEntries returns the entries by hash, in the memory if it suffices; equal ones keep their order. The first bits of all
// hashes are the same. Hashes are even, so putting each into its place by the next bits leaves hardly more to do than to
// see that it is in order.
func sortEntries(entries, memory []idEntry, same int) []idEntry {
	const places = 256
	var ends [places]int
	place := func(e idEntry) uint64 { return e.hash << same >> (64 - 8) }
	for _, e := range entries {
		ends[place(e)]++
	}
	sum := 0
	for i, n := range ends {
		ends[i] = sum
		sum += n
	}
	sorted := slices.Grow(memory[:0], len(entries))[:len(entries)]
	for _, e := range entries {
		at := &ends[place(e)]
		sorted[*at] = e
		*at++
	}
	for i := 1; i < len(sorted); i++ {
		e, k := sorted[i], i
		for ; k > 0 && sorted[k-1].hash > e.hash; k-- {
			sorted[k] = sorted[k-1]
		}
		sorted[k] = e
	}
	return sorted
}
