package reporting

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	customers map[string]*progress
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

// progress is which of a customer's events have been counted: all up to seq, and those ahead. The report
// remembers it between batches, for progressMax customers: most of a batch's customers were in the last.
type progress struct {
	seq    uint64
	stored uint64
	ahead  map[uint64]bool // nil: none; false: was ahead, is not any more
}

// progressMaxDefault bounds the customers remembered, at about 150 bytes each.
const progressMaxDefault = 200_000

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
		customers: make(map[string]*progress), offsets: make(map[place]int64),
	}
	envelopes := make([]streams.Envelope, len(batch))
	for i := range batch {
		m := &batch[i]
		c.offsets[m.place] = m.offset + 1
		if envelopes[i], err = streams.Decode(m.value); err != nil {
			c.dead = append(c.dead, deadLetter{*m, err.Error()})
		}
	}
	if err := c.meet(tx, envelopes); err != nil {
		return err
	}
	for i := range envelopes {
		if envelopes[i].ActorSeq != 0 {
			c.take(&batch[i], &envelopes[i])
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

// settle notes that the database has it.
func (p *progress) settle() {
	p.stored = p.seq
	for seq, ahead := range p.ahead {
		if !ahead {
			delete(p.ahead, seq)
		}
	}
}

// take counts an event, unless it has been counted.
func (c *changes) take(m *message, env *streams.Envelope) {
	if !c.customers[env.CustomerToken].count(env.ActorSeq) {
		return
	}
	for i := range env.Entries {
		env.Entries[i].Apply(c.balances)
	}
	if err := c.event(env); err != nil {
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

// meet finds how far the customers of a batch are.
func (c *changes) meet(tx *sql.Tx, envelopes []streams.Envelope) error {
	var strangers []any
	known := c.report.known
	for i := range envelopes {
		customer := envelopes[i].CustomerToken
		if envelopes[i].ActorSeq == 0 || c.customers[customer] != nil {
			continue // not readable, or met
		}
		p := known[customer]
		if p == nil {
			p = new(progress)
			strangers = append(strangers, customer)
		}
		c.customers[customer] = p
	}
	if len(known)+len(strangers) > c.report.progressMax {
		clear(known)
	}
	maps.Copy(known, c.customers)
	if len(strangers) == 0 {
		return nil
	}
	query := tx.Stmt(c.report.progress) // it ends with the transaction
	for some := range slices.Chunk(strangers, customersAtOnce) {
		for len(some) < customersAtOnce {
			some = append(some[:len(some):len(some)], some[0])
		}
		if err := c.read(query, some); err != nil {
			return err
		}
	}
	return nil
}

// progressQuery finds which of some customers' events have been counted: all up to one, and those ahead.
func progressQuery(customers int) string {
	in := "(?1"
	for i := range customers - 1 {
		in += fmt.Sprintf(", ?%d", i+2)
	}
	in += ")"
	return `SELECT 0, customer, seq FROM customers WHERE customer IN ` + in + ` UNION ALL SELECT 1, customer, seq FROM ahead WHERE customer IN ` + in
}

func (c *changes) read(query *sql.Stmt, customers []any) error {
	rows, err := query.Query(customers...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var ahead bool
		var customer string
		var seq uint64
		if err := rows.Scan(&ahead, &customer, &seq); err != nil {
			return err
		}
		p := c.customers[customer]
		if ahead {
			p.wait(seq)
			continue
		}
		p.seq, p.stored = seq, seq
	}
	return rows.Err()
}

// wait notes an event beyond a missing one.
func (p *progress) wait(seq uint64) {
	if p.ahead == nil {
		p.ahead = make(map[uint64]bool)
	}
	p.ahead[seq] = true
}

// count notes an event; false if it was counted before.
func (p *progress) count(seq uint64) bool {
	switch {
	case seq <= p.seq || p.ahead[seq]:
		return false
	case seq > p.seq+1:
		p.wait(seq)
		return true
	}
	for p.seq++; p.ahead[p.seq+1]; p.seq++ {
		p.ahead[p.seq+1] = false
	}
	return true
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

// customersAtOnce is how many customers' progress one statement reads or stores: a day's end brings an event for everybody.
const customersAtOnce = 50

func upsertCustomers(rows int) string {
	return `INSERT INTO customers VALUES (?, ?)` + strings.Repeat(`, (?, ?)`, rows-1) + ` ON CONFLICT DO UPDATE SET seq = excluded.seq`
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
	var rows []any
	for customer, p := range c.customers {
		if p.seq != p.stored {
			if rows = append(rows, customer, p.seq); len(rows) == 2*customersAtOnce {
				s.run(upsertCustomers(customersAtOnce), rows...)
				rows = rows[:0]
			}
		}
		for seq, ahead := range p.ahead {
			if ahead {
				s.run(`INSERT OR IGNORE INTO ahead VALUES (?, ?)`, customer, seq)
			} else {
				s.run(`DELETE FROM ahead WHERE customer = ? AND seq = ?`, customer, seq)
			}
		}
	}
	for ; len(rows) > 0; rows = rows[2:] {
		s.run(upsertCustomers(1), rows[:2]...)
	}
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
