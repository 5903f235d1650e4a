package ledgertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/ledgertest/model"
)

func TestTheModelMeansWhatTigerBeetleMeans(t *testing.T) {
	Run(t, func(*testing.T) Subject { return modelAt(start) })
}

// A real cluster has no hooks: its clock is the world's and it keeps what every test left in it.
func TestTheSuiteRunsOnOneLedgerWithARealClock(t *testing.T) {
	if testing.Short() {
		t.Skip("left out: it waits for holds to expire")
	}
	t.Parallel() // it sleeps most of the time
	clock := func() uint64 { return uint64(time.Now().UnixNano()) }
	l := refusing{model.New(clock)}
	Run(t, func(t *testing.T) Subject {
		if _, err := l.LookupAccounts(t.Context(), nil); errors.Is(err, ledger.ErrClosed) {
			l = refusing{model.New(clock)} // the test of Close is over
		}
		return Subject{Ledger: l, RefusesImportedSettlement: true}
	})
}

// refusing doesn't send imported posts and voids.
type refusing struct{ ledger.Ledger }

func (l refusing) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	for _, t := range transfers {
		if t.Flags&ledger.TransferImported != 0 && t.Flags&(ledger.TransferPostPending|ledger.TransferVoidPending) != 0 {
			return nil, errors.New("an imported post or void")
		}
	}
	return l.Ledger.CreateTransfers(ctx, transfers)
}
