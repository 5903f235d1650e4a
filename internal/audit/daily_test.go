package audit

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

const (
	dayD    = bank.Date(20260115)
	dayNext = bank.Date(20260116)
)

// diary is a journal of records at hand.
type diary struct {
	journal.Journal // nil: what is not here is not asked
	records         []journal.Record
	first           journal.Position
}

func (d *diary) First() journal.Position { return max(1, d.first) }

func (d *diary) Scan(_ context.Context, from journal.Position, fn func(*journal.Record) bool) error {
	for i := range d.records {
		if rec := d.records[i]; rec.Position >= from && !fn(&rec) {
			break
		}
	}
	return nil
}

func (d *diary) FindSubject(id ledger.Uint128) (found []*journal.Record, err error) {
	for i := range d.records {
		if d.records[i].Subject == id {
			found = append(found, &d.records[i])
		}
	}
	return found, nil
}

// daybook is a day of one customer, who has a deposit: records, and the ledger that carried them out.
type daybook struct {
	t      *testing.T
	diary  diary
	engine *embedded.Engine
	ids    uint64
	day    Day
	serial journal.Tellers
	by     struct {
		channel bank.Channel
		shard   uint16
	} // who journals what is written next
	unmarked bool                 // by a program from before tellers numbered their journals
	flags    ledger.TransferFlags // of the transfer written next
	ends     uint64               // the pending transfer that it ends
}

func (b *daybook) account(detail uint32, owner uint64) ledger.Uint128 {
	s, ok := bank.SubjectOf(detail)
	if !ok {
		b.t.Fatalf("no subject %d", detail)
	}
	a := s.Account(owner, 0, bank.U128{})
	b.engine.ExecuteAccounts(1, []ledger.Account{{ID: ledger.Uint128(a.ID), Ledger: a.Ledger, Code: a.Code}}, nil)
	return ledger.Uint128(a.ID)
}

// write writes a record with the events and, if an amount is given, a transfer that the ledger carries out.
func (b *daybook) write(date bank.Date, code uint16, debit, credit ledger.Uint128, fen int64, of uint64, events ...bank.Event) {
	b.t.Helper()
	b.ids++
	rec := journal.Record{Kind: journal.KindDecision, Position: journal.Position(len(b.diary.records) + 1), AccountingDate: uint32(date), Subject: ledger.U64(b.ids),
		Channel: uint16(b.by.channel), Shard: b.by.shard, Teller: bank.TellerOf(b.by.shard)}
	if b.unmarked {
		rec.Teller = 0
	}
	rec.TellerSerial = b.serial.Next(&rec)
	b.serial.Take(&rec)
	if of == 0 {
		of = b.ids
	}
	if fen > 0 {
		rec.Transfers = []ledger.Transfer{{ID: ledger.U64(b.ids), DebitAccountID: debit, CreditAccountID: credit,
			Amount: ledger.U64(uint64(fen)), Ledger: bank.LedgerCNY, Code: code, UserData128: ledger.U64(of), UserData64: rec.Stamp(), UserData32: uint32(date), Flags: b.flags, PendingID: ledger.U64(b.ends)}}
		b.flags, b.ends = 0, 0
		if r := b.engine.ExecuteTransfers(1, rec.Transfers, nil); r[0].Status != ledger.TransferCreated {
			b.t.Fatal(r[0].Status)
		}
	}
	for _, e := range events {
		body, err := bank.Encode(e)
		if err != nil {
			b.t.Fatal(err)
		}
		rec.Events = append(rec.Events, journal.Event{Customer: 1, Type: uint16(e.EventType()), Body: body})
	}
	b.diary.records = append(b.diary.records, rec)
}

func newDaybook(t *testing.T) *daybook { return daybookOf(&daybook{t: t}) }

func daybookOf(b *daybook) *daybook {
	b.engine = embedded.New(embedded.Options{})
	shard := uint64(bank.CustomerNo(1).Shard())
	clearing, customer, deposit := b.account(30010101, shard), b.account(bank.DetailClassI, 1), b.account(20110201, 1)
	expense, payable := b.account(64110201, 0), b.account(22310201, shard)
	b.write(dayD, 1102, clearing, customer, 1000, 0)                                                                                                           // 1
	b.write(dayD, 2001, customer, deposit, 600, 0)                                                                                                             // 2
	b.write(dayD, 0, clearing, customer, 0, 0)                                                                                                                 // 3: the cut begins
	b.write(dayNext, 1102, clearing, customer, 50, 0)                                                                                                          // 4: the next day's
	b.write(dayD, 0, expense, payable, 0, 0, &bank.CustomerDayClosed{CustomerNo: 1, Date: dayD, Accruals: []bank.DayAccrual{{Product: "JFC3M", DeltaFen: 7}}}) // 5
	b.write(dayD, 2031, expense, payable, 7, 0)                                                                                                                // 6
	b.write(dayNext, 31102, customer, clearing, 50, 4)                                                                                                         // 7: it is reversed
	b.day = Day{
		Date: dayD, Fence: 3, Journal: &b.diary, Transfers: b.engine, Catalogue: bank.DefaultCatalogue(), Position: 7, Published: 7, Stream: true,
	}
	return b
}

func (b *daybook) check() *bank.DayReport {
	b.t.Helper()
	b.day.Books = NewSubledger()
	b.engine.EachAccount(func(a *ledger.Account) bool {
		if err := b.day.Books.Add(a); err != nil {
			b.t.Fatal(err)
		}
		return true
	})
	b.day.Ledger, b.day.Through = b.engine, b.engine.Timestamp()
	r, err := b.day.Check(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// tomorrow goes on to the next day, behind a report.
func (b *daybook) tomorrow(before *bank.DayReport) {
	b.day.Date, b.day.Fence, b.day.Before = dayNext, 0, before
}

func broken(r *bank.DayReport) (ids []string) {
	for _, c := range r.Checks {
		if c.Result == bank.CheckBroken {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// What is booked on the next day while the end of this one is worked on must not be in this one's books, and be in
// the next one's once.
func TestADaysBooksHoldWhatIsBookedOnItAndNothingElse(t *testing.T) {
	b := newDaybook(t)
	r := b.check()
	if !r.Agrees || len(r.Checks) != 12 {
		t.Fatalf("broken: %v\n%s", broken(r), r.Text())
	}
	for detail, want := range map[uint32]int64{bank.DetailClassI: 400, 20110201: 600, 22310201: 7, 30010101: -1000, 64110201: -7} {
		i := slices.IndexFunc(r.Ledgers[0].Subjects, func(row bank.TrialRow) bool { return row.Detail == detail })
		if got := r.Ledgers[0].Subjects[i].CreditFen - r.Ledgers[0].Subjects[i].DebitFen; got != want {
			t.Errorf("%d: %d fen, wanted %d", detail, got, want)
		}
	}
	b.tomorrow(r)
	if r := b.check(); !r.Agrees {
		t.Errorf("the next day: %v\n%s", broken(r), r.Text())
	}
	text := r.Text()
	for _, part := range []string{"2026-01-15", "全部相符", "试算平衡表", "定期", "贷 Cr 6.00"} {
		if !strings.Contains(text, part) {
			t.Errorf("the report for people lacks %q:\n%s", part, text)
		}
	}
}

// A journal that has let its beginning go can't prove the first report's figures; they are the ledger's, and the next
// day is proved against them.
func TestWithoutAReportBeforeAndAJournalsBeginningTheLedgerBegins(t *testing.T) {
	b := newDaybook(t)
	b.diary.records = b.diary.records[2:]
	b.diary.first = 3
	r := b.check()
	if !r.Agrees || r.Checks[1].Result != bank.CheckNotApplicable || r.Checks[2].Result != bank.CheckNotApplicable {
		t.Fatalf("%v\n%s", broken(r), r.Text())
	}
	b.tomorrow(r)
	b.diary.records, b.diary.first = b.diary.records[1:], 4
	if r := b.check(); !r.Agrees || r.Checks[1].Result != bank.CheckOK {
		t.Errorf("the next day: %v\n%s", broken(r), r.Text())
	}
}

// pending reserves an amount.
func (b *daybook) pending(date bank.Date, debit, credit ledger.Uint128, fen int64, events ...bank.Event) (id uint64) {
	b.flags = ledger.TransferPending
	b.write(date, 1120, debit, credit, fen, 0, events...)
	return b.ids
}

// complete counts all records that are written.
func (b *daybook) complete() {
	b.day.Position = journal.Position(len(b.diary.records))
	b.day.Published = b.day.Position
}

// What is pending on clearing accounts must be what customers and courts wait for, at the end of the date: neither what
// the next date has sent nor what it has ended may count. What the channels' files left to a person is a difference; a
// file that has not come is none.
func TestClearingAccountsHoldWhatIsInFlightAndWhatFilesExplain(t *testing.T) {
	customer := func(b *daybook) ledger.Uint128 { return b.account(bank.DetailClassI, 1) }
	clearing := func(b *daybook) ledger.Uint128 { return b.account(bank.DetailClearingIBPS, 9) }
	b := newDaybook(t)
	out := b.pending(dayD, customer(b), clearing(b), 5, &bank.TransferOutRequested{Channel: bank.ChannelIBPS, AmountFen: 5})
	b.pending(dayD, clearing(b), customer(b), 6, &bank.TransferInRequested{Channel: bank.ChannelIBPS, AmountFen: 6})
	b.pending(dayD, b.account(bank.DetailJudicial, 0), clearing(b), 7, &bank.HoldDeducted{AmountFen: 7})
	b.pending(dayNext, customer(b), clearing(b), 4, &bank.TransferOutRequested{Channel: bank.ChannelIBPS, AmountFen: 4})
	b.flags, b.ends = ledger.TransferPostPending, out
	b.write(dayNext, 1120, customer(b), clearing(b), 5, 0,
		&bank.TransferOutSucceeded{TransferSettled: bank.TransferSettled{Channel: bank.ChannelIBPS, AmountFen: 5}})
	b.complete()
	r := b.check()
	if !r.Agrees || !strings.Contains(r.Checks[5].Detail, "0.18 in flight") || !strings.Contains(r.Checks[5].Detail, "have not come: IBPS") {
		t.Fatalf("%v\n%s", broken(r), r.Text())
	}
	b.tomorrow(r)
	finished := &bank.ReconciliationFinished{Channel: bank.ChannelIBPS, Day: dayD, DifferenceCount: 1,
		Differences: []bank.Difference{{Kind: bank.OursOnly, Direction: bank.In, OursFen: 1000, Outcome: bank.Waits}}}
	finished.WaitCount, finished.Waiting = 1, []bank.Waiting{{Direction: bank.In, AmountFen: 1000}}
	b.write(dayNext, 0, ledger.Uint128{}, ledger.Uint128{}, 0, 0, finished)
	b.complete()
	if r := b.check(); !r.Agrees || !strings.Contains(r.Checks[5].Detail, "files of 2026-01-15 read: IBPS") ||
		!strings.Contains(r.Checks[5].Detail, "1 transfers wait for the next file") || !strings.Contains(r.Checks[5].Detail, "0.17 in flight") {
		t.Errorf("the next day: %v\n%s", broken(r), r.Text())
	}
	finished.Differences[0].Kind, finished.Differences[0].Outcome, finished.OpenCount = bank.AmountDiffers, bank.ForAPerson, 1
	b.write(dayNext, 0, ledger.Uint128{}, ledger.Uint128{}, 0, 0, finished)
	b.complete()
	if r := b.check(); !slices.Equal(broken(r), []string{"R6"}) || r.Checks[5].Differences != 1 {
		t.Errorf("a difference for a person: %v\n%s", broken(r), r.Text())
	}
}

// owed is what R6 says that is owed to IBPS and made up of.
func (b *daybook) owed(r *bank.DayReport, want string, findings ...string) {
	b.t.Helper()
	c := r.Checks[5]
	if !strings.Contains(c.Detail, want) || c.Differences != len(findings) || len(findings) > 0 != (c.Result == bank.CheckBroken) {
		b.t.Fatalf("R6, wanted %q and %d findings: %+v", want, len(findings), c)
	}
	for i, part := range findings {
		if !strings.Contains(c.Findings[i], part) {
			b.t.Errorf("finding %d: %q lacks %q", i, c.Findings[i], part)
		}
	}
}

// nextDay goes on to the day behind a report, whose cut comes with the next record.
func (b *daybook) nextDay(before *bank.DayReport) bank.Date {
	b.day.Before, b.day.Date, b.day.Fence = before, before.Date.AddDays(1), 0
	return b.day.Date
}

// read writes what reading a file brings: its result, charges and settlement.
func (b *daybook) read(on bank.Date, f *bank.ReconciliationFinished) {
	clearing, centralBank, cost := b.account(bank.DetailClearingIBPS, 9), b.account(bank.DetailCentralBank, 0), b.account(bank.DetailChannelCost, 0)
	if f.ChargesFen > 0 {
		b.write(on, 4005, cost, clearing, f.ChargesFen, 0, &bank.ChannelFeeCharged{Channel: f.Channel, Day: f.Day, FeeFen: f.ChargesFen})
	}
	settled := &bank.ClearingSettled{Channel: f.Channel, Day: f.Day, NetFen: f.NetFen}
	if f.NetFen < 0 {
		b.write(on, 4001, centralBank, clearing, -f.NetFen, 0, settled)
	} else {
		b.write(on, 4001, clearing, centralBank, f.NetFen, 0, settled)
	}
	b.write(on, 0, ledger.Uint128{}, ledger.Uint128{}, 0, 0, f)
	b.complete()
}

// What the clearing accounts hold is, day after day and to the fen, what the channel's files come to, what they have
// not had yet, and what waits for a person; and what no file ever had becomes a difference when the next has come.
func TestClearingAccountsAreFollowedByTheFilesFromTheFirstDay(t *testing.T) {
	b := newDaybook(t) // 1000 came in on the first day
	customer, clearing := b.account(bank.DetailClassI, 1), b.account(bank.DetailClearingIBPS, 9)
	b.write(dayD, 1112, customer, clearing, 90, 0) // and 90 went out that the channel will not know
	b.complete()
	r := b.check()
	b.owed(r, "IBPS owed -9.10 = files' net 0.00 − settled 0.00 + in no file yet -9.10")

	on := b.nextDay(r)
	b.write(on, 1112, customer, clearing, 200, 0)
	first := &bank.ReconciliationFinished{Channel: bank.ChannelIBPS, Day: dayD}
	first.NetFen, first.ChargesFen, first.Covered = -997, 3, []bank.DaySum{{Date: dayD, Fen: -1000}}
	first.WaitCount, first.Waiting = 1, []bank.Waiting{{Transfer: bank.TxnID{Lo: 8}, Direction: bank.Out, AmountFen: 90}}
	b.read(on, first)
	r = b.check()
	b.owed(r, "IBPS owed 2.90 = files' net -9.97 − settled -9.97 + in no file yet 2.90")

	on = b.nextDay(r)
	second := &bank.ReconciliationFinished{Channel: bank.ChannelIBPS, Day: dayNext}
	second.NetFen, second.Covered = 200, []bank.DaySum{{Date: dayNext, Fen: 200}}
	b.read(on, second)
	r = b.check()
	b.owed(r, "IBPS owed 0.90", "0.90 is booked and in no file up to that of 2026-01-16: 0.90 of 2026-01-15 (not in its own file: "+bank.TxnID{Lo: 8}.String()+" OUT 0.90)")

	// The file of the second day had been wrong: the corrected one has the payment after all, and is not settled twice.
	second.NetFen, second.Covered = 290, []bank.DaySum{{Date: dayD, Fen: 90}, {Date: dayNext, Fen: 200}}
	b.write(on, 0, ledger.Uint128{}, ledger.Uint128{}, 0, 0, second)
	b.complete()
	b.owed(b.check(), "IBPS owed 0.90 = files' net -7.07 − settled -7.97 + in no file yet 0.00", "2.90, 2.00 is settled")

	// Two months on only the sums are left.
	b.write(on, 4001, clearing, b.account(bank.DetailCentralBank, 0), 90, 0, &bank.ClearingSettled{Channel: bank.ChannelIBPS, Day: dayNext, NetFen: 90})
	b.complete()
	for range clearingDays + 2 {
		b.day.Fence = b.day.Position
		r = b.check()
		b.owed(r, "IBPS owed 0.00 = files' net -7.07 − settled -7.07 + in no file yet 0.00")
		b.nextDay(r)
	}
	if days := r.Tally.Clearing[0].Days; len(days) != 0 {
		t.Errorf("days that are kept by themselves: %+v", days)
	}
}

// A journal whose beginning was let go tells nothing of what the clearing accounts held then: the ledger's figure
// begins the count, and the report says so. What files say of the days before is of that figure.
func TestWithoutTheFirstDaysTheClearingAccountsBeginWithTheLedgersFigure(t *testing.T) {
	b := newDaybook(t)
	b.diary.records, b.diary.first = b.diary.records[2:], 3
	r := b.check()
	b.owed(r, "-10.00 that the ledger had at the end of 2026-01-15, before which there are no records")
	on := b.nextDay(r)
	f := &bank.ReconciliationFinished{Channel: bank.ChannelIBPS, Day: dayD}
	f.NetFen, f.Covered = -1000, []bank.DaySum{{Date: dayD, Fen: -1000}}
	b.read(on, f)
	b.owed(b.check(), "IBPS owed 0.00 = files' net -10.00 − settled -10.00 + in no file yet 10.00 − in files and not booked 0.00 + -10.00 that")
}

// 网联 and 银联 share a subject; what one's accounts hold is not the other's.
func TestEachChannelsClearingAccountsAreItsOwn(t *testing.T) {
	b := newDaybook(t)
	a := bank.ClearingLedgerID(bank.ChannelNetsUnion, 9)
	b.engine.ExecuteAccounts(1, []ledger.Account{{ID: ledger.Uint128(a), Ledger: bank.LedgerCNY, Code: 3001}}, nil)
	b.write(dayD, 1102, ledger.Uint128(a), b.account(bank.DetailClassI, 1), 70, 0)
	b.write(dayD, 1102, b.account(bank.DetailClearingUnionPay, 9), b.account(bank.DetailClassI, 1), 30, 0)
	b.complete()
	r := b.check()
	b.owed(r, "UNIONPAY owed -0.30")
	b.owed(r, "NETSUNION owed -0.70")
}

// Each is something that could be wrong with a bank's books and that only this check would show.
func TestEveryDailyCheckSeesWhatItChecksBroken(t *testing.T) {
	for id, breakIt := range map[string]func(*daybook){
		"R2": func(b *daybook) { // one transfer is taken for another
			b.write(dayD, 2001, b.account(bank.DetailClassI, 1), b.account(20110201, 1), 5, 0)
			b.write(dayD, 1108, b.account(bank.DetailClassI, 1), b.account(bank.DetailClassI+1, 1), 5, 0)
			b.diary.records[7].Transfers = b.diary.records[8].Transfers
		},
		"R3": func(b *daybook) {
			b.write(dayD, 0, ledger.Uint128{}, ledger.Uint128{}, 0, 0, &bank.CustomerDayClosed{CustomerNo: 1, Date: dayD, Accruals: []bank.DayAccrual{{Product: "SLC1Y", DeltaFen: 1}}})
			b.day.Position, b.day.Published = 8, 8
		},
		"R4": func(b *daybook) { b.day.Contracts.Principal.Add("a deposit") },
		"R5": func(b *daybook) { b.write(dayD, 1190, b.account(30019001, 5), b.account(30019102, 5), 1, 0) },
		"R6": func(b *daybook) { // a line of a file was taken for booked, and nothing was
			f := &bank.ReconciliationFinished{Channel: bank.ChannelIBPS, Day: dayD}
			f.NetFen, f.OpenFen = 40, 40
			b.read(dayNext, f)
		},
		"R6, in flight": func(b *daybook) { b.pending(dayD, b.account(bank.DetailClassI, 1), b.account(30010101, 9), 5) },
		"R7":            func(b *daybook) { b.day.Contracts.Overdue.Add("a transfer") },
		"R8":            func(b *daybook) { b.day.Contracts.Limits.Add("a line") },
		"R9":            func(b *daybook) { b.diary.records = slices.Delete(b.diary.records, 2, 3) },
		"R9, a number is left out": func(b *daybook) {
			b.serial.Take(&journal.Record{Teller: 1, AccountingDate: uint32(dayD), TellerSerial: 99})
			b.write(dayD, 0, ledger.Uint128{}, ledger.Uint128{}, 0, 0)
			b.complete()
		},
		"R9, a number is given twice": func(b *daybook) { b.diary.records[1].TellerSerial = 1 },
		"R9, the first is not 1":      func(b *daybook) { b.diary.records[0].TellerSerial, b.diary.records[0].Channel = 2, 3 },
		"R9, a record has none":       func(b *daybook) { b.diary.records[5].TellerSerial = 0 },
		"R9, another's number":        func(b *daybook) { b.diary.records[2].Teller++ },
		"R9, there is no such teller": func(b *daybook) { b.diary.records[2].Teller = bank.ShardCount + 1 },
		"R9, the ledger has another teller": func(b *daybook) {
			b.write(dayD, 2001, b.account(bank.DetailClassI, 1), b.account(20110201, 1), 5, 0)
			last := &b.diary.records[len(b.diary.records)-1]
			last.Channel, last.TellerSerial = uint16(bank.ChannelApp), 1
			b.complete()
		},
		"R9, the ledger has another date": func(b *daybook) {
			b.by.channel = bank.ChannelApp // who has nothing else on either date
			b.write(dayNext, 2001, b.account(bank.DetailClassI, 1), b.account(20110201, 1), 5, 0)
			b.diary.records[7].AccountingDate = uint32(dayD)
			b.complete()
		},
		"R10": func(b *daybook) { b.day.Published = 6 },
		"R11": func(b *daybook) {
			b.write(dayD, 1102, b.account(bank.DetailClassI, 1), b.account(30010101, 9), 2000, 0)
		},
		"R12": func(b *daybook) {
			b.tomorrow(b.check())
			b.write(dayNext, 41102, b.account(bank.DetailClassI, 1), b.account(30010101, 9), 3, 1)
		},
	} {
		t.Run(id, func(t *testing.T) {
			b := newDaybook(t)
			breakIt(b)
			if n := journal.Position(len(b.diary.records)); !strings.HasPrefix(id, "R9") && n > b.day.Position {
				b.day.Position, b.day.Published = n, n
			}
			r := b.check()
			if got := broken(r); !slices.Contains(got, strings.Split(id, ",")[0]) || len(got) > 1 || r.Agrees {
				t.Errorf("broken: %v\n%s", got, r.Text())
			}
		})
	}
	t.Run("R1", func(t *testing.T) {
		b := newDaybook(t)
		b.check()
		if err := b.day.Books.Add(&ledger.Account{ID: b.account(10030101, 0), Ledger: bank.LedgerCNY, DebitsPosted: ledger.U64(1)}); err != nil {
			t.Fatal(err)
		}
		if c := b.day.balanced(); c.Result != bank.CheckBroken {
			t.Errorf("%+v", c)
		}
	})
	t.Run("R11, class III above its cap", func(t *testing.T) {
		b := newDaybook(t)
		b.check()
		if err := b.day.Books.Add(&ledger.Account{ID: b.account(bank.DetailClassI+2, 2), Ledger: bank.LedgerCNY, CreditsPosted: ledger.U64(210_001)}); err != nil {
			t.Fatal(err)
		}
		if c := b.day.eAccounts(); c.Result != bank.CheckBroken {
			t.Errorf("%+v", c)
		}
	})
}
