package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// letsGo pays between two customers until the journal has let its beginning go.
func letsGo(t *testing.T) (p *process, accounts []string) {
	t.Helper()
	p = startProcess(t, "--snapshot-every", "50", "--journal-keep", "100", "--journal-segment-bytes", "16384")
	accounts = []string{p.customer(1, 1_000_000), p.customer(2, 0)}
	deadline := time.Now().Add(30 * time.Second)
	for i := 0; p.metric("suanpan_journal_first_position") < 200; i++ {
		if time.Now().After(deadline) {
			t.Fatal("nothing is let go")
		}
		p.must("/v1/transfers", fmt.Sprintf("t-%d", i), fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1}`, accounts[0], accounts[1]))
	}
	return p, accounts
}

// Whoever bounds the journal must still be able to prove his books, and be told from where on they were compared; and
// a fen that is wrong must still be seen.
func TestBooksAreComparedThoughTheJournalLetItsBeginningGo(t *testing.T) {
	p, _ := letsGo(t)
	verify := func(where ...string) {
		t.Helper()
		out, err := p.run(append([]string{"verify"}, where...)...)
		if err != nil || !strings.Contains(out, "the journal begins at position") || !strings.Contains(out, "stream = journal           ok") {
			t.Errorf("%v: %v\n%s", where, err, out)
		}
	}
	verify("--server", p.url(""))
	p.kill() // the ledger's snapshot and the stream are behind the journal
	verify("--data", p.dir)
	p.start()
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	verify("--data", p.dir)
	execute(t, filepath.Join(p.dir, "report.db"), `UPDATE ledger_accounts SET credits_posted = credits_posted + 1 WHERE credits_posted > 100`)
	if out, err := p.run("verify", "--data", p.dir); err == nil || !strings.Contains(out, "report = stream            DIFFERS") {
		t.Errorf("a fen too many: %v\n%s", err, out)
	}
}

// What was let go can't be made again; a bank that went on without would publish or post only a part.
func TestWhatOnlyTheJournalCouldRestoreIsRefusedOnceItIsGone(t *testing.T) {
	p, _ := letsGo(t)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	whole := t.TempDir()
	copyFiles(t, p.dir, whole)
	for lost, advice := range map[string]string{
		"stream": "restore the directory of the stream",
		"books":  "restore the ledger's directory",
	} {
		copyFiles(t, whole, p.dir)
		if err := os.RemoveAll(filepath.Join(p.dir, lost)); err != nil {
			t.Fatal(err)
		}
		out, err := p.run("serve", "--data", p.dir, "--http", p.http, "--kafka", p.kafka)
		if err == nil || !strings.Contains(out, advice) {
			t.Errorf("without %s: %v\n%s", lost, err, out)
		}
	}
	// A cursor torn by a power failure is no loss: what was let go was secured.
	copyFiles(t, whole, p.dir)
	if err := os.WriteFile(filepath.Join(p.dir, "relay.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	if out, err := p.run("verify", "--server", p.url("")); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestFlagsThatCanNotBeMeantAreRefused(t *testing.T) {
	p := &process{t: t}
	for flags, want := range map[string]string{
		"--journal-keep -5":             "must not be below zero",
		"--under-way-customer -1":       "must be above zero",
		"--journal-keep 9 --stream off": "needs a stream",
		"--journal-keep 9 --ledger tigerbeetle --tigerbeetle-addresses 127.0.0.1:1": "needs the ledger in this process",
		"--journal-segment-bytes 1": "must be 8192 to 268435456",
	} {
		out, err := p.run(append([]string{"serve", "--data", t.TempDir()}, strings.Fields(flags)...)...)
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v %s", flags, err, out)
		}
	}
}
