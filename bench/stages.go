package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/pprof/profile"
)

// Where the CPU of a request goes, by stage. Every sample of a CPU profile belongs to the first stage that
// one of its frames names, from the innermost frame outwards: so memory allocated for a reply counts as
// reply, and a system call as kernel whoever made it.

// stage of a request.
type stage struct {
	name   string
	frames []string // prefixes of function names
}

const module = "github.com/suanpan-bank/suanpan/"

// stageRules in the order of a request's life. A rule's frames are looked for before those of the rules
// behind it, so what names a function stands before what names its package.
var stageRules = []stage{
	{"kernel: sockets", []string{module + "ingress.receive", module + "ingress.send", module + "ingress.(*loop).wait", module + "ingress.(*loop).ring"}},
	{"kernel: disk", []string{"os.(*File)", "golang.org/x/sys/unix."}},
	{"kernel: sockets", []string{"net.(*netFD)", "net.(*conn)", "runtime.netpoll"}},
	{"scheduler: threads and goroutines", []string{"runtime.schedule", "runtime.findRunnable", "runtime.mcall", "runtime.park_m", "runtime.goready", "runtime.ready",
		"runtime.wakep", "runtime.futex", "runtime.mstart", "runtime.sysmon", "runtime.gopark", "runtime.chansend", "runtime.chanrecv", "runtime.selectgo", "sync.runtime_"}},
	{"stacks grown", []string{"runtime.newstack", "runtime.morestack", "runtime.copystack"}},
	{"garbage collection", []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcStart", "runtime.gcMark", "runtime.mProf"}},
	{"report, its database included", []string{module + "streams/reporting", "database/sql", "modernc.org/"}},
	{"broker", []string{module + "streams/broker", "github.com/twmb/franz-go"}},
	{"relay", []string{module + "streams", "github.com/segmentio/kafka-go"}},
	{"HTTP", []string{module + "ingress.(*loop)", module + "ingress.(*conn)", module + "ingress.(*side)", module + "ingress.(*workers)", module + "ingress.appendReply"}},
	{"reply", []string{module + "ingress.(*Server).reply", module + "ingress.(*Server).write", module + "ingress.append", module + "ingress.(*transferReply)", module + "ingress.transferReplyOf",
		module + "ingress.(*batchResult)", module + "ingress.(*batch).result", module + "ingress.(*batch).append", module + "ingress.(*batch).lookAhead"}},
	{"metrics", []string{module + "ingress.(*metrics)", "github.com/prometheus"}},
	{"parse, limits, key", []string{module + "ingress", "github.com/go-json-experiment"}},
	{"journal", []string{module + "journal"}},
	{"ledger", []string{module + "ledger"}},
	{"decide", []string{module + "bank.Decide", module + "bank.decide", module + "bank.(*Customer)", module + "bank.(*Desk)", module + "bank.BookTransfer"}},
	{"encode records", []string{module + "bank", "github.com/fxamacker/cbor"}},
	{"pipeline", []string{module + "actors.(*pipeline)", module + "actors.(*draft)"}},
	{"actor and hop", []string{module + "actors", module + "cluster", "github.com/asynkron/protoactor-go"}},
	{"HTTP", []string{"github.com/valyala/fasthttp"}},
	{"the bank's books, on disk", []string{module + "cmd"}},
}

const otherStage = "everything else"

// stages are shares of the CPU time, and how many microseconds of it a transfer took.
type stages struct {
	shares      map[string]float64
	perTransfer float64 // µs
	file        string  // the whole profile
}

// profiled are the trials whose CPU is looked into.
func (b *bench) profiled() (names []string) {
	for _, s := range []*server{b.bank, b.silent} {
		names = append(names, spreadTrial(s, b.spread()), of(s, batchTrial))
	}
	return names
}

// profile runs the busiest trials of each bank once more, with the profiler on: it costs a few percent, so
// the figures of this run are not kept.
func (b *bench) profile(ctx context.Context) error {
	for _, t := range b.chosen() {
		if !slices.Contains(b.profiled(), t.name) {
			continue
		}
		s := t.on
		type fetched struct {
			p   *profile.Profile
			raw []byte
			err error
		}
		done := make(chan fetched, 1)
		begin := time.AfterFunc(warmUp, func() {
			p, raw, err := fetchProfile(ctx, s.profiles, b.duration)
			done <- fetched{p, raw, err}
		})
		sample, err := b.try(ctx, t)
		if err != nil {
			if begin.Stop() {
				return err
			}
			<-done
			return err
		}
		got := <-done
		if got.err != nil {
			return got.err
		}
		file := filepath.Join(filepath.Dir(b.binary), "cpu-"+strings.NewReplacer(" ", "-", ",", "").Replace(t.name)+".pprof")
		if err := os.WriteFile(file, got.raw, 0o644); err != nil {
			return fmt.Errorf("keep the profile: %w", err)
		}
		b.stages[t.name] = stages{shares: shareOut(got.p), perTransfer: serverCPU(sample), file: file}
	}
	return nil
}

// fetchProfile asks a server for a CPU profile, which takes as long as it covers; pprof counts in seconds.
func fetchProfile(ctx context.Context, address string, d time.Duration) (*profile.Profile, []byte, error) {
	seconds := max(1, int(d/time.Second))
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", address, seconds)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("fetch a profile: %w", err)
	}
	defer r.Body.Close()
	raw, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("fetch a profile: %s %w", r.Status, err)
	}
	p, err := profile.ParseData(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("read a profile: %w", err)
	}
	return p, raw, nil
}

// shareOut gives every sample to its stage.
func shareOut(p *profile.Profile) map[string]float64 {
	shares := make(map[string]float64)
	var sum float64
	for _, s := range p.Sample {
		cpu := float64(s.Value[len(s.Value)-1])
		shares[stageOf(s)] += cpu
		sum += cpu
	}
	for name := range shares {
		shares[name] /= sum
	}
	return shares
}

func stageOf(s *profile.Sample) string {
	for _, l := range s.Location {
		for _, line := range l.Line {
			for i := range stageRules {
				if slices.ContainsFunc(stageRules[i].frames, func(prefix string) bool { return strings.HasPrefix(line.Function.Name, prefix) }) {
					return stageRules[i].name
				}
			}
		}
	}
	return otherStage
}

// printStages prints the stages of each bank, largest first.
func (b *bench) printStages(out io.Writer) {
	for _, trial := range b.profiled() {
		found, ok := b.stages[trial]
		if !ok {
			continue
		}
		fmt.Fprintf(out, "\n%s: CPU by stage, of a transfer (whole profile: %s)\n", trial, found.file)
		names := make([]string, 0, len(found.shares))
		for name := range found.shares {
			names = append(names, name)
		}
		slices.SortFunc(names, func(x, y string) int { return cmp.Compare(found.shares[y], found.shares[x]) })
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, name := range names {
			fmt.Fprintf(w, "%5.1f %%\t%5.2f µs\t%s\n", 100*found.shares[name], found.shares[name]*found.perTransfer, name)
		}
		_ = w.Flush() // as the table before it
	}
}
