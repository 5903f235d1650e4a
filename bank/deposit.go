package bank

// LedgerID of the deposit's principal.
func (t *Deposit) LedgerID(p *DepositProduct) U128 { return contractLedgerID(p.Detail, t.No) }

// Terms are what the deposit's interest depends on.
func (t *Deposit) Terms(method InterestMethod) TermDeposit {
	return TermDeposit{
		PrincipalFen: t.PrincipalFen, RateE6: t.RateE6, TermMonths: t.TermMonths, Opened: t.OpenDate, Base: t.Base, Method: method,
	}
}

func decideBuy(c *Customer, m *BuyDeposit, env *Env, d *Decision) *Refusal {
	a, r := ownAccount(c, m.Account, "account_no")
	if r != nil {
		return r
	}
	p := env.Catalogue.Deposit(m.Product)
	switch {
	case p == nil:
		return &Refusal{Code: ProductUnknown, Field: "product"}
	case !p.OnSale:
		return &Refusal{Code: ProductNotOnSale, Field: "product"}
	case env.Catalogue.Unlimited(a.Product) || a.No.Class() == 3:
		return &Refusal{Code: ClassNotAllowed, Field: "account_no"}
	case m.AmountFen <= 0 || m.AmountFen > AmountMaxFen || m.AmountFen%p.StepFen != 0:
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	case m.AmountFen < p.MinimumFen:
		return &Refusal{Code: BelowMinimum, Field: "amount_fen", LimitFen: p.MinimumFen}
	case m.Rollover != "" && m.Rollover != RolloverNone:
		// Nothing rolls a deposit over before there is an end of day, so nobody may be promised it.
		return &Refusal{Code: ProductNotOnSale, Field: "rollover"}
	case len(c.Deposits) >= ContractSeqMax:
		return &Refusal{Code: ContractsMax}
	}
	if r := a.permits(ActBuyDeposit, env, "account_no"); r != nil {
		return r
	}
	terms, ok := p.Open(m.AmountFen, env.Date)
	if !ok {
		return &Refusal{Code: ProductNotOnSale, Field: "product"}
	}
	no := NewContractNo(DepositContract, c.No, uint32(len(c.Deposits)+1))
	d.Legs = DepositPurchase{a.LedgerID(), contractAccount(p.Detail, no, d), m.AmountFen}.Legs(d.Txn, nil)
	d.Events = []Event{&DepositOpened{
		TxnID: d.Txn, DepositNo: no, AccountNo: a.No, Product: p.Code, PrincipalFen: m.AmountFen, RateE6: terms.RateE6,
		TermMonths: terms.TermMonths, OpenDate: env.Date, MaturityDate: terms.Maturity(), Rollover: RolloverNone,
		CertificateNo: "E" + no.String(), InterestBase: string(terms.Base),
	}}
	d.Affects = []Affected{a.affected()}
	return nil
}

func decideRedeem(c *Customer, m *RedeemDeposit, env *Env, d *Decision) *Refusal {
	t := c.deposit(m.Deposit)
	if t == nil {
		return &Refusal{Code: DepositUnknown, Field: "deposit_id"}
	}
	if t.PrincipalFen == 0 {
		return &Refusal{Code: DepositClosed, Field: "deposit_id"}
	}
	a, r := ownAccount(c, t.Account, "deposit_id")
	if r != nil {
		return r
	}
	paidOut := ActCustomerCredit
	if env.Date >= t.MaturityDate {
		paidOut = ActSystemCredit
	}
	if r := a.permits(paidOut, env, "deposit_id"); r != nil {
		return r
	}
	p := env.Catalogue.Deposit(t.Product)
	amount := m.AmountFen
	if m.All {
		amount = t.PrincipalFen
	}
	rest := t.PrincipalFen - amount
	switch {
	case amount <= 0 || amount > AmountMaxFen:
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	case rest < 0:
		return &Refusal{Code: OverDeposit, Field: "amount_fen", LimitFen: t.PrincipalFen}
	case rest > 0 && rest < p.MinimumFen:
		return &Refusal{Code: RestBelowMinimum, Field: "amount_fen", LimitFen: p.MinimumFen}
	case rest > 0 && env.Date >= t.MaturityDate:
		// Past its term a deposit is paid out whole.
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: t.PrincipalFen}
	}
	rate, _ := env.Catalogue.Demand.On(env.Date)
	taxE6, _ := env.Catalogue.InterestTax.On(env.Date)
	red := t.Terms(p.Method).Redeem(env.Date, amount, rate, taxE6)
	shard := uint64(c.No.Shard())
	accounts := DepositAccounts{
		Deposit: contractAccount(p.Detail, t.No, d), Customer: a.LedgerID(),
		Payable: bankAccount(p.PayableDetail, shard, d), Expense: bankAccount(p.ExpenseDetail, 0, d),
	}
	paid := DepositPaid{
		TxnID: d.Txn, DepositNo: t.No, AccountNo: a.No, Product: t.Product, PrincipalFen: amount, InterestFen: red.InterestFen,
		TaxFen: red.TaxFen, Part: rest > 0, Days: red.Days, RemainingFen: rest, OverdueInterestFen: red.OverdueInterestFen,
	}
	// What was accrued for the rest stays; the accrual posted so far is the deposit's own figure.
	restAccrued := min(red.AccruedRestFen, t.AccruedFen)
	switch red.Kind {
	case RedeemedEarly:
		paid.DemandRateE6, paid.AccrualReleasedFen = rate, t.AccruedFen-restAccrued-red.InterestFen
		d.Legs = DepositEarlyRedemption{accounts, amount, red.InterestFen, t.AccruedFen, restAccrued}.Legs(d.Txn, nil)
		d.Legs = withTax(d, d.Legs, a.LedgerID(), red.TaxFen)
		d.Events = []Event{&DepositRedeemedEarly{paid}}
	case RedeemedAtMaturity:
		var tax U128
		if red.TaxFen > 0 {
			tax = bankAccount(DetailTaxWithheld, 0, d)
		}
		d.Legs = DepositMaturity{accounts, tax, amount, red.InterestFen, t.AccruedFen, red.TaxFen}.Legs(d.Txn, nil)
		d.Events = []Event{&DepositMatured{paid}}
	case RedeemedAfterMaturity:
		paid.DemandRateE6 = rate
		d.Legs = DepositLateRedemption{
			DepositAccounts: accounts, DemandPayable: bankAccount(DetailDemandPayable, shard, d),
			DemandExpense: bankAccount(DetailDemandExpense, 0, d), PrincipalFen: amount, InterestFen: red.InterestFen,
			AccruedFen: t.AccruedFen, OverdueInterestFen: red.OverdueInterestFen,
		}.Legs(d.Txn, nil)
		d.Legs = withTax(d, d.Legs, a.LedgerID(), red.TaxFen)
		d.Events = []Event{&DepositRedeemedAfterMaturity{paid}}
	}
	d.Affects = []Affected{a.affected()}
	return nil
}

// withTax appends the interest tax withheld from a payment (1152), if there is any.
func withTax(d *Decision, legs []Leg, customer U128, taxFen int64) []Leg {
	if taxFen == 0 {
		return legs
	}
	c := chain{d.Txn, legs}
	c.move(customer, bankAccount(DetailTaxWithheld, 0, d), taxFen, 1152, needsFunds)
	return c.legs
}

// applyDeposit folds deposit events into the state; false for others.
func (c *Customer) applyDeposit(e Event) bool {
	switch m := e.(type) {
	case *DepositOpened:
		c.Deposits = append(c.Deposits, Deposit{
			No: m.DepositNo, Account: m.AccountNo, Product: m.Product, OpenedFen: m.PrincipalFen, PrincipalFen: m.PrincipalFen,
			RateE6: m.RateE6, TermMonths: m.TermMonths, OpenDate: m.OpenDate, MaturityDate: m.MaturityDate,
			Rollover: m.Rollover, CertificateNo: m.CertificateNo, Base: InterestBase(m.InterestBase),
		})
	case *DepositRedeemedEarly:
		c.paidBack(&m.DepositPaid)
	case *DepositMatured:
		c.paidBack(&m.DepositPaid)
	case *DepositRedeemedAfterMaturity:
		c.paidBack(&m.DepositPaid)
	default:
		return false
	}
	return true
}

func (c *Customer) paidBack(m *DepositPaid) {
	t := c.deposit(m.DepositNo)
	t.PrincipalFen = m.RemainingFen
	t.AccruedFen -= m.AccrualReleasedFen + m.InterestFen
	if t.PrincipalFen == 0 || t.AccruedFen < 0 {
		t.AccruedFen = 0
	}
}

// View of the deposit.
func (t *Deposit) View() DepositView {
	v := DepositView{
		DepositID: t.No, AccountNo: t.Account, Product: t.Product, State: "ACTIVE", PrincipalFen: t.PrincipalFen,
		OpenedFen: t.OpenedFen, RateE6: t.RateE6, OpenDate: t.OpenDate, MaturityDate: t.MaturityDate,
		MaturityInterestFen: t.Terms(MonthsAndOddDays).MaturityInterestFen(), Rollover: t.Rollover, CertificateNo: t.CertificateNo,
	}
	if t.PrincipalFen == 0 {
		v.State = "CLOSED"
	}
	return v
}
