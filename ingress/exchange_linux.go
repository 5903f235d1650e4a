package ingress

import (
	"bytes"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/bank"
)

// exchange is a request and its reply.
type exchange struct {
	ctx   fasthttp.RequestCtx
	conn  *conn
	call  *bank.Call // nil: it has its answer
	start time.Time
	then  func() // it has its outcome; made once
}

var exchanges = sync.Pool{New: func() any {
	e := new(exchange)
	e.then = e.finished
	return e
}}

// plainStart is how the request begins that the loop serves itself.
var (
	plainStart = []byte("POST " + transfersPath + " HTTP/1.1\r\n")
	headEnd    = []byte("\r\n\r\n")
	multipart  = []byte("multipart/")
)

// next takes the next request out of what has come.
func (l *loop) next(c *conn, data []byte) {
	if !bytes.HasPrefix(data, plainStart) {
		if bytes.HasPrefix(plainStart, data) {
			c.keep(data)
			return
		}
		l.setAside(c, data)
		return
	}
	end := bytes.Index(data, headEnd)
	if end < 0 {
		l.partly(c, data)
		return
	}
	end += len(headEnd)
	e := exchanges.Get().(*exchange)
	h := &e.ctx.Request.Header
	l.source.Reset(data[:end])
	l.head.Reset(&l.source)
	if err := h.Read(l.head); err != nil || !l.plain(&e.ctx.Request) {
		l.reuse(e)
		l.setAside(c, data)
		return
	}
	size := end + h.ContentLength()
	if size > len(data) {
		l.reuse(e)
		if size > plainMax {
			l.setAside(c, data)
		} else {
			l.partly(c, data)
		}
		return
	}
	e.ctx.Request.SetBodyRaw(data[end:size])
	e.conn, e.start = c, l.now
	c.state = deciding
	l.prepare(e)
	c.keep(data[size:])
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

// plain reports whether a request is one of those that the loop serves.
func (l *loop) plain(r *fasthttp.Request) bool {
	h := &r.Header
	return h.ContentLength() >= 0 && !h.ConnectionClose() && !r.MayContinue() && !bytes.HasPrefix(h.ContentType(), multipart) && l.goodHost(h.Host())
}

// goodHost reports whether fasthttp takes a host. Nearly all requests name the same.
func (l *loop) goodHost(host []byte) bool {
	if bytes.Equal(host, l.host) {
		return true
	}
	var u fasthttp.URI
	if u.Parse(host, nil) != nil {
		return false
	}
	l.host = append(l.host[:0], host...)
	return true
}

// prepare makes the call; what is wrong is answered at once.
func (l *loop) prepare(e *exchange) {
	s := l.server
	s.handling.Add(1)
	l.guarded(e, func() {
		p := refuse(&e.ctx)
		if p == nil {
			e.call, p = s.ask(&e.ctx, transfers, nil)
		}
		if p != nil {
			s.fail(&e.ctx, p)
		}
	})
	e.ctx.Request.ResetBody() // it lies in the loop's buffer
	l.begun = append(l.begun, e)
}

// guarded is for what must not take the process down.
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
	for i := 0; i < len(l.begun); i++ { // an answer may bring the next request
		e := l.begun[i]
		l.begun[i] = nil
		if e.call == nil {
			l.reply(e)
			continue
		}
		l.server.options.Bank.Begin(e.call, e.then)
	}
	l.begun = l.begun[:0]
}

// finished leaves the loop an exchange whose call has its outcome.
func (e *exchange) finished() {
	l := e.conn.loop
	l.mu.Lock()
	l.answered = append(l.answered, e)
	l.mu.Unlock()
	l.wake()
}

// tell answers with the outcome.
func (l *loop) tell(e *exchange) {
	l.guarded(e, func() { l.server.tell(&e.ctx, transfers, e.call) })
	l.reply(e)
}

// reply writes the reply.
func (l *loop) reply(e *exchange) {
	c, r := e.conn, &e.ctx.Response
	s := l.server
	s.handling.Add(-1)
	s.metrics.count(s.transfers, r.StatusCode(), time.Since(e.start))
	if c.state != deciding { // closed meanwhile
		l.reuse(e)
		return
	}
	c.last = l.closing || r.ConnectionClose()
	if c.last {
		r.SetConnectionClose()
	}
	r.Header.SetServer(serverName)
	body := r.Body()
	r.Header.SetContentLength(len(body))
	l.out = append(r.Header.AppendBytes(l.out[:0]), body...)
	l.reuse(e)
	n, errno := send(c.fd, l.out)
	switch {
	case errno == 0 && n == len(l.out):
		l.replied(c)
	case errno == 0, errno == unix.EAGAIN, errno == unix.EINTR:
		c.state, c.since = writing, l.now
		c.out = append([]byte(nil), l.out[max(n, 0):]...)
		l.write(c)
	default:
		l.close(c)
	}
}

func (l *loop) reuse(e *exchange) {
	e.ctx.Request.Reset()
	e.ctx.Response.Reset()
	e.conn, e.call = nil, nil
	exchanges.Put(e)
}
