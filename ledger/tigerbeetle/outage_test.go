package tigerbeetle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

func (b *bank) out() bool {
	out, _ := b.Unavailable()
	return out
}

func TestADeadClusterIsReportedWithinUnavailableAfterAndThenAtOnce(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		time.Sleep(77 * time.Millisecond) // somewhere between two beats
		b.die()
		start := time.Now()
		sent := b.send(t.Context(), move(10))
		synctest.Wait()
		waiting := b.send(t.Context(), move(20))
		reading := make(chan error, 1) // the one outcome
		go func() {
			_, err := b.LookupAccounts(t.Context(), []ledger.Uint128{ledger.U64(1)})
			reading <- err
		}()
		b.fails((<-sent).err, ledger.ErrOutcomeUnknown)
		b.fails((<-waiting).err, ledger.ErrUnavailable)
		b.fails(<-reading, ledger.ErrUnavailable)
		if took := time.Since(start); took > time.Second || took < 800*time.Millisecond {
			t.Errorf("reported after %v", took)
		}

		start = time.Now()
		_, err := b.CreateTransfers(t.Context(), separate(30, 1))
		b.fails(err, ledger.ErrUnavailable)
		_, err = b.LookupTransfers(t.Context(), []ledger.Uint128{ledger.U64(10)})
		b.fails(err, ledger.ErrUnavailable)
		if took := time.Since(start); took != 0 {
			t.Errorf("failing took %v", took)
		}
		if out, why := b.Unavailable(); !out || !strings.Contains(why, "no answer") {
			t.Errorf("%v %q", out, why)
		}

		time.Sleep(time.Minute)
		b.revive()
		synctest.Wait()
		if b.out() {
			t.Fatal("the cluster is back and nobody noticed")
		}
		if !b.applied(10) || b.applied(20) || b.applied(30) {
			t.Error("what was sent must be applied, what was not must not")
		}
		b.expect(answerOf(b.CreateTransfers(t.Context(), separate(10, 1))), ledger.TransferExists)
		b.created(separate(20, 1)...)
		if s := b.Stats(); s.Outages != 1 || s.Clients != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhatWasSentBeforeAnOutageGoesThroughBeforeWhatIsNewer(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.die()
		b.fails((<-b.send(t.Context(), move(10))).err, ledger.ErrOutcomeUnknown)
		b.revive()
		for b.out() {
			time.Sleep(time.Millisecond)
		}
		b.created(move(20))
		if got := b.requests(); len(got) != 2 || got[0][0].ID.Lo != 10 {
			t.Errorf("%v", got)
		}
	})
}

func TestASlowClusterThatAnswersIsNotCalledDead(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.delay = 800 * time.Millisecond
		for i := range 20 {
			calls := []chan answer{b.send(t.Context(), move(uint64(100+2*i))), b.send(t.Context(), move(uint64(101+2*i)))}
			for _, call := range calls {
				b.expect(<-call, ledger.TransferCreated)
			}
		}
		if s := b.Stats(); s.Outages != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// An idle bank learns it from the probe, so that its first customer isn't left in the dark.
func TestAClusterThatDiesWhileNobodyAsksIsNoticed(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		time.Sleep(time.Minute)
		if b.out() || b.cluster.lookups < 10 || b.cluster.lookups > 14 {
			t.Errorf("out: %v after %d probes", b.out(), b.cluster.lookups)
		}
		b.die()
		time.Sleep(7 * time.Second)
		_, err := b.CreateTransfers(t.Context(), separate(10, 1))
		b.fails(err, ledger.ErrUnavailable)
		b.revive()
	})
}

func TestOpenWaitsForAClusterThatComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bank{T: t, cluster: newCluster()}
		b.die()
		start := time.Now()
		b.serve(Options{})
		if took := time.Since(start); took != time.Second {
			t.Errorf("Open took %v", took)
		}
		_, err := b.CreateTransfers(t.Context(), separate(10, 1))
		b.fails(err, ledger.ErrUnavailable)
		b.revive()
		synctest.Wait()
		if _, err := b.CreateTransfers(t.Context(), separate(10, 1)); err != nil {
			t.Error(err)
		}
	})
}

func TestAnEvictedClientIsReplacedAndItsRequestRepeated(t *testing.T) {
	for what, want := range map[eviction]ledger.CreateTransferStatus{
		evictedBefore: ledger.TransferCreated,
		evictedAfter:  ledger.TransferExists,
	} {
		inTime(t, Options{}, func(t *testing.T, b *bank) {
			b.evictions = []eviction{what}
			b.expect(answerOf(b.CreateTransfers(t.Context(), separate(10, 3))), want)
			b.created(separate(20, 3)...)
			synctest.Wait()
			if s := b.Stats(); s.Clients != 2 || s.Outages != 0 || b.live() != 1 {
				t.Errorf("%d live, %+v", b.live(), s)
			}
		})
	}
}

func TestARequestInterruptedTwiceIsUnknown(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.evictions = []eviction{evictedBefore, evictedAfter}
		start := time.Now()
		_, err := b.CreateTransfers(t.Context(), separate(10, 1))
		b.fails(err, ledger.ErrOutcomeUnknown)
		time.Sleep(2 * time.Second)
		b.expect(answerOf(b.CreateTransfers(t.Context(), separate(10, 1))), ledger.TransferExists)
		if b.live() != 1 || time.Since(start) > 4*time.Second {
			t.Errorf("%d live", b.live())
		}
	})
}

// Without a client nothing can have been sent, and the caller may be told so.
func TestWhileNoClientCanBeMadeCallsAreUnavailableAndNotUnknown(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.evictions = []eviction{evictedBefore}
		b.dialing = func() error { return errors.New("no threads left") }
		first := b.send(t.Context(), move(10))
		synctest.Wait()
		start := time.Now()
		second := b.send(t.Context(), move(20))
		b.fails((<-second).err, ledger.ErrUnavailable)
		b.fails((<-first).err, ledger.ErrOutcomeUnknown)
		if took := time.Since(start); took > time.Second {
			t.Errorf("reported after %v", took)
		}
		time.Sleep(10 * time.Second)
		if out, why := b.Unavailable(); !out || !strings.Contains(why, "no threads left") {
			t.Errorf("%v %q", out, why)
		}
		b.cluster.mu.Lock()
		b.dialing = nil
		b.cluster.mu.Unlock()
		time.Sleep(2 * time.Second)
		b.created(move(20))
	})
}

func TestACallThatComesWhileTheClientIsReplacedWaitsForTheNewOne(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		idle := func() {
			b.Ledger.mu.Lock()
			defer b.Ledger.mu.Unlock()
			b.lose(b.session, errors.New("evicted while idle"))
		}
		takes := func(d time.Duration) {
			b.dialing = func() error { time.Sleep(d); return nil }
		}
		takes(300 * time.Millisecond)
		idle()
		b.created(move(1))
		if s := b.Stats(); s.Outages != 0 {
			t.Errorf("%+v", s)
		}

		time.Sleep(2 * time.Second)
		takes(1500 * time.Millisecond)
		idle()
		early := b.send(t.Context(), move(10)) // until the outage
		b.fails((<-early).err, ledger.ErrUnavailable)
		time.Sleep(time.Second)
		b.created(move(20))
		if b.applied(10) {
			t.Error("a call was sent after its caller was told that it was not")
		}
	})
}

func TestCloseEndsAClientThatIsJustBeingMade(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.evictions = []eviction{evictedBefore}
		b.dialing = func() error { time.Sleep(500 * time.Millisecond); return nil }
		call := b.send(t.Context(), move(10))
		time.Sleep(100 * time.Millisecond)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		b.fails((<-call).err, ledger.ErrOutcomeUnknown)
		if len(b.clients) != 2 || b.live() != 0 {
			t.Errorf("%d clients, %d live", len(b.clients), b.live())
		}
	})
}

// Banks that evict each other in a tight loop would leave the cluster no time for anything else.
func TestNewClientsAreNotMadeInATightLoop(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.evictions = slices.Repeat([]eviction{evictedBefore}, 1000)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for i := uint64(0); ctx.Err() == nil; i++ {
			if _, err := b.CreateTransfers(ctx, separate(1000+i, 1)); err == nil {
				t.Fatal("created by a client that is evicted")
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := b.Stats().Clients; n < 5 || n > 23 {
			t.Errorf("%d clients in 20 s", n)
		}
		b.cluster.mu.Lock()
		b.evictions = nil
		b.cluster.mu.Unlock()
		time.Sleep(2 * time.Second)
		b.created(move(20))
	})
}

// A pod that comes back elsewhere must be found again without a restart of the bank.
func TestNamesAreResolvedAnewWhenTheClusterIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at, lookups := "10.0.0.1", 0
		b := &bank{T: t, cluster: newCluster()}
		b.serve(Options{
			Addresses: []string{"tb-0:4000", "10.0.0.9:4000"},
			Resolve: func(context.Context, string) ([]string, error) {
				b.cluster.mu.Lock()
				defer b.cluster.mu.Unlock()
				lookups++
				if at == "" {
					return nil, errors.New("no such host")
				}
				return []string{at}, nil
			},
		})
		move := func(to string) {
			b.cluster.mu.Lock()
			defer b.cluster.mu.Unlock()
			at = to
		}
		time.Sleep(time.Minute)
		if lookups != 1 {
			t.Errorf("%d look-ups while all is well", lookups)
		}
		b.die()
		time.Sleep(time.Minute)
		if n := len(b.dialed); n != 1 {
			t.Errorf("%d clients for the same addresses", n)
		}
		move("")
		time.Sleep(time.Minute)
		move("10.0.0.2")
		time.Sleep(7 * time.Second)
		b.revive()
		time.Sleep(time.Second)
		want := [][]string{{"10.0.0.1:4000", "10.0.0.9:4000"}, {"10.0.0.2:4000", "10.0.0.9:4000"}}
		if !slices.EqualFunc(b.dialed, want, slices.Equal) || b.out() {
			t.Errorf("clients for %v, out: %v", b.dialed, b.out())
		}
	})
}

func TestANameThatLeadsNowhereAtStartIsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := make(chan struct{})
		b := &bank{T: t, cluster: newCluster()}
		b.serve(Options{
			Addresses: []string{"tb-0:4000"},
			Resolve: func(ctx context.Context, _ string) ([]string, error) {
				select {
				case <-known:
					return []string{"10.0.0.1"}, nil
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			},
		})
		_, err := b.CreateTransfers(t.Context(), separate(10, 1))
		b.fails(err, ledger.ErrUnavailable)
		if _, why := b.Unavailable(); !strings.Contains(why, "tb-0") {
			t.Errorf("the operator is told %q", why)
		}
		close(known)
		time.Sleep(3 * time.Second)
		if _, err := b.CreateTransfers(t.Context(), separate(10, 1)); err != nil {
			t.Error(err)
		}
	})
}

func TestAClientThatLosesARequestIsReplaced(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.holdBack = make(chan struct{})
		defer close(b.holdBack)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := b.CreateTransfers(ctx, separate(10, 1))
		b.fails(err, ledger.ErrOutcomeUnknown)
		b.cluster.mu.Lock()
		hold := b.holdBack
		b.holdBack = nil
		b.cluster.mu.Unlock()
		for range 150 { // others are answered all the time
			if _, err := b.LookupAccounts(t.Context(), []ledger.Uint128{ledger.U64(1)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		b.holdBack = hold
		if b.Stats().Clients != 2 || b.live() != 1 || !b.applied(10) {
			t.Errorf("applied: %v, %+v", b.applied(10), b.Stats())
		}
	})
}

func TestCloseReleasesEveryBlockedCall(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.die()
		sent := b.send(t.Context(), move(10))
		synctest.Wait()
		waiting := b.send(t.Context(), move(20))
		reading := make(chan error, 1) // the one outcome
		go func() {
			_, err := b.QueryAccounts(t.Context(), ledger.QueryFilter{Limit: 10})
			reading <- err
		}()
		synctest.Wait()
		start := time.Now()
		for range 2 {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
		b.fails((<-sent).err, ledger.ErrOutcomeUnknown)
		b.fails((<-waiting).err, ledger.ErrClosed)
		b.fails(<-reading, ledger.ErrClosed)
		_, err := b.CreateTransfers(t.Context(), separate(30, 1))
		b.fails(err, ledger.ErrClosed)
		_, err = b.LookupAccounts(t.Context(), []ledger.Uint128{ledger.U64(1)})
		b.fails(err, ledger.ErrClosed)
		if time.Since(start) != 0 || b.live() != 0 {
			t.Errorf("closing took %v, %d clients live", time.Since(start), b.live())
		}
	})
}

func TestCloseEndsARenewal(t *testing.T) {
	inTime(t, Options{RenewEvery: time.Hour}, func(t *testing.T, b *bank) {
		b.evictions = []eviction{evictedBefore, evictedBefore}
		b.fails((<-b.send(t.Context(), move(10))).err, ledger.ErrOutcomeUnknown)
		start := time.Now()
		if err := b.Close(); err != nil || time.Since(start) != 0 || b.live() != 0 {
			t.Errorf("%v after %v, %d clients live", err, time.Since(start), b.live())
		}
	})
}

func TestReadsGiveWhatTheClusterHas(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.cluster.limit = 300
		transfers := separate(100, 5)
		b.created(transfers...)
		ctx := t.Context()
		ids := []ledger.Uint128{ledger.U64(102), ledger.U64(9999), ledger.U64(100)}
		if got, err := b.LookupTransfers(ctx, ids); err != nil || len(got) != 2 || got[0].ID.Lo != 102 || got[1].ID.Lo != 100 {
			t.Errorf("%v %v", got, err)
		}
		filter := ledger.AccountFilter{AccountID: ledger.U64(1), Limit: 3, Flags: ledger.AccountFilterDebits}
		if got, err := b.AccountTransfers(ctx, filter); err != nil || len(got) != 3 {
			t.Errorf("%v %v", got, err)
		}
		if got, err := b.AccountBalances(ctx, filter); err != nil || len(got) != 0 {
			t.Errorf("%v %v", got, err)
		}
		if got, err := b.QueryTransfers(ctx, ledger.QueryFilter{Limit: 4}); err != nil || len(got) != 4 {
			t.Errorf("%v %v", got, err)
		}
		if got, err := b.QueryAccounts(ctx, ledger.QueryFilter{Limit: 4}); err != nil || len(got) != 4 {
			t.Errorf("%v %v", got, err)
		}
		if got, err := b.ChangeEvents(ctx, ledger.ChangeEventsFilter{Limit: 2730}); err != nil || len(got) != 5 {
			t.Errorf("%v %v", got, err)
		}
		_, err := b.ChangeEvents(ctx, ledger.ChangeEventsFilter{Limit: 2731})
		b.fails(err, ledger.ErrTooMuchData)
		_, err = b.QueryTransfers(ctx, ledger.QueryFilter{Limit: 8190})
		b.fails(err, ledger.ErrTooMuchData)

		many := make([]ledger.Uint128, 301)
		for range 2 { // refused by the client, then by what was learned
			_, err = b.LookupAccounts(ctx, many)
			b.fails(err, ledger.ErrTooMuchData)
		}
		if _, err := b.LookupAccounts(ctx, many[:300]); err != nil || b.refused != 1 {
			t.Errorf("%v after %d refusals", err, b.refused)
		}
	})
}
