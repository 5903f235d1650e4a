package embedded_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/ledger"
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

func TestTheEngineAnswersSmallHistoriesAsTheModelDoes(t *testing.T) {
	rapid.Check(t, ledgertest.Property(func() (a, b ledgertest.Subject) { return modelSubject(), subject(t) }))
}
