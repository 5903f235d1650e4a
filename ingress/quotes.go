package ingress

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
)

// A quote (试算) answers what a rule would give and changes nothing, so it takes no Idempotency-Key. Everybody
// gets one of products on sale at posted rates; whoever names rates or terms of his own is an operator. Fields
// a quote has no use for are passed over: it says back all that it has used.

func (s *Server) quoteRoutes() []route {
	return []route{
		quote(s, "/v1/quotes/term-deposits", "定期存款试算", "What a term deposit pays; rates and terms of one's own with an operator's credential",
			bank.TermQuote{}, s.quoteTerm),
		quote(s, "/v1/quotes/demand-interest", "活期利息试算", "The interest of a demand account over a period; rates of one's own with an operator's credential",
			bank.DemandQuote{}, s.quoteDemand),
		quote(s, "/v1/quotes/periods", "计息期间试算", "Whole months, odd days and interest of any period; a rate of one's own with an operator's credential",
			bank.PeriodQuote{}, s.quotePeriod),
	}
}

// decodeQuote is decode that passes over unknown fields.
func decodeQuote(body []byte, into any) *problem {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return &problem{code: codeBody, because: "not a JSON object"}
	}
	return problemOfJSON(json.Unmarshal(body, into))
}

// quote is the route of a quote: reckon asks the quoter for its fields and, if none is at fault, the bank.
func quote[T any](s *Server, path, zh, en string, reply any, reckon func(*quoter, *T) (any, *bank.Refusal)) route {
	serve := func(ctx *fasthttp.RequestCtx, _ []string) {
		var in T
		p := decodeQuote(ctx.PostBody(), &in)
		if p != nil {
			s.fail(ctx, p)
			return
		}
		q, p := s.quoter(ctx)
		if p != nil {
			s.fail(ctx, p)
			return
		}
		out, r := reckon(q, &in)
		switch {
		case q.p != nil:
			s.fail(ctx, q.p)
		case r != nil:
			s.fail(ctx, problemOf(r))
		default:
			s.reply(ctx, fasthttp.StatusOK, out)
		}
	}
	return route{method: fasthttp.MethodPost, path: path, zh: zh, en: en, request: *new(T), reply: reply, serve: serve}
}

// reckoned is what the bank made of a quote.
func reckoned[V any](out V, r *bank.Refusal) (any, *bank.Refusal) { return out, r }

// quoter checks the fields of a quote and who may name them.
type quoter struct {
	fields
	operator bool
}

func (s *Server) quoter(ctx *fasthttp.RequestCtx) (*quoter, *problem) {
	o, p := s.operator(ctx, fasthttp.HeaderAuthorization)
	if p != nil {
		return nil, p
	}
	return &quoter{operator: o != nil && o.Is(bank.OperatorRoles...)}, nil
}

// free notes a field that only operators name.
func (q *quoter) free(field string, named bool) bool {
	if named && !q.operator {
		q.fail(codeCredential, field, "")
	}
	return named
}

// rate is the rate named, or else the one posted.
func (q *quoter) rate(field string, named *int64, posted func() (int64, bool)) int64 {
	if q.free(field, named != nil) {
		if *named < 0 || *named > bank.QuoteRateMaxE6 {
			q.fail(string(bank.FieldInvalid), field, "a rate is 0 to 1000000, in units of 1e-6 a year")
		}
		return *named
	}
	rate, ok := posted()
	if !ok {
		q.fail(codeFieldMiss, field, "no rate is posted for that day")
	}
	return rate
}

func (q *quoter) base(named string, own bank.InterestBase) bank.InterestBase {
	base := bank.InterestBase(named)
	switch base {
	case "":
		return own
	case bank.BaseYuan, bank.BaseFen:
	default:
		q.fail(string(bank.FieldInvalid), "interest_base", "YUAN or FEN")
	}
	if base != own {
		q.free("interest_base", true)
	}
	return base
}

// day is a date a quote can reckon with; required if there is no default.
func (q *quoter) day(field, value string, otherwise bank.Date) bank.Date {
	if value == "" {
		if otherwise == 0 {
			q.fail(codeFieldMiss, field, "")
		}
		return otherwise
	}
	d := q.date(field, value)
	if q.p == nil && (d < bank.QuoteDateMin || d > bank.QuoteDateMax) {
		q.fail(string(bank.FieldInvalid), field, "a day of 1950 to 2199")
	}
	return d
}

// termQuoteRequest has the fields of the cases and of the accrual series in the bank's test vectors.
type termQuoteRequest struct {
	Product        string       `json:"product,omitzero"`
	PrincipalFen   int64        `json:"principal_fen"`
	RateE6         *int64       `json:"rate_e6,omitzero"`
	TermMonths     int          `json:"term_months,omitzero"`
	TermDays       int          `json:"term_days,omitzero"`
	OpenDate       string       `json:"open_date,omitzero"`
	InterestBase   string       `json:"interest_base,omitzero"`
	InterestMethod string       `json:"interest_method,omitzero"`
	Action         string       `json:"action,omitzero"`
	ActionDate     string       `json:"action_date,omitzero"`
	RedeemFen      int64        `json:"redeem_fen,omitzero"`
	DemandRateE6   *int64       `json:"demand_rate_e6,omitzero"`
	NewRateE6      *int64       `json:"new_rate_e6,omitzero"`
	TaxRateE6      *int64       `json:"tax_rate_e6,omitzero"`
	TaxE6          *int64       `json:"tax_e6,omitzero"` // the same
	Rollover       string       `json:"rollover,omitzero"`
	Points         []quotePoint `json:"points,omitzero"`
}

// quotePoint asks for the accrual of a day, by number or by date.
type quotePoint struct {
	DayNo int    `json:"day_no,omitzero"`
	Date  string `json:"accounting_date,omitzero"`
}

func (s *Server) quoteTerm(q *quoter, in *termQuoteRequest) (any, *bank.Refusal) {
	c, product := s.termCase(q, in)
	if q.p != nil {
		return nil, nil
	}
	out, r := bank.QuoteTerm(c)
	if r != nil {
		return nil, r
	}
	if product != nil {
		out.Product, out.ProductZh = product.Code, product.Zh
	}
	return out, nil
}

func (s *Server) termCase(q *quoter, in *termQuoteRequest) (c bank.TermCase, product *bank.DepositProduct) {
	cat := s.options.Catalogue
	open := q.day("open_date", in.OpenDate, bank.DateOf(s.options.Clock()))
	d := bank.TermDeposit{PrincipalFen: q.money("principal_fen", in.PrincipalFen), Opened: open, Base: bank.BaseYuan, Method: bank.MonthsAndOddDays}
	if q.text("product", in.Product, false, codeMax); in.Product != "" {
		product = cat.Deposit(in.Product)
	}
	switch {
	case product != nil:
		d.TermMonths, d.Base, d.Method = product.TermMonths, product.Base, product.Method
		if !q.operator && !product.OnSaleOn(open) {
			q.fail(string(bank.ProductNotOnSale), "product", "")
		}
	case in.Product != "" && in.RateE6 == nil:
		q.fail(string(bank.ProductUnknown), "product", "")
	case in.Product == "" && !q.operator:
		q.fail(codeFieldMiss, "product", "")
	}
	posted := func(day bank.Date) func() (int64, bool) {
		return func() (int64, bool) {
			if product == nil {
				return 0, false
			}
			return product.Rates.For(in.PrincipalFen, day)
		}
	}
	d.RateE6 = q.rate("rate_e6", in.RateE6, posted(open))
	d.Base = q.base(in.InterestBase, d.Base)
	q.term(in, &d)
	if q.p != nil {
		return c, product
	}
	c = bank.TermCase{
		Terms: d, Action: bank.QuoteAction(in.Action), RedeemFen: in.RedeemFen, Rollover: bank.Rollover(in.Rollover),
		On: q.day("action_date", in.ActionDate, d.Maturity()),
	}
	if c.Rollover == "PRINCIPAL_ONLY" {
		c.Rollover = bank.RolloverPrincipal
	}
	if in.TaxRateE6 == nil {
		in.TaxRateE6 = in.TaxE6
	}
	c.TaxE6 = q.rate("tax_rate_e6", in.TaxRateE6, func() (int64, bool) { return cat.InterestTaxOn(c.On), true })
	if c.Action == bank.QuoteRollover {
		c.NewRateE6 = q.rate("new_rate_e6", in.NewRateE6, posted(c.On))
	} else {
		c.DemandE6 = q.rate("demand_rate_e6", in.DemandRateE6, func() (int64, bool) { return cat.DemandRateOn(c.On), true })
	}
	c.PointDays = q.points(in, d)
	return c, product
}

// term takes the term in months; an accrual series states its days instead, which the months must have.
func (q *quoter) term(in *termQuoteRequest, d *bank.TermDeposit) {
	if in.InterestMethod != "" && bank.InterestMethod(in.InterestMethod) != d.Method {
		d.Method = bank.InterestMethod(in.InterestMethod)
		if q.free("interest_method", true); d.Method != bank.MonthsAndOddDays && d.Method != bank.ActualDays {
			q.fail(string(bank.FieldInvalid), "interest_method", "MONTHS_AND_ODD_DAYS or ACT360")
		}
	}
	if in.TermMonths != 0 && in.TermMonths != d.TermMonths {
		q.free("term_months", true)
		d.TermMonths = in.TermMonths
	}
	if in.TermMonths == 0 && in.TermDays > 0 && q.p == nil && (d.TermMonths == 0 || d.TermDays() != in.TermDays) {
		q.free("term_days", true)
		months, odd := bank.MonthsAndDays(d.Opened, d.Opened.AddDays(min(in.TermDays, bank.QuotePeriodDaysMax)))
		if d.TermMonths = months; odd != 0 {
			q.fail(string(bank.FieldInvalid), "term_days", "no whole number of months from open_date")
		}
	}
	if d.TermMonths < 1 || d.TermMonths > bank.QuoteMonthsMax {
		q.fail(string(bank.FieldInvalid), "term_months", "1 to 600")
	}
}

func (q *quoter) points(in *termQuoteRequest, d bank.TermDeposit) (days []int) {
	if len(in.Points) > bank.QuotePointsMax {
		q.fail(string(bank.FieldInvalid), "points", "at most 4000")
		return nil
	}
	for _, point := range in.Points {
		day := point.DayNo
		if day == 0 {
			day = bank.Days(d.Opened, q.day("points.accounting_date", point.Date, 0)) + 1
		}
		if day < 1 || day > bank.QuotePeriodDaysMax {
			q.fail(string(bank.FieldInvalid), "points.day_no", "the day of opening is 1")
			return nil
		}
		days = append(days, day)
	}
	return days
}

// demandQuoteRequest has the fields of the demand cases in the bank's test vectors.
type demandQuoteRequest struct {
	PeriodStart  string             `json:"period_start"`
	PeriodEnd    string             `json:"period_end,omitzero"` // counted; the day it is settled on, or the day before it closes
	Kind         string             `json:"kind,omitzero"`       // SETTLE or CLOSE
	On           string             `json:"on,omitzero"`
	InterestBase string             `json:"interest_base,omitzero"`
	Entries      []demandQuoteEntry `json:"entries"`
	LateEntries  []demandQuoteEntry `json:"late_entries,omitzero"`
	Rates        []demandQuoteRate  `json:"rates,omitzero"`
	TaxRateE6    *int64             `json:"tax_rate_e6,omitzero"`
}

type demandQuoteEntry struct {
	PostedOn  string `json:"posted_on,omitzero"` // empty: the value date
	ValueDate string `json:"value_date"`
	AmountFen int64  `json:"amount_fen"` // negative: money out
}

type demandQuoteRate struct {
	From   string `json:"from"`
	RateE6 int64  `json:"rate_e6"`
}

// The kinds of a demand quote.
const (
	quoteSettle = "SETTLE" // 结息
	quoteClose  = "CLOSE"  // 销户
)

func (s *Server) quoteDemand(q *quoter, in *demandQuoteRequest) (any, *bank.Refusal) {
	c := s.demandCase(q, in)
	if q.p != nil {
		return nil, nil
	}
	return reckoned(bank.QuoteDemand(c))
}

func (s *Server) demandCase(q *quoter, in *demandQuoteRequest) (c bank.DemandCase) {
	cat := s.options.Catalogue
	c.From = q.day("period_start", in.PeriodStart, 0)
	c.Base = q.base(in.InterestBase, bank.BaseYuan)
	end, on := in.PeriodEnd, in.On
	if end == "" {
		end = on
	}
	c.Through = q.day("period_end", end, 0)
	if q.p != nil {
		return c
	}
	// A settlement day is in its period and credited the day after; the day an account closes is not in it.
	day := c.Through
	switch in.Kind {
	case "", quoteSettle:
		day = q.day("on", on, c.Through)
		c.CreditOn = c.Through.AddDays(1)
	case quoteClose:
		if in.PeriodEnd == "" {
			c.Through = c.Through.AddDays(-1)
		}
		day = q.day("on", on, c.Through.AddDays(1))
		c.CreditOn = day
	default:
		q.fail(string(bank.FieldInvalid), "kind", "SETTLE or CLOSE")
	}
	c.RateE6 = q.demandRate(in.Rates, day, cat)
	c.TaxE6 = q.rate("tax_rate_e6", in.TaxRateE6, func() (int64, bool) { return cat.InterestTaxOn(day), true })
	if len(in.Entries)+len(in.LateEntries) > bank.QuoteEntriesMax {
		q.fail(string(bank.FieldInvalid), "entries", "at most 1000")
		return c
	}
	for _, e := range in.Entries {
		c.Entries = append(c.Entries, q.entry("entries", e))
	}
	for _, e := range in.LateEntries {
		c.Entries = append(c.Entries, q.entry("late_entries", e))
	}
	return c
}

func (q *quoter) entry(field string, e demandQuoteEntry) bank.QuoteEntry {
	out := bank.QuoteEntry{ValueDate: q.day(field+".value_date", e.ValueDate, 0), AmountFen: e.AmountFen}
	out.PostedOn = q.day(field+".posted_on", e.PostedOn, out.ValueDate)
	if out.PostedOn < out.ValueDate {
		q.fail(string(bank.FieldInvalid), field+".posted_on", "before the value date")
	}
	return out
}

func (q *quoter) demandRate(named []demandQuoteRate, day bank.Date, cat *bank.Catalogue) int64 {
	table := cat.Demand
	if q.free("rates", len(named) > 0) {
		if len(named) > bank.QuoteEntriesMax {
			q.fail(string(bank.FieldInvalid), "rates", "at most 1000")
			return 0
		}
		table = nil
		for _, r := range named {
			table = append(table, bank.RateStep{From: q.date("rates.from", r.From), RateE6: q.rate("rates.rate_e6", &r.RateE6, nil)})
		}
		slices.SortStableFunc(table, func(a, b bank.RateStep) int { return int(a.From) - int(b.From) })
	}
	rate, ok := table.On(day)
	if !ok {
		q.fail(codeFieldMiss, "rates", "no rate is posted for that day")
	}
	return rate
}

// periodQuoteRequest has the fields of the periods in the bank's test vectors.
type periodQuoteRequest struct {
	Product      string `json:"product,omitzero"` // whose posted rate on the first day is taken when there is no rate
	PrincipalFen int64  `json:"principal_fen"`
	RateE6       *int64 `json:"rate_e6,omitzero"`
	Start        string `json:"start"`
	End          string `json:"end"`
	InterestBase string `json:"interest_base,omitzero"`
}

func (s *Server) quotePeriod(q *quoter, in *periodQuoteRequest) (any, *bank.Refusal) {
	start, end := q.day("start", in.Start, 0), q.day("end", in.End, 0)
	rate := q.rate("rate_e6", in.RateE6, func() (int64, bool) { return s.options.Catalogue.RateOn(in.Product, start) })
	principal, base := q.money("principal_fen", in.PrincipalFen), q.base(in.InterestBase, bank.BaseYuan)
	if q.p != nil {
		return nil, nil
	}
	return reckoned(bank.QuotePeriod(principal, rate, start, end, base))
}
