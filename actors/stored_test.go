package actors

import (
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
)

// What a record keeps for the caller answers his repeats for years. It is read whole or refused.
func FuzzStoredReceipt(f *testing.F) {
	for _, kept := range []any{
		&bank.StoredReceipt{Operation: "transfer_internal", Balances: []bank.Balance{{Account: 1, PostedFen: 2}}},
		&bank.StoredReceipt{Operation: "transfer_out", Refusal: &bank.Refusal{Code: bank.InsufficientFunds, Field: "amount_fen"}},
		storedIntent{"transfer_internal", []bank.RefusalCode{""}, []storedAffected{{1, bank.U128{Lo: 1}}}},
	} {
		b, err := bank.Encode(kept)
		if err != nil {
			f.Fatal(err)
		}
		event, err := bank.Encode(&bank.InternalTransferred{Role: bank.RolePayer, AmountFen: 1})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(bank.EventInternalTransferred), event)
	}
	f.Fuzz(func(t *testing.T, kept []byte, kind uint16, event []byte) {
		rec := &journal.Record{Customer: 1, Receipt: kept, Events: []journal.Event{{Customer: 1, Type: kind, Body: event}}}
		if r, err := receiptOf(rec); err == nil {
			if _, err := bank.Encode(&bank.StoredReceipt{Operation: r.Operation, Refusal: r.Refusal, Balances: r.Balances}); err != nil {
				t.Fatal(err)
			}
		}
		var intent storedIntent
		if bank.Decode(kept, &intent) == nil {
			if _, err := bank.Encode(intent); err != nil {
				t.Fatal(err)
			}
		}
	})
}
