package bank

// A deposit's freezes (存单司法冻结) stand in the order they came. One that finds less than it asks for takes what there
// is and lacks the rest; those behind it wait (轮候冻结). Whatever becomes free of the deposit goes to them in the same
// chain, in that order: there is no moment in which its owner, or a later creditor, could have it. So as long as a
// freeze lacks something, or one waits, nothing of the deposit is free.

// RenewDepositFreeze (续冻) lets a freeze run longer.
type RenewDepositFreeze struct {
	Deposit    ContractNo `cbor:"1,keyasint"`
	Hold       TxnID      `cbor:"2,keyasint"`
	Until      Date       `cbor:"3,keyasint"` // the last day
	DocumentNo string     `cbor:"4,keyasint,omitempty"`
	Channel    Channel    `cbor:"5,keyasint"`
	By
}

// DeductDeposit (司法扣划) takes an amount of the principal out of a freeze. What is left of the freeze stays frozen.
type DeductDeposit struct {
	Deposit    ContractNo `cbor:"1,keyasint"`
	Hold       TxnID      `cbor:"2,keyasint"`
	AmountFen  int64      `cbor:"3,keyasint"`
	DocumentNo string     `cbor:"4,keyasint"`
	Channel    Channel    `cbor:"5,keyasint"`
	By
}

// Operation names, stable.
func (*RenewDepositFreeze) Operation() string { return "renew_deposit_freeze" }
func (*DeductDeposit) Operation() string      { return "deduct_deposit" }

// DepositFreezeApplied (存单冻结生效): a freeze that waited has taken effect, or one that lacked something has been given
// more.
type DepositFreezeApplied struct {
	TxnID        TxnID      `cbor:"1,keyasint" json:"txn_id"`
	HoldID       TxnID      `cbor:"2,keyasint" json:"hold_id"`
	DepositNo    ContractNo `cbor:"3,keyasint" json:"deposit_no"`
	AmountFen    int64      `cbor:"4,keyasint,omitempty" json:"amount_fen"`    // taken now
	HeldFen      int64      `cbor:"5,keyasint,omitempty" json:"held_fen"`      // in it now
	ShortfallFen int64      `cbor:"6,keyasint,omitempty" json:"shortfall_fen"` // lacking still
	PendingID    U128       `cbor:"7,keyasint,omitempty" json:"pending_id,omitzero"`
}

// DepositFreezeRenewed (存单续冻).
type DepositFreezeRenewed struct {
	HoldID     TxnID      `cbor:"1,keyasint" json:"hold_id"`
	DepositNo  ContractNo `cbor:"2,keyasint" json:"deposit_no"`
	Until      Date       `cbor:"3,keyasint" json:"until"`
	Previous   Date       `cbor:"4,keyasint" json:"previous_until"`
	DocumentNo string     `cbor:"5,keyasint,omitempty" json:"document_no,omitzero"`
	By
}

// DepositDeducted (存单扣划): a part of the principal, PrincipalFen, was taken for whoever ordered the freeze and waits
// to be remitted. Its interest is the owner's and was paid into his e-account.
type DepositDeducted struct {
	DepositPaid
	HoldID      TxnID  `cbor:"20,keyasint" json:"hold_id"`
	DeductionID TxnID  `cbor:"21,keyasint" json:"deduction_id"`
	DocumentNo  string `cbor:"22,keyasint" json:"document_no"`
	HeldFen     int64  `cbor:"23,keyasint,omitempty" json:"held_fen"` // in the freeze afterwards
	PendingID   U128   `cbor:"24,keyasint" json:"pending_id"`         // the remittance
	RestID      U128   `cbor:"25,keyasint,omitempty" json:"-"`        // holds the rest of the freeze
	By
}

// interestPaidFen is what the e-account has received.
func (m *DepositDeducted) interestPaidFen() int64 { return m.payoutFen() - m.PrincipalFen }

// EventType of each event.
func (*DepositDeducted) EventType() EventType      { return EventDepositDeducted }
func (*DepositFreezeApplied) EventType() EventType { return EventDepositFreezeApplied }
func (*DepositFreezeRenewed) EventType() EventType { return EventDepositFreezeRenewed }

// shortFen is what a freeze lacks. Freezes from before there was a queue lack nothing.
func (h *DepositHold) shortFen() int64 { return max(0, h.AskedFen-h.AmountFen) }

// lapsed reports whether its time is over, though the beginning of the day may not have ended it yet.
func (h *DepositHold) lapsed(on Date) bool { return h.Until != 0 && on > h.Until }

// business is what the hold's pending transfer stands under: only there it is found again to be posted.
func (h *DepositHold) business() TxnID {
	if h.Under.IsZero() {
		return h.ID
	}
	return h.Under
}

func (t *Deposit) freeze(m *HoldDeposit, env *Env, d *Decision) *Refusal {
	last := env.Date.AddMonths(FreezeMonthsMax, 0)
	switch {
	case m.Authority == "":
		return &Refusal{Code: FieldInvalid, Field: "authority"}
	case m.DocumentNo == "":
		return &Refusal{Code: FieldInvalid, Field: "document_no"}
	case m.AmountFen <= 0 || m.AmountFen > AmountMaxFen:
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	case m.Until > last:
		return &Refusal{Code: DateNotAllowed, Field: "until"}
	}
	e := &DepositFrozen{
		DepositHeldAmount: DepositHeldAmount{HoldID: d.Txn, DepositNo: t.No, Until: m.Until.or(last), By: m.By},
		AskedFen:          m.AmountFen, Authority: m.Authority, DocumentNo: m.DocumentNo,
	}
	if t.fullyFrozen(env.Date) {
		e.QueuePosition = 1
		for i := range t.Holds {
			e.QueuePosition = max(e.QueuePosition, t.Holds[i].Queue+1)
		}
	} else if e.AmountFen = min(m.AmountFen, t.PrincipalFen-t.HeldFen()); e.AmountFen > 0 {
		e.PendingID = t.holdAmount(e.AmountFen, d.Txn, d)
	}
	e.ShortfallFen = e.AskedFen - e.AmountFen
	d.Events = []Event{e}
	return nil
}

// fullyFrozen reports whether a freeze takes all that is or becomes free: a further one has to wait.
func (t *Deposit) fullyFrozen(on Date) bool {
	for i := range t.Holds {
		if h := &t.Holds[i]; h.Kind == DepositFreeze && !h.lapsed(on) && (h.Queue > 0 || h.shortFen() > 0) {
			return true
		}
	}
	return false
}

// refreeze gives what the end of a hold makes free to the freezes that lack something, in their order, and lets
// those take effect that waited for it (最高法查封扣押冻结规定 art. 26).
func (t *Deposit) refreeze(ended *DepositHold, on Date, d *Decision) {
	free := t.PrincipalFen - t.HeldFen() + ended.AmountFen
	for i := range t.Holds {
		h := &t.Holds[i]
		if h.Kind != DepositFreeze || h.ID == ended.ID || h.lapsed(on) {
			continue
		}
		take := min(h.shortFen(), free)
		if take > 0 || h.Queue > 0 {
			t.give(h, take, d)
			free -= take
		}
		if h.shortFen() > take {
			return // what becomes free later is this one's first
		}
	}
}

// give puts an amount into a freeze, which is in effect from then on.
func (t *Deposit) give(h *DepositHold, amountFen int64, d *Decision) {
	e := &DepositFreezeApplied{
		TxnID: d.Txn, HoldID: h.ID, DepositNo: t.No, AmountFen: amountFen, HeldFen: h.AmountFen + amountFen, ShortfallFen: h.shortFen() - amountFen,
	}
	if amountFen > 0 {
		if h.AmountFen > 0 { // one pending transfer holds all of it
			d.Legs = DepositRelease{h.Pending}.Legs(d.Txn, d.Legs)
		}
		e.PendingID = t.holdAmount(e.HeldFen, d.Txn, d)
	}
	d.Events = append(d.Events, e)
}

func (m *RenewDepositFreeze) decider() CustomerNo { return m.Deposit.Customer() }
func (*RenewDepositFreeze) unknown() RefusalCode  { return DepositUnknown }
func (m *RenewDepositFreeze) through() Channel    { return m.Channel }

func (m *RenewDepositFreeze) decide(c *Customer, env *Env, d *Decision) *Refusal {
	t, h, r := c.frozen(m.Deposit, m.Hold)
	switch {
	case r != nil:
		return r
	case h.lapsed(env.Date), m.Until < env.Date, m.Until > env.Date.AddMonths(FreezeMonthsMax, 0):
		return &Refusal{Code: DateNotAllowed, Field: "until"}
	}
	d.Events = []Event{&DepositFreezeRenewed{h.ID, t.No, m.Until, h.Until, m.DocumentNo, m.By}}
	return nil
}

// frozen finds a freeze of one of the customer's deposits.
func (c *Customer) frozen(no ContractNo, id TxnID) (*Deposit, *DepositHold, *Refusal) {
	t, h, r := c.depositHold(no, id)
	if r == nil && h.Kind != DepositFreeze {
		r = &Refusal{Code: DepositHoldUnknown, Field: "hold_id"}
	}
	return t, h, r
}

func (m *DeductDeposit) decider() CustomerNo { return m.Deposit.Customer() }
func (*DeductDeposit) unknown() RefusalCode  { return DepositUnknown }
func (m *DeductDeposit) through() Channel    { return m.Channel }

// decide breaks the deposit for the part that is taken: it earns what an early redemption earns, or from maturity on
// what a late one does. The product's minimum and number of part redemptions bind its owner, not a court.
func (m *DeductDeposit) decide(c *Customer, env *Env, d *Decision) *Refusal {
	t, h, r := c.frozen(m.Deposit, m.Hold)
	switch {
	case r != nil:
		return r
	case m.DocumentNo == "":
		return &Refusal{Code: FieldInvalid, Field: "document_no"}
	case m.AmountFen <= 0 || m.AmountFen > AmountMaxFen:
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	case m.AmountFen > h.AmountFen:
		return &Refusal{Code: OverHold, Field: "amount_fen", LimitFen: h.AmountFen}
	}
	a, r := ownAccount(c, t.Account, "deposit_id")
	if r != nil {
		return r
	}
	own := d.Txn
	d.Txn = h.business()
	paid, red := t.reckon(a, m.AmountFen, env.Date, env, d)
	legs := DepositDeduction{
		DepositAccounts: t.accounts(a, d), Early: red.Kind == RedeemedEarly, AmountFen: m.AmountFen,
		Held: bankAccount(DetailJudicial, 0, d), Clearing: clearingAccount(ChannelIBPS, c.No, d), Pending: h.Pending, HeldFen: h.AmountFen,
		InterestFen: paid.InterestFen, AccruedFen: paid.InterestFen + paid.AccrualReleasedFen, TaxFen: paid.TaxFen,
		OverdueInterestFen: paid.OverdueInterestFen, OverdueAccruedFen: paid.OverdueInterestFen + paid.OverdueReleasedFen,
	}
	if red.Kind == RedeemedAfterMaturity {
		legs.DemandPayable = bankAccount(DetailDemandPayable, uint64(c.No.Shard()), d)
		legs.DemandExpense = bankAccount(DetailDemandExpense, 0, d)
	}
	if paid.TaxFen > 0 {
		legs.TaxPayable = bankAccount(DetailTaxWithheld, 0, d)
	}
	d.Legs = legs.Legs(own, nil)
	e := &DepositDeducted{
		DepositPaid: paid, HoldID: h.ID, DeductionID: own, DocumentNo: m.DocumentNo, HeldFen: h.AmountFen - m.AmountFen, By: m.By,
	}
	last := len(d.Legs) - 1
	e.PendingID = d.Legs[last].ID
	if e.HeldFen > 0 {
		e.RestID = d.Legs[last-1].ID
	}
	d.Events = []Event{e}
	if e.RemainingFen == 0 {
		for i := range t.Holds {
			rest := t.Holds[i]
			rest.AmountFen = 0 // the deposit was this freeze's alone
			t.letGo(&rest, Exhausted, "", By{}, d)
		}
	}
	d.Affects = []Affected{a.affected()}
	return nil
}

func (e *DepositFreezeApplied) apply(c *Customer, _ Date) {
	t, h, r := c.depositHold(e.DepositNo, e.HoldID)
	if r != nil {
		return
	}
	was := h.Queue
	h.Queue, h.AmountFen = 0, e.HeldFen
	if e.AmountFen > 0 {
		h.Pending, h.Under = e.PendingID, e.TxnID
	}
	t.moveUp(was)
}

func (e *DepositFreezeRenewed) apply(c *Customer, _ Date) {
	if _, h, r := c.depositHold(e.DepositNo, e.HoldID); r == nil {
		h.Until = e.Until
		if e.DocumentNo != "" {
			h.DocumentNo = e.DocumentNo
		}
	}
}

func (e *DepositDeducted) apply(c *Customer, _ Date) {
	c.paidBack(&e.DepositPaid)
	if _, h, r := c.depositHold(e.DepositNo, e.HoldID); r == nil {
		h.AmountFen, h.AskedFen, h.Pending = e.HeldFen, max(0, h.AskedFen-e.PrincipalFen), e.RestID
	}
	c.change(e.AccountNo, func(a *EAccount) {
		a.become(func(s *Special) {
			s.Deductions = append(s.Deductions, Deduction{
				ID: e.DeductionID, Hold: e.HoldID, Account: e.AccountNo, Pending: e.PendingID, Fen: e.PrincipalFen, Deposit: e.DepositNo, Under: e.TxnID,
			})
		})
	})
}

func (e *DepositDeducted) post(d *Desk, on Date) { d.postTo(e.AccountNo, on, on, e.interestPaidFen()) }

// moveUp closes the gap that a waiting freeze left in the queue; zero: it did not wait.
func (t *Deposit) moveUp(behind int) {
	for i := range t.Holds {
		if behind > 0 && t.Holds[i].Queue > behind {
			t.Holds[i].Queue--
		}
	}
}
