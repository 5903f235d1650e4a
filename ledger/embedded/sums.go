package embedded

import "github.com/suanpan-bank/suanpan/ledger"

// Sums returns the account's id and its four balances alone. They lie in the line of memory that a transfer has just
// written; the rest, which Account reads as well, is elsewhere and in no processor's cache.
func (e *Engine) Sums(id ledger.Uint128) (ledger.Account, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	row, ok := e.findAccount(id)
	if !ok {
		return ledger.Account{}, false
	}
	var p party
	e.take(&p, row)
	return ledger.Account{
		ID: id, DebitsPending: p.debitsPending, DebitsPosted: p.debitsPosted, CreditsPending: p.creditsPending, CreditsPosted: p.creditsPosted,
	}, true
}
