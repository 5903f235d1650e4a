package reporting

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/suanpan-bank/suanpan/bank"
)

// What earlier programs kept in other tables is taken up when a report is opened, in one transaction: how far customers are
// by their names (customers, ahead), then by shard and number (progress, beyond); and accounts by their id as text.

// rowNumberBits are below the shard in the number of a row of progress: a customer's number, or zero for the shard's house.
const rowNumberBits = 32

func customerOf(row int64) bank.CustomerNo {
	if no := bank.CustomerNo(row & (1<<rowNumberBits - 1)); no != 0 {
		return no
	}
	return bank.HouseNo(uint16(row >> rowNumberBits))
}

// adopt takes up what there is.
func (r *Report) adopt(ctx context.Context) error {
	tx, err := r.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	a := &adoption{ctx: ctx, tx: tx, statements: &r.store, blocks: make(map[int64]*block)}
	byName := func(rows *sql.Rows) (bank.CustomerNo, int64, error) {
		var name string
		var seq int64
		if err := rows.Scan(&name, &seq); err != nil {
			return 0, 0, err
		}
		customer, err := bank.ParseCustomerNo(name)
		return customer, seq, err
	}
	byRow := func(rows *sql.Rows) (bank.CustomerNo, int64, error) {
		var row, seq int64
		err := rows.Scan(&row, &seq)
		return customerOf(row), seq, err
	}
	a.progress("customers", byName)
	a.progress("progress", byRow)
	a.early("ahead", byName)
	a.early("beyond", byRow)
	a.accounts("accounts")
	if a.err == nil {
		a.err = a.store()
	}
	if a.err != nil {
		return a.err
	}
	return tx.Commit()
}

// adoption is done step by step until one fails.
type adoption struct {
	ctx        context.Context
	tx         *sql.Tx
	statements *statements
	err        error
	events     int64
	blocks     map[int64]*block
}

// take calls fn with the rows of a table, if there is one, and drops it.
func (a *adoption) take(table, columns string, fn func(*sql.Rows) error) {
	var there int
	if a.err == nil {
		a.err = a.tx.QueryRowContext(a.ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?`, table).Scan(&there)
	}
	if a.err != nil || there == 0 {
		return
	}
	if a.err = each(a.ctx, a.tx, `SELECT `+columns+` FROM `+table, fn); a.err == nil {
		_, a.err = a.tx.ExecContext(a.ctx, `DROP TABLE `+table)
	}
}

type progressRow func(*sql.Rows) (bank.CustomerNo, int64, error)

func (a *adoption) progress(table string, row progressRow) {
	a.take(table, "customer, seq", func(rows *sql.Rows) error {
		customer, seq, err := row(rows)
		no := int64(customer) / blockCustomers
		if a.blocks[no] == nil {
			a.blocks[no] = &block{no: no}
		}
		a.blocks[no].seqs[customer%blockCustomers] = uint64(seq)
		a.events += seq
		return err
	})
}

func (a *adoption) early(table string, row progressRow) {
	a.take(table, "customer, seq", func(rows *sql.Rows) error {
		customer, seq, err := row(rows)
		if err == nil {
			_, err = a.tx.ExecContext(a.ctx, `INSERT INTO early VALUES (?, ?)`, int64(customer), seq)
		}
		a.events++
		return err
	})
}

func (a *adoption) accounts(table string) {
	to := &storing{tx: a.tx}
	list := make([]accountChange, 0, storeTurn)
	a.take(table, "ledger, id, debits_pending, debits_posted, credits_pending, credits_posted", func(rows *sql.Rows) error {
		var c accountChange
		var text []byte
		if err := rows.Scan(&c.ledger, &text, &c.DebitsPending, &c.DebitsPosted, &c.CreditsPending, &c.CreditsPosted); err != nil {
			return err
		}
		if err := c.id.UnmarshalText(text); err != nil {
			return fmt.Errorf("account %q: %w", text, err)
		}
		if list = append(list, c); len(list) == cap(list) {
			to.accounts(a.statements, list)
			list = list[:0]
		}
		return to.err
	})
	if to.accounts(a.statements, list); a.err == nil {
		a.err = to.err
	}
}

func (a *adoption) store() error {
	for _, b := range a.blocks {
		if _, err := a.tx.ExecContext(a.ctx, `INSERT INTO counted VALUES (?, ?)`, b.no, b.appendTo(nil)); err != nil {
			return err
		}
	}
	if a.events == 0 {
		return nil
	}
	_, err := a.tx.ExecContext(a.ctx, `INSERT INTO about VALUES ('events', ?)`, a.events)
	return err
}
