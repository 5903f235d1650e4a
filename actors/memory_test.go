package actors

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// memoryJournal is a journal whose disk the test holds in its hand: what is appended becomes durable
// when the test says so, or never.
type memoryJournal struct {
	mu         sync.Mutex
	records    []*journal.Record
	durable    int
	held       bool                               // flush only when told
	commands   map[ledger.Uint128]*journal.Record // the last of each
	epochs     map[uint16]uint64
	heads      map[uint64]journal.Head
	onDurable  func(journal.Position)
	refuse     error // what Append answers, once admitted
	full       error // what Admit answers
	refuseSave error // what SaveSnapshots answers
	snapshots  map[uint64]journal.Snapshot
	flushed    map[uint64]journal.Snapshot // as snapshots was when recent was empty
	recent     []journal.Snapshot          // saved since, in order; a crash loses some of the last
	saved      journal.Position
	tellers    journal.Tellers

	flushing sync.Mutex // one flush at a time: positions become durable in order
}

func newMemoryJournal() *memoryJournal {
	return &memoryJournal{commands: map[ledger.Uint128]*journal.Record{}, epochs: map[uint16]uint64{}, heads: map[uint64]journal.Head{}, snapshots: map[uint64]journal.Snapshot{}}
}

// reopened is what another process finds: the durable records.
func (j *memoryJournal) reopened() *memoryJournal {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := newMemoryJournal()
	for _, rec := range j.records[:j.durable] {
		n.take(rec)
	}
	n.durable = len(n.records)
	maps.Copy(n.snapshots, j.snapshots)
	if len(j.recent) > 0 {
		n.snapshots = maps.Clone(j.flushed)
		for _, s := range j.recent[:(7*len(j.records)+j.durable)%(len(j.recent)+1)] {
			n.snapshots[s.Customer] = s
		}
	}
	n.saved = j.saved
	return n
}

func (j *memoryJournal) take(rec *journal.Record) {
	if rec.Kind == journal.KindClaim {
		j.epochs[rec.Shard] = rec.Epoch
	} else {
		head := j.heads[rec.Customer]
		head.Seq = rec.Seq
		j.heads[rec.Customer] = head
		for i := range rec.Events {
			if rec.Kind == journal.KindIntent {
				break
			}
			h := j.heads[rec.Events[i].Customer]
			h.EventSeq++
			rec.Events[i].Seq = h.EventSeq
			j.heads[rec.Events[i].Customer] = h
		}
		j.tellers.Take(rec)
	}
	kept := copyRecord(rec)
	j.records = append(j.records, kept)
	j.commands[rec.Command] = kept
}

func (j *memoryJournal) Claim(shard uint16) (uint64, error) {
	j.mu.Lock()
	epoch := j.epochs[shard] + 1
	j.take(&journal.Record{Kind: journal.KindClaim, Shard: shard, Epoch: epoch, Position: journal.Position(len(j.records) + 1)})
	j.mu.Unlock()
	j.flush(false)
	return epoch, nil
}

func (j *memoryJournal) Admit(rec *journal.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.full != nil {
		return j.full
	}
	if rec.Epoch != j.epochs[rec.Shard] || rec.Seq != j.heads[rec.Customer].Seq+1 {
		return journal.ErrStale
	}
	return nil
}

func (j *memoryJournal) Append(rec *journal.Record) error {
	j.mu.Lock()
	if j.refuse != nil {
		defer j.mu.Unlock()
		return j.refuse
	}
	rec.Position, rec.TellerSerial = journal.Position(len(j.records)+1), j.tellers.Next(rec)
	j.take(rec)
	held := j.held
	j.mu.Unlock()
	if !held {
		go j.flush(false)
	}
	return nil
}

// flush makes everything appended durable, unless it is held and not forced.
func (j *memoryJournal) flush(force bool) {
	j.flushing.Lock()
	defer j.flushing.Unlock()
	j.mu.Lock()
	if j.held && !force {
		j.mu.Unlock()
		return
	}
	j.durable = len(j.records)
	position, tell := journal.Position(j.durable), j.onDurable
	j.mu.Unlock()
	if tell != nil {
		tell(position)
	}
}

func (j *memoryJournal) hold(held bool) {
	j.mu.Lock()
	j.held = held
	j.mu.Unlock()
}

func (j *memoryJournal) SignOff(before uint32) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tellers.SignOff(before)
}

func (j *memoryJournal) Durable() journal.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return journal.Position(j.durable)
}

func (j *memoryJournal) Last() journal.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return journal.Position(len(j.records))
}

func (j *memoryJournal) WaitDurable(context.Context, journal.Position) error {
	return errors.New("not needed by the actors")
}

func (j *memoryJournal) First() journal.Position { return 1 }

func (j *memoryJournal) ReadHeads([]uint64) error { return nil }

func (j *memoryJournal) Head(customer uint64) (journal.Head, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.heads[customer], nil
}

func (j *memoryJournal) ScanCustomer(ctx context.Context, customer uint64, from journal.Position, fn func(*journal.Record) bool) error {
	return j.Scan(ctx, from, func(rec *journal.Record) bool {
		given := rec.Kind != journal.KindIntent && slices.ContainsFunc(rec.Events, func(e journal.Event) bool { return e.Customer == customer })
		return rec.Kind == journal.KindClaim || rec.Customer != customer && !given || fn(rec)
	})
}

func (j *memoryJournal) Snapshot(customer uint64) (journal.Snapshot, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.snapshots[customer]
	s.State = slices.Clone(s.State)
	return s, nil
}

func (j *memoryJournal) Snapshots(_ context.Context, customer uint64, fn func(*journal.Snapshot) bool) error {
	j.mu.Lock()
	saved := maps.Clone(j.snapshots)
	j.mu.Unlock()
	for _, c := range slices.Sorted(maps.Keys(saved)) {
		if s := saved[c]; c >= customer && !fn(&s) {
			break
		}
	}
	return nil
}

// SaveSnapshots refuses what the test keeps from the disk, instead of waiting for it.
func (j *memoryJournal) SaveSnapshots(_ context.Context, upTo journal.Position, states iter.Seq[journal.Snapshot]) error {
	j.flush(false)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.held && j.durable < len(j.records) {
		return errors.New("records are not durable")
	}
	if j.refuseSave != nil {
		return j.refuseSave
	}
	if len(j.recent) == 0 {
		j.flushed = maps.Clone(j.snapshots)
	}
	for s := range states {
		if s.PersonSaved && j.snapshots[s.Customer].Person != s.Person {
			panic(fmt.Sprintf("customer %d: the person was not saved before", s.Customer))
		}
		s.State = slices.Clone(s.State)
		j.snapshots[s.Customer] = s
		j.recent = append(j.recent, s)
	}
	if upTo > 0 {
		j.recent = nil
	}
	j.saved = max(j.saved, upTo)
	return nil
}

func (j *memoryJournal) Saved() journal.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.saved
}

func (j *memoryJournal) FindPerson(person ledger.Uint128) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for customer, s := range j.snapshots {
		if s.Person == person {
			return customer, nil
		}
	}
	return 0, nil
}

func (j *memoryJournal) Retain(journal.Position) error { return nil }

func (j *memoryJournal) Scan(_ context.Context, from journal.Position, fn func(*journal.Record) bool) error {
	j.mu.Lock()
	records := slices.Clone(j.records[from-1 : j.durable])
	j.mu.Unlock()
	for _, rec := range records {
		if !fn(rec) {
			break
		}
	}
	return nil
}

func (j *memoryJournal) FindCommand(id ledger.Uint128) (*journal.Record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.commands[id], nil
}

func (j *memoryJournal) Ahead([]ledger.Uint128, []uint64) {}

func (j *memoryJournal) FindSubject(id ledger.Uint128) (found []*journal.Record, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, rec := range j.records {
		if rec.Subject == id {
			found = append(found, rec)
		}
	}
	return found, nil
}

func (j *memoryJournal) Close() error { return nil }
