package main

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	accountDigits = 19 // an account number of the bank
	keyDigits     = 12 // hexadecimal digits of a key's counter
	amountFenMin  = 1000
	amountFenMax  = 9999 // as many digits as the least, so that a request keeps its length
)

// request is a prebuilt HTTP request of one or more internal transfers. Everything has a fixed width,
// so a new request is the old one with a few bytes overwritten.
type request struct {
	bytes     []byte
	transfers []transferFields
	protobuf  bool
}

// transferFields are offsets into request.bytes.
type transferFields struct{ key, payer, payee, amount int }

// newTransfer prebuilds POST /v1/transfers; prefix begins its idempotency keys.
func newTransfer(prefix string) *request {
	r := new(request)
	var f transferFields
	var body []byte
	body, f = appendTransfer(nil, f)
	r.bytes = append(r.bytes, "POST /v1/transfers HTTP/1.1\r\nHost: bank\r\nContent-Type: application/json\r\nIdempotency-Key: "...)
	r.bytes, f.key = appendKey(r.bytes, prefix)
	r.bytes = fmt.Appendf(r.bytes, "\r\nContent-Length: %d\r\n\r\n", len(body))
	f.shift(len(r.bytes))
	r.bytes = append(r.bytes, body...)
	r.transfers = []transferFields{f}
	return r
}

// newBatch prebuilds POST /v1/batches of n transfers.
func newBatch(prefix string, n int) *request {
	r := &request{transfers: make([]transferFields, n)}
	body := []byte(`{"operations":[`)
	for i := range r.transfers {
		if i > 0 {
			body = append(body, ',')
		}
		f := &r.transfers[i]
		body = append(body, `{"idempotency_key":"`...)
		var key int
		body, key = appendKey(body, prefix)
		body = append(body, `","path":"/v1/transfers","body":`...)
		body, *f = appendTransfer(body, *f)
		f.key = key
		body = append(body, '}')
	}
	body = append(body, "]}"...)
	r.batch("application/json", body)
	return r
}

// batch makes it a request for POST /v1/batches. The fields are offsets into the body until then.
func (r *request) batch(contentType string, body []byte) {
	r.bytes = fmt.Appendf(r.bytes, "POST /v1/batches HTTP/1.1\r\nHost: bank\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", contentType, len(body))
	for i := range r.transfers {
		f := &r.transfers[i]
		f.key += len(r.bytes)
		f.shift(len(r.bytes))
	}
	r.bytes = append(r.bytes, body...)
}

// shift moves the fields of the body, which the key need not be part of.
func (f *transferFields) shift(n int) {
	f.payer += n
	f.payee += n
	f.amount += n
}

// set writes the i-th transfer of the request.
func (r *request) set(i int, key uint64, payer, payee *[accountDigits]byte, amountFen int) {
	f := &r.transfers[i]
	putHex(r.bytes[f.key:f.key+keyDigits], key)
	copy(r.bytes[f.payer:], payer[:])
	copy(r.bytes[f.payee:], payee[:])
	if r.protobuf {
		protowire.AppendVarint(r.bytes[f.amount:f.amount], uint64(amountFen))
		return
	}
	putDecimal(r.bytes[f.amount:f.amount+len(amountBlank)], amountFen)
}

var (
	accountBlank = fmt.Sprintf("%0*d", accountDigits, 0)
	keyBlank     = fmt.Sprintf("%0*d", keyDigits, 0)
	amountBlank  = strconv.Itoa(amountFenMin)
)

func appendKey(b []byte, prefix string) (out []byte, counter int) {
	b = append(b, prefix...)
	return append(b, keyBlank...), len(b)
}

func appendTransfer(b []byte, f transferFields) ([]byte, transferFields) {
	b = append(b, `{"kind":"internal","from_account":"`...)
	f.payer = len(b)
	b = append(append(b, accountBlank...), `","to_account":"`...)
	f.payee = len(b)
	b = append(append(b, accountBlank...), `","amount_fen":`...)
	f.amount = len(b)
	b = append(append(b, amountBlank...), '}')
	return b, f
}

func putHex(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = "0123456789abcdef"[v&15]
		v >>= 4
	}
}

func putDecimal(b []byte, v int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
}
