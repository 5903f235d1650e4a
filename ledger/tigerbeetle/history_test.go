package tigerbeetle

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Customers pay through outages, evictions and deadlines. Whatever they were told must be true, and
// in the end the money moved is what they were told, to the fen.
func TestThroughRandomFaultsEveryAnswerIsTrueAndMoneyMovesOnce(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 8
	}
	seen := map[string]int{}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { history(t, seed, seen) })
	}
	for _, what := range []string{"created", "exists", "unavailable", "unknown", "given up", "outage", "new client"} {
		if seen[what] == 0 {
			t.Errorf("no history had: %s (%v)", what, seen)
		}
	}
}

func history(t *testing.T, seed uint64, seen map[string]int) {
	const customers, payments = 40, 30
	b := newBank(t, Options{BatchMax: 60, WaitingMax: 100, UnavailableAfter: 200 * time.Millisecond,
		ProbeEvery: time.Second, RenewEvery: 50 * time.Millisecond})
	b.limit = 20 + int(seed)%40
	b.delay = time.Millisecond

	ctx, over := context.WithCancel(t.Context())
	var faults, paying sync.WaitGroup
	faults.Go(func() { stageFaults(ctx, b, rand.New(rand.NewPCG(seed, 0))) })

	var mu sync.Mutex // seen and moved
	moved := uint64(0)
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		seen[what]++
	}
	for customer := range uint64(customers) {
		paying.Go(func() {
			random := rand.New(rand.NewPCG(seed, customer+1))
			for payment := range uint64(payments) {
				transfers := chain(1000+customer*10_000+payment*10, 1+random.IntN(8))
				if pay(b, random, transfers, note) {
					mu.Lock()
					moved += uint64(len(transfers))
					mu.Unlock()
				}
				time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
			}
		})
	}
	paying.Wait()
	over()
	faults.Wait()

	payer, _ := b.engine.Account(ledger.U64(1))
	if payer.DebitsPosted != ledger.U64(moved) {
		t.Errorf("seed %d: %v moved, the customers were told of %d", seed, payer.DebitsPosted, moved)
	}
	if n := b.live(); n != 1 {
		t.Errorf("seed %d: %d live clients", seed, n)
	}
	s := b.Stats()
	if s.WaitingTransfers != 0 || s.ReadsOnTheirWay > 1 {
		t.Errorf("seed %d: %+v", seed, s)
	}
	seen["outage"] += int(s.Outages)
	seen["new client"] += int(s.Clients - 1)
}

// pay makes one payment and reports whether it went through. It gives up only what was never sent.
func pay(b *bank, random *rand.Rand, transfers []ledger.Transfer, note func(string)) bool {
	first := transfers[0].ID.Lo
	for sent := false; ; {
		ctx, cancel := context.WithTimeout(b.Context(), time.Duration(1+random.IntN(100))*time.Millisecond)
		mine := append([]ledger.Transfer(nil), transfers...)
		results, err := b.CreateTransfers(ctx, mine)
		cancel()
		clear(mine) // the slice is ours again
		switch {
		case errors.Is(err, ledger.ErrUnavailable):
			note("unavailable")
			if !sent && b.applied(first) {
				b.Errorf("transfer %d was applied; its caller was told that it was not sent", first)
			}
			if !sent && random.IntN(20) == 0 {
				note("given up")
				return false
			}
		case errors.Is(err, ledger.ErrOutcomeUnknown):
			note("unknown")
			sent = true
		case err != nil:
			b.Errorf("payment %d: %v", first, err)
			return false
		default:
			what := results[0].Status
			note(what.String())
			for i, r := range results {
				want := what
				if i > 0 && what == ledger.TransferExists {
					want = ledger.TransferLinkedEventFailed
				}
				if !what.Done() || r.Status != want {
					b.Errorf("payment %d: transfer %d of %d: %v", first, i, len(results), r.Status)
				}
			}
			if !b.applied(first) {
				b.Errorf("payment %d was acknowledged and isn't there", first)
			}
			return true
		}
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
	}
}

func stageFaults(ctx context.Context, b *bank, random *rand.Rand) {
	for ctx.Err() == nil {
		time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		switch random.IntN(3) {
		case 0:
			b.die()
			time.Sleep(time.Duration(random.IntN(600)) * time.Millisecond)
			b.revive()
		case 1:
			b.cluster.mu.Lock()
			b.evictions = append(b.evictions, eviction(1+random.IntN(2)))
			b.cluster.mu.Unlock()
		case 2:
			b.cluster.mu.Lock()
			b.delay = time.Duration(1+random.IntN(60)) * time.Millisecond
			b.cluster.mu.Unlock()
		}
	}
}
