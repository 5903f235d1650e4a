package ledgertest_test

import (
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/ledger/ledgertest"
	"github.com/suanpan-bank/suanpan/ledger/ledgertest/model"
)

// start is an ordinary moment of the bank's life, in ns.
const start = 1_700_000_000_000_000_000

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

func TestTheModelMeansWhatTigerBeetleMeans(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledgertest.Subject { return modelSubject() })
}
