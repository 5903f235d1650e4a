package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rows is an append-only list whose older part is on disk. The newest blocks are in memory; a full
// block is written by the store's goroutine and its memory used again once enough newer ones exist.
// Without a store everything stays in memory. Rows hold no pointers and never change once the batch
// that made them is over.
//
// On disk each row is followed by a CRC-32C of its number and its bytes, so that a read tells a
// damaged or misplaced row from a good one. The files are not flushed by themselves: a snapshot says up
// to where they count, and what lies behind is made again from the log.
type rows[T any] struct {
	n      uint32
	blocks [][]T // by number; nil: only on disk
	first  uint32
	file   *rowFile // nil: no store
	sealed uint32   // blocks handed to the store
}

const (
	blockShift = 12
	blockRows  = 1 << blockShift
)

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
	return i, &r.blocks[block][i&(blockRows-1)]
}

// memory for another block: that of the oldest one, if so many are in memory, or new.
func (r *rows[T]) memory() []T {
	if r.file == nil || len(r.blocks)-int(r.first) < r.file.residentMax {
		return make([]T, blockRows)
	}
	r.file.store.wait(r.file, int64(r.first)+1)
	oldest := r.blocks[r.first]
	r.blocks[r.first] = nil
	r.first++
	return oldest
}

// get returns row i, read into the given space if it is on disk only. The pointer is valid until the
// next add.
func (r *rows[T]) get(i uint32, into *T) *T {
	if block := r.blocks[i>>blockShift]; block != nil {
		return &block[i&(blockRows-1)]
	}
	r.file.read(i, bytesOf(unsafe.Slice(into, 1)))
	return into
}

// seal hands the blocks that are full to the store. Called between batches: what a chain may still undo
// is never on its way to the disk.
func (r *rows[T]) seal() {
	if r.file == nil {
		return
	}
	for ; r.sealed < r.n>>blockShift; r.sealed++ {
		r.file.store.queue(job{r.file, r.sealed << blockShift, bytesOf(r.blocks[r.sealed]), int64(r.sealed) + 1})
	}
}

// flushTo hands everything up to now to the store, the last block as far as it is filled.
func (r *rows[T]) flushTo() {
	if r.file == nil {
		return
	}
	r.seal()
	if rest := r.n & (blockRows - 1); rest != 0 {
		part := append([]T(nil), r.blocks[r.n>>blockShift][:rest]...)
		r.file.store.queue(job{r.file, r.n &^ (blockRows - 1), bytesOf(part), 0})
	}
}

// restore makes the list the first n rows of its file.
func (r *rows[T]) restore(n uint32) error {
	r.n, r.sealed = n, n>>blockShift
	r.first = r.sealed
	r.blocks = make([][]T, r.sealed)
	r.file.written.Store(int64(r.sealed))
	if n&(blockRows-1) == 0 {
		return r.file.holds(n)
	}
	block := make([]T, blockRows)
	r.blocks = append(r.blocks, block)
	for i := r.sealed << blockShift; i < n; i++ {
		if err := r.file.load(i, bytesOf(block[i&(blockRows-1):][:1])); err != nil {
			return err
		}
	}
	return nil
}

// rowFile is the part of a list of rows on disk.
type rowFile struct {
	store       *store
	file        *os.File
	size        int                      // bytes of a row
	residentMax int                      // blocks in memory
	written     atomic.Int64             // blocks on disk, counted from the first
	entered     func(block []byte) error // called with each block once it is written; nil: nothing to do
	buffers     sync.Pool
}

// checkBytes is the length of the checksum behind each row.
const checkBytes = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func openRows[T any](s *store, path string, residentBytes int) (rows[T], error) {
	var row T
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return rows[T]{}, fmt.Errorf("ledger: %w", err)
	}
	size := int(unsafe.Sizeof(row))
	file := &rowFile{store: s, file: f, size: size, residentMax: max(residentBytesMin, residentBytes) / (size * blockRows)}
	file.residentMax = max(file.residentMax, residentBlocksMin)
	file.buffers.New = func() any { b := make([]byte, size+checkBytes); return &b }
	s.files = append(s.files, file)
	return rows[T]{file: file}, nil
}

// A batch can add 8,189 rows, which lie in at most four blocks; those must stay in memory until it is over.
const (
	residentBlocksMin = 8
	residentBytesMin  = 1 << 20
)

func sumOf(i uint32, row []byte) uint32 {
	var number [4]byte
	binary.LittleEndian.PutUint32(number[:], i)
	return crc32.Update(crc32.Checksum(number[:], castagnoli), castagnoli, row)
}

// load reads row i into b.
func (f *rowFile) load(i uint32, b []byte) error {
	buffer := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(buffer)
	stored := *buffer
	if _, err := f.file.ReadAt(stored, int64(i)*int64(len(stored))); err != nil {
		return fmt.Errorf("%w: %s, row %d: %w", ErrDamaged, f.file.Name(), i, err)
	}
	if sumOf(i, stored[:f.size]) != binary.LittleEndian.Uint32(stored[f.size:]) {
		return fmt.Errorf("%w: %s, row %d at offset %d: wrong checksum", ErrDamaged, f.file.Name(), i, int64(i)*int64(len(stored)))
	}
	copy(b, stored)
	return nil
}

// read is load where a fault can't be answered otherwise than by stopping.
func (f *rowFile) read(i uint32, b []byte) {
	if err := f.load(i, b); err != nil {
		panic(err)
	}
}

// holds reports whether n rows are there.
func (f *rowFile) holds(n uint32) error {
	stat, err := f.file.Stat()
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if need := int64(n) * int64(f.size+checkBytes); stat.Size() < need {
		return fmt.Errorf("%w: %s has %d bytes, its snapshot counts on %d", ErrDamaged, f.file.Name(), stat.Size(), need)
	}
	return nil
}

func (f *rowFile) sync() error { return unix.Fdatasync(int(f.file.Fd())) }
