package bank

// The house (行内) decides what the bank does for itself: clearing, suspense accounts, sums of a shard. It is
// one pseudo customer per shard, with an actor, a journal and events like a customer's, so that what it posts
// is decided once, in order, and fenced with its shard. It is nobody: it has no accounts or contracts, and
// no customer's command reaches one.

// houseBase is where the houses' numbers begin: behind all customers', within the 30 bits that transfer ids
// have for a customer.
const houseBase CustomerNo = 1_000_000_000

// HouseNo is the house of a shard.
func HouseNo(shard uint16) CustomerNo { return houseBase + CustomerNo(shard%ShardCount) }

// IsHouse reports whether the number is a house's.
func (c CustomerNo) IsHouse() bool { return c >= houseBase && c < houseBase+ShardCount }

// Exists reports whether anybody has the number: a registered customer, or the house.
func (c *Customer) Exists() bool { return c.Registered != 0 || c.No.IsHouse() }

// houseShard is the shard of a house.
func (c CustomerNo) houseShard() uint16 { return uint16(c - houseBase) }

// houseCommand is a command that a house decides.
type houseCommand interface {
	ruled
	ofHouse()
}

// decideHouse answers a command for a house; those of customers find nobody there.
func decideHouse(c *Customer, cmd Command, env *Env, d Decision) (Decision, *Refusal) {
	m, ok := cmd.(houseCommand)
	if !ok {
		return d, &Refusal{Code: UnknownTo(cmd)}
	}
	r := m.decide(c, env, &d)
	return d, r
}
