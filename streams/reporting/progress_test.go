package reporting

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/streams"
)

func TestEveryCustomerAndHouseHasARowOfItsOwnInItsShard(t *testing.T) {
	seen := make(map[int64]bank.CustomerNo)
	for _, no := range []bank.CustomerNo{1, 2, 377, 123_456, bank.CustomerNoMax, bank.HouseNo(0), bank.HouseNo(1), bank.HouseNo(bank.ShardCount - 1)} {
		row := rowOf(no)
		if back := customerOf(row); back != no {
			t.Errorf("%s becomes %s", no, back)
		}
		if before, taken := seen[row]; taken {
			t.Errorf("%s and %s have one row", no, before)
		}
		seen[row] = no
		if first := rowOf(bank.HouseNo(no.Shard())); row < first || row-first >= 1<<rowNumberBits {
			t.Errorf("%s lies outside its shard", no)
		}
	}
}

// A program of before kept how far customers are by their names. What it has counted must not count again.
func TestAnEarlierProgramsReportGoesOn(t *testing.T) {
	a := newAuthor(t)
	a.history(40)
	dir := t.TempDir()
	once := opened(t, filepath.Join(dir, "once.db"), "one")
	defer once.Close()
	told(t, once, a.messages, 100)
	balance, products, accounts := said(t, once)

	path := filepath.Join(dir, "earlier.db")
	earlier := opened(t, path, "one")
	half := slices.Delete(slices.Clone(a.messages[:len(a.messages)/2]), 1, 2) // one is missing: some are ahead
	told(t, earlier, half, 100)
	if b, _, _ := said(t, earlier); b.Gaps == 0 {
		t.Fatal("nobody is ahead")
	}
	for _, table := range [...]struct{ from, to, columns string }{
		{"progress", "customers", "(customer TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID"},
		{"beyond", "ahead", "(customer TEXT, seq INTEGER, PRIMARY KEY (customer, seq)) WITHOUT ROWID"},
	} {
		var rows [][2]int64
		rowsOf, err := earlier.write.Query(`SELECT customer, seq FROM ` + table.from)
		if err != nil {
			t.Fatal(err)
		}
		for rowsOf.Next() {
			var row [2]int64
			if err := rowsOf.Scan(&row[0], &row[1]); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		if err := rowsOf.Err(); err != nil {
			t.Fatal(err)
		}
		s := []string{`CREATE TABLE ` + table.to + table.columns, `DROP TABLE ` + table.from}
		for _, row := range rows {
			s = append(s, fmt.Sprintf(`INSERT INTO %s VALUES ('%s', %d)`, table.to, customerOf(row[0]), row[1]))
		}
		for _, statement := range s {
			if _, err := earlier.write.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
	}
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
				for block := range slices.Chunk(some, batchMax) {
					batch := make([]message, len(block))
					for i, no := range block {
						value, err := json.Marshal(&streams.Envelope{Type: "CustomerDayClosed", CustomerToken: no.String(), ActorSeq: seq, Payload: []byte(`{}`)})
						if err != nil {
							b.Fatal(err)
						}
						offset++
						batch[i] = message{place{bank.TopicCustomer, 0}, offset, value}
					}
					if err := r.apply(batch); err != nil {
						b.Fatal(err)
					}
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
