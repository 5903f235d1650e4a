package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// row is one figure and what it is compared with.
type row struct {
	Measure  string  `json:"measure"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	Baseline float64 `json:"baseline,omitempty"` // in the same unit; none: nothing to compare with
	Ratio    float64 `json:"ratio,omitempty"`    // value / baseline
	against  string
	busy     bool // others disturbed it or its baseline
}

// comparison is a figure of one trial beside a figure of another.
type comparison struct {
	measure string
	unit    string
	trial   string
	figure  func(sample) float64
	against string // trial; empty: none
	base    func(sample) float64
}

const (
	perSecond   = "1/s"
	micro       = "µs"
	perRequest  = "µs/request"
	perTransfer = "µs/transfer"
)

// comparisons in the order of the table.
func (b *bench) comparisons() []comparison {
	var all []comparison
	add := func(measure, unit, trial string, figure func(sample) float64, against string, base func(sample) float64) {
		all = append(all, comparison{measure, unit, trial, figure, against, base})
	}
	latencies := func(measure, trial, against string) {
		add(measure+", p50", micro, trial, p50, against, p50)
		add(measure+", p99", micro, trial, p99, against, p99)
		add(measure+", p99.9", micro, trial, p999, against, p999)
	}
	for _, s := range []*server{b.bank, b.silent} {
		for _, n := range b.connections {
			measure, echo, bank := fmt.Sprintf("%s: transfers, %d connections", s.name, n), echoTrial(n), spreadTrial(s, n)
			add(measure, perSecond, bank, rate, echo, rate)
			latencies(measure, bank, echo)
			add(measure+", server CPU", perRequest, bank, serverCPU, echo, serverCPU)
			add(measure+", server CPU until it is idle again", perRequest, bank, wholeCPU, echo, wholeCPU)
			add(measure+", load generator CPU", perRequest, bank, clientCPU, echo, clientCPU)
		}
		hot, spread := fmt.Sprintf("%s: one hot customer, %d connections", s.name, b.spread()), spreadTrial(s, b.spread())
		add(hot, perSecond, of(s, hotTrial), rate, spread, rate)
		latencies(hot, of(s, hotTrial), spread)
		add(hot+", server CPU", perRequest, of(s, hotTrial), serverCPU, spread, serverCPU)

		add(s.name+": lone client, p50", micro, of(s, loneTrial), p50, flushTrial, p50)
		add(s.name+": lone client, p99", micro, of(s, loneTrial), p99, flushTrial, p99)

		for _, name := range []string{batchTrial, protobufTrial} {
			batch := fmt.Sprintf("%s: %s of %d transfers, %d connections", s.name, name, batchTransfers, batchConnections)
			add(batch+", transfers", perSecond, of(s, name), rate, echoTrial(b.spread()), rate)
			latencies(batch+", a batch", of(s, name), "")
			add(batch+", server CPU", perTransfer, of(s, name), serverCPU, echoTrial(b.spread()), serverCPU)
			add(batch+", server CPU until it is idle again", perTransfer, of(s, name), wholeCPU, echoTrial(b.spread()), wholeCPU)
			add(batch+", load generator CPU", perTransfer, of(s, name), clientCPU, echoTrial(b.spread()), clientCPU)
		}

		for _, share := range openShares {
			open := fmt.Sprintf("%s: open loop at %.0f %%", s.name, 100*share)
			add(open, perSecond, openTrial(s, share), rate, spread, rate)
			latencies(open, openTrial(s, share), "")
		}
	}
	add("lone client of the echo, p50", micro, loneEchoTrial, p50, flushTrial, p50)
	return slices.DeleteFunc(all, func(c comparison) bool { return len(b.samples[c.trial]) == 0 })
}

// rows are all figures of the run.
func (b *bench) rows() ([]row, error) {
	var rss int64
	for _, s := range []*server{b.bank, b.silent} {
		peak, err := peakMemory(s.pid())
		if err != nil {
			return nil, err
		}
		rss = max(rss, peak) // of the one that had something to do
	}
	var rows []row
	for _, c := range b.comparisons() {
		r := row{Measure: c.measure, Unit: c.unit, against: c.against}
		r.Value, r.busy = b.median(c.trial, c.figure)
		if c.against != "" {
			var busy bool
			r.Baseline, busy = b.median(c.against, c.base)
			r.busy = r.busy || busy
			r.Ratio = round(per(r.Value, r.Baseline), 3)
		}
		r.Value, r.Baseline = round(r.Value, decimals(r.Value)), round(r.Baseline, decimals(r.Baseline))
		rows = append(rows, r)
	}
	rows = append(rows, b.growthRows()...)
	rows = append(rows,
		row{
			Measure: "setup through batches, operations", Unit: perSecond,
			Value: round(per(float64(b.settled), b.settledIn.Seconds()), 0), busy: b.settleShare > busyShareMax,
		},
		row{Measure: "customers", Value: float64(b.customers)},
		row{Measure: "peak memory of the bank", Value: round(float64(rss)/(1<<20), 0), Unit: "MiB"},
		row{Measure: "failed requests and transfers", Value: float64(b.failures())},
	)
	if b.busiest > busyShareMax {
		rows = append(rows, row{Measure: "busy", Value: round(b.busiest, 2), Unit: "share of the cores used by others", busy: true})
	}
	return rows, nil
}

func (b *bench) failures() uint64 {
	var n uint64
	for _, samples := range b.samples {
		for _, s := range samples {
			n += s.failed()
		}
	}
	return n
}

// verdict prints what makes the figures doubtful, and is an error when something failed.
func (b *bench) verdict(out io.Writer) error {
	if b.busiest > busyShareMax {
		fmt.Fprintf(out, "\nWARNING: others used up to %.0f %% of the cores; figures marked ! are disturbed.\n", b.busiest*100)
	}
	for _, t := range b.trials() {
		if slices.ContainsFunc(b.samples[t.name], func(s sample) bool { return s.unsettled }) {
			fmt.Fprintf(out, "\nWARNING: %s: a server was still at work %v later; its CPU until idle is too low.\n", t.name, settleMax)
		}
	}
	n := b.failures()
	if n == 0 {
		return nil
	}
	fmt.Fprintln(out, "\nFailures:")
	for _, t := range b.trials() {
		var sum outcome
		sum.Statuses = make(map[int]uint64)
		for _, s := range b.samples[t.name] {
			sum.Sent, sum.Answered = sum.Sent+s.Sent, sum.Answered+s.Answered
			sum.Refused, sum.Broken = sum.Refused+s.Refused, sum.Broken+s.Broken
			for status, n := range s.Statuses {
				sum.Statuses[status] += n
			}
		}
		if sum.failed() == 0 {
			continue
		}
		fmt.Fprintf(out, "  %s:", t.name)
		for _, status := range slices.Sorted(maps.Keys(sum.Statuses)) {
			fmt.Fprintf(out, " %d × %s,", status, grouped(float64(sum.Statuses[status]), 0))
		}
		fmt.Fprintf(out, " unanswered %d, connections closed by the server %d, transfers refused in batches %d\n",
			sum.Sent-sum.Answered, sum.Broken, sum.Refused)
	}
	return fmt.Errorf("%s requests or transfers failed", grouped(float64(n), 0))
}

func printTable(out io.Writer, rows []row) {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "value\tbaseline\tratio\tunit\t   measure (against)")
	for _, r := range rows {
		baseline, ratio, measure, mark := "", "", r.Measure, " "
		if r.against != "" {
			baseline, ratio = grouped(r.Baseline, decimals(r.Baseline)), fmt.Sprintf("%.2f", r.Ratio)
			measure += " (" + r.against + ")"
		}
		if r.busy {
			mark = "!"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t %s %s\n", grouped(r.Value, decimals(r.Value)), baseline, ratio, r.Unit, mark, measure)
	}
	_ = w.Flush() // a table that can't be printed has nobody to tell
}

// writeFigures writes the rows as JSON, and beside them the rounds for benchstat.
func (b *bench) writeFigures(rows []row) error {
	figures, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	if err := replace(b.out, append(figures, '\n')); err != nil {
		return err
	}
	return replace(strings.TrimSuffix(b.out, ".json")+".txt", b.benchmarkText())
}

// replace replaces a file at once, so that a reader never finds half of it.
func replace(path string, content []byte) error {
	if err := os.WriteFile(path+".tmp", content, 0o644); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}

// benchmarkText is the run as package testing would print it, a line for each round, for benchstat: it tells
// a difference from noise.
func (b *bench) benchmarkText() []byte {
	text := []byte("Unit req/s better=higher\n")
	for _, t := range b.trials() {
		name := strings.NewReplacer(", ", "/", " ", "-", "-%", "%").Replace(t.name)
		for _, s := range b.samples[t.name] {
			text = fmt.Appendf(text, "Benchmark%s 1", name)
			if t.on != nil {
				text = fmt.Appendf(text, " %.0f req/s %.2f server-µs/op", rate(s), serverCPU(s))
			}
			text = fmt.Appendf(text, " %.0f p50-µs %.0f p99-µs\n", p50(s), p99(s))
		}
	}
	return text
}

// decimals keeps about three digits of small values.
func decimals(v float64) int {
	switch v = math.Abs(v); {
	case v >= 100 || v == math.Trunc(v):
		return 0
	case v >= 10:
		return 1
	}
	return 2
}

func round(v float64, decimals int) float64 {
	scale := math.Pow10(decimals)
	return math.Round(v*scale) / scale
}

// grouped writes a number with commas between thousands.
func grouped(v float64, decimals int) string {
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	digits := len(strconv.FormatInt(int64(v), 10))
	for i := digits - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
