package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"
)

// trial is one way of loading one server.
type trial struct {
	name        string
	on          *server // nil: no server, the disk itself
	connections int
	transfers   int // a request
	protobuf    bool
	onePayer    bool
	among       int // so many customers pay; 0: all
	// Open loop: requests are due at a constant rate, this share of what spreadTrial reached, whether the
	// earlier ones are answered or not. Zero: each connection sends when it has its answer.
	share float64
}

// sample is what one run of a trial gave, and how much of the cores others used meanwhile.
type sample struct {
	outcome
	othersShare float64
	wholeCPU    time.Duration // of the server from the first request until it was idle again
	unsettled   bool          // it was not idle in time
}

// bench is a run: its servers, and what it has seen of them.
type bench struct {
	options
	dir      string
	echo     *server
	bank     *server   // complete: stream, broker and reports beside it
	silent   *server   // the same without a stream
	others   []*server // each for one figure
	progress io.Writer

	run     string // begins idempotency keys
	serial  int    // of generators in this run
	samples map[string][]sample
	busiest float64 // largest share of the cores that others used

	settled     int // operations of the population
	settledIn   time.Duration
	settleShare float64 // used by others meanwhile

	stages map[string]stages // where the CPU went, by trial
	growth growth
}

const (
	batchConnections = 16
	batchTransfers   = 100
	flushTrial       = "flush"
	loneEchoTrial    = "echo, lone client"
	loneTrial        = "lone client"
	hotTrial         = "one hot customer"
	batchTrial       = "batches"
	protobufTrial    = "batches in protobuf"

	warmUp     = 300 * time.Millisecond
	settleMax  = 20 * time.Second // how long a trial waits for its server to finish what the requests caused
	settleStep = 100 * time.Millisecond
)

func newBench(o options, dir string, progress io.Writer) *bench {
	return &bench{
		options: o, dir: dir, progress: progress, run: rand.Text()[:8],
		samples: make(map[string][]sample), stages: make(map[string]stages),
	}
}

// start starts the servers; stop ends those that were started.
func (b *bench) start(ctx context.Context) (err error) {
	if b.echo, err = startEcho(ctx); err != nil {
		return err
	}
	if b.bank, err = startBank(ctx, "bank", b.binary, filepath.Join(b.dir, "bank")); err != nil {
		return err
	}
	b.silent, err = startBank(ctx, "no stream", b.binary, filepath.Join(b.dir, "silent"), "--stream", "off")
	return err
}

func (b *bench) servers() (started []*server) {
	for _, s := range append([]*server{b.echo, b.bank, b.silent}, b.others...) {
		if s != nil {
			started = append(started, s)
		}
	}
	return started
}

func (b *bench) stop() {
	for _, s := range b.servers() {
		s.stop()
	}
}

// alive tells which server has ended, if one has.
func (b *bench) alive() (err error) {
	for _, s := range b.servers() {
		err = errors.Join(err, s.alive())
	}
	return err
}

func echoTrial(connections int) string { return fmt.Sprintf("echo, %d connections", connections) }

func spreadTrial(on *server, connections int) string {
	return fmt.Sprintf("%s, %d connections", on.name, connections)
}

func of(on *server, name string) string { return on.name + ", " + name }

func openTrial(on *server, share float64) string {
	return fmt.Sprintf("%s, open loop at %.0f %%", on.name, 100*share)
}

// openShares are the arrival rates of the open loop, as shares of what the same server reached.
var openShares = []float64{0.25, 0.50, 0.75}

// trials of a round, in their order: each beside what it is compared with.
func (b *bench) trials() []trial {
	var all []trial
	for _, n := range b.connections {
		all = append(all,
			trial{name: echoTrial(n), on: b.echo, connections: n, transfers: 1},
			trial{name: spreadTrial(b.silent, n), on: b.silent, connections: n, transfers: 1},
			trial{name: spreadTrial(b.bank, n), on: b.bank, connections: n, transfers: 1})
	}
	all = append(all,
		trial{name: loneEchoTrial, on: b.echo, connections: 1, transfers: 1},
		trial{name: flushTrial})
	for _, s := range []*server{b.silent, b.bank} {
		all = append(all,
			trial{name: of(s, loneTrial), on: s, connections: 1, transfers: 1},
			trial{name: of(s, hotTrial), on: s, connections: b.spread(), transfers: 1, onePayer: true},
			trial{name: of(s, batchTrial), on: s, connections: batchConnections, transfers: batchTransfers},
			trial{name: of(s, protobufTrial), on: s, connections: batchConnections, transfers: batchTransfers, protobuf: true})
		for _, share := range openShares {
			all = append(all, trial{name: openTrial(s, share), on: s, connections: b.spread(), transfers: 1, share: share})
		}
	}
	return all
}

func (b *bench) populate(ctx context.Context) error {
	m, err := newMeter(b.echo.pid(), b.bank.pid(), b.silent.pid())
	if err != nil {
		return err
	}
	for _, s := range b.asked() {
		fmt.Fprintf(b.progress, "%s: creating %s customers, one funded account each\n", s.name, grouped(float64(b.customers), 0))
		if b.settled, b.settledIn, err = newPopulation(s.address, b.customers, b.progress).settle(ctx, b.accountsOf(s)); err != nil {
			return err
		}
		if _, err = b.settle(ctx); err != nil {
			return err
		}
	}
	b.settleShare, err = m.share(0)
	b.busiest = max(b.busiest, b.settleShare)
	return err
}

// asked are the banks that the chosen trials ask; the others need no customers. The echo is sent the numbers of one.
func (b *bench) asked() []*server {
	banks := []*server{b.bank, b.silent}
	asked := slices.DeleteFunc(slices.Clone(banks), func(s *server) bool {
		return !slices.ContainsFunc(b.chosen(), func(t trial) bool { return t.on == s })
	})
	if len(asked) == 0 {
		return banks[:1]
	}
	return asked
}

// accountsOf is the file of the server's account numbers; the echo is sent a bank's.
func (b *bench) accountsOf(s *server) string {
	if s == b.echo {
		s = b.asked()[0]
	}
	return filepath.Join(b.dir, s.name+" accounts")
}

// measure runs all trials in turn, round after round, so that a slow change of the machine meets both
// sides of every comparison.
func (b *bench) measure(ctx context.Context) error {
	for round := 1; round <= b.rounds; round++ {
		for _, t := range b.chosen() {
			s, err := b.try(ctx, t)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			b.samples[t.name] = append(b.samples[t.name], s)
			b.busiest = max(b.busiest, s.othersShare)
			b.tell(round, t, s)
		}
	}
	return nil
}

// chosen are the trials that -only names.
func (b *bench) chosen() []trial {
	return slices.DeleteFunc(b.trials(), func(t trial) bool { return !b.only.MatchString(t.name) })
}

func (b *bench) tell(round int, t trial, s sample) {
	fmt.Fprintf(b.progress, "round %d of %d  %-30s", round, b.rounds, t.name)
	if t.on != nil {
		fmt.Fprintf(b.progress, "%11s/s", grouped(rate(s), 0))
	} else {
		fmt.Fprintf(b.progress, "%13s", "")
	}
	fmt.Fprintf(b.progress, "   p50 %9v   p99 %9v", s.P50.Round(time.Microsecond), s.P99.Round(time.Microsecond))
	if n := s.failed(); n > 0 {
		fmt.Fprintf(b.progress, "   %s failed", grouped(float64(n), 0))
	}
	if s.unsettled {
		fmt.Fprintf(b.progress, "   warning: still at work %v later", settleMax)
	}
	if s.othersShare > busyShareMax {
		fmt.Fprintf(b.progress, "   warning: others used %.0f %% of the cores", s.othersShare*100)
	}
	fmt.Fprintln(b.progress)
}

// try runs a trial once and lets the servers come to rest.
func (b *bench) try(ctx context.Context, t trial) (sample, error) {
	// The idle servers count among the others: what they do now disturbs.
	var ours []int
	if t.on != nil {
		ours = append(ours, t.on.pid())
	}
	before, err1 := cpuOf(ours)
	m, err2 := newMeter(ours...)
	if err := errors.Join(err1, err2); err != nil {
		return sample{}, err
	}
	var s sample
	var generatorCPU time.Duration
	var err error
	if t.on == nil {
		s.P50, s.P99, err = flushLatency(b.dir)
	} else {
		s.outcome, generatorCPU, err = generate(ctx, b.loadOf(t))
	}
	if err := errors.Join(err, ctx.Err(), b.alive()); err != nil {
		return s, err
	}
	if s.othersShare, err = m.share(generatorCPU); err != nil {
		return s, err
	}
	settled, err := b.settle(ctx)
	if err != nil {
		return s, err
	}
	after, err := cpuOf(ours)
	s.unsettled, s.wholeCPU = !settled, after-before
	return s, err
}

func cpuOf(pids []int) (sum time.Duration, err error) {
	for _, pid := range pids {
		cpu, e := processCPU(pid)
		sum, err = sum+cpu, errors.Join(err, e)
	}
	return sum, err
}

func (b *bench) loadOf(t trial) load {
	b.serial++
	l := load{
		Address: t.on.address, Connections: t.connections, Transfers: t.transfers, Protobuf: t.protobuf, OnePayer: t.onePayer, Among: t.among,
		Accounts: b.accountsOf(t.on), KeyPrefix: fmt.Sprintf("%s-%04d-", b.run, b.serial), Seed: uint64(b.serial),
		WarmUp: warmUp, Window: b.duration, ServerPID: t.on.pid(),
	}
	if t.share > 0 {
		reached, _ := b.median(spreadTrial(t.on, b.spread()), rate)
		l.Rate = t.share * reached
	}
	return l
}

// settle waits until no server is at work, for settleMax at most. Events go to the stream and to
// reports after the answer: that must neither be lost from the account nor disturb the next trial.
func (b *bench) settle(ctx context.Context) (settled bool, err error) {
	var all []int
	for _, s := range b.servers() {
		all = append(all, s.pid())
	}
	for deadline := time.Now().Add(settleMax); time.Now().Before(deadline); {
		before, err1 := cpuOf(all)
		if err := sleep(ctx, settleStep); err != nil {
			return false, err
		}
		after, err2 := cpuOf(all)
		if err := errors.Join(err1, err2); err != nil {
			return false, errors.Join(err, b.alive())
		}
		if after-before <= tick {
			return true, nil
		}
	}
	return false, nil
}

// busy reports whether the sample, or the one after it, was disturbed.
func (s *sample) busy() bool { return s.othersShare > busyShareMax || s.unsettled }

// Figures of a sample.
func rate(s sample) float64      { return per(float64(s.Transfers), s.Window.Seconds()) }
func serverCPU(s sample) float64 { return per(micros(s.ServerCPU), float64(s.Transfers)) }
func wholeCPU(s sample) float64  { return per(micros(s.wholeCPU), float64(s.Succeeded)) }
func clientCPU(s sample) float64 { return per(micros(s.GeneratorCPU), float64(s.Transfers)) }
func p50(s sample) float64       { return micros(s.P50) }
func p99(s sample) float64       { return micros(s.P99) }
func p999(s sample) float64      { return micros(s.P999) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// per is a/b, and 0 of nothing.
func per(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// median of a figure over the rounds; busy when others disturbed any of them.
func (b *bench) median(name string, figure func(sample) float64) (value float64, busy bool) {
	samples := b.samples[name]
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = figure(s)
		busy = busy || s.busy()
	}
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2, busy
	}
	return values[middle], busy
}
