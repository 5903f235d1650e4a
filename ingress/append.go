package ingress

import (
	"bytes"
	"cmp"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/suanpan-bank/suanpan/bank"
)

// The frequent replies, of a transfer and a batch, are written without reflection. By test the bytes are
// those of json.Marshal.

// appender is a reply that writes itself.
type appender interface {
	appendJSON(b []byte) ([]byte, error)
}

// appendJSON appends v as JSON.
func appendJSON(b []byte, v any) ([]byte, error) {
	if a, ok := v.(appender); ok {
		return a.appendJSON(b)
	}
	buffer := bytes.NewBuffer(b)
	err := json.MarshalWrite(buffer, v, json.Deterministic(true))
	return buffer.Bytes(), err
}

// appendText appends a text; what may stand in JSON as it is, like nearly all keys, is not looked at twice.
func appendText(b []byte, name, text string) ([]byte, error) {
	b = append(b, name...)
	from := len(b)
	b = append(append(append(b, '"'), text...), '"')
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return jsontext.AppendQuote(b[:from], text)
		}
	}
	return b, nil
}

func appendInt(b []byte, name string, v int64) []byte {
	return strconv.AppendInt(append(b, name...), v, 10)
}

func (r transferReply) appendJSON(b []byte) ([]byte, error) { return r.append(b) }

func (r *transferReply) append(b []byte) ([]byte, error) {
	b, _ = r.TransferID.AppendText(append(b, `{"transfer_id":"`...)) // identifiers always have a text
	if r.Kind == "internal" && r.Status == bank.TransferSucceeded {  // nearly always
		b = append(b, `","kind":"internal","status":"`+bank.TransferSucceeded+`"`...)
	} else {
		var err1, err2 error
		b, err1 = appendText(b, `","kind":`, r.Kind)
		b, err2 = appendText(b, `,"status":`, r.Status)
		if err := cmp.Or(err1, err2); err != nil {
			return b, err
		}
	}
	b = appendInt(b, `,"amount_fen":`, r.AmountFen)
	b = appendInt(b, `,"fee_fen":`, r.FeeFen)
	b, _ = r.AccountingDate.AppendText(append(b, `,"accounting_date":"`...))
	b = append(b, `","balances":[`...)
	for i := range r.Balances {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendBalance(b, &r.Balances[i])
	}
	return append(b, "]}"...), nil
}

func appendBalance(b []byte, v *bank.Balance) []byte {
	b, _ = v.Account.AppendText(append(b, `{"account_no":"`...))
	b = appendInt(b, `","posted_fen":`, v.PostedFen)
	if v.PendingInFen|v.PendingOutFen == 0 {
		b = append(b, `,"pending_in_fen":0,"pending_out_fen":0`...)
	} else {
		b = appendInt(b, `,"pending_in_fen":`, v.PendingInFen)
		b = appendInt(b, `,"pending_out_fen":`, v.PendingOutFen)
	}
	return append(appendInt(b, `,"available_fen":`, v.AvailableFen), '}')
}

// appendResults appends a batchReply of n results, each of which is made when it is its turn.
func appendResults(b []byte, n int, result func(i int) batchResult) (_ []byte, err error) {
	b = append(b, `{"results":[`...)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		r := result(i)
		if b, err = r.appendJSON(b); err != nil {
			return b, err
		}
	}
	return append(b, "]}"...), nil
}

func (r *batchResult) appendJSON(b []byte) ([]byte, error) {
	b, err := appendText(b, `{"idempotency_key":`, r.IdempotencyKey)
	if err != nil {
		return b, err
	}
	b = appendInt(b, `,"status":`, int64(r.Status))
	if r.Replayed {
		b = append(b, `,"replayed":true`...)
	}
	b = append(b, `,"body":`...)
	if r.receipt != nil {
		t := transferReplyOf(r.receipt)
		b, err = t.append(b)
	} else {
		b, err = appendJSON(b, r.Body)
	}
	if err != nil {
		return b, err
	}
	return append(b, '}'), nil
}
