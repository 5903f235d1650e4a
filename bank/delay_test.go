package bank

import "testing"

// asked delays a payment and gives its event.
func (k *teller) asked(m *DelayPayment) *PaymentDelayed {
	k.t.Helper()
	m.Reason = "FIRST_PAYEE_OVER_10000"
	d := k.must(m)
	e := d.Events[1].(*PaymentDelayed)
	if placed := d.Events[0].(*HoldPlaced); placed.Kind != RiskHold || placed.AmountFen != e.AmountFen+e.FeeFen || placed.ShortfallFen != 0 || d.Legs[0].Code != 1145 {
		k.t.Fatalf("held: %+v", placed)
	}
	return e
}

// outUsed is what the account has used of its day's limit.
func (k *teller) outUsed(no AccountNo) int64 {
	a, _ := k.at(no)
	day, _ := a.Out.On(k.env.Date)
	return day
}

// The customer's money is neither his to spend nor gone while a person looks at the payment; what he may send that day
// is used by it once, whatever becomes of it.
func TestADelayedPaymentIsHeldUntilItIsDecided(t *testing.T) {
	k := newTeller(t, 20260701)
	no := k.open(1, 2, true)
	k.fund(no, 1_500_000)
	out := func(fen int64) *TransferOut {
		return &TransferOut{Account: no, AmountFen: fen, PayeeToken: "t", PayeeBank: "ICBC", Summary: "货款"}
	}
	e := k.asked(&DelayPayment{Out: out(600_000)})
	_, s := k.at(no)
	same(t, "available", s.availableFen(), 900_000)
	same(t, "used of the day", k.outUsed(no), 600_000)
	same(t, "total told", e.DayTotalFen, 600_000)
	same(t, "time", e.UntilMillis, k.env.Millis+24*60*60*1000)
	k.refused(DayOutLimit, out(400_001))
	k.refused(HoldUnknown, &ReleaseHold{Hold: e.TxnID})
	k.refused(HoldUnknown, &DeductHold{Hold: e.TxnID, AmountFen: 1, DocumentNo: "1"})
	k.refused(TransferSettledElse, &ChannelResult{Transfer: e.TxnID, Success: true}) // the channel has not been asked
	k.refused(AccountInUse, &PrepareClosing{Account: no})

	d := k.must(&ReleasePayment{Transfer: e.TxnID, Reason: "called back", By: By{Operator: "ming", Approver: "hua"}})
	sent := d.Events[2].(*TransferOutRequested)
	if d.Txn != e.TxnID || sent.TxnID != e.TxnID || sent.DayTotalFen != 600_000 || sent.Summary != "货款" || d.Events[1].(*PaymentDelayEnded).Result != DelayReleased {
		t.Errorf("let go: %+v", sent)
	}
	// The hold goes before the payment takes the money, and no two legs share an id.
	if len(d.Legs) != 2 || d.Legs[0].Flags != LegVoid || d.Legs[0].Code != 1145 || d.Legs[1].ID == d.Legs[0].ID || sent.PendingID != d.Legs[1].ID {
		t.Errorf("legs: %+v", d.Legs)
	}
	same(t, "used of the day", k.outUsed(no), 600_000)
	k.must(&ChannelResult{Transfer: e.TxnID, Success: true})
	same(t, "balance", s.BalanceFen(), 900_000)
	same(t, "available", s.availableFen(), 900_000)
	a, _ := k.at(no)
	if a.Special != nil {
		t.Errorf("left over: %+v", a.Special)
	}
	k.refused(PaymentNotDelayed, &ReleasePayment{Transfer: e.TxnID})
	k.refused(PaymentNotDelayed, &EndDelay{Transfer: e.TxnID, Result: DelayRefused})
	k.refused(TransferUnknown, &ReleasePayment{Transfer: NewTxnID(1, 1, 999)})
}

func TestADelayedPaymentThatIsNotMadeGivesEverythingBack(t *testing.T) {
	for _, result := range []DelayResult{DelayRefused, DelayWithdrawn, DelayLapsed} {
		k := newTeller(t, 20260701)
		no := k.open(1, 2, true)
		k.env.Catalogue.Transfers.Fees = FeeTable{{From: 20260101, Move: MoveOutNonBound, FeeFen: 200}}
		k.fund(no, 600_200)
		e := k.asked(&DelayPayment{Out: &TransferOut{Account: no, AmountFen: 600_000, PayeeToken: "t"}})
		same(t, "fee", e.FeeFen, 200)
		k.refused(NotDue, &EndDelay{Transfer: e.TxnID, Result: DelayLapsed})
		k.env.Millis += DelayMillisMax
		d := k.must(&EndDelay{Transfer: e.TxnID, Result: result})
		_, s := k.at(no)
		same(t, "available", s.availableFen(), 600_200)
		same(t, "used of the day", k.outUsed(no), 0)
		same(t, "legs", len(d.Legs), 1)
		if told := d.Events[2].(*LimitCounterChanged); told.ChangeFen != -600_000 || told.DayOutFen != 0 || told.YearOutFen != 0 {
			t.Errorf("told of the limits: %+v", told)
		}
		var v TransferView
		v.Fold(e, "then")
		same(t, "status", v.Status, TransferDelayed)
		v.Fold(d.Events[1], "now")
		if v.Status != TransferFailed || v.SettledAt != "now" || v.AmountFen != 600_000 {
			t.Errorf("%s: %+v", result, v)
		}
	}
}

// What has changed since a payment was asked for counts when it is let go.
func TestEveryRuleIsAskedAnewWhenADelayedPaymentIsLetGo(t *testing.T) {
	k := newTeller(t, 20260701)
	no, payee := k.open(1, 2, true), k.open(2, 2, true)
	k.fund(no, 3_000_000)
	out := k.asked(&DelayPayment{Out: &TransferOut{Account: no, AmountFen: 700_000, PayeeToken: "t"}})
	internal := k.asked(&DelayPayment{Internal: &TransferInternal{Payer: no, Payee: payee, AmountFen: 300_000}})

	// On a new day the limit is the new day's.
	k.env.Date = 20260702
	k.must(&TransferOut{Account: no, AmountFen: 400_000, PayeeToken: "t"})
	k.refused(DayOutLimit, &ReleasePayment{Transfer: out.TxnID})
	stop := k.must(&RestrictAccount{Account: no, Kind: DebitStop}).Txn
	k.refused(AccountIsRestricted, &ReleasePayment{Transfer: internal.TxnID})
	k.must(&ReleaseRestriction{Restriction: stop})
	stop = k.must(&RestrictAccount{Account: payee, Kind: AllStop}).Txn
	k.refused(PayeeClosed, &ReleasePayment{Transfer: internal.TxnID})
	k.must(&ReleaseRestriction{Restriction: stop})

	d := k.must(&ReleasePayment{Transfer: internal.TxnID})
	paid := d.Events[2].(*InternalTransferred)
	if d.Payee != 2 || paid.TxnID != internal.TxnID || d.PayeeEvents[0].(*InternalTransferred).TxnID != internal.TxnID || paid.DayTotalFen != 700_000 {
		t.Errorf("let go: %+v", paid)
	}
	_, s := k.at(payee)
	same(t, "the payee has", s.BalanceFen(), 300_000)
	same(t, "used of the day", k.outUsed(no), 700_000)
	a, _ := k.at(no)
	_, year := a.Out.On(k.env.Date)
	same(t, "used of the year", year, 1_400_000)
	k.must(&EndDelay{Transfer: out.TxnID, Result: DelayRefused})
	_, year = a.Out.On(k.env.Date)
	same(t, "used of the year", year, 700_000)
	same(t, "used of the day", k.outUsed(no), 700_000)
}

func TestAPaymentThatWouldBeRefusedIsNotDelayed(t *testing.T) {
	k := newTeller(t, 20260701)
	no, payee, unmet := k.open(1, 2, true), k.open(2, 2, true), k.open(3, 2, false)
	k.fund(no, 1_000)
	for _, c := range []struct {
		code RefusalCode
		cmd  *DelayPayment
	}{
		{SameAccount, &DelayPayment{Internal: &TransferInternal{Payer: no, Payee: no, AmountFen: 1}}},
		{PayeeUnknown, &DelayPayment{Internal: &TransferInternal{Payer: no, Payee: NewAccountNo(2, 2, 7), AmountFen: 1}}},
		{ClassNotAllowed, &DelayPayment{Internal: &TransferInternal{Payer: no, Payee: unmet, AmountFen: 1}}},
		{DateNotAllowed, &DelayPayment{Internal: &TransferInternal{Payer: no, Payee: payee, AmountFen: 1, Date: 20260601}}},
		{DateNotAllowed, &DelayPayment{Out: &TransferOut{Account: no, AmountFen: 1, Bound: true, Date: 20260601}}},
		{DayOutLimit, &DelayPayment{Out: &TransferOut{Account: no, AmountFen: 1_000_001, PayeeToken: "t"}}},
		{AccountUnknown, &DelayPayment{Out: &TransferOut{Account: NewAccountNo(2, 1, 7), AmountFen: 1, PayeeToken: "t"}}},
	} {
		k.refused(c.code, c.cmd)
	}
	// What a payee may take in a day is not used by what may never come.
	k.asked(&DelayPayment{Internal: &TransferInternal{Payer: no, Payee: payee, AmountFen: 500}})
	_, s := k.at(payee)
	if s.ReservedFen != 0 || s.AdmittedFen != 0 || s.In != (Counter{}) {
		t.Errorf("the payee's desk: %+v", s)
	}
	for range RestrictionsMax - 1 {
		k.must(&PlaceHold{Account: no, Kind: Pledge, AmountFen: 1})
	}
	k.refused(RestrictionsFull, &DelayPayment{Out: &TransferOut{Account: no, AmountFen: 1, PayeeToken: "t"}})
}

func TestADelayNobodyDecidedEndsWithTheBeginningOfADay(t *testing.T) {
	y := newYear(t, 20260701)
	y.env.Millis = beginning(20260701) + 1
	a := y.open(1, 2, true)
	y.fund(a, 1_000)
	e := y.carried(&DelayPayment{Out: &TransferOut{Account: a, AmountFen: 600, PayeeToken: "t"}, Reason: "r"}).Events[1].(*PaymentDelayed)
	y.env.Millis = beginning(20260702)
	if ended := only[*PaymentDelayEnded](y.passDay(true)); len(ended) != 0 {
		t.Fatalf("ended before its time: %+v", ended)
	}
	y.env.Millis = beginning(20260703)
	if ended := only[*PaymentDelayEnded](y.passDay(true)); len(ended) != 1 || ended[0].Result != DelayLapsed || ended[0].TxnID != e.TxnID {
		t.Fatalf("ended: %+v", ended)
	}
	same(t, "available", y.desk[1].Standing(a).availableFen(), 1_000)
	y.check()
}

// A payee who owes the bank an advance pays it out of what was delayed, too.
func TestAnAdvanceIsCollectedFromAPaymentThatWasDelayed(t *testing.T) {
	k := newTeller(t, 20260701)
	no, payee := k.open(1, 2, true), k.open(2, 2, true)
	k.fund(no, 10_000)
	e := k.asked(&DelayPayment{Internal: &TransferInternal{Payer: no, Payee: payee, AmountFen: 5_000}})
	_, s := k.at(payee)
	s.AdvanceFen = 1_000
	d := k.must(&ReleasePayment{Transfer: e.TxnID})
	collected := d.PayeeEvents[1].(*AdvanceCollected)
	leg := d.Legs[collected.Leg]
	if collected.TxnID != e.TxnID || leg.Debit != s.LedgerID() || leg.Flags&LegBalancingDebit == 0 {
		t.Errorf("the leg it is measured by: %+v", leg)
	}
}

// A reversal undoes the interest of the days the money was gone, not of those it waited.
func TestADelayedPaymentIsReversedAsOfTheDayItWasMade(t *testing.T) {
	k := newTeller(t, 20260701)
	no, payee := k.open(1, 2, true), k.open(2, 2, true)
	k.fund(no, 10_000)
	e := k.asked(&DelayPayment{Internal: &TransferInternal{Payer: no, Payee: payee, AmountFen: 5_000}})
	k.env.Date = 20260702
	k.must(&ReleasePayment{Transfer: e.TxnID})
	d := k.must(&ReverseTransaction{Transfer: e.TxnID, Reason: "mistaken"})
	if back := d.Events[0].(*TransactionReversed); back.Kind != SameDay || back.ValueDate != 20260702 || back.AmountFen != 5_000 {
		t.Errorf("reversed: %+v", back)
	}
	_, s := k.at(no)
	same(t, "balance", s.BalanceFen(), 10_000)
}
