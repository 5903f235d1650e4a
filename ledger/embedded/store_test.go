package embedded

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// A block written where another belongs is found damaged when somebody asks for one of its transfers.
func TestOnlyBlocksThatFollowEachOtherAreWrittenTogether(t *testing.T) {
	s := &store{jobs: make(chan job, jobsMax)}
	one, other := new(rowFile), new(rowFile)
	waiting := []job{{file: one, number: 5}, {file: one, number: 6}, {file: other, number: 7}, {file: other, number: 9}}
	for n := range uint32(togetherMax + 1) {
		waiting = append(waiting, job{file: one, number: 10 + n})
	}
	for _, j := range waiting {
		s.jobs <- j
	}
	var sizes []int
	var order []uint32
	for next, more := <-s.jobs, true; more; {
		var together []job
		together, next, more = s.gather([]job{next})
		sizes = append(sizes, len(together))
		for _, j := range together {
			order = append(order, j.number)
		}
		if !more && len(s.jobs) > 0 {
			next, more = <-s.jobs, true
		}
	}
	if !slices.Equal(sizes, []int{2, 1, 1, togetherMax, 1}) {
		t.Errorf("written together: %v", sizes)
	}
	for i, j := range waiting {
		if order[i] != j.number {
			t.Fatalf("the order is %v", order)
		}
	}
}

// A disk may take a part of a write; the rest must go behind it, not over it.
func TestWhatIsLeftOfAWriteBeginsWhereItEnded(t *testing.T) {
	parts := []string{"abc", "d", "efgh"}
	for n := range 9 {
		var vector []unix.Iovec
		for _, part := range parts {
			b := []byte(part)
			vector = append(vector, unix.Iovec{Base: &b[0], Len: uint64(len(b))})
		}
		var got []byte
		for _, part := range rest(vector, uint64(n)) {
			got = append(got, bytesIn(part)...)
		}
		if want := "abcdefgh"[n:]; string(got) != want {
			t.Errorf("after %d bytes %q is left, not %q", n, got, want)
		}
	}
}

// Old transfers are looked up in microseconds because what was written is in memory, though nobody copied it there.
func TestWhatWasWrittenIsBroughtIntoThePageCache(t *testing.T) {
	d, err := openDisk(filepath.Join(t.TempDir(), "rows"), os.O_RDWR|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.direct == nil {
		t.Skip("this file system takes no direct writes")
	}
	block := alignedBytes(hugePage)
	for i := range block {
		block[i] = byte(i / pageBytes)
	}
	if err := d.write(0, block, block[:pageBytes]); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, pageBytes)
	const last = hugePage - pageBytes
	cached := func() error {
		_, err := unix.Preadv2(int(d.Fd()), [][]byte{got}, last, unix.RWF_NOWAIT)
		return err
	}
	if err := cached(); !errors.Is(err, unix.EAGAIN) {
		t.Skipf("this system does not say what is in the page cache: %v", err)
	}
	d.warm(0, hugePage)
	if err := cached(); err != nil || !bytes.Equal(got, block[last:]) {
		t.Fatalf("the last page is not there: %v", err)
	}
}
