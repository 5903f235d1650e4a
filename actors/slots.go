package actors

import (
	"iter"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/prefetch"
)

// slots are a shard's customers in memory by their numbers: a table in which each lies at the place that his number
// belongs to, or in the next free one behind. Each command looks two up, and where they are many nothing of a table is
// in a processor's cache: here that is one line of memory, in Go's map four, each found through the one before.
type slots struct {
	entries []slotEntry // as many as a power of two; at most three quarters are taken
	n       int
}

type slotEntry struct {
	no bank.CustomerNo // zero: free
	*slot
}

// slotsMin is how many places a table has that has any.
const slotsMin = 8

// home is the place that a number belongs to. Numbers of one shard are far from random, so all bits of them count.
func (t *slots) home(no bank.CustomerNo) int {
	h := uint64(no) * 0x9E3779B97F4A7C15
	return int(h>>32) & (len(t.entries) - 1)
}

// at is where the customer is, or the free place where he would be.
func (t *slots) at(no bank.CustomerNo) int {
	i := t.home(no)
	for t.entries[i].no != no && t.entries[i].no != 0 {
		i = (i + 1) & (len(t.entries) - 1)
	}
	return i
}

// find returns the customer's slot; nil: he is not in memory.
func (t *slots) find(no bank.CustomerNo) *slot {
	if len(t.entries) == 0 {
		return nil
	}
	return t.entries[t.at(no)].slot
}

// lookAhead asks for the memory in which find looks.
func (t *slots) lookAhead(no bank.CustomerNo) {
	if len(t.entries) > 0 {
		prefetch.Line(&t.entries[t.home(no)])
	}
}

// put adds a slot that is not there.
func (t *slots) put(s *slot) {
	if 4*(t.n+1) > 3*len(t.entries) {
		t.resize(max(slotsMin, 2*len(t.entries)))
	}
	t.entries[t.at(s.no)] = slotEntry{s.no, s}
	t.n++
}

// remove takes a slot out that is there.
func (t *slots) remove(no bank.CustomerNo) {
	t.n--
	if len(t.entries) > slotsMin && 8*t.n < len(t.entries) { // customers who have left keep no memory
		t.entries[t.at(no)].slot = nil
		t.resize(len(t.entries) / 4)
		return
	}
	mask := len(t.entries) - 1
	free := t.at(no)
	for i := (free + 1) & mask; t.entries[i].no != 0; i = (i + 1) & mask {
		// Who may lie at the free place moves there, so that nobody is behind a gap.
		if home := t.home(t.entries[i].no); (i-home)&mask >= (i-free)&mask {
			t.entries[free] = t.entries[i]
			free = i
		}
	}
	t.entries[free] = slotEntry{}
}

func (t *slots) resize(size int) {
	old := t.entries
	t.entries = make([]slotEntry, max(size, slotsMin))
	for _, e := range old {
		if e.slot != nil {
			t.entries[t.at(e.no)] = e
		}
	}
}

// all yields the slots in no order. The table must not change meanwhile.
func (t *slots) all() iter.Seq[*slot] {
	return func(yield func(*slot) bool) {
		for _, e := range t.entries {
			if e.slot != nil && !yield(e.slot) {
				return
			}
		}
	}
}
