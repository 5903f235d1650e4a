package standin

import (
	"maps"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// faults are what a test has staged.
type faults struct {
	dropRequests int
	dropReplies  int
	commitDelay  time.Duration
	frozen       bool
}

// DropRequests ignores the next n requests, registrations and repetitions included: they are not
// executed. It replaces what is left of an earlier call.
func (s *Server) DropRequests(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.dropRequests = n
}

// DropReplies executes the next n requests but doesn't answer them; a request that is repeated
// while replies are being dropped counts again. It replaces what is left of an earlier call.
func (s *Server) DropReplies(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.dropReplies = n
}

// DelayCommits makes each later request wait so long before it is executed; those behind it wait
// for it. Zero ends it.
func (s *Server) DelayCommits(delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.commitDelay = delay
}

// Freeze accepts connections and reads from them but answers nothing. What comes is ignored; a
// request that is already waiting for its commit is still executed.
func (s *Server) Freeze() { s.freeze(true) }

// Thaw ends Freeze.
func (s *Server) Thaw() { s.freeze(false) }

func (s *Server) freeze(frozen bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.frozen = frozen
}

// Clients returns the ids of the clients that have a session, in no order. A client chooses its
// id at random when it is made.
func (s *Server) Clients() []ledger.Uint128 {
	s.mu.Lock()
	defer s.mu.Unlock()
	clients := make([]ledger.Uint128, 0, len(s.sessions))
	for client := range s.sessions {
		clients = append(clients, client)
	}
	return clients
}

// Evict ends a client's session; the client learns it from the answer to its next request or
// ping, or to the request under way.
func (s *Server) Evict(client ledger.Uint128, reason Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(client, reason)
}

// EvictAll evicts every client that has a session now.
func (s *Server) EvictAll(reason Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for client := range s.sessions {
		s.end(client, reason)
	}
}

func (s *Server) end(client ledger.Uint128, reason Reason) {
	delete(s.sessions, client)
	s.evicted[client] = reason
}

// Counts is what happened since Start.
type Counts struct {
	Operations      map[Operation]OperationCounts // of requests executed, each once
	Registered      int
	Repeated        int // requests that came again after they had been executed
	Evictions       int // notices sent
	Pings           int
	RequestsDropped int
	RepliesDropped  int
	Malformed       int // messages that ended their connection
}

// OperationCounts is what the requests of one operation held. A batch is one call of a client, so
// Batches / Requests says how many calls travelled together.
type OperationCounts struct {
	Requests   int
	Batches    int
	Events     int
	BatchesMax int // in one request
	EventsMax  int // in one request
}

func (c *Counts) executed(operation Operation, batches []int) {
	events := 0
	for _, n := range batches {
		events += n
	}
	o := c.Operations[operation]
	o.Requests++
	o.Batches += len(batches)
	o.Events += events
	o.BatchesMax = max(o.BatchesMax, len(batches))
	o.EventsMax = max(o.EventsMax, events)
	c.Operations[operation] = o
}

// Counts returns what happened so far. It belongs to the caller.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := s.counts
	counts.Operations = maps.Clone(counts.Operations)
	return counts
}
