package ingress

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestACustomersDay(t *testing.T) {
	h := openHouse(t, Limits{})
	id := h.person(1)
	if a := h.post("/v1/customers", `{"name":"客户1","id_number":"220113198506150017","mobile":"13800000001"}`); a.status != 409 && a.status != 422 {
		t.Errorf("registered twice: %d %s", a.status, a.raw)
	}
	account := h.must("/v1/customers/"+id+"/accounts", `{`+card+`}`)["account_no"].(string)

	// Money in, two-phase: it can't be spent before the channel has answered.
	in := h.must("/v1/transfers", fmt.Sprintf(`{"kind":"in_bound","to_account":%q,"amount_fen":50000000}`, account))
	if in["status"] != "PENDING" || h.balance(account) != 0 {
		t.Errorf("before the channel's answer: %v, %d available", in["status"], h.balance(account))
	}
	settled := h.must("/v1/channel/results", fmt.Sprintf(`{"transfer_id":%q,"result":"SUCCESS","channel_serial":"U1"}`, in["transfer_id"]))
	if settled["status"] != "SUCCEEDED" || h.balance(account) != 50_000_000 {
		t.Errorf("after it: %v, %d available", settled, h.balance(account))
	}
	if a := h.get("/v1/transfers/" + in["transfer_id"].(string)); a.body["status"] != "SUCCEEDED" || a.body["channel_serial"] != "U1" {
		t.Errorf("the transfer: %s", a.raw)
	}
	late := h.post("/v1/channel/results", fmt.Sprintf(`{"transfer_id":%q,"result":"FAILURE"}`, in["transfer_id"]))
	if late.status != 409 || late.code() != "TRANSFER_ALREADY_SETTLED" {
		t.Errorf("another answer: %d %s", late.status, late.raw)
	}

	deposit := h.must("/v1/deposits", fmt.Sprintf(`{"account_no":%q,"product":"SLC1Y","amount_fen":10000000}`, account))
	redeemed := h.must("/v1/deposits/"+deposit["deposit_id"].(string)+"/redemptions", `{"amount_fen":4000000}`)
	if redeemed["kind"] != "EARLY" || redeemed["remaining_fen"] != 6e6 || balanceIn(redeemed) != 44e6 {
		t.Errorf("part redemption: %v", redeemed)
	}
	if a := h.get("/v1/deposits/" + deposit["deposit_id"].(string)); a.body["principal_fen"] != 6e6 || a.body["state"] != "ACTIVE" {
		t.Errorf("deposit: %s", a.raw)
	}

	out := h.must("/v1/transfers", fmt.Sprintf(`{"kind":"out","from_account":%q,"to_bound_card":true,"amount_fen":1000000}`, account))
	if out["status"] != "PENDING" || balanceIn(out) != 43e6 {
		t.Errorf("out: %v", out)
	}
	h.must("/v1/channel/results", fmt.Sprintf(`{"transfer_id":%q,"result":"FAILURE","reason":"card closed"}`, out["transfer_id"]))
	if h.balance(account) != 44_000_000 {
		t.Errorf("after a failed transfer out: %d", h.balance(account))
	}

	overview := h.get("/v1/customers/" + id).body
	if len(overview["accounts"].([]any)) != 1 || len(overview["deposits"].([]any)) != 1 || overview["mobile"] != "138****0001" {
		t.Errorf("overview: %v", overview)
	}
	if strings.Contains(fmt.Sprint(overview), "19850615") {
		t.Errorf("the overview shows a document number: %v", overview)
	}
}

func balanceIn(body map[string]any) float64 {
	balances, _ := body["balances"].([]any)
	if len(balances) == 0 {
		return -1
	}
	fen, _ := balances[0].(map[string]any)["available_fen"].(float64)
	return fen
}

func TestALoanFromApplicationToSettlement(t *testing.T) {
	h := openHouse(t, Limits{})
	account := h.account(2, 1_000_000)
	id := h.get("/v1/accounts/" + account).body["customer_id"].(string)
	applied := h.must("/v1/loans/applications", fmt.Sprintf(
		`{"customer_id":%q,"product":"NJD","amount_fen":5000000,"term_months":12,"purpose":"农机","monthly_income_fen":800000}`, id))
	if applied["result"] != "APPROVED" {
		t.Fatalf("application: %v", applied)
	}
	line := applied["line_id"].(string)
	over := h.post("/v1/loans/"+line+"/drawdowns", fmt.Sprintf(
		`{"account_no":%q,"amount_fen":%d,"method":"EQ_INSTALMENT","periods":12}`, account, int64(applied["limit_fen"].(float64))+1))
	if over.status != 422 || over.code() != "OVER_LINE" {
		t.Errorf("a fen above the line: %d %s", over.status, over.raw)
	}
	loan := h.must("/v1/loans/"+line+"/drawdowns", fmt.Sprintf(
		`{"account_no":%q,"amount_fen":1200000,"method":"EQ_INSTALMENT","periods":12}`, account))
	if balanceIn(loan) != 2_200_000 || len(loan["schedule"].([]any)) != 12 {
		t.Fatalf("drawdown: %v", loan)
	}
	number := loan["loan_id"].(string)
	part := h.must("/v1/loans/"+number+"/repayments", `{"amount_fen":200000}`)
	if part["remaining_principal_fen"] != 1e6 || part["settled"] != false {
		t.Errorf("prepayment: %v", part)
	}
	rest := h.must("/v1/loans/"+number+"/repayments", `{"settle":true}`)
	if rest["settled"] != true || balanceIn(rest) != 2_200_000-200_000-rest["paid_fen"].(float64)-part["interest_fen"].(float64)-part["fee_fen"].(float64) {
		t.Errorf("settlement: %v after %v", rest, part)
	}
	if a := h.get("/v1/loans/" + number); a.body["state"] != "SETTLED" || a.body["remaining_principal_fen"] != 0.0 {
		t.Errorf("the loan: %s", a.raw)
	}
	if a := h.post("/v1/loans/"+number+"/repayments", `{"settle":true}`); a.status != 409 || a.code() != "LOAN_SETTLED" {
		t.Errorf("settled twice: %d %s", a.status, a.raw)
	}
}

func TestAStatementIsPagedAndAddsUp(t *testing.T) {
	h := openHouse(t, Limits{})
	from, to := h.account(3, 1_000_000), h.account(4, 0)
	for i := range 25 {
		h.must("/v1/transfers", fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":%d}`, from, to, 100+i))
	}
	cursor, balance, entries := "", 0.0, 0
	for pages := 0; ; pages++ {
		a := h.get("/v1/accounts/" + from + "/transactions?limit=10" + cursor)
		if a.status != 200 {
			t.Fatal(a.raw)
		}
		for _, e := range a.body["entries"].([]any) {
			entry := e.(map[string]any)
			if entry["direction"] == "CREDIT" {
				balance += entry["amount_fen"].(float64)
			} else {
				balance -= entry["amount_fen"].(float64)
			}
			if entry["balance_after_fen"] != balance {
				t.Fatalf("entry %d says %v, the sum is %v", entries, entry["balance_after_fen"], balance)
			}
			entries++
		}
		next, more := a.body["next_cursor"].(string)
		if !more {
			break
		}
		cursor = "&cursor=" + next
		if pages > 5 {
			t.Fatal("the pages do not end")
		}
	}
	if entries != 26 || int64(balance) != h.balance(from) {
		t.Errorf("%d entries, %v; the account has %d", entries, balance, h.balance(from))
	}
}

func TestTheSameKeyAnswersTheFirstResultAgain(t *testing.T) {
	h := openHouse(t, Limits{})
	from, to := h.account(5, 1000), h.account(6, 0)
	body := fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":300}`, from, to)
	send := func(key, body string) answer {
		req := h.request(http.MethodPost, "/v1/transfers", body)
		req.Header.Set("Idempotency-Key", key)
		return h.send(req)
	}
	first, again := send("same", body), send("same", body)
	if first.raw != again.raw || first.status != again.status || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("first %d %s, again %d %s (%v)", first.status, first.raw, again.status, again.raw, again.header)
	}
	spaced := send("same", strings.ReplaceAll(body, ",", " , "))
	if spaced.raw != first.raw {
		t.Errorf("the same request written otherwise: %s", spaced.raw)
	}
	if a := send("same", strings.Replace(body, "300", "301", 1)); a.status != 409 || a.code() != "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("another amount under the key: %d %s", a.status, a.raw)
	}
	if h.balance(to) != 300 {
		t.Errorf("payee has %d", h.balance(to))
	}
	refused := send("poor", strings.Replace(body, "300", "100000", 1))
	repeated := send("poor", strings.Replace(body, "300", "100000", 1))
	if refused.status != 422 || refused.raw != repeated.raw || repeated.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("refused %s, repeated %s", refused.raw, repeated.raw)
	}

	// A registration, too: sealing the same name twice gives different bytes.
	person := `{"name":"钱七","id_type":"OTHER","id_number":"P1234567","mobile":"13900000000"}`
	register := func() answer {
		req := h.request(http.MethodPost, "/v1/customers", person)
		req.Header.Set("Idempotency-Key", "register")
		return h.send(req)
	}
	if a, b := register(), register(); a.status != 201 || a.raw != b.raw {
		t.Errorf("registered %s, repeated %d %s", a.raw, b.status, b.raw)
	}
}

func TestABatchHoldsAnyOperationEachWithItsOwnResult(t *testing.T) {
	h := openHouse(t, Limits{})
	from, to := h.account(7, 100_000), h.account(8, 0)
	pay := func(fen int) string {
		return fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":%d}`, from, to, fen)
	}
	operations := []string{
		`{"idempotency_key":"b1","path":"/v1/transfers","body":` + pay(60_000) + `}`,
		`{"idempotency_key":"b2","path":"/v1/transfers","body":` + pay(60_000) + `}`,
		`{"idempotency_key":"b1","path":"/v1/transfers","body":` + pay(60_000) + `}`,
		`{"idempotency_key":"b3","path":"/v1/nothing","body":{}}`,
		`{"idempotency_key":"","path":"/v1/transfers","body":{}}`,
		`{"idempotency_key":"b4","path":"/v1/transfers","body":{"kind":"internal","color":"red"}}`,
		`{"idempotency_key":"b5","path":"/v1/customers","body":{"name":"孙八","id_type":"OTHER","id_number":"X1","mobile":"13911112222"}}`,
		fmt.Sprintf(`{"idempotency_key":"b6","path":"/v1/deposits","body":{"account_no":%q,"product":"JFC3M","amount_fen":5000}}`, from),
	}
	a := h.post("/v1/batches", `{"operations":[`+strings.Join(operations, ",")+`]}`)
	if a.status != 200 {
		t.Fatal(a.raw)
	}
	var got []string
	for _, r := range a.body["results"].([]any) {
		result := r.(map[string]any)
		code, _ := result["body"].(map[string]any)["code"].(string)
		got = append(got, fmt.Sprintf("%v %v %v %s", result["idempotency_key"], result["status"], result["replayed"] == true, code))
	}
	want := []string{
		"b1 201 false ", "b2 422 false INSUFFICIENT_FUNDS", "b1 201 true ", "b3 404 false PATH_UNKNOWN",
		" 400 false IDEMPOTENCY_KEY_MISSING", "b4 400 false FIELD_UNKNOWN", "b5 201 false ", "b6 201 false ",
	}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Errorf("result %d: want %q\ngot %q", i, want[i], got)
			break
		}
	}
	if h.balance(to) != 60_000 || h.balance(from) != 35_000 {
		t.Errorf("balances: %d, %d", h.balance(from), h.balance(to))
	}
}
