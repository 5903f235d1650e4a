package bank

import (
	"errors"
	"time"
)

// Date is a civil date in Asia/Shanghai written as the number yyyymmdd (SPEC 0.6). The zero Date is
// no date. A Date sorts and compares as a number; arithmetic uses day counts, never the clock.
type Date uint32

// ErrBadDate is returned for text that is not a real date from 1900-01-01 to 9999-12-31.
var ErrBadDate = errors.New("not a date of the form YYYY-MM-DD")

const (
	yearMin = 1900
	yearMax = 9999
)

// shanghai is UTC+8 all year: China has kept no summer time since 1991, and accounting dates begin later.
var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// NewDate is the date of year, month and day; ErrBadDate if there is no such day.
func NewDate(year, month, day int) (Date, error) {
	if year < yearMin || year > yearMax || month < 1 || month > 12 || day < 1 || day > monthLength(year, month) {
		return 0, ErrBadDate
	}
	return makeDate(year, month, day), nil
}

// DateOf is the date in Shanghai at the instant.
func DateOf(t time.Time) Date {
	y, m, d := t.In(shanghai).Date()
	return makeDate(y, int(m), d)
}

// ParseDate reads YYYY-MM-DD; ErrBadDate for anything else.
func ParseDate(s string) (Date, error) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, ErrBadDate
	}
	return parseDigits(s[:4] + s[5:7] + s[8:])
}

// parseDigits reads YYYYMMDD.
func parseDigits(s string) (Date, error) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, ErrBadDate
		}
		n = n*10 + int(s[i]-'0')
	}
	if len(s) != 8 {
		return 0, ErrBadDate
	}
	return NewDate(n/10000, n/100%100, n%100)
}

// String is YYYY-MM-DD, empty for no date.
func (d Date) String() string { return string(d.append(nil)) }

func (d Date) append(out []byte) []byte {
	if d == 0 {
		return out
	}
	b := [10]byte{4: '-', 7: '-'}
	n := uint32(d)
	for _, i := range [8]int{9, 8, 6, 5, 3, 2, 1, 0} {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return append(out, b[:]...)
}

// AppendText appends the form of String.
func (d Date) AppendText(b []byte) ([]byte, error) { return d.append(b), nil }

// MarshalText writes the form of String.
func (d Date) MarshalText() ([]byte, error) { return d.append(nil), nil }

// UnmarshalText reads the form of String; empty is no date.
func (d *Date) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*d = 0
		return nil
	}
	*d, err = ParseDate(string(b))
	return err
}

// IsZero reports whether there is no date.
func (d Date) IsZero() bool { return d == 0 }

// Year of the date.
func (d Date) Year() int { return int(d / 10000) }

// Month of the date, 1…12.
func (d Date) Month() int { return int(d / 100 % 100) }

// Day of the month, 1…31.
func (d Date) Day() int { return int(d % 100) }

// Days counts from one date to another, the first counted and the last not (算头不算尾, SPEC 0.5);
// negative when to is earlier.
func Days(from, to Date) int { return dayNumber(to) - dayNumber(from) }

// AddDays is the date n days later, or earlier when n is negative.
func (d Date) AddDays(n int) Date { return dateOfDayNumber(dayNumber(d) + n) }

// AddMonths is the date n months later on the anchor day, clipped to the end of the month. The anchor
// is the day a schedule began on, so 31 January gives 28 February and then 31 March; anchor 0 is the
// date's own day (SPEC 0.6).
func (d Date) AddMonths(n, anchorDay int) Date {
	if anchorDay == 0 {
		anchorDay = d.Day()
	}
	months := d.Year()*12 + d.Month() - 1 + n
	year, month := months/12, months%12+1
	return makeDate(year, month, min(anchorDay, monthLength(year, month)))
}

// IsSettlementDay (结息日) reports whether demand interest is settled for the period that ends with
// this day: the 20th of March, June, September and December (银发〔2005〕129号, SPEC 4.1).
func (d Date) IsSettlementDay() bool { return d%100 == 20 && d.Month()%3 == 0 }

// Age in completed years (周岁) on a date; someone born on 29 February grows older on 1 March in a
// common year. Negative before birth.
func Age(birth, on Date) int {
	years := on.Year() - birth.Year()
	if on%10000 < birth%10000 {
		years--
	}
	return years
}

func makeDate(year, month, day int) Date { return Date(year*10000 + month*100 + day) }

func isLeap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func monthLength(year, month int) int {
	switch month {
	case 2:
		if isLeap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// dayNumber counts days from 1 March of year 0 in the Gregorian calendar carried backwards. Counting
// years from March puts the leap day last, so no table of months is needed.
func dayNumber(d Date) int {
	y, m := d.Year(), d.Month()
	if m <= 2 {
		y--
		m += 12
	}
	return y*365 + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d.Day() - 1
}

// dateOfDayNumber is the inverse of dayNumber.
func dateOfDayNumber(n int) Date {
	const daysPer400Years = 146097
	era, rest := n/daysPer400Years, n%daysPer400Years
	yearOfEra := (rest - rest/1460 + rest/36524 - rest/146096) / 365
	dayOfYear := rest - (yearOfEra*365 + yearOfEra/4 - yearOfEra/100)
	mp := (5*dayOfYear + 2) / 153
	day := dayOfYear - (153*mp+2)/5 + 1
	year, month := era*400+yearOfEra, mp+3
	if month > 12 {
		year++
		month -= 12
	}
	return makeDate(year, month, day)
}
