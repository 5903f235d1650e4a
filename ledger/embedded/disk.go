package embedded

import (
	"errors"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/internal/handoff"
)

// disk is a file that is written in whole pages past the page cache, where the file system takes such direct
// writes, and read through it. A direct write costs a twentieth of the processor time of one that the
// kernel copies into memory it has not used before. What was written is brought into the page cache by the disk and not
// by the processor (warm), and a look at a transfer of the last hours then finds it in memory, as far as memory is free.
type disk struct {
	*os.File
	direct *os.File // nil: the file system takes none
}

func openDisk(path string, flags int) (*disk, error) {
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	direct, err := os.OpenFile(path, os.O_WRONLY|unix.O_DIRECT, 0)
	switch {
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP):
		return &disk{File: file}, nil
	case err != nil:
		return nil, errors.Join(err, file.Close())
	}
	return &disk{File: file, direct: direct}, nil
}

// write writes parts of whole pages one behind the other, in memory that alignedBytes or an arena gave, from a page on. One
// goroutine writes a file.
func (d *disk) write(offset int64, parts ...[]byte) error {
	if d.direct != nil {
		err := writeParts(d.direct, offset, parts)
		if !errors.Is(err, unix.EINVAL) {
			return err
		}
		// It wants more than pages, and says so only now.
		if err := d.direct.Close(); err != nil {
			return err
		}
		d.direct = nil
	}
	return writeParts(d.File, offset, parts)
}

func writeParts(file *os.File, offset int64, parts [][]byte) error {
	vector := make([]unix.Iovec, 0, togetherMax)
	for _, part := range parts {
		vector = append(vector, unix.Iovec{Base: &part[0], Len: uint64(len(part))})
	}
	for len(vector) > 0 {
		n, err := handoff.Pwritev(int(file.Fd()), vector, offset)
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return &os.PathError{Op: "write", Path: file.Name(), Err: err}
		}
		offset += int64(n)
		vector = rest(vector, uint64(n))
	}
	return nil
}

// rest is what is left of a vector of which n bytes are written.
func rest(vector []unix.Iovec, n uint64) []unix.Iovec {
	for len(vector) > 0 && n >= vector[0].Len {
		n -= vector[0].Len
		vector = vector[1:]
	}
	if n > 0 {
		part := bytesIn(vector[0])[n:]
		vector[0] = unix.Iovec{Base: &part[0], Len: uint64(len(part))}
	}
	return vector
}

func bytesIn(part unix.Iovec) []byte { return unsafe.Slice(part.Base, part.Len) }

// warm has the disk bring a part of the file, which begins at a multiple of hugePage, into the page cache, and returns when
// it is there. A refusal is no fault: it is read when it is wanted. By way of memory that wants huge pages the kernel takes
// some for it and one request to the disk for each, a tenth of the work of asking for it page by page (FADV_WILLNEED).
func (d *disk) warm(offset, length int64) {
	memory, err := unix.Mmap(int(d.Fd()), offset, int(length), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return
	}
	_ = unix.Madvise(memory, unix.MADV_HUGEPAGE)
	_ = handoff.Madvise(memory, unix.MADV_POPULATE_READ)
	_ = unix.Munmap(memory)
}

// sync makes what was written durable.
func (d *disk) sync() error { return handoff.Fdatasync(int(d.Fd())) }

// Close closes the file.
func (d *disk) Close() error {
	err := d.File.Close()
	if d.direct != nil {
		err = errors.Join(err, d.direct.Close())
	}
	return err
}
