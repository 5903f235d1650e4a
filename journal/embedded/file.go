package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/internal/handoff"
)

// file is what the journal needs of a file; tests put failing and lying ones in its place.
type file interface {
	io.ReaderAt
	io.WriterAt
	// Datasync flushes data and what is needed to find it again.
	Datasync() error
	// WriteAside writes what nobody waits for, and keeps no processor of Go's meanwhile.
	WriteAside(b []byte, offset int64) error
	// WriteThrough writes and flushes at once. The error of a file that can't is errors.ErrUnsupported, and nothing was
	// written; after any other nobody knows whether it was the flush that failed.
	WriteThrough(b []byte, offset int64) error
	Truncate(size int64) error
	// Reserve takes room on the disk for size bytes in all.
	Reserve(size int64) error
	Close() error
}

type diskFile struct{ *os.File }

func openDisk(path string, flags int) (file, error) {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (f diskFile) Datasync() error { return unix.Fdatasync(int(f.Fd())) }

func (f diskFile) WriteAside(b []byte, offset int64) error {
	return f.write("write", handoff.Pwritev, b, offset)
}

func (f diskFile) WriteThrough(b []byte, offset int64) error {
	return f.write("write through", handoff.PwritevThrough, b, offset)
}

// write writes all of b by a call that may write less.
func (f diskFile) write(op string, call func(int, []unix.Iovec, int64) (int, error), b []byte, offset int64) error {
	for len(b) > 0 {
		n, err := call(int(f.Fd()), []unix.Iovec{{Base: &b[0], Len: uint64(len(b))}}, offset)
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return &os.PathError{Op: op, Path: f.Name(), Err: err}
		}
		b, offset = b[n:], offset+int64(n)
	}
	return nil
}

func (f diskFile) Reserve(size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) { // the file system finds room when it must
		return f.Truncate(size)
	}
	return err
}

// lockDir keeps a second process out: two writers would make two histories.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: the directory must be writable: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("journal: another process uses %s: %w", dir, err)
	}
	return f, nil
}

// syncDir makes the directory's entries durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// blockBytes is the unit of writes: with it direct writes (O_DIRECT) are aligned on any disk of today.
const blockBytes = 4096

func padded(n int) int { return (n + blockBytes - 1) &^ (blockBytes - 1) }

// alignedBytes allocates n bytes that begin at a block's multiple.
func alignedBytes(n int) []byte {
	b := make([]byte, n+blockBytes)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (blockBytes - 1)
	return b[skip : skip+n : skip+n]
}

func isAligned(b []byte) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))&(blockBytes-1) == 0
}

// takesDirect reports whether the directory's file system takes direct writes.
func takesDirect(dir string, open func(string, int) (file, error)) (bool, error) {
	path := filepath.Join(dir, "probe.tmp")
	f, err := open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC|unix.O_DIRECT)
	if err == nil {
		_, err = f.WriteAt(alignedBytes(blockBytes), 0)
		err = errors.Join(err, f.Close())
	}
	removed := os.Remove(path)
	switch {
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP):
		return false, nil
	case errors.Is(err, unix.ENOSPC): // found out and told of when room is needed
		return false, nil
	case err == nil:
		err = removed
	}
	return err == nil, err
}
