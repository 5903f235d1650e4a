package embedded

import "github.com/suanpan-bank/suanpan/ledger"

// warmAhead is how many transfers are warmed together.
const warmAhead = 8

// warm reads what the next transfers will need before they are executed one after the other. A
// transfer touches some ten cache lines at random places of a large memory, each found through the
// one before; asked for together, they arrive together. Measured with a million accounts it halves
// the cost of a transfer. It changes nothing but the returned value, which means nothing and keeps
// the reads from being optimised away.
func (e *Engine) warm(transfers []ledger.Transfer) (sink uint64) {
	var accounts [2 * warmAhead]uint32
	for i := range transfers {
		t := &transfers[i]
		accounts[2*i] = e.accountIDs.firstReference(hashOf(t.DebitAccountID))
		accounts[2*i+1] = e.accountIDs.firstReference(hashOf(t.CreditAccountID))
		sink ^= e.transferIDs.firstEntry(hashOf(t.ID))
		sink ^= e.transferUsers.firstEntry(hashOf(t.UserData128))
		if t.Flags&settles != 0 {
			sink ^= e.transferIDs.firstEntry(hashOf(t.PendingID))
		}
	}
	for _, reference := range accounts[:2*len(transfers)] {
		if reference != 0 {
			a := e.accounts.at(reference - 1)
			sink ^= a.ID.Lo ^ a.CreditsPosted.Lo ^ uint64(a.list.last)
		}
	}
	return sink
}

// firstReference returns the first reference with this hash, or 0.
func (x *index) firstReference(hash uint32) uint32 {
	s := x.shard(hash)
	reference, _ := s.probe(hash, s.home(hash))
	return reference
}

// firstEntry returns the entry at which the search for a hash begins.
func (x *index) firstEntry(hash uint32) uint64 {
	s := x.shard(hash)
	if len(s.entries) == 0 {
		return 0
	}
	return s.entries[s.home(hash)]
}
