package bank

import (
	"testing"

	"pgregory.net/rapid"
)

// sent makes a transfer out of an account and has the channel answer it.
func (k *teller) sent(from AccountNo, fen int64, success bool) TxnID {
	k.t.Helper()
	d := k.must(&TransferOut{Account: from, AmountFen: fen})
	k.must(&ChannelResult{Transfer: d.Txn, Success: success, ChannelSerial: "S1"})
	return d.Txn
}

// unlimited account of class Ⅰ, for amounts that class Ⅱ could not move.
func (k *teller) classI(no CustomerNo) AccountNo { return k.open(no, 1, true) }

func TestMoneyThatCameBackIsGivenBackOnceAndTheLimitStaysUsed(t *testing.T) {
	k := newTeller(t, 20261123)
	a := k.open(1, 2, true)
	txn := k.sent(a, 600_000, true)
	k.refused(OverOriginal, &ReturnTransfer{Transfer: txn, AmountFen: 600_001})
	k.refused(OverOriginal, &ReturnTransfer{Transfer: txn})
	k.must(&ReturnTransfer{Transfer: txn, AmountFen: 200_000})
	k.refused(OverOriginal, &ReturnTransfer{Transfer: txn, AmountFen: 400_001})
	d := k.must(&ReturnTransfer{Transfer: txn, AmountFen: 400_000, Reason: "account closed"})
	if d.Txn != txn || d.Legs[0].Code != 1161 {
		t.Errorf("booked as %s with code %d", d.Txn, d.Legs[0].Code)
	}
	k.refused(DayOutLimit, &TransferOut{Account: a, AmountFen: 400_001})
	k.refused(TransferUnknown, &ReturnTransfer{Transfer: NewTxnID(1, 1, 77), AmountFen: 1})
	failed := k.sent(a, 300_000, false)
	k.refused(NotReversible, &ReturnTransfer{Transfer: failed, AmountFen: 1})
	pending := k.must(&TransferOut{Account: a, AmountFen: 300_000}).Txn
	k.refused(TransferNotSettled, &ReturnTransfer{Transfer: pending, AmountFen: 1})
}

func TestAFeeIsChargedWithItsTransferAndOnlyRefundedWhenAsked(t *testing.T) {
	k := newTeller(t, 20261123)
	a, b := k.classI(1), k.classI(2)
	k.env.Catalogue.Transfers.Fees = FeeTable{
		{From: 20200101, Move: MoveOutNonBound, FeeFen: 500},
		{From: 20200101, Move: MoveInternal, UpToFen: 1_000, FeeFen: 7},
	}
	internal := k.must(&TransferInternal{Payer: a, Payee: b, AmountFen: 1_000})
	if len(internal.Legs) != 2 || internal.Legs[1].AmountFen != 7 || internal.PayeeEvents[0].(*InternalTransferred).FeeFen != 0 {
		t.Errorf("E08 with a fee: %+v", internal)
	}
	if free := k.must(&TransferInternal{Payer: a, Payee: b, AmountFen: 1_001}); len(free.Legs) != 1 || len(free.Events) != 1 {
		t.Errorf("above the band: %+v", free)
	}
	out := k.sent(a, 10_000, true)
	k.refused(OverOriginal, &RefundFee{Transfer: out, AmountFen: 501})
	k.must(&RefundFee{Transfer: out, AmountFen: 500})
	k.refused(OverOriginal, &RefundFee{Transfer: out, AmountFen: 1})
	unpaid := k.sent(a, 10_000, false)
	k.refused(NotReversible, &RefundFee{Transfer: unpaid, AmountFen: 1})
}

func TestTheLatestAndNarrowestRowOfTheFeeTableCounts(t *testing.T) {
	table := FeeTable{
		{From: 20260101, FeeFen: 9},
		{From: 20260101, UpToFen: 5_000, FeeFen: 3},
		{From: 20260101, UpToFen: 100_000, FeeFen: 5},
		{From: 20270101, Move: MoveOutNonBound, FeeFen: 1},
		{From: 20260101, Product: ProductDemoCurrent, Channel: ChannelH5, UpToFen: 1, FeeFen: 2},
	}
	for _, c := range []struct {
		day     Date
		product string
		channel Channel
		move    Movement
		amount  int64
		want    int64
	}{
		{20251231, ProductClassI, ChannelApp, MoveInternal, 1, 0},
		{20260101, ProductClassI, ChannelApp, MoveInternal, 5_000, 3},
		{20260101, ProductClassI, ChannelApp, MoveInternal, 5_001, 5},
		{20260101, ProductClassI, ChannelApp, MoveInternal, 100_001, 9},
		{20270101, ProductClassI, ChannelApp, MoveOutNonBound, 1, 1},
		{20270101, ProductClassI, ChannelApp, MoveInternal, 1, 3},
		{20260101, ProductDemoCurrent, ChannelH5, MoveInternal, 1, 2},
		{20260101, ProductDemoCurrent, ChannelApp, MoveInternal, 1, 3},
	} {
		if got := table.On(c.day, c.product, c.channel, c.move, c.amount); got != c.want {
			t.Errorf("%+v: got %d", c, got)
		}
	}
}

// An unanswered transfer keeps its money pending whatever is asked, and its answer still settles it.
func TestATransferWithoutAnAnswerIsUnknownUntilThereIsOne(t *testing.T) {
	k := newTeller(t, 20261123)
	a := k.open(1, 2, true)
	txn := k.must(&TransferOut{Account: a, AmountFen: 600_000}).Txn
	d := k.must(&MarkUnknown{Transfer: txn})
	if len(d.Legs) != 0 || d.Txn != txn {
		t.Errorf("silence moved money: %+v", d)
	}
	k.refused(TransferSettledElse, &MarkUnknown{Transfer: txn})
	open := k.cust[1].OpenTransfers()
	if len(open) != 1 || !open[0].Unknown || open[0].Direction != Out {
		t.Errorf("in flight: %+v", open)
	}
	k.refused(DayOutLimit, &TransferOut{Account: a, AmountFen: 400_001})
	k.must(&ChannelResult{Transfer: txn})
	k.refused(TransferSettledElse, &MarkUnknown{Transfer: txn})
	k.must(&TransferOut{Account: a, AmountFen: 1_000_000})
}

func TestALargeTransferNeedsTheChannelsLimitAndTheCustomersConfirmation(t *testing.T) {
	k := newTeller(t, 20261123)
	k.env.Catalogue.ClassI = OwnLimits{} // which would come first
	a, b := k.classI(1), k.classI(2)
	k.refused(ChannelLimit, &TransferOut{Account: a, AmountFen: IBPSMaxFenDefault + 1, Confirmed: true})
	k.must(&TransferOut{Account: a, AmountFen: IBPSMaxFenDefault, Confirmed: true})
	k.env.Date = 20261124
	k.refused(ConfirmationRequired, &TransferInternal{Payer: a, Payee: b, AmountFen: ConfirmDayFenDefault + 1})
	k.must(&TransferInternal{Payer: a, Payee: b, AmountFen: ConfirmDayFenDefault})
	k.refused(ConfirmationRequired, &TransferOut{Account: a, AmountFen: 1})
	k.refused(ConfirmationRequired, &TransferOut{Account: a, AmountFen: 1, Bound: true})
	k.must(&TransferOut{Account: a, AmountFen: 1, Confirmed: true})
	k.must(&TransferOut{Account: a, AmountFen: 1, Channel: ChannelBranch})
	k.env.Date = 20261125
	k.must(&TransferOut{Account: a, AmountFen: 1})
}

func TestAPaymentSharesTheOutCounterWithTransfers(t *testing.T) {
	k := newTeller(t, 20261123)
	a := k.open(1, 2, true)
	d := k.must(&TransferOut{Account: a, AmountFen: 600_000, Payment: true})
	if d.Legs[0].Code != codePayment {
		t.Errorf("code %d", d.Legs[0].Code)
	}
	k.refused(DayOutLimit, &TransferOut{Account: a, AmountFen: 400_001})
	settled := k.must(&ChannelResult{Transfer: d.Txn, Success: true})
	if settled.Legs[0].Code != codePayment {
		t.Errorf("settled with code %d", settled.Legs[0].Code)
	}
}

func TestMoneyFromOutsideIsForWhomTheChannelNames(t *testing.T) {
	k := newTeller(t, 20261123)
	a := k.open(1, 2, true)
	k.cust[1].Person.NameToken = "name"
	k.refused(NameMismatch, &CreditInbound{Account: a, AmountFen: 1, NameToken: "other"})
	k.must(&CreditInbound{Account: a, AmountFen: 1, NameToken: "name"})
	k.must(&CreditInbound{Account: a, AmountFen: 1})
}

// What the house keeps in suspense leaves it once, whole, and to whom the bank has decided.
func TestAHeldReceiptIsAppliedOrReturnedOnce(t *testing.T) {
	k := newTeller(t, 20261123)
	a, unmet := k.open(1, 2, true), k.open(2, 2, false)
	house := HouseNo(a.Customer().Shard())
	book := func(kind SuspenseKind) TxnID {
		return k.must(&BookSuspense{House: house, Kind: kind, Channel: ChannelIBPS, AmountFen: 5_000, ChannelSerial: "X", Reason: "t"}).Txn
	}
	held, sent, surplus, shortage := book(Held), book(Held), book(Surplus), book(Shortage)
	k.refused(AmountInvalid, &EndSuspense{Txn: held, Way: ToAccount, Account: a, AmountFen: 4_999})
	k.refused(ClassNotAllowed, &EndSuspense{Txn: held, Way: ToAccount, Account: unmet, AmountFen: 5_000})
	k.refused(FieldInvalid, &EndSuspense{Txn: held, Way: WriteOff, AmountFen: 5_000})
	d := k.must(&EndSuspense{Txn: held, Way: ToAccount, Account: a, AmountFen: 5_000})
	if d.Payee != 1 || d.Legs[0].Code != 1104 {
		t.Errorf("E05: %+v", d)
	}
	k.refused(SuspenseUnknown, &EndSuspense{Txn: held, Way: ToChannel, AmountFen: 5_000})
	k.must(&EndSuspense{Txn: sent, Way: ToChannel, AmountFen: 5_000})
	k.must(&EndSuspense{Txn: surplus, Way: WriteOff, AmountFen: 5_000})
	k.refused(FieldInvalid, &EndSuspense{Txn: shortage, Way: ToChannel, AmountFen: 5_000})
	k.must(&EndSuspense{Txn: shortage, Way: WriteOff, AmountFen: 5_000})
	if k.cust[house].Unsettled != nil {
		t.Errorf("left: %+v", k.cust[house].Unsettled)
	}
	if day, _ := k.desk[1].Standing(a).In.On(20261123); day != 5_000 {
		t.Errorf("%d counted as received", day)
	}
}

func TestAShortageIsClaimedOnceAndRepaidOnce(t *testing.T) {
	k := newTeller(t, 20261123)
	a := k.open(1, 2, true)
	txn := k.sent(a, 10_000, false)
	k.must(&ClaimShortage{Transfer: txn})
	k.refused(AlreadyResolved, &ClaimShortage{Transfer: txn})
	k.must(&RepayShortage{Transfer: txn})
	k.refused(NothingOwed, &RepayShortage{Transfer: txn})
	k.refused(NotReversible, &ClaimShortage{Transfer: k.sent(a, 10_000, true)})
}

func TestAReversalMirrorsTheLegsAndIsMadeOnce(t *testing.T) {
	k := newTeller(t, 20261123)
	a, b := k.classI(1), k.classI(2)
	k.env.Catalogue.Transfers.Fees = FeeTable{{From: 20200101, FeeFen: 5}}
	original := k.must(&TransferInternal{Payer: a, Payee: b, AmountFen: 1_000})
	pending := k.must(&TransferOut{Account: a, AmountFen: 10})
	k.refused(TransferNotSettled, &ReverseTransaction{Transfer: pending.Txn, Reason: "r"})
	d := k.must(&ReverseTransaction{Transfer: original.Txn, Reason: "twice", By: By{"ming", "hua"}})
	first, taken := d.Legs[0], d.Legs[1:]
	if first.Debit != original.Legs[1].Credit || first.Credit != original.Legs[1].Debit || first.Code != 31131 {
		t.Errorf("the fee: %+v", first)
	}
	if len(taken) != 3 || taken[0].Credit != original.Legs[0].Debit || taken[1].Debit != original.Legs[0].Credit || taken[0].Code != 31121 {
		t.Errorf("the amount: %+v", taken)
	}
	e := d.PayeeEvents[0].(*TransactionReversed)
	if d.Payee != 2 || e.Direction != Out || e.Kind != SameDay || e.Operator != "ming" || e.Approver != "hua" {
		t.Errorf("the payee's event: %+v", e)
	}
	k.refused(AlreadyReversed, &ReverseTransaction{Transfer: original.Txn, Reason: "r"})
	k.refused(AlreadyReversed, &RefundFee{Transfer: original.Txn, AmountFen: 5})
	later := k.must(&CreditInbound{Account: a, AmountFen: 1_000})
	k.env.Date = 20261124
	if d := k.must(&ReverseTransaction{Transfer: later.Txn, Reason: "r"}); d.Legs[0].Code != 41102 {
		t.Errorf("code on a later day: %d", d.Legs[0].Code)
	}
	out := k.sent(a, 100, true)
	k.must(&ReturnTransfer{Transfer: out, AmountFen: 100})
	k.refused(NotReversible, &ReverseTransaction{Transfer: out, Reason: "r"})
}

// The money of a reversed transfer must earn interest as if it had never been moved.
func TestAReversalCountsFromTheOriginalsDay(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		k := newTeller(t, 20261001)
		a, b := k.classI(1), k.classI(2)
		k.must(&CreditInbound{Account: a, AmountFen: 1_000_000})
		k.env.Date = k.env.Date.AddDays(rapid.IntRange(0, 20).Draw(r, "after"))
		txn := k.must(&TransferInternal{Payer: a, Payee: b, AmountFen: 100 * rapid.Int64Range(1, 10_000).Draw(r, "yuan")}).Txn
		k.env.Date = k.env.Date.AddDays(rapid.IntRange(0, 20).Draw(r, "days"))
		k.must(&ReverseTransaction{Transfer: txn, Reason: "r"})
		for no, want := range map[AccountNo]int64{a: 1_000_000, b: 0} {
			demand := k.desk[no.Customer()].Standing(no).Demand
			demand.Advance(20261120)
			if demand.BalanceFen != want || demand.FenDays != want*int64(Days(20261001, 20261120)) {
				r.Fatalf("account %s: %d fen, %d fen-days", no, demand.BalanceFen, demand.FenDays)
			}
		}
	})
}
