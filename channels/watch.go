package channels

import (
	"container/heap"
	"time"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
)

// watch knows which transfers have no answer and what is to be done about each when. It reads no clock.
type watch struct {
	schedule Schedule
	byTxn    map[bank.TxnID]*watched
	queue    dueQueue
}

// watched is a transfer without an answer.
type watched struct {
	request actors.ChannelRequest
	due     time.Time
	unknown time.Time // since when; zero: the channel is still within its deadline
	queries int       // made so far
	at      int       // in the queue
}

// step is something to do now.
type step struct {
	request actors.ChannelRequest
	mark    bool // it has become unknown; otherwise: query
}

func newWatch(s Schedule) watch { return watch{schedule: s, byTxn: make(map[bank.TxnID]*watched)} }

// add watches a request made now. One that an earlier process found unknown goes on being queried.
func (w *watch) add(r actors.ChannelRequest, now time.Time) {
	if w.byTxn[r.Transfer] != nil {
		return
	}
	x := &watched{request: r, due: now.Add(w.schedule.Deadline)}
	if r.Unknown {
		x.unknown, x.due = now, now.Add(w.schedule.query(0))
	}
	w.byTxn[r.Transfer] = x
	heap.Push(&w.queue, x)
}

// drop ends the watch over a transfer; it reports whether there was one.
func (w *watch) drop(txn bank.TxnID) bool {
	x := w.byTxn[txn]
	if x == nil {
		return false
	}
	delete(w.byTxn, txn)
	heap.Remove(&w.queue, x.at)
	return true
}

// next is when something is due; false: nothing is watched.
func (w *watch) next() (time.Time, bool) {
	if len(w.queue) == 0 {
		return time.Time{}, false
	}
	return w.queue[0].due, true
}

// take takes at most limit steps that are due, and sets when each transfer's next is.
func (w *watch) take(now time.Time, limit int) (steps []step) {
	for len(w.queue) > 0 && len(steps) < limit && !w.queue[0].due.After(now) {
		x := w.queue[0]
		if x.unknown.IsZero() {
			x.unknown = now
			x.request.Unknown = true
			steps = append(steps, step{x.request, true})
		} else {
			steps = append(steps, step{x.request, false})
			x.queries++
		}
		x.due = x.unknown.Add(w.schedule.query(x.queries))
		if !x.due.After(now) { // the clock has jumped: what was missed is asked once
			x.due = now.Add(w.schedule.Every)
		}
		heap.Fix(&w.queue, 0)
	}
	return steps
}

// dueQueue is a heap by due time.
type dueQueue []*watched

func (q dueQueue) Len() int           { return len(q) }
func (q dueQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q dueQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

// Push and Pop implement heap.Interface.
func (q *dueQueue) Push(x any) {
	w := x.(*watched)
	w.at = len(*q)
	*q = append(*q, w)
}

func (q *dueQueue) Pop() any {
	old := *q
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return w
}
