package bank

import (
	"bytes"
	"testing"
)

// An event that the journal holds is read as it was written, or refused: never half, never with a panic.
func FuzzDecodeEvent(f *testing.F) {
	for kind, k := range eventKinds() {
		body, err := Encode(k.fresh())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(kind), body)
	}
	f.Add(uint16(EventInternalTransferred), []byte{0xa1, 0x05, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, kind uint16, body []byte) {
		e, err := DecodeEvent(EventType(kind), body)
		if err != nil {
			return
		}
		stored, err := Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeEvent(EventType(kind), stored)
		if err != nil {
			t.Fatalf("%x is written as %x, which is not read: %v", body, stored, err)
		}
		if twice, err := Encode(again); err != nil || !bytes.Equal(stored, twice) {
			t.Fatalf("%x changes when it is written again: %x %x %v", body, stored, twice, err)
		}
	})
}
