// Package bank is the domain: customers, electronic accounts (电子账户), term deposits (定期存款),
// loans (贷款), products, interest, calendar, chart of accounts and posting rules. It is pure: no
// I/O, no clock, no goroutine, no randomness; it imports none of the other packages.
//
// Start here. A Command asks for something. Decide looks at one customer's state and answers with a
// Refusal or a Decision: the events that will have happened, and the postings (分录) the ledger must
// take for them to have happened. Apply folds an event into the state. State is nothing but the fold
// of a customer's events, so it can be rebuilt from the journal at any time.
//
// Money is int64 fen (分), rates are annual in units of 1e-6, dates are civil dates in Asia/Shanghai.
package bank

// Command is a customer's or channel's wish, already well formed. The concrete types are in command.go.
type Command interface {
	// Operation names the command, stable in journal, metrics and API.
	Operation() string
}

// Event is something that has happened to one customer. The concrete types are in event.go.
type Event interface {
	// EventType is the number under which the journal stores it.
	EventType() EventType
}

// Decision is what Decide wants to happen: all of it, or (if the ledger refuses the chain) none.
type Decision struct {
	// Txn is the business id (业务流水) of the decision, also the ledger's user_data_128.
	Txn TxnID
	// Events happen to the deciding customer, in order.
	Events []Event
	// Payee is the other customer of an internal transfer, with what happens to him; zero for none.
	Payee       CustomerNo
	PayeeEvents []Event
	// Others are what happens to others by a decision of a house. None of them is in memory.
	Others []OthersEvent
	// Opens are the ledger accounts the legs need; those that exist already are left alone.
	Opens []LedgerAccount
	// Legs are one linked chain: all post or none does. Empty when no money moves.
	Legs []Leg
	// Affects are the customer's own accounts whose balances the receipt shows.
	Affects []Affected
}

// OthersEvent is what happens to a customer by another's decision.
type OthersEvent struct {
	Customer CustomerNo
	Event    Event
}

// Affected is an e-account with its ledger account.
type Affected struct {
	Account AccountNo
	Ledger  U128
}
