package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/ledger"
)

// victimDir names, in the environment, the directory of a process that is to be killed.
const victimDir = "SUANPAN_LEDGER_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		fmt.Fprintln(os.Stderr, victim(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// victim pays from account 1 to account 2 until it is killed, several callers at once, one payment or several in a
// request, and prints the id of each payment once it has been answered. Ids begin with the time, so no later process
// uses one again.
func victim(dir string) error {
	e, err := Open(dir, Options{Clock: func() uint64 { return uint64(time.Now().UnixNano()) }, SnapshotEvery: 500})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if _, err := e.CreateAccounts(ctx, []ledger.Account{{ID: ledger.U64(1), Ledger: book, Code: 1}, {ID: ledger.U64(2), Ledger: book, Code: 1}}); err != nil {
		return err
	}
	var mu sync.Mutex
	next := uint64(time.Now().UnixNano())
	ended := make(chan error)
	for range 4 {
		go func() {
			for requests := 0; ; requests++ {
				payments := make([]ledger.Transfer, 1+requests%2*packedFrom)
				mu.Lock()
				for i := range payments {
					next++
					payments[i] = pay(next, 1, 2, 1)
				}
				mu.Unlock()
				results, err := e.CreateTransfers(ctx, payments)
				for i := range results {
					if results[i].Status != ledger.TransferCreated {
						err = fmt.Errorf("payment %d: %v", payments[i].ID, results[i].Status)
					}
				}
				if err != nil {
					ended <- err
					return
				}
				mu.Lock()
				for i := range payments {
					fmt.Println(payments[i].ID.Lo)
				}
				mu.Unlock()
			}
		}()
	}
	return <-ended
}

// A payment that was answered is there after any crash, and no payment is there twice.
func TestALedgerThatIsKilledHasEverythingItAnswered(t *testing.T) {
	dir := t.TempDir()
	answered := map[uint64]bool{}
	for round := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), victimDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var complaint strings.Builder
		cmd.Stderr = &complaint
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == 700+300*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			id, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				continue // cut off by the kill
			}
			answered[id] = true
		}
		_ = cmd.Wait() // killed
		if complaint.Len() > 0 {
			t.Fatal(complaint.String())
		}
		e, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for id := range answered {
			if x, ok := e.Transfer(ledger.U64(id)); !ok || x.Amount != ledger.U64(1) {
				t.Fatalf("round %d: payment %d was answered and is lost", round, id)
			}
		}
		checkInvariants(t, e)
		payer, _ := e.Account(ledger.U64(1))
		if payer.DebitsPosted.Lo != uint64(e.transfers.n) || uint64(len(answered)) > payer.DebitsPosted.Lo {
			t.Fatalf("round %d: %d payments answered, %d made, %d booked", round, len(answered), e.transfers.n, payer.DebitsPosted.Lo)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if paths, err := snapshots(dir + "/state"); err != nil || len(paths) != 1 {
		t.Fatalf("one snapshot should be kept: %v %v", paths, err)
	}
}

// What was answered before the last Close is there after Open: accounts, transfers, expiries.
func TestALedgerOpenedAgainIsAsItWas(t *testing.T) {
	dir := t.TempDir()
	now := uint64(1000 * second)
	options := Options{Clock: func() uint64 { return now }, SnapshotEvery: 3000}
	ctx := context.Background()
	memory := New(options)
	h := newHistory(4)
	var life *Engine
	for i := range 60 {
		if i%15 == 0 {
			if life != nil {
				if err := life.Close(); err != nil {
					t.Fatal(err)
				}
				if _, err := life.LookupAccounts(ctx, nil); !errors.Is(err, ledger.ErrClosed) {
					t.Fatalf("a closed ledger answers %v", err)
				}
			}
			var err error
			if life, err = Open(dir, options); err != nil {
				t.Fatal(err)
			}
		}
		x := h.next()
		if i == 0 {
			x = h.accounts()
		}
		now += x.now
		for _, e := range []*Engine{memory, life} {
			if _, err := e.CreateAccounts(ctx, x.accounts); err != nil {
				t.Fatal(err)
			}
			if _, err := e.CreateTransfers(ctx, x.transfers); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := life.Close(); err != nil {
		t.Fatal(err)
	}
	life, err := Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	defer life.Close()
	if life.expiries.n == 0 {
		t.Fatal("the test was to have expiries")
	}
	if difference := contentsOf(memory).difference(contentsOf(life)); difference != "" {
		t.Fatal(difference)
	}
}

// The log takes accounts and transfers as they lie in memory and reads them as the wire has them.
func TestAccountsAndTransfersLieInMemoryAsOnTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.SliceOfN(rapid.Byte(), ledger.WireBytes, ledger.WireBytes).Draw(t, "bytes")
		account, transfer := ledger.AccountOfWire(bytes), ledger.TransferOfWire(bytes)
		if !slices.Equal(bytesOf([]ledger.Account{account}), bytes) {
			t.Errorf("account %x", bytesOf([]ledger.Account{account}))
		}
		if !slices.Equal(bytesOf([]ledger.Transfer{transfer}), bytes) {
			t.Errorf("transfer %x", bytesOf([]ledger.Transfer{transfer}))
		}
	})
}

// A reader must never see money that a crash could take back.
func TestAReadWaitsForTheLog(t *testing.T) {
	e, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx := context.Background()
	if _, err := e.CreateAccounts(ctx, []ledger.Account{{ID: ledger.U64(1), Ledger: book, Code: 1}, {ID: ledger.U64(2), Ledger: book, Code: 1}}); err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	transfers := []ledger.Transfer{pay(9, 1, 2, 1)}
	if err := e.logTransfers(1, transfers); err != nil {
		t.Fatal(err)
	}
	e.executeTransfers(1, transfers, nil)
	position := e.position()
	e.mu.Unlock()
	found, err := e.LookupTransfers(ctx, []ledger.Uint128{ledger.U64(9)})
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if durable := e.log.journal.Durable(); durable < position {
		t.Fatalf("seen at %d, durable to %d", position, durable)
	}
}

// The books of a conformance row begin with given balances.
func TestSeededBalancesAreWhatTheNextTransferMeets(t *testing.T) {
	e := New(Options{Seedable: true})
	e.ExecuteAccounts(1, []ledger.Account{
		{ID: ledger.U64(1), Ledger: book, Code: 1, Flags: ledger.AccountDebitsMustNotExceedCredits},
		{ID: ledger.U64(2), Ledger: book, Code: 1},
	}, nil)
	if !e.Seed(ledger.U64(1), ledger.U64(1), ledger.U64(2), ledger.U64(3), ledger.U64(10)) || e.Seed(ledger.U64(3), ledger.Uint128{}, ledger.Uint128{}, ledger.Uint128{}, ledger.Uint128{}) {
		t.Fatal("Seed tells whether there is such an account")
	}
	results := e.ExecuteTransfers(1, []ledger.Transfer{pay(1, 1, 2, 8), pay(2, 1, 2, 7)}, nil)
	if results[0].Status != ledger.TransferExceedsCredits || results[1].Status != ledger.TransferCreated {
		t.Fatal(results)
	}
	defer func() {
		if recover() == nil {
			t.Fatal("an engine that keeps money was seeded")
		}
	}()
	New(Options{}).Seed(ledger.U64(1), ledger.Uint128{}, ledger.Uint128{}, ledger.Uint128{}, ledger.Uint128{})
}
