package tigerbeetle

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// cluster plays the cluster and the client library, over the embedded ledger: one request at a
// time for each client, in order; it waits for ever while the cluster is down.
type cluster struct {
	mu        sync.Mutex
	engine    *embedded.Engine
	up        chan struct{} // closed while the cluster answers
	delay     time.Duration // of each answer
	limit     int           // events in a request
	transfers [][]ledger.Transfer
	accounts  int // create requests of accounts answered
	lookups   int
	refused   int // requests too large
	clients   []*fakeClient
	dialed    [][]string
	dialing   func() error // not nil: called before each client is made
	evictions []eviction   // one for each coming create of transfers
	garble    func([]ledger.CreateTransferResult) []ledger.CreateTransferResult
	holdBack  chan struct{} // not nil: creates of transfers wait for it, other requests don't
}

// eviction says what a client's end does to the request it is busy with.
type eviction int

const (
	noEviction eviction = iota
	evictedBefore
	evictedAfter
)

type fakeClient struct {
	*cluster
	turn  chan struct{} // one slot: the request under way
	ended chan struct{}
	once  sync.Once
}

func newCluster() *cluster {
	c := &cluster{
		engine: embedded.New(embedded.Options{Clock: func() uint64 { return uint64(time.Now().UnixNano()) }}),
		up:     make(chan struct{}),
		limit:  batchMax,
	}
	close(c.up)
	return c
}

func (c *cluster) dial(_ ledger.Uint128, addresses []string) (client, error) {
	c.mu.Lock()
	dialing := c.dialing
	c.mu.Unlock()
	if dialing != nil {
		if err := dialing(); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &fakeClient{cluster: c, turn: make(chan struct{}, 1), ended: make(chan struct{})}
	c.clients = append(c.clients, f)
	c.dialed = append(c.dialed, addresses)
	return f, nil
}

func (c *cluster) die() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up = make(chan struct{})
}

func (c *cluster) revive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.up)
}

func (c *cluster) requests() [][]ledger.Transfer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.transfers)
}

// live counts the clients that were not closed.
func (c *cluster) live() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.clients {
		select {
		case <-f.ended:
		default:
			n++
		}
	}
	return n
}

// do runs answer when the cluster is up and the client's earlier requests are done.
func (f *fakeClient) do(size int, answer func() error) error {
	select {
	case f.turn <- struct{}{}:
	case <-f.ended:
		return errLost
	}
	defer func() { <-f.turn }()
	for {
		f.mu.Lock()
		up, delay, limit := f.up, f.delay, f.limit
		f.mu.Unlock()
		select {
		case <-up:
		case <-f.ended:
			return errLost
		}
		if size > limit { // known to the library once it is registered, and never sent
			f.mu.Lock()
			defer f.mu.Unlock()
			f.refused++
			return ledger.ErrTooMuchData
		}
		if delay == 0 {
			break
		}
		select {
		case <-time.After(delay):
		case <-f.ended:
			return errLost
		}
		f.mu.Lock()
		still := f.up == up
		f.mu.Unlock()
		if still {
			break
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.ended:
		return errLost
	default:
	}
	return answer()
}

func (f *fakeClient) createTransfers(transfers []ledger.Transfer) (results []ledger.CreateTransferResult, err error) {
	f.mu.Lock()
	hold := f.holdBack
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-f.ended:
			return nil, errLost
		}
	}
	err = f.do(len(transfers), func() error {
		what := noEviction
		if len(f.evictions) > 0 {
			what, f.evictions = f.evictions[0], f.evictions[1:]
		}
		if what == evictedBefore {
			f.end()
			return errLost
		}
		f.transfers = append(f.transfers, slices.Clone(transfers))
		results, err = f.engine.CreateTransfers(context.Background(), transfers)
		if what == evictedAfter {
			f.end()
			return errLost
		}
		if f.garble != nil {
			results = f.garble(results)
		}
		return err
	})
	return results, err
}

func (f *fakeClient) createAccounts(accounts []ledger.Account) (results []ledger.CreateAccountResult, err error) {
	err = f.do(len(accounts), func() error {
		f.cluster.accounts++
		results, err = f.engine.CreateAccounts(context.Background(), accounts)
		return err
	})
	return results, err
}

func (f *fakeClient) lookupAccounts(ids []ledger.Uint128) (found []ledger.Account, err error) {
	err = f.do(len(ids), func() error {
		f.lookups++
		found, err = f.engine.LookupAccounts(context.Background(), ids)
		return err
	})
	return found, err
}

func (f *fakeClient) lookupTransfers(ids []ledger.Uint128) (found []ledger.Transfer, err error) {
	err = f.do(len(ids), func() error {
		found, err = f.engine.LookupTransfers(context.Background(), ids)
		return err
	})
	return found, err
}

func (f *fakeClient) accountTransfers(filter ledger.AccountFilter) (found []ledger.Transfer, err error) {
	err = f.do(1, func() error {
		found, err = f.engine.AccountTransfers(context.Background(), filter)
		return err
	})
	return found, err
}

func (f *fakeClient) accountBalances(filter ledger.AccountFilter) (found []ledger.AccountBalance, err error) {
	err = f.do(1, func() error {
		found, err = f.engine.AccountBalances(context.Background(), filter)
		return err
	})
	return found, err
}

func (f *fakeClient) queryAccounts(filter ledger.QueryFilter) (found []ledger.Account, err error) {
	err = f.do(1, func() error {
		found, err = f.engine.QueryAccounts(context.Background(), filter)
		return err
	})
	return found, err
}

func (f *fakeClient) queryTransfers(filter ledger.QueryFilter) (found []ledger.Transfer, err error) {
	err = f.do(1, func() error {
		found, err = f.engine.QueryTransfers(context.Background(), filter)
		return err
	})
	return found, err
}

func (f *fakeClient) changeEvents(filter ledger.ChangeEventsFilter) (found []ledger.ChangeEvent, err error) {
	err = f.do(1, func() error {
		found, err = f.engine.ChangeEvents(context.Background(), filter)
		return err
	})
	return found, err
}

func (f *fakeClient) end()   { f.once.Do(func() { close(f.ended) }) }
func (f *fakeClient) close() { f.end() }

// bank is a Ledger over a played cluster, with the accounts 1 to 9 opened.
type bank struct {
	*testing.T
	*cluster
	*Ledger
}

const book = 156

func newBank(t *testing.T, options Options) *bank {
	t.Helper()
	b := &bank{T: t, cluster: newCluster()}
	b.serve(options)
	accounts := make([]ledger.Account, 9)
	for i := range accounts {
		accounts[i] = ledger.Account{ID: ledger.U64(uint64(i + 1)), Ledger: book, Code: 2011}
	}
	if _, err := b.engine.CreateAccounts(t.Context(), accounts); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bank) serve(options Options) {
	b.Helper()
	if options.Addresses == nil {
		options.Addresses = []string{"127.0.0.1:3001"}
	}
	l, err := open(options, b.cluster.dial)
	if err != nil {
		b.Fatal(err)
	}
	b.Ledger = l
	b.Cleanup(func() {
		if err := l.Close(); err != nil {
			b.Error(err)
		}
	})
}

// move is a transfer of 1 fen from account 1 to 2.
func move(id uint64, flags ...ledger.TransferFlags) ledger.Transfer {
	t := ledger.Transfer{
		ID: ledger.U64(id), DebitAccountID: ledger.U64(1), CreditAccountID: ledger.U64(2),
		Amount: ledger.U64(1), Ledger: book, Code: 1,
	}
	for _, f := range flags {
		t.Flags |= f
	}
	return t
}

// chain is one of n transfers with ids from first on.
func chain(first uint64, n int) []ledger.Transfer {
	transfers := make([]ledger.Transfer, n)
	for i := range transfers {
		transfers[i] = move(first+uint64(i), ledger.TransferLinked)
	}
	transfers[n-1].Flags = 0
	return transfers
}

// separate is n transfers that depend on nothing.
func separate(first uint64, n int) []ledger.Transfer {
	transfers := make([]ledger.Transfer, n)
	for i := range transfers {
		transfers[i] = move(first + uint64(i))
	}
	return transfers
}

// answer is what a call in another goroutine came to.
type answer struct {
	results []ledger.CreateTransferResult
	err     error
}

func (a answer) statuses() (s []ledger.CreateTransferStatus) {
	for _, r := range a.results {
		s = append(s, r.Status)
	}
	return s
}

// send calls CreateTransfers in a goroutine. The channel has room for the answer.
func (b *bank) send(ctx context.Context, transfers ...ledger.Transfer) chan answer {
	got := make(chan answer, 1)
	go func() {
		results, err := b.CreateTransfers(ctx, transfers)
		got <- answer{results, err}
	}()
	return got
}

// created expects that all is created now.
func (b *bank) created(transfers ...ledger.Transfer) {
	b.Helper()
	b.expect(answerOf(b.CreateTransfers(b.Context(), transfers)), ledger.TransferCreated)
}

func answerOf(results []ledger.CreateTransferResult, err error) answer { return answer{results, err} }

func (b *bank) expect(a answer, want ledger.CreateTransferStatus) {
	b.Helper()
	if a.err != nil {
		b.Fatal(a.err)
	}
	for i, s := range a.statuses() {
		if s != want {
			b.Fatalf("transfer %d: %v, want %v", i, s, want)
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

// applied reports whether the cluster has a transfer.
func (b *bank) applied(id uint64) bool {
	_, ok := b.engine.Transfer(ledger.U64(id))
	return ok
}
