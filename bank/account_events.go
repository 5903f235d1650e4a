package bank

// applyAccount folds the events about accounts themselves into the state; false for others.
func (c *Customer) applyAccount(e Event) bool {
	switch m := e.(type) {
	case *BoundCardAdded:
		c.change(m.AccountNo, func(a *EAccount) { a.foldCard(e) })
	case *BoundCardRemoved:
		c.change(m.AccountNo, func(a *EAccount) { a.foldCard(e) })
	case *AccountRestricted:
		c.change(m.AccountNo, func(a *EAccount) { a.become(func(s *Special) { s.Restrictions.fold(e) }) })
	case *AccountReleased:
		c.change(m.AccountNo, func(a *EAccount) { a.become(func(s *Special) { s.Restrictions.fold(e) }) })
	case *HoldPlaced:
		c.change(m.AccountNo, func(a *EAccount) { a.become(func(s *Special) { s.foldHold(e) }) })
	case *HoldReleased:
		c.change(m.AccountNo, func(a *EAccount) { a.become(func(s *Special) { s.foldHold(e) }) })
	case *HoldDeducted:
		c.change(m.AccountNo, func(a *EAccount) { a.become(func(s *Special) { s.foldHold(e) }) })
	case *DeductionRemitted:
		c.change(m.AccountNo, func(a *EAccount) { a.become(func(s *Special) { s.foldHold(e) }) })
	case *IdentityVerified:
		for i := range c.Accounts {
			c.Accounts[i].FaceToFace = c.Accounts[i].FaceToFace || m.FaceToFace
		}
	case *AccountDormant:
		c.change(m.AccountNo, func(a *EAccount) {
			a.State = AccountStateDormant
			a.become(func(s *Special) { s.DormantFen = m.AmountFen })
		})
	case *AccountReactivated:
		c.change(m.AccountNo, func(a *EAccount) {
			a.State = AccountNormal
			a.become(func(s *Special) { s.DormantFen = 0 })
		})
	case *OwnLimitsSet:
		c.change(m.AccountNo, func(a *EAccount) { a.become(func(s *Special) { s.Own = m.OwnLimits }) })
	case *AccountClosing:
		c.change(m.AccountNo, func(a *EAccount) { a.State = m.State })
	case *AccountClosure:
		c.change(m.AccountNo, func(a *EAccount) { a.State = AccountStateClosed })
	default:
		return false
	}
	return true
}

func (c *Customer) change(no AccountNo, by func(*EAccount)) {
	if a := c.account(no); a != nil {
		by(a)
	}
}

// EventType of each event about an account.
func (*BoundCardRemoved) EventType() EventType   { return EventBoundCardRemoved }
func (*IdentityVerified) EventType() EventType   { return EventIdentityVerified }
func (*AccountRestricted) EventType() EventType  { return EventAccountRestricted }
func (*AccountReleased) EventType() EventType    { return EventAccountReleased }
func (*HoldPlaced) EventType() EventType         { return EventHoldPlaced }
func (*HoldReleased) EventType() EventType       { return EventHoldReleased }
func (*HoldDeducted) EventType() EventType       { return EventHoldDeducted }
func (*DeductionRemitted) EventType() EventType  { return EventDeductionRemitted }
func (*AccountDormant) EventType() EventType     { return EventAccountDormant }
func (*AccountReactivated) EventType() EventType { return EventAccountReactivated }
func (*OwnLimitsSet) EventType() EventType       { return EventOwnLimitsSet }
func (*AccountClosing) EventType() EventType     { return EventAccountClosing }
func (*AccountClosure) EventType() EventType     { return EventAccountClosed }
