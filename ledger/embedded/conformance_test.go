package embedded_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/ledger/embedded"
	"github.com/suanpan-bank/suanpan/ledger/ledgertest"
	"github.com/suanpan-bank/suanpan/ledger/ledgertest/model"
)

const start = 1_700_000_000_000_000_000 // ns, where every clock here begins

func subject() ledgertest.Subject {
	now := uint64(start)
	return ledgertest.Subject{
		Ledger:  embedded.New(embedded.Options{Clock: func() uint64 { return now }}),
		Advance: func(d time.Duration) { now += uint64(d) },
		Now:     func() uint64 { return now },
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
	ledgertest.Run(t, func(*testing.T) ledgertest.Subject { return subject() })
}

func TestTheEngineAnswersRandomEventsAsTheModelDoes(t *testing.T) {
	ledgertest.Diff(t, 1, 100_000, modelSubject(), subject())
}

func TestTheEngineAnswersSmallHistoriesAsTheModelDoes(t *testing.T) {
	rapid.Check(t, ledgertest.Property(func() (a, b ledgertest.Subject) { return modelSubject(), subject() }))
}
