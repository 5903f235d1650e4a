package bank

import (
	"testing"

	"pgregory.net/rapid"
)

type termVectors struct {
	Cases []struct {
		ID         string
		Product    string
		Principal  int64        `json:"principal_fen"`
		RateE6     int64        `json:"rate_e6"`
		TermMonths int          `json:"term_months"`
		OpenDate   Date         `json:"open_date"`
		Base       InterestBase `json:"interest_base"`
		Action     string
		ActionDate Date  `json:"action_date"`
		DemandE6   int64 `json:"demand_rate_e6"`
		RedeemFen  int64 `json:"redeem_fen"`
		NewRateE6  int64 `json:"new_rate_e6"`
		TaxE6      int64 `json:"tax_rate_e6"`
		Rollover   string
		Expect     map[string]any
	}
	MonthsAndOddDays []struct {
		Principal   int64 `json:"principal_fen"`
		RateE6      int64 `json:"rate_e6"`
		Start, End  Date
		WholeMonths int   `json:"whole_months"`
		OddDays     int   `json:"odd_days"`
		Interest    int64 `json:"interest_fen"`
		Act360      int64 `json:"act360_fen"`
	} `json:"months_and_odd_days"`
	AccrualSeries []struct {
		ID        string
		Product   string
		Principal int64 `json:"principal_fen"`
		RateE6    int64 `json:"rate_e6"`
		OpenDate  Date  `json:"open_date"`
		TermDays  int   `json:"term_days"`
		Total     int64 `json:"total_fen"`
		Points    []struct {
			DayNo      int   `json:"day_no"`
			Date       Date  `json:"accounting_date"`
			Cumulative int64 `json:"cumulative_fen"`
			Posted     int64 `json:"posted_that_day_fen"`
		}
	} `json:"accrual_series"`
}

// expected compares every value the vector states with the one the bank gives; a name the test does not
// know fails, so no expectation is passed over.
func expected(t *testing.T, id string, want map[string]any, got map[string]any) {
	t.Helper()
	for name, w := range want {
		g, ok := got[name]
		if !ok {
			t.Errorf("%s: nothing computed for %s", id, name)
			continue
		}
		switch g := g.(type) {
		case Date:
			same(t, id+" "+name, g.String(), w.(string))
		case int64:
			same(t, id+" "+name, g, int64(w.(float64)))
		case int:
			same(t, id+" "+name, int64(g), int64(w.(float64)))
		default:
			t.Fatalf("%s: %s is a %T", id, name, g)
		}
	}
}

func TestTermDepositVectors(t *testing.T) {
	for _, v := range readShared[termVectors](t, "vectors", "deposits_term.json").Cases {
		d := TermDeposit{v.Principal, v.RateE6, v.TermMonths, v.OpenDate, v.Base, MonthsAndOddDays}
		got := map[string]any{
			"maturity_date": d.Maturity(), "term_days": d.TermDays(), "maturity_interest_fen": d.MaturityInterestFen(),
		}
		amount := v.Principal
		if v.Action == "EARLY_PARTIAL" {
			amount = v.RedeemFen
		}
		r := d.Redeem(v.ActionDate, amount, v.DemandE6, v.TaxE6)
		switch v.Action {
		case "MATURITY", "MATURITY_TAXED":
			same(t, v.ID, r.Kind, RedeemedAtMaturity)
			got["payout_fen"], got["tax_fen"] = r.PayoutFen(), r.TaxFen
		case "EARLY_FULL", "EARLY_PARTIAL":
			same(t, v.ID, r.Kind, RedeemedEarly)
			rest := d
			rest.PrincipalFen = r.RemainingFen
			got["days_held"], got["interest_fen"], got["payout_fen"] = r.Days, r.InterestFen, r.PayoutFen()
			got["paid_now_fen"], got["remaining_principal_fen"] = r.PayoutFen(), r.RemainingFen
			got["accrued_before_fen"], got["accrued_after_fen"] = r.AccruedFen, r.AccruedRestFen
			got["accrual_release_fen"] = r.AccrualReleasedFen
			got["remaining_maturity_interest_fen"] = rest.MaturityInterestFen()
			got["remaining_payout_fen"] = rest.Redeem(rest.Maturity(), rest.PrincipalFen, 0, 0).PayoutFen()
		case "AFTER_MATURITY":
			same(t, v.ID, r.Kind, RedeemedAfterMaturity)
			got["overdue_days"], got["overdue_interest_fen"], got["payout_fen"] = r.Days, r.OverdueInterestFen, r.PayoutFen()
		case "ROLLOVER":
			choice := RolloverPrincipal
			if v.Rollover == "PRINCIPAL_AND_INTEREST" {
				choice = RolloverPrincipalAndInterest
			}
			next, paid := d.RolledOver(choice, v.NewRateE6, v.TaxE6)
			got["paid_to_e_account_fen"], got["new_principal_fen"] = paid, next.PrincipalFen
			got["new_open_date"], got["new_maturity_date"] = next.Opened, next.Maturity()
			got["new_maturity_interest_fen"] = next.MaturityInterestFen()
			got["final_payout_fen"] = next.PrincipalFen + next.MaturityInterestFen()
		default:
			t.Fatalf("%s: no test for %s", v.ID, v.Action)
		}
		expected(t, v.ID, v.Expect, got)
	}
}

func TestMonthsAndOddDaysVectors(t *testing.T) {
	for _, v := range readShared[termVectors](t, "vectors", "deposits_term.json").MonthsAndOddDays {
		name := v.Start.String() + " to " + v.End.String()
		months, days := MonthsAndDays(v.Start, v.End)
		same(t, name, months, v.WholeMonths)
		same(t, name, days, v.OddDays)
		same(t, name, PeriodInterestFen(v.Principal, v.RateE6, v.Start, v.End, MonthsAndOddDays), v.Interest)
		same(t, name, PeriodInterestFen(v.Principal, v.RateE6, v.Start, v.End, ActualDays), v.Act360)
	}
}

func TestAccrualVectors(t *testing.T) {
	cat := DefaultCatalogue()
	for _, v := range readShared[termVectors](t, "vectors", "deposits_term.json").AccrualSeries {
		d := TermDeposit{v.Principal, v.RateE6, cat.Deposit(v.Product).TermMonths, v.OpenDate, BaseYuan, MonthsAndOddDays}
		same(t, v.ID, d.TermDays(), v.TermDays)
		same(t, v.ID, d.MaturityInterestFen(), v.Total)
		for _, p := range v.Points {
			same(t, v.ID+" day", d.Opened.AddDays(p.DayNo-1), p.Date)
			same(t, v.ID+" cumulative on "+p.Date.String(), d.AccruedFen(p.DayNo), p.Cumulative)
			same(t, v.ID+" posted on "+p.Date.String(), d.AccruedFen(p.DayNo)-d.AccruedFen(p.DayNo-1), p.Posted)
		}
	}
}

func TestDemandInterestVectors(t *testing.T) {
	type entry struct {
		PostedOn  Date  `json:"posted_on"`
		ValueDate Date  `json:"value_date"`
		Amount    int64 `json:"amount_fen"`
	}
	vectors := readShared[struct {
		Cases []struct {
			ID          string
			PeriodStart Date `json:"period_start"`
			PeriodEnd   Date `json:"period_end"`
			Kind        string
			On          Date
			Base        InterestBase `json:"interest_base"`
			Entries     []entry
			Late        []entry `json:"late_entries"`
			Rates       []struct {
				From   Date
				RateE6 int64 `json:"rate_e6"`
			}
			Expect map[string]any
		}
	}](t, "vectors", "deposits_demand.json")
	for _, v := range vectors.Cases {
		acc := NewAccumulation(v.Base, v.PeriodStart, 0)
		for _, e := range v.Entries {
			acc.Post(e.ValueDate, e.ValueDate, e.Amount)
		}
		for _, e := range v.Late {
			acc.Post(e.PostedOn, e.ValueDate, e.Amount)
		}
		var rates RateTable
		for _, r := range v.Rates {
			rates = append(rates, RateStep(r))
		}
		rate, _ := rates.On(v.On)
		counted := acc
		counted.Advance(v.PeriodEnd.AddDays(1))
		var interest int64
		if v.Kind == "SETTLE" {
			interest = acc.Settle(v.On, rate)
		} else {
			interest = acc.Close(v.On, rate)
		}
		expected(t, v.ID, v.Expect, map[string]any{
			"days": Days(v.PeriodStart, v.PeriodEnd) + 1, "accumulation_fen_days": counted.FenDays, "rate_e6": rate,
			"interest_fen": interest, "credit_date": v.PeriodEnd.AddDays(1), "closing_balance_fen": acc.BalanceFen,
		})
		same(t, v.ID+" next period begins", acc.From, v.PeriodEnd.AddDays(1))
	}
}

// If splitting a period changed the accumulation, a customer's interest would depend on when the bank
// happened to look.
func TestSplittingAPeriodChangesNoAccumulation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := anyDate().Draw(t, "from")
		base := rapid.SampledFrom([]InterestBase{BaseYuan, BaseFen}).Draw(t, "base")
		whole := NewAccumulation(base, from, rapid.Int64Range(0, 1e12).Draw(t, "balance"))
		split := whole
		day := from
		for range rapid.IntRange(0, 8).Draw(t, "entries") {
			day = day.AddDays(rapid.IntRange(0, 20).Draw(t, "gap"))
			amount := rapid.Int64Range(-1e9, 1e9).Draw(t, "amount")
			value := day.AddDays(-rapid.IntRange(0, 5).Draw(t, "late"))
			split.Advance(day.AddDays(-rapid.IntRange(0, 10).Draw(t, "looked")))
			whole.Post(day, value, amount)
			split.Post(day, value, amount)
		}
		end := day.AddDays(rapid.IntRange(0, 100).Draw(t, "end"))
		whole.Advance(end)
		split.Advance(end)
		if whole != split {
			t.Fatalf("%+v and %+v", whole, split)
		}
	})
}

func TestALateEntryCountsAsIfItHadComeInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := anyDate().Draw(t, "value")
		posted := value.AddDays(rapid.IntRange(0, 30).Draw(t, "late"))
		yuan := rapid.Int64Range(-1000, 1e6).Draw(t, "yuan")
		late := NewAccumulation(BaseYuan, value, 100_000)
		inTime := late
		late.Post(posted, value, yuan*100)
		inTime.Post(value, value, yuan*100)
		end := posted.AddDays(1)
		late.Advance(end)
		inTime.Advance(end)
		if late != inTime {
			t.Fatalf("late %+v, in time %+v", late, inTime)
		}
	})
}

func TestAnOverdrawnBalanceEarnsNothing(t *testing.T) {
	acc := NewAccumulation(BaseYuan, 20260321, -5_000_00)
	same(t, "interest", acc.Settle(20260620, 2000), 0)
}

func anyDeposit() *rapid.Generator[TermDeposit] {
	return rapid.Custom(func(t *rapid.T) TermDeposit {
		return TermDeposit{
			PrincipalFen: rapid.Int64Range(0, 1e13).Draw(t, "principal"), RateE6: rapid.Int64Range(0, 100_000).Draw(t, "rate"),
			TermMonths: rapid.IntRange(1, 60).Draw(t, "months"), Opened: anyDate().Draw(t, "opened"),
			Base:   rapid.SampledFrom([]InterestBase{BaseYuan, BaseFen}).Draw(t, "base"),
			Method: rapid.SampledFrom([]InterestMethod{MonthsAndOddDays, ActualDays}).Draw(t, "method"),
		}
	})
}

// An accrual that missed the interest at maturity would need a true-up on every deposit.
func TestAccrualNeverFallsAndLandsOnTheMaturityInterest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDeposit().Draw(t, "deposit")
		k := rapid.IntRange(0, d.TermDays()).Draw(t, "day")
		if d.AccruedFen(k) > d.AccruedFen(k+1) || d.AccruedFen(0) != 0 {
			t.Fatalf("accrual falls after day %d", k)
		}
		if got, want := d.AccruedBeforeFen(d.Maturity()), d.MaturityInterestFen(); got != want {
			t.Fatalf("accrued %d at maturity, interest %d", got, want)
		}
	})
}

func TestAPeriodOfWholeMonthsEarnsTheTermsInterest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDeposit().Draw(t, "deposit")
		got := PeriodInterestFen(d.Base.Of(d.PrincipalFen), d.RateE6, d.Opened, d.Maturity(), d.Method)
		if got != d.MaturityInterestFen() {
			t.Fatalf("period %d, term %d", got, d.MaturityInterestFen())
		}
	})
}

func TestRedeemingInTwoPartsPaysAtMostTheirRoundingsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDeposit().Draw(t, "deposit")
		part := rapid.Int64Range(0, d.PrincipalFen).Draw(t, "part")
		when := d.Opened.AddDays(rapid.IntRange(0, d.TermDays()+400).Draw(t, "held"))
		whole := d.Redeem(when, d.PrincipalFen, 2000, 0)
		first := d.Redeem(when, part, 2000, 0)
		rest := d
		rest.PrincipalFen = first.RemainingFen
		second := rest.Redeem(when, rest.PrincipalFen, 2000, 0)
		if first.PayoutFen()+second.PayoutFen() > whole.PayoutFen()+2 {
			t.Fatalf("in two parts %d, at once %d", first.PayoutFen()+second.PayoutFen(), whole.PayoutFen())
		}
	})
}
