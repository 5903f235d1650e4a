package actors

// Customers at rest (静户).
//
// The problem: a day's end concerns a million customers, and on most days there is nothing about most of them but
// interest. To read each one's whole state, to decide for him alone, and to save the state again took 100 µs of CPU, and
// merging what was saved held up everybody else.
//
// So each shard keeps a book of those who are not in memory: of each what the end of a day needs, about a hundred bytes
// (bank.Resting). Whoever leaves memory is entered, if it is known until when nothing else is to be decided for him;
// whoever comes to memory, for whatever reason, is taken out. So a customer in the book is touched by nobody but his
// shard's house, which closes the days of closingBlock of them in one decision, in the shard's turn, with an event for
// each. Everybody else is visited (sweep.go).
//
// Their saved states are left as they are: a saved state and the entry make the state. The entry says which saved state
// it belongs to. The book is saved with the checkpoint that follows (checkpoint in snapshot.go): then what is saved of
// a customer, state and entry, counts all that happened to him up to the checkpoint's position, and a start finds the
// rest in the records, as always. An entry that does not belong to the saved state is older than it: he has been in
// memory since. It is passed over.
//
// Locks: the book's is held from reading entries to changing them by what was decided, so that nobody is taken out in
// between. Appending may wait for the disk, so whoever the disk waits for must not wait for a book (evict does not).
import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
)

// Limits of customers at rest.
const (
	closingBlock     = 64  // customers whose day one decision closes: a turn of some 200 µs
	closingsUnderWay = 128 // such decisions not yet durable, so that a slow disk is used all the time
	// closingHeads is of how many customers, about, the journal's counters are read in one go.
	closingHeads    = 1 << 16
	restingBytesMax = 1 << 10
	restingSlack    = 8 // bytes by which an entry may grow where it lies
	// restingStates is where books are saved, beyond all customers: restingStates and the shard.
	restingStates bank.CustomerNo = 1 << 40
)

// book is a shard's customers at rest. Entries lie in one piece of memory, without pointers: a million of them cost the
// collector nothing.
type book struct {
	mu    sync.Mutex
	read  bool                       // what was saved of it has been taken up
	at    map[bank.CustomerNo]uint32 // in bytes
	bytes []byte
	waste int // of bytes, in entries that are gone
	// changed: it has closed days that neither a saved state nor the saved book counts.
	changed bool
	// copied: a checkpoint has copied the book and not yet come to the shard's customers in memory. Who leaves
	// meanwhile is in neither, so his state is saved.
	copied bool
}

// resting is an entry: which saved state it belongs to, how far the customer has come, and the form of
// bank.AppendResting.
type resting struct {
	base, head journal.Head
	stored     []byte
}

// entryHeader is room and length of an entry, 16 bits each.
const entryHeader = 4

func (b *book) find(no bank.CustomerNo) (entry []byte, ok bool) {
	at, ok := b.at[no]
	if !ok {
		return nil, false
	}
	length := uint32(binary.LittleEndian.Uint16(b.bytes[at+2:]))
	return b.bytes[at+entryHeader : at+entryHeader+length], true
}

// put replaces the customer's entry.
func (b *book) put(no bank.CustomerNo, entry []byte) {
	if at, ok := b.at[no]; ok {
		room := int(binary.LittleEndian.Uint16(b.bytes[at:]))
		if len(entry) <= room {
			binary.LittleEndian.PutUint16(b.bytes[at+2:], uint16(len(entry)))
			copy(b.bytes[at+entryHeader:], entry)
			return
		}
		b.waste += entryHeader + room
	}
	if b.at == nil {
		b.at = make(map[bank.CustomerNo]uint32)
	}
	b.at[no] = uint32(len(b.bytes))
	room := len(entry) + restingSlack
	b.bytes = binary.LittleEndian.AppendUint16(b.bytes, uint16(room))
	b.bytes = binary.LittleEndian.AppendUint16(b.bytes, uint16(len(entry)))
	b.bytes = append(b.bytes, entry...)
	b.bytes = append(b.bytes, make([]byte, restingSlack)...)
}

// drop takes the customer out.
func (b *book) drop(no bank.CustomerNo) {
	at := b.at[no]
	b.waste += entryHeader + int(binary.LittleEndian.Uint16(b.bytes[at:]))
	delete(b.at, no)
	if 2*b.waste > len(b.bytes) {
		b.tidy()
	}
}

// tidy moves the entries together.
func (b *book) tidy() {
	old := book{at: b.at, bytes: b.bytes}
	b.at, b.bytes, b.waste = make(map[bank.CustomerNo]uint32, len(old.at)), make([]byte, 0, len(old.bytes)-b.waste), 0
	for no := range old.at {
		entry, _ := old.find(no)
		b.put(no, entry)
	}
}

// entryHeadMax is how many bytes appendEntry appends at most.
const entryHeadMax = 4 * binary.MaxVarintLen64

func appendEntry(b []byte, base, head journal.Head) []byte {
	for _, v := range [...]uint64{base.Seq, base.EventSeq, head.Seq, head.EventSeq} {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

var errBook = errors.New("the saved book of customers at rest is malformed")

func readEntry(b []byte) (e resting, err error) {
	for _, v := range [...]*uint64{&e.base.Seq, &e.base.EventSeq, &e.head.Seq, &e.head.EventSeq} {
		n := 0
		if *v, n = binary.Uvarint(b); n <= 0 {
			return resting{}, errBook
		}
		b = b[n:]
	}
	e.stored = b
	return e, nil
}

// bookVersion begins a saved book.
const bookVersion = 1

// save is the form in which the book is saved.
func (b *book) save(catalogue string) []byte {
	out := []byte{bookVersion}
	out = appendCounted(out, []byte(catalogue))
	for _, no := range slices.Sorted(maps.Keys(b.at)) {
		entry, _ := b.find(no)
		out = appendCounted(binary.AppendUvarint(out, uint64(no)), entry)
	}
	return out
}

func appendCounted(b, what []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(what))), what...)
}

// restore takes up a saved book. Of another catalogue's it is not known until when they rest: they are visited.
func (b *book) restore(saved []byte, catalogue string) error {
	if len(saved) == 0 || saved[0] != bookVersion {
		return errBook
	}
	in := saved[1:]
	counted := func(most int) (what []byte, ok bool) {
		size, n := binary.Uvarint(in)
		if n <= 0 || size > uint64(min(most, len(in)-n)) {
			return nil, false
		}
		what, in = in[n:n+int(size)], in[n+int(size):]
		return what, true
	}
	of, ok := counted(len(saved))
	if !ok {
		return errBook
	}
	for len(in) > 0 {
		no, n := binary.Uvarint(in)
		if n <= 0 {
			return errBook
		}
		in = in[n:]
		entry, ok := counted(entryHeadMax + restingBytesMax)
		if !ok {
			return errBook
		}
		e, err := readEntry(entry)
		if err != nil {
			return err
		}
		b.put(bank.CustomerNo(no), entry)
		if string(of) != catalogue && len(e.stored) > 0 {
			mine, _ := b.find(bank.CustomerNo(no))
			bank.DisturbResting(mine[len(mine)-len(e.stored):])
		}
	}
	return nil
}

// open takes up what was saved of the book, if that has not been done; its lock is held.
func (n *Node) open(shard uint16, b *book) error {
	if b.read {
		return nil
	}
	saved, err := n.journal.Snapshot(uint64(restingStates) + uint64(shard))
	if err != nil {
		return err
	}
	if saved.State != nil {
		if err := b.restore(saved.State, n.options.Catalogue.Version); err != nil {
			return fmt.Errorf("shard %d: %w", shard, err)
		}
	}
	b.read = true
	return nil
}

// copyBook puts the shard's book aside to be saved if it has closed days. From then on to seen, who leaves memory is
// saved although closed days are all that has changed.
func (n *Node) copyBook(shard uint16) bool {
	b := &n.shards[shard].book
	b.mu.Lock()
	defer b.mu.Unlock()
	b.copied = true
	if !b.changed {
		return false
	}
	b.changed = false
	n.unsaved.put(journal.Snapshot{Customer: uint64(restingStates) + uint64(shard), State: b.save(n.options.Catalogue.Version)})
	return true
}

// seen says that the checkpoint has been at the shard's customers in memory.
func (b *book) seen() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.copied = false
}

// wake takes a customer out of the book who comes to memory; the zero entry: he was not in it. From then on nobody
// closes his days but himself.
func (n *Node) wake(no bank.CustomerNo) (e resting, err error) {
	shard := no.Shard()
	b := &n.shards[shard].book
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.open(shard, b); err != nil {
		return resting{}, err
	}
	entry, ok := b.find(no)
	if !ok {
		return resting{}, nil
	}
	e, err = readEntry(slices.Clone(entry))
	b.drop(no)
	return e, err
}

// roll brings a slot that was read from a saved state to where the entry has come, if it belongs to that state.
func (s *slot) roll(e resting, last journal.Position) error {
	if s.base != e.base || e.head == e.base {
		return nil
	}
	var r bank.Resting
	if err := r.Read(s.customer.No, e.stored); err != nil {
		return err
	}
	if err := r.Onto(&s.customer, &s.desk); err != nil {
		return err
	}
	s.customer.Seq, s.eventSeq = e.head.Seq, e.head.EventSeq
	s.rolled.Store(true)
	s.touched.Store(uint64(last)) // the days may have been closed by a record that is not durable yet
	return nil
}

// rests is the form of bank.AppendResting of a slot that may be entered when it leaves memory; nil: it may not.
func (n *Node) rests(s *slot) []byte {
	if n.pipeline.submitter != nil || !s.loaded.Load() {
		return nil // with a ledger elsewhere everybody is visited
	}
	until, ok := bank.RestsUntil(&s.customer, &s.desk, n.options.Catalogue)
	if !ok {
		return nil
	}
	if stored := bank.AppendResting(nil, until, &s.customer, &s.desk); len(stored) <= restingBytesMax {
		return stored
	}
	return nil // he has a great many contracts
}

// enter enters a customer who leaves memory; the book's lock is held.
func (b *book) enter(s *slot, stored []byte) {
	b.put(s.customer.No, append(appendEntry(make([]byte, 0, entryHeadMax+len(stored)), s.base, s.head()), stored...))
	b.changed = b.changed || s.head() != s.base
}

// restingMode is what a sweep does with customers at rest.
type restingMode uint8

const (
	visitResting restingMode = iota // as everybody
	closeResting                    // has their houses close the date
	passResting                     // passes over them: nothing is due
)

// closings asks a shard to close the sweep's date for those of the customers who are at rest.
type closings struct {
	sweep     *sweep
	customers []bank.CustomerNo
	left      []bank.CustomerNo // who must be visited
	took      time.Duration     // the turn
	done      chan struct{}     // closed when left and took are known
}

// settleResting does for the customers at rest what is to be done, and makes the others those to visit.
func (s *sweep) settleResting(ctx context.Context) error {
	if s.resting == visitResting || s.only != nil || s.node.pipeline.submitter != nil {
		return nil
	}
	byShard := make([][]bank.CustomerNo, bank.ShardCount)
	for no := bank.CustomerNo(1); no <= bank.CustomerNo(s.count); no++ {
		byShard[no.Shard()] = append(byShard[no.Shard()], no)
	}
	s.only = []bank.CustomerNo{} // not nil: perhaps nobody
	atOnce := int(max(1, closingHeads*bank.ShardCount/max(s.count, 1)))
	for first := 0; first < bank.ShardCount; first += atOnce {
		left, err := s.restingIn(ctx, byShard, first, min(first+atOnce, bank.ShardCount))
		if err != nil {
			return err
		}
		s.only = append(s.only, left...)
	}
	slices.Sort(s.only) // as they lie on disk
	return nil
}

// restingIn does it for the customers of some shards, and returns who must be visited.
func (s *sweep) restingIn(ctx context.Context, byShard [][]bank.CustomerNo, first, end int) ([]bank.CustomerNo, error) {
	work := s.pace.Begin(ctx)
	err := s.readHeads(byShard[first:end])
	work.End(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var ended sync.WaitGroup
	var next atomic.Int32
	left := make([][]bank.CustomerNo, s.node.sweepers)
	for i := range s.node.sweepers {
		ended.Go(func() {
			for {
				shard := first + int(next.Add(1)) - 1
				if shard >= end {
					return
				}
				found, err := s.restingOf(ctx, uint16(shard), byShard[shard])
				if err != nil {
					cancel(err)
					return
				}
				left[i] = append(left[i], found...)
			}
		})
	}
	ended.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return slices.Concat(left...), nil
}

// readHeads has the journal read the counters of the customers, most of whom have been idle since the last day's end.
// Those of a shard are far apart on disk: read for some shards together they are read in order.
func (s *sweep) readHeads(byShard [][]bank.CustomerNo) error {
	var customers []uint64
	for _, shard := range byShard {
		for _, no := range shard {
			customers = append(customers, uint64(no))
		}
	}
	slices.Sort(customers)
	return s.node.journal.ReadHeads(customers)
}

// restingOf does it for the customers of a shard, a block in a turn, and returns who must be visited.
func (s *sweep) restingOf(ctx context.Context, shard uint16, customers []bank.CustomerNo) (left []bank.CustomerNo, err error) {
	if len(customers) == 0 {
		return nil, nil
	}
	if s.resting == passResting {
		return s.node.disturbed(shard, customers, s)
	}
	pid, err := s.node.Shard(shard)
	if err != nil {
		return nil, err
	}
	for block := range slices.Chunk(customers, closingBlock) {
		select {
		case s.closings <- struct{}{}:
		case <-s.node.stopped:
			return nil, bank.ErrStopping
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		work := s.pace.Begin(ctx)
		c := &closings{sweep: s, customers: block, done: make(chan struct{})}
		s.node.system.Root.Send(pid, c)
		select {
		case <-c.done:
		case <-s.node.stopped:
			err = bank.ErrStopping
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if err != nil {
			work.End(ctx)
			return nil, err
		}
		work.EndAfter(ctx, c.took) // what waited for the disk, or behind requests, was no work
		left = append(left, c.left...)
	}
	return left, nil
}

// disturbed lists those of a shard's customers who are not at rest, or not any more on the date after the sweep's due.
func (n *Node) disturbed(shard uint16, customers []bank.CustomerNo, s *sweep) (left []bank.CustomerNo, err error) {
	b := &n.shards[shard].book
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.open(shard, b); err != nil {
		return nil, err
	}
	for _, no := range customers {
		entry, ok := b.find(no)
		if ok {
			if _, ok, err = n.stillAtRest(no, entry, s.due); err != nil {
				return nil, err
			}
		}
		if !ok {
			left = append(left, no)
		}
	}
	s.visited.Add(int64(len(customers) - len(left)))
	return left, nil
}

// stillAtRest reads an entry and reports whether its customer is at rest on the date that is due. After a start the saved
// book may be older than the records: what an entry lacks is a closed day, or a payment. Then the journal's counters are
// ahead of it, and he is visited. They are on disk if he has been idle for long; whoever asks first (readHeads) spares
// everybody that read under the pipeline's lock.
func (n *Node) stillAtRest(no bank.CustomerNo, entry []byte, due bank.Date) (e resting, rests bool, err error) {
	if e, err = readEntry(entry); err != nil {
		return e, false, fmt.Errorf("customer %s: %w", no, err)
	}
	if until, _ := bank.RestingUntil(e.stored); until <= due {
		return e, false, nil
	}
	head, err := n.journal.Head(uint64(no))
	return e, head == e.head, err
}

// closingCustomers is room to read a block of entries.
type closingCustomers struct {
	at      [closingBlock]bank.Resting
	entries [closingBlock]resting
	closing [closingBlock]*bank.Resting
	entry   []byte
}

var closingRooms = sync.Pool{New: func() any { return new(closingCustomers) }}

// closeResting closes the days of a block, in the shard's turn.
func (s *shardActor) closeResting(ctx actor.Context, c *closings) {
	defer close(c.done)
	defer func(begun time.Time) { c.took = time.Since(begun) }(time.Now())
	n, sweep := s.node, c.sweep
	house, err := s.child(ctx, bank.HouseNo(s.shard), false)
	if err != nil {
		sweep.failed(err)
		<-sweep.closings
		return
	}
	b := &n.shards[s.shard].book
	b.mu.Lock()
	defer b.mu.Unlock()
	room := closingRooms.Get().(*closingCustomers)
	defer closingRooms.Put(room)
	count, err := n.atRest(b, c, room)
	if err != nil {
		n.Fault(fmt.Errorf("shard %d: %w", s.shard, err))
		sweep.failed(err)
	}
	if err != nil || count == 0 {
		<-sweep.closings
		return
	}
	written := house.closeResting(sweep, room.closing[:count])
	closed := 0
	for i, r := range room.closing[:count] {
		if !written || !r.Closed() {
			c.left = append(c.left, r.Customer.No)
			continue
		}
		e := &room.entries[i]
		e.head.EventSeq++
		room.entry = bank.AppendResting(appendEntry(room.entry[:0], e.base, e.head), r.Until, &r.Customer, &r.Desk)
		b.put(r.Customer.No, room.entry)
		closed++
	}
	b.changed = b.changed || closed > 0
	n.closedAtRest.Add(uint64(closed))
	sweep.visited.Add(int64(closed))
	sweep.commands.Add(int64(closed))
}

// atRest reads those of the customers who are at rest and whose day is to be closed; the others are left, or have nothing
// to close. The book's lock is held.
func (n *Node) atRest(b *book, c *closings, room *closingCustomers) (count int, err error) {
	if err := n.open(c.customers[0].Shard(), b); err != nil {
		return 0, err
	}
	sweep := c.sweep
	for _, no := range c.customers {
		entry, ok := b.find(no)
		if !ok {
			c.left = append(c.left, no)
			continue
		}
		e, rests, err := n.stillAtRest(no, entry, sweep.due)
		if err != nil {
			return 0, err
		}
		if !rests {
			c.left = append(c.left, no)
			continue
		}
		r := &room.at[count]
		if err := r.Read(no, e.stored); err != nil {
			return 0, fmt.Errorf("customer %s: %w", no, err)
		}
		if sweep.compare != nil {
			sweep.compare.deposits(n, r.Customer.Deposits)
		}
		if r.Customer.Registered > sweep.date || !r.Closes(sweep.date) {
			sweep.visited.Add(1)
			continue
		}
		room.entries[count], room.closing[count] = e, r
		count++
	}
	return count, nil
}

// closeResting has the house close the days of customers of its shard. True: what is closed is in the journal and soon
// durable; of the rest nothing is written. False: nothing is, and the book must not say so. (A disk may be full, or have
// failed while a checkpoint is saving books.)
func (a *customerActor) closeResting(s *sweep, at []*bank.Resting) (written bool) {
	group, err := a.node.newOwnGroup(1)
	if err != nil {
		<-s.closings
		return false
	}
	cmd := bank.SystemCommand{
		Command: &bank.CloseResting{Shard: a.shard, Date: s.date, At: at}, Step: "close resting", Ref: at[0].Customer.No.String(),
	}
	call := bank.Call{Command: cmd.Command, Key: cmd.Key(s.date)}
	call.Body = call.Key
	group.then = func() {
		if err := call.Err; err != nil && !errors.Is(err, bank.ErrOverloaded) {
			s.failed(fmt.Errorf("shard %d: %w", a.shard, err))
		}
		<-s.closings
	}
	req := group.Request(a.slot.customer.No, &call)
	if err := a.node.Admit(req); err != nil {
		req.Fail(err)
		return false
	}
	a.catchUp()
	before := a.slot.customer.Seq
	a.handle(req)
	return a.slot.customer.Seq > before
}
