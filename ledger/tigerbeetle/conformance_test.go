//go:build cgo

package tigerbeetle_test

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
	"github.com/suanpan-bank/suanpan/ledger/ledgertest"
	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle"
	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle/standin"
)

// start is where the clocks of stand-ins begin, ns.
const start = 1_700_000_000_000_000_000

// cluster is the adapter with the real client in front of a stand-in whose clock stands still.
func cluster(t testing.TB) ledgertest.Subject {
	t.Helper()
	var now atomic.Uint64
	now.Store(start)
	engine := embedded.New(embedded.Options{Clock: now.Load, Seedable: true})
	server, err := standin.Start(standin.Options{Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return ledgertest.Subject{
		Ledger:  connect(t, server.Addr()),
		Advance: func(d time.Duration) { now.Add(uint64(d)) },
		Seed: func(account, debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Uint128) {
			if !engine.Seed(account, debitsPending, debitsPosted, creditsPending, creditsPosted) {
				t.Errorf("there is no account %v", account)
			}
		},
		RefusesImportedSettlement: true,
	}
}

func connect(t testing.TB, addresses ...string) *tigerbeetle.Ledger {
	t.Helper()
	l, err := tigerbeetle.Open(tigerbeetle.Options{Addresses: addresses, UnavailableAfter: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// The bank must not notice which ledger it has.
func TestTheAdapterMeansWhatTigerBeetleMeans(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Subject { return cluster(t) })
}

// A million random events, the same for the engine in this process and for one behind adapter, client and
// wire: every answer, every order of time, every page and all that is there in the end.
func TestAMillionRandomEventsEndTheSameOnBothLedgers(t *testing.T) {
	events := 1_000_000
	if testing.Short() {
		events = 50_000
	}
	now := uint64(start)
	engine := ledgertest.Subject{
		Ledger:                    embedded.New(embedded.Options{Clock: func() uint64 { return now }}),
		Advance:                   func(d time.Duration) { now += uint64(d) },
		RefusesImportedSettlement: true,
	}
	ledgertest.Diff(t, 3, events, engine, cluster(t))
}

// realAddresses names, in the environment, the replicas of a real cluster, separated by commas.
const realAddresses = "SUANPAN_TIGERBEETLE_ADDRESSES"

// A real cluster is the judge of all of this.
func TestARealClusterMeansWhatTheSuiteSays(t *testing.T) {
	addresses := os.Getenv(realAddresses)
	if addresses == "" {
		t.Skip("no real cluster: set " + realAddresses)
	}
	real := func(t *testing.T) ledgertest.Subject {
		return ledgertest.Subject{Ledger: connect(t, strings.Split(addresses, ",")...), RefusesImportedSettlement: true}
	}
	ledgertest.Run(t, real)
	ledgertest.Diff(t, 4, 100_000, ledgertest.Subject{
		Ledger:                    embedded.New(embedded.Options{Clock: func() uint64 { return uint64(time.Now().UnixNano()) }}),
		RefusesImportedSettlement: true,
	}, real(t))
}
