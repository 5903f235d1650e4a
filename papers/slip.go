package papers

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
)

// Slip (电子回单) is a transaction as a paper.
type Slip struct {
	Number string `json:"number"`
	Code   string `json:"verification_code"`
	bank.SlipView
}

// NewSlip numbers a slip and makes its code. Only what has happened can be had on paper: false for a transfer
// that is pending or has failed, and for what is neither a transfer nor interest.
func NewSlip(v bank.SlipView, keys Keys) (*Slip, bool) {
	n := Number{Slip: v.TransferID}
	s := &Slip{Number: n.Text(keys), SlipView: v}
	lines := []string{s.Number, v.AccountingDate.String(), v.Time}
	switch t, i := v.Transfer, v.Interest; {
	case i != nil:
		lines = append(lines, i.AccountNo.String(), contract(i.DepositID), i.Product, i.Reason,
			fmt.Sprint(i.FenDays, i.PrincipalFen, i.RateE6, i.From, i.To, i.InterestFen, i.OverdueInterestFen, i.OverdueRateE6, i.TaxFen, i.PaidFen))
	case t != nil && t.Status == bank.TransferSucceeded:
		lines = append(lines, t.Kind, t.FromAccount, t.ToAccount, fmt.Sprint(t.AmountFen, t.FeeFen), t.ChannelSerial, t.Summary)
	default:
		return nil, false
	}
	s.Code = mark(keys, digest(lines...))
	return s, true
}

// WritePDF prints the slip.
func (s *Slip) WritePDF(w io.Writer, made time.Time) error {
	if s.Interest != nil {
		return s.writeInterest(w, made)
	}
	t := s.Transfer
	page := newSheet("电子回单", "Transaction slip", s.Number, made)
	page.fields([]field{
		{"户名", "Holder", s.Holder},
		{"交易种类", "Kind", kinds[t.Kind]},
		{"付款账号", "From", maskAccount(t.FromAccount)},
		{"收款账号", "To", maskAccount(t.ToAccount)},
		{"金额(小写)", "Amount", "CNY " + Yuan(t.AmountFen)},
		{"手续费", "Fee", Yuan(t.FeeFen)},
	})
	page.fields([]field{{"金额(大写)", "Amount in words", Capital(t.AmountFen)}})
	page.fields([]field{
		{"记账日", "Accounting date", s.AccountingDate.String()},
		{"交易时间", "Time", s.Time},
		{"交易流水号", "Transaction", t.TransferID.String()},
		{"渠道流水号", "Channel's serial", t.ChannelSerial},
	})
	page.fields([]field{{"附言", "Remark", t.Summary}})
	page.proof("电子回单", s.Code)
	return page.write(w)
}

func (s *Slip) writeInterest(w io.Writer, made time.Time) error {
	i := s.Interest
	page := newSheet("利息回单", "Interest slip", s.Number, made)
	of := []field{{"存单号", "Deposit", contract(i.DepositID)}, {"本金", "Principal", Yuan(i.PrincipalFen)}}
	if i.DepositID == 0 {
		of = []field{{"存单号", "Deposit", "活期 Demand"}, {"积数(元·天)", "Accumulation, yuan-days", Yuan(i.FenDays)}}
	}
	all := []field{
		{"户名", "Holder", s.Holder},
		{"账号", "Account", maskAccount(i.AccountNo.String())},
		{"产品", "Product", i.ProductName + " " + i.Product},
		{"计息种类", "Reason", reasons[i.Reason]},
		of[0], of[1],
		{"年利率", "Annual rate", Rate(i.RateE6)},
		{"计息期间(算头不算尾)", "Period, last day excluded", i.From.String() + " 至 to " + i.To.String()},
		{"利息", "Interest", "CNY " + Yuan(i.InterestFen)},
		{"代扣利息税", "Tax withheld", Yuan(i.TaxFen)},
	}
	if i.OverdueInterestFen > 0 || i.Reason == bank.InterestAfterMaturity {
		all = append(all, field{"逾期利息", "Interest after maturity", Yuan(i.OverdueInterestFen)}, field{"逾期年利率", "Rate after maturity", Rate(i.OverdueRateE6)})
	}
	page.fields(all)
	page.fields([]field{{"本息合计(大写)", "Paid, in words", Capital(i.PaidFen)}})
	page.fields([]field{
		{"本息合计", "Paid", "CNY " + Yuan(i.PaidFen)},
		{"记账日", "Accounting date", s.AccountingDate.String()},
		{"交易流水号", "Transaction", s.TransferID.String()},
		{"交易时间", "Time", s.Time},
	})
	page.proof("利息回单", s.Code)
	return page.write(w)
}

var kinds = map[string]string{
	"in_bound": "绑定卡转入 In from bound card",
	"out":      "转出 Out",
	"internal": "行内转账 Internal transfer",
	"inbound":  "他行来账 In from another bank",
}

var reasons = map[string]string{
	bank.InterestSettled:       "活期结息 Quarterly settlement",
	bank.InterestRolledOver:    "到期转存 Rolled over",
	bank.InterestMatured:       "到期兑付 At maturity",
	bank.InterestEarly:         "提前支取 Early redemption",
	bank.InterestAfterMaturity: "逾期支取 After maturity",
}

// maskAccount masks an account number unless it is masked already.
func maskAccount(no string) string {
	if strings.Contains(no, "*") {
		return no
	}
	return bank.MaskCard(no)
}

func contract(no bank.ContractNo) string {
	if no == 0 {
		return ""
	}
	return no.String()
}
