package actors

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Contracts is what comparing every customer's contracts with the ledger has shown.
type Contracts struct {
	Contracts int64 // deposits and loans
	Lines     int64 // credit lines
	InFlight  int64 // transfers of earlier dates that no channel has answered
	// Moving is how many customers' contracts moved each time they were compared: they are in no sum. Only with a ledger
	// elsewhere.
	Moving int64
	// Principal, Limits and Overdue are the differences: of principals, of lines, of transfers in flight that
	// nobody asks for.
	Principal, Limits, Overdue bank.Findings
}

// comparing compares customers' contracts with the ledger. One in this process is read on the customer's own actor, at
// a moment when all that he has decided is in both. One elsewhere is asked behind the actor's back (asking).
type comparing struct {
	date   bank.Date
	asking *asking // nil: the ledger is in this process

	mu  sync.Mutex
	sum Contracts
}

// Contracts compares every customer's contracts with the ledger. Those of a date whose end of day has just visited
// everybody have been compared on the way, if the ledger is in this process.
func (d *Days) Contracts(ctx context.Context, date bank.Date) (Contracts, error) {
	d.mu.Lock()
	c := d.compared
	d.compared = nil
	d.mu.Unlock()
	if c == nil || c.date != date {
		c = &comparing{date: date}
		s := d.node.newSweep(date, func(*bank.Customer, *bank.Desk, bank.Date, *bank.Catalogue) []bank.SystemCommand { return nil }, d.options.Pace)
		s.compare = c
		if d.node.pipeline.submitter != nil {
			c.asking = newAsking(d.node, c)
			ended := make(chan struct{})
			ctx, cancel := context.WithCancel(ctx)
			go func() {
				defer close(ended)
				c.asking.run(ctx)
			}()
			defer func() {
				cancel()
				<-ended
			}()
		}
		if err := s.run(ctx); err != nil {
			return Contracts{}, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sum, nil
}

// holding is a contract and what the ledger must have of it.
type holding struct {
	kind    string
	no      bank.ContractNo
	account bank.U128
	fen     int64 // credits less debits
	line    *bank.CreditLine
	usedFen int64 // of the line
}

// holdings lists a customer's.
func holdings(c *bank.Customer) []holding {
	if len(c.Deposits) == 0 && len(c.Lines) == 0 && len(c.Loans) == 0 {
		return nil
	}
	out := make([]holding, 0, len(c.Deposits)+len(c.Loans)+len(c.Lines))
	out = deposited(out, c.Deposits)
	for i := range c.Loans {
		l := &c.Loans[i]
		out = append(out, holding{kind: "loan", no: l.No, account: l.LedgerID(), fen: -l.RemainingFen})
	}
	for i := range c.Lines {
		line := c.Lines[i] // the customer goes on
		used := c.Used(&line)
		out = append(out, holding{kind: "line", no: line.No, account: line.LedgerID(), fen: line.LimitFen - used, line: &line, usedFen: used})
	}
	return out
}

// deposited adds deposits.
func deposited(out []holding, deposits []bank.Deposit) []holding {
	for i := range deposits {
		t := &deposits[i]
		out = append(out, holding{kind: "deposit", no: t.No, account: t.LedgerID(), fen: t.PrincipalFen})
	}
	return out
}

// count counts a contract and notes how the ledger differs.
func (c *Contracts) count(h *holding, there int64) {
	if h.line != nil {
		c.Lines++
		if there != h.fen {
			c.Limits.Add("line %s: %s available and %s used of %s", h.no, bank.Yuan(there), bank.Yuan(h.usedFen), bank.Yuan(h.line.LimitFen))
		}
		return
	}
	c.Contracts++
	if there == h.fen {
		return
	}
	own := h.fen
	if h.kind == "loan" {
		there, own = -there, -own
	}
	c.Principal.Add("%s %s: %s in the ledger, %s in the customer's state", h.kind, h.no, bank.Yuan(there), bank.Yuan(own))
}

// take compares a customer's contracts with the ledger in this process.
func (c *comparing) take(a *customerActor) {
	list := holdings(&a.slot.customer)
	if len(list) == 0 && len(a.slot.customer.InFlight) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold(a.node, list)
	c.inFlight(a)
}

// deposits compares the deposits of a customer at rest, whose state nobody else has, with the ledger in this process.
func (c *comparing) deposits(n *Node, deposits []bank.Deposit) {
	if len(deposits) == 0 {
		return
	}
	list := deposited(nil, deposits)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold(n, list)
}

// hold compares contracts with the ledger in this process; the lock is held.
func (c *comparing) hold(n *Node, list []holding) {
	p := &n.pipeline
	for i := range list {
		p.mu.Lock()
		account := p.account(ledger.Uint128(list[i].account))
		p.mu.Unlock()
		c.sum.count(&list[i], net(account.CreditsPosted, account.DebitsPosted))
	}
}

// inFlight looks at the customer's transfers that wait for their channel; the lock is held.
func (c *comparing) inFlight(a *customerActor) {
	customer := &a.slot.customer
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

// asking compares customers with a ledger elsewhere (外部账务核对).
//
// The problem: no actor may wait for the ledger, and between reading a customer's state and hearing the ledger he may
// have moved. So the actor notes what the ledger must have and goes on; one goroutine asks the ledger about all who have
// been noted since it asked last, at most visitsMax of them, since each keeps his visit. Who agrees is done. Who differs
// is visited again: if he has decided nothing since, and nothing of his was under way either time, nothing of his was at
// the ledger in between, and the difference is one. Otherwise he has moved and is compared once more, up to triesMax
// times; then he is counted as moving.
type asking struct {
	node      *Node
	comparing *comparing
	more      chan struct{} // capacity 1: one wake-up stands for any number

	mu    sync.Mutex
	noted []*comparison
	ended error
}

// comparison is a customer as his actor noted him.
type comparison struct {
	visit    *visit
	seq      uint64 // of his last decision
	underWay bool   // some have no outcome
	tries    int
	holdings []holding
	there    []int64 // what the ledger has of them; nil: it has not been asked
}

const (
	triesMax = 20                     // comparisons of a customer who moves
	askAgain = 100 * time.Millisecond // pause before a ledger that was away is asked again
)

func newAsking(n *Node, c *comparing) *asking {
	return &asking{node: n, comparing: c, more: make(chan struct{}, 1)}
}

// note notes a customer on his actor, and ends the visit if nothing is to be asked for.
func (q *asking) note(a *customerActor, v *visit) {
	customer := &a.slot.customer
	now := &comparison{visit: v, seq: customer.Seq, underWay: len(a.intents) > 0, tries: 1, holdings: holdings(customer)}
	before := v.compared
	v.compared = now
	c := q.comparing
	c.mu.Lock()
	if before == nil {
		c.inFlight(a)
	} else {
		now.tries = before.tries + 1
	}
	done := true
	switch {
	case before != nil && before.seq == now.seq && !before.underWay && !now.underWay:
		before.count(&c.sum)
	case len(now.holdings) == 0:
	case now.tries > triesMax:
		c.sum.Moving++
	default:
		done = false
	}
	c.mu.Unlock()
	if done {
		v.finished(nil)
		return
	}
	q.mu.Lock()
	ended := q.ended
	if ended == nil {
		q.noted = append(q.noted, now)
	}
	q.mu.Unlock()
	if ended != nil {
		v.finished(ended)
		return
	}
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// count counts what was compared; the sum is locked.
func (n *comparison) count(sum *Contracts) {
	for i := range n.holdings {
		sum.count(&n.holdings[i], n.there[i])
	}
}

func (n *comparison) agrees() bool {
	for i := range n.holdings {
		if n.there[i] != n.holdings[i].fen {
			return false
		}
	}
	return true
}

// run asks the ledger until ctx ends; whoever is noted then ends his visit with that.
func (q *asking) run(ctx context.Context) {
	for {
		select {
		case <-q.more:
		case <-ctx.Done():
			q.end(ctx.Err())
			return
		}
		q.mu.Lock()
		noted := q.noted
		q.noted = nil
		q.mu.Unlock()
		if err := q.ask(ctx, noted); err != nil {
			for _, n := range noted {
				n.visit.finished(err)
			}
			q.end(err)
			return
		}
		for _, n := range noted {
			q.hear(n)
		}
	}
}

func (q *asking) end(err error) {
	q.mu.Lock()
	noted := q.noted
	q.noted, q.ended = nil, err
	q.mu.Unlock()
	for _, n := range noted {
		n.visit.finished(err)
	}
}

// hear takes the ledger's answer about a customer.
func (q *asking) hear(n *comparison) {
	if n.agrees() {
		q.comparing.mu.Lock()
		n.count(&q.comparing.sum)
		q.comparing.mu.Unlock()
		n.visit.finished(nil)
		return
	}
	again := func() {
		if pid := q.node.shards[n.visit.customer.Shard()].pid.Load(); pid != nil {
			q.node.system.Root.Send(pid, n.visit)
		}
	}
	time.AfterFunc(againAfter, again)
}

// ask reads the accounts of all who are noted; it waits for a ledger that is away.
func (q *asking) ask(ctx context.Context, noted []*comparison) error {
	var ids []ledger.Uint128
	for _, n := range noted {
		for i := range n.holdings {
			ids = append(ids, ledger.Uint128(n.holdings[i].account))
		}
	}
	found := make(map[ledger.Uint128]int64, len(ids))
	for some := range slices.Chunk(ids, q.node.options.Ledger.Limits().BatchMax) {
		for {
			err := q.node.askLedger(ctx, func(ctx context.Context) error {
				accounts, err := q.node.options.Books.LookupAccounts(ctx, some)
				for i := range accounts {
					found[accounts[i].ID] = net(accounts[i].CreditsPosted, accounts[i].DebitsPosted)
				}
				return err
			})
			if err == nil {
				break
			}
			if !errors.Is(err, bank.ErrLedgerUnavailable) {
				return err
			}
			if err := cmp.Or(ctx.Err(), sleep(ctx, askAgain)); err != nil {
				return err
			}
		}
	}
	for _, n := range noted {
		n.there = make([]int64, len(n.holdings))
		for i := range n.holdings {
			n.there[i] = found[ledger.Uint128(n.holdings[i].account)]
		}
	}
	return nil
}
