package ingress

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/cluster"
	"github.com/suanpan-bank/suanpan/identity"
	journal "github.com/suanpan-bank/suanpan/journal/embedded"
	ledger "github.com/suanpan-bank/suanpan/ledger/embedded"
)

// house is a whole bank behind the API, on a port of its own: actors, ledger and journal are the real ones.
type house struct {
	*testing.T
	server *Server
	base   string
	addr   string
	client *http.Client
	keys   int
	now    time.Time
	files  string // directory of channels' files
}

// openHouse opens a bank whose clock stands still on a Tuesday morning.
func openHouse(t *testing.T, limits Limits) *house {
	t.Helper()
	h := &house{T: t, files: t.TempDir(), now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.FixedZone("", 8*3600))}
	clock := func() time.Time { return h.now }
	dir := t.TempDir()
	vault, err := identity.Create(filepath.Join(dir, "vault.key"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	engine := ledger.New(ledger.Options{})
	logger := slog.New(slog.DiscardHandler)
	node := actors.NewNode(actors.Options{
		Engine: engine, Books: engine, Clock: clock, Catalogue: bank.DefaultCatalogue(), Unseal: vault.Open, Logger: logger, Sequence: 3,
	})
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{OnDurable: node.Durable, OnFault: node.Fault, SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Recover(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	bankOf := cluster.New(node, cluster.Single{Node: node})
	h.server = New(Options{
		Channels: reconciling{bankOf, engine, h.files},
		Bank:     bankOf, Vault: vault, Clock: clock, Logger: logger, Limits: limits, Catalogue: bank.DefaultCatalogue(),
		Operators: staff{"teller": {bank.Teller}, "checker": {bank.Checker}, "finance": {bank.Finance}, "auditor": {bank.Auditor}},
		Pages:     map[string]Page{"/v1/reports/panic": func(context.Context) (any, error) { panic("a page that fails") }},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(l) }()
	h.addr, h.base = l.Addr().String(), "http://"+l.Addr().String()
	h.client = &http.Client{Timeout: time.Minute} // a machine with other work is slow, not wrong
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		h.client.CloseIdleConnections()
		_ = h.server.Shutdown(ctx)
		<-served
		if err := node.Close(ctx); err != nil {
			t.Error(err)
		}
		_ = j.Close()
	})
	return h
}

// ordered puts what the test changes in the server behind the answers it has and before the requests it sends, as
// the race detector sees it: it does not know what order a loop's sockets make.
func (h *house) ordered() { h.server.handling.Add(0) }

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (a answer) code() string { s, _ := a.body["code"].(string); return s }

func (h *house) send(req *http.Request) answer {
	h.Helper()
	r, err := h.client.Do(req)
	if err != nil {
		h.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		h.Fatal(err)
	}
	a := answer{status: r.StatusCode, header: r.Header, raw: string(b)}
	_ = json.Unmarshal(b, &a.body) // what is no JSON is in raw
	return a
}

func (h *house) request(method, path, body string) *http.Request {
	h.Helper()
	req, err := http.NewRequest(method, h.base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		h.Fatal(err)
	}
	h.keys++
	req.Header.Set("Idempotency-Key", fmt.Sprintf("k-%d", h.keys))
	return req
}

func (h *house) post(path, body string) answer {
	h.Helper()
	return h.send(h.request(http.MethodPost, path, body))
}

func (h *house) get(path string) answer {
	h.Helper()
	return h.send(h.request(http.MethodGet, path, ""))
}

// must posts what has to succeed.
func (h *house) must(path, body string) map[string]any {
	h.Helper()
	a := h.post(path, body)
	if a.status != 201 && a.status != 200 {
		h.Fatalf("POST %s %s: %d %s", path, body, a.status, a.raw)
	}
	return a.body
}

const card = `"bound_card":{"card_no":"6228480402564890018","bank":"ABC","kind":"CLASS_1"}`

// person registers the n-th person of a made-up population.
func (h *house) person(n int) string {
	h.Helper()
	number := fmt.Sprintf("22011319850615%03d", n)
	sum := 0
	for i, w := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(number[i]-'0') * w
	}
	number += string("10X98765432"[sum%11])
	c := h.must("/v1/customers", fmt.Sprintf(`{"name":"客户%d","id_number":%q,"mobile":"138%08d"}`, n, number, n))
	return c["customer_id"].(string)
}

// account opens a class I account with money in it.
func (h *house) account(n int, fen int64) string {
	h.Helper()
	a := h.must("/v1/customers/"+h.person(n)+"/accounts", `{"class":"I","face_to_face":true,`+card+`}`)
	no := a["account_no"].(string)
	if fen > 0 {
		h.must("/v1/transfers", fmt.Sprintf(`{"kind":"inbound","to_account":%q,"amount_fen":%d}`, no, fen))
	}
	return no
}

func (h *house) balance(no string) int64 {
	h.Helper()
	a := h.get("/v1/accounts/" + no)
	fen, ok := a.body["available_fen"].(float64)
	if !ok {
		h.Fatalf("balance of %s: %d %s", no, a.status, a.raw)
	}
	return int64(fen)
}
