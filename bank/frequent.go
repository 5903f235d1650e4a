package bank

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// The stored form of what an internal transfer writes and reads, and of states (frequent_state.go), without reflection: it is most of what a
// bank does. By test the bytes are those of the general encoder, and what the decoder here takes the general
// one reads the same; whatever is unusual is left to that.

// frequent is a value that writes its own stored form.
type frequent interface {
	appendStored(b []byte) []byte
}

// frequentSize is room for most of them.
const frequentSize = 112

// The major types of CBOR that are used here.
const (
	cborUnsigned = 0 << 5
	cborNegative = 1 << 5
	cborBytes    = 2 << 5
	cborText     = 3 << 5
	cborArray    = 4 << 5
	cborMap      = 5 << 5
	cborTrue     = 7<<5 | 21
)

// appendHead appends a value's major type and argument in the shortest form.
func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

// storedMap appends a struct field by field. Its length is in its first byte, so it has at most 23.
type storedMap struct {
	b  []byte
	at int
}

func newStoredMap(b []byte) storedMap { return storedMap{append(b, cborMap), len(b)} }

func (m *storedMap) key(key byte) {
	m.b[m.at]++
	m.b = append(m.b, key)
}

func (m *storedMap) uint(key byte, v uint64) {
	m.key(key)
	m.b = appendHead(m.b, cborUnsigned, v)
}

func (m *storedMap) int(key byte, v int64) {
	m.key(key)
	if v < 0 {
		m.b = appendHead(m.b, cborNegative, uint64(^v))
		return
	}
	m.b = appendHead(m.b, cborUnsigned, uint64(v))
}

// intUnlessZero and textUnlessEmpty leave out what is omitted when empty.
func (m *storedMap) intUnlessZero(key byte, v int64) {
	if v != 0 {
		m.int(key, v)
	}
}

func (m *storedMap) textUnlessEmpty(key byte, s string) {
	if s != "" {
		m.text(key, s)
	}
}

// trueUnlessFalse leaves out what is false.
func (m *storedMap) trueUnlessFalse(key byte, v bool) {
	if v {
		m.key(key)
		m.b = append(m.b, cborTrue)
	}
}

func (m *storedMap) text(key byte, s string) {
	m.key(key)
	m.b = append(appendHead(m.b, cborText, uint64(len(s))), s...)
}

// The fields of a 128-bit number as they are stored.
const (
	storedHi = "\xa2\x62Hi"
	storedLo = "\x62Lo"
)

func (m *storedMap) u128(key byte, v U128) {
	m.key(key)
	m.b = appendHead(append(m.b, storedHi...), cborUnsigned, v.Hi)
	m.b = appendHead(append(m.b, storedLo...), cborUnsigned, v.Lo)
}

func (t *TransferInternal) appendStored(b []byte) []byte {
	m := newStoredMap(b)
	m.uint(1, uint64(t.Payer))
	m.uint(2, uint64(t.Payee))
	m.int(3, t.AmountFen)
	m.uint(4, uint64(t.Channel))
	m.textUnlessEmpty(5, t.Summary)
	m.intUnlessZero(6, int64(t.Date))
	m.trueUnlessFalse(7, t.Confirmed)
	return m.b
}

func (t *InternalTransferred) appendStored(b []byte) []byte {
	m := newStoredMap(b)
	m.u128(1, U128(t.TxnID))
	m.uint(2, uint64(t.Role))
	m.uint(3, uint64(t.Payer))
	m.uint(4, uint64(t.Payee))
	m.int(5, t.AmountFen)
	m.intUnlessZero(6, t.FeeFen)
	m.uint(7, uint64(t.Channel))
	m.intUnlessZero(8, t.DayTotalFen)
	m.intUnlessZero(9, t.YearTotalFen)
	m.textUnlessEmpty(10, t.Summary)
	return m.b
}

func (r *StoredReceipt) appendStored(b []byte) []byte {
	m := newStoredMap(b)
	m.text(1, r.Operation)
	if r.Refusal != nil {
		m.key(2)
		m.b = r.Refusal.appendStored(m.b)
	}
	if len(r.Balances) > 0 {
		m.key(3)
		m.b = appendHead(m.b, cborArray, uint64(len(r.Balances)))
		for i := range r.Balances {
			m.b = r.Balances[i].appendStored(m.b)
		}
	}
	return m.b
}

func (r *Refusal) appendStored(b []byte) []byte {
	m := newStoredMap(b)
	m.text(1, string(r.Code))
	m.textUnlessEmpty(2, r.Field)
	m.intUnlessZero(3, r.LimitFen)
	return m.b
}

func (v *Balance) appendStored(b []byte) []byte {
	m := newStoredMap(b)
	m.uint(1, uint64(v.Account))
	m.intUnlessZero(2, v.PostedFen)
	m.intUnlessZero(3, v.PendingInFen)
	m.intUnlessZero(4, v.PendingOutFen)
	m.intUnlessZero(5, v.AvailableFen)
	return m.b
}

// storedReader reads what is written here. Anything else makes it odd, and its values worthless.
type storedReader struct {
	b   []byte
	odd bool
}

// head reads a value of the major type and returns its argument.
func (r *storedReader) head(major byte) uint64 {
	if r.odd || len(r.b) == 0 || r.b[0]&0xe0 != major {
		r.odd = true
		return 0
	}
	short := r.b[0] & 0x1f
	r.b = r.b[1:]
	if short < 24 {
		return uint64(short)
	}
	size := 1 << (short - 24)
	if short > 27 || len(r.b) < size {
		r.odd = true
		return 0
	}
	var n uint64
	for _, c := range r.b[:size] {
		n = n<<8 | uint64(c)
	}
	r.b = r.b[size:]
	return n
}

// uint reads a number up to limit.
func (r *storedReader) uint(limit uint64) uint64 {
	n := r.head(cborUnsigned)
	r.odd = r.odd || n > limit
	return n
}

// fen reads an amount that is not negative.
func (r *storedReader) fen() int64 { return int64(r.uint(math.MaxInt64)) }

func (r *storedReader) text() string {
	n := r.head(cborText)
	if r.odd || n > uint64(len(r.b)) || !utf8.Valid(r.b[:n]) {
		r.odd = true
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *storedReader) literal(s string) {
	if r.odd || len(r.b) < len(s) || string(r.b[:len(s)]) != s {
		r.odd = true
		return
	}
	r.b = r.b[len(s):]
}

func (r *storedReader) u128() (v U128) {
	r.literal(storedHi)
	v.Hi = r.uint(math.MaxUint64)
	r.literal(storedLo)
	v.Lo = r.uint(math.MaxUint64)
	return v
}

// readStored reads the event; false if its bytes are not as they are written here.
func (t *InternalTransferred) readStored(b []byte) bool {
	r := storedReader{b: b}
	before := uint64(0)
	for n := r.head(cborMap); n > 0 && !r.odd; n-- {
		key := r.uint(math.MaxUint64)
		if key <= before {
			return false
		}
		before = key
		switch key {
		case 1:
			t.TxnID = TxnID(r.u128())
		case 2:
			t.Role = Role(r.uint(math.MaxUint8))
		case 3:
			t.Payer = AccountNo(r.uint(math.MaxUint64))
		case 4:
			t.Payee = AccountNo(r.uint(math.MaxUint64))
		case 5:
			t.AmountFen = r.fen()
		case 6:
			t.FeeFen = r.fen()
		case 7:
			t.Channel = Channel(r.uint(math.MaxUint16))
		case 8:
			t.DayTotalFen = r.fen()
		case 9:
			t.YearTotalFen = r.fen()
		case 10:
			t.Summary = r.text()
		default:
			return false
		}
	}
	return !r.odd && len(r.b) == 0
}
