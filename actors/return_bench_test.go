package actors

import (
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// BenchmarkReturn is a question to a customer who is not in memory, on a node that does nothing else: until he answers. Passivated
// is who left memory and is saved; restarted, who is asked for the first time behind a start whose tail of records behind the
// last checkpoint concerns most of the customers. SUANPAN_BENCH_CUSTOMERS, _OPERATIONS and _TAIL set the sizes.
func BenchmarkReturn(b *testing.B) {
	customers := sizeOf(b, "SUANPAN_BENCH_CUSTOMERS", 20_000)
	operations := sizeOf(b, "SUANPAN_BENCH_OPERATIONS", 60_000)
	tail := sizeOf(b, "SUANPAN_BENCH_TAIL", 20_000)
	dir := filepath.Join(b.TempDir(), "journal")
	engine := embedded.New(embedded.Options{})
	o, j, stop := openBench(b, dir, engine)
	accounts, pay := o.population(customers)
	o.many(operations-tail, pay)
	if err := o.node.Checkpoint(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Run("passivated", func(sub *testing.B) {
		returns(sub, accounts, func() *office {
			o.passivateAll()
			if err := o.node.Checkpoint(b.Context()); err != nil {
				b.Fatal(err)
			}
			return o
		})
	})
	o.many(tail, pay)
	stop()
	o.end(j)
	ended := true
	b.Run("restarted", func(sub *testing.B) {
		returns(sub, accounts, func() *office {
			if !ended {
				stop()
				o.end(j)
			}
			o, j, stop = openBench(b, dir, engine)
			ended = false
			return o
		})
	})
	if !ended {
		stop()
		o.end(j)
	}
}

// returns asks each of the accounts' customers once, in no order, and again when all of them have left anew.
func returns(b *testing.B, accounts []bank.AccountNo, left func() *office) {
	accounts = slices.Clone(accounts)
	rng := rand.New(rand.NewPCG(3, 4))
	var took []time.Duration
	var o *office
	var used, scanned int64
	for b.Loop() {
		next := len(took) % len(accounts)
		if next == 0 {
			b.StopTimer()
			if o != nil {
				used += cpuNow(b) - scanned
			}
			rng.Shuffle(len(accounts), func(i, k int) { accounts[i], accounts[k] = accounts[k], accounts[i] })
			o = left()
			runtime.GC()
			scanned = cpuNow(b)
			b.StartTimer()
		}
		if o.node.slot(accounts[next].Customer()) != nil {
			b.Fatal("he is in memory")
		}
		began := time.Now()
		o.balance(accounts[next])
		took = append(took, time.Since(began))
	}
	used += cpuNow(b) - scanned
	slices.Sort(took)
	b.ReportMetric(float64(used)/float64(len(took))/1e3, "cpu-µs/return")
	for _, p := range []struct {
		name string
		of   float64
	}{{"p50-µs", 0.5}, {"p99-µs", 0.99}, {"p99.9-µs", 0.999}, {"max-µs", 1}} {
		at := min(int(p.of*float64(len(took))), len(took)-1)
		b.ReportMetric(float64(took[at].Nanoseconds())/1e3, p.name)
	}
}
