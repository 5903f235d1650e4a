package bank

// MatureDeposit (到期处理) does on the maturity day what the customer has chosen: pays out or rolls over. A deposit
// that something holds waits, and is paid out when nothing holds it any more.
type MatureDeposit struct {
	Deposit ContractNo `cbor:"1,keyasint"`
	Date    Date       `cbor:"2,keyasint"`
}

// ChangeRollover (变更到期转存方式) changes what is done at maturity, until the day before it.
type ChangeRollover struct {
	Deposit  ContractNo `cbor:"1,keyasint"`
	Rollover Rollover   `cbor:"2,keyasint"`
	Channel  Channel    `cbor:"3,keyasint"`
}

// Operation names, stable.
func (*MatureDeposit) Operation() string  { return "mature_deposit" }
func (*ChangeRollover) Operation() string { return "change_rollover" }

// DepositRolledOver (转存): the deposit has ended and the one that follows has begun.
type DepositRolledOver struct {
	TxnID        TxnID         `cbor:"1,keyasint" json:"txn_id"`
	DepositNo    ContractNo    `cbor:"2,keyasint" json:"deposit_no"`
	AccountNo    AccountNo     `cbor:"3,keyasint" json:"account_no"`
	Product      string        `cbor:"4,keyasint" json:"product"`
	PrincipalFen int64         `cbor:"5,keyasint" json:"principal_fen"`
	InterestFen  int64         `cbor:"6,keyasint,omitempty" json:"interest_fen"`
	TaxFen       int64         `cbor:"7,keyasint,omitempty" json:"tax_fen"`
	PaidFen      int64         `cbor:"8,keyasint,omitempty" json:"paid_fen"` // to the e-account
	ValueDate    Date          `cbor:"9,keyasint" json:"value_date"`
	Next         DepositOpened `cbor:"10,keyasint" json:"new"`
	NewDepositNo ContractNo    `cbor:"11,keyasint" json:"new_deposit_no"`
	NewRateE6    int64         `cbor:"12,keyasint" json:"new_rate_e6"`
}

// RolloverChanged (变更到期转存方式).
type RolloverChanged struct {
	DepositNo ContractNo `cbor:"1,keyasint" json:"deposit_no"`
	Rollover  Rollover   `cbor:"2,keyasint" json:"rollover"`
	Previous  Rollover   `cbor:"3,keyasint" json:"previous"`
}

// EventType of each event.
func (*DepositRolledOver) EventType() EventType { return EventDepositRolledOver }
func (*RolloverChanged) EventType() EventType   { return EventRolloverChanged }

func decideRolloverChange(c *Customer, m *ChangeRollover, env *Env, d *Decision) *Refusal {
	t, r := openDeposit(c, m.Deposit)
	switch {
	case r != nil:
		return r
	case env.Date >= t.MaturityDate:
		return &Refusal{Code: DepositMature, Field: "deposit_id"}
	}
	d.Events = []Event{&RolloverChanged{t.No, m.Rollover, t.Rollover}}
	return nil
}

// openDeposit finds a deposit that has not been paid out.
func openDeposit(c *Customer, no ContractNo) (*Deposit, *Refusal) {
	t := c.deposit(no)
	switch {
	case t == nil:
		return nil, &Refusal{Code: DepositUnknown, Field: "deposit_id"}
	case t.PrincipalFen == 0:
		return nil, &Refusal{Code: DepositClosed, Field: "deposit_id"}
	}
	return t, nil
}

func decideMature(c *Customer, m *MatureDeposit, env *Env, d *Decision) *Refusal {
	t, r := openDeposit(c, m.Deposit)
	if r != nil {
		return r
	}
	a, r := ownAccount(c, t.Account, "deposit_id")
	switch {
	case r != nil:
		return r
	case m.Date < t.MaturityDate:
		return &Refusal{Code: DateNotAllowed, Field: "date"}
	case t.HeldFen() > 0:
		return &Refusal{Code: DepositHeld, Field: "deposit_id", LimitFen: t.HeldFen()}
	}
	if m.Date > t.MaturityDate || t.Rollover == RolloverNone {
		t.payOut(a, t.PrincipalFen, m.Date, "", env, d)
		return nil
	}
	if next, ok := t.following(c, m.Date, env.Catalogue); ok {
		t.rollOver(a, next, env, d)
		return nil
	}
	// The promise was of the product's terms, which are not offered any more: the money goes back, with notice.
	t.payOut(a, t.PrincipalFen, m.Date, NoticeOffSale, env, d)
	return nil
}

// NoticeOffSale tells a customer that his deposit was paid out because its product is not sold any more.
const NoticeOffSale = "PRODUCT_NOT_ON_SALE"

// following is the deposit that a rollover on the maturity day opens; false if it can't be opened.
func (t *Deposit) following(c *Customer, day Date, cat *Catalogue) (next DepositOpened, ok bool) {
	p := cat.Deposit(t.Product)
	if p == nil || !p.OnSaleOn(day) || len(c.Deposits) >= ContractSeqMax {
		return next, false
	}
	interest := t.Terms().MaturityInterestFen()
	principal := t.PrincipalFen
	if t.Rollover == RolloverPrincipalAndInterest {
		principal += interest - InterestTaxFen(interest, cat.InterestTaxOn(day))
	}
	next, ok = p.opening(c, t.Account, principal, day, cat)
	next.Rollover, next.RolledFrom = t.Rollover, t.No
	return next, ok
}

func (t *Deposit) rollOver(a *EAccount, next DepositOpened, env *Env, d *Decision) {
	e := &DepositRolledOver{
		TxnID: d.Txn, DepositNo: t.No, AccountNo: a.No, Product: t.Product, PrincipalFen: t.PrincipalFen,
		InterestFen: t.Terms().MaturityInterestFen(), ValueDate: t.MaturityDate, NewDepositNo: next.DepositNo, NewRateE6: next.RateE6,
	}
	e.TaxFen = InterestTaxFen(e.InterestFen, env.Catalogue.InterestTaxOn(t.MaturityDate))
	next.TxnID = d.Txn
	e.Next = next
	withInterest := t.Rollover == RolloverPrincipalAndInterest
	if !withInterest {
		e.PaidFen = e.InterestFen - e.TaxFen
	}
	rollover := DepositRollover{
		DepositAccounts: t.accounts(a, d), Next: contractAccount(next.Detail, next.DepositNo, d),
		PrincipalFen: t.PrincipalFen, InterestFen: e.InterestFen, AccruedFen: t.AccruedFen, TaxFen: e.TaxFen, WithInterest: withInterest,
	}
	if e.TaxFen > 0 {
		rollover.TaxPayable = bankAccount(DetailTaxWithheld, 0, d)
	}
	d.Legs = rollover.Legs(d.Txn, nil)
	d.Events = []Event{e}
	d.Affects = []Affected{a.affected()}
}

// maturing lists the deposits whose term is over by a date. What held one until the day before is let go first
// (BeginOfDay): its owner's choice is carried out on the maturity day.
func maturing(c *Customer, date Date) (list []SystemCommand) {
	for i := range c.Deposits {
		t := &c.Deposits[i]
		if t.PrincipalFen > 0 && t.MaturityDate <= date && !t.heldOn(date) {
			list = append(list, SystemCommand{Command: &MatureDeposit{t.No, date}, Step: "mature", Ref: t.No.String()})
		}
	}
	return list
}
