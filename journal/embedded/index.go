package embedded

import "github.com/suanpan-bank/suanpan/journal"

// idIndex finds positions by a 128-bit id. It keeps 64 bits of hash and the position, 16 bytes an entry
// and no pointer for the garbage collector; a hit is confirmed by reading the record. It is split so
// that growing never copies more than a small part of it at once.
type idIndex struct{ parts [idIndexParts]idPart }

const (
	idIndexParts  = 1024
	idPartMinimum = 16
)

type idPart struct {
	slots []idSlot // length a power of two, never full
	used  int
}

type idSlot struct {
	hash     uint64
	position journal.Position // zero: empty
}

// hashOf mixes an id's halves; the low bits choose the part, the high ones the slot.
func hashOf(lo, hi uint64) uint64 {
	h := (lo ^ hi*0x9E3779B97F4A7C15) * 0xFF51AFD7ED558CCD
	return h ^ h>>32
}

func (x *idIndex) add(hash uint64, position journal.Position) {
	p := &x.parts[hash%idIndexParts]
	if 4*(p.used+1) > 3*len(p.slots) {
		p.grow()
	}
	p.put(idSlot{hash, position})
	p.used++
}

func (p *idPart) grow() {
	old := p.slots
	p.slots = make([]idSlot, max(idPartMinimum, 2*len(old)))
	for _, s := range old {
		if s.position != 0 {
			p.put(s)
		}
	}
}

func (p *idPart) put(s idSlot) {
	mask := uint64(len(p.slots) - 1)
	i := s.hash >> 10 & mask
	for p.slots[i].position != 0 {
		i = (i + 1) & mask
	}
	p.slots[i] = s
}

// find appends the positions entered under the hash, in no particular order.
func (x *idIndex) find(hash uint64, out []journal.Position) []journal.Position {
	p := &x.parts[hash%idIndexParts]
	if len(p.slots) == 0 {
		return out
	}
	mask := uint64(len(p.slots) - 1)
	for i := hash >> 10 & mask; p.slots[i].position != 0; i = (i + 1) & mask {
		if p.slots[i].hash == hash {
			out = append(out, p.slots[i].position)
		}
	}
	return out
}
