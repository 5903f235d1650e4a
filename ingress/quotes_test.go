package ingress

import (
	"encoding/json"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/suanpan-bank/suanpan/internal/shared"
)

// quote posts to a quote's path, with an operator's credential unless the token is empty.
func (h *house) quote(kind, token string, body any) answer {
	h.Helper()
	text, isText := body.(string)
	if !isText {
		b, err := json.Marshal(body)
		if err != nil {
			h.Fatal(err)
		}
		text = string(b)
	}
	req := h.request(http.MethodPost, "/v1/quotes/"+kind, text)
	req.Header.Del("Idempotency-Key")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return h.send(req)
}

type row = map[string]any

func vectors(t *testing.T, file string) map[string][]row {
	t.Helper()
	b, err := os.ReadFile(shared.Path(t, "domain", "vectors", file))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	lists := make(map[string][]row)
	for name, raw := range all {
		var rows []row
		if json.Unmarshal(raw, &rows) == nil {
			lists[name] = rows
		}
	}
	return lists
}

// answers fails for each expected field that the answer does not have as expected.
func (h *house) answers(a answer, want row, sent row) {
	h.Helper()
	if a.status != http.StatusOK || len(want) == 0 {
		h.Errorf("%v: %d %s", sent, a.status, a.raw)
	}
	for name, value := range want {
		if !reflect.DeepEqual(a.body[name], value) {
			h.Errorf("%v: %s is %v, not %v", sent, name, a.body[name], value)
		}
	}
}

// only are the fields of a row with the names.
func only(r row, names ...string) row {
	out := row{}
	for _, name := range names {
		if v, ok := r[name]; ok {
			out[name] = v
		}
	}
	return out
}

// Acceptance asks the same of rows that are not here.
func TestQuotesAnswerEveryRowOfTheVectors(t *testing.T) {
	h := openHouse(t, Limits{})
	term := vectors(t, "deposits_term.json")
	if len(term["cases"]) == 0 || len(term["accrual_series"]) == 0 || len(term["months_and_odd_days"]) == 0 {
		t.Fatal("a list of vectors has another name")
	}
	for _, r := range term["cases"] {
		h.answers(h.quote("term-deposits", "teller", r), r["expect"].(row), r)
	}
	for _, r := range term["accrual_series"] {
		h.answers(h.quote("term-deposits", "teller", r), only(r, "term_days", "total_fen", "points"), r)
	}
	for _, r := range term["months_and_odd_days"] {
		h.answers(h.quote("periods", "teller", r), only(r, "whole_months", "odd_days", "interest_fen", "act360_fen"), r)
	}
	demand := vectors(t, "deposits_demand.json")["cases"]
	if len(demand) == 0 {
		t.Fatal("the list of demand cases has another name")
	}
	for _, r := range demand {
		h.answers(h.quote("demand-interest", "teller", r), r["expect"].(row), r)
	}
}

func TestACustomerIsQuotedWhatIsOnSaleAtPostedRates(t *testing.T) {
	h := openHouse(t, Limits{})
	a := h.quote("term-deposits", "", `{"product":"JFC3M","principal_fen":1000000,"open_date":"2026-01-15"}`)
	h.answers(a, row{"maturity_date": "2026-04-15", "maturity_interest_fen": 3375.0, "rate_e6": 13500.0, "product_zh": "季富存"}, nil)
	a = h.quote("term-deposits", "", `{"product":"SLC1Y","principal_fen":3000000,"open_date":"2026-01-10","action":"EARLY_FULL","action_date":"2026-07-19"}`)
	h.answers(a, row{"interest_fen": 3167.0, "payout_fen": 3003167.0}, nil)
	a = h.quote("demand-interest", "", `{"period_start":"2025-12-21","on":"2026-03-20","entries":[{"value_date":"2025-12-21","amount_fen":1000000}]}`)
	h.answers(a, row{"interest_fen": 500.0, "credit_date": "2026-03-21"}, nil)
	for field, value := range map[string]string{
		"rate_e6": "99999", "demand_rate_e6": "1", "tax_rate_e6": "1", "term_months": "7", "interest_base": `"FEN"`, "interest_method": `"ACT360"`,
	} {
		a := h.quote("term-deposits", "", `{"product":"JFC3M","principal_fen":1000000,"action":"AFTER_MATURITY","`+field+`":`+value+`}`)
		if a.status != http.StatusUnauthorized || a.body["field"] != field {
			t.Errorf("%s of one's own: %d %s", field, a.status, a.raw)
		}
	}
	if a := h.quote("periods", "nobody", `{"principal_fen":1,"rate_e6":1,"start":"2026-01-01","end":"2026-01-02"}`); a.status != http.StatusUnauthorized {
		t.Errorf("a stranger's token: %d %s", a.status, a.raw)
	}
}

func TestAQuoteThatMakesNoSenseNamesTheField(t *testing.T) {
	h := openHouse(t, Limits{})
	const whole = `"product":"JFC3M","principal_fen":1000000,"open_date":"2026-01-15"`
	for _, c := range []struct{ kind, body, code, field string }{
		{"term-deposits", `[]`, "BODY_MALFORMED", ""},
		{"term-deposits", `{"product":"JFC3M"}`, "AMOUNT_INVALID", "principal_fen"},
		{"term-deposits", `{"product":"JFC3M","principal_fen":"x"}`, "FIELD_TYPE", "principal_fen"},
		{"term-deposits", `{"product":"NONE","principal_fen":1}`, "PRODUCT_UNKNOWN", "product"},
		{"term-deposits", `{"principal_fen":1,"rate_e6":1}`, "FIELD_INVALID", "term_months"},
		{"term-deposits", `{"principal_fen":1,"rate_e6":1,"term_months":601}`, "FIELD_INVALID", "term_months"},
		{"term-deposits", `{"principal_fen":1,"rate_e6":1000001,"term_months":6}`, "FIELD_INVALID", "rate_e6"},
		{"term-deposits", `{` + whole + `,"interest_base":"JIAO"}`, "FIELD_INVALID", "interest_base"},
		{"term-deposits", `{` + whole + `,"action":"STEAL"}`, "FIELD_INVALID", "action"},
		{"term-deposits", `{` + whole + `,"action":"MATURITY","action_date":"2026-04-14"}`, "FIELD_INVALID", "action_date"},
		{"term-deposits", `{` + whole + `,"action":"EARLY_FULL","action_date":"2026-04-15"}`, "FIELD_INVALID", "action_date"},
		{"term-deposits", `{` + whole + `,"action":"EARLY_PARTIAL","action_date":"2026-04-14","redeem_fen":1000001}`, "OVER_DEPOSIT", "redeem_fen"},
		{"term-deposits", `{` + whole + `,"action":"AFTER_MATURITY","action_date":"2026-04-14"}`, "FIELD_INVALID", "action_date"},
		{"term-deposits", `{` + whole + `,"action":"ROLLOVER"}`, "FIELD_INVALID", "rollover"},
		{"term-deposits", `{` + whole + `,"points":[{"day_no":-1}]}`, "FIELD_INVALID", "points.day_no"},
		{"term-deposits", `{"product":"JFC3M","principal_fen":1,"open_date":"9999-12-31"}`, "FIELD_INVALID", "open_date"},
		{"demand-interest", `{"entries":[]}`, "FIELD_MISSING", "period_start"},
		{"demand-interest", `{"period_start":"2026-03-21","period_end":"2026-03-20","entries":[]}`, "FIELD_INVALID", "period_end"},
		{"demand-interest", `{"period_start":"2026-01-01","period_end":"2026-03-20","kind":"BURN","entries":[]}`, "FIELD_INVALID", "kind"},
		{"demand-interest", `{"period_start":"2026-01-01","period_end":"2026-03-20","entries":[{"value_date":"2026-01-01","amount_fen":10000000000001}]}`, "AMOUNT_INVALID", "entries"},
		{"demand-interest", `{"period_start":"2026-01-01","period_end":"2026-03-20","rates":[{"from":"2026-04-01","rate_e6":1}]}`, "FIELD_MISSING", "rates"},
		{"demand-interest", `{"period_start":"2026-01-01","period_end":"2026-03-20","late_entries":[{"posted_on":"2026-01-01","value_date":"2026-01-02","amount_fen":1}]}`, "FIELD_INVALID", "late_entries.posted_on"},
		{"periods", `{"principal_fen":1,"rate_e6":1,"start":"2026-01-02","end":"2026-01-01"}`, "FIELD_INVALID", "end"},
		{"periods", `{"principal_fen":1,"start":"2026-01-02","end":"2026-01-03"}`, "FIELD_MISSING", "rate_e6"},
	} {
		a := h.quote(c.kind, "teller", c.body)
		field, _ := a.body["field"].(string)
		if a.status < 400 || a.status >= 500 || a.code() != c.code || field != c.field {
			t.Errorf("%s %s: %d %s", c.kind, c.body, a.status, strings.TrimSpace(a.raw))
		}
	}
}

// Somebody who knows his rate asks about a day without minding what day the entries are listed in, or late ones
// that came after the period.
func TestADemandQuoteTakesEntriesInAnyOrder(t *testing.T) {
	h := openHouse(t, Limits{})
	const entry = `{"value_date":"2026-03-21","amount_fen":100050},{"value_date":"2026-04-01","amount_fen":50}`
	const turned = `{"value_date":"2026-04-01","amount_fen":50},{"value_date":"2026-03-21","amount_fen":100050}`
	body := func(entries string) string {
		return `{"period_start":"2026-03-21","period_end":"2026-06-20","entries":[` + entries + `],"late_entries":[{"posted_on":"2026-06-21","value_date":"2026-06-20","amount_fen":1000}]}`
	}
	a, b := h.quote("demand-interest", "", body(entry)), h.quote("demand-interest", "", body(turned))
	if a.raw != b.raw || a.body["accumulation_fen_days"] != 11*100000.0+81*100100+1000 || a.body["closing_balance_fen"] != 101100.0 {
		t.Errorf("%s and %s", a.raw, b.raw)
	}
}
