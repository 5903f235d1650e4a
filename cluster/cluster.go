// Package cluster routes commands and reads to the node that owns a customer's shard. In the embedded
// profile there is one node and the directory is local; membership over several nodes (static
// addresses, Kubernetes) comes behind the same Directory.
package cluster

import (
	"context"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
)

// Directory says which actor speaks for a shard.
type Directory interface {
	// Route returns the shard's actor; an error means that nobody can be asked now.
	Route(shard uint16) (*actor.PID, error)
}

// Single is the directory of a node that owns every shard.
type Single struct{ Node *actors.Node }

// Route returns the local shard actor.
func (s Single) Route(shard uint16) (*actor.PID, error) { return s.Node.Shard(shard) }

// Cluster carries out calls. It is what ingress talks to.
type Cluster struct {
	node      *actors.Node
	directory Directory
}

// New joins a node with the directory it is found in.
func New(node *actors.Node, directory Directory) *Cluster {
	return &Cluster{node: node, directory: directory}
}

// Do carries out one call and waits for its outcome.
func (c *Cluster) Do(ctx context.Context, call *bank.Call) {
	group, err := c.node.NewGroup(1)
	if err != nil {
		call.Err = err
		return
	}
	c.send(group.Request(bank.DeciderOf(call.Command), call))
	if !group.Wait(c.until(ctx)) {
		call.Err = bank.ErrOutcomeUnknown
	}
}

// Begin carries out one call without waiting: then is called when its outcome is there, once, by anybody and perhaps
// before Begin returns, and must not block. When the node stops it may never be called: the outcome is unknown.
func (c *Cluster) Begin(call *bank.Call, then func()) {
	group, err := c.node.NewGroup(1)
	if err != nil {
		call.Err = err
		then()
		return
	}
	group.Then(then)
	req := group.Request(bank.DeciderOf(call.Command), call)
	if c.waits(req) {
		go c.send(req)
		return
	}
	c.send(req)
}

// Ahead has the memory ready that calls need which are about to begin. Nothing depends on it but speed.
func (c *Cluster) Ahead(calls []*bank.Call) {
	for some := range slices.Chunk(calls, actors.AheadMax) {
		c.node.LookAhead(some)
	}
}

// DoAll carries out many calls at once; calls of one customer are decided in the order given.
func (c *Cluster) DoAll(ctx context.Context, calls []*bank.Call) {
	if len(calls) == 0 {
		return
	}
	group, err := c.node.NewGroup(len(calls))
	if err != nil {
		for _, call := range calls {
			call.Err = err
		}
		return
	}
	for next := range slices.Chunk(calls, actors.AheadMax) {
		c.sendAll(group, next)
	}
	if !group.Wait(c.until(ctx)) {
		for _, call := range calls {
			call.Err = bank.ErrOutcomeUnknown
		}
	}
}

func (c *Cluster) until(ctx context.Context) <-chan struct{} {
	if ctx != nil && ctx.Done() != nil {
		return ctx.Done()
	}
	return c.node.Stopped()
}

// sendAll sends the next calls of a group, at most actors.AheadMax.
func (c *Cluster) sendAll(group *actors.Group, calls []*bank.Call) {
	defer group.Sent()
	requests := group.Requests(calls)
	for i := range requests {
		req := &requests[i]
		if c.waits(req) {
			group.Sent()
		}
		if pid := c.admit(req); pid != nil {
			group.Send(pid, req)
		}
	}
}

func (c *Cluster) send(req *actors.Request) {
	if pid := c.admit(req); pid != nil {
		c.node.Send(pid, req)
	}
}

// waits reports whether admit may wait for the disk: to look whether the person is a customer, or to claim the shard.
func (c *Cluster) waits(req *actors.Request) bool {
	_, registers := req.Call.Command.(*bank.RegisterCustomer)
	return registers || !c.node.Claimed(req.Customer.Shard())
}

// admit counts a request that is to be sent to the shard's actor it returns; nil: it has been answered instead.
func (c *Cluster) admit(req *actors.Request) *actor.PID {
	if register, ok := req.Call.Command.(*bank.RegisterCustomer); ok {
		refusal, err := c.node.Enroll(req, register)
		switch {
		case err != nil:
			req.Fail(err)
			return nil
		case refusal != nil:
			req.Refuse(refusal)
			return nil
		}
	}
	pid, err := c.directory.Route(req.Customer.Shard())
	if err != nil {
		req.Fail(err)
		return nil
	}
	if err := c.node.Admit(req); err != nil {
		req.Fail(err)
		return nil
	}
	return pid
}

// Ready reports whether commands are taken; bank.ErrLedgerUnavailable: those that don't need the ledger.
func (c *Cluster) Ready() error { return c.node.Ready() }

// Customer reads a customer's overview.
func (c *Cluster) Customer(ctx context.Context, no bank.CustomerNo) (out bank.CustomerView, err error) {
	return ask(ctx, c, no, func(v *actors.View) (*bank.CustomerView, error) { return v.Overview() })
}

// Account reads an account with its balance.
func (c *Cluster) Account(ctx context.Context, no bank.AccountNo) (bank.AccountView, error) {
	return ask(ctx, c, no.Customer(), func(v *actors.View) (*bank.AccountView, error) { return v.Account(no) })
}

// Statement reads a page of an account's posted entries.
func (c *Cluster) Statement(ctx context.Context, q bank.StatementQuery) (bank.StatementPage, error) {
	return ask(ctx, c, q.Account.Customer(), func(v *actors.View) (*bank.StatementPage, error) { return v.Statement(q) })
}

// StatementTotals adds up an account's posted entries.
func (c *Cluster) StatementTotals(ctx context.Context, q bank.StatementQuery) (bank.StatementTotals, error) {
	return ask(ctx, c, q.Account.Customer(), func(v *actors.View) (*bank.StatementTotals, error) { return v.StatementTotals(q) })
}

// Transfer reads a transfer and where it stands.
func (c *Cluster) Transfer(ctx context.Context, txn bank.TxnID) (bank.TransferView, error) {
	return ask(ctx, c, txn.Customer(), func(v *actors.View) (*bank.TransferView, error) { return v.Transfer(txn) })
}

// Slip reads a transaction as a customer can show it.
func (c *Cluster) Slip(ctx context.Context, txn bank.TxnID) (bank.SlipView, error) {
	return ask(ctx, c, txn.Customer(), func(v *actors.View) (*bank.SlipView, error) { return v.Slip(txn) })
}

// Certificate reads a term deposit as its holder can show it.
func (c *Cluster) Certificate(ctx context.Context, no bank.ContractNo) (bank.CertificateView, error) {
	return ask(ctx, c, no.Customer(), func(v *actors.View) (*bank.CertificateView, error) { return v.Certificate(no) })
}

// Deposit reads a term deposit.
func (c *Cluster) Deposit(ctx context.Context, no bank.ContractNo) (bank.DepositView, error) {
	return ask(ctx, c, no.Customer(), func(v *actors.View) (*bank.DepositView, error) { return v.Deposit(no) })
}

// Vouchers reads a page of the decisions about a customer.
func (c *Cluster) Vouchers(ctx context.Context, no bank.CustomerNo, after uint64, limit int) (bank.VoucherPage, error) {
	return ask(ctx, c, no, func(v *actors.View) (*bank.VoucherPage, error) { return v.Vouchers(after, limit) })
}

// Loan reads a loan with its schedule.
func (c *Cluster) Loan(ctx context.Context, no bank.ContractNo) (bank.LoanView, error) {
	return ask(ctx, c, no.Customer(), func(v *actors.View) (*bank.LoanView, error) { return v.Loan(no) })
}

// ask runs a read on the customer's actor and waits until it is complete and durable.
func ask[T any](ctx context.Context, c *Cluster, no bank.CustomerNo, read func(*actors.View) (*T, error)) (T, error) {
	var out T
	pid, err := c.directory.Route(no.Shard())
	if err != nil {
		return out, err
	}
	var fault error
	var seen *T
	q := actors.NewQuery(no, func(v *actors.View) { seen, fault = read(v) })
	if err := c.node.AdmitRead(q); err != nil {
		return out, err
	}
	c.node.System().Root.Send(pid, q)
	if err := q.Wait(ctx, c.until(ctx)); err != nil {
		return out, err
	}
	if fault != nil {
		return out, fault
	}
	return *seen, nil
}
