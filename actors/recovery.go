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
		node: n, saved: j.Saved(),
		intents: make(map[uint64][]*journal.Record), records: make(tally),
		asked: make(map[ledger.Uint128]bank.CustomerNo),
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
	saved    journal.Position                   // every customer's state counts the records up to there
	counted  journal.Position                   // registrations up to there are counted
	replayed *replayer                          // nil: the ledger is elsewhere
	intents  map[uint64][]*journal.Record       // without an outcome, by customer, in order
	read     int                                // records behind saved
	records  tally                              // of them, by customer whom they concern
	hot      int                                // of them, beyond the first hotRecords of a customer
	asked    map[ledger.Uint128]bank.CustomerNo // transfers whose channel has not answered
}

// hotRecords is how many records a customer may have to read when he is first asked for after a start. One
// with more is brought to memory by Recover. Where all of 100,000 customers pay, each has some fifty behind a kill at full
// speed, and hardly anybody so many by chance.
const hotRecords = 128

// scanShare: a start looks up the records of customers who have many, if there are few of these, and otherwise reads all
// again. To look one up takes as long as to read so many in order.
const scanShare = 8

// tally counts records by customer. Numbers are given one after the other, so a page of them takes a byte for each, and what is
// counted next is often in a processor's cache.
type tally map[bank.CustomerNo]*[tallyPage]uint8

const tallyPage = 1 << 16

// add counts a record, or reports that the customer has hotRecords without it.
func (t tally) add(no bank.CustomerNo) bool {
	page := t[no/tallyPage]
	if page == nil {
		page = new([tallyPage]uint8)
		t[no/tallyPage] = page
	}
	n := &page[no%tallyPage]
	if *n >= hotRecords {
		return false
	}
	*n++
	return true
}

// all are the customers who have records, in order: those with less than hotRecords, and the others.
func (t tally) all() (few, many []bank.CustomerNo) {
	for _, number := range slices.Sorted(maps.Keys(t)) {
		for i, n := range t[number] {
			switch no := number*tallyPage + bank.CustomerNo(i); {
			case n >= hotRecords:
				many = append(many, no)
			case n > 0:
				few = append(few, no)
			}
		}
	}
	return few, many
}

func (r *recovery) run(ctx context.Context, j journal.Journal) error {
	var err error
	if r.counted, err = r.node.restoreRegister(); err != nil {
		return err
	}
	from := r.saved
	if r.node.options.Engine != nil {
		from = min(from, r.node.options.EngineAt)
		r.replayed = newReplayer(r.node.options.Engine)
	}
	var fault error
	err = j.Scan(ctx, from+1, func(rec *journal.Record) bool {
		fault = r.take(rec)
		return fault == nil && (r.replayed == nil || !r.replayed.failed.Load())
	})
	if r.replayed != nil {
		err = errors.Join(r.replayed.close(), err)
	}
	if err = errors.Join(err, fault); err != nil {
		return err
	}
	return r.finish(ctx, j)
}

func (r *recovery) take(rec *journal.Record) error {
	if err := r.node.belongs(rec); err != nil {
		return err
	}
	if rec.Kind == journal.KindDecision && r.node.options.Engine != nil && rec.Position > r.node.options.EngineAt {
		r.replayed.chain(rec)
	}
	if rec.Position <= r.saved {
		return nil
	}
	r.read++
	switch rec.Kind {
	case journal.KindIntent:
		r.intents[rec.Customer] = append(r.intents[rec.Customer], copyRecord(rec))
		r.concerns(bank.CustomerNo(rec.Customer))
		return nil
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
	r.concerns(bank.CustomerNo(rec.Customer))
	for i := range rec.Events {
		e := &rec.Events[i]
		if e.Customer != rec.Customer {
			r.concerns(bank.CustomerNo(e.Customer))
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

// concerns counts a record of a customer.
func (r *recovery) concerns(no bank.CustomerNo) {
	if !r.records.add(no) {
		r.hot++
	}
}

// bring brings customers with many records to memory.
func (r *recovery) bring(ctx context.Context, j journal.Journal, many []bank.CustomerNo) (map[bank.CustomerNo]*slot, error) {
	hot := make(map[bank.CustomerNo]*slot, len(many))
	oneByOne := (len(many)*hotRecords+r.hot)*scanShare < r.read
	for _, no := range many {
		s := r.node.hold(no)
		hot[no] = s
		err := r.node.restore(s)
		if err == nil && oneByOne {
			err = r.node.catchUp(s, r.saved+1, j.Last())
		}
		if err != nil {
			return nil, fmt.Errorf("customer %s: %w", no, err)
		}
	}
	if len(many) == 0 || oneByOne {
		return hot, nil
	}
	var fault error
	replay := func(no uint64, rec *journal.Record) {
		if s := hot[bank.CustomerNo(no)]; s != nil && fault == nil {
			fault = s.replay(rec)
		}
	}
	err := j.Scan(ctx, r.saved+1, func(rec *journal.Record) bool {
		replay(rec.Customer, rec)
		for i := range rec.Events {
			if no := rec.Events[i].Customer; no != rec.Customer {
				replay(no, rec)
			}
		}
		return fault == nil
	})
	return hot, errors.Join(fault, err)
}

// finish hands over what was found.
func (r *recovery) finish(ctx context.Context, j journal.Journal) error {
	few, many := r.records.all()
	r.node.behind = few
	hot, err := r.bring(ctx, j, many)
	if err != nil {
		return err
	}
	for no, s := range hot {
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
