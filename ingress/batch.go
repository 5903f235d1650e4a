package ingress

import (
	"context"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/prefetch"
)

// BatchMax is how many operations one batch may hold.
const BatchMax = 1000

const (
	batchPath     = "/v1/batches"
	transfersPath = "/v1/transfers"
)

type batchRequest struct {
	Operations boundedOperations `json:"operations"`
}

// boundedOperations keeps one more than there may be, which says that there are too many: in a body of the size that is
// allowed there could be a million.
type boundedOperations []batchOperation

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (o *boundedOperations) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '[' { // null, or an error that says so
		return json.UnmarshalDecode(d, (*[]batchOperation)(o))
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		if len(*o) > BatchMax {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		*o = append(*o, batchOperation{})
		if err := json.UnmarshalDecode(d, &(*o)[len(*o)-1]); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

type batchOperation struct {
	IdempotencyKey string         `json:"idempotency_key"`
	Path           string         `json:"path"`
	Body           jsontext.Value `json:"body"`

	transfer transferRequest
	plain    bool     // transfer is what Body says
	problem  *problem // with transfer
}

type batchReply struct {
	Results []batchResult `json:"results"`
}

type batchResult struct {
	IdempotencyKey string `json:"idempotency_key"`
	Status         int    `json:"status"`
	Replayed       bool   `json:"replayed,omitzero"`
	Body           any    `json:"body"`

	receipt *bank.Receipt // of a transfer, instead of Body
}

// batch carries out many commands at once. Each succeeds or fails alone; those of one customer are
// decided in the order given.
func (s *Server) batch(ctx *fasthttp.RequestCtx) {
	b := batches.Get().(*batch)
	defer b.reuse()
	b.server, b.ctx = s, ctx
	inProtobuf, answerProtobuf := inProtobuf(ctx)
	read := b.readJSON
	if inProtobuf {
		read = b.readProtobuf
	}
	if p := read(ctx.PostBody()); p != nil {
		s.fail(ctx, p)
		return
	}
	if b.count == 0 || b.count > BatchMax {
		s.fail(ctx, &problem{code: codeBatchMax, field: "operations"})
		return
	}
	for i := range b.items {
		if b.items[i].problem == nil {
			b.calls = append(b.calls, b.items[i].call)
		}
	}
	b.underWay = true
	s.options.Bank.DoAll(context.Background(), b.calls)
	b.underWay = slices.ContainsFunc(b.calls, func(c *bank.Call) bool { return c.Err != nil })
	b.zh = chinese(ctx)
	if answerProtobuf {
		s.writeWith(ctx, fasthttp.StatusOK, protobufType, b.appendProtobuf)
	} else {
		s.writeWith(ctx, fasthttp.StatusOK, jsonType, b.appendJSON)
	}
	s.metrics.countMade(b.made)
}

// batch is what a batch is read, carried out and answered in. Its memory is used again, that of what is asked too unless one of
// the calls may be under way yet: nobody looks at a call whose outcome has been told, as nobody looks at its request.
type batch struct {
	server    *Server
	ctx       *fasthttp.RequestCtx
	zh        bool
	operation batchOperation // is being read
	count     int            // of operations that have been read; beyond BatchMax there are no items of them
	items     []batchItem
	calls     []*bank.Call // of those that are carried out
	made      int          // were answered that they were
	stencil   stencil
	orders    [][]order // ordersTogether in each
	ordered   int       // of the orders, the first so many are this batch's
	underWay  bool      // some of them may be carried out yet: the outcome of one is not known
	room      [encodingUsual]byte
}

// batchItem is an operation on its way to its result.
type batchItem struct {
	key     string // a part of the request's body
	call    *bank.Call
	of      *operation // which the call is
	problem *problem   // there is no call
}

// order is what a transfer asks for, together in memory.
type order struct {
	call     bank.Call
	transfer bank.TransferInternal
}

// ordersTogether is for how many operations memory is taken at once: a little less than the runtime has in one piece.
const ordersTogether = 128

var batches = sync.Pool{New: func() any { return new(batch) }}

func (b *batch) reuse() {
	b.empty()
	batches.Put(b)
}

// empty makes ready for another batch.
func (b *batch) empty() {
	if b.underWay {
		b.orders, b.ordered = nil, 0
	}
	for i := 0; b.ordered > 0 && i < len(b.orders); i++ {
		used := b.orders[i][:min(b.ordered, ordersTogether)]
		clear(used)
		b.ordered -= len(used)
	}
	clear(b.items)
	clear(b.calls)
	b.stencil.learned = 0
	*b = batch{items: b.items[:0], calls: b.calls[:0], stencil: b.stencil, orders: b.orders}
}

// readJSON reads and prepares the operations.
func (b *batch) readJSON(body []byte) *problem {
	s := scanner{b: body, s: borrowed(body)}
	if s.operations(func() { b.scan(&s) }) {
		return nil
	}
	clear(b.items)
	b.items, b.count = b.items[:0], 0
	var in batchRequest
	if p := decode(body, &in); p != nil {
		return p
	}
	for i := range in.Operations {
		b.add(&in.Operations[i])
	}
	return nil
}

func (b *batch) scan(s *scanner) {
	if n := b.alikeJSON(s.s[s.at:]); n > 0 {
		s.at += n
		return
	}
	from := s.at
	o := &b.operation
	*o = batchOperation{}
	if o.scan(s); s.odd {
		return
	}
	if made := b.add(o); made != nil {
		b.stencil.learnJSON(s.s[from:s.at], made)
	}
}

// add prepares the next operation. It returns the command if it is a transfer as nearly all are, for a stencil.
func (b *batch) add(o *batchOperation) (made *bank.TransferInternal) {
	if b.count++; b.count > BatchMax { // the batch is refused
		return nil
	}
	item := batchItem{key: o.IdempotencyKey, call: &b.next().call}
	item.of, item.problem = b.prepare(o, item.call)
	b.items = append(b.items, item)
	if item.problem == nil && o.plain && item.of == transfers {
		made, _ = item.call.Command.(*bank.TransferInternal)
	}
	return made
}

// ask makes the next operation a transfer that a stencil has read.
func (b *batch) ask(key string, t *bank.TransferInternal) {
	b.count++
	o := b.next()
	o.transfer = *t
	fillIn(&b.room, &o.call, transfersPath, &o.transfer, key) // of which there is always an encoding
	b.items = append(b.items, batchItem{key: key, call: &o.call, of: transfers})
}

func (b *batch) next() *order {
	if b.ordered == ordersTogether*len(b.orders) {
		b.orders = append(b.orders, make([]order, ordersTogether))
	}
	o := &b.orders[b.ordered/ordersTogether][b.ordered%ordersTogether]
	b.ordered++
	return o
}

// prepare makes the call of an operation.
func (b *batch) prepare(o *batchOperation, call *bank.Call) (*operation, *problem) {
	if p := checkKey(o.IdempotencyKey); p != nil {
		p.field = "idempotency_key"
		return nil, p
	}
	if o.problem != nil {
		return nil, o.problem
	}
	if o.plain && o.Path == transfersPath {
		cmd, p := transfer(b.server, &o.transfer, nil)
		return transfers, b.called(call, transfers, cmd, p, o.IdempotencyKey)
	}
	for i := range operations {
		op := &operations[i]
		var found [argumentsMax]string
		n, ok := matches(op.segments, o.Path, &found)
		if !ok {
			continue
		}
		operator, approver, p := b.server.authorise(b.ctx, op.roles, op.approved)
		if p != nil {
			return nil, p
		}
		cmd, p := op.command(b.server, o.Body, found[:n])
		give(cmd, operator, approver)
		return op, b.called(call, op, cmd, p, o.IdempotencyKey)
	}
	return nil, &problem{code: codePath, field: "path"}
}

func (b *batch) called(call *bank.Call, op *operation, cmd bank.Command, p *problem, key string) *problem {
	if p != nil {
		return p
	}
	return fillIn(&b.room, call, op.path, cmd, key)
}

func (b *batch) appendJSON(out []byte) ([]byte, error) {
	out, err := appendResults(out, len(b.items), b.result)
	return append(out, '\n'), err
}

func (b *batch) appendProtobuf(out []byte) ([]byte, error) {
	return appendProtobufResults(out, len(b.items), b.result)
}

// lookAhead asks for the memory of results that come soon. Others wrote it, on another processor.
func (b *batch) lookAhead(i int) {
	if r := b.receipt(i + 2*resultsAhead); r != nil {
		if len(r.Events) > 0 {
			prefetch.Line(&r.Events[0])
		}
		if len(r.Balances) > 0 {
			prefetch.Of(&r.Balances[0])
		}
	}
	if r := b.receipt(i + resultsAhead); r != nil && len(r.Events) > 0 {
		if m, ok := r.Events[0].(*bank.InternalTransferred); ok {
			prefetch.Of(m)
		}
	}
}

// resultsAhead is for how many results later memory is asked for: they take longer to write than it takes to come.
const resultsAhead = 4

// receipt is that of an operation, if it has one.
func (b *batch) receipt(i int) *bank.Receipt {
	if i >= len(b.items) || b.items[i].call == nil {
		return nil
	}
	return &b.items[i].call.Receipt
}

// result is what became of an operation, and counts it.
func (b *batch) result(i int) batchResult {
	b.lookAhead(i)
	item := &b.items[i]
	r := batchResult{IdempotencyKey: item.key}
	p := item.problem
	if p == nil {
		r.Replayed = item.call.Receipt.Repeated
		p = outcome(item.call)
	}
	switch {
	case p != nil:
		d := p.document(b.zh)
		r.Status, r.Body = d.Status, d
	case item.of == transfers:
		r.Status, r.receipt = transfers.status, &item.call.Receipt
	default:
		r.Status, r.Body = item.of.status, item.of.reply(&item.call.Receipt)
	}
	if r.Status == fasthttp.StatusCreated {
		b.made++
	} else {
		b.server.metrics.countBatched(r.Status)
	}
	return r
}
