package ledgertest

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/internal/shared"
	"github.com/suanpan-bank/suanpan/ledger"
)

// The bank's journeys (deposit, loan, overdue, write-off, reconciliation) as chains of transfers:
// if one fails, the postings of the product it names no longer mean what the bank wrote down.
var scenarioTests = []conformance{
	{"the bank's scenarios have the balances written down, after every step and in the end", playScenarios},
}

type scenario struct {
	ID, Title string
	Accounts  map[string]struct {
		Detail, Ledger uint32
		Flags          []string
		Normal         string // the side its balance is on: D, C or either (B)
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
		Check    map[string]int64
	}
	Final map[string]struct {
		DP, DO, CP, CO uint64
		Closed         bool
	}
}

const scenarioCount = 6

func playScenarios(d *teller) {
	text, err := os.ReadFile(shared.Path(d, "domain", "vectors", "ledger_scenarios.json"))
	if err != nil {
		d.Fatal(err)
	}
	var file struct{ Scenarios []scenario }
	if err := json.Unmarshal(text, &file); err != nil {
		d.Fatal(err)
	}
	if len(file.Scenarios) != scenarioCount {
		d.Fatalf("%d scenarios, want %d", len(file.Scenarios), scenarioCount)
	}
	for _, s := range file.Scenarios {
		d.Run(s.ID+" "+s.Title, func(t *testing.T) { s.play(newTeller(t, d.Subject)) })
	}
}

var (
	scenarioAccountFlags = map[string]ledger.AccountFlags{
		"DC": ledger.AccountDebitsMustNotExceedCredits,
		"CD": ledger.AccountCreditsMustNotExceedDebits,
	}
	scenarioTransferFlags = map[string]ledger.TransferFlags{
		"linked": ledger.TransferLinked, "pending": ledger.TransferPending, "post": ledger.TransferPostPending,
		"void": ledger.TransferVoidPending, "balancing_debit": ledger.TransferBalancingDebit, "closing_debit": ledger.TransferClosingDebit,
	}
)

// play runs the scenario in fresh ledger numbers instead of the bank's.
func (s *scenario) play(d *teller) {
	books := map[uint32]uint32{}
	ids := map[string]ledger.Uint128{"": {}}
	for _, name := range slices.Sorted(maps.Keys(s.Accounts)) {
		x := s.Accounts[name]
		if books[x.Ledger] == 0 {
			books[x.Ledger] = freshBook()
		}
		a := d.newAccount()
		// Detail numbers have eight digits and the ledger's code has 16 bits: the subject's four fit.
		a.Ledger, a.Code, a.UserData64, a.Flags = books[x.Ledger], uint16(x.Detail/10_000), uint64(x.Detail), ledger.AccountHistory
		for _, flag := range x.Flags {
			if scenarioAccountFlags[flag] == 0 {
				d.Fatalf("account flag %q", flag)
			}
			a.Flags |= scenarioAccountFlags[flag]
		}
		d.openAll([]ledger.Account{a})
		ids[name] = a.ID
	}
	transfers := map[string]ledger.Uint128{}
	for n, step := range s.Steps {
		var chain []ledger.Transfer
		for _, x := range step.Transfers {
			if _, ok := transfers[x.ID]; !ok {
				transfers[x.ID] = fresh()
			}
			t := ledger.Transfer{
				ID: transfers[x.ID], DebitAccountID: ids[x.Debit], CreditAccountID: ids[x.Credit],
				Ledger: books[s.Accounts[x.Debit].Ledger], Code: x.Code, Amount: ledger.AmountMax,
			}
			if string(x.Amount) != `"MAX"` {
				t.Amount = ledger.Uint128{}
				if err := json.Unmarshal(x.Amount, &t.Amount.Lo); err != nil {
					d.Fatal(err)
				}
			}
			if x.PendingID != nil {
				t.PendingID = transfers[*x.PendingID]
			}
			for _, flag := range x.Flags {
				if scenarioTransferFlags[flag] == 0 {
					d.Fatalf("transfer flag %q", flag)
				}
				t.Flags |= scenarioTransferFlags[flag]
			}
			chain = append(chain, t)
		}
		d.pass(time.Millisecond)
		var got []string
		for _, r := range d.send(chain...) {
			got = append(got, r.Status.String())
		}
		if !slices.Equal(got, step.Expect) {
			d.Fatalf("step %d, %s: %s, want %s", n+1, step.Op, strings.Join(got, " "), strings.Join(step.Expect, " "))
		}
		for name, want := range step.Balances {
			if got := balancesOf(d.account(ids[name])); got != four(want[0], want[1], want[2], want[3]) {
				d.Fatalf("step %d, %s: account %s has %v, want %v", n+1, step.Op, name, decimals(got), want)
			}
		}
		for name, want := range step.Check {
			if got := net(d.account(ids[name]), s.Accounts[name].Normal); got != want {
				d.Fatalf("step %d, %s: account %s has a balance of %d, want %d", n+1, step.Op, name, got, want)
			}
		}
	}
	for name, want := range s.Final {
		a := d.account(ids[name])
		if got := balancesOf(a); got != four(want.DP, want.DO, want.CP, want.CO) {
			d.Errorf("in the end account %s has %v, want %+v", name, decimals(got), want)
		}
		if closed := a.Flags&ledger.AccountClosed != 0; closed != want.Closed {
			d.Errorf("in the end account %s is closed: %v, want %v", name, closed, want.Closed)
		}
	}
	check := BooksCheck{Books: slices.Collect(maps.Values(books)), Explain: true, ChangesFrom: d.since}
	if err := CheckBooks(d.Context(), d.Ledger, check); err != nil {
		d.Error(err)
	}
}

// net is what an account holds, on its normal side; of an account that can be on either side
// credits count as positive.
func net(a ledger.Account, normal string) int64 {
	debits, credits := int64(a.DebitsPosted.Lo), int64(a.CreditsPosted.Lo)
	if normal == "D" {
		return debits - credits
	}
	return credits - debits
}
