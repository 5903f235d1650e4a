package bank

import "testing"

func TestEveryProductNamesSubjectsOfTheChart(t *testing.T) {
	c := DefaultCatalogue()
	check := func(product string, details ...uint32) {
		for _, d := range details {
			if _, ok := SubjectOf(d); !ok {
				t.Errorf("%s names %d, which is no subject", product, d)
			}
		}
	}
	for _, p := range c.Accounts {
		check(p.Code, p.Detail)
		s, _ := SubjectOf(p.Detail)
		same(t, p.Code+" is for demonstrations", p.Demo, s.Demo)
	}
	for _, p := range c.Deposits {
		check(p.Code, p.Detail, p.PayableDetail, p.ExpenseDetail)
		s, _ := SubjectOf(p.Detail)
		same(t, p.Code, s.Zh, "个人定期—"+p.Zh)
	}
	for _, p := range c.Loans {
		check(p.Code, p.IncomeDetail)
	}
}

func TestOnSaleAreTheDepositSeriesAndTheTwoLiveLoans(t *testing.T) {
	c := DefaultCatalogue()
	for _, p := range c.Deposits {
		same(t, p.Code, p.OnSaleOn(20260101), true)
	}
	for _, p := range c.Loans {
		same(t, p.Code, p.OnSale, p.Code == ProductNJD || p.Code == ProductGHD)
	}
}

func TestTheDefaultRatesAreTheDemonstrationRates(t *testing.T) {
	c := DefaultCatalogue()
	for product, want := range map[string]int64{
		ProductJFC3M: 13500, ProductSLC6M: 15500, ProductSLC1Y: 17500, ProductSFC3Y: 26000,
		ProductClassII: 2000, ProductDemoCurrent: 2000, ProductGHD: 43500,
	} {
		rate, ok := c.RateOn(product, demoRatesFrom)
		same(t, product, rate, want)
		same(t, product, ok, true)
		_, ok = c.RateOn(product, demoRatesFrom.AddDays(-1))
		same(t, product+" the day before the first rate", ok, false)
	}
	_, ok := c.RateOn("NOTHING", 20260101)
	same(t, "no such product", ok, false)
}

func TestTheRateOfADayIsTheLastPostedByIt(t *testing.T) {
	table := RateTable{{From: 20250101, RateE6: 2000}, {From: 20260801, RateE6: 1500}}
	for day, want := range map[Date]int64{20250101: 2000, 20260731: 2000, 20260801: 1500, 20990101: 1500} {
		rate, _ := table.On(day)
		same(t, day.String(), rate, want)
	}
}

func TestABulletLoanForMachineryIsForOneHarvestYear(t *testing.T) {
	p := DefaultCatalogue().Loan(ProductNJD)
	same(t, "12 months", p.Offers(Bullet, 12), true)
	same(t, "13 months", p.Offers(Bullet, 13), false)
	same(t, "36 months level", p.Offers(EqualInstalment, 36), true)
	same(t, "interest only", p.Offers(InterestOnly, 6), false)
}
