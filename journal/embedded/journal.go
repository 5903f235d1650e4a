// Package embedded is the journal as a segmented append-only log with group commit, in this process.
// Start here: Open and Append. flush.go writes and flushes, segment.go is the form on disk, codec.go the
// form of a record, index.go what finds a record by id.
//
// Memory: 4 bytes a record for its place, 16 for each id it can be found by, and about 40 a customer.
package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// SegmentBytesDefault is the size at which a new segment begins, SegmentBytesMax the largest.
const (
	SegmentBytesDefault = 64 << 20
	SegmentBytesMax     = 1 << 30
)

// Options of a journal. The zero value is usable.
type Options struct {
	// OnDurable is called after each flush with the position now on disk, from one goroutine, in order.
	OnDurable func(journal.Position)
	// OnFault is called once, when a write or flush has failed: nothing more will become durable.
	OnFault func(error)
	// SegmentBytes is the size at which a new segment begins; SegmentBytesDefault if not in range.
	SegmentBytes int64

	open func(path string, flags int) (file, error) // nil: the disk
}

// Journal is a journal.Journal in a directory.
type Journal struct {
	dir     string
	options Options
	lock    *os.File

	mu       sync.Mutex
	work     sync.Cond // there is something to flush, or Close
	room     sync.Cond // the batch has been taken
	segments []*segment
	active   batch // takes appends
	flushing batch // being written
	last     journal.Position
	durable  journal.Position
	flushed  chan struct{} // closed at the next flush or fault; nil when nobody waits
	fault    error
	closing  bool
	epochs   map[uint16]uint64
	heads    map[uint64]journal.Head
	commands idIndex
	subjects idIndex
	found    []journal.Position

	store  *store
	saving sync.Mutex    // one SaveSnapshots at a time
	saved  atomic.Uint64 // of the last upTo

	spare chan *segment // capacity 1: the next segment, zeroed ahead of time
	ended sync.WaitGroup
}

// batch is what one flush writes: a batch header to fill in and the records.
type batch struct {
	first   journal.Position
	bytes   []byte
	offsets []uint32 // of each record's header in bytes
}

var _ journal.Journal = (*Journal)(nil)

// Open opens the journal in dir, creating it if need be, and reads all of it. What a crash left half
// written is cut off; damage to acknowledged records is ErrDamaged.
func Open(dir string, options Options) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j, err := open(dir, options, true)
	if err != nil {
		return nil, err
	}
	j.ended.Add(2)
	go j.prepare()
	go j.flush()
	return j, nil
}

// OpenReadOnly opens the journal of a stopped node to read it: nothing on disk is changed, Claim and
// Append answer ErrClosed.
func OpenReadOnly(dir string) (*Journal, error) {
	j, err := open(dir, Options{}, false)
	if err != nil {
		return nil, err
	}
	j.closing = true
	return j, nil
}

func open(dir string, options Options, write bool) (_ *Journal, err error) {
	if options.SegmentBytes <= 0 || options.SegmentBytes > SegmentBytesMax {
		options.SegmentBytes = SegmentBytesDefault
	}
	if options.open == nil {
		options.open = func(path string, flags int) (file, error) {
			f, err := os.OpenFile(path, flags, 0o600)
			return diskFile{f}, err
		}
	}
	j := &Journal{
		dir: dir, options: options,
		epochs: make(map[uint16]uint64), heads: make(map[uint64]journal.Head),
		spare: make(chan *segment, 1),
	}
	j.work.L, j.room.L = &j.mu, &j.mu
	if j.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			j.release()
		}
	}()
	if j.store, err = openStore(dir, !write); err != nil {
		return nil, err
	}
	saved, err := j.store.saved()
	if err != nil {
		return nil, err
	}
	j.saved.Store(uint64(saved))
	if err := j.load(write); err != nil {
		return nil, err
	}
	j.durable = j.last
	j.active = newBatch(j.last + 1)
	return j, nil
}

// lockDir keeps a second process out: two writers would make two histories.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("journal: another process uses %s: %w", dir, err)
	}
	return f, nil
}

// load reads every segment and builds what is kept in memory.
func (j *Journal) load(write bool) error {
	paths, err := segmentFiles(j.dir)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	flags := os.O_RDONLY
	if write {
		flags = os.O_RDWR
	}
	var rec journal.Record
	var buf []byte
	torn := false
	for i, path := range paths {
		if firstOf(path) != j.last+1 {
			return fmt.Errorf("%w: %s: positions from %d on are missing", ErrDamaged, path, j.last+1)
		}
		stat, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		f, err := j.options.open(path, flags)
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		s := &segment{path: path, file: f, first: j.last + 1, size: stat.Size()}
		j.segments = append(j.segments, s)
		buf = slices.Grow(buf[:0], int(s.size))[:s.size]
		torn, err = s.load(buf, i == len(paths)-1, func(position journal.Position, payload []byte) error {
			if err := decodeRecord(payload, &rec); err != nil {
				return err
			}
			rec.Position = position
			j.note(&rec)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if !write || !torn {
		return nil
	}
	return j.cutTail()
}

// cutTail removes what a crash left behind the last whole batch, so that nothing stale can ever be
// taken for a record.
func (j *Journal) cutTail() error {
	s := j.segments[len(j.segments)-1]
	if s.end == 0 { // died while the segment was being made
		j.segments = j.segments[:len(j.segments)-1]
		if err := errors.Join(s.file.Close(), os.Remove(s.path), syncDir(j.dir)); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		return nil
	}
	if err := errors.Join(s.file.Truncate(s.end), s.file.Datasync()); err != nil {
		return fmt.Errorf("journal: cut the tail of %s: %w", s.path, err)
	}
	s.size = s.end
	return nil
}

// note takes a record into the memory state, in order.
func (j *Journal) note(rec *journal.Record) {
	j.last = rec.Position
	if rec.Kind == journal.KindClaim {
		j.epochs[rec.Shard] = rec.Epoch
		return
	}
	head := j.heads[rec.Customer]
	head.Seq = rec.Seq
	j.heads[rec.Customer] = head
	if rec.Kind != journal.KindIntent {
		for i := range rec.Events {
			e := &rec.Events[i]
			head := j.heads[e.Customer]
			head.EventSeq = e.Seq
			j.heads[e.Customer] = head
		}
	}
	if !rec.Command.IsZero() {
		j.commands.add(hashOf(rec.Command.Lo, rec.Command.Hi), rec.Position)
	}
	if !rec.Subject.IsZero() {
		j.subjects.add(hashOf(rec.Subject.Lo, rec.Subject.Hi), rec.Position)
	}
}

// Claim implements journal.Journal.
func (j *Journal) Claim(shard uint16) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.usable(); err != nil {
		return 0, err
	}
	rec := journal.Record{Kind: journal.KindClaim, Shard: shard, Epoch: j.epochs[shard] + 1}
	if err := j.append(&rec); err != nil {
		return 0, err
	}
	return rec.Epoch, nil
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
	return j.admit(rec)
}

func (j *Journal) admit(rec *journal.Record) error {
	if err := j.usable(); err != nil {
		return err
	}
	if epoch := j.epochs[rec.Shard]; rec.Epoch != epoch {
		return fmt.Errorf("%w: shard %d is in epoch %d, the record in %d", journal.ErrStale, rec.Shard, epoch, rec.Epoch)
	}
	if seq := j.heads[rec.Customer].Seq; rec.Seq != seq+1 {
		return fmt.Errorf("%w: customer %d is at %d, the record at %d", journal.ErrStale, rec.Customer, seq, rec.Seq)
	}
	return nil
}

// Append implements journal.Journal.
func (j *Journal) Append(rec *journal.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.admit(rec); err != nil {
		return err
	}
	return j.append(rec)
}

// append encodes the record into the active batch; the lock is held.
func (j *Journal) append(rec *journal.Record) error {
	for len(j.active.bytes) > batchMax && j.fault == nil {
		j.room.Wait()
	}
	if j.fault != nil {
		return fmt.Errorf("%w: %w", journal.ErrStopped, j.fault)
	}
	rec.Position = j.last + 1
	j.number(rec)
	b := &j.active
	at := len(b.bytes)
	b.bytes = appendRecord(append(b.bytes, make([]byte, recordHeader)...), rec)
	payload := b.bytes[at+recordHeader:]
	if len(payload) > RecordMax {
		b.bytes = b.bytes[:at]
		return journal.ErrRecordTooLarge
	}
	binary.LittleEndian.PutUint32(b.bytes[at:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b.bytes[at+4:], recordSum(rec.Position, payload))
	b.offsets = append(b.offsets, uint32(at))
	j.note(rec)
	if len(b.offsets) == 1 {
		j.work.Signal()
	}
	return nil
}

// number gives the events their customers' next numbers. A customer may have several in one record. What
// is only intended has none: it may never happen.
func (j *Journal) number(rec *journal.Record) {
	if rec.Kind == journal.KindIntent {
		return
	}
	for i := range rec.Events {
		e := &rec.Events[i]
		e.Seq = j.heads[e.Customer].EventSeq + 1
		for k := range rec.Events[:i] {
			if rec.Events[k].Customer == e.Customer {
				e.Seq = rec.Events[k].Seq + 1
			}
		}
	}
}

// Durable implements journal.Journal.
func (j *Journal) Durable() journal.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable
}

// Last implements journal.Journal.
func (j *Journal) Last() journal.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// WaitDurable implements journal.Journal.
func (j *Journal) WaitDurable(ctx context.Context, position journal.Position) error {
	for {
		j.mu.Lock()
		if j.durable >= position {
			j.mu.Unlock()
			return nil
		}
		if err := j.usable(); err != nil {
			j.mu.Unlock()
			return err
		}
		if j.flushed == nil {
			j.flushed = make(chan struct{})
		}
		flushed := j.flushed
		j.mu.Unlock()
		select {
		case <-flushed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// First implements journal.Journal.
func (j *Journal) First() journal.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) == 0 {
		return j.last + 1
	}
	return j.segments[0].first
}

// Head implements journal.Journal.
func (j *Journal) Head(customer uint64) (journal.Head, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.heads[customer], nil
}

// ScanCustomer implements journal.Journal.
func (j *Journal) ScanCustomer(ctx context.Context, customer uint64, from journal.Position, fn func(*journal.Record) bool) error {
	return j.Scan(ctx, from, func(rec *journal.Record) bool { return !concerns(rec, customer) || fn(rec) })
}

// concerns reports whether the record is the customer's or gave it events.
func concerns(rec *journal.Record, customer uint64) bool {
	if rec.Kind == journal.KindClaim {
		return false
	}
	return rec.Customer == customer || rec.Kind != journal.KindIntent &&
		slices.ContainsFunc(rec.Events, func(e journal.Event) bool { return e.Customer == customer })
}

// Snapshot implements journal.Journal.
func (j *Journal) Snapshot(customer uint64) (journal.Snapshot, error) { return j.store.snapshot(customer) }

// Snapshots implements journal.Journal.
func (j *Journal) Snapshots(ctx context.Context, customer uint64, fn func(*journal.Snapshot) bool) error {
	err := j.store.snapshots(customer, func(s *journal.Snapshot) bool { return ctx.Err() == nil && fn(s) })
	return errors.Join(err, ctx.Err())
}

// SaveSnapshots implements journal.Journal.
func (j *Journal) SaveSnapshots(ctx context.Context, upTo journal.Position, states iter.Seq[journal.Snapshot]) error {
	last := j.Last()
	if upTo > last {
		return fmt.Errorf("journal: snapshots up to position %d, the journal ends at %d", upTo, last)
	}
	if err := j.WaitDurable(ctx, last); err != nil {
		return err
	}
	j.saving.Lock()
	defer j.saving.Unlock()
	if upTo <= j.Saved() {
		upTo = 0
	}
	if err := j.store.save(upTo, states); err != nil {
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
func (j *Journal) FindPerson(person ledger.Uint128) (uint64, error) { return j.store.findPerson(person) }

// Retain implements journal.Journal.
func (j *Journal) Retain(before journal.Position) error {
	before = min(before, j.Saved()+1)
	j.mu.Lock()
	n := 0
	for n+1 < len(j.segments) && j.segments[n+1].first <= before {
		n++
	}
	gone := slices.Clone(j.segments[:n])
	j.segments = slices.Delete(j.segments, 0, n)
	j.mu.Unlock()
	for _, s := range gone {
		if err := errors.Join(s.file.Close(), os.Remove(s.path)); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	return nil
}

// FindCommand implements journal.Journal. It finds records that are not on disk yet, too.
func (j *Journal) FindCommand(id ledger.Uint128) (*journal.Record, error) {
	found, err := j.find(&j.commands, id, func(rec *journal.Record) bool { return rec.Command == id })
	if len(found) == 0 {
		return nil, err
	}
	return found[len(found)-1], err
}

// FindSubject implements journal.Journal. It finds records that are not on disk yet, too.
func (j *Journal) FindSubject(id ledger.Uint128) ([]*journal.Record, error) {
	return j.find(&j.subjects, id, func(rec *journal.Record) bool { return rec.Subject == id })
}

func (j *Journal) find(x *idIndex, id ledger.Uint128, is func(*journal.Record) bool) ([]*journal.Record, error) {
	if id.IsZero() {
		return nil, nil
	}
	j.mu.Lock()
	j.found = x.find(hashOf(id.Lo, id.Hi), j.found[:0])
	if len(j.found) == 0 { // the usual case: a new command
		j.mu.Unlock()
		return nil, nil
	}
	positions := slices.Sorted(slices.Values(j.found))
	j.mu.Unlock()
	var out []*journal.Record
	for _, position := range positions {
		rec, err := j.get(position)
		if err != nil {
			return nil, err
		}
		if is(rec) {
			out = append(out, rec)
		}
	}
	return out, nil
}

// get returns a copy of the record at a position that has been given out.
func (j *Journal) get(position journal.Position) (*journal.Record, error) {
	payload, err := j.payload(position)
	if err != nil {
		return nil, err
	}
	rec := new(journal.Record)
	if err := decodeRecord(payload, rec); err != nil {
		return nil, fmt.Errorf("journal: position %d: %w", position, err)
	}
	rec.Position = position
	return rec, nil
}

func (j *Journal) payload(position journal.Position) ([]byte, error) {
	j.mu.Lock()
	for _, b := range []*batch{&j.active, &j.flushing} {
		if i := int64(position) - int64(b.first); i >= 0 && i < int64(len(b.offsets)) {
			payload, ok := recordAt(b.bytes[b.offsets[i]:], position)
			copied := slices.Clone(payload)
			j.mu.Unlock()
			if !ok {
				return nil, fmt.Errorf("journal: position %d changed in memory: %w", position, ErrDamaged)
			}
			return copied, nil
		}
	}
	s := j.segmentOf(position)
	offset := s.offsets[position-s.first]
	j.mu.Unlock()
	return s.read(position, offset, nil)
}

// segmentOf finds the segment of a durable position.
func (j *Journal) segmentOf(position journal.Position) *segment {
	i, found := slices.BinarySearchFunc(j.segments, position, func(s *segment, p journal.Position) int {
		return int(int64(s.first) - int64(p))
	})
	if !found {
		i--
	}
	return j.segments[i]
}

// Scan implements journal.Journal.
func (j *Journal) Scan(ctx context.Context, from journal.Position, fn func(*journal.Record) bool) error {
	var rec journal.Record
	var buf []byte
	for position := max(from, 1); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, offsets, size := j.stretch(position)
		if s == nil {
			return nil
		}
		buf = slices.Grow(buf[:0], size)[:size]
		if _, err := s.file.ReadAt(buf, int64(offsets[0])); err != nil {
			return fmt.Errorf("journal: read %s at offset %d: %w", s.path, offsets[0], err)
		}
		for _, offset := range offsets {
			payload, ok := recordAt(buf[offset-offsets[0]:], position)
			if !ok {
				return fmt.Errorf("%w: %s at offset %d: checksum of position %d", ErrDamaged, s.path, offset, position)
			}
			if err := decodeRecord(payload, &rec); err != nil {
				return fmt.Errorf("journal: position %d: %w", position, err)
			}
			rec.Position = position
			if !fn(&rec) {
				return nil
			}
			position++
		}
	}
}

// stretchMax is how many records Scan reads at once, and about how many bytes.
const (
	stretchMax      = 4096
	stretchMaxBytes = 1 << 20
)

// stretch returns durable records from position on that lie in one segment; size is the bytes to read
// from the first one's offset. A nil segment: there are none.
func (j *Journal) stretch(position journal.Position) (s *segment, offsets []uint32, size int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if position > j.durable {
		return nil, nil, 0
	}
	s = j.segmentOf(position)
	from := int(position - s.first)
	to := from + 1
	for to < len(s.offsets) && to-from < stretchMax && int(s.offsets[to]-s.offsets[from]) < stretchMaxBytes {
		to++
	}
	end := s.end
	if to < len(s.offsets) {
		end = int64(s.offsets[to])
	}
	return s, s.offsets[from:to:to], int(end - int64(s.offsets[from]))
}

// Close flushes what has been appended and closes the files.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closing && j.lock == nil {
		j.mu.Unlock()
		return nil
	}
	j.closing = true
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
	for _, s := range j.segments {
		errs = append(errs, s.file.Close())
	}
	select {
	case s := <-j.spare:
		errs = append(errs, s.file.Close())
	default:
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
