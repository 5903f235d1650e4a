// Package embedded is the journal as a segmented append-only log with group commit, in this process.
// Start here: Open and Append. flush.go writes and flushes, segment.go is the form on disk, codec.go the form
// of a record, read.go reads them back. load.go opens what a stopped process left.
//
// Behind the log is an index: what finds a record by its ids, where customers' counters stand, and their saved
// states. Its newest part is in memory; checkpoint.go moves that to disk from time to time, so that opening
// reads only the records behind the last checkpoint. ids.go, runs.go and known.go hold the ids, store.go the rest.
//
// Memory: about 130 bytes for each record since the last checkpoint but one, which is 500,000 to 1,000,000 records and
// at most 3,000,000 (see crowdedAfter); for each older id 1.3 to 2.7 bytes until that is knownBytesMax, with the one before
// while another is made, 2.3 until that is filterBytesMax, and 0.02; 256 MB for the store; tailBytesMax of records on
// disk; batchMax for those not there yet, twice; 100 bytes a segment.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Sizes and intervals.
const (
	SegmentBytesDefault = 64 << 20
	SegmentBytesMin     = 2 * blockBytes
	SegmentBytesMax     = 256 << 20
	// CheckpointEveryDefault is how many records are read at the next start at most, about.
	CheckpointEveryDefault = 500_000
	// roomEvery is how often it is tried again when the disk is full.
	roomEvery = time.Second
)

// Options of a journal. The zero value is usable.
type Options struct {
	// OnDurable is called after each flush with the position now on disk, from one goroutine, in order.
	OnDurable func(journal.Position)
	// OnFault is called once, when a write or flush has failed: nothing more will become durable.
	OnFault func(error)
	// OnRebuild is called by Open when the index has to be made again from the records, with the reason.
	OnRebuild func(cause error)
	// SegmentBytes is the size at which a new segment begins; SegmentBytesDefault if not in range. It is rounded
	// up to whole blocks of 4 KiB.
	SegmentBytes int64
	// CheckpointEvery is after how many records the index is brought to disk; CheckpointEveryDefault if zero.
	CheckpointEvery int

	open      func(path string, flags int) (file, error) // nil: the disk
	roomEvery time.Duration                              // zero: the constant
	buffered  bool                                       // never write directly
	longWrite int                                        // longWriteBytes, but for tests
	merged    int                                        // runsMerged, but for tests
}

// Journal is a journal.Journal in a directory.
type Journal struct {
	dir      string
	options  Options
	lock     *os.File
	direct   bool // segments are written past the page cache
	readOnly bool

	mu       sync.Mutex
	work     sync.Cond // there is something to flush, or Close
	room     sync.Cond // the batch has been taken
	segments []*segment
	active   batch // takes appends
	flushing batch // being written
	last     journal.Position
	durable  atomic.Uint64 // position; written under mu
	waits    atomic.Pointer[underWay]
	fault    error
	full     error // why the disk takes nothing more for now
	closing  bool
	stopping chan struct{} // closed when closing begins
	epochs   epochs
	heads    heads
	tellers  journal.Tellers
	asked    int      // records to come whose parties Ahead has asked for
	admitted party    // admit's last, until something is appended; customer zero: none
	parties  []party  // number's
	read     []uint64 // noteRead's
	recent   *idIndex // of records since the last checkpoint began
	emptied  *idIndex // the next recent
	frozen   *frozen  // what a checkpoint is bringing to disk
	runs     *runs    // what the checkpoints before brought there
	from     journal.Position

	remembered []*segment // old segments whose marks are in memory, the oldest first
	readers    readers
	chunks     sync.Pool // payload's memory, *[]byte
	tail       tail
	scanned    atomic.Pointer[walker] // left by a scan
	newest     *segment               // nil: there is none yet; the flusher's, as before is
	before     place                  // the last batch written
	written    atomic.Int64           // its bytes
	witness    witness
	store      *store
	saving     sync.Mutex    // one SaveSnapshots at a time
	saved      atomic.Uint64 // of the last upTo

	index       indexState // on disk; written under indexing and mu
	indexing    sync.Mutex // one of checkpoint, Retain at a time
	checkpoints chan *frozen
	spare       chan *segment // capacity 1: the next segment, zeroed ahead of time
	ended       sync.WaitGroup
}

var _ journal.Journal = (*Journal)(nil)

// Open opens the journal in dir, creating it if need be. What a crash left half written is overwritten; damage to
// acknowledged records is ErrDamaged. An index that is lost or damaged is made again if all records are kept.
func Open(dir string, options Options) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j, err := open(dir, options, true)
	if err != nil {
		return nil, err
	}
	j.ended.Add(3)
	go j.prepare()
	go j.checkpointer()
	go j.flush()
	return j, nil
}

// OpenReadOnly opens the journal of a stopped node to read it: nothing on disk is changed, Claim and
// Append answer ErrClosed.
func OpenReadOnly(dir string) (*Journal, error) {
	return open(dir, Options{}, false)
}

// Claim implements journal.Journal.
func (j *Journal) Claim(shard uint16) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.usable(); err != nil {
		return 0, err
	}
	if j.full != nil {
		return 0, fmt.Errorf("%w: %w", journal.ErrFull, j.full)
	}
	rec := journal.Record{Kind: journal.KindClaim, Shard: shard, Epoch: j.epochs.of(shard) + 1}
	if err := j.append(&rec); err != nil {
		return 0, err
	}
	return rec.Epoch, nil
}

// epochs are those of the shards, by number: every record asks for its shard's.
type epochs []uint64

func (e epochs) of(shard uint16) uint64 {
	if int(shard) >= len(e) {
		return 0
	}
	return e[shard]
}

func (e *epochs) set(shard uint16, epoch uint64) {
	if n := int(shard) + 1; n > len(*e) {
		*e = append(*e, make([]uint64, n-len(*e))...)
	}
	(*e)[shard] = epoch
}

// claimed are the epochs of the shards that have been claimed.
func (e epochs) claimed() map[uint16]uint64 {
	out := make(map[uint16]uint64)
	for shard, epoch := range e {
		if epoch > 0 {
			out[uint16(shard)] = epoch
		}
	}
	return out
}

func (j *Journal) usable() error {
	switch {
	case j.fault != nil:
		return fmt.Errorf("%w: %w", journal.ErrStopped, j.fault)
	case j.closing:
		return journal.ErrClosed
	}
	return nil
}

// Admit implements journal.Journal.
func (j *Journal) Admit(rec *journal.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.full != nil {
		return fmt.Errorf("%w: %w", journal.ErrFull, j.full)
	}
	return j.admit(rec)
}

func (j *Journal) admit(rec *journal.Record) error {
	if err := j.usable(); err != nil {
		return err
	}
	if epoch := j.epochs.of(rec.Shard); rec.Epoch != epoch {
		return fmt.Errorf("%w: shard %d is in epoch %d, the record in %d", journal.ErrStale, rec.Shard, epoch, rec.Epoch)
	}
	head, err := j.admittedHead(rec.Customer)
	if err != nil {
		return err
	}
	if rec.Seq != head.Seq+1 {
		return fmt.Errorf("%w: customer %d is at %d, the record at %d", journal.ErrStale, rec.Customer, head.Seq, rec.Seq)
	}
	return nil
}

// admittedHead is head of the customer whose record is admitted, which is asked for several times until it is appended.
func (j *Journal) admittedHead(customer uint64) (head, error) {
	if customer != 0 && j.admitted.customer == customer {
		return j.admitted.head, nil
	}
	found, err := j.head(customer)
	if err == nil {
		j.admitted = party{customer, found}
	}
	return found, err
}

// Append implements journal.Journal. On a full disk it takes what was admitted before, and is ErrFull when the
// memory for that is used up.
func (j *Journal) Append(rec *journal.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ahead(rec)
	if err := j.admit(rec); err != nil {
		return err
	}
	return j.append(rec)
}

// ahead asks for the memory that appending the record needs, whose places don't depend on each other. The lock is held.
func (j *Journal) ahead(rec *journal.Record) {
	j.recent.ahead(subjectHash(rec.Subject))
	if j.asked > 0 {
		j.asked--
		return
	}
	j.recent.ahead(commandHash(rec.Command))
	if j.admitted.customer != rec.Customer {
		j.heads.ahead(rec.Customer)
	}
	for i := range rec.Events {
		if c := rec.Events[i].Customer; c != rec.Customer {
			j.heads.ahead(c)
		}
	}
}

// append encodes the record into the active batch; the lock is held.
func (j *Journal) append(rec *journal.Record) error {
	for len(j.active.bytes) > batchMax && j.fault == nil {
		if j.full != nil {
			return fmt.Errorf("%w: %w", journal.ErrFull, j.full)
		}
		j.room.Wait()
	}
	if j.fault != nil {
		return fmt.Errorf("%w: %w", journal.ErrStopped, j.fault)
	}
	rec.Position = j.last + 1
	parties, err := j.number(rec)
	if err != nil {
		return err
	}
	rec.TellerSerial = j.tellers.Next(rec)
	b := &j.active
	b.grow()
	at := len(b.bytes)
	b.bytes = appendRecord(append(b.bytes, zeroRecordHeader[:]...), rec)
	for i := range parties {
		b.bytes = appendLink(b.bytes, rec.Position, parties[i].head.last)
	}
	if len(b.bytes)-at-recordHeader > RecordMax {
		b.bytes = b.bytes[:at]
		return journal.ErrRecordTooLarge
	}
	b.records = putRecordHeader(b.bytes[at:], rec.Position, b.records)
	b.offsets = append(b.offsets, uint32(at))
	j.note(rec, parties)
	if len(b.offsets) == 1 {
		j.work.Signal()
	}
	return nil
}

var zeroRecordHeader [recordHeader]byte

// note takes a record into the memory state, in order.
func (j *Journal) note(rec *journal.Record, parties []party) {
	j.last = rec.Position
	j.admitted = party{}
	if rec.Kind == journal.KindClaim {
		j.epochs.set(rec.Shard, rec.Epoch)
		return
	}
	for i := range parties {
		parties[i].head.last = rec.Position
		j.heads.young.put(parties[i].customer, parties[i].head)
	}
	j.tellers.Take(rec)
	if !rec.Command.IsZero() {
		j.recent.add(commandHash(rec.Command), rec.Position)
	}
	if !rec.Subject.IsZero() {
		j.recent.add(subjectHash(rec.Subject), rec.Position)
	}
}

// First implements journal.Journal.
func (j *Journal) First() journal.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.first()
}

func (j *Journal) first() journal.Position { return j.from }

// Durable implements journal.Journal.
func (j *Journal) Durable() journal.Position { return journal.Position(j.durable.Load()) }

// Last implements journal.Journal.
func (j *Journal) Last() journal.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// WaitDurable implements journal.Journal.
func (j *Journal) WaitDurable(ctx context.Context, position journal.Position) error {
	for j.Durable() < position {
		flushed := j.flushOf(position)
		if flushed == nil { // since then
			continue
		}
		if ctx.Done() == nil { // cheaper, and most who wait are of this kind
			<-flushed
		} else {
			select {
			case <-flushed:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if j.Durable() >= position {
			break
		}
		j.mu.Lock()
		err := j.usable()
		j.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// flushOf is closed when the position has been flushed or will not be; nil: it is durable. It takes no lock, for which
// all who wait would stand in line with those who append.
func (j *Journal) flushOf(position journal.Position) chan struct{} {
	waits := j.waits.Load()
	switch {
	case position >= waits.first:
		return waits.active
	case j.Durable() < position: // said before the batch behind the next was begun
		return waits.flushing
	}
	return nil
}

// Snapshot implements journal.Journal.
func (j *Journal) Snapshot(customer uint64) (journal.Snapshot, error) {
	return j.store.snapshot(customer)
}

// Snapshots implements journal.Journal.
func (j *Journal) Snapshots(ctx context.Context, customer uint64, fn func(*journal.Snapshot) bool) error {
	err := j.store.snapshots(customer, func(s *journal.Snapshot) bool { return ctx.Err() == nil && fn(s) })
	return errors.Join(err, ctx.Err())
}

// SaveSnapshots implements journal.Journal.
func (j *Journal) SaveSnapshots(ctx context.Context, upTo journal.Position, states iter.Seq[journal.Snapshot]) error {
	if j.readOnly {
		return journal.ErrClosed
	}
	last := j.Last()
	if upTo > last {
		return fmt.Errorf("journal: snapshots up to position %d, the journal ends at %d", upTo, last)
	}
	if err := j.WaitDurable(ctx, last); err != nil {
		return err
	}
	j.saving.Lock()
	defer j.saving.Unlock()
	now := upTo > 0
	if upTo <= j.Saved() {
		upTo = 0
	}
	if err := j.hasRoom(); isFull(err) {
		return fmt.Errorf("%w: %w", journal.ErrFull, err)
	} else if err != nil {
		return err
	}
	if err := j.store.save(upTo, now, states); err != nil {
		return err
	}
	if upTo > 0 {
		j.saved.Store(uint64(upTo))
	}
	return nil
}

// Saved implements journal.Journal.
func (j *Journal) Saved() journal.Position { return journal.Position(j.saved.Load()) }

// FindPerson implements journal.Journal.
func (j *Journal) FindPerson(person ledger.Uint128) (uint64, error) {
	return j.store.findPerson(person)
}

// Close flushes what was appended and closes the files.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.lock == nil {
		j.mu.Unlock()
		return nil
	}
	if !j.closing {
		j.closing = true
		close(j.stopping)
	}
	j.work.Broadcast()
	j.room.Broadcast()
	j.mu.Unlock()
	j.ended.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.fault, j.release())
}

func (j *Journal) release() error {
	var errs []error
	for _, s := range slices.Backward(j.segments) {
		if s.file != nil {
			errs = append(errs, s.file.Close())
			s.file = nil
		}
	}
	select {
	case s := <-j.spare:
		errs = append(errs, s.file.Close())
	default:
	}
	j.readers.close()
	if j.runs != nil {
		j.runs.release()
		j.runs = nil
	}
	if j.witness.file != nil {
		if !j.readOnly {
			errs = append(errs, j.witness.flush())
		}
		errs = append(errs, j.witness.file.Close())
	}
	if j.store != nil {
		errs = append(errs, j.store.close())
	}
	if j.lock != nil {
		errs = append(errs, j.lock.Close())
		j.lock = nil
	}
	return errors.Join(errs...)
}
