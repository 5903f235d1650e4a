package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"

	"github.com/suanpan-bank/suanpan/ledger"
)

// fields finds transfers by the fields a query may name. For every runRows transfers there is a run:
// for each field, the pairs (hash of the value, row) in order, so that a query reads one page per run
// and field and then only rows that very likely match. Runs are built beside the engine and lie on disk,
// with the first pair of each page in memory: 0.08 bytes a transfer. A field that is the same in all of a run's
// transfers, as currency and accounting date often are, has no pairs but its value. The pairs of the transfers
// that have no run yet, up to five runs' worth, are in memory and searched one by one.
//
// Runs are derived from the rows: one that is missing or damaged at start is built again.
type fields struct {
	dir    string // "": runs stay in memory
	ended  sync.WaitGroup
	sorter sorter // of the goroutine that builds

	mu       sync.Mutex
	filled   uint32    // rows entered
	fill     *pairs    // the newest of them
	shorter  sync.Cond // sorting has become shorter
	runs     []*run    // from row 0 on, without a hole
	sorting  []*pairs  // behind them, oldest first
	spare    []*pairs  // to be filled again
	building bool      // a goroutine works on sorting
	fault    error     // a run could not be written
}

// sortingMax is how many runs may wait to be built before the engine waits for them.
const sortingMax = 4

// The fields, the one that usually selects most first.
const (
	byUser128 = iota
	byUser64
	byUser32
	byCode
	byLedger
	fieldCount
)

const (
	runShift = 18
	runRows  = 1 << runShift

	pagePairs = pageBytes/8 - 1 // the last word is the page's checksum
)

// pairs are those of up to runRows transfers, from row first on. Zero values have none: they can't be asked for.
type pairs struct {
	first   uint32
	rows    uint32 // transfers entered
	readers int    // who looks through them now; fields.mu guards it
	of      [fieldCount]column
}

// column is one field of some transfers.
type column struct {
	alike bool           // all have the value key, and no pairs are needed
	named bool           // key is not zero
	key   ledger.Uint128 // of the last transfer entered
	hash  uint64         // its upper half is the key's hash, the lower one zero
	pairs []uint64       // hash<<32 | row, in order of rows
}

// run is the sorted pairs of runRows transfers.
type run struct {
	first  uint32
	disk   *disk // nil: the pairs are in memory
	of     [fieldCount][]uint64
	alike  [fieldCount]bool // all transfers have the one hash, which is that of the only fence
	counts [fieldCount]int
	starts [fieldCount]int64    // offset of the first page
	fences [fieldCount][]uint64 // first pair of each page
}

func newFields(dir string) *fields {
	f := &fields{dir: dir, fill: &pairs{}}
	f.shorter.L = &f.mu
	return f
}

func pairOf(hash uint64, row uint32) uint64 { return hash>>32<<32 | uint64(row) }

// hashes of a query's or a transfer's fields; where a field is zero, so is ok.
func fieldHashes(user128 ledger.Uint128, user64 uint64, user32, book uint32, code uint16) (hash [fieldCount]uint64, ok [fieldCount]bool) {
	set := func(field int, key ledger.Uint128) {
		if ok[field] = !key.IsZero(); ok[field] {
			hash[field] = hashOf(key)
		}
	}
	set(byUser128, user128)
	set(byUser64, ledger.U64(user64))
	set(byUser32, ledger.U64(uint64(user32)))
	set(byCode, ledger.U64(uint64(code)))
	set(byLedger, ledger.U64(uint64(book)))
	return hash, ok
}

// enter takes a block of transfers that is full. Blocks come in order.
func (f *fields) enter(block []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.sorting) >= sortingMax && f.fault == nil {
		f.shorter.Wait()
	}
	if f.fault != nil {
		return f.fault
	}
	for i := range uint32(blockRows) {
		f.fill.enter(rowIn[transferRow](block, i))
	}
	f.filled += blockRows
	if f.filled&(runRows-1) == 0 {
		f.turn()
	}
	return nil
}

func (p *pairs) enter(t *transferRow) {
	row := p.first + p.rows
	p.of[byUser128].enter(t.userData128, row, p.first)
	p.of[byUser64].enter(ledger.U64(t.userData64), row, p.first)
	p.of[byUser32].enter(ledger.U64(uint64(t.userData32)), row, p.first)
	p.of[byCode].enter(ledger.U64(uint64(t.code)), row, p.first)
	p.of[byLedger].enter(ledger.U64(uint64(t.ledger)), row, p.first)
	p.rows++
}

// enter adds the value of the next row; first is the first row of all.
func (c *column) enter(key ledger.Uint128, row, first uint32) {
	if key != c.key || row == first {
		c.turn(key, row, first)
	}
	if c.named && !c.alike {
		c.pairs = append(c.pairs, c.hash|uint64(row))
	}
}

// turn sets the value from this row on.
func (c *column) turn(key ledger.Uint128, row, first uint32) {
	if c.alike && row != first {
		for i := first; i < row; i++ {
			c.pairs = append(c.pairs, c.hash|uint64(i))
		}
	}
	c.key, c.named, c.hash = key, !key.IsZero(), pairOf(hashOf(key), 0)
	c.alike = row == first && c.named
}

// turn gives the pairs gathered so far to be sorted and begins anew. The lock is held.
func (f *fields) turn() {
	f.sorting = append(f.sorting, f.fill)
	f.fill = f.empty()
	f.fill.first = f.filled
	if !f.building {
		f.building = true
		f.ended.Go(f.build)
	}
}

// empty returns pairs to fill: used ones, unless somebody still reads them, because fresh memory is dear.
func (f *fields) empty() *pairs {
	i := slices.IndexFunc(f.spare, func(p *pairs) bool { return p.readers == 0 })
	if i < 0 {
		return &pairs{}
	}
	p := f.spare[i]
	f.spare = slices.Delete(f.spare, i, i+1)
	p.rows = 0
	for field := range p.of {
		p.of[field].alike = false
		p.of[field].pairs = p.of[field].pairs[:0]
	}
	return p
}

// build makes runs of what waits.
func (f *fields) build() {
	for {
		f.mu.Lock()
		if len(f.sorting) == 0 || f.fault != nil {
			f.building = false
			f.mu.Unlock()
			return
		}
		next := f.sorting[0]
		f.mu.Unlock()
		r, err := f.make(next)
		f.mu.Lock()
		if err == nil {
			f.runs = append(f.runs, r)
			f.sorting = slices.Delete(f.sorting, 0, 1)
			if len(f.spare) < sortingMax {
				f.spare = append(f.spare, next)
			}
		}
		f.fault = err
		f.shorter.Signal()
		f.mu.Unlock()
	}
}

func (f *fields) make(p *pairs) (*run, error) {
	r := &run{first: p.first}
	for field := range p.of {
		of := &p.of[field]
		r.alike[field] = of.alike
		r.counts[field] = len(of.pairs)
		if of.alike {
			r.counts[field] = int(p.rows)
			r.fences[field] = []uint64{of.hash | uint64(p.first)}
		}
	}
	if f.dir == "" {
		for field := range p.of {
			r.of[field] = new(sorter).sort(p.of[field].pairs)
		}
		return r, nil
	}
	if err := r.write(f.path(p.first), p, &f.sorter); err != nil {
		return nil, fmt.Errorf("ledger: write field index: %w", err)
	}
	return r, nil
}

// sorter sorts pairs, in memory it uses again.
type sorter struct {
	a, b []uint64
	out  []byte // pages on their way to the disk
}

// sort returns the pairs in order of hash, then row, valid until the next call: a radix sort of the upper
// halves, which keeps the rows of equal hashes as they are.
func (s *sorter) sort(of []uint64) []uint64 {
	const bits, passes = 11, 3
	var counts [passes][1 << bits]uint32
	for _, pair := range of {
		counts[0][pair>>32&(1<<bits-1)]++
		counts[1][pair>>(32+bits)&(1<<bits-1)]++
		counts[2][pair>>(32+2*bits)]++
	}
	from := of
	s.a = slices.Grow(s.a[:0], len(of))[:len(of)]
	s.b = slices.Grow(s.b[:0], len(of))[:len(of)]
	for pass := range passes {
		starts, shift := &counts[pass], 32+pass*bits
		if len(of) > 0 && starts[of[0]>>shift&(1<<bits-1)] == uint32(len(of)) {
			continue // all alike
		}
		sum := uint32(0)
		for i, n := range starts {
			starts[i], sum = sum, sum+n
		}
		for _, pair := range from {
			bucket := pair >> shift & (1<<bits - 1)
			s.a[starts[bucket]] = pair
			starts[bucket]++
		}
		from = s.a
		s.a, s.b = s.b, s.a
	}
	return from
}

func (f *fields) path(first uint32) string {
	return filepath.Join(f.dir, fmt.Sprintf("fields-%06d.run", first>>runShift))
}

// alikeMark is set in a stored count if the field is the same in all transfers: it has one fence and no pages.
const alikeMark = 1 << 63

// write puts the run on disk: pages, then, at the end of the last one, a trailer with counts and fences. The file
// is whole once it has its name.
func (r *run) write(path string, p *pairs, sorter *sorter) (err error) {
	d, err := openDisk(path+".tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	b := sorter.pages(r.counts, r.alike)
	at := 0
	var trailer []byte
	for field := range p.of {
		r.starts[field] = int64(at)
		if r.alike[field] {
			trailer = binary.LittleEndian.AppendUint64(trailer, uint64(r.counts[field])|alikeMark)
			trailer = binary.LittleEndian.AppendUint64(trailer, r.fences[field][0])
			continue
		}
		trailer = binary.LittleEndian.AppendUint64(trailer, uint64(r.counts[field]))
		for page := range slices.Chunk(sorter.sort(p.of[field].pairs), pagePairs) {
			r.fences[field] = append(r.fences[field], page[0])
			trailer = binary.LittleEndian.AppendUint64(trailer, page[0])
			out := b[at : at+pageBytes]
			for i, pair := range page {
				binary.LittleEndian.PutUint64(out[8*i:], pair)
			}
			clear(out[8*len(page):])
			binary.LittleEndian.PutUint64(out[pageBytes-8:], uint64(crc32.Checksum(out[:pageBytes-8], castagnoli)))
			at += pageBytes
		}
	}
	trailer = binary.LittleEndian.AppendUint32(trailer, uint32(len(trailer)))
	trailer = binary.LittleEndian.AppendUint32(trailer, crc32.Checksum(trailer, castagnoli))
	clear(b[at : len(b)-len(trailer)])
	copy(b[len(b)-len(trailer):], trailer)
	if err := d.write(0, b); err != nil {
		return err
	}
	if err := errors.Join(d.sync(), os.Rename(path+".tmp", path)); err != nil {
		return err
	}
	d.warm(0, int64(len(b)))
	r.disk = d
	return nil
}

// pages is the memory for a run's file, used again.
func (s *sorter) pages(counts [fieldCount]int, alike [fieldCount]bool) []byte {
	fences, pages := 0, 0
	for field, n := range counts {
		if alike[field] {
			fences++
			continue
		}
		pages += (n + pagePairs - 1) / pagePairs
	}
	trailer := 8*(fieldCount+fences+pages) + 8
	length := pages*pageBytes + (trailer+pageBytes-1)/pageBytes*pageBytes
	if len(s.out) < length {
		s.out = alignedBytes(length)
	}
	return s.out[:length]
}

// openRun opens a run on disk, or reports that it must be built again.
func openRun(path string, first uint32) (*run, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &run{first: first, disk: &disk{File: file}}
	if err := r.readTrailer(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return r, nil
}

func (r *run) readTrailer() error {
	stat, err := r.disk.Stat()
	if err != nil {
		return err
	}
	damaged := fmt.Errorf("%w: %s", ErrDamaged, r.disk.Name())
	var end [8]byte
	if stat.Size() < int64(len(end)) {
		return damaged
	}
	if _, err := r.disk.ReadAt(end[:], stat.Size()-8); err != nil {
		return err
	}
	length := int64(binary.LittleEndian.Uint32(end[:]))
	if length > stat.Size()-8 {
		return damaged
	}
	b := make([]byte, length+4)
	if _, err := r.disk.ReadAt(b, stat.Size()-8-length); err != nil {
		return err
	}
	if crc32.Checksum(b, castagnoli) != binary.LittleEndian.Uint32(end[4:]) {
		return damaged
	}
	b = b[:length]
	at := int64(0)
	for field := range fieldCount {
		if len(b) < 8 || binary.LittleEndian.Uint64(b)&^alikeMark > runRows {
			return damaged
		}
		r.alike[field] = binary.LittleEndian.Uint64(b)&alikeMark != 0
		r.counts[field] = int(binary.LittleEndian.Uint64(b) &^ alikeMark)
		pages := (r.counts[field] + pagePairs - 1) / pagePairs
		fences := pages
		if r.alike[field] {
			pages, fences = 0, 1
		}
		if b = b[8:]; len(b) < 8*fences {
			return damaged
		}
		r.starts[field] = at
		for i := range fences {
			r.fences[field] = append(r.fences[field], binary.LittleEndian.Uint64(b[8*i:]))
		}
		b = b[8*fences:]
		at += int64(pages) * pageBytes
	}
	if end := at + length + 8; len(b) != 0 || (end+pageBytes-1)/pageBytes*pageBytes != stat.Size() {
		return damaged
	}
	return nil
}

// pair returns pair i of a field, reading its page into space unless it is there.
func (r *run) pair(field, i int, space *page) uint64 {
	switch {
	case r.alike[field]:
		return r.fences[field][0] + uint64(i)
	case r.disk == nil:
		return r.of[field][i]
	}
	number := i / pagePairs
	if space.run != r || space.field != field || space.number != number {
		offset := r.starts[field] + int64(number)*pageBytes
		if _, err := r.disk.ReadAt(space.bytes[:], offset); err != nil {
			panic(fmt.Errorf("%w: %s at offset %d: %w", ErrDamaged, r.disk.Name(), offset, err))
		}
		if uint64(crc32.Checksum(space.bytes[:pageBytes-8], castagnoli)) != binary.LittleEndian.Uint64(space.bytes[pageBytes-8:]) {
			panic(fmt.Errorf("%w: %s at offset %d: wrong checksum", ErrDamaged, r.disk.Name(), offset))
		}
		space.run, space.field, space.number = r, field, number
	}
	return binary.LittleEndian.Uint64(space.bytes[8*(i%pagePairs):])
}

// page is the page of a run read last.
type page struct {
	run    *run
	field  int
	number int
	bytes  [pageBytes]byte
}

// from is the first pair of a field that is at least the one given.
func (r *run) from(field int, pair uint64, space *page) int {
	low, high := 0, r.counts[field]
	if r.disk != nil && !r.alike[field] {
		number := sort.Search(len(r.fences[field]), func(i int) bool { return r.fences[field][i] >= pair })
		low, high = max(0, number-1)*pagePairs, min(number*pagePairs, high)
	}
	return low + sort.Search(high-low, func(i int) bool { return r.pair(field, low+i, space) >= pair })
}

// candidates offers, in the query's order, the rows from low to high (exclusive) that may match, until
// take refuses more. The engine is locked for reading.
func (f *fields) candidates(q *fieldQuery, low, high uint32, take func(row uint32) bool) {
	hashes, named := fieldHashes(q.UserData128, q.UserData64, q.UserData32, q.Ledger, q.Code)
	if !slices.Contains(named[:], true) {
		q.scan(low, high, take)
		return
	}
	f.mu.Lock()
	runs, lists := slices.Clone(f.runs), append(slices.Clone(f.sorting), f.fill)
	for _, p := range lists {
		p.readers++
	}
	filled, now := f.filled, *f.fill // as it is now: it grows meanwhile
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, p := range lists {
			p.readers--
		}
	}()

	parts := make([]func() bool, 0, len(runs)+len(lists)+1)
	for _, r := range runs {
		if low < r.first+runRows && r.first < high {
			parts = append(parts, func() bool { return r.offer(q, hashes, named, low, high, take) })
		}
	}
	for _, p := range append(lists[:len(lists)-1:len(lists)-1], &now) {
		parts = append(parts, func() bool { return p.offer(q, hashes, named, low, high, take) })
	}
	parts = append(parts, func() bool { return q.scan(max(low, filled), max(high, filled), take) })
	if q.reversed() {
		slices.Reverse(parts)
	}
	for _, offer := range parts {
		if !offer() {
			return
		}
	}
}

// offer takes the named field with the fewest pairs in this run.
func (r *run) offer(q *fieldQuery, hashes [fieldCount]uint64, named [fieldCount]bool, low, high uint32, take func(row uint32) bool) bool {
	var space page
	field, from, to := -1, 0, 0
	for i := range fieldCount {
		if !named[i] {
			continue
		}
		a := r.from(i, pairOf(hashes[i], low), &space)
		b := a
		if high > low {
			b = r.from(i, pairOf(hashes[i], high-1)+1, &space)
		}
		if field < 0 || b-a < to-from {
			field, from, to = i, a, b
		}
		if b == a {
			return true
		}
	}
	return q.scan(uint32(from), uint32(to), func(i uint32) bool {
		return take(uint32(r.pair(field, int(i), &space)))
	})
}

// offer looks through the pairs of the named field that usually selects most.
func (p *pairs) offer(q *fieldQuery, hashes [fieldCount]uint64, named [fieldCount]bool, low, high uint32, take func(row uint32) bool) bool {
	field := slices.Index(named[:], true)
	c, hash := &p.of[field], hashes[field]>>32
	if c.alike {
		if c.hash>>32 != hash {
			return true
		}
		from := max(low, p.first)
		return q.scan(from, max(from, min(high, p.first+p.rows)), take)
	}
	return q.scan(0, uint32(len(c.pairs)), func(i uint32) bool {
		row := uint32(c.pairs[i])
		return c.pairs[i]>>32 != hash || row < low || row >= high || take(row)
	})
}

// restore opens the runs of the first transfers and enters those behind them again.
func (f *fields) restore(e *Engine) error {
	full := e.transfers.n &^ (blockRows - 1)
	for first := uint32(0); first+runRows <= full; first += runRows {
		r, err := openRun(f.path(first), first)
		if err != nil {
			break // it and those behind it are built again
		}
		f.runs = append(f.runs, r)
	}
	if err := f.forget(); err != nil {
		return err
	}
	f.filled = uint32(len(f.runs)) << runShift
	f.fill.first = f.filled
	block := alignedBytes(blockBytes[transferRow]())
	for first := f.filled; first < full; first += blockRows {
		if err := e.transfers.file.loadBlock(first>>blockShift, block); err != nil {
			return err
		}
		if err := f.enter(block); err != nil {
			return err
		}
	}
	return nil
}

// forget removes the runs that are not open. They are of transfers that an earlier process made behind the
// snapshot; those made again need not be the same, since its log may have lost the last of them.
func (f *fields) forget() error {
	paths, err := filepath.Glob(filepath.Join(f.dir, "fields-*.run"))
	for _, path := range paths {
		if !slices.ContainsFunc(f.runs, func(r *run) bool { return f.path(r.first) == path }) {
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// close waits for the run being built.
func (f *fields) close() error {
	f.ended.Wait()
	errs := []error{f.fault}
	for _, r := range f.runs {
		if r.disk != nil {
			errs = append(errs, r.disk.Close())
		}
	}
	return errors.Join(errs...)
}
