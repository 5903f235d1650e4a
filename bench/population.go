package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// population gives the bank customers, each with one account that holds money, through its batch
// endpoint: register, open, credit.
type population struct {
	base      string // URL of the bank
	customers int
	progress  io.Writer
	client    http.Client
	done      atomic.Int64 // operations answered
}

const (
	populateConnections = 8
	batchOperationsMax  = 1000 // the API's limit
	batchTimeout        = 60 * time.Second
	batchAttempts       = 20 // of a batch of which something was answered 503, which asks for that
	batchRetryDelay     = 200 * time.Millisecond
	progressEvery       = 2 * time.Second
	operationsEach      = 3 // register, open, credit
	fundsFen            = 1_000_000
	// Any card number with a right check digit.
	boundCard = `{"card_no":"6228480402564890018","bank":"ABC","kind":"CLASS_1"}`
)

func newPopulation(address string, customers int, progress io.Writer) *population {
	return &population{
		base: "http://" + address, customers: customers, progress: progress,
		client: http.Client{
			Timeout:   batchTimeout,
			Transport: &http.Transport{MaxIdleConnsPerHost: populateConnections, MaxConnsPerHost: populateConnections},
		},
	}
}

// settle creates everybody and writes the account numbers to the file. It returns how many operations
// that took and how long.
func (p *population) settle(ctx context.Context, accounts string) (int, time.Duration, error) {
	defer p.client.CloseIdleConnections()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	begun := time.Now()
	numbers := make([]string, p.customers)
	chunks := make(chan int) // no capacity: a worker takes a chunk when it is free
	var workers sync.WaitGroup
	for range populateConnections {
		workers.Go(func() {
			for first := range chunks {
				last := min(first+batchOperationsMax, p.customers)
				if err := p.settleChunk(ctx, first, numbers[first:last]); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	stopProgress := p.report(begun)
	for first := 0; first < p.customers && ctx.Err() == nil; first += batchOperationsMax {
		select {
		case chunks <- first:
		case <-ctx.Done():
		}
	}
	close(chunks)
	workers.Wait()
	stopProgress()
	if err := context.Cause(ctx); err != nil {
		return 0, 0, fmt.Errorf("create customers: %w", err)
	}
	took := time.Since(begun)
	var file bytes.Buffer
	for _, no := range numbers {
		fmt.Fprintln(&file, no)
	}
	if err := os.WriteFile(accounts, file.Bytes(), 0o600); err != nil {
		return 0, 0, fmt.Errorf("write the account numbers: %w", err)
	}
	return operationsEach * p.customers, took, nil
}

// report prints how far we are until the returned function is called.
func (p *population) report(begun time.Time) (stop func()) {
	end := make(chan struct{})
	var reporter sync.WaitGroup
	reporter.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				n := p.done.Load()
				fmt.Fprintf(p.progress, "  %s of %s operations, %s a second\n", grouped(float64(n), 0),
					grouped(float64(operationsEach*p.customers), 0), grouped(float64(n)/time.Since(begun).Seconds(), 0))
			}
		}
	})
	return func() {
		close(end)
		reporter.Wait()
	}
}

// settleChunk creates the customers from number first on, and notes their accounts' numbers.
func (p *population) settleChunk(ctx context.Context, first int, numbers []string) error {
	registered, err := p.batch(ctx, "r", first, len(numbers), func(b []byte, i int) []byte {
		return fmt.Appendf(b, `"/v1/customers","body":{"name":"客户%d","id_type":"OTHER","id_number":"BENCH-%d","mobile":"138%08d"}`, i, i, i)
	})
	if err != nil {
		return err
	}
	opened, err := p.batch(ctx, "a", first, len(numbers), func(b []byte, i int) []byte {
		return fmt.Appendf(b, `"/v1/customers/%s/accounts","body":{"class":"I","product":"DEMO_CURRENT","bound_card":%s}`,
			registered[i-first].CustomerID, boundCard)
	})
	if err != nil {
		return err
	}
	for i, r := range opened {
		if numbers[i] = r.AccountNo; len(numbers[i]) != accountDigits {
			return fmt.Errorf("account number %q has not %d digits", r.AccountNo, accountDigits)
		}
	}
	_, err = p.batch(ctx, "c", first, len(numbers), func(b []byte, i int) []byte {
		return fmt.Appendf(b, `"/v1/transfers","body":{"kind":"inbound","to_account":%q,"amount_fen":%d}`, numbers[i-first], fundsFen)
	})
	return err
}

// created is what we need of an operation's result.
type created struct {
	CustomerID string `json:"customer_id"`
	AccountNo  string `json:"account_no"`
}

// errBusy asks for the same batch again: keys make that harmless.
var errBusy = errors.New("the bank is busy (503)")

// batch sends one operation for each of n customers from number first on; operation appends path and
// body. All must succeed.
func (p *population) batch(ctx context.Context, key string, first, n int, operation func(b []byte, i int) []byte) ([]created, error) {
	body := []byte(`{"operations":[`)
	for i := first; i < first+n; i++ {
		if i > first {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"idempotency_key":"bench-%s-%d","path":`, key, i)
		body = append(operation(body, i), '}')
	}
	body = append(body, "]}"...)
	for attempt := 1; ; attempt++ {
		results, err := p.post(ctx, body, n)
		if !errors.Is(err, errBusy) || attempt == batchAttempts {
			if err == nil {
				p.done.Add(int64(n))
			}
			return results, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(batchRetryDelay):
		}
	}
}

func (p *population) post(ctx context.Context, body []byte, n int) ([]created, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/v1/batches", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	r, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(io.LimitReader(r.Body, bodyBytesMax))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read a batch's answer: %w", err)
	case r.StatusCode == http.StatusServiceUnavailable:
		return nil, errBusy
	case r.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("a batch was answered %d: %.300s", r.StatusCode, b)
	}
	return readResults(b, n)
}

func readResults(b []byte, n int) ([]created, error) {
	var answer struct {
		Results []struct {
			Status int             `json:"status"`
			Body   json.RawMessage `json:"body"`
		} `json:"results"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, fmt.Errorf("a batch's answer: %w", err)
	}
	if len(answer.Results) != n {
		return nil, fmt.Errorf("a batch of %d operations has %d results", n, len(answer.Results))
	}
	results := make([]created, n)
	for i, r := range answer.Results {
		switch {
		case r.Status == http.StatusServiceUnavailable:
			return nil, errBusy
		case r.Status != http.StatusCreated:
			return nil, fmt.Errorf("operation %d of a batch was answered %d: %.300s", i+1, r.Status, r.Body)
		}
		if err := json.Unmarshal(r.Body, &results[i]); err != nil {
			return nil, fmt.Errorf("operation %d of a batch: %w", i+1, err)
		}
	}
	return results, nil
}
