package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/suanpan-bank/suanpan/journal"
	ledgerembedded "github.com/suanpan-bank/suanpan/ledger/embedded"
)

// books are the ledger in this process and how its state is saved: the journal is its log, and a snapshot
// says up to where of the journal it need not be executed again at the next start.
type books struct {
	*ledgerembedded.Engine
	saved  atomic.Uint64 // the last snapshot's position in the journal
	every  uint64        // records between two snapshots
	worker worker
}

// saveLookEvery is how often it is looked whether a snapshot is due.
const saveLookEvery = time.Second

func openBooks(at layout, every uint64) (*books, error) {
	engine, mark, err := ledgerembedded.Attach(at.books(), ledgerembedded.Options{})
	if errors.Is(err, ledgerembedded.ErrVersion) {
		return nil, fmt.Errorf("%w: move %s away and start again: the ledger is made anew from the journal's records, if those from the first on are still there; otherwise start the program that wrote it", err, at.books())
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	b := &books{Engine: engine, every: every}
	b.saved.Store(mark)
	return b, nil
}

// position is up to where of the journal the books are saved.
func (b *books) position() journal.Position { return journal.Position(b.saved.Load()) }

// fit refuses books that are ahead of the journal: they know of decisions that nobody made. So it does with books
// that end before the journal begins: what is between can't be executed.
func (b *books) fit(j journal.Journal) error {
	if last := j.Last(); last < b.position() {
		return fmt.Errorf("the ledger's snapshot stands at position %d of the journal, which ends at %d: restore the journal", b.position(), last)
	}
	if first := j.First(); b.position()+1 < first {
		return fmt.Errorf("the ledger's snapshot stands at position %d and the journal keeps nothing before %d: restore the ledger's directory (books) from a backup", b.position(), first)
	}
	return nil
}

// keepBooks saves the books whenever enough has happened, until ctx ends. A snapshot that fails costs a
// longer start and nothing else, so it is tried again.
func (s *server) keepBooks(ctx context.Context, logger *slog.Logger) error {
	tick := time.NewTicker(saveLookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if uint64(s.journal.Durable()-s.books.position()) < s.books.every {
			continue
		}
		if err := s.saveBooks(ctx); err != nil && ctx.Err() == nil {
			logger.Error("the ledger's state can't be saved; the next start will take longer", "cause", err)
		}
	}
}

// saveBooks writes a snapshot of the books as they are between two decisions.
func (s *server) saveBooks(ctx context.Context) error {
	var snapshot *ledgerembedded.Snapshot
	var at journal.Position
	err := s.node.AtRest(ctx, func(position journal.Position) (err error) {
		at = position
		snapshot, err = s.books.BeginSnapshot(uint64(position))
		return err
	})
	if err != nil {
		return err
	}
	if err := snapshot.Write(ctx, func(ctx context.Context) error { return s.journal.WaitDurable(ctx, at) }); err != nil {
		return err
	}
	s.books.saved.Store(uint64(at))
	return nil
}

// closeBooks saves what has happened since the last snapshot, unless the node failed, and closes the books.
// The journal is still open. Books that the node has not brought up to the journal's end are not saved: at a start
// that ends early they hold only a part of it.
func (s *server) closeBooks(ctx context.Context) error {
	var err error
	if s.books.worker.cancel != nil {
		s.books.worker.stop()
		if !s.faulted.Load() && s.journal.Last() > s.books.position() {
			err = s.saveBooks(ctx)
		}
	}
	return errors.Join(err, s.books.Close())
}
