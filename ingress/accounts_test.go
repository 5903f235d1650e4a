package ingress

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// order posts what a teller makes and a checker approves.
func (h *house) order(path, body string) answer {
	h.Helper()
	req := h.request(http.MethodPost, path, body)
	req.Header.Set("Authorization", "Bearer teller")
	req.Header.Set(approverHeader, "Bearer checker")
	return h.send(req)
}

// refused posts what has to be refused.
func (h *house) refused(code, path, body string) {
	h.Helper()
	if a := h.post(path, body); a.code() != code {
		h.Errorf("POST %s %s: %d %s, want %s", path, body, a.status, a.raw, code)
	}
}

func TestAFreezeFromOrderToDeduction(t *testing.T) {
	h := openHouse(t, Limits{})
	payer, account := h.account(1, 1_000), h.account(2, 5_000)
	restrictions := "/v1/accounts/" + account + "/restrictions"
	freeze := `{"kind":"PARTIAL_FROZEN","authority":"九台区人民法院","document_no":"(2026)吉01执1号","amount_fen":8000}`
	h.refused("CREDENTIAL_REQUIRED", restrictions, freeze)
	made := h.order(restrictions, freeze)
	if made.status != 201 || made.body["held_fen"] != 5e3 || made.body["shortfall_fen"] != 3e3 || made.body["until"] != "2027-11-24" {
		t.Fatalf("frozen: %d %s", made.status, made.raw)
	}
	id := made.body["restriction_id"].(string)
	h.refused("FUNDS_FROZEN", "/v1/transfers", fmt.Sprintf(`{"kind":"out","from_account":%q,"to_bound_card":true,"amount_fen":1}`, account))
	h.must("/v1/transfers", fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":1000}`, payer, account))
	if a := h.order("/v1/restrictions/"+id+"/renewals", `{"until":"2027-06-30"}`); a.status != 201 || a.body["until"] != "2027-06-30" {
		t.Errorf("renewed: %d %s", a.status, a.raw)
	}
	if a := h.order("/v1/restrictions/"+id+"/deductions", `{"amount_fen":6001,"document_no":"2"}`); a.code() != "OVER_HOLD" {
		t.Errorf("more than all there is: %d %s", a.status, a.raw)
	}
	made = h.order("/v1/restrictions/"+id+"/deductions", `{"amount_fen":5000,"document_no":"2"}`)
	if made.status != 201 {
		t.Fatalf("deducted: %d %s", made.status, made.raw)
	}
	deduction := made.body["deduction_id"].(string)
	if a := h.order("/v1/deductions/"+deduction+"/remittances", `{"result":"SUCCESS","channel_serial":"X1"}`); a.status != 201 || a.body["remitted"] != true {
		t.Errorf("remitted: %d %s", a.status, a.raw)
	}
	if a := h.order("/v1/deductions/"+deduction+"/remittances", `{"result":"SUCCESS"}`); a.code() != "DEDUCTION_UNKNOWN" {
		t.Errorf("remitted twice: %d %s", a.status, a.raw)
	}
	if a := h.get("/v1/accounts/" + account); len(a.body["restrictions"].([]any)) != 1 || len(a.body["holds"].([]any)) != 1 {
		t.Errorf("the account: %s", a.raw)
	}
	if a := h.order("/v1/restrictions/"+id+"/releases", `{}`); a.status != 201 {
		t.Errorf("released: %d %s", a.status, a.raw)
	}
	if a := h.order("/v1/restrictions/"+id+"/releases", `{}`); a.status != 404 || a.code() != "RESTRICTION_UNKNOWN" {
		t.Errorf("released twice: %d %s", a.status, a.raw)
	}
	if a := h.order("/v1/accounts/"+account+"/restrictions", `{"kind":"LOST","until":"yesterday"}`); a.status != 400 {
		t.Errorf("a date that is none: %d %s", a.status, a.raw)
	}
}

func TestCardsLimitsHoldsAndClosingOfAnAccount(t *testing.T) {
	h := openHouse(t, Limits{})
	id := h.person(3)
	account := h.must("/v1/customers/"+id+"/accounts", `{`+card+`}`)["account_no"].(string)
	path := "/v1/accounts/" + account

	// Money from others only once the bank has met the customer.
	inbound := fmt.Sprintf(`{"kind":"inbound","to_account":%q,"amount_fen":10000}`, account)
	h.refused("CLASS_NOT_ALLOWED", "/v1/transfers", inbound)
	if a := h.order("/v1/customers/"+id+"/identity-confirmations", `{}`); a.status != 201 || a.body["face_to_face"] != true {
		t.Fatalf("confirmed: %d %s", a.status, a.raw)
	}
	h.must("/v1/transfers", inbound)

	const second = "6217000010000000003"
	h.must(path+"/cards", `{"card_no":"6217000010000000003","bank":"CCB","kind":"CREDIT"}`)
	h.refused("CARD_ALREADY_BOUND", path+"/cards", `{"card_no":"6217000010000000003","bank":"CCB"}`)
	out := fmt.Sprintf(`{"kind":"out","from_account":%q,"to_bound_card":true,"bound_card_no":%q,"amount_fen":1}`, account, second)
	h.refused("CARD_TOO_NEW", "/v1/transfers", out)
	h.must(path+"/cards/removals", `{"card_no":"6217000010000000003"}`)
	h.refused("CARD_UNKNOWN", "/v1/transfers", out)
	h.refused("LAST_CARD", path+"/cards/removals", `{"card_no":"6228480402564890018"}`)

	h.must(path+"/limits", `{"transaction_fen":500}`)
	pay := fmt.Sprintf(`{"kind":"out","from_account":%q,"to_account":"6228480402564890018","to_name":"李四","to_bank":"ABC","amount_fen":501}`, account)
	h.refused("TRANSACTION_LIMIT", "/v1/transfers", pay)
	h.must(path+"/limits", `{}`)

	held := h.order(path+"/holds", `{"kind":"PLEDGE","amount_fen":4000}`)
	if held.status != 201 || h.balance(account) != 6_000 {
		t.Fatalf("held: %d %s", held.status, held.raw)
	}
	h.refused("ACCOUNT_IN_USE", path+"/closing", `{"action":"PREPARE"}`)
	if a := h.order("/v1/holds/"+held.body["hold_id"].(string)+"/releases", `{}`); a.status != 201 {
		t.Errorf("released: %d %s", a.status, a.raw)
	}
	h.refused("ACCOUNT_NOT_CLOSING", path+"/closing", `{"action":"CLOSE"}`)
	if a := h.must(path+"/closing", `{"action":"PREPARE"}`); a["state"] != "PRE_CLOSE" {
		t.Errorf("prepared: %v", a)
	}
	h.refused("ACCOUNT_CLOSING", "/v1/transfers", inbound)
	if a := h.must(path+"/closing", `{"action":"CLOSE","reason":"不再使用"}`); a["state"] != "CLOSED" || a["payout_fen"] != 1e4 {
		t.Errorf("closed: %v", a)
	}
	h.refused("ACCOUNT_CLOSED", "/v1/transfers", inbound)
	h.refused("FIELD_MISSING", path+"/closing", `{}`)
	h.refused("FIELD_INVALID", path+"/closing", `{"action":"BURN"}`)
}

// A payment that a caller has asked to delay goes nowhere before two people have looked at it.
func TestADelayedPaymentFromRequestToDecision(t *testing.T) {
	h := openHouse(t, Limits{})
	payer, payee := h.account(1, 10_000), h.account(2, 0)
	ask := func(fen int) string {
		a := h.must("/v1/transfers", fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":%d,"risk_delay":"NEW_DEVICE_NEW_PAYEE"}`, payer, payee, fen))
		if a["status"] != "DELAYED" {
			t.Fatalf("asked: %v", a)
		}
		return a["transfer_id"].(string)
	}
	first, second := ask(4_000), ask(1_000)
	if h.balance(payer) != 5_000 || h.balance(payee) != 0 {
		t.Errorf("balances while it waits: %d, %d", h.balance(payer), h.balance(payee))
	}
	if a := h.get("/v1/accounts/" + payer); len(a.body["delayed_payments"].([]any)) != 2 || strings.Contains(a.raw, "NEW_DEVICE") {
		t.Errorf("the account: %s", a.raw)
	}
	review := "/v1/transfers/" + first + "/reviews"
	h.refused("CREDENTIAL_REQUIRED", review, `{"decision":"RELEASE","reason":"called back"}`)
	for body, code := range map[string]string{
		`{"reason":"x"}`: "FIELD_MISSING", `{"decision":"RELEASE"}`: "FIELD_MISSING", `{"decision":"BURN","reason":"x"}`: "FIELD_INVALID",
	} {
		if a := h.order(review, body); a.code() != code {
			t.Errorf("%s: %d %s", body, a.status, a.raw)
		}
	}
	if a := h.get("/v1/transfers/" + first); a.body["status"] != "DELAYED" || a.body["kind"] != "internal" {
		t.Errorf("the first: %s", a.raw)
	}
	if a := h.order(review, `{"decision":"RELEASE","reason":"called back"}`); a.status != 201 || a.body["status"] != "SUCCEEDED" || a.body["result"] != "RELEASED" {
		t.Errorf("let go: %d %s", a.status, a.raw)
	}
	if a := h.order(review, `{"decision":"REFUSE","reason":"too late"}`); a.status != 409 || a.code() != "PAYMENT_NOT_DELAYED" {
		t.Errorf("decided twice: %d %s", a.status, a.raw)
	}
	if a := h.must("/v1/transfers/"+second+"/withdrawals", `{"reason":"不付了"}`); a["result"] != "WITHDRAWN" || a["status"] != "FAILED" {
		t.Errorf("withdrawn: %v", a)
	}
	if a := h.get("/v1/transfers/" + second); a.body["status"] != "FAILED" || a.body["reason"] != "不付了" {
		t.Errorf("the second: %s", a.raw)
	}
	if h.balance(payer) != 6_000 || h.balance(payee) != 4_000 {
		t.Errorf("balances in the end: %d, %d", h.balance(payer), h.balance(payee))
	}
	out := h.must("/v1/transfers", fmt.Sprintf(`{"kind":"out","from_account":%q,"to_bound_card":true,"amount_fen":6000,"risk_delay":"r"}`, payer))
	if a := h.order("/v1/transfers/"+out["transfer_id"].(string)+"/reviews", `{"decision":"RELEASE","reason":"known"}`); a.status != 201 || a.body["status"] != "PENDING" {
		t.Errorf("let go to a channel: %d %s", a.status, a.raw)
	}
	h.must("/v1/channel/results", fmt.Sprintf(`{"transfer_id":%q,"result":"SUCCESS"}`, out["transfer_id"]))
	h.refused("INSUFFICIENT_FUNDS", "/v1/transfers", fmt.Sprintf(`{"kind":"out","from_account":%q,"to_bound_card":true,"amount_fen":1,"risk_delay":"r"}`, payer))
	h.refused("FIELD_NOT_ALLOWED", "/v1/transfers", fmt.Sprintf(`{"kind":"in_bound","to_account":%q,"amount_fen":1,"risk_delay":"r"}`, payer))
	h.refused("TRANSFER_UNKNOWN", "/v1/transfers/nonsense/withdrawals", `{}`)
}

// An account whose card is not confirmed waits, and opens when its bank says so or money comes from it.
func TestAnAccountWaitsForItsCard(t *testing.T) {
	h := openHouse(t, Limits{})
	apply := func(n int) (path, account string) {
		a := h.must("/v1/customers/"+h.person(n)+"/accounts", `{"await_card_check":true,`+card+`}`)
		if a["state"] != "PENDING_OPEN" {
			t.Fatalf("applied: %v", a)
		}
		account = a["account_no"].(string)
		return "/v1/accounts/" + account, account
	}
	path, account := apply(1)
	h.refused("ACCOUNT_NOT_OPEN", "/v1/transfers", fmt.Sprintf(`{"kind":"out","from_account":%q,"to_bound_card":true,"amount_fen":1}`, account))
	h.refused("CREDENTIAL_REQUIRED", path+"/card-checks", `{"result":"CONFIRMED"}`)
	if a := h.order(path+"/card-checks", `{"result":"PERHAPS"}`); a.code() != "FIELD_INVALID" {
		t.Errorf("an answer that is none: %d %s", a.status, a.raw)
	}
	if a := h.order(path+"/card-checks", `{}`); a.code() != "FIELD_MISSING" {
		t.Errorf("no answer: %d %s", a.status, a.raw)
	}
	if a := h.order(path+"/card-checks", `{"result":"CONFIRMED","provider_serial":"UP20260001"}`); a.status != 201 || a.body["state"] != "NORMAL" {
		t.Fatalf("confirmed: %d %s", a.status, a.raw)
	}
	if a := h.order(path+"/card-checks", `{"result":"REJECTED"}`); a.status != 409 || a.code() != "ACCOUNT_ALREADY_OPEN" {
		t.Errorf("answered twice: %d %s", a.status, a.raw)
	}
	if a := h.get(path); a.body["state"] != "NORMAL" {
		t.Errorf("the account: %s", a.raw)
	}
	path, account = apply(2)
	pull := h.must("/v1/transfers", fmt.Sprintf(`{"kind":"in_bound","to_account":%q,"amount_fen":100}`, account))
	h.must("/v1/channel/results", fmt.Sprintf(`{"transfer_id":%q,"result":"SUCCESS"}`, pull["transfer_id"]))
	if a := h.get(path); a.body["state"] != "NORMAL" || a.body["posted_fen"] != 100. {
		t.Errorf("opened by its first money: %s", a.raw)
	}
	path, account = apply(3)
	if a := h.order(path+"/card-checks", `{"result":"REJECTED","reason":"not of this person"}`); a.status != 201 || a.body["state"] != "CLOSED" {
		t.Errorf("rejected: %d %s", a.status, a.raw)
	}
	h.refused("ACCOUNT_CLOSED", "/v1/transfers", fmt.Sprintf(`{"kind":"in_bound","to_account":%q,"amount_fen":100}`, account))
}
