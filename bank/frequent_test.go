package bank

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// amounts draws amounts of every length that the stored form has.
func amounts(t *rapid.T, name string) int64 {
	return rapid.SampledFrom([]int64{0, 1, 23, 24, 255, 256, 65_535, 65_536, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64, -1, -25, math.MinInt64}).Draw(t, name)
}

func drawn(t *rapid.T) (*TransferInternal, *InternalTransferred, *StoredReceipt) {
	text := rapid.StringN(0, 30, 90)
	no := func(name string) AccountNo { return AccountNo(rapid.Uint64().Draw(t, name)) }
	command := &TransferInternal{
		Payer: no("payer"), Payee: no("payee"), AmountFen: amounts(t, "amount"), Channel: Channel(rapid.Uint16().Draw(t, "channel")),
		Summary: text.Draw(t, "summary"), Date: rapid.SampledFrom([]Date{0, 20261124}).Draw(t, "date"),
	}
	event := &InternalTransferred{
		TxnID: TxnID{Lo: rapid.Uint64().Draw(t, "lo"), Hi: rapid.Uint64().Draw(t, "hi")}, Role: Role(rapid.Uint8().Draw(t, "role")),
		Payer: command.Payer, Payee: command.Payee, AmountFen: command.AmountFen, FeeFen: amounts(t, "fee"), Channel: command.Channel,
		DayTotalFen: amounts(t, "day"), YearTotalFen: amounts(t, "year"), Summary: command.Summary,
	}
	receipt := &StoredReceipt{Operation: text.Draw(t, "operation")}
	if rapid.Bool().Draw(t, "refused") {
		receipt.Refusal = &Refusal{Code: RefusalCode(text.Draw(t, "code")), Field: text.Draw(t, "field"), LimitFen: amounts(t, "limit")}
	}
	for range rapid.SampledFrom([]int{0, 1, 2, 30}).Draw(t, "balances") {
		receipt.Balances = append(receipt.Balances, Balance{
			no("account"), amounts(t, "posted"), amounts(t, "in"), amounts(t, "out"), amounts(t, "available"),
		})
	}
	return command, event, receipt
}

// A journal is read for as long as it is kept, by programs that may know only the general form.
func TestFrequentValuesAreStoredAsTheGeneralEncoderWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		command, event, receipt := drawn(t)
		for _, v := range []any{command, event, receipt} {
			got, err := Encode(v)
			want, err2 := encoding().Marshal(v)
			if err != nil || err2 != nil || !bytes.Equal(got, want) {
				t.Fatalf("%T\ngot  %x %v\nwant %x %v", v, got, err, want, err2)
			}
		}
		body, _ := Encode(event)
		again, err := DecodeEvent(EventInternalTransferred, body)
		if err != nil || !reflect.DeepEqual(again, event) {
			t.Fatalf("%+v comes back as %+v, %v", event, again, err)
		}
	})
}

// What is read without reflection is what the general decoder reads.
func FuzzReadStored(f *testing.F) {
	rapidly := &InternalTransferred{TxnID: TxnID{1, 2}, Role: RolePayer, Payer: 3, Payee: 4, AmountFen: 500, Channel: 1, DayTotalFen: 70_000, Summary: "房租"}
	f.Add(rapidly.appendStored(nil))
	f.Add((&InternalTransferred{}).appendStored(nil))
	f.Add([]byte("\xa1\x0a\x62\xff\xff"))
	f.Add([]byte("\xa2\x02\x01\x02\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got, want InternalTransferred
		if !got.readStored(b) {
			return
		}
		if err := Decode(b, &want); err != nil || got != want {
			t.Fatalf("%x\ngot  %+v\nwant %+v, %v", b, got, want, err)
		}
	})
}

func BenchmarkEncodeInternalTransferred(b *testing.B) {
	e := &InternalTransferred{TxnID: NewTxnID(1_700_000_000_000, 1, 1), Role: RolePayer, Payer: NewAccountNo(1, 1, 0), Payee: NewAccountNo(1, 2, 0), AmountFen: 1234, Channel: 1}
	b.Run("general", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = encoding().Marshal(e)
		}
	})
	b.Run("frequent", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = Encode(e)
		}
	})
}
