package embedded

import (
	"cmp"
	"slices"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// idIndex finds positions by the hash of a command or a subject, for records since the last checkpoint. It keeps
// 64 bits of hash and the position, 16 bytes an entry and no pointer for the garbage collector; a hit is
// confirmed by reading the record. It is split so that growing never copies more than a small part of it at once.
type idIndex struct {
	parts [1 << idPartBits]idPart
	used  int
}

const (
	idPartBits    = 10
	idPartMinimum = 16
)

type idPart struct {
	slots []idEntry // length a power of two, never full
	used  int
}

type idEntry struct {
	hash     uint64
	position journal.Position // zero: empty
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
	p := &x.parts[hash>>(64-idPartBits)]
	if 4*(p.used+1) > 3*len(p.slots) {
		p.grow()
	}
	p.put(idEntry{hash, position})
	p.used++
	x.used++
}

func (p *idPart) grow() {
	old := p.slots
	p.slots = make([]idEntry, max(idPartMinimum, 2*len(old)))
	for _, s := range old {
		if s.position != 0 {
			p.put(s)
		}
	}
}

func (p *idPart) put(s idEntry) {
	mask := uint64(len(p.slots) - 1)
	i := s.hash >> 20 & mask
	for p.slots[i].position != 0 {
		i = (i + 1) & mask
	}
	p.slots[i] = s
}

// clear empties the index and keeps its memory.
func (x *idIndex) clear() {
	for i := range x.parts {
		clear(x.parts[i].slots)
		x.parts[i].used = 0
	}
	x.used = 0
}

// find appends the positions entered under the hash, in no particular order.
func (x *idIndex) find(hash uint64, out []journal.Position) []journal.Position {
	p := &x.parts[hash>>(64-idPartBits)]
	if len(p.slots) == 0 {
		return out
	}
	mask := uint64(len(p.slots) - 1)
	for i := hash >> 20 & mask; p.slots[i].position != 0; i = (i + 1) & mask {
		if p.slots[i].hash == hash {
			out = append(out, p.slots[i].position)
		}
	}
	return out
}

// sorted calls each entry by rising hash, and by position where hashes are equal.
func (x *idIndex) sorted(each func(idEntry) error) error {
	var entries []idEntry
	for i := range x.parts {
		entries = entries[:0]
		for _, s := range x.parts[i].slots {
			if s.position != 0 {
				entries = append(entries, s)
			}
		}
		slices.SortFunc(entries, compareEntries)
		for _, e := range entries {
			if err := each(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func compareEntries(a, b idEntry) int {
	if c := cmp.Compare(a.hash, b.hash); c != 0 {
		return c
	}
	return cmp.Compare(a.position, b.position)
}
