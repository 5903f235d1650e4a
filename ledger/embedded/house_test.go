package embedded

import (
	"context"
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

// house is an engine under test whose clock the test moves.
type house struct {
	*testing.T
	*Engine
	now     uint64
	lastID  uint64
	refused map[string]bool // every status seen
}

const (
	book      = 156
	otherBook = 1156
	second    = nsPerSecond
)

func newHouse(t *testing.T) *house {
	h := &house{T: t, now: 1_000_000 * second, lastID: 1_000_000, refused: map[string]bool{}}
	h.Engine = New(Options{Clock: func() uint64 { return h.now }})
	return h
}

// open creates accounts that must be accepted.
func (h *house) open(flags ledger.AccountFlags, ids ...uint64) {
	h.Helper()
	for _, id := range ids {
		a := ledger.Account{ID: ledger.U64(id), Ledger: book, Code: 2011, Flags: flags}
		if got := h.account(a); got != ledger.AccountCreated {
			h.Fatalf("account %d: %v", id, got)
		}
	}
}

func (h *house) account(a ledger.Account) ledger.CreateAccountStatus {
	h.Helper()
	results, err := h.CreateAccounts(context.Background(), []ledger.Account{a})
	if err != nil {
		h.Fatal(err)
	}
	h.refused["account "+results[0].Status.String()] = true
	return results[0].Status
}

// fresh returns an id not used before.
func (h *house) fresh() ledger.Uint128 {
	h.lastID++
	return ledger.U64(h.lastID)
}

func (h *house) send(transfers ...ledger.Transfer) []ledger.CreateTransferResult {
	h.Helper()
	results, err := h.CreateTransfers(context.Background(), transfers)
	if err != nil {
		h.Fatal(err)
	}
	for _, r := range results {
		h.refused["transfer "+r.Status.String()] = true
	}
	return results
}

// expect sends transfers in one request and compares their statuses.
func (h *house) expect(want []ledger.CreateTransferStatus, transfers ...ledger.Transfer) {
	h.Helper()
	for i, r := range h.send(transfers...) {
		if r.Status != want[i] {
			h.Fatalf("transfer %d of the request: %v, want %v", i, r.Status, want[i])
		}
	}
}

func (h *house) one(want ledger.CreateTransferStatus, t ledger.Transfer) {
	h.Helper()
	h.expect([]ledger.CreateTransferStatus{want}, t)
}

func pay(id, debit, credit, amount uint64) ledger.Transfer {
	return ledger.Transfer{
		ID: ledger.U64(id), DebitAccountID: ledger.U64(debit), CreditAccountID: ledger.U64(credit),
		Amount: ledger.U64(amount), Ledger: book, Code: 1121,
	}
}

func flagged(t ledger.Transfer, flags ledger.TransferFlags) ledger.Transfer {
	t.Flags |= flags
	return t
}

func timed(t ledger.Transfer, seconds uint32) ledger.Transfer {
	t.Flags |= ledger.TransferPending
	t.Timeout = seconds
	return t
}

func void(id, pending uint64) ledger.Transfer {
	return ledger.Transfer{ID: ledger.U64(id), PendingID: ledger.U64(pending), Flags: ledger.TransferVoidPending}
}

// balances compares debits pending, debits posted, credits pending and credits posted.
func (h *house) balances(id uint64, want ...uint64) {
	h.Helper()
	a, ok := h.Account(ledger.U64(id))
	if !ok {
		h.Fatalf("account %d not found", id)
	}
	for i, got := range []ledger.Uint128{a.DebitsPending, a.DebitsPosted, a.CreditsPending, a.CreditsPosted} {
		if got != ledger.U64(want[i]) {
			h.Fatalf("account %d has pending and posted debits, pending and posted credits (%v %v %v %v), want %d",
				id, a.DebitsPending.Big(), a.DebitsPosted.Big(), a.CreditsPending.Big(), a.CreditsPosted.Big(), want)
		}
	}
}
