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

	"github.com/suanpan-bank/suanpan/journal"
)

// A segment is a file of batches, named after its first position. A batch is what one flush wrote, and
// begins at a block's multiple:
//
//	header   bytes of the records (4) count of records (4) first position (8) sum of the batch before (4) sum (4)
//	records  each: length (4) CRC-32C of its position and bytes (4) the bytes (codec.go)
//	zeros    eight at least, to the next block
//
// The sum is the CRC-32C of the records' headers, the batch's header and the segment's first position. A
// record's bytes are under one checksum only, their own; the batch vouches for that. With the sum of the batch
// before it, a batch fits one history only, and with the segment's position a used file can be used again
// without wiping it.
//
// A batch is written only when the one before it is on disk. Therefore a bad batch with nothing valid behind
// it was never acknowledged and is cut off, and a bad batch with a valid one behind it is damage to
// acknowledged data, which nothing here can repair. A record's length is never zero: whoever walks along
// records from anywhere in a batch finds its end.
const (
	segmentMagic   = "SUANPANJ"
	segmentVersion = 2
	segmentHeader  = blockBytes // magic (8) version (4) sum of the last batch before (4) first position (8) CRC-32C (4) zeros
	segmentSummed  = 24
	batchHeader    = 24
	batchSummed    = 20
	recordHeader   = 8
	recordsEnd     = 8 // zeros behind the last record

	// RecordMax is the largest encoded record, bytes.
	RecordMax = 16 << 20
	// batchMax bounds what one flush may write, but for the record that crosses it; Append waits when so much
	// is unflushed.
	batchMax = 16 << 20
	// markEvery is how far apart in the file the known records are, bytes: what finding a record reads at most,
	// besides the record.
	markEvery = 32 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrDamaged is returned by Open and OpenReadOnly when acknowledged records can't be read. The message
// names file and offset. The node must not start on such a journal.
var ErrDamaged = errors.New("journal: damaged")

// segment is one file and where its records are.
type segment struct {
	path     string
	file     file // to write; nil but for the newest
	first    journal.Position
	marks    []mark // nil of an old one: read when needed
	end      int64  // behind the last batch
	size     int64  // of the file
	prepared bool   // a flush into it writes no metadata
}

// mark is a record whose place is known.
type mark struct {
	index  uint32 // position behind the segment's first
	offset uint32 // of the record's header in the file
}

// lastMark finds the nearest known record at or before the position.
func lastMark(marks []mark, index uint32) (mark, bool) {
	i, found := slices.BinarySearchFunc(marks, index, func(m mark, index uint32) int { return int(int64(m.index) - int64(index)) })
	if found {
		return marks[i], true
	}
	if i == 0 {
		return mark{}, false
	}
	return marks[i-1], true
}

// noteMark keeps the record's place if the last known one is far enough away.
func noteMark(marks []mark, index uint32, offset int64) []mark {
	if n := len(marks); n > 0 && offset-int64(marks[n-1].offset) < markEvery {
		return marks
	}
	return append(marks, mark{index, uint32(offset)})
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

// putSegmentHeader fills the first block of a segment.
func putSegmentHeader(b []byte, first journal.Position, before uint32) {
	clear(b[:segmentHeader])
	copy(b, segmentMagic)
	binary.LittleEndian.PutUint32(b[8:], segmentVersion)
	binary.LittleEndian.PutUint32(b[12:], before)
	binary.LittleEndian.PutUint64(b[16:], uint64(first))
	binary.LittleEndian.PutUint32(b[segmentSummed:], crc32.Checksum(b[:segmentSummed], castagnoli))
}

// readSegmentHeader returns the sum of the batch before the segment.
func readSegmentHeader(b []byte, first journal.Position) (before uint32, err error) {
	switch {
	case len(b) < segmentHeader || string(b[:8]) != segmentMagic:
		return 0, errors.New("not a segment header")
	case binary.LittleEndian.Uint32(b[8:]) != segmentVersion:
		return 0, fmt.Errorf("segment version %d is not known to this program", binary.LittleEndian.Uint32(b[8:]))
	case crc32.Checksum(b[:segmentSummed], castagnoli) != binary.LittleEndian.Uint32(b[segmentSummed:]):
		return 0, errors.New("checksum of the segment header")
	case journal.Position(binary.LittleEndian.Uint64(b[16:])) != first:
		return 0, errors.New("segment header names another first position")
	}
	return binary.LittleEndian.Uint32(b[12:]), nil
}

// sealBatch fills the header of a batch of records that begin at first and returns its sum. records is the
// checksum of the records' headers.
func sealBatch(b []byte, records uint32, first journal.Position, count int, before uint32, segment journal.Position) uint32 {
	binary.LittleEndian.PutUint32(b[0:], uint32(len(b)-batchHeader))
	binary.LittleEndian.PutUint32(b[4:], uint32(count))
	binary.LittleEndian.PutUint64(b[8:], uint64(first))
	binary.LittleEndian.PutUint32(b[16:], before)
	sum := batchSum(b, records, segment)
	binary.LittleEndian.PutUint32(b[batchSummed:], sum)
	return sum
}

func batchSum(b []byte, records uint32, segment journal.Position) uint32 {
	var s [8]byte
	binary.LittleEndian.PutUint64(s[:], uint64(segment))
	return crc32.Update(crc32.Update(records, castagnoli, b[:batchSummed]), castagnoli, s[:])
}

// putRecordHeader fills the header in front of the payload and returns the batch's checksum of headers with it.
func putRecordHeader(b []byte, position journal.Position, records uint32) uint32 {
	binary.LittleEndian.PutUint64(b, uint64(position)) // for a moment, so that it is summed together with the payload
	sum := crc32.Checksum(b, castagnoli)
	binary.LittleEndian.PutUint32(b, uint32(len(b)-recordHeader))
	binary.LittleEndian.PutUint32(b[4:], sum)
	return crc32.Update(records, castagnoli, b[:recordHeader])
}

func recordSum(position journal.Position, payload []byte) uint32 {
	var p [8]byte
	binary.LittleEndian.PutUint64(p[:], uint64(position))
	return crc32.Update(crc32.Checksum(p[:], castagnoli), castagnoli, payload)
}

// wholeBatch is a batch that was read and is right in itself.
type wholeBatch struct {
	first       journal.Position
	count       int
	before, sum uint32
	records     []byte
}

// size is what the batch takes in the file.
func (w *wholeBatch) size() int { return padded(batchHeader + len(w.records) + recordsEnd) }

// batchAt reads the batch at the start of b, if one of the segment is whole there and begins between the positions.
func batchAt(b []byte, segment, from, to journal.Position) (w wholeBatch, ok bool) {
	if len(b) < batchHeader {
		return w, false
	}
	length := int64(binary.LittleEndian.Uint32(b))
	w.count = int(binary.LittleEndian.Uint32(b[4:]))
	w.first = journal.Position(binary.LittleEndian.Uint64(b[8:]))
	w.before, w.sum = binary.LittleEndian.Uint32(b[16:]), binary.LittleEndian.Uint32(b[batchSummed:])
	if length == 0 || length > int64(len(b)-batchHeader) || w.count == 0 || int64(w.count) > length/recordHeader ||
		w.first < from || w.first > to {
		return w, false
	}
	w.records = b[batchHeader : batchHeader+int(length)]
	var records uint32
	rest := w.records
	for i := range w.count {
		payload, ok := recordAt(rest, w.first+journal.Position(i))
		if !ok {
			return w, false
		}
		records = crc32.Update(records, castagnoli, rest[:recordHeader])
		rest = rest[recordHeader+len(payload):]
	}
	return w, len(rest) == 0 && w.size() <= len(b) && batchSum(b, records, segment) == w.sum
}

// recordAt reads the record whose header is at the start of b.
func recordAt(b []byte, position journal.Position) (payload []byte, ok bool) {
	if len(b) < recordHeader {
		return nil, false
	}
	length := int64(binary.LittleEndian.Uint32(b))
	if length == 0 || length > int64(len(b)-recordHeader) {
		return nil, false
	}
	payload = b[recordHeader : recordHeader+length]
	return payload, recordSum(position, payload) == binary.LittleEndian.Uint32(b[4:])
}

// validBatchIn looks at every block for a whole batch of position next or behind it.
func validBatchIn(b []byte, segment, next journal.Position) (int, bool) {
	for at := 0; at < len(b); at += blockBytes {
		if _, ok := batchAt(b[at:], segment, next, next+1<<32); ok {
			return at, true
		}
	}
	return 0, false
}

// place is where a batch is and what is in it.
type place struct {
	segment journal.Position
	offset  int64
	first   journal.Position
	last    journal.Position
	before  uint32 // sum of the batch before
	sum     uint32
}

// load reads the segment from a batch's offset on, in b, and calls each record. prior is the batch before.
// It returns the last whole batch, or ErrDamaged when something acknowledged is lost.
func (s *segment) load(b []byte, offset int64, prior place, newest bool, each func(journal.Position, []byte) error) (place, error) {
	damaged := func(offset int64, what string) (place, error) {
		return prior, fmt.Errorf("%w: %s at offset %d: %s", ErrDamaged, s.path, offset, what)
	}
	s.end = offset
	for {
		next := prior.last + 1
		batch, ok := batchAt(b[s.end-offset:], s.first, next, next)
		if !ok || batch.before != prior.sum {
			break
		}
		at := s.end + batchHeader
		records := batch.records
		for range batch.count {
			payload, _ := recordAt(records, next) // checked by batchAt
			if err := each(next, payload); err != nil {
				return damaged(at, err.Error())
			}
			s.marks = noteMark(s.marks, uint32(next-s.first), at)
			next++
			at += int64(recordHeader + len(payload))
			records = records[recordHeader+len(payload):]
		}
		prior = place{segment: s.first, offset: s.end, first: batch.first, last: next - 1, before: batch.before, sum: batch.sum}
		s.end += int64(batch.size())
	}
	rest, next := b[s.end-offset:], prior.last+1
	if at, ok := validBatchIn(rest, s.first, next); ok {
		return damaged(s.end, fmt.Sprintf("position %d is unreadable but a later batch is whole at offset %d", next, s.end+int64(at)))
	}
	if !newest && len(bytes.TrimLeft(rest, "\x00")) > 0 {
		return damaged(s.end, fmt.Sprintf("position %d is unreadable but there is a later segment", next))
	}
	return prior, nil
}

// readFull reads n bytes at the offset, fewer at the end of the file.
func readFull(f io.ReaderAt, b []byte, offset int64) ([]byte, error) {
	n, err := f.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], err
}
