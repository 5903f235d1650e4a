package bank

import "testing"

// apply registers a customer who applies for an account whose card is not confirmed.
func (k *teller) apply(no CustomerNo, class Class, faceToFace bool) AccountNo {
	k.t.Helper()
	if k.cust[no] == nil {
		k.must(&RegisterCustomer{Customer: no, IDKind: ResidentID, Region: 220113})
	}
	d := k.must(&OpenAccount{Customer: no, Class: class, FaceToFace: faceToFace, Card: card, Apply: true})
	return d.Events[0].(*AccountApplied).AccountNo
}

// Until somebody has said that the card is his, nothing is done with an account, and nobody pays into it.
func TestAnAccountThatIsNotOpenDoesNothing(t *testing.T) {
	k := newTeller(t, 20260701)
	payer, no := k.open(2, 2, true), k.apply(1, 2, true)
	k.fund(payer, 1_000)
	for _, c := range []struct {
		code RefusalCode
		cmd  Command
	}{
		{AccountNotOpen, &TransferOut{Account: no, AmountFen: 1, Bound: true}},
		{AccountNotOpen, &TransferInternal{Payer: no, Payee: payer, AmountFen: 1}},
		{PayeeClosed, &TransferInternal{Payer: payer, Payee: no, AmountFen: 1}},
		{AccountNotOpen, &CreditInbound{Account: no, AmountFen: 1}},
		{AccountNotOpen, &BuyDeposit{Account: no, Product: ProductJFC3M, AmountFen: 5_000}},
		{AccountNotOpen, &DrawLoan{Line: k.line(1), Account: no, AmountFen: 1_000_000, Method: EqualInstalment, Periods: 12}},
		{AccountNotOpen, &PlaceHold{Account: no, Kind: Pledge, AmountFen: 1}},
		{AccountNotOpen, &AddCard{Account: no, Card: CardSealed{Token: "second"}}},
		{AccountNotOpen, &RemoveCard{Account: no, CardToken: card.Token}},
		{AccountNotOpen, &PrepareClosing{Account: no}},
		{AccountNotClosing, &CloseAccount{Account: no}},
		{NotDue, &LapseApplication{Account: no}},
		{CardUnknown, &TransferIn{Account: no, AmountFen: 1, CardToken: "another"}},
	} {
		k.refused(c.code, c.cmd)
	}
	for action := range AccountAction(accountActions) {
		same(t, "permission", Permitted(action, PendingOpen), Forbidden)
	}
	if s := k.desk[1].Standing(no); s.State != AccountPendingOpen || s.BalanceFen() != 0 {
		t.Errorf("standing: %+v", s)
	}
}

func TestTheCardsBankOpensAnAccountOrDoesNot(t *testing.T) {
	k := newTeller(t, 20260701)
	no := k.apply(1, 2, false)
	k.env.Date = 20260703
	opened := k.must(&AnswerCardCheck{Account: no, Confirmed: true, ProviderSerial: "P1", By: By{Operator: "ming"}}).Events[0].(*AccountOpened)
	if opened.OpenedOn != 20260703 || opened.AppliedOn != 20260701 || opened.CardSerial != "P1" || opened.CardToken != card.Token || opened.InterestBase != BaseYuan {
		t.Errorf("opened: %+v", opened)
	}
	a, s := k.at(no)
	if a.State != AccountNormal || s.State != AccountNormal || a.OpenedOn != 20260703 || len(k.cust[1].Accounts) != 1 || len(k.desk[1].Accounts) != 1 {
		t.Errorf("the account: %+v, %+v", a, s)
	}
	k.refused(AccountIsOpen, &AnswerCardCheck{Account: no, Confirmed: true})
	k.fund(no, 1_000)
	k.must(&TransferOut{Account: no, AmountFen: 1_000, Bound: true})

	rejected := k.apply(1, 2, false)
	d := k.must(&AnswerCardCheck{Account: rejected, Reason: "not a class I account"})
	if e := d.Events[0].(*ApplicationEnded); e.Result != ApplicationRejected || len(d.Legs) != 1 || d.Legs[0].Flags&LegClosingDebit == 0 {
		t.Errorf("rejected: %+v, %+v", e, d.Legs)
	}
	k.refused(AccountClosed, &AnswerCardCheck{Account: rejected, Confirmed: true})
	k.refused(AccountClosed, &TransferIn{Account: rejected, AmountFen: 1})
	k.refused(AccountUnknown, &AnswerCardCheck{Account: NewAccountNo(2, 1, 9), Confirmed: true})
}

// Money from the card shows whose it is, by whichever way it comes.
func TestTheFirstMoneyFromTheCardOpensAnAccount(t *testing.T) {
	k := newTeller(t, 20260701)
	pulled := k.apply(1, 3, false)
	d := k.must(&TransferIn{Account: pulled, AmountFen: 100_000})
	k.refused(AccountBusy, &AnswerCardCheck{Account: pulled}) // the money may say otherwise
	k.must(&ChannelResult{Transfer: d.Txn, Success: false})
	a, s := k.at(pulled)
	same(t, "state when the card refused", a.State, AccountPendingOpen)
	d = k.must(&TransferIn{Account: pulled, AmountFen: 100_000})
	answered := k.must(&ChannelResult{Transfer: d.Txn, Success: true})
	if _, ok := answered.Events[1].(*AccountOpened); !ok || a.State != AccountNormal || s.State != AccountNormal || s.BalanceFen() != 100_000 || !s.Funded {
		t.Errorf("after the pull: %+v, %+v", a, s)
	}
	k.must(&TransferOut{Account: pulled, AmountFen: 1_000, PayeeToken: "t"})

	pushed := k.apply(2, 2, false)
	k.refused(AccountNotOpen, &CreditInbound{Account: pushed, AmountFen: 500, PayerToken: card.Token}) // not said to be the card
	k.refused(FieldInvalid, &CreditInbound{Account: pushed, AmountFen: 500, Bound: true, PayerToken: "another"})
	got := k.must(&CreditInbound{Account: pushed, AmountFen: 500, Bound: true, PayerToken: card.Token})
	if e, ok := got.Events[1].(*AccountOpened); !ok || e.AccountNo != pushed {
		t.Errorf("after the credit: %+v", got.Events)
	}
	_, s = k.at(pushed)
	same(t, "balance", s.BalanceFen(), 500)

	// A stop holds for an account that waits as for any other.
	stopped := k.apply(3, 2, false)
	k.must(&RestrictAccount{Account: stopped, Kind: AllStop})
	k.refused(AccountIsRestricted, &TransferIn{Account: stopped, AmountFen: 1})
}

func TestAnApplicationLapsesUnlessMoneyIsOnItsWay(t *testing.T) {
	y := newYear(t, 20260701)
	waits, lapses := y.apply(1, 2, false), y.apply(2, 2, false)
	y.passUntil(Date(20260701).AddDays(OpeningDays))
	d := y.carried(&TransferIn{Account: waits, AmountFen: 1})
	ended := only[*ApplicationEnded](y.passDay(true))
	if len(ended) != 1 || ended[0].AccountNo != lapses || ended[0].Result != ApplicationLapsed {
		t.Fatalf("ended: %+v", ended)
	}
	a, s := y.at(lapses)
	if a.State != AccountStateClosed || s.State != AccountStateClosed {
		t.Errorf("lapsed: %+v, %+v", a, s)
	}
	y.carried(&ChannelResult{Transfer: d.Txn, Success: true})
	same(t, "opened by the answer", y.cust[1].Accounts[0].State, AccountNormal)
	if number := y.apply(2, 2, false); number == lapses {
		t.Error("a number was given twice")
	}
	y.check()
}

func TestAnApplicationIsRefusedAsAnOpeningIs(t *testing.T) {
	k := newTeller(t, 20260701)
	for range AccountsOfClassMax(2) {
		k.apply(1, 2, false)
	}
	k.refused(AccountsMax, &OpenAccount{Customer: 1, Class: 2, Card: card, Apply: true})
	k.refused(BoundCardRequired, &OpenAccount{Customer: 1, Class: 1, FaceToFace: true, Apply: true})
	k.refused(ProductNotOnSale, &OpenAccount{Customer: 1, Class: 1, Product: ProductDemoCurrent, Card: card, Apply: true})
}
