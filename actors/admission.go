package actors

import (
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
	own                    atomic.Int64 // of requests, those of the accounting day
	asked                  atomic.Int64 // commands settled that were not its
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
}

// take adds n to a counter, unless that passes its bound.
func take(counter *atomic.Int64, n, most int64) bool {
	if counter.Add(n) > most {
		counter.Add(-n)
		return false
	}
	return true
}

// enter counts one command or read of the customer, whose slot it keeps until he leaves; false: there are too many.
// Nobody's are not counted, and have no slot: they are answered without him.
func (n *Node) enter(no bank.CustomerNo) (*slot, bool) {
	s := n.hold(no)
	if s != nil && s.underWay.Add(1) > n.admission.customerMax {
		s.leave()
		return nil, false
	}
	return s, true
}

func (s *slot) leave() {
	s.underWay.Add(-1)
	s.release()
}

// Admit counts a request whose customer is known and which is to be sent. An error (bank.ErrOverloaded): it
// must be failed instead.
func (n *Node) Admit(r *Request) error {
	a := &n.admission
	bytes := int64(r.Call.Bytes)
	if !take(&a.bytes, bytes, a.bytesMax) {
		return bank.ErrOverloaded
	}
	var ok bool
	if r.slot, ok = n.enter(r.Customer); !ok {
		a.bytes.Add(-bytes)
		return bank.ErrOverloaded
	}
	r.group.bytes += bytes
	if credit, credits := bank.CreditOf(r.Call.Command); credits {
		r.payee = n.hold(credit.Account.Customer())
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
	var ok bool
	if q.slot, ok = n.enter(q.Customer); !ok {
		a.reads.Add(-1)
		return bank.ErrOverloaded
	}
	q.admitted = n
	return nil
}

// leave takes an answered request out of what is under way of its customer.
func (r *Request) leave() {
	if !r.admitted {
		return
	}
	if r.slot != nil {
		r.slot.leave()
	}
	if r.payee != nil {
		r.payee.release()
	}
}

// settle takes a group that is answered out of what is under way in all: until then its memory is in use, also that of
// the requests which were answered before the last.
func (a *admission) settle(g *Group) {
	a.bytes.Add(-g.bytes)
	a.requests.Add(-g.count)
	if g.own {
		a.own.Add(-g.count)
		return
	}
	a.asked.Add(g.count)
}
