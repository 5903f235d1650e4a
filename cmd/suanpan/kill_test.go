package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// kills is how often the server is killed in one test.
const kills = 20

// pause of a worker after each payment: every one of them is looked up after the next kill.
const pause = time.Millisecond

// payment is a transfer a worker wants: he repeats it under its key until he is told the outcome.
type payment struct {
	key, from, to string
	fen           int64
	kind          string
	id            string // as acknowledged
}

// A bank that loses an acknowledged payment, or makes one twice, when its machine dies has no
// customers the day after. Killed twenty times at random moments under load, this one must do
// neither, and its books must agree after every restart.
func TestKilledTwentyTimesNothingAcknowledgedIsLostOrDoneTwice(t *testing.T) {
	// With snapshots of customers and ledger all the time some kills meet one being written, and with so few
	// customers in memory some meet one who leaves or comes back.
	p := startProcess(t, "--channel-delay", "20ms", "--snapshot-every", "200", "--customers-in-memory", "4")
	const workers, accounts, funds = 8, 16, int64(1_000_000)
	var numbers []string
	for i := range accounts {
		numbers = append(numbers, p.customer(i, funds))
	}
	var (
		mu    sync.Mutex
		acked []payment
		alive sync.RWMutex // held for writing while the server is down or looked at
		done  = make(chan struct{})
		group sync.WaitGroup
	)
	for w := range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			rng := rand.New(rand.NewPCG(uint64(w), 20))
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				pay := payment{key: fmt.Sprintf("w%d-%d", w, i), fen: rng.Int64N(100) + 1, kind: "internal"}
				pay.from = numbers[rng.IntN(accounts)]
				pay.to = numbers[rng.IntN(accounts)]
				if pay.to == pay.from || rng.IntN(10) == 0 {
					pay.kind, pay.to = "out", ""
				}
				if !pay.until(p, &alive) {
					t.Errorf("%+v was refused", pay)
					return
				}
				mu.Lock()
				acked = append(acked, pay)
				mu.Unlock()
				time.Sleep(pause)
			}
		}()
	}
	rng := rand.New(rand.NewPCG(1, 2))
	checked := 0
	for range kills {
		time.Sleep(time.Duration(50+rng.IntN(400)) * time.Millisecond)
		p.kill()
		alive.Lock()
		p.start()
		mu.Lock()
		recent := acked[checked:]
		checked = len(acked)
		mu.Unlock()
		for _, pay := range recent {
			status, v, err := p.get("/v1/transfers/" + pay.id)
			if err != nil || status != http.StatusOK || v["amount_fen"] != float64(pay.fen) {
				t.Fatalf("acknowledged and lost: %+v: %d %v %v", pay, status, v, err)
			}
		}
		if out, err := p.run("verify", "--server", p.url("")); err != nil {
			t.Fatalf("the books do not agree after a kill: %v\n%s", err, out)
		}
		alive.Unlock()
	}
	close(done)
	group.Wait()
	if t.Failed() {
		return
	}
	settled(t, p, numbers)
	expected := map[string]int64{}
	for _, pay := range acked {
		// The same key answers with the same transfer, and does nothing.
		status, v, err := p.post("/v1/transfers", pay.key, pay.body())
		if err != nil || status != http.StatusCreated || v["transfer_id"] != pay.id {
			t.Fatalf("repeated %+v: %d %v %v", pay, status, v, err)
		}
		expected[pay.from] -= pay.fen
		if pay.to != "" {
			expected[pay.to] += pay.fen
		}
	}
	for _, no := range numbers {
		_, v, err := p.get("/v1/accounts/" + no)
		if want := float64(funds + expected[no]); err != nil || v["posted_fen"] != want || v["available_fen"] != want {
			t.Errorf("%s: want %.0f, has %v (%v)", no, want, v, err)
		}
	}
	if out, err := p.run("verify", "--server", p.url("")); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	if err := p.stop(); err != nil {
		t.Errorf("Ctrl-C: %v\n%s", err, p.out)
	}
	if out, err := p.run("verify", "--data", p.dir); err != nil {
		t.Errorf("verify of the stopped node: %v\n%s", err, out)
	}
	t.Logf("%d kills, %d payments acknowledged", kills, len(acked))
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

// settled waits until the channel has answered every transfer.
func settled(t *testing.T, p *process, accounts []string) {
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
