package actors

import (
	"sync"
	"sync/atomic"
	"testing"
)

// inbox is the actor of a shardMailbox: it notes what would break a customer's books.
type inbox struct {
	t       *testing.T
	inside  atomic.Bool
	last    map[int]int // of each sender
	handled *sync.WaitGroup
}

type letterOf struct{ sender, serial int }

func (i *inbox) InvokeUserMessage(message any) {
	if i.inside.Swap(true) {
		i.t.Error("two messages are handled at once")
	}
	m := message.(letterOf)
	if i.last[m.sender] != m.serial-1 {
		i.t.Errorf("message %d of sender %d comes after %d", m.serial, m.sender, i.last[m.sender])
	}
	i.last[m.sender] = m.serial
	i.inside.Store(false)
	i.handled.Done()
}

func (i *inbox) InvokeSystemMessage(message any) { i.InvokeUserMessage(message) }
func (i *inbox) EscalateFailure(reason, _ any)   { i.t.Error(reason) }

// A shard handles one message at a time, in the order of each sender, and every one: a lost message is a
// caller who waits for ever, two at once are two decisions on one state.
func TestAShardHandlesEveryMessageOnceAndInOrder(t *testing.T) {
	const shards, senders, messages = 20, 8, 2000
	d := newDispatcher()
	defer d.end()
	var handled, sent sync.WaitGroup
	handled.Add(shards * senders * messages)
	var boxes []*shardMailbox
	for range shards {
		box := newShardMailbox(new(shardState))
		box.RegisterHandlers(&inbox{t: t, last: make(map[int]int), handled: &handled}, d)
		boxes = append(boxes, box)
	}
	for sender := range senders {
		sent.Go(func() {
			for n := range messages {
				for _, box := range boxes {
					if sender%4 == 3 {
						box.PostSystemMessage(letterOf{sender, n + 1})
					} else {
						box.PostUserMessage(letterOf{sender, n + 1})
					}
				}
			}
		})
	}
	sent.Wait()
	handled.Wait()
}
