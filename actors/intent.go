package actors

import (
	"fmt"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// What an actor does while a ledger elsewhere has not answered its customer's last decision. It takes that
// decision for neither done nor undone: reads show the state before it, later commands wait.

// needs reports whether the draft can't be concluded without the ledger. The accounts the ledger is known
// to have are left out first.
func (d *draft) needs(s *submitter) bool {
	d.record.Accounts = s.known.missing(d.record.Accounts)
	return d.refusal == nil && len(d.record.Accounts)+len(d.record.Transfers)+len(d.decision.Affects) > 0
}

// propose writes the decision down as an intent; the request waits for its outcome.
func (a *customerActor) propose(req *Request, d *draft, s *submitter) {
	if err := s.admits(); err != nil {
		d.release()
		req.finish(err)
		return
	}
	if err := d.intend(); err != nil {
		panic(err)
	}
	if err := a.node.pipeline.propose(d); err != nil {
		a.refused(req, d, err)
		return
	}
	a.intent = d
	a.waiting = append(a.waiting, req)
}

// postponed puts a command off until the outcome of the one before it is known.
func (a *customerActor) postponed(req *Request) bool {
	switch {
	case a.stopped != nil:
		req.finish(a.stopped)
	case a.intent == nil:
		return false
	case !a.node.pipeline.submitter.available():
		req.finish(bank.ErrLedgerUnavailable)
	case len(a.deferred) >= a.node.options.DeferredMax:
		req.finish(bank.ErrOverloaded)
	default:
		a.deferred = append(a.deferred, req)
	}
	return true
}

// join lets a repeated command wait for the outcome of the first.
func (a *customerActor) join(req *Request) {
	switch {
	case a.stopped != nil:
		req.finish(a.stopped)
	case a.intent == nil || a.intent.record.Command != ledger.Uint128(req.Call.Key):
		panic(fmt.Sprintf("command %s has an intent in the journal that nobody resolves", ledger.Uint128(req.Call.Key)))
	case !a.node.pipeline.submitter.available():
		req.finish(bank.ErrLedgerUnanswered)
	case len(a.waiting) >= a.node.options.DeferredMax:
		req.finish(bank.ErrOverloaded)
	default:
		a.waiting = append(a.waiting, req)
	}
}

// hear takes the verdict: the outcome is in the journal, and durable.
func (a *customerActor) hear(v *verdict) {
	if v.err != nil {
		a.stopped = v.err
		a.dismiss(v.err, v.err)
		return
	}
	d := v.draft
	if a.intent != d {
		panic(fmt.Sprintf("an outcome of %s, which was not waited for", bank.TxnID(d.record.Subject)))
	}
	a.intent = nil
	a.apply(d)
	if ask, ok := a.channelRequest(d); ok && a.node.channel != nil {
		a.node.channel.Send(ask)
	}
	waiting := a.waiting
	a.waiting = nil
	for _, req := range waiting {
		req.receipt = *d.receipt
		req.receipt.Repeated = req != d.request
		req.finish(nil)
	}
	for len(a.deferred) > 0 && a.intent == nil {
		req := a.deferred[0]
		a.deferred = slices.Delete(a.deferred, 0, 1)
		a.handle(req)
	}
}

// giveUp answers everyone who waits for an intent that the ledger does not answer now. The intent stays.
func (a *customerActor) giveUp(d *draft) {
	if a.intent == d {
		a.dismiss(bank.ErrLedgerUnanswered, bank.ErrLedgerUnavailable)
	}
}

func (a *customerActor) dismiss(waiting, deferred error) {
	for _, req := range a.waiting {
		req.finish(waiting)
	}
	for _, req := range a.deferred {
		req.finish(deferred)
	}
	a.waiting, a.deferred = nil, nil
}

// storedIntent is what an intent keeps, in place of a receipt, to make the outcome of the ledger's answer.
type storedIntent struct {
	Operation string             `cbor:"1,keyasint"`
	Refused   []bank.RefusalCode `cbor:"2,keyasint,omitempty"` // of each leg, as bank.Leg
	Affects   []storedAffected   `cbor:"3,keyasint,omitempty"`
}

type storedAffected struct {
	Account bank.AccountNo `cbor:"1,keyasint"`
	Ledger  bank.U128      `cbor:"2,keyasint"`
}

// intend makes an intent of the draft's record.
func (d *draft) intend() (err error) {
	kept := storedIntent{Operation: d.operation}
	for i := range d.decision.Legs {
		kept.Refused = append(kept.Refused, d.decision.Legs[i].Refused)
	}
	for _, a := range d.decision.Affects {
		kept.Affects = append(kept.Affects, storedAffected(a))
	}
	d.record.Kind = journal.KindIntent
	d.record.Receipt, err = bank.Encode(kept)
	return err
}

// conclude makes an outcome of the intent and the ledger's answer.
func (d *draft) conclude(results []ledger.CreateTransferResult, account func(ledger.Uint128) ledger.Account) {
	d.record.Kind = journal.KindOutcome
	d.record.Seq++
	receipt := d.settle(results, account)
	d.receipt = &receipt
}

// adopt makes the draft of an intent that an earlier process left in the journal, and reserves again what
// it had reserved at the payee's desk.
func (n *Node) adopt(rec *journal.Record) (*draft, error) {
	var kept storedIntent
	if err := bank.Decode(rec.Receipt, &kept); err != nil {
		return nil, fmt.Errorf("intent at position %d: %w", rec.Position, err)
	}
	if len(kept.Refused) != len(rec.Transfers) {
		return nil, fmt.Errorf("intent at position %d: %d legs and %d transfers", rec.Position, len(kept.Refused), len(rec.Transfers))
	}
	d := &draft{record: *rec, operation: kept.Operation, own: n.ensure(bank.CustomerNo(rec.Customer))}
	d.decision.Txn = bank.TxnID(rec.Subject)
	for _, code := range kept.Refused {
		d.decision.Legs = append(d.decision.Legs, bank.Leg{Refused: code})
	}
	for _, a := range kept.Affects {
		d.decision.Affects = append(d.decision.Affects, bank.Affected(a))
	}
	for i := range rec.Events {
		e, err := bank.DecodeEvent(bank.EventType(rec.Events[i].Type), rec.Events[i].Body)
		if err != nil {
			return nil, fmt.Errorf("intent at position %d: %w", rec.Position, err)
		}
		if !received(e) {
			d.decision.Events = append(d.decision.Events, e)
		} else {
			d.decision.Payee, d.decision.PayeeEvents = bank.CustomerNo(rec.Events[i].Customer), append(d.decision.PayeeEvents, e)
		}
		if credit, ok := bank.CreditBy(e); ok {
			d.credit, d.payee = credit, n.ensure(credit.Account.Customer())
			d.payee.desk.Reserve(credit)
		}
	}
	return d, nil
}

// copyRecord copies a record that is valid only for now.
func copyRecord(rec *journal.Record) *journal.Record {
	c := *rec
	c.Accounts, c.Transfers = slices.Clone(rec.Accounts), slices.Clone(rec.Transfers)
	c.Events, c.Receipt = slices.Clone(rec.Events), slices.Clone(rec.Receipt)
	for i := range c.Events {
		c.Events[i].Body = slices.Clone(c.Events[i].Body)
	}
	return &c
}
