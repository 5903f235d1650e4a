// Package papers makes the documents that a customer takes away: statements (对账单), slips (电子回单) and
// certificates of deposit (电子存单). It turns views of the bank into CSV, JSON and PDF; it reads nothing
// and knows no clock. Start here: Number and Mark; then statement.go, slip.go, certificate.go; sheet.go is
// what their PDFs have in common.
//
// What is printed is masked. A paper is no signed document: it carries a number, and a code over what it
// says, with which the bank tells anybody who holds both whether its books still say the same.
package papers

import (
	"bytes"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/emmansun/gmsm/sm3"

	"github.com/suanpan-bank/suanpan/bank"
)

// Issuer is the name a paper is made out by.
type Issuer struct{ Zh, En string }

// Bank is this bank.
var Bank = Issuer{Zh: "九台农商银行", En: "Jiutai Rural Commercial Bank"}

// Keys are what makes numbers and codes that nobody else can make (identity.Vault).
type Keys interface {
	// Token is a keyed digest of a value.
	Token(kind, value string) string
	// Cover hides 16 bytes; Uncover finds them again.
	Cover(plain [16]byte) [16]byte
	Uncover(covered [16]byte) [16]byte
}

// codeDigits of the keyed digest are printed: one guess in 2⁶⁴ is right.
const codeDigits = 16

// mark (验证码) is the code over a paper's content, in groups of four digits.
func mark(keys Keys, content []byte) string {
	token := strings.ToUpper(keys.Token("paper", hex.EncodeToString(content))[:codeDigits])
	var groups []string
	for ; token != ""; token = token[4:] {
		groups = append(groups, token[:4])
	}
	return strings.Join(groups, "-")
}

// digest is the content of a paper of a few lines.
func digest(lines ...string) []byte {
	sum := sm3.Sum([]byte(strings.Join(lines, "\n")))
	return sum[:]
}

// SameCode compares a code as somebody typed it.
func SameCode(typed, code string) bool {
	clean := func(s string) string {
		return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(s))
	}
	return clean(typed) == clean(code)
}

// Number (编号) says which paper it is: one of a statement's selection, a transaction or a deposit.
type Number struct {
	Statement bank.StatementQuery // Account, From, To and Limit, the entries it has
	Slip      bank.TxnID
	Deposit   bank.ContractNo
}

// ErrNumber: no number of a paper of ours.
var ErrNumber = errors.New("papers: not a paper's number")

// The first letters of numbers.
const (
	statementPrefix   = "S-"
	slipPrefix        = "R-"
	certificatePrefix = "C-"
)

// digits are those of Crockford: none is taken for another.
var digits = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// epoch is day zero of dates in numbers; 16 bits last until 2149.
const (
	epoch   bank.Date = 1970_01_01
	daysMax           = 1<<16 - 1
)

// ValidPeriod reports whether there can be a statement of the period: it ends no earlier than it begins, and can
// be numbered.
func ValidPeriod(from, to bank.Date) bool {
	return from >= epoch && from <= to && bank.Days(epoch, to) <= daysMax
}

// Text of a number. A statement's hides the account.
func (n *Number) Text(keys Keys) string {
	switch {
	case !n.Slip.IsZero():
		return slipPrefix + n.Slip.String()
	case n.Deposit != 0:
		return certificatePrefix + n.Deposit.String()
	}
	q := &n.Statement
	var plain [16]byte
	plain[0], plain[1] = byte(q.Account.Class()), q.Account.Index()
	binary.BigEndian.PutUint32(plain[2:], uint32(q.Account.Customer()))
	binary.BigEndian.PutUint16(plain[6:], uint16(bank.Days(epoch, q.From)))
	binary.BigEndian.PutUint16(plain[8:], uint16(bank.Days(epoch, q.To)))
	binary.BigEndian.PutUint32(plain[10:], uint32(q.Limit))
	covered := keys.Cover(plain)
	return statementPrefix + digits.EncodeToString(covered[:])
}

// ParseNumber reads what Text wrote; ErrNumber for anything else.
func ParseNumber(s string, keys Keys) (n Number, err error) {
	kind, rest := "", ""
	if len(s) > 2 {
		kind, rest = s[:2], s[2:]
	}
	switch kind {
	case slipPrefix:
		n.Slip, err = bank.ParseTxnID(rest)
	case certificatePrefix:
		n.Deposit, err = bank.ParseContractNo(rest)
	case statementPrefix:
		n.Statement, err = parseStatement(rest, keys)
	default:
		err = ErrNumber
	}
	if err != nil {
		return Number{}, ErrNumber
	}
	return n, nil
}

func parseStatement(s string, keys Keys) (q bank.StatementQuery, err error) {
	covered, err := digits.DecodeString(strings.ToUpper(s))
	if err != nil || len(covered) != 16 {
		return q, ErrNumber
	}
	plain := keys.Uncover([16]byte(covered))
	if !bytes.Equal(plain[14:], []byte{0, 0}) {
		return q, ErrNumber
	}
	customer := bank.CustomerNo(binary.BigEndian.Uint32(plain[2:]))
	q = bank.StatementQuery{
		Account: bank.NewAccountNo(bank.Class(plain[0]), customer, plain[1]),
		From:    epoch.AddDays(int(binary.BigEndian.Uint16(plain[6:]))),
		To:      epoch.AddDays(int(binary.BigEndian.Uint16(plain[8:]))),
		Limit:   int(binary.BigEndian.Uint32(plain[10:])),
	}
	if parsed, err := bank.ParseAccountNo(q.Account.String()); err != nil || parsed != q.Account || q.From > q.To {
		return q, ErrNumber
	}
	return q, nil
}
