package actors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Query reads one customer's state on the customer's own actor: it sees every command answered before it
// was asked, and what it saw is durable before it is shown. What it needs of the ledger it asks for in a
// second half, on the goroutine of whoever waits, so that a slow ledger holds up nobody else. Only the
// balances of a ledger in this process, which are there at once, are read in the first half, at the same
// moment as the state.
type Query struct {
	Customer bank.CustomerNo
	Read     func(*View)
	done     chan error // capacity 1: the pipeline never waits for a reader who has gone
	node     *Node
	admitted *Node // that counts it; nil: nobody
	slot     *slot // of the customer, in memory as long as the query is counted; may be nil
	second   []func(context.Context) error
}

// ReadMax is how long a read waits for a ledger elsewhere.
const ReadMax = 2 * time.Second

// NewQuery makes a query; read runs on the customer's actor and must not block. What it returns of a view
// may be filled in later, and is complete when Wait returns.
func NewQuery(customer bank.CustomerNo, read func(*View)) *Query {
	return &Query{Customer: customer, Read: read, done: make(chan error, 1)}
}

// finish ends the first half.
func (q *Query) finish(err error) {
	if n := q.admitted; n != nil {
		n.admission.reads.Add(-1)
		if q.slot != nil {
			q.slot.leave()
		}
	}
	q.done <- err
}

// Wait returns when what was read is complete and durable, or until is closed. The ledger's answer is
// waited for until ctx ends, and no longer than ReadMax.
func (q *Query) Wait(ctx context.Context, until <-chan struct{}) error {
	if err := q.wait(until); err != nil || len(q.second) == 0 {
		return err
	}
	for _, half := range q.second {
		if err := q.node.askLedger(ctx, half); err != nil {
			return err
		}
	}
	// A ledger in this process may have shown what is not durable yet.
	q.node.pipeline.whenDurable(func(err error) { q.done <- err })
	return q.wait(until)
}

func (q *Query) wait(until <-chan struct{}) error {
	select {
	case err := <-q.done:
		return err
	case <-until:
		return bank.ErrStopping
	}
}

// askLedger lets a read ask the ledger, if it is there.
func (n *Node) askLedger(ctx context.Context, read func(context.Context) error) error {
	s := n.pipeline.submitter
	if s == nil {
		return read(ctx)
	}
	if !s.available() {
		return bank.ErrLedgerUnavailable
	}
	ctx, cancel := context.WithTimeout(ctx, ReadMax)
	defer cancel()
	err := read(ctx)
	if errors.Is(err, ledger.ErrUnavailable) && ctx.Err() == nil {
		s.lost(err) // not only too slow for this reader
	}
	if err != nil {
		return fmt.Errorf("%w: %w", bank.ErrLedgerUnavailable, err)
	}
	return nil
}

// View is a customer with the node's ledger and journal, during a Query.
type View struct {
	*bank.Customer
	query *Query
	node  *Node
}

// balances reads accounts of the ledger: at once if it is in this process, otherwise in the query's second
// half. An account that the ledger does not have is zero.
func (v *View) balances(ids []ledger.Uint128, show func([]ledger.Account)) {
	accounts := make([]ledger.Account, len(ids))
	if v.node.options.Engine != nil || len(ids) == 0 {
		for i, id := range ids {
			accounts[i] = v.node.pipeline.account(id)
		}
		show(accounts)
		return
	}
	v.query.second = append(v.query.second, func(ctx context.Context) error {
		found, err := v.node.options.Books.LookupAccounts(ctx, ids)
		if err != nil {
			return err
		}
		for i, id := range ids {
			for k := range found {
				if found[k].ID == id {
					accounts[i] = found[k]
				}
			}
		}
		show(accounts)
		return nil
	})
}

// Overview shows everything the customer has.
func (v *View) Overview() (*bank.CustomerView, error) {
	c := v.Customer
	if c.Registered == 0 {
		return nil, bank.ErrNotFound
	}
	out := &bank.CustomerView{
		CustomerID: c.No, Name: c.Person.NameMasked, IDNumber: c.Person.IDMasked, Mobile: c.Person.MobileMasked,
		IDKind: c.IDKind, RegisteredOn: c.Registered,
		Accounts: []bank.AccountView{}, Deposits: []bank.DepositView{}, Lines: []bank.LineView{}, Loans: []bank.LoanView{},
	}
	var ids []ledger.Uint128
	for i := range c.Accounts {
		out.Accounts = append(out.Accounts, v.account(&c.Accounts[i]))
		ids = append(ids, ledger.Uint128(c.Accounts[i].LedgerID()))
	}
	for i := range c.Deposits {
		out.Deposits = append(out.Deposits, c.Deposits[i].View())
	}
	for i := range c.Lines {
		out.Lines = append(out.Lines, c.Lines[i].View())
		ids = append(ids, ledger.Uint128(c.Lines[i].LedgerID()))
	}
	for i := range c.Loans {
		l := c.Loans[i].View()
		l.Schedule = nil
		out.Loans = append(out.Loans, l)
	}
	v.balances(ids, func(found []ledger.Account) {
		for i := range out.Accounts {
			showBalance(&out.Accounts[i], found[i])
		}
		for i, a := range found[len(out.Accounts):] {
			out.Lines[i].AvailableFen = net(a.CreditsPosted, a.DebitsPosted) - net(a.DebitsPending, ledger.Uint128{})
		}
	})
	return out, nil
}

// Account shows an account with its balance.
func (v *View) Account(no bank.AccountNo) (*bank.AccountView, error) {
	for i := range v.Accounts {
		if v.Accounts[i].No == no {
			out := v.account(&v.Accounts[i])
			v.balances([]ledger.Uint128{ledger.Uint128(v.Accounts[i].LedgerID())}, func(found []ledger.Account) {
				showBalance(&out, found[0])
			})
			return &out, nil
		}
	}
	return nil, bank.ErrNotFound
}

func (v *View) account(a *bank.EAccount) bank.AccountView {
	return bank.AccountView{
		AccountNo: a.No, CustomerID: v.No, Class: a.No.Class().String(), Product: a.Product, State: string(a.State),
		OpenedOn: a.OpenedOn, FaceToFace: a.FaceToFace, BoundCard: a.Card.Masked, AccountSpecials: a.Specials(),
	}
}

func showBalance(v *bank.AccountView, a ledger.Account) {
	b := balanceOf(v.AccountNo, a)
	v.PostedFen, v.PendingInFen, v.PendingOutFen, v.AvailableFen = b.PostedFen, b.PendingInFen, b.PendingOutFen, b.AvailableFen
}

// Deposit shows a deposit.
func (v *View) Deposit(no bank.ContractNo) (*bank.DepositView, error) {
	for i := range v.Deposits {
		if v.Deposits[i].No == no {
			out := v.Deposits[i].View()
			return &out, nil
		}
	}
	return nil, bank.ErrNotFound
}

// Loan shows a loan with its schedule.
func (v *View) Loan(no bank.ContractNo) (*bank.LoanView, error) {
	for i := range v.Loans {
		if v.Loans[i].No == no {
			out := v.Loans[i].View()
			return &out, nil
		}
	}
	return nil, bank.ErrNotFound
}

// Transfer shows a transfer as its records tell it.
func (v *View) Transfer(txn bank.TxnID) (*bank.TransferView, error) {
	out := new(bank.TransferView)
	err := v.events(txn, func(rec *journal.Record, e bank.Event) { out.Fold(e, timestamp(rec.Time)) })
	if err != nil {
		return nil, err
	}
	if out.Kind == "" {
		return nil, bank.ErrNotFound
	}
	return out, nil
}

func timestamp(ns int64) string {
	return time.Unix(0, ns).In(shanghai).Format(time.RFC3339Nano)
}

var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)
