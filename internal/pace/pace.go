// Package pace has work that no request waits for make room for requests (让路), on the same processors.
//
// The problem: relay, report, a day's end and its checks keep every processor busy when there is much to do. A payment is
// a chain of some ten wake-ups, of goroutines and threads, and at each it finds all processors taken: the system's
// scheduler lets a thread run on for some milliseconds before another has its turn. A payment that takes one
// millisecond takes thirty then. To rest while requests wait is not enough: what rests leaves the processors to the
// next one that works behind the requests' backs, and to whoever waits on a processor it looks as if nobody had rested.
//
// So all of that work shares a Room. While requests come, few pieces of work are done at a time (turns, half of the
// processors), and each turn is followed by a rest before the next one's. While none come nobody waits or rests.
//
// Nothing stops for good: a turn comes round however busy the node is, and if one takes very long, because something
// outside is waited for, the others go on without. What is not published is in the journal, what the report has not read
// the broker keeps, and a day's end takes longer.
package pace

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// How background work rests while requests come.
const (
	// RestShare is how long a turn is followed by a rest, in times that it took, and AwaitedShare how long one of work that
	// something waits for: that does nothing else until it is done, so its rests are all that payments get meanwhile.
	RestShare, AwaitedShare = 1, 2
	// HurryAfter is for how long work may be waited for before rests are a quarter as long: a day's end of a million has a minute.
	HurryAfter = 20 * time.Second
	// ActiveShare is the part of its time, as 1 in so many, that work which nothing waits for is done while requests wait,
	// or while they come and other work is waited for.
	ActiveShare = 8
	// restMin is the shortest rest: what is owed for short turns is added up.
	restMin  = 2 * time.Millisecond
	turnMax  = time.Second          // for which a turn is waited for; then nobody waits before one is given back
	restMax  = time.Second          // however long a turn was
	restStep = 5 * time.Millisecond // how soon a rest ends when there are no requests any more
	// pressedFor is for how long after a piece of work that is waited for the next one is expected.
	pressedFor = 100 * time.Millisecond
	pressedGap = time.Second // between two pieces, from which on they have nothing to do with each other
)

// Room is what the background work of a process shares.
type Room struct {
	served, busy func() bool
	turns        chan *turn  // those that are free
	stuck        atomic.Bool // none has been free for turnMax
	made         time.Time
	pressed      atomic.Int64 // when work that is waited for was done last, since made
	pressedFrom  atomic.Int64 // and when it began
}

// turn is leave to work.
type turn struct {
	owed time.Duration // of rest
}

// NewRoom makes the room of a process. served tells whether requests come, busy whether they wait; both are asked often.
func NewRoom(served, busy func() bool) *Room {
	count := max(1, runtime.NumCPU()/2)
	r := &Room{served: served, busy: busy, turns: make(chan *turn, count), made: time.Now()}
	r.pressed.Store(int64(-pressedGap))
	for range count {
		r.turns <- new(turn)
	}
	return r
}

// Pace is of one kind of work, done by one goroutine or several. The nil Pace never waits or rests.
type Pace struct {
	room    *Room
	awaited func() bool
}

// Pace is of a kind of work of which awaited tells whether something of the bank waits for it, as the checks of a day's
// end do for the relay: then it does not rest for longer than AwaitedShare. A nil awaited: something always does.
func (r *Room) Pace(awaited func() bool) *Pace { return &Pace{r, awaited} }

// Work is a piece of work that is being done: between Begin and End.
type Work struct {
	pace  *Pace
	turn  *turn // nil: it needs none, or has waited for too long
	begun time.Time
}

// Gentle reports whether requests come, so that a piece of work should be small.
func (p *Pace) Gentle() bool { return p != nil && p.room.served() }

// Begin waits for a turn, if requests come. The piece of work should take some milliseconds. When ctx ends it waits no
// longer.
func (p *Pace) Begin(ctx context.Context) Work {
	if p == nil {
		return Work{}
	}
	w := Work{pace: p}
	if p.room.served() {
		w.turn = p.room.enter(ctx)
	}
	w.begun = time.Now()
	return w
}

// enter waits for a turn; nil: for too long.
func (r *Room) enter(ctx context.Context) *turn {
	select {
	case t := <-r.turns:
		return t
	default:
	}
	if r.stuck.Load() {
		return nil
	}
	late := time.NewTimer(turnMax)
	defer late.Stop()
	select {
	case t := <-r.turns:
		return t
	case <-late.C:
		r.stuck.Store(true)
	case <-ctx.Done():
	}
	return nil
}

// Gentle reports whether requests come, so that the piece of work should be small and done by one goroutine.
func (w *Work) Gentle() bool { return w.turn != nil }

// End gives the turn back and rests for what was done.
func (w *Work) End(ctx context.Context) { w.EndAfter(ctx, time.Since(w.begun)) }

// EndAfter is End of work that took only so much of the time since it began.
func (w *Work) EndAfter(ctx context.Context, took time.Duration) {
	p := w.pace
	if p == nil {
		return
	}
	awaited := p.awaited == nil || p.awaited()
	hurry := awaited && p.room.press()
	if t := w.turn; t != nil {
		owed := took * RestShare
		switch {
		case hurry:
			owed = took * AwaitedShare / 4
		case awaited:
			owed = took * AwaitedShare
		}
		if t.owed += owed; t.owed >= restMin {
			t.owed = max(0, t.owed-rest(ctx, min(t.owed, restMax), p.room.served))
		}
		p.room.stuck.Store(false)
		p.room.turns <- t // never waits: there is room for all
		w.turn = nil
	}
	if awaited {
		return
	}
	rest(ctx, min(took*(ActiveShare-1), restMax), func() bool { return p.room.crowded() && !p.awaited() })
}

// press notes that work which is waited for was done, and reports whether that goes on for long.
func (r *Room) press() (hurry bool) {
	now := int64(time.Since(r.made))
	if last := r.pressed.Swap(now); now-last >= int64(pressedGap) {
		r.pressedFrom.Store(now)
	}
	return now-r.pressedFrom.Load() > int64(HurryAfter)
}

// crowded reports whether what nothing waits for should be done by and by.
func (r *Room) crowded() bool {
	return r.busy() || r.served() && time.Since(r.made)-time.Duration(r.pressed.Load()) < pressedFor
}

// Next ends a piece of work and begins the next.
func (w *Work) Next(ctx context.Context) {
	if w.pace != nil {
		w.End(ctx)
		*w = w.pace.Begin(ctx)
	}
}

// rest waits for so long, or until needed is false or ctx ends, and returns how long it did.
func rest(ctx context.Context, pause time.Duration, needed func() bool) time.Duration {
	begun := time.Now()
	for needed() {
		left := pause - time.Since(begun)
		if left <= 0 {
			break
		}
		timer := time.NewTimer(min(restStep, left))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return time.Since(begun)
		}
	}
	return time.Since(begun)
}
