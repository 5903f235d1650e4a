package bank

import "fmt"

// RefusalCode says why a command was refused. Codes are part of the API and never change meaning;
// ingress alone turns them into problem documents.
type RefusalCode string

// The refusals. SPEC 9 lists those that must exist.
const (
	NoRefusal RefusalCode = ""

	CustomerUnknown     RefusalCode = "CUSTOMER_UNKNOWN"
	CustomerExists      RefusalCode = "CUSTOMER_EXISTS"
	AccountUnknown      RefusalCode = "ACCOUNT_UNKNOWN"
	AccountClosed       RefusalCode = "ACCOUNT_CLOSED"
	PayeeUnknown        RefusalCode = "PAYEE_UNKNOWN"
	PayeeClosed         RefusalCode = "PAYEE_CLOSED"
	SameAccount         RefusalCode = "SAME_ACCOUNT"
	AmountInvalid       RefusalCode = "AMOUNT_INVALID"
	FieldInvalid        RefusalCode = "FIELD_INVALID"
	InsufficientFunds   RefusalCode = "INSUFFICIENT_FUNDS"
	ClassNotAllowed     RefusalCode = "CLASS_NOT_ALLOWED"
	DayOutLimit         RefusalCode = "DAY_OUT_LIMIT"
	YearOutLimit        RefusalCode = "YEAR_OUT_LIMIT"
	DayInLimit          RefusalCode = "DAY_IN_LIMIT"
	YearInLimit         RefusalCode = "YEAR_IN_LIMIT"
	BalanceCap          RefusalCode = "BALANCE_CAP"
	AccountsMax         RefusalCode = "ACCOUNTS_MAX"
	BoundCardRequired   RefusalCode = "BOUND_CARD_REQUIRED"
	AgeNotAllowed       RefusalCode = "AGE_NOT_ALLOWED"
	DateNotAllowed      RefusalCode = "DATE_NOT_ALLOWED"
	ProductUnknown      RefusalCode = "PRODUCT_UNKNOWN"
	ProductNotOnSale    RefusalCode = "PRODUCT_NOT_ON_SALE"
	BelowMinimum        RefusalCode = "BELOW_MINIMUM"
	DepositUnknown      RefusalCode = "DEPOSIT_UNKNOWN"
	DepositClosed       RefusalCode = "DEPOSIT_CLOSED"
	OverDeposit         RefusalCode = "OVER_DEPOSIT"
	RestBelowMinimum    RefusalCode = "REST_BELOW_MINIMUM"
	DepositMature       RefusalCode = "DEPOSIT_MATURE"
	DepositHeld         RefusalCode = "DEPOSIT_HELD"
	DepositHoldUnknown  RefusalCode = "DEPOSIT_HOLD_UNKNOWN"
	PartialsMax         RefusalCode = "PARTIALS_MAX"
	SalesCap            RefusalCode = "SALES_CAP"
	RegionNotAllowed    RefusalCode = "REGION_NOT_ALLOWED"
	AgreementOutdated   RefusalCode = "AGREEMENT_OUTDATED"
	ContractsMax        RefusalCode = "CONTRACTS_MAX"
	LineUnknown         RefusalCode = "LINE_UNKNOWN"
	LineNotActive       RefusalCode = "LINE_NOT_ACTIVE"
	OverLine            RefusalCode = "OVER_LINE"
	LoanUnknown         RefusalCode = "LOAN_UNKNOWN"
	LoanClosed          RefusalCode = "LOAN_SETTLED"
	LoanOverdue         RefusalCode = "LOAN_OVERDUE"
	MethodNotAllowed    RefusalCode = "METHOD_NOT_ALLOWED"
	TermNotAllowed      RefusalCode = "TERM_NOT_ALLOWED"
	TransferUnknown     RefusalCode = "TRANSFER_UNKNOWN"
	TransferSettledElse RefusalCode = "TRANSFER_ALREADY_SETTLED"
	KeyReused           RefusalCode = "IDEMPOTENCY_KEY_REUSED"
	// DateClosed: the accounting date is over, or not begun. Callers never see it of a payment: that is decided anew.
	DateClosed RefusalCode = "DATE_CLOSED"
	// DayUnfinished: the work of the day before is not done.
	DayUnfinished RefusalCode = "DAY_UNFINISHED"

	AccountIsRestricted   RefusalCode = "ACCOUNT_RESTRICTED"
	AccountIsDormant      RefusalCode = "ACCOUNT_DORMANT"
	AccountIsClosing      RefusalCode = "ACCOUNT_CLOSING"
	AccountNotClosing     RefusalCode = "ACCOUNT_NOT_CLOSING"
	AccountInUse          RefusalCode = "ACCOUNT_IN_USE"
	AccountBusy           RefusalCode = "ACCOUNT_BUSY"
	FundsFrozen           RefusalCode = "FUNDS_FROZEN"
	TransactionLimit      RefusalCode = "TRANSACTION_LIMIT"
	RestrictionUnknown    RefusalCode = "RESTRICTION_UNKNOWN"
	RestrictionsFull      RefusalCode = "RESTRICTIONS_MAX"
	HoldUnknown           RefusalCode = "HOLD_UNKNOWN"
	OverHold              RefusalCode = "OVER_HOLD"
	DeductionUnknown      RefusalCode = "DEDUCTION_UNKNOWN"
	CardUnknown           RefusalCode = "CARD_UNKNOWN"
	CardExists            RefusalCode = "CARD_ALREADY_BOUND"
	CardsFull             RefusalCode = "CARDS_MAX"
	CardTooNew            RefusalCode = "CARD_TOO_NEW"
	LastCard              RefusalCode = "LAST_CARD"
	LoanMoneyToCreditCard RefusalCode = "LOAN_MONEY_TO_CREDIT_CARD"
	// NotDue: a command of the bank's own whose time has not come, or that was carried out before.
	NotDue RefusalCode = "NOT_DUE"

	OverOriginal         RefusalCode = "OVER_ORIGINAL"
	TransferNotSettled   RefusalCode = "TRANSFER_NOT_SETTLED"
	NotReversible        RefusalCode = "NOT_REVERSIBLE"
	AlreadyReversed      RefusalCode = "ALREADY_REVERSED"
	AlreadyResolved      RefusalCode = "ALREADY_RESOLVED"
	NothingOwed          RefusalCode = "NOTHING_OWED"
	SuspenseUnknown      RefusalCode = "SUSPENSE_UNKNOWN"
	NameMismatch         RefusalCode = "NAME_MISMATCH"
	ChannelLimit         RefusalCode = "CHANNEL_LIMIT"
	ConfirmationRequired RefusalCode = "CONFIRMATION_REQUIRED"
	PaymentNotDelayed    RefusalCode = "PAYMENT_NOT_DELAYED"
	AccountNotOpen       RefusalCode = "ACCOUNT_NOT_OPEN"
	AccountIsOpen        RefusalCode = "ACCOUNT_ALREADY_OPEN"

	// RefusedByLedger: the ledger refused, and its answer with the reason was lost on the way.
	RefusedByLedger RefusalCode = "REFUSED_BY_LEDGER"
)

// RefusalCodes lists every refusal.
var RefusalCodes = []RefusalCode{
	CustomerUnknown, CustomerExists, AccountUnknown, AccountClosed, PayeeUnknown,
	PayeeClosed, SameAccount, AmountInvalid, FieldInvalid, InsufficientFunds,
	ClassNotAllowed, DayOutLimit, YearOutLimit, DayInLimit, YearInLimit,
	BalanceCap, AccountsMax, BoundCardRequired, AgeNotAllowed, DateNotAllowed,
	ProductUnknown, ProductNotOnSale, BelowMinimum, DepositUnknown, DepositClosed,
	OverDeposit, RestBelowMinimum, ContractsMax, LineUnknown, LineNotActive,
	DepositMature, DepositHeld, DepositHoldUnknown, PartialsMax, SalesCap, RegionNotAllowed, AgreementOutdated,
	OverLine, LoanUnknown, LoanClosed, LoanOverdue, MethodNotAllowed,
	TermNotAllowed, TransferUnknown, TransferSettledElse, KeyReused,
	RefusedByLedger, DateClosed, DayUnfinished,
	AccountIsRestricted, AccountIsDormant, AccountIsClosing, AccountNotClosing, AccountInUse, AccountBusy,
	FundsFrozen, TransactionLimit, RestrictionUnknown, RestrictionsFull, HoldUnknown, OverHold, DeductionUnknown,
	CardUnknown, CardExists, CardsFull, CardTooNew, LastCard, LoanMoneyToCreditCard, NotDue,
	OverOriginal, TransferNotSettled, NotReversible, AlreadyReversed, AlreadyResolved, NothingOwed, SuspenseUnknown,
	NameMismatch, ChannelLimit, ConfirmationRequired, PaymentNotDelayed, AccountNotOpen, AccountIsOpen,
}

// Refusal is a command the bank will not carry out. Nothing has changed.
type Refusal struct {
	Code RefusalCode `cbor:"1,keyasint" json:"code"`
	// Field of the command at fault, as in the API; empty if none.
	Field string `cbor:"2,keyasint,omitempty" json:"field,omitzero"`
	// LimitFen is the limit that was passed, or the smallest amount accepted; zero if none.
	LimitFen int64 `cbor:"3,keyasint,omitempty" json:"limit_fen,omitzero"`
}

// Error makes a Refusal an error value.
func (r *Refusal) Error() string {
	if r.Field == "" {
		return string(r.Code)
	}
	return fmt.Sprintf("%s (%s)", r.Code, r.Field)
}
