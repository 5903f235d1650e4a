package bank

// keep folds into the desk what events say of its accounts besides posted money and limits: states,
// restrictions, what is on its way or held, and when the customer last moved something.
func (d *Desk) keep(e Event, on Date) {
	switch m := e.(type) {
	case *TransferInRequested:
		d.at(m.AccountNo, func(s *Standing) { s.Apart.InFen += m.AmountFen; s.Moved = on })
	case *TransferInSucceeded:
		d.at(m.AccountNo, func(s *Standing) { s.Apart.InFen -= m.AmountFen })
	case *TransferInFailed:
		d.at(m.AccountNo, func(s *Standing) { s.Apart.InFen -= m.AmountFen })
	case *TransferOutRequested:
		d.at(m.AccountNo, func(s *Standing) { s.Apart.OutFen += m.AmountFen + m.FeeFen; s.Moved = on })
	case *TransferOutSucceeded:
		d.at(m.AccountNo, func(s *Standing) { s.Apart.OutFen -= m.AmountFen + m.FeeFen })
	case *TransferOutFailed:
		d.at(m.AccountNo, func(s *Standing) { s.Apart.OutFen -= m.AmountFen + m.FeeFen })
	case *InboundCredited:
		d.moved(m.AccountNo, on)
	case *InternalTransferred:
		if m.Role == RolePayee {
			d.moved(m.Payee, on)
		} else {
			d.moved(m.Payer, on)
		}
	case *DepositOpened:
		d.moved(m.AccountNo, on)
	case *DepositRedeemedEarly:
		d.moved(m.AccountNo, on)
	case *DepositRedeemedAfterMaturity:
		d.moved(m.AccountNo, on)
	case *LoanDisbursed:
		d.moved(m.AccountNo, on)
	case *RepaymentApplied:
		d.moved(m.AccountNo, on)
	case *LoanPrepaid:
		d.moved(m.AccountNo, on)
	case *LoanSettled:
		d.moved(m.AccountNo, on)
	case *IdentityVerified:
		for i := range d.Accounts {
			d.Accounts[i].FaceToFace = d.Accounts[i].FaceToFace || m.FaceToFace
			d.Accounts[i].Moved = on
		}
	default:
		d.keepState(e, on)
	}
}

// keepState is the part of keep for what happens rarely.
func (d *Desk) keepState(e Event, on Date) {
	switch m := e.(type) {
	case *AccountRestricted:
		d.at(m.AccountNo, func(s *Standing) { s.stop(func(x *Stopped) { x.Restrictions.fold(e) }) })
	case *AccountReleased:
		d.at(m.AccountNo, func(s *Standing) { s.stop(func(x *Stopped) { x.Restrictions.fold(e) }) })
	case *HoldPlaced:
		d.at(m.AccountNo, func(s *Standing) {
			s.Apart.OutFen += m.AmountFen
			s.stop(func(x *Stopped) { x.ShortFen += m.AskedFen - m.AmountFen })
		})
	case *HoldReleased:
		d.at(m.AccountNo, func(s *Standing) {
			s.Apart.OutFen -= m.AmountFen
			s.stop(func(x *Stopped) { x.ShortFen -= m.ShortfallFen })
		})
	case *HoldDeducted:
		d.at(m.AccountNo, func(s *Standing) {
			s.Apart.OutFen -= m.AmountFen
			s.post(on, on, -m.AmountFen)
		})
	case *AccountDormant:
		d.at(m.AccountNo, func(s *Standing) {
			s.State = AccountStateDormant
			s.post(on, on, -m.AmountFen)
		})
	case *AccountReactivated:
		d.at(m.AccountNo, func(s *Standing) {
			s.State = AccountNormal
			s.post(on, on, m.AmountFen)
		})
	case *AccountClosing:
		d.at(m.AccountNo, func(s *Standing) { s.State = m.State })
	case *AccountClosure:
		d.at(m.AccountNo, func(s *Standing) {
			s.State = AccountStateClosed
			s.post(on, on, -m.PayoutFen)
		})
		d.at(m.To, func(s *Standing) { s.post(on, on, m.PayoutFen) })
	}
}

func (d *Desk) at(no AccountNo, change func(*Standing)) {
	if s := d.Standing(no); s != nil {
		change(s)
	}
}

func (d *Desk) moved(no AccountNo, on Date) {
	d.at(no, func(s *Standing) { s.Moved = max(s.Moved, on) })
}
