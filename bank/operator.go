package bank

import "slices"

// OperatorRole is what an operator (操作员) may do (SPEC 7.9).
type OperatorRole string

// The roles. Customers need none: what they may do is not an operator's route.
const (
	Teller  OperatorRole = "TELLER"  // 经办: makes what a checker approves
	Checker OperatorRole = "CHECKER" // 复核
	Finance OperatorRole = "FINANCE" // 财务: day, reconciliation, reports
	Auditor OperatorRole = "AUDITOR" // 审计: reads all, changes nothing
)

// OperatorRoles lists them.
var OperatorRoles = []OperatorRole{Teller, Checker, Finance, Auditor}

// Operator is a person or system of the bank who acts for it.
type Operator struct {
	Name  string         `json:"name"`
	Roles []OperatorRole `json:"roles"`
}

// Is reports whether the operator has one of the roles.
func (o *Operator) Is(roles ...OperatorRole) bool {
	return slices.ContainsFunc(o.Roles, func(r OperatorRole) bool { return slices.Contains(roles, r) })
}

// By tells who of the bank gave a command and who approved it (经办、复核); empty for customers and channels.
// A command that operators give embeds it.
type By struct {
	Operator string `cbor:"60,keyasint,omitempty" json:"operator,omitzero"`
	Approver string `cbor:"61,keyasint,omitempty" json:"approver,omitzero"`
}

// Give puts the names in.
func (b *By) Give(operator, approver string) { b.Operator, b.Approver = operator, approver }
