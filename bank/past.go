package bank

// Past (原交易) is what the journal tells of a business transaction that a command is about: what has happened,
// oldest first, of it and to it.
type Past struct {
	Txn     TxnID
	Date    Date    // accounting date of its first record
	Events  []Event // of all customers
	Entries []Entry // legs that moved money, as the ledger moved it
}

// Entry (分录) is a leg that has been posted.
type Entry struct {
	Debit, Credit U128
	Ledger        uint32
	AmountFen     int64
	Code          uint16
	Date          Date
}

// PastOf tells which transaction's past the decision needs; false for most. One that retention has let go of
// has no past any more.
func PastOf(c *Customer, cmd Command) (TxnID, bool) {
	switch m := cmd.(type) {
	case *ChannelResult:
		return m.Transfer, c.inFlight(m.Transfer) == nil
	case *ReturnTransfer:
		return m.Transfer, true
	case *RefundFee:
		return m.Transfer, true
	case *ReverseTransaction:
		return m.Transfer, true
	case *ReleasePayment:
		return m.Transfer, true
	case *ClaimShortage:
		return m.Transfer, true
	}
	return TxnID{}, false
}

// pastEvent finds an event in the past; the zero event if there is none.
func pastEvent[E Event](p *Past) (E, bool) {
	var none E
	if p == nil {
		return none, false
	}
	for _, e := range p.Events {
		if m, ok := e.(E); ok {
			return m, true
		}
	}
	return none, false
}

// day is when the money moved: of a payment that was delayed, or that its channel answered on a later date, after
// it was asked for.
func (p *Past) day() Date {
	if len(p.Entries) > 0 {
		return p.Entries[0].Date
	}
	return p.Date
}

// sum adds up entries with a code.
func (p *Past) sum(code uint16) (fen int64) {
	for _, e := range p.Entries {
		if e.Code == code {
			fen += e.AmountFen
		}
	}
	return fen
}
