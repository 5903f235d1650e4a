// Package embedded is the ledger in process: a deterministic state machine with TigerBeetle's
// semantics, held in memory. Given the same calls in the same order it gives the same answers and
// the same state, so a journal of its inputs is its durability. Start here: Engine.
//
// engine.go has the batches, batch.go their chains, account.go and transfer.go the rules,
// settle.go posts and voids, record.go what a transfer changes, query.go the reads and ledger.go
// the ledger.Ledger interface over it all.
package embedded

import (
	"fmt"
	"sync"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Engine keeps accounts and transfers in memory. Two ways lead in:
//
// The commit pipeline, which journals its inputs, calls ExecuteAccounts, ExecuteTransfers and
// Pulse with the time as an argument; the same calls on an empty Engine rebuild the same state.
//
// As a ledger.Ledger it takes the time from its clock and expires what is due before each call.
// The reads among these methods serve the pipeline's engine too, which has no clock.
//
// Memory is about 220 bytes a transfer and 190 an account, indexes included. A transfer's row is
// never changed once its chain is whole; what changes is in the accounts and in the far fewer
// rows of pending transfers.
type Engine struct {
	mu        sync.RWMutex
	clock     func() uint64 // nil: see Options
	closed    bool
	timestamp uint64 // the last one given out, ns

	accounts     table[accountRow]
	accountIDs   index // reference: row + 1
	accountUsers index // UserData128 → the newest account with it, row + 1

	transfers     table[transferRow]
	balances      table[balancesRow] // beside transfers: both accounts just after it
	transferIDs   index              // reference: row + 1, or a burnt id
	transferUsers index              // UserData128 → the newest transfer with it, row + 1
	burnt         table[ledger.Uint128]

	pendings table[pendingRow]
	queued   uint32 // pendings below this have been considered for the queue
	expiring expiryQueue
	expiries table[expiryRow]

	marks table[mark]
	wide  table[wideBalances]

	chain  undo
	warmed uint64 // see warm
}

// Options of an Engine.
type Options struct {
	// Clock gives nanoseconds since 1970 to the ledger.Ledger methods, which expire what is due
	// before they do anything else, reads too. Leave it nil where the inputs are journalled: then
	// only Execute and Pulse change anything, and what goes through CreateAccounts and
	// CreateTransfers is dated one nanosecond after the event before it.
	Clock func() uint64
}

// accountRow is an account, the list of its transfers, and its place among those with the same
// UserData128.
type accountRow struct {
	ledger.Account
	list         list
	previousUser uint32 // row + 1
}

// transferRow is a transfer as stored (amount actual, post and void filled in) and its links.
type transferRow struct {
	ledger.Transfer
	debit, credit                 uint32 // account rows
	previousDebit, previousCredit uint32 // the account's transfer before this one, row + 1
	previousUser                  uint32 // the transfer with the same UserData128 before this one, row + 1
	pending                       uint32 // for a pending transfer its row in pendings + 1
	closed                        sides  // accounts closed just after it
}

// sides of a transfer.
type sides uint8

const (
	debitSide sides = 1 << iota
	creditSide
)

// pendingRow is what happens to a pending transfer after its creation.
type pendingRow struct {
	transfer  uint32
	state     pendingState
	expiresAt uint64 // ns; 0: never
}

type pendingState uint8

const (
	waiting pendingState = iota
	posted
	voided
	expired
)

// expiryRow records an expiry, which is a change of balances that no transfer made.
type expiryRow struct {
	timestamp uint64
	transfer  uint32
	closed    sides
	balances  balancesRow
}

const (
	batchMax       = 8189
	queryMax       = 8189
	changeEventMax = 2730

	timestampMax = 1<<63 - 1
	nsPerSecond  = 1_000_000_000

	// burntReference marks a reference in transferIDs as a row of burnt: an id that failed for a
	// transient reason and may never be used again.
	burntReference = 1 << 31
)

// New returns an empty engine.
func New(options Options) *Engine {
	return &Engine{clock: options.Clock}
}

// ExecuteAccounts creates accounts at now (ns) and appends a result for each to results. At most
// 8,189 accounts; nothing is durable. The answer depends on the calls so far and these arguments
// alone.
func (e *Engine) ExecuteAccounts(now uint64, accounts []ledger.Account, results []ledger.CreateAccountResult) []ledger.CreateAccountResult {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.executeAccounts(now, accounts, results)
}

// ExecuteTransfers creates transfers at now (ns) and appends a result for each to results. At most
// 8,189 transfers, each linked chain whole; nothing is durable. The answer depends on the calls so
// far and these arguments alone.
func (e *Engine) ExecuteTransfers(now uint64, transfers []ledger.Transfer, results []ledger.CreateTransferResult) []ledger.CreateTransferResult {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.executeTransfers(now, transfers, results)
}

// Pulse expires pending transfers whose timeout is over at now (ns), in order of expiry, at most
// 8,189; it returns how many. A full pulse means there may be more.
func (e *Engine) Pulse(now uint64) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pulse(now)
}

// Timestamp returns the last timestamp given to an event, in ns; 0 before the first.
func (e *Engine) Timestamp() uint64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.timestamp
}

// Account returns the account with this id.
func (e *Engine) Account(id ledger.Uint128) (ledger.Account, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if row, ok := e.findAccount(id); ok {
		return e.accounts.at(row).Account, true
	}
	return ledger.Account{}, false
}

// Transfer returns the transfer with this id.
func (e *Engine) Transfer(id ledger.Uint128) (ledger.Transfer, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if row, found := e.findTransfer(id); found == isTransfer {
		return e.transfers.at(row).Transfer, true
	}
	return ledger.Transfer{}, false
}

// EachAccount calls visit for every account in order of creation until it returns false. No
// transfer is created meanwhile, so the balances visited add up. visit must not keep the pointer,
// change the account or call the engine.
func (e *Engine) EachAccount(visit func(*ledger.Account) bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for row := range e.accounts.n {
		if !visit(&e.accounts.at(row).Account) {
			return
		}
	}
}

func (e *Engine) executeAccounts(now uint64, accounts []ledger.Account, results []ledger.CreateAccountResult) []ledger.CreateAccountResult {
	if len(accounts) == 0 {
		return results
	}
	first := len(results)
	b := e.begin(now, len(accounts), accounts[0].Flags&ledger.AccountImported != 0)
	for i := range accounts {
		a := &accounts[i]
		linked := a.Flags&ledger.AccountLinked != 0
		result := ledger.CreateAccountResult{Timestamp: b.at(i)}
		verdict := e.admit(&b, i, linked, a.Flags&ledger.AccountImported != 0, a.Timestamp)
		if verdict == admitted {
			result = e.createAccount(a, b.at(i))
		} else {
			result.Status = accountVerdicts[verdict]
		}
		results = append(results, result)
		if result.Status != ledger.AccountCreated {
			for j := range e.breakChain(&b, i) {
				results[first+b.chainStart+j].Status = ledger.AccountLinkedEventFailed
			}
		}
		e.leave(&b, linked && verdict != chainOpen)
	}
	return results
}

func (e *Engine) executeTransfers(now uint64, transfers []ledger.Transfer, results []ledger.CreateTransferResult) []ledger.CreateTransferResult {
	if len(transfers) == 0 {
		return results
	}
	first := len(results)
	b := e.begin(now, len(transfers), transfers[0].Flags&ledger.TransferImported != 0)
	for i := range transfers {
		if i%warmAhead == 0 {
			e.warmed ^= e.warm(transfers[i:min(i+warmAhead, len(transfers))])
		}
		t := &transfers[i]
		linked := t.Flags&ledger.TransferLinked != 0
		result := ledger.CreateTransferResult{Timestamp: b.at(i)}
		verdict := e.admit(&b, i, linked, t.Flags&ledger.TransferImported != 0, t.Timestamp)
		if verdict == admitted {
			result = e.createTransfer(t, b.at(i))
		} else {
			result.Status = transferVerdicts[verdict]
		}
		results = append(results, result)
		if result.Status != ledger.TransferCreated {
			for j := range e.breakChain(&b, i) {
				results[first+b.chainStart+j].Status = ledger.TransferLinkedEventFailed
			}
			// After the chain is undone: the culprit's id stays burnt, its siblings' stay usable.
			if result.Status.Transient() {
				e.burn(t.ID)
			}
		}
		e.leave(&b, linked && verdict != chainOpen)
	}
	e.queueExpiries()
	return results
}

// begin takes the timestamps of a batch. Time never goes back, whatever the clock says.
func (e *Engine) begin(now uint64, events int, imported bool) batch {
	if events > batchMax {
		panic(fmt.Sprintf("embedded: %d events in one batch, at most %d", events, batchMax))
	}
	base := max(e.timestamp+1, now)
	e.timestamp = base + uint64(events)
	if e.timestamp > timestampMax {
		panic(fmt.Sprintf("embedded: timestamp %d is beyond the range of time", e.timestamp))
	}
	return batch{base: base, events: events, imported: imported}
}

func (e *Engine) pulse(now uint64) int {
	base := max(e.timestamp+1, now)
	n := 0
	for n < batchMax && e.expiring.due(base) {
		row := e.expiring.pop().pending
		if e.pendings.at(row).state != waiting {
			continue // posted or voided
		}
		n++
		e.timestamp = base + uint64(n)
		e.expire(row, e.timestamp)
	}
	return n
}

// queueExpiries enters the pending transfers of a finished batch. Within a batch nothing expires
// by the queue, and a chain that is undone leaves nothing behind in it.
func (e *Engine) queueExpiries() {
	for ; e.queued < e.pendings.n; e.queued++ {
		if p := e.pendings.at(e.queued); p.state == waiting && p.expiresAt != 0 {
			e.expiring.push(expiryEntry{p.expiresAt, e.queued})
		}
	}
	e.expiring.sweep(func(row uint32) bool { return e.pendings.at(row).state == waiting })
}

func (e *Engine) findAccount(id ledger.Uint128) (row uint32, ok bool) {
	hash := hashOf(id)
	s := e.accountIDs.shard(hash)
	for reference, next := s.probe(hash, s.home(hash)); reference != 0; reference, next = s.probe(hash, next) {
		if e.accounts.at(reference-1).ID == id {
			return reference - 1, true
		}
	}
	return 0, false
}

// found says what is known of a transfer id.
type found uint8

const (
	isNew found = iota
	isTransfer
	isBurnt
)

func (e *Engine) findTransfer(id ledger.Uint128) (row uint32, what found) {
	hash := hashOf(id)
	s := e.transferIDs.shard(hash)
	for reference, next := s.probe(hash, s.home(hash)); reference != 0; reference, next = s.probe(hash, next) {
		if reference&burntReference != 0 {
			if *e.burnt.at(reference &^ burntReference) == id {
				return 0, isBurnt
			}
		} else if e.transfers.at(reference-1).ID == id {
			return reference - 1, isTransfer
		}
	}
	return 0, isNew
}

func (e *Engine) burn(id ledger.Uint128) {
	row, cell := e.burnt.add()
	*cell = id
	e.transferIDs.insert(hashOf(id), row|burntReference)
}
