package audit

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/pace"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/streams"
)

// R9 (柜员流水号连续, 柜员轧账). A virtual teller (虚拟柜员, SPEC 3.4) is a channel in a shard. Three things are looked at. The
// number that each record has in its teller's journal of the date: 1, 2, 3 … in the journal's order. Each customer's
// decisions, numbered from 1 by his own actor before the journal gave anything a number: a record that was lost or written
// twice shows in them even if the journal had numbered what it has without a hole. And what each teller has posted, by the
// journal and by the ledger's own transfers that bear the date and his mark (user_data_32, user_data_64).

// tellers follow the journals of a date, and of those beside it. There are as many records as the day's end visits
// customers, and more: what is kept of each lies in rows, not in maps.
type tellers struct {
	heads     [][]uint64 // last decision of each customer that has one among the records, headsRow to a row; nil: none of these
	houses    [bank.ShardCount]uint64
	customers int // in heads and houses

	of         map[tellerPage]*[bank.ShardCount + 1]tellerDay // by TellerOf; 0: of none
	from       bank.Date                                      // journals of earlier dates are not followed: other reports have
	partly     bool                                           // journals may have begun before the records that are there
	numbered   bool                                           // some record has a number, or had one by the report of the date before
	always     bool                                           // by that report: so every record must have one
	unnumbered int64                                          // records of the date from before tellers numbered them
	numbers    bank.Findings
}

// headsRow is how many customers' numbers are kept together: 32 KiB.
const headsRow = 4096

// tellerPage are a channel's tellers on a date.
type tellerPage struct {
	date    bank.Date
	channel bank.Channel
}

// tellerDay is a teller's journal of the date.
type tellerDay struct {
	records       int64
	first, latest journal.Position
	begin, serial uint64 // his first number and his last
	posted        []tellerSum
}

// tellerSum is what a teller has posted in a ledger.
type tellerSum struct {
	ledger         uint32
	journal, there sum // by the journal's records, by the ledger's transfers
}

type sum struct{ transfers, fen int64 }

// newTellers begin where the report of the date before has left them; nil: with nothing.
func newTellers(before *bank.DayReport, today bank.Date) tellers {
	t := tellers{from: today, of: make(map[tellerPage]*[bank.ShardCount + 1]tellerDay)}
	if before == nil || !before.Tally.Numbered {
		return t
	}
	t.numbered, t.always, t.from = true, true, before.Date
	for i := range before.Tellers {
		t.resume(before.Date, before.Tellers[i].Channel, before.Tellers[i].Each)
	}
	for i := range before.Tally.Ahead {
		a := &before.Tally.Ahead[i]
		t.resume(a.Date, a.Channel, a.Each)
	}
	return t
}

func (t *tellers) resume(date bank.Date, channel bank.Channel, each []bank.TellerDay) {
	for i := range each {
		e := &each[i]
		if e.Teller > bank.ShardCount {
			continue // our own reports have none
		}
		d := &t.page(date, channel)[e.Teller]
		*d = tellerDay{records: e.Records, begin: e.First, serial: e.Last}
		for _, p := range e.Posted {
			d.sum(p.Ledger).journal = sum{p.Transfers, p.Fen}
		}
	}
}

func (t *tellers) page(date bank.Date, channel bank.Channel) *[bank.ShardCount + 1]tellerDay {
	key := tellerPage{date, channel}
	days := t.of[key]
	if days == nil {
		days = new([bank.ShardCount + 1]tellerDay)
		t.of[key] = days
	}
	return days
}

func (d *tellerDay) sum(ledgerNo uint32) *tellerSum {
	for i := range d.posted {
		if d.posted[i].ledger == ledgerNo {
			return &d.posted[i]
		}
	}
	d.posted = append(d.posted, tellerSum{ledger: ledgerNo})
	return &d.posted[len(d.posted)-1]
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

// enter looks at a record's number in its teller's journal and counts it, with what it posted.
func (t *tellers) enter(rec *journal.Record, entries []streams.Entry, today bank.Date) {
	date, channel := bank.Date(rec.AccountingDate), bank.Channel(rec.Channel)
	who := rec.Teller
	if date < t.from {
		return
	}
	if who > bank.ShardCount {
		t.numbers.Add("position %d: shard %d has no teller %d", rec.Position, rec.Shard, who)
		return
	}
	d := &t.page(date, channel)[who]
	switch {
	case rec.TellerSerial != 0:
		first := d.serial == 0
		if first {
			d.begin = rec.TellerSerial
		}
		if rec.TellerSerial != d.serial+1 && !(first && t.partly) {
			t.numbers.Add("position %d: number %d of %s on %s follows his %d", rec.Position, rec.TellerSerial, bank.TellerName(channel, who), date, d.serial)
		}
	case date != today: // signed off, or a date to come beyond those that may be open
	case who != 0 || t.always:
		t.numbers.Add("position %d: it has no number in the journal of %s on %s", rec.Position, bank.TellerName(channel, bank.TellerOf(rec.Shard)), date)
	default:
		t.unnumbered++
	}
	if d.records == 0 {
		d.first = rec.Position
	}
	d.records++
	d.latest, d.serial = rec.Position, max(rec.TellerSerial, d.serial)
	t.numbered = t.numbered || rec.TellerSerial != 0
	for i := range entries {
		if e := &entries[i]; e.Phase == streams.Posted || e.Phase == streams.Post {
			s := d.sum(e.Ledger)
			s.journal.transfers++
			s.journal.fen += e.AmountFen
		}
	}
}

// TellersLedger is the ledger as the tellers' sums are compared with it.
type TellersLedger interface {
	// QueryTransfers as ledger.Ledger has it.
	QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error)
	Limits() ledger.Limits
}

// compare (轧账) adds up the ledger's transfers of the date, as of the time through, and compares each teller's with what the
// journal says. It tells how many there are, and rests between pages.
func (t *tellers) compare(ctx context.Context, from TellersLedger, date bank.Date, through uint64, rests *pace.Pace, found *bank.Findings) (posted int64, err error) {
	work := rests.Begin(ctx)
	defer func() { work.End(ctx) }()
	filter := ledger.QueryFilter{UserData32: uint32(date), TimestampMax: through, Limit: uint32(from.Limits().QueryMax)}
	for more := through > 0; more; work.Next(ctx) {
		page, err := from.QueryTransfers(ctx, filter)
		if err != nil {
			return 0, fmt.Errorf("the ledger's transfers of %s: %w", date, err)
		}
		for i := range page {
			if err := t.post(&page[i], date, &posted, found); err != nil {
				return 0, err
			}
			filter.TimestampMin = page[i].Timestamp + 1
		}
		more = len(page) == int(filter.Limit) && filter.TimestampMin <= through
	}
	var none tellerDay // what bears no teller: a settlement without a mark has that of what it settles, so channels differ
	for key, days := range t.of {
		if key.date != date {
			continue
		}
		for _, s := range days[0].posted {
			own := none.sum(s.ledger)
			own.journal.add(s.journal)
			own.there.add(s.there)
		}
		for i := 1; i < len(days); i++ {
			days[i].balanced(bank.TellerName(key.channel, uint16(i)), found)
		}
	}
	none.balanced("no teller", found)
	return posted, nil
}

func (s *sum) add(o sum) { s.transfers, s.fen = s.transfers+o.transfers, s.fen+o.fen }

// post takes a transfer of the ledger.
func (t *tellers) post(row *ledger.Transfer, date bank.Date, posted *int64, found *bank.Findings) error {
	if row.Flags&(ledger.TransferPending|ledger.TransferVoidPending) != 0 {
		return nil // nothing has moved
	}
	*posted++
	fen, fits := row.Amount.Int64()
	if !fits {
		return fmt.Errorf("transfer %s: amount beyond int64 fen", row.ID)
	}
	channel, who := bank.Channel(row.UserData64>>48), uint16(row.UserData64>>32)
	if who > bank.ShardCount {
		found.Add("transfer %s of the ledger: there is no teller %d", row.ID, who)
		return nil
	}
	t.page(date, channel)[who].sum(row.Ledger).there.add(sum{1, fen})
	return nil
}

func (d *tellerDay) balanced(name string, found *bank.Findings) {
	for _, s := range d.posted {
		if s.journal != s.there {
			found.Add("%s, ledger %d: %d transfers of %s by the journal, %d of %s in the ledger", name, s.ledger,
				s.journal.transfers, bank.Yuan(s.journal.fen), s.there.transfers, bank.Yuan(s.there.fen))
		}
	}
}

// sheet (柜员轧账) is the tellers' journals of the date by channel.
func (t *tellers) sheet(date bank.Date) (out []bank.TellerTally) {
	for key, days := range t.of {
		if key.date != date {
			continue
		}
		s := bank.TellerTally{Channel: key.channel, First: math.MaxUint64}
		for i := range days {
			d := &days[i]
			if d.records == 0 {
				continue
			}
			s.Tellers++
			s.Records += d.records
			for _, p := range d.posted {
				s.PostedFen += p.journal.fen
			}
			if d.first != 0 { // otherwise all of it came before the date began
				s.First, s.Last = min(s.First, uint64(d.first)), max(s.Last, uint64(d.latest))
			}
		}
		if s.Last == 0 {
			s.First = 0
		}
		if s.Each = each(days); s.Records > 0 {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b bank.TellerTally) int { return cmp.Compare(a.Channel, b.Channel) })
	return out
}

// ahead are the journals of dates to come.
func (t *tellers) ahead(date bank.Date) (out []bank.TellersAhead) {
	for key, days := range t.of {
		if list := each(days); key.date > date && len(list) > 0 {
			out = append(out, bank.TellersAhead{Date: key.date, Channel: key.channel, Each: list})
		}
	}
	slices.SortFunc(out, func(a, b bank.TellersAhead) int {
		return cmp.Or(cmp.Compare(a.Date, b.Date), cmp.Compare(a.Channel, b.Channel))
	})
	return out
}

// each lists the tellers with a number.
func each(days *[bank.ShardCount + 1]tellerDay) (out []bank.TellerDay) {
	for i := range days {
		d := &days[i]
		if d.serial == 0 {
			continue
		}
		e := bank.TellerDay{Teller: uint16(i), Records: d.records, First: d.begin, Last: d.serial}
		for _, p := range d.posted {
			if p.journal.transfers > 0 {
				e.Posted = append(e.Posted, bank.TellerPosted{Ledger: p.ledger, Transfers: p.journal.transfers, Fen: p.journal.fen})
			}
		}
		out = append(out, e)
	}
	return out
}
