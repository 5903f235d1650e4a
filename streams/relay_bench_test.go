package streams_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/journal/embedded"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/streams"
	"github.com/suanpan-bank/suanpan/streams/broker"
)

// BenchmarkRelay is one payment, two events of about 800 bytes, from the journal on disk to the broker's
// acknowledgement.
func BenchmarkRelay(b *testing.B) {
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
	quiet := slog.New(slog.DiscardHandler)
	to, err := broker.Open(filepath.Join(dir, "stream"), l, nil, quiet)
	if err != nil {
		b.Fatal(err)
	}
	defer to.Close()
	epoch, err := j.Claim(0)
	if err != nil {
		b.Fatal(err)
	}
	const customers = 1000
	e := &bank.InternalTransferred{Role: bank.RolePayer, AmountFen: 100, Payer: bank.NewAccountNo(1, 1, 0), Payee: bank.NewAccountNo(1, 2, 0)}
	body, err := bank.Encode(e)
	if err != nil {
		b.Fatal(err)
	}
	moved := ledger.Transfer{ID: ledger.U64(1), DebitAccountID: ledger.U64(2), CreditAccountID: ledger.U64(3), Amount: ledger.U64(100), Ledger: 156}
	posted := &transfers{byID: map[ledger.Uint128]ledger.Transfer{moved.ID: moved}}
	for i := range uint64(b.N) {
		err := j.Append(&journal.Record{
			Kind: journal.KindDecision, Epoch: epoch, Customer: 1 + i%customers, Seq: 1 + i/customers, Time: int64(i), AccountingDate: 20261124,
			Transfers: []ledger.Transfer{moved}, Events: []journal.Event{
				{Customer: 1 + i%customers, Type: uint16(e.EventType()), Body: body}, {Customer: 1 + (i+1)%customers, Type: uint16(e.EventType()), Body: body},
			},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := j.WaitDurable(b.Context(), j.Last()); err != nil {
		b.Fatal(err)
	}
	r := streams.NewRelay(streams.RelayOptions{
		Journal: j, Transfers: posted, Broker: to.Addr(), CursorPath: filepath.Join(dir, "relay.json"), ClusterID: to.ClusterID(), Logger: quiet,
	})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	go func() { ended <- r.Run(ctx) }()
	if err := r.Drain(b.Context()); err != nil {
		b.Error(err)
	}
	b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
