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
	// Repeated: an earlier line of the file has its serial; PaidBefore: one that succeeded.
	Repeated, PaidBefore bool
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
	Account   AccountNo `json:",omitzero"`
	Bound     bool      // from or to the bound card
	Receipt   bool      `json:",omitzero"` // brought by the channel
	Return    bool      `json:",omitzero"` // what came back of it; only its serial names it
	On        Date      `json:",omitzero"` // of the entry that moved the money; zero: none has, or it is to be looked up
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
	by   TxnID // the business of the command that resolved it
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

// Comparison is a file beside our side. A day may have more transfers than should be in memory, so they are compared
// part by part. A part of rows that name our transfers is those of some shards: Part for our side of these, Take for
// the rows, Rest. Rows that name none can be of any shard: their parts have what Unnamed left of the others, by serial,
// through Again. When what differs is resolved, Cover is for what Take asked to look at. Sums and Nets are complete when
// all parts are.
type Comparison struct {
	Channel Channel
	Day     Date
	Matched int
	Ours    Side // succeeded or pending, of the day
	Theirs  Side // succeeded
	sums    FileSums
	covered map[Date]int64
	net     map[uint16]int64 // by shard
}

// NewComparison begins one.
func NewComparison(channel Channel, day Date) *Comparison {
	return &Comparison{Channel: channel, Day: day, covered: make(map[Date]int64), net: make(map[uint16]int64)}
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

// Part is a part of our side.
type Part struct {
	*Comparison
	ours      []Ours
	byTxn     map[TxnID]int
	bySerial  map[string]int
	seen      map[*Ours]bool
	transfers map[TxnID]bool // that rows have named
}

// Part begins the comparison of some shards with our transfers of the day in them.
func (c *Comparison) Part(ours []Ours) *Part {
	for i := range ours {
		if o := &ours[i]; o.Side != OursVoided {
			c.Ours.add(o.Direction, o.AmountFen)
		}
	}
	return c.Again(ours)
}

// Again begins the comparison of what earlier parts have left.
func (c *Comparison) Again(ours []Ours) *Part {
	p := &Part{
		Comparison: c, ours: ours, byTxn: make(map[TxnID]int, len(ours)), bySerial: make(map[string]int),
		seen: make(map[*Ours]bool, len(ours)), transfers: make(map[TxnID]bool),
	}
	for i := range ours {
		o := &ours[i]
		if !o.Return {
			p.byTxn[o.Transfer] = i
		}
		if o.Serial != "" {
			p.bySerial[o.Serial] = i
		}
	}
	return p
}

// Unnamed takes out of the part what no row has named and has a serial by which one may.
func (p *Part) Unnamed() (out []Ours) {
	for i := range p.ours {
		if o := &p.ours[i]; o.Serial != "" && !p.seen[o] {
			out = append(out, *o)
			p.seen[o] = true
		}
	}
	return out
}

// Look is a row whose entries in our books are to be looked up when all is resolved: Cover takes them.
type Look struct {
	Row      FileRow
	Transfer TxnID // zero: we had none
}

// Take compares rows of the part. find looks up the transfer that a row names as it stands now, nil for none; it need
// not find what is ours of the day.
func (p *Part) Take(rows []FileRow, find func(*FileRow) *Ours) (differences []Difference, look []Look) {
	for i := range rows {
		row := &rows[i]
		p.count(row)
		duplicate := row.Repeated || !row.Transfer.IsZero() && p.transfers[row.Transfer]
		if !row.Transfer.IsZero() {
			p.transfers[row.Transfer] = true
		}
		o := p.find(row, find)
		if o != nil {
			p.seen[o] = true
		}
		kind, agrees := judge(row, o, duplicate)
		switch {
		case !agrees:
			differences = append(differences, differ(kind, *row, o))
			continue
		case o != nil && row.Success && o.Side == OursPosted && o.On != 0:
			p.covered[o.On] += row.net()
		case o != nil:
			look = append(look, Look{*row, o.Transfer})
		}
		p.Matched++
	}
	return differences, look
}

// find is our side of a row. One that differs may have been put right since the ledger's entry.
func (p *Part) find(row *FileRow, find func(*FileRow) *Ours) *Ours {
	i, ok := p.byTxn[row.Transfer]
	if row.Transfer.IsZero() {
		i, ok = p.bySerial[row.Serial]
	}
	if !ok {
		return find(row)
	}
	o := &p.ours[i]
	if o.Side != OursPending && row.Success != (o.Side == OursPosted) {
		if now := find(row); now != nil {
			o.Side = now.Side
		}
	}
	return o
}

// Rest is what only we have of the part. Early reports what the file of the day before had already.
func (p *Part) Rest(early func(TxnID) bool) (differences []Difference) {
	for i := range p.ours {
		o := &p.ours[i]
		if p.seen[o] || o.Side != OursPosted || !o.Return && early(o.Transfer) {
			continue
		}
		differences = append(differences, differ(OursOnly, FileRow{Direction: o.Direction}, o))
		if p.sums.WaitCount++; len(p.sums.Waiting) < WaitingListed {
			p.sums.Waiting = append(p.sums.Waiting, Waiting{o.Transfer, o.Direction, o.AmountFen})
		}
	}
	return differences
}

// count adds a row to what the file comes to: what the channel paid out for us and charges, less what it took in.
func (c *Comparison) count(row *FileRow) {
	if row.Success {
		c.Theirs.add(row.Direction, row.AmountFen)
	}
	c.sums.ChargesFen += row.FeeFen
	c.sums.NetFen += row.FeeFen + row.net()
	c.net[row.Shard()] += row.net()
	c.net[0] += row.FeeFen // where K07 books it
}

// net is what the row adds to what we owe the channel; a serial counts once.
func (r *FileRow) net() int64 {
	switch {
	case !r.Success, r.PaidBefore:
		return 0
	case r.Direction == In:
		return -r.AmountFen
	}
	return r.AmountFen
}

// Cover takes what is booked on the channel's clearing accounts for a row: of the transfer it names, and of what was
// booked to put a difference right. What a successful row accounts for goes the row's way: money that came back since
// is another row's. A row of a failure accounts for all there is, which comes to nothing when it has been put right.
func (c *Comparison) Cover(row *FileRow, transfer, correction []DaySum) {
	left := row.net()
	take := func(s DaySum) {
		c.covered[s.Date] += s.Fen
		left -= s.Fen
	}
	for _, s := range transfer {
		if !row.Success || (s.Fen > 0) == (row.Direction == Out) {
			take(s)
		}
	}
	for _, s := range correction {
		take(s)
	}
	c.sums.OpenFen += left
}

// Looks are the rows that differed, as Cover is to take them, and what resolved each; call it when they are resolved.
func (d *Difference) Looks() (look Look, by TxnID, any bool) {
	switch d.Kind {
	case OursOnly:
		return Look{}, TxnID{}, false
	case DuplicateRow, DirectionDiffers: // they account for nothing
		return Look{Row: d.row}, TxnID{}, true
	}
	look = Look{d.row, d.ours.Transfer}
	if d.by != look.Transfer {
		by = d.by
	}
	return look, by, true
}

// Sums are what the file comes to, when everything has been taken and covered.
func (c *Comparison) Sums() FileSums {
	out := c.sums
	for date, fen := range c.covered {
		if fen != 0 {
			out.Covered = append(out.Covered, DaySum{date, fen})
		}
	}
	slices.SortFunc(out.Covered, func(a, b DaySum) int { return int(a.Date) - int(b.Date) })
	return out
}

// judge compares one row with our side of it.
func judge(row *FileRow, o *Ours, duplicate bool) (kind DifferenceKind, agrees bool) {
	switch {
	case duplicate:
		return DuplicateRow, false
	case o == nil && !row.Success:
		return "", true // it failed there, and here it never was
	case o == nil:
		return MissingSucceeded, false
	case o.Direction != row.Direction:
		return DirectionDiffers, false
	case o.Side == OursUndone, !row.Success && o.Side == OursVoided:
		return "", true
	case row.Success && o.AmountFen != row.AmountFen:
		return AmountDiffers, false
	case row.Success && o.Side == OursPending:
		return PendingSucceeded, false
	case row.Success && o.Side == OursVoided:
		return VoidedSucceeded, false
	case row.Success:
		return "", true
	case o.Side == OursPending:
		return PendingFailed, false
	}
	return PostedFailed, false
}

func differ(kind DifferenceKind, row FileRow, o *Ours) Difference {
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
	return d
}

// Note notes what came of the command that was to put the difference right.
func (d *Difference) Note(call *Call) {
	d.Action, d.by = call.Command.Operation(), call.Receipt.Txn
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

// IsReturnCode reports whether a transfer code is of money that came back (退汇).
func IsReturnCode(code uint16) bool { return code == returnedCode }

// ReturnSerial is the channel's serial of a return of the amount that the channel brought, from the n-th of those of the
// amount on; false for none, and for what a file had given back: that is its line's.
func (v *TransferView) ReturnSerial(fen int64, n int) (string, bool) {
	for _, r := range v.Returns {
		if r.AmountFen != fen || r.ChannelSerial == "" || r.Reason == reasonFile {
			continue
		}
		if n == 0 {
			return r.ChannelSerial, true
		}
		n--
	}
	return "", false
}

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

// Nets are what is to be settled with the channel, by shard, sorted (K01). The charges of the whole file are in the
// first shard.
func (c *Comparison) Nets() []ShardNet {
	var out []ShardNet
	for shard, fen := range c.net {
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
