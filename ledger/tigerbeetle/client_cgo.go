//go:build cgo

package tigerbeetle

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Open connects to a cluster. It returns once the cluster has answered, or has not for
// UnavailableAfter (and as long again where names have to be resolved first); a cluster that isn't
// there yet is waited for in the background. It fails where options make no sense, or this machine
// can't run a client.
func Open(options Options) (*Ledger, error) { return open(options, dial) }

func dial(cluster ledger.Uint128, numericAddresses []string) (client, error) {
	c, err := tb.NewClient(toUint128(&cluster), numericAddresses)
	if err != nil {
		return nil, err
	}
	return &library{tb: c}, nil
}

// library is the real client. What a call hands it is pinned and read until the call returns, and
// belongs to that call alone.
type library struct {
	tb tb.Client
	// outgoing is what createTransfers hands over. Its only caller is a dispatcher, one call at a
	// time, so it is free again when the next one comes. A new megabyte for each request would
	// cost 40 ns for each of its transfers, the conversion itself costs 9.
	outgoing []tb.Transfer
}

func (c *library) createAccounts(accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
	results, err := c.tb.CreateAccounts(convert(accounts, toAccount))
	return convert(results, fromAccountResult), meaning(err)
}

func (c *library) createTransfers(transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	c.outgoing = convertInto(c.outgoing, transfers, toTransfer)
	results, err := c.tb.CreateTransfers(c.outgoing)
	return convert(results, fromTransferResult), meaning(err)
}

func (c *library) lookupAccounts(ids []ledger.Uint128) ([]ledger.Account, error) {
	found, err := c.tb.LookupAccounts(convert(ids, toID))
	return convert(found, fromAccount), meaning(err)
}

func (c *library) lookupTransfers(ids []ledger.Uint128) ([]ledger.Transfer, error) {
	found, err := c.tb.LookupTransfers(convert(ids, toID))
	return convert(found, fromTransfer), meaning(err)
}

func (c *library) accountTransfers(filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	found, err := c.tb.GetAccountTransfers(toAccountFilter(filter))
	return convert(found, fromTransfer), meaning(err)
}

func (c *library) accountBalances(filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	found, err := c.tb.GetAccountBalances(toAccountFilter(filter))
	return convert(found, fromBalance), meaning(err)
}

func (c *library) queryAccounts(filter ledger.QueryFilter) ([]ledger.Account, error) {
	found, err := c.tb.QueryAccounts(toQueryFilter(filter))
	return convert(found, fromAccount), meaning(err)
}

func (c *library) queryTransfers(filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	found, err := c.tb.QueryTransfers(toQueryFilter(filter))
	return convert(found, fromTransfer), meaning(err)
}

func (c *library) changeEvents(filter ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
	found, err := c.tb.GetChangeEvents(tb.ChangeEventsFilter{
		TimestampMin: filter.TimestampMin,
		TimestampMax: filter.TimestampMax,
		Limit:        filter.Limit,
	})
	return convert(found, fromChangeEvent), meaning(err)
}

func (c *library) close() { c.tb.Close() }

// meaning sorts the library's errors into what client promises. A release the cluster won't serve
// is tried again like an eviction: the cluster may be on its way up to it.
func meaning(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tb.ErrTooMuchData):
		return ledger.ErrTooMuchData
	case errors.Is(err, tb.ErrClientEvicted), errors.Is(err, tb.ErrClientClosed),
		errors.Is(err, tb.ErrClientReleaseTooLow), errors.Is(err, tb.ErrClientReleaseTooHigh):
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return err
}

// convert makes a new slice. The library's rows are laid out like ours; they are copied field by
// field all the same, so that a change on either side fails to compile or fails a test.
func convert[From, To any](from []From, set func(*To, *From)) []To {
	return convertInto(nil, from, set)
}

// convertInto overwrites to, if it is large enough.
func convertInto[From, To any](to []To, from []From, set func(*To, *From)) []To {
	to = slices.Grow(to[:0], len(from))[:len(from)]
	for i := range from {
		set(&to[i], &from[i])
	}
	return to
}

// toUint128 and fromUint128 read one type as the other: both are sixteen bytes, the lowest first,
// on every machine the library is made for. Through a byte array a transfer would cost 60 ns more,
// because the processor can't forward two halves to one load.
func toUint128(v *ledger.Uint128) tb.Uint128 { return *(*tb.Uint128)(unsafe.Pointer(v)) }

func fromUint128(v *tb.Uint128) ledger.Uint128 { return *(*ledger.Uint128)(unsafe.Pointer(v)) }

func toID(to *tb.Uint128, from *ledger.Uint128) { *to = toUint128(from) }

func toAccount(to *tb.Account, from *ledger.Account) {
	to.ID = toUint128(&from.ID)
	to.DebitsPending = toUint128(&from.DebitsPending)
	to.DebitsPosted = toUint128(&from.DebitsPosted)
	to.CreditsPending = toUint128(&from.CreditsPending)
	to.CreditsPosted = toUint128(&from.CreditsPosted)
	to.UserData128 = toUint128(&from.UserData128)
	to.UserData64 = from.UserData64
	to.UserData32 = from.UserData32
	to.Reserved = from.Reserved
	to.Ledger = from.Ledger
	to.Code = from.Code
	to.Flags = uint16(from.Flags)
	to.Timestamp = from.Timestamp
}

func fromAccount(to *ledger.Account, from *tb.Account) {
	to.ID = fromUint128(&from.ID)
	to.DebitsPending = fromUint128(&from.DebitsPending)
	to.DebitsPosted = fromUint128(&from.DebitsPosted)
	to.CreditsPending = fromUint128(&from.CreditsPending)
	to.CreditsPosted = fromUint128(&from.CreditsPosted)
	to.UserData128 = fromUint128(&from.UserData128)
	to.UserData64 = from.UserData64
	to.UserData32 = from.UserData32
	to.Reserved = from.Reserved
	to.Ledger = from.Ledger
	to.Code = from.Code
	to.Flags = ledger.AccountFlags(from.Flags)
	to.Timestamp = from.Timestamp
}

func toTransfer(to *tb.Transfer, from *ledger.Transfer) {
	to.ID = toUint128(&from.ID)
	to.DebitAccountID = toUint128(&from.DebitAccountID)
	to.CreditAccountID = toUint128(&from.CreditAccountID)
	to.Amount = toUint128(&from.Amount)
	to.PendingID = toUint128(&from.PendingID)
	to.UserData128 = toUint128(&from.UserData128)
	to.UserData64 = from.UserData64
	to.UserData32 = from.UserData32
	to.Timeout = from.Timeout
	to.Ledger = from.Ledger
	to.Code = from.Code
	to.Flags = uint16(from.Flags)
	to.Timestamp = from.Timestamp
}

func fromTransfer(to *ledger.Transfer, from *tb.Transfer) {
	to.ID = fromUint128(&from.ID)
	to.DebitAccountID = fromUint128(&from.DebitAccountID)
	to.CreditAccountID = fromUint128(&from.CreditAccountID)
	to.Amount = fromUint128(&from.Amount)
	to.PendingID = fromUint128(&from.PendingID)
	to.UserData128 = fromUint128(&from.UserData128)
	to.UserData64 = from.UserData64
	to.UserData32 = from.UserData32
	to.Timeout = from.Timeout
	to.Ledger = from.Ledger
	to.Code = from.Code
	to.Flags = ledger.TransferFlags(from.Flags)
	to.Timestamp = from.Timestamp
}

func fromAccountResult(to *ledger.CreateAccountResult, from *tb.CreateAccountResult) {
	to.Timestamp = from.Timestamp
	to.Status = ledger.CreateAccountStatus(from.Status)
}

func fromTransferResult(to *ledger.CreateTransferResult, from *tb.CreateTransferResult) {
	to.Timestamp = from.Timestamp
	to.Status = ledger.CreateTransferStatus(from.Status)
}

func fromBalance(to *ledger.AccountBalance, from *tb.AccountBalance) {
	to.DebitsPending = fromUint128(&from.DebitsPending)
	to.DebitsPosted = fromUint128(&from.DebitsPosted)
	to.CreditsPending = fromUint128(&from.CreditsPending)
	to.CreditsPosted = fromUint128(&from.CreditsPosted)
	to.Timestamp = from.Timestamp
}

func toAccountFilter(from ledger.AccountFilter) tb.AccountFilter {
	return tb.AccountFilter{
		AccountID:    toUint128(&from.AccountID),
		UserData128:  toUint128(&from.UserData128),
		UserData64:   from.UserData64,
		UserData32:   from.UserData32,
		Code:         from.Code,
		TimestampMin: from.TimestampMin,
		TimestampMax: from.TimestampMax,
		Limit:        from.Limit,
		Flags:        uint32(from.Flags),
	}
}

func toQueryFilter(from ledger.QueryFilter) tb.QueryFilter {
	return tb.QueryFilter{
		UserData128:  toUint128(&from.UserData128),
		UserData64:   from.UserData64,
		UserData32:   from.UserData32,
		Ledger:       from.Ledger,
		Code:         from.Code,
		TimestampMin: from.TimestampMin,
		TimestampMax: from.TimestampMax,
		Limit:        from.Limit,
		Flags:        uint32(from.Flags),
	}
}

func fromChangeEvent(to *ledger.ChangeEvent, from *tb.ChangeEvent) {
	to.Type = ledger.ChangeEventType(from.Type)
	to.Timestamp = from.Timestamp
	to.Ledger = from.Ledger
	to.Transfer = ledger.Transfer{
		ID:              fromUint128(&from.TransferID),
		DebitAccountID:  fromUint128(&from.DebitAccountID),
		CreditAccountID: fromUint128(&from.CreditAccountID),
		Amount:          fromUint128(&from.TransferAmount),
		PendingID:       fromUint128(&from.TransferPendingID),
		UserData128:     fromUint128(&from.TransferUserData128),
		UserData64:      from.TransferUserData64,
		UserData32:      from.TransferUserData32,
		Timeout:         from.TransferTimeout,
		Ledger:          from.Ledger,
		Code:            from.TransferCode,
		Flags:           ledger.TransferFlags(from.TransferFlags),
		Timestamp:       from.TransferTimestamp,
	}
	to.DebitAccount = ledger.Account{
		ID:             fromUint128(&from.DebitAccountID),
		DebitsPending:  fromUint128(&from.DebitAccountDebitsPending),
		DebitsPosted:   fromUint128(&from.DebitAccountDebitsPosted),
		CreditsPending: fromUint128(&from.DebitAccountCreditsPending),
		CreditsPosted:  fromUint128(&from.DebitAccountCreditsPosted),
		UserData128:    fromUint128(&from.DebitAccountUserData128),
		UserData64:     from.DebitAccountUserData64,
		UserData32:     from.DebitAccountUserData32,
		Ledger:         from.Ledger,
		Code:           from.DebitAccountCode,
		Flags:          ledger.AccountFlags(from.DebitAccountFlags),
		Timestamp:      from.DebitAccountTimestamp,
	}
	to.CreditAccount = ledger.Account{
		ID:             fromUint128(&from.CreditAccountID),
		DebitsPending:  fromUint128(&from.CreditAccountDebitsPending),
		DebitsPosted:   fromUint128(&from.CreditAccountDebitsPosted),
		CreditsPending: fromUint128(&from.CreditAccountCreditsPending),
		CreditsPosted:  fromUint128(&from.CreditAccountCreditsPosted),
		UserData128:    fromUint128(&from.CreditAccountUserData128),
		UserData64:     from.CreditAccountUserData64,
		UserData32:     from.CreditAccountUserData32,
		Ledger:         from.Ledger,
		Code:           from.CreditAccountCode,
		Flags:          ledger.AccountFlags(from.CreditAccountFlags),
		Timestamp:      from.CreditAccountTimestamp,
	}
}
