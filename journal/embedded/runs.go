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

	"github.com/suanpan-bank/suanpan/journal"
)

// A run is a file with the ids of a range of positions, sorted by hash. A checkpoint writes one; when runsMerged of
// one level have gathered they become one of the next, so there are few of them however long the history is.
//
//	header   one page: magic (8) version (4) zero (4) first (8) and last position (8) count of ids (8) CRC-32C (4)
//	pages    340 entries each: hash (8) position behind the first (4); CRC-32C (4)
//	tail     of each page the first hash (8); the filter: of each bucket where its prints begin (4), of each id a
//	         print (2); CRC-32C (4)
//
// The filter answers for an id that is not there with two looks into memory: ids fall into buckets of about
// printsPerBucket by the first bits of their hash, and the next 16 bits are the print. One look in 5,000 is wrong and
// costs the reading of a page. Whether an id is in any run at all says knownIDs.
const (
	runMagic        = "SUANPANI"
	runVersion      = 1
	runHeaderSummed = 40
	runPageEntries  = 340
	runEntryBytes   = 12
	runPageSummed   = blockBytes - 4
	printsPerBucket = 12
	// runsMerged is how many gather. How many there are costs nothing while knownIDs answers, and merging is what it costs to
	// have few: with 16 an id is written twice until there are 256 million.
	runsMerged = 16
	// filterBytesMax bounds the memory of all runs' filters. The largest runs are asked with a read beyond it.
	filterBytesMax = 160 << 20
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
	path   string
	file   file
	count  int
	fences []uint64  // first hash of each page
	filter runFilter // the checkpointer's; who looks for an id finds it in runs
}

// runFilter is a run's filter in memory.
type runFilter struct {
	bits    uint     // of a hash to its bucket
	buckets []uint32 // where its prints begin, and the end of all; nil: there is no filter in memory
	prints  []uint16
}

func newRunFilter(count int) runFilter {
	return runFilter{bits: bucketBits(count), buckets: make([]uint32, 1<<bucketBits(count)+1), prints: make([]uint16, count)}
}

func bucketBits(count int) uint { return uint(bits.Len(uint(count / printsPerBucket))) }

func filterBytes(count int) int { return 4*(1<<bucketBits(count)+1) + 2*count }

func runPages(count int) int { return (count + runPageEntries - 1) / runPageEntries }

// runWriter makes a run from entries in order.
type runWriter struct {
	*run
	out     []byte // pages not written yet, and what there is of the next one
	written int64
	added   int
	inPage  int
	err     error
}

// How much of a run is written and read at once. A merge reads many.
const (
	runWriteBytes = 64 * blockBytes
	runReadBytes  = 16 * blockBytes
)

func newRunWriter(open func(string, int) (file, error), dir string, name runName, count int) (*runWriter, error) {
	path := name.path(dir)
	f, err := open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, fmt.Errorf("journal: index: %w", err)
	}
	w := &runWriter{run: &run{
		runName: name, path: path, file: f, count: count, fences: make([]uint64, 0, runPages(count)), filter: newRunFilter(count),
	}}
	header := make([]byte, blockBytes, runWriteBytes)
	copy(header, runMagic)
	binary.LittleEndian.PutUint32(header[8:], runVersion)
	binary.LittleEndian.PutUint64(header[16:], uint64(name.first))
	binary.LittleEndian.PutUint64(header[24:], uint64(name.last))
	binary.LittleEndian.PutUint64(header[32:], uint64(count))
	binary.LittleEndian.PutUint32(header[runHeaderSummed:], crc32.Checksum(header[:runHeaderSummed], castagnoli))
	w.out = header
	return w, nil
}

// add takes the next entries.
func (w *runWriter) add(entries []idEntry) error {
	if w.added+len(entries) > w.count {
		return fmt.Errorf("more than %d ids", w.count)
	}
	for len(entries) > 0 && w.err == nil {
		if w.inPage == 0 {
			if len(w.out) == cap(w.out) {
				w.flush()
			}
			w.out = w.out[:len(w.out)+blockBytes]
			w.fences = append(w.fences, entries[0].hash)
		}
		n := min(len(entries), runPageEntries-w.inPage)
		page := w.out[len(w.out)-blockBytes:]
		at, prints := page[w.inPage*runEntryBytes:], w.filter.prints[w.added:w.added+n]
		for i, e := range entries[:n] {
			binary.LittleEndian.PutUint64(at, e.hash)
			binary.LittleEndian.PutUint32(at[8:], uint32(e.position-w.first))
			at = at[runEntryBytes:]
			w.filter.buckets[e.hash>>(64-w.filter.bits)+1]++ // a count until finish
			prints[i] = uint16(e.hash << w.filter.bits >> 48)
		}
		entries = entries[n:]
		w.added += n
		if w.inPage += n; w.inPage == runPageEntries {
			w.sealPage()
		}
	}
	return w.err
}

func (w *runWriter) sealPage() {
	page := w.out[len(w.out)-blockBytes:]
	clear(page[w.inPage*runEntryBytes : runPageSummed])
	binary.LittleEndian.PutUint32(page[runPageSummed:], crc32.Checksum(page[:runPageSummed], castagnoli))
	w.inPage = 0
}

func (w *runWriter) flush() {
	if w.err == nil {
		_, w.err = w.file.WriteAt(w.out, w.written)
		w.written += int64(len(w.out))
	}
	w.out = w.out[:0]
}

// finish makes the run durable, but for its name in the directory.
func (w *runWriter) finish() (*run, error) {
	if w.inPage > 0 {
		w.sealPage()
	}
	w.flush()
	buckets := w.filter.buckets
	for i := 1; i < len(buckets); i++ {
		buckets[i] += buckets[i-1]
	}
	sum := writeTail(w, 0, w.fences)
	sum = writeTail(w, sum, buckets)
	sum = writeTail(w, sum, w.filter.prints)
	w.out = binary.LittleEndian.AppendUint32(w.out, sum)
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
	return w.run, nil
}

// writeTail writes values of the tail and returns its checksum with them.
func writeTail[T uint16 | uint32 | uint64](w *runWriter, sum uint32, values []T) uint32 {
	for some := range slices.Chunk(values, runWriteBytes/8) {
		w.out, _ = binary.Append(w.out[:0], binary.LittleEndian, some)
		sum = crc32.Update(sum, castagnoli, w.out)
		w.flush()
	}
	return sum
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
	filter := newRunFilter(r.count)
	for i := range filter.buckets {
		filter.buckets[i] = binary.LittleEndian.Uint32(tail[4*i:])
		if int(filter.buckets[i]) > r.count || i > 0 && filter.buckets[i] < filter.buckets[i-1] {
			return r.damaged(at, "the filter's buckets are not in order")
		}
	}
	tail = tail[4*len(filter.buckets):]
	for i := range filter.prints {
		filter.prints[i] = binary.LittleEndian.Uint16(tail[2*i:])
	}
	r.filter = filter
	return nil
}

// prints are those of a bucket, and the one looked for.
type prints struct {
	rest  []uint16
	first uint16 // of the bucket; that of another id than the one looked for if the bucket is empty
	want  uint16
	all   bool // there is no filter
}

func (f *runFilter) bucket(hash uint64) prints {
	if f.buckets == nil {
		return prints{all: true}
	}
	bucket, print := hash>>(64-f.bits), uint16(hash<<f.bits>>48)
	return prints{rest: f.prints[f.buckets[bucket]:f.buckets[bucket+1]], first: ^print, want: print}
}

func (p *prints) mayHave() bool { return p.all || p.first == p.want || slices.Contains(p.rest, p.want) }

// pages reads pages from the i-th on, at most as many as there is room for.
func (r *run) pages(i int, buf []byte) ([]byte, error) {
	at := int64(1+i) * blockBytes
	n := min(len(buf), (len(r.fences)-i)*blockBytes)
	pages, err := readFull(r.file, buf[:n], at)
	if err != nil {
		return nil, fmt.Errorf("journal: read %s at offset %d: %w", r.path, at, err)
	}
	if len(pages) < n {
		return nil, r.damaged(at, "pages of ids are cut off")
	}
	return pages, nil
}

// entries are those of the i-th page.
func (r *run) entries(i int, page []byte) ([]byte, error) {
	if crc32.Checksum(page[:runPageSummed], castagnoli) != binary.LittleEndian.Uint32(page[runPageSummed:]) {
		return nil, r.damaged(int64(1+i)*blockBytes, "checksum of a page of ids")
	}
	return page[:runEntryBytes*min(runPageEntries, r.count-i*runPageEntries)], nil
}

// entryOf reads the first of some entries.
func (r *run) entryOf(entries []byte) idEntry {
	return idEntry{binary.LittleEndian.Uint64(entries), r.first + journal.Position(binary.LittleEndian.Uint32(entries[8:]))}
}

// pageOf is the first page that does not begin below the hash. Hashes are even, so that it is near where it would be if
// they were quite so.
func (r *run) pageOf(hash uint64) int {
	const pagesNear = 8
	guess, _ := bits.Mul64(hash, uint64(len(r.fences)))
	from, to := int(guess), int(guess)
	for step := pagesNear; from > 0 && r.fences[from] >= hash; step *= 2 {
		from = max(from-step, 0)
	}
	for step := pagesNear; to < len(r.fences) && r.fences[to] < hash; step *= 2 {
		to = min(to+step, len(r.fences))
	}
	i, _ := slices.BinarySearch(r.fences[from:to], hash)
	return from + i
}

// find reads the positions under the hash and appends them.
func (r *run) find(hash uint64, out []journal.Position) ([]journal.Position, error) {
	buf := make([]byte, blockBytes)
	for i := max(r.pageOf(hash)-1, 0); i < len(r.fences) && r.fences[i] <= hash; i++ { // equal hashes may begin on the page before
		page, err := r.pages(i, buf)
		if err != nil {
			return out, err
		}
		if page, err = r.entries(i, page); err != nil {
			return out, err
		}
		for ; len(page) > 0; page = page[runEntryBytes:] {
			if e := r.entryOf(page); e.hash == hash {
				out = append(out, e.position)
			}
		}
	}
	return out, nil
}

// shorts calls each with what knownIDs looks at of all hashes, some at a time and in order. The filter tells them, if it
// has enough buckets.
func (r *run) shorts(each func(some []uint64)) error {
	memory := make([]uint64, 0, 2*runPageEntries)
	some := memory
	if f := &r.filter; f.buckets != nil && f.bits+16 >= knownHashBits {
		for bucket := range len(f.buckets) - 1 {
			for _, print := range f.prints[f.buckets[bucket]:f.buckets[bucket+1]] {
				if some = append(some, (uint64(bucket)<<16|uint64(print))>>(f.bits+16-knownHashBits)); len(some) == cap(some) {
					each(some)
					some = memory
				}
			}
		}
		each(some)
		return nil
	}
	all := runReader{run: r, buf: make([]byte, runReadBytes)}
	for {
		if ok, err := all.turn(); !ok || err != nil {
			return err
		}
		some = memory
		for ; len(all.page) > 0; all.page = all.page[runEntryBytes:] {
			some = append(some, shortOf(r.entryOf(all.page).hash))
		}
		each(some)
	}
}

// runReader reads a run's entries in order.
type runReader struct {
	*run
	next  int    // page
	pages []byte // read, from that on
	page  []byte // entries that come next
	buf   []byte
}

// turn goes on to the next page; false: there is none.
func (r *runReader) turn() (ok bool, err error) {
	if r.next == len(r.fences) {
		return false, nil
	}
	if len(r.pages) == 0 {
		if r.pages, err = r.run.pages(r.next, r.buf); err != nil {
			return false, err
		}
	}
	if r.page, err = r.entries(r.next, r.pages[:blockBytes]); err != nil {
		return false, err
	}
	r.next++
	r.pages = r.pages[blockBytes:]
	return true, nil
}

// upTo appends the entries that come next and whose hashes are not above the last.
func (r *runReader) upTo(last uint64, out []idEntry) ([]idEntry, error) {
	for {
		for ; len(r.page) > 0; r.page = r.page[runEntryBytes:] {
			e := r.entryOf(r.page)
			if e.hash > last {
				return out, nil
			}
			out = append(out, e)
		}
		if ok, err := r.turn(); !ok || err != nil {
			return out, err
		}
	}
}

// mergedAtOnce is about how many entries of all runs are put in order together: they stay in a processor's cache.
const mergedAtOnce = 1024

// mergeRuns makes one run of neighbours. Hashes are even, so the entries between two of them are put in order by themselves,
// which is cheaper than to ask for each which run has the least.
func mergeRuns(open func(string, int) (file, error), dir string, parts []*sharedRun) (*run, error) {
	name := runName{first: parts[0].first, last: parts[len(parts)-1].last, level: parts[0].level + 1}
	count := 0
	readers := make([]runReader, len(parts))
	for i, part := range parts {
		count += part.count
		readers[i] = runReader{run: part.run, buf: make([]byte, runReadBytes)}
	}
	w, err := newRunWriter(open, dir, name, count)
	if err != nil {
		return nil, err
	}
	rangeBits := bits.Len(uint(count / mergedAtOnce))
	var some, sorted []idEntry
	for i := range uint64(1) << rangeBits {
		some = some[:0]
		last := (i+1)<<(64-rangeBits) - 1
		for k := range readers { // equal hashes: the earlier run has the earlier positions
			if some, err = readers[k].upTo(last, some); err != nil {
				return nil, errors.Join(err, w.file.Close())
			}
		}
		sorted = sortEntries(some, sorted, rangeBits)
		if err := w.add(sorted); err != nil {
			return nil, errors.Join(fmt.Errorf("journal: write %s: %w", w.path, err), w.file.Close())
		}
	}
	return w.finish()
}

// runs are all runs at one time, in order of position. Readers hold on to it while they read; a run's file is
// closed with the last runs that has it.
type runs struct {
	all     []*sharedRun
	filters []runFilter // of all
	known   *knownIDs   // nil: there are no ids
	users   atomic.Int32
}

type sharedRun struct {
	*run
	holders atomic.Int32
}

// newRuns holds the runs for its owner.
func newRuns(all []*sharedRun, known *knownIDs) *runs {
	rs := &runs{all: all, known: known}
	rs.users.Store(1)
	for _, r := range all {
		r.holders.Add(1)
		rs.filters = append(rs.filters, r.filter)
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
	if !rs.known.mayHave(hash) {
		return out, nil
	}
	var memory [runsUsual]prints
	buckets := memory[:0]
	for i := range rs.filters {
		buckets = append(buckets, rs.filters[i].bucket(hash))
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

// runsUsual is how many runs there are at most up to a hundred million records, with checkpoints as usual.
const runsUsual = 2 * runsMerged

func (rs *runs) names() []runName {
	var out []runName
	for _, r := range rs.all {
		out = append(out, r.runName)
	}
	return out
}
