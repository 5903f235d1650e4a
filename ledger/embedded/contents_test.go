package embedded

import (
	"fmt"
	"slices"

	"github.com/suanpan-bank/suanpan/ledger"
)

// contents is everything an engine can be asked for, read through its queries page by page.
type contents struct {
	accounts  []ledger.Account
	transfers []ledger.Transfer
	events    []ledger.ChangeEvent
	burnt     []ledger.Uint128
	pendings  []pendingState
	lists     [][]ledger.Transfer
	histories [][]ledger.AccountBalance
}

func contentsOf(e *Engine) contents {
	var c contents
	both := ledger.AccountFilterDebits | ledger.AccountFilterCredits
	e.EachAccount(func(a *ledger.Account) bool {
		c.accounts = append(c.accounts, *a)
		return true
	})
	for _, a := range c.accounts {
		q, _ := newAccountQuery(ledger.AccountFilter{AccountID: a.ID, Flags: both, Limit: queryMax})
		c.lists = append(c.lists, e.accountTransfers(q))
		c.histories = append(c.histories, e.accountBalances(q))
	}
	for from := uint64(0); ; {
		q, _ := newFieldQuery(ledger.QueryFilter{TimestampMin: from, Limit: queryMax})
		page := e.queryTransfers(q)
		c.transfers = append(c.transfers, page...)
		if len(page) < queryMax {
			break
		}
		from = page[len(page)-1].Timestamp + 1
	}
	for from := uint64(0); ; {
		page := e.changeEvents(span{from, timestampMax}, changeEventMax)
		c.events = append(c.events, page...)
		if len(page) < changeEventMax {
			break
		}
		from = page[len(page)-1].Timestamp + 1
	}
	for row := range e.burnt.n {
		var space ledger.Uint128
		c.burnt = append(c.burnt, *e.burnt.get(row, &space))
	}
	for row := range e.pendings.n {
		c.pendings = append(c.pendings, *e.pendings.at(row))
	}
	return c
}

// difference says where two contents first differ, or is empty.
func (c contents) difference(d contents) string {
	switch {
	case !slices.Equal(c.accounts, d.accounts):
		return "accounts differ"
	case !slices.Equal(c.transfers, d.transfers):
		return "transfers differ"
	case !slices.Equal(c.events, d.events):
		return "change events differ"
	case !slices.Equal(c.burnt, d.burnt):
		return "burnt ids differ"
	case !slices.Equal(c.pendings, d.pendings):
		return "pending transfers differ"
	}
	for i := range c.lists {
		if !slices.Equal(c.lists[i], d.lists[i]) {
			return fmt.Sprintf("the list of account %v differs", c.accounts[i].ID)
		}
		if !slices.Equal(c.histories[i], d.histories[i]) {
			return fmt.Sprintf("the history of account %v differs", c.accounts[i].ID)
		}
	}
	return ""
}
