package embedded

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

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
	block := alignedBytes(hugePage)
	for i := range block {
		block[i] = byte(i / pageBytes)
	}
	if err := d.write(0, block, block[:pageBytes]); err != nil {
		t.Fatal(err)
	}
	memory, err := unix.Mmap(int(d.Fd()), 0, hugePage, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(memory)
	cached := func() (pages int) {
		in := make([]byte, hugePage/pageBytes)
		if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&memory[0])), hugePage, uintptr(unsafe.Pointer(&in[0]))); errno != 0 {
			t.Fatal(errno)
		}
		for _, page := range in {
			pages += int(page & 1)
		}
		return pages
	}
	before := cached()
	d.warm(0, hugePage)
	if after := cached(); after != hugePage/pageBytes {
		t.Errorf("%d pages are there, %d before", after, before)
	}
	if !bytes.Equal(memory, block) {
		t.Error("something else is there")
	}
}
