package actors

import (
	"context"
	"errors"
	"fmt"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Vouchers lists the decisions about the customer after a position of the journal, oldest first. What the
// journal has let go is left out.
func (v *View) Vouchers(after uint64, limit int) (*bank.VoucherPage, error) {
	if !v.Customer.Exists() {
		return nil, bank.ErrNotFound
	}
	page := &bank.VoucherPage{Vouchers: []bank.VoucherView{}}
	node, customer := v.node, v.Customer.No
	v.query.second = append(v.query.second, func(ctx context.Context) error {
		from := max(journal.Position(after+1), node.journal.First())
		var fault error
		err := node.journal.ScanCustomer(ctx, uint64(customer), from, func(rec *journal.Record) bool {
			if rec.Kind == journal.KindIntent || len(rec.Events) == 0 {
				return true // not decided, or refused
			}
			if len(page.Vouchers) == limit {
				return false
			}
			var voucher bank.VoucherView
			if voucher, fault = node.voucher(ctx, rec, customer); fault != nil {
				return false
			}
			page.Vouchers = append(page.Vouchers, voucher)
			page.Next = uint64(rec.Position)
			return true
		})
		if len(page.Vouchers) < limit {
			page.Next = 0
		}
		return errors.Join(err, fault)
	})
	return page, nil
}

func (n *Node) voucher(ctx context.Context, rec *journal.Record, customer bank.CustomerNo) (v bank.VoucherView, err error) {
	v = bank.VoucherView{
		Position: uint64(rec.Position), Teller: bank.TellerName(bank.Channel(rec.Channel), bank.TellerOf(rec.Shard)), TellerSerial: rec.TellerSerial,
		TransferID: bank.TxnID(rec.Subject), AccountingDate: bank.Date(rec.AccountingDate), Time: timestamp(rec.Time),
		Events: []bank.VoucherEvent{}, Legs: []bank.VoucherLeg{},
	}
	for i := range rec.Events {
		if rec.Events[i].Customer != uint64(customer) {
			continue
		}
		kind, _ := bank.KindOf(bank.EventType(rec.Events[i].Type))
		event, err := bank.DecodeEvent(kind.Type, rec.Events[i].Body)
		if err != nil {
			return v, fmt.Errorf("position %d: %w", rec.Position, err)
		}
		v.Events = append(v.Events, bank.VoucherEvent{Type: kind.Name, Zh: kind.Zh, Event: event})
	}
	transfers, err := n.carriedOut(ctx, rec)
	if err != nil {
		return v, fmt.Errorf("position %d: %w", rec.Position, err)
	}
	for i := range transfers {
		v.Legs = append(v.Legs, legOf(&transfers[i]))
	}
	return v, nil
}

// carriedOut reads the record's chain as the ledger has it: with accounts and amounts that the record leaves
// to the ledger.
func (n *Node) carriedOut(ctx context.Context, rec *journal.Record) ([]ledger.Transfer, error) {
	ids := make([]ledger.Uint128, len(rec.Transfers))
	for i := range rec.Transfers {
		ids[i] = rec.Transfers[i].ID
	}
	if len(ids) == 0 {
		return nil, nil
	}
	if n.options.Engine == nil {
		return n.options.Ledger.LookupTransfers(ctx, ids)
	}
	var out []ledger.Transfer
	for _, id := range ids {
		if t, ok := n.options.Engine.Transfer(id); ok {
			out = append(out, t)
		}
	}
	return out, nil
}

func legOf(t *ledger.Transfer) bank.VoucherLeg {
	leg := bank.VoucherLeg{
		Code: t.Code, Kind: bank.LegPostedKind, AmountFen: net(t.Amount, ledger.Uint128{}), Ledger: t.Ledger,
		Debit: bank.SideOf(bank.U128(t.DebitAccountID)), Credit: bank.SideOf(bank.U128(t.CreditAccountID)),
	}
	switch {
	case t.Flags&ledger.TransferPending != 0:
		leg.Kind = bank.LegReservedKind
	case t.Flags&ledger.TransferPostPending != 0:
		leg.Kind = bank.LegSettledKind
	case t.Flags&ledger.TransferVoidPending != 0:
		leg.Kind = bank.LegReleasedKind
	}
	leg.SummaryZh, leg.SummaryEn = bank.SummaryOf(t.Code)
	return leg
}
