package embedded

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// recordVersion begins every record. A newer program reads older versions; an older one refuses newer.
const recordVersion = 2

// recordBeforeTellers is the version of records from before tellers numbered their journals.
const recordBeforeTellers = 1

var errMalformed = errors.New("malformed record")

// Which fields of a transfer are written; the others are zero, or equal to the record's.
const (
	hasDebit = 1 << iota
	hasCredit
	hasAmount
	allAmount // AmountMax
	hasPending
	ownSubject // UserData128 is not the record's Subject
	ownStamp   // UserData64 is not the record's Stamp; before tellers numbered their journals: not zero
	ownDate    // UserData32 is not the record's AccountingDate
	hasTimeout
)

// appendRecord appends the record's stored form, without its position.
func appendRecord(b []byte, r *journal.Record) []byte {
	b = append(b, recordVersion, byte(r.Kind))
	b = binary.AppendUvarint(b, uint64(r.Shard))
	b = binary.AppendUvarint(b, r.Epoch)
	b = binary.AppendUvarint(b, r.Customer)
	b = binary.AppendUvarint(b, r.Seq)
	b = appendID(b, r.Command)
	b = appendID(b, r.BodyHash)
	b = appendID(b, r.Subject)
	b = binary.AppendVarint(b, r.Time)
	b = binary.AppendUvarint(b, uint64(r.AccountingDate))
	b = binary.AppendUvarint(b, uint64(r.Channel))
	b = binary.AppendUvarint(b, uint64(r.Teller))
	b = binary.AppendUvarint(b, r.TellerSerial)
	b = binary.AppendUvarint(b, uint64(len(r.Accounts)))
	for i := range r.Accounts {
		b = appendAccount(b, &r.Accounts[i])
	}
	b = binary.AppendUvarint(b, uint64(len(r.Transfers)))
	for i := range r.Transfers {
		b = appendTransfer(b, r, &r.Transfers[i])
	}
	b = binary.AppendUvarint(b, uint64(len(r.Results)))
	for _, s := range r.Results {
		b = binary.AppendUvarint(b, uint64(s))
	}
	b = binary.AppendUvarint(b, uint64(len(r.Events)))
	for i := range r.Events {
		e := &r.Events[i]
		b = binary.AppendUvarint(b, e.Customer)
		b = binary.AppendUvarint(b, e.Seq)
		b = binary.AppendUvarint(b, uint64(e.Type))
		b = binary.AppendUvarint(b, uint64(len(e.Body)))
		b = append(b, e.Body...)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Receipt)))
	return append(b, r.Receipt...)
}

func appendID(b []byte, id ledger.Uint128) []byte {
	b = binary.LittleEndian.AppendUint64(b, id.Lo)
	return binary.LittleEndian.AppendUint64(b, id.Hi)
}

func appendAccount(b []byte, a *ledger.Account) []byte {
	b = appendID(b, a.ID)
	b = appendID(b, a.UserData128)
	b = binary.AppendUvarint(b, a.UserData64)
	b = binary.AppendUvarint(b, uint64(a.UserData32))
	b = binary.AppendUvarint(b, uint64(a.Ledger))
	b = binary.AppendUvarint(b, uint64(a.Code))
	return binary.AppendUvarint(b, uint64(a.Flags))
}

func appendTransfer(b []byte, r *journal.Record, t *ledger.Transfer) []byte {
	var has uint64
	set := func(on bool, bit uint64) {
		if on {
			has |= bit
		}
	}
	set(!t.DebitAccountID.IsZero(), hasDebit)
	set(!t.CreditAccountID.IsZero(), hasCredit)
	set(t.Amount == ledger.AmountMax, allAmount)
	set(!t.Amount.IsZero() && t.Amount != ledger.AmountMax, hasAmount)
	set(!t.PendingID.IsZero(), hasPending)
	set(t.UserData128 != r.Subject, ownSubject)
	set(t.UserData64 != r.Stamp(), ownStamp)
	set(t.UserData32 != r.AccountingDate, ownDate)
	set(t.Timeout != 0, hasTimeout)
	b = binary.AppendUvarint(b, has)
	b = appendID(b, t.ID)
	if has&hasDebit != 0 {
		b = appendID(b, t.DebitAccountID)
	}
	if has&hasCredit != 0 {
		b = appendID(b, t.CreditAccountID)
	}
	if has&hasAmount != 0 {
		b = binary.AppendUvarint(b, t.Amount.Lo)
		b = binary.AppendUvarint(b, t.Amount.Hi)
	}
	if has&hasPending != 0 {
		b = appendID(b, t.PendingID)
	}
	if has&ownSubject != 0 {
		b = appendID(b, t.UserData128)
	}
	if has&ownStamp != 0 {
		b = binary.LittleEndian.AppendUint64(b, t.UserData64)
	}
	if has&ownDate != 0 {
		b = binary.AppendUvarint(b, uint64(t.UserData32))
	}
	if has&hasTimeout != 0 {
		b = binary.AppendUvarint(b, uint64(t.Timeout))
	}
	b = binary.AppendUvarint(b, uint64(t.Ledger))
	b = binary.AppendUvarint(b, uint64(t.Code))
	return binary.AppendUvarint(b, uint64(t.Flags))
}

// decoder takes a record apart; the first thing that does not fit makes everything after it zero.
type decoder struct {
	b   []byte
	bad bool
}

func (r *decoder) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > limit {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *decoder) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *decoder) u64() uint64 {
	b := r.bytes(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (r *decoder) id() ledger.Uint128 { lo := r.u64(); return ledger.Uint128{Lo: lo, Hi: r.u64()} }

// count reads a number of items of at least size bytes each, so that a lying length allocates nothing.
func (r *decoder) count(size uint64) int {
	return int(r.uvarint(uint64(len(r.b)) / size))
}

// decodeRecord reads a stored record into r, reusing its slices, and returns what stands behind it. Events and
// receipt share b.
func decodeRecord(b []byte, r *journal.Record) (rest []byte, err error) {
	in := decoder{b: b}
	head := in.bytes(2)
	if head == nil || head[0] != recordVersion && head[0] != recordBeforeTellers {
		return nil, errMalformed
	}
	numbered := head[0] != recordBeforeTellers
	accounts, transfers, results, events := r.Accounts[:0], r.Transfers[:0], r.Results[:0], r.Events[:0]
	*r = journal.Record{Kind: journal.Kind(head[1])}
	r.Shard = uint16(in.uvarint(math.MaxUint16))
	r.Epoch = in.uvarint(math.MaxUint64)
	r.Customer = in.uvarint(math.MaxUint64)
	r.Seq = in.uvarint(math.MaxUint64)
	r.Command, r.BodyHash, r.Subject = in.id(), in.id(), in.id()
	t, n := binary.Varint(in.b)
	if n <= 0 {
		return nil, errMalformed
	}
	r.Time, in.b = t, in.b[n:]
	r.AccountingDate = uint32(in.uvarint(math.MaxUint32))
	r.Channel = uint16(in.uvarint(math.MaxUint16))
	r.Teller = uint16(in.uvarint(math.MaxUint16))
	stamp := uint64(0)
	if numbered {
		r.TellerSerial, stamp = in.uvarint(math.MaxUint64), r.Stamp()
	}
	for range in.count(37) {
		accounts = append(accounts, in.account())
	}
	for range in.count(20) {
		transfers = append(transfers, in.transfer(r, stamp))
	}
	for range in.count(1) {
		results = append(results, ledger.CreateTransferStatus(in.uvarint(math.MaxUint32)))
	}
	for range in.count(4) {
		e := journal.Event{Customer: in.uvarint(math.MaxUint64), Seq: in.uvarint(math.MaxUint64)}
		e.Type = uint16(in.uvarint(math.MaxUint16))
		e.Body = in.bytes(in.uvarint(math.MaxUint32))
		events = append(events, e)
	}
	r.Receipt = in.bytes(in.uvarint(math.MaxUint32))
	if in.bad {
		return nil, errMalformed
	}
	r.Accounts, r.Transfers, r.Events = accounts, transfers, events
	if len(results) > 0 {
		r.Results = results
	}
	return in.b, nil
}

func (r *decoder) account() ledger.Account {
	return ledger.Account{
		ID: r.id(), UserData128: r.id(), UserData64: r.uvarint(math.MaxUint64),
		UserData32: uint32(r.uvarint(math.MaxUint32)), Ledger: uint32(r.uvarint(math.MaxUint32)),
		Code: uint16(r.uvarint(math.MaxUint16)), Flags: ledger.AccountFlags(r.uvarint(math.MaxUint16)),
	}
}

// transfer reads a transfer of the record, whose transfers bear the stamp unless they say another.
func (r *decoder) transfer(rec *journal.Record, stamp uint64) ledger.Transfer {
	has := r.uvarint(math.MaxUint16)
	t := ledger.Transfer{ID: r.id(), UserData128: rec.Subject, UserData64: stamp, UserData32: rec.AccountingDate}
	if has&hasDebit != 0 {
		t.DebitAccountID = r.id()
	}
	if has&hasCredit != 0 {
		t.CreditAccountID = r.id()
	}
	switch {
	case has&allAmount != 0:
		t.Amount = ledger.AmountMax
	case has&hasAmount != 0:
		lo := r.uvarint(math.MaxUint64)
		t.Amount = ledger.Uint128{Lo: lo, Hi: r.uvarint(math.MaxUint64)}
	}
	if has&hasPending != 0 {
		t.PendingID = r.id()
	}
	if has&ownSubject != 0 {
		t.UserData128 = r.id()
	}
	if has&ownStamp != 0 {
		t.UserData64 = r.u64()
	}
	if has&ownDate != 0 {
		t.UserData32 = uint32(r.uvarint(math.MaxUint32))
	}
	if has&hasTimeout != 0 {
		t.Timeout = uint32(r.uvarint(math.MaxUint32))
	}
	t.Ledger = uint32(r.uvarint(math.MaxUint32))
	t.Code = uint16(r.uvarint(math.MaxUint16))
	t.Flags = ledger.TransferFlags(r.uvarint(math.MaxUint16))
	return t
}
