package ingress

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/suanpan-bank/suanpan/bank"
)

// operation is a POST that carries one command, alone or in a batch.
type operation struct {
	path, zh, en string
	status       int // of success
	segments     []string
	request      any // zero value, for the description
	command      func(s *Server, body []byte, args []string) (bank.Command, *problem)
	reply        func(r *bank.Receipt) any
	roles        []bank.OperatorRole // one of which the operator must have who gives it; none: everyone
	approved     bool                // by a second operator
}

// by makes it an operation of operators in one of the roles; their command embeds bank.By.
func (o operation) by(roles ...bank.OperatorRole) operation {
	o.roles = roles
	return o
}

// withApproval makes it one that a checker must approve (经办、复核).
func (o operation) withApproval() operation {
	o.approved = true
	return o
}

func op[T any](path string, status int, zh, en string, build func(s *Server, in *T, args []string) (bank.Command, *problem), reply func(*bank.Receipt) any) operation {
	return operation{
		path: path, zh: zh, en: en, status: status, segments: strings.Split(path, "/"), request: *new(T), reply: reply,
		command: func(s *Server, body []byte, args []string) (bank.Command, *problem) {
			in := new(T)
			if p := decodeFrequent(body, in); p != nil {
				return nil, p
			}
			return build(s, in, args)
		},
	}
}

var operations = append(channelOperations(), []operation{
	op("/v1/customers", 201, "注册", "Register a person", register, registered),
	op("/v1/customers/{id}/accounts", 201, "开户", "Open an e-account with a bound card", openAccount, accountOpened),
	op(transfersPath, 201, "转账", "Move money: in_bound, out, payment, internal or inbound", transfer, transferred),
	op("/v1/customers/{id}/identity-confirmations", 201, "面签", "Confirm a customer's identity in person", confirmIdentity, identityConfirmed).by(bank.Teller).withApproval(),
	op("/v1/accounts/{no}/restrictions", 201, "止付、冻结", "Put a restriction on an account", restrictAccount, accountRestricted).by(bank.Teller).withApproval(),
	op("/v1/restrictions/{id}/renewals", 201, "续冻", "Let a restriction run longer", renewRestriction, accountRestricted).by(bank.Teller).withApproval(),
	op("/v1/restrictions/{id}/releases", 201, "解冻、解除止付", "End a restriction", releaseRestriction, accountReleased).by(bank.Teller).withApproval(),
	op("/v1/restrictions/{id}/deductions", 201, "司法扣划", "Take an amount out of a freeze for whoever ordered it", deductHold, holdDeducted).by(bank.Teller).withApproval(),
	op("/v1/deductions/{id}/remittances", 201, "扣划划款结果", "What became of a deduction's remittance", remitDeduction, deductionRemitted).by(bank.Teller, bank.Finance),
	op("/v1/accounts/{no}/holds", 201, "质押、存款证明", "Hold an amount for a pledge or a proof of deposit", placeHold, holdPlaced).by(bank.Teller),
	op("/v1/holds/{id}/releases", 201, "解除质押", "Let a pledge or a proof go", releaseHold, holdReleased).by(bank.Teller),
	op("/v1/accounts/{no}/cards", 201, "绑卡", "Bind a further card", addCard, cardAdded),
	op("/v1/accounts/{no}/cards/removals", 201, "解绑", "Remove a bound card", removeCard, cardRemoved),
	op("/v1/accounts/{no}/limits", 200, "自设限额", "Set the customer's own limits for money out", setLimits, limitsSet),
	op("/v1/accounts/{no}/closing", 201, "销户", "Prepare, finish or withdraw the closing of an account", closeAccount, accountClosed),
	op("/v1/channel/results", 200, "渠道结果", "A payment channel's answer to a two-phase transfer", channelResult, channelSettled),
	op("/v1/deposits", 201, "购买定期", "Buy a term deposit", buyDeposit, depositBought),
	op("/v1/deposits/{id}/redemptions", 201, "支取定期", "Redeem all or part of a term deposit", redeemDeposit, depositRedeemed),
	op("/v1/deposits/{id}/rollover", 200, "变更到期转存方式", "Choose what is done at maturity, until the day before it", changeRollover, rolloverChanged),
	op("/v1/deposits/{id}/proofs", 201, "开立存款证明", "Prove a deposit: the amount is held through a day", proveDeposit, depositHeld),
	op("/v1/deposits/{id}/pledges", 201, "存单质押", "Pledge an amount of a deposit", pledgeDeposit, depositHeld).by(bank.Teller).withApproval(),
	op("/v1/deposits/{id}/freezes", 201, "存单司法冻结", "Freeze an amount of a deposit for an authority: what is free of it, for a year at most", freezeDeposit, depositFrozen).by(bank.Teller).withApproval(),
	op("/v1/deposits/{id}/holds/{hold}/releases", 201, "解除存单质押、证明或冻结", "Let a pledge, proof or freeze go", releaseDeposit, depositReleased).by(bank.Teller).withApproval(),
	op("/v1/loans/applications", 201, "贷款申请", "Apply for a credit line", applyLoan, loanApplied),
	op("/v1/loans/{line}/drawdowns", 201, "用信", "Draw on a credit line", drawLoan, loanDrawn),
	op("/v1/loans/{id}/repayments", 201, "还款", "Repay a loan, as due, ahead of time or in full", repayLoan, loanRepaid),
}...)

// transfers is the operation that nearly all requests are.
var transfers = &operations[slices.IndexFunc(operations, func(o operation) bool { return o.path == transfersPath })]

// decode reads a JSON object strictly: no unknown or repeated field, no bad UTF-8, no fraction for an
// integer. Nothing of body is kept.
func decode(body []byte, into any) *problem {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return &problem{code: codeBody, because: "not a JSON object"}
	}
	return problemOfJSON(json.Unmarshal(body, into, json.RejectUnknownMembers(true)))
}

// problemOfJSON tells what is wrong with a body; nil for no error.
func problemOfJSON(err error) *problem {
	if err == nil {
		return nil
	}
	p := &problem{code: codeBody, because: "invalid JSON"}
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &syntactic):
		p.field = fieldOf(syntactic.JSONPointer)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			p.code, p.because = codeFieldTwice, ""
		}
	case errors.As(err, &semantic):
		p.code, p.because, p.field = codeFieldType, "", fieldOf(semantic.JSONPointer)
		if errors.Is(err, json.ErrUnknownName) {
			p.code = codeFieldName
		}
	}
	return p
}

// decodeFrequent is decode, by a shorter way if the type has one and the body is plain.
func decodeFrequent[T any](body []byte, into *T) *problem {
	if f, ok := any(into).(interface{ scan([]byte) bool }); ok {
		if f.scan(body) {
			return nil
		}
		*into = *new(T)
	}
	return decode(body, into)
}

// fieldMax bounds how much of a caller's own field name is told back to him.
const fieldMax = 100

func fieldOf(pointer jsontext.Pointer) string {
	field := strings.ReplaceAll(strings.TrimPrefix(string(pointer), "/"), "/", ".")
	if len(field) > fieldMax {
		return strings.ToValidUTF8(field[:fieldMax], "")
	}
	return field
}

// The longest texts taken, in characters.
const (
	nameMax    = 60
	summaryMax = 60
	otherIDMax = 40
	serialMax  = 40
	codeMax    = 20
	purposeMax = 60
	hashMax    = 64
)

type fields struct{ p *problem }

func (f *fields) fail(code, field, because string) {
	if f.p == nil {
		f.p = &problem{code: code, field: field, because: because}
	}
}

// text checks a text: required if min is 1, at most longest characters, nothing unprintable.
func (f *fields) text(field, value string, required bool, longest int) string {
	switch {
	case value == "" && required:
		f.fail(codeFieldMiss, field, "")
	case utf8.RuneCountInString(value) > longest:
		f.fail(string(bank.FieldInvalid), field, "too long")
	case strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
		f.fail(string(bank.FieldInvalid), field, "unprintable characters")
	}
	return value
}

func (f *fields) channel(value string) bank.Channel {
	if value == "" {
		return bank.ChannelApp
	}
	c, ok := bank.ParseChannel(value)
	if !ok {
		f.fail(string(bank.FieldInvalid), "channel", "")
	}
	return c
}

func (f *fields) date(field, value string) bank.Date {
	if value == "" {
		return 0
	}
	d, err := bank.ParseDate(value)
	if err != nil {
		f.fail(codeFieldType, field, "a date is YYYY-MM-DD")
	}
	return d
}

// account reads one of our account numbers; what can't be one is unknown.
func (f *fields) account(field, value string, unknown bank.RefusalCode) bank.AccountNo {
	no, err := bank.ParseAccountNo(value)
	switch {
	case value == "":
		f.fail(codeFieldMiss, field, "")
	case err != nil:
		f.fail(string(unknown), field, "")
	}
	return no
}

func (f *fields) contract(field, value string, kind bank.ContractKind, unknown bank.RefusalCode) bank.ContractNo {
	no, err := bank.ParseContractNo(value)
	if err != nil || no.Kind() != kind {
		f.fail(string(unknown), field, "")
	}
	return no
}

func (f *fields) customer(field, value string) bank.CustomerNo {
	no, err := bank.ParseCustomerNo(value)
	switch {
	case value == "":
		f.fail(codeFieldMiss, field, "")
	case err != nil:
		f.fail(string(bank.CustomerUnknown), field, "")
	}
	return no
}

// money checks an amount; zero and negative ones end here.
func (f *fields) money(field string, fen int64) int64 {
	if fen <= 0 || fen > bank.AmountMaxFen {
		if f.p == nil {
			f.p = &problem{code: string(bank.AmountInvalid), field: field, limit: bank.AmountMaxFen}
		}
	}
	return fen
}

// absent checks that fields of other kinds are not set.
func (f *fields) absent(set map[string]bool) {
	for field, is := range set {
		if is {
			f.fail(codeFieldHere, field, "")
		}
	}
}

type customerRequest struct {
	Name         string `json:"name"`
	IDType       string `json:"id_type,omitzero"`
	IDNumber     string `json:"id_number"`
	Mobile       string `json:"mobile"`
	Channel      string `json:"channel,omitzero"`
	Branch       string `json:"branch,omitzero"`
	ReferrerCode string `json:"referrer_code,omitzero"`
	RegisteredOn string `json:"registered_on,omitzero"`
}

func register(s *Server, in *customerRequest, _ []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.RegisterCustomer{
		IDKind: bank.IDKind(in.IDType), Channel: f.channel(in.Channel), Date: f.date("registered_on", in.RegisteredOn),
		Branch:       f.text("branch", in.Branch, false, codeMax),
		ReferrerCode: f.text("referrer_code", in.ReferrerCode, false, codeMax),
	}
	f.text("name", in.Name, true, nameMax)
	f.text("id_number", in.IDNumber, true, otherIDMax)
	if f.p == nil && !isMobile(in.Mobile) {
		f.fail(string(bank.FieldInvalid), "mobile", "a mobile number has 11 digits and begins with 13 to 19")
	}
	number := in.IDNumber
	switch cmd.IDKind {
	case "", bank.ResidentID:
		cmd.IDKind = bank.ResidentID
		parsed, fault := bank.ParseIdentityNumber(number, bank.DateOf(s.options.Clock()))
		if fault != bank.NumberOK {
			f.fail(string(bank.FieldInvalid), "id_number", string(fault))
			break
		}
		number, cmd.Region = string(parsed), parsed.Region()
	case bank.OtherID:
	default:
		f.fail(string(bank.FieldInvalid), "id_type", "RESIDENT_ID or OTHER")
	}
	if f.p != nil {
		return nil, f.p
	}
	cmd.Person = bank.PersonSealed{
		NameSealed: s.seal(&f, in.Name), IDSealed: s.seal(&f, number), MobileSealed: s.seal(&f, in.Mobile),
		IDToken:     s.options.Vault.Token("id", string(cmd.IDKind)+":"+number),
		MobileToken: s.options.Vault.Token("mobile", in.Mobile), NameToken: s.options.Vault.Token("name", in.Name),
		NameMasked: bank.MaskName(in.Name), IDMasked: bank.MaskIdentity(number), MobileMasked: bank.MaskMobile(in.Mobile),
	}
	return cmd, f.p
}

func (s *Server) seal(f *fields, plain string) []byte {
	sealed, err := s.options.Vault.Seal(plain)
	if err != nil {
		s.options.Logger.Error("a field can't be sealed", "cause", err)
		f.fail(codeInternal, "", "")
	}
	return sealed
}

func isMobile(s string) bool {
	return len(s) == 11 && s[0] == '1' && s[1] >= '3' && strings.Trim(s, "0123456789") == ""
}

type cardRequest struct {
	CardNo string `json:"card_no"`
	Bank   string `json:"bank"`
	Kind   string `json:"kind,omitzero"`
}

type accountRequest struct {
	Class      string      `json:"class,omitzero"`
	Product    string      `json:"product,omitzero"`
	FaceToFace bool        `json:"face_to_face,omitzero"`
	BoundCard  cardRequest `json:"bound_card"`
	Channel    string      `json:"channel,omitzero"`
	OpenedOn   string      `json:"opened_on,omitzero"`
}

func openAccount(s *Server, in *accountRequest, args []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.OpenAccount{
		Customer: f.customer("customer_id", args[0]), Class: 2, Product: f.text("product", in.Product, false, codeMax),
		FaceToFace: in.FaceToFace, Channel: f.channel(in.Channel), Date: f.date("opened_on", in.OpenedOn),
	}
	if in.Class != "" && cmd.Class.UnmarshalText([]byte(in.Class)) != nil {
		f.fail(string(bank.FieldInvalid), "class", "I, II or III")
	}
	cmd.Card = s.card(&f, &in.BoundCard, "bound_card.")
	return cmd, f.p
}

// card checks and seals a card; in is the beginning of its fields' names.
func (s *Server) card(f *fields, card *cardRequest, in string) bank.CardSealed {
	f.cardNo(in+"card_no", card.CardNo)
	f.text(in+"bank", card.Bank, true, codeMax)
	if card.Kind == "" {
		card.Kind = bank.CardClassI
	}
	if card.Kind != bank.CardClassI && card.Kind != bank.CardCredit {
		f.fail(string(bank.FieldInvalid), in+"kind", "CLASS_1 or CREDIT")
	}
	if f.p != nil {
		return bank.CardSealed{}
	}
	return bank.CardSealed{
		Sealed: s.seal(f, card.CardNo), Token: s.options.Vault.Token("card", card.CardNo),
		Masked: bank.MaskCard(card.CardNo), Bank: card.Bank, Kind: card.Kind,
	}
}

func (f *fields) cardNo(field, no string) {
	switch {
	case no == "":
		f.fail(string(bank.BoundCardRequired), field, "")
	case !bank.IsCardNumber(no):
		f.fail(string(bank.FieldInvalid), field, "8 to 19 digits with a correct check digit")
	}
}

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
	return cmd, f.p
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

// eitherAmountOr checks that exactly one of an amount and everything was asked for.
func (f *fields) eitherAmountOr(field string, everything bool, fen int64) {
	switch {
	case everything && fen != 0:
		f.fail(codeFieldHere, "amount_fen", "either amount_fen or "+field)
	case !everything:
		f.money("amount_fen", fen)
	}
}

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

// callOf makes the call of a command. The key is scoped to the customer who decides, so that nobody can
// meet another's keys. The body's hash covers tokens, not sealed fields, which differ each time.
func callOf(operation string, cmd bank.Command, key []byte) (*bank.Call, *problem) {
	var room [256]byte
	scoped := append(binary.LittleEndian.AppendUint64(room[:0], uint64(bank.DeciderOf(cmd))), 0)
	call := &bank.Call{Command: cmd, Key: half(append(scoped, key...))}
	body, err := bank.Encode(unsealed(cmd))
	if err != nil {
		return nil, &problem{code: codeInternal}
	}
	call.Body = half(append(append(append(room[:0], operation...), 0), body...))
	call.Bytes = len(body)
	return call, nil
}

// half is half of a SHA-256.
func half(of []byte) bank.U128 {
	sum := sha256.Sum256(of)
	return bank.U128{Lo: binary.LittleEndian.Uint64(sum[:]), Hi: binary.LittleEndian.Uint64(sum[8:])}
}

func unsealed(cmd bank.Command) bank.Command {
	switch m := cmd.(type) {
	case *bank.RegisterCustomer:
		c := *m
		c.Person.NameSealed, c.Person.IDSealed, c.Person.MobileSealed = nil, nil, nil
		return &c
	case *bank.OpenAccount:
		c := *m
		c.Card.Sealed = nil
		return &c
	case *bank.AddCard:
		c := *m
		c.Card.Sealed = nil
		return &c
	}
	return cmd
}

// idempotencyKeyMax is the longest key, bytes.
const idempotencyKeyMax = 128

func checkKey(key []byte) *problem {
	const field = "Idempotency-Key"
	switch {
	case len(key) == 0:
		return &problem{code: codeKeyMissing, field: field}
	case len(key) > idempotencyKeyMax || bytes.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return &problem{code: codeKeyBad, field: field}
	}
	return nil
}
