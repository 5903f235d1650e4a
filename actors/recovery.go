package actors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Recover rebuilds customers from the journal, and the ledger if it is in this process. It must answer
// every chain as it did the first time: another answer means that code and journal disagree about money,
// and the node must not start. A ledger elsewhere is not asked: it has what it has, and may be away. What
// it has not answered is taken up by Resume.
func (n *Node) Recover(ctx context.Context, j journal.Journal) error {
	n.journal, n.pipeline.journal = j, j
	var fault error
	replayed := Replay{engine: n.options.Engine}
	intents := make(map[uint64][]*journal.Record) // without an outcome, by customer
	err := j.Scan(ctx, 1, func(rec *journal.Record) bool {
		if fault = n.belongs(rec); fault != nil {
			return false
		}
		switch rec.Kind {
		case journal.KindDecision:
			if n.options.Engine != nil && rec.Position > n.options.EngineAt {
				fault = replayed.Chain(rec)
			}
		case journal.KindIntent:
			intents[rec.Customer] = append(intents[rec.Customer], copyRecord(rec))
			n.ensure(bank.CustomerNo(rec.Customer)).customer.Seq = rec.Seq
			return true
		case journal.KindOutcome:
			if open := intents[rec.Customer]; len(open) == 0 || open[0].Subject != rec.Subject || open[0].Command != rec.Command {
				fault = fmt.Errorf("position %d: an outcome of customer %s that is not of the oldest intent", rec.Position, bank.CustomerNo(rec.Customer))
			} else if intents[rec.Customer] = open[1:]; len(open) == 1 {
				delete(intents, rec.Customer)
			}
		default:
			return true
		}
		if fault == nil {
			fault = n.replay(rec)
		}
		return fault == nil
	})
	for _, rec := range slices.SortedFunc(each(intents), byPosition) {
		if fault != nil || err != nil {
			break
		}
		var d *draft
		if d, fault = n.adopt(rec); fault == nil {
			d.own.intents = append(d.own.intents, d)
			n.intents = append(n.intents, d)
		}
	}
	if err == nil {
		err = fault
	}
	if err != nil {
		return fmt.Errorf("recover from journal: %w", err)
	}
	return nil
}

// each goes through the intents of all customers.
func each(intents map[uint64][]*journal.Record) iter.Seq[*journal.Record] {
	return func(yield func(*journal.Record) bool) {
		for _, open := range intents {
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

// replay folds the events of a decision or an outcome into customers and desks.
func (n *Node) replay(rec *journal.Record) error {
	on := bank.Date(rec.AccountingDate)
	owner := n.ensure(bank.CustomerNo(rec.Customer))
	owner.customer.Seq = rec.Seq
	for i := range rec.Events {
		e, err := bank.DecodeEvent(bank.EventType(rec.Events[i].Type), rec.Events[i].Body)
		if err != nil {
			return fmt.Errorf("position %d: %w", rec.Position, err)
		}
		if rec.Events[i].Customer != rec.Customer {
			n.ensure(bank.CustomerNo(rec.Events[i].Customer)).desk.Apply(e, on)
			continue
		}
		owner.customer.Apply(e, on)
		owner.desk.Apply(e, on)
		if registered, ok := e.(*bank.CustomerRegistered); ok {
			n.registry.replay(registered)
		}
	}
	return nil
}
