package ingress

import (
	"github.com/suanpan-bank/suanpan/bank"
)

// Money in and out, and the channel's answers.

type transferRequest struct {
	Kind           string `json:"kind"`
	FromAccount    string `json:"from_account,omitzero"`
	ToAccount      string `json:"to_account,omitzero"`
	ToBoundCard    bool   `json:"to_bound_card,omitzero"`
	ToName         string `json:"to_name,omitzero"`
	ToBank         string `json:"to_bank,omitzero"`
	FromName       string `json:"from_name,omitzero"`
	FromBank       string `json:"from_bank,omitzero"`
	FromBoundCard  bool   `json:"from_bound_card,omitzero"`
	BoundCardNo    string `json:"bound_card_no,omitzero"` // which of several; empty: the first
	ChannelSerial  string `json:"channel_serial,omitzero"`
	AmountFen      int64  `json:"amount_fen"`
	Summary        string `json:"summary,omitzero"`
	Channel        string `json:"channel,omitzero"`
	AccountingDate string `json:"accounting_date,omitzero"`
	Confirmed      bool   `json:"confirmed,omitzero"` // the customer has been reminded of the day's total
	// RiskDelay is why the payment is to wait for a person's decision, such as the rule it hit; empty: it is not.
	RiskDelay string `json:"risk_delay,omitzero"`
}

func transfer(s *Server, in *transferRequest, _ []string) (bank.Command, *problem) {
	var f fields
	var cmd bank.Command
	channel, date := f.channel(in.Channel), f.date("accounting_date", in.AccountingDate)
	summary := f.text("summary", in.Summary, false, summaryMax)
	switch in.Kind {
	case "in_bound":
		f.absent(map[string]bool{
			"from_account": in.FromAccount != "", "to_bound_card": in.ToBoundCard, "to_name": in.ToName != "", "to_bank": in.ToBank != "",
			"from_name": in.FromName != "", "from_bank": in.FromBank != "", "from_bound_card": in.FromBoundCard, "channel_serial": in.ChannelSerial != "",
		})
		cmd = &bank.TransferIn{
			Account: f.account("to_account", in.ToAccount, bank.AccountUnknown), AmountFen: in.AmountFen, Channel: channel, Summary: summary, Date: date,
			CardToken: s.cardToken(&f, in.BoundCardNo),
		}
	case "out", "payment":
		cmd = s.transferOut(&f, in, channel, summary, date)
	case "internal":
		f.internalOnly(in)
		cmd = &bank.TransferInternal{
			Payer: f.account("from_account", in.FromAccount, bank.AccountUnknown), Payee: f.account("to_account", in.ToAccount, bank.PayeeUnknown),
			AmountFen: in.AmountFen, Channel: channel, Summary: summary, Date: date, Confirmed: in.Confirmed,
		}
	case "inbound":
		f.absent(map[string]bool{"to_bound_card": in.ToBoundCard, "to_bank": in.ToBank != "", "bound_card_no": in.BoundCardNo != ""})
		out := &bank.CreditInbound{
			Account: f.account("to_account", in.ToAccount, bank.AccountUnknown), AmountFen: in.AmountFen,
			ChannelSerial: f.text("channel_serial", in.ChannelSerial, false, serialMax),
			PayerBank:     f.text("from_bank", in.FromBank, false, nameMax), Bound: in.FromBoundCard, Channel: channel, Summary: summary, Date: date,
		}
		if f.text("to_name", in.ToName, false, nameMax); in.ToName != "" {
			out.NameToken = s.options.Vault.Token("name", in.ToName)
		}
		f.text("from_name", in.FromName, false, nameMax)
		if f.text("from_account", in.FromAccount, false, otherIDMax); in.FromAccount != "" {
			out.PayerToken, out.PayerMasked = s.options.Vault.Token("card", in.FromAccount), bank.MaskCard(in.FromAccount)
		}
		cmd = out
	case "":
		f.fail(codeFieldMiss, "kind", "")
	default:
		f.fail(string(bank.FieldInvalid), "kind", "in_bound, out, payment, internal or inbound")
	}
	f.money("amount_fen", in.AmountFen)
	if in.RiskDelay != "" {
		cmd = f.delay(cmd, in.RiskDelay)
	}
	return cmd, f.p
}

// delay makes a payment wait for a decision (风险暂缓).
func (f *fields) delay(payment bank.Command, reason string) bank.Command {
	f.text("risk_delay", reason, true, summaryMax)
	switch m := payment.(type) {
	case *bank.TransferOut:
		return &bank.DelayPayment{Out: m, Reason: reason}
	case *bank.TransferInternal:
		return &bank.DelayPayment{Internal: m, Reason: reason}
	}
	f.fail(codeFieldHere, "risk_delay", "only money that leaves can wait: kind out, payment or internal")
	return payment
}

type reviewRequest struct {
	Decision string `json:"decision"`
	Reason   string `json:"reason"`
	Channel  string `json:"channel,omitzero"`
}

func reviewPayment(_ *Server, in *reviewRequest, args []string) (bank.Command, *problem) {
	var f fields
	id, channel := f.business("transfer_id", args[0], bank.TransferUnknown), f.operatorChannel(in.Channel)
	reason := f.text("reason", in.Reason, true, summaryMax)
	switch in.Decision {
	case "RELEASE":
		return &bank.ReleasePayment{Transfer: id, Reason: reason, Channel: channel}, f.p
	case "REFUSE":
		return &bank.EndDelay{Transfer: id, Result: bank.DelayRefused, Reason: reason, Channel: channel}, f.p
	case "":
		f.fail(codeFieldMiss, "decision", "")
	default:
		f.fail(string(bank.FieldInvalid), "decision", "RELEASE or REFUSE")
	}
	return nil, f.p
}

type withdrawalRequest struct {
	Reason  string `json:"reason,omitzero"`
	Channel string `json:"channel,omitzero"`
}

func withdrawPayment(_ *Server, in *withdrawalRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.EndDelay{
		Transfer: f.business("transfer_id", args[0], bank.TransferUnknown), Result: bank.DelayWithdrawn,
		Reason: f.text("reason", in.Reason, false, summaryMax), Channel: f.channel(in.Channel),
	}, f.p
}

type reviewReply struct {
	TransferID     bank.TxnID       `json:"transfer_id"`
	AccountNo      bank.AccountNo   `json:"account_no"`
	AmountFen      int64            `json:"amount_fen"`
	Result         bank.DelayResult `json:"result"`
	Status         string           `json:"status"` // of the transfer
	AccountingDate bank.Date        `json:"accounting_date"`
	Balances       []bank.Balance   `json:"balances"`
}

func paymentReviewed(r *bank.Receipt) any {
	e, _ := find[*bank.PaymentDelayEnded](r)
	var v bank.TransferView
	for _, e := range r.Events {
		v.Fold(e, "")
	}
	return reviewReply{e.TxnID, e.AccountNo, e.AmountFen, e.Result, v.Status, r.Date, r.Balances}
}

// internalOnly is absent for the commonest kind, without a map.
func (f *fields) internalOnly(in *transferRequest) {
	if in.ToBoundCard || in.ToName != "" || in.ToBank != "" || in.FromName != "" || in.FromBank != "" || in.FromBoundCard || in.ChannelSerial != "" || in.BoundCardNo != "" {
		f.fail(codeFieldHere, "", "an internal transfer has from_account, to_account, amount_fen, summary, channel and accounting_date")
	}
}

func (s *Server) transferOut(f *fields, in *transferRequest, channel bank.Channel, summary string, date bank.Date) bank.Command {
	f.absent(map[string]bool{
		"from_name": in.FromName != "", "from_bank": in.FromBank != "", "from_bound_card": in.FromBoundCard, "channel_serial": in.ChannelSerial != "",
	})
	cmd := &bank.TransferOut{
		Account: f.account("from_account", in.FromAccount, bank.AccountUnknown), AmountFen: in.AmountFen, Bound: in.ToBoundCard,
		Channel: channel, Summary: summary, Date: date, Confirmed: in.Confirmed, Payment: in.Kind == "payment",
	}
	if cmd.Payment {
		f.absent(map[string]bool{"to_bound_card": in.ToBoundCard})
	}
	if in.ToBoundCard {
		f.absent(map[string]bool{"to_account": in.ToAccount != "", "to_name": in.ToName != "", "to_bank": in.ToBank != ""})
		cmd.CardToken = s.cardToken(f, in.BoundCardNo)
		return cmd
	}
	f.absent(map[string]bool{"bound_card_no": in.BoundCardNo != ""})
	f.text("to_account", in.ToAccount, true, otherIDMax)
	cmd.PayeeBank = f.text("to_bank", in.ToBank, true, nameMax)
	cmd.PayeeName = bank.MaskName(f.text("to_name", in.ToName, true, nameMax))
	if _, err := bank.ParseAccountNo(in.ToAccount); err == nil {
		f.fail(string(bank.FieldInvalid), "to_account", "an account of this bank: use kind internal")
	}
	cmd.PayeeToken, cmd.PayeeMasked = s.options.Vault.Token("card", in.ToAccount), bank.MaskCard(in.ToAccount)
	return cmd
}

// cardToken is the token of a card that may be named; empty: it is not.
func (s *Server) cardToken(f *fields, no string) string {
	if no == "" {
		return ""
	}
	f.cardNo("bound_card_no", no)
	return s.options.Vault.Token("card", no)
}

type resultRequest struct {
	TransferID     string `json:"transfer_id"`
	Result         string `json:"result"`
	ChannelSerial  string `json:"channel_serial,omitzero"`
	Reason         string `json:"reason,omitzero"`
	AccountingDate string `json:"accounting_date,omitzero"`
}

func channelResult(_ *Server, in *resultRequest, _ []string) (bank.Command, *problem) {
	var f fields
	txn, err := bank.ParseTxnID(in.TransferID)
	switch {
	case in.TransferID == "":
		f.fail(codeFieldMiss, "transfer_id", "")
	case err != nil:
		f.fail(string(bank.TransferUnknown), "transfer_id", "")
	case in.Result == "":
		f.fail(codeFieldMiss, "result", "")
	case in.Result != "SUCCESS" && in.Result != "FAILURE":
		f.fail(string(bank.FieldInvalid), "result", "SUCCESS or FAILURE")
	}
	return &bank.ChannelResult{
		Transfer: txn, Success: in.Result == "SUCCESS", ChannelSerial: f.text("channel_serial", in.ChannelSerial, false, serialMax),
		Reason: f.text("reason", in.Reason, false, summaryMax), Date: f.date("accounting_date", in.AccountingDate),
	}, f.p
}
