package bank

// ReturnTransfer (退汇) gives money back to the account it went out from: the channel sent it back after it had
// succeeded, or its file says that it never went (K04). The limits it used stay used.
type ReturnTransfer struct {
	By
	Transfer      TxnID  `cbor:"1,keyasint"`
	AmountFen     int64  `cbor:"2,keyasint"`
	ChannelSerial string `cbor:"3,keyasint,omitempty"`
	Reason        string `cbor:"4,keyasint,omitempty"`
	Value         Date   `cbor:"5,keyasint,omitempty"` // from when it counts for interest; zero: the accounting date
}

// TransferReturned (退汇).
type TransferReturned struct {
	TxnID         TxnID     `cbor:"1,keyasint" json:"original_txn_id"`
	AccountNo     AccountNo `cbor:"2,keyasint" json:"account_no"`
	AmountFen     int64     `cbor:"3,keyasint" json:"amount_fen"`
	Channel       Channel   `cbor:"4,keyasint" json:"channel"`
	ChannelSerial string    `cbor:"5,keyasint,omitempty" json:"channel_serial,omitzero"`
	Reason        string    `cbor:"6,keyasint,omitempty" json:"reason,omitzero"`
	ValueDate     Date      `cbor:"7,keyasint,omitempty" json:"value_date,omitzero"`
}

// Operation names, stable.
func (*ReturnTransfer) Operation() string { return "return_transfer" }
func (*RefundFee) Operation() string      { return "refund_fee" }

func (m *ReturnTransfer) decider() CustomerNo  { return m.Transfer.Customer() }
func (m *ReturnTransfer) unknown() RefusalCode { return TransferUnknown }
func (m *ReturnTransfer) through() Channel     { return 0 }

func (m *ReturnTransfer) decide(c *Customer, env *Env, d *Decision) *Refusal {
	out, ok := pastEvent[*TransferOutSucceeded](env.Past)
	if !ok {
		return notThere(c, env.Past, m.Transfer)
	}
	a, r := c.creditable(out.AccountNo)
	if r != nil {
		return r
	}
	if r := env.Past.whole(); r != nil {
		return r
	}
	if left := out.AmountFen - env.Past.sum(1161); m.AmountFen <= 0 || m.AmountFen > left {
		return &Refusal{Code: OverOriginal, Field: "amount_fen", LimitFen: left}
	}
	own := d.Txn
	d.Txn = m.Transfer
	d.Legs = OutReturned{clearingAccount(out.Channel, c.No, d), a.LedgerID(), m.AmountFen}.Legs(own)
	d.Events = []Event{&TransferReturned{m.Transfer, a.No, m.AmountFen, out.Channel, m.ChannelSerial, m.Reason, m.Value}}
	d.Affects = []Affected{a.affected()}
	return nil
}

// RefundFee (手续费退还) gives a transfer's fee back, all or a part of it.
type RefundFee struct {
	By
	Transfer  TxnID  `cbor:"1,keyasint"`
	AmountFen int64  `cbor:"2,keyasint"`
	Reason    string `cbor:"3,keyasint,omitempty"`
}

// FeeRefunded (手续费退还).
type FeeRefunded struct {
	TxnID     TxnID     `cbor:"1,keyasint" json:"txn_id"`
	AccountNo AccountNo `cbor:"2,keyasint" json:"account_no"`
	AmountFen int64     `cbor:"3,keyasint" json:"amount_fen"`
	FeeCode   string    `cbor:"4,keyasint" json:"fee_code"`
	Reason    string    `cbor:"5,keyasint,omitempty" json:"reason,omitzero"`
	By
}

func (m *RefundFee) decider() CustomerNo  { return m.Transfer.Customer() }
func (m *RefundFee) unknown() RefusalCode { return TransferUnknown }
func (m *RefundFee) through() Channel     { return ChannelBackOffice }

func (m *RefundFee) decide(c *Customer, env *Env, d *Decision) *Refusal {
	fee, ok := pastEvent[*FeeCharged](env.Past)
	if !ok {
		return notThere(c, env.Past, m.Transfer)
	}
	a, r := c.creditable(fee.AccountNo)
	if r != nil {
		return r
	}
	if r := env.Past.whole(); r != nil {
		return r
	}
	if left := fee.AmountFen - env.Past.sum(1132); m.AmountFen <= 0 || m.AmountFen > left {
		return &Refusal{Code: OverOriginal, Field: "amount_fen", LimitFen: left}
	}
	own := d.Txn
	d.Txn = m.Transfer
	d.Legs = FeeReturned{feeIncome(m.AmountFen, d), a.LedgerID(), m.AmountFen}.Legs(own)
	d.Events = []Event{&FeeRefunded{TxnID: m.Transfer, AccountNo: a.No, AmountFen: m.AmountFen, FeeCode: fee.FeeCode, Reason: m.Reason, By: m.By}}
	d.Affects = []Affected{a.affected()}
	return nil
}

// notThere says why a transaction has not what a command asks to undo.
func notThere(c *Customer, past *Past, txn TxnID) *Refusal {
	switch {
	case past == nil || len(past.Events) == 0:
		return &Refusal{Code: TransferUnknown, Field: "transfer_id"}
	case c.inFlight(txn) != nil:
		return &Refusal{Code: TransferNotSettled, Field: "transfer_id"}
	}
	return &Refusal{Code: NotReversible, Field: "transfer_id"}
}

// whole refuses what has been reversed as a whole.
func (p *Past) whole() *Refusal {
	if _, ok := pastEvent[*TransactionReversed](p); ok {
		return &Refusal{Code: AlreadyReversed, Field: "transfer_id"}
	}
	return nil
}

// creditable is an account of the customer's that can take money the bank owes him (system credit): any that
// is not closed.
func (c *Customer) creditable(no AccountNo) (*EAccount, *Refusal) {
	a := c.account(no)
	switch {
	case a == nil:
		return nil, &Refusal{Code: AccountUnknown}
	case a.State == AccountStateClosed:
		return nil, &Refusal{Code: AccountClosed}
	}
	return a, nil
}

func (e *TransferReturned) unapply(b *Balance) { b.take(e.AccountNo, e.AmountFen) }
func (e *FeeRefunded) unapply(b *Balance)      { b.take(e.AccountNo, e.AmountFen) }

// take takes a credit of the account back out of its balance.
func (b *Balance) take(no AccountNo, fen int64) {
	if b.Account == no {
		b.PostedFen -= fen
	}
}

func (e *TransferReturned) fold(v *TransferView, at string) {
	v.ReturnedFen, v.SettledAt = v.ReturnedFen+e.AmountFen, at
	v.Returns = append(v.Returns, ReturnView{e.AmountFen, e.ChannelSerial, e.Reason})
	if v.ReturnedFen >= v.AmountFen {
		v.Status = TransferSentBack
	}
}

func (e *TransferReturned) post(d *Desk, on Date) {
	d.postTo(e.AccountNo, on, e.ValueDate.or(on), e.AmountFen)
}
func (e *FeeRefunded) post(d *Desk, on Date) { d.postTo(e.AccountNo, on, on, e.AmountFen) }

func (d *Desk) postTo(no AccountNo, on, value Date, fen int64) {
	if s := d.Standing(no); s != nil {
		s.post(on, value, fen)
	}
}

// or is the date, or another if it is zero.
func (d Date) or(other Date) Date {
	if d == 0 {
		return other
	}
	return d
}
