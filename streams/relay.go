package streams

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/pace"
	"github.com/suanpan-bank/suanpan/journal"
)

// Relay (转发) publishes the journal. It works in rounds: take what has become durable, send each
// partition its part as idempotent batches, all of them in one request, and when all of it is acknowledged
// note how far we are. A round that is interrupted is done again: consumers see repeats, never holes.
//
// Where to begin is in relay_resume.go.
type Relay struct {
	options   RelayOptions
	client    *kafka.Client
	transport *kafka.Transport
	lanes     []lane // by topic and partition
	author    author // of a round's messages
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
	roundMax    = 2500 // messages in a round; most partitions' part of them is one batch
	roundGentle = 500  // while requests come: some milliseconds of work
	// gatherTime is how long after the beginning of a round the next one begins, unless there is enough for a whole one: a
	// round costs a request of the relay and one of each consumer, however little is in it.
	gatherTime    = 20 * time.Millisecond
	batchMax      = 500       // messages in a batch
	batchMaxBytes = 512 << 10 // bytes of values in a batch, unless one message is larger
	requestBytes  = 4 << 20   // of batches, from which on no other is added to a request
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
	sending   int // of the messages that wait, those encoded in a batch under way
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
		return r.author.messages(rec, Recorded{r.options.Journal, rec})
	}
	return r.author.messages(rec, r.options.Transfers)
}

// round publishes what is durable, as many messages as a round has, and returns the position it ends at and whether there
// may be more. A gentle one is small.
func (r *Relay) round(ctx context.Context, gentle bool) (at journal.Position, full bool, err error) {
	at = r.Position()
	count, most := 0, roundMax
	if gentle {
		most = roundGentle
	}
	r.author.begin()
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
	return at, count >= most, r.publish(ctx)
}

// publish sends every lane its messages, in order, one batch of each lane in a request.
func (r *Relay) publish(ctx context.Context) error {
	for r.encode() {
		err := r.retry(ctx, "publish", r.produce)
		if errors.Is(err, errSession) { // the broker does not know our session any more
			err = r.retry(ctx, "get another producer id", r.open)
		}
		if refused := (*refusedError)(nil); errors.As(err, &refused) {
			return fmt.Errorf("relay: %w", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// encode makes the batches of the next request; false: nothing waits.
func (r *Relay) encode() bool {
	size := 0
	for i := range r.lanes {
		l := &r.lanes[i]
		if l.sending = 0; len(l.waiting) == 0 || size >= requestBytes {
			continue
		}
		n, bytes := 1, len(l.waiting[0].Value)
		for n < len(l.waiting) && n < batchMax && bytes+len(l.waiting[n].Value) <= batchMaxBytes {
			bytes += len(l.waiting[n].Value)
			n++
		}
		l.encoded = appendBatch(append(l.encoded[:0], 0, 0, 0, 0), r.producer, l.sequence, l.waiting[:n])
		binary.BigEndian.PutUint32(l.encoded, uint32(len(l.encoded)-4))
		l.sending = n
		size += len(l.encoded)
	}
	return size > 0
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

// produce sends the batches that are under way. An error is about some of them; the others are acknowledged.
func (r *Relay) produce(ctx context.Context) error {
	request := &rawproduce.Request{Acks: int16(kafka.RequireAll), Timeout: int32(produceMax / time.Millisecond)}
	for i := range r.lanes {
		l := &r.lanes[i]
		if l.sending == 0 {
			continue
		}
		if n := len(request.Topics); n == 0 || request.Topics[n-1].Topic != l.topic {
			request.Topics = append(request.Topics, rawproduce.RequestTopic{Topic: l.topic})
		}
		topic := &request.Topics[len(request.Topics)-1]
		topic.Partitions = append(topic.Partitions, rawproduce.RequestPartition{
			Partition: int32(l.partition), RecordSet: protocol.RawRecordSet{Reader: bytes.NewReader(l.encoded)},
		})
	}
	ctx, cancel := context.WithTimeout(ctx, produceMax)
	defer cancel()
	answer, err := r.transport.RoundTrip(ctx, r.client.Addr, request)
	if err != nil {
		return err
	}
	response, ok := answer.(*produce.Response)
	if !ok {
		return fmt.Errorf("not an answer to what was sent: %T", answer)
	}
	for i := range response.Topics {
		topic := &response.Topics[i]
		first, ok := r.buffer[topic.Topic]
		for j := range topic.Partitions {
			p := &topic.Partitions[j]
			if !ok || p.Partition < 0 || p.Partition >= PartitionsPerTopic {
				return fmt.Errorf("an answer about %s/%d", topic.Topic, p.Partition)
			}
			err = worse(err, r.lanes[first+int(p.Partition)].acknowledge(p))
		}
	}
	for i := range r.lanes {
		if r.lanes[i].sending > 0 {
			err = cmp.Or(err, errUnanswered)
		}
	}
	return err
}

var errUnanswered = errors.New("no answer about some partitions")

// worse is the error that decides what to do: a batch that is refused, then a session that is gone.
func worse(a, b error) error {
	for _, err := range [...]error{a, b} {
		if refused := (*refusedError)(nil); errors.As(err, &refused) {
			return err
		}
	}
	if errors.Is(b, errSession) {
		return b
	}
	return cmp.Or(a, b)
}

// acknowledge takes the broker's answer to the lane's batch under way.
func (l *lane) acknowledge(p *produce.ResponsePartition) error {
	if l.sending == 0 {
		return nil
	}
	err := errorOfCode(p.ErrorCode)
	switch {
	case err == nil:
		l.end = max(l.end, p.BaseOffset+int64(l.sending))
	case errors.Is(err, kafka.DuplicateSequenceNumber): // the answer to an earlier attempt was lost
	case errors.Is(err, kafka.OutOfOrderSequenceNumber), errors.Is(err, kafka.InvalidProducerEpoch), errors.Is(err, kafka.UnknownProducerId):
		return errSession
	case errors.Is(err, kafka.MessageSizeTooLarge), errors.Is(err, kafka.RecordListTooLarge), errors.Is(err, kafka.InvalidRecord):
		return &refusedError{l.waiting[0].Position, err}
	default:
		return fmt.Errorf("%s/%d: %w", l.topic, l.partition, err)
	}
	l.sequence += int32(l.sending)
	rest := copy(l.waiting, l.waiting[l.sending:])
	clear(l.waiting[rest:])
	l.waiting, l.sending = l.waiting[:rest], 0
	return nil
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
