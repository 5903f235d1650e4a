package embedded

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/suanpan-bank/suanpan/journal"
)

func storeIn(t *testing.T, dir string, readOnly bool) *store {
	t.Helper()
	s, err := openStore(dir, readOnly, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A customer whose neighbour has paid must be found where he was: a counter that goes back would give a number twice.
func TestCountersOfNeighboursAreWrittenTogetherAndFoundApart(t *testing.T) {
	dir := t.TempDir()
	s := storeIn(t, dir, false)
	rng := rand.New(rand.NewPCG(1, 2))
	model := make(map[uint64]head)
	next := func() head {
		return head{journal.Head{Seq: rng.Uint64N(1 << 40), EventSeq: rng.Uint64N(300)}, journal.Position(1 + rng.Uint64N(1<<40))}
	}
	places := []uint64{0, headsOfRow - 1, headsOfRow, 10 * headsOfRow, 1 << 40} // of the ranges from which customers are drawn
	draw := func() uint64 { return places[rng.IntN(len(places))] + rng.Uint64N(headsOfRow*3/2) }
	w, err := s.write() // as earlier versions wrote them
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		customer, h := draw(), next()
		model[customer] = h
		w.set(rowKey(keyHead, customer), appendHead(nil, h))
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	look := func(s *store) {
		t.Helper()
		var customers []uint64
		for _, place := range places {
			for customer := place; customer < place+2*headsOfRow; customer++ {
				got, err := s.head(customer)
				if err != nil || got != model[customer] {
					t.Fatalf("customer %d: %+v %v, want %+v", customer, got, err, model[customer])
				}
				if rng.IntN(3) > 0 {
					customers = append(customers, customer)
				}
			}
		}
		slices.Sort(customers)
		customers = slices.Compact(customers)
		want, got := make(map[uint64]head), make(map[uint64]head)
		for _, customer := range customers {
			if h, ok := model[customer]; ok {
				want[customer] = h
			}
		}
		if err := s.heads(customers, func(customer uint64, h head) { got[customer] = h }); err != nil || !maps.Equal(got, want) {
			t.Fatalf("%v: found %v, want %v", err, got, want)
		}
	}
	look(s)
	for _, n := range []int{1, 3, 40, 400} {
		changed := new(headTable)
		for range n {
			customer, h := draw(), next()
			model[customer] = h
			changed.put(customer, h)
		}
		if err := s.checkpoint(&indexState{}, changed, nil); err != nil {
			t.Fatal(err)
		}
		look(s)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	look(storeIn(t, dir, true))
}

// What can't be read must not be written anew without those who were in it.
func TestADamagedRowOfCountersIsNotReplaced(t *testing.T) {
	s := storeIn(t, t.TempDir(), false)
	w, err := s.write()
	if err != nil {
		t.Fatal(err)
	}
	damaged := appendHeads(nil, []party{{5, head{last: 9}}, {4, head{last: 8}}}) // not in order
	w.set(rowKey(keyHeads, 0), damaged)
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	changed := new(headTable)
	changed.put(7, head{last: 10})
	if err := s.checkpoint(&indexState{}, changed, nil); err == nil {
		t.Error("a damaged row was merged with")
	}
	if _, err := s.head(5); err == nil {
		t.Error("a damaged row was read")
	}
	if err := s.heads([]uint64{5}, func(uint64, head) {}); err == nil {
		t.Error("a damaged row was read")
	}
	if err := s.get(rowKey(keyHeads, 0), func(value []byte) error {
		if !slices.Equal(value, damaged) {
			t.Error("a damaged row was replaced")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestChangedCountersReplaceStoredOnes(t *testing.T) {
	at := func(customers ...uint64) (out []party) {
		for _, c := range customers {
			out = append(out, party{c, head{last: 1}})
		}
		return out
	}
	for _, c := range []struct{ stored, changed, want []party }{
		{nil, at(1, 2), at(1, 2)},
		{at(1, 3), at(0, 2, 4), at(0, 1, 2, 3, 4)},
		{at(1, 2), nil, at(1, 2)},
		{at(9), at(1), at(1, 9)},
	} {
		if got := mergedHeads(nil, c.stored, c.changed); !slices.Equal(got, c.want) {
			t.Errorf("%v with %v: %v", c.stored, c.changed, got)
		}
	}
	newer := []party{{2, head{last: 5}}}
	got := mergedHeads(nil, at(1, 2, 3), newer)
	if !slices.IsSortedFunc(got, func(a, b party) int { return cmp.Compare(a.customer, b.customer) }) || len(got) != 3 || got[1] != newer[0] {
		t.Errorf("%v", got)
	}
}
