package bank

// The postings (分录) of SPEC 6.3, one type per operation: its accounts and amounts as fields, Legs
// appends its legs to a chain. Account fields are ledger account ids, named as in the table: a
// customer's account (CUST), a deposit (TD), clearing (CLR) and so on. Legs of zero are left out.
//
// Ids are TransferID(txn, place in the chain, attempt 0), so operations appended to one chain keep
// apart. Refused says what the caller hears when that leg finds too little money, line or deposit.
// Codes: 1xxx e-account, 2xxx deposits, 3xxx loans (SPEC 6.1.8).

// chain appends legs of one decision.
type chain struct {
	txn  TxnID
	legs []Leg
}

// move appends a leg inside a ledger, unless the amount is zero.
func (c *chain) move(debit, credit U128, amountFen int64, code uint16, more Leg) U128 {
	if amountFen < 0 {
		panic("bank: a leg of a negative amount")
	}
	if amountFen == 0 && !more.All {
		return U128{}
	}
	more.Debit, more.Credit, more.AmountFen, more.Code = debit, credit, amountFen, code
	return c.add(more)
}

// settle appends the post or void of a pending leg.
func (c *chain) settle(pending U128, amountFen int64, code uint16, flag LegFlags, ledger uint32) U128 {
	return c.add(Leg{Pending: pending, AmountFen: amountFen, Code: code, Flags: flag, Ledger: ledger})
}

func (c *chain) add(leg Leg) U128 {
	if leg.Ledger == 0 {
		leg.Ledger = LedgerCNY
	}
	leg.ID = TransferID(c.txn, chainPlace(len(c.legs)), 0)
	c.legs = append(c.legs, leg)
	return leg.ID
}

// ChainLegsMax keeps a chain within the places a transfer id can tell apart.
const ChainLegsMax = 255

func chainPlace(n int) uint8 {
	if n >= ChainLegsMax {
		panic("bank: a chain of too many legs")
	}
	return uint8(n)
}

// trueUp brings what was accrued to what it should be: more by the first pair of accounts and code,
// less by the mirror.
func (c *chain) trueUp(shouldBeFen, accruedFen int64, debit, credit U128, more, less uint16) {
	c.move(debit, credit, max(0, shouldBeFen-accruedFen), more, Leg{})
	c.move(credit, debit, max(0, accruedFen-shouldBeFen), less, Leg{})
}

var (
	needsFunds   = Leg{Refused: InsufficientFunds}
	needsDeposit = Leg{Refused: OverDeposit}
)

// PullRequest (E02, 绑定卡转入) takes money from the bound card, pending until the channel answers. The
// pending transfer is the chain's first leg; it has no timeout, since an expiry would undo money the
// channel may have moved.
type PullRequest struct {
	Clearing, Customer U128
	AmountFen          int64
}

// Legs appends E02 leg 1.
func (p PullRequest) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.move(p.Clearing, p.Customer, p.AmountFen, codePull, Leg{Flags: LegPending})
	return c.legs
}

// PullResult is the channel's answer to a PullRequest.
type PullResult struct {
	Pending   U128
	AmountFen int64
	Success   bool
}

// Legs appends E02 leg 1a or 1b.
func (p PullResult) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.result(p.Pending, p.AmountFen, codePull, p.Success)
	return c.legs
}

func (c *chain) result(pending U128, amountFen int64, code uint16, success bool) {
	if success {
		c.settle(pending, amountFen, code, LegPost, LedgerCNY)
		return
	}
	c.settle(pending, 0, code, LegVoid, LedgerCNY)
}

// InboundCredit (E03, 他行转入) credits what another bank has sent.
type InboundCredit struct {
	Clearing, Customer U128
	AmountFen          int64
}

// Legs appends E03.
func (p InboundCredit) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.move(p.Clearing, p.Customer, p.AmountFen, codeInbound, Leg{})
	return c.legs
}

// PushRequest (E06, 转出) reserves money and fee together until the channel answers.
type PushRequest struct {
	Customer, Clearing, FeeIncome U128
	AmountFen, FeeFen             int64
	Code                          uint16 // of what is paid: codeOutBound, codeOut or codePayment
}

// Legs appends E06 legs 1 and 2.
func (p PushRequest) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	reserve := Leg{Flags: LegPending, Refused: InsufficientFunds}
	c.move(p.Customer, p.Clearing, p.AmountFen, p.Code, reserve)
	c.move(p.Customer, p.FeeIncome, p.FeeFen, 1131, reserve)
	return c.legs
}

// PushResult is the channel's answer to a PushRequest; FeePending is zero when there was no fee.
type PushResult struct {
	Pending, FeePending U128
	AmountFen, FeeFen   int64
	Code                uint16 // of the request
	Success             bool
}

// Legs appends E06 legs a or b.
func (p PushResult) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.result(p.Pending, p.AmountFen, p.Code, p.Success)
	if !p.FeePending.IsZero() {
		c.result(p.FeePending, p.FeeFen, 1131, p.Success)
	}
	return c.legs
}

// The codes of money that comes in and goes out by a channel.
const (
	codePull     uint16 = 1101 // from the customer's bound card
	codeInbound  uint16 = 1102
	codeHeld     uint16 = 1103
	codeOutBound uint16 = 1111 // to the customer's bound card
	codeOut      uint16 = 1112
	codePayment  uint16 = 1113 // E07, 消费、缴费
)

func pushCode(bound, payment bool) uint16 {
	switch {
	case bound:
		return codeOutBound
	case payment:
		return codePayment
	}
	return codeOut
}

// BookTransfer (E08, 行内转账) moves money between two customers of this bank.
type BookTransfer struct {
	Payer, Payee, FeeIncome U128
	AmountFen, FeeFen       int64
}

// Legs appends E08.
func (p BookTransfer) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.move(p.Payer, p.Payee, p.AmountFen, 1121, needsFunds)
	c.move(p.Payer, p.FeeIncome, p.FeeFen, 1131, needsFunds)
	return c.legs
}

// CapBound (E09 legs 2…5) stands behind any credit to a class Ⅲ account and fails the chain when the
// balance would pass the cap (余额上限). The control account, which may not be credited beyond its debits, is
// given the cap; then all that the account has available is held against it and let go at once.
type CapBound struct {
	Customer, Control, Operator U128
	CapFen                      int64
}

// Legs appends E09 legs 2 to 5.
func (p CapBound) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	bound := Leg{Refused: BalanceCap}
	c.move(p.Control, p.Operator, p.CapFen, 1190, bound)
	held := c.move(p.Customer, p.Control, 0, 1190, Leg{
		All: true, Flags: LegPending | LegBalancingDebit, Refused: BalanceCap,
	})
	c.add(Leg{Pending: held, Code: 1190, Flags: LegVoid, Refused: BalanceCap})
	c.move(p.Operator, p.Control, p.CapFen, 1190, bound)
	return c.legs
}

// DepositPurchase (D01, 购买定期) moves money from an e-account into a new deposit.
type DepositPurchase struct {
	Customer, Deposit U128
	PrincipalFen      int64
}

// Legs appends D01.
func (p DepositPurchase) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.move(p.Customer, p.Deposit, p.PrincipalFen, 2001, needsFunds)
	return c.legs
}

// DepositAccounts are the accounts a deposit's payments touch.
type DepositAccounts struct {
	Deposit  U128 // TD
	Customer U128 // CUST
	Payable  U128 // INTPAY, 应付利息 of the product
	Expense  U128 // INTEXP, 利息支出 of the product
}

// DepositMaturity (D03, 到期兑付) pays principal and interest on the maturity day. AccruedFen is what was
// posted so far; rule D-ACC makes it equal to the interest.
type DepositMaturity struct {
	DepositAccounts
	TaxPayable                                    U128
	PrincipalFen, InterestFen, AccruedFen, TaxFen int64
}

// Legs appends D03.
func (p DepositMaturity) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.trueUp(p.InterestFen, p.AccruedFen, p.Expense, p.Payable, 2033, 2032)
	c.move(p.Deposit, p.Customer, p.PrincipalFen, 2011, needsDeposit)
	c.move(p.Payable, p.Customer, p.InterestFen, 2012, Leg{})
	c.move(p.Customer, p.TaxPayable, p.TaxFen, 1152, needsFunds)
	return c.legs
}

// DepositRollover (D04 到期本息转存, D05 到期本金转存) moves a matured deposit into the one that follows it. The
// interest joins the principal, or goes to the e-account.
type DepositRollover struct {
	DepositAccounts
	Next                                  U128 // TD(new)
	PrincipalFen, InterestFen, AccruedFen int64
	WithInterest                          bool
	TaxPayable                            U128 // 22210201
	TaxFen                                int64
}

// Legs appends D04 or D05. The true-up of D03 comes first when the accrual differs; tax comes off the interest.
func (p DepositRollover) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.trueUp(p.InterestFen, p.AccruedFen, p.Expense, p.Payable, 2033, 2032)
	if p.WithInterest {
		c.move(p.Payable, p.Deposit, p.InterestFen, 2013, Leg{})
		c.move(p.Deposit, p.TaxPayable, p.TaxFen, 1152, needsDeposit)
		c.move(p.Deposit, p.Next, p.PrincipalFen+p.InterestFen-p.TaxFen, 2014, needsDeposit)
		return c.legs
	}
	c.move(p.Payable, p.Customer, p.InterestFen, 2012, Leg{})
	c.move(p.Customer, p.TaxPayable, p.TaxFen, 1152, needsFunds)
	c.move(p.Deposit, p.Next, p.PrincipalFen, 2014, needsDeposit)
	return c.legs
}

// DepositHolding (D09 存单质押, 存款证明) holds an amount of a deposit; interest goes on.
type DepositHolding struct {
	Deposit, Held U128 // TD, 22410301
	AmountFen     int64
}

// Legs appends D09.
func (p DepositHolding) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.move(p.Deposit, p.Held, p.AmountFen, 1141, Leg{Flags: LegPending, Refused: OverDeposit})
	return c.legs
}

// DepositRelease (解除质押) gives it back, as E13 does.
type DepositRelease struct{ Pending U128 }

// Legs appends the void.
func (p DepositRelease) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.settle(p.Pending, 0, 1141, LegVoid, LedgerCNY)
	return c.legs
}

// DepositDeduction (E14 司法扣划, out of a deposit) takes a part of a deposit's hold, to be remitted, and pays what it
// has earned into the e-account, as D06…D08 do. AccruedFen and OverdueAccruedFen are what was posted so far for the
// part. Posting a part of a pending transfer releases its rest, so the rest is held again in the same chain.
type DepositDeduction struct {
	DepositAccounts
	DemandPayable, DemandExpense, TaxPayable U128
	Held, Clearing, Pending                  U128 // 22410301, CLR, the hold's transfer
	HeldFen, AmountFen                       int64
	Early                                    bool // before maturity
	InterestFen, AccruedFen, TaxFen          int64
	OverdueInterestFen, OverdueAccruedFen    int64
}

// Legs appends E14 with the interest of D06, D07 or D08 between: the rest of the hold, if any, and the remittance
// are the last.
func (p DepositDeduction) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.trueUp(p.InterestFen, p.AccruedFen, p.Expense, p.Payable, 2033, 2032)
	c.trueUp(p.OverdueInterestFen, p.OverdueAccruedFen, p.DemandExpense, p.DemandPayable, 2033, 2032)
	c.settle(p.Pending, p.AmountFen, 1141, LegPost, LedgerCNY)
	code := uint16(2012)
	if p.Early {
		code = 2022
	}
	c.move(p.Payable, p.Customer, p.InterestFen, code, Leg{})
	c.move(p.DemandPayable, p.Customer, p.OverdueInterestFen, 2041, Leg{})
	c.move(p.Customer, p.TaxPayable, p.TaxFen, 1152, needsFunds)
	c.move(p.Deposit, p.Held, p.HeldFen-p.AmountFen, 1141, Leg{Flags: LegPending, Refused: OverDeposit})
	c.move(p.Held, p.Clearing, p.AmountFen, 1142, Leg{Flags: LegPending, Refused: InsufficientFunds})
	return c.legs
}

// DemandSettlement (E16 活期结息) pays the interest of a period into the account, less tax. AccruedFen is what was
// posted for it so far.
type DemandSettlement struct {
	Customer, Payable, Expense, TaxPayable U128 // CUST, 22310101, 64110101, 22210201
	InterestFen, AccruedFen, TaxFen        int64
}

// Legs appends E16.
func (p DemandSettlement) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.trueUp(p.InterestFen, p.AccruedFen, p.Expense, p.Payable, 2033, 2032)
	c.move(p.Payable, p.Customer, p.InterestFen, 1151, Leg{})
	c.move(p.Customer, p.TaxPayable, p.TaxFen, 1152, needsFunds)
	return c.legs
}

// DepositEarlyRedemption (D06 全部, D07 部分提前支取) pays part or all of a deposit before its maturity.
// AccruedFen is what was posted so far for the whole deposit, AccruedRestFen what stays for the rest.
type DepositEarlyRedemption struct {
	DepositAccounts
	PrincipalFen, InterestFen, AccruedFen, AccruedRestFen int64
}

// Legs appends D06 or D07: what was accrued beyond the demand interest goes back out of expense.
func (p DepositEarlyRedemption) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.trueUp(p.InterestFen, p.AccruedFen-p.AccruedRestFen, p.Expense, p.Payable, 2033, 2032)
	c.move(p.Deposit, p.Customer, p.PrincipalFen, 2021, needsDeposit)
	c.move(p.Payable, p.Customer, p.InterestFen, 2022, Leg{})
	return c.legs
}

// DepositLateRedemption (D08, 逾期支取) pays a deposit after its maturity: the term's interest, and demand
// interest for the days past it, which accrue as demand interest does. AccruedFen and OverdueAccruedFen
// are what was posted so far for the part redeemed.
type DepositLateRedemption struct {
	DepositAccounts
	DemandPayable, DemandExpense          U128
	PrincipalFen, InterestFen, AccruedFen int64
	OverdueInterestFen, OverdueAccruedFen int64
}

// Legs appends D08. The true-up of D03 comes first when the term's accrual differs.
func (p DepositLateRedemption) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.trueUp(p.InterestFen, p.AccruedFen, p.Expense, p.Payable, 2033, 2032)
	c.trueUp(p.OverdueInterestFen, p.OverdueAccruedFen, p.DemandExpense, p.DemandPayable, 2033, 2032)
	c.move(p.Deposit, p.Customer, p.PrincipalFen, 2011, needsDeposit)
	c.move(p.Payable, p.Customer, p.InterestFen, 2012, Leg{})
	c.move(p.DemandPayable, p.Customer, p.OverdueInterestFen, 2041, Leg{})
	return c.legs
}

// LineAccounts are the accounts of a credit line: the amount available (ledger 2156) and the undrawn
// commitment (ledger 1156).
type LineAccounts struct {
	Line, LineOperator     U128 // LINE, 80019901
	Undrawn, UndrawnContra U128 // 70030101, 70039901
}

// LineGrant (L01, 授信生效) makes an amount available.
type LineGrant struct {
	LineAccounts
	LimitFen int64
}

// Legs appends L01.
func (p LineGrant) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.lineUp(p.LineAccounts, p.LimitFen, 3001)
	return c.legs
}

// LineRestore (L08 legs 3 and 4) gives repaid principal back to a revolving line. It follows any
// repayment of principal under one: L08, L20, L21.
type LineRestore struct {
	LineAccounts
	PrincipalFen int64
}

// Legs appends L08 legs 3 and 4.
func (p LineRestore) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.lineUp(p.LineAccounts, p.PrincipalFen, 3004)
	return c.legs
}

func (c *chain) lineUp(a LineAccounts, amountFen int64, code uint16) {
	c.move(a.LineOperator, a.Line, amountFen, code, Leg{Ledger: LedgerLimits})
	c.move(a.Undrawn, a.UndrawnContra, amountFen, code, Leg{Ledger: LedgerMemo})
}

// Drawdown (L02, 放款到电子账户) lends within the line: over it by a fen, nothing is posted.
type Drawdown struct {
	LineAccounts
	Loan, Customer U128
	PrincipalFen   int64
}

// Legs appends L02.
func (p Drawdown) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.move(p.Line, p.LineOperator, p.PrincipalFen, 3003, Leg{Ledger: LedgerLimits, Refused: OverLine})
	c.move(p.UndrawnContra, p.Undrawn, p.PrincipalFen, 3003, Leg{Ledger: LedgerMemo})
	c.move(p.Loan, p.Customer, p.PrincipalFen, 3101, Leg{})
	return c.legs
}

// LoanAccounts are the accounts a loan's repayments touch.
type LoanAccounts struct {
	Customer U128 // CUST
	Loan     U128 // LN, 贷款本金
	Due      U128 // DUE, 到期应收利息
	Accrued  U128 // ACC, 应计利息 of the product
	Income   U128 // INC, 利息收入 of the product
}

// InterestDue (L07, 到期应收) turns accrued interest into a claim on the due date. AccruedFen is what was
// posted so far for the period.
type InterestDue struct {
	LoanAccounts
	InterestFen, AccruedFen int64
}

// Legs appends L07: the accrual is brought to the interest either way, then falls due.
func (p InterestDue) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.interestDue(p.LoanAccounts, p.InterestFen, p.AccruedFen)
	return c.legs
}

func (c *chain) interestDue(a LoanAccounts, interestFen, accruedFen int64) {
	c.trueUp(interestFen, accruedFen, a.Accrued, a.Income, 3203, 3203)
	c.move(a.Due, a.Accrued, interestFen, 3202, Leg{})
}

// InstalmentRepayment (L08, 还款) pays due interest and principal. Under a revolving line a LineRestore
// follows.
type InstalmentRepayment struct {
	LoanAccounts
	InterestFen, PrincipalFen int64
}

// Legs appends L08 legs 1 and 2.
func (p InstalmentRepayment) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.move(p.Customer, p.Due, p.InterestFen, 3211, needsFunds)
	c.move(p.Customer, p.Loan, p.PrincipalFen, 3212, needsFunds)
	return c.legs
}

// EarlyRepayment (L20 提前还款, L21 提前结清) pays principal before it is due, with the interest to date and
// the fee. AccruedFen is what was posted so far since the last due date: the rest is brought into ACC
// first, so ACC never owes. Under a revolving line a LineRestore follows.
type EarlyRepayment struct {
	LoanAccounts
	FeeIncome                                     U128 // 60210301 of the product
	PrincipalFen, InterestFen, AccruedFen, FeeFen int64
}

// Legs appends L20 or L21, which differ in their amounts only.
func (p EarlyRepayment) Legs(txn TxnID, legs []Leg) []Leg {
	c := chain{txn, legs}
	c.interestDue(p.LoanAccounts, p.InterestFen, p.AccruedFen)
	c.move(p.Customer, p.Due, p.InterestFen, 3211, needsFunds)
	c.move(p.Customer, p.Loan, p.PrincipalFen, 3215, needsFunds)
	c.move(p.Customer, p.FeeIncome, p.FeeFen, 3216, needsFunds)
	return c.legs
}
