package cluster

import (
	"context"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
)

// OpenTransfers lists the transfers whose channel has not answered, by customer.
func (c *Cluster) OpenTransfers(ctx context.Context) ([]bank.Open, error) {
	var out []bank.Open
	for _, no := range c.node.Open() {
		open, err := ask(ctx, c, no, func(v *actors.View) (*[]bank.Open, error) {
			list := v.OpenTransfers()
			return &list, nil
		})
		if err != nil {
			return nil, err
		}
		out = append(out, open...)
	}
	return out, nil
}

// Suspense lists what the houses keep in suspense, by shard.
func (c *Cluster) Suspense(ctx context.Context) ([]bank.Suspense, error) {
	var out []bank.Suspense
	for shard := range uint16(bank.ShardCount) {
		kept, err := ask(ctx, c, bank.HouseNo(shard), func(v *actors.View) (*[]bank.Suspense, error) {
			list := v.Suspended()
			return &list, nil
		})
		if err != nil {
			return nil, err
		}
		out = append(out, kept...)
	}
	return out, nil
}
