package embedded

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/suanpan-bank/suanpan/journal"
)

// head is a customer's counters and the last record that concerns it.
type head struct {
	journal.Head
	last journal.Position
}

// heads are the customers' counters in memory: of those who had records since the last checkpoint began, of
// those whom a checkpoint is saving, and of those it saved last. The rest is in the store.
type heads struct {
	young, old *headTable
	saving     *headTable // nil: no checkpoint is under way
	emptied    *headTable // the next young
	turns      uint64     // how often they moved on
}

// headsOldMax bounds what is read into old besides what a checkpoint leaves there.
const headsOldMax = 1 << 18

func newHeads() heads {
	return heads{young: new(headTable), old: new(headTable), emptied: new(headTable)}
}

func (h *heads) find(customer uint64) (head, bool) {
	for _, t := range [...]*headTable{h.young, h.saving, h.old} {
		if t == nil {
			continue
		}
		if found, ok := t.find(customer); ok {
			return found, true
		}
	}
	return head{}, false
}

// ahead asks for the memory in which a customer is looked for.
func (h *heads) ahead(customer uint64) {
	h.young.ahead(customer)
	if h.saving != nil {
		h.saving.ahead(customer)
	}
	h.old.ahead(customer)
}

// keep remembers what the store said of a customer who is not known here.
func (h *heads) keep(customer uint64, found head) {
	if h.old.n >= 2*headsOldMax {
		h.old = new(headTable) // to clear so large a one would hold up everybody for milliseconds
	}
	h.old.put(customer, found)
}

// Head implements journal.Journal.
func (j *Journal) Head(customer uint64) (journal.Head, error) {
	found, err := j.headOf(customer)
	return found.Head, err
}

// headOf reads the store, if it must, without holding up anyone.
func (j *Journal) headOf(customer uint64) (head, error) {
	j.mu.Lock()
	found, ok := j.heads.find(customer)
	turns := j.heads.turns
	j.mu.Unlock()
	if ok {
		return found, nil
	}
	found, err := j.store.head(customer)
	if err != nil {
		return head{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if now, ok := j.heads.find(customer); ok {
		return now, nil
	}
	if j.heads.turns == turns && found.last != 0 { // of strangers nothing is kept
		j.heads.keep(customer, found)
	}
	return found, nil
}

// ReadHeads implements journal.Journal. It goes through the store once instead of looking for each customer.
func (j *Journal) ReadHeads(customers []uint64) error {
	var lacking []uint64
	for some := range slices.Chunk(customers, headsAtOnce) {
		j.mu.Lock()
		for _, customer := range some {
			if _, ok := j.heads.find(customer); !ok {
				lacking = append(lacking, customer)
			}
		}
		j.mu.Unlock()
	}
	j.mu.Lock()
	turns := j.heads.turns
	j.mu.Unlock()
	read := make([]party, 0, len(lacking))
	if err := j.store.heads(lacking, func(customer uint64, h head) { read = append(read, party{customer, h}) }); err != nil {
		return err
	}
	for some := range slices.Chunk(read, headsAtOnce) {
		j.mu.Lock()
		if j.heads.turns != turns { // what was read may be older than what is known and stored by now
			j.mu.Unlock()
			break
		}
		for _, p := range some {
			if _, ok := j.heads.find(p.customer); !ok {
				j.heads.keep(p.customer, p.head)
			}
		}
		j.mu.Unlock()
	}
	return nil
}

// headsAtOnce is how many counters are looked at before the lock is given to others: some 20 µs.
const headsAtOnce = 256

// head is headOf while the lock is held.
func (j *Journal) head(customer uint64) (head, error) {
	found, ok := j.heads.find(customer)
	if ok {
		return found, nil
	}
	found, err := j.store.head(customer)
	if err == nil && found.last != 0 {
		j.heads.keep(customer, found)
	}
	return found, err
}

// party is a customer whom a record concerns, and where it stands after it.
type party struct {
	customer uint64
	head     head
}

// number gives the events their customers' next numbers and returns whom the record concerns, each with its last
// record before this. What is only intended gives nobody anything: it may never happen. The lock is held.
func (j *Journal) number(rec *journal.Record) ([]party, error) {
	parties := j.parties[:0]
	if rec.Kind == journal.KindClaim {
		return parties, nil
	}
	owner, err := j.admittedHead(rec.Customer)
	if err != nil {
		return nil, err
	}
	owner.Seq = rec.Seq
	parties = append(parties, party{rec.Customer, owner})
	find := func(customer uint64) (*party, error) {
		for i := range parties {
			if parties[i].customer == customer {
				return &parties[i], nil
			}
		}
		head, err := j.head(customer)
		parties = append(parties, party{customer, head})
		return &parties[len(parties)-1], err
	}
	if rec.Kind != journal.KindIntent {
		for i := range rec.Events {
			p, err := find(rec.Events[i].Customer)
			if err != nil {
				return nil, err
			}
			p.head.EventSeq++
			rec.Events[i].Seq = p.head.EventSeq
		}
	}
	j.parties = parties
	return parties, nil
}

// Behind a record stand its links: for each customer whom it concerns, in the order of their first mention, how
// far back the record before is that concerns this customer; zero: there is none.

func appendLink(b []byte, position, before journal.Position) []byte {
	if before == 0 {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(position-before))
}

var errLinks = errors.New("malformed links")

// customers lists whom the record concerns in the order of its links.
func customers(rec *journal.Record, out []uint64) []uint64 {
	if rec.Kind == journal.KindClaim {
		return out
	}
	out = append(out, rec.Customer)
	if rec.Kind == journal.KindIntent {
		return out
	}
	for i := range rec.Events {
		if c := rec.Events[i].Customer; !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// linkOf returns the record before that concerns the customer; zero: there is none.
func linkOf(rec *journal.Record, links []byte, customer uint64) (journal.Position, error) {
	in := decoder{b: links}
	for _, c := range customers(rec, nil) {
		back := in.uvarint(uint64(rec.Position))
		if in.bad {
			break
		}
		if c == customer && back == 0 {
			return 0, nil
		}
		if c == customer {
			return rec.Position - journal.Position(back), nil
		}
	}
	return 0, errLinks
}
