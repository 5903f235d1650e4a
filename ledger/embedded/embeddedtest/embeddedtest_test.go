package embeddedtest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded/embeddedtest"
)

// A row that begins with given balances, reserves for a second, and looks again after two.
func Example() {
	ctx := context.Background()
	rig := embeddedtest.New(uint64(time.Hour))
	one, two := ledger.U64(1), ledger.U64(2)
	_, _ = rig.CreateAccounts(ctx, []ledger.Account{
		{ID: one, Ledger: 1, Code: 1, Flags: ledger.AccountDebitsMustNotExceedCredits},
		{ID: two, Ledger: 1, Code: 1},
	})
	_ = rig.SetBalance(one, ledger.Uint128{}, ledger.U64(10), ledger.Uint128{}, ledger.U64(100))
	results, _ := rig.CreateTransfers(ctx, []ledger.Transfer{
		{ID: ledger.U64(1), DebitAccountID: one, CreditAccountID: two, Amount: ledger.U64(91), Ledger: 1, Code: 1},
		{ID: ledger.U64(2), DebitAccountID: one, CreditAccountID: two, Amount: ledger.U64(90), Ledger: 1, Code: 1, Flags: ledger.TransferPending, Timeout: 1},
	})
	fmt.Println(results[0].Status, results[1].Status)
	for range 2 {
		accounts, _ := rig.LookupAccounts(ctx, []ledger.Uint128{one})
		fmt.Println(accounts[0].DebitsPending)
		rig.Advance(2 * time.Second)
	}
	// Output:
	// exceeds_credits created
	// 5a
	// 0
}
