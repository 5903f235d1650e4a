package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/suanpan-bank/suanpan/journal"
)

// Opening: the index says up to which batch it was made; that batch and what follows is read. Whatever may not be
// on disk although it can be read - a process that died between writing and flushing left it in the page cache -
// is the last batch only: it is written and flushed again before anyone may build on it.

func open(dir string, options Options, write bool) (_ *Journal, err error) {
	if options.SegmentBytes < SegmentBytesMin || options.SegmentBytes > SegmentBytesMax {
		options.SegmentBytes = SegmentBytesDefault
	}
	options.SegmentBytes = (options.SegmentBytes + blockBytes - 1) &^ (blockBytes - 1)
	if options.CheckpointEvery <= 0 {
		options.CheckpointEvery = CheckpointEveryDefault
	}
	if options.roomEvery == 0 {
		options.roomEvery = roomEvery
	}
	if options.open == nil {
		options.open = openDisk
	}
	if options.merged == 0 {
		options.merged = runsMerged
	}
	if options.longWrite == 0 {
		options.longWrite = longWriteBytes
	}
	j := &Journal{
		dir: dir, options: options, readOnly: !write,
		stopping: make(chan struct{}), checkpoints: make(chan *frozen, 1), spare: make(chan *segment, 1),
		readers: readers{open: options.open, all: make(map[journal.Position]*reader)},
	}
	j.work.L, j.room.L = &j.mu, &j.mu
	if j.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.release())
		}
	}()
	if write && !options.buffered {
		if j.direct, err = takesDirect(dir, options.open); err != nil {
			return nil, fmt.Errorf("journal: %s can't be written to: %w", dir, err)
		}
	}
	if err := j.load(); err != nil {
		return nil, err
	}
	j.durable.Store(uint64(j.last))
	if n := len(j.segments); n > 0 {
		j.newest = j.segments[n-1]
	}
	j.active = newBatch(j.last + 1)
	j.waits.Store(&underWay{first: j.active.first, active: j.active.flushed})
	if j.readOnly {
		j.closing = true
		j.active.tell()
	}
	return j, nil
}

// load reads what is on disk, with the index if it can be used.
func (j *Journal) load() error {
	if err := j.listSegments(); err != nil {
		return err
	}
	broken := j.openIndex()
	if broken == nil {
		broken = j.loadTail()
	}
	var unusable *indexError
	if !errors.As(broken, &unusable) {
		return broken
	}
	if len(j.segments) > 0 && j.segments[0].first > 1 {
		return fmt.Errorf("%w; it can't be made again, because the records before position %d are gone: restore %s from a backup",
			broken, j.segments[0].first, j.dir)
	}
	if j.readOnly {
		return fmt.Errorf("%w; start the node once to make it again", broken)
	}
	if j.options.OnRebuild != nil {
		j.options.OnRebuild(broken)
	}
	if err := j.dropIndex(); err != nil {
		return err
	}
	if err := j.openIndex(); err != nil {
		return err
	}
	return j.loadTail()
}

// indexError says that the index can't be used.
type indexError struct{ cause error }

func (e *indexError) Error() string {
	return fmt.Sprintf("journal: the index is unusable: %v", e.cause)
}
func (e *indexError) Unwrap() error { return e.cause }

func (j *Journal) listSegments() error {
	paths, err := segmentFiles(j.dir)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	for _, path := range paths {
		stat, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		j.segments = append(j.segments, &segment{path: path, first: firstOf(path), size: stat.Size(), end: stat.Size()})
	}
	return nil
}

// openIndex opens what checkpoints left. Without any, everything is read.
func (j *Journal) openIndex() (err error) {
	j.epochs, j.heads, j.runs = nil, newHeads(), newRuns(nil, nil)
	j.recent, j.emptied, j.frozen = newIDIndex(j.options.CheckpointEvery), newIDIndex(j.options.CheckpointEvery), nil
	if j.store, err = openStore(j.dir, j.readOnly, j.hasRoom); err != nil {
		return &indexError{err}
	}
	saved, err := j.store.saved()
	if err != nil {
		return &indexError{err}
	}
	j.saved.Store(uint64(saved))
	state, err := j.store.state()
	if err != nil {
		return &indexError{err}
	}
	j.index, j.from = state, max(state.from, 1)
	j.tellers = state.tellers.Clone() // which may be written again as it is
	for shard, epoch := range state.epochs {
		j.epochs.set(shard, epoch)
	}
	var all []*sharedRun
	for _, name := range state.runs {
		r, err := openRun(j.options.open, j.indexDir(), name)
		if err != nil {
			newRuns(all, nil).release()
			return &indexError{err}
		}
		all = append(all, &sharedRun{run: r})
		filtered(all)
	}
	known, err := knownOf(all)
	if err != nil {
		newRuns(all, nil).release()
		return &indexError{err}
	}
	j.runs = newRuns(all, known)
	if j.readOnly {
		return nil
	}
	return j.removeLeftovers(state.runs)
}

// removeLeftovers removes what a crash kept a checkpoint or Retain from removing.
func (j *Journal) removeLeftovers(runs []runName) error {
	entries, err := os.ReadDir(j.indexDir())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("journal: index: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(j.indexDir(), e.Name())
		known := slices.ContainsFunc(runs, func(n runName) bool { return n.path(j.indexDir()) == path })
		if !known && strings.HasSuffix(path, ".ids") {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("journal: index: %w", err)
			}
		}
	}
	for len(j.segments) > 1 && j.segments[1].first <= j.from {
		if err := os.Remove(j.segments[0].path); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		j.segments = j.segments[1:]
	}
	return nil
}

func (j *Journal) dropIndex() error {
	j.runs.release()
	err := j.store.close()
	if err := errors.Join(err, os.RemoveAll(j.store.dir), os.RemoveAll(j.indexDir())); err != nil {
		return fmt.Errorf("journal: remove the index: %w", err)
	}
	for _, s := range j.segments {
		s.marks = nil
		if s.file != nil {
			_ = s.file.Close() // only read so far
			s.file = nil
		}
	}
	return nil
}

// loadTail reads the records behind the index and checks that nothing known to have been durable is missing.
func (j *Journal) loadTail() error {
	if err := j.complete(); err != nil {
		return err
	}
	at := j.index.at
	j.last, j.before = at.last, place{segment: at.segment}
	from, _ := slices.BinarySearchFunc(j.segments, at.segment, func(s *segment, p journal.Position) int {
		return int(int64(s.first) - int64(p))
	})
	for i := from; i < len(j.segments); i++ {
		if err := j.loadSegment(i); err != nil {
			return err
		}
	}
	if err := j.completeHeads(); err != nil {
		return err
	}
	var known journal.Position
	var err error
	if j.witness, known, err = openWitness(j.options.open, j.dir, !j.readOnly); err != nil {
		return err
	}
	if j.last < known {
		s := "the directory"
		offset := int64(0)
		if n := len(j.segments); n > 0 {
			s, offset = j.segments[n-1].path, j.segments[n-1].end
		}
		return fmt.Errorf("%w: %s at offset %d: positions %d to %d were durable and are gone: the disk lost what it had confirmed; restore the journal from a backup",
			ErrDamaged, s, offset, j.last+1, known)
	}
	if j.readOnly {
		return nil
	}
	return j.confirm()
}

// complete checks that no segment before the index's end is missing.
func (j *Journal) complete() error {
	known, err := j.store.segments()
	if err != nil {
		return &indexError{err}
	}
	if j.index.at.segment > 0 {
		known = append(known, j.index.at.segment)
	}
	have := make(map[journal.Position]bool)
	for _, s := range j.segments {
		have[s.first] = true
	}
	for _, first := range known {
		if first >= j.from && !have[first] {
			return fmt.Errorf("%w: %s at offset 0: the segment is missing; restore it from a backup", ErrDamaged, filepath.Join(j.dir, segmentName(first)))
		}
	}
	if len(j.segments) > 0 && j.segments[0].first > j.from {
		if j.index.at.last == 0 {
			return &indexError{errors.New("it is missing")}
		}
		return fmt.Errorf("%w: %s: positions from %d on are missing", ErrDamaged, j.segments[0].path, j.from)
	}
	return nil
}

// loadSegment reads a segment from the index's end on, or all of it.
func (j *Journal) loadSegment(i int) error {
	s, newest := j.segments[i], i == len(j.segments)-1
	flags := os.O_RDONLY
	if newest && !j.readOnly {
		flags = j.writeFlags()
	}
	f, err := j.options.open(s.path, flags)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if newest {
		s.file, s.prepared = f, s.size == j.options.SegmentBytes
	} else {
		defer func() { _ = f.Close() }() // only read
	}
	header, err := readFull(f, alignedBytes(segmentHeader), 0)
	if err != nil {
		return fmt.Errorf("journal: read %s: %w", s.path, err)
	}
	before, err := readSegmentHeader(header, s.first)
	if err != nil {
		return fmt.Errorf("%w: %s at offset 0: %w", ErrDamaged, s.path, err)
	}
	at := j.index.at
	offset, prior := int64(segmentHeader), j.before
	switch {
	case s.first == at.segment: // at the index's last batch, which is read again
		offset = at.offset
		prior = place{last: at.first - 1, sum: at.before}
		if s.marks, err = j.store.marks(s.first); err != nil {
			return &indexError{err}
		}
	case s.first != j.last+1 || before != prior.sum:
		return fmt.Errorf("%w: %s at offset 0: it does not follow position %d", ErrDamaged, s.path, j.last)
	}
	size := max(s.size-offset, 0)
	b, err := readFull(f, alignedBytes(padded(int(size))), offset)
	if err != nil {
		return fmt.Errorf("journal: read %s: %w", s.path, err)
	}
	if s.first == at.segment {
		if batch, ok := batchAt(b, s.first, at.first, at.first); !ok || batch.sum != at.sum {
			return fmt.Errorf("%w: %s at offset %d: this is not the batch of positions %d to %d that the index was made from: restore the journal from a backup",
				ErrDamaged, s.path, at.offset, at.first, at.last)
		}
	}
	var rec journal.Record
	j.before, err = s.load(b, offset, prior, newest, func(position journal.Position, payload []byte) error {
		if _, err := decodeRecord(payload, &rec); err != nil {
			return err
		}
		if rec.Position = position; position > at.last {
			j.noteRead(&rec)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return j.checkpointRead()
}

// noteRead takes a record that was read into the memory state. A counter that no record read so far tells stays
// zero until completeHeads.
func (j *Journal) noteRead(rec *journal.Record) {
	parties := j.parties[:0]
	j.read = customers(rec, j.read[:0])
	for _, customer := range j.read {
		h, _ := j.heads.find(customer)
		if customer == rec.Customer {
			h.Seq = rec.Seq
		}
		if rec.Kind != journal.KindIntent {
			for i := range rec.Events {
				if rec.Events[i].Customer == customer {
					h.EventSeq = rec.Events[i].Seq
				}
			}
		}
		parties = append(parties, party{customer, h})
	}
	j.note(rec, parties)
	j.parties = parties
}

// completeHeads takes the counters that the records read do not tell from the store, in the order in which it has
// them: one read for each customer would take longer than the records.
func (j *Journal) completeHeads() error {
	var lacking []uint64
	for customer, h := range j.heads.young.all() {
		if h.Seq == 0 || h.EventSeq == 0 {
			lacking = append(lacking, customer)
		}
	}
	slices.Sort(lacking)
	err := j.store.heads(lacking, func(customer uint64, stored head) {
		h, _ := j.heads.young.find(customer)
		h.Seq, h.EventSeq = cmp.Or(h.Seq, stored.Seq), cmp.Or(h.EventSeq, stored.EventSeq)
		j.heads.young.put(customer, h)
	})
	if err != nil {
		return &indexError{err}
	}
	return nil
}

// checkpointRead brings what was read so far into the index on disk, if it is much: the index was lost.
func (j *Journal) checkpointRead() error {
	if j.readOnly || !j.checkpointDue() {
		return nil
	}
	if err := j.completeHeads(); err != nil {
		return err
	}
	f := j.freeze()
	f.at = j.before
	err := j.checkpoint(f)
	if isFull(err) { // not now, then
		j.checkpoints <- f
		return nil
	}
	return err
}

// confirm writes the last batch again and flushes it.
func (j *Journal) confirm() error {
	if j.before.last == 0 || len(j.segments) == 0 {
		return nil
	}
	s := j.segments[len(j.segments)-1]
	if s.first != j.before.segment { // its last batch ends the segment before, which was flushed before this one began
		return nil
	}
	b, err := readFull(s.file, alignedBytes(int(s.end-j.before.offset)), j.before.offset)
	if err == nil {
		_, err = s.file.WriteAt(b, j.before.offset)
	}
	if err == nil {
		err = s.file.Datasync()
	}
	if err != nil {
		return fmt.Errorf("journal: confirm the end of %s: %w", s.path, err)
	}
	return nil
}
