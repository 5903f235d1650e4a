package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// store is the directory of an engine whose rows are on disk, and the goroutines that write them and have them in the page
// cache. What is written is flushed only for a snapshot.
type store struct {
	dir   string
	lock  *os.File
	files []*rowFile

	mu     sync.Mutex
	moved  sync.Cond // something was written, or the store failed
	jobs   chan job
	ended  chan struct{}
	fresh  chan struct{} // something was written that is not in the page cache; capacity 1: once is enough to say it
	warmed chan struct{} // closed when nothing is brought there any more
	queued int64
	done   int64
	fault  error
}

// togetherMax is how many blocks of a file are written by one call. Where there is but one processor, this goroutine comes
// to work when the engine has filled several.
const togetherMax = 16

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
	s := &store{dir: dir, lock: lock, jobs: make(chan job, jobsMax), ended: make(chan struct{}), fresh: make(chan struct{}, 1), warmed: make(chan struct{})}
	s.moved.L = &s.mu
	go s.run()
	go s.warm()
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
	together := make([]job, 0, togetherMax)
	for next := range s.jobs {
		for more := true; more; {
			together, next, more = s.gather(append(together[:0], next))
			s.write(together)
		}
	}
}

// gather adds to a job those waiting that go on where it ends. The next one, if there is more, does not.
func (s *store) gather(together []job) (_ []job, next job, more bool) {
	for len(together) < togetherMax {
		select {
		case next, more = <-s.jobs:
			last := together[len(together)-1]
			if !more || next.file != last.file || next.number != last.number+1 {
				return together, next, more
			}
			together = append(together, next)
		default:
			return together, next, false
		}
	}
	return together, next, false
}

// write writes consecutive blocks of a file.
func (s *store) write(jobs []job) {
	file, first := jobs[0].file, jobs[0].number
	var blocks [togetherMax][]byte
	for i := range jobs {
		blocks[i] = jobs[i].block
	}
	err := s.fault // only this goroutine sets it
	if err == nil {
		err = file.write(first, blocks[:len(jobs)])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done += int64(len(jobs))
	switch {
	case err == nil:
		file.written.Store(int64(first) + int64(len(jobs)))
		select {
		case s.fresh <- struct{}{}:
		default:
		}
	case s.fault == nil:
		s.fault = fmt.Errorf("ledger: write rows: %w", err)
	}
	s.moved.Broadcast()
}

// warm has what is written brought into the page cache, a few megabytes of a file at a time, until there is to be no more.
func (s *store) warm() {
	defer close(s.warmed)
	for range s.fresh {
		for more := true; more; {
			more = false
			for _, f := range s.files {
				select {
				case <-s.ended:
					return
				default:
					more = f.warm() || more
				}
			}
		}
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

// drain ends the writing of rows, when all that was to be written is.
func (s *store) drain() {
	close(s.jobs)
	<-s.ended
	close(s.fresh)
	<-s.warmed
}

// close closes the files, which nobody uses any more, and lets go of the directory.
func (s *store) close() error {
	errs := []error{s.fault}
	for _, f := range s.files {
		errs = append(errs, f.disk.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
