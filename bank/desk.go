package bank

import "slices"

// Desk (入账台) is the receiving side of a customer's accounts. It is apart from Customer because
// payers ask it directly: a credit permit (入账许可) is a short read-and-reserve that never waits for
// the payee's actor, so A→B and B→A at once, or a ring of a thousand, cannot block each other.
type Desk struct {
	Accounts []Standing `cbor:"1,keyasint,omitempty"`
}

// Standing is what decides whether an account may receive money.
type Standing struct {
	Account    AccountNo    `cbor:"1,keyasint,omitempty"`
	Product    string       `cbor:"2,keyasint,omitempty"`
	State      AccountState `cbor:"3,keyasint,omitempty"`
	FaceToFace bool         `cbor:"4,keyasint,omitempty"` // identity confirmed in person
	Funded     bool         `cbor:"5,keyasint,omitempty"` // has received money from its bound account
	Moved      Date         `cbor:"9,keyasint,omitempty"` // when the customer last moved something
	In         Counter      `cbor:"6,keyasint,omitempty"`
	AdvanceFen int64        `cbor:"10,keyasint,omitempty"` // owed to the bank after reversals (客户垫款)
	// Demand is what its demand interest is reckoned from.
	Demand Demand `cbor:"14,keyasint,omitzero"`
	Apart  Apart  `cbor:"8,keyasint,omitzero"`
	// Stopped is what restrictions and holds mean for what comes in; nil: there are none.
	Stopped *Stopped `cbor:"7,keyasint,omitempty"`

	// ReservedFen is admitted against the limit of money in but not yet committed, AdmittedFen all that is. They
	// die with the process that admitted them.
	ReservedFen int64 `cbor:"-"`
	AdmittedFen int64 `cbor:"-"`
}

// Apart (在途及冻结) are the parts of an account's money that are not simply there.
type Apart struct {
	InFen  int64 `cbor:"1,keyasint,omitempty"` // on its way in
	OutFen int64 `cbor:"2,keyasint,omitempty"` // on its way out, or held
}

// Stopped are the restrictions on an account, and what its holds lack.
type Stopped struct {
	Restrictions restrictions `cbor:"1,keyasint,omitempty"`
	ShortFen     int64        `cbor:"2,keyasint,omitempty"` // to be held as soon as it comes
}

func (s *Standing) stopped() Stopped {
	if s.Stopped == nil {
		return Stopped{}
	}
	return *s.Stopped
}

// stop changes what is stopped.
func (s *Standing) stop(change func(*Stopped)) {
	x := s.stopped()
	change(&x)
	s.Stopped = &x
	if len(x.Restrictions) == 0 && x.ShortFen == 0 {
		s.Stopped = nil
	}
}

// idle reports whether nothing is on its way to the account or from it, or held on it.
func (s *Standing) idle() bool { return s.Apart == (Apart{}) && s.stopped().ShortFen == 0 }

// availableFen is what the account can be debited by. Only the customer's own decisions make it less.
func (s *Standing) availableFen() int64 { return max(0, s.BalanceFen()-s.Apart.OutFen) }

// unheld reports whether the account has something that belongs into a hold.
func (s *Standing) unheld() bool {
	return s.Stopped != nil && s.Stopped.ShortFen > 0 && s.availableFen() > 0
}

// availableFen is the account's.
func (d *Desk) availableFen(no AccountNo) int64 {
	if s := d.Standing(no); s != nil {
		return s.availableFen()
	}
	return 0
}

// empty reports whether nothing is on the account, on its way to it or from it.
func (d *Desk) empty(no AccountNo) bool {
	s := d.Standing(no)
	return s == nil || s.BalanceFen() == 0 && s.idle() && s.AdmittedFen == 0
}

// Unheld appends the commands that put into holds what has come in. An account without a hold that lacks
// something has none.
func (d *Desk) Unheld(to []Command) []Command {
	for i := range d.Accounts {
		if d.Accounts[i].unheld() {
			to = append(to, &FillHolds{Account: d.Accounts[i].Account})
		}
	}
	return to
}

// Clone is a copy that later events don't change.
func (d *Desk) Clone() *Desk {
	c := new(Desk)
	d.CopyTo(c)
	return c
}

// CopyTo makes c a copy that later events don't change, in the memory that c has.
func (d *Desk) CopyTo(c *Desk) {
	c.Accounts = append(c.Accounts[:0], d.Accounts...)
	for i := range c.Accounts {
		s := &c.Accounts[i]
		s.Demand.setDue(slices.Clone(s.Demand.Due()))
	}
}

// Credit is a command's wish to put money into an account.
type Credit struct {
	Account   AccountNo
	Bound     bool // from the account's own bound card
	Loan      bool // lent by the bank
	AmountFen int64
	Date      Date // zero: today
	Own       bool // the account's owner asks, not a payer
	System    bool // the bank itself undoes or collects: no permit is needed, only the account
}

// capsCredit reports whether every credit to the account needs a permit, for the sake of its balance cap.
func capsCredit(no AccountNo) bool { return LimitsOfClass(no.Class()).CapFen != 0 }

// move is the kind of movement for the class limits.
func (c *Credit) move() Movement {
	switch {
	case c.Loan:
		return MoveLoanDisburse
	case c.Bound:
		return MoveInBound
	}
	return MoveInNonBound
}

// CreditOf tells which account the command would credit with money from outside the customer's own
// contracts, or lent into one with a balance cap; false for commands that credit none.
func CreditOf(cmd Command) (Credit, bool) {
	switch m := cmd.(type) {
	case *TransferInternal:
		return Credit{Account: m.Payee, AmountFen: m.AmountFen, Date: m.Date}, true
	case *CreditInbound:
		return Credit{Account: m.Account, Bound: m.Bound, AmountFen: m.AmountFen, Date: m.Date, Own: true}, true
	case *TransferIn:
		return Credit{Account: m.Account, Bound: true, AmountFen: m.AmountFen, Date: m.Date, Own: true}, true
	case *DrawLoan:
		return Credit{Account: m.Account, Loan: true, AmountFen: m.AmountFen, Own: true}, capsCredit(m.Account)
	case *CollectAdvance:
		return Credit{Account: m.Account, Own: true, System: true}, true
	case *DelayPayment:
		if m.Internal != nil {
			return CreditOf(m.Internal)
		}
	case *EndSuspense:
		return Credit{Account: m.Account, AmountFen: m.AmountFen}, m.Way == ToAccount
	}
	return Credit{}, false
}

// Standing returns the account's standing, nil if there is no such account.
func (d *Desk) Standing(no AccountNo) *Standing {
	for i := range d.Accounts {
		if d.Accounts[i].Account == no {
			return &d.Accounts[i]
		}
	}
	return nil
}

// Admit checks the credit on the accounting date and reserves its share of the limits; the caller
// must Release it, after Apply when the credit was committed.
func (d *Desk) Admit(c Credit, on Date, cat *Catalogue) (Standing, *Refusal) {
	s := d.Standing(c.Account)
	switch {
	case s == nil && c.Own:
		return Standing{}, &Refusal{Code: AccountUnknown, Field: "to_account"}
	case s == nil:
		return Standing{}, &Refusal{Code: PayeeUnknown, Field: "to_account"}
	case c.System:
		return *s, nil
	case c.AmountFen <= 0 || c.AmountFen > AmountMaxFen:
		return Standing{}, &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	}
	if permission, by := s.stopped().Restrictions.permission(s.State.toward(c.Bound), ActCustomerCredit, on, 0); permission == Forbidden {
		if c.Own {
			return Standing{}, forbidden(by, "to_account")
		}
		return Standing{}, &Refusal{Code: PayeeClosed, Field: "to_account"} // why is the payee's own affair
	}
	if !cat.Unlimited(s.Product) {
		day, year := s.In.On(on)
		code, limit := CheckClassLimits(s.Account.Class(), c.move(), c.AmountFen, LimitUse{
			DayInFen: day + s.ReservedFen, YearInFen: year + s.ReservedFen, BalanceFen: s.BalanceFen() + s.Apart.InFen + s.AdmittedFen,
			FaceToFace: s.FaceToFace, FundedFromBound: s.Funded,
		})
		if code != NoRefusal {
			return Standing{}, &Refusal{Code: code, Field: "to_account", LimitFen: limit}
		}
	}
	s.reserve(&c, 1)
	return *s, nil
}

// reserve counts an admitted credit, or takes it out again.
func (s *Standing) reserve(c *Credit, times int64) {
	if c.System {
		return
	}
	s.AdmittedFen += times * c.AmountFen
	if !c.Bound && !c.Loan {
		s.ReservedFen += times * c.AmountFen
	}
}

// CreditBy tells the credit that a decision with the event has admitted; false for events of decisions that
// have none, as CreditOf.
func CreditBy(e Event) (Credit, bool) {
	switch m := e.(type) {
	case *InternalTransferred:
		return Credit{Account: m.Payee, AmountFen: m.AmountFen}, m.Role == RolePayee
	case *InboundCredited:
		return Credit{Account: m.AccountNo, Bound: m.Bound, AmountFen: m.AmountFen, Own: true}, true
	case *TransferInRequested:
		return Credit{Account: m.AccountNo, Bound: true, AmountFen: m.AmountFen, Own: true}, true
	case *LoanDisbursed:
		return Credit{Account: m.AccountNo, Loan: true, AmountFen: m.PrincipalFen, Own: true}, capsCredit(m.AccountNo)
	case *TransactionReversed:
		return Credit{Account: m.AccountNo, System: true}, true
	case *AdvanceCollected:
		return Credit{Account: m.AccountNo, System: true}, true
	}
	return Credit{}, false
}

// Reserve takes an admitted reservation up again, of a decision made before a restart.
func (d *Desk) Reserve(c Credit) {
	if s := d.Standing(c.Account); s != nil {
		s.reserve(&c, 1)
	}
}

// Release gives an admitted reservation back.
func (d *Desk) Release(c Credit) {
	if s := d.Standing(c.Account); s != nil {
		s.reserve(&c, -1)
	}
}

// Apply folds an event of the customer, on the accounting date it happened, into the desk.
func (d *Desk) Apply(e Event, on Date) {
	d.money(e, on)
	d.keep(e, on)
	switch m := e.(type) {
	case *CustomerDayClosed:
		d.dayClosed(m)
	case *AccountOpened:
		if s := d.Standing(m.AccountNo); s != nil { // it was applied for
			s.State = AccountNormal
			return
		}
		d.Accounts = append(d.Accounts, Standing{
			Account: m.AccountNo, Product: m.Product, State: AccountNormal, FaceToFace: m.FaceToFace,
			Demand: Demand{Accumulation: NewAccumulation(m.base(), on, 0)},
		})
	case *TransferInSucceeded:
		if s := d.Standing(m.AccountNo); s != nil {
			s.Funded = true
		}
	case *InboundCredited:
		if s := d.Standing(m.AccountNo); s != nil {
			if m.Bound {
				s.Funded = true
			} else {
				s.In.Add(on, m.AmountFen)
			}
		}
	case *InternalTransferred:
		if s := d.Standing(m.Payee); s != nil && m.Role == RolePayee {
			s.In.Add(on, m.AmountFen)
		}
	case posted:
		m.post(d, on)
	}
}
