package bank

// FeeFen is the fee of a transfer out: zero for a person's online transfers (SPEC 3.3); a table by
// product, channel and amount replaces it.
func (c *Catalogue) FeeFen(amountFen int64, bound bool) int64 {
	if bound {
		return 0
	}
	return c.TransferFeeFen
}

func decideIn(c *Customer, m *TransferIn, env *Env, d *Decision) *Refusal {
	a, r := payer(c, m.Account, m.AmountFen, m.Date, env, "to_account")
	if r != nil {
		return r
	}
	if a.Card.Token == "" {
		return &Refusal{Code: BoundCardRequired, Field: "to_account"}
	}
	clearing := clearingAccount(ChannelUnionPay, c.No, d)
	d.Legs = PullRequest{clearing, a.LedgerID(), m.AmountFen}.Legs(d.Txn, nil)
	d.Events = []Event{&TransferInRequested{
		TxnID: d.Txn, AccountNo: a.No, AmountFen: m.AmountFen, Channel: ChannelUnionPay,
		CardToken: a.Card.Token, CardBank: a.Card.Bank, PendingID: d.Legs[0].ID, Summary: m.Summary,
	}}
	d.Affects = []Affected{a.affected()}
	return nil
}

func decideOut(c *Customer, m *TransferOut, env *Env, d *Decision) *Refusal {
	a, r := payer(c, m.Account, m.AmountFen, m.Date, env, "from_account")
	if r != nil {
		return r
	}
	if m.Bound && a.Card.Token == "" {
		return &Refusal{Code: BoundCardRequired, Field: "from_account"}
	}
	day, year, r := a.outgoing(m.AmountFen, m.Bound, env)
	if r != nil {
		return r
	}
	channel := ChannelIBPS
	if m.Bound {
		channel = ChannelUnionPay
	}
	fee := env.Catalogue.FeeFen(m.AmountFen, m.Bound)
	clearing := clearingAccount(channel, c.No, d)
	var income U128
	if fee > 0 {
		income = bankAccount(DetailTransferFeeIncome, 0, d)
	}
	d.Legs = PushRequest{a.LedgerID(), clearing, income, m.AmountFen, fee, m.Bound}.Legs(d.Txn, nil)
	e := &TransferOutRequested{
		TxnID: d.Txn, AccountNo: a.No, AmountFen: m.AmountFen, FeeFen: fee, Channel: channel,
		PayeeToken: m.PayeeToken, PayeeMasked: m.PayeeMasked, PayeeBank: m.PayeeBank, Bound: m.Bound,
		DayTotalFen: day, YearTotalFen: year, PendingID: d.Legs[0].ID, Summary: m.Summary,
	}
	if fee > 0 {
		e.FeePendingID = d.Legs[1].ID
	}
	d.Events = []Event{e}
	d.Affects = []Affected{a.affected()}
	return nil
}

// outgoing checks the class limits of money that leaves for other than the bound card and returns the
// day's and the year's total with it.
func (a *EAccount) outgoing(amountFen int64, bound bool, env *Env) (dayFen, yearFen int64, r *Refusal) {
	dayFen, yearFen = env.Pending.used(a, env.Date, env.Least)
	if bound {
		return dayFen, yearFen, nil
	}
	if !env.Catalogue.Unlimited(a.Product) {
		code, limit := CheckClassLimits(a.No.Class(), MoveOutNonBound, amountFen, LimitUse{DayOutFen: dayFen, YearOutFen: yearFen})
		if code != NoRefusal {
			return 0, 0, &Refusal{Code: code, Field: "amount_fen", LimitFen: limit}
		}
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
	day, year, r := a.outgoing(m.AmountFen, false, env)
	if r != nil {
		return r
	}
	if env.Catalogue.Unlimited(a.Product) != env.Catalogue.Unlimited(env.Credited.Product) {
		// Demonstration money, which an overdraft makes out of nothing, stays among demonstrations.
		return &Refusal{Code: ClassNotAllowed, Field: "to_account"}
	}
	t := new(internalTransfer)
	t.paid = InternalTransferred{
		TxnID: d.Txn, Role: RolePayer, Payer: m.Payer, Payee: m.Payee, AmountFen: m.AmountFen, Channel: m.Channel,
		DayTotalFen: day, YearTotalFen: year, Summary: m.Summary,
	}
	t.received = t.paid
	t.received.Role, t.received.DayTotalFen, t.received.YearTotalFen = RolePayee, 0, 0
	t.events = [...]Event{&t.paid, &t.received}
	t.affects[0] = a.affected()
	d.Legs = BookTransfer{Payer: a.LedgerID(), Payee: env.Credited.LedgerID(), AmountFen: m.AmountFen}.Legs(d.Txn, t.legs[:0])
	d.Events, d.Payee, d.PayeeEvents = t.events[:1:1], m.Payee.Customer(), t.events[1:]
	d.Affects = t.affects[:]
	return nil
}

// internalTransfer is what a decision of an internal transfer points to, in one piece of memory: it is most
// of what a bank does.
type internalTransfer struct {
	paid, received InternalTransferred
	events         [2]Event
	legs           [1]Leg
	affects        [1]Affected
}

func decideInbound(c *Customer, m *CreditInbound, env *Env, d *Decision) *Refusal {
	a, r := payer(c, m.Account, m.AmountFen, m.Date, env, "to_account")
	if r != nil {
		return r
	}
	if m.Bound && (a.Card.Token == "" || m.PayerToken != a.Card.Token) {
		return &Refusal{Code: FieldInvalid, Field: "from_bound_card"}
	}
	clearing := clearingAccount(ChannelIBPS, c.No, d)
	d.Legs = InboundCredit{clearing, a.LedgerID(), m.AmountFen}.Legs(d.Txn, nil)
	d.Events = []Event{&InboundCredited{
		TxnID: d.Txn, AccountNo: a.No, AmountFen: m.AmountFen, Channel: ChannelIBPS, ChannelSerial: m.ChannelSerial,
		PayerToken: m.PayerToken, PayerBank: m.PayerBank, Bound: m.Bound, Summary: m.Summary,
	}}
	d.Affects = []Affected{a.affected()}
	return nil
}

func decideResult(c *Customer, m *ChannelResult, env *Env, d *Decision) *Refusal {
	f := c.inFlight(m.Transfer)
	if f == nil {
		if m.Transfer.Seq() > c.Seq {
			return &Refusal{Code: TransferUnknown, Field: "transfer_id"}
		}
		// Settled before, or never a two-phase transfer: either way the answer has nothing to settle.
		return &Refusal{Code: TransferSettledElse, Field: "transfer_id"}
	}
	a := c.account(f.Account)
	if m.Date != 0 && !env.Catalogue.Unlimited(a.Product) {
		return &Refusal{Code: DateNotAllowed, Field: "accounting_date"}
	}
	// The answer belongs to the transfer's business, so it keeps its id; the legs get their own.
	own := d.Txn
	d.Txn = f.Txn
	if f.Out {
		d.Legs = PushResult{f.PendingID, f.FeePendingID, f.AmountFen, f.FeeFen, f.Bound, m.Success}.Legs(own, nil)
	} else {
		d.Legs = PullResult{f.PendingID, f.AmountFen, m.Success}.Legs(own, nil)
	}
	settled := TransferSettled{
		TxnID: f.Txn, AccountNo: f.Account, AmountFen: f.AmountFen, FeeFen: f.FeeFen, Channel: f.Channel,
		ChannelSerial: m.ChannelSerial, Reason: m.Reason,
	}
	switch {
	case f.Out && m.Success:
		d.Events = []Event{&TransferOutSucceeded{settled}}
	case f.Out:
		d.Events = []Event{&TransferOutFailed{settled}}
	case m.Success:
		d.Events = []Event{&TransferInSucceeded{settled}}
	default:
		d.Events = []Event{&TransferInFailed{settled}}
	}
	d.Affects = []Affected{a.affected()}
	return nil
}

// clearingAccount is the channel's clearing account of the customer's shard (清算资金往来).
func clearingAccount(channel Channel, customer CustomerNo, d *Decision) U128 {
	detail := DetailClearingIBPS
	if channel == ChannelUnionPay {
		detail = DetailClearingUnionPay
	}
	return bankAccount(detail, uint64(customer.Shard()), d)
}

// bankAccount is an account of the bank itself under a subject; owner is the organisation or shard.
func bankAccount(detail uint32, owner uint64, d *Decision) U128 {
	subject, ok := SubjectOf(detail)
	if !ok {
		panic("bank: subject missing from the chart")
	}
	account := subject.Account(owner, 0, U128{})
	d.Opens = append(d.Opens, account)
	return account.ID
}
