package bank

import "slices"

// Hold (冻结金额) is an amount of an account out of its owner's reach. The ledger has it as pending transfers,
// one for each time money was there to be held.
type Hold struct {
	ID       TxnID      `cbor:"1,keyasint" json:"hold_id"` // a judicial one has its restriction's
	Kind     HoldKind   `cbor:"2,keyasint" json:"kind"`
	AskedFen int64      `cbor:"3,keyasint" json:"asked_fen"` // to be held; what was deducted is off it
	Parts    []HoldPart `cbor:"4,keyasint,omitempty" json:"-"`
	Until    Date       `cbor:"5,keyasint,omitempty" json:"until,omitzero"` // the last day; zero: until it is released
}

// HoldPart is one pending transfer of a hold.
type HoldPart struct {
	Pending U128  `cbor:"1,keyasint"`
	Fen     int64 `cbor:"2,keyasint"`
}

// HoldKind is what an amount is held for.
type HoldKind string

// The kinds of holds.
const (
	Judicial HoldKind = "JUDICIAL" // 司法冻结; with a restriction
	Pledge   HoldKind = "PLEDGE"   // 质押
	Proof    HoldKind = "PROOF"    // 存款证明
	RiskHold HoldKind = "RISK"     // 风险暂缓; with a delayed payment
)

// HoldPartsMax is from how many parts on a hold that takes more is put together into one.
const HoldPartsMax = 64

// HeldFen is what the hold has.
func (h *Hold) HeldFen() int64 {
	fen := int64(0)
	for _, p := range h.Parts {
		fen += p.Fen
	}
	return fen
}

// ShortFen is what it lacks, to be held out of later credits.
func (h *Hold) ShortFen() int64 { return h.AskedFen - h.HeldFen() }

// held finds a hold of the account; nil: none.
func (a *EAccount) held(id TxnID) *Hold {
	for i := range a.special().Holds {
		if h := &a.Special.Holds[i]; h.ID == id {
			return h
		}
	}
	return nil
}

// short is the first hold that lacks something; nil: none.
func (a *EAccount) short() *Hold {
	for i := range a.special().Holds {
		if h := &a.Special.Holds[i]; h.ShortFen() > 0 {
			return h
		}
	}
	return nil
}

// hold appends a new hold that takes an amount now, which must be there.
func (a *EAccount) hold(d *Decision, own, id TxnID, kind HoldKind, askedFen, takeFen int64) *HoldPlaced {
	placed := &HoldPlaced{
		HoldID: id, AccountNo: a.No, Kind: kind, AskedFen: askedFen, AmountFen: takeFen, ShortfallFen: askedFen - takeFen,
	}
	if takeFen > 0 {
		d.Legs = HoldAmount{a.LedgerID(), bankAccount(DetailJudicial, 0, d), takeFen, kind != Judicial}.Legs(own, d.Legs)
		placed.PendingID, placed.Leg = d.Legs[len(d.Legs)-1].ID, len(d.Legs)
	}
	d.Events = append(d.Events, placed)
	return placed
}

// letGo appends the release of a hold.
func (a *EAccount) letGo(h *Hold, own TxnID, why ReleaseReason, by By, d *Decision) {
	d.Legs = HoldRelease{h.Parts}.Legs(own, d.Legs)
	d.Events = append(d.Events, &HoldReleased{
		HoldID: h.ID, AccountNo: a.No, Kind: h.Kind, AmountFen: h.HeldFen(), ShortfallFen: h.ShortFen(), Reason: why, By: by,
	})
}

// HoldPlaced (冻结): an amount was put into a hold, a new one or one that lacked it.
type HoldPlaced struct {
	HoldID       TxnID     `cbor:"1,keyasint" json:"hold_id"`
	AccountNo    AccountNo `cbor:"2,keyasint" json:"account_no"`
	Kind         HoldKind  `cbor:"3,keyasint" json:"kind"`
	AskedFen     int64     `cbor:"4,keyasint,omitempty" json:"asked_fen,omitzero"` // of a new hold; zero: it was there
	AmountFen    int64     `cbor:"5,keyasint,omitempty" json:"amount_fen"`         // taken now
	ShortfallFen int64     `cbor:"6,keyasint,omitempty" json:"shortfall_fen"`      // lacking still
	PendingID    U128      `cbor:"7,keyasint,omitempty" json:"pending_id,omitzero"`
	// Together: the pending transfer holds all of the hold, in place of its parts so far.
	Together bool `cbor:"8,keyasint,omitempty" json:"-"`
	Until    Date `cbor:"9,keyasint,omitempty" json:"until,omitzero"`
	By
	Leg     int   `cbor:"10,keyasint,omitempty" json:"-"` // of the decision's chain that holds it, from one; zero: none
	PartFen int64 `cbor:"11,keyasint,omitempty" json:"-"` // with Together: in the parts so far
}

// Measure implements Measured: what is held is what the ledger found. A reversal may have taken money off the account
// since the decision, as nobody else but its owner can.
func (e *HoldPlaced) Measure(moved func(leg int) int64) {
	if e.Leg == 0 {
		return
	}
	fen := moved(e.Leg-1) - e.PartFen
	e.ShortfallFen += e.AmountFen - fen
	e.AmountFen = fen
}

// HoldReleased (解冻).
type HoldReleased struct {
	HoldID       TxnID         `cbor:"1,keyasint" json:"hold_id"`
	AccountNo    AccountNo     `cbor:"2,keyasint" json:"account_no"`
	Kind         HoldKind      `cbor:"3,keyasint" json:"kind"`
	AmountFen    int64         `cbor:"4,keyasint,omitempty" json:"amount_fen"`
	ShortfallFen int64         `cbor:"5,keyasint,omitempty" json:"shortfall_fen"` // it lacked this
	Reason       ReleaseReason `cbor:"6,keyasint" json:"reason"`
	By
}

// HoldDeducted (扣划): an amount was taken out of a hold and waits to be remitted.
type HoldDeducted struct {
	HoldID      TxnID     `cbor:"1,keyasint" json:"hold_id"`
	AccountNo   AccountNo `cbor:"2,keyasint" json:"account_no"`
	Kind        HoldKind  `cbor:"3,keyasint" json:"kind"`
	AmountFen   int64     `cbor:"4,keyasint" json:"amount_fen"`
	DeductionID TxnID     `cbor:"5,keyasint" json:"deduction_id"`
	DocumentNo  string    `cbor:"6,keyasint,omitempty" json:"document_no,omitzero"`
	PendingID   U128      `cbor:"7,keyasint" json:"pending_id"`  // the remittance
	RestID      U128      `cbor:"8,keyasint,omitempty" json:"-"` // holds the rest of the part that was cut
	RestFen     int64     `cbor:"9,keyasint,omitempty" json:"-"` // of that part
	HeldFen     int64     `cbor:"10,keyasint" json:"held_fen"`   // in the hold afterwards
	PartsTaken  int       `cbor:"11,keyasint" json:"-"`          // from the first on, whole or cut
	By
}

// DeductionRemitted (扣划划款结果) is what became of a remittance; after a failure it is asked for again.
type DeductionRemitted struct {
	DeductionID   TxnID     `cbor:"1,keyasint" json:"deduction_id"`
	HoldID        TxnID     `cbor:"2,keyasint" json:"hold_id"`
	AccountNo     AccountNo `cbor:"3,keyasint" json:"account_no"`
	AmountFen     int64     `cbor:"4,keyasint" json:"amount_fen"`
	Success       bool      `cbor:"5,keyasint,omitempty" json:"success"`
	ChannelSerial string    `cbor:"6,keyasint,omitempty" json:"channel_serial,omitzero"`
	PendingID     U128      `cbor:"7,keyasint,omitempty" json:"pending_id,omitzero"` // the next try
	// DepositNo is the deposit it was taken out of; zero: the account.
	DepositNo ContractNo `cbor:"8,keyasint,omitempty" json:"deposit_no,omitzero"`
	By
}

// Deduction (扣划) is an amount on its way to whoever ordered it.
type Deduction struct {
	ID      TxnID     `cbor:"1,keyasint"`
	Hold    TxnID     `cbor:"2,keyasint"`
	Account AccountNo `cbor:"3,keyasint"`
	Pending U128      `cbor:"4,keyasint"`
	Fen     int64     `cbor:"5,keyasint"`
	// Out of a deposit: which, and the business its transfers belong to. Zero: out of the account, Hold's.
	Deposit ContractNo `cbor:"6,keyasint,omitempty"`
	Under   TxnID      `cbor:"7,keyasint,omitempty"`
}

// business is the one its transfers belong to.
func (x *Deduction) business() TxnID {
	if x.Under.IsZero() {
		return x.Hold
	}
	return x.Under
}

// PlaceHold (质押、存款证明) holds an amount that is there, for a pledge or a proof of deposit.
type PlaceHold struct {
	Account   AccountNo `cbor:"1,keyasint"`
	Kind      HoldKind  `cbor:"2,keyasint"`
	AmountFen int64     `cbor:"3,keyasint"`
	Until     Date      `cbor:"4,keyasint,omitempty"` // the last day; a proof needs one
	Channel   Channel   `cbor:"5,keyasint"`
	By
}

// ReleaseHold (解除质押) lets a pledge or a proof go. A judicial hold ends with its restriction.
type ReleaseHold struct {
	Hold    TxnID   `cbor:"1,keyasint"`
	Channel Channel `cbor:"2,keyasint"`
	By
}

// LapseHold (到期解除) lets a hold go whose time is over: a command of the end of the day.
type LapseHold struct {
	Hold TxnID `cbor:"1,keyasint"`
}

// FillHolds (补足冻结) puts what the account has available into the first of its holds that lacks something.
// The bank gives it to itself behind a credit, and at the end of the day.
type FillHolds struct {
	Account AccountNo `cbor:"1,keyasint"`
}

// DeductHold (司法扣划) takes an amount out of a judicial hold.
type DeductHold struct {
	Hold       TxnID   `cbor:"1,keyasint"`
	AmountFen  int64   `cbor:"2,keyasint"`
	DocumentNo string  `cbor:"3,keyasint"`
	Channel    Channel `cbor:"4,keyasint"`
	By
}

// RemitDeduction (扣划划款) tells what became of a deduction's remittance.
type RemitDeduction struct {
	Deduction     TxnID   `cbor:"1,keyasint"`
	Success       bool    `cbor:"2,keyasint,omitempty"`
	ChannelSerial string  `cbor:"3,keyasint,omitempty"`
	Channel       Channel `cbor:"4,keyasint"`
	By
}

// Operation names, stable.
func (*PlaceHold) Operation() string      { return "place_hold" }
func (*ReleaseHold) Operation() string    { return "release_hold" }
func (*LapseHold) Operation() string      { return "lapse_hold" }
func (*FillHolds) Operation() string      { return "fill_holds" }
func (*DeductHold) Operation() string     { return "deduct_hold" }
func (*RemitDeduction) Operation() string { return "remit_deduction" }

func (m *PlaceHold) decider() CustomerNo { return m.Account.Customer() }
func (*PlaceHold) unknown() RefusalCode  { return AccountUnknown }
func (m *PlaceHold) through() Channel    { return m.Channel }

func (m *PlaceHold) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r := payer(c, m.Account, m.AmountFen, 0, env, "account_no")
	switch {
	case r != nil:
		return r
	case m.Kind != Pledge && m.Kind != Proof:
		return &Refusal{Code: FieldInvalid, Field: "kind"}
	case m.Kind == Proof && m.Until == 0 || m.Until != 0 && m.Until < env.Date:
		return &Refusal{Code: FieldInvalid, Field: "until"}
	case len(a.special().Holds) >= RestrictionsMax:
		return &Refusal{Code: RestrictionsFull, Field: "account_no"}
	case env.Desk.availableFen(a.No) < m.AmountFen:
		return &Refusal{Code: InsufficientFunds, Field: "amount_fen"}
	}
	placed := a.hold(d, d.Txn, d.Txn, m.Kind, m.AmountFen, m.AmountFen)
	placed.Until, placed.By = m.Until, m.By
	d.Affects = []Affected{a.affected()}
	return nil
}

// holding finds one of the customer's holds.
func (c *Customer) holding(id TxnID) (*EAccount, *Hold, *Refusal) {
	for i := range c.Accounts {
		if h := c.Accounts[i].held(id); h != nil {
			return &c.Accounts[i], h, nil
		}
	}
	return nil, nil, &Refusal{Code: HoldUnknown, Field: "hold_id"}
}

func (m *ReleaseHold) decider() CustomerNo { return m.Hold.Customer() }
func (*ReleaseHold) unknown() RefusalCode  { return HoldUnknown }
func (m *ReleaseHold) through() Channel    { return m.Channel }

func (m *ReleaseHold) decide(c *Customer, _ *Env, d *Decision) *Refusal {
	a, h, r := c.holding(m.Hold)
	switch {
	case r != nil:
		return r
	case h.Kind == Judicial || h.Kind == RiskHold:
		return &Refusal{Code: HoldUnknown, Field: "hold_id"}
	}
	a.endHold(h, Lifted, m.By, d)
	return nil
}

func (m *LapseHold) decider() CustomerNo { return m.Hold.Customer() }
func (*LapseHold) unknown() RefusalCode  { return CustomerUnknown }
func (*LapseHold) through() Channel      { return 0 }

func (m *LapseHold) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, h, r := c.holding(m.Hold)
	switch {
	case r != nil:
		return r
	case h.Until == 0 || env.Date <= h.Until:
		return &Refusal{Code: NotDue, Field: "hold_id"}
	}
	a.endHold(h, Lapsed, By{}, d)
	return nil
}

// endHold lets a hold go under the business it was placed in.
func (a *EAccount) endHold(h *Hold, why ReleaseReason, by By, d *Decision) {
	own := d.Txn
	d.Txn = h.ID
	a.letGo(h, own, why, by, d)
	d.Affects = []Affected{a.affected()}
}

func (m *FillHolds) decider() CustomerNo { return m.Account.Customer() }
func (*FillHolds) unknown() RefusalCode  { return CustomerUnknown }
func (*FillHolds) through() Channel      { return 0 }

func (m *FillHolds) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r := ownAccount(c, m.Account, "account_no")
	if r != nil {
		return r
	}
	h := a.short()
	if h == nil {
		return &Refusal{Code: NotDue, Field: "account_no"}
	}
	take := min(h.ShortFen(), env.Desk.availableFen(a.No))
	if take <= 0 {
		return &Refusal{Code: NotDue, Field: "account_no"}
	}
	own := d.Txn
	d.Txn = h.ID
	placed := &HoldPlaced{HoldID: h.ID, AccountNo: a.No, Kind: h.Kind, AmountFen: take, ShortfallFen: h.ShortFen() - take}
	leg := take
	if len(h.Parts) >= HoldPartsMax {
		d.Legs = HoldRelease{h.Parts}.Legs(own, nil)
		placed.Together, placed.PartFen = true, h.HeldFen()
		leg += h.HeldFen()
	}
	d.Legs = HoldAmount{a.LedgerID(), bankAccount(DetailJudicial, 0, d), leg, false}.Legs(own, d.Legs)
	placed.PendingID, placed.Leg = d.Legs[len(d.Legs)-1].ID, len(d.Legs)
	d.Events = []Event{placed}
	if i := a.special().Restrictions.index(h.ID); placed.ShortfallFen == 0 && i >= 0 && a.Special.Restrictions[i].Kind == PartialFrozen {
		a.nextFreeze(env, h.ID, d) // there may be something left for it
	}
	d.Affects = []Affected{a.affected()}
	return nil
}

func (m *DeductHold) decider() CustomerNo { return m.Hold.Customer() }
func (*DeductHold) unknown() RefusalCode  { return HoldUnknown }
func (m *DeductHold) through() Channel    { return m.Channel }

func (m *DeductHold) decide(c *Customer, _ *Env, d *Decision) *Refusal {
	a, h, r := c.holding(m.Hold)
	switch {
	case r != nil:
		return r
	case h.Kind != Judicial:
		return &Refusal{Code: HoldUnknown, Field: "hold_id"}
	case m.DocumentNo == "":
		return &Refusal{Code: FieldInvalid, Field: "document_no"}
	case m.AmountFen <= 0 || m.AmountFen > AmountMaxFen:
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	case m.AmountFen > h.HeldFen():
		return &Refusal{Code: OverHold, Field: "amount_fen", LimitFen: h.HeldFen()}
	}
	own := d.Txn
	d.Txn = h.ID
	e := &HoldDeducted{
		HoldID: h.ID, AccountNo: a.No, Kind: h.Kind, AmountFen: m.AmountFen, DeductionID: own, DocumentNo: m.DocumentNo,
		HeldFen: h.HeldFen() - m.AmountFen, By: m.By,
	}
	for left := m.AmountFen; left > 0; e.PartsTaken++ {
		part := h.Parts[e.PartsTaken].Fen
		e.RestFen = max(0, part-left)
		left -= min(left, part)
	}
	clearing := clearingAccount(ChannelIBPS, c.No, d)
	d.Legs = HoldDeduction{a.LedgerID(), bankAccount(DetailJudicial, 0, d), clearing, h.Parts, m.AmountFen}.Legs(own, nil)
	last := len(d.Legs) - 1
	e.PendingID = d.Legs[last].ID
	if e.RestFen > 0 {
		e.RestID = d.Legs[last-1].ID
	}
	d.Events = []Event{e}
	d.Affects = []Affected{a.affected()}
	return nil
}

func (m *RemitDeduction) decider() CustomerNo { return m.Deduction.Customer() }
func (*RemitDeduction) unknown() RefusalCode  { return DeductionUnknown }
func (m *RemitDeduction) through() Channel    { return m.Channel }

func (m *RemitDeduction) decide(c *Customer, _ *Env, d *Decision) *Refusal {
	x := c.deduction(m.Deduction)
	if x == nil {
		return &Refusal{Code: DeductionUnknown, Field: "deduction_id"}
	}
	own := d.Txn
	d.Txn = x.business()
	d.Legs = DeductionResult{
		bankAccount(DetailJudicial, 0, d), clearingAccount(ChannelIBPS, c.No, d), x.Pending, x.Fen, m.Success,
	}.Legs(own, nil)
	e := &DeductionRemitted{
		DeductionID: x.ID, HoldID: x.Hold, AccountNo: x.Account, AmountFen: x.Fen, Success: m.Success, ChannelSerial: m.ChannelSerial,
		DepositNo: x.Deposit, By: m.By,
	}
	if !m.Success {
		e.PendingID = d.Legs[len(d.Legs)-1].ID
	}
	d.Events = []Event{e}
	return nil
}

func (c *Customer) deduction(id TxnID) *Deduction {
	for i := range c.Accounts {
		for k := range c.Accounts[i].special().Deductions {
			if x := &c.Accounts[i].Special.Deductions[k]; x.ID == id {
				return x
			}
		}
	}
	return nil
}

// foldHold puts an event into the account's holds and deductions.
func (s *Special) foldHold(e Event) {
	find := func(id TxnID) int { return slices.IndexFunc(s.Holds, func(h Hold) bool { return h.ID == id }) }
	switch m := e.(type) {
	case *HoldPlaced:
		i := find(m.HoldID)
		if i < 0 {
			i = len(s.Holds)
			s.Holds = append(s.Holds, Hold{ID: m.HoldID, Kind: m.Kind, AskedFen: m.AskedFen, Until: m.Until})
		}
		h, part := &s.Holds[i], HoldPart{m.PendingID, m.AmountFen}
		if m.Together {
			part.Fen += h.HeldFen()
			h.Parts = nil
		}
		if m.AmountFen > 0 {
			h.Parts = append(h.Parts, part)
		}
	case *HoldReleased:
		s.Holds = slices.DeleteFunc(s.Holds, func(h Hold) bool { return h.ID == m.HoldID })
	case *HoldDeducted:
		h := &s.Holds[find(m.HoldID)]
		h.AskedFen -= m.AmountFen
		h.Parts = slices.Delete(h.Parts, 0, m.PartsTaken)
		if m.RestFen > 0 {
			h.Parts = slices.Insert(h.Parts, 0, HoldPart{m.RestID, m.RestFen})
		}
		s.Deductions = append(s.Deductions, Deduction{ID: m.DeductionID, Hold: m.HoldID, Account: m.AccountNo, Pending: m.PendingID, Fen: m.AmountFen})
	case *DeductionRemitted:
		if m.Success {
			s.Deductions = slices.DeleteFunc(s.Deductions, func(x Deduction) bool { return x.ID == m.DeductionID })
			return
		}
		for i := range s.Deductions {
			if s.Deductions[i].ID == m.DeductionID {
				s.Deductions[i].Pending = m.PendingID
			}
		}
	}
}
