package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// How much is read at once, bytes.
const (
	scanBytes = 1 << 20
	findBytes = markEvery + 4<<10
	// scanHeldBytes bounds the records that ScanCustomer holds.
	scanHeldBytes = 1 << 20
)

// Scan implements journal.Journal.
func (j *Journal) Scan(ctx context.Context, from journal.Position, fn func(*journal.Record) bool) error {
	from = max(from, 1)
	walk, good := j.scanner(from), false
	defer func() {
		if walk.close(); good {
			j.scanned.Store(walk)
		}
	}()
	var rec journal.Record
	for position := from; position <= j.Durable(); position++ {
		if position%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		payload, err := walk.read(position)
		if err != nil {
			return err
		}
		if _, err := decodeRecord(payload, &rec); err != nil {
			return fmt.Errorf("journal: position %d: %w", position, err)
		}
		rec.Position = position
		if !fn(&rec) {
			good = true
			return nil
		}
	}
	good = true
	return ctx.Err()
}

// scanner is a walker for a scan. Whoever follows the journal, as the relay does, reads a little at a time and goes on where it
// stopped: it gets the walker that was left there, with what that has read ahead.
func (j *Journal) scanner(from journal.Position) *walker {
	walk := j.scanned.Swap(nil)
	switch {
	case walk == nil || cap(walk.buf) > 2*scanBytes:
		return &walker{j: j, chunk: scanBytes}
	case walk.position != from || from < j.First():
		walk.segment = nil // its memory alone
	}
	return walk
}

// ScanCustomer implements journal.Journal. It follows the records' links back from the customer's last one, so
// it holds eight bytes for each record it will call, and the last ones, so as not to read them a second time.
func (j *Journal) ScanCustomer(ctx context.Context, customer uint64, from journal.Position, fn func(*journal.Record) bool) error {
	head, err := j.headOf(customer)
	if err != nil {
		return err
	}
	from = max(from, 1)
	var positions []journal.Position
	var held []*journal.Record // of the first positions
	room := scanHeldBytes
	for at := head.last; at >= from; {
		if err := ctx.Err(); err != nil {
			return err
		}
		payload, err := j.payload(at)
		if err != nil {
			return err
		}
		rec, links, err := decoded(at, payload)
		if err != nil {
			return err
		}
		if at <= j.Durable() {
			if room -= len(payload); room >= 0 {
				held = append(held, rec)
			}
			positions = append(positions, at)
		}
		back, err := linkOf(rec, links, customer)
		if err != nil {
			return err
		}
		at = back
	}
	for i, position := range slices.Backward(positions) {
		if err := ctx.Err(); err != nil {
			return err
		}
		var rec *journal.Record
		if i < len(held) {
			rec = held[i]
		} else if rec, _, err = j.get(position); err != nil {
			return err
		}
		if !fn(rec) {
			return nil
		}
	}
	return nil
}

// FindCommand implements journal.Journal. It finds records that are not on disk yet, too.
func (j *Journal) FindCommand(id ledger.Uint128) (*journal.Record, error) {
	found, err := j.find(commandHash(id), id, func(rec *journal.Record) bool { return rec.Command == id })
	if len(found) == 0 {
		return nil, err
	}
	return found[len(found)-1], err
}

// FindSubject implements journal.Journal. It finds records that are not on disk yet, too.
func (j *Journal) FindSubject(id ledger.Uint128) ([]*journal.Record, error) {
	return j.find(subjectHash(id), id, func(rec *journal.Record) bool { return rec.Subject == id })
}

// Ahead implements journal.Journal.
func (j *Journal) Ahead(commands []ledger.Uint128, customers []uint64) {
	j.mu.Lock()
	for _, customer := range customers {
		j.heads.ahead(customer)
	}
	j.asked = len(commands)
	recent, known := j.recent, j.runs.known
	frozen := recent // most of the time
	if j.frozen != nil {
		frozen = j.frozen.ids
	}
	j.mu.Unlock()
	for _, command := range commands {
		hash := commandHash(command)
		known.ahead(hash)
		recent.ahead(hash)
		if frozen != recent {
			frozen.ahead(hash)
		}
	}
}

// find reads the records noted under the hash. What retention let go is not found.
func (j *Journal) find(hash uint64, id ledger.Uint128, is func(*journal.Record) bool) ([]*journal.Record, error) {
	if id.IsZero() {
		return nil, nil
	}
	if !j.mayHave(hash) { // the usual case: a new command
		return nil, nil
	}
	positions, err := j.positions(hash)
	if err != nil {
		return nil, err
	}
	slices.Sort(positions)
	var out []*journal.Record
	for _, position := range positions {
		rec, _, err := j.get(position)
		if errors.Is(err, journal.ErrGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if is(rec) {
			out = append(out, rec)
		}
	}
	return out, nil
}

// mayHave reports false if nothing was noted under the hash.
func (j *Journal) mayHave(hash uint64) bool {
	j.mu.Lock()
	if j.recent.mayHave(hash) || j.frozen != nil && j.frozen.ids.mayHave(hash) {
		j.mu.Unlock()
		return true
	}
	known := j.runs.known
	j.mu.Unlock()
	return known.mayHave(hash)
}

// positions are those noted under the hash.
func (j *Journal) positions(hash uint64) ([]journal.Position, error) {
	j.mu.Lock()
	positions := j.recent.find(hash, nil)
	if j.frozen != nil {
		positions = j.frozen.ids.find(hash, positions)
	}
	runs := j.runs
	runs.use()
	j.mu.Unlock()
	defer runs.release()
	return runs.find(hash, positions)
}

// get returns a copy of the record at a position that has been given out, and its links.
func (j *Journal) get(position journal.Position) (rec *journal.Record, links []byte, err error) {
	payload, err := j.payload(position)
	if err != nil {
		return nil, nil, err
	}
	return decoded(position, payload)
}

func decoded(position journal.Position, payload []byte) (rec *journal.Record, links []byte, err error) {
	rec = new(journal.Record)
	if links, err = decodeRecord(payload, rec); err != nil {
		return nil, nil, fmt.Errorf("journal: position %d: %w", position, err)
	}
	rec.Position = position
	return rec, links, nil
}

// payload returns a copy of the record's bytes. What is read to find them is a hundred times as much: its memory is used
// again, or who brings customers back one after the other makes more garbage than everybody else.
func (j *Journal) payload(position journal.Position) ([]byte, error) {
	if payload, ok := j.unflushed(position); ok {
		return payload, nil
	}
	memory, _ := j.chunks.Get().(*[]byte)
	if memory == nil {
		memory = new(make([]byte, 0, findBytes))
	}
	walk := walker{j: j, chunk: findBytes, buf: *memory}
	defer func() {
		walk.close()
		if cap(walk.buf) <= scanBytes {
			*memory = walk.buf[:0]
			j.chunks.Put(memory)
		}
	}()
	payload, err := walk.read(position)
	return slices.Clone(payload), err
}

// unflushed returns a copy of the record if it is not on disk yet.
func (j *Journal) unflushed(position journal.Position) ([]byte, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, b := range []*batch{&j.active, &j.flushing} {
		if i := int64(position) - int64(b.first); i >= 0 && i < int64(len(b.offsets)) {
			at := int(b.offsets[i])
			length := int(binary.LittleEndian.Uint32(b.bytes[at:]))
			return slices.Clone(b.bytes[at+recordHeader : at+recordHeader+length]), true
		}
	}
	return nil, false
}

// walker reads records in order of position. It goes to a known record near the first one asked for and from
// there along the records of the file, a chunk at a time.
type walker struct {
	j     *Journal
	chunk int

	segment  *segment
	reader   *reader
	after    journal.Position // the first of the next segment; zero: the newest
	position journal.Position // of the record at offset
	offset   int64
	end      int64 // of what may be read
	buf      []byte
	base     int64 // of buf in the file
}

func (w *walker) close() {
	if w.reader != nil {
		w.j.readers.release(w.reader)
		w.reader = nil
	}
}

// read returns the bytes of the durable record at the position. They are valid until the next call. A segment
// that Retain lets go meanwhile may be away or hold other records already, whatever is found there.
func (w *walker) read(position journal.Position) ([]byte, error) {
	payload, err := w.find(position)
	if first := w.j.First(); err != nil && position < first {
		return nil, gone(position, first)
	}
	return payload, err
}

func gone(position, first journal.Position) error {
	return fmt.Errorf("%w: position %d, the first is %d", journal.ErrGone, position, first)
}

func (w *walker) find(position journal.Position) ([]byte, error) {
	if w.segment == nil || position < w.position || w.after != 0 && position >= w.after || w.offset >= w.end {
		if err := w.seek(position); err != nil {
			return nil, err
		}
	}
	for {
		payload, err := w.next()
		if errors.Is(err, io.EOF) { // the segment has grown since, or another has begun
			if err = w.seek(position); err == nil {
				payload, err = w.next()
			}
		}
		if errors.Is(err, io.EOF) {
			return nil, w.damaged(w.offset, fmt.Sprintf("position %d is not there", w.position))
		}
		if err != nil {
			return nil, err
		}
		if w.position++; w.position > position {
			if recordSum(position, payload) != binary.LittleEndian.Uint32(w.buf[w.offset-w.base-int64(len(payload))-4:]) {
				return nil, w.damaged(w.offset-int64(len(payload)), fmt.Sprintf("checksum of position %d", position))
			}
			return payload, nil
		}
	}
}

// seek goes to a known record at or before the position.
func (w *walker) seek(position journal.Position) error {
	w.close()
	s, after, marks, end, err := w.j.whereabouts(position)
	if err != nil {
		return err
	}
	m, ok := lastMark(marks, uint32(position-s.first))
	if !ok {
		return fmt.Errorf("%w: %s: the place of position %d is not known", ErrDamaged, s.path, position)
	}
	if w.reader, err = w.j.readers.acquire(s); err != nil {
		return err
	}
	w.segment, w.after, w.end = s, after, end
	w.position, w.offset = s.first+journal.Position(m.index), int64(m.offset)
	w.buf, w.base = w.buf[:0], w.offset
	return nil
}

// next returns the record at offset and goes behind it; io.EOF where what may be read ends.
func (w *walker) next() ([]byte, error) {
	if err := w.fill(recordHeader); err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(w.buf[w.offset-w.base:]))
	if length == 0 { // the batch ends here
		w.offset = int64(padded(int(w.offset) + recordsEnd))
		if w.offset >= w.end {
			return nil, io.EOF
		}
		if err := w.fill(batchHeader + recordHeader); err != nil {
			return nil, err
		}
		header := w.buf[w.offset-w.base:]
		if first := journal.Position(binary.LittleEndian.Uint64(header[8:])); first != w.position {
			return nil, w.damaged(w.offset, fmt.Sprintf("a batch begins at position %d where %d should", first, w.position))
		}
		w.offset += batchHeader
		length = int64(binary.LittleEndian.Uint32(header[batchHeader:]))
	}
	if length == 0 || length > RecordMax {
		return nil, w.damaged(w.offset, fmt.Sprintf("length of position %d", w.position))
	}
	if err := w.fill(recordHeader + length); err != nil {
		return nil, err
	}
	at := w.offset - w.base + recordHeader
	w.offset += recordHeader + length
	return w.buf[at : at+length : at+length], nil
}

// fill makes sure that n bytes from offset on are in buf.
func (w *walker) fill(n int64) error {
	if have := w.base + int64(len(w.buf)) - w.offset; have >= n {
		return nil
	}
	if w.offset+n > w.end {
		return w.damaged(w.offset, fmt.Sprintf("position %d goes beyond the segment's end", w.position))
	}
	size := int(min(max(n, int64(w.chunk)), w.end-w.offset))
	w.buf = slices.Grow(w.buf[:0], size)[:size]
	w.base = w.offset
	if w.j.tail.read(w.segment.first, w.buf, w.offset) {
		return nil
	}
	if w.reader == nil { // it was left by a scan
		var err error
		if w.reader, err = w.j.readers.acquire(w.segment); err != nil {
			return err
		}
	}
	got, err := readFull(w.reader.file, w.buf, w.offset)
	if err != nil {
		return fmt.Errorf("journal: read %s at offset %d: %w", w.segment.path, w.offset, err)
	}
	if w.buf = got; int64(len(got)) < n {
		return w.damaged(w.offset, fmt.Sprintf("position %d is cut off", w.position))
	}
	return nil
}

func (w *walker) damaged(offset int64, what string) error {
	return fmt.Errorf("%w: %s at offset %d: %s", ErrDamaged, w.segment.path, offset, what)
}

// whereabouts finds the segment of a durable position, the first position behind it if it is not the newest,
// its marks, and where it ends.
func (j *Journal) whereabouts(position journal.Position) (s *segment, after journal.Position, marks []mark, end int64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if first := j.first(); position < first {
		return nil, 0, nil, 0, gone(position, first)
	}
	i, found := slices.BinarySearchFunc(j.segments, position, func(s *segment, p journal.Position) int {
		return int(int64(s.first) - int64(p))
	})
	if !found {
		i--
	}
	s = j.segments[i]
	if i+1 < len(j.segments) {
		after = j.segments[i+1].first
	}
	if s.marks != nil {
		return s, after, s.marks, s.end, nil
	}
	j.mu.Unlock()
	marks, err = j.store.marks(s.first)
	j.mu.Lock()
	if err != nil {
		return nil, 0, nil, 0, err
	}
	if len(j.remembered) >= rememberedMax {
		j.remembered[0].marks = nil
		j.remembered = slices.Delete(j.remembered, 0, 1)
	}
	s.marks = marks
	j.remembered = append(j.remembered, s)
	return s, after, marks, s.end, nil
}

// rememberedMax is of how many old segments the marks are in memory.
const rememberedMax = 64

// readers are the files open for reading, at most readersMax besides those in use.
type readers struct {
	open func(path string, flags int) (file, error)
	mu   sync.Mutex
	all  map[journal.Position]*reader
}

const readersMax = 64

type reader struct {
	file  file
	first journal.Position
	users int
}

func (r *readers) acquire(s *segment) (*reader, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if found := r.all[s.first]; found != nil {
		found.users++
		return found, nil
	}
	if len(r.all) >= readersMax {
		for first, old := range r.all {
			if old.users == 0 {
				delete(r.all, first)
				_ = old.file.Close() // nothing was written through it
				break
			}
		}
	}
	f, err := r.open(s.path, os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	made := &reader{file: f, first: s.first, users: 1}
	r.all[s.first] = made
	return made, nil
}

func (r *readers) release(used *reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if used.users--; used.users == 0 && r.all[used.first] != used { // forgotten meanwhile
		_ = used.file.Close()
	}
}

// forget closes the segment's file as soon as nobody reads it.
func (r *readers) forget(first journal.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if found := r.all[first]; found != nil {
		delete(r.all, first)
		if found.users == 0 {
			_ = found.file.Close()
		}
	}
}

func (r *readers) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for first, old := range r.all {
		delete(r.all, first)
		_ = old.file.Close()
	}
}
