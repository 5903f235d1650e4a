// Package reporting is the consumer that keeps the balance of every ledger account and totals per product
// in an embedded database (SQLite). The database is a projection of the stream: it may be deleted.
//
// It reads every partition itself, from offsets that it keeps in the same transaction as what it made of
// the messages. A consumer group would keep them at the broker, where they could be ahead of the figures
// or behind them; and there is one report, so there is nothing to share out.
//
// A customer's events are spread over four topics and arrive in any order across them. The figures are
// sums, which do not care: each event counts once, when it comes. Which ones have come is a number per
// customer and the few beyond a hole (docs/decisions/0004).
//
// They are added up in memory and stored in transactions that are the larger the more there is to count
// (docs/decisions/0031).
//
// Start here: Open, Run. apply.go is what an event does, store.go how it gets into the tables, progress.go which have come,
// adopt.go takes up earlier programs' tables, query.go is what can be asked.
package reporting

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/pace"
	"github.com/suanpan-bank/suanpan/streams"
)

// Options of a report.
type Options struct {
	Path      string
	Broker    string // host:port; unused without Run
	ClusterID string // of the broker; offsets kept under another id are forgotten
	Catalogue *bank.Catalogue
	Logger    *slog.Logger
	Pace      *pace.Pace // nil: it never rests
}

// Limits of the consumer.
//
// What a transaction costs is mostly rows, and pages around them, so as much as possible is added up before it is stored.
// That is bounded by memory, and by how old the figures may be.
const (
	// lingerTime is how long a transaction waits for more when little happens.
	lingerTime = 50 * time.Millisecond
	// gatherTime is how long when more than littlePerSecond messages a second come, and nobody waits for them to be counted.
	gatherTime      = time.Second
	littlePerSecond = 1000
	// gatherMax is how long when more waits at the broker all the time: the report is behind by more than that.
	gatherMax = 10 * time.Second
	// accountsMax is how many accounts a transaction changes, about 100 bytes of memory each.
	accountsMax = 200_000
	// oddMax is how many rows about missing events and unreadable messages there may be in a transaction.
	oddMax = 50_000

	fetchLeast = 256 << 10 // bytes that are waited for in a transaction that has begun
	fetchWait  = 500 * time.Millisecond
	retryWait  = 500 * time.Millisecond
	storeTurn  = 500  // rows stored before others have their turn
	sortTurn   = 5000 // and accounts sorted
)

// Report is the database and its consumer.
type Report struct {
	options Options
	write   *sql.DB // one connection
	read    *sql.DB
	store   statements // closed with write

	offsets map[place]int64 // next to read
	events  int64           // counted
	blocks  map[int64]*block
	early   map[bank.CustomerNo]map[uint64]bool // events that came before another one of the customer
	changes changes

	waited atomic.Int32 // callers of WaitFor

	blocksMax int // blocksMaxDefault, but for tests
}

// place is a partition.
type place struct {
	topic     string
	partition int
}

// message is what was read at a place.
type message struct {
	place
	offset int64
	value  []byte
	fault  error // why it could not be read
}

const tables = `
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS offsets (topic TEXT, partition INTEGER, next INTEGER NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counted (block INTEGER PRIMARY KEY, seqs BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS early (customer INTEGER, seq INTEGER, PRIMARY KEY (customer, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger_accounts (ledger INTEGER, detail INTEGER, owner INTEGER, seq INTEGER,
  debits_pending INTEGER NOT NULL, debits_posted INTEGER NOT NULL, credits_pending INTEGER NOT NULL, credits_posted INTEGER NOT NULL,
  PRIMARY KEY (ledger, detail, owner, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS products (product TEXT, kind TEXT, opened INTEGER NOT NULL, closed INTEGER NOT NULL, balance_fen INTEGER NOT NULL,
  PRIMARY KEY (product, kind)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dlq (topic TEXT, partition INTEGER, at INTEGER, reason TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (topic, partition, at)) WITHOUT ROWID;
`

// Open opens the database, creating it if need be.
func Open(options Options) (*Report, error) {
	r := &Report{
		options: options, blocks: make(map[int64]*block), early: make(map[bank.CustomerNo]map[uint64]bool), changes: noChanges(),
		blocksMax: blocksMaxDefault,
	}
	var err error
	if r.write, err = database(options.Path, writeCacheKiB); err != nil {
		return nil, err
	}
	r.write.SetMaxOpenConns(1)
	if err := r.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("report %s: %w", options.Path, err), r.write.Close())
	}
	if r.read, err = database(options.Path, readCacheKiB); err != nil {
		return nil, errors.Join(err, r.write.Close())
	}
	return r, nil
}

// The database's caches, and how much of its log gathers before it is written back. The writer goes through the tables in
// their order, so a larger cache would only put off the writing of pages to the end, where it is one long piece of work.
const (
	writeCacheKiB   = 4 << 10
	readCacheKiB    = 64 << 10
	checkpointPages = 16 << 10 // of 4 KiB
)

func database(path string, cacheKiB int) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: url.Values{
		"_pragma": {"journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(5000)", fmt.Sprintf("cache_size(-%d)", cacheKiB), fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages)},
	}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("report %s: %w", path, err)
	}
	return db, nil
}

func (r *Report) prepare() error {
	if _, err := r.write.Exec(tables); err != nil {
		return err
	}
	if err := r.store.prepare(r.write); err != nil {
		return err
	}
	if err := r.adopt(context.Background()); err != nil {
		return fmt.Errorf("an earlier program's tables can't be taken up; the report is made anew from the stream if this file is deleted while the bank is stopped: %w", err)
	}
	var id string
	err := r.write.QueryRow(`SELECT value FROM about WHERE name = 'cluster_id'`).Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if r.options.ClusterID != "" && id != r.options.ClusterID {
		// Another broker: its offsets mean something else. What was counted stays counted, by number.
		_, err := r.write.Exec(`DELETE FROM offsets; INSERT INTO about VALUES ('cluster_id', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
			r.options.ClusterID)
		if err != nil {
			return err
		}
	}
	if err := r.write.QueryRow(`SELECT coalesce((SELECT value FROM about WHERE name = 'events'), 0)`).Scan(&r.events); err != nil {
		return err
	}
	r.offsets, err = offsetsIn(context.Background(), r.write)
	return err
}

// Run consumes until ctx ends, and is called once. An error means that the database can't be written.
func (r *Report) Run(ctx context.Context) error {
	var partitions []streams.Reading
	for _, topic := range bank.Topics {
		for p := range streams.PartitionsPerTopic {
			partitions = append(partitions, streams.Reading{Topic: topic, Partition: p, Next: r.offsets[place{topic, p}]})
		}
	}
	fetcher := streams.NewFetcher(r.options.Broker, partitions)
	defer func() { _ = fetcher.Close() }() // it holds nothing that could be lost
	for {
		if err := r.gather(ctx, fetcher); err != nil {
			return fmt.Errorf("report: %w", err)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := r.storeChanges(ctx); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
}

// gather counts what comes, in memory, until it is to be stored.
func (r *Report) gather(ctx context.Context, from *streams.Fetcher) error {
	var begun time.Time
	least, wait := 1, fetchWait
	for ctx.Err() == nil {
		err := from.Fetch(ctx, least, wait)
		if err == nil {
			work := r.options.Pace.Begin(ctx)
			var fault error
			err = from.Each(func(m *streams.Fetched) {
				if fault == nil {
					fault = r.take(&message{place{m.Topic, m.Partition}, m.Offset, m.Value, m.Fault})
				}
			})
			work.End(ctx)
			if fault != nil {
				return fault
			}
		}
		if err != nil && ctx.Err() == nil {
			r.options.Logger.Info("the report tries again", "cause", err)
			select {
			case <-time.After(retryWait):
			case <-ctx.Done():
			}
		}
		if r.changes.messages == 0 {
			continue
		}
		if begun.IsZero() {
			begun = time.Now()
		}
		least = fetchLeast
		if wait = r.until(begun, from.Behind()) - time.Since(begun); wait <= 0 || r.changes.full(r) {
			return nil
		}
		wait = min(wait, lingerTime)
	}
	return nil
}

// until is how long after its beginning a transaction is stored.
func (r *Report) until(begun time.Time, behind int64) time.Duration {
	switch {
	case behind > 0:
		return gatherMax
	case r.waited.Load() > 0 || r.changes.messages < int64(littlePerSecond*max(lingerTime, time.Since(begun)).Seconds()):
		return lingerTime
	}
	return gatherTime
}

// WaitFor waits until everything before the given offsets (by topic and partition) has been counted.
func (r *Report) WaitFor(ctx context.Context, ends map[string][]int64) error {
	r.waited.Add(1)
	defer r.waited.Add(-1)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		offsets, err := offsetsIn(ctx, r.read)
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		behind := int64(0)
		for topic, list := range ends {
			for p, end := range list {
				behind += max(0, end-offsets[place{topic, p}])
			}
		}
		if behind == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the report is %d messages behind: %w", behind, ctx.Err())
		}
	}
}

// Close closes the database. Run must have ended.
func (r *Report) Close() error { return errors.Join(r.read.Close(), r.write.Close()) }

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func offsetsIn(ctx context.Context, db queryer) (map[place]int64, error) {
	out := make(map[place]int64)
	err := each(ctx, db, `SELECT topic, partition, next FROM offsets`, func(rows *sql.Rows) error {
		var at place
		var next int64
		err := rows.Scan(&at.topic, &at.partition, &next)
		out[at] = next
		return err
	})
	return out, err
}

// each calls fn with every row of a query.
func each(ctx context.Context, db queryer, query string, fn func(*sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
