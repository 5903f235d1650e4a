package actors

import (
	"runtime"
	"slices"
	"sync"

	"github.com/suanpan-bank/suanpan/ledger"
)

// dispatcher gives the shards' mailboxes their turns, in the order they asked, on goroutines that it keeps: one
// that has run a mailbox before has the stack that a decision needs, which a new one would have to grow, and
// copy, in the middle of each.
//
// Few turns are taken at once, since all decisions meet at the pipeline's lock: where every mailbox had its
// goroutine, a hundred waited for the lock, each to be woken for one decision. And at most one goroutine is on
// its way at a time; whoever takes a turn while others wait for theirs sends for the next. So with the processors
// busy a goroutine goes from turn to turn and nobody is woken, which costs as much as a third of a decision.
// Who waits for the disk steps aside meanwhile.
type dispatcher struct {
	mu     sync.Mutex
	queue  []turn // from next on
	next   int
	taking int  // turns that are taken, but for those whose goroutines wait aside
	coming bool // a goroutine is on its way to the queue
	idle   int  // goroutines that wait for work and have not been called
	ended  bool
	call   chan struct{}
	most   int // turns taken at once

	ending bool     // a goroutine ends rounds, its own and those that are
	left   []*round // to it, in the order they were
	spare  []*round // to be used again

	journal interface { // nil: nobody looks ahead
		Ahead(commands []ledger.Uint128, customers []uint64)
	}
}

// turn is what a goroutine does in its turn. What it decides is carried out with the round.
type turn interface{ take(*round) }

// plainTurn is of one who decides nothing.
type plainTurn func()

func (t plainTurn) take(*round) { t() }

const (
	// turnsMax is how many turns are taken at once where there are processors for them: a third of a decision
	// happens under the pipeline's lock, so more would wait for it.
	turnsMax = 4
	// leftMax is how many rounds may be left to another goroutine: if it can't keep up, who decides should wait.
	leftMax = 2
	// idleWorkersMax is how many goroutines may wait for work; each keeps some kilobytes of stack.
	idleWorkersMax = 64
)

func newDispatcher() *dispatcher {
	// The capacity is that of all who may be called, so that calling never waits.
	return &dispatcher{call: make(chan struct{}, idleWorkersMax), most: min(turnsMax, runtime.NumCPU())}
}

// end lets the goroutines go that wait for work. What is still sent is still handled.
func (d *dispatcher) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	close(d.call)
}

// Schedule implements actor.Dispatcher.
func (d *dispatcher) Schedule(fn func()) { d.schedule(plainTurn(fn)) }

func (d *dispatcher) schedule(t turn) { d.scheduleAll([]turn{t}) }

// scheduleAll asks for turns in the order given.
func (d *dispatcher) scheduleAll(turns []turn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue)+len(turns) > cap(d.queue) && d.next > len(d.queue)/2 {
		n := copy(d.queue, d.queue[d.next:])
		clear(d.queue[n:])
		d.queue, d.next = d.queue[:n], 0
	}
	d.queue = append(d.queue, turns...)
	d.sendFor()
}

// sendFor sends for a goroutine, if one is needed and none is on its way; mu is held.
func (d *dispatcher) sendFor() {
	if d.coming || d.taking >= d.most || d.next == len(d.queue) {
		return
	}
	d.coming = true
	if d.idle > 0 && !d.ended {
		d.idle--
		d.call <- struct{}{}
	} else {
		go d.work()
	}
}

// begin takes the next turns into the round, if there are any to take; otherwise the goroutine is to wait, or to end when
// enough wait. It has just come, or its round is over.
func (d *dispatcher) begin(r *round, arrived bool) (begun, wait bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if arrived {
		d.coming = false
	} else {
		d.taking--
	}
	if d.next == len(d.queue) || d.taking >= d.most {
		if wait = d.idle < idleWorkersMax && !d.ended; wait {
			d.idle++
		}
		return false, wait
	}
	d.taking++
	// With as much left for each of the others who may come.
	share := min((len(d.queue)-d.next+d.most-1)/d.most, roundMax)
	from := d.queue[d.next : d.next+share]
	r.taken = append(r.taken[:0], from...)
	r.coming = r.taken
	clear(from)
	if d.next += share; d.next == len(d.queue) {
		d.queue, d.next = d.queue[:0], 0
	}
	d.sendFor()
	return true, false
}

func (d *dispatcher) work() {
	r := &round{dispatcher: d}
	for arrived := true; ; arrived = false {
		begun, wait := d.begin(r, arrived)
		for ; !begun; begun, wait = d.begin(r, true) {
			if wait {
				_, wait = <-d.call
			}
			if !wait {
				return
			}
		}
		r.run()
		r = d.finish(r)
	}
}

// finish ends a round, or leaves that to the goroutine that is ending another, and returns one to go on with. All rounds
// are carried out under one lock; who waited for it would sleep, and his processor too when there is nothing else to do,
// and waking them takes as long as some ten decisions. So he decides the next round meanwhile. The turns of the round last until it
// is ended, whoever ends it, and until then nobody but him touches their customers: what was true of a round while one
// goroutine had it all the way is as true of it here.
func (d *dispatcher) finish(r *round) *round {
	if len(r.drafts) == 0 {
		r.end()
		return r
	}
	d.mu.Lock()
	if d.ending && len(d.left) < leftMax {
		d.left = append(d.left, r)
		next := &round{dispatcher: d}
		if n := len(d.spare); n > 0 {
			next, d.spare = d.spare[n-1], d.spare[:n-1]
		}
		d.mu.Unlock()
		return next
	}
	if d.ending { // and can't keep up
		d.mu.Unlock()
		r.end()
		return r
	}
	d.ending = true
	d.mu.Unlock()
	for {
		r.end()
		d.mu.Lock()
		if len(d.left) == 0 {
			d.ending = false
			d.mu.Unlock()
			return r
		}
		d.spare = append(d.spare, r)
		r = d.left[0]
		d.left = slices.Delete(d.left, 0, 1)
		d.mu.Unlock()
	}
}

// giveBack has others take turns that were taken into a round and not begun. They are the next.
func (d *dispatcher) giveBack(turns []turn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = slices.Insert(d.queue, d.next, turns...)
	d.sendFor()
}

// aside lets others have their turns while the caller, in its own, waits for the disk. Who has no turn may call it,
// too: one more then takes his at once.
func (d *dispatcher) aside(wait func()) {
	d.mu.Lock()
	d.taking--
	d.sendFor()
	d.mu.Unlock()
	wait()
	d.mu.Lock()
	d.taking++
	d.mu.Unlock()
}

// Throughput implements actor.Dispatcher. A mailbox gives up its turn by itself.
func (d *dispatcher) Throughput() int { return 0 }
