package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/channels"
	"github.com/suanpan-bank/suanpan/channels/simulated"
	"github.com/suanpan-bank/suanpan/cluster"
	"github.com/suanpan-bank/suanpan/identity"
	"github.com/suanpan-bank/suanpan/ingress"
	"github.com/suanpan-bank/suanpan/internal/clock"
	"github.com/suanpan-bank/suanpan/internal/hugepages"
	"github.com/suanpan-bank/suanpan/internal/pace"
	"github.com/suanpan-bank/suanpan/journal/embedded"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/streams"
	"github.com/suanpan-bank/suanpan/streams/broker"
	"github.com/suanpan-bank/suanpan/streams/reporting"
)

// layout is where things are in a data directory.
type layout struct{ dir string }

func (l layout) key() string        { return filepath.Join(l.dir, "vault.key") }
func (l layout) operators() string  { return filepath.Join(l.dir, "operators.json") }
func (l layout) journal() string    { return filepath.Join(l.dir, "journal") }
func (l layout) stream() string     { return filepath.Join(l.dir, "stream") }
func (l layout) cursor() string     { return filepath.Join(l.dir, "relay.json") }
func (l layout) report() string     { return filepath.Join(l.dir, "report.db") }
func (l layout) ledger() string     { return filepath.Join(l.dir, "LEDGER") }
func (l layout) books() string      { return filepath.Join(l.dir, "books") }
func (l layout) channels() string   { return filepath.Join(l.dir, "channels") }
func (l layout) days() string       { return filepath.Join(l.dir, "days") }
func (l layout) inbox() string      { return filepath.Join(l.dir, "channel-files") }   // files of channels that are to be read
func (l layout) reconciled() string { return filepath.Join(l.dir, "reconciliations") } // files that were, and their differences

// server is the bank: all its parts in this process, but for a ledger elsewhere.
type server struct {
	node      *actors.Node
	books     *books        // nil: the ledger is elsewhere
	ledger    ledger.Ledger // elsewhere; nil: in this process
	journal   *embedded.Journal
	customers worker // lets customers leave memory and saves them
	tracker   *channels.Tracker
	simulated *simulated.Channel // nil: there is none
	broker    *broker.Broker
	relay     *streams.Relay
	report    *reporting.Report
	api       *ingress.Server
	http      net.Listener
	consumers []worker // in the order in which they are stopped
	behind    worker   // has what they write get to disk evenly
	keeper    worker   // lets the journal's oldest records go
	clock     clock.Clock
	catalogue *bank.Catalogue
	moving    sync.Mutex // one move of the clock at a time
	day       *accountingDay
	memory    worker       // has the heap lie in huge pages
	collector worker       // has it collected seldom; not running: GOGC says when
	daily     worker       // cuts the days and does the work of their ends
	broken    atomic.Int64 // daily checks, when they were made last
	letGo     sync.RWMutex // held for writing while it does, for reading by who needs all that is kept
	logger    *slog.Logger
	fault     chan error   // capacity 1
	faulted   atomic.Bool  // something can't go on; there is nothing to drain
	reporting atomic.Bool  // report is open
	audits    atomic.Int64 // reads that wait for stream and report: nothing makes room meanwhile
	viewing   sync.Mutex   // held while the accounts are read as of a moment
	awaited   atomic.Int64 // checks of a day's end that wait for the relay
	load      load
	room      *pace.Room // of what works behind requests' backs
}

// worker is a goroutine of the server and how to end it.
type worker struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

func (s *server) run(name string, work func(context.Context) error) worker {
	ctx, cancel := context.WithCancel(context.Background())
	w := worker{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		if err := work(ctx); err != nil && ctx.Err() == nil {
			s.stopFor(fmt.Errorf("%s: %w", name, err))
		}
	}()
	return w
}

func (w worker) stop() {
	w.cancel()
	<-w.ended
}

func (s *server) stopFor(err error) {
	s.faulted.Store(true)
	select {
	case s.fault <- err:
	default: // the first one counts
	}
}

// openBank opens every part in the order of their need: what serves others first, the API last.
func openBank(ctx context.Context, o serveOptions, logger *slog.Logger) (_ *server, err error) {
	s := &server{fault: make(chan error, 1), logger: logger, clock: clock.System{}}
	defer func() {
		if err != nil {
			drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
			defer cancel()
			err = errors.Join(err, s.close(drain))
		}
	}()
	hugepages.Prepare(preparedHeap())
	s.memory = s.run("huge pages", hugepages.Keep)
	if os.Getenv("GOGC") == "" {
		s.collector = s.run("collector", keepCollector)
	}
	at := layout{o.data}
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return nil, fmt.Errorf("can't use the data directory (choose another with --data): %w", err)
	}
	if s.http, err = listen("--http", o.http); err != nil {
		return nil, err
	}
	if err := s.openBroker(at, o, logger); err != nil {
		return nil, err
	}
	vault, err := openVault(at)
	if err != nil {
		return nil, err
	}
	operators, err := identity.OpenOperators(at.operators(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := s.openLedger(at, o); err != nil {
		return nil, err
	}
	catalogue, err := readCatalogue(o.catalogue)
	if err != nil {
		return nil, err
	}
	if !o.demo {
		withdrawDemo(catalogue)
	}
	s.catalogue = catalogue
	options := actors.Options{
		Ledger: s.ledger, Clock: func() time.Time { return s.clock.Now() }, Catalogue: catalogue, Unseal: vault.Open, Logger: logger, Sequence: random(),
		InMemoryMax: o.inMemoryMax, PassivateAfter: o.passivateAfter, SnapshotEvery: o.snapshotEvery,
		RequestsMax: o.underWay.commands, CustomerMax: o.underWay.customer, BytesMax: o.underWay.bytes,
	}
	if s.books != nil {
		options.Engine, options.Books, options.EngineAt = s.books, s.books, s.books.position()
	}
	s.node = actors.NewNode(options)
	s.load.commands = s.node.Asked
	s.room = pace.NewRoom(s.served, s.load.Busy)
	s.journal, err = embedded.Open(at.journal(), embedded.Options{
		OnDurable: s.node.Durable, OnFault: s.node.Fault, SegmentBytes: o.keep.segmentBytes,
		CheckpointEvery: int(min(o.snapshotEvery, embedded.CheckpointEveryDefault)),
		OnRebuild: func(cause error) {
			logger.Warn("the journal's index is made again from its records; this start takes longer", "cause", cause)
		},
	})
	if err != nil {
		return nil, err
	}
	if err := s.openClock(ctx, o.clock); err != nil {
		return nil, err
	}
	if s.books != nil {
		if err := s.books.fit(s.journal); err != nil {
			return nil, err
		}
	}
	if err := s.node.Recover(ctx, s.journal); err != nil {
		return nil, err
	}
	if s.books != nil {
		s.books.worker = s.run("ledger", func(ctx context.Context) error { return s.keepBooks(ctx, logger) })
	}
	bankOf := cluster.New(s.node, cluster.Single{Node: s.node})
	if err := s.openChannels(bankOf, at, o, logger); err != nil {
		return nil, err
	}
	if err := s.node.Resume(); err != nil {
		return nil, err
	}
	s.customers = s.run("customers", func(ctx context.Context) error { s.node.Keep(ctx); return nil })
	if err := s.openStream(at, catalogue, logger); err != nil {
		return nil, err
	}
	files, err := s.reconciliation(bankOf, at)
	if err != nil {
		return nil, err
	}
	if err := s.openDays(files, at, o); err != nil {
		return nil, err
	}
	if o.keep.records > 0 {
		s.keeper = s.run("journal", func(ctx context.Context) error { return s.keepJournal(ctx, uint64(o.keep.records)) })
	}
	s.api = ingress.New(ingress.Options{
		Bank: bankOf, Vault: vault, Operators: operators, Catalogue: catalogue, Clock: s.clock.Now, Logger: logger, Pages: s.pages(), Metrics: s.metrics(),
		Day: s.day, MoveClock: s.moveClock(), Channels: s.day.files,
	})
	go func() {
		if err := s.api.Serve(s.http); err != nil {
			s.stopFor(fmt.Errorf("API: %w", err))
		}
	}()
	go func() {
		select {
		case err := <-s.node.Faults():
			s.stopFor(err)
		case <-s.node.Stopped():
		}
	}()
	return s, nil
}

// openBroker opens the broker, unless nobody is to hear of events.
func (s *server) openBroker(at layout, o serveOptions, logger *slog.Logger) error {
	switch o.stream {
	case streamOff:
		return nil
	case streamEmbedded:
	default:
		return fmt.Errorf("--stream %s: choose %s or %s", o.stream, streamEmbedded, streamOff)
	}
	kafka, err := listen("--kafka", o.kafka)
	if err != nil {
		return err
	}
	if s.broker, err = broker.Open(at.stream(), kafka, s.reportBehind, logger); err != nil {
		return errors.Join(err, kafka.Close())
	}
	return nil
}

func (s *server) openStream(at layout, catalogue *bank.Catalogue, logger *slog.Logger) (err error) {
	if s.broker == nil {
		return nil
	}
	options := streams.RelayOptions{
		Journal: s.journal, Broker: s.broker.Addr(), CursorPath: at.cursor(), ClusterID: s.broker.ClusterID(), Logger: logger,
		Pace: s.room.Pace(func() bool { return s.awaited.Load() > 0 }),
	}
	if s.books != nil {
		options.Transfers = s.books
	}
	s.relay = streams.NewRelay(options)
	s.report, err = reporting.Open(reporting.Options{
		Path: at.report(), Broker: s.broker.Addr(), ClusterID: s.broker.ClusterID(), Catalogue: catalogue, Logger: logger,
		Pace: s.room.Pace(func() bool { return false }),
	})
	if err != nil {
		return err
	}
	s.reporting.Store(true)
	s.consumers = []worker{s.run("relay", s.relay.Run), s.run("report", s.report.Run)}
	s.behind = s.run("write-behind", func(ctx context.Context) error {
		return writeBehind(ctx, logger, at.stream(), at.report(), at.report()+"-wal")
	})
	return nil
}

// served reports whether there are requests to make room for. Whoever reads all that the stream must come up to waits
// for it like them.
func (s *server) served() bool { return s.audits.Load() == 0 && s.load.Served() }

// openVault opens the data directory's key. A new one is made only where there is nothing yet that an
// old one could have sealed.
func openVault(at layout) (*identity.Vault, error) {
	v, err := identity.Open(at.key(), rand.Reader)
	if !errors.Is(err, identity.ErrNoKey) {
		return v, err
	}
	if _, statErr := os.Stat(at.journal()); statErr == nil {
		return nil, fmt.Errorf("%w, but %s holds records sealed with it: restore the key file", err, at.journal())
	}
	return identity.Create(at.key(), rand.Reader)
}

// withdrawDemo takes the demonstration products off sale; accounts that are open go on.
func withdrawDemo(c *bank.Catalogue) {
	for i := range c.Accounts {
		c.Accounts[i].Withdrawn = c.Accounts[i].Withdrawn || c.Accounts[i].Demo
	}
}

func (s *server) httpAddr() string     { return s.http.Addr().String() }
func (s *server) faults() <-chan error { return s.fault }

// streamName says where events can be read.
func (s *server) streamName() string {
	if s.broker == nil {
		return "off: events stay in the journal, there are no reports"
	}
	return s.broker.Addr() + "   (topics " + strings.Join(bank.Topics, ", ") + ")"
}

// close stops the parts in the order in which they need each other: no more requests, what is under way
// answered, everything decided published and reported, then the journal. It can close a server that was
// only half opened.
func (s *server) close(ctx context.Context) error {
	var errs []error
	if s.api != nil {
		errs = append(errs, s.api.Shutdown(ctx))
	} else if s.http != nil {
		errs = append(errs, s.http.Close())
	}
	errs = append(errs, s.closeChannels())
	if s.daily.cancel != nil {
		s.daily.stop()
	}
	if s.keeper.cancel != nil {
		s.keeper.stop()
	}
	if s.node != nil {
		s.saveCustomers(ctx)
		errs = append(errs, s.node.Close(ctx))
	}
	if len(s.consumers) > 0 {
		if !s.faulted.Load() {
			errs = append(errs, s.drainStream(ctx))
		}
		for _, w := range s.consumers {
			w.stop()
		}
	}
	if s.report != nil {
		errs = append(errs, s.report.Close())
	}
	if s.broker != nil {
		errs = append(errs, s.broker.Close())
	}
	if s.books != nil {
		errs = append(errs, s.closeBooks(ctx))
	}
	if s.journal != nil {
		errs = append(errs, s.journal.Close())
	}
	if s.ledger != nil {
		errs = append(errs, s.ledger.Close())
	}
	for _, w := range []worker{s.behind, s.memory, s.collector} {
		if w.cancel != nil {
			w.stop()
		}
	}
	return errors.Join(errs...)
}

// saveInMemoryMax is how long a node that stops may take to save its customers.
const saveInMemoryMax = 5 * time.Second

// saveCustomers saves those that have changed since the last checkpoint. If that fails the next start has to
// read more, and nothing else.
func (s *server) saveCustomers(ctx context.Context) {
	if s.customers.cancel == nil {
		return
	}
	s.customers.stop()
	if s.faulted.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, saveInMemoryMax)
	defer cancel()
	if err := s.node.Checkpoint(ctx); err != nil {
		s.logger.Warn("not all customers are saved; the next start will take longer", "cause", err)
	}
}

// drainStream waits until everything decided is published and counted.
func (s *server) drainStream(ctx context.Context) error {
	if err := s.relay.Drain(ctx); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	return s.counted(ctx)
}

// reportBehind reports whether the report has not read all of the stream yet.
func (s *server) reportBehind() bool {
	if !s.reporting.Load() {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), behindWait)
	defer cancel()
	return s.counted(ctx) != nil
}

// behindWait is how long the report may take to come up before it counts as behind: a large transaction's time, beside requests.
const behindWait = 2 * time.Second

// counted waits until the report has everything that is in the stream now.
func (s *server) counted(ctx context.Context) error {
	_, ends, err := streams.Offsets(ctx, s.broker.Addr(), bank.Topics)
	if err != nil {
		return err
	}
	return s.report.WaitFor(ctx, ends)
}
