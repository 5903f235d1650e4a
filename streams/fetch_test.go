package streams

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

func batchOf(first int64, values ...string) []byte {
	var messages []Message
	for i, v := range values {
		messages = append(messages, Message{Key: "C0000000018", Seq: uint64(i), Type: "T", EventID: "e", Value: []byte(v)})
	}
	b := appendBatch(nil, producer{1, 0}, 0, messages)
	b[7] = byte(first) // as the broker does; the checksum does not cover it
	return b
}

// A consumer that loses a message, or counts one of the batch before, is wrong for ever.
func TestAReadingGoesOnWhereItStopped(t *testing.T) {
	batches := append(batchOf(3, "a", "b", "c"), batchOf(6, "d", string(bytes.Repeat([]byte("x"), 10_000)))...)
	for next := int64(3); next <= 8; next++ {
		var got []int64
		p := Reading{Next: next}
		err := p.read(batches, func(m *Fetched) {
			got = append(got, m.Offset)
			if want := [...]int{3: 1, 4: 1, 5: 1, 6: 1, 7: 10_000}[m.Offset]; len(m.Value) != want || m.Fault != nil {
				t.Errorf("offset %d: %d bytes, %v", m.Offset, len(m.Value), m.Fault)
			}
		})
		want := []int64{3, 4, 5, 6, 7}[next-3:]
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) || p.Next != 8 {
			t.Errorf("from %d: %v, then %d, %v", next, got, p.Next, err)
		}
	}
	p := Reading{Next: 3}
	if err := p.read(batches[:len(batches)-1], func(*Fetched) {}); err != nil || p.Next != 6 {
		t.Errorf("cut off: next %d, %v", p.Next, err)
	}
	for _, at := range []int{16, 17, 40, len(batches) - 5} {
		torn := bytes.Clone(batches)
		torn[at] ^= 1
		p := Reading{Next: 3}
		if err := p.read(torn, func(*Fetched) {}); !errors.Is(err, errBatch) {
			t.Errorf("byte %d changed: %v", at, err)
		}
	}
}

// Others may write to a topic as they like. What the report can't read must not hold up the rest.
func TestACompressedBatchIsToldAndPassedOver(t *testing.T) {
	odd := appendBatch(nil, producer{1, 0}, 0, []Message{{Value: []byte("z")}, {Value: []byte("z")}})
	odd[22] |= 2
	sum(odd)
	p := Reading{}
	var faults []error
	err := p.read(append(odd, batchOf(2, "a")...), func(m *Fetched) { faults = append(faults, m.Fault) })
	if err != nil || p.Next != 3 || len(faults) != 2 || !errors.Is(faults[0], ErrCompressed) || faults[1] != nil {
		t.Errorf("%v, next %d, %v", faults, p.Next, err)
	}
}

// What comes from the network may be anything.
func FuzzBatches(f *testing.F) {
	f.Add(batchOf(3, "a", "b"), int64(4))
	f.Add(append(batchOf(0, "a"), batchOf(1, "")...), int64(0))
	f.Fuzz(func(t *testing.T, batches []byte, next int64) {
		if next < 0 {
			return
		}
		if batches = bytes.Clone(batches); len(batches) > batchOverhead {
			sum(batches) // or hardly anything would be read
		}
		p := Reading{Next: next}
		last := next - 1
		_ = p.read(batches, func(m *Fetched) {
			if m.Offset <= last {
				t.Fatalf("offset %d after %d", m.Offset, last)
			}
			last = m.Offset
		})
		if p.Next <= last {
			t.Fatalf("next %d, had %d, began at %d", p.Next, last, next)
		}
	})
}
