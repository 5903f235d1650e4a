package embedded

import "github.com/suanpan-bank/suanpan/ledger"

// Sums returns the account's id and its four balances alone. They lie in the line of memory that a transfer has just
// written; the rest, which Account reads as well, is elsewhere and in no processor's cache.
func (e *Engine) Sums(id ledger.Uint128) (ledger.Account, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	row, ok := e.movedLast(id)
	if !ok {
		if row, ok = e.findAccount(id); !ok {
			return ledger.Account{}, false
		}
	}
	var p party
	e.take(&p, row)
	return ledger.Account{
		ID: id, DebitsPending: p.debitsPending, DebitsPosted: p.debitsPosted, CreditsPending: p.creditsPending, CreditsPosted: p.creditsPosted,
	}, true
}

// movedLast finds an account of the last transfer, whose balances are what is asked for most. Rows stay where they are.
func (e *Engine) movedLast(id ledger.Uint128) (row uint32, ok bool) {
	for _, row := range e.moved {
		if row < e.accounts.n && e.accounts.at(row).id == id {
			return row, true
		}
	}
	return 0, false
}
