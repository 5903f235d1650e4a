package embedded

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/ledger"
)

// benchmarkAccounts is the size of a large bank; -short measures a small one.
func benchmarkAccounts() int {
	if testing.Short() {
		return 100_000
	}
	return 10_000_000
}

func openAccounts(tb testing.TB, e *Engine, n int) {
	tb.Helper()
	var results []ledger.CreateAccountResult
	batch := make([]ledger.Account, 0, batchMax)
	for id := 1; id <= n; id++ {
		batch = append(batch, ledger.Account{ID: accountID(uint64(id)), UserData128: ledger.Uint128{Hi: 1, Lo: uint64(id)}, Ledger: 156, Code: 2011})
		if len(batch) == cap(batch) || id == n {
			results = e.ExecuteAccounts(0, batch, results[:0])
			for _, r := range results {
				if r.Status != ledger.AccountCreated {
					tb.Fatal(r.Status)
				}
			}
			batch = batch[:0]
		}
	}
}

// accountID scatters the ids as a hash would.
func accountID(n uint64) ledger.Uint128 {
	return ledger.Uint128{Lo: n * 0x9e3779b97f4a7c15, Hi: n}
}

// payments makes batches of plain transfers between random accounts, each with a random id and a business
// id of its own.
type payments struct {
	random   *rand.Rand
	accounts uint64
	n        uint64
}

func newPayments(accounts int) *payments {
	return &payments{random: rand.New(rand.NewPCG(1, 2)), accounts: uint64(accounts)}
}

func (p *payments) fill(batch []ledger.Transfer) {
	for i := range batch {
		from := p.random.Uint64N(p.accounts)
		to := (from + 1 + p.random.Uint64N(p.accounts-1)) % p.accounts
		p.n++
		batch[i] = ledger.Transfer{
			ID: paymentID(p.n), DebitAccountID: accountID(from + 1), CreditAccountID: accountID(to + 1),
			Amount: ledger.U64(1), UserData128: ledger.Uint128{Lo: p.n * 0xd1342543de82ef95, Hi: 1},
			Ledger: 156, Code: 1121, UserData32: 20261124,
		}
	}
}

func paymentID(n uint64) ledger.Uint128 {
	return ledger.Uint128{Lo: n * 0xff51afd7ed558ccd, Hi: n * 0x9e3779b97f4a7c15}
}

// run executes n payments in batches of size.
func (p *payments) run(tb testing.TB, e *Engine, n, size int) {
	batch := make([]ledger.Transfer, size)
	results := make([]ledger.CreateTransferResult, 0, size)
	for done := 0; done < n; done += size {
		part := batch[:min(size, n-done)]
		p.fill(part)
		results = e.ExecuteTransfers(0, part, results[:0])
		if results[0].Status != ledger.TransferCreated {
			tb.Fatal(results[0].Status)
		}
	}
}

// BenchmarkCreateTransfers measures a plain transfer between two random accounts as the bank's pipeline has
// it executed, alone and in full batches: applied in memory, rows and field index written behind it, no log.
func BenchmarkCreateTransfers(b *testing.B) {
	accounts := benchmarkAccounts()
	e, _, err := Attach(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	openAccounts(b, e, accounts)
	p := newPayments(accounts)
	p.run(b, e, warmUp, batchMax)
	for _, size := range []int{1, batchMax} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			before := cpuSeconds(b)
			p.run(b, e, b.N, size)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "transfers/s")
			b.ReportMetric((cpuSeconds(b)-before)/b.Elapsed().Seconds(), "cores")
		})
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkTransfersInMemory measures the same full batches in an engine that has no directory: all rows stay in memory,
// which is new to the process, and the index by field is made beside it.
func BenchmarkTransfersInMemory(b *testing.B) {
	accounts := benchmarkAccounts()
	e := New(Options{})
	openAccounts(b, e, accounts)
	p := newPayments(accounts)
	p.run(b, e, inMemoryWarmUp, batchMax)
	before := cpuSeconds(b)
	b.ReportAllocs()
	b.ResetTimer()
	p.run(b, e, b.N, batchMax)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "transfers/s")
	b.ReportMetric((cpuSeconds(b)-before)/b.Elapsed().Seconds(), "cores")
}

// inMemoryWarmUp is fewer than warmUp: no part of this memory is used again.
const inMemoryWarmUp = 2_000_000

// BenchmarkFloor measures the memory accesses of a plain transfer and nothing else, for comparison: no rules,
// no lists, no history, no disk. Two accounts of ten million are found by id in a hash table and changed, an id
// is looked for and entered in another, a row of 160 bytes is written. All of it lies in huge pages, and what
// 64 transfers need is read together first, as the engine does.
func BenchmarkFloor(b *testing.B) {
	accounts := uint64(benchmarkAccounts())
	const idBits = 26
	shift := 64 - bits.Len64(2*accounts-1)
	memory := [...]*mapping{mapHuge(int(accounts) * int(unsafe.Sizeof(accountRow{}))), mapHuge(8 << (64 - shift)), mapHuge(8 << idBits)}
	defer runtime.KeepAlive(memory)
	rows, places, ids := sliceOf[accountRow](memory[0].bytes), sliceOf[uint64](memory[1].bytes), sliceOf[uint64](memory[2].bytes)
	clear(ids) // its first touch is not to be measured
	written := make([]transferRow, 1<<18)
	find := func(id ledger.Uint128) *accountRow {
		hash := hashOf(id)
		for place := hash >> shift; ; place = (place + 1) & uint64(len(places)-1) {
			if entry := places[place]; uint32(entry>>32) == uint32(hash) && rows[uint32(entry)-1].id == id {
				return &rows[uint32(entry)-1]
			}
		}
	}
	for n := range accounts {
		rows[n].id = accountID(n + 1)
		hash := hashOf(rows[n].id)
		place := hash >> shift
		for places[place] != 0 {
			place = (place + 1) & uint64(len(places)-1)
		}
		places[place] = hash<<32 | (n + 1)
	}
	p := newPayments(int(accounts))
	batch := make([]ledger.Transfer, batchMax)
	sink := uint64(0)
	b.ResetTimer()
	for done := 0; done < b.N; done += batchMax {
		part := batch[:min(batchMax, b.N-done)]
		p.fill(part)
		for i := range part {
			if i%warmAhead == 0 {
				ahead := part[i:min(i+warmAhead, len(part))]
				for k := range ahead {
					t := &ahead[k]
					sink ^= places[hashOf(t.DebitAccountID)>>shift] ^ places[hashOf(t.CreditAccountID)>>shift] ^ ids[hashOf(t.ID)>>(64-idBits)]
				}
				for k := range ahead {
					t := &ahead[k]
					dr, cr := places[hashOf(t.DebitAccountID)>>shift], places[hashOf(t.CreditAccountID)>>shift]
					sink ^= rows[max(uint32(dr), 1)-1].id.Lo ^ rows[max(uint32(cr), 1)-1].id.Lo
				}
			}
			t := &part[i]
			hash := hashOf(t.ID)
			place := hash >> (64 - idBits)
			for ids[place] != 0 && uint32(ids[place]>>32) != uint32(hash) {
				place = (place + 1) & (1<<idBits - 1)
			}
			dr, cr := find(t.DebitAccountID), find(t.CreditAccountID)
			dr.debitsPosted += t.Amount.Lo
			cr.creditsPosted += t.Amount.Lo
			ids[place] = hash<<32 | uint64(done+i)&0x7fffffff
			written[(done+i)&(len(written)-1)] = transferRow{
				id: t.ID, userData128: t.UserData128, amount: t.Amount.Lo, code: t.Code, ledger: t.Ledger,
				balances: balances{dr.debitsPosted, dr.creditsPosted, cr.debitsPosted, cr.creditsPosted},
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "transfers/s")
	runtime.KeepAlive(sink)
}

// warmUp is how many transfers go before the measured ones: they fill the fixed part of the memory, whose
// first touch costs more than the transfers.
const warmUp = 8_000_000

// BenchmarkDurableTransfers measures full batches, each durable in the log before the next but one begins.
func BenchmarkDurableTransfers(b *testing.B) {
	accounts := benchmarkAccounts()
	e, err := Open(b.TempDir(), Options{SnapshotEvery: 1 << 60})
	if err != nil {
		b.Fatal(err)
	}
	for first := 1; first <= accounts; first += batchMax {
		batch := make([]ledger.Account, 0, batchMax)
		for id := first; id < first+batchMax && id <= accounts; id++ {
			batch = append(batch, ledger.Account{ID: accountID(uint64(id)), UserData128: ledger.Uint128{Hi: 1, Lo: uint64(id)}, Ledger: 156, Code: 2011})
		}
		if _, err := e.CreateAccounts(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	p := newPayments(accounts)
	pay := make([]ledger.Transfer, batchMax)
	for done := 0; done < warmUp; done += batchMax {
		p.fill(pay)
		if _, err := e.CreateTransfers(context.Background(), pay); err != nil {
			b.Fatal(err)
		}
	}
	before := cpuSeconds(b)
	b.ReportAllocs()
	b.ResetTimer()
	// Two callers: one waits for the disk while the other is executed.
	batches := make(chan []ledger.Transfer)
	ended := make(chan error, 2)
	spare := make(chan []ledger.Transfer, cap(ended)+1) // one being filled, one for each caller
	for range cap(spare) {
		spare <- make([]ledger.Transfer, batchMax)
	}
	for range cap(ended) {
		go func() {
			var fault error
			for batch := range batches {
				results, err := e.CreateTransfers(context.Background(), batch)
				if err == nil && results[0].Status != ledger.TransferCreated {
					err = fmt.Errorf("%v", results[0].Status)
				}
				if err != nil {
					fault = err
				}
				spare <- batch[:cap(batch)]
			}
			ended <- fault
		}()
	}
	for done := 0; done < b.N; done += batchMax {
		batch := (<-spare)[:min(batchMax, b.N-done)]
		p.fill(batch)
		batches <- batch
	}
	close(batches)
	for range cap(ended) {
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "transfers/s")
	b.ReportMetric((cpuSeconds(b)-before)/b.Elapsed().Seconds(), "cores")
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSnapshot measures how long requests of 64 transfers take at most while a snapshot of ten million
// accounts is written, and while none is: a thousand requests a second, which leaves the cores time to write it.
// At full speed both want the cores, and what is measured is the scheduler.
func BenchmarkSnapshot(b *testing.B) {
	accounts := benchmarkAccounts()
	e, _, err := Attach(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	openAccounts(b, e, accounts)
	p := newPayments(accounts)
	p.run(b, e, warmUp, batchMax)
	batch := make([]ledger.Transfer, 64)
	var results []ledger.CreateTransferResult
	longest := func(until func() bool) (most time.Duration, requests int) {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for !until() {
			<-tick.C
			p.fill(batch)
			begin := time.Now()
			results = e.ExecuteTransfers(0, batch, results[:0])
			most = max(most, time.Since(begin))
			requests++
		}
		return most, requests
	}
	for b.Loop() {
		quiet := 0
		without, _ := longest(func() bool { quiet++; return quiet > 3000 })
		begin := time.Now()
		s, err := e.BeginSnapshot(uint64(b.N))
		if err != nil {
			b.Fatal(err)
		}
		began := time.Since(begin)
		written := make(chan error, 1)
		go func() { written <- s.Write(context.Background(), alwaysLogged) }()
		with, requests := longest(func() bool {
			select {
			case err := <-written:
				if err != nil {
					b.Fatal(err)
				}
				return true
			default:
				return false
			}
		})
		b.ReportMetric(float64(without.Microseconds())/1e3, "ms-longest-without")
		b.ReportMetric(float64(began.Microseconds())/1e3, "ms-beginning")
		b.ReportMetric(float64(with.Microseconds())/1e3, "ms-longest-with")
		b.ReportMetric(float64(requests*len(batch)), "transfers-meanwhile")
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkMemory measures what an account and a transfer cost in memory, as the system sees the process,
// file pages aside. SUANPAN_BENCH_TRANSFERS sets how many transfers (default 10 million).
func BenchmarkMemory(b *testing.B) {
	accounts := benchmarkAccounts()
	transfers := accounts
	if s := os.Getenv("SUANPAN_BENCH_TRANSFERS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		transfers = n
	}
	for b.Loop() {
		e, _, err := Attach(b.TempDir(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		start := residentBytes(b)
		openAccounts(b, e, accounts)
		opened := residentBytes(b)
		p := newPayments(accounts)
		p.run(b, e, 1_000_000, batchMax) // fills the fixed part
		fixed := residentBytes(b)
		p.run(b, e, transfers-1_000_000, batchMax)
		full := residentBytes(b)
		b.ReportMetric(float64(opened-start)/float64(accounts), "B/account")
		b.ReportMetric(float64(fixed-opened)/1e6, "MB-fixed")
		b.ReportMetric(float64(full-fixed)/float64(transfers-1_000_000), "B/transfer")
		lookups(b, e, p.n)
		statement(b, e, p)
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// each is how long one call takes on average, in µs.
func each(n int, call func()) float64 {
	begin := time.Now()
	for range n {
		call()
	}
	return float64(time.Since(begin).Nanoseconds()) / 1e3 / float64(n)
}

// lookups measures finding old transfers by id, as the writing has left the page cache and with nothing in it.
func lookups(b *testing.B, e *Engine, transfers uint64) {
	random := rand.New(rand.NewPCG(3, 4))
	find := func() {
		if _, ok := e.Transfer(paymentID(1 + random.Uint64N(transfers))); !ok {
			b.Fatal("a transfer is lost")
		}
	}
	b.ReportMetric(each(200_000, find), "µs/lookup")
	if err := unix.Fadvise(int(e.transfers.file.disk.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(each(2_000, find), "µs/lookup-cold")
}

// statement measures a page of 50 from the middle of an account with 100,000 transfers, spread among others'.
func statement(b *testing.B, e *Engine, p *payments) {
	const busy, of = 100_000, 10
	shop := ledger.Account{ID: ledger.U64(7), Ledger: 156, Code: 2011, Flags: ledger.AccountHistory}
	e.ExecuteAccounts(0, []ledger.Account{shop}, nil)
	batch := make([]ledger.Transfer, batchMax)
	var middle uint64
	for done := 0; done < busy; {
		p.fill(batch)
		for i := 0; i < len(batch); i += of {
			batch[i].CreditAccountID = shop.ID
			done++
		}
		if r := e.ExecuteTransfers(0, batch, nil); done >= busy/2 && middle == 0 {
			middle = r[0].Timestamp
		}
	}
	for _, flags := range []ledger.AccountFilterFlags{0, ledger.AccountFilterReversed} {
		filter := ledger.AccountFilter{AccountID: shop.ID, TimestampMin: middle, Limit: 50, Flags: flags | ledger.AccountFilterDebits | ledger.AccountFilterCredits}
		name := "µs/page"
		if flags != 0 {
			filter.TimestampMin, filter.TimestampMax = 0, middle
			name = "µs/page-reversed"
		}
		b.ReportMetric(each(1000, func() {
			page, err := e.AccountTransfers(context.Background(), filter)
			if err != nil || len(page) != 50 {
				b.Fatal(len(page), err)
			}
		}), name)
	}
}

// residentBytes is the process's memory without file pages.
func residentBytes(tb testing.TB) int {
	tb.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Skip("needs /proc")
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				tb.Fatal(err)
			}
			return kb << 10
		}
	}
	tb.Fatal("no RssAnon in /proc/self/status")
	return 0
}

// cpuSeconds is the processor time this process has used.
func cpuSeconds(tb testing.TB) float64 {
	tb.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// BenchmarkShardGrowth measures the pass in which one shard of fifty million ids makes room.
func BenchmarkShardGrowth(b *testing.B) {
	const entries = 50_000_000 / indexShards
	random := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		b.StopTimer()
		var x index
		for reference := uint32(1); reference <= entries; reference++ {
			x.insert(random.Uint64()&^(indexShards-1), reference)
		}
		s := &x.shards[0]
		b.StartTimer()
		if !s.resize(s.lines + s.lines/4) {
			b.Fatal("a quarter more lines is not enough")
		}
	}
}

// BenchmarkChains measures a decision of four linked transfers, the shape most of the bank's
// commands have.
func BenchmarkChains(b *testing.B) {
	accounts := benchmarkAccounts()
	e := New(Options{})
	openAccounts(b, e, accounts)
	random := rand.New(rand.NewPCG(1, 2))
	batch := make([]ledger.Transfer, 4)
	results := make([]ledger.CreateTransferResult, 0, len(batch))
	b.ReportAllocs()
	for n := range b.N {
		from := random.Uint64N(uint64(accounts) - 8)
		user := ledger.Uint128{Lo: random.Uint64(), Hi: 1}
		for i := range batch {
			batch[i] = ledger.Transfer{
				ID:             ledger.Uint128{Lo: random.Uint64(), Hi: uint64(n)},
				DebitAccountID: accountID(from + 1), CreditAccountID: accountID(from + 2 + uint64(i)),
				Amount: ledger.U64(1), UserData128: user, Ledger: 156, Code: 1121,
				Flags: ledger.TransferLinked,
			}
		}
		batch[3].Flags = 0
		results = e.ExecuteTransfers(0, batch, results[:0])
		if results[0].Status != ledger.TransferCreated {
			b.Fatal(results[0].Status)
		}
	}
}

// BenchmarkAccount measures the read that a decision starts with.
func BenchmarkAccount(b *testing.B) {
	accounts := benchmarkAccounts()
	e := New(Options{})
	openAccounts(b, e, accounts)
	random := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := e.Account(accountID(1 + random.Uint64N(uint64(accounts)))); !ok {
			b.Fatal("account lost")
		}
	}
}
