package bank

// A payment that looks suspicious is delayed (风险暂缓, E15): its money and fee are held apart, and it goes out only when
// a person says so. It uses its share of the limits meanwhile. When it is let go every rule is asked anew, with that
// share given back: the account may have been frozen since, or the payee closed. Nobody's silence lets money go: one
// that nobody has decided when its time is over ends with the beginning of the next day, unpaid.

// DelayMillisMax is how long a payment waits for a decision (SPEC 7.4: 24 hours).
const DelayMillisMax int64 = 24 * 60 * 60 * 1000

// DelayPayment (风险暂缓) asks for a payment that is to be delayed; one of the two is set.
type DelayPayment struct {
	Out      *TransferOut      `cbor:"1,keyasint,omitempty"`
	Internal *TransferInternal `cbor:"2,keyasint,omitempty"`
	Reason   string            `cbor:"3,keyasint"` // why, such as the rule that was hit
}

// ReleasePayment (放行) lets a delayed payment go out.
type ReleasePayment struct {
	Transfer TxnID   `cbor:"1,keyasint"`
	Reason   string  `cbor:"2,keyasint,omitempty"`
	Channel  Channel `cbor:"3,keyasint"`
	By
}

// EndDelay ends a delayed payment that is not made: refused by the bank, withdrawn by its customer, or lapsed, which
// is a command of the beginning of the day.
type EndDelay struct {
	Transfer TxnID       `cbor:"1,keyasint"`
	Result   DelayResult `cbor:"2,keyasint"`
	Reason   string      `cbor:"3,keyasint,omitempty"`
	Channel  Channel     `cbor:"4,keyasint"`
	By
}

// DelayResult is what became of a delayed payment.
type DelayResult string

// The results.
const (
	DelayReleased  DelayResult = "RELEASED"
	DelayRefused   DelayResult = "REFUSED"
	DelayWithdrawn DelayResult = "WITHDRAWN"
	DelayLapsed    DelayResult = "LAPSED"
)

// Operation names, stable.
func (*DelayPayment) Operation() string   { return "delay_payment" }
func (*ReleasePayment) Operation() string { return "release_payment" }
func (*EndDelay) Operation() string       { return "end_delay" }

// PaymentDelayed (风险暂缓): money and fee of a payment are held until it is decided. HoldPlaced goes with it.
type PaymentDelayed struct {
	TxnID        TxnID     `cbor:"1,keyasint" json:"txn_id"`
	AccountNo    AccountNo `cbor:"2,keyasint" json:"account_no"`
	AmountFen    int64     `cbor:"3,keyasint" json:"amount_fen"`
	FeeFen       int64     `cbor:"4,keyasint,omitempty" json:"fee_fen"`
	Payee        AccountNo `cbor:"5,keyasint,omitempty" json:"payee_account,omitzero"` // of this bank; or
	PayeeToken   string    `cbor:"6,keyasint,omitempty" json:"payee_token,omitzero"`   // of another
	PayeeMasked  string    `cbor:"7,keyasint,omitempty" json:"payee_masked,omitzero"`
	PayeeBank    string    `cbor:"8,keyasint,omitempty" json:"payee_bank,omitzero"`
	Bound        bool      `cbor:"9,keyasint,omitempty" json:"bound"`
	DayTotalFen  int64     `cbor:"10,keyasint,omitempty" json:"day_total_fen"`
	YearTotalFen int64     `cbor:"11,keyasint,omitempty" json:"year_total_fen"`
	Reason       string    `cbor:"12,keyasint" json:"reason"`
	// UntilMillis is when its time is over, milliseconds since 1970.
	UntilMillis int64        `cbor:"13,keyasint" json:"until_ms"`
	PendingID   U128         `cbor:"14,keyasint" json:"pending_id"`
	Order       DelayPayment `cbor:"15,keyasint" json:"-"` // what was asked, to be carried out
}

// PaymentDelayEnded (风险暂缓处置).
type PaymentDelayEnded struct {
	TxnID     TxnID       `cbor:"1,keyasint" json:"txn_id"`
	AccountNo AccountNo   `cbor:"2,keyasint" json:"account_no"`
	AmountFen int64       `cbor:"3,keyasint" json:"amount_fen"`
	Result    DelayResult `cbor:"4,keyasint" json:"result"`
	Reason    string      `cbor:"5,keyasint,omitempty" json:"reason,omitzero"`
	By
}

// EventType of each event.
func (*PaymentDelayed) EventType() EventType    { return EventPaymentDelayed }
func (*PaymentDelayEnded) EventType() EventType { return EventPaymentDelayEnded }

// Delayed is a payment that waits for a decision. Its money is in the hold of the same id.
type Delayed struct {
	ID          TxnID        `cbor:"1,keyasint" json:"transfer_id"`
	Order       DelayPayment `cbor:"2,keyasint" json:"-"`
	AmountFen   int64        `cbor:"3,keyasint" json:"amount_fen"`
	Counted     Counter      `cbor:"4,keyasint,omitzero" json:"-"` // its share of the out counter
	UntilMillis int64        `cbor:"5,keyasint" json:"until_ms"`
	Reason      string       `cbor:"6,keyasint" json:"reason"`
}

// payer is the account the money is to leave.
func (m *DelayPayment) payer() AccountNo {
	if m.Internal != nil {
		return m.Internal.Payer
	}
	return m.Out.Account
}

func (m *DelayPayment) decider() CustomerNo { return m.payer().Customer() }
func (*DelayPayment) unknown() RefusalCode  { return AccountUnknown }
func (m *DelayPayment) through() Channel {
	if m.Internal != nil {
		return m.Internal.Channel
	}
	return m.Out.Channel
}

// pay decides the payment itself.
func (m *DelayPayment) pay(c *Customer, env *Env, d *Decision) *Refusal {
	if m.Internal != nil {
		return decideInternal(c, m.Internal, env, d)
	}
	return decideOut(c, m.Out, env, d)
}

func (m *DelayPayment) decide(c *Customer, env *Env, d *Decision) *Refusal {
	if m.Out != nil && m.Out.Date != 0 || m.Internal != nil && m.Internal.Date != 0 {
		return &Refusal{Code: DateNotAllowed, Field: "accounting_date"}
	}
	payment := Decision{Txn: d.Txn}
	if r := m.pay(c, env, &payment); r != nil {
		return r
	}
	a := c.account(m.payer())
	if len(a.special().Holds) >= RestrictionsMax {
		return &Refusal{Code: RestrictionsFull, Field: "from_account"}
	}
	e := &PaymentDelayed{TxnID: d.Txn, AccountNo: a.No, Reason: m.Reason, UntilMillis: env.Millis + DelayMillisMax, Order: *m}
	switch p := payment.Events[0].(type) {
	case *InternalTransferred:
		e.AmountFen, e.FeeFen, e.Payee, e.DayTotalFen, e.YearTotalFen = p.AmountFen, p.FeeFen, p.Payee, p.DayTotalFen, p.YearTotalFen
	case *TransferOutRequested:
		e.AmountFen, e.FeeFen, e.Bound, e.DayTotalFen, e.YearTotalFen = p.AmountFen, p.FeeFen, p.Bound, p.DayTotalFen, p.YearTotalFen
		e.PayeeToken, e.PayeeMasked, e.PayeeBank = p.PayeeToken, p.PayeeMasked, p.PayeeBank
	}
	heldFen := e.AmountFen + e.FeeFen
	d.Legs = RiskDelay{a.LedgerID(), bankAccount(DetailRiskHeld, 0, d), heldFen}.Legs(d.Txn, nil)
	e.PendingID = d.Legs[0].ID
	d.Events = []Event{
		&HoldPlaced{HoldID: d.Txn, AccountNo: a.No, Kind: RiskHold, AskedFen: heldFen, AmountFen: heldFen, PendingID: e.PendingID}, e,
	}
	d.Affects = []Affected{a.affected()}
	return nil
}

// waiting finds a payment of the account that is delayed; nil: there is none.
func (a *EAccount) waiting(id TxnID) *Delayed {
	if a.Special != nil {
		for i := range a.Special.Delayed {
			if a.Special.Delayed[i].ID == id {
				return &a.Special.Delayed[i]
			}
		}
	}
	return nil
}

// delayed finds a payment that waits, or says why there is none.
func (c *Customer) delayed(id TxnID) (*EAccount, *Delayed, *Refusal) {
	for i := range c.Accounts {
		if x := c.Accounts[i].waiting(id); x != nil {
			return &c.Accounts[i], x, nil
		}
	}
	if id.Seq() > c.Seq {
		return nil, nil, &Refusal{Code: TransferUnknown, Field: "transfer_id"}
	}
	return nil, nil, &Refusal{Code: PaymentNotDelayed, Field: "transfer_id"}
}

// outWithout is the account's out counter without the share of a payment that is delayed; with it if none is.
func (a *EAccount) outWithout(id TxnID) Counter {
	out := a.Out
	if x := a.waiting(id); x != nil && x.Counted.Day != 0 {
		out.Add(x.Counted.Day, -x.Counted.DayFen)
	}
	return out
}

func (m *ReleasePayment) decider() CustomerNo { return m.Transfer.Customer() }
func (*ReleasePayment) unknown() RefusalCode  { return TransferUnknown }
func (m *ReleasePayment) through() Channel    { return m.Channel }

func (m *ReleasePayment) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, x, r := c.delayed(m.Transfer)
	if r != nil {
		return r
	}
	if x.Order.Internal != nil && env.Credited.Account != x.Order.Internal.Payee {
		// The journal has let go of the request, so that nobody has asked the payee.
		return &Refusal{Code: PaymentNotDelayed, Field: "transfer_id"}
	}
	// As if it were asked for now, but for what it uses of the limits already.
	now := *c
	now.Accounts = append([]EAccount(nil), c.Accounts...)
	now.account(a.No).Out = a.outWithout(x.ID)
	payment := Decision{Txn: d.Txn, Opens: d.Opens}
	if r := x.Order.pay(&now, env, &payment); r != nil {
		return r
	}
	own := d.Txn
	*d = payment
	d.Txn = x.ID // the customer knows it by this
	d.under(x.ID)
	a.endDelay(x, DelayReleased, m.Reason, m.By, own, d)
	return nil
}

// under puts the events of a payment under the business it was asked in.
func (d *Decision) under(id TxnID) {
	for _, events := range [][]Event{d.Events, d.PayeeEvents} {
		for _, e := range events {
			switch m := e.(type) {
			case *InternalTransferred:
				m.TxnID = id
			case *TransferOutRequested:
				m.TxnID = id
			case *FeeCharged:
				m.TxnID = id
			case *AdvanceCollected:
				m.TxnID = id
				m.Leg++ // behind the release of the hold
			}
		}
	}
}

func (m *EndDelay) decider() CustomerNo { return m.Transfer.Customer() }
func (*EndDelay) unknown() RefusalCode  { return TransferUnknown }
func (m *EndDelay) through() Channel    { return m.Channel }

func (m *EndDelay) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, x, r := c.delayed(m.Transfer)
	switch {
	case r != nil:
		return r
	case m.Result == DelayLapsed && env.Millis < x.UntilMillis:
		return &Refusal{Code: NotDue, Field: "transfer_id"}
	}
	own := d.Txn
	d.Txn = x.ID
	a.endDelay(x, m.Result, m.Reason, m.By, own, d)
	if x.Counted.Day != 0 {
		d.Events = append(d.Events, a.givenBack(x.ID, x.Counted.DayFen, x.Counted.Day, env.Desk))
	}
	d.Affects = []Affected{a.affected()}
	return nil
}

// endDelay lets the money of a delayed payment go, before whatever else the chain does with it.
func (a *EAccount) endDelay(x *Delayed, result DelayResult, reason string, by By, own TxnID, d *Decision) {
	h := a.held(x.ID)
	// The legs behind keep their ids, so its own is that of the place after them.
	release := RiskRelease{h.Parts[0].Pending}.Legs(own, d.Legs)
	last := len(release) - 1
	d.Legs = append([]Leg{release[last]}, release[:last]...)
	why := Lifted
	if result == DelayLapsed {
		why = Lapsed
	}
	d.Events = append([]Event{
		&HoldReleased{HoldID: h.ID, AccountNo: a.No, Kind: h.Kind, AmountFen: h.HeldFen(), Reason: why, By: by},
		&PaymentDelayEnded{TxnID: x.ID, AccountNo: a.No, AmountFen: x.AmountFen, Result: result, Reason: reason, By: by},
	}, d.Events...)
}

func (e *PaymentDelayed) apply(c *Customer, on Date) {
	c.change(e.AccountNo, func(a *EAccount) {
		x := Delayed{ID: e.TxnID, Order: e.Order, AmountFen: e.AmountFen, UntilMillis: e.UntilMillis, Reason: e.Reason}
		if !e.Bound {
			x.Counted = Counter{Day: on, DayFen: e.AmountFen}
			a.Out.Add(on, e.AmountFen)
		}
		a.become(func(s *Special) { s.Delayed = append(s.Delayed, x) })
	})
}

func (e *PaymentDelayEnded) apply(c *Customer, _ Date) {
	c.change(e.AccountNo, func(a *EAccount) {
		a.Out = a.outWithout(e.TxnID)
		a.become(func(s *Special) {
			for i := range s.Delayed {
				if s.Delayed[i].ID == e.TxnID {
					s.Delayed = append(s.Delayed[:i:i], s.Delayed[i+1:]...)
					return
				}
			}
		})
	})
}

// post: asking for a payment is a movement of the customer's, whatever becomes of it.
func (e *PaymentDelayed) post(d *Desk, on Date) { d.moved(e.AccountNo, on) }

func (e *PaymentDelayed) fold(v *TransferView, at string) {
	v.TransferID, v.Kind, v.Status, v.AmountFen, v.FeeFen, v.RequestedAt = e.TxnID, "out", TransferDelayed, e.AmountFen, e.FeeFen, at
	v.FromAccount, v.ToAccount, v.Bound = e.AccountNo.String(), e.PayeeMasked, e.Bound
	if e.Payee != 0 {
		v.Kind, v.ToAccount = "internal", e.Payee.String()
	}
	switch {
	case e.Order.Internal != nil:
		v.Summary = e.Order.Internal.Summary
	case e.Order.Out != nil:
		v.Summary = e.Order.Out.Summary
	}
}

// fold: of one that is let go the payment itself tells, behind this.
func (e *PaymentDelayEnded) fold(v *TransferView, at string) {
	v.Status, v.SettledAt = TransferFailed, at
	if e.Result == DelayReleased {
		v.SettledAt = ""
		return
	}
	v.Reason = string(e.Result)
	if e.Result != DelayRefused && e.Reason != "" { // why the bank refuses is not for everyone to read
		v.Reason = e.Reason
	}
}

// delayOf tells the credit that letting a delayed payment go asks a permit for.
func delayOf(past *Past) (Credit, bool) {
	e, ok := pastEvent[*PaymentDelayed](past)
	if !ok || e.Payee == 0 {
		return Credit{}, false
	}
	return Credit{Account: e.Payee, AmountFen: e.AmountFen}, true
}
