package reporting

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/pace"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/journal/embedded"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/streams"
	"github.com/suanpan-bank/suanpan/streams/broker"
)

// BenchmarkWay is what a payment among many customers costs on its way through: journal, relay, broker, report, with nobody
// else at work. The relay goes first, so that its share and the report's are told apart; the broker has part in both.
func BenchmarkWay(b *testing.B) {
	for _, customers := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(customers), func(b *testing.B) {
			template := filled(b, customers)
			b.Run("alone", func(b *testing.B) { benchmarkWay(b, customers, template, nil) })
			// Small pieces of work, as while requests come.
			room := pace.NewRoom(func() bool { return true }, func() bool { return false })
			b.Run("gentle", func(b *testing.B) { benchmarkWay(b, customers, template, room.Pace(nil)) })
		})
	}
}

func benchmarkWay(b *testing.B, customers int, template string, pace *pace.Pace) {
	quiet := slog.New(slog.DiscardHandler)
	dir := b.TempDir()
	j, err := embedded.Open(filepath.Join(dir, "journal"), embedded.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	to, err := broker.Open(filepath.Join(dir, "stream"), l, func() bool { return true }, quiet)
	if err != nil {
		b.Fatal(err)
	}
	defer to.Close()
	path := filepath.Join(dir, "report.db")
	content, err := os.ReadFile(template)
	if err == nil {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	r, err := Open(Options{
		Path: path, Broker: to.Addr(), ClusterID: to.ClusterID(), Catalogue: bank.DefaultCatalogue(), Logger: quiet, Pace: pace,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	payments(b, j, customers)

	relay := streams.NewRelay(streams.RelayOptions{
		Journal: j, Broker: to.Addr(), CursorPath: filepath.Join(dir, "relay.json"), ClusterID: to.ClusterID(), Logger: quiet, Pace: pace,
	})
	b.ReportAllocs()
	b.ResetTimer()
	// The time of both, one after the other, and of the process, the broker's share included.
	cpu := func(run func(context.Context) error, done func() error) time.Duration {
		before := cpuTime(b)
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- run(ctx) }()
		if err := done(); err != nil {
			b.Error(err)
		}
		used := cpuTime(b) - before
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		return used
	}
	published := cpu(relay.Run, func() error { return relay.Drain(b.Context()) })
	counted := cpu(r.Run, func() error {
		_, ends, err := streams.Offsets(b.Context(), to.Addr(), bank.Topics)
		if err != nil {
			return err
		}
		return r.WaitFor(b.Context(), ends)
	})
	b.StopTimer()
	said, err := r.TrialBalance(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if want := int64(2 * b.N); said.Events != want || said.Gaps != 0 || said.DeadLetters != 0 {
		b.Errorf("%d events counted, %d gaps, %d unread, want %d", said.Events, said.Gaps, said.DeadLetters, want)
	}
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(b.N) / 1000 }
	b.ReportMetric(each(published), "relay-cpu-µs/op")
	b.ReportMetric(each(counted), "report-cpu-µs/op")
	b.ReportMetric(each(published+counted), "cpu-µs/op")
}

// filled makes a report in which every customer has an account. None of their events counts any more: the journal, which
// numbers them, begins with the payments.
func filled(b *testing.B, customers int) (path string) {
	path = filepath.Join(b.TempDir(), "report.db")
	r, err := Open(Options{Path: path, Catalogue: bank.DefaultCatalogue()})
	if err != nil {
		b.Fatal(err)
	}
	for i := 1; i <= customers; i++ {
		value, err := json.Marshal(&streams.Envelope{
			Type: "InboundCredited", CustomerToken: bank.CustomerNo(i).String(), ActorSeq: 1, TxnID: bank.NewTxnID(1, bank.CustomerNo(i), 1), Payload: []byte(`{}`),
			Entries: []streams.Entry{{Ledger: bank.LedgerCNY, Phase: streams.Posted, AmountFen: 1000, Debit: clearing(), Credit: current(uint64(i))}},
		})
		if err == nil {
			err = r.take(&message{place: place{bank.TopicCustomer, 0}, value: value})
		}
		if err == nil && (i%10_000 == 0 || i == customers) {
			err = r.storeChanges(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if _, err := r.write.Exec(`DELETE FROM counted; DELETE FROM about; DELETE FROM offsets`); err != nil {
		b.Fatal(err)
	}
	if err := r.Close(); err != nil { // which writes all into the one file
		b.Fatal(err)
	}
	return path
}

// payments writes b.N payments between customers to the journal, two events each.
func payments(b *testing.B, j *embedded.Journal, customers int) {
	rng := rand.New(rand.NewPCG(1, 2))
	epochs, seqs := make(map[uint16]uint64), make([]uint64, customers+1)
	begun := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC).UnixNano()
	for i := range b.N {
		from, to := 1+rng.IntN(customers), 1+rng.IntN(customers)
		payer, payee := bank.CustomerNo(from), bank.CustomerNo(to)
		if payer == payee {
			payee = 1 + payer%bank.CustomerNo(customers)
		}
		shard := payer.Shard()
		if epochs[shard] == 0 {
			epoch, err := j.Claim(shard)
			if err != nil {
				b.Fatal(err)
			}
			epochs[shard] = epoch
		}
		seqs[payer]++
		at := begun + int64(i)*20_000
		txn := bank.NewTxnID(at/1_000_000, payer, seqs[payer])
		e := &bank.InternalTransferred{
			TxnID: txn, Role: bank.RolePayer, AmountFen: 100, Channel: bank.ChannelApp, DayTotalFen: 100, YearTotalFen: 100,
			Payer: bank.NewAccountNo(1, payer, 0), Payee: bank.NewAccountNo(1, payee, 0),
		}
		sent, err := bank.Encode(e)
		if err != nil {
			b.Fatal(err)
		}
		e.Role = bank.RolePayee
		got, err := bank.Encode(e)
		if err != nil {
			b.Fatal(err)
		}
		t := move(current(uint64(payer)), current(uint64(payee)), 100)
		t.ID = ledger.Uint128(bank.TransferID(txn, 1, 0))
		err = j.Append(&journal.Record{
			Kind: journal.KindDecision, Shard: shard, Epoch: epochs[shard], Customer: uint64(payer), Seq: seqs[payer], Subject: ledger.Uint128(txn),
			Time: at, AccountingDate: 20261124, Channel: uint16(bank.ChannelApp), Transfers: []ledger.Transfer{t},
			Events: []journal.Event{{Customer: uint64(payer), Type: uint16(e.EventType()), Body: sent}, {Customer: uint64(payee), Type: uint16(e.EventType()), Body: got}},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := j.WaitDurable(b.Context(), j.Last()); err != nil {
		b.Fatal(err)
	}
}
