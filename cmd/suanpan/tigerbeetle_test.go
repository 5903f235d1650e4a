//go:build cgo

package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle/standin"
)

// outageVariable sets how long the ledger is away in the outage test; a minute is what the bank must bear.
const outageVariable = "SUANPAN_TEST_OUTAGE"

const outageDefault = 5 * time.Second

// apart is a bank whose ledger is a server of its own, and payments that never stop.
type apart struct {
	*process
	ledger   *standin.Server
	engine   *embedded.Engine
	accounts []string
	deposit  string // of the first account's customer
	watch    *watch

	down  sync.RWMutex // held for writing while the bank is dead
	done  chan struct{}
	group sync.WaitGroup
	mu    sync.Mutex
	acked []payment
}

const (
	apartFunds    = int64(2_000_000)
	apartAccounts = 12
	apartWorkers  = 8
)

func openApart(t *testing.T) *apart {
	t.Helper()
	engine := embedded.New(embedded.Options{Clock: func() uint64 { return uint64(time.Now().UnixNano()) }})
	server, err := standin.Start(standin.Options{Engine: engine, Cluster: ledger.U64(7)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	p := startProcess(t, "--ledger", "tigerbeetle", "--tigerbeetle-addresses", server.Addr(), "--tigerbeetle-cluster", "7", "--channel-delay", "20ms")
	a := &apart{process: p, ledger: server, engine: engine, done: make(chan struct{}), watch: &watch{RoundTripper: p.client.Transport}}
	for i := range apartAccounts {
		a.accounts = append(a.accounts, p.customer(i, apartFunds))
	}
	d := p.must("/v1/deposits", "deposit", fmt.Sprintf(`{"account_no":%q,"product":"SLC1Y","amount_fen":1000000}`, a.accounts[0]))
	a.deposit = d["deposit_id"].(string)
	p.client.Transport = a.watch
	return a
}

// watch counts what the bank answers, and notes what it must not.
type watch struct {
	http.RoundTripper
	mu     sync.Mutex
	counts map[string]int // by method and status
	wrong  []string
}

func (w *watch) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.RoundTripper.RoundTrip(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		return answer, err
	}
	if w.counts == nil {
		w.counts = map[string]int{}
	}
	w.counts[fmt.Sprint(r.Method, " ", answer.StatusCode)]++
	if answer.StatusCode == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") == "" {
		w.wrong = append(w.wrong, fmt.Sprintf("%s %s: 503 without Retry-After", r.Method, r.URL.Path))
	}
	return answer, err
}

// seen are the counts since the last time.
func (w *watch) seen() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := w.counts
	w.counts = nil
	return counts
}

// pay lets workers pay one another until settle.
func (a *apart) pay() {
	for w := range apartWorkers {
		a.group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 3))
			for i := 0; ; i++ {
				select {
				case <-a.done:
					return
				default:
				}
				pay := payment{key: fmt.Sprintf("w%d-%d", w, i), fen: rng.Int64N(100) + 1, kind: "internal"}
				pay.from, pay.to = a.accounts[rng.IntN(apartAccounts)], a.accounts[rng.IntN(apartAccounts)]
				if pay.to == pay.from || rng.IntN(10) == 0 {
					pay.kind, pay.to = "out", ""
				}
				if !pay.until(a.process, &a.down) {
					a.t.Errorf("%+v was refused", pay)
					return
				}
				a.mu.Lock()
				a.acked = append(a.acked, pay)
				a.mu.Unlock()
				time.Sleep(pause)
			}
		})
	}
}

func (a *apart) acknowledged() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.acked)
}

// settle ends the payments and compares what was acknowledged with the bank's balances and the ledger's.
func (a *apart) settle() {
	t := a.t
	t.Helper()
	close(a.done)
	a.group.Wait()
	if t.Failed() {
		return
	}
	settled(t, a.process, a.accounts)
	expected := map[string]int64{a.accounts[0]: -1_000_000}
	for _, pay := range a.acked {
		status, v, err := a.post("/v1/transfers", pay.key, pay.body())
		if err != nil || status != http.StatusCreated || v["transfer_id"] != pay.id {
			t.Fatalf("repeated %+v: %d %v %v", pay, status, v, err)
		}
		expected[pay.from] -= pay.fen
		if pay.to != "" {
			expected[pay.to] += pay.fen
		}
	}
	for _, no := range a.accounts {
		want := apartFunds + expected[no]
		_, v, err := a.get("/v1/accounts/" + no)
		if err != nil || v["posted_fen"] != float64(want) || v["available_fen"] != float64(want) {
			t.Errorf("%s: want %d, has %v (%v)", no, want, v, err)
		}
		if has := a.posted(no); has != want {
			t.Errorf("%s: want %d, the ledger has %d", no, want, has)
		}
	}
	if out, err := a.run("day", "check", "--server", a.url(""), "--token", a.token("auditor")); err != nil || !strings.Contains(out, "transfers of the date in the ledger, by teller") {
		t.Errorf("day check: %v\n%s", err, out)
	}
	if out, err := a.run("verify", "--server", a.url("")); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	for _, wrong := range a.watch.wrong {
		t.Error(wrong)
	}
}

// posted is an account's balance as the ledger's server has it.
func (a *apart) posted(no string) (fen int64) {
	a.t.Helper()
	parsed, err := bank.ParseAccountNo(no)
	if err != nil {
		a.t.Fatal(err)
	}
	account := bank.EAccount{No: parsed}
	found, ok := a.engine.Account(ledger.Uint128(account.LedgerID()))
	if !ok {
		a.t.Fatalf("%s is not in the ledger", no)
	}
	credits, _ := found.CreditsPosted.Int64()
	debits, _ := found.DebitsPosted.Int64()
	return credits - debits
}

// read reads a deposit, which needs no ledger, again and again until stop is closed, and returns how long
// each took. Every one of them must be answered.
func (a *apart) read(stop <-chan struct{}) (took []time.Duration) {
	for {
		select {
		case <-stop:
			return took
		case <-time.After(2 * time.Millisecond):
		}
		start := time.Now()
		status, v, err := a.get("/v1/deposits/" + a.deposit)
		if err != nil || status != http.StatusOK {
			a.t.Errorf("a read that needs no ledger: %d %v %v", status, v, err)
			return took
		}
		took = append(took, time.Since(start))
	}
}

func percentiles(took []time.Duration) string {
	if len(took) == 0 {
		return "none"
	}
	slices.Sort(took)
	at := func(p int) time.Duration { return took[min(len(took)-1, len(took)*p/100)].Round(10 * time.Microsecond) }
	return fmt.Sprintf("%d reads, p50 %s, p99 %s, longest %s", len(took), at(50), at(99), took[len(took)-1].Round(10*time.Microsecond))
}

// With its ledger gone under load a bank must lose nothing it has acknowledged, say so to whoever asks for
// what it can't do, go on with the rest, and resume by itself.
func TestWithItsLedgerGoneForAWhileTheBankGoesOnAndResumesByItself(t *testing.T) {
	outage := outageDefault
	if text := os.Getenv(outageVariable); text != "" {
		var err error
		if outage, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	a := openApart(t)
	a.pay()
	during := func(wait func()) string {
		stop := make(chan struct{})
		var took []time.Duration
		var reader sync.WaitGroup
		reader.Go(func() { took = a.read(stop) })
		wait()
		close(stop)
		reader.Wait()
		return percentiles(took)
	}
	before := during(func() { time.Sleep(outage / 2) })
	t.Logf("before: %d payments acknowledged; %v; %s", a.acknowledged(), a.watch.seen(), before)

	if err := a.ledger.Stop(); err != nil {
		t.Fatal(err)
	}
	gone := time.Now()
	var noticed time.Duration
	while := during(func() {
		for a.metric("suanpan_ledger_available") != 0 {
			time.Sleep(5 * time.Millisecond)
		}
		noticed = time.Since(gone)
		a.refuses()
		time.Sleep(outage - time.Since(gone))
	})
	acked := a.acknowledged()
	t.Logf("away: noticed after %s; %.0f decisions unresolved; %v; %s",
		noticed.Round(time.Millisecond), a.metric("suanpan_ledger_unresolved"), a.watch.seen(), while)

	if err := a.ledger.Restart(); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	for a.acknowledged() == acked {
		if time.Since(back) > time.Minute {
			t.Fatalf("does not resume\n%s", a.out)
		}
		time.Sleep(time.Millisecond)
	}
	t.Logf("back: the first payment after %s", time.Since(back).Round(time.Millisecond))
	after := during(func() { time.Sleep(outage / 2) })
	t.Logf("after: %d payments acknowledged; %v; %s", a.acknowledged()-acked, a.watch.seen(), after)
	a.settle()
	if err := a.stop(); err != nil {
		t.Errorf("Ctrl-C: %v\n%s", err, a.out)
	}
	if out, err := a.run("verify", "--data", a.dir); err != nil || !strings.Contains(out, "was not asked") {
		t.Errorf("verify of the stopped node: %v\n%s", err, out)
	}
}

// refuses checks what a bank says whose ledger is away.
func (a *apart) refuses() {
	a.t.Helper()
	status, v, err := a.post("/v1/transfers", "away", fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1}`, a.accounts[1], a.accounts[2]))
	if err != nil || status != http.StatusServiceUnavailable || v["code"] != "LEDGER_UNAVAILABLE" {
		a.t.Errorf("a payment: %d %v %v", status, v, err)
	}
	for _, path := range []string{"/v1/accounts/" + a.accounts[0], "/v1/accounts/" + a.accounts[0] + "/transactions"} {
		if status, v, err := a.get(path); err != nil || status != http.StatusServiceUnavailable || v["code"] != "LEDGER_UNAVAILABLE" {
			a.t.Errorf("%s: %d %v %v", path, status, v, err)
		}
	}
	if status, v, err := a.get("/readyz"); err != nil || status != http.StatusOK || v["ledger"] != "unavailable" {
		a.t.Errorf("readiness: %d %v %v", status, v, err)
	}
	if status, v, err := a.get("/v1/reports/trial-balance"); err != nil || status != http.StatusOK {
		a.t.Errorf("a report: %d %v %v", status, v, err)
	}
}

// Killed while its ledger hangs, the bank comes up without it, says so, and settles what it had begun when
// the ledger is back.
func TestKilledWhileTheLedgerHangsNothingAcknowledgedIsLostOrDoneTwice(t *testing.T) {
	a := openApart(t)
	a.pay()
	rng := rand.New(rand.NewPCG(4, 4))
	for range 3 {
		time.Sleep(time.Duration(200+rng.IntN(200)) * time.Millisecond)
		a.ledger.DropReplies(1 + rng.IntN(3)) // done, and not told
		time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond)
		a.ledger.Freeze()
		for a.metric("suanpan_ledger_available") != 0 {
			time.Sleep(5 * time.Millisecond)
		}
		a.kill()
		a.down.Lock()
		a.start()
		if status, v, err := a.get("/readyz"); err != nil || status != http.StatusOK || v["ledger"] != "unavailable" {
			t.Errorf("started without its ledger: %d %v %v", status, v, err)
		}
		unresolved := a.metric("suanpan_ledger_unresolved")
		a.down.Unlock()
		acked := a.acknowledged()
		a.ledger.Thaw()
		for back := time.Now(); a.acknowledged() < acked+apartWorkers; time.Sleep(time.Millisecond) {
			if time.Since(back) > time.Minute {
				t.Fatalf("does not resume\n%s", a.out)
			}
		}
		t.Logf("%.0f decisions were found unresolved", unresolved)
	}
	a.settle()
}

func TestADataDirectoryStaysWithItsLedger(t *testing.T) {
	server, err := standin.Start(standin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	args := []string{"--ledger", "tigerbeetle", "--tigerbeetle-addresses", server.Addr()}
	elsewhere, here := startProcess(t, args...), startProcess(t)
	for _, p := range []*process{elsewhere, here} {
		p.customer(1, 100)
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
	}
	serve := func(p *process, args ...string) string {
		out, err := p.run(append([]string{"serve", "--data", p.dir, "--http", p.http, "--kafka", p.kafka}, args...)...)
		if err == nil {
			t.Errorf("%v: it serves", args)
		}
		return out
	}
	for _, refused := range []string{
		serve(elsewhere), serve(elsewhere, append(args, "--tigerbeetle-cluster", "1")...), serve(here, args...),
	} {
		if !strings.Contains(refused, "was begun with the ledger") {
			t.Error(refused)
		}
	}
	if err := os.Remove(elsewhere.dir + "/LEDGER"); err != nil {
		t.Fatal(err)
	}
	if out := serve(elsewhere); !strings.Contains(out, "belongs to another ledger") {
		t.Errorf("without its note: %s", out)
	}
	for _, wrong := range [][]string{{"--ledger", "tigerbeetle"}, {"--ledger", "paper"}, {"--tigerbeetle-addresses", "127.0.0.1:1"}} {
		if out := serve(here, wrong...); !strings.Contains(out, "--ledger") {
			t.Errorf("%v: %s", wrong, out)
		}
	}
}

// payment is a transfer a worker wants: he repeats it under its key until he is told the outcome.
type payment struct {
	key, from, to string
	fen           int64
	kind          string
	id            string // as acknowledged
}

func (p *payment) body() string {
	if p.kind == "out" {
		return fmt.Sprintf(`{"kind":"out","from_account":%q,"to_bound_card":true,"amount_fen":%d}`, p.from, p.fen)
	}
	return fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":%d}`, p.from, p.to, p.fen)
}

// until repeats the payment under its key until it is acknowledged; false when it was refused.
func (p *payment) until(bank *process, alive *sync.RWMutex) bool {
	for {
		pass(alive)
		status, v, err := bank.post("/v1/transfers", p.key, p.body())
		switch {
		case err != nil || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
			time.Sleep(5 * time.Millisecond)
		case status == http.StatusCreated:
			p.id = v["transfer_id"].(string)
			return true
		default:
			return false
		}
	}
}
