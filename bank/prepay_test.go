package bank

import (
	"testing"

	"pgregory.net/rapid"
)

func TestPrepaymentVectors(t *testing.T) {
	loans := map[string]LoanTerms{}
	for _, v := range readShared[scheduleVectors](t, "vectors", "loans_schedule.json").Cases {
		loans[v.ID] = v.terms()
	}
	vectors := readShared[struct {
		Cases []struct {
			ID, Loan, Mode string
			On             Date
			Amount         int64 `json:"amount_fen"`
			FeeE6          int64 `json:"fee_rate_e6"`
			PaidPeriods    int   `json:"paid_periods"`
			Expect         struct {
				Before       int64       `json:"remaining_before_fen"`
				OddDays      int         `json:"odd_days"`
				Accrued      int64       `json:"accrued_interest_fen"`
				Fee          int64       `json:"fee_fen"`
				Cash         int64       `json:"cash_today_fen"`
				Payoff       int64       `json:"payoff_fen"`
				After        int64       `json:"remaining_after_fen"`
				Instalment   int64       `json:"instalment_fen"`
				PeriodsLeft  int         `json:"periods_left"`
				Rows         []vectorRow `json:"rows"`
				InterestLeft int64       `json:"total_interest_left_fen"`
			}
		}
	}](t, "vectors", "loans_prepay.json")
	for _, v := range vectors.Cases {
		terms, want := loans[v.Loan], v.Expect
		left := terms.Schedule()[v.PaidPeriods:]
		var p Prepayment
		if v.Mode == "SETTLE" {
			p = terms.Settle(left, v.On, v.FeeE6)
			same(t, v.ID+" payoff", p.CashFen(), want.Payoff)
		} else {
			p = terms.Prepay(left, v.On, v.Amount, PrepaymentMode(v.Mode), v.FeeE6)
			same(t, v.ID+" cash", p.CashFen(), want.Cash)
		}
		same(t, v.ID+" before", p.PrincipalFen+p.RemainingFen, want.Before)
		same(t, v.ID+" days", p.Days, want.OddDays)
		same(t, v.ID+" interest", p.InterestFen, want.Accrued)
		same(t, v.ID+" fee", p.FeeFen, want.Fee)
		same(t, v.ID+" after", p.RemainingFen, want.After)
		same(t, v.ID+" instalment", p.LevelFen, want.Instalment)
		same(t, v.ID+" periods", len(p.Schedule), want.PeriodsLeft)
		same(t, v.ID+" interest left", sameRows(t, v.ID, p.Schedule, want.Rows), want.InterestLeft)
	}
}

func TestAnyPrepaymentsLeaveASoundSchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := anyLoan().Draw(t, "loan")
		left := terms.Schedule()
		for range rapid.IntRange(1, 3).Draw(t, "prepayments") {
			left = left[rapid.IntRange(0, len(left)-1).Draw(t, "paid"):]
			from := left[0].Due.AddDays(-left[0].Days)
			day := from.AddDays(rapid.IntRange(0, left[0].Days).Draw(t, "days"))
			owed := left[0].PrincipalFen + left[0].RemainingFen
			if owed == 0 {
				return
			}
			mode := rapid.SampledFrom([]PrepaymentMode{ReduceAmount, ReduceTerm}).Draw(t, "mode")
			p := terms.Prepay(left, day, rapid.Int64Range(1, owed).Draw(t, "amount"), mode, 0)
			if p.PrincipalFen+p.RemainingFen != owed || p.InterestFen < 0 {
				t.Fatalf("%+v of %d", p, owed)
			}
			if len(p.Schedule) > len(left) || (p.RemainingFen == 0) != (len(p.Schedule) == 0) {
				t.Fatalf("%d instalments after %d", len(p.Schedule), len(left))
			}
			if p.RemainingFen == 0 {
				return
			}
			soundRows(t, p.Schedule, p.RemainingFen, day)
			left = p.Schedule
		}
	})
}

func TestReducingTheTermKeepsTheInstalmentThroughTwoPrepayments(t *testing.T) {
	terms := LoanTerms{10_000_000, 43_500, 20260115, 12, 0, EqualInstalment, MonthsAndOddDays}
	first := terms.Prepay(terms.Schedule()[3:], 20260501, 1_000_000, ReduceTerm, 0)
	second := terms.Prepay(first.Schedule[1:], 20260601, 1_000_000, ReduceTerm, 0)
	same(t, "first", first.LevelFen, terms.InstalmentFen())
	same(t, "second", second.LevelFen, terms.InstalmentFen())
	third := terms.Prepay(second.Schedule, 20260602, 500_000, ReduceTerm, 0)
	same(t, "twice inside one period", third.LevelFen, terms.InstalmentFen())
}
