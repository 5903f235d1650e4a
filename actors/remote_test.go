package actors

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

func TestATransferOverALedgerElsewhereIsAnsweredWhenItsOutcomeIsOnDisk(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.customer("x", 1000), b.customer("y", 0)
	b.journal.hold(true)
	call := b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 300})
	before := b.journal.Last()
	wait := b.send(call)
	until(t, "the intent has its place", func() bool { return b.journal.Last() == before+1 })
	if n := b.link.count("transfers"); n != 1 {
		t.Fatalf("%d calls: a chain went to the ledger whose intent is not on disk", n)
	}
	b.journal.flush(true)
	until(t, "the outcome has its place", func() bool { return b.journal.Last() == before+2 })
	answered := make(chan struct{})
	go func() { wait(); close(answered) }()
	select {
	case <-answered:
		t.Fatal("a transfer was acknowledged whose outcome the disk does not have")
	case <-time.After(50 * time.Millisecond):
	}
	b.journal.flush(true)
	<-answered
	if call.Err != nil || call.Receipt.Refusal != nil || call.Receipt.Balances[0].AvailableFen != 700 {
		t.Errorf("receipt: %+v, %v", call.Receipt, call.Err)
	}
	if v := b.balance(y); v.PostedFen != 300 {
		t.Errorf("payee has %d", v.PostedFen)
	}
	records := b.journal.records
	intent, outcome := records[before], records[before+1]
	if intent.Kind != journal.KindIntent || outcome.Kind != journal.KindOutcome || outcome.Seq != intent.Seq+1 {
		t.Errorf("records of kind %d and %d, numbers %d and %d", intent.Kind, outcome.Kind, intent.Seq, outcome.Seq)
	}
	if intent.Events[0].Seq != 0 || outcome.Events[0].Seq == 0 {
		t.Errorf("event numbers: %d intended, %d done", intent.Events[0].Seq, outcome.Events[0].Seq)
	}
}

// pay sends a payment that will meet a fault and returns the call, answered.
func (b *branch) pay(from, to bank.AccountNo, fen int64) *bank.Call {
	b.tb.Helper()
	call := b.call(&bank.TransferInternal{Payer: from, Payee: to, AmountFen: fen})
	b.send(call)()
	return call
}

// The failure table of docs/decisions/0010, one line each: whatever dies or is lost, and whenever, the
// payment is made once, and its key tells so.
func TestAPaymentIsMadeOnceWhateverDiesAndWhenever(t *testing.T) {
	const fen = 300
	for name, fault := range map[string]func(*branch, *bank.Call) *branch{
		"the process dies before the intent is on disk": func(b *branch, call *bank.Call) *branch {
			b.journal.hold(true)
			last := b.journal.Last()
			b.send(call)
			until(b.tb, "intent", func() bool { return b.journal.Last() > last })
			return b.restarted()
		},
		"the process dies before it submits": func(b *branch, call *bank.Call) *branch {
			b.link.set(func() { b.link.before = func(string, int) error { return ledger.ErrUnavailable } })
			b.send(call)()
			return b.restarted()
		},
		"the ledger is away for a while": func(b *branch, call *bank.Call) *branch {
			b.link.set(func() {
				b.link.before = func(op string, _ int) error {
					if op == "transfers" || op == "probe" {
						return ledger.ErrUnavailable
					}
					return nil
				}
			})
			b.send(call)()
			if !errors.Is(call.Err, bank.ErrLedgerUnanswered) {
				b.tb.Errorf("while the ledger is away: %+v, %v", call.Receipt, call.Err)
			}
			b.link.mend()
			return b
		},
		"the ledger's answer is lost": func(b *branch, call *bank.Call) *branch {
			b.link.loseAnswers("transfers", 1)
			b.send(call)()
			if !errors.Is(call.Err, bank.ErrLedgerUnanswered) {
				b.tb.Errorf("without an answer: %+v, %v", call.Receipt, call.Err)
			}
			return b
		},
		"the ledger's answer is lost many times": func(b *branch, call *bank.Call) *branch {
			b.link.loseAnswers("transfers", 4)
			b.send(call)()
			return b
		},
		"the answer is lost and the process dies": func(b *branch, call *bank.Call) *branch {
			b.link.loseAnswers("transfers", 1<<30)
			b.send(call)()
			return b.restarted()
		},
		"the balances can't be read after the chain was created": func(b *branch, call *bank.Call) *branch {
			b.link.loseAnswers("balances", 3)
			b.send(call)()
			return b
		},
		"the process dies before the outcome is on disk": func(b *branch, call *bank.Call) *branch {
			last := b.journal.Last()
			b.journal.hold(true)
			b.send(call)
			until(b.tb, "intent", func() bool { return b.journal.Last() == last+1 })
			b.journal.flush(true)
			until(b.tb, "outcome", func() bool { return b.journal.Last() == last+2 })
			return b.restarted()
		},
		"the process dies before the caller is told": func(b *branch, call *bank.Call) *branch {
			last := b.journal.Last()
			b.journal.hold(true)
			b.send(call)
			until(b.tb, "intent", func() bool { return b.journal.Last() == last+1 })
			b.journal.flush(true)
			until(b.tb, "outcome", func() bool { return b.journal.Last() == last+2 })
			b.journal.onDurable = nil
			b.journal.flush(true)
			return b.restarted()
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := openBranch(t, newMemoryJournal(), newEngine())
			x, y := b.customer("x", 1000), b.customer("y", 0)
			call := b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: fen})
			b = fault(b, call)
			var repeat *bank.Call
			until(t, "an answer", func() bool {
				repeat = again(call)
				b.send(repeat)()
				return repeat.Err == nil
			})
			if repeat.Receipt.Refusal != nil {
				t.Fatalf("refused: %+v", repeat.Receipt)
			}
			twice := again(call)
			b.send(twice)()
			if !twice.Receipt.Repeated || twice.Receipt.Txn != repeat.Receipt.Txn || twice.Receipt.Balances[0] != repeat.Receipt.Balances[0] {
				t.Errorf("first %+v, repeated %+v", repeat.Receipt, twice.Receipt)
			}
			if v, w := b.balance(x), b.balance(y); v.PostedFen != 1000-fen || w.PostedFen != fen {
				t.Errorf("payer %d, payee %d", v.PostedFen, w.PostedFen)
			}
			// The customer goes on.
			if next := b.pay(x, y, 1); next.Err != nil || next.Receipt.Refusal != nil {
				t.Errorf("the next payment: %+v, %v", next.Receipt, next.Err)
			}
			b.resolved()
			b.agrees()
		})
	}
}

// agrees rebuilds everything from the journal and compares it with the ledger and the running node: events
// without gaps, and every balance what the outcomes add up to.
func (b *branch) agrees() {
	b.tb.Helper()
	events := map[uint64]uint64{}
	sums := map[ledger.Uint128]int64{}
	pending := map[ledger.Uint128]ledger.Transfer{}
	for _, rec := range b.journal.records {
		if rec.Kind == journal.KindIntent {
			continue
		}
		for _, e := range rec.Events {
			if e.Seq != events[e.Customer]+1 {
				b.tb.Errorf("position %d: event %d after %d", rec.Position, e.Seq, events[e.Customer])
			}
			events[e.Customer] = e.Seq
		}
		if rec.Results != nil {
			continue
		}
		for _, tr := range rec.Transfers {
			switch {
			case tr.Flags&ledger.TransferPending != 0:
				pending[tr.ID] = tr
				continue
			case tr.Flags&ledger.TransferVoidPending != 0:
				continue
			case tr.Flags&ledger.TransferPostPending != 0:
				tr.DebitAccountID, tr.CreditAccountID = pending[tr.PendingID].DebitAccountID, pending[tr.PendingID].CreditAccountID
			}
			fen, _ := tr.Amount.Int64()
			sums[tr.DebitAccountID] -= fen
			sums[tr.CreditAccountID] += fen
		}
	}
	b.link.EachAccount(func(a *ledger.Account) bool {
		if got := net(a.CreditsPosted, a.DebitsPosted); got != sums[a.ID] {
			b.tb.Errorf("account %s: the ledger has %d, the journal %d", a.ID, got, sums[a.ID])
		}
		return true
	})
}

// A refusal whose answer is lost burns the transfer's id: asked again the ledger says so and no more. It
// must stay a refusal, and say that it does not know why.
func TestARefusalWhoseAnswerIsLostStaysOneAndSaysSo(t *testing.T) {
	for _, restart := range []bool{false, true} {
		b := openBranch(t, newMemoryJournal(), newEngine())
		x, y := b.customer("x", 100), b.customer("y", 0)
		b.link.loseAnswers("transfers", 1)
		call := b.pay(x, y, 300)
		if !errors.Is(call.Err, bank.ErrLedgerUnanswered) {
			t.Fatalf("%+v %v", call.Receipt, call.Err)
		}
		if restart {
			b = b.restarted()
		}
		b.resolved()
		if in := b.call(&bank.CreditInbound{Account: x, AmountFen: 1000}); true {
			b.send(in)()
			if in.Err != nil {
				t.Fatal(in.Err)
			}
		}
		for range 2 {
			repeat := again(call)
			b.send(repeat)()
			if r := repeat.Receipt.Refusal; r == nil || r.Code != bank.RefusedByLedger {
				t.Errorf("repeated: %+v, %v", repeat.Receipt, repeat.Err)
			}
		}
		if v := b.balance(y); v.PostedFen != 0 {
			t.Errorf("payee has %d", v.PostedFen)
		}
	}
}

func TestAFreshRefusalTellsItsReason(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.customer("x", 100), b.customer("y", 0)
	call := b.pay(x, y, 300)
	if r := call.Receipt.Refusal; r == nil || r.Code != bank.InsufficientFunds {
		t.Errorf("%+v %v", call.Receipt, call.Err)
	}
	repeat := again(call)
	b.send(repeat)()
	if r := repeat.Receipt.Refusal; r == nil || r.Code != bank.InsufficientFunds || !repeat.Receipt.Repeated {
		t.Errorf("%+v %v", repeat.Receipt, repeat.Err)
	}
}

// While the ledger is away nothing that needs it is written down, and what doesn't need it goes on.
func TestWhileTheLedgerIsAwayCommandsThatNeedItAreRefusedAndTheRestGoesOn(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.customer("x", 5_000_000), b.customer("y", 0)
	deposit := b.do(&bank.BuyDeposit{Account: x, Product: "SLC1Y", AmountFen: 1_000_000}).Events[0].(*bank.DepositOpened).DepositNo
	b.link.cut()
	until(t, "the ledger is seen to be away", func() bool { return !b.node.LedgerAvailable() })
	if err := b.node.Ready(); !errors.Is(err, bank.ErrLedgerUnavailable) {
		t.Errorf("ready: %v", err)
	}
	last := b.journal.Last()
	if call := b.pay(x, y, 1); !errors.Is(call.Err, bank.ErrLedgerUnavailable) {
		t.Errorf("a payment: %+v %v", call.Receipt, call.Err)
	}
	if b.journal.Last() != last {
		t.Error("a payment was written down that nobody could carry out")
	}
	if _, err := b.read(x); !errors.Is(err, bank.ErrLedgerUnavailable) {
		t.Errorf("a balance: %v", err)
	}
	var statement error
	if err := b.ask(x.Customer(), func(v *View) { _, statement = v.Statement(bank.StatementQuery{Account: x, Limit: 10}) }); !errors.Is(err, bank.ErrLedgerUnavailable) || statement != nil {
		t.Errorf("a statement: %v %v", err, statement)
	}
	var seen *bank.DepositView
	if err := b.ask(x.Customer(), func(v *View) { seen, _ = v.Deposit(deposit) }); err != nil || seen.PrincipalFen != 1_000_000 {
		t.Errorf("a deposit: %+v %v", seen, err)
	}
	if r := b.do(&bank.RegisterCustomer{IDKind: bank.ResidentID, Person: bank.PersonSealed{IDToken: "z"}}); r.Refusal != nil {
		t.Errorf("a registration: %+v", r)
	}
	if r := b.do(&bank.TransferInternal{Payer: x, Payee: x, AmountFen: 1}); r.Refusal == nil || r.Refusal.Code != bank.SameAccount {
		t.Errorf("a refusal of the bank's own: %+v", r)
	}
	b.link.mend()
	until(t, "the ledger is back", func() bool { return b.node.Ready() == nil })
	if call := b.pay(x, y, 1); call.Err != nil || call.Receipt.Refusal != nil {
		t.Errorf("a payment: %+v %v", call.Receipt, call.Err)
	}
}

// A ledger that hangs is as good as one that is gone: the caller hears within seconds.
func TestALedgerThatDoesNotAnswerCountsAsAway(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.customer("x", 1000), b.customer("y", 0)
	release := make(chan struct{})
	b.link.set(func() {
		b.link.before = func(op string, _ int) error {
			if op == "transfers" {
				select {
				case <-release:
				case <-time.After(answerMax):
				}
				return ledger.ErrOutcomeUnknown
			}
			return nil
		}
	})
	call := b.pay(x, y, 1)
	if !errors.Is(call.Err, bank.ErrLedgerUnanswered) {
		t.Errorf("%+v %v", call.Receipt, call.Err)
	}
	close(release)
	b.link.mend()
	b.resolved()
	if v := b.balance(y); v.PostedFen != 1 {
		t.Errorf("payee has %d", v.PostedFen)
	}
}

// hold makes calls of an operation wait, and tells when one does.
func (l *link) hold(operation string) (reached <-chan struct{}, release func()) {
	at, gate := make(chan struct{}, 100), make(chan struct{})
	l.set(func() {
		l.before = func(op string, _ int) error {
			if op == operation {
				at <- struct{}{}
				<-gate
			}
			return nil
		}
	})
	return at, func() { l.set(func() { l.before = nil }); close(gate) }
}

func TestCommandsBehindUnansweredOnesAreDecidedAndAnsweredInOrder(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.customer("x", 1000), b.customer("y", 0)
	reached, release := b.link.hold("transfers")
	last := b.journal.Last()
	var calls []*bank.Call
	for i := range 21 {
		calls = append(calls, b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: int64(i + 1)}))
	}
	wait := b.send(calls...)
	<-reached
	until(t, "all are decided", func() bool { return b.journal.Last() == last+21 })
	// The same key meanwhile waits for the same outcome.
	twin := again(calls[7])
	waitTwin := b.send(twin)
	other := &bank.Call{Command: calls[0].Command, Key: calls[0].Key, Body: bank.U128{Lo: 999}}
	b.send(other)()
	if r := other.Receipt.Refusal; r == nil || r.Code != bank.KeyReused {
		t.Errorf("another body under the same key: %+v %v", other.Receipt, other.Err)
	}
	release()
	wait()
	waitTwin()
	left := int64(1000)
	for i, call := range calls {
		left -= int64(i + 1)
		if call.Err != nil || call.Receipt.Refusal != nil || call.Receipt.Balances[0].PostedFen != left {
			t.Fatalf("transfer %d: %+v %v, want %d left", i, call.Receipt, call.Err, left)
		}
	}
	if !twin.Receipt.Repeated || twin.Receipt.Txn != calls[7].Receipt.Txn {
		t.Errorf("the twin: %+v %v", twin.Receipt, twin.Err)
	}
	for i, rec := range b.journal.records[last+21:] {
		if rec.Kind != journal.KindOutcome || rec.Subject != ledger.Uint128(calls[i].Receipt.Txn) {
			t.Errorf("outcome %d is of another intent: %+v", i, rec)
		}
	}
	b.agrees()
}

// Reads that don't need the ledger, and other customers' commands that don't, never wait for it.
func TestNoActorWaitsForTheLedger(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.customer("x", 1000), b.customer("y", 0)
	reached, release := b.link.hold("transfers")
	wait := b.send(b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 1}))
	<-reached
	for _, no := range []bank.CustomerNo{x.Customer(), y.Customer()} {
		var state error
		if err := b.ask(no, func(v *View) { _, state = v.Loan(0) }); err != nil || !errors.Is(state, bank.ErrNotFound) {
			t.Errorf("%v %v", err, state)
		}
	}
	if v, err := b.read(x); err != nil || v.PostedFen != 1000 {
		t.Errorf("%+v %v", v, err)
	}
	release()
	wait()
}

// What many customers decide goes to the ledger together; a request it finds too large is divided.
func TestDecisionsAreGatheredIntoFewRequests(t *testing.T) {
	for _, limit := range []int{0, 3} {
		b := openBranch(t, newMemoryJournal(), newEngine())
		var from []bank.AccountNo
		for i := range 40 {
			from = append(from, b.customer(fmt.Sprint(i), 1000))
		}
		y := b.customer("y", 0)
		b.link.limit = limit
		before := b.link.count("transfers")
		b.journal.hold(true)
		last := b.journal.Last()
		var calls []*bank.Call
		for _, x := range from {
			calls = append(calls, b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 1}))
		}
		wait := b.send(calls...)
		until(t, "intents", func() bool { return b.journal.Last() == last+journal.Position(len(from)) })
		b.journal.hold(false)
		b.journal.flush(true)
		wait()
		if v := b.balance(y); v.PostedFen != 40 {
			t.Errorf("limit %d: payee has %d", limit, v.PostedFen)
		}
		if n := b.link.count("transfers") - before; limit == 0 && n > 4 {
			t.Errorf("%d requests for 40 payments", n)
		}
	}
}

// A class II account may take 10,000 yuan a day from others. What is on its way to it counts, also when
// the node died meanwhile: otherwise two payments could pass the limit together.
func TestThePayeesPermitStaysReservedUntilTheOutcome(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, z := b.customer("x", 10_000_000), b.customer("z", 10_000_000)
	r := b.do(&bank.RegisterCustomer{IDKind: bank.ResidentID, Person: bank.PersonSealed{IDSealed: []byte("220113198506150001"), IDToken: "y"}})
	no := r.Events[0].(*bank.CustomerRegistered).CustomerNo
	y := b.do(&bank.OpenAccount{Customer: no, Class: 2, FaceToFace: true, Card: bank.CardSealed{Token: "cardy"}}).Events[0].(*bank.AccountOpened).AccountNo
	b.link.loseAnswers("transfers", 1<<30)
	first := b.pay(x, y, 900_000)
	if !errors.Is(first.Err, bank.ErrLedgerUnanswered) {
		t.Fatal(first.Receipt, first.Err)
	}
	try := func(b *branch, what string, want bank.RefusalCode) {
		t.Helper()
		var call *bank.Call
		until(t, "an answer", func() bool { call = b.pay(z, y, 200_000); return call.Err == nil })
		if r := call.Receipt.Refusal; (want == "") != (r == nil) || r != nil && r.Code != want {
			t.Errorf("%s: %+v", what, call.Receipt)
		}
	}
	try(b, "while it is on its way", bank.DayInLimit)
	j := b.die()
	b = prepareBranch(t, j, newLink(b.link.Engine))
	try(b, "after a restart", bank.DayInLimit)
	if err := b.node.Resume(); err != nil {
		t.Fatal(err)
	}
	b.resolved()
	if standing := b.node.slot(no).desk.Standing(y); standing.ReservedFen != 0 || standing.In.DayFen != 900_000 {
		t.Errorf("standing: %+v", standing)
	}
	try(b, "once it is there", bank.DayInLimit)
}

func TestARefusedPaymentGivesThePayeesPermitBack(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.customer("x", 10), b.customer("y", 0)
	if call := b.pay(x, y, 300); call.Receipt.Refusal == nil {
		t.Fatal(call.Receipt, call.Err)
	}
	if standing := b.node.slot(y.Customer()).desk.Standing(y); standing.ReservedFen != 0 || standing.In.DayFen != 0 {
		t.Errorf("standing: %+v", standing)
	}
}

// The channel moves money at another bank: it must hear of a transfer when ours is certain, also when the
// caller has gone away with "unknown", and of none that was refused.
func TestTheChannelHearsOfATransferWhenTheLedgerHasIt(t *testing.T) {
	for _, restart := range []bool{false, true} {
		b := openBranch(t, newMemoryJournal(), newEngine())
		x := b.customer("x", 1000)
		b.link.loseAnswers("transfers", 1)
		call := b.call(&bank.TransferOut{Account: x, AmountFen: 400, Bound: true})
		b.send(call)()
		if !errors.Is(call.Err, bank.ErrLedgerUnanswered) {
			t.Fatal(call.Receipt, call.Err)
		}
		if restart {
			b = b.restarted()
		}
		b.resolved()
		until(t, "the channel is asked", func() bool { return b.channel.count() == 1 })
		if refused := b.call(&bank.TransferOut{Account: x, AmountFen: 601, Bound: true}); true {
			b.send(refused)()
			if refused.Receipt.Refusal == nil {
				t.Errorf("%+v %v", refused.Receipt, refused.Err)
			}
		}
		if n := b.channel.count(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		b.do(&bank.ChannelResult{Transfer: b.channel.asked[0].Transfer, Success: true})
		if v := b.balance(x); v.PostedFen != 600 || v.PendingOutFen != 0 {
			t.Errorf("settled: %+v", v)
		}
		b.agrees()
	}
}

// A node must be able to start while the ledger is away, and put itself right when it is back.
func TestANodeStartsWhileTheLedgerIsAwayAndResumesByItself(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y, z := b.customer("x", 1000), b.customer("y", 0), b.customer("z", 1000)
	b.link.loseAnswers("transfers", 1<<30)
	call := b.pay(x, y, 300)
	j, l := b.die(), newLink(b.link.Engine)
	l.cut()
	b = prepareBranch(t, j, l)
	if err := b.node.Resume(); err != nil {
		t.Fatal(err)
	}
	until(t, "the ledger is seen to be away", func() bool { return !b.node.LedgerAvailable() })
	if n := b.node.Unresolved(); n != 1 {
		t.Errorf("%d unresolved", n)
	}
	repeat := again(call)
	b.send(repeat)()
	if !errors.Is(repeat.Err, bank.ErrLedgerUnanswered) {
		t.Errorf("the same key: %+v %v", repeat.Receipt, repeat.Err)
	}
	for _, from := range []bank.AccountNo{x, z} {
		if next := b.pay(from, y, 1); !errors.Is(next.Err, bank.ErrLedgerUnavailable) {
			t.Errorf("another command: %+v %v", next.Receipt, next.Err)
		}
	}
	l.mend()
	b.resolved()
	if v := b.balance(y); v.PostedFen != 300 {
		t.Errorf("payee has %d", v.PostedFen)
	}
}

func TestAnAnswerTheRulesMakeImpossibleStopsTheNode(t *testing.T) {
	answer := func(status ...ledger.CreateTransferStatus) func([]ledger.CreateTransferResult) []ledger.CreateTransferResult {
		return func(results []ledger.CreateTransferResult) []ledger.CreateTransferResult {
			for i := range results {
				results[i].Status = status[min(i, len(status)-1)]
			}
			return results
		}
	}
	for name, change := range map[string]struct {
		answers func([]ledger.CreateTransferResult) []ledger.CreateTransferResult
		says    string
	}{
		"an account that must be there is not": {answer(ledger.TransferCreditAccountNotFound), "credit_account_not_found"},
		"an id with another amount":            {answer(ledger.TransferExistsWithDifferentAmount), "exists_with_different_amount"},
		"an answer to something else":          {func(r []ledger.CreateTransferResult) []ledger.CreateTransferResult { return r[:0] }, "with 0 results"},
	} {
		b := openBranch(t, newMemoryJournal(), newEngine())
		x, y := b.customer("x", 1000), b.customer("y", 0)
		b.link.answers = change.answers
		call := b.pay(x, y, 300)
		if !errors.Is(call.Err, bank.ErrStopping) {
			t.Errorf("%s: %+v %v", name, call.Receipt, call.Err)
		}
		select {
		case err := <-b.node.Faults():
			if !strings.Contains(err.Error(), change.says) {
				t.Errorf("%s: fault %v", name, err)
			}
		case <-time.After(time.Second):
			t.Errorf("%s: the node goes on", name)
		}
		if later := b.pay(x, y, 1); !errors.Is(later.Err, bank.ErrStopping) {
			t.Errorf("%s: afterwards %+v %v", name, later.Receipt, later.Err)
		}
	}
}

// Chains are whole or not at all; a ledger that says otherwise can't be trusted with the next one.
func TestAChainThatIsHalfThereIsABrokenInvariant(t *testing.T) {
	result := func(statuses ...ledger.CreateTransferStatus) (out []ledger.CreateTransferResult) {
		for _, s := range statuses {
			out = append(out, ledger.CreateTransferResult{Status: s})
		}
		return out
	}
	const made, failed, exists = ledger.TransferCreated, ledger.TransferLinkedEventFailed, ledger.TransferExists
	for _, half := range [][]ledger.CreateTransferResult{
		result(made, exists), result(failed, exists), result(exists, exists), result(failed, failed), result(made, failed),
		result(exists, ledger.TransferIDAlreadyFailed),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v is taken for an answer", half)
				}
			}()
			chainResult(half)
		}()
	}
	for _, whole := range []struct {
		results           []ledger.CreateTransferResult
		refused, repeated bool
	}{
		{result(), false, false}, {result(made, made), false, false}, {result(exists), false, true}, {result(exists, failed, failed), false, true},
		{result(failed, ledger.TransferExceedsCredits, failed), true, false}, {result(failed, ledger.TransferIDAlreadyFailed), true, false},
	} {
		if refused, repeated := chainResult(whole.results); refused != whole.refused || repeated != whole.repeated {
			t.Errorf("%v: refused %t, repeated %t", whole.results, refused, repeated)
		}
	}
}

func TestAJournalIsNotOpenedWithAnotherLedgerThanItsOwn(t *testing.T) {
	elsewhere := openBranch(t, newMemoryJournal(), newEngine())
	elsewhere.customer("x", 1)
	here := openOffice(t, newMemoryJournal())
	here.customer("x", 1)
	n := NewNode(Options{Engine: newEngine(), Clock: testClock, Catalogue: bank.DefaultCatalogue(), Logger: here.node.options.Logger})
	if err := n.Recover(t.Context(), elsewhere.journal.reopened()); !errors.Is(err, ErrOtherLedger) {
		t.Errorf("a journal with intents: %v", err)
	}
	n = NewNode(Options{Ledger: newLink(newEngine()), Clock: testClock, Catalogue: bank.DefaultCatalogue(), Logger: here.node.options.Logger})
	if err := n.Recover(t.Context(), here.journal.reopened()); !errors.Is(err, ErrOtherLedger) {
		t.Errorf("a journal with decisions on money: %v", err)
	}
}

// What verify compares must be compared at one moment: no chain may be in the ledger without its outcome.
func TestAtRestTheLedgerHoldsWhatTheJournalSays(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.customer("x", 1000), b.customer("y", 0)
	reached, release := b.link.hold("balances") // the chain is in the ledger, its outcome is not in the journal
	wait := b.send(b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 300}))
	<-reached
	looked := make(chan journal.Position, 1)
	go func() {
		_ = b.node.AtRest(context.Background(), func(p journal.Position) error { looked <- p; return nil })
	}()
	select {
	case <-looked:
		t.Error("looked while a chain had no outcome")
	case <-time.After(50 * time.Millisecond):
	}
	release()
	wait()
	<-looked
	err := b.node.AtRest(t.Context(), func(p journal.Position) error {
		call := b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 1})
		b.send(call)
		until(t, "the intent is on disk", func() bool { return b.journal.Durable() > p })
		time.Sleep(20 * time.Millisecond)
		if n := b.link.count("transfers"); n != 2 {
			t.Errorf("%d requests: the ledger moved while it was looked at", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	b.resolved()
	b.link.cut()
	until(t, "away", func() bool { return !b.node.LedgerAvailable() })
	if err := b.node.AtRest(t.Context(), func(journal.Position) error { return nil }); !errors.Is(err, bank.ErrLedgerUnavailable) {
		t.Errorf("without a ledger: %v", err)
	}
}

func TestAFaultTellsEveryoneWhoWaitsForTheLedger(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.customer("x", 1000), b.customer("y", 0)
	reached, release := b.link.hold("transfers")
	first := b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 1})
	behind := b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 1})
	wait := b.send(first, behind)
	<-reached
	b.node.Fault(journal.ErrStopped)
	wait()
	release()
	later := b.pay(x, y, 1)
	for i, call := range []*bank.Call{first, behind, later} {
		if !errors.Is(call.Err, bank.ErrStopping) {
			t.Errorf("call %d: %+v %v", i, call.Receipt, call.Err)
		}
	}
}

// Every payment credits or debits accounts of the bank's own; asking for them each time would double the
// requests.
func TestAccountsKnownToExistAreNotAskedForAgain(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x := b.customer("x", 1000)
	before := b.link.count("accounts")
	for range 3 {
		b.do(&bank.CreditInbound{Account: x, AmountFen: 1})
	}
	if n := b.link.count("accounts") - before; n != 0 {
		t.Errorf("asked %d times", n)
	}
	b = b.restarted()
	for range 3 {
		b.do(&bank.CreditInbound{Account: x, AmountFen: 1})
	}
	if n := b.link.count("accounts"); n != 1 {
		t.Errorf("after a restart asked %d times", n)
	}
	b.agrees()
}

func TestStatementsAndOverviewsAreReadFromALedgerElsewhere(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.customer("x", 5_000_000), b.customer("y", 0)
	applied := b.do(&bank.ApplyLoan{Customer: x.Customer(), Product: "NJD", AmountFen: 5_000_000, TermMonths: 12, Purpose: "农机", IncomeFen: 800_000})
	if applied.Refusal != nil {
		t.Fatal(applied.Refusal)
	}
	b.pay(x, y, 300)
	b.pay(x, y, 200)
	var page *bank.StatementPage
	if err := b.ask(x.Customer(), func(v *View) { page, _ = v.Statement(bank.StatementQuery{Account: x, Limit: 2}) }); err != nil {
		t.Fatal(err)
	}
	if len(page.Entries) != 2 || page.Entries[1].AmountFen != 300 || page.Entries[1].BalanceAfterFen != 5_000_000-300 || page.Next == 0 {
		t.Errorf("first page: %+v", page)
	}
	if err := b.ask(x.Customer(), func(v *View) { page, _ = v.Statement(bank.StatementQuery{Account: x, After: page.Next, Limit: 2}) }); err != nil {
		t.Fatal(err)
	}
	if len(page.Entries) != 1 || page.Entries[0].BalanceAfterFen != 5_000_000-500 || page.Next != 0 {
		t.Errorf("last page: %+v", page)
	}
	var all *bank.CustomerView
	if err := b.ask(x.Customer(), func(v *View) { all, _ = v.Overview() }); err != nil {
		t.Fatal(err)
	}
	if all.Accounts[0].PostedFen != 5_000_000-500 || len(all.Lines) != 1 || all.Lines[0].AvailableFen != all.Lines[0].LimitFen || all.Lines[0].LimitFen == 0 {
		t.Errorf("overview: %+v", all)
	}
}

// A chain that is asked for again answers "exists" for its first leg and breaks there; that the other legs
// exist, too, must be looked up, not believed.
func TestAChainOfSeveralLegsIsFoundAgainWhole(t *testing.T) {
	for _, forgets := range []bool{false, true} {
		b := openBranch(t, newMemoryJournal(), newEngine())
		x := b.customer("x", 1000)
		b.link.loseAnswers("transfers", 2)
		b.link.forgets = forgets
		call := b.call(&bank.ApplyLoan{Customer: x.Customer(), Product: "NJD", AmountFen: 5_000_000, TermMonths: 12, Purpose: "农机", IncomeFen: 800_000})
		b.send(call)()
		if !errors.Is(call.Err, bank.ErrLedgerUnanswered) {
			t.Fatalf("%+v %v", call.Receipt, call.Err)
		}
		if forgets {
			select {
			case err := <-b.node.Faults():
				if !strings.Contains(err.Error(), "whole or not at all") {
					t.Errorf("fault: %v", err)
				}
			case <-time.After(5 * time.Second):
				t.Error("half a chain is taken for a whole one")
			}
			continue
		}
		b.resolved()
		if n := len(b.journal.records[len(b.journal.records)-1].Transfers); n < 2 {
			t.Fatalf("a chain of %d", n)
		}
		repeat := again(call)
		b.send(repeat)()
		if repeat.Err != nil || repeat.Receipt.Refusal != nil || !repeat.Receipt.Repeated {
			t.Errorf("%+v %v", repeat.Receipt, repeat.Err)
		}
		b.agrees()
	}
}
