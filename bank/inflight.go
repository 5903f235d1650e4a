package bank

// FlightChange is a change of what is under way to or from a channel (在途), by an event: transfers, and what was
// deducted for a court and is being remitted.
type FlightChange struct {
	Clearing  uint32 // detail subject of the channel's clearing accounts
	Direction Direction
	Fen       int64
}

// MovesFlight reports whether events of the type change what is in flight.
func MovesFlight(t EventType) bool {
	switch t {
	case EventTransferInRequested, EventTransferInSucceeded, EventTransferInFailed, EventTransferOutRequested,
		EventTransferOutSucceeded, EventTransferOutFailed, EventHoldDeducted, EventDepositDeducted, EventDeductionRemitted:
		return true
	}
	return false
}

// FlightChangeOf is that of an event; zero: none.
func FlightChangeOf(e Event) FlightChange {
	switch m := e.(type) {
	case *TransferInRequested:
		return FlightChange{clearingDetail(m.Channel), In, m.AmountFen}
	case *TransferInSucceeded:
		return FlightChange{clearingDetail(m.Channel), In, -m.AmountFen}
	case *TransferInFailed:
		return FlightChange{clearingDetail(m.Channel), In, -m.AmountFen}
	case *TransferOutRequested:
		return FlightChange{clearingDetail(m.Channel), Out, m.AmountFen}
	case *TransferOutSucceeded:
		return FlightChange{clearingDetail(m.Channel), Out, -m.AmountFen}
	case *TransferOutFailed:
		return FlightChange{clearingDetail(m.Channel), Out, -m.AmountFen}
	case *HoldDeducted:
		return FlightChange{DetailClearingIBPS, Out, m.AmountFen}
	case *DepositDeducted:
		return FlightChange{DetailClearingIBPS, Out, m.PrincipalFen}
	case *DeductionRemitted:
		if m.Success { // otherwise it is asked for again
			return FlightChange{DetailClearingIBPS, Out, -m.AmountFen}
		}
	}
	return FlightChange{}
}

// IsClearing reports whether a detail subject is of clearing accounts with channels (清算资金往来).
func IsClearing(detail uint32) bool {
	return detail == DetailClearingIBPS || detail == DetailClearingUnionPay || detail == DetailClearingCore
}
