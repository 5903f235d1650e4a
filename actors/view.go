package actors

import (
	"context"
	"fmt"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Query reads one customer's state and the ledger at one moment, on the customer's own actor: it sees
// every command answered before it was asked, and what it saw is durable before it is shown.
type Query struct {
	Customer bank.CustomerNo
	Read     func(*View)
	done     chan error // capacity 1: the pipeline never waits for a reader who has gone
}

// NewQuery makes a query; read runs on the customer's actor and must not block.
func NewQuery(customer bank.CustomerNo, read func(*View)) *Query {
	return &Query{Customer: customer, Read: read, done: make(chan error, 1)}
}

// Wait returns when what was read is durable, or until is closed.
func (q *Query) Wait(until <-chan struct{}) error {
	select {
	case err := <-q.done:
		return err
	case <-until:
		return bank.ErrStopping
	}
}

// View is a customer with the node's ledger and journal, during a Query.
type View struct {
	*bank.Customer
	node *Node
}

// Overview shows everything the customer has.
func (v *View) Overview() (bank.CustomerView, error) {
	c := v.Customer
	if c.Registered == 0 {
		return bank.CustomerView{}, bank.ErrNotFound
	}
	out := bank.CustomerView{
		CustomerID: c.No, Name: c.Person.NameMasked, IDNumber: c.Person.IDMasked, Mobile: c.Person.MobileMasked,
		IDKind: c.IDKind, RegisteredOn: c.Registered,
		Accounts: []bank.AccountView{}, Deposits: []bank.DepositView{}, Lines: []bank.LineView{}, Loans: []bank.LoanView{},
	}
	for i := range c.Accounts {
		out.Accounts = append(out.Accounts, v.account(&c.Accounts[i]))
	}
	for i := range c.Deposits {
		out.Deposits = append(out.Deposits, c.Deposits[i].View())
	}
	for i := range c.Lines {
		l := c.Lines[i].View()
		if a, ok := v.node.options.Engine.Account(ledger.Uint128(c.Lines[i].LedgerID())); ok {
			l.AvailableFen = net(a.CreditsPosted, a.DebitsPosted) - net(a.DebitsPending, ledger.Uint128{})
		}
		out.Lines = append(out.Lines, l)
	}
	for i := range c.Loans {
		l := c.Loans[i].View()
		l.Schedule = nil
		out.Loans = append(out.Loans, l)
	}
	return out, nil
}

// Account shows an account with its balance.
func (v *View) Account(no bank.AccountNo) (bank.AccountView, error) {
	for i := range v.Accounts {
		if v.Accounts[i].No == no {
			return v.account(&v.Accounts[i]), nil
		}
	}
	return bank.AccountView{}, bank.ErrNotFound
}

func (v *View) account(a *bank.EAccount) bank.AccountView {
	b := balanceOf(v.node.options.Engine, a.No, a.LedgerID())
	return bank.AccountView{
		AccountNo: a.No, CustomerID: v.No, Class: a.No.Class().String(), Product: a.Product, State: string(a.State),
		OpenedOn: a.OpenedOn, FaceToFace: a.FaceToFace, BoundCard: a.Card.Masked,
		PostedFen: b.PostedFen, PendingInFen: b.PendingInFen, PendingOutFen: b.PendingOutFen, AvailableFen: b.AvailableFen,
	}
}

// Deposit shows a deposit.
func (v *View) Deposit(no bank.ContractNo) (bank.DepositView, error) {
	for i := range v.Deposits {
		if v.Deposits[i].No == no {
			return v.Deposits[i].View(), nil
		}
	}
	return bank.DepositView{}, bank.ErrNotFound
}

// Loan shows a loan with its schedule.
func (v *View) Loan(no bank.ContractNo) (bank.LoanView, error) {
	for i := range v.Loans {
		if v.Loans[i].No == no {
			return v.Loans[i].View(), nil
		}
	}
	return bank.LoanView{}, bank.ErrNotFound
}

// Statement lists posted entries of the account after the ledger timestamp, oldest first, each with the
// balance after it. Holds and releases move no money and are not entries.
func (v *View) Statement(no bank.AccountNo, after uint64, limit int) (bank.StatementPage, error) {
	page := bank.StatementPage{AccountNo: no, Entries: []bank.StatementEntry{}}
	var id bank.U128
	for i := range v.Accounts {
		if v.Accounts[i].No == no {
			id = v.Accounts[i].LedgerID()
		}
	}
	if id.IsZero() {
		return page, bank.ErrNotFound
	}
	filter := ledger.AccountFilter{
		AccountID: ledger.Uint128(id), TimestampMin: after + 1, Limit: uint32(2 * limit),
		Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	}
	for {
		transfers, err := v.node.options.Books.AccountTransfers(context.Background(), filter)
		if err != nil {
			return page, fmt.Errorf("statement of %s: %w", no, err)
		}
		balances, err := v.node.options.Books.AccountBalances(context.Background(), filter)
		if err != nil {
			return page, fmt.Errorf("statement of %s: %w", no, err)
		}
		for i := range transfers {
			t := &transfers[i]
			filter.TimestampMin = t.Timestamp + 1
			if t.Flags&(ledger.TransferPending|ledger.TransferVoidPending) != 0 {
				continue
			}
			if len(page.Entries) == limit {
				return page, nil
			}
			page.Entries = append(page.Entries, entryOf(t, &balances[i], ledger.Uint128(id)))
			page.Next = t.Timestamp
		}
		if len(transfers) < int(filter.Limit) {
			page.Next = 0
			return page, nil
		}
	}
}

func entryOf(t *ledger.Transfer, after *ledger.AccountBalance, account ledger.Uint128) bank.StatementEntry {
	e := bank.StatementEntry{
		TransferID: bank.TxnID(t.UserData128), Time: timestamp(int64(t.Timestamp)),
		AccountingDate: bank.Date(t.UserData32), Code: t.Code, Direction: "CREDIT", AmountFen: net(t.Amount, ledger.Uint128{}),
		BalanceAfterFen: net(after.CreditsPosted, after.DebitsPosted),
	}
	if t.DebitAccountID == account {
		e.Direction = "DEBIT"
	}
	e.SummaryZh, e.SummaryEn = bank.SummaryOf(t.Code)
	return e
}

// Transfer shows a transfer as its records tell it.
func (v *View) Transfer(txn bank.TxnID) (bank.TransferView, error) {
	records, err := v.node.journal.FindSubject(ledger.Uint128(txn))
	if err != nil {
		return bank.TransferView{}, fmt.Errorf("transfer %s: %w", txn, err)
	}
	var out bank.TransferView
	for _, rec := range records {
		for i := range rec.Events {
			if rec.Events[i].Customer != rec.Customer {
				continue
			}
			e, err := bank.DecodeEvent(bank.EventType(rec.Events[i].Type), rec.Events[i].Body)
			if err != nil {
				return out, fmt.Errorf("position %d: %w", rec.Position, err)
			}
			out.Fold(e, timestamp(rec.Time))
		}
	}
	if out.Kind == "" {
		return out, bank.ErrNotFound
	}
	return out, nil
}

func timestamp(ns int64) string {
	return time.Unix(0, ns).In(shanghai).Format(time.RFC3339Nano)
}

var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)
