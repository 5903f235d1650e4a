package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/journal"
	"golang.org/x/sys/unix"
)

// disk is one that loses what was not flushed when its power fails, in any order and by sectors, and that can be
// told to lie: a flush then "succeeds" and flushes nothing. Names in directories are always durable.
type disk struct {
	mu       sync.Mutex
	files    []*diskInode
	lies     bool // from now on flushes do nothing
	refuses  bool // flushes fail
	failAt   int  // the number of the flush that fails, and everything after it; zero: none
	flushes  int
	dead     bool
	capacity int64 // bytes of all files; zero: without limit
}

const sectorBytes = 512

// diskInode is a file's unflushed writes, the oldest first.
type diskInode struct {
	stat    os.FileInfo
	undo    *os.File
	pending []pendingWrite
}

type pendingWrite struct {
	offset int64
	before []byte // what stood there
}

var (
	errPower   = errors.New("power failed")
	errOnFire  = errors.New("disk on fire")
	errLimited = fmt.Errorf("write: %w", unix.ENOSPC)
)

func (d *disk) open(path string, flags int) (file, error) {
	f, err := os.OpenFile(path, flags&^unix.O_DIRECT, 0o600)
	if err != nil {
		return nil, err
	}
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, known := range d.files {
		if os.SameFile(known.stat, stat) {
			return &diskHandle{diskFile{f}, d, known}, nil
		}
	}
	undo, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	inode := &diskInode{stat: stat, undo: undo}
	d.files = append(d.files, inode)
	return &diskHandle{diskFile{f}, d, inode}, nil
}

type diskHandle struct {
	diskFile
	disk  *disk
	inode *diskInode
}

func (f *diskHandle) WriteAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.dead {
		return 0, errPower
	}
	stat, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !f.disk.room(at + int64(len(b)) - stat.Size()) {
		return 0, errLimited
	}
	before := make([]byte, len(b)) // zeros behind the end
	if _, err := readFull(f.inode.undo, before, at); err != nil {
		return 0, err
	}
	f.inode.pending = append(f.inode.pending, pendingWrite{at, before})
	return f.diskFile.WriteAt(b, at)
}

func (f *diskHandle) WriteAside(b []byte, at int64) error {
	_, err := f.WriteAt(b, at)
	return err
}

func (f *diskHandle) WriteThrough(b []byte, at int64) error {
	if _, err := f.WriteAt(b, at); err != nil {
		return err
	}
	return f.Datasync()
}

// room reports whether the files may become longer by n bytes.
func (d *disk) room(n int64) bool {
	if d.capacity == 0 || n <= 0 {
		return true
	}
	used := n
	for _, f := range d.files {
		var stat unix.Stat_t
		if unix.Fstat(int(f.undo.Fd()), &stat) == nil && stat.Nlink > 0 {
			used += stat.Size
		}
	}
	return used <= d.capacity
}

func (f *diskHandle) Reserve(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	if !f.disk.room(size - stat.Size()) {
		return errLimited
	}
	return f.diskFile.Truncate(max(size, stat.Size()))
}

func (f *diskHandle) Datasync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.refuses {
		return errOnFire
	}
	f.disk.flushes++
	if f.disk.failAt > 0 && f.disk.flushes >= f.disk.failAt {
		f.disk.dead = true
		return errOnFire
	}
	if !f.disk.lies {
		f.inode.pending = nil
	}
	return nil
}

// cut is the power failing: of each unflushed sector, survives says whether it got to the disk all the same.
func (d *disk) cut(survives func(name string) bool) error {
	for _, f := range d.files {
		decided := make(map[int64]bool) // by sector: a later write of it survived
		for _, w := range slices.Backward(f.pending) {
			for from := 0; from < len(w.before); from += sectorBytes {
				sector := (w.offset + int64(from)) / sectorBytes
				if decided[sector] = decided[sector] || survives(f.undo.Name()); decided[sector] {
					continue
				}
				to := min(from+sectorBytes, len(w.before))
				if _, err := f.undo.WriteAt(w.before[from:to], w.offset+int64(from)); err != nil {
					return err
				}
			}
		}
		if err := f.undo.Close(); err != nil {
			return err
		}
	}
	d.files = nil
	return nil
}

// history appends random records of a few customers, some of them waited for, until the disk dies or n are done.
// It returns copies of all that were appended and how far they were acknowledged.
func history(t *testing.T, j *Journal, rng *rand.Rand, n int) (all []*journal.Record, acknowledged journal.Position) {
	t.Helper()
	epochs, seqs := map[uint16]uint64{}, map[uint64]uint64{}
	err := j.Scan(context.Background(), 1, func(rec *journal.Record) bool {
		seqs[rec.Customer] = max(seqs[rec.Customer], rec.Seq)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{t: t, j: j}
	for range n {
		customer := 1 + rng.Uint64N(6)
		shard := uint16(customer % 8)
		if epochs[shard] == 0 {
			epoch, err := j.Claim(shard)
			if err != nil {
				break
			}
			epochs[shard] = epoch
			all = append(all, &journal.Record{Kind: journal.KindClaim, Shard: shard, Epoch: epoch, Position: j.Last()})
		}
		w.epochs, w.n = epochs, rng.Uint64()>>1
		rec := w.record(customer, rng.Uint64N(6))
		rec.Receipt = make([]byte, rng.IntN(3000))
		for i := range rec.Receipt {
			rec.Receipt[i] = byte(rng.Uint32())
		}
		if err := j.Append(rec); err != nil {
			break
		}
		all = append(all, rec)
		if rng.IntN(4) == 0 {
			if j.WaitDurable(context.Background(), rec.Position) != nil {
				break
			}
		}
	}
	return all, j.Durable()
}

// prefix checks that the journal has the first of these records, and returns how many.
func prefix(t *testing.T, j *Journal, all []*journal.Record) journal.Position {
	t.Helper()
	got := contents(t, j)
	if len(got) > len(all) {
		t.Fatalf("%d records, only %d were appended", len(got), len(all))
	}
	for i, rec := range got {
		if !bytes.Equal(appendRecord(nil, rec), appendRecord(nil, all[i])) || rec.Position != all[i].Position {
			t.Fatalf("record %d is not the one that was appended", i+1)
		}
	}
	for _, rec := range got {
		if !rec.Command.IsZero() {
			if found, err := j.FindCommand(rec.Command); err != nil || found == nil || found.Position != rec.Position {
				t.Fatalf("command of position %d: %+v %v", rec.Position, found, err)
			}
		}
	}
	return journal.Position(len(got))
}

// cases is how many histories a property is tried with.
func cases(n int) int {
	if testing.Short() {
		return n / 8
	}
	return n
}

// whereIs reports whether an error says which file is broken and where.
func whereIs(err error, dir string) bool {
	return errors.Is(err, ErrDamaged) && strings.Contains(err.Error(), dir) && strings.Contains(err.Error(), "offset")
}

// Power fails while a flush is under way: what of it gets to the disk is chance, what was acknowledged is not.
func TestAfterPowerFailsAllThatWasAcknowledgedIsThere(t *testing.T) {
	for seed := range uint64(cases(64)) {
		rng := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		d := &disk{failAt: 4 + rng.IntN(30)}
		options := Options{SegmentBytes: small, CheckpointEvery: 10 + rng.IntN(30), open: d.open, longWrite: rng.IntN(16 << 10)}
		j, err := Open(dir, options)
		if err != nil {
			t.Fatal(err)
		}
		all, acknowledged := history(t, j, rng, 200)
		if err := j.Close(); err == nil {
			t.Fatal("the disk did not fail")
		}
		chance := rng.IntN(101)
		if err := d.cut(func(string) bool { return rng.IntN(100) < chance }); err != nil {
			t.Fatal(err)
		}
		d = &disk{}
		options.open = d.open
		j, err = Open(dir, options)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		n := prefix(t, j, all)
		if n < acknowledged {
			t.Fatalf("seed %d: %d records of %d acknowledged", seed, n, acknowledged)
		}
		more, _ := history(t, j, rng, 20)
		all = append(all[:n:n], more...)
		if err := j.WaitDurable(t.Context(), j.Last()); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if err := d.cut(func(string) bool { return false }); err != nil { // all of it was flushed
			t.Fatal(err)
		}
		if j, err = Open(dir, Options{SegmentBytes: small}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if m := prefix(t, j, all); int(m) != len(all) {
			t.Fatalf("seed %d: %d records of %d", seed, m, len(all))
		}
		numbered(t, contents(t, j)) // a number that was lost with its record is given again
		_ = j.Close()
	}
}

// A disk that confirms flushes and does not make them: what it lost is noticed as long as the witness is there. If
// the witness is lost with it, what is left must be the truth up to an earlier moment.
func TestADiskThatLiesIsFoundOut(t *testing.T) {
	noticed, missed := 0, 0
	for seed := range uint64(cases(64)) {
		rng := rand.New(rand.NewPCG(seed, 2))
		dir := t.TempDir()
		d := &disk{}
		options := Options{SegmentBytes: small, CheckpointEvery: 10 + rng.IntN(60), open: d.open, longWrite: rng.IntN(16 << 10)}
		if seed%2 == 1 { // one segment, no index on disk: nothing but the witness
			options.SegmentBytes, options.CheckpointEvery = 1<<20, 1<<20
		}
		j, err := Open(dir, options)
		if err != nil {
			t.Fatal(err)
		}
		all, _ := history(t, j, rng, 20+rng.IntN(60))
		d.mu.Lock()
		d.lies = true
		d.mu.Unlock()
		more, acknowledged := history(t, j, rng, 1+rng.IntN(60))
		all = append(all, more...)
		d.mu.Lock()
		d.dead = true
		d.mu.Unlock()
		_ = j.Close()
		witnessed, chance := rng.IntN(4) > 0, rng.IntN(101)
		err = d.cut(func(name string) bool {
			if filepath.Base(name) == witnessName {
				return witnessed
			}
			return rng.IntN(100) < chance
		})
		if err != nil {
			t.Fatal(err)
		}
		j, err = Open(dir, Options{SegmentBytes: options.SegmentBytes, CheckpointEvery: options.CheckpointEvery})
		if err != nil {
			if !whereIs(err, dir) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			noticed++
			continue
		}
		// What lies behind the index is not read by opening it.
		if err := j.Scan(t.Context(), 1, func(*journal.Record) bool { return true }); err != nil {
			if !whereIs(err, dir) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			noticed++
			_ = j.Close()
			continue
		}
		if n := prefix(t, j, all); n < acknowledged {
			if witnessed {
				t.Fatalf("seed %d: %d records of %d acknowledged, and nobody noticed", seed, n, acknowledged)
			}
			missed++
		}
		_ = j.Close()
	}
	if noticed < cases(8) || missed == 0 && !testing.Short() {
		t.Errorf("%d losses were noticed, %d without a witness were not: the test tries too little", noticed, missed)
	}
}

// Bits rot while the node is stopped: it starts with exactly what was written, or not at all.
func TestFlippedBitsAreFoundOutOrHarmless(t *testing.T) {
	source := t.TempDir()
	j := opened(t, source, often)
	k := write(t, j, 200, 5)
	indexed(j)
	all := contents(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(cases(64)) {
		rng := rand.New(rand.NewPCG(seed, 3))
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, pattern := range []string{"*.log", "ids/*", witnessName} {
			found, _ := filepath.Glob(filepath.Join(dir, pattern))
			paths = append(paths, found...)
		}
		path := paths[rng.IntN(len(paths))]
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := k.stands(dir, all); err != nil && !whereIs(err, dir) {
			t.Errorf("seed %d, %s: %v", seed, path, err)
		}
	}
}

// stands opens the journal and returns an error if it does not, or if it says anything else than it should.
func (k *known) stands(dir string, all []*journal.Record) (err error) {
	j, err := Open(dir, often)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	got, err := readAll(j)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(got, all) {
		return fmt.Errorf("%d records that are not the %d written", len(got), len(all))
	}
	for _, rec := range k.records {
		found, err := j.FindCommand(rec.Command)
		if err != nil {
			return err
		}
		if found == nil || found.Position != rec.Position {
			return fmt.Errorf("command of position %d: %+v", rec.Position, found)
		}
	}
	return nil
}

// What a failed flush left may look written and not be on the disk: opening writes it again and flushes.
func TestWhatAFailedFlushLeftCountsOnlyAfterAFlushThatSucceeded(t *testing.T) {
	dir := t.TempDir()
	d := &disk{}
	j := opened(t, dir, Options{open: d.open})
	w := newWriter(t, j)
	for prepared := false; !prepared; { // so that the next record begins no segment
		w.append(1, 2)
		w.flushed()
		j.mu.Lock()
		s := j.segments[len(j.segments)-1]
		prepared = s.prepared && s.end < s.size
		j.mu.Unlock()
	}
	d.mu.Lock()
	d.refuses = true
	d.mu.Unlock()
	last := w.append(1, 2).Position
	if err := j.Close(); !errors.Is(err, errOnFire) {
		t.Fatal(err)
	}
	// The process died, the machine did not: the page cache has the record.
	d.mu.Lock()
	d.refuses = false
	d.mu.Unlock()
	j = opened(t, dir, Options{open: d.open})
	if j.Last() != last || j.Durable() != last {
		t.Fatalf("last %d, durable %d, want %d", j.Last(), j.Durable(), last)
	}
	d.mu.Lock()
	d.dead = true
	d.mu.Unlock()
	_ = j.Close()
	if err := d.cut(func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if j = opened(t, dir, Options{}); j.Last() != last {
		t.Errorf("a record was shown as durable and is gone: the journal ends at %d", j.Last())
	}
}

// A full disk refuses decisions and loses none; when there is room again the journal goes on by itself.
func TestAFullDiskIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	d := &disk{capacity: 10 * small}
	j := opened(t, dir, Options{open: d.open, roomEvery: time.Millisecond})
	w := newWriter(t, j)
	refused := fill(t, j, w)
	for _, err := range []error{refused, func() error { _, err := j.Claim(40); return err }()} {
		if !errors.Is(err, journal.ErrFull) || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("refused with %v", err)
		}
	}
	acknowledged, last := j.Durable(), j.Last()
	if acknowledged == last {
		t.Error("nothing waits for room")
	}
	if rec, err := j.FindCommand(w.record(1, 0).Command); rec != nil || err != nil {
		t.Error(rec, err)
	}
	d.mu.Lock()
	d.capacity = 0
	d.mu.Unlock()
	w.flushed()
	w.append(1, 2)
	w.flushed()
	all := contents(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if again := contents(t, opened(t, dir, Options{})); !reflect.DeepEqual(again, all) || len(all) != int(last)+1 {
		t.Errorf("%d records, %d after a reopen, want %d", len(all), len(again), last+1)
	}
}

// fill appends until the journal admits nothing more.
func fill(t *testing.T, j *Journal, w *writer) error {
	t.Helper()
	for range 100_000 {
		rec := w.record(1, 2)
		rec.Receipt = make([]byte, 3000)
		if err := j.Admit(rec); err != nil {
			return err
		}
		if err := j.Append(rec); err != nil {
			t.Fatal(err)
		}
		for next := w.record(1, 2); j.Durable() < rec.Position; runtime.Gosched() {
			if err := j.Admit(next); err != nil {
				return err
			}
		}
	}
	t.Fatal("the disk never filled")
	return nil
}

// The same on a file system that is really full.
func TestAFullFileSystemIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("can't mount: %v", err)
	}
	defer func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	j, err := Open(filepath.Join(dir, "journal"), Options{SegmentBytes: 128 << 10, CheckpointEvery: 50, roomEvery: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	w := newWriter(t, j)
	w.append(1, 2)
	w.flushed()
	if err := j.SaveSnapshots(t.Context(), 0, states()); !errors.Is(err, journal.ErrFull) {
		t.Errorf("snapshots with no room to spare: %v", err)
	}
	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	_ = f.Close()
	if err := fill(t, j, w); !errors.Is(err, journal.ErrFull) {
		t.Fatal(err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	w.flushed()
	all := contents(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	again := opened(t, filepath.Join(dir, "journal"), Options{})
	if got := contents(t, again); !reflect.DeepEqual(got, all) {
		t.Errorf("%d records, %d after a reopen", len(all), len(got))
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// faultyFile can't be written to.
type faultyFile struct {
	file
	fault error
}

func (f *faultyFile) WriteAt([]byte, int64) (int, error) { return 0, f.fault }

// The witness may be behind, so a disk with no room for it stops nothing. A disk that is broken does.
func TestAWitnessWithoutRoomStaysBehind(t *testing.T) {
	for _, c := range []struct {
		fault error
		stops bool
	}{{unix.ENOSPC, false}, {&os.PathError{Op: "write", Err: unix.EDQUOT}, false}, {unix.EIO, true}} {
		options := Options{open: func(path string, flags int) (file, error) {
			f, err := openDisk(path, flags)
			if filepath.Base(path) == witnessName {
				f = &faultyFile{f, c.fault}
			}
			return f, err
		}}
		j, err := Open(t.TempDir(), options)
		if err != nil {
			t.Fatal(err)
		}
		w := newWriter(t, j)
		w.append(1, 2)
		w.flushed()
		if err := j.Close(); (err != nil) != c.stops || c.stops && !errors.Is(err, unix.EIO) {
			t.Errorf("%v: closed with %v", c.fault, err)
		}
	}
}

func TestADirectoryThatCanOnlyBeReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_RDONLY, "size=1m"); err != nil {
		t.Skipf("can't mount: %v", err)
	}
	defer func() { _ = unix.Unmount(dir, 0) }()
	if _, err := Open(dir, Options{}); !errors.Is(err, unix.EROFS) || !strings.Contains(err.Error(), "writable") {
		t.Errorf("opened: %v", err)
	}
}

// throughFile counts what is written and flushed by one call.
type throughFile struct {
	file
	calls *atomic.Int64
	fault error // instead
}

func (f *throughFile) WriteThrough(b []byte, offset int64) error {
	f.calls.Add(1)
	if f.fault != nil {
		return f.fault
	}
	return f.file.WriteThrough(b, offset)
}

// A long batch is written and flushed by one call, where that can be done; where it fails nobody knows what is on disk.
func TestALongBatchIsWrittenAndFlushedAtOnce(t *testing.T) {
	for _, fault := range []error{nil, &os.PathError{Op: "write through", Err: unix.EOPNOTSUPP}, errOnFire} {
		dir := t.TempDir()
		var calls atomic.Int64
		options := Options{SegmentBytes: small, longWrite: 1, open: func(path string, flags int) (file, error) {
			f, err := openDisk(path, flags)
			return &throughFile{f, &calls, fault}, err
		}}
		j, err := Open(dir, options)
		if err != nil {
			t.Fatal(err)
		}
		w := newWriter(t, j)
		for range 300 {
			if calls.Load() > 20 || errors.Is(fault, errOnFire) && calls.Load() > 0 {
				break
			}
			rec := w.append(1, 2)
			if err := j.WaitDurable(t.Context(), rec.Position); err != nil && !errors.Is(fault, errOnFire) {
				t.Fatal(err)
			}
		}
		last := j.Durable()
		if err := j.Close(); errors.Is(fault, errOnFire) != errors.Is(err, errOnFire) {
			t.Fatal(fault, err)
		}
		if n := calls.Load(); n == 0 || errors.Is(fault, errOnFire) && n > 1 {
			t.Errorf("%v: %d calls", fault, n)
		}
		if again := opened(t, dir, Options{}); again.Last() < last {
			t.Errorf("%v: %d records of %d", fault, again.Last(), last)
		}
	}
}

// Not every file system takes direct writes.
func TestWithoutDirectWritesBufferedOnesAreMade(t *testing.T) {
	dir := t.TempDir()
	options := Options{open: func(path string, flags int) (file, error) {
		if flags&unix.O_DIRECT != 0 {
			return nil, &os.PathError{Op: "open", Path: path, Err: unix.EINVAL}
		}
		return openDisk(path, flags)
	}}
	j := opened(t, dir, options)
	w := newWriter(t, j)
	for range 30 {
		w.append(1, 2)
		w.flushed()
	}
	if j.direct {
		t.Error("it writes directly")
	}
	all := contents(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if again := contents(t, opened(t, dir, Options{})); !reflect.DeepEqual(again, all) {
		t.Errorf("%d records, %d after a reopen", len(all), len(again))
	}
}
