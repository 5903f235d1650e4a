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

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// store is what is kept beside the log and replaced from time to time: customers' snapshots. It is off the
// commit path and has no log of its own, since the journal is one: what it has not flushed, it makes again.
// It is made when something is first saved.
type store struct {
	dir      string
	readOnly bool
	mu       sync.Mutex
	db       *pebble.DB // nil: nothing was ever saved
}

// Sizes of the store, bytes.
const (
	storeCacheBytes    = 32 << 20
	storeMemTableBytes = 16 << 20
	storeBatchBytes    = 1 << 20
	storeFilterBits    = 10
)

// The keys' first byte. Values are stored; never reuse one.
const (
	keySaved    = 'S' // position up to which every customer's state is saved
	keySnapshot = 'c' // customer, big endian
	keyPerson   = 'p' // person: the customer who last had it
)

const snapshotVersion = 1

var errMalformedSnapshot = errors.New("malformed snapshot")

func openStore(dir string, readOnly bool) (*store, error) {
	s := &store{dir: filepath.Join(dir, "index"), readOnly: readOnly}
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
	}
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
	err := s.db.Close()
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
			return errMalformedSnapshot
		}
		position = journal.Position(binary.BigEndian.Uint64(value))
		return nil
	})
	return position, err
}

func (s *store) snapshot(customer uint64) (found journal.Snapshot, err error) {
	err = s.get(customerKey(customer), func(value []byte) error {
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
	rows, err := db.NewIter(&pebble.IterOptions{LowerBound: customerKey(customer), UpperBound: []byte{keySnapshot + 1}})
	if err != nil {
		return fmt.Errorf("journal: read %s: %w", s.dir, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var found journal.Snapshot
	for rows.First(); rows.Valid(); rows.Next() {
		key, value := rows.Key(), rows.Value()
		if len(key) != 9 {
			return fmt.Errorf("journal: read %s: %w", s.dir, errMalformedSnapshot)
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
			return errMalformedSnapshot
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

// save writes the snapshots, and last that they are complete up to a position.
func (s *store) save(upTo journal.Position, states iter.Seq[journal.Snapshot]) error {
	db, err := s.open(true)
	if err != nil {
		return err
	}
	batch := db.NewBatch()
	defer func() { _ = batch.Close() }()
	commit := func() error {
		err := errors.Join(batch.Commit(pebble.NoSync), batch.Close())
		batch = db.NewBatch()
		return err
	}
	var value []byte
	for state := range states {
		value = appendSnapshot(value[:0], &state)
		err := batch.Set(customerKey(state.Customer), value, nil)
		if !state.Person.IsZero() {
			err = errors.Join(err, batch.Set(personKey(state.Person), binary.BigEndian.AppendUint64(nil, state.Customer), nil))
		}
		if err == nil && batch.Len() > storeBatchBytes {
			err = commit()
		}
		if err != nil {
			return fmt.Errorf("journal: save snapshots in %s: %w", s.dir, err)
		}
	}
	if upTo > 0 {
		err = batch.Set([]byte{keySaved}, binary.BigEndian.AppendUint64(nil, uint64(upTo)), nil)
	}
	if err = errors.Join(err, commit()); err == nil {
		err = db.Flush()
	}
	if err != nil {
		return fmt.Errorf("journal: save snapshots in %s: %w", s.dir, err)
	}
	return nil
}

func customerKey(customer uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{keySnapshot}, customer)
}

func personKey(person ledger.Uint128) []byte { return appendID([]byte{keyPerson}, person) }

func appendSnapshot(b []byte, s *journal.Snapshot) []byte {
	b = append(b, snapshotVersion)
	b = binary.AppendUvarint(b, s.Head.Seq)
	b = binary.AppendUvarint(b, s.Head.EventSeq)
	b = appendID(b, s.Person)
	return append(b, s.State...)
}

// decodeSnapshot reads all but the customer. State shares b.
func decodeSnapshot(b []byte, s *journal.Snapshot) error {
	in := reader{b: b}
	if version := in.bytes(1); version == nil || version[0] != snapshotVersion {
		return errMalformedSnapshot
	}
	s.Head.Seq, s.Head.EventSeq = in.uvarint(1<<63), in.uvarint(1<<63)
	s.Person = in.id()
	if in.bad {
		return errMalformedSnapshot
	}
	s.State = in.b
	return nil
}
