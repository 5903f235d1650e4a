package embedded

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/suanpan-bank/suanpan/journal"
)

// numbered fails unless each teller's records of a date are numbered 1, 2, 3 … in the journal's order, and tells how many
// records of how many tellers' journals these are.
func numbered(t *testing.T, all []*journal.Record) (records, journals int) {
	t.Helper()
	last := make(map[string]uint64)
	for _, rec := range all {
		if rec.Kind == journal.KindClaim || rec.Kind == journal.KindIntent {
			if rec.TellerSerial != 0 {
				t.Fatalf("position %d: number %d of what is not decided", rec.Position, rec.TellerSerial)
			}
			continue
		}
		key := fmt.Sprint(rec.AccountingDate, rec.Channel, rec.Teller)
		if last[key]++; rec.TellerSerial != last[key] {
			t.Fatalf("position %d: date, channel and teller %s: number %d, wanted %d", rec.Position, key, rec.TellerSerial, last[key])
		}
		records++
	}
	return records, len(last)
}

// A teller's journal of a date must go on where it was however often the process ends, whatever the index lacked then,
// and whatever was refused: two transactions with one number, or a number that is nobody's, can't be told from fraud.
func TestTellersNumbersHaveNeitherHoleNorRepeat(t *testing.T) {
	for _, every := range []int{7, 50, 1 << 20} {
		t.Run(fmt.Sprint("checkpoint every ", every), func(t *testing.T) {
			dir, rng := t.TempDir(), rand.New(rand.NewPCG(4, uint64(every)))
			var n uint64
			for round := range 8 {
				j := opened(t, dir, Options{CheckpointEvery: every})
				w := newWriter(t, j)
				w.n = n
				for range 60 {
					rec := w.record(1+rng.Uint64N(40), 0)
					rec.AccountingDate = 20261124 + uint32(round/2+rng.IntN(2))
					switch rng.IntN(6) {
					case 0: // of an activation that has lost the shard
						rec.Epoch--
					case 1:
						rec.Receipt = make([]byte, RecordMax+1)
					case 2:
						rec.Kind = journal.KindIntent
					}
					if err := j.Append(rec); (err != nil) != (rec.Epoch != w.epochs[rec.Shard] || len(rec.Receipt) > RecordMax) {
						t.Fatal(err)
					}
				}
				w.flushed()
				if rng.IntN(2) == 0 {
					j.SignOff(20261124 + uint32(round/2))
				}
				n = w.n
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
				if round == 5 {
					for _, lost := range []string{"ids", "index"} {
						if err := os.RemoveAll(filepath.Join(dir, lost)); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			if records, journals := numbered(t, contents(t, opened(t, dir, Options{}))); records < 200 || journals < 20 {
				t.Errorf("%d records of %d tellers' journals: the test shows nothing", records, journals)
			}
		})
	}
}

// Whoever has no teller, or comes after he has signed off, gets no number; neither does a date beyond those that may be open,
// so that commands that name dates can't fill the memory.
func TestWithoutATellerOrAnOpenDateThereIsNoNumber(t *testing.T) {
	j := opened(t, t.TempDir(), Options{})
	w := newWriter(t, j)
	number := func(date uint32, teller uint16) uint64 {
		rec := w.record(1, 0)
		rec.AccountingDate, rec.Channel, rec.Teller = date, 1, teller
		if err := j.Append(rec); err != nil {
			t.Fatal(err)
		}
		return rec.TellerSerial
	}
	for i, step := range []struct {
		date   uint32
		teller uint16
		want   uint64
	}{{20260101, 2, 1}, {20260101, 2, 2}, {20260101, 0, 0}, {20260101, 1, 1}, {20260102, 2, 1}, {20260101, 2, 3}} {
		if got := number(step.date, step.teller); got != step.want {
			t.Errorf("step %d: number %d, wanted %d", i, got, step.want)
		}
	}
	j.SignOff(20260102)
	j.SignOff(20260101)
	if a, b := number(20260101, 2), number(20260102, 2); a != 0 || b != 2 {
		t.Errorf("signed off: %d; open: %d", a, b)
	}
	for i := range uint32(journal.TellerDatesMax) {
		want := uint64(1)
		if i == journal.TellerDatesMax-1 {
			want = 0
		}
		if got := number(20270101+i, 2); got != want {
			t.Errorf("date %d to come: %d", i, got)
		}
	}
	if got := number(20260102, 2); got != 3 {
		t.Errorf("the current date: %d", got)
	}
	w.flushed()
	var rebuilt journal.Tellers
	for _, rec := range contents(t, j) {
		rebuilt.Take(rec)
	}
	rebuilt.SignOff(j.tellers.Before)
	if !reflect.DeepEqual(rebuilt.Pages, j.tellers.Pages) {
		t.Errorf("from the records: %+v, in memory: %+v", rebuilt.Pages, j.tellers.Pages)
	}
}

// What an older program left says nothing of tellers, and all the rest.
func TestAnIndexFromBeforeTellersIsRead(t *testing.T) {
	state := indexState{at: place{first: 3, last: 4}, from: 2, epochs: map[uint16]uint64{3: 4}, runs: []runName{{1, 4, 2}}}
	b := appendState(nil, &state)
	b[0] = stateBeforeTellers
	read, err := decodeState(b[:len(b)-2])
	if err != nil || !reflect.DeepEqual(read, state) {
		t.Errorf("%+v %v", read, err)
	}
}
