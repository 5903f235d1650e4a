package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// How the cost of a transfer grows with customers and with history, and how long a bank with a history takes
// to serve again after it was killed. Each figure has a bank of its own, without a stream, one after the
// other: two large ones at once would compete for memory.

// growth is what was found.
type growth struct {
	sizes   []grown
	before  sample // of the bank that gets a history, without it
	after   sample // with it
	history int    // operations
	restart time.Duration
	disk    int64 // bytes of its data
}

// grown is a bank of so many customers.
type grown struct {
	customers       int
	single, batches sample
	peakRSS         int64

	// The same while only the active customers pay, where there are more.
	active, activeBatches sample
	activeRSS             int64 // resident then
}

// activeRounds is how many payments each active customer makes, on average, before that is measured, so that nearly all are in
// memory.
const activeRounds = 5

// restartMax is how long a bank may take to serve again before we give up.
const restartMax = 5 * time.Minute

func (b *bench) grow(ctx context.Context) error {
	for _, size := range b.sizes {
		g, err := b.growTo(ctx, size)
		if err != nil {
			return fmt.Errorf("%d customers: %w", size, err)
		}
		b.growth.sizes = append(b.growth.sizes, g)
	}
	if b.history == 0 {
		return nil
	}
	if err := b.growOld(ctx); err != nil {
		return fmt.Errorf("a history of %d operations: %w", b.history, err)
	}
	return nil
}

// lonely starts a bank that nothing else of the bench uses.
func (b *bench) lonely(ctx context.Context, name string, customers int) (*server, error) {
	s, err := startBank(ctx, name, b.binary, filepath.Join(b.dir, name), "--stream", "off")
	if err != nil {
		return nil, err
	}
	b.others = append(b.others, s)
	if _, _, err := newPopulation(s.address, customers, b.progress).settle(ctx, b.accountsOf(s)); err != nil {
		return nil, errors.Join(err, s.alive())
	}
	_, err = b.settle(ctx)
	return s, err
}

func (b *bench) growTo(ctx context.Context, customers int) (g grown, err error) {
	s, err := b.lonely(ctx, fmt.Sprintf("%s customers", grouped(float64(customers), 0)), customers)
	if err != nil {
		return g, err
	}
	defer b.discard(s)
	g.customers = customers
	single := trial{name: spreadTrial(s, b.spread()), on: s, connections: b.spread(), transfers: 1}
	batches := trial{name: of(s, batchTrial), on: s, connections: batchConnections, transfers: batchTransfers}
	if g.single, err = b.once(ctx, single); err != nil {
		return g, err
	}
	if g.batches, err = b.once(ctx, batches); err != nil {
		return g, err
	}
	if g.peakRSS, err = peakMemory(s.pid()); err != nil || customers <= b.active {
		return g, err
	}
	single.among, batches.among = b.active, b.active
	single.name += b.activeSuffix()
	batches.name += b.activeSuffix()
	if err = b.pay(ctx, batches, activeRounds*b.active); err != nil {
		return g, err
	}
	if _, err = b.settle(ctx); err != nil {
		return g, err
	}
	if g.active, err = b.once(ctx, single); err != nil {
		return g, err
	}
	if g.activeBatches, err = b.once(ctx, batches); err != nil {
		return g, err
	}
	g.activeRSS, err = residentMemory(s.pid())
	return g, err
}

func (o *options) activeSuffix() string {
	return fmt.Sprintf(", %s pay", grouped(float64(o.active), 0))
}

// once is a trial of one round, told.
func (b *bench) once(ctx context.Context, t trial) (sample, error) {
	s, err := b.try(ctx, t)
	if err == nil {
		b.tell(1, t, s)
	}
	return s, err
}

// pay has so many payments made.
func (b *bench) pay(ctx context.Context, t trial, payments int) error {
	for paid := 0; paid < payments; {
		l := b.loadOf(t)
		l.Until = uint64(payments - paid)
		l.Window = historyWindow
		done, _, err := generate(ctx, l)
		if err := errors.Join(err, t.on.alive()); err != nil {
			return err
		}
		if done.Succeeded == 0 || done.failed() > 0 {
			return fmt.Errorf("%d of %d transfers failed", done.failed(), done.Sent*batchTransfers)
		}
		paid += int(done.Succeeded)
		fmt.Fprintf(b.progress, "  %s: %s of %s payments\n", t.name, grouped(float64(paid), 0), grouped(float64(payments), 0))
	}
	return nil
}

// discard ends a bank and removes its data.
func (b *bench) discard(s *server) {
	s.stop()
	b.others = b.others[:len(b.others)-1]
	_ = os.RemoveAll(filepath.Join(b.dir, s.name)) // what is left goes with the workspace
}

// growOld gives a bank a history, kills it and starts it again.
func (b *bench) growOld(ctx context.Context) error {
	s, err := b.lonely(ctx, "history", b.customers)
	if err != nil {
		return err
	}
	defer func() { b.discard(s) }()
	single := trial{name: spreadTrial(s, b.spread()), on: s, connections: b.spread(), transfers: 1}
	if b.growth.before, err = b.once(ctx, single); err != nil {
		return err
	}
	batches := trial{name: of(s, batchTrial), on: s, connections: batchConnections, transfers: batchTransfers}
	if err = b.pay(ctx, batches, b.history); err != nil {
		return err
	}
	b.growth.history = b.history
	if _, err = b.settle(ctx); err != nil { // what the history left to do is not a later operation's cost
		return err
	}
	if b.growth.after, err = b.once(ctx, single); err != nil {
		return err
	}
	s.stop() // kills
	if b.growth.disk, err = sizeOf(filepath.Join(b.dir, s.name)); err != nil {
		return err
	}
	again, took, err := restart(ctx, s)
	if err != nil {
		return err
	}
	b.others[len(b.others)-1], s = again, again
	b.growth.restart = took
	fmt.Fprintf(b.progress, "serving again %v after exec\n", took.Round(time.Millisecond))
	return nil
}

// historyWindow is how long one generator pays.
const historyWindow = time.Minute

// restart starts the same bank over the same data and takes the time from exec to the first 200.
func restart(ctx context.Context, old *server) (*server, time.Duration, error) {
	s := &server{
		name: old.name, address: old.address, profiles: old.profiles, cmd: command(ctx, old.cmd.Path, old.cmd.Args[1:]...),
	}
	begun := time.Now()
	if err := s.start(); err != nil {
		return nil, 0, err
	}
	err := s.await(ctx, restartMax, func() bool {
		status, _, err := get("http://" + s.address + "/readyz")
		return err == nil && status == http.StatusOK
	})
	took := time.Since(begun)
	if err != nil {
		s.stop()
	}
	return s, took, err
}

// sizeOf is how many bytes the files below a directory have.
func sizeOf(dir string) (sum int64, err error) {
	err = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

// rows of growth.
func (b *bench) growthRows() (rows []row) {
	g := &b.growth
	add := func(measure string, value float64, unit string, busy bool) {
		rows = append(rows, row{Measure: measure, Value: round(value, decimals(value)), Unit: unit, busy: busy})
	}
	for _, s := range g.sizes {
		name := grouped(float64(s.customers), 0) + " customers: "
		add(name+"transfers", rate(s.single), perSecond, s.single.busy())
		add(name+"server CPU", serverCPU(s.single), perRequest, s.single.busy())
		add(name+"transfers in batches", rate(s.batches), perSecond, s.batches.busy())
		add(name+"server CPU in batches", serverCPU(s.batches), perTransfer, s.batches.busy())
		add(name+"peak memory", float64(s.peakRSS)/(1<<20), "MiB", false)
		if s.activeRSS == 0 {
			continue
		}
		name = grouped(float64(s.customers), 0) + " customers" + b.activeSuffix() + ": "
		add(name+"transfers", rate(s.active), perSecond, s.active.busy())
		add(name+"p99", p99(s.active), micro, s.active.busy())
		add(name+"server CPU", serverCPU(s.active), perRequest, s.active.busy())
		add(name+"transfers in batches", rate(s.activeBatches), perSecond, s.activeBatches.busy())
		add(name+"server CPU in batches", serverCPU(s.activeBatches), perTransfer, s.activeBatches.busy())
		add(name+"resident memory", float64(s.activeRSS)/(1<<20), "MiB", false)
	}
	if g.history == 0 {
		return rows
	}
	name := grouped(float64(g.history), 0) + " operations of history: "
	after := row{
		Measure: name + "server CPU", Value: round(serverCPU(g.after), 1), Unit: perRequest, Baseline: round(serverCPU(g.before), 1),
		Ratio: round(per(serverCPU(g.after), serverCPU(g.before)), 3), against: "without", busy: g.before.busy() || g.after.busy(),
	}
	rows = append(rows, after)
	add(name+"transfers", rate(g.after), perSecond, g.after.busy())
	add(name+"data on disk", float64(g.disk)/(1<<20), "MiB", false)
	add(name+"from exec to serving, after a kill", g.restart.Seconds(), "s", false)
	return rows
}
