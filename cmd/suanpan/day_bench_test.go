package main

import (
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Load of BenchmarkEndOfDay: operations that are due at moments set beforehand, whatever has been answered.
const (
	benchCustomers = 100_000 // each with an account and four of five with a deposit
	benchBatched   = 4500    // transfers a second in batches
	benchBatch     = 50
	benchBatchers  = 8   // connections of them
	benchAlone     = 500 // transfers a second alone in their requests, whose time is taken
	benchPayers    = 32  // connections of them
	benchAccounts  = 64  // pairs that pay
	benchGC        = 5000

	benchDays   = 5 // whose ends payments see
	benchNormal = 60 * time.Second
	benchAfter  = 5 * time.Second // behind each day's end: relay and report are behind, too
)

// BenchmarkEndOfDay ends a day by itself, and some while payments go on: how long end and beginning of day take, and
// what payments wait before, meanwhile and behind them. SUANPAN_BENCH_CUSTOMERS sets another number of customers.
func BenchmarkEndOfDay(b *testing.B) {
	customers := benchCustomers
	if text := os.Getenv("SUANPAN_BENCH_CUSTOMERS"); text != "" {
		var err error
		if customers, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	p := startProcess(b, "--clock", demoStart, "--channel-delay", "-1s", "--verbose")
	p.client.Timeout = time.Hour // moving the clock is answered when the day's end is done
	populate(p, customers, benchBatchers)
	var accounts []string
	for i := range 2 * benchAccounts {
		accounts = append(accounts, p.customer(customers+i, 100_000_000))
	}
	date := time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)
	next := func() dayEnd {
		date = date.AddDate(0, 0, 1)
		return daysEnd(p, date.Format(time.DateOnly)+"T00:00:01+08:00")
	}
	first := next() // also lets everybody leave memory
	b.ReportMetric(first.cpu*1e6/float64(customers), "first-µs-CPU/customer")
	quiet := next()
	b.ReportMetric(quiet.took.Seconds(), "quiet-s/day")
	b.ReportMetric(quiet.cpu*1e6/float64(customers), "µs-CPU/customer")

	settle(p)
	debug.SetGCPercent(benchGC) // the little that lives here would be collected every few milliseconds
	unix.Sync()                 // what registering has written is no part of what is normal
	load := startPayments(p, accounts, "normal")
	time.Sleep(time.Second)
	load.begin()
	time.Sleep(benchNormal)
	normal := load.stop()
	var during, after, lengths []time.Duration
	var p99s []time.Duration
	for day := range benchDays {
		settle(p)
		load := startPayments(p, accounts, fmt.Sprint("day-", day))
		time.Sleep(time.Second)
		load.begin()
		took := next().took
		meanwhile := load.begin()
		time.Sleep(benchAfter)
		after = append(after, load.stop()...)
		during, lengths, p99s = append(during, meanwhile...), append(lengths, took), append(p99s, quantile(meanwhile, 99))
		b.Logf("day %d: %.2f s, p50 %v, p99 %v of %d", day, took.Seconds(), quantile(meanwhile, 50), quantile(meanwhile, 99), len(meanwhile))
	}
	took := quantile(lengths, 50)
	b.ReportMetric(took.Seconds(), "s/day")
	b.ReportMetric(float64(customers)/took.Seconds(), "customers/s")
	for _, of := range []struct {
		name  string
		waits []time.Duration
	}{{"normal", normal}, {"during", during}, {"after", after}} {
		b.ReportMetric(ms(quantile(of.waits, 50)), of.name+"-p50-ms")
		b.ReportMetric(ms(quantile(of.waits, 99)), of.name+"-p99-ms")
		b.Logf("%s: p50 %v p90 %v p99 %v p99.9 %v max %v of %d", of.name, quantile(of.waits, 50), quantile(of.waits, 90), quantile(of.waits, 99),
			quantile(of.waits, 99.9), quantile(of.waits, 100), len(of.waits))
	}
	usual := ms(quantile(normal, 99))
	b.ReportMetric(ms(quantile(during, 99))/usual, "p99-ratio")
	b.ReportMetric(ms(slices.Min(p99s))/usual, "p99-ratio-min")
	b.ReportMetric(ms(slices.Max(p99s))/usual, "p99-ratio-max")
	b.ReportMetric(p.metric("process_resident_memory_bytes")/(1<<20), "MiB")
	b.ReportMetric(0, "ns/op")
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// quantile is the wait that so many of a hundred do not exceed.
func quantile(waits []time.Duration, percent float64) time.Duration {
	if len(waits) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(waits))
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*percent/100))]
}

// settle waits until the process does next to nothing: what is normal for a payment is not found while the report
// still reads the day before.
func settle(p *process) {
	const cpu = "process_cpu_seconds_total"
	for began, before := time.Now(), p.metric(cpu); ; {
		time.Sleep(time.Second)
		now := p.metric(cpu)
		if now-before < 0.1 {
			return
		}
		if before = now; time.Since(began) > 10*time.Minute {
			p.t.Fatal("the process does not come to rest")
		}
	}
}

// dayEnd is what a day's end has taken, with everything else that the process did meanwhile.
type dayEnd struct {
	took time.Duration
	cpu  float64 // seconds
}

func daysEnd(p *process, to string) dayEnd {
	const cpu = "process_cpu_seconds_total"
	begun, before := time.Now(), p.metric(cpu)
	p.clockTo(to)
	return dayEnd{time.Since(begun), p.metric(cpu) - before}
}

// paying is transfers that go on: benchBatched a second in batches and benchAlone by themselves.
type paying struct {
	p        *process
	accounts []string
	key      string
	begun    time.Time
	over     chan struct{}
	clients  sync.WaitGroup

	mu    sync.Mutex
	waits []time.Duration // of those by themselves, since begin was called last
}

func startPayments(p *process, accounts []string, key string) *paying {
	l := &paying{p: p, accounts: accounts, key: key, begun: time.Now(), over: make(chan struct{})}
	for c := range benchBatchers {
		l.clients.Go(func() { l.batches(c) })
	}
	for c := range benchPayers {
		l.clients.Go(func() { l.alone(c) })
	}
	return l
}

// begin returns the waits so far; those that follow are counted anew.
func (l *paying) begin() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	waits := l.waits
	l.waits = nil
	return waits
}

func (l *paying) stop() []time.Duration {
	close(l.over)
	l.clients.Wait()
	return l.begin()
}

// await waits until the i-th operation is due; false: it is over.
func (l *paying) await(i, rate int) (due time.Time, ok bool) {
	due = l.begun.Add(time.Duration(i) * time.Second / time.Duration(rate))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-l.over:
		return due, false
	case <-timer.C:
		return due, true
	}
}

func (l *paying) transfer(i int) string {
	from := i % (len(l.accounts) / 2) * 2
	return fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1}`, l.accounts[from], l.accounts[from+1])
}

func (l *paying) batches(c int) {
	for i := c; ; i += benchBatchers {
		operations := make([]string, benchBatch)
		for k := range operations {
			operations[k] = fmt.Sprintf(`{"idempotency_key":"%s-%d-%d","path":"/v1/transfers","body":%s}`, l.key, i, k, l.transfer(i*benchBatch+k))
		}
		body := `{"operations":[` + strings.Join(operations, ",") + `]}`
		if _, ok := l.await(i, benchBatched/benchBatch); !ok {
			return
		}
		if status, v, err := l.p.post("/v1/batches", "", body); err != nil || status != http.StatusOK {
			l.p.t.Errorf("batch: %d %v %v", status, v, err)
			return
		}
	}
}

// alone makes one transfer after the other, and takes their time: from when each was due if the one before it was not
// answered by then, for nobody else would have waited for that; otherwise from when it was sent.
func (l *paying) alone(c int) {
	for i := c; ; i += benchPayers {
		free := time.Now()
		due, ok := l.await(i, benchAlone)
		if !ok {
			return
		}
		from := time.Now()
		if free.After(due) {
			from = due
		}
		status, v, err := l.p.post("/v1/transfers", fmt.Sprintf("%s-alone-%d", l.key, i), l.transfer(i))
		wait := time.Since(from)
		if err != nil || status != http.StatusCreated {
			l.p.t.Errorf("transfer: %d %v %v", status, v, err)
			return
		}
		l.mu.Lock()
		l.waits = append(l.waits, wait)
		l.mu.Unlock()
	}
}
