package main

import "google.golang.org/protobuf/encoding/protowire"

// newProtobufBatch prebuilds the same batch as protobuf (ingress/batch.proto). Amounts take two bytes there, too.
func newProtobufBatch(prefix string, n int) *request {
	r := &request{transfers: make([]transferFields, n), protobuf: true}
	text := func(b []byte, field protowire.Number, text string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
	}
	const transferBytes = 2 + len("internal") + 2*(2+accountDigits) + 3
	operationBytes := 2 + len(prefix) + keyDigits + 2 + transferBytes
	var body []byte
	for i := range r.transfers {
		f := &r.transfers[i]
		body = protowire.AppendVarint(protowire.AppendTag(body, 1, protowire.BytesType), uint64(operationBytes))
		body = text(body, 1, prefix+keyBlank)
		f.key = len(body) - keyDigits
		body = protowire.AppendVarint(protowire.AppendTag(body, 4, protowire.BytesType), uint64(transferBytes))
		body = text(body, 1, "internal")
		body = text(body, 2, accountBlank)
		f.payer = len(body) - accountDigits
		body = text(body, 3, accountBlank)
		f.payee = len(body) - accountDigits
		body = protowire.AppendTag(body, 4, protowire.VarintType)
		f.amount = len(body)
		body = protowire.AppendVarint(body, amountFenMin)
	}
	r.batch("application/x-protobuf", body)
	return r
}
