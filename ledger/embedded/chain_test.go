package embedded

import (
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

const (
	linked      = ledger.TransferLinked
	created     = ledger.TransferCreated
	chainFailed = ledger.TransferLinkedEventFailed
)

// Rollback works through lists, marks and indexes; a long chain crosses all of them.
func TestAChainOfThousandsIsUndoneWhole(t *testing.T) {
	h := newHouse(t)
	h.open(ledger.AccountHistory, 1, 2)
	var kept []ledger.Transfer
	for i := range uint64(100) {
		kept = append(kept, pay(10_000+i, 1, 2, 1))
	}
	h.send(kept...)
	before := contentsOf(h.Engine)
	var chain []ledger.Transfer
	for i := range uint64(batchMax) {
		p := flagged(pay(20_000+i, 2, 1, 1), linked)
		p.UserData128 = ledger.U64(1 + i%7)
		chain = append(chain, p)
	}
	chain[batchMax-1] = pay(1, 1, 1, 1)
	h.send(chain...)
	if difference := before.difference(contentsOf(h.Engine)); difference != "" {
		t.Fatal(difference)
	}
	chain[batchMax-1] = pay(1, 1, 2, 1)
	for i, r := range h.send(chain...) {
		if r.Status != created {
			t.Fatalf("transfer %d: %v", i, r.Status)
		}
	}
	list, err := h.AccountTransfers(t.Context(), ledger.AccountFilter{AccountID: ledger.U64(1), Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits, Limit: queryMax})
	if err != nil || len(list) != queryMax {
		t.Fatal(len(list), err)
	}
	for i, got := range list {
		want := ledger.U64(10_000 + uint64(i))
		if i >= 100 {
			want = chain[i-100].ID
		}
		if got.ID != want {
			t.Fatalf("transfer %d in the account's list is %v, want %v", i, got.ID, want)
		}
	}
}
