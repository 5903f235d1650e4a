package bank

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

// Reconciliation (对账) compares a channel's file of a day with what we did through it. It is pure: who runs it
// brings the file and our transfers, and carries out what Resolve says. What each difference means and does is
// in docs/channels.md.

// FileRow is a line of a channel's file.
type FileRow struct {
	Line      int    // in the file, from 1
	Serial    string // the channel's
	Transfer  TxnID  // ours; zero: the channel knows none
	Direction Direction
	AmountFen int64
	FeeFen    int64 // what the channel charges the bank
	Success   bool
	Day       Date
	Account   string // of the payee here, for money in; may be empty
}

// OurSide is how a transfer stands here.
type OurSide string

// The ways a transfer can stand.
const (
	OursPending OurSide = "PENDING"
	OursPosted  OurSide = "POSTED"
	OursVoided  OurSide = "VOIDED"
	OursUndone  OurSide = "UNDONE" // posted or voided, and put right since: returned, reversed, claimed
)

// Ours is one of our transfers through the channel.
type Ours struct {
	Transfer  TxnID
	Serial    string // the channel's, as far as we have it
	Direction Direction
	AmountFen int64
	Side      OurSide
	Account   AccountNo
	Bound     bool // from or to the bound card
}

// DifferenceKind says what does not agree.
type DifferenceKind string

// The kinds of differences.
const (
	PendingSucceeded DifferenceKind = "K02_SUCCESS_OURS_PENDING"
	PendingFailed    DifferenceKind = "K02_FAILED_OURS_PENDING"
	VoidedSucceeded  DifferenceKind = "K03_SUCCESS_OURS_VOIDED"
	PostedFailed     DifferenceKind = "K04_FAILED_OURS_POSTED"
	MissingSucceeded DifferenceKind = "K05_SUCCESS_OURS_MISSING"
	AmountDiffers    DifferenceKind = "AMOUNT_DIFFERS"
	DirectionDiffers DifferenceKind = "DIRECTION_DIFFERS"
	DuplicateRow     DifferenceKind = "DUPLICATE_ROW"
	OursOnly         DifferenceKind = "OURS_ONLY"
)

// Difference is a line that does not agree, and what was done about it.
type Difference struct {
	Kind      DifferenceKind `cbor:"1,keyasint" json:"kind"`
	Line      int            `cbor:"2,keyasint,omitempty" json:"line,omitzero"` // of the file; zero: only we have it
	Serial    string         `cbor:"3,keyasint,omitempty" json:"serial,omitzero"`
	Transfer  TxnID          `cbor:"4,keyasint,omitzero" json:"transfer_id,omitzero"`
	Direction Direction      `cbor:"5,keyasint" json:"direction"`
	OursFen   int64          `cbor:"6,keyasint,omitempty" json:"ours_amount_fen"`
	TheirsFen int64          `cbor:"7,keyasint,omitempty" json:"theirs_amount_fen"`
	Action    string         `cbor:"8,keyasint,omitempty" json:"action"` // the operation that resolves it; empty: a person's
	Outcome   Resolution     `cbor:"9,keyasint" json:"outcome"`
	Code      RefusalCode    `cbor:"10,keyasint,omitempty" json:"code,omitzero"` // why the first choice was refused

	row  FileRow
	ours Ours
}

// Resolution is what came of a difference.
type Resolution string

// The resolutions.
const (
	Resolved       Resolution = "RESOLVED"
	ResolvedBefore Resolution = "RESOLVED_BEFORE" // by an earlier reading of the file
	ForAPerson     Resolution = "FOR_A_PERSON"    // nothing was done
	Waits          Resolution = "WAITS"           // the next file may have it
)

// Comparison is a file beside our side.
type Comparison struct {
	Channel     Channel
	Day         Date
	Matched     int
	Ours        Side // succeeded or pending, of the day
	Theirs      Side // succeeded
	TheirsFee   int64
	Differences []Difference
}

// Side sums up one side's transfers.
type Side struct {
	Count  int   `json:"count"`
	InFen  int64 `json:"in_fen"`
	OutFen int64 `json:"out_fen"`
}

func (s *Side) add(direction Direction, fen int64) {
	s.Count++
	if direction == In {
		s.InFen += fen
	} else {
		s.OutFen += fen
	}
}

// Compare compares the rows with our transfers of the day; find looks up one that is not of the day, by our id
// or the channel's serial, nil for none.
func Compare(channel Channel, day Date, rows []FileRow, ours []Ours, find func(FileRow) *Ours) *Comparison {
	c := &Comparison{Channel: channel, Day: day}
	byTxn, bySerial := make(map[TxnID]*Ours, len(ours)), make(map[string]*Ours)
	for i := range ours {
		o := &ours[i]
		byTxn[o.Transfer] = o
		if o.Serial != "" {
			bySerial[o.Serial] = o
		}
		if o.Side != OursVoided {
			c.Ours.add(o.Direction, o.AmountFen)
		}
	}
	seen := make(map[*Ours]bool, len(ours))
	serials, transfers := make(map[string]bool, len(rows)), make(map[TxnID]bool, len(rows))
	for i := range rows {
		row := rows[i]
		if row.Success {
			c.Theirs.add(row.Direction, row.AmountFen)
		}
		c.TheirsFee += row.FeeFen
		duplicate := serials[row.Serial] || !row.Transfer.IsZero() && transfers[row.Transfer]
		serials[row.Serial] = true
		if !row.Transfer.IsZero() {
			transfers[row.Transfer] = true
		}
		o := byTxn[row.Transfer]
		if row.Transfer.IsZero() {
			o = bySerial[row.Serial]
		}
		if o == nil {
			o = find(row)
		}
		if o != nil {
			seen[o] = true
		}
		c.judge(row, o, duplicate)
	}
	for i := range ours {
		if o := &ours[i]; !seen[o] && o.Side == OursPosted {
			c.differ(OursOnly, FileRow{Direction: o.Direction}, o)
		}
	}
	return c
}

// judge compares one row with our side of it.
func (c *Comparison) judge(row FileRow, o *Ours, duplicate bool) {
	switch {
	case duplicate:
		c.differ(DuplicateRow, row, o)
	case o == nil && !row.Success:
		c.Matched++ // it failed there, and here it never was
	case o == nil:
		c.differ(MissingSucceeded, row, nil)
	case o.Direction != row.Direction:
		c.differ(DirectionDiffers, row, o)
	case o.Side == OursUndone, !row.Success && o.Side == OursVoided:
		c.Matched++
	case row.Success && o.AmountFen != row.AmountFen:
		c.differ(AmountDiffers, row, o)
	case row.Success && o.Side == OursPending:
		c.differ(PendingSucceeded, row, o)
	case row.Success && o.Side == OursVoided:
		c.differ(VoidedSucceeded, row, o)
	case row.Success:
		c.Matched++
	case o.Side == OursPending:
		c.differ(PendingFailed, row, o)
	default:
		c.differ(PostedFailed, row, o)
	}
}

func (c *Comparison) differ(kind DifferenceKind, row FileRow, o *Ours) {
	d := Difference{
		Kind: kind, Line: row.Line, Serial: row.Serial, Transfer: row.Transfer, Direction: row.Direction,
		TheirsFen: row.AmountFen, Outcome: ForAPerson, row: row,
	}
	if o != nil {
		d.Transfer, d.OursFen, d.ours = o.Transfer, o.AmountFen, *o
	}
	if kind == OursOnly {
		d.Outcome = Waits
	}
	c.Differences = append(c.Differences, d)
}

// Note notes what came of the command that was to put the difference right.
func (d *Difference) Note(call *Call) {
	d.Action = call.Command.Operation()
	switch r := call.Receipt.Refusal; {
	case r == nil && call.Receipt.Repeated:
		d.Outcome = ResolvedBefore
	case r == nil:
		d.Outcome = Resolved
	case r.Code == AlreadyResolved || r.Code == AlreadyReversed:
		d.Outcome, d.Code = ResolvedBefore, r.Code
	default:
		d.Code = r.Code
	}
}

// Ours is how the transfer stands for a reconciliation; an error: it is none of a channel's.
func (v *TransferView) Ours() (*Ours, error) {
	o := &Ours{Transfer: v.TransferID, Serial: v.ChannelSerial, Direction: In, AmountFen: v.AmountFen, Bound: v.Bound}
	account := v.ToAccount
	if v.Kind == "out" {
		o.Direction, account = Out, v.FromAccount
	}
	switch v.Kind {
	case "in_bound", "out", "inbound", "suspense":
	default:
		return nil, fmt.Errorf("transfer %s is of the kind %s, which no channel carries", v.TransferID, v.Kind)
	}
	o.Account, _ = ParseAccountNo(account) // a suspense may have none
	switch v.Status {
	case TransferPending, TransferUncertain:
		o.Side = OursPending
	case TransferFailed:
		o.Side = OursVoided
	case TransferSentBack, TransferReversed, TransferClaimed, TransferClaimPaid:
		o.Side = OursUndone
	default:
		o.Side = OursPosted
	}
	return o, nil
}

// AccountOf is the e-account whose ledger account it is; false for others.
func AccountOf(id U128) (AccountNo, bool) {
	detail, owner, index := SplitLedgerID(id)
	class := Class(1)
	switch {
	case detail >= DetailClassI && detail <= DetailClassIII:
		class = Class(detail - DetailClassI + 1)
	case detail != DetailDemoCurrent:
		return 0, false
	}
	return NewAccountNo(class, CustomerNo(owner), uint8(index)), true
}

// IsBoundCode reports whether a transfer code is of money from or to the bound card.
func IsBoundCode(code uint16) bool { return code == codePull || code == codeOutBound }

// IsReceiptCode reports whether a transfer code is of money that a channel brought: to an account, or held.
func IsReceiptCode(code uint16) bool { return code == codeInbound || code == codeHeld }

// reasonFile is why what a file resolves was done.
const reasonFile = "channel file"

// Resolve is the command that puts a difference right, and the one to give if that is refused; nil for none:
// then it is for a person.
func (c *Comparison) Resolve(d *Difference) (first, otherwise Command) {
	o, row := &d.ours, &d.row
	switch {
	case d.Kind == PendingSucceeded, d.Kind == PendingFailed:
		result := &ChannelResult{Transfer: o.Transfer, Success: row.Success, ChannelSerial: row.Serial}
		if !row.Success {
			result.Reason = reasonFile
		}
		return result, nil
	case d.Kind == VoidedSucceeded && o.Direction == Out:
		return &ClaimShortage{Transfer: o.Transfer, ChannelSerial: row.Serial}, nil
	case d.Kind == VoidedSucceeded:
		return c.credit(row, o.Account, o.Bound), c.suspend(Surplus, row, row.AmountFen, d.Kind)
	case d.Kind == PostedFailed && o.Direction == Out:
		return &ReturnTransfer{Transfer: o.Transfer, AmountFen: o.AmountFen, ChannelSerial: row.Serial, Reason: reasonFile, Value: c.Day}, nil
	case d.Kind == PostedFailed:
		return &ReverseTransaction{Transfer: o.Transfer, Reason: reasonFile, Channel: c.Channel}, nil
	case d.Kind == MissingSucceeded && row.Direction == Out:
		return c.suspend(Shortage, row, row.AmountFen, d.Kind), nil
	case d.Kind == MissingSucceeded:
		surplus := c.suspend(Surplus, row, row.AmountFen, d.Kind)
		if no, err := ParseAccountNo(row.Account); err == nil {
			return c.credit(row, no, false), surplus
		}
		return surplus, nil
	case d.Kind == AmountDiffers && o.Side == OursPosted:
		more := row.AmountFen - o.AmountFen
		if (more > 0) == (row.Direction == In) {
			return c.suspend(Surplus, row, max(more, -more), d.Kind), nil
		}
		return c.suspend(Shortage, row, max(more, -more), d.Kind), nil
	}
	return nil, nil
}

func (c *Comparison) credit(row *FileRow, to AccountNo, bound bool) Command {
	return &CreditInbound{Account: to, AmountFen: row.AmountFen, ChannelSerial: row.Serial, Bound: bound, Channel: c.Channel, Late: c.Day}
}

func (c *Comparison) suspend(kind SuspenseKind, row *FileRow, fen int64, why DifferenceKind) Command {
	return &BookSuspense{
		House: HouseNo(row.Shard()), Kind: kind, Channel: c.Channel, AmountFen: fen, ChannelSerial: row.Serial,
		Account: MaskCard(row.Account), Reason: string(why),
	}
}

// Shard is the shard whose clearing account the row's money is in: that of our customer, the first if it names
// none.
func (r *FileRow) Shard() uint16 {
	if !r.Transfer.IsZero() {
		return r.Transfer.Customer().Shard()
	}
	if no, err := ParseAccountNo(r.Account); err == nil {
		return no.Customer().Shard()
	}
	return 0
}

// Key makes the command id with which a difference is resolved: however often a file is read, and though it be
// corrected, the same difference is put right once.
func (c *Comparison) Key(d *Difference, cmd Command) U128 {
	return ChannelKey(c.Channel, c.Day, cmd.Operation(), d.Serial, d.Transfer, string(d.Kind))
}

// ChannelKey is a command id from what a channel says, so that hearing it again does nothing.
func ChannelKey(channel Channel, day Date, operation, serial string, txn TxnID, what string) U128 {
	h := sha256.Sum256(fmt.Appendf(nil, "%s|%s|%s|%q|%s|%s", channel, day, operation, serial, txn, what))
	return U128{Lo: binary.LittleEndian.Uint64(h[:]), Hi: binary.LittleEndian.Uint64(h[8:])}
}

// Net is what is to be settled with the channel, by shard, sorted: what it paid out for us and charges, less
// what it took in (K01). FeeFen of the whole file is in the first shard, where K07 books it.
func Net(rows []FileRow) []ShardNet {
	net := make(map[uint16]int64)
	seen := make(map[string]bool, len(rows))
	for i := range rows {
		r := &rows[i]
		net[0] += r.FeeFen
		if !r.Success || seen[r.Serial] {
			continue
		}
		seen[r.Serial] = true
		if r.Direction == In {
			net[r.Shard()] -= r.AmountFen
		} else {
			net[r.Shard()] += r.AmountFen
		}
	}
	var out []ShardNet
	for shard, fen := range net {
		if fen != 0 {
			out = append(out, ShardNet{shard, fen})
		}
	}
	slices.SortFunc(out, func(a, b ShardNet) int { return int(a.Shard) - int(b.Shard) })
	return out
}

// ShardNet is what a shard's clearing account owes the channel; negative: is owed.
type ShardNet struct {
	Shard uint16
	Fen   int64
}
