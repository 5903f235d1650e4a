// Package model is the ledger's meaning written down as plainly as it can be: slices in order of
// time, maps by id, a list of undo steps for chains, and scans for every query. It exists to be
// compared with the implementations the bank runs on, so it was written from TigerBeetle's
// documented behaviour and shares no code with them. It is slow and durable nowhere.
//
// model.go has requests and chains, rules.go what may happen, read.go the queries.
package model

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/suanpan-bank/suanpan/ledger"
)

// TigerBeetle's production limits.
const (
	batchMax       = 8189
	queryMax       = 8189
	changeEventMax = 2730
)

const (
	timestampMax = 1<<63 - 1 // ns
	nsPerSecond  = 1_000_000_000
)

// Ledger is a ledger.Ledger over an injected clock. Before each request, reads too, it expires
// what is due.
type Ledger struct {
	mu     sync.Mutex
	clock  func() uint64
	closed bool
	last   uint64 // the newest timestamp given out

	accounts  []*ledger.Account // in order of Timestamp
	byID      map[ledger.Uint128]*ledger.Account
	transfers []*entry // in order of Timestamp
	entries   map[ledger.Uint128]*entry
	burnt     map[ledger.Uint128]bool
	timed     map[*entry]uint64 // waiting pending transfers with a timeout, and when they expire
	expiries  []expiry          // in order of their own timestamps

	undo []func() // takes back what the open chain did; empty outside chains
	open bool     // in a chain
}

// entry is a transfer as stored, the accounts as it left them, and for a pending transfer what
// became of it.
type entry struct {
	ledger.Transfer
	debit, credit ledger.Account
	fate          fate
}

type fate uint8

const (
	waiting fate = iota
	posted
	voided
	expired
)

// expiry is a change of balances without a transfer of its own.
type expiry struct {
	timestamp     uint64
	pending       *entry
	debit, credit ledger.Account
}

var _ ledger.Ledger = (*Ledger)(nil)

// New returns an empty ledger; clock gives nanoseconds since 1970.
func New(clock func() uint64) *Ledger {
	return &Ledger{
		clock:   clock,
		byID:    map[ledger.Uint128]*ledger.Account{},
		entries: map[ledger.Uint128]*entry{},
		burnt:   map[ledger.Uint128]bool{},
		timed:   map[*entry]uint64{},
	}
}

// Seed sets an account's balances, whatever its transfers say.
func (l *Ledger) Seed(id, debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Uint128) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.byID[id]
	if a == nil {
		panic(fmt.Sprintf("model: seeding account %v, which does not exist", id))
	}
	a.DebitsPending, a.DebitsPosted, a.CreditsPending, a.CreditsPosted = debitsPending, debitsPosted, creditsPending, creditsPosted
}

// CreateAccounts implements ledger.Ledger.
func (l *Ledger) CreateAccounts(ctx context.Context, accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
	if err := l.enter(ctx, len(accounts), batchMax); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	results := make([]ledger.CreateAccountResult, len(accounts))
	r := l.begin(len(accounts))
	for i := range accounts {
		a := &accounts[i]
		r.imported = accounts[0].Flags&ledger.AccountImported != 0
		linked := a.Flags&ledger.AccountLinked != 0
		place := r.enter(i, linked, a.Flags&ledger.AccountImported != 0, a.Timestamp)
		status, timestamp := placeOfAccount[place], r.at(i)
		if place == inPlace {
			status, timestamp = l.createAccount(a, r.at(i))
		}
		results[i] = ledger.CreateAccountResult{Timestamp: timestamp, Status: status}
		if status != ledger.AccountCreated {
			for j := range r.fail(i) {
				results[r.chain+j].Status = ledger.AccountLinkedEventFailed
			}
		}
		r.leave(linked)
	}
	return results, nil
}

// CreateTransfers implements ledger.Ledger.
func (l *Ledger) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if err := l.enter(ctx, len(transfers), batchMax); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	results := make([]ledger.CreateTransferResult, len(transfers))
	r := l.begin(len(transfers))
	for i := range transfers {
		t := &transfers[i]
		r.imported = transfers[0].Flags&ledger.TransferImported != 0
		linked := t.Flags&ledger.TransferLinked != 0
		place := r.enter(i, linked, t.Flags&ledger.TransferImported != 0, t.Timestamp)
		status, timestamp := placeOfTransfer[place], r.at(i)
		if place == inPlace {
			status, timestamp = l.createTransfer(t, r.at(i))
		}
		results[i] = ledger.CreateTransferResult{Timestamp: timestamp, Status: status}
		if status != ledger.TransferCreated {
			for j := range r.fail(i) {
				results[r.chain+j].Status = ledger.TransferLinkedEventFailed
			}
			switch status {
			case ledger.TransferDebitAccountNotFound, ledger.TransferCreditAccountNotFound,
				ledger.TransferPendingTransferNotFound,
				ledger.TransferDebitAccountAlreadyClosed, ledger.TransferCreditAccountAlreadyClosed,
				ledger.TransferExceedsCredits, ledger.TransferExceedsDebits:
				l.burnt[t.ID] = true // after the chain was taken back: this stays
			}
		}
		r.leave(linked)
	}
	return results, nil
}

// request is a batch being worked through.
type request struct {
	l        *Ledger
	first    uint64 // timestamp of event 0
	events   int
	imported bool // the first event's flag
	chain    int  // index of the open chain's first event
	broken   bool // the open chain has failed
}

// begin gives the request its timestamps: it ends at T = max(last+1, clock) + n.
func (l *Ledger) begin(events int) *request {
	r := &request{l: l, events: events, first: max(l.last+1, l.clock()) + 1}
	if events > 0 {
		l.last = r.at(events - 1)
	}
	return r
}

func (r *request) at(i int) uint64 { return r.first + uint64(i) }

// place is what an event's place in the request makes of it.
type place uint8

const (
	inPlace place = iota
	chainOpen
	chainFailed
	importedExpected
	importedNotExpected
	timestampNotZero
	timestampOutOfRange
	timestampAdvances
)

var placeOfAccount = [...]ledger.CreateAccountStatus{
	chainOpen:           ledger.AccountLinkedEventChainOpen,
	chainFailed:         ledger.AccountLinkedEventFailed,
	importedExpected:    ledger.AccountImportedEventExpected,
	importedNotExpected: ledger.AccountImportedEventNotExpected,
	timestampNotZero:    ledger.AccountTimestampMustBeZero,
	timestampOutOfRange: ledger.AccountImportedEventTimestampOutOfRange,
	timestampAdvances:   ledger.AccountImportedEventTimestampMustNotAdvance,
}

var placeOfTransfer = [...]ledger.CreateTransferStatus{
	chainOpen:           ledger.TransferLinkedEventChainOpen,
	chainFailed:         ledger.TransferLinkedEventFailed,
	importedExpected:    ledger.TransferImportedEventExpected,
	importedNotExpected: ledger.TransferImportedEventNotExpected,
	timestampNotZero:    ledger.TransferTimestampMustBeZero,
	timestampOutOfRange: ledger.TransferImportedEventTimestampOutOfRange,
	timestampAdvances:   ledger.TransferImportedEventTimestampMustNotAdvance,
}

func (r *request) enter(i int, linked, imported bool, timestamp uint64) place {
	if linked && !r.l.open {
		r.l.open, r.l.undo = true, nil
		r.chain, r.broken = i, false
	}
	switch {
	case linked && i == r.events-1:
		return chainOpen
	case r.l.open && r.broken:
		return chainFailed
	case imported && !r.imported:
		return importedNotExpected
	case !imported && r.imported:
		return importedExpected
	case !imported && timestamp != 0:
		return timestampNotZero
	case imported && (timestamp < 1 || timestamp > timestampMax):
		return timestampOutOfRange
	case imported && timestamp >= r.at(r.events-1):
		return timestampAdvances
	}
	return inPlace
}

// fail takes back the open chain at its first failure and returns how many members before event i
// failed with it.
func (r *request) fail(i int) int {
	if !r.l.open || r.broken {
		return 0
	}
	r.broken = true
	for _, undo := range slices.Backward(r.l.undo) {
		undo()
	}
	r.l.undo = nil
	return i - r.chain
}

// leave ends the chain at its first event that isn't linked. One that is still open after the
// last event has failed with chainOpen, so there is nothing of it to keep.
func (r *request) leave(linked bool) {
	if !linked {
		r.l.open = false
	}
}

// change does something that the failure of a chain takes back with undo.
func (l *Ledger) change(do, undo func()) {
	do()
	if l.open {
		l.undo = append(l.undo, undo)
	}
}

// enter refuses what can't be served, else locks the ledger and expires what is due.
func (l *Ledger) enter(ctx context.Context, size, limit int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	switch {
	case l.closed:
		l.mu.Unlock()
		return ledger.ErrClosed
	case size > limit:
		l.mu.Unlock()
		return ledger.ErrTooMuchData
	}
	l.open = false
	for l.pulse() == batchMax {
	}
	return nil
}

// pulse expires what is due, in order of expiry and then of creation, at most a batch of it.
func (l *Ledger) pulse() int {
	now := max(l.last+1, l.clock())
	var due []*entry
	for e, at := range l.timed {
		if at <= now {
			due = append(due, e)
		}
	}
	slices.SortFunc(due, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(l.timed[a], l.timed[b]), cmp.Compare(a.Timestamp, b.Timestamp))
	})
	due = due[:min(len(due), batchMax)]
	for i, e := range due {
		l.last = now + uint64(i) + 1
		l.release(e, expired)
		l.reopen(e)
		l.expiries = append(l.expiries, expiry{l.last, e, *l.byID[e.DebitAccountID], *l.byID[e.CreditAccountID]})
	}
	return len(due)
}

// Limits implements ledger.Ledger.
func (l *Ledger) Limits() ledger.Limits {
	return ledger.Limits{BatchMax: batchMax, QueryMax: queryMax, ChangeEventMax: changeEventMax}
}

// Close implements ledger.Ledger.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}
