// Package streams tells everyone else what happened in the bank. The relay reads the journal, makes an
// Envelope of every event and publishes it on the topics of package bank, each customer's events in
// their order, at least once. Consumers drop repeats by (customer_token, actor_seq).
//
// streams/broker is the Kafka-protocol broker of the embedded profile, streams/reporting the consumer
// that keeps balances and product totals.
package streams

import (
	"encoding/hex"
	"fmt"
	"unsafe"

	"github.com/emmansun/gmsm/sm3"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// SchemaVersion of the envelope and its payloads; fields are only ever added within a version.
const SchemaVersion = 1

// PartitionsPerTopic of the topics; the partition is murmur2 of the key, as Kafka's own clients do it.
const PartitionsPerTopic = 6

// The headers of a message, besides the CloudEvents ones.
const (
	HeaderPosition = "pos" // the record's position in the journal, decimal
	HeaderSequence = "seq" // actor_seq, decimal
)

// Envelope is an event as it travels (SPEC 8.1). The key of its message is CustomerToken.
type Envelope struct {
	EventID        string           `json:"event_id"` // ULID; derived, so that a repeat has the same
	Type           string           `json:"type"`     // as in bank.EventKinds
	SchemaVersion  int              `json:"schema_version"`
	OccurredAtNs   int64            `json:"occurred_at"` // ns since 1970
	AccountingDate bank.Date        `json:"accounting_date"`
	CustomerToken  string           `json:"customer_token"` // the customer number: neither name nor document
	ActorSeq       uint64           `json:"actor_seq"`      // gapless per customer, over all topics
	TxnID          bank.TxnID       `json:"txn_id"`
	CausationID    bank.U128        `json:"causation_id"` // the command's id
	Channel        bank.Channel     `json:"channel,omitzero"`
	Teller         uint16           `json:"teller,omitzero"`        // the channel's virtual teller, from 1
	TellerSerial   uint64           `json:"teller_serial,omitzero"` // the record's number in his journal of the date, from 1
	Branch         string           `json:"branch,omitzero"`
	RegionCode     uint32           `json:"region_code,omitzero"`
	TraceID        string           `json:"trace_id,omitzero"`
	TransferIDs    []ledger.Uint128 `json:"transfer_ids,omitempty"`
	// Entries are what the record did to the ledger, on the first event of the deciding customer only,
	// so that whoever sums all events counts each entry once.
	Entries        []Entry        `json:"entries,omitempty"`
	Position       uint64         `json:"position"`       // of the record in the journal
	Classification string         `json:"classification"` // C1, C2 or C3 of JR/T 0171, the highest in the payload
	PayloadHash    string         `json:"payload_hash"`   // SM3 of the payload's bytes
	Payload        jsontext.Value `json:"payload"`
}

// Entry is one transfer in the ledger. Its accounts' ids begin with the eight-digit detail subject and
// the owner (bank.SplitLedgerID).
type Entry struct {
	ID          ledger.Uint128 `json:"id"`
	Ledger      uint32         `json:"ledger"`
	Code        uint16         `json:"code"`
	Phase       Phase          `json:"phase"`
	Debit       ledger.Uint128 `json:"debit_account"`
	Credit      ledger.Uint128 `json:"credit_account"`
	AmountFen   int64          `json:"amount_fen"`
	ReleasedFen int64          `json:"released_fen,omitzero"` // what a post or void frees: the pending transfer's amount
}

// Phase is what an entry does to balances.
type Phase string

// The phases of an entry.
const (
	Posted  Phase = "POSTED"  // moves AmountFen
	Pending Phase = "PENDING" // reserves AmountFen
	Post    Phase = "POST"    // releases ReleasedFen, moves AmountFen
	Void    Phase = "VOID"    // releases ReleasedFen
)

// Balances of a ledger account, in fen.
type Balances struct {
	DebitsPending  int64 `json:"debits_pending_fen"`
	DebitsPosted   int64 `json:"debits_posted_fen"`
	CreditsPending int64 `json:"credits_pending_fen"`
	CreditsPosted  int64 `json:"credits_posted_fen"`
}

// Apply adds the entry to its two accounts; at returns an account's balances.
func (e *Entry) Apply(at func(ledgerNo uint32, id ledger.Uint128) *Balances) {
	e.Move(at(e.Ledger, e.Debit), at(e.Ledger, e.Credit))
}

// Move adds the entry to the balances of its two accounts.
func (e *Entry) Move(debit, credit *Balances) {
	switch e.Phase {
	case Posted:
		debit.DebitsPosted += e.AmountFen
		credit.CreditsPosted += e.AmountFen
	case Pending:
		debit.DebitsPending += e.AmountFen
		credit.CreditsPending += e.AmountFen
	case Post, Void:
		debit.DebitsPending -= e.ReleasedFen
		credit.CreditsPending -= e.ReleasedFen
		if e.Phase == Post {
			debit.DebitsPosted += e.AmountFen
			credit.CreditsPosted += e.AmountFen
		}
	}
}

// Transfers finds transfers as the ledger stored them: with amounts and accounts filled in.
type Transfers interface {
	Transfer(id ledger.Uint128) (ledger.Transfer, bool)
}

// Recorded finds a record's transfers in the journal alone, for a ledger elsewhere that is not to be asked
// about every event. What a post or void inherits is in an earlier record about the same business.
type Recorded struct {
	Journal journal.Journal
	Record  *journal.Record
}

// Transfer implements Transfers for the record's transfers and those they settle.
func (r Recorded) Transfer(id ledger.Uint128) (ledger.Transfer, bool) {
	t, ok := transferIn(r.Record, id)
	if !ok {
		return r.held(id)
	}
	if t.Flags&(ledger.TransferPostPending|ledger.TransferVoidPending) == 0 {
		return t, true
	}
	held, ok := r.Transfer(t.PendingID)
	if !ok {
		return ledger.Transfer{}, false
	}
	t.DebitAccountID, t.CreditAccountID, t.Ledger, t.Code = held.DebitAccountID, held.CreditAccountID, held.Ledger, held.Code
	if t.Amount == ledger.AmountMax || t.Amount.IsZero() && t.Flags&ledger.TransferVoidPending != 0 {
		t.Amount = held.Amount
	}
	return t, true
}

// held finds a transfer that an earlier record about the same business has created. A journal that can't be
// read finds nothing, which the caller reports.
func (r Recorded) held(id ledger.Uint128) (ledger.Transfer, bool) {
	records, err := r.Journal.FindSubject(r.Record.Subject)
	if err != nil {
		return ledger.Transfer{}, false
	}
	for _, rec := range records {
		if rec.Kind != journal.KindIntent && rec.Results == nil {
			if t, ok := transferIn(rec, id); ok {
				return t, true
			}
		}
	}
	return ledger.Transfer{}, false
}

func transferIn(rec *journal.Record, id ledger.Uint128) (ledger.Transfer, bool) {
	for i := range rec.Transfers {
		if rec.Transfers[i].ID == id {
			return rec.Transfers[i], true
		}
	}
	return ledger.Transfer{}, false
}

// Message is an envelope ready to be published.
type Message struct {
	Topic    string
	Key      string
	Position journal.Position
	Seq      uint64
	Type     string
	EventID  string
	TimeNs   int64
	Value    []byte
}

// Messages makes the messages of a record's events. An intent has none: its events have not happened.
func Messages(rec *journal.Record, transfers Transfers) ([]Message, error) {
	return new(author).messages(rec, transfers)
}

// author makes messages in memory that it uses again: there are two for each of the bank's transfers, of a kilobyte each.
type author struct {
	values   []byte // of the messages made since begin
	list     []Message
	payload  []byte
	hash     []byte
	envelope Envelope
}

// valuesMax bounds the memory for messages that is kept for the next round.
const valuesMax = 8 << 20

// begin gives up all messages made so far.
func (a *author) begin() {
	if a.values = a.values[:0]; cap(a.values) > valuesMax {
		a.values = nil
	}
}

// messages are valid until begin, the list until the next call.
func (a *author) messages(rec *journal.Record, transfers Transfers) ([]Message, error) {
	if rec.Kind == journal.KindIntent {
		return nil, nil
	}
	entries, err := Entries(rec, transfers)
	if err != nil {
		return nil, err
	}
	a.list = a.list[:0]
	for i := range rec.Events {
		e := &rec.Events[i]
		m, err := a.message(rec, e, entries)
		if err != nil {
			return nil, fmt.Errorf("event %d at position %d: %w", i, rec.Position, err)
		}
		a.list = append(a.list, m)
		if e.Customer == rec.Customer {
			entries = nil
		}
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("position %d moved money and has no event that says so", rec.Position)
	}
	return a.list, nil
}

func (a *author) message(rec *journal.Record, e *journal.Event, entries []Entry) (Message, error) {
	event, err := bank.DecodeEvent(bank.EventType(e.Type), e.Body)
	if err != nil {
		return Message{}, err
	}
	kind, _ := bank.KindOf(event.EventType())
	if a.payload, err = appendPayload(a.payload[:0], event); err != nil {
		return Message{}, fmt.Errorf("%s: %w", kind.Name, err)
	}
	hash := sm3.Sum(a.payload)
	a.hash = hex.AppendEncode(a.hash[:0], hash[:])
	from := len(a.values)
	a.values, _ = bank.CustomerNo(e.Customer).AppendText(a.values)
	token := textOf(a.values[from:])
	from = len(a.values)
	a.values, _ = eventID(rec.Time, e.Customer, e.Seq).AppendText(a.values)
	id := textOf(a.values[from:])
	transferIDs := a.envelope.TransferIDs[:0]
	for i := range rec.Transfers {
		transferIDs = append(transferIDs, rec.Transfers[i].ID)
	}
	a.envelope = Envelope{
		EventID: id, Type: kind.Name, SchemaVersion: SchemaVersion,
		OccurredAtNs: rec.Time, AccountingDate: bank.Date(rec.AccountingDate),
		CustomerToken: token, ActorSeq: e.Seq,
		TxnID: bank.TxnID(rec.Subject), CausationID: bank.U128(rec.Command),
		Channel: bank.Channel(rec.Channel), Teller: rec.Teller, TellerSerial: rec.TellerSerial, Position: uint64(rec.Position), TransferIDs: transferIDs,
		Classification: "C2", PayloadHash: textOf(a.hash), Payload: a.payload, // both until the value is made
	}
	env := &a.envelope
	if registered, ok := event.(*bank.CustomerRegistered); ok {
		env.Branch, env.RegionCode = registered.Branch, registered.Region
	}
	if e.Customer == rec.Customer {
		env.Entries = entries
	}
	from = len(a.values)
	a.values = env.appendJSON(a.values)
	return Message{
		Topic: kind.Topic, Key: env.CustomerToken, Position: rec.Position, Seq: e.Seq,
		Type: kind.Name, EventID: env.EventID, TimeNs: rec.Time, Value: a.values[from:len(a.values):len(a.values)],
	}, nil
}

// textOf is the bytes as a string, as long as they stay.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// EventID names a customer's event: a ULID of its time, customer and number.
func EventID(ns int64, customer, seq uint64) string { return eventID(ns, customer, seq).String() }

func eventID(ns int64, customer, seq uint64) bank.TxnID {
	return bank.NewTxnID(ns/1_000_000, bank.CustomerNo(customer), seq)
}

// Entries are what a decision or outcome did to the ledger.
func Entries(rec *journal.Record, transfers Transfers) ([]Entry, error) {
	if rec.Results != nil || rec.Kind == journal.KindIntent {
		return nil, nil // refused, or not known yet: nothing was posted
	}
	var out []Entry
	for i := range rec.Transfers {
		t, ok := transfers.Transfer(rec.Transfers[i].ID)
		if !ok {
			return nil, fmt.Errorf("position %d: the ledger has no transfer %s", rec.Position, rec.Transfers[i].ID)
		}
		e := Entry{ID: t.ID, Ledger: t.Ledger, Code: t.Code, Debit: t.DebitAccountID, Credit: t.CreditAccountID, Phase: Posted}
		var fits bool
		if e.AmountFen, fits = t.Amount.Int64(); !fits {
			return nil, fmt.Errorf("transfer %s: amount beyond int64 fen", t.ID)
		}
		switch {
		case t.Flags&ledger.TransferPending != 0:
			e.Phase = Pending
		case t.Flags&(ledger.TransferPostPending|ledger.TransferVoidPending) != 0:
			e.Phase = Post
			if t.Flags&ledger.TransferVoidPending != 0 {
				e.Phase, e.AmountFen = Void, 0
			}
			held, ok := transfers.Transfer(t.PendingID)
			if !ok {
				return nil, fmt.Errorf("transfer %s: the ledger has no pending transfer %s", t.ID, t.PendingID)
			}
			e.ReleasedFen, _ = held.Amount.Int64()
		}
		out = append(out, e)
	}
	return out, nil
}
