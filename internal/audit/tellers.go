package audit

import (
	"cmp"
	"math"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
)

// R9 (流水号连续). A virtual teller (虚拟柜员, SPEC 3.4) is a channel in a shard. His journal is what the bank's records
// of a date have of him, in their order, and its numbers are theirs: a position can't be given twice, and none is left
// out. Below that each customer's decisions are numbered from 1; these numbers were given by his own actor, before the
// journal gave the position, so a record that was lost or written twice shows in them even in a journal that numbers
// what it has without a hole.

// tellers follow the journals of a date. There are as many records as the day's end visits customers, and more: what is
// kept of each lies in rows, not in maps.
type tellers struct {
	heads     [][]uint64 // last decision of each customer that has one among the records, headsRow to a row; nil: none of these
	houses    [bank.ShardCount]uint64
	customers int // in heads and houses
	of        map[bank.Channel]*[bank.ShardCount]tellerDay
}

// headsRow is how many customers' numbers are kept together: 32 KiB.
const headsRow = 4096

// tellerDay is a teller's journal of the date.
type tellerDay struct {
	records       int64
	postedFen     int64
	first, latest journal.Position
}

func newTellers() tellers {
	return tellers{of: make(map[bank.Channel]*[bank.ShardCount]tellerDay)}
}

// head is where a customer's last decision is kept.
func (t *tellers) head(no bank.CustomerNo) *uint64 {
	if no.IsHouse() {
		return &t.houses[no.Shard()]
	}
	row := int(min(no, bank.CustomerNoMax) / headsRow)
	if row >= len(t.heads) {
		t.heads = append(t.heads, make([][]uint64, row+1-len(t.heads))...)
	}
	if t.heads[row] == nil {
		t.heads[row] = make([]uint64, headsRow)
	}
	return &t.heads[row][no%headsRow]
}

// number looks at a record's number among its customer's decisions; claims of shards have none.
func (t *tellers) number(rec *journal.Record, hole *bank.Findings) {
	if rec.Seq == 0 {
		return
	}
	head := t.head(bank.CustomerNo(rec.Customer))
	if *head == 0 {
		t.customers++
	} else if rec.Seq != *head+1 {
		hole.Add("position %d: decision %d of customer %s follows his %d", rec.Position, rec.Seq, bank.CustomerNo(rec.Customer), *head)
	}
	*head = rec.Seq
}

// enter counts a record of the date and what it posted.
func (t *tellers) enter(rec *journal.Record, postedFen int64) {
	days := t.of[bank.Channel(rec.Channel)]
	if days == nil {
		days = new([bank.ShardCount]tellerDay)
		t.of[bank.Channel(rec.Channel)] = days
	}
	d := &days[rec.Shard%bank.ShardCount]
	if d.records == 0 {
		d.first = rec.Position
	}
	d.records++
	d.postedFen += postedFen
	d.latest = rec.Position
}

// sheet (柜员轧账) sums them up by channel.
func (t *tellers) sheet() (out []bank.TellerTally) {
	for channel, days := range t.of {
		s := bank.TellerTally{Channel: channel, First: math.MaxUint64}
		for i := range days {
			if d := &days[i]; d.records > 0 {
				s.Tellers++
				s.Records += d.records
				s.PostedFen += d.postedFen
				s.First, s.Last = min(s.First, uint64(d.first)), max(s.Last, uint64(d.latest))
			}
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b bank.TellerTally) int { return cmp.Compare(a.Channel, b.Channel) })
	return out
}
