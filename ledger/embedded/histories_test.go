package embedded

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/ledger"
)

// What must be true of the books after every request, whatever was asked of them.

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkInvariants compares the books with themselves: debits against credits, limits against
// balances, and each account's balances against the transfers that made them.
func checkInvariants(t failer, e *Engine) {
	t.Helper()
	type sums struct{ debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Uint128 }
	books := map[uint32]sums{}
	owed := map[ledger.Uint128]sums{}
	plus := func(a, b ledger.Uint128) ledger.Uint128 {
		sum, _ := a.Add(b) // modulo 2^128 is good enough to compare
		return sum
	}
	e.EachAccount(func(a *ledger.Account) bool {
		s := books[a.Ledger]
		s.debitsPending, s.debitsPosted = plus(s.debitsPending, a.DebitsPending), plus(s.debitsPosted, a.DebitsPosted)
		s.creditsPending, s.creditsPosted = plus(s.creditsPending, a.CreditsPending), plus(s.creditsPosted, a.CreditsPosted)
		books[a.Ledger] = s
		if a.Flags&ledger.AccountDebitsMustNotExceedCredits != 0 && a.CreditsPosted.Less(plus(a.DebitsPending, a.DebitsPosted)) {
			t.Fatalf("account %v owes more than it has", a.ID)
		}
		if a.Flags&ledger.AccountCreditsMustNotExceedDebits != 0 && a.DebitsPosted.Less(plus(a.CreditsPending, a.CreditsPosted)) {
			t.Fatalf("account %v was repaid more than it is owed", a.ID)
		}
		return true
	})
	for book, s := range books {
		if s.debitsPending != s.creditsPending || s.debitsPosted != s.creditsPosted {
			t.Fatalf("ledger %d doesn't balance: %+v", book, s)
		}
	}
	closings := map[ledger.Uint128]bool{}
	for row := range e.transfers.n {
		x, state := e.transfer(row), stateOf(e, row)
		dr, cr := owed[x.DebitAccountID], owed[x.CreditAccountID]
		switch {
		case x.Flags&ledger.TransferPending != 0:
			if state == waiting {
				dr.debitsPending, cr.creditsPending = plus(dr.debitsPending, x.Amount), plus(cr.creditsPending, x.Amount)
				closings[x.DebitAccountID] = closings[x.DebitAccountID] || x.Flags&ledger.TransferClosingDebit != 0
				closings[x.CreditAccountID] = closings[x.CreditAccountID] || x.Flags&ledger.TransferClosingCredit != 0
			}
		case x.Flags&ledger.TransferVoidPending == 0:
			dr.debitsPosted, cr.creditsPosted = plus(dr.debitsPosted, x.Amount), plus(cr.creditsPosted, x.Amount)
		}
		owed[x.DebitAccountID], owed[x.CreditAccountID] = dr, cr
	}
	e.EachAccount(func(a *ledger.Account) bool {
		if (sums{a.DebitsPending, a.DebitsPosted, a.CreditsPending, a.CreditsPosted}) != owed[a.ID] {
			t.Fatalf("account %v has balances that its transfers don't explain: %+v, %+v", a.ID, *a, owed[a.ID])
		}
		if closed := a.Flags&ledger.AccountClosed != 0; closed != closings[a.ID] {
			t.Fatalf("account %v is closed=%v, and a closing transfer pending=%v", a.ID, closed, closings[a.ID])
		}
		return true
	})
	pending := 0
	for row := range e.transfers.n {
		if x := e.transfer(row); x.Flags&ledger.TransferPending != 0 && x.Timeout != 0 && stateOf(e, row) == waiting {
			pending++
		}
	}
	if pending != e.expiring.waiting {
		t.Fatalf("%d pending transfers can expire, the queue counts %d", pending, e.expiring.waiting)
	}
}

// stateOf is what has become of a pending transfer.
func stateOf(e *Engine, transfer uint32) pendingState {
	var space transferRow
	t := e.transfers.get(transfer, &space)
	if t.stored&ledger.TransferPending == 0 {
		return posted
	}
	return *e.pendings.at(t.pending - 1)
}

const randomAccounts = 8

func randomEngine(t *rapid.T) (e *Engine, entries []entry) {
	e = New(Options{})
	accounts := make([]ledger.Account, randomAccounts)
	for i := range accounts {
		accounts[i] = ledger.Account{ID: ledger.U64(uint64(i + 1)), Ledger: book, Code: 1}
		switch i % 4 {
		case 1:
			accounts[i].Flags = ledger.AccountDebitsMustNotExceedCredits | ledger.AccountHistory
		case 2:
			accounts[i].Flags = ledger.AccountCreditsMustNotExceedDebits
		case 3:
			accounts[i].Flags = ledger.AccountHistory
		}
	}
	accounts[randomAccounts-1].Ledger = otherBook
	first := entry{now: 1, accounts: accounts}
	first.execute(e)
	return e, []entry{first}
}

// entry is one line of the journal an engine is rebuilt from.
type entry struct {
	now       uint64
	accounts  []ledger.Account
	transfers []ledger.Transfer
	pulse     bool
	results   []ledger.CreateTransferResult
	expired   int
}

func (x *entry) execute(e *Engine) (results []ledger.CreateTransferResult, expired int) {
	switch {
	case x.pulse:
		return nil, e.Pulse(x.now)
	case x.accounts != nil:
		e.ExecuteAccounts(x.now, x.accounts, nil)
	}
	return e.ExecuteTransfers(x.now, x.transfers, nil), 0
}

func randomTransfer(t *rapid.T) ledger.Transfer {
	id := func(label string, below uint64) ledger.Uint128 {
		return ledger.U64(rapid.Uint64Range(1, below).Draw(t, label))
	}
	amount := ledger.U64(rapid.Uint64Range(0, 20).Draw(t, "amount"))
	if rapid.IntRange(0, 30).Draw(t, "extreme") == 0 {
		amount = ledger.Uint128{Hi: 1 << 63, Lo: amount.Lo}
	}
	x := ledger.Transfer{
		ID: id("id", 120), DebitAccountID: id("debit", randomAccounts+1), CreditAccountID: id("credit", randomAccounts+1),
		Amount: amount, Ledger: book, Code: 1, UserData128: ledger.U64(rapid.Uint64Range(0, 4).Draw(t, "user")),
	}
	x.Flags = rapid.SampledFrom([]ledger.TransferFlags{
		0, 0, 0, ledger.TransferBalancingDebit, ledger.TransferBalancingCredit,
		ledger.TransferPending, ledger.TransferPending, ledger.TransferPending | ledger.TransferBalancingDebit,
		ledger.TransferPending | ledger.TransferClosingDebit, ledger.TransferPending | ledger.TransferClosingCredit,
		ledger.TransferPostPending, ledger.TransferPostPending, ledger.TransferVoidPending, ledger.TransferVoidPending,
	}).Draw(t, "flags")
	switch {
	case x.Flags&settles != 0:
		x.PendingID = id("pending", 120)
		x.DebitAccountID, x.CreditAccountID, x.Ledger = ledger.Uint128{}, ledger.Uint128{}, 0
		x.Amount = rapid.SampledFrom([]ledger.Uint128{{}, ledger.AmountMax, amount}).Draw(t, "settled")
	case x.Flags&ledger.TransferPending != 0:
		x.Timeout = rapid.Uint32Range(0, 3).Draw(t, "timeout")
	}
	if rapid.IntRange(0, 2).Draw(t, "linked") == 0 {
		x.Flags |= linked
	}
	return x
}

// If this fails, some order of ordinary requests makes or destroys money, breaks a customer's
// limit, lets half a decision stand, pays a retried one twice, or rebuilds other books from the
// journal than the ones that were there before the restart.
func TestRandomHistoriesKeepTheBooksRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, journal := randomEngine(t)
		now := uint64(1000)
		for range rapid.IntRange(1, 12).Draw(t, "requests") {
			now += rapid.Uint64Range(0, 2*second).Draw(t, "wait")
			x := entry{now: now, pulse: rapid.IntRange(0, 4).Draw(t, "pulse") == 0}
			if !x.pulse {
				x.transfers = rapid.SliceOfN(rapid.Custom(randomTransfer), 1, 12).Draw(t, "transfers")
			}
			x.results, x.expired = x.execute(e)
			journal = append(journal, x)
			checkInvariants(t, e)
			checkAnswers(t, e, &x)
			x = entry{now: now, transfers: accepted(&x)}
			x.results, _ = x.execute(e)
			journal = append(journal, x)
			checkRepeat(t, e, journal[len(journal)-2:])
		}
		again := New(Options{})
		for i := range journal {
			x := &journal[i]
			results, expired := x.execute(again)
			if i > 0 && (!slices.Equal(results, x.results) || expired != x.expired) {
				t.Fatalf("replayed, request %d is answered %v, at first %v", i, results, x.results)
			}
		}
		if difference := contentsOf(e).difference(contentsOf(again)); difference != "" {
			t.Fatalf("rebuilt from the journal: %s", difference)
		}
		if e.Timestamp() != again.Timestamp() {
			t.Fatalf("rebuilt from the journal: the time differs")
		}
	})
}

// checkAnswers compares each answer with what can be found afterwards: created is there at its
// time, and of a chain all or nothing is.
func checkAnswers(t *rapid.T, e *Engine, x *entry) {
	start := 0
	for i, r := range x.results {
		stored, found := e.Transfer(x.transfers[i].ID)
		if r.Status == created && (!found || stored.Timestamp != r.Timestamp) {
			t.Fatalf("transfer %d is created and can't be found", i)
		}
		if r.Status != created && found && stored.Timestamp == r.Timestamp && r.Status != ledger.TransferExists {
			t.Fatalf("transfer %d is refused with %v and was made", i, r.Status)
		}
		if r.Status.Transient() && found {
			t.Fatalf("transfer %d is refused with %v and can be found", i, r.Status)
		}
		if x.transfers[i].Flags&linked != 0 && i < len(x.results)-1 {
			continue
		}
		done := 0
		for _, member := range x.results[start : i+1] {
			if member.Status == created {
				done++
			}
		}
		if done != 0 && done != i+1-start {
			t.Fatalf("%d of the %d transfers of a chain were made", done, i+1-start)
		}
		start = i + 1
	}
}

// accepted returns the transfers of a request that were created, unlinked transfers only: as a
// chain they would fail at the first exists.
func accepted(x *entry) []ledger.Transfer {
	again := []ledger.Transfer{}
	for i, r := range x.results {
		if r.Status == created && x.transfers[i].Flags&linked == 0 {
			again = append(again, x.transfers[i])
		}
	}
	return again
}

func checkRepeat(t *rapid.T, e *Engine, pair []entry) {
	for i, r := range pair[1].results {
		stored, _ := e.Transfer(pair[1].transfers[i].ID)
		if r.Status != ledger.TransferExists || r.Timestamp != stored.Timestamp {
			t.Fatalf("sent again, an accepted transfer is answered %v at %d", r.Status, r.Timestamp)
		}
	}
	checkInvariants(t, e)
}

// A failed chain, a refused transfer and a repeat change nothing anyone can see.
func TestWhatIsRefusedChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, _ := randomEngine(t)
		setup := rapid.SliceOfN(rapid.Custom(randomTransfer), 5, 30).Draw(t, "setup")
		e.ExecuteTransfers(second, setup, nil)
		before := contentsOf(e)
		chain := rapid.SliceOfN(rapid.Custom(randomTransfer), 1, 8).Draw(t, "chain")
		for i := range chain {
			chain[i].Flags |= linked
			chain[i].ID = ledger.U64(200 + chain[i].ID.Lo)
		}
		spoiler := pay(0, 1, 2, 1)
		results := e.ExecuteTransfers(2*second, append(chain, spoiler), nil)
		for i, r := range results {
			if r.Status == created {
				t.Fatalf("transfer %d of a chain that can't succeed was made", i)
			}
		}
		after := contentsOf(e)
		after.burnt = before.burnt // the culprit's id stays burnt
		if difference := before.difference(after); difference != "" {
			t.Fatalf("after a failed chain: %s", difference)
		}
		checkInvariants(t, e)
	})
}
