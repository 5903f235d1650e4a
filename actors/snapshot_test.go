package actors

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// unsnapped is a journal without its snapshots.
func (j *memoryJournal) unsnapped() *memoryJournal {
	n := j.reopened()
	clear(n.snapshots)
	n.saved = 0
	return n
}

// states brings every customer to memory and encodes him. All leave first, so that no actor is at work.
func (o *office) states() map[bank.CustomerNo]journal.Snapshot {
	o.tb.Helper()
	until(o.tb, "nobody in memory", func() bool { o.passivateAll(); return o.node.InMemory() == 0 })
	found := make(map[bank.CustomerNo]journal.Snapshot)
	for no := bank.CustomerNo(1); no <= o.node.registry.highest(); no++ {
		s, err := o.node.acquire(no, false)
		if err != nil {
			o.tb.Fatal(err)
		}
		if s == nil {
			continue
		}
		changed, rolled, base, known := s.changed.Load(), s.rolled.Load(), s.base, s.known
		if found[no], err = s.snapshot(new(stateWriter)); err != nil {
			o.tb.Fatal(err)
		}
		s.changed.Store(changed) // to look is not to save
		s.rolled.Store(rolled)
		s.base, s.known = base, known
		s.release()
	}
	return found
}

// sameStates compares what two nodes know of all customers.
func sameStates(t testing.TB, what string, want, got *office) {
	t.Helper()
	a, b := want.states(), got.states()
	if !maps.EqualFunc(a, b, func(x, y journal.Snapshot) bool {
		return x.Head == y.Head && x.Person == y.Person && bytes.Equal(x.State, y.State)
	}) {
		t.Errorf("%s: customers differ: %+v and %+v", what, a, b)
	}
	if x, y := want.node.Customers(), got.node.Customers(); x != y {
		t.Errorf("%s: %d and %d customers", what, x, y)
	}
	if x, y := want.node.registry.opened(), got.node.registry.opened(); !slices.Equal(x, y) {
		t.Errorf("%s: transfers without an answer of %v and %v", what, x, y)
	}
	if x, y := want.node.registry.highest(), got.node.registry.highest(); x > y {
		t.Errorf("%s: number %d would be given out again after %d", what, y+1, x)
	}
}

// life is a random history of a node's customers, in which they leave memory and are saved at any moment.
type life struct {
	*office
	rng      *rand.Rand
	accounts []bank.AccountNo
	day      *bank.Date // whose end is next
	rested   *int       // days closed at rest
}

// endDay ends a date, as Days does.
func (l *life) endDay() {
	l.tb.Helper()
	s := l.node.newSweep(*l.day, bank.EndOfDay, nil)
	s.resting, s.due = closeResting, l.day.AddDays(1)
	before := l.node.closedAtRest.Load()
	if err := s.run(l.tb.Context()); err != nil {
		l.tb.Fatal(err)
	}
	*l.rested += int(l.node.closedAtRest.Load() - before)
	*l.day = s.due
}

func (l *life) step() {
	switch l.rng.IntN(16) {
	case 14:
		l.endDay()
		return
	case 15: // everybody who can is at rest
		l.passivateAll()
		l.endDay()
		return
	case 0:
		l.passivateAll()
		return
	case 1:
		if err := l.node.Checkpoint(l.tb.Context()); err != nil {
			l.tb.Fatal(err)
		}
		return
	case 2:
		if len(l.accounts) < 8 {
			l.accounts = append(l.accounts, l.customer(fmt.Sprintf("%d-%d", l.opened, l.keys), 5_000_000))
			return
		}
	}
	l.do(l.command())
}

// command is any command; many are refused.
func (l *life) command() bank.Command {
	account, other := l.accounts[l.rng.IntN(len(l.accounts))], l.accounts[l.rng.IntN(len(l.accounts))]
	no, seq, fen := account.Customer(), uint32(1+l.rng.IntN(2)), 1+l.rng.Int64N(300_000)
	switch l.rng.IntN(10) {
	case 0:
		return &bank.TransferOut{Account: account, AmountFen: fen, Bound: l.rng.IntN(2) == 0}
	case 1:
		return &bank.TransferIn{Account: account, AmountFen: fen}
	case 2:
		if n := l.channel.count(); n > 0 {
			return &bank.ChannelResult{Transfer: l.channel.asked[l.rng.IntN(n)].Transfer, Success: l.rng.IntN(2) == 0}
		}
	case 3:
		return &bank.BuyDeposit{Account: account, Product: bank.ProductSLC6M, AmountFen: fen}
	case 4:
		return &bank.RedeemDeposit{Deposit: bank.NewContractNo(bank.DepositContract, no, seq), All: true}
	case 5:
		return &bank.ApplyLoan{Customer: no, Product: bank.ProductGHD, AmountFen: 10_000_000, TermMonths: 12}
	case 6:
		return &bank.DrawLoan{
			Line: bank.NewContractNo(bank.LineContract, no, seq), Account: account, AmountFen: fen, Method: bank.EqualInstalment, Periods: 6,
		}
	case 7:
		return &bank.RepayLoan{Loan: bank.NewContractNo(bank.LoanContract, no, seq), AmountFen: fen, Settle: l.rng.IntN(2) == 0}
	}
	return &bank.TransferInternal{Payer: account, Payee: other, AmountFen: fen}
}

// After a start from saved states and the records behind them a node knows of its customers what it would know
// if it had read the whole journal.
func TestSavedStatesAndTheirTailComeToTheSameAsTheWholeJournal(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 4))
			j, engine := newMemoryJournal(), newEngine()
			day, rested := dayD, 0
			for range 4 {
				l := &life{rng: rng, day: &day, rested: &rested}
				if seed%2 == 0 {
					l.office = openOffice(t, j)
				} else {
					l.office = openBranch(t, j, engine).office
				}
				for no := range l.states() {
					l.accounts = append(l.accounts, bank.NewAccountNo(1, no, 0))
				}
				slices.Sort(l.accounts)
				for len(l.accounts) < 3 {
					l.accounts = append(l.accounts, l.customer(fmt.Sprintf("first %d", len(l.accounts)), 5_000_000))
				}
				for range 20 + rng.IntN(120) {
					l.step()
				}
				until(t, "durable", func() bool { return j.Last() == j.Durable() })
				for _, no := range l.accounts {
					l.balance(no) // behind what the customer's actor still does of a command that was answered
				}
				read := l.reopened(t, j.unsnapped(), engine)
				sameStates(t, "restarted", read, l.reopened(t, j.reopened(), engine))
				sameStates(t, "living", read, l.office)
				j = j.reopened()
			}
			if j.Saved() == 0 {
				t.Error("nothing was saved up to anywhere")
			}
			if here := seed%2 == 0; here != (rested > 0) {
				t.Errorf("%d days were closed at rest", rested)
			}
		})
	}
}

// reopened opens a node of the same kind over another journal.
func (l *life) reopened(t *testing.T, j *memoryJournal, engine *embedded.Engine) *office {
	if l.node.options.Engine != nil {
		return openOffice(t, j)
	}
	return prepareBranch(t, j, newLink(engine)).office
}

// A customer with more records behind the checkpoint than he may have to read alone is read by Recover: with all others
// or, if there are many of theirs, alone.
func TestAHotCustomerIsBackInMemoryAfterAStart(t *testing.T) {
	for name, others := range map[string]int{"among his own records": 1, "among those of others": 12} {
		t.Run(name, func(t *testing.T) { hotCustomer(t, others) })
	}
}

func hotCustomer(t *testing.T, others int) {
	j := newMemoryJournal()
	o := openOffice(t, j)
	hot, cold := o.customer("hot", 1_000_000), o.customer("cold", 1_000_000)
	var more []bank.AccountNo
	for i := range others - 1 {
		more = append(more, o.customer(fmt.Sprint("other ", i), 1_000_000))
	}
	if err := o.node.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range hotRecords + 5 {
		o.do(&bank.CreditInbound{Account: hot, AmountFen: 1})
	}
	for _, account := range more {
		for range hotRecords - 1 {
			o.do(&bank.CreditInbound{Account: account, AmountFen: 1})
		}
	}
	o.do(&bank.CreditInbound{Account: cold, AmountFen: 1})
	after := openOffice(t, j.reopened())
	if after.node.slot(hot.Customer()) == nil || after.node.slot(cold.Customer()) != nil {
		t.Error("the hot customer is not in memory, or the cold one is")
	}
	sameStates(t, "restarted", openOffice(t, j.unsnapped()), after)
	if err := after.node.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if saved, last := after.journal.Saved(), after.journal.Last(); saved == 0 || saved > last {
		t.Errorf("saved up to %d of %d", saved, last)
	}
	sameStates(t, "restarted after a checkpoint", openOffice(t, j.unsnapped()), openOffice(t, after.journal.reopened()))
}

// A decision the ledger has not answered is in no saved state: the next start must find it all the same.
func TestACheckpointForgetsNoDecisionWithoutAnOutcome(t *testing.T) {
	b := openBranch(t, newMemoryJournal(), newEngine())
	x, y := b.customer("x", 1000), b.customer("y", 0)
	b.link.set(func() { b.link.before = func(string, int) error { return errors.New("no way") } })
	call := b.pay(x, y, 300)
	for range 2 {
		if err := b.node.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b = b.restarted()
	b.resolved()
	repeat := again(call)
	b.send(repeat)()
	if repeat.Err != nil || repeat.Receipt.Refusal != nil {
		t.Errorf("%+v %v", repeat.Receipt, repeat.Err)
	}
	if v := b.balance(y); v.PostedFen != 300 {
		t.Errorf("payee has %d", v.PostedFen)
	}
}

// A disk that takes no snapshots for a while costs longer starts, and no customer.
func TestASaveThatFailsLosesNobody(t *testing.T) {
	j := newMemoryJournal()
	o := openOffice(t, j)
	a, b := o.customer("a", 1000), o.customer("b", 0)
	j.refuseSave = errors.New("no space")
	o.do(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 300})
	o.passivateAll()
	if err := o.node.Checkpoint(t.Context()); !errors.Is(err, j.refuseSave) {
		t.Fatalf("a save that failed: %v", err)
	}
	o.do(&bank.TransferInternal{Payer: a, Payee: b, AmountFen: 200})
	sameStates(t, "restarted without", openOffice(t, j.unsnapped()), openOffice(t, j.reopened()))
	o.passivateAll()
	j.mu.Lock()
	j.refuseSave = nil
	j.mu.Unlock()
	if err := o.node.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if j.Saved() != j.Last() {
		t.Errorf("saved up to %d of %d", j.Saved(), j.Last())
	}
	sameStates(t, "restarted", openOffice(t, j.unsnapped()), openOffice(t, j.reopened()))
}

// The register of persons is not in memory; nobody may become a customer twice for that.
func TestAPersonIsKnownAfterLeavingMemoryAndAfterARestart(t *testing.T) {
	j := newMemoryJournal()
	o := openOffice(t, j)
	person := bank.PersonSealed{IDToken: "one", IDSealed: []byte("220113198506150001")}
	register := func(o *office) bank.Receipt {
		return o.do(&bank.RegisterCustomer{IDKind: bank.ResidentID, Person: person})
	}
	first := register(o)
	o.customer("another", 0)
	for range 2 {
		o.passivateAll()
		if err := o.node.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(o.node.registry.persons); n != 0 {
			t.Errorf("%d persons are still in memory", n)
		}
		if r := register(o); r.Refusal == nil || r.Refusal.Code != bank.CustomerExists {
			t.Errorf("the same person again: %+v", r)
		}
		if n := o.node.Customers(); n != 2 {
			t.Errorf("%d customers", n)
		}
		o = openOffice(t, j.reopened())
	}
	third := o.customer("a third", 0)
	if no := first.Events[0].(*bank.CustomerRegistered).CustomerNo; no != 1 || third.Customer() != 3 {
		t.Errorf("numbers %d and %d", no, third.Customer())
	}
}

func TestSavedCustomersOfAnotherLedgerAreRefused(t *testing.T) {
	j := newMemoryJournal()
	o := openOffice(t, j)
	o.customer("a", 0)
	if err := o.node.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := NewNode(Options{Ledger: newLink(newEngine()), Clock: testClock, Logger: slog.New(slog.DiscardHandler)})
	if err := n.Recover(t.Context(), j.reopened()); !errors.Is(err, ErrOtherLedger) {
		t.Errorf("opened with another ledger: %v", err)
	}
}

func FuzzDecodeRegister(f *testing.F) {
	f.Add((&register{at: 9, last: 5, registered: 4, open: []bank.CustomerNo{1, 5}}).append(nil))
	f.Add((&register{elsewhere: true}).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRegister(b)
		if err != nil {
			return
		}
		again, err := decodeRegister(r.append(nil))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(r) {
			t.Fatalf("%+v became %+v (%v)", r, again, err)
		}
	})
}

// What an older program saved lacks what this one reckons interest from: the start says so and what to do.
func TestStatesOfAnOlderProgramAreNotRead(t *testing.T) {
	b := (&register{registered: 1, last: 1}).append(nil)
	if _, err := decodeRegister(b); err != nil {
		t.Fatal(err)
	}
	b[0] = registerVersionOldest
	if _, err := decodeRegister(b); err != nil {
		t.Errorf("what was saved before there were books: %v", err)
	}
	b[0]--
	if _, err := decodeRegister(b); !errors.Is(err, errVersion) {
		t.Errorf("%v", err)
	}
}

// The person of a state that may not have been saved yet is saved with the next one.
func TestAPersonIsSavedUntilAStateWithItIs(t *testing.T) {
	var u unsaved
	u.init()
	first := journal.Snapshot{Customer: 1, Person: ledger.U64(11)}
	later := first
	later.PersonSaved = true
	saved := func() bool {
		t.Helper()
		s, ok := u.find(1)
		if !ok {
			t.Fatal("the state is gone")
		}
		return s.PersonSaved
	}
	u.put(first)
	u.put(later) // before the first was saved
	if saved() {
		t.Error("the person would never be saved")
	}
	u.take()
	u.put(later) // while it is being saved, which may fail
	if saved() {
		t.Error("the person would not be saved if the disk refused")
	}
	u.done(false)
	u.take()
	u.done(true)
	u.put(later)
	if !saved() {
		t.Error("the person is saved again with every state")
	}
}
