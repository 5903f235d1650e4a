// Package journal is every customer's ordered record of decisions: the system of reference.
// A decision is written here, complete with its ledger chain, before anyone hears of it.
//
// Implementations: journal/embedded (segmented append-only log with group commit, the default)
// and, later, journal/cockroach.
package journal

import (
	"context"
	"errors"
	"iter"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Position is a record's place in the journal: 1, 2, 3 … without holes. Zero is before the first.
type Position uint64

// Kind says what a record is.
type Kind uint8

// The kinds of records. Values are stored; never reuse one.
const (
	// KindClaim: an activation of a shard took the shard's next epoch.
	KindClaim Kind = 1
	// KindDecision: a decision with its outcome, complete (ledger in the same process).
	KindDecision Kind = 2
	// KindIntent: a decision whose ledger is elsewhere and answers later. Its events have not happened yet
	// and have no numbers; it is not published.
	KindIntent Kind = 3
	// KindOutcome: the ledger's answer to the customer's oldest intent without one, complete as a decision is.
	KindOutcome Kind = 4
	// KindLedger: a request to a ledger that keeps a log of its own (ledger/embedded); Receipt holds it, Channel
	// says what it asks.
	KindLedger Kind = 5
)

// Record is one entry. Position, TellerSerial and the Seq of its Events are assigned by Append, except that an intent
// and its events get no numbers.
type Record struct {
	Position Position
	Kind     Kind
	Shard    uint16
	Epoch    uint64 // of the shard, from Claim
	Customer uint64 // whose decision; zero for a claim
	Seq      uint64 // the customer's decision number, from 1 without holes

	Command  ledger.Uint128 // the command's id; zero: not repeatable
	BodyHash ledger.Uint128 // what the command asked, to recognise a reused key
	Subject  ledger.Uint128 // business id (txn_id) the record is about; zero: none

	Time           int64  // wall clock of the decision, ns since 1970; also the clock of a ledger in this process
	AccountingDate uint32 // yyyymmdd
	Channel        uint16
	// Teller is the channel's virtual teller (虚拟柜员) who journals the record, from 1; zero: none.
	Teller uint16
	// TellerSerial (柜员流水号) is the record's number in the journal of its teller on its accounting date: 1, 2, 3 …
	// without holes. Zero: it has no teller, is an intent, or its date was not open (SignOff).
	TellerSerial uint64

	Accounts  []ledger.Account  // created before the chain, already existing ones left out
	Transfers []ledger.Transfer // the complete chain as submitted
	// Results are the statuses of Transfers when the chain was refused; nil when all were created.
	Results []ledger.CreateTransferStatus
	Events  []Event
	Receipt []byte // what the caller is told, encoded by package actors; answers repeats of Command
}

// Stamp is what marks the record's transfers in the ledger (user_data_64): its channel and its teller.
func (r *Record) Stamp() uint64 { return uint64(r.Channel)<<48 | uint64(r.Teller)<<32 }

// Event is one domain event of a customer. Body is encoded by package bank.
type Event struct {
	Customer uint64
	Seq      uint64 // the customer's event number (actor_seq), from 1 without holes; assigned by Append
	Type     uint16
	Body     []byte
}

// Head is how far a customer's two counters have come.
type Head struct {
	Seq      uint64 // decisions
	EventSeq uint64 // events, also those that other customers' decisions gave it
}

// Snapshot is a customer's state as it was after the events and decisions that its Head counts. It is
// derived: the records make it again as long as they are kept.
type Snapshot struct {
	Customer uint64
	Head     Head
	Person   ledger.Uint128 // hash of the holder's identity, by which FindPerson finds the customer; zero: none
	State    []byte         // encoded by package actors
	// PersonSaved says, to SaveSnapshots, that a state with this Person was saved before.
	PersonSaved bool
}

// Errors of Append and Claim. Anything else is a fault of the disk: the journal is then stopped.
var (
	// ErrStale: another activation owns the shard or took the sequence number. Nothing was written;
	// the loser answers everything in flight "stale, retry with the same key" and stops.
	ErrStale = errors.New("journal: stale epoch or sequence number")
	// ErrStopped: a write or flush failed; nothing more is taken and nothing unflushed is acknowledged.
	ErrStopped = errors.New("journal: stopped after a failed write")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("journal: closed")
	// ErrFull: the disk has no room for another segment. Nothing was written; the journal goes on by itself
	// when there is room again.
	ErrFull = errors.New("journal: no space left on the disk")
	// ErrGone: the records asked for were let go by Retain.
	ErrGone = errors.New("journal: records are no longer kept")
	// ErrRecordTooLarge: the record's encoding exceeds the limit; nothing was written.
	ErrRecordTooLarge = errors.New("journal: record too large")
)

// Journal is what the commit pipeline writes and what recovery, idempotency, the relay and
// verification read. All methods are safe for concurrent use.
type Journal interface {
	// Claim takes the shard's next epoch; appends with an older one are stale from then on.
	// Durable no later than the first append with the new epoch.
	Claim(shard uint16) (epoch uint64, err error)
	// Admit tells whether Append would take a record with this shard, epoch, customer and seq.
	Admit(rec *Record) error
	// Append gives rec its position, the next number of its teller's journal and its events their numbers, and takes it
	// into the next group commit. On return the order is fixed but nothing is durable: see Durable and Options.OnDurable.
	// rec and what it points to may be reused by the caller after return.
	Append(rec *Record) error
	// SignOff (签退) says that the tellers' journals of dates before this one (yyyymmdd) are complete: their numbers are
	// remembered no longer, and a record of such a date gets none. It never goes back; a start says it again.
	SignOff(before uint32)
	// Ahead says which commands are looked for next, and whom the records concern that are appended then; nothing
	// depends on it but speed.
	Ahead(commands []ledger.Uint128, customers []uint64)
	// Durable is the last position known to be on disk.
	Durable() Position
	// Last is the last position given out.
	Last() Position
	// WaitDurable returns when position is durable, the journal stopped, or ctx ended.
	WaitDurable(ctx context.Context, position Position) error
	// First is the first position still kept; one more than Last when there is none.
	First() Position
	// Head returns the customer's counters; zero for an unknown customer. It may read the disk for a customer
	// that has been idle for long. Whoever asked before appending spares Append that read.
	Head(customer uint64) (Head, error)
	// ReadHeads reads the counters of many customers, in rising order, in one go, so that Head and Append need no read
	// for them soon after. It changes nothing else; what it can't keep is read when it is asked for.
	ReadHeads(customers []uint64) error
	// Scan calls fn with each durable record from position on, in order, until fn returns false or
	// the durable end is reached. The record is valid only during the call.
	Scan(ctx context.Context, from Position, fn func(*Record) bool) error
	// FindCommand returns a copy of the last record of the command id, or nil: of a command that has an
	// intent and an outcome, the outcome.
	FindCommand(id ledger.Uint128) (*Record, error)
	// FindSubject returns copies of the records about the business id, oldest first.
	FindSubject(id ledger.Uint128) ([]*Record, error)
	// ScanCustomer is Scan of the records that are the customer's or gave it events.
	ScanCustomer(ctx context.Context, customer uint64, from Position, fn func(*Record) bool) error

	// Snapshot returns the customer's newest saved state, zero if there is none. State belongs to the caller.
	Snapshot(customer uint64) (Snapshot, error)
	// Snapshots calls fn with each saved state by rising customer number from customer on, until fn returns
	// false. The snapshot's State is valid only during the call.
	Snapshots(ctx context.Context, customer uint64, fn func(*Snapshot) bool) error
	// SaveSnapshots replaces earlier states of these customers. They are taken from states only when everything
	// appended before the call is durable. upTo > 0 says that with this every customer's state is saved at least up to
	// there, so that a start needs only the records after it; it never goes back. On return all that was saved so far
	// is then durable. States saved with zero may be lost by a crash, later ones before earlier ones: then the ones
	// before them are there, with all records after Saved. Customer zero is nobody's: its State may hold what belongs
	// to all.
	SaveSnapshots(ctx context.Context, upTo Position, states iter.Seq[Snapshot]) error
	// Saved is the last upTo of SaveSnapshots.
	Saved() Position
	// FindPerson returns the customer whose saved state has this Person, zero if there is none.
	FindPerson(person ledger.Uint128) (customer uint64, err error)
	// Retain lets whole segments go that lie before the position and behind Saved, and the ids in them.
	Retain(before Position) error
	Close() error
}
