package serial

import (
	"fmt"
	"strings"
)

// What one history may name.
const (
	AccountsMax  = 16
	ContractsMax = 16
	TransfersMax = 128 // two-phase ones
	PersonsMax   = 64
	DaysMax      = 2
)

// Step is something that is done, or is so, at the moment of an operation. Accounts, contracts, two-phase
// transfers, persons and days are numbered from zero by whoever records the history; amounts are in fen.
type Step interface {
	// take does the step; false: it can't be so now.
	take(*books) bool
	touches() []thing
}

// thing is what parts of a history can have in common.
type thing struct {
	kind  byte // a, c, t, p
	index int
}

func anAccount(i int) thing { return thing{'a', i} }

// books are the simple bank.
type books struct {
	accounts  [AccountsMax]account
	contracts [ContractsMax]contract
	asked     [TransfersMax]phase
	persons   uint64
}

type account struct {
	open            bool
	posted, in, out int64 // in and out are pending
	paid, received  [DaysMax]int64
}

type contract struct {
	known bool
	fen   int64 // principal, or what is left of a line
}

type phase uint8

const (
	unasked phase = iota
	pending
	settled
)

func (a *account) available() int64 { return a.posted - a.out }

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
		if a := &b.accounts[i]; a.open {
			fmt.Fprintf(&s, "account %d: %+v; ", i, *a)
		}
	}
	for i := range b.contracts {
		if c := &b.contracts[i]; c.known {
			fmt.Fprintf(&s, "contract %d: %d; ", i, c.fen)
		}
	}
	for i, p := range b.asked {
		if p != unasked {
			fmt.Fprintf(&s, "transfer %d: %d; ", i, p)
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

// Open opens an account.
type Open struct{ Account int }

func (s Open) touches() []thing { return []thing{anAccount(s.Account)} }
func (s Open) take(b *books) bool {
	a := &b.accounts[s.Account]
	was := a.open
	a.open = true
	return !was
}

// Credit is money from outside the bank. DayMax bounds what may come in on one day; zero: nothing does.
type Credit struct {
	Account    int
	Fen        int64
	Day        int
	DayMax     int64
	NotCounted bool // from the owner's own card
}

func (s Credit) touches() []thing { return []thing{anAccount(s.Account)} }
func (s Credit) take(b *books) bool {
	a := &b.accounts[s.Account]
	a.posted += s.Fen
	return a.open && (s.NotCounted || count(&a.received[s.Day], s.Fen, s.DayMax))
}

// count adds to a day's total; false when it passes the limit.
func count(total *int64, fen, max int64) bool {
	*total += fen
	return max == 0 || *total <= max
}

// Pay moves money between two accounts.
type Pay struct {
	From, To      int
	Fen           int64
	Day           int
	OutMax, InMax int64 // as DayMax of Credit
}

func (s Pay) touches() []thing { return []thing{anAccount(s.From), anAccount(s.To)} }
func (s Pay) take(b *books) bool {
	from, to := &b.accounts[s.From], &b.accounts[s.To]
	from.posted -= s.Fen
	to.posted += s.Fen
	return from.open && to.open && from.available() >= 0 && s.Fen > 0 &&
		count(&from.paid[s.Day], s.Fen, s.OutMax) && count(&to.received[s.Day], s.Fen, s.InMax)
}

// Ask begins a two-phase transfer: money on its way out is held.
type Ask struct {
	Account, Transfer int // Transfer < 0: what becomes of it is not in the history
	Fen               int64
	Out               bool
	Counted           bool
	Day               int
	OutMax            int64
}

func (s Ask) touches() []thing { return touchesTransfer(s.Account, s.Transfer) }
func (s Ask) take(b *books) bool {
	a := &b.accounts[s.Account]
	if s.Transfer >= 0 {
		if b.asked[s.Transfer] != unasked {
			return false
		}
		b.asked[s.Transfer] = pending
	}
	if !s.Out {
		a.in += s.Fen
		return a.open
	}
	a.out += s.Fen
	return a.open && a.available() >= 0 && (!s.Counted || count(&a.paid[s.Day], s.Fen, s.OutMax))
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
	Fen               int64
	Out, Success      bool
	Counted           bool
	Day               int // of the request
}

func (s Answer) touches() []thing { return touchesTransfer(s.Account, s.Transfer) }
func (s Answer) take(b *books) bool {
	if b.asked[s.Transfer] != pending {
		return false
	}
	b.asked[s.Transfer] = settled
	a := &b.accounts[s.Account]
	switch {
	case s.Out:
		a.out -= s.Fen
		if s.Success {
			a.posted -= s.Fen
		} else if s.Counted {
			a.paid[s.Day] -= s.Fen
		}
	default:
		a.in -= s.Fen
		if s.Success {
			a.posted += s.Fen
		}
	}
	return true
}

// Settled: the two-phase transfer has its answer.
type Settled struct{ Transfer int }

func (s Settled) touches() []thing { return []thing{{'t', s.Transfer}} }
func (s Settled) take(b *books) bool {
	return b.asked[s.Transfer] == settled
}

// Exchange moves money between an account and contracts: deposits, lines, loans.
type Exchange struct {
	Account int   // < 0: none
	Fen     int64 // what the account gets; negative: gives
	Changes []Change
}

// Change is what happens to a contract's amount.
type Change struct {
	Contract int
	Fen      int64
	Rest     int64 // what is left, as the caller was told; < 0: he was not
	New      bool
}

func (s Exchange) touches() (all []thing) {
	if s.Account >= 0 {
		all = append(all, anAccount(s.Account))
	}
	for _, c := range s.Changes {
		all = append(all, thing{'c', c.Contract})
	}
	return all
}

func (s Exchange) take(b *books) bool {
	if s.Account >= 0 {
		a := &b.accounts[s.Account]
		a.posted += s.Fen
		if !a.open || s.Fen < 0 && a.available() < 0 {
			return false
		}
	}
	for _, change := range s.Changes {
		c := &b.contracts[change.Contract]
		if c.known == change.New {
			return false
		}
		c.known = true
		c.fen += change.Fen
		if c.fen < 0 || change.Rest >= 0 && c.fen != change.Rest {
			return false
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
	return a.open && a.available() == s.Available &&
		(s.AvailableOnly || a.posted == s.Posted && a.in == s.In && a.out == s.Out)
}

// NotOpen: there is no such account.
type NotOpen struct{ Account int }

func (s NotOpen) touches() []thing { return []thing{anAccount(s.Account)} }
func (s NotOpen) take(b *books) bool {
	return !b.accounts[s.Account].open
}

// LacksFunds: the account has less than that available.
type LacksFunds struct {
	Account int
	Fen     int64
}

func (s LacksFunds) touches() []thing { return []thing{anAccount(s.Account)} }
func (s LacksFunds) take(b *books) bool {
	return b.accounts[s.Account].available() < s.Fen
}

// OverDay: the amount would pass what may leave or enter the account on one day. Slack is what others may
// have had under way at the time.
type OverDay struct {
	Account    int
	Out        bool
	Fen, Slack int64
	Day        int
	Max        int64
}

func (s OverDay) touches() []thing { return []thing{anAccount(s.Account)} }
func (s OverDay) take(b *books) bool {
	used := b.accounts[s.Account].received[s.Day]
	if s.Out {
		used = b.accounts[s.Account].paid[s.Day]
	}
	return s.Max > 0 && used+s.Fen+s.Slack > s.Max
}

// Lacks: the contract is there and its amount is less than that.
type Lacks struct {
	Contract int
	Fen      int64
}

func (s Lacks) touches() []thing { return []thing{{'c', s.Contract}} }
func (s Lacks) take(b *books) bool {
	c := &b.contracts[s.Contract]
	return c.known && c.fen < s.Fen
}

// Leaves: taking the amount would leave more than nothing in the contract and less than Min.
type Leaves struct {
	Contract int
	Fen, Min int64
}

func (s Leaves) touches() []thing { return []thing{{'c', s.Contract}} }
func (s Leaves) take(b *books) bool {
	rest := b.contracts[s.Contract].fen - s.Fen
	return rest > 0 && rest < s.Min
}
