package embedded

import (
	"iter"

	"github.com/suanpan-bank/suanpan/internal/prefetch"
)

// headTable is counters by customer. Every record looks two customers up, and where there are many nothing of a table
// is in a processor's cache: here what is looked for lies in one line of memory, whose place is known before it is
// read, so that it can be asked for ahead. It grows a part at a time, because appends wait meanwhile.
type headTable struct {
	parts [1 << headPartBits]headPart
	n     int
}

const (
	headPartBits = 8
	headPartMin  = 8 // places of a part that has any
)

// headPart is a table in which each lies at the place that his number belongs to, or in the next free one behind.
type headPart struct {
	entries []headEntry // as many as a power of two; at most three quarters are taken
	n       int
}

// headEntry is half a line of memory.
type headEntry struct {
	customer uint64
	head     // last is zero: free
}

// headPlace is the part that a customer belongs to, and his place in it if that had 2^32 places.
func headPlace(customer uint64) (part, place uint32) {
	h := customer * 0x9E3779B97F4A7C15
	h ^= h >> 29
	return uint32(h >> (64 - headPartBits)), uint32(h >> (64 - headPartBits - 32))
}

// at is where the customer is, or the free place where he would be.
func (p *headPart) at(customer uint64, place uint32) *headEntry {
	mask := uint32(len(p.entries) - 1)
	for i := place & mask; ; i = (i + 1) & mask {
		if e := &p.entries[i]; e.customer == customer || e.last == 0 {
			return e
		}
	}
}

func (t *headTable) find(customer uint64) (head, bool) {
	part, place := headPlace(customer)
	p := &t.parts[part]
	if len(p.entries) == 0 {
		return head{}, false
	}
	e := p.at(customer, place)
	if e.last == 0 {
		return head{}, false
	}
	return e.head, true
}

// ahead asks for the memory that find and put will need.
func (t *headTable) ahead(customer uint64) {
	part, place := headPlace(customer)
	if p := &t.parts[part]; len(p.entries) > 0 {
		prefetch.Line(&p.entries[place&uint32(len(p.entries)-1)])
	}
}

// put sets a customer's counters; last must not be zero.
func (t *headTable) put(customer uint64, h head) {
	part, place := headPlace(customer)
	p := &t.parts[part]
	if len(p.entries) == 0 {
		p.entries = make([]headEntry, headPartMin)
	}
	e := p.at(customer, place)
	if e.last == 0 {
		if 4*(p.n+1) > 3*len(p.entries) {
			p.grow()
			e = p.at(customer, place)
		}
		p.n++
		t.n++
	}
	*e = headEntry{customer, h}
}

func (p *headPart) grow() {
	old := p.entries
	p.entries = make([]headEntry, 2*len(old))
	for i := range old {
		if e := &old[i]; e.last != 0 {
			_, place := headPlace(e.customer)
			*p.at(e.customer, place) = *e
		}
	}
}

// clear empties the table and keeps its memory.
func (t *headTable) clear() {
	for i := range t.parts {
		clear(t.parts[i].entries)
		t.parts[i].n = 0
	}
	t.n = 0
}

// all yields the customers in no order. The table must not grow meanwhile; a customer who is there may be put.
func (t *headTable) all() iter.Seq2[uint64, head] {
	return func(yield func(uint64, head) bool) {
		for i := range t.parts {
			for _, e := range t.parts[i].entries {
				if e.last != 0 && !yield(e.customer, e.head) {
					return
				}
			}
		}
	}
}
