package actors

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// slot is a customer in this node's memory. The state belongs to the customer's actor, and to nobody while
// there is none; the desk is shared with payers. A slot leaves memory when nobody uses it, and is read from
// the journal when somebody asks for it again.
type slot struct {
	// What every command and every credit counts or looks at is together in one line of memory.
	no       bank.CustomerNo
	actor    *customerActor // the customer's; the shard's actor's alone
	users    atomic.Int32   // who need it in memory: the customer's actor, requests and decisions that concern the customer
	underWay atomic.Int32   // commands and reads of the customer
	used     atomic.Int64   // the node's time when it was last asked for, milliseconds
	touched  atomic.Uint64  // position of the last record that changed it
	changed  atomic.Bool    // since its state was last put aside to be saved
	rolled   atomic.Bool    // as changed, but by closed days only: the shard's book has them when it leaves
	loaded   atomic.Bool    // written with mu held
	replayed bool           // a record that did more than close days, since it was read; guarded by mu
	known    bool           // a state with the person was put aside to be saved, or is saved; the state's owner's

	// mu guards the desk and what is said to be. It is taken inside the pipeline's lock, so it is held for moments only;
	// but for reading a slot from the journal, which nothing in the pipeline knows of yet.
	mu       sync.Mutex
	eventSeq uint64 // of the last event in the desk; guarded by mu
	desk     bank.Desk
	customer bank.Customer
	intents  []*draft     // of an earlier process, without an outcome, in order; for the actor to take over
	batch    *batch       // that its intents are under way in; guarded by the submitter's lock
	base     journal.Head // what its saved state counts, or the one that is about to be saved; the state's owner's
	person   bank.U128    // the hash of the person's token, which does not change; zero: not known yet; the state's owner's
}

// acquire brings a customer's slot into memory, if it is not there, and keeps it there until release. It
// returns nil when nobody has the number, unless it is about to be somebody's.
func (n *Node) acquire(no bank.CustomerNo, registering bool) (*slot, error) {
	s := n.hold(no)
	if s == nil {
		return nil, nil
	}
	return n.bring(s, no, registering, nil)
}

// acquireIn is acquire in a shard's turn, of a slot that is held; nil: of nobody.
func (n *Node) acquireIn(shard uint16, s *slot, no bank.CustomerNo, registering bool) (*slot, error) {
	if s == nil {
		return nil, nil
	}
	if r := n.shards[shard].round; r != nil && !s.loaded.Load() {
		r.wait()
	}
	return n.bring(s, no, registering, nil)
}

// bring reads a customer's slot that is held, if need be; otherwise as acquire. It ends the hold when it returns none.
// What has been read ahead may be nil.
func (n *Node) bring(s *slot, no bank.CustomerNo, registering bool, ahead readAhead) (*slot, error) {
	s.mu.Lock()
	var err error
	if !s.loaded.Load() {
		n.workers.aside(func() { err = n.load(s, ahead) })
	}
	nobody := s.nobody()
	s.mu.Unlock()
	if err != nil {
		s.release()
		err = fmt.Errorf("customer %s: %w", no, err)
		n.Fault(err)
		return nil, fmt.Errorf("%w: %w", bank.ErrStopping, err)
	}
	if nobody && !registering {
		s.release()
		return nil, nil
	}
	return s, nil
}

// nobody reports whether the number is nobody's yet; mu is held, and the slot is loaded.
func (s *slot) nobody() bool { return s.eventSeq == 0 && !s.no.IsHouse() }

// hold finds or makes a slot, which may not be loaded, and keeps it until release. A stranger takes no memory and no
// read: nil.
func (n *Node) hold(no bank.CustomerNo) *slot {
	if !no.IsHouse() && (no == 0 || no > n.registry.highest()) {
		return nil
	}
	s, _ := n.find(no)
	s.asked(n.now.Load())
	return s
}

// asked notes when the customer was asked for. The time stands still for many commands, and what writes to memory waits
// for it, what reads does not.
func (s *slot) asked(now int64) {
	if s.used.Load() != now {
		s.used.Store(now)
	}
}

// find is hold for one who does not count as somebody asking for the customer; made: he was not in memory.
func (n *Node) find(no bank.CustomerNo) (s *slot, made bool) {
	sh := &n.shards[no.Shard()]
	sh.mu.RLock()
	s = sh.slots.find(no)
	if s != nil {
		s.users.Add(1)
	}
	sh.mu.RUnlock()
	if s == nil {
		return n.make(sh, no)
	}
	return s, false
}

func (n *Node) make(sh *shardState, no bank.CustomerNo) (s *slot, made bool) {
	sh.mu.Lock()
	s = sh.slots.find(no)
	made = s == nil
	if made {
		s = &slot{no: no, customer: bank.Customer{No: no}}
		sh.slots.put(s)
	}
	s.users.Add(1)
	sh.mu.Unlock()
	if made && n.inMemory.Add(1) > n.options.InMemoryMax {
		wake(n.crowded)
	}
	return s, made
}

// release gives the slot up; it may leave memory.
func (s *slot) release() { s.users.Add(-1) }

// load reads the customer's saved state and the records after it; mu is held. All that concerns a customer
// who is not in memory is durable.
func (n *Node) load(s *slot, ahead readAhead) error {
	entry, err := n.wake(s.customer.No) // first: from now on the journal's counters stand still
	if err != nil {
		return err
	}
	head, err := n.journal.Head(uint64(s.customer.No))
	if err != nil {
		return err
	}
	// Before the snapshot: a newer one holds more, never less.
	saved := n.journal.Saved()
	if state, ok := ahead[s.customer.No]; ok && (state.Head == head || state.Head == entry.base) { // he has not been saved since
		err = s.restore(state)
	} else {
		err = n.readState(s)
	}
	if err != nil {
		return err
	}
	if err := s.roll(entry, n.journal.Last()); err != nil {
		return err
	}
	behind := s.head() != head
	if behind {
		if err := n.catchUp(s, saved+1, n.journal.Last()); err != nil {
			return err
		}
	}
	if err := n.loaded(s, head); err != nil {
		return err
	}
	if behind && !s.replayed {
		s.rolled.Store(true)
	}
	s.changed.Store(behind && s.replayed) // last: with this others may read the state
	return nil
}

// loaded says that the slot has all of its customer, and makes sure of it.
func (n *Node) loaded(s *slot, head journal.Head) error {
	if s.head() != head {
		return fmt.Errorf("the saved state and the records after it come to %+v, the journal says %+v", s.head(), head)
	}
	n.registry.setOpen(s.customer.No, len(s.customer.InFlight) > 0)
	s.loaded.Store(true)
	return nil
}

// restore reads what is saved of the customer.
func (n *Node) restore(s *slot) error {
	entry, err := n.wake(s.customer.No)
	if err != nil {
		return err
	}
	if err := n.readState(s); err != nil {
		return err
	}
	return s.roll(entry, n.journal.Last())
}

// readState reads the customer's newest saved state, or one that is about to be saved.
func (n *Node) readState(s *slot) error {
	no := s.customer.No
	saved, ok := n.unsaved.find(no)
	if !ok {
		var err error
		if saved, err = n.journal.Snapshot(uint64(no)); err != nil {
			return err
		}
	}
	if saved.State == nil {
		return nil
	}
	return s.restore(saved)
}

// restore makes the slot what was saved.
func (s *slot) restore(saved journal.Snapshot) error {
	no := s.customer.No
	if err := bank.DecodeState(saved.State, &s.customer, &s.desk); err != nil {
		return err
	}
	s.eventSeq, s.base, s.known = saved.Head.EventSeq, saved.Head, !saved.Person.IsZero()
	s.person = bank.U128(saved.Person)
	if s.customer.No != no || s.customer.Seq != saved.Head.Seq {
		return fmt.Errorf("the saved state is of customer %s at decision %d, not %d", s.customer.No, s.customer.Seq, saved.Head.Seq)
	}
	return nil
}

// readAhead is saved states of neighbours, read in one go. Any of them may be out of date when it is used.
type readAhead map[bank.CustomerNo]journal.Snapshot

// readAhead reads the saved states of the customers from first to last.
func (n *Node) readAhead(ctx context.Context, first, last bank.CustomerNo) (readAhead, error) {
	ahead := make(readAhead, last-first+1)
	err := n.journal.Snapshots(ctx, uint64(first), func(s *journal.Snapshot) bool {
		no := bank.CustomerNo(s.Customer)
		if no > last {
			return false
		}
		found := *s
		found.State = slices.Clone(s.State)
		ahead[no] = found
		return true
	})
	return ahead, err
}

// catchUp folds the customer's records between the positions into the slot.
func (n *Node) catchUp(s *slot, from, to journal.Position) error {
	var fault error
	err := n.journal.ScanCustomer(context.Background(), uint64(s.customer.No), from, func(rec *journal.Record) bool {
		if rec.Position > to {
			return false
		}
		fault = s.replay(rec)
		return fault == nil
	})
	if fault != nil {
		return fault
	}
	return err
}

// replay folds what a record did to the customer into state and desk, each unless it has it already: a
// state is saved while the desk may be ahead of it.
func (s *slot) replay(rec *journal.Record) error {
	no, on := uint64(s.customer.No), bank.Date(rec.AccountingDate)
	own := rec.Customer == no && rec.Seq > s.customer.Seq
	if own {
		s.customer.Seq = rec.Seq
	}
	s.touched.Store(uint64(rec.Position))
	s.replayed = s.replayed || !closesDays(rec)
	if rec.Kind == journal.KindIntent {
		return nil // its events have not happened
	}
	for i := range rec.Events {
		seq := rec.Events[i].Seq
		if rec.Events[i].Customer != no || !own && seq <= s.eventSeq {
			continue
		}
		e, err := bank.DecodeEvent(bank.EventType(rec.Events[i].Type), rec.Events[i].Body)
		if err != nil {
			return fmt.Errorf("position %d: %w", rec.Position, err)
		}
		if closed, ok := e.(*bank.CustomerDayClosed); own || ok && closed.Date > s.customer.ClosedOn {
			s.customer.Apply(e, on)
		}
		if seq > s.eventSeq {
			s.desk.Apply(e, on)
			s.eventSeq = seq
		}
	}
	return nil
}

func (s *slot) head() journal.Head { return journal.Head{Seq: s.customer.Seq, EventSeq: s.eventSeq} }

// note says that a record has changed the slot; mu is held. Its events have their numbers, but for an intent's.
func (s *slot) note(rec *journal.Record) {
	for i := range rec.Events {
		if rec.Events[i].Customer == uint64(s.customer.No) {
			s.eventSeq = max(s.eventSeq, rec.Events[i].Seq)
		}
	}
	s.touched.Store(uint64(rec.Position))
	s.change(rec)
}

// change says that a record has changed the state. What says so already is not written again: snapshot, which takes it back
// before it looks at the desk, then sees this change as well, whose caller has mu, or else the state, until it has said so.
func (s *slot) change(rec *journal.Record) {
	says := &s.changed
	if closesDays(rec) {
		says = &s.rolled
	}
	if !says.Load() {
		says.Store(true)
	}
}

// closesDays reports whether a record does nothing but close customers' days.
func closesDays(rec *journal.Record) bool {
	for i := range rec.Events {
		if bank.EventType(rec.Events[i].Type) != bank.EventCustomerDayClosed {
			return false
		}
	}
	return len(rec.Events) > 0
}

// statePage is how much memory for states is asked for at once. A state is half a kilobyte: asked for one by one, each would be
// looked for, cleared and, growing, copied.
const statePage = 64 << 10

// stateWriter makes states to be saved, one after the other. They lie together in pages that go when none of them is
// needed any more.
type stateWriter struct {
	page   []byte
	latest []byte    // the state being made
	desk   bank.Desk // and its desk
}

// keep copies the state being made to a page.
func (w *stateWriter) keep() []byte {
	n := len(w.latest)
	if cap(w.page)-len(w.page) < n {
		w.page = make([]byte, 0, max(statePage, n))
	}
	w.page = append(w.page, w.latest...)
	return w.page[len(w.page)-n : len(w.page) : len(w.page)]
}

// snapshot is the slot's state to be saved. The caller owns the state.
func (s *slot) snapshot(w *stateWriter) (journal.Snapshot, error) {
	s.changed.Store(false) // first: what changes from here on shows again
	s.rolled.Store(false)
	s.mu.Lock()
	out := journal.Snapshot{Customer: uint64(s.customer.No), Head: s.head()}
	s.desk.CopyTo(&w.desk)
	s.mu.Unlock()
	if s.customer.Registered != 0 {
		if s.person == (bank.U128{}) {
			s.person = personOf(s.customer.Person.IDToken)
		}
		out.Person, out.PersonSaved = ledger.Uint128(s.person), s.known
		s.known = true
	}
	var err error
	if w.latest, err = bank.AppendState(w.latest[:0], &s.customer, &w.desk); err == nil {
		out.State = w.keep()
	}
	s.base = out.Head
	return out, err
}

// evict lets the slot leave memory, if nobody needs it and all of it is durable. A state that has changed is
// put aside to be saved; one whose customer is then at rest goes to the shard's book. The journal's flusher evicts, so
// a book that is in use is not waited for.
func (n *Node) evict(no bank.CustomerNo) bool {
	sh := &n.shards[no.Shard()]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.slots.find(no)
	if s == nil || s.users.Load() > 0 || len(s.intents) > 0 || journal.Position(s.touched.Load()) > n.journal.Durable() {
		return false
	}
	b := &sh.book
	if !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	if err := n.open(no.Shard(), b); err != nil {
		n.Fault(fmt.Errorf("customer %s: %w", no, err))
		return false
	}
	rests := n.rests(s)
	if s.changed.Load() || s.rolled.Load() && (rests == nil || b.copied) {
		if n.unsaved.full() {
			return false
		}
		w := n.writers.Get().(*stateWriter)
		state, err := s.snapshot(w)
		n.writers.Put(w)
		if err != nil {
			panic(err) // plain data: a programming error
		}
		n.unsaved.put(state)
	}
	if rests != nil {
		b.enter(s, rests)
	}
	sh.slots.remove(no)
	n.inMemory.Add(-1)
	n.passivated.Add(1)
	return true
}

// idle lists customers of the shard whom nobody has asked for since the time and nobody uses.
func (sh *shardState) idle(since int64) (found []bank.CustomerNo) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for s := range sh.slots.all() {
		if s.users.Load() == 0 && s.used.Load() <= since {
			found = append(found, s.no)
		}
	}
	return found
}

// wake wakes whoever waits at the channel, of capacity 1: one wake-up stands for any number.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
