package embedded

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Packed requests. Most of a request is zeros and what all its transfers share: currency, code, date, the upper
// halves of numbers. So the log has, of each word of the wire's form, those bytes for each row that differ from row to
// row, and the others once:
//
//	rows (2)
//	parts of packedRows rows each, the last of what is left:
//	    for each of the 16 words a byte: how many of its bytes each row gives (lower half), and how many bytes these lie
//	    above the word's lowest (upper half)
//	    the first row (128), which has the other bytes
//	    for each of the 16 words: what each row gives
//	packedEnd zeros
//
// Numbers are little-endian. A part is small, so that what was read to see which bytes differ is still near the
// processor when these are written.

// wireRow is an account or a transfer as it lies in memory, which is the form of the wire.
type wireRow [wireWords]uint64

const (
	wireWords  = ledger.WireBytes / 8
	packedHead = 2
	// packedRows is how many rows a part has: 16 KiB before they are packed.
	packedRows = 128
	partHead   = wireWords + ledger.WireBytes
	// packedEnd lets what the last row gives be written and read as a whole word, as all is.
	packedEnd = 8
	// packedFrom is the number of rows from which packing is tried.
	packedFrom = 8
)

// given is which bytes of a word each row of a part gives.
type given struct{ bytes, above int }

func givenOf(differing uint64) given {
	if differing == 0 {
		return given{}
	}
	above := bits.TrailingZeros64(differing) / 8
	return given{(bits.Len64(differing)+7)/8 - above, above}
}

// appendPacked appends rows packed, at most batchMax.
func appendPacked(b []byte, rows []wireRow) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(rows)))
	for part := range slices.Chunk(rows, packedRows) {
		b = appendPart(b, part)
	}
	return append(b, make([]byte, packedEnd)...)
}

func appendPart(b []byte, rows []wireRow) []byte {
	differing := differing(rows)
	var of [wireWords]given
	size := partHead
	for w := range of {
		of[w] = givenOf(differing[w])
		size += of[w].bytes * len(rows)
	}
	b = slices.Grow(b, size+packedEnd)
	for _, g := range of {
		b = append(b, byte(g.bytes|g.above<<4))
	}
	for _, word := range rows[0] {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	at := len(b)
	b = b[:len(b)-partHead+size]
	for w, g := range of {
		if g.bytes > 0 {
			give(b[at:len(b)+packedEnd], rows, w, g)
			at += g.bytes * len(rows)
		}
	}
	return b
}

// give writes what each row gives of a word, and up to packedEnd bytes that mean nothing. Were it inlined, the processor
// would have no registers for the loop.
//
//go:noinline
func give(b []byte, rows []wireRow, w int, g given) {
	w &= wireWords - 1
	shift := 8 * g.above & 63
	at := unsafe.Pointer(unsafe.SliceData(b[:g.bytes*len(rows)+packedEnd])) // the only check
	for i := range rows {
		*(*uint64)(at) = rows[i][w] >> shift // the next overwrites what is too much
		at = unsafe.Add(at, g.bytes)
	}
}

// differing has for each word the bits in which some row is not like the first.
func differing(rows []wireRow) (d wireRow) {
	for w := 0; w < wireWords; w += 4 {
		d[w], d[w+1], d[w+2], d[w+3] = differingIn(rows, w)
	}
	return d
}

// differingIn does so for four words, so many as the processor has registers for.
//
//go:noinline
func differingIn(rows []wireRow, w int) (d0, d1, d2, d3 uint64) {
	w &= wireWords - 4
	first := (*[4]uint64)(rows[0][w:])
	f0, f1, f2, f3 := first[0], first[1], first[2], first[3]
	for i := range rows {
		r := (*[4]uint64)(rows[i][w:])
		d0 |= r[0] ^ f0
		d1 |= r[1] ^ f1
		d2 |= r[2] ^ f2
		d3 |= r[3] ^ f3
	}
	return d0, d1, d2, d3
}

// unpack returns the rows that were packed. Whatever the bytes are, it takes no more memory than a full batch.
func unpack[T ledger.Account | ledger.Transfer](b []byte) ([]T, error) {
	malformed := func() ([]T, error) { return nil, fmt.Errorf("%w: a packed request of %d bytes", ErrDamaged, len(b)) }
	if len(b) < packedHead+packedEnd {
		return malformed()
	}
	n := int(binary.LittleEndian.Uint16(b))
	if n > batchMax || len(b)-packedHead-packedEnd < (n+packedRows-1)/packedRows*partHead {
		return malformed()
	}
	out := make([]T, n)
	rest := b[packedHead:]
	for part := range slices.Chunk(sliceOf[wireRow](bytesOf(out)), packedRows) {
		var ok bool
		if rest, ok = unpackPart(rest, part); !ok {
			return malformed()
		}
	}
	if len(rest) != packedEnd {
		return malformed()
	}
	return out, nil
}

// unpackPart reads a part and returns what is behind it.
func unpackPart(b []byte, rows []wireRow) (rest []byte, ok bool) {
	if len(b) < partHead+packedEnd {
		return nil, false
	}
	shapes, b := b[:wireWords], b[wireWords:]
	first, b := b[:ledger.WireBytes], b[ledger.WireBytes:]
	for w, shape := range shapes {
		g := given{int(shape & 15), int(shape >> 4)}
		if g.bytes+g.above > 8 || len(b) < g.bytes*len(rows)+packedEnd {
			return nil, false
		}
		shared := binary.LittleEndian.Uint64(first[8*w:])
		take(b, rows, w, g, shared)
		b = b[g.bytes*len(rows):]
	}
	return b, true
}

// take reads what give wrote.
//
//go:noinline
func take(b []byte, rows []wireRow, w int, g given, shared uint64) {
	w &= wireWords - 1
	mask := ^uint64(0) >> (64 - 8*g.bytes) // of no bytes: 0
	shift, at := 8*g.above&63, 0
	shared &^= mask << shift
	for i := range rows {
		rows[i][w] = shared | binary.LittleEndian.Uint64(b[at:])&mask<<shift
		at += g.bytes
	}
}
