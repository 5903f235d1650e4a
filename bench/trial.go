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
	onBank      bool // else on the echo
	connections int
	transfers   int // a request
	onePayer    bool
	flushes     bool // no server: the disk itself
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
	accounts string // file of account numbers
	echo     *server
	bank     *server
	progress io.Writer

	run     string // begins idempotency keys
	serial  int    // of generators in this run
	samples map[string][]sample
	busiest float64 // largest share of the cores that others used

	settled     int // operations of the population
	settledIn   time.Duration
	settleShare float64 // used by others meanwhile
}

const (
	batchConnections = 16
	batchTransfers   = 100
	flushTrial       = "flush"
	loneEchoTrial    = "echo, lone client"
	loneTrial        = "bank, lone client"
	hotTrial         = "bank, one hot customer"
	batchTrial       = "bank, batches"

	warmUp     = 300 * time.Millisecond
	settleMax  = 20 * time.Second // how long a trial waits for its server to finish what the requests caused
	settleStep = 100 * time.Millisecond
)

func newBench(o options, dir string, echo, bank *server, progress io.Writer) *bench {
	return &bench{
		options: o, dir: dir, accounts: filepath.Join(dir, "accounts"), echo: echo, bank: bank,
		progress: progress, run: rand.Text()[:8], samples: make(map[string][]sample),
	}
}

func echoTrial(connections int) string   { return fmt.Sprintf("echo, %d connections", connections) }
func spreadTrial(connections int) string { return fmt.Sprintf("bank, %d connections", connections) }

// trials of a round, in their order: each beside what it is compared with.
func (b *bench) trials() []trial {
	var all []trial
	for _, n := range b.connections {
		all = append(all,
			trial{name: echoTrial(n), connections: n, transfers: 1},
			trial{name: spreadTrial(n), connections: n, transfers: 1, onBank: true})
	}
	return append(all,
		trial{name: hotTrial, connections: b.spread(), transfers: 1, onBank: true, onePayer: true},
		trial{name: loneEchoTrial, connections: 1, transfers: 1},
		trial{name: flushTrial, flushes: true},
		trial{name: loneTrial, connections: 1, transfers: 1, onBank: true},
		trial{name: batchTrial, connections: batchConnections, transfers: batchTransfers, onBank: true})
}

func (b *bench) populate(ctx context.Context) error {
	fmt.Fprintf(b.progress, "creating %s customers, one funded account each\n", grouped(float64(b.customers), 0))
	m, err := newMeter(b.echo.pid(), b.bank.pid())
	if err != nil {
		return err
	}
	if b.settled, b.settledIn, err = newPopulation(b.bank.address, b.customers, b.progress).settle(ctx, b.accounts); err != nil {
		return err
	}
	b.settleShare, err = m.share(0)
	b.busiest = max(b.busiest, b.settleShare)
	if err != nil {
		return err
	}
	_, err = b.settle(ctx)
	return err
}

// measure runs all trials in turn, round after round, so that a slow change of the machine meets both
// sides of every comparison.
func (b *bench) measure(ctx context.Context) error {
	for round := 1; round <= b.rounds; round++ {
		for _, t := range b.trials() {
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

func (b *bench) tell(round int, t trial, s sample) {
	fmt.Fprintf(b.progress, "round %d of %d  %-26s", round, b.rounds, t.name)
	if !t.flushes {
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
	target, idle := b.echo, b.bank
	if t.onBank {
		target, idle = b.bank, b.echo
	}
	before, err1 := processCPU(target.pid())
	// The idle server counts among the others: what it does now disturbs.
	m, err2 := newMeter(target.pid())
	if err := errors.Join(err1, err2); err != nil {
		return sample{}, err
	}
	var s sample
	var generatorCPU time.Duration
	var err error
	if t.flushes {
		s.P50, s.P99, err = flushLatency(b.dir)
	} else {
		s.outcome, generatorCPU, err = generate(ctx, b.loadOf(t, target))
	}
	if err := errors.Join(err, ctx.Err(), target.alive(), idle.alive()); err != nil {
		return s, err
	}
	if s.othersShare, err = m.share(generatorCPU); err != nil {
		return s, err
	}
	settled, err := b.settle(ctx)
	if err != nil {
		return s, err
	}
	after, err := processCPU(target.pid())
	s.unsettled, s.wholeCPU = !settled, after-before
	return s, err
}

func (b *bench) loadOf(t trial, target *server) load {
	b.serial++
	return load{
		Address: target.address, Connections: t.connections, Transfers: t.transfers, OnePayer: t.onePayer,
		Accounts: b.accounts, KeyPrefix: fmt.Sprintf("%s-%04d-", b.run, b.serial), Seed: uint64(b.serial),
		WarmUp: warmUp, Window: b.duration, ServerPID: target.pid(),
	}
}

// settle waits until neither server is at work, for settleMax at most. Events go to the stream and to
// reports after the answer: that must neither be lost from the account nor disturb the next trial.
func (b *bench) settle(ctx context.Context) (settled bool, err error) {
	for deadline := time.Now().Add(settleMax); time.Now().Before(deadline); {
		before, err1 := b.serversCPU()
		if err := sleep(ctx, settleStep); err != nil {
			return false, err
		}
		after, err2 := b.serversCPU()
		if err := errors.Join(err1, err2); err != nil {
			return false, errors.Join(err, b.echo.alive(), b.bank.alive())
		}
		if after-before <= tick {
			return true, nil
		}
	}
	return false, nil
}

func (b *bench) serversCPU() (time.Duration, error) {
	echo, err1 := processCPU(b.echo.pid())
	bank, err2 := processCPU(b.bank.pid())
	return echo + bank, errors.Join(err1, err2)
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
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2, busy
	}
	return values[middle], busy
}
