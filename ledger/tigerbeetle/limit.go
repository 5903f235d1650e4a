package tigerbeetle

// batchLimit learns how many events a request may have. The cluster tells the client library and
// the library tells nobody, but it refuses what is too large at once and without sending it.
// Between the largest size accepted and the smallest refused, the middle is tried, until they meet.
type batchLimit struct {
	max     int // what is tried while nothing was refused
	largest int // accepted
	least   int // refused; 0: none was
}

func newBatchLimit(max int) batchLimit { return batchLimit{max: max} }

// next is the size to fill a request to.
func (b *batchLimit) next() int {
	if b.least == 0 {
		return b.max
	}
	return max(1, (b.largest+b.least)/2)
}

// allows reports whether size isn't known to be too large.
func (b *batchLimit) allows(size int) bool {
	return size <= b.max && (b.least == 0 || size < b.least)
}

// accepted notes that a request of this size went through. Where an earlier refusal says otherwise,
// it came from another cluster behind the same name.
func (b *batchLimit) accepted(size int) {
	b.largest = max(b.largest, size)
	if b.least != 0 && size >= b.least {
		b.least = 0
	}
}

// refused notes that a request of this size did not.
func (b *batchLimit) refused(size int) {
	if b.least == 0 || size < b.least {
		b.least = size
	}
	if b.largest >= size {
		b.largest = 0
	}
}
