package embedded

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

// A log record that passed its checksum and still makes no sense is refused, never executed by halves.
func FuzzLoggedRequest(f *testing.F) {
	f.Add(uint64(5), uint16(loggedTransfers), (&ledger.Transfer{ID: ledger.U64(1), DebitAccountID: ledger.U64(1), CreditAccountID: ledger.U64(2), Ledger: 1, Code: 1}).AppendWire(nil))
	f.Add(uint64(5), uint16(loggedAccounts), (&ledger.Account{ID: ledger.U64(1), Ledger: 1, Code: 1}).AppendWire(nil))
	rows := make([]ledger.Transfer, packedFrom)
	newPayments(1000).fill(rows)
	packed := appendPacked(nil, sliceOf[wireRow](bytesOf(rows)))
	f.Add(uint64(5), uint16(loggedPackedTransfers), packed)
	f.Add(uint64(5), uint16(loggedPackedAccounts), packed)
	f.Add(uint64(1)<<63, uint16(loggedPulse), []byte(nil))
	f.Fuzz(func(t *testing.T, now uint64, what uint16, request []byte) {
		e := New(Options{})
		before := e.Timestamp()
		if err := e.execute(now, what, request); err != nil {
			if !errors.Is(err, ErrDamaged) || e.Timestamp() != before {
				t.Fatalf("%v", err)
			}
			return
		}
		contentsOf(e) // whatever was made can be read
	})
}

// A snapshot file is read whole or refused, whatever is in it.
func FuzzSnapshot(f *testing.F) {
	dir := f.TempDir()
	e, _, err := Attach(dir, Options{})
	if err != nil {
		f.Fatal(err)
	}
	e.ExecuteAccounts(1, []ledger.Account{{ID: ledger.U64(1), Ledger: book, Code: 1}, {ID: ledger.U64(2), Ledger: book, Code: 1}}, nil)
	e.ExecuteTransfers(1, []ledger.Transfer{timed(pay(1, 1, 2, 3), 9)}, nil)
	s, err := e.BeginSnapshot(1)
	if err != nil {
		f.Fatal(err)
	}
	if err := s.Write(f.Context(), alwaysLogged); err != nil {
		f.Fatal(err)
	}
	paths, err := snapshots(dir)
	if err != nil || len(paths) != 1 {
		f.Fatal(paths, err)
	}
	good, err := os.ReadFile(paths[0])
	if err != nil {
		f.Fatal(err)
	}
	if err := e.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		l := newLoading(New(Options{}), bytes.NewReader(b))
		for !l.ended {
			if err := l.section(); err != nil {
				return
			}
		}
		if l.e.accounts.n != l.meta.Accounts {
			t.Fatal("a snapshot with parts missing was taken for whole")
		}
	})
}

// The parts of a snapshot are checked by themselves too: a checksum doesn't make sense of nonsense.
func FuzzSnapshotPart(f *testing.F) {
	f.Add(uint32(sectionMeta), uint32(0), []byte(`{"Version":1,"Accounts":2,"Pendings":1,"Transfers":3}`))
	f.Add(uint32(sectionImages), uint32(0), append([]byte{pendingImaged, 0, 0, 0, 0}, 1))
	f.Add(uint32(sectionAccountIDs), uint32(5), make([]byte, 16))
	f.Fuzz(func(t *testing.T, what, number uint32, body []byte) {
		l := newLoading(New(Options{}), bytes.NewReader(nil))
		l.meta = snapshotMeta{Version: snapshotVersion, Accounts: 4, Pendings: 4, Transfers: 4}
		_ = l.take(what, number, body)
		_ = l.take(sectionEnd, 0, nil)
	})
}
