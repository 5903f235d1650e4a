package ingress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// front is what serves: loops, or fasthttp's own server on what is no TCP socket.
type front struct {
	mu       sync.Mutex
	listener net.Listener // nil: fasthttp's
	loops    []*loop      // the first takes connections in, and spreads them over all
	ended    bool
}

// loopsMax is how many loops there are where there are processors for them.
const loopsMax = 2

// Serve answers requests until Shutdown; it returns nil then.
func (s *Server) Serve(l net.Listener) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return s.http.Serve(lingering{l})
	}
	f := &s.front
	err := f.start(s, tcp)
	for _, l := range f.loops {
		<-l.ended
	}
	return err
}

func (f *front) start(s *Server, listener *net.TCPListener) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listener = listener
	if f.ended {
		return listener.Close()
	}
	loops := loopsMax
	if os.Getenv("LOOPS") == "1" {
		loops = 1
	}
	for range min(loops, runtime.NumCPU()) {
		l, err := newLoop(s)
		if err != nil {
			return errors.Join(fmt.Errorf("event loop: %w", err), f.release())
		}
		f.loops = append(f.loops, l)
	}
	if err := f.loops[0].listen(listener); err != nil {
		return errors.Join(fmt.Errorf("listen: %w", err), f.release())
	}
	for _, l := range f.loops {
		l.peers = f.loops
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

// listen makes the loop take connections in. The socket is its own, and shares what matters with the listener's.
func (l *loop) listen(from *net.TCPListener) error {
	raw, err := from.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { l.listener, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return l.watch(l.listener, unix.EPOLLIN|unix.EPOLLET)
}

// accept takes in the connections that have come.
func (l *loop) accept() {
	for l.listener >= 0 {
		fd, peer, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
			if l.server.connections.Add(1) > int64(l.server.options.Limits.Connections) {
				l.server.connections.Add(-1)
				_ = unix.Close(fd)
				continue
			}
			next := l.peers[l.accepted%uint(len(l.peers))]
			l.accepted++
			next.give(&conn{loop: next, fd: fd, peer: peer})
		case unix.EINTR, unix.ECONNABORTED:
		default: // none is left, or there is no room for one: the next look on time tries again
			return
		}
	}
}

// Shutdown takes no new requests, waits for those under way or ctx, and closes the connections.
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
	return err
}
