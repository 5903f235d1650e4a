package actors

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
)

// passivateAll lets everybody leave memory who can.
func (o *office) passivateAll() {
	o.tb.Helper()
	o.node.passivate(o.tb.Context(), math.MaxInt64, math.MaxInt64)
}

// kept runs Keep until stop is called or the test ends, before the node is closed.
func (o *office) kept() (stop func()) {
	ctx, cancel := context.WithCancel(o.tb.Context())
	ended := make(chan struct{})
	go func() { o.node.Keep(ctx); close(ended) }()
	stop = func() { cancel(); <-ended }
	o.tb.Cleanup(stop)
	return stop
}

// crowded makes a node that has hardly any room for customers and saves them all the time.
func crowded(o *Options) { o.InMemoryMax, o.SnapshotEvery = 2, 20 }

func TestACustomerWhoLeftMemoryComesBackAsHeWas(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	a, b := o.customer("a", 1000), o.customer("b", 0)
	o.do(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 300})
	o.passivateAll()
	if n := o.node.InMemory(); n != 0 {
		t.Fatalf("%d customers are still in memory", n)
	}
	if r := o.do(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 200}); r.Refusal != nil || r.Balances[0].AvailableFen != 500 {
		t.Errorf("%+v", r) // the payee came back, too, and was asked
	}
	if v := o.balance(b); v.PostedFen != 500 {
		t.Errorf("payee has %d", v.PostedFen)
	}
}

// What a customer has under way is nowhere but in memory.
func TestACustomerWithSomethingUnderWayStaysInMemory(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.customer("x", 1000), b.customer("y", 0)
	b.journal.hold(true)
	before := b.journal.Last()
	wait := b.send(b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 300}))
	until(t, "intent", func() bool { return b.journal.Last() == before+1 })
	b.passivateAll()
	if b.node.slot(x.Customer()) == nil || b.node.slot(y.Customer()) == nil {
		t.Fatal("the payer, whose decision has no outcome, or the payee, whose limit is reserved, has left")
	}
	b.journal.flush(true)
	until(t, "outcome", func() bool { return b.journal.Last() == before+2 })
	b.passivateAll()
	if b.node.slot(x.Customer()) == nil || b.node.slot(y.Customer()) == nil {
		t.Fatal("a customer has left whose last record is not on disk")
	}
	b.journal.hold(false)
	b.journal.flush(true)
	wait()
	b.passivateAll()
	if n := b.node.InMemory(); n != 0 {
		t.Errorf("%d customers stay in memory with nothing under way", n)
	}
}

// A message behind the end of an actor is lost, and its caller waits for ever.
func TestNoMessageIsLostInAHundredThousandPassivations(t *testing.T) {
	passivations := int64(100_000)
	if testing.Short() {
		passivations = 5_000
	}
	o := openOffice(t, newMemoryJournal())
	const customers, underWay, funds = 128, 16, 1_000_000
	var accounts []bank.AccountNo
	for i := range customers {
		accounts = append(accounts, o.customer(fmt.Sprint(i), funds))
	}
	var clients sync.WaitGroup
	done := make(chan struct{})
	for c := range 8 {
		clients.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(c)))
			for n := uint64(0); ; {
				select {
				case <-done:
					return
				default:
				}
				var calls []*bank.Call
				for range underWay {
					n++
					from := rng.IntN(customers)
					calls = append(calls, &bank.Call{
						Command: &bank.TransferInternal{Payer: accounts[from], Payee: accounts[(from+1+rng.IntN(customers-1))%customers], AmountFen: 1},
						Key:     bank.U128{Lo: n, Hi: 1<<32 + uint64(c)},
					})
				}
				o.send(calls...)()
				for _, call := range calls {
					if call.Err != nil || call.Receipt.Refusal != nil {
						t.Errorf("%v %v", call.Receipt.Refusal, call.Err)
						return
					}
				}
			}
		})
	}
	for o.node.Passivated() < passivations && !t.Failed() {
		o.passivateAll()
	}
	close(done)
	clients.Wait()
	sum := int64(0)
	for _, no := range accounts {
		sum += o.balance(no).PostedFen
	}
	if sum != customers*funds {
		t.Errorf("%d fen in the end", sum)
	}
}

// Payers wait for payees to come back; nobody may wait for one who waits for him.
func TestRingsOfTransfersOfCustomersWhoComeAndGoDoNotBlockEachOther(t *testing.T) {
	o := openOffice(t, newMemoryJournal(), crowded)
	const n = 20
	var ring []bank.AccountNo
	for i := range n {
		ring = append(ring, o.customer(fmt.Sprint(i), 1000))
	}
	o.kept()
	for range 10 {
		var calls []*bank.Call
		for i := range n {
			calls = append(calls,
				o.call(&bank.TransferInternal{Payer: ring[i], Payee: ring[(i+1)%n], AmountFen: 1}),
				o.call(&bank.TransferInternal{Payer: ring[(i+1)%n], Payee: ring[i], AmountFen: 1}))
		}
		o.send(calls...)()
		for _, call := range calls {
			if call.Err != nil || call.Receipt.Refusal != nil {
				t.Fatalf("%+v %v", call.Receipt, call.Err)
			}
		}
	}
	until(t, "room", func() bool { return o.node.InMemory() <= 2 })
}

func TestThoseWhoWereIdleLongestLeaveFirst(t *testing.T) {
	o := openOffice(t, newMemoryJournal(), func(options *Options) { options.InMemoryMax = 32 })
	var accounts []bank.AccountNo
	for i := range 40 {
		o.node.now.Store(int64(i))
		accounts = append(accounts, o.customer(fmt.Sprint(i), 0))
	}
	o.node.now.Store(100)
	o.balance(accounts[0])
	if gone := o.node.makeRoom(t.Context()); gone != 10 || o.node.InMemory() != 30 {
		t.Errorf("%d left, %d stayed", gone, o.node.InMemory())
	}
	for i, no := range accounts {
		if in := o.node.slot(no.Customer()) != nil; in != (i == 0 || i > 10) {
			t.Errorf("customer %d is in memory: %v", i, in)
		}
	}
}

func TestAskingForABillionStrangersTakesNoMemory(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	a := o.customer("a", 1000)
	lost := o.node.registry.last.Add(1) // given out, and its registration lost
	for _, no := range []uint64{lost, lost + 1, 123_456, uint64(bank.CustomerNoMax)} {
		stranger := bank.NewAccountNo(1, bank.CustomerNo(no), 0)
		if r := o.do(&bank.TransferOut{Account: stranger, AmountFen: 1, Bound: true}); r.Refusal == nil || r.Refusal.Code != bank.AccountUnknown {
			t.Errorf("%d: %+v", no, r)
		}
		if r := o.do(&bank.TransferInternal{Payer: a, Payee: stranger, AmountFen: 1}); r.Refusal == nil || r.Refusal.Code != bank.PayeeUnknown {
			t.Errorf("%d: %+v", no, r)
		}
	}
	o.passivateAll()
	if n := o.node.InMemory(); n != 0 {
		t.Errorf("%d customers in memory", n)
	}
}

// What was read ahead may be old when it is used: the customer must come back as he is, not as he was.
func TestAStateReadAheadIsUsedOnlyIfNothingHasHappenedSince(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	account := o.depositor("d")
	no := account.Customer()
	comeBack := func(ahead readAhead) *slot {
		t.Helper()
		found, made := o.node.find(no)
		s, err := o.node.bring(found, no, false, ahead)
		if err != nil || !made {
			t.Fatal(made, err)
		}
		s.release()
		return s
	}
	leave := func() readAhead {
		t.Helper()
		o.passivateAll()
		if err := o.node.save(t.Context(), o.node.journal.Last()); err != nil {
			t.Fatal(err)
		}
		ahead, err := o.node.readAhead(t.Context(), no, no)
		if err != nil || len(ahead) != 1 {
			t.Fatal(ahead, err)
		}
		return ahead
	}
	old := leave()
	if s := comeBack(old); s.head() != old[no].Head {
		t.Errorf("%+v, saved was %+v", s.head(), old[no].Head)
	}
	o.done(&bank.CreditInbound{Account: account, AmountFen: 7})
	now := leave()
	if s := comeBack(old); s.head() != now[no].Head || s.head() == old[no].Head {
		t.Errorf("%+v, saved was %+v and then %+v", s.head(), old[no].Head, now[no].Head)
	}
	leave()
	spoilt := now[no]
	spoilt.State = []byte("no state")
	found, _ := o.node.find(no)
	if _, err := o.node.bring(found, no, false, readAhead{no: spoilt}); err == nil {
		t.Error("what was read ahead is not used")
	}
}
