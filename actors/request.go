package actors

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/suanpan-bank/suanpan/bank"
)

// Request is one command on its way to its customer's actor and back. It carries where its reply
// goes, so the hot path needs no Future.
type Request struct {
	Customer bank.CustomerNo
	Call     *bank.Call
	slot     *slot // of the customer, in memory as long as the request is counted; nil: of nobody
	payee    *slot // whom it credits, as long as it keeps him in memory; may be nil
	receipt  bank.Receipt
	err      error
	group    *Group
	after    func() // runs before the caller hears; nil on the hot path
	day      *sweep // of the accounting day that asks; nil: somebody else does
	admitted bool
}

// Group waits for the requests of one caller.
type Group struct {
	node     *Node
	requests []Request // as many as the group was made for; never grows, so that they stay where they are
	count    int64     // of requests in all
	bytes    int64     // counted by Admit
	left     atomic.Int32
	done     chan struct{} // capacity 1: the last request to finish never waits
	then     func()        // is called instead, by the last request to finish; nil: somebody waits
	own      bool          // the accounting day asks
	due      []turn        // of shards that Send has given something, until Sent
}

var groups = sync.Pool{New: func() any { return &Group{done: make(chan struct{}, 1)} }}

// NewGroup accepts n commands of one caller, or refuses them all: with too many under way already
// (bank.ErrOverloaded) or when the node is stopping. Every one of them must then be sent, or refused; before
// it is sent Admit counts it for its customer.
func (n *Node) NewGroup(count int) (*Group, error) {
	if n.stopping.Load() {
		return nil, bank.ErrStopping
	}
	if !take(&n.admission.requests, int64(count), n.admission.requestsMax) {
		return nil, bank.ErrOverloaded
	}
	g := groups.Get().(*Group)
	g.node, g.requests, g.count = n, slices.Grow(g.requests, count), int64(count)
	g.left.Store(int32(count))
	return g, nil
}

// newOwnGroup is NewGroup for the accounting day, for which nobody waits outside.
func (n *Node) newOwnGroup(count int) (*Group, error) {
	g, err := n.NewGroup(count)
	if err == nil {
		g.own = true
		n.admission.own.Add(int64(count))
	}
	return g, err
}

// Request makes the group's next request, for a call. It belongs to the group and ends with it.
func (g *Group) Request(customer bank.CustomerNo, call *bank.Call) *Request {
	n := len(g.requests)
	g.requests = g.requests[:n+1]
	r := &g.requests[n]
	r.Customer, r.Call, r.group = customer, call, g
	return r
}

// Requests makes the group's next requests, at most AheadMax, for calls of which only registrations' customers are not
// known yet. All of them are about to be sent: the memory that Admit needs is asked for.
func (g *Group) Requests(calls []*bank.Call) []Request {
	from := len(g.requests)
	for _, call := range calls {
		g.Request(bank.DeciderOf(call.Command), call)
	}
	g.node.LookAhead(calls)
	return g.requests[from:]
}

// Send is Node.Send of one of the group's requests, but that its shard may have its turn only when Sent is called, as it
// must be before anything is waited for: nobody else asks for that turn meanwhile. So the shards of many requests ask together, and what
// is decided in their turns can go on together. Somebody must Wait for the group.
func (g *Group) Send(shard *actor.PID, r *Request) {
	s := &g.node.shards[r.Customer.Shard()]
	if shard != s.pid.Load() || s.mailbox == nil {
		g.node.system.Root.Send(shard, r)
		return
	}
	if s.mailbox.put(&s.mailbox.user, r) {
		g.due = append(g.due, s.mailbox)
	}
}

// Sent asks for the turns of the shards that Send has given something.
func (g *Group) Sent() {
	if len(g.due) > 0 {
		g.node.workers.scheduleAll(g.due)
		clear(g.due)
		g.due = g.due[:0]
	}
}

// Wait waits for all of the group's requests, or until stop is closed: then it reports false and
// the calls' outcomes are unknown. Either way the group must not be used afterwards.
func (g *Group) Wait(stop <-chan struct{}) bool {
	select {
	case <-g.done:
	case <-stop:
		// Requests still under way will write to themselves, not to the caller's calls. The group
		// belongs to them now.
		return false
	}
	g.deliver()
	return true
}

// Then is called instead of waiting, once all of the group's requests are finished and their outcomes are with the
// calls: by whoever finishes the last, so it must not block. It must be set before anything is sent, and the group
// must not be used afterwards. If the node stops it may never be called.
func (g *Group) Then(then func()) { g.then = then }

// deliver gives the outcomes to the calls and the group back.
func (g *Group) deliver() {
	for i := range g.requests {
		r := &g.requests[i]
		r.Call.Receipt, r.Call.Err = r.receipt, r.err
	}
	clear(g.requests)
	g.requests, g.bytes, g.then, g.own = g.requests[:0], 0, nil, false
	groups.Put(g)
}

// finish delivers the outcome; exactly once for each request.
func (r *Request) finish(err error) {
	if err != nil {
		r.err, r.receipt = err, bank.Receipt{}
	}
	if r.after != nil {
		r.after()
	}
	r.leave()
	if g := r.group; g.left.Add(-1) == 0 {
		g.node.admission.settle(g)
		if g.then == nil {
			g.done <- struct{}{}
			return
		}
		then := g.then
		g.deliver()
		then()
	}
}

// Refuse answers the request without any actor.
func (r *Request) Refuse(refusal *bank.Refusal) {
	r.receipt = bank.Receipt{Operation: r.Call.Command.Operation(), Refusal: refusal}
	r.finish(nil)
}

// Fail answers the request with an error; nothing was done.
func (r *Request) Fail(err error) { r.finish(err) }
