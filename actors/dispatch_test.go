package actors

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/suanpan-bank/suanpan/journal"
)

// turnOf is a turn that needs its round.
type turnOf func(*round)

func (t turnOf) take(r *round) { t(r) }

// A customer who is read from disk must not hold up the others, however many are.
func TestThoseWhoWaitForTheDiskHoldNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDispatcher()
		for _, waiting := range []int{2 * idleWorkersMax, idleWorkersMax} {
			all, disk := make(chan struct{}), make(chan struct{})
			for range waiting {
				d.schedule(turnOf(func(r *round) {
					<-all
					r.wait()
					d.aside(func() { <-disk })
				}))
			}
			ran := make(chan struct{})
			d.Schedule(func() { close(ran) })
			synctest.Wait()
			close(all)
			<-ran
			close(disk)
			synctest.Wait()
			if d.idle != idleWorkersMax || d.taking != 0 {
				t.Errorf("%d goroutines are kept, want %d; %d turns are still taken", d.idle, idleWorkersMax, d.taking)
			}
		}
		handled := false
		d.end()
		d.Schedule(func() { handled = true })
		synctest.Wait()
		if !handled {
			t.Error("a turn after the end was never taken")
		}
	})
}

// More turns at once only wait for one lock; fewer leave a processor idle.
func TestAsManyTurnsAreTakenAtOnceAsMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDispatcher()
		const turns = 1000
		begun, gate := make(chan struct{}, turns), make(chan struct{})
		for range turns {
			d.Schedule(func() { begun <- struct{}{}; <-gate })
		}
		for done := range turns {
			synctest.Wait()
			if want := min(done+d.most, turns); len(begun) != want {
				t.Fatalf("%d turns are over and %d begun, want %d", done, len(begun), want)
			}
			gate <- struct{}{}
		}
		d.end()
	})
}

// gatedJournal takes nothing, and says so once it is let.
type gatedJournal struct {
	journal.Journal
	gate chan struct{}
}

func (j *gatedJournal) Admit(*journal.Record) error {
	<-j.gate
	return journal.ErrClosed
}

// decider is the actor of a shard whose customer decides something with each message.
type decider struct {
	mailbox *shardMailbox
	actor   *customerActor
	decided func(message any)
	heard   func(message any)
}

func (i *decider) InvokeUserMessage(message any) {
	i.decided(message)
	group := &Group{node: i.actor.node, done: make(chan struct{}, 1)}
	group.left.Store(1)
	i.mailbox.shard.round.add(&draft{
		by: i.actor, own: i.actor.slot, request: &Request{group: group, after: func() { i.heard(message) }},
	})
}

func (i *decider) InvokeSystemMessage(message any) { i.InvokeUserMessage(message) }
func (i *decider) EscalateFailure(reason, _ any)   { panic(reason) }

// While decisions are carried out others decide: a processor would sleep otherwise. But a shard whose decisions wait to be
// carried out has its turn until they are: its customers' next would be decided on a state that lacks the last.
func TestWhoHasDecidedLeavesTheRoundToWhoIsCarryingOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDispatcher()
		d.most = 2
		n := &Node{workers: d}
		gate := make(chan struct{})
		n.pipeline.journal = &gatedJournal{gate: gate}
		var mu sync.Mutex
		var decided, heard []any
		note := func(list *[]any) func(any) {
			return func(message any) {
				mu.Lock()
				defer mu.Unlock()
				*list = append(*list, message)
			}
		}
		var boxes []*shardMailbox
		for range 1 + leftMax {
			box := newShardMailbox(new(shardState))
			box.RegisterHandlers(&decider{
				mailbox: box, actor: &customerActor{node: n, slot: new(slot), outstanding: &n.settled}, decided: note(&decided), heard: note(&heard),
			}, d)
			boxes = append(boxes, box)
		}
		post := func(box int, message string) {
			boxes[box].PostUserMessage(message)
			synctest.Wait()
		}
		post(0, "a") // is being carried out
		post(1, "b") // is left to that goroutine
		post(1, "c")
		post(2, "d")
		if want := []any{"a", "b", "d"}; !slices.Equal(decided, want) || len(heard) > 0 {
			t.Fatalf("decided %v, want %v; answered %v", decided, want, heard)
		}
		close(gate)
		synctest.Wait()
		if want := []any{"a", "b", "d", "c"}; !slices.Equal(decided, want) || !slices.Equal(heard, want) {
			t.Errorf("decided %v, answered %v, want %v", decided, heard, want)
		}
		if d.ending || len(d.left) > 0 || d.taking != 0 {
			t.Errorf("%d rounds are left, to somebody %t; %d turns are taken", len(d.left), d.ending, d.taking)
		}
		d.end()
	})
}
