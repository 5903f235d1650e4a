package actors

import (
	"context"
	"sync"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Contracts is what comparing every customer's contracts with the ledger has shown.
type Contracts struct {
	// Unasked says why they were not compared; empty: they were.
	Unasked   string
	Contracts int64 // deposits and loans
	Lines     int64 // credit lines
	InFlight  int64 // transfers of earlier dates that no channel has answered
	// Principal, Limits and Overdue are the differences: of principals, of lines, of transfers in flight that
	// nobody asks for.
	Principal, Limits, Overdue bank.Findings
}

// comparing compares customers' contracts with the ledger in this process, each on his own actor, at a moment when
// all that he has decided is in both.
type comparing struct {
	date bank.Date

	mu  sync.Mutex
	sum Contracts
}

// Contracts compares every customer's contracts with the ledger. Those of a date whose end of day has just visited
// everybody have been compared on the way.
func (d *Days) Contracts(ctx context.Context, date bank.Date) (Contracts, error) {
	if d.node.pipeline.submitter != nil {
		return Contracts{Unasked: "the ledger is elsewhere and answers no customer at the moment his state is read"}, nil
	}
	d.mu.Lock()
	c := d.compared
	d.compared = nil
	d.mu.Unlock()
	if c == nil || c.date != date {
		c = &comparing{date: date}
		s := d.node.newSweep(date, func(*bank.Customer, *bank.Desk, bank.Date, *bank.Catalogue) []bank.SystemCommand { return nil }, d.options.Busy)
		s.compare = c
		if err := s.run(ctx); err != nil {
			return Contracts{}, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sum, nil
}

// take compares a customer's contracts.
func (c *comparing) take(a *customerActor) {
	customer := &a.slot.customer
	if len(customer.Deposits) == 0 && len(customer.Lines) == 0 && len(customer.Loans) == 0 && len(customer.InFlight) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	credit := a.node.pipeline.credit
	c.deposits(customer.Deposits, credit)
	for i := range customer.Loans {
		l := &customer.Loans[i]
		if there := -credit(l.LedgerID()); there != l.RemainingFen {
			c.sum.Principal.Add("loan %s: %s in the ledger, %s in the customer's state", l.No, bank.Yuan(there), bank.Yuan(l.RemainingFen))
		}
	}
	c.sum.Contracts += int64(len(customer.Loans))
	for i := range customer.Lines {
		line := &customer.Lines[i]
		if available, used := credit(line.LedgerID()), customer.Used(line); available+used != line.LimitFen {
			c.sum.Limits.Add("line %s: %s available and %s used of %s", line.No, bank.Yuan(available), bank.Yuan(used), bank.Yuan(line.LimitFen))
		}
	}
	c.sum.Lines += int64(len(customer.Lines))
	for i := range customer.InFlight {
		f := &customer.InFlight[i]
		if f.Date >= c.date {
			continue
		}
		c.sum.InFlight++
		switch {
		case !a.node.registry.isOpen(customer.No):
			c.sum.Overdue.Add("transfer %s of %s waits for its channel and is not among those to ask for", f.Txn, f.Date)
		case f.UnknownSince == 0:
			c.sum.Overdue.Add("transfer %s of %s waits for its channel and is not marked unknown", f.Txn, f.Date)
		}
	}
}

// credit is the credit balance of an account of the ledger in this process.
func (p *pipeline) credit(id bank.U128) int64 {
	p.mu.Lock()
	account := p.account(ledger.Uint128(id))
	p.mu.Unlock()
	return net(account.CreditsPosted, account.DebitsPosted)
}

// principals compares the deposits of a customer at rest, whose state nobody else has.
func (c *comparing) principals(n *Node, deposits []bank.Deposit) {
	if len(deposits) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deposits(deposits, n.pipeline.credit)
}

// deposits compares deposits; the lock is held.
func (c *comparing) deposits(deposits []bank.Deposit, credit func(bank.U128) int64) {
	for i := range deposits {
		t := &deposits[i]
		if there := credit(t.LedgerID()); there != t.PrincipalFen {
			c.sum.Principal.Add("deposit %s: %s in the ledger, %s in the customer's state", t.No, bank.Yuan(there), bank.Yuan(t.PrincipalFen))
		}
	}
	c.sum.Contracts += int64(len(deposits))
}
