package actors

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/clock"
	"github.com/suanpan-bank/suanpan/ledger"
)

// days runs the accounting day of an office under a clock that the test moves.
func (o *office) days(c *clock.Movable) *Days {
	o.tb.Helper()
	d := NewDays(o.node, DayOptions{Clock: c, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	o.tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			o.tb.Error(err)
		}
	})
	if err := d.Reach(o.tb.Context(), dayD); err != nil {
		o.tb.Fatal(err)
	}
	return d
}

// depositor has a deposit of 10,000.00 yuan for three months: 33.75 in 90 days or so.
func (o *office) depositor(id string) bank.AccountNo {
	o.tb.Helper()
	no := o.customer(id, 2_000_000)
	if r := o.do(&bank.BuyDeposit{Account: no, Product: "JFC3M", AmountFen: 1_000_000}); r.Refusal != nil {
		o.tb.Fatal(r.Refusal)
	}
	return no
}

// payable is what the bank owes of deposits' interest, by the ledger.
func payable(engine Engine, shards ...uint16) (fen int64) {
	for _, shard := range shards {
		if a, ok := engine.Account(ledger.Uint128(bank.LedgerID(22310201, uint64(shard), 0))); ok {
			fen += net(a.CreditsPosted, a.DebitsPosted)
		}
	}
	return fen
}

func dayClock(clock *clock.Movable) func(*Options) {
	return func(o *Options) { o.Clock = clock.Now }
}

// Days pass, some at once, over either kind of ledger: each customer's day is closed once, and each shard's house posts
// what its contracts have earned, once.
func TestEveryDaysEndAccruesOnceOverEitherLedger(t *testing.T) {
	begin := func() *clock.Movable { return clock.NewMovable(testClock()) }
	for name, open := range map[string]func(*testing.T, *clock.Movable) (*office, Engine){
		"in this process": func(t *testing.T, c *clock.Movable) (*office, Engine) {
			o := openOffice(t, newMemoryJournal(), dayClock(c))
			return o, o.engine
		},
		"elsewhere": func(t *testing.T, c *clock.Movable) (*office, Engine) {
			b := openBranch(t, newMemoryJournal(), newEngine(), dayClock(c))
			return b.office, b.link.Engine
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := begin()
			o, engine := open(t, c)
			d := o.days(c)
			var shards []uint16
			const depositors = 20
			for i := range depositors {
				no := o.depositor(fmt.Sprint("d", i))
				shards = append(shards, no.Customer().Shard())
			}
			o.customer("nothing to do", 0)
			accrued := bank.TermDeposit{PrincipalFen: 1_000_000, RateE6: 13_500, TermMonths: 3, Opened: dayD, Base: bank.BaseYuan}
			for _, days := range []int{1, 3} {
				if err := c.MoveTo(c.Now().AddDate(0, 0, days)); err != nil {
					t.Fatal(err)
				}
				if err := d.Catch(t.Context()); err != nil {
					t.Fatal(err)
				}
				today := bank.DateOf(c.Now())
				if o.node.Today() != today {
					t.Fatalf("it is %s by the clock and %s in the books", today, o.node.Today())
				}
				if got, want := payable(engine, shards...), depositors*accrued.AccruedFen(bank.Days(dayD, today)); got != want {
					t.Errorf("%s: interest payable is %d fen, wanted %d", today, got, want)
				}
			}
			if s := d.Status(); s.Working != 0 || s.Failure != "" || s.FenceSeq != 4 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// The products whose interest stands in one account open it together on the first night. If the record opened it twice
// the ledger would refuse the second, and the process stop, again each time that it comes to the step.
func TestProductsThatShareAnAccountOpenItOnce(t *testing.T) {
	both(t, func(t *testing.T, o *office) {
		o.accept(&bank.PostAccruals{Date: dayD, Accruals: []bank.AccrualSum{
			{Product: bank.ProductClassI, DeltaFen: 10, Contracts: 1}, {Product: bank.ProductClassII, DeltaFen: 5, Contracts: 1},
		}})
		found, err := o.node.options.Books.LookupAccounts(t.Context(), []ledger.Uint128{ledger.Uint128(bank.LedgerID(bank.DetailDemandPayable, 0, 0))})
		if err != nil || len(found) != 1 || net(found[0].CreditsPosted, found[0].DebitsPosted) != 15 {
			t.Errorf("%+v, %v", found, err)
		}
	})
}

// A customer whom only the end of day has brought to memory leaves it again: the bank's million must not gather there.
func TestCustomersWhomOnlyTheSweepNeedsLeaveMemory(t *testing.T) {
	c := clock.NewMovable(testClock())
	o := openOffice(t, newMemoryJournal(), dayClock(c))
	d := o.days(c)
	const depositors = 30
	for i := range depositors {
		o.depositor(fmt.Sprint("d", i))
	}
	o.passivateAll()
	if n := o.node.InMemory(); n > 1 {
		t.Fatalf("%d customers are in memory already", n)
	}
	if err := c.MoveTo(c.Now().AddDate(0, 0, 1)); err != nil {
		t.Fatal(err)
	}
	if err := d.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for no := bank.CustomerNo(1); no <= depositors; no++ {
		if o.node.slot(no) != nil {
			t.Errorf("customer %s is in memory", no)
		}
	}
}

// What a customer's state says of his contracts and what the ledger says must be the same, wherever the ledger is; when
// they are not, the report names the contract.
func TestContractsThatDifferFromTheLedgerAreNamed(t *testing.T) {
	for name, elsewhere := range map[string]bool{"in this process": false, "elsewhere": true} {
		t.Run(name, func(t *testing.T) {
			c := clock.NewMovable(testClock())
			var o *office
			if elsewhere {
				o = openBranch(t, newMemoryJournal(), newEngine(), dayClock(c)).office
			} else {
				o = openOffice(t, newMemoryJournal(), dayClock(c))
			}
			d := o.days(c)
			no := o.depositor("d").Customer()
			account := o.node.slot(no).customer.Accounts[0].No
			txn := o.done(&bank.TransferIn{Account: account, AmountFen: 5}).Txn
			found, err := d.Contracts(t.Context(), dayNext)
			if err != nil || found.Overdue.Count != 1 { // nobody has noticed that its channel is silent
				t.Fatalf("%+v, %v", found, err)
			}
			o.done(&bank.MarkUnknown{Transfer: txn})
			found, err = d.Contracts(t.Context(), dayNext)
			if err != nil || found.Contracts != 1 || found.InFlight != 1 || found.Principal.Count+found.Limits.Count+found.Overdue.Count != 0 {
				t.Fatalf("%+v, %v", found, err)
			}
			o.node.registry.setOpen(no, false) // nobody would ask its channel again
			s := o.node.slot(no)
			s.customer.Deposits[0].PrincipalFen++
			s.customer.Lines = append(s.customer.Lines, bank.CreditLine{No: bank.NewContractNo(bank.LineContract, no, 1), LimitFen: 1})
			found, err = d.Contracts(t.Context(), dayNext)
			if err != nil || found.Principal.Count != 1 || found.Limits.Count != 1 || found.Overdue.Count != 1 || found.Contracts != 1 || found.Lines != 1 {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
}

// Whoever buys and redeems while he is compared with a ledger elsewhere is not said to differ from it; and whoever has
// come to rest is in the sum.
func TestCustomersWhoMoveWhileTheyAreComparedAreNoDifference(t *testing.T) {
	c := clock.NewMovable(testClock())
	b := openBranch(t, newMemoryJournal(), newEngine(), dayClock(c))
	d := b.days(c)
	var movers []bank.AccountNo
	for i := range 4 {
		movers = append(movers, b.depositor(fmt.Sprint("m", i)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	moved := make(chan int, len(movers))
	for i, account := range movers {
		go func() {
			n := 0
			for ; ctx.Err() == nil; n++ {
				calls := []*bank.Call{
					{Command: &bank.BuyDeposit{Account: account, Product: "JFC3M", AmountFen: 10_000}, Key: bank.U128{Lo: uint64(n), Hi: uint64(100 + i)}},
					{Command: &bank.RedeemDeposit{Deposit: bank.NewContractNo(bank.DepositContract, account.Customer(), uint32(n+2)), All: true}, Key: bank.U128{Lo: uint64(n), Hi: uint64(200 + i)}},
				}
				b.send(calls...)()
			}
			moved <- n
		}()
	}
	for range 50 {
		found, err := d.Contracts(t.Context(), dayNext)
		if err != nil || found.Principal.Count != 0 || found.Contracts == 0 && found.Moving == 0 {
			t.Errorf("%+v, %v", found, err)
			break
		}
	}
	cancel()
	for range movers {
		if n := <-moved; n == 0 {
			t.Error("one has not moved")
		}
	}
	if found, err := d.Contracts(t.Context(), dayNext); err != nil || found.Contracts < int64(len(movers)) || found.Moving != 0 || found.Principal.Count != 0 {
		t.Errorf("at rest: %+v, %v", found, err)
	}
}

// A comparison waits for a ledger that is away, and ends when it is told to.
func TestAComparisonEndsThoughTheLedgerIsAway(t *testing.T) {
	c := clock.NewMovable(testClock())
	b := openBranch(t, newMemoryJournal(), newEngine(), dayClock(c))
	d := b.days(c)
	no := b.depositor("d").Customer()
	b.link.cut()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.Contracts(ctx, dayNext); err == nil {
		t.Error("compared with a ledger that is away")
	}
	b.link.mend()
	if found, err := d.Contracts(t.Context(), dayNext); err != nil || found.Contracts != 1 {
		t.Errorf("%s, when it is back: %+v, %v", no, found, err)
	}
}

// What the day has listed for a customer and is not to be done any more, because of what was decided since, is not told as
// a failure: the bank's people would be called for nothing each time that a hold was let go twice.
func TestWhatIsNotToBeDoneAnyMoreDoesNotFailTheDay(t *testing.T) {
	both(t, func(t *testing.T, o *office) {
		o.depositor("d")
		o.done(&bank.HoldDeposit{Deposit: bank.NewContractNo(bank.DepositContract, 1, 1), Kind: bank.DepositPledge, AmountFen: 5})
		s := o.node.newSweep(dayNext, func(c *bank.Customer, _ *bank.Desk, _ bank.Date, _ *bank.Catalogue) (list []bank.SystemCommand) {
			for _, h := range c.Deposits[0].Holds {
				for _, step := range []string{"release", "release again"} {
					list = append(list, bank.SystemCommand{Command: &bank.ReleaseDepositHold{Deposit: c.Deposits[0].No, Hold: h.ID}, Step: step})
				}
			}
			return list
		}, nil)
		if err := s.run(t.Context()); err != nil || s.commands.Load() != 1 || s.refused.Load() != 0 {
			t.Errorf("%d decided, %d refused, %v", s.commands.Load(), s.refused.Load(), err)
		}
	})
}

// What a customer can't carry out is told, and done when its cause is mended. If the refusal were remembered the day would
// be told it for ever, and no day would follow.
func TestWhatTheDayIsRefusedIsDoneWhenItCanBe(t *testing.T) {
	both(t, func(t *testing.T, o *office) {
		no := o.customer("poor", 0)
		ask := func() *sweep {
			s := o.node.newSweep(dayNext, func(*bank.Customer, *bank.Desk, bank.Date, *bank.Catalogue) []bank.SystemCommand {
				return []bank.SystemCommand{{Command: &bank.PlaceHold{Account: no, Kind: bank.Pledge, AmountFen: 5}, Step: "hold"}}
			}, nil)
			if err := s.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			return s
		}
		for range 2 {
			if s := ask(); s.refused.Load() != 1 {
				t.Errorf("%d refused without money", s.refused.Load())
			}
		}
		o.fund(no, 100)
		for range 2 { // once
			if s := ask(); s.commands.Load() != 1 || s.refused.Load() != 0 {
				t.Errorf("%d decided and %d refused", s.commands.Load(), s.refused.Load())
			}
		}
		if v := o.balance(no); v.PendingOutFen != 5 {
			t.Errorf("%d fen are held", v.PendingOutFen)
		}
	})
}

// The next day is not begun over work that can't be done; it is told why, and goes on when it can be.
func TestAStepThatFailsIsToldAndTriedAgain(t *testing.T) {
	c := clock.NewMovable(testClock())
	o := openOffice(t, newMemoryJournal(), dayClock(c))
	broken := true
	d := NewDays(o.node, DayOptions{Clock: c, Logger: slog.New(slog.DiscardHandler),
		Work: map[bank.DayStep]func(context.Context, Closed) error{bank.StepReconcile: func(context.Context, Closed) error {
			if broken {
				return context.DeadlineExceeded
			}
			return nil
		}}})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := d.advance(ctx); err != nil { // opens
		t.Fatal(err)
	}
	d.cutNow.Store(true)
	for range 2 { // begins and ends the cut
		if _, err := d.advance(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.advance(ctx); err == nil {
		t.Fatal("the step did not fail")
	}
	if r := o.do(&bank.StartDayCut{Date: dayNext}); r.Refusal == nil || r.Refusal.Code != bank.DayUnfinished {
		t.Errorf("the next day is cut over unfinished work: %v", r.Refusal)
	}
	if s := d.Status(); s.Working != dayD || s.Step != "RECONCILE" {
		t.Errorf("%+v", s)
	}
	broken = false
	for again := true; again; {
		var err error
		if again, err = d.advance(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if s := d.Status(); s.Working != 0 {
		t.Errorf("%+v", s)
	}
}
