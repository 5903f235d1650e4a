package ingress

import (
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
)

const productsPath = "/v1/products"

// productsReply is what is on sale on a day.
type productsReply struct {
	On           bank.Date        `json:"on"`
	Version      string           `json:"catalogue_version"`
	DemandRateE6 int64            `json:"demand_rate_e6"` // of e-accounts, and of deposits redeemed early or late
	Deposits     []depositOnSale  `json:"deposits"`
	Insurance    depositInsurance `json:"deposit_insurance"`
}

type depositOnSale struct {
	Product         string              `json:"product"`
	Zh              string              `json:"zh"`
	En              string              `json:"en"`
	TermMonths      int                 `json:"term_months"`
	Rates           []rateOnSale        `json:"rates"`
	MinimumFen      int64               `json:"minimum_fen"`
	StepFen         int64               `json:"step_fen"`
	InterestBase    bank.InterestBase   `json:"interest_base"`
	InterestMethod  bank.InterestMethod `json:"interest_method"`
	CapPerPersonFen int64               `json:"cap_per_person_fen,omitzero"`
	MaxPartial      int                 `json:"max_partial_redemptions,omitzero"` // none: any number
	Regions         []uint32            `json:"regions,omitempty"`
	Agreement       string              `json:"agreement_version,omitzero"`
	OnSaleThrough   bank.Date           `json:"on_sale_through,omitzero"`
}

type rateOnSale struct {
	AtLeastFen int64 `json:"at_least_fen"`
	RateE6     int64 `json:"rate_e6"`
}

// depositInsurance (存款保险) must be shown where deposits are sold (存款保险条例 art. 5).
type depositInsurance struct {
	LimitFen int64  `json:"limit_fen"`
	Zh       string `json:"zh"`
	En       string `json:"en"`
}

var insurance = depositInsurance{
	LimitFen: bank.InsuredMaxFen,
	Zh:       "本机构吸收的本外币存款依照《存款保险条例》受到保护,同一存款人本金和利息合计最高偿付限额为人民币50万元。",
	En:       "Deposits are protected under the Deposit Insurance Regulations: principal and interest of one depositor up to CNY 500,000.",
}

func (s *Server) productRoutes() []route {
	return []route{{
		method: fasthttp.MethodGet, path: productsPath, zh: "在售产品", en: "What is on sale on a day", reply: productsReply{},
		serve: func(ctx *fasthttp.RequestCtx, _ []string) { s.products(ctx) },
	}}
}

func (s *Server) products(ctx *fasthttp.RequestCtx) {
	on := bank.DateOf(s.options.Clock())
	for name, value := range ctx.QueryArgs().All() {
		day, err := bank.ParseDate(string(value))
		if string(name) != "on" || err != nil {
			s.fail(ctx, &problem{code: codeQuery, field: fieldOf(jsontext.Pointer(name))})
			return
		}
		on = day
	}
	cat := s.options.Catalogue
	out := productsReply{On: on, Version: cat.Version, DemandRateE6: cat.DemandRateOn(on), Deposits: []depositOnSale{}, Insurance: insurance}
	for i := range cat.Deposits {
		p := &cat.Deposits[i]
		window, ok := p.WindowOn(on)
		if !ok {
			continue
		}
		d := depositOnSale{
			Product: p.Code, Zh: p.Zh, En: p.En, TermMonths: p.TermMonths, Rates: []rateOnSale{}, MinimumFen: p.MinimumFen, StepFen: p.StepFen,
			InterestBase: p.Base, InterestMethod: p.Method, CapPerPersonFen: p.CapPerPersonFen, MaxPartial: p.MaxPartial, Regions: p.Regions,
			Agreement: p.Agreement, OnSaleThrough: window.Through,
		}
		for _, step := range p.Rates.Bands(on) {
			d.Rates = append(d.Rates, rateOnSale{step.AtLeastFen, step.RateE6})
		}
		out.Deposits = append(out.Deposits, d)
	}
	s.reply(ctx, fasthttp.StatusOK, out)
}
