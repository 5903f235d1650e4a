package actors

import (
	"fmt"
	"slices"
	"sync"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// draft is a decision on its way into the journal.
type draft struct {
	record    journal.Record
	operation string
	by        *customerActor
	err       error    // of its commit
	request   *Request // nil: taken over from an earlier process
	env       bank.Env // what it was decided on
	room      *bank.Room
	decision  bank.Decision
	refusal   *bank.Refusal
	dated     bool // its command names the date itself
	own       *slot
	payee     *slot // whose desk admitted credit, in memory as long as the draft is; nil when none was asked
	credit    bank.Credit
	stored    []byte             // what the record holds in encoded form
	kept      bank.StoredReceipt // of the receipt

	// Of a decision whose ledger is elsewhere:
	intended journal.Position // where the intent is
	claim    bank.Claim       // what it may do to its customer's state
	waiting  []*Request       // to hear its outcome; the actor's until it is concluded
	after    func()           // runs before they hear of a durable outcome; may be nil
	receipt  bank.Receipt     // once it is answered
	doubtful bool             // its chain may have been sent; the submitter's lock guards it

	follows []bank.Command // that the bank gives itself because of the decision
}

var drafts = sync.Pool{New: func() any { return &draft{room: new(bank.Room)} }}

// newDraft returns an empty draft, whose slices may have room from an earlier decision.
func newDraft() *draft { return drafts.Get().(*draft) }

// reuse gives the draft of a decision back that is in the journal, which has copied it.
func (d *draft) reuse() {
	accounts, transfers, events := d.record.Accounts[:0], d.record.Transfers[:0], d.record.Events
	clear(events)
	*d = draft{record: journal.Record{Accounts: accounts, Transfers: transfers, Events: events[:0]}, stored: d.stored[:0], room: d.room}
	drafts.Put(d)
}

// publish shows the desks what was decided. The pipeline calls it before the receipt can leave: whoever
// has heard that an account is open may pay into it.
func (d *draft) publish() {
	on := bank.Date(d.record.AccountingDate)
	d.own.mu.Lock()
	for _, e := range d.decision.Events {
		d.own.desk.Apply(e, on)
	}
	if len(d.decision.Events) > 0 && !slices.ContainsFunc(d.decision.Events, foundNothing) {
		d.follows = d.own.desk.Unheld(d.follows)
	}
	d.own.note(&d.record)
	d.own.mu.Unlock()
	if d.payee == nil {
		return
	}
	d.payee.mu.Lock()
	for _, e := range d.decision.PayeeEvents {
		d.payee.desk.Apply(e, on)
	}
	if len(d.decision.PayeeEvents) > 0 {
		d.follows = d.payee.desk.Unheld(d.follows)
	}
	d.payee.desk.Release(d.credit)
	d.payee.note(&d.record)
	d.payee.mu.Unlock()
	d.payee.release()
}

// release gives the credit permit of a decision back that was not written, or refuses.
func (d *draft) release() {
	if d.payee == nil {
		return
	}
	d.payee.mu.Lock()
	d.payee.desk.Release(d.credit)
	d.payee.mu.Unlock()
	d.payee.release()
	d.payee = nil
}

// compose fills the record from the decision: chain, accounts and encoded events.
func (d *draft) compose() error {
	rec := &d.record
	rec.Subject, rec.Teller = ledger.Uint128(d.decision.Txn), bank.TellerOf(rec.Shard)
	if d.refusal != nil {
		return nil
	}
	stamp := rec.Stamp()
	for i := range d.decision.Legs {
		last := i+1 == len(d.decision.Legs)
		rec.Transfers = append(rec.Transfers, transferOf(&d.decision.Legs[i], d.decision.Txn, rec.AccountingDate, stamp, !last))
	}
	for i := range d.decision.Opens {
		if a := accountOf(&d.decision.Opens[i]); !slices.ContainsFunc(rec.Accounts, func(b ledger.Account) bool { return b.ID == a.ID }) {
			rec.Accounts = append(rec.Accounts, a) // several legs may need the same one
		}
	}
	for _, e := range d.decision.Events {
		if err := d.addEvent(rec.Customer, e); err != nil {
			return err
		}
	}
	for _, e := range d.decision.PayeeEvents {
		if err := d.addEvent(uint64(d.decision.Payee), e); err != nil {
			return err
		}
	}
	for _, o := range d.decision.Others {
		if err := d.addEvent(uint64(o.Customer), o.Event); err != nil {
			return err
		}
	}
	return nil
}

func (d *draft) addEvent(customer uint64, e bank.Event) error {
	body, err := d.encode(e)
	if err != nil {
		return fmt.Errorf("encode %T: %w", e, err)
	}
	d.record.Events = append(d.record.Events, journal.Event{Customer: customer, Type: uint16(e.EventType()), Body: body})
	return nil
}

// encode returns the stored form of v, in memory that goes with the draft.
func (d *draft) encode(v any) (stored []byte, err error) {
	from := len(d.stored)
	d.stored, err = bank.AppendEncoded(d.stored, v)
	return d.stored[from:len(d.stored):len(d.stored)], err
}

// foundNothing reports whether a hold was to be filled from what the ledger no longer has. A reversal has taken it whose
// outcome is about to be shown; until then the desk would ask for the same again and again.
func foundNothing(e bank.Event) bool {
	placed, ok := e.(*bank.HoldPlaced)
	return ok && placed.AskedFen == 0 && placed.AmountFen == 0
}

// behind is what the ledger says behind a decision's chain.
type behind interface {
	balance(bank.Affected) bank.Balance
	// moved is the amount of a transfer as the ledger stored it, which may have chosen it.
	moved(*ledger.Transfer) ledger.Uint128
}

// settle takes the ledger's answer: with a refusal nothing has happened, without one everything has.
func (d *draft) settle(results []ledger.CreateTransferResult, after behind) bank.Receipt {
	rec := &d.record
	for i, r := range results {
		if r.Status == ledger.TransferCreated || r.Status == ledger.TransferLinkedEventFailed {
			continue
		}
		d.refusal = refusalOf(d.decision.Legs[i].Refused, &rec.Transfers[i], r.Status)
		rec.Results = make([]ledger.CreateTransferStatus, len(results))
		for j := range results {
			rec.Results[j] = results[j].Status
		}
		rec.Events = rec.Events[:0]
		d.decision.Events, d.decision.PayeeEvents, d.decision.Others = nil, nil, nil
		break
	}
	d.measure(after)
	receipt := bank.Receipt{
		Operation: d.operation,
		Txn:       d.decision.Txn,
		Date:      bank.Date(rec.AccountingDate),
		Time:      rec.Time,
		Refusal:   d.refusal,
		Events:    d.decision.Events,
	}
	if n := len(d.decision.Affects); n > 0 {
		receipt.Balances = make([]bank.Balance, 0, n)
	}
	for _, a := range d.decision.Affects {
		receipt.Balances = append(receipt.Balances, after.balance(a))
	}
	d.kept = bank.StoredReceipt{Operation: receipt.Operation, Refusal: receipt.Refusal, Balances: receipt.Balances}
	var err error
	if rec.Receipt, err = d.encode(&d.kept); err != nil {
		panic(fmt.Sprintf("receipt can't be encoded: %v", err)) // plain data: a programming error
	}
	return receipt
}

// measure tells the events how much balancing legs have moved.
func (d *draft) measure(after behind) {
	at := 0
	for _, events := range [...][]bank.Event{d.decision.Events, d.decision.PayeeEvents} {
		for _, e := range events {
			switch m := e.(type) {
			case *bank.InternalTransferred: // not measured, found out at less cost
			case bank.Measured:
				m.Measure(func(leg int) int64 { return net(after.moved(&d.record.Transfers[leg]), ledger.Uint128{}) })
				body, err := bank.Encode(e)
				if err != nil {
					panic(fmt.Sprintf("event can't be encoded: %v", err)) // plain data: a programming error
				}
				d.record.Events[at].Body = body
			}
			at++
		}
	}
}

// receiptOf reads the first result of a command back from its record.
func receiptOf(rec *journal.Record) (bank.Receipt, error) {
	var kept bank.StoredReceipt
	if err := bank.Decode(rec.Receipt, &kept); err != nil {
		return bank.Receipt{}, fmt.Errorf("receipt at position %d: %w", rec.Position, err)
	}
	r := bank.Receipt{
		Operation: kept.Operation, Refusal: kept.Refusal, Balances: kept.Balances,
		Txn: bank.TxnID(rec.Subject), Date: bank.Date(rec.AccountingDate), Time: rec.Time, Repeated: true,
	}
	for i := range rec.Events {
		if rec.Events[i].Customer != rec.Customer {
			continue
		}
		e, err := bank.DecodeEvent(bank.EventType(rec.Events[i].Type), rec.Events[i].Body)
		if err != nil {
			return bank.Receipt{}, fmt.Errorf("event at position %d: %w", rec.Position, err)
		}
		if !received(r.Events, e) {
			r.Events = append(r.Events, e)
		}
	}
	return r, nil
}

// received tells the payee's events from those of the customer who decided, who may be the same person. They come
// behind his own, those before this one.
func received(own []bank.Event, e bank.Event) bool {
	return slices.ContainsFunc(own, func(first bank.Event) bool {
		switch first.(type) {
		case *bank.InternalTransferred: // with a fee of the payer's behind it
			_, fee := e.(*bank.FeeCharged)
			return !fee
		case *bank.TransactionReversed:
			return true
		}
		return false
	})
}

func transferOf(leg *bank.Leg, txn bank.TxnID, date uint32, stamp uint64, linked bool) ledger.Transfer {
	t := ledger.Transfer{
		ID:              ledger.Uint128(leg.ID),
		DebitAccountID:  ledger.Uint128(leg.Debit),
		CreditAccountID: ledger.Uint128(leg.Credit),
		Amount:          ledger.U64(uint64(leg.AmountFen)),
		PendingID:       ledger.Uint128(leg.Pending),
		UserData128:     ledger.Uint128(txn),
		UserData64:      stamp,
		UserData32:      date,
		Ledger:          leg.Ledger,
		Code:            leg.Code,
	}
	if leg.All {
		t.Amount = ledger.AmountMax
	}
	for _, f := range legFlags {
		if leg.Flags&f.leg != 0 {
			t.Flags |= f.transfer
		}
	}
	if linked {
		t.Flags |= ledger.TransferLinked
	}
	return t
}

var legFlags = [...]struct {
	leg      bank.LegFlags
	transfer ledger.TransferFlags
}{
	{bank.LegPending, ledger.TransferPending},
	{bank.LegPost, ledger.TransferPostPending},
	{bank.LegVoid, ledger.TransferVoidPending},
	{bank.LegBalancingDebit, ledger.TransferBalancingDebit},
	{bank.LegBalancingCredit, ledger.TransferBalancingCredit},
	{bank.LegClosingDebit, ledger.TransferClosingDebit},
}

func accountOf(a *bank.LedgerAccount) ledger.Account {
	out := ledger.Account{
		ID:          ledger.Uint128(a.ID),
		UserData128: ledger.Uint128(a.Contract),
		UserData64:  a.Owner,
		UserData32:  a.Detail,
		Ledger:      a.Ledger,
		Code:        a.Code,
	}
	if a.Rules&bank.DebitsCapped != 0 {
		out.Flags |= ledger.AccountDebitsMustNotExceedCredits
	}
	if a.Rules&bank.CreditsCapped != 0 {
		out.Flags |= ledger.AccountCreditsMustNotExceedDebits
	}
	if a.Rules&bank.KeepsHistory != 0 {
		out.Flags |= ledger.AccountHistory
	}
	return out
}

// refusalOf is what the caller hears when the ledger refuses a leg; funds is what he hears when it refuses
// for want of balance or line. Any status that the rules of the bank should have made impossible is a
// broken invariant and stops the node.
func refusalOf(funds bank.RefusalCode, leg *ledger.Transfer, status ledger.CreateTransferStatus) *bank.Refusal {
	switch status {
	case ledger.TransferExceedsCredits, ledger.TransferExceedsDebits:
		if funds != "" {
			return &bank.Refusal{Code: funds, Field: "amount_fen"}
		}
		return &bank.Refusal{Code: bank.InsufficientFunds, Field: "amount_fen"}
	case ledger.TransferCreditAccountAlreadyClosed:
		return &bank.Refusal{Code: bank.PayeeClosed}
	case ledger.TransferDebitAccountAlreadyClosed:
		return &bank.Refusal{Code: bank.AccountClosed}
	case ledger.TransferPendingTransferAlreadyPosted, ledger.TransferPendingTransferAlreadyVoided:
		return &bank.Refusal{Code: bank.TransferSettledElse, Field: "transfer_id"}
	case ledger.TransferIDAlreadyFailed:
		// It was refused before, by an answer that never arrived.
		return &bank.Refusal{Code: bank.RefusedByLedger}
	}
	panic(fmt.Sprintf("ledger answered %s to leg %+v", status, *leg))
}

// balanceOf is an e-account's balance; an account the ledger does not have yet has none.
func balanceOf(no bank.AccountNo, a ledger.Account) bank.Balance {
	posted := net(a.CreditsPosted, a.DebitsPosted)
	return bank.Balance{
		Account:       no,
		PostedFen:     posted,
		PendingInFen:  net(a.CreditsPending, ledger.Uint128{}),
		PendingOutFen: net(a.DebitsPending, ledger.Uint128{}),
		AvailableFen:  posted - net(a.DebitsPending, ledger.Uint128{}),
	}
}

// net is a−b in fen. Amounts are bounded (bank.AmountMaxFen) so that it fits; if it ever did not, the
// books would be beyond what this program can state, and it must not state anything.
func net(a, b ledger.Uint128) int64 {
	plus, below := a.Sub(b)
	if below {
		plus, _ = b.Sub(a)
	}
	fen, ok := plus.Int64()
	if !ok {
		panic("balance beyond int64 fen")
	}
	if below {
		return -fen
	}
	return fen
}
