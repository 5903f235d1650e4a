package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/journal"
)

// A checkpoint brings the newest part of the index to disk. The flusher freezes it together with a batch, so that
// it ends where a batch ends, and goes on with an empty one; when the batch is on disk another goroutine writes
// the ids as a run, then the counters and, last, that the index now reaches up to this batch. Opening reads the
// batch again, checks that it is the one the index was made from, and goes on behind it.

// frozen is what one checkpoint brings to disk.
type frozen struct {
	ids     *idIndex
	last    journal.Position
	epochs  epochs
	tellers journal.Tellers
	at      place // the batch with which it ends
}

// indexState is what the index on disk knows of itself.
type indexState struct {
	at      place
	from    journal.Position // the first that is kept
	epochs  map[uint16]uint64
	runs    []runName
	tellers journal.Tellers
}

// crowdedAfter is how many checkpoints' worth of records may be in memory before appends wait for the disk.
const crowdedAfter = 4

// checkpointDue reports whether a checkpoint should begin and none is under way. The lock is held.
func (j *Journal) checkpointDue() bool {
	return j.emptied != nil && j.last >= j.index.at.last+journal.Position(j.options.CheckpointEvery)
}

// freeze begins a checkpoint with the batch just taken, if one is due. The lock is held.
func (j *Journal) freeze() *frozen {
	if !j.checkpointDue() {
		return nil
	}
	j.recent.spread()
	j.frozen = &frozen{ids: j.recent, last: j.last, epochs: slices.Clone(j.epochs), tellers: j.tellers.Clone()}
	j.recent, j.emptied = j.emptied, nil
	j.heads.saving, j.heads.young = j.heads.young, j.heads.emptied
	j.heads.turns++
	return j.frozen
}

// crowded reports whether a checkpoint is so late that no more may be taken into memory. The lock is held.
func (j *Journal) crowded() bool {
	return j.frozen != nil && j.last-j.frozen.last > journal.Position(crowdedAfter*j.options.CheckpointEvery)
}

// checkpointer carries out the checkpoints. A full disk is waited for; any other failure is a fault.
func (j *Journal) checkpointer() {
	defer j.ended.Done()
	for f := range j.checkpoints {
		for {
			err := j.checkpoint(f)
			if err == nil {
				break
			}
			if !isFull(err) {
				j.stop(err)
				break
			}
			j.mu.Lock()
			if j.crowded() {
				j.full = err
			}
			j.mu.Unlock()
			if !j.pause() {
				break
			}
		}
	}
}

// checkpoint writes the index up to the frozen batch.
func (j *Journal) checkpoint(f *frozen) error {
	j.indexing.Lock()
	defer j.indexing.Unlock()
	if err := j.hasRoom(); err != nil {
		return err
	}
	if err := os.MkdirAll(j.indexDir(), 0o700); err != nil {
		return fmt.Errorf("journal: index: %w", err)
	}
	all, known := slices.Clone(j.runs.all), j.runs.known
	if f.ids.used > 0 {
		made, err := j.writeRun(f)
		if err != nil {
			return err
		}
		all = append(all, &sharedRun{run: made})
		if known, err = known.with(made, all); err != nil {
			return errors.Join(err, made.file.Close())
		}
	}
	var merged []runName
	for n := mergeable(all, j.options.merged); n > 0; n = mergeable(all, j.options.merged) {
		parts := all[len(all)-n:]
		made, err := mergeRuns(j.options.open, j.indexDir(), parts)
		if err != nil {
			return err
		}
		for _, part := range parts {
			merged = append(merged, part.runName)
			if part.holders.Load() == 0 { // made just now
				_ = part.file.Close() // durable
			}
		}
		all = all[:len(all)-n]
		all = append(all, &sharedRun{run: made})
	}
	filtered(all)
	if err := syncDir(j.indexDir()); err != nil {
		return fmt.Errorf("journal: index: %w", err)
	}
	j.mu.Lock()
	saving := j.heads.saving
	marks := j.unsaved(f.at)
	j.mu.Unlock()
	runs := newRuns(all, known)
	state := indexState{at: f.at, from: j.index.from, epochs: f.epochs.claimed(), runs: runs.names(), tellers: f.tellers}
	if err := j.store.checkpoint(&state, saving, marks); err != nil {
		return err
	}
	j.mu.Lock()
	old := j.runs
	j.remember(j.index.at.segment, state.at.segment)
	j.runs, j.index = runs, state
	unused := j.heads.old
	j.heads.old, j.heads.saving = saving, nil
	j.heads.turns++
	j.frozen = nil
	j.work.Broadcast()
	j.mu.Unlock()
	old.release()
	// Memory is used again: fresh one would cost a page fault for every few records.
	unused.clear()
	f.ids.clear()
	j.mu.Lock()
	j.heads.emptied, j.emptied = unused, f.ids
	j.mu.Unlock()
	for _, name := range merged {
		if err := os.Remove(name.path(j.indexDir())); err != nil {
			return fmt.Errorf("journal: index: %w", err)
		}
	}
	return nil
}

func (j *Journal) indexDir() string { return filepath.Join(j.dir, "ids") }

func (j *Journal) writeRun(f *frozen) (*run, error) {
	w, err := newRunWriter(j.options.open, j.indexDir(), runName{first: j.index.at.last + 1, last: f.at.last}, f.ids.used)
	if err != nil {
		return nil, err
	}
	if err := f.ids.sorted(w.add); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: write %s: %w", w.path, err), w.file.Close())
	}
	return w.finish()
}

// filtered bounds the memory of the runs' filters. The largest goes first: whoever looks for an id that may be there reads a page
// of each run without one.
func filtered(all []*sharedRun) {
	for {
		bytes := 0
		var largest *sharedRun
		for _, r := range all {
			if r.filter.buckets != nil {
				bytes += filterBytes(r.count)
				if largest == nil || r.count > largest.count {
					largest = r
				}
			}
		}
		if bytes <= filterBytesMax {
			return
		}
		largest.filter = runFilter{}
	}
}

// mergeable is how many of the newest runs should become one, if that many of a level do.
func mergeable(all []*sharedRun, merged int) int {
	n := 0
	for n < len(all) && all[len(all)-1-n].level == all[len(all)-1].level {
		n++
	}
	if n < merged || all[len(all)-1].last-all[len(all)-n].first > 1<<32-1 {
		return 0
	}
	return n
}

// unsaved returns the marks up to the place that are in memory only, by segment. The lock is held.
func (j *Journal) unsaved(at place) map[journal.Position][]mark {
	out := make(map[journal.Position][]mark)
	for _, s := range j.segments {
		if s.first <= at.segment && s.first >= j.index.at.segment {
			marks := slices.Clone(s.marks)
			for len(marks) > 0 && s.first+journal.Position(marks[len(marks)-1].index) > at.last {
				marks = marks[:len(marks)-1]
			}
			out[s.first] = marks
		}
	}
	return out
}

// remember keeps the marks of the newest old segments only, now that those from one place to another are in the
// store. The lock is held.
func (j *Journal) remember(from, to journal.Position) {
	for _, s := range j.segments {
		if s.first >= from && s.first < to {
			j.remembered = append(j.remembered, s)
		}
	}
	if n := len(j.remembered) - rememberedMax; n > 0 {
		for _, s := range j.remembered[:n] {
			s.marks = nil
		}
		j.remembered = slices.Delete(j.remembered, 0, n)
	}
}

// roomReserved must be free before anything but the log is written, so that these never fill the disk: what the store
// has in memory, and as much to merge.
const roomReserved = 3 * storeMemTableBytes

func (j *Journal) hasRoom() error {
	var stat unix.Statfs_t
	if err := unix.Statfs(j.dir, &stat); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if free := stat.Bavail * uint64(stat.Bsize); free < roomReserved {
		return fmt.Errorf("journal: %d MB are free in %s, the index needs %d: %w", free>>20, j.dir, roomReserved>>20, unix.ENOSPC)
	}
	return nil
}

// Retain implements journal.Journal.
func (j *Journal) Retain(before journal.Position) error {
	if j.readOnly {
		return journal.ErrClosed
	}
	j.indexing.Lock()
	defer j.indexing.Unlock()
	j.mu.Lock()
	before = min(before, j.Saved()+1, j.index.at.first)
	n := 0
	for n+1 < len(j.segments) && j.segments[n+1].first <= before {
		n++
	}
	if n == 0 {
		j.mu.Unlock()
		return nil
	}
	from := j.segments[n].first
	old := j.runs
	j.mu.Unlock()

	kept := slices.DeleteFunc(slices.Clone(old.all), func(r *sharedRun) bool { return r.last < from })
	state := j.index
	state.from = from
	runs := newRuns(kept, old.known)
	state.runs = runs.names()
	if err := j.store.checkpoint(&state, nil, nil); err != nil {
		runs.release()
		return err
	}
	j.mu.Lock()
	gone := slices.Clone(j.segments[:n])
	j.segments = slices.Delete(j.segments, 0, n)
	j.from, j.index, j.runs = from, state, runs
	j.remembered = slices.DeleteFunc(j.remembered, func(s *segment) bool { return s.first < from })
	j.mu.Unlock()
	var errs []error
	for _, s := range gone { // the oldest first: what a crash leaves is without holes
		j.readers.forget(s.first)
		errs = append(errs, j.recycle(s))
	}
	for _, r := range old.all[:len(old.all)-len(kept)] {
		errs = append(errs, os.Remove(r.path))
	}
	old.release()
	if err := errors.Join(append(errs, j.store.forget(gone))...); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}
