// Package embeddedtest lets a runner of tests drive an embedded ledger row by row: it moves the clock and
// sets balances that no transfers explain. For tests only; start with New.
package embeddedtest

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// Rig is a ledger in memory whose clock stands still until it is moved. Reads and writes go through the
// methods of ledger.Ledger; like the bank's own they expire what is due first.
type Rig struct {
	*embedded.Engine
	now atomic.Uint64
}

// New returns an empty ledger whose clock shows start, in ns since 1970.
func New(start uint64) *Rig {
	r := new(Rig)
	r.now.Store(start)
	r.Engine = embedded.New(embedded.Options{Clock: r.now.Load, Seedable: true})
	return r
}

// Now is what the clock shows.
func (r *Rig) Now() uint64 { return r.now.Load() }

// SetClock makes the clock show now, also one before what it showed: the ledger's own time never goes back.
func (r *Rig) SetClock(now uint64) { r.now.Store(now) }

// Advance moves the clock on; a negative duration moves it back.
func (r *Rig) Advance(d time.Duration) { r.now.Add(uint64(d)) }

// SetBalance sets an account's balances. The account must exist.
func (r *Rig) SetBalance(id, debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Uint128) error {
	if !r.Seed(id, debitsPending, debitsPosted, creditsPending, creditsPosted) {
		return fmt.Errorf("embeddedtest: there is no account %s", id)
	}
	return nil
}
