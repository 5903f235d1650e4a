package bank

// SlipView (电子回单) is what a customer can show of a transaction: a transfer, or interest that was paid.
type SlipView struct {
	TransferID     TxnID         `json:"transfer_id"`
	AccountingDate Date          `json:"accounting_date"`
	Time           string        `json:"time"`   // RFC 3339 with nanoseconds
	Holder         string        `json:"holder"` // masked name of whoever gave the order
	Transfer       *TransferView `json:"transfer,omitzero"`
	Interest       *InterestView `json:"interest,omitzero"`
}

// InterestView is interest paid into an account, and what it was paid for.
type InterestView struct {
	AccountNo          AccountNo  `json:"account_no"`
	DepositID          ContractNo `json:"deposit_id,omitzero"` // zero: of the demand account itself
	Product            string     `json:"product"`
	ProductName        string     `json:"product_name"`
	Reason             string     `json:"reason"`                         // SETTLED, MATURED, ROLLED_OVER, REDEEMED_EARLY, REDEEMED_AFTER_MATURITY
	FenDays            int64      `json:"accumulation_fen_days,omitzero"` // 积数, of a demand account
	PrincipalFen       int64      `json:"principal_fen"`
	RateE6             int64      `json:"rate_e6"`
	From               Date       `json:"from"`
	To                 Date       `json:"to"` // the first day without interest
	InterestFen        int64      `json:"interest_fen"`
	OverdueInterestFen int64      `json:"overdue_interest_fen,omitzero"` // of the days after maturity
	OverdueRateE6      int64      `json:"overdue_rate_e6,omitzero"`
	TaxFen             int64      `json:"tax_fen"`
	PaidFen            int64      `json:"paid_fen"` // principal and interest, less tax; what was rolled over included
}

// The reasons for which interest is paid.
const (
	InterestSettled       = "SETTLED" // 活期结息
	InterestRolledOver    = "ROLLED_OVER"
	InterestMatured       = "MATURED"
	InterestEarly         = "REDEEMED_EARLY"
	InterestAfterMaturity = "REDEEMED_AFTER_MATURITY"
)

// Fold takes an event of the transaction, on its accounting date, into the slip.
func (v *SlipView) Fold(e Event, c *Customer, on Date, at string) {
	v.AccountingDate, v.Time, v.Holder = on, at, c.Person.NameMasked
	switch m := e.(type) {
	case *DepositMatured:
		v.pay(&m.DepositPaid, InterestMatured, c, on)
	case *DepositRedeemedEarly:
		v.pay(&m.DepositPaid, InterestEarly, c, on)
	case *DepositRedeemedAfterMaturity:
		v.pay(&m.DepositPaid, InterestAfterMaturity, c, on)
	case *DepositDeducted:
		v.deducted(m, c, on)
	case *DemandInterestPaid:
		v.TransferID, v.Interest = m.TxnID, &InterestView{
			AccountNo: m.AccountNo, Product: m.Product, Reason: InterestSettled, FenDays: m.FenDays, RateE6: m.RateE6, From: m.PeriodStart,
			To: m.PeriodEnd.AddDays(1), InterestFen: m.InterestFen, TaxFen: m.TaxFen, PaidFen: m.InterestFen - m.TaxFen,
		}
	case *DepositRolledOver:
		v.pay(&DepositPaid{
			TxnID: m.TxnID, DepositNo: m.DepositNo, AccountNo: m.AccountNo, Product: m.Product, PrincipalFen: m.PrincipalFen,
			InterestFen: m.InterestFen, TaxFen: m.TaxFen,
		}, InterestRolledOver, c, on)
	default:
		t := TransferView{}
		if v.Transfer != nil {
			t = *v.Transfer
		}
		if t.Fold(e, at); t.Kind != "" {
			v.TransferID, v.Transfer = t.TransferID, &t
		}
	}
}

func (v *SlipView) pay(m *DepositPaid, reason string, c *Customer, on Date) {
	out := &InterestView{
		AccountNo: m.AccountNo, DepositID: m.DepositNo, Product: m.Product, Reason: reason, PrincipalFen: m.PrincipalFen, To: on,
		InterestFen: m.InterestFen, OverdueInterestFen: m.OverdueInterestFen, TaxFen: m.TaxFen,
		PaidFen: m.PrincipalFen + m.InterestFen + m.OverdueInterestFen - m.TaxFen,
	}
	if t := c.deposit(m.DepositNo); t != nil {
		out.From, out.RateE6 = t.OpenDate, t.RateE6
		if reason != InterestEarly {
			out.To = t.MaturityDate
		}
	}
	switch reason {
	case InterestEarly:
		out.RateE6 = m.DemandRateE6
	case InterestAfterMaturity:
		out.OverdueRateE6 = m.DemandRateE6
	}
	v.TransferID, v.Interest = m.TxnID, out
}

// deducted is pay for what a court's deduction has left of a payment to the owner: the interest.
func (v *SlipView) deducted(m *DepositDeducted, c *Customer, on Date) {
	reason := InterestEarly
	if t := c.deposit(m.DepositNo); t != nil && on >= t.MaturityDate {
		reason = InterestMatured
		if on > t.MaturityDate {
			reason = InterestAfterMaturity
		}
	}
	v.pay(&m.DepositPaid, reason, c, on)
	v.Interest.PaidFen = m.interestPaidFen()
}

// CertificateView (电子存单) is a deposit as its holder can show it.
type CertificateView struct {
	DepositView
	Holder      string `json:"holder"`    // masked
	IDNumber    string `json:"id_number"` // masked
	ProductName string `json:"product_name"`
	TermMonths  int    `json:"term_months"`
}
