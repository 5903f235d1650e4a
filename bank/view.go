package bank

import "slices"

// CustomerView is the overview (总览) of a customer.
type CustomerView struct {
	CustomerID   CustomerNo    `json:"customer_id"`
	Name         string        `json:"name"`      // masked
	IDNumber     string        `json:"id_number"` // masked
	Mobile       string        `json:"mobile"`    // masked
	IDKind       IDKind        `json:"id_type"`
	RegisteredOn Date          `json:"registered_on"`
	Accounts     []AccountView `json:"accounts"`
	Deposits     []DepositView `json:"deposits"`
	Lines        []LineView    `json:"credit_lines"`
	Loans        []LoanView    `json:"loans"` // without schedules
}

// AccountView is an e-account with its balance, read consistently with the ledger.
type AccountView struct {
	AccountNo     AccountNo  `json:"account_no"`
	CustomerID    CustomerNo `json:"customer_id"`
	Class         string     `json:"class"` // I, II, III
	Product       string     `json:"product"`
	State         string     `json:"state"`
	OpenedOn      Date       `json:"opened_on"`
	FaceToFace    bool       `json:"face_to_face"`
	BoundCard     string     `json:"bound_card"` // masked; of several the first
	PostedFen     int64      `json:"posted_fen"`
	PendingInFen  int64      `json:"pending_in_fen"`
	PendingOutFen int64      `json:"pending_out_fen"`
	AvailableFen  int64      `json:"available_fen"`
	AccountSpecials
}

// AccountSpecials is what few accounts have.
type AccountSpecials struct {
	MoreCards    []string             `json:"more_bound_cards,omitzero"` // masked
	Restrictions []AccountRestriction `json:"restrictions,omitzero"`
	Holds        []HoldView           `json:"holds,omitzero"`
	Limits       OwnLimits            `json:"own_limits,omitzero"`
	DormantFen   int64                `json:"dormant_fen,omitzero"` // waits for the customer among the dormant balances
	Delayed      []DelayedView        `json:"delayed_payments,omitzero"`
}

// HoldView is a hold.
type HoldView struct {
	Hold
	HeldFen      int64 `json:"held_fen"`
	ShortfallFen int64 `json:"shortfall_fen"` // held out of what comes in
}

// DelayedView is a payment that waits for a decision (风险暂缓). Why is in its event, not here: the customer reads this.
type DelayedView struct {
	TransferID  TxnID `json:"transfer_id"`
	AmountFen   int64 `json:"amount_fen"`
	UntilMillis int64 `json:"until_ms"` // when its time is over
}

// Specials of the account.
func (a *EAccount) Specials() (v AccountSpecials) {
	s := a.special()
	for i := range s.Cards {
		v.MoreCards = append(v.MoreCards, s.Cards[i].Masked)
	}
	v.Restrictions = slices.Clone(s.Restrictions)
	for i := range s.Holds {
		v.Holds = append(v.Holds, HoldView{s.Holds[i], s.Holds[i].HeldFen(), s.Holds[i].ShortFen()})
	}
	v.Limits, v.DormantFen = s.Own, s.DormantFen
	for _, x := range s.Delayed {
		v.Delayed = append(v.Delayed, DelayedView{x.ID, x.AmountFen, x.UntilMillis})
	}
	return v
}

// TransferView is a transfer and where it stands.
type TransferView struct {
	TransferID    TxnID  `json:"transfer_id"`
	Kind          string `json:"kind"`   // in_bound, out, internal, inbound
	Status        string `json:"status"` // DELAYED, PENDING, UNKNOWN, SUCCEEDED, FAILED, RETURNED, REVERSED; of a suspense its kind or end
	AmountFen     int64  `json:"amount_fen"`
	FeeFen        int64  `json:"fee_fen"`
	FromAccount   string `json:"from_account,omitzero"`
	ToAccount     string `json:"to_account,omitzero"`
	Bound         bool   `json:"bound,omitzero"`
	ChannelSerial string `json:"channel_serial,omitzero"`
	Reason        string `json:"reason,omitzero"`
	ReturnedFen   int64  `json:"returned_fen,omitzero"`
	// Returns (退汇) are what of it came back, in order.
	Returns     []ReturnView `json:"returns,omitempty"`
	Summary     string       `json:"summary,omitzero"`
	RequestedAt string       `json:"requested_at"`
	SettledAt   string       `json:"settled_at,omitzero"`
}

// ReturnView is an amount that came back after a transfer had succeeded.
type ReturnView struct {
	AmountFen     int64  `json:"amount_fen"`
	ChannelSerial string `json:"channel_serial,omitzero"`
	Reason        string `json:"reason,omitzero"`
}

// DepositView is a term deposit.
type DepositView struct {
	DepositID           ContractNo `json:"deposit_id"`
	AccountNo           AccountNo  `json:"account_no"`
	Product             string     `json:"product"`
	State               string     `json:"state"`         // ACTIVE, CLOSED
	PrincipalFen        int64      `json:"principal_fen"` // now
	OpenedFen           int64      `json:"opened_principal_fen"`
	RateE6              int64      `json:"rate_e6"`
	OpenDate            Date       `json:"open_date"`
	MaturityDate        Date       `json:"maturity_date"`
	MaturityInterestFen int64      `json:"maturity_interest_fen"`
	Rollover            Rollover   `json:"rollover"`
	CertificateNo       string     `json:"certificate_no"`
	// HeldFen (质押, 证明) can't be redeemed; AccruedFen has been set aside as interest so far (计提).
	HeldFen    int64         `json:"held_fen,omitzero"`
	AccruedFen int64         `json:"accrued_fen,omitzero"`
	Holds      []DepositHold `json:"holds,omitempty"`
	RolledFrom string        `json:"rolled_from,omitzero"`
}

// LineView is a credit line (授信).
type LineView struct {
	LineID       ContractNo `json:"line_id"`
	Product      string     `json:"product"`
	State        string     `json:"state"`
	LimitFen     int64      `json:"limit_fen"`
	AvailableFen int64      `json:"available_fen"`
	RateE6       int64      `json:"rate_e6"`
	ValidUntil   Date       `json:"valid_until"`
	Revolving    bool       `json:"revolving"`
}

// LoanView is a loan (借据) with its repayment schedule.
type LoanView struct {
	LoanID       ContractNo       `json:"loan_id"`
	LineID       ContractNo       `json:"line_id"`
	AccountNo    AccountNo        `json:"account_no"`
	Product      string           `json:"product"`
	State        string           `json:"state"` // ACTIVE, SETTLED
	PrincipalFen int64            `json:"principal_fen"`
	RemainingFen int64            `json:"remaining_principal_fen"`
	RateE6       int64            `json:"rate_e6"`
	Method       RepaymentMethod  `json:"method"`
	DisbursedOn  Date             `json:"disbursed_on"`
	MaturityDate Date             `json:"maturity_date"`
	Schedule     []InstalmentView `json:"schedule,omitzero"`
}

// InstalmentView is one instalment and what has been paid of it.
type InstalmentView struct {
	Instalment
	TotalFen      int64 `json:"total_fen"`
	PaidPrincipal int64 `json:"paid_principal_fen"`
	PaidInterest  int64 `json:"paid_interest_fen"`
	Settled       bool  `json:"settled"`
}

// DayStatus is where the accounting day stands.
type DayStatus struct {
	AccountingDate Date   `json:"accounting_date"`
	NextCut        string `json:"next_cut"` // RFC 3339
	FenceSeq       uint64 `json:"fence_seq"`
	Closing        Date   `json:"closing,omitzero"` // the day before, while its last chains are under way
	Working        Date   `json:"working,omitzero"` // the day whose end is being worked on
	Step           string `json:"step,omitzero"`
	StepZh         string `json:"step_zh,omitzero"`
	StepsDone      int    `json:"steps_done,omitzero"`
	Steps          int    `json:"steps,omitzero"`
	Visited        int64  `json:"customers_visited,omitzero"` // by the sweep under way
	ToVisit        int64  `json:"customers_to_visit,omitzero"`
	Decided        int64  `json:"decided,omitzero"`
	Refused        int64  `json:"refused,omitzero"`
	PerSecond      int64  `json:"customers_per_second,omitzero"`
	LeftSeconds    int64  `json:"seconds_left,omitzero"`
	Customers      int64  `json:"customers"`
	Failure        string `json:"failure,omitzero"` // of the step under way, which is tried again
}
