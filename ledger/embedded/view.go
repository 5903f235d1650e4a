package embedded

import (
	"errors"

	"github.com/suanpan-bank/suanpan/ledger"
)

// View is all accounts as they were at one moment, read while the engine goes on. What changes before it has been
// read is put aside as it was, as for a snapshot; the engine waits for the copying of one piece at a time.
type View struct {
	e    *Engine
	rows imagedRows
	kept map[uint32]savedAccount // put aside
}

// ErrViewUnderWay is returned by View while the one before is still being read.
var ErrViewUnderWay = errors.New("ledger: the accounts are being read as of another moment")

// View takes the moment, between two batches. The caller must Close the view. Memory: a bit for each account, and some
// 200 bytes for each that changes before it is read.
func (e *Engine) View() (*View, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.view != nil {
		return nil, ErrViewUnderWay
	}
	e.view = &View{
		e: e, rows: imagedRows{limit: e.accounts.n, seen: make([]uint64, (e.accounts.n+63)/64)}, kept: make(map[uint32]savedAccount),
	}
	return e.view, nil
}

// keep puts an account aside that is about to change.
func (v *View) keep(row uint32, a savedAccount) {
	v.rows.seen[row/64] |= 1 << (row % 64)
	v.kept[row] = a
}

// EachAccount calls visit for every account in order of creation until it returns false. The balances visited add up.
// visit must not keep the pointer. It may be called once.
func (v *View) EachAccount(visit func(*ledger.Account) bool) {
	rows, owners := make([]savedAccount, pieceRows), make([]ledger.Uint128, pieceRows)
	for first := uint32(0); first < v.rows.limit; first += pieceRows {
		n := min(pieceRows, v.rows.limit-first)
		v.read(first, rows[:n], owners[:n])
		for i := range rows[:n] {
			a := rows[i].account(owners[i])
			if !visit(&a) {
				return
			}
		}
	}
}

// read copies a piece as it was.
func (v *View) read(first uint32, rows []savedAccount, owners []ledger.Uint128) {
	e := v.e
	e.mu.RLock()
	defer e.mu.RUnlock()
	e.save(first, rows, owners)
	for i := range rows {
		if row := first + uint32(i); v.rows.seen[row/64]&(1<<(row%64)) != 0 {
			rows[i] = v.kept[row]
			delete(v.kept, row)
		}
	}
	v.rows.copied = first + uint32(len(rows))
}

// Close ends the view. It may be called twice.
func (v *View) Close() {
	v.e.mu.Lock()
	defer v.e.mu.Unlock()
	if v.e.view == v {
		v.e.view = nil
	}
}
