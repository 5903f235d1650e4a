package bank

import "errors"

// Receipt (回执) is the result of a command, as the caller hears it now and every time he repeats the
// same command. Nothing of it leaves before the operation is durable.
type Receipt struct {
	Operation string
	Txn       TxnID
	Date      Date  // accounting date (会计日期)
	Time      int64 // when it was decided, ns since 1970
	// Refusal is set when nothing was done; then there are no events.
	Refusal *Refusal
	// Events of the customer who asked, in order.
	Events []Event
	// Balances after the operation, of the customer's accounts it touched.
	Balances []Balance
	// Repeated: the command had been carried out before, this is its first result.
	Repeated bool
}

// StoredReceipt is what a decision's record keeps of its receipt; the rest is in the record and its events.
type StoredReceipt struct {
	Operation string    `cbor:"1,keyasint"`
	Refusal   *Refusal  `cbor:"2,keyasint,omitempty"`
	Balances  []Balance `cbor:"3,keyasint,omitempty"`
}

// Balance of an account as the ledger has it. Available = posted − pending debits.
type Balance struct {
	Account       AccountNo `cbor:"1,keyasint" json:"account_no"`
	PostedFen     int64     `cbor:"2,keyasint,omitempty" json:"posted_fen"`
	PendingInFen  int64     `cbor:"3,keyasint,omitempty" json:"pending_in_fen"`
	PendingOutFen int64     `cbor:"4,keyasint,omitempty" json:"pending_out_fen"`
	AvailableFen  int64     `cbor:"5,keyasint,omitempty" json:"available_fen"`
}

// Errors that are not refusals: the command's outcome is not decided here and now.
var (
	// ErrOverloaded: not accepted, nothing was done; try again after a moment.
	ErrOverloaded = errors.New("bank: overloaded, nothing was done")
	// ErrStopping: the node is shutting down or has lost its shard; repeat with the same key.
	ErrStopping = errors.New("bank: node is stopping, repeat with the same key")
	// ErrOutcomeUnknown: the answer did not come in time; repeat with the same key.
	ErrOutcomeUnknown = errors.New("bank: outcome unknown, repeat with the same key")
	// ErrLedgerUnavailable: the ledger is away and the command or read needs it; nothing was done.
	ErrLedgerUnavailable = errors.New("bank: ledger unavailable, nothing was done")
	// ErrLedgerUnanswered: the command is written down and the ledger, which is away, has not answered.
	// It will be carried out or refused when the ledger is back; repeat with the same key to hear which.
	ErrLedgerUnanswered = errors.New("bank: the ledger has not answered yet, repeat with the same key")
	// ErrNotFound: a read of something that does not exist.
	ErrNotFound = errors.New("bank: not found")
)
