package bank

import (
	"testing"
)

// teller decides commands one after the other as if the ledger took every chain.
type teller struct {
	t    *testing.T
	env  Env
	cust map[CustomerNo]*Customer
	desk map[CustomerNo]*Desk
	past map[TxnID]*Past
}

func newTeller(t *testing.T, today Date) *teller {
	return &teller{
		t: t, cust: map[CustomerNo]*Customer{}, desk: map[CustomerNo]*Desk{}, past: map[TxnID]*Past{},
		env: Env{Millis: 1_780_000_000_000, Date: today, Catalogue: DefaultCatalogue(), Birth: 19850615},
	}
}

func (k *teller) do(cmd Command) (Decision, *Refusal) {
	no := DeciderOf(cmd)
	c, d := k.cust[no], k.desk[no]
	if c == nil {
		c, d = &Customer{No: no}, &Desk{}
		k.cust[no], k.desk[no] = c, d
	}
	env := k.env
	env.Date = BookedOn(cmd, k.env.Date)
	credit, ok := CreditOf(cmd)
	if txn, asks := PastOf(c, cmd); asks {
		if env.Past = k.past[txn]; !ok {
			credit, ok = PartyOf(cmd, env.Past)
		}
	}
	if ok {
		desk := k.desk[credit.Account.Customer()]
		if desk == nil {
			desk = &Desk{}
		}
		standing, r := desk.Admit(credit, env.Date, env.Catalogue)
		if r != nil {
			return Decision{}, r
		}
		defer desk.Release(credit)
		env.Credited = standing
	}
	if NeedsDesk(cmd) {
		env.Desk = d.Clone()
	}
	dec, r := Decide(c, cmd, &env)
	if r != nil {
		return dec, r
	}
	c.Seq++
	for _, e := range dec.Events {
		c.Apply(e, env.Date)
		d.Apply(e, env.Date)
	}
	for _, e := range dec.PayeeEvents {
		k.desk[dec.Payee].Apply(e, env.Date)
	}
	k.remember(dec, env.Date)
	return dec, nil
}

// remember adds the decision to the past of its transaction, as if the ledger had moved all it was asked to.
func (k *teller) remember(d Decision, on Date) {
	p := k.past[d.Txn]
	if p == nil {
		p = &Past{Txn: d.Txn, Date: on}
		k.past[d.Txn] = p
	}
	p.Events = append(append(p.Events, d.Events...), d.PayeeEvents...)
	for _, leg := range d.Legs {
		if leg.Flags&(LegPending|LegVoid) == 0 {
			p.Entries = append(p.Entries, Entry{leg.Debit, leg.Credit, leg.Ledger, leg.AmountFen, leg.Code, on})
		}
	}
}

func (k *teller) must(cmd Command) Decision {
	k.t.Helper()
	d, r := k.do(cmd)
	if r != nil {
		k.t.Fatalf("%s refused: %v", cmd.Operation(), r)
	}
	return d
}

func (k *teller) refused(want RefusalCode, cmd Command) {
	k.t.Helper()
	before := k.cust[DeciderOf(cmd)]
	seq := uint64(0)
	if before != nil {
		seq = before.Seq
	}
	_, r := k.do(cmd)
	if r == nil || r.Code != want {
		k.t.Errorf("%s %+v: got %v, want %s", cmd.Operation(), cmd, r, want)
	}
	if before != nil && before.Seq != seq {
		k.t.Errorf("%s: a refusal changed the customer", cmd.Operation())
	}
}

var card = CardSealed{Token: "card-token", Masked: "622848*********0018", Bank: "ABC", Kind: "CLASS_1"}

// open registers a customer and opens an account of the class.
func (k *teller) open(no CustomerNo, class Class, faceToFace bool) AccountNo {
	k.t.Helper()
	if k.cust[no] == nil {
		k.must(&RegisterCustomer{Customer: no, IDKind: ResidentID, Region: 220113})
	}
	d := k.must(&OpenAccount{Customer: no, Class: class, FaceToFace: faceToFace, Card: card})
	return d.Events[0].(*AccountOpened).AccountNo
}

func TestATransferIsRefusedForEachReasonAndChangesNothing(t *testing.T) {
	k := newTeller(t, 20261123)
	a, b, unmet := k.open(1, 2, true), k.open(2, 2, true), k.open(3, 2, false)
	k.refused(SameAccount, &TransferInternal{Payer: a, Payee: a, AmountFen: 1})
	k.refused(AmountInvalid, &TransferInternal{Payer: a, Payee: b, AmountFen: AmountMaxFen + 1})
	k.refused(ClassNotAllowed, &TransferInternal{Payer: a, Payee: unmet, AmountFen: 1})
	k.refused(PayeeUnknown, &TransferInternal{Payer: a, Payee: NewAccountNo(2, 2, 7), AmountFen: 1})
	k.refused(PayeeUnknown, &TransferInternal{Payer: a, Payee: NewAccountNo(2, 99, 0), AmountFen: 1})
	k.refused(AccountUnknown, &TransferInternal{Payer: NewAccountNo(2, 1, 7), Payee: b, AmountFen: 1})
	k.refused(CustomerUnknown, &TransferOut{Account: NewAccountNo(2, 77, 0), AmountFen: 1, Bound: true})
	k.refused(DateNotAllowed, &TransferInternal{Payer: a, Payee: b, AmountFen: 1, Date: 20260101})
	k.refused(DayOutLimit, &TransferOut{Account: a, AmountFen: 1_000_001})
	k.must(&TransferOut{Account: a, AmountFen: 50_000_000, Bound: true, Confirmed: true}) // the bound card is outside the limit
	k.refused(TransferUnknown, &ChannelResult{Transfer: NewTxnID(1, 1, 999), Success: true})
}

// A payer could otherwise push a payee over the limit that a regulator counts against the payee.
func TestThePayeesDayLimitCountsEveryPayer(t *testing.T) {
	k := newTeller(t, 20261123)
	a, b, c := k.open(1, 2, true), k.open(2, 2, true), k.open(3, 2, true)
	k.must(&TransferInternal{Payer: a, Payee: c, AmountFen: 600_000})
	k.refused(DayInLimit, &TransferInternal{Payer: b, Payee: c, AmountFen: 400_001})
	k.must(&TransferInternal{Payer: b, Payee: c, AmountFen: 400_000})
	k.env.Date = 20261124
	k.must(&TransferInternal{Payer: b, Payee: c, AmountFen: 500_000})
}

// The regulator's counter is one for transfers and consumption, and a failed transfer gives it back.
func TestAFailedTransferOutGivesTheLimitBack(t *testing.T) {
	k := newTeller(t, 20261123)
	a := k.open(1, 2, true)
	d := k.must(&TransferOut{Account: a, AmountFen: 1_000_000, PayeeToken: "x"})
	k.refused(DayOutLimit, &TransferOut{Account: a, AmountFen: 1, PayeeToken: "x"})
	k.must(&ChannelResult{Transfer: d.Txn})
	k.refused(TransferSettledElse, &ChannelResult{Transfer: d.Txn})
	for field, success := range map[string]bool{"transfer_id": false, "result": true} {
		if _, r := k.do(&ChannelResult{Transfer: d.Txn, Success: success}); r == nil || r.Field != field {
			t.Errorf("a failure answered with success %v: %v", success, r)
		}
	}
	d = k.must(&TransferOut{Account: a, AmountFen: 1_000_000, PayeeToken: "x"})
	k.must(&ChannelResult{Transfer: d.Txn, Success: true})
	k.refused(DayOutLimit, &TransferOut{Account: a, AmountFen: 1, PayeeToken: "x"})
}

// Demonstration accounts make money out of nothing: none of it may reach a customer's real account.
func TestDemonstrationMoneyStaysAmongDemonstrations(t *testing.T) {
	k := newTeller(t, 20261123)
	a := k.open(1, 2, true)
	k.must(&RegisterCustomer{Customer: 2, IDKind: OtherID, Date: 19930101})
	demo := k.must(&OpenAccount{Customer: 2, Class: 1, Product: ProductDemoCurrent, Date: 19930101}).Events[0].(*AccountOpened).AccountNo
	k.must(&TransferOut{Account: demo, AmountFen: 5, PayeeToken: "x", Date: 19930102})
	k.refused(ClassNotAllowed, &TransferInternal{Payer: demo, Payee: a, AmountFen: 1})
	k.refused(ClassNotAllowed, &TransferInternal{Payer: a, Payee: demo, AmountFen: 1})
	k.refused(ClassNotAllowed, &BuyDeposit{Account: demo, Product: ProductJFC3M, AmountFen: 1_000_000})
	k.refused(ProductNotOnSale, &OpenAccount{Customer: 2, Class: 2, Card: card})
}

func TestOpeningAnAccountFollowsTheClassRules(t *testing.T) {
	k := newTeller(t, 20261123)
	k.must(&RegisterCustomer{Customer: 1, IDKind: ResidentID, Region: 220113})
	k.refused(CustomerExists, &RegisterCustomer{Customer: 1, IDKind: ResidentID})
	k.refused(BoundCardRequired, &OpenAccount{Customer: 1, Class: 2})
	k.refused(ClassNotAllowed, &OpenAccount{Customer: 1, Class: 1, Card: card})
	k.refused(ProductUnknown, &OpenAccount{Customer: 1, Class: 2, Product: "GOLD", Card: card})
	k.refused(DateNotAllowed, &OpenAccount{Customer: 1, Class: 2, Card: card, Date: 20200101})
	for range 5 {
		k.must(&OpenAccount{Customer: 1, Class: 2, Card: card})
	}
	k.refused(AccountsMax, &OpenAccount{Customer: 1, Class: 2, Card: card})
	k.env.Birth = 20081124
	k.refused(AgeNotAllowed, &OpenAccount{Customer: 1, Class: 1, FaceToFace: true})
	k.env.Birth = 20081123
	k.must(&OpenAccount{Customer: 1, Class: 1, FaceToFace: true})
}

func TestADepositIsBoughtAndRedeemedInParts(t *testing.T) {
	k := newTeller(t, 20260131)
	a := k.open(1, 2, true)
	k.refused(ProductUnknown, &BuyDeposit{Account: a, Product: "X", AmountFen: 10_000_000})
	k.refused(BelowMinimum, &BuyDeposit{Account: a, Product: ProductSLC6M, AmountFen: 4_999})
	d := k.must(&BuyDeposit{Account: a, Product: ProductSLC6M, AmountFen: 10_000_000})
	no := d.Events[0].(*DepositOpened).DepositNo
	k.refused(OverDeposit, &RedeemDeposit{Deposit: no, AmountFen: 10_000_001})
	k.refused(RestBelowMinimum, &RedeemDeposit{Deposit: no, AmountFen: 9_999_999})
	k.refused(DepositUnknown, &RedeemDeposit{Deposit: NewContractNo(DepositContract, 1, 9), All: true})
	k.env.Date = 20260411 // TD11
	paid := k.must(&RedeemDeposit{Deposit: no, AmountFen: 4_000_000}).Events[0].(*DepositRedeemedEarly)
	if paid.InterestFen != 1_556 || paid.RemainingFen != 6_000_000 || paid.Days != 70 {
		t.Errorf("part redemption: %+v", paid)
	}
	k.env.Date = 20260731
	matured := k.must(&RedeemDeposit{Deposit: no, All: true}).Events[0].(*DepositMatured)
	if matured.PrincipalFen+matured.InterestFen != 6_046_500 {
		t.Errorf("maturity: %+v", matured)
	}
	k.refused(DepositClosed, &RedeemDeposit{Deposit: no, All: true})
}

// lend grants and draws LN01: 100,000 at the product's rate over 12 months.
func lend(k *teller) (AccountNo, ContractNo) {
	a := k.open(1, 2, true)
	d := k.must(&ApplyLoan{Customer: 1, Product: ProductGHD, AmountFen: 10_000_000, TermMonths: 12, Purpose: "decoration"})
	line := d.Events[2].(*CreditLineGranted).LineNo
	drawn := k.must(&DrawLoan{Line: line, Account: a, AmountFen: 10_000_000, Method: EqualInstalment, Periods: 12})
	return a, drawn.Events[0].(*LoanDisbursed).LoanNo
}

func TestALoanIsRepaidInstalmentByInstalmentUntilNothingIsOwed(t *testing.T) {
	k := newTeller(t, 20260115)
	_, loan := lend(k)
	total := int64(0)
	for i := 1; i <= 12; i++ {
		row := k.cust[1].Loans[0].Schedule[i-1]
		k.env.Date = row.Instalment.Due
		d := k.must(&RepayLoan{Loan: loan, AmountFen: row.PrincipalFen + row.InterestFen})
		total += row.PrincipalFen
		if left := k.cust[1].Loans[0].RemainingFen; left != 10_000_000-total {
			t.Fatalf("after instalment %d %d is left", i, left)
		}
		if _, settled := d.Events[len(d.Events)-1].(*LoanSettled); settled != (i == 12) {
			t.Fatalf("instalment %d: settled %v", i, settled)
		}
	}
	k.refused(LoanClosed, &RepayLoan{Loan: loan, AmountFen: 1})
}

func TestALoanIsPrepaidAndSettledAheadOfTime(t *testing.T) {
	k := newTeller(t, 20260115)
	_, loan := lend(k)
	k.refused(AmountInvalid, &RepayLoan{Loan: loan, AmountFen: 0})
	k.env.Date = 20260201
	d := k.must(&RepayLoan{Loan: loan, AmountFen: 3_000_000, Mode: ReduceAmount})
	if p := d.Events[0].(*LoanPrepaid); p.RemainingFen != 7_000_000 || len(p.NewSchedule) != 12 {
		t.Errorf("prepaid: %+v", p)
	}
	d = k.must(&RepayLoan{Loan: loan, Settle: true})
	if _, ok := d.Events[0].(*LoanSettled); !ok || !k.cust[1].Loans[0].Settled {
		t.Errorf("not settled: %T", d.Events[0])
	}
}

func TestAnApplicationIsRejectedWithItsReasons(t *testing.T) {
	k := newTeller(t, 20260115)
	k.open(1, 2, true)
	k.cust[1].Region = 110105
	k.env.Birth = 19500101
	d := k.must(&ApplyLoan{Customer: 1, Product: ProductGHD, AmountFen: 10_000_000, TermMonths: 12})
	got := d.Events[1].(*RiskDecided)
	if got.Result != "REJECTED" || len(got.Reasons) != 2 || len(d.Legs) != 0 {
		t.Errorf("decided: %+v", got)
	}
	k.refused(ProductNotOnSale, &ApplyLoan{Customer: 1, Product: ProductJHD, AmountFen: 10_000_000, TermMonths: 12})
	k.refused(LineUnknown, &DrawLoan{Line: NewContractNo(LineContract, 1, 1), Account: NewAccountNo(2, 1, 0), AmountFen: 1, Method: Bullet, Periods: 1})
}

// Recovery rebuilds a customer from stored events; a field left out of the encoding would come back
// as nothing.
func TestEveryEventSurvivesTheJournalsEncoding(t *testing.T) {
	k := newTeller(t, 20260115)
	var decided []Event
	record := func(d Decision) { decided = append(append(decided, d.Events...), d.PayeeEvents...) }
	a := k.open(1, 2, true)
	b := k.open(2, 2, true)
	record(k.must(&TransferInternal{Payer: a, Payee: b, AmountFen: 5, Summary: "茶"}))
	record(k.must(&TransferOut{Account: a, AmountFen: 7, PayeeToken: "t", PayeeBank: "ICBC"}))
	record(k.must(&BuyDeposit{Account: a, Product: ProductSFC3Y, AmountFen: 10_000}))
	record(k.must(&ApplyLoan{Customer: 1, Product: ProductGHD, AmountFen: 10_000_000, TermMonths: 12, Purpose: "p"}))
	record(k.must(&DrawLoan{Line: k.cust[1].Lines[0].No, Account: a, AmountFen: 1_000_000, Method: EqualInstalment, Periods: 6}))
	for _, e := range decided {
		body, err := Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeEvent(e.EventType(), body)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Encode(back)
		if err != nil || string(again) != string(body) {
			t.Errorf("%T changed: %v", e, err)
		}
	}
}
