package ingress

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/clock"
)

// dayRoutes are those of the bank's time: the accounting day, and the clock of a demonstration.
func (s *Server) dayRoutes() (table []route) {
	finance, readers := []bank.OperatorRole{bank.Finance}, []bank.OperatorRole{bank.Finance, bank.Auditor}
	if day := s.options.Day; day != nil {
		acted := func(act func(context.Context) error) func(*fasthttp.RequestCtx, []string) {
			return func(ctx *fasthttp.RequestCtx, _ []string) { s.actOnDay(ctx, act) }
		}
		table = append(table,
			route{method: fasthttp.MethodGet, path: "/v1/day", zh: "会计日状态", en: "Where the accounting day stands", reply: bank.DayStatus{}, roles: readers,
				serve: func(ctx *fasthttp.RequestCtx, _ []string) { s.reply(ctx, fasthttp.StatusOK, day.Status()) }},
			route{method: fasthttp.MethodPost, path: "/v1/day/cut", zh: "立即日切", en: "Cut the day now; answered when the end of the day is done", reply: bank.DayStatus{}, roles: finance,
				serve: acted(day.Cut)},
			route{method: fasthttp.MethodPost, path: "/v1/day/run", zh: "续跑日终", en: "Go on with the end of day; answered when it is done", reply: bank.DayStatus{}, roles: finance,
				serve: acted(day.Catch)},
			route{method: fasthttp.MethodPost, path: "/v1/day/check", zh: "立即核对", en: "Check the books now", reply: bank.DayReport{}, roles: readers,
				serve: func(ctx *fasthttp.RequestCtx, _ []string) { s.checkDay(ctx, day) }},
			route{method: fasthttp.MethodGet, path: "/v1/days/{date}/report", zh: "日终报告", en: "The report of a day's end; with Accept: text/plain for people", reply: bank.DayReport{}, roles: readers,
				serve: func(ctx *fasthttp.RequestCtx, args []string) { s.dayReport(ctx, day, args[0]) }})
	}
	if s.options.MoveClock != nil {
		table = append(table,
			route{method: fasthttp.MethodGet, path: clockPath, zh: "演示时钟", en: "The clock of a demonstration", reply: clockReply{},
				serve: func(ctx *fasthttp.RequestCtx, _ []string) { s.tellTime(ctx) }},
			route{method: fasthttp.MethodPost, path: clockPath, zh: "拨快演示时钟", en: "Move the clock of a demonstration forward; answered when the days it passes are done",
				request: clockRequest{}, reply: clockReply{},
				serve: func(ctx *fasthttp.RequestCtx, _ []string) { s.moveClock(ctx) }})
	}
	return table
}

// dayActMax is how long an act on the day is waited for; it goes on if it takes longer.
const dayActMax = 10 * time.Minute

func (s *Server) actOnDay(ctx *fasthttp.RequestCtx, act func(context.Context) error) {
	waiting, cancel := context.WithTimeout(context.Background(), dayActMax)
	defer cancel()
	if err := act(waiting); err != nil {
		s.failDay(ctx, err)
		return
	}
	s.reply(ctx, fasthttp.StatusOK, s.options.Day.Status())
}

// failDay answers what could not be done to the day: the operator is told why.
func (s *Server) failDay(ctx *fasthttp.RequestCtx, err error) {
	p := problemOfError(err)
	if p.code == codeInternal {
		s.options.Logger.Error("the day can't go on", "cause", err)
		p = &problem{code: codeDay, because: err.Error()}
	}
	s.fail(ctx, p)
}

func (s *Server) checkDay(ctx *fasthttp.RequestCtx, day Day) {
	waiting, cancel := context.WithTimeout(context.Background(), dayActMax)
	defer cancel()
	report, err := day.Check(waiting)
	if err != nil {
		s.failDay(ctx, err)
		return
	}
	s.showReport(ctx, report)
}

func (s *Server) dayReport(ctx *fasthttp.RequestCtx, day Day, text string) {
	date, err := bank.ParseDate(text)
	if err != nil {
		s.fail(ctx, &problem{code: codeFieldType, field: "date", because: err.Error()})
		return
	}
	report, err := day.Report(date)
	switch {
	case errors.Is(err, bank.ErrNotFound):
		s.fail(ctx, &problem{code: codeNoReport})
	case err != nil:
		s.options.Logger.Error("a day's report can't be read", "date", date, "cause", err)
		s.fail(ctx, &problem{code: codeInternal})
	default:
		s.showReport(ctx, report)
	}
}

// showReport writes a report as a document, or for people who ask for text.
func (s *Server) showReport(ctx *fasthttp.RequestCtx, report *bank.DayReport) {
	if bytes.HasPrefix(ctx.Request.Header.Peek(fasthttp.HeaderAccept), []byte("text/plain")) {
		ctx.SetContentType("text/plain; charset=utf-8")
		ctx.SetBodyString(report.Text())
		return
	}
	s.reply(ctx, fasthttp.StatusOK, report)
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
		s.failDay(ctx, err)
		return
	}
	s.tellTime(ctx)
}

func (s *Server) tellTime(ctx *fasthttp.RequestCtx) {
	s.reply(ctx, fasthttp.StatusOK, clockReply{Now: s.options.Clock().In(clock.Shanghai).Format(time.RFC3339)})
}
