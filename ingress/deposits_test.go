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

// What a court has frozen of a deposit it gets, and nobody else; the interest is the owner's.
func TestADepositIsFrozenRenewedDeductedAndReleased(t *testing.T) {
	h := openHouse(t, Limits{})
	account := h.account(1, 20_000_000)
	d := h.must("/v1/deposits", fmt.Sprintf(`{"account_no":%q,"product":"SLC1Y","amount_fen":10000000}`, account))
	path := "/v1/deposits/" + d["deposit_id"].(string)
	freeze := func(fen int) answer {
		a := h.staffed(path+"/freezes", fmt.Sprintf(`{"amount_fen":%d,"authority":"九台区人民法院","document_no":"(2026)吉01执1号"}`, fen))
		if a.status != 201 {
			t.Fatalf("frozen: %d %s", a.status, a.raw)
		}
		return a
	}
	h.refused("CREDENTIAL_REQUIRED", path+"/freezes", `{"amount_fen":1,"authority":"x","document_no":"1"}`)
	first, second := freeze(12_000_000), freeze(3_000_000)
	if first.body["amount_fen"] != 1e7 || first.body["shortfall_fen"] != 2e6 || first.body["queue_position"] != 0. {
		t.Errorf("the first: %s", first.raw)
	}
	if second.body["amount_fen"] != 0. || second.body["queue_position"] != 1. {
		t.Errorf("the second: %s", second.raw)
	}
	frozen := path + "/freezes/" + first.body["hold_id"].(string)
	h.refused("CREDENTIAL_REQUIRED", frozen+"/renewals", `{"until":"2027-06-30"}`)
	if a := h.staffed(frozen+"/renewals", `{"until":"2027-06-30","document_no":"2"}`); a.status != 201 || a.body["previous_until"] != "2027-11-24" {
		t.Errorf("renewed: %d %s", a.status, a.raw)
	}
	if a := h.staffed(frozen+"/renewals", `{}`); a.code() != codeFieldMiss {
		t.Errorf("renewed without a day: %d %s", a.status, a.raw)
	}
	if a := h.staffed(path+"/freezes/nonsense/renewals", `{"until":"2027-06-30"}`); a.code() != "DEPOSIT_HOLD_UNKNOWN" {
		t.Errorf("renewed nothing: %d %s", a.status, a.raw)
	}
	h.refused("CREDENTIAL_REQUIRED", frozen+"/deductions", `{"amount_fen":1,"document_no":"3"}`)
	if a := h.staffed(frozen+"/deductions", `{"amount_fen":10000001,"document_no":"3"}`); a.code() != "OVER_HOLD" || a.body["limit_fen"] != 1e7 {
		t.Errorf("more than it has: %d %s", a.status, a.raw)
	}
	taken := h.staffed(frozen+"/deductions", `{"amount_fen":4000000,"document_no":"3"}`)
	if taken.status != 201 || taken.body["held_fen"] != 6e6 || taken.body["remaining_fen"] != 6e6 || taken.body["interest_fen"] != 0. {
		t.Fatalf("deducted on the day it was opened: %d %s", taken.status, taken.raw)
	}
	remittances := "/v1/deductions/" + taken.body["deduction_id"].(string) + "/remittances"
	if a := h.order(remittances, `{"result":"FAILURE"}`); a.status != 201 || a.body["remitted"] != false {
		t.Errorf("not remitted: %d %s", a.status, a.raw)
	}
	if a := h.order(remittances, `{"result":"SUCCESS"}`); a.status != 201 || a.body["remitted"] != true {
		t.Errorf("remitted: %d %s", a.status, a.raw)
	}
	released := h.staffed(path+"/holds/"+first.body["hold_id"].(string)+"/releases", `{"document_no":"4"}`)
	if applied := released.body["applied_hold_ids"].([]any); released.status != 201 || len(applied) != 1 || applied[0] != second.body["hold_id"] {
		t.Errorf("released: %d %s", released.status, released.raw)
	}
	if v := h.get(path).body; v["held_fen"] != 3e6 || v["principal_fen"] != 6e6 {
		t.Errorf("the deposit: %v", v)
	}
	// A hold's business can be asked for like any other; what was given to the second stands under the first's release.
	if a := h.staffed(path+"/freezes/"+second.body["hold_id"].(string)+"/deductions", `{"amount_fen":3000000,"document_no":"5"}`); a.status != 201 {
		t.Errorf("deducted from the second: %d %s", a.status, a.raw)
	}
	for _, id := range []any{first.body["hold_id"], second.body["hold_id"]} {
		if a := h.staffed("/v1/transfers/"+id.(string)+"/reversals", `{"reason":"mistaken"}`); a.status == 201 || a.status >= 500 {
			t.Errorf("a hold was reversed: %d %s", a.status, a.raw)
		}
	}
	h.must(path+"/redemptions", `{"amount_fen":3000000}`)
}
