package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
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

	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// indexed waits until the checkpoints under way are on disk.
func indexed(j *Journal) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.frozen != nil && j.fault == nil {
		j.work.Wait()
	}
}

// often makes a checkpoint every few records, and merges soon.
var often = Options{SegmentBytes: small, CheckpointEvery: 16, merged: 8}

// known is what a journal should say of records and customers.
type known struct {
	records []*journal.Record
	heads   map[uint64]journal.Head
}

func (k *known) check(t *testing.T, j *Journal) {
	t.Helper()
	for _, want := range k.records {
		got, err := j.FindCommand(want.Command)
		if err != nil || got == nil || got.Position != want.Position || !bytes.Equal(got.Receipt, want.Receipt) {
			t.Fatalf("command of position %d: %+v %v", want.Position, got, err)
		}
		same, err := j.FindSubject(want.Subject)
		if err != nil || !slices.ContainsFunc(same, func(r *journal.Record) bool { return r.Position == want.Position }) {
			t.Fatalf("subject of position %d: %d records, %v", want.Position, len(same), err)
		}
		if got, err := j.FindCommand(want.Subject); got != nil || err != nil {
			t.Fatalf("a subject is found as a command: %+v %v", got, err)
		}
	}
	for c, want := range k.heads {
		if got := headOf(t, j, c); got != want {
			t.Fatalf("customer %d: %+v, want %+v", c, got, want)
		}
	}
	if got, err := j.FindCommand(ledger.Uint128{Lo: 1, Hi: 1 << 60}); got != nil || err != nil {
		t.Fatal(got, err)
	}
}

func write(t *testing.T, j *Journal, n, flushEvery int) *known {
	t.Helper()
	k := &known{heads: map[uint64]journal.Head{}}
	w := newWriter(t, j)
	for i := range n {
		k.records = append(k.records, w.append(1+uint64(i)%23, uint64(i)%7*5))
		if i%flushEvery == 0 {
			w.flushed()
			indexed(j)
		}
	}
	w.flushed()
	for c := range uint64(40) {
		k.heads[c] = headOf(t, j, c)
	}
	return k
}

// A command whose answer was lost is repeated, perhaps days and many restarts later: it must not happen twice.
func TestWhatCheckpointsBroughtToDiskIsFoundBeforeAndAfterAReopen(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, often)
	k := write(t, j, 1500, 7)
	indexed(j)
	k.check(t, j)
	if n := len(j.runs.all); n < 2 || n > 2*often.merged || j.index.at.last < 1400 || j.runs.all[0].level < 2 {
		t.Errorf("%d runs up to position %d: checkpoints did not happen or were not merged", n, j.index.at.last)
	}
	if n := j.heads.young.n + j.heads.old.n; n > 2*28 {
		t.Errorf("counters of %d customers in memory", n)
	}
	before := contents(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	rebuilt := often
	rebuilt.OnRebuild = func(cause error) { t.Errorf("rebuilt: %v", cause) }
	j = opened(t, dir, rebuilt)
	if n := j.recent.used; n > 2*(16+8) {
		t.Errorf("%d ids were read again", n)
	}
	k.check(t, j)
	if !reflect.DeepEqual(before, contents(t, j)) {
		t.Error("other records than before")
	}
	newWriter(t, j).append(3, 4)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := r.FindCommand(k.records[0].Command); err != nil || got.Position != k.records[0].Position {
		t.Error(got, err)
	}
}

// The index is derived: without it a start takes longer, and nothing else.
func TestALostOrDamagedIndexIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, often)
	k := write(t, j, 300, 7)
	indexed(j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	flip := func(pattern string) {
		paths, _ := filepath.Glob(filepath.Join(dir, pattern))
		if len(paths) == 0 {
			t.Fatalf("no %s", pattern)
		}
		b, _ := os.ReadFile(paths[0])
		b[len(b)-5] ^= 4
		if err := os.WriteFile(paths[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for what, harm := range map[string]func(){
		"filter":         func() { flip("ids/*.ids") },
		"run gone":       func() { _ = os.RemoveAll(filepath.Join(dir, "ids")) },
		"store gone":     func() { _ = os.RemoveAll(filepath.Join(dir, "index")) },
		"all of it gone": func() { _ = os.RemoveAll(filepath.Join(dir, "index")); _ = os.RemoveAll(filepath.Join(dir, "ids")) },
	} {
		harm()
		why := error(nil)
		options := often
		options.OnRebuild = func(cause error) { why = cause }
		j := opened(t, dir, options)
		if why == nil && !strings.Contains(what, "store") && !strings.Contains(what, "all") {
			t.Errorf("%s: not noticed", what)
		}
		k.check(t, j)
		indexed(j)
		if j.index.at.last == 0 {
			t.Errorf("%s: the index was not made again", what)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRetentionLetsWholeSegmentsGoBehindWhatIsSaved(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, often)
	k := write(t, j, 600, 7)
	indexed(j)
	before, _ := segmentFiles(dir)
	if err := j.Retain(500); err != nil || j.First() != 1 {
		t.Fatalf("records went that no snapshot stands for: first is %d, %v", j.First(), err)
	}
	if err := j.SaveSnapshots(t.Context(), 400, states(journal.Snapshot{Customer: 1, State: []byte("s")})); err != nil {
		t.Fatal(err)
	}
	if err := j.Retain(500); err != nil {
		t.Fatal(err)
	}
	first := j.First()
	after, _ := segmentFiles(dir)
	if first < 300 || first > 401 || len(after) >= len(before) {
		t.Fatalf("first is %d, %d segments of %d", first, len(after), len(before))
	}
	look := func(j *Journal) {
		t.Helper()
		if err := j.Scan(t.Context(), first-1, func(*journal.Record) bool { return true }); !errors.Is(err, journal.ErrGone) {
			t.Errorf("scan of what is gone: %v", err)
		}
		if err := j.ScanCustomer(t.Context(), 1, 1, func(*journal.Record) bool { return true }); !errors.Is(err, journal.ErrGone) {
			t.Errorf("scan of a customer from what is gone: %v", err)
		}
		n := 0
		if err := j.Scan(t.Context(), first, func(*journal.Record) bool { n++; return true }); err != nil || n != int(j.Last()-first)+1 {
			t.Errorf("%d records %v", n, err)
		}
		if err := j.ScanCustomer(t.Context(), 1, first, func(rec *journal.Record) bool { return rec.Position >= first }); err != nil {
			t.Error(err)
		}
		for _, rec := range k.records {
			got, err := j.FindCommand(rec.Command)
			if err != nil || (got != nil) != (rec.Position >= first) {
				t.Fatalf("command of position %d: %+v %v", rec.Position, got, err)
			}
		}
		for c, want := range k.heads {
			if got := headOf(t, j, c); got != want {
				t.Fatalf("customer %d: %+v, want %+v", c, got, want)
			}
		}
	}
	look(j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = opened(t, dir, often)
	if j.First() != first {
		t.Errorf("first is %d, was %d", j.First(), first)
	}
	look(j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, often); err == nil || !strings.Contains(err.Error(), "restore") {
		t.Errorf("an index that can't be made again: %v", err)
	}
}

// What the records behind the last checkpoint do not tell of a customer stands in the store: a payee's own decisions,
// a payer's credits.
func TestCountersAreCompleteThoughTheLastRecordsTellOneOnly(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, often)
	w := newWriter(t, j)
	w.append(50, 51)
	w.append(51, 50)
	w.flushed()
	write(t, j, 300, 7)
	indexed(j)
	w = newWriter(t, j)
	w.append(1, 50)
	w.flushed()
	want := headOf(t, j, 50)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = opened(t, dir, often)
	if got := headOf(t, j, 50); got != want || got.Seq != 1 {
		t.Errorf("%+v, was %+v", got, want)
	}
}

// The end of a day reads many customers' counters together. What is read must be what each has, and be there when he is
// asked for; who has gone on meanwhile keeps his newer ones.
func TestCountersReadTogetherAreThoseOfEachCustomer(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, often)
	k := write(t, j, 300, 7)
	far := uint64(1 << 33) // behind a gap that no reader walks through
	w := newWriter(t, j)
	for c := range uint64(100) {
		w.append(far+3*c, 0)
	}
	w.flushed()
	write(t, j, 50, 7) // so that a checkpoint has them
	indexed(j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = opened(t, dir, often)
	j.heads.young.clear() // the newest are read from the records at a start
	j.heads.old.clear()
	const moved = 3
	newer := head{Head: journal.Head{Seq: 1 << 20, EventSeq: 1 << 20}, last: j.Last()}
	j.heads.young.put(moved, newer)
	var all []uint64
	for c := range uint64(40) {
		all = append(all, c)
	}
	for c := range uint64(400) {
		all = append(all, far+c) // a third of them exists
	}
	if err := j.ReadHeads(all); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		want, err := j.store.head(c)
		if err != nil {
			t.Fatal(err)
		}
		if c == moved {
			want = newer
		}
		if got, there := j.heads.find(c); got != want || there != (want.last != 0) {
			t.Errorf("customer %d: %+v %t, want %+v", c, got, there, want)
		}
	}
	if got, _ := j.heads.find(1); got.Seq == 0 || k.heads[1].Seq == 0 {
		t.Error("nobody has counters")
	}
	j.heads.old.clear()
	if err := j.ReadHeads(nil); err != nil || j.heads.old.n > 0 {
		t.Errorf("nobody: %v, %d", err, j.heads.old.n)
	}
}

// letGo has the journal keep no more than it must.
func letGo(t *testing.T, j *Journal) {
	t.Helper()
	indexed(j)
	if err := j.SaveSnapshots(t.Context(), j.Last(), states()); err != nil {
		t.Fatal(err)
	}
	if err := j.Retain(j.Last()); err != nil {
		t.Fatal(err)
	}
}

// Retention keeps some files to be used again, no more, and what is written into them is read back as if they were new.
func TestFilesThatAreNoLongerKeptAreUsedAgain(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, often)
	waiting := func() (n int) {
		for _, name := range recycledPaths {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				n++
			}
		}
		return n
	}
	write(t, j, 900, 7)
	before, err := segmentFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	letGo(t, j)
	after, err := segmentFiles(dir)
	// One may be in use already.
	if gone := len(before) - len(after); err != nil || gone <= len(recycledPaths) || waiting() < len(recycledPaths)-1 {
		t.Fatalf("%d segments went, %d wait to be used again, %v", gone, waiting(), err)
	}
	w := newWriter(t, j)
	for used := false; !used; used = waiting() == 0 {
		w.append(101, 102) // of whom nothing was written before
		w.flushed()
		if w.n > 5000 {
			t.Fatalf("%d still wait", waiting())
		}
	}
	first := j.First()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = opened(t, dir, often)
	next := first
	err = j.Scan(t.Context(), first, func(rec *journal.Record) bool {
		if rec.Position != next {
			t.Fatalf("position %d, want %d", rec.Position, next)
		}
		next++
		return true
	})
	if err != nil || next != j.Last()+1 {
		t.Errorf("read up to %d of %d: %v", next-1, j.Last(), err)
	}
}

// Behind what a process was writing when it died stands what the file had before, whole batches too. That is not what was
// acknowledged and is no reason to refuse the start.
func TestATornBatchInAFileThatIsUsedAgainIsCutOff(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, often)
	write(t, j, 900, 7)
	rng := rand.New(rand.NewPCG(1, 2))
	over := 0
	for round := range 40 {
		letGo(t, j)
		w := newWriter(t, j)
		for range 1 + round%5 {
			w.append(uint64(100+2*round), uint64(101+2*round))
			w.flushed()
		}
		last := j.Last()
		j.mu.Lock()
		s := j.segments[len(j.segments)-1]
		path, end := s.path, s.end
		j.mu.Unlock()
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		behind, err := readFull(f, make([]byte, small), end)
		if err != nil {
			t.Fatal(err)
		}
		if _, old := validBatchIn(behind, firstOf(path), 1); old {
			t.Fatal("a batch of another history counts")
		}
		if len(bytes.TrimLeft(behind, "\x00")) > 0 {
			over++
		}
		torn := make([]byte, 1+rng.IntN(2*blockBytes))
		for i := range torn {
			torn[i] = byte(rng.Uint32())
		}
		if _, err := f.WriteAt(torn, end); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		j = opened(t, dir, often)
		if j.Last() != last {
			t.Fatalf("round %d: ends at %d, acknowledged up to %d", round, j.Last(), last)
		}
	}
	if over < 5 {
		t.Errorf("%d batches were torn where something else stood", over)
	}
}

// losing is a file whose segment is let go, and used again, before it is read for the first time.
type losing struct {
	file
	j    *Journal
	once sync.Once
	t    *testing.T
}

func (f *losing) ReadAt(b []byte, at int64) (int, error) {
	f.once.Do(func() {
		if err := f.j.Retain(500); err != nil {
			f.t.Error(err)
		}
		if err := os.WriteFile(filepath.Join(f.j.dir, recycledPaths[0]), make([]byte, small), 0o600); err != nil {
			f.t.Error(err)
		}
	})
	return f.file.ReadAt(b, at)
}

// Who reads while a segment is let go must be told so: "no such file", or damage where the file is used again, would
// stop a node that has lost nothing.
func TestAReaderOfASegmentThatIsBeingLetGoIsToldSo(t *testing.T) {
	var group sync.WaitGroup
	for when, open := range map[string]func(j *Journal, path string) (file, error){
		"the file is gone when it is opened": func(j *Journal, path string) (file, error) {
			group.Go(func() { // it ends when the reader has failed to open the file
				if err := j.Retain(500); err != nil {
					t.Error(err)
				}
			})
			for j.First() == 1 {
				runtime.Gosched()
			}
			return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
		},
		"the file is used again when it is read": func(j *Journal, path string) (file, error) {
			f, err := openDisk(path, os.O_RDONLY)
			return &losing{file: f, j: j, t: t}, err
		},
	} {
		var j *Journal
		var oldest atomic.Value // the journal's own goroutines open files, too
		oldest.Store("")
		options := often
		options.open = func(path string, flags int) (file, error) {
			if path == oldest.Load() {
				return open(j, path)
			}
			return openDisk(path, flags)
		}
		j = opened(t, t.TempDir(), options)
		write(t, j, 600, 7)
		indexed(j)
		if err := j.SaveSnapshots(t.Context(), 400, states(journal.Snapshot{Customer: 1, State: []byte("s")})); err != nil {
			t.Fatal(err)
		}
		paths, err := segmentFiles(j.dir)
		if err != nil {
			t.Fatal(err)
		}
		j.readers.close() // as if nobody had read for long
		j.tail = tail{}
		oldest.Store(paths[0])
		if err := j.Scan(t.Context(), 1, func(*journal.Record) bool { return true }); !errors.Is(err, journal.ErrGone) {
			t.Errorf("%s: %v, the first is %d", when, err, j.First())
		}
		group.Wait()
	}
}

// Index and records of different histories must not be taken for one: ids of the one would hide in the other.
func TestAnIndexOfAnotherHistoryIsRefused(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	for i, dir := range dirs {
		j := opened(t, dir, often)
		w := newWriter(t, j)
		w.n = uint64(i) * 1000
		for range 40 {
			w.append(1, 2)
			w.flushed()
		}
		indexed(j)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"index", "ids"} {
		if err := errors.Join(os.RemoveAll(filepath.Join(dirs[0], name)), os.Rename(filepath.Join(dirs[1], name), filepath.Join(dirs[0], name))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dirs[0], often); !errors.Is(err, ErrDamaged) {
		t.Errorf("opened: %v", err)
	}
}

// A command whose id the index forgot would be carried out twice.
func TestTheNewestIdsAreFoundInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hash := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 3), rapid.Map(rapid.Uint64Range(0, 7), func(n uint64) uint64 { return n << 60 }))
		x := newIDIndex(rapid.IntRange(1, 1000).Draw(t, "records"))
		for range 2 { // again after clear
			want := map[uint64][]journal.Position{}
			n := rapid.IntRange(0, 3*idsNewest).Draw(t, "ids")
			some := rapid.SliceOfN(hash, 1, 50).Draw(t, "hashes")
			for i := range n {
				h := some[i%len(some)]
				x.add(h, journal.Position(i+1))
				want[h] = append(want[h], journal.Position(i+1))
			}
			if x.used != n {
				t.Fatalf("%d used, want %d", x.used, n)
			}
			for h, positions := range want {
				if got := x.find(h, nil); !slices.Equal(got, positions) {
					t.Fatalf("hash %x: %v, want %v", h, got, positions)
				}
			}
			if absent := hash.Draw(t, "absent"); want[absent] == nil && len(x.find(absent, nil)) > 0 {
				t.Fatalf("hash %x is not there and was found", absent)
			}
			x.spread()
			var before idEntry
			all := 0
			if err := x.sorted(func(entries []idEntry) error {
				for _, e := range entries {
					if all > 0 && (e.hash < before.hash || e.hash == before.hash && e.position <= before.position) {
						t.Fatalf("%x at %d comes after %x at %d", e.hash, e.position, before.hash, before.position)
					}
					before = e
					all++
				}
				return nil
			}); err != nil || all != n {
				t.Fatalf("%d sorted of %d: %v", all, n, err)
			}
			x.clear()
		}
	})
}

func runsOf(t interface{ Fatal(...any) }, all ...*sharedRun) *runs {
	known, err := knownOf(all)
	if err != nil {
		t.Fatal(err)
	}
	return newRuns(all, known)
}

func TestRunsAnswerForWhatIsInThem(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		hashes := rapid.SliceOfN(rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 3), rapid.Just(uint64(1)<<63)), 1, 2000).Draw(t, "hashes")
		n++
		var parts []*sharedRun
		want := map[uint64][]journal.Position{}
		for i, half := range [][]uint64{hashes[:len(hashes)/2], hashes[len(hashes)/2:]} {
			name := runName{first: journal.Position(n*10_000 + i*5000), last: journal.Position(n*10_000 + i*5000 + 4999)}
			x := newIDIndex(len(half))
			for k, h := range half {
				x.add(h, name.first+journal.Position(k))
				want[h] = append(want[h], name.first+journal.Position(k))
			}
			x.spread()
			w, err := newRunWriter(openDisk, dir, name, len(half))
			if err != nil {
				t.Fatal(err)
			}
			if err := x.sorted(w.add); err != nil {
				t.Fatal(err)
			}
			r, err := w.finish()
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, &sharedRun{run: r})
		}
		merged, err := mergeRuns(openDisk, dir, parts)
		if err != nil {
			t.Fatal(err)
		}
		again, err := openRun(openDisk, dir, merged.runName)
		if err != nil {
			t.Fatal(err)
		}
		bare, err := openRun(openDisk, dir, merged.runName)
		if err != nil {
			t.Fatal(err)
		}
		bare.filter = runFilter{}
		for _, rs := range []*runs{runsOf(t, parts...), runsOf(t, &sharedRun{run: merged}), runsOf(t, &sharedRun{run: again}), runsOf(t, &sharedRun{run: bare})} {
			for h, positions := range want {
				got, err := rs.find(h, nil)
				slices.Sort(got)
				if err != nil || !slices.Equal(got, positions) {
					t.Fatalf("hash %x: %v %v, want %v", h, got, err, positions)
				}
			}
			if got, err := rs.find(rapid.Uint64Range(4, 1<<62).Draw(t, "absent"), nil); err != nil || len(got) > 0 && want[0] == nil && len(want) == 0 {
				t.Fatal(got, err)
			}
		}
		for _, r := range append(parts, &sharedRun{run: merged}, &sharedRun{run: again}, &sharedRun{run: bare}) {
			_ = r.file.Close()
			_ = os.Remove(r.path)
		}
	})
}

// runWith writes a run of the hashes, in rising order.
func runWith(t testing.TB, dir string, first journal.Position, hashes []uint64) *sharedRun {
	t.Helper()
	slices.Sort(hashes)
	w, err := newRunWriter(openDisk, dir, runName{first: first, last: first + journal.Position(len(hashes)) - 1}, len(hashes))
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range hashes {
		if err := w.add([]idEntry{{h, first + journal.Position(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := w.finish()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.file.Close() })
	return &sharedRun{run: r}
}

func randomHashes(rng *rand.Rand, n int) []uint64 {
	hashes := make([]uint64, n)
	for i := range hashes {
		hashes[i] = rng.Uint64()
	}
	return hashes
}

// A command that is said to be in no run, and is in one, would be carried out twice.
func TestNoIdOfARunIsUnknownHoweverManyCome(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	var all []*sharedRun
	var known *knownIDs
	var hashes []uint64
	first := journal.Position(1)
	made := 0
	for range 60 {
		some := randomHashes(rng, 1+rng.IntN(2000))
		r := runWith(t, dir, first, some)
		first += journal.Position(len(some))
		hashes, all = append(hashes, some...), append(all, r)
		before := known
		var err error
		if known, err = known.with(r.run, all); err != nil {
			t.Fatal(err)
		}
		if known != before {
			made++
		}
		for _, h := range hashes {
			if !known.mayHave(h) {
				t.Fatalf("after %d runs, hash %x of one of them is not known", len(all), h)
			}
		}
	}
	if made < 4 || made > 12 || known.added > known.full {
		t.Errorf("made %d times, has %d of %d", made, known.added, known.full)
	}
	// Retention lets runs go and others come: what is gone must not fill the memory.
	for range 100 {
		some := randomHashes(rng, 1000)
		r := runWith(t, dir, first, some)
		first += journal.Position(len(some))
		all = append(all[1:], r)
		var err error
		if known, err = known.with(r.run, all); err != nil {
			t.Fatal(err)
		}
	}
	if n := known.full; n > 3*60*1000 {
		t.Errorf("made for %d ids though %d are left", n, 60*1000)
	}
}

// Only the run's own filter and its pages can tell what was in it once it is written. Both must tell the same, which is
// what a look for an id goes by.
func TestAFilterTellsTheSameOfARunAsItsPages(t *testing.T) {
	const enough = printsPerBucket << (knownHashBits - 16 - 1)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 339, 341, 100_000, enough - 1, enough, 2 * enough} {
		r := runWith(t, t.TempDir(), 1, append(randomHashes(rng, n-1), 1<<64-1))
		tell := func() (out []uint64) {
			if err := r.shorts(func(some []uint64) { out = append(out, some...) }); err != nil {
				t.Fatal(err)
			}
			return out
		}
		reads := &countingReads{file: r.file}
		r.file = reads
		filter := tell()
		if byFilter := reads.n == 0; byFilter != (n >= enough) {
			t.Errorf("%d ids: %d reads of its file", n, reads.n)
		}
		r.filter = runFilter{}
		if pages := tell(); !slices.Equal(filter, pages) || len(pages) != n || !slices.IsSorted(pages) {
			t.Errorf("%d ids: %d of the filter, %d of the pages", n, len(filter), len(pages))
		}
	}
}

type countingReads struct {
	file
	n int
}

func (f *countingReads) ReadAt(b []byte, at int64) (int, error) {
	f.n++
	return f.file.ReadAt(b, at)
}

// What can't be ruled out costs a look into every run.
func TestNearlyAllIdsThatAreNotThereAreRuledOut(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const ids = 1 << 20
	k := newKnownIDs(ids)
	wrong := func() float64 {
		const looks = 200_000
		n := 0
		for range looks {
			if k.mayHave(rng.Uint64()) {
				n++
			}
		}
		return float64(n) / looks
	}
	for full, most := range map[bool]float64{false: 0.005, true: 0.025} {
		k.words = make([]uint64, len(k.words))
		n := ids
		if full {
			n = k.full
		}
		for range n {
			k.fill([]uint64{shortOf(rng.Uint64())})
		}
		if got := wrong(); got > most {
			t.Errorf("full %t: one in %.0f is taken for one that is there", full, 1/got)
		}
	}
	if k := newKnownIDs(1 << 30); 8*len(k.words) != knownBytesMax {
		t.Errorf("%d bytes for a billion ids", 8*len(k.words))
	}
}

// Filters must not outgrow their memory, and who has to do without one should find as few such runs as can be.
func TestTheLargestRunsGoWithoutAFilterFirst(t *testing.T) {
	var all []*sharedRun
	for _, millions := range []int{40, 16, 16, 1, 1, 2, 1} {
		all = append(all, &sharedRun{run: &run{count: millions * 1_000_000, filter: runFilter{buckets: []uint32{0}}}})
	}
	bytes := func() (sum int, without []int) {
		for i, r := range all {
			if r.filter.buckets == nil {
				without = append(without, i)
			} else {
				sum += filterBytes(r.count)
			}
		}
		return sum, without
	}
	if n, _ := bytes(); n <= filterBytesMax {
		t.Fatalf("%d bytes are not too many", n)
	}
	filtered(all)
	if n, without := bytes(); n > filterBytesMax || !slices.Equal(without, []int{0}) {
		t.Errorf("%d bytes, without a filter are %v", n, without)
	}
}

// A merge reads what was written long ago. What it can't read must not be left out.
func TestAMergeOfADamagedRunFails(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	dir := t.TempDir()
	var parts []*sharedRun
	for i := range 3 {
		parts = append(parts, runWith(t, dir, journal.Position(1+i*10_000), randomHashes(rng, 10_000)))
	}
	if _, err := mergeRuns(openDisk, dir, parts); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(parts[1].path)
	if err != nil {
		t.Fatal(err)
	}
	for what, harm := range map[string]func() error{
		"a flipped bit": func() error {
			b := slices.Clone(whole)
			b[20*blockBytes+77] ^= 1
			return os.WriteFile(parts[1].path, b, 0o600)
		},
		"cut off": func() error { return os.Truncate(parts[1].path, 12*blockBytes+5) },
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		if _, err := mergeRuns(openDisk, dir, parts); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), parts[1].path) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Ids move from memory to a run, and from one run to another, while commands are repeated.
func TestIdsAreFoundWhileTheyMove(t *testing.T) {
	j := opened(t, t.TempDir(), often)
	w := newWriter(t, j)
	var upTo atomic.Int64
	var mu sync.Mutex
	var commands []ledger.Uint128
	var group sync.WaitGroup
	ctx, done := context.WithCancel(t.Context())
	for i := range 2 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(9, uint64(i)))
			for ctx.Err() == nil {
				n := upTo.Load()
				if n == 0 {
					continue
				}
				mu.Lock()
				command := commands[rng.Int64N(n)]
				mu.Unlock()
				j.Ahead([]ledger.Uint128{command}, []uint64{1})
				if rec, err := j.FindCommand(command); err != nil || rec == nil {
					t.Errorf("%+v: %v %v", command, rec, err)
					return
				}
			}
		})
	}
	for i := range 2000 {
		rec := w.append(1+uint64(i)%23, 0)
		mu.Lock()
		commands = append(commands, rec.Command)
		mu.Unlock()
		upTo.Add(1)
		if i%5 == 0 {
			w.flushed()
		}
	}
	done()
	group.Wait()
}

// A checkpoint that can't keep up must hold appends back rather than let memory grow.
func TestAppendsWaitForALateCheckpoint(t *testing.T) {
	hold := make(chan struct{})
	options := often
	options.open = func(path string, flags int) (file, error) {
		if strings.HasSuffix(path, ".ids") && flags&os.O_CREATE != 0 {
			<-hold
		}
		return openDisk(path, flags)
	}
	j := opened(t, t.TempDir(), options)
	w := newWriter(t, j)
	for j.Last() < 16*(crowdedAfter+3) {
		w.append(1, 2)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = j.WaitDurable(ctx, j.Last())
	j.mu.Lock()
	late := j.crowded()
	j.mu.Unlock()
	if late && j.recent.used > 2*16*(crowdedAfter+4) {
		t.Errorf("%d ids in memory", j.recent.used)
	}
	close(hold)
	w.flushed()
}

func FuzzOpenRun(f *testing.F) {
	dir := f.TempDir()
	w, err := newRunWriter(openDisk, dir, runName{first: 1, last: 9}, 3)
	if err != nil {
		f.Fatal(err)
	}
	if err := w.add([]idEntry{{0, 1}, {1 << 62, 2}, {2 << 62, 3}}); err != nil {
		f.Fatal(err)
	}
	if _, err := w.finish(); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(w.path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:blockBytes])
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		name := runName{first: 1, last: 9}
		if err := os.WriteFile(name.path(dir), b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := openRun(openDisk, dir, name)
		if err != nil {
			return
		}
		defer r.file.Close()
		for i := range uint64(4) {
			_, _ = r.find(i<<62, nil)
		}
		all := runReader{run: r, buf: make([]byte, blockBytes)}
		for ok := true; ok && err == nil; {
			ok, err = all.turn()
		}
		_ = r.shorts(func([]uint64) {})
	})
}

// appendHead is how earlier versions wrote a customer's counters, each in a row of his own.
func appendHead(b []byte, h head) []byte {
	b = append(b, headVersion)
	b = binary.AppendUvarint(b, h.Seq)
	b = binary.AppendUvarint(b, h.EventSeq)
	return binary.AppendUvarint(b, uint64(h.last))
}

func FuzzRows(f *testing.F) {
	f.Add(byte(0), appendHead(nil, head{journal.Head{Seq: 1, EventSeq: 2}, 3}))
	f.Add(byte(1), appendMarks(nil, []mark{{1, 2}, {3, 40}}))
	f.Add(byte(2), appendState(nil, &indexState{at: place{first: 3, last: 4}, epochs: map[uint16]uint64{3: 4}, runs: []runName{{1, 4, 2}},
		tellers: journal.Tellers{Before: 20260115, Pages: []journal.TellerPage{{Date: 20260116, Channel: 1, Last: []uint64{0, 4, 5}}}}}))
	f.Add(byte(3), appendSnapshot(nil, &journal.Snapshot{Head: journal.Head{Seq: 3}, State: []byte("s")}))
	f.Add(byte(4), appendWitness(nil, 7))
	f.Add(byte(5), appendHeads(nil, []party{{0, head{journal.Head{Seq: 1, EventSeq: 2}, 3}}, {63, head{last: 1 << 40}}}))
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		again := b
		switch kind % 6 {
		case 0:
			if h, err := decodeHead(b); err == nil {
				again = appendHead(nil, h)
			}
		case 1:
			if marks, err := decodeMarks(b); err == nil {
				again = appendMarks(nil, marks)
			}
		case 2:
			if state, err := decodeState(b); err == nil {
				same, err := decodeState(appendState(nil, &state))
				if err != nil || !reflect.DeepEqual(same, state) {
					t.Fatalf("%+v became %+v, %v", state, same, err)
				}
			}
		case 3:
			var s journal.Snapshot
			if decodeSnapshot(b, &s) == nil {
				again = appendSnapshot(nil, &s)
			}
		case 4:
			if durable, err := decodeWitness(b); err == nil {
				again = appendWitness(nil, durable)
			}
		case 5:
			if row, err := decodeHeads(b, 3, nil); err == nil {
				again = appendHeads(nil, row)
				for i, p := range row {
					if p.customer/headsOfRow != 3 || i > 0 && p.customer <= row[i-1].customer {
						t.Fatalf("row 3 has customer %d", p.customer)
					}
				}
			}
		}
		if len(again) > len(b) { // a number may have been written longer than it need be
			t.Fatalf("%x became %x", b, again)
		}
	})
}

// A directory of an earlier version must open: what is written today is what was written then.
func TestTheFormOfARunIsWhatItWas(t *testing.T) {
	hashes := make([]uint64, 5000)
	for i := range hashes {
		hashes[i] = mixed(uint64(i + 1))
	}
	r := runWith(t, t.TempDir(), 7, hashes)
	b, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	if sum := crc32.Checksum(b, castagnoli); len(b) != 77_712 || sum != 0x890118b7 {
		t.Errorf("%d bytes, sum %08x", len(b), sum)
	}
}
