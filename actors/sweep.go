package actors

// The sweep (日终扫描): every customer is asked once what is to be decided for him at a day's end or beginning.
//
// The problem: there are a million of them, most are on disk, few may be in memory at a time, and requests go on
// meanwhile. So a few goroutines go through the numbers in order, as the saved states lie on disk, and read a block
// of them at a time. Each brings the next customer to memory, or finds him there, and sends his shard a visit; at
// most visitsMax of them are under way, so that requests stand behind few. The shard passes the visit on to the customer's actor; if he has none,
// which is the rule, it is the one who may read and change his state, and does what the actor would do. He who has
// nothing to do has cost a read. A customer whom only the sweep has brought in leaves when his decisions are on
// disk; whoever was there stays, and being visited does not count as being asked for.
//
// While requests come the sweep makes room for them (internal/pace).
//
// What is decided has keys made of date, step and customer: a sweep that was killed begins anew and does nothing
// twice. What is refused leaves nothing, and is asked anew.
import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/pace"
)

// Limits of a sweep.
const (
	sweepers   = 2   // goroutines that bring customers in: one for each of two processors
	visitsMax  = 256 // under way at once
	sweepBlock = 64  // customers between two looks at the load
	aheadMax   = 4   // saved states read for one customer to visit, at most
	againAfter = 10 * time.Millisecond
)

// sweep is one pass through all customers.
type sweep struct {
	node *Node
	date bank.Date
	list lister
	// after is what will be asked next of the customers; those for whom it lists something are noted. Nil: nothing.
	after     lister
	afterDate bank.Date
	compare   *comparing // contracts with the ledger, on the way; nil: not
	pace      *pace.Pace // nil: it never rests
	resting   restingMode
	due       bank.Date // something due at the beginning of this date disturbs a customer's rest

	count    uint64            // customers
	only     []bank.CustomerNo // who is visited; nil: everybody
	next     atomic.Uint64     // the next one to take
	permits  chan struct{}     // capacity visitsMax
	closings chan struct{}     // capacity closingsUnderWay

	visited  atomic.Int64
	commands atomic.Int64 // decided, also those that had been decided before
	refused  atomic.Int64
	mu       sync.Mutex
	noted    []bank.CustomerNo
	fault    error
}

// lister lists what a customer is to decide at a date.
type lister func(*bank.Customer, *bank.Desk, bank.Date, *bank.Catalogue) []bank.SystemCommand

// visit asks one customer. His slot is held until it is over.
type visit struct {
	sweep    *sweep
	customer bank.CustomerNo
	slot     *slot
	made     bool // the sweep has brought him to memory

	parts atomic.Int32 // 2: what is decided is on its way to the disk, and it is still being decided
	err   error        // why it could not be decided; of the first part

	compared *comparison // with a ledger elsewhere, when he was visited last
}

func (n *Node) newSweep(date bank.Date, list lister, pace *pace.Pace) *sweep {
	return &sweep{
		node: n, date: date, list: list, pace: pace, count: uint64(n.registry.highest()),
		permits: make(chan struct{}, visitsMax), closings: make(chan struct{}, closingsUnderWay),
	}
}

// toVisit is how many are visited.
func (s *sweep) toVisit() uint64 {
	if s.only != nil {
		return uint64(len(s.only))
	}
	return s.count
}

// at is the i-th customer to visit.
func (s *sweep) at(i uint64) bank.CustomerNo {
	if s.only != nil {
		return s.only[i]
	}
	return bank.CustomerNo(i + 1)
}

// run visits every customer and returns when all that was decided is durable.
func (s *sweep) run(ctx context.Context) error {
	if err := s.settleResting(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var ended sync.WaitGroup
	for range s.node.sweepers {
		ended.Go(func() {
			if err := s.work(ctx); err != nil {
				cancel(err)
			}
		})
	}
	ended.Wait()
	for _, under := range [...]chan struct{}{s.permits, s.closings} { // the last ones
		for range cap(under) {
			select {
			case under <- struct{}{}:
			case <-s.node.stopped:
				return bank.ErrStopping
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

func (s *sweep) work(ctx context.Context) error {
	for {
		first := s.next.Add(sweepBlock) - sweepBlock
		if first >= s.toVisit() {
			return ctx.Err()
		}
		work := s.pace.Begin(ctx)
		err := s.block(ctx, first, min(first+sweepBlock, s.toVisit())-1)
		work.End(ctx)
		if err != nil {
			return err
		}
	}
}

// block sends visits to some customers who follow each other.
func (s *sweep) block(ctx context.Context, first, last uint64) error {
	var ahead readAhead
	if uint64(s.at(last)-s.at(first)) < aheadMax*(last-first+1) {
		var err error
		if ahead, err = s.node.readAhead(ctx, s.at(first), s.at(last)); err != nil {
			return err
		}
	}
	for i := first; i <= last; i++ {
		if err := s.send(ctx, s.at(i), ahead); err != nil {
			return err
		}
	}
	return nil
}

// send brings a customer to memory and his shard to visit him.
func (s *sweep) send(ctx context.Context, no bank.CustomerNo, ahead readAhead) error {
	select {
	case s.permits <- struct{}{}:
	case <-s.node.stopped:
		return bank.ErrStopping
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	pid, err := s.node.Shard(no.Shard())
	if err != nil {
		return err
	}
	found, made := s.node.find(no)
	slot, err := s.node.bring(found, no, false, ahead)
	if err != nil {
		return err
	}
	if slot == nil { // a number that was given out and became nobody's
		s.visited.Add(1)
		<-s.permits
		return nil
	}
	s.node.system.Root.Send(pid, &visit{sweep: s, customer: no, slot: slot, made: made})
	return nil
}

// visit does for a customer without an actor what his actor would do, or passes the visit on.
func (s *shardActor) visit(ctx actor.Context, v *visit) {
	c := s.customers[v.customer]
	if c == nil && s.node.pipeline.submitter == nil {
		// Nobody else may touch his state as long as he has no actor, and only we can give him one.
		s.customer(v.slot).visit(v)
		return
	}
	if c == nil {
		v.slot.users.Add(1) // the visit holds it, too
		c = s.start(ctx, v.slot)
	}
	s.pass(c, v)
}

// visit decides what is to be decided for the customer.
func (a *customerActor) visit(v *visit) {
	if c := v.sweep.compare; c != nil && c.asking != nil {
		c.asking.note(a, v) // ends the visit when the ledger has answered
		return
	}
	list := a.toDo(v.sweep.list, v.sweep.date)
	if len(list) == 0 {
		a.look(v.sweep)
		v.finished(nil)
		return
	}
	s := v.sweep
	v.parts.Store(2)
	group, err := a.node.newOwnGroup(len(list))
	if err != nil {
		v.finished(err)
		return
	}
	calls := make([]bank.Call, len(list))
	group.then = func() {
		v.err = s.tally(calls)
		v.part()
	}
	for i := range list {
		calls[i] = bank.Call{Command: list[i].Command, Key: list[i].Key(s.date)}
		calls[i].Body = calls[i].Key
		req := group.Request(a.slot.customer.No, &calls[i])
		req.day = s
		if err := a.node.Admit(req); err != nil {
			req.Fail(err)
			continue
		}
		a.handle(req)
	}
	if a.node.pipeline.submitter == nil { // otherwise outcomes are not known yet
		a.look(s)
	}
	v.part()
}

// declined answers a command of the day that the customer can't carry out. It is not remembered, as a caller's would be
// (decision 0005): the day asks again for what is still to be done, and when the cause is mended it must be done. What
// is not to be done any more, because of something that was decided after the list was made (his own commands under way,
// with a ledger elsewhere, or one before it in the list), has no refusal: nobody is to look for its cause.
func (a *customerActor) declined(req *Request, why *bank.Refusal) {
	req.receipt = bank.Receipt{Operation: req.Call.Command.Operation()}
	s := req.day
	if slices.ContainsFunc(a.toDo(s.list, s.date), func(c bank.SystemCommand) bool { return c.Key(s.date) == req.Call.Key }) {
		req.receipt.Refusal = why
	}
	req.finish(nil)
}

// part ends one of the visit's two parts, and with the second the visit.
func (v *visit) part() {
	if v.parts.Add(-1) == 0 {
		v.finished(v.err)
	}
}

// toDo lists what the customer is to decide; what began after the date has nothing to end on it.
func (a *customerActor) toDo(list lister, date bank.Date) []bank.SystemCommand {
	if c := &a.slot.customer; c.Registered == 0 || c.Registered > date {
		return nil
	}
	a.slot.mu.Lock()
	defer a.slot.mu.Unlock()
	return list(&a.slot.customer, &a.slot.desk, date, a.node.options.Catalogue)
}

// look compares the customer's contracts with the ledger, if that is wanted, and notes him if something will be
// asked of him next.
func (a *customerActor) look(s *sweep) {
	if s.compare != nil {
		s.compare.take(a)
	}
	if s.after == nil || len(a.toDo(s.after, s.afterDate)) == 0 {
		return
	}
	s.mu.Lock()
	s.noted = append(s.noted, a.slot.customer.No)
	s.mu.Unlock()
}

// tally counts what came of a customer's commands, and says what kept one from being decided.
func (s *sweep) tally(calls []bank.Call) error {
	for i := range calls {
		c := &calls[i]
		if c.Err != nil {
			return c.Err
		}
		if c.Receipt.Refusal == nil && c.Receipt.Txn.IsZero() {
			continue // it was not to be done any more
		}
		s.commands.Add(1)
		if r := c.Receipt.Refusal; r != nil {
			s.refused.Add(1)
			s.node.options.Logger.Error("what the day asks of a customer is refused", "date", s.date,
				"customer", bank.DeciderOf(c.Command), "operation", c.Command.Operation(), "code", r.Code)
		}
	}
	return nil
}

// finished ends the visit. One that could not be carried out now is made again.
func (v *visit) finished(err error) {
	s := v.sweep
	switch {
	case err == nil:
		s.visited.Add(1)
	case errors.Is(err, bank.ErrOverloaded), errors.Is(err, bank.ErrLedgerUnavailable), errors.Is(err, bank.ErrLedgerUnanswered):
		time.AfterFunc(againAfter, func() {
			if pid := s.node.shards[v.customer.Shard()].pid.Load(); pid != nil {
				s.node.system.Root.Send(pid, v)
			}
		})
		return
	default:
		s.failed(fmt.Errorf("customer %s: %w", v.customer, err))
	}
	v.slot.release()
	if v.made {
		s.node.evict(v.customer)
	}
	<-s.permits
}

// failed notes why the sweep has not done everything.
func (s *sweep) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = errors.Join(s.fault, err)
}

// carryOut has commands decided by the actors of whom they are for, and returns when they are durable. Those that
// can't be decided now are asked again until ctx ends.
func (n *Node) carryOut(ctx context.Context, date bank.Date, commands []bank.SystemCommand) ([]bank.Receipt, error) {
	receipts := make([]bank.Receipt, 0, len(commands))
	for len(commands) > 0 {
		batch := commands[:min(len(commands), visitsMax)]
		calls := make([]*bank.Call, len(batch))
		for i := range batch {
			key := batch[i].Key(date)
			calls[i] = &bank.Call{Command: batch[i].Command, Key: key, Body: key}
		}
		if err := n.askAll(ctx, calls); err != nil {
			return nil, err
		}
		for _, call := range calls {
			receipts = append(receipts, call.Receipt)
		}
		commands = commands[len(batch):]
	}
	return receipts, nil
}

func (n *Node) askAll(ctx context.Context, calls []*bank.Call) error {
	for {
		if err := n.askOnce(ctx, calls); err != nil {
			return err
		}
		again := false
		for _, call := range calls {
			switch err := call.Err; {
			case err == nil:
			case errors.Is(err, bank.ErrOverloaded), errors.Is(err, bank.ErrLedgerUnavailable), errors.Is(err, bank.ErrLedgerUnanswered):
				again = true
			default:
				return fmt.Errorf("%s: %w", call.Command.Operation(), err)
			}
		}
		if !again {
			return nil
		}
		if err := sleep(ctx, againAfter); err != nil {
			return err
		}
	}
}

func (n *Node) askOnce(ctx context.Context, calls []*bank.Call) error {
	group, err := n.newOwnGroup(len(calls))
	if errors.Is(err, bank.ErrOverloaded) {
		for _, call := range calls {
			call.Err = err
		}
		return nil
	}
	if err != nil {
		return err
	}
	for _, call := range calls {
		req := group.Request(bank.DeciderOf(call.Command), call)
		pid, err := n.Shard(req.Customer.Shard())
		if err == nil {
			err = n.Admit(req)
		}
		if err != nil {
			req.Fail(err)
			continue
		}
		n.system.Root.Send(pid, req)
	}
	stop := make(chan struct{})
	defer context.AfterFunc(ctx, func() { close(stop) })()
	if !group.Wait(stop) {
		return ctx.Err()
	}
	return nil
}
