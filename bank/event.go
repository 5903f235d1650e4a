package bank

// EventType numbers the events in the journal. Never reuse a number.
type EventType uint16

// The events of SPEC 8.2 that exist so far.
const (
	EventCustomerRegistered EventType = 1
	EventBoundCardAdded     EventType = 2

	EventAccountOpened        EventType = 20
	EventTransferInRequested  EventType = 21
	EventTransferInSucceeded  EventType = 22
	EventTransferInFailed     EventType = 23
	EventInboundCredited      EventType = 24
	EventTransferOutRequested EventType = 25
	EventTransferOutSucceeded EventType = 26
	EventTransferOutFailed    EventType = 27
	EventInternalTransferred  EventType = 28

	EventDepositOpened                EventType = 40
	EventDepositMatured               EventType = 41
	EventDepositRedeemedEarly         EventType = 42
	EventDepositRedeemedAfterMaturity EventType = 43
	EventCustomerDayClosed            EventType = 44
	EventDemandInterestPaid           EventType = 45
	EventDepositRolledOver            EventType = 46
	EventRolloverChanged              EventType = 47
	EventDepositPledged               EventType = 48
	EventDepositProofIssued           EventType = 49
	EventDepositHoldReleased          EventType = 50
	EventDepositFrozen                EventType = 51

	EventLoanApplied       EventType = 60
	EventRiskDecided       EventType = 61
	EventCreditLineGranted EventType = 62
	EventLoanDisbursed     EventType = 63
	EventInstalmentDue     EventType = 64
	EventRepaymentApplied  EventType = 65
	EventLoanPrepaid       EventType = 66
	EventLoanSettled       EventType = 67

	EventBoundCardRemoved   EventType = 80
	EventIdentityVerified   EventType = 81
	EventAccountRestricted  EventType = 82
	EventAccountReleased    EventType = 83
	EventHoldPlaced         EventType = 84
	EventHoldReleased       EventType = 85
	EventHoldDeducted       EventType = 86
	EventDeductionRemitted  EventType = 87
	EventAccountDormant     EventType = 88
	EventAccountReactivated EventType = 89
	EventOwnLimitsSet       EventType = 90
	EventAccountClosing     EventType = 91
	EventAccountClosed      EventType = 92

	EventTransferInUnknown      EventType = 100
	EventTransferOutUnknown     EventType = 101
	EventTransferReturned       EventType = 102
	EventFeeCharged             EventType = 103
	EventFeeRefunded            EventType = 104
	EventTransactionReversed    EventType = 105
	EventAdvanceCollected       EventType = 106
	EventShortageClaimed        EventType = 107
	EventShortageSettled        EventType = 108
	EventSuspenseBooked         EventType = 109
	EventSuspenseEnded          EventType = 110
	EventClearingSettled        EventType = 111
	EventChannelFeeCharged      EventType = 112
	EventReconciliationFinished EventType = 113

	EventDayOpened             EventType = 120
	EventDayCutStarted         EventType = 121
	EventDayCutFinished        EventType = 122
	EventDayStepFinished       EventType = 123
	EventDemandInterestAccrued EventType = 124
	EventDepositAccrued        EventType = 125
	EventTrialBalanced         EventType = 126

	EventDepositDeducted      EventType = 200
	EventDepositFreezeApplied EventType = 201
	EventDepositFreezeRenewed EventType = 202
	EventPaymentDelayed       EventType = 203
	EventPaymentDelayEnded    EventType = 204
	EventAccountApplied       EventType = 205
	EventApplicationEnded     EventType = 206
	EventLimitCounterChanged  EventType = 207
)

// CustomerRegistered (注册).
type CustomerRegistered struct {
	CustomerNo   CustomerNo   `cbor:"1,keyasint" json:"customer_no"`
	IDKind       IDKind       `cbor:"2,keyasint" json:"id_kind"`
	Person       PersonSealed `cbor:"3,keyasint" json:"person"`
	Region       uint32       `cbor:"4,keyasint,omitempty" json:"region_code"`
	Channel      Channel      `cbor:"5,keyasint" json:"channel"`
	Branch       string       `cbor:"6,keyasint,omitempty" json:"branch,omitzero"`
	ReferrerCode string       `cbor:"7,keyasint,omitempty" json:"referrer_code,omitzero"`
	Registered   Date         `cbor:"8,keyasint" json:"registered_on"`
}

// BoundCardAdded (绑卡).
type BoundCardAdded struct {
	CustomerNo CustomerNo `cbor:"1,keyasint" json:"customer_no"`
	AccountNo  AccountNo  `cbor:"2,keyasint" json:"account_no"`
	Card       CardSealed `cbor:"3,keyasint" json:"card"`
}

// AccountOpened (开户).
type AccountOpened struct {
	CustomerNo    CustomerNo   `cbor:"1,keyasint" json:"customer_no"`
	AccountNo     AccountNo    `cbor:"2,keyasint" json:"account_no"`
	Class         Class        `cbor:"3,keyasint" json:"class"`
	Product       string       `cbor:"4,keyasint" json:"product"`
	OpenedOn      Date         `cbor:"5,keyasint" json:"opened_on"`
	DetailSubject uint32       `cbor:"6,keyasint" json:"detail_subject"`
	FaceToFace    bool         `cbor:"7,keyasint,omitempty" json:"face_to_face"`
	CardToken     string       `cbor:"8,keyasint,omitempty" json:"bound_card_token,omitzero"`
	Branch        string       `cbor:"9,keyasint,omitempty" json:"branch,omitzero"`
	InterestBase  InterestBase `cbor:"10,keyasint,omitempty" json:"interest_base,omitzero"`
	// Of an account that had been applied for: when, and under which number its card's bank confirmed the card.
	AppliedOn  Date   `cbor:"11,keyasint,omitempty" json:"applied_on,omitzero"`
	CardSerial string `cbor:"12,keyasint,omitempty" json:"provider_serial,omitzero"`
	By
}

// base is the interest base, which events from before there was one do not name.
func (m *AccountOpened) base() InterestBase {
	switch {
	case m.InterestBase != "":
		return m.InterestBase
	case m.Product == ProductDemoCurrent:
		return BaseNone
	}
	return BaseYuan
}

// TransferInRequested (转入请求): the money is pending until the channel answers.
type TransferInRequested struct {
	TxnID     TxnID     `cbor:"1,keyasint" json:"txn_id"`
	AccountNo AccountNo `cbor:"2,keyasint" json:"account_no"`
	AmountFen int64     `cbor:"3,keyasint" json:"amount_fen"`
	Channel   Channel   `cbor:"4,keyasint" json:"channel"`
	CardToken string    `cbor:"5,keyasint,omitempty" json:"counterparty_token"`
	CardBank  string    `cbor:"6,keyasint,omitempty" json:"counterparty_bank"`
	PendingID U128      `cbor:"7,keyasint" json:"pending_id"`
	Summary   string    `cbor:"8,keyasint,omitempty" json:"summary,omitzero"`

	CardMasked string `cbor:"20,keyasint,omitempty" json:"counterparty_masked,omitzero"`
}

// TransferSettled is what the channel's answer to a two-phase transfer says; the four events that
// carry it differ by direction and outcome.
type TransferSettled struct {
	TxnID         TxnID     `cbor:"1,keyasint" json:"txn_id"`
	AccountNo     AccountNo `cbor:"2,keyasint" json:"account_no"`
	AmountFen     int64     `cbor:"3,keyasint" json:"amount_fen"`
	FeeFen        int64     `cbor:"4,keyasint,omitempty" json:"fee_fen"`
	Channel       Channel   `cbor:"5,keyasint" json:"channel"`
	ChannelSerial string    `cbor:"6,keyasint,omitempty" json:"channel_serial,omitzero"`
	Reason        string    `cbor:"7,keyasint,omitempty" json:"reason,omitzero"`
}

// The outcomes of two-phase transfers.
type (
	TransferInSucceeded  struct{ TransferSettled }
	TransferInFailed     struct{ TransferSettled }
	TransferOutSucceeded struct{ TransferSettled }
	TransferOutFailed    struct{ TransferSettled }
)

// InboundCredited (来账入账).
type InboundCredited struct {
	TxnID         TxnID     `cbor:"1,keyasint" json:"txn_id"`
	AccountNo     AccountNo `cbor:"2,keyasint" json:"account_no"`
	AmountFen     int64     `cbor:"3,keyasint" json:"amount_fen"`
	Channel       Channel   `cbor:"4,keyasint" json:"channel"`
	ChannelSerial string    `cbor:"5,keyasint,omitempty" json:"channel_serial,omitzero"`
	PayerToken    string    `cbor:"6,keyasint,omitempty" json:"payer_token,omitzero"`
	PayerBank     string    `cbor:"7,keyasint,omitempty" json:"payer_bank,omitzero"`
	Bound         bool      `cbor:"8,keyasint,omitempty" json:"bound"`
	Summary       string    `cbor:"9,keyasint,omitempty" json:"summary,omitzero"`
	ValueDate     Date      `cbor:"10,keyasint,omitempty" json:"value_date,omitzero"` // zero: the accounting date
	PayerMasked   string    `cbor:"20,keyasint,omitempty" json:"payer_masked,omitzero"`
}

// TransferOutRequested (转出请求): money and fee are reserved until the channel answers.
type TransferOutRequested struct {
	TxnID        TxnID     `cbor:"1,keyasint" json:"txn_id"`
	AccountNo    AccountNo `cbor:"2,keyasint" json:"account_no"`
	AmountFen    int64     `cbor:"3,keyasint" json:"amount_fen"`
	FeeFen       int64     `cbor:"4,keyasint,omitempty" json:"fee_fen"`
	Channel      Channel   `cbor:"5,keyasint" json:"channel"`
	PayeeToken   string    `cbor:"6,keyasint,omitempty" json:"payee_token,omitzero"`
	PayeeBank    string    `cbor:"7,keyasint,omitempty" json:"payee_bank,omitzero"`
	Bound        bool      `cbor:"8,keyasint,omitempty" json:"bound"`
	DayTotalFen  int64     `cbor:"9,keyasint,omitempty" json:"day_total_fen"`
	YearTotalFen int64     `cbor:"10,keyasint,omitempty" json:"year_total_fen"`
	PendingID    U128      `cbor:"11,keyasint" json:"pending_id"`
	FeePendingID U128      `cbor:"12,keyasint,omitempty" json:"-"`
	Summary      string    `cbor:"13,keyasint,omitempty" json:"summary,omitzero"`
	PayeeMasked  string    `cbor:"14,keyasint,omitempty" json:"payee_masked,omitzero"`
	Payment      bool      `cbor:"15,keyasint,omitempty" json:"payment,omitzero"` // 消费、缴费
}

// InternalTransferred (行内转账): one for the payer, one with the same txn_id for the payee.
type InternalTransferred struct {
	TxnID        TxnID     `cbor:"1,keyasint" json:"txn_id"`
	Role         Role      `cbor:"2,keyasint" json:"role"`
	Payer        AccountNo `cbor:"3,keyasint" json:"payer_account"`
	Payee        AccountNo `cbor:"4,keyasint" json:"payee_account"`
	AmountFen    int64     `cbor:"5,keyasint" json:"amount_fen"`
	FeeFen       int64     `cbor:"6,keyasint,omitempty" json:"fee_fen"`
	Channel      Channel   `cbor:"7,keyasint" json:"channel"`
	DayTotalFen  int64     `cbor:"8,keyasint,omitempty" json:"day_total_fen"`
	YearTotalFen int64     `cbor:"9,keyasint,omitempty" json:"year_total_fen"`
	Summary      string    `cbor:"10,keyasint,omitempty" json:"summary,omitzero"`
}

// Role is the customer's side of an internal transfer.
type Role uint8

// The sides of an internal transfer.
const (
	RolePayer Role = 1
	RolePayee Role = 2
)

// DepositOpened (购买定期).
type DepositOpened struct {
	TxnID         TxnID      `cbor:"1,keyasint" json:"txn_id"`
	DepositNo     ContractNo `cbor:"2,keyasint" json:"deposit_no"`
	AccountNo     AccountNo  `cbor:"3,keyasint" json:"account_no"`
	Product       string     `cbor:"4,keyasint" json:"product"`
	PrincipalFen  int64      `cbor:"5,keyasint" json:"principal_fen"`
	RateE6        int64      `cbor:"6,keyasint" json:"rate_e6"`
	TermMonths    int        `cbor:"7,keyasint" json:"term_months"`
	OpenDate      Date       `cbor:"8,keyasint" json:"open_date"`
	MaturityDate  Date       `cbor:"9,keyasint" json:"maturity_date"`
	Rollover      Rollover   `cbor:"10,keyasint,omitempty" json:"rollover"`
	CertificateNo string     `cbor:"11,keyasint,omitempty" json:"certificate_no"`
	InterestBase  string     `cbor:"12,keyasint,omitempty" json:"interest_base"`

	InterestMethod InterestMethod `cbor:"13,keyasint,omitempty" json:"interest_method,omitzero"`
	MinimumFen     int64          `cbor:"14,keyasint,omitempty" json:"minimum_fen,omitzero"`
	MaxPartial     int            `cbor:"15,keyasint,omitempty" json:"max_partial,omitzero"`
	DepositSubjects
	AgreementVersion string     `cbor:"19,keyasint,omitempty" json:"agreement_version,omitzero"`
	CatalogueVersion string     `cbor:"20,keyasint,omitempty" json:"catalogue_version,omitzero"`
	RolledFrom       ContractNo `cbor:"21,keyasint,omitempty" json:"rolled_from,omitzero"`
}

// DepositPaid is what a redemption paid; the events that carry it differ by when it happened.
type DepositPaid struct {
	TxnID              TxnID      `cbor:"1,keyasint" json:"txn_id"`
	DepositNo          ContractNo `cbor:"2,keyasint" json:"deposit_no"`
	AccountNo          AccountNo  `cbor:"3,keyasint" json:"account_no"`
	Product            string     `cbor:"4,keyasint" json:"product"`
	PrincipalFen       int64      `cbor:"5,keyasint" json:"principal_fen"` // redeemed
	InterestFen        int64      `cbor:"6,keyasint,omitempty" json:"interest_fen"`
	TaxFen             int64      `cbor:"7,keyasint,omitempty" json:"tax_fen"`
	Part               bool       `cbor:"8,keyasint,omitempty" json:"part"`
	Days               int        `cbor:"9,keyasint,omitempty" json:"days"`
	DemandRateE6       int64      `cbor:"10,keyasint,omitempty" json:"demand_rate_e6,omitzero"`
	OverdueInterestFen int64      `cbor:"11,keyasint,omitempty" json:"overdue_interest_fen,omitzero"`
	AccrualReleasedFen int64      `cbor:"12,keyasint,omitempty" json:"accrual_released_fen"`
	RemainingFen       int64      `cbor:"13,keyasint,omitempty" json:"remaining_fen"`
	OverdueReleasedFen int64      `cbor:"14,keyasint,omitempty" json:"overdue_accrual_released_fen,omitzero"`
	Notice             string     `cbor:"15,keyasint,omitempty" json:"notice,omitzero"`     // why it was not what was agreed
	ValueDate          Date       `cbor:"16,keyasint,omitempty" json:"value_date,omitzero"` // zero: the accounting date
}

// payoutFen is what the e-account has received.
func (m *DepositPaid) payoutFen() int64 {
	return m.PrincipalFen + m.InterestFen + m.OverdueInterestFen - m.TaxFen
}

// value is the date from which the payment counts for demand interest.
func (m *DepositPaid) value(on Date) Date {
	if m.ValueDate != 0 {
		return m.ValueDate
	}
	return on
}

// The ways a deposit is paid back.
type (
	DepositMatured               struct{ DepositPaid } // 到期兑付
	DepositRedeemedEarly         struct{ DepositPaid } // 提前支取
	DepositRedeemedAfterMaturity struct{ DepositPaid } // 逾期支取
)

// LoanApplied (贷款申请).
type LoanApplied struct {
	ApplicationNo ContractNo `cbor:"1,keyasint" json:"application_no"`
	CustomerNo    CustomerNo `cbor:"2,keyasint" json:"customer_no"`
	Product       string     `cbor:"3,keyasint" json:"product"`
	AmountFen     int64      `cbor:"4,keyasint" json:"amount_fen"`
	TermMonths    int        `cbor:"5,keyasint" json:"term_months"`
	Purpose       string     `cbor:"6,keyasint,omitempty" json:"purpose"`
}

// RiskDecided (风险决策).
type RiskDecided struct {
	ApplicationNo ContractNo `cbor:"1,keyasint" json:"application_no"`
	Stage         string     `cbor:"2,keyasint" json:"stage"` // pre, in, post
	Strategy      string     `cbor:"3,keyasint" json:"strategy_id"`
	Version       int        `cbor:"4,keyasint" json:"strategy_version"`
	Result        string     `cbor:"5,keyasint" json:"result"` // APPROVED, REJECTED
	LimitFen      int64      `cbor:"6,keyasint,omitempty" json:"limit_fen"`
	PriceE6       int64      `cbor:"7,keyasint,omitempty" json:"price_e6"`
	TermMonths    int        `cbor:"8,keyasint,omitempty" json:"term_months"`
	Reasons       []string   `cbor:"9,keyasint,omitempty" json:"reasons"`
}

// CreditLineGranted (授信生效).
type CreditLineGranted struct {
	TxnID         TxnID      `cbor:"1,keyasint" json:"txn_id"`
	LineNo        ContractNo `cbor:"2,keyasint" json:"line_no"`
	CustomerNo    CustomerNo `cbor:"3,keyasint" json:"customer_no"`
	ApplicationNo ContractNo `cbor:"4,keyasint" json:"application_no"`
	Product       string     `cbor:"5,keyasint" json:"product"`
	LimitFen      int64      `cbor:"6,keyasint" json:"limit_fen"`
	RateE6        int64      `cbor:"7,keyasint" json:"rate_e6"`
	ValidUntil    Date       `cbor:"8,keyasint" json:"valid_until"`
	Revolving     bool       `cbor:"9,keyasint,omitempty" json:"revolving"`
	Purpose       string     `cbor:"10,keyasint,omitempty" json:"purpose,omitzero"`
}

// Instalment is one row of a repayment schedule (还款计划).
type Instalment struct {
	No           int   `cbor:"1,keyasint" json:"no"`
	Due          Date  `cbor:"2,keyasint" json:"due_date"`
	Days         int   `cbor:"3,keyasint" json:"days"`
	PrincipalFen int64 `cbor:"4,keyasint" json:"principal_fen"`
	InterestFen  int64 `cbor:"5,keyasint" json:"interest_fen"`
	RemainingFen int64 `cbor:"6,keyasint" json:"remaining_fen"` // principal after this instalment
}

// LoanDisbursed (放款).
type LoanDisbursed struct {
	TxnID        TxnID           `cbor:"1,keyasint" json:"txn_id"`
	LoanNo       ContractNo      `cbor:"2,keyasint" json:"loan_no"`
	LineNo       ContractNo      `cbor:"3,keyasint" json:"line_no"`
	AccountNo    AccountNo       `cbor:"4,keyasint" json:"account_no"`
	Product      string          `cbor:"5,keyasint" json:"product"`
	PrincipalFen int64           `cbor:"6,keyasint" json:"principal_fen"`
	RateE6       int64           `cbor:"7,keyasint" json:"rate_e6"`
	Method       RepaymentMethod `cbor:"8,keyasint" json:"method"`
	Periods      int             `cbor:"9,keyasint" json:"periods"`
	DueDay       int             `cbor:"10,keyasint,omitempty" json:"due_day,omitzero"`
	OpenDate     Date            `cbor:"11,keyasint" json:"disbursed_on"`
	Maturity     Date            `cbor:"12,keyasint" json:"maturity"`
	Purpose      string          `cbor:"13,keyasint,omitempty" json:"purpose"`
	Entrusted    bool            `cbor:"14,keyasint,omitempty" json:"entrusted"`
	Schedule     []Instalment    `cbor:"15,keyasint" json:"schedule"`
}

// InstalmentDue (到期应还): interest has become a claim on the customer.
type InstalmentDue struct {
	LoanNo       ContractNo `cbor:"1,keyasint" json:"loan_no"`
	No           int        `cbor:"2,keyasint" json:"no"`
	Due          Date       `cbor:"3,keyasint" json:"due_date"`
	PrincipalFen int64      `cbor:"4,keyasint" json:"principal_fen"`
	InterestFen  int64      `cbor:"5,keyasint" json:"interest_fen"`
}

// Allocation is the part of a repayment that went to one instalment.
type Allocation struct {
	No           int   `cbor:"1,keyasint" json:"no"`
	Due          Date  `cbor:"2,keyasint" json:"due_date"`
	InterestFen  int64 `cbor:"3,keyasint,omitempty" json:"interest_fen"`
	PrincipalFen int64 `cbor:"4,keyasint,omitempty" json:"principal_fen"`
}

// RepaymentApplied (还款入账).
type RepaymentApplied struct {
	TxnID        TxnID        `cbor:"1,keyasint" json:"txn_id"`
	LoanNo       ContractNo   `cbor:"2,keyasint" json:"loan_no"`
	AccountNo    AccountNo    `cbor:"3,keyasint" json:"account_no"`
	Product      string       `cbor:"4,keyasint" json:"product"`
	Source       string       `cbor:"5,keyasint" json:"source"`
	PaidFen      int64        `cbor:"6,keyasint" json:"paid_fen"`
	Allocation   []Allocation `cbor:"7,keyasint" json:"allocation"`
	RemainingFen int64        `cbor:"8,keyasint" json:"remaining_fen"` // principal
}

// LoanPrepaid (提前还款): part of the principal before it was due; NewSchedule replaces what was left.
type LoanPrepaid struct {
	TxnID        TxnID          `cbor:"1,keyasint" json:"txn_id"`
	LoanNo       ContractNo     `cbor:"2,keyasint" json:"loan_no"`
	AccountNo    AccountNo      `cbor:"3,keyasint" json:"account_no"`
	Product      string         `cbor:"4,keyasint" json:"product"`
	PrincipalFen int64          `cbor:"5,keyasint" json:"principal_fen"`
	InterestFen  int64          `cbor:"6,keyasint,omitempty" json:"interest_fen"`
	FeeFen       int64          `cbor:"7,keyasint,omitempty" json:"fee_fen"`
	Mode         PrepaymentMode `cbor:"8,keyasint" json:"mode"`
	On           Date           `cbor:"9,keyasint" json:"on"`
	RemainingFen int64          `cbor:"10,keyasint" json:"remaining_fen"`
	NewSchedule  []Instalment   `cbor:"11,keyasint" json:"new_schedule"`
}

// LoanSettled (结清): nothing is owed any more.
type LoanSettled struct {
	TxnID         TxnID      `cbor:"1,keyasint" json:"txn_id"`
	LoanNo        ContractNo `cbor:"2,keyasint" json:"loan_no"`
	AccountNo     AccountNo  `cbor:"3,keyasint" json:"account_no"`
	Product       string     `cbor:"4,keyasint" json:"product"`
	PrincipalFen  int64      `cbor:"5,keyasint,omitempty" json:"principal_fen"` // paid ahead with the settlement
	InterestFen   int64      `cbor:"6,keyasint,omitempty" json:"interest_fen"`
	FeeFen        int64      `cbor:"7,keyasint,omitempty" json:"fee_fen"`
	CertificateNo string     `cbor:"8,keyasint,omitempty" json:"certificate_no"`
	On            Date       `cbor:"9,keyasint" json:"on"`
}

// EventType of each event.
func (*CustomerRegistered) EventType() EventType           { return EventCustomerRegistered }
func (*BoundCardAdded) EventType() EventType               { return EventBoundCardAdded }
func (*AccountOpened) EventType() EventType                { return EventAccountOpened }
func (*TransferInRequested) EventType() EventType          { return EventTransferInRequested }
func (*TransferInSucceeded) EventType() EventType          { return EventTransferInSucceeded }
func (*TransferInFailed) EventType() EventType             { return EventTransferInFailed }
func (*InboundCredited) EventType() EventType              { return EventInboundCredited }
func (*TransferOutRequested) EventType() EventType         { return EventTransferOutRequested }
func (*TransferOutSucceeded) EventType() EventType         { return EventTransferOutSucceeded }
func (*TransferOutFailed) EventType() EventType            { return EventTransferOutFailed }
func (*InternalTransferred) EventType() EventType          { return EventInternalTransferred }
func (*DepositOpened) EventType() EventType                { return EventDepositOpened }
func (*DepositMatured) EventType() EventType               { return EventDepositMatured }
func (*DepositRedeemedEarly) EventType() EventType         { return EventDepositRedeemedEarly }
func (*DepositRedeemedAfterMaturity) EventType() EventType { return EventDepositRedeemedAfterMaturity }
func (*LoanApplied) EventType() EventType                  { return EventLoanApplied }
func (*RiskDecided) EventType() EventType                  { return EventRiskDecided }
func (*CreditLineGranted) EventType() EventType            { return EventCreditLineGranted }
func (*LoanDisbursed) EventType() EventType                { return EventLoanDisbursed }
func (*InstalmentDue) EventType() EventType                { return EventInstalmentDue }
func (*RepaymentApplied) EventType() EventType             { return EventRepaymentApplied }
func (*LoanPrepaid) EventType() EventType                  { return EventLoanPrepaid }
func (*LoanSettled) EventType() EventType                  { return EventLoanSettled }
func (*TransferInUnknown) EventType() EventType            { return EventTransferInUnknown }
func (*TransferOutUnknown) EventType() EventType           { return EventTransferOutUnknown }
func (*TransferReturned) EventType() EventType             { return EventTransferReturned }
func (*FeeCharged) EventType() EventType                   { return EventFeeCharged }
func (*FeeRefunded) EventType() EventType                  { return EventFeeRefunded }
func (*TransactionReversed) EventType() EventType          { return EventTransactionReversed }
func (*AdvanceCollected) EventType() EventType             { return EventAdvanceCollected }
func (*ShortageClaimed) EventType() EventType              { return EventShortageClaimed }
func (*ShortageSettled) EventType() EventType              { return EventShortageSettled }
func (*SuspenseBooked) EventType() EventType               { return EventSuspenseBooked }
func (*SuspenseEnded) EventType() EventType                { return EventSuspenseEnded }
func (*ClearingSettled) EventType() EventType              { return EventClearingSettled }
func (*ChannelFeeCharged) EventType() EventType            { return EventChannelFeeCharged }
func (*ReconciliationFinished) EventType() EventType       { return EventReconciliationFinished }
