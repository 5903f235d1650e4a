package actors

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// limited opens a class II account, which may pay 10,000 yuan a day to others, with money in it.
func (o *office) limited(id string, fen int64) bank.AccountNo {
	o.tb.Helper()
	r := o.do(&bank.RegisterCustomer{IDKind: bank.ResidentID, Person: bank.PersonSealed{IDSealed: []byte("220113198506150001"), IDToken: id}})
	no := r.Events[0].(*bank.CustomerRegistered).CustomerNo
	account := o.do(&bank.OpenAccount{Customer: no, Class: 2, FaceToFace: true, Card: bank.CardSealed{Token: "card" + id}}).Events[0].(*bank.AccountOpened).AccountNo
	o.do(&bank.CreditInbound{Account: account, AmountFen: fen, Bound: true, PayerToken: "card" + id})
	return account
}

// What is on its way counts as paid until it is known: two payments must not pass a limit together, and one
// that is refused must not use it up for the next.
func TestAPaymentUnderWayUsesTheLimitUntilItsOutcomeIsKnown(t *testing.T) {
	for name, c := range map[string]struct {
		funds  int64
		second bank.RefusalCode
	}{
		"the first is done":    {2_000_000, bank.DayOutLimit},
		"the first is refused": {500_000, ""},
	} {
		b := openBranch(t, newMemoryJournal(), newEngine())
		x, y := b.limited("x", c.funds), b.customer("y", 0)
		reached, release := b.link.hold("transfers")
		last := b.journal.Last()
		calls := []*bank.Call{
			b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 900_000}),
			b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 200_000}),
			b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 50_000}), // fits, and waits its turn
		}
		wait := b.send(calls...)
		<-reached
		if err := b.ask(x.Customer(), func(*View) {}); err != nil { // behind the commands in the mailbox
			t.Fatal(err)
		}
		if n := b.journal.Last() - last; n != 1 {
			t.Errorf("%s: %d decisions while the limit depends on the first", name, n)
		}
		release()
		wait()
		code := func(c *bank.Call) bank.RefusalCode {
			if c.Receipt.Refusal == nil {
				return ""
			}
			return c.Receipt.Refusal.Code
		}
		if code(calls[1]) != c.second || code(calls[2]) != "" {
			t.Errorf("%s: then %+v and %+v", name, calls[1].Receipt, calls[2].Receipt)
		}
		done := calls[0].Receipt
		if c.second == "" {
			done = calls[1].Receipt
		}
		total := done.Events[0].(*bank.InternalTransferred).DayTotalFen + 50_000
		if got := calls[2].Receipt.Events[0].(*bank.InternalTransferred).DayTotalFen; got != total {
			t.Errorf("%s: the day's total is %d, want %d", name, got, total)
		}
		b.agrees()
	}
}

func TestARefusalThatNoOutcomeCanChangeIsNotHeldUp(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.limited("x", 500_000), b.customer("y", 0)
	reached, release := b.link.hold("transfers")
	wait := b.send(b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 100}))
	<-reached
	for cmd, code := range map[bank.Command]bank.RefusalCode{
		&bank.TransferInternal{Payer: x, Payee: x, AmountFen: 1}:         bank.SameAccount,
		&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 1_000_001}: bank.DayOutLimit,
	} {
		if r := b.do(cmd).Refusal; r == nil || r.Code != code {
			t.Errorf("%+v, want %s", r, code)
		}
	}
	release()
	wait()
}

// A deposit's redemption names a deposit that its purchase, still under way, makes.
func TestWhatAPurchaseWillMakeIsWaitedFor(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.customer("x", 5_000_000), b.customer("y", 0)
	no := bank.NewContractNo(bank.DepositContract, x.Customer(), 1)
	calls := []*bank.Call{
		b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 1}),
		b.call(&bank.BuyDeposit{Account: x, Product: "SLC1Y", AmountFen: 1_000_000}),
		b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 2}),
		b.call(&bank.RedeemDeposit{Deposit: no, All: true}),
		b.call(&bank.BuyDeposit{Account: x, Product: "SLC1Y", AmountFen: 1_000_000}),
		b.call(&bank.RedeemDeposit{Deposit: no, All: true}),
	}
	b.send(calls...)()
	for i, call := range calls[:5] {
		if call.Err != nil || call.Receipt.Refusal != nil {
			t.Errorf("command %d: %+v %v", i, call.Receipt, call.Err)
		}
	}
	if r := calls[5].Receipt.Refusal; r == nil || r.Code != bank.DepositClosed {
		t.Errorf("redeemed twice: %+v", calls[5].Receipt)
	}
	b.agrees()
}

// An account that is being opened can be used by the next command of the same request.
func TestAnAccountBeingOpenedIsWaitedFor(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x := b.customer("x", 100)
	second := bank.NewAccountNo(2, x.Customer(), 0)
	calls := []*bank.Call{
		b.call(&bank.OpenAccount{Customer: x.Customer(), Class: 2, FaceToFace: true, Card: bank.CardSealed{Token: "c"}}),
		b.call(&bank.TransferOut{Account: second, AmountFen: 1, Bound: true}),
	}
	b.send(calls...)()
	if r := calls[1].Receipt.Refusal; calls[0].Receipt.Refusal != nil || r == nil || r.Code != bank.InsufficientFunds {
		t.Errorf("%+v, then %+v", calls[0].Receipt, calls[1].Receipt)
	}
}

// The process dies with several payments of a customer under way, of which the ledger has had none, some or
// all: each gets its outcome, in order, and the limit is neither passed nor lost.
func TestSeveralIntentsOfOneCustomerAreTakenUpInOrder(t *testing.T) {
	for name, spoil := range map[string]func(l *link){
		"none was sent":               func(l *link) { l.before = func(string, int) error { return ledger.ErrUnavailable } },
		"all were, the answers lost":  func(l *link) { l.after = func(string) error { return ledger.ErrOutcomeUnknown } },
		"the first two were, and not": func(l *link) { l.limit = 2; l.after = func(string) error { return ledger.ErrOutcomeUnknown } },
	} {
		b := openBranch(t, newMemoryJournal(), newEngine())
		x, y := b.limited("x", 500_000), b.customer("y", 0)
		b.journal.hold(true)
		last := b.journal.Last()
		var calls []*bank.Call
		for _, fen := range []int64{100_000, 200_000, 300_000, 200_000, 100_000} { // the third finds too little
			calls = append(calls, b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: fen}))
		}
		wait := b.send(calls...)
		until(t, "intents", func() bool { return b.journal.Last() == last+5 })
		b.link.set(func() { spoil(b.link) })
		b.journal.hold(false)
		b.journal.flush(true)
		wait()
		b = b.restarted()
		again := repeatAll(calls)
		until(t, name, func() bool {
			again = repeatAll(calls)
			b.send(again...)()
			return !slices.ContainsFunc(again, func(c *bank.Call) bool { return c.Err != nil })
		})
		b.resolved()
		for i, call := range again {
			if refused := call.Receipt.Refusal != nil; refused != (i == 2 || i == 4) {
				t.Errorf("%s: payment %d: %+v", name, i, call.Receipt)
			}
		}
		if fourth := again[3].Receipt.Events[0].(*bank.InternalTransferred); fourth.DayTotalFen != 500_000 {
			t.Errorf("%s: the day's total is %d", name, fourth.DayTotalFen)
		}
		n := 0
		for _, rec := range b.journal.records {
			if rec.Kind == journal.KindOutcome && rec.Customer == uint64(x.Customer()) && rec.Command == ledger.Uint128(calls[min(n, 4)].Key) {
				n++
			}
		}
		if n != 5 {
			t.Errorf("%s: outcomes are not in the order of the intents", name)
		}
		b.agrees()
	}
}

func repeatAll(calls []*bank.Call) (repeats []*bank.Call) {
	for _, call := range calls {
		repeats = append(repeats, again(call))
	}
	return repeats
}

// sequence is a random life of customers with daily limits, whose commands come in bursts, over a ledger that
// loses calls and a node that dies.
type sequence struct {
	*history
	commands map[ledger.Uint128]bank.Command
	cmu      sync.Mutex
}

// Deciding on bounds must end as if each customer's commands had been carried out one after the other: the
// journal's decisions are taken again, in its order, by the rules alone.
func TestDecisionsOnBoundsAreThoseOfOneAtATime(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := &sequence{history: &history{T: t, branch: openBranch(t, newMemoryJournal(), newEngine())}, commands: map[ledger.Uint128]bank.Command{}}
			for i := range 3 {
				s.accounts = append(s.accounts, s.branch.limited(fmt.Sprint(i), 700_000))
			}
			s.accounts = append(s.accounts, s.branch.customer("payee", 0))
			s.spoil(seed)
			var clients sync.WaitGroup
			for c := range 3 {
				clients.Go(func() { s.bursts(rand.New(rand.NewPCG(seed, uint64(c))), s.accounts[c]) })
			}
			for range 2 {
				time.Sleep(40 * time.Millisecond)
				s.mu.Lock()
				s.branch = s.branch.restarted()
				s.mu.Unlock()
				s.spoil(seed)
			}
			clients.Wait()
			s.branch.link.mend()
			s.branch.resolved()
			s.branch.agrees()
			s.sequential()
		})
	}
}

// bursts sends a customer's commands, several at a time, and repeats them until they are answered.
func (s *sequence) bursts(rng *rand.Rand, own bank.AccountNo) {
	var open []bank.TxnID
	for range 8 {
		var calls []*bank.Call
		for range 1 + rng.IntN(10) {
			calls = append(calls, s.command(rng, own, &open))
		}
		for deadline := time.Now().Add(20 * time.Second); len(calls) > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				s.Errorf("no answer: %v", calls[0].Err)
				return
			}
			s.mu.RLock()
			tries := repeatAll(calls)
			s.branch.send(tries...)()
			s.mu.RUnlock()
			calls = nil
			for _, c := range tries {
				switch {
				case c.Err != nil:
					calls = append(calls, c)
				case c.Receipt.Refusal == nil && len(c.Receipt.Events) > 0:
					if e, ok := c.Receipt.Events[0].(*bank.TransferOutRequested); ok {
						open = append(open, e.TxnID)
					}
				}
			}
		}
	}
}

func (s *sequence) command(rng *rand.Rand, own bank.AccountNo, open *[]bank.TxnID) *bank.Call {
	var cmd bank.Command
	fen := 1 + rng.Int64N(300_000)
	switch n := rng.IntN(10); {
	case n < 3:
		cmd = &bank.TransferInternal{Payer: own, Payee: s.accounts[3], AmountFen: fen}
	case n < 6:
		cmd = &bank.TransferOut{Account: own, AmountFen: fen, PayeeToken: "p"}
	case n < 9 && len(*open) > 0:
		cmd = &bank.ChannelResult{Transfer: (*open)[0], Success: rng.IntN(3) == 0}
		if rng.IntN(4) > 0 { // otherwise it is answered a second time
			*open = (*open)[1:]
		}
	default:
		cmd = &bank.CreditInbound{Account: own, AmountFen: fen / 2, Bound: true, PayerToken: "card" + string('0'+rune(own.Customer()-1))}
	}
	call := &bank.Call{Command: cmd, Key: bank.U128{Lo: rng.Uint64(), Hi: rng.Uint64()}, Body: bank.U128{Lo: uint64(fen)}}
	s.cmu.Lock()
	s.commands[ledger.Uint128(call.Key)] = cmd
	s.cmu.Unlock()
	return call
}

// sequential decides every command again, each on the outcomes before it and nothing else.
func (s *sequence) sequential() {
	customers := map[uint64]*bank.Customer{}
	pipelined, counted := 0, map[bank.RefusalCode]int{}
	open := map[uint64]int{}
	for _, rec := range s.branch.journal.records {
		switch rec.Kind {
		case journal.KindIntent:
			if open[rec.Customer]++; open[rec.Customer] > 1 {
				pipelined++
			}
			continue
		case journal.KindOutcome:
			open[rec.Customer]--
		case journal.KindDecision:
		default:
			continue
		}
		c := customers[rec.Customer]
		if c == nil {
			c = &bank.Customer{No: bank.CustomerNo(rec.Customer)}
			customers[rec.Customer] = c
		}
		on := bank.Date(rec.AccountingDate)
		if cmd, ok := s.commands[rec.Command]; ok {
			s.redecide(c, cmd, rec, counted)
		}
		for _, e := range rec.Events {
			if e.Customer == rec.Customer {
				event, err := bank.DecodeEvent(bank.EventType(e.Type), e.Body)
				if err != nil {
					s.Fatal(err)
				}
				c.Apply(event, on)
			}
		}
		c.Seq = rec.Seq
	}
	s.Logf("%d decided behind others; refused: %v", pipelined, counted)
	if pipelined == 0 || counted[bank.DayOutLimit] == 0 {
		s.Error("nothing was decided behind another decision, or no limit was met: the history proves nothing")
	}
}

func (s *sequence) redecide(c *bank.Customer, cmd bank.Command, rec *journal.Record, counted map[bank.RefusalCode]int) {
	env := bank.Env{Millis: rec.Time / 1e6, Date: bank.Date(rec.AccountingDate), Catalogue: bank.DefaultCatalogue(), Desk: new(bank.Desk)}
	if m, ok := cmd.(*bank.TransferInternal); ok {
		env.Credited = bank.Standing{Account: m.Payee, Product: "CURRENT_I"}
	}
	if bank.NeedsDesk(cmd) {
		env.Desk = new(bank.Desk) // nobody but their own cards pays those who send: nothing is counted in
	}
	c.Seq = bank.TxnID(rec.Subject).Seq() - 1
	if _, ok := cmd.(*bank.ChannelResult); ok {
		c.Seq = rec.Seq - 1
	}
	if txn, asks := bank.PastOf(c, cmd); asks {
		past, err := s.branch.node.past(txn)
		if err != nil {
			s.Fatal(err)
		}
		env.Past = past
	}
	want, refusal := bank.Decide(c, cmd, &env)
	kept, err := receiptOf(rec)
	if err != nil {
		s.Fatal(err)
	}
	switch {
	case rec.Results != nil: // the ledger's refusal
		counted[kept.Refusal.Code]++
		if refusal != nil {
			s.Errorf("position %d: %s went to the ledger and should have been refused: %+v", rec.Position, cmd.Operation(), refusal)
		}
		return
	case kept.Refusal != nil:
		counted[kept.Refusal.Code]++
		if refusal == nil || *refusal != *kept.Refusal {
			s.Errorf("position %d: %s was refused with %+v, alone with %+v", rec.Position, cmd.Operation(), kept.Refusal, refusal)
		}
		return
	case refusal != nil:
		s.Errorf("position %d: %s was done and should have been refused: %+v", rec.Position, cmd.Operation(), refusal)
		return
	}
	for i, e := range want.Events {
		body, err := bank.Encode(e)
		if err != nil || !slices.Equal(body, rec.Events[i].Body) {
			s.Errorf("position %d: %+v was journalled otherwise: %+v", rec.Position, e, kept.Events[i])
		}
	}
}

// The same commands give the same receipts, balances included, whether the ledger is in the process and
// answers each at once or elsewhere and answers many together.
func TestReceiptsAreTheSameOnBothLedgers(t *testing.T) {
	here, there := openOffice(t, newMemoryJournal()), openBranch(t, newMemoryJournal(), newEngine())
	rng := rand.New(rand.NewPCG(1, 2))
	var receipts [2][]bank.Receipt
	x := [2]bank.AccountNo{here.limited("x", 3_000_000), there.limited("x", 3_000_000)}
	y := [2]bank.AccountNo{here.customer("y", 0), there.customer("y", 0)}
	var held [2][]bank.TxnID
	for range 40 {
		var calls [2][]*bank.Call
		for range 1 + rng.IntN(12) {
			n, fen, success := rng.IntN(5), 1+rng.Int64N(150_000), rng.IntN(2) == 0
			for i, o := range []*office{here, there.office} {
				var cmd bank.Command = &bank.TransferInternal{Payer: x[i], Payee: y[i], AmountFen: fen}
				switch {
				case n == 1:
					cmd = &bank.TransferOut{Account: x[i], AmountFen: fen, Bound: success, PayeeToken: "p"}
				case n == 2:
					cmd = &bank.TransferIn{Account: x[i], AmountFen: fen}
				case n == 3:
					cmd = &bank.CreditInbound{Account: x[i], AmountFen: fen, Bound: true, PayerToken: "cardx"}
				case n == 4 && len(held[i]) > 0:
					cmd = &bank.ChannelResult{Transfer: held[i][0], Success: success}
					held[i] = held[i][1:]
				}
				calls[i] = append(calls[i], o.call(cmd))
			}
		}
		there.journal.hold(true) // so that they go to the ledger together
		for i, o := range []*office{here, there.office} {
			wait := o.send(calls[i]...)
			if i == 1 {
				_ = there.ask(x[1].Customer(), func(*View) { there.journal.hold(false); go there.journal.flush(true) })
			}
			wait()
			for _, call := range calls[i] {
				if call.Err != nil {
					t.Fatal(call.Err)
				}
				receipts[i] = append(receipts[i], call.Receipt)
				if call.Receipt.Refusal == nil {
					switch e := call.Receipt.Events[0].(type) {
					case *bank.TransferInRequested:
						held[i] = append(held[i], e.TxnID)
					case *bank.TransferOutRequested:
						held[i] = append(held[i], e.TxnID)
					}
				}
			}
		}
	}
	for k := range receipts[0] {
		h, r := receipts[0][k], receipts[1][k]
		if (h.Refusal == nil) != (r.Refusal == nil) || h.Refusal != nil && *h.Refusal != *r.Refusal || !slices.Equal(h.Balances, r.Balances) {
			t.Fatalf("receipt %d: %+v in the process, %+v elsewhere (%+v, %+v)", k, h, r, h.Refusal, r.Refusal)
		}
	}
	if errors.Is(here.node.Ready(), there.node.Ready()) && there.link.count("transfers") >= len(receipts[0]) {
		t.Error("nothing was asked for together")
	}
}
