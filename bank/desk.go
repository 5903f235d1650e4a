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
	In         Counter      `cbor:"6,keyasint,omitempty"`
	// Demand is what its demand interest is reckoned from.
	Demand Demand `cbor:"14,keyasint,omitzero"`
	// ReservedFen is admitted but not yet committed; it dies with the process that admitted it.
	ReservedFen int64 `cbor:"-"`
}

// Credit is a command's wish to put money into an account.
type Credit struct {
	Account   AccountNo
	Bound     bool // from the account's own bound card
	AmountFen int64
	Date      Date // zero: today
	Own       bool // the account's owner asks, not a payer
}

// CreditOf tells which account the command would credit with money from outside the customer's own
// contracts; false for commands that credit none.
func CreditOf(cmd Command) (Credit, bool) {
	switch m := cmd.(type) {
	case *TransferInternal:
		return Credit{Account: m.Payee, AmountFen: m.AmountFen, Date: m.Date}, true
	case *CreditInbound:
		return Credit{m.Account, m.Bound, m.AmountFen, m.Date, true}, true
	case *TransferIn:
		return Credit{m.Account, true, m.AmountFen, m.Date, true}, true
	}
	return Credit{}, false
}

// Clone is a copy that can be changed.
func (d *Desk) Clone() *Desk {
	c := &Desk{Accounts: slices.Clone(d.Accounts)}
	for i := range c.Accounts {
		s := &c.Accounts[i]
		s.Demand.setDue(slices.Clone(s.Demand.Due()))
	}
	return c
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
	case s.State != AccountNormal && c.Own:
		return Standing{}, &Refusal{Code: AccountClosed, Field: "to_account"}
	case s.State != AccountNormal:
		return Standing{}, &Refusal{Code: PayeeClosed, Field: "to_account"}
	case c.AmountFen <= 0 || c.AmountFen > AmountMaxFen:
		return Standing{}, &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	}
	if !c.Bound && !cat.Unlimited(s.Product) {
		day, year := s.In.On(on)
		code, limit := CheckClassLimits(s.Account.Class(), MoveInNonBound, c.AmountFen, LimitUse{
			DayInFen: day + s.ReservedFen, YearInFen: year + s.ReservedFen, FaceToFace: s.FaceToFace, FundedFromBound: s.Funded,
		})
		if code != NoRefusal {
			return Standing{}, &Refusal{Code: code, Field: "to_account", LimitFen: limit}
		}
	}
	if !c.Bound {
		s.ReservedFen += c.AmountFen
	}
	return *s, nil
}

// CreditBy tells the credit that a decision with the event has admitted; false for events that credit
// nothing with money from outside the customer's own contracts.
func CreditBy(e Event) (Credit, bool) {
	switch m := e.(type) {
	case *InternalTransferred:
		return Credit{Account: m.Payee, AmountFen: m.AmountFen}, m.Role == RolePayee
	case *InboundCredited:
		return Credit{Account: m.AccountNo, Bound: m.Bound, AmountFen: m.AmountFen, Own: true}, true
	}
	return Credit{}, false
}

// Reserve takes an admitted reservation up again, of a decision made before a restart.
func (d *Desk) Reserve(c Credit) {
	if s := d.Standing(c.Account); s != nil && !c.Bound {
		s.ReservedFen += c.AmountFen
	}
}

// Release gives an admitted reservation back.
func (d *Desk) Release(c Credit) {
	if s := d.Standing(c.Account); s != nil && !c.Bound {
		s.ReservedFen -= c.AmountFen
	}
}

// Apply folds an event of the customer, on the accounting date it happened, into the desk.
func (d *Desk) Apply(e Event, on Date) {
	d.money(e, on)
	switch m := e.(type) {
	case *CustomerDayClosed:
		d.dayClosed(m)
	case *AccountOpened:
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
	}
}
