package bank

// InterestBase (计息起点) says whether the fen of a principal or of a day's balance earn interest.
type InterestBase string

// The interest bases (SPEC 0.4): from the yuan up (元位起息) is the default of savings products.
const (
	BaseYuan InterestBase = "YUAN"
	BaseFen  InterestBase = "FEN"
	BaseNone InterestBase = "NONE" // earns nothing (不计息): demonstration accounts
)

// Of is the part of an amount that earns interest. A debit balance earns none.
func (b InterestBase) Of(amountFen int64) int64 {
	if amountFen <= 0 || b == BaseNone {
		return 0
	}
	if b == BaseFen {
		return amountFen
	}
	return amountFen - amountFen%100
}

// InterestMethod (计息方法) says how a period is measured. A contract never mixes the two.
type InterestMethod string

// The methods 银发〔2005〕129号 allows (SPEC 4.2).
const (
	MonthsAndOddDays InterestMethod = "MONTHS_AND_ODD_DAYS" // 整年整月加零头天数
	ActualDays       InterestMethod = "ACT360"              // 实际天数
)

// The year of interest has 360 days and so twelve months of 30: P·r·m/12 is P·r·30m/360, and a period
// of months and days is one fraction with one rounding.
const (
	daysPerMonth  = 30
	dayRateUnits  = 360_000_000 // a daily rate is rate_e6 / (360·10⁶)
	rateUnits     = 1_000_000
	monthsPerYear = 12
)

// dayInterestFen is base·rate·days/360 rounded to the fen; days may be an accumulation over fen·days
// with base 1.
func dayInterestFen(baseFen, rateE6, days int64) int64 {
	return HalfUpProduct(baseFen, rateE6, days, dayRateUnits)
}

// DayInterestFen is simple interest of actual days over 360.
func DayInterestFen(baseFen, rateE6 int64, days int) int64 {
	return dayInterestFen(baseFen, rateE6, int64(days))
}

// MonthInterestFen is simple interest of whole months, whatever their number of days (对年对月对日).
func MonthInterestFen(baseFen, rateE6 int64, months int) int64 {
	return dayInterestFen(baseFen, rateE6, int64(months)*daysPerMonth)
}

// AccumulationInterestFen is the interest of an accumulation (积数) in fen·days, rounded once.
func AccumulationInterestFen(fenDays, rateE6 int64) int64 { return dayInterestFen(1, rateE6, fenDays) }

// MonthsAndDays measures a period by anniversaries of its first day: whole months, then odd days.
func MonthsAndDays(from, to Date) (months, days int) {
	if to <= from {
		return 0, 0
	}
	months = (to.Year()-from.Year())*monthsPerYear + to.Month() - from.Month()
	if from.AddMonths(months, 0) > to {
		months--
	}
	return months, Days(from.AddMonths(months, 0), to)
}

// PeriodInterestFen is the interest of any period by the method.
func PeriodInterestFen(baseFen, rateE6 int64, from, to Date, method InterestMethod) int64 {
	if method == ActualDays {
		return DayInterestFen(baseFen, rateE6, max(0, Days(from, to)))
	}
	months, days := MonthsAndDays(from, to)
	return dayInterestFen(baseFen, rateE6, int64(months*daysPerMonth+days))
}

// InterestTaxFen (利息税) is what the bank withholds from interest. The rate is a dated parameter,
// zero since 2008-10-09 (财税〔2008〕132号, SPEC 4.1).
func InterestTaxFen(interestFen, taxE6 int64) int64 {
	return HalfUpProduct(interestFen, taxE6, 1, rateUnits)
}

// TermDeposit (定期存款) is what the interest of a term deposit depends on, fixed when it is opened.
type TermDeposit struct {
	PrincipalFen int64
	RateE6       int64
	TermMonths   int
	Opened       Date
	Base         InterestBase
	Method       InterestMethod
}

// Maturity is the day the term ends.
func (d TermDeposit) Maturity() Date { return d.Opened.AddMonths(d.TermMonths, 0) }

// TermDays is the actual number of days of the term.
func (d TermDeposit) TermDays() int { return Days(d.Opened, d.Maturity()) }

// MaturityInterestFen is the interest of the full term.
func (d TermDeposit) MaturityInterestFen() int64 {
	base := d.Base.Of(d.PrincipalFen)
	if d.Method == ActualDays {
		return DayInterestFen(base, d.RateE6, d.TermDays())
	}
	return MonthInterestFen(base, d.RateE6, d.TermMonths)
}

// AccruedFen (计提, rule D-ACC) is what has been accrued after the given number of days, the day of
// opening being the first. Straight line, so the last day lands on the maturity interest (SPEC 4.2).
func (d TermDeposit) AccruedFen(days int) int64 {
	term := d.TermDays()
	return HalfUpProduct(d.MaturityInterestFen(), int64(min(max(days, 0), term)), 1, int64(term))
}

// AccruedBeforeFen is what the ends of day before a date have accrued.
func (d TermDeposit) AccruedBeforeFen(on Date) int64 { return d.AccruedFen(Days(d.Opened, on)) }

// RolledOver (转存) is the deposit that follows on the maturity day: the new rate, its own anchor. What of the
// interest does not go into it is paid to the e-account; tax comes off the interest first.
func (d TermDeposit) RolledOver(choice Rollover, rateE6, taxE6 int64) (next TermDeposit, paidFen int64) {
	interest := d.MaturityInterestFen()
	paidFen = interest - InterestTaxFen(interest, taxE6)
	next = d
	next.Opened, next.RateE6 = d.Maturity(), rateE6
	if choice == RolloverPrincipalAndInterest {
		next.PrincipalFen += paidFen
		paidFen = 0
	}
	return next, paidFen
}

// RedemptionKind says which rule a redemption falls under, by its day.
type RedemptionKind uint8

// The kinds of redemption.
const (
	RedeemedEarly         RedemptionKind = iota + 1 // 提前支取
	RedeemedAtMaturity                              // 到期支取
	RedeemedAfterMaturity                           // 逾期支取
)

// Redemption is what taking money out of a term deposit pays and does to the accrual.
type Redemption struct {
	Kind               RedemptionKind
	PrincipalFen       int64 // redeemed
	InterestFen        int64 // before tax: demand interest when early, term interest from maturity on
	OverdueInterestFen int64 // demand interest of the days past maturity
	TaxFen             int64 // on both
	Days               int   // that earned demand interest
	DemandRateE6       int64
	AccruedFen         int64 // before the redemption, whole deposit, term interest only
	AccruedRestFen     int64 // after it, on the rest; the deposit's new accrual
	AccrualReleasedFen int64 // taken back out of expense; negative when the accrual was too small
	RemainingFen       int64 // principal
}

// PayoutFen is what the customer receives.
func (r Redemption) PayoutFen() int64 {
	return r.PrincipalFen + r.InterestFen + r.OverdueInterestFen - r.TaxFen
}

// Redeem takes amountFen of the principal out on a day, at the demand rate posted on that day. Early,
// the part earns the demand rate for the days held (储蓄管理条例 art. 24) and the rest keeps its rate and
// date; past maturity the days over earn it on the principal, not compounded (art. 25).
func (d TermDeposit) Redeem(on Date, amountFen, demandRateE6, taxE6 int64) Redemption {
	part, rest := d, d
	part.PrincipalFen, rest.PrincipalFen = amountFen, d.PrincipalFen-amountFen
	r := Redemption{
		PrincipalFen: amountFen, RemainingFen: rest.PrincipalFen, DemandRateE6: demandRateE6,
		AccruedFen: d.AccruedBeforeFen(on), AccruedRestFen: rest.AccruedBeforeFen(on),
	}
	base, maturity := d.Base.Of(amountFen), d.Maturity()
	switch {
	case on < maturity:
		r.Kind, r.Days = RedeemedEarly, max(0, Days(d.Opened, on))
		r.InterestFen = DayInterestFen(base, demandRateE6, r.Days)
	default:
		r.Kind, r.InterestFen = RedeemedAtMaturity, part.MaturityInterestFen()
		if on > maturity {
			r.Kind, r.Days = RedeemedAfterMaturity, Days(maturity, on)
			r.OverdueInterestFen = DayInterestFen(base, demandRateE6, r.Days)
		}
	}
	r.TaxFen = InterestTaxFen(r.InterestFen+r.OverdueInterestFen, taxE6)
	r.AccrualReleasedFen = r.AccruedFen - r.AccruedRestFen - r.InterestFen
	return r
}

// Accumulation (积数) is the running sum of a demand balance's days (SPEC 0.7, 4.1). It rounds only
// when asked for interest.
type Accumulation struct {
	Base       InterestBase `cbor:"1,keyasint,omitempty"`
	From       Date         `cbor:"2,keyasint,omitempty"` // first day of the period
	Next       Date         `cbor:"3,keyasint,omitempty"` // first day not yet counted
	BalanceFen int64        `cbor:"4,keyasint,omitempty"` // now
	FenDays    int64        `cbor:"5,keyasint,omitempty"`
}

// NewAccumulation begins a period.
func NewAccumulation(base InterestBase, from Date, balanceFen int64) Accumulation {
	return Accumulation{Base: base, From: from, Next: from, BalanceFen: balanceFen}
}

// Advance counts the end-of-day balance of every day before a date.
func (a *Accumulation) Advance(to Date) {
	if to > a.Next {
		a.FenDays += a.Base.Of(a.BalanceFen) * int64(Days(a.Next, to))
		a.Next = to
	}
}

// Post changes the balance on a day. An entry for days already counted, because its value date is earlier
// (倒起息) or the account went on to the next day before it came, also counts amount × days for them, up or
// down (SPEC 3.5); days before the period's first are not reopened, they take an explicit interest
// adjustment.
func (a *Accumulation) Post(on, value Date, amountFen int64) {
	a.Advance(on)
	a.BalanceFen += amountFen
	a.FenDays += amountFen * int64(max(0, Days(max(value, a.From), a.Next)))
}

// Settle (结息) counts through the settlement day, that day included, gives the interest at the rate
// posted on it for the whole period, and begins the next period.
func (a *Accumulation) Settle(day Date, rateE6 int64) (interestFen int64) {
	return a.closeBefore(day.AddDays(1), rateE6)
}

// Close (销户) gives the interest of the broken period up to the day before, at the rate of the
// closing day (储蓄管理条例 art. 27).
func (a *Accumulation) Close(day Date, rateE6 int64) (interestFen int64) {
	return a.closeBefore(day, rateE6)
}

// closeBefore ends the period the day before a date. Back-valued debits can leave less than nothing
// accumulated; the bank asks no interest for it.
func (a *Accumulation) closeBefore(next Date, rateE6 int64) int64 {
	a.Advance(next)
	interest := AccumulationInterestFen(max(0, a.FenDays), rateE6)
	a.From, a.FenDays = a.Next, 0
	return interest
}
