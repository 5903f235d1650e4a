package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"
)

// rows is an append-only list whose older part is on disk. The newest blocks are in memory; a full
// block is written by the store's goroutine and its memory used again once enough newer ones exist.
// Without a store everything stays in memory. Rows hold no pointers and never change once the batch
// that made them is over.
//
// A block is laid out in memory as it is on disk, so that writing one copies nothing: pages of as many rows as
// fit before a CRC-32C of the page's number and bytes, which tells a damaged or misplaced page from a good one. A
// block is written once, when it is full. The files are not flushed by themselves: a snapshot says up to where
// they count and has itself the rows of the block that was not full, and what lies behind is made again from
// the log.
type rows[T any] struct {
	n      uint32
	arena  *arena   // has the large blocks
	blocks [][]byte // by number; nil: only on disk
	first  uint32   // block in memory
	file   *rowFile // nil: no store
	sealed uint32   // blocks handed to the store
}

const (
	blockShift = 12
	blockRows  = 1 << blockShift

	// pageBytes is the unit of what is written, read and checked: direct writes are aligned with it on any disk
	// of today.
	pageBytes = 4096
	// checkBytes is the length of the checksum at the end of a page.
	checkBytes = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// pageRows is how many rows a page holds.
func pageRows[T any]() int {
	var row T
	return (pageBytes - checkBytes) / int(unsafe.Sizeof(row))
}

// blockBytes is the length of a block, in memory and on disk.
func blockBytes[T any]() int {
	return (blockRows + pageRows[T]() - 1) / pageRows[T]() * pageBytes
}

// offsetIn is where row i lies in its block.
func offsetIn[T any](i uint32) int {
	var row T
	per := uint32(pageBytes-checkBytes) / uint32(unsafe.Sizeof(row))
	i &= blockRows - 1
	return int(i/per*pageBytes + i%per*uint32(unsafe.Sizeof(row)))
}

// rowIn returns row i of the list from the block it lies in.
func rowIn[T any](block []byte, i uint32) *T {
	return (*T)(unsafe.Pointer(&block[offsetIn[T](i)]))
}

// add appends a row and returns its place. The row holds whatever was there before: the caller writes
// all of it. Pointers to other rows are not valid any more.
func (r *rows[T]) add() (uint32, *T) {
	i := r.n
	block := i >> blockShift
	if int(block) == len(r.blocks) {
		if i >= rowsMax {
			panic("embedded: a table is full")
		}
		r.blocks = append(r.blocks, r.memory())
	}
	r.n++
	return i, rowIn[T](r.blocks[block], i)
}

// ahead reads where the next n rows will be written, as far as they lie in the block begun: nobody has used
// that memory for long, and a write would wait for it. What it returns means nothing.
func (r *rows[T]) ahead(n int) (sink uint64) {
	const line = 64
	if int(r.n>>blockShift) == len(r.blocks) {
		return 0
	}
	block := r.blocks[r.n>>blockShift]
	last := min(r.n+uint32(n), r.n|(blockRows-1))
	for at := offsetIn[T](r.n); at <= offsetIn[T](last); at += line {
		sink ^= uint64(block[at])
	}
	return sink
}

// memory for another block: that of the oldest one, if so many are in memory, or new. Small blocks lie in the heap, and so
// does the first one: most lists of a test never fill it.
func (r *rows[T]) memory() []byte {
	size := blockBytes[T]()
	switch {
	case r.file != nil && len(r.blocks)-int(r.first) >= r.file.residentMax:
		r.file.store.wait(r.file, int64(r.first)+1)
		oldest := r.blocks[r.first]
		r.blocks[r.first] = nil
		r.first++
		return oldest
	case len(r.blocks) == 0 || size < largeBlock:
		return alignedBytes(size)
	case r.arena == nil:
		r.arena = &arena{once: true} // without a file a block is kept
	}
	return r.arena.take(size)
}

// largeBlock is the size from which blocks are worth memory outside the heap.
const largeBlock = 512 << 10

// alignedBytes allocates n bytes that begin at a page, as direct writes want them.
func alignedBytes(n int) []byte {
	b := make([]byte, n+pageBytes)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (pageBytes - 1)
	return b[skip : skip+n : skip+n]
}

// get returns row i, read into the given space if it is on disk only. The pointer is valid until the
// next add.
func (r *rows[T]) get(i uint32, into *T) *T {
	if block := r.blocks[i>>blockShift]; block != nil {
		return rowIn[T](block, i)
	}
	if err := r.file.load(i, bytesOf(unsafe.Slice(into, 1))); err != nil {
		panic(err) // it can't be answered otherwise than by stopping; a read catches it
	}
	return into
}

// seal hands the blocks that are full to the store. Called between batches: what a chain may still undo
// is never on its way to the disk.
func (r *rows[T]) seal() {
	if r.file == nil {
		return
	}
	for ; r.sealed < r.n>>blockShift; r.sealed++ {
		r.file.store.queue(job{r.file, r.sealed, r.blocks[r.sealed]})
	}
}

// tail copies the rows that are in no full block, which a snapshot keeps. Called between batches.
func (r *rows[T]) tail() []byte {
	var out []T
	for i := r.sealed << blockShift; i < r.n; i++ {
		out = append(out, *rowIn[T](r.blocks[i>>blockShift], i))
	}
	return bytesOf(out)
}

// restore makes the list the first n rows of its file, the last of them given by a snapshot.
func (r *rows[T]) restore(n uint32, tail []byte) error {
	r.n, r.sealed = n, n>>blockShift
	r.first = r.sealed
	r.blocks = make([][]byte, r.sealed)
	r.file.written.Store(int64(r.sealed))
	r.file.warmed = int64(r.sealed) * int64(r.file.blockBytes) / hugePage * hugePage
	last := rowsIn[T](tail)
	if len(last) != int(n&(blockRows-1)) {
		return fmt.Errorf("%w: %s: the snapshot has %d of the last %d rows", ErrDamaged, r.file.disk.Name(), len(last), n&(blockRows-1))
	}
	if len(last) > 0 {
		r.blocks = append(r.blocks, alignedBytes(blockBytes[T]()))
		for i := range last {
			*rowIn[T](r.blocks[r.sealed], uint32(i)) = last[i]
		}
	}
	return r.file.holds(r.sealed)
}

// rowFile is the part of a list of rows on disk.
type rowFile struct {
	store       *store
	arena       *arena // who writes its blocks keeps their memory
	disk        *disk
	size        int                                     // bytes of a row
	pageRows    int                                     // rows of a page
	blockBytes  int                                     // bytes of a block
	residentMax int                                     // blocks in memory
	written     atomic.Int64                            // blocks on disk, counted from the first
	entered     func(number uint32, block []byte) error // called with each block before it is written; nil: nothing to do
	passed      func() error                            // called when blocks are written that were entered before; nil: nothing to do
	warmed      int64                                   // bytes in the page cache or never to be brought there, counted from the first
	pages       sync.Pool
}

func openRows[T any](s *store, path string, residentBytes int) (rows[T], error) {
	var row T
	d, err := openDisk(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return rows[T]{}, fmt.Errorf("ledger: %w", err)
	}
	file := &rowFile{
		store: s, arena: new(arena), disk: d, size: int(unsafe.Sizeof(row)), pageRows: pageRows[T](), blockBytes: blockBytes[T](),
		residentMax: max(residentBytesMin, residentBytes) / blockBytes[T](),
	}
	file.residentMax = max(file.residentMax, residentBlocksMin)
	file.pages.New = func() any { return new([pageBytes]byte) }
	s.files = append(s.files, file)
	return rows[T]{file: file, arena: file.arena}, nil
}

// A batch can add 8,189 rows, which lie in at most four blocks; those must stay in memory until it is over.
const (
	residentBlocksMin = 8
	residentBytesMin  = 1 << 20
)

// sumOf is the checksum of the page with this number in its file.
func sumOf(number int64, page []byte) uint32 {
	var head [8]byte
	binary.LittleEndian.PutUint64(head[:], uint64(number))
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, page[:pageBytes-checkBytes])
}

// write puts consecutive blocks on disk with the checksums of their pages. Only this goroutine touches those. What is to be
// entered is entered while the block is near the processor.
func (f *rowFile) write(first uint32, blocks [][]byte) error {
	pages := int64(f.blockBytes / pageBytes)
	for i, block := range blocks {
		number := (int64(first) + int64(i)) * pages
		for at := 0; at < len(block); at += pageBytes {
			page := block[at : at+pageBytes]
			binary.LittleEndian.PutUint32(page[pageBytes-checkBytes:], sumOf(number+int64(at/pageBytes), page))
		}
		if f.entered != nil {
			if err := f.entered(first+uint32(i), block); err != nil {
				return err
			}
		}
	}
	if err := f.disk.write(int64(first)*int64(f.blockBytes), blocks...); err != nil || f.passed == nil {
		return err
	}
	return f.passed()
}

// warmMax is how much of a file is brought into the page cache at a time.
const warmMax = 8 * hugePage

// warm brings more of what is written into the page cache, as far as it fills huge pages, or reports that there is nothing.
// Only the store's goroutine for it calls this.
func (f *rowFile) warm() bool {
	n := min(warmMax, (f.written.Load()*int64(f.blockBytes)-f.warmed)/hugePage*hugePage)
	if n > 0 {
		f.disk.warm(f.warmed, n)
		f.warmed += n
	}
	return n > 0
}

// check compares the page with this number with its checksum.
func (f *rowFile) check(number int64, page []byte) error {
	if sumOf(number, page) != binary.LittleEndian.Uint32(page[pageBytes-checkBytes:]) {
		return fmt.Errorf("%w: %s at offset %d: wrong checksum", ErrDamaged, f.disk.Name(), number*pageBytes)
	}
	return nil
}

// load reads row i into b.
func (f *rowFile) load(i uint32, b []byte) error {
	page := f.pages.Get().(*[pageBytes]byte)
	defer f.pages.Put(page)
	place := int(i & (blockRows - 1))
	number := int64(i>>blockShift)*int64(f.blockBytes/pageBytes) + int64(place/f.pageRows)
	if _, err := f.disk.ReadAt(page[:], number*pageBytes); err != nil {
		return fmt.Errorf("%w: %s, row %d: %w", ErrDamaged, f.disk.Name(), i, err)
	}
	if err := f.check(number, page[:]); err != nil {
		return err
	}
	copy(b, page[place%f.pageRows*f.size:][:f.size])
	return nil
}

// loadBlock reads a block that is on disk.
func (f *rowFile) loadBlock(number uint32, block []byte) error {
	first := int64(number) * int64(f.blockBytes/pageBytes)
	if _, err := f.disk.ReadAt(block, first*pageBytes); err != nil {
		return fmt.Errorf("%w: %s, block %d: %w", ErrDamaged, f.disk.Name(), number, err)
	}
	for at := 0; at < len(block); at += pageBytes {
		if err := f.check(first+int64(at/pageBytes), block[at:at+pageBytes]); err != nil {
			return err
		}
	}
	return nil
}

// holds reports whether so many blocks are there.
func (f *rowFile) holds(blocks uint32) error {
	stat, err := f.disk.Stat()
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if need := int64(blocks) * int64(f.blockBytes); stat.Size() < need {
		return fmt.Errorf("%w: %s has %d bytes, its snapshot counts on %d", ErrDamaged, f.disk.Name(), stat.Size(), need)
	}
	return nil
}
