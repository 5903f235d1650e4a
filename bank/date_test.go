package bank

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyDate draws from the years the bank can meet, and a century around them.
func anyDate() *rapid.Generator[Date] {
	return rapid.Custom(func(t *rapid.T) Date {
		first := dayNumber(19000101)
		return dateOfDayNumber(first + rapid.IntRange(0, 250*365).Draw(t, "day"))
	})
}

func TestDatesArePrintedAndReadAsTheSameDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDate().Draw(t, "d")
		if got, err := ParseDate(d.String()); err != nil || got != d {
			t.Fatalf("%d printed %s and read as %d (%v)", d, d, got, err)
		}
	})
}

func TestOnlyRealDatesAreRead(t *testing.T) {
	for _, s := range []string{
		"", "2026-02-29", "2100-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "1899-12-31", "2026-1-01", "20260101",
		"2026/01/01", "2026-01-0x", "２026-01-01", "10000-01-01", "2026-01-00", "+026-01-01",
	} {
		if d, err := ParseDate(s); err == nil {
			t.Errorf("%q was read as %s", s, d)
		}
	}
	for _, s := range []string{"1900-01-01", "9999-12-31", "2000-02-29", "2024-02-29"} {
		same(t, s, on(t, s).String(), s)
	}
}

func TestDayArithmeticAgreesWithTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, n := anyDate().Draw(t, "a"), rapid.IntRange(-20000, 20000).Draw(t, "n")
		want := DateOf(time.Date(a.Year(), time.Month(a.Month()), a.Day()+n, 12, 0, 0, 0, shanghai))
		got := a.AddDays(n)
		if got != want || Days(a, got) != n {
			t.Fatalf("%s + %d = %s, want %s; back %d", a, n, got, want, Days(a, got))
		}
	})
}

func TestMonthsAreAddedOnTheAnchorAndClippedToTheMonthsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDate().Draw(t, "d")
		n, anchor := rapid.IntRange(-400, 400).Draw(t, "n"), rapid.IntRange(0, 31).Draw(t, "anchor")
		got := d.AddMonths(n, anchor)
		day := anchor
		if day == 0 {
			day = d.Day()
		}
		if got.Day() != min(day, monthLength(got.Year(), got.Month())) {
			t.Fatalf("%s + %d months on %d is %s", d, n, anchor, got)
		}
		if months := (got.Year()-d.Year())*12 + got.Month() - d.Month(); months != n {
			t.Fatalf("%s + %d months is %s", d, n, got)
		}
		if back := got.AddMonths(-n, d.Day()); back != d {
			t.Fatalf("%s + %d months and back on its own day is %s", d, n, back)
		}
	})
}

func TestADateIsTheOneInShanghai(t *testing.T) {
	same(t, "just before midnight UTC", DateOf(time.Date(2026, 11, 23, 23, 59, 59, 0, time.UTC)), Date(20261124))
	same(t, "16:00 UTC is midnight", DateOf(time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)), Date(20261124))
	same(t, "a moment earlier is not", DateOf(time.Date(2026, 11, 23, 15, 59, 59, 999, time.UTC)), Date(20261123))
}

func TestSomeoneBornOnTheLeapDayGrowsOlderOnTheFirstOfMarch(t *testing.T) {
	same(t, "28 February", Age(20080229, 20260228), 17)
	same(t, "1 March", Age(20080229, 20260301), 18)
	same(t, "the leap day", Age(20080229, 20280229), 20)
}

func TestCalendarVectors(t *testing.T) {
	rules := readShared[struct {
		Calendar struct {
			AddMonths []struct {
				Date, Expect Date
				Months       int
				Anchor       *int
			} `json:"add_months"`
			Settlement []struct {
				Date   Date
				Expect bool `json:"expect_is_settlement"`
			} `json:"demand_settlement"`
			DaysPastDue []struct {
				Oldest  Date `json:"oldest_unpaid_due"`
				CloseOf Date `json:"close_of"`
				Expect  int
			} `json:"days_past_due"`
		}
	}](t, "vectors", "rules.json").Calendar
	for _, v := range rules.AddMonths {
		anchor := 0
		if v.Anchor != nil {
			anchor = *v.Anchor
		}
		same(t, v.Date.String(), v.Date.AddMonths(v.Months, anchor), v.Expect)
	}
	for _, v := range rules.Settlement {
		same(t, v.Date.String(), v.Date.IsSettlementDay(), v.Expect)
	}
	for _, v := range rules.DaysPastDue {
		same(t, v.CloseOf.String(), DaysPastDue(v.Oldest, v.CloseOf, 0), v.Expect)
	}
}
