package actors

import (
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// shardMailbox (信箱) is what is sent to it, in order, until its turn comes. Proto.Actor's own takes two
// allocations and four atomic operations for each message; this one takes what has gathered as a whole.
type shardMailbox struct {
	// What is sent is put into the first line of memory.
	mu         sync.Mutex
	user       []any
	due        bool  // it has its turn, or will have
	taken      []any // to be handled in the turn, whose it is; otherwise the other half of a double buffer
	system     []any // of the actor system itself; before what others send
	invoker    actor.MessageInvoker
	dispatcher *dispatcher
	shard      *shardState
}

func newShardMailbox(shard *shardState) *shardMailbox { return &shardMailbox{shard: shard} }

// PostUserMessage implements actor.Mailbox.
func (m *shardMailbox) PostUserMessage(message any) { m.post(&m.user, message) }

// PostSystemMessage implements actor.Mailbox.
func (m *shardMailbox) PostSystemMessage(message any) { m.post(&m.system, message) }

func (m *shardMailbox) post(queue *[]any, message any) {
	if m.put(queue, message) {
		m.dispatcher.schedule(m)
	}
}

// put is post without the turn: true: the caller is to ask for it, soon, because nobody else does.
func (m *shardMailbox) put(queue *[]any, message any) (asks bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*queue = append(*queue, message)
	asks = !m.due
	m.due = true
	return asks
}

// take handles what has come. The turn is over with the round. A command to a customer who has an actor goes to him
// past the actor system and the shard's actor, who would do no more than that (shardActor.Receive) and lie in five more
// places of memory.
func (m *shardMailbox) take(r *round) {
	system := m.collect()
	user := m.taken
	m.shard.round = r
	for _, message := range system {
		m.invoker.InvokeSystemMessage(message)
	}
	for i, message := range user {
		user[i] = nil
		if command, ok := message.(*Request); ok && command != nil && command.slot != nil && command.slot.actor != nil {
			command.slot.actor.serve(command)
			continue
		}
		m.invoker.InvokeUserMessage(message)
	}
	m.shard.round = nil
	m.taken = user[:0]
	r.turns = append(r.turns, m)
}

// collect takes what has come; what was taken ahead comes first.
func (m *shardMailbox) collect() (system []any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	system, m.system = m.system, nil
	m.collectUser()
	return system
}

// peek takes ahead what is to be handled in the turn that is about to begin.
func (m *shardMailbox) peek() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.collectUser()
}

func (m *shardMailbox) collectUser() {
	if len(m.taken) > 0 {
		return
	}
	if cap(m.taken) > spareMax {
		m.taken = nil
	}
	m.taken, m.user = m.user, m.taken[:0]
}

// endTurn lets others have their turn before what came meanwhile.
func (m *shardMailbox) endTurn() {
	m.mu.Lock()
	m.due = len(m.system)+len(m.user) > 0
	again := m.due
	m.mu.Unlock()
	if again {
		m.dispatcher.schedule(m)
	}
}

// spareMax is how many messages an idle mailbox keeps room for, so that a flood does not leave its memory behind.
const spareMax = 64

// RegisterHandlers implements actor.Mailbox.
func (m *shardMailbox) RegisterHandlers(invoker actor.MessageInvoker, d actor.Dispatcher) {
	m.invoker, m.dispatcher = invoker, d.(*dispatcher)
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
