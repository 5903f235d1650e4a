package embedded

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/suanpan-bank/suanpan/journal"
)

// Customers' counters in the store lie in rows of neighbours. A checkpoint writes those of everybody who had a record
// since the one before, and a row costs what it is to be put in order, written and merged several times over, whether
// there is one customer in it or all of them. Whoever of a row has not changed is read and written again: where
// customers are so many that few of a row have changed, that is still cheaper than a row for each.

// headsOfRow is how many customers share a row: some 700 bytes.
const headsOfRow = 64

// appendHeads appends the form of a row: who it is, from the row's first on, and his counters; in rising order.
func appendHeads(b []byte, row []party) []byte {
	b = append(b, headsVersion)
	for _, p := range row {
		b = append(b, byte(p.customer%headsOfRow))
		b = binary.AppendUvarint(b, p.head.Seq)
		b = binary.AppendUvarint(b, p.head.EventSeq)
		b = binary.AppendUvarint(b, uint64(p.head.last))
	}
	return b
}

// decodeHeads appends those of the row to out.
func decodeHeads(b []byte, row uint64, out []party) ([]party, error) {
	in, ok := rowReader(b, headsVersion)
	if !ok {
		return out, errMalformedRow
	}
	for next := byte(0); len(in.b) > 0; {
		place := in.b[0]
		in.b = in.b[1:]
		p := party{customer: row*headsOfRow + uint64(place)}
		p.head.Seq, p.head.EventSeq = in.uvarint(math.MaxUint64), in.uvarint(math.MaxUint64)
		p.head.last = journal.Position(in.uvarint(math.MaxUint64))
		if in.bad || place < next || place >= headsOfRow || p.head.last == 0 {
			return out, errMalformedRow
		}
		next = place + 1
		out = append(out, p)
	}
	return out, nil
}

// mergedHeads are those of a row with what has changed, both in rising order.
func mergedHeads(out, stored, changed []party) []party {
	for _, p := range stored {
		for len(changed) > 0 && changed[0].customer < p.customer {
			out, changed = append(out, changed[0]), changed[1:]
		}
		if len(changed) > 0 && changed[0].customer == p.customer {
			continue
		}
		out = append(out, p)
	}
	return append(out, changed...)
}

// setHeads writes the counters of all in the table, with those of their neighbours.
func (s *store) setHeads(w *rows, heads *headTable) (err error) {
	changed := make([]party, 0, heads.n)
	for customer, h := range heads.all() {
		changed = append(changed, party{customer, h})
	}
	slices.SortFunc(changed, func(a, b party) int { return cmp.Compare(a.customer, b.customer) })
	stored, err := s.walk(w.db, keyHeads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stored.close()) }()
	var before, row []party
	var key, value []byte
	for len(changed) > 0 {
		number := changed[0].customer / headsOfRow
		n := 1
		for n < len(changed) && changed[n].customer/headsOfRow == number {
			n++
		}
		before, row = before[:0], row[:0]
		if n < headsOfRow {
			if before, err = stored.heads(number, before); err != nil {
				return err
			}
		}
		row = mergedHeads(row, before, changed[:n])
		changed = changed[n:]
		key = binary.BigEndian.AppendUint64(append(key[:0], keyHeads), number)
		value = appendHeads(value[:0], row)
		w.set(key, value)
	}
	return nil
}

func (s *store) head(customer uint64) (h head, err error) {
	number := customer / headsOfRow
	err = s.get(rowKey(keyHeads, number), func(value []byte) error {
		row, err := decodeHeads(value, number, make([]party, 0, headsOfRow))
		if i, ok := slices.BinarySearchFunc(row, customer, byCustomer); ok {
			h = row[i].head
		}
		return err
	})
	if err != nil || h.last != 0 {
		return h, err
	}
	err = s.get(rowKey(keyHead, customer), func(value []byte) (err error) {
		h, err = decodeHead(value)
		return err
	})
	return h, err
}

func byCustomer(p party, customer uint64) int { return cmp.Compare(p.customer, customer) }

// heads calls each with the counters of those of the customers, in rising order, that have any. The next row is often
// the next customer's, or near: that is cheaper than looking for him.
func (s *store) heads(customers []uint64, each func(customer uint64, h head)) (err error) {
	db, err := s.open(false)
	if db == nil {
		return err
	}
	rows, err := s.walk(db, keyHeads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.close()) }()
	var lacking []uint64
	row := make([]party, 0, headsOfRow)
	for i, customer := range customers {
		if number := customer / headsOfRow; i == 0 || number != customers[i-1]/headsOfRow {
			if row, err = rows.heads(number, row[:0]); err != nil {
				return err
			}
		}
		if k, ok := slices.BinarySearchFunc(row, customer, byCustomer); ok {
			each(customer, row[k].head)
		} else {
			lacking = append(lacking, customer)
		}
	}
	return s.olderHeads(db, lacking, each)
}

// olderHeads is heads in the rows of one customer each that earlier versions wrote.
func (s *store) olderHeads(db *pebble.DB, customers []uint64, each func(customer uint64, h head)) (err error) {
	rows, err := s.walk(db, keyHead)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.close()) }()
	for _, customer := range customers {
		value, err := rows.find(customer)
		if err != nil {
			return err
		}
		if rows.ended() {
			break
		}
		if value == nil {
			continue
		}
		h, err := decodeHead(value)
		if err != nil {
			return fmt.Errorf("journal: read %s: customer %d: %w", s.dir, customer, err)
		}
		each(customer, h)
	}
	return nil
}

// walk goes through rows of one kind by rising numbers.
type walk struct {
	store *store
	rows  *pebble.Iterator
	kind  byte
	key   []byte
	begun bool
}

// rowsNear is how many rows are passed over before the next one is looked for.
const rowsNear = 32

func (s *store) walk(db *pebble.DB, kind byte) (*walk, error) {
	rows, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	if err != nil {
		return nil, fmt.Errorf("journal: read %s: %w", s.dir, err)
	}
	return &walk{store: s, rows: rows, kind: kind}, nil
}

// find goes on to the row of the number; nil: there is none. The value is valid until the next call.
func (w *walk) find(number uint64) (value []byte, err error) {
	w.key = binary.BigEndian.AppendUint64(append(w.key[:0], w.kind), number)
	for near := 0; near < rowsNear && w.behind(); near++ {
		w.rows.Next()
	}
	if !w.begun || w.behind() {
		w.begun = true
		w.rows.SeekGE(w.key)
	}
	if err := w.rows.Error(); err != nil {
		return nil, fmt.Errorf("journal: read %s: %w", w.store.dir, err)
	}
	if w.ended() || !bytes.Equal(w.rows.Key(), w.key) {
		return nil, nil
	}
	return w.rows.Value(), nil
}

// behind reports whether the walk is at a row before the one looked for.
func (w *walk) behind() bool { return w.rows.Valid() && bytes.Compare(w.rows.Key(), w.key) < 0 }

// ended reports whether there are no more rows.
func (w *walk) ended() bool { return w.begun && !w.rows.Valid() }

// heads appends the counters of the row.
func (w *walk) heads(number uint64, out []party) ([]party, error) {
	value, err := w.find(number)
	if err != nil || value == nil {
		return out, err
	}
	if out, err = decodeHeads(value, number, out); err != nil {
		return out, fmt.Errorf("journal: read %s: counters %d: %w", w.store.dir, number, err)
	}
	return out, nil
}

func (w *walk) close() error {
	if err := w.rows.Close(); err != nil {
		return fmt.Errorf("journal: read %s: %w", w.store.dir, err)
	}
	return nil
}
