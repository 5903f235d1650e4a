package audit

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// posted writes a payment of a teller.
func (b *daybook) posted(date bank.Date, channel bank.Channel, shard uint16, fen int64) *journal.Record {
	b.t.Helper()
	b.by.channel, b.by.shard = channel, shard
	b.write(date, 2001, b.account(bank.DetailClassI, 1), b.account(20110201, 1), fen, 0)
	b.complete()
	return &b.diary.records[len(b.diary.records)-1]
}

// r9 is the check of the tellers; findings are parts of what it must say.
func (b *daybook) r9(r *bank.DayReport, findings ...string) {
	b.t.Helper()
	c := r.Checks[8]
	if c.Differences != len(findings) || len(findings) > 0 != (c.Result == bank.CheckBroken) {
		b.t.Fatalf("R9, wanted %q: %+v", findings, c)
	}
	for i, part := range findings {
		if !strings.Contains(c.Findings[i], part) {
			b.t.Errorf("finding %d: %q lacks %q", i, c.Findings[i], part)
		}
	}
}

func sheetOf(r *bank.DayReport, channel bank.Channel) bank.TellerTally {
	for _, s := range r.Tellers {
		if s.Channel == channel {
			return s
		}
	}
	return bank.TellerTally{}
}

// What each teller has journalled on the date is in its report, from his first number to his last, and nothing of the next.
func TestTellersSignOffWithTheirNumbersAndSums(t *testing.T) {
	b := newDaybook(t)
	b.posted(dayD, bank.ChannelApp, 7, 30)
	b.posted(dayNext, bank.ChannelApp, 7, 100)
	b.posted(dayD, bank.ChannelApp, 7, 12)
	b.posted(dayD, bank.ChannelApp, 1023, 5)
	b.by.channel, b.by.shard = bank.ChannelApp, 7
	b.write(dayD, 0, ledger.Uint128{}, ledger.Uint128{}, 0, 0)
	b.complete()
	r := b.check()
	want := bank.TellerTally{Channel: bank.ChannelApp, Tellers: 2, Records: 4, PostedFen: 47, First: 8, Last: 12, Each: []bank.TellerDay{
		{Teller: 8, Records: 3, First: 1, Last: 3, Posted: []bank.TellerPosted{{Ledger: bank.LedgerCNY, Transfers: 2, Fen: 42}}},
		{Teller: 1024, Records: 1, First: 1, Last: 1, Posted: []bank.TellerPosted{{Ledger: bank.LedgerCNY, Transfers: 1, Fen: 5}}},
	}}
	if got := sheetOf(r, bank.ChannelApp); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, wanted %+v", got, want)
	}
	if !r.Agrees || !strings.Contains(r.Text(), "柜员轧账 Tellers") || !strings.Contains(r.Text(), "most 3 (APP-0008)") ||
		!strings.Contains(r.Checks[8].Detail, "of 3 tellers") || !strings.Contains(r.Checks[8].Detail, "6 transfers of the date") {
		t.Errorf("%s", r.Text())
	}
	b.tomorrow(r)
	if r = b.check(); !r.Agrees || sheetOf(r, bank.ChannelApp).Each[0].Last != 1 || sheetOf(r, bank.ChannelApp).PostedFen != 100 {
		t.Errorf("the next day: %s", r.Text())
	}
}

// What is booked on the date behind its report, as its trial balance is, and on dates to come before they begin, is numbered
// in the journals of those dates, and the next report goes on with them.
func TestNumbersGoOnFromReportToReport(t *testing.T) {
	b := newDaybook(t)
	b.posted(dayD, bank.ChannelApp, 7, 30)
	r := b.check()
	late, ahead := b.posted(dayD, bank.ChannelApp, 7, 1), b.posted(dayNext.AddDays(1), bank.ChannelApp, 7, 9)
	if late.TellerSerial != 2 || ahead.TellerSerial != 1 {
		t.Fatal(late.TellerSerial, ahead.TellerSerial)
	}
	b.tomorrow(r)
	b.day.Fence = b.day.Position
	r = b.check()
	b.r9(r)
	if a := r.Tally.Ahead; len(a) != 1 || a[0].Date != dayNext.AddDays(1) || a[0].Each[0].Last != 1 {
		t.Fatalf("ahead: %+v", a)
	}
	b.nextDay(r)
	b.posted(dayNext.AddDays(1), bank.ChannelApp, 7, 10)
	r = b.check()
	b.r9(r)
	if s := sheetOf(r, bank.ChannelApp); s.Each[0].Records != 2 || s.Each[0].Last != 2 || s.PostedFen != 19 {
		t.Errorf("%+v", s)
	}
	late.TellerSerial = 3 // of the date whose report was made before
	b.day.Before, b.day.Date = nil, dayD
	b.r9(b.check(), "number 3 of APP-0008 on 2026-01-15 follows his 1")
}

// A journal from before tellers numbered their records is no difference, and neither is the day on which they begin to; one
// that has stopped numbering them is.
func TestRecordsFromBeforeTheNumbersAreNoHole(t *testing.T) {
	b := daybookOf(&daybook{t: t, unmarked: true})
	r := b.check()
	b.r9(r)
	if strings.Contains(r.Text(), "most") || !strings.Contains(r.Checks[8].Detail, "5 records are of before the tellers numbered") {
		t.Error(r.Text())
	}
	b.unmarked = false
	b.posted(dayD, bank.ChannelApp, 7, 30)
	r = b.check()
	b.r9(r)
	b.tomorrow(r)
	b.posted(dayNext, bank.ChannelApp, 7, 30)
	b.r9(b.check(), "position 4: it has no number", "position 7: it has no number")
	if b.day.Before = daybookOf(&daybook{t: t, unmarked: true}).check(); b.day.Before.Tally.Numbered {
		t.Fatal("an older program's report says that tellers number their journals")
	}
}

// The ledger is asked page by page; what it has done behind the position that the books are of is not the report's.
func TestTheTellersSumsEndWhereTheBooksDo(t *testing.T) {
	b := newDaybook(t)
	for range 3 * perPage {
		b.posted(dayD, bank.ChannelApp, 7, 1)
	}
	b.day.Ledger, b.day.Through = pages{b.engine}, b.engine.Timestamp()
	position := b.day.Position
	b.posted(dayD, bank.ChannelApp, 7, 1000)
	b.day.Position = position
	b.day.Books = NewSubledger()
	tally, err := b.day.tally(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.day.holes(t.Context(), tally)
	if err != nil || c.Result != bank.CheckOK || !strings.Contains(c.Detail, "; 15 transfers of the date") {
		t.Errorf("%+v %v", c, err)
	}
	for missing := range b.diary.records { // and each page counts
		if b.diary.records[missing].Channel == uint16(bank.ChannelApp) && missing%perPage == 0 {
			b.diary.records[missing].Transfers = nil
		}
	}
	if tally, err = b.day.tally(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c, err = b.day.holes(t.Context(), tally); err != nil || !slices.ContainsFunc(c.Findings, func(f string) bool {
		return strings.Contains(f, "APP-0008, ledger 156: 9 transfers of 0.09 by the journal, 12 of 0.12 in the ledger")
	}) {
		t.Errorf("%+v %v", c, err)
	}
}

// perPage is how many transfers the ledger of pages gives at once.
const perPage = 4

type pages struct{ TellersLedger }

func (p pages) Limits() ledger.Limits { return ledger.Limits{QueryMax: perPage} }

// BenchmarkTellersSums is what comparing the tellers' sums costs for each transfer of the date.
func BenchmarkTellersSums(b *testing.B) {
	const transfers = 1 << 20
	engine := embedded.New(embedded.Options{})
	engine.ExecuteAccounts(1, []ledger.Account{{ID: ledger.U64(1), Ledger: 156, Code: 1}, {ID: ledger.U64(2), Ledger: 156, Code: 1}}, nil)
	for first := 0; first < transfers; first += 1 << 12 {
		var batch []ledger.Transfer
		for i := range 1 << 12 {
			rec := journal.Record{Channel: uint16(1 + i%3), Teller: uint16(1 + i*31%bank.ShardCount)}
			batch = append(batch, ledger.Transfer{ID: ledger.U64(uint64(first + i + 1)), DebitAccountID: ledger.U64(1), CreditAccountID: ledger.U64(2),
				Amount: ledger.U64(1), Ledger: 156, Code: 1, UserData32: uint32(dayD), UserData64: rec.Stamp()})
		}
		engine.ExecuteTransfers(2, batch, nil)
	}
	b.ResetTimer()
	for range b.N {
		t, found := newTellers(nil, dayD), bank.Findings{}
		if n, err := t.compare(b.Context(), engine, dayD, engine.Timestamp(), nil, &found); n != transfers || err != nil {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/transfers, "ns/transfer")
}
