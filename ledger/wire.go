package ledger

import "encoding/binary"

// The form of accounts and transfers on TigerBeetle's wire, little-endian, in the order of their fields. The
// log of an embedded ledger uses it too.

// WireBytes is the length of an account or a transfer.
const WireBytes = 128

// AppendWire appends u's 16 bytes.
func (u Uint128) AppendWire(b []byte) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, u.Lo), u.Hi)
}

// Uint128OfWire reads 16 bytes.
func Uint128OfWire(b []byte) Uint128 {
	return Uint128{Lo: binary.LittleEndian.Uint64(b), Hi: binary.LittleEndian.Uint64(b[8:])}
}

// AppendWire appends the account's WireBytes.
func (a *Account) AppendWire(b []byte) []byte {
	b = a.ID.AppendWire(b)
	b = a.DebitsPending.AppendWire(b)
	b = a.DebitsPosted.AppendWire(b)
	b = a.CreditsPending.AppendWire(b)
	b = a.CreditsPosted.AppendWire(b)
	b = a.UserData128.AppendWire(b)
	b = binary.LittleEndian.AppendUint64(b, a.UserData64)
	b = binary.LittleEndian.AppendUint32(b, a.UserData32)
	b = binary.LittleEndian.AppendUint32(b, a.Reserved)
	b = binary.LittleEndian.AppendUint32(b, a.Ledger)
	b = binary.LittleEndian.AppendUint16(b, a.Code)
	b = binary.LittleEndian.AppendUint16(b, uint16(a.Flags))
	return binary.LittleEndian.AppendUint64(b, a.Timestamp)
}

// AccountOfWire reads WireBytes.
func AccountOfWire(b []byte) Account {
	return Account{
		ID:             Uint128OfWire(b),
		DebitsPending:  Uint128OfWire(b[16:]),
		DebitsPosted:   Uint128OfWire(b[32:]),
		CreditsPending: Uint128OfWire(b[48:]),
		CreditsPosted:  Uint128OfWire(b[64:]),
		UserData128:    Uint128OfWire(b[80:]),
		UserData64:     binary.LittleEndian.Uint64(b[96:]),
		UserData32:     binary.LittleEndian.Uint32(b[104:]),
		Reserved:       binary.LittleEndian.Uint32(b[108:]),
		Ledger:         binary.LittleEndian.Uint32(b[112:]),
		Code:           binary.LittleEndian.Uint16(b[116:]),
		Flags:          AccountFlags(binary.LittleEndian.Uint16(b[118:])),
		Timestamp:      binary.LittleEndian.Uint64(b[120:]),
	}
}

// AppendWire appends the transfer's WireBytes.
func (t *Transfer) AppendWire(b []byte) []byte {
	b = t.ID.AppendWire(b)
	b = t.DebitAccountID.AppendWire(b)
	b = t.CreditAccountID.AppendWire(b)
	b = t.Amount.AppendWire(b)
	b = t.PendingID.AppendWire(b)
	b = t.UserData128.AppendWire(b)
	b = binary.LittleEndian.AppendUint64(b, t.UserData64)
	b = binary.LittleEndian.AppendUint32(b, t.UserData32)
	b = binary.LittleEndian.AppendUint32(b, t.Timeout)
	b = binary.LittleEndian.AppendUint32(b, t.Ledger)
	b = binary.LittleEndian.AppendUint16(b, t.Code)
	b = binary.LittleEndian.AppendUint16(b, uint16(t.Flags))
	return binary.LittleEndian.AppendUint64(b, t.Timestamp)
}

// TransferOfWire reads WireBytes.
func TransferOfWire(b []byte) Transfer {
	return Transfer{
		ID:              Uint128OfWire(b),
		DebitAccountID:  Uint128OfWire(b[16:]),
		CreditAccountID: Uint128OfWire(b[32:]),
		Amount:          Uint128OfWire(b[48:]),
		PendingID:       Uint128OfWire(b[64:]),
		UserData128:     Uint128OfWire(b[80:]),
		UserData64:      binary.LittleEndian.Uint64(b[96:]),
		UserData32:      binary.LittleEndian.Uint32(b[104:]),
		Timeout:         binary.LittleEndian.Uint32(b[108:]),
		Ledger:          binary.LittleEndian.Uint32(b[112:]),
		Code:            binary.LittleEndian.Uint16(b[116:]),
		Flags:           TransferFlags(binary.LittleEndian.Uint16(b[118:])),
		Timestamp:       binary.LittleEndian.Uint64(b[120:]),
	}
}
