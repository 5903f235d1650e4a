package ingress

import (
	"bytes"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/suanpan-bank/suanpan/bank"
)

// The frequent replies, of a transfer and a batch, are written without reflection. By test the bytes are
// those of json.Marshal.

// scratches are what replies are written into before they are copied into the response.
var scratches = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

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

func appendQuoted(b []byte, name string, appendText func([]byte) ([]byte, error)) []byte {
	b = append(append(b, name...), '"')
	b, _ = appendText(b) // identifiers always have a text
	return append(b, '"')
}

func appendInt(b []byte, name string, v int64) []byte {
	return strconv.AppendInt(append(b, name...), v, 10)
}

func (r transferReply) appendJSON(b []byte) ([]byte, error) {
	b = appendQuoted(b, `{"transfer_id":`, r.TransferID.AppendText)
	b, err1 := jsontext.AppendQuote(append(b, `,"kind":`...), r.Kind)
	b, err2 := jsontext.AppendQuote(append(b, `,"status":`...), r.Status)
	if err1 != nil || err2 != nil {
		return b, err1
	}
	b = appendInt(b, `,"amount_fen":`, r.AmountFen)
	b = appendInt(b, `,"fee_fen":`, r.FeeFen)
	b = appendQuoted(b, `,"accounting_date":`, r.AccountingDate.AppendText)
	b = append(b, `,"balances":[`...)
	for i := range r.Balances {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendBalance(b, &r.Balances[i])
	}
	return append(b, "]}"...), nil
}

func appendBalance(b []byte, v *bank.Balance) []byte {
	b = appendQuoted(b, `{"account_no":`, v.Account.AppendText)
	b = appendInt(b, `,"posted_fen":`, v.PostedFen)
	b = appendInt(b, `,"pending_in_fen":`, v.PendingInFen)
	b = appendInt(b, `,"pending_out_fen":`, v.PendingOutFen)
	return append(appendInt(b, `,"available_fen":`, v.AvailableFen), '}')
}

func (r batchReply) appendJSON(b []byte) (_ []byte, err error) {
	b = append(b, `{"results":[`...)
	for i := range r.Results {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = r.Results[i].appendJSON(b); err != nil {
			return b, err
		}
	}
	return append(b, "]}"...), nil
}

func (r *batchResult) appendJSON(b []byte) ([]byte, error) {
	b, err := jsontext.AppendQuote(append(b, `{"idempotency_key":`...), r.IdempotencyKey)
	if err != nil {
		return b, err
	}
	b = appendInt(b, `,"status":`, int64(r.Status))
	if r.Replayed {
		b = append(b, `,"replayed":true`...)
	}
	b = append(b, `,"body":`...)
	if r.receipt != nil {
		b, err = transferReplyOf(r.receipt).appendJSON(b)
	} else {
		b, err = appendJSON(b, r.Body)
	}
	if err != nil {
		return b, err
	}
	return append(b, '}'), nil
}
