package ingress

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
)

// What channels bring and what is done about money that went wrong: docs/channels.md.

// Channels compares channels' files with the bank and lists what is open.
type Channels interface {
	// Reconcile reads a channel's file and puts right what does not agree. The report can be written as text.
	Reconcile(ctx context.Context, channel bank.Channel, file io.Reader, by bank.By) (Report, error)
	// ReconcileDay does so with the file that lies in the server's directory or that the channel has; bank.ErrNotFound:
	// there is none.
	ReconcileDay(ctx context.Context, channel bank.Channel, day bank.Date, by bank.By) (Report, error)
	// File opens a channel's file of a day as ReconcileDay would; bank.ErrNotFound: there is none yet.
	File(ctx context.Context, channel bank.Channel, day bank.Date) (io.ReadCloser, error)
	// Differences opens all differences of the last reading of a channel's day (CSV); bank.ErrNotFound: it has not been
	// read.
	Differences(ctx context.Context, channel bank.Channel, day bank.Date) (io.ReadCloser, error)
	OpenTransfers(ctx context.Context) ([]bank.Open, error)
	Suspense(ctx context.Context) ([]bank.Suspense, error)
}

// Report is a report that has a form for people.
type Report interface{ Text(w io.Writer) error }

// ErrFile is wrapped by Channels' errors about the file itself.
var ErrFile = errors.New("the file can't be used")

type openReply struct {
	Transfers []bank.Open `json:"transfers"`
}

type suspenseListReply struct {
	Suspense []bank.Suspense `json:"suspense"`
}

// channelOperations are what operators do about transfers, fees, shortages and suspense.
func channelOperations() []operation {
	return []operation{
		op("/v1/transfers/{id}/returns", 201, "退汇入账", "Give money back that a channel has returned", returnTransfer, transferUndone).by(bank.Teller, bank.Finance),
		op("/v1/transfers/{id}/reversals", 201, "抹账或冲正", "Reverse a posted transfer, same day or later", reverseTransfer, transferUndone).by(bank.Teller).withApproval(),
		op("/v1/transfers/{id}/fee-refunds", 201, "退还手续费", "Refund a transfer's fee", refundFee, transferUndone).by(bank.Teller).withApproval(),
		op("/v1/transfers/{id}/shortage-repayments", 201, "收回短款", "Take a claimed shortage from the customer's account", repayShortage, transferUndone).by(bank.Teller).withApproval(),
		op("/v1/accounts/{no}/advance-collections", 201, "收回客户垫款", "Collect what is owed after a reversal", collectAdvance, transferUndone).by(bank.Teller),
		op("/v1/channel/suspense/{id}/ends", 201, "挂账处置", "End a suspense: ACCOUNT, CHANNEL or WRITE_OFF", endSuspense, suspenseEnded).by(bank.Finance).withApproval(),
	}
}

func (s *Server) channelRoutes() []route {
	return []route{
		{
			request: receiptRequest{}, reply: receiptReply{},
			method: fasthttp.MethodPost, path: "/v1/channel/receipts", zh: "渠道来账", en: "Money a channel has settled: credited, or held if no account can take it",
			serve: func(ctx *fasthttp.RequestCtx, _ []string) { s.receipt(ctx) },
		},
		{
			method: fasthttp.MethodPost, path: "/v1/channel/files/{channel}", zh: "渠道对账文件", en: "Reconcile a channel's daily file (CSV); Accept: text/plain for a report to read",
			serve: s.reconcile, roles: []bank.OperatorRole{bank.Finance},
		},
		{
			method: fasthttp.MethodGet, path: "/v1/channel/files/{channel}/{date}", zh: "取渠道对账文件", en: "A channel's file of a day (CSV), as the channel has it",
			serve: s.channelFile(Channels.File), roles: []bank.OperatorRole{bank.Finance},
		},
		{
			method: fasthttp.MethodPost, path: "/v1/channel/files/{channel}/{date}", zh: "对账(服务器目录中的文件)", en: "Reconcile a channel's file of a day that lies in the server's directory, of any size; Accept: text/plain for a report to read",
			serve: s.reconcileDay, roles: []bank.OperatorRole{bank.Finance},
		},
		{
			method: fasthttp.MethodGet, path: "/v1/channel/files/{channel}/{date}/differences", zh: "对账差异清单", en: "All differences of a channel's day (CSV), as it was reconciled last",
			serve: s.channelFile(Channels.Differences), roles: []bank.OperatorRole{bank.Finance, bank.Auditor},
		},
		{
			method: fasthttp.MethodGet, path: "/v1/channel/transfers", zh: "在途清单", en: "Transfers whose channel has not answered", reply: openReply{},
			serve: func(ctx *fasthttp.RequestCtx, _ []string) { s.openTransfers(ctx) }, roles: []bank.OperatorRole{bank.Finance, bank.Teller, bank.Auditor},
		},
		{
			method: fasthttp.MethodGet, path: "/v1/channel/suspense", zh: "挂账清单", en: "Receipts, surpluses and shortages in suspense", reply: suspenseListReply{},
			serve: func(ctx *fasthttp.RequestCtx, _ []string) { s.suspense(ctx) }, roles: []bank.OperatorRole{bank.Finance, bank.Teller, bank.Auditor},
		},
	}
}

type returnRequest struct {
	AmountFen     int64  `json:"amount_fen"`
	ChannelSerial string `json:"channel_serial,omitzero"`
	Reason        string `json:"reason,omitzero"`
}

func returnTransfer(_ *Server, in *returnRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.ReturnTransfer{
		Transfer: f.business("transfer_id", args[0], bank.TransferUnknown), AmountFen: f.money("amount_fen", in.AmountFen),
		ChannelSerial: f.text("channel_serial", in.ChannelSerial, false, serialMax), Reason: f.text("reason", in.Reason, false, summaryMax),
	}, f.p
}

type reversalRequest struct {
	Reason string `json:"reason"`
}

func reverseTransfer(_ *Server, in *reversalRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.ReverseTransaction{
		Transfer: f.business("transfer_id", args[0], bank.TransferUnknown), Reason: f.text("reason", in.Reason, true, summaryMax), Channel: bank.ChannelBackOffice,
	}, f.p
}

type feeRefundRequest struct {
	AmountFen int64  `json:"amount_fen"`
	Reason    string `json:"reason"`
}

func refundFee(_ *Server, in *feeRefundRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.RefundFee{
		Transfer: f.business("transfer_id", args[0], bank.TransferUnknown), AmountFen: f.money("amount_fen", in.AmountFen),
		Reason: f.text("reason", in.Reason, true, summaryMax),
	}, f.p
}

type nothingRequest struct{}

func repayShortage(_ *Server, _ *nothingRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.RepayShortage{Transfer: f.business("transfer_id", args[0], bank.TransferUnknown)}, f.p
}

func collectAdvance(_ *Server, _ *nothingRequest, args []string) (bank.Command, *problem) {
	var f fields
	return &bank.CollectAdvance{Account: f.account("account_no", args[0], bank.AccountUnknown)}, f.p
}

type suspenseRequest struct {
	Way       string `json:"way"`
	AccountNo string `json:"account_no,omitzero"`
	AmountFen int64  `json:"amount_fen"`
}

func endSuspense(_ *Server, in *suspenseRequest, args []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.EndSuspense{
		Txn: f.business("suspense_id", args[0], bank.SuspenseUnknown), Way: bank.SuspenseEnd(in.Way), AmountFen: f.money("amount_fen", in.AmountFen),
	}
	switch cmd.Way {
	case bank.ToAccount:
		cmd.Account = f.account("account_no", in.AccountNo, bank.PayeeUnknown)
	case bank.ToChannel, bank.WriteOff:
		f.absent(map[string]bool{"account_no": in.AccountNo != ""})
	default:
		f.fail(string(bank.FieldInvalid), "way", "ACCOUNT, CHANNEL or WRITE_OFF")
	}
	return cmd, f.p
}

type undoneReply struct {
	TransferID     bank.TxnID     `json:"transfer_id"`
	Operation      string         `json:"operation"`
	AmountFen      int64          `json:"amount_fen"` // given back, taken or collected
	FeeFen         int64          `json:"fee_fen,omitzero"`
	ShortfallFen   int64          `json:"shortfall_fen,omitzero"` // no longer there: an advance the customer owes
	Reversal       string         `json:"reversal,omitzero"`      // SAME_DAY or LATER_DAY
	AccountingDate bank.Date      `json:"accounting_date"`
	Balances       []bank.Balance `json:"balances"`
}

func transferUndone(r *bank.Receipt) any {
	out := undoneReply{TransferID: r.Txn, Operation: r.Operation, AccountingDate: r.Date, Balances: r.Balances}
	for _, e := range r.Events {
		switch m := e.(type) {
		case *bank.TransferReturned:
			out.AmountFen = m.AmountFen
		case *bank.FeeRefunded:
			out.AmountFen = m.AmountFen
		case *bank.ShortageSettled:
			out.AmountFen = m.AmountFen
		case *bank.AdvanceCollected:
			out.AmountFen = m.AmountFen
		case *bank.TransactionReversed:
			out.AmountFen, out.FeeFen, out.ShortfallFen, out.Reversal = m.AmountFen, m.FeeFen, m.ShortfallFen, string(m.Kind)
		}
	}
	return out
}

type suspenseReply struct {
	SuspenseID     bank.TxnID        `json:"suspense_id"`
	Kind           bank.SuspenseKind `json:"kind"`
	Way            bank.SuspenseEnd  `json:"way"`
	AmountFen      int64             `json:"amount_fen"`
	AccountingDate bank.Date         `json:"accounting_date"`
}

func suspenseEnded(r *bank.Receipt) any {
	e, _ := find[*bank.SuspenseEnded](r)
	return suspenseReply{e.TxnID, e.Kind, e.Way, e.AmountFen, r.Date}
}

type receiptRequest struct {
	Channel       string `json:"channel"`
	ChannelSerial string `json:"channel_serial"`
	ToAccount     string `json:"to_account"`
	ToName        string `json:"to_name"`
	FromAccount   string `json:"from_account,omitzero"`
	FromBank      string `json:"from_bank,omitzero"`
	AmountFen     int64  `json:"amount_fen"`
	Summary       string `json:"summary,omitzero"`
}

type receiptReply struct {
	TransferID     bank.TxnID     `json:"transfer_id"`
	Result         string         `json:"result"` // CREDITED or HELD
	Code           string         `json:"code,omitzero"`
	AmountFen      int64          `json:"amount_fen"`
	AccountingDate bank.Date      `json:"accounting_date"`
	Balances       []bank.Balance `json:"balances,omitzero"`
}

// receipt takes money that a channel has settled, so that it can't be sent back: it is credited (E03), or, if
// the bank's rules refuse that, held (E04). The channel's serial is the key: it may say so any number of times.
func (s *Server) receipt(ctx *fasthttp.RequestCtx) {
	var in receiptRequest
	if p := decode(ctx.PostBody(), &in); p != nil {
		s.fail(ctx, p)
		return
	}
	credit, held, p := s.receiptCommands(&in)
	if p != nil {
		s.fail(ctx, p)
		return
	}
	call, p := callOf("/v1/channel/receipts", credit, []byte(in.Channel+"/"+in.ChannelSerial))
	if p == nil && credit.Account != 0 {
		s.options.Bank.Do(context.Background(), call)
		if call.Err != nil {
			p = problemOfError(call.Err)
		}
	}
	switch {
	case p != nil:
		s.fail(ctx, p)
		return
	case credit.Account == 0:
		held.Reason = string(bank.AccountUnknown)
	case call.Receipt.Refusal == nil:
		e, _ := find[*bank.InboundCredited](&call.Receipt)
		s.reply(ctx, fasthttp.StatusCreated, receiptReply{e.TxnID, "CREDITED", "", e.AmountFen, call.Receipt.Date, call.Receipt.Balances})
		return
	default:
		held.Reason = string(call.Receipt.Refusal.Code)
	}
	call, p = callOf("/v1/channel/receipts", held, []byte(in.Channel+"/"+in.ChannelSerial))
	if p == nil {
		s.options.Bank.Do(context.Background(), call)
		p = outcome(call)
	}
	if p != nil {
		s.fail(ctx, p)
		return
	}
	e, _ := find[*bank.SuspenseBooked](&call.Receipt)
	s.reply(ctx, fasthttp.StatusCreated, receiptReply{e.TxnID, string(bank.Held), e.Reason, e.AmountFen, call.Receipt.Date, nil})
}

// receiptCommands are what is tried, and what is done if that is refused. An account number that is none of
// ours leaves the first without an account.
func (s *Server) receiptCommands(in *receiptRequest) (*bank.CreditInbound, *bank.BookSuspense, *problem) {
	var f fields
	channel := f.clearing("channel", in.Channel)
	account, _ := bank.ParseAccountNo(f.text("to_account", in.ToAccount, true, otherIDMax)) // zero: held
	credit := &bank.CreditInbound{
		Account: account, AmountFen: f.money("amount_fen", in.AmountFen), ChannelSerial: f.text("channel_serial", in.ChannelSerial, true, serialMax),
		PayerBank: f.text("from_bank", in.FromBank, false, nameMax), Channel: channel, Summary: f.text("summary", in.Summary, false, summaryMax),
		NameToken: s.options.Vault.Token("name", f.text("to_name", in.ToName, true, nameMax)),
	}
	if f.text("from_account", in.FromAccount, false, otherIDMax); in.FromAccount != "" {
		credit.PayerToken, credit.PayerMasked = s.options.Vault.Token("card", in.FromAccount), bank.MaskCard(in.FromAccount)
	}
	held := &bank.BookSuspense{
		House: bank.HouseNo(account.Customer().Shard()), Kind: bank.Held, Channel: channel, AmountFen: in.AmountFen, ChannelSerial: in.ChannelSerial,
		Account: bank.MaskCard(in.ToAccount), PayerBank: in.FromBank,
	}
	return credit, held, f.p
}

// clearing reads the code of a channel that clears.
func (f *fields) clearing(field, value string) bank.Channel {
	c, ok := bank.ParseChannel(value)
	switch {
	case value == "":
		f.fail(codeFieldMiss, field, "")
	case !ok || !c.Clears():
		f.fail(string(bank.FieldInvalid), field, "IBPS, UNIONPAY, NETSUNION or CORE")
	}
	return c
}

func (s *Server) reconcile(ctx *fasthttp.RequestCtx, args []string) {
	var f fields
	channel := f.clearing("channel", args[0])
	s.reconciled(ctx, f.p, channel, func(by bank.By) (Report, error) {
		return s.options.Channels.Reconcile(context.Background(), channel, bytes.NewReader(ctx.PostBody()), by)
	})
}

func (s *Server) reconcileDay(ctx *fasthttp.RequestCtx, args []string) {
	var f fields
	channel, day := f.clearing("channel", args[0]), f.date("date", args[1])
	s.reconciled(ctx, f.p, channel, func(by bank.By) (Report, error) {
		return s.options.Channels.ReconcileDay(context.Background(), channel, day, by)
	})
}

// reconciled has a file read by an operator's wish and answers with the report.
func (s *Server) reconciled(ctx *fasthttp.RequestCtx, malformed *problem, channel bank.Channel, read func(bank.By) (Report, error)) {
	operator, _, p := s.authorise(ctx, []bank.OperatorRole{bank.Finance}, false)
	switch {
	case p != nil:
	case malformed != nil:
		p = malformed
	case s.options.Channels == nil:
		p = &problem{code: codeUnavailable}
	}
	if p != nil {
		s.fail(ctx, p)
		return
	}
	report, err := read(bank.By{Operator: operator})
	switch {
	case errors.Is(err, ErrFile):
		s.fail(ctx, &problem{code: codeFile, because: err.Error()})
	case errors.Is(err, bank.ErrNotFound):
		s.fail(ctx, &problem{code: codeNoFile})
	case err != nil:
		s.options.Logger.Error("a channel's file is not reconciled", "channel", channel.String(), "cause", err)
		s.fail(ctx, problemOfError(err))
	case bytes.HasPrefix(ctx.Request.Header.Peek(fasthttp.HeaderAccept), []byte("text/plain")):
		ctx.Response.Header.SetContentType("text/plain; charset=utf-8")
		if err := report.Text(ctx); err != nil {
			s.fail(ctx, &problem{code: codeInternal})
		}
	default:
		s.reply(ctx, fasthttp.StatusOK, report)
	}
}

// channelFile streams a file of a channel's day.
func (s *Server) channelFile(open func(Channels, context.Context, bank.Channel, bank.Date) (io.ReadCloser, error)) func(*fasthttp.RequestCtx, []string) {
	return func(ctx *fasthttp.RequestCtx, args []string) {
		var f fields
		channel, day := f.clearing("channel", args[0]), f.date("date", args[1])
		p := f.p
		if p == nil && s.options.Channels == nil {
			p = &problem{code: codeUnavailable}
		}
		if p != nil {
			s.fail(ctx, p)
			return
		}
		file, err := open(s.options.Channels, context.Background(), channel, day)
		switch {
		case errors.Is(err, bank.ErrNotFound):
			s.fail(ctx, &problem{code: codeNoFile})
		case err != nil:
			s.fail(ctx, problemOfError(err))
		default:
			ctx.Response.Header.SetContentType("text/csv; charset=utf-8")
			ctx.Response.SetBodyStream(file, -1) // closes it
		}
	}
}

func (s *Server) openTransfers(ctx *fasthttp.RequestCtx) {
	list(s, ctx, Channels.OpenTransfers, func(found []bank.Open) any { return openReply{append([]bank.Open{}, found...)} })
}

func (s *Server) suspense(ctx *fasthttp.RequestCtx) {
	list(s, ctx, Channels.Suspense, func(found []bank.Suspense) any { return suspenseListReply{append([]bank.Suspense{}, found...)} })
}

// list answers with what is open.
func list[T any](s *Server, ctx *fasthttp.RequestCtx, read func(Channels, context.Context) ([]T, error), reply func([]T) any) {
	if s.options.Channels == nil {
		s.fail(ctx, &problem{code: codeUnavailable})
		return
	}
	found, err := read(s.options.Channels, context.Background())
	if err != nil {
		s.fail(ctx, problemOfError(err))
		return
	}
	s.reply(ctx, fasthttp.StatusOK, reply(found))
}
