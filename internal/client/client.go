// Package client calls the API as a careful customer does: every command under a key, repeated under the
// same key until its outcome is known.
package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Limits of a client.
const (
	BatchMax      = 1000            // operations in a batch, as the API has it
	AwayMax       = 2 * time.Minute // how long the server may be away, without any success, before a call fails
	callTimeout   = 60 * time.Second
	retryMin      = 20 * time.Millisecond
	retryMax      = time.Second
	retryAfterMax = 10 * time.Second // the longest wait a server can ask for
	problemBytes  = 64 << 10
)

// Client talks to one server. It is safe for concurrent use.
type Client struct {
	base    string
	http    *http.Client
	awayMax time.Duration
}

// New makes a client that keeps up to connections open.
func New(base string, connections int) *Client {
	return &Client{
		base:    strings.TrimSuffix(base, "/"),
		awayMax: AwayMax,
		http:    &http.Client{Timeout: callTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}},
	}
}

// Close closes the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Problem is a refusal of the API (RFC 9457).
type Problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Field  string `json:"field"`

	retryAfter time.Duration // what the server asks for
}

func (p *Problem) Error() string {
	if p.Field != "" {
		return fmt.Sprintf("%d %s (%s): %s", p.Status, p.Code, p.Field, p.Title)
	}
	return fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Title)
}

// unknown reports whether the outcome is not known, or nothing was done: repeat under the same key.
func unknown(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// Get reads path into a value.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, "", nil, into)
}

// Post sends a command under a key and reads its result into a value.
func (c *Client) Post(ctx context.Context, path, key string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	return c.call(ctx, http.MethodPost, path, key, b, into)
}

// call repeats until there is an outcome.
func (c *Client) call(ctx context.Context, method, path, key string, body []byte, into any) error {
	since := time.Now()
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		reply, err := c.once(ctx, method, path, key, body)
		var p *Problem
		switch {
		case err == nil && into == nil:
			return nil
		case err == nil:
			if err := json.Unmarshal(reply, into); err != nil {
				return fmt.Errorf("%s %s: reply: %w", method, path, err)
			}
			return nil
		case errors.As(err, &p) && !unknown(p.Status):
			return err
		}
		if time.Since(since) > c.awayMax {
			return fmt.Errorf("%s %s: no answer for %s: %w", method, path, c.awayMax, err)
		}
		asked := time.Duration(0)
		if p != nil {
			asked = p.retryAfter
		}
		if err := pause(ctx, max(wait, asked)); err != nil {
			return err
		}
	}
}

// pause waits, or returns why it must not.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// once sends one request. Any error but a Problem leaves the outcome unknown.
func (c *Client) once(ctx context.Context, method, path, key string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
	}
	r, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode < http.StatusBadRequest {
		return io.ReadAll(r.Body)
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, problemBytes))
	if err != nil {
		return nil, err
	}
	p := &Problem{}
	if json.Unmarshal(text, p) != nil {
		p.Title = string(text)
	}
	p.Status, p.retryAfter = r.StatusCode, retryAfter(r.Header.Get("Retry-After"))
	return nil, p
}

// retryAfter reads a number of seconds; whatever else the header says, our own backoff does.
func retryAfter(header string) time.Duration {
	seconds, err := strconv.Atoi(header)
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, int(retryAfterMax/time.Second))) * time.Second
}

// Operation is one command of a batch.
type Operation struct {
	Customer string `json:"-"` // whose operations keep their order when sent again; empty: it stands alone

	Key  string `json:"idempotency_key"`
	Path string `json:"path"`
	Body any    `json:"body"`
}

// Result is its outcome, at the same index.
type Result struct {
	Status   int            `json:"status"`
	Replayed bool           `json:"replayed"`
	Body     jsontext.Value `json:"body"`
}

// Problem returns the refusal, nil for a success.
func (r *Result) Problem() *Problem {
	if r.Status < http.StatusBadRequest {
		return nil
	}
	p := &Problem{}
	_ = json.Unmarshal(r.Body, p) // whatever it says, it failed
	p.Status = r.Status
	return p
}

// Batch carries out up to BatchMax operations. Those without an outcome are sent again, in their order,
// until all have one. What a customer was refused after an operation of theirs without an outcome is sent
// again with it: the refusal may be for want of that operation.
func (c *Client) Batch(ctx context.Context, operations []Operation) ([]Result, error) {
	results := make([]Result, len(operations))
	open := make([]int, len(operations))
	for i := range open {
		open[i] = i
	}
	since := time.Now()
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		if err := c.send(ctx, operations, open, results); err != nil {
			return nil, err
		}
		still := stillOpen(operations, open, results)
		if len(still) == 0 {
			return results, nil
		}
		if len(still) < len(open) {
			since, wait = time.Now(), retryMin
		}
		open = still
		if time.Since(since) > c.awayMax {
			return nil, fmt.Errorf("%d operations of a batch have no outcome after %s: %w", len(open), c.awayMax, results[open[0]].Problem())
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// send sends the open operations as one batch and places their results.
func (c *Client) send(ctx context.Context, operations []Operation, open []int, results []Result) error {
	var request struct {
		Operations []Operation `json:"operations"`
	}
	for _, i := range open {
		request.Operations = append(request.Operations, operations[i])
	}
	var reply struct {
		Results []Result `json:"results"`
	}
	if err := c.Post(ctx, "/v1/batches", "", request, &reply); err != nil {
		return err
	}
	if len(reply.Results) != len(open) {
		return fmt.Errorf("a batch of %d operations has %d results", len(open), len(reply.Results))
	}
	for n, i := range open {
		results[i] = reply.Results[n]
	}
	return nil
}

// stillOpen returns which operations are sent again.
func stillOpen(operations []Operation, open []int, results []Result) []int {
	var still []int
	held := make(map[string]bool) // customers with an operation without an outcome
	for _, i := range open {
		status, customer := results[i].Status, operations[i].Customer
		switch {
		case unknown(status):
			held[customer] = customer != ""
		case status < http.StatusBadRequest || !held[customer]:
			continue
		}
		still = append(still, i)
	}
	return still
}
