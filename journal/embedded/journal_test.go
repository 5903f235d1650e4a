package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// small makes segments end after a few flushes.
const small = 4 * blockBytes

func opened(t *testing.T, dir string, options Options) *Journal {
	t.Helper()
	if options.SegmentBytes == 0 {
		options.SegmentBytes = small
	}
	j, err := Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// writer appends records of a few customers as their actors would.
type writer struct {
	t      *testing.T
	j      *Journal
	epochs map[uint16]uint64
	n      uint64
}

func newWriter(t *testing.T, j *Journal) *writer {
	return &writer{t: t, j: j, epochs: map[uint16]uint64{}}
}

func (w *writer) record(customer, other uint64) *journal.Record {
	w.t.Helper()
	shard := uint16(customer % 8)
	if w.epochs[shard] == 0 {
		epoch, err := w.j.Claim(shard)
		if err != nil {
			w.t.Fatal(err)
		}
		w.epochs[shard] = epoch
	}
	w.n++
	rec := &journal.Record{
		Kind: journal.KindDecision, Shard: shard, Epoch: w.epochs[shard],
		Customer: customer, Seq: headOf(w.t, w.j, customer).Seq + 1,
		Command: ledger.Uint128{Lo: w.n, Hi: customer}, BodyHash: ledger.U64(w.n), Subject: ledger.Uint128{Lo: w.n / 2, Hi: 1 << 40},
		Time: int64(w.n) * 1e9, AccountingDate: 20261124 + uint32(w.n/100%2), Channel: uint16(w.n % 3), Teller: shard + 1,
		Transfers: []ledger.Transfer{{ID: ledger.U64(w.n), DebitAccountID: ledger.U64(1), CreditAccountID: ledger.U64(2), Amount: ledger.U64(w.n), Ledger: 156, Code: 1121}},
		Events:    []journal.Event{{Customer: customer, Type: 28, Body: []byte(fmt.Sprint("paid ", w.n))}},
		Receipt:   []byte(strings.Repeat("r", int(w.n%50))),
	}
	if other != 0 {
		rec.Events = append(rec.Events, journal.Event{Customer: other, Type: 28, Body: []byte("received")})
	}
	return rec
}

func (w *writer) append(customer, other uint64) *journal.Record {
	w.t.Helper()
	rec := w.record(customer, other)
	if err := w.j.Append(rec); err != nil {
		w.t.Fatal(err)
	}
	return rec
}

func (w *writer) flushed() {
	w.t.Helper()
	if err := w.j.WaitDurable(context.Background(), w.j.Last()); err != nil {
		w.t.Fatal(err)
	}
}

func readAt(t *testing.T, path string, offset int64, n int) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b[offset : offset+int64(n)]
}

func headOf(t *testing.T, j *Journal, customer uint64) journal.Head {
	t.Helper()
	head, err := j.Head(customer)
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// contents copies all durable records.
func contents(t *testing.T, j *Journal) []*journal.Record {
	t.Helper()
	all, err := readAll(j)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readAll(j *Journal) (all []*journal.Record, err error) {
	var broken error
	err = j.Scan(context.Background(), 1, func(rec *journal.Record) bool {
		copied := new(journal.Record)
		_, broken = decodeRecord(appendRecord(nil, rec), copied)
		copied.Position = rec.Position
		all = append(all, copied)
		return broken == nil
	})
	return all, errors.Join(err, broken)
}

func TestWhatWasAppendedIsThereInOrderAfterAReopen(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, Options{})
	w := newWriter(t, j)
	for i := range uint64(200) {
		w.append(1+i%7, (i%3)*9)
		if i%20 == 0 {
			w.flushed()
		}
	}
	w.flushed()
	before := contents(t, j)
	heads := map[uint64]journal.Head{}
	for c := range uint64(20) {
		heads[c] = headOf(t, j, c)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	again := opened(t, dir, Options{})
	if after := contents(t, again); !reflect.DeepEqual(before, after) {
		t.Fatalf("%d records before, %d after", len(before), len(after))
	}
	for c, head := range heads {
		if now := headOf(t, again, c); now != head {
			t.Errorf("customer %d: %+v, was %+v", c, now, head)
		}
	}
	if files, _ := segmentFiles(dir); len(files) < 5 {
		t.Errorf("only %d segments: the test did not cross their borders", len(files))
	}
	for i, rec := range before {
		if rec.Position != journal.Position(i+1) {
			t.Fatalf("record %d has position %d", i, rec.Position)
		}
	}
}

// A gap in a customer's event numbers would stop every consumer at it.
func TestEventNumbersHaveNoGapsWhoeverDecides(t *testing.T) {
	j := opened(t, t.TempDir(), Options{})
	w := newWriter(t, j)
	for i := range uint64(100) {
		w.append(1+i%3, 1+(i+1)%3)
	}
	double := w.record(1, 1)
	double.Events = append(double.Events, journal.Event{Customer: 2, Type: 28}, journal.Event{Customer: 1, Type: 28})
	if err := j.Append(double); err != nil {
		t.Fatal(err)
	}
	w.flushed()
	next := map[uint64]uint64{}
	for _, rec := range contents(t, j) {
		for _, e := range rec.Events {
			next[e.Customer]++
			if e.Seq != next[e.Customer] {
				t.Fatalf("position %d: customer %d has event %d, want %d", rec.Position, e.Customer, e.Seq, next[e.Customer])
			}
		}
	}
}

func TestOnlyTheLatestEpochAndTheNextNumberAreTaken(t *testing.T) {
	j := opened(t, t.TempDir(), Options{})
	w := newWriter(t, j)
	w.append(1, 0)
	again := w.record(1, 0)
	again.Seq = 1
	gap := w.record(1, 0)
	gap.Seq = 3
	late := w.record(1, 0)
	if _, err := j.Claim(late.Shard); err != nil {
		t.Fatal(err)
	}
	last := j.Last()
	for what, rec := range map[string]*journal.Record{"used number": again, "number after a gap": gap, "old epoch": late} {
		if err := j.Append(rec); !errors.Is(err, journal.ErrStale) {
			t.Errorf("%s: %v", what, err)
		}
		if err := j.Admit(rec); !errors.Is(err, journal.ErrStale) {
			t.Errorf("%s admitted: %v", what, err)
		}
	}
	if j.Last() != last {
		t.Error("a stale record took a position")
	}
}

func TestCommandsAndSubjectsAreFoundBeforeAndAfterTheFlush(t *testing.T) {
	gate := newGate()
	dir := t.TempDir()
	j := opened(t, dir, Options{open: gate.open})
	w := newWriter(t, j)
	var all []*journal.Record
	look := func(j *Journal) {
		t.Helper()
		for _, want := range all {
			got, err := j.FindCommand(want.Command)
			if err != nil || got == nil || got.Position != want.Position || !bytes.Equal(got.Receipt, want.Receipt) {
				t.Fatalf("position %d: %+v %v", want.Position, got, err)
			}
			same, err := j.FindSubject(want.Subject)
			if err != nil || len(same) == 0 || len(same) > 2 {
				t.Fatalf("subject of position %d: %d records, %v", want.Position, len(same), err)
			}
		}
		if got, err := j.FindCommand(ledger.U64(1 << 60)); got != nil || err != nil {
			t.Fatal(got, err)
		}
	}
	for i := range uint64(50) {
		all = append(all, w.append(1+i%5, 0))
	}
	w.flushed()
	gate.close()
	for i := range uint64(50) {
		all = append(all, w.append(1+i%5, 0))
	}
	look(j)
	gate.pass()
	w.flushed()
	look(j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	look(opened(t, dir, Options{}))
}

// Power fails in the middle of a write: whatever part of it reached the disk, in whatever order, all
// that was acknowledged before is there and the journal goes on from it.
func TestATornWriteLosesNothingThatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, Options{SegmentBytes: 1 << 20})
	w := newWriter(t, j)
	for range 20 {
		w.append(1, 2)
	}
	w.flushed()
	safe := j.Last()
	j.mu.Lock() // so that what follows goes out in one batch
	for range 5 {
		rec := &journal.Record{Kind: journal.KindClaim, Shard: 9, Epoch: j.epochs.of(9) + 1}
		if err := j.append(rec); err != nil {
			t.Fatal(err)
		}
	}
	j.mu.Unlock()
	w.flushed()
	tail := j.segments[len(j.segments)-1]
	start, size := j.before.offset, j.before.offset+int64(binary.LittleEndian.Uint32(readAt(t, tail.path, j.before.offset, 4)))+batchHeader
	if j.before.first != safe+1 || j.before.last != safe+5 {
		t.Fatalf("the last batch is %+v", j.before)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, witnessName)); err != nil { // it saw the last batch flushed
		t.Fatal(err)
	}
	whole, err := os.ReadFile(tail.path)
	if err != nil {
		t.Fatal(err)
	}
	before, err := segmentFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		torn := bytes.Clone(whole)
		switch rapid.IntRange(0, 2).Draw(t, "how") {
		case 0: // cut short
			torn = torn[:rapid.Int64Range(start, size-1).Draw(t, "cut")]
		case 1: // a hole of zeros
			at := rapid.Int64Range(start, size-1).Draw(t, "at")
			hole := torn[at:rapid.Int64Range(at+1, size).Draw(t, "to")]
			if len(bytes.Trim(hole, "\x00")) == 0 {
				t.Skip("zeros already")
			}
			clear(hole)
		case 2: // garbage
			at := rapid.Int64Range(start, size-1).Draw(t, "at")
			torn[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		}
		copied, err := os.MkdirTemp(dir, "torn")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(copied)
		for _, path := range before {
			b := torn
			if path != tail.path {
				if b, err = os.ReadFile(path); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(copied, filepath.Base(path)), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		j, err := Open(copied, Options{SegmentBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if j.Last() != safe {
			t.Fatalf("ends at %d, want %d", j.Last(), safe)
		}
		if _, err := j.Claim(9); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if j, err = Open(copied, Options{SegmentBytes: 1 << 20}); err != nil || j.Last() != safe+1 {
			t.Fatalf("after one more record: %v", err)
		}
		_ = j.Close()
	})
}

// A bit that flips in what was acknowledged must stop the node, not shorten the history.
func TestDamageToAcknowledgedRecordsIsRefusedByNameAndOffset(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, Options{})
	w := newWriter(t, j)
	for range 60 {
		w.append(1, 2)
		w.flushed()
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := segmentFiles(dir)
	path := files[len(files)/2]
	whole, _ := os.ReadFile(path)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		damaged := bytes.Clone(whole)
		at := rng.IntN(len(whole))
		if whole[at] == 0 {
			continue // padding says nothing
		}
		damaged[at] ^= 0x10
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, Options{SegmentBytes: small})
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "offset") {
			t.Fatalf("byte %d flipped: %v", at, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenReadOnly(dir); !errors.Is(err, ErrDamaged) {
		t.Errorf("a segment is missing: %v", err)
	}
}

func TestAFailedFlushStopsTheJournalAndNothingMoreIsAcknowledged(t *testing.T) {
	gate := newGate()
	var durable atomic.Uint64
	faults := make(chan error, 2)
	j := opened(t, t.TempDir(), Options{
		open:      gate.open,
		OnDurable: func(p journal.Position) { durable.Store(uint64(p)) },
		OnFault:   func(err error) { faults <- err },
	})
	w := newWriter(t, j)
	w.append(1, 0)
	w.flushed()
	acknowledged := j.Durable()
	gate.fail(errors.New("disk on fire"))
	late := w.append(1, 0)
	if err := j.WaitDurable(context.Background(), late.Position); !errors.Is(err, journal.ErrStopped) {
		t.Errorf("waiting: %v", err)
	}
	if err := <-faults; !strings.Contains(err.Error(), "disk on fire") {
		t.Error(err)
	}
	if err := j.Append(w.record(1, 0)); !errors.Is(err, journal.ErrStopped) {
		t.Errorf("appending: %v", err)
	}
	if _, err := j.Claim(7); !errors.Is(err, journal.ErrStopped) {
		t.Errorf("claiming: %v", err)
	}
	if durable.Load() != uint64(acknowledged) || j.Durable() != acknowledged {
		t.Errorf("acknowledged %d after the fault, %d before", durable.Load(), acknowledged)
	}
	if err := j.Close(); err == nil {
		t.Error("closed as if nothing had happened")
	}
	if len(faults) != 0 {
		t.Error("the fault was told twice")
	}
}

func TestASecondProcessIsKeptOut(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, Options{})
	newWriter(t, j).append(1, 0)
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second writer: %v", err)
	}
	if _, err := OpenReadOnly(dir); err == nil {
		t.Error("a reader beside the writer")
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Last() != 2 || len(contents(t, r)) != 2 {
		t.Errorf("a reader sees %d records", r.Last())
	}
	if _, err := r.Claim(1); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("a reader may write: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestManyWritersEachInTheirOrder(t *testing.T) {
	var last atomic.Uint64
	j := opened(t, t.TempDir(), Options{SegmentBytes: 1 << 16, OnDurable: func(p journal.Position) {
		if uint64(p) <= last.Swap(uint64(p)) {
			t.Error("positions became durable out of order")
		}
	}})
	var group sync.WaitGroup
	for c := range uint64(16) {
		group.Go(func() {
			shard := uint16(c)
			epoch, err := j.Claim(shard)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range uint64(300) {
				rec := &journal.Record{Kind: journal.KindDecision, Shard: shard, Epoch: epoch, Customer: c, Seq: i + 1, Command: ledger.Uint128{Lo: i + 1, Hi: c}}
				if err := j.Append(rec); err != nil {
					t.Error(err)
					return
				}
				if i%50 == 0 {
					if err := j.WaitDurable(context.Background(), rec.Position); err != nil {
						t.Error(err)
					}
					if got, err := j.FindCommand(rec.Command); err != nil || got.Position != rec.Position {
						t.Error(got, err)
					}
				}
			}
		})
	}
	group.Wait()
	if err := j.WaitDurable(context.Background(), j.Last()); err != nil {
		t.Fatal(err)
	}
	seqs := map[uint64]uint64{}
	for _, rec := range contents(t, j) {
		if rec.Kind == journal.KindDecision {
			if seqs[rec.Customer]++; rec.Seq != seqs[rec.Customer] {
				t.Fatalf("customer %d: %d after %d", rec.Customer, rec.Seq, seqs[rec.Customer]-1)
			}
		}
	}
}

// TestAFlushStandsInLineForALockThatIsHeldLong: the flusher asks for the lock many times first. Nothing may be told durable by
// who does not have it, and nobody who waits may be forgotten, whether the next batch follows at once, is long, or comes later.
func TestAFlushStandsInLineForALockThatIsHeldLong(t *testing.T) {
	gate := newGate()
	j := opened(t, t.TempDir(), Options{SegmentBytes: 1 << 20, open: gate.open, longWrite: 2 * blockBytes})
	w := newWriter(t, j)
	w.append(1, 0)
	w.flushed()
	for _, following := range []int{1, 1, 100, 0, 1, 100, 0} {
		gate.close()
		first := w.append(1, 2).Position
		for range following {
			w.append(2, 3)
		}
		j.mu.Lock()
		gate.pass()
		time.Sleep(2 * time.Millisecond) // the flusher has probably stopped asking; right either way
		if durable := j.Durable(); durable >= first {
			t.Errorf("%d is durable while its flush waits for the lock: %d", first, durable)
		}
		j.mu.Unlock()
		w.flushed()
	}
	if got := len(contents(t, j)); got != int(j.Last()) {
		t.Errorf("%d records of %d", got, j.Last())
	}
}

// gate is a disk that can be stopped and broken.
type gate struct {
	mu     sync.Mutex
	opened sync.Cond
	shut   bool
	err    error
}

func newGate() *gate {
	g := &gate{}
	g.opened.L = &g.mu
	return g
}

func (g *gate) open(path string, flags int) (file, error) {
	f, err := os.OpenFile(path, flags, 0o600)
	return gatedFile{diskFile{f}, g}, err
}

func (g *gate) close()         { g.mu.Lock(); g.shut = true; g.mu.Unlock() }
func (g *gate) pass()          { g.mu.Lock(); g.shut = false; g.mu.Unlock(); g.opened.Broadcast() }
func (g *gate) fail(err error) { g.mu.Lock(); g.err = err; g.mu.Unlock() }

type gatedFile struct {
	diskFile
	gate *gate
}

func (f gatedFile) Datasync() error {
	f.gate.mu.Lock()
	defer f.gate.mu.Unlock()
	for f.gate.shut {
		f.gate.opened.Wait()
	}
	return errors.Join(f.gate.err, f.diskFile.Datasync())
}

func (f gatedFile) WriteThrough(b []byte, offset int64) error {
	if _, err := f.WriteAt(b, offset); err != nil {
		return err
	}
	return f.Datasync()
}

// Whatever is in a segment's file, opening it ends with records that were written or with an error.
func FuzzOpen(f *testing.F) {
	header := make([]byte, segmentHeader)
	putSegmentHeader(header, 1, 0)
	batch := appendRecord(make([]byte, batchHeader+recordHeader), &journal.Record{Kind: journal.KindClaim, Shard: 1, Epoch: 1})
	sealBatch(batch, putRecordHeader(batch[batchHeader:], 1, 0), 1, 1, 0, 1)
	f.Add(append(slices.Clone(header), append(batch, make([]byte, blockBytes-len(batch))...)...))
	f.Add(header)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, segmentName(1)), content, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := OpenReadOnly(dir)
		if err != nil {
			return
		}
		defer j.Close()
		if n := len(contents(t, j)); n != int(j.Last()) {
			t.Fatalf("%d records, the last at %d", n, j.Last())
		}
	})
}

// A ledger elsewhere answers after the decision is written down, and may refuse: what is only intended must
// not take event numbers, or the stream would have a gap for ever.
func TestAnIntentTakesNoEventNumbersAndItsOutcomeAnswersForIt(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, Options{})
	w := newWriter(t, j)
	w.append(1, 2)
	intent := w.record(1, 2)
	intent.Kind = journal.KindIntent
	if err := j.Append(intent); err != nil {
		t.Fatal(err)
	}
	if intent.Events[0].Seq != 0 || intent.Events[1].Seq != 0 {
		t.Errorf("an intent's events have the numbers %d and %d", intent.Events[0].Seq, intent.Events[1].Seq)
	}
	if rec, err := j.FindCommand(intent.Command); err != nil || rec.Kind != journal.KindIntent {
		t.Errorf("before the outcome: %+v %v", rec, err)
	}
	other := w.append(3, 2)
	outcome := *intent
	outcome.Kind, outcome.Seq = journal.KindOutcome, intent.Seq+1
	if err := j.Append(&outcome); err != nil {
		t.Fatal(err)
	}
	if outcome.Events[0].Seq != 2 || other.Events[1].Seq != 2 || outcome.Events[1].Seq != 3 {
		t.Errorf("numbers %d and %d, between them %d", outcome.Events[0].Seq, outcome.Events[1].Seq, other.Events[1].Seq)
	}
	w.flushed()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = opened(t, dir, Options{})
	if h := headOf(t, j, 1); h != (journal.Head{Seq: 3, EventSeq: 2}) {
		t.Errorf("payer: %+v", h)
	}
	if h := headOf(t, j, 2); h.EventSeq != 3 {
		t.Errorf("payee: %+v", h)
	}
	if rec, err := j.FindCommand(intent.Command); err != nil || rec.Kind != journal.KindOutcome {
		t.Errorf("after the outcome: %+v %v", rec, err)
	}
}

// TestFollowersReadEverythingALittleAtATime: whoever follows goes on with what another scan has left, and each must see every record as it was
// written, over segments that end, while others append, scan elsewhere and let segments go.
func TestFollowersReadEverythingALittleAtATime(t *testing.T) {
	const records, followers, customers = 3000, 3, 5
	j := opened(t, t.TempDir(), often)
	w := newWriter(t, j)
	for customer := range uint64(customers) {
		w.append(1+customer, 0) // behind its shard's claim
	}
	var group sync.WaitGroup
	var seen [followers]atomic.Uint64
	for f := range followers {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(f)))
			for at := journal.Position(2*customers + 1); at <= records; {
				left := 1 + rng.IntN(40)
				err := j.Scan(context.Background(), at, func(rec *journal.Record) bool {
					if want := fmt.Sprint("paid ", at-customers); rec.Position != at || len(rec.Events) != 1 || string(rec.Events[0].Body) != want {
						t.Errorf("position %d: read %+v", at, rec)
					}
					at++
					left--
					return left > 0
				})
				if err != nil {
					t.Errorf("from %d: %v", at, err)
					return
				}
				seen[f].Store(uint64(at))
				if rng.IntN(4) == 0 {
					_ = j.Scan(context.Background(), max(1, at/2), func(*journal.Record) bool { return rng.IntN(10) > 0 }) // may be gone
				}
			}
		})
	}
	for n := range records {
		w.append(uint64(1+n%customers), 0)
		if n%100 == 99 {
			w.flushed()
			read := journal.Position(min(seen[0].Load(), seen[1].Load(), seen[2].Load()))
			if read == 0 {
				continue
			}
			if err := j.SaveSnapshots(t.Context(), read-1, states()); err != nil {
				t.Error(err)
			}
			if err := j.Retain(read - 1); err != nil {
				t.Error(err)
			}
		}
	}
	w.flushed()
	group.Wait()
	if j.First() == 1 {
		t.Error("nothing was let go")
	}
}
