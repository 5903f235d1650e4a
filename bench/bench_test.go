package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	_ "net/http/pprof"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// roleFakeBank is a child that answers like a bank which refuses some payments and forgets them all.
const roleFakeBank = "fake bank"

func TestMain(m *testing.M) {
	if os.Getenv(childRole) == roleFakeBank {
		fmt.Fprintln(os.Stderr, serveFakeBank(os.Args))
		os.Exit(1)
	}
	if child, err := runChild(); child {
		exit(err)
	}
	os.Exit(m.Run())
}

func TestEveryRequestIsAnsweredAndBothSidesCountTheSame(t *testing.T) {
	ctx := t.Context()
	echo, err := startEcho(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer echo.stop()
	var sum uint64
	for i, connections := range []int{1, 16} {
		o, cpu, err := generate(ctx, load{
			Address: echo.address, Connections: connections, Transfers: 1, Accounts: accountsFile(t, 100),
			KeyPrefix: "test-", Seed: uint64(i), WarmUp: 100 * time.Millisecond, Window: 500 * time.Millisecond, ServerPID: echo.pid(),
		})
		if err != nil {
			t.Fatal(err)
		}
		sum += o.Answered
		switch {
		case o.Sent != o.Answered || o.failed() > 0 || o.Broken > 0:
			t.Errorf("of %d requests %d were answered, %d failed, %d connections broke", o.Sent, o.Answered, o.failed(), o.Broken)
		case o.Statuses[http.StatusCreated] != o.Answered || len(o.Statuses) != 1:
			t.Errorf("%d answers, by status %v", o.Answered, o.Statuses)
		case o.Requests == 0 || o.Requests >= o.Answered || o.Transfers != o.Requests || o.Succeeded != o.Answered:
			t.Errorf("%d of %d answers lie in the window, with %d transfers", o.Requests, o.Answered, o.Transfers)
		case o.P50 <= 0 || o.P50 > o.P99 || o.P99 > o.P999 || o.P999 > o.Max:
			t.Errorf("latencies %v %v %v %v", o.P50, o.P99, o.P999, o.Max)
		case o.Window < 500*time.Millisecond || o.GeneratorCPU <= 0 || cpu < o.GeneratorCPU:
			t.Errorf("window %v, CPU %v of %v", o.Window, o.GeneratorCPU, cpu)
		}
	}
	if served, err := echo.answered(); err != nil || served != sum {
		t.Errorf("the echo answered %d, the generators saw %d (%v)", served, sum, err)
	}
}

func TestAGeneratorWhoseServerDiesSaysSo(t *testing.T) {
	echo, err := startEcho(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(200*time.Millisecond, echo.stop)
	defer kill.Stop()
	_, _, err = generate(t.Context(), load{
		Address: echo.address, Connections: 4, Transfers: 1, Accounts: accountsFile(t, 10),
		Window: 5 * time.Second, ServerPID: echo.pid(),
	})
	if err == nil || !strings.Contains(err.Error(), "closed every connection") {
		t.Fatalf("got %v", err)
	}
}

func TestARunReportsRefusalsAndLeavesNothingBehind(t *testing.T) {
	o, out := fakeRun(t)
	var table bytes.Buffer
	err := run(t.Context(), o, &table, out)
	if err == nil || !strings.Contains(err.Error(), "failed") {
		t.Fatalf("the fake bank refuses payments, but the run says %v\n%s", err, out)
	}
	for _, want := range []string{"422 ×", "transfers, 4 connections", "lone client", "setup through batches"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &table)
		}
	}
	b, err := os.ReadFile(o.out)
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatal(err)
	}
	figures := make(map[string]row)
	for _, r := range rows {
		figures[r.Measure] = r
	}
	if r := figures["bank: transfers, 4 connections"]; r.Value <= 0 || r.Baseline <= 0 || r.Ratio <= 0 || r.Unit != perSecond {
		t.Errorf("transfers: %+v", r)
	}
	for _, want := range []string{"transfers", "p99", "server CPU", "transfers in batches", "resident memory"} {
		if r := figures["1,000 customers, 500 pay: "+want]; r.Value <= 0 {
			t.Errorf("%s while some pay: %+v", want, r)
		}
	}
	if r := figures["failed requests and transfers"]; r.Value <= 0 {
		t.Errorf("failures: %+v", r)
	}
	nothingLeft(t, o)
}

func TestAnInterruptedRunLeavesNothingBehind(t *testing.T) {
	o, out := fakeRun(t)
	o.duration = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// It then has a bank, and sooner or later a generator.
	interrupt := writerFunc(func(line []byte) {
		if bytes.Contains(line, []byte("creating")) {
			time.AfterFunc(time.Second, cancel)
		}
		out.Write(line)
	})
	if err := run(ctx, o, out, interrupt); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v\n%s", err, out)
	}
	nothingLeft(t, o)
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }

// fakeRun is a short run against the fake bank.
func fakeRun(t *testing.T) (options, *tail) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\necho $$ >%s/pid\n%s=%q exec %s \"$@\"\n", dir, childRole, roleFakeBank, self)
	binary := filepath.Join(dir, "bank")
	if err := os.WriteFile(binary, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return options{
		customers: 2500, duration: 100 * time.Millisecond, rounds: 1, connections: []int{4}, binary: binary,
		force: true, out: filepath.Join(dir, "figures.json"), only: regexp.MustCompile(""), sizes: []int{1000}, active: 500, history: 1000,
	}, new(tail)
}

func nothingLeft(t *testing.T, o options) {
	t.Helper()
	dir := filepath.Dir(o.binary)
	if left, err := filepath.Glob(filepath.Join(dir, "bench-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	pid, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(pid))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the bank, process %s, still runs", pid)
	}
}

func accountsFile(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "accounts")
	var b []byte
	for i := range n {
		b = append(append(b, numbered(i)[:]...), '\n')
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveFakeBank understands what the bench sends and checks none of it. It answers every tenth single
// payment 422, and the first batch 503.
func serveFakeBank(args []string) error {
	var address string
	for i, a := range args {
		switch a {
		case "--http":
			address = args[i+1]
		case "--data":
			if err := os.MkdirAll(args[i+1], 0o700); err != nil {
				return err
			}
		case "--pprof":
			go func() { _ = http.ListenAndServe(args[i+1], nil) }() // ends with the process
		}
	}
	var payments, accounts, batches atomic.Int64
	operation := func(path string) (int, string) {
		switch {
		case path == "/v1/customers":
			return http.StatusCreated, `{"customer_id":"C0000000018"}`
		case strings.HasSuffix(path, "/accounts"):
			return http.StatusCreated, fmt.Sprintf(`{"account_no":"%s"}`, numbered(int(accounts.Add(1)))[:])
		default:
			return http.StatusCreated, `{"status":"POSTED"}`
		}
	}
	batch := func(ctx *fasthttp.RequestCtx) {
		var in struct {
			Operations []struct{ Path string }
		}
		if err := json.Unmarshal(ctx.PostBody(), &in); err != nil || len(in.Operations) > batchOperationsMax {
			ctx.SetStatusCode(http.StatusBadRequest)
			return
		}
		if batches.Add(1) == 1 {
			ctx.SetStatusCode(http.StatusServiceUnavailable)
			return
		}
		ctx.WriteString(`{"results":[`)
		for i, o := range in.Operations {
			if i > 0 {
				ctx.WriteString(",")
			}
			status, body := operation(o.Path)
			fmt.Fprintf(ctx, `{"idempotency_key":"k","status":%d,"body":%s}`, status, body)
		}
		ctx.WriteString("]}")
	}
	return fasthttp.ListenAndServe(address, func(ctx *fasthttp.RequestCtx) {
		switch path := string(ctx.Path()); {
		case path == "/v1/batches":
			batch(ctx)
		case path == "/v1/transfers" && payments.Add(1)%10 == 0:
			ctx.SetStatusCode(http.StatusUnprocessableEntity)
		case path == "/v1/transfers":
			ctx.SetStatusCode(http.StatusCreated)
			ctx.WriteString(echoAnswer)
		}
	})
}
