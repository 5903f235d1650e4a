package reporting

import (
	"database/sql"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/streams"
)

// changes are what a batch of messages comes to; they go into the database at once.
type changes struct {
	report    *Report
	accounts  map[accountKey]*streams.Balances // differences
	products  map[productKey]*productTotals    // differences
	customers map[bank.CustomerNo]*progress
	offsets   map[place]int64
	dead      []deadLetter
}

type accountKey struct {
	ledger uint32
	id     ledger.Uint128
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

// apply counts a batch in one transaction.
func (r *Report) apply(batch []message) error {
	tx, err := r.write.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	c := &changes{
		report: r, accounts: make(map[accountKey]*streams.Balances), products: make(map[productKey]*productTotals),
		customers: make(map[bank.CustomerNo]*progress), offsets: make(map[place]int64),
	}
	events := make([]event, len(batch))
	for i := range batch {
		m := &batch[i]
		c.offsets[m.place] = m.offset + 1
		if events[i], err = read(m.value); err != nil {
			c.dead = append(c.dead, deadLetter{*m, err.Error()})
		}
	}
	if err := c.meet(tx, events); err != nil {
		return err
	}
	for i := range events {
		if events[i].ActorSeq != 0 {
			c.take(&batch[i], &events[i])
		}
	}
	if err := c.store(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, p := range c.customers {
		p.settle()
	}
	return nil
}

// event is what a message says, and of whom.
type event struct {
	streams.Envelope
	customer bank.CustomerNo
}

// read reads a message; with an error nothing of it counts.
func read(value []byte) (event, error) {
	env, err := streams.Decode(value)
	if err != nil {
		return event{}, err
	}
	customer, err := bank.ParseCustomerNo(env.CustomerToken)
	if err != nil {
		return event{}, fmt.Errorf("customer %q: %w", env.CustomerToken, err)
	}
	return event{env, customer}, nil
}

// take counts an event, unless it has been counted.
func (c *changes) take(m *message, e *event) {
	if !c.customers[e.customer].count(e.ActorSeq) {
		return
	}
	for i := range e.Entries {
		e.Entries[i].Apply(c.balances)
	}
	if err := c.event(&e.Envelope); err != nil {
		c.dead = append(c.dead, deadLetter{*m, err.Error()})
	}
}

func (c *changes) balances(ledgerNo uint32, id ledger.Uint128) *streams.Balances {
	key := accountKey{ledgerNo, id}
	b := c.accounts[key]
	if b == nil {
		b = new(streams.Balances)
		c.accounts[key] = b
	}
	return b
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

// store adds the changes to the tables.
func (c *changes) store(tx *sql.Tx) error {
	s := &statements{tx: tx}
	for key, b := range c.accounts {
		detail, _, _ := bank.SplitLedgerID(bank.U128(key.id))
		id, _ := key.id.MarshalText() // never fails
		s.run(`INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
			debits_pending = debits_pending + excluded.debits_pending, debits_posted = debits_posted + excluded.debits_posted,
			credits_pending = credits_pending + excluded.credits_pending, credits_posted = credits_posted + excluded.credits_posted`,
			key.ledger, id, detail, b.DebitsPending, b.DebitsPosted, b.CreditsPending, b.CreditsPosted)
	}
	for key, t := range c.products {
		s.run(`INSERT INTO products VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
			opened = opened + excluded.opened, closed = closed + excluded.closed, balance_fen = balance_fen + excluded.balance_fen`,
			key.product, string(key.kind), t.opened, t.closed, t.balanceFen)
	}
	c.storeProgress(s)
	for at, next := range c.offsets {
		s.run(`INSERT INTO offsets VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next = excluded.next`, at.topic, at.partition, next)
	}
	for _, d := range c.dead {
		s.run(`INSERT OR IGNORE INTO dlq VALUES (?, ?, ?, ?, ?)`, d.topic, d.partition, d.offset, d.reason, d.value)
	}
	return s.err
}

// statements runs statements, each prepared once, until the first fails.
type statements struct {
	tx       *sql.Tx
	prepared map[string]*sql.Stmt
	err      error
}

func (s *statements) run(query string, args ...any) {
	if s.err != nil {
		return
	}
	stmt := s.prepared[query]
	if stmt == nil {
		if stmt, s.err = s.tx.Prepare(query); s.err != nil {
			return
		}
		if s.prepared == nil {
			s.prepared = make(map[string]*sql.Stmt)
		}
		s.prepared[query] = stmt
	}
	_, s.err = stmt.Exec(args...)
}
