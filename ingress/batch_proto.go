package ingress

import (
	"bytes"
	_ "embed"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
	"google.golang.org/protobuf/encoding/protowire"
)

// A batch as protobuf (batch.proto) is the same batch in a form that is read in one go (decision 0025). It ends in the
// same operations, so everything behind is the same.

// protobufType is the media type of batch.proto's messages.
const protobufType = "application/x-protobuf"

//go:embed batch.proto
var batchProto string

// protobufSchema describes one of the messages; what it is made of is in the description's x-protobuf.
func protobufSchema(name string) schema {
	return schema{"schema": schema{"type": "string", "format": "binary", "description": "message " + name + " of x-protobuf"}}
}

// inProtobuf tells in which form the request is and in which the answer is to be.
func inProtobuf(ctx *fasthttp.RequestCtx) (request, answer bool) {
	mediaType, _, _ := bytes.Cut(ctx.Request.Header.ContentType(), []byte(";"))
	request = strings.EqualFold(string(bytes.TrimSpace(mediaType)), protobufType)
	accept := ctx.Request.Header.Peek(fasthttp.HeaderAccept)
	switch {
	case bytes.Contains(accept, []byte(protobufType)):
		return request, true
	case bytes.Contains(accept, []byte(jsonType)):
		return request, false
	}
	return request, request
}

// message reads a protobuf message strictly. What is wrong with it is in p; behind that nothing is read.
type message struct {
	b     []byte
	s     string // the same, so that texts need no memory of their own
	names []string
	seen  uint64
	field protowire.Number // that is being read
	wire  protowire.Type
	p     *problem
}

// The names of the fields by their numbers; the numbers are below 64.
var (
	batchFields     = []string{1: "operations"}
	operationFields = []string{1: "idempotency_key", 2: "path", 3: "body", 4: "transfer"}
	transferFields  = []string{
		1: "kind", 2: "from_account", 3: "to_account", 4: "amount_fen", 5: "summary", 6: "channel", 7: "accounting_date", 8: "confirmed",
		9: "to_bound_card", 10: "to_name", 11: "to_bank", 12: "from_name", 13: "from_bank", 14: "from_bound_card", 15: "bound_card_no",
		16: "channel_serial", 17: "risk_delay",
	}
)

func (m *message) fail(code, field, because string) {
	if m.p == nil {
		m.p = &problem{code: code, field: field, because: because}
	}
	m.b, m.s = nil, ""
}

// broken: what comes is no protobuf.
func (m *message) broken() { m.fail(codeBody, m.name(), "invalid protobuf") }

func (m *message) name() string {
	if int(m.field) < len(m.names) && m.names[m.field] != "" {
		return m.names[m.field]
	}
	if m.field == 0 {
		return ""
	}
	return strconv.Itoa(int(m.field))
}

// next goes on to the next field; false at the end, or when something is wrong.
func (m *message) next() bool {
	if len(m.b) == 0 {
		return false
	}
	field, wire, n := protowire.ConsumeTag(m.b)
	if n < 0 {
		m.broken()
		return false
	}
	m.skip(n)
	m.field, m.wire = field, wire
	if int(field) >= len(m.names) {
		m.fail(codeFieldName, m.name(), "")
		return false
	}
	return true
}

// once is next of a message in which no field is repeated.
func (m *message) once() bool {
	if !m.next() {
		return false
	}
	if m.seen&(1<<m.field) != 0 {
		m.fail(codeFieldTwice, m.name(), "")
		return false
	}
	m.seen |= 1 << m.field
	return true
}

func (m *message) skip(n int) { m.b, m.s = m.b[n:], m.s[n:] }

func (m *message) number() uint64 {
	if m.wire != protowire.VarintType {
		m.fail(codeFieldType, m.name(), "")
		return 0
	}
	v, n := protowire.ConsumeVarint(m.b)
	if n < 0 {
		m.broken()
		return 0
	}
	m.skip(n)
	return v
}

func (m *message) boolean() bool {
	v := m.number()
	if v > 1 {
		m.fail(codeFieldType, m.name(), "")
	}
	return v == 1
}

// bytes reads a message, a text or bytes, a part of the whole body, which lives as long as it does.
func (m *message) bytes() (b []byte, s string) {
	if m.wire != protowire.BytesType {
		m.fail(codeFieldType, m.name(), "")
		return nil, ""
	}
	size, n := protowire.ConsumeVarint(m.b)
	if n < 0 || size > uint64(len(m.b)-n) {
		m.broken()
		return nil, ""
	}
	b, s = m.b[n:n+int(size):n+int(size)], m.s[n:n+int(size)]
	m.skip(n + int(size))
	return b, s
}

func (m *message) text() string {
	_, s := m.bytes()
	if !utf8.ValidString(s) {
		m.fail(codeBody, m.name(), "invalid UTF-8")
		return ""
	}
	return s
}

// readProtobuf reads a batch. What is wrong with a transfer is its operation's own problem.
func (b *batch) readProtobuf(body []byte) *problem {
	m := message{b: body, s: borrowed(body), names: batchFields}
	for m.next() {
		data, text := m.bytes()
		if m.p != nil {
			break
		}
		if b.count == BatchMax {
			return &problem{code: codeBatchMax, field: "operations"}
		}
		if b.alikeProtobuf(text) {
			continue
		}
		o := &b.operation
		*o = batchOperation{}
		if p := o.readProtobuf(data, text); p != nil {
			p.field = strings.TrimSuffix("operations."+strconv.Itoa(b.count)+"."+p.field, ".")
			return p
		}
		if made := b.add(o); made != nil {
			b.stencil.learnProtobuf(text, made)
		}
	}
	return m.p
}

func (o *batchOperation) readProtobuf(b []byte, s string) *problem {
	m := message{b: b, s: s, names: operationFields}
	for m.once() {
		switch m.field {
		case 1:
			o.IdempotencyKey = m.text()
		case 2:
			o.Path = word(m.text())
		case 3:
			o.Body, _ = m.bytes()
		case 4:
			b, s := m.bytes()
			o.problem = o.transfer.readProtobuf(b, s)
			o.plain = true
		}
	}
	if o.plain {
		if o.Path != "" || o.Body != nil {
			m.fail(codeFieldHere, "transfer", "either transfer or path and body")
		}
		o.Path = transfersPath
	}
	return m.p
}

// readProtobuf reads a transfer. As of JSON (scan) nothing of the body is kept.
func (in *transferRequest) readProtobuf(b []byte, s string) *problem {
	m := message{b: b, s: s, names: transferFields}
	for m.once() {
		switch m.field {
		case 1:
			in.Kind = word(m.text())
		case 2:
			in.FromAccount = m.text()
		case 3:
			in.ToAccount = m.text()
		case 4:
			in.AmountFen = int64(m.number())
		case 5:
			in.Summary = word(m.text())
		case 6:
			in.Channel = word(m.text())
		case 7:
			in.AccountingDate = word(m.text())
		case 8:
			in.Confirmed = m.boolean()
		case 9:
			in.ToBoundCard = m.boolean()
		case 10:
			in.ToName = word(m.text())
		case 11:
			in.ToBank = word(m.text())
		case 12:
			in.FromName = word(m.text())
		case 13:
			in.FromBank = word(m.text())
		case 14:
			in.FromBoundCard = m.boolean()
		case 15:
			in.BoundCardNo = word(m.text())
		case 16:
			in.ChannelSerial = word(m.text())
		case 17:
			in.RiskDelay = word(m.text())
		}
	}
	if in.Kind != "internal" { // otherwise they become numbers, and nothing is kept of them
		in.FromAccount, in.ToAccount = strings.Clone(in.FromAccount), strings.Clone(in.ToAccount)
	}
	return m.p
}
