package ingress

import (
	"github.com/suanpan-bank/suanpan/bank"
)

// Operations on a term deposit, from its purchase to its end.

type depositRequest struct {
	AccountNo string `json:"account_no"`
	Product   string `json:"product"`
	AmountFen int64  `json:"amount_fen"`
	Rollover  string `json:"rollover,omitzero"`
	Channel   string `json:"channel,omitzero"`
	// AgreementVersion is that of the agreement the customer has accepted.
	AgreementVersion string `json:"agreement_version,omitzero"`
}

func buyDeposit(_ *Server, in *depositRequest, _ []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.BuyDeposit{
		Account: f.account("account_no", in.AccountNo, bank.AccountUnknown), Product: f.text("product", in.Product, true, codeMax),
		AmountFen: f.money("amount_fen", in.AmountFen), Rollover: f.rollover(in.Rollover), Channel: f.channel(in.Channel),
		AgreementVersion: f.text("agreement_version", in.AgreementVersion, false, codeMax),
	}
	return cmd, f.p
}

type redemptionRequest struct {
	AmountFen int64  `json:"amount_fen,omitzero"`
	All       bool   `json:"all,omitzero"`
	Channel   string `json:"channel,omitzero"`
}

func redeemDeposit(_ *Server, in *redemptionRequest, args []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.RedeemDeposit{
		Deposit:   f.contract("deposit_id", args[0], bank.DepositContract, bank.DepositUnknown),
		AmountFen: in.AmountFen, All: in.All, Channel: f.channel(in.Channel),
	}
	f.eitherAmountOr("all", in.All, in.AmountFen)
	return cmd, f.p
}

type rolloverRequest struct {
	Rollover string `json:"rollover"`
	Channel  string `json:"channel,omitzero"`
}

type rolloverReply struct {
	DepositID bank.ContractNo `json:"deposit_id"`
	Rollover  bank.Rollover   `json:"rollover"`
	Previous  bank.Rollover   `json:"previous"`
}

func changeRollover(_ *Server, in *rolloverRequest, args []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.ChangeRollover{
		Deposit:  f.contract("deposit_id", args[0], bank.DepositContract, bank.DepositUnknown),
		Rollover: f.rollover(f.text("rollover", in.Rollover, true, purposeMax)), Channel: f.channel(in.Channel),
	}
	return cmd, f.p
}

func (f *fields) rollover(value string) bank.Rollover {
	choice := bank.Rollover(value)
	switch choice {
	case "", bank.RolloverNone, bank.RolloverPrincipal, bank.RolloverPrincipalAndInterest:
	default:
		f.fail(string(bank.FieldInvalid), "rollover", "NONE, PRINCIPAL or PRINCIPAL_AND_INTEREST")
	}
	return choice
}

func rolloverChanged(r *bank.Receipt) any {
	e, _ := find[*bank.RolloverChanged](r)
	return rolloverReply{e.DepositNo, e.Rollover, e.Previous}
}

type depositHoldRequest struct {
	AmountFen    int64  `json:"amount_fen"`
	Until        string `json:"until,omitzero"` // the last day
	DocumentHash string `json:"document_hash,omitzero"`
	Channel      string `json:"channel,omitzero"`
}

type depositHoldReply struct {
	DepositID bank.ContractNo      `json:"deposit_id"`
	HoldID    bank.TxnID           `json:"hold_id"`
	Kind      bank.DepositHoldKind `json:"kind"`
	AmountFen int64                `json:"amount_fen"` // held; of a release what was
	Until     bank.Date            `json:"until,omitzero"`
}

type depositFreezeReply struct {
	depositHoldReply
	AskedFen      int64 `json:"asked_fen"`
	ShortfallFen  int64 `json:"shortfall_fen"`  // taken as soon as it is free
	QueuePosition int   `json:"queue_position"` // among the waiting freezes; 0: in effect
}

func proveDeposit(_ *Server, in *depositHoldRequest, args []string) (bank.Command, *problem) {
	cmd, f := holdDeposit(bank.DepositProof, in, args)
	f.text("until", in.Until, true, codeMax)
	return cmd, f.p
}

func pledgeDeposit(_ *Server, in *depositHoldRequest, args []string) (bank.Command, *problem) {
	cmd, f := holdDeposit(bank.DepositPledge, in, args)
	return cmd, f.p
}

type depositFreezeRequest struct {
	AmountFen  int64  `json:"amount_fen"`
	Authority  string `json:"authority"`
	DocumentNo string `json:"document_no"`
	Until      string `json:"until,omitzero"` // the last day; none: a year
	Channel    string `json:"channel,omitzero"`
}

func freezeDeposit(_ *Server, in *depositFreezeRequest, args []string) (bank.Command, *problem) {
	cmd, f := holdDeposit(bank.DepositFreeze, &depositHoldRequest{AmountFen: in.AmountFen, Until: in.Until, Channel: in.Channel}, args)
	cmd.Authority = f.text("authority", in.Authority, true, authorityMax)
	cmd.DocumentNo = f.text("document_no", in.DocumentNo, true, documentMax)
	return cmd, f.p
}

func depositFrozen(r *bank.Receipt) any {
	e, _ := find[*bank.DepositFrozen](r)
	return depositFreezeReply{
		depositHoldReply{e.DepositNo, e.HoldID, bank.DepositFreeze, e.AmountFen, e.Until}, e.AskedFen, e.ShortfallFen, e.QueuePosition,
	}
}

func renewDepositFreeze(_ *Server, in *renewalRequest, args []string) (bank.Command, *problem) {
	var f fields
	f.text("until", in.Until, true, codeMax)
	return &bank.RenewDepositFreeze{
		Deposit: f.contract("deposit_id", args[0], bank.DepositContract, bank.DepositUnknown),
		Hold:    f.business("hold_id", args[1], bank.DepositHoldUnknown), Until: f.date("until", in.Until),
		DocumentNo: f.text("document_no", in.DocumentNo, false, documentMax), Channel: f.operatorChannel(in.Channel),
	}, f.p
}

type depositRenewalReply struct {
	DepositID bank.ContractNo `json:"deposit_id"`
	HoldID    bank.TxnID      `json:"hold_id"`
	Until     bank.Date       `json:"until"`
	Previous  bank.Date       `json:"previous_until"`
}

func depositFreezeRenewed(r *bank.Receipt) any {
	e, _ := find[*bank.DepositFreezeRenewed](r)
	return depositRenewalReply{e.DepositNo, e.HoldID, e.Until, e.Previous}
}

func deductDeposit(_ *Server, in *deductionRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.DeductDeposit{
		Deposit: f.contract("deposit_id", args[0], bank.DepositContract, bank.DepositUnknown),
		Hold:    f.business("hold_id", args[1], bank.DepositHoldUnknown), AmountFen: f.money("amount_fen", in.AmountFen),
		DocumentNo: f.text("document_no", in.DocumentNo, true, documentMax), Channel: f.operatorChannel(in.Channel),
	}, f.p
}

type depositDeductionReply struct {
	DeductionID        bank.TxnID      `json:"deduction_id"`
	DepositID          bank.ContractNo `json:"deposit_id"`
	HoldID             bank.TxnID      `json:"hold_id"`
	AmountFen          int64           `json:"amount_fen"`           // of the principal, for whoever ordered it
	HeldFen            int64           `json:"held_fen"`             // in the freeze afterwards
	RemainingFen       int64           `json:"remaining_fen"`        // of the principal
	InterestFen        int64           `json:"interest_fen"`         // to the e-account, as the next
	OverdueInterestFen int64           `json:"overdue_interest_fen"` // of the days past the term
	TaxFen             int64           `json:"tax_fen"`
	Balances           []bank.Balance  `json:"balances"`
}

func depositDeducted(r *bank.Receipt) any {
	e, _ := find[*bank.DepositDeducted](r)
	return depositDeductionReply{
		e.DeductionID, e.DepositNo, e.HoldID, e.PrincipalFen, e.HeldFen, e.RemainingFen, e.InterestFen, e.OverdueInterestFen, e.TaxFen, r.Balances,
	}
}

func holdDeposit(kind bank.DepositHoldKind, in *depositHoldRequest, args []string) (*bank.HoldDeposit, *fields) {
	var f fields
	return &bank.HoldDeposit{
		Deposit: f.contract("deposit_id", args[0], bank.DepositContract, bank.DepositUnknown), Kind: kind,
		AmountFen: f.money("amount_fen", in.AmountFen), Until: f.date("until", in.Until),
		DocumentHash: f.text("document_hash", in.DocumentHash, false, hashMax), Channel: f.channel(in.Channel),
	}, &f
}

func depositHeld(r *bank.Receipt) any {
	if e, ok := find[*bank.DepositPledged](r); ok {
		return depositHoldReply{e.DepositNo, e.HoldID, bank.DepositPledge, e.AmountFen, e.Until}
	}
	e, _ := find[*bank.DepositProofIssued](r)
	return depositHoldReply{e.DepositNo, e.HoldID, bank.DepositProof, e.AmountFen, e.Until}
}

type depositReleaseRequest struct {
	DocumentNo string `json:"document_no,omitzero"` // of the order that lifts a freeze
	Channel    string `json:"channel,omitzero"`
}

func releaseDeposit(_ *Server, in *depositReleaseRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.ReleaseDepositHold{
		Deposit: f.contract("deposit_id", args[0], bank.DepositContract, bank.DepositUnknown),
		Hold:    f.business("hold_id", args[1], bank.DepositHoldUnknown), DocumentNo: f.text("document_no", in.DocumentNo, false, documentMax),
		Channel: f.channel(in.Channel),
	}, f.p
}

type depositReleaseReply struct {
	depositHoldReply
	// Applied are the freezes that what became free has gone to, in their order.
	Applied []bank.TxnID `json:"applied_hold_ids"`
}

func depositReleased(r *bank.Receipt) any {
	out := depositReleaseReply{Applied: []bank.TxnID{}}
	for _, e := range r.Events {
		switch m := e.(type) {
		case *bank.DepositHoldReleased:
			out.depositHoldReply = depositHoldReply{DepositID: m.DepositNo, HoldID: m.HoldID, Kind: m.Kind, AmountFen: m.AmountFen}
		case *bank.DepositFreezeApplied:
			out.Applied = append(out.Applied, m.HoldID)
		}
	}
	return out
}
