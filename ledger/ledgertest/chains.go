package ledgertest

import (
	"slices"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Half a decision that stands is money gone from one customer and not with the other.
var chainTests = []conformance{
	{"a broken chain leaves balances, lists, histories and the change log as they were", brokenChainLeavesNothing},
	{"the culprit keeps its own status and its siblings fail with it", whoFailedWhy},
	{"a chain that is open at the end of the request fails", chainsOpenAtTheEnd},
	{"only the culprit's id is burnt by a broken chain", onlyTheCulpritBurns},
	{"exists breaks a chain", existsBreaks},
	{"a chain sees its own transfers", chainSeesItself},
	{"a broken chain gives back pending status and expiry", brokenChainGivesHoldsBack},
	{"a broken chain's own holds never expire", brokenChainsHoldsNeverExpire},
	{"a broken chain reopens what it closed and closes what it reopened", brokenChainAndClosing},
	{"a chain of a whole batch is made or undone whole", longestChains},
	{"chains of accounts are made or undone whole", accountChains},
	{"an id from a broken chain can be used in the next one of the same request", idsUsableAtOnce},
}

func brokenChainLeavesNothing(d *teller) {
	a, b := d.open2(ledger.AccountHistory)
	limited := d.open1(ledger.AccountDebitsMustNotExceedCredits)
	d.one(created, d.pay(a, b, 5))
	p := d.hold(a, b, 9)
	d.one(created, p)
	state := func() (s struct {
		accounts  []ledger.Account
		list      []ledger.Transfer
		history   []ledger.AccountBalance
		events    []ledger.ChangeEvent
		bookWhole []ledger.Transfer
	}) {
		s.accounts = d.accounts(a, b, limited)
		s.list = d.statement(a)
		s.history = d.accountBalances(ledger.AccountFilter{AccountID: b, Flags: bothSides, Limit: 100})
		s.events = d.events(d.since)
		s.bookWhole = d.queryTransfers(ledger.QueryFilter{Ledger: d.book, Limit: 100})
		return s
	}
	before := state()
	user := with(d.pay(a, b, 7), linked)
	user.UserData128 = fresh()
	chain := []ledger.Transfer{
		user, with(d.pay(b, a, 3), linked), with(post(p.ID, ledger.U64(2)), linked), with(d.hold(a, b, 4), linked),
		with(d.pay(limited, a, 1), linked), d.pay(a, b, 1),
	}
	results := d.expect(statuses{chainFailed, chainFailed, chainFailed, chainFailed, ledger.TransferExceedsCredits, chainFailed}, chain...)
	for i := range results {
		if results[i].Timestamp != results[0].Timestamp+uint64(i) {
			d.Errorf("transfer %d has lost its place in time", i)
		}
	}
	after := state()
	if !slices.Equal(before.accounts, after.accounts) {
		d.Error("balances changed")
	}
	if !slices.Equal(before.list, after.list) || !slices.Equal(before.bookWhole, after.bookWhole) {
		d.Error("transfers changed")
	}
	if !slices.Equal(before.history, after.history) {
		d.Error("the history changed")
	}
	if !slices.Equal(before.events, after.events) {
		d.Error("the change log changed")
	}
	if found := d.queryTransfers(ledger.QueryFilter{UserData128: user.UserData128, Limit: 10}); len(found) != 0 {
		d.Error("a broken chain can be found by its business id")
	}
	if found := d.transfers(transferIDs(chain)...); len(found) != 0 {
		d.Errorf("%d transfers of a broken chain can be found", len(found))
	}
	d.one(created, post(p.ID, ledger.U64(2)))
	d.holdsTheBooks()
}

func whoFailedWhy(d *teller) {
	a, b := d.open2(0)
	pay := func(flags ledger.TransferFlags) ledger.Transfer { return with(d.pay(a, b, 1), flags) }
	bad := func(flags ledger.TransferFlags) ledger.Transfer { return with(spoiler(), flags) }
	burnt := ledger.Transfer{ID: fresh(), DebitAccountID: fresh(), CreditAccountID: b, Ledger: d.book, Code: 1}
	notFound := ledger.TransferDebitAccountNotFound
	open := ledger.TransferLinkedEventChainOpen
	for _, c := range []struct {
		want      statuses
		transfers []ledger.Transfer
	}{
		{statuses{created, created, created}, []ledger.Transfer{pay(linked), pay(linked), pay(0)}},
		{statuses{spoiled, chainFailed, chainFailed, created}, []ledger.Transfer{bad(linked), pay(linked), pay(0), pay(0)}},
		{statuses{chainFailed, spoiled, chainFailed, created}, []ledger.Transfer{pay(linked), bad(linked), pay(0), pay(0)}},
		{statuses{chainFailed, chainFailed, spoiled, created}, []ledger.Transfer{pay(linked), pay(linked), bad(0), pay(0)}},
		// Of two culprits the first is told; the other isn't looked at, and its id isn't burnt.
		{statuses{chainFailed, spoiled, chainFailed}, []ledger.Transfer{pay(linked), bad(linked), burnt}},
		{statuses{notFound}, []ledger.Transfer{burnt}},
		// Two chains side by side have nothing to do with each other.
		{statuses{chainFailed, spoiled, created, created, spoiled, chainFailed}, []ledger.Transfer{pay(linked), bad(0), pay(linked), pay(0), bad(linked), pay(0)}},
		{statuses{created, spoiled, created}, []ledger.Transfer{pay(0), bad(0), pay(0)}},
		{statuses{spoiled, chainFailed, open}, []ledger.Transfer{bad(linked), pay(linked), pay(linked)}},
	} {
		d.expect(c.want, c.transfers...)
	}
	d.balances(a, 0, 10, 0, 0)
	d.holdsTheBooks()
}

func chainsOpenAtTheEnd(d *teller) {
	a, b := d.open2(0)
	pay := func(flags ledger.TransferFlags) ledger.Transfer { return with(d.pay(a, b, 1), flags) }
	open := ledger.TransferLinkedEventChainOpen
	d.expect(statuses{open}, pay(linked))
	d.expect(statuses{created, open}, pay(0), pay(linked))
	d.expect(statuses{created, created, chainFailed, chainFailed, open}, pay(linked), pay(0), pay(linked), pay(linked), pay(linked))
	d.balances(a, 0, 3, 0, 0)
	// The next request has nothing to do with it.
	d.expect(statuses{created, created}, pay(0), pay(0))
	last := with(spoiler(), linked)
	d.expect(statuses{open}, last)

	x, y := d.newAccount(), d.newAccount()
	x.Flags, y.Flags = ledger.AccountLinked, ledger.AccountLinked
	results := d.createAccounts(x, y)
	if results[0].Status != ledger.AccountLinkedEventFailed || results[1].Status != ledger.AccountLinkedEventChainOpen {
		d.Errorf("accounts: %v, %v", results[0].Status, results[1].Status)
	}
	if len(d.accounts(x.ID, y.ID)) != 0 {
		d.Error("accounts of an open chain exist")
	}
}

// The sender was told that the culprit did not happen; its siblings may come again in a better chain.
func onlyTheCulpritBurns(d *teller) {
	a, b := d.open2(0)
	for _, r := range passingReasons(d) {
		first, last := with(d.pay(a, b, 3), linked), d.pay(a, b, 4)
		culprit := with(r.t, linked)
		d.expect(statuses{chainFailed, r.status, chainFailed}, first, culprit, last)
		r.cure()
		d.expect(statuses{chainFailed, ledger.TransferIDAlreadyFailed, chainFailed}, first, culprit, last)
		d.expect(statuses{ledger.TransferIDAlreadyFailed}, r.t)
		d.expect(statuses{created, created}, first, last)
	}
	d.holdsTheBooks()
}

// A retried decision must not be taken for a new one because one leg of it is there already.
func existsBreaks(d *teller) {
	a, b := d.open2(0)
	there := d.pay(a, b, 5)
	at := d.one(created, there)
	d.pass(time.Millisecond)
	other := with(d.pay(a, b, 5), linked)
	results := d.expect(statuses{chainFailed, ledger.TransferExists}, other, there)
	if results[1].Timestamp != at {
		d.Error("exists doesn't carry the original's time")
	}
	// Within the chain itself too, where the original is undone with it and the id is free again.
	own := with(d.pay(a, b, 1), linked)
	d.expect(statuses{chainFailed, ledger.TransferExists, chainFailed}, own, own, d.pay(a, b, 1))
	d.expect(statuses{created, created}, own, d.pay(a, b, 1))
	d.balances(a, 0, 7, 0, 0)
	// A whole chain again: it breaks at its first leg.
	chain := []ledger.Transfer{with(d.pay(a, b, 1), linked), with(d.pay(a, b, 1), linked), d.pay(a, b, 1)}
	d.expect(statuses{created, created, created}, chain...)
	d.expect(statuses{ledger.TransferExists, chainFailed, chainFailed}, chain...)
	d.balances(a, 0, 10, 0, 0)
}

func chainSeesItself(d *teller) {
	a, b := d.open2(0)
	limited := d.open1(ledger.AccountDebitsMustNotExceedCredits)
	p := with(d.timed(limited, b, 50, 1), linked)
	d.expect(statuses{created, created, created, created},
		with(d.pay(a, limited, 50), linked), p, with(post(p.ID, ledger.U64(20)), linked), d.pay(limited, b, 30))
	d.balances(limited, 0, 50, 0, 50)
	d.pass(1500 * time.Millisecond)
	d.balances(limited, 0, 50, 0, 50) // posted within its chain, so it doesn't expire

	closing := with(d.hold(a, b, 0), linked|ledger.TransferClosingDebit)
	d.expect(statuses{chainFailed, ledger.TransferDebitAccountAlreadyClosed}, closing, d.pay(a, b, 1))
	closing.ID = fresh()
	d.expect(statuses{created, created, created}, closing, with(void(closing.ID), linked), d.pay(a, b, 1))
	if d.isClosed(a) {
		d.Error("closed and reopened in one chain, it is closed")
	}
	d.holdsTheBooks()
}

// A hold released inside a chain that fails must be held again, and expire as it would have.
func brokenChainGivesHoldsBack(d *teller) {
	for name, settle := range map[string]func(p ledger.Uint128) ledger.Transfer{
		"post": func(p ledger.Uint128) ledger.Transfer { return post(p, ledger.U64(4)) },
		"void": void,
	} {
		a, b := d.open2(0)
		p, q := d.timed(a, b, 9, 1), d.hold(a, b, 20)
		d.expect(statuses{created, created}, p, q)
		onP, onQ := with(settle(p.ID), linked), with(settle(q.ID), linked)
		d.expect(statuses{chainFailed, chainFailed, spoiled}, onP, onQ, spoiler())
		d.balances(a, 29, 0, 0, 0)
		from := d.judgedAt()
		d.pass(1500 * time.Millisecond)
		if !d.soon(func() bool { return d.account(a).DebitsPending == ledger.U64(20) }) {
			d.Fatalf("%s: held after the first hold's time: %v", name, d.account(a).DebitsPending)
		}
		if events := d.events(from); len(events) != 1 || events[0].Type != ledger.ChangeTwoPhaseExpired || events[0].Transfer.ID != p.ID {
			d.Errorf("%s: %d change events, want the one expiry", name, len(events))
		}
		onP.Flags &^= linked
		onQ.Flags &^= linked
		d.expect(statuses{ledger.TransferPendingTransferExpired, created}, onP, onQ)
	}
	d.holdsTheBooks()
}

func brokenChainsHoldsNeverExpire(d *teller) {
	a, b := d.open2(0)
	d.one(created, d.timed(a, b, 1, 1000))
	p := with(d.timed(a, b, 5, 1), linked)
	d.expect(statuses{chainFailed, spoiled}, p, spoiler())
	from := d.judgedAt()
	d.pass(1500 * time.Millisecond)
	d.balances(a, 1, 0, 0, 0)
	if events := d.events(from); len(events) != 0 {
		d.Errorf("%d change events of what never was", len(events))
	}
	d.one(ledger.TransferPendingTransferNotFound, void(p.ID))
	p.Flags &^= linked
	d.one(created, p)
	d.holdsTheBooks()
}

// Closing an account is linked with emptying it: if that fails the account must stay open.
func brokenChainAndClosing(d *teller) {
	a, b := d.open2(0)
	closing := with(d.hold(a, b, 0), ledger.TransferClosingDebit|ledger.TransferClosingCredit)
	d.expect(statuses{chainFailed, spoiled}, with(closing, linked), spoiler())
	if d.isClosed(a) || d.isClosed(b) {
		d.Fatal("a broken chain closed an account")
	}
	d.one(created, closing)
	reopening := void(closing.ID)
	d.expect(statuses{chainFailed, spoiled}, with(reopening, linked), spoiler())
	if !d.isClosed(a) || !d.isClosed(b) {
		d.Fatal("a broken chain reopened an account")
	}
	d.one(created, reopening)
	if d.isClosed(a) || d.isClosed(b) {
		d.Error("the void of the closing transfer left an account closed")
	}
	d.holdsTheBooks()
}

// Undoing works through lists, indexes and histories; a long chain crosses them all.
func longestChains(d *teller) {
	a, b := d.open2(ledger.AccountHistory)
	for _, n := range []int{31, 64, 65, d.Ledger.Limits().BatchMax} {
		before := d.accounts(a, b)
		chain := make([]ledger.Transfer, n)
		for i := range chain {
			chain[i] = with(d.pay(a, b, 1), linked)
			if i%3 == 1 {
				chain[i] = with(d.pay(b, a, 2), linked)
			}
			chain[i].UserData128 = ledger.U64(uint64(1 + i%7))
		}
		chain[n-1].Flags &^= linked
		broken := slices.Clone(chain)
		broken[n-1] = spoiler()
		for i, r := range d.send(broken...) {
			if want := chainFailed; i < n-1 && r.Status != want || i == n-1 && r.Status != spoiled {
				d.Fatalf("transfer %d of the broken chain of %d: %v", i, n, r.Status)
			}
		}
		if !slices.Equal(before, d.accounts(a, b)) {
			d.Fatalf("a broken chain of %d left something", n)
		}
		for i, r := range d.send(chain...) {
			if r.Status != created {
				d.Fatalf("transfer %d of a chain of %d: %v", i, n, r.Status)
			}
		}
		last := d.accountTransfers(ledger.AccountFilter{
			AccountID: a, Flags: bothSides | ledger.AccountFilterReversed, Limit: uint32(min(n, d.Ledger.Limits().QueryMax)),
		})
		slices.Reverse(last)
		if !slices.Equal(transferIDs(last), transferIDs(chain[n-len(last):])) {
			d.Fatalf("after a chain of %d the account lists other transfers", n)
		}
	}
	d.holdsTheBooks()
}

func accountChains(d *teller) {
	account := func(flags ledger.AccountFlags) ledger.Account {
		a := d.newAccount()
		a.Flags = flags
		a.UserData128 = ledger.U64(5)
		return a
	}
	x, y, z := account(ledger.AccountLinked), account(ledger.AccountLinked), account(0)
	bad := ledger.Account{}
	for _, c := range []struct {
		accounts []ledger.Account
		want     []ledger.CreateAccountStatus
	}{
		{[]ledger.Account{x, y, bad, z}, []ledger.CreateAccountStatus{ledger.AccountLinkedEventFailed, ledger.AccountLinkedEventFailed, ledger.AccountIDMustNotBeZero, ledger.AccountCreated}},
		{[]ledger.Account{x, z}, []ledger.CreateAccountStatus{ledger.AccountLinkedEventFailed, ledger.AccountExists}},
		{[]ledger.Account{x, y, account(0)}, []ledger.CreateAccountStatus{ledger.AccountCreated, ledger.AccountCreated, ledger.AccountCreated}},
		{[]ledger.Account{x, y, account(0)}, []ledger.CreateAccountStatus{ledger.AccountExists, ledger.AccountLinkedEventFailed, ledger.AccountLinkedEventFailed}},
	} {
		for i, r := range d.createAccounts(c.accounts...) {
			if r.Status != c.want[i] {
				d.Errorf("account %d: %v, want %v", i, r.Status, c.want[i])
			}
		}
	}
	if found := d.queryAccounts(ledger.QueryFilter{Ledger: d.book, UserData128: ledger.U64(5), Limit: 10}); len(found) != 4 {
		d.Errorf("%d accounts, want 4", len(found))
	}
	d.one(created, d.pay(x.ID, z.ID, 1))
}

func idsUsableAtOnce(d *teller) {
	a, b := d.open2(0)
	t := d.pay(a, b, 6)
	t.UserData128 = fresh()
	d.expect(statuses{chainFailed, spoiled, created, ledger.TransferExists}, with(t, linked), spoiler(), t, t)
	d.balances(a, 0, 6, 0, 0)
	if found := d.queryTransfers(ledger.QueryFilter{UserData128: t.UserData128, Limit: 10}); len(found) != 1 {
		d.Errorf("found %d times by its business id", len(found))
	}
	d.holdsTheBooks()
}
