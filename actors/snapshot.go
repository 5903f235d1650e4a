package actors

// Saving customers (检查点).
//
// The problem: a start must not read all the bank's history, and a customer who comes back to memory must not
// read all of his own; but to save everybody at one moment would stop the bank.
//
// A checkpoint therefore is fuzzy. It notes the journal's end, then goes from shard to shard and lets every
// customer that has changed since the last one put his state aside, as it is when his turn comes: at least
// up to the noted position, and perhaps further. What is put aside is saved in batches, when the journal is
// durable up to there. Whoever starts from it reads the records after the noted position and folds each into
// the states that do not count it yet: a state says how many decisions and how many events it counts. These
// are two numbers, because a customer's own state moves with his decisions and his desk with events, which
// payers give it as well (docs/decisions/0002), and the two are not saved at one moment.
//
// A decision whose ledger has not answered is in nobody's state. The position saved up to stays before it.
import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
)

// Limits of a checkpoint.
const (
	// SnapshotEveryDefault is how many records a start has to read, about, and those of the last checkpoint's time: with
	// all else it takes up to three seconds. With 100,000 customers who pay in turn everybody is saved each time.
	SnapshotEveryDefault = 2_000_000
	checkpointLook       = 100 * time.Millisecond // how often it is looked whether one is due
	shardPause           = 2 * time.Millisecond   // between two shards that have something to save, so that requests come first
	catchUpBatch         = 64                     // customers brought up to date between two pauses
)

// Checkpoint saves every customer that has changed since the last one, as fast as it goes; Keep does it with
// pauses. A checkpoint that fails costs a longer start and nothing else; it may be called again.
func (n *Node) Checkpoint(ctx context.Context) error { return n.checkpoint(ctx, 0) }

func (n *Node) checkpoint(ctx context.Context, pause time.Duration) error {
	n.saving.Lock()
	defer n.saving.Unlock()
	if err := n.bringUp(ctx, pause); err != nil {
		return err
	}
	at := n.pipeline.mark()
	if at.position == 0 {
		return nil
	}
	c := &checkpoint{node: n, done: make(chan struct{}, 1)}
	c.upTo.Store(uint64(at.position))
	closed := n.closedAtRest.Load()
	books := 0
	for shard := range n.shards {
		sh := &n.shards[shard]
		copied := n.copyBook(uint16(shard))
		if copied {
			books++
		}
		var err error
		changed := sh.anyChanged()
		if changed {
			err = n.saveShard(ctx, c, uint16(shard))
		}
		sh.book.seen()
		if err != nil {
			return err
		}
		if !copied && !changed {
			continue
		}
		if n.unsaved.count() >= unsavedBatch || books >= unsavedBooks {
			if err := n.save(ctx, 0); err != nil {
				return err
			}
			books = 0
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	n.unsaved.put(n.registry.snapshot(at, n.options.Engine == nil))
	if err := n.save(ctx, journal.Position(c.upTo.Load())); err != nil {
		return err
	}
	n.checkpointed.Store(uint64(at.position))
	n.closedAtRest.Add(-closed)
	n.registry.forget(n.journal.Saved())
	return nil
}

// checkpoint is the message that asks a shard to put the states of its customers aside.
type checkpoint struct {
	node *Node
	upTo atomic.Uint64 // no further than this
	done chan struct{} // capacity 1: the shard never waits
	made stateWriter   // the shard's that is asked: one at a time
}

func (n *Node) saveShard(ctx context.Context, c *checkpoint, shard uint16) error {
	pid, err := n.Shard(shard)
	if err != nil {
		return err
	}
	n.system.Root.Send(pid, c)
	select {
	case <-c.done:
		return nil
	case <-n.stopped:
		return bank.ErrStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take puts a state aside; the caller owns it. Decisions without an outcome, in order, must be read again at a
// start.
func (c *checkpoint) take(s *slot, open []*draft) {
	state, err := s.snapshot(&c.made)
	if err != nil {
		panic(err) // plain data: a programming error
	}
	c.node.unsaved.put(state)
	if len(open) == 0 {
		return
	}
	s.changed.Store(true) // the next checkpoint must not overlook it either
	before := uint64(open[0].intended) - 1
	for at := c.upTo.Load(); before < at && !c.upTo.CompareAndSwap(at, before); at = c.upTo.Load() {
	}
}

// save saves what is put aside; one at a time.
func (n *Node) save(ctx context.Context, upTo journal.Position) error {
	batch := n.unsaved.take()
	err := n.journal.SaveSnapshots(ctx, upTo, slices.Values(batch))
	n.unsaved.done(err == nil)
	if err != nil {
		return fmt.Errorf("save %d customers: %w", len(batch), err)
	}
	return nil
}

// bringUp brings customers up to date whom the last process had not saved when it ended: the next checkpoint
// says of all that they are saved.
func (n *Node) bringUp(ctx context.Context, pause time.Duration) error {
	for i := 0; len(n.behind) > 0; i++ {
		no := n.behind[len(n.behind)-1]
		s, err := n.acquire(no, false)
		if err != nil {
			return err
		}
		if s != nil {
			s.release()
			n.evict(no)
		}
		n.behind = n.behind[:len(n.behind)-1]
		if i%catchUpBatch != catchUpBatch-1 {
			continue
		}
		if n.unsaved.count() >= unsavedBatch {
			if err := n.save(ctx, 0); err != nil {
				return err
			}
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	n.behind = nil
	return nil
}

// keepSaved makes a checkpoint whenever enough has happened, and saves what has gathered in between, until
// ctx ends.
func (n *Node) keepSaved(ctx context.Context) {
	tick := time.NewTicker(checkpointLook)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-n.unsaved.due:
			n.saving.Lock()
			err = n.save(ctx, 0)
			n.saving.Unlock()
		case <-tick.C:
			if uint64(n.journal.Durable())-n.checkpointed.Load()+n.closedAtRest.Load() < n.options.SnapshotEvery {
				continue
			}
			err = n.checkpoint(ctx, shardPause)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, bank.ErrStopping) {
			n.options.Logger.Error("customers can't be saved; the next start will take longer", "cause", err)
		}
	}
}

func sleep(ctx context.Context, pause time.Duration) error {
	if pause == 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// anyChanged reports whether a customer of the shard has changed since he was last put aside.
func (sh *shardState) anyChanged() bool {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for s := range sh.slots.all() {
		if s.changed.Load() || s.rolled.Load() {
			return true
		}
	}
	return false
}

// allChanged holds those that have changed.
func (sh *shardState) allChanged() (changed []*slot) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for s := range sh.slots.all() {
		if s.changed.Load() || s.rolled.Load() {
			s.users.Add(1)
			changed = append(changed, s)
		}
	}
	return changed
}

// unsaved are states put aside, to be saved together.
type unsaved struct {
	mu     sync.Mutex
	states map[bank.CustomerNo]journal.Snapshot
	saving map[bank.CustomerNo]journal.Snapshot // being saved now; empty: none
	batch  []journal.Snapshot                   // the same in order
	due    chan struct{}                        // capacity 1: there is a batch to save
}

// Limits of what is put aside. A state is some 500 bytes.
const (
	unsavedBatch = 4096              // so many are saved without waiting for a checkpoint
	unsavedBooks = 16                // so many books of shards are saved at once, each some 100 bytes a customer
	unsavedMax   = 16 * unsavedBatch // over it customers who have changed stay in memory
	unsavedKept  = 4 * unsavedBatch  // memory for so many is used again
)

func (u *unsaved) init() {
	u.states, u.saving = make(map[bank.CustomerNo]journal.Snapshot), make(map[bank.CustomerNo]journal.Snapshot)
	u.due = make(chan struct{}, 1)
}

func (u *unsaved) put(s journal.Snapshot) {
	u.mu.Lock()
	defer u.mu.Unlock()
	no := bank.CustomerNo(s.Customer)
	for _, earlier := range [...]map[bank.CustomerNo]journal.Snapshot{u.states, u.saving} {
		if e, ok := earlier[no]; ok {
			s.PersonSaved = s.PersonSaved && e.PersonSaved // it may fail to be saved
		}
	}
	u.states[no] = s
	if len(u.states) >= unsavedBatch {
		wake(u.due)
	}
}

func (u *unsaved) find(no bank.CustomerNo) (journal.Snapshot, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s, ok := u.states[no]; ok {
		return s, true
	}
	s, ok := u.saving[no]
	return s, ok
}

func (u *unsaved) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.states) + len(u.saving)
}

func (u *unsaved) full() bool { return u.count() >= unsavedMax }

// take begins to save what is put aside, in the customers' order; done ends it. The batch is valid until then.
func (u *unsaved) take() []journal.Snapshot {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.saving, u.states = u.states, u.saving
	for _, s := range u.saving {
		u.batch = append(u.batch, s)
	}
	slices.SortFunc(u.batch, func(a, b journal.Snapshot) int { return cmp.Compare(a.Customer, b.Customer) })
	return u.batch
}

// done forgets what was saved; what was not, and has not been replaced, stays.
func (u *unsaved) done(saved bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for no, s := range u.saving {
		if _, newer := u.states[no]; !saved && !newer {
			u.states[no] = s
		}
	}
	if len(u.saving) > unsavedKept {
		u.saving, u.batch = make(map[bank.CustomerNo]journal.Snapshot), nil
		return
	}
	clear(u.saving)
	clear(u.batch)
	u.batch = u.batch[:0]
}
