package reporting

import (
	"encoding/binary"
	"errors"
	"fmt"

	"database/sql"

	"github.com/suanpan-bank/suanpan/bank"
)

// How far customers are (处理进度): which of each one's events have been counted.
//
// The problem: there is a number for each customer, which most events change. With a row for each that is as much work as
// all balances, and where there are many customers each row is on a page of its own. So the numbers of customers with
// neighbouring numbers share a row, and are kept in memory: eight bytes a customer there, one or two in the table.

const (
	// blockCustomers are in a block. It is stored: never change it.
	blockCustomers = 256
	// blocksMaxDefault bounds the blocks in memory, two kilobytes each: those of 16 million customers.
	blocksMaxDefault = 64 << 10
)

// block is how many of some customers' events have been counted, in their order: all up to a number. Those beyond a
// missing one are in Report.early.
type block struct {
	no      int64
	changed bool // since it was stored
	seqs    [blockCustomers]uint64
}

// earlyEvent is an event that came before another one of the customer.
type earlyEvent struct {
	customer bank.CustomerNo
	seq      uint64
}

var errBlock = errors.New("torn block of counted events")

// appendTo appends the block's numbers as varints.
func (b *block) appendTo(text []byte) []byte {
	for _, seq := range b.seqs {
		text = binary.AppendUvarint(text, seq)
	}
	return text
}

func (b *block) readFrom(text []byte) error {
	for i := range b.seqs {
		seq, n := binary.Uvarint(text)
		if n <= 0 {
			return fmt.Errorf("%w: %d", errBlock, b.no)
		}
		b.seqs[i], text = seq, text[n:]
	}
	if len(text) > 0 {
		return fmt.Errorf("%w: %d", errBlock, b.no)
	}
	return nil
}

// note notes a customer's event; false if it was counted before. An error is the database's.
func (r *Report) note(customer bank.CustomerNo, seq uint64) (isNew bool, err error) {
	b := r.blocks[int64(customer)/blockCustomers]
	if b == nil {
		if b, err = r.load(int64(customer) / blockCustomers); err != nil {
			return false, err
		}
	}
	done := &b.seqs[customer%blockCustomers]
	early := r.early[customer]
	switch {
	case seq <= *done || early[seq]:
		return false, nil
	case seq > *done+1:
		r.expect(customer, seq)
		r.changes.early[earlyEvent{customer, seq}] = true
	default:
		for *done = seq; early[*done+1]; *done++ {
			delete(early, *done+1)
			r.changes.early[earlyEvent{customer, *done + 1}] = false
		}
		if early != nil && len(early) == 0 {
			delete(r.early, customer)
		}
		if !b.changed {
			b.changed = true
			r.changes.blocks = append(r.changes.blocks, b)
		}
	}
	r.events++
	return true, nil
}

// expect notes an event beyond a missing one.
func (r *Report) expect(customer bank.CustomerNo, seq uint64) {
	if r.early[customer] == nil {
		r.early[customer] = make(map[uint64]bool)
	}
	r.early[customer][seq] = true
}

// load reads a block, and what came too early of its customers.
func (r *Report) load(no int64) (*block, error) {
	b := &block{no: no}
	var text []byte
	err := r.store.blockOf.QueryRow(no).Scan(&text)
	if err == nil {
		err = b.readFrom(text)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	rows, err := r.store.earlyOf.Query(no*blockCustomers, (no+1)*blockCustomers)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var customer int64
		var seq uint64
		if err := rows.Scan(&customer, &seq); err != nil {
			return nil, err
		}
		r.expect(bank.CustomerNo(customer), seq)
	}
	r.blocks[no] = b
	return b, rows.Err()
}
