package serial

// What keeps an owner from his money: restrictions (止付冻结) with their amounts and queue, pledges, and the end of an
// account.

// Kind is what a stop is.
type Kind uint8

// The kinds of stops. The last four keep an amount and forbid nothing.
const (
	DebitStop      Kind      = iota + 1 // 只收不付
	AllStop                             // 不收不付
	Suspended                           // 暂停非柜面, 挂失: for us the same
	FrozenAll                           // 全额冻结
	FrozenPart                          // 部分冻结
	Pledged                             // 质押、存款证明
	OnContract                          // of a deposit: 质押、存款证明
	ContractFrozen                      // of a deposit: 司法冻结
	contractless   = Pledged            // up to here a stop is an account's
)

func (k Kind) freezes() bool { return k == FrozenAll || k == FrozenPart }

type stop struct {
	on          bool
	kind        Kind
	account     int8 // or contract
	queue       int8 // zero: in effect
	until       int8 // its last day; zero: until it is lifted
	held, short int64
}

func aStop(i int) thing { return thing{'s', i} }

func (p *stop) lapsed(day int) bool   { return p.until != 0 && day > int(p.until) }
func (p *stop) inEffect(day int) bool { return p.queue == 0 && !p.lapsed(day) }

func (p *stop) of(account int) bool {
	return p.on && p.kind <= contractless && int(p.account) == account
}

// short reports whether a hold of the account lacks something.
func (b *books) short(account int) bool {
	for i := range b.stops {
		if p := &b.stops[i]; p.of(account) && p.queue == 0 && p.short > 0 {
			return true
		}
	}
	return false
}

// stopped reports whether a restriction of the account forbids what the test says, on a day.
func (b *books) stopped(account, day int, forbids func(*stop) bool) bool {
	for i := range b.stops {
		if p := &b.stops[i]; p.of(account) && p.inEffect(day) && forbids(p) {
			return true
		}
	}
	return false
}

func forbidsDebit(p *stop) bool { return p.kind != FrozenPart && p.kind != Pledged }
func forbidsAny(p *stop) bool   { return p.kind == AllStop }
func freezesPart(p *stop) bool  { return p.kind == FrozenPart }

// mayDebit reports whether the owner may take money from the account: above what is frozen, and only when all is
// held that is to be.
func (b *books) mayDebit(account, day int) bool {
	return b.mayDraw(account, day) && !(b.stopped(account, day, freezesPart) && b.short(account))
}

// mayDraw is mayDebit for borrowing into the account, which a freeze of a part does not forbid.
func (b *books) mayDraw(account, day int) bool {
	return b.accounts[account].state == opened && !b.stopped(account, day, forbidsDebit)
}

func (b *books) mayCredit(account, day int) bool {
	return b.accounts[account].state == opened && !b.stopped(account, day, forbidsAny)
}

// full reports whether a freeze in effect takes all there is on the account, so that others wait.
func (b *books) full(account, day int) bool {
	return b.stopped(account, day, func(p *stop) bool { return p.kind == FrozenAll || p.kind == FrozenPart && p.short > 0 })
}

// next lets the first waiting freeze take effect, if none in effect takes all.
func (b *books) next(account, day int) {
	if b.full(account, day) {
		return
	}
	var first *stop
	for i := range b.stops {
		if p := &b.stops[i]; p.of(account) && p.queue > 0 && !p.lapsed(day) && (first == nil || p.queue < first.queue) {
			first = p
		}
	}
	if first != nil {
		was := first.queue
		first.queue = 0
		b.moveUp(account, was)
	}
}

func (b *books) moveUp(account int, behind int8) {
	for i := range b.stops {
		if p := &b.stops[i]; p.of(account) && p.queue > behind {
			p.queue--
		}
	}
}

// Put puts a stop on an account. A freeze takes what there is of the amount, or waits.
type Put struct {
	Stop, Account int
	Kind          Kind
	Fen           int64 // to be held
	Until         int   // its last day; zero: until it is lifted
	Day           int
	Queue         int   // as the caller was told
	Taken         int64 // likewise
	Unseen        int64 // of what was there the bank may not have seen as much as this
}

func (s Put) touches() []thing { return []thing{aStop(s.Stop), anAccount(s.Account)} }
func (s Put) take(b *books) bool {
	a, p := &b.accounts[s.Account], &b.stops[s.Stop]
	if p.on || !a.lives() || s.Kind == Pledged && !b.mayDebit(s.Account, s.Day) {
		return false
	}
	queue := int8(0)
	if s.Kind.freezes() && b.full(s.Account, s.Day) {
		queue = 1
		for i := range b.stops {
			if o := &b.stops[i]; o.of(s.Account) {
				queue = max(queue, o.queue+1)
			}
		}
	}
	*p = stop{on: true, kind: s.Kind, account: int8(s.Account), queue: queue, until: int8(s.Until), short: s.Fen}
	there := int64(0)
	if queue == 0 {
		there = min(s.Fen, max(0, a.available()))
	}
	p.held, p.short = s.Taken, s.Fen-s.Taken
	a.out += s.Taken
	return int(queue) == s.Queue && s.Taken <= there && there-s.Taken <= s.Unseen && (s.Kind != Pledged || p.short == 0)
}

// Fill puts more into a hold that lacks something.
type Fill struct {
	Stop, Account int
	Fen           int64
	Day           int
	Loose         bool // there may be more than the bank has seen
}

func (s Fill) touches() []thing { return []thing{aStop(s.Stop), anAccount(s.Account)} }
func (s Fill) take(b *books) bool {
	a, p := &b.accounts[s.Account], &b.stops[s.Stop]
	there := min(p.short, a.available())
	if !p.of(s.Account) || p.queue > 0 || s.Fen <= 0 || s.Fen > there || s.Fen < there && !s.Loose {
		return false
	}
	p.held += s.Fen
	p.short -= s.Fen
	a.out += s.Fen
	if p.short == 0 && p.kind == FrozenPart {
		b.next(s.Account, s.Day) // there may be something left for it
	}
	return true
}

// Lift ends a stop: what it held is free, and the next waiting freeze takes effect.
type Lift struct {
	Stop, Account int
	Held          int64 // as the caller was told
	Day           int
	Lapsed        bool // because its time is over
}

func (s Lift) touches() []thing { return []thing{aStop(s.Stop), anAccount(s.Account)} }
func (s Lift) take(b *books) bool {
	a, p := &b.accounts[s.Account], &b.stops[s.Stop]
	if !p.of(s.Account) || p.held != s.Held || s.Lapsed && !p.lapsed(s.Day) {
		return false
	}
	was := *p
	p.on = false
	a.out -= was.held
	switch {
	case was.queue > 0:
		b.moveUp(s.Account, was.queue)
	case was.kind.freezes():
		b.next(s.Account, s.Day)
	}
	return true
}

// InEffect: the freeze is in effect, or it waits at a place.
type InEffect struct {
	Stop, Account int
	Queue         int
}

func (s InEffect) touches() []thing { return []thing{aStop(s.Stop), anAccount(s.Account)} }
func (s InEffect) take(b *books) bool {
	p := &b.stops[s.Stop]
	return p.of(s.Account) && int(p.queue) == s.Queue
}

// Renew lets a stop run longer.
type Renew struct {
	Stop, Account int
	Until, Day    int
}

func (s Renew) touches() []thing { return []thing{aStop(s.Stop), anAccount(s.Account)} }
func (s Renew) take(b *books) bool {
	p := &b.stops[s.Stop]
	was := p.lapsed(s.Day)
	p.until = int8(s.Until)
	return p.of(s.Account) && !was
}

// Deduct takes an amount out of a hold for the court.
type Deduct struct {
	Stop, Account int
	Fen           int64
	Held          int64 // afterwards, as the caller was told
}

func (s Deduct) touches() []thing { return []thing{aStop(s.Stop), anAccount(s.Account)} }
func (s Deduct) take(b *books) bool {
	a, p := &b.accounts[s.Account], &b.stops[s.Stop]
	p.held -= s.Fen
	a.posted -= s.Fen
	a.out -= s.Fen
	a.remitting++
	return p.of(s.Account) && p.kind.freezes() && s.Fen > 0 && p.held == s.Held && p.held >= 0
}

// Remit: a deduction of the account has arrived.
type Remit struct{ Account int }

func (s Remit) touches() []thing { return []thing{anAccount(s.Account)} }
func (s Remit) take(b *books) bool {
	b.accounts[s.Account].remitting--
	return b.accounts[s.Account].remitting >= 0
}

// Held: the stop is over, or holds less than that.
type Held struct {
	Stop, Account int
	Over          bool
	Below         int64
}

func (s Held) touches() []thing { return []thing{aStop(s.Stop), anAccount(s.Account)} }
func (s Held) take(b *books) bool {
	p := &b.stops[s.Stop]
	if s.Over {
		return !p.on
	}
	return p.on && p.held < s.Below
}

// Act is what a stop or an account's state may forbid.
type Act uint8

// The acts.
const (
	Debiting Act = iota
	Crediting
	Drawing
)

// Forbidden: restrictions of the account forbid the act.
type Forbidden struct {
	Account, Day int
	Act          Act
	Short        bool // because a freeze still lacks something
}

func (s Forbidden) touches() []thing { return []thing{anAccount(s.Account)} }
func (s Forbidden) take(b *books) bool {
	switch {
	case s.Short:
		return b.stopped(s.Account, s.Day, freezesPart) && b.short(s.Account)
	case s.Act == Crediting:
		return b.stopped(s.Account, s.Day, forbidsAny)
	}
	return b.stopped(s.Account, s.Day, forbidsDebit)
}

// State of an account.
type State struct {
	Account int
	Closing bool
	Closed  bool
	Either  bool // of the two, or stopped
	Day     int
}

func (s State) touches() []thing { return []thing{anAccount(s.Account)} }
func (s State) take(b *books) bool {
	now := b.accounts[s.Account].state
	switch {
	case s.Either:
		return now != opened || !b.mayCredit(s.Account, s.Day)
	case s.Closing:
		return now == closing
	case s.Closed:
		return now == closed
	}
	return now == opened
}

// Prepare begins to close an account that nothing belongs to, or leaves it open after all.
type Prepare struct {
	Account, Day int
	Withdraw     bool
}

func (s Prepare) touches() []thing { return []thing{anAccount(s.Account)} }
func (s Prepare) take(b *books) bool {
	a := &b.accounts[s.Account]
	if s.Withdraw {
		was := a.state
		a.state = opened
		return was == closing
	}
	may := b.mayDebit(s.Account, s.Day) && !b.used(s.Account)
	a.state = closing
	return may
}

// used reports whether something belongs to the account: contracts, stops, money on its way.
func (b *books) used(account int) bool {
	for i := range b.stops {
		if b.stops[i].of(account) {
			return true
		}
	}
	for i := range b.contracts {
		if c := &b.contracts[i]; c.known && c.fen > 0 && int(c.owner) == account+1 {
			return true
		}
	}
	a := &b.accounts[account]
	return a.in != 0 || a.out != 0 || a.remitting != 0
}

// InUse: something belongs to the account.
type InUse struct{ Account int }

func (s InUse) touches() []thing   { return []thing{anAccount(s.Account)} }
func (s InUse) take(b *books) bool { return b.used(s.Account) }

// Close pays out all that is on an account, with its interest, and ends it.
type Close struct {
	Account, To, Day int // To < 0: to a card
	Fen              int64
}

func (s Close) touches() []thing {
	if s.To < 0 {
		return []thing{anAccount(s.Account)}
	}
	return []thing{anAccount(s.Account), anAccount(s.To)}
}

func (s Close) take(b *books) bool {
	a := &b.accounts[s.Account]
	if a.state != closing || b.used(s.Account) || a.posted != s.Fen {
		return false
	}
	a.state, a.posted = closed, 0
	if s.To < 0 {
		return a.bound() > 0
	}
	b.accounts[s.To].posted += s.Fen
	return b.mayCredit(s.To, s.Day)
}
