package bank

// FlightChange is a change of what is under way to or from a channel (在途), by an event: transfers, and what was
// deducted for a court and is being remitted.
type FlightChange struct {
	Channel   Channel
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
		return FlightChange{m.Channel, In, m.AmountFen}
	case *TransferInSucceeded:
		return FlightChange{m.Channel, In, -m.AmountFen}
	case *TransferInFailed:
		return FlightChange{m.Channel, In, -m.AmountFen}
	case *TransferOutRequested:
		return FlightChange{m.Channel, Out, m.AmountFen}
	case *TransferOutSucceeded:
		return FlightChange{m.Channel, Out, -m.AmountFen}
	case *TransferOutFailed:
		return FlightChange{m.Channel, Out, -m.AmountFen}
	case *HoldDeducted:
		return FlightChange{ChannelIBPS, Out, m.AmountFen}
	case *DepositDeducted:
		return FlightChange{ChannelIBPS, Out, m.PrincipalFen}
	case *DeductionRemitted:
		if m.Success { // otherwise it is asked for again
			return FlightChange{ChannelIBPS, Out, -m.AmountFen}
		}
	}
	return FlightChange{}
}
