package main

import (
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/internal/shared"
)

// advance waits until the journal has so many records more. All accounts together are some 10,000 records,
// so that four rounds of at least 3,000 come to the transactions.
func (p *process) advance(records int) {
	p.t.Helper()
	const durable = "suanpan_journal_durable_position"
	target := p.metric(durable) + float64(records)
	for deadline := time.Now().Add(2 * time.Minute); p.metric(durable) < target; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("the journal is at %.0f, not at %.0f", p.metric(durable), target)
		}
	}
}

// A replay is killed and run again, its server too, at random moments: in the end the bank has every
// transaction of its data once, to the fen.
func TestAReplayKilledAtAnyMomentEndsWithTheSameBalances(t *testing.T) {
	data := shared.Path(t, "data", "berka")
	p := startProcess(t, "--channel-delay", "20ms")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 5))
	for round := range 4 {
		cmd := exec.Command(path, "replay", "berka", data, "--server", p.url(""), "--batch", "50")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p.advance(3000 + rng.IntN(5000))
		if round%2 == 0 {
			_ = cmd.Process.Kill() // the replay dies, the server stays
			_ = cmd.Wait()
			continue
		}
		p.kill() // the server dies, the replay waits for it
		p.start()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	out, err := p.run("replay", "berka", data, "--server", p.url(""))
	if err != nil || !strings.Contains(out, "reconciled     4500 accounts") || !strings.Contains(out, "differences    0") {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(out, ", of which 0 had") {
		t.Errorf("nothing had been posted before: the kills came too early\n%s", out)
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
}
