// Package handoff makes system calls that wait for a disk without keeping one of Go's processors meanwhile.
//
// The runtime takes a system call for a short one: its thread keeps the processor (of GOMAXPROCS) until a watcher comes
// round and finds the call still under way. The watcher rests for up to ten milliseconds when there was nothing to do,
// which is longer than most writes and flushes take, so that while they last one processor does nothing: on one core all
// of it, a quarter of the time of a ledger under full load. Here the processor goes to who can run before the call begins,
// by the same two functions of the runtime that the standard library's waiting calls use. Once it is back, the caller
// queues for a processor like anybody else: calls worth it are those of a millisecond, on goroutines that nobody waits for.
package handoff

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The runtime promises to keep these as they are (go.dev/issue/67401).

//go:linkname entersyscallblock runtime.entersyscallblock
//go:nosplit
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
//go:nosplit
func exitsyscall()

// call makes a system call. Between the two calls of the runtime there is no processor, so nothing may happen there that
// needs one: no growing of the stack, no race detector.
//
//go:uintptrescapes
//go:nosplit
//go:norace
func call(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1 uintptr, errno syscall.Errno) {
	entersyscallblock()
	r1, _, errno = syscall.RawSyscall6(trap, a1, a2, a3, a4, a5, a6)
	exitsyscall()
	return r1, errno
}

// retried makes a call again while a signal cuts it short.
func retried(call func() (uintptr, syscall.Errno)) (int, error) {
	for {
		switch n, errno := call(); errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// Pwritev is pwritev(2) on an open file: the parts, at most 1,024, one behind the other from offset on. As that does, it
// may write less than all.
func Pwritev(fd int, parts []unix.Iovec, offset int64) (int, error) {
	return pwritev(fd, parts, offset, 0)
}

// PwritevThrough is Pwritev and, of what it writes, Fdatasync in one call (RWF_DSYNC). The error of a system or a file system
// that can't is errors.ErrUnsupported, and nothing was written; any other may be that of the flush.
func PwritevThrough(fd int, parts []unix.Iovec, offset int64) (int, error) {
	return pwritev(fd, parts, offset, unix.RWF_DSYNC)
}

func pwritev(fd int, parts []unix.Iovec, offset int64, flags uintptr) (int, error) {
	if len(parts) == 0 {
		return 0, nil
	}
	return retried(func() (uintptr, syscall.Errno) {
		// Of the offset's two halves a 64-bit system reads the first.
		return call(unix.SYS_PWRITEV2, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(parts))), uintptr(len(parts)), uintptr(offset), 0, flags)
	})
}

// Fdatasync is fdatasync(2).
func Fdatasync(fd int) error {
	_, err := retried(func() (uintptr, syscall.Errno) { return call(unix.SYS_FDATASYNC, uintptr(fd), 0, 0, 0, 0, 0) })
	return err
}

// Madvise is madvise(2) of memory outside the heap, for advice that the kernel follows before it returns.
func Madvise(b []byte, advice int) error {
	if len(b) == 0 {
		return nil
	}
	_, err := retried(func() (uintptr, syscall.Errno) {
		return call(unix.SYS_MADVISE, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(advice), 0, 0, 0)
	})
	return err
}
