package embedded

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapping is memory outside the Go heap: the garbage collector neither looks at it nor counts it, so
// gigabytes of accounts cost it nothing. It is given back when nobody refers to it any more.
type mapping struct{ bytes []byte }

// hugePage is the size from which memory is worth asking for in huge pages. With ten million accounts
// they take a quarter off a transfer, which touches some ten places at random.
const hugePage = 2 << 20

func mapMemory(size int) *mapping {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		panic(fmt.Sprintf("embedded: no memory for %d bytes: %v", size, err))
	}
	m := &mapping{bytes: b}
	runtime.AddCleanup(m, func(b []byte) { _ = unix.Munmap(b) }, b)
	return m
}

// mapHuge maps memory that begins with a huge page. Small pages serve too, so a refusal is no fault.
func mapHuge(size int) *mapping {
	m := mapMemory(size + hugePage)
	start := int(-uintptr(unsafe.Pointer(unsafe.SliceData(m.bytes))) & (hugePage - 1))
	m.bytes = m.bytes[start : start+size]
	_ = unix.Madvise(m.bytes, unix.MADV_HUGEPAGE)
	return m
}

// arena gives memory for large blocks, one behind the other. It is given back when nobody refers to the arena any more.
type arena struct {
	maps []*mapping
	left []byte // of the last
	// Blocks that are used again and again lie in huge pages. To be used for the first time takes these six times as long as small ones
	// (the system clears them), which is most of what a row costs that is written once.
	once bool
}

// arenaBytes is how much address space an arena takes at a time. Only what is used takes memory.
const arenaBytes = 64 << 20

// take returns n bytes that begin at a page, at most arenaBytes.
func (a *arena) take(n int) []byte {
	if len(a.left) < n {
		m := a.more()
		a.maps = append(a.maps, m)
		a.left = m.bytes
	}
	b := a.left[:n:n]
	a.left = a.left[n:]
	if a.once {
		a.maps[len(a.maps)-1].populate(b)
	}
	return b
}

func (a *arena) more() *mapping {
	if a.once {
		return mapMemory(arenaBytes)
	}
	return mapHuge(arenaBytes)
}

// populate has a part of the memory backed by pages. What is there stays as it is.
func (m *mapping) populate(part []byte) {
	start := -uintptr(unsafe.Pointer(unsafe.SliceData(part))) & (pageBytes - 1)
	if uintptr(len(part)) > start {
		_ = unix.Madvise(part[start:], unix.MADV_POPULATE_WRITE) // older kernels refuse; then pages come when they are used
	}
	runtime.KeepAlive(m)
}

// sliceOf sees memory as rows of T, which must hold no pointers.
func sliceOf[T any](b []byte) []T {
	var row T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(row)))
}

// bytesOf sees rows of T as memory, in this machine's byte order.
func bytesOf[T any](rows []T) []byte {
	var row T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(rows))), len(rows)*int(unsafe.Sizeof(row)))
}

// table is an append-only list of rows that stay in memory and may change in place. It grows by whole
// chunks: a row never moves. T holds no pointers.
type table[T any] struct {
	n      uint32
	chunks [][]T
	maps   []*mapping
}

// chunkRows makes a chunk of accounts exactly one huge page.
const (
	chunkShift = 15
	chunkRows  = 1 << chunkShift
)

// rowsMax is the number of rows a table can hold: references to them have 31 bits.
const rowsMax = 1<<31 - chunkRows

// at returns row i, which must be below n.
func (t *table[T]) at(i uint32) *T { return &t.chunks[i>>chunkShift][i&(chunkRows-1)] }

// add appends a row and returns its place. The row holds whatever a truncation left there: the caller
// writes all of it.
func (t *table[T]) add() (uint32, *T) {
	i := t.n
	if i == uint32(len(t.chunks))<<chunkShift {
		t.grow()
	}
	t.n++
	return i, t.at(i)
}

// grow adds a chunk. The first one is left to small pages: most tables of a test never fill one.
func (t *table[T]) grow() {
	if t.n >= rowsMax {
		panic("embedded: a table is full")
	}
	var row T
	size := chunkRows * int(unsafe.Sizeof(row))
	m := mapMemory(size)
	if len(t.chunks) > 0 && size >= hugePage {
		_ = unix.Madvise(m.bytes, unix.MADV_HUGEPAGE) // the kernel aligns what is a huge page long
	}
	t.maps = append(t.maps, m)
	t.chunks = append(t.chunks, sliceOf[T](m.bytes))
}
