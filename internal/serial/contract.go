package serial

// Contracts: term deposits, credit lines, loans, and what the bank keeps for somebody it does not know.

type contract struct {
	known bool
	owner int8  // the account it belongs to, counted from one; zero: none
	fen   int64 // principal, or what is left of a line
	held  int64 // of it
}

// Exchange moves money between an account and contracts.
type Exchange struct {
	Account int // < 0: none
	Day     int
	By      Mover
	Fen     int64 // what the account gets; negative: gives
	Changes []Change
}

// Mover is for whom money moves between an account and a contract.
type Mover uint8

// The movers.
const (
	Owner    Mover = iota // takes from the account, or puts into it
	Borrower              // has it lent
	Bank                  // owes it
)

// Change is what happens to a contract's amount.
type Change struct {
	Contract int
	Fen      int64
	Rest     int64 // what is left, as the caller was told; < 0: he was not
	New      bool
	Of       int // the account a new one belongs to; < 0: none
}

func (s Exchange) touches() (all []thing) {
	if s.Account >= 0 {
		all = append(all, anAccount(s.Account))
	}
	for _, c := range s.Changes {
		all = append(all, thing{'c', c.Contract})
		if c.New && c.Of >= 0 {
			all = append(all, anAccount(c.Of))
		}
	}
	return all
}

func (s Exchange) take(b *books) bool {
	if s.Account >= 0 {
		a := &b.accounts[s.Account]
		if !s.may(b) {
			return false
		}
		a.posted += s.Fen
		most := limitsOf(a.class).most
		if s.Fen < 0 && a.available() < 0 || s.By == Borrower && most > 0 && a.posted+a.in > most {
			return false
		}
	}
	for _, change := range s.Changes {
		c := &b.contracts[change.Contract]
		if c.known == change.New {
			return false
		}
		if change.New {
			c.owner = int8(change.Of + 1)
		}
		c.known = true
		c.fen += change.Fen
		if c.fen < c.held || change.Rest >= 0 && c.fen != change.Rest {
			return false
		}
	}
	return true
}

func (s Exchange) may(b *books) bool {
	switch {
	case s.By == Bank:
		return b.accounts[s.Account].lives()
	case s.By == Borrower:
		return b.mayDraw(s.Account, s.Day)
	case s.Fen < 0:
		return b.mayDebit(s.Account, s.Day)
	}
	return b.mayCredit(s.Account, s.Day)
}

// Keep holds an amount of a contract. A court is given what there is of what it asks for, and waits while another
// lacks something.
type Keep struct {
	Stop, Contract int
	Fen            int64
	Asked          int64 // by a court; zero: it is none
	Until          int   // its last day; zero: until it is let go
	Day            int
	Queue          int // as the caller was told
}

func (s Keep) touches() []thing { return []thing{aStop(s.Stop), {'c', s.Contract}} }
func (s Keep) take(b *books) bool {
	p, c := &b.stops[s.Stop], &b.contracts[s.Contract]
	free := c.fen - c.held
	if p.on || !c.known || s.Fen > free {
		return false
	}
	*p = stop{on: true, kind: OnContract, account: int8(s.Contract), until: int8(s.Until), held: s.Fen}
	if s.Asked == 0 {
		if s.Fen <= 0 {
			return false
		}
	} else {
		p.kind, p.short = ContractFrozen, s.Asked-s.Fen
		last, full := b.courts(s.Contract, s.Day, s.Stop)
		switch {
		case full && (s.Fen != 0 || s.Queue != last+1):
			return false
		case !full && (s.Fen != min(s.Asked, free) || s.Queue != 0):
			return false
		}
		p.queue = int8(s.Queue)
	}
	c.held += s.Fen
	return true
}

// courts is the last place in the queue of a contract's freezes, but for one stop, and whether they take all that is or
// becomes free.
func (b *books) courts(contract, day, but int) (last int, full bool) {
	for i := range b.stops {
		p := &b.stops[i]
		if i == but || !p.freezesContract(contract) {
			continue
		}
		last = max(last, int(p.queue))
		full = full || !p.lapsed(day) && (p.queue > 0 || p.short > 0)
	}
	return last, full
}

func (p *stop) freezesContract(contract int) bool {
	return p.on && p.kind == ContractFrozen && int(p.account) == contract
}

// Free lets go what was kept, once. What it held goes to the freezes that lack something, in their order, and the
// caller was told of each.
type Free struct {
	Stop, Contract int
	Fen            int64
	Day            int
	Given          []Given
}

// Given is what a freeze was given of a contract, and what it has and lacks then.
type Given struct {
	Stop             int
	Fen, Held, Short int64
}

func (s Free) touches() []thing {
	all := []thing{aStop(s.Stop), {'c', s.Contract}}
	for _, g := range s.Given {
		all = append(all, aStop(g.Stop))
	}
	return all
}

func (s Free) take(b *books) bool {
	p, c := &b.stops[s.Stop], &b.contracts[s.Contract]
	was := *p
	*p = stop{}
	c.held -= s.Fen
	if !was.on || was.kind != OnContract && was.kind != ContractFrozen || was.held != s.Fen {
		return false
	}
	given := s.Given
	for free := c.fen - c.held; ; {
		next := b.nextCourt(s.Contract, s.Day)
		if next < 0 {
			break
		}
		f := &b.stops[next]
		fen := min(f.short, free)
		if fen == 0 && f.queue == 0 {
			break // it lacks something still
		}
		if len(given) == 0 || given[0] != (Given{next, fen, f.held + fen, f.short - fen}) {
			return false
		}
		given = given[1:]
		f.held += fen
		f.short -= fen
		c.held += fen
		free -= fen
		f.queue = 0
		if f.short > 0 {
			break
		}
	}
	b.closeQueue(s.Contract)
	return len(given) == 0
}

// nextCourt is the freeze of a contract whose turn it is: one in effect that lacks something, or the first that waits.
func (b *books) nextCourt(contract, day int) int {
	next := -1
	for i := range b.stops {
		p := &b.stops[i]
		if p.freezesContract(contract) && !p.lapsed(day) && (p.queue > 0 || p.short > 0) && (next < 0 || p.queue < b.stops[next].queue) {
			next = i
		}
	}
	return next
}

// closeQueue numbers the freezes of a contract that wait from one.
func (b *books) closeQueue(contract int) {
	for place := int8(1); ; place++ {
		first := -1
		for i := range b.stops {
			if p := &b.stops[i]; p.freezesContract(contract) && p.queue >= place && (first < 0 || p.queue < b.stops[first].queue) {
				first = i
			}
		}
		if first < 0 {
			return
		}
		b.stops[first].queue = place
	}
}

// Lacks: the contract is there and its amount is less than that, or what is free of it.
type Lacks struct {
	Contract int
	Fen      int64
	Free     bool
}

func (s Lacks) touches() []thing { return []thing{{'c', s.Contract}} }
func (s Lacks) take(b *books) bool {
	c := &b.contracts[s.Contract]
	if s.Free {
		return c.known && c.fen-c.held < s.Fen
	}
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

// Interest is what the bank has reckoned and pays into an account.
type Interest struct {
	Account int
	Fen     int64
}

func (s Interest) touches() []thing { return []thing{anAccount(s.Account)} }
func (s Interest) take(b *books) bool {
	a := &b.accounts[s.Account]
	a.posted += s.Fen
	return a.lives() && s.Fen >= 0
}
