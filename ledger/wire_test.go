package ledger

import (
	"bytes"
	"testing"
)

// What a log or a client has written is what is read, every bit of it.
func FuzzWire(f *testing.F) {
	f.Add(make([]byte, WireBytes))
	f.Add(bytes.Repeat([]byte{0xa5}, WireBytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < WireBytes {
			return
		}
		account, transfer := AccountOfWire(b), TransferOfWire(b)
		if got := account.AppendWire(nil); !bytes.Equal(got, b[:WireBytes]) {
			t.Fatalf("account %x became %x", b[:WireBytes], got)
		}
		if got := transfer.AppendWire(nil); !bytes.Equal(got, b[:WireBytes]) {
			t.Fatalf("transfer %x became %x", b[:WireBytes], got)
		}
	})
}
