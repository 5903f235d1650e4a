package tigerbeetle

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/suanpan-bank/suanpan/ledger"
)

// A lane carries the creates of one kind to the cluster, one request at a time.
//
// The client library packs concurrent calls into requests too, but not as well: with G callers a
// request carries G/2, and nothing says which call goes first. Here one goroutine, the
// dispatcher, takes what is waiting, sends it, waits for the answer, hands out the results, and
// begins again. So a request carries all that came while the last one was on its way, and the
// parts of a divided call can't overtake each other.
//
// Callers wait for their results, for their context and for the end of service, whichever comes
// first; the dispatcher waits for the client alone, however long that takes. A caller that leaves
// takes its events out of the queue, if they are still there, or learns that the outcome is
// unknown. What the dispatcher sent it has copied under the mutex, so no slice of a caller that
// left is read again.
//
// Rules of a request, each of which would change results if broken:
//
//   - a chain is never cut;
//   - nothing follows a call that ends inside a chain, or the next call's first event would join it;
//   - all events have the same imported flag. The cluster judges every event by the first one's,
//     so a call that mixes them travels alone and whole, and is told what it would be told alone.
type lane[E, R any] struct {
	house *Ledger
	kind  kind[E, R]

	// Guarded by house.mu.
	ready   *sync.Cond // something may be waiting, or there is a new client, or none any more
	queue   list.List  // of *call[E, R], in the order they came; the first may be partly sent
	waiting int        // events in the queue
	limit   batchLimit
	sending bool // a request is with the client
	beats   int  // how long it has been while the cluster answers others

	// The dispatcher's alone. The client has let go of it when a call of the client returns.
	events []E
}

// kind is what differs between accounts and transfers.
type kind[E, R any] struct {
	linked   func(*E) bool
	imported func(*E) bool
	create   func(client, []E) ([]R, error)
	judged   func(*R) bool // false: a result the cluster never gives
}

var accountKind = kind[ledger.Account, ledger.CreateAccountResult]{
	linked:   func(a *ledger.Account) bool { return a.Flags&ledger.AccountLinked != 0 },
	imported: func(a *ledger.Account) bool { return a.Flags&ledger.AccountImported != 0 },
	create:   client.createAccounts,
	judged:   func(r *ledger.CreateAccountResult) bool { return r.Status != 0 },
}

var transferKind = kind[ledger.Transfer, ledger.CreateTransferResult]{
	linked:   func(t *ledger.Transfer) bool { return t.Flags&ledger.TransferLinked != 0 },
	imported: func(t *ledger.Transfer) bool { return t.Flags&ledger.TransferImported != 0 },
	create:   client.createTransfers,
	judged:   func(r *ledger.CreateTransferResult) bool { return r.Status != 0 },
}

func newLane[E, R any](house *Ledger, kind kind[E, R]) *lane[E, R] {
	return &lane[E, R]{
		house: house,
		kind:  kind,
		ready: sync.NewCond(&house.mu),
		limit: newBatchLimit(house.options.BatchMax),
	}
}

// call is one caller's slice. Its fields are guarded by house.mu, save done.
type call[E, R any] struct {
	events   []E // the caller's own; not read once it has left
	imported bool
	mixed    bool // imported and other events: can't be divided
	longest  int  // events of its longest chain; of all when mixed

	place   *list.Element // in the queue, nil when all is taken
	taken   int           // events[:taken] are answered or in the request on its way
	left    bool          // its caller has gone
	over    bool          // results and err are final
	results []R
	err     error
	done    chan struct{} // closed once over
}

func (n *lane[E, R]) newCall(events []E) *call[E, R] {
	c := &call[E, R]{
		events:   events,
		imported: n.kind.imported(&events[0]),
		done:     make(chan struct{}),
	}
	length := 0
	for i := range events {
		length++
		if !n.kind.linked(&events[i]) || i == len(events)-1 {
			c.longest = max(c.longest, length)
			length = 0
		}
		if n.kind.imported(&events[i]) != c.imported {
			c.mixed = true
		}
	}
	if c.mixed {
		c.longest = len(events)
	}
	return c
}

// part is what one call has in a request: events[from:to].
type part[E, R any] struct {
	call     *call[E, R]
	from, to int
}

// create is a caller's side.
func (n *lane[E, R]) create(ctx context.Context, events []E) ([]R, error) {
	if len(events) == 0 {
		return []R{}, n.house.checkIn(ctx)
	}
	c, service, err := n.enqueue(ctx, events)
	if err != nil {
		return nil, err
	}
	select {
	case <-c.done:
		return c.results, c.err
	case <-ctx.Done():
		return n.leave(c, ctx.Err())
	case <-service.Done():
		return n.leave(c, context.Cause(service))
	}
}

// enqueue puts a call into the queue, or says why not.
func (n *lane[E, R]) enqueue(ctx context.Context, events []E) (*call[E, R], context.Context, error) {
	c := n.newCall(events)
	n.house.mu.Lock()
	defer n.house.mu.Unlock()
	service, err := n.house.admit()
	switch {
	case err != nil:
		return nil, nil, err
	case ctx.Err() != nil:
		return nil, nil, n.house.refuse(ctx.Err())
	case len(events) > n.house.options.BatchMax || !n.limit.allows(c.longest):
		return nil, nil, ledger.ErrTooMuchData
	case n.waiting+len(events) > n.house.options.WaitingMax:
		return nil, nil, n.house.refuse(errBusy)
	}
	c.place = n.queue.PushBack(c)
	n.waiting += len(events)
	n.ready.Signal()
	return c, service, nil
}

// leave ends a call before its answer, unless that came at the same moment.
func (n *lane[E, R]) leave(c *call[E, R], why error) ([]R, error) {
	n.house.mu.Lock()
	defer n.house.mu.Unlock()
	if c.over {
		return c.results, c.err
	}
	n.unqueue(c)
	sent := c.taken > 0
	c.left, c.events = true, nil
	switch {
	case sent:
		return nil, n.house.unknown(why)
	case n.house.closed:
		return nil, ledger.ErrClosed
	}
	return nil, n.house.refuse(why)
}

// unqueue takes what is left of a call out of the queue.
func (n *lane[E, R]) unqueue(c *call[E, R]) {
	if c.place != nil {
		n.queue.Remove(c.place)
		n.waiting -= len(c.events) - c.taken
		c.place = nil
	}
}

// run is the dispatcher. It ends when the Ledger is closed.
func (n *lane[E, R]) run() {
	for {
		parts, ok := n.take()
		if !ok {
			return
		}
		results, err := exchange(n.house, func(c client) ([]R, error) {
			return n.kind.create(c, n.events)
		})
		for _, c := range n.settle(parts, results, err) {
			close(c.done) // outside the mutex: the callers it wakes are likely to want it
		}
		// Lets them queue what they have next, so that it travels now. Without this, callers fall
		// into two halves that take turns, each with half-empty requests.
		runtime.Gosched()
	}
}

// take waits for work and fills n.events with the next request.
func (n *lane[E, R]) take() (parts []part[E, R], ok bool) {
	n.house.mu.Lock()
	defer n.house.mu.Unlock()
	for !n.house.closed && (n.queue.Len() == 0 || n.house.session.lost) {
		n.ready.Wait()
	}
	if n.house.closed {
		return nil, false
	}
	n.events = n.events[:0]
	limit := n.limit.next()
	for place := n.queue.Front(); place != nil; place = n.queue.Front() {
		c := place.Value.(*call[E, R])
		if len(parts) > 0 && (c.mixed || c.imported != parts[0].call.imported) {
			break
		}
		size := n.whole(c, limit-len(n.events))
		if size == 0 && len(parts) == 0 {
			size = n.first(c, c.taken) // longer than what is known to be accepted: find out
		}
		if size == 0 {
			break
		}
		p := part[E, R]{c, c.taken, c.taken + size}
		parts = append(parts, p)
		n.events = append(n.events, c.events[p.from:p.to]...)
		c.taken = p.to
		n.waiting -= size
		if c.taken < len(c.events) {
			break
		}
		n.queue.Remove(place)
		c.place = nil
		if c.mixed || n.kind.linked(&c.events[len(c.events)-1]) {
			break
		}
	}
	n.sending, n.beats = true, 0
	return parts, true
}

// whole returns how many of the call's next events fit into room without cutting a chain.
func (n *lane[E, R]) whole(c *call[E, R], room int) int {
	rest := c.events[c.taken:]
	if len(rest) <= room {
		return len(rest)
	}
	if c.mixed {
		return 0
	}
	size := max(room, 0)
	for size > 0 && n.kind.linked(&rest[size-1]) {
		size--
	}
	return size
}

// first returns the length of the indivisible piece that begins at from.
func (n *lane[E, R]) first(c *call[E, R], from int) int {
	rest := c.events[from:]
	if c.mixed {
		return len(rest)
	}
	for i := range rest {
		if !n.kind.linked(&rest[i]) {
			return i + 1
		}
	}
	return len(rest)
}

// settle gives the calls of a request what the client answered, and returns those that are over.
func (n *lane[E, R]) settle(parts []part[E, R], results []R, err error) (over []*call[E, R]) {
	n.house.mu.Lock()
	defer n.house.mu.Unlock()
	n.sending = false
	size := len(n.events)
	if err == nil {
		err = n.check(results, size)
	}
	switch {
	case err == nil:
		n.limit.accepted(size)
		n.house.stats.Requests++
		n.house.stats.Events += uint64(size)
		return n.answer(parts, results)
	case errors.Is(err, ledger.ErrTooMuchData):
		n.limit.refused(size)
		if only := parts[0]; len(parts) == 1 && !only.call.left && n.first(only.call, only.from) == size {
			return n.fail(parts, err)
		}
		n.putBack(parts)
		return nil
	}
	n.house.stats.LastFault = err.Error()
	return n.fail(parts, err)
}

// check refuses an answer that can't be the cluster's: nothing in it may be believed.
func (n *lane[E, R]) check(results []R, events int) error {
	if len(results) != events {
		return fmt.Errorf("%d results for %d events", len(results), events)
	}
	for i := range results {
		if !n.kind.judged(&results[i]) {
			return fmt.Errorf("result %d of %d has no status", i, events)
		}
	}
	return nil
}

func (n *lane[E, R]) answer(parts []part[E, R], results []R) (over []*call[E, R]) {
	over = make([]*call[E, R], 0, len(parts))
	for _, p := range parts {
		mine := results[: p.to-p.from : p.to-p.from]
		results = results[p.to-p.from:]
		c := p.call
		if c.left {
			continue
		}
		if p.from == 0 {
			c.results = mine
		} else {
			c.results = append(c.results, mine...)
		}
		if p.to == len(c.events) {
			c.over = true
			over = append(over, c)
		}
	}
	return over
}

// fail ends the calls of a request that has no answer, or that can never be sent.
func (n *lane[E, R]) fail(parts []part[E, R], why error) (over []*call[E, R]) {
	for _, p := range parts {
		c := p.call
		if c.left {
			continue
		}
		n.unqueue(c)
		c.over, c.results = true, nil
		if errors.Is(why, ledger.ErrTooMuchData) && p.from == 0 {
			c.err = ledger.ErrTooMuchData
		} else {
			c.err = n.house.unknown(why)
		}
		over = append(over, c)
	}
	return over
}

// putBack returns to the queue, in their order, what the client refused to send for its size.
func (n *lane[E, R]) putBack(parts []part[E, R]) {
	for i := len(parts) - 1; i >= 0; i-- {
		c := parts[i].call
		if c.left {
			continue
		}
		c.taken = parts[i].from
		n.waiting += parts[i].to - parts[i].from
		if c.place == nil {
			c.place = n.queue.PushFront(c)
		}
	}
}
