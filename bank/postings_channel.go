package bank

// The postings of channels, clearing and what goes wrong (SPEC 6.3: E04, E05, E10, E11, E20, E21 and K01 to
// K07), as in postings.go.

// single is a chain of one leg.
func single(txn TxnID, debit, credit U128, amountFen int64, code uint16, more Leg) []Leg {
	c := chain{txn: txn}
	c.move(debit, credit, amountFen, code, more)
	return c.legs
}

// HeldReceipt (E04, 来账挂账) keeps money a channel has settled and no account can take.
type HeldReceipt struct {
	Clearing, Held U128
	AmountFen      int64
}

// Legs returns E04.
func (p HeldReceipt) Legs(txn TxnID) []Leg {
	return single(txn, p.Clearing, p.Held, p.AmountFen, codeHeld, Leg{})
}

// HeldRelease (E05, 挂账入账、退回) applies held money to an account, or returns it to the channel.
type HeldRelease struct {
	Held, To  U128
	AmountFen int64
}

// Legs returns E05.
func (p HeldRelease) Legs(txn TxnID) []Leg {
	return single(txn, p.Held, p.To, p.AmountFen, 1104, Leg{})
}

// OutReturned (E10 转出后退汇, K04) gives money back that had gone out.
type OutReturned struct {
	Clearing, Customer U128
	AmountFen          int64
}

// Legs returns E10.
func (p OutReturned) Legs(txn TxnID) []Leg {
	return single(txn, p.Clearing, p.Customer, p.AmountFen, 1161, Leg{})
}

// FeeReturned (E11, 手续费退还).
type FeeReturned struct {
	FeeIncome, Customer U128
	FeeFen              int64
}

// Legs returns E11.
func (p FeeReturned) Legs(txn TxnID) []Leg {
	return single(txn, p.FeeIncome, p.Customer, p.FeeFen, 1132, Leg{})
}

// ReversedDebit (E20) takes an amount back from a customer's account that may no longer have it: what is there
// comes from the account, the rest is an advance the customer owes (客户垫款), and which is how much the ledger
// alone knows. First the control account pays the whole to where it came from, so that it lacks exactly that;
// then a balancing debit moves what the account has, up to all of it; then a balancing credit fills up from
// the advance what the control account still lacks. It is zero before and after (R5).
type ReversedDebit struct {
	Customer, To, Control, Advance U128
	AmountFen                      int64
	Code                           uint16
}

// Legs appends E20 for one posted leg. The second is what the account gave, the third the advance.
func (p ReversedDebit) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.move(p.Control, p.To, p.AmountFen, p.Code, Leg{})
	c.move(p.Customer, p.Control, p.AmountFen, p.Code, Leg{Flags: LegBalancingDebit})
	c.move(p.Advance, p.Control, p.AmountFen, p.Code, Leg{Flags: LegBalancingCredit})
	return c.legs
}

// Codes of reversals are the original's and one of these.
const (
	reversedSameDay uint16 = 30000 // 抹账
	reversedLater   uint16 = 40000 // 冲正
)

// AdvanceCollection (E21, 客户垫款收回) takes what a customer owes from his account, as far as it goes.
type AdvanceCollection struct {
	Customer, Advance U128
	AmountFen         int64 // at most
}

// Legs appends E21.
func (p AdvanceCollection) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.move(p.Customer, p.Advance, p.AmountFen, 1183, Leg{Flags: LegBalancingDebit | LegBalancingCredit})
	return c.legs
}

// Codes of entries that are about a channel's file as a whole.
const (
	codeSettlement uint16 = 4001 // K01
	codeCharges    uint16 = 4005 // K07
)

// NetSettlement (K01, 清算轧差) settles a clearing account with the central bank; NetFen above zero is what we pay.
type NetSettlement struct {
	Clearing, CentralBank U128
	NetFen                int64
}

// Legs returns K01.
func (p NetSettlement) Legs(txn TxnID) []Leg {
	if p.NetFen < 0 {
		return single(txn, p.CentralBank, p.Clearing, -p.NetFen, codeSettlement, Leg{})
	}
	return single(txn, p.Clearing, p.CentralBank, p.NetFen, codeSettlement, Leg{})
}

// ShortageBooked (K03 leg 1, 清算短款) is money the channel has paid and we have not.
type ShortageBooked struct {
	Shortage, Clearing U128
	AmountFen          int64
}

// Legs returns K03 leg 1.
func (p ShortageBooked) Legs(txn TxnID) []Leg {
	return single(txn, p.Shortage, p.Clearing, p.AmountFen, 4003, Leg{})
}

// ShortageRepaid (K03 leg 2): the customer makes it good.
type ShortageRepaid struct {
	Customer, Shortage U128
	AmountFen          int64
}

// Legs returns K03 leg 2.
func (p ShortageRepaid) Legs(txn TxnID) []Leg {
	return single(txn, p.Customer, p.Shortage, p.AmountFen, 4004, needsFunds)
}

// LateReceipt (K05) is money the channel has and we had not: to its owner, or to the surplus (清算长款).
type LateReceipt struct {
	Clearing, To U128
	AmountFen    int64
}

// Legs returns K05.
func (p LateReceipt) Legs(txn TxnID) []Leg {
	return single(txn, p.Clearing, p.To, p.AmountFen, 4002, Leg{})
}

// DifferenceCleared (K06, 差错处置) takes an aged difference to income or expense.
type DifferenceCleared struct {
	Debit, Credit U128
	AmountFen     int64
}

// Legs returns K06.
func (p DifferenceCleared) Legs(txn TxnID) []Leg {
	return single(txn, p.Debit, p.Credit, p.AmountFen, 4004, Leg{})
}

// ChannelCost (K07, 渠道手续费).
type ChannelCost struct {
	Expense, Clearing U128
	FeeFen            int64
}

// Legs returns K07.
func (p ChannelCost) Legs(txn TxnID) []Leg {
	return single(txn, p.Expense, p.Clearing, p.FeeFen, codeCharges, Leg{})
}
