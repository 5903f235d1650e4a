package ingress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/channels"
	"github.com/suanpan-bank/suanpan/cluster"
)

// reconciling lets the API have files read, as the server does.
type reconciling struct {
	*cluster.Cluster
	books channels.Books
	dir   string
}

func (r reconciling) reconciler() *channels.Reconciler {
	return &channels.Reconciler{Bank: r.Cluster, Books: r.books, Dir: r.dir}
}

func (r reconciling) Reconcile(ctx context.Context, channel bank.Channel, file io.Reader, by bank.By) (Report, error) {
	return r.read(ctx, channel, 0, file, by)
}

func (r reconciling) read(ctx context.Context, channel bank.Channel, day bank.Date, file io.Reader, by bank.By) (Report, error) {
	report, err := r.reconciler().Run(ctx, channel, day, file, by)
	if errors.Is(err, channels.ErrFile) || errors.Is(err, channels.ErrChannel) {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return report, err
}

func (r reconciling) ReconcileDay(ctx context.Context, channel bank.Channel, day bank.Date, by bank.By) (Report, error) {
	file, err := r.File(ctx, channel, day)
	if err != nil {
		return nil, err
	}
	report, err := r.read(ctx, channel, day, file, by)
	return report, errors.Join(err, file.Close())
}

func (r reconciling) File(_ context.Context, channel bank.Channel, day bank.Date) (io.ReadCloser, error) {
	file, err := channels.Inbox{Dir: filepath.Join(r.dir, "inbox")}.File(channel, day)
	if errors.Is(err, channels.ErrNoFile) {
		return nil, bank.ErrNotFound
	}
	return file, err
}

func (r reconciling) Differences(_ context.Context, channel bank.Channel, day bank.Date) (io.ReadCloser, error) {
	file, err := os.Open(r.reconciler().Differences(channel, day))
	if errors.Is(err, os.ErrNotExist) {
		return nil, bank.ErrNotFound
	}
	return file, err
}

// approved posts as an operator, with another's approval if need be.
func (h *house) approved(maker, checker, path, body string) answer {
	h.Helper()
	req := h.request(http.MethodPost, path, body)
	req.Header.Set("Authorization", "Bearer "+maker)
	if checker != "" {
		req.Header.Set("Suanpan-Approver", "Bearer "+checker)
	}
	return h.send(req)
}

func (h *house) readAs(as, path string) answer {
	h.Helper()
	req := h.request(http.MethodGet, path, "")
	req.Header.Set("Authorization", "Bearer "+as)
	return h.send(req)
}

// The money of a reversed transfer that its payee has spent becomes an advance he owes: his balance is never
// negative, and what comes in later pays it back first.
func TestAReversalTakesWhatIsThereAndClaimsTheRest(t *testing.T) {
	h := openHouse(t, Limits{})
	payer, payee, shop := h.account(1, 100_000), h.account(2, 0), h.account(3, 0)
	paid := h.must("/v1/transfers", fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":60000}`, payer, payee))
	h.must("/v1/transfers", fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":45000}`, payee, shop))
	path := "/v1/transfers/" + paid["transfer_id"].(string) + "/reversals"
	if a := h.post(path, `{"reason":"entered twice"}`); a.status != 401 {
		t.Errorf("without an operator: %d %s", a.status, a.raw)
	}
	if a := h.approved("teller", "", path, `{"reason":"entered twice"}`); a.status != 403 {
		t.Errorf("without approval: %d %s", a.status, a.raw)
	}
	a := h.approved("teller", "checker", path, `{"reason":"entered twice"}`)
	if a.status != 201 || a.body["reversal"] != "SAME_DAY" || a.body["amount_fen"] != 60000.0 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	if h.balance(payer) != 100_000 || h.balance(payee) != 0 {
		t.Errorf("payer %d, payee %d", h.balance(payer), h.balance(payee))
	}
	if a := h.get("/v1/transfers/" + paid["transfer_id"].(string)); a.body["status"] != "REVERSED" {
		t.Errorf("the transfer: %s", a.raw)
	}
	if a := h.approved("teller", "checker", path, `{"reason":"again"}`); a.status != 409 || a.code() != "ALREADY_REVERSED" {
		t.Errorf("twice: %d %s", a.status, a.raw)
	}
	collect := "/v1/accounts/" + payee + "/advance-collections"
	if a := h.approved("teller", "", collect, `{}`); a.status != 201 || a.body["amount_fen"] != 0.0 {
		t.Errorf("from nothing: %d %s", a.status, a.raw)
	}
	h.must("/v1/transfers", fmt.Sprintf(`{"kind":"internal","from_account":%q,"to_account":%q,"amount_fen":10000}`, payer, payee))
	if h.balance(payee) != 0 {
		t.Errorf("%d are left while 35,000 are owed", h.balance(payee))
	}
	h.must("/v1/transfers", fmt.Sprintf(`{"kind":"inbound","to_account":%q,"amount_fen":40000}`, payee))
	if h.balance(payee) != 5_000 {
		t.Errorf("%d, of 50,000 that came in and 45,000 that were owed", h.balance(payee))
	}
	if a := h.approved("teller", "", collect, `{}`); a.status != 409 || a.code() != "NOTHING_OWED" {
		t.Errorf("after all is paid: %d %s", a.status, a.raw)
	}
	if a := h.get("/v1/accounts/" + payee + "/transactions"); !strings.Contains(a.raw, "抹账: 行内转账") || !strings.Contains(a.raw, "垫款收回") {
		t.Errorf("the statement does not say what happened: %s", a.raw)
	}
}

func TestWhatAChannelHasSettledIsCreditedOrHeld(t *testing.T) {
	h := openHouse(t, Limits{})
	no := h.account(1, 0)
	send := func(serial, account, name string) answer {
		t.Helper()
		return h.post("/v1/channel/receipts", fmt.Sprintf(
			`{"channel":"IBPS","channel_serial":%q,"to_account":%q,"to_name":%q,"from_bank":"ICBC","amount_fen":7000}`, serial, account, name))
	}
	for range 2 { // the channel may say so twice
		if a := send("R1", no, "客户1"); a.status != 201 || a.body["result"] != "CREDITED" {
			t.Fatalf("%d %s", a.status, a.raw)
		}
	}
	var held string
	for range 2 {
		a := send("R2", no, "张三")
		if a.status != 201 || a.body["result"] != "HELD" || a.body["code"] != "NAME_MISMATCH" {
			t.Fatalf("another's name: %d %s", a.status, a.raw)
		}
		held = a.body["transfer_id"].(string)
	}
	if a := send("R3", "6222000000000000001", "张三"); a.body["result"] != "HELD" || a.body["code"] != "ACCOUNT_UNKNOWN" {
		t.Errorf("nobody's account: %d %s", a.status, a.raw)
	}
	if h.balance(no) != 7_000 {
		t.Errorf("balance %d", h.balance(no))
	}
	if a := h.readAs("finance", "/v1/channel/suspense"); a.status != 200 || len(a.body["suspense"].([]any)) != 2 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	ends := "/v1/channel/suspense/" + held + "/ends"
	if a := h.approved("finance", "checker", ends, fmt.Sprintf(`{"way":"ACCOUNT","account_no":%q,"amount_fen":6999}`, no)); a.status != 422 {
		t.Errorf("another amount: %d %s", a.status, a.raw)
	}
	if a := h.approved("finance", "checker", ends, fmt.Sprintf(`{"way":"ACCOUNT","account_no":%q,"amount_fen":7000}`, no)); a.status != 201 || h.balance(no) != 14_000 {
		t.Errorf("applied: %d %s, balance %d", a.status, a.raw, h.balance(no))
	}
	if a := h.approved("finance", "checker", ends, `{"way":"CHANNEL","amount_fen":7000}`); a.status != 404 || a.code() != "SUSPENSE_UNKNOWN" {
		t.Errorf("twice: %d %s", a.status, a.raw)
	}
}

func TestAChannelsFileIsReconciledOverTheAPI(t *testing.T) {
	h := openHouse(t, Limits{})
	no := h.account(1, 50_000)
	txn := h.must("/v1/transfers", fmt.Sprintf(
		`{"kind":"out","from_account":%q,"to_account":"6222000000000000001","to_name":"张三","to_bank":"ICBC","amount_fen":9000}`, no))["transfer_id"].(string)
	if a := h.readAs("auditor", "/v1/channel/transfers"); a.status != 200 || !strings.Contains(a.raw, txn) {
		t.Errorf("in flight: %d %s", a.status, a.raw)
	}
	id, err := bank.ParseTxnID(txn)
	if err != nil {
		t.Fatal(err)
	}
	row := channels.AppendRow(nil, &bank.FileRow{Serial: "S1", Transfer: id, Direction: bank.Out, AmountFen: 9_000, Success: true, Day: 20261124})
	file, err := channels.WholeFile(bank.ChannelIBPS, 20261124, row)
	if err != nil {
		t.Fatal(err)
	}
	if a := h.approved("teller", "", "/v1/channel/files/IBPS", string(file)); a.status != 403 {
		t.Errorf("by a teller: %d %s", a.status, a.raw)
	}
	for path, text := range map[string]string{"/v1/channel/files/UNIONPAY": string(file), "/v1/channel/files/IBPS": string(file[:len(file)-9])} {
		if a := h.approved("finance", "", path, text); a.status != 422 || a.code() != "FILE_INVALID" {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	}
	a := h.approved("finance", "", "/v1/channel/files/IBPS", string(file))
	if a.status != 200 || !strings.Contains(a.raw, `"K02_SUCCESS_OURS_PENDING"`) || !strings.Contains(a.raw, `"RESOLVED"`) {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if s := h.get("/v1/transfers/" + txn); s.body["status"] != "SUCCEEDED" || h.balance(no) != 41_000 {
		t.Errorf("the transfer: %s, balance %d", s.raw, h.balance(no))
	}
	if a := h.readAs("finance", "/v1/channel/files/IBPS/2026-11-24"); a.status != 404 || a.code() != "FILE_UNKNOWN" {
		t.Errorf("the channel's own file: %d %s", a.status, a.raw)
	}
	if a := h.readAs("auditor", "/v1/channel/files/IBPS/2026-11-24/differences"); a.status != 200 || !strings.Contains(a.raw, "K02_SUCCESS_OURS_PENDING,2,S1,"+txn+",OUT,9000,9000,channel_result,RESOLVED,\n") {
		t.Errorf("all differences: %d %s", a.status, a.raw)
	}
	inbox := filepath.Join(h.files, "inbox")
	if err := errors.Join(os.Mkdir(inbox, 0o700), os.WriteFile(filepath.Join(inbox, "IBPS-2026-11-24.csv"), file, 0o600)); err != nil {
		t.Fatal(err)
	}
	if a := h.readAs("finance", "/v1/channel/files/IBPS/2026-11-24"); a.status != 200 || a.raw != string(file) {
		t.Errorf("the file in the inbox: %d %s", a.status, a.raw)
	}
	if a := h.approved("finance", "", "/v1/channel/files/IBPS/2026-11-24", ""); a.status != 200 || a.body["matched"] != 1.0 || strings.Contains(a.raw, "K02") {
		t.Errorf("read from the inbox: %d %s", a.status, a.raw)
	}
	for _, path := range []string{"/v1/channel/files/IBPS/2026-11-23/differences", "/v1/channel/files/UNIONPAY/2026-11-24/differences"} {
		if a := h.readAs("auditor", path); a.status != 404 || a.code() != "FILE_UNKNOWN" {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	}
	if a := h.approved("finance", "", "/v1/channel/files/IBPS/2026-11-22", ""); a.status != 404 || a.code() != "FILE_UNKNOWN" {
		t.Errorf("a file that is not there: %d %s", a.status, a.raw)
	}
	req := h.request(http.MethodPost, "/v1/channel/files/IBPS", string(file))
	req.Header.Set("Authorization", "Bearer finance")
	req.Header.Set("Accept", "text/plain")
	if a := h.send(req); a.status != 200 || !strings.Contains(a.raw, "相符 matched 1") {
		t.Errorf("as text: %d %s", a.status, a.raw)
	}
}

func TestMoneyThatCameBackIsGivenBackByAnOperator(t *testing.T) {
	h := openHouse(t, Limits{})
	no := h.account(1, 50_000)
	txn := h.must("/v1/transfers", fmt.Sprintf(
		`{"kind":"payment","from_account":%q,"to_account":"6222000000000000001","to_name":"店铺","to_bank":"ICBC","amount_fen":9000}`, no))["transfer_id"].(string)
	path := "/v1/transfers/" + txn
	if a := h.approved("teller", "", path+"/returns", `{"amount_fen":9000}`); a.status != 409 || a.code() != "TRANSFER_NOT_SETTLED" {
		t.Errorf("before the answer: %d %s", a.status, a.raw)
	}
	h.must("/v1/channel/results", fmt.Sprintf(`{"transfer_id":%q,"result":"SUCCESS"}`, txn))
	if a := h.approved("teller", "", path+"/returns", `{"amount_fen":9000,"reason":"closed"}`); a.status != 201 || h.balance(no) != 50_000 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if a := h.get(path); a.body["status"] != "RETURNED" || a.body["returned_fen"] != 9000.0 {
		t.Errorf("%s", a.raw)
	}
	for sub, want := range map[string]string{
		"/fee-refunds": "NOT_REVERSIBLE", "/reversals": "NOT_REVERSIBLE", "/shortage-repayments": "NOTHING_OWED",
	} {
		body := map[string]string{"/fee-refunds": `{"amount_fen":1,"reason":"r"}`, "/reversals": `{"reason":"r"}`, "/shortage-repayments": `{}`}[sub]
		if a := h.approved("teller", "checker", path+sub, body); a.status != 409 || a.code() != want {
			t.Errorf("%s: %d %s", sub, a.status, a.raw)
		}
	}
}
