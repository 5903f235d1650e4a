package reporting

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/streams"
)

// Programs of before kept how far customers are in other ways, and accounts. What they have counted must not count again.
func TestAnEarlierProgramsReportGoesOn(t *testing.T) {
	byName := func(no bank.CustomerNo) any { return no.String() }
	byRow := func(no bank.CustomerNo) any {
		if no.IsHouse() {
			return int64(no.Shard()) << 32
		}
		return int64(no.Shard())<<32 | int64(no)
	}
	for _, c := range []struct {
		name, progress, early, column string
		key                           func(bank.CustomerNo) any
	}{
		{"by name", "customers", "ahead", "TEXT", byName},
		{"by shard", "progress", "beyond", "INTEGER", byRow},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAuthor(t)
			a.history(40)
			house := uint64(bank.HouseNo(17))
			a.tell(house, []ledger.Transfer{move(clearing(), current(3), 5)}, 0, &bank.InboundCredited{AmountFen: 5})
			a.tell(house, []ledger.Transfer{move(clearing(), current(3), 5)}, 0, &bank.InboundCredited{AmountFen: 5})
			dir := t.TempDir()
			once := opened(t, filepath.Join(dir, "once.db"), "one")
			defer once.Close()
			told(t, once, a.messages, 100)
			balance, products, accounts := said(t, once)

			path := filepath.Join(dir, "earlier.db")
			earlier := opened(t, path, "one")
			half := slices.Delete(slices.Clone(a.messages[:len(a.messages)/2]), 1, 2) // one is missing: some are ahead
			told(t, earlier, append(half, a.messages[len(a.messages)-2]), 100)        // and a house has come to something
			if b, _, _ := said(t, earlier); b.Gaps == 0 {
				t.Fatal("nobody is ahead")
			}
			asBefore(t, earlier, c.progress, c.early, c.column, c.key)
			if err := earlier.Close(); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second has nothing to take up
				r := opened(t, path, "one")
				told(t, r, a.messages, 100)
				if b, p, f := said(t, r); fmt.Sprint(b, p, f) != fmt.Sprint(balance, products, accounts) {
					t.Errorf("%+v\n%+v\n%+v\nwant\n%+v\n%+v\n%+v", b, p, f, balance, products, accounts)
				}
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// asBefore puts what a report holds into the tables of an earlier program, which had none of today's.
func asBefore(t *testing.T, r *Report, progress, early, column string, key func(bank.CustomerNo) any) {
	t.Helper()
	do := func(query string, args ...any) {
		t.Helper()
		if _, err := r.write.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	do(`CREATE TABLE ` + progress + ` (customer ` + column + ` PRIMARY KEY, seq INTEGER NOT NULL)`)
	do(`CREATE TABLE ` + early + ` (customer ` + column + `, seq INTEGER, PRIMARY KEY (customer, seq)) WITHOUT ROWID`)
	do(`CREATE TABLE accounts (ledger INTEGER, id BLOB, detail INTEGER NOT NULL,
		debits_pending INTEGER NOT NULL, debits_posted INTEGER NOT NULL, credits_pending INTEGER NOT NULL, credits_posted INTEGER NOT NULL,
		PRIMARY KEY (ledger, id)) WITHOUT ROWID`)
	for _, b := range r.blocks {
		for i, seq := range b.seqs {
			if seq > 0 {
				do(`INSERT INTO `+progress+` VALUES (?, ?)`, key(bank.CustomerNo(b.no*blockCustomers+int64(i))), seq)
			}
		}
	}
	for customer, seqs := range r.early {
		for seq := range seqs {
			do(`INSERT INTO `+early+` VALUES (?, ?)`, key(customer), seq)
		}
	}
	figures, err := r.Figures(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range figures.Accounts {
		id, err := a.ID.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		detail, _, _ := bank.SplitLedgerID(bank.U128(a.ID))
		do(`INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?)`, a.Ledger, id, detail, a.DebitsPending, a.DebitsPosted, a.CreditsPending, a.CreditsPosted)
	}
	do(`DROP TABLE counted; DROP TABLE early; DROP TABLE ledger_accounts; DELETE FROM about WHERE name = 'events'`)
}

func TestABlockIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, again := &block{no: 7}, &block{no: 7}
		for range rapid.IntRange(0, 20).Draw(t, "customers") {
			b.seqs[rapid.IntRange(0, blockCustomers-1).Draw(t, "customer")] = rapid.Uint64().Draw(t, "seq")
		}
		text := b.appendTo(nil)
		if err := again.readFrom(text); err != nil || *again != *b {
			t.Fatalf("%v: %v, want %v", err, again.seqs, b.seqs)
		}
		for _, torn := range [][]byte{text[:len(text)-1], append(text, 0)} {
			if again.readFrom(torn) == nil {
				t.Fatal("a torn block was read")
			}
		}
	})
}

func TestAnEventOfNobodyIsKeptAndNotCounted(t *testing.T) {
	r := opened(t, filepath.Join(t.TempDir(), "report.db"), "one")
	defer r.Close()
	value, err := json.Marshal(&streams.Envelope{Type: "CustomerDayClosed", CustomerToken: "nobody", ActorSeq: 1, Payload: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	told(t, r, []streams.Message{{Topic: bank.TopicCustomer, Key: "nobody", Value: value}}, 1)
	if b, _, _ := said(t, r); b.DeadLetters != 1 || b.Events != 0 {
		t.Errorf("%+v", b)
	}
}

// What a day's end costs the report: an event for everybody, a shard after the other.
func BenchmarkClosedDays(b *testing.B) {
	for _, customers := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(customers), func(b *testing.B) {
			r, err := Open(Options{Path: filepath.Join(b.TempDir(), "report.db"), ClusterID: "one", Catalogue: bank.DefaultCatalogue()})
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			everybody := make([]bank.CustomerNo, customers)
			for i := range everybody {
				everybody[i] = bank.CustomerNo(i + 1)
			}
			slices.SortFunc(everybody, func(a, b bank.CustomerNo) int { return int(a.Shard()) - int(b.Shard()) })
			offset := int64(0)
			day := func(seq uint64, some []bank.CustomerNo) {
				for _, no := range some {
					value, err := json.Marshal(&streams.Envelope{Type: "CustomerDayClosed", CustomerToken: no.String(), ActorSeq: seq, Payload: []byte(`{}`)})
					if err != nil {
						b.Fatal(err)
					}
					offset++
					if err := r.take(&message{place: place{bank.TopicCustomer, 0}, offset: offset, value: value}); err != nil {
						b.Fatal(err)
					}
				}
				if err := r.storeChanges(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			day(1, everybody)
			some := everybody[:100_000]
			seq := uint64(1)
			before := cpuTime(b)
			for b.Loop() {
				seq++
				day(seq, some)
			}
			b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N*len(some)), "cpu-ns/event")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// An earlier program that has gone on with a later one's database has counted from the middle of the stream: that can't be added up.
func TestAReportOfTwoProgramsIsRefusedWithWhatToDo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.db")
	r, err := Open(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		`INSERT INTO counted VALUES (0, zeroblob(256))`, `CREATE TABLE progress (customer INTEGER PRIMARY KEY, seq INTEGER NOT NULL)`, `INSERT INTO progress VALUES (1, 5)`,
	} {
		if _, err := r.write.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := Open(Options{Path: path}); err == nil || !strings.Contains(err.Error(), "deleted") || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, %v", r, err)
	}
}
