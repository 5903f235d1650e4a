package ingress

import (
	"github.com/suanpan-bank/suanpan/bank"
)

// Applications, drawdowns and repayments.

type applicationRequest struct {
	CustomerID       string `json:"customer_id"`
	Product          string `json:"product"`
	AmountFen        int64  `json:"amount_fen"`
	TermMonths       int    `json:"term_months"`
	Purpose          string `json:"purpose"`
	MonthlyIncomeFen int64  `json:"monthly_income_fen,omitzero"`
	ConsentHash      string `json:"consent_hash,omitzero"`
	Channel          string `json:"channel,omitzero"`
}

func applyLoan(_ *Server, in *applicationRequest, _ []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.ApplyLoan{
		Customer: f.customer("customer_id", in.CustomerID), Product: f.text("product", in.Product, true, codeMax),
		AmountFen: f.money("amount_fen", in.AmountFen), TermMonths: in.TermMonths, Purpose: f.text("purpose", in.Purpose, true, purposeMax),
		IncomeFen: in.MonthlyIncomeFen, ConsentHash: f.text("consent_hash", in.ConsentHash, false, hashMax), Channel: f.channel(in.Channel),
	}
	if in.MonthlyIncomeFen != 0 {
		f.money("monthly_income_fen", in.MonthlyIncomeFen)
	}
	return cmd, f.p
}

type drawdownRequest struct {
	AccountNo string `json:"account_no"`
	AmountFen int64  `json:"amount_fen"`
	Method    string `json:"method"`
	Periods   int    `json:"periods"`
	DueDay    int    `json:"due_day,omitzero"`
	Channel   string `json:"channel,omitzero"`
}

func drawLoan(_ *Server, in *drawdownRequest, args []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.DrawLoan{
		Line: f.contract("line_id", args[0], bank.LineContract, bank.LineUnknown), Account: f.account("account_no", in.AccountNo, bank.AccountUnknown),
		AmountFen: f.money("amount_fen", in.AmountFen), Method: bank.RepaymentMethod(f.text("method", in.Method, true, codeMax)),
		Periods: in.Periods, DueDay: in.DueDay, Channel: f.channel(in.Channel),
	}
	return cmd, f.p
}

type repaymentRequest struct {
	AmountFen int64  `json:"amount_fen,omitzero"`
	Settle    bool   `json:"settle,omitzero"`
	AccountNo string `json:"account_no,omitzero"`
	Mode      string `json:"mode,omitzero"`
	Channel   string `json:"channel,omitzero"`
}

func repayLoan(_ *Server, in *repaymentRequest, args []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.RepayLoan{
		Loan:      f.contract("loan_id", args[0], bank.LoanContract, bank.LoanUnknown),
		AmountFen: in.AmountFen, Settle: in.Settle, Mode: bank.PrepaymentMode(in.Mode), Channel: f.channel(in.Channel),
	}
	if in.AccountNo != "" {
		cmd.Account = f.account("account_no", in.AccountNo, bank.AccountUnknown)
	}
	f.eitherAmountOr("settle", in.Settle, in.AmountFen)
	switch cmd.Mode {
	case "", bank.ReduceAmount, bank.ReduceTerm:
	default:
		f.fail(string(bank.FieldInvalid), "mode", "REDUCE_AMOUNT or REDUCE_TERM")
	}
	return cmd, f.p
}
