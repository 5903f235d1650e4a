package ingress

import (
	"slices"
	"sync"
	"time"
)

// scribe (书记) writes replies for a loop, on another processor. What one flush has made durable is answered at once, and for as long as
// the loop wrote all of that it read nothing: with 256 connections it ran alone for most of the time, and the bank, which had
// nothing to do until it read on, waited for it. So when there is much to answer the loop leaves most of it to its scribe, reads, and begins what it has
// read; both have about as much to do (docs/performance.md). Who is answered alone is answered by the loop, and nobody is woken for him.
//
// An exchange is the scribe's from when the loop leaves it (leave) until the loop has it back (loop.written). Its connection is
// "deciding" meanwhile, of which the loop uses nothing but what epoll tells (more). The scribe uses its descriptor, to send once. All
// that may follow is the loop's: the rest of what the socket does not take, closing, and the next request.
type scribe struct {
	loop  *loop
	pen   pen
	ended chan struct{}

	mu     sync.Mutex
	called sync.Cond
	over   bool        // nothing more is left to it
	todo   []*exchange // answered by the bank, and begun as a whole
	spare  []*exchange // the other half of a double buffer
}

const (
	// unsharedMax is how many replies of one look a loop writes itself.
	unsharedMax = 16
	// sharedAtOnce is how many the scribe writes before the loop has their connections back.
	sharedAtOnce = 16
)

func (s *scribe) init(l *loop) {
	s.loop, s.ended, s.called.L = l, make(chan struct{}), &s.mu
}

// leave leaves it exchanges to answer.
func (s *scribe) leave(answered []*exchange) {
	s.mu.Lock()
	s.todo = append(s.todo, answered...)
	s.mu.Unlock()
	s.called.Signal()
}

// end waits until everything that was left to it is written.
func (s *scribe) end() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.called.Signal()
	<-s.ended
}

// run writes until the loop ends it.
func (s *scribe) run() {
	defer close(s.ended)
	for {
		s.mu.Lock()
		for len(s.todo) == 0 && !s.over {
			s.called.Wait()
		}
		todo := s.todo
		s.todo = s.spare[:0]
		s.mu.Unlock()
		if len(todo) == 0 {
			return
		}
		for some := range slices.Chunk(todo, sharedAtOnce) {
			s.write(some)
		}
		clear(todo)
		s.spare = todo // nobody else looks at it
	}
}

// write writes replies and gives their connections back.
func (s *scribe) write(some []*exchange) {
	now := time.Now()
	for _, e := range some {
		s.loop.outcome(e, &s.pen)
		s.loop.write(e, now, &s.pen)
	}
	s.loop.wrote(some)
}
