package bank

import "testing"

func TestProvisionTaxAndCostVectors(t *testing.T) {
	v := readShared[struct {
		ECL []struct {
			Drawn   int64 `json:"ead_fen"`
			Undrawn int64 `json:"undrawn_fen"`
			CCF     int64 `json:"ccf_e6"`
			PD      int64 `json:"pd_e6"`
			LGD     int64 `json:"lgd_e6"`
			Expect  int64 `json:"expect_fen"`
		}
		VAT []struct {
			Gross int64 `json:"gross_fen"`
			Rate  int64 `json:"vat_rate_e6"`
			VAT   int64 `json:"expect_vat_fen"`
			Net   int64 `json:"expect_net_fen"`
		}
		Cost []struct {
			ID     string
			Net    int64   `json:"net_advance_fen"`
			Flows  []int64 `json:"flows_fen"`
			Expect struct {
				Monthly int64 `json:"monthly_irr_e9"`
				Annual  int64 `json:"annual_simple_e6"`
			}
		} `json:"annualised_cost"`
	}](t, "vectors", "loans_misc.json")
	for _, x := range v.ECL {
		same(t, "expected loss", Exposure{x.Drawn, x.Undrawn, x.CCF, x.PD, x.LGD}.ExpectedLossFen(), x.Expect)
	}
	for _, x := range v.VAT {
		same(t, "VAT", VATFen(x.Gross, x.Rate), x.VAT)
		same(t, "net of VAT", x.Gross-VATFen(x.Gross, x.Rate), x.Net)
	}
	for _, x := range v.Cost {
		same(t, x.ID, CostOf(x.Net, x.Flows), AnnualisedCost{x.Expect.Monthly, x.Expect.Annual})
	}
}

func TestALoanRepaidWithoutInterestCostsNothing(t *testing.T) {
	same(t, "cost", CostOf(300, []int64{100, 100, 100}), AnnualisedCost{})
}
