package bank

import (
	"errors"
	"fmt"
	"strconv"
)

// U128 is an identifier or a large amount.
type U128 struct{ Lo, Hi uint64 }

// IsZero reports whether u is zero.
func (u U128) IsZero() bool { return u.Lo|u.Hi == 0 }

// MarshalText writes 32 hexadecimal digits.
func (u U128) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x%016x", u.Hi, u.Lo), nil }

// UnmarshalText reads the form of MarshalText.
func (u *U128) UnmarshalText(b []byte) error {
	if len(b) != 32 {
		return ErrBadID
	}
	hi, err1 := strconv.ParseUint(string(b[:16]), 16, 64)
	lo, err2 := strconv.ParseUint(string(b[16:]), 16, 64)
	if err1 != nil || err2 != nil {
		return ErrBadID
	}
	*u = U128{Lo: lo, Hi: hi}
	return nil
}

// ErrBadID is returned for an identifier whose form or check digit is wrong.
var ErrBadID = errors.New("not a valid identifier")

// CustomerNo (客户号) numbers customers from 1 to CustomerNoMax.
type CustomerNo uint64

// CustomerNoMax keeps a customer number within the nine digits that account numbers give it.
const CustomerNoMax CustomerNo = 999_999_999

// String is C, nine digits and a Luhn check digit; of the house H, its shard and a check digit.
func (c CustomerNo) String() string { return string(c.append(nil)) }

func (c CustomerNo) append(b []byte) []byte {
	from := len(b) + 1
	if c.IsHouse() {
		return appendLuhn(appendPadded(append(b, 'H'), uint64(c.houseShard()), 9), from)
	}
	return appendLuhn(appendPadded(append(b, 'C'), uint64(c), 9), from)
}

// AppendText appends the form of String.
func (c CustomerNo) AppendText(b []byte) ([]byte, error) { return c.append(b), nil }

// MarshalText writes the form of String.
func (c CustomerNo) MarshalText() ([]byte, error) { return c.append(nil), nil }

// UnmarshalText reads the form of String.
func (c *CustomerNo) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCustomerNo(string(b))
	return err
}

// ParseCustomerNo reads the form of String; ErrBadID for anything else.
func ParseCustomerNo(s string) (CustomerNo, error) {
	if len(s) != 11 || !luhnValid(s[1:]) {
		return 0, ErrBadID
	}
	n, err := strconv.ParseUint(s[1:10], 10, 64)
	switch {
	case err == nil && s[0] == 'C' && n > 0:
		return CustomerNo(n), nil
	case err == nil && s[0] == 'H' && n < ShardCount:
		return HouseNo(uint16(n)), nil
	}
	return 0, ErrBadID
}

// ShardCount is the number of shards (分片): the unit that is placed, moved and fenced. It is part of
// account ids in the ledger and can't change.
const ShardCount = 1024

// Shard is a fixed hash of the customer number (Fibonacci hashing: neighbours land far apart).
func (c CustomerNo) Shard() uint16 {
	if c.IsHouse() {
		return c.houseShard()
	}
	return uint16(uint64(c) * 0x9E3779B97F4A7C15 >> 54)
}

// Class is the class of a personal account (账户分类): 1, 2 or 3 for Ⅰ, Ⅱ, Ⅲ.
type Class uint8

// AccountNo is an e-account's number, 19 digits: issuer 999022, class, 0, serial of ten digits, Luhn.
// The serial is the customer number and one digit counting the customer's accounts of the class, so
// that a number leads to its customer without a directory (docs/decisions/0003).
type AccountNo uint64 // class<<56 | index<<48 | customer

// AccountsPerClassMax is how many accounts of one class a customer can ever open.
const AccountsPerClassMax = 10

const (
	issuer        = "999022"
	issuerLuhn    = 33 // what its digits add to the sum of the check digit, where every other digit counts twice
	accountDigits = 19
)

// NewAccountNo makes the number of the customer's index-th account (0…9) of the class.
func NewAccountNo(class Class, customer CustomerNo, index uint8) AccountNo {
	return AccountNo(uint64(class)<<56 | uint64(index)<<48 | uint64(customer))
}

// Class of the account.
func (a AccountNo) Class() Class { return Class(a >> 56) }

// Index among the customer's accounts of the class.
func (a AccountNo) Index() uint8 { return uint8(a >> 48) }

// Customer whose account it is.
func (a AccountNo) Customer() CustomerNo { return CustomerNo(a & (1<<48 - 1)) }

// String is the 19 digits.
func (a AccountNo) String() string { return string(a.append(nil)) }

func (a AccountNo) append(b []byte) []byte {
	class, index, customer := a.Class(), a.Index(), uint64(a.Customer())
	if class > 9 || index > 9 || customer > uint64(CustomerNoMax) {
		return a.appendOdd(b)
	}
	from := len(b)
	b = append(b, issuer+"0000000000000"...)
	text := b[from : from+accountDigits]
	text[6], text[17] = '0'+byte(class), '0'+index
	sum := issuerLuhn + uint(class) + uint(luhnTwice[index])
	for i := 16; customer > 0; i-- { // every other digit counts twice, the index among them
		digit := customer % 10
		customer /= 10
		text[i] = '0' + byte(digit)
		if i&1 == 0 {
			sum += uint(digit)
		} else {
			sum += uint(luhnTwice[digit])
		}
	}
	text[18] = '0' + byte((10-sum%10)%10)
	return b
}

// appendOdd appends what can't be an account of the bank.
func (a AccountNo) appendOdd(b []byte) []byte {
	from := len(b)
	b = appendPadded(append(b, issuer...), uint64(a.Class()), 1)
	b = appendPadded(append(b, '0'), uint64(a.Customer()), 9)
	return appendLuhn(appendPadded(b, uint64(a.Index()), 1), from)
}

// AppendText appends the form of String.
func (a AccountNo) AppendText(b []byte) ([]byte, error) { return a.append(b), nil }

// MarshalText writes the form of String.
func (a AccountNo) MarshalText() ([]byte, error) { return a.append(nil), nil }

// UnmarshalText reads the form of String.
func (a *AccountNo) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAccountNo(string(b))
	return err
}

// ParseAccountNo reads 19 digits of our issuer; ErrBadID for anything else.
func ParseAccountNo(s string) (AccountNo, error) {
	if len(s) != accountDigits || s[:6] != issuer || s[7] != '0' || s[6] < '1' || s[6] > '3' {
		return 0, ErrBadID
	}
	var customer uint64
	sum := issuerLuhn + uint(s[6]-'0')
	for i := 8; i < 18; i += 2 {
		once, twice := s[i]-'0', s[i+1]-'0'
		if once > 9 || twice > 9 {
			return 0, ErrBadID
		}
		sum += uint(once) + uint(luhnTwice[twice])
		customer = customer*100 + uint64(once)*10 + uint64(twice)
	}
	index, check := customer%10, uint(s[18]-'0')
	customer /= 10
	if check > 9 || (sum+check)%10 != 0 || customer == 0 {
		return 0, ErrBadID
	}
	return NewAccountNo(Class(s[6]-'0'), CustomerNo(customer), uint8(index)), nil
}

// ContractNo numbers a customer's contracts of one kind: deposit, credit line, loan, application.
type ContractNo uint64 // kind<<56 | seq<<32 | customer

// ContractKind is the letter that begins a contract number.
type ContractKind byte

// The kinds of contracts.
const (
	DepositContract     ContractKind = 'D' // 定期存款
	LineContract        ContractKind = 'L' // 授信
	LoanContract        ContractKind = 'B' // 借据
	ApplicationContract ContractKind = 'A' // 贷款申请
)

// ContractSeqMax is how many contracts of one kind a customer can have.
const ContractSeqMax = 999_999

// NewContractNo makes the customer's seq-th (from 1) contract number of the kind.
func NewContractNo(kind ContractKind, customer CustomerNo, seq uint32) ContractNo {
	return ContractNo(uint64(kind)<<56 | uint64(seq)<<32 | uint64(customer))
}

// Kind of the contract.
func (n ContractNo) Kind() ContractKind { return ContractKind(n >> 56) }

// Seq among the customer's contracts of the kind, from 1.
func (n ContractNo) Seq() uint32 { return uint32(n>>32) & 0xFFFFFF }

// Customer whose contract it is.
func (n ContractNo) Customer() CustomerNo { return CustomerNo(n & (1<<32 - 1)) }

// String is the kind's letter, nine digits of customer, six of sequence and a Luhn check digit.
func (n ContractNo) String() string {
	b := appendPadded([]byte{byte(n.Kind())}, uint64(n.Customer()), 9)
	return string(appendLuhn(appendPadded(b, uint64(n.Seq()), 6), 1))
}

// MarshalText writes the form of String.
func (n ContractNo) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads the form of String.
func (n *ContractNo) UnmarshalText(b []byte) (err error) {
	*n, err = ParseContractNo(string(b))
	return err
}

// ParseContractNo reads the form of String; ErrBadID for anything else.
func ParseContractNo(s string) (ContractNo, error) {
	if len(s) != 17 || !luhnValid(s[1:]) {
		return 0, ErrBadID
	}
	kind := ContractKind(s[0])
	switch kind {
	case DepositContract, LineContract, LoanContract, ApplicationContract:
	default:
		return 0, ErrBadID
	}
	customer, err1 := strconv.ParseUint(s[1:10], 10, 64)
	seq, err2 := strconv.ParseUint(s[10:16], 10, 32)
	if err1 != nil || err2 != nil || customer == 0 || seq == 0 {
		return 0, ErrBadID
	}
	return NewContractNo(kind, CustomerNo(customer), uint32(seq)), nil
}

// TxnID is the business id of a decision, time-ordered: 48 bits of milliseconds, 40 of customer, 40 of
// the customer's decision number. It leads to its customer without a directory.
type TxnID U128

// NewTxnID makes the id of the customer's seq-th decision, taken at ms milliseconds since 1970.
func NewTxnID(ms int64, customer CustomerNo, seq uint64) TxnID {
	c := uint64(customer)
	return TxnID{Hi: uint64(ms)<<16 | c>>24, Lo: c<<40 | seq&(1<<40-1)}
}

// IsZero reports whether there is no id.
func (t TxnID) IsZero() bool { return t.Hi|t.Lo == 0 }

// Customer who decided.
func (t TxnID) Customer() CustomerNo { return CustomerNo((t.Hi&0xFFFF)<<24 | t.Lo>>40) }

// Seq is the decision number.
func (t TxnID) Seq() uint64 { return t.Lo & (1<<40 - 1) }

// Millis is when it was decided, milliseconds since 1970.
func (t TxnID) Millis() int64 { return int64(t.Hi >> 16) }

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// String is 26 characters of Crockford's base 32, as in a ULID: it sorts by time.
func (t TxnID) String() string { return string(t.append(nil)) }

func (t TxnID) append(out []byte) []byte {
	var b [26]byte
	// Twelve characters are 60 bits: the two lower halves and what is left above them.
	low, middle := t.Lo, t.Lo>>60|t.Hi<<4
	for i := range 12 {
		b[25-i], b[13-i] = crockford[low&31], crockford[middle&31]
		low >>= 5
		middle >>= 5
	}
	b[1], b[0] = crockford[t.Hi>>56&31], crockford[t.Hi>>61]
	return append(out, b[:]...)
}

// AppendText appends the form of String.
func (t TxnID) AppendText(b []byte) ([]byte, error) { return t.append(b), nil }

// MarshalText writes the form of String.
func (t TxnID) MarshalText() ([]byte, error) { return t.append(nil), nil }

// UnmarshalText reads the form of String.
func (t *TxnID) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTxnID(string(b))
	return err
}

// ParseTxnID reads the form of String; ErrBadID for anything else.
func ParseTxnID(s string) (TxnID, error) {
	if len(s) != 26 || s[0] > '7' {
		return TxnID{}, ErrBadID
	}
	var t TxnID
	for i := range len(s) {
		v := crockfordValue(s[i])
		if v < 0 {
			return TxnID{}, ErrBadID
		}
		t.Hi = t.Hi<<5 | t.Lo>>59
		t.Lo = t.Lo<<5 | uint64(v)
	}
	if c := t.Customer(); c == 0 || c > CustomerNoMax && !c.IsHouse() {
		return TxnID{}, ErrBadID
	}
	return t, nil
}

func crockfordValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'Z':
		for i := 10; i < 32; i++ {
			if crockford[i] == c {
				return i
			}
		}
	}
	return -1
}

// TransferAttemptMax is the last attempt that a transfer id can tell apart.
const TransferAttemptMax = 3

// TransferID is the ledger id of one leg (SPEC 0.8): 48 bits of the decision's millisecond, then 30 of
// customer, 40 of decision number, 8 of leg and 2 of attempt. Retrying anything therefore asks for the same
// transfer, and no two legs have the same id (docs/decisions/0014).
func TransferID(t TxnID, leg, attempt uint8) U128 {
	if attempt > TransferAttemptMax {
		panic("bank: an attempt beyond what a transfer id can hold")
	}
	customer := uint64(t.Customer())
	return U128{
		Hi: t.Hi&^0xFFFF | customer>>14,
		Lo: customer<<50 | t.Seq()<<10 | uint64(leg)<<2 | uint64(attempt),
	}
}

// LedgerID is a ledger account's id: detail subject (32) ‖ owner (64) ‖ sequence (32), so opening an
// account twice is harmless (SPEC 6.1.3).
func LedgerID(detail uint32, owner uint64, seq uint32) U128 {
	return U128{Hi: uint64(detail)<<32 | owner>>32, Lo: owner<<32 | uint64(seq)}
}

// SplitLedgerID is the inverse of LedgerID.
func SplitLedgerID(id U128) (detail uint32, owner uint64, seq uint32) {
	return uint32(id.Hi >> 32), id.Hi<<32 | id.Lo>>32, uint32(id.Lo)
}

// appendPadded appends n with leading zeros up to the width.
func appendPadded(b []byte, n uint64, width int) []byte {
	var digits [20]byte
	text := strconv.AppendUint(digits[:0], n, 10)
	for i := len(text); i < width; i++ {
		b = append(b, '0')
	}
	return append(b, text...)
}

// luhnTwice is what a digit adds to the sum of a check digit where it counts twice.
var luhnTwice = [10]uint8{0, 2, 4, 6, 8, 1, 3, 5, 7, 9}

// appendLuhn appends the check digit over the digits of b from position from on.
func appendLuhn(b []byte, from int) []byte {
	sum, double := 0, true
	for i := len(b) - 1; i >= from; i-- {
		d := int(b[i] - '0')
		if double {
			d = int(luhnTwice[d])
		}
		sum += d
		double = !double
	}
	return append(b, byte('0'+(10-sum%10)%10))
}

// luhnValid reports whether s is digits only with a correct last digit (ISO/IEC 7812-1 annex B).
func luhnValid(s string) bool {
	sum, double := 0, false
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		d := int(s[i] - '0')
		if double {
			d = int(luhnTwice[d])
		}
		sum += d
		double = !double
	}
	return len(s) > 0 && sum%10 == 0
}
