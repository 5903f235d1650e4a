package papers

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/bank"
)

// keys are no secret: a digest that shows what it is over, and a cover that can be seen through.
type keys struct{}

func (keys) Token(kind, value string) string {
	return fmt.Sprintf("%032x", digest(kind, value))[:32]
}

func (keys) Cover(b [16]byte) [16]byte {
	for i := range b {
		b[i] ^= 0xA5
	}
	return b
}

func (k keys) Uncover(b [16]byte) [16]byte { return k.Cover(b) }

var (
	account = bank.NewAccountNo(2, 17, 0)
	made    = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
)

// statementOf makes a statement of entries, in order.
func statementOf(opening int64, entries []bank.StatementEntry) *Statement {
	q := bank.StatementQuery{Account: account, From: 20261101, To: 20261124}
	totals := bank.StatementTotals{}
	totals.Add(&q, 20261031, opening, 1)
	for i := range entries {
		totals.Add(&q, entries[i].AccountingDate, entries[i].SignedFen(), uint64(i+2))
	}
	q.Limit = totals.Entries()
	n := Number{Statement: q}
	return &Statement{
		Number: n.Text(keys{}), Account: account, Holder: "**明", Class: "II", Product: "CURRENT_2", From: q.From, To: q.To, Totals: totals, Made: made,
	}
}

// run writes a statement whole and returns its code.
func run(t interface {
	Helper()
	Fatal(...any)
}, st *Statement, form Form, entries []bank.StatementEntry) string {
	t.Helper()
	r, err := NewRun(st, form, keys{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		e := entries[i]
		if err := r.Entry(&e); err != nil {
			t.Fatal(err)
		}
	}
	code, err := r.Close()
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// some entries as a month may have them, n of them.
func some(n int) []bank.StatementEntry {
	entries := make([]bank.StatementEntry, n)
	for i := range entries {
		on := bank.Date(20261101).AddDays(i * 23 / n)
		e := bank.StatementEntry{
			TransferID: bank.NewTxnID(made.UnixMilli()+int64(i), 17, uint64(i+1)), Time: on.String() + "T09:08:07.5+08:00", AccountingDate: on,
			Code: 1121, SummaryZh: "行内转账", SummaryEn: "Internal transfer", Direction: bank.EntryCredit, AmountFen: int64(100_000 + i),
			Particulars: bank.Particulars{Counterparty: "999022*********1234", Remark: "房租"},
		}
		if i%3 == 2 {
			e.Direction, e.AmountFen, e.Code, e.SummaryZh = bank.EntryDebit, 12_345, 1112, "转出至他行"
			e.Particulars = bank.Particulars{Counterparty: "622202******0000", CounterpartyBank: "中国工商银行长春分行", Remark: "给𬭊先生䶮女士", ValueDate: on}
		}
		entries[i] = e
	}
	return entries
}

// text is what a program reads back from a PDF, spaces left out.
func text(t *testing.T, pdf []byte) string {
	t.Helper()
	tool, err := exec.LookPath("pdftotext")
	if err != nil {
		t.Fatal("pdftotext is missing: run make tools")
	}
	path := filepath.Join(t.TempDir(), "paper.pdf")
	if err := os.WriteFile(path, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "-layout", path, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(out)), "")
}

func contains(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(text, strings.Join(strings.Fields(want), "")) {
			t.Errorf("%q is not in %.2000s", want, text)
		}
	}
}

func TestWhatIsPrintedIsWhatTheStatementSays(t *testing.T) {
	entries := some(120)
	st := statementOf(5_000_000, entries)
	var pdf bytes.Buffer
	code := run(t, st, NewPrinted(&pdf), entries)
	if dir := os.Getenv("SUANPAN_PAPERS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "statement.pdf"), pdf.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := text(t, pdf.Bytes())
	contains(t, got, "个人账户对账单", Bank.Zh, st.Number, code, "999022*********", "**明", Yuan(st.Totals.OpeningFen), Yuan(st.Totals.ClosingFen),
		Yuan(st.Totals.CreditFen)+" (80 笔)", Yuan(st.Totals.DebitFen)+" (40 笔)", "给□先生䶮女士", "第1页共4页", "第4页共4页")
	balance := st.Totals.OpeningFen
	for i := range entries {
		balance += entries[i].SignedFen()
		contains(t, got, Yuan(entries[i].AmountFen)+Yuan(balance))
	}
	if strings.Contains(got, account.String()) {
		t.Error("the account's number is not masked")
	}
	var again bytes.Buffer
	if run(t, st, NewPrinted(&again), entries) != code || !bytes.Equal(pdf.Bytes(), again.Bytes()) {
		t.Error("the same statement printed twice differs")
	}
}

func TestATableOpensInSpreadsheetsAndHoldsNoFormula(t *testing.T) {
	entries := some(3)
	evil := []string{"=1+1", "+86", "-2", "@SUM(A1)", "=cmd|' /C calc'!A0", "\tx", `a "quoted", text`}
	for i, remark := range evil {
		e := entries[i%3]
		e.Remark = remark
		entries = append(entries, e)
	}
	st := statementOf(1, entries)
	var out bytes.Buffer
	code := run(t, st, NewTable(&out, true), entries)
	body, marked := strings.CutPrefix(out.String(), "\ufeff")
	if !marked {
		t.Error("no byte order mark")
	}
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+1+len(entries)+4 || rows[0][0] != "行类型" || rows[len(rows)-1][13] != code || rows[len(rows)-2][13] != st.Number {
		t.Fatalf("%d rows: %v … %v", len(rows), rows[0], rows[len(rows)-1])
	}
	for _, row := range rows[1:] {
		for column, cell := range row {
			number := column >= 10 && column <= 12
			if cell != "" && strings.ContainsAny(cell[:1], "=+@\t\r") || strings.HasPrefix(cell, "-") && !number {
				t.Errorf("column %s begins a formula: %q", rows[0][column], cell)
			}
		}
	}
	if got := rows[5][7]; got != "'=1+1" {
		t.Errorf("the remark is %q", got)
	}
	if got := rows[11][7]; got != evil[6] {
		t.Errorf("the remark is %q", got)
	}
}

func TestAStatementInJSONIsADocumentAsDescribed(t *testing.T) {
	entries := some(5)
	st := statementOf(-300, entries)
	var out bytes.Buffer
	code := run(t, st, NewListed(&out), entries)
	var d StatementDocument
	if err := json.Unmarshal(out.Bytes(), &d, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	if d.VerificationCode != code || d.Number != st.Number || d.OpeningFen != -300 || d.ClosingFen != st.Totals.ClosingFen ||
		len(d.Entries) != 5 || d.Entries[4].BalanceAfterFen != d.ClosingFen || d.Holder != st.Holder || d.MadeAt == "" {
		t.Errorf("%+v", d)
	}
}

func TestAnEmptyStatementClosesWithItsOpeningBalance(t *testing.T) {
	st := statementOf(777, nil)
	for _, form := range []Form{NewPrinted(io.Discard), NewTable(io.Discard, false), NewListed(io.Discard), Unprinted{}} {
		run(t, st, form, nil)
	}
	if st.Totals.ClosingFen != 777 {
		t.Error(st.Totals)
	}
}

func TestAStatementThatDoesNotAddUpIsNotGivenOut(t *testing.T) {
	entries := some(4)
	for name, change := range map[string]func(*Statement) []bank.StatementEntry{
		"an entry is missing": func(*Statement) []bank.StatementEntry { return entries[1:] },
		"an entry too many":   func(*Statement) []bank.StatementEntry { return append(slices.Clone(entries), entries[0]) },
		"another closing balance": func(st *Statement) []bank.StatementEntry {
			st.Totals.ClosingFen++
			return entries
		},
	} {
		st := statementOf(1000, entries)
		given := change(st)
		r, err := NewRun(st, Unprinted{}, keys{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range given {
			if err := r.Entry(&given[i]); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Close(); err == nil {
			t.Errorf("%s: given out all the same", name)
		}
	}
}

// A paper that somebody changed must not be confirmed: every figure and word of an entry is under the code.
func TestTheCodeCoversEverythingAStatementSays(t *testing.T) {
	entries := some(6)
	st := statementOf(1000, entries)
	code := run(t, st, Unprinted{}, entries)
	for name, change := range map[string]func(*bank.StatementEntry){
		"remark":       func(e *bank.StatementEntry) { e.Remark += "." },
		"counterparty": func(e *bank.StatementEntry) { e.Counterparty = "999022*********9999" },
		"their bank":   func(e *bank.StatementEntry) { e.CounterpartyBank = "别的银行" },
		"date":         func(e *bank.StatementEntry) { e.AccountingDate++ },
		"value date":   func(e *bank.StatementEntry) { e.ValueDate = 20261001 },
		"time":         func(e *bank.StatementEntry) { e.Time = "2026-11-01T09:08:08+08:00" },
		"kind":         func(e *bank.StatementEntry) { e.Code++ },
		"transfer":     func(e *bank.StatementEntry) { e.TransferID.Lo++ },
	} {
		changed := slices.Clone(entries)
		change(&changed[3])
		if run(t, st, Unprinted{}, changed) == code {
			t.Errorf("another %s has the same code", name)
		}
	}
	other := *st
	other.Totals.OpeningFen++
	other.Totals.ClosingFen++
	if run(t, &other, Unprinted{}, entries) == code {
		t.Error("another opening balance has the same code")
	}
}

func TestOpeningAndEntriesMakeTheClosingBalanceOfAnyPeriods(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const first, last = bank.Date(20240225), bank.Date(20240305)
		history := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) bank.StatementEntry {
			return bank.StatementEntry{
				AccountingDate: first.AddDays(rapid.IntRange(0, bank.Days(first, last)).Draw(t, "day")),
				Direction:      rapid.SampledFrom([]string{bank.EntryCredit, bank.EntryDebit}).Draw(t, "direction"),
				AmountFen:      rapid.Int64Range(1, bank.AmountMaxFen).Draw(t, "fen"),
			}
		}), 0, 40).Draw(t, "history")
		var balance int64
		// Periods that follow each other: each begins with what the one before it ended with.
		for from := first; from <= last; {
			to := min(last, from.AddDays(rapid.IntRange(0, 3).Draw(t, "length")))
			q := bank.StatementQuery{Account: account, From: from, To: to}
			var totals bank.StatementTotals
			var entries []bank.StatementEntry
			for i := range history {
				totals.Add(&q, history[i].AccountingDate, history[i].SignedFen(), uint64(i+1))
				if q.Selects(history[i].AccountingDate) {
					entries = append(entries, history[i])
				}
			}
			if totals.OpeningFen != balance {
				t.Fatalf("%s opens with %d, the period before closed with %d", from, totals.OpeningFen, balance)
			}
			st := &Statement{Number: "S-", Account: account, From: from, To: to, Totals: totals, Made: made}
			run(t, st, Unprinted{}, entries)
			balance = totals.ClosingFen
			from = to.AddDays(1)
		}
		var sum int64
		for i := range history {
			sum += history[i].SignedFen()
		}
		if sum != balance {
			t.Fatalf("the last statement closes with %d, all entries make %d", balance, sum)
		}
	})
}

func TestNumbersLeadBackToTheirPapers(t *testing.T) {
	for _, n := range []Number{
		{Statement: bank.StatementQuery{Account: account, From: 20240229, To: 20261124, Limit: 123_456_789}},
		{Statement: bank.StatementQuery{Account: bank.NewAccountNo(3, 999_999_999, 9), From: 19700101, To: 21490606}},
		{Slip: bank.NewTxnID(1_764_000_000_000, 17, 3)},
		{Deposit: bank.NewContractNo(bank.DepositContract, 17, 5)},
	} {
		text := n.Text(keys{})
		if strings.Contains(text, "999022") {
			t.Errorf("%s shows the account", text)
		}
		back, err := ParseNumber(text, keys{})
		if err != nil || back != n {
			t.Errorf("%s is %+v, %v", text, back, err)
		}
	}
	for _, text := range []string{"", "S-", "R-", "C-1", "X-0", "S-" + strings.Repeat("0", 26), "S-" + strings.Repeat("Z", 25), "S-" + strings.Repeat("U", 26), "超-长"} {
		if n, err := ParseNumber(text, keys{}); err == nil {
			t.Errorf("%q is %+v", text, n)
		}
	}
}

func TestSlipsAndCertificatesSayWhatTheBankKnows(t *testing.T) {
	txn := bank.NewTxnID(made.UnixMilli(), 17, 9)
	deposit := bank.NewContractNo(bank.DepositContract, 17, 1)
	moved := bank.SlipView{
		TransferID: txn, AccountingDate: 20261124, Time: "2026-11-24T18:00:00+08:00", Holder: "**明",
		Transfer: &bank.TransferView{
			TransferID: txn, Kind: "internal", Status: bank.TransferSucceeded, AmountFen: 1_409_50, FromAccount: account.String(),
			ToAccount: bank.NewAccountNo(2, 18, 0).String(), Summary: "还款",
		},
	}
	interest := bank.SlipView{
		TransferID: txn, AccountingDate: 20260719, Time: "2026-07-19T18:00:00+08:00", Holder: "**明",
		Interest: &bank.InterestView{
			AccountNo: account, DepositID: deposit, Product: "SLC1Y", ProductName: "岁利存(一年)", Reason: bank.InterestEarly, PrincipalFen: 3_000_000,
			RateE6: 2000, From: 20260110, To: 20260719, InterestFen: 3167, PaidFen: 3_003_167,
		},
	}
	for name, c := range map[string]struct {
		view bank.SlipView
		want []string
	}{
		"transfer": {moved, []string{"电子回单", "行内转账", "1,409.50", "人民币壹仟肆佰零玖元伍角", "还款", "2026-11-24", txn.String(), bank.MaskCard(account.String())}},
		"interest": {interest, []string{
			"利息回单", "岁利存(一年)", "提前支取", "30,000.00", "0.20%", "31.67", "30,031.67", "2026-01-10至to2026-07-19", deposit.String(), "人民币叁万零叁拾壹元陆角柒分",
		}},
	} {
		slip, ok := NewSlip(c.view, keys{})
		if !ok {
			t.Fatal(name)
		}
		contains(t, printed(t, name, slip), append(c.want, slip.Number, slip.Code, "**明", "非印章")...)
	}
	changed := interest
	more := *interest.Interest
	more.InterestFen++
	changed.Interest = &more
	before, _ := NewSlip(interest, keys{})
	if after, _ := NewSlip(changed, keys{}); after.Code == before.Code {
		t.Error("a slip of more interest has the same code")
	}
	pending := moved
	waiting := *moved.Transfer
	waiting.Status = bank.TransferPending
	pending.Transfer = &waiting
	if _, ok := NewSlip(pending, keys{}); ok {
		t.Error("a transfer that has not happened has a slip")
	}

	view := bank.CertificateView{
		DepositView: bank.DepositView{
			DepositID: deposit, AccountNo: account, Product: "SFC3Y", PrincipalFen: 20_000_000, OpenedFen: 30_000_050, RateE6: 26000,
			OpenDate: 20250808, MaturityDate: 20280808, MaturityInterestFen: 1_560_000, Rollover: bank.RolloverPrincipal, CertificateNo: "CD0001",
		},
		Holder: "**明", IDNumber: "2****************1", ProductName: "岁丰存(三年)", TermMonths: 36,
	}
	c, ok := NewCertificate(view, keys{})
	if !ok {
		t.Fatal("no certificate")
	}
	contains(t, printed(t, "certificate", c), "电子存单", "岁丰存(三年)", "200,000.00", "300,000.50", "人民币贰拾万元整", "2.60%", "36个月", "2025-08-08", "2028-08-08",
		"15,600.00", "本金转存", "CD0001", "存款保险", c.Number, c.Code, "2****************1")
	view.PrincipalFen = 0
	if _, ok := NewCertificate(view, keys{}); ok {
		t.Error("a deposit that is paid out has a certificate")
	}
}

// printed prints a paper and reads it back.
func printed(t *testing.T, name string, paper interface {
	WritePDF(w io.Writer, made time.Time) error
}) string {
	t.Helper()
	var pdf bytes.Buffer
	if err := paper.WritePDF(&pdf, made); err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("SUANPAN_PAPERS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".pdf"), pdf.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return text(t, pdf.Bytes())
}

func TestTheFontHasTheCharactersOfGBKNames(t *testing.T) {
	has := glyphs(t)
	for _, r := range "0123456789,.-¥￥%*ABCabc、。《》()—·〇①Ⅲ□" {
		if !has(r) {
			t.Errorf("%c is not in the font", r)
		}
	}
	for r := rune(0x4E00); r <= 0x9FA5; r++ {
		if !has(r) {
			t.Errorf("%c is not in the font", r)
		}
	}
	if has(0xE000) {
		t.Error("the font has a character of private use: the test sees nothing")
	}
}

// glyphs reads the font's table of characters (cmap, format 4 of the OpenType specification).
func glyphs(t *testing.T) func(rune) bool {
	t.Helper()
	u16 := func(at int) int { return int(binary.BigEndian.Uint16(font[at:])) }
	u32 := func(at int) int { return int(binary.BigEndian.Uint32(font[at:])) }
	cmap := 0
	for i := range u16(4) {
		if at := 12 + 16*i; string(font[at:at+4]) == "cmap" {
			cmap = u32(at + 8)
		}
	}
	for i := range u16(cmap + 2) {
		table := cmap + u32(cmap+4+8*i+4)
		if u16(table) != 4 {
			continue
		}
		twice := u16(table + 6)
		return func(r rune) bool {
			for s := 0; s < twice; s += 2 {
				end, start := u16(table+14+s), u16(table+16+twice+s)
				if int(r) > end || int(r) < start {
					continue
				}
				delta, at := u16(table+16+2*twice+s), table+16+3*twice+s
				if offset := u16(at); offset != 0 {
					return u16(at+offset+2*(int(r)-start)) != 0
				}
				return (int(r)+delta)&0xFFFF != 0
			}
			return false
		}
	}
	t.Fatal("the font has no such table")
	return nil
}
