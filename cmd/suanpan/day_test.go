package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
)

const demoStart = "2026-01-15T10:00:00+08:00"

// token is that of an operator of the process's bank.
func (p *process) token(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "operators.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	var file struct {
		Operators []struct{ Name, Token string }
	}
	if err := json.Unmarshal(text, &file); err != nil {
		p.t.Fatal(err)
	}
	for _, o := range file.Operators {
		if o.Name == name {
			return o.Token
		}
	}
	p.t.Fatalf("no operator %s", name)
	return ""
}

// clockTo moves the bank's clock.
func (p *process) clockTo(to string) {
	p.t.Helper()
	if status, v, err := p.post("/v1/clock", "", fmt.Sprintf(`{"to":%q}`, to)); err != nil || status != http.StatusOK {
		p.t.Fatalf("clock to %s: %d %v %v\n%s", to, status, v, err, p.out)
	}
}

// deposit buys a term deposit.
func (p *process) deposit(key, account, product string, fen int64) (no string) {
	p.t.Helper()
	v := p.must("/v1/deposits", key, fmt.Sprintf(`{"account_no":%q,"product":%q,"amount_fen":%d}`, account, product, fen))
	return v["deposit_id"].(string)
}

// report is that of a day's end.
func (p *process) report(date string) (v map[string]any) {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodGet, p.url("/v1/days/"+date+"/report"), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token("auditor"))
	status, v, err := p.answer(p.client.Do(req))
	if err != nil || status != http.StatusOK {
		p.t.Fatalf("report of %s: %d %v %v", date, status, v, err)
	}
	return v
}

// A bank that was shut over some days must have done each of their ends when it opens, in order, and nobody may
// find a fen too much or too little in interest payable.
func TestDaysThatTheClockPassesAreEndedOneByOne(t *testing.T) {
	p := startProcess(t, "--clock", demoStart, "--channel-delay", "-1s")
	a := p.customer(1, 2_000_000)
	p.deposit("d1", a, "JFC3M", 1_000_000)
	p.clockTo("2026-01-18T09:00:00+08:00")
	for i, want := range []float64{38, 75, 113} { // D-ACC: 33.75 over 90 days
		r := p.report(fmt.Sprintf("2026-01-%d", 15+i))
		if r["agrees"] != true {
			t.Fatalf("day %d: %v", i, r["checks"])
		}
		if fen := credit(t, r, 22310201); fen != want {
			t.Errorf("interest payable at the end of day %d: %v, wanted %v", i, fen, want)
		}
	}
	out, err := p.run("day", "status", "--server", p.url(""), "--token", p.token("finance"))
	if err != nil || !strings.Contains(out, "2026-01-18") || !strings.Contains(out, "done for all dates before") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = p.run("day", "check", "--server", p.url(""), "--token", p.token("auditor"))
	if err != nil || !strings.Contains(out, "全部相符") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := p.run("day", "cut", "--server", p.url(""), "--token", p.token("auditor")); err == nil || !strings.Contains(out, "403") {
		t.Errorf("an auditor cuts the day: %v\n%s", err, out)
	}
	if out, err := p.run("day", "cut", "--server", p.url(""), "--token", p.token("finance")); err != nil || !strings.Contains(out, "2026-01-19") {
		t.Errorf("%v\n%s", err, out)
	}
	p.verify("--server", p.url(""))
}

// Over a quarter with its settlement day and a maturity everything that is accrued is paid, and every day's checks
// agree.
func TestAQuarterOfDaysEndsWithInterestCreditedAndADepositPaidOut(t *testing.T) {
	p := startProcess(t, "--clock", demoStart, "--channel-delay", "-1s")
	a := p.customer(1, 2_000_000)
	b := p.customer(2, 123_456)
	deposit := p.deposit("d1", a, "JFC3M", 1_000_000)
	early := p.deposit("d2", b, "SLC1Y", 100_000)
	p.clockTo("2026-03-10T09:00:00+08:00")
	p.must("/v1/deposits/"+early+"/redemptions", "r1", `{"amount_fen":30000}`)
	p.clockTo("2026-04-16T09:00:00+08:00")
	for date := bank.Date(20260115); date < 20260416; date = date.AddDays(1) {
		if r := p.report(date.String()); r["agrees"] != true {
			t.Fatalf("%s: %v", date, r["checks"])
		}
	}
	if _, v, err := p.get("/v1/deposits/" + deposit); err != nil || v["state"] != "CLOSED" {
		t.Errorf("the deposit that has matured: %v %v", v, err)
	}
	r := p.report("2026-04-15")
	if fen := credit(t, r, 22310201); fen != 0 {
		t.Errorf("interest payable of a product without deposits: %v", fen)
	}
	_, v, err := p.get("/v1/accounts/" + a)
	if want := 2_000_000 + 3375.0; err != nil || v["posted_fen"].(float64) <= want {
		t.Errorf("the account has %v, wanted %v and demand interest (%v)", v["posted_fen"], want, err)
	}
	p.verify("--server", p.url(""))
}

// credit is a subject's balance in a report, in fen.
func credit(t *testing.T, report map[string]any, detail int) float64 {
	t.Helper()
	for _, l := range report["ledgers"].([]any) {
		for _, row := range l.(map[string]any)["subjects"].([]any) {
			if r := row.(map[string]any); r["detail"] == float64(detail) {
				return r["credit_fen"].(float64) - r["debit_fen"].(float64)
			}
		}
	}
	return 0
}
