package embedded

import (
	"math"
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

// A receipt shows these sums: they must be those of the account, also beyond 64 bits.
func TestSumsAreTheBalancesOfTheAccount(t *testing.T) {
	e := New(Options{})
	for id := uint64(1); id <= 4; id++ { // those of the last transfer are found without a search, the others with one
		e.ExecuteAccounts(id, []ledger.Account{{ID: ledger.U64(id), Ledger: 1, Code: 1}}, nil)
	}
	transfers := []ledger.Transfer{
		{ID: ledger.U64(11), DebitAccountID: ledger.U64(1), CreditAccountID: ledger.U64(2), Amount: ledger.U64(math.MaxUint64), Ledger: 1, Code: 1},
		{ID: ledger.U64(12), DebitAccountID: ledger.U64(1), CreditAccountID: ledger.U64(2), Amount: ledger.U64(7), Ledger: 1, Code: 1},
		{ID: ledger.U64(13), DebitAccountID: ledger.U64(2), CreditAccountID: ledger.U64(1), Amount: ledger.U64(5), Ledger: 1, Code: 1, Flags: ledger.TransferPending},
		{ID: ledger.U64(14), DebitAccountID: ledger.U64(3), CreditAccountID: ledger.U64(4), Amount: ledger.U64(math.MaxUint64), Ledger: 1, Code: 1},
		{ID: ledger.U64(15), DebitAccountID: ledger.U64(3), CreditAccountID: ledger.U64(4), Amount: ledger.U64(7), Ledger: 1, Code: 1},
		{ID: ledger.U64(16), DebitAccountID: ledger.U64(4), CreditAccountID: ledger.U64(3), Amount: ledger.U64(5), Ledger: 1, Code: 1, Flags: ledger.TransferPending},
	}
	for _, r := range e.ExecuteTransfers(3, transfers, nil) {
		if r.Status != ledger.TransferCreated {
			t.Fatal(r.Status)
		}
	}
	for id := uint64(1); id <= 4; id++ {
		a, _ := e.Account(ledger.U64(id))
		s, ok := e.Sums(ledger.U64(id))
		if !ok || s != (ledger.Account{ID: a.ID, DebitsPending: a.DebitsPending, DebitsPosted: a.DebitsPosted, CreditsPending: a.CreditsPending, CreditsPosted: a.CreditsPosted}) {
			t.Errorf("account %d: %+v, want the balances of %+v", id, s, a)
		}
		if s.DebitsPosted.Hi+s.CreditsPosted.Hi != 1 || s.DebitsPending.Lo+s.CreditsPending.Lo != 5 {
			t.Errorf("account %d: %+v", id, s)
		}
	}
	if _, ok := e.Sums(ledger.U64(5)); ok {
		t.Error("nobody's account has sums")
	}
}
