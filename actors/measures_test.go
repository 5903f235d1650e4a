package actors

import (
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Either ledger takes what a court does to a deposit: what one freeze lets go the next has in the same chain, and can
// be deducted from it.
func TestADepositsFreezesAndDeductionsHoldOverEitherLedger(t *testing.T) {
	withBothLedgers(t, func(t *testing.T, o *office) {
		no := o.customer("a", 1_000_000)
		deposit := o.done(&bank.BuyDeposit{Account: no, Product: bank.ProductJFC3M, AmountFen: 1_000_000}).Events[0].(*bank.DepositOpened).DepositNo
		freeze := func(fen int64) bank.TxnID {
			r := o.done(&bank.HoldDeposit{Deposit: deposit, Kind: bank.DepositFreeze, AmountFen: fen, Authority: "court", DocumentNo: "1"})
			return r.Events[0].(*bank.DepositFrozen).HoldID
		}
		first, second := freeze(2_000_000), freeze(400_000)
		taken := o.done(&bank.DeductDeposit{Deposit: deposit, Hold: first, AmountFen: 300_000, DocumentNo: "2"})
		release := o.call(&bank.ReleaseDepositHold{Deposit: deposit, Hold: first})
		redeem := o.call(&bank.RedeemDeposit{Deposit: deposit, All: true})
		o.send(release, redeem)()
		if release.Receipt.Refusal != nil || codeOf(redeem.Receipt.Refusal) != bank.DepositHeld {
			t.Errorf("released: %v, and behind it redeemed: %v", release.Receipt.Refusal, redeem.Receipt.Refusal)
		}
		o.done(&bank.DeductDeposit{Deposit: deposit, Hold: second, AmountFen: 150_000, DocumentNo: "3"})
		o.done(&bank.RemitDeduction{Deduction: taken.Events[0].(*bank.DepositDeducted).DeductionID, Success: true})
		// What was given to the second stands under the release; asking about either business finds all its parts.
		for _, business := range []bank.TxnID{first, second, release.Receipt.Txn} {
			if r := o.do(&bank.ReverseTransaction{Transfer: business, Reason: "mistaken"}); r.Refusal == nil {
				t.Errorf("%s was reversed", business)
			}
		}
		id := bank.LedgerID(20110201, uint64(no.Customer()), deposit.Seq())
		found, err := o.node.options.Books.LookupAccounts(t.Context(), []ledger.Uint128{ledger.Uint128(id), ledger.Uint128(judicial())})
		if err != nil || len(found) != 2 {
			t.Fatal(found, err)
		}
		if d := found[0]; net(d.CreditsPosted, d.DebitsPosted) != 550_000 || net(d.DebitsPending, ledger.Uint128{}) != 250_000 {
			t.Errorf("the deposit in the ledger: %+v", d)
		}
		if j := found[1]; net(j.CreditsPosted, j.DebitsPosted) != 150_000 || net(j.DebitsPending, ledger.Uint128{}) != 150_000 {
			t.Errorf("judicial deductions to be remitted: %+v", j)
		}
		if r := o.do(&bank.RedeemDeposit{Deposit: deposit, AmountFen: 300_001}); codeOf(r.Refusal) != bank.DepositHeld {
			t.Errorf("a fen of the freeze: %v", r.Refusal)
		}
		o.done(&bank.RedeemDeposit{Deposit: deposit, AmountFen: 300_000})
	})
}

// A delayed payment's money is out of everybody's reach; let go, it is the payee's in one chain.
func TestADelayedPaymentIsLetGoOverEitherLedger(t *testing.T) {
	withBothLedgers(t, func(t *testing.T, o *office) {
		payer, payee := o.customer("a", 1_000), o.customer("b", 0)
		ask := func(fen int64) bank.Receipt {
			return o.done(&bank.DelayPayment{Internal: &bank.TransferInternal{Payer: payer, Payee: payee, AmountFen: fen}, Reason: "r"})
		}
		first, second := ask(600), ask(300)
		if v := o.balance(payer); v.PostedFen != 1_000 || v.AvailableFen != 100 || len(v.Delayed) != 2 {
			t.Fatalf("while they wait: %+v", v)
		}
		if r := o.do(&bank.TransferInternal{Payer: payer, Payee: payee, AmountFen: 101}); codeOf(r.Refusal) != bank.InsufficientFunds {
			t.Errorf("a fen of what waits: %v", r.Refusal)
		}
		release, again := o.call(&bank.ReleasePayment{Transfer: first.Txn}), o.call(&bank.ReleasePayment{Transfer: first.Txn})
		refuse := o.call(&bank.EndDelay{Transfer: second.Txn, Result: bank.DelayRefused})
		o.send(release, again, refuse)()
		if release.Receipt.Refusal != nil || refuse.Receipt.Refusal != nil || codeOf(again.Receipt.Refusal) != bank.PaymentNotDelayed {
			t.Errorf("let go: %v, twice: %v, refused: %v", release.Receipt.Refusal, again.Receipt.Refusal, refuse.Receipt.Refusal)
		}
		if v := o.balance(payer); v.PostedFen != 400 || v.AvailableFen != 400 || v.Delayed != nil {
			t.Errorf("the payer: %+v", v)
		}
		if v := o.balance(payee); v.PostedFen != 600 {
			t.Errorf("the payee: %+v", v)
		}
		s := o.node.slot(payee.Customer())
		s.mu.Lock()
		standing := *s.desk.Standing(payee)
		s.mu.Unlock()
		if day, _ := standing.In.On(o.node.Today()); standing.ReservedFen != 0 || standing.AdmittedFen != 0 || day != 600 {
			t.Errorf("the payee's desk: %+v", standing)
		}
	})
}

// An account that is never opened is closed in the ledger; one whose first money comes is not.
func TestAnApplicationEndsOrOpensOverEitherLedger(t *testing.T) {
	withBothLedgers(t, func(t *testing.T, o *office) {
		customer := o.customer("a", 1_000).Customer()
		apply := func() bank.AccountNo {
			r := o.done(&bank.OpenAccount{Customer: customer, Class: 2, Card: bank.CardSealed{Token: "card"}, Apply: true})
			return r.Events[0].(*bank.AccountApplied).AccountNo
		}
		rejected, opened := apply(), apply()
		o.done(&bank.AnswerCardCheck{Account: rejected, Reason: "not his"})
		if r := o.do(&bank.TransferIn{Account: rejected, AmountFen: 1}); codeOf(r.Refusal) != bank.AccountClosed {
			t.Errorf("paid into: %v", r.Refusal)
		}
		o.fund(opened, 700)
		if v := o.balance(opened); v.State != string(bank.AccountNormal) || v.PostedFen != 700 {
			t.Errorf("opened: %+v", v)
		}
		id := bank.LedgerID(bank.DetailClassI+1, uint64(customer), uint32(rejected.Index()))
		found, err := o.node.options.Books.LookupAccounts(t.Context(), []ledger.Uint128{ledger.Uint128(id)})
		if err != nil || len(found) != 1 || found[0].Flags&ledger.AccountClosed == 0 {
			t.Errorf("rejected, in the ledger: %+v %v", found, err)
		}
	})
}

// Of two redemptions of one deposit at once, the second finds what the first has left.
func TestASecondRedemptionInFlightFindsWhatTheFirstLeaves(t *testing.T) {
	withBothLedgers(t, func(t *testing.T, o *office) {
		no := o.customer("a", 1_000_000)
		deposit := o.done(&bank.BuyDeposit{Account: no, Product: bank.ProductJFC3M, AmountFen: 1_000_000}).Events[0].(*bank.DepositOpened).DepositNo
		part, rest := o.call(&bank.RedeemDeposit{Deposit: deposit, AmountFen: 600_000}), o.call(&bank.RedeemDeposit{Deposit: deposit, AmountFen: 600_000})
		all, again := o.call(&bank.RedeemDeposit{Deposit: deposit, All: true}), o.call(&bank.RedeemDeposit{Deposit: deposit, All: true})
		o.send(part, rest, all, again)()
		for i, want := range []bank.RefusalCode{bank.NoRefusal, bank.OverDeposit, bank.NoRefusal, bank.DepositClosed} {
			if c := []*bank.Call{part, rest, all, again}[i]; codeOf(c.Receipt.Refusal) != want || c.Err != nil {
				t.Errorf("redemption %d: %v %v, want %s", i+1, c.Receipt.Refusal, c.Err, want)
			}
		}
		if v := o.balance(no); v.PostedFen != 1_000_000 {
			t.Errorf("the account: %+v", v)
		}
	})
}
