package embedded_test

import (
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
	"github.com/suanpan-bank/suanpan/ledger/embedded/embeddedtest"
	"github.com/suanpan-bank/suanpan/ledger/ledgertest"
	"github.com/suanpan-bank/suanpan/ledger/ledgertest/model"
)

const start = 1_700_000_000_000_000_000 // ns, where every clock here begins

func subject(t testing.TB) ledgertest.Subject {
	rig := embeddedtest.New(start)
	t.Cleanup(func() {
		if err := rig.Close(); err != nil {
			t.Error(err)
		}
	})
	return ledgertest.Subject{
		Ledger:  rig,
		Advance: rig.Advance,
		Now:     rig.Now,
		Seed: func(account, debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Uint128) {
			if err := rig.SetBalance(account, debitsPending, debitsPosted, creditsPending, creditsPosted); err != nil {
				t.Error(err)
			}
		},
	}
}

func modelSubject() ledgertest.Subject {
	now := uint64(start)
	m := model.New(func() uint64 { return now })
	return ledgertest.Subject{
		Ledger:  m,
		Advance: func(d time.Duration) { now += uint64(d) },
		Now:     func() uint64 { return now },
		Seed:    m.Seed,
	}
}

func TestTheEngineMeansWhatTigerBeetleMeans(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Subject { return subject(t) })
}

func TestTheEngineAnswersRandomEventsAsTheModelDoes(t *testing.T) {
	ledgertest.Diff(t, 1, 100_000, modelSubject(), subject(t))
}

// durable is an engine with a log of its own, little memory for rows and frequent snapshots.
func durable(t testing.TB) ledgertest.Subject {
	var now atomic.Uint64
	now.Store(start)
	e, err := embedded.Open(t.TempDir(), embedded.Options{
		Clock: now.Load, ResidentBytes: 1, SnapshotEvery: 20_000, Seedable: true, OnFault: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return ledgertest.Subject{
		Ledger:  e,
		Advance: func(d time.Duration) { now.Add(uint64(d)) },
		Now:     now.Load,
		Seed: func(account, debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Uint128) {
			if !e.Seed(account, debitsPending, debitsPosted, creditsPending, creditsPosted) {
				t.Errorf("there is no account %v", account)
			}
		},
	}
}

func TestTheEngineOnDiskMeansWhatTigerBeetleMeans(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Subject { return durable(t) })
}

func TestTheEngineOnDiskAnswersRandomEventsAsTheModelDoes(t *testing.T) {
	ledgertest.Diff(t, 2, 100_000, modelSubject(), durable(t))
}

func TestTheEngineAnswersSmallHistoriesAsTheModelDoes(t *testing.T) {
	rapid.Check(t, ledgertest.Property(func() (a, b ledgertest.Subject) { return modelSubject(), subject(t) }))
}
