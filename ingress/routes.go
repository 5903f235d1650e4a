package ingress

import (
	"fmt"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
)

// route is one method and path of the API. A segment in braces matches anything and is an argument.
type route struct {
	method, path string
	name         string // in metrics
	zh, en       string // what it does, for the description
	segments     []string
	serve        func(ctx *fasthttp.RequestCtx, args []string)
	operation    *operation          // of a POST that carries a command
	request      any                 // of a POST that carries no command, for the description
	reply        any                 // for the description
	roles        []bank.OperatorRole // one of which an operator must have; none: everyone
	counts       counts
}

// argumentsMax is the largest number of braces in a path.
const argumentsMax = 2

func (s *Server) table() []route {
	var table []route
	get := func(path, zh, en string, reply any, serve func(*fasthttp.RequestCtx, []string)) {
		table = append(table, route{method: fasthttp.MethodGet, path: path, zh: zh, en: en, serve: serve, reply: reply})
	}
	for i := range operations {
		op := &operations[i]
		table = append(table, route{
			method: fasthttp.MethodPost, path: op.path, zh: op.zh, en: op.en, operation: op, roles: op.roles,
			serve: func(ctx *fasthttp.RequestCtx, args []string) { s.one(ctx, op, args) },
		})
	}
	table = append(table, route{
		method: fasthttp.MethodPost, path: batchPath, zh: "批量操作", en: "Up to 1,000 operations at once, each with its own key and result",
		serve: func(ctx *fasthttp.RequestCtx, _ []string) { s.batch(ctx) },
	})
	get("/v1/customers/{id}", "客户总览", "A customer's accounts, deposits and loans", bank.CustomerView{}, read(s, bank.ParseCustomerNo, s.options.Bank.Customer, bank.CustomerUnknown))
	get("/v1/accounts/{no}", "账户余额", "An account with its balance", bank.AccountView{}, read(s, bank.ParseAccountNo, s.options.Bank.Account, bank.AccountUnknown))
	get("/v1/accounts/{no}/transactions", "账户明细", "An account's entries, each with the balance after it", bank.StatementPage{}, s.statement)
	get("/v1/transfers/{id}", "转账状态", "A transfer and where it stands", bank.TransferView{}, read(s, bank.ParseTxnID, s.options.Bank.Transfer, bank.TransferUnknown))
	get("/v1/deposits/{id}", "定期存款", "A term deposit", bank.DepositView{}, read(s, bank.ParseContractNo, s.options.Bank.Deposit, bank.DepositUnknown))
	get("/v1/loans/{id}", "贷款与还款计划", "A loan with its schedule", bank.LoanView{}, read(s, bank.ParseContractNo, s.options.Bank.Loan, bank.LoanUnknown))
	table = append(table, s.channelRoutes()...)
	table = append(table, s.dayRoutes()...)
	table = append(table, s.quoteRoutes()...)
	table = append(table, s.paperRoutes()...)
	table = append(table, s.productRoutes()...)
	for path, page := range s.options.Pages {
		get(path, "报表", "A report", nil, func(ctx *fasthttp.RequestCtx, _ []string) { s.page(ctx, page) })
	}
	get("/livez", "存活", "The process is alive", nil, func(ctx *fasthttp.RequestCtx, _ []string) { s.reply(ctx, fasthttp.StatusOK, status{Status: "alive"}) })
	get("/readyz", "就绪", "Commands are taken", nil, func(ctx *fasthttp.RequestCtx, _ []string) { s.ready(ctx) })
	get("/metrics", "指标", "Measurements in Prometheus's text form", nil, s.metrics.serve(s.options.Metrics))
	get("/openapi.json", "接口描述", "This description", nil, func(ctx *fasthttp.RequestCtx, _ []string) {
		s.reply(ctx, fasthttp.StatusOK, describe(s.routes, s.options.Limits))
	})
	for i := range table {
		table[i].segments = strings.Split(table[i].path, "/")
		table[i].name = fmt.Sprintf("%s %s", table[i].method, table[i].path)
	}
	return table
}

type status struct {
	Status string `json:"status"`
	Ledger string `json:"ledger,omitzero"` // "unavailable" while it is; commands that need it get 503
}

// whole finds the routes whose path is all of a request's, by method and path.
type whole map[string]map[string]*route

func (s *Server) wholes() whole {
	w := whole{fasthttp.MethodGet: {}, fasthttp.MethodPost: {}}
	for i := range s.routes {
		if r := &s.routes[i]; !strings.Contains(r.path, "{") {
			w[r.method][r.path] = r
		}
	}
	return w
}

// match finds the route for a method and path.
func (s *Server) match(method, path []byte) (*route, []string, *problem) {
	if r := s.whole[string(method)][string(path)]; r != nil {
		return r, nil, nil
	}
	return s.search(string(method), string(path))
}

func (s *Server) search(method, path string) (*route, []string, *problem) {
	var found [argumentsMax]string
	allowed := ""
	for i := range s.routes {
		r := &s.routes[i]
		n, ok := matches(r.segments, path, &found)
		switch {
		case !ok:
		case r.method == method:
			return r, append([]string(nil), found[:n]...), nil
		default:
			allowed = r.method
		}
	}
	if allowed != "" {
		return nil, nil, &problem{code: codeMethod, allow: allowed}
	}
	return nil, nil, &problem{code: codePath}
}

func matches(segments []string, path string, found *[argumentsMax]string) (n int, ok bool) {
	for i, want := range segments {
		segment, rest, more := strings.Cut(path, "/")
		if more != (i+1 < len(segments)) {
			return 0, false
		}
		switch {
		case strings.HasPrefix(want, "{") && segment != "":
			found[n] = segment
			n++
		case want != segment:
			return 0, false
		}
		path = rest
	}
	return n, true
}
