package standin

import (
	"encoding/binary"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Sizes of what requests and replies hold.
const (
	registerSize      = 256
	registerReplySize = 64
	accountSize       = ledger.WireBytes
	transferSize      = ledger.WireBytes
	resultSize        = 16
	idSize            = 16
	accountFilterSize = 128
	queryFilterSize   = 64
	balanceSize       = 128
	changeFilterSize  = 64
	changeEventSize   = 384
)

func appendAccount(b []byte, a ledger.Account) []byte { return a.AppendWire(b) }

func appendTransfer(b []byte, t ledger.Transfer) []byte { return t.AppendWire(b) }

func appendResult(b []byte, timestamp uint64, status uint32) []byte {
	b = binary.LittleEndian.AppendUint64(b, timestamp)
	b = binary.LittleEndian.AppendUint32(b, status)
	return binary.LittleEndian.AppendUint32(b, 0) // reserved
}

func appendAccountResult(b []byte, r ledger.CreateAccountResult) []byte {
	return appendResult(b, r.Timestamp, uint32(r.Status))
}

func appendTransferResult(b []byte, r ledger.CreateTransferResult) []byte {
	return appendResult(b, r.Timestamp, uint32(r.Status))
}

// readAccountFilter returns a filter without a limit, which finds nothing, where reserved bytes
// are set: the server calls such a filter invalid, and ours has no place for them.
func readAccountFilter(b []byte) ledger.AccountFilter {
	if !zero(b[46:104]) {
		return ledger.AccountFilter{}
	}
	return ledger.AccountFilter{
		AccountID:    uint128At(b, 0),
		UserData128:  uint128At(b, 16),
		UserData64:   binary.LittleEndian.Uint64(b[32:]),
		UserData32:   binary.LittleEndian.Uint32(b[40:]),
		Code:         binary.LittleEndian.Uint16(b[44:]),
		TimestampMin: binary.LittleEndian.Uint64(b[104:]),
		TimestampMax: binary.LittleEndian.Uint64(b[112:]),
		Limit:        binary.LittleEndian.Uint32(b[120:]),
		Flags:        ledger.AccountFilterFlags(binary.LittleEndian.Uint32(b[124:])),
	}
}

// readQueryFilter treats reserved bytes as readAccountFilter does.
func readQueryFilter(b []byte) ledger.QueryFilter {
	if !zero(b[34:40]) {
		return ledger.QueryFilter{}
	}
	return ledger.QueryFilter{
		UserData128:  uint128At(b, 0),
		UserData64:   binary.LittleEndian.Uint64(b[16:]),
		UserData32:   binary.LittleEndian.Uint32(b[24:]),
		Ledger:       binary.LittleEndian.Uint32(b[28:]),
		Code:         binary.LittleEndian.Uint16(b[32:]),
		TimestampMin: binary.LittleEndian.Uint64(b[40:]),
		TimestampMax: binary.LittleEndian.Uint64(b[48:]),
		Limit:        binary.LittleEndian.Uint32(b[56:]),
		Flags:        ledger.QueryFilterFlags(binary.LittleEndian.Uint32(b[60:])),
	}
}

// readChangeFilter treats reserved bytes as readAccountFilter does.
func readChangeFilter(b []byte) ledger.ChangeEventsFilter {
	if !zero(b[20:changeFilterSize]) {
		return ledger.ChangeEventsFilter{}
	}
	return ledger.ChangeEventsFilter{
		TimestampMin: binary.LittleEndian.Uint64(b),
		TimestampMax: binary.LittleEndian.Uint64(b[8:]),
		Limit:        binary.LittleEndian.Uint32(b[16:]),
	}
}

func appendBalance(b []byte, balance ledger.AccountBalance) []byte {
	b = balance.DebitsPending.AppendWire(b)
	b = balance.DebitsPosted.AppendWire(b)
	b = balance.CreditsPending.AppendWire(b)
	b = balance.CreditsPosted.AppendWire(b)
	b = binary.LittleEndian.AppendUint64(b, balance.Timestamp)
	return append(b, make([]byte, 56)...) // reserved
}

func appendChangeEvent(b []byte, e ledger.ChangeEvent) []byte {
	b = e.Transfer.ID.AppendWire(b)
	b = e.Transfer.Amount.AppendWire(b)
	b = e.Transfer.PendingID.AppendWire(b)
	b = e.Transfer.UserData128.AppendWire(b)
	b = binary.LittleEndian.AppendUint64(b, e.Transfer.UserData64)
	b = binary.LittleEndian.AppendUint32(b, e.Transfer.UserData32)
	b = binary.LittleEndian.AppendUint32(b, e.Transfer.Timeout)
	b = binary.LittleEndian.AppendUint16(b, e.Transfer.Code)
	b = binary.LittleEndian.AppendUint16(b, uint16(e.Transfer.Flags))
	b = binary.LittleEndian.AppendUint32(b, e.Ledger)
	b = append(b, byte(e.Type))
	b = append(b, make([]byte, 39)...) // reserved
	b = appendChangedAccount(b, e.DebitAccount)
	b = appendChangedAccount(b, e.CreditAccount)
	b = binary.LittleEndian.AppendUint64(b, e.Timestamp)
	b = binary.LittleEndian.AppendUint64(b, e.Transfer.Timestamp)
	b = binary.LittleEndian.AppendUint64(b, e.DebitAccount.Timestamp)
	return binary.LittleEndian.AppendUint64(b, e.CreditAccount.Timestamp)
}

func appendChangedAccount(b []byte, a ledger.Account) []byte {
	b = a.ID.AppendWire(b)
	b = a.DebitsPending.AppendWire(b)
	b = a.DebitsPosted.AppendWire(b)
	b = a.CreditsPending.AppendWire(b)
	b = a.CreditsPosted.AppendWire(b)
	b = a.UserData128.AppendWire(b)
	b = binary.LittleEndian.AppendUint64(b, a.UserData64)
	b = binary.LittleEndian.AppendUint32(b, a.UserData32)
	b = binary.LittleEndian.AppendUint16(b, a.Code)
	return binary.LittleEndian.AppendUint16(b, uint16(a.Flags))
}
