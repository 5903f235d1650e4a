package streams_test

import (
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/journal/embedded"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/streams"
)

// elsewhere is a journal of a bank whose ledger is elsewhere: a transfer out of 400 that was held, then
// settled in part.
func elsewhere(t *testing.T) (j *embedded.Journal, request, settlement *journal.Record) {
	t.Helper()
	j, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	epoch, err := j.Claim(1)
	if err != nil {
		t.Fatal(err)
	}
	txn := bank.NewTxnID(1_700_000_000_000, 1, 1)
	record := func(kind journal.Kind, seq uint64, results []ledger.CreateTransferStatus, e bank.Event, transfer ledger.Transfer) *journal.Record {
		body, err := bank.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		rec := &journal.Record{
			Kind: kind, Shard: 1, Epoch: epoch, Customer: 1, Seq: seq, Subject: ledger.Uint128(txn), Time: 1, AccountingDate: 20261124,
			Transfers: []ledger.Transfer{transfer}, Results: results, Events: []journal.Event{{Customer: 1, Type: uint16(e.EventType()), Body: body}},
		}
		if err := j.Append(rec); err != nil {
			t.Fatal(err)
		}
		return rec
	}
	held := ledger.Transfer{
		ID: ledger.U64(10), DebitAccountID: ledger.U64(1), CreditAccountID: ledger.U64(2), Amount: ledger.U64(400),
		Ledger: bank.LedgerCNY, Code: 1112, Flags: ledger.TransferPending,
	}
	// Records that must not be believed: one refused, one only intended.
	asked := &bank.TransferOutRequested{TxnID: txn, AmountFen: 400}
	refused := held
	refused.Amount = ledger.U64(999)
	record(journal.KindOutcome, 1, []ledger.CreateTransferStatus{ledger.TransferExceedsCredits}, asked, refused)
	record(journal.KindIntent, 2, nil, asked, refused)
	request = record(journal.KindOutcome, 3, nil, asked, held)
	done := &bank.TransferOutSucceeded{TransferSettled: bank.TransferSettled{TxnID: txn, AmountFen: 300}}
	settlement = record(journal.KindOutcome, 4, nil, done, ledger.Transfer{
		ID: ledger.U64(11), PendingID: held.ID, Amount: ledger.U64(300), Flags: ledger.TransferPostPending,
	})
	return j, request, settlement
}

// With the ledger elsewhere the stream is made of the journal alone: what a settlement inherits is in the
// record of the request.
func TestASettlementFindsWhatItReleasesInTheJournal(t *testing.T) {
	j, request, settlement := elsewhere(t)
	for _, c := range []struct {
		rec  *journal.Record
		want streams.Entry
	}{
		{request, streams.Entry{ID: ledger.U64(10), Ledger: bank.LedgerCNY, Code: 1112, Phase: streams.Pending, Debit: ledger.U64(1), Credit: ledger.U64(2), AmountFen: 400}},
		{settlement, streams.Entry{ID: ledger.U64(11), Ledger: bank.LedgerCNY, Code: 1112, Phase: streams.Post, Debit: ledger.U64(1), Credit: ledger.U64(2), AmountFen: 300, ReleasedFen: 400}},
	} {
		entries, err := streams.Entries(c.rec, streams.Recorded{Journal: j, Record: c.rec})
		if err != nil || len(entries) != 1 || entries[0] != c.want {
			t.Errorf("want %+v, have %+v %v", c.want, entries, err)
		}
	}
	for flags, amount := range map[ledger.TransferFlags]ledger.Uint128{
		ledger.TransferVoidPending: {}, ledger.TransferPostPending: ledger.AmountMax,
	} {
		settlement.Transfers[0].Flags, settlement.Transfers[0].Amount = flags, amount
		whole, ok := streams.Recorded{Journal: j, Record: settlement}.Transfer(ledger.U64(11))
		if !ok || whole.Amount != ledger.U64(400) {
			t.Errorf("of all that is held: %+v %t", whole, ok)
		}
	}
	settlement.Transfers[0].PendingID = ledger.U64(77)
	if entries, err := streams.Entries(settlement, streams.Recorded{Journal: j, Record: settlement}); err == nil {
		t.Errorf("a settlement of nothing: %+v", entries)
	}
}

// Whoever hears of an event believes that it has happened.
func TestAnIntentIsNotPublished(t *testing.T) {
	j, _, _ := elsewhere(t)
	if err := j.WaitDurable(t.Context(), j.Last()); err != nil {
		t.Fatal(err)
	}
	intents, published := 0, 0
	err := j.Scan(t.Context(), 1, func(rec *journal.Record) bool {
		messages, err := streams.Messages(rec, streams.Recorded{Journal: j, Record: rec})
		if err != nil {
			t.Error(err)
		}
		if rec.Kind == journal.KindIntent {
			intents += 1 + len(messages)
		}
		published += len(messages)
		return true
	})
	if err != nil || intents != 1 || published != 3 {
		t.Errorf("%d messages, %d of intents, %v", published, intents-1, err)
	}
}
