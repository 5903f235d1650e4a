package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// store is the directory of an engine whose rows are on disk, and the goroutine that writes them. What
// it writes is flushed only for a snapshot.
type store struct {
	dir   string
	lock  *os.File
	files []*rowFile

	mu     sync.Mutex
	moved  sync.Cond // something was written, or the store failed
	jobs   chan job
	ended  chan struct{}
	queued int64
	done   int64
	fault  error
}

// job is a full block to write.
type job struct {
	file   *rowFile
	number uint32 // of the block
	block  []byte
}

// jobsMax is how many blocks may wait to be written before the engine waits for the disk. They are in
// memory anyway.
const jobsMax = 64

// ErrDamaged is returned when what is on disk can't be what was written there.
var ErrDamaged = errors.New("ledger: damaged")

// ErrVersion is returned by Open and Attach for a directory whose snapshot is in a format this program does not know.
// Nothing is changed. Without the directory the ledger is made again from its log, if that is whole.
var ErrVersion = errors.New("ledger: the snapshot is of another version of the program")

// ErrInUse is returned by Open and Attach for a directory that another process has open.
var ErrInUse = errors.New("ledger: another process uses the directory")

func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("%w: %s", ErrInUse, dir)
	}
	s := &store{dir: dir, lock: lock, jobs: make(chan job, jobsMax), ended: make(chan struct{})}
	s.moved.L = &s.mu
	go s.run()
	return s, nil
}

func (s *store) queue(j job) {
	s.mu.Lock()
	s.queued++
	s.mu.Unlock()
	s.jobs <- j
}

func (s *store) run() {
	defer close(s.ended)
	for j := range s.jobs {
		err := j.file.write(j.number, j.block)
		if err == nil && j.file.entered != nil {
			err = j.file.entered(j.block)
		}
		s.mu.Lock()
		s.done++
		if err != nil && s.fault == nil {
			s.fault = fmt.Errorf("ledger: write rows: %w", err)
		}
		if s.fault == nil {
			j.file.written.Store(int64(j.number) + 1)
		}
		s.moved.Broadcast()
		s.mu.Unlock()
	}
}

// wait returns when so many blocks of the file are written. A disk that doesn't take them leaves the
// engine no place for more: that is a fault, and stops it.
func (s *store) wait(f *rowFile, blocks int64) {
	if f.written.Load() >= blocks {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for f.written.Load() < blocks {
		if s.fault != nil {
			panic(s.fault)
		}
		s.moved.Wait()
	}
}

// settled returns when everything queued so far is written and flushed.
func (s *store) settled() error {
	s.mu.Lock()
	target := s.queued
	for s.done < target {
		s.moved.Wait()
	}
	err := s.fault
	s.mu.Unlock()
	for _, f := range s.files {
		if err == nil {
			err = f.disk.sync()
		}
	}
	return err
}

func (s *store) close() error {
	close(s.jobs)
	<-s.ended
	errs := []error{s.fault}
	for _, f := range s.files {
		errs = append(errs, f.disk.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
