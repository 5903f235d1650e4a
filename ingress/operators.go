package ingress

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
)

// approverHeader carries the second operator's credential where one makes and another approves (经办、复核).
const approverHeader = "Suanpan-Approver"

// authorise checks the operators' credentials of a request for what the roles may do, and for approval if need
// be. Without roles it is everyone's, and names nobody.
func (s *Server) authorise(ctx *fasthttp.RequestCtx, roles []bank.OperatorRole, approved bool) (operator, approver string, p *problem) {
	if len(roles) == 0 {
		return "", "", nil
	}
	maker, p := s.operator(ctx, fasthttp.HeaderAuthorization)
	switch {
	case p != nil:
		return "", "", p
	case maker == nil:
		return "", "", &problem{code: codeCredential, field: fasthttp.HeaderAuthorization}
	case !maker.Is(roles...):
		return "", "", &problem{code: codeRole}
	case !approved:
		return maker.Name, "", nil
	}
	checker, p := s.operator(ctx, approverHeader)
	switch {
	case p != nil:
		return "", "", p
	case checker == nil, checker.Name == maker.Name, !checker.Is(bank.Checker):
		return "", "", &problem{code: codeApproval, field: approverHeader}
	}
	return maker.Name, checker.Name, nil
}

// operator finds whose bearer token (RFC 6750) a header carries; nil: there is none.
func (s *Server) operator(ctx *fasthttp.RequestCtx, header string) (*bank.Operator, *problem) {
	value := ctx.Request.Header.Peek(header)
	if len(value) == 0 {
		return nil, nil
	}
	scheme, token, _ := bytes.Cut(value, []byte(" "))
	if bytes.EqualFold(scheme, []byte("Bearer")) && s.options.Operators != nil {
		if found, ok := s.options.Operators.Find(string(token)); ok {
			return &found, nil
		}
	}
	return nil, &problem{code: codeCredential, field: header}
}

// give puts the operators' names into a command that has a place for them.
func give(cmd bank.Command, operator, approver string) {
	if c, ok := cmd.(interface {
		Give(operator, approver string)
	}); ok {
		c.Give(operator, approver)
	}
}
