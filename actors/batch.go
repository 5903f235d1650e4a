package actors

import (
	"context"
	"fmt"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// batch is what one round of requests asks a ledger elsewhere, for many customers' decisions. It keeps the
// answers it has: a chain that was answered is not sent again when a later request fails.
type batch struct {
	drafts    []*draft
	first     []int // of each draft's transfers in transfers
	accounts  []ledger.Account
	transfers []ledger.Transfer // the drafts' chains, one after the other
	affected  []ledger.Uint128  // accounts whose balances receipts show

	opened   bool
	results  []ledger.CreateTransferResult
	stored   map[ledger.Uint128]ledger.Transfer // of what had to be looked up
	balances map[ledger.Uint128]ledger.Account
}

// fits reports whether the batch with the draft is within a limit of events.
func (b *batch) fits(d *draft, limit int) bool {
	return len(b.drafts) == 0 || len(b.transfers)+len(d.record.Transfers) <= limit &&
		len(b.accounts)+len(d.record.Accounts) <= limit && len(b.affected)+len(d.decision.Affects) <= limit
}

func (b *batch) add(d *draft) {
	b.drafts, b.first = append(b.drafts, d), append(b.first, len(b.transfers))
	b.accounts = append(b.accounts, d.record.Accounts...)
	b.transfers = append(b.transfers, d.record.Transfers...)
	for _, a := range d.decision.Affects {
		b.affected = append(b.affected, ledger.Uint128(a.Ledger))
	}
}

// size is the number of events in the batch's largest request.
func (b *batch) size() int { return max(len(b.accounts), len(b.transfers), len(b.affected)) }

// ask asks the ledger what has not been answered yet. It panics on an answer that the bank's rules make
// impossible.
func (b *batch) ask(ctx context.Context, l ledger.Ledger, known *accountSet) error {
	if !b.opened {
		if err := b.open(ctx, l, known); err != nil {
			return err
		}
		b.opened = true
	}
	if b.results == nil && len(b.transfers) > 0 {
		results, err := within(ctx, func(ctx context.Context) ([]ledger.CreateTransferResult, error) {
			return l.CreateTransfers(ctx, b.transfers)
		})
		if err != nil {
			return err
		}
		if len(results) != len(b.transfers) {
			panic(fmt.Sprintf("ledger answered %d transfers with %d results", len(b.transfers), len(results)))
		}
		b.results = results
	}
	if b.stored == nil {
		if err := b.lookUp(ctx, l); err != nil {
			return err
		}
	}
	return b.weigh(ctx, l)
}

// open creates the accounts that the chains need. One that is there as asked is as good as created.
func (b *batch) open(ctx context.Context, l ledger.Ledger, known *accountSet) error {
	var accounts []ledger.Account
	asked := make(map[ledger.Uint128]bool, len(b.accounts))
	for _, a := range b.accounts {
		if !asked[a.ID] && !known.has(a.ID) {
			asked[a.ID] = true
			accounts = append(accounts, a)
		}
	}
	if len(accounts) == 0 {
		return nil
	}
	results, err := within(ctx, func(ctx context.Context) ([]ledger.CreateAccountResult, error) {
		return l.CreateAccounts(ctx, accounts)
	})
	if err != nil {
		return err
	}
	if len(results) != len(accounts) {
		panic(fmt.Sprintf("ledger answered %d accounts with %d results", len(accounts), len(results)))
	}
	for i, r := range results {
		if !r.Status.Done() {
			// Account ids are derived, so only a chart that contradicts itself can bring this about.
			panic(fmt.Sprintf("ledger refused account %s: %s", accounts[i].ID, r.Status))
		}
	}
	return nil
}

// lookUp reads transfers back: those of chains that an earlier try had created, to be sure of all of
// their legs, and those whose amount the ledger has chosen.
func (b *batch) lookUp(ctx context.Context, l ledger.Ledger) error {
	var ids []ledger.Uint128
	for k, d := range b.drafts {
		refused, repeated := chainResult(b.resultsOf(k))
		for i := range d.record.Transfers {
			if t := &d.record.Transfers[i]; !refused && (repeated || t.Flags&balancing != 0) {
				ids = append(ids, t.ID)
			}
		}
	}
	stored := make(map[ledger.Uint128]ledger.Transfer, len(ids))
	if len(ids) > 0 {
		found, err := within(ctx, func(ctx context.Context) ([]ledger.Transfer, error) { return l.LookupTransfers(ctx, ids) })
		if err != nil {
			return err
		}
		for i := range found {
			stored[found[i].ID] = found[i]
		}
		for _, id := range ids {
			if _, ok := stored[id]; !ok {
				panic(fmt.Sprintf("transfer %s is not in the ledger, and its chain is: chains are whole or not at all", id))
			}
		}
	}
	b.stored = stored
	return nil
}

// balancing transfers move what is there, up to their amount.
const balancing = ledger.TransferBalancingDebit | ledger.TransferBalancingCredit

// weigh reads the balances that receipts show.
func (b *batch) weigh(ctx context.Context, l ledger.Ledger) error {
	b.balances = make(map[ledger.Uint128]ledger.Account, len(b.affected))
	if len(b.affected) == 0 {
		return nil
	}
	found, err := within(ctx, func(ctx context.Context) ([]ledger.Account, error) { return l.LookupAccounts(ctx, b.affected) })
	for i := range found {
		b.balances[found[i].ID] = found[i]
	}
	return err
}

// settle makes receipts and results of the ledger's answers. Balances were read once, behind the whole
// batch; a receipt shows them without what later decisions of its customer have done.
func (b *batch) settle() {
	balances := make(map[*slot][]bank.Balance)
	for _, d := range b.drafts {
		for _, a := range d.decision.Affects {
			if balanceIn(balances[d.own], a.Account) == nil {
				balances[d.own] = append(balances[d.own], balanceOf(a.Account, b.balances[ledger.Uint128(a.Ledger)]))
			}
		}
	}
	for i, d := range slices.Backward(b.drafts) {
		results := b.resultsOf(i)
		if refused, _ := chainResult(results); !refused {
			for i := range d.record.Transfers {
				results[i].Status = ledger.TransferCreated
				t := &d.record.Transfers[i]
				if stored, ok := b.stored[t.ID]; ok && t.Flags&balancing != 0 {
					t.Amount = stored.Amount
				}
			}
		}
		own := balances[d.own]
		d.receipt = d.settle(results, ownBalances(own))
		for k := range own {
			for _, e := range d.decision.Events {
				own[k] = own[k].Before(e)
			}
			if d.decision.Payee == bank.CustomerNo(d.record.Customer) {
				for _, e := range d.decision.PayeeEvents {
					own[k] = own[k].Before(e)
				}
			}
		}
	}
}

// ownBalances are a customer's as his decision has left them.
type ownBalances []bank.Balance

func (b ownBalances) balance(a bank.Affected) bank.Balance { return *balanceIn(b, a.Account) }

// moved is as the ledger stored it, by now.
func (ownBalances) moved(t *ledger.Transfer) ledger.Uint128 { return t.Amount }

func balanceIn(balances []bank.Balance, no bank.AccountNo) *bank.Balance {
	for i := range balances {
		if balances[i].Account == no {
			return &balances[i]
		}
	}
	return nil
}

// resultsOf are the ledger's answers to the chain of the batch's i-th draft.
func (b *batch) resultsOf(i int) []ledger.CreateTransferResult {
	return b.results[b.first[i] : b.first[i]+len(b.drafts[i].record.Transfers)]
}

// chainResult reads the answer to one chain: refused, or there, created now or by an earlier try. A chain
// that was there before answers "exists" for its first leg and breaks on it.
func chainResult(results []ledger.CreateTransferResult) (refused, repeated bool) {
	culprit, created := -1, 0
	for i, r := range results {
		switch r.Status {
		case ledger.TransferCreated:
			created++
		case ledger.TransferLinkedEventFailed:
		default:
			if culprit >= 0 {
				panic(fmt.Sprintf("ledger answered two legs of one chain with %s and %s", results[culprit].Status, r.Status))
			}
			culprit = i
		}
	}
	switch {
	case culprit < 0 && created == len(results):
		return false, false
	case culprit < 0 || created > 0:
		panic(fmt.Sprintf("ledger created %d legs of a chain of %d", created, len(results)))
	case results[culprit].Status != ledger.TransferExists:
		return true, false
	case culprit > 0:
		panic(fmt.Sprintf("leg %d of a chain exists in the ledger and the legs before it do not", culprit+1))
	}
	return false, true
}

// within asks the ledger and waits no longer than answerMax. What is asked must not be changed afterwards:
// the ledger may still be reading it.
func within[R any](ctx context.Context, ask func(context.Context) ([]R, error)) ([]R, error) {
	ctx, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	return ask(ctx)
}
