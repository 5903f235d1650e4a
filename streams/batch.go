package streams

import (
	"encoding/binary"
	"hash/crc32"
	"strconv"
	"time"
)

// A record batch as it goes over the wire and into the broker's log (Kafka's message format, version 2).
// kafka-go's own encoder has no producer id, without which a retry after a lost answer would store the
// records twice.

// producer identifies this session of the relay to the broker.
type producer struct {
	id    int64
	epoch int16
}

const (
	batchOverhead = 61 // bytes before the first record
	crcFrom       = 21 // the checksum covers the batch from here
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendBatch encodes messages as one batch of the producer, whose first record has this sequence number
// in its partition.
func appendBatch(b []byte, p producer, sequence int32, messages []Message) []byte {
	start := len(b)
	first := messages[0].TimeNs / int64(time.Millisecond)
	last := first
	for i := range messages {
		last = max(last, messages[i].TimeNs/int64(time.Millisecond))
	}
	b = binary.BigEndian.AppendUint64(b, 0)          // base offset, given by the broker
	b = binary.BigEndian.AppendUint32(b, 0)          // length, below
	b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // leader epoch: unknown
	b = append(b, 2)                                 // version
	b = binary.BigEndian.AppendUint32(b, 0)          // checksum, below
	b = binary.BigEndian.AppendUint16(b, 0)          // attributes: not compressed, not transactional
	b = binary.BigEndian.AppendUint32(b, uint32(len(messages)-1))
	b = binary.BigEndian.AppendUint64(b, uint64(first))
	b = binary.BigEndian.AppendUint64(b, uint64(last))
	b = binary.BigEndian.AppendUint64(b, uint64(p.id))
	b = binary.BigEndian.AppendUint16(b, uint16(p.epoch))
	b = binary.BigEndian.AppendUint32(b, uint32(sequence))
	b = binary.BigEndian.AppendUint32(b, uint32(len(messages)))
	var record []byte
	for i := range messages {
		record = appendRecord(record[:0], &messages[i], messages[i].TimeNs/int64(time.Millisecond)-first, i)
		b = binary.AppendVarint(b, int64(len(record)))
		b = append(b, record...)
	}
	binary.BigEndian.PutUint32(b[start+8:], uint32(len(b)-start-12))
	binary.BigEndian.PutUint32(b[start+17:], crc32.Checksum(b[start+crcFrom:], castagnoli))
	return b
}

// source names us in every event's ce_source.
const source = "suanpan"

func appendRecord(b []byte, m *Message, timeDelta int64, offsetDelta int) []byte {
	b = append(b, 0) // attributes
	b = binary.AppendVarint(b, timeDelta)
	b = binary.AppendVarint(b, int64(offsetDelta))
	b = appendText(b, m.Key)
	b = binary.AppendVarint(b, int64(len(m.Value)))
	b = append(b, m.Value...)
	headers := [...][2]string{
		{"ce_specversion", "1.0"},
		{"ce_id", m.EventID},
		{"ce_type", "bank." + m.Type + ".v1"},
		{"ce_source", source},
		{"ce_time", time.Unix(0, m.TimeNs).UTC().Format(time.RFC3339Nano)},
		{"ce_subject", m.Key},
		{"content-type", "application/json"},
		{HeaderPosition, strconv.FormatUint(uint64(m.Position), 10)},
		{HeaderSequence, strconv.FormatUint(m.Seq, 10)},
	}
	b = binary.AppendVarint(b, int64(len(headers)))
	for _, h := range headers {
		b = appendText(b, h[0])
		b = appendText(b, h[1])
	}
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendVarint(b, int64(len(s)))
	return append(b, s...)
}
