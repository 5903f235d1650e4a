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
// Start here: Open, Run. apply.go is what an event does, progress.go which have come, query.go what can be asked.
package reporting

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
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
const (
	batchMax      = 2000                  // messages in one transaction
	batchGentle   = 500                   // while requests come
	lingerTime    = 50 * time.Millisecond // how long a transaction waits for more: each costs as much as 50 messages
	queueMax      = 2000                  // messages read ahead
	fetchMaxBytes = 4 << 20
	fetchWait     = 200 * time.Millisecond
	retryWait     = 500 * time.Millisecond
)

// Report is the database and its consumer.
type Report struct {
	options  Options
	write    *sql.DB // one connection
	read     *sql.DB
	progress *sql.Stmt                     // progressQuery of customersAtOnce; closed with write
	offsets  map[place]int64               // next to read
	known    map[bank.CustomerNo]*progress // of customers of late, about progressMax

	progressMax int // progressMaxDefault, but for tests
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
}

const tables = `
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS offsets (topic TEXT, partition INTEGER, next INTEGER NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS progress (customer INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS beyond (customer INTEGER, seq INTEGER, PRIMARY KEY (customer, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (ledger INTEGER, id BLOB, detail INTEGER NOT NULL,
  debits_pending INTEGER NOT NULL, debits_posted INTEGER NOT NULL, credits_pending INTEGER NOT NULL, credits_posted INTEGER NOT NULL,
  PRIMARY KEY (ledger, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS products (product TEXT, kind TEXT, opened INTEGER NOT NULL, closed INTEGER NOT NULL, balance_fen INTEGER NOT NULL,
  PRIMARY KEY (product, kind)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dlq (topic TEXT, partition INTEGER, at INTEGER, reason TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (topic, partition, at)) WITHOUT ROWID;
`

// Open opens the database, creating it if need be.
func Open(options Options) (*Report, error) {
	r := &Report{options: options, known: make(map[bank.CustomerNo]*progress), progressMax: progressMaxDefault}
	var err error
	if r.write, err = database(options.Path); err != nil {
		return nil, err
	}
	r.write.SetMaxOpenConns(1)
	if err := r.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("report %s: %w", options.Path, err), r.write.Close())
	}
	if r.read, err = database(options.Path); err != nil {
		return nil, errors.Join(err, r.write.Close())
	}
	return r, nil
}

// The database's cache and how much of its log gathers before it is written back: the accounts of 100,000
// customers fit.
const (
	cacheKiB        = 64 << 10
	checkpointPages = 16 << 10 // of 4 KiB
)

func database(path string) (*sql.DB, error) {
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
	if err := r.adopt(context.Background()); err != nil {
		return err
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
	if r.progress, err = r.write.Prepare(progressQuery(customersAtOnce)); err != nil {
		return err
	}
	r.offsets, err = offsetsIn(context.Background(), r.write)
	return err
}

// Run consumes until ctx ends. An error means that the database can't be written.
func (r *Report) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	queue := make(chan message, queueMax)
	var readers sync.WaitGroup
	for _, topic := range bank.Topics {
		for p := range streams.PartitionsPerTopic {
			at := place{topic, p}
			from := r.offsets[at]
			readers.Go(func() { r.consume(ctx, at, from, queue) })
		}
	}
	defer readers.Wait()
	defer cancel()
	batch := make([]message, 0, batchMax)
	linger := time.NewTimer(lingerTime)
	defer linger.Stop()
	for {
		batch = batch[:0]
		select {
		case m := <-queue:
			batch = append(batch, m)
		case <-ctx.Done():
			return nil
		}
		linger.Reset(lingerTime)
		most := batchMax
		if r.options.Pace.Gentle() {
			most = batchGentle
		}
		for more := true; more && len(batch) < most; {
			select {
			case m := <-queue:
				batch = append(batch, m)
			case <-linger.C:
				more = false
			}
		}
		work := r.options.Pace.Begin(ctx)
		err := r.apply(batch)
		work.End(ctx)
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
}

// consume reads one partition into the queue. When the broker no longer has the offset it goes on with
// the first one there is: what comes again is dropped by number, what never comes shows as a gap.
func (r *Report) consume(ctx context.Context, at place, from int64, queue chan<- message) {
	for ctx.Err() == nil {
		reader := kafka.NewReader(kafka.ReaderConfig{
			Brokers: []string{r.options.Broker}, Topic: at.topic, Partition: at.partition,
			MinBytes: 1, MaxBytes: fetchMaxBytes, MaxWait: fetchWait, OffsetOutOfRangeError: true,
		})
		err := reader.SetOffset(from)
		for err == nil {
			var m kafka.Message
			if m, err = reader.FetchMessage(ctx); err == nil {
				from = m.Offset + 1
				select {
				case queue <- message{at, m.Offset, m.Value}:
				case <-ctx.Done():
					err = ctx.Err()
				}
			}
		}
		_ = reader.Close() // it holds nothing that could be lost
		if errors.Is(err, kafka.OffsetOutOfRange) {
			from = kafka.FirstOffset
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryWait):
		}
	}
}

// WaitFor waits until everything before the given offsets (by topic and partition) has been counted.
func (r *Report) WaitFor(ctx context.Context, ends map[string][]int64) error {
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
