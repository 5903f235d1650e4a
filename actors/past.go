package actors

import (
	"fmt"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// past reads what has happened of a business transaction and to it. It is for rare commands: it reads the
// journal on the goroutine of the customer's actor.
func (n *Node) past(txn bank.TxnID) (*bank.Past, error) {
	records, err := n.journal.FindSubject(ledger.Uint128(txn))
	if err != nil {
		return nil, fmt.Errorf("transaction %s: %w", txn, err)
	}
	var out *bank.Past
	pending := make(map[ledger.Uint128]*ledger.Transfer)
	for _, rec := range records {
		if rec.Kind == journal.KindIntent || rec.Results != nil || len(rec.Events) == 0 {
			continue // not known yet, or refused
		}
		if out == nil {
			out = &bank.Past{Txn: txn, Date: bank.Date(rec.AccountingDate)}
		}
		for i := range rec.Events {
			e, err := bank.DecodeEvent(bank.EventType(rec.Events[i].Type), rec.Events[i].Body)
			if err != nil {
				return nil, fmt.Errorf("position %d: %w", rec.Position, err)
			}
			out.Events = append(out.Events, e)
		}
		for i := range rec.Transfers {
			if e, ok := n.entry(&rec.Transfers[i], pending); ok {
				e.Date = bank.Date(rec.AccountingDate)
				out.Entries = append(out.Entries, e)
			}
		}
	}
	return out, nil
}

// entry is what a leg has moved; false for one that only holds or releases. Pending ones are remembered for
// those that post them.
func (n *Node) entry(t *ledger.Transfer, pending map[ledger.Uint128]*ledger.Transfer) (bank.Entry, bool) {
	moved := *t
	switch {
	case t.Flags&ledger.TransferPending != 0:
		pending[t.ID] = t
		return bank.Entry{}, false
	case t.Flags&ledger.TransferVoidPending != 0:
		return bank.Entry{}, false
	case t.Flags&ledger.TransferPostPending != 0:
		held := pending[t.PendingID]
		if held == nil {
			panic(fmt.Sprintf("transfer %s posts %s, which no earlier record of its business holds", t.ID, t.PendingID))
		}
		moved.DebitAccountID, moved.CreditAccountID, moved.Ledger = held.DebitAccountID, held.CreditAccountID, held.Ledger
	case t.Flags&balancing != 0 && n.options.Engine != nil:
		moved.Amount = n.pipeline.moved(t)
	}
	return bank.Entry{
		Debit: bank.U128(moved.DebitAccountID), Credit: bank.U128(moved.CreditAccountID), Ledger: moved.Ledger,
		AmountFen: net(moved.Amount, ledger.Uint128{}), Code: moved.Code,
	}, true
}
