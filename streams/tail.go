package streams

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// TailOptions say what to read.
type TailOptions struct {
	Broker    string   // host:port
	Topics    []string // of package bank
	FromStart bool     // from the oldest message kept; otherwise only new ones
	Follow    bool     // go on for ever; otherwise up to what was there at the call
}

// Tailed is a message as it was read; it is valid during the call only.
type Tailed struct {
	Topic     string
	Partition int
	Offset    int64
	First     bool // the oldest the partition keeps
	Value     []byte
}

// Limits of a reader.
const (
	tailBytesMax = 8 << 20
	tailWait     = 100 * time.Millisecond
	offsetsWait  = 10 * time.Second
)

// Tail calls fn with the messages of every partition, one call at a time, each partition in its order. It
// returns the first error of fn, or of the broker.
func Tail(ctx context.Context, o TailOptions, fn func(*Tailed) error) error {
	first, last, err := Offsets(ctx, o.Broker, o.Topics)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	var mu sync.Mutex
	for _, topic := range o.Topics {
		for p := range PartitionsPerTopic {
			from, to := last[topic][p], last[topic][p]
			if o.FromStart {
				from = first[topic][p]
			}
			if from >= to && !o.Follow {
				continue
			}
			group.Go(func() {
				err := tailPartition(ctx, &o, topic, p, from, to, func(m *Tailed) error {
					m.First = m.Offset == first[topic][m.Partition]
					mu.Lock()
					defer mu.Unlock()
					if ctx.Err() != nil {
						return context.Cause(ctx)
					}
					return fn(m)
				})
				if err != nil {
					cancel(err)
				}
			})
		}
	}
	group.Wait()
	return context.Cause(ctx)
}

func tailPartition(ctx context.Context, o *TailOptions, topic string, partition int, from, to int64, fn func(*Tailed) error) (err error) {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{o.Broker}, Topic: topic, Partition: partition,
		MinBytes: 1, MaxBytes: tailBytesMax, MaxWait: tailWait, OffsetOutOfRangeError: true,
	})
	defer func() { err = errors.Join(err, reader.Close()) }()
	if err := reader.SetOffset(from); err != nil {
		return err
	}
	for next := from; o.Follow || next < to; {
		m, err := reader.FetchMessage(ctx)
		if err != nil {
			return fmt.Errorf("read %s/%d at offset %d: %w", topic, partition, next, err)
		}
		next = m.Offset + 1
		if !o.Follow && m.Offset >= to {
			break
		}
		if err := fn(&Tailed{Topic: topic, Partition: partition, Offset: m.Offset, Value: m.Value}); err != nil {
			return err
		}
	}
	return nil
}

// Offsets asks a broker for the first offset of every partition and the one behind the last.
func Offsets(ctx context.Context, broker string, topics []string) (first, last map[string][]int64, err error) {
	transport := &kafka.Transport{ClientID: "suanpan"}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(broker), Transport: transport, Timeout: offsetsWait}
	if first, err = partitionOffsets(ctx, client, topics, kafka.FirstOffset); err == nil {
		last, err = partitionOffsets(ctx, client, topics, kafka.LastOffset)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("no broker answers at %s: %w", broker, err)
	}
	return first, last, nil
}
