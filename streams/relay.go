package streams

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
)

// Relay (转发) publishes the journal. It works in rounds: take what has become durable, send each
// partition its part as idempotent batches, and when all of it is acknowledged note how far we are. A
// round that is interrupted is done again: consumers see repeats, never holes.
//
// How far we are is kept in a file with the broker's cluster id and the end of every partition at that
// moment. After a power failure the broker may have less than the file says, and after its directory was
// deleted it is another broker: both show at the start, and the relay goes back to where the broker is.
type Relay struct {
	options   RelayOptions
	client    *kafka.Client
	transport *kafka.Transport
	lanes     []lane // by topic and partition
	producer  producer
	buffer    map[string]int // topic → its first lane
	position  atomic.Uint64
	cursor    cursor
}

// RelayOptions of a Relay; all are required.
type RelayOptions struct {
	Journal    journal.Journal
	Transfers  Transfers
	Broker     string // host:port
	CursorPath string
	ClusterID  string // of the broker as it is now
	Logger     *slog.Logger
}

// Limits of the relay.
const (
	roundMax      = 4000      // messages in a round
	batchMax      = 500       // messages in a batch
	batchMaxBytes = 512 << 10 // bytes of values in a batch, unless one message is larger
	retryMin      = 10 * time.Millisecond
	retryMax      = time.Second
	produceMax    = 10 * time.Second // for one answer of the broker
)

// lane is one partition and what waits for it.
type lane struct {
	topic     string
	partition int
	sequence  int32
	end       int64 // offset behind the last message known to be there
	waiting   []Message
	encoded   []byte
}

// cursor is the file.
type cursor struct {
	ClusterID string             `json:"cluster_id"`
	Position  uint64             `json:"position"`
	Ends      map[string][]int64 `json:"ends"` // by topic and partition
}

// NewRelay prepares a relay; Run does the work.
func NewRelay(options RelayOptions) *Relay {
	r := &Relay{options: options, buffer: make(map[string]int)}
	r.transport = &kafka.Transport{ClientID: "suanpan-relay"}
	r.client = &kafka.Client{Addr: kafka.TCP(options.Broker), Transport: r.transport, Timeout: produceMax}
	for _, topic := range bank.Topics {
		r.buffer[topic] = len(r.lanes)
		for p := range PartitionsPerTopic {
			r.lanes = append(r.lanes, lane{topic: topic, partition: p})
		}
	}
	return r
}

// Position is how far the journal is published.
func (r *Relay) Position() journal.Position { return journal.Position(r.position.Load()) }

// Drain waits until everything durable at the time of the call is published.
func (r *Relay) Drain(ctx context.Context) error {
	target := r.options.Journal.Durable()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for r.Position() < target {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("published to %d of %d: %w", r.Position(), target, ctx.Err())
		}
	}
	return nil
}

// Run publishes until ctx ends. An error means that the journal can't be published at all; a broker that
// is away is waited for.
func (r *Relay) Run(ctx context.Context) error {
	defer r.transport.CloseIdleConnections()
	if err := r.begin(ctx); err != nil {
		return stopped(ctx, err)
	}
	for {
		next, err := r.round(ctx)
		if err != nil {
			return stopped(ctx, err)
		}
		if next == r.Position() {
			if err := r.options.Journal.WaitDurable(ctx, next+1); err != nil {
				return stopped(ctx, err)
			}
			continue
		}
		r.save(next)
		r.position.Store(uint64(next))
	}
}

// stopped is nil when it was we who were told to stop, or the journal.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, journal.ErrClosed) || errors.Is(err, journal.ErrStopped) {
		return nil
	}
	return err
}

// begin finds where the broker is and starts there.
func (r *Relay) begin(ctx context.Context) error {
	text, err := os.ReadFile(r.options.CursorPath)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("relay: %w", err)
	}
	if json.Unmarshal(text, &r.cursor) != nil || r.cursor.ClusterID != r.options.ClusterID {
		r.cursor = cursor{} // another broker, or none yet: fill it from the first record on
	}
	if err := r.retry(ctx, "find the ends of the partitions", r.findEnds); err != nil {
		return err
	}
	for i := range r.lanes {
		l := &r.lanes[i]
		if known := r.cursor.Ends[l.topic]; l.partition < len(known) && l.end < known[l.partition] {
			r.options.Logger.Warn("the broker has lost messages; publishing the journal again",
				"topic", l.topic, "partition", l.partition, "had", known[l.partition], "has", l.end)
			r.cursor.Position = 0
		}
	}
	if last := r.options.Journal.Last(); r.cursor.Position > uint64(last) {
		return fmt.Errorf("relay: position %d was published, but the journal ends at %d", r.cursor.Position, last)
	}
	r.position.Store(r.cursor.Position)
	return r.retry(ctx, "get a producer id", r.open)
}

func (r *Relay) findEnds(ctx context.Context) error {
	ends, err := partitionOffsets(ctx, r.client, bank.Topics, kafka.LastOffset)
	if err != nil {
		return err
	}
	for i := range r.lanes {
		r.lanes[i].end = ends[r.lanes[i].topic][r.lanes[i].partition]
	}
	return nil
}

// open begins a producer session: the broker drops repeats within it.
func (r *Relay) open(ctx context.Context) error {
	response, err := r.client.InitProducerID(ctx, &kafka.InitProducerIDRequest{ProducerID: -1, ProducerEpoch: -1})
	if err = errors.Join(err, errorOf(response)); err != nil {
		return err
	}
	r.producer = producer{int64(response.Producer.ProducerID), int16(response.Producer.ProducerEpoch)}
	for i := range r.lanes {
		r.lanes[i].sequence = 0
	}
	return nil
}

func errorOf(r *kafka.InitProducerIDResponse) error {
	if r == nil {
		return nil
	}
	return r.Error
}

// round publishes what is durable, up to roundMax messages, and returns the position it ends at.
func (r *Relay) round(ctx context.Context) (journal.Position, error) {
	at := r.Position()
	count := 0
	var fault error
	err := r.options.Journal.Scan(ctx, at+1, func(rec *journal.Record) bool {
		messages, err := Messages(rec, r.options.Transfers)
		if err != nil {
			fault = err
			return false
		}
		for _, m := range messages {
			l := &r.lanes[r.buffer[m.Topic]+PartitionOf(m.Key)]
			l.waiting = append(l.waiting, m)
		}
		at = rec.Position
		count += len(messages)
		return count < roundMax
	})
	if err = errors.Join(fault, err); err != nil {
		return at, fmt.Errorf("relay: %w", err)
	}
	if count == 0 {
		return at, nil
	}
	return at, r.publish(ctx)
}

// publish sends every lane its messages, lanes side by side, one batch in flight in each.
func (r *Relay) publish(ctx context.Context) error {
	for {
		var group sync.WaitGroup
		var lost atomic.Bool // the broker does not know our session any more
		for i := range r.lanes {
			if l := &r.lanes[i]; len(l.waiting) > 0 {
				group.Go(func() {
					if err := r.send(ctx, l); errors.Is(err, errSession) {
						lost.Store(true)
					}
				})
			}
		}
		group.Wait()
		if err := ctx.Err(); err != nil {
			return err
		}
		if !lost.Load() {
			return nil
		}
		if err := r.retry(ctx, "get another producer id", r.open); err != nil {
			return err
		}
	}
}

var errSession = errors.New("producer session is gone")

// send publishes a lane's messages in order; it ends early only with the session or ctx.
func (r *Relay) send(ctx context.Context, l *lane) error {
	for len(l.waiting) > 0 {
		n, size := 1, len(l.waiting[0].Value)
		for n < len(l.waiting) && n < batchMax && size+len(l.waiting[n].Value) <= batchMaxBytes {
			size += len(l.waiting[n].Value)
			n++
		}
		l.encoded = appendBatch(append(l.encoded[:0], 0, 0, 0, 0), r.producer, l.sequence, l.waiting[:n])
		binary.BigEndian.PutUint32(l.encoded, uint32(len(l.encoded)-4))
		err := r.retry(ctx, "publish", func(ctx context.Context) error { return r.produce(ctx, l, n) })
		if err != nil {
			return err
		}
		l.sequence += int32(n)
		rest := copy(l.waiting, l.waiting[n:])
		clear(l.waiting[rest:])
		l.waiting = l.waiting[:rest]
	}
	return nil
}

func (r *Relay) produce(ctx context.Context, l *lane, count int) error {
	response, err := r.client.RawProduce(ctx, &kafka.RawProduceRequest{
		Topic: l.topic, Partition: l.partition, RequiredAcks: kafka.RequireAll,
		RawRecords: protocol.RawRecordSet{Reader: bytes.NewReader(l.encoded)},
	})
	if err == nil {
		err = response.Error
	}
	switch {
	case err == nil:
		l.end = max(l.end, response.BaseOffset+int64(count))
		return nil
	case errors.Is(err, kafka.DuplicateSequenceNumber):
		return nil // the answer to an earlier attempt was lost
	case errors.Is(err, kafka.OutOfOrderSequenceNumber), errors.Is(err, kafka.InvalidProducerEpoch),
		errors.Is(err, kafka.UnknownProducerId):
		return errSession
	}
	return err
}

// retry repeats what fails until it succeeds, the session is lost or ctx ends.
func (r *Relay) retry(ctx context.Context, what string, do func(context.Context) error) error {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		err := do(ctx)
		if err == nil || errors.Is(err, errSession) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.options.Logger.Info("the relay tries again", "what", what, "cause", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// save writes the cursor. It is not flushed: an old one costs repeats, a torn one a refill.
func (r *Relay) save(position journal.Position) {
	c := cursor{ClusterID: r.options.ClusterID, Position: uint64(position), Ends: make(map[string][]int64)}
	for i := range r.lanes {
		c.Ends[r.lanes[i].topic] = append(c.Ends[r.lanes[i].topic], r.lanes[i].end)
	}
	text, err := json.Marshal(&c)
	if err == nil {
		temporary := r.options.CursorPath + ".tmp"
		err = errors.Join(os.WriteFile(temporary, text, 0o600), os.Rename(temporary, r.options.CursorPath))
	}
	if err != nil {
		r.options.Logger.Warn("the relay's cursor can't be saved; a restart will repeat messages", "cause", err)
	}
}

// PartitionOf is the partition of a key in every topic, the same that Kafka's Java client chooses.
func PartitionOf(key string) int {
	return murmur.Balance(kafka.Message{Key: []byte(key)}, partitions...)
}

var (
	murmur     = kafka.Murmur2Balancer{}
	partitions = func() (all []int) {
		for p := range PartitionsPerTopic {
			all = append(all, p)
		}
		return all
	}()
)

// partitionOffsets asks for the first or last offset (kafka.FirstOffset, kafka.LastOffset) of every
// partition of the topics.
func partitionOffsets(ctx context.Context, client *kafka.Client, topics []string, which int64) (map[string][]int64, error) {
	request := &kafka.ListOffsetsRequest{Topics: make(map[string][]kafka.OffsetRequest)}
	out := make(map[string][]int64)
	for _, topic := range topics {
		out[topic] = make([]int64, PartitionsPerTopic)
		for p := range PartitionsPerTopic {
			request.Topics[topic] = append(request.Topics[topic], kafka.OffsetRequest{Partition: p, Timestamp: which})
		}
	}
	response, err := client.ListOffsets(ctx, request)
	if err != nil {
		return nil, err
	}
	for topic, found := range response.Topics {
		for _, p := range found {
			if p.Error != nil {
				return nil, fmt.Errorf("%s/%d: %w", topic, p.Partition, p.Error)
			}
			offset := p.LastOffset
			if which == kafka.FirstOffset {
				offset = p.FirstOffset
			}
			out[topic][p.Partition] = offset
		}
	}
	return out, nil
}
