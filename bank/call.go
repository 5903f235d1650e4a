package bank

// Call is a command on its way into the bank and its outcome. The caller owns it again when Do returns.
type Call struct {
	Command Command
	// Key is the command's id: a hash of the deciding customer and the caller's Idempotency-Key. Zero: the
	// command can't be repeated safely.
	Key U128
	// Body is a hash of what the command asks, to tell a repeat from a reused key.
	Body U128
	// Bytes is about how much memory the command takes, to bound what is under way.
	Bytes int

	Receipt Receipt
	// Err is set when the outcome was not decided: ErrOverloaded, ErrStopping, ErrOutcomeUnknown,
	// ErrLedgerUnavailable or ErrLedgerUnanswered.
	Err error
}
