package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the program, built once for all tests that run it as a process.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "suanpan")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "suanpan")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// process is a bank running in a process of its own, which tests may kill.
type process struct {
	t           testing.TB
	dir         string
	http, kafka string
	args        []string
	cmd         *exec.Cmd
	out         *bytes.Buffer
	exited      chan error
	client      *http.Client
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startProcess runs `suanpan serve` on free ports and waits until it is ready.
func startProcess(t testing.TB, args ...string) *process {
	t.Helper()
	p := &process{
		t: t, dir: t.TempDir(), http: freeAddress(t), kafka: freeAddress(t), args: args,
		client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	p.start()
	t.Cleanup(func() {
		if p.cmd != nil {
			p.kill()
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	path, err := program()
	if err != nil {
		p.t.Fatal(err)
	}
	args := append([]string{"serve", "--data", p.dir, "--http", p.http, "--kafka", p.kafka}, p.args...)
	p.cmd, p.out, p.exited = exec.Command(path, args...), new(bytes.Buffer), make(chan error, 1)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, exited chan error) { exited <- cmd.Wait() }(p.cmd, p.exited)
	deadline := time.Now().Add(30 * time.Second)
	for {
		select {
		case err := <-p.exited:
			p.t.Fatalf("the bank did not start: %v\n%s", err, p.out)
		default:
		}
		if r, err := p.client.Get(p.url("/readyz")); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			p.kill()
			p.t.Fatalf("not ready after 30 s\n%s", p.out)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// kill is kill -9: nothing of the process gets to run again.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
	p.cmd = nil
	p.client.CloseIdleConnections()
}

// stop is Ctrl-C.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	err := <-p.exited
	p.cmd = nil
	p.client.CloseIdleConnections()
	return err
}

func (p *process) url(path string) string { return "http://" + p.http + path }

// post sends a command; an error means that nobody knows whether it was carried out.
func (p *process) post(path, key, body string) (int, map[string]any, error) {
	req, err := http.NewRequest(http.MethodPost, p.url(path), bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Idempotency-Key", key)
	req.Header.Set("Content-Type", "application/json")
	return p.answer(p.client.Do(req))
}

func (p *process) get(path string) (int, map[string]any, error) {
	return p.answer(p.client.Get(p.url(path)))
}

func (p *process) answer(r *http.Response, err error) (int, map[string]any, error) {
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, nil, err
	}
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		return r.StatusCode, nil, fmt.Errorf("%d %q: %w", r.StatusCode, b, err)
	}
	return r.StatusCode, v, nil
}

// metric is a measurement of the running bank.
func (p *process) metric(name string) float64 {
	p.t.Helper()
	r, err := p.client.Get(p.url("/metrics"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return v
		}
	}
	p.t.Fatalf("no metric %s", name)
	return 0
}

// must is post for commands that have to succeed.
func (p *process) must(path, key, body string) map[string]any {
	p.t.Helper()
	status, v, err := p.post(path, key, body)
	if err != nil || status != http.StatusCreated {
		p.t.Fatalf("POST %s: %d %v %v", path, status, v, err)
	}
	return v
}

// run runs another command of the program and returns what it printed.
func (p *process) run(args ...string) (string, error) {
	path, err := program()
	if err != nil {
		return "", err
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	return string(out), err
}

// verify compares the books.
func (p *process) verify(where ...string) {
	p.t.Helper()
	if out, err := p.run(append([]string{"verify"}, where...)...); err != nil {
		p.t.Fatalf("the books do not agree: %v\n%s", err, out)
	}
}

// identityNumber makes the n-th valid resident identity number of a made-up population.
func identityNumber(n int) string {
	birth := time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n/999)
	s := fmt.Sprintf("220113%s%03d", birth.Format("20060102"), n%999+1)
	sum := 0
	for i, w := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(s[i]-'0') * w
	}
	return s + string("10X98765432"[sum%11])
}

// customer registers a person with a class I account that holds fen.
func (p *process) customer(n int, fen int64) (account string) {
	p.t.Helper()
	c := p.must("/v1/customers", fmt.Sprintf("c-%d", n),
		fmt.Sprintf(`{"name":"客户%d","id_number":%q,"mobile":"138%08d"}`, n, identityNumber(n), n))
	a := p.must(fmt.Sprintf("/v1/customers/%s/accounts", c["customer_id"]), fmt.Sprintf("a-%d", n),
		`{"class":"I","face_to_face":true,"bound_card":{"card_no":"6228480402564890018","bank":"ABC","kind":"CLASS_1"}}`)
	account = a["account_no"].(string)
	if fen > 0 {
		p.must("/v1/transfers", fmt.Sprintf("f-%d", n),
			fmt.Sprintf(`{"kind":"inbound","to_account":%q,"amount_fen":%d,"from_account":"6222020000000000","from_name":"某","from_bank":"ICBC"}`, account, fen))
	}
	return account
}
