// Package standin is a server for tests that speaks the client protocol of TigerBeetle 0.17.9
// over the embedded ledger, so that the real client library runs where no TigerBeetle does. It
// can do on demand what a real server does only at the worst moment: lose a request or a reply,
// be slow, forget a client, freeze, die and come back. Start here: Start, then the faults.
//
// What it speaks: one replica of one cluster; register, request, reply, ping and eviction; all
// operations of a 0.17.9 client, packed in batches with their trailer; checksums of header and
// body both ways; sessions with the last reply stored, so that a repeated request is answered and
// not done again; the limits of requests, sessions and queries. Requests are executed one after
// the other and a commit is in memory when it is answered.
//
// What it leaves out: replication and its messages, view changes, the limit on connections (a
// real server serves 32 clients unless told otherwise, the stand-in as many as there are
// sessions), durability, upgrades, older clients, TigerBeetle's timing. It belongs on loopback:
// there is no authentication.
package standin

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// Sizes of requests, header included, that a server accepts.
const (
	RequestSizeMaxProduction  = messageSizeMax // 8,189 accounts or transfers
	RequestSizeMaxDevelopment = 32 << 10       // 253, as after `start --development`
)

// writeTimeout bounds the wait for a client that doesn't read. One has at most one request under
// way, so its socket has room for the reply unless it hangs.
const writeTimeout = 10 * time.Second

// Options of a Server. The zero value is a production server with an empty ledger.
type Options struct {
	// Engine is the ledger behind. Its clock is the server's and expires what is due. The caller
	// may use it meanwhile; Close leaves it open. Nil makes an empty one in memory.
	Engine *embedded.Engine
	// Clock gives nanoseconds since 1970 to the engine that is made when none is given. Nil is the
	// wall clock.
	Clock func() uint64
	// Address to listen on, an IPv4 address and port. Empty is a free port of 127.0.0.1.
	Address string
	// Cluster is the id clients must use; messages with another are ignored.
	Cluster ledger.Uint128
	// RequestSizeMax is one of the constants of that name. Zero is production.
	RequestSizeMax int
}

// Server is a stand-in that runs. All methods are safe for concurrent use.
type Server struct {
	options  Options
	engine   *embedded.Engine
	checksum *checksum
	address  string

	running sync.Mutex     // held by Stop, Restart and Close, each whole
	serving sync.WaitGroup // the accepting goroutine and one per connection
	port    io.Closer      // keeps the port ours while nobody listens; nil after Close

	commit sync.Mutex // held while a request is executed: one after the other, delay included

	mu       sync.Mutex   // guards all below, never held while waiting
	listener net.Listener // nil while stopped
	up       context.Context
	down     context.CancelFunc // ends up
	conns    map[net.Conn]struct{}
	commits  uint64
	sessions sessions
	evicted  map[ledger.Uint128]Reason // told so when they next ask
	faults   faults
	counts   Counts
}

// Start listens and serves until Close.
func Start(options Options) (*Server, error) {
	if options.RequestSizeMax == 0 {
		options.RequestSizeMax = RequestSizeMaxProduction
	}
	if options.RequestSizeMax != RequestSizeMaxProduction && options.RequestSizeMax != RequestSizeMaxDevelopment {
		return nil, fmt.Errorf("standin: requests of %d bytes: neither production's nor development's limit", options.RequestSizeMax)
	}
	if options.Address == "" {
		options.Address = "127.0.0.1:0"
	}
	if options.Clock == nil {
		options.Clock = func() uint64 { return uint64(time.Now().UnixNano()) }
	}
	if options.Engine == nil {
		options.Engine = embedded.New(embedded.Options{Clock: options.Clock})
	}
	port, address, err := reserve(options.Address)
	if err != nil {
		return nil, fmt.Errorf("standin: address %s: %w", options.Address, err)
	}
	s := &Server{
		options:  options,
		engine:   options.Engine,
		checksum: newChecksum(),
		address:  address,
		port:     port,
		conns:    map[net.Conn]struct{}{},
		sessions: sessions{},
		evicted:  map[ledger.Uint128]Reason{},
		counts:   Counts{Operations: map[Operation]OperationCounts{}},
	}
	if err := s.listen(); err != nil {
		return nil, errors.Join(err, port.Close())
	}
	return s, nil
}

// Addr returns the address to give to a client, the same over Stop and Restart.
func (s *Server) Addr() string { return s.address }

// Close ends all connections and waits for the server's goroutines. The engine stays as it is.
// A second Close does nothing.
func (s *Server) Close() error {
	s.running.Lock()
	defer s.running.Unlock()
	if s.port == nil {
		return nil
	}
	err := errors.Join(s.stop(), s.port.Close())
	s.port = nil
	return err
}

// Stop refuses connections and ends the open ones, as a server that died: what was not committed
// is not done. Ledger, sessions and staged faults stay. It returns when nothing runs any more.
func (s *Server) Stop() error {
	s.running.Lock()
	defer s.running.Unlock()
	return s.stop()
}

// Restart serves again on the same address after Stop.
func (s *Server) Restart() error {
	s.running.Lock()
	defer s.running.Unlock()
	if s.port == nil {
		return errors.New("standin: restart after Close")
	}
	return s.listen()
}

func (s *Server) stop() error {
	s.mu.Lock()
	var err error
	if s.listener != nil {
		s.down()
		err = s.listener.Close()
		s.listener = nil
		for conn := range s.conns {
			conn.Close() // all it can report is known already: nothing more is read or written
		}
	}
	s.mu.Unlock()
	s.serving.Wait()
	return err
}

func (s *Server) listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp4", s.address)
	if err != nil {
		return fmt.Errorf("standin: %w", err)
	}
	s.listener = listener
	s.up, s.down = context.WithCancel(context.Background())
	s.serving.Add(1)
	go s.accept(s.up, listener)
	return nil
}

func (s *Server) accept(up context.Context, listener net.Listener) {
	defer s.serving.Done()
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // closed by Stop; a test whose machine has run out of sockets fails anyway
		}
		s.mu.Lock()
		if up.Err() != nil {
			s.mu.Unlock()
			conn.Close()
			return
		}
		s.conns[conn] = struct{}{}
		s.serving.Add(1)
		s.mu.Unlock()
		go s.serve(up, conn)
	}
}

// serve answers the messages of one connection, in their order.
func (s *Server) serve(up context.Context, conn net.Conn) {
	defer s.serving.Done()
	defer func() {
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
		conn.Close()
	}()
	for {
		m, err := s.checksum.readMessage(conn)
		if err != nil {
			if errors.Is(err, errMalformed) {
				s.count(func(c *Counts) { c.Malformed++ })
			}
			return
		}
		answer, err := s.answer(up, m)
		if err != nil {
			s.count(func(c *Counts) { c.Malformed++ })
			return
		}
		if answer == nil {
			continue
		}
		if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return // the client will ask again
		}
	}
}

// answer returns what to send for a message, nil for nothing.
func (s *Server) answer(up context.Context, m message) (message, error) {
	s.mu.Lock()
	frozen := s.faults.frozen
	s.mu.Unlock()
	if frozen || m.cluster() != s.options.Cluster {
		return nil, nil
	}
	switch m.command() {
	case commandPingClient:
		return s.pong(pingOf(m)), nil
	case commandRequest:
		r, err := requestOf(m)
		if err != nil {
			return nil, err
		}
		return s.request(up, &r), nil
	}
	return nil, fmt.Errorf("%w: command %d", errMalformed, m.command())
}

// pong answers a ping, which also is how an idle client learns that it has no session any more.
func (s *Server) pong(p ping) message {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Pings++
	switch reason := s.evicted[p.client]; {
	case reason != 0:
		return s.evict(p.client, reason)
	case p.session != 0 && s.sessions[p.client] == nil:
		return s.evict(p.client, ReasonNoSession)
	}
	return s.checksum.pongTo(p, s.options.Cluster)
}

// request executes a request, or answers again what was answered before.
func (s *Server) request(up context.Context, r *request) message {
	s.commit.Lock()
	defer s.commit.Unlock()
	if !s.admitted(up) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if up.Err() != nil {
		return nil
	}
	if reason := s.refused(r); reason != 0 {
		return s.evict(r.client, reason)
	}
	known := s.sessions[r.client]
	var reply message
	switch {
	case known != nil && r.checksum == known.checksum:
		s.counts.Repeated++
		reply = known.reply
	case r.operation == operationRegister && known == nil:
		reply = s.register(r)
	case r.operation != operationRegister && r.session == known.number && r.number == known.request+1:
		var reason Reason
		if reply, reason = s.perform(r, known); reason != 0 {
			return s.evict(r.client, reason)
		}
	default:
		return nil // late: the client has its answer to this one and has gone on
	}
	if s.faults.frozen {
		return nil
	}
	if s.faults.dropReplies > 0 {
		s.faults.dropReplies--
		s.counts.RepliesDropped++
		return nil
	}
	return reply
}

// admitted lets a request through the staged faults that come before its execution.
func (s *Server) admitted(up context.Context) bool {
	s.mu.Lock()
	delay := s.faults.commitDelay
	drop := s.faults.dropRequests > 0
	if drop {
		s.faults.dropRequests--
		s.counts.RequestsDropped++
	}
	s.mu.Unlock()
	if drop || delay <= 0 {
		return !drop
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-up.Done():
		return false
	}
}

// refused returns why a client must go, or 0.
func (s *Server) refused(r *request) Reason {
	known := s.sessions[r.client]
	switch reason := s.evicted[r.client]; {
	case reason != 0:
		return reason
	case r.release < release:
		return ReasonReleaseTooLow
	case r.release > release:
		return ReasonReleaseTooHigh
	case r.operation == operationRegister:
		return 0
	case known == nil:
		return ReasonNoSession
	case r.session < known.number:
		return ReasonSessionTooLow
	case len(r.body) > s.bodySizeMax():
		return ReasonInvalidRequestBodySize
	}
	return 0
}

func (s *Server) bodySizeMax() int { return s.options.RequestSizeMax - headerSize }

// register opens a session, in a full table in place of the one that was idle longest.
func (s *Server) register(r *request) message {
	if len(s.sessions) == clientsMax {
		delete(s.sessions, s.sessions.longestIdle())
	}
	s.commits++
	body := make([]byte, registerReplySize)
	binary.LittleEndian.PutUint32(body, uint32(s.bodySizeMax()))
	reply := s.checksum.replyTo(r, s.options.Cluster, s.commits, s.timestamp(), body)
	s.sessions[r.client] = &session{number: s.commits, checksum: r.checksum, reply: reply, used: s.commits}
	s.counts.Registered++
	return reply
}

// perform executes the next request of a session and stores its reply.
func (s *Server) perform(r *request, session *session) (message, Reason) {
	body, batches, err := execute(s.engine, r.operation, r.body)
	switch {
	case errors.Is(err, errUnknownOperation):
		return nil, ReasonInvalidOperation
	case errors.Is(err, errMalformed), errors.Is(err, ledger.ErrTooMuchData):
		return nil, ReasonInvalidRequestBody
	case err != nil:
		return nil, 0 // the engine failed or was closed: no answer, as of a server that is going down
	}
	s.commits++
	session.request, session.checksum, session.used = r.number, r.checksum, s.commits
	session.reply = s.checksum.replyTo(r, s.options.Cluster, s.commits, s.timestamp(), body)
	s.counts.executed(r.operation, batches)
	return session.reply, 0
}

// timestamp of a reply, which must not be zero.
func (s *Server) timestamp() uint64 { return max(1, s.engine.Timestamp()) }

// evict forgets a client and tells it so.
func (s *Server) evict(client ledger.Uint128, reason Reason) message {
	delete(s.sessions, client)
	s.counts.Evictions++
	return s.checksum.eviction(client, s.options.Cluster, reason)
}

func (s *Server) count(change func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.counts)
}
