package actors

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// link is a node's line to a ledger elsewhere, which the test can cut, slow down, or make lose answers.
// The ledger itself is an engine with a clock of its own, and outlives the node.
type link struct {
	*embedded.Engine
	limit int // events in a request; zero: the engine's own

	mu      sync.Mutex
	broken  error                                  // what every call answers, unsent
	before  func(operation string, size int) error // asked with each call; an error: it was not sent
	after   func(operation string) error           // an error instead of the answer, which is lost
	answers func([]ledger.CreateTransferResult) []ledger.CreateTransferResult
	forgets bool // transfers are not found when they are looked up
	calls   map[string]int
}

// newEngine makes a ledger elsewhere; its clock has nothing to do with the bank's.
func newEngine() *embedded.Engine {
	var mu sync.Mutex
	now := uint64(5_000_000_000)
	return embedded.New(embedded.Options{Clock: func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		now += 1000
		return now
	}})
}

func newLink(e *embedded.Engine) *link { return &link{Engine: e, calls: map[string]int{}} }

func (l *link) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// cut makes the ledger unreachable; mend makes it whole again.
func (l *link) cut()  { l.set(func() { l.broken = ledger.ErrUnavailable }) }
func (l *link) mend() { l.set(func() { l.broken, l.before, l.after = nil, nil, nil }) }

// loseAnswers carries out calls of the operation and loses what the ledger says, n times.
func (l *link) loseAnswers(operation string, n int) {
	l.set(func() {
		l.after = func(op string) error {
			if op != operation || n == 0 {
				return nil
			}
			n--
			return ledger.ErrOutcomeUnknown
		}
	})
}

func (l *link) count(operation string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls[operation]
}

func through[R any](ctx context.Context, l *link, operation string, size int, call func() ([]R, error)) ([]R, error) {
	l.mu.Lock()
	broken, before, after := l.broken, l.before, l.after
	l.calls[operation]++
	l.mu.Unlock()
	if broken != nil {
		return nil, broken
	}
	if before != nil {
		if err := before(operation, size); err != nil {
			return nil, err
		}
	}
	if ctx.Err() != nil {
		return nil, ledger.ErrOutcomeUnknown
	}
	out, err := call()
	if err == nil && after != nil {
		if err := after(operation); err != nil {
			return nil, err
		}
	}
	return out, err
}

func (l *link) CreateAccounts(ctx context.Context, accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
	return through(ctx, l, "accounts", len(accounts), func() ([]ledger.CreateAccountResult, error) {
		return l.Engine.CreateAccounts(ctx, accounts)
	})
}

func (l *link) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return through(ctx, l, "transfers", len(transfers), func() ([]ledger.CreateTransferResult, error) {
		if l.limit > 0 && len(transfers) > l.limit {
			return nil, ledger.ErrTooMuchData
		}
		results, err := l.Engine.CreateTransfers(ctx, transfers)
		if l.answers != nil {
			results = l.answers(results)
		}
		return results, err
	})
}

func (l *link) LookupAccounts(ctx context.Context, ids []ledger.Uint128) ([]ledger.Account, error) {
	operation := "balances"
	if len(ids) == 1 && ids[0] == ledger.U64(1) {
		operation = "probe"
	}
	return through(ctx, l, operation, len(ids), func() ([]ledger.Account, error) { return l.Engine.LookupAccounts(ctx, ids) })
}

func (l *link) LookupTransfers(ctx context.Context, ids []ledger.Uint128) ([]ledger.Transfer, error) {
	return through(ctx, l, "lookup", len(ids), func() ([]ledger.Transfer, error) {
		found, err := l.Engine.LookupTransfers(ctx, ids)
		if l.forgets && len(found) > 0 {
			found = found[1:]
		}
		return found, err
	})
}

func (l *link) AccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	return through(ctx, l, "statement", 1, func() ([]ledger.Transfer, error) { return l.Engine.AccountTransfers(ctx, f) })
}

// branch is an office whose ledger is elsewhere.
type branch struct {
	*office
	link *link
}

func openBranch(t testing.TB, j *memoryJournal, e *embedded.Engine) *branch {
	t.Helper()
	b := prepareBranch(t, j, newLink(e))
	if err := b.node.Resume(); err != nil {
		t.Fatal(err)
	}
	return b
}

// prepareBranch opens a branch and does not resume what an earlier one left.
func prepareBranch(t testing.TB, j *memoryJournal, l *link) *branch {
	t.Helper()
	n := NewNode(Options{
		Ledger: l, Clock: testClock, Catalogue: bank.DefaultCatalogue(),
		Unseal: func(b []byte) ([]byte, error) { return b, nil }, Logger: slog.New(slog.DiscardHandler), Sequence: 7,
	})
	n.pipeline.submitter.retryMin, n.pipeline.submitter.retryMax = time.Millisecond, 20*time.Millisecond // many failures
	j.onDurable = n.Durable
	if err := n.Recover(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	b := &branch{&office{tb: t, node: n, journal: j, channel: &silentChannel{}, opened: uint64(j.Last()) + 1}, l}
	if err := n.Connect(b.channel); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.mend()
		j.hold(false)
		j.flush(true)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := n.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// restarted is what another process finds after this one died: the durable records, and the ledger as it
// is. The dead one reaches neither any more.
func (b *branch) restarted() *branch {
	b.tb.Helper()
	return openBranch(b.tb, b.die(), b.link.Engine)
}

func (b *branch) die() *memoryJournal {
	b.tb.Helper()
	b.journal.hold(true)
	b.link.cut()
	b.node.pipeline.submitter.close()
	found := b.journal.reopened()
	b.node.Fault(errors.New("died")) // nobody hears of it any more
	return found
}

// until waits for something that other goroutines bring about.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after 10 s", what)
		}
	}
}

// resolved waits until every intent has its outcome on disk.
func (b *branch) resolved() {
	b.tb.Helper()
	until(b.tb, "intents resolved", func() bool { return b.node.Unresolved() == 0 && b.journal.Last() == b.journal.Durable() })
}

// read asks for an account without failing the test.
func (b *branch) read(no bank.AccountNo) (*bank.AccountView, error) {
	b.tb.Helper()
	var v *bank.AccountView
	var err error
	if e := b.ask(no.Customer(), func(view *View) { v, err = view.Account(no) }); e != nil {
		return nil, e
	}
	return v, err
}

func (b *branch) ask(no bank.CustomerNo, read func(*View)) error {
	b.tb.Helper()
	q := NewQuery(no, read)
	pid, err := b.node.Shard(no.Shard())
	if err != nil {
		b.tb.Fatal(err)
	}
	b.node.System().Root.Send(pid, q)
	return q.Wait(b.tb.Context(), nil)
}

// again is the same command with the same key, as a client repeats it.
func again(c *bank.Call) *bank.Call { return &bank.Call{Command: c.Command, Key: c.Key, Body: c.Body} }
