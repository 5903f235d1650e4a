package bank

// LedgerID of the line's available amount (授信额度).
func (l *CreditLine) LedgerID() U128 { return contractLedgerID(DetailLine, l.No) }

// LedgerID of the loan's principal.
func (l *Loan) LedgerID() U128 { return contractLedgerID(DetailLoanPrincipal, l.No) }

// contractLedgerID is the ledger account a contract has under a subject.
func contractLedgerID(detail uint32, no ContractNo) U128 {
	return LedgerID(detail, uint64(no.Customer()), no.Seq())
}

// ContractID is the contract's number as the ledger's user_data_128.
func (n ContractNo) ContractID() U128 { return U128{Lo: uint64(n)} }

// LoanAgeMin and LoanAgeMax are the ages between which a loan may run (SPEC 2.2).
const (
	LoanAgeMin = 18
	LoanAgeMax = 60
	// LoanAgeEndMax is the age at the end of the term.
	LoanAgeEndMax = 65
)

// homeProvince is where the bank may lend: Jilin, division codes 22xxxx. A regional bank lends to local
// customers only (互联网贷款办法 art. 9).
const homeProvince = 22

// preLoan is the strategy that decides applications until the decision engine does: a few rules, each
// of which can refuse.
const (
	preLoanStrategy = "pre-loan-basic"
	preLoanVersion  = 1
)

// incomeMonths is how many months of declared income a line may reach.
const incomeMonths = 12

func decideApply(c *Customer, m *ApplyLoan, env *Env, d *Decision) *Refusal {
	p := env.Catalogue.Loan(m.Product)
	switch {
	case p == nil:
		return &Refusal{Code: ProductUnknown, Field: "product"}
	case !p.OnSale:
		return &Refusal{Code: ProductNotOnSale, Field: "product"}
	case m.AmountFen <= 0 || m.AmountFen > AmountMaxFen:
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	case m.TermMonths < p.TermMonthsMin || m.TermMonths > p.TermMonthsMax:
		return &Refusal{Code: TermNotAllowed, Field: "term_months"}
	case c.Applications >= ContractSeqMax || len(c.Lines) >= ContractSeqMax:
		return &Refusal{Code: ContractsMax}
	}
	application := NewContractNo(ApplicationContract, c.No, c.Applications+1)
	rate, _ := env.Catalogue.RateOn(p.Code, env.Date)
	reasons := preLoan(c, m, p, env)
	decided := &RiskDecided{
		ApplicationNo: application, Stage: "pre", Strategy: preLoanStrategy, Version: preLoanVersion,
		Result: "REJECTED", Reasons: reasons,
	}
	d.Events = []Event{
		&LoanApplied{
			ApplicationNo: application, CustomerNo: c.No, Product: p.Code, AmountFen: m.AmountFen,
			TermMonths: m.TermMonths, Purpose: m.Purpose,
		},
		decided,
	}
	if len(reasons) > 0 {
		return nil
	}
	limit := m.AmountFen
	if m.IncomeFen > 0 {
		limit = min(limit, m.IncomeFen*incomeMonths)
	}
	limit = min(limit, p.MaximumFen) / 10_000 * 10_000 // floor to 100 yuan (SPEC 7.2)
	if limit < p.MinimumFen {
		decided.Reasons = []string{"LIMIT_BELOW_MINIMUM"}
		return nil
	}
	decided.Result, decided.LimitFen, decided.PriceE6, decided.TermMonths = "APPROVED", limit, rate, m.TermMonths
	line := NewContractNo(LineContract, c.No, uint32(len(c.Lines)+1))
	d.Events = append(d.Events, &CreditLineGranted{
		TxnID: d.Txn, LineNo: line, CustomerNo: c.No, ApplicationNo: application, Product: p.Code,
		LimitFen: limit, RateE6: rate, ValidUntil: env.Date.AddMonths(p.LineMonths, 0), Revolving: p.LineRevolving,
		Purpose: m.Purpose,
	})
	d.Legs = LineGrant{lineAccounts(line, d), limit}.Legs(d.Txn, nil)
	return nil
}

// lineAccounts are the ledger accounts of a line; the contra accounts are the product's, here one each.
func lineAccounts(line ContractNo, d *Decision) LineAccounts {
	return LineAccounts{
		Line: contractAccount(DetailLine, line, d), LineOperator: bankAccount(DetailLineOperator, 0, d),
		Undrawn: contractAccount(DetailUndrawn, line, d), UndrawnContra: bankAccount(DetailUndrawnContra, 0, d),
	}
}

// contractAccount is the ledger account of a contract under a subject.
func contractAccount(detail uint32, no ContractNo, d *Decision) U128 {
	subject, ok := SubjectOf(detail)
	if !ok {
		panic("bank: subject missing from the chart")
	}
	account := subject.Account(uint64(no.Customer()), no.Seq(), no.ContractID())
	d.Opens = append(d.Opens, account)
	return account.ID
}

func decideDraw(c *Customer, m *DrawLoan, env *Env, d *Decision) *Refusal {
	line := c.line(m.Line)
	if line == nil {
		return &Refusal{Code: LineUnknown, Field: "line_id"}
	}
	p := env.Catalogue.Loan(line.Product)
	a, r := ownAccount(c, m.Account, "account_no")
	switch {
	case r != nil:
		return r
	case line.ValidUntil < env.Date:
		return &Refusal{Code: LineNotActive, Field: "line_id"}
	case m.AmountFen <= 0 || m.AmountFen > AmountMaxFen:
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	case env.Catalogue.Unlimited(a.Product):
		return &Refusal{Code: ClassNotAllowed, Field: "account_no"}
	case m.Periods < 1 || m.Periods > p.TermMonthsMax:
		return &Refusal{Code: TermNotAllowed, Field: "periods"}
	case !p.Offers(m.Method, m.Periods):
		return &Refusal{Code: MethodNotAllowed, Field: "method"}
	case m.DueDay < 0 || m.DueDay > DueDayMax:
		return &Refusal{Code: FieldInvalid, Field: "due_day"}
	case len(c.Loans) >= ContractSeqMax:
		return &Refusal{Code: ContractsMax}
	}
	if r := a.permits(ActDrawLoan, env, "account_no"); r != nil {
		return r
	}
	for i := range c.Loans {
		if c.Loans[i].overdue(env.Date) {
			return &Refusal{Code: LoanOverdue, Field: "line_id"}
		}
	}
	no := NewContractNo(LoanContract, c.No, uint32(len(c.Loans)+1))
	terms := LoanTerms{
		PrincipalFen: m.AmountFen, RateE6: line.RateE6, Disbursed: env.Date, Periods: m.Periods, DueDay: m.DueDay,
		Method: m.Method, Basis: p.Basis,
	}
	d.Legs = Drawdown{
		LineAccounts: lineAccounts(line.No, d), Loan: contractAccount(DetailLoanPrincipal, no, d),
		Customer: a.LedgerID(), PrincipalFen: m.AmountFen,
	}.Legs(d.Txn, nil)
	a.capped(d, d.Txn)
	d.Events = []Event{&LoanDisbursed{
		TxnID: d.Txn, LoanNo: no, LineNo: line.No, AccountNo: a.No, Product: line.Product, PrincipalFen: m.AmountFen,
		RateE6: line.RateE6, Method: m.Method, Periods: m.Periods, DueDay: m.DueDay, OpenDate: env.Date,
		Maturity: terms.Maturity(), Purpose: line.Purpose, Schedule: terms.Schedule(),
	}}
	d.Affects = []Affected{a.affected()}
	return nil
}

// DueDayMax is the latest fixed due day, one that every month has.
const DueDayMax = 28

// decideRepay takes the instalments that are due, oldest first; what goes beyond them, or everything on
// settling, is a prepayment. Nothing more than is owed is ever taken.
func decideRepay(c *Customer, m *RepayLoan, env *Env, d *Decision) *Refusal {
	l := c.loan(m.Loan)
	if l == nil {
		return &Refusal{Code: LoanUnknown, Field: "loan_id"}
	}
	if l.Settled {
		return &Refusal{Code: LoanClosed, Field: "loan_id"}
	}
	from := m.Account
	if from == 0 {
		from = l.Account
	}
	a, r := ownAccount(c, from, "account_no")
	switch {
	case r != nil:
		return r
	case env.Catalogue.Unlimited(a.Product):
		return &Refusal{Code: ClassNotAllowed, Field: "account_no"}
	case !m.Settle && (m.AmountFen <= 0 || m.AmountFen > AmountMaxFen):
		return &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	}
	if r := a.permits(ActCustomerDebit, env, "account_no"); r != nil {
		return r
	}
	p := env.Catalogue.Loan(l.Product)
	repay := repayment{loan: l, product: p, on: env.Date, d: d, accounts: loanAccounts(l, a, p, d)}
	left := m.AmountFen
	if m.Settle {
		left = AmountMaxFen
	}
	left = repay.due(left)
	ahead := repay.notDue()
	switch {
	case m.Settle && len(ahead) > 0:
		repay.settle(ahead)
	case m.Settle || left == 0:
	case len(repay.allocation) == 0 && len(ahead) > 0:
		if r := repay.prepay(ahead, left, m.Mode); r != nil {
			return r
		}
	}
	repay.finish(a)
	d.Affects = []Affected{a.affected()}
	return nil
}

func loanAccounts(l *Loan, a *EAccount, p *LoanProduct, d *Decision) LoanAccounts {
	return LoanAccounts{
		Customer: a.LedgerID(), Loan: contractAccount(DetailLoanPrincipal, l.No, d),
		Due: contractAccount(DetailLoanInterestDue, l.No, d), Accrued: bankAccount(DetailLoanAccrued, uint64(l.No.Customer().Shard()), d),
		Income: bankAccount(p.IncomeDetail, 0, d),
	}
}

// repayment is one repayment being decided.
type repayment struct {
	loan       *Loan
	product    *LoanProduct
	on         Date
	d          *Decision
	accounts   LoanAccounts
	accrued    int64
	allocation []Allocation
	paidFen    int64
	principal  int64 // repaid in all
	ahead      Event // LoanPrepaid or LoanSettled
}

// due pays instalments that are due, oldest first, and returns what is left of the amount. Of an
// instalment interest comes before principal (SPEC 5.4, waterfall to 90 days).
func (r *repayment) due(left int64) int64 {
	r.accrued = r.loan.AccruedFen
	for i := range r.loan.Schedule {
		o := &r.loan.Schedule[i]
		if o.Instalment.Due > r.on || left == 0 {
			break
		}
		if !o.Open() {
			continue
		}
		if !o.Due {
			r.d.Events = append(r.d.Events, &InstalmentDue{
				LoanNo: r.loan.No, No: o.No, Due: o.Instalment.Due, PrincipalFen: o.PrincipalFen, InterestFen: o.InterestFen,
			})
			accrued := min(r.accrued, o.InterestFen)
			r.accrued -= accrued
			r.d.Legs = InterestDue{r.accounts, o.InterestFen, accrued}.Legs(r.d.Txn, r.d.Legs)
		}
		interest := min(left, o.InterestFen-o.PaidInterestFen)
		principal := min(left-interest, o.PrincipalFen-o.PaidPrincipalFen)
		r.d.Legs = InstalmentRepayment{r.accounts, interest, principal}.Legs(r.d.Txn, r.d.Legs)
		left -= interest + principal
		r.paidFen += interest + principal
		r.principal += principal
		r.allocation = append(r.allocation, Allocation{No: o.No, Due: o.Instalment.Due, InterestFen: interest, PrincipalFen: principal})
	}
	return left
}

// notDue are the instalments to come.
func (r *repayment) notDue() []Instalment {
	var rows []Instalment
	for i := range r.loan.Schedule {
		if r.loan.Schedule[i].Instalment.Due > r.on {
			rows = append(rows, r.loan.Schedule[i].Instalment)
		}
	}
	return rows
}

func (r *repayment) settle(ahead []Instalment) {
	p := r.loan.terms(r.product).Settle(ahead, r.on, r.product.PrepaymentFeeE6)
	r.early(p)
	r.ahead = &LoanSettled{
		TxnID: r.d.Txn, LoanNo: r.loan.No, AccountNo: r.loan.Account, Product: r.loan.Product, PrincipalFen: p.PrincipalFen,
		InterestFen: p.InterestFen, FeeFen: p.FeeFen, CertificateNo: "S" + r.loan.No.String(), On: r.on,
	}
}

// prepay takes amountFen of principal ahead of time; interest to date and fee come on top. An amount
// that covers all of the principal settles the loan.
func (r *repayment) prepay(ahead []Instalment, amountFen int64, mode PrepaymentMode) *Refusal {
	owed := ahead[0].PrincipalFen + ahead[0].RemainingFen
	if amountFen >= owed {
		r.settle(ahead)
		return nil
	}
	if mode == "" {
		mode = ReduceTerm
	}
	p := r.loan.terms(r.product).Prepay(ahead, r.on, amountFen, mode, r.product.PrepaymentFeeE6)
	r.early(p)
	r.ahead = &LoanPrepaid{
		TxnID: r.d.Txn, LoanNo: r.loan.No, AccountNo: r.loan.Account, Product: r.loan.Product, PrincipalFen: p.PrincipalFen,
		InterestFen: p.InterestFen, FeeFen: p.FeeFen, Mode: mode, On: r.on, RemainingFen: p.RemainingFen, NewSchedule: p.Schedule,
	}
	return nil
}

func (r *repayment) early(p Prepayment) {
	var income U128
	if p.FeeFen > 0 {
		income = bankAccount(DetailPrepayFeeIncome, 0, r.d)
	}
	accrued := min(r.accrued, p.InterestFen)
	r.d.Legs = EarlyRepayment{r.accounts, income, p.PrincipalFen, p.InterestFen, accrued, p.FeeFen}.Legs(r.d.Txn, r.d.Legs)
	r.principal += p.PrincipalFen
	r.paidFen += p.CashFen()
}

// finish restores a revolving line by the principal repaid and says what has happened.
func (r *repayment) finish(a *EAccount) {
	line := ContractNo(r.loan.Line)
	if r.principal > 0 && r.product.LineRevolving {
		r.d.Legs = LineRestore{lineAccounts(line, r.d), r.principal}.Legs(r.d.Txn, r.d.Legs)
	}
	if len(r.allocation) > 0 {
		paid := int64(0)
		for _, x := range r.allocation {
			paid += x.InterestFen + x.PrincipalFen
		}
		r.d.Events = append(r.d.Events, &RepaymentApplied{
			TxnID: r.d.Txn, LoanNo: r.loan.No, AccountNo: a.No, Product: r.loan.Product, Source: "CUSTOMER", PaidFen: paid,
			Allocation: r.allocation, RemainingFen: r.loan.RemainingFen - r.duePrincipal(),
		})
	}
	if r.ahead != nil {
		r.d.Events = append(r.d.Events, r.ahead)
	}
	if r.ahead == nil && r.loan.RemainingFen == r.principal && r.allPaid() {
		r.d.Events = append(r.d.Events, &LoanSettled{
			TxnID: r.d.Txn, LoanNo: r.loan.No, AccountNo: a.No, Product: r.loan.Product, CertificateNo: "S" + r.loan.No.String(), On: r.on,
		})
	}
}

func (r *repayment) duePrincipal() (fen int64) {
	for _, x := range r.allocation {
		fen += x.PrincipalFen
	}
	return fen
}

// allPaid reports whether after this repayment no instalment is open.
func (r *repayment) allPaid() bool {
	for i := range r.loan.Schedule {
		o := r.loan.Schedule[i]
		for _, x := range r.allocation {
			if x.No == o.No {
				o.PaidInterestFen += x.InterestFen
				o.PaidPrincipalFen += x.PrincipalFen
			}
		}
		if o.Open() {
			return false
		}
	}
	return true
}

// Used is what has been drawn of a line and counts against it: of a revolving one only what is not repaid.
func (c *Customer) Used(line *CreditLine) (fen int64) {
	for i := range c.Loans {
		switch l := &c.Loans[i]; {
		case l.Line != line.No:
		case line.Revolving:
			fen += l.RemainingFen
		default:
			fen += l.PrincipalFen
		}
	}
	return fen
}

// applyLoan folds loan events into the state.
func (c *Customer) applyLoan(e Event) {
	switch m := e.(type) {
	case *LoanApplied:
		c.Applications++
	case *CreditLineGranted:
		c.Lines = append(c.Lines, CreditLine{
			No: m.LineNo, Product: m.Product, LimitFen: m.LimitFen, RateE6: m.RateE6, ValidUntil: m.ValidUntil,
			Revolving: m.Revolving, Purpose: m.Purpose,
		})
	case *LoanDisbursed:
		l := Loan{
			No: m.LoanNo, Line: m.LineNo, Account: m.AccountNo, Product: m.Product, PrincipalFen: m.PrincipalFen,
			RemainingFen: m.PrincipalFen, RateE6: m.RateE6, Method: m.Method, DueDay: m.DueDay, Periods: m.Periods,
			OpenDate: m.OpenDate, Maturity: m.Maturity, Purpose: m.Purpose,
		}
		for _, row := range m.Schedule {
			l.Schedule = append(l.Schedule, Owed{Instalment: row})
		}
		c.Loans = append(c.Loans, l)
	case *InstalmentDue:
		l := c.loan(m.LoanNo)
		l.AccruedFen = max(0, l.AccruedFen-m.InterestFen)
		if o := l.owed(m.No); o != nil {
			o.Due = true
		}
	case *RepaymentApplied:
		l := c.loan(m.LoanNo)
		for _, x := range m.Allocation {
			if o := l.owed(x.No); o != nil {
				o.PaidInterestFen += x.InterestFen
				o.PaidPrincipalFen += x.PrincipalFen
			}
		}
		l.RemainingFen = m.RemainingFen
	case *LoanPrepaid:
		l := c.loan(m.LoanNo)
		l.RemainingFen = m.RemainingFen
		l.AccruedFen = 0
		l.replan(m.On, m.NewSchedule)
	case *LoanSettled:
		l := c.loan(m.LoanNo)
		l.RemainingFen, l.AccruedFen, l.Settled = 0, 0, true
		l.replan(m.On, nil)
	}
}

func (l *Loan) owed(no int) *Owed {
	for i := range l.Schedule {
		if l.Schedule[i].No == no {
			return &l.Schedule[i]
		}
	}
	return nil
}

// replan keeps what was due by a day and puts the new instalments behind it.
func (l *Loan) replan(on Date, rows []Instalment) {
	kept := l.Schedule[:0]
	for _, o := range l.Schedule {
		if o.Instalment.Due <= on {
			kept = append(kept, o)
		}
	}
	for _, row := range rows {
		kept = append(kept, Owed{Instalment: row})
	}
	l.Schedule = kept
}

// preLoan lists the reasons against an application.
func preLoan(c *Customer, m *ApplyLoan, p *LoanProduct, env *Env) []string {
	var reasons []string
	age := Age(env.Birth, env.Date)
	switch {
	case env.Birth == 0:
		reasons = append(reasons, "AGE_UNKNOWN")
	case age < LoanAgeMin || age > LoanAgeMax || Age(env.Birth, env.Date.AddMonths(m.TermMonths, 0)) > LoanAgeEndMax:
		reasons = append(reasons, "AGE")
	}
	if c.Region/10_000 != homeProvince {
		reasons = append(reasons, "REGION")
	}
	if m.AmountFen < p.MinimumFen || m.AmountFen > p.MaximumFen {
		reasons = append(reasons, "AMOUNT")
	}
	for i := range c.Lines {
		if c.Lines[i].Product == p.Code && c.Lines[i].ValidUntil >= env.Date {
			reasons = append(reasons, "LINE_EXISTS")
			break
		}
	}
	for i := range c.Loans {
		if c.Loans[i].overdue(env.Date) {
			reasons = append(reasons, "OVERDUE")
			break
		}
	}
	return reasons
}

// overdue reports whether an instalment is unpaid after its due date.
func (l *Loan) overdue(on Date) bool {
	for i := range l.Schedule {
		if l.Schedule[i].Instalment.Due >= on {
			return false
		}
		if l.Schedule[i].Open() {
			return true
		}
	}
	return false
}

// View of the line; the caller adds what is available.
func (l *CreditLine) View() LineView {
	return LineView{
		LineID: l.No, Product: l.Product, State: "ACTIVE", LimitFen: l.LimitFen, RateE6: l.RateE6,
		ValidUntil: l.ValidUntil, Revolving: l.Revolving,
	}
}

// View of the loan with its schedule.
func (l *Loan) View() LoanView {
	v := LoanView{
		LoanID: l.No, LineID: l.Line, AccountNo: l.Account, Product: l.Product, State: "ACTIVE",
		PrincipalFen: l.PrincipalFen, RemainingFen: l.RemainingFen, RateE6: l.RateE6, Method: l.Method,
		DisbursedOn: l.OpenDate, MaturityDate: l.Maturity, Schedule: []InstalmentView{},
	}
	if l.Settled {
		v.State = "SETTLED"
	}
	for _, o := range l.Schedule {
		v.Schedule = append(v.Schedule, InstalmentView{
			Instalment: o.Instalment, TotalFen: o.PrincipalFen + o.InterestFen,
			PaidPrincipal: o.PaidPrincipalFen, PaidInterest: o.PaidInterestFen, Settled: !o.Open(),
		})
	}
	return v
}

// terms are what the loan's schedule was made from.
func (l *Loan) terms(p *LoanProduct) LoanTerms {
	return LoanTerms{
		PrincipalFen: l.PrincipalFen, RateE6: l.RateE6, Disbursed: l.OpenDate, Periods: l.Periods, DueDay: l.DueDay,
		Method: l.Method, Basis: p.Basis,
	}
}
