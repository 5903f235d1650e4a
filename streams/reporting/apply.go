package reporting

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/streams"
)

// changes are what has been counted and is not stored yet.
type changes struct {
	messages int64
	at       map[accountKey]int // → accounts
	accounts []accountChange
	products map[productKey]*productTotals // differences
	blocks   []*block                      // with customers of whom events were counted
	early    map[earlyEvent]bool           // false: it is not any more
	offsets  map[place]int64
	dead     []deadLetter
	envelope streams.Envelope // of the last message
}

type accountKey struct {
	ledger uint32
	id     ledger.Uint128
}

// accountChange is by how much an account's balances have changed.
type accountChange struct {
	accountKey
	streams.Balances
}

type productKey struct {
	product string
	kind    Kind
}

type productTotals struct{ opened, closed, balanceFen int64 }

type deadLetter struct {
	message
	reason string
}

func noChanges() changes {
	return changes{
		at: make(map[accountKey]int), products: make(map[productKey]*productTotals), early: make(map[earlyEvent]bool), offsets: make(map[place]int64),
	}
}

// full reports whether the changes should be stored before there are more.
func (c *changes) full(r *Report) bool {
	return len(c.accounts) >= accountsMax || len(r.blocks) >= r.blocksMax || len(c.early)+len(c.dead) >= oddMax
}

// clear forgets what has been stored, and keeps the room for more.
func (c *changes) clear() {
	clear(c.at)
	clear(c.products)
	clear(c.early)
	clear(c.offsets)
	clear(c.blocks)
	clear(c.dead)
	c.messages, c.accounts, c.blocks, c.dead = 0, c.accounts[:0], c.blocks[:0], c.dead[:0]
}

// take counts a message, whose value may change afterwards. An error is the database's.
func (r *Report) take(m *message) error {
	c := &r.changes
	c.messages++
	c.offsets[m.place] = m.offset + 1
	customer, err := c.read(m)
	if err != nil {
		c.bury(m, err)
		return nil
	}
	e := &c.envelope
	if e.ActorSeq == 0 {
		return nil
	}
	if isNew, err := r.note(customer, e.ActorSeq); err != nil || !isNew {
		return err
	}
	for i := range e.Entries {
		debit, credit := c.account(e.Entries[i].Ledger, e.Entries[i].Debit), c.account(e.Entries[i].Ledger, e.Entries[i].Credit)
		e.Entries[i].Move(&c.accounts[debit].Balances, &c.accounts[credit].Balances)
	}
	if err := c.event(e); err != nil {
		c.bury(m, err)
	}
	return nil
}

// read reads a message; with an error nothing of it counts.
func (c *changes) read(m *message) (bank.CustomerNo, error) {
	if m.fault != nil {
		return 0, m.fault
	}
	if err := c.envelope.Decode(m.value); err != nil {
		return 0, err
	}
	customer, err := bank.ParseCustomerNo(c.envelope.CustomerToken)
	if err != nil {
		return 0, fmt.Errorf("customer %q: %w", c.envelope.CustomerToken, err)
	}
	return customer, nil
}

// bury keeps a message that can't be read.
func (c *changes) bury(m *message, reason error) {
	letter := deadLetter{*m, reason.Error()}
	letter.value = append([]byte{}, m.value...)
	c.dead = append(c.dead, letter)
}

// account finds where an account's changes are; they may move when the next one is looked for.
func (c *changes) account(ledgerNo uint32, id ledger.Uint128) int {
	key := accountKey{ledgerNo, id}
	i, ok := c.at[key]
	if !ok {
		i = len(c.accounts)
		c.at[key] = i
		c.accounts = append(c.accounts, accountChange{accountKey: key})
	}
	return i
}

// payload is what the products' totals need of an event.
type payload struct {
	Product      string `json:"product"`
	PrincipalFen int64  `json:"principal_fen"`
	RemainingFen int64  `json:"remaining_fen"`
	LimitFen     int64  `json:"limit_fen"`
	Allocation   []struct {
		PrincipalFen int64 `json:"principal_fen"`
	} `json:"allocation"`
	New struct {
		PrincipalFen int64 `json:"principal_fen"`
	} `json:"new"` // the deposit that a rollover opens
}

// counted are the events that mean something for products.
var counted = []string{
	"AccountOpened", "AccountClosed",
	"DepositOpened", "DepositMatured", "DepositRedeemedEarly", "DepositRedeemedAfterMaturity", "DepositDeducted", "DepositRolledOver",
	"CreditLineGranted", "LoanDisbursed", "RepaymentApplied", "LoanPrepaid", "LoanSettled",
}

// event counts what the domain event means for products. Types that came after this program are passed
// over: their entries have been counted.
func (c *changes) event(env *streams.Envelope) error {
	if !slices.Contains(counted, env.Type) {
		return nil
	}
	var e payload
	if err := json.Unmarshal(env.Payload, &e); err != nil {
		return fmt.Errorf("payload of %s: %w", env.Type, err)
	}
	switch env.Type {
	case "AccountOpened":
		c.product(e.Product, Account).opened++
	case "AccountClosed":
		c.product(e.Product, Account).closed++
	case "DepositOpened":
		c.open(&e, Deposit, e.PrincipalFen)
	case "DepositMatured", "DepositRedeemedEarly", "DepositRedeemedAfterMaturity", "DepositDeducted":
		t := c.product(e.Product, Deposit)
		t.balanceFen -= e.PrincipalFen
		if e.RemainingFen == 0 {
			t.closed++
		}
	case "DepositRolledOver":
		c.open(&e, Deposit, e.New.PrincipalFen-e.PrincipalFen)
		c.product(e.Product, Deposit).closed++
	case "CreditLineGranted":
		c.open(&e, CreditLine, e.LimitFen)
	case "LoanDisbursed":
		c.open(&e, Loan, e.PrincipalFen)
	case "RepaymentApplied":
		for _, a := range e.Allocation {
			c.product(e.Product, Loan).balanceFen -= a.PrincipalFen
		}
	case "LoanPrepaid":
		c.product(e.Product, Loan).balanceFen -= e.PrincipalFen
	case "LoanSettled":
		t := c.product(e.Product, Loan)
		t.closed++
		t.balanceFen -= e.PrincipalFen
	}
	return nil
}

func (c *changes) open(e *payload, kind Kind, fen int64) {
	t := c.product(e.Product, kind)
	t.opened++
	t.balanceFen += fen
}

func (c *changes) product(product string, kind Kind) *productTotals {
	key := productKey{product, kind}
	t := c.products[key]
	if t == nil {
		t = new(productTotals)
		c.products[key] = t
	}
	return t
}
