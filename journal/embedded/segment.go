package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/journal"
)

// A segment is a file of batches, named after its first position. A batch is what one flush wrote:
//
//	header   length of the body (4) count of records (4) first position (8) CRC-32C of these and the body (4)
//	body     per record: length (4) CRC-32C of its position and bytes (4) the bytes (codec.go)
//
// Behind the last batch are zeros: the file has its full size from the start, so that a flush writes
// data and no metadata. A batch is written only when the one before it is on disk. Therefore a bad
// batch with nothing valid behind it was never acknowledged and is cut off, and a bad batch with a
// valid one behind it is damage to acknowledged data, which nothing here can repair.
const (
	segmentMagic   = "SUANPANJ"
	segmentVersion = 1
	segmentHeader  = 32 // magic (8) version (4) zero (4) first position (8) zero (4) CRC-32C of the 28 before (4)
	batchHeader    = 20
	recordHeader   = 8

	// RecordMax is the largest encoded record, bytes.
	RecordMax = 16 << 20
	// batchMax bounds what one flush may write; Append waits when so much is unflushed.
	batchMax = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrDamaged is returned by Open and OpenReadOnly when acknowledged records can't be read. The message
// names file and offset. The node must not start on such a journal.
var ErrDamaged = errors.New("journal: damaged")

// file is what the journal needs of a file; tests put failing ones in its place.
type file interface {
	io.ReaderAt
	io.WriterAt
	Datasync() error
	Truncate(size int64) error
	Close() error
}

type diskFile struct{ *os.File }

// Datasync flushes data and what is needed to find it again.
func (f diskFile) Datasync() error { return unix.Fdatasync(int(f.Fd())) }

// segment is one file and where its records are.
type segment struct {
	path    string
	file    file
	first   journal.Position
	offsets []uint32 // of each record's header in the file
	end     int64    // behind the last batch
	size    int64    // of the file; zeros between end and size
}

func segmentName(first journal.Position) string { return fmt.Sprintf("%020d.log", uint64(first)) }

// segmentFiles lists the segments of a directory in order.
func segmentFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".log")
		if _, err := strconv.ParseUint(name, 10, 64); ok && err == nil && len(name) == 20 {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(out)
	return out, nil
}

func firstOf(path string) journal.Position {
	n, _ := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), ".log"), 10, 64) // checked by segmentFiles
	return journal.Position(n)
}

func appendSegmentHeader(b []byte, first journal.Position) []byte {
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint32(b, segmentVersion)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(first))
	b = binary.LittleEndian.AppendUint32(b, 0)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[len(b)-28:], castagnoli))
}

func checkSegmentHeader(b []byte, first journal.Position) error {
	switch {
	case len(b) < segmentHeader || string(b[:8]) != segmentMagic ||
		crc32.Checksum(b[:28], castagnoli) != binary.LittleEndian.Uint32(b[28:]):
		return errors.New("not a segment header")
	case binary.LittleEndian.Uint32(b[8:]) != segmentVersion:
		return fmt.Errorf("segment version %d is not known to this program", binary.LittleEndian.Uint32(b[8:]))
	case journal.Position(binary.LittleEndian.Uint64(b[16:])) != first:
		return errors.New("segment header names another first position")
	}
	return nil
}

// sealBatch fills the header of a batch of records that begin at first.
func sealBatch(b []byte, first journal.Position, count int) {
	binary.LittleEndian.PutUint32(b[0:], uint32(len(b)-batchHeader))
	binary.LittleEndian.PutUint32(b[4:], uint32(count))
	binary.LittleEndian.PutUint64(b[8:], uint64(first))
	binary.LittleEndian.PutUint32(b[16:], batchSum(b))
}

func batchSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:16], castagnoli), castagnoli, b[batchHeader:])
}

func recordSum(position journal.Position, payload []byte) uint32 {
	var p [8]byte
	binary.LittleEndian.PutUint64(p[:], uint64(position))
	return crc32.Update(crc32.Checksum(p[:], castagnoli), castagnoli, payload)
}

// batchAt reads the batch at the start of b if one is whole there and begins between the positions.
func batchAt(b []byte, from, to journal.Position) (size, count int, ok bool) {
	if len(b) < batchHeader {
		return 0, 0, false
	}
	length := binary.LittleEndian.Uint32(b)
	count = int(binary.LittleEndian.Uint32(b[4:]))
	first := journal.Position(binary.LittleEndian.Uint64(b[8:]))
	if length == 0 || int64(length) > int64(len(b)-batchHeader) || count == 0 || count > int(length)/recordHeader ||
		first < from || first > to {
		return 0, 0, false
	}
	size = batchHeader + int(length)
	return size, count, batchSum(b[:size]) == binary.LittleEndian.Uint32(b[16:])
}

// recordAt reads the record whose header is at the start of b.
func recordAt(b []byte, position journal.Position) (payload []byte, ok bool) {
	if len(b) < recordHeader {
		return nil, false
	}
	length := binary.LittleEndian.Uint32(b)
	if int64(length) > int64(len(b)-recordHeader) {
		return nil, false
	}
	payload = b[recordHeader : recordHeader+int(length)]
	return payload, recordSum(position, payload) == binary.LittleEndian.Uint32(b[4:])
}

// load reads a whole segment into b, which has its size, and calls each record. It returns ErrDamaged
// when something acknowledged is lost; otherwise s.end is behind the last whole batch, and torn tells
// whether anything but zeros follows.
func (s *segment) load(b []byte, last bool, each func(position journal.Position, payload []byte) error) (torn bool, err error) {
	if _, err := s.file.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("journal: read %s: %w", s.path, err)
	}
	damaged := func(offset int64, what string) (bool, error) {
		return false, fmt.Errorf("%w: %s at offset %d: %s", ErrDamaged, s.path, offset, what)
	}
	if err := checkSegmentHeader(b, s.first); err != nil {
		if last && s.onlyHalfMade(b) {
			return true, nil
		}
		return damaged(0, err.Error())
	}
	next, offset := s.first, segmentHeader
	for {
		size, count, ok := batchAt(b[offset:], next, next)
		if !ok {
			break
		}
		at := offset + batchHeader
		for range count {
			payload, ok := recordAt(b[at:offset+size], next)
			if !ok {
				return damaged(int64(at), fmt.Sprintf("checksum of position %d", next))
			}
			s.offsets = append(s.offsets, uint32(at))
			if err := each(next, payload); err != nil {
				return damaged(int64(at), err.Error())
			}
			next++
			at += recordHeader + len(payload)
		}
		if at != offset+size {
			return damaged(int64(at), "batch is longer than its records")
		}
		offset += size
	}
	s.end = int64(offset)
	rest := b[offset:]
	if len(bytes.TrimLeft(rest, "\x00")) == 0 {
		return false, nil
	}
	if at, ok := validBatchIn(rest, next); ok {
		return damaged(int64(offset), fmt.Sprintf("position %d is unreadable but a later batch is whole at offset %d", next, offset+at))
	}
	if !last {
		return damaged(int64(offset), fmt.Sprintf("position %d is unreadable but there is a later segment", next))
	}
	return true, nil
}

// onlyHalfMade reports whether a segment died while it was being made: no batch in it is valid.
func (s *segment) onlyHalfMade(b []byte) bool {
	_, found := validBatchIn(b, s.first)
	return !found
}

// validBatchIn looks at every offset for a whole batch of position next or not far behind it.
func validBatchIn(b []byte, next journal.Position) (int, bool) {
	for at := range b {
		if _, _, ok := batchAt(b[at:], next, next+1<<32); ok {
			return at, true
		}
	}
	return 0, false
}

// read returns the bytes of the record at a position of this segment, in buf if it fits.
func (s *segment) read(position journal.Position, offset uint32, buf []byte) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		return nil, fmt.Errorf("journal: read position %d in %s at offset %d: %w", position, s.path, offset, err)
	}
	buf = slices.Grow(buf[:0], readAhead)[:readAhead]
	n, err := s.file.ReadAt(buf, int64(offset))
	if err != nil && !errors.Is(err, io.EOF) {
		return fail(err)
	}
	if n < recordHeader {
		return fail(io.ErrUnexpectedEOF)
	}
	length := int(binary.LittleEndian.Uint32(buf))
	if length > RecordMax {
		return fail(ErrDamaged)
	}
	if need := recordHeader + length; need > n {
		buf = slices.Grow(buf[:0], need)[:need]
		if _, err := s.file.ReadAt(buf, int64(offset)); err != nil && !errors.Is(err, io.EOF) {
			return fail(err)
		}
	}
	payload, ok := recordAt(buf[:max(n, recordHeader+length)], position)
	if !ok {
		return fail(ErrDamaged)
	}
	return payload, nil
}

// readAhead is how much is read at once for one record; most are smaller.
const readAhead = 2048

// syncDir makes the directory's entries durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
