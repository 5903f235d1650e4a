package ledgertest

import (
	"context"
	"errors"

	"github.com/suanpan-bank/suanpan/ledger"
)

// One request must not be able to stop the ledger for everyone else.
var limitTests = []conformance{
	{"a request beyond the limits is refused whole, one at the limit is served", limitsOfRequests},
	{"an empty request is answered with nothing", emptyRequests},
	{"a context that has ended refuses before anything is done", endedContexts},
	{"a closed ledger answers that it is closed", closedLedgers},
}

// calls makes one call of each kind, of these sizes.
func (d *teller) calls(ctx context.Context, batch, query, events int, accounts []ledger.Account, transfers []ledger.Transfer) map[string]error {
	ids := make([]ledger.Uint128, batch)
	errs := map[string]error{}
	_, errs["create accounts"] = d.Ledger.CreateAccounts(ctx, accounts)
	_, errs["create transfers"] = d.Ledger.CreateTransfers(ctx, transfers)
	_, errs["lookup accounts"] = d.Ledger.LookupAccounts(ctx, ids)
	_, errs["lookup transfers"] = d.Ledger.LookupTransfers(ctx, ids)
	f := ledger.AccountFilter{AccountID: fresh(), Flags: bothSides, Limit: uint32(query)}
	_, errs["account transfers"] = d.Ledger.AccountTransfers(ctx, f)
	_, errs["account balances"] = d.Ledger.AccountBalances(ctx, f)
	q := ledger.QueryFilter{Ledger: d.otherBook, Limit: uint32(query)}
	_, errs["query accounts"] = d.Ledger.QueryAccounts(ctx, q)
	_, errs["query transfers"] = d.Ledger.QueryTransfers(ctx, q)
	_, errs["change events"] = d.Ledger.ChangeEvents(ctx, ledger.ChangeEventsFilter{TimestampMin: d.since, Limit: uint32(events)})
	return errs
}

func (d *teller) manyOfEach(n int, debit, credit ledger.Uint128) (accounts []ledger.Account, transfers []ledger.Transfer) {
	for range n {
		accounts = append(accounts, d.newAccount())
		transfers = append(transfers, d.pay(debit, credit, 1))
	}
	return accounts, transfers
}

func limitsOfRequests(d *teller) {
	limits := d.Ledger.Limits()
	if limits.BatchMax < 1 || limits.QueryMax < 1 || limits.ChangeEventMax < 1 {
		d.Fatalf("limits %+v", limits)
	}
	a, b := d.open2(0)
	accounts, transfers := d.manyOfEach(limits.BatchMax+1, a, b)
	for call, err := range d.calls(d.Context(), limits.BatchMax+1, limits.QueryMax+1, limits.ChangeEventMax+1, accounts, transfers) {
		if !errors.Is(err, ledger.ErrTooMuchData) {
			d.Errorf("one more than the limit: %s: %v", call, err)
		}
	}
	d.balances(a, 0, 0, 0, 0)
	if len(d.accounts(accounts[0].ID)) != 0 {
		d.Error("an account of a refused request exists")
	}
	for call, err := range d.calls(d.Context(), limits.BatchMax, limits.QueryMax, limits.ChangeEventMax, accounts[1:], transfers[1:]) {
		if err != nil {
			d.Errorf("at the limit: %s: %v", call, err)
		}
	}
	d.balances(a, 0, uint64(limits.BatchMax), 0, 0)
	if found := d.queryAccounts(ledger.QueryFilter{Ledger: d.book, Limit: uint32(limits.QueryMax)}); len(found) != min(limits.BatchMax+2, limits.QueryMax) {
		d.Errorf("%d accounts found", len(found))
	}
}

func emptyRequests(d *teller) {
	for call, err := range d.calls(d.Context(), 0, 0, 0, nil, nil) {
		if err != nil {
			d.Errorf("%s: %v", call, err)
		}
	}
	if got := d.send(); len(got) != 0 {
		d.Errorf("%d results for no transfers", len(got))
	}
	if got := d.createAccounts(); len(got) != 0 {
		d.Errorf("%d results for no accounts", len(got))
	}
	if got := d.accounts(); len(got) != 0 {
		d.Errorf("%d accounts for no ids", len(got))
	}
}

func endedContexts(d *teller) {
	a, b := d.open2(0)
	ctx, cancel := context.WithCancel(d.Context())
	cancel()
	accounts, transfers := d.manyOfEach(1, a, b)
	for call, err := range d.calls(ctx, 1, 1, 1, accounts, transfers) {
		// In process nothing stands between; a client that had not sent it yet says unavailable.
		if !errors.Is(err, context.Canceled) && !errors.Is(err, ledger.ErrUnavailable) {
			d.Errorf("%s: %v", call, err)
		}
	}
	d.balances(a, 0, 0, 0, 0)
	d.one(created, transfers[0])
}

func closedLedgers(d *teller) {
	if err := d.Ledger.Close(); err != nil {
		d.Fatal(err)
	}
	accounts, transfers := d.manyOfEach(1, fresh(), fresh())
	for call, err := range d.calls(d.Context(), 1, 1, 1, accounts, transfers) {
		if !errors.Is(err, ledger.ErrClosed) {
			d.Errorf("%s: %v", call, err)
		}
	}
	if err := d.Ledger.Close(); err != nil {
		d.Errorf("closed again: %v", err)
	}
}
