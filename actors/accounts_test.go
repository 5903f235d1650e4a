package actors

import (
	"fmt"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// withBothLedgers runs a test with a ledger in the process and with one elsewhere.
func withBothLedgers(t *testing.T, test func(t *testing.T, o *office)) {
	t.Run("here", func(t *testing.T) { test(t, openOffice(t, newMemoryJournal())) })
	t.Run("elsewhere", func(t *testing.T) { test(t, openBranch(t, newMemoryJournal(), newEngine()).office) })
}

// more opens another account of a customer.
func (o *office) more(of bank.AccountNo, class bank.Class) bank.AccountNo {
	o.tb.Helper()
	r := o.do(&bank.OpenAccount{Customer: of.Customer(), Class: class, FaceToFace: true, Card: bank.CardSealed{Token: "card"}})
	return r.Events[0].(*bank.AccountOpened).AccountNo
}

// done does a command that has to succeed.
func (o *office) done(cmd bank.Command) bank.Receipt {
	o.tb.Helper()
	r := o.do(cmd)
	if r.Refusal != nil {
		o.tb.Fatalf("%s %+v: %v", cmd.Operation(), cmd, r.Refusal)
	}
	return r
}

// fund puts money on an account from its bound card.
func (o *office) fund(no bank.AccountNo, fen int64) {
	o.tb.Helper()
	r := o.done(&bank.TransferIn{Account: no, AmountFen: fen})
	o.done(&bank.ChannelResult{Transfer: r.Txn, Success: true})
}

// holds shows an account when the bank has given itself no command any more: what came in is held.
func (o *office) holds(no bank.AccountNo) bank.AccountView {
	o.tb.Helper()
	until(o.tb, "holds are filled", func() bool {
		v := o.balance(no)
		short := int64(0)
		for _, h := range v.Holds {
			short += h.ShortfallFen
		}
		return o.node.UnderWay() == 0 && (short == 0 || v.AvailableFen == 0)
	})
	return o.balance(no)
}

// Two payers who together would take a class Ⅲ account over its cap are not both let in, however close they come.
func TestOfTwoCreditsThatTogetherPassTheCapOneIsRefused(t *testing.T) {
	withBothLedgers(t, func(t *testing.T, o *office) {
		a, b := o.customer("a", 1_000_000), o.customer("b", 1_000_000)
		for i := range 20 {
			no := o.more(o.customer(fmt.Sprint("c", i), 0), 3)
			o.fund(no, 185_000)
			calls := []*bank.Call{
				o.call(&bank.TransferInternal{Payer: a, Payee: no, AmountFen: 7_500}),
				o.call(&bank.TransferInternal{Payer: b, Payee: no, AmountFen: 7_600}),
			}
			o.send(calls...)()
			refused := 0
			for _, c := range calls {
				if c.Err != nil {
					t.Fatal(c.Err)
				}
				if r := c.Receipt.Refusal; r != nil {
					refused++
					if r.Code != bank.BalanceCap {
						t.Fatal(r)
					}
				}
			}
			if v := o.balance(no); refused != 1 || v.PostedFen > 200_000 || v.PostedFen < 192_500 {
				t.Fatalf("%d refused, the account has %d", refused, v.PostedFen)
			}
		}
	})
}

// The desk's count and the ledger's chain agree to the fen.
func TestTheCapHoldsToTheFen(t *testing.T) {
	withBothLedgers(t, func(t *testing.T, o *office) {
		payer := o.customer("payer", 1_000_000)
		no := o.more(o.customer("c", 0), 3)
		o.fund(no, 150_000)
		o.done(&bank.PlaceHold{Account: no, Kind: bank.Pledge, AmountFen: 150_000}) // what is held is still there
		for _, c := range []struct {
			fen  int64
			code bank.RefusalCode
		}{{50_001, bank.BalanceCap}, {50_000, ""}, {1, bank.BalanceCap}} {
			r := o.do(&bank.TransferInternal{Payer: payer, Payee: no, AmountFen: c.fen})
			if got := codeOf(r.Refusal); got != c.code {
				t.Errorf("%d fen: %s, want %s", c.fen, got, c.code)
			}
		}
		if v := o.balance(no); v.PostedFen != 200_000 || v.AvailableFen != 50_000 {
			t.Errorf("the account: %+v", v)
		}
		// The ledger alone would refuse it, too.
		s := o.node.slot(no.Customer())
		s.mu.Lock()
		s.desk.Standing(no).Demand.BalanceFen = 0
		s.mu.Unlock()
		o.done(&bank.ReleaseHold{Hold: o.balance(no).Holds[0].ID})
		if r := o.do(&bank.TransferInternal{Payer: payer, Payee: no, AmountFen: 1}); codeOf(r.Refusal) != bank.BalanceCap {
			t.Errorf("the ledger let it pass: %v", r.Refusal)
		}
	})
}

func codeOf(r *bank.Refusal) bank.RefusalCode {
	if r == nil {
		return bank.NoRefusal
	}
	return r.Code
}

// Scenario S1 of the domain, from the freeze on: a court freezes more than there is, later credits are held as
// they arrive, it takes a part, and the rest is let go.
func TestAFreezeLargerThanTheBalanceHoldsWhatComesIn(t *testing.T) {
	withBothLedgers(t, func(t *testing.T, o *office) {
		payer, no := o.customer("payer", 100_000), o.customer("b", 4_088_600)
		freeze := o.done(&bank.RestrictAccount{
			Account: no, Kind: bank.PartialFrozen, Authority: "court", DocumentNo: "1", AmountFen: 5_000_000,
		})
		id := freeze.Events[0].(*bank.AccountRestricted).ID
		if v := o.balance(no); v.AvailableFen != 0 || v.PendingOutFen != 4_088_600 {
			t.Fatalf("frozen: %+v", v)
		}
		o.done(&bank.TransferInternal{Payer: payer, Payee: no, AmountFen: 100_000})
		if v := o.holds(no); v.AvailableFen != 0 || v.Holds[0].HeldFen != 4_188_600 || v.Holds[0].ShortfallFen != 811_400 {
			t.Fatalf("after a credit: %+v", v)
		}
		d := o.done(&bank.DeductHold{Hold: id, AmountFen: 1_500_000, DocumentNo: "2"})
		if v := o.balance(no); v.PostedFen != 2_688_600 || v.AvailableFen != 0 || v.Holds[0].HeldFen != 2_688_600 {
			t.Fatalf("after the deduction: %+v", v)
		}
		deduction := d.Events[0].(*bank.HoldDeducted).DeductionID
		if r := o.do(&bank.DeductHold{Hold: id, AmountFen: 2_688_601, DocumentNo: "2"}); codeOf(r.Refusal) != bank.OverHold {
			t.Errorf("a fen more than is held: %v", r.Refusal)
		}
		o.done(&bank.RemitDeduction{Deduction: deduction})
		o.done(&bank.RemitDeduction{Deduction: deduction, Success: true})
		found, err := o.node.options.Books.LookupAccounts(t.Context(), []ledger.Uint128{ledger.Uint128(judicial())})
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		if payable := found[0]; payable.CreditsPosted != payable.DebitsPosted || !payable.DebitsPending.IsZero() {
			t.Errorf("judicial deductions to be remitted: %+v", payable)
		}
		o.done(&bank.ReleaseRestriction{Restriction: id})
		if v := o.balance(no); v.AvailableFen != 2_688_600 || v.PendingOutFen != 0 {
			t.Errorf("let go: %+v", v)
		}
	})
}

func judicial() bank.U128 {
	subject, _ := bank.SubjectOf(bank.DetailJudicial)
	return subject.Account(0, 0, bank.U128{}).ID
}

// The next freeze has what the first lets go before its customer can move it.
func TestAWaitingFreezeTakesOver(t *testing.T) {
	withBothLedgers(t, func(t *testing.T, o *office) {
		no := o.customer("a", 1_000)
		restrict := func(kind bank.Restriction, fen int64) bank.TxnID {
			r := o.done(&bank.RestrictAccount{Account: no, Kind: kind, Authority: "court", DocumentNo: "1", AmountFen: fen})
			return r.Events[0].(*bank.AccountRestricted).ID
		}
		first, second := restrict(bank.FrozenAll, 0), restrict(bank.PartialFrozen, 700)
		release := o.call(&bank.ReleaseRestriction{Restriction: first})
		out := o.call(&bank.TransferOut{Account: no, AmountFen: 1_000, Bound: true})
		wait := o.send(release, out)
		wait()
		if codeOf(out.Receipt.Refusal) != bank.FundsFrozen || release.Receipt.Refusal != nil {
			t.Errorf("released: %v, and behind it a transfer out: %v, %v", release.Receipt.Refusal, out.Receipt.Refusal, out.Err)
		}
		v := o.holds(no)
		if v.AvailableFen != 300 || len(v.Restrictions) != 1 || v.Restrictions[0].ID != second || v.Restrictions[0].Queue != 0 {
			t.Errorf("taken over: %+v", v)
		}
	})
}

// A closed account takes nothing any more, not even what was on its way when it closed.
func TestAClosedAccountIsClosedInTheLedger(t *testing.T) {
	withBothLedgers(t, func(t *testing.T, o *office) {
		payer, no := o.customer("payer", 1_000), o.customer("a", 700)
		other := o.more(no, 2)
		o.done(&bank.PrepareClosing{Account: no})
		r := o.done(&bank.CloseAccount{Account: no, To: other})
		if e := r.Events[len(r.Events)-1].(*bank.AccountClosure); e.PayoutFen != 700 {
			t.Errorf("paid out: %+v", e)
		}
		if v := o.balance(other); v.PostedFen != 700 {
			t.Errorf("the other account: %+v", v)
		}
		if v := o.balance(no); v.State != "CLOSED" || v.PostedFen != 0 {
			t.Errorf("the closed account: %+v", v)
		}
		// As if the payer's permit were from before.
		s := o.node.slot(no.Customer())
		s.mu.Lock()
		s.desk.Standing(no).State = bank.AccountNormal
		s.mu.Unlock()
		if r := o.do(&bank.TransferInternal{Payer: payer, Payee: no, AmountFen: 1}); codeOf(r.Refusal) != bank.PayeeClosed {
			t.Errorf("the ledger let it in: %v", r.Refusal)
		}
	})
}

// What the desks say of balances is what the ledger has: the cap and the holds rest on it.
func TestTheDesksBalanceIsTheLedgers(t *testing.T) {
	withBothLedgers(t, func(t *testing.T, o *office) {
		a, b := o.customer("a", 300_000), o.customer("b", 0)
		o.done(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 1_234})
		o.done(&bank.TransferOut{Account: a, AmountFen: 5_000, Bound: true})
		o.done(&bank.TransferIn{Account: a, AmountFen: 70})
		o.done(&bank.BuyDeposit{Account: a, Product: bank.ProductJFC3M, AmountFen: 10_000})
		o.done(&bank.RestrictAccount{Account: a, Kind: bank.PartialFrozen, Authority: "court", DocumentNo: "1", AmountFen: 100_000})
		o.done(&bank.PlaceHold{Account: b, Kind: bank.Pledge, AmountFen: 1_000})
		for _, no := range []bank.AccountNo{a, b} {
			v := o.holds(no)
			s := o.node.slot(no.Customer())
			s.mu.Lock()
			standing := *s.desk.Standing(no)
			s.mu.Unlock()
			if standing.BalanceFen() != v.PostedFen || standing.Apart.OutFen != v.PendingOutFen || standing.Apart.InFen != v.PendingInFen {
				t.Errorf("the desk says %d, %+v; the ledger %+v", standing.BalanceFen(), standing.Apart, v)
			}
		}
	})
}

// A hold that found nothing in the ledger, though the desk still shows money, is not to be filled again at once: the
// bank would ask itself for the same until the reversal that took the money is shown.
func TestAHoldThatFoundNothingIsNotFilledAgainAtOnce(t *testing.T) {
	no := bank.NewAccountNo(1, 1, 0)
	for held, follows := range map[int64]int{0: 0, 1: 1} {
		s := &slot{customer: bank.Customer{No: 1}}
		s.desk.Accounts = []bank.Standing{{Account: no, Stopped: &bank.Stopped{ShortFen: 5}}}
		s.desk.Accounts[0].Demand.BalanceFen = 10
		d := &draft{own: s, decision: bank.Decision{Events: []bank.Event{&bank.HoldPlaced{AccountNo: no, AmountFen: held}}}}
		d.publish()
		if len(d.follows) != follows {
			t.Errorf("%d held: %d commands follow", held, len(d.follows))
		}
	}
}
