package streams

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// The report reads every envelope on the cores that carry out the bank's transfers, so the form that the
// relay writes is read without reflection. Any other, also one with fields that came after this program, is
// read by package json. By fuzzing both agree.

// Decode reads an envelope from a message's value, which must not change as long as the envelope is used.
func Decode(value []byte) (env Envelope, err error) {
	err = env.Decode(value)
	return env, err
}

// Decode reads an envelope in the place of this one, whose slices it uses again. After an error nothing of it counts.
func (e *Envelope) Decode(value []byte) error {
	transfers, entries := e.TransferIDs[:0], e.Entries[:0]
	*e = Envelope{TransferIDs: transfers, Entries: entries}
	if e.read(value) {
		return nil
	}
	*e = Envelope{}
	if err := json.Unmarshal(value, e); err != nil {
		*e = Envelope{}
		return fmt.Errorf("envelope: %w", err)
	}
	return nil
}

// reader reads what appendJSON writes. Anything else makes it odd.
type reader struct {
	rest string
	odd  bool
}

// next reports whether the text comes next, and passes it.
func (r *reader) next(text string) bool {
	if r.odd || !strings.HasPrefix(r.rest, text) {
		return false
	}
	r.rest = r.rest[len(text):]
	return true
}

func (r *reader) expect(text string) { r.odd = !r.next(text) }

func (r *reader) text() string {
	r.expect(`"`)
	for i := 0; i < len(r.rest) && !r.odd; i++ {
		switch c := r.rest[i]; {
		case c == '"':
			s := r.rest[:i]
			r.rest = r.rest[i+1:]
			r.odd = !utf8.ValidString(s)
			return s
		case c == '\\' || c < ' ':
			r.odd = true
		}
	}
	r.odd = true
	return ""
}

// digits passes the digits of a number as JSON writes it, without a sign.
func (r *reader) digits() string {
	n := 0
	for n < len(r.rest) && r.rest[n] >= '0' && r.rest[n] <= '9' {
		n++
	}
	s := r.rest[:n]
	r.odd = r.odd || n == 0 || n > 1 && s[0] == '0'
	r.rest = r.rest[n:]
	return s
}

func (r *reader) uint(bits int) uint64 {
	n, err := strconv.ParseUint(r.digits(), 10, bits)
	r.odd = r.odd || err != nil
	return n
}

func (r *reader) int() int64 {
	if !r.next("-") {
		n := r.uint(63)
		return int64(n)
	}
	n := r.uint(64)
	r.odd = r.odd || n == 0 || n > -math.MinInt64
	return -int64(n)
}

// id reads 32 hexadecimal digits in small letters.
func (r *reader) id() (id ledger.Uint128) {
	r.expect(`"`)
	if len(r.rest) < 32 {
		r.odd = true
	}
	for i := 0; i < 32 && !r.odd; i++ {
		var digit byte
		switch c := r.rest[i]; {
		case c >= '0' && c <= '9':
			digit = c - '0'
		case c >= 'a' && c <= 'f':
			digit = c - 'a' + 10
		default:
			r.odd = true
		}
		id.Hi, id.Lo = id.Hi<<4|id.Lo>>60, id.Lo<<4|uint64(digit)
	}
	if !r.odd {
		r.rest = r.rest[32:]
	}
	r.expect(`"`)
	return id
}

// read reads a text by its own rules.
func read[T any](r *reader, parse func(string) (T, error)) T {
	v, err := parse(r.text())
	r.odd = r.odd || err != nil
	return v
}

// read reads what the relay writes; false: it is something else.
func (e *Envelope) read(value []byte) bool {
	r := reader{rest: unsafe.String(unsafe.SliceData(value), len(value))} // the caller keeps it as it is
	r.expect(`{"event_id":`)
	e.EventID = r.text()
	r.expect(`,"type":`)
	e.Type = r.text()
	r.expect(`,"schema_version":`)
	e.SchemaVersion = int(r.uint(31))
	r.expect(`,"occurred_at":`)
	e.OccurredAtNs = r.int()
	r.expect(`,"accounting_date":`)
	if !r.next(`""`) {
		e.AccountingDate = read(&r, bank.ParseDate)
	}
	r.expect(`,"customer_token":`)
	e.CustomerToken = r.text()
	r.expect(`,"actor_seq":`)
	e.ActorSeq = r.uint(64)
	r.expect(`,"txn_id":`)
	e.TxnID = read(&r, bank.ParseTxnID)
	r.expect(`,"causation_id":`)
	e.CausationID = bank.U128(r.id())
	if r.next(`,"channel":`) {
		channel, known := bank.ParseChannel(r.text())
		e.Channel, r.odd = channel, r.odd || !known
	}
	if r.next(`,"teller":`) {
		e.Teller = uint16(r.uint(16))
	}
	if r.next(`,"teller_serial":`) {
		e.TellerSerial = r.uint(64)
	}
	if r.next(`,"branch":`) {
		e.Branch = r.text()
	}
	if r.next(`,"region_code":`) {
		e.RegionCode = uint32(r.uint(32))
	}
	if r.next(`,"trace_id":`) {
		e.TraceID = r.text()
	}
	if r.next(`,"transfer_ids":[`) {
		for more := true; more && !r.odd; more = r.next(",") {
			e.TransferIDs = append(e.TransferIDs, r.id())
		}
		r.expect("]")
	}
	if r.next(`,"entries":[`) {
		for more := true; more && !r.odd; more = r.next(",") {
			e.Entries = append(e.Entries, r.entry())
		}
		r.expect("]")
	}
	r.expect(`,"position":`)
	e.Position = r.uint(64)
	r.expect(`,"classification":`)
	e.Classification = r.text()
	r.expect(`,"payload_hash":`)
	e.PayloadHash = r.text()
	r.expect(`,"payload":`)
	if r.odd || !strings.HasPrefix(r.rest, "{") || !strings.HasSuffix(r.rest, "}}") {
		return false
	}
	e.Payload = jsontext.Value(value[len(value)-len(r.rest) : len(value)-1])
	return e.Payload.IsValid()
}

func (r *reader) entry() (e Entry) {
	r.expect(`{"id":`)
	e.ID = r.id()
	r.expect(`,"ledger":`)
	e.Ledger = uint32(r.uint(32))
	r.expect(`,"code":`)
	e.Code = uint16(r.uint(16))
	r.expect(`,"phase":`)
	e.Phase = Phase(r.text())
	r.expect(`,"debit_account":`)
	e.Debit = r.id()
	r.expect(`,"credit_account":`)
	e.Credit = r.id()
	r.expect(`,"amount_fen":`)
	e.AmountFen = r.int()
	if r.next(`,"released_fen":`) {
		e.ReleasedFen = r.int()
	}
	r.expect("}")
	return e
}
