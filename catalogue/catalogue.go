// Package catalogue reads what the bank sells from a file: deposit products with their dated rates, limits and
// sale windows, the demand rate and the interest tax. Start here: Parse. Default is the file a bank begins with.
//
// Rates, amounts and dates are written as people write them (1.35%, 50.00, 2026-01-15) and read exactly. A change
// is a new version of the file with a line that begins on a day; contracts copy what they use when they are signed,
// so no change touches an old one. A product that was ever sold stays in the file, without a sale window.
package catalogue

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/suanpan-bank/suanpan/bank"
)

// Default is the built-in file.
//
//go:embed default.yaml
var Default []byte

// FileMax is the largest file that is read, in bytes.
const FileMax = 1 << 20

// The limits of what a file may say.
const (
	ProductsMax = 200
	RatesMax    = 1000 // of one table
	rateMaxE6   = bank.QuoteRateMaxE6
	monthsMax   = bank.QuoteMonthsMax
	codeMax     = 20
	textMax     = 60
	partialsMax = 10_000
)

// Parse reads a file into the built-in catalogue: accounts and loans are those, deposits and rates the file's. The
// error tells every fault with its line and field.
func Parse(text []byte) (*bank.Catalogue, error) {
	if len(text) > FileMax {
		return nil, fmt.Errorf("larger than %d bytes", FileMax)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if len(document.Content) == 0 {
		return nil, errors.New("the file is empty")
	}
	r := &reader{}
	c := bank.DefaultCatalogue()
	r.catalogue(document.Content[0], c)
	if err := errors.Join(r.faults...); err != nil {
		return nil, err
	}
	return c, nil
}

func (r *reader) catalogue(n *yaml.Node, c *bank.Catalogue) {
	f := r.mapping(n, "", "version", "demand_rates", "interest_tax", "deposits")
	c.Version = r.text(f.need("version"), textMax)
	c.Demand = r.rates(f.need("demand_rates"), false)
	c.InterestTax = r.rates(f.need("interest_tax"), false)
	deposits := r.list(f.need("deposits"), ProductsMax)
	c.Deposits = make([]bank.DepositProduct, len(deposits))
	for i, item := range deposits {
		p := &c.Deposits[i]
		r.deposit(item, p)
		if slices.ContainsFunc(c.Deposits[:i], func(o bank.DepositProduct) bool { return o.Code == p.Code }) || c.Loan(p.Code) != nil || c.Account(p.Code) != nil {
			r.fail(item, "there is another product %s", p.Code)
		}
	}
}

func (r *reader) deposit(at place, p *bank.DepositProduct) {
	f := r.mapping(at.node, at.path, "code", "zh", "en", "months", "minimum", "step", "interest_base", "interest_method",
		"subjects", "sale", "cap_per_person", "max_partial", "regions", "agreement", "rates")
	p.Code, p.Zh, p.En = r.code(f.need("code")), r.text(f.need("zh"), textMax), r.text(f.need("en"), textMax)
	p.TermMonths = int(r.integer(f.need("months"), 1, monthsMax))
	p.MinimumFen, p.StepFen = r.money(f.need("minimum")), r.money(f.need("step"))
	p.Base = bank.InterestBase(r.choice(f.need("interest_base"), string(bank.BaseYuan), string(bank.BaseFen)))
	p.Method = bank.InterestMethod(r.choice(f.need("interest_method"), string(bank.MonthsAndOddDays), string(bank.ActualDays)))
	r.subjects(f.need("subjects"), &p.DepositSubjects)
	for _, item := range r.list(f.need("sale"), RatesMax) {
		p.Sale = append(p.Sale, r.window(item))
	}
	if at, ok := f.has("cap_per_person"); ok {
		p.CapPerPersonFen = r.money(at)
	}
	if at, ok := f.has("max_partial"); ok {
		p.MaxPartial = int(r.integer(at, 0, partialsMax))
	}
	if at, ok := f.has("regions"); ok {
		for _, item := range r.list(at, RatesMax) {
			p.Regions = append(p.Regions, r.region(item))
		}
	}
	if at, ok := f.has("agreement"); ok {
		p.Agreement = r.text(at, codeMax)
	}
	p.Rates = r.rates(f.need("rates"), true)
}

// subjects must be of the chart's subjects for deposits, what is owed on them and what they cost.
func (r *reader) subjects(at place, s *bank.DepositSubjects) {
	f := r.mapping(at.node, at.path, "principal", "payable", "expense")
	for _, want := range []struct {
		field  string
		code   uint16
		detail *uint32
	}{{"principal", 2011, &s.Detail}, {"payable", 2231, &s.PayableDetail}, {"expense", 6411, &s.ExpenseDetail}} {
		at := f.need(want.field)
		*want.detail = uint32(r.integer(at, 0, 99_999_999))
		if subject, ok := bank.SubjectOf(*want.detail); at.node != nil && (!ok || subject.Code != want.code) {
			r.fail(at, "no subject %d…… of the chart of accounts", want.code)
		}
	}
}

func (r *reader) window(at place) (w bank.SaleWindow) {
	f := r.mapping(at.node, at.path, "from", "through")
	if at, ok := f.has("from"); ok {
		w.From = r.date(at)
	}
	if at, ok := f.has("through"); ok {
		if w.Through = r.date(at); w.Through < w.From {
			r.fail(at, "before from")
		}
	}
	return w
}

func (r *reader) region(at place) uint32 {
	n := r.integer(at, 0, 999_999)
	if n < 11 || n > 99 && n < 1100 || n > 9999 && n < 110_000 {
		r.fail(at, "a division has two, four or six digits, such as 22, 2201 or 220113")
	}
	return uint32(n)
}

// rates is a dated table, oldest first; with bands, the steps of one day are for amounts from at_least up.
func (r *reader) rates(at place, bands bool) (table bank.RateTable) {
	fields := []string{"from", "rate"}
	if bands {
		fields = append(fields, "at_least")
	}
	for _, item := range r.list(at, RatesMax) {
		f := r.mapping(item.node, item.path, fields...)
		step := bank.RateStep{From: r.date(f.need("from")), RateE6: r.rate(f.need("rate"))}
		if at, ok := f.has("at_least"); ok {
			step.AtLeastFen = r.money(at)
		}
		if n := len(table); n > 0 && (step.From < table[n-1].From || step.From == table[n-1].From && step.AtLeastFen <= table[n-1].AtLeastFen) {
			r.fail(item, "not after the line before it: oldest first, and on one day the smallest amounts first")
		}
		table = append(table, step)
	}
	if at.node != nil && len(table) == 0 {
		r.fail(at, "at least one rate")
	}
	return table
}
