// Package audit compares what the bank's parts say about money: the journal, the ledger, the stream and
// the report. Each has its own copy of the truth, made by its own code, so that a fault in one shows.
package audit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
	"github.com/suanpan-bank/suanpan/streams"
)

// Key names a ledger account.
type Key struct {
	Ledger uint32
	ID     ledger.Uint128
}

// Books are the balances of every account after the journal's record at Position, and how many events
// each customer had by then.
type Books struct {
	Position journal.Position
	Accounts map[Key]streams.Balances
	Events   map[uint64]uint64 // by customer number
}

// NewBooks are empty, at position 0.
func NewBooks() *Books {
	return &Books{Accounts: make(map[Key]streams.Balances), Events: make(map[uint64]uint64)}
}

// change enters an entry.
func (b *Books) change(e *streams.Entry) {
	debit, credit := b.Accounts[Key{e.Ledger, e.Debit}], b.Accounts[Key{e.Ledger, e.Credit}]
	e.Apply(func(_ uint32, id ledger.Uint128) *streams.Balances {
		if id == e.Debit {
			return &debit
		}
		return &credit
	})
	b.Accounts[Key{e.Ledger, e.Debit}], b.Accounts[Key{e.Ledger, e.Credit}] = debit, credit
}

// Ledger reads the balances of an engine; the caller keeps it from moving.
func Ledger(engine *embedded.Engine, position journal.Position) (*Books, error) {
	b := NewBooks()
	b.Position = position
	var fault error
	engine.EachAccount(func(a *ledger.Account) bool {
		fault = b.Add(a)
		return fault == nil
	})
	return b, fault
}

// Add takes an account of the ledger.
func (b *Books) Add(a *ledger.Account) error {
	v, err := balancesOf(a)
	b.Accounts[Key{a.Ledger, a.ID}] = v
	return err
}

// EachAccount reads a ledger elsewhere page by page; the caller keeps it from moving.
func EachAccount(ctx context.Context, l ledger.Ledger, visit func(*ledger.Account) error) error {
	filter := ledger.QueryFilter{Limit: uint32(l.Limits().QueryMax)}
	for {
		page, err := l.QueryAccounts(ctx, filter)
		if err != nil {
			return fmt.Errorf("accounts of the ledger: %w", err)
		}
		for i := range page {
			if err := visit(&page[i]); err != nil {
				return err
			}
			filter.TimestampMin = page[i].Timestamp + 1
		}
		if len(page) < int(filter.Limit) {
			return nil
		}
	}
}

func balancesOf(a *ledger.Account) (v streams.Balances, err error) {
	for _, f := range []struct {
		from ledger.Uint128
		to   *int64
	}{{a.DebitsPending, &v.DebitsPending}, {a.DebitsPosted, &v.DebitsPosted}, {a.CreditsPending, &v.CreditsPending}, {a.CreditsPosted, &v.CreditsPosted}} {
		fen, ok := f.from.Int64()
		if !ok {
			return v, fmt.Errorf("account %s: a balance beyond int64 fen", a.ID)
		}
		*f.to = fen
	}
	return v, nil
}

// Journal carries out every chain of the journal up to position again, in an empty ledger. Outcomes of a
// ledger elsewhere are added up instead: it has carried chains out in an order of its own, and whether one
// was refused depended on it.
func Journal(ctx context.Context, j journal.Journal, position journal.Position) (*Books, error) {
	engine := embedded.New(embedded.Options{})
	replay := actors.NewReplay(engine)
	outcomes := NewBooks()
	events := make(map[uint64]uint64)
	var fault error
	err := j.Scan(ctx, 1, func(rec *journal.Record) bool {
		if rec.Position > position {
			return false
		}
		switch rec.Kind {
		case journal.KindIntent:
			return true
		case journal.KindOutcome:
			fault = outcomes.add(j, rec)
		default:
			fault = replay.Chain(rec)
		}
		for i := range rec.Events {
			e := &rec.Events[i]
			if e.Seq != events[e.Customer]+1 && fault == nil {
				fault = fmt.Errorf("position %d: customer %s has event %d after %d", rec.Position, bank.CustomerNo(e.Customer), e.Seq, events[e.Customer])
			}
			events[e.Customer] = e.Seq
		}
		return fault == nil
	})
	if err = cmp.Or(fault, err); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	b, err := Ledger(engine, position)
	if err != nil {
		return nil, err
	}
	b = b.plus(outcomes)
	b.Position, b.Events = position, events
	return b, nil
}

// Kept is Journal where the journal may have let its beginning go: the balances are then only what the records
// from the position from on have changed, and customers' events need not begin with the first. transfers has what
// these records settle.
func Kept(ctx context.Context, j journal.Journal, position journal.Position, transfers streams.Transfers) (b *Books, from journal.Position, err error) {
	if from = j.First(); from <= 1 {
		b, err = Journal(ctx, j, position)
		return b, 1, err
	}
	b, err = Changes(ctx, j, from, position, transfers)
	return b, from, err
}

// Changes sums up what the records between the positions have changed.
func Changes(ctx context.Context, j journal.Journal, from, to journal.Position, transfers streams.Transfers) (*Books, error) {
	b := NewBooks()
	b.Position = to
	var fault error
	err := j.Scan(ctx, from, func(rec *journal.Record) bool {
		if rec.Position > to {
			return false
		}
		var entries []streams.Entry
		entries, fault = streams.Entries(rec, transfers)
		for i := range entries {
			b.change(&entries[i])
		}
		for i := range rec.Events {
			e := &rec.Events[i]
			if before, known := b.Events[e.Customer]; known && e.Seq != before+1 && fault == nil {
				fault = fmt.Errorf("position %d: customer %s has event %d after %d", rec.Position, bank.CustomerNo(e.Customer), e.Seq, before)
			}
			b.Events[e.Customer] = e.Seq
		}
		return fault == nil
	})
	if err = cmp.Or(fault, err); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return b, nil
}

// add enters what an outcome did to the ledger.
func (b *Books) add(j journal.Journal, rec *journal.Record) error {
	entries, err := streams.Entries(rec, streams.Recorded{Journal: j, Record: rec})
	for i := range entries {
		b.change(&entries[i])
	}
	return err
}

// plus adds other books, account by account.
func (b *Books) plus(other *Books) *Books { return b.with(other, 1) }

// Before are the books as they were before the changes.
func (b *Books) Before(changes *Books) *Books { return b.with(changes, -1) }

func (b *Books) with(other *Books, times int64) *Books {
	sum := NewBooks()
	maps.Copy(sum.Accounts, b.Accounts)
	for key, v := range other.Accounts {
		x := sum.Accounts[key]
		x.DebitsPending += times * v.DebitsPending
		x.DebitsPosted += times * v.DebitsPosted
		x.CreditsPending += times * v.CreditsPending
		x.CreditsPosted += times * v.CreditsPosted
		sum.Accounts[key] = x
	}
	return sum
}

// Negative lists the accounts with a sum below zero, which no history leads to, at most max, and how many there are.
func (b *Books) Negative(max int) (list []string, count int) {
	for key, v := range b.Accounts {
		if min(v.DebitsPosted, v.DebitsPending, v.CreditsPosted, v.CreditsPending) < 0 {
			if count++; len(list) < max {
				list = append(list, fmt.Sprintf("account %s of ledger %d: %s before the first record", key.ID, key.Ledger, text(v)))
			}
		}
	}
	slices.Sort(list)
	return list, count
}

// Totals of a ledger.
type Totals struct {
	Ledger uint32
	streams.Balances
	Accounts int
}

// Balanced reports whether debits equal credits, posted and pending.
func (t *Totals) Balanced() bool {
	return t.DebitsPosted == t.CreditsPosted && t.DebitsPending == t.CreditsPending
}

// Totals sums the books per ledger.
func (b *Books) Totals() []Totals {
	sums := make(map[uint32]*Totals)
	for key, v := range b.Accounts {
		t := sums[key.Ledger]
		if t == nil {
			t = &Totals{Ledger: key.Ledger}
			sums[key.Ledger] = t
		}
		t.Accounts++
		t.DebitsPending += v.DebitsPending
		t.DebitsPosted += v.DebitsPosted
		t.CreditsPending += v.CreditsPending
		t.CreditsPosted += v.CreditsPosted
	}
	out := make([]Totals, 0, len(sums))
	for _, t := range sums {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b Totals) int { return cmp.Compare(a.Ledger, b.Ledger) })
	return out
}

// Differences lists the accounts on which two books disagree, at most max, and how many there are. An
// account without a balance may be missing on either side.
func Differences(a, b *Books, max int) (list []string, count int) {
	keys := make(map[Key]bool, len(a.Accounts))
	for key := range a.Accounts {
		keys[key] = true
	}
	for key := range b.Accounts {
		keys[key] = true
	}
	for key := range keys {
		x, y := a.Accounts[key], b.Accounts[key]
		if x == y {
			continue
		}
		if count++; len(list) < max {
			list = append(list, fmt.Sprintf("account %s of ledger %d: %s against %s", key.ID, key.Ledger, text(x), text(y)))
		}
	}
	slices.Sort(list)
	return list, count
}

func text(b streams.Balances) string {
	return fmt.Sprintf("debits %d (%d pending), credits %d (%d pending)", b.DebitsPosted, b.DebitsPending, b.CreditsPosted, b.CreditsPending)
}

// Stream sums up what was published. Repeats count once.
type Stream struct {
	Books
	Messages int
	Repeats  int
	ahead    map[event]bool // seen beyond the first missing one of its customer
}

type event struct{ customer, seq uint64 }

// NewStream begins a sum.
func NewStream() *Stream {
	return &Stream{Books: *NewBooks(), ahead: make(map[event]bool)}
}

// Add takes one message; the entries of those at positions from first to last are summed.
func (s *Stream) Add(env *streams.Envelope, first, last journal.Position) error {
	no, err := bank.ParseCustomerNo(env.CustomerToken)
	if err != nil {
		return fmt.Errorf("event %s: customer token %q: %w", env.EventID, env.CustomerToken, err)
	}
	s.Messages++
	if s.Has(uint64(no), env.ActorSeq) {
		s.Repeats++
		return nil
	}
	s.note(event{uint64(no), env.ActorSeq})
	if at := journal.Position(env.Position); at < first || at > last {
		return nil
	}
	for i := range env.Entries {
		s.change(&env.Entries[i])
	}
	return nil
}

func (s *Stream) note(e event) {
	if e.seq != s.Events[e.customer]+1 {
		s.ahead[e] = true
		return
	}
	for {
		s.Events[e.customer] = e.seq
		e.seq++
		if !s.ahead[e] {
			return
		}
		delete(s.ahead, e)
	}
}

// Has reports whether a customer's event was seen.
func (s *Stream) Has(customer, seq uint64) bool {
	return seq <= s.Events[customer] || s.ahead[event{customer, seq}]
}

// Missing lists events that the books have and the stream has not, at most max customers, and how many
// customers lack some.
func (s *Stream) Missing(b *Books, max int) (list []string, count int) {
	for customer, last := range b.Events {
		if have := s.Events[customer]; have < last {
			if count++; len(list) < max {
				list = append(list, fmt.Sprintf("customer %s: event %d is missing of %d", bank.CustomerNo(customer), have+1, last))
			}
		}
	}
	slices.Sort(list)
	return list, count
}
