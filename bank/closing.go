package bank

// Closing (销户) takes two steps. From the first on (PRE_CLOSE) no permit to credit the account is given, so that
// when those given before are used or back, what is on it stays what it is; the second pays that out.

// AccountClosing (预销户): closing has begun, or was withdrawn.
type AccountClosing struct {
	AccountNo AccountNo    `cbor:"1,keyasint" json:"account_no"`
	State     AccountState `cbor:"2,keyasint" json:"state"` // PRE_CLOSE, or NORMAL again
}

// AccountClosure is the event AccountClosed (销户); that name is a refusal's here.
type AccountClosure struct {
	AccountNo AccountNo `cbor:"1,keyasint" json:"account_no"`
	ClosedOn  Date      `cbor:"2,keyasint" json:"closed_on"`
	Reason    string    `cbor:"3,keyasint,omitempty" json:"reason,omitzero"`
	PayoutTxn TxnID     `cbor:"4,keyasint" json:"payout_txn"`
	PayoutFen int64     `cbor:"5,keyasint,omitempty" json:"payout_fen"`
	CardToken string    `cbor:"6,keyasint,omitempty" json:"card_token,omitzero"` // paid out to; or
	To        AccountNo `cbor:"7,keyasint,omitempty" json:"to_account,omitzero"` // this one of the customer
	Product   string    `cbor:"8,keyasint" json:"product"`
	Leg       int       `cbor:"9,keyasint,omitempty" json:"-"` // of the decision's chain that pays out, from one
}

// Measure implements Measured: what is paid out is what the ledger found. A reversal may have taken money off the
// account since the decision, as nobody else but its owner can.
func (e *AccountClosure) Measure(moved func(leg int) int64) {
	if e.Leg > 0 {
		e.PayoutFen = moved(e.Leg - 1)
	}
}

// PrepareClosing (预销户) begins to close an account.
type PrepareClosing struct {
	Account AccountNo `cbor:"1,keyasint"`
	Channel Channel   `cbor:"2,keyasint"`
}

// WithdrawClosing (撤销预销户) leaves the account open after all.
type WithdrawClosing struct {
	Account AccountNo `cbor:"1,keyasint"`
	Channel Channel   `cbor:"2,keyasint"`
}

// CloseAccount (销户) pays out an account that is about to be closed and closes it for good.
type CloseAccount struct {
	Account   AccountNo `cbor:"1,keyasint"`
	To        AccountNo `cbor:"2,keyasint,omitempty"` // the customer's own; zero: to a bound card
	CardToken string    `cbor:"3,keyasint,omitempty"` // empty: the first
	Reason    string    `cbor:"4,keyasint,omitempty"`
	Channel   Channel   `cbor:"5,keyasint"`
}

// Operation names, stable.
func (*PrepareClosing) Operation() string  { return "prepare_closing" }
func (*WithdrawClosing) Operation() string { return "withdraw_closing" }
func (*CloseAccount) Operation() string    { return "close_account" }

func (m *PrepareClosing) decider() CustomerNo { return m.Account.Customer() }
func (*PrepareClosing) unknown() RefusalCode  { return AccountUnknown }
func (m *PrepareClosing) through() Channel    { return m.Channel }

func (m *PrepareClosing) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r := ownAccount(c, m.Account, "account_no")
	if r != nil {
		return r
	}
	if r := a.permits(ActCustomerDebit, env, "account_no"); r != nil {
		return r
	}
	if r := c.unbound(a, env); r != nil {
		return r
	}
	d.Events = []Event{&AccountClosing{a.No, AccountStatePreClose}}
	d.Affects = []Affected{a.affected()}
	return nil
}

// unbound refuses to close an account that something still belongs to: contracts, holds, money on its way.
func (c *Customer) unbound(a *EAccount, env *Env) *Refusal {
	s := env.Desk.Standing(a.No)
	if c.saves(a.No) || c.owes(a.No) || len(a.special().Holds)+len(a.special().Restrictions)+len(a.special().Deductions) > 0 || !s.idle() {
		return &Refusal{Code: AccountInUse, Field: "account_no"}
	}
	return nil
}

func (m *WithdrawClosing) decider() CustomerNo { return m.Account.Customer() }
func (*WithdrawClosing) unknown() RefusalCode  { return AccountUnknown }
func (m *WithdrawClosing) through() Channel    { return m.Channel }

func (m *WithdrawClosing) decide(c *Customer, _ *Env, d *Decision) *Refusal {
	a, r := ownAccount(c, m.Account, "account_no")
	switch {
	case r != nil:
		return r
	case a.State != AccountStatePreClose:
		return &Refusal{Code: AccountNotClosing, Field: "account_no"}
	}
	d.Events = []Event{&AccountClosing{a.No, AccountNormal}}
	return nil
}

func (m *CloseAccount) decider() CustomerNo { return m.Account.Customer() }
func (*CloseAccount) unknown() RefusalCode  { return AccountUnknown }
func (m *CloseAccount) through() Channel    { return m.Channel }

func (m *CloseAccount) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r := ownAccount(c, m.Account, "account_no")
	switch {
	case r != nil:
		return r
	case a.State != AccountStatePreClose:
		return &Refusal{Code: AccountNotClosing, Field: "account_no"}
	}
	if r := c.unbound(a, env); r != nil {
		return r
	}
	s := env.Desk.Standing(a.No)
	switch {
	case s.AdmittedFen != 0:
		// A credit whose permit was given before is still on its way.
		return &Refusal{Code: AccountBusy, Field: "account_no"}
	case s.BalanceFen() < 0:
		return &Refusal{Code: AccountInUse, Field: "account_no"}
	}
	closed := &AccountClosure{AccountNo: a.No, ClosedOn: env.Date, Reason: m.Reason, PayoutTxn: d.Txn, To: m.To, Product: a.Product}
	payout, r := c.payout(a, m, closed, env, d)
	if r != nil {
		return r
	}
	payInterestAtClosing(s, env, d)
	closed.PayoutFen = s.BalanceFen()
	closed.Leg = len(d.Legs) + 1
	d.Legs = ClosingPayout{a.LedgerID(), payout}.Legs(d.Txn, d.Legs)
	d.Events = append(d.Events, closed)
	d.Affects = append(d.Affects, a.affected())
	return nil
}

// payout finds the ledger account that what is left goes to.
func (c *Customer) payout(a *EAccount, m *CloseAccount, closed *AccountClosure, env *Env, d *Decision) (U128, *Refusal) {
	if m.To == 0 {
		card, r := a.boundCard(m.CardToken, "account_no")
		if r != nil {
			return U128{}, r
		}
		closed.CardToken = card.Token
		return clearingAccount(ChannelUnionPay, c.No, d), nil
	}
	to, r := ownAccount(c, m.To, "to_account")
	switch {
	case r != nil:
		return U128{}, r
	case to == a:
		return U128{}, &Refusal{Code: SameAccount, Field: "to_account"}
	case capsCredit(to.No) || env.Catalogue.Unlimited(to.Product) != env.Catalogue.Unlimited(a.Product):
		return U128{}, &Refusal{Code: ClassNotAllowed, Field: "to_account"}
	}
	d.Affects = append(d.Affects, to.affected())
	return to.LedgerID(), to.permits(ActCustomerCredit, env, "to_account")
}
