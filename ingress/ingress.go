// Package ingress is the HTTP API: routes, limits, decoding, problem documents. It reads a request once,
// makes a bank.Command of it, waits for the outcome and writes the reply. Start here: New and Server.
//
// request.go decodes and lists the operations, each in the file of its part of the bank (customers.go, accounts.go,
// transfers.go, channels.go, deposits.go, loans.go); reply.go writes, problem.go turns refusals and errors into RFC 9457 documents,
// front_linux.go has connections served by event loops, guard.go keeps hostile requests out, operators.go asks who operators are, openapi.go describes it all.
package ingress

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/papers"
)

// Bank carries out calls and answers reads. All methods are safe for concurrent use; what they return is
// durable.
type Bank interface {
	Do(ctx context.Context, call *bank.Call)
	// Begin is Do without waiting: then is called when the outcome is there, once, by anybody and perhaps before
	// Begin returns; it must not block. If the bank stops it may never be called, and the outcome is unknown.
	Begin(call *bank.Call, then func())
	// Ahead has the memory ready that calls need which are about to begin. Nothing depends on it but speed.
	Ahead(calls []*bank.Call)
	// DoAll carries out calls at once, those of one customer in the order given.
	DoAll(ctx context.Context, calls []*bank.Call)
	// Ready reports whether commands are taken; bank.ErrLedgerUnavailable: those that don't need the ledger.
	Ready() error
	Customer(ctx context.Context, no bank.CustomerNo) (bank.CustomerView, error)
	Account(ctx context.Context, no bank.AccountNo) (bank.AccountView, error)
	Statement(ctx context.Context, q bank.StatementQuery) (bank.StatementPage, error)
	StatementTotals(ctx context.Context, q bank.StatementQuery) (bank.StatementTotals, error)
	Vouchers(ctx context.Context, no bank.CustomerNo, after uint64, limit int) (bank.VoucherPage, error)
	Transfer(ctx context.Context, txn bank.TxnID) (bank.TransferView, error)
	Slip(ctx context.Context, txn bank.TxnID) (bank.SlipView, error)
	Deposit(ctx context.Context, no bank.ContractNo) (bank.DepositView, error)
	Certificate(ctx context.Context, no bank.ContractNo) (bank.CertificateView, error)
	Loan(ctx context.Context, no bank.ContractNo) (bank.LoanView, error)
}

// Vault seals identifying data before it goes anywhere and makes tokens of it.
type Vault interface {
	Seal(plain string) ([]byte, error)
	papers.Keys
}

// Operators knows the bank's own people by the tokens they show.
type Operators interface {
	Find(token string) (bank.Operator, bool)
}

// Day is the accounting day (会计日) as operators see and move it. Methods that wait do so until what was asked is
// done or has failed.
type Day interface {
	Status() bank.DayStatus
	// Cut cuts the day now, whatever the clock says, and does the work of its end.
	Cut(ctx context.Context) error
	// Catch makes all cuts that the clock has passed and does the work of their days' ends.
	Catch(ctx context.Context) error
	// Check checks the books as they are now.
	Check(ctx context.Context) (*bank.DayReport, error)
	// Report is that of a date's end; bank.ErrNotFound when there is none.
	Report(date bank.Date) (*bank.DayReport, error)
}

// Page is a read served as it is, such as a report; an error is answered with 503.
type Page func(ctx context.Context) (any, error)

// Options of a server. Bank, Vault, Clock, Logger and Catalogue are required.
type Options struct {
	Bank   Bank
	Vault  Vault
	Clock  func() time.Time
	Logger *slog.Logger
	// Day is the accounting day, for operators; nil: there are no such routes.
	Day Day
	// MoveClock moves the clock forward, in demonstrations; clock.ErrBackwards is the caller's fault. Nil: there is
	// no such route.
	MoveClock func(ctx context.Context, to time.Time) error
	// Catalogue is what quotes and the list of products are made of.
	Catalogue *bank.Catalogue
	// Operators are those whom operators' routes serve; nil: nobody.
	Operators Operators
	// Channels reconciles; nil: its routes answer 503.
	Channels Channels
	// Pages are served under their paths by GET.
	Pages map[string]Page
	// Metrics collects the server's own and is served under /metrics; nil: a new one.
	Metrics *prometheus.Registry
	// Limits not set have their defaults.
	Limits Limits
}

// Limits of the server. A zero field has the default of the same name.
type Limits struct {
	BodyMax      int           // bytes of a request's body
	HeaderMax    int           // bytes of a request's head
	Connections  int           // open at once
	ReadTimeout  time.Duration // for a whole request
	WriteTimeout time.Duration // for a whole reply
	IdleTimeout  time.Duration // between requests of a connection
}

// The defaults of Limits.
const (
	BodyMaxDefault      = 4 << 20
	HeaderMaxDefault    = 8 << 10
	ConnectionsDefault  = 10_000
	ReadTimeoutDefault  = 10 * time.Second
	WriteTimeoutDefault = 10 * time.Second
	IdleTimeoutDefault  = 2 * time.Minute
)

func (l *Limits) fill() {
	def(&l.BodyMax, BodyMaxDefault)
	def(&l.HeaderMax, HeaderMaxDefault)
	def(&l.Connections, ConnectionsDefault)
	def(&l.ReadTimeout, ReadTimeoutDefault)
	def(&l.WriteTimeout, WriteTimeoutDefault)
	def(&l.IdleTimeout, IdleTimeoutDefault)
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

const serverName = "suanpan"

// writeBufferSize is how much of a reply fasthttp gathers.
const writeBufferSize = 4096

// Server is the API on its way to a bank.
type Server struct {
	options   Options
	http      fasthttp.Server
	routes    []route
	whole     whole
	metrics   metrics
	printing  atomic.Int64 // entries of statements being made into PDFs
	handling  atomic.Int64
	front     front
	transfers *route
	closing   atomic.Bool
}

// New makes a server; Serve starts it.
func New(options Options) *Server {
	options.Limits.fill()
	if options.Metrics == nil {
		options.Metrics = prometheus.NewRegistry()
	}
	s := &Server{options: options}
	s.routes = s.table()
	s.whole = s.wholes()
	s.transfers = s.whole[fasthttp.MethodPost][transfersPath]
	s.metrics.init(options.Metrics, s.routes)
	s.http = fasthttp.Server{
		Handler:               s.handle,
		ErrorHandler:          s.unreadable,
		Name:                  serverName,
		Concurrency:           options.Limits.Connections,
		MaxRequestBodySize:    options.Limits.BodyMax,
		ReadBufferSize:        options.Limits.HeaderMax,
		WriteBufferSize:       writeBufferSize,
		ReadTimeout:           options.Limits.ReadTimeout,
		WriteTimeout:          options.Limits.WriteTimeout,
		IdleTimeout:           options.Limits.IdleTimeout,
		CloseOnShutdown:       true,
		NoDefaultContentType:  true,
		NoDefaultServerHeader: true,
		Logger:                quiet{options.Logger},
	}
	return s
}

// handle answers one request. A panic must not take the process down: the request is answered 500 and
// the bank goes on; a broken invariant of money stops the node elsewhere.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	start := time.Now()
	s.handling.Add(1)
	var r *route // nil: unmatched
	defer func() {
		if cause := recover(); cause != nil {
			s.panicked(ctx, r, cause)
		}
		s.handling.Add(-1)
		s.metrics.count(r, ctx.Response.StatusCode(), time.Since(start))
	}()
	if s.closing.Load() {
		ctx.SetConnectionClose()
	}
	if p := refuse(ctx); p != nil {
		ctx.SetConnectionClose()
		s.fail(ctx, p)
		return
	}
	found, args, p := s.match(ctx.Method(), ctx.Path())
	if p != nil {
		s.fail(ctx, p)
		return
	}
	r = found
	if r.operation == nil && len(r.roles) > 0 {
		if _, _, p := s.authorise(ctx, r.roles, false); p != nil {
			s.fail(ctx, p)
			return
		}
	}
	r.serve(ctx, args)
}

func (s *Server) panicked(ctx *fasthttp.RequestCtx, r *route, cause any) {
	s.options.Logger.Error("a request's handler panicked", "route", r.label(), "cause", cause)
	ctx.Response.Reset()
	s.fail(ctx, &problem{code: codeInternal})
}

// quiet sends fasthttp's own messages, which are about connections that break, to the debug log.
type quiet struct{ logger *slog.Logger }

// Printf implements fasthttp.Logger.
func (q quiet) Printf(format string, args ...any) {
	q.logger.Debug("http", "format", format, "args", args)
}
