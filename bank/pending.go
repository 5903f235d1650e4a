package bank

// Pending (在途) is what a customer's decisions without an outcome may do to his state. A ledger elsewhere
// answers later; meanwhile the next command is decided on bounds: a decision under way uses up its share of
// the limits, and gives back nothing, until its outcome is known. What is allowed then is allowed whatever
// the outcomes are. The zero value has nothing under way.
type Pending struct {
	decisions int
	alone     int // of decisions: those nothing can be decided behind
	transfers map[TxnID]struct{}
	outs      []pendingOut
}

// pendingOut is what decisions under way may add to and take from an account's out counter.
type pendingOut struct {
	account     AccountNo
	uses, frees Counter
}

// Claim is the share of one decision in Pending. The zero value is that of a payment that touches no limit.
type Claim struct {
	Account AccountNo
	OutFen  int64 // added to the account's out counter; negative: given back
	On      Date  // the day it counts on
	// Transfer is the two-phase transfer that is requested or settled.
	Transfer TxnID
	// Alone: the decision changes what no bound describes (accounts, contracts), so that nothing is decided
	// before its outcome is known.
	Alone bool
}

// ClaimOf tells what the decision, taken on the accounting date for the customer, may do to his state.
func ClaimOf(c *Customer, d *Decision, on Date) (k Claim) {
	for _, e := range d.Events {
		switch m := e.(type) {
		case *InternalTransferred:
			k.Account, k.OutFen, k.On = m.Payer, m.AmountFen, on
		case *InboundCredited, *AdvanceCollected, *FeeCharged, *LimitCounterChanged:
		case *TransferInRequested:
			k.Transfer = m.TxnID
		case *TransferOutRequested:
			k.Transfer = m.TxnID
			if !m.Bound {
				k.Account, k.OutFen, k.On = m.AccountNo, m.AmountFen, on
			}
		case *TransferInUnknown:
			k.Transfer = m.TxnID
		case *TransferOutUnknown:
			k.Transfer = m.TxnID
		case *TransferInSucceeded:
			k.Transfer = m.TxnID
		case *TransferInFailed:
			k.Transfer = m.TxnID
		case *TransferOutSucceeded:
			k.Transfer = m.TxnID
		case *TransferOutFailed:
			k.Transfer = m.TxnID
			if f := c.inFlight(m.TxnID); f != nil && f.CountedOn != 0 {
				k.Account, k.OutFen, k.On = f.Account, -f.AmountFen, f.CountedOn
			}
		default:
			k.Alone = true
		}
	}
	return k
}

// Any reports whether a decision is under way.
func (p *Pending) Any() bool { return p.decisions > 0 }

// Holds reports whether the command can't be decided on bounds and must wait for outcomes: a payment waits
// for what is Alone, a channel's answer also for the transfer it settles, anything else for everything.
func (p *Pending) Holds(cmd Command) bool {
	if p.decisions == 0 {
		return false
	}
	switch m := cmd.(type) {
	case *TransferIn, *TransferOut, *TransferInternal, *CreditInbound:
		return p.alone > 0
	case *ChannelResult:
		_, ok := p.transfers[m.Transfer]
		return ok || p.alone > 0
	case *MarkUnknown:
		_, ok := p.transfers[m.Transfer]
		return ok || p.alone > 0
	}
	return true
}

// Add counts a decision that is under way.
func (p *Pending) Add(k Claim) { p.count(k, 1) }

// Remove takes a decision out again, whose outcome is known.
func (p *Pending) Remove(k Claim) {
	p.count(k, -1)
	if p.decisions == 0 {
		*p = Pending{}
	}
}

func (p *Pending) count(k Claim, by int) {
	p.decisions += by
	if k.Alone {
		p.alone += by
	}
	if !k.Transfer.IsZero() {
		if by > 0 {
			if p.transfers == nil {
				p.transfers = make(map[TxnID]struct{})
			}
			p.transfers[k.Transfer] = struct{}{}
		} else {
			delete(p.transfers, k.Transfer)
		}
	}
	switch {
	case k.OutFen > 0:
		p.out(k.Account).uses.Add(k.On, int64(by)*k.OutFen)
	case k.OutFen < 0:
		p.out(k.Account).frees.Add(k.On, -int64(by)*k.OutFen)
	}
}

func (p *Pending) out(no AccountNo) *pendingOut {
	for i := range p.outs {
		if p.outs[i].account == no {
			return &p.outs[i]
		}
	}
	p.outs = append(p.outs, pendingOut{account: no})
	return &p.outs[len(p.outs)-1]
}

// used is the account's out counter on a day when everything under way ends so that most of the limits is
// used, or least.
func (p *Pending) used(a *EAccount, day Date, least bool) (dayFen, yearFen int64) {
	dayFen, yearFen = a.Out.On(day)
	if p == nil {
		return dayFen, yearFen
	}
	for i := range p.outs {
		if p.outs[i].account != a.No {
			continue
		}
		if least {
			d, y := p.outs[i].frees.On(day)
			return dayFen - d, yearFen - y
		}
		d, y := p.outs[i].uses.On(day)
		return dayFen + d, yearFen + y
	}
	return dayFen, yearFen
}

// Total puts the day's and the year's totals into an event of money that leaves an account, now that the
// outcomes of all decisions before it are in the customer's state. It reports whether they were others.
func (c *Customer) Total(e Event, on Date) bool {
	var account AccountNo
	var fen int64
	var day, year *int64
	var txn TxnID
	switch m := e.(type) {
	case *InternalTransferred:
		if m.Role != RolePayer {
			return false
		}
		account, txn, fen, day, year = m.Payer, m.TxnID, m.AmountFen, &m.DayTotalFen, &m.YearTotalFen
	case *TransferOutRequested:
		account, txn, day, year = m.AccountNo, m.TxnID, &m.DayTotalFen, &m.YearTotalFen
		if !m.Bound {
			fen = m.AmountFen
		}
	case *LimitCounterChanged:
		was := *m
		m.total(c.account(m.AccountNo))
		return *m != was
	default:
		return false
	}
	out := c.account(account).outWithout(txn) // of one that was delayed: its share is in it already
	d, y := out.On(on)
	if *day == d+fen && *year == y+fen {
		return false
	}
	*day, *year = d+fen, y+fen
	return true
}

// Before takes an event of a payment back out of the balance of the account: what it was without it.
func (b Balance) Before(e Event) Balance {
	switch m := e.(type) {
	case *InternalTransferred:
		switch {
		case m.Role == RolePayer && m.Payer == b.Account:
			b.PostedFen += m.AmountFen + m.FeeFen
		case m.Role == RolePayee && m.Payee == b.Account:
			b.PostedFen -= m.AmountFen
		}
	case *InboundCredited:
		if m.AccountNo == b.Account {
			b.PostedFen -= m.AmountFen
		}
	case *TransferInRequested:
		if m.AccountNo == b.Account {
			b.PendingInFen -= m.AmountFen
		}
	case *TransferOutRequested:
		if m.AccountNo == b.Account {
			b.PendingOutFen -= m.AmountFen + m.FeeFen
		}
	case *TransferInSucceeded:
		b = b.beforeSettled(&m.TransferSettled, true, false)
	case *TransferInFailed:
		b = b.beforeSettled(&m.TransferSettled, false, false)
	case *TransferOutSucceeded:
		b = b.beforeSettled(&m.TransferSettled, true, true)
	case *TransferOutFailed:
		b = b.beforeSettled(&m.TransferSettled, false, true)
	case balanced:
		m.unapply(&b)
	}
	b.AvailableFen = b.PostedFen - b.PendingOutFen
	return b
}

func (b Balance) beforeSettled(m *TransferSettled, success, out bool) Balance {
	fen := m.AmountFen
	if out {
		fen += m.FeeFen
	}
	switch {
	case m.AccountNo != b.Account:
		return b
	case out:
		b.PendingOutFen += fen
	default:
		b.PendingInFen += fen
		fen = -fen
	}
	if success {
		b.PostedFen += fen
	}
	return b
}
