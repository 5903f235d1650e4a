package main

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	benchCustomers = 100_000 // of BenchmarkEndOfDay, each with an account and four of five with a deposit
	benchRate      = 5000    // transfers a second that go on, in batches
	benchBatch     = 50
	benchBatchers  = 8   // connections of them
	benchAlone     = 100 // a second, one after the other, whose time is taken
	benchPayers    = 64
)

// BenchmarkEndOfDay ends a day by itself, and one while payments go on: how long end and beginning of day take, and
// what payments wait before and meanwhile. SUANPAN_BENCH_CUSTOMERS sets another number of customers.
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
	for i := range 2 * benchPayers {
		accounts = append(accounts, p.customer(customers+i, 100_000_000))
	}
	first := daysEnd(p, "2026-01-16T00:00:01+08:00") // also lets everybody leave memory
	b.ReportMetric(first.cpu*1e6/float64(customers), "first-µs-CPU/customer")
	quiet := daysEnd(p, "2026-01-17T00:00:01+08:00")
	b.ReportMetric(quiet.took.Seconds(), "quiet-s/day")
	b.ReportMetric(quiet.cpu*1e6/float64(customers), "µs-CPU/customer")
	settle(p)
	normal, _ := payments(p, accounts, "n", time.After(5*time.Second))
	ended := make(chan time.Time)
	var busy dayEnd
	go func() {
		busy = daysEnd(p, "2026-01-18T00:00:01+08:00")
		close(ended)
	}()
	during, made := payments(p, accounts, "d", ended)
	b.ReportMetric(busy.took.Seconds(), "s/day")
	b.ReportMetric(float64(customers)/busy.took.Seconds(), "customers/s")
	for name, waits := range map[string][]time.Duration{"normal": normal, "during": during} {
		slices.Sort(waits)
		b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, name+"-p99-ms")
		b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, name+"-p50-ms")
	}
	b.ReportMetric(float64(made)/busy.took.Seconds(), "payments/s")
	b.ReportMetric(p.metric("process_resident_memory_bytes")/(1<<20), "MiB")
	b.ReportMetric(0, "ns/op")
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

// payments makes transfers at benchRate until stop, most of them in batches, and returns how long each of those
// made alone took.
func payments(p *process, accounts []string, key string, stop <-chan time.Time) (waits []time.Duration, made int) {
	var clients sync.WaitGroup
	over := make(chan struct{})
	go func() { <-stop; close(over) }()
	begun := time.Now()
	at := func(i, rate int) bool { // false: it is over
		select {
		case <-over:
			return false
		case <-time.After(time.Until(begun.Add(time.Duration(i) * time.Second / time.Duration(rate)))):
			return true
		}
	}
	transfer := func(i int) string {
		from := i % (len(accounts) / 2) * 2
		return fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1}`, accounts[from], accounts[from+1])
	}
	batched := make([]int, benchBatchers)
	for c := range benchBatchers {
		clients.Go(func() {
			for i := c; at(i, benchRate/benchBatch); i += benchBatchers {
				operations := make([]string, benchBatch)
				for k := range operations {
					operations[k] = fmt.Sprintf(`{"idempotency_key":"%s-%d-%d","path":"/v1/transfers","body":%s}`, key, i, k, transfer(i*benchBatch+k))
				}
				if status, v, err := p.post("/v1/batches", "", `{"operations":[`+strings.Join(operations, ",")+`]}`); err != nil || status != http.StatusOK {
					p.t.Errorf("batch: %d %v %v", status, v, err)
					return
				}
				batched[c] += benchBatch
			}
		})
	}
	clients.Go(func() {
		for i := 0; at(i, benchAlone); i++ {
			sent := time.Now()
			p.must("/v1/transfers", fmt.Sprintf("%s-alone-%d", key, i), transfer(i))
			waits = append(waits, time.Since(sent))
		}
	})
	clients.Wait()
	made = len(waits)
	for _, n := range batched {
		made += n
	}
	return waits, made
}
