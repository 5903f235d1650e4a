package reporting

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/streams"
	"github.com/suanpan-bank/suanpan/streams/broker"
)

// author writes a bank's history as messages.
type author struct {
	t        *testing.T
	seqs     map[uint64]uint64
	posted   map[ledger.Uint128]ledger.Transfer
	position journal.Position
	messages []streams.Message
}

func newAuthor(t *testing.T) *author {
	return &author{t: t, seqs: map[uint64]uint64{}, posted: map[ledger.Uint128]ledger.Transfer{}}
}

func (a *author) Transfer(id ledger.Uint128) (ledger.Transfer, bool) {
	t, ok := a.posted[id]
	return t, ok
}

// tell appends what a record with these events and transfers says.
func (a *author) tell(customer uint64, transfers []ledger.Transfer, other uint64, events ...bank.Event) {
	a.t.Helper()
	a.position++
	rec := &journal.Record{Position: a.position, Kind: journal.KindDecision, Customer: customer, Time: 1_700_000_000_000_000_000, AccountingDate: 20261124}
	rec.Subject = ledger.Uint128(bank.NewTxnID(1_700_000_000_000, bank.CustomerNo(customer), uint64(a.position)))
	for i := range transfers {
		if transfers[i].ID.IsZero() {
			transfers[i].ID = ledger.Uint128{Lo: uint64(a.position), Hi: uint64(i) + 1}
		}
		a.posted[transfers[i].ID] = transfers[i]
	}
	rec.Transfers = transfers
	add := func(c uint64, e bank.Event) {
		body, err := bank.Encode(e)
		if err != nil {
			a.t.Fatal(err)
		}
		a.seqs[c]++
		rec.Events = append(rec.Events, journal.Event{Customer: c, Seq: a.seqs[c], Type: uint16(e.EventType()), Body: body})
	}
	for _, e := range events {
		add(customer, e)
	}
	if other != 0 {
		add(other, events[0])
	}
	m, err := streams.Messages(rec, a)
	if err != nil {
		a.t.Fatal(err)
	}
	a.messages = append(a.messages, m...)
}

func current(customer uint64) ledger.Uint128 {
	return ledger.Uint128(bank.LedgerID(bank.DetailClassI, customer, 0))
}

func clearing() ledger.Uint128 { return ledger.Uint128(bank.LedgerID(10310101, 1, 0)) }

func move(debit, credit ledger.Uint128, fen uint64) ledger.Transfer {
	return ledger.Transfer{DebitAccountID: debit, CreditAccountID: credit, Amount: ledger.U64(fen), Ledger: bank.LedgerCNY, Code: 1121}
}

// history is some customers' days: accounts, money in and around, a deposit, a transfer out that fails.
func (a *author) history(customers uint64) {
	for c := uint64(1); c <= customers; c++ {
		a.tell(c, nil, 0, &bank.CustomerRegistered{CustomerNo: bank.CustomerNo(c)})
		a.tell(c, nil, 0, &bank.AccountOpened{CustomerNo: bank.CustomerNo(c), Product: bank.ProductClassI, Class: 1})
		a.tell(c, []ledger.Transfer{move(clearing(), current(c), 10_000)}, 0, &bank.InboundCredited{AmountFen: 10_000})
	}
	for c := uint64(1); c <= customers; c++ {
		to := c%customers + 1
		a.tell(c, []ledger.Transfer{move(current(c), current(to), 100+c)}, to, &bank.InternalTransferred{AmountFen: int64(100 + c)})
		deposit := ledger.Uint128(bank.LedgerID(20110203, c, 1))
		a.tell(c, []ledger.Transfer{move(current(c), deposit, 5000)}, 0, &bank.DepositOpened{Product: bank.ProductSLC1Y, PrincipalFen: 5000})
		hold := move(current(c), clearing(), 700)
		hold.Flags = ledger.TransferPending
		a.tell(c, []ledger.Transfer{hold}, 0, &bank.TransferOutRequested{AmountFen: 700})
		void := move(current(c), clearing(), 700)
		void.Flags, void.PendingID = ledger.TransferVoidPending, ledger.Uint128{Lo: uint64(a.position), Hi: 1}
		if c%2 == 0 {
			void.Flags = ledger.TransferPostPending
		}
		a.tell(c, []ledger.Transfer{void}, 0, &bank.TransferOutFailed{})
	}
}

func opened(t *testing.T, path, cluster string) *Report {
	t.Helper()
	r, err := Open(Options{Path: path, ClusterID: cluster, Catalogue: bank.DefaultCatalogue(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// told applies messages in batches, as they might be read.
func told(t interface{ Fatal(...any) }, r *Report, messages []streams.Message, batch int) {
	next := map[place]int64{}
	for i := range messages {
		at := place{messages[i].Topic, streams.PartitionOf(messages[i].Key)}
		if err := r.take(&message{place: at, offset: next[at], value: messages[i].Value}); err != nil {
			t.Fatal(err)
		}
		next[at]++
		if i%batch == batch-1 || i == len(messages)-1 {
			if err := r.storeChanges(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// said is what a report answers, without offsets.
func said(t interface{ Fatal(...any) }, r *Report) (TrialBalance, Products, []AccountFigures) {
	ctx := context.Background()
	balance, err := r.TrialBalance(ctx)
	if err != nil {
		t.Fatal(err)
	}
	products, err := r.Products(ctx)
	if err != nil {
		t.Fatal(err)
	}
	figures, err := r.Figures(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return balance, products, figures.Accounts
}

func TestTotalsOfASmallBank(t *testing.T) {
	a := newAuthor(t)
	a.history(10)
	a.tell(3, []ledger.Transfer{move(ledger.Uint128(bank.LedgerID(20110203, 3, 1)), current(3), 5000)}, 0,
		&bank.DepositRedeemedEarly{DepositPaid: bank.DepositPaid{Product: bank.ProductSLC1Y, PrincipalFen: 5000}})
	a.tell(4, []ledger.Transfer{move(ledger.Uint128(bank.LedgerID(20110203, 4, 1)), ledger.Uint128(bank.LedgerID(20110203, 4, 2)), 5000)}, 0,
		&bank.DepositRolledOver{Product: bank.ProductSLC1Y, PrincipalFen: 5000, Next: bank.DepositOpened{PrincipalFen: 5000}})
	a.tell(5, nil, 0, &bank.AccountClosure{Product: bank.ProductClassI})
	r := opened(t, filepath.Join(t.TempDir(), "report.db"), "one")
	defer r.Close()
	told(t, r, a.messages, 7)
	balance, products, _ := said(t, r)
	if len(balance.Ledgers) != 1 || !balance.Ledgers[0].Balanced || balance.Gaps != 0 || balance.DeadLetters != 0 || balance.Events != int64(len(a.messages)) {
		t.Errorf("trial balance: %+v", balance)
	}
	want := []Product{
		{Product: bank.ProductClassI, NameZh: "电子账户(Ⅰ类)", Kind: Account, Opened: 10, Closed: 1, Open: 9, BalanceFen: 100_000 - 45_000 - 5*700},
		{Product: bank.ProductSLC1Y, NameZh: "岁利存(一年)", Kind: Deposit, Opened: 11, Closed: 2, Open: 9, BalanceFen: 45_000},
	}
	if !reflect.DeepEqual(products.Products, want) {
		t.Errorf("products:\n%+v, want\n%+v", products.Products, want)
	}
}

// Kafka delivers at least once, and a customer's four topics in any order: the figures may not depend on it.
func TestRepeatsAndOtherOrdersGiveTheSameFigures(t *testing.T) {
	a := newAuthor(t)
	a.history(5)
	dir := t.TempDir()
	plain := opened(t, filepath.Join(dir, "plain.db"), "one")
	defer plain.Close()
	told(t, plain, a.messages, 1000)
	balance, products, accounts := said(t, plain)
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		var order []int
		for i := range a.messages {
			order = append(order, i)
		}
		order = rapid.Permutation(order).Draw(t, "order")
		order = append(order, order[:rapid.IntRange(0, len(order)).Draw(t, "repeated")]...)
		var messages []streams.Message
		for _, i := range order {
			messages = append(messages, a.messages[i])
		}
		r, err := Open(Options{Path: filepath.Join(dir, fmt.Sprintf("%d.db", runs)), ClusterID: "one", Catalogue: bank.DefaultCatalogue()})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		r.blocksMax = rapid.IntRange(1, 2).Draw(t, "remembered") // what is forgotten is read again
		told(t, r, messages, rapid.IntRange(1, 20).Draw(t, "batch"))
		b, p, f := said(t, r)
		if !reflect.DeepEqual(b, balance) || !reflect.DeepEqual(p, products) || !reflect.DeepEqual(f, accounts) {
			t.Fatalf("%+v\n%+v\nwant\n%+v\n%+v", b, p, balance, products)
		}
	})
}

func TestAGapShowsUntilTheMissingEventComes(t *testing.T) {
	a := newAuthor(t)
	a.history(2)
	r := opened(t, filepath.Join(t.TempDir(), "report.db"), "one")
	defer r.Close()
	late := a.messages[1]
	told(t, r, append(append([]streams.Message{}, a.messages[:1]...), a.messages[2:]...), 10)
	if b, _, _ := said(t, r); b.Gaps != 1 {
		t.Errorf("gaps: %d", b.Gaps)
	}
	if f, err := r.Figures(t.Context()); err != nil || len(f.Gaps) != 1 || f.Gaps[0] != late.Key {
		t.Errorf("%v %v, want %s", f.Gaps, err, late.Key)
	}
	told(t, r, []streams.Message{late}, 1)
	if b, _, _ := said(t, r); b.Gaps != 0 || b.Events != int64(len(a.messages)) {
		t.Errorf("after it came: %+v", b)
	}
}

func TestWhatCannotBeReadIsKeptAndTheRestGoesOn(t *testing.T) {
	a := newAuthor(t)
	a.history(2)
	r := opened(t, filepath.Join(t.TempDir(), "report.db"), "one")
	defer r.Close()
	messages := append([]streams.Message{{Topic: bank.TopicLoan, Key: "x", Value: []byte("{not json")}}, a.messages...)
	told(t, r, messages, 3)
	if b, _, _ := said(t, r); b.DeadLetters != 1 || b.Events != int64(len(a.messages)) || !b.Ledgers[0].Balanced {
		t.Errorf("%+v", b)
	}
}

// Stopped and started at any moment, and with its broker filled anew, the report comes to the same figures.
func TestTheReportResumesWhereItStopped(t *testing.T) {
	a := newAuthor(t)
	a.history(40)
	dir := t.TempDir()
	once := opened(t, filepath.Join(dir, "once.db"), "one")
	defer once.Close()
	told(t, once, a.messages, 100)
	balance, products, accounts := said(t, once)

	for fill := range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		b, err := broker.Open(filepath.Join(dir, fmt.Sprintf("stream%d", fill)), l, nil, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		ends := publish(t, b.Addr(), a.messages)
		rng := rand.New(rand.NewPCG(3, uint64(fill)))
		for try := 0; ; try++ {
			r, err := Open(Options{Path: filepath.Join(dir, "report.db"), Broker: b.Addr(), ClusterID: b.ClusterID(), Catalogue: bank.DefaultCatalogue()})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- r.Run(ctx) }()
			wait, stop := context.WithTimeout(ctx, time.Duration(rng.IntN(30))*time.Millisecond)
			if try == 5 {
				wait, stop = context.WithTimeout(ctx, 20*time.Second)
			}
			behind := r.WaitFor(wait, ends)
			stop()
			cancel()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if try < 5 {
				_ = r.Close()
				continue
			}
			if behind != nil {
				t.Fatal(behind)
			}
			gotBalance, gotProducts, gotAccounts := said(t, r)
			if !reflect.DeepEqual(gotBalance, balance) || !reflect.DeepEqual(gotProducts, products) || !reflect.DeepEqual(gotAccounts, accounts) {
				t.Errorf("filling %d: %+v, want %+v", fill, gotBalance, balance)
			}
			_ = r.Close()
			break
		}
	}
}

func publish(t *testing.T, address string, messages []streams.Message) map[string][]int64 {
	t.Helper()
	ends := map[string][]int64{}
	for _, topic := range bank.Topics {
		w := &kafka.Writer{Addr: kafka.TCP(address), Topic: topic, Balancer: kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond}
		ends[topic] = make([]int64, streams.PartitionsPerTopic)
		var list []kafka.Message
		for _, m := range messages {
			if m.Topic == topic {
				list = append(list, kafka.Message{Key: []byte(m.Key), Value: m.Value})
				ends[topic][streams.PartitionOf(m.Key)]++
			}
		}
		if err := w.WriteMessages(t.Context(), list...); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return ends
}
