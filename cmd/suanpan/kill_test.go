package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/internal/serial"
)

const (
	killWorkers  = 8
	killAccounts = serial.AccountsMax
	killFunds    = int64(3000) // of each account: little enough that payments are refused now and then
	// pause of a worker after each operation: the whole history is searched for an order in the end.
	pause = 8 * time.Millisecond
	// verifyEvery is after how many kills the books are compared as well.
	verifyEvery = 10
	searchMax   = 2 * time.Minute
)

// A bank that loses an acknowledged payment, or makes one twice, when its machine dies has no customers
// the day after. Killed a hundred times at random moments under load, this one must have told its callers
// what a bank that never dies could have told them, and its books must agree.
func TestKilledAHundredTimesNothingAcknowledgedIsLostOrDoneTwice(t *testing.T) {
	kills := 100
	if testing.Short() {
		kills = 8
	}
	k := killed(t, kills)
	k.lookAgain()
	k.agree()
	t.Logf("%d kills, %d operations: %d refused, %d given up", kills, len(k.ops), k.refused.Load(), k.givenUp.Load())
}

// Letting old records go is the one time that the bank removes what it once acknowledged; killed in the middle of it
// again and again, it must have all that is still needed.
func TestKilledWhileOldRecordsAreLetGoNothingElseIsLost(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 8
	}
	k := killed(t, kills, "--journal-keep", "300", "--journal-segment-bytes", "16384")
	deadline := time.Now().Add(20 * time.Second)
	for i := 0; k.metric("suanpan_journal_first_position") < 300; i++ { // kills may have come before every look
		if time.Now().After(deadline) {
			t.Fatal("nothing is let go")
		}
		k.pay(k.wish(fmt.Sprintf("more-%d", i), k.rng), k.rng)
	}
	settled(t, k.process, k.accounts)
	for i := range k.accounts {
		k.look(i)
	}
	k.agree()
	k.start() // from what is kept
	k.verify("--server", k.url(""))
}

// killed is a bank after so many kills under load.
func killed(t *testing.T, kills int, args ...string) *killing {
	t.Helper()
	// With snapshots of customers and ledger all the time some kills meet one being written, and with so few
	// customers in memory some meet one who leaves or comes back.
	args = append(args, "--channel-delay", "20ms", "--snapshot-every", "200", "--customers-in-memory", "4")
	k := &killing{T: t, process: startProcess(t, args...), began: time.Now(), rng: rand.New(rand.NewPCG(1, 2))}
	for i := range killAccounts {
		no := k.customer(i, killFunds)
		k.accounts = append(k.accounts, no)
		k.ops = append(k.ops, &serial.Op{Call: 0, Return: 1, Text: "opened", Steps: []serial.Step{
			serial.Open{Account: i}, serial.Credit{Account: i, Fen: killFunds, Transfer: -1},
		}})
	}
	var workers sync.WaitGroup
	for w := range killWorkers {
		workers.Go(func() { k.work(w) })
	}
	for n := range kills {
		time.Sleep(time.Duration(50+k.rng.IntN(300)) * time.Millisecond)
		k.kill()
		k.alive.Lock()
		k.start()
		if n%verifyEvery == 0 {
			k.verify("--server", k.url(""))
		}
		k.alive.Unlock()
	}
	k.over.Store(true)
	workers.Wait()
	if t.Failed() {
		t.FailNow()
	}
	settled(t, k.process, k.accounts)
	return k
}

// agree stops the bank if what callers were told and its books are right.
func (k *killing) agree() {
	k.Helper()
	verdict, why := serial.Check(k.ops, searchMax)
	if verdict != serial.Right {
		k.Fatalf("no order explains what the callers were told: %s", why)
	}
	k.verify("--server", k.url(""))
	if out, err := k.run("day", "check", "--server", k.url(""), "--token", k.token("auditor")); err != nil { // R9: tellers' numbers, too
		k.Errorf("day check: %v\n%s", err, out)
	}
	if err := k.stop(); err != nil {
		k.Errorf("Ctrl-C: %v\n%s", err, k.out)
	}
	k.verify("--data", k.dir)
}

// killing is a bank that is killed and what its callers were told.
type killing struct {
	*testing.T
	*process
	rng      *rand.Rand // of who kills
	accounts []string
	began    time.Time
	alive    sync.RWMutex // held for writing while the server is down or looked at
	over     atomic.Bool
	refused  atomic.Int64
	givenUp  atomic.Int64

	mu   sync.Mutex
	ops  []*serial.Op
	told []told
}

// told is a command that was answered, and how.
type told struct {
	wish
	status int
	answer string // the transfer's id, or the code of the refusal
}

// wish is a transfer a worker wants.
type wish struct {
	key, body string
	from, to  int // of accounts; −1: outside
	fen       int64
}

func (k *killing) now() int64 { return int64(time.Since(k.began)) }

// work does one thing after another until it is over.
func (k *killing) work(w int) {
	rng := rand.New(rand.NewPCG(uint64(w), 20))
	for i := 0; !k.over.Load() && !k.Failed(); i++ {
		if rng.IntN(8) == 0 {
			k.look(rng.IntN(killAccounts))
		} else {
			k.pay(k.wish(fmt.Sprintf("w%d-%d", w, i), rng), rng)
		}
		time.Sleep(pause)
	}
}

func (k *killing) wish(key string, rng *rand.Rand) *wish {
	x := &wish{key: key, from: rng.IntN(killAccounts), to: rng.IntN(killAccounts - 1), fen: rng.Int64N(500) + 1}
	if x.to >= x.from {
		x.to++
	}
	switch dice := rng.IntN(10); {
	case dice == 0:
		x.to = -1
		x.body = fmt.Sprintf(`{"kind":"out","from_account":%q,"to_bound_card":true,"amount_fen":%d}`, k.accounts[x.from], x.fen)
	case dice == 1:
		x.from = -1
		x.body = fmt.Sprintf(`{"kind":"inbound","to_account":%q,"amount_fen":%d,"from_account":"6222020000000000","from_name":"某","from_bank":"ICBC"}`,
			k.accounts[x.to], x.fen)
	default:
		if rng.IntN(3) == 0 && x.from != 0 {
			x.to = 0 // everybody pays him
		}
		x.body = fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":%d}`, k.accounts[x.from], k.accounts[x.to], x.fen)
	}
	return x
}

// step is what the transfer does when it is made. The channel takes every transfer out in the end, so that
// what is held for one is as good as gone.
func (x *wish) step() serial.Step {
	switch {
	case x.to < 0:
		return serial.Ask{Account: x.from, Transfer: -1, Fen: x.fen, Out: true, Counted: true}
	case x.from < 0:
		return serial.Credit{Account: x.to, Fen: x.fen, Transfer: -1}
	}
	return serial.Pay{From: x.from, To: x.to, Fen: x.fen, Transfer: -1}
}

// pay repeats a transfer under its key until it is answered, or now and then gives it up.
func (k *killing) pay(x *wish, rng *rand.Rand) {
	op := &serial.Op{Call: k.now(), Return: serial.Never, Text: x.key + " " + x.body}
	for {
		pass(&k.alive)
		status, v, err := k.post("/v1/transfers", x.key, x.body)
		switch {
		case err != nil || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
			if rng.IntN(100) > 0 {
				time.Sleep(5 * time.Millisecond)
				continue
			}
			op.Unknown, op.Steps = true, []serial.Step{x.step()}
			k.givenUp.Add(1)
			k.record(op, nil)
			return
		case status == http.StatusCreated:
			op.Steps = []serial.Step{x.step(), available(x.from, x.to, v)}
			op.Return = k.now()
			k.record(op, &told{*x, status, v["transfer_id"].(string)})
			return
		case v["code"] == "INSUFFICIENT_FUNDS" && x.from >= 0:
			op.Steps = []serial.Step{serial.LacksFunds{Account: x.from, Fen: x.fen}}
			op.Return = k.now()
			k.refused.Add(1)
			k.record(op, &told{*x, status, "INSUFFICIENT_FUNDS"})
			return
		default:
			k.Errorf("%s: %d %v", op.Text, status, v)
			return
		}
	}
}

// available is the balance a receipt shows: of the payer, or of the payee of money from outside.
func available(from, to int, receipt map[string]any) serial.Step {
	account := from
	if from < 0 {
		account = to
	}
	balance := receipt["balances"].([]any)[0].(map[string]any)
	return serial.Shows{Account: account, Available: int64(balance["available_fen"].(float64)), AvailableOnly: true}
}

func (k *killing) record(op *serial.Op, x *told) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ops = append(k.ops, op)
	if x != nil {
		k.told = append(k.told, *x)
	}
}

// look reads an account once.
func (k *killing) look(i int) {
	pass(&k.alive)
	op := &serial.Op{Call: k.now(), Text: "look"}
	status, v, err := k.get("/v1/accounts/" + k.accounts[i])
	if err != nil || status != http.StatusOK {
		return // it died meanwhile; nothing was promised
	}
	op.Return = k.now()
	op.Steps = []serial.Step{serial.Shows{Account: i, Available: int64(v["available_fen"].(float64)), AvailableOnly: true}}
	k.record(op, nil)
}

// lookAgain asks under every key once more, which must answer the same and do nothing, and reads every
// account.
func (k *killing) lookAgain() {
	var workers sync.WaitGroup
	for w := range killWorkers {
		workers.Go(func() {
			for i := w; i < len(k.told); i += killWorkers {
				x := &k.told[i]
				status, v, err := k.post("/v1/transfers", x.key, x.body)
				if err != nil || status != x.status || v["transfer_id"] != x.answer && v["code"] != x.answer {
					k.Errorf("%+v: repeated it is answered %d %v %v", *x, status, v, err)
					return
				}
			}
		})
	}
	workers.Wait()
	for i := range k.accounts {
		k.look(i)
	}
}

// settled waits until the channel has answered every transfer.
func settled(t testing.TB, p *process, accounts []string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for _, no := range accounts {
		for {
			_, v, err := p.get("/v1/accounts/" + no)
			if err == nil && v["pending_out_fen"] == float64(0) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s still has money on its way: %v %v", no, v, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// pass waits while the server is down.
func pass(alive *sync.RWMutex) {
	alive.RLock()
	defer alive.RUnlock()
}
