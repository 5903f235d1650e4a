package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json"
)

// bank answers batches; each key fails a few times before it is carried out, once.
func TestWhatHasNoOutcomeIsSentAgainUnderItsKeyInOrder(t *testing.T) {
	done := map[string]int{}
	var order []string
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		if calls == 2 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"code":"OVERLOADED","status":503}`)
			return
		}
		var in struct{ Operations []Operation }
		if err := json.UnmarshalRead(r.Body, &in, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Error(err)
		}
		var results []string
		for i, o := range in.Operations {
			if calls < 6 && i >= calls-2 { // the rest of the batch meets a node that stops
				results = append(results, fmt.Sprintf(`{"idempotency_key":%q,"status":503,"body":{"code":"STOPPING"}}`, o.Key))
				continue
			}
			done[o.Key]++
			order = append(order, o.Key)
			results = append(results, fmt.Sprintf(`{"idempotency_key":%q,"status":201,"body":{}}`, o.Key))
		}
		fmt.Fprintf(w, `{"results":[%s]}`, strings.Join(results, ","))
	}))
	defer server.Close()
	c := New(server.URL, 2)
	defer c.Close()
	var operations []Operation
	var want []string
	for i := range 12 {
		operations = append(operations, Operation{Key: fmt.Sprintf("k%02d", i), Path: "/v1/transfers", Body: map[string]any{}})
		want = append(want, operations[i].Key)
	}
	results, err := c.Batch(t.Context(), operations)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Status != 201 || done[operations[i].Key] != 1 {
			t.Errorf("%s: %d, carried out %d times", operations[i].Key, r.Status, done[operations[i].Key])
		}
	}
	if fmt.Sprint(order) != fmt.Sprint(want) {
		t.Errorf("order %v", order)
	}
}

func TestARefusalIsNotRepeated(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"code":"AMOUNT_INVALID","status":422,"title":"no","field":"amount_fen"}`)
	}))
	defer server.Close()
	c := New(server.URL, 1)
	defer c.Close()
	err := c.Post(t.Context(), "/v1/transfers", "k", map[string]any{}, nil)
	var p *Problem
	if !errors.As(err, &p) || p.Code != "AMOUNT_INVALID" || p.Field != "amount_fen" || calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}
