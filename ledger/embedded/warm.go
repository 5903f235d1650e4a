package embedded

import "github.com/suanpan-bank/suanpan/ledger"

// warmAhead is how many transfers are warmed together.
const warmAhead = 16

// warm reads what the next transfers will need before they are executed one after the other. A
// transfer touches some ten cache lines at random places of a large memory, each found through the
// one before; asked for together, they arrive together. So each pass only reads, and decides nothing by
// what it read: a branch would make the processor wait. It changes nothing but the returned value, which
// means nothing and keeps the reads from being optimised away.
func (e *Engine) warm(transfers []ledger.Transfer) (sink uint64) {
	var hashes [2 * warmAhead]uint64
	for i := range transfers {
		t := &transfers[i]
		hashes[2*i], hashes[2*i+1] = hashOf(t.DebitAccountID), hashOf(t.CreditAccountID)
		sink ^= e.accountIDs.firstEntry(hashes[2*i]) ^ e.accountIDs.firstEntry(hashes[2*i+1])
		sink ^= e.transferIDs.firstEntry(hashOf(t.ID))
		if t.Flags&settles != 0 {
			sink ^= e.transferIDs.firstEntry(hashOf(t.PendingID))
		}
	}
	var accounts [2 * warmAhead]uint32
	known := 0
	for _, hash := range hashes[:2*len(transfers)] {
		if reference := e.accountIDs.firstReference(hash); reference != 0 {
			accounts[known] = reference
			known++
		}
	}
	for _, reference := range accounts[:known] {
		a := e.accounts.at(reference - 1)
		sink ^= a.id.Lo ^ uint64(a.list.last)
	}
	return sink
}

// firstReference returns the first reference with this hash's tag, or 0.
func (x *index) firstReference(hash uint64) uint32 {
	s, tag := x.shard(hash), tagOf(hash)
	reference, _ := s.probe(tag, s.home(tag))
	return reference
}

// firstEntry returns the entry at which the search for a hash begins.
func (x *index) firstEntry(hash uint64) uint64 {
	s := x.shard(hash)
	if s.places == 0 {
		return 0
	}
	return s.entries[s.home(tagOf(hash))]
}
