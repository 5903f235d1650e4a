package ingress

import (
	"fmt"
	"net/http"
	"testing"
)

// staffed posts as a teller, with a checker's approval.
func (h *house) staffed(path, body string) answer {
	h.Helper()
	req := h.request(http.MethodPost, path, body)
	req.Header.Set("Authorization", "Bearer teller")
	req.Header.Set(approverHeader, "Bearer checker")
	return h.send(req)
}

func TestADepositIsPledgedProvedAndChanged(t *testing.T) {
	h := openHouse(t, Limits{})
	account := h.account(1, 20_000_000)
	d := h.must("/v1/deposits", fmt.Sprintf(`{"account_no":%q,"product":"SLC1Y","amount_fen":10000000,"rollover":"PRINCIPAL","agreement_version":"2026-01"}`, account))
	path := "/v1/deposits/" + d["deposit_id"].(string)
	if d["rollover"] != "PRINCIPAL" {
		t.Errorf("bought: %v", d)
	}
	changed := h.must(path+"/rollover", `{"rollover":"PRINCIPAL_AND_INTEREST"}`)
	if changed["previous"] != "PRINCIPAL" || changed["rollover"] != "PRINCIPAL_AND_INTEREST" {
		t.Errorf("changed: %v", changed)
	}
	if a := h.post(path+"/pledges", `{"amount_fen":1}`); a.code() != codeCredential {
		t.Errorf("pledged by a customer: %d %s", a.status, a.raw)
	}
	pledged := h.staffed(path+"/pledges", `{"amount_fen":6000000,"document_hash":"abc"}`)
	if pledged.status != 201 || pledged.body["kind"] != "PLEDGE" {
		t.Fatalf("pledged: %d %s", pledged.status, pledged.raw)
	}
	h.must(path+"/proofs", `{"amount_fen":1000000,"until":"2026-12-31"}`)
	if a := h.post(path+"/redemptions", `{"amount_fen":3000001}`); a.code() != "DEPOSIT_HELD" || a.body["limit_fen"] != 3e6 {
		t.Errorf("redeemed what is held: %d %s", a.status, a.raw)
	}
	if v := h.get(path).body; v["held_fen"] != 7e6 || len(v["holds"].([]any)) != 2 || v["rollover"] != "PRINCIPAL_AND_INTEREST" {
		t.Errorf("the deposit: %v", v)
	}
	release := path + "/holds/" + pledged.body["hold_id"].(string) + "/releases"
	if a := h.staffed(release, `{}`); a.status != 201 || a.body["amount_fen"] != 6e6 {
		t.Errorf("released: %d %s", a.status, a.raw)
	}
	if a := h.staffed(release, `{}`); a.status != 404 || a.code() != "DEPOSIT_HOLD_UNKNOWN" {
		t.Errorf("released twice: %d %s", a.status, a.raw)
	}
	h.must(path+"/redemptions", `{"amount_fen":9000000}`)
}

func TestAPurchaseUnderAnOldAgreementIsRefused(t *testing.T) {
	h := openHouse(t, Limits{})
	account := h.account(1, 20_000_000)
	a := h.post("/v1/deposits", fmt.Sprintf(`{"account_no":%q,"product":"SLC1Y","amount_fen":10000000,"agreement_version":"2019"}`, account))
	if a.status != 409 || a.code() != "AGREEMENT_OUTDATED" {
		t.Errorf("%d %s", a.status, a.raw)
	}
}
