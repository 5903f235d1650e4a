package actors

// The way to a ledger elsewhere (提交器).
//
// The problem: a ledger in another process answers later, or not at all; when it does not answer, nobody
// knows whether it has moved the money; and meanwhile the bank must not stop, forget or repeat itself.
//
// Four invariants. (1) A chain reaches the ledger only when the intent it belongs to is on disk, so that
// whoever finds the intent can ask again with the same ids. (2) Every intent gets exactly one outcome, from
// the ledger's answer and from nothing else: no timeout, restart or caller's patience decides it. (3) A
// customer's chains are carried out, and his outcomes journalled, in the order of his intents. (4) No actor,
// and never the pipeline's lock, waits for the ledger.
//
//  1. The actor decides and proposes: the decision is journalled as an intent (journal.KindIntent). The actor
//     goes on with the next command, as far as it can be decided whatever the outcome is (intent.go).
//  2. The flusher calls take: the intent is durable and waits here.
//  3. run gathers what waits into a batch that fits one request, and carries at most batchesMax of them at
//     a time: the accounts the chains need, the chains themselves in one call, the balances the receipts
//     show in another. A customer's intents travel in one batch at a time, in order; so (3) holds whatever
//     batches overtake each other, and a customer with all the traffic fills a batch by himself.
//  4. The actors are told. Each journals the outcomes (journal.KindOutcome) of its intents, applies their
//     events and goes on with what waited for them; callers hear when the outcome is durable. The actor is
//     the only one that appends records of its customer, so that each has the number after the last.
//
// When a call fails the ledger counts as away: waiting callers are told to repeat, new commands that need
// the ledger are refused before anything is written, and the batch stays as it is and asks again, after
// ever longer pauses, when a probe has been answered. The ids are the same, so what had happened answers
// "exists" and what had been refused is refused again.
import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Limits of the way to a ledger elsewhere.
const (
	batchesMax = 2                       // under way at once: one is at the ledger while the other is prepared or read
	answerMax  = 1500 * time.Millisecond // for one answer; after that the ledger counts as away
	probeEvery = time.Second             // while it is not away, so that its going is seen without traffic
	retryMin   = 50 * time.Millisecond   // first pause before a failed batch or probe asks again
	retryMax   = time.Second             // the pauses double up to this
	knownMax   = 1 << 16                 // ids of ledger accounts known to exist
	intentsMax = 65_536                  // without an outcome; over it no more are taken
	restTick   = time.Millisecond        // how often a look at the ledger at rest asks whether it is
)

// submitter carries intents to the ledger and brings their outcomes back.
type submitter struct {
	ledger ledger.Ledger
	tell   func(*draft, any) // sends to the customer's actor; never blocks
	fault  func(error)       // stops the node; not to be called with mu held
	logger *slog.Logger

	retryMin, retryMax time.Duration

	ctx    context.Context
	cancel context.CancelFunc
	ended  sync.WaitGroup
	work   chan struct{} // capacity 1: one wake-up stands for any number
	doubt  chan struct{} // likewise; the probe is to ask now

	known accountSet

	mu       sync.Mutex        // taken inside the pipeline's lock, never the other way round
	queue    []*draft          // durable and not under way; those whose chain may have been sent come first
	open     map[*draft]uint64 // their places in the order of proposal
	noted    uint64
	doubtful int // of open: those whose chain may have been sent
	underWay int // batches
	resting  int // looks at the ledger that keep new batches back
	batchMax int // events in one request, as far as we have found out
	stopped  error
	away     chan struct{} // closed when the ledger is back; nil while it is there
}

// answered tells an actor that the ledger has answered an intent. Those of one customer come in order.
type answered struct{ draft *draft }

// ledgerAway tells an actor that its intent's outcome will not be known soon.
type ledgerAway struct{ draft *draft }

// unanswered tells an actor that its intent's outcome will not be known to this process, which stops.
type unanswered struct {
	draft *draft
	cause error
}

func newSubmitter(l ledger.Ledger, logger *slog.Logger) *submitter {
	s := &submitter{
		ledger: l, logger: logger, work: make(chan struct{}, 1), doubt: make(chan struct{}, 1),
		open: make(map[*draft]uint64), batchMax: l.Limits().BatchMax,
		retryMin: retryMin, retryMax: retryMax,
	}
	s.known.ids = make(map[ledger.Uint128]struct{})
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// start begins the work; close ends it. It asks once whether the ledger is there, so that nobody is promised
// anything by a node that has not seen it.
func (s *submitter) start() {
	s.there()
	s.ended.Go(s.run)
	s.ended.Go(s.probe)
}

// close ends all work and waits for it. What has no outcome stays an intent in the journal.
func (s *submitter) close() {
	s.cancel()
	s.ended.Wait()
}

// note counts an intent as soon as it has its place in the journal.
func (s *submitter) note(d *draft) {
	s.mu.Lock()
	s.opened(d)
	s.mu.Unlock()
}

// adopt takes over the intent of an earlier process, whose chain may have been sent.
func (s *submitter) adopt(d *draft) {
	s.mu.Lock()
	d.doubtful = true
	s.doubtful++
	s.opened(d)
	s.queue = append(s.queue, d)
	s.mu.Unlock()
}

// take queues an intent that has become durable; an error means that it never will be.
func (s *submitter) take(d *draft, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		err = s.stopped
	}
	if err != nil {
		s.tell(d, &unanswered{d, err})
		return
	}
	s.queue = append(s.queue, d)
	if s.away != nil {
		s.tell(d, &ledgerAway{d})
	}
	s.wake()
}

// fail tells everyone who waits that the node stops; outcomes come no more.
func (s *submitter) fail(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped != nil {
		return
	}
	s.stopped = cause
	for _, d := range s.inOrder() {
		s.tell(d, &unanswered{d, cause})
	}
}

// opened counts an intent; the lock is held.
func (s *submitter) opened(d *draft) {
	s.noted++
	s.open[d] = s.noted
}

// inOrder lists the open intents as they were proposed; the lock is held.
func (s *submitter) inOrder() []*draft {
	return slices.SortedFunc(maps.Keys(s.open), func(a, b *draft) int { return cmp.Compare(s.open[a], s.open[b]) })
}

func (s *submitter) wake() {
	select {
	case s.work <- struct{}{}:
	default: // it has been woken and has not looked yet
	}
}

// unresolved is how many intents have no outcome.
func (s *submitter) unresolved() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// available reports whether the ledger answers, as far as is known.
func (s *submitter) available() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away == nil
}

// admits tells whether an intent may be proposed now.
func (s *submitter) admits() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.away != nil:
		return bank.ErrLedgerUnavailable
	case len(s.open) >= intentsMax:
		return bank.ErrOverloaded
	}
	return nil
}

// lost notes that the ledger is away and tells all who wait for it.
func (s *submitter) lost(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil || s.ctx.Err() != nil {
		return
	}
	s.away = make(chan struct{})
	for _, d := range s.inOrder() {
		s.tell(d, &ledgerAway{d})
	}
	s.logger.Warn("the ledger is away; commands that need it are refused until it answers", "unresolved", len(s.open), "cause", cause)
	select {
	case s.doubt <- struct{}{}:
	default:
	}
}

// back notes that the ledger answers.
func (s *submitter) back() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away == nil {
		return
	}
	close(s.away)
	s.away = nil
	s.logger.Warn("the ledger is back", "unresolved", len(s.open))
	s.wake()
}

// there asks the ledger whether it is there. A read is asked for: it reaches the server, and changes
// nothing.
func (s *submitter) there() bool {
	_, err := within(s.ctx, func(ctx context.Context) ([]ledger.Account, error) {
		return s.ledger.LookupAccounts(ctx, []ledger.Uint128{ledger.U64(1)})
	})
	if err != nil {
		s.lost(err)
		return false
	}
	s.back()
	return true
}

// probe asks now and then whether the ledger is there.
func (s *submitter) probe() {
	failures := 0
	for {
		wait := probeEvery
		if s.there() {
			failures = 0
		} else {
			wait = s.pause(failures)
			failures++
		}
		select {
		case <-time.After(wait):
		case <-s.doubt:
		case <-s.ctx.Done():
			return
		}
	}
}

// pause is how long to wait after so many failures before the next one.
func (s *submitter) pause(failures int) time.Duration {
	return min(s.retryMax, s.retryMin<<min(failures, 10))
}

// run gathers batches and sends them on their way until close.
func (s *submitter) run() {
	for {
		b := s.gather()
		if b == nil {
			select {
			case <-s.work:
				continue
			case <-s.ctx.Done():
				return
			}
		}
		s.ended.Go(func() { s.carry(b) })
	}
}

// gather takes what waits, up to what one request may hold; nil when nothing can be sent now.
func (s *submitter) gather() *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil || s.stopped != nil || s.underWay >= batchesMax {
		return nil
	}
	b := &batch{}
	limit := min(s.batchMax, s.ledger.Limits().BatchMax) // the ledger may have learned a smaller one
	rest := s.queue[:0]
	for i, d := range s.queue {
		if s.resting > 0 && !d.doubtful || !b.fits(d, limit) {
			rest = append(rest, s.queue[i:]...)
			break
		}
		if d.own.batch != nil && d.own.batch != b {
			rest = append(rest, d) // those before it must be answered first
			continue
		}
		b.add(d)
		d.own.batch = b
		if !d.doubtful {
			d.doubtful = true
			s.doubtful++
		}
	}
	clear(s.queue[len(rest):])
	s.queue = rest
	if len(b.drafts) == 0 {
		return nil
	}
	s.underWay++
	return b
}

// carry asks the ledger about a batch until it has answered all of it, then tells the actors. A panic is a
// broken invariant of money: the node stops.
func (s *submitter) carry(b *batch) {
	defer func() {
		if cause := recover(); cause != nil {
			s.fault(fmt.Errorf("ledger: broken invariant: %v\n%s", cause, debug.Stack()))
		}
		s.mu.Lock()
		for _, d := range b.drafts {
			d.own.batch = nil
		}
		s.underWay--
		s.wake()
		s.mu.Unlock()
	}()
	for failures := 0; ; failures++ {
		err := b.ask(s.ctx, s.ledger, &s.known)
		if err == nil {
			break
		}
		if errors.Is(err, ledger.ErrTooMuchData) {
			s.divide(b, err)
			return
		}
		s.lost(err)
		if !s.wait(failures) {
			return
		}
	}
	b.settle()
	for _, d := range b.drafts {
		s.tell(d, &answered{d})
	}
}

// concluded forgets an intent whose outcome has its place in the journal.
func (s *submitter) concluded(d *draft) {
	s.mu.Lock()
	delete(s.open, d)
	s.doubtful--
	s.mu.Unlock()
	// Only now may others leave these accounts out of their intents: whoever reads the journal finds
	// them opened first.
	s.known.add(d.record.Accounts)
}

// wait returns when the ledger is back and a pause is over; false when the work ends.
func (s *submitter) wait(failures int) bool {
	s.mu.Lock()
	away := s.away
	s.mu.Unlock()
	if away != nil {
		select {
		case <-away:
		case <-s.ctx.Done():
			return false
		}
	}
	select {
	case <-time.After(s.pause(failures)):
		return true
	case <-s.ctx.Done():
		return false
	}
}

// divide puts a batch back that is larger than the ledger takes, and makes smaller ones from now on.
func (s *submitter) divide(b *batch, cause error) {
	if len(b.drafts) == 1 {
		s.fault(fmt.Errorf("one decision is more than the ledger takes in a request: %w", cause))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batchMax = max(1, min(s.batchMax, b.size())/2)
	s.queue = append(b.drafts, s.queue...)
}

// rest waits until no batch is under way and no chain is in doubt, and keeps it so until resume is called:
// what the ledger holds then is what the outcomes in the journal say. Intents go on being journalled.
func (s *submitter) rest(ctx context.Context) (resume func(), err error) {
	s.mu.Lock()
	s.resting++
	s.mu.Unlock()
	resume = func() {
		s.mu.Lock()
		s.resting--
		s.wake()
		s.mu.Unlock()
	}
	tick := time.NewTicker(restTick)
	defer tick.Stop()
	for {
		s.mu.Lock()
		quiet, away, stopped := s.underWay == 0 && s.doubtful == 0, s.away != nil, s.stopped
		s.mu.Unlock()
		switch {
		case stopped != nil:
			resume()
			return nil, stopped
		case away:
			resume()
			return nil, bank.ErrLedgerUnavailable
		case quiet:
			return resume, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			resume()
			return nil, fmt.Errorf("the ledger does not come to rest: %w", ctx.Err())
		}
	}
}

// accountSet remembers ledger accounts that exist, so that the bank's own, which nearly every chain needs,
// are not asked for each time. When it is full it begins anew with those in use.
type accountSet struct {
	mu  sync.RWMutex
	ids map[ledger.Uint128]struct{}
}

func (k *accountSet) has(id ledger.Uint128) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	_, ok := k.ids[id]
	return ok
}

func (k *accountSet) add(accounts []ledger.Account) {
	if len(accounts) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range accounts {
		if len(k.ids) >= knownMax {
			clear(k.ids)
		}
		k.ids[accounts[i].ID] = struct{}{}
	}
}

// missing leaves out the accounts that are known to exist.
func (k *accountSet) missing(accounts []ledger.Account) []ledger.Account {
	return slices.DeleteFunc(accounts, func(a ledger.Account) bool { return k.has(a.ID) })
}
