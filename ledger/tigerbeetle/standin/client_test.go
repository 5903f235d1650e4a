//go:build cgo

package standin_test

import (
	"testing"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle/standin"
)

func TestX(t *testing.T) {
	s, err := standin.Start(standin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := tb.NewClient(tb.ToUint128(0), []string{s.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.CreateAccounts([]tb.Account{{ID: tb.ToUint128(1), Ledger: 1, Code: 1}, {ID: tb.ToUint128(2), Ledger: 1, Code: 1}})
	t.Log(r, err)
	x, err := c.CreateTransfers([]tb.Transfer{{ID: tb.ToUint128(1), DebitAccountID: tb.ToUint128(1), CreditAccountID: tb.ToUint128(2), Amount: tb.ToUint128(5), Ledger: 1, Code: 1}})
	t.Log(x, err)
	a, err := c.LookupAccounts([]tb.Uint128{tb.ToUint128(1), tb.ToUint128(2)})
	t.Log(a, err)
	e, err := c.GetChangeEvents(tb.ChangeEventsFilter{Limit: 5})
	t.Log(e, err)
	t.Logf("%+v", s.Counts())
	c.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
