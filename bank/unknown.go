package bank

// MarkUnknown (结果未知) notes that a channel has not answered a two-phase transfer within its deadline. The
// money stays pending: the channel may have paid. Only its answer, or its file, ends that.
type MarkUnknown struct {
	Transfer TxnID `cbor:"1,keyasint"`
}

// The channel's silence.
type (
	TransferInUnknown  struct{ TransferSettled } // 转入未知
	TransferOutUnknown struct{ TransferSettled } // 转出未知
)

// FieldUnknown is the field of the refusal to mark what is marked already.
const FieldUnknown = "unknown"

// Operation name, stable.
func (*MarkUnknown) Operation() string { return "mark_unknown" }

func (m *MarkUnknown) decider() CustomerNo  { return m.Transfer.Customer() }
func (m *MarkUnknown) unknown() RefusalCode { return TransferUnknown }
func (m *MarkUnknown) through() Channel     { return 0 }

func (m *MarkUnknown) decide(c *Customer, env *Env, d *Decision) *Refusal {
	f := c.inFlight(m.Transfer)
	switch {
	case f == nil:
		return &Refusal{Code: TransferSettledElse, Field: "transfer_id"}
	case f.UnknownSince != 0:
		return &Refusal{Code: TransferSettledElse, Field: FieldUnknown}
	}
	d.Txn = f.Txn
	silence := TransferSettled{TxnID: f.Txn, AccountNo: f.Account, AmountFen: f.AmountFen, FeeFen: f.FeeFen, Channel: f.Channel}
	if f.Out {
		d.Events = []Event{&TransferOutUnknown{silence}}
	} else {
		d.Events = []Event{&TransferInUnknown{silence}}
	}
	return nil
}

func (e *TransferInUnknown) apply(c *Customer, on Date)  { c.lost(e.TxnID, on) }
func (e *TransferOutUnknown) apply(c *Customer, on Date) { c.lost(e.TxnID, on) }

func (c *Customer) lost(txn TxnID, on Date) {
	if f := c.inFlight(txn); f != nil {
		f.UnknownSince = on
	}
}

func (e *TransferInUnknown) fold(v *TransferView, _ string)  { v.Status = TransferUncertain }
func (e *TransferOutUnknown) fold(v *TransferView, _ string) { v.Status = TransferUncertain }

// late refuses an answer to a transfer that is not in flight: nothing is left to settle. The same answer once
// more is harmless; the opposite one, which names the field result, is a case for reconciliation (a success
// after our void is K03).
func (m *ChannelResult) late(past *Past) *Refusal {
	succeeded, settled := past.outcome()
	if settled && succeeded != m.Success {
		return &Refusal{Code: TransferSettledElse, Field: "result"}
	}
	return &Refusal{Code: TransferSettledElse, Field: "transfer_id"}
}

// outcome is how a two-phase transfer was settled.
func (p *Past) outcome() (succeeded, settled bool) {
	if p == nil {
		return false, false
	}
	for _, e := range p.Events {
		switch e.(type) {
		case *TransferInSucceeded, *TransferOutSucceeded:
			return true, true
		case *TransferInFailed, *TransferOutFailed:
			return false, true
		}
	}
	return false, false
}

// Open (在途) is a two-phase transfer whose channel has not answered, as lists of them show it.
type Open struct {
	TransferID TxnID     `json:"transfer_id"`
	AccountNo  AccountNo `json:"account_no"`
	Direction  Direction `json:"direction"`
	AmountFen  int64     `json:"amount_fen"`
	FeeFen     int64     `json:"fee_fen"`
	Channel    Channel   `json:"channel"`
	Date       Date      `json:"date"` // of the request
	Unknown    bool      `json:"unknown"`
}

// OpenTransfers lists the customer's transfers in flight.
func (c *Customer) OpenTransfers() []Open {
	var out []Open
	for i := range c.InFlight {
		f := &c.InFlight[i]
		o := Open{f.Txn, f.Account, In, f.AmountFen, f.FeeFen, f.Channel, f.Date, f.UnknownSince != 0}
		if f.Out {
			o.Direction = Out
		}
		out = append(out, o)
	}
	return out
}
