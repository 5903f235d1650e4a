package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkOf is a check of a day's report.
func checkOf(report map[string]any, id string) (result, detail string) {
	for _, c := range report["checks"].([]any) {
		if c := c.(map[string]any); c["id"] == id {
			return c["result"].(string), c["detail"].(string)
		}
	}
	return "", ""
}

// A payment whose channel does not know what became of it is decided by the channel's file, and the file is read at the
// end of the next day without anybody's doing.
func TestTheEndOfDayReadsTheChannelsFilesOfTheDayBefore(t *testing.T) {
	p := startProcess(t, "--clock", demoStart, "--channel-faults")
	account := p.customer(1, 2_000_000)
	v := p.must("/v1/transfers", "o1", fmt.Sprintf(`{"kind":"out","from_account":%q,"to_bound_card":true,"amount_fen":19904}`, account))
	id := v["transfer_id"].(string)
	state := func() any {
		_, v, err := p.get("/v1/transfers/" + id)
		if err != nil {
			t.Fatal(err)
		}
		return v["status"]
	}
	p.clockTo("2026-01-16T00:00:01+08:00")
	if got := state(); got == "SUCCEEDED" || got == "FAILED" {
		t.Fatalf("its own day has ended: %v", got)
	}
	p.clockTo("2026-01-17T00:00:01+08:00")
	if got := state(); got != "SUCCEEDED" {
		t.Errorf("the file has it: %v", got)
	}
	r := p.report("2026-01-16")
	if result, detail := checkOf(r, "R6"); result != "OK" || !strings.Contains(detail, "files of 2026-01-15 read: IBPS, UNIONPAY, NETSUNION, CORE") {
		t.Errorf("R6: %s %s", result, detail)
	}
	if r["agrees"] != true {
		t.Errorf("%v", r["checks"])
	}
	// A day later all is settled, and the books say so to the fen.
	p.clockTo("2026-01-18T00:00:01+08:00")
	if result, detail := checkOf(p.report("2026-01-17"), "R6"); result != "OK" || !strings.Contains(detail, "UNIONPAY owed 0.00 = files' net") ||
		!strings.Contains(detail, "in no file yet 0.00 − in files and not booked 0.00; files of") {
		t.Errorf("R6: %s %s", result, detail)
	}
	p.verify("--server", p.url(""))
}

// Channels whose files do not come hold no day up: the report says so, and counts what is in flight as theirs.
func TestAFileThatDoesNotComeIsSaidInTheReport(t *testing.T) {
	p := startProcess(t, "--clock", demoStart, "--channel-delay", "-1s")
	account := p.customer(1, 2_000_000)
	p.must("/v1/transfers", "o1", fmt.Sprintf(`{"kind":"out","from_account":%q,"to_bound_card":true,"amount_fen":12345}`, account))
	p.clockTo("2026-01-17T00:00:01+08:00")
	for date, waiting := range map[string]string{"2026-01-15": "0 transfers", "2026-01-16": "1 transfers"} {
		r := p.report(date)
		if result, detail := checkOf(r, "R6"); result != "OK" || !strings.Contains(detail, "123.45 in flight") || !strings.Contains(detail, "have not come: IBPS, UNIONPAY") {
			t.Errorf("%s: R6: %s %s", date, result, detail)
		}
		if result, detail := checkOf(r, "R7"); result != "OK" || !strings.Contains(detail, waiting) {
			t.Errorf("%s: R7: %s %s", date, result, detail)
		}
	}
	// A difference that is for a person stands in the report of the day whose end follows the file.
	file := strings.Join([]string{"suanpan-channel-file,1,IBPS,2026-01-16,,,,", "S1,,OUT,5000,0,SUCCESS,2026-01-16,",
		"S1,,OUT,5000,0,SUCCESS,2026-01-16,", "TOTAL,2,IN,0,OUT,10000,FEE,0", ""}, "\n")
	p.reconcile("IBPS", file)
	p.clockTo("2026-01-18T00:00:01+08:00")
	if result, detail := checkOf(p.report("2026-01-17"), "R6"); result != "BROKEN" || !strings.Contains(detail, "files of 2026-01-16 read: IBPS;") {
		t.Errorf("R6: %s %s", result, detail)
	}
	// One that is put into the bank's directory is read by the end of day itself; and a channel that corrects the other
	// may be read from there by an operator.
	for name, file := range map[string]string{
		"UNIONPAY-2026-01-17.csv": "suanpan-channel-file,1,UNIONPAY,2026-01-17,,,,\nTOTAL,0,IN,0,OUT,0,FEE,0\n",
		"IBPS-2026-01-16.csv":     "suanpan-channel-file,1,IBPS,2026-01-16,,,,\nS1,,OUT,5000,0,SUCCESS,2026-01-16,\nTOTAL,1,IN,0,OUT,5000,FEE,0\n",
	} {
		if err := os.WriteFile(filepath.Join(p.dir, "channel-files", name), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := p.run("reconcile", "--channel", "IBPS", "--date", "2026-01-16", "--server", p.url(""), "--token", p.token("finance"))
	if err != nil || !strings.Contains(out, "待处理 open 0") {
		t.Errorf("%v\n%s", err, out)
	}
	p.clockTo("2026-01-19T00:00:01+08:00")
	if result, detail := checkOf(p.report("2026-01-18"), "R6"); result != "OK" || !strings.Contains(detail, "files of 2026-01-17 read: UNIONPAY;") ||
		!strings.Contains(detail, "IBPS owed -20,000.00 = files' net 50.00 − settled 50.00 + in no file yet -20,000.00") {
		t.Errorf("R6: %s %s", result, detail)
	}
}

// reconcile sends a channel's file as an operator does.
func (p *process) reconcile(channel, file string) {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodPost, p.url("/v1/channel/files/"+channel), strings.NewReader(file))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token("finance"))
	if status, v, err := p.answer(p.client.Do(req)); err != nil || status != http.StatusOK {
		p.t.Fatalf("file of %s: %d %v %v", channel, status, v, err)
	}
}
