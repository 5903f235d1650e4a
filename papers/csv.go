package papers

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/suanpan-bank/suanpan/bank"
)

// Table is a statement as comma-separated values (RFC 4180) in UTF-8, with a byte order mark so that
// spreadsheets see that it is. Its columns are those of TableColumns; amounts are yuan with two decimals.
type Table struct {
	rows *csv.Writer
	w    io.Writer
	zh   bool
	row  [len(TableColumns)]string
}

// TableColumns are the columns of a Table, by their names in English and Chinese. The first says what a row
// is : the opening balance, an entry, the sums, the closing balance or the code. Numbers are not
// written as formulas, and no text can become one: what begins like a formula is preceded by an apostrophe.
var TableColumns = [...][2]string{
	{"row", "行类型"}, {"no", "序号"}, {"accounting_date", "记账日"}, {"value_date", "起息日"}, {"time", "交易时间"},
	{"code", "交易代码"}, {"summary", "摘要"}, {"remark", "附言"}, {"counterparty", "对方账户"}, {"counterparty_bank", "对方行名"},
	{"debit_yuan", "支出(元)"}, {"credit_yuan", "收入(元)"}, {"balance_yuan", "余额(元)"}, {"transfer_id", "交易流水号"},
}

// The kinds of rows, English and Chinese.
var (
	rowOpening = [2]string{"opening", "期初余额"}
	rowEntry   = [2]string{"entry", "明细"}
	rowTotal   = [2]string{"total", "合计"}
	rowClosing = [2]string{"closing", "期末余额"}
	rowNumber  = [2]string{"number", "编号"}
	rowCode    = [2]string{"verification_code", "验证码"}
)

// NewTable makes a form that writes to w, in Chinese or English.
func NewTable(w io.Writer, zh bool) *Table {
	return &Table{rows: csv.NewWriter(w), w: w, zh: zh}
}

func (f *Table) in(words [2]string) string {
	if f.zh {
		return words[1]
	}
	return words[0]
}

// Head writes the names of the columns and the opening balance.
func (f *Table) Head(st *Statement) error {
	if _, err := io.WriteString(f.w, "\ufeff"); err != nil {
		return err
	}
	for i, names := range TableColumns {
		f.row[i] = f.in(names)
	}
	if err := f.write(); err != nil {
		return err
	}
	f.row[0], f.row[2], f.row[12] = f.in(rowOpening), st.From.String(), PlainYuan(st.Totals.OpeningFen)
	return f.write()
}

// Entry writes a row.
func (f *Table) Entry(no int, e *bank.StatementEntry) error {
	summary, debit, credit := e.SummaryEn, "", PlainYuan(e.AmountFen)
	if f.zh {
		summary = e.SummaryZh
	}
	if e.Direction == bank.EntryDebit {
		debit, credit = credit, ""
	}
	f.row = [...]string{
		f.in(rowEntry), strconv.Itoa(no), e.AccountingDate.String(), e.ValueDate.String(), e.Time, strconv.Itoa(int(e.Code)),
		plain(summary), plain(e.Remark), plain(e.Counterparty), plain(e.CounterpartyBank), debit, credit,
		PlainYuan(e.BalanceAfterFen), e.TransferID.String(),
	}
	return f.write()
}

// Foot writes the sums, the closing balance, the number and the code.
func (f *Table) Foot(st *Statement, code string) error {
	t := &st.Totals
	f.row[0], f.row[1], f.row[10], f.row[11] = f.in(rowTotal), strconv.Itoa(t.Entries()), PlainYuan(t.DebitFen), PlainYuan(t.CreditFen)
	if err := f.write(); err != nil {
		return err
	}
	f.row[0], f.row[2], f.row[12] = f.in(rowClosing), st.To.String(), PlainYuan(t.ClosingFen)
	if err := f.write(); err != nil {
		return err
	}
	f.row[0], f.row[13] = f.in(rowNumber), st.Number
	if err := f.write(); err != nil {
		return err
	}
	f.row[0], f.row[13] = f.in(rowCode), code
	return f.write()
}

// write writes the row and empties it.
func (f *Table) write() error {
	err := f.rows.Write(f.row[:])
	f.rows.Flush()
	clear(f.row[:])
	if err != nil {
		return err
	}
	return f.rows.Error()
}

// plain is text that a spreadsheet does not take for a formula (CWE-1236); some read full-width signs alike.
func plain(s string) string {
	if first, _ := utf8.DecodeRuneInString(s); s != "" && strings.ContainsRune("=+-@\t\r\n=+-@", first) {
		return "'" + s
	}
	return s
}
