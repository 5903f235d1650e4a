package actors

import (
	"fmt"
	"testing/synctest"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/serial"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

const (
	restSteps = 3000             // within which a bank without trouble comes to rest
	searchMax = 20 * time.Second // for an order of one history; the longest seen took a second
)

// rest lets everything finish that is under way, without trouble.
func (s *simulation) rest() {
	for range restSteps {
		if s.failures != nil {
			return
		}
		switch {
		case s.process.faulty() || s.broken:
			s.crash()
		case s.handOver():
		case s.elsewhere && len(s.network.inOrder(false)) > 0:
			s.deliver(s.network.inOrder(false)[0])
		case s.disk.Last() > s.disk.Durable():
			s.flush()
		case len(s.tries)+len(s.reads) > 0 || s.process.node.Unresolved() > 0 || !s.process.served || !s.process.node.LedgerAvailable():
			s.note("rest", "%d tries, %d intents", len(s.tries), s.process.node.Unresolved())
			time.Sleep(100 * time.Millisecond)
		default:
			return
		}
		s.settle()
	}
	s.failf("does not come to rest: %d tries and %d looks unanswered, %d intents", len(s.tries), len(s.reads), s.process.node.Unresolved())
}

func (s *simulation) handOver() bool {
	for _, p := range []*process{s.process, s.frozen} {
		if p == nil {
			continue
		}
		for i, box := range p.mailboxes {
			if box.UserMessageCount() > 0 {
				s.note("message", "%s mailbox %d: %s", p.name, i, box.handOver())
				return true
			}
		}
	}
	return false
}

// finish brings the bank to rest, looks at everything, and checks it.
func (s *simulation) finish() {
	if s.frozen != nil || s.one(2) {
		s.crash() // what is in memory and what a new process finds must be the same
	}
	s.clients = nil
	s.rest()
	if s.failures != nil {
		return
	}
	s.reveal()
	for _, no := range s.world.accounts {
		c := &client{name: -1, op: &operation{account: no}}
		op := c.op
		s.begin(c)
		s.rest()
		if op.back == 0 && s.failures == nil {
			s.failf("%s is not shown", no)
		}
	}
	if s.failures == nil {
		s.checkBooks()
		s.checkMemory()
	}
}

// reveal finds out from the journal what became of commands whose clients were never told.
func (s *simulation) reveal() {
	for _, op := range s.ops {
		if op.command == nil || op.back > 0 {
			continue
		}
		rec, err := s.disk.FindCommand(ledger.Uint128(op.key))
		if err != nil || rec == nil {
			continue // not written down: it must have had no effect
		}
		r, err := receiptOf(rec)
		if err != nil {
			s.failf("%v", err)
			continue
		}
		s.tick++
		op.receipt, op.back = r, s.tick
		s.world.learn(op, &r)
		s.tally["not told, and done"]++
	}
}

// checkHistory asks whether a bank that does one thing at a time could have told the clients the same.
func (s *simulation) checkHistory() {
	var ops []*serial.Op
	for _, op := range s.ops {
		if op.back == 0 {
			continue
		}
		if steps := s.steps(op); len(steps) > 0 {
			ops = append(ops, &serial.Op{Call: op.call, Return: op.back, Text: op.text(), Steps: steps})
		}
	}
	s.tally["operations checked"] += len(ops)
	if verdict, why := serial.Check(ops, searchMax); verdict != serial.Right {
		s.failf("no order explains what the clients were told: %s", why)
	}
}

// checkBooks checks the rules of SPEC 3.5 that apply, on what is in the journal and in the ledger.
func (s *simulation) checkBooks() {
	books := map[ledger.Uint128]ledger.Account{} // added up from the journal
	pending := map[ledger.Uint128]ledger.Transfer{}
	decisions, events := map[uint64]uint64{}, map[uint64]uint64{}
	keys := map[ledger.Uint128]int{}
	for _, rec := range s.disk.records {
		if rec.Kind == journal.KindClaim {
			continue
		}
		// R9: no hole in anybody's decisions. R10: nor in his events, each of which is there once.
		if rec.Seq != decisions[rec.Customer]+1 {
			s.failf("position %d: decision %d after %d", rec.Position, rec.Seq, decisions[rec.Customer])
		}
		decisions[rec.Customer] = rec.Seq
		if rec.Kind == journal.KindIntent {
			continue
		}
		if keys[rec.Command]++; keys[rec.Command] > 1 && !rec.Command.IsZero() {
			s.failf("position %d: command %s was carried out before", rec.Position, rec.Command)
		}
		for _, e := range rec.Events {
			if e.Seq != events[e.Customer]+1 {
				s.failf("position %d: event %d after %d", rec.Position, e.Seq, events[e.Customer])
			}
			events[e.Customer] = e.Seq
		}
		if rec.Results == nil {
			for i := range rec.Transfers {
				enter(books, pending, &rec.Transfers[i])
			}
		}
	}
	engine := s.process.engine
	if s.elsewhere {
		engine = s.network.Engine
	}
	sums := map[uint32]ledger.Account{}
	engine.EachAccount(func(a *ledger.Account) bool {
		b := books[a.ID]
		if a.DebitsPosted != b.DebitsPosted || a.CreditsPosted != b.CreditsPosted || a.DebitsPending != b.DebitsPending || a.CreditsPending != b.CreditsPending {
			s.failf("account %s: the ledger has %+v, the journal %+v", a.ID, a, b)
		}
		delete(books, a.ID)
		sum := sums[a.Ledger]
		sum.DebitsPosted, sum.CreditsPosted = plus(sum.DebitsPosted, a.DebitsPosted), plus(sum.CreditsPosted, a.CreditsPosted)
		sum.DebitsPending, sum.CreditsPending = plus(sum.DebitsPending, a.DebitsPending), plus(sum.CreditsPending, a.CreditsPending)
		sums[a.Ledger] = sum
		return true
	})
	for id := range books {
		s.failf("account %s is in the journal and not in the ledger", id)
	}
	for no, sum := range sums { // R1, R2
		if sum.DebitsPosted != sum.CreditsPosted || sum.DebitsPending != sum.CreditsPending {
			s.failf("ledger %d: debits and credits differ: %+v", no, sum)
		}
	}
	s.checkCustomers(engine.Account, pending)
}

func plus(a, b ledger.Uint128) ledger.Uint128 {
	sum, _ := a.Add(b)
	return sum
}

func minus(a, b ledger.Uint128) ledger.Uint128 {
	rest, _ := a.Sub(b)
	return rest
}

// enter enters a transfer in books and in the list of what is pending.
func enter(books map[ledger.Uint128]ledger.Account, pending map[ledger.Uint128]ledger.Transfer, t *ledger.Transfer) {
	debit, credit, amount := t.DebitAccountID, t.CreditAccountID, t.Amount
	settles := t.Flags&(ledger.TransferPostPending|ledger.TransferVoidPending) != 0
	if settles {
		p := pending[t.PendingID]
		debit, credit, amount = p.DebitAccountID, p.CreditAccountID, p.Amount
		delete(pending, t.PendingID)
	}
	from, to := books[debit], books[credit]
	switch {
	case t.Flags&ledger.TransferPending != 0:
		pending[t.ID] = *t
		from.DebitsPending, to.CreditsPending = plus(from.DebitsPending, amount), plus(to.CreditsPending, amount)
	case settles:
		from.DebitsPending, to.CreditsPending = minus(from.DebitsPending, amount), minus(to.CreditsPending, amount)
	}
	if t.Flags&(ledger.TransferPending|ledger.TransferVoidPending) == 0 {
		from.DebitsPosted, to.CreditsPosted = plus(from.DebitsPosted, amount), plus(to.CreditsPosted, amount)
	}
	books[debit], books[credit] = from, to
}

// checkCustomers compares every customer's state with the ledger.
func (s *simulation) checkCustomers(account func(ledger.Uint128) (ledger.Account, bool), pending map[ledger.Uint128]ledger.Transfer) {
	owed := func(id bank.U128) int64 {
		a, _ := account(ledger.Uint128(id))
		return net(a.CreditsPosted, a.DebitsPosted)
	}
	inFlight := 0
	for _, no := range s.world.customers {
		held := s.held(s.process, no)
		if held == nil {
			continue
		}
		c := &held.customer
		for i := range c.Accounts {
			if fen := owed(c.Accounts[i].LedgerID()); fen < 0 { // R11
				s.failf("%s has %d", c.Accounts[i].No, fen)
			}
			if standing := held.desk.Standing(c.Accounts[i].No); standing.ReservedFen != 0 {
				s.failf("%s: %d fen stay reserved", c.Accounts[i].No, standing.ReservedFen)
			}
		}
		for i := range c.Deposits { // R4
			if fen := owed(c.Deposits[i].LedgerID()); fen != c.Deposits[i].PrincipalFen {
				s.failf("deposit %s: %d on the ledger, %d in the contract", c.Deposits[i].No, fen, c.Deposits[i].PrincipalFen)
			}
		}
		for i := range c.Lines { // R8, of lines that do not revolve
			used := int64(0)
			for k := range c.Loans {
				if c.Loans[k].Line == c.Lines[i].No {
					used += c.Loans[k].PrincipalFen
				}
			}
			if fen := owed(c.Lines[i].LedgerID()); fen+used != c.Lines[i].LimitFen {
				s.failf("line %s: %d available and %d used of %d", c.Lines[i].No, fen, used, c.Lines[i].LimitFen)
			}
		}
		for i := range c.Loans { // R4
			if fen := -owed(bank.LedgerID(bank.DetailLoanPrincipal, uint64(no), c.Loans[i].No.Seq())); fen != c.Loans[i].RemainingFen {
				s.failf("loan %s: %d on the ledger, %d in the contract", c.Loans[i].No, fen, c.Loans[i].RemainingFen)
			}
		}
		for i := range c.InFlight { // R7: what is pending is known, and the channel has been asked
			f := &c.InFlight[i]
			inFlight++
			if f.FeePendingID != (bank.U128{}) {
				inFlight++
			}
			if _, ok := pending[ledger.Uint128(f.PendingID)]; !ok {
				s.failf("transfer %s waits for its channel and is not pending", f.Txn)
			}
			if _, ok := s.channel.asked[f.Txn]; !ok {
				s.failf("transfer %s waits for a channel that was not asked", f.Txn)
			}
		}
	}
	if inFlight != len(pending) {
		s.failf("%d transfers are pending, %d are known to wait", len(pending), inFlight)
	}
}

// held is a customer in a process's memory, where he stays.
func (s *simulation) held(p *process, no bank.CustomerNo) *slot {
	held, err := p.node.acquire(no, false)
	if held == nil || err != nil {
		s.failf("%s: customer %s is not there: %v", p.name, no, err)
	}
	return held
}

// checkMemory compares the customers in memory with those a new process makes of the journal.
func (s *simulation) checkMemory() {
	old := s.process
	s.start()
	for !s.process.served && s.failures == nil {
		s.rest()
		synctest.Wait()
	}
	for _, no := range s.world.customers {
		a, b := s.held(old, no), s.held(s.process, no)
		if a == nil || b == nil {
			continue
		}
		if x, y := fmt.Sprintf("%+v %+v", a.customer, a.desk), fmt.Sprintf("%+v %+v", b.customer, b.desk); x != y {
			s.failf("customer %s in memory:\n%s\nand from the journal:\n%s", no, x, y)
		}
	}
	s.kill(old)
}
