package bank

// ReverseTransaction undoes a posted transfer: 抹账 on its accounting date, 冲正 on a later one. Two-phase
// transfers are reversed when they have succeeded; before that they are answered.
type ReverseTransaction struct {
	By
	Transfer TxnID   `cbor:"1,keyasint"`
	Reason   string  `cbor:"2,keyasint"`
	Channel  Channel `cbor:"3,keyasint,omitempty"`
}

// ReversalKind tells the two reversals apart.
type ReversalKind string

// The reversals.
const (
	SameDay  ReversalKind = "SAME_DAY"  // 抹账
	LaterDay ReversalKind = "LATER_DAY" // 冲正
)

// TransactionReversed (抹账, 冲正): one for each customer whose account it touched. Direction is as his account
// sees the reversal: OUT takes AmountFen back, of which ShortfallFen was no longer there and is an advance he
// owes; IN gives AmountFen and FeeFen.
type TransactionReversed struct {
	TxnID        TxnID        `cbor:"1,keyasint" json:"original_txn_id"`
	AccountNo    AccountNo    `cbor:"2,keyasint" json:"account_no"`
	Kind         ReversalKind `cbor:"3,keyasint" json:"kind"`
	Direction    Direction    `cbor:"4,keyasint" json:"direction"`
	AmountFen    int64        `cbor:"5,keyasint" json:"amount_fen"`
	FeeFen       int64        `cbor:"6,keyasint,omitempty" json:"fee_fen"`
	ShortfallFen int64        `cbor:"7,keyasint,omitempty" json:"shortfall_fen"`
	ValueDate    Date         `cbor:"8,keyasint" json:"value_date"`
	Reason       string       `cbor:"9,keyasint" json:"reason"`
	By
	// AdvanceLeg of the decision's chain tells the shortfall; zero: there can be none.
	AdvanceLeg int `cbor:"10,keyasint,omitempty" json:"-"`
}

// Operation name, stable.
func (*ReverseTransaction) Operation() string { return "reverse_transaction" }

func (m *ReverseTransaction) decider() CustomerNo  { return m.Transfer.Customer() }
func (m *ReverseTransaction) unknown() RefusalCode { return TransferUnknown }
func (m *ReverseTransaction) through() Channel     { return m.Channel }

// PartyOf tells which account besides the decider's own a command about a transaction's past touches, and that
// no permit is asked of it; false for none.
func PartyOf(cmd Command, past *Past) (Credit, bool) {
	switch cmd.(type) {
	case *ReleasePayment:
		return delayOf(past)
	case *ReverseTransaction:
	default:
		return Credit{}, false
	}
	e, ok := pastEvent[*InternalTransferred](past)
	if !ok {
		return Credit{}, false
	}
	return Credit{Account: e.Payee, System: true}, true
}

func (m *ReverseTransaction) decide(c *Customer, env *Env, d *Decision) *Refusal {
	p := env.Past
	if r := p.reversible(c, m.Transfer); r != nil {
		return r
	}
	kind, offset := LaterDay, reversedLater
	if env.Date == p.day() {
		kind, offset = SameDay, reversedSameDay
	}
	event := func(no AccountNo, direction Direction, amountFen, feeFen int64) *TransactionReversed {
		return &TransactionReversed{
			TxnID: m.Transfer, AccountNo: no, Kind: kind, Direction: direction, AmountFen: amountFen, FeeFen: feeFen,
			ValueDate: p.day(), Reason: m.Reason, By: m.By,
		}
	}
	var taken *TransactionReversed // of whose account money is taken
	var takenFrom U128
	own := d.Txn
	d.Txn = m.Transfer
	switch e := p.moved().(type) {
	case *InternalTransferred:
		payer, r := c.creditable(e.Payer)
		if r != nil {
			return r
		}
		taken, takenFrom = event(e.Payee, Out, e.AmountFen, 0), env.Credited.LedgerID()
		d.Events = []Event{event(e.Payer, In, e.AmountFen, e.FeeFen)}
		d.Payee, d.PayeeEvents = e.Payee.Customer(), []Event{taken}
		d.Affects = []Affected{payer.affected()}
	case *InboundCredited:
		a, r := c.creditable(e.AccountNo)
		if r != nil {
			return r
		}
		taken, takenFrom = event(a.No, Out, e.AmountFen, 0), a.LedgerID()
		d.Events, d.Affects = []Event{taken}, []Affected{a.affected()}
	case *TransferInSucceeded:
		a, r := c.creditable(e.AccountNo)
		if r != nil {
			return r
		}
		taken, takenFrom = event(a.No, Out, e.AmountFen, 0), a.LedgerID()
		d.Events, d.Affects = []Event{taken}, []Affected{a.affected()}
	case *TransferOutSucceeded:
		a, r := c.creditable(e.AccountNo)
		if r != nil {
			return r
		}
		d.Events, d.Affects = []Event{event(a.No, In, e.AmountFen, e.FeeFen)}, []Affected{a.affected()}
	}
	d.Legs = m.legs(p, offset, own, takenFrom, taken, d)
	return nil
}

// legs undo the posted legs, the last first.
func (m *ReverseTransaction) legs(p *Past, offset uint16, own TxnID, takenFrom U128, taken *TransactionReversed, d *Decision) []Leg {
	c := chain{txn: own}
	for i := len(p.Entries) - 1; i >= 0; i-- {
		e := p.Entries[i]
		switch {
		case e.AmountFen == 0 || e.Code == codeCapCheck:
		case taken != nil && e.Credit == takenFrom:
			_, owner, _ := SplitLedgerID(takenFrom)
			taken.AdvanceLeg = len(c.legs) + 2
			c.legs = ReversedDebit{
				takenFrom, e.Debit, bankAccount(DetailCompound, uint64(CustomerNo(owner).Shard()), d), bankAccount(DetailAdvances, owner, d),
				e.AmountFen, e.Code + offset,
			}.Legs(own, c.legs)
		default:
			c.move(e.Credit, e.Debit, e.AmountFen, e.Code+offset, Leg{Ledger: e.Ledger})
		}
	}
	return c.legs
}

// codeCapCheck is the code of legs that check a balance cap and leave nothing behind.
const codeCapCheck uint16 = 1190

// moved is the event of a transfer's money; nil for what can't be reversed as one: contracts have their own
// ways back.
func (p *Past) moved() Event {
	if p == nil {
		return nil
	}
	for _, e := range p.Events {
		switch e.(type) {
		case *InternalTransferred, *InboundCredited, *TransferInSucceeded, *TransferOutSucceeded:
			return e
		}
	}
	return nil
}

func (p *Past) reversible(c *Customer, txn TxnID) *Refusal {
	if p.moved() == nil {
		return notThere(c, p, txn)
	}
	for _, e := range p.Events {
		switch e.(type) {
		case *TransactionReversed:
			return &Refusal{Code: AlreadyReversed, Field: "transfer_id"}
		case *TransferReturned, *FeeRefunded, *AdvanceCollected:
			// Part of it has gone another way since; what is left is for a person to correct.
			return &Refusal{Code: NotReversible, Field: "transfer_id"}
		}
	}
	return nil
}

// Measure implements Measured.
func (e *TransactionReversed) Measure(moved func(leg int) int64) {
	if e.AdvanceLeg > 0 {
		e.ShortfallFen = moved(e.AdvanceLeg)
	}
}

// change is what the reversal did to the account's balance.
func (e *TransactionReversed) change() int64 {
	if e.Direction == In {
		return e.AmountFen + e.FeeFen
	}
	return e.ShortfallFen - e.AmountFen
}

func (e *TransactionReversed) unapply(b *Balance) { b.take(e.AccountNo, e.change()) }

func (e *TransactionReversed) post(d *Desk, on Date) {
	if s := d.Standing(e.AccountNo); s != nil {
		s.post(on, e.ValueDate, e.change())
		s.AdvanceFen += e.ShortfallFen
	}
}

func (e *TransactionReversed) fold(v *TransferView, at string) {
	v.Status, v.Reason, v.SettledAt = TransferReversed, e.Reason, at
}
