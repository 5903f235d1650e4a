package actors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// What the simulation puts in place of the machine: mailboxes, a disk and a network that do nothing by
// themselves. Each does its next thing when the simulation says so, and only then.

// mailbox holds an actor's messages until it is told to hand one over.
type mailbox struct {
	mu           sync.Mutex
	system, user []any
	invoker      actor.MessageInvoker
}

func (m *mailbox) PostUserMessage(message any)   { m.post(&m.user, message) }
func (m *mailbox) PostSystemMessage(message any) { m.post(&m.system, message) }
func (m *mailbox) Start()                        {}

func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.invoker = invoker
}

func (m *mailbox) post(queue *[]any, message any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*queue = append(*queue, message)
}

func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.user)
}

// handOver lets the actor have its next message, after what the actor system has for it.
func (m *mailbox) handOver() string {
	for {
		m.mu.Lock()
		if len(m.system) == 0 {
			break
		}
		message := m.system[0]
		m.system = m.system[1:]
		m.mu.Unlock()
		m.invoker.InvokeSystemMessage(message)
	}
	message := m.user[0]
	m.user = m.user[1:]
	m.mu.Unlock()
	m.invoker.InvokeUserMessage(message)
	if e, ok := message.(*actor.MessageEnvelope); ok {
		message = e.Message
	}
	return fmt.Sprintf("%T", message)
}

// machine is a process: the mailboxes of its actors, and its hold on the disk.
type machine struct {
	*memoryJournal // of all processes; cut off with dead
	mailboxes      []*mailbox
	dead           bool
	refuse         error // what its next append answers
	full           bool  // its disk: nothing is admitted
	appended       func()
}

var (
	errDead = errors.New("the process is dead")
	errDisk = errors.New("the disk has failed")
)

// systems are actor systems not in use: making one takes longer than a whole simulated history.
type systems struct{ free []*actor.ActorSystem }

func (y *systems) take() *actor.ActorSystem {
	if n := len(y.free); n > 0 {
		taken := y.free[n-1]
		y.free = y.free[:n-1]
		return taken
	}
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
}

// give takes a dead process's system back, without its actors: they would keep everything of it in memory.
func (y *systems) give(p *process) {
	system := p.node.system
	for _, box := range p.mailboxes {
		shard := box.invoker.(actor.Context)
		for _, customer := range shard.Children() {
			system.ProcessRegistry.Remove(customer)
		}
		system.ProcessRegistry.Remove(shard.Self())
	}
	y.free = append(y.free, system)
}

func (m *machine) props() actor.PropsOption {
	return actor.WithMailbox(func() actor.Mailbox {
		box := &mailbox{}
		m.mailboxes = append(m.mailboxes, box)
		return box
	})
}

func (m *machine) Claim(shard uint16) (uint64, error) {
	if m.dead {
		return 0, errDead
	}
	epoch, err := m.memoryJournal.Claim(shard)
	if err == nil {
		m.appended()
	}
	return epoch, err
}

func (m *machine) Admit(rec *journal.Record) error {
	if m.dead {
		return errDead
	}
	if m.full && rec.Kind != journal.KindOutcome { // which is appended, as far as there is memory
		return journal.ErrFull
	}
	return m.memoryJournal.Admit(rec)
}

func (m *machine) Append(rec *journal.Record) error {
	if m.dead {
		return errDead
	}
	if m.refuse != nil {
		return m.refuse
	}
	if err := m.Admit(rec); err != nil {
		return err
	}
	err := m.memoryJournal.Append(rec)
	if err == nil {
		m.appended()
	}
	return err
}

func (m *machine) SaveSnapshots(ctx context.Context, upTo journal.Position, states iter.Seq[journal.Snapshot]) error {
	if m.dead {
		return errDead
	}
	return m.memoryJournal.SaveSnapshots(ctx, upTo, states)
}

// persist makes the journal durable up to n records.
func (j *memoryJournal) persist(n int) journal.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.durable = max(j.durable, n)
	return journal.Position(j.durable)
}

// network carries calls to a ledger elsewhere. A call stays in it until the simulation delivers or loses
// it, also when its caller has gone; so answers come late, in any order, or never.
type network struct {
	*embedded.Engine // the ledger; outlives every process
	mu               sync.Mutex
	calls            []*letter
}

// wire is a process's end of the network.
type wire struct {
	*network
	process string
}

// letter is a call on its way.
type letter struct {
	text    string        // with whom it is from, so that two that are equal may change places
	carry   func()        // lets the ledger do it
	answer  chan struct{} // closed with err
	err     error
	forsook bool // by its caller; network's lock guards it
}

// asker is the context key of the client for whom a process asks.
type asker struct{}

func sendLetter[R any](ctx context.Context, n wire, text string, call func() ([]R, error)) ([]R, error) {
	if ctx.Err() != nil {
		return nil, ledger.ErrUnavailable // it is dying
	}
	var out []R
	l := &letter{text: fmt.Sprint(text, " from ", n.process), answer: make(chan struct{})}
	if client, ok := ctx.Value(asker{}).(string); ok {
		l.text += " for " + client
	}
	l.carry = func() { out, l.err = call() }
	n.mu.Lock()
	n.calls = append(n.calls, l)
	n.mu.Unlock()
	select {
	case <-l.answer:
		if l.err != nil {
			return nil, l.err
		}
		return out, nil
	case <-ctx.Done():
		n.mu.Lock()
		l.forsook = true
		n.mu.Unlock()
		return nil, ledger.ErrOutcomeUnknown
	}
}

// inOrder lists the calls that have a caller, or those that have none, in an order that does not depend on
// which goroutine was first.
func (n *network) inOrder(forsaken bool) []*letter {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []*letter
	for _, l := range n.calls {
		if l.forsook == forsaken {
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b *letter) int { return cmp.Compare(a.text, b.text) })
	return out
}

// forsake leaves a call in the network without its caller.
func (n *network) forsake(l *letter) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l.forsook = true
}

// take takes a call out of the network.
func (n *network) take(l *letter) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls = slices.DeleteFunc(n.calls, func(x *letter) bool { return x == l })
}

func (n wire) CreateAccounts(ctx context.Context, accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
	return sendLetter(ctx, n, fmt.Sprintf("accounts %s +%d", accounts[0].ID, len(accounts)), func() ([]ledger.CreateAccountResult, error) {
		return n.Engine.CreateAccounts(context.Background(), accounts)
	})
}

func (n wire) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return sendLetter(ctx, n, fmt.Sprintf("transfers %s +%d", transfers[0].ID, len(transfers)), func() ([]ledger.CreateTransferResult, error) {
		return n.Engine.CreateTransfers(context.Background(), transfers)
	})
}

func (n wire) LookupAccounts(ctx context.Context, ids []ledger.Uint128) ([]ledger.Account, error) {
	return sendLetter(ctx, n, fmt.Sprintf("balances %s +%d", ids[0], len(ids)), func() ([]ledger.Account, error) {
		return n.Engine.LookupAccounts(context.Background(), ids)
	})
}

func (n wire) LookupTransfers(ctx context.Context, ids []ledger.Uint128) ([]ledger.Transfer, error) {
	return sendLetter(ctx, n, fmt.Sprintf("lookup %s +%d", ids[0], len(ids)), func() ([]ledger.Transfer, error) {
		return n.Engine.LookupTransfers(context.Background(), ids)
	})
}
