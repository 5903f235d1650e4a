package embedded

import (
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

func TestAPulseExpiresAtMostOneBatchAndTheNextTheRest(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	const holds = batchMax + 100
	for done := uint64(0); done < holds; {
		var batch []ledger.Transfer
		for ; done < holds && len(batch) < batchMax; done++ {
			batch = append(batch, timed(pay(1000+done, 1, 2, 1), 1))
		}
		h.send(batch...)
	}
	h.now += 10 * second
	before := h.Timestamp()
	if n := h.Pulse(h.now); n != batchMax {
		t.Fatalf("the first pulse expired %d", n)
	}
	if n := h.Pulse(h.now); n != 100 {
		t.Fatalf("the second pulse expired %d", n)
	}
	if h.Timestamp() <= before+holds {
		t.Error("expiries share timestamps")
	}
	if h.Pulse(h.now) != 0 {
		t.Error("something expired twice")
	}
	h.balances(1, 0, 0, 0, 0)
}

// Otherwise settled holds would fill the memory until their timeouts pass.
func TestTheQueueForgetsSettledHolds(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	for i := range uint64(20 * sweepFloor) {
		h.one(created, timed(pay(100_000+2*i, 1, 2, 1), 86_400))
		h.one(created, void(100_001+2*i, 100_000+2*i))
	}
	if n := len(h.expiring.heap); n > 2*sweepFloor {
		t.Errorf("%d entries for holds that are settled", n)
	}
	if h.expiring.waiting != 0 {
		t.Errorf("%d holds are thought to wait", h.expiring.waiting)
	}
}
