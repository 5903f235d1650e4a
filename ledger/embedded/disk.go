package embedded

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// disk is a file that is written in whole pages past the page cache, where the file system takes such direct
// writes, and read through it. A direct write costs a twentieth of the processor time of one that the
// kernel copies into memory it has not used before. What was written is asked for again at once: the disk
// brings it into the page cache without the processor, and a look at a transfer of the last hours then finds
// it in memory, as far as memory is free.
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

// askedBytes is how much is asked for in one call. Linux leaves out what is beyond a device's read_ahead_kb, which
// is 128 where nobody changed it.
const askedBytes = 128 << 10

// write writes whole pages, in memory that alignedBytes gave, at a page. One goroutine writes a file.
func (d *disk) write(pages []byte, offset int64) error {
	if d.direct != nil {
		_, err := d.direct.WriteAt(pages, offset)
		switch {
		case err == nil:
			d.ask(offset, int64(len(pages)))
			return nil
		case !errors.Is(err, unix.EINVAL):
			return err
		}
		// It wants more than pages, and says so only now.
		if err := d.direct.Close(); err != nil {
			return err
		}
		d.direct = nil
	}
	_, err := d.WriteAt(pages, offset)
	return err
}

// ask has the disk bring a part of the file into the page cache. A refusal is no fault: it is read when it is wanted.
func (d *disk) ask(offset, length int64) {
	for end := offset + length; offset < end; offset += askedBytes {
		_ = unix.Fadvise(int(d.Fd()), offset, min(askedBytes, end-offset), unix.FADV_WILLNEED)
	}
}

// sync makes what was written durable.
func (d *disk) sync() error { return unix.Fdatasync(int(d.Fd())) }

// Close closes the file.
func (d *disk) Close() error {
	err := d.File.Close()
	if d.direct != nil {
		err = errors.Join(err, d.direct.Close())
	}
	return err
}
