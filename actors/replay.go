package actors

import (
	"fmt"
	"sync/atomic"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Replay executes the chains of a journal again.
type Replay struct {
	engine   Engine
	accounts []ledger.CreateAccountResult
	results  []ledger.CreateTransferResult
}

// NewReplay replays into an empty engine.
func NewReplay(engine Engine) *Replay { return &Replay{engine: engine} }

// Chain executes the record's chain and compares the answer with the one recorded.
func (r *Replay) Chain(rec *journal.Record) error {
	if len(rec.Accounts) == 0 && len(rec.Transfers) == 0 {
		return nil
	}
	now := uint64(rec.Time)
	r.accounts = r.engine.ExecuteAccounts(now, rec.Accounts, r.accounts[:0])
	for i := range r.accounts {
		if r.accounts[i].Status != ledger.AccountCreated {
			return fmt.Errorf("position %d: account %s: %s", rec.Position, rec.Accounts[i].ID, r.accounts[i].Status)
		}
	}
	r.results = r.engine.ExecuteTransfers(now, rec.Transfers, r.results[:0])
	for i := range r.results {
		want := ledger.TransferCreated
		if rec.Results != nil {
			want = rec.Results[i]
		}
		if r.results[i].Status != want {
			return fmt.Errorf("position %d: transfer %s was %s when recorded and is %s now",
				rec.Position, rec.Transfers[i].ID, want, r.results[i].Status)
		}
	}
	return nil
}

// replayer executes chains on a goroutine of its own, a few records together, while others are read: a start has one
// processor for each, and the ledger is told what comes next.
type replayer struct {
	replay  Replay
	filling *chains
	full    chan *chains // capacity: chainsMax, all there are
	empty   chan *chains // the same
	failed  atomic.Bool  // no more is executed; close says why
	ended   chan error   // capacity 1: the result waits for whoever closes
}

const (
	chainsMax      = 4  // lists of chains
	chainTransfers = 64 // are executed together, about: so many the ledger looks ahead
)

// chains are what the replay needs of some records.
type chains struct {
	records   []journal.Record
	accounts  []ledger.Account
	transfers []ledger.Transfer
	results   []ledger.CreateTransferStatus
}

func newReplayer(engine Engine) *replayer {
	r := &replayer{
		replay: Replay{engine: engine}, filling: new(chains),
		full: make(chan *chains, chainsMax), empty: make(chan *chains, chainsMax), ended: make(chan error, 1),
	}
	for range chainsMax - 1 {
		r.empty <- new(chains)
	}
	go r.run()
	return r
}

// chain takes a record's chain, which is executed soon.
func (r *replayer) chain(rec *journal.Record) {
	if len(rec.Accounts) == 0 && len(rec.Transfers) == 0 {
		return
	}
	c := r.filling
	c.records = append(c.records, journal.Record{
		Position: rec.Position, Time: rec.Time, Accounts: copied(&c.accounts, rec.Accounts),
		Transfers: copied(&c.transfers, rec.Transfers), Results: copied(&c.results, rec.Results),
	})
	if len(c.transfers) >= chainTransfers || len(c.records) >= chainTransfers {
		r.full <- c
		r.filling = <-r.empty
	}
}

// copied appends the elements to the list and returns them there; none stays none.
func copied[T any](list *[]T, of []T) []T {
	if of == nil {
		return nil
	}
	n := len(*list)
	*list = append(*list, of...)
	return (*list)[n:]
}

func (r *replayer) run() {
	var fault error
	for c := range r.full {
		r.replay.engine.Ahead(c.transfers)
		for i := range c.records {
			if fault == nil {
				fault = r.replay.Chain(&c.records[i])
			}
		}
		if fault != nil {
			r.failed.Store(true)
		}
		clear(c.records)
		c.records, c.accounts, c.transfers, c.results = c.records[:0], c.accounts[:0], c.transfers[:0], c.results[:0]
		r.empty <- c
	}
	r.ended <- fault
}

// close executes what is left and returns the fault of the first chain that could not be executed as it was.
func (r *replayer) close() error {
	r.full <- r.filling
	close(r.full)
	return <-r.ended
}
