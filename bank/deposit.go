package bank

// LedgerID of the deposit's principal.
func (t *Deposit) LedgerID() U128 { return contractLedgerID(t.Subjects.Detail, t.No) }

// Terms are what the deposit's interest depends on.
func (t *Deposit) Terms() TermDeposit {
	return TermDeposit{
		PrincipalFen: t.PrincipalFen, RateE6: t.RateE6, TermMonths: t.TermMonths, Opened: t.OpenDate, Base: t.Base, Method: t.Method,
	}
}

// overdueInterestFen is what the principal has earned past its term before a date, at the demand rate.
func (t *Deposit) overdueInterestFen(before Date, demandRateE6 int64) int64 {
	return DayInterestFen(t.Base.Of(t.PrincipalFen), demandRateE6, max(0, Days(t.MaturityDate, before)))
}

func decideBuy(c *Customer, m *BuyDeposit, env *Env, d *Decision) *Refusal {
	a, r := ownAccount(c, m.Account, "account_no")
	if r != nil {
		return r
	}
	p := env.Catalogue.Deposit(m.Product)
	if r := p.admits(c, a, m, env); r != nil {
		return r
	}
	if r := a.permits(ActBuyDeposit, env, "account_no"); r != nil {
		return r
	}
	e, ok := p.opening(c, a.No, m.AmountFen, env.Date, env.Catalogue)
	if !ok {
		return &Refusal{Code: ProductNotOnSale, Field: "product"}
	}
	e.TxnID, e.Rollover, e.AgreementVersion = d.Txn, m.Rollover, m.AgreementVersion
	if e.Rollover == "" {
		e.Rollover = RolloverNone
	}
	d.Legs = DepositPurchase{a.LedgerID(), contractAccount(e.Detail, e.DepositNo, d), m.AmountFen}.Legs(d.Txn, nil)
	d.Events = []Event{&e}
	d.Affects = []Affected{a.affected()}
	return nil
}

// admits refuses what the product is not sold for (SPEC 4.2).
func (p *DepositProduct) admits(c *Customer, a *EAccount, m *BuyDeposit, env *Env) *Refusal {
	switch {
	case p == nil:
		return &Refusal{Code: ProductUnknown, Field: "product"}
	case !p.OnSaleOn(env.Date):
		return &Refusal{Code: ProductNotOnSale, Field: "product"}
	case env.Catalogue.Unlimited(a.Product) || a.No.Class() == 3:
		return &Refusal{Code: ClassNotAllowed, Field: "account_no"}
	case m.AmountFen <= 0 || m.AmountFen > AmountMaxFen || m.AmountFen%p.StepFen != 0:
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	case m.AmountFen < p.MinimumFen:
		return &Refusal{Code: BelowMinimum, Field: "amount_fen", LimitFen: p.MinimumFen}
	case !p.sells(c.Region):
		return &Refusal{Code: RegionNotAllowed, Field: "product"}
	case m.AgreementVersion != "" && m.AgreementVersion != p.Agreement:
		return &Refusal{Code: AgreementOutdated, Field: "agreement_version"}
	case len(c.Deposits) >= ContractSeqMax:
		return &Refusal{Code: ContractsMax}
	case p.CapPerPersonFen > 0 && c.savedIn(p.Code)+m.AmountFen > p.CapPerPersonFen:
		return &Refusal{Code: SalesCap, Field: "amount_fen", LimitFen: p.CapPerPersonFen}
	}
	return nil
}

// savedIn is what the customer has in deposits of a product.
func (c *Customer) savedIn(product string) (fen int64) {
	for i := range c.Deposits {
		if c.Deposits[i].Product == product {
			fen += c.Deposits[i].PrincipalFen
		}
	}
	return fen
}

// opening is a new deposit of the customer at the terms of a day, all of which the contract copies; false when
// the product posts no rate for the amount.
func (p *DepositProduct) opening(c *Customer, account AccountNo, principalFen int64, day Date, cat *Catalogue) (DepositOpened, bool) {
	terms, ok := p.Open(principalFen, day)
	no := NewContractNo(DepositContract, c.No, uint32(len(c.Deposits)+1))
	return DepositOpened{
		DepositNo: no, AccountNo: account, Product: p.Code, PrincipalFen: principalFen, RateE6: terms.RateE6,
		TermMonths: terms.TermMonths, OpenDate: day, MaturityDate: terms.Maturity(), CertificateNo: "E" + no.String(),
		InterestBase: string(terms.Base), InterestMethod: terms.Method, MinimumFen: p.MinimumFen, MaxPartial: p.MaxPartial,
		DepositSubjects: p.DepositSubjects, CatalogueVersion: cat.Version,
	}, ok
}

func decideRedeem(c *Customer, m *RedeemDeposit, env *Env, d *Decision) *Refusal {
	t, r := openDeposit(c, m.Deposit)
	if r != nil {
		return r
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
	amount := m.AmountFen
	if m.All {
		amount = t.PrincipalFen
	}
	if r := t.redeemable(amount, env.Date); r != nil {
		return r
	}
	t.payOut(a, amount, env.Date, "", env, d)
	return nil
}

// redeemable refuses a redemption that the contract does not allow.
func (t *Deposit) redeemable(amountFen int64, on Date) *Refusal {
	free, rest := t.PrincipalFen-t.HeldFen(), t.PrincipalFen-amountFen
	switch {
	case amountFen <= 0 || amountFen > AmountMaxFen:
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	case rest < 0:
		return &Refusal{Code: OverDeposit, Field: "amount_fen", LimitFen: t.PrincipalFen}
	case amountFen > free:
		return &Refusal{Code: DepositHeld, Field: "amount_fen", LimitFen: free}
	case rest > 0 && on >= t.MaturityDate && amountFen < free:
		// Past its term a deposit is paid out whole, but for what is held.
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: free}
	case rest > 0 && rest < t.MinimumFen:
		return &Refusal{Code: RestBelowMinimum, Field: "amount_fen", LimitFen: t.MinimumFen}
	case rest > 0 && on < t.MaturityDate && t.MaxPartial > 0 && t.Partials >= t.MaxPartial:
		return &Refusal{Code: PartialsMax, Field: "amount_fen", LimitFen: t.PrincipalFen}
	}
	return nil
}

// accounts are the ledger accounts that a payment out of the deposit moves money between.
func (t *Deposit) accounts(a *EAccount, d *Decision) DepositAccounts {
	return DepositAccounts{
		Deposit: contractAccount(t.Subjects.Detail, t.No, d), Customer: a.LedgerID(),
		Payable: bankAccount(t.Subjects.PayableDetail, uint64(t.No.Customer().Shard()), d),
		Expense: bankAccount(t.Subjects.ExpenseDetail, 0, d),
	}
}

// reckon tells what paying an amount of the principal out comes to, by the rule of the day: interest, tax, and how
// much of what was accrued goes back out of expense. The rest keeps what was accrued for it; the accruals posted so
// far are the deposit's own figures.
func (t *Deposit) reckon(a *EAccount, amountFen int64, day Date, env *Env, d *Decision) (DepositPaid, Redemption) {
	rate, taxE6 := env.Catalogue.DemandRateOn(day), env.Catalogue.InterestTaxOn(day)
	red := t.Terms().Redeem(day, amountFen, rate, taxE6)
	paid := DepositPaid{
		TxnID: d.Txn, DepositNo: t.No, AccountNo: a.No, Product: t.Product, PrincipalFen: amountFen, InterestFen: red.InterestFen,
		TaxFen: red.TaxFen, Part: red.RemainingFen > 0, Days: red.Days, OverdueInterestFen: red.OverdueInterestFen,
		AccrualReleasedFen: t.AccruedFen - min(red.AccruedRestFen, t.AccruedFen) - red.InterestFen, RemainingFen: red.RemainingFen,
	}
	if day != env.Date {
		paid.ValueDate = day
	}
	if red.Kind != RedeemedAtMaturity {
		paid.DemandRateE6 = rate
	}
	if red.Kind == RedeemedAfterMaturity {
		rest := *t
		rest.PrincipalFen = red.RemainingFen
		paid.OverdueReleasedFen = t.OverdueAccruedFen - min(rest.overdueInterestFen(day, rate), t.OverdueAccruedFen) - red.OverdueInterestFen
	}
	return paid, red
}

// payOut pays an amount of the principal and its interest into the e-account, by the rule of the day.
func (t *Deposit) payOut(a *EAccount, amountFen int64, day Date, notice string, env *Env, d *Decision) {
	paid, red := t.reckon(a, amountFen, day, env, d)
	paid.Notice = notice
	accounts := t.accounts(a, d)
	restAccrued := min(red.AccruedRestFen, t.AccruedFen)
	switch red.Kind {
	case RedeemedEarly:
		d.Legs = DepositEarlyRedemption{accounts, amountFen, red.InterestFen, t.AccruedFen, restAccrued}.Legs(d.Txn, nil)
		d.Legs = withTax(d, d.Legs, a.LedgerID(), red.TaxFen)
		d.Events = []Event{&DepositRedeemedEarly{paid}}
	case RedeemedAtMaturity:
		maturity := DepositMaturity{
			DepositAccounts: accounts, PrincipalFen: amountFen, InterestFen: red.InterestFen, AccruedFen: t.AccruedFen - restAccrued, TaxFen: red.TaxFen,
		}
		if red.TaxFen > 0 {
			maturity.TaxPayable = bankAccount(DetailTaxWithheld, 0, d)
		}
		d.Legs = maturity.Legs(d.Txn, nil)
		d.Events = []Event{&DepositMatured{paid}}
	case RedeemedAfterMaturity:
		d.Legs = DepositLateRedemption{
			DepositAccounts: accounts, DemandPayable: bankAccount(DetailDemandPayable, uint64(t.No.Customer().Shard()), d),
			DemandExpense: bankAccount(DetailDemandExpense, 0, d), PrincipalFen: amountFen, InterestFen: red.InterestFen,
			AccruedFen: t.AccruedFen - restAccrued, OverdueInterestFen: red.OverdueInterestFen,
			OverdueAccruedFen: paid.OverdueInterestFen + paid.OverdueReleasedFen,
		}.Legs(d.Txn, nil)
		d.Legs = withTax(d, d.Legs, a.LedgerID(), red.TaxFen)
		d.Events = []Event{&DepositRedeemedAfterMaturity{paid}}
	}
	d.Affects = []Affected{a.affected()}
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
		c.opened(m)
	case *DepositRedeemedEarly:
		c.paidBack(&m.DepositPaid)
		if m.Part {
			c.deposit(m.DepositNo).Partials++
		}
	case *DepositMatured:
		c.paidBack(&m.DepositPaid)
	case *DepositRedeemedAfterMaturity:
		c.paidBack(&m.DepositPaid)
	case *DepositRolledOver:
		t := c.deposit(m.DepositNo)
		t.PrincipalFen, t.AccruedFen, t.OverdueAccruedFen = 0, 0, 0
		c.opened(&m.Next)
	case *RolloverChanged:
		c.deposit(m.DepositNo).Rollover = m.Rollover
	case *DepositPledged:
		c.deposit(m.DepositNo).hold(&m.DepositHeldAmount, DepositPledge)
	case *DepositProofIssued:
		c.deposit(m.DepositNo).hold(&m.DepositHeldAmount, DepositProof)
	case *DepositFrozen:
		t := c.deposit(m.DepositNo)
		t.hold(&m.DepositHeldAmount, DepositFreeze)
		h := &t.Holds[len(t.Holds)-1]
		h.AskedFen, h.Authority, h.DocumentNo, h.Queue = m.AskedFen, m.Authority, m.DocumentNo, m.QueuePosition
	case *DepositHoldReleased:
		c.deposit(m.DepositNo).release(m.HoldID)
	case *CustomerDayClosed:
		c.dayClosed(m)
	default:
		return false
	}
	return true
}

func (c *Customer) opened(m *DepositOpened) {
	t := Deposit{
		No: m.DepositNo, Account: m.AccountNo, Product: m.Product, OpenedFen: m.PrincipalFen, PrincipalFen: m.PrincipalFen,
		RateE6: m.RateE6, TermMonths: m.TermMonths, OpenDate: m.OpenDate, MaturityDate: m.MaturityDate,
		Rollover: m.Rollover, CertificateNo: m.CertificateNo, Base: InterestBase(m.InterestBase), Method: m.InterestMethod,
		MinimumFen: m.MinimumFen, MaxPartial: m.MaxPartial, Subjects: m.DepositSubjects, RolledFrom: m.RolledFrom,
	}
	if t.Subjects == (DepositSubjects{}) {
		t.copyFirstTerms()
	}
	c.Deposits = append(c.Deposits, t)
}

// copyFirstTerms fills in what contracts of the first products did not copy yet; the products had no others.
func (t *Deposit) copyFirstTerms() {
	if p := DefaultCatalogue().Deposit(t.Product); p != nil {
		t.Method, t.MinimumFen, t.Subjects = p.Method, p.MinimumFen, p.DepositSubjects
	}
}

func (c *Customer) paidBack(m *DepositPaid) {
	t := c.deposit(m.DepositNo)
	t.PrincipalFen = m.RemainingFen
	t.AccruedFen = max(0, t.AccruedFen-m.AccrualReleasedFen-m.InterestFen)
	t.OverdueAccruedFen = max(0, t.OverdueAccruedFen-m.OverdueReleasedFen-m.OverdueInterestFen)
	if t.PrincipalFen == 0 {
		t.AccruedFen, t.OverdueAccruedFen = 0, 0
	}
}

// View of the deposit.
func (t *Deposit) View() DepositView {
	v := DepositView{
		DepositID: t.No, AccountNo: t.Account, Product: t.Product, State: "ACTIVE", PrincipalFen: t.PrincipalFen,
		OpenedFen: t.OpenedFen, RateE6: t.RateE6, OpenDate: t.OpenDate, MaturityDate: t.MaturityDate,
		MaturityInterestFen: t.Terms().MaturityInterestFen(), Rollover: t.Rollover, CertificateNo: t.CertificateNo,
		HeldFen: t.HeldFen(), AccruedFen: t.AccruedFen + t.OverdueAccruedFen, Holds: t.Holds,
	}
	if t.RolledFrom != 0 {
		v.RolledFrom = t.RolledFrom.String()
	}
	if t.PrincipalFen == 0 {
		v.State = "CLOSED"
	}
	return v
}
