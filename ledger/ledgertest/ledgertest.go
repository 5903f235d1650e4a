// Package ledgertest tells whether an implementation of ledger.Ledger means what TigerBeetle 0.17.9
// means. Start here: Run is the conformance suite, Diff drives two implementations with the same
// random events and compares everything they say, CheckBooks is what must be true of any books at
// any time. The package model is a second implementation to compare with.
//
// Everything uses random ids and ledger numbers of its own, so a cluster that keeps its data can
// be tested again and again; while it runs nobody else may write to it, because imported events
// must be newer than everything else.
package ledgertest

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Subject is a ledger under test and what a test can do to it from outside.
type Subject struct {
	Ledger ledger.Ledger

	// Advance moves the ledger's clock, back too when negative. Nil where the clock is real: tests
	// then wait for what comes within waitMax and are left out otherwise.
	Advance func(time.Duration)

	// Now reads the ledger's clock in ns since 1970. Two subjects of Diff whose clocks say the same
	// must give out the same timestamps; without it only the order of timestamps is compared.
	Now func() uint64

	// Seed sets an account's balances from outside. Nil where impossible.
	Seed func(account, debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Uint128)

	// RefusesImportedSettlement says that a request with an imported post or void is answered with
	// an error and not sent: it would make a real server of this version stop at every restart.
	RefusesImportedSettlement bool
}

// waitMax is how long a test waits for a real clock.
const waitMax = 2 * time.Second

// Run tests an implementation. open returns a ledger to be tested, new or with data in it, for
// each test, and registers what cleans up after it.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, group := range []struct {
		name  string
		tests []conformance
	}{
		{"statuses", statusTests},
		{"two-phase", twoPhaseTests},
		{"chains", chainTests},
		{"time", timeTests},
		{"imports", importTests},
		{"queries", queryTests},
		{"limits", limitTests},
		{"scenarios", scenarioTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) { test.run(newTeller(t, open(t))) })
			}
		})
	}
}

// conformance is one thing that must be true of every implementation.
type conformance struct {
	name string // a sentence
	run  func(*teller)
}

// teller (柜员) does a test's business with a ledger, in two ledger numbers of its own.
type teller struct {
	*testing.T
	Subject
	book, otherBook uint32
	since           uint64 // before everything this test does
}

func newTeller(t *testing.T, s Subject) *teller {
	t.Helper()
	if s.Ledger == nil {
		t.Fatal("the subject has no ledger")
	}
	d := &teller{T: t, Subject: s, book: freshBook(), otherBook: freshBook()}
	for d.otherBook == d.book {
		d.otherBook = freshBook()
	}
	d.since = d.judgedAt()
	return d
}

func freshBook() uint32 { return 1 + rand.Uint32N(1<<32-1) }

// fresh returns an id that nothing has.
func fresh() ledger.Uint128 {
	return ledger.Uint128{Lo: rand.Uint64(), Hi: 1 + rand.Uint64N(1<<63)}
}

const (
	second = uint64(time.Second)

	testCode        = 2011
	testPaymentCode = 1121

	created     = ledger.TransferCreated
	chainFailed = ledger.TransferLinkedEventFailed
	linked      = ledger.TransferLinked
	pending     = ledger.TransferPending

	bothSides = ledger.AccountFilterDebits | ledger.AccountFilterCredits
)

type statuses = []ledger.CreateTransferStatus

// pass lets the ledger's clock go on by d.
func (d *teller) pass(wait time.Duration) {
	d.Helper()
	switch {
	case d.Advance != nil:
		d.Advance(wait)
	case wait <= waitMax:
		time.Sleep(wait)
	default:
		d.Skipf("left out: it needs a ledger whose clock can be moved by %v", wait)
	}
}

// needClock leaves a test out where the clock can't be moved.
func (d *teller) needClock() {
	d.Helper()
	if d.Advance == nil {
		d.Skip("left out: it needs a ledger whose clock can be moved")
	}
}

// soon repeats a check that may become true only when a ledger with a real clock has swept.
func (d *teller) soon(check func() bool) bool {
	if d.Advance != nil {
		return check()
	}
	for end := time.Now().Add(waitMax); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if check() {
			return true
		}
	}
	return check()
}

// open creates n accounts that must be accepted.
func (d *teller) open(flags ledger.AccountFlags, n int) []ledger.Uint128 {
	d.Helper()
	accounts := make([]ledger.Account, n)
	for i := range accounts {
		accounts[i] = d.newAccount()
		accounts[i].Flags = flags
	}
	d.openAll(accounts)
	ids := make([]ledger.Uint128, n)
	for i := range accounts {
		ids[i] = accounts[i].ID
	}
	return ids
}

func (d *teller) open1(flags ledger.AccountFlags) ledger.Uint128 {
	d.Helper()
	return d.open(flags, 1)[0]
}

func (d *teller) open2(flags ledger.AccountFlags) (a, b ledger.Uint128) {
	d.Helper()
	ids := d.open(flags, 2)
	return ids[0], ids[1]
}

func (d *teller) openAll(accounts []ledger.Account) {
	d.Helper()
	for i, r := range d.createAccounts(accounts...) {
		if r.Status != ledger.AccountCreated {
			d.Fatalf("account %d of %d: %v", i+1, len(accounts), r.Status)
		}
	}
}

func (d *teller) newAccount() ledger.Account {
	return ledger.Account{ID: fresh(), Ledger: d.book, Code: testCode}
}

func (d *teller) createAccounts(accounts ...ledger.Account) []ledger.CreateAccountResult {
	d.Helper()
	results, err := d.Ledger.CreateAccounts(d.Context(), accounts)
	if err != nil {
		d.Fatal(err)
	}
	if len(results) != len(accounts) {
		d.Fatalf("%d results for %d accounts", len(results), len(accounts))
	}
	return results
}

func (d *teller) send(transfers ...ledger.Transfer) []ledger.CreateTransferResult {
	d.Helper()
	results, err := d.Ledger.CreateTransfers(d.Context(), transfers)
	if err != nil {
		d.Fatal(err)
	}
	if len(results) != len(transfers) {
		d.Fatalf("%d results for %d transfers", len(results), len(transfers))
	}
	return results
}

// sendAll sends any number of transfers in as few requests as the limit allows; all must be
// created. A chain must not cross a multiple of the limit.
func (d *teller) sendAll(transfers []ledger.Transfer) {
	d.Helper()
	for batch := range slices.Chunk(transfers, d.Ledger.Limits().BatchMax) {
		for i, r := range d.send(batch...) {
			if r.Status != created {
				d.Fatalf("transfer %d of the request: %v", i, r.Status)
			}
		}
	}
}

// expect sends transfers in one request and compares their statuses.
func (d *teller) expect(want statuses, transfers ...ledger.Transfer) []ledger.CreateTransferResult {
	d.Helper()
	results := d.send(transfers...)
	for i, r := range results {
		if r.Status != want[i] {
			d.Fatalf("transfer %d of the request: %v, want %v", i, r.Status, want[i])
		}
	}
	return results
}

// one sends a request of one transfer and returns the result's timestamp.
func (d *teller) one(want ledger.CreateTransferStatus, t ledger.Transfer) uint64 {
	d.Helper()
	return d.expect(statuses{want}, t)[0].Timestamp
}

// judgedAt returns the time at which the ledger judges an event now, changing nothing.
func (d *teller) judgedAt() uint64 {
	d.Helper()
	return d.one(ledger.TransferIDMustNotBeZero, ledger.Transfer{})
}

func (d *teller) pay(debit, credit ledger.Uint128, amount uint64) ledger.Transfer {
	return ledger.Transfer{
		ID: fresh(), DebitAccountID: debit, CreditAccountID: credit,
		Amount: ledger.U64(amount), Ledger: d.book, Code: testPaymentCode,
	}
}

// hold is a pending transfer without timeout.
func (d *teller) hold(debit, credit ledger.Uint128, amount uint64) ledger.Transfer {
	return with(d.pay(debit, credit, amount), pending)
}

// timed is a pending transfer that expires.
func (d *teller) timed(debit, credit ledger.Uint128, amount uint64, seconds uint32) ledger.Transfer {
	t := d.hold(debit, credit, amount)
	t.Timeout = seconds
	return t
}

func with(t ledger.Transfer, flags ledger.TransferFlags) ledger.Transfer {
	t.Flags |= flags
	return t
}

func post(p ledger.Uint128, amount ledger.Uint128) ledger.Transfer {
	return ledger.Transfer{ID: fresh(), PendingID: p, Amount: amount, Flags: ledger.TransferPostPending}
}

func void(p ledger.Uint128) ledger.Transfer {
	return ledger.Transfer{ID: fresh(), PendingID: p, Flags: ledger.TransferVoidPending}
}

// spoiler is a transfer that is refused without burning an id or touching an account.
func spoiler() ledger.Transfer { return ledger.Transfer{} }

const spoiled = ledger.TransferIDMustNotBeZero

func (d *teller) accounts(ids ...ledger.Uint128) []ledger.Account {
	d.Helper()
	found, err := d.Ledger.LookupAccounts(d.Context(), ids)
	if err != nil {
		d.Fatal(err)
	}
	return found
}

func (d *teller) account(id ledger.Uint128) ledger.Account {
	d.Helper()
	found := d.accounts(id)
	if len(found) != 1 {
		d.Fatalf("%d accounts found by one id", len(found))
	}
	return found[0]
}

func (d *teller) transfers(ids ...ledger.Uint128) []ledger.Transfer {
	d.Helper()
	found, err := d.Ledger.LookupTransfers(d.Context(), ids)
	if err != nil {
		d.Fatal(err)
	}
	return found
}

func (d *teller) transfer(id ledger.Uint128) ledger.Transfer {
	d.Helper()
	found := d.transfers(id)
	if len(found) != 1 {
		d.Fatalf("%d transfers found by one id", len(found))
	}
	return found[0]
}

func balancesOf(a ledger.Account) [4]ledger.Uint128 {
	return [4]ledger.Uint128{a.DebitsPending, a.DebitsPosted, a.CreditsPending, a.CreditsPosted}
}

func four(debitsPending, debitsPosted, creditsPending, creditsPosted uint64) [4]ledger.Uint128 {
	return [4]ledger.Uint128{ledger.U64(debitsPending), ledger.U64(debitsPosted), ledger.U64(creditsPending), ledger.U64(creditsPosted)}
}

// balances compares debits pending, debits posted, credits pending and credits posted.
func (d *teller) balances(id ledger.Uint128, debitsPending, debitsPosted, creditsPending, creditsPosted uint64) {
	d.Helper()
	want := four(debitsPending, debitsPosted, creditsPending, creditsPosted)
	if got := balancesOf(d.account(id)); got != want {
		d.Fatalf("the account has pending and posted debits, pending and posted credits %v, want %v", decimals(got), decimals(want))
	}
}

func decimals(balances [4]ledger.Uint128) (out [4]string) {
	for i, b := range balances {
		out[i] = b.Big().String()
	}
	return out
}

func (d *teller) isClosed(id ledger.Uint128) bool {
	d.Helper()
	return d.account(id).Flags&ledger.AccountClosed != 0
}

func (d *teller) accountTransfers(f ledger.AccountFilter) []ledger.Transfer {
	d.Helper()
	found, err := d.Ledger.AccountTransfers(d.Context(), f)
	if err != nil {
		d.Fatal(err)
	}
	return found
}

func (d *teller) accountBalances(f ledger.AccountFilter) []ledger.AccountBalance {
	d.Helper()
	found, err := d.Ledger.AccountBalances(d.Context(), f)
	if err != nil {
		d.Fatal(err)
	}
	return found
}

// statement lists everything an account has been in.
func (d *teller) statement(id ledger.Uint128) []ledger.Transfer {
	d.Helper()
	return d.accountTransfers(ledger.AccountFilter{AccountID: id, Flags: bothSides, Limit: uint32(d.Ledger.Limits().QueryMax)})
}

func (d *teller) queryTransfers(f ledger.QueryFilter) []ledger.Transfer {
	d.Helper()
	found, err := d.Ledger.QueryTransfers(d.Context(), f)
	if err != nil {
		d.Fatal(err)
	}
	return found
}

func (d *teller) queryAccounts(f ledger.QueryFilter) []ledger.Account {
	d.Helper()
	found, err := d.Ledger.QueryAccounts(d.Context(), f)
	if err != nil {
		d.Fatal(err)
	}
	return found
}

// events lists the change events of this test's ledger numbers from a time on.
func (d *teller) events(from uint64) []ledger.ChangeEvent {
	d.Helper()
	s := streamChanges(d.Context(), d.Ledger, from)
	s.keep = func(e *ledger.ChangeEvent) bool { return e.Ledger == d.book || e.Ledger == d.otherBook }
	all, err := s.all()
	if err != nil {
		d.Fatal(err)
	}
	return all
}

func transferIDs(list []ledger.Transfer) []ledger.Uint128 {
	ids := make([]ledger.Uint128, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return ids
}

// holdsTheBooks checks the invariants of this test's ledger numbers.
func (d *teller) holdsTheBooks() {
	d.Helper()
	if err := CheckBooks(d.Context(), d.Ledger, BooksCheck{Books: []uint32{d.book, d.otherBook}, Explain: true, ChangesFrom: d.since}); err != nil {
		d.Error(err)
	}
}
