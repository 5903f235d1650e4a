package bank

import "slices"

// Demand interest (活期利息) is earned on the receiving side: money that others pay in never passes the
// payee's Customer, and his Desk sees every event of his, in and out. So each Standing keeps the
// accumulation (积数) of its account, and with it the balance that has been posted.

// Demand is an account's demand interest: the running accumulation of the period, and what the bank has done
// about it. A settlement day (结息日) that it passes ends the period; the period is Due until its interest is
// credited, so that it does not matter how late the bank looks.
type Demand struct {
	Accumulation
	ClosingFen int64 `cbor:"6,keyasint,omitempty"` // balance at the end of the day before Next
	AccruedFen int64 `cbor:"7,keyasint,omitempty"` // of the period, posted to interest payable (计提)
	// Ended are the periods that are due; nil: none, nearly always.
	Ended *[]DemandPeriod `cbor:"8,keyasint,omitempty"`
}

// Due are the periods that have ended and whose interest is not credited, oldest first.
func (a *Demand) Due() []DemandPeriod {
	if a.Ended == nil {
		return nil
	}
	return *a.Ended
}

func (a *Demand) setDue(periods []DemandPeriod) {
	a.Ended = nil
	if len(periods) > 0 {
		a.Ended = &periods
	}
}

// DemandPeriod is a period of demand interest that has ended and is not yet paid.
type DemandPeriod struct {
	From       Date  `cbor:"1,keyasint,omitempty" json:"period_start"`
	Through    Date  `cbor:"2,keyasint,omitempty" json:"period_end"` // its last day, counted
	FenDays    int64 `cbor:"3,keyasint,omitempty" json:"accumulation_fen_days"`
	AccruedFen int64 `cbor:"4,keyasint,omitempty" json:"accrued_fen"` // posted to interest payable so far
}

// InterestFen of the period at a rate: the one posted on its last day, for the whole period (储蓄管理条例
// art. 27). Back-valued debits can leave less than nothing accumulated; the bank asks no interest for it.
func (p DemandPeriod) InterestFen(rateE6 int64) int64 {
	return AccumulationInterestFen(max(0, p.FenDays), rateE6)
}

// Advance counts the end-of-day balance of every day before a date and ends the periods on its way.
func (a *Demand) Advance(to Date) {
	if to <= a.Next {
		return
	}
	a.ClosingFen = a.BalanceFen
	if a.Base == BaseNone {
		a.Next = to
		return
	}
	for a.Next < to {
		settlement := nextSettlementDay(a.Next)
		a.Accumulation.Advance(min(to, settlement.AddDays(1)))
		if a.Next > settlement {
			a.end()
		}
	}
}

// end makes the period that ends the day before Next due. One in which nothing was earned is forgotten.
func (a *Demand) end() {
	if a.FenDays > 0 || a.AccruedFen != 0 {
		a.setDue(append(a.Due(), a.period()))
	}
	a.From, a.FenDays, a.AccruedFen = a.Next, 0, 0
}

func (a *Demand) period() DemandPeriod {
	return DemandPeriod{a.From, a.Next.AddDays(-1), a.FenDays, a.AccruedFen}
}

// Post is Accumulation.Post, which also reaches back into periods that are due.
func (a *Demand) Post(on, value Date, amountFen int64) {
	a.Advance(on)
	if on < a.Next {
		a.ClosingFen += amountFen
	}
	if a.Base == BaseNone {
		a.BalanceFen += amountFen
		return
	}
	for i := range a.Due() {
		p := &a.Due()[i]
		p.FenDays += amountFen * int64(max(0, Days(max(value, p.From), p.Through.AddDays(1))))
	}
	a.Accumulation.Post(on, value, amountFen)
}

// Unpaid are the periods of an account that closes on a day (销户): those still due, and the broken one up to
// the day before, which takes the rate of the closing day.
func (a Demand) Unpaid(day Date) []DemandPeriod {
	a.setDue(slices.Clone(a.Due()))
	a.Advance(day)
	if a.FenDays > 0 || a.AccruedFen != 0 {
		return append(a.Due(), a.period())
	}
	return a.Due()
}

// Paid takes out a period whose interest has been credited: one that is due, or the broken one of an account
// that closes. What has come in for its days since it was reckoned counts for the next.
func (a *Demand) Paid(p DemandPeriod) {
	a.Advance(p.Through.AddDays(1))
	for i, due := range a.Due() {
		if due.Through == p.Through {
			a.FenDays += due.FenDays - p.FenDays
			a.AccruedFen += due.AccruedFen - p.AccruedFen
			a.setDue(slices.Delete(a.Due(), i, i+1))
			return
		}
	}
	a.FenDays -= p.FenDays
	a.AccruedFen -= p.AccruedFen
	a.From = p.Through.AddDays(1)
}

// accrue notes what was posted to interest payable for the period that began on a day.
func (a *Demand) accrue(periodStart Date, deltaFen int64) {
	for i := range a.Due() {
		if p := &a.Due()[i]; p.From == periodStart {
			p.AccruedFen += deltaFen
			return
		}
	}
	a.AccruedFen += deltaFen
}

// owes reports whether on a date interest of a period before it is to be credited.
func (a Demand) owes(date Date) bool {
	if len(a.Due()) == 0 && nextSettlementDay(a.From) < date {
		a.Advance(date)
	}
	return len(a.Due()) > 0
}

// nextSettlementDay is the settlement day on or after a day.
func nextSettlementDay(day Date) Date {
	year, month := day.Year(), (day.Month()+2)/3*3
	if month == day.Month() && day.Day() > 20 {
		month += 3
	}
	if month > monthsPerYear {
		year, month = year+1, 3
	}
	return makeDate(year, month, 20)
}

// money posts what an event moves through the customer's e-accounts, on the accounting date it happened.
func (d *Desk) money(e Event, on Date) {
	post := func(no AccountNo, amountFen int64) {
		if s := d.Standing(no); s != nil {
			s.post(on, on, amountFen)
		}
	}
	paid := func(m *DepositPaid) {
		if s := d.Standing(m.AccountNo); s != nil {
			s.post(on, m.value(on), m.payoutFen())
		}
	}
	switch m := e.(type) {
	case *TransferInSucceeded:
		post(m.AccountNo, m.AmountFen)
	case *InboundCredited:
		if s := d.Standing(m.AccountNo); s != nil {
			s.post(on, m.ValueDate.or(on), m.AmountFen)
		}
	case *TransferOutSucceeded:
		post(m.AccountNo, -m.AmountFen-m.FeeFen)
	case *InternalTransferred:
		if m.Role == RolePayee {
			post(m.Payee, m.AmountFen)
		} else {
			post(m.Payer, -m.AmountFen-m.FeeFen)
		}
	case *DepositOpened:
		post(m.AccountNo, -m.PrincipalFen)
	case *DepositMatured:
		paid(&m.DepositPaid)
	case *DepositRedeemedEarly:
		paid(&m.DepositPaid)
	case *DepositRedeemedAfterMaturity:
		paid(&m.DepositPaid)
	case *DepositRolledOver:
		if s := d.Standing(m.AccountNo); s != nil {
			s.post(on, m.ValueDate, m.PaidFen)
		}
	case *DemandInterestPaid:
		if s := d.Standing(m.AccountNo); s != nil {
			s.interestPaid(m, on)
		}
	case *LoanDisbursed:
		post(m.AccountNo, m.PrincipalFen)
	case *RepaymentApplied:
		post(m.AccountNo, -m.PaidFen)
	case *LoanPrepaid:
		post(m.AccountNo, -m.PrincipalFen-m.InterestFen-m.FeeFen)
	case *LoanSettled:
		post(m.AccountNo, -m.PrincipalFen-m.InterestFen-m.FeeFen)
	}
}

// post changes the account's posted balance on an accounting date, with the date from which the amount
// counts for interest (起息日). Every event that moves money of the account is posted exactly once.
func (s *Standing) post(on, value Date, amountFen int64) { s.Demand.Post(on, value, amountFen) }

// BalanceFen is the account's posted balance as its events add up to; holds and pendings are apart.
func (s *Standing) BalanceFen() int64 { return s.Demand.BalanceFen }
