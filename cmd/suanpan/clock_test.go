package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// A demonstration's year passes in seconds, and a restart must not take the bank back before what has happened.
func TestADemonstrationsClockMovesForwardAndStaysThereOverARestart(t *testing.T) {
	p := startProcess(t, "--clock", "2026-01-15T10:00:00+08:00", "--channel-delay", "-1s")
	a, b := p.customer(1, 5000), p.customer(2, 0)
	if status, v, err := p.post("/v1/clock", "", `{"to":"2026-01-20T09:00:00+08:00"}`); err != nil || status != http.StatusOK || !strings.HasPrefix(v["now"].(string), "2026-01-20T09:00:0") {
		t.Fatalf("%d %v %v", status, v, err)
	}
	if status, v, err := p.post("/v1/clock", "", `{"to":"2026-01-19T09:00:00+08:00"}`); err != nil || status != http.StatusConflict || v["code"] != "CLOCK_BACKWARDS" {
		t.Errorf("moved back: %d %v %v", status, v, err)
	}
	if v := p.must("/v1/transfers", "t1", `{"kind":"internal","from_account":"`+a+`","to_account":"`+b+`","amount_fen":1}`); v["accounting_date"] != "2026-01-20" {
		t.Errorf("booked on %v", v["accounting_date"])
	}
	p.kill()
	p.start()
	_, v, err := p.get("/v1/clock")
	if err != nil {
		t.Fatal(err)
	}
	if now, err := time.Parse(time.RFC3339, v["now"].(string)); err != nil || now.Before(time.Date(2026, 1, 20, 1, 0, 0, 0, time.UTC)) {
		t.Errorf("after a restart it is %v (%v)", v["now"], err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	out, err := p.run("serve", "--data", p.dir, "--http", p.http, "--kafka", p.kafka, "--clock", "yesterday")
	if err == nil || !strings.Contains(out, "--clock takes a time such as") {
		t.Errorf("%v %s", err, out)
	}
}

func TestWithoutTheFlagNobodyMovesTheClock(t *testing.T) {
	p := startProcess(t)
	if status, v, err := p.post("/v1/clock", "", `{"to":"2126-01-20T09:00:00+08:00"}`); err != nil || status != http.StatusNotFound {
		t.Errorf("%d %v %v", status, v, err)
	}
}
