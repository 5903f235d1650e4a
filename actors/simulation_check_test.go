package actors

import (
	"bytes"
	"slices"
	"testing/synctest"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/serial"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

const (
	restSteps = 3000        // within which a bank without trouble comes to rest
	daySteps  = 200         // of accounting days, likewise
	searchMax = time.Minute // for an order of one history; the longest seen took a second
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
		case len(s.tries)+len(s.reads) > 0 || s.process.day != nil || s.process.node.Unresolved() > 0 || !s.process.served || !s.process.node.LedgerAvailable():
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
	s.workedOff()
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

// reveal finds out from the journal what became of commands whose clients were never told, and what answers did not
// say since it happened to others.
func (s *simulation) reveal() {
	s.own = s.byTheBank()
	for _, op := range s.ops {
		if op.command == nil {
			continue
		}
		rec, err := s.disk.FindCommand(ledger.Uint128(op.key))
		if err != nil || rec == nil {
			continue // not written down: it must have had no effect
		}
		_, op.others = s.eventsOf(rec)
		if op.back > 0 {
			continue
		}
		r, err := receiptOf(rec)
		if err != nil {
			s.failf("%v", err)
			continue
		}
		s.tick++
		op.receipt, op.back = r, s.tick
		s.world.learn(r.Events, r.Date)
		s.tally["not told, and done"]++
	}
}

// eventsOf are the events of a record: of who decided, and of others or of him as another.
func (s *simulation) eventsOf(rec *journal.Record) (own, others []bank.Event) {
	for i := range rec.Events {
		e, err := bank.DecodeEvent(bank.EventType(rec.Events[i].Type), rec.Events[i].Body)
		if err != nil {
			s.failf("position %d: %v", rec.Position, err)
			return nil, nil
		}
		if rec.Events[i].Customer != rec.Customer || received(own, e) {
			others = append(others, e)
		} else {
			own = append(own, e)
		}
	}
	return own, others
}

// bankOwn is something the bank has done by itself, with the ticks between which it happened.
type bankOwn struct {
	call, back int64
	telling
}

// byTheBank finds in the journal what nobody asked for: holds that are filled, and what nights bring.
func (s *simulation) byTheBank() (found []bankOwn) {
	asked := map[ledger.Uint128]bool{}
	for _, op := range s.ops {
		asked[ledger.Uint128(op.key)] = op.command != nil
	}
	intended := map[uint64][]int64{}
	for i, rec := range s.disk.records {
		call, back := s.moments[i], s.moments[i]
		switch rec.Kind {
		case journal.KindClaim:
			continue
		case journal.KindIntent:
			intended[rec.Customer] = append(intended[rec.Customer], call)
			continue
		case journal.KindOutcome: // those of a customer come in order
			call, intended[rec.Customer] = intended[rec.Customer][0], intended[rec.Customer][1:]
		}
		if asked[rec.Command] || rec.Results != nil || bank.CustomerNo(rec.Customer).IsHouse() {
			continue
		}
		own, others := s.eventsOf(rec)
		s.world.learn(own, bank.Date(rec.AccountingDate))
		r, err := receiptOf(rec)
		if err != nil {
			s.failf("%v", err)
		}
		s.tally["by itself "+r.Operation]++
		found = append(found, bankOwn{call, back, telling{
			simulation: s, text: r.Operation, date: r.Date, millis: r.Time / 1e6, events: own, others: others, internal: true,
		}})
	}
	return found
}

// checkHistory asks whether a bank that does one thing at a time could have told the clients the same, and have
// done what the bank did by itself.
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
	for i := range s.own {
		o := &s.own[i]
		if steps := o.steps(nil); len(steps) > 0 {
			ops = append(ops, &serial.Op{Call: o.call, Return: o.back, Text: "by itself: " + o.text, Steps: steps})
		}
	}
	s.tally["operations checked"] += len(ops)
	if s.failures != nil {
		return
	}
	if verdict, why := serial.Check(ops, searchMax); verdict != serial.Right {
		s.failf("no order explains what the clients were told: %s", why)
	}
}

// checkBooks checks the rules of SPEC 3.5 that apply, on what is in the journal and in the ledger.
func (s *simulation) checkBooks() {
	engine := s.process.engine
	if s.elsewhere {
		engine = s.network.Engine
	}
	b := &simulatedBooks{simulation: s, engine: engine, accounts: map[ledger.Uint128]ledger.Account{}, pending: map[ledger.Uint128]ledger.Transfer{}}
	decisions, events := map[uint64]uint64{}, map[uint64]uint64{}
	keys := map[ledger.Uint128]int{}
	numbers := map[teller]uint64{}
	var today bank.Date
	for _, rec := range s.disk.records {
		if rec.Kind == journal.KindClaim {
			continue
		}
		// Behind a day's cut nothing is of that day any more, but for outcomes of what was, and the work of its end.
		if date := bank.Date(rec.AccountingDate); date < today && rec.Kind != journal.KindOutcome && bank.Channel(rec.Channel) != bank.ChannelBatch {
			s.failf("position %d: of %s, behind the beginning of %s", rec.Position, date, today)
		}
		own, _ := s.eventsOf(rec)
		for _, e := range own {
			if date, begins := bank.DateBegun(e); begins {
				today = date
			}
		}
		// R9: no hole in anybody's decisions. R10: nor in his events, each of which is there once.
		if rec.Seq != decisions[rec.Customer]+1 {
			s.failf("position %d: decision %d after %d", rec.Position, rec.Seq, decisions[rec.Customer])
		}
		decisions[rec.Customer] = rec.Seq
		if rec.Kind == journal.KindIntent {
			continue
		}
		// R9: nor in any teller's journal of a date, and the ledger knows whose transfers these are.
		who := teller{bank.Date(rec.AccountingDate), bank.Channel(rec.Channel), rec.Teller}
		if numbers[who]++; rec.TellerSerial != numbers[who] || rec.Teller != bank.TellerOf(rec.Shard) {
			s.failf("position %d, shard %d: number %d of %+v, wanted %d", rec.Position, rec.Shard, rec.TellerSerial, who, numbers[who])
		}
		for i := range rec.Transfers {
			if t, ok := engine.Transfer(rec.Transfers[i].ID); ok && (t.UserData64 != rec.Stamp() || t.UserData32 != rec.AccountingDate) {
				s.failf("position %d: the ledger has transfer %s of date %d and teller %x, the journal %x", rec.Position, t.ID, t.UserData32, t.UserData64, rec.Stamp())
			}
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
			b.enter(rec)
		}
	}
	b.check()
}

// teller is a virtual teller on a date.
type teller struct {
	date    bank.Date
	channel bank.Channel
	no      uint16
}

func plus(a, b ledger.Uint128) ledger.Uint128 {
	sum, _ := a.Add(b)
	return sum
}

func minus(a, b ledger.Uint128) ledger.Uint128 {
	rest, _ := a.Sub(b)
	return rest
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
	for _, no := range append(slices.Clone(s.world.customers), bank.BankHouse) {
		a, b := s.held(old, no), s.held(s.process, no)
		if a == nil || b == nil {
			continue
		}
		x, errX := bank.AppendState(nil, &a.customer, &a.desk)
		y, errY := bank.AppendState(nil, &b.customer, &b.desk)
		if errX != nil || errY != nil || !bytes.Equal(x, y) {
			s.failf("customer %s in memory:\n%+v %+v\nand from the journal:\n%+v %+v\n%v %v", no, a.customer, a.desk, b.customer, b.desk, errX, errY)
		}
	}
	s.kill(old)
}
