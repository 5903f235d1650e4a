package actors

import (
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/prefetch"
	"github.com/suanpan-bank/suanpan/ledger"
)

// A transfer touches some thirty lines of memory of two customers, each found through the one before, and with many
// customers hardly one of them is in a processor's cache. Waiting for them one after the other took longer than all
// that is reckoned. So a round asks for what all of its commands will need before it handles the first: for
// everything of one kind, then for what is found there.

// lookAhead asks for the memory that the next of the turns that are coming will need, and tells for how many: those that
// have roundMax commands together, since what is asked for much earlier is no longer in the cache when it is needed. Nothing
// depends on it but speed.
func (r *round) lookAhead() (turns int) {
	if len(r.coming) == 1 {
		return 1
	}
	var commands [roundMax]*Request
	n := 0
	for _, t := range r.coming {
		if n == roundMax {
			break
		}
		turns++
		m, ok := t.(*shardMailbox)
		if !ok {
			continue
		}
		m.peek()
		for _, message := range m.taken {
			if command, ok := message.(*Request); ok && n < roundMax {
				prefetch.Of(command)
				commands[n] = command
				n++
			}
		}
	}
	if n == 0 {
		return turns
	}
	for _, c := range commands[:n] {
		prefetch.Of(c.Call)
		for _, s := range [...]*slot{c.slot, c.payee} {
			if s != nil {
				prefetch.Of(s)
			}
		}
	}
	keys, customers := r.keys[:0], r.customers[:0]
	for _, c := range commands[:n] {
		if t, ok := c.Call.Command.(*bank.TransferInternal); ok {
			prefetch.Of(t)
		}
		keys, customers = append(keys, ledger.Uint128(c.Call.Key)), append(customers, uint64(c.Customer))
		if c.slot != nil && c.slot.actor != nil {
			prefetch.Of(c.slot.actor)
			if accounts := c.slot.customer.Accounts; len(accounts) > 0 {
				prefetch.Of(&accounts[0])
			}
			c.slot.lookAhead()
		}
		if c.payee != nil {
			customers = append(customers, uint64(c.payee.no))
			c.payee.lookAhead()
		}
	}
	if j := r.dispatcher.journal; j != nil {
		j.Ahead(keys, customers)
	}
	r.keys, r.customers = keys, customers
	return turns
}

// lookAhead asks anew for what will be touched of their customers when decisions have their place in the journal: what was
// asked for before they were decided has left the nearest cache meanwhile.
func lookAhead(drafts []*draft) {
	for _, d := range drafts {
		c := &d.own.customer
		prefetch.Line(&d.own.mu)
		prefetch.Line(&c.InFlight)
		if len(c.Accounts) > 0 {
			prefetch.Of(&c.Accounts[0])
		}
		if d.payee != nil {
			prefetch.Line(&d.payee.mu)
		}
	}
	for _, d := range drafts {
		d.own.lookAhead()
		if d.payee != nil {
			d.payee.lookAhead()
		}
	}
}

// lookAhead asks for what the slot's lock guards, unless somebody has it.
func (s *slot) lookAhead() {
	if !s.mu.TryLock() {
		return
	}
	accounts := s.desk.Accounts
	s.mu.Unlock()
	if len(accounts) > 0 {
		prefetch.Of(&accounts[0])
	}
}

// AheadMax is for how many commands of one caller memory is asked for at once: what was asked for first must still be
// in the processor's cache when it is needed.
const AheadMax = 64

// LookAhead asks for the memory in which Admit counts the requests of calls that are about to be sent, at most AheadMax.
func (n *Node) LookAhead(calls []*bank.Call) {
	var parties [2 * AheadMax]bank.CustomerNo
	count := 0
	for _, call := range calls {
		parties[count] = bank.DeciderOf(call.Command)
		count++
		if credit, credits := bank.CreditOf(call.Command); credits {
			parties[count] = credit.Account.Customer()
			count++
		}
	}
	for _, no := range parties[:count] {
		sh := &n.shards[no.Shard()]
		prefetch.ToWrite(&sh.mu)
		prefetch.Line(&sh.mailbox)
	}
	for _, no := range parties[:count] {
		sh := &n.shards[no.Shard()]
		sh.mu.RLock()
		sh.slots.lookAhead(no)
		sh.mu.RUnlock()
		if sh.pid.Load() != nil && sh.mailbox != nil {
			prefetch.ToWrite(sh.mailbox)
		}
	}
	for _, no := range parties[:count] {
		sh := &n.shards[no.Shard()]
		sh.mu.RLock()
		if s := sh.slots.find(no); s != nil {
			prefetch.ToWrite(s) // what counts users is in the first line
		}
		sh.mu.RUnlock()
	}
}
