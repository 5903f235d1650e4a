package embedded_test

import (
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/ledger/embedded"
	"github.com/suanpan-bank/suanpan/ledger/ledgertest"
)

func subject() ledgertest.Subject {
	now := uint64(1_700_000_000_000_000_000)
	return ledgertest.Subject{
		Ledger:  embedded.New(embedded.Options{Clock: func() uint64 { return now }}),
		Advance: func(d time.Duration) { now += uint64(d) },
		Now:     func() uint64 { return now },
	}
}

func TestTheEngineMeansWhatTigerBeetleMeans(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledgertest.Subject { return subject() })
}
