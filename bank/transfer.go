package bank

func decideIn(c *Customer, m *TransferIn, env *Env, d *Decision) *Refusal {
	a, r := payee(c, m.Account, true, m.AmountFen, m.Date, env, "to_account")
	if r != nil {
		return r
	}
	card, r := a.boundCard(m.CardToken, "to_account")
	if r != nil {
		return r
	}
	clearing := clearingAccount(ChannelUnionPay, c.No, d)
	d.Legs = PullRequest{clearing, a.LedgerID(), m.AmountFen}.Legs(d.Txn, nil)
	d.Events = []Event{&TransferInRequested{
		TxnID: d.Txn, AccountNo: a.No, AmountFen: m.AmountFen, Channel: ChannelUnionPay,
		CardToken: card.Token, CardBank: card.Bank, CardMasked: card.Masked, PendingID: d.Legs[0].ID, Summary: m.Summary,
	}}
	a.capped(d, d.Txn)
	d.Affects = []Affected{a.affected()}
	return nil
}

func decideOut(c *Customer, m *TransferOut, env *Env, d *Decision) *Refusal {
	a, r := payer(c, m.Account, m.AmountFen, m.Date, env, "from_account")
	if r != nil {
		return r
	}
	var card *CardSealed
	if m.Bound {
		if card, r = c.outgoingCard(a, m.CardToken, env); r != nil {
			return r
		}
	}
	move, channel := m.movement()
	day, year, r := a.outgoing(m.AmountFen, move, m.Channel, m.Confirmed, env)
	if r != nil {
		return r
	}
	if limit := env.Catalogue.Transfers.IBPSMaxFen; channel == ChannelIBPS && limit != 0 && m.AmountFen > limit && !env.Catalogue.Unlimited(a.Product) {
		return &Refusal{Code: ChannelLimit, Field: "amount_fen", LimitFen: limit}
	}
	fee := env.Catalogue.Transfers.Fees.On(env.Date, a.Product, m.Channel, move, m.AmountFen)
	clearing := clearingAccount(channel, c.No, d)
	d.Legs = PushRequest{a.LedgerID(), clearing, feeIncome(fee, d), m.AmountFen, fee, pushCode(m.Bound, m.Payment)}.Legs(d.Txn, nil)
	e := &TransferOutRequested{
		TxnID: d.Txn, AccountNo: a.No, AmountFen: m.AmountFen, FeeFen: fee, Channel: channel,
		PayeeToken: m.PayeeToken, PayeeMasked: m.PayeeMasked, PayeeBank: m.PayeeBank, Bound: m.Bound, Payment: m.Payment,
		DayTotalFen: day, YearTotalFen: year, PendingID: d.Legs[0].ID, Summary: m.Summary,
	}
	if m.Bound {
		e.PayeeToken, e.PayeeMasked, e.PayeeBank = card.Token, card.Masked, card.Bank
	}
	if fee > 0 {
		e.FeePendingID = d.Legs[1].ID
	}
	d.Events = []Event{e}
	d.Affects = []Affected{a.affected()}
	return nil
}

// movement is what kind of movement it is and the channel it goes by.
func (m *TransferOut) movement() (Movement, Channel) {
	switch {
	case m.Bound:
		return MoveOutBound, ChannelUnionPay
	case m.Payment:
		return MoveConsume, ChannelUnionPay
	}
	return MoveOutNonBound, ChannelIBPS
}

// outgoing checks the limits of money that leaves and returns the day's and the year's total with it. What
// goes to the bound card has no limit and is in no total; the reminder of a day's total counts it by itself.
func (a *EAccount) outgoing(amountFen int64, move Movement, channel Channel, confirmed bool, env *Env) (dayFen, yearFen int64, r *Refusal) {
	dayFen, yearFen = env.Pending.used(a, env.Date, env.Least)
	if !env.Catalogue.Unlimited(a.Product) {
		if move != MoveOutBound {
			if r := a.limited(amountFen, dayFen, yearFen, channel, env); r != nil {
				return 0, 0, r
			}
		}
		if remind := env.Catalogue.Transfers.ConfirmDayFen; !confirmed && channel.electronic() && remind != 0 && amountFen > remind-dayFen {
			return 0, 0, &Refusal{Code: ConfirmationRequired, Field: "confirmed", LimitFen: remind}
		}
	}
	if move == MoveOutBound {
		return dayFen, yearFen, nil
	}
	return dayFen + amountFen, yearFen + amountFen, nil
}

func decideInternal(c *Customer, m *TransferInternal, env *Env, d *Decision) *Refusal {
	a, r := payer(c, m.Payer, m.AmountFen, m.Date, env, "from_account")
	if r != nil {
		return r
	}
	if m.Payee == m.Payer {
		return &Refusal{Code: SameAccount, Field: "to_account"}
	}
	day, year, r := a.outgoing(m.AmountFen, MoveInternal, m.Channel, m.Confirmed, env)
	if r != nil {
		return r
	}
	if env.Catalogue.Unlimited(a.Product) != env.Catalogue.Unlimited(env.Credited.Product) {
		// Demonstration money, which an overdraft makes out of nothing, stays among demonstrations.
		return &Refusal{Code: ClassNotAllowed, Field: "to_account"}
	}
	fee := env.Catalogue.Transfers.Fees.On(env.Date, a.Product, m.Channel, MoveInternal, m.AmountFen)
	t, room := new(internalTransfer), env.Room
	if room == nil {
		room = new(Room)
	}
	t.paid = InternalTransferred{
		TxnID: d.Txn, Role: RolePayer, Payer: m.Payer, Payee: m.Payee, AmountFen: m.AmountFen, FeeFen: fee, Channel: m.Channel,
		DayTotalFen: day, YearTotalFen: year, Summary: m.Summary,
	}
	room.received = t.paid
	room.received.Role, room.received.FeeFen, room.received.DayTotalFen, room.received.YearTotalFen = RolePayee, 0, 0, 0
	t.events[0], room.payees[0], room.affects[0] = &t.paid, &room.received, a.affected()
	d.Legs = BookTransfer{a.LedgerID(), env.Credited.LedgerID(), feeIncome(fee, d), m.AmountFen, fee}.Legs(d.Txn, room.legs[:0])
	d.Events, d.Payee, d.PayeeEvents = t.events[:], m.Payee.Customer(), room.payees[:]
	d.Affects = room.affects[:]
	if fee > 0 {
		d.Events = append(d.Events, &FeeCharged{d.Txn, a.No, fee, FeeTransfer})
	}
	if env.Credited.AdvanceFen > 0 {
		d.PayeeEvents = append(d.PayeeEvents, collectAdvance(&env.Credited, d)...)
	}
	capped(d, d.Txn, m.Payee, env.Credited.LedgerID())
	return nil
}

// internalTransfer is what the receipt of an internal transfer points to, in one piece of memory: it is most of what a
// bank does.
type internalTransfer struct {
	paid   InternalTransferred
	events [1]Event
}

// Room is memory for what else a decision of an internal transfer points to, and nobody needs once the decision has
// its place in the journal.
type Room struct {
	received InternalTransferred
	payees   [1]Event
	affects  [1]Affected
	legs     [1]Leg
}

func decideInbound(c *Customer, m *CreditInbound, env *Env, d *Decision) *Refusal {
	a, r := payee(c, m.Account, m.Bound, m.AmountFen, m.Date, env, "to_account")
	if r != nil {
		return r
	}
	if m.Bound && m.Late == 0 && (m.PayerToken == "" || a.card(m.PayerToken) == nil) {
		return &Refusal{Code: FieldInvalid, Field: "from_bound_card"}
	}
	if m.NameToken != "" && m.NameToken != c.Person.NameToken {
		return &Refusal{Code: NameMismatch, Field: "to_name"}
	}
	channel := m.by()
	clearing := clearingAccount(channel, c.No, d)
	if m.Late != 0 {
		d.Legs = LateReceipt{clearing, a.LedgerID(), m.AmountFen}.Legs(d.Txn)
	} else {
		d.Legs = InboundCredit{clearing, a.LedgerID(), m.AmountFen}.Legs(d.Txn, nil)
	}
	d.Events = []Event{&InboundCredited{
		TxnID: d.Txn, AccountNo: a.No, AmountFen: m.AmountFen, Channel: channel, ChannelSerial: m.ChannelSerial,
		PayerToken: m.PayerToken, PayerMasked: m.PayerMasked, PayerBank: m.PayerBank, Bound: m.Bound, Summary: m.Summary, ValueDate: m.Late,
	}}
	d.Events = append(d.Events, collectAdvance(&env.Credited, d)...)
	a.openedBy(c, env, d)
	a.capped(d, d.Txn)
	d.Affects = []Affected{a.affected()}
	return nil
}

// by is the channel a credit came by: IBPS unless another clearing house is named.
func (m *CreditInbound) by() Channel {
	if m.Channel.Clears() {
		return m.Channel
	}
	return ChannelIBPS
}

// Clears reports whether the channel is a clearing house (清算渠道), with clearing accounts and daily files.
func (c Channel) Clears() bool {
	switch c {
	case ChannelIBPS, ChannelUnionPay, ChannelNetsUnion, ChannelCore:
		return true
	}
	return false
}

func decideResult(c *Customer, m *ChannelResult, env *Env, d *Decision) *Refusal {
	f := c.inFlight(m.Transfer)
	if f == nil {
		if m.Transfer.Seq() > c.Seq {
			return &Refusal{Code: TransferUnknown, Field: "transfer_id"}
		}
		return m.late(env.Past)
	}
	a := c.account(f.Account)
	if m.Date != 0 && !env.Catalogue.Unlimited(a.Product) {
		return &Refusal{Code: DateNotAllowed, Field: "accounting_date"}
	}
	// The answer belongs to the transfer's business, so it keeps its id; the legs get their own.
	own := d.Txn
	d.Txn = f.Txn
	if f.Out {
		d.Legs = PushResult{f.PendingID, f.FeePendingID, f.AmountFen, f.FeeFen, pushCode(f.Bound, f.Payment), m.Success}.Legs(own, nil)
	} else {
		// No cap behind the answer: the request has been counted against it ever since, and what the card has paid
		// must not bounce for the interest that was credited meanwhile.
		d.Legs = PullResult{f.PendingID, f.AmountFen, m.Success}.Legs(own, nil)
	}
	settled := TransferSettled{
		TxnID: f.Txn, AccountNo: f.Account, AmountFen: f.AmountFen, FeeFen: f.FeeFen, Channel: f.Channel,
		ChannelSerial: m.ChannelSerial, Reason: m.Reason,
	}
	switch {
	case f.Out && m.Success:
		d.Events = []Event{&TransferOutSucceeded{settled}}
		if f.FeeFen > 0 {
			d.Events = append(d.Events, &FeeCharged{f.Txn, f.Account, f.FeeFen, FeeTransfer})
		}
	case f.Out:
		d.Events = []Event{&TransferOutFailed{settled}}
		if f.CountedOn != 0 {
			d.Events = append(d.Events, a.givenBack(f.Txn, f.AmountFen, f.CountedOn, env.Desk))
		}
	case m.Success:
		d.Events = []Event{&TransferInSucceeded{settled}}
		a.openedBy(c, env, d)
	default:
		d.Events = []Event{&TransferInFailed{settled}}
	}
	d.Affects = []Affected{a.affected()}
	return nil
}

// clearingAccount is the channel's clearing account of the customer's shard (清算资金往来).
func clearingAccount(channel Channel, customer CustomerNo, d *Decision) U128 {
	detail, seq := clearing(channel)
	return internalAccount(detail, uint64(customer.Shard()), seq, d)
}

// bankAccount is an account of the bank itself under a subject; owner is the organisation or shard.
func bankAccount(detail uint32, owner uint64, d *Decision) U128 {
	return internalAccount(detail, owner, 0, d)
}

// internalAccount is one of several that the owner has under the subject.
func internalAccount(detail uint32, owner uint64, seq uint32, d *Decision) U128 {
	subject, ok := SubjectOf(detail)
	if !ok {
		panic("bank: subject missing from the chart")
	}
	account := subject.Account(owner, seq, U128{})
	d.Opens = append(d.Opens, account)
	return account.ID
}
