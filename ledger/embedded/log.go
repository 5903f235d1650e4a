package embedded

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/suanpan-bank/suanpan/journal"
	journalembedded "github.com/suanpan-bank/suanpan/journal/embedded"
	"github.com/suanpan-bank/suanpan/ledger"
)

// log is the log of an engine that has one of its own: a journal whose records are requests to the
// ledger. A request is appended before it is executed, and answered when it is durable.
type log struct {
	journal *journalembedded.Journal
	epoch   uint64
	seq     uint64
	last    journal.Position
	packed  []byte // space for a request
	since   int    // transfers since the last snapshot
	saving  bool
	saved   sync.WaitGroup
	fault   error // a snapshot failed
}

// A logged request: accounts or transfers as they were given, and in the record's Channel which: packed (packed.go),
// or in the form of the wire if that is no longer. In the memory of the machines this runs on they have that form
// already; a test says so.
const (
	loggedAccounts        = 1
	loggedTransfers       = 2
	loggedPulse           = 3
	loggedPackedAccounts  = 4
	loggedPackedTransfers = 5
)

// Open opens the durable ledger in dir, creating it if need be: what a call has answered survives the
// process. State is saved from time to time, so opening reads the last snapshot and executes what the
// log has behind it.
func Open(dir string, options Options) (*Engine, error) {
	e, mark, err := Attach(filepath.Join(dir, "state"), options)
	if err != nil {
		return nil, err
	}
	l := new(log)
	l.journal, err = journalembedded.Open(filepath.Join(dir, "log"), journalembedded.Options{})
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if err := e.replay(l, journal.Position(mark)); err != nil {
		return nil, errors.Join(err, l.journal.Close(), e.Close())
	}
	e.log = l
	return e, nil
}

func (e *Engine) replay(l *log, mark journal.Position) error {
	if last := l.journal.Last(); last < mark {
		return fmt.Errorf("%w: the snapshot stands at %d of the log, which ends at %d", ErrDamaged, mark, last)
	}
	var fault error
	err := l.journal.Scan(context.Background(), mark+1, func(rec *journal.Record) bool {
		if rec.Kind == journal.KindLedger {
			fault = e.execute(uint64(rec.Time), rec.Channel, rec.Receipt)
		}
		return fault == nil
	})
	if err = errors.Join(err, fault); err != nil {
		return fmt.Errorf("ledger: replay the log: %w", err)
	}
	head, err := l.journal.Head(0)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	l.seq = head.Seq
	if l.epoch, err = l.journal.Claim(0); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	l.last = l.journal.Last()
	return nil
}

// execute does a logged request again.
func (e *Engine) execute(now uint64, what uint16, body []byte) error {
	if now > timestampMax-batchMax {
		return fmt.Errorf("%w: a request at %d", ErrDamaged, now)
	}
	switch what {
	case loggedAccounts, loggedPackedAccounts:
		accounts, err := requestOf(body, what == loggedPackedAccounts, ledger.AccountOfWire)
		if err != nil {
			return err
		}
		e.executeAccounts(now, accounts, nil)
	case loggedTransfers, loggedPackedTransfers:
		transfers, err := requestOf(body, what == loggedPackedTransfers, ledger.TransferOfWire)
		if err != nil {
			return err
		}
		e.executeTransfers(now, transfers, nil)
	case loggedPulse:
		e.pulse(now)
	default:
		return fmt.Errorf("%w: a request of kind %d", ErrDamaged, what)
	}
	return nil
}

// requestOf reads the rows of a logged request.
func requestOf[T ledger.Account | ledger.Transfer](body []byte, packed bool, ofWire func([]byte) T) ([]T, error) {
	if packed {
		return unpack[T](body)
	}
	if len(body)%ledger.WireBytes != 0 || len(body) > batchMax*ledger.WireBytes {
		return nil, fmt.Errorf("%w: a request of %d bytes", ErrDamaged, len(body))
	}
	rows := make([]T, len(body)/ledger.WireBytes)
	for i := range rows {
		rows[i] = ofWire(body[i*ledger.WireBytes:])
	}
	return rows, nil
}

// appendRows logs a request of accounts or transfers, which is of one kind if packed and of another if plain. The engine
// is locked.
func (l *log) appendRows(now uint64, packed, plain uint16, rows []byte) error {
	if len(rows) < packedFrom*ledger.WireBytes {
		return l.append(now, plain, rows)
	}
	l.packed = appendPacked(l.packed[:0], sliceOf[wireRow](rows))
	if len(l.packed) >= len(rows) {
		return l.append(now, plain, rows)
	}
	return l.append(now, packed, l.packed)
}

// append logs a request. The engine is locked.
func (l *log) append(now uint64, what uint16, body []byte) error {
	rec := journal.Record{Kind: journal.KindLedger, Epoch: l.epoch, Seq: l.seq + 1, Time: int64(now), Channel: what, Receipt: body}
	if err := l.journal.Append(&rec); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
	}
	l.seq, l.last = rec.Seq, rec.Position
	return nil
}

func (e *Engine) logAccounts(now uint64, accounts []ledger.Account) error {
	if e.log == nil || len(accounts) == 0 {
		return nil
	}
	return e.log.appendRows(now, loggedPackedAccounts, loggedAccounts, bytesOf(accounts))
}

func (e *Engine) logTransfers(now uint64, transfers []ledger.Transfer) error {
	if e.log == nil || len(transfers) == 0 {
		return nil
	}
	e.log.since += len(transfers)
	return e.log.appendRows(now, loggedPackedTransfers, loggedTransfers, bytesOf(transfers))
}

func (e *Engine) logPulse(now uint64) error {
	if e.log == nil {
		return nil
	}
	return e.log.append(now, loggedPulse, nil)
}

// position is up to where the log must be durable before what the engine shows now may be shown.
func (e *Engine) position() journal.Position {
	if e.log == nil {
		return 0
	}
	return e.log.last
}

// settled returns when the log is durable up to a position.
func (e *Engine) settled(ctx context.Context, position journal.Position) error {
	if e.log == nil {
		return nil
	}
	if err := e.log.journal.WaitDurable(ctx, position); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, err)
	}
	return nil
}

// saveIfDue begins a snapshot when enough has happened since the last. The engine is locked.
func (e *Engine) saveIfDue() {
	l := e.log
	every := e.options.SnapshotEvery
	if every == 0 {
		every = SnapshotEveryDefault
	}
	if l == nil || l.since < every || l.saving || l.fault != nil {
		return
	}
	l.saving = true
	l.since = 0
	s, err := e.beginSnapshot(uint64(l.last))
	if err != nil {
		e.unsaved(err)
		return
	}
	position := l.last
	l.saved.Go(func() {
		err := s.Write(context.Background(), func(ctx context.Context) error { return l.journal.WaitDurable(ctx, position) })
		e.mu.Lock()
		defer e.mu.Unlock()
		l.saving = false
		if err != nil {
			e.unsaved(err)
		}
	})
}

// unsaved notes that the state can't be saved. The log goes on, so nothing is lost; opening takes longer.
func (e *Engine) unsaved(err error) {
	e.log.fault = err
	if e.options.OnFault != nil {
		e.options.OnFault(err)
	}
}

// close saves the state once more, for a fast start, and closes the log.
func (e *Engine) closeLog() error {
	l := e.log
	l.saved.Wait()
	err := l.fault
	if err == nil && l.since > 0 {
		var s *Snapshot
		if s, err = e.BeginSnapshot(uint64(l.last)); err == nil {
			err = s.Write(context.Background(), func(ctx context.Context) error { return l.journal.WaitDurable(ctx, l.last) })
		}
	}
	return errors.Join(err, l.journal.Close())
}
