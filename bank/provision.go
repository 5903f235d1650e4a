package bank

import "math/big"

// LoanCategory (五级分类) is one of the five categories of 商业银行金融资产风险分类办法 (2023 No. 1).
type LoanCategory string

// The categories.
const (
	CategoryPass           LoanCategory = "PASS"            // 正常
	CategorySpecialMention LoanCategory = "SPECIAL_MENTION" // 关注
	CategorySubstandard    LoanCategory = "SUBSTANDARD"     // 次级
	CategoryDoubtful       LoanCategory = "DOUBTFUL"        // 可疑
	CategoryLoss           LoanCategory = "LOSS"            // 损失
)

// LoanStanding is what a classification looks at.
type LoanStanding struct {
	DaysPastDue  int
	Technical    bool // late for an operational or technical reason
	Restructured bool
	Impaired     bool // credit-impaired (已发生信用减值)
	Bankrupt     bool
	LossRatioE6  int64 // expected loss over book value
}

// technicalLatenessDaysMax is how long lateness for a technical reason leaves a loan 正常.
const technicalLatenessDaysMax = 7

// Classify gives the worst category any rule asks for (SPEC 5.5). Upgrades wait for people.
func (s LoanStanding) Classify() LoanCategory {
	switch {
	case s.Bankrupt || s.DaysPastDue > 360 || s.LossRatioE6 >= 900_000:
		return CategoryLoss
	case s.DaysPastDue > 270 || s.LossRatioE6 >= 500_000:
		return CategoryDoubtful
	case s.DaysPastDue > 90 || s.Impaired:
		return CategorySubstandard
	case s.Restructured:
		return CategorySpecialMention
	case s.DaysPastDue > 0 && !(s.Technical && s.DaysPastDue <= technicalLatenessDaysMax):
		return CategorySpecialMention
	}
	return CategoryPass
}

// IsNonAccrual (非应计) reports whether income stops: from the 91st day past due (SPEC 5.5).
func IsNonAccrual(daysPastDue int) bool { return daysPastDue > 90 }

// ImpairmentStage (减值阶段) is the stage of the expected-loss model by days past due.
func ImpairmentStage(daysPastDue int) int {
	switch {
	case daysPastDue > 90:
		return 3
	case daysPastDue > 30:
		return 2
	}
	return 1
}

// Exposure is what an expected loss is computed from.
type Exposure struct {
	DrawnFen   int64 // exposure at default
	UndrawnFen int64
	CCFE6      int64 // credit conversion of the undrawn part
	PDE6       int64 // probability of default
	LGDE6      int64 // loss given default
}

// ExpectedLossFen (预期信用损失) is (EAD + undrawn × CCF) × PD × LGD, rounded once.
func (x Exposure) ExpectedLossFen() int64 {
	one := big.NewInt(rateUnits)
	num := new(big.Int).Mul(big.NewInt(x.DrawnFen), one)
	num.Add(num, new(big.Int).Mul(big.NewInt(x.UndrawnFen), big.NewInt(x.CCFE6)))
	num.Mul(num, big.NewInt(x.PDE6)).Mul(num, big.NewInt(x.LGDE6))
	return fen(HalfUp(num, new(big.Int).Exp(one, big.NewInt(3), nil)))
}

// VATFen (价税分离) is the value-added tax inside gross interest income, round(gross·v/(1+v)); the rate is
// a parameter, off by default (财税〔2016〕36号).
func VATFen(grossFen, vatE6 int64) int64 { return HalfUpProduct(grossFen, vatE6, 1, rateUnits+vatE6) }

// AnnualisedCost (年化利率) is the internal rate of return of an instalment loan, as 人民银行公告〔2021〕第3号
// asks every product page to show.
type AnnualisedCost struct {
	MonthlyE9 int64 // per month, unit 1e-9
	AnnualE6  int64 // twelve times the exact monthly rate, unit 1e-6
}

// CostOf is the cost of receiving an amount and paying the flows at the ends of the months after. The
// rates are rounded half-up from the exact root: no floats, whole-number bisection. Flows that do not
// even repay the advance cost nothing; a cost above ten times a month is cut off there.
func CostOf(netAdvanceFen int64, flowsFen []int64) AnnualisedCost {
	return AnnualisedCost{
		MonthlyE9: roundedRate(netAdvanceFen, flowsFen, 1_000_000_000),
		AnnualE6:  roundedRate(netAdvanceFen, flowsFen, monthsPerYear*rateUnits),
	}
}

// roundedRate is the monthly rate in units of 1/perUnit, rounded half-up: the largest x for which the
// root is at least (x − ½)/perUnit.
func roundedRate(advance int64, flows []int64, perUnit int64) int64 {
	low, high := int64(0), 10*perUnit
	for low < high {
		x := low + (high-low+1)/2
		if repays(advance, flows, 2*x-1, 2*perUnit) {
			low = x
		} else {
			high = x - 1
		}
	}
	return low
}

// repays reports whether the flows pay back the advance at num/den a month: the balance after the last
// of them is not positive. Scaled by denⁿ the balance is a whole number.
func repays(advance int64, flows []int64, num, den int64) bool {
	balance, growth := big.NewInt(advance), big.NewInt(num+den)
	scale, unit := big.NewInt(1), big.NewInt(den)
	for _, flow := range flows {
		scale.Mul(scale, unit)
		balance.Mul(balance, growth)
		balance.Sub(balance, new(big.Int).Mul(big.NewInt(flow), scale))
	}
	return balance.Sign() <= 0
}
