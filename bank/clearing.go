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
	FileSums
}

// FileSums (对账汇总) is what a file comes to, and what in our books its lines account for. NetFen is ChargesFen, all
// of Covered and OpenFen. Above zero: we owe the channel.
type FileSums struct {
	NetFen     int64     `cbor:"11,keyasint,omitempty" json:"net_amount_fen"` // paid out for us and charged, less taken in
	ChargesFen int64     `cbor:"12,keyasint,omitempty" json:"charges_fen"`    // what the channel charges
	Covered    []DaySum  `cbor:"13,keyasint,omitempty" json:"covered"`        // of the clearing accounts' entries, by their dates, ascending
	OpenFen    int64     `cbor:"14,keyasint,omitempty" json:"open_fen"`       // of lines for which nothing, or another amount, is booked
	OpenCount  int       `cbor:"15,keyasint,omitempty" json:"open_count"`     // differences that wait for a person
	Waiting    []Waiting `cbor:"16,keyasint,omitempty" json:"waiting"`        // only here; the first WaitingListed
	WaitCount  int       `cbor:"17,keyasint,omitempty" json:"waiting_count"`
}

// DaySum is what entries of a date come to on a channel's clearing accounts, credits less debits.
type DaySum struct {
	Date Date  `cbor:"1,keyasint" json:"date"`
	Fen  int64 `cbor:"2,keyasint" json:"fen"`
}

// Waiting is a transfer that succeeded here and was not in the file of its day.
type Waiting struct {
	Transfer  TxnID     `cbor:"1,keyasint" json:"transfer_id"`
	Direction Direction `cbor:"2,keyasint" json:"direction"`
	AmountFen int64     `cbor:"3,keyasint" json:"amount_fen"`
}

// WaitingListed is how many transfers that only we have a file's sums name.
const WaitingListed = 20

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

// clearing is where a channel's clearing accounts are: under which subject (清算资金往来), and with which sequence, since
// there is one account for each channel and shard and the chart gives 网联 no subject of its own: its accounts are
// under UnionPay's, beside UnionPay's own.
func clearing(channel Channel) (detail, seq uint32) {
	switch channel {
	case ChannelUnionPay:
		return DetailClearingUnionPay, 0
	case ChannelNetsUnion:
		return DetailClearingUnionPay, 1
	case ChannelCore:
		return DetailClearingCore, 0
	}
	return DetailClearingIBPS, 0
}

// ClearingLedgerID is the ledger account of a channel's clearing in a shard.
func ClearingLedgerID(channel Channel, shard uint16) U128 {
	detail, seq := clearing(channel)
	return LedgerID(detail, uint64(shard), seq)
}

// ClearingOf is the channel whose clearing account it is; false for other accounts.
func ClearingOf(account U128) (Channel, bool) {
	detail, _, seq := SplitLedgerID(account)
	if detail/10_000 != DetailClearingIBPS/10_000 {
		return 0, false // most are not: this is asked of every account and entry
	}
	for _, channel := range ClearingChannels {
		if d, s := clearing(channel); d == detail && s == seq {
			return channel, true
		}
	}
	return 0, false
}

// ClearsFile reports whether an entry with the transfer code is about a file as a whole: its charges (K07) or its
// settlement with the central bank (K01).
func ClearsFile(code uint16) bool { return code == codeSettlement || code == codeCharges }

// SettlesFile reports whether events of the type say that what a file comes to is booked.
func SettlesFile(t EventType) bool { return t == EventClearingSettled || t == EventChannelFeeCharged }
