package papers

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
)

// Certificate (电子存单) is a term deposit as a paper. Its code is over the deposit as it was when the paper
// was made: once some of it is redeemed, the bank no longer confirms the paper.
type Certificate struct {
	Number string `json:"number"`
	Code   string `json:"verification_code"`
	bank.CertificateView
}

// NewCertificate numbers a certificate and makes its code. There is none of a deposit that is paid out: false.
func NewCertificate(v bank.CertificateView, keys Keys) (*Certificate, bool) {
	if v.PrincipalFen == 0 {
		return nil, false
	}
	n := Number{Deposit: v.DepositID}
	c := &Certificate{Number: n.Text(keys), CertificateView: v}
	c.Code = mark(keys, digest(c.Number, v.CertificateNo, v.AccountNo.String(), v.Product,
		fmt.Sprint(v.PrincipalFen, v.OpenedFen, v.RateE6, v.OpenDate, v.MaturityDate, v.MaturityInterestFen, v.TermMonths), string(v.Rollover)))
	return c, true
}

// WritePDF prints the certificate.
func (c *Certificate) WritePDF(w io.Writer, made time.Time) error {
	page := newSheet("电子存单", "Certificate of deposit", c.Number, made)
	page.fields([]field{
		{"户名", "Holder", c.Holder},
		{"证件号码", "Document", c.IDNumber},
		{"存单号", "Certificate", c.CertificateNo},
		{"关联账户", "Account", maskAccount(c.AccountNo.String())},
		{"产品", "Product", c.ProductName + " " + c.Product},
		{"币种", "Currency", "人民币 CNY"},
		{"本金", "Principal", "CNY " + Yuan(c.PrincipalFen)},
		{"开户金额", "Amount at opening", Yuan(c.OpenedFen)},
	})
	page.fields([]field{{"本金(大写)", "Principal in words", Capital(c.PrincipalFen)}})
	page.fields([]field{
		{"存期", "Term", strconv.Itoa(c.TermMonths) + " 个月 months"},
		{"年利率", "Annual rate", Rate(c.RateE6)},
		{"起息日", "From", c.OpenDate.String()},
		{"到期日", "Matures", c.MaturityDate.String()},
		{"到期利息", "Interest at maturity", Yuan(c.MaturityInterestFen)},
		{"转存约定", "Rollover", rollovers[c.Rollover]},
	})
	page.fields([]field{{"说明", "Note", "可随时支取;提前支取部分按支取日挂牌活期利率计息。本存款依《存款保险条例》受存款保险保障," +
		"同一存款人本息合计最高偿付限额为人民币 50 万元。 What is redeemed early earns the demand rate of that day. " +
		"Insured under the Deposit Insurance Regulations up to CNY 500,000 per depositor."}})
	page.proof("电子存单", c.Code)
	return page.write(w)
}

var rollovers = map[bank.Rollover]string{
	"":                                "不转存 None",
	bank.RolloverNone:                 "不转存 None",
	bank.RolloverPrincipal:            "本金转存 Principal",
	bank.RolloverPrincipalAndInterest: "本息转存 Principal and interest",
}
