package main

import (
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCtrlCDrainsAndAnotherStartFindsEverything(t *testing.T) {
	p := startProcess(t, "--channel-delay", "-1s")
	a, b := p.customer(1, 5000), p.customer(2, 0)
	p.must("/v1/transfers", "t1", `{"kind":"internal","from_account":"`+a+`","to_account":"`+b+`","amount_fen":1234}`)
	pending := p.must("/v1/transfers", "t2", `{"kind":"in_bound","to_account":"`+a+`","amount_fen":777}`)
	if err := p.stop(); err != nil {
		t.Fatalf("Ctrl-C: %v\n%s", err, p.out)
	}
	if out, err := p.run("verify", "--data", p.dir); err != nil || !strings.Contains(out, "the books agree") {
		t.Errorf("%v\n%s", err, out)
	}
	p.start()
	if _, v, err := p.get("/v1/accounts/" + b); err != nil || v["posted_fen"] != 1234.0 {
		t.Errorf("%v %v", v, err)
	}
	if status, v, err := p.post("/v1/channel/results", "r2", `{"transfer_id":"`+pending["transfer_id"].(string)+`","result":"SUCCESS"}`); err != nil || status != 200 || v["status"] != "SUCCEEDED" {
		t.Errorf("%d %v %v", status, v, err)
	}
	if _, v, err := p.get("/v1/accounts/" + a); err != nil || v["posted_fen"] != float64(5000-1234+777) {
		t.Errorf("%v %v", v, err)
	}
}

func TestATakenPortNamesTheSettingToChange(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := &process{t: t}
	for _, flag := range []string{"--http", "--kafka"} {
		other := map[string]string{"--http": "--kafka", "--kafka": "--http"}[flag]
		out, err := p.run("serve", "--data", t.TempDir(), flag, l.Addr().String(), other, freeAddress(t))
		if err == nil || !strings.Contains(out, flag) || !strings.Contains(out, "address already in use") {
			t.Errorf("%s: %v %s", flag, err, out)
		}
	}
}

// What happened while nobody was to hear of it is heard of later.
func TestEventsOfATimeWithoutAStreamArePublishedLater(t *testing.T) {
	p := startProcess(t, "--stream", "off")
	p.customer(1, 100)
	if status, _, err := p.get("/v1/reports/trial-balance"); err != nil || status != 404 {
		t.Errorf("a report without a stream: %d %v", status, err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	p.args = nil
	p.start()
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if out, err := p.run("verify", "--data", p.dir); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := p.run("serve", "--data", p.dir, "--http", p.http, "--stream", "maybe"); err == nil || !strings.Contains(out, "choose embedded or off") {
		t.Errorf("%v %s", err, out)
	}
}

// Without its key nothing sealed can be read: a lost key must not be replaced in silence.
func TestALostKeyIsNotReplaced(t *testing.T) {
	p := startProcess(t)
	p.customer(1, 100)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(p.dir, "vault.key")); err != nil {
		t.Fatal(err)
	}
	out, err := p.run("serve", "--data", p.dir, "--http", p.http, "--kafka", p.kafka)
	if err == nil || !strings.Contains(out, "restore the key file") {
		t.Errorf("%v %s", err, out)
	}
}

// What verify is for: it must see a difference when there is one.
func TestVerifySeesADifference(t *testing.T) {
	p := startProcess(t)
	p.customer(1, 100)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if out, err := p.run("verify", "--data", p.dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	execute(t, filepath.Join(p.dir, "report.db"), `UPDATE ledger_accounts SET credits_posted = credits_posted + 1 WHERE credits_posted = 100`)
	if out, err := p.run("verify", "--data", p.dir); err == nil || !strings.Contains(out, "DIFFERS in 1") || !strings.Contains(out, "do NOT agree") {
		t.Errorf("a fen too many in the report: %v\n%s", err, out)
	}
	if err := os.RemoveAll(filepath.Join(p.dir, "stream")); err != nil {
		t.Fatal(err)
	}
	if out, err := p.run("verify", "--data", p.dir); err == nil {
		t.Errorf("without a stream:\n%s", out)
	}
}

// execute changes a database.
func execute(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestHelpVersionAndCompletion(t *testing.T) {
	p := &process{t: t}
	for _, args := range [][]string{{"help"}, {"version"}, {"completion", "bash"}, {"completion", "zsh"}, {"serve", "--help"}, {"replay", "berka", "--help"}} {
		if out, err := p.run(args...); err != nil || !strings.Contains(out, "suanpan") {
			t.Errorf("%v: %v %s", args, err, out)
		}
	}
	if out, err := p.run("serv"); err == nil || !strings.Contains(out, "serve") {
		t.Errorf("a misspelt command: %v %s", err, out)
	}
}
