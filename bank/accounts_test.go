package bank

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// fund puts money on an account from its bound card.
func (k *teller) fund(no AccountNo, fen int64) {
	k.t.Helper()
	d := k.must(&TransferIn{Account: no, AmountFen: fen})
	k.must(&ChannelResult{Transfer: d.Txn, Success: true})
}

// at is an account with its standing.
func (k *teller) at(no AccountNo) (*EAccount, *Standing) {
	return k.cust[no.Customer()].account(no), k.desk[no.Customer()].Standing(no)
}

// line grants the customer a credit line.
func (k *teller) line(no CustomerNo) ContractNo {
	k.t.Helper()
	d := k.must(&ApplyLoan{Customer: no, Product: ProductGHD, AmountFen: 20_000_000, TermMonths: 12, Purpose: "decoration"})
	return d.Events[2].(*CreditLineGranted).LineNo
}

// The limits of the law hold on the way that commands take, not only in the function that states them.
func TestClassLimitVectorsHoldForCommands(t *testing.T) {
	names := map[string]RefusalCode{"OK": NoRefusal, "BAD_AMOUNT": AmountInvalid}
	tried := map[Movement]int{}
	for _, v := range readShared[ruleVectors](t, "vectors", "rules.json").Limits.Cases {
		k := newTeller(t, 20261123)
		k.env.Catalogue.Transfers.IBPSMaxFen = 0 // the channel's limit, which comes behind the law's
		class := classOfRoman[v.Class]
		no := k.open(1, class, class == 1 || v.FaceToFace)
		var cmd Command
		switch v.Op {
		case MoveConsume:
			cmd = &TransferOut{Account: no, AmountFen: v.Amount, PayeeToken: "x", Payment: true, Confirmed: true}
		case MoveOutNonBound:
			cmd = &TransferOut{Account: no, AmountFen: v.Amount, PayeeToken: "x", Channel: ChannelBranch, Confirmed: true}
		case MoveOutBound:
			cmd = &TransferOut{Account: no, AmountFen: v.Amount, Bound: true, Confirmed: true}
		case MoveInNonBound:
			cmd = &CreditInbound{Account: no, AmountFen: v.Amount}
		case MoveInBound:
			cmd = &TransferIn{Account: no, AmountFen: v.Amount}
		case MoveBuyDeposit:
			cmd = &BuyDeposit{Account: no, Product: ProductJFC3M, AmountFen: v.Amount}
		case MoveLoanDisburse:
			cmd = &DrawLoan{Line: k.line(1), Account: no, AmountFen: v.Amount, Method: EqualInstalment, Periods: 12}
		case MoveLoanRepay:
			loan := k.must(&DrawLoan{Line: k.line(1), Account: no, AmountFen: v.Amount, Method: EqualInstalment, Periods: 12})
			cmd = &RepayLoan{Loan: loan.Events[0].(*LoanDisbursed).LoanNo, AmountFen: v.Amount}
		case MoveInterest:
			_, s := k.at(no)
			s.Demand.setDue([]DemandPeriod{{From: 20260621, Through: 20260920, FenDays: v.Amount * 180_000}})
			cmd = &CreditInterest{Account: no, Date: k.env.Date}
		default:
			t.Fatalf("%s: nobody tries %s", v.Note, v.Op)
		}
		tried[v.Op]++
		a, s := k.at(no)
		a.Out = Counter{Day: k.env.Date, DayFen: v.DayOut, YearFen: max(v.DayOut, v.YearOut)}
		s.In = Counter{Day: k.env.Date, DayFen: v.DayIn, YearFen: max(v.DayIn, v.YearIn)}
		s.Funded = s.Funded || v.Funded
		s.post(k.env.Date, k.env.Date, v.Balance-s.BalanceFen())
		want, named := names[v.Expect]
		if !named {
			want = RefusalCode(v.Expect)
		}
		_, r := k.do(cmd)
		if got := codeOf(r); got != want {
			t.Errorf("%s: %s, want %s", v.Note, got, want)
		}
	}
	if len(tried) != 9 {
		t.Errorf("kinds of movements tried: %v", tried)
	}
}

func codeOf(r *Refusal) RefusalCode {
	if r == nil {
		return NoRefusal
	}
	return r.Code
}

// Each state and each restriction leaves a customer what the matrix leaves him, whatever command he tries.
func TestTheStateMatrixHoldsForCommands(t *testing.T) {
	rows := readShared[ruleVectors](t, "vectors", "rules.json").Matrix.Rows
	for kind, row := range rows {
		k := newTeller(t, 20260401)
		no := k.open(1, 2, true)
		k.fund(no, 100_000_000)
		line := k.line(1)
		deposit := k.must(&BuyDeposit{Account: no, Product: ProductJFC3M, AmountFen: 1_000_000}).Events[0].(*DepositOpened).DepositNo
		k.env.Date = 20260701
		a, s := k.at(no)
		switch kind {
		case Unrestricted:
		case Dormant, PreClose, Closed:
			a.State, s.State = AccountState(kind), AccountState(kind)
		case PartialFrozen:
			k.must(&RestrictAccount{Account: no, Kind: kind, Authority: "court", DocumentNo: "1", AmountFen: 5_000_000})
		default:
			k.must(&RestrictAccount{Account: no, Kind: kind, Authority: "court", DocumentNo: "1"})
		}
		commands := []Command{
			&TransferOut{Account: no, AmountFen: 1, Bound: true},
			&CreditInbound{Account: no, AmountFen: 1},
			&BuyDeposit{Account: no, Product: ProductJFC3M, AmountFen: 5_000},
			&DrawLoan{Line: line, Account: no, AmountFen: 1_000_000, Method: EqualInstalment, Periods: 12},
			&RedeemDeposit{Deposit: deposit, All: true},
			nil, // automatic deduction belongs to the loans
		}
		for action, cmd := range commands {
			if cmd == nil {
				continue
			}
			_, r := k.do(cmd)
			if allowed := r == nil; allowed != (row[action] != "N") {
				t.Errorf("%s: %s is answered %v, the matrix says %s", kind, cmd.Operation(), r, row[action])
			}
		}
	}
	if len(rows) != 11 {
		t.Errorf("%d rows", len(rows))
	}
}

// What is above a freeze can be used, unless the freeze has not got all it asks for.
func TestMoneyAboveAFreezeCanBeUsedOnceTheFreezeIsFull(t *testing.T) {
	k := newTeller(t, 20260701)
	no := k.open(1, 2, true)
	k.fund(no, 1_000_000)
	freeze := k.must(&RestrictAccount{Account: no, Kind: PartialFrozen, Authority: "court", DocumentNo: "1", AmountFen: 1_500_000})
	placed := freeze.Events[1].(*HoldPlaced)
	if placed.AmountFen != 1_000_000 || placed.ShortfallFen != 500_000 || freeze.Legs[0].AmountFen != 1_000_000 {
		t.Fatalf("placed: %+v", placed)
	}
	k.refused(FundsFrozen, &TransferOut{Account: no, AmountFen: 1, Bound: true})
	k.refused(NotDue, &FillHolds{Account: no})
	k.fund(no, 800_000)
	k.refused(FundsFrozen, &TransferOut{Account: no, AmountFen: 1, Bound: true})
	k.must(&FillHolds{Account: no})
	_, s := k.at(no)
	same(t, "available", s.availableFen(), 300_000)
	k.must(&TransferOut{Account: no, AmountFen: 300_000, Bound: true})
	k.refused(NotDue, &FillHolds{Account: no})
}

func TestFreezesWaitTheirTurn(t *testing.T) {
	k := newTeller(t, 20260701)
	no := k.open(1, 2, true)
	k.fund(no, 1_000_000)
	freeze := func(kind Restriction, fen int64, document string) AccountRestriction {
		d := k.must(&RestrictAccount{Account: no, Kind: kind, Authority: "court", DocumentNo: document, AmountFen: fen})
		return d.Events[0].(*AccountRestricted).AccountRestriction
	}
	first, beside := freeze(PartialFrozen, 400_000, "1"), freeze(PartialFrozen, 700_000, "2")
	same(t, "queue of the first", first.Queue, 0)
	same(t, "queue of one that finds money left", beside.Queue, 0)
	third, fourth := freeze(FrozenAll, 0, "3"), freeze(PartialFrozen, 100, "4")
	same(t, "queue of the third", third.Queue, 1)
	same(t, "queue of the fourth", fourth.Queue, 2)

	// The second lacks 100,000; what the first lets go is the second's before it is anybody else's.
	k.must(&ReleaseRestriction{Restriction: first.ID, DocumentNo: "5"})
	a, _ := k.at(no)
	same(t, "short", a.held(beside.ID).ShortFen(), 100_000)
	k.must(&FillHolds{Account: no})
	same(t, "short", a.held(beside.ID).ShortFen(), 0)
	if r := a.Special.Restrictions[a.Special.Restrictions.index(third.ID)]; r.Queue != 0 {
		t.Fatalf("the freeze before it is full, and this one waits: %+v", r)
	}
	if r := a.Special.Restrictions[a.Special.Restrictions.index(fourth.ID)]; r.Queue != 1 {
		t.Errorf("the last has not moved up: %+v", r)
	}
	k.must(&FillHolds{Account: no})
	same(t, "held of what is left", a.held(third.ID).HeldFen(), 300_000)
	k.must(&ReleaseRestriction{Restriction: third.ID})
	k.must(&ReleaseRestriction{Restriction: fourth.ID})
	k.must(&ReleaseRestriction{Restriction: beside.ID})
	if a.Special != nil {
		t.Errorf("left over: %+v", a.Special)
	}
	_, s := k.at(no)
	same(t, "available in the end", s.availableFen(), 1_000_000)
	k.refused(RestrictionUnknown, &ReleaseRestriction{Restriction: beside.ID})
}

func TestRestrictionsEndByThemselves(t *testing.T) {
	k := newTeller(t, 20260701)
	k.env.Millis = beginning(20260701)
	no := k.open(1, 2, true)
	k.fund(no, 1_000)
	stop := k.must(&RestrictAccount{Account: no, Kind: EmergencyStop, Authority: "police", DocumentNo: "1"}).Txn
	freeze := k.must(&RestrictAccount{Account: no, Kind: PartialFrozen, Authority: "court", DocumentNo: "2", AmountFen: 400}).Txn
	due := func() []SystemCommand { return accountsDue(k.cust[1], k.desk[1], k.env.Date, k.env.Catalogue) }
	out := &TransferOut{Account: no, AmountFen: 1, Bound: true}
	k.refused(AccountIsRestricted, out)
	k.env.Millis += EmergencyStopMillis - 1
	k.refused(AccountIsRestricted, out)
	k.refused(NotDue, &LapseRestriction{Restriction: stop})
	same(t, "commands due", len(due()), 0)
	k.env.Millis++
	k.env.Date = 20260703
	k.must(out) // though nobody has ended it yet
	for _, s := range due() {
		k.must(s.Command)
	}
	k.refused(RestrictionUnknown, &LapseRestriction{Restriction: stop})

	k.refused(FieldInvalid, &RenewRestriction{Restriction: freeze, Until: 20270704})
	k.env.Date = 20270701
	same(t, "commands due on its last day", len(due()), 0)
	k.must(&RenewRestriction{Restriction: freeze, Until: 20280701, DocumentNo: "3"})
	k.env.Date = 20280702
	k.refused(FieldInvalid, &RenewRestriction{Restriction: freeze, Until: 20280801})
	for _, s := range due() {
		k.must(s.Command)
	}
	a, s := k.at(no)
	if a.Special != nil || s.availableFen() != 999 || s.Apart.OutFen != 1 {
		t.Errorf("after the freeze: %+v, %+v", a.Special, s)
	}
}

func TestARestrictionIsRefusedForEachReason(t *testing.T) {
	k := newTeller(t, 20260701)
	no := k.open(1, 2, true)
	order := func(change func(*RestrictAccount)) Command {
		m := &RestrictAccount{Account: no, Kind: PartialFrozen, Authority: "court", DocumentNo: "1", AmountFen: 100}
		change(m)
		return m
	}
	for _, c := range []struct {
		code   RefusalCode
		change func(*RestrictAccount)
	}{
		{AccountUnknown, func(m *RestrictAccount) { m.Account = NewAccountNo(2, 1, 9) }},
		{FieldInvalid, func(m *RestrictAccount) { m.Kind = Dormant }},
		{FieldInvalid, func(m *RestrictAccount) { m.Kind = "NONSENSE" }},
		{FieldInvalid, func(m *RestrictAccount) { m.Authority = "" }},
		{FieldInvalid, func(m *RestrictAccount) { m.DocumentNo = "" }},
		{AmountInvalid, func(m *RestrictAccount) { m.AmountFen = 0 }},
		{AmountInvalid, func(m *RestrictAccount) { m.AmountFen = -1 }},
		{AmountInvalid, func(m *RestrictAccount) { m.Kind = DebitStop }},
		{FieldInvalid, func(m *RestrictAccount) { m.Until = 20260630 }},
		{FieldInvalid, func(m *RestrictAccount) { m.Until = 20270702 }},
		{FieldInvalid, func(m *RestrictAccount) { m.Kind, m.AmountFen, m.Until = EmergencyStop, 0, 20260702 }},
	} {
		k.refused(c.code, order(c.change))
	}
	for range RestrictionsMax {
		k.must(&RestrictAccount{Account: no, Kind: DebitStop})
	}
	k.refused(RestrictionsFull, order(func(*RestrictAccount) {}))
}

func TestAHoldForAPledgeOrAProofTakesWhatIsThereAndNoLess(t *testing.T) {
	k := newTeller(t, 20260701)
	no := k.open(1, 2, true)
	k.fund(no, 1_000)
	k.refused(InsufficientFunds, &PlaceHold{Account: no, Kind: Pledge, AmountFen: 1_001})
	k.refused(FieldInvalid, &PlaceHold{Account: no, Kind: Judicial, AmountFen: 1})
	k.refused(FieldInvalid, &PlaceHold{Account: no, Kind: Proof, AmountFen: 1})
	k.refused(AmountInvalid, &PlaceHold{Account: no, Kind: Pledge})
	pledge := k.must(&PlaceHold{Account: no, Kind: Pledge, AmountFen: 600}).Txn
	proof := k.must(&PlaceHold{Account: no, Kind: Proof, AmountFen: 400, Until: 20260731}).Txn
	k.refused(InsufficientFunds, &PlaceHold{Account: no, Kind: Pledge, AmountFen: 1})
	k.refused(HoldUnknown, &DeductHold{Hold: pledge, AmountFen: 1, DocumentNo: "1"})
	k.refused(NotDue, &LapseHold{Hold: proof})
	k.must(&ReleaseHold{Hold: pledge})
	k.refused(HoldUnknown, &ReleaseHold{Hold: pledge})
	k.env.Date = 20260801
	k.must(&LapseHold{Hold: proof})
	_, s := k.at(no)
	same(t, "available", s.availableFen(), 1_000)
}

func TestAJudicialDeductionTakesNoMoreThanTheHoldHas(t *testing.T) {
	k := newTeller(t, 20260701)
	no := k.open(1, 2, true)
	k.fund(no, 1_000)
	freeze := k.must(&RestrictAccount{Account: no, Kind: PartialFrozen, Authority: "court", DocumentNo: "1", AmountFen: 2_000}).Txn
	k.fund(no, 500)
	k.must(&FillHolds{Account: no})
	k.refused(OverHold, &DeductHold{Hold: freeze, AmountFen: 1_501, DocumentNo: "2"})
	k.refused(FieldInvalid, &DeductHold{Hold: freeze, AmountFen: 1})
	k.refused(AmountInvalid, &DeductHold{Hold: freeze, AmountFen: 0, DocumentNo: "2"})
	k.refused(HoldUnknown, &ReleaseHold{Hold: freeze}) // only with its restriction
	d := k.must(&DeductHold{Hold: freeze, AmountFen: 1_200, DocumentNo: "2"})
	// The first part whole, 200 of the second, its rest held again, and the remittance.
	same(t, "legs", len(d.Legs), 4)
	a, s := k.at(no)
	h := a.held(freeze)
	same(t, "held", h.HeldFen(), 300)
	same(t, "asked", h.AskedFen, 800)
	same(t, "balance", s.BalanceFen(), 300)
	same(t, "available", s.availableFen(), 0)
	deduction := d.Events[0].(*HoldDeducted).DeductionID
	k.must(&RemitDeduction{Deduction: deduction})
	k.must(&RemitDeduction{Deduction: deduction, Success: true})
	k.refused(DeductionUnknown, &RemitDeduction{Deduction: deduction, Success: true})
	k.must(&ReleaseRestriction{Restriction: freeze})
	same(t, "available", s.availableFen(), 300)
}

// A hold that is filled by very many small credits stays small enough to be released in one chain.
func TestAHoldOfManyPartsIsPutTogether(t *testing.T) {
	k := newTeller(t, 20260701)
	no := k.open(1, 2, true)
	freeze := k.must(&RestrictAccount{Account: no, Kind: FrozenAll, Authority: "court", DocumentNo: "1"}).Txn
	most := 0
	for range 3 * HoldPartsMax {
		k.fund(no, 1)
		k.must(&FillHolds{Account: no})
		a, _ := k.at(no)
		most = max(most, len(a.held(freeze).Parts))
	}
	a, s := k.at(no)
	same(t, "held", a.held(freeze).HeldFen(), 3*int64(HoldPartsMax))
	same(t, "available", s.availableFen(), 0)
	if most > HoldPartsMax {
		t.Errorf("a hold of %d parts", most)
	}
	k.must(&DeductHold{Hold: freeze, AmountFen: 3*int64(HoldPartsMax) - 1, DocumentNo: "2"})
	same(t, "held", a.held(freeze).HeldFen(), 1)
}

// Class Ⅲ holds at most 2,000 yuan, with what is on its way and what others have been permitted to send.
func TestTheCapOfClassIIICountsMoneyOnItsWay(t *testing.T) {
	k := newTeller(t, 20260701)
	payer, no := k.open(2, 2, true), k.open(1, 3, false)
	k.refused(ClassNotAllowed, &TransferInternal{Payer: payer, Payee: no, AmountFen: 100}) // before money from its card
	k.refused(BalanceCap, &TransferIn{Account: no, AmountFen: 200_001})
	d := k.must(&TransferIn{Account: no, AmountFen: 150_000})
	same(t, "legs with the cap", len(d.Legs), 5)
	k.refused(BalanceCap, &TransferIn{Account: no, AmountFen: 50_001})
	// The answer does not bounce: the request was counted, and interest may pass the cap.
	same(t, "legs of the post", len(k.must(&ChannelResult{Transfer: d.Txn, Success: true}).Legs), 1)
	k.refused(BalanceCap, &TransferInternal{Payer: payer, Payee: no, AmountFen: 50_001})

	// What a payer was permitted and has not yet sent is counted, too.
	credit := Credit{Account: no, AmountFen: 30_000}
	if _, r := k.desk[1].Admit(credit, k.env.Date, k.env.Catalogue); r != nil {
		t.Fatal(r)
	}
	k.refused(BalanceCap, &TransferIn{Account: no, AmountFen: 20_001})
	k.desk[1].Release(credit)
	k.must(&TransferIn{Account: no, AmountFen: 50_000})

	// Held money is still on the account.
	k = newTeller(t, 20260701)
	no = k.open(1, 3, false)
	k.fund(no, 150_000)
	k.must(&PlaceHold{Account: no, Kind: Pledge, AmountFen: 150_000})
	k.refused(BalanceCap, &TransferIn{Account: no, AmountFen: 50_001})
	k.must(&TransferIn{Account: no, AmountFen: 50_000})
	k.refused(ClassNotAllowed, &BuyDeposit{Account: no, Product: ProductJFC3M, AmountFen: 5_000})
}

func TestMeetingTheCustomerLetsOthersPayHim(t *testing.T) {
	k := newTeller(t, 20260701)
	payer, no := k.open(1, 2, true), k.open(2, 2, false)
	pay := &TransferInternal{Payer: payer, Payee: no, AmountFen: 1}
	k.refused(ClassNotAllowed, pay)
	k.must(&ConfirmIdentity{Customer: 2, By: By{Operator: "ming", Approver: "hua"}})
	k.must(pay)
	if !k.cust[2].Accounts[0].FaceToFace {
		t.Error("the account does not know")
	}
}

func TestBoundCards(t *testing.T) {
	k := newTeller(t, 20260701)
	no := k.open(1, 2, true)
	second, credit := CardSealed{Token: "second", Kind: CardClassI}, CardSealed{Token: "credit", Kind: CardCredit}
	k.refused(CardUnknown, &TransferIn{Account: no, AmountFen: 1, CardToken: "second"})
	k.refused(CardExists, &AddCard{Account: no, Card: card})
	k.must(&AddCard{Account: no, Card: second})
	k.must(&AddCard{Account: no, Card: credit})
	k.refused(CardExists, &AddCard{Account: no, Card: second})
	d := k.must(&TransferIn{Account: no, AmountFen: 1_000, CardToken: "second"})
	same(t, "pulled from", d.Events[0].(*TransferInRequested).CardToken, "second")
	k.must(&ChannelResult{Transfer: d.Txn, Success: true})

	out := func(token string) Command {
		return &TransferOut{Account: no, AmountFen: 1, Bound: true, CardToken: token}
	}
	k.refused(CardTooNew, out("second"))
	k.must(out(""))
	k.env.Millis += CardRestMillis - 1
	k.refused(CardTooNew, out("second"))
	k.env.Millis++
	k.must(out("second"))
	k.must(out("credit"))
	line := k.line(1)
	k.must(&DrawLoan{Line: line, Account: no, AmountFen: 1_000_000, Method: EqualInstalment, Periods: 12})
	k.refused(LoanMoneyToCreditCard, out("credit"))
	k.must(out("second"))

	for _, token := range []string{"fourth", "fifth"} {
		k.must(&AddCard{Account: no, Card: CardSealed{Token: token}})
	}
	k.refused(CardsFull, &AddCard{Account: no, Card: CardSealed{Token: "sixth"}})
	k.refused(CardUnknown, &RemoveCard{Account: no, CardToken: "sixth"})
	for _, token := range []string{card.Token, "credit", "fourth", "fifth"} {
		k.must(&RemoveCard{Account: no, CardToken: token})
	}
	a, _ := k.at(no)
	same(t, "the card that is left", a.Card.Token, "second")
	k.refused(LastCard, &RemoveCard{Account: no, CardToken: "second"})

	bare := k.open(2, 2, true)
	k.must(&RemoveCard{Account: bare, CardToken: card.Token})
	k.refused(BoundCardRequired, &TransferOut{Account: bare, AmountFen: 1, Bound: true})
	k.must(&AddCard{Account: bare, Card: second})
}

func TestClassIPaysOthersWithinTheBanksLimitsAndTheCustomersOwn(t *testing.T) {
	k := newTeller(t, 20260701)
	no := k.open(1, 1, true)
	pay := func(fen int64, channel Channel) Command {
		return &TransferOut{Account: no, AmountFen: fen, PayeeToken: "x", Channel: channel, Confirmed: true}
	}
	k.refused(TransactionLimit, pay(5_000_001, ChannelApp))
	for range 4 {
		k.must(pay(5_000_000, ChannelApp))
	}
	k.refused(DayOutLimit, pay(1, ChannelApp))
	k.must(pay(5_000_001, ChannelBranch)) // at the counter
	k.must(&TransferOut{Account: no, AmountFen: 50_000_000, Bound: true, Confirmed: true})
	k.env.Date = 20260702
	k.must(&SetLimits{Account: no, Limits: OwnLimits{TransactionFen: 100, DayFen: 150}})
	k.refused(TransactionLimit, pay(101, ChannelBranch))
	k.must(pay(100, ChannelApp))
	k.refused(DayOutLimit, pay(51, ChannelApp))
	k.must(&SetLimits{Account: no})
	k.must(pay(5_000_000, ChannelApp))
	k.refused(AmountInvalid, &SetLimits{Account: no, Limits: OwnLimits{DayFen: -1}})
	k.refused(AmountInvalid, &SetLimits{Account: no, Limits: OwnLimits{TransactionFen: AmountMaxFen + 1}})
}

func TestAnAccountThatIsNotUsedFallsAsleepAndWakes(t *testing.T) {
	k := newTeller(t, 20240115)
	payer, no := k.open(2, 2, true), k.open(1, 2, true)
	due := func() []SystemCommand { return accountsDue(k.cust[1], k.desk[1], k.env.Date, k.env.Catalogue) }
	out := &TransferOut{Account: no, AmountFen: 1, Bound: true}

	k.env.Date = 20240714
	same(t, "due after less than six months", len(due()), 0)
	k.refused(NotDue, &SuspendUnused{Account: no})
	k.env.Date = 20240715
	if d := due(); len(d) != 1 {
		t.Fatalf("due after six months without a movement: %v", d)
	}
	k.must(due()[0].Command)
	k.refused(AccountIsRestricted, out)
	same(t, "due when it is done", len(due()), 0)
	k.must(&ConfirmIdentity{Customer: 1})
	same(t, "due when the customer has been met", len(due()), 0)
	k.must(out)
	k.fund(no, 999)

	k.env.Date = 20260714
	same(t, "due after less than two years", len(due()), 0)
	k.env.Date = 20260715
	same(t, "due with money on its way", len(due()), 0)
	k.must(&ChannelResult{Transfer: k.cust[1].InFlight[0].Txn})
	d := due()
	if len(d) != 1 {
		t.Fatalf("due after two years: %v", d)
	}
	asleep := k.must(d[0].Command)
	same(t, "moved", asleep.Legs[0].AmountFen, 999)
	k.refused(AccountIsDormant, out)
	k.refused(PayeeClosed, &TransferInternal{Payer: payer, Payee: no, AmountFen: 1}) // credit to a dormant account
	k.refused(AccountIsDormant, &CreditInbound{Account: no, AmountFen: 1})
	k.refused(NotDue, &TurnDormant{Account: no})
	woken := k.must(&ConfirmIdentity{Customer: 1})
	same(t, "back", woken.Legs[0].AmountFen, 999)
	a, s := k.at(no)
	if a.State != AccountNormal || a.Special != nil || s.BalanceFen() != 999 {
		t.Errorf("woken: %+v, %+v", a, s)
	}
	k.must(out)

	rich := k.open(3, 2, true)
	k.fund(rich, DormantBelowFen)
	k.env.Date = 20300101
	if c := accountsDue(k.cust[3], k.desk[3], k.env.Date, k.env.Catalogue); len(c) != 0 {
		t.Errorf("ten yuan do not sleep: %v", c)
	}
}

func TestAnAccountIsClosedInTwoSteps(t *testing.T) {
	k := newTeller(t, 20260401)
	payer, no, other := k.open(2, 2, true), k.open(1, 2, true), k.open(1, 2, true)
	k.fund(no, 10_000)
	prepare, finish := &PrepareClosing{Account: no}, &CloseAccount{Account: no}
	k.refused(AccountNotClosing, finish)
	k.refused(AccountNotClosing, &WithdrawClosing{Account: no})

	deposit := k.must(&BuyDeposit{Account: no, Product: ProductJFC3M, AmountFen: 5_000}).Events[0].(*DepositOpened).DepositNo
	k.refused(AccountInUse, prepare)
	k.must(&RedeemDeposit{Deposit: deposit, All: true})
	hold := k.must(&PlaceHold{Account: no, Kind: Pledge, AmountFen: 1}).Txn
	k.refused(AccountInUse, prepare)
	k.must(&ReleaseHold{Hold: hold})
	pull := k.must(&TransferIn{Account: no, AmountFen: 1}).Txn
	k.refused(AccountInUse, prepare)
	k.must(&ChannelResult{Transfer: pull})
	stop := k.must(&RestrictAccount{Account: no, Kind: AllStop}).Txn
	k.refused(AccountIsRestricted, prepare)
	k.must(&ReleaseRestriction{Restriction: stop})

	k.must(prepare)
	k.refused(AccountIsClosing, prepare)
	k.refused(AccountIsClosing, &TransferOut{Account: no, AmountFen: 1, Bound: true})
	k.refused(PayeeClosed, &TransferInternal{Payer: payer, Payee: no, AmountFen: 1})
	k.must(&WithdrawClosing{Account: no})
	credit := Credit{Account: no, AmountFen: 1}
	if _, r := k.desk[1].Admit(credit, k.env.Date, k.env.Catalogue); r != nil {
		t.Fatal(r)
	}
	k.must(prepare)
	k.refused(AccountBusy, finish) // a payer's permit is out
	k.desk[1].Release(credit)
	k.refused(SameAccount, &CloseAccount{Account: no, To: no})
	k.refused(AccountUnknown, &CloseAccount{Account: no, To: payer})
	k.refused(CardUnknown, &CloseAccount{Account: no, CardToken: "another"})
	d := k.must(&CloseAccount{Account: no, To: other})
	last := d.Legs[len(d.Legs)-2:]
	if !last[0].All || last[0].Flags != LegBalancingDebit || last[1].Flags != LegPending|LegClosingDebit {
		t.Errorf("legs: %+v", last)
	}
	_, s := k.at(other)
	same(t, "paid to the other account", s.BalanceFen(), 10_000)
	for _, cmd := range []Command{
		&TransferOut{Account: no, AmountFen: 1, Bound: true}, &TransferIn{Account: no, AmountFen: 1}, prepare, finish,
		&AddCard{Account: no, Card: CardSealed{Token: "new"}}, &SetLimits{Account: no}, &RestrictAccount{Account: no, Kind: DebitStop},
		&PlaceHold{Account: no, Kind: Pledge, AmountFen: 1}, &CreditInbound{Account: no, AmountFen: 1},
	} {
		k.refused(AccountClosed, cmd)
	}
	k.refused(PayeeClosed, &TransferInternal{Payer: payer, Payee: no, AmountFen: 1})
	again := k.open(1, 2, true)
	if again == no || again == other {
		t.Errorf("an account opened again has the number %s", again)
	}
	k.must(&PrepareClosing{Account: again})
	same(t, "paid out to", k.must(&CloseAccount{Account: again}).Events[0].(*AccountClosure).CardToken, card.Token)
}

// Whatever is done to an account and in whatever order: what the desk says of its holds is what the account's
// own holds say, nothing held is available, and a freeze that lacks something lets nothing out.
func TestHoldsAndDeskAgreeWhateverIsDone(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		k := newTeller(t, 20260701)
		no := k.open(1, 2, true)
		for range rapid.IntRange(1, 60).Draw(r, "commands") {
			fen := rapid.Int64Range(1, 5_000).Draw(r, "fen")
			choices := []Command{
				&CreditInbound{Account: no, AmountFen: fen}, &FillHolds{Account: no},
				&TransferOut{Account: no, AmountFen: fen, Bound: true},
				&RestrictAccount{Account: no, Kind: PartialFrozen, Authority: "court", DocumentNo: "1", AmountFen: fen},
				&RestrictAccount{Account: no, Kind: FrozenAll, Authority: "court", DocumentNo: "1"},
				&PlaceHold{Account: no, Kind: Pledge, AmountFen: fen},
			}
			a, s := k.at(no)
			for _, x := range a.special().Restrictions {
				choices = append(choices, &ReleaseRestriction{Restriction: x.ID})
			}
			for _, h := range a.special().Holds {
				choices = append(choices, &ReleaseHold{Hold: h.ID}, &DeductHold{Hold: h.ID, AmountFen: fen, DocumentNo: "1"})
			}
			if len(k.cust[1].InFlight) > 0 {
				choices = append(choices, &ChannelResult{Transfer: k.cust[1].InFlight[0].Txn, Success: rapid.Bool().Draw(r, "success")})
			}
			cmd := choices[rapid.IntRange(0, len(choices)-1).Draw(r, "which")]
			if out, ok := cmd.(*TransferOut); ok && s.availableFen() < out.AmountFen {
				continue // the ledger would refuse it
			}
			short := a.short() != nil
			k.env.Millis++
			_, refusal := k.do(cmd)
			if _, ok := cmd.(*TransferOut); ok && short && refusal == nil {
				r.Fatalf("money left an account with a freeze that lacks some")
			}
			held, lacking := int64(0), int64(0)
			for _, h := range a.special().Holds {
				held += h.HeldFen()
				lacking += h.ShortFen()
				if h.HeldFen() < 0 || h.ShortFen() < 0 {
					r.Fatalf("hold %+v", h)
				}
			}
			for _, f := range k.cust[1].InFlight {
				held += f.AmountFen
			}
			if s.Apart.OutFen != held || s.stopped().ShortFen != lacking || s.BalanceFen() < held {
				r.Fatalf("after %s: desk %+v, short %d; holds come to %d, short %d", cmd.Operation(), s.Apart, s.stopped().ShortFen, held, lacking)
			}
			queue := []int{}
			for _, x := range a.special().Restrictions {
				if x.Queue > 0 {
					queue = append(queue, x.Queue)
				}
			}
			slices.Sort(queue)
			for i, place := range queue {
				if place != i+1 {
					r.Fatalf("waiting freezes: %v", queue)
				}
			}
		}
	})
}

// DD04 of the domain at this catalogue's rate: the broken quarter's interest goes out with the balance.
func TestClosingPaysTheInterestOfTheBrokenQuarter(t *testing.T) {
	k := newTeller(t, 20260921)
	no := k.open(1, 2, true)
	k.fund(no, 3_000_000)
	k.env.Date = 20261005
	k.fund(no, 1_000_000)
	k.env.Date = 20261111
	k.must(&PrepareClosing{Account: no})
	d := k.must(&CloseAccount{Account: no})
	paid, closed := d.Events[0].(*DemandInterestPaid), d.Events[1].(*AccountClosure)
	same(t, "accumulation", paid.FenDays, 190_000_000)
	same(t, "interest", paid.InterestFen, 1_056)
	same(t, "paid out", closed.PayoutFen, 4_001_056)
	_, s := k.at(no)
	same(t, "left", s.BalanceFen(), 0)
}
