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

// draw gives every field below v a value, often none.
func draw(t *rapid.T, v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			draw(t, v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Pointer:
		if rapid.IntRange(0, 30).Draw(t, name) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			draw(t, v.Elem(), name)
		}
	case reflect.Slice:
		most := 2
		if v.Type().Elem().Kind() == reflect.Struct && v.Type() != reflect.TypeFor[[]EAccount]() && v.Type() != reflect.TypeFor[[]Standing]() {
			most = max(0, rapid.IntRange(-20, 1).Draw(t, name)) // few have contracts
		} else if v.Type().Elem().Kind() == reflect.Uint8 {
			most = 30
		}
		if n := rapid.IntRange(0, most).Draw(t, name); n > 0 || rapid.Bool().Draw(t, name) {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		for i := range v.Len() {
			draw(t, v.Index(i), name)
		}
	case reflect.Map:
	case reflect.String:
		v.SetString(rapid.SampledFrom([]string{"", "", "NORMAL", "张*", "a text that is longer than twenty-three bytes"}).Draw(t, name))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case reflect.Int, reflect.Int64:
		v.SetInt(amounts(t, name))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(amounts(t, name)) & (1<<v.Type().Bits() - 1))
	default:
		t.Fatal("a kind of field that was not there before: ", v.Kind())
	}
}

// States are read by programs that know only the general form, and a customer whose state is read back otherwise than it
// was saved has other money, or none.
func TestStatesAreStoredAsTheGeneralEncoderWould(t *testing.T) {
	plain, unusual := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var s storedState
		s.Customer, s.Desk = new(Customer), new(Desk)
		draw(t, reflect.ValueOf(s.Customer).Elem(), "customer")
		draw(t, reflect.ValueOf(s.Desk).Elem(), "desk")
		if s.plain() {
			plain++
		} else {
			unusual++
		}
		got, err := AppendState(nil, s.Customer, s.Desk)
		want, err2 := encoding().Marshal(s)
		if err != nil || err2 != nil || !bytes.Equal(got, append(want, stateVersion)) {
			t.Fatalf("%+v %+v\ngot  %x %v\nwant %x %v", s.Customer, s.Desk, got, err, want, err2)
		}
	})
	enough := 10
	if testing.Short() { // draws 20
		enough = 1
	}
	if plain < enough || unusual < enough {
		t.Errorf("%d plain states and %d others are not enough", plain, unusual)
	}
}

// A field of which the form without reflection knows nothing would be forgotten with the next checkpoint.
func TestEveryFieldOfAPlainStateIsStored(t *testing.T) {
	s := storedState{&Customer{Accounts: make([]EAccount, 1)}, &Desk{Accounts: make([]Standing, 1)}}
	for _, v := range []reflect.Value{
		reflect.ValueOf(s.Customer).Elem(), reflect.ValueOf(&s.Customer.Accounts[0]).Elem(), reflect.ValueOf(&s.Desk.Accounts[0]).Elem(),
	} {
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() != reflect.Pointer && f.Kind() != reflect.Slice {
				n := uint64(i)
				fill(f, &n)
			}
		}
	}
	s.Desk.Accounts[0].Demand.Ended = nil
	got, err := AppendState(nil, s.Customer, s.Desk)
	want, err2 := encoding().Marshal(s)
	if !s.plain() || err != nil || err2 != nil || !bytes.Equal(got, append(want, stateVersion)) {
		t.Fatalf("got  %x %v\nwant %x %v", got, err, want, err2)
	}
}
