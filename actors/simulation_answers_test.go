package actors

import (
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/serial"
)

// What an answer means to a bank that does one thing at a time: the events of it are what was done, a refusal is
// what must have been so. Fees, the rates of deposits and the days of a history are written down here, too; the
// bank's own figures are taken for the interest of loans and of accounts, and judged with the books.

const (
	minimumFen = 5000    // of a deposit
	all        = 1 << 60 // to be frozen
)

func (s *simulation) account(no bank.AccountNo) int { return slices.Index(s.world.accounts, no) }

// dayOf counts the days of the history from one; the bank's foundation is zero.
func (s *simulation) dayOf(d bank.Date) int {
	if d < s.firstDay {
		return 0
	}
	return 1 + bank.Days(s.firstDay, d)
}

// untilOf is dayOf for the last day of something, which may be far off; zero: none.
func (s *simulation) untilOf(d bank.Date) int {
	if d == 0 {
		return 0
	}
	return min(s.dayOf(d), 100)
}

// telling is what is told of one operation.
type telling struct {
	*simulation
	op       bank.Command
	text     string
	date     bank.Date
	millis   int64
	events   []bank.Event // of who decided
	others   []bank.Event // of others, from the journal
	internal bool         // the bank gave the command to itself
}

// steps are what an answer says has been done, or must have been so.
func (s *simulation) steps(op *operation) (steps []serial.Step) {
	r := &op.receipt
	switch {
	case op.command == nil:
		v := op.seen
		return []serial.Step{serial.Shows{
			Account: s.account(op.account), Posted: v.PostedFen, In: v.PendingInFen, Out: v.PendingOutFen, Available: v.AvailableFen,
		}}
	case r.Refusal != nil:
		return s.refused(op)
	}
	t := telling{simulation: s, op: op.command, text: op.text(), date: r.Date, millis: r.Time / 1e6, events: r.Events, others: op.others}
	steps = t.steps(op)
	if s.elsewhere {
		return steps // the balances were read a moment later
	}
	for _, b := range r.Balances {
		steps = append(steps, serial.Shows{
			Account: s.account(b.Account), Posted: b.PostedFen, In: b.PendingInFen, Out: b.PendingOutFen, Available: b.AvailableFen,
		})
	}
	return steps
}

// steps of all that was done in one operation; op is nil if nobody was told.
func (t *telling) steps(op *operation) (steps []serial.Step) {
	for _, e := range t.events {
		if step := t.done(op, e); step != nil {
			steps = append(steps, step)
		}
	}
	return steps
}

func (t *telling) done(op *operation, e bank.Event) serial.Step {
	s, day := t.simulation, t.dayOf(t.date)
	switch m := e.(type) {
	case *bank.CustomerRegistered:
		return serial.Register{Person: personIndex(m.Person.IDToken)}
	case *bank.AccountOpened:
		return serial.Open{Account: s.account(m.AccountNo), Class: uint8(m.Class), Met: m.FaceToFace}
	case *bank.InboundCredited:
		asked := t.op.(*bank.CreditInbound)
		t.agree(m.AmountFen, asked.AmountFen)
		return serial.Credit{
			Account: s.account(m.AccountNo), Fen: m.AmountFen, Day: day, Bound: m.Bound, Transfer: s.world.flights[m.TxnID].place,
			Collect: t.collect(op, t.events, m.AccountNo),
		}
	case *bank.InternalTransferred:
		asked := t.op.(*bank.TransferInternal)
		t.agree(m.AmountFen, asked.AmountFen)
		return serial.Pay{
			From: s.account(m.Payer), To: s.account(m.Payee), Fen: m.AmountFen, Fee: feeOf(asked), Day: day,
			Transfer: s.world.flights[m.TxnID].place, Permit: s.permit(op, m.Payee), Collect: t.collect(op, slices.Concat(t.events, t.others), m.Payee),
		}
	case *bank.TransferInRequested:
		asked := t.op.(*bank.TransferIn)
		t.agree(m.AmountFen, asked.AmountFen)
		return serial.Ask{Account: s.account(m.AccountNo), Transfer: s.world.flights[m.TxnID].place, Fen: m.AmountFen, Day: day, Card: cardNumber(m.CardToken)}
	case *bank.TransferOutRequested:
		asked := t.op.(*bank.TransferOut)
		t.agree(m.AmountFen, asked.AmountFen)
		ask := serial.Ask{
			Account: s.account(m.AccountNo), Transfer: s.world.flights[m.TxnID].place, Fen: m.AmountFen, Fee: feeOf(asked),
			Out: true, Counted: !m.Bound, At: t.millis, Day: day,
		}
		if m.Bound {
			ask.Card = cardNumber(m.PayeeToken)
		}
		return ask
	case *bank.TransferInSucceeded:
		return t.answered(&m.TransferSettled, true)
	case *bank.TransferOutSucceeded:
		return t.answered(&m.TransferSettled, true)
	case *bank.TransferInFailed:
		return t.answered(&m.TransferSettled, false)
	case *bank.TransferOutFailed:
		return t.answered(&m.TransferSettled, false)
	case *bank.TransferInUnknown:
		return serial.Transferred{Account: s.account(m.AccountNo), Transfer: s.world.flights[m.TxnID].place, Is: serial.Unsettled}
	case *bank.TransferOutUnknown:
		return serial.Transferred{Account: s.account(m.AccountNo), Transfer: s.world.flights[m.TxnID].place, Is: serial.Unsettled}
	case *bank.OwnLimitsSet:
		return serial.Limit{Account: s.account(m.AccountNo), One: m.TransactionFen, Day: m.DayFen}
	case *bank.BoundCardAdded:
		if _, opens := t.op.(*bank.OpenAccount); opens {
			return nil
		}
		return serial.Bind{Account: s.account(m.AccountNo), Card: cardNumber(m.Card.Token), At: t.millis}
	case *bank.BoundCardRemoved:
		return serial.Unbind{Account: s.account(m.AccountNo), Card: cardNumber(m.CardToken), Loose: s.elsewhere}
	case *bank.DemandInterestPaid:
		return serial.Interest{Account: s.account(m.AccountNo), Fen: m.InterestFen - m.TaxFen}
	case *bank.LoanApplied, *bank.RiskDecided, *bank.InstalmentDue, *bank.FeeCharged, *bank.RolloverChanged, *bank.CustomerDayClosed,
		*bank.LimitCounterChanged:
		return nil
	}
	for _, of := range []func(*operation, bank.Event) (serial.Step, bool){t.contract, t.stop, t.undone} {
		if step, ok := of(op, e); ok {
			return step
		}
	}
	s.failf("%s: what does %T do to money?", t.text, e)
	return nil
}

// contract is what an event did to deposits, lines, loans and what is in suspense.
func (t *telling) contract(_ *operation, e bank.Event) (serial.Step, bool) {
	s, day := t.simulation, t.dayOf(t.date)
	exchange := func(account bank.AccountNo, by serial.Mover, fen int64, changes ...serial.Change) (serial.Step, bool) {
		return serial.Exchange{Account: s.account(account), Day: day, By: by, Fen: fen, Changes: changes}, true
	}
	switch m := e.(type) {
	case *bank.DepositOpened:
		t.agree(m.PrincipalFen, t.op.(*bank.BuyDeposit).AmountFen)
		return exchange(m.AccountNo, serial.Owner, -m.PrincipalFen, serial.Change{
			Contract: s.world.place(m.DepositNo), Fen: m.PrincipalFen, Rest: m.PrincipalFen, New: true, Of: s.account(m.AccountNo),
		})
	case *bank.DepositRedeemedEarly:
		return t.paidOut(&m.DepositPaid, serial.Owner)
	case *bank.DepositMatured:
		return t.paidOut(&m.DepositPaid, serial.Bank)
	case *bank.DepositRedeemedAfterMaturity:
		return t.paidOut(&m.DepositPaid, serial.Bank)
	case *bank.DepositRolledOver:
		next := m.PrincipalFen
		if m.PaidFen == 0 {
			next += m.InterestFen
		}
		t.agree(m.Next.PrincipalFen, next)
		return exchange(m.AccountNo, serial.Bank, m.PaidFen, serial.Change{Contract: s.world.place(m.DepositNo), Fen: -m.PrincipalFen, Rest: 0},
			serial.Change{Contract: s.world.place(m.NewDepositNo), Fen: next, Rest: next, New: true, Of: s.account(m.AccountNo)})
	case *bank.CreditLineGranted:
		return serial.Exchange{Account: -1, Changes: []serial.Change{{Contract: s.world.place(m.LineNo), Fen: m.LimitFen, Rest: m.LimitFen, New: true, Of: -1}}}, true
	case *bank.LoanDisbursed:
		t.agree(m.PrincipalFen, t.op.(*bank.DrawLoan).AmountFen)
		return exchange(m.AccountNo, serial.Borrower, m.PrincipalFen, serial.Change{Contract: s.world.place(m.LineNo), Fen: -m.PrincipalFen, Rest: -1},
			serial.Change{Contract: s.world.place(m.LoanNo), Fen: m.PrincipalFen, Rest: m.PrincipalFen, New: true, Of: s.account(m.AccountNo)})
	case *bank.RepaymentApplied:
		principal := int64(0)
		for _, x := range m.Allocation {
			principal += x.PrincipalFen
		}
		return exchange(m.AccountNo, serial.Owner, -m.PaidFen, serial.Change{Contract: s.world.place(m.LoanNo), Fen: -principal, Rest: m.RemainingFen})
	case *bank.LoanPrepaid:
		return exchange(m.AccountNo, serial.Owner, -m.PrincipalFen-m.InterestFen-m.FeeFen,
			serial.Change{Contract: s.world.place(m.LoanNo), Fen: -m.PrincipalFen, Rest: m.RemainingFen})
	case *bank.LoanSettled:
		return exchange(m.AccountNo, serial.Owner, -m.PrincipalFen-m.InterestFen-m.FeeFen,
			serial.Change{Contract: s.world.place(m.LoanNo), Fen: -m.PrincipalFen, Rest: 0})
	case *bank.SuspenseBooked:
		return serial.Exchange{Account: -1, Changes: []serial.Change{{Contract: s.world.place(m.TxnID), Fen: m.AmountFen, Rest: m.AmountFen, New: true, Of: -1}}}, true
	case *bank.SuspenseEnded:
		ended := serial.Exchange{Account: -1, Changes: []serial.Change{{Contract: s.world.place(m.TxnID), Fen: -m.AmountFen, Rest: 0}}}
		if m.AccountNo == 0 {
			return ended, true
		}
		return serial.Both{ended, serial.Credit{
			Account: s.account(m.AccountNo), Fen: m.AmountFen, Day: day, Transfer: -1,
			Permit: serial.Permit{Before: s.elsewhere}, Collect: serial.Collect{Later: true},
		}}, true
	}
	return nil, false
}

// paidOut is what a deposit pays: its interest is reckoned here a second time.
func (t *telling) paidOut(m *bank.DepositPaid, by serial.Mover) (serial.Step, bool) {
	s := t.simulation
	if want := s.interestOf(m, t.date); m.InterestFen+m.OverdueInterestFen != want {
		s.failf("%s: %d fen of interest, %d are due: %+v", t.text, m.InterestFen+m.OverdueInterestFen, want, m)
	}
	if m.Part || by == serial.Owner {
		by = serial.Owner
	}
	if redeem, ok := t.op.(*bank.RedeemDeposit); ok && !redeem.All {
		t.agree(m.PrincipalFen, redeem.AmountFen)
	}
	return serial.Exchange{Account: s.account(m.AccountNo), Day: t.dayOf(t.date), By: by, Fen: m.PrincipalFen + m.InterestFen + m.OverdueInterestFen, Changes: []serial.Change{
		{Contract: s.world.place(m.DepositNo), Fen: -m.PrincipalFen, Rest: m.RemainingFen},
	}}, true
}

// stop is what an event did to restrictions, holds and the end of an account.
func (t *telling) stop(op *operation, e bank.Event) (serial.Step, bool) {
	s, day := t.simulation, t.dayOf(t.date)
	place := func(id bank.TxnID) int { return s.world.stop(id).place }
	switch m := e.(type) {
	case *bank.AccountRestricted:
		account := s.account(m.AccountNo)
		switch t.op.(type) {
		case *bank.RestrictAccount:
			put := serial.Put{
				Stop: place(m.ID), Account: account, Kind: stopKinds[m.Kind], Fen: m.AmountFen, Until: s.untilOf(m.Until), Day: day, Queue: m.Queue, Unseen: s.unseen(op, m.AccountNo),
			}
			if m.Kind == bank.FrozenAll {
				put.Fen = all
			}
			for _, e := range t.events {
				if h, ok := e.(*bank.HoldPlaced); ok {
					put.Taken = h.AmountFen
				}
			}
			return put, true
		case *bank.RenewRestriction:
			return serial.Renew{Stop: place(m.ID), Account: account, Until: s.untilOf(m.Until), Day: day}, true
		}
		return serial.InEffect{Stop: place(m.ID), Account: account}, true
	case *bank.AccountReleased:
		lift := serial.Lift{Stop: place(m.ID), Account: s.account(m.AccountNo), Day: day, Lapsed: m.Reason == bank.Lapsed}
		for _, e := range t.events {
			if h, ok := e.(*bank.HoldReleased); ok && h.HoldID == m.ID {
				lift.Held = h.AmountFen
			}
		}
		return lift, true
	case *bank.HoldReleased:
		if m.Kind == bank.Judicial {
			return nil, true // with its restriction
		}
		return serial.Lift{Stop: place(m.HoldID), Account: s.account(m.AccountNo), Held: m.AmountFen, Day: day, Lapsed: m.Reason == bank.Lapsed}, true
	case *bank.HoldPlaced:
		switch t.op.(type) {
		case *bank.RestrictAccount:
			return nil, true // with its restriction
		case *bank.PlaceHold:
			return serial.Put{
				Stop: place(m.HoldID), Account: s.account(m.AccountNo), Kind: serial.Pledged, Fen: m.AskedFen, Until: s.untilOf(m.Until), Day: day, Taken: m.AmountFen,
			}, true
		}
		if m.AmountFen == 0 {
			return nil, true // of a freeze that takes effect now
		}
		return serial.Fill{Stop: place(m.HoldID), Account: s.account(m.AccountNo), Fen: m.AmountFen, Day: day, Loose: s.elsewhere}, true
	case *bank.HoldDeducted:
		return serial.Deduct{Stop: place(m.HoldID), Account: s.account(m.AccountNo), Fen: m.AmountFen, Held: m.HeldFen}, true
	case *bank.DeductionRemitted:
		if !m.Success {
			return nil, true
		}
		return serial.Remit{Account: s.account(m.AccountNo)}, true
	case *bank.DepositPledged:
		return t.keep(&m.DepositHeldAmount, 0, 0)
	case *bank.DepositProofIssued:
		return t.keep(&m.DepositHeldAmount, 0, 0)
	case *bank.DepositFrozen:
		return t.keep(&m.DepositHeldAmount, m.AskedFen, m.QueuePosition)
	case *bank.DepositHoldReleased:
		free := serial.Free{Stop: place(m.HoldID), Contract: s.world.place(m.DepositNo), Fen: m.AmountFen, Day: day}
		for _, e := range t.events {
			if g, ok := e.(*bank.DepositFreezeApplied); ok {
				free.Given = append(free.Given, serial.Given{Stop: place(g.HoldID), Fen: g.AmountFen, Held: g.HeldFen, Short: g.ShortfallFen})
			}
		}
		return free, true
	case *bank.DepositFreezeApplied:
		return nil, true // with what let go
	case *bank.AccountClosing:
		return serial.Prepare{Account: s.account(m.AccountNo), Day: day, Withdraw: m.State == bank.AccountNormal}, true
	case *bank.AccountClosure:
		ended := serial.Close{Account: s.account(m.AccountNo), To: -1, Day: day, Fen: m.PayoutFen}
		if m.To != 0 {
			ended.To = s.account(m.To)
		}
		return ended, true
	}
	return nil, false
}

func (t *telling) keep(m *bank.DepositHeldAmount, asked int64, queue int) (serial.Step, bool) {
	return serial.Keep{
		Stop: t.world.stop(m.HoldID).place, Contract: t.world.place(m.DepositNo), Fen: m.AmountFen, Asked: asked,
		Until: t.untilOf(m.Until), Day: t.dayOf(t.date), Queue: queue,
	}, true
}

var stopKinds = map[bank.Restriction]serial.Kind{
	bank.DebitStop: serial.DebitStop, bank.AllStop: serial.AllStop, bank.ReportedLost: serial.Suspended,
	bank.FrozenAll: serial.FrozenAll, bank.PartialFrozen: serial.FrozenPart,
}

// undone is what an event put right.
func (t *telling) undone(_ *operation, e bank.Event) (serial.Step, bool) {
	s := t.simulation
	switch m := e.(type) {
	case *bank.TransferReturned:
		f := s.world.flights[m.TxnID]
		t.agree(m.AmountFen, t.op.(*bank.ReturnTransfer).AmountFen)
		return serial.Return{Account: s.account(f.account), Transfer: f.place, Fen: m.AmountFen, Of: f.fen}, true
	case *bank.FeeRefunded:
		f := s.world.flights[m.TxnID]
		t.agree(m.AmountFen, t.op.(*bank.RefundFee).AmountFen)
		return serial.Return{Account: s.account(f.account), Transfer: f.place, Fen: m.AmountFen, Of: f.fee, Fee: true}, true
	case *bank.TransactionReversed:
		f := s.world.flights[m.TxnID]
		undo := serial.Undo{Transfer: f.place, From: -1, To: -1, Fen: f.fen, Fee: f.fee, Shortfall: m.ShortfallFen}
		switch {
		case f.payee != 0:
			undo.From, undo.To = s.account(f.account), s.account(f.payee)
			for _, e := range t.others {
				if taken, ok := e.(*bank.TransactionReversed); ok {
					undo.Shortfall = taken.ShortfallFen
				}
			}
		case f.out:
			undo.From = s.account(f.account)
		default:
			undo.To = s.account(f.account)
		}
		return undo, true
	case *bank.AdvanceCollected:
		if _, ok := t.op.(*bank.CollectAdvance); !ok && !t.internal {
			return nil, true // with the credit
		}
		return serial.Collected{Account: s.account(m.AccountNo), Fen: m.AmountFen, Loose: s.elsewhere}, true
	case *bank.ShortageClaimed:
		f := s.world.flights[m.TxnID]
		return serial.Claim{Account: s.account(f.account), Transfer: f.place}, true
	case *bank.ShortageSettled:
		f := s.world.flights[m.TxnID]
		t.agree(m.AmountFen, f.fen)
		return serial.RepayClaim{Account: s.account(f.account), Transfer: f.place, Fen: f.fen}, true
	}
	return nil, false
}

func (t *telling) answered(m *bank.TransferSettled, success bool) serial.Step {
	if t.op.(*bank.ChannelResult).Success != success {
		t.failf("%s: settled otherwise: %+v", t.text, m)
	}
	f := t.world.flights[m.TxnID]
	return serial.Answer{
		Account: t.account(m.AccountNo), Transfer: f.place, Fen: f.fen, Fee: f.fee, Out: f.out, Success: success,
		Counted: f.out && !f.bound, Day: t.dayOf(f.requested),
	}
}

// collect is what a credit repays at once of what its owner owes, as the events say. A reversal that came to be owed
// meanwhile, with a ledger elsewhere or in one round, is left to the next credit.
func (t *telling) collect(op *operation, events []bank.Event, account bank.AccountNo) (c serial.Collect) {
	c.Loose = t.elsewhere || op != nil && t.meets(op, func(c bank.Command) bool {
		_, reverses := c.(*bank.ReverseTransaction)
		return reverses
	})
	for _, e := range events {
		if m, ok := e.(*bank.AdvanceCollected); ok && m.AccountNo == account {
			c.Collects, c.Collected = true, m.AmountFen
		}
	}
	return c
}

// permit tells whether an account may have been stopped behind the permit to credit it: with a ledger elsewhere, or in
// one round.
func (s *simulation) permit(op *operation, account bank.AccountNo) serial.Permit {
	return serial.Permit{Before: s.meets(op, func(c bank.Command) bool {
		switch m := c.(type) {
		case *bank.RestrictAccount:
			return m.Account == account && m.Kind == bank.AllStop
		case *bank.PrepareClosing:
			return m.Account == account
		}
		return false
	})}
}

// unseen is what others may have paid into an account without its customer's knowledge when he decided the operation:
// with a ledger elsewhere, or in one round. It is held as soon as it is seen.
func (s *simulation) unseen(op *operation, account bank.AccountNo) (fen int64) {
	for _, o := range s.ops {
		if !op.meets(o) {
			continue
		}
		switch m := o.command.(type) {
		case *bank.TransferInternal:
			if m.Payee == account {
				fen += m.AmountFen
			}
		case *bank.EndSuspense:
			if m.Account == account {
				fen += m.AmountFen
			}
		}
	}
	return fen
}

// meets reports whether a command of some kind was under way at the same time as an operation.
func (s *simulation) meets(op *operation, kind func(bank.Command) bool) bool {
	return slices.ContainsFunc(s.ops, func(o *operation) bool { return kind(o.command) && op.meets(o) })
}

// meets reports whether two operations were under way at the same time.
func (op *operation) meets(o *operation) bool {
	return o != op && o.call <= op.back && (o.back == 0 || o.back >= op.call)
}

// agree checks that what was done is what was asked.
func (t *telling) agree(got, want int64) {
	if got != want {
		t.failf("%s: %d fen were moved, not %d", t.text, got, want)
	}
}
