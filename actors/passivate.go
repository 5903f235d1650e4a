package actors

// Passivation (钝化): customers whom nobody has asked for leave memory and come back when somebody does.
//
// It goes through the shard's actor, the only one that sends to a customer's, and in whose turn the customer's
// handles what it is sent. So when the shard lets a customer go nothing is under way to him, and no message is
// lost; the next one starts a new actor. (An actor that stops itself loses what is behind the stop in its
// mailbox.)
import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/suanpan-bank/suanpan/journal"
)

// Defaults and limits of passivation.
const (
	// InMemoryMaxDefault is how many customers may be in memory, about: 300 to 450 MB.
	InMemoryMaxDefault = 150_000
	// PassivateAfterDefault is how long a customer stays whom nobody asks for.
	PassivateAfterDefault = 10 * time.Minute
	passivateLook         = 100 * time.Millisecond // how exactly it is known when somebody was last asked for
	passivateSweeps       = 16                     // looks for idle customers while one becomes idle
	roomShare             = 16                     // over the bound, so much more than needed leaves: a 16th
)

// Keep lets idle customers leave memory and saves those that have changed, until ctx ends. It is called once,
// after Recover, and ended before Close.
func (n *Node) Keep(ctx context.Context) {
	var ended sync.WaitGroup
	ended.Go(func() { n.keepRoom(ctx) })
	ended.Go(func() { n.keepSaved(ctx) })
	ended.Wait()
}

func (n *Node) keepRoom(ctx context.Context) {
	tick := time.NewTicker(passivateLook)
	defer tick.Stop()
	crowded := n.crowded
	swept := n.tick()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			crowded = n.crowded
		case <-crowded:
		}
		now := n.tick()
		if n.inMemory.Load() > n.options.InMemoryMax && n.makeRoom(ctx) == 0 {
			crowded = nil // all are busy: look again at the next tick
		}
		after := n.options.PassivateAfter.Milliseconds()
		if now-swept > after/passivateSweeps {
			swept = now
			n.passivate(ctx, now-after, n.inMemory.Load())
		}
	}
}

// tick sets the time by which it is known who was last asked for when.
func (n *Node) tick() int64 {
	now := n.options.Clock().UnixMilli()
	n.now.Store(now)
	return now
}

// makeRoom lets those leave who have been idle longest, and reports how many did.
func (n *Node) makeRoom(ctx context.Context) int64 {
	var used []int64
	for i := range n.shards {
		used = n.shards[i].lastUses(used)
	}
	room := int64(len(used)) - n.options.InMemoryMax + n.options.InMemoryMax/roomShare
	if room <= 0 {
		return 0
	}
	slices.Sort(used)
	return n.passivate(ctx, used[min(room, int64(len(used)))-1], room)
}

func (sh *shardState) lastUses(used []int64) []int64 {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for s := range sh.slots.all() {
		used = append(used, s.used.Load())
	}
	return used
}

// passivation is the message that asks shards to let customers go.
type passivation struct {
	since int64         // nobody has asked for them since then, milliseconds
	left  atomic.Int64  // so many more may go
	done  chan struct{} // capacity of all shards
}

// passivate lets up to so many customers leave memory for whom nobody has asked since the time, and reports
// how many did.
func (n *Node) passivate(ctx context.Context, since, most int64) int64 {
	p := &passivation{since: since, done: make(chan struct{}, len(n.shards))}
	p.left.Store(most)
	asked := 0
	for i := range n.shards {
		if pid := n.shards[i].pid.Load(); pid != nil {
			n.system.Root.Send(pid, p)
			asked++
		} else {
			n.letGo(&n.shards[i], p)
		}
	}
	for range asked {
		select {
		case <-p.done:
		case <-n.stopped:
			return 0
		case <-ctx.Done():
			return 0
		}
	}
	return most - p.left.Load()
}

// letGo evicts customers of a shard who have no actor.
func (n *Node) letGo(sh *shardState, p *passivation) {
	for _, no := range sh.idle(p.since) {
		if p.left.Load() <= 0 {
			return
		}
		if n.evict(no) {
			p.left.Add(-1)
		}
	}
}

// passivate drops the actors that are idle, then lets their customers leave memory with the rest.
func (s *shardActor) passivate(ctx actor.Context, p *passivation) {
	durable := s.node.journal.Durable()
	for no, c := range s.customers {
		if p.left.Load() <= 0 {
			break
		}
		if c.slot.used.Load() > p.since || !c.idle(durable) {
			continue
		}
		delete(s.customers, no)
		c.slot.actor = nil
		ctx.Stop(c.pid)
		c.slot.release()
		if s.node.evict(no) {
			p.left.Add(-1)
		}
	}
	s.node.letGo(&s.node.shards[s.shard], p)
	p.done <- struct{}{}
}

// idle reports whether the actor waits for nothing and is alone with its customer. Only its parent may ask.
func (a *customerActor) idle(durable journal.Position) bool {
	return len(a.intents) == 0 && a.slot.users.Load() == 1 && journal.Position(a.slot.touched.Load()) <= durable
}

// checkpoint puts the states of the shard's customers aside that have changed.
func (s *shardActor) checkpoint(c *checkpoint) {
	for _, slot := range s.node.shards[s.shard].allChanged() {
		open := slot.intents
		if child := s.customers[slot.customer.No]; child != nil {
			open = child.intents
		}
		c.take(slot, open)
		slot.release()
	}
	c.done <- struct{}{}
}
