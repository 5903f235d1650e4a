package actors

// The commit pipeline (提交流水线).
//
// The problem: many customers decide at once; each decision must be on disk before anyone hears of it; the
// disk takes the same time for one record as for a thousand; and one customer may have as much traffic as all
// others together.
//
//	ingress      shard      customer                  pipeline                 flusher
//	────────┐ ┌────────┐ ┌───────────┐  ┌─────────────── mu ───────────────┐  ┌────────────┐
//	Admit   ├─► child  ├─► decide    ├──► admit → execute → append → queue ├──► write      │
//	Wait  ◄─┼─┼────────┼─┼── apply   │  │    (journal)(ledger) (journal)   │  │ flush      │
//	        │ │        │ │   next …  │  └──────────────────────────────────┘  │ durable ───┼──┐
//	────────┘ └────────┘ └───────────┘                                        └────────────┘  │
//	   ▲                                                                                      │
//	   └───────────────────────── receipts up to the durable position, in order ◄─────────────┘
//
// Two invariants.
//
// (1) Journal order is apply order: when the ledger executes the chain at a position it has executed exactly
// the chains before it, in their order. So replaying the journal gives the same results, balance for balance,
// and nothing of the ledger needs to be flushed.
//
// (2) Nothing that depends on a record leaves the node before the record is durable: neither its receipt, nor
// a read of the state it made, nor its events, nor a request to a payment channel.
//
// The obvious approach, one commit per customer at a time, makes a customer as slow as the disk: with a tenth
// of the traffic on one customer a measured node fell from 150,000 to 2,200 operations a second. The next one,
// to hold the reply and let the actor go on, needs to know what the ledger will say. Here it does: the ledger
// is in the same process and answers when the chain is appended. So:
//
//  1. The actor decides on its state and calls commit.
//  2. Under mu: the journal admits the record (epoch and sequence number), the ledger executes the chain, the
//     receipt is made from its answer, the record gets its place in the journal and the receipt its place in
//     the queue; what other customers may see of the decision is shown (draft.publish).
//  3. The actor applies the events at once and goes on with its next command, on state that is ahead of the
//     disk. It waits for nothing.
//  4. The journal's flusher writes and flushes what has gathered, then calls durable: every receipt up to that
//     position is delivered, in order.
//
// Why (1) holds: 2 is one critical section, and nobody else executes or appends. An error of Append behind a
// successful Admit is the disk's; the ledger is then ahead of the journal for good and the node stops.
//
// Why (2) holds: a receipt is reachable from the queue alone, the queue is ordered by position, and durable
// takes from its head what is on disk. A read runs on the customer's actor and is delivered by whenDurable,
// behind everything appended before it, which is all it can have seen: a customer's state by order of its
// mailbox, a balance because execute and append are one step.
//
// If the process dies between 2 and 4 the state that was ahead dies with it and nobody had heard of it. If
// the flush fails the node stops and every waiting caller is told to repeat with the same key: recovery finds
// the record, and answers from it, or does not, and decides anew.
//
// Decisions come in rounds (round.go): the lock is taken once for several of different customers, and 2 is done for
// one after the other. 3 follows for all of them, on the same goroutine: on the one that decided, or on one that was carrying
// out another round and had this one left to it (dispatcher.finish). Nothing else touches these customers between 1 and
// 3, whoever does it.
//
// mu is held for what must be one step and no longer: deciding and encoding events come before it, applying
// and answering after it. No disk, no ledger elsewhere and no other actor is waited for inside it, except that
// Append waits for the flusher when its batch is full. Locks inside it: a desk's, the submitter's.
//
// Where the ledger is elsewhere and answers later, 2 is divided: propose appends an intent, and conclude, when
// the ledger has answered, its outcome. submitter.go says how; (2) and what follows hold for both, (1) does
// not: there the ledger's order is the ledger's, and the order of a customer's outcomes that of his intents.
import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Engine is a ledger in this process, driven by the journal's clock.
type Engine interface {
	ExecuteAccounts(now uint64, accounts []ledger.Account, results []ledger.CreateAccountResult) []ledger.CreateAccountResult
	ExecuteTransfers(now uint64, transfers []ledger.Transfer, results []ledger.CreateTransferResult) []ledger.CreateTransferResult
	// Ahead says which transfers are executed next; nothing depends on it but speed.
	Ahead(transfers []ledger.Transfer)
	Account(id ledger.Uint128) (ledger.Account, bool)
	// Sums is Account without anything but the balances, which costs less.
	Sums(id ledger.Uint128) (ledger.Account, bool)
	Transfer(id ledger.Uint128) (ledger.Transfer, bool)
}

// waiting is something that may leave once position is durable.
type waiting struct {
	position journal.Position
	deliver  func(error)
	request  *Request // instead of deliver: no closure on the hot path
}

type pipeline struct {
	journal   journal.Journal
	ledger    Engine        // nil: elsewhere
	submitter *submitter    // nil: in this process
	date      atomic.Uint32 // accounting date, what is decided on an earlier one is refused; written with mu held

	mu         sync.Mutex
	queue      []waiting // by position
	spare      []waiting // the other half of the double buffer
	fault      error     // set once the journal has stopped
	registered int       // customers
	accounts   []ledger.CreateAccountResult
	results    []ledger.CreateTransferResult
	ahead      []ledger.Transfer // of the decisions about to be committed
}

// commit appends the draft and delivers its request's receipt when it is durable. It returns the
// refusal of the ledger, if any; on an error nothing was written and nothing will be delivered.
func (p *pipeline) commit(d *draft) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.enter(d)
}

// commitAll is commit for each draft, in order; its error is in the draft.
func (p *pipeline) commitAll(drafts []*draft) {
	if len(drafts) > 1 {
		lookAhead(drafts)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ledger != nil && len(drafts) > 1 {
		p.ahead = p.ahead[:0]
		for _, d := range drafts {
			p.ahead = append(p.ahead, d.record.Transfers...)
		}
		p.ledger.Ahead(p.ahead)
	}
	for _, d := range drafts {
		d.err = p.enter(d)
	}
}

// enter is commit with the lock held.
func (p *pipeline) enter(d *draft) error {
	if p.fault != nil {
		return p.fault
	}
	if p.closed(d) {
		return errDateClosed
	}
	rec := &d.record
	if err := p.journal.Admit(rec); err != nil {
		return err
	}
	if p.ledger != nil {
		p.execute(rec)
	}
	d.request.receipt = d.settle(p.results, p)
	if err := p.journal.Append(rec); err != nil {
		// Admitted under the same lock, so this is the disk: a ledger in this process is now ahead of the
		// journal for good, and the node must stop.
		p.stop(err)
		return p.fault
	}
	p.begin(d)
	d.publish()
	if !d.own.customer.Exists() {
		p.registered++ // only a registration is written of somebody who is not a customer
	}
	p.queue = append(p.queue, waiting{position: rec.Position, request: d.request})
	return nil
}

// mark is a moment between two decisions: the journal's end, and what all records up to there have shown.
type mark struct {
	position   journal.Position
	registered int
}

func (p *pipeline) mark() mark {
	p.mu.Lock()
	defer p.mu.Unlock()
	return mark{p.journal.Last(), p.registered}
}

// execute applies the record's chain to the ledger in this process.
func (p *pipeline) execute(rec *journal.Record) {
	rec.Accounts = p.missing(rec.Accounts)
	now := uint64(rec.Time)
	p.accounts = p.ledger.ExecuteAccounts(now, rec.Accounts, p.accounts[:0])
	for i, r := range p.accounts {
		if r.Status != ledger.AccountCreated {
			// Account ids are derived, so only a chart that contradicts itself can bring this about.
			panic(fmt.Sprintf("ledger refused account %s: %s", rec.Accounts[i].ID, r.Status))
		}
	}
	p.results = p.ledger.ExecuteTransfers(now, rec.Transfers, p.results[:0])
}

func (p *pipeline) account(id ledger.Uint128) ledger.Account {
	a, _ := p.ledger.Account(id)
	return a
}

func (p *pipeline) balance(a bank.Affected) bank.Balance {
	sums, _ := p.ledger.Sums(ledger.Uint128(a.Ledger))
	return balanceOf(a.Account, sums)
}

// moved is what the ledger in this process has moved by the transfer.
func (p *pipeline) moved(t *ledger.Transfer) ledger.Uint128 {
	stored, _ := p.ledger.Transfer(t.ID)
	return stored.Amount
}

// missing leaves out the accounts that exist.
func (p *pipeline) missing(accounts []ledger.Account) []ledger.Account {
	return slices.DeleteFunc(accounts, func(a ledger.Account) bool {
		_, ok := p.ledger.Account(a.ID)
		return ok
	})
}

// propose journals the draft as an intent. On an error nothing was written.
func (p *pipeline) propose(d *draft) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault != nil {
		return p.fault
	}
	if p.closed(d) {
		return errDateClosed
	}
	if err := p.place(&d.record); err != nil {
		return err
	}
	d.intended = d.record.Position
	d.own.mu.Lock()
	d.own.note(&d.record)
	d.own.mu.Unlock()
	p.submitter.note(d)
	p.queue = append(p.queue, waiting{position: d.record.Position, deliver: func(err error) { p.submitter.take(d, err) }})
	return nil
}

// conclude journals the draft's outcome and has everyone told when it is durable.
func (p *pipeline) conclude(d *draft) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault != nil {
		return p.fault
	}
	if err := p.place(&d.record); err != nil {
		return err
	}
	p.begin(d)
	d.publish()
	p.queue = append(p.queue, waiting{position: d.record.Position, deliver: d.tell})
	return nil
}

// place gives a record its place; the lock is held. Where the ledger is elsewhere a record that is not
// taken leaves it as it was.
func (p *pipeline) place(rec *journal.Record) error {
	if err := p.journal.Admit(rec); err != nil {
		return err
	}
	err := p.journal.Append(rec)
	if err != nil && !errors.Is(err, journal.ErrStale) && !errors.Is(err, journal.ErrRecordTooLarge) {
		p.stop(err)
		return p.fault
	}
	return err
}

// whenDurable delivers after everything appended so far is durable.
func (p *pipeline) whenDurable(deliver func(error)) {
	p.mu.Lock()
	if p.fault != nil {
		err := p.fault
		p.mu.Unlock()
		deliver(err)
		return
	}
	last := p.journal.Last()
	if last <= p.journal.Durable() {
		p.mu.Unlock()
		deliver(nil)
		return
	}
	p.queue = append(p.queue, waiting{position: last, deliver: deliver})
	p.mu.Unlock()
}

// durable is called by the journal's flusher after each group commit.
func (p *pipeline) durable(position journal.Position) {
	p.mu.Lock()
	n := 0
	for n < len(p.queue) && p.queue[n].position <= position {
		n++
	}
	ready := append(p.spare[:0], p.queue[:n]...)
	rest := copy(p.queue, p.queue[n:])
	clear(p.queue[rest:])
	p.queue = p.queue[:rest]
	p.spare = nil
	p.mu.Unlock()

	for i := range ready {
		ready[i].done(nil)
	}
	clear(ready)
	p.mu.Lock()
	p.spare = ready
	p.mu.Unlock()
}

// stop ends the pipeline after a fault: every waiting caller is told to repeat.
func (p *pipeline) stop(cause error) {
	if p.fault != nil {
		return
	}
	p.fault = fmt.Errorf("%w: %w", bank.ErrStopping, cause)
	queue := p.queue
	p.queue = nil
	for i := range queue {
		queue[i].done(p.fault)
	}
}

// fail stops the pipeline and returns what callers are told.
func (p *pipeline) fail(cause error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop(cause)
	return p.fault
}

func (w *waiting) done(err error) {
	if w.deliver != nil {
		w.deliver(err)
		return
	}
	w.request.finish(err)
}
