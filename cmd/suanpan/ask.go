package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/suanpan-bank/suanpan/internal/client"
)

// asking is how commands talk to a running bank.
type asking struct{ url, token string }

// tokenVariable is where an operator's token comes from if no flag gives one.
const tokenVariable = "SUANPAN_TOKEN"

// flags are those of a command that asks as an operator. The variable is read when the command runs, so that help
// never shows the token.
func (a *asking) flags(f interface {
	StringVar(p *string, name, value, usage string)
}) {
	f.StringVar(&a.url, "server", "http://127.0.0.1:8080", "`URL` of the server's API")
	f.StringVar(&a.token, "token", "", "an operator's `token`; empty: "+tokenVariable)
}

// asOperator sends a request of an operator and shows the answer.
func (a *asking) asOperator(ctx context.Context, method, path, accept string, body []byte, show func(io.Reader) error) error {
	if a.token == "" {
		a.token = os.Getenv(tokenVariable)
	}
	if a.token == "" {
		return errors.New("an operator's token is needed: --token, or " + tokenVariable + " (operators.json in the data directory)")
	}
	return a.ask(ctx, method, path, accept, body, show)
}

// problemMax is how much of a problem is read.
const problemMax = 64 << 10

// ask sends a request and shows the answer; a problem document becomes an error that says what it says.
func (a *asking) ask(ctx context.Context, method, path, accept string, body []byte, show func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.url, "/")+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("--server %s: %w", a.url, err)
	}
	req.Header.Set("Accept", accept)
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no bank answers (start one with suanpan serve, or name another with --server): %w", err)
	}
	defer r.Body.Close()
	if r.StatusCode == http.StatusOK {
		return show(r.Body)
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, problemMax))
	if err != nil {
		return err
	}
	var p client.Problem
	if json.Unmarshal(text, &p) != nil || p.Code == "" {
		return fmt.Errorf("%s: %s", r.Status, text)
	}
	return fmt.Errorf("%w. %s", &p, p.Detail)
}
