package streams

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
)

// Where the relay begins.
//
// The broker itself says how far it is: the last message of a partition names its record and event, and
// a partition that ends with an event holds all of its events before that one, since whoever published
// began at or before the end he found. So every partition is continued from its own last message, and
// the journal is read from the oldest of these on. That alone is correct. But a partition that sees an
// event a month would have a month of journal read again; hence the cursor, a file that says: at some
// moment all partitions held everything up to this position, and ended at these offsets.
//
// A broker that lost messages with the power ends before the cursor's offset; there the cursor is not
// believed and the partition's last message decides. The cursor is corrected before anything is
// published: otherwise repeats or strangers' messages could make the partition long enough to look whole.
//
// After the broker's directory was deleted it has another cluster id, and everything begins at position 1.
//
// Where the journal lets old records go, they can't be published again. What it may let go is secured first: messages
// and a second cursor are on disk, so that neither a power failure nor a torn cursor leads back to before them.

// cursor is the file.
type cursor struct {
	ClusterID string             `json:"cluster_id"`
	Position  uint64             `json:"position"`
	Ends      map[string][]int64 `json:"ends"` // by topic and partition
}

// mark is an event that a partition holds.
type mark struct {
	position journal.Position
	eventID  string
}

// holds tells whether the lane has messages[i] already. These are all messages of one record.
func (l *lane) holds(messages []Message, i int) bool {
	switch position := messages[i].Position; {
	case position <= l.done:
		return true
	case position == l.tail.position:
		return i <= slices.IndexFunc(messages, func(m Message) bool { return m.EventID == l.tail.eventID })
	}
	return false
}

// begin finds where the broker is and starts there.
func (r *Relay) begin(ctx context.Context) error {
	known, err := r.load(r.options.CursorPath)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	secured, err := r.load(r.securedPath())
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	if last, published := r.options.Journal.Last(), max(known.Position, secured.Position); published > uint64(last) {
		return fmt.Errorf("relay: position %d was published, but the journal ends at %d", published, last)
	}
	if err := r.retry(ctx, "find the ends of the partitions", r.findEnds); err != nil {
		return err
	}
	from := r.options.Journal.Last()
	for i := range r.lanes {
		l := &r.lanes[i]
		if secured.covers(l) {
			l.done = journal.Position(secured.Position)
		}
		if ends := known.Ends[l.topic]; known.covers(l) {
			l.done = max(l.done, journal.Position(known.Position))
		} else if l.partition < len(ends) {
			r.options.Logger.Warn("the broker has lost messages; they are published again",
				"topic", l.topic, "partition", l.partition, "had", ends[l.partition], "has", l.end)
		}
		if ours, err := r.wrote(ctx, l); err != nil {
			return fmt.Errorf("relay: %w", err)
		} else if ours {
			l.done = max(l.done, l.tail.position-1)
		}
		from = min(from, l.done)
	}
	if first := r.options.Journal.First(); from+1 < first {
		return fmt.Errorf("relay: events from position %d on are to be published, and the journal keeps none before %d: %w: "+
			"restore the directory of the stream and the relay's cursor (%s) from a backup", from+1, first, journal.ErrGone, r.options.CursorPath)
	}
	r.position.Store(uint64(from))
	if err := r.retry(ctx, "save the cursor", func(context.Context) error { return r.save() }); err != nil {
		return err
	}
	return r.retry(ctx, "get a producer id", r.open)
}

// findEnds finds how long each lane is and what its last message is.
func (r *Relay) findEnds(ctx context.Context) error {
	first, err := partitionOffsets(ctx, r.client, bank.Topics, kafka.FirstOffset)
	if err != nil {
		return err
	}
	ends, err := partitionOffsets(ctx, r.client, bank.Topics, kafka.LastOffset)
	if err != nil {
		return err
	}
	for i := range r.lanes {
		l := &r.lanes[i]
		l.end, l.tail = ends[l.topic][l.partition], mark{}
		if l.end == first[l.topic][l.partition] {
			continue
		}
		found, err := r.lastOf(ctx, l)
		if err != nil {
			return fmt.Errorf("%s/%d: %w", l.topic, l.partition, err)
		}
		l.tail = found
	}
	return nil
}

// lastOf reads the mark of a lane's last message; a zero one if it bears none.
func (r *Relay) lastOf(ctx context.Context, l *lane) (mark, error) {
	response, err := r.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: l.topic, Partition: l.partition, Offset: l.end - 1, MinBytes: 1, MaxBytes: 2 * batchMaxBytes,
	})
	if err == nil {
		err = response.Error
	}
	if err != nil {
		return mark{}, err
	}
	var found mark
	for {
		record, err := response.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return mark{}, err
		}
		if record.Offset == l.end-1 {
			found = markOf(record.Headers)
		}
		for _, b := range []protocol.Bytes{record.Key, record.Value} {
			if b != nil {
				_ = b.Close()
			}
		}
	}
}

func markOf(headers []protocol.Header) (m mark) {
	for _, h := range headers {
		switch h.Key {
		case HeaderPosition:
			position, err := strconv.ParseUint(string(h.Value), 10, 64)
			if err != nil {
				return mark{}
			}
			m.position = journal.Position(position)
		case "ce_id":
			m.eventID = string(h.Value)
		}
	}
	return m
}

// wrote tells whether the lane's last message is of the journal and belongs there; if not it is forgotten.
// The port is open to others, and a message of theirs at the end must not make us skip events.
func (r *Relay) wrote(ctx context.Context, l *lane) (ours bool, err error) {
	if l.tail.position >= r.options.Journal.First() && l.tail.position <= r.options.Journal.Durable() {
		var fault error
		err = r.options.Journal.Scan(ctx, l.tail.position, func(rec *journal.Record) bool {
			var messages []Message
			messages, fault = r.messages(rec)
			ours = slices.ContainsFunc(messages, func(m Message) bool {
				return m.EventID == l.tail.eventID && m.Topic == l.topic && PartitionOf(m.Key) == l.partition
			})
			return false
		})
		err = errors.Join(err, fault)
	}
	if !ours {
		l.tail = mark{}
	}
	return ours, err
}

// covers reports whether the lane is as long as it was when the cursor was written.
func (c *cursor) covers(l *lane) bool {
	ends := c.Ends[l.topic]
	return l.partition < len(ends) && l.end >= ends[l.partition]
}

// Secure returns a position up to which the journal's records may be let go: their events need not be published
// again whatever happens to the machine. syncBroker flushes to disk what the broker has acknowledged.
func (r *Relay) Secure(syncBroker func() error) (journal.Position, error) {
	c, err := r.load(r.options.CursorPath)
	if err == nil {
		err = syncBroker()
	}
	if err == nil && c.Position > 0 {
		err = c.write(r.securedPath(), true)
	}
	if err != nil {
		return 0, fmt.Errorf("secure what is published: %w", err)
	}
	return journal.Position(c.Position), nil
}

func (r *Relay) securedPath() string { return r.options.CursorPath + ".secured" }

// load reads a cursor. One that is torn or of another broker is as good as none.
func (r *Relay) load(path string) (cursor, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return cursor{}, err
	}
	var c cursor
	if json.Unmarshal(text, &c) != nil || c.ClusterID != r.options.ClusterID {
		return cursor{}, nil
	}
	return c, nil
}

// save writes the cursor. It is not flushed: an old or torn one costs time at the next start, nothing else.
func (r *Relay) save() error {
	r.saved = time.Now()
	c := cursor{ClusterID: r.options.ClusterID, Position: uint64(r.Position()), Ends: make(map[string][]int64)}
	for i := range r.lanes {
		c.Ends[r.lanes[i].topic] = append(c.Ends[r.lanes[i].topic], r.lanes[i].end)
	}
	return c.write(r.options.CursorPath, false)
}

// write replaces the file, durably if wanted.
func (c *cursor) write(path string, durable bool) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	temporary := path + ".tmp"
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return err
	}
	if durable {
		if err := syncFile(temporary); err != nil {
			return err
		}
	}
	if err := os.Rename(temporary, path); err != nil || !durable {
		return err
	}
	return syncFile(filepath.Dir(path))
}

// note reports a cursor that can't be saved, which costs time at the next start.
func (r *Relay) note(err error) {
	if err != nil {
		r.options.Logger.Warn("the relay's cursor can't be saved", "cause", err)
	}
}

// syncFile flushes a file or directory to disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
