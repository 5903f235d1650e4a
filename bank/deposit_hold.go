package bank

import "slices"

// DepositHold (存单质押, 存款证明, 司法冻结, D09, E12) is an amount of a deposit out of its owner's reach. Interest goes on.
type DepositHold struct {
	ID        TxnID           `cbor:"1,keyasint,omitempty" json:"hold_id"`
	Kind      DepositHoldKind `cbor:"2,keyasint,omitempty" json:"kind"`
	AmountFen int64           `cbor:"3,keyasint,omitempty" json:"amount_fen"`
	Until     Date            `cbor:"4,keyasint,omitempty" json:"until,omitzero"` // the last day; zero: until it is released
	Pending   U128            `cbor:"5,keyasint,omitempty" json:"-"`
}

// DepositHoldKind is what a deposit's amount is held for.
type DepositHoldKind string

// The kinds.
const (
	DepositPledge DepositHoldKind = "PLEDGE"   // 质押
	DepositProof  DepositHoldKind = "PROOF"    // 存款证明
	DepositFreeze DepositHoldKind = "JUDICIAL" // 司法冻结
)

// DepositHoldsMax is how many holds one deposit may have at once.
const DepositHoldsMax = 20

// HoldDeposit (存单质押, 开立存款证明, 冻结) holds an amount of a deposit. A pledge and a freeze need two operators, a
// proof only its owner. A freeze takes what is free of the amount, and lasts a year unless it says less.
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
	}
)

// DepositHoldReleased (解除).
type DepositHoldReleased struct {
	HoldID    TxnID           `cbor:"1,keyasint" json:"hold_id"`
	DepositNo ContractNo      `cbor:"2,keyasint" json:"deposit_no"`
	Kind      DepositHoldKind `cbor:"3,keyasint" json:"kind"`
	AmountFen int64           `cbor:"4,keyasint" json:"amount_fen"`
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

func decideHoldDeposit(c *Customer, m *HoldDeposit, env *Env, d *Decision) *Refusal {
	t, r := openDeposit(c, m.Deposit)
	if r != nil {
		return r
	}
	free := t.PrincipalFen - t.HeldFen()
	amountFen, until := m.AmountFen, m.Until
	if m.Kind == DepositFreeze {
		amountFen = min(amountFen, free)
		last := env.Date.AddMonths(FreezeMonthsMax, 0)
		if until == 0 {
			until = last
		}
		if until > last {
			return &Refusal{Code: DateNotAllowed, Field: "until"}
		}
	}
	switch {
	case amountFen <= 0 || amountFen > free:
		return &Refusal{Code: OverDeposit, Field: "amount_fen", LimitFen: free}
	case m.Until != 0 && m.Until < env.Date, m.Kind == DepositProof && m.Until == 0:
		return &Refusal{Code: DateNotAllowed, Field: "until"}
	case len(t.Holds) >= DepositHoldsMax:
		return &Refusal{Code: ContractsMax, Field: "deposit_id"}
	}
	held := contractAccount(t.Subjects.Detail, t.No, d)
	d.Legs = DepositHolding{held, bankAccount(DetailJudicial, 0, d), amountFen}.Legs(d.Txn, nil)
	amount := DepositHeldAmount{d.Txn, t.No, amountFen, until, m.DocumentHash, d.Legs[0].ID, m.By}
	switch m.Kind {
	case DepositPledge:
		d.Events = []Event{&DepositPledged{amount}}
	case DepositFreeze:
		d.Events = []Event{&DepositFrozen{amount, m.AmountFen, m.Authority, m.DocumentNo}}
	default:
		d.Events = []Event{&DepositProofIssued{amount}}
	}
	return nil
}

func decideReleaseDepositHold(c *Customer, m *ReleaseDepositHold, d *Decision) *Refusal {
	t := c.deposit(m.Deposit)
	if t == nil {
		return &Refusal{Code: DepositUnknown, Field: "deposit_id"}
	}
	i := slices.IndexFunc(t.Holds, func(h DepositHold) bool { return h.ID == m.Hold })
	switch {
	case i < 0:
		return &Refusal{Code: DepositHoldUnknown, Field: "hold_id"}
	case m.Lapsed != 0 && (t.Holds[i].Until == 0 || m.Lapsed <= t.Holds[i].Until):
		return &Refusal{Code: DateNotAllowed, Field: "until"}
	}
	h := &t.Holds[i]
	d.Legs = DepositRelease{h.Pending}.Legs(d.Txn, nil)
	d.Events = []Event{&DepositHoldReleased{h.ID, t.No, h.Kind, h.AmountFen, m.By}}
	return nil
}

func (t *Deposit) hold(m *DepositHeldAmount, kind DepositHoldKind) {
	t.Holds = append(t.Holds, DepositHold{m.HoldID, kind, m.AmountFen, m.Until, m.PendingID})
}

func (t *Deposit) release(id TxnID) {
	t.Holds = slices.DeleteFunc(t.Holds, func(h DepositHold) bool { return h.ID == id })
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
