package embedded

// table is an append-only list in chunks: growing never copies a row, a row never moves, and with
// rows free of pointers the garbage collector doesn't look inside. The zero value is empty.
//
// A copy of a table is a view of its rows at that moment. Rows below the view's length that are
// never rewritten may be read through it while the original grows.
type table[T any] struct {
	chunks []*[chunkRows]T
	n      uint32
}

// chunkRows balances the pause of zeroing a new chunk (half a megabyte of transfers) against the
// length of the chunk list.
const (
	chunkShift = 12
	chunkRows  = 1 << chunkShift
)

// rowsMax is the number of rows a table can hold: references to them have 31 bits.
const rowsMax = 1<<31 - chunkRows

// at returns row i, which must be below n.
func (t *table[T]) at(i uint32) *T { return &t.chunks[i>>chunkShift][i&(chunkRows-1)] }

// add appends a row and returns its place. The row holds whatever a truncation left there: the
// caller writes all of it.
func (t *table[T]) add() (uint32, *T) {
	i := t.n
	if i == uint32(len(t.chunks))<<chunkShift {
		if i >= rowsMax {
			panic("embedded: a table is full")
		}
		t.chunks = append(t.chunks, new([chunkRows]T))
	}
	t.n++
	return i, t.at(i)
}
