package actors

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	journal "github.com/suanpan-bank/suanpan/journal/embedded"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// sizeOf is a size of the benchmark, from the environment or small.
func sizeOf(b *testing.B, name string, size int) int {
	b.Helper()
	if text := os.Getenv(name); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	return size
}

// population registers so many customers, whose sealed data are as long as real ones, each with an account, and tells how two of them pay.
func (o *office) population(customers int) (accounts []bank.AccountNo, pay func(int) bank.Command) {
	o.many(customers, func(n int) bank.Command {
		return &bank.RegisterCustomer{IDKind: bank.ResidentID, Person: bank.PersonSealed{
			NameSealed: make([]byte, 40), IDSealed: make([]byte, 48), MobileSealed: make([]byte, 42), IDToken: fmt.Sprintf("%032x", n),
			MobileToken: fmt.Sprintf("%032x", n), NameToken: fmt.Sprintf("%032x", n), NameMasked: "张*", IDMasked: "220113********0001", MobileMasked: "138****0000",
		}}
	})
	o.many(customers, func(i int) bank.Command {
		accounts = append(accounts, bank.NewAccountNo(1, bank.CustomerNo(i+1), 0))
		return &bank.OpenAccount{Customer: bank.CustomerNo(i + 1), Class: 1, Product: bank.ProductDemoCurrent}
	})
	rng := rand.New(rand.NewPCG(1, 2))
	return accounts, func(int) bank.Command {
		from := rng.IntN(customers)
		return &bank.TransferInternal{Payer: accounts[from], Payee: accounts[(from+1+rng.IntN(customers-1))%customers], AmountFen: 1}
	}
}

// BenchmarkStart builds a bank with a history and measures what its customers cost: in memory, when they come
// back to it, and when the bank starts with a tail of records behind the last checkpoint. The ledger's own
// start is not in it. SUANPAN_BENCH_CUSTOMERS, _OPERATIONS and _TAIL set the sizes.
func BenchmarkStart(b *testing.B) {
	customers := sizeOf(b, "SUANPAN_BENCH_CUSTOMERS", 5_000)
	operations := sizeOf(b, "SUANPAN_BENCH_OPERATIONS", 20_000)
	tail := sizeOf(b, "SUANPAN_BENCH_TAIL", 5_000)
	dir := filepath.Join(b.TempDir(), "journal")
	engine := embedded.New(embedded.Options{})
	o, j, stop := openBench(b, dir, engine)
	began := time.Now()
	accounts, pay := o.population(customers)
	o.many(operations-tail, pay)
	b.Logf("%d customers, %d operations built in %s, %d customers in memory", customers, operations-tail, time.Since(began), o.node.InMemory())
	began = time.Now()
	if err := o.node.Checkpoint(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Logf("checkpoint in %s", time.Since(began))
	o.many(tail, pay)
	stop()
	o.end(j)

	for b.Loop() {
		began = time.Now()
		o, j, stop = openBench(b, dir, engine)
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms/start")
		o.measure(accounts)
		stop()
		o.end(j)
	}
}

// measure brings customers back to memory one by one and reports what each costs.
func (o *office) measure(accounts []bank.AccountNo) {
	b := o.tb.(*testing.B)
	awake := min(len(accounts), InMemoryMaxDefault)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	for i := range awake {
		s, err := o.node.acquire(accounts[i*(len(accounts)/awake)].Customer(), false)
		if err != nil {
			b.Fatal(err)
		}
		s.release()
	}
	b.ReportMetric(float64(time.Since(began).Microseconds())/float64(awake), "µs/comeback")
	for i := range awake { // with his actor
		o.balance(accounts[i*(len(accounts)/awake)])
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric((float64(after.HeapInuse+after.StackInuse)-float64(before.HeapInuse+before.StackInuse))/float64(awake), "B/customer")
}

func openBench(b *testing.B, dir string, engine *embedded.Engine) (o *office, j *journal.Journal, stop func()) {
	b.Helper()
	n := NewNode(Options{
		Engine: engine, Books: engine, EngineAt: 1 << 62, Clock: testClock, Catalogue: bank.DefaultCatalogue(),
		Unseal: func(b []byte) ([]byte, error) { return b, nil }, Logger: slog.New(slog.DiscardHandler), Sequence: 7,
	})
	j, err := journal.Open(dir, journal.Options{OnDurable: n.Durable, OnFault: n.Fault})
	if err != nil {
		b.Fatal(err)
	}
	if err := n.Recover(b.Context(), j); err != nil {
		b.Fatal(err)
	}
	o = &office{tb: b, node: n, opened: uint64(j.Last()) + 1}
	return o, j, o.kept()
}

// many carries out commands, with as many under way as a busy node has.
func (o *office) many(count int, command func(i int) bank.Command) {
	const underWay = 1024
	for done := 0; done < count; {
		var calls []*bank.Call
		for ; len(calls) < underWay && done < count; done++ {
			calls = append(calls, o.call(command(done)))
		}
		o.send(calls...)()
		for _, call := range calls {
			if call.Err != nil {
				o.tb.Fatal(call.Err)
			}
		}
	}
}

// end closes node and journal without a checkpoint.
func (o *office) end(j *journal.Journal) {
	if err := o.node.Close(o.tb.Context()); err != nil {
		o.tb.Fatal(err)
	}
	if err := j.Close(); err != nil {
		o.tb.Fatal(err)
	}
}

// BenchmarkCheckpoint saves everybody, as each checkpoint of a busy bank does: CPU and memory of one. SUANPAN_BENCH_CUSTOMERS
// sets how many.
func BenchmarkCheckpoint(b *testing.B) {
	customers := sizeOf(b, "SUANPAN_BENCH_CUSTOMERS", 20_000)
	o, j, stop := openBench(b, filepath.Join(b.TempDir(), "journal"), embedded.New(embedded.Options{}))
	defer func() {
		stop()
		o.end(j)
	}()
	_, pay := o.population(customers)
	o.many(customers, pay)
	b.ReportAllocs()
	defer reportCPU(b)()
	for b.Loop() {
		for shard := range o.node.shards {
			for s := range o.node.shards[shard].slots.all() {
				s.changed.Store(true)
			}
		}
		if err := o.node.Checkpoint(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
