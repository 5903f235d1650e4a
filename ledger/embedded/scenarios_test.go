package embedded

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/suanpan-bank/suanpan/internal/shared"
	"github.com/suanpan-bank/suanpan/ledger"
)

type scenario struct {
	ID, Title string
	Accounts  map[string]struct {
		Detail, Ledger uint32
		Flags          []string
	}
	Steps []struct {
		Op        string
		Transfers []struct {
			ID, Debit, Credit string
			Amount            json.RawMessage
			Code              uint16
			Flags             []string
			PendingID         *string `json:"pending_id"`
		}
		Expect   []string
		Balances map[string][4]uint64
	}
	Final map[string]struct {
		DP, DO, CP, CO uint64
		Closed         bool
	}
	TrialBalance map[string][2]uint64 `json:"trial_balance"`
}

// The bank's journeys (deposit, loan, overdue, write-off, reconciliation) as chains of transfers:
// if one fails, the postings of the product it names no longer mean what the bank wrote down.
func TestTheBanksScenariosEndWithTheBalancesWrittenDown(t *testing.T) {
	text, err := os.ReadFile(shared.Path(t, "domain", "vectors", "ledger_scenarios.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Scenarios []scenario }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Scenarios) != 6 {
		t.Fatalf("%d scenarios, want 6", len(file.Scenarios))
	}
	for _, s := range file.Scenarios {
		t.Run(s.ID+" "+s.Title, func(t *testing.T) { s.play(t) })
	}
}

func (s *scenario) play(t *testing.T) {
	h := newHouse(t)
	ids := map[string]ledger.Uint128{"": {}}
	books := map[string]uint32{}
	for _, name := range sortedKeys(s.Accounts) {
		a := s.Accounts[name]
		ids[name], books[name] = h.fresh(), a.Ledger
		flags := ledger.AccountHistory
		for _, flag := range a.Flags {
			switch flag {
			case "DC":
				flags |= ledger.AccountDebitsMustNotExceedCredits
			case "CD":
				flags |= ledger.AccountCreditsMustNotExceedDebits
			default:
				t.Fatalf("account flag %q", flag)
			}
		}
		// Detail numbers have eight digits and the ledger's code has 16 bits: the subject's first four do.
		account := ledger.Account{ID: ids[name], Ledger: a.Ledger, Code: uint16(a.Detail / 10_000), UserData64: uint64(a.Detail), Flags: flags}
		if got := h.account(account); got != ledger.AccountCreated {
			t.Fatalf("account %s: %v", name, got)
		}
	}
	transferFlags := map[string]ledger.TransferFlags{
		"linked": ledger.TransferLinked, "pending": ledger.TransferPending, "post": ledger.TransferPostPending,
		"void": ledger.TransferVoidPending, "balancing_debit": ledger.TransferBalancingDebit, "closing_debit": ledger.TransferClosingDebit,
	}
	transferIDs := map[string]ledger.Uint128{}
	for n, step := range s.Steps {
		var chain []ledger.Transfer
		for _, x := range step.Transfers {
			if _, ok := transferIDs[x.ID]; !ok {
				transferIDs[x.ID] = h.fresh()
			}
			transfer := ledger.Transfer{
				ID: transferIDs[x.ID], DebitAccountID: ids[x.Debit], CreditAccountID: ids[x.Credit],
				Ledger: books[x.Debit], Code: x.Code, Amount: ledger.AmountMax,
			}
			if string(x.Amount) != `"MAX"` {
				transfer.Amount = ledger.Uint128{}
				if err := json.Unmarshal(x.Amount, &transfer.Amount.Lo); err != nil {
					t.Fatal(err)
				}
			}
			if x.PendingID != nil {
				transfer.PendingID = transferIDs[*x.PendingID]
			}
			for _, flag := range x.Flags {
				if transferFlags[flag] == 0 {
					t.Fatalf("transfer flag %q", flag)
				}
				transfer.Flags |= transferFlags[flag]
			}
			chain = append(chain, transfer)
		}
		h.now += second
		var got []string
		for _, r := range h.send(chain...) {
			got = append(got, r.Status.String())
		}
		if !slices.Equal(got, step.Expect) {
			t.Fatalf("step %d, %s: %s, want %s", n+1, step.Op, strings.Join(got, " "), strings.Join(step.Expect, " "))
		}
		for name, want := range step.Balances {
			if got := h.fourBalances(ids[name]); got != want {
				t.Fatalf("step %d, %s: account %s has %v, want %v", n+1, step.Op, name, got, want)
			}
		}
	}
	for name, want := range s.Final {
		if got := h.fourBalances(ids[name]); got != [4]uint64{want.DP, want.DO, want.CP, want.CO} {
			t.Errorf("in the end account %s has %v, want %+v", name, got, want)
		}
		a, _ := h.Account(ids[name])
		if closed := a.Flags&ledger.AccountClosed != 0; closed != want.Closed {
			t.Errorf("in the end account %s is closed: %v, want %v", name, closed, want.Closed)
		}
	}
	checkInvariants(t, h.Engine)
}

func (h *house) fourBalances(id ledger.Uint128) [4]uint64 {
	a, _ := h.Account(id)
	return [4]uint64{a.DebitsPending.Lo, a.DebitsPosted.Lo, a.CreditsPending.Lo, a.CreditsPosted.Lo}
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
