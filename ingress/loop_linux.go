package ingress

import (
	"bufio"
	"bytes"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// loop (事件循环) serves its connections from one goroutine. It reads what has come on all of them, gives the bank
// all commands of that at once, and writes the replies that have become durable meanwhile. So nobody is parked
// and woken for a request, and what is decided together is read, decided, flushed and written together.
//
// Only the frequent request is served here, a transfer that is all there and plain. Whatever else comes on a
// connection is left to fasthttp's own server, on a goroutine of its own, until its reply is written (side.go): requests
// that may wait, that are large, slow, wrong or unusual. So there is one place that knows HTTP's rules, and this
// one knows when not to know better.
//
// A connection belongs to the loop; while it is aside, its goroutine alone reads and writes it.
type loop struct {
	server   *Server
	epoll    int
	bell     int     // an eventfd that wakes the loop
	listener int     // of the loop that takes connections in; -1: it does not
	peers    []*loop // it spreads them over
	accepted uint
	conns    []*conn // by descriptor
	open     int
	events   [eventsMax]unix.EpollEvent
	buffer   []byte        // what a read brings
	head     *bufio.Reader // of the request that is being read
	source   bytes.Reader
	host     []byte // the last good one
	begun    []*exchange
	out      []byte // a reply on its way into the socket
	now      time.Time
	swept    time.Time
	closing  bool
	ended    chan struct{}

	mu       sync.Mutex
	answered []*exchange // by the bank
	moved    []*conn     // accepted, come back from aside, or closed there
	// The other halves of double buffers.
	answeredSpare []*exchange
	movedSpare    []*conn

	asleep   atomic.Bool
	shutting atomic.Bool // no more requests
	killed   atomic.Bool // nor replies
}

const (
	eventsMax = 256
	// readMax is how much is read at once, of one connection.
	readMax = 64 << 10
	// plainMax is how large a request may be that the loop keeps in parts, bytes.
	plainMax = 16 << 10
	// sweepEvery is how often connections are looked at on which nothing happens. A request in parts is left to
	// fasthttp at the next look.
	sweepEvery = 100 * time.Millisecond
)

// conn is a connection.
type conn struct {
	loop   *loop
	fd     int
	peer   unix.Sockaddr
	state  connState
	unread []byte // has been read and not been used
	out    []byte // the part of a reply that the socket has not taken
	more   bool   // there may be more to read, and epoll will not say so again
	last   bool   // is closed after the reply
	spoken bool   // has had a reply
	since  time.Time
	side   *side
}

type connState uint8

const (
	reading  connState = iota // waits for a request, or the rest of one, since then
	deciding                  // a request is with the bank
	writing                   // waits for the socket to take the rest of a reply, since then
	aside                     // another goroutine has it
	closed
)

func newLoop(s *Server) (*loop, error) {
	l := &loop{server: s, listener: -1, buffer: make([]byte, readMax), ended: make(chan struct{})}
	l.head = bufio.NewReaderSize(&l.source, s.options.Limits.HeaderMax)
	var err error
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if l.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		_ = unix.Close(l.epoll)
		return nil, err
	}
	if err = l.watch(l.bell, unix.EPOLLIN|unix.EPOLLET); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

func (l *loop) watch(fd int, events uint32) error {
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

func (l *loop) release() {
	if l.listener >= 0 {
		_ = unix.Close(l.listener)
	}
	_ = unix.Close(l.bell)
	_ = unix.Close(l.epoll)
}

// run serves until the loop is shut down and the last connection has its reply.
func (l *loop) run() {
	defer close(l.ended)
	defer l.release()
	for {
		n := l.wait()
		l.now = time.Now()
		for i := range l.events[:n] {
			l.happened(&l.events[i])
		}
		l.begin()
		l.collect()
		l.begin() // of what was behind a request that has its reply now
		if l.shutting.Load() && !l.closing {
			l.closing = true
			if l.listener >= 0 {
				_ = unix.Close(l.listener)
				l.listener = -1
			}
			l.sweep()
		}
		if l.now.Sub(l.swept) >= sweepEvery {
			l.sweep()
		}
		if l.killed.Load() {
			l.kill()
			return
		}
		if l.closing && l.open == 0 && l.idle() {
			return
		}
	}
}

// wait waits until something happens, and looks without waiting first: under load something always has.
func (l *loop) wait() int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&l.events)), eventsMax, 0, 0, 0)
	if errno == 0 && n > 0 {
		return int(n)
	}
	l.asleep.Store(true)
	defer l.asleep.Store(false)
	if !l.idle() {
		return 0
	}
	longest := -1
	if l.open > 0 || l.listener >= 0 {
		longest = int(sweepEvery / time.Millisecond)
	}
	waited, err := unix.EpollWait(l.epoll, l.events[:], longest)
	if err != nil {
		return 0 // interrupted: nothing else can be wrong with a descriptor that is ours
	}
	return waited
}

// idle reports that nobody has left anything for the loop.
func (l *loop) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.answered)+len(l.moved) == 0
}

// wake makes the loop look.
func (l *loop) wake() {
	if l.asleep.Load() && l.asleep.CompareAndSwap(true, false) {
		l.ring()
	}
}

func (l *loop) ring() {
	one := [8]byte{1}
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(l.bell), uintptr(unsafe.Pointer(&one)), 8)
}

// give leaves the loop a connection.
func (l *loop) give(c *conn) {
	l.mu.Lock()
	l.moved = append(l.moved, c)
	l.mu.Unlock()
	l.wake()
}

// collect takes what others have left.
func (l *loop) collect() {
	l.mu.Lock()
	moved, answered := l.moved, l.answered
	l.moved, l.answered = l.movedSpare[:0], l.answeredSpare[:0]
	l.mu.Unlock()
	for i, c := range moved {
		moved[i] = nil
		l.arrived(c)
	}
	for i, e := range answered {
		answered[i] = nil
		l.tell(e)
	}
	l.movedSpare, l.answeredSpare = moved, answered
}

// arrived takes a connection that is new, or was aside.
func (l *loop) arrived(c *conn) {
	if c.state == aside {
		if c.side.back {
			c.side, c.state, c.spoken, c.since = nil, reading, true, l.now
			l.read(c) // epoll has told the other goroutine
			return
		}
		l.close(c)
		return
	}
	for len(l.conns) <= c.fd {
		l.conns = append(l.conns, make([]*conn, max(64, len(l.conns)))...)
	}
	l.conns[c.fd], c.since = c, l.now
	l.open++
	if l.watch(c.fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET) != nil {
		l.close(c)
	}
}

func (l *loop) happened(e *unix.EpollEvent) {
	switch int(e.Fd) {
	case l.bell:
		return
	case l.listener:
		l.accept()
		return
	}
	c := l.conns[e.Fd]
	if c == nil {
		return // closed by what happened before
	}
	in, out := e.Events&^unix.EPOLLOUT != 0, e.Events&unix.EPOLLOUT != 0
	if e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.more = true // the end is behind what is read next
	}
	switch c.state {
	case reading:
		if in {
			l.read(c)
		}
	case deciding:
		c.more = c.more || in
	case writing:
		c.more = c.more || in
		if out {
			l.write(c)
		}
	case aside:
		c.side.happened(in, out)
	}
}

// read reads what has come.
func (l *loop) read(c *conn) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(c.fd), uintptr(unsafe.Pointer(&l.buffer[0])), readMax, 0, 0, 0)
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
			l.setAside(c, c.unread) // a part of a request; there is an answer to that
			return
		}
		c.more = c.more || n == readMax
		data := l.buffer[:n]
		if len(c.unread) > 0 {
			c.unread = append(c.unread, data...)
			data = c.unread
		}
		if l.next(c, data); c.state != reading || !c.more {
			return
		}
	}
}

// keep keeps what can't be used yet.
func (c *conn) keep(data []byte) { c.unread = append(c.unread[:0], data...) }

// close closes a connection.
func (l *loop) close(c *conn) {
	if c.state == closed {
		return
	}
	c.state = closed
	l.conns[c.fd] = nil
	l.open--
	_ = unix.Close(c.fd) // epoll forgets it with that
	l.server.connections.Add(-1)
}

// write writes what is left of a reply.
func (l *loop) write(c *conn) {
	for len(c.out) > 0 {
		n, errno := send(c.fd, c.out)
		switch errno {
		case 0:
			c.out = c.out[n:]
		case unix.EINTR:
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

func send(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
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
	if c.state == reading && c.more {
		l.read(c)
	}
}

// sweep looks at connections on which nothing has happened.
func (l *loop) sweep() {
	l.swept = l.now
	if l.listener >= 0 {
		l.accept()
	}
	limits := &l.server.options.Limits
	for _, c := range l.conns {
		if c == nil {
			continue
		}
		waited := l.now.Sub(c.since)
		switch c.state {
		case reading:
			switch {
			case len(c.unread) > 0:
				if l.closing || waited >= sweepEvery {
					l.setAside(c, c.unread)
				}
			case l.closing || c.spoken && waited >= limits.IdleTimeout:
				l.close(c)
			case !c.spoken && waited >= limits.ReadTimeout:
				l.setAside(c, nil)
			}
		case writing:
			if waited >= limits.WriteTimeout {
				l.close(c)
			}
		}
	}
}

// kill closes everything; those who still wait for the bank are told that nobody knows.
func (l *loop) kill() {
	for _, c := range l.conns {
		switch {
		case c == nil:
		case c.state == aside:
			c.side.happened(true, true)
		default:
			l.close(c)
		}
	}
}
