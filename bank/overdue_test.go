package bank

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

type overdueVectors struct {
	Overdue []struct {
		ID       string
		RateE6   int64 `json:"rate_e6"`
		Percent  int64 `json:"penalty_multiplier_percent"`
		Compound bool  `json:"compound_on_interest"`
		Grace    int   `json:"grace_days"`
		AsOf     Date
		Items    []struct {
			Due       Date
			Principal int64 `json:"principal_fen"`
			Interest  int64 `json:"interest_fen"`
		}
		Payments []struct {
			Date   Date
			Amount int64 `json:"amount_fen"`
		}
		Expect struct {
			ByItem []struct {
				Due       Date
				Principal int64 `json:"principal_fen"`
				Interest  int64 `json:"interest_fen"`
				Penalty   int64 `json:"penalty_fen"`
				Compound  int64 `json:"compound_fen"`
			} `json:"by_item"`
			Allocation  []json.RawMessage
			DaysPastDue int   `json:"days_past_due"`
			TotalDue    int64 `json:"total_due_fen"`
		}
	}
	Waterfall []struct {
		ID, Mode, Scope string
		Items           []map[string]any
		Amount          int64 `json:"amount_fen"`
		Expect          struct {
			Allocation []json.RawMessage
			Unapplied  int64 `json:"unapplied_fen"`
		}
	}
	Order          map[string][]string `json:"waterfall_order"`
	Classification []struct {
		DPD          int
		Technical    bool
		Restructured bool
		Impaired     bool
		Bankrupt     bool
		Ratio        int64 `json:"ecl_ratio_e6"`
		Expect       LoanCategory
		Accrual      string
		Stage        int `json:"ecl_stage"`
	}
}

func readOverdue(t *testing.T) overdueVectors {
	return readShared[overdueVectors](t, "vectors", "loans_overdue.json")
}

func TestOverdueVectors(t *testing.T) {
	for _, v := range readOverdue(t).Overdue {
		a := Arrears{Terms: ArrearsTerms{v.RateE6, v.Percent, v.Grace, v.Compound}}
		for _, item := range v.Items {
			a.Items = append(a.Items, NewArrearsItem(item.Due, item.Principal, item.Interest))
		}
		var lines []string
		for _, p := range v.Payments {
			paid, rest := a.Pay(p.Date, p.Amount)
			same(t, v.ID+" unapplied", rest, 0)
			for _, part := range paid {
				line, _ := json.Marshal([]any{p.Date, part.Due, part.Kind.String(), part.AmountFen})
				lines = append(lines, string(line))
			}
		}
		sameLines(t, v.ID, lines, v.Expect.Allocation)
		same(t, v.ID+" items", len(a.Items), len(v.Expect.ByItem))
		for i, want := range v.Expect.ByItem {
			o := a.Owed(i, v.AsOf)
			same(t, v.ID+" due", o.Due, want.Due)
			same(t, v.ID+" principal", o.Fen[KindPrincipal], want.Principal)
			same(t, v.ID+" interest", o.Fen[KindInterest], want.Interest)
			same(t, v.ID+" penalty", o.Fen[KindPenalty], want.Penalty)
			same(t, v.ID+" compound", o.Fen[KindCompound], want.Compound)
		}
		same(t, v.ID+" days past due", a.DaysPastDue(v.AsOf), v.Expect.DaysPastDue)
		same(t, v.ID+" total", a.TotalFen(v.AsOf), v.Expect.TotalDue)
	}
}

func sameLines(t *testing.T, id string, got []string, want []json.RawMessage) {
	t.Helper()
	same(t, id+" lines", len(got), len(want))
	for i := range min(len(got), len(want)) {
		var v any
		if err := json.Unmarshal(want[i], &v); err != nil {
			t.Fatal(err)
		}
		line, _ := json.Marshal(v)
		same(t, id, got[i], string(line))
	}
}

func TestWaterfallVectors(t *testing.T) {
	vectors := readOverdue(t)
	orders := map[string]WaterfallOrder{"ACCRUAL": AccrualOrder, "NON_ACCRUAL": NonAccrualOrder}
	for mode, want := range vectors.Order {
		for i, kind := range orders[mode] {
			same(t, mode, kind.String(), want[i])
		}
	}
	scopes := map[string]WaterfallScope{"VERTICAL": Vertical, "HORIZONTAL": Horizontal}
	for _, v := range vectors.Waterfall {
		var owed []AmountsOwed
		for _, item := range v.Items {
			o := AmountsOwed{Due: on(t, item["due"].(string))}
			for kind := range owedKinds {
				o.Fen[kind] = int64(item[kind.String()].(float64))
			}
			owed = append(owed, o)
		}
		paid, rest := Waterfall(orders[v.Mode], scopes[v.Scope], owed, v.Amount)
		var lines []string
		for _, p := range paid {
			line, _ := json.Marshal([]any{p.Due, p.Kind.String(), p.AmountFen})
			lines = append(lines, string(line))
		}
		sameLines(t, v.ID, lines, v.Expect.Allocation)
		same(t, v.ID+" unapplied", rest, v.Expect.Unapplied)
	}
}

func TestAPaymentIsDividedWithoutLossOrGain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		owed := make([]AmountsOwed, rapid.IntRange(0, 4).Draw(t, "items"))
		var total int64
		for i := range owed {
			for k := range owed[i].Fen {
				owed[i].Fen[k] = rapid.Int64Range(0, 1e6).Draw(t, "owed")
			}
			total += owed[i].TotalFen()
		}
		amount := rapid.Int64Range(0, 1e7).Draw(t, "amount")
		order := rapid.SampledFrom([]WaterfallOrder{AccrualOrder, NonAccrualOrder}).Draw(t, "order")
		scope := rapid.SampledFrom([]WaterfallScope{Vertical, Horizontal}).Draw(t, "scope")
		paid, rest := Waterfall(order, scope, owed, amount)
		sum := rest
		for _, p := range paid {
			sum += p.AmountFen
			if p.AmountFen <= 0 || p.AmountFen > owed[p.Item].Fen[p.Kind] {
				t.Fatalf("%+v of %+v", p, owed[p.Item])
			}
		}
		if sum != amount || rest != max(0, amount-total) {
			t.Fatalf("%d divided into %d, %d left of %d owed", amount, sum, rest, total)
		}
	})
}

// If it were not so, a customer could pay less by paying in small parts.
func TestPayingEverythingOnAnyDaysEndsTheArrears(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Arrears{Terms: ArrearsTerms{43_500, 150, rapid.IntRange(0, 5).Draw(t, "grace"), true}}
		due := Date(20260215)
		for range rapid.IntRange(1, 4).Draw(t, "items") {
			a.Items = append(a.Items, NewArrearsItem(due, rapid.Int64Range(0, 1e6).Draw(t, "principal"), rapid.Int64Range(0, 1e5).Draw(t, "interest")))
			due = due.AddMonths(1, 0)
		}
		day := Date(20260215)
		for range rapid.IntRange(0, 6).Draw(t, "payments") {
			day = day.AddDays(rapid.IntRange(0, 60).Draw(t, "gap"))
			before := a.TotalFen(day)
			amount := rapid.Int64Range(0, 1e6).Draw(t, "amount")
			_, rest := a.Pay(day, amount)
			if after := a.TotalFen(day); after != before-(amount-rest) || after < 0 {
				t.Fatalf("owed %d, paid %d, then owed %d", before, amount-rest, after)
			}
		}
		day = max(day, due)
		if _, rest := a.Pay(day, a.TotalFen(day)); rest != 0 || a.TotalFen(day) != 0 || a.DaysPastDue(day) != 0 {
			t.Fatalf("after paying everything %d are owed", a.TotalFen(day))
		}
		if later := a.TotalFen(day.AddDays(900)); later != 0 {
			t.Fatalf("%d grew out of nothing", later)
		}
	})
}

func TestClassificationVectors(t *testing.T) {
	for _, v := range readOverdue(t).Classification {
		s := LoanStanding{v.DPD, v.Technical, v.Restructured, v.Impaired, v.Bankrupt, v.Ratio}
		name, _ := json.Marshal(s)
		same(t, string(name), s.Classify(), v.Expect)
		if v.Accrual != "" {
			same(t, string(name), IsNonAccrual(v.DPD), v.Accrual == "NON_ACCRUAL")
			same(t, string(name), ImpairmentStage(v.DPD), v.Stage)
		}
	}
}

func TestAPartPaidInsideTheGraceStillOwesThePenaltyFromTheDueDate(t *testing.T) {
	a := Arrears{Terms: ArrearsTerms{36_000, 100, 3, true}, Items: []ArrearsItem{NewArrearsItem(20260215, 1_000_000, 0)}}
	a.Pay(20260217, 500_000)
	same(t, "on the last day of grace", a.Owed(0, 20260218).TotalFen(), 500_000)
	// 1,000,000 for two days and 500,000 for two more, at 3.6 % a year: 100 and 50 fen a day.
	same(t, "the day after", a.Owed(0, 20260219).Fen[KindPenalty], 300)
}

func TestMoreThanNinetyDaysLateAPaymentGoesToPrincipalFirst(t *testing.T) {
	terms := ArrearsTerms{43_500, 150, 0, true}
	items := []ArrearsItem{NewArrearsItem(20260215, 816_849, 36_250), NewArrearsItem(20260315, 819_810, 33_289)}
	a := Arrears{terms, append([]ArrearsItem(nil), items...)}
	paid, _ := a.Pay(20260516, 100)
	same(t, "90 days", paid[0].Kind, KindCompound)
	a = Arrears{terms, append([]ArrearsItem(nil), items...)}
	paid, _ = a.Pay(20260517, 900_000)
	same(t, "91 days", paid[0], PaymentPart{0, 20260215, KindPrincipal, 816_849})
	same(t, "then the next instalment's", paid[1], PaymentPart{1, 20260315, KindPrincipal, 83_151})
}
