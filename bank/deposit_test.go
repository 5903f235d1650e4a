package bank

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// year is a bank that is taken from day to day: its days are closed and begun as the bank's own are.
type year struct {
	*teller
	books  books
	placed map[U128]TxnID // under which business each pending transfer was placed
}

func newYear(t *testing.T, today Date) *year {
	return &year{newTeller(t, today), books{map[U128]int64{}, map[U128]Leg{}}, map[U128]TxnID{}}
}

func (y *year) carry(cmd Command) (Decision, *Refusal) {
	d, r := y.do(cmd)
	if r != nil {
		return d, r
	}
	for _, leg := range d.Legs {
		switch {
		case leg.Flags&LegPending != 0:
			y.placed[leg.ID] = d.Txn
		case leg.Flags&LegPost != 0 && y.placed[leg.Pending] != d.Txn:
			// Whoever reads the journal looks for what it posts under the same business.
			y.t.Errorf("%s posts under %s what was placed under %s", cmd.Operation(), d.Txn, y.placed[leg.Pending])
		}
	}
	y.books.post(d.Legs)
	return d, r
}

func (y *year) carried(cmd Command) Decision {
	y.t.Helper()
	d, r := y.carry(cmd)
	if r != nil {
		y.t.Fatalf("%s: %v", cmd.Operation(), r)
	}
	return d
}

// fund pays money in from the bound card.
func (y *year) fund(a AccountNo, fen int64) {
	y.t.Helper()
	y.carried(&CreditInbound{Account: a, AmountFen: fen, Bound: true, PayerToken: card.Token})
}

// passDay ends the date and begins the next. closed false: the end of the day is missed, as before a catch-up.
func (y *year) passDay(closed bool) (decisions []Decision) {
	y.t.Helper()
	today := y.env.Date
	y.env.Date = today.AddDays(1)
	customers := slices.Sorted(maps.Keys(y.cust))
	for _, no := range customers {
		if !closed {
			break
		}
		for _, s := range EndOfDay(y.cust[no], y.desk[no], today, y.env.Catalogue) {
			e := y.carried(s.Command).Events[0].(*CustomerDayClosed)
			sums := map[string]int64{}
			for _, a := range e.Accruals {
				sums[a.Product] += a.DeltaFen
			}
			post := PostAccruals{Shard: no.Shard(), Date: today}
			for product, fen := range sums {
				post.Accruals = append(post.Accruals, AccrualSum{Product: product, DeltaFen: fen})
			}
			y.env.Millis++
			d := Decision{Txn: NewTxnID(y.env.Millis, HouseNo(no.Shard()), 1)}
			if r := post.decide(nil, &y.env, &d); r != nil {
				y.t.Fatal(r)
			}
			y.books.post(d.Legs)
		}
	}
	for _, no := range customers {
		for _, s := range BeginOfDay(y.cust[no], y.desk[no], y.env.Date, y.env.Catalogue) {
			decisions = append(decisions, y.carried(s.Command))
		}
	}
	return decisions
}

func (y *year) passUntil(day Date) (decisions []Decision) {
	for y.env.Date < day {
		decisions = append(decisions, y.passDay(true)...)
	}
	return decisions
}

// checked compares what the contracts know with what the legs come to: R3, R4, R11 of the daily checks.
func (y *year) checked(fail func(string, ...any)) {
	payable := map[U128]int64{}
	var d Decision
	for no, c := range y.cust {
		shard := uint64(no.Shard())
		demand := bankAccount(DetailDemandPayable, shard, &d)
		for i := range y.desk[no].Accounts {
			s := &y.desk[no].Accounts[i]
			if s.BalanceFen() != y.books.posted[s.LedgerID()] || s.BalanceFen() < 0 {
				fail("account %s: desk %d, ledger %d", s.Account, s.BalanceFen(), y.books.posted[s.LedgerID()])
			}
			payable[demand] += s.Demand.AccruedFen
			for _, p := range s.Demand.Due() {
				payable[demand] += p.AccruedFen
			}
		}
		for i := range c.Deposits {
			t := &c.Deposits[i]
			if y.books.posted[t.LedgerID()] != t.PrincipalFen {
				fail("deposit %s: principal %d, ledger %d", t.No, t.PrincipalFen, y.books.posted[t.LedgerID()])
			}
			held := int64(0)
			for _, leg := range y.books.pending {
				if leg.Debit == t.LedgerID() {
					held += leg.AmountFen
				}
			}
			if held != t.HeldFen() || held > t.PrincipalFen {
				fail("deposit %s: %d held of %d, ledger %d", t.No, t.HeldFen(), t.PrincipalFen, held)
			}
			if t.fullyFrozen(y.env.Date) && held < t.PrincipalFen {
				fail("deposit %s: %d is free while a freeze lacks something", t.No, t.PrincipalFen-held)
			}
			payable[bankAccount(t.Subjects.PayableDetail, shard, &d)] += t.AccruedFen
			payable[demand] += t.OverdueAccruedFen
		}
	}
	for id, fen := range payable {
		if y.books.posted[id] != fen {
			fail("interest payable %v: contracts %d, ledger %d", id, fen, y.books.posted[id])
		}
	}
}

func (y *year) check() {
	y.t.Helper()
	y.checked(y.t.Errorf)
}

func only[E Event](decisions []Decision) (found []E) {
	for _, d := range decisions {
		for _, e := range d.Events {
			if m, ok := e.(E); ok {
				found = append(found, m)
			}
		}
	}
	return found
}

func TestADepositIsPaidOutOnItsMaturityDayWithWhatWasAccrued(t *testing.T) {
	y := newYear(t, 20260115)
	a := y.open(1, 2, true)
	y.fund(a, 1_000_000)
	no := y.carried(&BuyDeposit{Account: a, Product: ProductJFC3M, AmountFen: 1_000_000}).Events[0].(*DepositOpened).DepositNo
	y.refused(DateNotAllowed, &MatureDeposit{no, 20260414})
	matured := only[*DepositMatured](y.passUntil(20260415)) // TD01
	if len(matured) != 1 || matured[0].InterestFen != 3_375 || matured[0].AccrualReleasedFen != 0 {
		t.Fatalf("matured %+v", matured)
	}
	same(t, "balance", y.desk[1].Standing(a).BalanceFen(), 1_003_375)
	y.refused(DepositClosed, &MatureDeposit{no, 20260416})
	y.check()
}

func TestADepositRollsOverAsItsOwnerHasChosen(t *testing.T) {
	for choice, want := range map[Rollover][2]int64{ // TD14, TD15: new principal, paid out
		RolloverPrincipal: {1_000_000, 3_375}, RolloverPrincipalAndInterest: {1_003_375, 0},
	} {
		y := newYear(t, 20260531)
		y.env.Catalogue.Deposit(ProductJFC3M).Rates = RateTable{{From: 20200101, RateE6: 13_500}, {From: 20260701, RateE6: 13_000}}
		a := y.open(1, 2, true)
		y.fund(a, 1_000_000)
		no := y.carried(&BuyDeposit{Account: a, Product: ProductJFC3M, AmountFen: 1_000_000}).Events[0].(*DepositOpened).DepositNo
		y.passUntil(20260830)
		y.carried(&ChangeRollover{Deposit: no, Rollover: choice})
		rolled := only[*DepositRolledOver](y.passDay(true))
		if len(rolled) != 1 || rolled[0].Next.PrincipalFen != want[0] || rolled[0].PaidFen != want[1] || rolled[0].NewRateE6 != 13_000 {
			t.Fatalf("%s: %+v", choice, rolled)
		}
		next := y.cust[1].Deposits[1]
		if next.MaturityDate != 20261130 || next.Rollover != choice || next.RolledFrom != no {
			t.Errorf("%s: %+v", choice, next)
		}
		y.refused(DepositClosed, &ChangeRollover{Deposit: no, Rollover: RolloverNone})
		y.passUntil(20261201)
		same(t, "deposits", len(y.cust[1].Deposits), 3)
		y.check()
	}
}

func TestTheRolloverChoiceChangesUntilTheDayBeforeMaturity(t *testing.T) {
	y := newYear(t, 20260115)
	a := y.open(1, 2, true)
	y.fund(a, 1_000_000)
	no := y.carried(&BuyDeposit{Account: a, Product: ProductJFC3M, AmountFen: 1_000_000, Rollover: RolloverPrincipal}).Events[0].(*DepositOpened).DepositNo
	y.env.Date = 20260414
	y.carried(&ChangeRollover{Deposit: no, Rollover: RolloverNone})
	y.env.Date = 20260415
	y.refused(DepositMature, &ChangeRollover{Deposit: no, Rollover: RolloverPrincipal})
	y.refused(DepositUnknown, &ChangeRollover{Deposit: NewContractNo(DepositContract, 1, 9), Rollover: RolloverPrincipal})
}

// What was promised was a new deposit at posted terms; without any the money goes back and says why.
func TestARolloverIntoAProductOffSaleIsPaidOutWithNotice(t *testing.T) {
	y := newYear(t, 20260115)
	a := y.open(1, 2, true)
	y.fund(a, 1_000_000)
	y.carried(&BuyDeposit{Account: a, Product: ProductJFC3M, AmountFen: 1_000_000, Rollover: RolloverPrincipal})
	y.env.Catalogue.Deposit(ProductJFC3M).Sale = []SaleWindow{{Through: 20260414}}
	matured := only[*DepositMatured](y.passUntil(20260415))
	if len(matured) != 1 || matured[0].Notice != NoticeOffSale {
		t.Errorf("matured %+v", matured)
	}
	y.check()
}

// A pledge outlives the term; then the deposit waits at the demand rate (TD13: 20 days, 8.89).
func TestAPledgedDepositWaitsPastItsTermAtTheDemandRate(t *testing.T) {
	y := newYear(t, 20250315)
	a := y.open(1, 2, true)
	y.fund(a, 8_000_000)
	no := y.carried(&BuyDeposit{Account: a, Product: ProductSLC1Y, AmountFen: 8_000_000}).Events[0].(*DepositOpened).DepositNo
	y.refused(OverDeposit, &HoldDeposit{Deposit: no, Kind: DepositPledge, AmountFen: 8_000_001})
	y.refused(DateNotAllowed, &HoldDeposit{Deposit: no, Kind: DepositProof, AmountFen: 1})
	pledged := y.carried(&HoldDeposit{Deposit: no, Kind: DepositPledge, AmountFen: 3_000_000}).Events[0].(*DepositPledged)
	y.refused(DepositHeld, &RedeemDeposit{Deposit: no, AmountFen: 5_000_001})
	y.refused(OverDeposit, &HoldDeposit{Deposit: no, Kind: DepositPledge, AmountFen: 5_000_001})
	y.refused(DepositHoldUnknown, &ReleaseDepositHold{Deposit: no, Hold: NewTxnID(1, 1, 1)})
	if rest := only[*DepositMatured](y.passUntil(20260403)); len(rest) != 0 {
		t.Fatalf("a pledged deposit was paid out: %+v", rest)
	}
	y.refused(DepositHeld, &MatureDeposit{no, 20260403})
	same(t, "accrued past the term", y.cust[1].Deposits[0].OverdueAccruedFen, DayInterestFen(8_000_000, 2000, 19))
	y.carried(&ReleaseDepositHold{Deposit: no, Hold: pledged.HoldID})
	late := only[*DepositRedeemedAfterMaturity](y.passUntil(20260404))
	if len(late) != 1 || late[0].InterestFen != 140_000 || late[0].OverdueInterestFen != 889 || late[0].Days != 20 {
		t.Errorf("paid %+v", late)
	}
	y.check()
}

func TestAProofOfDepositEndsAfterItsLastDay(t *testing.T) {
	y := newYear(t, 20260115)
	a := y.open(1, 2, true)
	y.fund(a, 1_000_000)
	no := y.carried(&BuyDeposit{Account: a, Product: ProductSLC1Y, AmountFen: 1_000_000}).Events[0].(*DepositOpened).DepositNo
	y.carried(&HoldDeposit{Deposit: no, Kind: DepositProof, AmountFen: 1_000_000, Until: 20260120})
	y.passUntil(20260120)
	y.refused(DepositHeld, &RedeemDeposit{Deposit: no, All: true})
	released := only[*DepositHoldReleased](y.passDay(true))
	same(t, "released", len(released), 1)
	y.carried(&RedeemDeposit{Deposit: no, All: true})
	y.check()
}

// A proof that ended the day before does not hold a deposit on its maturity day. If the bank looked before it had let it go
// the owner would have a day's demand interest in place of the rollover he chose.
func TestADepositWhoseProofHasEndedRollsOverOnItsDay(t *testing.T) {
	y := newYear(t, 20260115)
	a := y.open(1, 2, true)
	y.fund(a, 1_000_000)
	no := y.carried(&BuyDeposit{Account: a, Product: ProductJFC3M, AmountFen: 1_000_000, Rollover: RolloverPrincipal}).Events[0].(*DepositOpened).DepositNo
	y.carried(&HoldDeposit{Deposit: no, Kind: DepositProof, AmountFen: 400_000, Until: 20260414})
	passed := y.passUntil(20260415)
	if released, rolled := only[*DepositHoldReleased](passed), only[*DepositRolledOver](passed); len(released) != 1 || len(rolled) != 1 || rolled[0].ValueDate != 20260415 {
		t.Errorf("released %+v, rolled over %+v", released, rolled)
	}
	y.check()
}

// What a proof lets go on the maturity day is the waiting court's first, and the deposit waits on.
func TestADepositThatACourtGetsOnItsDayIsNotPaidOut(t *testing.T) {
	y := newYear(t, 20260115)
	a := y.open(1, 2, true)
	y.fund(a, 1_000_000)
	no := y.carried(&BuyDeposit{Account: a, Product: ProductJFC3M, AmountFen: 1_000_000}).Events[0].(*DepositOpened).DepositNo
	y.carried(&HoldDeposit{Deposit: no, Kind: DepositProof, AmountFen: 1_000_000, Until: 20260414})
	court := y.freeze(no, 300_000)
	passed := y.passUntil(20260416) // refuses nothing
	same(t, "released", len(only[*DepositHoldReleased](passed)), 1)
	same(t, "held for the court", y.held(no, court.HoldID).AmountFen, 300_000)
	y.check()
}

func TestAProductIsSoldWhereWhenAndAsFarAsItIs(t *testing.T) {
	y := newYear(t, 20260115)
	a := y.open(1, 2, true) // region 220113
	y.fund(a, 10_000_000)
	p := y.env.Catalogue.Deposit(ProductJFC3M)
	p.CapPerPersonFen, p.MaxPartial, p.Regions, p.Agreement = 2_000_000, 1, []uint32{2201, 21}, "v2"
	p.Sale = []SaleWindow{{From: 20260115, Through: 20260116}}
	p.Rates = RateTable{{From: 20260101, RateE6: 13_500}, {From: 20260101, RateE6: 14_500, AtLeastFen: 1_000_000}}
	buy := func(fen int64) *BuyDeposit {
		return &BuyDeposit{Account: a, Product: ProductJFC3M, AmountFen: fen, AgreementVersion: "v2"}
	}
	small := y.carried(buy(999_999)).Events[0].(*DepositOpened)
	large := y.carried(buy(1_000_000)).Events[0].(*DepositOpened)
	same(t, "rate of the small one", small.RateE6, 13_500)
	same(t, "rate of the large one", large.RateE6, 14_500)
	y.refused(SalesCap, buy(5_000))
	y.refused(AgreementOutdated, &BuyDeposit{Account: a, Product: ProductJFC3M, AmountFen: 5_000, AgreementVersion: "v1"})
	p.Regions = []uint32{21, 220114}
	y.refused(RegionNotAllowed, buy(5_000))
	y.env.Date = 20260117
	y.refused(ProductNotOnSale, buy(5_000))
	y.carried(&RedeemDeposit{Deposit: large.DepositNo, AmountFen: 100_000})
	y.refused(PartialsMax, &RedeemDeposit{Deposit: large.DepositNo, AmountFen: 100_000})
	y.carried(&RedeemDeposit{Deposit: large.DepositNo, All: true})
	y.check()
}

func TestInterestTaxIsWithheldWhereverInterestIsPaid(t *testing.T) {
	y := newYear(t, 20260101)
	y.env.Catalogue.InterestTax = RateTable{{From: 19000101, RateE6: 50_000}}
	a := y.open(1, 2, true)
	y.fund(a, 40_000_000)
	for _, rollover := range []Rollover{RolloverNone, RolloverPrincipal, RolloverPrincipalAndInterest} {
		y.carried(&BuyDeposit{Account: a, Product: ProductSLC1Y, AmountFen: 10_000_000, Rollover: rollover})
	}
	decisions := y.passUntil(20270101) // TD17: 1,750.00, tax 87.50
	same(t, "paid out: tax", only[*DepositMatured](decisions)[0].TaxFen, 8_750)
	rolled := only[*DepositRolledOver](decisions)
	same(t, "rolled over: paid", rolled[0].PaidFen, 166_250)
	same(t, "rolled over with interest", rolled[1].Next.PrincipalFen, 10_166_250)
	tax := int64(3 * 8_750)
	for _, paid := range only[*DemandInterestPaid](decisions) {
		same(t, "tax on demand interest", paid.TaxFen, InterestTaxFen(paid.InterestFen, 50_000))
		tax += paid.TaxFen
	}
	var d Decision
	same(t, "tax withheld in the books", y.books.posted[bankAccount(DetailTaxWithheld, 0, &d)], tax)
	y.check()
}

func TestDemandInterestIsCreditedTheDayAfterTheSettlementDay(t *testing.T) {
	y := newYear(t, 20260621)
	y.env.Catalogue.Demand = RateTable{{From: 20250101, RateE6: 2000}, {From: 20260801, RateE6: 1500}}
	a := y.open(1, 2, true)
	y.fund(a, 8_000_000) // DD03
	if paid := only[*DemandInterestPaid](y.passUntil(20260920)); len(paid) != 0 {
		t.Fatalf("credited early: %+v", paid)
	}
	paid := only[*DemandInterestPaid](y.passDay(true))
	if len(paid) != 1 || paid[0].FenDays != 736_000_000 || paid[0].RateE6 != 1500 || paid[0].InterestFen != 3_067 || paid[0].AccruedFen != 3_067 {
		t.Fatalf("credited %+v", paid)
	}
	same(t, "balance", y.desk[1].Standing(a).BalanceFen(), 8_003_067)
	y.refused(DateClosed, &CreditInterest{a, 20260921})
	y.check()
}

// A day closed twice would accrue it twice.
func TestADayIsClosedOnce(t *testing.T) {
	y := newYear(t, 20260115)
	a := y.open(1, 2, true)
	y.fund(a, 8_000_000)
	y.passDay(true)
	same(t, "left to close", len(EndOfDay(y.cust[1], y.desk[1], 20260115, y.env.Catalogue)), 0)
	y.refused(DateClosed, &CloseDay{1, 20260115})
	same(t, "the balance at its end", y.desk[1].Standing(a).Demand.ClosingFen, 8_000_000)
}

// The interest of an account that closes on a day: DD04, at the closing day's rate.
func TestAnAccountThatClosesIsPaidItsBrokenPeriod(t *testing.T) {
	y := newYear(t, 20260921)
	y.env.Catalogue.Demand = RateTable{{From: 20250101, RateE6: 2000}, {From: 20261101, RateE6: 1000}}
	a := y.open(1, 2, true)
	y.fund(a, 3_000_000)
	y.passUntil(20261005)
	y.fund(a, 1_000_000)
	y.passUntil(20261111)
	d := Decision{Txn: NewTxnID(1, 1, 1)}
	copied := y.desk[1].Clone().Standing(a)
	same(t, "interest", payInterestAtClosing(copied, &y.env, &d), 528)
	same(t, "balance with it", copied.BalanceFen(), 4_000_528)
	same(t, "nothing more", payInterestAtClosing(copied, &y.env, &d), 0)
}

// The interest of a settled quarter that was not credited yet earns interest itself until the account closes.
func TestAnAccountThatClosesBeforeItsQuarterIsCreditedIsPaidBoth(t *testing.T) {
	credited, late := newYear(t, 20260621), newYear(t, 20260621)
	var net [2]int64
	for i, y := range []*year{credited, late} {
		a := y.open(1, 2, true)
		y.fund(a, 500_000_000_000)
		y.passUntil(20260920)
		if y == credited {
			y.passUntil(20261001)
		}
		y.env.Date = 20261001
		d := Decision{Txn: NewTxnID(1, 1, 1)}
		s := y.desk[1].Clone().Standing(a)
		payInterestAtClosing(s, &y.env, &d)
		net[i] = s.BalanceFen()
	}
	same(t, "paid in all", net[1], net[0])
}

// Missing days and catching up, redeeming, rolling over, pledging, freezing, deducting: whatever happens, what was accrued is what is
// owed, no fen is made or lost, and the interest paid is that of a bank that never missed a day.
func TestNoSequenceOfOperationsMakesOrLosesAFen(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		start := rapid.SampledFrom([]Date{20260115, 20231231, 20240229, 20260831, 20251130}).Draw(r, "start")
		daily, seldom := newYear(t, start), newYear(t, start)
		years := []*year{daily, seldom}
		var accounts []AccountNo
		for no := range CustomerNo(2) {
			for i, y := range years {
				if a := y.open(no+1, 2, true); i == 0 {
					accounts = append(accounts, a)
				}
				y.fund(accounts[no], 50_000_000)
			}
		}
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			for range rapid.IntRange(0, 60).Draw(r, "days") {
				daily.passDay(true)
				seldom.passDay(seldom.env.Date.Day() == 7)
			}
			cmd := anyDepositCommand(r, daily, accounts)
			there := sameHold(cmd, daily, seldom)
			_, refused := daily.carry(cmd)
			_, refused2 := seldom.carry(there)
			if (refused == nil) != (refused2 == nil) {
				r.Fatalf("%+v: %v and %v", cmd, refused, refused2)
			}
		}
		for _, y := range years {
			y.passDay(true)
			y.checked(r.Fatalf)
		}
		for _, no := range accounts {
			if a, b := daily.desk[no.Customer()].Standing(no), seldom.desk[no.Customer()].Standing(no); a.BalanceFen() != b.BalanceFen() || a.Demand.FenDays != b.Demand.FenDays {
				r.Fatalf("closed daily %+v, seldom %+v", a, b)
			}
		}
		if !maps.Equal(nonZero(daily.books.posted), nonZero(seldom.books.posted)) {
			r.Fatalf("books closed daily and seldom differ")
		}
	})
}

// sameHold is the command with the hold's number at the other bank, which has decided fewer commands.
func sameHold(cmd Command, at, other *year) Command {
	same := func(deposit ContractNo, hold TxnID) TxnID {
		no := deposit.Customer()
		i := slices.IndexFunc(at.cust[no].deposit(deposit).Holds, func(h DepositHold) bool { return h.ID == hold })
		return other.cust[no].deposit(deposit).Holds[i].ID
	}
	switch m := cmd.(type) {
	case *ReleaseDepositHold:
		return &ReleaseDepositHold{Deposit: m.Deposit, Hold: same(m.Deposit, m.Hold)}
	case *DeductDeposit:
		there := *m
		there.Hold = same(m.Deposit, m.Hold)
		return &there
	}
	return cmd
}

func nonZero(m map[U128]int64) map[U128]int64 {
	maps.DeleteFunc(m, func(_ U128, fen int64) bool { return fen == 0 })
	return m
}

// anyDepositCommand draws one that has a chance.
func anyDepositCommand(r *rapid.T, y *year, accounts []AccountNo) Command {
	a := rapid.SampledFrom(accounts).Draw(r, "account")
	s := y.desk[a.Customer()].Standing(a)
	choices := []Command{&CreditInbound{Account: a, AmountFen: rapid.Int64Range(1, 1e6).Draw(r, "in"), Bound: true, PayerToken: card.Token}}
	if s.BalanceFen() >= 5_000 {
		choices = append(choices, &BuyDeposit{
			Account: a, Product: rapid.SampledFrom([]string{ProductJFC3M, ProductSLC6M}).Draw(r, "product"),
			AmountFen: rapid.Int64Range(5_000, s.BalanceFen()).Draw(r, "principal"),
			Rollover:  rapid.SampledFrom([]Rollover{RolloverNone, RolloverPrincipal, RolloverPrincipalAndInterest}).Draw(r, "rollover"),
		})
	}
	c := y.cust[a.Customer()]
	for i := range c.Deposits {
		t := &c.Deposits[i]
		if t.PrincipalFen == 0 {
			continue
		}
		choices = append(choices,
			&RedeemDeposit{Deposit: t.No, All: true},
			&RedeemDeposit{Deposit: t.No, AmountFen: rapid.Int64Range(1, t.PrincipalFen).Draw(r, "part")},
			&ChangeRollover{Deposit: t.No, Rollover: RolloverPrincipal},
			&HoldDeposit{Deposit: t.No, Kind: DepositPledge, AmountFen: rapid.Int64Range(1, t.PrincipalFen).Draw(r, "pledged")},
			&HoldDeposit{Deposit: t.No, Kind: DepositFreeze, AmountFen: rapid.Int64Range(1, 2*t.PrincipalFen).Draw(r, "frozen"), Authority: "court", DocumentNo: "1"})
		for _, h := range t.Holds {
			choices = append(choices, &ReleaseDepositHold{Deposit: t.No, Hold: h.ID})
			if h.Kind == DepositFreeze && h.AmountFen > 0 {
				choices = append(choices, &DeductDeposit{Deposit: t.No, Hold: h.ID, AmountFen: rapid.Int64Range(1, h.AmountFen).Draw(r, "deducted"), DocumentNo: "2"})
			}
		}
	}
	return rapid.SampledFrom(choices).Draw(r, "command")
}
