package bank

// SettleClearing (清算轧差) settles one shard's clearing account of a channel for a day with the central bank
// (K01).
type SettleClearing struct {
	By
	House   CustomerNo `cbor:"1,keyasint"`
	Channel Channel    `cbor:"2,keyasint"`
	Day     Date       `cbor:"3,keyasint"` // of the entries it settles
	NetFen  int64      `cbor:"4,keyasint"` // what we owe the channel; negative: it owes us
}

// ClearingSettled (清算).
type ClearingSettled struct {
	TxnID   TxnID   `cbor:"1,keyasint" json:"txn_id"`
	Channel Channel `cbor:"2,keyasint" json:"channel"`
	Day     Date    `cbor:"3,keyasint" json:"date"`
	Shard   uint16  `cbor:"4,keyasint" json:"shard"`
	NetFen  int64   `cbor:"5,keyasint" json:"net_amount_fen"`
}

// ChargeChannelFee (渠道手续费) books what a channel charges the bank for a day (K07).
type ChargeChannelFee struct {
	By
	House   CustomerNo `cbor:"1,keyasint"`
	Channel Channel    `cbor:"2,keyasint"`
	Day     Date       `cbor:"3,keyasint"`
	FeeFen  int64      `cbor:"4,keyasint"`
}

// ChannelFeeCharged (渠道手续费).
type ChannelFeeCharged struct {
	TxnID   TxnID   `cbor:"1,keyasint" json:"txn_id"`
	Channel Channel `cbor:"2,keyasint" json:"channel"`
	Day     Date    `cbor:"3,keyasint" json:"date"`
	FeeFen  int64   `cbor:"4,keyasint" json:"fee_fen"`
}

// FinishReconciliation notes that a channel's file has been compared and what came of it.
type FinishReconciliation struct {
	House CustomerNo `cbor:"1,keyasint"`
	ReconciliationFinished
}

// ReconciliationFinished (对账完成). It lists DifferencesListed differences at most; DifferenceCount counts all.
type ReconciliationFinished struct {
	By
	Channel         Channel      `cbor:"2,keyasint" json:"channel"`
	Day             Date         `cbor:"3,keyasint" json:"date"`
	FileHash        string       `cbor:"4,keyasint" json:"file_hash"`
	OursCount       int          `cbor:"5,keyasint" json:"ours_count"`
	OursFen         int64        `cbor:"6,keyasint" json:"ours_amount"`
	TheirsCount     int          `cbor:"7,keyasint" json:"theirs_count"`
	TheirsFen       int64        `cbor:"8,keyasint" json:"theirs_amount"`
	DifferenceCount int          `cbor:"9,keyasint" json:"difference_count"`
	Differences     []Difference `cbor:"10,keyasint,omitempty" json:"differences"`
}

// DifferencesListed is how many differences the event of a reconciliation lists.
const DifferencesListed = 200

// Operation names, stable.
func (*SettleClearing) Operation() string       { return "settle_clearing" }
func (*ChargeChannelFee) Operation() string     { return "charge_channel_fee" }
func (*FinishReconciliation) Operation() string { return "finish_reconciliation" }

func (m *SettleClearing) decider() CustomerNo  { return m.House }
func (m *SettleClearing) unknown() RefusalCode { return FieldInvalid }
func (m *SettleClearing) through() Channel     { return m.Channel }
func (m *SettleClearing) ofHouse()             {}

func (m *SettleClearing) decide(c *Customer, env *Env, d *Decision) *Refusal {
	if m.NetFen == 0 {
		return &Refusal{Code: AmountInvalid, Field: "net_amount_fen"}
	}
	d.Legs = NetSettlement{clearingAccount(m.Channel, c.No, d), bankAccount(DetailCentralBank, 0, d), m.NetFen}.Legs(d.Txn)
	d.Events = []Event{&ClearingSettled{d.Txn, m.Channel, m.Day, c.No.Shard(), m.NetFen}}
	return nil
}

func (m *ChargeChannelFee) decider() CustomerNo  { return m.House }
func (m *ChargeChannelFee) unknown() RefusalCode { return FieldInvalid }
func (m *ChargeChannelFee) through() Channel     { return m.Channel }
func (m *ChargeChannelFee) ofHouse()             {}

func (m *ChargeChannelFee) decide(c *Customer, env *Env, d *Decision) *Refusal {
	if m.FeeFen <= 0 || m.FeeFen > AmountMaxFen {
		return &Refusal{Code: AmountInvalid, Field: "fee_fen", LimitFen: AmountMaxFen}
	}
	d.Legs = ChannelCost{bankAccount(DetailChannelCost, 0, d), clearingAccount(m.Channel, c.No, d), m.FeeFen}.Legs(d.Txn)
	d.Events = []Event{&ChannelFeeCharged{d.Txn, m.Channel, m.Day, m.FeeFen}}
	return nil
}

func (m *FinishReconciliation) decider() CustomerNo  { return m.House }
func (m *FinishReconciliation) unknown() RefusalCode { return FieldInvalid }
func (m *FinishReconciliation) through() Channel     { return m.Channel }
func (m *FinishReconciliation) ofHouse()             {}

func (m *FinishReconciliation) decide(_ *Customer, _ *Env, d *Decision) *Refusal {
	finished := m.ReconciliationFinished
	d.Events = []Event{&finished}
	return nil
}

// ClearingChannels are the channels that send a daily file.
var ClearingChannels = []Channel{ChannelIBPS, ChannelUnionPay, ChannelNetsUnion, ChannelCore}

// clearingDetail is the subject of a channel's clearing accounts (清算资金往来).
func clearingDetail(channel Channel) uint32 {
	switch channel {
	case ChannelUnionPay, ChannelNetsUnion:
		return DetailClearingUnionPay
	case ChannelCore:
		return DetailClearingCore
	}
	return DetailClearingIBPS
}

// ClearingLedgerID is the ledger account of a channel's clearing in a shard.
func ClearingLedgerID(channel Channel, shard uint16) U128 {
	return LedgerID(clearingDetail(channel), uint64(shard), 0)
}
