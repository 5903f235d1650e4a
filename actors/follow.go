package actors

import "github.com/suanpan-bank/suanpan/bank"

// follow gives the bank's own commands that a decision brings about, each to the customer it concerns. Nobody
// waits for them. One that finds no room is not given: what it would do the next one does, or the beginning of
// the day.
func (n *Node) follow(d *draft) {
	for _, cmd := range d.follows {
		group, err := n.NewGroup(1)
		if err != nil {
			return
		}
		req := group.Request(bank.DeciderOf(cmd), &bank.Call{Command: cmd})
		pid, err := n.Shard(req.Customer.Shard())
		if err == nil {
			err = n.Admit(req)
		}
		if err != nil {
			req.Fail(err)
			continue
		}
		n.system.Root.Send(pid, req)
	}
}
