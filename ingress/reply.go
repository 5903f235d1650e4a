package ingress

import (
	"github.com/suanpan-bank/suanpan/bank"
)

// Every reply to an operation on money carries the balances after it.

type customerReply struct {
	CustomerID   bank.CustomerNo `json:"customer_id"`
	Name         string          `json:"name"`
	IDType       bank.IDKind     `json:"id_type"`
	IDNumber     string          `json:"id_number"`
	Mobile       string          `json:"mobile"`
	RegisteredOn bank.Date       `json:"registered_on"`
}

func registered(r *bank.Receipt) any {
	e, _ := find[*bank.CustomerRegistered](r)
	return customerReply{e.CustomerNo, e.Person.NameMasked, e.IDKind, e.Person.IDMasked, e.Person.MobileMasked, e.Registered}
}

type accountReply struct {
	AccountNo  bank.AccountNo  `json:"account_no"`
	CustomerID bank.CustomerNo `json:"customer_id"`
	Class      bank.Class      `json:"class"`
	Product    string          `json:"product"`
	State      string          `json:"state"`
	OpenedOn   bank.Date       `json:"opened_on"`
	Balances   []bank.Balance  `json:"balances"`
}

func accountOpened(r *bank.Receipt) any {
	if e, ok := find[*bank.AccountApplied](r); ok {
		return accountReply{e.AccountNo, e.CustomerNo, e.Class, e.Product, string(bank.AccountPendingOpen), e.AppliedOn, r.Balances}
	}
	e, _ := find[*bank.AccountOpened](r)
	return accountReply{e.AccountNo, e.CustomerNo, e.Class, e.Product, string(bank.AccountNormal), e.OpenedOn, r.Balances}
}

type transferReply struct {
	TransferID     bank.TxnID     `json:"transfer_id"`
	Kind           string         `json:"kind"`
	Status         string         `json:"status"`
	AmountFen      int64          `json:"amount_fen"`
	FeeFen         int64          `json:"fee_fen"`
	AccountingDate bank.Date      `json:"accounting_date"`
	Balances       []bank.Balance `json:"balances"`
}

func transferred(r *bank.Receipt) any { return transferReplyOf(r) }

func transferReplyOf(r *bank.Receipt) transferReply {
	if len(r.Events) == 1 {
		if m, ok := r.Events[0].(*bank.InternalTransferred); ok {
			return transferReply{m.TxnID, "internal", bank.TransferSucceeded, m.AmountFen, m.FeeFen, r.Date, r.Balances}
		}
	}
	var v bank.TransferView
	for _, e := range r.Events {
		v.Fold(e, "")
	}
	return transferReply{v.TransferID, v.Kind, v.Status, v.AmountFen, v.FeeFen, r.Date, r.Balances}
}

func channelSettled(r *bank.Receipt) any {
	out := transferReply{AccountingDate: r.Date, Balances: r.Balances}
	fill := func(kind, status string, m *bank.TransferSettled) {
		out.TransferID, out.Kind, out.Status, out.AmountFen, out.FeeFen = m.TxnID, kind, status, m.AmountFen, m.FeeFen
	}
	for _, e := range r.Events {
		switch m := e.(type) {
		case *bank.TransferInSucceeded:
			fill("in_bound", bank.TransferSucceeded, &m.TransferSettled)
		case *bank.TransferInFailed:
			fill("in_bound", bank.TransferFailed, &m.TransferSettled)
		case *bank.TransferOutSucceeded:
			fill("out", bank.TransferSucceeded, &m.TransferSettled)
		case *bank.TransferOutFailed:
			fill("out", bank.TransferFailed, &m.TransferSettled)
		}
	}
	return out
}

type depositReply struct {
	DepositID      bank.ContractNo `json:"deposit_id"`
	AccountNo      bank.AccountNo  `json:"account_no"`
	Product        string          `json:"product"`
	PrincipalFen   int64           `json:"principal_fen"`
	RateE6         int64           `json:"rate_e6"`
	TermMonths     int             `json:"term_months"`
	OpenDate       bank.Date       `json:"open_date"`
	MaturityDate   bank.Date       `json:"maturity_date"`
	Rollover       bank.Rollover   `json:"rollover"`
	CertificateNo  string          `json:"certificate_no"`
	TransferID     bank.TxnID      `json:"transfer_id"`
	AccountingDate bank.Date       `json:"accounting_date"`
	Balances       []bank.Balance  `json:"balances"`
}

func depositBought(r *bank.Receipt) any {
	e, _ := find[*bank.DepositOpened](r)
	return depositReply{
		e.DepositNo, e.AccountNo, e.Product, e.PrincipalFen, e.RateE6, e.TermMonths, e.OpenDate, e.MaturityDate, e.Rollover,
		e.CertificateNo, e.TxnID, r.Date, r.Balances,
	}
}

type redemptionReply struct {
	DepositID          bank.ContractNo `json:"deposit_id"`
	Kind               string          `json:"kind"` // MATURED, EARLY or AFTER_MATURITY
	PrincipalFen       int64           `json:"principal_fen"`
	InterestFen        int64           `json:"interest_fen"`
	OverdueInterestFen int64           `json:"overdue_interest_fen"`
	TaxFen             int64           `json:"tax_fen"`
	RemainingFen       int64           `json:"remaining_fen"`
	TransferID         bank.TxnID      `json:"transfer_id"`
	AccountingDate     bank.Date       `json:"accounting_date"`
	Balances           []bank.Balance  `json:"balances"`
}

func depositRedeemed(r *bank.Receipt) any {
	out := redemptionReply{AccountingDate: r.Date, Balances: r.Balances}
	fill := func(kind string, m *bank.DepositPaid) {
		out.DepositID, out.Kind, out.PrincipalFen, out.InterestFen = m.DepositNo, kind, m.PrincipalFen, m.InterestFen
		out.OverdueInterestFen, out.TaxFen, out.RemainingFen, out.TransferID = m.OverdueInterestFen, m.TaxFen, m.RemainingFen, m.TxnID
	}
	for _, e := range r.Events {
		switch m := e.(type) {
		case *bank.DepositMatured:
			fill("MATURED", &m.DepositPaid)
		case *bank.DepositRedeemedEarly:
			fill("EARLY", &m.DepositPaid)
		case *bank.DepositRedeemedAfterMaturity:
			fill("AFTER_MATURITY", &m.DepositPaid)
		}
	}
	return out
}

type applicationReply struct {
	ApplicationID bank.ContractNo `json:"application_id"`
	Result        string          `json:"result"` // APPROVED or REJECTED
	Reasons       []string        `json:"reasons"`
	LineID        string          `json:"line_id,omitzero"`
	LimitFen      int64           `json:"limit_fen,omitzero"`
	RateE6        int64           `json:"rate_e6,omitzero"`
	ValidUntil    string          `json:"valid_until,omitzero"`
	Revolving     bool            `json:"revolving,omitzero"`
}

func loanApplied(r *bank.Receipt) any {
	out := applicationReply{Reasons: []string{}}
	if e, ok := find[*bank.LoanApplied](r); ok {
		out.ApplicationID = e.ApplicationNo
	}
	if e, ok := find[*bank.RiskDecided](r); ok {
		out.Result = e.Result
		out.Reasons = append(out.Reasons, e.Reasons...)
	}
	if e, ok := find[*bank.CreditLineGranted](r); ok {
		out.LineID, out.LimitFen, out.RateE6 = e.LineNo.String(), e.LimitFen, e.RateE6
		out.ValidUntil, out.Revolving = e.ValidUntil.String(), e.Revolving
	}
	return out
}

type drawdownReply struct {
	LoanID         bank.ContractNo      `json:"loan_id"`
	LineID         bank.ContractNo      `json:"line_id"`
	AccountNo      bank.AccountNo       `json:"account_no"`
	Product        string               `json:"product"`
	PrincipalFen   int64                `json:"principal_fen"`
	RateE6         int64                `json:"rate_e6"`
	Method         bank.RepaymentMethod `json:"method"`
	DisbursedOn    bank.Date            `json:"disbursed_on"`
	MaturityDate   bank.Date            `json:"maturity_date"`
	Schedule       []bank.Instalment    `json:"schedule"`
	TransferID     bank.TxnID           `json:"transfer_id"`
	AccountingDate bank.Date            `json:"accounting_date"`
	Balances       []bank.Balance       `json:"balances"`
}

func loanDrawn(r *bank.Receipt) any {
	e, _ := find[*bank.LoanDisbursed](r)
	return drawdownReply{
		e.LoanNo, e.LineNo, e.AccountNo, e.Product, e.PrincipalFen, e.RateE6, e.Method, e.OpenDate, e.Maturity, e.Schedule,
		e.TxnID, r.Date, r.Balances,
	}
}

type repaymentReply struct {
	LoanID         string            `json:"loan_id"`
	PaidFen        int64             `json:"paid_fen"`
	PrincipalFen   int64             `json:"principal_fen"`
	InterestFen    int64             `json:"interest_fen"`
	FeeFen         int64             `json:"fee_fen"`
	RemainingFen   int64             `json:"remaining_principal_fen"`
	Settled        bool              `json:"settled"`
	Allocation     []bank.Allocation `json:"allocation"`
	NewSchedule    []bank.Instalment `json:"new_schedule,omitempty"`
	TransferID     bank.TxnID        `json:"transfer_id"`
	AccountingDate bank.Date         `json:"accounting_date"`
	Balances       []bank.Balance    `json:"balances"`
}

func loanRepaid(r *bank.Receipt) any {
	out := repaymentReply{TransferID: r.Txn, AccountingDate: r.Date, Balances: r.Balances, Allocation: []bank.Allocation{}}
	paid := func(no bank.ContractNo, principal, interest, fee int64) {
		out.LoanID = no.String()
		out.PrincipalFen += principal
		out.InterestFen += interest
		out.FeeFen += fee
		out.PaidFen += principal + interest + fee
	}
	for _, e := range r.Events {
		switch m := e.(type) {
		case *bank.RepaymentApplied:
			for _, a := range m.Allocation {
				paid(m.LoanNo, a.PrincipalFen, a.InterestFen, 0)
			}
			out.Allocation, out.RemainingFen = m.Allocation, m.RemainingFen
		case *bank.LoanPrepaid:
			paid(m.LoanNo, m.PrincipalFen, m.InterestFen, m.FeeFen)
			out.RemainingFen, out.NewSchedule = m.RemainingFen, m.NewSchedule
		case *bank.LoanSettled:
			paid(m.LoanNo, m.PrincipalFen, m.InterestFen, m.FeeFen)
			out.RemainingFen, out.Settled = 0, true
		}
	}
	return out
}

// find returns the receipt's first event of a type; the zero event if there is none.
func find[E bank.Event](r *bank.Receipt) (E, bool) {
	for _, e := range r.Events {
		if m, ok := e.(E); ok {
			return m, true
		}
	}
	var none E
	return none, false
}
