package streams

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/pace"
	"github.com/suanpan-bank/suanpan/journal"
)

// Relay (转发) publishes the journal. It works in rounds: take what has become durable, send each
// partition its part as idempotent batches, and when all of it is acknowledged note how far we are. A
// round that is interrupted is done again: consumers see repeats, never holes.
//
// Where to begin is in relay_resume.go.
type Relay struct {
	options   RelayOptions
	client    *kafka.Client
	transport *kafka.Transport
	lanes     []lane // by topic and partition
	producer  producer
	buffer    map[string]int // topic → its first lane
	position  atomic.Uint64
	saved     time.Time
	ended     chan struct{}
}

// RelayOptions of a Relay; all are required unless said otherwise.
type RelayOptions struct {
	Journal    journal.Journal
	Transfers  Transfers // nil: the ledger is elsewhere, and the journal is read instead (Recorded)
	Broker     string    // host:port
	CursorPath string
	ClusterID  string // of the broker as it is now
	Logger     *slog.Logger
	Pace       *pace.Pace // nil: it never rests
}

// Limits of the relay.
const (
	roundMax    = 4000 // messages in a round
	roundGentle = 250  // while requests come
	lanesGentle = 2    // that send at once then
	// gatherTime is how long after the beginning of a round the next one begins, unless there is enough for a whole one: a
	// round costs a request for each partition, of the relay, of the broker and of each consumer, however little is in it.
	gatherTime    = 20 * time.Millisecond
	batchMax      = 500       // messages in a batch
	batchMaxBytes = 512 << 10 // bytes of values in a batch, unless one message is larger
	retryMin      = 10 * time.Millisecond
	retryMax      = time.Second
	produceMax    = 10 * time.Second // for one answer of the broker
	savePeriod    = 200 * time.Millisecond
	metadataTTL   = time.Second // kafka-go looks no earlier for a broker that was away at the first call
)

// lane is one partition and what waits for it.
type lane struct {
	topic     string
	partition int
	sequence  int32
	end       int64            // offset behind the last message known to be there
	done      journal.Position // its events up to here are there
	tail      mark             // and those of the next record up to this one
	waiting   []Message
	encoded   []byte
}

// NewRelay prepares a relay; Run does the work.
func NewRelay(options RelayOptions) *Relay {
	r := &Relay{options: options, buffer: make(map[string]int), ended: make(chan struct{})}
	r.transport = &kafka.Transport{ClientID: "suanpan-relay", MetadataTTL: metadataTTL}
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

// Drain waits until everything durable at the time of the call is published. It fails when Run ends first.
func (r *Relay) Drain(ctx context.Context) error {
	target := r.options.Journal.Durable()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for r.Position() < target {
		select {
		case <-tick.C:
		case <-r.ended:
			return fmt.Errorf("the relay stopped at %d of %d", r.Position(), target)
		case <-ctx.Done():
			return fmt.Errorf("published to %d of %d: %w", r.Position(), target, ctx.Err())
		}
	}
	return nil
}

// Run publishes until ctx ends, and is called once. An error means that the journal can't be published at
// all; a broker that is away is waited for.
func (r *Relay) Run(ctx context.Context) error {
	defer close(r.ended)
	defer r.transport.CloseIdleConnections()
	if err := r.begin(ctx); err != nil {
		return stopped(ctx, err)
	}
	defer func() { r.note(r.save()) }()
	for {
		begun := time.Now()
		work := r.options.Pace.Begin(ctx)
		next, full, err := r.round(ctx, work.Gentle())
		work.End(ctx)
		if err != nil {
			return stopped(ctx, err)
		}
		if next == r.Position() {
			if err := r.options.Journal.WaitDurable(ctx, next+1); err != nil {
				return stopped(ctx, err)
			}
			continue
		}
		r.position.Store(uint64(next))
		if time.Since(r.saved) >= savePeriod {
			r.note(r.save())
		}
		if !full {
			gather(ctx, time.Until(begun.Add(gatherTime)))
		}
	}
}

// gather waits for more to publish.
func gather(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// stopped is nil when it was we who were told to stop, or the journal.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, journal.ErrClosed) || errors.Is(err, journal.ErrStopped) {
		return nil
	}
	return err
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

func (r *Relay) messages(rec *journal.Record) ([]Message, error) {
	if r.options.Transfers == nil {
		return Messages(rec, Recorded{r.options.Journal, rec})
	}
	return Messages(rec, r.options.Transfers)
}

// round publishes what is durable, as many messages as a round has, and returns the position it ends at and whether there
// may be more. A gentle one is small and sends few partitions their part at a time.
func (r *Relay) round(ctx context.Context, gentle bool) (at journal.Position, full bool, err error) {
	at = r.Position()
	count, most, lanes := 0, roundMax, len(r.lanes)
	if gentle {
		most, lanes = roundGentle, lanesGentle
	}
	var fault error
	err = r.options.Journal.Scan(ctx, at+1, func(rec *journal.Record) bool {
		messages, err := r.messages(rec)
		if err != nil {
			fault = err
			return false
		}
		for i, m := range messages {
			first, ok := r.buffer[m.Topic]
			if !ok {
				fault = fmt.Errorf("position %d: no topic %q", rec.Position, m.Topic)
				return false
			}
			if l := &r.lanes[first+PartitionOf(m.Key)]; !l.holds(messages, i) {
				l.waiting = append(l.waiting, m)
			}
		}
		at = rec.Position
		count += len(messages)
		return count < most
	})
	if err = errors.Join(fault, err); err != nil {
		return at, false, fmt.Errorf("relay: %w", err)
	}
	if count == 0 {
		return at, false, nil
	}
	return at, count >= most, r.publish(ctx, lanes)
}

// publish sends every lane its messages, so many lanes side by side, one batch in flight in each.
func (r *Relay) publish(ctx context.Context, atOnce int) error {
	room := make(chan struct{}, atOnce)
	for {
		var group sync.WaitGroup
		var lost atomic.Bool // the broker does not know our session any more
		var fault atomic.Pointer[refusedError]
		for i := range r.lanes {
			if l := &r.lanes[i]; len(l.waiting) > 0 {
				room <- struct{}{}
				group.Go(func() {
					defer func() { <-room }()
					err := r.send(ctx, l)
					if refused := (*refusedError)(nil); errors.As(err, &refused) {
						fault.Store(refused)
					}
					if errors.Is(err, errSession) {
						lost.Store(true)
					}
				})
			}
		}
		group.Wait()
		if err := ctx.Err(); err != nil {
			return err
		}
		if refused := fault.Load(); refused != nil {
			return fmt.Errorf("relay: %w", refused)
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

// refusedError is a batch that the broker will never take.
type refusedError struct {
	position journal.Position // of its first message
	cause    error
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("the broker refuses the events of position %d: %v", e.position, e.cause)
}

func (e *refusedError) Unwrap() error { return e.cause }

// send publishes a lane's messages in order; it ends early only with the session, a refusal or ctx.
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
	case errors.Is(err, kafka.MessageSizeTooLarge), errors.Is(err, kafka.RecordListTooLarge), errors.Is(err, kafka.InvalidRecord):
		return &refusedError{l.waiting[0].Position, err}
	}
	return err
}

// retry repeats what fails until it succeeds, can't succeed any more or ctx ends.
func (r *Relay) retry(ctx context.Context, what string, do func(context.Context) error) error {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		err := do(ctx)
		if refused := (*refusedError)(nil); err == nil || errors.Is(err, errSession) || errors.As(err, &refused) {
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
