package actors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
)

// operation is what a client wants once: a command under one key, or a look at an account.
type operation struct {
	command   bank.Command // nil: a look
	key, body bank.U128
	doomed    bank.RefusalCode // the only answer possible; empty: it depends
	person    string           // of a registration
	call      int64
	back      int64 // zero: not answered
	receipt   bank.Receipt
	others    []bank.Event   // of others than who was told, from the journal
	account   bank.AccountNo // looked at
	seen      *bank.AccountView
}

func (o *operation) text() string {
	if o.command == nil {
		return fmt.Sprintf("look at %s", o.account)
	}
	return fmt.Sprintf("%s %+v", o.command.Operation(), o.command)
}

// try is one sending of an operation's command.
type try struct {
	op      *operation
	client  *client
	process *process
	group   *Group
	request *Request
	strange bool // with another body than the operation's
}

// reading is a look under way.
type reading struct {
	op      *operation
	client  *client
	process *process
	done    chan error // capacity 1
}

// client does one thing after another and repeats what it has no answer to.
type client struct {
	name  int
	op    *operation // not answered yet; nil: none
	tries int        // of op, under way, as far as the client knows
}

func (c *client) eager() int {
	if c.op != nil && c.tries > 0 {
		return 1
	}
	return 4
}

// act lets a client do its next thing.
func (s *simulation) act(c *client) {
	if !s.process.served {
		return
	}
	switch {
	case c.op == nil && s.one(8):
		s.repeat(c)
	case c.op == nil:
		c.op, c.tries = s.random(), 0
		s.begin(c)
	case c.tries == 0 && s.one(7):
		s.note("client gives up", "%d: %s", c.name, c.op.text())
		c.op = nil
	case c.tries < 3 && c.op.command != nil:
		s.send(c, c.op, false)
	}
}

func (s *simulation) begin(c *client) {
	if c.op.call > 0 { // somebody wanted the same before
		s.send(nil, c.op, false)
		c.op = nil
		return
	}
	s.tick++
	c.op.call = s.tick
	s.ops = append(s.ops, c.op)
	if c.op.command == nil {
		s.look(c, c.op)
		return
	}
	s.send(c, c.op, false)
}

// repeat asks again for something long done, or under its key for something else.
func (s *simulation) repeat(c *client) {
	var done []*operation
	for _, op := range s.ops {
		if op.command != nil && op.back > 0 {
			done = append(done, op)
		}
	}
	if len(done) > 0 {
		s.send(nil, done[s.rng.IntN(len(done))], s.one(3))
	}
}

// send sends an operation's command to the process that serves, or to the one that is mistaken about it.
func (s *simulation) send(c *client, op *operation, strange bool) {
	p, command := s.process, op.command
	registration, registers := command.(*bank.RegisterCustomer)
	house := bank.DeciderOf(command).IsHouse()
	if registers {
		copied := *registration // a number is written into it
		registration, command = &copied, &copied
	} else if s.frozen != nil && s.one(3) && !house && slices.Contains(s.world.customers[:s.frozen.knows], bank.DeciderOf(command)) {
		p = s.frozen
	}
	y := &try{op: op, client: c, process: p, strange: strange}
	call := &bank.Call{Command: command, Key: op.key, Body: op.body}
	if strange {
		call.Body.Hi++
	}
	group, err := p.node.NewGroup(1)
	if err != nil {
		s.failf("no group: %v", err)
		return
	}
	y.group, y.request = group, group.Request(bank.DeciderOf(command), call)
	s.note("send "+command.Operation(), "to %s, key %d, strange %v: %+v", p.name, op.key.Lo, strange, command)
	if c != nil && !strange {
		c.tries++
	}
	s.tries = append(s.tries, y)
	if registers {
		switch refusal, err := p.node.Enroll(y.request, registration); {
		case err != nil:
			y.request.Fail(err)
			return
		case refusal != nil:
			y.request.Refuse(refusal)
			return
		}
	}
	pid, err := p.node.Shard(y.request.Customer.Shard())
	if err != nil {
		y.request.Fail(fmt.Errorf("%w: %w", bank.ErrStopping, err))
		return
	}
	p.node.System().Root.Send(pid, y.request)
}

// look reads an account's balances.
func (s *simulation) look(c *client, op *operation) {
	p := s.process
	r := &reading{op: op, client: c, process: p, done: make(chan error, 1)}
	var fault error
	q := NewQuery(op.account.Customer(), func(v *View) { op.seen, fault = v.Account(op.account) })
	pid, err := p.node.Shard(op.account.Customer().Shard())
	if err != nil {
		s.failf("shard: %v", err)
		return
	}
	s.note("look", "%d at %s", c.name, op.account)
	c.tries++
	s.reads = append(s.reads, r)
	p.node.System().Root.Send(pid, q)
	go func() {
		err := q.Wait(context.WithValue(p.ctx, asker{}, fmt.Sprint("client ", c.name)), p.died)
		r.done <- cmp.Or(err, fault)
	}()
}

// listen hears what has been answered.
func (s *simulation) listen() {
	s.tries = slices.DeleteFunc(s.tries, func(y *try) bool {
		select {
		case <-y.group.done:
			s.tick++
			y.client.heard(y.op)
			s.hear(y)
			return true
		default:
			return false
		}
	})
	s.reads = slices.DeleteFunc(s.reads, func(r *reading) bool {
		select {
		case err := <-r.done:
			s.tick++
			r.client.heard(r.op)
			s.note("seen", "%s: %+v, %v", r.op.account, r.op.seen, err)
			if err == nil {
				r.op.back = s.tick
			} else if !excused(err) {
				s.failf("%s: %v", r.op.text(), err)
			}
			r.client.op = nil // a look is not repeated
			return true
		default:
			return false
		}
	})
}

// heard counts an answer.
func (c *client) heard(op *operation) {
	if c != nil && c.op == op {
		c.tries--
	}
}

// abandoned counts the tries that died with a process.
func (s *simulation) abandoned(p *process) {
	s.tries = slices.DeleteFunc(s.tries, func(y *try) bool {
		if y.process == p {
			y.client.heard(y.op)
		}
		return y.process == p
	})
	s.reads = slices.DeleteFunc(s.reads, func(r *reading) bool {
		if r.process == p {
			r.client.op = nil
		}
		return r.process == p
	})
}

// excused are the errors that say "repeat it".
func excused(err error) bool {
	for _, e := range []error{bank.ErrStopping, bank.ErrOverloaded, bank.ErrLedgerUnavailable, bank.ErrLedgerUnanswered} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// hear takes the answer to one try and compares it with what was answered before.
func (s *simulation) hear(y *try) {
	op, r := y.op, y.request.receipt
	if err := y.request.err; err != nil {
		s.note("told to repeat", "key %d by %s: %v", op.key.Lo, y.process.name, err)
		if !excused(err) {
			s.failf("%s: %v", op.text(), err)
		}
		return
	}
	s.note("told", "key %d by %s: %s", op.key.Lo, y.process.name, tell(&r))
	switch {
	case y.strange:
		if op.receipt.Txn != (bank.TxnID{}) && (r.Refusal == nil || r.Refusal.Code != bank.KeyReused) {
			s.failf("key %d is taken, and something else was done under it: %s", op.key.Lo, tell(&r))
		}
	case r.Txn == (bank.TxnID{}):
		s.unremembered(op, &r)
	case op.back == 0:
		op.receipt, op.back = r, s.tick
		s.world.learn(r.Events, r.Date)
		s.tally["answered "+op.command.Operation()]++
		if r.Refusal != nil {
			s.tally["refused "+string(r.Refusal.Code)]++
		}
	case tell(&op.receipt) != tell(&r):
		s.failf("key %d was told %s and then %s", op.key.Lo, tell(&op.receipt), tell(&r))
	}
	if y.client != nil && y.client.op == op && (op.back > 0 || r.Refusal != nil) {
		y.client.op = nil
	}
}

// unremembered takes a refusal that no journal keeps: that a person or a person's number is, or is being,
// registered, or that there is no such customer. It binds nobody; a later try may end otherwise.
func (s *simulation) unremembered(op *operation, r *bank.Receipt) {
	if r.Refusal == nil {
		s.failf("%s was done and has no number: %s", op.text(), tell(r))
		return
	}
	others := slices.ContainsFunc(s.ops, func(o *operation) bool { return o != op && o.person != "" && o.person == op.person })
	if r.Refusal.Code != op.doomed && (r.Refusal.Code != bank.CustomerExists || !others) {
		s.failf("%s: refused without reason: %s", op.text(), tell(r))
	}
}

// tell writes down what a receipt says, but not whether it was the first to say so.
func tell(r *bank.Receipt) string {
	s := fmt.Sprintf("%s %s on %d at %d", r.Operation, r.Txn, r.Date, r.Time)
	if r.Refusal != nil {
		s += " refused: " + r.Refusal.Error()
	}
	for _, e := range r.Events {
		s += fmt.Sprintf(" %T%+v", e, e)
	}
	return s + fmt.Sprintf(" %+v", r.Balances)
}

// channelDesk is the payment channel: it notes what it is asked and answers when the simulation says so.
type channelDesk struct {
	s     *simulation
	asked map[bank.TxnID]ChannelRequest
}

func (c *channelDesk) Send(r ChannelRequest) {
	c.asked[r.Transfer] = r
	c.s.note("channel asked", "%+v", r)
}

// forget is the channel's own loss: it must be asked again.
func (c *channelDesk) forget() { clear(c.asked) }

func (c *channelDesk) random() (ChannelRequest, bool) {
	if len(c.asked) == 0 {
		return ChannelRequest{}, false
	}
	all := slices.SortedFunc(maps.Values(c.asked), func(a, b ChannelRequest) int {
		return cmp.Or(cmp.Compare(a.Transfer.Hi, b.Transfer.Hi), cmp.Compare(a.Transfer.Lo, b.Transfer.Lo))
	})
	return all[c.s.rng.IntN(len(all))], true
}
