package reporting

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/suanpan-bank/suanpan/bank"
)

// rowsAtOnce is how many accounts one statement stores.
const rowsAtOnce = 40

// statements are prepared once: to prepare one takes longer than to run it.
type statements struct {
	accounts, account, product, block, early, late, offset, dead, about *sql.Stmt

	blockOf, earlyOf *sql.Stmt // queries
}

func (s *statements) prepare(db *sql.DB) error {
	for _, p := range [...]struct {
		to    **sql.Stmt
		query string
	}{
		{&s.accounts, upsertAccounts(rowsAtOnce)},
		{&s.account, upsertAccounts(1)},
		{&s.product, `INSERT INTO products VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
			opened = opened + excluded.opened, closed = closed + excluded.closed, balance_fen = balance_fen + excluded.balance_fen`},
		{&s.block, `INSERT INTO counted VALUES (?, ?) ON CONFLICT DO UPDATE SET seqs = excluded.seqs`},
		{&s.early, `INSERT OR IGNORE INTO early VALUES (?, ?)`},
		{&s.late, `DELETE FROM early WHERE customer = ? AND seq = ?`},
		{&s.offset, `INSERT INTO offsets VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next = excluded.next`},
		{&s.dead, `INSERT OR IGNORE INTO dlq VALUES (?, ?, ?, ?, ?)`},
		{&s.about, `INSERT INTO about VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`},
		{&s.blockOf, `SELECT seqs FROM counted WHERE block = ?`},
		{&s.earlyOf, `SELECT customer, seq FROM early WHERE customer >= ? AND customer < ?`},
	} {
		stmt, err := db.Prepare(p.query)
		if err != nil {
			return err
		}
		*p.to = stmt
	}
	return nil
}

func upsertAccounts(rows int) string {
	return `INSERT INTO ledger_accounts VALUES (?, ?, ?, ?, ?, ?, ?, ?)` + strings.Repeat(`, (?, ?, ?, ?, ?, ?, ?, ?)`, rows-1) + ` ON CONFLICT DO UPDATE SET
		debits_pending = debits_pending + excluded.debits_pending, debits_posted = debits_posted + excluded.debits_posted,
		credits_pending = credits_pending + excluded.credits_pending, credits_posted = credits_posted + excluded.credits_posted`
}

// storeChanges stores what has been counted, in one transaction made of small pieces of work: whoever reads the database
// is not held up, and requests are between the pieces.
func (r *Report) storeChanges(ctx context.Context) error {
	tx, err := r.write.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	c := &r.changes
	s := &storing{tx: tx}
	work := r.options.Pace.Begin(ctx)
	// In the order of the tables' keys: what lies on one page is changed at once.
	var sorted merge
	for some := range slices.Chunk(c.accounts, sortTurn) {
		work.Next(ctx)
		slices.SortFunc(some, byKey)
		sorted = append(sorted, some)
	}
	for some := sorted.next(nil); len(some) > 0; some = sorted.next(some[:0]) {
		work.Next(ctx)
		s.accounts(&r.store, some)
	}
	slices.SortFunc(c.blocks, func(a, b *block) int { return cmp.Compare(a.no, b.no) })
	for some := range slices.Chunk(c.blocks, storeTurn) {
		work.Next(ctx)
		for _, b := range some {
			s.text = b.appendTo(s.text[:0])
			s.run(r.store.block, b.no, s.text)
		}
	}
	work.Next(ctx)
	for e, ahead := range c.early {
		if ahead {
			s.run(r.store.early, int64(e.customer), int64(e.seq))
		} else {
			s.run(r.store.late, int64(e.customer), int64(e.seq))
		}
	}
	for key, t := range c.products {
		s.run(r.store.product, key.product, string(key.kind), t.opened, t.closed, t.balanceFen)
	}
	for at, next := range c.offsets {
		s.run(r.store.offset, at.topic, at.partition, next)
	}
	for _, d := range c.dead {
		s.run(r.store.dead, d.topic, d.partition, d.offset, d.reason, d.value)
	}
	s.run(r.store.about, "events", r.events)
	err = s.err
	if err == nil {
		err = tx.Commit()
	}
	work.End(ctx)
	if err != nil {
		return err
	}
	for _, b := range c.blocks {
		b.changed = false
	}
	c.clear()
	if len(r.blocks) >= r.blocksMax {
		clear(r.blocks)
		clear(r.early)
	}
	return nil
}

// merge are accounts sorted piece by piece, of which each has the smaller keys first.
type merge [][]accountChange

// next takes the accounts of the smallest keys, a turn's worth of them; none when there are no more.
func (m merge) next(out []accountChange) []accountChange {
	for len(out) < storeTurn {
		least := -1
		for i := range m {
			if len(m[i]) > 0 && (least < 0 || byKey(m[i][0], m[least][0]) < 0) {
				least = i
			}
		}
		if least < 0 {
			break
		}
		out = append(out, m[least][0])
		m[least] = m[least][1:]
	}
	return out
}

func byKey(a, b accountChange) int {
	return cmp.Or(cmp.Compare(a.ledger, b.ledger), cmp.Compare(a.id.Hi, b.id.Hi), cmp.Compare(a.id.Lo, b.id.Lo))
}

// storing runs statements until the first fails.
type storing struct {
	tx   *sql.Tx
	args []any
	text []byte
	err  error
}

func (s *storing) run(stmt *sql.Stmt, args ...any) {
	if s.err == nil {
		_, s.err = s.tx.Stmt(stmt).Exec(args...)
	}
}

func (s *storing) accounts(to *statements, list []accountChange) {
	for some := range slices.Chunk(list, rowsAtOnce) {
		s.args = s.args[:0]
		for i := range some {
			a := &some[i]
			detail, owner, seq := bank.SplitLedgerID(bank.U128(a.id))
			s.args = append(s.args, int64(a.ledger), int64(detail), int64(owner), int64(seq),
				a.DebitsPending, a.DebitsPosted, a.CreditsPending, a.CreditsPosted)
		}
		if len(some) == rowsAtOnce {
			s.run(to.accounts, s.args...)
			continue
		}
		for rest := s.args; len(rest) > 0; rest = rest[8:] {
			s.run(to.account, rest[:8]...)
		}
	}
}
