package ingress

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/papers"
)

// fetch gets a paper with an Accept header.
func (h *house) fetch(path, accept string) answer {
	h.Helper()
	req := h.request(http.MethodGet, path, "")
	req.Header.Set("Accept", accept)
	return h.send(req)
}

const (
	november = "?from=2026-11-01&to=2026-11-30"
	pdfType  = "application/pdf"
)

func (h *house) document(no string) (d papers.StatementDocument) {
	h.Helper()
	a := h.get("/v1/accounts/" + no + "/statements" + november)
	if a.status != 200 {
		h.Fatalf("statement: %d %s", a.status, a.raw)
	}
	if err := json.Unmarshal([]byte(a.raw), &d); err != nil {
		h.Fatal(err)
	}
	return d
}

func TestAStatementSaysTheSameInEveryFormat(t *testing.T) {
	h := openHouse(t, Limits{})
	account, other := h.account(1, 0), h.account(2, 0)
	h.must("/v1/transfers", fmt.Sprintf(
		`{"kind":"inbound","to_account":%q,"amount_fen":500000,"from_account":"6222020200001234567","from_name":"王五","from_bank":"ICBC","summary":"=1+1"}`, account))
	sent := h.must("/v1/transfers", fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":12345,"summary":"房租"}`, account, other))
	in := h.must("/v1/transfers", fmt.Sprintf(`{"kind":"in_bound","to_account":%q,"amount_fen":700}`, account))
	h.must("/v1/channel/results", fmt.Sprintf(`{"transfer_id":%q,"result":"SUCCESS"}`, in["transfer_id"]))
	failed := h.must("/v1/transfers", fmt.Sprintf(`{"kind":"out","from_account":%q,"to_bound_card":true,"amount_fen":1000}`, account))
	h.must("/v1/channel/results", fmt.Sprintf(`{"transfer_id":%q,"result":"FAILURE"}`, failed["transfer_id"]))
	deposit := h.must("/v1/deposits", fmt.Sprintf(`{"account_no":%q,"product":"JFC3M","amount_fen":100000}`, account))["deposit_id"].(string)

	d := h.document(account)
	type row struct {
		fen                  int64
		counterparty, remark string
	}
	want := []row{
		{500_000, "622202*********4567", "=1+1"}, {-12_345, bank.MaskCard(other), "房租"}, {700, "622848*********0018", ""}, {-100_000, deposit, ""},
	}
	var got []row
	for i := range d.Entries {
		e := &d.Entries[i]
		got = append(got, row{e.SignedFen(), e.Counterparty, e.Remark})
		if e.ValueDate != 20261124 {
			t.Errorf("value date of entry %d: %s", i, e.ValueDate)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("entries: %v, want %v", got, want)
	}
	if d.OpeningFen != 0 || d.CreditFen != 500_700 || d.DebitFen != 112_345 || d.ClosingFen != 388_355 || d.Credits != 2 || d.Debits != 2 ||
		d.Holder != "*户1" || d.Class != "I" {
		t.Errorf("totals: %+v", d.StatementTotals)
	}
	// The running balance is the one the ledger kept after each entry.
	var page bank.StatementPage
	if err := json.Unmarshal([]byte(h.get("/v1/accounts/"+account+"/transactions").raw), &page); err != nil || len(page.Entries) != len(d.Entries) {
		t.Fatalf("%v, %d entries", err, len(page.Entries))
	}
	for i := range page.Entries {
		if page.Entries[i].BalanceAfterFen != d.Entries[i].BalanceAfterFen {
			t.Errorf("balance after entry %d: %d, the ledger says %d", i, d.Entries[i].BalanceAfterFen, page.Entries[i].BalanceAfterFen)
		}
	}
	if payee := h.document(other); len(payee.Entries) != 1 || payee.Entries[0].Counterparty != bank.MaskCard(account) || payee.ClosingFen != 12_345 {
		t.Errorf("the payee's statement: %+v", payee)
	}

	req := h.request(http.MethodGet, "/v1/accounts/"+account+"/statements"+november+"&format=csv", "")
	req.Header.Set("Accept-Language", "zh-CN")
	table := h.send(req)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(table.raw, "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 10 || table.header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Fatalf("%v: %s", err, table.raw)
	}
	if rows[2][7] != "'=1+1" || rows[2][11] != "5000.00" || rows[3][10] != "123.45" || rows[7][12] != "3883.55" || rows[9][13] != d.VerificationCode {
		t.Errorf("table: %v", rows)
	}
	if english := h.fetch("/v1/accounts/"+account+"/statements"+november, "text/csv"); !strings.HasPrefix(english.raw, "\ufeffrow,no,accounting_date") {
		t.Errorf("in English: %.80s", english.raw)
	}
	pdf := h.fetch("/v1/accounts/"+account+"/statements"+november, pdfType)
	if !strings.HasPrefix(pdf.raw, "%PDF-") || pdf.header.Get("Content-Type") != pdfType ||
		pdf.header.Get("Content-Disposition") != `attachment; filename="statement-`+d.Number+`.pdf"` {
		t.Errorf("%v %.20q", pdf.header, pdf.raw)
	}

	// What anybody can check who holds the paper; and later entries do not make an earlier paper false.
	verify := func(number, code string) any {
		a := h.get("/v1/papers/" + number + "?code=" + code)
		if a.status != 200 {
			t.Fatalf("%s: %d %s", number, a.status, a.raw)
		}
		return a.body["valid"]
	}
	slip := h.get("/v1/transfers/" + sent["transfer_id"].(string) + "/receipt").body
	certificate := h.get("/v1/deposits/" + deposit + "/certificate").body
	h.must("/v1/transfers", fmt.Sprintf(`{"kind":"inbound","to_account":%q,"amount_fen":1}`, account))
	for _, paper := range []map[string]any{
		{"number": d.Number, "verification_code": d.VerificationCode}, slip, certificate,
	} {
		number, code := paper["number"].(string), paper["verification_code"].(string)
		if verify(number, strings.ToLower(code)) != true {
			t.Errorf("%s is ours", number)
		}
		forged := []byte(code)
		forged[0] ^= 1
		if verify(number, string(forged)) != false {
			t.Errorf("%s with another code is confirmed", number)
		}
	}
	redeemed := h.must("/v1/deposits/"+deposit+"/redemptions", `{"amount_fen":40000}`)
	if verify(certificate["number"].(string), certificate["verification_code"].(string)) != false {
		t.Error("the certificate of a deposit that has been redeemed in part is confirmed")
	}
	interest := h.get("/v1/transfers/" + redeemed["transfer_id"].(string) + "/receipt")
	if paid, _ := interest.body["interest"].(map[string]any); paid["reason"] != "REDEEMED_EARLY" || paid["principal_fen"] != 40000.0 || paid["product_name"] == "" {
		t.Errorf("interest slip: %s", interest.raw)
	}
	for _, path := range []string{
		"/v1/transfers/" + redeemed["transfer_id"].(string) + "/receipt", "/v1/transfers/" + sent["transfer_id"].(string) + "/receipt",
		"/v1/deposits/" + deposit + "/certificate",
	} {
		if a := h.get(path + "?format=pdf"); !strings.HasPrefix(a.raw, "%PDF-") {
			t.Errorf("%s: %d %.100s", path, a.status, a.raw)
		}
	}
	h.must("/v1/deposits/"+deposit+"/redemptions", `{"all":true}`)

	for path, want := range map[string]string{
		"/v1/accounts/" + account + "/statements":                                          "QUERY_INVALID",
		"/v1/accounts/" + account + "/statements?from=2026-11-01":                          "QUERY_INVALID",
		"/v1/accounts/" + account + "/statements?from=2026-11-31&to=2026-12-01":            "QUERY_INVALID",
		"/v1/accounts/" + account + "/statements?from=2026-11-02&to=2026-11-01":            "QUERY_INVALID",
		"/v1/accounts/" + account + "/statements?from=0001-01-01&to=2026-11-01":            "QUERY_INVALID",
		"/v1/accounts/" + account + "/statements" + november + "&format=xls":               "QUERY_INVALID",
		"/v1/accounts/" + account + "/statements" + november + "&from=2026-11-01":          "QUERY_INVALID",
		"/v1/accounts/" + account + "/statements" + november + "&limit=5":                  "QUERY_INVALID",
		"/v1/accounts/" + bank.NewAccountNo(2, 500, 0).String() + "/statements" + november: "ACCOUNT_UNKNOWN",
		"/v1/accounts/1/statements" + november:                                             "ACCOUNT_UNKNOWN",
		"/v1/transfers/" + failed["transfer_id"].(string) + "/receipt":                     "SLIP_NOT_AVAILABLE",
		"/v1/transfers/" + sent["transfer_id"].(string) + "/receipt?format=csv":            "QUERY_INVALID",
		"/v1/transfers/x/receipt":                                                       "TRANSFER_UNKNOWN",
		"/v1/deposits/" + deposit + "/certificate":                                      "DEPOSIT_CLOSED",
		"/v1/deposits/x/certificate":                                                    "DEPOSIT_UNKNOWN",
		"/v1/papers/S-00000000000000000000000000?code=1":                                "PAPER_UNKNOWN",
		"/v1/papers/R-" + bank.NewTxnID(1_764_000_000_000, 1, 9).String() + "?code=1":   "PAPER_UNKNOWN",
		"/v1/customers/C0000000018/vouchers":                                            "CREDENTIAL_REQUIRED",
		"/v1/papers/" + d.Number:                                                        "QUERY_INVALID",
		"/v1/papers/" + d.Number + "?code=" + d.VerificationCode + "&code=" + "another": "QUERY_INVALID",
	} {
		if a := h.get(path); a.code() != want {
			t.Errorf("%s: %d %s, want %s", path, a.status, a.raw, want)
		}
	}
}

// longBank has one account with many entries, a fen each.
type longBank struct {
	Bank
	entries int
	failAt  int // the page that can't be read; zero: none
	pages   atomic.Int32
}

var longAccount = bank.NewAccountNo(1, 7, 0)

func (*longBank) Customer(context.Context, bank.CustomerNo) (bank.CustomerView, error) {
	return bank.CustomerView{Name: "*明", Accounts: []bank.AccountView{{AccountNo: longAccount, Class: "I"}}}, nil
}

func (b *longBank) StatementTotals(context.Context, bank.StatementQuery) (bank.StatementTotals, error) {
	return bank.StatementTotals{CreditFen: int64(b.entries), Credits: b.entries, ClosingFen: int64(b.entries), Through: uint64(b.entries)}, nil
}

func (b *longBank) Statement(_ context.Context, q bank.StatementQuery) (page bank.StatementPage, err error) {
	if int(b.pages.Add(1)) == b.failAt {
		return page, bank.ErrStopping
	}
	for len(page.Entries) < q.Limit {
		q.After++
		page.Entries = append(page.Entries, bank.StatementEntry{
			TransferID: bank.NewTxnID(1_764_000_000_000, 7, q.After), Time: "2026-11-24T10:00:00.123+08:00", AccountingDate: 20261124, Code: 1121,
			SummaryZh: "行内转账", SummaryEn: "Internal transfer", Direction: bank.EntryCredit, AmountFen: 1, BalanceAfterFen: int64(q.After),
			Particulars: bank.Particulars{Counterparty: "999022*********1234", Remark: "工资"},
		})
		page.Next = q.After
	}
	return page, nil
}

func serveLong(t *testing.T, b *longBank) string {
	t.Helper()
	s := New(Options{
		Bank: b, Vault: plain{}, Logger: slog.New(slog.DiscardHandler), Clock: func() time.Time { return time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC) },
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		<-served
	})
	return "http://" + l.Addr().String() + "/v1/accounts/" + longAccount.String() + "/statements" + november
}

func TestAStatementOfAHundredThousandEntriesIsReadAsItIsSent(t *testing.T) {
	const entries = 100_000
	for _, format := range []string{formatCSV, formatJSON} {
		b := &longBank{entries: entries}
		r, err := http.Get(serveLong(t, b) + "&format=" + format)
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 1000)
		if _, err := io.ReadFull(r.Body, first); err != nil {
			t.Fatal(err)
		}
		// The rest waits for its reader: the sockets' buffers are full long before the statement is read.
		if ahead := b.pages.Load(); ahead > entries/StatementMax*3/4 {
			t.Errorf("%s: %d pages were read before the client took the second kilobyte", format, ahead)
		}
		rest, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || b.pages.Load() != entries/StatementMax {
			t.Errorf("%s: %v after %d pages", format, err, b.pages.Load())
		}
		all := append(first, rest...)
		if format == formatJSON {
			var d papers.StatementDocument
			if err := json.Unmarshal(all, &d); err != nil || len(d.Entries) != entries || d.VerificationCode == "" {
				t.Errorf("%v, %d entries", err, len(d.Entries))
			}
		} else if n := bytes.Count(all, []byte("\n")); n != entries+6 {
			t.Errorf("%d rows", n)
		}
	}
}

// Nobody may take the part of a statement that arrived for all of it.
func TestAStatementThatBreaksOffDoesNotEndWell(t *testing.T) {
	r, err := http.Get(serveLong(t, &longBank{entries: 50_000, failAt: 20}) + "&format=csv")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if got, err := io.ReadAll(r.Body); err == nil {
		t.Errorf("%d bytes and a proper end", len(got))
	}
	if r, err = http.Get(serveLong(t, &longBank{entries: 5_000, failAt: 2}) + "&format=pdf"); err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a PDF whose entries can't be read: %d", r.StatusCode)
	}
}

func TestAStatementTooLongForAPDFIsRefusedBeforeItIsMade(t *testing.T) {
	b := &longBank{entries: PrintedMax + 1}
	r, err := http.Get(serveLong(t, b) + "&format=pdf")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusUnprocessableEntity || !bytes.Contains(text, []byte("STATEMENT_TOO_LONG")) || b.pages.Load() != 0 {
		t.Errorf("%d %s after %d pages", r.StatusCode, text, b.pages.Load())
	}
}

// BenchmarkPrintedStatement tells how long a PDF takes and what it allocates, per entry.
func BenchmarkPrintedStatement(b *testing.B) {
	for _, entries := range []int{100, 10_000, 100_000} {
		b.Run(strconv.Itoa(entries), func(b *testing.B) {
			s := New(Options{Bank: &longBank{entries: entries}, Vault: plain{}, Logger: slog.New(slog.DiscardHandler), Clock: time.Now})
			b.ReportAllocs()
			for b.Loop() {
				st, query, err := s.openStatement(bank.StatementQuery{Account: longAccount, From: 20261101, To: 20261130})
				if err != nil {
					b.Fatal(err)
				}
				body := &statementBody{server: s, query: query, rest: entries}
				if body.run, err = papers.NewRun(st, papers.NewPrinted(&body.made), s.options.Vault); err != nil {
					b.Fatal(err)
				}
				for !body.complete {
					if err := body.more(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(body.made.Len()), "B/pdf")
			}
		})
	}
}
