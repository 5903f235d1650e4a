package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// office is a node over a memory journal, and a way to ask it without a network.
type office struct {
	tb      testing.TB
	node    *Node
	journal *memoryJournal
	engine  *embedded.Engine
	channel *silentChannel
	opened  uint64 // position at opening: keys of two openings differ
	keys    uint64
}

// silentChannel notes what it is asked and answers nothing.
type silentChannel struct {
	mu    sync.Mutex
	asked []ChannelRequest
}

func (c *silentChannel) Send(r ChannelRequest) {
	c.mu.Lock()
	c.asked = append(c.asked, r)
	c.mu.Unlock()
}

func (c *silentChannel) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.asked)
}

var testClock = func() func() time.Time {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.FixedZone("", 8*3600))
	return func() time.Time { return at }
}()

func openOffice(t *testing.T, j *memoryJournal, change ...func(*Options)) *office {
	t.Helper()
	engine := embedded.New(embedded.Options{})
	options := Options{
		Engine: engine, Books: engine, Clock: testClock, Catalogue: bank.DefaultCatalogue(),
		Unseal: func(b []byte) ([]byte, error) { return b, nil }, Logger: slog.New(slog.DiscardHandler), Sequence: 7,
	}
	for _, set := range change {
		set(&options)
	}
	n := NewNode(options)
	j.onDurable = n.Durable
	if err := n.Recover(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	o := &office{tb: t, node: n, journal: j, engine: engine, channel: &silentChannel{}, opened: uint64(j.Last()) + 1}
	if err := n.Connect(o.channel); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		j.hold(false)
		j.flush(true)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = n.Close(ctx)
	})
	return o
}

// slot finds a customer in memory; nil: he is not.
func (n *Node) slot(no bank.CustomerNo) *slot {
	s := &n.shards[no.Shard()]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.slots.find(no)
}

// send puts the commands on their way and returns how to wait for them.
func (o *office) send(calls ...*bank.Call) func() {
	o.tb.Helper()
	group, err := o.node.NewGroup(len(calls))
	if err != nil {
		o.tb.Fatal(err)
	}
	send := func(req *Request) {
		if m, ok := req.Call.Command.(*bank.RegisterCustomer); ok {
			group.Sent()
			if r, err := o.node.Enroll(req, m); err != nil || r != nil {
				req.Refuse(r)
				return
			}
		}
		pid, err := o.node.Shard(req.Customer.Shard())
		if err != nil {
			o.tb.Fatal(err)
		}
		if err := o.node.Admit(req); err != nil {
			req.Fail(err)
			return
		}
		group.Send(pid, req)
	}
	for next := range slices.Chunk(calls, AheadMax) {
		requests := group.Requests(next)
		for i := range requests {
			send(&requests[i])
		}
		group.Sent()
	}
	return func() { group.Wait(nil) }
}

func (o *office) call(cmd bank.Command) *bank.Call {
	o.keys++
	return &bank.Call{Command: cmd, Key: bank.U128{Lo: o.keys, Hi: o.opened}, Body: bank.U128{Lo: o.keys}}
}

func (o *office) do(cmd bank.Command) bank.Receipt {
	o.tb.Helper()
	call := o.call(cmd)
	o.send(call)()
	if call.Err != nil {
		o.tb.Fatalf("%s: %v", cmd.Operation(), call.Err)
	}
	return call.Receipt
}

// Requests that are sent together ask for their shards' turns together. What another caller sends to one of these shards meanwhile
// is behind them, and is answered as well.
func TestWhatIsSentTogetherIsAnsweredWithWhatCameBetween(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	a, b := o.customer("a", 1000), o.customer("b", 0)
	o.idle()
	calls := []*bank.Call{
		o.call(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 700}), o.call(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 700}),
	}
	var groups []*Group
	for i, call := range calls {
		group, err := o.node.NewGroup(1)
		if err != nil {
			t.Fatal(err)
		}
		req := &group.Requests([]*bank.Call{call})[0]
		pid, err := o.node.Shard(a.Customer().Shard())
		if err != nil {
			t.Fatal(err)
		}
		if err := o.node.Admit(req); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			group.Send(pid, req)
		} else {
			o.node.Send(pid, req)
		}
		groups = append(groups, group)
	}
	groups[0].Sent()
	for _, group := range groups {
		group.Wait(nil)
	}
	if first, second := calls[0], calls[1]; first.Err != nil || first.Receipt.Refusal != nil || second.Err != nil || second.Receipt.Refusal == nil {
		t.Errorf("the first %v %v, the second %v %v", first.Err, first.Receipt.Refusal, second.Err, second.Receipt.Refusal)
	}
}

// customer registers a person and opens a class I account with money in it.
func (o *office) customer(id string, fen int64) bank.AccountNo {
	o.tb.Helper()
	r := o.do(&bank.RegisterCustomer{IDKind: bank.ResidentID, Region: 220113, Person: bank.PersonSealed{
		IDSealed: []byte("220113198506150001"), IDToken: id,
	}})
	no := r.Events[0].(*bank.CustomerRegistered).CustomerNo
	r = o.do(&bank.OpenAccount{Customer: no, Class: 1, FaceToFace: true, Card: bank.CardSealed{Token: "card" + id}})
	account := r.Events[0].(*bank.AccountOpened).AccountNo
	if fen > 0 {
		o.do(&bank.CreditInbound{Account: account, AmountFen: fen})
	}
	return account
}

// idle waits until nobody has a turn: who has been answered may still be at the end of his.
func (o *office) idle() {
	d := o.node.workers
	for idle := false; !idle; time.Sleep(time.Millisecond) {
		d.mu.Lock()
		idle = d.taking == 0 && d.next == len(d.queue)
		d.mu.Unlock()
	}
}

// inOneRound has customers who have acted before decide in one round, and waits.
func (o *office) inOneRound(calls ...*bank.Call) {
	o.tb.Helper()
	group, err := o.node.NewGroup(len(calls))
	if err != nil {
		o.tb.Fatal(err)
	}
	o.idle()
	r := new(round)
	requests := group.Requests(calls)
	for i := range requests {
		req := &requests[i]
		if err := o.node.Admit(req); err != nil {
			o.tb.Fatal(err)
		}
		state := &o.node.shards[req.Customer.Shard()]
		state.round = r
		o.node.slot(req.Customer).actor.serve(req)
		state.round = nil
	}
	r.end()
	group.Wait(nil)
}

func (o *office) balance(no bank.AccountNo) bank.AccountView {
	o.tb.Helper()
	var v *bank.AccountView
	var err error
	q := NewQuery(no.Customer(), func(view *View) { v, err = view.Account(no) })
	pid, e := o.node.Shard(no.Customer().Shard())
	if e != nil {
		o.tb.Fatal(e)
	}
	o.node.System().Root.Send(pid, q)
	if e := q.Wait(context.Background(), nil); e != nil || err != nil {
		o.tb.Fatal(e, err)
	}
	return *v
}

func TestNothingIsAnsweredBeforeItIsOnDisk(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	a, b := o.customer("a", 1000), o.customer("b", 0)
	o.journal.hold(true)
	call := o.call(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 300})
	wait := o.send(call)
	read := NewQuery(b.Customer(), func(*View) {})
	pid, _ := o.node.Shard(b.Customer().Shard())
	for o.journal.Last() == o.journal.Durable() {
		time.Sleep(time.Millisecond) // until the record has its place
	}
	o.node.System().Root.Send(pid, read)
	answered := make(chan struct{})
	go func() { wait(); close(answered) }()
	select {
	case <-answered:
		t.Fatal("a transfer was acknowledged that the disk does not have")
	case <-read.done:
		t.Fatal("a balance was shown that the disk does not have")
	case <-time.After(50 * time.Millisecond):
	}
	o.journal.flush(true)
	<-answered
	if call.Receipt.Refusal != nil || call.Receipt.Balances[0].AvailableFen != 700 {
		t.Errorf("receipt: %+v", call.Receipt)
	}
	if err := read.Wait(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// A node that answers one command of a customer per flush would be as slow as its disk for a merchant.
func TestAHotCustomerDecidesOnWhileTheDiskIsBusy(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	a, b := o.customer("a", 1000), o.customer("b", 0)
	o.journal.hold(true)
	var calls []*bank.Call
	for range 11 {
		calls = append(calls, o.call(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 100}))
	}
	before := o.journal.Last()
	wait := o.send(calls...)
	for o.journal.Last() < before+11 {
		time.Sleep(time.Millisecond)
	}
	o.journal.flush(true)
	wait()
	for i, call := range calls {
		refused := call.Receipt.Refusal != nil && call.Receipt.Refusal.Code == bank.InsufficientFunds
		if refused != (i == 10) {
			t.Errorf("transfer %d: %+v", i, call.Receipt)
		}
	}
}

func TestARepeatedCommandIsAnsweredFromTheJournalAndDoneOnce(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	a, b := o.customer("a", 1000), o.customer("b", 0)
	first := o.call(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 300})
	o.send(first)()
	again := &bank.Call{Command: first.Command, Key: first.Key, Body: first.Body}
	o.send(again)()
	if !again.Receipt.Repeated || again.Receipt.Txn != first.Receipt.Txn || again.Receipt.Balances[0] != first.Receipt.Balances[0] {
		t.Errorf("first %+v, repeated %+v", first.Receipt, again.Receipt)
	}
	other := &bank.Call{Command: first.Command, Key: first.Key, Body: bank.U128{Lo: 99}}
	o.send(other)()
	if r := other.Receipt.Refusal; r == nil || r.Code != bank.KeyReused {
		t.Errorf("another body under the same key: %+v", other.Receipt)
	}
	if v := o.balance(b); v.PostedFen != 300 {
		t.Errorf("payee has %d", v.PostedFen)
	}
}

// The first answer was a refusal; a customer who has been told no must not find the money gone later
// because a gateway repeated his request.
func TestARepeatedRefusalStaysARefusal(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	a, b := o.customer("a", 0), o.customer("b", 0)
	first := o.call(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 300})
	o.send(first)()
	o.do(&bank.CreditInbound{Account: a, AmountFen: 1000})
	again := &bank.Call{Command: first.Command, Key: first.Key, Body: first.Body}
	o.send(again)()
	if r := again.Receipt.Refusal; r == nil || r.Code != bank.InsufficientFunds || !again.Receipt.Repeated {
		t.Errorf("repeated: %+v", again.Receipt)
	}
}

func TestWhatWasNotOnDiskNeverHappenedAfterARestart(t *testing.T) {
	j := newMemoryJournal()
	o := openOffice(t, j)
	a, b := o.customer("a", 1000), o.customer("b", 0)
	kept := o.call(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 300})
	o.send(kept)()
	j.hold(true)
	lost := o.call(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 500})
	o.send(lost)
	for j.Last() == j.Durable() {
		time.Sleep(time.Millisecond)
	}
	after := openOffice(t, j.reopened())
	if v := after.balance(b); v.PostedFen != 300 {
		t.Fatalf("payee has %d after the restart", v.PostedFen)
	}
	repeat := &bank.Call{Command: kept.Command, Key: kept.Key, Body: kept.Body}
	retry := &bank.Call{Command: lost.Command, Key: lost.Key, Body: lost.Body}
	after.send(repeat, retry)()
	if !repeat.Receipt.Repeated || retry.Receipt.Repeated || retry.Receipt.Refusal != nil {
		t.Errorf("acknowledged before: %+v; lost: %+v", repeat.Receipt, retry.Receipt)
	}
	if v := after.balance(b); v.PostedFen != 800 {
		t.Errorf("payee has %d in the end", v.PostedFen)
	}
}

// Two nodes on one shard: the one that lost it must not write a single record more.
func TestAStaleEpochAnswersRetryAndStopsTheNode(t *testing.T) {
	j := newMemoryJournal()
	o := openOffice(t, j)
	a, b := o.customer("a", 1000), o.customer("b", 0)
	if _, err := j.Claim(a.Customer().Shard()); err != nil {
		t.Fatal(err)
	}
	last := j.Last()
	call := o.call(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 300})
	o.send(call)()
	if !errors.Is(call.Err, bank.ErrStopping) || j.Last() != last {
		t.Errorf("stale: %v, %d records more", call.Err, j.Last()-last)
	}
	select {
	case err := <-o.node.Faults():
		if !errors.Is(err, journal.ErrStale) {
			t.Errorf("fault: %v", err)
		}
	case <-time.After(time.Second):
		t.Error("the node goes on")
	}
	if err := o.node.Ready(); err == nil {
		t.Error("the node says it is ready")
	}
}

// A shard that began anew would not know the actors it has: a customer would have two, deciding at once.
func TestAShardThatPanicsStopsTheNode(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	a := o.customer("a", 1000)
	pid, err := o.node.Shard(a.Customer().Shard())
	if err != nil {
		t.Fatal(err)
	}
	o.node.System().Root.Send(pid, (*Request)(nil))
	select {
	case err := <-o.node.Faults():
		if !strings.Contains(err.Error(), "broken invariant") {
			t.Errorf("fault: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the node goes on")
	}
}

func TestAJournalThatFailsStopsTheNodeAndAcknowledgesNothing(t *testing.T) {
	j := newMemoryJournal()
	o := openOffice(t, j)
	a, b := o.customer("a", 1000), o.customer("b", 0)
	j.hold(true)
	waiting := o.call(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 1})
	wait := o.send(waiting)
	for j.Last() == j.Durable() {
		time.Sleep(time.Millisecond)
	}
	o.node.Fault(fmt.Errorf("%w: disk gone", journal.ErrStopped))
	wait()
	later := o.call(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 1})
	o.send(later)()
	for _, call := range []*bank.Call{waiting, later} {
		if !errors.Is(call.Err, bank.ErrStopping) {
			t.Errorf("answered %+v, %v", call.Receipt, call.Err)
		}
	}
}

// A full disk costs decisions, not money: the payer's balance and the node are as before, and it goes on by itself.
func TestAFullDiskRefusesForNowAndDoesNothing(t *testing.T) {
	j := newMemoryJournal()
	o := openOffice(t, j)
	a, b := o.customer("a", 1000), o.customer("b", 0)
	full := func(err error) {
		j.mu.Lock()
		j.full = err
		j.mu.Unlock()
	}
	full(journal.ErrFull)
	call := o.call(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 300})
	o.send(call)()
	if !errors.Is(call.Err, bank.ErrOverloaded) || o.balance(a).PostedFen != 1000 {
		t.Errorf("%v, balance %+v", call.Err, o.balance(a))
	}
	full(nil)
	o.send(call)()
	if call.Err != nil || o.balance(a).PostedFen != 700 {
		t.Errorf("%v, balance %+v", call.Err, o.balance(a))
	}
}

func TestTheChannelHearsOfATransferOnlyWhenItIsDurableAndAgainAfterARestart(t *testing.T) {
	j := newMemoryJournal()
	o := openOffice(t, j)
	a := o.customer("a", 1000)
	j.hold(true)
	wait := o.send(o.call(&bank.TransferOut{Account: a, AmountFen: 400, Bound: true}))
	for j.Last() == j.Durable() {
		time.Sleep(time.Millisecond)
	}
	if n := o.channel.count(); n != 0 {
		t.Fatal("money was asked to leave the bank for a record that may never exist")
	}
	j.flush(true)
	wait()
	if n := o.channel.count(); n != 1 {
		t.Fatalf("asked %d times", n)
	}
	after := openOffice(t, j.reopened())
	if n := after.channel.count(); n != 1 {
		t.Fatalf("after the restart asked %d times", n)
	}
	if v := after.balance(a); v.AvailableFen != 600 || v.PostedFen != 1000 || v.PendingOutFen != 400 {
		t.Errorf("reserved: %+v", v)
	}
	after.do(&bank.ChannelResult{Transfer: after.channel.asked[0].Transfer, Success: true})
	if v := after.balance(a); v.AvailableFen != 600 || v.PostedFen != 600 || v.PendingOutFen != 0 {
		t.Errorf("settled: %+v", v)
	}
}

func TestOnePersonIsOneCustomerHoweverOftenHeAsksAtOnce(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	person := bank.PersonSealed{IDToken: "same", IDSealed: []byte("220113198506150001")}
	same := o.call(&bank.RegisterCustomer{IDKind: bank.ResidentID, Person: person})
	twin := &bank.Call{Command: &bank.RegisterCustomer{IDKind: bank.ResidentID, Person: person}, Key: same.Key, Body: same.Body}
	other := o.call(&bank.RegisterCustomer{IDKind: bank.ResidentID, Person: person})
	o.send(same, twin, other)()
	if same.Receipt.Txn != twin.Receipt.Txn || same.Receipt.Refusal != nil {
		t.Errorf("the same request twice: %+v and %+v", same.Receipt, twin.Receipt)
	}
	if r := other.Receipt.Refusal; r == nil || r.Code != bank.CustomerExists {
		t.Errorf("the same person again: %+v", other.Receipt)
	}
	if o.node.Customers() != 1 {
		t.Errorf("%d customers", o.node.Customers())
	}
}

func TestAskingForNobodyStartsNoActor(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	nobody := bank.NewAccountNo(2, 123456, 0)
	r := o.do(&bank.TransferOut{Account: nobody, AmountFen: 1, Bound: true})
	if r.Refusal == nil || r.Refusal.Code != bank.AccountUnknown {
		t.Errorf("receipt: %+v", r)
	}
	if o.node.slot(nobody.Customer()) != nil {
		t.Error("a stranger takes memory")
	}
}

func TestTooManyCommandsAtOnceAreRefusedAtOnce(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	if _, err := o.node.NewGroup(RequestsMaxDefault + 1); !errors.Is(err, bank.ErrOverloaded) {
		t.Errorf("accepted: %v", err)
	}
	if n := o.node.UnderWay(); n != 0 {
		t.Errorf("%d under way after a refusal", n)
	}
}

// A→B and B→A at once, and rings: the credit permit must not make payers wait for payees.
func TestRingsOfTransfersDoNotBlockEachOther(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	const n = 50
	var ring []bank.AccountNo
	for i := range n {
		ring = append(ring, o.customer(fmt.Sprint(i), 1000))
	}
	var calls []*bank.Call
	for range 20 {
		for i := range n {
			calls = append(calls,
				o.call(&bank.TransferInternal{Payer: ring[i], Payee: ring[(i+1)%n], AmountFen: 1}),
				o.call(&bank.TransferInternal{Payer: ring[(i+1)%n], Payee: ring[i], AmountFen: 1}))
		}
	}
	o.send(calls...)()
	sum := int64(0)
	for _, no := range ring {
		sum += o.balance(no).PostedFen
	}
	if sum != n*1000 {
		t.Errorf("the ring holds %d fen", sum)
	}
	for _, call := range calls {
		if call.Err != nil || call.Receipt.Refusal != nil {
			t.Fatalf("%+v %v", call.Receipt, call.Err)
		}
	}
	debits := ledger.Uint128{}
	o.engine.EachAccount(func(a *ledger.Account) bool { debits, _ = debits.Add(a.DebitsPosted); return true })
	credits := ledger.Uint128{}
	o.engine.EachAccount(func(a *ledger.Account) bool { credits, _ = credits.Add(a.CreditsPosted); return true })
	if debits != credits {
		t.Errorf("debits %s, credits %s", debits, credits)
	}
}

// A customer who pays into an account of his own both pays and receives; he hears of the payment, the first
// time and every time he asks again.
func TestAPaymentToOneselfIsToldTheSameAgain(t *testing.T) {
	o := openOffice(t, newMemoryJournal())
	a := o.customer("a", 1000)
	second := o.do(&bank.OpenAccount{Customer: a.Customer(), Class: 2, FaceToFace: true, Card: bank.CardSealed{Token: "card a"}})
	to := second.Events[0].(*bank.AccountOpened).AccountNo
	call := o.call(&bank.TransferInternal{Payer: a, Payee: to, AmountFen: 300})
	o.send(call)()
	repeat := again(call)
	o.send(repeat)()
	if call.Err != nil || repeat.Err != nil || len(call.Receipt.Events) != 1 || len(repeat.Receipt.Events) != 1 {
		t.Errorf("first %+v %v, repeated %+v %v", call.Receipt, call.Err, repeat.Receipt, repeat.Err)
	}
}
