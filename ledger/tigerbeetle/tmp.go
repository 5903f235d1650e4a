package tigerbeetle

import (
	"errors"

	"github.com/suanpan-bank/suanpan/ledger"
)

type Options struct {
	Addresses []string
	Cluster   ledger.Uint128
}

func Open(Options) (ledger.Ledger, error) { return nil, errors.New("not yet") }
