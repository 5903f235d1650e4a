package actors

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// round (一轮) is what one goroutine decides in the turns of some shards, one after the other, and gives to the
// pipeline together. Taken alone every decision would wait for the pipeline's lock, and for each thing in memory
// that ledger and journal need for it; together they wait once, and look ahead.
//
// A decision that is in a round has happened for nobody yet. So until the round is over the turns of its shards
// last: nothing else may touch their customers. And whoever has decided decides and shows nothing more before
// that has its place in the journal: the round is carried out first (customerActor.decided).
type round struct {
	drafts, spare []*draft        // in the order they were decided; the other half of a double buffer
	taken         []turn          // of the dispatcher
	coming        []turn          // of taken, not begun
	turns         []*shardMailbox // whose messages have been handled
	dispatcher    *dispatcher
	carrying      bool // in carryOut

	at moment // of the decisions that are being taken; zero: it has not been asked for

	keys      []ledger.Uint128 // lookAhead's
	customers []uint64
}

// moment is when something is decided: the accounting date, and what the clock said when that was the date.
type moment struct {
	today bank.Date
	now   time.Time
}

// moment is now. What the clock says may be of the next date already, never of the one before.
func (n *Node) moment() moment {
	today := n.Today()
	return moment{today, n.options.Clock()}
}

// moment of the next decision, one for some that follow each other within a part of a millisecond, unless the date ends meanwhile:
// asking the clock takes as long as a fiftieth of each.
func (r *round) moment(n *Node) moment {
	if r.at.now.IsZero() || r.at.today != n.Today() {
		r.at = n.moment()
	}
	return r.at
}

// roundMax is how many turns a round has at most, and how many decisions go to the pipeline together. The last of
// them waits for the others to be decided, a few microseconds for each.
const roundMax = 64

// run takes the turns that are coming. What has been decided in them is not carried out yet, at least not all of it.
func (r *round) run() {
	for len(r.coming) > 0 {
		r.at = moment{}
		for range r.lookAhead() {
			if len(r.coming) == 0 { // the others were given back
				break
			}
			t := r.coming[0]
			r.coming = r.coming[1:]
			t.take(r)
		}
	}
}

func (r *round) add(d *draft) {
	d.by.decided = true
	r.drafts = append(r.drafts, d)
	if len(r.drafts) >= roundMax { // of one shard that has many messages, say
		r.carryOut()
	}
}

// carryOut gives the decisions to the pipeline and lets their customers go on.
func (r *round) carryOut() {
	r.at = moment{}
	outer := r.carrying
	r.carrying = true
	defer func() { r.carrying = outer }()
	for len(r.drafts) > 0 { // one that was decided on a date that has ended is decided anew
		drafts := r.drafts
		r.drafts, r.spare = r.spare[:0], nil
		drafts[0].by.node.commitRound(drafts)
		clear(drafts)
		r.spare = drafts[:0]
	}
}

// commitRound commits decisions of different customers, who wait for it. A panic is a broken invariant, as in Receive.
func (n *Node) commitRound(drafts []*draft) {
	defer func() {
		if cause := recover(); cause != nil {
			n.Fault(fmt.Errorf("broken invariant: %v\n%s", cause, debug.Stack()))
		}
	}()
	n.pipeline.commitAll(drafts)
	for _, d := range drafts {
		a, req := d.by, d.request
		a.decided = false
		if !a.committed(d) {
			a.postpone(req)
		}
	}
}

// wait is called before something is waited for: those who have had their turn don't wait, too.
func (r *round) wait() {
	if len(r.coming) > 0 {
		r.dispatcher.giveBack(r.coming)
		r.coming = nil
	}
	if !r.carrying { // otherwise their customers do not know yet what they have decided
		r.end()
	}
}

// end carries out what was decided and ends the turns.
func (r *round) end() {
	r.carryOut()
	for i, m := range r.turns {
		r.turns[i] = nil
		m.endTurn()
	}
	r.turns = r.turns[:0]
}
