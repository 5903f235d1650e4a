package ingress

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
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
	requests := sync.Pool{New: func() any { return new(T) }}
	return operation{
		path: path, zh: zh, en: en, status: status, segments: strings.Split(path, "/"), request: *new(T), reply: reply,
		command: func(s *Server, body []byte, args []string) (bank.Command, *problem) {
			in := requests.Get().(*T)
			defer func() {
				*in = *new(T) // the command has what in points to, but not in
				requests.Put(in)
			}()
			if p := decodeFrequent(body, in); p != nil {
				return nil, p
			}
			return build(s, in, args)
		},
	}
}

var operations = append(channelOperations(), []operation{
	op("/v1/customers", 201, "注册", "Register a person", register, registered),
	op("/v1/customers/{id}/accounts", 201, "开户", "Open an e-account with a bound card, or apply for one until the card is confirmed", openAccount, accountOpened),
	op(transfersPath, 201, "转账", "Move money: in_bound, out, payment, internal or inbound", transfer, transferred),
	op("/v1/transfers/{id}/reviews", 201, "风险暂缓处置", "Let a payment go that was delayed for review, or refuse it", reviewPayment, paymentReviewed).by(bank.Teller).withApproval(),
	op("/v1/transfers/{id}/withdrawals", 201, "撤回暂缓的付款", "Withdraw a payment that waits for review", withdrawPayment, paymentReviewed),
	op("/v1/customers/{id}/identity-confirmations", 201, "面签", "Confirm a customer's identity in person", confirmIdentity, identityConfirmed).by(bank.Teller).withApproval(),
	op("/v1/accounts/{no}/card-checks", 201, "绑定卡核验结果", "What the bound card's bank says of an account that waits to be opened", answerCardCheck, cardChecked).by(bank.Teller),
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
	op("/v1/deposits/{id}/freezes", 201, "存单司法冻结", "Freeze an amount of a deposit for an authority: what is free of it, for a year at most, or wait for it", freezeDeposit, depositFrozen).by(bank.Teller).withApproval(),
	op("/v1/deposits/{id}/freezes/{hold}/renewals", 201, "存单续冻", "Let a deposit's freeze run longer", renewDepositFreeze, depositFreezeRenewed).by(bank.Teller).withApproval(),
	op("/v1/deposits/{id}/freezes/{hold}/deductions", 201, "存单司法扣划", "Take an amount of a frozen deposit for whoever ordered it; what is left stays frozen", deductDeposit, depositDeducted).by(bank.Teller).withApproval(),
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

// eitherAmountOr checks that exactly one of an amount and everything was asked for.
func (f *fields) eitherAmountOr(field string, everything bool, fen int64) {
	switch {
	case everything && fen != 0:
		f.fail(codeFieldHere, "amount_fen", "either amount_fen or "+field)
	case !everything:
		f.money("amount_fen", fen)
	}
}

// fill makes the call of a command. The key is scoped to the customer who decides, so that nobody can
// meet another's keys. The body's hash covers tokens, not sealed fields, which differ each time.
func fill[K string | []byte](call *bank.Call, operation string, cmd bank.Command, key K) *problem {
	room := encodings.Get().(*[encodingUsual]byte)
	defer encodings.Put(room)
	return fillIn(room, call, operation, cmd, key)
}

// fillIn is fill in a room to encode in.
func fillIn[K string | []byte](room *[encodingUsual]byte, call *bank.Call, operation string, cmd bank.Command, key K) *problem {
	call.Command = cmd
	scoped := append(binary.LittleEndian.AppendUint64(room[:0], uint64(bank.DeciderOf(cmd))), 0)
	scoped = append(scoped, key...)
	asked := append(append(scoped[len(scoped):], operation...), 0)
	head := len(asked)
	asked, err := bank.AppendEncoded(asked, unsealed(cmd))
	if err != nil {
		return &problem{code: codeInternal}
	}
	call.Key, call.Body = half(scoped), half(asked)
	call.Bytes = len(asked) - head
	return nil
}

// half is half of a SHA-256.
func half(of []byte) bank.U128 {
	sum := sha256.Sum256(of)
	return bank.U128{Lo: binary.LittleEndian.Uint64(sum[:]), Hi: binary.LittleEndian.Uint64(sum[8:])}
}

// encodings are where fill encodes; a command that is larger than usual takes memory of its own.
var encodings = sync.Pool{New: func() any { return new([encodingUsual]byte) }}

const encodingUsual = 288

// callOf is fill for a call of its own.
func callOf(operation string, cmd bank.Command, key []byte) (*bank.Call, *problem) {
	call := new(bank.Call)
	if p := fill(call, operation, cmd, key); p != nil {
		return nil, p
	}
	return call, nil
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

// visible reports whether there are only visible characters of ASCII.
func visible[K string | []byte](key K) bool {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}

// idempotencyKeyMax is the longest key, bytes.
const idempotencyKeyMax = 128

func checkKey[K string | []byte](key K) *problem {
	const field = keyHeader
	switch {
	case len(key) == 0:
		return &problem{code: codeKeyMissing, field: field}
	case len(key) > idempotencyKeyMax || !visible(key):
		return &problem{code: codeKeyBad, field: field}
	}
	return nil
}
