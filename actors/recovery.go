package actors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Recover prepares the node to serve from where the last process ended. It reads the journal from the last
// checkpoint on, and executes in a ledger in this process what that does not hold yet; the ledger must answer
// every chain as it did the first time: another answer means that code and journal disagree about money, and
// the node must not start. A ledger elsewhere is not asked: it has what it has, and may be away. What it has
// not answered is taken up by Resume. Customers come to memory when they are asked for.
func (n *Node) Recover(ctx context.Context, j journal.Journal) error {
	n.journal, n.pipeline.journal, n.workers.journal = j, j, j
	n.checkpointed.Store(uint64(j.Saved()))
	r := recovery{
		node: n, saved: j.Saved(), replayed: Replay{engine: n.options.Engine},
		intents: make(map[uint64][]*journal.Record), records: make(tally),
		hot: make(map[bank.CustomerNo]*slot), asked: make(map[ledger.Uint128]bank.CustomerNo),
	}
	if err := r.run(ctx, j); err != nil {
		return fmt.Errorf("recover from journal: %w", err)
	}
	house, err := n.acquire(bank.BankHouse, false)
	if err != nil {
		return fmt.Errorf("recover the accounting day: %w", err)
	}
	n.resume(&house.customer)
	house.release()
	n.evict(bank.BankHouse)
	return nil
}

// recovery is the reading of the journal at a start.
type recovery struct {
	node     *Node
	saved    journal.Position // every customer's state counts the records up to there
	counted  journal.Position // registrations up to there are counted
	replayed Replay
	intents  map[uint64][]*journal.Record       // without an outcome, by customer, in order
	records  tally                              // that concern a customer behind saved
	hot      map[bank.CustomerNo]*slot          // customers with many of them
	asked    map[ledger.Uint128]bank.CustomerNo // transfers whose channel has not answered
}

// hotRecords is how many records a customer may have to read when he is first asked for after a start. One
// with more is brought to memory by Recover, which reads them anyway. Where all of 100,000 customers pay, each has some forty behind a kill at full
// speed: nearly nobody has so many by chance, or a start would look his records up one by one.
const hotRecords = 128

// tally counts records by customer. Numbers are given one after the other, so a page of them takes a byte for each, and what is
// counted next is often in a processor's cache.
type tally map[bank.CustomerNo]*[tallyPage]uint8

const tallyPage = 1 << 16

// add counts a record and returns how many the customer has, at most hotRecords.
func (t tally) add(no bank.CustomerNo) uint8 {
	page := t[no/tallyPage]
	if page == nil {
		page = new([tallyPage]uint8)
		t[no/tallyPage] = page
	}
	if n := &page[no%tallyPage]; *n < hotRecords {
		*n++
	}
	return page[no%tallyPage]
}

// forget makes it none.
func (t tally) forget(no bank.CustomerNo) { t[no/tallyPage][no%tallyPage] = 0 }

// all are the customers who have records, in order.
func (t tally) all() (found []bank.CustomerNo) {
	for _, number := range slices.Sorted(maps.Keys(t)) {
		for i, n := range t[number] {
			if n > 0 {
				found = append(found, number*tallyPage+bank.CustomerNo(i))
			}
		}
	}
	return found
}

func (r *recovery) run(ctx context.Context, j journal.Journal) error {
	var err error
	if r.counted, err = r.node.restoreRegister(); err != nil {
		return err
	}
	from := r.saved
	if r.node.options.Engine != nil {
		from = min(from, r.node.options.EngineAt)
	}
	var fault error
	err = j.Scan(ctx, from+1, func(rec *journal.Record) bool {
		fault = r.read(rec)
		return fault == nil
	})
	if err = errors.Join(err, fault); err != nil {
		return err
	}
	return r.finish(j)
}

func (r *recovery) read(rec *journal.Record) error {
	if err := r.node.belongs(rec); err != nil {
		return err
	}
	if rec.Kind == journal.KindDecision && r.node.options.Engine != nil && rec.Position > r.node.options.EngineAt {
		if err := r.replayed.Chain(rec); err != nil {
			return err
		}
	}
	if rec.Position <= r.saved {
		return nil
	}
	switch rec.Kind {
	case journal.KindIntent:
		r.intents[rec.Customer] = append(r.intents[rec.Customer], copyRecord(rec))
		return r.concerns(bank.CustomerNo(rec.Customer), rec)
	case journal.KindOutcome:
		if err := r.concluded(rec); err != nil {
			return err
		}
	case journal.KindDecision:
	default:
		return nil
	}
	return r.happened(rec)
}

// concluded takes the outcome's intent out of those without one. An intent that is not here is behind the
// saved position, and the saved state counts its outcome.
func (r *recovery) concluded(rec *journal.Record) error {
	open := r.intents[rec.Customer]
	switch slices.IndexFunc(open, func(d *journal.Record) bool { return d.Subject == rec.Subject && d.Command == rec.Command }) {
	case -1:
	case 0:
		if r.intents[rec.Customer] = open[1:]; len(open) == 1 {
			delete(r.intents, rec.Customer)
		}
	default:
		return fmt.Errorf("position %d: an outcome of customer %s that is not of the oldest intent", rec.Position, bank.CustomerNo(rec.Customer))
	}
	return nil
}

// happened notes what a decision or an outcome did to whom.
func (r *recovery) happened(rec *journal.Record) error {
	if err := r.concerns(bank.CustomerNo(rec.Customer), rec); err != nil {
		return err
	}
	for i := range rec.Events {
		e := &rec.Events[i]
		if e.Customer != rec.Customer {
			if err := r.concerns(bank.CustomerNo(e.Customer), rec); err != nil {
				return err
			}
			continue
		}
		switch bank.EventType(e.Type) {
		case bank.EventCustomerRegistered:
			var registered bank.CustomerRegistered
			if err := bank.Decode(e.Body, &registered); err != nil {
				return fmt.Errorf("position %d: %w", rec.Position, err)
			}
			r.node.registry.replay(&registered, rec.Position)
			if rec.Position > r.counted {
				r.node.pipeline.registered++
			}
		case bank.EventTransferInRequested, bank.EventTransferOutRequested:
			r.asked[rec.Subject] = bank.CustomerNo(rec.Customer)
		case bank.EventTransferInSucceeded, bank.EventTransferInFailed, bank.EventTransferOutSucceeded, bank.EventTransferOutFailed:
			delete(r.asked, rec.Subject)
		}
	}
	return nil
}

// concerns counts a record of a customer; one with many is read to memory from then on.
func (r *recovery) concerns(no bank.CustomerNo, rec *journal.Record) error {
	if s := r.hot[no]; s != nil {
		return s.replay(rec)
	}
	if r.records.add(no) < hotRecords {
		return nil
	}
	r.records.forget(no)
	s := r.node.hold(no)
	r.hot[no] = s
	if err := r.node.restore(s); err != nil {
		return fmt.Errorf("customer %s: %w", no, err)
	}
	if err := r.node.catchUp(s, r.saved+1, rec.Position); err != nil {
		return fmt.Errorf("customer %s: %w", no, err)
	}
	return nil
}

// finish hands over what was found.
func (r *recovery) finish(j journal.Journal) error {
	for no, s := range r.hot {
		head, err := j.Head(uint64(no))
		if err == nil {
			err = r.node.loaded(s, head)
		}
		if err != nil {
			return fmt.Errorf("customer %s: %w", no, err)
		}
		s.changed.Store(true)
		s.release()
	}
	for _, no := range r.asked {
		r.node.registry.open[no] = struct{}{}
	}
	r.node.behind = r.records.all()
	for _, rec := range slices.SortedFunc(r.open(), byPosition) {
		d, err := r.node.adopt(rec)
		if err != nil {
			return err
		}
		d.own.intents = append(d.own.intents, d) // keeps it in memory
		d.own.changed.Store(true)                // its saved state may count the intent, and a checkpoint must see it
		d.own.release()
		r.node.intents = append(r.node.intents, d)
	}
	return nil
}

// open goes through the intents of all customers.
func (r *recovery) open() iter.Seq[*journal.Record] {
	return func(yield func(*journal.Record) bool) {
		for _, open := range r.intents {
			for _, rec := range open {
				if !yield(rec) {
					return
				}
			}
		}
	}
}

func byPosition(a, b *journal.Record) int { return cmp.Compare(a.Position, b.Position) }

// ErrOtherLedger: the journal was written with another kind of ledger than the one it is opened with.
var ErrOtherLedger = errors.New("the journal belongs to another ledger")

// belongs refuses a journal whose money is in another kind of ledger: nothing here would find it.
func (n *Node) belongs(rec *journal.Record) error {
	elsewhere := rec.Kind == journal.KindIntent || rec.Kind == journal.KindOutcome
	here := rec.Kind == journal.KindDecision && len(rec.Accounts)+len(rec.Transfers) > 0
	switch {
	case elsewhere && n.options.Engine != nil:
		return fmt.Errorf("position %d: %w: it was written with a ledger in another process", rec.Position, ErrOtherLedger)
	case here && n.options.Engine == nil:
		return fmt.Errorf("position %d: %w: it was written with the ledger in the same process", rec.Position, ErrOtherLedger)
	}
	return nil
}

// Replay executes the chains of a journal again.
type Replay struct {
	engine   Engine
	accounts []ledger.CreateAccountResult
	results  []ledger.CreateTransferResult
}

// NewReplay replays into an empty engine.
func NewReplay(engine Engine) *Replay { return &Replay{engine: engine} }

// Chain executes the record's chain and compares the answer with the one recorded.
func (r *Replay) Chain(rec *journal.Record) error {
	if len(rec.Accounts) == 0 && len(rec.Transfers) == 0 {
		return nil
	}
	now := uint64(rec.Time)
	r.accounts = r.engine.ExecuteAccounts(now, rec.Accounts, r.accounts[:0])
	for i := range r.accounts {
		if r.accounts[i].Status != ledger.AccountCreated {
			return fmt.Errorf("position %d: account %s: %s", rec.Position, rec.Accounts[i].ID, r.accounts[i].Status)
		}
	}
	r.results = r.engine.ExecuteTransfers(now, rec.Transfers, r.results[:0])
	for i := range r.results {
		want := ledger.TransferCreated
		if rec.Results != nil {
			want = rec.Results[i]
		}
		if r.results[i].Status != want {
			return fmt.Errorf("position %d: transfer %s was %s when recorded and is %s now",
				rec.Position, rec.Transfers[i].ID, want, r.results[i].Status)
		}
	}
	return nil
}
