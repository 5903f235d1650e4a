package bank

import (
	"cmp"
	"fmt"
	"slices"
)

// A quote (试算) answers what a rule would give and changes nothing. The functions here are the bank's own
// rules on numbers of the caller's choice: what they answer is what a contract of these numbers pays.

// Limits of the numbers a quote takes; with them no result leaves int64 fen.
const (
	QuoteRateMaxE6       int64 = 1_000_000 // 100 % a year
	QuoteMonthsMax             = 600
	QuoteDateMin         Date  = 19500101
	QuoteDateMax         Date  = 21991231
	QuoteEntriesMax            = 1000
	QuotePointsMax             = 4000
	QuotePeriodDaysMax         = 36_600 // a hundred years
	quoteAccumulationMax int64 = 10 * AmountMaxFen
)

// QuoteAction is what happens to the deposit of a quote.
type QuoteAction string

// The actions.
const (
	QuoteMaturity      QuoteAction = "MATURITY"       // 到期支取
	QuoteMaturityTaxed QuoteAction = "MATURITY_TAXED" // the same, with interest tax
	QuoteEarlyFull     QuoteAction = "EARLY_FULL"     // 全部提前支取
	QuoteEarlyPartial  QuoteAction = "EARLY_PARTIAL"  // 部分提前支取
	QuoteAfterMaturity QuoteAction = "AFTER_MATURITY" // 逾期支取
	QuoteRollover      QuoteAction = "ROLLOVER"       // 到期转存
)

// TermCase asks for a quote of a term deposit. Fields the action has no use for are passed over.
type TermCase struct {
	Terms     TermDeposit
	Action    QuoteAction
	On        Date // of the action; zero: the maturity day
	RedeemFen int64
	DemandE6  int64
	TaxE6     int64
	NewRateE6 int64
	Rollover  Rollover
	PointDays []int // days of the accrual to show, the day of opening being 1
}

// TermQuote answers a TermCase. Fields that the action does not have are nil.
type TermQuote struct {
	Product             string         `json:"product,omitzero"`
	ProductZh           string         `json:"product_zh,omitzero"`
	PrincipalFen        int64          `json:"principal_fen"`
	RateE6              int64          `json:"rate_e6"`
	TermMonths          int            `json:"term_months"`
	OpenDate            Date           `json:"open_date"`
	InterestBase        InterestBase   `json:"interest_base"`
	InterestMethod      InterestMethod `json:"interest_method"`
	MaturityDate        Date           `json:"maturity_date"`
	TermDays            int            `json:"term_days"`
	MaturityInterestFen int64          `json:"maturity_interest_fen"`

	Action       QuoteAction `json:"action,omitzero"`
	ActionDate   Date        `json:"action_date,omitzero"`
	DemandRateE6 *int64      `json:"demand_rate_e6,omitzero"`
	TaxFen       *int64      `json:"tax_fen,omitzero"`
	PayoutFen    *int64      `json:"payout_fen,omitzero"`

	// Early redemption.
	DaysHeld                     *int64 `json:"days_held,omitzero"`
	InterestFen                  *int64 `json:"interest_fen,omitzero"`
	AccruedBeforeFen             *int64 `json:"accrued_before_fen,omitzero"`
	AccruedAfterFen              *int64 `json:"accrued_after_fen,omitzero"`
	AccrualReleaseFen            *int64 `json:"accrual_release_fen,omitzero"`
	PaidNowFen                   *int64 `json:"paid_now_fen,omitzero"`
	RemainingPrincipalFen        *int64 `json:"remaining_principal_fen,omitzero"`
	RemainingMaturityInterestFen *int64 `json:"remaining_maturity_interest_fen,omitzero"`
	RemainingPayoutFen           *int64 `json:"remaining_payout_fen,omitzero"`

	// After maturity.
	OverdueDays        *int64 `json:"overdue_days,omitzero"`
	OverdueInterestFen *int64 `json:"overdue_interest_fen,omitzero"`

	// Rollover.
	Rollover               Rollover `json:"rollover,omitzero"`
	PaidToEAccountFen      *int64   `json:"paid_to_e_account_fen,omitzero"`
	NewPrincipalFen        *int64   `json:"new_principal_fen,omitzero"`
	NewRateE6              *int64   `json:"new_rate_e6,omitzero"`
	NewOpenDate            Date     `json:"new_open_date,omitzero"`
	NewMaturityDate        Date     `json:"new_maturity_date,omitzero"`
	NewMaturityInterestFen *int64   `json:"new_maturity_interest_fen,omitzero"`
	FinalPayoutFen         *int64   `json:"final_payout_fen,omitzero"`

	// Accrual (计提).
	TotalFen *int64         `json:"total_fen,omitzero"`
	Points   []AccrualPoint `json:"points,omitzero"`

	// Reckoning shows each amount of interest as a person would work it out, in yuan.
	Reckoning []string `json:"reckoning"`
}

// AccrualPoint is a deposit's accrual at the end of a day.
type AccrualPoint struct {
	DayNo         int   `json:"day_no"`
	Date          Date  `json:"accounting_date"`
	CumulativeFen int64 `json:"cumulative_fen"`
	PostedFen     int64 `json:"posted_that_day_fen"`
}

// QuoteTerm answers the case; the refusal names the field that makes no sense.
func QuoteTerm(c TermCase) (q TermQuote, r *Refusal) {
	d := c.Terms
	q = TermQuote{
		PrincipalFen: d.PrincipalFen, RateE6: d.RateE6, TermMonths: d.TermMonths, OpenDate: d.Opened,
		InterestBase: d.Base, InterestMethod: d.Method,
		MaturityDate: d.Maturity(), TermDays: d.TermDays(), MaturityInterestFen: d.MaturityInterestFen(),
		Action: c.Action, ActionDate: c.On,
	}
	q.reckonTerm(d)
	if c.Action != "" && q.ActionDate == 0 {
		q.ActionDate = q.MaturityDate
	}
	switch c.Action {
	case "":
	case QuoteMaturity, QuoteMaturityTaxed:
		r = q.matured(c)
	case QuoteEarlyFull:
		c.RedeemFen = d.PrincipalFen
		r = q.early(c)
	case QuoteEarlyPartial:
		r = q.early(c)
	case QuoteAfterMaturity:
		r = q.afterMaturity(c)
	case QuoteRollover:
		r = q.rolledOver(c)
	default:
		r = &Refusal{Code: FieldInvalid, Field: "action"}
	}
	if c.PointDays != nil {
		q.accrual(d, c.PointDays)
	}
	return q, r
}

func (q *TermQuote) matured(c TermCase) *Refusal {
	if q.ActionDate != q.MaturityDate {
		return &Refusal{Code: FieldInvalid, Field: "action_date"}
	}
	red := c.Terms.Redeem(q.ActionDate, c.Terms.PrincipalFen, c.DemandE6, c.TaxE6)
	q.TaxFen, q.PayoutFen = &red.TaxFen, new(red.PayoutFen())
	return nil
}

func (q *TermQuote) early(c TermCase) *Refusal {
	switch {
	case q.ActionDate < q.OpenDate || q.ActionDate >= q.MaturityDate:
		return &Refusal{Code: FieldInvalid, Field: "action_date"}
	case c.RedeemFen <= 0 || c.RedeemFen > q.PrincipalFen:
		return &Refusal{Code: OverDeposit, Field: "redeem_fen", LimitFen: q.PrincipalFen}
	}
	red := c.Terms.Redeem(q.ActionDate, c.RedeemFen, c.DemandE6, c.TaxE6)
	q.DemandRateE6, q.DaysHeld, q.InterestFen = &c.DemandE6, new(int64(red.Days)), &red.InterestFen
	q.TaxFen, q.AccruedBeforeFen, q.AccrualReleaseFen = &red.TaxFen, &red.AccruedFen, &red.AccrualReleasedFen
	q.reckon(c.Terms.Base.Of(c.RedeemFen), c.DemandE6, red.Days, 360, red.InterestFen)
	if c.Action == QuoteEarlyFull {
		q.PayoutFen = new(red.PayoutFen())
		return nil
	}
	rest := c.Terms
	rest.PrincipalFen = red.RemainingFen
	q.PaidNowFen, q.RemainingPrincipalFen, q.AccruedAfterFen = new(red.PayoutFen()), &red.RemainingFen, &red.AccruedRestFen
	q.RemainingMaturityInterestFen = new(rest.MaturityInterestFen())
	q.RemainingPayoutFen = new(rest.Redeem(q.MaturityDate, rest.PrincipalFen, 0, c.TaxE6).PayoutFen())
	return nil
}

func (q *TermQuote) afterMaturity(c TermCase) *Refusal {
	if q.ActionDate < q.MaturityDate {
		return &Refusal{Code: FieldInvalid, Field: "action_date"}
	}
	red := c.Terms.Redeem(q.ActionDate, c.Terms.PrincipalFen, c.DemandE6, c.TaxE6)
	q.DemandRateE6, q.OverdueDays, q.OverdueInterestFen = &c.DemandE6, new(int64(red.Days)), &red.OverdueInterestFen
	q.TaxFen, q.PayoutFen = &red.TaxFen, new(red.PayoutFen())
	q.reckon(c.Terms.Base.Of(c.Terms.PrincipalFen), c.DemandE6, red.Days, 360, red.OverdueInterestFen)
	return nil
}

func (q *TermQuote) rolledOver(c TermCase) *Refusal {
	switch {
	case q.ActionDate != q.MaturityDate:
		return &Refusal{Code: FieldInvalid, Field: "action_date"}
	case c.Rollover != RolloverPrincipal && c.Rollover != RolloverPrincipalAndInterest:
		return &Refusal{Code: FieldInvalid, Field: "rollover"}
	}
	next, paid := c.Terms.RolledOver(c.Rollover, c.NewRateE6, c.TaxE6)
	interest := next.MaturityInterestFen()
	q.Rollover, q.PaidToEAccountFen, q.NewPrincipalFen, q.NewRateE6 = c.Rollover, &paid, &next.PrincipalFen, &c.NewRateE6
	q.NewOpenDate, q.NewMaturityDate, q.NewMaturityInterestFen = next.Opened, next.Maturity(), &interest
	q.TaxFen = new(InterestTaxFen(q.MaturityInterestFen, c.TaxE6))
	q.FinalPayoutFen = new(next.Redeem(next.Maturity(), next.PrincipalFen, 0, c.TaxE6).PayoutFen())
	q.reckonTerm(next)
	return nil
}

func (q *TermQuote) accrual(d TermDeposit, days []int) {
	q.TotalFen, q.Points = &q.MaturityInterestFen, make([]AccrualPoint, len(days))
	for i, day := range days {
		q.Points[i] = AccrualPoint{day, d.Opened.AddDays(day - 1), d.AccruedFen(day), d.AccruedFen(day) - d.AccruedFen(day-1)}
	}
}

func (q *TermQuote) reckonTerm(d TermDeposit) {
	if d.Method == ActualDays {
		q.reckon(d.Base.Of(d.PrincipalFen), d.RateE6, d.TermDays(), 360, d.MaturityInterestFen())
		return
	}
	q.reckon(d.Base.Of(d.PrincipalFen), d.RateE6, d.TermMonths, monthsPerYear, d.MaturityInterestFen())
}

func (q *TermQuote) reckon(baseFen, rateE6 int64, time, year int, interestFen int64) {
	q.Reckoning = append(q.Reckoning, fmt.Sprintf("%s × %s × %d/%d = %s", yuan(baseFen), percent(rateE6), time, year, yuan(interestFen)))
}

// yuan writes an amount in yuan with two places.
func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}

// percent writes a rate in per cent with as many places as it has, two at least.
func percent(rateE6 int64) string {
	if rateE6%100 == 0 {
		return fmt.Sprintf("%d.%02d%%", rateE6/10_000, rateE6/100%100)
	}
	return fmt.Sprintf("%d.%04d%%", rateE6/10_000, rateE6%10_000)
}

// QuoteEntry is an entry of a demand account.
type QuoteEntry struct {
	PostedOn  Date
	ValueDate Date
	AmountFen int64
}

// DemandCase asks for the interest of a demand account over one period, its first and last day counted.
type DemandCase struct {
	Base     InterestBase
	From     Date
	Through  Date
	CreditOn Date // when the interest is credited
	RateE6   int64
	TaxE6    int64
	Entries  []QuoteEntry // in any order
}

// DemandQuote answers a DemandCase.
type DemandQuote struct {
	From           Date         `json:"period_start"`
	Through        Date         `json:"period_end"`
	InterestBase   InterestBase `json:"interest_base"`
	Days           int          `json:"days"`
	FenDays        int64        `json:"accumulation_fen_days"`
	RateE6         int64        `json:"rate_e6"`
	InterestFen    int64        `json:"interest_fen"`
	TaxFen         int64        `json:"tax_fen"`
	CreditDate     Date         `json:"credit_date"`
	ClosingBalance int64        `json:"closing_balance_fen"` // before the interest
	Reckoning      []string     `json:"reckoning"`
}

// QuoteDemand answers the case. An entry before the period is part of its opening balance; one posted after
// it with a value date in it counts from that date.
func QuoteDemand(c DemandCase) (q DemandQuote, r *Refusal) {
	if c.Through < c.From || Days(c.From, c.Through) >= QuotePeriodDaysMax {
		return q, &Refusal{Code: FieldInvalid, Field: "period_end"}
	}
	total := int64(0)
	for _, e := range c.Entries {
		if total += max(e.AmountFen, -e.AmountFen); e.AmountFen < -AmountMaxFen || e.AmountFen > AmountMaxFen || total > quoteAccumulationMax {
			return q, &Refusal{Code: AmountInvalid, Field: "entries", LimitFen: AmountMaxFen}
		}
	}
	a, end := NewAccumulation(c.Base, c.From, 0), c.Through.AddDays(1)
	for _, e := range slices.SortedStableFunc(slices.Values(c.Entries), func(a, b QuoteEntry) int { return cmp.Compare(a.PostedOn, b.PostedOn) }) {
		a.Post(min(e.PostedOn, end), e.ValueDate, e.AmountFen)
	}
	a.Advance(end)
	p := DemandPeriod{From: c.From, Through: c.Through, FenDays: a.FenDays}
	q = DemandQuote{
		From: c.From, Through: c.Through, InterestBase: c.Base, Days: Days(c.From, end), FenDays: p.FenDays, RateE6: c.RateE6,
		InterestFen: p.InterestFen(c.RateE6), CreditDate: c.CreditOn, ClosingBalance: a.BalanceFen,
	}
	q.TaxFen = InterestTaxFen(q.InterestFen, c.TaxE6)
	q.Reckoning = []string{fmt.Sprintf("%s × %s / 360 = %s", yuan(q.FenDays), percent(c.RateE6), yuan(q.InterestFen))}
	return q, nil
}

// PeriodQuote is the interest of any period by both methods (整年整月加零头天数, 实际天数).
type PeriodQuote struct {
	PrincipalFen int64        `json:"principal_fen"`
	RateE6       int64        `json:"rate_e6"`
	Start        Date         `json:"start"`
	End          Date         `json:"end"`
	InterestBase InterestBase `json:"interest_base"`
	WholeMonths  int          `json:"whole_months"`
	OddDays      int          `json:"odd_days"`
	ActualDays   int          `json:"actual_days"`
	InterestFen  int64        `json:"interest_fen"` // by months and odd days
	Act360Fen    int64        `json:"act360_fen"`   // by actual days
	Reckoning    []string     `json:"reckoning"`
}

// QuotePeriod measures a period, its first day counted and its last not.
func QuotePeriod(principalFen, rateE6 int64, start, end Date, base InterestBase) (q PeriodQuote, r *Refusal) {
	if end < start {
		return q, &Refusal{Code: FieldInvalid, Field: "end"}
	}
	earning := base.Of(principalFen)
	q = PeriodQuote{
		PrincipalFen: principalFen, RateE6: rateE6, Start: start, End: end, InterestBase: base, ActualDays: Days(start, end),
		InterestFen: PeriodInterestFen(earning, rateE6, start, end, MonthsAndOddDays),
		Act360Fen:   PeriodInterestFen(earning, rateE6, start, end, ActualDays),
	}
	q.WholeMonths, q.OddDays = MonthsAndDays(start, end)
	q.Reckoning = []string{
		fmt.Sprintf("%s × %s × (%d/12 + %d/360) = %s", yuan(earning), percent(rateE6), q.WholeMonths, q.OddDays, yuan(q.InterestFen)),
		fmt.Sprintf("%s × %s × %d/360 = %s", yuan(earning), percent(rateE6), q.ActualDays, yuan(q.Act360Fen)),
	}
	return q, nil
}
