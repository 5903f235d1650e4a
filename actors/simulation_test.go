package actors

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// The simulation (模拟): a whole bank in one goroutine at a time. Clients, actors, journal, ledger, payment
// channel and the death of processes take turns, and whose turn it is, what fails and how is drawn from a
// seed. What the clients were told is then checked against a bank that does one thing at a time
// (internal/serial), and what is left behind against the books' rules (simulation_check_test.go).
//
// Everything that could differ from run to run comes from the seed: mailboxes, disk and network move when
// they are told (simulation_machine_test.go), time is that of a synctest bubble, and between two steps
// every goroutine has come to rest. docs/proof.md tells how to run one seed or many.

var (
	simulationSeed  = flag.Uint64("simulation.seed", 0, "run the simulation of this seed alone, and print every step")
	simulationSeeds = flag.Uint64("simulation.seeds", 0, "how many seeds the simulation runs; zero: 10,000, with -short 500")
	simulationFirst = flag.Uint64("simulation.first", 1, "the first of the seeds")
)

// collectEvery is after how many histories memory is collected: ledgers have theirs outside the heap, where
// the collector does not see it grow.
const collectEvery = 32

// Whatever fails and whenever, a history with a ledger in the same process, for odd seeds, or elsewhere, for
// even ones, is one that a bank without failures could have had.
func TestSimulatedHistoriesAreThoseOfABankThatNeverFails(t *testing.T) {
	first, count := *simulationFirst, *simulationSeeds
	switch {
	case *simulationSeed != 0:
		first, count = *simulationSeed, 1
	case count == 0 && testing.Short():
		count = 500
	case count == 0:
		count = 10_000
	}
	tally := map[string]int{}
	var machines systems
	for seed := first; seed < first+count; seed++ {
		if seed%collectEvery == 0 {
			runtime.GC()
		}
		s := simulate(t, seed, &machines)
		for what, n := range s.tally {
			tally[what] += n
		}
		if s.failures == nil && *simulationSeed == 0 {
			continue
		}
		t.Logf("seed %d, step by step:\n%s", seed, strings.Join(s.trace, "\n"))
		for _, failure := range s.failures {
			t.Error(failure)
		}
		if s.failures != nil {
			t.Fatalf("again: go test ./actors -run %s -simulation.seed=%d", t.Name(), seed)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(tally)) {
		t.Logf("%8d %s", tally[what], what)
	}
}

// A seed that can't be repeated proves nothing.
func TestASeedTakesTheSameStepsEveryTime(t *testing.T) {
	var machines systems
	for seed := uint64(1); seed <= 100; seed++ {
		a, b := simulate(t, seed, &machines), simulate(t, seed, &machines)
		for i := range min(len(a.trace), len(b.trace)) {
			if a.trace[i] != b.trace[i] {
				t.Fatalf("seed %d, step %d:\n%s\n%s", seed, i, a.trace[i], b.trace[i])
			}
		}
		if len(a.trace) != len(b.trace) || len(a.trace) == 0 {
			t.Fatalf("seed %d: %d and %d steps", seed, len(a.trace), len(b.trace))
		}
	}
}

// simulate runs one seed to its end and checks it.
func simulate(t *testing.T, seed uint64, machines *systems) *simulation {
	s := &simulation{seed: seed, systems: machines, rng: rand.New(rand.NewPCG(seed, 0)), tally: map[string]int{}}
	groups = sync.Pool{New: groups.New} // a channel of one bubble is of no use in another
	synctest.Test(t, func(t *testing.T) {
		s.t = t
		s.run()
	})
	if s.failures == nil {
		s.checkHistory() // out of the bubble, where a search that takes too long would never know
	}
	return s
}

// simulation is one seed's world.
type simulation struct {
	t         *testing.T
	seed      uint64
	systems   *systems
	rng       *rand.Rand
	elsewhere bool // the ledger is
	clock     time.Time
	began     time.Time // of the bubble
	firstDay  bank.Date // of the history, behind the bank's foundation
	moments   []int64   // at which ticks the records of the disk were appended

	disk    *memoryJournal
	broken  bool     // the disk: nothing becomes durable any more before the next process
	network *network // nil: the ledger is in the process
	process *process // that serves
	frozen  *process // an earlier one that has not noticed; nil: none
	clients []*client
	channel *channelDesk

	world      world // what the clients know
	ops        []*operation
	tries      []*try // under way
	reads      []*reading
	own        []bankOwn // what the bank has done by itself
	keys       uint64
	checkpoint chan error // under way; nil: none
	tick       int64      // one more with every call and answer
	trouble    trouble
	trace      []string
	tally      map[string]int
	failures   []string
}

// trouble is how much goes wrong, in thousandths of the steps.
type trouble struct {
	crash, freeze, append, flush, full int
	lose                               int // of a hundred calls to the ledger
}

func (s *simulation) run() {
	s.elsewhere = s.seed%2 == 0
	s.began = time.Now()
	day := pick(s, simulationDays)
	if s.one(4) {
		day.begins = day.begins.Add(14*time.Hour - time.Duration(s.rng.IntN(3000))*time.Millisecond) // midnight is near
	}
	s.clock, s.firstDay = day.founded, bank.DateOf(day.begins)
	s.disk = newMemoryJournal()
	s.disk.hold(true)
	if s.elsewhere {
		s.network = &network{Engine: newEngine()}
	}
	s.channel = &channelDesk{s: s, asked: map[bank.TxnID]ChannelRequest{}}
	s.start()
	s.settle()
	s.prepare(day.begins)
	if s.failures == nil {
		s.trouble = trouble{crash: s.rng.IntN(20), freeze: s.rng.IntN(8), append: s.rng.IntN(4), flush: s.rng.IntN(4), full: s.rng.IntN(4), lose: s.rng.IntN(30)}
		for range 2 + s.rng.IntN(4) {
			s.clients = append(s.clients, &client{name: len(s.clients)})
		}
		for steps := 60 + s.rng.IntN(240); steps > 0 && s.failures == nil; steps-- {
			s.step()
		}
		s.trouble, s.process.full = trouble{}, false
	}
	s.finish()
	s.kill(s.process)
	s.kill(s.frozen)
	synctest.Wait()
	s.tally["histories"]++
}

// one is true once in n times.
func (s *simulation) one(in int) bool { return s.rng.IntN(in) == 0 }

func (s *simulation) failf(format string, args ...any) {
	s.failures = append(s.failures, fmt.Sprintf("seed %d, after step %d: ", s.seed, len(s.trace))+fmt.Sprintf(format, args...))
}

func (s *simulation) note(what, format string, args ...any) {
	s.tally[what]++
	line, _, _ := strings.Cut(fmt.Sprintf(format, args...), "\n") // a stack's addresses differ from run to run
	s.trace = append(s.trace, fmt.Sprintf("%4d %s: %s", len(s.trace), what, line))
}

// now is the bank's clock: that of the bubble, and what the simulation has moved it on by.
func (s *simulation) now() time.Time { return s.clock.Add(time.Since(s.began)) }

// action is something that may happen next.
type action struct {
	weight int
	do     func()
}

// step lets one thing happen, and everything come to rest after it.
func (s *simulation) step() {
	if !s.misfortune() {
		actions := s.possible()
		total := 0
		for _, a := range actions {
			total += a.weight
		}
		at := s.rng.IntN(total)
		for _, a := range actions {
			if at -= a.weight; at < 0 {
				a.do()
				break
			}
		}
	}
	s.settle()
}

// misfortune is what may go wrong at any step; false: nothing did.
func (s *simulation) misfortune() bool {
	dice := s.rng.IntN(1000)
	unlucky := func(permille int) bool { dice -= permille; return dice < 0 }
	switch {
	case unlucky(s.trouble.crash):
		s.crash()
	case (s.process.faulty() || s.broken) && s.one(8):
		s.crash() // its supervisor sees that it has stopped
	case unlucky(s.trouble.append) && !s.broken:
		s.process.refuse, s.broken = errDisk, true
		s.note("append fails", "%s", s.process.name)
	case unlucky(s.trouble.flush) && !s.broken:
		s.broken = true
		s.note("flush fails", "at %d", s.disk.Last())
		s.process.node.Fault(errDisk)
	case unlucky(s.trouble.full) && !s.process.full:
		s.process.full = true
		s.note("disk full", "%s", s.process.name)
	case unlucky(s.trouble.freeze) && s.elsewhere && s.frozen == nil && s.process.served && !s.broken && !s.process.faulty():
		s.freeze()
	default:
		return false
	}
	return true
}

// possible is what may happen next when all is well.
func (s *simulation) possible() (actions []action) {
	may := func(weight int, do func()) { actions = append(actions, action{weight, do}) }
	for _, p := range []*process{s.process, s.frozen} {
		if p == nil {
			continue
		}
		for i, box := range p.mailboxes {
			if box.UserMessageCount() > 0 {
				may(12, func() { s.note("message", "%s mailbox %d: %s", p.name, i, box.handOver()) })
			}
		}
		may(6, func() { s.round(p) })
	}
	if s.disk.Last() > s.disk.Durable() && !s.broken {
		may(10, s.flush)
	}
	if s.elsewhere {
		for _, l := range s.network.inOrder(false) {
			may(8, func() { s.deliver(l) })
		}
		for _, l := range s.network.inOrder(true) {
			may(1, func() { s.deliverLate(l) })
		}
		may(2, s.wait)
	}
	for _, c := range s.clients {
		may(c.eager(), func() { s.act(c) })
	}
	if p := s.process; p.served && p.day == nil && p.again && !s.broken {
		may(5, s.work)
	}
	if !s.elsewhere && s.process.day != nil {
		may(1, s.wait)
	}
	if s.dayOf(bank.DateOf(s.now())) < nightsMax && s.one(6) {
		may(1, func() {
			s.clock = s.clock.Add(24 * time.Hour)
			s.process.again = true
			s.note("a day passes", "%s", s.now().Format(time.DateTime))
		})
	}
	if p := s.process; p.full {
		may(6, func() {
			p.full = false
			s.note("disk has room", "%s", p.name)
		})
	}
	may(1, s.passivate)
	if s.checkpoint == nil && !s.broken {
		may(1, s.save)
	}
	may(1, func() {
		s.clock = s.clock.Add(time.Duration(s.rng.IntN(300)) * time.Millisecond)
		s.process.again = true // it may be midnight
		s.note("time passes", "%s", s.now().Format(time.TimeOnly))
	})
	return actions
}

// nightsMax is how many nights a history has, at most.
const nightsMax = 3

// work lets the accounting day of the process that serves take its next step: open, cut, sweep, accrue, begin.
func (s *simulation) work() {
	p := s.process
	s.note("day", "%s: %+v", p.name, p.days.Status())
	done := make(chan dayStep, 1)
	p.day, p.again = done, false
	go func() {
		again, err := p.days.advance(p.ctx)
		done <- dayStep{again, err}
	}()
	synctest.Wait()
}

// dayStep is what came of a step of the accounting day.
type dayStep struct {
	again bool
	err   error
}

// worked takes note of steps of the accounting day that are over.
func (s *simulation) worked() {
	for _, p := range []*process{s.process, s.frozen} {
		if p == nil || len(p.day) == 0 {
			continue
		}
		step := <-p.day
		p.day, p.again = nil, step.again || step.err != nil
		s.note("day's step over", "%s: again %v, %v", p.name, step.again, step.err)
		if step.err != nil && !p.faulty() && !excused(step.err) {
			s.failf("the end of the day: %v", step.err)
		}
	}
}

// workedOff lets the accounting day come as far as the clock is, without trouble.
func (s *simulation) workedOff() {
	s.rest()
	s.process.again = true
	for n := 0; s.failures == nil && s.process.again; n++ {
		if n == daySteps {
			s.failf("the day does not come to its end: %+v", s.process.days.Status())
		}
		s.work()
		s.rest()
	}
}

// simulationClock is the bank's clock for the accounting day, which never waits for it.
type simulationClock struct{ s *simulation }

func (c simulationClock) Now() time.Time                               { return c.s.now() }
func (c simulationClock) Until(ctx context.Context, _ time.Time) error { return ctx.Err() }

// round hands over messages of some shards, whose decisions are carried out together; several of a shard, too.
func (s *simulation) round(p *process) {
	r := new(round)
	for range 1 + s.rng.IntN(2*people) {
		var waiting []int
		for i, box := range p.mailboxes {
			if box.UserMessageCount() > 0 {
				waiting = append(waiting, i)
			}
		}
		if len(waiting) == 0 {
			break
		}
		i := pick(s, waiting)
		box := p.mailboxes[i]
		state := &p.node.shards[box.invoker.(actor.Context).Actor().(*shardActor).shard]
		state.round = r
		s.note("round", "%s mailbox %d: %s", p.name, i, box.handOver())
		state.round = nil
		synctest.Wait() // for a checkpoint to ask the next shard
	}
	r.end()
}

// passivate lets customers leave memory whom nobody needs.
func (s *simulation) passivate() {
	no := pick(s, s.world.customers)
	pid := s.process.node.shards[no.Shard()].pid.Load()
	if pid == nil {
		return
	}
	s.note("passivate", "the shard of %s", no)
	p := &passivation{since: math.MaxInt64, done: make(chan struct{}, 1)}
	p.left.Store(people)
	s.process.node.System().Root.Send(pid, p)
}

// save begins a checkpoint.
func (s *simulation) save() {
	s.note("checkpoint", "by %s at %d, %d durable", s.process.name, s.disk.Last(), s.disk.Durable())
	done, p := make(chan error, 1), s.process
	s.checkpoint = done
	go func() { done <- p.node.Checkpoint(p.ctx) }()
}

// settle waits until no goroutine has anything to do, and hears what the clients were told.
func (s *simulation) settle() {
	synctest.Wait()
	if s.process != nil && !s.process.served && len(s.process.ready) > 0 {
		if err := <-s.process.ready; err != nil {
			s.failf("the process does not start: %v", err)
		}
		s.process.served = true
	}
	if len(s.checkpoint) > 0 {
		s.note("checkpointed", "%v, saved up to %d", <-s.checkpoint, s.disk.Saved())
		s.checkpoint = nil
	}
	if s.process != nil {
		s.worked()
	}
	s.listen()
}

// flush makes some of what was appended durable. With a ledger elsewhere one record at a time: what the
// node does on its own goroutines after the first must not meet the second.
func (s *simulation) flush() {
	n := int(s.disk.Durable()) + 1
	if !s.elsewhere {
		n += s.rng.IntN(int(s.disk.Last()) - n + 1)
	}
	position := s.disk.persist(n)
	s.note("flush", "to %d of %d", position, s.disk.Last())
	if s.frozen != nil {
		s.frozen.node.Durable(position)
		synctest.Wait()
	}
	s.process.node.Durable(position)
}

// deliver lets a call reach the ledger, or not, and its answer return, or not.
func (s *simulation) deliver(l *letter) {
	fate := "answered"
	if s.rng.IntN(100) < s.trouble.lose {
		fate = []string{"not sent", "answer lost", "lost", "held up"}[s.rng.IntN(4)]
	}
	s.note("ledger call "+fate, "%s", l.text)
	switch fate {
	case "answered":
		l.carry()
	case "not sent":
		l.err = ledger.ErrUnavailable
	case "answer lost":
		l.carry()
		l.err = ledger.ErrOutcomeUnknown
	case "lost":
		l.err = ledger.ErrOutcomeUnknown
	case "held up": // it stays where it is, and its caller has lost patience
		l.err = ledger.ErrOutcomeUnknown
	}
	if fate == "held up" {
		s.network.forsake(l)
	} else {
		s.network.take(l)
	}
	close(l.answer)
}

// deliverLate lets a call reach the ledger that nobody waits for any more, or loses it for good.
func (s *simulation) deliverLate(l *letter) {
	s.network.take(l)
	if s.one(3) {
		s.note("late call lost", "%s", l.text)
		return
	}
	s.note("late call arrives", "%s", l.text)
	l.carry()
}

// wait lets time pass for the node's own clocks.
func (s *simulation) wait() {
	d := []time.Duration{time.Millisecond, 60 * time.Millisecond, 600 * time.Millisecond, 2 * time.Second}[s.rng.IntN(4)]
	s.note("wait", "%v", d)
	time.Sleep(d)
}

// process is a node with its machine.
type process struct {
	*machine
	name   string
	node   *Node
	engine *embedded.Engine // nil: elsewhere
	ready  chan error       // capacity 1: nobody waits for it at the time
	served bool
	died   chan struct{}
	end    context.CancelFunc
	ctx    context.Context
	knows  int // customers there were when another process took over

	days  *Days
	day   chan dayStep // capacity 1; a step of the accounting day is under way; nil: none
	again bool         // there may be another
}

// start begins a process on what is on disk. What it does at its start is done before anything else
// happens, except that a ledger elsewhere may keep it waiting.
func (s *simulation) start() {
	p := &process{machine: &machine{memoryJournal: s.disk, appended: s.appended}, again: true, ready: make(chan error, 1), died: make(chan struct{})}
	p.name = fmt.Sprintf("process %d", s.tally["start"]+1)
	p.ctx, p.end = context.WithCancel(context.Background())
	options := Options{
		Clock: s.now, Catalogue: simulationCatalogue(),
		Unseal: func(b []byte) ([]byte, error) { return b, nil }, Logger: slog.New(slog.DiscardHandler), system: s.systems.take(),
	}
	options.Sequence = options.system.ProcessRegistry.SequenceID << 1 // its ids go on
	if s.elsewhere {
		options.Ledger = wire{s.network, p.name}
	} else {
		p.engine = embedded.New(embedded.Options{})
		options.Engine, options.Books = p.engine, p.engine
	}
	p.node = NewNode(options)
	p.node.spawning, p.node.sweepers = append(p.node.spawning, p.props()), 1
	p.days = NewDays(p.node, DayOptions{Clock: simulationClock{s}, Logger: slog.New(slog.DiscardHandler)})
	s.process = p
	s.note("start", "%s at %d", p.name, s.disk.Durable())
	if err := p.node.Recover(s.t.Context(), p); err != nil {
		s.failf("recover: %v", err)
		return
	}
	// All shards in use are taken at once, also those of customers who are just being registered: from here
	// on an earlier process can write nothing.
	highest := p.node.registry.highest()
	if s.frozen != nil {
		highest = max(highest, s.frozen.node.registry.highest())
	}
	for no := bank.CustomerNo(1); no <= highest; no++ {
		if _, err := p.node.Shard(no.Shard()); err != nil {
			s.failf("take shard: %v", err)
		}
	}
	if _, err := p.node.Shard(bank.BankHouse.Shard()); err != nil {
		s.failf("take shard: %v", err)
	}
	if err := p.node.Connect(s.channel); err != nil {
		s.failf("connect: %v", err)
	}
	go func() { p.ready <- p.node.Resume() }()
	synctest.Wait()
}

// appended notes when a record was.
func (s *simulation) appended() {
	s.tick++
	s.moments = append(s.moments, s.tick)
}

func (p *process) faulty() bool { return len(p.node.fault) > 0 }

// kill ends a process: nothing of it gets to run again.
func (s *simulation) kill(p *process) {
	if p == nil {
		return
	}
	p.dead = true
	close(p.died)
	p.end()
	p.node.once.Do(func() { close(p.node.stopped) })
	if sub := p.node.pipeline.submitter; sub != nil {
		sub.cancel()
		synctest.Wait()
		sub.close()
	}
	if p.day != nil {
		time.Sleep(2 * againAfter) // a visit that was to be made again finds a dead shard, not the next process's
		synctest.Wait()
	}
	s.systems.give(p)
	s.abandoned(p)
}

// crash kills what runs, loses what was not flushed, wholly or from some record on, and starts again.
func (s *simulation) crash() {
	kept := int(s.disk.Durable())
	if tail := int(s.disk.Last()) - kept; tail > 0 && s.one(2) {
		kept += s.rng.IntN(tail + 1)
	}
	s.note("crash", "%d of %d records are left", kept, s.disk.Last())
	if s.process.faulty() {
		cause := <-s.process.node.fault
		s.note("had stopped", "%v", cause)
		if strings.Contains(cause.Error(), "broken invariant") {
			s.failf("a process stopped: %v", cause)
		}
	}
	s.kill(s.process)
	s.kill(s.frozen)
	s.frozen, s.broken = nil, false
	s.disk.persist(kept)
	s.disk = s.disk.reopened()
	s.moments = s.moments[:kept]
	s.disk.hold(true)
	if s.one(2) {
		s.channel.forget()
	}
	s.start()
}

// freeze starts another process while the one that serves does not know that it has been given up.
func (s *simulation) freeze() {
	s.note("freeze", "%s", s.process.name)
	for s.disk.Last() > s.disk.Durable() {
		s.flush()
		synctest.Wait()
	}
	s.frozen = s.process
	s.frozen.knows = len(s.world.customers)
	s.start()
}
