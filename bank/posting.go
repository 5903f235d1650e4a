package bank

// Ledgers (账套) of SPEC 6.1.1. A chain may span them; a leg stays inside one.
const (
	LedgerCNY    uint32 = 156  // on balance sheet, fen
	LedgerMemo   uint32 = 1156 // 表外
	LedgerLimits uint32 = 2156 // 额度
)

// LedgerAccount is an account the ledger must have before a chain is posted.
type LedgerAccount struct {
	ID       U128
	Ledger   uint32
	Code     uint16 // four-digit subject (科目)
	Detail   uint32 // eight-digit detail subject, the ledger's user_data_32
	Owner    uint64 // customer or organisation number, user_data_64
	Contract U128   // contract id, user_data_128
	Rules    SubjectRules
}

// SubjectRules are the flags a subject's accounts carry in the ledger.
type SubjectRules uint8

// The rules of SPEC 6.2.
const (
	DebitsCapped  SubjectRules = 1 << iota // DC: debits must not exceed credits
	CreditsCapped                          // CD: credits must not exceed debits
	KeepsHistory                           // H: balances after each transfer are kept
)

// Leg (分录) is one transfer of a decision's chain.
type Leg struct {
	ID            U128
	Debit, Credit U128 // zero on a post or void: as the pending leg
	Ledger        uint32
	AmountFen     int64
	All           bool // AMOUNT_MAX instead of AmountFen
	Code          uint16
	Flags         LegFlags
	Pending       U128 // the pending transfer a post or void settles
	// Refused is what the caller hears when the ledger refuses this leg for want of balance or line.
	Refused RefusalCode
}

// LegFlags are the kinds of leg the posting table uses.
type LegFlags uint8

// The flags of SPEC 6.3: P, post, void, bd, cl.
const (
	LegPending LegFlags = 1 << iota
	LegPost
	LegVoid
	LegBalancingDebit
	LegClosingDebit
	LegBalancingCredit
)
