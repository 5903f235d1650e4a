package bank

import "math/big"

// LoanTerms is what a repayment schedule (还款计划) depends on, fixed at drawdown. Formulae: SPEC 5.4.
type LoanTerms struct {
	PrincipalFen int64
	RateE6       int64
	Disbursed    Date
	Periods      int
	DueDay       int // of the month; 0: the day of the drawdown (SAME_DAY)
	Method       RepaymentMethod
	// Basis MonthsAndOddDays (MONTHLY) counts a period from anchor to anchor as a month and any other
	// by days; ActualDays (ACT360) counts every period by days.
	Basis InterestMethod
}

// LoanPeriodsMax is the longest schedule: thirty years of months.
const LoanPeriodsMax = 360

// anchor is the day of the month instalments fall on, before clipping to the month's end.
func (t LoanTerms) anchor() int {
	if t.DueDay != 0 {
		return t.DueDay
	}
	return t.Disbursed.Day()
}

// DueDate is the due date of the k-th month after the drawdown's; with a fixed day the first is in the
// next month, however near or far that is.
func (t LoanTerms) DueDate(k int) Date { return t.Disbursed.AddMonths(k, t.anchor()) }

// Maturity is the last due date.
func (t LoanTerms) Maturity() Date { return t.DueDate(t.Periods) }

// Schedule is the plan at drawdown. The sum of its principals is the loan's, none is negative, and
// each is rounded once. Periods must be 1…LoanPeriodsMax.
func (t LoanTerms) Schedule() []Instalment {
	if t.Periods < 1 || t.Periods > LoanPeriodsMax || t.PrincipalFen < 0 || t.RateE6 < 0 {
		panic("bank: loan terms out of range")
	}
	if t.Method == Bullet {
		return []Instalment{t.singlePayment(t.PrincipalFen, t.Disbursed, 1)}
	}
	rest := t.rest(t.PrincipalFen, t.Disbursed, 0, t.Periods)
	return rest.rows(rest.level())
}

// InstalmentFen (每期还款额) is the level payment of EqualInstalment at drawdown, 0 for other methods.
func (t LoanTerms) InstalmentFen() int64 {
	if t.Method != EqualInstalment {
		return 0
	}
	return t.rest(t.PrincipalFen, t.Disbursed, 0, t.Periods).level()
}

// singlePayment (利随本清) is the one row of a bullet loan counted from a day. From the drawdown it is
// months and odd days; from a prepayment, which is no anchor, actual days.
func (t LoanTerms) singlePayment(principalFen int64, from Date, no int) Instalment {
	method := t.Basis
	if from != t.Disbursed {
		method = ActualDays
	}
	due := t.Maturity()
	return Instalment{
		No: no, Due: due, Days: Days(from, due), PrincipalFen: principalFen,
		InterestFen: PeriodInterestFen(principalFen, t.RateE6, from, due, method),
	}
}

// restOfLoan is a loan from some day on: what a schedule is computed from, at drawdown and after a
// prepayment.
type restOfLoan struct {
	LoanTerms
	principalFen int64
	from         Date // interest before this day has been collected
	paid         int  // due dates passed
	count        int  // instalments to come
}

func (t LoanTerms) rest(principalFen int64, from Date, paid, count int) restOfLoan {
	return restOfLoan{LoanTerms: t, principalFen: principalFen, from: from, paid: paid, count: count}
}

// rows are the instalments to come for a level: the whole payment under EqualInstalment, the principal
// of each period under EqualPrincipal, nothing otherwise.
func (r restOfLoan) rows(levelFen int64) []Instalment {
	rows := make([]Instalment, r.count)
	left, from := r.principalFen, r.from
	for k := range rows {
		due := r.DueDate(r.paid + k + 1)
		principal := r.periodPrincipalFen(levelFen, left, from, due)
		if k == r.count-1 {
			principal = left
		}
		rows[k] = Instalment{
			No: r.paid + k + 1, Due: due, Days: Days(from, due), PrincipalFen: principal,
			InterestFen: r.periodInterestFen(left, from, due), RemainingFen: left - principal,
		}
		left, from = left-principal, due
	}
	return rows
}

// periodPrincipalFen is the principal of a period that is not the last. On the monthly basis the path
// of the principal is that of full months, so an odd period shows in its interest alone (LN07).
func (r restOfLoan) periodPrincipalFen(levelFen, leftFen int64, from, due Date) int64 {
	switch r.Method {
	case EqualInstalment:
		return min(max(levelFen-r.pathInterestFen(leftFen, from, due), 0), leftFen)
	case EqualPrincipal:
		return min(levelFen, leftFen)
	}
	return 0
}

// pathInterestFen is the interest the level payment takes for granted.
func (r restOfLoan) pathInterestFen(leftFen int64, from, due Date) int64 {
	if r.Basis == ActualDays {
		return DayInterestFen(leftFen, r.RateE6, Days(from, due))
	}
	return MonthInterestFen(leftFen, r.RateE6, 1)
}

// periodInterestFen is the interest of a period: by the month from anchor to anchor, else by days.
func (r restOfLoan) periodInterestFen(leftFen int64, from, due Date) int64 {
	fullMonth := from.AddMonths(0, r.anchor()) == from && from.AddMonths(1, r.anchor()) == due
	if r.Basis != ActualDays && fullMonth {
		return MonthInterestFen(leftFen, r.RateE6, 1)
	}
	return DayInterestFen(leftFen, r.RateE6, Days(from, due))
}

// level is the payment (EqualInstalment) or principal (EqualPrincipal) of each instalment to come.
func (r restOfLoan) level() int64 {
	switch r.Method {
	case EqualInstalment:
		return r.annuity().levelFen(r.count)
	case EqualPrincipal:
		return HalfUp64(r.principalFen, int64(r.count))
	}
	return 0
}

// annuity computes level payments for growing counts of instalments without starting again.
//
// With fⱼ = 1 + r·dⱼ/360 the growth of the j-th period, the level payment of n instalments is
// P / Σₖ Πⱼ≤ₖ 1/fⱼ. Writing fⱼ = gⱼ/M and multiplying by Πgⱼ leaves integers only:
// P·Πgⱼ / Sₙ with Sₙ = gₙ·Sₙ₋₁ + Mⁿ. On the monthly basis gⱼ = M + rate with M = 12·10⁶, which is
// the textbook P·i·(1+i)ⁿ/((1+i)ⁿ−1), and needs no other case for a rate of zero.
type annuity struct {
	rest    restOfLoan
	n       int
	unit    *big.Int // M
	numer   *big.Int // P·Πgⱼ
	sum     *big.Int // Sₙ
	unitToN *big.Int // Mⁿ
	from    Date
}

func (r restOfLoan) annuity() *annuity {
	unit := int64(monthsPerYear * rateUnits)
	if r.Basis == ActualDays {
		unit = dayRateUnits
	}
	return &annuity{
		rest: r, unit: big.NewInt(unit), numer: big.NewInt(r.principalFen), sum: new(big.Int), unitToN: big.NewInt(1), from: r.from,
	}
}

// levelFen is the level payment of count instalments; count must not shrink between calls.
func (a *annuity) levelFen(count int) int64 {
	for ; a.n < count; a.n++ {
		growth := a.rest.RateE6
		if a.rest.Basis == ActualDays {
			due := a.rest.DueDate(a.rest.paid + a.n + 1)
			growth *= int64(Days(a.from, due))
			a.from = due
		}
		g := new(big.Int).Add(a.unit, big.NewInt(growth))
		a.unitToN.Mul(a.unitToN, a.unit)
		a.numer.Mul(a.numer, g)
		a.sum.Add(a.sum.Mul(a.sum, g), a.unitToN)
	}
	return fen(HalfUp(a.numer, a.sum))
}

// RevolvingMove (随借随还) is a drawdown (positive) or repayment of a revolving loan.
type RevolvingMove struct {
	On        Date
	AmountFen int64
}

// RevolvingSettlement is the interest of a revolving loan up to its settlement day or last repayment.
type RevolvingSettlement struct {
	On          Date
	FenDays     int64
	InterestFen int64
}

// RevolvingInterest settles interest on the daily balance, ACT/360, at the end of a day of each month
// and on the day the loan ends. A settlement day belongs to the period it closes (SPEC 0.5), the last
// day earns nothing. Moves are in order of date.
func RevolvingInterest(moves []RevolvingMove, rateE6 int64, settleDay int, until Date) []RevolvingSettlement {
	if len(moves) == 0 {
		return nil
	}
	var settled []RevolvingSettlement
	acc := NewAccumulation(BaseFen, moves[0].On, 0)
	settle := func(on, next Date) {
		acc.Advance(next)
		settled = append(settled, RevolvingSettlement{on, acc.FenDays, AccumulationInterestFen(acc.FenDays, rateE6)})
		acc.FenDays = 0
	}
	next := moves[0].On.AddMonths(0, settleDay)
	if next < moves[0].On {
		next = next.AddMonths(1, settleDay)
	}
	settleBefore := func(day Date) {
		for ; next < day; next = next.AddMonths(1, settleDay) {
			settle(next, next.AddDays(1))
		}
	}
	for _, m := range moves {
		settleBefore(min(m.On, until))
		acc.Post(m.On, m.On, m.AmountFen)
	}
	settleBefore(until)
	settle(until, until)
	return settled
}
