package actors

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

const (
	dayD    = bank.Date(20261123) // testClock's
	dayNext = bank.Date(20261124)
)

// openDay opens the bank's first day, cutDay begins the day after a date.
func (o *office) openDay(d bank.Date) { o.must(&bank.OpenDay{Date: d}) }
func (o *office) cutDay(d bank.Date)  { o.must(&bank.StartDayCut{Date: d}) }

// must does a command that has to succeed.
func (o *office) must(cmd bank.Command) bank.Receipt {
	o.tb.Helper()
	r := o.do(cmd)
	if r.Refusal != nil {
		o.tb.Fatalf("%s %+v: %v", cmd.Operation(), cmd, r.Refusal)
	}
	return r
}

// last is the newest record with money.
func (j *memoryJournal) last() *journal.Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := len(j.records) - 1; ; i-- {
		if len(j.records[i].Transfers) > 0 {
			return j.records[i]
		}
	}
}

// A payment that has its permit on one day and becomes money on the next must be booked on the next, in full: a
// closed day's books don't change any more. Its caller hears of nothing.
func TestAPaymentDecidedBeforeTheCutAndPostedAfterItIsDecidedAnew(t *testing.T) {
	var o *office
	deciding := make(chan struct{}, 1)
	cut := func() time.Time {
		if calledBy("decide") { // and not by the node's ticker
			select {
			case <-deciding: // the actor has read the date and decides; before it is done the day is cut
				o.cutDay(dayD)
			default:
			}
		}
		return testClock()
	}
	o = openOffice(t, newMemoryJournal(), func(options *Options) { options.Clock = cut })
	o.openDay(dayD)
	a, b := o.customer("a", 1000), o.customer("b", 0)
	o.idle()
	deciding <- struct{}{}
	r := o.do(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 300})
	if r.Refusal != nil || r.Date != dayNext {
		t.Fatalf("booked on %s: %v", r.Date, r.Refusal)
	}
	rec := o.journal.last()
	if rec.AccountingDate != uint32(dayNext) || rec.Transfers[0].UserData32 != uint32(dayNext) {
		t.Errorf("the record is of %d, its leg of %d", rec.AccountingDate, rec.Transfers[0].UserData32)
	}
	if v := o.balance(b); v.PostedFen != 300 {
		t.Errorf("the payee has %d", v.PostedFen)
	}
	if s := o.node.slot(b.Customer()).desk.Standing(b); s.ReservedFen != 0 {
		t.Errorf("the first permit is not given back: %d fen", s.ReservedFen)
	}
}

// The cut has its place in the journal before others of its round: they are of the new date.
func TestAPaymentOfTheCutsRoundIsDecidedAnew(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	o.openDay(dayD)
	a, b := o.customer("a", 1000), o.customer("b", 0)
	cut, payment := o.call(&bank.StartDayCut{Date: dayD}), o.call(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 300})
	o.inOneRound(cut, payment)
	if r := payment.Receipt; cut.Receipt.Refusal != nil || r.Refusal != nil || r.Date != dayNext {
		t.Errorf("cut %+v, payment booked on %s: %v", cut.Receipt.Refusal, r.Date, r.Refusal)
	}
	if rec := o.journal.last(); rec.AccountingDate != uint32(dayNext) {
		t.Errorf("the record is of %d", rec.AccountingDate)
	}
}

// What is decided together is decided at one time, and what comes later at a later one.
func TestDecisionsOfARoundAreOfOneMoment(t *testing.T) {
	looks := 0
	o := openOffice(t, newMemoryJournal(), func(options *Options) {
		options.Clock = func() time.Time {
			if !calledBy("decide") {
				return testClock()
			}
			looks++
			return testClock().Add(time.Duration(looks) * time.Second)
		}
	})
	o.openDay(dayD)
	a, b, c := o.customer("a", 1000), o.customer("b", 1000), o.customer("c", 0)
	o.idle()
	before := looks
	first, second := o.call(&bank.TransferInternal{Payer: a, Payee: c, AmountFen: 1}), o.call(&bank.TransferInternal{Payer: b, Payee: c, AmountFen: 2})
	o.inOneRound(first, second)
	third := o.do(&bank.TransferInternal{Payer: a, Payee: c, AmountFen: 3})
	if first.Receipt.Time != second.Receipt.Time || third.Time != first.Receipt.Time+int64(time.Second) || looks != before+2 {
		t.Errorf("%d looks; decided at %d, %d and %d", looks-before, first.Receipt.Time, second.Receipt.Time, third.Time)
	}
}

// calledBy reports whether a method of this name is among the callers.
func calledBy(method string) bool {
	places := make([]uintptr, 16)
	frames := runtime.CallersFrames(places[:runtime.Callers(2, places)])
	for frame, more := frames.Next(); ; frame, more = frames.Next() {
		if strings.HasSuffix(frame.Function, "."+method) {
			return true
		}
		if !more {
			return false
		}
	}
}

func TestDemonstrationsKeepTheDateTheyName(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	o.openDay(dayD)
	r := o.do(&bank.RegisterCustomer{IDKind: bank.OtherID, Person: bank.PersonSealed{IDToken: "demo"}, Date: 20200101})
	no := r.Events[0].(*bank.CustomerRegistered).CustomerNo
	r = o.do(&bank.OpenAccount{Customer: no, Class: 1, Product: bank.ProductDemoCurrent, FaceToFace: true, Card: bank.CardSealed{Token: "c"}, Date: 20200101})
	account := r.Events[0].(*bank.AccountOpened).AccountNo
	o.cutDay(dayD)
	if r := o.do(&bank.CreditInbound{Account: account, AmountFen: 5, Date: 20200102}); r.Refusal != nil || r.Date != 20200102 {
		t.Errorf("booked on %s: %v", r.Date, r.Refusal)
	}
}

// With the ledger elsewhere a payment of the old day may be under way when the day is cut. It stays on its day, the
// next one is of the new day and waits for nobody, and the day is not closed before the old one is done.
func TestADayIsClosedWhenTheLastPaymentOfItIsAnswered(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	b.openDay(dayD)
	x, y := b.customer("x", 1000), b.customer("y", 1000)
	z := b.customer("z", 0)
	b.resolved()
	held := make(chan struct{})
	var asked atomic.Bool
	b.link.set(func() {
		b.link.before = func(op string, _ int) error {
			if op == "transfers" && !asked.Swap(true) {
				<-held
			}
			return nil
		}
	})
	before := b.journal.Last()
	old := b.call(&bank.TransferInternal{Payer: x, Payee: z, AmountFen: 1})
	waitOld := b.send(old)
	until(t, "the intent of the old day, and its request", func() bool { return b.journal.Last() > before && asked.Load() })
	b.cutDay(dayD)
	drained := make(chan error, 1)
	go func() { drained <- b.node.Drained(context.Background()) }()
	fresh := b.pay(y, z, 2) // while the old one is under way
	if fresh.Err != nil || fresh.Receipt.Refusal != nil || fresh.Receipt.Date != dayNext {
		t.Fatalf("a payment of the new day: %+v, %v", fresh.Receipt, fresh.Err)
	}
	select {
	case err := <-drained:
		t.Fatalf("the day is closed over a payment that is under way (%v)", err)
	default:
	}
	close(held)
	waitOld()
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	if old.Err != nil || old.Receipt.Refusal != nil || old.Receipt.Date != dayD {
		t.Errorf("the payment of the old day: %+v, %v", old.Receipt, old.Err)
	}
	id := ledger.Uint128{}
	for _, rec := range b.journal.records {
		if rec.Command == ledger.Uint128(old.Key) && len(rec.Transfers) > 0 {
			id = rec.Transfers[0].ID
		}
	}
	if leg, ok := b.link.Transfer(id); !ok || leg.UserData32 != uint32(dayD) {
		t.Errorf("in the ledger it is of %d (%v)", leg.UserData32, ok)
	}
}

// Wherever in the cut the process dies, the bank comes back on a date on which something may have been booked, and
// the cut can be brought to its end.
func TestADayCutSurvivesADeathAtEachOfItsSteps(t *testing.T) {
	for name, c := range map[string]struct {
		steps  []bank.Command
		today  bank.Date
		closed bool
	}{
		"before it":     {nil, dayD, false},
		"when begun":    {[]bank.Command{&bank.StartDayCut{Date: dayD}}, dayNext, false},
		"when finished": {[]bank.Command{&bank.StartDayCut{Date: dayD}, &bank.FinishDayCut{Date: dayD}}, dayNext, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := openBranch(t, newMemoryJournal(), newEngine())
			b.openDay(dayD)
			x, y := b.customer("x", 1000), b.customer("y", 0)
			b.link.loseAnswers("transfers", 1<<30) // the ledger has it, and nobody knows
			paid := b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 7})
			b.send(paid)()
			for _, cmd := range c.steps {
				b.must(cmd)
			}
			b = b.restarted()
			if got := b.node.Today(); got != c.today {
				t.Fatalf("it comes back on %s, wanted %s", got, c.today)
			}
			b.resolved()
			if r := b.pay(x, y, 2); r.Err != nil || r.Receipt.Refusal != nil || r.Receipt.Date != c.today {
				t.Errorf("a payment: %+v, %v", r.Receipt, r.Err)
			}
			if err := b.node.Drained(t.Context()); err != nil {
				t.Fatal(err)
			}
			if c.today == dayNext && !c.closed {
				b.must(&bank.FinishDayCut{Date: dayD})
			}
			if v := b.balance(y); v.PostedFen != 9 {
				t.Errorf("the payee has %d", v.PostedFen)
			}
			again := again(paid)
			b.send(again)()
			if again.Receipt.Date != dayD {
				t.Errorf("the payment under way was booked on %s", again.Receipt.Date)
			}
		})
	}
}
