package bank

import "slices"

// Catalogue is what the bank sells: accounts, deposits, loans, and the dated rates of each. Contracts
// copy what they use at signing, so a new catalogue never changes an old contract (SPEC 8.5).
type Catalogue struct {
	// Version names this state of it; contracts copy it with what they use.
	Version  string
	Accounts []AccountProduct
	Deposits []DepositProduct
	Loans    []LoanProduct
	// Demand is the demand rate (活期利率) by date.
	Demand RateTable
	// InterestTax is the rate withheld from interest by date; zero since 2008-10-09.
	InterestTax RateTable
	// ClassI are the limits of a class Ⅰ account's payments to others through electronic channels, which the
	// law leaves to the bank (SPEC 3.2).
	ClassI OwnLimits
	// Transfers are fees and limits of money that leaves.
	Transfers TransferRules
}

// RateStep is a rate posted (挂牌) from a day on, for amounts from AtLeastFen up.
type RateStep struct {
	From       Date
	RateE6     int64
	AtLeastFen int64
}

// RateTable is the history of a rate, oldest first; the steps of one day are its bands of amounts, smallest first.
type RateTable []RateStep

// On is the rate posted on a day for the smallest amounts; false before the first.
func (t RateTable) On(day Date) (rateE6 int64, ok bool) { return t.For(0, day) }

// For is the rate posted on a day for an amount; false before the first, and below the smallest band.
func (t RateTable) For(amountFen int64, day Date) (rateE6 int64, ok bool) {
	for _, step := range slices.Backward(t.Bands(day)) {
		if step.AtLeastFen <= amountFen {
			return step.RateE6, true
		}
	}
	return 0, false
}

// Bands are the steps posted on a day, smallest amounts first; none before the first.
func (t RateTable) Bands(day Date) []RateStep {
	end := len(t)
	for end > 0 && t[end-1].From > day {
		end--
	}
	begin := end
	for begin > 0 && t[begin-1].From == t[end-1].From {
		begin--
	}
	return t[begin:end]
}

// AccountProduct is a kind of e-account.
type AccountProduct struct {
	Code, Zh string
	Class    Class
	Detail   uint32 // subject of its ledger accounts
	Base     InterestBase
	Demo     bool // demonstrations only: any date, overdraft
	// Withdrawn: no new accounts; those there are go on.
	Withdrawn bool
}

// DepositProduct is a kind of term deposit (SPEC 4.2).
type DepositProduct struct {
	Code, Zh, En string
	TermMonths   int
	MinimumFen   int64 // 起存金额, also of what a part redemption leaves
	StepFen      int64
	Rates        RateTable
	Base         InterestBase
	Method       InterestMethod
	DepositSubjects
	Sale            []SaleWindow
	CapPerPersonFen int64    // 限购, of all open deposits of the product; zero: none
	MaxPartial      int      // 部分提前支取次数; zero: any number
	Regions         []uint32 // 行政区划 it is sold in: two, four or six digits; empty: everywhere
	Agreement       string   // version of the agreement a customer accepts
}

// DepositSubjects are the subjects a deposit is kept under.
type DepositSubjects struct {
	Detail        uint32 `cbor:"16,keyasint,omitempty" json:"detail_subject,omitzero"`  // 个人定期
	PayableDetail uint32 `cbor:"17,keyasint,omitempty" json:"payable_subject,omitzero"` // 应付利息
	ExpenseDetail uint32 `cbor:"18,keyasint,omitempty" json:"expense_subject,omitzero"` // 利息支出
}

// SaleWindow (发售期) is when a product is sold: from a day, through another; zero: from ever, for ever.
type SaleWindow struct{ From, Through Date }

// WindowOn is the window in which the product is sold on a day; false if it is not.
func (p *DepositProduct) WindowOn(day Date) (SaleWindow, bool) {
	i := slices.IndexFunc(p.Sale, func(w SaleWindow) bool { return w.From <= day && (w.Through == 0 || day <= w.Through) })
	if i < 0 {
		return SaleWindow{}, false
	}
	return p.Sale[i], true
}

// OnSaleOn reports whether the product is sold on a day.
func (p *DepositProduct) OnSaleOn(day Date) bool {
	_, ok := p.WindowOn(day)
	return ok
}

// InsuredMaxFen is what the deposit insurance (存款保险) pays one depositor at most (存款保险条例 art. 5).
const InsuredMaxFen = 50_000_000

// sells reports whether the product is sold to customers of a region, the six digits of their document.
func (p *DepositProduct) sells(region uint32) bool {
	return len(p.Regions) == 0 || slices.ContainsFunc(p.Regions, func(r uint32) bool {
		return r == region || r == region/100 || r == region/10_000
	})
}

// LoanProduct is a kind of personal loan (SPEC 5.1).
type LoanProduct struct {
	Code, Zh           string
	MinimumFen         int64
	MaximumFen         int64
	TermMonthsMin      int
	TermMonthsMax      int
	Methods            []MethodRule
	LineRevolving      bool // repaid principal can be drawn again (随借随还)
	LineMonths         int  // validity of a line
	Rates              RateTable
	Basis              InterestMethod // of schedules
	PenaltyPercent     int64          // of the contract rate (罚息)
	GraceDays          int
	CompoundOnInterest bool
	PrepaymentFeeE6    int64
	IncomeDetail       uint32
	OnSale             bool
}

// MethodRule is a repayment method a product offers, up to a term.
type MethodRule struct {
	Method        RepaymentMethod
	TermMonthsMax int
}

// Offers reports whether the product can be repaid by the method over the term.
func (p *LoanProduct) Offers(method RepaymentMethod, termMonths int) bool {
	return slices.ContainsFunc(p.Methods, func(r MethodRule) bool {
		return r.Method == method && termMonths <= r.TermMonthsMax
	})
}

// Account finds an account product by code, nil for none. The returned product is not to be changed.
func (c *Catalogue) Account(code string) *AccountProduct {
	for i := range c.Accounts {
		if c.Accounts[i].Code == code {
			return &c.Accounts[i]
		}
	}
	return nil
}

// AccountOfClass is the class's own product, nil for none.
func (c *Catalogue) AccountOfClass(class Class) *AccountProduct {
	for i := range c.Accounts {
		if c.Accounts[i].Class == class && !c.Accounts[i].Demo {
			return &c.Accounts[i]
		}
	}
	return nil
}

// Deposit finds a deposit product by code, nil for none. The returned product is not to be changed.
func (c *Catalogue) Deposit(code string) *DepositProduct {
	for i := range c.Deposits {
		if c.Deposits[i].Code == code {
			return &c.Deposits[i]
		}
	}
	return nil
}

// Loan finds a loan product by code, nil for none. The returned product is not to be changed.
func (c *Catalogue) Loan(code string) *LoanProduct {
	for i := range c.Loans {
		if c.Loans[i].Code == code {
			return &c.Loans[i]
		}
	}
	return nil
}

// RateOn is the rate a product posts on a day: the demand rate for an account product. False when
// there is no such product, or no rate yet.
func (c *Catalogue) RateOn(product string, day Date) (rateE6 int64, ok bool) {
	if p := c.Deposit(product); p != nil {
		return p.Rates.On(day)
	}
	if p := c.Loan(product); p != nil {
		return p.Rates.On(day)
	}
	if c.Account(product) != nil {
		return c.Demand.On(day)
	}
	return 0, false
}

// DemandRateOn is the demand rate posted on a day; zero before the first.
func (c *Catalogue) DemandRateOn(day Date) int64 {
	rate, _ := c.Demand.On(day)
	return rate
}

// InterestTaxOn is the rate of interest tax on a day.
func (c *Catalogue) InterestTaxOn(day Date) int64 {
	rate, _ := c.InterestTax.On(day)
	return rate
}

// Open is the deposit of the product opened on a day at the rate posted on it; false when the product
// posts no rate yet.
func (p *DepositProduct) Open(principalFen int64, on Date) (TermDeposit, bool) {
	rate, ok := p.Rates.For(principalFen, on)
	return TermDeposit{
		PrincipalFen: principalFen, RateE6: rate, TermMonths: p.TermMonths, Opened: on, Base: p.Base, Method: p.Method,
	}, ok
}

// Product codes.
const (
	ProductClassI      = "EACCOUNT_I"
	ProductClassII     = "EACCOUNT_II"
	ProductClassIII    = "EACCOUNT_III"
	ProductDemoCurrent = "DEMO_CURRENT"

	ProductJFC3M = "JFC3M" // 季富存
	ProductSLC6M = "SLC6M" // 岁利存(半年)
	ProductSLC1Y = "SLC1Y" // 岁利存(一年)
	ProductSFC3Y = "SFC3Y" // 岁丰存(三年)

	ProductNJD = "NJD" // 农机贷
	ProductGHD = "GHD" // 工惠贷
	ProductNHD = "NHD" // 农惠贷
	ProductYND = "YND" // 裕牛贷
	ProductJHD = "JHD" // 九惠贷
	ProductSHD = "SHD" // 商惠贷
)

// DefaultCatalogue is what the bank starts with. Terms of deposits and the purposes of loans are the
// bank's own; every rate, amount and threshold is a demonstration value until configured (SPEC 4.2, 5.1).
func DefaultCatalogue() *Catalogue {
	return &Catalogue{
		Version: "built-in",
		Accounts: []AccountProduct{
			{Code: ProductClassI, Zh: "电子账户(Ⅰ类)", Class: 1, Detail: DetailClassI, Base: BaseYuan},
			{Code: ProductClassII, Zh: "电子账户(Ⅱ类)", Class: 2, Detail: DetailClassII, Base: BaseYuan},
			{Code: ProductClassIII, Zh: "电子账户(Ⅲ类)", Class: 3, Detail: DetailClassIII, Base: BaseYuan},
			// Class Ⅰ, which has no limits: a demonstration moves any amount on any day.
			{Code: ProductDemoCurrent, Zh: "演示账户(可透支)", Class: 1, Detail: DetailDemoCurrent, Base: BaseNone, Demo: true},
		},
		Deposits: []DepositProduct{
			nineBenefits(ProductJFC3M, "季富存", "Time deposit, 3 months", 3, 13_500, 1),
			nineBenefits(ProductSLC6M, "岁利存(半年)", "Time deposit, 6 months", 6, 15_500, 2),
			nineBenefits(ProductSLC1Y, "岁利存(一年)", "Time deposit, 1 year", 12, 17_500, 3),
			nineBenefits(ProductSFC3Y, "岁丰存(三年)", "Time deposit, 3 years", 36, 26_000, 4),
		},
		Loans: []LoanProduct{
			personalLoan(LoanProduct{
				Code: ProductNJD, Zh: "农机贷", MinimumFen: 1_000_000, MaximumFen: 30_000_000, TermMonthsMin: 6, TermMonthsMax: 36,
				Methods: []MethodRule{{EqualInstalment, 36}, {EqualPrincipal, 36}, {Bullet, 12}},
				Rates:   demoRate(60_000), IncomeDetail: DetailFarmerIncome, OnSale: true,
			}),
			personalLoan(LoanProduct{
				Code: ProductGHD, Zh: "工惠贷", MaximumFen: 20_000_000, TermMonthsMin: 3, TermMonthsMax: 36,
				Methods: []MethodRule{{EqualInstalment, 36}, {InterestOnly, 12}},
				Rates:   demoRate(43_500), IncomeDetail: DetailConsumerIncome, OnSale: true,
			}),
			personalLoan(LoanProduct{
				Code: ProductNHD, Zh: "农惠贷", MaximumFen: 20_000_000, TermMonthsMin: 3, TermMonthsMax: 36,
				Methods: []MethodRule{{EqualInstalment, 36}, {EqualPrincipal, 36}},
				Rates:   demoRate(48_000), IncomeDetail: DetailConsumerIncome, LineRevolving: true,
			}),
			personalLoan(LoanProduct{
				Code: ProductYND, Zh: "裕牛贷", MinimumFen: 2_000_000, MaximumFen: 50_000_000, TermMonthsMin: 6, TermMonthsMax: 24,
				Methods: []MethodRule{{EqualPrincipal, 24}, {InterestOnly, 24}},
				Rates:   demoRate(55_000), IncomeDetail: DetailFarmerIncome,
			}),
			personalLoan(LoanProduct{
				Code: ProductJHD, Zh: "九惠贷", MaximumFen: 20_000_000, TermMonthsMin: 3, TermMonthsMax: 36,
				Methods: []MethodRule{{EqualInstalment, 36}, {InterestOnly, 12}},
				Rates:   demoRate(72_000), IncomeDetail: DetailConsumerIncome, LineRevolving: true,
			}),
			personalLoan(LoanProduct{
				Code: ProductSHD, Zh: "商惠贷", MaximumFen: 100_000_000, TermMonthsMin: 3, TermMonthsMax: 36,
				Methods: []MethodRule{{InterestOnly, 36}, {EqualInstalment, 36}},
				Rates:   demoRate(50_000), IncomeDetail: DetailBusinessIncome, LineRevolving: true,
			}),
		},
		ClassI:      OwnLimits{TransactionFen: 5_000_000, DayFen: 20_000_000},
		Demand:      demoRate(2_000),
		InterestTax: RateTable{{From: 19000101, RateE6: 0}},
		Transfers:   TransferRules{IBPSMaxFen: IBPSMaxFenDefault, ConfirmDayFen: ConfirmDayFenDefault},
	}
}

// demoRatesFrom is early enough that a demonstration may begin in the past.
const demoRatesFrom Date = 20200101

func demoRate(rateE6 int64) RateTable { return RateTable{{From: demoRatesFrom, RateE6: rateE6}} }

// nineBenefits is a product of the series 九惠存; its place in the series ends its subjects' numbers.
func nineBenefits(code, zh, en string, months int, rateE6 int64, place uint32) DepositProduct {
	return DepositProduct{
		Code: code, Zh: zh, En: en, TermMonths: months, MinimumFen: 5_000, StepFen: 1, Rates: demoRate(rateE6),
		Base: BaseYuan, Method: MonthsAndOddDays, DepositSubjects: DepositSubjects{20110200 + place, 22310200 + place, 64110200 + place},
		Sale: []SaleWindow{{}}, Agreement: "2026-01",
	}
}

// personalLoan fills in what the loan products share: penalty at one and a half times the rate
// (银发〔2003〕251号), three days of grace, a line valid for a year, no fee for paying early.
func personalLoan(p LoanProduct) LoanProduct {
	p.MinimumFen = max(p.MinimumFen, 100_000)
	p.LineMonths, p.Basis = 12, MonthsAndOddDays
	p.PenaltyPercent, p.GraceDays, p.CompoundOnInterest = 150, 3, true
	return p
}
