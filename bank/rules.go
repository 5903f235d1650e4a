package bank

// A command or event may bring its own rules; the ones without are in the switches of decide.go, route.go and
// desk.go.

// ruled is a command with its own rules.
type ruled interface {
	Command
	// decider is the customer or house whose actor decides it, unknown the refusal if that is nobody.
	decider() CustomerNo
	unknown() RefusalCode
	through() Channel
	decide(c *Customer, env *Env, d *Decision) *Refusal
}

// applied is an event that changes the state of the customer who decided it.
type applied interface{ apply(c *Customer, on Date) }

// posted is an event that changes what its customer's desk knows.
type posted interface{ post(d *Desk, on Date) }

// folded is an event that is part of a transfer's history.
type folded interface {
	fold(v *TransferView, at string)
}

// balanced is an event that moves money of the customer's own accounts: unapply takes it back out of a balance.
type balanced interface{ unapply(b *Balance) }

// Measured is an event that tells what a balancing leg has moved, which only the ledger knows.
type Measured interface {
	Event
	// Measure is told before the event is stored, moved gives the amount of the i-th leg in fen.
	Measure(moved func(leg int) int64)
}
