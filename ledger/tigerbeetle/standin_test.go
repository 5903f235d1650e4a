//go:build cgo

package tigerbeetle_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle"
	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle/standin"
)

// The real client library, over the stand-in.

// unavailableAfter leaves a busy machine time for a new client's first answer, 0.6 s.
const unavailableAfter = 1500 * time.Millisecond

// patience bounds what must happen in the end. The client library takes up to 10 s to try again.
const patience = 30 * time.Second

type bank struct {
	*testing.T
	*tigerbeetle.Ledger
	server *standin.Server
}

func newBank(t *testing.T, options standin.Options, change ...func(*tigerbeetle.Options)) *bank {
	t.Helper()
	server, err := standin.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	o := tigerbeetle.Options{
		Addresses: []string{server.Addr()}, Cluster: options.Cluster,
		UnavailableAfter: unavailableAfter, ProbeEvery: time.Hour, RenewEvery: 100 * time.Millisecond,
	}
	for _, f := range change {
		f(&o)
	}
	l, err := tigerbeetle.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bank{T: t, Ledger: l, server: server}
	accounts := make([]ledger.Account, 2)
	for i := range accounts {
		accounts[i] = ledger.Account{ID: ledger.U64(uint64(i + 1)), Ledger: 156, Code: 2011, Flags: ledger.AccountHistory}
	}
	results, err := b.CreateAccounts(t.Context(), accounts)
	if err != nil || results[0].Status != ledger.AccountCreated || results[1].Status != ledger.AccountCreated {
		t.Fatal(results, err)
	}
	return b
}

// chain is n transfers of 1 fen from account 1 to 2, linked, with ids from first on.
func chain(first uint64, n int) []ledger.Transfer {
	transfers := separate(first, n)
	for i := range transfers[:n-1] {
		transfers[i].Flags = ledger.TransferLinked
	}
	return transfers
}

func separate(first uint64, n int) []ledger.Transfer {
	transfers := make([]ledger.Transfer, n)
	for i := range transfers {
		transfers[i] = ledger.Transfer{
			ID: ledger.U64(first + uint64(i)), DebitAccountID: ledger.U64(1), CreditAccountID: ledger.U64(2),
			Amount: ledger.U64(1), Ledger: 156, Code: 1,
		}
	}
	return transfers
}

func (b *bank) expect(transfers []ledger.Transfer, want ledger.CreateTransferStatus) {
	b.Helper()
	results, err := b.CreateTransfers(b.Context(), transfers)
	if err != nil {
		b.Fatal(err)
	}
	for i, r := range results {
		if r.Status != want {
			b.Fatalf("transfer %d: %v, want %v", i, r.Status, want)
		}
	}
}

func (b *bank) fails(err, want error) {
	b.Helper()
	all := []error{ledger.ErrUnavailable, ledger.ErrOutcomeUnknown, ledger.ErrTooMuchData, ledger.ErrClosed}
	for _, e := range all {
		if errors.Is(err, e) != (e == want) {
			b.Fatalf("got %v, want %v and nothing else", err, want)
		}
	}
}

// eventually repeats the payment, as a caller does, until it is there.
func (b *bank) eventually(transfers []ledger.Transfer) {
	b.Helper()
	deadline := time.Now().Add(patience)
	for {
		results, err := b.CreateTransfers(b.Context(), transfers)
		if err == nil {
			if !results[0].Status.Done() {
				b.Fatal(results[0].Status)
			}
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("not back after %v: %v; %+v", patience, err, b.Stats())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// posted is what account 1 has paid.
func (b *bank) posted() uint64 {
	b.Helper()
	found, err := b.LookupAccounts(b.Context(), []ledger.Uint128{ledger.U64(1)})
	if err != nil || len(found) != 1 {
		b.Fatal(found, err)
	}
	return found[0].DebitsPosted.Lo
}

func (b *bank) transfersCounted() standin.OperationCounts {
	return b.server.Counts().Operations[standin.CreateTransfers]
}

func TestAThousandCallersShareAFewRequests(t *testing.T) {
	b := newBank(t, standin.Options{})
	b.server.DelayCommits(20 * time.Millisecond)
	var callers sync.WaitGroup
	for i := range uint64(1000) {
		callers.Go(func() {
			results, err := b.CreateTransfers(t.Context(), separate(1000+i, 1))
			if err != nil || results[0].Status != ledger.TransferCreated {
				t.Error(results, err)
			}
		})
	}
	callers.Wait()
	if c := b.transfersCounted(); c.Requests > 10 || c.Events != 1000 || c.Batches != c.Requests {
		t.Errorf("%+v", c)
	}
	if b.posted() != 1000 {
		t.Error(b.posted())
	}
}

func TestAnswersOfEveryReadArriveWhole(t *testing.T) {
	b := newBank(t, standin.Options{})
	ctx := t.Context()
	transfers := separate(100, 3)
	transfers[1].UserData128, transfers[1].UserData64, transfers[1].UserData32 = ledger.Uint128{Lo: 5, Hi: 6}, 7, 8
	b.expect(transfers, ledger.TransferCreated)

	found, err := b.LookupTransfers(ctx, []ledger.Uint128{ledger.U64(101), ledger.U64(7777), ledger.U64(100)})
	if err != nil || len(found) != 2 {
		t.Fatal(found, err)
	}
	if found[0].Timestamp == 0 || found[1].ID != ledger.U64(100) {
		t.Error(found)
	}
	found[0].Timestamp = 0
	if found[0] != transfers[1] {
		t.Errorf("%+v came back as %+v", transfers[1], found[0])
	}
	of := ledger.AccountFilter{AccountID: ledger.U64(2), Limit: 10, Flags: ledger.AccountFilterCredits | ledger.AccountFilterReversed}
	page, err := b.AccountTransfers(ctx, of)
	if err != nil || len(page) != 3 || page[0].ID != ledger.U64(102) {
		t.Error(page, err)
	}
	balances, err := b.AccountBalances(ctx, of)
	if err != nil || len(balances) != 3 || balances[0].CreditsPosted != ledger.U64(3) || balances[0].Timestamp != page[0].Timestamp {
		t.Error(balances, err)
	}
	byUser, err := b.QueryTransfers(ctx, ledger.QueryFilter{UserData64: 7, Limit: 10})
	if err != nil || len(byUser) != 1 || byUser[0].ID != ledger.U64(101) {
		t.Error(byUser, err)
	}
	accounts, err := b.QueryAccounts(ctx, ledger.QueryFilter{Code: 2011, Limit: 10})
	if err != nil || len(accounts) != 2 || accounts[1].CreditsPosted != ledger.U64(3) {
		t.Error(accounts, err)
	}
	events, err := b.ChangeEvents(ctx, ledger.ChangeEventsFilter{Limit: 10})
	if err != nil || len(events) != 3 || events[2].CreditAccount.CreditsPosted != ledger.U64(3) || events[1].Transfer.UserData128.Hi != 6 {
		t.Error(events, err)
	}
}

// Chains of 7 don't fit evenly into anything: a cut one would leave a chain open.
func TestAChainIsNeverCut(t *testing.T) {
	b := newBank(t, standin.Options{RequestSizeMax: standin.RequestSizeMaxDevelopment})
	var callers sync.WaitGroup
	for caller := range uint64(40) {
		callers.Go(func() {
			var slice []ledger.Transfer
			for c := range uint64(20) {
				slice = append(slice, chain(10_000+caller*1000+c*10, 7)...)
			}
			results, err := b.CreateTransfers(t.Context(), slice)
			if err != nil || len(results) != len(slice) {
				t.Error(len(results), err)
			}
			for _, r := range results {
				if r.Status != ledger.TransferCreated {
					t.Error(r.Status)
				}
			}
		})
	}
	callers.Wait()
	if b.posted() != 40*20*7 {
		t.Error(b.posted())
	}
	if c := b.transfersCounted(); c.EventsMax > 253 || c.Batches != c.Requests {
		t.Errorf("%+v", c)
	}
}

func TestTheLimitOfADevelopmentServerIsLearned(t *testing.T) {
	b := newBank(t, standin.Options{RequestSizeMax: standin.RequestSizeMaxDevelopment})
	b.expect(separate(10_000, 8189), ledger.TransferCreated)
	if c := b.transfersCounted(); c.EventsMax != 253 || b.Limits().BatchMax != 253 {
		t.Errorf("%+v, learned %d", c, b.Limits().BatchMax)
	}
	_, err := b.CreateTransfers(t.Context(), chain(50_000, 254))
	b.fails(err, ledger.ErrTooMuchData)
	b.expect(chain(60_000, 253), ledger.TransferCreated)
	_, err = b.LookupTransfers(t.Context(), make([]ledger.Uint128, 8189))
	b.fails(err, ledger.ErrTooMuchData)
}

func TestTheLimitOfAProductionServerIsUsedWhole(t *testing.T) {
	b := newBank(t, standin.Options{})
	b.expect(separate(10_000, 8189), ledger.TransferCreated)
	if c := b.transfersCounted(); c.Requests != 1 || b.Limits().BatchMax != 8189 {
		t.Errorf("%+v, limit %d", c, b.Limits().BatchMax)
	}
}

func TestALostReplyIsAnUnknownOutcomeAndAskingAgainTells(t *testing.T) {
	b := newBank(t, standin.Options{})
	b.server.DropReplies(1000)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	payment := separate(100, 3)
	_, err := b.CreateTransfers(ctx, payment)
	b.fails(err, ledger.ErrOutcomeUnknown)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	b.server.DropReplies(0)
	b.eventually(payment)
	b.expect(payment, ledger.TransferExists)
	if b.posted() != 3 {
		t.Errorf("%d moved", b.posted())
	}
}

func TestACallThatEndsBeforeItsTurnIsNotSent(t *testing.T) {
	b := newBank(t, standin.Options{})
	b.server.DelayCommits(300 * time.Millisecond)
	first := make(chan error, 1) // its one answer
	go func() {
		_, err := b.CreateTransfers(t.Context(), separate(100, 1))
		first <- err
	}()
	for b.Stats().CreatesOnTheirWay == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := b.CreateTransfers(ctx, separate(200, 1))
	b.fails(err, ledger.ErrUnavailable)
	if err := <-first; err != nil {
		t.Error(err)
	}
	b.server.DelayCommits(0)
	if found, err := b.LookupTransfers(t.Context(), []ledger.Uint128{ledger.U64(200)}); err != nil || len(found) != 0 {
		t.Error(found, err)
	}
}

func (b *bank) untilOut() {
	b.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if out, _ := b.Unavailable(); out {
			return
		}
		if time.Now().After(deadline) {
			b.Fatal("the cluster is gone and nobody noticed")
		}
	}
}

func TestADeadServerIsReportedCallsFailFastAndItComesBackByItself(t *testing.T) {
	b := newBank(t, standin.Options{})
	if err := b.server.Stop(); err != nil {
		t.Fatal(err)
	}
	payment := separate(100, 1)
	_, err := b.CreateTransfers(t.Context(), payment)
	b.fails(err, ledger.ErrOutcomeUnknown)
	b.untilOut()
	for range 1000 {
		_, err = b.CreateTransfers(t.Context(), separate(200, 1))
		b.fails(err, ledger.ErrUnavailable)
	}
	_, err = b.LookupAccounts(t.Context(), []ledger.Uint128{ledger.U64(1)})
	b.fails(err, ledger.ErrUnavailable)

	if err := b.server.Restart(); err != nil {
		t.Fatal(err)
	}
	b.eventually(payment)
	b.eventually(separate(200, 1))
	if b.posted() != 2 {
		t.Errorf("%d moved", b.posted())
	}
	if s := b.Stats(); s.Clients != 1 || s.Outages == 0 {
		t.Errorf("%+v", s)
	}
}

func TestAFrozenServerIsReportedAndServesAgain(t *testing.T) {
	b := newBank(t, standin.Options{})
	b.server.Freeze()
	payment := separate(100, 1)
	_, err := b.CreateTransfers(t.Context(), payment)
	b.fails(err, ledger.ErrOutcomeUnknown)
	b.untilOut()
	b.server.Thaw()
	b.eventually(payment)
	if b.posted() != 1 {
		t.Errorf("%d moved", b.posted())
	}
}

func TestABankStartsWithoutItsLedgerAndFindsItLater(t *testing.T) {
	server, err := standin.Start(standin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	l, err := tigerbeetle.Open(tigerbeetle.Options{Addresses: []string{server.Addr()}, UnavailableAfter: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b := &bank{T: t, Ledger: l, server: server}
	_, err = b.CreateTransfers(t.Context(), separate(100, 1))
	b.fails(err, ledger.ErrUnavailable)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err = b.LookupAccounts(t.Context(), []ledger.Uint128{ledger.U64(1)}); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestAnEvictedClientIsReplacedAndTheBankGoesOn(t *testing.T) {
	for _, reason := range []standin.Reason{standin.ReasonNoSession, standin.ReasonReleaseTooHigh} {
		b := newBank(t, standin.Options{})
		for round := range uint64(3) {
			b.server.EvictAll(reason)
			b.eventually(separate(100+round, 1))
		}
		if b.posted() != 3 {
			t.Errorf("%d moved", b.posted())
		}
		if n := len(b.server.Clients()); n != 1 {
			t.Errorf("%d sessions", n)
		}
		if s := b.Stats(); s.Clients != 4 {
			t.Errorf("%+v", s)
		}
	}
}

func TestEvictionsInTheMidstOfManyCallersLoseNothing(t *testing.T) {
	b := newBank(t, standin.Options{})
	b.server.DelayCommits(5 * time.Millisecond)
	const callers, evictions = 50, 3
	evicted := make(chan struct{}) // closed after the last eviction
	var running sync.WaitGroup
	payments := make([]uint64, callers)
	for caller := range uint64(callers) {
		running.Go(func() {
			for {
				b.eventually(chain(1_000_000*(1+caller)+payments[caller]*10, 3))
				payments[caller]++
				select {
				case <-evicted:
					return
				default:
				}
			}
		})
	}
	for n := range uint64(evictions) {
		for b.Stats().Clients != 1+n || len(b.server.Clients()) == 0 {
			time.Sleep(time.Millisecond)
		}
		b.server.EvictAll(standin.ReasonNoSession)
	}
	close(evicted)
	running.Wait()
	want := uint64(0)
	for _, n := range payments {
		want += 3 * n
	}
	if got := b.posted(); got != want {
		t.Errorf("%d moved, the callers were told of %d", got, want)
	}
	if n := b.Stats().Clients; n != 1+evictions {
		t.Errorf("%d clients", n)
	}
}

func TestNamesAreResolved(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	b := newBank(t, standin.Options{Cluster: ledger.Uint128{Lo: 1, Hi: 2}}, func(o *tigerbeetle.Options) {
		_, port, err := net.SplitHostPort(o.Addresses[0])
		if err != nil {
			t.Fatal(err)
		}
		o.Addresses = []string{"tigerbeetle-0.bank:" + port}
		o.Resolve = func(_ context.Context, name string) ([]string, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, name)
			return []string{"127.0.0.1"}, nil
		}
	})
	b.server.EvictAll(standin.ReasonNoSession)
	b.eventually(separate(100, 1))
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(asked, []string{"tigerbeetle-0.bank", "tigerbeetle-0.bank"}) {
		t.Errorf("resolved %v", asked)
	}
}

func TestCloseReleasesCallsThatTheClientHolds(t *testing.T) {
	b := newBank(t, standin.Options{}, func(o *tigerbeetle.Options) { o.UnavailableAfter = time.Hour })
	b.server.Freeze()
	var calls sync.WaitGroup
	for i := range uint64(20) {
		calls.Go(func() {
			_, err := b.CreateTransfers(t.Context(), separate(100+i, 1))
			if !errors.Is(err, ledger.ErrOutcomeUnknown) && !errors.Is(err, ledger.ErrClosed) {
				t.Error(err)
			}
		})
		calls.Go(func() {
			if _, err := b.LookupAccounts(t.Context(), []ledger.Uint128{ledger.U64(1)}); !errors.Is(err, ledger.ErrClosed) {
				t.Error(err)
			}
		})
	}
	for b.Stats().ReadsOnTheirWay < 20 || b.Stats().CreatesOnTheirWay == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	calls.Wait()
}

func TestAnAddressTheClientCantUseIsAnErrorOfOpen(t *testing.T) {
	many := slices.Repeat([]string{"127.0.0.1:3001"}, 100)
	if l, err := tigerbeetle.Open(tigerbeetle.Options{Addresses: many}); err == nil {
		l.Close()
		t.Error("a hundred replicas were accepted")
	}
}
