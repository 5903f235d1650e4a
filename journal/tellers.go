package journal

import "slices"

// Tellers are how far the tellers' journals have come (柜员流水号): of each date that is open, by channel and teller.
// A page is 8 bytes a teller. There are a few for each open date, so that they are gone through to find one.
type Tellers struct {
	Before uint32 // the tellers have signed off for all dates before
	Pages  []TellerPage
	found  int // in Pages, by the last look: the next is for the same as a rule
}

// TellerPage is a channel's tellers of a date.
type TellerPage struct {
	Date    uint32
	Channel uint16
	Last    []uint64 // by teller
}

// TellerDatesMax is how many dates may be open at once. A bank has two, while a day's end is worked on; more come of
// commands that name dates to come, which must not make the journal remember any number of them.
const TellerDatesMax = 16

func (t *Tellers) page(rec *Record) *TellerPage {
	if t.found < len(t.Pages) && t.Pages[t.found].of(rec) {
		return &t.Pages[t.found]
	}
	for i := range t.Pages {
		if t.Pages[i].of(rec) {
			t.found = i
			return &t.Pages[i]
		}
	}
	return nil
}

func (p *TellerPage) of(rec *Record) bool {
	return p.Date == rec.AccountingDate && p.Channel == rec.Channel
}

// Next is the record's number in its teller's journal; zero: it gets none.
func (t *Tellers) Next(rec *Record) uint64 {
	if rec.Teller == 0 || rec.Kind != KindDecision && rec.Kind != KindOutcome {
		return 0
	}
	p := t.page(rec)
	switch {
	case p != nil && int(rec.Teller) < len(p.Last):
		return p.Last[rec.Teller] + 1
	case p == nil && (rec.AccountingDate < t.Before || !t.isOpen(rec.AccountingDate) && t.dates() >= TellerDatesMax):
		return 0
	}
	return 1
}

// Take notes the number that the record has. Of records read again the earliest dates make room: those were given when no
// more than TellerDatesMax were open, so that the earliest are signed off.
func (t *Tellers) Take(rec *Record) {
	if rec.TellerSerial == 0 {
		return
	}
	p := t.page(rec)
	if p == nil {
		if !t.isOpen(rec.AccountingDate) && t.dates() >= TellerDatesMax {
			t.drop(slices.MinFunc(t.Pages, func(a, b TellerPage) int { return int(int64(a.Date) - int64(b.Date)) }).Date + 1)
		}
		t.Pages = append(t.Pages, TellerPage{Date: rec.AccountingDate, Channel: rec.Channel})
		p = &t.Pages[len(t.Pages)-1]
	}
	if n := int(rec.Teller) + 1; n > len(p.Last) {
		p.Last = append(p.Last, make([]uint64, n-len(p.Last))...)
	}
	p.Last[rec.Teller] = rec.TellerSerial
}

func (t *Tellers) isOpen(date uint32) bool {
	return slices.ContainsFunc(t.Pages, func(p TellerPage) bool { return p.Date == date })
}

func (t *Tellers) dates() (n int) {
	for i := range t.Pages {
		if !slices.ContainsFunc(t.Pages[:i], func(p TellerPage) bool { return p.Date == t.Pages[i].Date }) {
			n++
		}
	}
	return n
}

// SignOff forgets the dates before one; it never goes back.
func (t *Tellers) SignOff(before uint32) {
	if before > t.Before {
		t.Before = before
		t.drop(before)
	}
}

func (t *Tellers) drop(before uint32) {
	t.Pages = slices.DeleteFunc(t.Pages, func(p TellerPage) bool { return p.Date < before })
}

// Clone is what a checkpoint writes while the numbers go on.
func (t *Tellers) Clone() Tellers {
	c := Tellers{Before: t.Before, Pages: slices.Clone(t.Pages)}
	for i := range c.Pages {
		c.Pages[i].Last = slices.Clone(c.Pages[i].Last)
	}
	return c
}
