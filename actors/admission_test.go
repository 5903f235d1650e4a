package actors

import (
	"errors"
	"runtime"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
)

// A flood for one customer, or a merchant's worst day, must leave room for everybody else.
func TestAFloodForOneCustomerIsRefusedAtOnceAndOthersAreServed(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	x, y := o.customer("x", 1000), o.customer("y", 1000)
	o.node.admission.customerMax = 10
	o.journal.hold(true)
	last := o.journal.Last()
	pay := func(from, to bank.AccountNo) (*bank.Call, func()) {
		call := o.call(&bank.TransferInternal{Payer: from, Payee: to, AmountFen: 1})
		return call, o.send(call)
	}
	var waits []func()
	for range 10 {
		_, wait := pay(x, y)
		waits = append(waits, wait)
	}
	for range 3 {
		over, wait := pay(x, y)
		wait() // at once, while the disk holds everything else up
		if !errors.Is(over.Err, bank.ErrOverloaded) {
			t.Errorf("over the customer's bound: %+v %v", over.Receipt, over.Err)
		}
	}
	if err := o.node.AdmitRead(NewQuery(x.Customer(), func(*View) {})); !errors.Is(err, bank.ErrOverloaded) {
		t.Errorf("a read over the customer's bound: %v", err)
	}
	_, wait := pay(y, x)
	waits = append(waits, wait)
	until(t, "the other customer's command is decided", func() bool { return o.journal.Last() == last+11 })
	o.journal.hold(false)
	o.journal.flush(true)
	for _, wait := range waits {
		wait()
	}
	if again, wait := pay(x, y); true {
		wait()
		if again.Err != nil {
			t.Errorf("after the flood: %v", again.Err)
		}
	}
	o.atRest()
}

// atRest checks that nothing is counted as under way when nothing is.
func (o *office) atRest() {
	o.tb.Helper()
	a := &o.node.admission
	if a.requests.Load() != 0 || a.reads.Load() != 0 || a.bytes.Load() != 0 {
		o.tb.Errorf("at rest %d commands, %d reads and %d bytes are under way", a.requests.Load(), a.reads.Load(), a.bytes.Load())
	}
	for i := range o.node.shards {
		for s := range o.node.shards[i].slots.all() {
			if n := s.underWay.Load(); n != 0 {
				o.tb.Errorf("at rest %d commands of customer %s are under way", n, s.no)
			}
		}
	}
}

func TestCommandsTooLargeTogetherAreRefusedAtOnce(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	x, y := o.customer("x", 1000), o.customer("y", 1000)
	o.node.admission.bytesMax = 1000
	o.journal.hold(true)
	sized := func(bytes int) (*bank.Call, func()) {
		call := o.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 1})
		call.Bytes = bytes
		return call, o.send(call)
	}
	first, wait := sized(600)
	over, waitOver := sized(401)
	waitOver()
	fits, waitFits := sized(400)
	o.journal.hold(false)
	o.journal.flush(true)
	wait()
	waitFits()
	if first.Err != nil || !errors.Is(over.Err, bank.ErrOverloaded) || fits.Err != nil {
		t.Errorf("600: %v, 401 more: %v, 400 more: %v", first.Err, over.Err, fits.Err)
	}
	if again, wait := sized(1000); true {
		wait()
		if again.Err != nil {
			t.Errorf("when there is room again: %v", again.Err)
		}
	}
	o.atRest()
}

// What waits is memory in queues that are counted, and no goroutine.
func TestCommandsThatWaitTakeNoGoroutine(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.limited("x", 900_000), b.customer("y", 0)
	reached, release := b.link.hold("transfers")
	first := b.send(b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: 1}))
	<-reached
	before, last := runtime.NumGoroutine(), b.journal.Last()
	var calls []*bank.Call
	for i := range 3000 {
		amount := int64(1)
		if i == 1500 {
			amount = 1_000_000 // waits for the outcomes before it, and half of the commands behind it
		}
		calls = append(calls, b.call(&bank.TransferInternal{Payer: x, Payee: y, AmountFen: amount}))
	}
	wait := b.send(calls...)
	until(t, "half are decided and half wait", func() bool { return b.journal.Last() == last+1500 })
	until(t, "no more goroutines than before", func() bool { return runtime.NumGoroutine() <= before+10 })
	release()
	first()
	wait()
	for i, call := range calls {
		if refused := call.Receipt.Refusal != nil; call.Err != nil || refused != (i == 1500) {
			t.Fatalf("command %d: %+v %v", i, call.Receipt, call.Err)
		}
	}
	b.atRest()
}
