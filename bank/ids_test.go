package bank

import (
	"testing"

	"pgregory.net/rapid"
)

// Two legs with one id would be one transfer: money would move once where it should move twice.
func TestATransferIDSaysWhichLegItIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(0, 1<<48-1).Draw(t, "ms")
		customer := CustomerNo(rapid.Uint64Range(1, uint64(CustomerNoMax)).Draw(t, "customer"))
		seq := rapid.Uint64Range(1, 1<<40-1).Draw(t, "seq")
		leg, attempt := rapid.Uint8().Draw(t, "leg"), rapid.Uint8Range(0, TransferAttemptMax).Draw(t, "attempt")
		id := TransferID(NewTxnID(ms, customer, seq), leg, attempt)
		if int64(id.Hi>>16) != ms || CustomerNo(id.Hi<<14&(1<<30-1)|id.Lo>>50) != customer ||
			id.Lo>>10&(1<<40-1) != seq || uint8(id.Lo>>2) != leg || uint8(id.Lo&3) != attempt {
			t.Fatalf("%x of %d, %d, %d, %d, %d", id, ms, customer, seq, leg, attempt)
		}
	})
}
