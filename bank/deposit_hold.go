package bank

import "slices"

// DepositHold (存单质押, 存款证明, 司法冻结, D09, E12) is an amount of a deposit out of its owner's reach. Interest goes on.
type DepositHold struct {
	ID        TxnID           `cbor:"1,keyasint,omitempty" json:"hold_id"`
	Kind      DepositHoldKind `cbor:"2,keyasint,omitempty" json:"kind"`
	AmountFen int64           `cbor:"3,keyasint,omitempty" json:"amount_fen"`
	Until     Date            `cbor:"4,keyasint,omitempty" json:"until,omitzero"` // the last day; zero: until it is released
	Pending   U128            `cbor:"5,keyasint,omitempty" json:"-"`
	// Of a freeze. AskedFen is what is to be held, less what was deducted; Queue its place among the waiting ones
	// (轮候冻结), zero: in effect; Under the business its pending transfer stands under, zero: its own.
	AskedFen   int64  `cbor:"6,keyasint,omitempty" json:"asked_fen,omitzero"`
	Authority  string `cbor:"7,keyasint,omitempty" json:"authority,omitzero"`
	DocumentNo string `cbor:"8,keyasint,omitempty" json:"document_no,omitzero"`
	Queue      int    `cbor:"9,keyasint,omitempty" json:"queue_position,omitzero"`
	Under      TxnID  `cbor:"10,keyasint,omitempty" json:"-"`
}

// DepositHoldKind is what a deposit's amount is held for.
type DepositHoldKind string

// The kinds.
const (
	DepositPledge DepositHoldKind = "PLEDGE"   // 质押
	DepositProof  DepositHoldKind = "PROOF"    // 存款证明
	DepositFreeze DepositHoldKind = "JUDICIAL" // 司法冻结
)

// DepositHoldsMax is how many holds one deposit may have at once, waiting ones counted.
const DepositHoldsMax = 20

// HoldDeposit (存单质押, 开立存款证明, 冻结) holds an amount of a deposit. A pledge and a freeze need two operators, a
// proof only its owner. A freeze takes what is free of the amount, or waits, and lasts a year unless it says less.
type HoldDeposit struct {
	Deposit      ContractNo      `cbor:"1,keyasint"`
	Kind         DepositHoldKind `cbor:"2,keyasint"`
	AmountFen    int64           `cbor:"3,keyasint"`
	Until        Date            `cbor:"4,keyasint,omitempty"`
	DocumentHash string          `cbor:"5,keyasint,omitempty"`
	Channel      Channel         `cbor:"6,keyasint"`
	Authority    string          `cbor:"7,keyasint,omitempty"` // of a freeze, as the next
	DocumentNo   string          `cbor:"8,keyasint,omitempty"`
	By
}

// ReleaseDepositHold (解除质押, 存款证明到期) gives it back. A proof ends by itself after its last day.
type ReleaseDepositHold struct {
	Deposit ContractNo `cbor:"1,keyasint"`
	Hold    TxnID      `cbor:"2,keyasint"`
	Lapsed  Date       `cbor:"3,keyasint,omitempty"` // the bank's own: the last day is over
	Channel Channel    `cbor:"4,keyasint"`
	// DocumentNo is of the order that lifts a freeze.
	DocumentNo string `cbor:"5,keyasint,omitempty"`
	By
}

// Operation names, stable.
func (*HoldDeposit) Operation() string        { return "hold_deposit" }
func (*ReleaseDepositHold) Operation() string { return "release_deposit_hold" }

// DepositHeldAmount is what the events of a hold's beginning say.
type DepositHeldAmount struct {
	HoldID       TxnID      `cbor:"1,keyasint" json:"hold_id"`
	DepositNo    ContractNo `cbor:"2,keyasint" json:"deposit_no"`
	AmountFen    int64      `cbor:"3,keyasint" json:"amount_fen"`
	Until        Date       `cbor:"4,keyasint,omitempty" json:"until,omitzero"`
	DocumentHash string     `cbor:"5,keyasint,omitempty" json:"document_hash,omitzero"`
	PendingID    U128       `cbor:"6,keyasint" json:"pending_id"`
	By
}

// The beginnings of a hold.
type (
	DepositPledged     struct{ DepositHeldAmount } // 质押
	DepositProofIssued struct{ DepositHeldAmount } // 存款证明
	// DepositFrozen (存单冻结).
	DepositFrozen struct {
		DepositHeldAmount
		AskedFen   int64  `cbor:"7,keyasint" json:"asked_fen"`
		Authority  string `cbor:"8,keyasint,omitempty" json:"authority"`
		DocumentNo string `cbor:"9,keyasint,omitempty" json:"document_no"`
		// ShortfallFen is lacking still; QueuePosition zero: in effect.
		ShortfallFen  int64 `cbor:"10,keyasint,omitempty" json:"shortfall_fen"`
		QueuePosition int   `cbor:"11,keyasint,omitempty" json:"queue_position"`
	}
)

// DepositHoldReleased (解除).
type DepositHoldReleased struct {
	HoldID    TxnID           `cbor:"1,keyasint" json:"hold_id"`
	DepositNo ContractNo      `cbor:"2,keyasint" json:"deposit_no"`
	Kind      DepositHoldKind `cbor:"3,keyasint" json:"kind"`
	AmountFen int64           `cbor:"4,keyasint" json:"amount_fen"`
	// Reason is empty in records from before there was one; DocumentNo of the order that lifts a freeze.
	Reason     ReleaseReason `cbor:"5,keyasint,omitempty" json:"reason,omitzero"`
	DocumentNo string        `cbor:"6,keyasint,omitempty" json:"document_no,omitzero"`
	By
}

// EventType of each event.
func (*DepositPledged) EventType() EventType      { return EventDepositPledged }
func (*DepositProofIssued) EventType() EventType  { return EventDepositProofIssued }
func (*DepositFrozen) EventType() EventType       { return EventDepositFrozen }
func (*DepositHoldReleased) EventType() EventType { return EventDepositHoldReleased }

// HeldFen is what all holds of the deposit have.
func (t *Deposit) HeldFen() (fen int64) {
	for i := range t.Holds {
		fen += t.Holds[i].AmountFen
	}
	return fen
}

// heldOn reports whether something holds the deposit on a date, when what has lapsed by then is let go: to its owner, or
// to a freeze that lacks something.
func (t *Deposit) heldOn(date Date) bool {
	return t.fullyFrozen(date) || slices.ContainsFunc(t.Holds, func(h DepositHold) bool { return h.AmountFen > 0 && !h.lapsed(date) })
}

func decideHoldDeposit(c *Customer, m *HoldDeposit, env *Env, d *Decision) *Refusal {
	t, r := openDeposit(c, m.Deposit)
	if r != nil {
		return r
	}
	switch {
	case m.Until != 0 && m.Until < env.Date, m.Kind == DepositProof && m.Until == 0:
		return &Refusal{Code: DateNotAllowed, Field: "until"}
	case len(t.Holds) >= DepositHoldsMax:
		return &Refusal{Code: ContractsMax, Field: "deposit_id"}
	}
	if m.Kind == DepositFreeze {
		return t.freeze(m, env, d)
	}
	free := t.PrincipalFen - t.HeldFen()
	if m.AmountFen <= 0 || m.AmountFen > free {
		return &Refusal{Code: OverDeposit, Field: "amount_fen", LimitFen: free}
	}
	amount := DepositHeldAmount{d.Txn, t.No, m.AmountFen, m.Until, m.DocumentHash, t.holdAmount(m.AmountFen, d.Txn, d), m.By}
	if m.Kind == DepositPledge {
		d.Events = []Event{&DepositPledged{amount}}
	} else {
		d.Events = []Event{&DepositProofIssued{amount}}
	}
	return nil
}

// holdAmount appends the leg that holds an amount, and gives its id.
func (t *Deposit) holdAmount(amountFen int64, own TxnID, d *Decision) U128 {
	held := DepositHolding{contractAccount(t.Subjects.Detail, t.No, d), bankAccount(DetailJudicial, 0, d), amountFen}
	d.Legs = held.Legs(own, d.Legs)
	return d.Legs[len(d.Legs)-1].ID
}

func decideReleaseDepositHold(c *Customer, m *ReleaseDepositHold, env *Env, d *Decision) *Refusal {
	t, h, r := c.depositHold(m.Deposit, m.Hold)
	switch {
	case r != nil:
		return r
	case m.Lapsed != 0 && (h.Until == 0 || m.Lapsed <= h.Until):
		return &Refusal{Code: DateNotAllowed, Field: "until"}
	}
	why := Lifted
	if m.Lapsed != 0 {
		why = Lapsed
	}
	t.letGo(h, why, m.DocumentNo, m.By, d)
	t.refreeze(h, env.Date, d)
	return nil
}

// depositHold finds a hold of one of the customer's deposits.
func (c *Customer) depositHold(no ContractNo, id TxnID) (*Deposit, *DepositHold, *Refusal) {
	t := c.deposit(no)
	if t == nil {
		return nil, nil, &Refusal{Code: DepositUnknown, Field: "deposit_id"}
	}
	i := slices.IndexFunc(t.Holds, func(h DepositHold) bool { return h.ID == id })
	if i < 0 {
		return nil, nil, &Refusal{Code: DepositHoldUnknown, Field: "hold_id"}
	}
	return t, &t.Holds[i], nil
}

// letGo appends the release of a hold.
func (t *Deposit) letGo(h *DepositHold, why ReleaseReason, documentNo string, by By, d *Decision) {
	if h.AmountFen > 0 {
		d.Legs = DepositRelease{h.Pending}.Legs(d.Txn, d.Legs)
	}
	d.Events = append(d.Events, &DepositHoldReleased{h.ID, t.No, h.Kind, h.AmountFen, why, documentNo, by})
}

func (t *Deposit) hold(m *DepositHeldAmount, kind DepositHoldKind) {
	t.Holds = append(t.Holds, DepositHold{ID: m.HoldID, Kind: kind, AmountFen: m.AmountFen, Until: m.Until, Pending: m.PendingID})
}

func (t *Deposit) release(id TxnID) {
	i := slices.IndexFunc(t.Holds, func(h DepositHold) bool { return h.ID == id })
	if i < 0 {
		return
	}
	was := t.Holds[i].Queue
	t.Holds = slices.Delete(t.Holds, i, i+1)
	t.moveUp(was)
}

// lapsing lists the holds whose last day is before a date.
func lapsing(c *Customer, date Date) (list []SystemCommand) {
	for i := range c.Deposits {
		t := &c.Deposits[i]
		for _, h := range t.Holds {
			if h.Until != 0 && h.Until < date {
				list = append(list, SystemCommand{
					Command: &ReleaseDepositHold{Deposit: t.No, Hold: h.ID, Lapsed: date, Channel: ChannelBatch}, Step: "release", Ref: h.ID.String(),
				})
			}
		}
	}
	return list
}
