package embedded

import (
	"context"
	"encoding/binary"
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
	buffer  []byte
	since   int // transfers since the last snapshot
	saving  bool
	saved   sync.WaitGroup
	fault   error // a snapshot failed
}

// A logged request: what it is (1), then accounts or transfers of 128 bytes each, as they were given.
const (
	loggedAccounts  = 1
	loggedTransfers = 2
	loggedPulse     = 3

	loggedBytes = 128
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
			fault = e.execute(uint64(rec.Time), rec.Receipt)
		}
		return fault == nil
	})
	if err = errors.Join(err, fault); err != nil {
		return fmt.Errorf("ledger: replay the log: %w", err)
	}
	l.seq = l.journal.Head(0).Seq
	if l.epoch, err = l.journal.Claim(0); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	l.last = l.journal.Last()
	return nil
}

// execute does a logged request again.
func (e *Engine) execute(now uint64, request []byte) error {
	if len(request) == 0 || (len(request)-1)%loggedBytes != 0 || len(request) > 1+batchMax*loggedBytes || now > timestampMax-batchMax {
		return fmt.Errorf("%w: a request of %d bytes", ErrDamaged, len(request))
	}
	what, body := request[0], request[1:]
	switch what {
	case loggedAccounts:
		accounts := make([]ledger.Account, len(body)/loggedBytes)
		for i := range accounts {
			accounts[i] = accountLogged(body[i*loggedBytes:])
		}
		e.executeAccounts(now, accounts, nil)
	case loggedTransfers:
		transfers := make([]ledger.Transfer, len(body)/loggedBytes)
		for i := range transfers {
			transfers[i] = transferLogged(body[i*loggedBytes:])
		}
		e.executeTransfers(now, transfers, nil)
	case loggedPulse:
		e.pulse(now)
	default:
		return fmt.Errorf("%w: a request of kind %d", ErrDamaged, what)
	}
	return nil
}

// append logs a request. The engine is locked.
func (l *log) append(now uint64, request []byte) error {
	rec := journal.Record{Kind: journal.KindLedger, Epoch: l.epoch, Seq: l.seq + 1, Time: int64(now), Receipt: request}
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
	b := append(e.log.buffer[:0], loggedAccounts)
	for i := range accounts {
		b = appendAccount(b, &accounts[i])
	}
	e.log.buffer = b
	return e.log.append(now, b)
}

func (e *Engine) logTransfers(now uint64, transfers []ledger.Transfer) error {
	if e.log == nil || len(transfers) == 0 {
		return nil
	}
	b := append(e.log.buffer[:0], loggedTransfers)
	for i := range transfers {
		b = appendTransfer(b, &transfers[i])
	}
	e.log.buffer = b
	e.log.since += len(transfers)
	return e.log.append(now, b)
}

func (e *Engine) logPulse(now uint64) error {
	if e.log == nil {
		return nil
	}
	return e.log.append(now, []byte{loggedPulse})
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

func appendID(b []byte, id ledger.Uint128) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, id.Lo), id.Hi)
}

func idAt(b []byte) ledger.Uint128 {
	return ledger.Uint128{Lo: binary.LittleEndian.Uint64(b), Hi: binary.LittleEndian.Uint64(b[8:])}
}

func appendAccount(b []byte, a *ledger.Account) []byte {
	b = appendID(b, a.ID)
	b = appendID(b, a.DebitsPending)
	b = appendID(b, a.DebitsPosted)
	b = appendID(b, a.CreditsPending)
	b = appendID(b, a.CreditsPosted)
	b = appendID(b, a.UserData128)
	b = binary.LittleEndian.AppendUint64(b, a.UserData64)
	b = binary.LittleEndian.AppendUint32(b, a.UserData32)
	b = binary.LittleEndian.AppendUint32(b, a.Reserved)
	b = binary.LittleEndian.AppendUint32(b, a.Ledger)
	b = binary.LittleEndian.AppendUint16(b, a.Code)
	b = binary.LittleEndian.AppendUint16(b, uint16(a.Flags))
	return binary.LittleEndian.AppendUint64(b, a.Timestamp)
}

func accountLogged(b []byte) ledger.Account {
	return ledger.Account{
		ID: idAt(b), DebitsPending: idAt(b[16:]), DebitsPosted: idAt(b[32:]), CreditsPending: idAt(b[48:]), CreditsPosted: idAt(b[64:]),
		UserData128: idAt(b[80:]), UserData64: binary.LittleEndian.Uint64(b[96:]), UserData32: binary.LittleEndian.Uint32(b[104:]),
		Reserved: binary.LittleEndian.Uint32(b[108:]), Ledger: binary.LittleEndian.Uint32(b[112:]), Code: binary.LittleEndian.Uint16(b[116:]),
		Flags: ledger.AccountFlags(binary.LittleEndian.Uint16(b[118:])), Timestamp: binary.LittleEndian.Uint64(b[120:]),
	}
}

func appendTransfer(b []byte, t *ledger.Transfer) []byte {
	b = appendID(b, t.ID)
	b = appendID(b, t.DebitAccountID)
	b = appendID(b, t.CreditAccountID)
	b = appendID(b, t.Amount)
	b = appendID(b, t.PendingID)
	b = appendID(b, t.UserData128)
	b = binary.LittleEndian.AppendUint64(b, t.UserData64)
	b = binary.LittleEndian.AppendUint32(b, t.UserData32)
	b = binary.LittleEndian.AppendUint32(b, t.Timeout)
	b = binary.LittleEndian.AppendUint32(b, t.Ledger)
	b = binary.LittleEndian.AppendUint16(b, t.Code)
	b = binary.LittleEndian.AppendUint16(b, uint16(t.Flags))
	return binary.LittleEndian.AppendUint64(b, t.Timestamp)
}

func transferLogged(b []byte) ledger.Transfer {
	return ledger.Transfer{
		ID: idAt(b), DebitAccountID: idAt(b[16:]), CreditAccountID: idAt(b[32:]), Amount: idAt(b[48:]), PendingID: idAt(b[64:]),
		UserData128: idAt(b[80:]), UserData64: binary.LittleEndian.Uint64(b[96:]), UserData32: binary.LittleEndian.Uint32(b[104:]),
		Timeout: binary.LittleEndian.Uint32(b[108:]), Ledger: binary.LittleEndian.Uint32(b[112:]), Code: binary.LittleEndian.Uint16(b[116:]),
		Flags: ledger.TransferFlags(binary.LittleEndian.Uint16(b[118:])), Timestamp: binary.LittleEndian.Uint64(b[120:]),
	}
}
