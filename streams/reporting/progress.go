package reporting

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/suanpan-bank/suanpan/bank"
)

// How far customers are (处理进度): which of each one's events have been counted.
//
// The problem: a day's end brings one event for everybody, a shard after the other. With a row for each customer in the
// order of their numbers, each customer of a batch is on another page as soon as there are many, and each page is written
// twice, to the log and from there. So the customers of a shard lie side by side (rowOf).

// progress is which of a customer's events have been counted: all up to seq, and those ahead. The report
// remembers it between batches, for progressMax customers: most of a batch's customers were in the last.
type progress struct {
	seq    uint64
	stored uint64
	ahead  map[uint64]bool // nil: none; false: was ahead, is not any more
}

const (
	// progressMaxDefault bounds the customers remembered, at about 100 bytes each.
	progressMaxDefault = 200_000
	// customersAtOnce is how many customers' progress one statement reads or stores.
	customersAtOnce = 50
)

// rowNumberBits are below the shard in a row's number: a customer's number, or zero for the shard's house.
const rowNumberBits = 32

// rowOf is the number of the row where a customer's progress lies. It is stored: never change it.
func rowOf(no bank.CustomerNo) int64 {
	row := int64(no.Shard()) << rowNumberBits
	if no.IsHouse() {
		return row
	}
	return row | int64(no)
}

func customerOf(row int64) bank.CustomerNo {
	if no := bank.CustomerNo(row & (1<<rowNumberBits - 1)); no != 0 {
		return no
	}
	return bank.HouseNo(uint16(row >> rowNumberBits))
}

func byRow(a, b bank.CustomerNo) int { return cmp.Compare(rowOf(a), rowOf(b)) }

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

// wait notes an event beyond a missing one.
func (p *progress) wait(seq uint64) {
	if p.ahead == nil {
		p.ahead = make(map[uint64]bool)
	}
	p.ahead[seq] = true
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

// meet finds how far the customers of a batch are.
func (c *changes) meet(tx *sql.Tx, events []event) error {
	var strangers []any
	known := c.report.known
	for i := range events {
		customer := events[i].customer
		if events[i].ActorSeq == 0 || c.customers[customer] != nil {
			continue // not readable, or met
		}
		p := known[customer]
		if p == nil {
			p = new(progress)
			strangers = append(strangers, rowOf(customer))
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
	return `SELECT 0, customer, seq FROM progress WHERE customer IN ` + in + ` UNION ALL SELECT 1, customer, seq FROM beyond WHERE customer IN ` + in
}

func (c *changes) read(query *sql.Stmt, customers []any) error {
	rows, err := query.Query(customers...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var ahead bool
		var row int64
		var seq uint64
		if err := rows.Scan(&ahead, &row, &seq); err != nil {
			return err
		}
		p := c.customers[customerOf(row)]
		if ahead {
			p.wait(seq)
			continue
		}
		p.seq, p.stored = seq, seq
	}
	return rows.Err()
}

// storeProgress stores how far the customers of a batch have come.
func (c *changes) storeProgress(s *statements) {
	var rows []any
	for _, customer := range slices.SortedFunc(maps.Keys(c.customers), byRow) {
		p := c.customers[customer]
		if p.seq != p.stored {
			if rows = append(rows, rowOf(customer), p.seq); len(rows) == 2*customersAtOnce {
				s.run(upsertProgress(customersAtOnce), rows...)
				rows = rows[:0]
			}
		}
		for seq, ahead := range p.ahead {
			if ahead {
				s.run(`INSERT OR IGNORE INTO beyond VALUES (?, ?)`, rowOf(customer), seq)
			} else {
				s.run(`DELETE FROM beyond WHERE customer = ? AND seq = ?`, rowOf(customer), seq)
			}
		}
	}
	for ; len(rows) > 0; rows = rows[2:] {
		s.run(upsertProgress(1), rows[:2]...)
	}
}

func upsertProgress(rows int) string {
	return `INSERT INTO progress VALUES (?, ?)` + strings.Repeat(`, (?, ?)`, rows-1) + ` ON CONFLICT DO UPDATE SET seq = excluded.seq`
}

// adopt takes up what an earlier program has kept by customers' names, in tables of its own.
func (r *Report) adopt(ctx context.Context) error {
	tx, err := r.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	for _, table := range [...]struct{ from, to string }{{"customers", "progress"}, {"ahead", "beyond"}} {
		var there int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?`, table.from).Scan(&there); err != nil {
			return err
		}
		if there == 0 {
			continue
		}
		var rows [][2]int64
		err := each(ctx, tx, `SELECT customer, seq FROM `+table.from, func(found *sql.Rows) error {
			var name string
			var seq int64
			if err := found.Scan(&name, &seq); err != nil {
				return err
			}
			customer, err := bank.ParseCustomerNo(name)
			rows = append(rows, [2]int64{rowOf(customer), seq})
			return err
		})
		if err != nil {
			return err
		}
		slices.SortFunc(rows, func(a, b [2]int64) int { return cmp.Compare(a[0], b[0]) })
		s := &statements{tx: tx}
		for _, row := range rows {
			s.run(`INSERT INTO `+table.to+` VALUES (?, ?)`, row[0], row[1])
		}
		s.run(`DROP TABLE ` + table.from)
		if s.err != nil {
			return s.err
		}
	}
	return tx.Commit()
}
