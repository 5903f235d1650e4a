package ingress

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/suanpan-bank/suanpan/bank"
)

// stencil (套板) is an operation of a batch, cut around what differs between a machine's transfers: key, payer, payee and amount. What is the same
// for all of them has been read and checked once. So the next one need not be read again where it is byte for byte the same around the
// four, and these are what they may be. Whatever else comes is read as the first was. A stencil holds for whatever batch, of whomever.
type stencil struct {
	parts   [stencilValues + 1]string // before, between and behind the values; parts[0] empty: none is known
	order   [stencilValues]int        // which value stands where
	sizes   [stencilValues]int        // of the values as they stand, in protobuf, where lengths are written before them; 0: in JSON
	made    bank.TransferInternal     // with all that is alike
	learned int                       // in this batch
}

// The values. Those of JSON have these names.
const (
	stencilKey = iota
	stencilPayer
	stencilPayee
	stencilAmount
	stencilValues
)

var stencilNames = [stencilValues]string{`"idempotency_key"`, `"from_account"`, `"to_account"`, `"amount_fen"`}

// stencilsMax is how many operations of a batch are cut. A client may have something new in each.
const stencilsMax = 4

// alikeJSON takes the operation that the text begins with, if it is alike, and tells how long it is; 0: it is not.
func (b *batch) alikeJSON(text string) (size int) {
	t := &b.stencil
	if t.sizes[0] != 0 || b.count >= BatchMax {
		return 0
	}
	made, key := t.made, ""
	ok := true
	for i, value := range t.order {
		part := t.parts[i]
		if part == "" || !strings.HasPrefix(text[size:], part) {
			return 0
		}
		size += len(part)
		var n int
		switch rest := text[size:]; value {
		case stencilKey:
			key = plainKey(rest)
			n, ok = len(key), key != ""
		case stencilPayer:
			n, ok = accountIn(rest, &made.Payer)
		case stencilPayee:
			n, ok = accountIn(rest, &made.Payee)
		case stencilAmount:
			made.AmountFen, n = plainFen(rest)
			ok = n > 0
		}
		if !ok {
			return 0
		}
		size += n
	}
	last := t.parts[stencilValues]
	if !strings.HasPrefix(text[size:], last) {
		return 0
	}
	b.ask(key, &made)
	return size + len(last)
}

// alikeProtobuf is alikeJSON for an operation that is the whole text.
func (b *batch) alikeProtobuf(text string) bool {
	t := &b.stencil
	if t.sizes[0] == 0 || b.count >= BatchMax {
		return false
	}
	made, key := t.made, ""
	at := 0
	for i, value := range t.order {
		part, n := t.parts[i], t.sizes[i]
		if !strings.HasPrefix(text[at:], part) {
			return false
		}
		if at += len(part); len(text)-at < n {
			return false
		}
		ok := false
		switch given := text[at : at+n]; value {
		case stencilKey:
			key = given
			ok = checkKey(key) == nil
		case stencilPayer:
			_, ok = accountIn(given, &made.Payer)
		case stencilPayee:
			_, ok = accountIn(given, &made.Payee)
		case stencilAmount:
			fen, size := varint(given)
			made.AmountFen, ok = int64(fen), size == n && int64(fen) > 0 && int64(fen) <= bank.AmountMaxFen
		}
		if !ok {
			return false
		}
		at += n
	}
	if text[at:] != t.parts[stencilValues] {
		return false
	}
	b.ask(key, &made)
	return true
}

// plainKey is the key that ends at the next quotation mark; none if it is not good, or not written as it is.
func plainKey(text string) string {
	for i := range min(len(text), idempotencyKeyMax+1) {
		switch c := text[i]; {
		case c == '"':
			return text[:i]
		case c <= ' ' || c > '~' || c == '\\':
			return ""
		}
	}
	return ""
}

const accountDigits = 19

// accountIn reads the number of one of our accounts that a text begins with.
func accountIn(text string, into *bank.AccountNo) (size int, ok bool) {
	if len(text) < accountDigits {
		return 0, false
	}
	no, err := bank.ParseAccountNo(text[:accountDigits])
	*into = no
	return accountDigits, err == nil
}

// fenDigits is how many digits the largest amount has.
const fenDigits = 15

// plainFen reads an amount that a transfer may have; no digits: it can't.
func plainFen(text string) (fen int64, digits int) {
	for digits < len(text) && text[digits]-'0' <= 9 {
		if digits == fenDigits {
			return 0, 0
		}
		fen = fen*10 + int64(text[digits]-'0')
		digits++
	}
	if digits == 0 || text[0] == '0' || fen > bank.AmountMaxFen {
		return 0, 0
	}
	return fen, digits
}

// varint reads a number as protowire does.
func varint(text string) (v uint64, size int) {
	var b [10]byte
	return protowire.ConsumeVarint(b[:copy(b[:], text)])
}

// begin takes another stencil of the command, unless there have been too many in the batch.
func (t *stencil) begin(made *bank.TransferInternal) bool {
	if t.learned == stencilsMax {
		return false
	}
	*t = stencil{made: *made, learned: t.learned + 1}
	return true
}

// learnJSON cuts an operation that has been read and is good. Names stand in quotation marks, and no text that has been read has any, so
// where a name is found once it is the member's.
func (t *stencil) learnJSON(text string, made *bank.TransferInternal) {
	if !t.begin(made) {
		return
	}
	var spans [stencilValues]span
	for value, name := range stencilNames {
		at := strings.Index(text, name)
		if at < 0 || strings.Contains(text[at+1:], name) {
			return
		}
		s := scanner{s: text, b: []byte(text), at: at + len(name)}
		s.expect(':')
		from := s.at
		if value == stencilAmount {
			s.number()
			spans[value] = span{from, s.at}
		} else {
			s.text()
			spans[value] = span{from + 1, s.at - 1}
		}
		if s.odd {
			return
		}
	}
	t.cut(text, spans)
}

// learnProtobuf is learnJSON of an operation in protobuf, in which no field comes twice.
func (t *stencil) learnProtobuf(text string, made *bank.TransferInternal) {
	if !t.begin(made) {
		return
	}
	var spans [stencilValues]span
	operation := message{b: []byte(text), s: text, names: operationFields}
	for operation.once() {
		switch operation.field {
		case 1:
			spans[stencilKey] = operation.span(len(text))
		case 4:
			within := operation.span(len(text))
			transfer := message{b: []byte(text[within.from:within.to]), s: text[within.from:within.to], names: transferFields}
			for transfer.once() {
				switch transfer.field {
				case 2:
					spans[stencilPayer] = transfer.span(within.to)
				case 3:
					spans[stencilPayee] = transfer.span(within.to)
				case 4:
					spans[stencilAmount] = transfer.span(within.to)
				default:
					transfer.span(within.to)
				}
			}
		default:
			operation.span(len(text))
		}
	}
	if !t.cut(text, spans) {
		return
	}
	for i, value := range t.order {
		t.sizes[i] = spans[value].to - spans[value].from
	}
}

// span passes over a field's value, of a message that ends at end, and tells where it stands.
func (m *message) span(end int) span {
	if m.wire == protowire.VarintType {
		from := end - len(m.b)
		m.number()
		return span{from, end - len(m.b)}
	}
	b, _ := m.bytes()
	to := end - len(m.b)
	return span{to - len(b), to}
}

// cut cuts around the values; false: it can't.
func (t *stencil) cut(text string, spans [stencilValues]span) bool {
	text = strings.Clone(text) // it was a part of the request
	order := [stencilValues]int{stencilKey, stencilPayer, stencilPayee, stencilAmount}
	slices.SortFunc(order[:], func(a, b int) int { return spans[a].from - spans[b].from })
	var parts [stencilValues + 1]string
	at := 0
	for i, value := range order {
		if spans[value].from <= at { // something stands before every value
			return false
		}
		parts[i] = text[at:spans[value].from]
		at = spans[value].to
	}
	parts[stencilValues] = text[at:]
	t.parts, t.order = parts, order
	return true
}
