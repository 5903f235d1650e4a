package streams_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/journal/embedded"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/streams"
	"github.com/suanpan-bank/suanpan/streams/broker"
)

// press is a journal, a broker and the relay between them.
type press struct {
	*testing.T
	dir     string
	journal *embedded.Journal
	epochs  map[uint16]uint64
	broker  *broker.Broker
	address string
	posted  transfers
}

// transfers stands for the ledger.
type transfers struct {
	mu   sync.Mutex
	byID map[ledger.Uint128]ledger.Transfer
}

func (t *transfers) Transfer(id ledger.Uint128) (ledger.Transfer, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found, ok := t.byID[id]
	return found, ok
}

func newPress(t *testing.T) *press {
	t.Helper()
	p := &press{T: t, dir: t.TempDir(), epochs: map[uint16]uint64{}, posted: transfers{byID: map[ledger.Uint128]ledger.Transfer{}}}
	j, err := embedded.Open(filepath.Join(p.dir, "journal"), embedded.Options{SegmentBytes: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	p.journal = j
	p.address = "127.0.0.1:0"
	p.open()
	t.Cleanup(func() {
		if p.broker != nil {
			_ = p.broker.Close()
		}
		_ = j.Close()
	})
	return p
}

func (p *press) open() {
	p.Helper()
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		p.Fatal(err)
	}
	if p.broker, err = broker.Open(filepath.Join(p.dir, "stream"), l, nil, slog.New(slog.DiscardHandler)); err != nil {
		p.Fatal(err)
	}
	p.address = p.broker.Addr()
}

func (p *press) close() {
	p.Helper()
	if err := p.broker.Close(); err != nil {
		p.Fatal(err)
	}
	p.broker = nil
}

// pay appends a payment of one customer to another, as their bank would.
func (p *press) pay(from, to uint64) {
	p.Helper()
	shard := uint16(from % 4)
	if p.epochs[shard] == 0 {
		epoch, err := p.journal.Claim(shard)
		if err != nil {
			p.Fatal(err)
		}
		p.epochs[shard] = epoch
	}
	head, err := p.journal.Head(from)
	if err != nil {
		p.Fatal(err)
	}
	seq := head.Seq + 1
	txn := bank.NewTxnID(1_700_000_000_000, bank.CustomerNo(from), seq)
	id := ledger.Uint128(bank.TransferID(txn, 1, 0))
	e := &bank.InternalTransferred{TxnID: txn, Role: bank.RolePayer, AmountFen: int64(seq), Channel: bank.ChannelApp,
		Payer: bank.NewAccountNo(1, bank.CustomerNo(from), 0), Payee: bank.NewAccountNo(1, bank.CustomerNo(to), 0)}
	body, err := bank.Encode(e)
	if err != nil {
		p.Fatal(err)
	}
	transfer := ledger.Transfer{ID: id, DebitAccountID: ledger.U64(from), CreditAccountID: ledger.U64(to), Amount: ledger.U64(seq), Ledger: 156, Code: 1121}
	p.posted.mu.Lock()
	p.posted.byID[id] = transfer
	p.posted.mu.Unlock()
	rec := &journal.Record{
		Kind: journal.KindDecision, Shard: shard, Epoch: p.epochs[shard], Customer: from, Seq: seq, Subject: ledger.Uint128(txn),
		Time: 1_700_000_000_000_000_000 + int64(seq), AccountingDate: 20261124, Channel: 1, Transfers: []ledger.Transfer{transfer},
		Events: []journal.Event{{Customer: from, Type: uint16(e.EventType()), Body: body}, {Customer: to, Type: uint16(e.EventType()), Body: body}},
	}
	if err := p.journal.Append(rec); err != nil {
		p.Fatal(err)
	}
}

func (p *press) relay() *streams.Relay {
	return streams.NewRelay(streams.RelayOptions{
		Journal: p.journal, Transfers: &p.posted, Broker: p.address, CursorPath: filepath.Join(p.dir, "relay.json"),
		ClusterID: p.broker.ClusterID(), Logger: slog.New(slog.DiscardHandler),
	})
}

// running runs a relay until the returned function is called.
func (p *press) running() (relay *streams.Relay, stop func()) {
	p.Helper()
	r := p.relay()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	return r, func() {
		p.Helper()
		cancel()
		if err := <-ended; err != nil {
			p.Error(err)
		}
	}
}

func (p *press) publish() {
	p.Helper()
	if err := p.journal.WaitDurable(p.Context(), p.journal.Last()); err != nil {
		p.Fatal(err)
	}
	r, stop := p.running()
	defer stop()
	ctx, cancel := context.WithTimeout(p.Context(), 20*time.Second)
	defer cancel()
	if err := r.Drain(ctx); err != nil {
		p.Fatal(err)
	}
}

// seen is what a consumer finds: each customer's events in order, repeats dropped.
func (p *press) seen() (messages, repeats int, last map[string]uint64) {
	p.Helper()
	last = map[string]uint64{}
	err := streams.Tail(p.Context(), streams.TailOptions{Broker: p.address, Topics: bank.Topics, FromStart: true}, func(m *streams.Tailed) error {
		env, err := streams.Decode(m.Value)
		if err != nil {
			return err
		}
		messages++
		switch {
		case env.ActorSeq == last[env.CustomerToken]+1:
			last[env.CustomerToken]++
		case env.ActorSeq <= last[env.CustomerToken]:
			repeats++
		default:
			return fmt.Errorf("customer %s: event %d after %d", env.CustomerToken, env.ActorSeq, last[env.CustomerToken])
		}
		return nil
	})
	if err != nil {
		p.Fatal(err)
	}
	return messages, repeats, last
}

// complete checks that every event of the journal was seen.
func (p *press) complete(last map[string]uint64) {
	p.Helper()
	for c := range uint64(50) {
		head, err := p.journal.Head(c + 1)
		if err != nil {
			p.Fatal(err)
		}
		if want := head.EventSeq; last[bank.CustomerNo(c+1).String()] != want {
			p.Errorf("customer %d: %d events in the stream, %d in the journal", c+1, last[bank.CustomerNo(c+1).String()], want)
		}
	}
}

func TestEveryClientReadsWhatWasPublished(t *testing.T) {
	p := newPress(t)
	for i := range uint64(100) {
		p.pay(1+i%7, 1+(i+1)%7)
	}
	p.publish()
	out, err := exec.Command("kcat", "-b", p.address, "-C", "-t", bank.TopicAccount, "-e", "-q", "-f", `%k|%h|%s\n`).Output()
	if err != nil {
		t.Fatalf("kcat: %v (make tools installs it)", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 200 {
		t.Fatalf("kcat reads %d messages, want 200", len(lines))
	}
	entries, next := 0, map[string]int{}
	for _, line := range lines {
		part := strings.SplitN(line, "|", 3)
		var env struct {
			CustomerToken string `json:"customer_token"`
			ActorSeq      int    `json:"actor_seq"`
			Type          string `json:"type"`
			Entries       []any  `json:"entries"`
		}
		if err := json.Unmarshal([]byte(part[2]), &env); err != nil {
			t.Fatal(err)
		}
		entries += len(env.Entries)
		if next[part[0]]++; env.CustomerToken != part[0] || env.ActorSeq != next[part[0]] || env.Type != "InternalTransferred" {
			t.Fatalf("key %s: %+v is number %d", part[0], env, next[part[0]])
		}
		for _, h := range []string{"ce_specversion=1.0", "ce_type=bank.InternalTransferred.v1", fmt.Sprintf("seq=%d", env.ActorSeq), "pos=", "ce_subject=" + part[0]} {
			if !strings.Contains(part[1], h) {
				t.Fatalf("no header %s in %s", h, part[1])
			}
		}
	}
	if entries != 100 {
		t.Errorf("%d entries, want each of 100 once", entries)
	}
	messages, repeats, last := p.seen()
	if messages != 200 || repeats != 0 {
		t.Errorf("%d messages, %d repeats", messages, repeats)
	}
	p.complete(last)
}

// After its broker lost messages, or let them go, a consumer's offset is not there. It must not wait for it for ever.
func TestAnOffsetThatTheBrokerDoesNotHaveLeadsToTheFirst(t *testing.T) {
	p := newPress(t)
	p.payMany(100)
	p.publish()
	var partitions []streams.Reading
	for i := range streams.PartitionsPerTopic {
		partitions = append(partitions, streams.Reading{Topic: bank.TopicAccount, Partition: i, Next: 1 << 40})
	}
	f := streams.NewFetcher(p.address, partitions)
	defer func() { _ = f.Close() }()
	seen := 0
	for range 3 {
		if err := f.Fetch(t.Context(), 1, time.Second); err != nil {
			t.Fatal(err)
		}
		if err := f.Each(func(*streams.Fetched) { seen++ }); err != nil {
			t.Fatal(err)
		}
	}
	if seen != 200 || f.Behind() != 0 {
		t.Errorf("%d messages of 200, %d behind", seen, f.Behind())
	}
}

// Whenever the relay dies, the next one leaves no hole and keeps each customer's order.
func TestARelayThatDiesLeavesNoHole(t *testing.T) {
	p := newPress(t)
	rng := rand.New(rand.NewPCG(7, 7))
	for range 15 {
		_, stop := p.running()
		for range 300 {
			p.pay(1+rng.Uint64N(50), 1+rng.Uint64N(50))
		}
		time.Sleep(time.Duration(rng.IntN(8)) * time.Millisecond)
		stop()
		if rng.IntN(4) == 0 { // power fails: the cursor is as old as it gets
			_ = os.Remove(filepath.Join(p.dir, "relay.json"))
		}
	}
	p.publish()
	messages, repeats, last := p.seen()
	t.Logf("%d messages, %d repeats", messages, repeats)
	p.complete(last)
}

// The broker's directory may be deleted at any time: it is filled again, under another id.
func TestADeletedBrokerIsFilledAgain(t *testing.T) {
	p := newPress(t)
	for i := range uint64(500) {
		p.pay(1+i%50, 1+(i+7)%50)
	}
	p.publish()
	id := p.broker.ClusterID()
	p.close()
	if err := os.RemoveAll(filepath.Join(p.dir, "stream")); err != nil {
		t.Fatal(err)
	}
	p.open()
	if p.broker.ClusterID() == id {
		t.Error("another broker has the same id")
	}
	p.publish()
	messages, repeats, last := p.seen()
	if messages != 1000 || repeats != 0 {
		t.Errorf("%d messages, %d repeats", messages, repeats)
	}
	p.complete(last)
}

func TestABrokerThatIsAwayForAWhileLosesNothing(t *testing.T) {
	p := newPress(t)
	for i := range uint64(200) {
		p.pay(1+i%50, 1+(i+7)%50)
	}
	p.publish()
	r, stop := p.running()
	p.close()
	for i := range uint64(200) {
		p.pay(1+i%50, 1+(i+3)%50)
	}
	time.Sleep(50 * time.Millisecond)
	p.open()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := p.journal.WaitDurable(ctx, p.journal.Last()); err != nil {
		t.Fatal(err)
	}
	if err := r.Drain(ctx); err != nil {
		t.Error(err)
	}
	stop()
	_, _, last := p.seen()
	p.complete(last)
}

// After a power failure the broker may have forgotten what the cursor counts as published.
func TestABrokerThatForgotIsNoticed(t *testing.T) {
	p := newPress(t)
	for i := range uint64(300) {
		p.pay(1+i%50, 1+(i+7)%50)
	}
	p.publish()
	cursor, err := os.ReadFile(filepath.Join(p.dir, "relay.json"))
	if err != nil {
		t.Fatal(err)
	}
	id := filepath.Join(p.dir, "stream", "kafka", "cluster.id")
	name, err := os.ReadFile(id)
	if err != nil {
		t.Fatal(err)
	}
	p.close()
	if err := os.RemoveAll(filepath.Dir(id)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(id), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(id, name, 0o600); err != nil { // the same broker, all its messages gone
		t.Fatal(err)
	}
	p.open()
	p.publish()
	if again, _ := os.ReadFile(filepath.Join(p.dir, "relay.json")); len(cursor) == 0 || len(again) == 0 {
		t.Error("no cursor")
	}
	_, _, last := p.seen()
	p.complete(last)
}

func BenchmarkMessages(b *testing.B) {
	p := transfers{byID: map[ledger.Uint128]ledger.Transfer{}}
	e := &bank.InternalTransferred{Role: bank.RolePayer, AmountFen: 100, Payer: bank.NewAccountNo(1, 1, 0), Payee: bank.NewAccountNo(1, 2, 0)}
	body, _ := bank.Encode(e)
	t := ledger.Transfer{ID: ledger.U64(1), DebitAccountID: ledger.U64(2), CreditAccountID: ledger.U64(3), Amount: ledger.U64(100), Ledger: 156}
	p.byID[t.ID] = t
	rec := &journal.Record{Kind: journal.KindDecision, Customer: 1, Transfers: []ledger.Transfer{t}, Events: []journal.Event{
		{Customer: 1, Seq: 1, Type: uint16(e.EventType()), Body: body}, {Customer: 2, Seq: 1, Type: uint16(e.EventType()), Body: body},
	}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := streams.Messages(rec, &p); err != nil {
			b.Fatal(err)
		}
	}
}
