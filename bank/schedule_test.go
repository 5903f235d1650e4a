package bank

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// vectorRow is [no, due, days, principal, interest, total, remaining].
type vectorRow struct {
	Instalment
	TotalFen int64
}

func (r *vectorRow) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&r.No, &r.Due, &r.Days, &r.PrincipalFen, &r.InterestFen, &r.TotalFen, &r.RemainingFen})
}

type vectorLoan struct {
	ID        string
	Method    RepaymentMethod
	Principal int64 `json:"principal_fen"`
	RateE6    int64 `json:"rate_e6"`
	Disbursed Date
	Periods   int
	DueDay    int `json:"due_day"`
	Basis     string
	Expect    struct {
		Instalment    int64       `json:"instalment_fen"`
		TotalInterest int64       `json:"total_interest_fen"`
		TotalPaid     int64       `json:"total_paid_fen"`
		Maturity      Date        `json:"maturity_date"`
		Rows          []vectorRow `json:"rows"`
	}
}

func (v vectorLoan) terms() LoanTerms {
	return LoanTerms{v.Principal, v.RateE6, v.Disbursed, v.Periods, v.DueDay, v.Method, vectorBasis(v.Basis)}
}

func vectorBasis(s string) InterestMethod {
	if s == "ACT360" {
		return ActualDays
	}
	return MonthsAndOddDays
}

type scheduleVectors struct {
	Cases  []vectorLoan
	Single []struct {
		ID         string
		Kind       string
		Principal  int64 `json:"principal_fen"`
		RateE6     int64 `json:"rate_e6"`
		Disbursed  Date
		TermMonths int  `json:"term_months"`
		Maturity   Date `json:"maturity_date"`
		PaidOn     Date `json:"paid_on"`
		Basis      string
		Moves      []struct {
			Date   Date
			Amount int64 `json:"amount_fen"`
		}
		SettleDay int `json:"settle_day"`
		Until     Date
		Expect    struct {
			Days          int
			Interest      int64             `json:"interest_fen"`
			Total         int64             `json:"total_fen"`
			TotalInterest int64             `json:"total_interest_fen"`
			Settlements   []json.RawMessage `json:"settlements"`
		}
	}
}

func sameRows(t *testing.T, id string, got []Instalment, want []vectorRow) (interest int64) {
	t.Helper()
	same(t, id+" rows", len(got), len(want))
	for i := range min(len(got), len(want)) {
		same(t, id, got[i], want[i].Instalment)
		same(t, id+" total", got[i].PrincipalFen+got[i].InterestFen, want[i].TotalFen)
	}
	for _, row := range got {
		interest += row.InterestFen
	}
	return interest
}

func TestScheduleVectors(t *testing.T) {
	for _, v := range readShared[scheduleVectors](t, "vectors", "loans_schedule.json").Cases {
		terms := v.terms()
		interest := sameRows(t, v.ID, terms.Schedule(), v.Expect.Rows)
		same(t, v.ID+" total interest", interest, v.Expect.TotalInterest)
		same(t, v.ID+" total paid", interest+v.Principal, v.Expect.TotalPaid)
		same(t, v.ID+" instalment", terms.InstalmentFen(), v.Expect.Instalment)
		same(t, v.ID+" maturity", terms.Maturity(), v.Expect.Maturity)
	}
}

func TestSinglePaymentAndRevolvingVectors(t *testing.T) {
	for _, v := range readShared[scheduleVectors](t, "vectors", "loans_schedule.json").Single {
		if v.Kind == "REVOLVING" {
			var moves []RevolvingMove
			for _, m := range v.Moves {
				moves = append(moves, RevolvingMove{m.Date, m.Amount})
			}
			settled := RevolvingInterest(moves, v.RateE6, v.SettleDay, v.Until)
			same(t, v.ID+" settlements", len(settled), len(v.Expect.Settlements))
			var total int64
			for i, s := range settled {
				var want RevolvingSettlement
				if err := json.Unmarshal(v.Expect.Settlements[i], &[]any{&want.On, &want.FenDays, &want.InterestFen}); err != nil {
					t.Fatal(err)
				}
				same(t, v.ID, s, want)
				total += s.InterestFen
			}
			same(t, v.ID+" total", total, v.Expect.TotalInterest)
			continue
		}
		same(t, v.ID+" kind", v.Kind, "BULLET")
		terms := LoanTerms{v.Principal, v.RateE6, v.Disbursed, v.TermMonths, 0, Bullet, vectorBasis(v.Basis)}
		same(t, v.ID+" maturity", terms.Maturity(), v.Maturity)
		paid := terms.Settle(terms.Schedule(), v.PaidOn, 0)
		same(t, v.ID+" days", paid.Days, v.Expect.Days)
		same(t, v.ID+" interest", paid.InterestFen, v.Expect.Interest)
		same(t, v.ID+" total", paid.CashFen(), v.Expect.Total)
		if v.PaidOn == v.Maturity {
			same(t, v.ID+" row", terms.Schedule()[0].InterestFen, v.Expect.Interest)
		}
	}
}

func anyLoan() *rapid.Generator[LoanTerms] {
	return rapid.Custom(func(t *rapid.T) LoanTerms {
		return LoanTerms{
			PrincipalFen: rapid.Int64Range(1, 1e10).Draw(t, "principal"), RateE6: rapid.Int64Range(0, 360_000).Draw(t, "rate"),
			Disbursed: anyDate().Draw(t, "disbursed"), Periods: rapid.IntRange(1, 72).Draw(t, "periods"),
			DueDay: rapid.IntRange(0, 28).Draw(t, "due day"),
			Method: rapid.SampledFrom([]RepaymentMethod{EqualInstalment, EqualPrincipal, InterestOnly, Bullet}).Draw(t, "method"),
			Basis:  rapid.SampledFrom([]InterestMethod{MonthsAndOddDays, ActualDays}).Draw(t, "basis"),
		}
	})
}

// soundRows checks what every schedule promises: it repays the principal exactly, takes nothing back,
// and its dates follow one another.
func soundRows(t *rapid.T, rows []Instalment, principal int64, from Date) {
	left := principal
	for _, row := range rows {
		left -= row.PrincipalFen
		if row.PrincipalFen < 0 || row.InterestFen < 0 || row.RemainingFen != left {
			t.Fatalf("row %+v with %d left", row, left)
		}
		if row.Days != Days(from, row.Due) || row.Days < 0 {
			t.Fatalf("row %+v after %s", row, from)
		}
		from = row.Due
	}
	if left != 0 {
		t.Fatalf("%d of %d are never repaid", left, principal)
	}
}

func TestEveryScheduleRepaysThePrincipalExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := anyLoan().Draw(t, "loan")
		rows := terms.Schedule()
		soundRows(t, rows, terms.PrincipalFen, terms.Disbursed)
		if last := rows[len(rows)-1]; last.Due != terms.Maturity() {
			t.Fatalf("matures %s, last due %s", terms.Maturity(), last.Due)
		}
	})
}

func TestLevelInstalmentsAreEqualButForTheLastAndAnOddFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := anyLoan().Draw(t, "loan")
		terms.Method, terms.PrincipalFen = EqualInstalment, terms.PrincipalFen+1e6
		rows := terms.Schedule()
		if rows[0].PrincipalFen == 0 {
			t.Skip("a long first period that earns more than the instalment is paid in full, and the rest ends sooner")
		}
		for i, row := range rows[:len(rows)-1] {
			odd := i == 0 && terms.Basis == MonthsAndOddDays && terms.DueDay != 0
			if total := row.PrincipalFen + row.InterestFen; !odd && total != terms.InstalmentFen() {
				t.Fatalf("row %+v is not %d", row, terms.InstalmentFen())
			}
		}
	})
}

// The clipped end of a month must not turn a full period into days: LN02's anchor is the 31st.
func TestAPeriodBetweenClippedAnchorsIsAMonth(t *testing.T) {
	terms := LoanTerms{1_200_000, 36_000, 20260131, 3, 0, InterestOnly, MonthsAndOddDays}
	for _, row := range terms.Schedule() {
		same(t, row.Due.String(), row.InterestFen, 3_600)
	}
}

func BenchmarkSchedule36Months(b *testing.B) {
	terms := LoanTerms{20_000_000, 72_000, 20260210, 36, 0, EqualInstalment, MonthsAndOddDays}
	for b.Loop() {
		terms.Schedule()
	}
}
