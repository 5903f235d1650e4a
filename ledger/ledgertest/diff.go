package ledgertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Diff drives two ledgers with the same random events, as many as asked for or a request more, and
// compares every answer, the balances after every request, pages of queries all along, and in the
// end everything there is. The same seed asks the same of the same two implementations, apart
// from ids, which are new each time where the ledger is one that keeps its data.
//
// Where both clocks can be moved they move together, back too, and holds expire. Where both say
// that their clocks agree (Subject.Now) timestamps must be equal, otherwise in the same order.
func Diff(t testing.TB, seed, events int, a, b Subject) {
	t.Helper()
	w, err := diff(t.Context(), uint64(seed), events, a, b)
	if err != nil {
		t.Fatalf("seed %d, after %d events: %v", seed, w.count(), err)
	}
	if events >= coverageFrom {
		for _, missed := range w.missed(events) {
			t.Error(missed)
		}
	}
}

const (
	// coverageFrom is the number of events from which on every status must occur.
	coverageFrom = 50_000
	// coverageShare: each status at least once in so many events.
	coverageShare = 25_000
)

func (w *twins) count() int {
	if w == nil {
		return 0
	}
	return w.events
}

// missed lists the statuses that occurred less often than they must.
func (w *twins) missed(events int) (missed []string) {
	needed := events / coverageShare
	for _, s := range accountOrder {
		if n := w.accountStatuses[s]; n < needed {
			missed = append(missed, fmt.Sprintf("account status %v occurred %d times, want %d", s, n, needed))
		}
	}
	for _, s := range transferOrder {
		needsClock := s == ledger.TransferOverflowsTimeout || s == ledger.TransferPendingTransferExpired
		if n := w.transferStatuses[s]; n < needed && (w.movable() || !needsClock) {
			missed = append(missed, fmt.Sprintf("transfer status %v occurred %d times, want %d", s, n, needed))
		}
	}
	return missed
}

// diff is Diff without a test.
func diff(ctx context.Context, seed uint64, events int, a, b Subject) (*twins, error) {
	w, err := newTwins(ctx, a, b)
	if err != nil {
		return nil, err
	}
	g := newGenerator(w, rand.New(rand.NewPCG(seed, 0)))
	lateFrom := events - events/20
	for w.events < events {
		if w.movable() && !g.late && w.events >= lateFrom {
			if err := g.turnLate(); err != nil {
				return w, err
			}
		}
		if err := g.step(); err != nil {
			return w, err
		}
	}
	if err := w.everything(); err != nil {
		return w, err
	}
	check := BooksCheck{Explain: true, ExplainMax: accountsExplained, ChangesFrom: w.since.a}
	for book := range w.books {
		check.Books = append(check.Books, book)
	}
	if err := CheckBooks(ctx, a.Ledger, check); err != nil {
		return w, fmt.Errorf("in the end: first ledger: %w", err)
	}
	check.ChangesFrom = w.since.b
	if err := CheckBooks(ctx, b.Ledger, check); err != nil {
		return w, fmt.Errorf("in the end: second ledger: %w", err)
	}
	return w, nil
}

// accountsExplained bounds the accounts whose balances are recomputed in the end.
const accountsExplained = 60

// step lets time pass, sends a request, compares what it left and reads a page of something.
func (g *generator) step() error {
	if g.w.events >= g.epochEnd {
		if err := g.newEpoch(); err != nil {
			return err
		}
	}
	g.passTime()
	var err error
	switch n := g.random.IntN(100); {
	case n < 12:
		err = g.accountRequest()
	case n < 20:
		err = g.importRequest()
	default:
		err = g.transferRequest()
	}
	if err != nil {
		return err
	}
	if err := g.checkEpoch(); err != nil {
		return err
	}
	return g.read()
}

// checkEpoch compares the balances of the accounts in use and checks that they add up.
func (g *generator) checkEpoch() error {
	accounts, err := g.w.lookupAccounts(g.epochIDs)
	if err != nil {
		return err
	}
	var sorted [3][]ledger.Account
	for i := range accounts {
		for j, book := range g.epochBooks {
			if accounts[i].Ledger == book {
				sorted[j] = append(sorted[j], accounts[i])
			}
		}
	}
	for j, book := range g.epochBooks {
		if err := balanced(book, sorted[j]); err != nil {
			return err
		}
	}
	return nil
}

// clockStep is what clocks move by where timestamps may differ by nanoseconds: no whole number of
// seconds up to timeoutMax is a multiple of it, so no hold ends just when it is looked at.
const (
	clockStep  = 7 * time.Millisecond
	timeoutMax = 5 // s
)

// passTime moves both clocks, mostly forward.
func (g *generator) passTime() {
	if !g.w.movable() {
		return
	}
	var by time.Duration
	switch n := g.random.IntN(100); {
	case n < 35:
		return
	case n < 80:
		by = time.Duration(1 + g.random.Int64N(int64(300*time.Millisecond)))
	case n < 97:
		by = time.Duration(1 + g.random.Int64N(int64(2*time.Second)))
	case n < 98:
		by = -time.Duration(1 + g.random.Int64N(int64(3*time.Second)))
	default:
		g.toAnEnd()
		return
	}
	g.moveBy(by)
}

func (g *generator) moveBy(by time.Duration) {
	if !g.w.absolute {
		by = by/clockStep*clockStep + clockStep
	}
	g.behind = max(0, g.behind-by)
	g.w.advance(by)
}

// toAnEnd moves clocks that agree to within a few nanoseconds of the end of a hold.
func (g *generator) toAnEnd() {
	if !g.w.absolute || len(g.live) == 0 {
		return
	}
	p := &g.live[g.random.IntN(len(g.live))]
	made, ok := g.w.made[p.ID]
	if !ok || p.Timeout == 0 {
		return
	}
	to := made.a + uint64(p.Timeout)*second - uint64(g.random.IntN(12))
	if now := g.w.a.Now(); to > now {
		g.moveBy(time.Duration(to - now))
	}
}

// turnLate moves the clocks to a year in which long timeouts overflow.
func (g *generator) turnLate() error {
	g.late = true
	results, err := g.w.createTransfers([]draft{{}})
	if err != nil {
		return err
	}
	if now := results[0].at.a; now < lateYear {
		g.moveBy(time.Duration(lateYear - now))
	}
	return nil
}
