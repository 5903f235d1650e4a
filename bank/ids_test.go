package bank

import (
	"strconv"
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

// An account number that is written or read otherwise than before would be somebody else's account, or nobody's.
func TestAccountNumbersAreWrittenAndReadAsTheirDefinitionSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		customer := rapid.OneOf(rapid.Uint64Range(0, 1<<48-1), rapid.Uint64Range(0, uint64(CustomerNoMax)+1), rapid.Uint64Range(0, 1000)).Draw(t, "customer")
		no := NewAccountNo(Class(rapid.Uint8Range(0, 12).Draw(t, "class")), CustomerNo(customer), rapid.Uint8Range(0, 12).Draw(t, "index"))
		text := no.String()
		if want := string(no.appendOdd(nil)); text != want {
			t.Fatalf("%d is written %s, not %s", uint64(no), text, want)
		}
		digits := []byte(text)
		for range rapid.IntRange(0, 2).Draw(t, "errors") {
			digits[rapid.IntRange(0, len(digits)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("0123456789/:")).Draw(t, "byte")
		}
		text = string(digits)
		var want AccountNo
		wantErr := ErrBadID
		if len(text) == 19 && text[:6] == issuer && text[6] >= '1' && text[6] <= '3' && text[7] == '0' && luhnValid(text) {
			if n, err := strconv.ParseUint(text[8:17], 10, 64); err == nil && n > 0 {
				want, wantErr = NewAccountNo(Class(text[6]-'0'), CustomerNo(n), text[17]-'0'), nil
			}
		}
		if got, err := ParseAccountNo(text); got != want || err != wantErr {
			t.Fatalf("%s is read as %d %v, not %d %v", text, got, err, want, wantErr)
		}
	})
}

// An id's text leads to its transfer whoever wrote it down.
func TestATransactionIDIsWrittenInBase32(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := TxnID{Hi: rapid.Uint64().Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
		text := id.String()
		var back TxnID
		for i := range text {
			back.Hi = back.Hi<<5 | back.Lo>>59
			back.Lo = back.Lo<<5 | uint64(crockfordValue(text[i]))
		}
		if len(text) != 26 || text[0] > '7' || back != id {
			t.Fatalf("%x is written %s", id, text)
		}
	})
}
