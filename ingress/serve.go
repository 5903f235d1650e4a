package ingress

import (
	"context"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
)

// replayed tells a caller that this is the first result of a command he has repeated.
const replayed = "Idempotency-Replayed"

// keyHeader is where a command's key stands, written as fasthttp has it.
const keyHeader = "Idempotency-Key"

const jsonType = "application/json"

// one carries out one command.
func (s *Server) one(ctx *fasthttp.RequestCtx, o *operation, args []string) {
	call, p := s.ask(ctx, o, args)
	if p != nil {
		s.fail(ctx, p)
		return
	}
	s.options.Bank.Do(context.Background(), call)
	s.tell(ctx, o, call)
}

// ask makes the call that a request asks for. Nothing of the request is kept.
func (s *Server) ask(ctx *fasthttp.RequestCtx, o *operation, args []string) (*bank.Call, *problem) {
	return s.askWith(ctx, ctx.Request.Header.Peek(keyHeader), o, args)
}

func (s *Server) askWith(ctx *fasthttp.RequestCtx, key []byte, o *operation, args []string) (*bank.Call, *problem) {
	if p := checkKey(key); p != nil {
		return nil, p
	}
	operator, approver, p := s.authorise(ctx, o.roles, o.approved)
	if p != nil {
		return nil, p
	}
	cmd, p := o.command(s, ctx.PostBody(), args)
	if p != nil {
		return nil, p
	}
	give(cmd, operator, approver)
	return callOf(o.path, cmd, key)
}

// tell answers a request with its call's outcome.
func (s *Server) tell(ctx *fasthttp.RequestCtx, o *operation, call *bank.Call) {
	if call.Receipt.Repeated {
		ctx.Response.Header.Set(replayed, "true")
	}
	if p := outcome(call); p != nil {
		s.fail(ctx, p)
		return
	}
	s.reply(ctx, o.status, o.reply(&call.Receipt))
}

func outcome(call *bank.Call) *problem {
	switch {
	case call.Err != nil:
		return problemOfError(call.Err)
	case call.Receipt.Refusal != nil:
		return problemOf(call.Receipt.Refusal)
	}
	return nil
}

// read serves one thing by its number. A number that can't be one is unknown.
func read[N, V any](s *Server, parse func(string) (N, error), get func(context.Context, N) (V, error), unknown bank.RefusalCode) func(*fasthttp.RequestCtx, []string) {
	return func(ctx *fasthttp.RequestCtx, args []string) {
		no, err := parse(args[0])
		if err != nil {
			s.fail(ctx, &problem{code: string(unknown)})
			return
		}
		v, err := get(context.Background(), no)
		if err != nil {
			s.failRead(ctx, err, unknown)
			return
		}
		s.reply(ctx, fasthttp.StatusOK, v)
	}
}

func (s *Server) failRead(ctx *fasthttp.RequestCtx, err error, unknown bank.RefusalCode) {
	switch {
	case errors.Is(err, bank.ErrNotFound):
		s.fail(ctx, &problem{code: string(unknown)})
	case errors.Is(err, bank.ErrStopping):
		s.fail(ctx, &problem{code: codeStopping})
	case errors.Is(err, bank.ErrLedgerUnavailable):
		s.fail(ctx, &problem{code: codeLedger})
	default:
		s.options.Logger.Error("a read failed", "cause", err)
		s.fail(ctx, &problem{code: codeInternal})
	}
}

// The page sizes of statements, in entries.
const (
	StatementDefault = 50
	StatementMax     = 1000
)

func (s *Server) statement(ctx *fasthttp.RequestCtx, args []string) {
	no, err := bank.ParseAccountNo(args[0])
	if err != nil {
		s.fail(ctx, &problem{code: string(bank.AccountUnknown)})
		return
	}
	limit, after, p := paging(ctx)
	if p != nil {
		s.fail(ctx, p)
		return
	}
	page, err := s.options.Bank.Statement(context.Background(), bank.StatementQuery{Account: no, After: after, Limit: limit})
	if err != nil {
		s.failRead(ctx, err, bank.AccountUnknown)
		return
	}
	s.reply(ctx, fasthttp.StatusOK, page)
}

// paging reads which page of a list is asked for.
func paging(ctx *fasthttp.RequestCtx) (limit int, after uint64, p *problem) {
	limit = StatementDefault
	for name, value := range ctx.QueryArgs().All() {
		var err error
		switch string(name) {
		case "limit":
			limit, err = strconv.Atoi(string(value))
			if limit < 1 || limit > StatementMax {
				err = strconv.ErrRange
			}
		case "cursor":
			after, err = strconv.ParseUint(string(value), 10, 63)
		default:
			err = strconv.ErrSyntax
		}
		if err != nil {
			return 0, 0, &problem{code: codeQuery, field: fieldOf(jsontext.Pointer(name))}
		}
	}
	return limit, after, nil
}

func (s *Server) page(ctx *fasthttp.RequestCtx, page Page) {
	v, err := page(context.Background())
	if err != nil {
		s.options.Logger.Warn("a report is not available", "cause", err)
		s.fail(ctx, &problem{code: codeUnavailable})
		return
	}
	s.reply(ctx, fasthttp.StatusOK, v)
}

func (s *Server) ready(ctx *fasthttp.RequestCtx) {
	err := s.options.Bank.Ready()
	switch {
	case s.closing.Load(), err != nil && !errors.Is(err, bank.ErrLedgerUnavailable):
		s.fail(ctx, &problem{code: codeStopping})
	case err != nil:
		// Every node has the same ledger: to take them all out would take away the reads that still work.
		s.reply(ctx, fasthttp.StatusOK, status{Status: "ready", Ledger: "unavailable"})
	default:
		s.reply(ctx, fasthttp.StatusOK, status{Status: "ready"})
	}
}

func (s *Server) reply(ctx *fasthttp.RequestCtx, status int, v any) {
	s.write(ctx, status, jsonType, v)
}

func (s *Server) write(ctx *fasthttp.RequestCtx, status int, contentType string, v any) {
	s.writeWith(ctx, status, contentType, func(b []byte) ([]byte, error) {
		b, err := appendJSON(b, v)
		return append(b, '\n'), err
	})
}

// writeWith writes a reply that appends itself to the response's own memory.
func (s *Server) writeWith(ctx *fasthttp.RequestCtx, status int, contentType string, appendTo func([]byte) ([]byte, error)) {
	body, err := appendTo(ctx.Response.SwapBody(nil)[:0])
	if err != nil {
		s.options.Logger.Error("a reply can't be written", "cause", err)
		status, contentType = fasthttp.StatusInternalServerError, "application/problem+json"
		body = append(body[:0], `{"code":"INTERNAL","status":500}`+"\n"...)
	}
	ctx.Response.SwapBody(body)
	ctx.SetStatusCode(status)
	ctx.SetContentType(contentType)
}
