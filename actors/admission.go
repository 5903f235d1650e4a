package actors

import (
	"sync"
	"sync/atomic"

	"github.com/suanpan-bank/suanpan/bank"
)

// What may be under way at once. It is counted before anything is sent to an actor, so that no mailbox and
// no queue behind one can grow beyond it, and what comes over a bound is refused at once (bank.ErrOverloaded):
// nothing has been done, and nobody waits. Of one customer there may be only a part, so that a flood for one
// leaves room for the others.
const (
	// RequestsMaxDefault is how many commands, and as many reads, may be under way in a node.
	RequestsMaxDefault = 65_536
	// CustomerMaxDefault is how many commands and reads of one customer may be: more than any one request to
	// the API can bring.
	CustomerMaxDefault = 16_384
	// BytesMaxDefault is how large all commands under way may be together.
	BytesMaxDefault = 256 << 20
)

// admission counts what is under way.
type admission struct {
	requestsMax, readsMax, bytesMax int64
	customerMax                     int32

	requests, reads, bytes atomic.Int64
	shards                 [bank.ShardCount]struct {
		mu        sync.Mutex
		customers map[bank.CustomerNo]int32 // with something under way
	}
}

func (a *admission) init(o *Options) {
	a.requestsMax, a.readsMax, a.bytesMax = o.RequestsMax, o.RequestsMax, o.BytesMax
	a.customerMax = o.CustomerMax
	if a.requestsMax == 0 {
		a.requestsMax, a.readsMax = RequestsMaxDefault, RequestsMaxDefault
	}
	if a.bytesMax == 0 {
		a.bytesMax = BytesMaxDefault
	}
	if a.customerMax == 0 {
		a.customerMax = CustomerMaxDefault
	}
	for i := range a.shards {
		a.shards[i].customers = make(map[bank.CustomerNo]int32)
	}
}

// take adds n to a counter, unless that passes its bound.
func take(counter *atomic.Int64, n, most int64) bool {
	if counter.Add(n) > most {
		counter.Add(-n)
		return false
	}
	return true
}

// enter counts one command or read of the customer; false: there are too many.
func (a *admission) enter(no bank.CustomerNo) bool {
	s := &a.shards[no.Shard()]
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.customers[no]
	if n >= a.customerMax {
		return false
	}
	s.customers[no] = n + 1
	return true
}

func (a *admission) leave(no bank.CustomerNo) {
	s := &a.shards[no.Shard()]
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.customers[no]; n > 1 {
		s.customers[no] = n - 1
	} else {
		delete(s.customers, no)
	}
}

// Admit counts a request whose customer is known and which is to be sent. An error (bank.ErrOverloaded): it
// must be failed instead.
func (n *Node) Admit(r *Request) error {
	a := &n.admission
	r.bytes = int64(r.Call.Bytes)
	if !take(&a.bytes, r.bytes, a.bytesMax) {
		return bank.ErrOverloaded
	}
	if !a.enter(r.Customer) {
		a.bytes.Add(-r.bytes)
		return bank.ErrOverloaded
	}
	r.admitted = true
	return nil
}

// AdmitRead counts a query that is to be sent. An error (bank.ErrOverloaded): it must not be.
func (n *Node) AdmitRead(q *Query) error {
	a := &n.admission
	if !take(&a.reads, 1, a.readsMax) {
		return bank.ErrOverloaded
	}
	if !a.enter(q.Customer) {
		a.reads.Add(-1)
		return bank.ErrOverloaded
	}
	q.admitted = n
	return nil
}

// settle takes an answered request out of what is under way.
func (a *admission) settle(r *Request) {
	if r.admitted {
		a.bytes.Add(-r.bytes)
		a.leave(r.Customer)
	}
	a.requests.Add(-1)
}
