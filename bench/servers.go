package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

// server is a process under measurement.
type server struct {
	name     string
	address  string
	profiles string // address of pprof
	cmd      *exec.Cmd
	output   *tail
	exited   chan struct{} // closed when the process has been waited for
}

// childRole names, in the environment, what a process that runs this same program is to be.
const childRole = "SUANPAN_BENCH_CHILD"

const (
	roleEcho = "echo"
	roleLoad = "load"
)

// runChild does the work of a child process; false when this process is not one.
func runChild() (bool, error) {
	switch role := os.Getenv(childRole); role {
	case "":
		return false, nil
	case roleEcho:
		return true, serveEcho(os.Stdout)
	case roleLoad:
		return true, generateLoad(os.Stdin, os.Stdout)
	default:
		return true, fmt.Errorf("%s=%s is not a role", childRole, role)
	}
}

// killedMax is how long we wait for the output of a killed child to end.
const killedMax = 5 * time.Second

// command prepares a child that ends with ctx, or with us however we end, and that a Ctrl-C at the
// terminal reaches only through us.
func command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = killedMax
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// ourselves is this program in another role.
func ourselves(ctx context.Context, role string) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := command(ctx, path)
	cmd.Env = append(os.Environ(), childRole+"="+role)
	return cmd, nil
}

// echoAnswer has the shape and size of the bank's answer to an internal transfer.
const echoAnswer = `{"transfer_id":"01KB4S7Z3V0G0000001M000001","kind":"internal","status":"POSTED","amount_fen":1234,"fee_fen":0,` +
	`"balances":[{"account_no":"9990221000000000107","posted_fen":1000000,"pending_in_fen":0,"pending_out_fen":0,"available_fen":1000000}],` +
	`"accounting_date":"2025-11-24"}`

// echoCountPath tells how many requests the echo has answered.
const echoCountPath = "/count"

// serveEcho is the main function of the baseline: fasthttp at its fastest with a handler that does
// nothing. It prints the address it listens on.
func serveEcho(out io.Writer) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, l.Addr()); err != nil {
		return err
	}
	var answered atomic.Uint64
	handler := func(ctx *fasthttp.RequestCtx) {
		if string(ctx.Path()) == echoCountPath {
			fmt.Fprint(ctx, answered.Load())
			return
		}
		answered.Add(1)
		ctx.Response.Header.SetContentType("application/json")
		ctx.SetStatusCode(http.StatusCreated)
		ctx.SetBodyString(echoAnswer)
	}
	s := &fasthttp.Server{Handler: handler, NoDefaultServerHeader: true, NoDefaultDate: true}
	return s.Serve(l)
}

// startTimeout is how long a server may take until it answers.
const startTimeout = 30 * time.Second

// startEcho starts the baseline.
func startEcho(ctx context.Context) (*server, error) {
	cmd, err := ourselves(ctx, roleEcho)
	if err != nil {
		return nil, err
	}
	s := &server{name: "echo", cmd: cmd}
	if err := s.start(); err != nil {
		return nil, err
	}
	address := func() bool {
		line, ok := s.output.firstLine()
		s.address = line
		return ok
	}
	if err := s.await(ctx, startTimeout, address); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// startBank starts the bank with its data in dir.
func startBank(ctx context.Context, name, binary, dir string, flags ...string) (*server, error) {
	address, err1 := freeAddress()
	kafka, err2 := freeAddress()
	profiles, err3 := freeAddress()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	args := append([]string{"serve", "--data", dir, "--http", address, "--kafka", kafka, "--pprof", profiles}, flags...)
	s := &server{name: name, address: address, profiles: profiles, cmd: command(ctx, binary, args...)}
	if err := s.start(); err != nil {
		return nil, err
	}
	ready := func() bool {
		status, _, err := get("http://" + address + "/readyz")
		return err == nil && status == http.StatusOK
	}
	if err := s.await(ctx, startTimeout, ready); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// get reads a small page.
func get(url string) (status int, body string, err error) {
	client := http.Client{Timeout: time.Second}
	r, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(io.LimitReader(r.Body, headerBytesMax))
	return r.StatusCode, string(b), err
}

func (s *server) start() error {
	s.output, s.exited = new(tail), make(chan struct{})
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start the %s: %w", s.name, err)
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is told by alive, with its last words
		close(s.exited)
	}()
	return nil
}

// await polls until the server is ready, no longer than longest.
func (s *server) await(ctx context.Context, longest time.Duration, ready func() bool) error {
	timeout := time.NewTimer(longest)
	defer timeout.Stop()
	for !ready() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.exited:
			return s.alive()
		case <-timeout.C:
			return fmt.Errorf("the %s is not ready after %v; it said: %s", s.name, longest, s.output)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// alive returns an error with the server's last words when it has ended.
func (s *server) alive() error {
	select {
	case <-s.exited:
		return fmt.Errorf("the %s ended (%v); it said: %s", s.name, s.cmd.ProcessState, s.output)
	default:
		return nil
	}
}

// stop kills the server and waits for it. Its data are thrown away, so there is nothing to save.
func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// answered asks the echo how many requests it has answered.
func (s *server) answered() (uint64, error) {
	_, body, err := get("http://" + s.address + echoCountPath)
	if err != nil {
		return 0, fmt.Errorf("ask the echo for its count: %w", err)
	}
	return strconv.ParseUint(body, 10, 64)
}

// generate runs a load from a process of its own and returns what it saw and the CPU it took in all.
func generate(ctx context.Context, l load) (outcome, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, l.WarmUp+l.Window+2*drainMax)
	defer cancel()
	cmd, err := ourselves(ctx, roleLoad)
	if err != nil {
		return outcome{}, 0, err
	}
	// A timer signal would cut the waits of its only thread short.
	cmd.Env = append(cmd.Env, "GODEBUG=asyncpreemptoff=1")
	in, err := json.Marshal(l)
	if err != nil {
		return outcome{}, 0, fmt.Errorf("hand the load over: %w", err)
	}
	var out, words bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &words
	if err := cmd.Run(); err != nil {
		return outcome{}, 0, fmt.Errorf("the load generator: %w: %s", err, bytes.TrimSpace(words.Bytes()))
	}
	var o outcome
	if err := json.Unmarshal(out.Bytes(), &o); err != nil {
		return outcome{}, 0, fmt.Errorf("the load generator said %q: %w", out.Bytes(), err)
	}
	return o, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// firstLine is the first line a process printed, once it is complete.
func (t *tail) firstLine() (string, bool) {
	line, _, ok := strings.Cut(t.String(), "\n")
	return line, ok
}
