package bank

import "testing"

// frozenYear is a bank with one deposit of 10,000.00 for three months, opened on 2026-01-15 at 1.35 %.
func frozenYear(t *testing.T) (*year, AccountNo, ContractNo) {
	y := newYear(t, 20260115)
	a := y.open(1, 2, true)
	y.fund(a, 1_000_000)
	no := y.carried(&BuyDeposit{Account: a, Product: ProductJFC3M, AmountFen: 1_000_000}).Events[0].(*DepositOpened).DepositNo
	return y, a, no
}

func (y *year) freeze(no ContractNo, fen int64) *DepositFrozen {
	y.t.Helper()
	return y.carried(&HoldDeposit{Deposit: no, Kind: DepositFreeze, AmountFen: fen, Authority: "court", DocumentNo: "1"}).Events[0].(*DepositFrozen)
}

// held is the hold as the deposit has it; the zero hold if it has ended.
func (y *year) held(no ContractNo, id TxnID) DepositHold {
	if _, h, r := y.cust[no.Customer()].depositHold(no, id); r == nil {
		return *h
	}
	return DepositHold{}
}

// A court freezes what is there of what it asks for, behind what is held before, and for a year at most.
func TestAFrozenDepositKeepsWhatTheCourtHolds(t *testing.T) {
	y, _, no := frozenYear(t)
	y.carried(&HoldDeposit{Deposit: no, Kind: DepositPledge, AmountFen: 300_000})
	frozen := y.freeze(no, 5_000_000)
	if frozen.AmountFen != 700_000 || frozen.AskedFen != 5_000_000 || frozen.ShortfallFen != 4_300_000 || frozen.Until != 20270115 || frozen.QueuePosition != 0 {
		t.Errorf("frozen %+v", frozen)
	}
	y.refused(OverDeposit, &HoldDeposit{Deposit: no, Kind: DepositPledge, AmountFen: 1})
	y.refused(DepositHeld, &RedeemDeposit{Deposit: no, AmountFen: 1})
	y.carried(&ReleaseDepositHold{Deposit: no, Hold: frozen.HoldID, DocumentNo: "2"})
	y.carried(&RedeemDeposit{Deposit: no, AmountFen: 700_000})
	y.check()
}

func TestAnOrderOnADepositIsRefusedForEachReason(t *testing.T) {
	y, _, no := frozenYear(t)
	pledge := y.carried(&HoldDeposit{Deposit: no, Kind: DepositPledge, AmountFen: 1}).Events[0].(*DepositPledged).HoldID
	freeze := y.freeze(no, 600_000).HoldID
	nobodys := NewTxnID(1, 1, 1)
	order := func(change func(*HoldDeposit)) Command {
		m := &HoldDeposit{Deposit: no, Kind: DepositFreeze, AmountFen: 1, Authority: "court", DocumentNo: "1"}
		change(m)
		return m
	}
	for _, c := range []struct {
		code RefusalCode
		cmd  Command
	}{
		{FieldInvalid, order(func(m *HoldDeposit) { m.Authority = "" })},
		{FieldInvalid, order(func(m *HoldDeposit) { m.DocumentNo = "" })},
		{AmountInvalid, order(func(m *HoldDeposit) { m.AmountFen = 0 })},
		{AmountInvalid, order(func(m *HoldDeposit) { m.AmountFen = AmountMaxFen + 1 })},
		{DateNotAllowed, order(func(m *HoldDeposit) { m.Until = 20260114 })},
		{DateNotAllowed, order(func(m *HoldDeposit) { m.Until = 20270116 })},
		{DepositUnknown, order(func(m *HoldDeposit) { m.Deposit = NewContractNo(DepositContract, 1, 9) })},
		{DepositUnknown, &RenewDepositFreeze{Deposit: NewContractNo(DepositContract, 1, 9), Hold: freeze, Until: 20260301}},
		{DepositHoldUnknown, &RenewDepositFreeze{Deposit: no, Hold: nobodys, Until: 20260301}},
		{DepositHoldUnknown, &RenewDepositFreeze{Deposit: no, Hold: pledge, Until: 20260301}},
		{DateNotAllowed, &RenewDepositFreeze{Deposit: no, Hold: freeze, Until: 20260114}},
		{DateNotAllowed, &RenewDepositFreeze{Deposit: no, Hold: freeze, Until: 20270116}},
		{DepositUnknown, &DeductDeposit{Deposit: NewContractNo(DepositContract, 1, 9), Hold: freeze, AmountFen: 1, DocumentNo: "2"}},
		{DepositHoldUnknown, &DeductDeposit{Deposit: no, Hold: nobodys, AmountFen: 1, DocumentNo: "2"}},
		{DepositHoldUnknown, &DeductDeposit{Deposit: no, Hold: pledge, AmountFen: 1, DocumentNo: "2"}},
		{FieldInvalid, &DeductDeposit{Deposit: no, Hold: freeze, AmountFen: 1}},
		{AmountInvalid, &DeductDeposit{Deposit: no, Hold: freeze, DocumentNo: "2"}},
		{OverHold, &DeductDeposit{Deposit: no, Hold: freeze, AmountFen: 600_001, DocumentNo: "2"}},
	} {
		y.refused(c.code, c.cmd)
	}
	for range DepositHoldsMax - 2 {
		y.freeze(no, 1)
	}
	y.refused(ContractsMax, order(func(*HoldDeposit) {}))
}

// The time of a freeze is the court's; its renewal starts from the day it is asked for.
func TestAFreezeOfADepositRunsUntilItIsRenewedNoMore(t *testing.T) {
	y, a, no := frozenYear(t)
	freeze := y.freeze(no, 400_000).HoldID
	y.env.Date = 20270115 // its last day
	renewed := y.carried(&RenewDepositFreeze{Deposit: no, Hold: freeze, Until: 20280115, DocumentNo: "3"}).Events[0].(*DepositFreezeRenewed)
	if renewed.Previous != 20270115 || renewed.Until != 20280115 {
		t.Errorf("renewed %+v", renewed)
	}
	same(t, "order", y.held(no, freeze).DocumentNo, "3")
	y.env.Date = 20270301
	y.refused(DepositHeld, &RedeemDeposit{Deposit: no, All: true})
	y.env.Date = 20280116
	y.refused(DateNotAllowed, &RenewDepositFreeze{Deposit: no, Hold: freeze, Until: 20280301}) // too late
	released := only[*DepositHoldReleased](y.passDay(false))
	if len(released) != 1 || released[0].Reason != Lapsed {
		t.Fatalf("released %+v", released)
	}
	y.passDay(false) // nothing holds it, its term is over
	same(t, "principal", y.cust[1].deposit(no).PrincipalFen, 0)
	if y.desk[1].Standing(a).BalanceFen() <= 1_000_000 {
		t.Error("it was not paid out")
	}
	y.check()
}

// A creditor who came later gets what an earlier one lets go, in the same moment and before the owner.
func TestFreezesOfADepositWaitTheirTurn(t *testing.T) {
	y, _, no := frozenYear(t)
	pledge := y.carried(&HoldDeposit{Deposit: no, Kind: DepositPledge, AmountFen: 100_000}).Events[0].(*DepositPledged).HoldID
	first, second := y.freeze(no, 500_000), y.freeze(no, 600_000)
	third, fourth := y.freeze(no, 300_000), y.freeze(no, 150_000)
	for i, want := range []struct {
		e                 *DepositFrozen
		held, short, line int64
	}{{first, 500_000, 0, 0}, {second, 400_000, 200_000, 0}, {third, 0, 300_000, 1}, {fourth, 0, 150_000, 2}} {
		if want.e.AmountFen != want.held || want.e.ShortfallFen != want.short || int64(want.e.QueuePosition) != want.line {
			t.Errorf("freeze %d: %+v", i+1, want.e)
		}
	}
	y.refused(OverHold, &DeductDeposit{Deposit: no, Hold: third.HoldID, AmountFen: 1, DocumentNo: "2"})

	// The pledge's money is the second's, who still lacks.
	d := y.carried(&ReleaseDepositHold{Deposit: no, Hold: pledge})
	applied := d.Events[1].(*DepositFreezeApplied)
	if len(d.Events) != 2 || applied.HoldID != second.HoldID || applied.AmountFen != 100_000 || applied.HeldFen != 500_000 || applied.ShortfallFen != 100_000 {
		t.Fatalf("after the pledge: %+v", applied)
	}
	y.check()

	// The first lets 500,000 go: 100,000 fills the second, the third takes effect with all it asked
	// for, and the fourth with what is left.
	d = y.carried(&ReleaseDepositHold{Deposit: no, Hold: first.HoldID, DocumentNo: "5"})
	got := only[*DepositFreezeApplied]([]Decision{d})
	if len(got) != 3 || got[0].ShortfallFen != 0 || got[1].HoldID != third.HoldID || got[1].HeldFen != 300_000 || got[2].HeldFen != 100_000 || got[2].ShortfallFen != 50_000 {
		t.Fatalf("after the first: %+v", got)
	}
	for _, h := range y.cust[1].deposit(no).Holds {
		if h.Queue != 0 {
			t.Errorf("still waits: %+v", h)
		}
	}
	y.check()

	// What was given later can be deducted, and each lets go only its own.
	y.carried(&DeductDeposit{Deposit: no, Hold: third.HoldID, AmountFen: 300_000, DocumentNo: "6"})
	y.carried(&ReleaseDepositHold{Deposit: no, Hold: third.HoldID})
	y.carried(&ReleaseDepositHold{Deposit: no, Hold: second.HoldID})
	y.carried(&ReleaseDepositHold{Deposit: no, Hold: fourth.HoldID})
	y.carried(&RedeemDeposit{Deposit: no, All: true})
	y.check()
}

func TestAWaitingFreezeOfADepositThatIsLiftedLetsTheNextMoveUp(t *testing.T) {
	y, _, no := frozenYear(t)
	first := y.freeze(no, 2_000_000)
	second, third := y.freeze(no, 1), y.freeze(no, 2)
	d := y.carried(&ReleaseDepositHold{Deposit: no, Hold: second.HoldID})
	same(t, "legs", len(d.Legs), 0)
	same(t, "place of the third", y.held(no, third.HoldID).Queue, 1)
	// One whose time is over when its turn comes takes nothing.
	y.carried(&RenewDepositFreeze{Deposit: no, Hold: third.HoldID, Until: 20260120})
	y.env.Date = 20260121
	y.carried(&ReleaseDepositHold{Deposit: no, Hold: first.HoldID})
	same(t, "held", y.cust[1].deposit(no).HeldFen(), 0)
	y.carried(&RedeemDeposit{Deposit: no, All: true})
	y.check()
}

// A court gets principal; what the part has earned by the rule of an early redemption is the owner's (TD11's rule),
// and the rest keeps its rate, its date and its freeze.
func TestADeductionBreaksTheDepositForThePartThatIsTaken(t *testing.T) {
	y := newYear(t, 20260131)
	a := y.open(1, 2, true)
	y.fund(a, 10_000_000)
	no := y.carried(&BuyDeposit{Account: a, Product: ProductSLC6M, AmountFen: 10_000_000}).Events[0].(*DepositOpened).DepositNo
	freeze := y.freeze(no, 9_999_000).HoldID
	y.passUntil(20260411)
	d := y.carried(&DeductDeposit{Deposit: no, Hold: freeze, AmountFen: 4_000_000, DocumentNo: "2"})
	e := d.Events[0].(*DepositDeducted)
	if e.InterestFen != 1_556 || e.Days != 70 || e.DemandRateE6 != 2000 || e.AccrualReleasedFen != 10_433 || e.RemainingFen != 6_000_000 || e.HeldFen != 5_999_000 {
		t.Errorf("deducted %+v", e)
	}
	same(t, "paid to the owner", y.desk[1].Standing(a).BalanceFen(), 1_556)
	var slip SlipView
	slip.Fold(e, y.cust[1], y.env.Date, "")
	if v := slip.Interest; v.PaidFen != 1_556 || v.PrincipalFen != 4_000_000 || v.Reason != InterestEarly {
		t.Errorf("the owner's slip: %+v", v)
	}
	same(t, "still frozen", y.cust[1].deposit(no).HeldFen(), 5_999_000)
	y.refused(DepositHeld, &RedeemDeposit{Deposit: no, AmountFen: 1_001})
	y.check()

	// The product's minimum binds the owner, not the court.
	last := y.carried(&DeductDeposit{Deposit: no, Hold: freeze, AmountFen: 5_999_000, DocumentNo: "3"}).Events[0].(*DepositDeducted)
	same(t, "left", last.RemainingFen, 1_000)
	y.carried(&RedeemDeposit{Deposit: no, All: true})
	same(t, "owed to the court", y.owedToCourts(), 9_999_000)

	y.carried(&RemitDeduction{Deduction: e.DeductionID})
	remitted := y.carried(&RemitDeduction{Deduction: e.DeductionID, Success: true}).Events[0].(*DeductionRemitted)
	if remitted.DepositNo != no || remitted.HoldID != freeze || remitted.AmountFen != 4_000_000 {
		t.Errorf("remitted %+v", remitted)
	}
	y.carried(&RemitDeduction{Deduction: last.DeductionID, Success: true})
	same(t, "owed to the court", y.owedToCourts(), 0)
	y.refused(DeductionUnknown, &RemitDeduction{Deduction: e.DeductionID, Success: true})
	y.check()
}

// owedToCourts is what was deducted and is not remitted.
func (y *year) owedToCourts() int64 {
	var d Decision
	return y.books.posted[bankAccount(DetailJudicial, 0, &d)]
}

// A deposit that was held past its term has earned the term's interest, and the demand rate since.
func TestADeductionAfterTheTermPaysWhatALateRedemptionPays(t *testing.T) {
	y := newYear(t, 20250315)
	y.env.Catalogue.InterestTax = RateTable{{From: 19000101, RateE6: 50_000}}
	a := y.open(1, 2, true)
	y.fund(a, 8_000_000)
	no := y.carried(&BuyDeposit{Account: a, Product: ProductSLC1Y, AmountFen: 8_000_000}).Events[0].(*DepositOpened).DepositNo
	freeze := y.freeze(no, 8_000_000).HoldID
	y.env.Date = 20260301
	y.carried(&RenewDepositFreeze{Deposit: no, Hold: freeze, Until: 20261231})
	y.passUntil(20260404)
	waiting := y.freeze(no, 100).HoldID
	e := y.carried(&DeductDeposit{Deposit: no, Hold: freeze, AmountFen: 8_000_000, DocumentNo: "2"}).Events[0].(*DepositDeducted)
	if e.InterestFen != 140_000 || e.OverdueInterestFen != 889 || e.TaxFen != InterestTaxFen(140_889, 50_000) { // TD13
		t.Errorf("deducted %+v", e)
	}
	same(t, "paid to the owner", y.desk[1].Standing(a).BalanceFen(), 140_889-e.TaxFen)
	y.refused(DepositHoldUnknown, &ReleaseDepositHold{Deposit: no, Hold: waiting}) // nothing is left to wait for
	same(t, "holds", len(y.cust[1].deposit(no).Holds), 0)
	y.refused(DepositClosed, &HoldDeposit{Deposit: no, Kind: DepositFreeze, AmountFen: 1, Authority: "court", DocumentNo: "1"})
	y.check()
}

// Until the money has left for the court the account it would come back to stays open.
func TestAnAccountStaysOpenWhileADeductionIsBeingRemitted(t *testing.T) {
	y, a, no := frozenYear(t)
	freeze := y.freeze(no, 1_000_000).HoldID
	e := y.carried(&DeductDeposit{Deposit: no, Hold: freeze, AmountFen: 1_000_000, DocumentNo: "2"}).Events[0].(*DepositDeducted)
	y.refused(AccountInUse, &PrepareClosing{Account: a})
	y.carried(&RemitDeduction{Deduction: e.DeductionID, Success: true})
	y.carried(&PrepareClosing{Account: a})
}
