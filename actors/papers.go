package actors

import (
	"fmt"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Slip shows a transaction as its records tell it; bank.ErrNotFound if they are neither of a transfer nor of
// interest paid.
func (v *View) Slip(txn bank.TxnID) (*bank.SlipView, error) {
	out := new(bank.SlipView)
	err := v.events(txn, func(rec *journal.Record, e bank.Event) {
		out.Fold(e, v.Customer, bank.Date(rec.AccountingDate), timestamp(rec.Time))
	})
	switch {
	case err != nil:
		return nil, err
	case out.TransferID.IsZero():
		return nil, bank.ErrNotFound
	case out.Interest != nil:
		out.Interest.ProductName = v.productName(out.Interest.Product)
	}
	return out, nil
}

// events calls fn with the customer's events of a transaction that has happened.
func (v *View) events(txn bank.TxnID, fn func(*journal.Record, bank.Event)) error {
	records, err := v.node.journal.FindSubject(ledger.Uint128(txn))
	if err != nil {
		return fmt.Errorf("transfer %s: %w", txn, err)
	}
	for _, rec := range records {
		if rec.Kind == journal.KindIntent {
			continue // it may still be refused
		}
		for i := range rec.Events {
			if rec.Events[i].Customer != rec.Customer {
				continue
			}
			e, err := bank.DecodeEvent(bank.EventType(rec.Events[i].Type), rec.Events[i].Body)
			if err != nil {
				return fmt.Errorf("position %d: %w", rec.Position, err)
			}
			fn(rec, e)
		}
	}
	return nil
}

// Certificate shows a deposit and whose it is.
func (v *View) Certificate(no bank.ContractNo) (*bank.CertificateView, error) {
	for i := range v.Deposits {
		if t := &v.Deposits[i]; t.No == no {
			return &bank.CertificateView{
				DepositView: t.View(), Holder: v.Person.NameMasked, IDNumber: v.Person.IDMasked,
				ProductName: v.productName(t.Product), TermMonths: t.TermMonths,
			}, nil
		}
	}
	return nil, bank.ErrNotFound
}

// productName is what a product is called, empty for one the bank does not have.
func (v *View) productName(code string) string {
	if p := v.node.options.Catalogue.Deposit(code); p != nil {
		return p.Zh
	}
	if p := v.node.options.Catalogue.Account(code); p != nil {
		return p.Zh
	}
	return ""
}
