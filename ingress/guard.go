package ingress

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// refuse finds requests that fasthttp lets through and that are an attack or a misunderstanding.
func refuse(ctx *fasthttp.RequestCtx) *problem {
	h := &ctx.Request.Header
	switch {
	case !ctx.IsGet() && !ctx.IsPost():
		// Among them PRI, the preface of HTTP/2, which would otherwise be answered like any other.
		if bytes.Equal(ctx.Method(), []byte("PRI")) {
			return &problem{code: codeRequest}
		}
		return &problem{code: codeMethod, allow: "GET, POST"}
	case len(h.Peek(fasthttp.HeaderTransferEncoding)) > 0 && hasHeader(h.RawHeaders(), "content-length"):
		// Two lengths: a proxy in front may believe the other one, and see another request (RFC 9112 6.3).
		return &problem{code: codeRequest}
	}
	return nil
}

func hasHeader(raw []byte, lower string) bool {
	for line := range bytes.SplitSeq(raw, []byte("\n")) {
		name, _, found := bytes.Cut(line, []byte(":"))
		if found && bytes.EqualFold(bytes.TrimSpace(name), []byte(lower)) {
			return true
		}
	}
	return false
}

// unreadable answers requests that could not be read; the connection is closed afterwards.
func (s *Server) unreadable(ctx *fasthttp.RequestCtx, err error) {
	p := &problem{code: codeRequest}
	var small *fasthttp.ErrSmallBuffer
	var network net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		p.code = codeBodyMax
		if c, ok := ctx.Conn().(*lingeringConn); ok {
			c.linger.Store(true)
		}
	case errors.As(err, &small):
		p.code = codeHeaderMax
	case errors.As(err, &network) && network.Timeout():
		p.code = codeTimeout
	}
	s.fail(ctx, p)
	s.metrics.countUnreadable(ctx.Response.StatusCode())
}

// lingering lets a client that is still sending hear why it was refused: closing a socket with unread
// data resets it, and the reply is lost with it.
type lingering struct{ net.Listener }

// How long, and how much, is read after the reply.
const (
	lingerTimeout = 2 * time.Second
	lingerMax     = 256 << 20
)

func (l lingering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lingeringConn{Conn: c}, nil
}

type lingeringConn struct {
	net.Conn
	linger atomic.Bool
}

// Close implements net.Conn.
func (c *lingeringConn) Close() error {
	if c.linger.Swap(false) {
		if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			_ = c.SetReadDeadline(time.Now().Add(lingerTimeout))
			_, _ = io.CopyN(io.Discard, c.Conn, lingerMax) // whatever ends it, the connection closes
		}
	}
	return c.Conn.Close()
}
