package embedded

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/suanpan-bank/suanpan/journal"
)

// tellers are how far the tellers' journals have come (柜员流水号): of each date that is open, by channel and teller.
// A page is 8 bytes a teller. There are a few for each open date, so that they are gone through to find one.
type tellers struct {
	before uint32 // the tellers have signed off for all dates before
	pages  []tellerPage
}

// tellerPage is a channel's tellers of a date.
type tellerPage struct {
	date    uint32
	channel uint16
	last    []uint64 // by teller
}

// tellerDatesMax is how many dates may be open at once. A bank has two, while a day's end is worked on; more come of
// commands that name dates to come, which must not make the journal remember any number of them.
const tellerDatesMax = 16

func (t *tellers) page(rec *journal.Record) *tellerPage {
	for i := range t.pages {
		if p := &t.pages[i]; p.date == rec.AccountingDate && p.channel == rec.Channel {
			return p
		}
	}
	return nil
}

// next is the record's number in its teller's journal; zero: it gets none.
func (t *tellers) next(rec *journal.Record) uint64 {
	if rec.Teller == 0 || rec.Kind != journal.KindDecision && rec.Kind != journal.KindOutcome {
		return 0
	}
	p := t.page(rec)
	switch {
	case p != nil && int(rec.Teller) < len(p.last):
		return p.last[rec.Teller] + 1
	case p == nil && (rec.AccountingDate < t.before || !t.isOpen(rec.AccountingDate) && t.dates() >= tellerDatesMax):
		return 0
	}
	return 1
}

// take notes the number that the record has. Of records read again the earliest dates make room: those were given when no
// more than tellerDatesMax were open, so that the earliest are signed off.
func (t *tellers) take(rec *journal.Record) {
	if rec.TellerSerial == 0 {
		return
	}
	p := t.page(rec)
	if p == nil {
		if !t.isOpen(rec.AccountingDate) && t.dates() >= tellerDatesMax {
			t.drop(slices.MinFunc(t.pages, func(a, b tellerPage) int { return int(int64(a.date) - int64(b.date)) }).date + 1)
		}
		t.pages = append(t.pages, tellerPage{date: rec.AccountingDate, channel: rec.Channel})
		p = &t.pages[len(t.pages)-1]
	}
	if n := int(rec.Teller) + 1; n > len(p.last) {
		p.last = append(p.last, make([]uint64, n-len(p.last))...)
	}
	p.last[rec.Teller] = rec.TellerSerial
}

func (t *tellers) isOpen(date uint32) bool {
	return slices.ContainsFunc(t.pages, func(p tellerPage) bool { return p.date == date })
}

func (t *tellers) dates() (n int) {
	for i := range t.pages {
		if !slices.ContainsFunc(t.pages[:i], func(p tellerPage) bool { return p.date == t.pages[i].date }) {
			n++
		}
	}
	return n
}

// drop forgets the dates before.
func (t *tellers) drop(before uint32) {
	t.pages = slices.DeleteFunc(t.pages, func(p tellerPage) bool { return p.date < before })
}

// clone is what a checkpoint writes while the numbers go on.
func (t *tellers) clone() tellers {
	c := tellers{before: t.before, pages: slices.Clone(t.pages)}
	for i := range c.pages {
		c.pages[i].last = slices.Clone(c.pages[i].last)
	}
	return c
}

func (t *tellers) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(t.before))
	b = binary.AppendUvarint(b, uint64(len(t.pages)))
	for _, p := range t.pages {
		b = binary.AppendUvarint(b, uint64(p.date))
		b = binary.AppendUvarint(b, uint64(p.channel))
		b = binary.AppendUvarint(b, uint64(len(p.last)))
		for _, n := range p.last {
			b = binary.AppendUvarint(b, n)
		}
	}
	return b
}

// tellers reads what append wrote.
func (r *decoder) tellers() tellers {
	t := tellers{before: uint32(r.uvarint(math.MaxUint32))}
	for range r.count(3) {
		p := tellerPage{date: uint32(r.uvarint(math.MaxUint32)), channel: uint16(r.uvarint(math.MaxUint16))}
		n := r.count(1)
		if n > math.MaxUint16+1 {
			r.bad = true
			break
		}
		p.last = make([]uint64, n)
		for i := range p.last {
			p.last[i] = r.uvarint(math.MaxUint64)
		}
		t.pages = append(t.pages, p)
	}
	return t
}

// SignOff implements journal.Journal.
func (j *Journal) SignOff(before uint32) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if before > j.tellers.before {
		j.tellers.before = before
		j.tellers.drop(before)
	}
}
