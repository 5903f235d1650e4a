package actors

import (
	"context"
	"fmt"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// statementRows is how many of an account's transfers are read from the ledger at a time.
const statementRows = 2000

// Statement lists the posted entries that the query selects, oldest first, each with the balance after it
// and what the journal says of it. Holds and releases move no money and are not entries.
func (v *View) Statement(q bank.StatementQuery) (*bank.StatementPage, error) {
	id := v.ledgerID(q.Account)
	if id.IsZero() {
		return nil, bank.ErrNotFound
	}
	page := &bank.StatementPage{AccountNo: q.Account, Entries: []bank.StatementEntry{}}
	node := v.node
	v.query.second = append(v.query.second, func(ctx context.Context) error {
		if err := readStatement(ctx, node.options.Books, page, ledger.Uint128(id), q); err != nil {
			return fmt.Errorf("statement of %s: %w", q.Account, err)
		}
		return readParticulars(node.journal, page)
	})
	return page, nil
}

// StatementTotals adds the entries up that the query selects, and those before them.
func (v *View) StatementTotals(q bank.StatementQuery) (*bank.StatementTotals, error) {
	id := v.ledgerID(q.Account)
	if id.IsZero() {
		return nil, bank.ErrNotFound
	}
	totals := new(bank.StatementTotals)
	books := v.node.options.Books
	v.query.second = append(v.query.second, func(ctx context.Context) error {
		filter := rowsOf(ledger.Uint128(id), &q)
		for {
			transfers, err := books.AccountTransfers(ctx, filter)
			if err != nil {
				return fmt.Errorf("totals of %s: %w", q.Account, err)
			}
			for i := range transfers {
				t := &transfers[i]
				if moves(t) && !totals.Add(&q, bank.Date(t.UserData32), signed(t, filter.AccountID), t.Timestamp) {
					return nil
				}
				filter.TimestampMin = t.Timestamp + 1
			}
			if len(transfers) < int(filter.Limit) {
				return nil
			}
		}
	})
	return totals, nil
}

func (v *View) ledgerID(no bank.AccountNo) bank.U128 {
	for i := range v.Accounts {
		if v.Accounts[i].No == no {
			return v.Accounts[i].LedgerID()
		}
	}
	return bank.U128{}
}

func rowsOf(account ledger.Uint128, q *bank.StatementQuery) ledger.AccountFilter {
	return ledger.AccountFilter{
		AccountID: account, TimestampMin: q.After + 1, TimestampMax: q.Through, Limit: statementRows,
		Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	}
}

// moves reports whether a transfer is an entry: money has moved.
func moves(t *ledger.Transfer) bool {
	return t.Flags&(ledger.TransferPending|ledger.TransferVoidPending) == 0
}

func signed(t *ledger.Transfer, account ledger.Uint128) int64 {
	if t.DebitAccountID == account {
		return net(ledger.Uint128{}, t.Amount)
	}
	return net(t.Amount, ledger.Uint128{})
}

func readStatement(ctx context.Context, books Books, page *bank.StatementPage, account ledger.Uint128, q bank.StatementQuery) error {
	filter := rowsOf(account, &q)
	filter.Limit = min(filter.Limit, uint32(2*q.Limit))
	for {
		transfers, err := books.AccountTransfers(ctx, filter)
		if err != nil {
			return err
		}
		balances, err := books.AccountBalances(ctx, filter)
		if err != nil {
			return err
		}
		for i := range transfers {
			t := &transfers[i]
			filter.TimestampMin = t.Timestamp + 1
			if !moves(t) || !q.Selects(bank.Date(t.UserData32)) {
				continue
			}
			if len(page.Entries) == q.Limit {
				return nil
			}
			page.Entries = append(page.Entries, entryOf(t, &balances[i], account))
			page.Next = t.Timestamp
		}
		if len(transfers) < int(filter.Limit) {
			page.Next = 0
			return nil
		}
	}
}

func entryOf(t *ledger.Transfer, after *ledger.AccountBalance, account ledger.Uint128) bank.StatementEntry {
	e := bank.StatementEntry{
		TransferID: bank.TxnID(t.UserData128), Time: timestamp(int64(t.Timestamp)),
		AccountingDate: bank.Date(t.UserData32), Code: t.Code, Direction: bank.EntryCredit, AmountFen: net(t.Amount, ledger.Uint128{}),
		BalanceAfterFen: net(after.CreditsPosted, after.DebitsPosted),
	}
	if t.DebitAccountID == account {
		e.Direction = bank.EntryDebit
	}
	e.SummaryZh, e.SummaryEn = bank.SummaryOf(t.Code)
	return e
}

// readParticulars adds what the journal says of the page's transactions, for as long as it keeps them. What
// the ledger has posted has happened, so that an intent tells as much as its outcome.
func readParticulars(j journal.Journal, page *bank.StatementPage) error {
	holder := uint64(page.AccountNo.Customer())
	for i := range page.Entries {
		e := &page.Entries[i]
		if i > 0 && page.Entries[i-1].TransferID == e.TransferID && page.Entries[i-1].Code == e.Code {
			e.Particulars = page.Entries[i-1].Particulars
			continue
		}
		records, err := j.FindSubject(ledger.Uint128(e.TransferID))
		if err != nil {
			return fmt.Errorf("transaction %s: %w", e.TransferID, err)
		}
		for _, rec := range records {
			for k := range rec.Events {
				if rec.Events[k].Customer != holder {
					continue
				}
				event, err := bank.DecodeEvent(bank.EventType(rec.Events[k].Type), rec.Events[k].Body)
				if err != nil {
					return fmt.Errorf("event at position %d: %w", rec.Position, err)
				}
				e.Particulars.Fold(event, page.AccountNo, e.Code)
			}
		}
	}
	return nil
}
