package handoff

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestPartsLieOneBehindTheOther: a block in the wrong place would be found damaged when it is read.
func TestPartsLieOneBehindTheOther(t *testing.T) {
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "f"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	part := func(b []byte) unix.Iovec { return unix.Iovec{Base: &b[0], Len: uint64(len(b))} }
	n, err := Pwritev(int(f.Fd()), []unix.Iovec{part([]byte("acc")), part([]byte("ount"))}, 2)
	if n != 7 || err != nil {
		t.Fatal(n, err)
	}
	if err := Fdatasync(int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	n, err = PwritevThrough(int(f.Fd()), []unix.Iovec{part([]byte("s of")), part([]byte(" all"))}, 9)
	if n != 8 || err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Fatal(n, err)
	}
	if b, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(b, []byte("\x00\x00accounts of all")) {
		t.Fatalf("%q %v", b, err)
	}
}

// TestRefusalsAreErrors: a write that failed must not count.
func TestRefusalsAreErrors(t *testing.T) {
	var b [1]byte
	if n, err := Pwritev(-1, []unix.Iovec{{Base: &b[0], Len: 1}}, 0); n != 0 || !errors.Is(err, unix.EBADF) {
		t.Fatal(n, err)
	}
	if n, err := PwritevThrough(-1, []unix.Iovec{{Base: &b[0], Len: 1}}, 0); n != 0 || !errors.Is(err, unix.EBADF) {
		t.Fatal(n, err)
	}
	if err := Fdatasync(-1); !errors.Is(err, unix.EBADF) {
		t.Fatal(err)
	}
	memory, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(memory)
	if err := Madvise(memory, -1); !errors.Is(err, unix.EINVAL) {
		t.Fatal(err)
	}
}

// TestOthersRunMeanwhile: with one processor, who works is not kept waiting by who waits, and both go on afterwards, also
// while memory is collected.
func TestOthersRunMeanwhile(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const waits = 5 * time.Millisecond
	ended := make(chan error)
	go func() {
		for range 50 {
			pause := unix.NsecToTimespec(int64(waits))
			if _, errno := call(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0, 0, 0, 0); errno != 0 && !errors.Is(errno, syscall.EINTR) {
				ended <- errno
				return
			}
		}
		close(ended)
	}()
	for steps := 0; ; steps++ {
		select {
		case err := <-ended:
			if err != nil || steps < 50 {
				t.Fatalf("%d steps meanwhile, %v", steps, err)
			}
			return
		default:
			runtime.GC()
		}
	}
}
