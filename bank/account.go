package bank

// LedgerID of the account: one ledger account per e-account (SPEC 3.1).
func (a *EAccount) LedgerID() U128 { return accountLedgerID(a.No, a.Product) }

// LedgerID of the account whose standing it is.
func (s *Standing) LedgerID() U128 { return accountLedgerID(s.Account, s.Product) }

func accountLedgerID(no AccountNo, product string) U128 {
	return LedgerID(accountDetail(no.Class(), product), uint64(no.Customer()), uint32(no.Index()))
}

// accountDetail is the detail subject of an e-account's ledger account.
func accountDetail(class Class, product string) uint32 {
	if product == ProductDemoCurrent {
		return DetailDemoCurrent
	}
	return DetailClassI + uint32(class) - 1
}

// String is the class in Roman numerals, as the API writes it.
func (c Class) String() string {
	switch c {
	case 1:
		return "I"
	case 2:
		return "II"
	case 3:
		return "III"
	}
	return "?"
}

// MarshalText writes the form of String.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the form of String.
func (c *Class) UnmarshalText(b []byte) error {
	for class := Class(1); class <= 3; class++ {
		if class.String() == string(b) {
			*c = class
			return nil
		}
	}
	return ErrBadID
}

// AgeMin is the age from which an account can be opened online (SPEC 2.2); a parameter of the bank.
const AgeMin = 18

func decideOpen(c *Customer, m *OpenAccount, env *Env, d *Decision) *Refusal {
	p := env.Catalogue.AccountOfClass(m.Class)
	if m.Product != "" {
		p = env.Catalogue.Account(m.Product)
	}
	switch {
	case p == nil:
		return &Refusal{Code: ProductUnknown, Field: "product"}
	case p.Withdrawn:
		return &Refusal{Code: ProductNotOnSale, Field: "product"}
	case p.Class != m.Class:
		return &Refusal{Code: ClassNotAllowed, Field: "class"}
	case m.Date != 0 && !p.Demo:
		return &Refusal{Code: DateNotAllowed, Field: "opened_on"}
	case c.IDKind != ResidentID && !p.Demo:
		// A Ⅱ-class account takes a resident identity card (302号: five elements).
		return &Refusal{Code: ProductNotOnSale, Field: "product"}
	case m.Class == 1 && !p.Demo && !m.FaceToFace:
		// Ⅰ class is opened at the counter only (392号).
		return &Refusal{Code: ClassNotAllowed, Field: "class"}
	case !p.Demo && Age(env.Birth, env.Date) < AgeMin:
		return &Refusal{Code: AgeNotAllowed}
	case m.Card.Token == "" && (m.Class != 1 || m.Apply):
		return &Refusal{Code: BoundCardRequired, Field: "bound_card"}
	case m.Apply && p.Demo:
		return &Refusal{Code: ProductNotOnSale, Field: "await_card_check"}
	}
	held, index := 0, 0
	for i := range c.Accounts {
		if c.Accounts[i].No.Class() == m.Class {
			index++
			if c.Accounts[i].State != AccountStateClosed {
				held++
			}
		}
	}
	if held >= AccountsOfClassMax(m.Class) || index >= AccountsPerClassMax {
		return &Refusal{Code: AccountsMax, Field: "class"}
	}
	no := NewAccountNo(m.Class, c.No, uint8(index))
	subject, _ := SubjectOf(p.Detail)
	if m.Apply {
		d.Events = []Event{&AccountApplied{
			CustomerNo: c.No, AccountNo: no, Class: m.Class, Product: p.Code, AppliedOn: env.Date, Until: env.Date.AddDays(OpeningDays),
			DetailSubject: p.Detail, FaceToFace: m.FaceToFace, InterestBase: p.Base,
		}}
	} else {
		d.Events = []Event{&AccountOpened{
			CustomerNo: c.No, AccountNo: no, Class: m.Class, Product: p.Code, OpenedOn: env.Date,
			DetailSubject: p.Detail, FaceToFace: m.FaceToFace, CardToken: m.Card.Token, InterestBase: p.Base,
		}}
	}
	if m.Card.Token != "" {
		d.Events = append(d.Events, &BoundCardAdded{CustomerNo: c.No, AccountNo: no, Card: m.Card})
	}
	d.Opens = []LedgerAccount{subject.Account(uint64(c.No), uint32(index), U128{})}
	d.Affects = []Affected{{no, accountLedgerID(no, p.Code)}}
	return nil
}

// payer finds the account money is to leave, and refuses what no rule of amounts could allow.
func payer(c *Customer, no AccountNo, amountFen int64, date Date, env *Env, field string) (*EAccount, *Refusal) {
	return moving(c, no, ActCustomerDebit, false, amountFen, date, env, field)
}

// payee finds the account money is to come into, as payer. From its bound card it may come before it is open.
func payee(c *Customer, no AccountNo, bound bool, amountFen int64, date Date, env *Env, field string) (*EAccount, *Refusal) {
	return moving(c, no, ActCustomerCredit, bound, amountFen, date, env, field)
}

func moving(c *Customer, no AccountNo, action AccountAction, bound bool, amountFen int64, date Date, env *Env, field string) (*EAccount, *Refusal) {
	a, r := ownAccount(c, no, field)
	if r != nil {
		return nil, r
	}
	if amountFen <= 0 || amountFen > AmountMaxFen {
		return nil, &Refusal{Code: AmountInvalid, Field: "amount_fen", LimitFen: AmountMaxFen}
	}
	if date != 0 && !env.Catalogue.Unlimited(a.Product) {
		return nil, &Refusal{Code: DateNotAllowed, Field: "accounting_date"}
	}
	if r := a.permitsIn(a.State.toward(bound), action, env, field); r != nil {
		return nil, r
	}
	return a, nil
}

// toward is the state as money sees it: to that from the bound card an account that waits to be opened is open.
func (s AccountState) toward(bound bool) AccountState {
	if bound && s == AccountPendingOpen {
		return AccountNormal
	}
	return s
}

// AmountMaxFen bounds one amount: a hundred billion yuan. Nearly a million amounts of that size on one
// account stay within an int64.
const AmountMaxFen int64 = 10_000_000_000_000

func ownAccount(c *Customer, no AccountNo, field string) (*EAccount, *Refusal) {
	a := c.account(no)
	if a == nil {
		return nil, &Refusal{Code: AccountUnknown, Field: field}
	}
	if a.State == AccountStateClosed {
		return nil, &Refusal{Code: AccountClosed, Field: field}
	}
	return a, nil
}

// capped puts the balance cap of a class Ⅲ account behind a credit to it (E09): when the balance would pass it
// the ledger refuses the whole chain. Money on hold and on its way is counted at the desk, by Admit.
func (a *EAccount) capped(d *Decision, txn TxnID) { capped(d, txn, a.No, a.LedgerID()) }

func capped(d *Decision, txn TxnID, no AccountNo, customer U128) {
	capFen := LimitsOfClass(no.Class()).CapFen
	if capFen == 0 {
		return
	}
	shard := uint64(no.Customer().Shard())
	d.Legs = CapBound{customer, bankAccount(DetailCapControl, shard, d), bankAccount(DetailCapOperator, shard, d), capFen}.Legs(txn, d.Legs)
}

// Unlimited reports whether the product is outside the class limits and the accounting date: those are
// the demonstration products.
func (c *Catalogue) Unlimited(product string) bool {
	p := c.Account(product)
	return p != nil && p.Demo
}

// Unlimited reports whether the account is of such a product.
func (c *Customer) Unlimited(no AccountNo, catalogue *Catalogue) bool {
	a := c.account(no)
	return a != nil && catalogue.Unlimited(a.Product)
}

func (a *EAccount) affected() Affected { return Affected{a.No, a.LedgerID()} }
