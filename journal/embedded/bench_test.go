package embedded

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

func benchmarkRecord() journal.Record {
	return journal.Record{
		Kind: journal.KindDecision, Epoch: 1, Customer: 1, AccountingDate: 20261124, Channel: 1,
		Transfers: []ledger.Transfer{{ID: ledger.U64(1), DebitAccountID: ledger.U64(2), CreditAccountID: ledger.U64(3), Amount: ledger.U64(100), Ledger: 156, Code: 1121}},
		Events:    []journal.Event{{Customer: 1, Type: 28, Body: make([]byte, 80)}, {Customer: 2, Type: 28, Body: make([]byte, 80)}},
		Receipt:   make([]byte, 50),
	}
}

// identify gives a record the ids and the place of the n-th of a customer's. Ids look random, as real ones do.
func identify(rec *journal.Record, customer, n uint64) {
	rec.Customer, rec.Seq = customer, n
	h := mixed(customer<<32 ^ n)
	rec.Command, rec.Subject = ledger.Uint128{Lo: h, Hi: n}, ledger.Uint128{Lo: n, Hi: h}
	rec.BodyHash = ledger.Uint128{Lo: mixed(h), Hi: h}
	rec.Events[0].Customer, rec.Events[1].Customer = customer, 1+h%benchmarkCustomers
}

const benchmarkCustomers = 100_000

// benchmarkBytes is what an identified record has encoded, about.
var benchmarkBytes = func() int {
	rec := benchmarkRecord()
	identify(&rec, benchmarkCustomers/2, 1000)
	return len(appendRecord(nil, &rec))
}()

// BenchmarkAppend is an internal transfer's record into group commits of whatever size come about, without
// waiting for any: what a record costs.
func BenchmarkAppend(b *testing.B) {
	j, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Claim(0); err != nil {
		b.Fatal(err)
	}
	rec := benchmarkRecord()
	b.ReportAllocs()
	started := cpuTime(b)
	n := uint64(0)
	for b.Loop() {
		identify(&rec, 1+n%benchmarkCustomers, 1+n/benchmarkCustomers)
		n++
		if err := j.Append(&rec); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.WaitDurable(context.Background(), j.Last()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(cpuTime(b)-started)/float64(n), "cpu-ns/op")
}

// BenchmarkLoneAppend is one record at a time, each waiting for the disk, against the disk's own flush of a block.
func BenchmarkLoneAppend(b *testing.B) {
	j, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Claim(0); err != nil {
		b.Fatal(err)
	}
	bare := bareFile(b)
	rec := benchmarkRecord()
	block := alignedBytes(blockBytes)
	var records, flushes []time.Duration
	for n := uint64(1); b.Loop(); n++ {
		identify(&rec, 1, n)
		began := time.Now()
		if err := j.Append(&rec); err != nil {
			b.Fatal(err)
		}
		if err := j.WaitDurable(context.Background(), rec.Position); err != nil {
			b.Fatal(err)
		}
		written := time.Now()
		if _, err := bare.WriteAt(block, int64(n%1024)*blockBytes); err != nil {
			b.Fatal(err)
		}
		if err := bare.Datasync(); err != nil {
			b.Fatal(err)
		}
		records, flushes = append(records, written.Sub(began)), append(flushes, time.Since(written))
	}
	slices.Sort(records)
	slices.Sort(flushes)
	record, flush := records[len(records)/2], flushes[len(flushes)/2]
	b.ReportMetric(float64(record.Microseconds()), "p50-µs")
	b.ReportMetric(float64(flush.Microseconds()), "disk-p50-µs")
	b.ReportMetric(float64(record)/float64(flush), "p50/disk")
}

// bareFile is zeroed and written directly, as a segment is.
func bareFile(b *testing.B) file {
	b.Helper()
	f, err := openDisk(b.TempDir()+"/bare", os.O_RDWR|os.O_CREATE|unix.O_DIRECT)
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	if _, err := f.WriteAt(alignedBytes(1024*blockBytes), 0); err != nil {
		b.Fatal(err)
	}
	return f
}

// BenchmarkWriters is the journal, with its index, against Pebble with Sync: so many writers of about 300 bytes,
// each waiting until its record is durable. Retained is a journal that is direct and keeps what is behind its last checkpoint only, as
// Pebble does with its log: both then use the files again. Pebble is there with the options it has by default, and, as pebble-large,
// with much larger tables in memory, which are merged by two goroutines and never hold writers up: about what its largest user sets.
// Written bytes are those handed to files: by the commits, and in all,
// with what is zeroed ahead and what the index or Pebble's compactions write. They take turns, and each figure is the
// median of the rounds: a disk that others use as well is uneven.
func BenchmarkWriters(b *testing.B) {
	for _, writers := range []int{64, 256, 1024} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			found := medians{}
			for b.Loop() {
				direct := journalWriters(b, found, "direct", writers)
				buffered := journalWriters(b, found, "buffered", writers)
				retained := journalWriters(b, found, "retained", writers)
				usual := pebbleWriters(b, found, "pebble", writers)
				large := pebbleWriters(b, found, "pebble-large", writers)
				found.add("direct/pebble", direct/usual)
				found.add("buffered/pebble", buffered/usual)
				found.add("retained/pebble", retained/usual)
				found.add("direct/pebble-large", direct/large)
				found.add("retained/pebble-large", retained/large)
			}
			found.report(b)
			b.ReportMetric(0, "ns/op")
		})
	}
}

// A store is not what it is in its first seconds: until its tables in memory have been written and merged a few times Pebble takes
// up to twice as many records as from then on (158,000, 142,000, 80,000/s, between 4,000 and 134,000 in the 17 seconds after that).
// The journal is the same from the first second on. So the first seconds of both don't count, and what counts is several
// checkpoints of the one and some hundred flushes of the other's tables.
const (
	writersWarm = 5 * time.Second
	writersTime = 15 * time.Second
)

// medians are what was measured in several rounds, by name.
type medians map[string][]float64

func (m medians) add(name string, value float64) { m[name] = append(m[name], value) }

func (m medians) report(b *testing.B) {
	for name, all := range m {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], name)
	}
}

// drive runs the writers for a time and returns records a second. log counts the bytes of commits; nil: nobody counts them.
func drive(b *testing.B, found medians, name string, writers int, log *atomic.Int64, write func(rec *journal.Record) error) float64 {
	b.Helper()
	unix.Sync() // what the one before left to be written
	var group sync.WaitGroup
	var stop atomic.Bool
	counts := make([]struct {
		records atomic.Int64
		_       [56]byte // of a line of memory: nobody waits for another's count
	}, writers)
	type reading struct{ records, written, log, cpu int64 }
	read := func() (r reading) {
		for i := range counts {
			r.records += counts[i].records.Load()
		}
		r.written, r.cpu = written(b), cpuTime(b)
		if log != nil {
			r.log = log.Load()
		}
		return r
	}
	for w := range uint64(writers) {
		group.Go(func() {
			rec := benchmarkRecord()
			for n := uint64(1); !stop.Load(); n++ {
				identify(&rec, 1+w, n)
				if err := write(&rec); err != nil {
					b.Error(err)
					return
				}
				counts[w].records.Add(1)
			}
		})
	}
	time.Sleep(writersWarm)
	from, began := read(), time.Now()
	time.Sleep(writersTime)
	to, took := read(), time.Since(began)
	stop.Store(true)
	group.Wait()
	records := float64(to.records - from.records)
	bytes := records * float64(benchmarkBytes)
	found.add(name+"-rec/s", records/took.Seconds())
	found.add(name+"-WA-all", float64(to.written-from.written)/bytes)
	found.add(name+"-cpu-µs/rec", float64(to.cpu-from.cpu)/records/1000)
	if log != nil {
		found.add(name+"-WA", float64(to.log-from.log)/bytes)
	}
	return records / took.Seconds()
}

func journalWriters(b *testing.B, found medians, name string, writers int) float64 {
	var log atomic.Int64
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	j, err := Open(dir, Options{buffered: name == "buffered", open: func(path string, flags int) (file, error) {
		f, err := openDisk(path, flags)
		return &countedFile{f, &log, strings.HasSuffix(path, ".tmp") || strings.HasSuffix(path, ".log")}, err
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Claim(0); err != nil {
		b.Fatal(err)
	}
	if name == "retained" {
		defer retaining(b, j)()
		fillRecycled(b, j)
	}
	return drive(b, found, name, writers, &log, func(rec *journal.Record) error {
		if err := j.Append(rec); err != nil {
			return err
		}
		return j.WaitDurable(context.Background(), rec.Position)
	})
}

// retaining lets go what is behind the last checkpoint until the returned function is called.
func retaining(b *testing.B, j *Journal) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var retainer sync.WaitGroup
	retainer.Go(func() {
		for ctx.Err() == nil {
			upTo := j.Durable()
			if err := j.SaveSnapshots(context.Background(), upTo, slices.Values([]journal.Snapshot(nil))); err != nil {
				b.Error(err)
			}
			if err := j.Retain(upTo); err != nil {
				b.Error(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	return func() {
		cancel()
		retainer.Wait()
	}
}

// fillRecycled writes records of four checkpoints, so that segments have been let go and are used again.
func fillRecycled(b *testing.B, j *Journal) {
	rec := benchmarkRecord()
	for n := uint64(1); n <= 4*CheckpointEveryDefault; n++ {
		identify(&rec, benchmarkCustomers, n)
		if err := j.Append(&rec); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.WaitDurable(context.Background(), rec.Position); err != nil {
		b.Fatal(err)
	}
}

func pebbleWriters(b *testing.B, found medians, name string, writers int) float64 {
	dir, err := os.MkdirTemp("", "pebble")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	options := &pebble.Options{Logger: silent{}, FormatMajorVersion: pebble.FormatNewest}
	if name == "pebble-large" {
		options.Cache = pebble.NewCache(512 << 20)
		defer options.Cache.Unref()
		options.MemTableSize, options.MemTableStopWritesThreshold = 64<<20, 4
		options.L0CompactionThreshold, options.L0StopWritesThreshold = 2, 1000
		options.CompactionConcurrencyRange = func() (int, int) { return 1, 2 }
	}
	db, err := pebble.Open(dir, options)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	return drive(b, found, name, writers, nil, func(rec *journal.Record) error {
		var key [16]byte
		var value [512]byte
		return db.Set(appendID(key[:0], rec.Command), appendRecord(value[:0], rec), pebble.Sync)
	})
}

// countedFile counts what is written into the log, without what prepares it.
type countedFile struct {
	file
	bytes *atomic.Int64
	log   bool
}

func (f *countedFile) WriteAt(b []byte, at int64) (int, error) {
	if f.log && b[0] != 0 { // what prepares is zeros
		f.bytes.Add(int64(len(b)))
	}
	return f.file.WriteAt(b, at)
}

func (f *countedFile) WriteThrough(b []byte, at int64) error {
	if f.log {
		f.bytes.Add(int64(len(b)))
	}
	return f.file.WriteThrough(b, at)
}

// written is what this process has had written to files so far, bytes.
func written(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Skip(err)
	}
	var n int64
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "write_bytes: %d", &n); err == nil {
			return n
		}
	}
	b.Skip("no write_bytes")
	return 0
}

func cpuTime(b *testing.B) int64 {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// BenchmarkOpen is a start with half a million records of 100,000 customers behind the last checkpoint.
func BenchmarkOpen(b *testing.B) {
	const indexed, tail = 600_000, 500_000
	dir, options := b.TempDir(), Options{CheckpointEvery: indexed}
	j, err := Open(dir, options)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := j.Claim(0); err != nil {
		b.Fatal(err)
	}
	rec := benchmarkRecord()
	for n := range uint64(indexed + tail) {
		identify(&rec, 1+n%benchmarkCustomers, 1+n/benchmarkCustomers)
		if err := j.Append(&rec); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.WaitDurable(context.Background(), j.Last()); err != nil {
		b.Fatal(err)
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	var cpu int64
	for b.Loop() {
		began := cpuTime(b)
		if j, err = Open(dir, options); err != nil {
			b.Fatal(err)
		}
		cpu += cpuTime(b) - began
		b.ReportMetric(float64(j.Last()-j.index.at.last), "tail-records")
		b.StopTimer()
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(cpu)/float64(b.N)/1e6, "cpu-ms/op")
}

// BenchmarkHistory is a journal of ten million records: how it opens, with how much memory, and what finding a
// command costs that is not there, and one that is.
func BenchmarkHistory(b *testing.B) {
	const history = 10_150_000 // with a tail behind the last checkpoint
	dir := b.TempDir()
	j, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := j.Claim(0); err != nil {
		b.Fatal(err)
	}
	rec := benchmarkRecord()
	cpu := cpuTime(b)
	for n := range uint64(history) {
		identify(&rec, 1+n%benchmarkCustomers, 1+n/benchmarkCustomers)
		if err := j.Append(&rec); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.WaitDurable(context.Background(), j.Last()); err != nil {
		b.Fatal(err)
	}
	indexed(j)
	b.Logf("written: %d ns CPU a record", (cpuTime(b)-cpu)/history)
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	id := func(n uint64) ledger.Uint128 {
		identify(&rec, 1+n%benchmarkCustomers, 1+n/benchmarkCustomers)
		return rec.Command
	}
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			if j, err = Open(dir, Options{}); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(j.Last()-j.index.at.last), "tail-records")
			b.ReportMetric(float64(len(j.runs.all)), "runs")
			b.StopTimer()
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	if j, err = Open(dir, Options{}); err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	b.Logf("open: %d MB of heap", memory.HeapAlloc>>20)
	rng := rand.New(rand.NewPCG(1, 2))
	b.Run("Absent", func(b *testing.B) {
		for b.Loop() {
			if found, err := j.FindCommand(id(history + rng.Uint64N(1<<40))); err != nil || found != nil {
				b.Fatal(found, err)
			}
		}
	})
	b.Run("Present", func(b *testing.B) {
		for b.Loop() {
			if found, err := j.FindCommand(id(rng.Uint64N(history))); err != nil || found == nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAbsent is looking for a new command behind so many ids, as a round does: what is needed is asked for ahead, for
// roundOf commands at a time. What is looked at in between is not in a processor's cache any more.
func BenchmarkAbsent(b *testing.B) {
	const roundOf = 64
	for _, millions := range []int{1, 7, 14, 20, 31, 100} {
		b.Run(fmt.Sprintf("%dM", millions), func(b *testing.B) {
			j := withIDs(b, millions)
			rng := rand.New(rand.NewPCG(1, 2))
			elsewhere := make([]byte, 8<<20)
			commands := make([]ledger.Uint128, roundOf)
			var took time.Duration
			rounds := 0
			for b.Loop() {
				for i := range commands {
					commands[i] = ledger.Uint128{Lo: rng.Uint64(), Hi: 1}
				}
				for at := 0; at < len(elsewhere); at += 64 {
					elsewhere[at]++
				}
				began := time.Now()
				j.Ahead(commands, nil)
				for _, command := range commands {
					if found, err := j.FindCommand(command); err != nil || found != nil {
						b.Fatal(found, err)
					}
				}
				took += time.Since(began)
				rounds++
			}
			b.ReportMetric(float64(took)/float64(rounds*roundOf), "ns/command")
			b.ReportMetric(float64(len(j.runs.all)), "runs")
			began := time.Now()
			if _, err := knownOf(j.runs.all); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(time.Since(began))/1e6, "open-ms") // what a start takes for it
			b.ReportMetric(0, "ns/op")
		})
	}
}

// withIDs is a journal whose index has so many million ids, of records that were never written.
func withIDs(b *testing.B, millions int) *Journal {
	b.Helper()
	j, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = j.Close() })
	rng := rand.New(rand.NewPCG(3, 4))
	began := cpuTime(b)
	for range millions {
		j.mu.Lock()
		for i := range 2 * CheckpointEveryDefault {
			j.recent.add(rng.Uint64(), j.last+1+journal.Position(i/2))
		}
		j.last += CheckpointEveryDefault
		f := j.freeze()
		j.mu.Unlock()
		f.at = place{first: j.last, last: j.last}
		if err := j.checkpoint(f); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%d ns CPU an id", (cpuTime(b)-began)/int64(millions*2*CheckpointEveryDefault))
	return j
}
