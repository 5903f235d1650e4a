package streams

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
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
	for i := range messages {
		from := len(b)
		b = append(b, 0, 0) // its length, nearly always
		b = appendRecord(b, &messages[i], messages[i].TimeNs/int64(time.Millisecond)-first, i)
		var length [binary.MaxVarintLen64]byte
		n := binary.PutVarint(length[:], int64(len(b)-from-2))
		b = slices.Replace(b, from, from+2, length[:n]...)
	}
	binary.BigEndian.PutUint32(b[start+8:], uint32(len(b)-start-12))
	sum(b[start:])
	return b
}

// sum gives a batch its checksum.
func sum(batch []byte) {
	binary.BigEndian.PutUint32(batch[17:], crc32.Checksum(batch[crcFrom:], castagnoli))
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
	b = binary.AppendVarint(b, 9) // headers
	b = append(b, headersFirst...)
	b = appendText(b, m.EventID)
	b = appendText(b, "ce_type")
	b = binary.AppendVarint(b, int64(len(typeBefore)+len(m.Type)+len(typeBehind)))
	b = append(append(append(b, typeBefore...), m.Type...), typeBehind...)
	b = append(b, headersThen...)
	b = appendTime(b, m.TimeNs)
	b = appendText(b, "ce_subject")
	b = appendText(b, m.Key)
	b = append(b, headersLast...)
	b = appendNumber(b, uint64(m.Position))
	b = appendText(b, HeaderSequence)
	return appendNumber(b, m.Seq)
}

// What is the same in the headers of all messages.
const (
	typeBefore = "bank."
	typeBehind = ".v1"
)

var (
	headersFirst = appendTexts("ce_specversion", "1.0", "ce_id")
	headersThen  = appendTexts("ce_source", source, "ce_time")
	headersLast  = appendTexts("content-type", "application/json", HeaderPosition)
)

func appendTexts(texts ...string) (b []byte) {
	for _, s := range texts {
		b = appendText(b, s)
	}
	return b
}

// appendTime appends a time with its length before it.
func appendTime(b []byte, ns int64) []byte {
	var text [len(time.RFC3339Nano)]byte
	return appendBytes(b, time.Unix(0, ns).UTC().AppendFormat(text[:0], time.RFC3339Nano))
}

func appendNumber(b []byte, n uint64) []byte {
	var text [20]byte
	return appendBytes(b, strconv.AppendUint(text[:0], n, 10))
}

func appendBytes(b, text []byte) []byte {
	return append(binary.AppendVarint(b, int64(len(text))), text...)
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendVarint(b, int64(len(s)))
	return append(b, s...)
}
