package ingress

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// front (门面) is what serves connections: event loops, with fasthttp's own server at their side. On what is no TCP
// socket that server serves alone, as it does on other systems.
type front struct {
	mu       sync.Mutex
	ended    bool         // no more begins
	listener net.Listener // of the loops; nil: there are none
	loops    []*loop      // the first takes connections in, and spreads them over all
	open     atomic.Int64 // connections
	sharing  bool         // scribes write all replies, as tests want it
	aside    workers
}

// loopsMax is how many loops there are where there are twice as many processors. A loop has more than half of its work done by
// others, its scribe among them; with two on two processors each had half as much to do at a time, and what is done for all of it together
// was done twice as often.
const loopsMax = 8

// Serve answers requests until Shutdown; it returns nil then.
func (s *Server) Serve(l net.Listener) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return s.http.Serve(lingering{l})
	}
	err := s.startLoops(tcp)
	for _, l := range s.front.loops {
		<-l.ended
	}
	return err
}

func (s *Server) startLoops(listener *net.TCPListener) error {
	f := &s.front
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return listener.Close()
	}
	f.listener = listener
	f.aside.init(s)
	s.http.ConnState = changed
	s.http.Concurrency = math.MaxInt32 // the loops count connections
	for range max(1, min(loopsMax, runtime.NumCPU()/2)) {
		l, err := newLoop(s)
		if err != nil {
			return errors.Join(fmt.Errorf("event loop: %w", err), f.release())
		}
		f.loops = append(f.loops, l)
	}
	if err := f.loops[0].listen(listener); err != nil {
		return errors.Join(fmt.Errorf("event loop: %w", err), f.release())
	}
	for _, l := range f.loops {
		go l.run()
	}
	return nil
}

// release lets loops go that have not begun.
func (f *front) release() error {
	for _, l := range f.loops {
		l.release()
	}
	f.loops = nil
	return f.listener.Close()
}

// Shutdown takes no new requests, waits for those under way or ctx, and closes the connections. When ctx ends, those
// under way on the loops are answered that their outcome is unknown.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closing.Store(true)
	f := &s.front
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	if f.listener == nil {
		return s.http.ShutdownWithContext(ctx)
	}
	err := f.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil // by an earlier Shutdown
	}
	for _, l := range f.loops {
		l.shutting.Store(true)
		l.ring()
	}
	for _, l := range f.loops {
		select {
		case <-l.ended:
		case <-ctx.Done():
			err = ctx.Err()
			l.killed.Store(true)
			l.ring()
			<-l.ended
		}
	}
	f.aside.end()
	return err
}

// listen makes the loop take connections in, by a descriptor of its own for the listener's socket.
func (l *loop) listen(from *net.TCPListener) error {
	raw, err := from.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { l.listener, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	return l.watch(l.listener, unix.EPOLLIN|unix.EPOLLET)
}

// accept takes in the connections that have come.
func (l *loop) accept() {
	loops := l.server.front.loops
	for l.listener >= 0 {
		fd, peer, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case err == unix.EINTR || err == unix.ECONNABORTED:
			continue
		case err != nil: // none is left, or there is no room for more: then the next sweep tries again
			l.refused = err != unix.EAGAIN
			return
		}
		if l.server.front.open.Add(1) > int64(l.server.options.Limits.Connections) {
			l.server.turnAway(fd)
			continue
		}
		setUp(fd)
		next := loops[l.accepted%uint64(len(loops))]
		l.accepted++
		next.give(&conn{loop: next, fd: fd, peer: peer})
	}
}

// keepAliveSeconds is how long a connection is silent before its other end is asked whether it is there, and how often.
const keepAliveSeconds = 15

// setUp does what Go's listeners do. Without it a connection works, too.
func setUp(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepAliveSeconds)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepAliveSeconds)
}

// turnAway answers a connection that is one too many.
func (s *Server) turnAway(fd int) {
	var ctx fasthttp.RequestCtx
	s.fail(&ctx, &problem{code: codeOverloaded})
	s.metrics.countUnreadable(ctx.Response.StatusCode())
	_, _ = send(fd, appendReply(nil, &ctx.Response, true))
	s.hangUp(fd)
}

// hangUp closes a connection.
func (s *Server) hangUp(fd int) {
	if err := unix.Close(fd); err == unix.EBADF {
		panic("a connection's descriptor is not open: the next may be somebody else's")
	}
	s.front.open.Add(-1)
}
