package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A bank's history grows, and its start must not: what the ledger's snapshot holds is not executed again.
// What the ledger has on disk is good for nothing without its journal: a node that went on with an older
// journal would decide again what the ledger has executed already.
func TestTheLedgerStartsFromItsSnapshotAndNeverAheadOfItsJournal(t *testing.T) {
	p := startProcess(t)
	no := p.customer(1, 12_345)
	older := t.TempDir()
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	copyFiles(t, filepath.Join(p.dir, "journal"), older)
	p.start()
	p.customer(2, 100)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	snapshots, err := filepath.Glob(filepath.Join(p.dir, "books", "snapshot-*.state"))
	if err != nil || len(snapshots) != 1 {
		t.Fatalf("after a stop there is one snapshot: %v %v", snapshots, err)
	}

	p.start()
	if _, v, err := p.get("/v1/accounts/" + no); err != nil || v["posted_fen"] != 12_345.0 {
		t.Fatalf("from the snapshot: %v %v", v, err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if out, err := p.run("verify", "--data", p.dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	newer := t.TempDir()
	copyFiles(t, filepath.Join(p.dir, "journal"), newer)
	copyFiles(t, older, filepath.Join(p.dir, "journal"))
	out, err := p.run("serve", "--data", p.dir, "--http", p.http, "--kafka", p.kafka)
	if err == nil || !strings.Contains(out, "restore the journal") {
		t.Fatalf("with an older journal: %v\n%s", err, out)
	}

	// Without the books the journal has everything.
	copyFiles(t, newer, filepath.Join(p.dir, "journal"))
	if err := os.RemoveAll(filepath.Join(p.dir, "books")); err != nil {
		t.Fatal(err)
	}
	p.start()
	if _, v, err := p.get("/v1/accounts/" + no); err != nil || v["posted_fen"] != 12_345.0 {
		t.Fatalf("from the journal: %v %v", v, err)
	}
}

// copyFiles makes to a directory with the files of from and no other.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
