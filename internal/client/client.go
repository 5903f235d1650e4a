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
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Limits of a client.
const (
	BatchMax     = 1000            // operations in a batch, as the API has it
	AwayMax      = 2 * time.Minute // how long the server may be away before a call fails
	callTimeout  = 60 * time.Second
	retryMin     = 20 * time.Millisecond
	retryMax     = time.Second
	problemBytes = 64 << 10
)

// Client talks to one server. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// New makes a client that keeps up to connections open.
func New(base string, connections int) *Client {
	return &Client{
		base: strings.TrimSuffix(base, "/"),
		http: &http.Client{Timeout: callTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}},
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
		err := c.once(ctx, method, path, key, body, into)
		var p *Problem
		if err == nil || errors.As(err, &p) && !unknown(p.Status) {
			return err
		}
		if time.Since(since) > AwayMax {
			return fmt.Errorf("%s %s: no answer for %s: %w", method, path, AwayMax, err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *Client) once(ctx context.Context, method, path, key string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
	}
	r, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode >= http.StatusBadRequest {
		text, err := io.ReadAll(io.LimitReader(r.Body, problemBytes))
		if err != nil {
			return err
		}
		p := &Problem{}
		if json.Unmarshal(text, p) != nil {
			p.Title = string(text)
		}
		p.Status = r.StatusCode
		return p
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// Operation is one command of a batch.
type Operation struct {
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
// until all have one.
func (c *Client) Batch(ctx context.Context, operations []Operation) ([]Result, error) {
	results := make([]Result, len(operations))
	open := make([]int, len(operations))
	for i := range open {
		open[i] = i
	}
	since := time.Now()
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
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
			return nil, err
		}
		if len(reply.Results) != len(open) {
			return nil, fmt.Errorf("a batch of %d operations has %d results", len(open), len(reply.Results))
		}
		still := open[:0]
		for n, i := range open {
			results[i] = reply.Results[n]
			if unknown(results[i].Status) {
				still = append(still, i)
			}
		}
		if open = still; len(open) == 0 {
			return results, nil
		}
		if time.Since(since) > AwayMax {
			return nil, fmt.Errorf("%d operations of a batch have no outcome after %s: %w", len(open), AwayMax, results[open[0]].Problem())
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
