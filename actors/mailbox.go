package actors

import (
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// shardMailbox (信箱) is what is sent to it, in order, until its turn comes. Proto.Actor's own takes two
// allocations and four atomic operations for each message; this one takes what has gathered as a whole.
type shardMailbox struct {
	mu         sync.Mutex
	system     []any // of the actor system itself; before what others send
	user       []any
	spare      []any // the other half of a double buffer
	due        bool  // it has its turn, or will have
	invoker    actor.MessageInvoker
	dispatcher actor.Dispatcher
	turn       func() // takeTurn; made once
}

func newShardMailbox() actor.Mailbox {
	m := &shardMailbox{}
	m.turn = m.takeTurn
	return m
}

// PostUserMessage implements actor.Mailbox.
func (m *shardMailbox) PostUserMessage(message any) { m.post(&m.user, message) }

// PostSystemMessage implements actor.Mailbox.
func (m *shardMailbox) PostSystemMessage(message any) { m.post(&m.system, message) }

func (m *shardMailbox) post(queue *[]any, message any) {
	m.mu.Lock()
	*queue = append(*queue, message)
	idle := !m.due
	m.due = true
	m.mu.Unlock()
	if idle {
		m.dispatcher.Schedule(m.turn)
	}
}

// takeTurn handles what has come, and lets others have their turn before what comes meanwhile.
func (m *shardMailbox) takeTurn() {
	m.mu.Lock()
	system, user := m.system, m.user
	m.system, m.user, m.spare = nil, m.spare, nil
	m.mu.Unlock()
	for _, message := range system {
		m.invoker.InvokeSystemMessage(message)
	}
	for i, message := range user {
		user[i] = nil
		m.invoker.InvokeUserMessage(message)
	}
	m.mu.Lock()
	if cap(user) <= spareMax {
		m.spare = user[:0]
	}
	m.due = len(m.system)+len(m.user) > 0
	again := m.due
	m.mu.Unlock()
	if again {
		m.dispatcher.Schedule(m.turn)
	}
}

// spareMax is how many messages an idle mailbox keeps room for, so that a flood does not leave its memory behind.
const spareMax = 64

// RegisterHandlers implements actor.Mailbox.
func (m *shardMailbox) RegisterHandlers(invoker actor.MessageInvoker, dispatcher actor.Dispatcher) {
	m.invoker, m.dispatcher = invoker, dispatcher
}

// Start implements actor.Mailbox.
func (m *shardMailbox) Start() {}

// UserMessageCount implements actor.Mailbox.
func (m *shardMailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.user)
}

// customerMailbox holds nothing. Only the customer's shard sends to him, in its own turn, and
// he handles the message in that turn, on its goroutine; so there is no second queue, no second wake-up and
// nothing that could be lost when he leaves memory.
type customerMailbox struct{ invoker actor.MessageInvoker }

func newCustomerMailbox() actor.Mailbox { return &customerMailbox{} }

// PostUserMessage implements actor.Mailbox.
func (m *customerMailbox) PostUserMessage(message any) { m.invoker.InvokeUserMessage(message) }

// PostSystemMessage implements actor.Mailbox.
func (m *customerMailbox) PostSystemMessage(message any) { m.invoker.InvokeSystemMessage(message) }

// RegisterHandlers implements actor.Mailbox.
func (m *customerMailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.invoker = invoker
}

// Start implements actor.Mailbox.
func (m *customerMailbox) Start() {}

// UserMessageCount implements actor.Mailbox.
func (m *customerMailbox) UserMessageCount() int { return 0 }
