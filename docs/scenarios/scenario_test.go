// Package scenarios runs the journeys of this folder against a running bank. Each file is a story of a few
// customers: what is done, and what the bank answers with its entries, events and balances. README.md says how
// to read and to change them.
package scenarios

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// build builds the bank's program.
func build(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "suanpan")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/suanpan").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

func TestScenariosEndAsTheyAreWritten(t *testing.T) {
	files, err := filepath.Glob("*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	program := build(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".txt"), func(t *testing.T) {
			s := &story{t: t, program: program, accounts: map[string]*account{}, deposits: map[string]string{}, transfers: map[string]string{}}
			defer s.close()
			datadriven.RunTest(t, file, func(_ *testing.T, d *datadriven.TestData) string { return s.step(d) })
		})
	}
}

// bank is a running bank with a clock of its own, and the tokens of its operators.
type bank struct {
	base      string
	cmd       *exec.Cmd
	exited    chan error
	client    http.Client
	operators map[string]string
}

// openingTime is the longest a bank takes to open on a slow machine.
const openingTime = time.Minute

func open(t *testing.T, program string, begin time.Time, catalogue string) *bank {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(program, "serve", "--data", dir, "--http", "127.0.0.1:0", "--stream", "off", "--channel-delay", "-1s",
		"--clock", begin.Format(time.RFC3339), "--catalogue", catalogue)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log := new(bytes.Buffer)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := &bank{cmd: cmd, exited: make(chan error, 1), client: http.Client{Timeout: openingTime}, operators: map[string]string{}}
	opened := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == "API" {
				opened <- fields[1]
			}
		}
		b.exited <- cmd.Wait()
	}()
	select {
	case b.base = <-opened:
	case err := <-b.exited:
		t.Fatalf("the bank did not open: %v\n%s", err, log)
	case <-time.After(openingTime):
		_ = cmd.Process.Kill()
		t.Fatalf("the bank is not open after %s\n%s", openingTime, log)
	}
	text, err := os.ReadFile(filepath.Join(dir, "operators.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Operators []struct{ Name, Token string }
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, o := range file.Operators {
		b.operators[o.Name] = o.Token
	}
	return b
}

func (b *bank) close() error {
	_ = b.cmd.Process.Signal(syscall.SIGINT)
	return <-b.exited
}

// call sends a request and returns the answer's document.
func (b *bank) call(method, path, key, body, operator, approver string) (status int, document json.RawMessage, err error) {
	req, err := http.NewRequest(method, b.base+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept-Language", "zh-CN")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	if operator != "" {
		req.Header.Set("Authorization", "Bearer "+b.operators[operator])
	}
	if approver != "" {
		req.Header.Set("Suanpan-Approver", "Bearer "+b.operators[approver])
	}
	return b.answer(req)
}

// read sends a request of an operator and returns the answer in the form asked for.
func (b *bank) read(method, path, body, accept, operator string) (status int, text []byte, err error) {
	req, err := http.NewRequest(method, b.base+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("Authorization", "Bearer "+b.operators[operator])
	return b.answer(req)
}

func (b *bank) answer(req *http.Request) (status int, body []byte, err error) {
	r, err := b.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	body, err = io.ReadAll(r.Body)
	return r.StatusCode, body, err
}
