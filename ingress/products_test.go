package ingress

import (
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
)

func TestProductsOnSaleAreShownWithTheInsuranceNotice(t *testing.T) {
	h := openHouse(t, Limits{})
	a := h.get("/v1/products?on=2026-01-15")
	if a.status != 200 || len(a.body["deposits"].([]any)) != 4 || a.body["deposit_insurance"].(map[string]any)["limit_fen"] != 50e6 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	first := a.body["deposits"].([]any)[0].(map[string]any)
	rate := first["rates"].([]any)[0].(map[string]any)
	if first["product"] != "JFC3M" || rate["rate_e6"] != 13500.0 || first["minimum_fen"] != 5000.0 {
		t.Errorf("first: %v", first)
	}
	h.ordered()
	h.server.options.Catalogue.Deposit(bank.ProductJFC3M).Sale = []bank.SaleWindow{{From: 20270101}}
	h.ordered()
	if a := h.get("/v1/products"); len(a.body["deposits"].([]any)) != 3 {
		t.Errorf("off sale today: %s", a.raw)
	}
	for _, query := range []string{"on=tomorrow", "off=2026-01-01"} {
		if a := h.get("/v1/products?" + query); a.status != 400 || a.code() != codeQuery {
			t.Errorf("%s: %d %s", query, a.status, a.raw)
		}
	}
}
