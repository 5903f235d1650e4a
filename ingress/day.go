package ingress

import (
	"context"
	"errors"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/internal/clock"
)

// dayRoutes are those of the bank's time: the clock of a demonstration.
func (s *Server) dayRoutes() (table []route) {
	if s.options.MoveClock != nil {
		table = append(table,
			route{
				method: fasthttp.MethodGet, path: clockPath, zh: "演示时钟", en: "The clock of a demonstration", reply: clockReply{},
				serve: func(ctx *fasthttp.RequestCtx, _ []string) { s.tellTime(ctx) },
			},
			route{
				method: fasthttp.MethodPost, path: clockPath, zh: "拨快演示时钟", en: "Move the clock of a demonstration forward; answered when the days it passes are done",
				request: clockRequest{}, reply: clockReply{},
				serve: func(ctx *fasthttp.RequestCtx, _ []string) { s.moveClock(ctx) },
			})
	}
	return table
}

const clockPath = "/v1/clock"

type clockRequest struct {
	To string `json:"to"` // RFC 3339
}

type clockReply struct {
	Now string `json:"now"` // RFC 3339
}

func (s *Server) moveClock(ctx *fasthttp.RequestCtx) {
	var in clockRequest
	if p := decode(ctx.PostBody(), &in); p != nil {
		s.fail(ctx, p)
		return
	}
	to, err := time.Parse(time.RFC3339, in.To)
	if err != nil {
		s.fail(ctx, &problem{code: codeFieldType, field: "to", because: "a time such as 2026-01-15T10:00:00+08:00"})
		return
	}
	if err := s.options.MoveClock(context.Background(), to); err != nil {
		if errors.Is(err, clock.ErrBackwards) {
			s.fail(ctx, &problem{code: codeClock, field: "to", because: err.Error()})
			return
		}
		s.options.Logger.Error("the clock can't be moved", "cause", err)
		s.fail(ctx, problemOfError(err))
		return
	}
	s.tellTime(ctx)
}

func (s *Server) tellTime(ctx *fasthttp.RequestCtx) {
	s.reply(ctx, fasthttp.StatusOK, clockReply{Now: s.options.Clock().In(clock.Shanghai).Format(time.RFC3339)})
}
