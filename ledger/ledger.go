// Package ledger is double entry with the meaning of TigerBeetle 0.17.9: accounts, transfers,
// two-phase transfers, linked chains, limits kept by account flags, and identifiers that make
// every retry safe. Start here: the types, and the interface both implementations keep.
//
// Implementations: ledger/embedded (in process, deterministic, the default) and
// ledger/tigerbeetle (a TigerBeetle cluster).
package ledger

import (
	"context"
	"errors"
)

// Account (账户) is one side of transfers. Balances are in the ledger's smallest unit (fen, 分)
// and only the ledger writes them and Timestamp; a create must leave them zero.
type Account struct {
	ID             Uint128
	DebitsPending  Uint128
	DebitsPosted   Uint128
	CreditsPending Uint128
	CreditsPosted  Uint128
	UserData128    Uint128
	UserData64     uint64
	UserData32     uint32
	Reserved       uint32
	Ledger         uint32
	Code           uint16
	Flags          AccountFlags
	Timestamp      uint64 // ns, assigned; unique over all objects of the ledger
}

// AccountFlags are the rules an account keeps.
type AccountFlags uint16

// The values are TigerBeetle's.
const (
	AccountLinked                     AccountFlags = 1 << 0
	AccountDebitsMustNotExceedCredits AccountFlags = 1 << 1
	AccountCreditsMustNotExceedDebits AccountFlags = 1 << 2
	AccountHistory                    AccountFlags = 1 << 3
	AccountImported                   AccountFlags = 1 << 4
	AccountClosed                     AccountFlags = 1 << 5
)

// Transfer (分录的一条) moves Amount from the debit to the credit account. It never changes once
// created. For a post or void PendingID names the pending transfer; zero fields inherit from it.
type Transfer struct {
	ID              Uint128
	DebitAccountID  Uint128
	CreditAccountID Uint128
	Amount          Uint128
	PendingID       Uint128
	UserData128     Uint128
	UserData64      uint64
	UserData32      uint32
	Timeout         uint32 // seconds; 0: never expires
	Ledger          uint32
	Code            uint16
	Flags           TransferFlags
	Timestamp       uint64
}

// TransferFlags say what kind of transfer it is.
type TransferFlags uint16

// The values are TigerBeetle's.
const (
	TransferLinked          TransferFlags = 1 << 0
	TransferPending         TransferFlags = 1 << 1
	TransferPostPending     TransferFlags = 1 << 2
	TransferVoidPending     TransferFlags = 1 << 3
	TransferBalancingDebit  TransferFlags = 1 << 4
	TransferBalancingCredit TransferFlags = 1 << 5
	TransferClosingDebit    TransferFlags = 1 << 6
	TransferClosingCredit   TransferFlags = 1 << 7
	TransferImported        TransferFlags = 1 << 8
)

// CreateAccountResult answers one account of a request, at the same index.
type CreateAccountResult struct {
	Timestamp uint64 // when it was judged; for exists the original's
	Status    CreateAccountStatus
}

// CreateTransferResult answers one transfer of a request, at the same index.
type CreateTransferResult struct {
	Timestamp uint64
	Status    CreateTransferStatus
}

// AccountFilter selects transfers or balances of one account. Bounds are inclusive, zero means open.
type AccountFilter struct {
	AccountID    Uint128
	UserData128  Uint128
	UserData64   uint64
	UserData32   uint32
	Code         uint16
	TimestampMin uint64
	TimestampMax uint64
	Limit        uint32
	Flags        AccountFilterFlags
}

// AccountFilterFlags choose sides and order.
type AccountFilterFlags uint32

// The values are TigerBeetle's.
const (
	AccountFilterDebits   AccountFilterFlags = 1 << 0
	AccountFilterCredits  AccountFilterFlags = 1 << 1
	AccountFilterReversed AccountFilterFlags = 1 << 2
)

// AccountBalance is an account's balances just after the transfer with this timestamp.
type AccountBalance struct {
	DebitsPending  Uint128
	DebitsPosted   Uint128
	CreditsPending Uint128
	CreditsPosted  Uint128
	Timestamp      uint64
}

// QueryFilter selects accounts or transfers by their fields; zero fields match everything.
type QueryFilter struct {
	UserData128  Uint128
	UserData64   uint64
	UserData32   uint32
	Ledger       uint32
	Code         uint16
	TimestampMin uint64
	TimestampMax uint64
	Limit        uint32
	Flags        QueryFilterFlags
}

// QueryFilterFlags choose the order.
type QueryFilterFlags uint32

// QueryFilterReversed gives the newest first.
const QueryFilterReversed QueryFilterFlags = 1 << 0

// ChangeEventsFilter selects change events by time, both bounds inclusive, zero means open.
type ChangeEventsFilter struct {
	TimestampMin uint64
	TimestampMax uint64
	Limit        uint32
}

// ChangeEventType says what happened.
type ChangeEventType uint8

// The values are TigerBeetle's.
const (
	ChangeSinglePhase ChangeEventType = iota
	ChangeTwoPhasePending
	ChangeTwoPhasePosted
	ChangeTwoPhaseVoided
	ChangeTwoPhaseExpired
)

// ChangeEvent is one change of balances with both accounts as they were just after it.
// For an expiry, Transfer is the pending transfer that expired.
type ChangeEvent struct {
	Type          ChangeEventType
	Timestamp     uint64
	Ledger        uint32
	Transfer      Transfer
	DebitAccount  Account
	CreditAccount Account
}

// Limits are what one request may hold.
type Limits struct {
	BatchMax       int // accounts, transfers or ids in one request
	QueryMax       int // results of one query
	ChangeEventMax int
}

// Errors of a call as a whole. A refused account or transfer is a status in its result, not an error.
var (
	// ErrTooMuchData: the request is larger than Limits allow; nothing was done.
	ErrTooMuchData = errors.New("ledger: request exceeds the batch limit")
	// ErrUnavailable: the ledger can't be reached and the request was not sent; nothing was done.
	ErrUnavailable = errors.New("ledger: unavailable, request not sent")
	// ErrOutcomeUnknown: sent, no answer. Ask again with the same ids: created or exists means done.
	ErrOutcomeUnknown = errors.New("ledger: outcome unknown, repeat with the same ids")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("ledger: closed")
)

// Ledger is what the commit pipeline and reads use. All methods are safe for concurrent use;
// requests are applied one after the other, each whole.
type Ledger interface {
	// CreateAccounts creates accounts, a result for each. Durable on return when the implementation is.
	CreateAccounts(ctx context.Context, accounts []Account) ([]CreateAccountResult, error)
	// CreateTransfers creates transfers, a result for each; linked chains succeed or fail whole.
	CreateTransfers(ctx context.Context, transfers []Transfer) ([]CreateTransferResult, error)
	// LookupAccounts returns the accounts found, in the order asked; unknown ids are left out.
	LookupAccounts(ctx context.Context, ids []Uint128) ([]Account, error)
	LookupTransfers(ctx context.Context, ids []Uint128) ([]Transfer, error)
	// AccountTransfers lists an account's transfers by time; an invalid filter gives none.
	AccountTransfers(ctx context.Context, filter AccountFilter) ([]Transfer, error)
	// AccountBalances lists balances after each matching transfer, for accounts with history only.
	AccountBalances(ctx context.Context, filter AccountFilter) ([]AccountBalance, error)
	QueryAccounts(ctx context.Context, filter QueryFilter) ([]Account, error)
	QueryTransfers(ctx context.Context, filter QueryFilter) ([]Transfer, error)
	// ChangeEvents lists every change of balances in commit order, expiries included.
	ChangeEvents(ctx context.Context, filter ChangeEventsFilter) ([]ChangeEvent, error)
	Limits() Limits
	Close() error
}
