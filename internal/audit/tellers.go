package audit

import (
	"cmp"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
)

// R9 (流水号连续). A virtual teller (虚拟柜员, SPEC 3.4) is a channel in a shard. His journal is what the bank's records
// of a date have of him, in their order, and its numbers are theirs: a position can't be given twice, and none is left
// out. Below that each customer's decisions are numbered from 1; these numbers were given by his own actor, before the
// journal gave the position, so a record that was lost or written twice shows in them even in a journal that numbers
// what it has without a hole.

// teller is one.
type teller struct {
	channel bank.Channel
	shard   uint16
}

// tellers follow the journals of a date.
type tellers struct {
	heads map[uint64]uint64 // last decision of each customer that has one among the records
	of    map[teller]*tellerDay
}

// tellerDay is a teller's journal of the date.
type tellerDay struct {
	records       int64
	postedFen     int64
	first, latest journal.Position
}

func newTellers() tellers {
	return tellers{heads: make(map[uint64]uint64), of: make(map[teller]*tellerDay)}
}

// number looks at a record's number among its customer's decisions; claims of shards have none.
func (t *tellers) number(rec *journal.Record, hole *bank.Findings) {
	if rec.Seq == 0 {
		return
	}
	if before, known := t.heads[rec.Customer]; known && rec.Seq != before+1 {
		hole.Add("position %d: decision %d of customer %s follows his %d", rec.Position, rec.Seq, bank.CustomerNo(rec.Customer), before)
	}
	t.heads[rec.Customer] = rec.Seq
}

// enter counts a record of the date and what it posted.
func (t *tellers) enter(rec *journal.Record, postedFen int64) {
	key := teller{bank.Channel(rec.Channel), rec.Shard}
	d := t.of[key]
	if d == nil {
		d = &tellerDay{first: rec.Position}
		t.of[key] = d
	}
	d.records++
	d.postedFen += postedFen
	d.latest = rec.Position
}

// sheet (柜员轧账) sums them up by channel.
func (t *tellers) sheet() (out []bank.TellerTally) {
	sums := make(map[bank.Channel]*bank.TellerTally)
	for key, d := range t.of {
		s := sums[key.channel]
		if s == nil {
			s = &bank.TellerTally{Channel: key.channel, First: uint64(d.first)}
			sums[key.channel] = s
		}
		s.Tellers++
		s.Records += d.records
		s.PostedFen += d.postedFen
		s.First, s.Last = min(s.First, uint64(d.first)), max(s.Last, uint64(d.latest))
	}
	for _, s := range sums {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b bank.TellerTally) int { return cmp.Compare(a.Channel, b.Channel) })
	return out
}
