package bank

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// fill gives every field below v a value of its own.
func fill(v reflect.Value, n *uint64) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString("text " + CustomerNo(*n).String())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-int64(*n))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(*n % 256)
	default:
		panic("a kind of field that was not there before: " + v.Kind().String())
	}
}

// A field that is not stored would be forgotten whenever its customer leaves memory.
func TestEveryFieldOfACustomerSurvivesHisState(t *testing.T) {
	var c, c2 Customer
	var d, d2 Desk
	n := uint64(0)
	fill(reflect.ValueOf(&c).Elem(), &n)
	fill(reflect.ValueOf(&d).Elem(), &n)
	b, err := AppendState(nil, &c, &d)
	if err != nil {
		t.Fatal(err)
	}
	if err := DecodeState(b, &c2, &d2); err != nil {
		t.Fatal(err)
	}
	for i := range d.Accounts {
		d.Accounts[i].ReservedFen, d.Accounts[i].AdmittedFen = 0, 0
	}
	if !reflect.DeepEqual(c, c2) || !reflect.DeepEqual(d, d2) {
		t.Errorf("encoded\n%+v\n%+v\ndecoded\n%+v\n%+v", c, d, c2, d2)
	}
}

// A customer who left memory and came back decides as one who stayed, whenever he left.
func TestACustomerWhoCameBackDecidesAsOneWhoStayed(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		stayed, left := newTeller(t, 20260115), newTeller(t, 20260115)
		var accounts []AccountNo
		for no := range CustomerNo(3) {
			accounts = append(accounts, stayed.open(no+1, 2, true))
			left.open(no+1, 2, true)
		}
		for range rapid.IntRange(1, 30).Draw(r, "commands") {
			if rapid.Bool().Draw(r, "leaves") {
				comeBack(r, left, CustomerNo(rapid.IntRange(1, 3).Draw(r, "who")))
			}
			today := stayed.env.Date.AddDays(rapid.IntRange(0, 40).Draw(r, "days"))
			stayed.env.Date, left.env.Date = today, today
			cmd := anyCommand(r, stayed, accounts)
			want, refusal := stayed.do(cmd)
			got, refusal2 := left.do(cmd)
			if !reflect.DeepEqual(want, got) || !reflect.DeepEqual(refusal, refusal2) {
				r.Fatalf("%+v\nstayed: %+v %v\ncame back: %+v %v", cmd, want, refusal, got, refusal2)
			}
		}
		for no := range stayed.cust {
			want, err := AppendState(nil, stayed.cust[no], stayed.desk[no])
			got, err2 := AppendState(nil, left.cust[no], left.desk[no])
			if err != nil || err2 != nil || !bytes.Equal(want, got) {
				r.Errorf("%v %v\nstayed: %+v\ncame back: %+v", err, err2, stayed.cust[no], left.cust[no])
			}
		}
	})
}

func comeBack(r *rapid.T, k *teller, no CustomerNo) {
	b, err := AppendState(nil, k.cust[no], k.desk[no])
	if err != nil {
		r.Fatal(err)
	}
	k.cust[no], k.desk[no] = new(Customer), new(Desk)
	if err := DecodeState(b, k.cust[no], k.desk[no]); err != nil {
		r.Fatal(err)
	}
}

// anyCommand draws a command of one of the customers, often one that can be carried out.
func anyCommand(r *rapid.T, k *teller, accounts []AccountNo) Command {
	account := rapid.SampledFrom(accounts).Draw(r, "account")
	c := k.cust[account.Customer()]
	fen := rapid.Int64Range(1, 1_200_000).Draw(r, "fen")
	choices := []Command{
		&TransferInternal{Payer: account, Payee: rapid.SampledFrom(accounts).Draw(r, "payee"), AmountFen: fen},
		&TransferOut{Account: account, AmountFen: fen, Bound: rapid.Bool().Draw(r, "bound")},
		&TransferIn{Account: account, AmountFen: fen},
		&CreditInbound{Account: account, AmountFen: fen, Bound: rapid.Bool().Draw(r, "bound")},
		&OpenAccount{Customer: c.No, Class: 2, Card: card},
		&BuyDeposit{Account: account, Product: ProductSLC6M, AmountFen: fen},
		&DelayPayment{Out: &TransferOut{Account: account, AmountFen: fen, PayeeToken: "x"}, Reason: "r"},
		&DelayPayment{Internal: &TransferInternal{Payer: account, Payee: accounts[0], AmountFen: fen}, Reason: "r"},
		&ApplyLoan{Customer: c.No, Product: ProductGHD, AmountFen: 10_000_000, TermMonths: 12},
	}
	for i := range c.Accounts {
		for _, x := range c.Accounts[i].special().Delayed {
			choices = append(choices, &ReleasePayment{Transfer: x.ID}, &EndDelay{Transfer: x.ID, Result: DelayRefused})
		}
	}
	for i := range c.InFlight {
		choices = append(choices, &ChannelResult{Transfer: c.InFlight[i].Txn, Success: rapid.Bool().Draw(r, "success")})
	}
	for i := range c.Deposits {
		choices = append(choices, &RedeemDeposit{Deposit: c.Deposits[i].No, AmountFen: fen, All: rapid.Bool().Draw(r, "all")})
	}
	for i := range c.Lines {
		choices = append(choices, &DrawLoan{Line: c.Lines[i].No, Account: account, AmountFen: fen, Method: EqualInstalment, Periods: 6})
	}
	for i := range c.Loans {
		choices = append(choices, &RepayLoan{Loan: c.Loans[i].No, AmountFen: fen, Settle: rapid.Bool().Draw(r, "settle")})
	}
	return rapid.SampledFrom(choices).Draw(r, "command")
}

func TestAStateOfAnotherVersionIsRefused(t *testing.T) {
	b, err := AppendState(nil, &Customer{No: 1}, &Desk{})
	if err != nil {
		t.Fatal(err)
	}
	later := bytes.Clone(b)
	later[len(later)-1]++
	for _, bad := range [][]byte{nil, later, b[1:], append(bytes.Clone(b), stateVersion)} {
		if err := DecodeState(bad, new(Customer), new(Desk)); !errors.Is(err, ErrState) {
			t.Errorf("%x: %v", bad, err)
		}
	}
}

func FuzzDecodeState(f *testing.F) {
	var c Customer
	var d Desk
	n := uint64(0)
	fill(reflect.ValueOf(&c).Elem(), &n)
	fill(reflect.ValueOf(&d).Elem(), &n)
	for _, customer := range []*Customer{{}, {No: 1, Seq: 3, Registered: 20260101}, &c} {
		b, err := AppendState(nil, customer, &d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c, c2 Customer
		var d, d2 Desk
		if err := DecodeState(b, &c, &d); err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		again, err := AppendState(nil, &c, &d)
		if err != nil {
			t.Fatal(err)
		}
		if err := DecodeState(again, &c2, &d2); err != nil {
			t.Fatalf("what was read can't be written and read again: %v", err)
		}
		third, err := AppendState(nil, &c2, &d2)
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("%x became %x (%v)", again, third, err)
		}
	})
}

func BenchmarkState(b *testing.B) {
	k := newTeller(new(testing.T), 20260115)
	k.open(1, 2, true)
	c, d := k.cust[1], k.desk[1]
	c.Person = PersonSealed{
		NameSealed: make([]byte, 40), IDSealed: make([]byte, 48), MobileSealed: make([]byte, 42), IDToken: "0123456789abcdef0123456789abcdef",
		MobileToken: "0123456789abcdef0123456789abcdef", NameToken: "0123456789abcdef0123456789abcdef",
		NameMasked: "张*", IDMasked: "220113********0001", MobileMasked: "138****0000",
	}
	state, err := AppendState(nil, c, d)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportMetric(float64(len(state)), "B/state")
		b.ReportAllocs()
		for b.Loop() {
			if _, err := AppendState(nil, c, d); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := DecodeState(state, c, d); err != nil {
				b.Fatal(err)
			}
		}
	})
}
