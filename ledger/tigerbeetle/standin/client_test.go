//go:build cgo

package standin_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle/standin"
)

func start(t *testing.T, options standin.Options) *standin.Server {
	t.Helper()
	s, err := standin.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func connect(t *testing.T, s *standin.Server) tb.Client {
	t.Helper()
	client, err := tb.NewClient(tb.ToUint128(0), []string{s.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// clock is the ledger's, moved by the test.
type clock struct{ now atomic.Uint64 }

func (c *clock) advance(d time.Duration) { c.now.Add(uint64(d)) }

// ledgerAt returns an engine and its clock.
func ledgerAt(now uint64) (*embedded.Engine, *clock) {
	c := new(clock)
	c.now.Store(now)
	return embedded.New(embedded.Options{Clock: c.now.Load}), c
}

func u(v ledger.Uint128) tb.Uint128 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], v.Lo)
	binary.LittleEndian.PutUint64(b[8:], v.Hi)
	return tb.BytesToUint128(b)
}

func id(v uint64) tb.Uint128 { return tb.ToUint128(v) }

// answered fails the test when a call of the client failed as a whole.
func answered[T any](t *testing.T) func(T, error) T {
	return func(answer T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

func same[T any](t *testing.T, what string, got, want []T) {
	t.Helper()
	if len(want) == 0 {
		t.Fatalf("%s: nothing to compare", what)
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%s, number %d:\n%+v, want\n%+v", what, i, got[i], want[i])
		}
	}
}

func accountsOf(accounts []ledger.Account, err error) ([]tb.Account, error) {
	var out []tb.Account
	for _, a := range accounts {
		out = append(out, tb.Account{
			ID: u(a.ID), DebitsPending: u(a.DebitsPending), DebitsPosted: u(a.DebitsPosted),
			CreditsPending: u(a.CreditsPending), CreditsPosted: u(a.CreditsPosted),
			UserData128: u(a.UserData128), UserData64: a.UserData64, UserData32: a.UserData32,
			Reserved: a.Reserved, Ledger: a.Ledger, Code: a.Code, Flags: uint16(a.Flags), Timestamp: a.Timestamp,
		})
	}
	return out, err
}

func transfersOf(transfers []ledger.Transfer, err error) ([]tb.Transfer, error) {
	var out []tb.Transfer
	for _, x := range transfers {
		out = append(out, tb.Transfer{
			ID: u(x.ID), DebitAccountID: u(x.DebitAccountID), CreditAccountID: u(x.CreditAccountID),
			Amount: u(x.Amount), PendingID: u(x.PendingID), UserData128: u(x.UserData128),
			UserData64: x.UserData64, UserData32: x.UserData32, Timeout: x.Timeout,
			Ledger: x.Ledger, Code: x.Code, Flags: uint16(x.Flags), Timestamp: x.Timestamp,
		})
	}
	return out, err
}

func balancesOf(balances []ledger.AccountBalance, err error) ([]tb.AccountBalance, error) {
	var out []tb.AccountBalance
	for _, b := range balances {
		out = append(out, tb.AccountBalance{
			DebitsPending: u(b.DebitsPending), DebitsPosted: u(b.DebitsPosted),
			CreditsPending: u(b.CreditsPending), CreditsPosted: u(b.CreditsPosted), Timestamp: b.Timestamp,
		})
	}
	return out, err
}

func changesOf(events []ledger.ChangeEvent, err error) ([]tb.ChangeEvent, error) {
	var out []tb.ChangeEvent
	for _, e := range events {
		out = append(out, tb.ChangeEvent{
			TransferID: u(e.Transfer.ID), TransferAmount: u(e.Transfer.Amount), TransferPendingID: u(e.Transfer.PendingID),
			TransferUserData128: u(e.Transfer.UserData128), TransferUserData64: e.Transfer.UserData64,
			TransferUserData32: e.Transfer.UserData32, TransferTimeout: e.Transfer.Timeout,
			TransferCode: e.Transfer.Code, TransferFlags: uint16(e.Transfer.Flags),
			Ledger: e.Ledger, Type: tb.ChangeEventType(e.Type),
			DebitAccountID: u(e.DebitAccount.ID), DebitAccountDebitsPending: u(e.DebitAccount.DebitsPending),
			DebitAccountDebitsPosted: u(e.DebitAccount.DebitsPosted), DebitAccountCreditsPending: u(e.DebitAccount.CreditsPending),
			DebitAccountCreditsPosted: u(e.DebitAccount.CreditsPosted), DebitAccountUserData128: u(e.DebitAccount.UserData128),
			DebitAccountUserData64: e.DebitAccount.UserData64, DebitAccountUserData32: e.DebitAccount.UserData32,
			DebitAccountCode: e.DebitAccount.Code, DebitAccountFlags: uint16(e.DebitAccount.Flags),
			CreditAccountID: u(e.CreditAccount.ID), CreditAccountDebitsPending: u(e.CreditAccount.DebitsPending),
			CreditAccountDebitsPosted: u(e.CreditAccount.DebitsPosted), CreditAccountCreditsPending: u(e.CreditAccount.CreditsPending),
			CreditAccountCreditsPosted: u(e.CreditAccount.CreditsPosted), CreditAccountUserData128: u(e.CreditAccount.UserData128),
			CreditAccountUserData64: e.CreditAccount.UserData64, CreditAccountUserData32: e.CreditAccount.UserData32,
			CreditAccountCode: e.CreditAccount.Code, CreditAccountFlags: uint16(e.CreditAccount.Flags),
			Timestamp: e.Timestamp, TransferTimestamp: e.Transfer.Timestamp,
			DebitAccountTimestamp: e.DebitAccount.Timestamp, CreditAccountTimestamp: e.CreditAccount.Timestamp,
		})
	}
	return out, err
}

// TestEveryOperationCarriesEveryField fills every field with a value of its own and compares what
// the client reads through the protocol with what the ledger behind it says itself.
func TestEveryOperationCarriesEveryField(t *testing.T) {
	const began = 1_700_000_000_000_000_000
	engine, clock := ledgerAt(began)
	s := start(t, standin.Options{Engine: engine})
	client := connect(t, s)
	ctx := t.Context()
	huge := tb.BytesToUint128([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	hugeHere := ledger.Uint128{Lo: 0x0807060504030201, Hi: 0x100f0e0d0c0b0a09}

	created := answered[[]tb.CreateAccountResult](t)(client.CreateAccounts([]tb.Account{
		{ID: huge, UserData128: tb.ToUint128(101), UserData64: 102, UserData32: 103, Ledger: 104, Code: 105, Flags: tb.AccountFlags{History: true}.ToUint16()},
		{ID: id(2), UserData128: huge, UserData64: 1 << 63, UserData32: 1 << 31, Ledger: 104, Code: 1 << 15, Flags: tb.AccountFlags{History: true}.ToUint16()},
		{ID: id(2), Ledger: 104, Code: 1},
		{ID: id(3), Ledger: 104, Code: 1, Reserved: 1},
		{ID: id(4), DebitsPending: id(1), Ledger: 104, Code: 1},
		{ID: id(5), DebitsPosted: id(1), Ledger: 104, Code: 1},
		{ID: id(6), CreditsPending: id(1), Ledger: 104, Code: 1},
		{ID: id(7), CreditsPosted: id(1), Ledger: 104, Code: 1},
		{ID: id(8), Ledger: 104, Code: 1, Timestamp: 1},
	}))
	same(t, "results of accounts", created, []tb.CreateAccountResult{
		{Timestamp: began + 1, Status: tb.AccountCreated},
		{Timestamp: began + 2, Status: tb.AccountCreated},
		{Timestamp: began + 3, Status: tb.AccountExistsWithDifferentFlags},
		{Timestamp: began + 4, Status: tb.AccountReservedField},
		{Timestamp: began + 5, Status: tb.AccountDebitsPendingMustBeZero},
		{Timestamp: began + 6, Status: tb.AccountDebitsPostedMustBeZero},
		{Timestamp: began + 7, Status: tb.AccountCreditsPendingMustBeZero},
		{Timestamp: began + 8, Status: tb.AccountCreditsPostedMustBeZero},
		{Timestamp: began + 9, Status: tb.AccountTimestampMustBeZero},
	})

	pay := tb.Transfer{DebitAccountID: huge, CreditAccountID: id(2), Ledger: 104, Code: 1 << 15}
	back := tb.Transfer{DebitAccountID: id(2), CreditAccountID: huge, Ledger: 104, Code: 205}
	with := func(x tb.Transfer, change func(*tb.Transfer)) tb.Transfer { change(&x); return x }
	moved := answered[[]tb.CreateTransferResult](t)(client.CreateTransfers([]tb.Transfer{
		with(pay, func(x *tb.Transfer) {
			x.ID, x.Amount, x.UserData128, x.UserData64, x.UserData32 = huge, id(1001), huge, 202, 203
		}),
		with(pay, func(x *tb.Transfer) { x.ID, x.Amount, x.Flags, x.Timeout = id(20), id(1002), 2, 3600 }),
		with(back, func(x *tb.Transfer) { x.ID, x.Amount = id(21), id(500) }),
		with(back, func(x *tb.Transfer) { x.ID, x.Amount, x.Flags, x.Timeout = id(22), id(50), 2, 1 }),
		with(pay, func(x *tb.Transfer) { x.ID, x.Amount, x.Flags = id(23), id(70), 2 }),
		{ID: id(24), PendingID: id(23), Amount: id(60), Flags: tb.TransferFlags{PostPendingTransfer: true}.ToUint16()},
		with(pay, func(x *tb.Transfer) { x.ID, x.Amount, x.Timestamp = id(25), id(1), 1 }),
	}))
	for i, r := range moved {
		want := tb.TransferCreated
		if i == len(moved)-1 {
			want = tb.TransferTimestampMustBeZero
		}
		if r.Status != want || r.Timestamp != began+10+uint64(i)+1 {
			t.Fatalf("transfer %d: %v at %d, want %v at %d", i, r.Status, r.Timestamp, want, began+10+i+1)
		}
	}
	clock.advance(2 * time.Second) // 22 expires

	answeredAccounts, answeredTransfers := answered[[]tb.Account](t), answered[[]tb.Transfer](t)
	same(t, "looked up accounts",
		answeredAccounts(client.LookupAccounts([]tb.Uint128{id(2), id(99), huge, id(2)})),
		answeredAccounts(accountsOf(engine.LookupAccounts(ctx, []ledger.Uint128{ledger.U64(2), ledger.U64(99), hugeHere, ledger.U64(2)}))))
	same(t, "looked up transfers",
		answeredTransfers(client.LookupTransfers([]tb.Uint128{id(24), id(99), huge, id(20)})),
		answeredTransfers(transfersOf(engine.LookupTransfers(ctx, []ledger.Uint128{ledger.U64(24), ledger.U64(99), hugeHere, ledger.U64(20)}))))

	answeredBalances, answeredChanges := answered[[]tb.AccountBalance](t), answered[[]tb.ChangeEvent](t)
	// One filter for each field, so that each must arrive in its place.
	for name, f := range map[string]tb.AccountFilter{
		"both sides":   {Flags: 3},
		"debits":       {Flags: 1},
		"credits":      {Flags: 2},
		"reversed":     {Flags: 7},
		"user 128":     {Flags: 3, UserData128: huge},
		"user 64":      {Flags: 3, UserData64: 202},
		"user 32":      {Flags: 3, UserData32: 203},
		"code":         {Flags: 3, Code: 205},
		"no earlier":   {Flags: 3, TimestampMin: moved[2].Timestamp},
		"no later":     {Flags: 3, TimestampMax: moved[2].Timestamp},
		"first of all": {Flags: 3, Limit: 1},
	} {
		f.AccountID = huge
		if f.Limit == 0 {
			f.Limit = 8189
		}
		here := ledger.AccountFilter{
			AccountID: hugeHere, UserData64: f.UserData64, UserData32: f.UserData32, Code: f.Code,
			TimestampMin: f.TimestampMin, TimestampMax: f.TimestampMax, Limit: f.Limit, Flags: ledger.AccountFilterFlags(f.Flags),
		}
		if f.UserData128 == huge {
			here.UserData128 = hugeHere
		}
		same(t, "transfers of the account, "+name, answeredTransfers(client.GetAccountTransfers(f)), answeredTransfers(transfersOf(engine.AccountTransfers(ctx, here))))
		same(t, "balances of the account, "+name, answeredBalances(client.GetAccountBalances(f)), answeredBalances(balancesOf(engine.AccountBalances(ctx, here))))
	}
	for name, f := range map[string]tb.QueryFilter{
		"all":          {},
		"reversed":     {Flags: 1},
		"user 128":     {UserData128: huge},
		"ledger":       {Ledger: 104},
		"code":         {Code: 1 << 15},
		"first of all": {Limit: 1},
	} {
		if f.Limit == 0 {
			f.Limit = 8189
		}
		here := ledger.QueryFilter{Ledger: f.Ledger, Code: f.Code, Limit: f.Limit, Flags: ledger.QueryFilterFlags(f.Flags)}
		if f.UserData128 == huge {
			here.UserData128 = hugeHere
		}
		same(t, "queried accounts, "+name, answeredAccounts(client.QueryAccounts(f)), answeredAccounts(accountsOf(engine.QueryAccounts(ctx, here))))
		same(t, "queried transfers, "+name, answeredTransfers(client.QueryTransfers(f)), answeredTransfers(transfersOf(engine.QueryTransfers(ctx, here))))
	}
	for name, f := range map[string]tb.QueryFilter{
		"user 64":    {UserData64: 102},
		"user 32":    {UserData32: 103},
		"no earlier": {TimestampMin: created[1].Timestamp},
		"no later":   {TimestampMax: created[0].Timestamp},
	} {
		f.Limit = 8189
		here := ledger.QueryFilter{
			UserData64: f.UserData64, UserData32: f.UserData32,
			TimestampMin: f.TimestampMin, TimestampMax: f.TimestampMax, Limit: f.Limit,
		}
		same(t, "queried accounts, "+name, answeredAccounts(client.QueryAccounts(f)), answeredAccounts(accountsOf(engine.QueryAccounts(ctx, here))))
	}

	same(t, "change events",
		answeredChanges(client.GetChangeEvents(tb.ChangeEventsFilter{Limit: 2730})),
		answeredChanges(changesOf(engine.ChangeEvents(ctx, ledger.ChangeEventsFilter{Limit: 2730}))))
	changes := answeredChanges(client.GetChangeEvents(tb.ChangeEventsFilter{TimestampMin: moved[5].Timestamp, Limit: 2730}))
	if len(changes) != 2 || changes[0].Type != tb.ChangeEventTwoPhasePosted || changes[1].Type != tb.ChangeEventTwoPhaseExpired {
		t.Fatalf("the last changes are %+v, want a post and an expiry", changes)
	}
	if changes = answeredChanges(client.GetChangeEvents(tb.ChangeEventsFilter{TimestampMax: moved[0].Timestamp, Limit: 2730})); len(changes) != 1 {
		t.Fatalf("%d changes until the first transfer", len(changes))
	}
}

func TestReservedBytesMakeAFilterInvalid(t *testing.T) {
	client := connect(t, start(t, standin.Options{}))
	openAccounts(t, client)
	pay(t, client, 1, 1)
	for at := range 58 {
		f := tb.AccountFilter{AccountID: id(1), Limit: 10, Flags: 3}
		f.Reserved[at] = 1
		if found, err := client.GetAccountTransfers(f); err != nil || len(found) != 0 {
			t.Fatalf("byte %d: %v, %v", at, found, err)
		}
	}
	for at := range 6 {
		f := tb.QueryFilter{Limit: 10}
		f.Reserved[at] = 1
		if found, err := client.QueryAccounts(f); err != nil || len(found) != 0 {
			t.Fatalf("byte %d: %v, %v", at, found, err)
		}
	}
	for at := range 44 {
		f := tb.ChangeEventsFilter{Limit: 10}
		f.Reserved[at] = 1
		if found, err := client.GetChangeEvents(f); err != nil || len(found) != 0 {
			t.Fatalf("byte %d: %v, %v", at, found, err)
		}
	}
}

// openAccounts creates accounts 1 and 2.
func openAccounts(t *testing.T, client tb.Client) {
	t.Helper()
	results, err := client.CreateAccounts([]tb.Account{{ID: id(1), Ledger: 1, Code: 1}, {ID: id(2), Ledger: 1, Code: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Status != tb.AccountCreated {
			t.Fatal(r.Status)
		}
	}
}

func transfer(n, amount uint64) tb.Transfer {
	return tb.Transfer{ID: id(n), DebitAccountID: id(1), CreditAccountID: id(2), Amount: id(amount), Ledger: 1, Code: 1}
}

// pay moves an amount from 1 to 2, which must succeed.
func pay(t *testing.T, client tb.Client, n, amount uint64) {
	t.Helper()
	if err := <-paying(client, n, amount); err != nil {
		t.Fatal(err)
	}
}

// paying does the same in the background and tells how it went.
func paying(client tb.Client, n, amount uint64) <-chan error {
	done := make(chan error, 1) // so that the goroutine ends if the test gave up
	go func() {
		results, err := client.CreateTransfers([]tb.Transfer{transfer(n, amount)})
		if err == nil && results[0].Status != tb.TransferCreated {
			err = fmt.Errorf("transfer %d: %v", n, results[0].Status)
		}
		done <- err
	}()
	return done
}

// until waits for the server to have come as far as the test needs.
func until(t *testing.T, s *standin.Server, reached func(standin.Counts) bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !reached(s.Counts()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after half a minute: %+v", s.Counts())
		}
	}
}

// received compares what account 2 has been credited with.
func received(t *testing.T, client tb.Client, want uint64) {
	t.Helper()
	accounts, err := client.LookupAccounts([]tb.Uint128{id(2)})
	if err != nil {
		t.Fatal(err)
	}
	if len(accounts) != 1 || accounts[0].CreditsPosted != id(want) {
		t.Fatalf("accounts %+v, want credits of %d", accounts, want)
	}
}

func TestALostReplyIsAskedForAgainAndTheMoneyMovesOnce(t *testing.T) {
	s := start(t, standin.Options{})
	client := connect(t, s)
	openAccounts(t, client)
	s.DropReplies(1)
	pay(t, client, 1, 100) // created, not exists: the stored reply
	received(t, client, 100)
	got := s.Counts()
	if got.RepliesDropped != 1 || got.Repeated != 1 || got.Operations[standin.CreateTransfers].Requests != 1 {
		t.Fatalf("%+v", got)
	}
}

func TestALostRequestIsSentAgain(t *testing.T) {
	s := start(t, standin.Options{})
	client := connect(t, s)
	openAccounts(t, client)
	s.DropRequests(1)
	pay(t, client, 1, 100)
	received(t, client, 100)
	if got := s.Counts(); got.RequestsDropped != 1 || got.Repeated != 0 || got.Operations[standin.CreateTransfers].Requests != 1 {
		t.Fatalf("%+v", got)
	}
}

func TestAnEvictedClientSaysSoAndANewOneGoesOn(t *testing.T) {
	s := start(t, standin.Options{})
	for reason, want := range map[standin.Reason]error{
		standin.ReasonNoSession:       tb.ErrClientEvicted,
		standin.ReasonReleaseTooLow:   tb.ErrClientReleaseTooLow,
		standin.ReasonReleaseTooHigh:  tb.ErrClientReleaseTooHigh,
		standin.ReasonReleaseMismatch: tb.ErrClientEvicted,
	} {
		client := connect(t, s)
		if _, err := client.LookupAccounts([]tb.Uint128{id(1)}); err != nil {
			t.Fatal(err)
		}
		clients := s.Clients()
		if len(clients) != 1 {
			t.Fatalf("clients %v", clients)
		}
		s.Evict(clients[0], reason)
		if _, err := client.LookupAccounts([]tb.Uint128{id(1)}); !errors.Is(err, want) {
			t.Fatalf("reason %d: %v, want %v", reason, err, want)
		}
		if _, err := client.LookupAccounts([]tb.Uint128{id(1)}); !errors.Is(err, tb.ErrClientClosed) {
			t.Fatalf("reason %d, the call after it: %v", reason, err)
		}
	}
	if got := s.Counts().Evictions; got != 4 {
		t.Fatalf("%d evictions, want 4", got)
	}
}

func TestAClientEvictedWhileItWaitsIsToldByTheAnswer(t *testing.T) {
	s := start(t, standin.Options{})
	client := connect(t, s)
	openAccounts(t, client)
	s.DropRequests(1 << 20) // however often the client repeats it meanwhile
	done := paying(client, 1, 100)
	until(t, s, func(c standin.Counts) bool { return c.RequestsDropped > 0 })
	s.EvictAll(standin.ReasonNoSession)
	s.DropRequests(0)
	if err := <-done; !errors.Is(err, tb.ErrClientEvicted) {
		t.Fatal(err)
	}
	received(t, connect(t, s), 0)
}

func TestAClientOutlivesAServerThatDiesBeforeItAnswersAndComesBack(t *testing.T) {
	s := start(t, standin.Options{})
	client := connect(t, s)
	openAccounts(t, client)
	s.DropReplies(1)
	done := paying(client, 1, 100)
	until(t, s, func(c standin.Counts) bool { return c.RepliesDropped == 1 })
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	received(t, client, 100)
	if got := s.Counts(); got.Registered != 1 || got.Repeated != 1 || got.Operations[standin.CreateTransfers].Requests != 1 {
		t.Fatalf("%+v", got)
	}
}

func TestAFrozenServerAnswersNothingUntilItThaws(t *testing.T) {
	s := start(t, standin.Options{})
	client := connect(t, s)
	openAccounts(t, client)
	s.Freeze()
	done := paying(client, 1, 100)
	select {
	case err := <-done:
		t.Fatalf("answered while frozen: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	s.Thaw()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	received(t, client, 100)
}

func TestCallsThatWaitTravelTogetherAndEachIsAnswered(t *testing.T) {
	const callers, calls = 64, 20
	s := start(t, standin.Options{})
	client := connect(t, s)
	openAccounts(t, client)
	s.DelayCommits(2 * time.Millisecond)
	var all sync.WaitGroup
	for caller := range uint64(callers) {
		all.Go(func() {
			for call := range uint64(calls) {
				// Batches of different sizes, so that answers given to the wrong call would show.
				transfers := make([]tb.Transfer, 1+(caller+call)%5)
				for i := range transfers {
					transfers[i] = transfer(1+caller*1000+call*10+uint64(i), 1)
				}
				results, err := client.CreateTransfers(transfers)
				if err != nil || len(results) != len(transfers) {
					t.Errorf("%d results for %d transfers: %v", len(results), len(transfers), err)
					return
				}
				for _, r := range results {
					if r.Status != tb.TransferCreated {
						t.Errorf("caller %d, call %d: %v", caller, call, r.Status)
					}
				}
			}
		})
	}
	all.Wait()
	s.DelayCommits(0)
	got := s.Counts().Operations[standin.CreateTransfers]
	if got.Batches != callers*calls || got.Requests*2 > got.Batches || got.BatchesMax < 2 {
		t.Fatalf("%+v for %d calls", got, callers*calls)
	}
	received(t, client, uint64(got.Events))
}

// TestABatchKeepsItsChainsAndItsImportsToItself: what one caller sends must not decide over the
// money of another whose call happened to travel in the same request.
func TestABatchKeepsItsChainsAndItsImportsToItself(t *testing.T) {
	s := start(t, standin.Options{})
	client := connect(t, s)
	openAccounts(t, client)
	pay(t, client, 1_000_000, 1)
	linked, imported := tb.TransferFlags{Linked: true}.ToUint16(), tb.TransferFlags{Imported: true}.ToUint16()
	flagged := func(x tb.Transfer, flags uint16) tb.Transfer { x.Flags = flags; return x }
	s.DelayCommits(100 * time.Millisecond)

	// Whether the calls get into one request is for the scheduler to say: until they have.
	const tries = 50
	for try := range uint64(tries) {
		n := 1 + 100*try
		past := flagged(transfer(n+6, 1), imported)
		past.Timestamp = 1 // before the first payment: admitted as an import, then refused
		calls := []struct {
			transfers []tb.Transfer
			want      []tb.CreateTransferStatus
		}{
			{[]tb.Transfer{transfer(n, 1)}, []tb.CreateTransferStatus{tb.TransferCreated}},
			{ // a chain that breaks
				[]tb.Transfer{flagged(transfer(n+1, 1), linked), {ID: id(n + 2), DebitAccountID: id(1), CreditAccountID: id(1), Amount: id(1), Ledger: 1, Code: 1}},
				[]tb.CreateTransferStatus{tb.TransferLinkedEventFailed, tb.TransferAccountsMustBeDifferent},
			},
			{ // a chain that its caller forgot to end
				[]tb.Transfer{transfer(n+3, 1), flagged(transfer(n+4, 1), linked)},
				[]tb.CreateTransferStatus{tb.TransferCreated, tb.TransferLinkedEventChainOpen},
			},
			{[]tb.Transfer{transfer(n+5, 1)}, []tb.CreateTransferStatus{tb.TransferCreated}},
			{
				[]tb.Transfer{past, transfer(n+7, 1)},
				[]tb.CreateTransferStatus{tb.TransferImportedEventTimestampMustNotRegress, tb.TransferImportedEventExpected},
			},
			{
				[]tb.Transfer{transfer(n+8, 1), flagged(transfer(n+9, 1), imported)},
				[]tb.CreateTransferStatus{tb.TransferCreated, tb.TransferImportedEventNotExpected},
			},
		}
		var all sync.WaitGroup
		for i, call := range calls {
			all.Go(func() {
				results, err := client.CreateTransfers(call.transfers)
				if err != nil || len(results) != len(call.want) {
					t.Errorf("call %d: %d results, %v", i, len(results), err)
					return
				}
				for j, r := range results {
					if r.Status != call.want[j] {
						t.Errorf("call %d, transfer %d: %v, want %v", i, j, r.Status, call.want[j])
					}
				}
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		// The first call goes alone; the others wait for it.
		if s.Counts().Operations[standin.CreateTransfers].BatchesMax >= len(calls)-1 {
			return
		}
	}
	t.Fatalf("in %d tries the calls never travelled together", tries)
}

func TestTheServerTellsTheClientItsLimits(t *testing.T) {
	for name, c := range map[string]struct {
		size, creates int
	}{
		"production":  {standin.RequestSizeMaxProduction, 8189},
		"development": {standin.RequestSizeMaxDevelopment, 253},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, standin.Options{RequestSizeMax: c.size})
			client := connect(t, s)
			accounts := make([]tb.Account, c.creates+1)
			ids := make([]tb.Uint128, c.creates)
			for i := range accounts {
				accounts[i] = tb.Account{ID: id(uint64(i + 1)), Ledger: 1, Code: 1}
			}
			for i := range ids {
				ids[i] = accounts[i].ID
			}
			if _, err := client.CreateAccounts(accounts); !errors.Is(err, tb.ErrTooMuchData) {
				t.Fatalf("%d accounts: %v", len(accounts), err)
			}
			results, err := client.CreateAccounts(accounts[:c.creates])
			if err != nil || len(results) != c.creates || results[c.creates-1].Status != tb.AccountCreated {
				t.Fatalf("%d accounts: %d results, %v", c.creates, len(results), err)
			}
			found, err := client.LookupAccounts(ids)
			if err != nil || len(found) != c.creates || found[c.creates-1].ID != ids[c.creates-1] {
				t.Fatalf("%d found, %v", len(found), err)
			}
			if got := s.Counts().Operations[standin.CreateAccounts]; got.EventsMax != c.creates {
				t.Fatalf("%+v", got)
			}
			if _, err := client.QueryAccounts(tb.QueryFilter{Limit: 8190}); !errors.Is(err, tb.ErrTooMuchData) {
				t.Fatalf("query of 8190: %v", err)
			}
			all, err := client.QueryAccounts(tb.QueryFilter{Limit: 8189})
			if err != nil || len(all) != c.creates {
				t.Fatalf("query: %d found, %v", len(all), err)
			}
		})
	}
}

// BenchmarkFullRequests shows what a test that moves many transfers pays for the protocol.
func BenchmarkFullRequests(b *testing.B) {
	s, err := standin.Start(standin.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	client, err := tb.NewClient(tb.ToUint128(0), []string{s.Addr()})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	if _, err := client.CreateAccounts([]tb.Account{{ID: id(1), Ledger: 1, Code: 1}, {ID: id(2), Ledger: 1, Code: 1}}); err != nil {
		b.Fatal(err)
	}
	transfers := make([]tb.Transfer, 8189)
	next := uint64(0)
	b.ResetTimer()
	for b.Loop() {
		for i := range transfers {
			next++
			transfers[i] = transfer(next, 1)
		}
		if _, err := client.CreateTransfers(transfers); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(next)/b.Elapsed().Seconds(), "transfers/s")
}
