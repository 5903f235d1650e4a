package tigerbeetle

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// inTime runs a test whose clock stands still while anything moves.
func inTime(t *testing.T, options Options, test func(t *testing.T, b *bank)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newBank(t, options)) })
}

// held sends blocker and waits until it is on its way to a cluster that is slow to answer: what
// comes next waits for the request after it.
func (b *bank) held(blocker ledger.Transfer) chan answer {
	b.die()
	got := b.send(b.Context(), blocker)
	synctest.Wait()
	return got
}

func TestARequestCarriesAllThatCameWhileTheLastOneWasOnItsWay(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.held(move(1))
		var calls []chan answer
		for i := range 1000 {
			calls = append(calls, b.send(t.Context(), move(uint64(100+i))))
		}
		synctest.Wait()
		b.revive()
		for _, call := range calls {
			b.expect(<-call, ledger.TransferCreated)
		}
		if got := b.requests(); len(got) != 2 || len(got[0]) != 1 || len(got[1]) != 1000 {
			t.Errorf("%d requests", len(got))
		}
	})
}

func TestResultsComeInTheOrderOfEachCallersSlice(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.held(move(1))
		bad := func(id uint64) ledger.Transfer { m := move(id); m.Code = 0; return m }
		first := b.send(t.Context(), move(10), bad(11), move(12))
		second := b.send(t.Context(), bad(20), move(21))
		synctest.Wait()
		b.revive()
		ok, no := ledger.TransferCreated, ledger.TransferCodeMustNotBeZero
		if got := (<-first).statuses(); !slices.Equal(got, []ledger.CreateTransferStatus{ok, no, ok}) {
			t.Error(got)
		}
		if got := (<-second).statuses(); !slices.Equal(got, []ledger.CreateTransferStatus{no, ok}) {
			t.Error(got)
		}
	})
}

// A chain that reached the cluster in two requests would be two chains: half a posting.
func TestAChainIsNeverCutAndOrderIsKeptWhereverTheLimitFalls(t *testing.T) {
	for limit := 8; limit <= 40; limit++ {
		inTime(t, Options{BatchMax: 64}, func(t *testing.T, b *bank) {
			b.limit = limit
			random := rand.New(rand.NewPCG(uint64(limit), 3))
			b.held(move(1))
			var calls []chan answer
			next := uint64(1000)
			for range 60 {
				var slice []ledger.Transfer
				for range 1 + random.IntN(6) {
					n := 1 + random.IntN(8)
					slice = append(slice, chain(next, n)...)
					next += uint64(n)
				}
				calls = append(calls, b.send(t.Context(), slice...))
				synctest.Wait() // queued in the order of their ids
			}
			b.revive()
			for _, call := range calls {
				b.expect(<-call, ledger.TransferCreated)
			}
			last := uint64(999)
			for _, request := range b.requests()[1:] {
				if len(request) > limit {
					t.Fatalf("%d transfers in a request, the limit is %d", len(request), limit)
				}
				if request[len(request)-1].Flags != 0 {
					t.Fatal("a request ends inside a chain")
				}
				for _, tr := range request {
					if last++; tr.ID.Lo != last {
						t.Fatalf("transfer %d came when %d was due", tr.ID.Lo, last)
					}
				}
			}
		})
	}
}

// The next caller's first transfer would become part of the chain, and fail with it.
func TestNothingFollowsACallThatEndsInsideAChain(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.held(move(1))
		open := b.send(t.Context(), move(10), move(11, ledger.TransferLinked))
		synctest.Wait()
		next := b.send(t.Context(), move(20))
		synctest.Wait()
		b.revive()
		want := []ledger.CreateTransferStatus{ledger.TransferCreated, ledger.TransferLinkedEventChainOpen}
		if got := (<-open).statuses(); !slices.Equal(got, want) {
			t.Error(got)
		}
		b.expect(<-next, ledger.TransferCreated)
	})
}

// The cluster judges all by the first event: another caller's import would refuse an ordinary transfer.
func TestImportedAndOtherTransfersTravelApart(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		imported := func(id, timestamp uint64) ledger.Transfer {
			m := move(id, ledger.TransferImported)
			m.Timestamp = timestamp
			return m
		}
		b.held(move(1))
		now := uint64(time.Now().UnixNano())
		calls := []chan answer{}
		for _, slice := range [][]ledger.Transfer{
			{move(10)},
			{imported(20, now-10)}, {imported(21, now-9)},
			{move(30)}, {move(31)},
			{move(40), imported(41, now-8)},
			{move(50)},
			{imported(60, now-7), move(61)},
			{imported(62, now-6)},
		} {
			calls = append(calls, b.send(t.Context(), slice...))
			synctest.Wait()
		}
		b.revive()
		var got []ledger.CreateTransferStatus
		for _, call := range calls {
			got = append(got, (<-call).statuses()...)
		}
		for i, s := range got {
			switch {
			case i == 6 && s != ledger.TransferImportedEventNotExpected, i == 9 && s != ledger.TransferImportedEventExpected:
				t.Errorf("transfer %d of a mixed call: %v", i, s)
			case s == ledger.TransferImportedEventExpected && i != 9, s == ledger.TransferImportedEventNotExpected && i != 6:
				t.Errorf("transfer %d suffers from another's flag: %v", i, s)
			}
		}
		var sizes []int
		for _, request := range b.requests() {
			sizes = append(sizes, len(request))
		}
		if want := []int{1, 1, 2, 2, 2, 1, 2, 1}; !slices.Equal(sizes, want) {
			t.Errorf("requests of %v, want %v", sizes, want)
		}
	})
}

func TestTheBatchLimitIsLearnedExactly(t *testing.T) {
	for _, limit := range []int{1, 2, 253, 4096, 8188, 8189} {
		inTime(t, Options{}, func(t *testing.T, b *bank) {
			b.limit = limit
			if got := b.Limits(); got != (ledger.Limits{BatchMax: 8189, QueryMax: 8189, ChangeEventMax: 2730}) {
				t.Errorf("before anything is known: %+v", got)
			}
			next := uint64(1000)
			for range 16 {
				b.created(separate(next, 8189)...)
				next += 8189
			}
			largest := 0
			for _, request := range b.requests() {
				largest = max(largest, len(request))
			}
			if got := b.Limits().BatchMax; got != limit || largest != limit {
				t.Errorf("limit %d: learned %d, used %d", limit, got, largest)
			}
			if b.refused > 14 {
				t.Errorf("limit %d: %d refusals", limit, b.refused)
			}
		})
	}
}

func TestAChainTooLongForARequestIsRefusedWholeAndTheNextCallIsNot(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.limit = 253
		_, err := b.CreateTransfers(t.Context(), chain(1000, 254))
		b.fails(err, ledger.ErrTooMuchData)
		b.created(chain(2000, 253)...)
		_, err = b.CreateTransfers(t.Context(), chain(3000, 300))
		b.fails(err, ledger.ErrTooMuchData)
		b.created(chain(4000, 253)...)
		if b.applied(1000) || b.applied(3000) || len(b.requests()) != 2 {
			t.Error("part of a refused chain was applied")
		}
		_, err = b.CreateTransfers(t.Context(), append(separate(4500, 100), chain(4600, 254)...))
		b.fails(err, ledger.ErrTooMuchData)
		if b.applied(4500) {
			t.Error("a call was sent in part whose chain was known to be too long")
		}
		mixed := append(separate(5000, 200), move(5200, ledger.TransferImported))
		mixed = append(mixed, separate(5300, 60)...)
		_, err = b.CreateTransfers(t.Context(), mixed)
		b.fails(err, ledger.ErrTooMuchData)
		_, err = b.CreateTransfers(t.Context(), separate(6000, 8190))
		b.fails(err, ledger.ErrTooMuchData)
	})
}

// Its second half alone would be judged by another first transfer, and get other answers.
func TestACallThatMixesImportsIsNeverDivided(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.limit = 253
		mixed := append(separate(1000, 200), move(1200, ledger.TransferImported))
		_, err := b.CreateTransfers(t.Context(), append(mixed, separate(1201, 100)...))
		b.fails(err, ledger.ErrTooMuchData)
		if len(b.requests()) != 0 {
			t.Error("part of it was sent")
		}
	})
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.limit = 350
		b.created(separate(1000, 400)...) // 400 was refused, 200 accepted: 300 would be tried next
		mixed := append(separate(2000, 339), move(2339, ledger.TransferImported))
		results, err := b.CreateTransfers(t.Context(), mixed)
		if requests := b.requests(); err != nil || len(results) != 340 || len(requests[len(requests)-1]) != 340 {
			t.Error("it was divided", err)
		}
	})
}

func TestACallerWhoLeftBeforeItsRequestWasRefusedForSizeIsNotSentAgain(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.limit = 253
		b.die()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		transfers := separate(1000, 300)
		_, err := b.CreateTransfers(ctx, transfers)
		b.fails(err, ledger.ErrOutcomeUnknown)
		copy(transfers, separate(5000, 300)) // the slice is its owner's again
		b.revive()
		b.created(separate(9000, 10)...)
		if len(b.requests()) != 1 || b.Stats().WaitingTransfers != 0 {
			t.Errorf("%d requests, %+v", len(b.requests()), b.Stats())
		}
	})
}

// "Nothing was done" would be a lie: the caller would try other ids and pay twice.
func TestACallOfWhichPartWasAppliedIsNeverSaidToHaveDoneNothing(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.limit = 253
		transfers := append(separate(1000, 100), chain(2000, 300)...)
		_, err := b.CreateTransfers(t.Context(), transfers)
		if b.applied(1000) {
			b.fails(err, ledger.ErrOutcomeUnknown)
		} else {
			b.fails(err, ledger.ErrTooMuchData)
		}

		// The first part is answered, the second is not sent when the call ends.
		b.created(separate(5000, 253)...)
		b.delay = 10 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Millisecond)
		defer cancel()
		_, err = b.CreateTransfers(ctx, separate(10_000, 1000))
		b.fails(err, ledger.ErrOutcomeUnknown)
		if !b.applied(10_000) {
			t.Error("the first part was not applied: this test shows nothing")
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if b.applied(10_999) {
			t.Error("the rest was sent for a caller who had gone")
		}
	})
}

func TestACallThatEndsBeforeItsTurnIsNeverSent(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		first := b.held(move(1))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := b.CreateTransfers(ctx, separate(10, 3))
		b.fails(err, ledger.ErrUnavailable)
		if !isDeadline(err) {
			t.Errorf("%v doesn't say that the deadline passed", err)
		}
		if s := b.Stats(); s.WaitingTransfers != 0 {
			t.Errorf("%d still wait", s.WaitingTransfers)
		}
		b.revive()
		b.expect(<-first, ledger.TransferCreated)
		b.created(move(20))
		if b.applied(10) {
			t.Error("a transfer was applied of which its caller was told that it was not sent")
		}
		ended, end := context.WithCancel(t.Context())
		end()
		_, err = b.CreateTransfers(ended, separate(30, 1))
		b.fails(err, ledger.ErrUnavailable)
		_, err = b.LookupAccounts(ended, []ledger.Uint128{ledger.U64(1)})
		b.fails(err, ledger.ErrUnavailable)
	})
}

func TestACallThatEndsAfterItWasSentIsUnknownAndAskingAgainTells(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.die()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		transfers := separate(10, 3)
		_, err := b.CreateTransfers(ctx, transfers)
		b.fails(err, ledger.ErrOutcomeUnknown)
		if !isDeadline(err) {
			t.Errorf("%v doesn't say that the deadline passed", err)
		}
		sent := slices.Clone(transfers)
		clear(transfers) // its owner may do so from now on
		b.revive()
		b.expect(answerOf(b.CreateTransfers(t.Context(), sent)), ledger.TransferExists)
		if got := b.requests(); len(got) != 2 || !slices.Equal(got[0], sent) {
			t.Error("what was sent changed with the caller's slice")
		}
	})
}

func isDeadline(err error) bool {
	return errors.Is(err, context.DeadlineExceeded)
}

func TestWhatWaitsIsBounded(t *testing.T) {
	inTime(t, Options{BatchMax: 10, WaitingMax: 25, ReadsMax: 3}, func(t *testing.T, b *bank) {
		b.held(move(1))
		a := b.send(t.Context(), separate(10, 10)...)
		c := b.send(t.Context(), separate(20, 10)...)
		synctest.Wait()
		_, err := b.CreateTransfers(t.Context(), separate(30, 6))
		b.fails(err, ledger.ErrUnavailable)
		d := b.send(t.Context(), separate(40, 5)...)
		synctest.Wait()
		if s := b.Stats(); s.WaitingTransfers != 25 {
			t.Errorf("%d wait", s.WaitingTransfers)
		}

		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		for range 3 { // given up, and still on their way
			_, err := b.LookupAccounts(short, []ledger.Uint128{ledger.U64(1)})
			b.fails(err, ledger.ErrUnavailable)
			short, cancel = context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
		}
		refused := b.Stats().Refused
		_, err = b.QueryTransfers(t.Context(), ledger.QueryFilter{Limit: 1})
		b.fails(err, ledger.ErrUnavailable)
		if s := b.Stats(); s.Refused != refused+1 || s.ReadsOnTheirWay != 3 {
			t.Errorf("%+v", s)
		}

		b.revive()
		for _, call := range []chan answer{a, c, d} {
			b.expect(<-call, ledger.TransferCreated)
		}
		synctest.Wait()
		if _, err := b.LookupAccounts(t.Context(), []ledger.Uint128{ledger.U64(1)}); err != nil {
			t.Error(err)
		}
		if s := b.Stats(); s.WaitingTransfers != 0 || s.ReadsOnTheirWay != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAnImportedPostOrVoidIsRefusedBeforeItIsSent(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		for _, settles := range []ledger.TransferFlags{ledger.TransferPostPending, ledger.TransferVoidPending} {
			_, err := b.CreateTransfers(t.Context(), []ledger.Transfer{move(1), move(2, ledger.TransferImported, settles)})
			if !errors.Is(err, ErrImportedSettlement) {
				t.Error(err)
			}
		}
		if len(b.requests()) != 0 {
			t.Error("something was sent")
		}
	})
}

// An answer that can't be the cluster's must not be taken for one.
func TestAnAnswerThatMakesNoSenseIsAnUnknownOutcome(t *testing.T) {
	for name, garble := range map[string]func([]ledger.CreateTransferResult) []ledger.CreateTransferResult{
		"too few":   func(r []ledger.CreateTransferResult) []ledger.CreateTransferResult { return r[1:] },
		"too many":  func(r []ledger.CreateTransferResult) []ledger.CreateTransferResult { return append(r, r[0]) },
		"no status": func(r []ledger.CreateTransferResult) []ledger.CreateTransferResult { r[1].Status = 0; return r },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, Options{}, func(t *testing.T, b *bank) {
				b.garble = garble
				_, err := b.CreateTransfers(t.Context(), separate(10, 3))
				b.fails(err, ledger.ErrOutcomeUnknown)
				if b.Stats().LastFault == "" {
					t.Error("the operator isn't told")
				}
				b.garble = nil
				b.expect(answerOf(b.CreateTransfers(t.Context(), separate(10, 3))), ledger.TransferExists)
			})
		})
	}
}

func TestNothingAskedIsAnsweredWithoutTheCluster(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.die()
		results, err := b.CreateTransfers(t.Context(), nil)
		accounts, err2 := b.CreateAccounts(t.Context(), nil)
		found, err3 := b.LookupTransfers(t.Context(), nil)
		if len(results)+len(accounts)+len(found) != 0 || err != nil || err2 != nil || err3 != nil {
			t.Error(err, err2, err3)
		}
		b.revive()
	})
}

func TestAccountsAreCreatedInSharedRequestsToo(t *testing.T) {
	inTime(t, Options{}, func(t *testing.T, b *bank) {
		b.delay = time.Millisecond
		errs := make(chan error, 100) // one for each caller
		for i := range 100 {
			go func() {
				a := ledger.Account{ID: ledger.U64(uint64(1000 + i)), Ledger: book, Code: 2011}
				results, err := b.CreateAccounts(t.Context(), []ledger.Account{a})
				if err == nil && results[0].Status != ledger.AccountCreated {
					err = fmt.Errorf("account %d: %v", i, results[0].Status)
				}
				errs <- err
			}()
		}
		for range 100 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if b.cluster.accounts > 3 {
			t.Errorf("%d requests", b.cluster.accounts)
		}
	})
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	addresses := []string{"127.0.0.1:3001"}
	for _, options := range []Options{
		{},
		{Addresses: []string{"nowhere:port"}},
		{Addresses: addresses, BatchMax: 8190},
		{Addresses: addresses, BatchMax: -1},
		{Addresses: addresses, WaitingMax: 100},
		{Addresses: addresses, UnavailableAfter: -time.Second},
	} {
		if l, err := open(options, newCluster().dial); err == nil {
			t.Errorf("%+v was accepted", options)
			l.Close()
		}
	}
}
