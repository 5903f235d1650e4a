// Bench measures the bank's internal transfers against a do-nothing fasthttp handler: in one run, on
// one machine, with the same requests from the same load generator. Figures of this kind mean little
// by themselves; the ratio of the two is what holds from machine to machine.
//
// Start here: the options and what a run does. Then trial.go (what is measured), load.go (the
// generator), servers.go (the processes), measure.go (CPU, memory, disk) and report.go (the table).
// It needs Linux: epoll and /proc.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type options struct {
	customers   int
	duration    time.Duration
	rounds      int
	connections []int
	binary      string
	force       bool
	out         string
	only        *regexp.Regexp
	sizes       []int // customers of the banks that show how cost grows with them
	active      int   // customers of these who pay, where there are more
	history     int   // operations behind the bank that is killed and started again
	short       bool
}

func main() {
	if child, err := runChild(); child {
		exit(err)
	}
	o, err := parseOptions(os.Args[1:])
	if err != nil {
		os.Exit(2) // package flag has said why
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, o, os.Stdout, os.Stderr)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = errors.New("interrupted; everything is stopped and removed")
	}
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

const (
	customersMin   = 1000 // fewer are no spread
	connectionsMax = 4096
	sizeMax        = 10_000_000
	historyDefault = 1_000_000
	shortCustomers = 10_000
	shortDuration  = time.Second
	shortRounds    = 1
	latest         = "bench/latest.json"
)

var sizesDefault = []int{1000, 10_000, 100_000}

func parseOptions(args []string) (options, error) {
	o := options{connections: []int{64, 256}}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.customers, "customers", 100_000, "how many customers, each with a funded account")
	f.DurationVar(&o.duration, "duration", 2*time.Second, "how long each trial is measured in each round")
	f.IntVar(&o.rounds, "rounds", 6, "how often each trial runs; the median counts, and benchstat wants six")
	f.Func("connections", "comma-separated `numbers` of connections; the hot customer uses the last (default 64,256)", o.setConnections)
	f.Func("sizes", "comma-separated `numbers` of customers, each a bank of its own (default 1000,10000,100000; none with -short or -only)", func(list string) (err error) {
		o.sizes, err = numbers(list, sizeMax)
		return err
	})
	f.IntVar(&o.active, "active", 100_000, "how many customers pay in a bank of -sizes that has more, in addition to payments between all")
	f.IntVar(&o.history, "history", historyDefault, "operations behind the bank that is killed and started again; 0, and the default with -short or -only: none")
	f.StringVar(&o.binary, "binary", "./bin/suanpan", "`program` that serves the bank")
	f.BoolVar(&o.force, "force", false, "measure although the machine is busy or the data would lie in memory")
	f.StringVar(&o.out, "out", "", "`file` for the figures (default "+latest+"; with -short none)")
	f.Func("only", "run only the trials whose names match the `pattern`, and keep no figures", func(pattern string) (err error) {
		o.only, err = regexp.Compile(pattern)
		return err
	})
	f.BoolVar(&o.short, "short", false, "a smoke test: 10,000 customers, one round of a second a trial, unless other flags say so")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	given := make(map[string]bool)
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	o.fill(given)
	if err := o.check(f.Args()); err != nil {
		fmt.Fprintln(f.Output(), "bench:", err)
		return o, err
	}
	return o, nil
}

func (o *options) setConnections(list string) (err error) {
	o.connections, err = numbers(list, connectionsMax)
	return err
}

// numbers reads a list of whole numbers from 1 to most.
func numbers(list string, most int) (all []int, err error) {
	for field := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 || n > most {
			return nil, fmt.Errorf("%q is not a number from 1 to %d", field, most)
		}
		all = append(all, n)
	}
	return all, nil
}

// fill sets what depends on other flags. A smoke test leaves the last real figures alone.
func (o *options) fill(given map[string]bool) {
	part := o.short || given["only"]
	if !given["only"] {
		o.only = regexp.MustCompile("")
	}
	if part && !given["history"] {
		o.history = 0
	}
	if !part {
		if !given["sizes"] {
			o.sizes = sizesDefault
		}
		if !given["out"] {
			o.out = latest
		}
	}
	if !o.short {
		return
	}
	if !given["customers"] {
		o.customers = shortCustomers
	}
	if !given["duration"] {
		o.duration = shortDuration
	}
	if !given["rounds"] {
		o.rounds = shortRounds
	}
}

func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q is not understood", rest[0])
	case o.customers < customersMin:
		return fmt.Errorf("-customers must be at least %d", customersMin)
	case o.active < 2:
		return errors.New("-active must be at least 2")
	case o.rounds < 1 || o.duration < 100*time.Millisecond:
		return errors.New("-rounds must be at least 1, -duration at least 100ms")
	}
	return nil
}

// spread is the number of connections that the hot customer and the batches are compared with.
func (o *options) spread() int { return o.connections[len(o.connections)-1] }

// run starts the servers, fills the bank, measures and prints. Whatever happens, nothing is left:
// no process, no data.
func run(ctx context.Context, o options, out, progress io.Writer) (err error) {
	if _, err := os.Stat(o.binary); err != nil {
		return fmt.Errorf("no bank to measure (build it with make build, or name it with -binary): %w", err)
	}
	quiet, err := quietMachine(ctx, o.force, progress)
	if err != nil {
		return err
	}
	dir, err := workspace(o)
	if err != nil {
		return err
	}
	defer func() {
		if e := os.RemoveAll(dir); e != nil {
			err = errors.Join(err, fmt.Errorf("remove the bench's data: %w", e))
		}
	}()
	b := newBench(o, dir, progress)
	b.busiest = quiet
	defer b.stop()
	if err := b.start(ctx); err != nil {
		return err
	}
	if err := b.populate(ctx); err != nil {
		return errors.Join(err, b.alive())
	}
	if err := b.measure(ctx); err != nil {
		return errors.Join(err, b.alive())
	}
	if err := b.profile(ctx); err != nil {
		return errors.Join(err, b.alive())
	}
	if err := b.grow(ctx); err != nil {
		return errors.Join(err, b.alive())
	}
	rows, err := b.rows()
	if err != nil {
		return err
	}
	printTable(out, rows)
	b.printStages(out)
	if o.out != "" {
		if err := b.writeFigures(rows); err != nil {
			return err
		}
	}
	return b.verdict(out)
}

// quietTime is how long the machine is watched before anything starts.
const quietTime = time.Second

// quietMachine returns the share of the cores that others use, and refuses when it is too large.
func quietMachine(ctx context.Context, force bool, progress io.Writer) (float64, error) {
	m, err := newMeter()
	if err != nil {
		return 0, err
	}
	if err := sleep(ctx, quietTime); err != nil {
		return 0, err
	}
	share, err := m.share(0)
	if err != nil || share <= busyShareMax {
		return share, err
	}
	busy := fmt.Sprintf("the machine is busy: others use %.0f %% of its %d cores, more than %.0f %%",
		share*100, runtime.NumCPU(), busyShareMax*100)
	if !force {
		return share, errors.New(busy + "; wait until it is quiet, or use -force")
	}
	fmt.Fprintln(progress, "warning:", busy)
	return share, nil
}

// workspace makes the directory for everything the run writes: beside the program, that is on the
// project's disk and where version control does not look.
func workspace(o options) (string, error) {
	parent := filepath.Dir(o.binary)
	if inMemory(parent) && !o.force {
		return "", fmt.Errorf("%s lies in memory, where a flush costs nothing; move the program (-binary), or use -force", parent)
	}
	dir, err := os.MkdirTemp(parent, "bench-")
	if err != nil {
		return "", fmt.Errorf("make room for the bench's data: %w", err)
	}
	return filepath.Abs(dir)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
