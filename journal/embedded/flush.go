package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/journal"
)

// Group commit (组提交): one goroutine writes and flushes whatever has gathered while the last flush was
// under way. There is no timer: a lone record is flushed at once, and the busier the node the larger
// the batch.

// batch is what one flush writes: a batch header to fill in and the records.
type batch struct {
	first   journal.Position
	bytes   []byte
	offsets []uint32      // of each record's header in bytes
	records uint32        // checksum of the records' headers
	flushed chan struct{} // closed when it is on disk, or never will be; nil: it is closed, or there is no batch
}

// tell wakes those who wait for the batch.
func (b *batch) tell() {
	if b.flushed != nil {
		close(b.flushed)
		b.flushed = nil
	}
}

// underWay is what to wait for until a position is durable: the active batch, which begins at first, or the one
// before it that is being written.
type underWay struct {
	first            journal.Position
	active, flushing chan struct{}
}

// longWriteBytes is the size from which a batch is written and flushed by one call, whose processor is left to others
// meanwhile. Between two calls the flusher would stand in line for one; a short call is over before another goroutine has
// settled there.
const longWriteBytes = 256 << 10

// batchKeep is the largest buffer kept for reuse, batchStart the smallest there is. At full speed a batch is a megabyte:
// one that grew to it from the smallest, each time anew, made a quarter of all garbage.
const (
	batchKeep  = 4 << 20
	batchStart = 64 << 10
	batchRoom  = 4 << 10 // less than that is left: it grows
	sparesMax  = 4       // buffers that wait for a batch
)

func newBatch(first journal.Position) batch {
	return batch{first: first, bytes: alignedBytes(batchStart)[:batchHeader], flushed: make(chan struct{})}
}

// reset makes a batch that begins at first, of the memory; nil: of new memory for so many bytes.
func (b *batch) reset(first journal.Position, memory []byte, size int) {
	offsets := b.offsets[:0]
	*b = batch{first: first, offsets: offsets, flushed: make(chan struct{})}
	if memory == nil {
		memory = alignedBytes(max(batchStart, padded(size)))
	}
	b.bytes = memory[:batchHeader]
}

// grow makes room for a record of usual size. What is larger finds its room itself.
func (b *batch) grow() {
	if cap(b.bytes)-len(b.bytes) < batchRoom {
		moved := alignedBytes(2 * padded(cap(b.bytes)))
		b.bytes = moved[:copy(moved, b.bytes)]
	}
}

// pad adds the zeros up to the next block, in memory that a direct write takes.
func (b *batch) pad() []byte {
	n := padded(len(b.bytes) + recordsEnd)
	if cap(b.bytes) < n || !isAligned(b.bytes) {
		moved := alignedBytes(max(n, 2*len(b.bytes)))
		b.bytes = moved[:copy(moved, b.bytes)]
	}
	out := b.bytes[:n]
	clear(out[len(b.bytes):])
	return out
}

func (j *Journal) flush() {
	defer j.ended.Done()
	defer close(j.checkpoints)
	b, due := j.await(newBatch(0))
	spare := newBatch(0)
	var spares [][]byte
	ownThread := false
	for len(b.offsets) > 0 {
		s, out, err := j.write(&b)
		if err != nil {
			j.stop(err)
			return
		}
		written, offsets := j.before, b.offsets
		j.written.Store(int64(len(out)))
		if due != nil {
			due.at = written
			j.checkpoints <- due
		}
		var waiting chan struct{}
		waiting, b, due = j.settle(s, offsets, out, spare)
		if waiting != nil {
			close(waiting)
		}
		if j.options.OnDurable != nil {
			j.options.OnDurable(written.last)
		}
		if err := j.witness.note(written.last); err != nil {
			j.stop(err)
			return
		}
		spares = j.tail.push(flushed{s.first, written.offset, out}, spares)
		// Who is busy with short batches has a thread of its own. One that ran writers as well has used up its turn by the time the
		// disk is done, and waits behind them for a processor of the machine; this one has rested and gets it at once. Where the
		// flusher waits for a processor of Go's, for a lone writer or behind a long write, it would be a change of threads more.
		if wants := len(b.offsets) > 0 && len(b.bytes) < j.options.longWrite; wants != ownThread {
			if ownThread = wants; wants {
				runtime.LockOSThread()
			} else {
				runtime.UnlockOSThread()
			}
		}
		if len(b.offsets) == 0 { // settle took nothing
			b, due = j.await(spare)
		}
		spare = batch{offsets: offsets}
		var memory []byte
		if n := len(spares); n > 0 {
			memory, spares = spares[n-1], spares[:n-1]
		}
		spare.reset(0, memory, min(len(out), batchKeep))
	}
}

// await waits until there is something to flush and takes it; nothing: the journal ends.
func (j *Journal) await(spare batch) (batch, *frozen) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for (len(j.active.offsets) == 0 || j.crowded()) && !j.closing {
		j.work.Wait()
	}
	if len(j.active.offsets) == 0 || j.fault != nil {
		j.stopped()
		return batch{}, nil
	}
	return j.take(spare)
}

// take begins the flush of what has gathered; the spare takes what comes. The lock is held.
func (j *Journal) take(spare batch) (batch, *frozen) {
	spare.first = j.last + 1
	j.flushing, j.active = j.active, spare
	j.waits.Store(&underWay{spare.first, spare.flushed, j.flushing.flushed})
	due := j.freeze()
	j.room.Broadcast()
	return j.flushing, due
}

// settle notes that the batch of the records at these offsets is on disk, and takes what has gathered meanwhile, so that
// the lock is asked for once. It returns what those wait for who wait for the batch; nil: they know that the journal
// stopped.
func (j *Journal) settle(s *segment, offsets []uint32, out []byte, spare batch) (chan struct{}, batch, *frozen) {
	j.lockSoon()
	defer j.mu.Unlock()
	for i, offset := range offsets {
		s.marks = noteMark(s.marks, uint32(j.before.first-s.first)+uint32(i), j.before.offset+int64(offset))
	}
	s.end = j.before.offset + int64(len(out))
	j.durable.Store(uint64(j.before.last))
	waiting := j.flushing.flushed
	j.flushing = batch{}
	j.full = nil
	if len(j.active.offsets) == 0 || j.crowded() || j.fault != nil {
		return waiting, batch{}, nil
	}
	next, due := j.take(spare)
	return waiting, next, due
}

// lockSoonAsks is how often the flusher asks for the lock before it stands in line for it: some microseconds, which are a few appends.
const lockSoonAsks = 2000

// lockSoon takes the lock ahead of those who stand in line for it: there may be a hundred who append, and the disk does nothing
// meanwhile.
func (j *Journal) lockSoon() {
	for range lockSoonAsks {
		if j.mu.TryLock() {
			return
		}
	}
	j.mu.Lock()
}

// stop ends the journal after a fault.
func (j *Journal) stop(err error) {
	j.mu.Lock()
	if j.fault != nil {
		j.mu.Unlock()
		return
	}
	j.fault = err
	j.stopped()
	j.work.Broadcast()
	j.mu.Unlock()
	if j.options.OnFault != nil {
		j.options.OnFault(err)
	}
}

// stopped wakes everyone who waits for a flush that will not come; the lock is held.
func (j *Journal) stopped() {
	if !j.closing {
		j.closing = true
		close(j.stopping)
	}
	j.flushing.tell()
	j.active.tell()
	j.room.Broadcast()
}

// write puts the batch on disk, at the end of the segment it returns. While the disk has no room it tries again
// from time to time: no flush has failed then, so writing the same bytes once more is sound. A failed flush is
// never tried again, because the system may have dropped what it could not write.
func (j *Journal) write(b *batch) (*segment, []byte, error) {
	out := b.pad()
	for {
		s, err := j.segmentFor(b.first, int64(len(out)))
		if err == nil {
			sum := sealBatch(b.bytes, b.records, b.first, len(b.offsets), j.before.sum, s.first)
			var flushed error
			if flushed, err = j.commit(s, out); flushed != nil {
				return nil, nil, fmt.Errorf("journal: flush %s: %w", s.path, flushed)
			}
			if err == nil {
				last := b.first + journal.Position(len(b.offsets)) - 1
				j.before = place{segment: s.first, offset: s.end, first: b.first, last: last, before: j.before.sum, sum: sum}
				return s, out, nil
			}
			err = fmt.Errorf("journal: write %s: %w", s.path, err)
		}
		if !isFull(err) {
			return nil, nil, err
		}
		j.mu.Lock()
		j.full = err
		j.mu.Unlock()
		if !j.pause() {
			return nil, nil, err
		}
	}
}

func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// pause waits until the disk may have room again; false: the journal is being closed.
func (j *Journal) pause() bool {
	timer := time.NewTimer(j.options.roomEvery)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-j.stopping:
		return false
	}
}

// commit writes a batch to its segment and flushes it. After a fault of the flush nobody knows what is on disk; it may have
// been one of the write, if both were one call.
func (j *Journal) commit(s *segment, out []byte) (flush, write error) {
	// Where room is ahead of the write, running out of it is not what fails.
	if len(out) >= j.options.longWrite && j.direct && s.prepared {
		if err := s.file.WriteThrough(out, s.end); !errors.Is(err, errors.ErrUnsupported) {
			return err, nil
		}
	}
	if _, err := s.file.WriteAt(out, s.end); err != nil {
		return nil, err
	}
	return s.file.Datasync(), nil
}

// segmentFor returns the segment that takes the next n bytes, with room for them on the disk.
func (j *Journal) segmentFor(first journal.Position, n int64) (*segment, error) {
	s := j.newest
	if s == nil || s.end > segmentHeader && (s.end+n > j.options.SegmentBytes || !s.prepared && len(j.spare) > 0) {
		var err error
		if s, err = j.rotate(s, first, segmentHeader+n); err != nil {
			return nil, fmt.Errorf("journal: new segment: %w", err)
		}
	}
	if s.end+n > s.size {
		if err := s.file.Reserve(s.end + n); err != nil {
			return nil, fmt.Errorf("journal: reserve room in %s: %w", s.path, err)
		}
		s.size = s.end + n
	}
	return s, nil
}

// rotate begins the segment whose first record is at first, for n bytes at least. The old one is cut to its content.
func (j *Journal) rotate(old *segment, first journal.Position, n int64) (*segment, error) {
	if old != nil && old.size > old.end {
		if err := old.file.Truncate(old.end); err != nil {
			return nil, err
		}
		old.size = old.end
	}
	s, from, err := j.blank(n)
	if err != nil {
		return nil, err
	}
	s.first, s.path, s.end = first, filepath.Join(j.dir, segmentName(first)), segmentHeader
	header := alignedBytes(segmentHeader)
	putSegmentHeader(header, first, j.before.sum)
	_, err = s.file.WriteAt(header, 0)
	if err == nil && old != nil {
		err = noRetry(old.file.Datasync())
	}
	if err == nil {
		err = noRetry(s.file.Datasync())
	}
	if err == nil {
		err = noRetry(os.Rename(from, s.path))
	}
	if err == nil {
		err = noRetry(syncDir(j.dir))
	}
	if err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	j.mu.Lock()
	j.segments = append(j.segments, s)
	j.mu.Unlock()
	j.newest = s
	if old != nil {
		err = old.file.Close()
		old.file = nil
	}
	if s.prepared {
		j.ended.Add(1)
		go j.prepare()
	}
	return s, err
}

// noRetry hides that an error says the disk is full: what failed was a flush.
func noRetry(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.Error())
}

// blank returns an empty file for a segment of n bytes, and where it is.
func (j *Journal) blank(n int64) (*segment, string, error) {
	select {
	case s := <-j.spare:
		return s, filepath.Join(j.dir, preparedPath), nil
	default: // the first of all, or the disk is slower than the traffic
	}
	path := filepath.Join(j.dir, sparePath)
	f, err := j.options.open(path, j.writeFlags()|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, "", err
	}
	size := max(n, j.options.SegmentBytes)
	if err := f.Reserve(size); err != nil {
		return nil, "", errors.Join(err, f.Close(), os.Remove(path))
	}
	return &segment{file: f, size: size}, path, nil
}

func (j *Journal) writeFlags() int {
	if j.direct {
		return os.O_RDWR | unix.O_DIRECT
	}
	return os.O_RDWR
}

// The names of segments in the making; a crash leaves them behind to be used.
const (
	sparePath    = "new.tmp"
	preparedPath = "next.tmp"
)

// recycledPaths are the names of segments that are no longer kept and wait to be used again, as many as are filled from one
// checkpoint to the next: what is written where something stands need not be zeroed first.
var recycledPaths = [...]string{"recycled.tmp", "recycled-2.tmp", "recycled-3.tmp", "recycled-4.tmp"}

// recycle keeps a segment's file to be used again, or removes it if enough wait. Retain alone calls it.
func (j *Journal) recycle(s *segment) error {
	for _, name := range recycledPaths {
		path := filepath.Join(j.dir, name)
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			return os.Rename(s.path, path)
		}
	}
	return os.Remove(s.path)
}

// reuse gives the path to a file that waits to be used again, if one does.
func (j *Journal) reuse(path string) {
	for _, name := range recycledPaths {
		if os.Rename(filepath.Join(j.dir, name), path) == nil {
			return
		}
	}
}

// prepare makes the next segment ahead of time, full of zeros: a flush into it then writes no metadata,
// which a measurement found to take 95 µs where an appending write took 174 (docs/performance-history.md). A
// failure is not a fault: rotate makes a plain one.
func (j *Journal) prepare() {
	defer j.ended.Done()
	path := filepath.Join(j.dir, preparedPath)
	size := j.options.SegmentBytes
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		j.reuse(path)
	}
	var from int64
	if stat, err := os.Stat(path); err == nil {
		from = min(stat.Size(), size) &^ (blockBytes - 1)
	}
	f, err := j.options.open(path, j.writeFlags()|os.O_CREATE)
	if err != nil {
		return
	}
	if err := j.zero(f, from, size); err == nil {
		j.spare <- &segment{file: f, size: size, prepared: true}
		return
	}
	_ = f.Close()
	_ = os.Remove(path) // the room is needed elsewhere
}

// zeroBytes is how much of a segment is zeroed at once, at least: the disk does one thing after the other, and a commit
// waits for what is before it. Beside writes of 1 MiB a commit took 770 µs, beside these 250, alone 170. Where batches are
// long zeros are needed as fast as they are written, and each call costs what it costs, however little it writes: beside
// 256 writers small ones were a tenth of all CPU time. Then it is zeroShare times the last batch.
const (
	zeroBytes    = 64 << 10
	zeroShare    = 5
	zeroBytesMax = 1 << 20
)

// zero fills the file up to size.
func (j *Journal) zero(f file, from, size int64) error {
	zeros := alignedBytes(zeroBytesMax)
	for at := from; at < size; {
		n := min(max(zeroBytes, zeroShare*j.written.Load()), zeroBytesMax, size-at)
		if err := f.WriteAside(zeros[:n], at); err != nil {
			return err
		}
		at += n
		select {
		case <-j.stopping:
			return journal.ErrClosed
		default:
		}
	}
	return errors.Join(f.Truncate(size), f.Datasync())
}
