package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/suanpan-bank/suanpan/internal/prefetch"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// A run is a file with the ids of a range of positions, sorted by hash. A checkpoint writes one; when runsMerged of
// one level have gathered they become one of the next, so there are few of them however long the history is.
//
//	header   one page: magic (8) version (4) zero (4) first (8) and last position (8) count of ids (8) CRC-32C (4)
//	pages    340 entries each: hash (8) position behind the first (4); CRC-32C (4)
//	tail     of each page the first hash (8); the filter: of each bucket where its prints begin (4), of each id a
//	         print (2); CRC-32C (4)
//
// The filter answers for an id that is not there, nearly always the case for a new command, with two looks into
// memory: ids fall into buckets of about printsPerBucket by the first bits of their hash, and the next 16 bits
// are the print. One look in 5,000 is wrong and costs the reading of a page.
const (
	runMagic        = "SUANPANI"
	runVersion      = 1
	runHeaderSummed = 40
	runPageEntries  = 340
	runEntryBytes   = 12
	runPageSummed   = blockBytes - 4
	printsPerBucket = 12
	runsMerged      = 8
	// filterBytesMax bounds the memory of all filters. Runs beyond it are asked with a read.
	filterBytesMax = 256 << 20
)

// runName is what the index remembers of a run.
type runName struct {
	first, last journal.Position
	level       int
}

func (n runName) path(dir string) string {
	return filepath.Join(dir, fmt.Sprintf("%020d-%020d.ids", uint64(n.first), uint64(n.last)))
}

// run is an open one.
type run struct {
	runName
	path    string
	file    file
	count   int
	fences  []uint64 // first hash of each page
	buckets []uint32 // nil: no filter in memory
	prints  []uint16
}

func bucketBits(count int) int { return bits.Len(uint(count / printsPerBucket)) }

func filterBytes(count int) int { return 4*(1<<bucketBits(count)+1) + 2*count }

func runPages(count int) int { return (count + runPageEntries - 1) / runPageEntries }

// runWriter makes a run from entries in order.
type runWriter struct {
	run
	out     []byte // pages not written yet
	written int64
	added   int
	inPage  int
	err     error
}

const runWriteBytes = 64 * blockBytes

func newRunWriter(open func(string, int) (file, error), dir string, name runName, count int) (*runWriter, error) {
	path := name.path(dir)
	f, err := open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, fmt.Errorf("journal: index: %w", err)
	}
	w := &runWriter{run: run{
		runName: name, path: path, file: f, count: count,
		fences: make([]uint64, 0, runPages(count)), buckets: make([]uint32, 1<<bucketBits(count)+1), prints: make([]uint16, 0, count),
	}}
	header := make([]byte, blockBytes)
	copy(header, runMagic)
	binary.LittleEndian.PutUint32(header[8:], runVersion)
	binary.LittleEndian.PutUint64(header[16:], uint64(name.first))
	binary.LittleEndian.PutUint64(header[24:], uint64(name.last))
	binary.LittleEndian.PutUint64(header[32:], uint64(count))
	binary.LittleEndian.PutUint32(header[runHeaderSummed:], crc32.Checksum(header[:runHeaderSummed], castagnoli))
	w.out = append(make([]byte, 0, runWriteBytes+blockBytes), header...)
	return w, nil
}

func (w *runWriter) add(e idEntry) error {
	if w.inPage == 0 {
		w.out = append(w.out, make([]byte, blockBytes)...)
		w.fences = append(w.fences, e.hash)
	}
	at := w.out[len(w.out)-blockBytes+w.inPage*runEntryBytes:]
	binary.LittleEndian.PutUint64(at, e.hash)
	binary.LittleEndian.PutUint32(at[8:], uint32(e.position-w.first))
	bucket, print := bucketOf(e.hash, w.count)
	w.buckets[bucket+1]++ // a count until finish
	w.prints = append(w.prints, print)
	w.added++
	if w.inPage++; w.inPage == runPageEntries {
		w.sealPage()
	}
	return w.err
}

func bucketOf(hash uint64, count int) (bucket int, print uint16) {
	n := bucketBits(count)
	return int(hash >> (64 - n)), uint16(hash << n >> 48)
}

func (w *runWriter) sealPage() {
	page := w.out[len(w.out)-blockBytes:]
	binary.LittleEndian.PutUint32(page[runPageSummed:], crc32.Checksum(page[:runPageSummed], castagnoli))
	w.inPage = 0
	if len(w.out) >= runWriteBytes {
		w.flush()
	}
}

func (w *runWriter) flush() {
	if w.err == nil {
		_, w.err = w.file.WriteAt(w.out, w.written)
		w.written += int64(len(w.out))
		w.out = w.out[:0]
	}
}

// finish makes the run durable, but for its name in the directory.
func (w *runWriter) finish() (*run, error) {
	if w.inPage > 0 {
		w.sealPage()
	}
	for i := 1; i < len(w.buckets); i++ {
		w.buckets[i] += w.buckets[i-1]
	}
	from := len(w.out)
	for _, fence := range w.fences {
		w.out = binary.LittleEndian.AppendUint64(w.out, fence)
	}
	for _, begin := range w.buckets {
		w.out = binary.LittleEndian.AppendUint32(w.out, begin)
	}
	for _, print := range w.prints {
		w.out = binary.LittleEndian.AppendUint16(w.out, print)
	}
	w.out = binary.LittleEndian.AppendUint32(w.out, crc32.Checksum(w.out[from:], castagnoli))
	w.flush()
	if w.err == nil && w.added != w.count {
		w.err = fmt.Errorf("%d ids of %d", w.added, w.count)
	}
	if w.err == nil {
		w.err = w.file.Datasync()
	}
	if w.err != nil {
		return nil, errors.Join(fmt.Errorf("journal: write %s: %w", w.path, w.err), w.file.Close())
	}
	return &w.run, nil
}

// openRun opens a run and reads its tail.
func openRun(open func(string, int) (file, error), dir string, name runName) (*run, error) {
	path := name.path(dir)
	f, err := open(path, os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("journal: index: %w", err)
	}
	r := &run{runName: name, path: path, file: f}
	if err := r.read(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func (r *run) damaged(offset int64, what string) error {
	return fmt.Errorf("%w: %s at offset %d: %s", ErrDamaged, r.path, offset, what)
}

func (r *run) read() error {
	header, err := readFull(r.file, make([]byte, runHeaderSummed+4), 0)
	if err != nil {
		return fmt.Errorf("journal: read %s: %w", r.path, err)
	}
	if len(header) < runHeaderSummed+4 || string(header[:8]) != runMagic ||
		crc32.Checksum(header[:runHeaderSummed], castagnoli) != binary.LittleEndian.Uint32(header[runHeaderSummed:]) {
		return r.damaged(0, "not the header of an index run")
	}
	if version := binary.LittleEndian.Uint32(header[8:]); version != runVersion {
		return r.damaged(8, fmt.Sprintf("version %d is not known to this program", version))
	}
	count := binary.LittleEndian.Uint64(header[32:])
	if journal.Position(binary.LittleEndian.Uint64(header[16:])) != r.first ||
		journal.Position(binary.LittleEndian.Uint64(header[24:])) != r.last || count > 1<<40 {
		return r.damaged(16, "the header names other positions")
	}
	r.count = int(count)
	at := int64(1+runPages(r.count)) * blockBytes
	length := 8*runPages(r.count) + filterBytes(r.count) + 4
	// One byte more than there is: a file that is too long is not the one that was written. A chunk at a time, so
	// that a lying count allocates no more than the file has.
	var tail []byte
	for len(tail) <= length {
		n := min(length+1-len(tail), 1<<20)
		got, err := readFull(r.file, make([]byte, n), at+int64(len(tail)))
		if err != nil {
			return fmt.Errorf("journal: read %s: %w", r.path, err)
		}
		if tail = append(tail, got...); len(got) < n {
			break
		}
	}
	if len(tail) != length || crc32.Checksum(tail[:length-4], castagnoli) != binary.LittleEndian.Uint32(tail[length-4:]) {
		return r.damaged(at, "checksum of the filter")
	}
	r.fences = make([]uint64, runPages(r.count))
	for i := range r.fences {
		r.fences[i] = binary.LittleEndian.Uint64(tail[8*i:])
	}
	tail = tail[8*len(r.fences):]
	r.buckets, r.prints = make([]uint32, 1<<bucketBits(r.count)+1), make([]uint16, r.count)
	for i := range r.buckets {
		r.buckets[i] = binary.LittleEndian.Uint32(tail[4*i:])
		if int(r.buckets[i]) > r.count || i > 0 && r.buckets[i] < r.buckets[i-1] {
			return r.damaged(at, "the filter's buckets are not in order")
		}
	}
	tail = tail[4*len(r.buckets):]
	for i := range r.prints {
		r.prints[i] = binary.LittleEndian.Uint16(tail[2*i:])
	}
	return nil
}

// prints are those of a bucket, and the one looked for.
type prints struct {
	rest  []uint16
	first uint16 // of the bucket; that of another id than the one looked for if the bucket is empty
	want  uint16
	all   bool // there is no filter
}

func (r *run) bucket(hash uint64) prints {
	if r.buckets == nil {
		return prints{all: true}
	}
	bucket, print := bucketOf(hash, r.count)
	return prints{rest: r.prints[r.buckets[bucket]:r.buckets[bucket+1]], first: ^print, want: print}
}

func (p *prints) mayHave() bool { return p.all || p.first == p.want || slices.Contains(p.rest, p.want) }

// page reads the entries of a page.
func (r *run) page(i int, buf, out []byte) ([]byte, error) {
	at := int64(1+i) * blockBytes
	page, err := readFull(r.file, buf[:blockBytes], at)
	if err != nil {
		return nil, fmt.Errorf("journal: read %s at offset %d: %w", r.path, at, err)
	}
	if len(page) < blockBytes || crc32.Checksum(page[:runPageSummed], castagnoli) != binary.LittleEndian.Uint32(page[runPageSummed:]) {
		return nil, r.damaged(at, "checksum of a page of ids")
	}
	return append(out, page[:runEntryBytes*min(runPageEntries, r.count-i*runPageEntries)]...), nil
}

// entryAt reads one entry of a page.
func (r *run) entryAt(page []byte, i int) idEntry {
	at := page[i*runEntryBytes:]
	return idEntry{binary.LittleEndian.Uint64(at), r.first + journal.Position(binary.LittleEndian.Uint32(at[8:]))}
}

// find reads the positions under the hash and appends them.
func (r *run) find(hash uint64, out []journal.Position) ([]journal.Position, error) {
	i, _ := slices.BinarySearch(r.fences, hash)
	var buf [blockBytes]byte
	var page []byte
	for i = max(i-1, 0); i < len(r.fences) && r.fences[i] <= hash; i++ { // equal hashes may begin on the page before
		var err error
		if page, err = r.page(i, buf[:], page[:0]); err != nil {
			return out, err
		}
		for k := range len(page) / runEntryBytes {
			if e := r.entryAt(page, k); e.hash == hash {
				out = append(out, e.position)
			}
		}
	}
	return out, nil
}

// runReader reads a run's entries in order.
type runReader struct {
	*run
	next int // page
	page []byte
	buf  [blockBytes]byte
}

// read goes on to the next entry; false at the end.
func (r *runReader) read() (e idEntry, ok bool, err error) {
	if len(r.page) == 0 {
		if r.next == len(r.fences) {
			return e, false, nil
		}
		if r.page, err = r.run.page(r.next, r.buf[:], r.page[:0]); err != nil {
			return e, false, err
		}
		r.next++
	}
	e = r.entryAt(r.page, 0)
	r.page = r.page[runEntryBytes:]
	return e, true, nil
}

// mergeRuns makes one run of neighbours.
func mergeRuns(open func(string, int) (file, error), dir string, parts []*sharedRun) (*run, error) {
	name := runName{first: parts[0].first, last: parts[len(parts)-1].last, level: parts[0].level + 1}
	count := 0
	readers := make([]runReader, len(parts))
	heads := make([]idEntry, len(parts))
	for i, part := range parts {
		count += part.count
		readers[i].run = part.run
	}
	w, err := newRunWriter(open, dir, name, count)
	if err != nil {
		return nil, err
	}
	step := func(i int) error {
		e, ok, err := readers[i].read()
		if !ok {
			heads[i] = idEntry{} // position zero: at its end
		} else {
			heads[i] = e
		}
		return err
	}
	for i := range readers {
		err = errors.Join(err, step(i))
	}
	for range count {
		least := -1
		for i, e := range heads { // equal hashes: the earlier run has the earlier positions
			if e.position != 0 && (least < 0 || e.hash < heads[least].hash) {
				least = i
			}
		}
		if least < 0 || err != nil {
			break
		}
		if err = w.add(heads[least]); err == nil {
			err = step(least)
		}
	}
	if err != nil {
		return nil, errors.Join(err, w.file.Close())
	}
	return w.finish()
}

// runs are all runs at one time, in order of position. Readers hold on to it while they read; a run's file is
// closed with the last runs that has it.
type runs struct {
	all   []*sharedRun
	users atomic.Int32
}

type sharedRun struct {
	*run
	holders atomic.Int32
}

// newRuns holds the runs for its owner.
func newRuns(all []*sharedRun) *runs {
	rs := &runs{all: all}
	rs.users.Store(1)
	for _, r := range all {
		r.holders.Add(1)
	}
	return rs
}

func (rs *runs) use() { rs.users.Add(1) }

func (rs *runs) release() {
	if rs.users.Add(-1) > 0 {
		return
	}
	for _, r := range rs.all {
		if r.holders.Add(-1) == 0 {
			_ = r.file.Close() // durable long since
		}
	}
}

// find appends the positions under the hash. What the filters say of it lies in two places of memory for each run; all
// of the first are read, then all of the second, because reads that don't depend on each other go on at once.
func (rs *runs) find(hash uint64, out []journal.Position) ([]journal.Position, error) {
	var memory [runsUsual]prints
	buckets := memory[:0]
	for _, r := range rs.all {
		buckets = append(buckets, r.bucket(hash))
	}
	for i := range buckets {
		if b := &buckets[i]; len(b.rest) > 0 {
			b.first, b.rest = b.rest[0], b.rest[1:]
		}
	}
	for i, r := range slices.Backward(rs.all) {
		if !buckets[i].mayHave() {
			continue
		}
		var err error
		if out, err = r.find(hash, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ahead asks for the memory in which find looks: the places of all buckets first, because what lies there says where
// their prints are.
func (rs *runs) ahead(commands []ledger.Uint128) {
	for _, r := range rs.all {
		if r.buckets == nil {
			continue
		}
		for _, command := range commands {
			bucket, _ := bucketOf(commandHash(command), r.count)
			prefetch.Line(&r.buckets[bucket])
		}
	}
	for _, r := range rs.all {
		if r.buckets == nil {
			continue
		}
		for _, command := range commands {
			bucket, _ := bucketOf(commandHash(command), r.count)
			if begin := r.buckets[bucket]; begin < r.buckets[bucket+1] {
				prefetch.Line(&r.prints[begin])
			}
		}
	}
}

// runsUsual is how many runs there are at most up to a billion records, with checkpoints as usual.
const runsUsual = 4 * runsMerged

func (rs *runs) names() []runName {
	var out []runName
	for _, r := range rs.all {
		out = append(out, r.runName)
	}
	return out
}
