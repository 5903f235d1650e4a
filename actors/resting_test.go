package actors

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/clock"
	"github.com/suanpan-bank/suanpan/journal"
)

// booked lists who is in the shards' books.
func (o *office) booked() (found []bank.CustomerNo) {
	for i := range o.node.shards {
		b := &o.node.shards[i].book
		b.mu.Lock()
		found = slices.AppendSeq(found, maps.Keys(b.at))
		b.mu.Unlock()
	}
	slices.Sort(found)
	return found
}

// A million customers about whom there is nothing but interest must cost a day's end neither a read nor a write of their
// states, before and after a restart; and each has his own event all the same, with his next number.
func TestADayOfCustomersAtRestTouchesNoState(t *testing.T) {
	c := clock.NewMovable(testClock())
	j := newMemoryJournal()
	o := openOffice(t, j, dayClock(c))
	d := o.days(c)
	const depositors = 30
	for i := range depositors {
		o.depositor(fmt.Sprint("d", i))
	}
	for day := 1; day <= 3; day++ {
		o.passivateAll()
		if err := o.node.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		if day == 3 { // by another process
			j = j.reopened()
			o = openOffice(t, j, dayClock(c))
			d = o.days(c)
		}
		before, last, left := maps.Clone(j.snapshots), j.Last(), o.node.Passivated()
		if err := c.MoveTo(c.Now().AddDate(0, 0, 1)); err != nil {
			t.Fatal(err)
		}
		if err := d.Catch(t.Context()); err != nil {
			t.Fatal(err)
		}
		closed := make(map[uint64]int)
		if err := j.Scan(t.Context(), last+1, func(rec *journal.Record) bool {
			for _, e := range rec.Events {
				if bank.EventType(e.Type) != bank.EventCustomerDayClosed {
					continue
				}
				if closed[e.Customer]++; rec.Customer != uint64(bank.HouseNo(bank.CustomerNo(e.Customer).Shard())) {
					t.Errorf("day %d of customer %d is closed by %d", day, e.Customer, rec.Customer)
				}
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		if len(closed) != depositors || len(o.booked()) != depositors {
			t.Fatalf("day %d: %d days closed, %d customers at rest", day, len(closed), len(o.booked()))
		}
		if now := o.node.Passivated(); now != left {
			t.Errorf("day %d: %d customers were brought to memory", day, now-left)
		}
		if err := o.node.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		for no := uint64(1); no <= depositors; no++ {
			if !bytes.Equal(before[no].State, j.snapshots[no].State) {
				t.Errorf("day %d: the state of customer %d was saved again", day, no)
			}
			if head, err := j.Head(no); err != nil || closed[no] != 1 || head.EventSeq != before[no].Head.EventSeq+uint64(day) && day < 3 {
				t.Errorf("day %d: customer %d is at %+v (%v), %d days closed", day, no, head, err, closed[no])
			}
		}
		sameStates(t, "restarted", openOffice(t, j.unsnapped(), dayClock(c)), openOffice(t, j.reopened(), dayClock(c)))
	}
}

// After a process was killed the saved books are older than the records: days have been closed since, and customers have
// paid. Who is closed by an old entry would have a day's interest twice, or interest on money that he has no more.
func TestABookThatIsOlderThanTheRecordsClosesNobodysDay(t *testing.T) {
	c := clock.NewMovable(testClock())
	j := newMemoryJournal()
	o := openOffice(t, j, dayClock(c))
	d := o.days(c)
	endDay := func() {
		t.Helper()
		if err := c.MoveTo(c.Now().AddDate(0, 0, 1)); err != nil {
			t.Fatal(err)
		}
		if err := d.Catch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	restart := func() {
		j = j.reopened()
		o = openOffice(t, j, dayClock(c))
		d = o.days(c)
	}
	const depositors = 10
	var accounts []bank.AccountNo
	for i := range depositors {
		accounts = append(accounts, o.depositor(fmt.Sprint("d", i)))
	}
	o.passivateAll()
	endDay()
	if err := o.node.Checkpoint(t.Context()); err != nil { // books are saved
		t.Fatal(err)
	}
	o.fund(accounts[0], 777_00) // a customer whom only a payment has moved on
	o.passivateAll()
	restart()
	endDay() // and all of them by a day, in the records only
	o.passivateAll()
	restart()
	endDay()
	days := make(map[bank.CustomerNo][]bank.Date)
	if err := j.Scan(t.Context(), 1, func(rec *journal.Record) bool {
		for _, e := range rec.Events {
			if bank.EventType(e.Type) != bank.EventCustomerDayClosed {
				continue
			}
			var closed bank.CustomerDayClosed
			if err := bank.Decode(e.Body, &closed); err != nil {
				t.Error(err)
			}
			days[bank.CustomerNo(e.Customer)] = append(days[bank.CustomerNo(e.Customer)], closed.Date)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	first := bank.DateOf(testClock())
	want := []bank.Date{first, first.AddDays(1), first.AddDays(2)}
	for _, a := range accounts {
		if got := days[a.Customer()]; !slices.Equal(got, want) {
			t.Errorf("customer %s has closed %v, want %v", a.Customer(), got, want)
		}
	}
	sameStates(t, "from the books", openOffice(t, j.unsnapped(), dayClock(c)), o)
}

// Between the copy of a book and the look at the customers in memory one who leaves would be in neither: his closed days
// would be lost to a start from that checkpoint.
func TestWhoLeavesMemoryDuringACheckpointKeepsHisClosedDays(t *testing.T) {
	j := newMemoryJournal()
	o := openOffice(t, j)
	l := &life{office: o, day: new(bank.Date), rested: new(int)}
	*l.day = dayD
	no := o.depositor("d").Customer()
	o.passivateAll()
	if err := o.node.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.endDay()
	if *l.rested != 1 {
		t.Fatalf("%d days closed at rest", *l.rested)
	}
	s, err := o.node.acquire(no, false) // he comes to memory
	if err != nil {
		t.Fatal(err)
	}
	if !s.rolled.Load() || s.changed.Load() {
		t.Fatal("closed days are not all that has changed")
	}
	o.node.copyBook(no.Shard())
	s.release()
	until(t, "left", func() bool { return o.node.evict(no) })
	if saved, ok := o.node.unsaved.find(no); !ok || saved.Head.EventSeq != s.head().EventSeq {
		t.Errorf("put aside to be saved: %t, at %+v; he is at %+v", ok, saved.Head, s.head())
	}
	o.node.shards[no.Shard()].book.seen()
}

// A day of customers at rest that the disk had no room for must not be in the book: he who is there with an event that the
// journal does not have could never be read again, and would lack the day's interest.
func TestADayThatWasNotWrittenIsNotClosed(t *testing.T) {
	j := newMemoryJournal()
	o := openOffice(t, j)
	no := o.depositor("d").Customer()
	o.passivateAll()
	full := func(err error) {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.full = err
	}
	full(journal.ErrFull)
	s := o.node.newSweep(dayD, bank.EndOfDay, nil)
	s.resting, s.due = closeResting, dayNext
	ended := make(chan error, 1)
	go func() { ended <- s.run(t.Context()) }()
	until(t, "visited, as nothing could be written for him at rest", func() bool { return o.node.slot(no) != nil })
	full(nil)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	o.passivateAll()
	held, err := o.node.acquire(no, false)
	if err != nil || held.customer.ClosedOn != dayD || held.customer.Deposits[0].AccruedFen == 0 {
		t.Fatalf("%+v, %v", held, err)
	}
	held.release()
	if err := o.node.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	sameStates(t, "restarted", openOffice(t, j.unsnapped()), openOffice(t, j.reopened()))
}

// A saved book is read as it was written, or refused: half a book would forget customers' interest.
func FuzzBook(f *testing.F) {
	b := new(book)
	entry := appendEntry(nil, journal.Head{Seq: 3, EventSeq: 4}, journal.Head{Seq: 3, EventSeq: 9})
	b.put(7, append(entry, make([]byte, 12)...))
	b.put(300, entry)
	f.Add(b.save("1"), "1")
	f.Add(b.save("1"), "2")
	long := strings.Repeat("v", 2*restingBytesMax)
	f.Add(b.save(long), long)
	f.Fuzz(func(t *testing.T, saved []byte, catalogue string) {
		var b, again book
		if b.restore(saved, catalogue) != nil {
			return
		}
		stored := b.save(catalogue)
		if err := again.restore(stored, catalogue); err != nil {
			t.Fatalf("%x is saved as %x, which is not read: %v", saved, stored, err)
		}
		if twice := again.save(catalogue); !bytes.Equal(stored, twice) {
			t.Fatalf("%x changes when it is saved again: %x", stored, twice)
		}
	})
}

// Entries come, grow, and go; what is left must be what was put there last.
func TestABookKeepsWhatWasPutThereLast(t *testing.T) {
	var b book
	want := make(map[bank.CustomerNo][]byte)
	for i := range 5_000 {
		no := bank.CustomerNo(i * i % 97)
		if _, ok := want[no]; ok && i%5 == 0 {
			b.drop(no)
			delete(want, no)
			continue
		}
		entry := bytes.Repeat([]byte{byte(i)}, 1+i%40)
		b.put(no, entry)
		want[no] = entry
	}
	if len(b.at) != len(want) || b.waste > len(b.bytes) {
		t.Fatalf("%d entries, wanted %d", len(b.at), len(want))
	}
	for no, entry := range want {
		if got, ok := b.find(no); !ok || !bytes.Equal(got, entry) {
			t.Errorf("customer %d: %x, wanted %x", no, got, entry)
		}
	}
}
