package bank

import "slices"

// Suspense (挂账) is money of a channel that belongs to nobody yet, or that nobody has made good. The house of a
// shard keeps it, from the command that books it to the one that ends it.
type Suspense struct {
	Txn       TxnID        `cbor:"1,keyasint" json:"suspense_id"`
	Kind      SuspenseKind `cbor:"2,keyasint" json:"kind"`
	Channel   Channel      `cbor:"3,keyasint" json:"channel"`
	AmountFen int64        `cbor:"4,keyasint" json:"amount_fen"`
	Serial    string       `cbor:"5,keyasint,omitempty" json:"channel_serial"`
	On        Date         `cbor:"6,keyasint" json:"date"`
}

// SuspenseKind says what kind of suspense it is.
type SuspenseKind string

// The kinds of suspense.
const (
	Held     SuspenseKind = "HELD"     // 挂账待处理, 22410201: a receipt no account could take
	Surplus  SuspenseKind = "SURPLUS"  // 清算长款, 22410101: the channel has paid us, and we don't know for whom
	Shortage SuspenseKind = "SHORTAGE" // 清算短款, 12210101: the channel has paid out what we have not
)

func (k SuspenseKind) detail() uint32 {
	switch k {
	case Surplus:
		return DetailSurplus
	case Shortage:
		return DetailShortage
	}
	return DetailHeld
}

// BookSuspense puts a channel's money into suspense: E04 for a receipt, K05 for a surplus, K03 for a shortage
// that is no customer's.
type BookSuspense struct {
	By
	House         CustomerNo   `cbor:"1,keyasint"`
	Kind          SuspenseKind `cbor:"2,keyasint"`
	Channel       Channel      `cbor:"3,keyasint"`
	AmountFen     int64        `cbor:"4,keyasint"`
	ChannelSerial string       `cbor:"5,keyasint"`
	Account       string       `cbor:"6,keyasint,omitempty"` // masked, as the channel named it
	PayerBank     string       `cbor:"7,keyasint,omitempty"`
	Reason        string       `cbor:"8,keyasint"` // why no account takes it: a refusal's code, or the difference
}

// SuspenseBooked (挂账).
type SuspenseBooked struct {
	TxnID         TxnID        `cbor:"1,keyasint" json:"txn_id"`
	Kind          SuspenseKind `cbor:"2,keyasint" json:"kind"`
	Channel       Channel      `cbor:"3,keyasint" json:"channel"`
	AmountFen     int64        `cbor:"4,keyasint" json:"amount_fen"`
	ChannelSerial string       `cbor:"5,keyasint,omitempty" json:"channel_serial"`
	Account       string       `cbor:"6,keyasint,omitempty" json:"account_masked,omitzero"`
	PayerBank     string       `cbor:"7,keyasint,omitempty" json:"payer_bank,omitzero"`
	Reason        string       `cbor:"8,keyasint,omitempty" json:"reason"`
	By
}

// EndSuspense ends a suspense, whole: to an account (E05), back to the channel (E05), or, when it has aged, to
// the bank's income or expense (K06).
type EndSuspense struct {
	By
	Txn     TxnID       `cbor:"1,keyasint"`
	Way     SuspenseEnd `cbor:"2,keyasint"`
	Account AccountNo   `cbor:"3,keyasint,omitempty"` // with ToAccount
	// AmountFen must be what is in suspense: who gives the command has looked at it.
	AmountFen int64 `cbor:"4,keyasint"`
}

// SuspenseEnd is a way in which a suspense ends.
type SuspenseEnd string

// The ends of a suspense.
const (
	ToAccount SuspenseEnd = "ACCOUNT"   // 入账
	ToChannel SuspenseEnd = "CHANNEL"   // 退回
	WriteOff  SuspenseEnd = "WRITE_OFF" // 转营业外收支
)

// SuspenseEnded (挂账处置).
type SuspenseEnded struct {
	TxnID     TxnID        `cbor:"1,keyasint" json:"original_txn_id"`
	Kind      SuspenseKind `cbor:"2,keyasint" json:"kind"`
	Way       SuspenseEnd  `cbor:"3,keyasint" json:"way"`
	Channel   Channel      `cbor:"4,keyasint" json:"channel"`
	AmountFen int64        `cbor:"5,keyasint" json:"amount_fen"`
	AccountNo AccountNo    `cbor:"6,keyasint,omitempty" json:"account_no,omitzero"`
	By
}

// Operation names, stable.
func (*BookSuspense) Operation() string { return "book_suspense" }
func (*EndSuspense) Operation() string  { return "end_suspense" }

func (m *BookSuspense) decider() CustomerNo  { return m.House }
func (m *BookSuspense) unknown() RefusalCode { return FieldInvalid }
func (m *BookSuspense) through() Channel     { return m.Channel }
func (m *BookSuspense) ofHouse()             {}

func (m *BookSuspense) decide(c *Customer, env *Env, d *Decision) *Refusal {
	if m.AmountFen <= 0 || m.AmountFen > AmountMaxFen {
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	}
	if c.Unsettled != nil && len(c.Unsettled.Suspense) >= SuspenseMax {
		return &Refusal{Code: ContractsMax}
	}
	clearing, account := clearingAccount(m.Channel, c.No, d), channelAccount(m.Kind.detail(), m.Channel, d)
	switch m.Kind {
	case Held:
		d.Legs = HeldReceipt{clearing, account, m.AmountFen}.Legs(d.Txn)
	case Surplus:
		d.Legs = LateReceipt{clearing, account, m.AmountFen}.Legs(d.Txn)
	case Shortage:
		d.Legs = ShortageBooked{account, clearing, m.AmountFen}.Legs(d.Txn)
	default:
		return &Refusal{Code: FieldInvalid, Field: "kind"}
	}
	d.Events = []Event{&SuspenseBooked{
		TxnID: d.Txn, Kind: m.Kind, Channel: m.Channel, AmountFen: m.AmountFen, ChannelSerial: m.ChannelSerial,
		Account: m.Account, PayerBank: m.PayerBank, Reason: m.Reason, By: m.By,
	}}
	return nil
}

// SuspenseMax is how many open suspenses a house keeps.
const SuspenseMax = 100_000

func (m *EndSuspense) decider() CustomerNo  { return m.Txn.Customer() }
func (m *EndSuspense) unknown() RefusalCode { return SuspenseUnknown }
func (m *EndSuspense) through() Channel     { return ChannelBackOffice }
func (m *EndSuspense) ofHouse()             {}

func (m *EndSuspense) decide(c *Customer, env *Env, d *Decision) *Refusal {
	s := c.suspense(m.Txn)
	if s == nil {
		return &Refusal{Code: SuspenseUnknown, Field: "suspense_id"}
	}
	if m.AmountFen != s.AmountFen {
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: s.AmountFen}
	}
	own := d.Txn
	d.Txn = m.Txn
	account := channelAccount(s.Kind.detail(), s.Channel, d)
	ended := &SuspenseEnded{TxnID: m.Txn, Kind: s.Kind, Way: m.Way, Channel: s.Channel, AmountFen: s.AmountFen, By: m.By}
	switch {
	case m.Way == ToAccount && s.Kind != Shortage:
		d.Legs = HeldRelease{account, env.Credited.LedgerID(), s.AmountFen}.Legs(own)
		capped(d, own, m.Account, env.Credited.LedgerID())
		ended.AccountNo = m.Account
		d.Payee, d.PayeeEvents = m.Account.Customer(), []Event{&InboundCredited{
			TxnID: m.Txn, AccountNo: m.Account, AmountFen: s.AmountFen, Channel: s.Channel, ChannelSerial: s.Serial, ValueDate: s.On,
		}}
	case m.Way == ToChannel && s.Kind != Shortage:
		d.Legs = HeldRelease{account, clearingAccount(s.Channel, c.No, d), s.AmountFen}.Legs(own)
	case m.Way == WriteOff && s.Kind == Surplus:
		d.Legs = DifferenceCleared{account, bankAccount(DetailSurplusIncome, 0, d), s.AmountFen}.Legs(own)
	case m.Way == WriteOff && s.Kind == Shortage:
		d.Legs = DifferenceCleared{bankAccount(DetailShortageExpense, 0, d), account, s.AmountFen}.Legs(own)
	default:
		return &Refusal{Code: FieldInvalid, Field: "way"}
	}
	d.Events = []Event{ended}
	return nil
}

func (c *Customer) suspense(txn TxnID) *Suspense {
	if c.Unsettled != nil {
		for i := range c.Unsettled.Suspense {
			if c.Unsettled.Suspense[i].Txn == txn {
				return &c.Unsettled.Suspense[i]
			}
		}
	}
	return nil
}

func (e *SuspenseBooked) apply(c *Customer, on Date) {
	u := c.unsettled()
	u.Suspense = append(u.Suspense, Suspense{e.TxnID, e.Kind, e.Channel, e.AmountFen, e.ChannelSerial, on})
}

func (e *SuspenseEnded) apply(c *Customer, _ Date) {
	u := c.unsettled()
	u.Suspense = slices.DeleteFunc(u.Suspense, func(s Suspense) bool { return s.Txn == e.TxnID })
	c.settled()
}

func (e *SuspenseBooked) fold(v *TransferView, at string) {
	v.TransferID, v.Kind, v.Status, v.AmountFen, v.ToAccount, v.ChannelSerial, v.Reason, v.RequestedAt =
		e.TxnID, "suspense", string(e.Kind), e.AmountFen, e.Account, e.ChannelSerial, e.Reason, at
}

func (e *SuspenseEnded) fold(v *TransferView, at string) {
	v.Status, v.SettledAt = string(e.Way), at
	if e.AccountNo != 0 {
		v.ToAccount = e.AccountNo.String()
	}
}

// Suspended lists what a house keeps in suspense.
func (c *Customer) Suspended() []Suspense {
	if c.Unsettled == nil {
		return nil
	}
	return slices.Clone(c.Unsettled.Suspense)
}
