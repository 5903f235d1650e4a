package embedded

import (
	"errors"
	"fmt"
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

// write writes whole pages, in memory that alignedBytes gave, at a page.
func (d *disk) write(pages []byte, offset int64) error {
	if d.direct == nil {
		_, err := d.WriteAt(pages, offset)
		return err
	}
	if _, err := d.direct.WriteAt(pages, offset); err != nil {
		return err
	}
	if err := unix.Fadvise(int(d.Fd()), offset, int64(len(pages)), unix.FADV_WILLNEED); err != nil {
		return fmt.Errorf("read %s again: %w", d.Name(), err)
	}
	return nil
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
