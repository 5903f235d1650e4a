package actors

import (
	"fmt"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// What an actor does while a ledger elsewhere has not answered its customer's decisions. It takes them for
// neither done nor undone: reads show the state before them, limits count them as used (bank.Pending), and a
// command whose decision would depend on an outcome waits for it, with all commands behind it.

// needs reports whether the draft can't be concluded without the ledger. The accounts the ledger is known
// to have are left out first.
func (d *draft) needs(s *submitter) bool {
	d.record.Accounts = s.known.missing(d.record.Accounts)
	return d.refusal == nil && len(d.record.Accounts)+len(d.record.Transfers)+len(d.decision.Affects) > 0
}

// propose writes the decision down as an intent; the request waits for its outcome. As decide, it reports whether the
// command is decided.
func (a *customerActor) propose(req *Request, d *draft, s *submitter) bool {
	if err := s.admits(); err != nil {
		d.release()
		req.finish(err)
		return true
	}
	if err := d.intend(); err != nil {
		panic(err)
	}
	d.claim = bank.ClaimOf(&a.slot.customer, &d.decision, bank.Date(d.record.AccountingDate))
	d.waiting = append(d.waiting, req)
	if err := a.node.pipeline.propose(d); err != nil {
		return a.refused(req, d, err)
	}
	// From here on the submitter has the draft, but for who waits.
	a.slot.customer.Seq = d.record.Seq
	a.await(d)
	return true
}

// await keeps an intent until its outcome is known.
func (a *customerActor) await(d *draft) {
	a.pending.Add(d.claim)
	a.intents = append(a.intents, d)
}

// certain reports whether a refusal is right whatever becomes of the intents under way: the bank refuses
// also if they leave the most of the customer's limits, and for the same reason.
func (a *customerActor) certain(cmd bank.Command, env *bank.Env, refusal *bank.Refusal) bool {
	if !a.pending.Any() {
		return true
	}
	env.Least = true
	_, again := bank.Decide(&a.slot.customer, cmd, env)
	return again != nil && *again == *refusal
}

// postpone puts a command off until outcomes before it are known.
func (a *customerActor) postpone(req *Request) {
	if !a.node.pipeline.submitter.available() {
		req.finish(bank.ErrLedgerUnavailable)
		return
	}
	a.deferred = append(a.deferred, req)
}

// join lets a repeated command wait for the outcome of the first.
func (a *customerActor) join(req *Request) {
	i := slices.IndexFunc(a.intents, func(d *draft) bool { return d.record.Command == ledger.Uint128(req.Call.Key) })
	switch {
	case a.stopped != nil:
		req.finish(a.stopped)
	case i < 0:
		panic(fmt.Sprintf("command %s has an intent in the journal that nobody resolves", ledger.Uint128(req.Call.Key)))
	case !a.node.pipeline.submitter.available():
		req.finish(bank.ErrLedgerUnanswered)
	default:
		a.intents[i].waiting = append(a.intents[i].waiting, req)
	}
}

// conclude journals the outcome of the oldest intent, which the ledger has answered, and goes on from the
// state it makes. Callers hear when it is durable.
func (a *customerActor) conclude(d *draft) {
	if a.stopped != nil {
		return // everyone has been told
	}
	if len(a.intents) == 0 || a.intents[0] != d {
		panic(fmt.Sprintf("an answer to %s, which is not the oldest intent", bank.TxnID(d.record.Subject)))
	}
	customer := &a.slot.customer
	d.record.Kind, d.record.Epoch, d.record.Seq = journal.KindOutcome, a.epoch, customer.Seq+1
	if err := d.total(customer); err != nil {
		panic(err)
	}
	if ask, ok := a.channelRequest(d); ok {
		d.after = func() { a.node.ask(ask) }
	}
	if err := a.node.pipeline.conclude(d); err != nil {
		a.node.Fault(fmt.Errorf("journal the outcome of %s: %w", bank.TxnID(d.record.Subject), err))
		return
	}
	a.intents = slices.Delete(a.intents, 0, 1)
	a.pending.Remove(d.claim)
	a.apply(d)
	a.node.followUp(d)
	a.node.pipeline.submitter.concluded(d)
	for len(a.deferred) > 0 && (a.repeated(a.deferred[0]) || a.decide(a.deferred[0])) {
		a.deferred = slices.Delete(a.deferred, 0, 1)
	}
}

// total makes the totals in the draft's events count what has come of the decisions before it.
func (d *draft) total(c *bank.Customer) (err error) {
	for i, e := range d.decision.Events {
		if c.Total(e, bank.Date(d.record.AccountingDate)) {
			if d.record.Events[i].Body, err = bank.Encode(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// tell answers everyone who waits for the outcome, which is durable; an error: the node stops.
func (d *draft) tell(err error) {
	if err == nil && d.after != nil {
		d.after()
	}
	for _, req := range d.waiting {
		req.receipt = d.receipt
		req.receipt.Repeated = req != d.request
		req.finish(err)
	}
}

// giveUp answers everyone who waits for an intent that the ledger does not answer now, and for what comes
// behind it. The intent stays.
func (a *customerActor) giveUp(d *draft) {
	if slices.Contains(a.intents, d) {
		a.dismiss(d, bank.ErrLedgerUnanswered, bank.ErrLedgerUnavailable)
	}
}

// stop answers everyone who waits for an intent whose outcome this process will not know.
func (a *customerActor) stop(d *draft, cause error) {
	a.stopped = cause
	if slices.Contains(a.intents, d) { // otherwise its outcome is in the pipeline, which tells everyone
		a.dismiss(d, cause, cause)
	}
}

func (a *customerActor) dismiss(d *draft, waiting, deferred error) {
	for _, req := range d.waiting {
		req.finish(waiting)
	}
	for _, req := range a.deferred {
		req.finish(deferred)
	}
	d.request, d.waiting, a.deferred = nil, nil, nil
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
	own, err := n.acquire(bank.CustomerNo(rec.Customer), false)
	if err != nil {
		return nil, err
	}
	if own == nil {
		return nil, fmt.Errorf("intent at position %d: customer %s is not known", rec.Position, bank.CustomerNo(rec.Customer))
	}
	d := &draft{record: *rec, operation: kept.Operation, own: own, intended: rec.Position}
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
		mine := rec.Events[i].Customer == rec.Customer && !received(d.decision.Events, e)
		if mine {
			d.decision.Events = append(d.decision.Events, e)
		} else {
			d.decision.Payee, d.decision.PayeeEvents = bank.CustomerNo(rec.Events[i].Customer), append(d.decision.PayeeEvents, e)
		}
		if credit, ok := bank.CreditBy(e); ok && d.payee == nil && !(credit.System && mine) {
			d.credit = credit
			if d.payee, err = n.acquire(credit.Account.Customer(), false); err != nil {
				return nil, err
			}
			if d.payee == nil {
				return nil, fmt.Errorf("intent at position %d: it credits customer %s, who is not known", rec.Position, credit.Account.Customer())
			}
			d.payee.desk.Reserve(credit)
		}
	}
	d.claim = bank.ClaimOf(&d.own.customer, &d.decision, bank.Date(rec.AccountingDate))
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
