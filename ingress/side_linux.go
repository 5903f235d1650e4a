package ingress

import (
	"io"
	"net"
	"os"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// side is a connection as fasthttp's own server sees it, from the first bytes of a request until its reply is
// written: then there is nothing more to read, for it, and the loop has the connection back. Reading and writing wait;
// the loop tells when that is over.
type side struct {
	conn     *conn
	unread   []byte
	silent   bool          // too long: that is all there is to say
	between  bool          // two requests
	back     bool          // the loop goes on with it
	readable chan struct{} // of capacity 1, as is writable: what is told twice is told
	writable chan struct{}
	readBy   time.Time
	writeBy  time.Time
}

// setAside leaves a connection to fasthttp, with what has been read of it; nothing: it has been silent too long.
func (l *loop) setAside(c *conn, data []byte) {
	c.state = aside
	s := &side{conn: c, unread: append([]byte(nil), data...), silent: len(data) == 0, readable: make(chan struct{}, 1), writable: make(chan struct{}, 1)}
	c.side, c.unread = s, c.unread[:0]
	go func() { _ = l.server.http.ServeConn(&lingeringConn{Conn: s}) }() // what is wrong with it has been logged; Shutdown waits for it
}

// changed is told what fasthttp does with a connection.
func changed(c net.Conn, state fasthttp.ConnState) {
	if lingering, ok := c.(*lingeringConn); ok {
		if s, ok := lingering.Conn.(*side); ok {
			s.between = state == fasthttp.StateIdle
		}
	}
}

// happened tells of what epoll saw.
func (s *side) happened(in, out bool) {
	if in {
		tell(s.readable)
	}
	if out {
		tell(s.writable)
	}
}

func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // has been told
	}
}

// Read implements net.Conn.
func (s *side) Read(p []byte) (int, error) {
	switch {
	case len(s.unread) > 0:
		n := copy(p, s.unread)
		s.unread = s.unread[n:]
		return n, nil
	case s.silent:
		return 0, os.ErrDeadlineExceeded
	case s.between:
		s.back = true
		return 0, io.EOF
	}
	for {
		n, err := unix.Read(s.conn.fd, p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if err := wait(s.readable, s.readBy); err != nil {
				return 0, err
			}
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Write implements net.Conn.
func (s *side) Write(p []byte) (written int, err error) {
	for written < len(p) {
		n, err := unix.Write(s.conn.fd, p[written:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if err := wait(s.writable, s.writeBy); err != nil {
				return written, err
			}
		case err != nil:
			return written, os.NewSyscallError("write", err)
		default:
			written += n
		}
	}
	return written, nil
}

// wait waits until the loop tells, or by then.
func wait(told chan struct{}, by time.Time) error {
	if by.IsZero() {
		<-told
		return nil
	}
	timer := time.NewTimer(time.Until(by))
	defer timer.Stop()
	select {
	case <-told:
		return nil
	case <-timer.C:
		return os.ErrDeadlineExceeded
	}
}

// Close implements net.Conn: the loop has it back, and closes it unless it goes on with it.
func (s *side) Close() error {
	s.conn.loop.give(s.conn)
	return nil
}

// CloseWrite says that nothing more is written.
func (s *side) CloseWrite() error { return unix.Shutdown(s.conn.fd, unix.SHUT_WR) }

// SetDeadline implements net.Conn.
func (s *side) SetDeadline(t time.Time) error { s.readBy, s.writeBy = t, t; return nil }

// SetReadDeadline implements net.Conn.
func (s *side) SetReadDeadline(t time.Time) error { s.readBy = t; return nil }

// SetWriteDeadline implements net.Conn.
func (s *side) SetWriteDeadline(t time.Time) error { s.writeBy = t; return nil }

// LocalAddr implements net.Conn.
func (s *side) LocalAddr() net.Addr { a, _ := unix.Getsockname(s.conn.fd); return address(a) }

// RemoteAddr implements net.Conn.
func (s *side) RemoteAddr() net.Addr { return address(s.conn.peer) }

func address(a unix.Sockaddr) net.Addr {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: append(net.IP(nil), a.Addr[:]...), Port: a.Port}
	case *unix.SockaddrInet6:
		return &net.TCPAddr{IP: append(net.IP(nil), a.Addr[:]...), Port: a.Port}
	}
	return &net.TCPAddr{}
}
