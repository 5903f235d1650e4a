package bank

// Settling demand interest (活期结息, E16): what a period has earned is paid into the account the day after the
// settlement day, and on closing up to the day before it.

// CreditInterest credits the interest of an account's periods that ended before the date.
type CreditInterest struct {
	Account AccountNo `cbor:"1,keyasint"`
	Date    Date      `cbor:"2,keyasint"`
}

// Operation name, stable.
func (*CreditInterest) Operation() string { return "credit_interest" }

// DemandInterestPaid (活期结息).
type DemandInterestPaid struct {
	TxnID       TxnID     `cbor:"1,keyasint" json:"txn_id"`
	AccountNo   AccountNo `cbor:"2,keyasint" json:"account_no"`
	Product     string    `cbor:"3,keyasint" json:"product"`
	PeriodStart Date      `cbor:"4,keyasint" json:"period_start"`
	PeriodEnd   Date      `cbor:"5,keyasint" json:"period_end"`
	FenDays     int64     `cbor:"6,keyasint" json:"accumulation_fen_days"`
	RateE6      int64     `cbor:"7,keyasint" json:"rate_e6"`
	InterestFen int64     `cbor:"8,keyasint,omitempty" json:"interest_fen"`
	TaxFen      int64     `cbor:"9,keyasint,omitempty" json:"tax_fen"`
	AccruedFen  int64     `cbor:"10,keyasint,omitempty" json:"accrued_fen"` // before; what differs was trued up
	ValueDate   Date      `cbor:"11,keyasint" json:"value_date"`
}

// EventType of the event.
func (*DemandInterestPaid) EventType() EventType { return EventDemandInterestPaid }

func (m *DemandInterestPaid) period() DemandPeriod {
	return DemandPeriod{m.PeriodStart, m.PeriodEnd, m.FenDays, m.AccruedFen}
}

func decideCreditInterest(c *Customer, m *CreditInterest, env *Env, d *Decision) *Refusal {
	a, r := ownAccount(c, m.Account, "account_no")
	if r != nil {
		return r
	}
	s := env.Desk.Standing(a.No)
	s.Demand.Advance(m.Date)
	if len(s.Demand.Due()) == 0 {
		return &Refusal{Code: DateClosed, Field: "date"}
	}
	for len(s.Demand.Due()) > 0 {
		p := s.Demand.Due()[0]
		payDemandInterest(s, p, env.Catalogue.DemandRateOn(p.Through), env, d)
	}
	d.Affects = []Affected{a.affected()}
	return nil
}

// payInterestAtClosing appends the interest of an account that closes today to the decision, and returns what the
// account gets of it. The broken period takes the rate of the closing day.
func payInterestAtClosing(s *Standing, env *Env, d *Decision) (netFen int64) {
	before := s.BalanceFen()
	for periods := s.Demand.Unpaid(env.Date); len(periods) > 0; periods = s.Demand.Unpaid(env.Date) {
		p := periods[0]
		rate := env.Catalogue.DemandRateOn(p.Through)
		if p.Through == env.Date.AddDays(-1) && !p.Through.IsSettlementDay() {
			rate = env.Catalogue.DemandRateOn(env.Date)
		}
		payDemandInterest(s, p, rate, env, d)
	}
	return s.BalanceFen() - before
}

// payDemandInterest appends the interest of a period to the decision and posts it on the standing, which is a copy:
// interest joins the principal the day after the period, so a period that ended later has it in its days.
func payDemandInterest(s *Standing, p DemandPeriod, rateE6 int64, env *Env, d *Decision) {
	e := &DemandInterestPaid{
		TxnID: d.Txn, AccountNo: s.Account, Product: s.Product, PeriodStart: p.From, PeriodEnd: p.Through, FenDays: p.FenDays,
		RateE6: rateE6, InterestFen: p.InterestFen(rateE6), AccruedFen: p.AccruedFen, ValueDate: p.Through.AddDays(1),
	}
	e.TaxFen = InterestTaxFen(e.InterestFen, env.Catalogue.InterestTaxOn(e.ValueDate))
	settlement := DemandSettlement{
		Customer: s.LedgerID(), Payable: bankAccount(DetailDemandPayable, uint64(s.Account.Customer().Shard()), d),
		Expense: bankAccount(DetailDemandExpense, 0, d), InterestFen: e.InterestFen, AccruedFen: e.AccruedFen, TaxFen: e.TaxFen,
	}
	if e.TaxFen > 0 {
		settlement.TaxPayable = bankAccount(DetailTaxWithheld, 0, d)
	}
	d.Legs = settlement.Legs(d.Txn, d.Legs)
	d.Events = append(d.Events, e)
	s.interestPaid(e, env.Date)
}

// interestPaid ends the period and posts its interest.
func (s *Standing) interestPaid(m *DemandInterestPaid, on Date) {
	s.Demand.Paid(m.period())
	s.post(on, m.ValueDate, m.InterestFen-m.TaxFen)
}

// crediting lists the accounts with interest to be credited on a date.
func crediting(d *Desk, date Date) (list []SystemCommand) {
	for i := range d.Accounts {
		s := &d.Accounts[i]
		if s.State != AccountStateClosed && s.Demand.owes(date) {
			list = append(list, SystemCommand{Command: &CreditInterest{s.Account, date}, Step: "interest", Ref: s.Account.String()})
		}
	}
	return list
}
