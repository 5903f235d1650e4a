package embedded

import (
	"slices"
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

// A day's transfers have one accounting date until the day is cut, most have one currency, and some fields are
// empty until somebody fills one in: the index leaves out what is alike, and must have every pair of what is not.
func TestARunHasEveryPairOfAFieldThatIsNotAlike(t *testing.T) {
	const begin, turn = runRows, 1000
	p := &pairs{first: begin}
	var want [fieldCount][]uint64
	for i := range uint32(runRows) {
		row := transferRow{code: 9, ledger: 156, userData32: 20261130}
		if i >= turn {
			row.userData32 = 20261201
			row.userData64 = uint64(i % 3)
		}
		p.enter(&row)
		hashes, named := fieldHashes(row.userData128, row.userData64, row.userData32, row.ledger, row.code)
		for field := range fieldCount {
			if named[field] {
				want[field] = append(want[field], pairOf(hashes[field], begin+i))
			}
		}
	}
	if !p.of[byCode].alike || !p.of[byLedger].alike || p.of[byUser32].alike || p.of[byUser128].alike {
		t.Fatal("the test was to have fields that are alike, differ and are empty")
	}
	f := newFields(t.TempDir())
	made, err := f.make(p)
	if err != nil {
		t.Fatal(err)
	}
	defer made.disk.Close()
	opened, err := openRun(f.path(begin), begin)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.disk.Close()
	for name, r := range map[string]*run{"made": made, "opened": opened, "memory": first(newFields("").make(p))} {
		for field := range fieldCount {
			slices.Sort(want[field])
			var space page
			if r.counts[field] != len(want[field]) {
				t.Fatalf("%s, field %d: %d pairs, want %d", name, field, r.counts[field], len(want[field]))
			}
			for i := 0; i < len(want[field]); i += 17 {
				if got := r.pair(field, i, &space); got != want[field][i] {
					t.Fatalf("%s, field %d, pair %d: %x, want %x", name, field, i, got, want[field][i])
				}
				if at := r.from(field, want[field][i], &space); at != i {
					t.Fatalf("%s, field %d: pair %d is found at %d", name, field, i, at)
				}
			}
		}
	}
	// What waits for its run is searched as it was entered.
	for value, from := range map[uint32]uint32{20261130: begin, 20261201: begin + turn} {
		f := ledger.QueryFilter{UserData32: value, Limit: queryMax}
		q, _ := newFieldQuery(f)
		hashes, named := fieldHashes(f.UserData128, f.UserData64, f.UserData32, f.Ledger, f.Code)
		p.offer(&q, hashes, named, 0, rowsMax, func(row uint32) bool {
			if row != from {
				t.Fatalf("the first of %d is %d, want %d", value, row, from)
			}
			return false
		})
	}
}
