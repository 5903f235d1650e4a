// Package tigerbeetle is the ledger on a TigerBeetle cluster, behind the interface of package
// ledger. The client library has no deadlines, waits for ever on a cluster that is gone and allows
// one request on its way at a time; this package puts bounds around it and fills its requests.
//
// # What an answer promises
//
// A result is durable: a quorum of the cluster has it on disk before it answers. Answers come in
// the order of the caller's slice. A call fails with exactly one of ledger's errors:
//
//   - ErrUnavailable: nothing was sent. The cluster is not answering, or the limits on waiting
//     work are reached, or the context ended before the call's turn came. A read also fails so when
//     no answer came, since nothing depends on whether it was made.
//   - ErrOutcomeUnknown: all or part was sent and no answer came in time. It may still be applied
//     later: the client library keeps a request until the cluster answers, and sends it again
//     when the cluster comes back, before anything newer. Ask again with the same ids. A transfer
//     that went through answers exists; in a chain that went through, the first transfer
//     answers exists and the others linked_event_failed.
//   - ErrTooMuchData: the slice is longer than the batch limit, or one of its chains can't go
//     into one request. Nothing was done.
//   - ErrClosed: Close was called; nothing was sent.
//
// One more comes before any of these: ErrImportedSettlement, for a request that must never reach
// a cluster.
//
// The errors speak of this call alone. ErrUnavailable on a repeated call says nothing about the
// first one.
//
// # Requests
//
// Waiting calls of all callers share a request, in the order they came. A call's slice is divided
// only between chains, and its parts are sent one after the other, so that a later part always
// finds the earlier one applied. While one request is on its way the next one fills; no timer
// holds anything back. The cluster's batch limit is not told to us: the first refusal for size
// starts a bisection that ends at the exact limit (8,189 in production, 253 on a development
// server). Refusals for size happen in the client library and cost no round trip.
//
// # When the cluster is gone
//
// Without any answer for UnavailableAfter, while something is outstanding, calls are let go and
// new ones fail at once, until a look-up of an account that doesn't exist comes back. Until then
// host names are resolved anew every ProbeEvery; if an address changed, a new client is made. A
// client that the cluster evicts is replaced too, and what it was busy with is repeated once with
// the same ids: then a call may be answered exists without having been asked twice.
//
// # Running it
//
// A cluster serves 32 live clients by default (8 with --development); the next one waits without
// a word. So a process opens one Ledger and shares it: one Ledger has one client at any time. A
// client takes a thread and about 21 MiB. It uses io_uring, which the default seccomp profiles of
// container runtimes block: where Open answers "ran out of system resources", allow io_uring in
// this process's pod as well as in the cluster's. It prints its own warnings to standard error.
// TigerBeetle neither encrypts nor authenticates: keep it on a network of its own.
//
// The client library needs cgo. Without it the package builds and Open says what is missing.
package tigerbeetle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// ErrImportedSettlement refuses a post or void that carries the imported flag. A TigerBeetle
// 0.17.9 server that accepts one for a pending transfer with a timeout aborts, then and at every
// restart. Nothing was sent.
var ErrImportedSettlement = errors.New("tigerbeetle: a post or void must not be imported")

// Limits of the protocol with the default message size.
const (
	batchMax       = 8189
	queryMax       = 8189
	changeEventMax = 2730
)

// Options of a Ledger. Only Addresses is required; a zero limit means its default.
type Options struct {
	// Addresses are the replicas in the order of their index, each ip:port, ip, port, name:port or
	// name. A name must lead to a single address. The port is 3001 where none is given.
	Addresses []string
	// Cluster is the cluster's id.
	Cluster ledger.Uint128

	// UnavailableAfter is how long the cluster may be silent while it owes an answer. Default 1 s. A
	// new client's first answer takes 0.6 s, because the library's first message is lost while it
	// still connects: with less than that every new client begins with an outage.
	UnavailableAfter time.Duration
	// ProbeEvery is how often an idle cluster is asked whether it is there, and how often names are
	// resolved while it is not. Default 5 s.
	ProbeEvery time.Duration
	// RenewEvery is the least time between two new clients. Each is a new session, and the cluster
	// evicts the oldest of its 64: clients that evict each other must not do so in a tight loop.
	// Default 1 s.
	RenewEvery time.Duration

	// BatchMax bounds one call and one request. Default 8,189, the protocol's.
	BatchMax int
	// WaitingMax bounds the transfers that wait for a request, and likewise the accounts.
	// Default 131,072: sixteen full requests.
	WaitingMax int
	// ReadsMax bounds the reads on their way, those their callers gave up included. Default 1,024.
	ReadsMax int

	// Resolve turns a host name into addresses. Default: the system's resolver.
	Resolve func(ctx context.Context, name string) ([]string, error)
}

const (
	defaultUnavailableAfter = time.Second
	defaultProbeEvery       = 5 * time.Second
	defaultRenewEvery       = time.Second
	defaultWaitingMax       = 16 << 13
	defaultReadsMax         = 1024
)

func (o Options) withDefaults() (Options, error) {
	o.UnavailableAfter = orDefault(o.UnavailableAfter, defaultUnavailableAfter)
	o.ProbeEvery = orDefault(o.ProbeEvery, defaultProbeEvery)
	o.RenewEvery = orDefault(o.RenewEvery, defaultRenewEvery)
	o.BatchMax = orDefault(o.BatchMax, batchMax)
	o.WaitingMax = orDefault(o.WaitingMax, defaultWaitingMax)
	o.ReadsMax = orDefault(o.ReadsMax, defaultReadsMax)
	if o.Resolve == nil {
		o.Resolve = resolveBySystem
	}
	switch {
	case o.UnavailableAfter < 0 || o.ProbeEvery < 0 || o.RenewEvery < 0:
		return o, errors.New("tigerbeetle: a duration is negative")
	case o.BatchMax < 0 || o.WaitingMax < 0 || o.ReadsMax < 0:
		return o, errors.New("tigerbeetle: a limit is negative")
	case o.BatchMax > batchMax:
		return o, fmt.Errorf("tigerbeetle: a batch of %d, the protocol takes %d", o.BatchMax, batchMax)
	case o.WaitingMax < o.BatchMax:
		return o, fmt.Errorf("tigerbeetle: %d may wait, less than one batch of %d", o.WaitingMax, o.BatchMax)
	}
	return o, nil
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// Ledger is a TigerBeetle cluster as a ledger.Ledger. All methods are safe for concurrent use.
type Ledger struct {
	options   Options
	addresses []address
	dial      dialer

	accounts  *lane[ledger.Account, ledger.CreateAccountResult]
	transfers *lane[ledger.Transfer, ledger.CreateTransferResult]

	life  context.Context // ends with Close
	end   context.CancelFunc
	owned sync.WaitGroup // every goroutine of this Ledger

	mu       sync.Mutex // everything below, and the lanes
	closed   bool
	session  *session
	renewing bool // a goroutine is at it
	pulse    pulse
	lookups  batchLimit
	reads    int // on their way, abandoned ones included
	stats    Stats
}

var _ ledger.Ledger = (*Ledger)(nil)

// Stats counts since Open, and says how things stand.
type Stats struct {
	Requests          uint64 // create requests the cluster answered
	Events            uint64 // accounts and transfers in them
	Reads             uint64 // reads and probes the cluster answered
	Unknown           uint64 // calls that ended with ErrOutcomeUnknown
	Refused           uint64 // calls that ended with ErrUnavailable
	Outages           uint64 // times the cluster stopped answering
	Clients           uint64 // clients made
	WaitingTransfers  int
	WaitingAccounts   int
	CreatesOnTheirWay int // requests, two at most
	ReadsOnTheirWay   int
	Unavailable       bool
	LastFault         string // the last thing that went wrong with the client or the cluster
}

// open makes a Ledger over clients made by dial. A cluster that isn't there yet is no error, but an
// outage.
func open(options Options, dial dialer) (*Ledger, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	addresses, err := parseAddresses(options.Addresses)
	if err != nil {
		return nil, err
	}
	l := &Ledger{
		options:   options,
		addresses: addresses,
		dial:      dial,
		lookups:   newBatchLimit(options.BatchMax),
	}
	l.life, l.end = context.WithCancel(context.Background())
	l.pulse.begin()
	l.accounts = newLane(l, accountKind)
	l.transfers = newLane(l, transferKind)
	if err := l.connectFirst(); err != nil {
		l.end()
		return nil, err
	}
	l.owned.Go(l.accounts.run)
	l.owned.Go(l.transfers.run)
	l.owned.Go(l.watch)
	l.awaitFirstAnswer()
	return l, nil
}

// CreateTransfers implements ledger.Ledger. The slice is not read after return.
func (l *Ledger) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	for i := range transfers {
		const settles = ledger.TransferPostPending | ledger.TransferVoidPending
		if f := transfers[i].Flags; f&ledger.TransferImported != 0 && f&settles != 0 {
			return nil, ErrImportedSettlement
		}
	}
	return l.transfers.create(ctx, transfers)
}

// CreateAccounts implements ledger.Ledger. The slice is not read after return.
func (l *Ledger) CreateAccounts(ctx context.Context, accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
	return l.accounts.create(ctx, accounts)
}

// LookupAccounts implements ledger.Ledger.
func (l *Ledger) LookupAccounts(ctx context.Context, ids []ledger.Uint128) ([]ledger.Account, error) {
	return lookup(ctx, l, ids, client.lookupAccounts)
}

// LookupTransfers implements ledger.Ledger.
func (l *Ledger) LookupTransfers(ctx context.Context, ids []ledger.Uint128) ([]ledger.Transfer, error) {
	return lookup(ctx, l, ids, client.lookupTransfers)
}

// AccountTransfers implements ledger.Ledger.
func (l *Ledger) AccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	return query(ctx, l, filter, filter.Limit, queryMax, client.accountTransfers)
}

// AccountBalances implements ledger.Ledger.
func (l *Ledger) AccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	return query(ctx, l, filter, filter.Limit, queryMax, client.accountBalances)
}

// QueryAccounts implements ledger.Ledger.
func (l *Ledger) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	return query(ctx, l, filter, filter.Limit, queryMax, client.queryAccounts)
}

// QueryTransfers implements ledger.Ledger.
func (l *Ledger) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	return query(ctx, l, filter, filter.Limit, queryMax, client.queryTransfers)
}

// ChangeEvents implements ledger.Ledger.
func (l *Ledger) ChangeEvents(ctx context.Context, filter ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
	return query(ctx, l, filter, filter.Limit, changeEventMax, client.changeEvents)
}

// Limits implements ledger.Ledger. BatchMax falls to the cluster's own limit once that is learned.
// A slice of separate chains may be longer than that, up to Options.BatchMax: it is divided.
func (l *Ledger) Limits() ledger.Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return ledger.Limits{
		BatchMax:       min(l.accounts.limit.next(), l.transfers.limit.next(), l.lookups.next()),
		QueryMax:       queryMax,
		ChangeEventMax: changeEventMax,
	}
}

// Unavailable reports whether calls fail at once because the cluster doesn't answer, and why.
func (l *Ledger) Unavailable() (bool, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pulse.out, l.stats.LastFault
}

// Stats returns the counts.
func (l *Ledger) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.WaitingTransfers, s.WaitingAccounts = l.transfers.waiting, l.accounts.waiting
	s.ReadsOnTheirWay, s.Unavailable = l.reads, l.pulse.out
	for _, sending := range []bool{l.transfers.sending, l.accounts.sending} {
		if sending {
			s.CreatesOnTheirWay++
		}
	}
	return s
}

// Close releases every blocked call and waits for this Ledger's goroutines. What was on its way
// ends with ErrOutcomeUnknown: let callers finish first. Always returns nil.
func (l *Ledger) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		l.owned.Wait()
		return nil
	}
	l.closed = true
	current := l.session
	l.pulse.end(ledger.ErrClosed)
	l.accounts.ready.Broadcast()
	l.transfers.ready.Broadcast()
	l.mu.Unlock()

	l.end()
	current.close()
	l.owned.Wait()
	return nil
}

// admit says whether a call may begin, with the service it depends on: a context that ends when
// the cluster is given up or the Ledger is closed. Called with mu held.
func (l *Ledger) admit() (service context.Context, err error) {
	switch {
	case l.closed:
		return nil, ledger.ErrClosed
	case l.pulse.out:
		return nil, l.refuse(errOut)
	}
	return l.pulse.service, nil
}

// checkIn answers a call that asks for nothing.
func (l *Ledger) checkIn(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.admit(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return l.refuse(ctx.Err())
	}
	return nil
}

// Reasons of an ErrUnavailable.
var (
	errOut   = errors.New("the cluster doesn't answer")
	errBusy  = errors.New("too much is waiting")
	errReads = errors.New("too many reads are on their way")
)

// refuse makes an ErrUnavailable. Called with mu held.
func (l *Ledger) refuse(why error) error {
	l.stats.Refused++
	return fmt.Errorf("%w: %w", ledger.ErrUnavailable, why)
}

// unknown makes an ErrOutcomeUnknown. Called with mu held.
func (l *Ledger) unknown(why error) error {
	l.stats.Unknown++
	if errors.Is(why, context.Canceled) || errors.Is(why, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, why)
	}
	// Not wrapped: a caller that looks for ErrUnavailable must not find it in here.
	return fmt.Errorf("%w: %v", ledger.ErrOutcomeUnknown, why)
}
