package actors

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// both runs a test over either kind of ledger.
func both(t *testing.T, test func(t *testing.T, o *office)) {
	t.Run("ledger here", func(t *testing.T) { test(t, openOffice(t, newMemoryJournal())) })
	t.Run("ledger elsewhere", func(t *testing.T) { test(t, openBranch(t, newMemoryJournal(), newEngine()).office) })
}

// accept carries out what must be done.
func (o *office) accept(cmd bank.Command) bank.Receipt {
	o.tb.Helper()
	r := o.do(cmd)
	if r.Refusal != nil {
		o.tb.Fatalf("%s: %v", cmd.Operation(), r.Refusal)
	}
	return r
}

// If the permit to credit an account were asked of its owner's actor, two customers who pay each other at once
// would wait for each other for ever, and so would a ring of a thousand.
func TestCustomersWhoPayEachOtherAtOnceDoNotWaitForEachOther(t *testing.T) {
	both(t, func(t *testing.T, o *office) {
		ring := 1000
		if testing.Short() {
			ring = 100
		}
		var accounts []bank.AccountNo
		for i := range ring {
			accounts = append(accounts, o.customer(fmt.Sprint(i), 100))
		}
		var calls []*bank.Call
		for range 2 {
			for i, from := range accounts {
				calls = append(calls, o.call(&bank.TransferInternal{Payer: from, Payee: accounts[(i+1)%ring], AmountFen: 10}))
				calls = append(calls, o.call(&bank.TransferInternal{Payer: accounts[(i+1)%ring], Payee: from, AmountFen: 5}))
			}
		}
		o.send(calls...)()
		for _, call := range calls {
			if call.Err != nil || call.Receipt.Refusal != nil {
				t.Fatalf("%+v: %v %v", call.Command, call.Err, call.Receipt.Refusal)
			}
		}
		for _, no := range accounts {
			if v := o.balance(no); v.AvailableFen != 100 {
				t.Fatalf("%s has %d", no, v.AvailableFen)
			}
		}
	})
}

// A payee whose actor is busy, waiting for a ledger or a channel say, can be paid all the same.
func TestAPayeeWhoIsBusyCanBePaid(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	a, b := o.customer("a", 100), o.customer("b", 0)
	busy, done := make(chan struct{}), make(chan struct{})
	q := NewQuery(b.Customer(), func(*View) { close(busy); <-done })
	pid, err := o.node.Shard(b.Customer().Shard())
	if err != nil {
		t.Fatal(err)
	}
	if a.Customer().Shard() == b.Customer().Shard() {
		t.Fatal("the two must not share a shard")
	}
	o.node.System().Root.Send(pid, q)
	<-busy
	o.accept(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 60})
	close(done)
	if err := q.Wait(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if v := o.balance(b); v.AvailableFen != 60 {
		t.Errorf("%d", v.AvailableFen)
	}
}

// The ledger says last whether an account is open: a payee closed between permit and chain is refused by name.
func TestAPayeeClosedBetweenPermitAndChainIsRefused(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	a, b := o.customer("a", 100), o.customer("b", 0)
	standing := bank.Standing{Account: b, Product: bank.ProductClassI}
	_, owner, _ := bank.SplitLedgerID(standing.LedgerID())
	closing := ledger.Transfer{
		ID: ledger.U64(1), DebitAccountID: ledger.Uint128(standing.LedgerID()), CreditAccountID: ledger.Uint128(bank.ClearingLedgerID(bank.ChannelIBPS, a.Customer().Shard())),
		Ledger: bank.LedgerCNY, Code: 1172, Flags: ledger.TransferPending | ledger.TransferClosingDebit,
	}
	if owner != uint64(b.Customer()) {
		t.Fatal("not the payee's account")
	}
	if got := o.engine.ExecuteTransfers(uint64(testClock().UnixNano())+1e9, []ledger.Transfer{closing}, nil); got[0].Status != ledger.TransferCreated {
		t.Fatalf("closing: %s", got[0].Status)
	}
	if r := o.do(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 10}).Refusal; r == nil || r.Code != bank.PayeeClosed {
		t.Errorf("%v", r)
	}
}

// How much of a reversed payment was still there only the ledger knows; events, desks and balances must say the
// same of it, here and after a restart.
func TestTheShortfallOfAReversalIsWhatTheLedgerSays(t *testing.T) {
	for _, spent := range []int64{0, 1, 700, 1000} {
		both(t, func(t *testing.T, o *office) {
			a, b, c := o.customer("a", 1000), o.customer("b", 0), o.customer("c", 0)
			paid := o.accept(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 1000})
			if spent > 0 {
				o.accept(&bank.TransferInternal{Payer: b, Payee: c, AmountFen: spent})
			}
			o.accept(&bank.ReverseTransaction{Transfer: paid.Txn, Reason: "twice"})
			if o.balance(a).AvailableFen != 1000 || o.balance(b).AvailableFen != 0 || o.balance(c).AvailableFen != spent {
				t.Errorf("a %d, b %d, c %d", o.balance(a).AvailableFen, o.balance(b).AvailableFen, o.balance(c).AvailableFen)
			}
			if r := o.do(&bank.ReverseTransaction{Transfer: paid.Txn, Reason: "again"}).Refusal; r == nil || r.Code != bank.AlreadyReversed {
				t.Errorf("twice: %v", r)
			}
			standing := o.node.slot(b.Customer()).desk.Standing(b)
			if standing.AdvanceFen != spent || standing.BalanceFen() != 0 {
				t.Errorf("the desk says %d owed, %d there", standing.AdvanceFen, standing.BalanceFen())
			}
			later := o.accept(&bank.CreditInbound{Account: b, AmountFen: 400})
			want := max(0, 400-spent)
			if later.Balances[0].AvailableFen != want || o.balance(b).AvailableFen != want || standing.AdvanceFen != max(0, spent-400) {
				t.Errorf("after 400 came in: receipt %d, balance %d, owed %d", later.Balances[0].AvailableFen, o.balance(b).AvailableFen, standing.AdvanceFen)
			}
			if standing.BalanceFen() != want {
				t.Errorf("the desk says %d", standing.BalanceFen())
			}
		})
	}
}

// A house's suspense lives like a customer's account: over a restart too.
func TestWhatTheHouseKeepsIsThereAfterARestart(t *testing.T) {
	j := newMemoryJournal()
	o := openOffice(t, j)
	a := o.customer("a", 0)
	house := bank.HouseNo(a.Customer().Shard())
	held := o.accept(&bank.BookSuspense{House: house, Kind: bank.Held, Channel: bank.ChannelIBPS, AmountFen: 500, ChannelSerial: "S", Reason: "name"}).Txn
	pending := o.accept(&bank.TransferIn{Account: a, AmountFen: 50}).Txn
	o.accept(&bank.MarkUnknown{Transfer: pending})
	again := openOffice(t, j.reopened())
	if again.channel.count() != 1 || !again.channel.asked[0].Again || !again.channel.asked[0].Unknown {
		t.Errorf("the channel is asked %+v", again.channel.asked)
	}
	again.accept(&bank.EndSuspense{Txn: held, Way: bank.ToAccount, Account: a, AmountFen: 500})
	if v := again.balance(a); v.AvailableFen != 500 {
		t.Errorf("%d", v.AvailableFen)
	}
	if n := again.node.Customers(); n != 1 {
		t.Errorf("%d customers: the house is none", n)
	}
}

// Whoever pays himself is payer and payee. When he repeats his command he must be told what he was told first, not
// also what happened to him as the payee.
func TestARepeatedReversalBetweenOnesOwnAccountsIsToldTheSame(t *testing.T) {
	both(t, func(t *testing.T, o *office) {
		a := o.customer("a", 1000)
		b := o.more(a, 2)
		twice := func(cmd bank.Command) {
			call := o.call(cmd)
			o.send(call)()
			repeat := again(call)
			o.send(repeat)()
			if call.Err != nil || repeat.Err != nil || len(call.Receipt.Events) != 1 || len(repeat.Receipt.Events) != 1 {
				t.Errorf("first %+v %v, repeated %+v %v", call.Receipt.Events, call.Err, repeat.Receipt.Events, repeat.Err)
			}
		}
		paid := o.accept(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 600})
		o.accept(&bank.TransferOut{Account: b, AmountFen: 100, Bound: true}) // so that he will owe it
		twice(&bank.ReverseTransaction{Transfer: paid.Txn, Reason: "mistake"})
		twice(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 70}) // which collects it
	})
}

// A reversal takes money off an account whose owner decides at the same time how much of it is to be frozen, or paid
// out as the account is closed. What his event says must be what the ledger found: a deduction of what was not held
// would stop the process.
func TestWhatAReversalTakesMeanwhileIsNotHeldOrPaidOut(t *testing.T) {
	for name, c := range map[string]struct {
		cmd   func(bank.AccountNo) bank.Command
		check func(*testing.T, bank.Receipt)
	}{
		"frozen": {
			func(no bank.AccountNo) bank.Command {
				return &bank.RestrictAccount{Account: no, Kind: bank.FrozenAll, Authority: "court", DocumentNo: "1"}
			},
			func(t *testing.T, r bank.Receipt) {
				placed := r.Events[1].(*bank.HoldPlaced)
				if placed.AmountFen != 400 || placed.ShortfallFen != bank.AmountMaxFen-400 {
					t.Errorf("%+v", placed)
				}
			},
		},
		"pledged": {
			func(no bank.AccountNo) bank.Command {
				return &bank.PlaceHold{Account: no, Kind: bank.Pledge, AmountFen: 500}
			},
			func(t *testing.T, r bank.Receipt) {
				if r.Refusal == nil || r.Refusal.Code != bank.InsufficientFunds {
					t.Errorf("%+v", r)
				}
			},
		},
		"closed": {
			func(no bank.AccountNo) bank.Command { return &bank.CloseAccount{Account: no} },
			func(t *testing.T, r bank.Receipt) {
				if closed := r.Events[0].(*bank.AccountClosure); closed.PayoutFen != 400 {
					t.Errorf("%+v", closed)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := openBranch(t, newMemoryJournal(), newEngine())
			payer, no := b.customer("a", 1000), b.customer("b", 400)
			paid := b.accept(&bank.TransferInternal{Payer: payer, Payee: no, AmountFen: 1000})
			if name == "closed" {
				b.accept(&bank.PrepareClosing{Account: no})
			}
			reached, gate := make(chan struct{}), make(chan struct{})
			var first atomic.Bool
			b.link.set(func() {
				b.link.before = func(operation string, _ int) error {
					if operation == "transfers" && first.CompareAndSwap(false, true) {
						close(reached)
						<-gate
					}
					return nil
				}
			})
			call := b.call(c.cmd(no))
			wait := b.send(call)
			<-reached
			b.accept(&bank.ReverseTransaction{Transfer: paid.Txn, Reason: "mistake"})
			close(gate)
			wait()
			if call.Err != nil {
				t.Fatal(call.Err)
			}
			c.check(t, call.Receipt)
			desk, there := b.node.slot(no.Customer()).desk.Standing(no), b.balance(no)
			if desk.BalanceFen() != there.PostedFen || desk.Apart.OutFen != there.PendingOutFen {
				t.Errorf("the desk has %d and %+v, the ledger %+v", desk.BalanceFen(), desk.Apart, there)
			}
			b.agrees()
		})
	}
}

// A process that takes over a reversal between one's own accounts, whose outcome is not known, shows both sides of it.
func TestAReversalBetweenOnesOwnAccountsIsTakenOverWhole(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	from := b.customer("a", 1000)
	to := b.more(from, 2)
	paid := b.accept(&bank.TransferInternal{Payer: from, Payee: to, AmountFen: 600})
	b.link.set(func() {
		b.link.before = func(operation string, _ int) error {
			if operation == "transfers" {
				return ledger.ErrUnavailable
			}
			return nil
		}
	})
	call := b.call(&bank.ReverseTransaction{Transfer: paid.Txn, Reason: "mistake"})
	b.send(call)()
	if call.Err == nil {
		t.Fatalf("%+v", call.Receipt)
	}
	b = b.restarted()
	b.link.mend()
	b.resolved()
	for _, no := range []bank.AccountNo{from, to} {
		there := b.balance(no)
		if desk := b.node.slot(no.Customer()).desk.Standing(no); desk.BalanceFen() != there.PostedFen {
			t.Errorf("%s: the desk has %d, the ledger %d", no, desk.BalanceFen(), there.PostedFen)
		}
	}
	b.agrees()
}

// A payment that is refused must not use up what its payee may receive, not even until the round it is decided in is
// carried out: his own money would be refused for that of somebody who has none.
func TestARefusedPaymentReservesNothingInItsRound(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	poor, payee := o.customer("poor", 0), o.customer("payee", 0)
	payee = o.done(&bank.OpenAccount{Customer: payee.Customer(), Class: 2, FaceToFace: true, Card: bank.CardSealed{Token: "card"}}).Events[0].(*bank.AccountOpened).AccountNo
	calls := []*bank.Call{
		o.call(&bank.TransferInternal{Payer: poor, Payee: payee, AmountFen: 900_000}),
		o.call(&bank.CreditInbound{Account: payee, AmountFen: 200_000}), // 1,000,000 may come in a day
	}
	o.inOneRound(calls...)
	if refusal := calls[0].Receipt.Refusal; refusal == nil || refusal.Code != bank.InsufficientFunds {
		t.Errorf("the payment: %v", refusal)
	}
	if refusal := calls[1].Receipt.Refusal; refusal != nil {
		t.Errorf("the credit is refused: %v", refusal)
	}
}
