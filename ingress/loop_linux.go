package ingress

import (
	"bufio"
	"bytes"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/bank"
)

// loop (事件循环) serves its connections from one goroutine. It reads what has come on all of them, gives the bank
// all the commands of that, and writes the replies that have become durable meanwhile. So nobody is parked and woken for
// a request, and what came together is decided, flushed and answered together. When many replies are to be written, another goroutine
// writes most of them meanwhile (scribe_linux.go).
//
// Only the frequent request is served here: a transfer that is plain and all there (exchange_linux.go). Whatever else comes on a
// connection is left to fasthttp's own server, on another goroutine, which has the connection until it has answered
// (side_linux.go): what may wait for a disk or a person, what is large, slow, wrong or unusual. So fasthttp
// alone knows what HTTP allows, and the limits are kept in one place. The loop need only know when not to know better.
//
// A connection belongs to the loop but while it is aside; then only its other goroutine reads and writes it. It is
// the loop alone that closes it, so that no descriptor is used that is somebody else's already.
type loop struct {
	server   *Server
	epoll    int
	bell     int     // an eventfd that wakes the loop
	listener int     // of the loop that takes connections in; -1: another does
	refused  bool    // one could not be taken in
	accepted uint64  // connections, for all loops
	conns    []*conn // by descriptor
	open     int     // of conns
	events   [eventsMax]unix.EpollEvent
	buffer   []byte        // what a read brings
	head     *bufio.Reader // of the request that is being read
	source   bytes.Reader  // of head
	host     []byte        // the last good one
	begun    []*exchange   // read, and not given to the bank
	calls    []*bank.Call  // of those that begin next
	own      []*exchange   // answered by the bank, for the loop to write
	unshared int           // so many at most
	scribe   scribe
	pen      pen
	now      time.Time // when the loop has looked last
	swept    time.Time
	closing  bool
	ended    chan struct{}

	mu       sync.Mutex
	dead     bool        // nothing is taken any more
	answered []*exchange // by the bank
	written  []*exchange // by the scribe
	moved    []*conn     // taken in, or no longer aside
	// The other halves of double buffers.
	writtenSpare []*exchange
	movedSpare   []*conn

	asleep   atomic.Bool // somebody must ring
	shutting atomic.Bool // no more requests are taken
	killed   atomic.Bool // nor waited for
}

const (
	eventsMax = 256
	// sweepEvery is how often connections are looked at on which nothing happens. A request that has come in part is left to
	// fasthttp when that has been so for as long.
	sweepEvery = 100 * time.Millisecond
)

func newLoop(s *Server) (_ *loop, err error) {
	l := &loop{server: s, epoll: -1, bell: -1, listener: -1, buffer: make([]byte, readMax), ended: make(chan struct{})}
	l.head = bufio.NewReaderSize(&l.source, s.options.Limits.HeaderMax)
	l.scribe.init(l)
	if !s.front.sharing {
		l.unshared = unsharedMax
	}
	defer func() {
		if err != nil {
			l.release()
		}
	}()
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if l.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	return l, l.watch(l.bell, unix.EPOLLIN|unix.EPOLLET)
}

func (l *loop) release() {
	for _, fd := range []int{l.listener, l.bell, l.epoll} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

func (l *loop) watch(fd int, events uint32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}))
}

// run serves until the loop is shut down and the last connection is closed.
func (l *loop) run() {
	defer close(l.ended)
	go l.scribe.run()
	for !l.killed.Load() && !(l.closing && l.open == 0 && l.idle()) {
		n := l.wait()
		l.now = time.Now()
		l.share()
		for i := range l.events[:n] {
			l.happened(&l.events[i])
		}
		l.begin() // before replies are written, so that the bank works meanwhile
		l.collect()
		l.begin() // what was behind a request that has its reply now
		if l.shutting.Load() && !l.closing {
			l.shut()
		}
		if l.now.Sub(l.swept) >= sweepEvery {
			l.sweep()
		}
	}
	l.die()
}

// wait waits until something happens. It looks without waiting first: under load something always has.
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
	if l.open > 0 || l.refused {
		longest = int(sweepEvery / time.Millisecond)
	}
	waited, err := unix.EpollWait(l.epoll, l.events[:], longest)
	if err != nil && err != unix.EINTR {
		panic(os.NewSyscallError("epoll_wait", err)) // the descriptor is ours, and so is the memory
	}
	return max(waited, 0)
}

// idle reports that nobody has left anything for the loop.
func (l *loop) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.answered)+len(l.written)+len(l.moved) == 0
}

// wake makes the loop look at what it has been left.
func (l *loop) wake() {
	if l.asleep.Load() && l.asleep.CompareAndSwap(true, false) {
		l.ring()
	}
}

func (l *loop) ring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return
	}
	one := [8]byte{1}
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(l.bell), uintptr(unsafe.Pointer(&one)), 8) // fails when it rings already
}

// give leaves the loop a connection.
func (l *loop) give(c *conn) {
	l.mu.Lock()
	dead := l.dead
	if !dead {
		l.moved = append(l.moved, c)
	}
	l.mu.Unlock()
	if dead {
		l.server.hangUp(c.fd)
		return
	}
	l.wake()
}

// finished leaves the loop an exchange whose call has its outcome.
func (l *loop) finished(e *exchange) {
	l.mu.Lock()
	l.answered = append(l.answered, e)
	l.mu.Unlock()
	l.wake()
}

// wrote gives exchanges back to the loop whose replies have been sent.
func (l *loop) wrote(some []*exchange) {
	l.mu.Lock()
	l.written = append(l.written, some...)
	l.mu.Unlock()
	l.wake()
}

// share takes what the bank has answered, and leaves most of it to the scribe if it is much. The loop has done with beginning all
// of that: an outcome may be there before Begin has returned.
func (l *loop) share() {
	l.mu.Lock()
	l.own, l.answered = l.answered, l.own[:0]
	l.mu.Unlock()
	l.own = slices.DeleteFunc(l.own, func(e *exchange) bool { return e.lost })
	if n := len(l.own); n > l.unshared {
		l.scribe.leave(l.own[l.unshared:])
		clear(l.own[l.unshared:])
		l.own = l.own[:l.unshared]
	}
}

// collect takes what else the loop has been left, and writes its own replies.
func (l *loop) collect() {
	l.mu.Lock()
	moved, written := l.moved, l.written
	l.moved, l.written = l.movedSpare[:0], l.writtenSpare[:0]
	l.mu.Unlock()
	for i, c := range moved {
		moved[i] = nil
		if c.state == aside {
			l.back(c)
		} else {
			l.take(c)
		}
	}
	for i, e := range written {
		written[i] = nil
		l.sent(e)
	}
	l.movedSpare, l.writtenSpare = moved, written
	for i, e := range l.own {
		l.own[i] = nil
		l.tell(e)
	}
}

// happened sees to an event.
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
		return // has just been closed
	}
	in, out := e.Events&^unix.EPOLLOUT != 0, e.Events&unix.EPOLLOUT != 0
	if e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.more = true // the end, behind what is read next
	}
	switch {
	case c.state == aside:
		c.side.happened(in, out)
	case c.state == reading && in:
		l.read(c)
	case c.state == writing && out:
		c.more = c.more || in
		l.flush(c)
	default:
		c.more = c.more || in
	}
}

// shut takes no more connections in and closes those on which nothing is under way.
func (l *loop) shut() {
	l.closing = true
	if l.listener >= 0 {
		_ = unix.Close(l.listener)
		l.listener, l.refused = -1, false
	}
	l.sweep()
}

// sweep looks at connections on which nothing has happened.
func (l *loop) sweep() {
	l.swept = l.now
	if l.refused {
		l.accept()
	}
	limits := &l.server.options.Limits
	for _, c := range l.conns {
		if c == nil {
			continue
		}
		waited := l.now.Sub(c.since)
		switch {
		case c.state == writing:
			if waited >= limits.WriteTimeout {
				l.close(c)
			}
		case c.state == aside && l.closing:
			c.side.happened(true, false) // it may wait for a request
		case c.state != reading:
		case len(c.unread) > 0:
			if l.closing || waited >= sweepEvery {
				l.setAside(c, c.unread)
			}
		case l.closing || c.spoken && waited >= limits.IdleTimeout:
			l.close(c)
		case !c.spoken && waited >= limits.ReadTimeout:
			l.setAside(c, nil)
		}
	}
}

// die ends the loop, when the scribe has written what it was left. Connections that are still open belong to whoever has them
// aside; those who wait for the bank are told that nobody knows.
func (l *loop) die() {
	l.scribe.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	for _, e := range l.written {
		l.close(e.conn)
	}
	for _, c := range l.moved {
		if c.state == aside {
			l.close(c)
		} else {
			l.server.hangUp(c.fd)
		}
	}
	for _, c := range l.conns {
		switch {
		case c == nil:
		case c.state == aside:
			c.side.happened(true, true)
		default:
			if c.state == deciding {
				l.server.unknown(c.fd)
			}
			l.close(c)
		}
	}
	l.release()
}
