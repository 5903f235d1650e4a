package embedded

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Accounts are made and transfers go on, some in chains that fail, while views are read: each shows the accounts
// of its moment.
func TestAViewIsOfOneMoment(t *testing.T) {
	const accounts = 3*pieceRows + 100 // the last piece is not full
	e := New(Options{})
	open := func(first, n uint64) {
		for i := range n {
			e.ExecuteAccounts(0, []ledger.Account{{ID: ledger.U64(first + i), Ledger: 1, Code: 1, UserData128: ledger.U64(7 * (first + i)), Flags: ledger.AccountHistory}}, nil)
		}
	}
	open(1, accounts)
	var moment sync.Mutex // between two batches, as the caller's pipeline knows it
	var stop atomic.Bool
	var moved atomic.Uint64
	var mover sync.WaitGroup
	mover.Go(func() {
		rng := rand.New(rand.NewPCG(1, 2))
		for id := uint64(1); !stop.Load(); id += 3 {
			from, to := rng.Uint64N(accounts)+1, rng.Uint64N(accounts-1)+1
			if to >= from {
				to++
			}
			transfer := ledger.Transfer{ID: ledger.U64(id), DebitAccountID: ledger.U64(from), CreditAccountID: ledger.U64(to), Amount: ledger.U64(3), Ledger: 1, Code: 1}
			broken := []ledger.Transfer{transfer, transfer}
			broken[0].ID, broken[0].Flags, broken[1].ID, broken[1].CreditAccountID = ledger.U64(id+1), ledger.TransferLinked, ledger.U64(id+2), ledger.U64(from)
			moment.Lock()
			results := e.ExecuteTransfers(0, append(broken, transfer), nil)
			open(accounts+id, 1)
			moment.Unlock()
			if results[2].Status != ledger.TransferCreated || results[0].Status == ledger.TransferCreated {
				t.Errorf("transfer %d: %v", id, results)
				return
			}
			moved.Add(1)
		}
	})
	for n := range 5 {
		for begun := moved.Load(); moved.Load() == begun; {
		}
		want := make(map[ledger.Uint128]ledger.Account)
		moment.Lock()
		e.EachAccount(func(a *ledger.Account) bool {
			want[a.ID] = *a
			return true
		})
		v, err := e.View()
		moment.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.View(); !errors.Is(err, ErrViewUnderWay) {
			t.Fatalf("a second view: %v", err)
		}
		before := moved.Load()
		v.EachAccount(func(a *ledger.Account) bool {
			if want[a.ID] != *a {
				t.Errorf("view %d: %+v, and it was %+v", n, *a, want[a.ID])
			}
			delete(want, a.ID)
			for a.ID == ledger.U64(1) && moved.Load() < before+200 { // the other pieces change before they are read
			}
			return !t.Failed()
		})
		if !t.Failed() && len(want) > 0 {
			t.Errorf("view %d: %d accounts are missing", n, len(want))
		}
		if len(v.kept) > 0 && !t.Failed() {
			t.Errorf("view %d: %d rows are kept behind its end", n, len(v.kept))
		}
		v.Close()
		v.Close()
	}
	stop.Store(true)
	mover.Wait()
}
