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

type statuses = []ledger.CreateTransferStatus

// Otherwise half a decision would stand: money gone from one customer and not with the other.
func TestABrokenChainLeavesBalancesTransfersAndTimeAsIfItHadNeverBeen(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	h.open(ledger.AccountDebitsMustNotExceedCredits, 3)
	h.one(created, pay(10, 1, 2, 5))
	before := contentsOf(h.Engine)
	user := flagged(pay(11, 1, 2, 7), linked)
	user.UserData128 = ledger.U64(99)
	results := h.send(user, flagged(pay(12, 2, 1, 3), linked), flagged(pay(13, 3, 1, 1), linked), pay(14, 1, 2, 1), pay(15, 1, 2, 1))
	for i, want := range (statuses{chainFailed, chainFailed, ledger.TransferExceedsCredits, chainFailed, created}) {
		if results[i].Status != want {
			t.Errorf("transfer %d: %v, want %v", i, results[i].Status, want)
		}
		if i > 0 && results[i].Timestamp != results[i-1].Timestamp+1 {
			t.Errorf("transfer %d has lost its place in time", i)
		}
	}
	h.balances(1, 0, 6, 0, 0)
	h.balances(3, 0, 0, 0, 0)
	after := contentsOf(h.Engine)
	if len(after.transfers) != len(before.transfers)+1 || len(after.events) != len(before.events)+1 {
		t.Error("a broken chain left transfers or change events behind")
	}
	if got, _ := h.QueryTransfers(t.Context(), ledger.QueryFilter{UserData128: ledger.U64(99), Limit: 10}); len(got) != 0 {
		t.Error("a broken chain can be found by its business id")
	}
}

// The sender was told that 13 did not happen; its siblings may be sent again in a better chain.
func TestOnlyTheCulpritsIDIsBurntByABrokenChain(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	h.open(ledger.AccountDebitsMustNotExceedCredits, 3)
	first, culprit, last := flagged(pay(12, 1, 2, 3), linked), flagged(pay(13, 3, 1, 1), linked), pay(14, 1, 2, 1)
	h.expect(statuses{chainFailed, ledger.TransferExceedsCredits, chainFailed}, first, culprit, last)
	h.one(created, pay(20, 1, 3, 100))
	h.expect(statuses{chainFailed, ledger.TransferIDAlreadyFailed, chainFailed}, first, culprit, last)
	culprit.ID = ledger.U64(15)
	h.expect(statuses{created, created, created}, first, culprit, last)
	if _, ok := h.Transfer(ledger.U64(13)); ok {
		t.Error("a burnt id is found as a transfer")
	}
}

// A retried decision must not be taken for a new one because one leg of it is there already.
func TestExistsBreaksAChain(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	h.one(created, pay(10, 1, 2, 5))
	original, _ := h.Transfer(ledger.U64(10))
	results := h.send(flagged(pay(11, 1, 2, 5), linked), pay(10, 1, 2, 5))
	if results[0].Status != chainFailed || results[1].Status != ledger.TransferExists {
		t.Fatal(results)
	}
	if results[1].Timestamp != original.Timestamp {
		t.Error("exists doesn't carry the original's timestamp")
	}
	h.balances(1, 0, 5, 0, 0)
}

// A hold released inside a chain that fails must be held again, and expire as it would have.
func TestABrokenChainGivesBackPendingStatusAndExpiry(t *testing.T) {
	for _, settlement := range []struct {
		name     string
		transfer ledger.Transfer
	}{
		{"post", post(21, 10, ledger.U64(4))},
		{"void", void(21, 10)},
	} {
		t.Run(settlement.name, func(t *testing.T) {
			h := newHouse(t)
			h.open(0, 1, 2)
			h.one(created, timed(pay(10, 1, 2, 9), 60))
			h.expect(statuses{chainFailed, chainFailed, ledger.TransferAccountsMustBeDifferent},
				flagged(settlement.transfer, linked), flagged(timed(pay(22, 1, 2, 1), 30), linked), pay(23, 1, 1, 1))
			h.balances(1, 9, 0, 0, 0)
			h.now += 31 * second
			if n := h.Pulse(h.now); n != 0 {
				t.Fatalf("%d expired, but what a broken chain reserved was never there", n)
			}
			h.now += 30 * second
			if n := h.Pulse(h.now); n != 1 {
				t.Fatalf("%d expired, want the hold that the chain failed to settle", n)
			}
			h.balances(1, 0, 0, 0, 0)
			h.one(ledger.TransferPendingTransferExpired, settlement.transfer)
		})
	}
}

// Closing an account is linked with emptying it: if that fails the account must stay open.
func TestABrokenChainReopensWhatItClosedAndClosesWhatItReopened(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2, 3)
	closing := flagged(pay(10, 1, 2, 0), ledger.TransferPending|ledger.TransferClosingDebit)
	h.expect(statuses{chainFailed, ledger.TransferAccountsMustBeDifferent}, flagged(closing, linked), pay(11, 3, 3, 1))
	if h.isClosed(1) {
		t.Fatal("a broken chain closed the account")
	}
	h.one(created, closing)
	h.expect(statuses{chainFailed, ledger.TransferAccountsMustBeDifferent}, flagged(void(12, 10), linked), pay(13, 3, 3, 1))
	if !h.isClosed(1) {
		t.Fatal("a broken chain reopened the account")
	}
	h.one(created, void(12, 10))
	if h.isClosed(1) {
		t.Error("a void of the closing transfer left the account closed")
	}
}

// Holds are placed and used within one decision.
func TestAChainSeesItsOwnTransfers(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	h.open(ledger.AccountDebitsMustNotExceedCredits, 3)
	h.expect(statuses{created, created, created, created},
		flagged(pay(10, 1, 3, 50), linked), flagged(timed(pay(11, 3, 2, 50), 5), linked),
		flagged(post(12, 11, ledger.U64(20)), linked), pay(13, 3, 2, 30))
	h.balances(3, 0, 50, 0, 50)
	h.expect(statuses{chainFailed, ledger.TransferExistsWithDifferentAmount, chainFailed}, flagged(pay(14, 1, 2, 1), linked), flagged(pay(14, 1, 2, 2), linked), pay(15, 1, 2, 1))
	h.now += 6 * second
	if n := h.Pulse(h.now); n != 0 {
		t.Errorf("%d expired, but the hold was used", n)
	}
}

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
