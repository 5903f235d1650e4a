package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/pace"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/streams"
)

// Day is what the daily checks (日终核对, SPEC 3.5) look at.
type Day struct {
	Date bank.Date
	// Fence is the position with which the date's cut began; zero: the date goes on, and everything is its.
	Fence journal.Position
	// Before is the report of the date before; nil: the journal is added up from its beginning.
	Before    *bank.DayReport
	Journal   journal.Journal
	Transfers streams.Transfers // has what records settle
	Catalogue *bank.Catalogue
	// Books are the ledger's as of Position.
	Books    *Subledger
	Position journal.Position
	// Published is up to where of the journal the stream has all events; Stream: there is one.
	Published journal.Position
	Stream    bool
	Contracts actors.Contracts
	// Ledger has the date's transfers with their tellers' marks; those up to its time Through are counted in Position.
	Ledger  TellersLedger
	Through uint64
	Pace    *pace.Pace // nil: it never rests
}

// Subledger (分户账) is the ledger's accounts added up by subject. Add takes each account once.
type Subledger struct {
	subjects map[subject]*bank.TrialRow
	pending  map[uint32]*streams.Balances // by ledger
	payable  map[payable]int64            // credit balance of interest payable
	flight   map[flight]int64             // pending on clearing accounts
	clearing map[bank.Channel]int64       // posted on them, credits less debits
	control  bank.Findings                // control accounts that are not zero
	negative bank.Findings                // e-accounts below zero or above the cap of their class
	eAccount int
	controls int
}

type subject struct{ ledger, detail uint32 }

type payable struct {
	detail uint32
	shard  uint16
}

// flight is a side of a channel's clearing accounts: to the channel or from it.
type flight struct {
	channel   bank.Channel
	direction bank.Direction
}

// NewSubledger is empty.
func NewSubledger() *Subledger {
	return &Subledger{
		subjects: make(map[subject]*bank.TrialRow), pending: make(map[uint32]*streams.Balances), payable: make(map[payable]int64),
		flight: make(map[flight]int64), clearing: make(map[bank.Channel]int64),
	}
}

// Details that a check is about.
const (
	detailCompound = 30019001
	detailCap      = 30019101
	// interestAboveCapFen is what interest may stand above the cap of class III (R11: interest aside): the ledger does
	// not tell it apart. A full account earns four yuan a year at 0.2 %.
	interestAboveCapFen = 10_000
	payableFirst        = 22310000
	payableLast         = 22319999
)

// Add takes an account.
func (s *Subledger) Add(a *ledger.Account) error {
	v, err := balancesOf(a)
	if err != nil {
		return err
	}
	detail, owner, _ := bank.SplitLedgerID(bank.U128(a.ID))
	row := s.row(a.Ledger, detail)
	row.Accounts++
	s.move(a.Ledger, a.ID, v.DebitsPosted, v.CreditsPosted)
	p := s.pending[a.Ledger]
	if p == nil {
		p = new(streams.Balances)
		s.pending[a.Ledger] = p
	}
	p.DebitsPending += v.DebitsPending
	p.CreditsPending += v.CreditsPending
	s.fly(a.ID, v.DebitsPending, v.CreditsPending)
	net, cap3 := v.CreditsPosted-v.DebitsPosted, bank.LimitsOfClass(3).CapFen+interestAboveCapFen
	switch detail {
	case detailCompound, detailCap:
		if s.controls++; net != 0 {
			s.control.Add("%08d of shard %d: %s", detail, owner, bank.Yuan(net))
		}
	case bank.DetailClassI, bank.DetailClassI + 1, bank.DetailClassI + 2:
		s.eAccount++
		if net < 0 {
			s.negative.Add("e-account of customer %s (%08d): %s", bank.CustomerNo(owner), detail, bank.Yuan(net))
		}
		if detail == bank.DetailClassI+2 && net > cap3 {
			s.negative.Add("class III account of customer %s: %s is over the cap and interest, %s", bank.CustomerNo(owner), bank.Yuan(net), bank.Yuan(cap3))
		}
	}
	return nil
}

func (s *Subledger) row(ledgerNo, detail uint32) *bank.TrialRow {
	key := subject{ledgerNo, detail}
	row := s.subjects[key]
	if row == nil {
		row = &bank.TrialRow{SubjectBalance: bank.SubjectBalance{Detail: detail}}
		s.subjects[key] = row
	}
	return row
}

func (s *Subledger) move(ledgerNo uint32, account ledger.Uint128, debit, credit int64) {
	detail, owner, _ := bank.SplitLedgerID(bank.U128(account))
	row := s.row(ledgerNo, detail)
	row.DebitFen += debit
	row.CreditFen += credit
	if detail >= payableFirst && detail <= payableLast {
		s.payable[payable{detail, uint16(owner)}] += credit - debit
	}
	if channel, ok := bank.ClearingOf(bank.U128(account)); ok {
		s.clearing[channel] += credit - debit
	}
}

// fly adds to what is pending on clearing accounts: debits come from the channel.
func (s *Subledger) fly(account ledger.Uint128, debit, credit int64) {
	if channel, ok := bank.ClearingOf(bank.U128(account)); ok {
		s.flight[flight{channel, bank.In}] += debit
		s.flight[flight{channel, bank.Out}] += credit
	}
}

// undo takes an entry of a later date out again.
func (s *Subledger) undo(e *streams.Entry) {
	if pending := e.ReleasedFen; e.Phase != streams.Posted {
		if e.Phase == streams.Pending {
			pending = -e.AmountFen
		}
		s.fly(e.Debit, pending, 0)
		s.fly(e.Credit, 0, pending)
	}
	if e.Phase != streams.Posted && e.Phase != streams.Post {
		return
	}
	s.move(e.Ledger, e.Debit, -e.AmountFen, 0)
	s.move(e.Ledger, e.Credit, 0, -e.AmountFen)
}

// Check makes the day's report. The books are the date's when it returns: what later dates have done is taken out.
func (d *Day) Check(ctx context.Context) (*bank.DayReport, error) {
	t, err := d.tally(ctx)
	if err != nil {
		return nil, err
	}
	r := &bank.DayReport{Date: d.Date, Position: uint64(d.Position), Fence: uint64(d.Fence), Tally: t.figures(d.Date)}
	r.Ledgers, r.Tellers = d.Books.trial(), t.tellers.sheet(d.Date)
	r.Tally.Numbered, r.Tally.Ahead = t.tellers.numbered, t.tellers.ahead(d.Date)
	tellers, err := d.holes(ctx, t)
	if err != nil {
		return nil, err
	}
	r.Checks = []bank.DayCheck{
		d.balanced(), d.subjects(t), d.accrued(t), d.principals(), d.controls(), d.clearing(t), d.pendings(), d.lines(),
		tellers, d.published(), d.eAccounts(), d.reversals(t),
	}
	r.Agrees = !slices.ContainsFunc(r.Checks, func(c bank.DayCheck) bool { return c.Result == bank.CheckBroken })
	return r, nil
}

func (s *Subledger) trial() []bank.Trial {
	var out []bank.Trial
	keys := make([]subject, 0, len(s.subjects))
	for key := range s.subjects {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b subject) int {
		return cmp.Or(cmp.Compare(a.ledger, b.ledger), cmp.Compare(a.detail, b.detail))
	})
	for _, key := range keys {
		if n := len(out); n == 0 || out[n-1].Ledger != key.ledger {
			out = append(out, bank.Trial{Ledger: key.ledger})
		}
		row := *s.subjects[key]
		if s, ok := bank.SubjectOf(key.detail); ok {
			row.Zh, row.En = s.Zh, s.En
		}
		t := &out[len(out)-1]
		t.Subjects = append(t.Subjects, row)
		t.DebitFen += row.DebitFen
		t.CreditFen += row.CreditFen
	}
	return out
}

// tally is what the journal says that the date comes to: its general ledger (总账).
type tally struct {
	subjects  map[subject]*bank.SubjectBalance
	accrued   map[payable]int64
	flight    map[flight]int64
	clearing  clearing
	tellers   tellers
	records   int64
	hole      bank.Findings
	reversed  int
	reversals bank.Findings
	begun     string // why the date's records can't be added to anything; empty: they are
}

// tallyBlock is how many records are read between two rests; one may have the closed days of 64 customers.
const tallyBlock = 8

// tally adds the date's records to what the report of the date before says. Records of later dates are taken out
// of the books instead.
func (d *Day) tally(ctx context.Context) (*tally, error) {
	t := &tally{
		subjects: make(map[subject]*bank.SubjectBalance), accrued: make(map[payable]int64), flight: make(map[flight]int64),
		clearing: newClearing(nil), tellers: newTellers(d.Before, d.Date),
	}
	from := journal.Position(1)
	if d.Before != nil {
		from = journal.Position(d.Before.Fence) + 1
		for _, s := range d.Before.Tally.Subjects {
			balance := s.SubjectBalance
			t.subjects[subject{s.Ledger, s.Detail}] = &balance
		}
		for _, a := range d.Before.Tally.Accrued {
			t.accrued[payable{a.Payable, a.Shard}] = a.Fen
		}
		for _, f := range d.Before.Tally.InFlight {
			t.flight[flight{f.Channel, f.Direction}] = f.Fen
		}
		t.clearing = newClearing(d.Before.Tally.Clearing)
	}
	if first := d.Journal.First(); first > from {
		if d.Fence > 0 && first > d.Fence {
			return nil, fmt.Errorf("the journal begins at position %d, behind the day's cut at %d: it must be kept longer (--journal-keep)", first, d.Fence)
		}
		t.begun = fmt.Sprintf("there is no report of the day before, and the journal begins at position %d: the next day is compared with this one", first)
		from, t.tellers.partly = first, true
	}
	var fault error
	last := from - 1
	work := d.Pace.Begin(ctx)
	defer func() { work.End(ctx) }()
	err := d.Journal.Scan(ctx, from, func(rec *journal.Record) bool {
		if rec.Position > d.Position {
			return false
		}
		if rec.Position%tallyBlock == 0 {
			work.Next(ctx)
		}
		if rec.Position != last+1 {
			t.hole.Add("position %d follows %d", rec.Position, last)
		}
		last = rec.Position
		fault = d.take(t, rec)
		return fault == nil
	})
	if err = cmp.Or(fault, err); err != nil {
		return nil, fmt.Errorf("the day's records: %w", err)
	}
	if last < d.Position {
		t.hole.Add("the journal ends at %d, the ledger stands at %d", last, d.Position)
	}
	t.records = int64(last - from + 1)
	switch {
	case t.begun != "":
		t.begin(d.Date, d.Books)
	case d.Before != nil && d.Before.Tally.Clearing == nil: // made before it was counted
		t.beginClearing(d.Date, d.Books)
	}
	return t, nil
}

// begin takes the ledger's word for what the journal no longer tells.
func (t *tally) begin(on bank.Date, books *Subledger) {
	clear(t.subjects)
	clear(t.accrued)
	for key, row := range books.subjects {
		balance := row.SubjectBalance
		t.subjects[key] = &balance
	}
	for key, fen := range books.payable {
		t.accrued[key] = fen
	}
	t.beginClearing(on, books)
}

// beginClearing takes the ledger's word for clearing accounts.
func (t *tally) beginClearing(on bank.Date, books *Subledger) {
	clear(t.flight)
	for key, fen := range books.flight {
		t.flight[key] = fen
	}
	t.clearing.begin(on, books.clearing)
}

func (d *Day) take(t *tally, rec *journal.Record) error {
	later := d.Fence > 0 && rec.Position > d.Fence && bank.Date(rec.AccountingDate) > d.Date
	counted := d.Before != nil && uint64(rec.Position) <= d.Before.Position && bank.Date(rec.AccountingDate) <= d.Before.Date
	t.tellers.number(rec, &t.hole)
	if rec.Kind == journal.KindIntent || rec.Kind == journal.KindClaim {
		return nil
	}
	if err := t.reconciled(rec); err != nil {
		return fmt.Errorf("position %d: %w", rec.Position, err)
	}
	if counted {
		return nil
	}
	entries, err := streams.Entries(rec, d.entriesOf(rec))
	if err != nil {
		return fmt.Errorf("position %d: %w", rec.Position, err)
	}
	if later {
		for i := range entries {
			d.Books.undo(&entries[i])
		}
		return nil
	}
	for i := range entries {
		t.enter(&entries[i], bank.Date(rec.AccountingDate))
	}
	t.tellers.enter(rec, entries, d.Date)
	for i := range rec.Events {
		if err := d.event(t, &rec.Events[i]); err != nil {
			return fmt.Errorf("position %d: %w", rec.Position, err)
		}
	}
	return d.reverse(t, rec, entries)
}

func (d *Day) entriesOf(rec *journal.Record) streams.Transfers {
	if d.Transfers != nil {
		return d.Transfers
	}
	return streams.Recorded{Journal: d.Journal, Record: rec}
}

// enter adds an entry's posted amount to its subjects.
func (t *tally) enter(e *streams.Entry, date bank.Date) {
	if e.Phase != streams.Posted && e.Phase != streams.Post {
		return
	}
	debit, _, _ := bank.SplitLedgerID(bank.U128(e.Debit))
	credit, _, _ := bank.SplitLedgerID(bank.U128(e.Credit))
	t.balance(e.Ledger, debit).DebitFen += e.AmountFen
	t.balance(e.Ledger, credit).CreditFen += e.AmountFen
	t.clearing.enter(e, date)
}

func (t *tally) balance(ledgerNo, detail uint32) *bank.SubjectBalance {
	key := subject{ledgerNo, detail}
	b := t.subjects[key]
	if b == nil {
		b = &bank.SubjectBalance{Detail: detail}
		t.subjects[key] = b
	}
	return b
}

// event adds what an event says that a contract has accrued or been paid of it, and what is under way to channels.
func (d *Day) event(t *tally, e *journal.Event) error {
	kind := bank.EventType(e.Type)
	if !bank.Accrues(kind) && !bank.MovesFlight(kind) && !bank.SettlesFile(kind) {
		return nil
	}
	event, err := bank.DecodeEvent(kind, e.Body)
	if err != nil {
		return err
	}
	shard := bank.CustomerNo(e.Customer).Shard()
	for _, c := range bank.AccrualChanges(event, d.Catalogue) {
		t.accrued[payable{c.Payable, shard}] += c.Fen
	}
	if f := bank.FlightChangeOf(event); f.Fen != 0 {
		t.flight[flight{f.Channel, f.Direction}] += f.Fen
	}
	t.clearing.settle(event)
	return nil
}

// reconciled notes what came of comparing channels' files, also on later dates: what a file says is true of its day,
// whenever it is read.
func (t *tally) reconciled(rec *journal.Record) error {
	for i := range rec.Events {
		if bank.EventType(rec.Events[i].Type) != bank.EventReconciliationFinished {
			continue
		}
		f := new(bank.ReconciliationFinished)
		if err := bank.Decode(rec.Events[i].Body, f); err != nil {
			return err
		}
		t.clearing.file(f, bank.Date(rec.AccountingDate))
	}
	return nil
}

// Codes of reversals: the original's and this (SPEC 6.1.8).
const (
	reversedSameDay = 30_000
	reversedLater   = 40_000
	codesPerKind    = 10_000
)

// reverse looks whether what a record reverses comes to what was posted.
func (d *Day) reverse(t *tally, rec *journal.Record, entries []streams.Entry) error {
	back := make(map[uint16]int64)
	for i := range entries {
		if code := entries[i].Code; code >= reversedSameDay && code < reversedLater+codesPerKind {
			back[code%codesPerKind] += entries[i].AmountFen
		}
	}
	if len(back) == 0 || len(rec.Transfers) == 0 {
		return nil
	}
	t.reversed++
	original := rec.Transfers[0].UserData128
	if original == rec.Subject {
		return nil // the original is of the same business: what is cancelled was never more than under way
	}
	records, err := d.Journal.FindSubject(original)
	if err != nil {
		return err
	}
	there := make(map[uint16]int64)
	for _, r := range records {
		entries, err := streams.Entries(r, d.entriesOf(r))
		if err != nil {
			return err
		}
		for i := range entries {
			if p := entries[i].Phase; p == streams.Posted || p == streams.Post {
				there[entries[i].Code] += entries[i].AmountFen
			}
		}
	}
	for code, fen := range back {
		if there[code] != fen {
			t.reversals.Add("transfer %s, code %d: %s was posted and %s is reversed", bank.TxnID(original), code, bank.Yuan(there[code]), bank.Yuan(fen))
		}
	}
	return nil
}

func (t *tally) figures(date bank.Date) (out bank.DayTally) {
	out.Clearing = t.clearing.figures(date)
	for key, b := range t.subjects {
		out.Subjects = append(out.Subjects, bank.SubjectTally{Ledger: key.ledger, SubjectBalance: *b})
	}
	for key, fen := range t.accrued {
		if fen != 0 {
			out.Accrued = append(out.Accrued, bank.AccruedTally{Payable: key.detail, Shard: key.shard, Fen: fen})
		}
	}
	for key, fen := range t.flight {
		if fen != 0 {
			out.InFlight = append(out.InFlight, bank.FlightTally{Channel: key.channel, Direction: key.direction, Fen: fen})
		}
	}
	slices.SortFunc(out.InFlight, func(a, b bank.FlightTally) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Direction, b.Direction))
	})
	slices.SortFunc(out.Subjects, func(a, b bank.SubjectTally) int {
		return cmp.Or(cmp.Compare(a.Ledger, b.Ledger), cmp.Compare(a.Detail, b.Detail))
	})
	slices.SortFunc(out.Accrued, func(a, b bank.AccruedTally) int {
		return cmp.Or(cmp.Compare(a.Payable, b.Payable), cmp.Compare(a.Shard, b.Shard))
	})
	return out
}
