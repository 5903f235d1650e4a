package embedded

import "github.com/suanpan-bank/suanpan/ledger"

// warmAhead is how many transfers are warmed together.
const warmAhead = 64

// ahead is what warm found.
type ahead struct {
	accounts [2 * warmAhead]uint32 // where debit and credit account seem to be, row + 1; 0: no idea
	turn     int                   // of the transfers warmed together, the one being executed
	left     int                   // of them, how many come after it
	sink     uint64                // means nothing; keeps reads from being optimised away
}

// Ahead says which transfers are executed next, one after the other, in however many calls. Results do not depend on
// it: others may be executed instead. More than 64 are not looked at.
func (e *Engine) Ahead(transfers []ledger.Transfer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	next := transfers[:min(len(transfers), warmAhead)]
	e.warm(next)
	e.ahead.turn, e.ahead.left = -1, len(next)
}

// advance comes to the next transfer to be executed, the first of some.
func (e *Engine) advance(transfers []ledger.Transfer) {
	if e.ahead.left > 0 {
		e.ahead.turn++
		e.ahead.left--
		return
	}
	next := transfers[:min(len(transfers), warmAhead)]
	if len(next) > 1 {
		e.warm(next)
	} else { // nothing to be read beside it
		e.ahead.accounts[0], e.ahead.accounts[1] = 0, 0
	}
	e.ahead.turn, e.ahead.left = 0, len(next)-1
}

// warm reads what the next transfers will need before they are executed one after the other. A
// transfer touches some eight cache lines at random places of a large memory, each found through the
// one before; asked for together, they arrive together. How many are under way at once depends on how few
// instructions lie between two reads. So where to read is worked out first, and then read in a loop that
// does nothing else and decides nothing by what it reads: a branch would make the processor wait.
func (e *Engine) warm(transfers []ledger.Transfer) {
	var (
		hashes [2 * warmAhead]uint64
		lines  [6 * warmAhead]*uint64
		rows   [2 * warmAhead]*accountRow
		sink   uint64
	)
	n := 0
	for i := range transfers {
		t := &transfers[i]
		hashes[2*i], hashes[2*i+1] = hashOf(t.DebitAccountID), hashOf(t.CreditAccountID)
		lines[n] = e.accountIDs.line(hashes[2*i])
		lines[n+1] = e.accountIDs.line(hashes[2*i+1])
		lines[n+2], lines[n+3] = e.transferIDs.lines(hashOf(t.ID))
		n += 4
		if t.Flags&settles != 0 {
			lines[n], lines[n+1] = e.transferIDs.lines(hashOf(t.PendingID))
			n += 2
		}
	}
	for _, line := range lines[:n] {
		sink ^= *line
	}
	n = 0
	for i, hash := range hashes[:2*len(transfers)] {
		reference := e.accountIDs.any(hash)
		e.ahead.accounts[i] = reference
		if reference != 0 {
			rows[n] = e.accounts.at(reference - 1)
			n++
		}
	}
	for _, row := range rows[:n] {
		sink ^= row.id.Lo
	}
	e.ahead.sink = sink ^ e.transfers.ahead(len(transfers))
}

// findAhead is findAccount for the debit (0) or credit (1) account of the transfer being executed.
func (e *Engine) findAhead(side int, id ledger.Uint128) (row uint32, ok bool) {
	if reference := e.ahead.accounts[2*e.ahead.turn+side]; reference != 0 && e.accounts.at(reference-1).id == id {
		return reference - 1, true
	}
	return e.findAccount(id)
}

// nothing is where a search in an empty shard reads.
var nothing uint64

// line returns an entry in the line in which the search for a hash begins.
func (x *index) line(hash uint64) *uint64 {
	s := x.shard(hash)
	if s.lines == 0 {
		return &nothing
	}
	return &s.entries[s.home(tagOf(hash))]
}

// lines returns entries in the line in which the search for a hash begins and in the one below, where a new
// entry goes if that is full, as every third is.
func (x *index) lines(hash uint64) (home, below *uint64) {
	s := x.shard(hash)
	if s.lines == 0 {
		return &nothing, &nothing
	}
	at := s.home(tagOf(hash))
	return &s.entries[at], &s.entries[at-lineEntries]
}

// any returns the reference that a search for the hash finds first, or 0. With another key of the same
// hash it may be that one's.
func (x *index) any(hash uint64) uint32 {
	s, tag := x.shard(hash), tagOf(hash)
	reference, _ := s.probe(tag, s.find(tag))
	return reference
}
