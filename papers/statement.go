package papers

import (
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/suanpan-bank/suanpan/bank"
)

// Statement (对账单) is what a statement says before its entries. From, To and Totals are of the entries that
// will be written.
type Statement struct {
	Number  string // of Number.Text
	Account bank.AccountNo
	Holder  string // masked
	Class   string
	Product string
	From    bank.Date
	To      bank.Date
	Totals  bank.StatementTotals
	Made    time.Time
}

// Form writes a statement in some format, part by part, so that its length does not matter.
type Form interface {
	Head(st *Statement) error
	Entry(no int, e *bank.StatementEntry) error
	// Foot ends it with the code over everything before.
	Foot(st *Statement, code string) error
}

// Run is a statement being written: it keeps the balance, adds up and makes the code.
type Run struct {
	st      *Statement
	form    Form
	keys    Keys
	content hash.Hash
	balance int64
	entries int
}

// NewRun writes the head.
func NewRun(st *Statement, form Form, keys Keys) (*Run, error) {
	r := &Run{st: st, form: form, keys: keys, content: sm3.New(), balance: st.Totals.OpeningFen}
	t := &st.Totals
	fmt.Fprintf(r.content, "%s\n%s\n%s\n%s\n%d %d %d %d\n", st.Number, st.Account, st.From, st.To,
		t.OpeningFen, t.CreditFen, t.DebitFen, t.ClosingFen)
	return r, form.Head(st)
}

// Entry writes the next entry. Its balance becomes the statement's own: the opening balance and all entries
// down to it. For entries booked in the order of their accounting dates that is the ledger's.
func (r *Run) Entry(e *bank.StatementEntry) error {
	r.balance += e.SignedFen()
	r.entries++
	e.BalanceAfterFen = r.balance
	if e.ValueDate == 0 {
		e.ValueDate = e.AccountingDate
	}
	fmt.Fprintf(r.content, "%s %s %s %s %d %s %d %d %q %q %q\n", e.TransferID, e.Time, e.AccountingDate, e.ValueDate,
		e.Code, e.Direction, e.AmountFen, e.BalanceAfterFen, e.Counterparty, e.CounterpartyBank, e.Remark)
	return r.form.Entry(r.entries, e)
}

// Close writes the foot and returns the code. A statement whose entries are not those of its totals is an
// error: it must not be given out.
func (r *Run) Close() (code string, err error) {
	t := &r.st.Totals
	if r.entries != t.Entries() || r.balance != t.ClosingFen || t.OpeningFen+t.CreditFen-t.DebitFen != t.ClosingFen {
		return "", fmt.Errorf("papers: statement of %s does not add up: %d entries to a balance of %d fen, totals say %d and %d",
			bank.MaskCard(r.st.Account.String()), r.entries, r.balance, t.Entries(), t.ClosingFen)
	}
	code = mark(r.keys, r.content.Sum(nil))
	return code, r.form.Foot(r.st, code)
}

// Unprinted is a statement of which only the code is wanted.
type Unprinted struct{}

// Head writes nothing.
func (Unprinted) Head(*Statement) error { return nil }

// Entry writes nothing.
func (Unprinted) Entry(int, *bank.StatementEntry) error { return nil }

// Foot writes nothing.
func (Unprinted) Foot(*Statement, string) error { return nil }

// column of a printed statement.
type column struct {
	zh, en string
	width  float64
	align  string
}

// counterpartyColumn has the counterparty's bank below the counterparty.
const counterpartyColumn = 5

var columns = [...]column{
	{"序号", "No.", 11, "R"},
	{"记账日", "Booked", 17, "L"},
	{"起息日", "Value", 17, "L"},
	{"时间", "Time", 14, "L"},
	{"摘要 附言", "Summary, remark", 37, "L"},
	{"对方账户 行名", "Counterparty, bank", 33, "L"},
	{"支出", "Debit", 20, "R"},
	{"收入", "Credit", 20, "R"},
	{"余额", "Balance", 21, "R"},
}

// Printed is a statement as a PDF. The library keeps all pages until the end: about 2.5 KB an entry, which
// whoever makes statements must bound.
type Printed struct {
	w     io.Writer
	sheet *sheet
}

// NewPrinted makes a form that writes the PDF to w at the end.
func NewPrinted(w io.Writer) *Printed { return &Printed{w: w} }

// Head begins the first page.
func (f *Printed) Head(st *Statement) error {
	f.sheet = newSheet("个人账户对账单", "Statement of account", st.Number, st.Made)
	t := &st.Totals
	f.sheet.fields([]field{
		{"户名", "Holder", st.Holder},
		{"账号", "Account", bank.MaskCard(st.Account.String())},
		{"账户类别", "Class, product", st.Class + "类 " + st.Product},
		{"币种", "Currency", "人民币 CNY"},
		{"起止日期", "Period", st.From.String() + " 至 to " + st.To.String()},
		{"期初余额", "Opening balance", Yuan(t.OpeningFen)},
		{"收入合计", "Credits", fmt.Sprintf("%s (%d 笔)", Yuan(t.CreditFen), t.Credits)},
		{"支出合计", "Debits", fmt.Sprintf("%s (%d 笔)", Yuan(t.DebitFen), t.Debits)},
		{"期末余额", "Closing balance", Yuan(t.ClosingFen)},
		{"明细笔数", "Entries", strconv.Itoa(t.Entries())},
	})
	f.sheet.pdf.SetY(f.sheet.pdf.GetY() + 3)
	f.heading()
	return nil
}

// heading sets the names of the columns.
func (f *Printed) heading() {
	p := f.sheet.pdf
	y, x := p.GetY(), pageLeft
	p.SetFillColor(235, 235, 235)
	p.Rect(pageLeft, y, pageWidth, 7.5, "F")
	for _, c := range columns {
		f.sheet.cell(x+0.5, y+0.6, c.width-1, sizeSmall, c.align, c.zh)
		f.sheet.cell(x+0.5, y+4.2, c.width-1, sizeFine, c.align, c.en)
		x += c.width
	}
	p.SetY(y + 8)
}

// Entry sets a row, as high as it needs.
func (f *Printed) Entry(no int, e *bank.StatementEntry) error {
	s := f.sheet
	debit, credit := "", Yuan(e.AmountFen)
	if e.Direction == bank.EntryDebit {
		debit, credit = credit, ""
	}
	texts := [...]string{
		strconv.Itoa(no), e.AccountingDate.String(), e.ValueDate.String(), clock(e.Time), e.SummaryZh + " " + e.Remark,
		e.Counterparty, debit, credit, Yuan(e.BalanceAfterFen),
	}
	var cells [len(texts)][]string
	rows := 1
	for i, c := range columns {
		cells[i] = s.wrap(texts[i], c.width-1, sizeSmall)
		if i == counterpartyColumn {
			cells[i] = append(cells[i], s.wrap(e.CounterpartyBank, c.width-1, sizeSmall)...)
		}
		rows = max(rows, len(cells[i]))
	}
	height := float64(rows)*lineHeight + 1.2
	if s.pdf.GetY()+height > pageBottom {
		s.pdf.AddPage()
		f.heading()
	}
	y, x := s.pdf.GetY(), pageLeft
	for i, c := range columns {
		for k, line := range cells[i] {
			s.cell(x+0.5, y+0.6+float64(k)*lineHeight, c.width-1, sizeSmall, c.align, line)
		}
		x += c.width
	}
	s.pdf.SetLineWidth(0.05)
	s.pdf.Line(pageLeft, y+height, pageLeft+pageWidth, y+height)
	s.pdf.SetY(y + height)
	return s.pdf.Error()
}

// Foot ends the last page.
func (f *Printed) Foot(_ *Statement, code string) error {
	f.sheet.proof("电子对账单", code)
	return f.sheet.write(f.w)
}

// clock is the time of day in an RFC 3339 time.
func clock(at string) string {
	const from, to = len("2006-01-02T"), len("2006-01-02T15:04:05")
	if len(at) < to {
		return at
	}
	return at[from:to]
}
