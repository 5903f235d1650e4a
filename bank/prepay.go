package bank

// Prepayment (提前还款) is what paying before the due date collects and leaves (SPEC 5.4).
type Prepayment struct {
	PrincipalFen int64
	InterestFen  int64 // on the whole remaining principal, from the last due date to the day
	FeeFen       int64
	Days         int
	RemainingFen int64
	LevelFen     int64 // new level payment or principal; 0 when there is none or nothing is left
	Schedule     []Instalment
}

// CashFen is what the customer pays on the day.
func (p Prepayment) CashFen() int64 { return p.PrincipalFen + p.InterestFen + p.FeeFen }

// Prepay pays part of the principal on a day. left are the instalments not yet due, the next first; an
// instalment due on the day is taken before. ReduceAmount spreads what remains over the same due dates,
// ReduceTerm keeps the instalment and takes the smallest number of them that suffices. Paying
// everything is a settlement.
func (t LoanTerms) Prepay(left []Instalment, on Date, amountFen int64, mode PrepaymentMode, feeE6 int64) Prepayment {
	rest := t.restBefore(left)
	if amountFen <= 0 || amountFen > rest.principalFen {
		panic("bank: a prepayment of no principal or more than all of it")
	}
	p := rest.collect(on, amountFen, feeE6)
	if p.RemainingFen == 0 {
		return p
	}
	after := t.rest(p.RemainingFen, max(on, rest.from), rest.paid, rest.count)
	switch {
	case t.Method == Bullet:
		p.Schedule = []Instalment{t.singlePayment(p.RemainingFen, after.from, left[0].No)}
		return p
	case mode == ReduceTerm && t.Method != InterestOnly:
		p.LevelFen = rest.levelOf(left[0])
		after.count = after.shortest(p.LevelFen)
	default:
		p.LevelFen = after.level()
	}
	p.Schedule = after.rows(p.LevelFen)
	return p
}

// Settle (提前结清) pays everything on a day.
func (t LoanTerms) Settle(left []Instalment, on Date, feeE6 int64) Prepayment {
	rest := t.restBefore(left)
	return rest.collect(on, rest.principalFen, feeE6)
}

// InterestToDateFen is the interest from the last due date to a day on what is not yet due.
func (t LoanTerms) InterestToDateFen(left []Instalment, on Date) int64 {
	return t.restBefore(left).interestTo(on)
}

// restBefore reads the state of the loan out of its next instalments: their first row says what is
// owed before it and, by its days, where its period began.
func (t LoanTerms) restBefore(left []Instalment) restOfLoan {
	next := left[0]
	return t.rest(next.PrincipalFen+next.RemainingFen, next.Due.AddDays(-next.Days), next.No-1, len(left))
}

func (r restOfLoan) collect(on Date, amountFen, feeE6 int64) Prepayment {
	return Prepayment{
		PrincipalFen: amountFen, InterestFen: r.interestTo(on), FeeFen: HalfUpProduct(amountFen, feeE6, 1, rateUnits),
		Days: max(0, Days(r.from, on)), RemainingFen: r.principalFen - amountFen,
	}
}

// interestTo is by days, except for a single payment still in its first period, which is months and odd
// days on that basis (BL02).
func (r restOfLoan) interestTo(on Date) int64 {
	method := ActualDays
	if r.Method == Bullet && r.from == r.Disbursed {
		method = r.Basis
	}
	return PeriodInterestFen(r.principalFen, r.RateE6, r.from, on, method)
}

// levelOf reads the level back out of the next instalment. When that is the last one there is no level
// to keep and shortest can only answer 1.
func (r restOfLoan) levelOf(next Instalment) int64 {
	if r.Method == EqualPrincipal {
		return next.PrincipalFen
	}
	return next.PrincipalFen + r.pathInterestFen(r.principalFen, r.from, next.Due)
}

// shortest is the smallest number of instalments whose level is within the one kept. What rounding left
// over may make even the old number a fen too few: then it stays, and the last instalment takes it.
func (r restOfLoan) shortest(levelFen int64) int {
	a := r.annuity()
	for m := 1; m < r.count; m++ {
		if r.Method == EqualPrincipal && HalfUp64(r.principalFen, int64(m)) <= levelFen {
			return m
		}
		if r.Method == EqualInstalment && a.levelFen(m) <= levelFen {
			return m
		}
	}
	return r.count
}
