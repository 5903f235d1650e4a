package bank

import "slices"

// ClaimShortage (清算短款) books what the channel has paid although the transfer was voided here (K03): the
// customer has been given his money back and owes it.
type ClaimShortage struct {
	By
	Transfer      TxnID  `cbor:"1,keyasint"`
	ChannelSerial string `cbor:"2,keyasint,omitempty"`
}

// ShortageClaimed (短款追索).
type ShortageClaimed struct {
	TxnID         TxnID     `cbor:"1,keyasint" json:"original_txn_id"`
	AccountNo     AccountNo `cbor:"2,keyasint" json:"account_no"`
	AmountFen     int64     `cbor:"3,keyasint" json:"amount_fen"`
	Channel       Channel   `cbor:"4,keyasint" json:"channel"`
	ChannelSerial string    `cbor:"5,keyasint,omitempty" json:"channel_serial,omitzero"`
}

// RepayShortage takes a claimed shortage from the customer's account, whole.
type RepayShortage struct {
	By
	Transfer TxnID `cbor:"1,keyasint"`
}

// ShortageSettled (短款收回).
type ShortageSettled struct {
	TxnID     TxnID     `cbor:"1,keyasint" json:"original_txn_id"`
	AccountNo AccountNo `cbor:"2,keyasint" json:"account_no"`
	AmountFen int64     `cbor:"3,keyasint" json:"amount_fen"`
	Channel   Channel   `cbor:"4,keyasint" json:"channel"`
	By
}

// ShortageClaim is a shortage that a customer has not made good.
type ShortageClaim struct {
	Txn       TxnID     `cbor:"1,keyasint"`
	Account   AccountNo `cbor:"2,keyasint"`
	AmountFen int64     `cbor:"3,keyasint"`
	Channel   Channel   `cbor:"4,keyasint"`
}

// Operation names, stable.
func (*ClaimShortage) Operation() string { return "claim_shortage" }
func (*RepayShortage) Operation() string { return "repay_shortage" }

func (m *ClaimShortage) decider() CustomerNo  { return m.Transfer.Customer() }
func (m *ClaimShortage) unknown() RefusalCode { return TransferUnknown }
func (m *ClaimShortage) through() Channel     { return ChannelBackOffice }

func (m *ClaimShortage) decide(c *Customer, env *Env, d *Decision) *Refusal {
	failed, ok := pastEvent[*TransferOutFailed](env.Past)
	if !ok {
		return notThere(c, env.Past, m.Transfer)
	}
	if _, claimed := pastEvent[*ShortageClaimed](env.Past); claimed {
		return &Refusal{Code: AlreadyResolved, Field: "transfer_id"}
	}
	own := d.Txn
	d.Txn = m.Transfer
	d.Legs = ShortageBooked{channelAccount(DetailShortage, failed.Channel, d), clearingAccount(failed.Channel, c.No, d), failed.AmountFen}.Legs(own)
	d.Events = []Event{&ShortageClaimed{m.Transfer, failed.AccountNo, failed.AmountFen, failed.Channel, m.ChannelSerial}}
	return nil
}

func (m *RepayShortage) decider() CustomerNo  { return m.Transfer.Customer() }
func (m *RepayShortage) unknown() RefusalCode { return TransferUnknown }
func (m *RepayShortage) through() Channel     { return ChannelBackOffice }

func (m *RepayShortage) decide(c *Customer, env *Env, d *Decision) *Refusal {
	claim := c.claim(m.Transfer)
	if claim == nil {
		return &Refusal{Code: NothingOwed, Field: "transfer_id"}
	}
	a, r := c.creditable(claim.Account)
	if r != nil {
		return r
	}
	own := d.Txn
	d.Txn = m.Transfer
	d.Legs = ShortageRepaid{a.LedgerID(), channelAccount(DetailShortage, claim.Channel, d), claim.AmountFen}.Legs(own)
	d.Events = []Event{&ShortageSettled{m.Transfer, a.No, claim.AmountFen, claim.Channel, m.By}}
	d.Affects = []Affected{a.affected()}
	return nil
}

// Unsettled (未了差错) is what is left of differences with channels until somebody settles it.
type Unsettled struct {
	Claims   []ShortageClaim `cbor:"1,keyasint,omitempty"` // a customer's
	Suspense []Suspense      `cbor:"2,keyasint,omitempty"` // a house's
}

// unsettled makes room for the first of it.
func (c *Customer) unsettled() *Unsettled {
	if c.Unsettled == nil {
		c.Unsettled = new(Unsettled)
	}
	return c.Unsettled
}

// settled gives the room up again that the last has left.
func (c *Customer) settled() {
	if u := c.Unsettled; len(u.Claims)+len(u.Suspense) == 0 {
		c.Unsettled = nil
	}
}

func (c *Customer) claim(txn TxnID) *ShortageClaim {
	if c.Unsettled != nil {
		for i := range c.Unsettled.Claims {
			if c.Unsettled.Claims[i].Txn == txn {
				return &c.Unsettled.Claims[i]
			}
		}
	}
	return nil
}

func (e *ShortageClaimed) apply(c *Customer, _ Date) {
	u := c.unsettled()
	u.Claims = append(u.Claims, ShortageClaim{e.TxnID, e.AccountNo, e.AmountFen, e.Channel})
}

func (e *ShortageSettled) apply(c *Customer, _ Date) {
	u := c.unsettled()
	u.Claims = slices.DeleteFunc(u.Claims, func(k ShortageClaim) bool { return k.Txn == e.TxnID })
	c.settled()
}

func (e *ShortageSettled) unapply(b *Balance) { b.take(e.AccountNo, -e.AmountFen) }

// channelAccount is the bank's account under a subject that is kept per channel.
func channelAccount(detail uint32, channel Channel, d *Decision) U128 {
	return bankAccount(detail, uint64(channel), d)
}

func (e *ShortageClaimed) fold(v *TransferView, at string) {
	v.Status, v.ChannelSerial, v.SettledAt = TransferClaimed, e.ChannelSerial, at
}

func (e *ShortageSettled) fold(v *TransferView, at string) {
	v.Status, v.SettledAt = TransferClaimPaid, at
}

func (e *ShortageSettled) post(d *Desk, on Date) { d.postTo(e.AccountNo, on, on, -e.AmountFen) }
