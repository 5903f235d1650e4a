package bank

// PersonSealed is a customer's identifying data (C2, JR/T 0171) as it is stored: sealed fields that
// only the vault opens, tokens that find equal values, masks that may be shown.
type PersonSealed struct {
	NameSealed   []byte `cbor:"1,keyasint,omitempty" json:"-"`
	IDSealed     []byte `cbor:"2,keyasint,omitempty" json:"-"`
	MobileSealed []byte `cbor:"3,keyasint,omitempty" json:"-"`
	IDToken      string `cbor:"4,keyasint,omitempty" json:"id_token"`
	MobileToken  string `cbor:"5,keyasint,omitempty" json:"mobile_token"`
	NameToken    string `cbor:"6,keyasint,omitempty" json:"name_token"`
	NameMasked   string `cbor:"7,keyasint,omitempty" json:"name_masked"`
	IDMasked     string `cbor:"8,keyasint,omitempty" json:"id_masked"`
	MobileMasked string `cbor:"9,keyasint,omitempty" json:"mobile_masked"`
}

// IDKind is the kind of identity document.
type IDKind string

// The kinds of identity documents. OTHER opens demonstration products only.
const (
	ResidentID IDKind = "RESIDENT_ID" // 居民身份证
	OtherID    IDKind = "OTHER"
)

// RegisterCustomer (注册) makes a person a customer.
type RegisterCustomer struct {
	Customer     CustomerNo   `cbor:"1,keyasint"` // allocated before the command reaches its actor
	IDKind       IDKind       `cbor:"2,keyasint"`
	Person       PersonSealed `cbor:"3,keyasint"`
	Region       uint32       `cbor:"4,keyasint"` // six-digit administrative division of the id number
	Channel      Channel      `cbor:"5,keyasint"`
	Branch       string       `cbor:"6,keyasint,omitempty"`
	ReferrerCode string       `cbor:"7,keyasint,omitempty"`
	Date         Date         `cbor:"8,keyasint,omitempty"` // registered on; zero: today. Only with IDKind OTHER
}

// CardSealed is a bound card (绑定卡) as stored.
type CardSealed struct {
	Sealed []byte `cbor:"1,keyasint,omitempty" json:"-"`
	Token  string `cbor:"2,keyasint,omitempty" json:"card_token"`
	Masked string `cbor:"3,keyasint,omitempty" json:"card_masked"`
	Bank   string `cbor:"4,keyasint,omitempty" json:"issuer_bank"`
	Kind   string `cbor:"5,keyasint,omitempty" json:"card_kind"` // CLASS_1 or CREDIT
	// OutgoingFrom is when money may first leave for the card, milliseconds since 1970; zero: at once.
	OutgoingFrom int64 `cbor:"6,keyasint,omitempty" json:"outgoing_from_ms,omitzero"`
}

// OpenAccount (开户) opens an e-account.
type OpenAccount struct {
	Customer   CustomerNo `cbor:"1,keyasint"`
	Class      Class      `cbor:"2,keyasint"`
	Product    string     `cbor:"3,keyasint,omitempty"` // empty: the class's own; DEMO_CURRENT
	FaceToFace bool       `cbor:"4,keyasint,omitempty"` // identity confirmed in person (面签)
	Card       CardSealed `cbor:"5,keyasint"`
	Channel    Channel    `cbor:"6,keyasint"`
	Date       Date       `cbor:"7,keyasint,omitempty"` // zero: today; another day for demonstration products only
	// Apply: the bound card is not confirmed yet; the account waits for that, or for money from the card.
	Apply bool `cbor:"8,keyasint,omitempty"`
}

// TransferIn (绑定卡转入) pulls money from the bound card, two-phase.
type TransferIn struct {
	Account   AccountNo `cbor:"1,keyasint"`
	AmountFen int64     `cbor:"2,keyasint"`
	Channel   Channel   `cbor:"3,keyasint"`
	Summary   string    `cbor:"4,keyasint,omitempty"`
	Date      Date      `cbor:"5,keyasint,omitempty"`
	CardToken string    `cbor:"6,keyasint,omitempty"` // of the bound card; empty: the first
}

// TransferOut (转出) sends money to the bound card or to another bank, two-phase with fee.
type TransferOut struct {
	Account     AccountNo `cbor:"1,keyasint"`
	AmountFen   int64     `cbor:"2,keyasint"`
	Bound       bool      `cbor:"3,keyasint,omitempty"`
	PayeeToken  string    `cbor:"4,keyasint,omitempty"` // token of the payee's account; empty when bound
	PayeeMasked string    `cbor:"5,keyasint,omitempty"`
	PayeeBank   string    `cbor:"6,keyasint,omitempty"`
	PayeeName   string    `cbor:"7,keyasint,omitempty"` // masked
	Channel     Channel   `cbor:"8,keyasint"`
	Summary     string    `cbor:"9,keyasint,omitempty"`
	Date        Date      `cbor:"10,keyasint,omitempty"`
	CardToken   string    `cbor:"11,keyasint,omitempty"` // of the bound card; empty: the first
	Payment     bool      `cbor:"12,keyasint,omitempty"` // 消费、缴费: to a merchant
	Confirmed   bool      `cbor:"13,keyasint,omitempty"` // the customer has been reminded of the day's total
}

// TransferInternal (行内转账) moves money to another e-account of this bank.
type TransferInternal struct {
	Payer     AccountNo `cbor:"1,keyasint"`
	Payee     AccountNo `cbor:"2,keyasint"`
	AmountFen int64     `cbor:"3,keyasint"`
	Channel   Channel   `cbor:"4,keyasint"`
	Summary   string    `cbor:"5,keyasint,omitempty"`
	Date      Date      `cbor:"6,keyasint,omitempty"`
	Confirmed bool      `cbor:"7,keyasint,omitempty"` // as of TransferOut
}

// CreditInbound (他行来账) credits money another bank has sent.
type CreditInbound struct {
	Account       AccountNo `cbor:"1,keyasint"`
	AmountFen     int64     `cbor:"2,keyasint"`
	ChannelSerial string    `cbor:"3,keyasint,omitempty"`
	PayerToken    string    `cbor:"4,keyasint,omitempty"`
	PayerMasked   string    `cbor:"5,keyasint,omitempty"`
	PayerBank     string    `cbor:"6,keyasint,omitempty"`
	Bound         bool      `cbor:"7,keyasint,omitempty"` // the sender is the customer's bound card
	Channel       Channel   `cbor:"8,keyasint"`
	Summary       string    `cbor:"9,keyasint,omitempty"`
	Date          Date      `cbor:"10,keyasint,omitempty"`
	NameToken     string    `cbor:"11,keyasint,omitempty"` // token of the payee's name as the channel has it; empty: not given
	Late          Date      `cbor:"12,keyasint,omitempty"` // found by reconciliation (K05): the day it should have come; zero: it is not late
}

// ChannelResult is the channel's answer to a two-phase transfer.
type ChannelResult struct {
	Transfer      TxnID  `cbor:"1,keyasint"`
	Success       bool   `cbor:"2,keyasint"`
	ChannelSerial string `cbor:"3,keyasint,omitempty"`
	Reason        string `cbor:"4,keyasint,omitempty"` // of a failure
	Date          Date   `cbor:"5,keyasint,omitempty"`
}

// BuyDeposit (购买定期) moves money from an e-account into a new term deposit.
type BuyDeposit struct {
	Account   AccountNo `cbor:"1,keyasint"`
	Product   string    `cbor:"2,keyasint"`
	AmountFen int64     `cbor:"3,keyasint"`
	Rollover  Rollover  `cbor:"4,keyasint,omitempty"`
	Channel   Channel   `cbor:"5,keyasint"`
	// AgreementVersion is the version of the product's agreement that the customer has accepted; empty: not said.
	AgreementVersion string `cbor:"6,keyasint,omitempty"`
}

// RedeemDeposit (支取, 赎回) takes all or part of a deposit back into its e-account.
type RedeemDeposit struct {
	Deposit   ContractNo `cbor:"1,keyasint"`
	AmountFen int64      `cbor:"2,keyasint,omitempty"` // principal to redeem
	All       bool       `cbor:"3,keyasint,omitempty"`
	Channel   Channel    `cbor:"4,keyasint"`
}

// ApplyLoan (贷款申请) asks for a credit line.
type ApplyLoan struct {
	Customer    CustomerNo `cbor:"1,keyasint"`
	Product     string     `cbor:"2,keyasint"`
	AmountFen   int64      `cbor:"3,keyasint"`
	TermMonths  int        `cbor:"4,keyasint"`
	Purpose     string     `cbor:"5,keyasint"`
	IncomeFen   int64      `cbor:"6,keyasint,omitempty"` // monthly, as declared
	ConsentHash string     `cbor:"7,keyasint,omitempty"`
	Channel     Channel    `cbor:"8,keyasint"`
}

// DrawLoan (用信, 放款) draws on a credit line into an e-account.
type DrawLoan struct {
	Line      ContractNo      `cbor:"1,keyasint"`
	Account   AccountNo       `cbor:"2,keyasint"`
	AmountFen int64           `cbor:"3,keyasint"`
	Method    RepaymentMethod `cbor:"4,keyasint"`
	Periods   int             `cbor:"5,keyasint"`
	DueDay    int             `cbor:"6,keyasint,omitempty"` // 1…28; zero: the day of the drawdown
	Channel   Channel         `cbor:"7,keyasint"`
}

// RepayLoan (还款) pays what is due, or ahead of time.
type RepayLoan struct {
	Loan      ContractNo     `cbor:"1,keyasint"`
	Account   AccountNo      `cbor:"2,keyasint,omitempty"` // zero: the account the loan was drawn into
	AmountFen int64          `cbor:"3,keyasint,omitempty"`
	Settle    bool           `cbor:"4,keyasint,omitempty"` // pay off everything (提前结清)
	Mode      PrepaymentMode `cbor:"5,keyasint,omitempty"`
	Channel   Channel        `cbor:"6,keyasint"`
}

// Operation names, stable.
func (*RegisterCustomer) Operation() string { return "register_customer" }
func (*OpenAccount) Operation() string      { return "open_account" }
func (*TransferIn) Operation() string       { return "transfer_in" }
func (*TransferOut) Operation() string      { return "transfer_out" }
func (*TransferInternal) Operation() string { return "transfer_internal" }
func (*CreditInbound) Operation() string    { return "credit_inbound" }
func (*ChannelResult) Operation() string    { return "channel_result" }
func (*BuyDeposit) Operation() string       { return "buy_deposit" }
func (*RedeemDeposit) Operation() string    { return "redeem_deposit" }
func (*ApplyLoan) Operation() string        { return "apply_loan" }
func (*DrawLoan) Operation() string         { return "draw_loan" }
func (*RepayLoan) Operation() string        { return "repay_loan" }

// Channel is where a command came from (SPEC 8.4).
type Channel uint16

// The channels. Values are stored in the ledger's user_data_64.
const (
	ChannelApp Channel = iota + 1
	ChannelH5
	ChannelMini
	ChannelBackOffice
	ChannelBranch
	ChannelBatch
	ChannelIBPS
	ChannelUnionPay
	ChannelNetsUnion
	ChannelCore
)

var channelNames = [...]string{
	"", "APP", "H5", "WECHAT_MINI", "BACKOFFICE", "BRANCH", "BATCH", "IBPS", "UNIONPAY", "NETSUNION", "CORE",
}

// String is the channel's code in API and stream; empty for none.
func (c Channel) String() string {
	if int(c) < len(channelNames) {
		return channelNames[c]
	}
	return ""
}

// electronic reports whether the customer is not at a counter (非柜面).
func (c Channel) electronic() bool { return c != ChannelBranch && c != ChannelBackOffice }

// ParseChannel reads a channel's code; false for an unknown one.
func ParseChannel(s string) (Channel, bool) {
	for i, name := range channelNames[1:] {
		if name == s {
			return Channel(i + 1), true
		}
	}
	return 0, false
}

// MarshalText writes the form of String.
func (c Channel) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the form of String.
func (c *Channel) UnmarshalText(b []byte) error {
	parsed, ok := ParseChannel(string(b))
	if !ok && len(b) > 0 {
		return ErrBadID
	}
	*c = parsed
	return nil
}

// RepaymentMethod is how a loan is repaid (SPEC 5.4).
type RepaymentMethod string

// The repayment methods.
const (
	EqualInstalment RepaymentMethod = "EQ_INSTALMENT" // 等额本息
	EqualPrincipal  RepaymentMethod = "EQ_PRINCIPAL"  // 等额本金
	InterestOnly    RepaymentMethod = "INTEREST_ONLY" // 先息后本
	Bullet          RepaymentMethod = "BULLET"        // 利随本清
)

// PrepaymentMode is what a part prepayment changes.
type PrepaymentMode string

// The prepayment modes.
const (
	ReduceAmount PrepaymentMode = "REDUCE_AMOUNT"
	ReduceTerm   PrepaymentMode = "REDUCE_TERM"
)

// Rollover is what happens to a term deposit at maturity.
type Rollover string

// The rollover choices.
const (
	RolloverNone                 Rollover = "NONE"
	RolloverPrincipal            Rollover = "PRINCIPAL"
	RolloverPrincipalAndInterest Rollover = "PRINCIPAL_AND_INTEREST"
)
