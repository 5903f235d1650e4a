package embedded

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

func states(s ...journal.Snapshot) iter.Seq[journal.Snapshot] { return slices.Values(s) }

// Customers who left memory come back from here; their newest state must survive the process.
func TestSavedStatesAreFoundByCustomerAndPersonAfterAReopen(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, Options{})
	w := newWriter(t, j)
	w.append(1, 2)
	w.append(2, 0)
	if found, err := j.Snapshot(1); err != nil || found.Customer != 0 {
		t.Errorf("before anything was saved: %+v %v", found, err)
	}
	one := journal.Snapshot{Customer: 1, Head: headOf(t, j, 1), Person: ledger.U64(11), State: []byte("one")}
	two := journal.Snapshot{Customer: 2, Head: headOf(t, j, 2), Person: ledger.U64(22), State: []byte("two")}
	if err := j.SaveSnapshots(t.Context(), 2, states(two, one)); err != nil {
		t.Fatal(err)
	}
	if j.Durable() != j.Last() {
		t.Error("states were saved of what is not durable")
	}
	two.State, two.Person = []byte("later"), ledger.U64(23)
	if err := j.SaveSnapshots(t.Context(), 0, states(two)); err != nil {
		t.Fatal(err)
	}
	if err := j.SaveSnapshots(t.Context(), j.Last()+1, states()); err == nil {
		t.Error("states of what never happened were saved")
	}
	look := func(j *Journal) {
		t.Helper()
		if j.Saved() != 2 {
			t.Errorf("saved up to %d", j.Saved())
		}
		var all []journal.Snapshot
		err := j.Snapshots(t.Context(), 0, func(s *journal.Snapshot) bool {
			all = append(all, *s)
			all[len(all)-1].State = slices.Clone(s.State)
			return true
		})
		if err != nil || len(all) != 2 {
			t.Fatalf("%+v %v", all, err)
		}
		for i, want := range []journal.Snapshot{one, two} {
			got, err := j.Snapshot(want.Customer)
			for _, s := range []journal.Snapshot{got, all[i]} {
				if err != nil || s.Customer != want.Customer || s.Head != want.Head || s.Person != want.Person || string(s.State) != string(want.State) {
					t.Errorf("%+v %v, want %+v", s, err, want)
				}
			}
		}
		for person, want := range map[uint64]uint64{11: 1, 22: 0, 23: 2, 24: 0} {
			if got, err := j.FindPerson(ledger.U64(person)); err != nil || got != want {
				t.Errorf("person %d: customer %d %v, want %d", person, got, err, want)
			}
		}
	}
	look(j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	look(opened(t, dir, Options{}))
}

// States that are saved between two checkpoints may be lost with the process; what they replaced must be there, and whose
// person was saved once is found.
func TestWhatACrashLosesOfSavedStatesIsBehindTheCheckpoint(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir, Options{})
	w := newWriter(t, j)
	w.append(1, 2)
	w.append(2, 0)
	before := journal.Snapshot{Customer: 1, Head: headOf(t, j, 1), Person: ledger.U64(11), State: []byte("before")}
	if err := j.SaveSnapshots(t.Context(), 2, states(before)); err != nil {
		t.Fatal(err)
	}
	after := before
	after.State, after.PersonSaved = []byte("after"), true
	other := journal.Snapshot{Customer: 2, Head: headOf(t, j, 2), Person: ledger.U64(22), State: []byte("other")}
	if err := j.SaveSnapshots(t.Context(), 0, states(after, other)); err != nil {
		t.Fatal(err)
	}
	look := func(j *Journal, flushed bool) {
		t.Helper()
		one, err1 := j.Snapshot(1)
		two, err2 := j.Snapshot(2)
		person1, err3 := j.FindPerson(ledger.U64(11))
		person2, err4 := j.FindPerson(ledger.U64(22))
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		if s := string(one.State); s != "after" && (flushed || s != "before") || person1 != 1 {
			t.Errorf("customer 1: %q, person of %d", s, person1)
		}
		if s := string(two.State); s != "other" && (flushed || s != "") || (person2 == 2) != (s == "other") {
			t.Errorf("customer 2: %q, person of %d", s, person2)
		}
	}
	look(j, true)
	crashed := t.TempDir()
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	look(opened(t, crashed, Options{}), false)
	if err := j.SaveSnapshots(t.Context(), j.Saved(), states()); err != nil { // which saves up to nothing new
		t.Fatal(err)
	}
	crashed = t.TempDir()
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	look(opened(t, crashed, Options{}), true)
}

// A state ahead of the durable records would show money that a crash takes back.
func TestStatesAreSavedOnlyWhenWhatTheyCountIsDurable(t *testing.T) {
	gate := newGate()
	j := opened(t, t.TempDir(), Options{open: gate.open})
	w := newWriter(t, j)
	w.append(1, 0)
	w.flushed()
	gate.close()
	w.append(1, 0)
	ctx, cancel := context.WithCancel(t.Context())
	saved := make(chan error)
	go func() {
		saved <- j.SaveSnapshots(ctx, j.Last(), func(func(journal.Snapshot) bool) { t.Error("states were asked for") })
	}()
	cancel()
	if err := <-saved; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	gate.pass()
	w.flushed()
	if err := j.SaveSnapshots(t.Context(), j.Last(), states()); err != nil || j.Saved() != j.Last() {
		t.Error(j.Saved(), err)
	}
}

func TestACustomersRecordsAreOwnDecisionsAndOthersThatGaveItEvents(t *testing.T) {
	j := opened(t, t.TempDir(), Options{})
	w := newWriter(t, j)
	want := map[uint64][]journal.Position{}
	for i := range uint64(60) {
		customer, other := 1+i%5, (i%3)*2
		rec := w.record(customer, other)
		if i%7 == 0 {
			rec.Kind = journal.KindIntent // gives nobody anything yet
			other = 0
		}
		if err := j.Append(rec); err != nil {
			t.Fatal(err)
		}
		for _, c := range []uint64{customer, other} {
			if c != 0 && !slices.Contains(want[c], rec.Position) {
				want[c] = append(want[c], rec.Position)
			}
		}
	}
	w.flushed()
	for c, positions := range want {
		for _, from := range []journal.Position{0, positions[len(positions)/2], j.Last() + 1} {
			var got []journal.Position
			err := j.ScanCustomer(t.Context(), c, from, func(rec *journal.Record) bool {
				got = append(got, rec.Position)
				return true
			})
			i, _ := slices.BinarySearch(positions, from)
			if err != nil || !slices.Equal(got, positions[i:]) {
				t.Errorf("customer %d from %d: %v %v, want %v", c, from, got, err, positions[i:])
			}
		}
	}
}

// Of a customer's records the last ones are held while the earlier ones are looked for; he is brought back from all of them.
func TestACustomersRecordsComeInOrderHoweverLargeTheyAre(t *testing.T) {
	j := opened(t, t.TempDir(), Options{SegmentBytes: SegmentBytesDefault})
	w := newWriter(t, j)
	var want []*journal.Record
	for i := range 40 {
		rec := w.record(1, 2)
		rec.Receipt = bytes.Repeat([]byte{byte(i)}, 4*scanHeldBytes/40)
		if i == 30 {
			rec.Receipt = bytes.Repeat([]byte{byte(i)}, scanHeldBytes+1) // by itself more than is held
		}
		if err := j.Append(rec); err != nil {
			t.Fatal(err)
		}
		want = append(want, rec)
		w.append(2, 0)
	}
	w.flushed()
	for range 2 { // memory is used again
		n := 0
		err := j.ScanCustomer(t.Context(), 1, 1, func(rec *journal.Record) bool {
			if n >= len(want) || rec.Position != want[n].Position || !bytes.Equal(rec.Receipt, want[n].Receipt) ||
				!reflect.DeepEqual(rec.Events, want[n].Events) {
				t.Fatalf("record %d is that of position %d", n, rec.Position)
			}
			n++
			return true
		})
		if err != nil || n != len(want) {
			t.Fatal(n, err)
		}
	}
}
