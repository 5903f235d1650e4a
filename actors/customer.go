package actors

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// shardActor is the parent of its customers' actors and routes to them. It holds the shard's epoch:
// whatever its customers append carries it, so that after another activation nothing of theirs fits.
type shardActor struct {
	node      *Node
	shard     uint16
	epoch     uint64
	customers map[bank.CustomerNo]*customerActor
	spawning  *actor.Props   // of its customers' actors, one for all: each would take 240 bytes
	starting  *customerActor // whom spawning is to bring to life
}

func newShardActor(n *Node, shard uint16, epoch uint64) *shardActor {
	s := &shardActor{node: n, shard: shard, epoch: epoch, customers: make(map[bank.CustomerNo]*customerActor)}
	// Proto.Actor asks for the actor within Spawn and, as its Receive recovers and it never restarts, only then.
	s.spawning = actor.PropsFromProducer(func() actor.Actor { return s.starting }, actor.WithMailbox(newCustomerMailbox))
	return s
}

// Receive routes to the customer's actor, starting it first if need be. A number that is nobody's
// starts nothing, so that asking for a billion strangers costs no memory. A panic stops the node: the actor
// system would begin the shard anew, without the children it has, and a customer would have two actors.
func (s *shardActor) Receive(ctx actor.Context) {
	defer func() {
		if cause := recover(); cause != nil {
			s.node.Fault(fmt.Errorf("shard %d: broken invariant: %v\n%s", s.shard, cause, debug.Stack()))
		}
	}()
	switch ctx.Message().(type) {
	case *Request, *Query:
	default:
		defer s.apart()()
	}
	switch m := ctx.Message().(type) {
	case *Request:
		c, err := s.asked(ctx, m.slot, m.Customer, isRegistration(m))
		switch {
		case err != nil:
			m.finish(err)
		case c == nil:
			m.Refuse(&bank.Refusal{Code: bank.UnknownTo(m.Call.Command)})
		default:
			s.send(c, m)
		}
	case *Query:
		c, err := s.asked(ctx, m.slot, m.Customer, false)
		switch {
		case err != nil:
			m.finish(err)
		case c == nil:
			m.finish(bank.ErrNotFound)
		default:
			c.catchUp()
			s.send(c, m)
		}
	case *answered:
		s.answer(ctx, m.draft, m)
	case *ledgerAway:
		s.answer(ctx, m.draft, m)
	case *unanswered:
		s.answer(ctx, m.draft, m)
	case *passivation:
		s.passivate(ctx, m)
	case *checkpoint:
		s.checkpoint(m)
	case *visit:
		s.visit(ctx, m)
	case *closings:
		s.closeResting(ctx, m)
	}
}

// apart carries out what was decided before, and what is decided until the function is called that it returns at once:
// the message is about more than one customer's next command.
func (s *shardActor) apart() (rejoin func()) {
	state := &s.node.shards[s.shard]
	r := state.round
	if r != nil {
		r.carryOut()
		state.round = nil
	}
	return func() { state.round = r }
}

func isRegistration(r *Request) bool {
	_, ok := r.Call.Command.(*bank.RegisterCustomer)
	return ok
}

// answer brings news of a decision to the customer who took it. He is in memory until he knows its outcome; if
// he has known it and left, or can't be read any more since the node stops, there is nothing to tell.
func (s *shardActor) answer(ctx actor.Context, d *draft, news any) {
	if c, err := s.child(ctx, bank.CustomerNo(d.record.Customer), false); c != nil && err == nil {
		s.send(c, news)
	}
}

// send passes on what somebody asks of a customer.
func (s *shardActor) send(c *customerActor, message any) {
	c.slot.asked(s.node.now.Load())
	s.pass(c, message)
}

// serve is send of a command, in the shard's turn.
func (a *customerActor) serve(command *Request) {
	a.slot.asked(a.node.now.Load())
	a.receive(command)
}

// pass is the only way to a customer's actor, who has handled the message when it returns. It leads past the actor
// system, whose own way, in which nothing else would happen, reads six more places of memory (decision 0016).
func (s *shardActor) pass(c *customerActor, message any) { c.receive(message) }

// asked finds or starts the actor of a customer whose slot is held, unless he is nobody.
func (s *shardActor) asked(ctx actor.Context, held *slot, no bank.CustomerNo, create bool) (*customerActor, error) {
	if held != nil && held.actor != nil {
		return held.actor, nil
	}
	return s.child(ctx, no, create)
}

// child finds or starts a customer's actor; nil: nobody has the number.
func (s *shardActor) child(ctx actor.Context, no bank.CustomerNo, create bool) (*customerActor, error) {
	if c, ok := s.customers[no]; ok {
		return c, nil
	}
	slot, err := s.node.acquireIn(s.shard, s.node.hold(no), no, create)
	if slot == nil {
		return nil, err
	}
	return s.start(ctx, slot), nil
}

// customer is an actor for the slot that has not been started.
func (s *shardActor) customer(slot *slot) *customerActor {
	c := &customerActor{node: s.node, shard: s.shard, epoch: s.epoch, slot: slot, outstanding: &s.node.settled}
	if s.node.pipeline.submitter != nil {
		c.outstanding = new(outstanding)
	}
	return c
}

// start gives a customer an actor, who takes over the hold on the slot.
func (s *shardActor) start(ctx actor.Context, slot *slot) *customerActor {
	c := s.customer(slot)
	for _, d := range slot.intents {
		c.await(d)
	}
	slot.intents = nil
	s.starting = c
	c.pid = ctx.Spawn(s.spawning)
	s.starting = nil
	s.customers[slot.customer.No], slot.actor = c, c
	return c
}

// customerActor speaks for one customer: one command at a time, in order.
type customerActor struct {
	node  *Node
	shard uint16
	epoch uint64
	slot  *slot

	pid     *actor.PID
	decided bool // something that is in the shard's round

	*outstanding
}

// outstanding is what a customer's actor keeps where the ledger is elsewhere. Where it is in this process all
// actors share one that stays empty.
type outstanding struct {
	intents  []*draft     // decided and not answered by the ledger, in order
	pending  bank.Pending // what they may do
	deferred []*Request   // to be decided when outcomes are known, in order
	stopped  error        // the node stopped before an outcome was known
}

// Receive implements actor.Actor.
func (a *customerActor) Receive(ctx actor.Context) { a.receive(ctx.Message()) }

// receive handles a command or a read. A panic is a broken invariant: it stops the node, because what
// the actor has in memory can no longer be trusted.
func (a *customerActor) receive(message any) {
	defer func() {
		if cause := recover(); cause != nil {
			a.node.Fault(fmt.Errorf("customer %s: broken invariant: %v\n%s", a.slot.customer.No, cause, debug.Stack()))
		}
	}()
	switch m := message.(type) {
	case *Request:
		a.handle(m)
	case *Query:
		m.node = a.node
		m.Read(&View{Customer: &a.slot.customer, query: m, node: a.node})
		a.node.pipeline.whenDurable(m.finish)
	case *answered:
		a.conclude(m.draft)
	case *ledgerAway:
		a.giveUp(m.draft)
	case *unanswered:
		a.stop(m.draft, m.cause)
	case *visit:
		a.visit(m)
	}
}

// handle answers a command that has been decided before and decides a new one, in its turn.
func (a *customerActor) handle(req *Request) {
	a.catchUp()
	switch {
	case a.repeated(req):
	case a.stopped != nil:
		req.finish(a.stopped)
	case len(a.deferred) > 0 || !a.decide(req):
		a.postpone(req)
	}
}

// catchUp carries out what the customer has decided already.
func (a *customerActor) catchUp() {
	if a.decided {
		a.node.shards[a.shard].round.carryOut()
	}
}

// decide decides one command and hands the decision to the pipeline, which answers the caller. It reports
// false, and has done nothing, if the decision depends on outcomes that are not known.
func (a *customerActor) decide(req *Request) bool {
	cmd := req.Call.Command
	if a.pending.Holds(cmd) {
		return false
	}
	at := a.moment()
	customer := &a.slot.customer
	d := newDraft()
	env := &d.env // with the draft, because it would take memory of its own
	*env = bank.Env{
		Millis:    at.now.UnixMilli(),
		Date:      bank.BookedOn(cmd, at.today),
		Catalogue: a.node.options.Catalogue,
		Pending:   &a.pending,
		Room:      d.room,
	}
	if bank.NeedsBirth(cmd) {
		env.Birth = a.birth()
	}
	if bank.NeedsDesk(cmd) {
		a.slot.mu.Lock()
		env.Desk = a.slot.desk.Clone()
		a.slot.mu.Unlock()
	}
	credit, credits := bank.CreditOf(cmd)
	if txn, asks := bank.PastOf(customer, cmd); asks {
		past, err := a.node.past(txn)
		if err != nil {
			req.finish(fmt.Errorf("%w: %w", bank.ErrStopping, err))
			return true
		}
		if env.Past = past; !credits {
			credit, credits = bank.PartyOf(cmd, past)
		}
	}
	var held *slot
	if credits && req.payee != nil {
		held, req.payee = req.payee, nil
	}
	admitted, refusal, err := a.admit(credit, credits, held, env)
	if err != nil {
		req.finish(err)
		return true
	}
	if refusal != nil {
		if r := a.node.shards[a.shard].round; r != nil && len(r.drafts) > 0 {
			r.carryOut() // what a payment in it has reserved may come to nothing
			return a.decide(req)
		}
		if a.pending.Any() {
			return false // an intent of our own may be what the desk has no room beside
		}
	}
	d.by, d.request, d.operation, d.own, d.payee, d.credit = a, req, cmd.Operation(), a.slot, admitted, credit
	d.dated = bank.BookedOn(cmd, 0) != 0
	rec := &d.record
	rec.Kind, rec.Shard, rec.Epoch = journal.KindDecision, a.shard, a.epoch
	rec.Customer, rec.Seq = uint64(customer.No), customer.Seq+1
	rec.Command, rec.BodyHash = ledger.Uint128(req.Call.Key), ledger.Uint128(req.Call.Body)
	rec.Time, rec.AccountingDate, rec.Channel = at.now.UnixNano(), uint32(env.Date), uint16(bank.ChannelOf(cmd))
	if refusal == nil {
		d.decision, d.refusal = bank.Decide(customer, cmd, env)
	} else {
		d.decision, d.refusal = bank.Refused(customer, env), refusal
	}
	if d.refusal != nil {
		d.release()
		switch {
		case !a.certain(cmd, env, d.refusal):
			return false
		case req.day != nil:
			a.declined(req, d.refusal)
			return true
		case !customer.Exists():
			// Nobody: there is no customer whose journal could remember the refusal.
			req.receipt = bank.Receipt{Operation: cmd.Operation(), Refusal: d.refusal}
			req.finish(nil)
			return true
		}
	}
	if err := d.compose(); err != nil {
		panic(err)
	}
	if s := a.node.pipeline.submitter; s != nil && d.needs(s) {
		return a.propose(req, d, s)
	}
	if ask, ok := a.channelRequest(d); ok {
		req.after = func() {
			if req.err == nil && req.receipt.Refusal == nil {
				a.node.ask(ask)
			}
		}
	}
	if r := a.node.shards[a.shard].round; r != nil && a.node.pipeline.ledger != nil {
		r.add(d)
		return true
	}
	d.err = a.node.pipeline.commit(d)
	return a.committed(d)
}

// moment of a decision.
func (a *customerActor) moment() moment {
	if r := a.node.shards[a.shard].round; r != nil {
		return r.moment(a.node)
	}
	return a.node.moment()
}

// committed goes on with what the pipeline made of a decision; otherwise as decide.
func (a *customerActor) committed(d *draft) bool {
	if d.err != nil {
		return a.refused(d.request, d, d.err)
	}
	a.apply(d)
	a.node.followUp(d)
	d.reuse()
	return true
}

// apply folds a decision that has its place in the journal into the customer's state.
func (a *customerActor) apply(d *draft) {
	c := &a.slot.customer
	c.Seq = d.record.Seq
	open := len(c.InFlight) > 0
	for _, e := range d.decision.Events {
		c.Apply(e, bank.Date(d.record.AccountingDate))
	}
	if now := len(c.InFlight) > 0; now != open {
		a.node.registry.setOpen(c.No, now)
	}
	a.slot.change(&d.record)
}

// refused answers a command whose decision the journal did not take, or decides it anew on the next date.
func (a *customerActor) refused(req *Request, d *draft, err error) bool {
	d.release()
	if errors.Is(err, errDateClosed) {
		return a.decide(req)
	}
	if errors.Is(err, journal.ErrStale) {
		// Another activation owns the shard. Nothing here may be decided or read any more.
		a.node.Fault(fmt.Errorf("shard %d: %w", a.shard, err))
		err = fmt.Errorf("%w: %w", bank.ErrStopping, err)
	}
	if errors.Is(err, journal.ErrFull) { // until there is room on the disk again
		err = fmt.Errorf("%w: %w", bank.ErrOverloaded, err)
	}
	req.finish(err)
	return true
}

// repeated answers a command that has been decided before, from the journal.
func (a *customerActor) repeated(req *Request) bool {
	if req.Call.Key.IsZero() {
		return false
	}
	rec, err := a.node.journal.FindCommand(ledger.Uint128(req.Call.Key))
	if err != nil {
		req.finish(fmt.Errorf("%w: %w", bank.ErrStopping, err))
		return true
	}
	if rec == nil {
		return false
	}
	if rec.BodyHash != ledger.Uint128(req.Call.Body) || rec.Customer != uint64(a.slot.customer.No) {
		req.Refuse(&bank.Refusal{Code: bank.KeyReused, Field: "Idempotency-Key"})
		return true
	}
	if rec.Kind == journal.KindIntent {
		a.join(req)
		return true
	}
	req.receipt, err = receiptOf(rec)
	if err != nil {
		req.finish(fmt.Errorf("%w: %w", bank.ErrStopping, err))
		return true
	}
	// The first may still be on its way to the disk.
	a.node.pipeline.whenDurable(req.finish)
	return true
}

// admit asks the credited account's desk for a credit permit. It takes over the hold on the slot, if there is one. The
// slot it returns stays in memory until the draft is published or released.
func (a *customerActor) admit(c bank.Credit, credits bool, held *slot, env *bank.Env) (*slot, *bank.Refusal, error) {
	if !credits {
		return nil, nil, nil
	}
	no := c.Account.Customer()
	payee := held
	if payee == nil {
		payee = a.node.hold(no)
	}
	if payee == nil || !payee.loaded.Load() {
		var err error
		if payee, err = a.node.acquireIn(a.shard, payee, no, false); err != nil {
			return nil, nil, err
		}
	}
	if payee == nil {
		return nil, &bank.Refusal{Code: bank.PayeeUnknown}, nil
	}
	payee.mu.Lock()
	defer payee.mu.Unlock()
	if payee.nobody() {
		payee.release()
		return nil, &bank.Refusal{Code: bank.PayeeUnknown}, nil
	}
	standing, refusal := payee.desk.Admit(c, env.Date, env.Catalogue)
	if refusal != nil {
		payee.release()
		return nil, refusal, nil
	}
	env.Credited = standing
	return payee, nil, nil
}

// channelRequest is what the channel is to be asked once the decision is durable, and not before.
func (a *customerActor) channelRequest(d *draft) (ask ChannelRequest, ok bool) {
	for _, e := range d.decision.Events {
		switch m := e.(type) {
		case *bank.TransferInRequested:
			ask = ChannelRequest{Transfer: m.TxnID, Account: m.AccountNo, AmountFen: m.AmountFen, Channel: m.Channel}
		case *bank.TransferOutRequested:
			ask = ChannelRequest{Transfer: m.TxnID, Account: m.AccountNo, Out: true, AmountFen: m.AmountFen, Channel: m.Channel}
		default:
			continue
		}
		ask.Day = bank.Date(d.record.AccountingDate)
		if a.slot.customer.Unlimited(ask.Account, a.node.options.Catalogue) {
			ask.Date = ask.Day
		}
		return ask, true
	}
	return ChannelRequest{}, false
}

// birth reads the customer's birth date out of his sealed identity number; zero when it has none.
func (a *customerActor) birth() bank.Date {
	c := &a.slot.customer
	if c.IDKind != bank.ResidentID || a.node.options.Unseal == nil {
		return 0
	}
	number, err := a.node.options.Unseal(c.Person.IDSealed)
	if err != nil {
		panic(fmt.Sprintf("sealed identity number can't be opened: %v", err))
	}
	return bank.BirthOf(string(number))
}
