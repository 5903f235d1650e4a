package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/journal/embedded"
)

// An end of day that dies in the middle and is taken up again must leave what one that nothing disturbed leaves:
// nobody's day closed twice, no accrual posted twice or forgotten. Two banks that begin as copies of each other end
// three days, one of them killed again and again meanwhile, and a fourth that begins with what was saved.
func TestAnEndOfDayThatIsKilledEndsAsOneThatIsNot(t *testing.T) {
	customers, kills := 400, 12
	if testing.Short() {
		customers, kills = 60, 4
	}
	const end, dayAfter = "2026-01-18T09:00:00+08:00", "2026-01-19T09:00:00+08:00"
	killed := startProcess(t, "--clock", demoStart, "--channel-delay", "-1s", "--customers-in-memory", "50", "--snapshot-every", "200")
	populate(killed, customers, 1)
	if err := killed.stop(); err != nil {
		t.Fatal(err)
	}
	calm := &process{t: t, dir: t.TempDir(), http: freeAddress(t), kafka: freeAddress(t), args: killed.args, client: killed.client}
	if err := os.CopyFS(calm.dir, os.DirFS(killed.dir)); err != nil {
		t.Fatal(err)
	}
	calm.start()
	begun := time.Now()
	calm.clockTo(end)
	took := time.Since(begun)
	killed.start()
	rng := rand.New(rand.NewPCG(5, 6))
	met := 0
	for range kills {
		var moving sync.WaitGroup
		moving.Go(func() { // whether it is answered does not matter
			_, _, _ = killed.post("/v1/clock", "", fmt.Sprintf(`{"to":%q}`, end))
		})
		time.Sleep(time.Duration(rng.Int64N(int64(took) / 2)))
		if killed.metric("suanpan_day_working_date") != 0 {
			met++
		}
		killed.kill()
		moving.Wait()
		killed.start()
	}
	if met == 0 {
		t.Fatal("no kill met an end of day: the test shows nothing")
	}
	killed.clockTo(end)
	// A process that stops saves everybody, those at rest in the books of their shards. Another goes on with that.
	if err := killed.stop(); err != nil {
		t.Fatal(err)
	}
	killed.start()
	calm.clockTo(dayAfter)
	killed.clockTo(dayAfter)
	for _, date := range []string{"2026-01-15", "2026-01-16", "2026-01-17", "2026-01-18"} {
		a, b := calm.report(date), killed.report(date)
		if a["agrees"] != true || b["agrees"] != true {
			t.Errorf("%s: checks are broken: %v %v", date, a["checks"], b["checks"])
		}
		if x, y := fmt.Sprint(a["ledgers"]), fmt.Sprint(b["ledgers"]); x != y {
			t.Errorf("%s: the trial balances differ:\n%s\n%s", date, x, y)
		}
	}
	killed.verify("--server", killed.url(""))
	for _, p := range []*process{calm, killed} {
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
	}
	a, b := history(t, calm.dir), history(t, killed.dir)
	for no, events := range a {
		if !slices.Equal(events, b[no]) {
			t.Fatalf("%s: undisturbed\n%s\nkilled\n%s", no, strings.Join(events, "\n"), strings.Join(b[no], "\n"))
		}
	}
	if x, y := slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)); !slices.Equal(x, y) {
		t.Errorf("customers: %v against %v", x, y)
	}
	t.Logf("%d of %d kills met an end of day; undisturbed it took %s", met, kills, took)
}

// populate registers customers, most of them with a deposit, in batches. With one client they get their numbers in order.
func populate(p *process, customers, clients int) {
	p.t.Helper()
	batch := func(operations []string) []any {
		status, v, err := p.post("/v1/batches", "", `{"operations":[`+strings.Join(operations, ",")+`]}`)
		if err != nil || status != http.StatusOK {
			p.t.Fatalf("batch: %d %v %v", status, v, err)
		}
		return v["results"].([]any)
	}
	operation := func(key, path, body string) string {
		return fmt.Sprintf(`{"idempotency_key":%q,"path":%q,"body":%s}`, key, path, body)
	}
	field := func(result any, name string) string {
		r := result.(map[string]any)["body"].(map[string]any)
		text, ok := r[name].(string)
		if !ok {
			p.t.Fatalf("no %s in %v", name, r)
		}
		return text
	}
	products := []string{"JFC3M", "SLC6M", "SLC1Y", "SFC3Y"}
	var next atomic.Int64
	var ended sync.WaitGroup
	for range clients {
		ended.Go(func() {
			for {
				from := int(next.Add(populateBatch)) - populateBatch
				if from >= customers {
					return
				}
				var registrations, openings, credits, purchases []string
				for n := from; n < min(from+populateBatch, customers); n++ {
					registrations = append(registrations, operation(fmt.Sprintf("c-%d", n), "/v1/customers",
						fmt.Sprintf(`{"name":"客户%d","id_number":%q,"mobile":"138%08d"}`, n, identityNumber(n), n)))
				}
				for i, r := range batch(registrations) {
					openings = append(openings, operation(fmt.Sprintf("a-%d", from+i), "/v1/customers/"+field(r, "customer_id")+"/accounts",
						`{"class":"I","face_to_face":true,"bound_card":{"card_no":"6228480402564890018","bank":"ABC","kind":"CLASS_1"}}`))
				}
				for i, r := range batch(openings) {
					no := field(r, "account_no")
					credits = append(credits, operation(fmt.Sprintf("f-%d", from+i), "/v1/transfers",
						fmt.Sprintf(`{"kind":"inbound","to_account":%q,"amount_fen":2000000,"from_account":"6222020000000000","from_name":"某","from_bank":"ICBC"}`, no)))
					if (from+i)%5 > 0 {
						purchases = append(purchases, operation(fmt.Sprintf("d-%d", from+i), "/v1/deposits",
							fmt.Sprintf(`{"account_no":%q,"product":%q,"amount_fen":%d}`, no, products[(from+i)%4], 1_000_000+100*((from+i)%5000))))
					}
				}
				batch(credits)
				for _, r := range batch(purchases) {
					field(r, "deposit_id")
				}
			}
		})
	}
	ended.Wait()
}

// populateBatch is how many customers are registered in one request.
const populateBatch = 500

// history is what has happened to each customer and house, but for when.
func history(t *testing.T, dir string) map[string][]string {
	t.Helper()
	j, err := embedded.OpenReadOnly(layout{dir}.journal())
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	found := make(map[string][]string)
	err = j.Scan(t.Context(), 1, func(rec *journal.Record) bool {
		for i := range rec.Events {
			e, err := bank.DecodeEvent(bank.EventType(rec.Events[i].Type), rec.Events[i].Body)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var fields map[string]any
			if err := json.Unmarshal(text, &fields); err != nil {
				t.Fatal(err)
			}
			delete(fields, "txn_id") // holds the time
			no := bank.CustomerNo(rec.Events[i].Customer).String()
			found[no] = append(found[no], fmt.Sprint(bank.Date(rec.AccountingDate), rec.Events[i].Type, fields))
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
