package bank

// decideAccount answers the commands about an account itself; false for others.
func decideAccount(c *Customer, cmd Command, env *Env, d *Decision) (*Refusal, bool) {
	switch m := cmd.(type) {
	case *RestrictAccount:
		return decideRestrict(c, m, env, d), true
	case *RenewRestriction:
		return decideRenew(c, m, env, d), true
	case *ReleaseRestriction:
		return decideRelease(c, m, env, d), true
	case *LapseRestriction:
		return decideLapse(c, m, env, d), true
	case *PlaceHold:
		return decidePlaceHold(c, m, env, d), true
	case *ReleaseHold:
		return decideReleaseHold(c, m, d), true
	case *LapseHold:
		return decideLapseHold(c, m, env, d), true
	case *FillHolds:
		return decideFillHolds(c, m, env, d), true
	case *DeductHold:
		return decideDeduct(c, m, d), true
	case *RemitDeduction:
		return decideRemit(c, m, d), true
	case *AddCard:
		return decideAddCard(c, m, env, d), true
	case *RemoveCard:
		return decideRemoveCard(c, m, env, d), true
	case *ConfirmIdentity:
		return decideConfirm(c, m, d), true
	case *SuspendUnused:
		return decideSuspendUnused(c, m, env, d), true
	case *TurnDormant:
		return decideTurnDormant(c, m, env, d), true
	case *SetLimits:
		return decideSetLimits(c, m, d), true
	case *PrepareClosing:
		return decidePrepareClosing(c, m, env, d), true
	case *WithdrawClosing:
		return decideWithdrawClosing(c, m, d), true
	case *CloseAccount:
		return decideClose(c, m, env, d), true
	}
	return nil, false
}

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

// accountDecider is the customer whose actor decides a command about an account; false for other commands.
func accountDecider(cmd Command) (CustomerNo, bool) {
	switch m := cmd.(type) {
	case *RestrictAccount:
		return m.Account.Customer(), true
	case *RenewRestriction:
		return m.Restriction.Customer(), true
	case *ReleaseRestriction:
		return m.Restriction.Customer(), true
	case *LapseRestriction:
		return m.Restriction.Customer(), true
	case *PlaceHold:
		return m.Account.Customer(), true
	case *ReleaseHold:
		return m.Hold.Customer(), true
	case *LapseHold:
		return m.Hold.Customer(), true
	case *FillHolds:
		return m.Account.Customer(), true
	case *DeductHold:
		return m.Hold.Customer(), true
	case *RemitDeduction:
		return m.Deduction.Customer(), true
	case *AddCard:
		return m.Account.Customer(), true
	case *RemoveCard:
		return m.Account.Customer(), true
	case *ConfirmIdentity:
		return m.Customer, true
	case *SuspendUnused:
		return m.Account.Customer(), true
	case *TurnDormant:
		return m.Account.Customer(), true
	case *SetLimits:
		return m.Account.Customer(), true
	case *PrepareClosing:
		return m.Account.Customer(), true
	case *WithdrawClosing:
		return m.Account.Customer(), true
	case *CloseAccount:
		return m.Account.Customer(), true
	}
	return 0, false
}

// accountChannel is the channel a command about an account came through; none for the bank's own commands.
func accountChannel(cmd Command) Channel {
	switch m := cmd.(type) {
	case *RestrictAccount:
		return m.Channel
	case *RenewRestriction:
		return m.Channel
	case *ReleaseRestriction:
		return m.Channel
	case *PlaceHold:
		return m.Channel
	case *ReleaseHold:
		return m.Channel
	case *DeductHold:
		return m.Channel
	case *RemitDeduction:
		return m.Channel
	case *AddCard:
		return m.Channel
	case *RemoveCard:
		return m.Channel
	case *ConfirmIdentity:
		return m.Channel
	case *SetLimits:
		return m.Channel
	case *PrepareClosing:
		return m.Channel
	case *WithdrawClosing:
		return m.Channel
	case *CloseAccount:
		return m.Channel
	}
	return 0
}

// NeedsDesk reports whether the command's rules look at what is on the accounts: Env.Desk.
func NeedsDesk(cmd Command) bool {
	switch cmd.(type) {
	case *RestrictAccount, *PlaceHold, *FillHolds, *RemoveCard, *SuspendUnused, *TurnDormant, *PrepareClosing, *CloseAccount:
		return true
	}
	return false
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
