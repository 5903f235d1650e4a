package bank

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// copied is the state of a customer that later commands don't change.
func copied(r *rapid.T, c *Customer, d *Desk) (*Customer, *Desk) {
	b, err := AppendState(nil, c, d)
	if err != nil {
		r.Fatal(err)
	}
	c2, d2 := new(Customer), new(Desk)
	if err := DecodeState(b, c2, d2); err != nil {
		r.Fatal(err)
	}
	return c2, d2
}

// A customer at rest has his days closed with the same event, and comes to the same state, as one who closes them himself;
// and while he rests nothing else is to be decided for him. Otherwise his interest would depend on whether he was in
// memory, or a deposit would not be paid out on its day.
func TestACustomerAtRestClosesHisDaysAsAnyOther(t *testing.T) {
	var rests, disturbed int
	rapid.Check(t, func(r *rapid.T) {
		k := newTeller(t, 20260201)
		var accounts []AccountNo
		for no := range CustomerNo(3) {
			accounts = append(accounts, k.open(no+1, Class(rapid.IntRange(1, 2).Draw(r, "class")), true))
		}
		for range rapid.IntRange(1, 8).Draw(r, "spells") {
			for range rapid.IntRange(0, 4).Draw(r, "commands") {
				k.do(anyCommand(r, k, accounts)) // often refused
			}
			resting := map[CustomerNo][]byte{} // since the last command
			for no, c := range k.cust {
				if until, ok := RestsUntil(c, k.desk[no], k.env.Catalogue); ok {
					resting[no] = AppendResting(nil, until, c, k.desk[no])
				}
			}
			for range rapid.IntRange(1, 60).Draw(r, "days") {
				today := k.env.Date
				k.env.Date = today.AddDays(1)
				for _, no := range slices.Sorted(maps.Keys(k.cust)) {
					c, d := k.cust[no], k.desk[no]
					kept := resting[no]
					if until, _ := RestingUntil(kept); kept != nil && until <= k.env.Date {
						delete(resting, no)
						kept = nil
						disturbed++
					}
					before, deskBefore := copied(r, c, d)
					list := EndOfDay(c, d, today, k.env.Catalogue)
					var e Event
					for _, s := range list {
						dec, refusal := k.do(s.Command)
						if refusal != nil {
							r.Fatalf("%+v: %v", s.Command, refusal)
						}
						e = dec.Events[0]
					}
					due := BeginOfDay(c, d, k.env.Date, k.env.Catalogue)
					if kept == nil {
						for _, s := range due {
							k.do(s.Command)
						}
						continue
					}
					rests++
					if len(due) > 0 {
						r.Fatalf("at rest on %s, and due: %+v", k.env.Date, due[0].Command)
					}
					var at Resting
					if err := at.Read(no, kept); err != nil {
						r.Fatal(err)
					}
					if at.Closes(today) != (len(list) > 0) {
						r.Fatalf("%s: closes at rest %t, himself %t", today, at.Closes(today), len(list) > 0)
					}
					if len(list) > 0 {
						cmd := &CloseResting{Shard: no.Shard(), Date: today, At: []*Resting{&at}}
						dec, refusal := Decide(&Customer{No: HouseNo(no.Shard())}, cmd, &k.env)
						if refusal != nil || len(dec.Others) != 1 || dec.Others[0].Customer != no || !reflect.DeepEqual(dec.Others[0].Event, e) {
							r.Fatalf("at rest %+v (%v), himself %+v", dec.Others, refusal, e)
						}
						if !at.Closed() || at.Closed() {
							r.Fatal("what was decided is not folded in once")
						}
					}
					if err := at.Onto(before, deskBefore); err != nil {
						r.Fatal(err)
					}
					before.Seq = c.Seq // at rest he decides nothing himself
					got, err := AppendState(nil, before, deskBefore)
					want, err2 := AppendState(nil, c, d)
					if err != nil || err2 != nil || !bytes.Equal(got, want) {
						r.Fatalf("%v %v\nat rest %+v\n%+v\nhimself %+v\n%+v", err, err2, before, deskBefore, c, d)
					}
					resting[no] = AppendResting(nil, at.Until, &at.Customer, &at.Desk)
				}
			}
		}
	})
	if rests == 0 || disturbed == 0 {
		t.Errorf("%d days at rest, %d times something was due", rests, disturbed)
	}
}

// What disturbs a customer's rest is seen by whoever asks whether he rests: nobody else looks at him.
func TestWhoeverHasSomethingOpenIsNotAtRest(t *testing.T) {
	cat := DefaultCatalogue()
	fresh := func() (*Customer, *Desk) {
		k := newTeller(t, 20260115)
		k.open(1, 1, true)
		return k.cust[1], k.desk[1]
	}
	if c, d := fresh(); true {
		if until, ok := RestsUntil(c, d, cat); !ok || until <= 20260116 {
			t.Fatalf("nothing is open: %s, %t", until, ok)
		}
	}
	for name, disturb := range map[string]func(*Customer, *Desk){
		"a transfer under way":   func(c *Customer, _ *Desk) { c.InFlight = []InFlight{{}} },
		"a credit line":          func(c *Customer, _ *Desk) { c.Lines = []CreditLine{{}} },
		"a loan":                 func(c *Customer, _ *Desk) { c.Loans = []Loan{{}} },
		"a channel's difference": func(c *Customer, _ *Desk) { c.Unsettled = new(Unsettled) },
		"a hold or restriction":  func(c *Customer, _ *Desk) { c.Accounts[0].Special = new(Special) },
		"a waiting freeze":       func(_ *Customer, d *Desk) { d.Accounts[0].Stopped = new(Stopped) },
		"an advance":             func(_ *Customer, d *Desk) { d.Accounts[0].AdvanceFen = 1 },
		"money on its way":       func(_ *Customer, d *Desk) { d.Accounts[0].Apart.InFen = 1 },
		"interest to credit":     func(_ *Customer, d *Desk) { d.Accounts[0].Demand.setDue([]DemandPeriod{{}}) },
		"a dormant account":      func(c *Customer, _ *Desk) { c.Accounts[0].State = AccountStateDormant },
		"a pledged deposit": func(c *Customer, _ *Desk) {
			c.Deposits = []Deposit{{No: NewContractNo(DepositContract, 1, 1), Holds: []DepositHold{{}}}}
		},
		"a deposit past its term": func(c *Customer, _ *Desk) {
			c.Deposits = []Deposit{{No: NewContractNo(DepositContract, 1, 1), OverdueAccruedFen: 1}}
		},
		"nobody": func(c *Customer, _ *Desk) { c.Registered = 0 },
	} {
		c, d := fresh()
		disturb(c, d)
		if _, ok := RestsUntil(c, d, cat); ok {
			t.Errorf("%s: at rest", name)
		}
	}
}

// What is kept of a customer at rest is read as it was written, or refused: never half, never with a panic.
func FuzzResting(f *testing.F) {
	k := newTeller(&testing.T{}, 20260115)
	account := k.open(1, 1, true)
	k.do(&CreditInbound{Account: account, AmountFen: 5_000_000, Bound: true, PayerToken: card.Token})
	k.do(&BuyDeposit{Account: account, Product: ProductSLC6M, AmountFen: 1_000_000})
	f.Add(AppendResting(nil, 20260321, k.cust[1], k.desk[1]))
	k.desk[1].Accounts[0].Demand.setDue([]DemandPeriod{{20260101, 20260320, 5, 6}})
	f.Add(AppendResting(nil, 0, k.cust[1], k.desk[1]))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again Resting
		if r.Read(1, b) != nil {
			return
		}
		stored := AppendResting(nil, r.Until, &r.Customer, &r.Desk)
		if err := again.Read(1, stored); err != nil {
			t.Fatalf("%x is written as %x, which is not read: %v", b, stored, err)
		}
		if twice := AppendResting(nil, again.Until, &again.Customer, &again.Desk); !bytes.Equal(stored, twice) {
			t.Fatalf("%x changes when it is written again: %x", stored, twice)
		}
	})
}
