package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// store is what is kept beside the log and replaced from time to time: customers' counters and saved states, the
// marks of old segments, and how far the index reaches. It is off the commit path and has no log of its own, since
// the journal is one: what it has not flushed is made again. It is made when something is first saved.
type store struct {
	dir      string
	readOnly bool
	room     func() error // why nothing may be written; nil: there is room
	mu       sync.Mutex
	db       *pebble.DB // nil: nothing was ever saved
}

// Sizes of the store, bytes.
const (
	// The database takes its tables in memory, of which there may be two, out of the cache. What is left must hold filters
	// and indexes, some ten bytes a customer, or each look-up reads whole ones again, and the counters of those who pay.
	storeCacheBytes    = 2*storeMemTableBytes + 256<<20
	storeMemTableBytes = 64 << 20  // the states of 100,000 customers: a checkpoint is one piece to be merged, or few
	storeBaseBytes     = 256 << 20 // so much is merged with at once; beyond it there is a level more
	storeFileBytes     = 16 << 20
	storeBatchBytes    = 1 << 20
	storeBatchKept     = 2 * storeBatchBytes // memory of a batch up to there is used again; by itself the database keeps less than a batch takes
	storeFilterBits    = 10
)

// storeL0Max is twice as many saves as gather before they are merged with what was saved earlier (the database counts each as two),
// storeL0Stop with how many a save waits for that. Each checkpoint of customers is one, and each of the journal's, of which there are
// two for one of customers; at full speed there is one every few seconds. Merging every second, as is usual, took a fifth of a
// transfer's CPU, every fifth a fortieth. Who is read looks into each of them: a filter in memory.
const (
	storeL0Max  = 24
	storeL0Stop = 40
)

// The keys' first byte. Values are stored; never reuse one.
const (
	keyState    = 'I' // indexState
	keySaved    = 'S' // position up to which every customer's state is saved
	keySnapshot = 'c' // customer, big endian: snapshot
	keyHeads    = 'H' // customer by headsOfRow, big endian: counters and last records of those
	keyHead     = 'h' // customer, big endian: the same of one, as earlier versions wrote it
	keyMarks    = 'm' // first position of a segment, big endian: its marks
	keyPerson   = 'p' // person: the customer who last had it
)

var errMalformedRow = errors.New("malformed row")

func openStore(dir string, readOnly bool, room func() error) (*store, error) {
	s := &store{dir: filepath.Join(dir, "index"), readOnly: readOnly, room: room}
	switch _, err := os.Stat(s.dir); {
	case errors.Is(err, os.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, fmt.Errorf("journal: %w", err)
	}
	_, err := s.open(true)
	return s, err
}

// open returns the database, making it if need be and wanted; nil if there is none.
func (s *store) open(make bool) (*pebble.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != nil || !make {
		return s.db, nil
	}
	cache := pebble.NewCache(storeCacheBytes)
	defer cache.Unref()
	options := &pebble.Options{
		Cache: cache, MemTableSize: storeMemTableBytes, DisableWAL: true, ReadOnly: s.readOnly,
		FormatMajorVersion: pebble.FormatNewest, Logger: silent{},
		L0CompactionThreshold: storeL0Max, L0StopWritesThreshold: storeL0Stop, LBaseMaxBytes: storeBaseBytes,
		FlushSplitBytes: storeMemTableBytes,
	}
	for i := range options.TargetFileSizes {
		options.TargetFileSizes[i] = storeFileBytes
	}
	// What has just been written will soon be written again, by a merge or because it has changed.
	options.Levels[0].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	options.Levels[1].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	for i := range options.Levels {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(storeFilterBits)
	}
	db, err := pebble.Open(s.dir, options)
	if err != nil {
		return nil, fmt.Errorf("journal: open %s: %w", s.dir, err)
	}
	s.db = db
	return db, nil
}

// silent keeps the database's notes to itself; its errors are returned.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf("journal: index: "+format, args...))
}

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil
	}
	var err error
	if !s.readOnly && s.room() == nil { // without room what is in memory is left to the records, which have it
		err = s.db.Flush()
	}
	err = errors.Join(err, s.db.Close())
	s.db = nil
	return err
}

// get calls read with the value of the key; without one it does not.
func (s *store) get(key []byte, read func(value []byte) error) error {
	db, err := s.open(false)
	if db == nil {
		return err
	}
	value, done, err := db.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("journal: read %s: %w", s.dir, err)
	}
	if err := errors.Join(read(value), done.Close()); err != nil {
		return fmt.Errorf("journal: read %s: %w", s.dir, err)
	}
	return nil
}

func (s *store) saved() (position journal.Position, err error) {
	err = s.get([]byte{keySaved}, func(value []byte) error {
		if len(value) != 8 {
			return errMalformedRow
		}
		position = journal.Position(binary.BigEndian.Uint64(value))
		return nil
	})
	return position, err
}

func (s *store) snapshot(customer uint64) (found journal.Snapshot, err error) {
	err = s.get(rowKey(keySnapshot, customer), func(value []byte) error {
		if err := decodeSnapshot(value, &found); err != nil {
			return err
		}
		found.Customer = customer
		found.State = append([]byte(nil), found.State...)
		return nil
	})
	return found, err
}

func (s *store) snapshots(customer uint64, fn func(*journal.Snapshot) bool) (err error) {
	db, err := s.open(false)
	if db == nil {
		return err
	}
	rows, err := db.NewIter(&pebble.IterOptions{LowerBound: rowKey(keySnapshot, customer), UpperBound: []byte{keySnapshot + 1}})
	if err != nil {
		return fmt.Errorf("journal: read %s: %w", s.dir, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var found journal.Snapshot
	for rows.First(); rows.Valid(); rows.Next() {
		key, value := rows.Key(), rows.Value()
		if len(key) != 9 {
			return fmt.Errorf("journal: read %s: %w", s.dir, errMalformedRow)
		}
		if err := decodeSnapshot(value, &found); err != nil {
			return fmt.Errorf("journal: read %s: customer %d: %w", s.dir, found.Customer, err)
		}
		found.Customer = binary.BigEndian.Uint64(key[1:])
		if !fn(&found) {
			return nil
		}
	}
	return rows.Error()
}

// findPerson looks the person up. Who has another person by now does not count.
func (s *store) findPerson(person ledger.Uint128) (customer uint64, err error) {
	err = s.get(personKey(person), func(value []byte) error {
		if len(value) != 8 {
			return errMalformedRow
		}
		customer = binary.BigEndian.Uint64(value)
		return nil
	})
	if err != nil || customer == 0 {
		return 0, err
	}
	found, err := s.snapshot(customer)
	if found.Person != person {
		return 0, err
	}
	return customer, err
}

// rows writes rows in batches of bounded size.
type rows struct {
	store *store
	db    *pebble.DB
	batch *pebble.Batch
	err   error
}

func (s *store) write() (*rows, error) {
	db, err := s.open(true)
	if err != nil {
		return nil, err
	}
	return &rows{store: s, db: db, batch: db.NewBatch(pebble.WithMaxRetainedSizeBytes(storeBatchKept))}, nil
}

func (r *rows) set(key, value []byte) {
	if r.err == nil {
		r.err = r.batch.Set(key, value, nil)
	}
	if r.err == nil && r.batch.Len() > storeBatchBytes {
		r.err = errors.Join(r.batch.Commit(pebble.NoSync), r.batch.Close())
		r.batch = r.db.NewBatch(pebble.WithMaxRetainedSizeBytes(storeBatchKept))
	}
}

// commit shows all rows. They become durable in the order in which they were set, at the latest with the next flush.
func (r *rows) commit() error {
	r.err = errors.Join(r.err, r.batch.Commit(pebble.NoSync), r.batch.Close())
	if r.err != nil {
		return fmt.Errorf("journal: write %s: %w", r.store.dir, r.err)
	}
	return nil
}

// flush is commit, and all rows are durable.
func (r *rows) flush() error {
	if err := r.commit(); err != nil {
		return err
	}
	if err := r.db.Flush(); err != nil {
		return fmt.Errorf("journal: write %s: %w", r.store.dir, err)
	}
	return nil
}

// save writes the snapshots, and last that they are complete up to a position, if it is not zero. They are durable now,
// or soon, in the order in which they were written: what a crash loses of them is behind the position saved last.
func (s *store) save(upTo journal.Position, now bool, states iter.Seq[journal.Snapshot]) error {
	w, err := s.write()
	if err != nil {
		return err
	}
	var value []byte
	for state := range states {
		if !state.Person.IsZero() && !state.PersonSaved { // first: who has a state on disk is found there
			w.set(personKey(state.Person), binary.BigEndian.AppendUint64(nil, state.Customer))
		}
		value = appendSnapshot(value[:0], &state)
		w.set(rowKey(keySnapshot, state.Customer), value)
	}
	if upTo > 0 {
		w.set([]byte{keySaved}, binary.BigEndian.AppendUint64(nil, uint64(upTo)))
	}
	if !now {
		return w.commit()
	}
	return w.flush()
}

// checkpoint writes counters and marks, and last how far the index reaches with them.
func (s *store) checkpoint(state *indexState, heads *headTable, marks map[journal.Position][]mark) error {
	w, err := s.write()
	if err != nil {
		return err
	}
	if heads != nil {
		w.err = errors.Join(w.err, s.setHeads(w, heads))
	}
	for first, m := range marks {
		w.set(rowKey(keyMarks, uint64(first)), appendMarks(nil, m))
	}
	w.set([]byte{keyState}, appendState(nil, state))
	return w.flush()
}

// forget removes the marks of segments that are gone.
func (s *store) forget(gone []*segment) error {
	w, err := s.write()
	if err != nil {
		return err
	}
	for _, segment := range gone {
		w.err = errors.Join(w.err, w.batch.Delete(rowKey(keyMarks, uint64(segment.first)), nil))
	}
	return w.flush()
}

func (s *store) marks(first journal.Position) (marks []mark, err error) {
	err = s.get(rowKey(keyMarks, uint64(first)), func(value []byte) (err error) {
		marks, err = decodeMarks(value)
		return err
	})
	return marks, err
}

func (s *store) state() (state indexState, err error) {
	err = s.get([]byte{keyState}, func(value []byte) (err error) {
		state, err = decodeState(value)
		return err
	})
	return state, err
}

// segments lists the segments whose marks are here.
func (s *store) segments() (out []journal.Position, err error) {
	db, err := s.open(false)
	if db == nil {
		return nil, err
	}
	rows, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{keyMarks}, UpperBound: []byte{keyMarks + 1}})
	if err != nil {
		return nil, fmt.Errorf("journal: read %s: %w", s.dir, err)
	}
	for rows.First(); rows.Valid(); rows.Next() {
		if key := rows.Key(); len(key) == 9 {
			out = append(out, journal.Position(binary.BigEndian.Uint64(key[1:])))
		}
	}
	return out, rows.Close()
}

func rowKey(kind byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, number)
}

func personKey(person ledger.Uint128) []byte { return appendID([]byte{keyPerson}, person) }
