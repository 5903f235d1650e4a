package bank

// A customer's day is closed after the bank's (日终): the accumulations of his accounts go on to the next day, and
// what his accounts and deposits have earned is accrued (计提). The contracts note what was accrued for them; the
// bank posts the sums by product and shard.

// CloseDay (客户日终) closes a customer's date.
type CloseDay struct {
	Customer CustomerNo `cbor:"1,keyasint"`
	Date     Date       `cbor:"2,keyasint"`
}

// Operation name, stable.
func (*CloseDay) Operation() string { return "close_day" }

// CustomerDayClosed (客户日终).
type CustomerDayClosed struct {
	CustomerNo CustomerNo       `cbor:"1,keyasint" json:"customer_no"`
	Date       Date             `cbor:"2,keyasint" json:"date"`
	Balances   []ClosingBalance `cbor:"3,keyasint,omitempty" json:"balances"`
	Accruals   []DayAccrual     `cbor:"4,keyasint,omitempty" json:"accruals"`
}

// ClosingBalance is what was posted on an account at the end of a day.
type ClosingBalance struct {
	Account AccountNo `cbor:"1,keyasint" json:"account"`
	NetFen  int64     `cbor:"2,keyasint" json:"net_fen"`
}

// DayAccrual is what one contract has earned since its interest was accrued last. Product tells the subjects it is
// posted under: the deposit's own, or that of an e-account for demand interest.
type DayAccrual struct {
	Product     string     `cbor:"1,keyasint" json:"product"`
	Deposit     ContractNo `cbor:"2,keyasint,omitempty" json:"deposit_no,omitzero"`
	DeltaFen    int64      `cbor:"3,keyasint" json:"delta_fen"`
	Account     AccountNo  `cbor:"4,keyasint,omitempty" json:"account_no,omitzero"`
	PeriodStart Date       `cbor:"5,keyasint,omitempty" json:"period_start,omitzero"` // of the account's interest period
}

// EventType of the event.
func (*CustomerDayClosed) EventType() EventType { return EventCustomerDayClosed }

// decideCloseDay accrues up to the end of the date. Days that were missed are in the difference, so that closing
// seldom comes to the same sums as closing daily.
func decideCloseDay(c *Customer, m *CloseDay, env *Env, d *Decision) *Refusal {
	e, r := closeDay(c, env.Desk, m.Date, env.Catalogue)
	if r == nil {
		d.Events = []Event{e}
	}
	return r
}

// closeDay is what closing the date comes to. It counts the days of the desk up to there.
func closeDay(c *Customer, desk *Desk, date Date, cat *Catalogue) (*CustomerDayClosed, *Refusal) {
	if date <= c.ClosedOn {
		return nil, &Refusal{Code: DateClosed, Field: "date"}
	}
	e := &CustomerDayClosed{CustomerNo: c.No, Date: date}
	for i := range desk.Accounts {
		s := &desk.Accounts[i]
		s.Demand.Advance(date.AddDays(1))
		if s.Demand.ClosingFen != 0 {
			e.Balances = append(e.Balances, ClosingBalance{s.Account, s.Demand.ClosingFen})
		}
		for _, p := range append(s.Demand.Due(), s.Demand.period()) {
			if delta := p.InterestFen(cat.DemandRateOn(min(p.Through, date))) - p.AccruedFen; delta != 0 {
				e.Accruals = append(e.Accruals, DayAccrual{Product: s.Product, Account: s.Account, DeltaFen: delta, PeriodStart: p.From})
			}
		}
	}
	for i := range c.Deposits {
		t := &c.Deposits[i]
		if t.PrincipalFen == 0 {
			continue
		}
		if delta := t.Terms().AccruedBeforeFen(date.AddDays(1)) - t.AccruedFen; delta != 0 {
			e.Accruals = append(e.Accruals, DayAccrual{Product: t.Product, Deposit: t.No, DeltaFen: delta})
		}
		// Past its term the principal earns the demand rate (储蓄管理条例 art. 25).
		if delta := t.overdueInterestFen(date.AddDays(1), cat.DemandRateOn(date)) - t.OverdueAccruedFen; delta != 0 {
			e.Accruals = append(e.Accruals, DayAccrual{Product: c.account(t.Account).Product, Deposit: t.No, DeltaFen: delta})
		}
	}
	return e, nil
}

// dayClosed folds the closing into the customer's contracts.
func (c *Customer) dayClosed(m *CustomerDayClosed) {
	c.ClosedOn = m.Date
	for _, a := range m.Accruals {
		t := c.deposit(a.Deposit)
		switch {
		case a.Deposit == 0:
		case a.Product == t.Product:
			t.AccruedFen += a.DeltaFen
		default:
			t.OverdueAccruedFen += a.DeltaFen
		}
	}
}

// dayClosed folds the closing into the accounts.
func (d *Desk) dayClosed(m *CustomerDayClosed) {
	for i := range d.Accounts {
		d.Accounts[i].Demand.Advance(m.Date.AddDays(1))
	}
	for _, a := range m.Accruals {
		if s := d.Standing(a.Account); s != nil {
			s.Demand.accrue(a.PeriodStart, a.DeltaFen)
		}
	}
}

// closing lists the end of a customer's day, if there is anything to end.
func closing(c *Customer, d *Desk, date Date) []SystemCommand {
	if c.ClosedOn >= date || c.Registered == 0 {
		return nil
	}
	for i := range c.Deposits {
		if c.Deposits[i].PrincipalFen > 0 {
			return []SystemCommand{{Command: &CloseDay{c.No, date}, Step: "close"}}
		}
	}
	for i := range d.Accounts {
		if a := &d.Accounts[i].Demand; a.Base != BaseNone && (a.BalanceFen != 0 || a.ClosingFen != 0 || a.FenDays != 0 || len(a.Due()) > 0) {
			return []SystemCommand{{Command: &CloseDay{c.No, date}, Step: "close"}}
		}
	}
	return nil
}
