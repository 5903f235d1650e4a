package ingress

import (
	"github.com/suanpan-bank/suanpan/bank"
)

// What is done to accounts themselves: identity, restrictions, holds, cards, limits and closing.

// Longest texts of orders, in characters.
const (
	authorityMax = 60
	documentMax  = 60
)

// business reads the number of a restriction, hold or deduction.
func (f *fields) business(field, value string, unknown bank.RefusalCode) bank.TxnID {
	id, err := bank.ParseTxnID(value)
	if err != nil {
		f.fail(string(unknown), field, "")
	}
	return id
}

type confirmationRequest struct {
	Channel string `json:"channel,omitzero"`
}

func confirmIdentity(_ *Server, in *confirmationRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.ConfirmIdentity{Customer: f.customer("customer_id", args[0]), Channel: f.channel(in.Channel)}, f.p
}

type confirmationReply struct {
	CustomerID  bank.CustomerNo  `json:"customer_id"`
	FaceToFace  bool             `json:"face_to_face"`
	Released    []bank.TxnID     `json:"released_restrictions"`
	Reactivated []bank.AccountNo `json:"reactivated_accounts"`
	Balances    []bank.Balance   `json:"balances"`
}

func identityConfirmed(r *bank.Receipt) any {
	out := confirmationReply{Released: []bank.TxnID{}, Reactivated: []bank.AccountNo{}, Balances: r.Balances}
	for _, e := range r.Events {
		switch m := e.(type) {
		case *bank.IdentityVerified:
			out.CustomerID, out.FaceToFace = m.CustomerNo, m.FaceToFace
		case *bank.AccountReleased:
			out.Released = append(out.Released, m.ID)
		case *bank.AccountReactivated:
			out.Reactivated = append(out.Reactivated, m.AccountNo)
		}
	}
	return out
}

type cardCheckRequest struct {
	Result         string `json:"result"`
	ProviderSerial string `json:"provider_serial,omitzero"`
	Reason         string `json:"reason,omitzero"`
	Channel        string `json:"channel,omitzero"`
}

func answerCardCheck(_ *Server, in *cardCheckRequest, args []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.AnswerCardCheck{
		Account: f.account("account_no", args[0], bank.AccountUnknown), ProviderSerial: f.text("provider_serial", in.ProviderSerial, false, serialMax),
		Reason: f.text("reason", in.Reason, false, summaryMax), Channel: f.operatorChannel(in.Channel),
	}
	switch in.Result {
	case "CONFIRMED":
		cmd.Confirmed = true
	case "REJECTED":
	case "":
		f.fail(codeFieldMiss, "result", "")
	default:
		f.fail(string(bank.FieldInvalid), "result", "CONFIRMED or REJECTED")
	}
	return cmd, f.p
}

type cardCheckReply struct {
	AccountNo bank.AccountNo    `json:"account_no"`
	State     bank.AccountState `json:"state"`
	OpenedOn  bank.Date         `json:"opened_on,omitzero"`
	Balances  []bank.Balance    `json:"balances"`
}

func cardChecked(r *bank.Receipt) any {
	if e, ok := find[*bank.AccountOpened](r); ok {
		return cardCheckReply{e.AccountNo, bank.AccountNormal, e.OpenedOn, r.Balances}
	}
	e, _ := find[*bank.ApplicationEnded](r)
	return cardCheckReply{AccountNo: e.AccountNo, State: bank.AccountStateClosed, Balances: r.Balances}
}

type restrictionRequest struct {
	Kind       string `json:"kind"`
	Authority  string `json:"authority,omitzero"`
	DocumentNo string `json:"document_no,omitzero"`
	AmountFen  int64  `json:"amount_fen,omitzero"`
	Until      string `json:"until,omitzero"`
	Channel    string `json:"channel,omitzero"`
}

func restrictAccount(_ *Server, in *restrictionRequest, args []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.RestrictAccount{
		Account: f.account("account_no", args[0], bank.AccountUnknown), Kind: bank.Restriction(f.text("kind", in.Kind, true, codeMax)),
		Authority: f.text("authority", in.Authority, false, authorityMax), DocumentNo: f.text("document_no", in.DocumentNo, false, documentMax),
		AmountFen: in.AmountFen, Until: f.date("until", in.Until), Channel: f.operatorChannel(in.Channel),
	}
	return cmd, f.p
}

// operatorChannel is channel for what operators do, by default in the back office.
func (f *fields) operatorChannel(value string) bank.Channel {
	if value == "" {
		return bank.ChannelBackOffice
	}
	return f.channel(value)
}

type restrictionReply struct {
	AccountNo bank.AccountNo `json:"account_no"`
	bank.AccountRestriction
	HeldFen      int64          `json:"held_fen"`
	ShortfallFen int64          `json:"shortfall_fen"`
	Balances     []bank.Balance `json:"balances"`
}

func accountRestricted(r *bank.Receipt) any {
	e, _ := find[*bank.AccountRestricted](r)
	out := restrictionReply{AccountNo: e.AccountNo, AccountRestriction: e.AccountRestriction, Balances: r.Balances}
	if placed, ok := find[*bank.HoldPlaced](r); ok {
		out.HeldFen, out.ShortfallFen = placed.AmountFen, placed.ShortfallFen
	}
	return out
}

type renewalRequest struct {
	DocumentNo string `json:"document_no,omitzero"`
	Until      string `json:"until"`
	Channel    string `json:"channel,omitzero"`
}

func renewRestriction(_ *Server, in *renewalRequest, args []string) (bank.Command, *problem) {
	var f fields
	f.text("until", in.Until, true, codeMax)
	return &bank.RenewRestriction{
		Restriction: f.business("restriction_id", args[0], bank.RestrictionUnknown), Until: f.date("until", in.Until),
		DocumentNo: f.text("document_no", in.DocumentNo, false, documentMax), Channel: f.operatorChannel(in.Channel),
	}, f.p
}

type releaseRequest struct {
	DocumentNo string `json:"document_no,omitzero"`
	Channel    string `json:"channel,omitzero"`
}

func releaseRestriction(_ *Server, in *releaseRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.ReleaseRestriction{
		Restriction: f.business("restriction_id", args[0], bank.RestrictionUnknown),
		DocumentNo:  f.text("document_no", in.DocumentNo, false, documentMax), Channel: f.operatorChannel(in.Channel),
	}, f.p
}

type releaseReply struct {
	AccountNo   bank.AccountNo   `json:"account_no"`
	ID          bank.TxnID       `json:"restriction_id"`
	Kind        bank.Restriction `json:"kind"`
	ReleasedFen int64            `json:"released_fen"`
	// NextID is the waiting freeze that has taken effect.
	NextID   string         `json:"next_restriction_id,omitzero"`
	Balances []bank.Balance `json:"balances"`
}

func accountReleased(r *bank.Receipt) any {
	out := releaseReply{Balances: r.Balances}
	for _, e := range r.Events {
		switch m := e.(type) {
		case *bank.AccountReleased:
			out.AccountNo, out.ID, out.Kind = m.AccountNo, m.ID, m.Kind
		case *bank.HoldReleased:
			out.ReleasedFen = m.AmountFen
		case *bank.AccountRestricted:
			out.NextID = m.ID.String()
		}
	}
	return out
}

type deductionRequest struct {
	AmountFen  int64  `json:"amount_fen"`
	DocumentNo string `json:"document_no"`
	Channel    string `json:"channel,omitzero"`
}

func deductHold(_ *Server, in *deductionRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.DeductHold{
		Hold: f.business("restriction_id", args[0], bank.HoldUnknown), AmountFen: f.money("amount_fen", in.AmountFen),
		DocumentNo: f.text("document_no", in.DocumentNo, true, documentMax), Channel: f.operatorChannel(in.Channel),
	}, f.p
}

type deductionReply struct {
	DeductionID bank.TxnID     `json:"deduction_id"`
	HoldID      bank.TxnID     `json:"hold_id"`
	AccountNo   bank.AccountNo `json:"account_no"`
	AmountFen   int64          `json:"amount_fen"`
	HeldFen     int64          `json:"held_fen"`
	Balances    []bank.Balance `json:"balances"`
}

func holdDeducted(r *bank.Receipt) any {
	e, _ := find[*bank.HoldDeducted](r)
	return deductionReply{e.DeductionID, e.HoldID, e.AccountNo, e.AmountFen, e.HeldFen, r.Balances}
}

type remittanceRequest struct {
	Result        string `json:"result"`
	ChannelSerial string `json:"channel_serial,omitzero"`
	Channel       string `json:"channel,omitzero"`
}

func remitDeduction(_ *Server, in *remittanceRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.RemitDeduction{
		Deduction: f.business("deduction_id", args[0], bank.DeductionUnknown), Success: f.result(in.Result),
		ChannelSerial: f.text("channel_serial", in.ChannelSerial, false, serialMax), Channel: f.operatorChannel(in.Channel),
	}, f.p
}

// result reads what became of something.
func (f *fields) result(value string) (success bool) {
	switch value {
	case "SUCCESS":
		return true
	case "":
		f.fail(codeFieldMiss, "result", "")
	case "FAILURE":
	default:
		f.fail(string(bank.FieldInvalid), "result", "SUCCESS or FAILURE")
	}
	return false
}

type remittanceReply struct {
	DeductionID bank.TxnID `json:"deduction_id"`
	AmountFen   int64      `json:"amount_fen"`
	Remitted    bool       `json:"remitted"` // false: it is asked for again
}

func deductionRemitted(r *bank.Receipt) any {
	e, _ := find[*bank.DeductionRemitted](r)
	return remittanceReply{e.DeductionID, e.AmountFen, e.Success}
}

type holdRequest struct {
	Kind      string `json:"kind"`
	AmountFen int64  `json:"amount_fen"`
	Until     string `json:"until,omitzero"`
	Channel   string `json:"channel,omitzero"`
}

func placeHold(_ *Server, in *holdRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.PlaceHold{
		Account: f.account("account_no", args[0], bank.AccountUnknown), Kind: bank.HoldKind(f.text("kind", in.Kind, true, codeMax)),
		AmountFen: f.money("amount_fen", in.AmountFen), Until: f.date("until", in.Until), Channel: f.operatorChannel(in.Channel),
	}, f.p
}

type holdReply struct {
	HoldID    bank.TxnID     `json:"hold_id"`
	AccountNo bank.AccountNo `json:"account_no"`
	Kind      bank.HoldKind  `json:"kind"`
	AmountFen int64          `json:"amount_fen"`
	Balances  []bank.Balance `json:"balances"`
}

func holdPlaced(r *bank.Receipt) any {
	e, _ := find[*bank.HoldPlaced](r)
	return holdReply{e.HoldID, e.AccountNo, e.Kind, e.AmountFen, r.Balances}
}

type holdReleaseRequest struct {
	Channel string `json:"channel,omitzero"`
}

func releaseHold(_ *Server, in *holdReleaseRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.ReleaseHold{Hold: f.business("hold_id", args[0], bank.HoldUnknown), Channel: f.operatorChannel(in.Channel)}, f.p
}

func holdReleased(r *bank.Receipt) any {
	e, _ := find[*bank.HoldReleased](r)
	return holdReply{e.HoldID, e.AccountNo, e.Kind, e.AmountFen, r.Balances}
}

func addCard(s *Server, in *cardRequest, args []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.AddCard{Account: f.account("account_no", args[0], bank.AccountUnknown), Card: s.card(&f, in, ""), Channel: bank.ChannelApp}
	return cmd, f.p
}

type cardReply struct {
	AccountNo bank.AccountNo `json:"account_no"`
	Card      string         `json:"card"` // masked; empty when it was removed
	// OutgoingFrom is when money may first leave for it, milliseconds since 1970.
	OutgoingFrom int64 `json:"outgoing_from_ms,omitzero"`
}

func cardAdded(r *bank.Receipt) any {
	e, _ := find[*bank.BoundCardAdded](r)
	return cardReply{e.AccountNo, e.Card.Masked, e.Card.OutgoingFrom}
}

type cardRemovalRequest struct {
	CardNo string `json:"card_no"`
}

func removeCard(s *Server, in *cardRemovalRequest, args []string) (bank.Command, *problem) {
	var f fields
	f.cardNo("card_no", in.CardNo)
	cmd := &bank.RemoveCard{
		Account: f.account("account_no", args[0], bank.AccountUnknown), CardToken: s.options.Vault.Token("card", in.CardNo), Channel: bank.ChannelApp,
	}
	return cmd, f.p
}

func cardRemoved(r *bank.Receipt) any {
	e, _ := find[*bank.BoundCardRemoved](r)
	return cardReply{AccountNo: e.AccountNo}
}

type limitsRequest struct {
	TransactionFen int64  `json:"transaction_fen,omitzero"`
	DayFen         int64  `json:"day_fen,omitzero"`
	Channel        string `json:"channel,omitzero"`
}

func setLimits(_ *Server, in *limitsRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.SetLimits{
		Account: f.account("account_no", args[0], bank.AccountUnknown),
		Limits:  bank.OwnLimits{TransactionFen: in.TransactionFen, DayFen: in.DayFen}, Channel: f.channel(in.Channel),
	}, f.p
}

type limitsReply struct {
	AccountNo bank.AccountNo `json:"account_no"`
	bank.OwnLimits
}

func limitsSet(r *bank.Receipt) any {
	e, _ := find[*bank.OwnLimitsSet](r)
	return limitsReply{e.AccountNo, e.OwnLimits}
}

type closingRequest struct {
	Action      string `json:"action"`
	ToAccount   string `json:"to_account,omitzero"`
	BoundCardNo string `json:"bound_card_no,omitzero"`
	Reason      string `json:"reason,omitzero"`
	Channel     string `json:"channel,omitzero"`
}

func closeAccount(s *Server, in *closingRequest, args []string) (bank.Command, *problem) {
	var f fields
	no, channel := f.account("account_no", args[0], bank.AccountUnknown), f.channel(in.Channel)
	if in.Action != "CLOSE" {
		f.absent(map[string]bool{"to_account": in.ToAccount != "", "bound_card_no": in.BoundCardNo != "", "reason": in.Reason != ""})
	}
	switch in.Action {
	case "PREPARE":
		return &bank.PrepareClosing{Account: no, Channel: channel}, f.p
	case "WITHDRAW":
		return &bank.WithdrawClosing{Account: no, Channel: channel}, f.p
	case "CLOSE":
		cmd := &bank.CloseAccount{
			Account: no, CardToken: s.cardToken(&f, in.BoundCardNo), Reason: f.text("reason", in.Reason, false, summaryMax), Channel: channel,
		}
		if in.ToAccount != "" {
			cmd.To = f.account("to_account", in.ToAccount, bank.AccountUnknown)
			f.absent(map[string]bool{"bound_card_no": in.BoundCardNo != ""})
		}
		return cmd, f.p
	case "":
		f.fail(codeFieldMiss, "action", "")
	default:
		f.fail(string(bank.FieldInvalid), "action", "PREPARE, WITHDRAW or CLOSE")
	}
	return nil, f.p
}

type closingReply struct {
	AccountNo  bank.AccountNo    `json:"account_no"`
	State      bank.AccountState `json:"state"`
	TransferID string            `json:"transfer_id,omitzero"`
	PayoutFen  int64             `json:"payout_fen,omitzero"`
	Balances   []bank.Balance    `json:"balances"`
}

func accountClosed(r *bank.Receipt) any {
	if e, ok := find[*bank.AccountClosure](r); ok {
		return closingReply{e.AccountNo, bank.AccountStateClosed, e.PayoutTxn.String(), e.PayoutFen, r.Balances}
	}
	e, _ := find[*bank.AccountClosing](r)
	return closingReply{AccountNo: e.AccountNo, State: e.State, Balances: r.Balances}
}
