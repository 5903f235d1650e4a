package streams

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetcher (拉取) reads partitions of one broker side by side over one connection: one request for all of them, and messages
// that stay in the buffer into which they were read. A general client has a goroutine, a connection and a request for each
// partition, and some twenty allocations for each message with its headers, most of which nobody reads: on the cores that
// carry out the bank's transfers that cost more than to count the message.
//
// It is for one goroutine.
type Fetcher struct {
	Partitions []Reading

	address     string
	conn        net.Conn
	correlation int32
	first       int // which partition is asked for first; in turns, since an answer has room for so much
	buffer      []byte
	request     []byte
	response    kmsg.FetchResponse
	formatter   *kmsg.RequestFormatter
}

// Reading is how far a partition is read.
type Reading struct {
	Topic     string
	Partition int
	Next      int64 // offset to read next
	End       int64 // behind the last message, when it was read last
}

// Fetched is a message, or why it could not be read. It is valid during the call only.
type Fetched struct {
	Topic     string
	Partition int
	Offset    int64
	Value     []byte
	Fault     error // Value is the batch of messages then
}

// Limits of a Fetcher.
const (
	fetchVersion      = 11      // of the request; understood by Kafka from 2.3 to 4
	fetchBytes        = 1 << 20 // of messages in an answer, unless the first batch is larger
	fetchBytesEach    = 256 << 10
	answerMax         = 64 << 20 // bytes
	fetchLate         = 10 * time.Second
	compressionBits   = 0x7
	controlBit        = 0x20
	batchLengthOffset = 12 // the length counts from here
	messageFormat     = 2
)

var (
	// ErrCompressed marks a batch that the relay has not written.
	ErrCompressed = errors.New("compressed messages are not read")
	errBatch      = errors.New("torn batch of messages")
)

// NewFetcher makes a Fetcher. It connects when it is first used.
func NewFetcher(address string, partitions []Reading) *Fetcher {
	return &Fetcher{Partitions: partitions, address: address, formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID("suanpan-report"))}
}

// Close ends the connection.
func (f *Fetcher) Close() error {
	if f.conn == nil {
		return nil
	}
	conn := f.conn
	f.conn = nil
	return conn.Close()
}

// Fetch waits until there are so many bytes of messages to read, or for so long. After an error it may be called again.
func (f *Fetcher) Fetch(ctx context.Context, least int, wait time.Duration) error {
	f.response = kmsg.FetchResponse{Version: fetchVersion}
	if err := f.ask(ctx, least, wait); err != nil {
		return errors.Join(fmt.Errorf("fetch from %s: %w", f.address, err), f.Close())
	}
	return nil
}

func (f *Fetcher) ask(ctx context.Context, least int, wait time.Duration) (err error) {
	if f.conn == nil {
		dialer := net.Dialer{Timeout: fetchLate}
		if f.conn, err = dialer.DialContext(ctx, "tcp", f.address); err != nil {
			return err
		}
	}
	conn := f.conn
	if err := conn.SetDeadline(time.Now().Add(wait + fetchLate)); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	f.correlation++
	f.request = f.formatter.AppendRequest(f.request[:0], f.requestFor(least, wait), f.correlation)
	if _, err := conn.Write(f.request); err != nil {
		return err
	}
	var head [8]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	size := int(binary.BigEndian.Uint32(head[:])) - 4
	if size < 0 || size > answerMax || int32(binary.BigEndian.Uint32(head[4:])) != f.correlation {
		return errors.New("not an answer to what was asked")
	}
	if cap(f.buffer) < size {
		f.buffer = make([]byte, size+size/4)
	}
	f.buffer = f.buffer[:size]
	if _, err := io.ReadFull(conn, f.buffer); err != nil {
		return err
	}
	if err := f.response.ReadFrom(f.buffer); err != nil {
		return err
	}
	return errorOfCode(f.response.ErrorCode)
}

func (f *Fetcher) requestFor(least int, wait time.Duration) *kmsg.FetchRequest {
	request := kmsg.NewPtrFetchRequest()
	request.Version = fetchVersion
	request.MinBytes, request.MaxBytes, request.MaxWaitMillis = int32(least), fetchBytes, int32(wait/time.Millisecond)
	request.Topics = make([]kmsg.FetchRequestTopic, 0, len(f.Partitions))
	for i := range f.Partitions {
		p := &f.Partitions[(f.first+i)%len(f.Partitions)]
		if n := len(request.Topics); n == 0 || request.Topics[n-1].Topic != p.Topic {
			topic := kmsg.NewFetchRequestTopic()
			topic.Topic = p.Topic
			request.Topics = append(request.Topics, topic)
		}
		topic := &request.Topics[len(request.Topics)-1]
		asked := kmsg.NewFetchRequestTopicPartition()
		asked.Partition, asked.FetchOffset, asked.PartitionMaxBytes = int32(p.Partition), p.Next, fetchBytesEach
		topic.Partitions = append(topic.Partitions, asked)
	}
	f.first = (f.first + 1) % len(f.Partitions)
	return request
}

// Each calls fn with the messages of the last Fetch, each partition's in order, and moves its Next. A partition whose
// offset the broker no longer has, or not any more, goes on with the first there is. An error tells of partitions that
// could not be read; the others have been.
func (f *Fetcher) Each(fn func(*Fetched)) error {
	var faults []error
	for i := range f.response.Topics {
		topic := &f.response.Topics[i]
		for j := range topic.Partitions {
			if err := f.readPartition(topic.Topic, &topic.Partitions[j], fn); err != nil {
				faults = append(faults, fmt.Errorf("%s/%d: %w", topic.Topic, topic.Partitions[j].Partition, err))
			}
		}
	}
	f.response.Topics = nil
	return errors.Join(faults...)
}

func (f *Fetcher) readPartition(topic string, from *kmsg.FetchResponseTopicPartition, fn func(*Fetched)) error {
	for i := range f.Partitions {
		p := &f.Partitions[i]
		if p.Topic != topic || p.Partition != int(from.Partition) {
			continue
		}
		err := errorOfCode(from.ErrorCode)
		if errors.Is(err, kafka.OffsetOutOfRange) && from.LogStartOffset >= 0 && from.LogStartOffset != p.Next {
			p.Next = from.LogStartOffset
			return nil
		}
		if err != nil {
			return err
		}
		p.End = from.HighWatermark
		return p.read(from.RecordBatches, fn)
	}
	return errors.New("not asked for")
}

func errorOfCode(code int16) error {
	if code == 0 {
		return nil
	}
	return kafka.Error(code)
}

// Behind is how many messages more there were when the partitions were read last.
func (f *Fetcher) Behind() (messages int64) {
	for i := range f.Partitions {
		messages += max(0, f.Partitions[i].End-f.Partitions[i].Next)
	}
	return messages
}

// read calls fn with the messages of batches. The last may have been cut off: then it comes again.
func (p *Reading) read(batches []byte, fn func(*Fetched)) error {
	for len(batches) > batchOverhead {
		size := batchLengthOffset + int64(binary.BigEndian.Uint32(batches[8:]))
		if size > int64(len(batches)) {
			return nil
		}
		if size < batchOverhead || batches[16] != messageFormat {
			return fmt.Errorf("%w at offset %d", errBatch, p.Next)
		}
		if err := p.readBatch(batches[:size], fn); err != nil {
			return err
		}
		batches = batches[size:]
	}
	return nil
}

func (p *Reading) readBatch(b []byte, fn func(*Fetched)) error {
	first := int64(binary.BigEndian.Uint64(b))
	attributes := binary.BigEndian.Uint16(b[21:])
	behind := first + int64(int32(binary.BigEndian.Uint32(b[23:]))) + 1
	count := int32(binary.BigEndian.Uint32(b[57:]))
	switch {
	case first < 0 || behind <= first || crc32.Checksum(b[crcFrom:], castagnoli) != binary.BigEndian.Uint32(b[17:]):
		return fmt.Errorf("%w at offset %d", errBatch, p.Next)
	case behind <= p.Next:
		return nil // read before
	case attributes&controlBit != 0: // of somebody else's transaction
	case attributes&compressionBits != 0:
		fn(&Fetched{Topic: p.Topic, Partition: p.Partition, Offset: max(first, p.Next), Value: b, Fault: ErrCompressed})
	default:
		m := Fetched{Topic: p.Topic, Partition: p.Partition}
		rest := b[batchOverhead:]
		for range count {
			var record []byte
			var ok bool
			if record, rest, ok = varBytes(rest); !ok {
				return fmt.Errorf("%w at offset %d", errBatch, p.Next)
			}
			delta, value, ok := readRecord(record)
			if m.Offset = first + delta; !ok || m.Offset >= behind {
				return fmt.Errorf("%w at offset %d", errBatch, p.Next)
			}
			if m.Offset < p.Next {
				continue
			}
			m.Value = value
			fn(&m)
			p.Next = m.Offset + 1
		}
	}
	p.Next = behind
	return nil
}

// readRecord finds a record's offset within the batch and its value; its key and headers are passed over.
func readRecord(b []byte) (delta int64, value []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	b = b[1:] // attributes: none are defined
	_, n := binary.Varint(b)
	if n <= 0 {
		return 0, nil, false
	}
	b = b[n:]
	if delta, n = binary.Varint(b); n <= 0 || delta < 0 {
		return 0, nil, false
	}
	if _, b, ok = varBytes(b[n:]); !ok {
		return 0, nil, false
	}
	value, _, ok = varBytes(b)
	return delta, value, ok
}

// varBytes splits off bytes with their length before them; a length of -1 means none.
func varBytes(b []byte) (some, rest []byte, ok bool) {
	size, n := binary.Varint(b)
	if n <= 0 || size < -1 || size > int64(len(b)-n) {
		return nil, nil, false
	}
	end := n + int(max(size, 0))
	return b[n:end], b[end:], true
}
