package embedded

import (
	"bytes"
	"encoding/hex"
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
		TellerSerial: u64.Draw(t, "serial"),
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
		if rapid.Bool().Draw(t, "stamped") {
			tr.UserData64 = rec.Stamp()
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

// A bank's journal has records from before its tellers numbered them; they say what they said.
func TestARecordFromBeforeTellersIsRead(t *testing.T) {
	stored, err := hex.DecodeString("0102ac020207090100000000000000000000000000000002000000000000000000000000000000030000000000000000000000000000000a" +
		"93cad40901000002470400000000000000000000000000000005000000000000000000000000000000060000000000000000000000000000006400000000000000010001d4" +
		"08001008000000000000000000000000000000040000000000000000000000000000000000040001070b1c01650172")
	if err != nil {
		t.Fatal(err)
	}
	want := journal.Record{
		Kind: journal.KindDecision, Shard: 300, Epoch: 2, Customer: 7, Seq: 9, Command: ledger.U64(1), BodyHash: ledger.U64(2), Subject: ledger.U64(3),
		Time: 5, AccountingDate: 20260115, Channel: 1,
		Transfers: []ledger.Transfer{
			{ID: ledger.U64(4), DebitAccountID: ledger.U64(5), CreditAccountID: ledger.U64(6), Amount: ledger.U64(100), UserData128: ledger.U64(3), UserData64: 1 << 48, UserData32: 20260115, Ledger: 1, Code: 1108},
			{ID: ledger.U64(8), PendingID: ledger.U64(4), UserData128: ledger.U64(3), UserData32: 20260115, Flags: ledger.TransferPostPending},
		},
		Events: []journal.Event{{Customer: 7, Seq: 11, Type: 28, Body: []byte("e")}}, Receipt: []byte("r"),
	}
	var rec, again journal.Record
	if rest, err := decodeRecord(stored, &rec); err != nil || len(rest) > 0 || !reflect.DeepEqual(rec, want) {
		t.Fatalf("%+v %x %v", rec, rest, err)
	}
	if _, err := decodeRecord(appendRecord(nil, &rec), &again); err != nil || !reflect.DeepEqual(again, want) {
		t.Fatalf("written again: %+v %v", again, err)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(appendRecord(nil, &journal.Record{Kind: journal.KindClaim, Shard: 3, Epoch: 4}))
	f.Add(appendRecord(nil, &journal.Record{
		Kind: journal.KindDecision, Customer: 1, Seq: 1, Channel: 2, Teller: 3, TellerSerial: 4, Receipt: []byte("r"),
		Transfers: []ledger.Transfer{{ID: ledger.U64(1), Amount: ledger.AmountMax}},
		Accounts:  []ledger.Account{{ID: ledger.U64(2)}}, Events: []journal.Event{{Customer: 1, Type: 2, Body: []byte("e")}},
	}))
	before := appendRecord(nil, &journal.Record{Kind: journal.KindDecision, Customer: 1, Seq: 1})
	before[0] = recordBeforeTellers
	f.Add(before)
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
