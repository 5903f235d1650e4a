package ingress

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/suanpan-bank/suanpan/bank"
)

// open begins a message within another, close ends it: its length stands before it, and is known only behind it. Nearly
// all are shorter than 128 bytes, so that there is room for it in the byte that was left.
func openMessage(b []byte, field protowire.Number) (_ []byte, at int) {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return append(b, 0), len(b)
}

func closeMessage(b []byte, at int) []byte {
	size := len(b) - at - 1
	more := protowire.SizeVarint(uint64(size)) - 1
	for range more {
		b = append(b, 0)
	}
	if more > 0 {
		copy(b[at+1+more:], b[at+1:at+1+size])
	}
	protowire.AppendVarint(b[at:at], uint64(size))
	return b
}

// A field that has its type's zero is not written (proto3).

func appendTextField(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func appendNumberField(b []byte, field protowire.Number, v int64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

// appendNamed writes a number's or a date's text.
func appendNamed(b []byte, field protowire.Number, appendText func([]byte) ([]byte, error)) []byte {
	b, at := openMessage(b, field)
	b, _ = appendText(b) // identifiers always have a text
	return closeMessage(b, at)
}

// appendProtobufResults appends the answer as BatchResults (batch.proto), as appendResults does.
func appendProtobufResults(b []byte, n int, result func(i int) batchResult) (_ []byte, err error) {
	for i := range n {
		var at int
		b, at = openMessage(b, 1)
		r := result(i)
		if b, err = r.appendProtobuf(b); err != nil {
			return b, err
		}
		b = closeMessage(b, at)
	}
	return b, nil
}

func (r *batchResult) appendProtobuf(b []byte) ([]byte, error) {
	b = appendTextField(b, 1, r.IdempotencyKey)
	b = appendNumberField(b, 2, int64(r.Status))
	if r.Replayed {
		b = appendNumberField(b, 3, 1)
	}
	if r.receipt != nil {
		b, at := openMessage(b, 4)
		t := transferReplyOf(r.receipt)
		return closeMessage(t.appendProtobuf(b), at), nil
	}
	if v, ok := r.Body.(document); ok {
		b, at := openMessage(b, 6)
		return closeMessage(v.appendProtobuf(b), at), nil
	}
	b, at := openMessage(b, 5)
	b, err := appendJSON(b, r.Body)
	return closeMessage(b, at), err
}

func (r *transferReply) appendProtobuf(b []byte) []byte {
	b = appendNamed(b, 1, r.TransferID.AppendText)
	b = appendTextField(b, 2, r.Kind)
	b = appendTextField(b, 3, r.Status)
	b = appendNumberField(b, 4, r.AmountFen)
	b = appendNumberField(b, 5, r.FeeFen)
	b = appendNamed(b, 6, r.AccountingDate.AppendText)
	for i := range r.Balances {
		var at int
		b, at = openMessage(b, 7)
		b = closeMessage(appendProtobufBalance(b, &r.Balances[i]), at)
	}
	return b
}

func appendProtobufBalance(b []byte, v *bank.Balance) []byte {
	b = appendNamed(b, 1, v.Account.AppendText)
	b = appendNumberField(b, 2, v.PostedFen)
	b = appendNumberField(b, 3, v.PendingInFen)
	b = appendNumberField(b, 4, v.PendingOutFen)
	return appendNumberField(b, 5, v.AvailableFen)
}

func (d *document) appendProtobuf(b []byte) []byte {
	b = appendTextField(b, 1, d.Type)
	b = appendTextField(b, 2, d.Title)
	b = appendNumberField(b, 3, int64(d.Status))
	b = appendTextField(b, 4, d.Detail)
	b = appendTextField(b, 5, d.Code)
	b = appendTextField(b, 6, d.Field)
	return appendNumberField(b, 7, d.LimitFen)
}
