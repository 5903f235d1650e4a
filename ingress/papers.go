package ingress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/papers"
)

// Limits of printed statements. The PDF library needs about 2.5 KB an entry until a document is complete; CSV
// and JSON are sent as they are read.
const (
	PrintedMax      = 100_000 // entries of one statement
	PrintedAtOnce   = 100_000 // entries of all that are being made; over it the answer is 503
	statementAtOnce = StatementMax
)

const (
	statementsPath   = "/v1/accounts/{no}/statements"
	slipPath         = "/v1/transfers/{id}/receipt"
	certificatePath  = "/v1/deposits/{id}/certificate"
	verificationPath = "/v1/papers/{number}"
	vouchersPath     = "/v1/customers/{id}/vouchers"
)

// paperRoutes are those of what a customer takes away, and of the vouchers behind it.
func (s *Server) paperRoutes() []route {
	get := func(path, zh, en string, reply any, serve func(*fasthttp.RequestCtx, []string)) route {
		return route{method: fasthttp.MethodGet, path: path, zh: zh, en: en, serve: serve, reply: reply}
	}
	vouchers := get(vouchersPath, "记账凭证", "The decisions about a customer with their events and entries", bank.VoucherPage{}, s.vouchers)
	vouchers.roles = []bank.OperatorRole{bank.Teller, bank.Checker, bank.Finance, bank.Auditor}
	return []route{
		get(statementsPath, "对账单", "A statement of an account for a period, as JSON, CSV or PDF", papers.StatementDocument{}, s.statementPaper),
		get(slipPath, "电子回单", "A slip of a transfer or of interest paid, as JSON or PDF", papers.Slip{}, s.slip),
		get(certificatePath, "电子存单", "A certificate of a deposit, as JSON or PDF", papers.Certificate{}, s.certificate),
		get(verificationPath, "单据核验", "Whether the books say what a paper says", verification{}, s.verify),
		vouchers,
	}
}

// vouchers answers with a page of the decisions about a customer.
func (s *Server) vouchers(ctx *fasthttp.RequestCtx, args []string) {
	no, err := bank.ParseCustomerNo(args[0])
	if err != nil {
		s.fail(ctx, &problem{code: string(bank.CustomerUnknown)})
		return
	}
	limit, after, p := paging(ctx)
	if p != nil {
		s.fail(ctx, p)
		return
	}
	page, err := s.options.Bank.Vouchers(context.Background(), no, after, limit)
	if err != nil {
		s.failRead(ctx, err, bank.CustomerUnknown)
		return
	}
	s.reply(ctx, fasthttp.StatusOK, page)
}

// paperParameters describes what the query of a paper's address may say.
func paperParameters(path string) []schema {
	date := schema{"type": "string", "format": "date"}
	format := func(formats ...string) schema {
		return parameter("format", "query", schema{"type": "string", "enum": formats, "description": "instead of Accept; by default json"}, false)
	}
	switch path {
	case statementsPath:
		return []schema{parameter("from", "query", date, true), parameter("to", "query", date, true), format(formatJSON, formatCSV, formatPDF)}
	case slipPath, certificatePath:
		return []schema{format(formatJSON, formatPDF)}
	case verificationPath:
		return []schema{parameter("code", "query", schema{"type": "string"}, true)}
	}
	return nil
}

// The codes of problems with papers.
const (
	codePaperMax     = "STATEMENT_TOO_LONG"
	codePaperUnready = "SLIP_NOT_AVAILABLE"
	codePaperUnknown = "PAPER_UNKNOWN"
)

// The formats of papers.
const (
	formatJSON = "json"
	formatCSV  = "csv"
	formatPDF  = "pdf"
)

var mediaTypes = map[string]string{
	formatJSON: jsonType,
	formatCSV:  "text/csv; charset=utf-8",
	formatPDF:  "application/pdf",
}

// paperQuery is what the query of a paper's address says.
type paperQuery struct {
	from, to bank.Date
	format   string
	code     string
}

// paperArguments reads the query: only the arguments named, each once. The format is that of the argument, else
// the first of Accept that there is, else JSON.
func paperArguments(ctx *fasthttp.RequestCtx, formats []string, names ...string) (q paperQuery, p *problem) {
	seen := map[string]bool{}
	for key, value := range ctx.QueryArgs().All() {
		name, text := string(key), string(value)
		known := false
		for _, n := range names {
			known = known || n == name
		}
		var err error
		switch {
		case !known || seen[name]:
			err = errors.New("unknown or repeated")
		case name == "from":
			q.from, err = bank.ParseDate(text)
		case name == "to":
			q.to, err = bank.ParseDate(text)
		case name == "format":
			q.format = text
		case name == "code":
			q.code = text
		}
		if err != nil {
			return q, &problem{code: codeQuery, field: fieldOf(jsontext.Pointer(name))}
		}
		seen[name] = true
	}
	for _, name := range names {
		if name != "format" && !seen[name] {
			return q, &problem{code: codeQuery, field: name, because: "missing"}
		}
	}
	if q.format == "" {
		q.format = accepted(ctx, formats)
	}
	for _, f := range formats {
		if f == q.format {
			return q, nil
		}
	}
	return q, &problem{code: codeQuery, field: "format"}
}

// accepted is the first format whose media type Accept names.
func accepted(ctx *fasthttp.RequestCtx, formats []string) string {
	header := ctx.Request.Header.Peek(fasthttp.HeaderAccept)
	for part := range bytes.SplitSeq(header, []byte(",")) {
		media, _, _ := bytes.Cut(part, []byte(";"))
		for _, f := range formats {
			own, _, _ := bytes.Cut([]byte(mediaTypes[f]), []byte(";"))
			if bytes.EqualFold(bytes.TrimSpace(media), own) {
				return f
			}
		}
	}
	return formatJSON
}

// statementPaper answers with a statement of an account.
func (s *Server) statementPaper(ctx *fasthttp.RequestCtx, args []string) {
	no, err := bank.ParseAccountNo(args[0])
	if err != nil {
		s.fail(ctx, &problem{code: string(bank.AccountUnknown)})
		return
	}
	q, p := paperArguments(ctx, []string{formatJSON, formatCSV, formatPDF}, "from", "to", "format")
	if p == nil && !papers.ValidPeriod(q.from, q.to) {
		p = &problem{code: codeQuery, field: "to", because: "a period ends no earlier than it begins"}
	}
	if p != nil {
		s.fail(ctx, p)
		return
	}
	st, query, err := s.openStatement(bank.StatementQuery{Account: no, From: q.from, To: q.to})
	if err != nil {
		s.failRead(ctx, err, bank.AccountUnknown)
		return
	}
	n := int64(st.Totals.Entries())
	if q.format == formatPDF {
		if n > PrintedMax {
			s.fail(ctx, &problem{code: codePaperMax, field: "format"})
			return
		}
		defer s.printing.Add(-n)
		if s.printing.Add(n) > PrintedAtOnce {
			s.fail(ctx, &problem{code: codeOverloaded})
			return
		}
	}
	body := &statementBody{server: s, conn: ctx.Conn(), query: query, rest: st.Totals.Entries()}
	var form papers.Form
	switch q.format {
	case formatCSV:
		form = papers.NewTable(&body.made, chinese(ctx))
	case formatPDF:
		form = papers.NewPrinted(&body.made)
	default:
		form = papers.NewListed(&body.made)
	}
	if body.run, err = papers.NewRun(st, form, s.options.Vault); err != nil {
		s.failRead(ctx, err, bank.AccountUnknown)
		return
	}
	if q.format == formatPDF {
		for !body.complete {
			if err := body.more(); err != nil {
				s.failRead(ctx, err, bank.AccountUnknown)
				return
			}
		}
		s.sendPaper(ctx, q.format, "statement-"+st.Number, body.made.Bytes())
		return
	}
	paperHeaders(ctx, q.format, "statement-"+st.Number)
	ctx.SetBodyStream(body, -1)
}

// openStatement reads what a statement begins with, and which entries it has.
func (s *Server) openStatement(q bank.StatementQuery) (*papers.Statement, bank.StatementQuery, error) {
	ctx := context.Background()
	holder, err := s.options.Bank.Customer(ctx, q.Account.Customer())
	if err != nil {
		return nil, q, err
	}
	totals, err := s.options.Bank.StatementTotals(ctx, q)
	if err != nil {
		return nil, q, err
	}
	number := papers.Number{Statement: q}
	number.Statement.Limit = totals.Entries()
	st := &papers.Statement{
		Number: number.Text(s.options.Vault), Account: q.Account, Holder: holder.Name, From: q.From, To: q.To, Totals: totals, Made: s.options.Clock(),
	}
	for _, a := range holder.Accounts {
		if a.AccountNo == q.Account {
			st.Class, st.Product = a.Class, a.Product
		}
	}
	q.Through = totals.Through
	return st, q, nil
}

// statementBody is a statement as it is read: a page of entries at a time.
type statementBody struct {
	server   *Server
	conn     net.Conn // nil: nobody waits for each page
	query    bank.StatementQuery
	run      *papers.Run
	rest     int // entries still to come
	complete bool
	code     string
	made     bytes.Buffer
}

// Read implements io.Reader. After an error the connection is closed before the body's end, so that nobody
// takes what has been sent for all of it.
func (b *statementBody) Read(p []byte) (int, error) {
	for b.made.Len() == 0 {
		if b.complete {
			return 0, io.EOF
		}
		// The time to write is for one page: a long statement is not cut off for its length.
		if err := b.conn.SetWriteDeadline(time.Now().Add(b.server.options.Limits.WriteTimeout)); err != nil {
			return 0, err
		}
		if err := b.more(); err != nil {
			b.server.options.Logger.Error("a statement is broken off", "cause", err)
			return 0, err
		}
	}
	return b.made.Read(p)
}

// more writes the next page, or the end.
func (b *statementBody) more() (err error) {
	if b.rest == 0 {
		b.complete = true
		b.code, err = b.run.Close()
		return err
	}
	b.query.Limit = min(b.rest, statementAtOnce)
	page, err := b.server.options.Bank.Statement(context.Background(), b.query)
	if err != nil {
		return err
	}
	if len(page.Entries) == 0 {
		return fmt.Errorf("%d entries of a statement are not there any more", b.rest)
	}
	for i := range page.Entries {
		if err := b.run.Entry(&page.Entries[i]); err != nil {
			return err
		}
	}
	b.rest -= len(page.Entries)
	b.query.After = page.Next
	return nil
}

func paperHeaders(ctx *fasthttp.RequestCtx, format, name string) {
	ctx.SetStatusCode(fasthttp.StatusOK)
	ctx.SetContentType(mediaTypes[format])
	if format != formatJSON {
		ctx.Response.Header.Set(fasthttp.HeaderContentDisposition, `attachment; filename="`+name+"."+format+`"`)
	}
}

func (s *Server) sendPaper(ctx *fasthttp.RequestCtx, format, name string, body []byte) {
	paperHeaders(ctx, format, name)
	ctx.Response.SetBodyRaw(body)
}

// printable is a paper of one page.
type printable interface {
	WritePDF(w io.Writer, made time.Time) error
}

func (s *Server) paper(ctx *fasthttp.RequestCtx, format, name string, paper printable) {
	if format == formatJSON {
		s.reply(ctx, fasthttp.StatusOK, paper)
		return
	}
	var made bytes.Buffer
	if err := paper.WritePDF(&made, s.options.Clock()); err != nil {
		s.failRead(ctx, err, "")
		return
	}
	s.sendPaper(ctx, format, name, made.Bytes())
}

// slip answers with the slip of a transfer or of interest.
func (s *Server) slip(ctx *fasthttp.RequestCtx, args []string) {
	txn, err := bank.ParseTxnID(args[0])
	if err != nil {
		s.fail(ctx, &problem{code: string(bank.TransferUnknown)})
		return
	}
	q, p := paperArguments(ctx, []string{formatJSON, formatPDF}, "format")
	if p != nil {
		s.fail(ctx, p)
		return
	}
	v, err := s.options.Bank.Slip(context.Background(), txn)
	if err != nil {
		s.failRead(ctx, err, bank.TransferUnknown)
		return
	}
	slip, ok := papers.NewSlip(v, s.options.Vault)
	if !ok {
		s.fail(ctx, &problem{code: codePaperUnready})
		return
	}
	s.paper(ctx, q.format, "slip-"+slip.Number, slip)
}

// certificate answers with the certificate of a deposit.
func (s *Server) certificate(ctx *fasthttp.RequestCtx, args []string) {
	no, err := bank.ParseContractNo(args[0])
	if err != nil {
		s.fail(ctx, &problem{code: string(bank.DepositUnknown)})
		return
	}
	q, p := paperArguments(ctx, []string{formatJSON, formatPDF}, "format")
	if p != nil {
		s.fail(ctx, p)
		return
	}
	v, err := s.options.Bank.Certificate(context.Background(), no)
	if err != nil {
		s.failRead(ctx, err, bank.DepositUnknown)
		return
	}
	c, ok := papers.NewCertificate(v, s.options.Vault)
	if !ok {
		s.fail(ctx, &problem{code: string(bank.DepositClosed)})
		return
	}
	s.paper(ctx, q.format, "certificate-"+c.Number, c)
}

// verification (核验) is the answer to whoever holds a paper.
type verification struct {
	Number string `json:"number"`
	// Valid: the books say what the paper says. Otherwise it is not ours, was changed, or is out of date.
	Valid bool `json:"valid"`
}

// verify makes a paper again from the books and compares its code.
func (s *Server) verify(ctx *fasthttp.RequestCtx, args []string) {
	q, p := paperArguments(ctx, []string{formatJSON}, "code")
	if p != nil {
		s.fail(ctx, p)
		return
	}
	number, err := papers.ParseNumber(args[0], s.options.Vault)
	if err != nil {
		s.fail(ctx, &problem{code: codePaperUnknown})
		return
	}
	code, err := s.codeOf(&number)
	switch {
	case errors.Is(err, bank.ErrNotFound):
		s.fail(ctx, &problem{code: codePaperUnknown})
	case err != nil:
		s.failRead(ctx, err, "")
	default:
		s.reply(ctx, fasthttp.StatusOK, verification{Number: number.Text(s.options.Vault), Valid: code != "" && papers.SameCode(q.code, code)})
	}
}

// codeOf is the code that the books give a paper now, empty if they give out none.
func (s *Server) codeOf(n *papers.Number) (string, error) {
	switch {
	case !n.Slip.IsZero():
		v, err := s.options.Bank.Slip(context.Background(), n.Slip)
		if err != nil {
			return "", err
		}
		if slip, ok := papers.NewSlip(v, s.options.Vault); ok {
			return slip.Code, nil
		}
		return "", nil
	case n.Deposit != 0:
		v, err := s.options.Bank.Certificate(context.Background(), n.Deposit)
		if err != nil {
			return "", err
		}
		if c, ok := papers.NewCertificate(v, s.options.Vault); ok {
			return c.Code, nil
		}
		return "", nil
	}
	st, query, err := s.openStatement(n.Statement)
	if err != nil {
		return "", err
	}
	if st.Totals.Entries() < n.Statement.Limit {
		return "", nil
	}
	body := &statementBody{server: s, query: query, rest: st.Totals.Entries()}
	if body.run, err = papers.NewRun(st, papers.Unprinted{}, s.options.Vault); err != nil {
		return "", err
	}
	for !body.complete {
		if err := body.more(); err != nil {
			return "", err
		}
	}
	return body.code, nil
}
