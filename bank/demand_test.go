package bank

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// naiveDemand reckons an account day by day, from its entries.
type naiveDemand struct {
	base    InterestBase
	entries []struct {
		on  Date
		fen int64
	}
}

func (n *naiveDemand) balance(endOf Date) (fen int64) {
	for _, e := range n.entries {
		if e.on <= endOf {
			fen += e.fen
		}
	}
	return fen
}

// fenDays of the days from one to another, the last not counted.
func (n *naiveDemand) fenDays(from, to Date) (sum int64) {
	for day := from; day < to; day = day.AddDays(1) {
		sum += n.base.Of(n.balance(day))
	}
	return sum
}

// A settlement day that went by unseen would mix two quarters, which have two rates.
func TestPeriodsEndOnSettlementDaysHoweverSeldomTheBankLooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := Date(20230101).AddDays(rapid.IntRange(0, 800).Draw(t, "from"))
		base := rapid.SampledFrom([]InterestBase{BaseYuan, BaseFen}).Draw(t, "base")
		a := Demand{Accumulation: NewAccumulation(base, from, 0)}
		n := naiveDemand{base: base}
		day := from
		for range rapid.IntRange(1, 6).Draw(t, "entries") {
			day = day.AddDays(rapid.IntRange(0, 60).Draw(t, "gap"))
			fen := 100 * rapid.Int64Range(1, 1e7).Draw(t, "yuan")
			a.Post(day, day, fen)
			n.entries = append(n.entries, struct {
				on  Date
				fen int64
			}{day, fen})
			if rapid.Bool().Draw(t, "looked") {
				a.Advance(day.AddDays(rapid.IntRange(0, 1).Draw(t, "until")))
			}
		}
		end := a.Next.AddDays(rapid.IntRange(0, 200).Draw(t, "end"))
		a.Advance(end)
		var due []DemandPeriod
		start := from
		for settlement := nextSettlementDay(start); settlement < end; settlement = nextSettlementDay(start) {
			if sum := n.fenDays(start, settlement.AddDays(1)); sum > 0 {
				due = append(due, DemandPeriod{From: start, Through: settlement, FenDays: sum})
			}
			start = settlement.AddDays(1)
		}
		if !slices.Equal(a.Due(), due) {
			t.Fatalf("due %+v, by day %+v", a.Due(), due)
		}
		if a.FenDays != n.fenDays(a.From, end) || a.BalanceFen != n.balance(end) {
			t.Fatalf("%+v; by day %d", a, n.fenDays(a.From, end))
		}
	})
}

// A credit stamped with a day that the payee has closed counts for that day all the same.
func TestAnEntryForADayThatIsClosedCountsForIt(t *testing.T) {
	a := Demand{Accumulation: NewAccumulation(BaseYuan, 20260319, 0)}
	a.Post(20260319, 20260319, 100_00)
	a.Advance(20260321) // closes the settlement day
	a.Post(20260320, 20260320, 50_00)
	same(t, "periods due", len(a.Due()), 1)
	same(t, "accumulation", a.Due()[0].FenDays, 2*100_00+50_00)
	same(t, "closing balance", a.ClosingFen, 150_00)
	a.Advance(20260322)
	same(t, "next period", a.FenDays, 150_00)
}

// Interest reckoned and interest credited are two moments; what comes in between is not lost.
func TestWhatComesInBetweenReckoningAndPayingCountsForTheNextPeriod(t *testing.T) {
	a := Demand{Accumulation: NewAccumulation(BaseYuan, 20260301, 100_00)}
	a.Advance(20260321)
	p := a.Due()[0]
	a.Post(20260321, 20260320, 10_00)
	a.Paid(p)
	same(t, "due", len(a.Due()), 0)
	same(t, "rest", a.FenDays, 10_00)
}

func TestTheNextSettlementDay(t *testing.T) {
	for day, want := range map[Date]Date{
		20260101: 20260320, 20260320: 20260320, 20260321: 20260620, 20260620: 20260620, 20261220: 20261220,
		20261221: 20270320, 20261231: 20270320, 20260930: 20261220, 20240229: 20240320,
	} {
		same(t, day.String(), nextSettlementDay(day), want)
		same(t, day.String(), want.IsSettlementDay(), true)
	}
}

// books are the posted balances that the legs of decisions come to.
type books struct {
	posted  map[U128]int64
	pending map[U128]Leg
}

func (b *books) post(legs []Leg) {
	for _, leg := range legs {
		switch {
		case leg.Flags&LegPending != 0:
			b.pending[leg.ID] = leg
			continue
		case leg.Flags&LegVoid != 0:
			delete(b.pending, leg.Pending)
			continue
		case leg.Flags&LegPost != 0:
			held := b.pending[leg.Pending]
			delete(b.pending, leg.Pending)
			leg.Debit, leg.Credit = held.Debit, held.Credit
			if leg.All {
				leg.AmountFen = held.AmountFen
			}
		}
		b.posted[leg.Debit] -= leg.AmountFen
		b.posted[leg.Credit] += leg.AmountFen
	}
}

// Interest would be paid on money that is not there, or not on money that is.
func TestADeskKnowsWhatTheLedgerHasPosted(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		k := newTeller(t, 20260115)
		var accounts []AccountNo
		for no := range CustomerNo(3) {
			accounts = append(accounts, k.open(no+1, 2, true))
		}
		b := books{map[U128]int64{}, map[U128]Leg{}}
		for range rapid.IntRange(1, 40).Draw(r, "commands") {
			k.env.Date = k.env.Date.AddDays(rapid.IntRange(0, 40).Draw(r, "days"))
			cmd := anyCommand(r, k, accounts)
			d, refusal := k.do(cmd)
			if refusal == nil {
				b.post(d.Legs)
			}
		}
		for _, no := range slices.Sorted(maps.Keys(k.desk)) {
			for i := range k.desk[no].Accounts {
				if s := &k.desk[no].Accounts[i]; s.BalanceFen() != b.posted[s.LedgerID()] {
					r.Errorf("account %s: desk %d, ledger %d", s.Account, s.BalanceFen(), b.posted[s.LedgerID()])
				}
				apart := int64(0)
				for _, leg := range b.pending {
					if leg.Debit == k.desk[no].Accounts[i].LedgerID() {
						apart += leg.AmountFen
					}
				}
				if s := &k.desk[no].Accounts[i]; s.Apart.OutFen != apart {
					r.Errorf("account %s: on its way or held: desk %d, ledger %d", s.Account, s.Apart.OutFen, apart)
				}
			}
		}
	})
}
