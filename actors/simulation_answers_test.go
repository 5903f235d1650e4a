package actors

import (
	"fmt"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/serial"
)

// What an answer means to a bank that does one thing at a time.

const (
	classIIFen = 1_000_000 // in or out a day (SPEC 2.4)
	minimumFen = 5000      // of a deposit
)

func (s *simulation) account(no bank.AccountNo) int { return slices.Index(s.world.accounts, no) }

func (s *simulation) day(d bank.Date) int {
	if d > s.firstDay {
		return 1
	}
	return 0
}

func dayMax(no bank.AccountNo) int64 {
	if no.Class() == 2 {
		return classIIFen
	}
	return 0
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
	for _, e := range r.Events {
		if step := s.done(op, e); step != nil {
			steps = append(steps, step)
		}
	}
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

func (s *simulation) done(op *operation, e bank.Event) serial.Step {
	day := s.day(op.receipt.Date)
	switch m := e.(type) {
	case *bank.CustomerRegistered:
		return serial.Register{Person: personIndex(m.Person.IDToken)}
	case *bank.AccountOpened:
		return serial.Open{Account: s.account(m.AccountNo)}
	case *bank.InboundCredited:
		s.agree(op, m.AmountFen, op.command.(*bank.CreditInbound).AmountFen)
		return serial.Credit{Account: s.account(m.AccountNo), Fen: m.AmountFen, Day: day, DayMax: dayMax(m.AccountNo), NotCounted: m.Bound}
	case *bank.InternalTransferred:
		s.agree(op, m.AmountFen, op.command.(*bank.TransferInternal).AmountFen)
		return serial.Pay{
			From: s.account(m.Payer), To: s.account(m.Payee), Fen: m.AmountFen, Day: day, OutMax: dayMax(m.Payer), InMax: dayMax(m.Payee),
		}
	case *bank.TransferInRequested:
		s.agree(op, m.AmountFen, op.command.(*bank.TransferIn).AmountFen)
		return serial.Ask{Account: s.account(m.AccountNo), Transfer: s.world.transfers[m.TxnID].place, Fen: m.AmountFen}
	case *bank.TransferOutRequested:
		s.agree(op, m.AmountFen, op.command.(*bank.TransferOut).AmountFen)
		return serial.Ask{
			Account: s.account(m.AccountNo), Transfer: s.world.transfers[m.TxnID].place, Fen: m.AmountFen + m.FeeFen,
			Out: true, Counted: !m.Bound, Day: day, OutMax: dayMax(m.AccountNo),
		}
	case *bank.TransferInSucceeded:
		return s.answered(op, &m.TransferSettled, true)
	case *bank.TransferOutSucceeded:
		return s.answered(op, &m.TransferSettled, true)
	case *bank.TransferInFailed:
		return s.answered(op, &m.TransferSettled, false)
	case *bank.TransferOutFailed:
		return s.answered(op, &m.TransferSettled, false)
	case *bank.DepositOpened:
		s.agree(op, m.PrincipalFen, op.command.(*bank.BuyDeposit).AmountFen)
		return serial.Exchange{Account: s.account(m.AccountNo), Fen: -m.PrincipalFen, Changes: []serial.Change{
			{Contract: s.world.contract(m.DepositNo), Fen: m.PrincipalFen, Rest: m.PrincipalFen, New: true},
		}}
	case *bank.DepositRedeemedEarly:
		return serial.Exchange{Account: s.account(m.AccountNo), Fen: m.PrincipalFen + m.InterestFen - m.TaxFen, Changes: []serial.Change{
			{Contract: s.world.contract(m.DepositNo), Fen: -m.PrincipalFen, Rest: m.RemainingFen},
		}}
	case *bank.CreditLineGranted:
		return serial.Exchange{Account: -1, Changes: []serial.Change{{Contract: s.world.contract(m.LineNo), Fen: m.LimitFen, Rest: m.LimitFen, New: true}}}
	case *bank.LoanDisbursed:
		s.agree(op, m.PrincipalFen, op.command.(*bank.DrawLoan).AmountFen)
		return serial.Exchange{Account: s.account(m.AccountNo), Fen: m.PrincipalFen, Changes: []serial.Change{
			{Contract: s.world.contract(m.LineNo), Fen: -m.PrincipalFen, Rest: -1},
			{Contract: s.world.contract(m.LoanNo), Fen: m.PrincipalFen, Rest: m.PrincipalFen, New: true},
		}}
	case *bank.LoanPrepaid:
		return serial.Exchange{Account: s.account(m.AccountNo), Fen: -m.PrincipalFen - m.InterestFen - m.FeeFen, Changes: []serial.Change{
			{Contract: s.world.contract(m.LoanNo), Fen: -m.PrincipalFen, Rest: m.RemainingFen},
		}}
	case *bank.LoanSettled:
		return serial.Exchange{Account: s.account(m.AccountNo), Fen: -m.PrincipalFen - m.InterestFen - m.FeeFen, Changes: []serial.Change{
			{Contract: s.world.contract(m.LoanNo), Fen: -m.PrincipalFen, Rest: 0},
		}}
	case *bank.BoundCardAdded, *bank.LoanApplied, *bank.RiskDecided, *bank.LimitCounterChanged:
		return nil
	}
	s.failf("%s: what does %T do to money?", op.text(), e)
	return nil
}

func (s *simulation) answered(op *operation, m *bank.TransferSettled, success bool) serial.Step {
	if op.command.(*bank.ChannelResult).Success != success {
		s.failf("%s: settled otherwise: %+v", op.text(), m)
	}
	f := s.world.transfers[m.TxnID]
	return serial.Answer{
		Account: s.account(m.AccountNo), Transfer: f.place, Fen: f.fen, Out: f.out, Success: success,
		Counted: f.out && !f.bound, Day: s.day(f.requested),
	}
}

// agree checks that what was done is what was asked.
func (s *simulation) agree(op *operation, got, want int64) {
	if got != want {
		s.failf("%s: %d fen were moved", op.text(), got)
	}
}

func personIndex(token string) (i int) {
	if _, err := fmt.Sscanf(token, "person %d", &i); err != nil {
		panic(err)
	}
	return i
}

// refused is what must have been so for an operation to be refused.
func (s *simulation) refused(op *operation) []serial.Step {
	code := op.receipt.Refusal.Code
	if op.doomed != "" {
		if code != op.doomed {
			s.failf("%s: refused for %s, not for %s", op.text(), code, op.doomed)
		}
		return nil
	}
	if code == bank.RefusedByLedger && s.elsewhere {
		code = bank.InsufficientFunds // its answer was lost; there is no other reason here
	}
	var step serial.Step
	switch m := op.command.(type) {
	case *bank.TransferInternal:
		step = s.limited(op, code, m.Payer, m.Payee, m.AmountFen)
	case *bank.TransferOut:
		step = s.limited(op, code, m.Account, 0, m.AmountFen)
	case *bank.CreditInbound:
		step = s.limited(op, code, 0, m.Account, m.AmountFen)
	case *bank.ChannelResult:
		if f := s.world.transfers[m.Transfer]; f != nil && code == bank.TransferSettledElse {
			step = serial.Settled{Transfer: f.place}
		}
	case *bank.BuyDeposit:
		step = s.limited(op, code, m.Account, 0, m.AmountFen)
	case *bank.RedeemDeposit:
		at := s.world.contract(m.Deposit)
		switch code {
		case bank.DepositClosed:
			step = serial.Lacks{Contract: at, Fen: 1}
		case bank.OverDeposit:
			step = serial.Lacks{Contract: at, Fen: m.AmountFen}
		case bank.RestBelowMinimum:
			step = serial.Leaves{Contract: at, Fen: m.AmountFen, Min: minimumFen}
		}
	case *bank.DrawLoan:
		if code == bank.OverLine || code == bank.InsufficientFunds {
			step = serial.Lacks{Contract: s.world.contract(m.Line), Fen: m.AmountFen}
		}
	case *bank.RepayLoan:
		at := s.world.contract(m.Loan)
		loan := s.world.loans[slices.IndexFunc(s.world.loans, func(c contractKnown) bool { return c.no == m.Loan })]
		switch code {
		case bank.LoanClosed:
			step = serial.Lacks{Contract: at, Fen: 1}
		case bank.InsufficientFunds: // interest comes on top
			step = serial.LacksFunds{Account: s.account(loan.account), Fen: loan.fen + loan.fen/100}
		}
	case *bank.RegisterCustomer:
		if code == bank.CustomerExists {
			step = serial.Registered{Person: personIndex(op.person)}
		}
	case *bank.OpenAccount:
		if code == bank.AccountsMax {
			return nil
		}
	}
	if step == nil {
		s.failf("%s: refused for %s, and there is no reason", op.text(), code)
		return nil
	}
	return []serial.Step{step}
}

func (s *simulation) limited(op *operation, code bank.RefusalCode, payer, payee bank.AccountNo, fen int64) serial.Step {
	day := s.day(op.receipt.Date)
	switch {
	case code == bank.InsufficientFunds && payer != 0:
		return serial.LacksFunds{Account: s.account(payer), Fen: fen}
	case code == bank.DayOutLimit && payer != 0:
		return serial.OverDay{Account: s.account(payer), Out: true, Fen: fen, Slack: s.slack(op, payer), Day: day, Max: dayMax(payer)}
	case code == bank.DayInLimit && payee != 0:
		return serial.OverDay{Account: s.account(payee), Fen: fen, Slack: s.slack(op, payee), Day: day, Max: dayMax(payee)}
	}
	return nil
}

// slack is what others had reserved of an account's limits, at most, while the operation was under way and
// the ledger had not answered them.
func (s *simulation) slack(op *operation, no bank.AccountNo) (fen int64) {
	if !s.elsewhere {
		return 0 // it answers at once
	}
	for _, o := range s.ops {
		if o == op || o.command == nil || o.call > op.back || o.back > 0 && o.back < op.call {
			continue
		}
		switch m := o.command.(type) {
		case *bank.TransferInternal:
			if m.Payer == no || m.Payee == no {
				fen += m.AmountFen
			}
		case *bank.TransferOut:
			if m.Account == no {
				fen += m.AmountFen
			}
		case *bank.CreditInbound:
			if m.Account == no {
				fen += m.AmountFen
			}
		}
	}
	return fen
}
