package bank

import (
	"testing"
	"time"
)

// The cut decides on which date a payment of the night is booked.
func TestADateEndsAtItsCut(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", text, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		name, now string
		cutMinute int
		date      Date
		ends      string
	}{
		{"before midnight", "2026-01-15 23:59", 0, 20260115, "2026-01-16 00:00"},
		{"at midnight", "2026-01-16 00:00", 0, 20260116, "2026-01-17 00:00"},
		{"before a cut in the evening", "2026-01-15 22:59", 23 * 60, 20260115, "2026-01-15 23:00"},
		{"after it", "2026-01-15 23:00", 23 * 60, 20260116, "2026-01-16 23:00"},
		{"before a cut in the night", "2026-01-16 01:29", 90, 20260115, "2026-01-16 01:30"},
		{"after it", "2026-01-16 01:30", 90, 20260116, "2026-01-17 01:30"},
		{"the year's last day", "2026-12-31 23:59", 0, 20261231, "2027-01-01 00:00"},
	} {
		a := AccountingDay{CutMinute: c.cutMinute}
		if got := a.DateAt(at(c.now)); got != c.date {
			t.Errorf("%s: %s is %s, wanted %s", c.name, c.now, got, c.date)
		}
		if got := a.CutAt(c.date); !got.Equal(at(c.ends)) {
			t.Errorf("%s: %s ends at %s, wanted %s", c.name, c.date, got, c.ends)
		}
	}
}

// decided has the bank's house decide, and applies it.
func decided(t *testing.T, house *Customer, cmd Command) RefusalCode {
	t.Helper()
	env := &Env{Millis: 1, Date: 20260116, Catalogue: DefaultCatalogue()}
	d, r := Decide(house, cmd, env)
	if r != nil {
		return r.Code
	}
	house.Seq++
	for _, e := range d.Events {
		house.Apply(e, env.Date)
	}
	return NoRefusal
}

// A day is cut once, and its work is done in order before the next cut.
func TestTheDaysOrderIsKept(t *testing.T) {
	house := &Customer{No: BankHouse}
	for _, step := range []struct {
		cmd  Command
		want RefusalCode
	}{
		{&StartDayCut{20260115}, DateClosed}, // not open
		{&OpenDay{20260115, 0}, NoRefusal},
		{&OpenDay{20260116, 0}, DateClosed},
		{&StartDayCut{20260114}, DateClosed},
		{&FinishDayCut{20260115}, DateClosed},
		{&StartDayCut{20260115}, NoRefusal},
		{&StartDayCut{20260116}, DayUnfinished},
		{&FinishDayStep{20260115, StepReconcile}, DateClosed}, // something may be under way
		{&FinishDayCut{20260115}, NoRefusal},
		{&FinishDayCut{20260115}, DateClosed},
		{&FinishDayStep{20260115, StepCustomers}, NoRefusal},
		{&FinishDayStep{20260115, StepReconcile}, FieldInvalid},
		{&StartDayCut{20260116}, DayUnfinished},
		{&FinishDayStep{20260115, StepInstalments}, NoRefusal},
		{&FinishDayStep{20260115, StepInstalments}, DateClosed},
		{&StartDayCut{20260116}, NoRefusal},
	} {
		if got := decided(t, house, step.cmd); got != step.want {
			t.Fatalf("%s %+v: %q, wanted %q", step.cmd.Operation(), step.cmd, got, step.want)
		}
	}
	if want := (AccountingDay{Current: 20260117, Closing: 20260116, FenceSeq: 2}); *house.Day != want {
		t.Errorf("%+v, wanted %+v", *house.Day, want)
	}
}

// A shard's sums become one transfer for each product, in the product's own subjects, the other way round when less was
// earned than had been accrued.
func TestAccrualsArePostedByProduct(t *testing.T) {
	cmd := &PostAccruals{Shard: 7, Date: 20260115, Accruals: []AccrualSum{{"JFC3M", 38, 1}, {"CLASS_I", -5, 2}}}
	house := &Customer{No: HouseNo(7)}
	d, r := Decide(house, cmd, &Env{Millis: 1, Date: 20260115, Catalogue: DefaultCatalogue()})
	if r != nil || len(d.Legs) != 2 || len(d.Events) != 2 {
		t.Fatalf("%+v, %v", d, r)
	}
	payable3M, demand := LedgerID(22310201, 7, 0), LedgerID(DetailDemandPayable, 7, 0)
	if l := d.Legs[0]; l.Credit != payable3M || l.AmountFen != 38 || l.Code != 2031 {
		t.Errorf("deposits: %+v", l)
	}
	if l := d.Legs[1]; l.Debit != demand || l.AmountFen != 5 || l.Code != 2032 {
		t.Errorf("demand: %+v", l)
	}
}
