package actors

import (
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
)

// A customer whose slot is not found is read from disk beside the one who is in memory, and both decide.
func TestSlotsAreAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var table slots
	model := map[bank.CustomerNo]*slot{}
	for step := range 200_000 {
		// It grows and becomes small again, several times.
		growing := step/20_000%2 == 0
		no := bank.CustomerNo(1 + rng.IntN(3000)*bank.ShardCount)
		switch s := model[no]; {
		case table.find(no) != s:
			t.Fatalf("step %d: customer %d is found as %p, want %p", step, no, table.find(no), s)
		case s == nil && (growing || rng.IntN(4) == 0):
			s = &slot{no: no}
			table.put(s)
			model[no] = s
		case s != nil && (!growing || rng.IntN(4) == 0):
			table.remove(no)
			delete(model, no)
		}
		if step%1000 > 0 {
			continue
		}
		found := map[bank.CustomerNo]*slot{}
		for s := range table.all() {
			found[s.no] = s
		}
		if !maps.Equal(found, model) || table.n != len(model) {
			t.Fatalf("step %d: %d slots, %d of them found, want %d", step, table.n, len(found), len(model))
		}
		if len(table.entries) > max(slotsMin, 8*(len(model)+1)) {
			t.Fatalf("step %d: %d places for %d slots", step, len(table.entries), len(model))
		}
	}
}
