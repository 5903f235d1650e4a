package ingress

import (
	"bytes"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/bank"
)

// exchange is a request that a loop serves, and its reply.
type exchange struct {
	ctx   fasthttp.RequestCtx
	conn  *conn
	call  *bank.Call // nil: the reply is there
	start time.Time
	key   []byte // of the request, until the call is made: the memory of the loop, or of ctx
	made  bool   // the usual outcome: the pen has the reply's body
	lost  bool   // the reply did not wait for the outcome
	then  func() // the call has its outcome; made once
	// Of the reply, when it has been sent:
	last   bool   // nothing follows on the connection
	broken bool   // nor can
	rest   []byte // what the socket has not taken
}

var exchanges = sync.Pool{New: func() any {
	e := new(exchange)
	e.then = func() { e.conn.loop.finished(e) }
	return e
}}

var (
	// plainStart is how the request begins that loops serve.
	plainStart = []byte("POST " + transfersPath + " HTTP/1.1\r\n")
	headEnd    = []byte("\r\n\r\n")
	multipart  = []byte("multipart/")
)

// next takes the next request out of what has been read, if it is all there and plain.
func (l *loop) next(c *conn, data []byte) {
	if key, length, end, ok := c.alike.read(data); ok && end+length <= len(data) && length <= l.server.options.Limits.BodyMax {
		e := exchanges.Get().(*exchange)
		if e.key = key; len(c.alike.language) > 0 {
			e.ctx.Request.Header.SetBytesV(fasthttp.HeaderAcceptLanguage, c.alike.language)
		}
		l.asked(c, e, data, end, end+length)
		return
	}
	if !bytes.HasPrefix(data, plainStart) {
		if bytes.HasPrefix(plainStart, data) {
			l.partly(c, data)
		} else {
			l.setAside(c, data)
		}
		return
	}
	end := bytes.Index(data, headEnd)
	if end < 0 {
		l.partly(c, data)
		return
	}
	end += len(headEnd)
	e := exchanges.Get().(*exchange)
	r := &e.ctx.Request
	if !l.plain(&e.ctx, data[:end]) {
		l.reuse(e)
		l.setAside(c, data)
		return
	}
	size := end + r.Header.ContentLength()
	if size > len(data) {
		l.reuse(e)
		if size > plainMax {
			l.setAside(c, data)
		} else {
			l.partly(c, data)
		}
		return
	}
	e.key = r.Header.Peek(keyHeader)
	c.alike.learn(data[:end], &r.Header)
	l.asked(c, e, data, end, size)
}

// asked takes a request that is all there, and keeps what is behind it.
func (l *loop) asked(c *conn, e *exchange, data []byte, end, size int) {
	c.state = deciding
	e.conn, e.start = c, l.now
	r := &e.ctx.Request
	r.SetBodyRaw(data[end:size])
	l.prepare(e)
	r.ResetBody() // it was the loop's memory
	e.key = nil
	c.keep(data[size:])
	l.begun = append(l.begun, e)
}

// partly keeps a part of a request.
func (l *loop) partly(c *conn, data []byte) {
	if len(data) > plainMax || l.closing {
		l.setAside(c, data)
		return
	}
	if len(c.unread) == 0 {
		c.since = l.now
	}
	c.keep(data)
}

// plain reads a head and reports whether there is nothing about it that fasthttp's server would see to.
func (l *loop) plain(ctx *fasthttp.RequestCtx, head []byte) bool {
	r := &ctx.Request
	l.source.Reset(head)
	l.head.Reset(&l.source)
	h := &r.Header
	return h.Read(l.head) == nil && l.head.Buffered() == 0 && l.source.Len() == 0 &&
		h.ContentLength() >= 0 && h.ContentLength() <= l.server.options.Limits.BodyMax && !h.ConnectionClose() && !r.MayContinue() &&
		!bytes.HasPrefix(h.ContentType(), multipart) && l.known(h.Host()) && refuse(ctx) == nil
}

// known reports whether fasthttp takes a host. Nearly all requests name the same.
func (l *loop) known(host []byte) bool {
	if len(host) > 0 && bytes.Equal(host, l.host) {
		return true
	}
	var u fasthttp.URI
	if u.Parse(host, nil) != nil {
		return false
	}
	l.host = append(l.host[:0], host...)
	return true
}

// prepare makes the call that is asked for. What is wrong with it is answered at once.
func (l *loop) prepare(e *exchange) {
	s := l.server
	s.handling.Add(1)
	l.guarded(e, func() {
		var p *problem
		if e.call, p = s.askWith(&e.ctx, e.key, transfers, nil); p != nil {
			s.fail(&e.ctx, p)
		}
	})
}

// guarded does what must not take the process down: the request is answered 500, and the bank goes on.
func (l *loop) guarded(e *exchange, work func()) {
	defer func() {
		if cause := recover(); cause != nil {
			e.call = nil
			l.server.panicked(&e.ctx, l.server.transfers, cause)
		}
	}()
	work()
}

// begin gives the bank what has been read.
func (l *loop) begin() {
	ready := 0
	for i := 0; i < len(l.begun); i++ { // a reply may bring the next request
		if i == ready {
			ready = l.ahead(i)
		}
		e := l.begun[i]
		l.begun[i] = nil
		if e.call != nil {
			l.guarded(e, func() { l.server.options.Bank.Begin(e.call, e.then) })
			e.lost = e.call == nil // and whether then is called nobody knows
		}
		if e.call == nil {
			l.reply(e)
		}
	}
	l.begun = l.begun[:0]
}

// aheadMax is for how many calls memory is had ready at once.
const aheadMax = 64

// ahead has memory ready for some of what has been read, and tells for which not.
func (l *loop) ahead(from int) (to int) {
	to = min(len(l.begun), from+aheadMax)
	if to-from == 1 {
		return to
	}
	l.calls = l.calls[:0]
	for _, e := range l.begun[from:to] {
		if e.call != nil {
			l.calls = append(l.calls, e.call)
		}
	}
	defer clear(l.calls)
	defer func() { _ = recover() }() // what is wrong with a call is found, and answered, when it begins
	l.server.options.Bank.Ahead(l.calls)
	return to
}

// tell answers with the outcome.
func (l *loop) tell(e *exchange) {
	l.outcome(e, &l.pen)
	l.reply(e)
}

// outcome makes the reply of the call's outcome.
func (l *loop) outcome(e *exchange, p *pen) {
	l.guarded(e, func() {
		if e.made = !l.shutting.Load() && p.transferred(e); !e.made {
			l.server.tell(&e.ctx, transfers, e.call)
		}
	})
}

// reply writes the reply.
func (l *loop) reply(e *exchange) {
	l.write(e, time.Now(), &l.pen)
	l.sent(e)
}

// write sends the reply, once. Loop and scribe do so, each with a pen of its own.
func (l *loop) write(e *exchange, now time.Time, p *pen) {
	s, r := l.server, &e.ctx.Response
	status := transfers.status
	if e.made {
		p.reply(now)
	} else {
		status = r.StatusCode()
		e.last = r.ConnectionClose() || l.shutting.Load()
		p.out = appendReply(p.out[:0], r, e.last)
	}
	s.handling.Add(-1)
	s.metrics.count(s.transfers, status, now.Sub(e.start))
	n, errno := send(e.conn.fd, p.out)
	switch {
	case n == len(p.out):
	case errno == 0 || errno == unix.EAGAIN || errno == unix.EINTR:
		e.rest = append([]byte(nil), p.out[n:]...)
	default:
		e.broken = true
	}
}

// appendReply appends a response as fasthttp's server would write it.
func appendReply(b []byte, r *fasthttp.Response, last bool) []byte {
	if last {
		r.SetConnectionClose()
	}
	r.Header.SetServer(serverName)
	body := r.Body()
	r.Header.SetContentLength(len(body))
	return append(r.Header.AppendBytes(b), body...)
}

// unknown answers one whose outcome is not waited for any more.
func (s *Server) unknown(fd int) {
	var ctx fasthttp.RequestCtx
	s.fail(&ctx, &problem{code: codeUnknown})
	s.handling.Add(-1)
	s.metrics.count(s.transfers, ctx.Response.StatusCode(), 0)
	_, _ = send(fd, appendReply(nil, &ctx.Response, true)) // if he is still there
}

func (l *loop) reuse(e *exchange) {
	e.ctx.Request.Reset()
	e.ctx.Response.Reset()
	e.conn, e.call, e.made, e.last, e.broken, e.rest = nil, nil, false, false, false, nil
	exchanges.Put(e)
}
