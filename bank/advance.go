package bank

// CollectAdvance (客户垫款收回) takes what a customer owes after a reversal from an account, as far as its
// money goes. Later credits do the same by themselves.
type CollectAdvance struct {
	By
	Account AccountNo `cbor:"1,keyasint"`
}

// AdvanceCollected (垫款收回).
type AdvanceCollected struct {
	TxnID     TxnID     `cbor:"1,keyasint" json:"txn_id"`
	AccountNo AccountNo `cbor:"2,keyasint" json:"account_no"`
	AmountFen int64     `cbor:"3,keyasint,omitempty" json:"amount_fen"` // zero: the account had nothing
	Leg       int       `cbor:"4,keyasint" json:"-"`                    // of the decision's chain
}

// Operation name, stable.
func (*CollectAdvance) Operation() string { return "collect_advance" }

func (m *CollectAdvance) decider() CustomerNo  { return m.Account.Customer() }
func (m *CollectAdvance) unknown() RefusalCode { return AccountUnknown }
func (m *CollectAdvance) through() Channel     { return ChannelBackOffice }

func (m *CollectAdvance) decide(c *Customer, env *Env, d *Decision) *Refusal {
	a, r := c.creditable(m.Account)
	if r != nil {
		return r
	}
	if env.Credited.AdvanceFen == 0 {
		return &Refusal{Code: NothingOwed, Field: "account_no"}
	}
	d.Events = collectAdvance(&env.Credited, d)
	d.Affects = []Affected{a.affected()}
	return nil
}

// collectAdvance appends what the account's customer owes to a chain, and gives the event of it; none if he
// owes nothing.
func collectAdvance(s *Standing, d *Decision) []Event {
	if s.AdvanceFen == 0 {
		return nil
	}
	leg := len(d.Legs)
	own := d.Txn
	d.Legs = AdvanceCollection{s.LedgerID(), bankAccount(DetailAdvances, uint64(s.Account.Customer()), d), s.AdvanceFen}.Legs(own, d.Legs)
	return []Event{&AdvanceCollected{TxnID: d.Txn, AccountNo: s.Account, Leg: leg}}
}

// Measure implements Measured.
func (e *AdvanceCollected) Measure(moved func(leg int) int64) { e.AmountFen = moved(e.Leg) }

func (e *AdvanceCollected) unapply(b *Balance) { b.take(e.AccountNo, -e.AmountFen) }

func (e *AdvanceCollected) post(d *Desk, on Date) {
	if s := d.Standing(e.AccountNo); s != nil {
		s.post(on, on, -e.AmountFen)
		s.AdvanceFen -= e.AmountFen
	}
}
