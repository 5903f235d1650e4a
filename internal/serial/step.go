package serial

import (
	"fmt"
	"slices"
	"strings"
)

// What one history may name.
const (
	AccountsMax  = 16
	ContractsMax = 24
	TransfersMax = 128
	StopsMax     = 24
	PersonsMax   = 64
	DaysMax      = 8
	CardsMax     = 5
)

// Step is something that is done, or is so, at the moment of an operation. Accounts, contracts, transfers, stops,
// persons and days are numbered from zero by whoever records the history; amounts are in fen.
type Step interface {
	// take does the step; false: it can't be so now.
	take(*books) bool
	touches() []thing
}

// thing is what parts of a history can have in common.
type thing struct {
	kind  byte // a, c, t, s, p
	index int
}

func anAccount(i int) thing { return thing{'a', i} }

// books are the simple bank.
type books struct {
	accounts  [AccountsMax]account
	contracts [ContractsMax]contract
	transfers [TransfersMax]transfer
	stops     [StopsMax]stop
	persons   uint64
}

type account struct {
	state           accountState
	class           uint8 // zero: without any limit
	met, funded     bool  // in person; from the owner's own card
	remitting       int8  // deductions on their way to the court
	posted, in, out int64 // in and out are pending; out has also what is held
	advance         int64 // owed to the bank after reversals
	paid, received  [DaysMax]int64
	ownOne, ownDay  int64           // the owner's own limits; zero: none
	cards           [CardsMax]int64 // from when money may leave for it, milliseconds; noCard: it is not bound
}

type accountState uint8

const (
	unopened accountState = iota
	opened
	closing
	closed
)

// transfer is what has become of a business transaction.
type transfer struct {
	phase              phase
	undone             bool // reversed
	spoiled            bool // something has been taken out of it at once: it can't be reversed any more
	claim              claim
	returned, refunded int32
}

type phase uint8

const (
	unasked phase = iota
	pending
	done
	failed
)

type claim uint8

const (
	unclaimed claim = iota
	claimed
	repaid
)

// noCard is later than anything.
const noCard = 1 << 62

// limits of an account's class (银发〔2016〕302号, 〔2018〕16号), in fen; zero: none.
type limits struct{ day, most int64 }

func limitsOf(class uint8) limits {
	switch class {
	case 2:
		return limits{day: 1_000_000}
	case 3:
		return limits{day: 200_000, most: 200_000}
	}
	return limits{}
}

func (a *account) available() int64 { return a.posted - a.out }

// lives reports whether the account can be given what the bank owes its owner.
func (a *account) lives() bool { return a.state == opened || a.state == closing }

func (b *books) hash() uint64 {
	h := uint64(14695981039346656037)
	for i := range b.accounts {
		a := &b.accounts[i]
		h = (h ^ uint64(a.posted) ^ uint64(a.in)<<20 ^ uint64(a.out)<<40) * 1099511628211
	}
	return h
}

func (b *books) String() string {
	var s strings.Builder
	for i := range b.accounts {
		if a := &b.accounts[i]; a.state != unopened {
			fmt.Fprintf(&s, "account %d: %+v; ", i, *a)
		}
	}
	for i := range b.contracts {
		if c := &b.contracts[i]; c.known {
			fmt.Fprintf(&s, "contract %d: %+v; ", i, *c)
		}
	}
	for i := range b.transfers {
		if t := b.transfers[i]; t != (transfer{}) {
			fmt.Fprintf(&s, "transfer %d: %+v; ", i, t)
		}
	}
	for i := range b.stops {
		if p := &b.stops[i]; p.on {
			fmt.Fprintf(&s, "stop %d: %+v; ", i, *p)
		}
	}
	return s.String()
}

// Register makes a person a customer, once.
type Register struct{ Person int }

func (s Register) touches() []thing { return []thing{{'p', s.Person}} }
func (s Register) take(b *books) bool {
	was := b.persons&(1<<s.Person) != 0
	b.persons |= 1 << s.Person
	return !was
}

// Registered: the person is a customer.
type Registered struct{ Person int }

func (s Registered) touches() []thing { return []thing{{'p', s.Person}} }
func (s Registered) take(b *books) bool {
	return b.persons&(1<<s.Person) != 0
}

// Open opens an account, with its first card.
type Open struct {
	Account int
	Class   uint8 // zero: without any limit
	Met     bool  // the owner in person
}

func (s Open) touches() []thing { return []thing{anAccount(s.Account)} }
func (s Open) take(b *books) bool {
	a := &b.accounts[s.Account]
	was := a.state
	a.state, a.class, a.met = opened, s.Class, s.Met
	a.cards = [CardsMax]int64{0, noCard, noCard, noCard, noCard}
	return was == unopened
}

// Credit is money from outside the bank.
type Credit struct {
	Account  int
	Fen      int64
	Day      int
	Bound    bool // from the owner's own card
	Transfer int  // < 0: it is not in the history
	Permit
	Collect
}

// Permit is how an account may be credited. With a ledger elsewhere it is given before the money comes.
type Permit struct {
	Before bool // something has stopped the account, perhaps since
}

// Collect is what a credit to an account whose owner owes the bank an advance (客户垫款) repays of it at once.
type Collect struct {
	Collects  bool
	Collected int64
	Loose     bool // what was owed may have changed meanwhile
	Later     bool // it is left to the next morning
}

func (c Collect) take(a *account) bool {
	want := min(a.advance, max(0, a.available()))
	a.posted -= c.Collected
	a.advance -= c.Collected
	switch {
	case c.Loose:
		return c.Collected <= want
	case c.Collects:
		return c.Collected == want
	}
	return a.advance == 0 || c.Later
}

func (s Credit) touches() []thing { return touchesTransfer(s.Account, s.Transfer) }
func (s Credit) take(b *books) bool {
	a := &b.accounts[s.Account]
	if !b.credit(s.Account, s.Fen, s.Day, s.Bound, s.Permit) {
		return false
	}
	if s.Bound {
		a.funded = true
	}
	return s.Collect.take(a) && b.begin(s.Transfer, done, s.Collects)
}

// credit puts money into an account that may have it.
func (b *books) credit(no int, fen int64, day int, bound bool, permit Permit) bool {
	a := &b.accounts[no]
	limits := limitsOf(a.class)
	if a.state != opened && !(a.state == closing && permit.Before) || !permit.Before && !b.mayCredit(no, day) {
		return false
	}
	if limits.most > 0 && a.posted+a.in+fen > limits.most {
		return false
	}
	a.posted += fen
	if bound {
		return true
	}
	return a.receives() && count(&a.received[day], fen, limits.day)
}

// receives reports whether an account may have money of others: class Ⅱ if its owner was met, class Ⅲ also after
// money from his own card.
func (a *account) receives() bool { return a.class < 2 || a.met || a.class == 3 && a.funded }

// count adds to a day's total; false when it passes the limit.
func count(total *int64, fen, max int64) bool {
	*total += fen
	return max == 0 || *total <= max
}

// begin notes a transfer that has not been there.
func (b *books) begin(no int, now phase, spoiled bool) bool {
	if no < 0 {
		return true
	}
	t := &b.transfers[no]
	was := t.phase
	t.phase, t.spoiled = now, spoiled
	return was == unasked
}

// Pay moves money between two accounts.
type Pay struct {
	From, To int
	Fen, Fee int64
	Day      int
	Transfer int // < 0: it is not in the history
	Permit       // of the payee
	Collect
}

func (s Pay) touches() []thing { return append(touchesTransfer(s.To, s.Transfer), anAccount(s.From)) }
func (s Pay) take(b *books) bool {
	if s.Fen <= 0 || !b.mayDebit(s.From, s.Day) || !b.accounts[s.From].counts(s.Fen, s.Day) {
		return false
	}
	from, to := &b.accounts[s.From], &b.accounts[s.To]
	from.posted -= s.Fen + s.Fee
	return from.available() >= 0 && b.credit(s.To, s.Fen, s.Day, false, s.Permit) && s.Collect.take(to) &&
		b.begin(s.Transfer, done, s.Collects)
}

// counts counts what leaves for others against the law's limits and the owner's.
func (a *account) counts(fen int64, day int) bool {
	return (a.ownOne == 0 || fen <= a.ownOne) && count(&a.paid[day], fen, limitsOf(a.class).day) && (a.ownDay == 0 || a.paid[day] <= a.ownDay)
}

// Ask begins a two-phase transfer: money on its way out is held.
type Ask struct {
	Account, Transfer int // Transfer < 0: what becomes of it is not in the history
	Fen, Fee          int64
	Out               bool
	Counted           bool // it goes to others than the owner's card
	Card              int  // of the owner, unless it is counted
	At                int64
	Day               int
}

func (s Ask) touches() []thing { return touchesTransfer(s.Account, s.Transfer) }
func (s Ask) take(b *books) bool {
	a := &b.accounts[s.Account]
	if !b.begin(s.Transfer, pending, false) {
		return false
	}
	if !s.Out {
		a.in += s.Fen
		most := limitsOf(a.class).most
		return b.mayCredit(s.Account, s.Day) && a.cards[s.Card] != noCard && (most == 0 || a.posted+a.in <= most)
	}
	a.out += s.Fen + s.Fee
	if !b.mayDebit(s.Account, s.Day) || a.available() < 0 {
		return false
	}
	if s.Counted {
		return a.counts(s.Fen, s.Day)
	}
	return a.cards[s.Card] <= s.At
}

func touchesTransfer(account, transfer int) []thing {
	if transfer < 0 {
		return []thing{anAccount(account)}
	}
	return []thing{anAccount(account), {'t', transfer}}
}

// Answer settles a two-phase transfer, once. A failure gives a counted amount back to its day.
type Answer struct {
	Account, Transfer int
	Fen, Fee          int64
	Out, Success      bool
	Counted           bool
	Day               int // of the request
}

func (s Answer) touches() []thing { return touchesTransfer(s.Account, s.Transfer) }
func (s Answer) take(b *books) bool {
	t := &b.transfers[s.Transfer]
	if t.phase != pending {
		return false
	}
	t.phase = failed
	if s.Success {
		t.phase = done
	}
	a := &b.accounts[s.Account]
	switch {
	case s.Out:
		a.out -= s.Fen + s.Fee
		if s.Success {
			a.posted -= s.Fen + s.Fee
		} else if s.Counted {
			a.paid[s.Day] -= s.Fen
		}
	default:
		a.in -= s.Fen
		if s.Success {
			a.posted += s.Fen
			a.funded = true
		}
	}
	return true
}

// Shows: a caller saw these balances. AvailableOnly leaves Posted, In and Out out.
type Shows struct {
	Account         int
	Posted, In, Out int64
	Available       int64
	AvailableOnly   bool
}

func (s Shows) touches() []thing { return []thing{anAccount(s.Account)} }
func (s Shows) take(b *books) bool {
	a := &b.accounts[s.Account]
	return a.state != unopened && a.available() == s.Available &&
		(s.AvailableOnly || a.posted == s.Posted && a.in == s.In && a.out == s.Out)
}

// NotOpen: there is no such account.
type NotOpen struct{ Account int }

func (s NotOpen) touches() []thing { return []thing{anAccount(s.Account)} }
func (s NotOpen) take(b *books) bool {
	return b.accounts[s.Account].state == unopened
}

// LacksFunds: the account has less than that available. Slack is what others may have had under way at the time.
type LacksFunds struct {
	Account    int
	Fen, Slack int64
}

func (s LacksFunds) touches() []thing { return []thing{anAccount(s.Account)} }
func (s LacksFunds) take(b *books) bool {
	return b.accounts[s.Account].available() < s.Fen+s.Slack
}

// OverDay: the amount would pass what may leave or enter the account on one day, by law or by the owner's wish.
// Slack is what others may have had under way at the time.
type OverDay struct {
	Account    int
	Out        bool
	Fen, Slack int64
	Day        int
}

func (s OverDay) touches() []thing { return []thing{anAccount(s.Account)} }
func (s OverDay) take(b *books) bool {
	a := &b.accounts[s.Account]
	over := func(used, most int64) bool { return most > 0 && used+s.Fen+s.Slack > most }
	if s.Out {
		return over(a.paid[s.Day], limitsOf(a.class).day) || over(a.paid[s.Day], a.ownDay)
	}
	return over(a.received[s.Day], limitsOf(a.class).day)
}

// OverOne: the amount passes what the owner lets leave at a time.
type OverOne struct {
	Account int
	Fen     int64
}

func (s OverOne) touches() []thing { return []thing{anAccount(s.Account)} }
func (s OverOne) take(b *books) bool {
	most := b.accounts[s.Account].ownOne
	return most > 0 && s.Fen > most
}

// OverCap: with the amount the account would have more than its class may, at any time. Slack as of OverDay.
type OverCap struct {
	Account    int
	Fen, Slack int64
}

func (s OverCap) touches() []thing { return []thing{anAccount(s.Account)} }
func (s OverCap) take(b *books) bool {
	a := &b.accounts[s.Account]
	most := limitsOf(a.class).most
	return most > 0 && a.posted+a.in+s.Fen+s.Slack > most
}

// Unmet: the account may have no money of others.
type Unmet struct{ Account int }

func (s Unmet) touches() []thing   { return []thing{anAccount(s.Account)} }
func (s Unmet) take(b *books) bool { return !b.accounts[s.Account].receives() }

// Limit sets the owner's own limits; zero: none.
type Limit struct {
	Account  int
	One, Day int64
}

func (s Limit) touches() []thing { return []thing{anAccount(s.Account)} }
func (s Limit) take(b *books) bool {
	a := &b.accounts[s.Account]
	a.ownOne, a.ownDay = s.One, s.Day
	return a.lives()
}

// Bind binds a further card. For a day nothing leaves for it.
type Bind struct {
	Account, Card int
	At            int64 // milliseconds
}

func (s Bind) touches() []thing { return []thing{anAccount(s.Account)} }
func (s Bind) take(b *books) bool {
	a := &b.accounts[s.Account]
	was := a.cards[s.Card]
	a.cards[s.Card] = s.At + 24*60*60*1000
	return a.lives() && was == noCard
}

// Unbind unbinds a card: the last one of an account only if nothing is on it.
type Unbind struct {
	Account, Card int
	Loose         bool // what is on it may be a moment old
}

func (s Unbind) touches() []thing { return []thing{anAccount(s.Account)} }
func (s Unbind) take(b *books) bool {
	a := &b.accounts[s.Account]
	was := a.cards[s.Card]
	a.cards[s.Card] = noCard
	return a.lives() && was != noCard && (a.bound() > 0 || a.posted == 0 || s.Loose)
}

func (a *account) bound() (n int) {
	for _, from := range a.cards {
		if from != noCard {
			n++
		}
	}
	return n
}

// Card: that is how the card is.
type Card struct {
	Account, Card int
	Bound         bool
	Last          bool  // and it is the only one
	Fresh         int64 // and nothing may leave for it at this time; zero: it does not matter
	Any           bool  // one of the cards is so
	None          bool  // there is no card
}

func (s Card) touches() []thing { return []thing{anAccount(s.Account)} }
func (s Card) take(b *books) bool {
	a := &b.accounts[s.Account]
	from := a.cards[s.Card]
	switch {
	case s.None:
		return a.bound() == 0
	case s.Any:
		return slices.ContainsFunc(a.cards[:], func(from int64) bool { return from != noCard && s.Fresh < from })
	}
	return s.Bound == (from != noCard) && (!s.Last || a.bound() == 1) && (s.Fresh == 0 || s.Fresh < from)
}

// Both are done at once.
type Both [2]Step

func (s Both) touches() []thing   { return append(s[0].touches(), s[1].touches()...) }
func (s Both) take(b *books) bool { return s[0].take(b) && s[1].take(b) }

// AnyOf: one of them is so; none does anything.
type AnyOf []Step

func (s AnyOf) touches() (all []thing) {
	for _, step := range s {
		all = append(all, step.touches()...)
	}
	return all
}

func (s AnyOf) take(b *books) bool {
	for _, step := range s {
		if step.take(b) {
			return true
		}
	}
	return false
}
