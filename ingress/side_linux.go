package ingress

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// side is a connection as fasthttp's own server has it. Between two requests the loop gets it back: when nothing has
// come for a while, or what comes is a request that loops serve. Reading and writing wait until the loop tells that
// there is a point in trying again.
type side struct {
	conn     *conn
	unread   []byte        // comes before what the socket has
	silent   bool          // too long already
	between  bool          // two requests, and fasthttp has nothing of the next
	back     bool          // the loop goes on with it
	held     []byte        // of what fasthttp has written
	readable chan struct{} // of capacity 1, as is writable: who has been told twice has been told
	writable chan struct{}
	readBy   time.Time
	writeBy  time.Time
}

// asideFor is how long a connection stays aside between two requests.
const asideFor = time.Second

// setAside leaves a connection to fasthttp with what has been read of it. Nothing: it has been silent for too long.
func (l *loop) setAside(c *conn, data []byte) {
	s := &side{
		conn: c, unread: append([]byte(nil), data...), silent: len(data) == 0, readable: make(chan struct{}, 1), writable: make(chan struct{}, 1),
	}
	c.state, c.side, c.unread = aside, s, nil
	l.server.front.aside.serve(s)
}

// back takes a connection that is no longer aside.
func (l *loop) back(c *conn) {
	s := c.side
	if !s.back || l.closing {
		l.close(c)
		return
	}
	c.state, c.side, c.spoken, c.since = reading, nil, true, l.now
	if len(s.unread) > 0 {
		l.next(c, s.unread)
	}
	c.more = true // of what epoll has told meanwhile the side has heard
	l.read(c)
}

// changed is told what fasthttp does with a connection.
func changed(c net.Conn, state fasthttp.ConnState) {
	if of, ok := c.(*lingeringConn); ok {
		if s, ok := of.Conn.(*side); ok && state != fasthttp.StateClosed {
			s.between = state == fasthttp.StateIdle
		}
	}
}

// happened tells of what epoll has told.
func (s *side) happened(in, out bool) {
	if in {
		told(s.readable)
	}
	if out {
		told(s.writable)
	}
}

func told(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Read implements net.Conn.
func (s *side) Read(p []byte) (int, error) {
	if err := s.release(); err != nil {
		return 0, err
	}
	switch {
	case s.silent:
		return 0, os.ErrDeadlineExceeded
	case len(s.unread) > 0:
		n := copy(p, s.unread)
		s.unread = s.unread[n:]
		return n, nil
	case s.between:
		return s.readNext(p)
	}
	return s.read(p, s.readBy)
}

// readNext reads the beginning of the next request.
func (s *side) readNext(p []byte) (int, error) {
	n, err := 0, error(nil)
	if !s.conn.loop.shutting.Load() {
		n, err = s.read(p, time.Now().Add(min(asideFor, time.Until(s.readBy))))
	}
	switch {
	case n > 0 && !bytes.HasPrefix(p[:n], plainStart):
		return n, nil
	case n > 0:
		s.unread = append([]byte(nil), p[:n]...)
		s.back = true
	case err == os.ErrDeadlineExceeded:
		s.back = true
	}
	return 0, io.EOF // then nothing is answered, and the connection closed
}

// read reads, and waits no longer than until by, or until the loop shuts down when nothing is under way.
func (s *side) read(p []byte, by time.Time) (int, error) {
	for {
		n, errno := receive(s.conn.fd, p)
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			if s.between && s.conn.loop.shutting.Load() {
				return 0, io.EOF
			}
			if err := await(s.readable, by); err != nil {
				return 0, err
			}
		case errno != 0:
			return 0, os.NewSyscallError("recvfrom", errno)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Write implements net.Conn. What fills fasthttp's buffer is the beginning of something longer, nearly always. So it is held, and sent
// with the rest: the client is not woken for a head.
func (s *side) Write(p []byte) (written int, err error) {
	if len(p) == writeBufferSize && len(s.held) == 0 {
		s.held = append(s.held, p...)
		return len(p), nil
	}
	if err := s.send(s.held, p); err != nil {
		return 0, err
	}
	s.held = s.held[:0]
	return len(p), nil
}

// release sends what is held. Nothing is held behind a reply.
func (s *side) release() error {
	if len(s.held) == 0 {
		return nil
	}
	held := s.held
	s.held = s.held[:0]
	return s.send(held, nil)
}

// send sends all of both, one behind the other.
func (s *side) send(first, second []byte) error {
	for len(first)+len(second) > 0 {
		n, errno := sendBoth(s.conn.fd, first, second)
		if n < len(first) {
			first = first[n:]
		} else {
			first, second = nil, second[n-len(first):]
		}
		switch errno {
		case 0, unix.EINTR:
		case unix.EAGAIN:
			if err := await(s.writable, s.writeBy); err != nil {
				return err
			}
		default:
			return os.NewSyscallError("sendmsg", errno)
		}
	}
	return nil
}

// await waits until the loop tells, and no longer than until by; zero: as long as it takes.
func await(tells chan struct{}, by time.Time) error {
	var late <-chan time.Time
	if !by.IsZero() {
		timer := time.NewTimer(time.Until(by))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-tells:
		return nil
	case <-late:
		return os.ErrDeadlineExceeded
	}
}

// Close implements net.Conn: the loop has the connection back, and closes it unless it goes on with it.
func (s *side) Close() error {
	_ = s.release() // if he is still there
	s.conn.loop.give(s.conn)
	return nil
}

// CloseWrite tells the other end that nothing more comes.
func (s *side) CloseWrite() error {
	if err := s.release(); err != nil {
		return err
	}
	return os.NewSyscallError("shutdown", unix.Shutdown(s.conn.fd, unix.SHUT_WR))
}

// SetDeadline implements net.Conn. As all deadlines here it is set by who reads and writes.
func (s *side) SetDeadline(t time.Time) error { s.readBy, s.writeBy = t, t; return nil }

// SetReadDeadline implements net.Conn.
func (s *side) SetReadDeadline(t time.Time) error { s.readBy = t; return nil }

// SetWriteDeadline implements net.Conn.
func (s *side) SetWriteDeadline(t time.Time) error { s.writeBy = t; return nil }

// LocalAddr implements net.Conn.
func (s *side) LocalAddr() net.Addr {
	a, _ := unix.Getsockname(s.conn.fd)
	return addressOf(a)
}

// RemoteAddr implements net.Conn.
func (s *side) RemoteAddr() net.Addr { return addressOf(s.conn.peer) }

func addressOf(a unix.Sockaddr) net.Addr {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *unix.SockaddrInet6:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	}
	return &net.TCPAddr{}
}

// workers are goroutines that serve connections aside. Some are kept, since a new one would have to grow the
// stack that a request needs.
type workers struct {
	server *Server
	sides  chan *side    // without capacity: who waits takes it
	over   chan struct{} // nobody waits any more
	once   sync.Once
}

// idleFor is how long a worker waits for another connection.
const idleFor = 10 * time.Second

func (w *workers) init(s *Server) {
	w.server, w.sides, w.over = s, make(chan *side), make(chan struct{})
}

func (w *workers) end() { w.once.Do(func() { close(w.over) }) }

func (w *workers) serve(s *side) {
	select {
	case w.sides <- s:
	default:
		go w.work(s)
	}
}

func (w *workers) work(s *side) {
	timer := time.NewTimer(idleFor)
	defer timer.Stop()
	for {
		_ = w.server.http.ServeConn(&lingeringConn{Conn: s}) // the client has been told, if he is still there
		timer.Reset(idleFor)
		select {
		case s = <-w.sides:
		case <-timer.C:
			return
		case <-w.over:
			return
		}
	}
}
