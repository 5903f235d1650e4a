package embedded

import (
	"context"
	"testing"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

func benchmarkRecord() journal.Record {
	return journal.Record{
		Kind: journal.KindDecision, Epoch: 1, Customer: 1, AccountingDate: 20261124, Channel: 1,
		Transfers: []ledger.Transfer{{ID: ledger.U64(1), DebitAccountID: ledger.U64(2), CreditAccountID: ledger.U64(3), Amount: ledger.U64(100), Ledger: 156, Code: 1121}},
		Events:    []journal.Event{{Customer: 1, Type: 28, Body: make([]byte, 80)}, {Customer: 2, Type: 28, Body: make([]byte, 80)}},
		Receipt:   make([]byte, 50),
	}
}

// BenchmarkAppend is an internal transfer's record into group commits of whatever size come about.
func BenchmarkAppend(b *testing.B) {
	j, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Claim(0); err != nil {
		b.Fatal(err)
	}
	rec := benchmarkRecord()
	b.ReportAllocs()
	for b.Loop() {
		rec.Seq++
		rec.Command, rec.Subject = ledger.Uint128{Lo: rec.Seq, Hi: rec.Seq * 31}, ledger.Uint128{Lo: rec.Seq, Hi: rec.Seq * 37}
		if err := j.Append(&rec); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.WaitDurable(context.Background(), j.Last()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLoneAppend is one record at a time, each waiting for the disk.
func BenchmarkLoneAppend(b *testing.B) {
	j, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Claim(0); err != nil {
		b.Fatal(err)
	}
	rec := benchmarkRecord()
	for b.Loop() {
		rec.Seq++
		if err := j.Append(&rec); err != nil {
			b.Fatal(err)
		}
		if err := j.WaitDurable(context.Background(), rec.Position); err != nil {
			b.Fatal(err)
		}
	}
}
