// Package actors is the customer actor and its way from mailbox to decision to commit. One actor
// speaks for each customer and takes one command at a time; shards are their parents and the unit of
// placement and fencing. Start here: Node ties the parts of one process together.
package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Books is the ledger as reads need it.
type Books interface {
	LookupAccounts(ctx context.Context, ids []ledger.Uint128) ([]ledger.Account, error)
	AccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error)
	AccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error)
}

// Channel is a payment channel (支付渠道): it takes requests and answers later with a ChannelResult
// command. Send must not block and may be called again for the same request after a restart.
type Channel interface {
	Send(ChannelRequest)
}

// ChannelRequest asks a channel to move money to or from another bank.
type ChannelRequest struct {
	Transfer  bank.TxnID // also the serial under which the channel is asked
	Account   bank.AccountNo
	Out       bool
	AmountFen int64
	Channel   bank.Channel
	Day       bank.Date // accounting date of the request
	// Again: an earlier process has asked, or was about to; the channel may know the transfer. Unknown: it has
	// not answered in time.
	Again, Unknown bool
	// Date is the accounting date of the request if the answer is to have the same, as demonstrations do;
	// zero: the answer is booked on the day it comes.
	Date bank.Date
}

// Options of a Node. All are required unless said otherwise.
type Options struct {
	// Engine and Books are the ledger in this process; both nil: it is elsewhere, see Ledger.
	Engine Engine
	Books  Books
	// EngineAt is up to where of the journal the engine holds everything already.
	EngineAt journal.Position
	// Ledger is a ledger elsewhere, which answers later and may be away.
	Ledger    ledger.Ledger
	Clock     func() time.Time
	Catalogue *bank.Catalogue
	// Unseal opens a sealed field of a customer, for rules that need a birth date.
	Unseal func([]byte) ([]byte, error)
	Logger *slog.Logger
	// Sequence seeds process ids, so that replies to an earlier process on the same address can't be
	// taken for ours (Proto.Actor counts from 1 in every process). Random.
	Sequence uint64
	// RequestsMax is how many commands, and as many reads, may be under way at once, CustomerMax how many of
	// one customer, BytesMax how large the commands may be together; over it they are refused at once.
	// Zero: the defaults of admission.go.
	RequestsMax int64
	CustomerMax int32
	BytesMax    int64
	// InMemoryMax is how many customers may be in memory, about; over it those leave who have been idle
	// longest. Zero: InMemoryMaxDefault.
	InMemoryMax int64
	// PassivateAfter is how long a customer stays in memory whom nobody asks for. Zero: PassivateAfterDefault.
	PassivateAfter time.Duration
	// SnapshotEvery is after how many records customers that have changed are saved. Zero: SnapshotEveryDefault.
	SnapshotEvery uint64

	// system is lent by the simulation, which begins many nodes; nil: the node makes its own.
	system *actor.ActorSystem
}

// Node is the actors of one process with their journal and ledger.
type Node struct {
	shards    [bank.ShardCount]shardState // first, so that each begins a line of memory
	options   Options
	journal   journal.Journal
	pipeline  pipeline
	system    *actor.ActorSystem
	spawning  []actor.PropsOption // of the shards' actors; the simulation gives them mailboxes of its own
	workers   *dispatcher
	sweepers  int // goroutines of a sweep; the simulation has one, so that a seed is one history
	channel   Channel
	registry  registry
	intents   []*draft // found without an outcome by Recover, until Resume
	admission admission
	settled   outstanding // of all actors, with a ledger in this process

	now          atomic.Int64  // milliseconds since 1970, as of the last look for idle customers
	inMemory     atomic.Int64  // customers
	passivated   atomic.Int64  // times that one has left memory
	crowded      chan struct{} // capacity 1: there are more of them than there may be
	unsaved      unsaved
	writers      sync.Pool         // of *stateWriter, for states of those who leave memory
	saving       sync.Mutex        // one checkpoint or batch at a time; guards behind
	behind       []bank.CustomerNo // saved states lack records that Recover saw
	checkpointed atomic.Uint64     // where the last checkpoint began
	closedAtRest atomic.Uint64     // days that customers' houses have closed since

	stopping atomic.Bool
	fault    chan error // capacity 1: the first fault stops the node
	stopped  chan struct{}
	once     sync.Once
}

// shardState is what a shard's actor owns on this node.
type shardState struct {
	mu      sync.RWMutex
	slots   slots
	pid     atomic.Pointer[actor.PID]
	mailbox *shardMailbox // of pid's actor; nil: it has another
	round   *round        // that its decisions go into; of its turn, nil: each is carried out at once
	epoch   uint64        // of pid; guarded by mu
	book    book          // those who are not in memory
	_       [40]byte      // neighbours have no line of memory in common, and what every command reads is in the first
}

// NewNode prepares a node; the journal is opened with OnDurable(node.Durable) and OnFault(node.Fault),
// then given to Recover.
func NewNode(options Options) *Node {
	if options.InMemoryMax == 0 {
		options.InMemoryMax = InMemoryMaxDefault
	}
	if options.PassivateAfter == 0 {
		options.PassivateAfter = PassivateAfterDefault
	}
	if options.SnapshotEvery == 0 {
		options.SnapshotEvery = SnapshotEveryDefault
	}
	n := &Node{options: options, fault: make(chan error, 1), stopped: make(chan struct{}), crowded: make(chan struct{}, 1)}
	n.admission.init(&options)
	n.unsaved.init()
	n.writers.New = func() any { return new(stateWriter) }
	n.tick()
	n.pipeline.ledger = options.Engine
	if options.Engine == nil {
		n.options.Books = options.Ledger
		s := newSubmitter(options.Ledger, options.Logger)
		s.tell, s.fault = n.tell, n.Fault
		n.pipeline.submitter = s
	}
	n.system = options.system
	if n.system == nil {
		n.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return options.Logger }))
	}
	n.workers = newDispatcher()
	n.sweepers = sweepers
	n.spawning = []actor.PropsOption{actor.WithDispatcher(n.workers)}
	n.system.ProcessRegistry.SequenceID = options.Sequence >> 1
	n.registry.init()
	return n
}

// Durable tells the node that the journal is on disk up to position.
func (n *Node) Durable(position journal.Position) { n.pipeline.durable(position) }

// Fault stops the node: nothing more is decided, every waiting caller is told to repeat.
func (n *Node) Fault(err error) {
	told := n.pipeline.fail(err)
	if s := n.pipeline.submitter; s != nil {
		s.fail(told)
	}
	select {
	case n.fault <- err:
	default: // the first one counts
	}
}

// Faults delivers the error that stopped the node.
func (n *Node) Faults() <-chan error { return n.fault }

// System is the actor system, for cluster to send on.
func (n *Node) System() *actor.ActorSystem { return n.system }

// Connect names the payment channel and asks it again for every transfer that has no answer yet.
func (n *Node) Connect(c Channel) error {
	n.channel = c
	for _, no := range n.registry.opened() {
		s, err := n.acquire(no, false)
		if err != nil {
			return err
		}
		if s == nil {
			return fmt.Errorf("customer %s has transfers without an answer and is not known", no)
		}
		for _, f := range s.customer.InFlight {
			c.Send(n.requestOf(&s.customer, &f))
		}
		s.release()
	}
	return nil
}

// Open lists the customers with transfers whose channel has not answered.
func (n *Node) Open() []bank.CustomerNo { return n.registry.opened() }

// ask asks the channel, if there is one.
func (n *Node) ask(r ChannelRequest) {
	if n.channel != nil {
		n.channel.Send(r)
	}
}

// Resume takes up what an earlier process left without the ledger's answer and begins to ask a ledger
// elsewhere. It is called once, after Recover and Connect and before any command is sent.
func (n *Node) Resume() error {
	s := n.pipeline.submitter
	if s == nil {
		return nil
	}
	for _, d := range n.intents {
		if _, err := n.Shard(d.record.Shard); err != nil {
			return err
		}
		s.adopt(d)
	}
	n.intents = nil
	s.start()
	return nil
}

// Ready reports whether commands are taken; bank.ErrLedgerUnavailable: those that don't need the ledger.
func (n *Node) Ready() error {
	if n.stopping.Load() {
		return bank.ErrStopping
	}
	n.pipeline.mu.Lock()
	fault := n.pipeline.fault
	n.pipeline.mu.Unlock()
	if fault == nil && !n.LedgerAvailable() {
		return bank.ErrLedgerUnavailable
	}
	return fault
}

// LedgerAvailable reports whether the ledger answers, as far as is known. One in this process does.
func (n *Node) LedgerAvailable() bool {
	return n.pipeline.submitter == nil || n.pipeline.submitter.available()
}

// Unresolved is how many decisions are written down and wait for the ledger's answer.
func (n *Node) Unresolved() int {
	if n.pipeline.submitter == nil {
		return 0
	}
	return n.pipeline.submitter.unresolved()
}

// Claimed reports whether the shard's actor has been started, so that Shard returns it at once.
func (n *Node) Claimed(shard uint16) bool { return n.shards[shard].pid.Load() != nil }

// Shard returns the actor of a shard on this node, starting it (and claiming the shard's next epoch)
// the first time.
func (n *Node) Shard(shard uint16) (*actor.PID, error) {
	s := &n.shards[shard]
	if pid := s.pid.Load(); pid != nil {
		return pid, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if pid := s.pid.Load(); pid != nil {
		return pid, nil
	}
	epoch, err := n.journal.Claim(shard)
	if err != nil {
		return nil, fmt.Errorf("claim shard %d: %w", shard, err)
	}
	mailbox := actor.WithMailbox(func() actor.Mailbox {
		s.mailbox = newShardMailbox(s)
		return s.mailbox
	})
	options := append([]actor.PropsOption{mailbox}, n.spawning...)
	props := actor.PropsFromProducer(func() actor.Actor { return newShardActor(n, shard, epoch) }, options...)
	pid, err := n.system.Root.SpawnNamed(props, fmt.Sprintf("shard-%d", shard))
	if err != nil {
		return nil, fmt.Errorf("start shard %d: %w", shard, err)
	}
	s.epoch = epoch
	s.pid.Store(pid)
	return pid, nil
}

// Send sends an admitted request to its shard's actor. To one on this node the way through the actor system would read
// six more places of memory and do nothing else.
func (n *Node) Send(shard *actor.PID, r *Request) {
	s := &n.shards[r.Customer.Shard()]
	if shard == s.pid.Load() && s.mailbox != nil {
		s.mailbox.PostUserMessage(r)
		return
	}
	n.system.Root.Send(shard, r)
}

// Stopped is closed when the node no longer answers.
func (n *Node) Stopped() <-chan struct{} { return n.stopped }

// Asked is how many commands callers have had answered so far, and how many of theirs are under way: all but those of the
// accounting day.
func (n *Node) Asked() (answered, underWay int64) {
	a := &n.admission
	return a.asked.Load(), a.requests.Load() - a.own.Load()
}

// UnderWay is the number of commands accepted and not yet answered.
func (n *Node) UnderWay() int64 { return n.admission.requests.Load() }

// InMemory is how many customers are in memory, Passivated how often one has left it.
func (n *Node) InMemory() int64   { return n.inMemory.Load() }
func (n *Node) Passivated() int64 { return n.passivated.Load() }

// Close takes no new commands, waits until those under way are answered or ctx ends, and stops the
// actors. The journal is closed by its owner afterwards.
func (n *Node) Close(ctx context.Context) error {
	n.stopping.Store(true)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var err error
	for n.admission.requests.Load() > 0 && err == nil {
		select {
		case <-ctx.Done():
			err = errors.Join(fmt.Errorf("%d commands unanswered", n.admission.requests.Load()), ctx.Err())
		case <-tick.C:
		}
	}
	n.once.Do(func() {
		close(n.stopped)
		if s := n.pipeline.submitter; s != nil {
			s.close()
		}
		n.system.Shutdown()
		n.workers.end()
	})
	return err
}

func (n *Node) requestOf(c *bank.Customer, f *bank.InFlight) ChannelRequest {
	r := ChannelRequest{Transfer: f.Txn, Account: f.Account, Out: f.Out, AmountFen: f.AmountFen, Channel: f.Channel, Day: f.Date, Again: true, Unknown: f.UnknownSince != 0}
	if c.Unlimited(f.Account, n.options.Catalogue) {
		r.Date = f.Date
	}
	return r
}

// tell sends to a customer's actor, through its shard's.
func (n *Node) tell(d *draft, message any) {
	n.system.Root.Send(n.shards[d.record.Shard].pid.Load(), message)
}

// AtRest runs look at a moment when the ledger holds what the journal says up to position, and keeps it so
// until look returns. With a ledger in this process all traffic waits for it, with one elsewhere what needs
// the ledger; there it takes ctx to get it to rest.
func (n *Node) AtRest(ctx context.Context, look func(position journal.Position) error) error {
	if s := n.pipeline.submitter; s != nil {
		resume, err := s.rest(ctx)
		if err != nil {
			return err
		}
		defer resume()
		return look(n.journal.Last())
	}
	n.pipeline.mu.Lock()
	defer n.pipeline.mu.Unlock()
	return look(n.journal.Last())
}
