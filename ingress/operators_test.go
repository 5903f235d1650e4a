package ingress

import (
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
)

// staff are operators whose token is their name.
type staff map[string][]bank.OperatorRole

func (s staff) Find(token string) (bank.Operator, bool) {
	roles, ok := s[token]
	return bank.Operator{Name: token, Roles: roles}, ok
}

// What operators do is done by one in the role, and where a second must approve it by two people.
func TestOperatorsAreWhoTheySayAndMayWhatTheyDo(t *testing.T) {
	s := New(Options{Bank: refusingBank{}, Operators: staff{"ming": {bank.Teller}, "hua": {bank.Checker}, "both": {bank.Finance, bank.Checker}}})
	for _, c := range []struct {
		name, maker, checker string
		roles                []bank.OperatorRole
		approved             bool
		code                 string
		operator, approver   string
	}{
		{name: "a customer's operation asks nobody"},
		{name: "nobody", roles: []bank.OperatorRole{bank.Teller}, code: codeCredential},
		{name: "a stranger", maker: "Bearer li", roles: []bank.OperatorRole{bank.Teller}, code: codeCredential},
		{name: "another scheme", maker: "Basic ming", roles: []bank.OperatorRole{bank.Teller}, code: codeCredential},
		{name: "in the role", maker: "Bearer ming", roles: []bank.OperatorRole{bank.Finance, bank.Teller}, operator: "ming"},
		{name: "the scheme has no case", maker: "bearer ming", roles: []bank.OperatorRole{bank.Teller}, operator: "ming"},
		{name: "in another role", maker: "Bearer ming", roles: []bank.OperatorRole{bank.Finance}, code: codeRole},
		{name: "without approval", maker: "Bearer ming", roles: []bank.OperatorRole{bank.Teller}, approved: true, code: codeApproval},
		{name: "approved by a stranger", maker: "Bearer ming", checker: "Bearer li", roles: []bank.OperatorRole{bank.Teller}, approved: true, code: codeCredential},
		{name: "approved by himself", maker: "Bearer both", checker: "Bearer both", roles: []bank.OperatorRole{bank.Finance}, approved: true, code: codeApproval},
		{name: "approved by another maker", maker: "Bearer both", checker: "Bearer ming", roles: []bank.OperatorRole{bank.Finance}, approved: true, code: codeApproval},
		{name: "approved", maker: "Bearer ming", checker: "Bearer hua", roles: []bank.OperatorRole{bank.Teller}, approved: true, operator: "ming", approver: "hua"},
	} {
		var ctx fasthttp.RequestCtx
		if c.maker != "" {
			ctx.Request.Header.Set("Authorization", c.maker)
		}
		if c.checker != "" {
			ctx.Request.Header.Set("Suanpan-Approver", c.checker)
		}
		operator, approver, p := s.authorise(&ctx, c.roles, c.approved)
		code := ""
		if p != nil {
			code = p.code
		}
		if code != c.code || operator != c.operator || approver != c.approver {
			t.Errorf("%s: %q %q %q; wanted %q %q %q", c.name, code, operator, approver, c.code, c.operator, c.approver)
		}
	}
}
