package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/journal/embedded"
)

// keepOptions say how much of the journal is kept.
type keepOptions struct {
	records      int64 // zero: all
	segmentBytes int64
}

// check refuses what would lose something.
func (k *keepOptions) check(o *serveOptions) error {
	switch {
	case k.records < 0:
		return errors.New("--journal-keep must not be below zero; 0 keeps all records")
	case k.segmentBytes < embedded.SegmentBytesMin || k.segmentBytes > embedded.SegmentBytesMax:
		return fmt.Errorf("--journal-segment-bytes must be %d to %d", embedded.SegmentBytesMin, embedded.SegmentBytesMax)
	case k.records > 0 && o.stream == streamOff:
		return errors.New("--journal-keep needs a stream: with --stream off the events are in the journal only")
	case k.records > 0 && o.ledger != ledgerEmbedded:
		return errors.New("--journal-keep needs the ledger in this process: with another one the stream finds in the journal what a hold was for")
	}
	return nil
}

const (
	keepLookEvery = time.Second
	// keepSteps: records are let go when this share of what is kept has come since the last time.
	keepSteps = 16
)

// keepJournal lets the journal's oldest segments go, all but about so many records, until ctx ends. A failure
// costs room on the disk and nothing else, so it is tried again.
func (s *server) keepJournal(ctx context.Context, records uint64) error {
	tick := time.NewTicker(keepLookEvery)
	defer tick.Stop()
	var saved, tried journal.Position
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		before := min(s.unneeded(records), saved+1)
		saved = s.journal.Saved() // used at the next look: a customer may just now be read from the checkpoint before
		if before < tried+max(journal.Position(records/keepSteps), 1) || !s.letGo.TryLock() {
			continue
		}
		err := s.retain(before)
		s.letGo.Unlock()
		if err != nil {
			s.logger.Error("the journal's oldest records can't be let go", "cause", err)
			continue
		}
		tried = before
	}
}

// unneeded is the position behind all that neither --journal-keep nor another part asks for.
func (s *server) unneeded(records uint64) journal.Position {
	durable := s.journal.Durable()
	if uint64(durable) <= records {
		return 0
	}
	return min(durable-journal.Position(records)+1, s.books.position()+1, s.relay.Position()+1, s.day.needs())
}

// retain lets go what is before the position, once its events can't be lost with the power.
func (s *server) retain(before journal.Position) error {
	published, err := s.relay.Secure(s.broker.Sync)
	if err != nil {
		return err
	}
	return s.journal.Retain(min(before, published+1))
}
