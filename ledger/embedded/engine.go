// Package embedded is the ledger in process: a deterministic state machine with TigerBeetle's
// semantics. Given the same calls in the same order it gives the same answers and the same state, so a
// log of its inputs is its durability. Start here: Engine, and the three ways to have one.
//
//	New     in memory; nothing survives
//	Open    in a directory, with a log of its own: durable when a call returns
//	Attach  in a directory, behind somebody else's log (the bank's journal), which is replayed from the
//	        last snapshot on
//
// engine.go has the batches, batch.go their chains, account.go and transfer.go the rules, settle.go
// posts and voids, party.go has what an account is made of, record.go what a transfer changes, query.go and fields.go the reads, ledger.go the
// ledger.Ledger interface over it all. memory.go, index.go, rows.go and store.go hold the state,
// snapshot.go, restore.go and ids.go save it, log.go is Open's log, packed.go the form of long requests in it.
package embedded

import (
	"fmt"
	"sync"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Engine keeps accounts and the index of transfer ids in memory, transfers and all that can be found
// through them on disk (in memory too, if it was made by New). Two ways lead in:
//
// The commit pipeline, which journals its inputs, calls ExecuteAccounts, ExecuteTransfers and Pulse
// with the time as an argument; the same calls on an engine in the same state lead to the same state.
//
// As a ledger.Ledger it takes the time from its clock and expires what is due before each call.
// The reads among these methods serve the pipeline's engine too, which has no clock.
//
// Memory, beside about 90 MB for rows and field index on their way to the disk: about 170 bytes an account,
// 11 a transfer and 1 more for a two-phase one. Disk: 173 bytes a transfer and up to 40 for finding it by its
// fields. References to rows have 31 bits: two billion transfers; docs/decisions/0009 says how to go on
// from there.
type Engine struct {
	mu        sync.RWMutex
	options   Options
	closed    bool
	timestamp uint64 // the last one given out, ns

	accounts     table[accountRow]
	details      table[accountDetails] // beside accounts: what no plain transfer needs
	accountIDs   index                 // reference: row + 1
	accountUsers index                 // UserData128 → the newest account with it, row + 1

	transfers   rows[transferRow]
	fences      []uint64 // timestamp of the first transfer of each block
	transferIDs index    // reference: row + 1, or a burnt id
	ids         idList   // what a start makes transferIDs of; the goroutine's that writes rows
	burnt       rows[ledger.Uint128]
	marks       rows[mark]
	wide        rows[wideBalances]
	fields      *fields
	entered     uint32 // blocks in fields, if all is in memory; else the store enters them

	pendings table[pendingState]
	fresh    []expiryEntry // pending transfers of this batch that can expire
	expiring expiryQueue
	expiries rows[expiryRow]

	id    newID
	moved [2]uint32 // rows of the accounts that moved last
	chain undo
	image imaging
	view  *View // nil: none is being read
	ahead ahead

	store *store // nil: all in memory
	log   *log   // nil: the caller has one
}

// Options of an Engine. The zero value is usable.
type Options struct {
	// Clock gives nanoseconds since 1970 to the ledger.Ledger methods, which expire what is due
	// before they do anything else, reads too. Leave it nil where the inputs are logged elsewhere: then
	// only Execute and Pulse change anything, and what goes through CreateAccounts and
	// CreateTransfers is dated one nanosecond after the event before it.
	Clock func() uint64
	// ResidentBytes is the memory for the newest transfers, which are read without the disk.
	// Zero: ResidentBytesDefault.
	ResidentBytes int
	// SnapshotEvery is after how many transfers an engine made by Open saves its state.
	// Zero: SnapshotEveryDefault.
	SnapshotEvery int
	// OnFault is told of what keeps an engine made by Open from saving its state; it must not call the
	// engine. Nil: Close tells it.
	OnFault func(error)
	// Seedable allows Seed, for conformance runners.
	Seedable bool
}

// The defaults of Options.
const (
	ResidentBytesDefault = 64 << 20
	SnapshotEveryDefault = 8_000_000
)

// transferRow is a transfer as stored (amount actual, post and void filled in) and what was true just
// after it: the links of the lists it is in, both accounts' balances.
type transferRow struct {
	id             ledger.Uint128
	userData128    ledger.Uint128
	timestamp      uint64
	userData64     uint64
	amount         uint64 // unless wide
	balances       balances
	debit, credit  uint32 // account rows
	previousDebit  uint32 // the account's transfer before this one, row + 1
	previousCredit uint32
	// pending is, for a pending transfer, its row in pendings + 1; for a post or void the row of the
	// pending transfer + 1.
	pending    uint32
	userData32 uint32
	timeout    uint32
	ledger     uint32
	code       uint16
	stored     ledger.TransferFlags // flags, and sides closed just after it
	wide       uint32               // row in Engine.wide + 1 if an amount or balance needs it
}

// Accounts closed just after a transfer, beside its flags, of which none is so large.
const (
	debitClosed  ledger.TransferFlags = 1 << 14
	creditClosed ledger.TransferFlags = 1 << 15
	sidesClosed                       = debitClosed | creditClosed
)

func (t *transferRow) flags() ledger.TransferFlags { return t.stored &^ sidesClosed }

// pendingState is what has become of a pending transfer.
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
	balances  balances
	transfer  uint32
	wide      uint32
	closed    ledger.TransferFlags
	_         uint32
}

// newID is where the id of the transfer being executed, which is new, goes in transferIDs: the search for it
// ended there.
type newID struct {
	hash  uint64
	place int
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

// New returns an empty engine in memory.
func New(options Options) *Engine {
	return &Engine{options: options, fields: newFields(""), accountIDs: index{roomy: true}}
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
		return e.account(row), true
	}
	return ledger.Account{}, false
}

// Transfer returns the transfer with this id.
func (e *Engine) Transfer(id ledger.Uint128) (ledger.Transfer, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if row, found := e.findTransfer(id); found == isTransfer {
		return e.transfer(row), true
	}
	return ledger.Transfer{}, false
}

// EachAccount calls visit for every account in order of creation until it returns false. No
// transfer is created meanwhile, so the balances visited add up. visit must not keep the pointer
// or call the engine.
func (e *Engine) EachAccount(visit func(*ledger.Account) bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for row := range e.accounts.n {
		a := e.account(row)
		if !visit(&a) {
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
		e.advance(transfers[i:])
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
	e.finish()
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

// finish ends a batch: nothing in it can be undone any more, so what it made may expire and may go to
// the disk.
func (e *Engine) finish() {
	for _, entry := range e.fresh {
		if e.waits(entry.transfer) {
			e.expiring.push(entry)
		}
	}
	e.fresh = e.fresh[:0]
	e.expiring.sweep(e.waits)
	e.seal()
}

// rowList is what the snapshot of a list of rows needs of it.
type rowList interface {
	tail() []byte
	restore(n uint32, tail []byte) error
}

const rowLists = 5

// lists are the lists of rows, in the order in which a snapshot has them.
func (e *Engine) lists() [rowLists]rowList {
	return [rowLists]rowList{&e.transfers, &e.burnt, &e.marks, &e.wide, &e.expiries}
}

func (e *Engine) seal() {
	e.transfers.seal()
	e.marks.seal()
	e.expiries.seal()
	e.burnt.seal()
	e.wide.seal()
	if e.store == nil {
		for ; e.entered < e.transfers.n>>blockShift; e.entered++ {
			_ = e.fields.enter(e.transfers.blocks[e.entered]) // in memory nothing can fail
		}
	}
}

// waits reports whether a pending transfer is neither posted, voided nor expired.
func (e *Engine) waits(transfer uint32) bool {
	var space transferRow
	return *e.pendings.at(e.transfers.get(transfer, &space).pending - 1) == waiting
}

func (e *Engine) pulse(now uint64) int {
	base := max(e.timestamp+1, now)
	n := 0
	for n < batchMax && e.expiring.due(base) {
		transfer := e.expiring.pop().transfer
		if !e.waits(transfer) {
			continue // posted or voided
		}
		n++
		e.timestamp = base + uint64(n)
		e.expire(transfer, e.timestamp)
	}
	if n > 0 {
		e.seal()
	}
	return n
}

func (e *Engine) findAccount(id ledger.Uint128) (row uint32, ok bool) {
	hash := hashOf(id)
	s, tag := e.accountIDs.shard(hash), tagOf(hash)
	for reference, next := s.probe(tag, s.find(tag)); reference != 0; reference, next = s.probe(tag, next) {
		if e.accounts.at(reference-1).id == id {
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
	return e.findTransferFrom(hash, e.transferIDs.shard(hash).find(tagOf(hash)), id)
}

// findTransferFrom looks for an id with this hash from the place that find returned for it.
func (e *Engine) findTransferFrom(hash uint64, place int, id ledger.Uint128) (row uint32, what found) {
	s, tag := e.transferIDs.shard(hash), tagOf(hash)
	for reference, next := s.probe(tag, place); reference != 0; reference, next = s.probe(tag, next) {
		if reference&burntReference != 0 {
			var space ledger.Uint128
			if *e.burnt.get(reference&^burntReference, &space) == id {
				return 0, isBurnt
			}
			continue
		}
		var space transferRow
		if e.transfers.get(reference-1, &space).id == id {
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

// transfer is a transfer as callers see it.
func (e *Engine) transfer(row uint32) ledger.Transfer {
	var space transferRow
	return e.transferOf(e.transfers.get(row, &space))
}

func (e *Engine) transferOf(t *transferRow) ledger.Transfer {
	out := ledger.Transfer{
		ID:              t.id,
		DebitAccountID:  e.accounts.at(t.debit).id,
		CreditAccountID: e.accounts.at(t.credit).id,
		Amount:          e.amountOf(t),
		UserData128:     t.userData128,
		UserData64:      t.userData64,
		UserData32:      t.userData32,
		Timeout:         t.timeout,
		Ledger:          t.ledger,
		Code:            t.code,
		Flags:           t.flags(),
		Timestamp:       t.timestamp,
	}
	if t.stored&settles != 0 {
		var space transferRow
		out.PendingID = e.transfers.get(t.pending-1, &space).id
	}
	return out
}
