package ingress

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// conn is a connection of a loop.
type conn struct {
	loop   *loop
	fd     int
	peer   unix.Sockaddr
	state  connState
	since  time.Time // it waits, in its state
	more   bool      // there may be more to read, of which epoll has told already
	spoken bool      // it has had a reply
	last   bool      // it is closed behind the reply
	unread []byte    // what has been read and not been used
	out    []byte    // what the socket has not taken of a reply
	side   *side     // of one that is aside
	alike  alike     // what its heads have in common
}

type connState uint8

const (
	reading  connState = iota // waits for a request, or the rest of one
	deciding                  // a request is with the bank, or its reply with the scribe
	writing                   // waits until the socket takes the rest of a reply
	aside                     // another goroutine has it
	closed
)

const (
	// readMax is how much is read of a connection at once, bytes.
	readMax = 16 << 10
	// plainMax is how large a request is that the loop waits for when a part of it has come, bytes.
	plainMax = 16 << 10
	// unreadKept is how much memory a connection keeps for what it has read, bytes.
	unreadKept = 4 << 10
)

// take takes a new connection.
func (l *loop) take(c *conn) {
	for len(l.conns) <= c.fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[c.fd], c.since = c, l.now
	l.open++
	if l.watch(c.fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET) != nil {
		l.close(c) // the system has no memory
	}
}

// close closes a connection.
func (l *loop) close(c *conn) {
	if c.state == closed {
		return
	}
	c.state = closed
	l.conns[c.fd] = nil
	l.open--
	l.server.hangUp(c.fd) // epoll forgets it, too
}

// read reads what has come and takes a request out of it. Epoll tells of something once, so either everything is
// read or more is set.
func (l *loop) read(c *conn) {
	for c.state == reading {
		n, errno := receive(c.fd, l.buffer)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			c.more = false
			return
		case errno != 0 || n == 0 && len(c.unread) == 0:
			l.close(c)
			return
		case n == 0:
			l.setAside(c, c.unread) // there is an answer to a part of a request
			return
		}
		c.more = c.more || n == len(l.buffer)
		data := l.buffer[:n]
		if len(c.unread) > 0 {
			c.unread = append(c.unread, data...)
			data = c.unread
		}
		if l.next(c, data); !c.more {
			return
		}
	}
}

// keep keeps what can't be used yet.
func (c *conn) keep(data []byte) {
	if len(data) == 0 && cap(c.unread) > unreadKept {
		c.unread = nil
		return
	}
	c.unread = append(c.unread[:0], data...)
}

// sent goes on where a reply has been sent.
func (l *loop) sent(e *exchange) {
	c := e.conn
	c.last, c.out = e.last, e.rest
	broken := e.broken
	if !e.lost {
		l.reuse(e)
	}
	switch {
	case broken:
		l.close(c)
	case len(c.out) > 0:
		c.state, c.since = writing, l.now
		l.flush(c) // the socket may have room by now, and would not tell of it
	default:
		l.replied(c)
	}
}

// flush sends what is left of a reply.
func (l *loop) flush(c *conn) {
	for len(c.out) > 0 {
		n, errno := send(c.fd, c.out)
		c.out = c.out[n:]
		switch errno {
		case 0, unix.EINTR:
		case unix.EAGAIN:
			return
		default:
			l.close(c)
			return
		}
	}
	c.out = nil
	l.replied(c)
}

// replied goes on behind a reply.
func (l *loop) replied(c *conn) {
	if c.last || l.closing {
		l.close(c)
		return
	}
	c.state, c.spoken, c.since = reading, true, l.now
	if len(c.unread) > 0 {
		l.next(c, c.unread)
	}
	if c.more {
		l.read(c)
	}
}

// Sockets never block, so the scheduler need not be told of these calls.

func receive(fd int, into []byte) (n int, errno unix.Errno) {
	r, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&into[0])), uintptr(len(into)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

func send(fd int, b []byte) (n int, errno unix.Errno) {
	r, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

// sendBoth sends two parts, of which either may be nothing.
func sendBoth(fd int, first, second []byte) (n int, errno unix.Errno) {
	if len(first) == 0 {
		return send(fd, second)
	}
	if len(second) == 0 {
		return send(fd, first)
	}
	parts := [2]unix.Iovec{{Base: &first[0]}, {Base: &second[0]}}
	parts[0].SetLen(len(first))
	parts[1].SetLen(len(second))
	message := unix.Msghdr{Iov: &parts[0]}
	message.SetIovlen(len(parts))
	r, _, errno := unix.RawSyscall6(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&message)), unix.MSG_NOSIGNAL, 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}
