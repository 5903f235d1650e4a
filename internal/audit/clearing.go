package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/streams"
)

// R6 (清算科目核对). What a channel's clearing accounts hold is followed from the bank's first day, by dates: what was
// booked on each, and which of it the channel's files have accounted for. So at any date
//
//	balance = files' net − settled + booked and in no file yet − in a file and not booked
//
// to the fen, where the left side is the ledger's and the right side the channel's files and the journal's entries.
// What is in no file may be of the last day that has one, or of days that have none; anything older is a difference,
// and so is what is in a file and not booked. A day's figures are kept for clearingDays, so that a file that comes late
// or is corrected takes the place of the one before.

// clearingDays is for how long a channel's day is kept by itself; behind that it joins the sums, if nothing is open.
const clearingDays = 62

// clearing is the channels' clearing accounts by what the journal says of them.
type clearing map[bank.Channel]*bank.ClearingTally

// newClearing goes on from the report of the date before.
func newClearing(before []bank.ClearingTally) clearing {
	c := make(clearing, len(bank.ClearingChannels))
	for _, channel := range bank.ClearingChannels {
		c[channel] = &bank.ClearingTally{Channel: channel}
	}
	for i := range before {
		t := before[i]
		t.Days = slices.Clone(t.Days)
		c[t.Channel] = &t
	}
	return c
}

// begin takes the ledger's word for what the accounts held at the end of a date.
func (c clearing) begin(on bank.Date, books map[bank.Channel]int64) {
	for _, channel := range bank.ClearingChannels {
		c[channel] = &bank.ClearingTally{Channel: channel, OpeningFen: books[channel], Opening: on}
	}
}

// day finds or makes a date of a channel.
func (c clearing) day(channel bank.Channel, date bank.Date) *bank.ClearingDay {
	t := c[channel]
	i, found := slices.BinarySearchFunc(t.Days, date, func(d bank.ClearingDay, date bank.Date) int { return cmp.Compare(d.Date, date) })
	if !found {
		t.Days = slices.Insert(t.Days, i, bank.ClearingDay{Date: date})
	}
	return &t.Days[i]
}

// enter counts an entry of a date.
func (c clearing) enter(e *streams.Entry, date bank.Date) {
	if bank.ClearsFile(e.Code) {
		return // counted with the file it is about
	}
	if channel, ok := bank.ClearingOf(bank.U128(e.Debit)); ok {
		c.day(channel, date).MovedFen -= e.AmountFen
	}
	if channel, ok := bank.ClearingOf(bank.U128(e.Credit)); ok {
		c.day(channel, date).MovedFen += e.AmountFen
	}
}

// settle counts what was booked of a file as a whole.
func (c clearing) settle(e bank.Event) {
	switch m := e.(type) {
	case *bank.ClearingSettled:
		c.day(m.Channel, m.Day).SettledFen += m.NetFen
	case *bank.ChannelFeeCharged:
		c.day(m.Channel, m.Day).ChargedFen += m.FeeFen
	}
}

// file notes what a file came to; a later one of the same day takes its place.
func (c clearing) file(f *bank.ReconciliationFinished, on bank.Date) {
	t := &bank.FileTally{FinishedOn: on, FileSums: f.FileSums}
	for _, d := range f.Differences {
		if d.Outcome == bank.ForAPerson {
			t.Open = append(t.Open, d)
		}
	}
	t.Open = t.Open[:min(len(t.Open), bank.WaitingListed)]
	c.day(f.Channel, f.Day).File = t
}

// covered is what a channel's files account for of each date's entries.
func covered(t *bank.ClearingTally) map[bank.Date]int64 {
	sums := make(map[bank.Date]int64)
	for i := range t.Days {
		if f := t.Days[i].File; f != nil {
			for _, s := range f.Covered {
				sums[s.Date] += s.Fen
			}
		}
	}
	return sums
}

// position is a channel's clearing accounts at the end of a date, by the files.
type position struct {
	opening, net, settled int64
	noFile                int64 // booked and in no file yet
	open                  int64 // in a file and not booked
	next                  int64 // booked of the files on later dates
	balance               int64 // what the accounts must hold
	last                  bank.Date
}

// at makes up the position and finds what is wrong with it.
func (c clearing) at(channel bank.Channel, date bank.Date, found *bank.Findings) position {
	t := c[channel]
	of := covered(t)
	p := position{opening: t.OpeningFen, net: t.NetFen, settled: t.SettledFen, balance: t.OpeningFen}
	for i := range t.Days {
		if d := &t.Days[i]; d.File != nil && d.Date <= date {
			p.last = d.Date
		}
	}
	var old int64
	var olds []string
	for i := range t.Days {
		d := &t.Days[i]
		p.balance += d.MovedFen + d.ChargedFen - d.SettledFen
		p.settled += d.SettledFen
		if d.File != nil {
			p.net += d.File.NetFen
			p.open += d.File.OpenFen
			p.next += d.File.ChargesFen - d.ChargedFen
			c.fileFindings(channel, d, date, found)
		}
		switch rest := d.MovedFen - of[d.Date]; {
		case d.Date > date:
			p.next -= rest
		case d.Date <= t.Opening: // in what the accounts held when the count began, and so is what files say of it
			p.noFile += rest
		default:
			p.noFile += rest
			if d.File != nil && d.Date < p.last && rest != 0 {
				old += rest
				olds = append(olds, fmt.Sprintf("%s of %s%s", bank.Yuan(rest), d.Date, onlyHere(d.File)))
			}
		}
	}
	if old != 0 {
		found.Add("%s: %s is booked and in no file up to that of %s: %s", channel, bank.Yuan(old), p.last, strings.Join(olds, "; "))
	}
	return p
}

// onlyHere names what the file of its day did not have.
func onlyHere(f *bank.FileTally) string {
	if f.WaitCount == 0 {
		return ""
	}
	var names []string
	for _, w := range f.Waiting {
		names = append(names, fmt.Sprintf("%s %s %s", w.Transfer, w.Direction, bank.Yuan(w.AmountFen)))
	}
	if more := f.WaitCount - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf(" (not in its own file: %s)", strings.Join(names, ", "))
}

// fileFindings looks at what a file left open, and whether it was settled as it says.
func (c clearing) fileFindings(channel bank.Channel, d *bank.ClearingDay, date bank.Date, found *bank.Findings) {
	f := d.File
	for _, x := range f.Open {
		found.Add("%s of %s, line %d, serial %s: %s, %s here and %s there, waits for a person", channel, d.Date, x.Line, x.Serial,
			x.Kind, bank.Yuan(x.OursFen), bank.Yuan(x.TheirsFen))
	}
	switch more := f.OpenCount - len(f.Open); {
	case more > 0:
		found.Add("%s of %s: %d more wait for a person, %s in all", channel, d.Date, more, bank.Yuan(f.OpenFen))
	case f.OpenCount == 0 && f.OpenFen != 0:
		found.Add("%s of %s: the file comes to %s more than what is booked for its lines", channel, d.Date, bank.Yuan(f.OpenFen))
	}
	if f.FinishedOn > date {
		return // settled on a later date
	}
	if f.NetFen != d.SettledFen {
		found.Add("%s of %s: the file comes to %s, %s is settled: a corrected file is for a person", channel, d.Date, bank.Yuan(f.NetFen), bank.Yuan(d.SettledFen))
	}
	if f.ChargesFen != d.ChargedFen {
		found.Add("%s of %s: the file charges %s, %s is booked: a corrected file is for a person", channel, d.Date, bank.Yuan(f.ChargesFen), bank.Yuan(d.ChargedFen))
	}
}

// figures are what the next day's report begins with.
func (c clearing) figures(date bank.Date) (out []bank.ClearingTally) {
	for _, channel := range bank.ClearingChannels {
		t := *c[channel]
		t.Days = slices.Clone(t.Days)
		join(&t, date.AddDays(-clearingDays))
		out = append(out, t)
	}
	return out
}

// join adds days before a date to the sums, those of which nothing is open and no other day's file speaks.
func join(t *bank.ClearingTally, before bank.Date) {
	of := covered(t)
	stays := make(map[bank.Date]bool)
	for i := range t.Days {
		d := &t.Days[i]
		f := d.File
		stays[d.Date] = d.Date >= before || f == nil || f.OpenCount != 0 || f.OpenFen != 0 || f.NetFen != d.SettledFen ||
			f.ChargesFen != d.ChargedFen || d.Date > t.Opening && d.MovedFen != of[d.Date]
	}
	for again := true; again; {
		again = false
		for i := range t.Days {
			d := &t.Days[i]
			if d.File == nil {
				continue
			}
			for _, s := range d.File.Covered {
				a, b := stays[d.Date], s.Date > t.Opening && stays[s.Date]
				if a != b && s.Date > t.Opening {
					stays[d.Date], stays[s.Date], again = true, true, true
				}
			}
		}
	}
	t.Days = slices.DeleteFunc(t.Days, func(d bank.ClearingDay) bool {
		if stays[d.Date] {
			return false
		}
		t.NetFen += d.File.NetFen
		t.SettledFen += d.SettledFen // as much: nothing is open
		// All days that go together come to zero, but those before the opening: their entries are in it already.
		t.OpeningFen += d.MovedFen + d.ChargedFen - d.SettledFen
		return true
	})
}
