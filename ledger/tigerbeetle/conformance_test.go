//go:build cgo

package tigerbeetle_test

import (
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded/embeddedtest"
	"github.com/suanpan-bank/suanpan/ledger/ledgertest"
	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle"
	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle/standin"
)

const start = 1_700_000_000_000_000_000 // ns, where every clock here begins

// subject is an adapter over the stand-in, whose engine the test can reach.
func subject(t *testing.T) ledgertest.Subject {
	t.Helper()
	rig := embeddedtest.New(start)
	server, err := standin.Start(standin.Options{Engine: rig.Engine})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := tigerbeetle.Open(tigerbeetle.Options{Addresses: []string{server.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return ledgertest.Subject{
		Ledger:  l,
		Advance: rig.Advance,
		Now:     rig.Now,
		Seed: func(account, debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Uint128) {
			if err := rig.SetBalance(account, debitsPending, debitsPosted, creditsPending, creditsPosted); err != nil {
				t.Error(err)
			}
		},
		RefusesImportedSettlement: true,
	}
}

func TestTheAdapterMeansWhatTigerBeetleMeans(t *testing.T) {
	if testing.Short() {
		t.Skip("a client for each test, and each takes 0.6 s to connect")
	}
	ledgertest.Run(t, subject)
}

// Many callers' events share requests, and yet each is told what the engine would tell it alone.
func TestTheAdapterAnswersRandomEventsAsTheEngineDoes(t *testing.T) {
	events := 100_000
	if testing.Short() {
		events = 10_000
	}
	rig := embeddedtest.New(start)
	ledgertest.Diff(t, 3, events, subject(t), ledgertest.Subject{Ledger: rig, Advance: rig.Advance, Now: rig.Now})
}
