package actors

import (
	"fmt"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/serial"
)

func personIndex(token string) (i int) {
	if _, err := fmt.Sscanf(token, "person %d", &i); err != nil {
		panic(err)
	}
	return i
}

// refused is what must have been so for an operation to be refused.
func (s *simulation) refused(op *operation) []serial.Step {
	code := op.receipt.Refusal.Code
	if op.doomed != "" && code == op.doomed {
		return nil
	}
	if code == bank.RefusedByLedger && s.elsewhere {
		// Its answer was lost: any of the reasons that the ledger may have.
		var reasons serial.AnyOf
		for _, code := range []bank.RefusalCode{bank.InsufficientFunds, bank.BalanceCap, bank.OverLine, bank.PayeeClosed, bank.AccountClosed} {
			if step, ok := s.reason(op, code); ok && step != nil {
				reasons = append(reasons, step)
			}
		}
		return []serial.Step{reasons}
	}
	step, ok := s.reason(op, code)
	switch {
	case !ok:
		s.failf("%s: refused for %s, and there is no reason", op.text(), code)
		return nil
	case step == nil:
		return nil
	}
	return []serial.Step{step}
}

// sides are what a command moves, as far as a refusal may be about it.
type sides struct {
	debit, credit bank.AccountNo
	fen, fee      int64
	own           bool // the account credited is that of who asks
	act           serial.Act
}

func sidesOf(command bank.Command) (x sides) {
	x.fee = feeOf(command)
	switch m := command.(type) {
	case *bank.TransferInternal:
		x.debit, x.credit, x.fen = m.Payer, m.Payee, m.AmountFen
	case *bank.TransferOut:
		x.debit, x.fen = m.Account, m.AmountFen
	case *bank.TransferIn:
		x.credit, x.fen, x.own, x.act = m.Account, m.AmountFen, true, serial.Crediting
	case *bank.CreditInbound:
		x.credit, x.fen, x.own, x.act = m.Account, m.AmountFen, true, serial.Crediting
	case *bank.BuyDeposit:
		x.debit, x.fen = m.Account, m.AmountFen
	case *bank.DrawLoan:
		x.credit, x.fen, x.own, x.act = m.Account, m.AmountFen, true, serial.Drawing
	case *bank.PlaceHold:
		x.debit, x.fen = m.Account, m.AmountFen
	case *bank.RestrictAccount:
		x.debit = m.Account
	case *bank.PrepareClosing:
		x.debit = m.Account
	case *bank.WithdrawClosing:
		x.debit = m.Account
	case *bank.CloseAccount:
		x.debit, x.credit, x.own, x.act = m.Account, m.To, true, serial.Crediting
	case *bank.SetLimits:
		x.debit = m.Account
	case *bank.AddCard:
		x.debit = m.Account
	case *bank.RemoveCard:
		x.debit = m.Account
	case *bank.EndSuspense:
		x.credit, x.fen = m.Account, m.AmountFen
	case *bank.CollectAdvance:
		x.debit = m.Account
	}
	return x
}

// sides of an operation, also those that only the world knows of.
func (s *simulation) sides(op *operation) sides {
	x := sidesOf(op.command)
	switch m := op.command.(type) {
	case *bank.RedeemDeposit:
		x.credit, x.own, x.act = s.deposit(m.Deposit).account, true, serial.Crediting
	case *bank.RepayLoan:
		loan := s.world.loans[slices.IndexFunc(s.world.loans, func(c contractKnown) bool { return c.no == m.Loan })]
		x.debit, x.fen = loan.account, loan.fen+loan.fen/100 // with interest
	case *bank.ReturnTransfer:
		x.credit = s.world.flights[m.Transfer].account
	case *bank.RefundFee:
		x.credit = s.world.flights[m.Transfer].account
	case *bank.ReverseTransaction:
		x.debit, x.credit = s.world.flights[m.Transfer].account, s.world.flights[m.Transfer].payee
	case *bank.RepayShortage:
		f := s.world.flights[m.Transfer]
		x.debit, x.fen = f.account, f.fen
	}
	return x
}

func (s *simulation) deposit(no bank.ContractNo) contractKnown {
	return s.world.deposits[slices.IndexFunc(s.world.deposits, func(c contractKnown) bool { return c.no == no })]
}

// reason is what a refusal with the code says is so; nil: what can't be otherwise; false: it is none of this command.
func (s *simulation) reason(op *operation, code bank.RefusalCode) (serial.Step, bool) {
	x, day := s.sides(op), s.dayOf(op.receipt.Date)
	var debit, credit int
	if debit, credit = -1, -1; x.debit != 0 {
		debit = s.account(x.debit)
	}
	if x.credit != 0 {
		credit = s.account(x.credit)
	}
	one := credit // whose state or restrictions are meant
	if debit >= 0 {
		one = debit
	}
	switch code {
	case bank.InsufficientFunds:
		if m, ok := op.command.(*bank.DrawLoan); ok {
			return serial.Lacks{Contract: s.world.place(m.Line), Fen: m.AmountFen}, true
		}
		slack := int64(0)
		if _, ok := op.command.(*bank.PlaceHold); ok {
			slack = s.slack(op, x.debit)
		}
		return serial.LacksFunds{Account: debit, Fen: x.fen + x.fee, Slack: slack}, debit >= 0
	case bank.DayOutLimit:
		return serial.OverDay{Account: debit, Out: true, Fen: x.fen, Slack: s.slack(op, x.debit), Day: day}, debit >= 0
	case bank.TransactionLimit:
		return serial.OverOne{Account: debit, Fen: x.fen}, debit >= 0
	case bank.DayInLimit:
		return serial.OverDay{Account: credit, Fen: x.fen, Slack: s.slack(op, x.credit), Day: day}, credit >= 0
	case bank.BalanceCap:
		return serial.OverCap{Account: credit, Fen: x.fen, Slack: s.slack(op, x.credit)}, credit >= 0
	case bank.ClassNotAllowed:
		switch m := op.command.(type) {
		case *bank.BuyDeposit:
			return nil, m.Account.Class() == 3
		case *bank.CloseAccount:
			return nil, m.To.Class() == 3
		}
		if s.elsewhere && s.slack(op, x.credit) > 0 {
			return nil, true // the first money from his card may be under way
		}
		return serial.Unmet{Account: credit}, credit >= 0
	case bank.AccountIsRestricted:
		if _, closes := op.command.(*bank.CloseAccount); closes || debit < 0 {
			one = credit
		}
		return serial.Forbidden{Account: one, Act: x.act, Day: day}, one >= 0
	case bank.FundsFrozen:
		return serial.Forbidden{Account: debit, Short: true, Day: day}, debit >= 0
	case bank.AccountIsClosing:
		if _, closes := op.command.(*bank.CloseAccount); closes {
			one = credit
		}
		return serial.State{Account: one, Closing: true}, one >= 0
	case bank.AccountClosed:
		var either serial.AnyOf
		for _, no := range []int{debit, credit} {
			if no >= 0 {
				either = append(either, serial.State{Account: no, Closed: true})
			}
		}
		return either, len(either) > 0
	case bank.PayeeClosed:
		return serial.State{Account: credit, Either: true, Day: day}, credit >= 0 && !x.own
	case bank.AccountNotClosing:
		return serial.State{Account: debit}, debit >= 0
	case bank.AccountInUse:
		return serial.InUse{Account: debit}, debit >= 0
	case bank.AccountBusy:
		return nil, s.elsewhere
	case bank.SameAccount:
		m, ok := op.command.(*bank.TransferInternal)
		return nil, ok && m.Payer == m.Payee
	}
	return s.rareReason(op, code)
}

func (s *simulation) rareReason(op *operation, code bank.RefusalCode) (serial.Step, bool) {
	held := func(id bank.TxnID, below int64) (serial.Step, bool) {
		k := s.world.stop(id)
		if k.deposit != 0 {
			return nil, true // of an account there is no such hold
		}
		return serial.Held{Stop: k.place, Account: s.account(k.account), Over: below == 0, Below: below}, true
	}
	switch m := op.command.(type) {
	case *bank.ChannelResult:
		f := s.world.flights[m.Transfer]
		return serial.Transferred{Transfer: f.place, Is: serial.Settled}, code == bank.TransferSettledElse
	case *bank.MarkUnknown:
		return nil, code == bank.TransferSettledElse // it is, or it is marked already
	case *bank.RedeemDeposit:
		at := s.world.place(m.Deposit)
		switch code {
		case bank.DepositClosed:
			return serial.Lacks{Contract: at, Fen: 1}, true
		case bank.OverDeposit:
			return serial.Lacks{Contract: at, Fen: m.AmountFen}, true
		case bank.DepositHeld:
			return serial.Lacks{Contract: at, Fen: s.redeemed(m), Free: true}, true
		case bank.RestBelowMinimum:
			return serial.Leaves{Contract: at, Fen: m.AmountFen, Min: minimumFen}, true
		case bank.AmountInvalid: // past its term it is paid out whole
			return nil, op.receipt.Date >= s.matures(m.Deposit)
		}
	case *bank.ChangeRollover:
		switch code {
		case bank.DepositClosed:
			return serial.Lacks{Contract: s.world.place(m.Deposit), Fen: 1}, true
		case bank.DepositMature:
			return nil, op.receipt.Date >= s.matures(m.Deposit)
		}
	case *bank.HoldDeposit:
		switch at := s.world.place(m.Deposit); code {
		case bank.DepositClosed:
			return serial.Lacks{Contract: at, Fen: 1}, true
		case bank.OverDeposit:
			return serial.Lacks{Contract: at, Fen: m.AmountFen, Free: true}, m.Kind != bank.DepositFreeze
		case bank.DateNotAllowed:
			return nil, m.Until != 0 && m.Until < op.receipt.Date
		}
	case *bank.ReleaseDepositHold:
		return serial.Held{Stop: s.world.stop(m.Hold).place, Over: true}, code == bank.DepositHoldUnknown
	case *bank.DrawLoan:
		return serial.Lacks{Contract: s.world.place(m.Line), Fen: m.AmountFen}, code == bank.OverLine
	case *bank.RepayLoan:
		return serial.Lacks{Contract: s.world.place(m.Loan), Fen: 1}, code == bank.LoanClosed
	case *bank.RegisterCustomer:
		return serial.Registered{Person: personIndex(op.person)}, code == bank.CustomerExists
	case *bank.OpenAccount:
		return nil, code == bank.AccountsMax
	case *bank.RestrictAccount:
		return nil, code == bank.FieldInvalid && m.Until != 0 && m.Until < op.receipt.Date
	case *bank.PlaceHold:
		return nil, code == bank.FieldInvalid && m.Until != 0 && m.Until < op.receipt.Date
	case *bank.RenewRestriction:
		if code == bank.FieldInvalid {
			return nil, true // it is over, or would be: the dates are judged with what it forbids
		}
		step, _ := held(m.Restriction, 0)
		return step, code == bank.RestrictionUnknown
	case *bank.ReleaseRestriction:
		step, _ := held(m.Restriction, 0)
		return step, code == bank.RestrictionUnknown
	case *bank.ReleaseHold:
		step, _ := held(m.Hold, 0)
		return step, code == bank.HoldUnknown
	case *bank.DeductHold:
		switch code {
		case bank.OverHold:
			return held(m.Hold, m.AmountFen)
		case bank.HoldUnknown: // over, or a waiting one, which holds nothing yet, or no freeze
			return nil, true
		}
	case *bank.RemitDeduction:
		return nil, code == bank.DeductionUnknown
	default:
		return s.undoReason(op, code)
	}
	return nil, false
}

func (s *simulation) undoReason(op *operation, code bank.RefusalCode) (serial.Step, bool) {
	var txn bank.TxnID
	fee := false
	fen := int64(0)
	switch m := op.command.(type) {
	case *bank.TransferIn:
		return s.cardReason(m.Account, m.CardToken, op, code)
	case *bank.TransferOut:
		return s.cardReason(m.Account, m.CardToken, op, code)
	case *bank.CreditInbound:
		return s.cardReason(m.Account, m.PayerToken, op, code)
	case *bank.CloseAccount:
		return s.cardReason(m.Account, m.CardToken, op, code)
	case *bank.AddCard:
		return s.cardReason(m.Account, m.Card.Token, op, code)
	case *bank.RemoveCard:
		return s.cardReason(m.Account, m.CardToken, op, code)
	case *bank.CollectAdvance:
		return serial.OwesNothing{Account: s.account(m.Account)}, code == bank.NothingOwed
	case *bank.EndSuspense:
		return serial.Lacks{Contract: s.world.place(m.Txn), Fen: 1}, code == bank.SuspenseUnknown
	case *bank.ReverseTransaction:
		txn = m.Transfer
	case *bank.ReturnTransfer:
		txn, fen = m.Transfer, m.AmountFen
	case *bank.RefundFee:
		txn, fen, fee = m.Transfer, m.AmountFen, true
	case *bank.ClaimShortage:
		txn = m.Transfer
	case *bank.RepayShortage:
		txn = m.Transfer
	default:
		return nil, false
	}
	f := s.world.flights[txn]
	is := serial.Transferred{Account: s.account(f.account), Transfer: f.place, Fen: fen, Of: f.fen, Fee: fee}
	if fee {
		is.Of = f.fee
	}
	switch code {
	case bank.TransferNotSettled:
		is.Is = serial.Unsettled
	case bank.AlreadyReversed:
		is.Is = serial.Reversed
	case bank.OverOriginal:
		is.Is = serial.Over
	case bank.AlreadyResolved:
		is.Is = serial.Claimed
	case bank.NothingOwed:
		is.Is = serial.Unclaimed
	case bank.NotReversible:
		is.Is = serial.Marred
		switch op.command.(type) {
		case *bank.ReturnTransfer:
			if !f.out {
				return nil, true // nothing went out
			}
			is.Is = serial.Failed
		case *bank.RefundFee:
			if f.fee == 0 {
				return nil, true
			}
			is.Is = serial.Failed
		case *bank.ClaimShortage:
			if !f.out {
				return nil, true
			}
			is.Is = serial.Succeeded
		}
	default:
		return nil, false
	}
	return is, true
}

func (s *simulation) cardReason(account bank.AccountNo, token string, op *operation, code bank.RefusalCode) (serial.Step, bool) {
	is := serial.Card{Account: s.account(account), Card: cardNumber(token)}
	switch code {
	case bank.CardUnknown:
		return is, true
	case bank.BoundCardRequired:
		return serial.Card{Account: is.Account, None: true}, true
	case bank.FieldInvalid: // it says it comes from a card that is none of his
		return is, true
	case bank.CardExists:
		is.Bound = true
		return is, true
	case bank.LastCard:
		is.Bound, is.Last = true, true
		return is, true
	case bank.CardTooNew:
		if token == "" {
			return serial.Card{Account: is.Account, Any: true, Fresh: op.receipt.Time / 1e6}, true
		}
		is.Bound, is.Fresh = true, op.receipt.Time/1e6
		return is, true
	}
	return nil, false
}

// slack is what others had reserved of an account's limits, at most, while the operation was under way and
// the ledger had not answered them.
func (s *simulation) slack(op *operation, no bank.AccountNo) (fen int64) {
	if !s.elsewhere {
		return 0 // it answers at once
	}
	for _, o := range s.ops {
		if o.command == nil || !op.meets(o) {
			continue
		}
		if x := sidesOf(o.command); x.debit == no || x.credit == no {
			fen += x.fen + x.fee
		}
		if m, ok := o.command.(*bank.ChannelResult); ok {
			if f := s.world.flights[m.Transfer]; f != nil && f.account == no {
				fen += f.fen + f.fee
			}
		}
	}
	return fen
}
