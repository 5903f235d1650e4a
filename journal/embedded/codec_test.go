package embedded

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

func drawID(t *rapid.T) ledger.Uint128 {
	return ledger.Uint128{Lo: rapid.Uint64().Draw(t, "lo"), Hi: rapid.Uint64().Draw(t, "hi")}
}

func drawRecord(t *rapid.T) *journal.Record {
	u64, u32, u16 := rapid.Uint64(), rapid.Uint32(), rapid.Uint16()
	rec := &journal.Record{
		Kind: journal.Kind(rapid.IntRange(1, 4).Draw(t, "kind")), Shard: u16.Draw(t, "shard"), Epoch: u64.Draw(t, "epoch"),
		Customer: u64.Draw(t, "customer"), Seq: u64.Draw(t, "seq"), Command: drawID(t), BodyHash: drawID(t), Subject: drawID(t),
		Time: rapid.Int64().Draw(t, "time"), AccountingDate: u32.Draw(t, "date"), Channel: u16.Draw(t, "channel"), Teller: u16.Draw(t, "teller"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "accounts") {
		rec.Accounts = append(rec.Accounts, ledger.Account{
			ID: drawID(t), UserData128: drawID(t), UserData64: u64.Draw(t, "64"), UserData32: u32.Draw(t, "32"),
			Ledger: u32.Draw(t, "ledger"), Code: u16.Draw(t, "code"), Flags: ledger.AccountFlags(u16.Draw(t, "flags")),
		})
	}
	for range rapid.IntRange(0, 4).Draw(t, "transfers") {
		tr := ledger.Transfer{
			ID: drawID(t), UserData128: rec.Subject, UserData32: rec.AccountingDate, UserData64: u64.Draw(t, "64"),
			Timeout: u32.Draw(t, "timeout"), Ledger: u32.Draw(t, "ledger"), Code: u16.Draw(t, "code"), Flags: ledger.TransferFlags(u16.Draw(t, "flags")),
		}
		if rapid.Bool().Draw(t, "sides") {
			tr.DebitAccountID, tr.CreditAccountID = drawID(t), drawID(t)
		}
		switch rapid.IntRange(0, 2).Draw(t, "amount") {
		case 0:
			tr.Amount = ledger.AmountMax
		case 1:
			tr.Amount = drawID(t)
		}
		if rapid.Bool().Draw(t, "own") {
			tr.PendingID, tr.UserData128, tr.UserData32 = drawID(t), drawID(t), u32.Draw(t, "32")
		}
		rec.Transfers = append(rec.Transfers, tr)
	}
	for range rapid.IntRange(0, 3).Draw(t, "results") {
		rec.Results = append(rec.Results, ledger.CreateTransferStatus(u32.Draw(t, "status")))
	}
	for range rapid.IntRange(0, 3).Draw(t, "events") {
		rec.Events = append(rec.Events, journal.Event{
			Customer: u64.Draw(t, "customer"), Seq: u64.Draw(t, "seq"), Type: u16.Draw(t, "type"),
			Body: rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "body"),
		})
	}
	if rapid.Bool().Draw(t, "receipt") {
		rec.Receipt = rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "bytes")
	}
	return rec
}

func TestARecordComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := drawRecord(t)
		var back journal.Record
		if rest, err := decodeRecord(append(appendRecord(nil, rec), 7, 8), &back); err != nil || string(rest) != "\a\b" {
			t.Fatal(rest, err)
		}
		if len(back.Receipt) == 0 {
			back.Receipt = nil
		}
		if !reflect.DeepEqual(rec, &back) {
			t.Fatalf("wrote %+v\nread %+v", rec, &back)
		}
	})
}

// A record can't be read from fewer bytes than it has.
func TestARecordCutShortIsMalformed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := appendRecord(nil, drawRecord(t))
		var back journal.Record
		if _, err := decodeRecord(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")], &back); err == nil {
			t.Fatal("read a record that is cut short")
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(appendRecord(nil, &journal.Record{Kind: journal.KindClaim, Shard: 3, Epoch: 4}))
	f.Add(appendRecord(nil, &journal.Record{
		Kind: journal.KindDecision, Customer: 1, Seq: 1, Receipt: []byte("r"),
		Transfers: []ledger.Transfer{{ID: ledger.U64(1), Amount: ledger.AmountMax}},
		Accounts:  []ledger.Account{{ID: ledger.U64(2)}}, Events: []journal.Event{{Customer: 1, Type: 2, Body: []byte("e")}},
	}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var rec, again journal.Record
		links, err := decodeRecord(b, &rec)
		if err != nil {
			return
		}
		for _, customer := range customers(&rec, nil) {
			if back, err := linkOf(&rec, links, customer); err == nil && back > rec.Position {
				t.Fatalf("a record at %d links to %d", rec.Position, back)
			}
		}
		if _, err := decodeRecord(appendRecord(nil, &rec), &again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(appendRecord(nil, &rec), appendRecord(nil, &again)) {
			t.Fatal("a record changes when it is written again")
		}
	})
}
