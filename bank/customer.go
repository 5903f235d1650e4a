package bank

// Customer is everything the bank decides on for one customer: the fold of his events.
// Balances are not here: the ledger has them.
type Customer struct {
	No     CustomerNo   `cbor:"1,keyasint,omitempty"`
	Seq    uint64       `cbor:"2,keyasint,omitempty"` // decisions taken so far
	IDKind IDKind       `cbor:"4,keyasint,omitempty"`
	Person PersonSealed `cbor:"5,keyasint,omitempty"`

	// Side by side the small ones take half the memory.
	Registered   Date   `cbor:"3,keyasint,omitempty"` // zero: not a customer (yet)
	Region       uint32 `cbor:"6,keyasint,omitempty"`
	Applications uint32 `cbor:"11,keyasint,omitempty"`
	ClosedOn     Date   `cbor:"21,keyasint,omitempty"` // the last date that was closed for him (日终)

	Accounts []EAccount   `cbor:"7,keyasint,omitempty"`
	Deposits []Deposit    `cbor:"8,keyasint,omitempty"`
	Lines    []CreditLine `cbor:"9,keyasint,omitempty"`
	Loans    []Loan       `cbor:"10,keyasint,omitempty"`

	// InFlight are two-phase transfers whose channel has not answered.
	InFlight []InFlight `cbor:"12,keyasint,omitempty"`

	// Day is the bank's accounting day; nil but for BankHouse.
	Day *AccountingDay `cbor:"25,keyasint,omitempty"`
	// Unsettled is what went wrong between him and a channel; nil for nearly everyone, who saves its memory.
	Unsettled *Unsettled `cbor:"17,keyasint,omitempty"`
}

// AccountState is the state of an e-account (SPEC 2.6).
type AccountState string

// The states reached so far. Each is a row of PermissionMatrix.
const (
	AccountPendingOpen   AccountState = "PENDING_OPEN" // 待启用
	AccountNormal        AccountState = "NORMAL"
	AccountStateDormant  AccountState = "DORMANT"   // 久悬
	AccountStatePreClose AccountState = "PRE_CLOSE" // 预销户
	AccountStateClosed   AccountState = "CLOSED"
)

// EAccount (电子账户) is the paying side of an account; the receiving side is its Standing.
type EAccount struct {
	No         AccountNo    `cbor:"1,keyasint,omitempty"`
	Product    string       `cbor:"2,keyasint,omitempty"`
	State      AccountState `cbor:"3,keyasint,omitempty"`
	OpenedOn   Date         `cbor:"4,keyasint,omitempty"`
	FaceToFace bool         `cbor:"5,keyasint,omitempty"`
	Card       CardSealed   `cbor:"6,keyasint,omitempty"`
	Out        Counter      `cbor:"7,keyasint,omitempty"` // consumption, payment and transfers out to other than the bound card, one counter
	Special    *Special     `cbor:"8,keyasint,omitempty"` // nil: nothing of the kind
}

// Special is what few accounts have, so that the others take no memory for it.
type Special struct {
	Restrictions restrictions `cbor:"1,keyasint,omitempty"`
	Holds        []Hold       `cbor:"2,keyasint,omitempty"`
	Deductions   []Deduction  `cbor:"3,keyasint,omitempty"` // out of holds, whose remittance has no answer
	Cards        []CardSealed `cbor:"4,keyasint,omitempty"` // bound besides the first
	Own          OwnLimits    `cbor:"5,keyasint,omitzero"`
	DormantFen   int64        `cbor:"6,keyasint,omitempty"` // what waits among the dormant balances
	Delayed      []Delayed    `cbor:"7,keyasint,omitempty"` // payments that wait for a decision (风险暂缓)
}

// special is what the account has of it, not to be changed.
func (a *EAccount) special() Special {
	if a.Special == nil {
		return Special{}
	}
	return *a.Special
}

// become changes it.
func (a *EAccount) become(change func(*Special)) {
	s := a.special()
	change(&s)
	a.Special = &s
	if len(s.Restrictions)+len(s.Holds)+len(s.Deductions)+len(s.Cards)+len(s.Delayed) == 0 && s.Own == (OwnLimits{}) && s.DormantFen == 0 {
		a.Special = nil
	}
}

// Counter adds up amounts per day and calendar year of the accounting date.
type Counter struct {
	Day     Date  `cbor:"1,keyasint,omitempty"`
	DayFen  int64 `cbor:"2,keyasint,omitempty"`
	YearFen int64 `cbor:"3,keyasint,omitempty"` // of the year of Day
}

// On returns the totals of the day and of its year.
func (c *Counter) On(day Date) (dayFen, yearFen int64) {
	switch {
	case c.Day == day:
		return c.DayFen, c.YearFen
	case c.Day.Year() == day.Year():
		return 0, c.YearFen
	}
	return 0, 0
}

// Add counts an amount on a day. Amounts of a day before the last one count for the year only.
func (c *Counter) Add(day Date, fen int64) {
	if day > c.Day {
		_, year := c.On(day)
		*c = Counter{Day: day, YearFen: year}
	}
	if day == c.Day {
		c.DayFen += fen
	}
	if day.Year() == c.Day.Year() {
		c.YearFen += fen
	}
}

// InFlight is a two-phase transfer that waits for its channel.
type InFlight struct {
	Txn          TxnID     `cbor:"1,keyasint,omitempty"`
	Out          bool      `cbor:"2,keyasint,omitempty"` // to the channel; false: from it
	Account      AccountNo `cbor:"3,keyasint,omitempty"`
	AmountFen    int64     `cbor:"4,keyasint,omitempty"`
	FeeFen       int64     `cbor:"5,keyasint,omitempty"`
	Bound        bool      `cbor:"6,keyasint,omitempty"`
	Channel      Channel   `cbor:"7,keyasint,omitempty"`
	PendingID    U128      `cbor:"8,keyasint,omitempty"`
	FeePendingID U128      `cbor:"9,keyasint,omitempty"`
	Date         Date      `cbor:"10,keyasint,omitempty"` // accounting date of the request
	CountedOn    Date      `cbor:"11,keyasint,omitempty"` // the day whose out counter it uses; zero: none
	Payment      bool      `cbor:"12,keyasint,omitempty"` // 消费、缴费
	UnknownSince Date      `cbor:"13,keyasint,omitempty"` // the channel has not answered in time; zero: it still may
}

// Deposit is a term deposit (定期存款).
type Deposit struct {
	No            ContractNo   `cbor:"1,keyasint,omitempty"`
	Account       AccountNo    `cbor:"2,keyasint,omitempty"`
	Product       string       `cbor:"3,keyasint,omitempty"`
	OpenedFen     int64        `cbor:"4,keyasint,omitempty"`
	PrincipalFen  int64        `cbor:"5,keyasint,omitempty"` // now; zero: paid out
	RateE6        int64        `cbor:"6,keyasint,omitempty"`
	TermMonths    int          `cbor:"7,keyasint,omitempty"`
	OpenDate      Date         `cbor:"8,keyasint,omitempty"`
	MaturityDate  Date         `cbor:"9,keyasint,omitempty"`
	Rollover      Rollover     `cbor:"10,keyasint,omitempty"`
	CertificateNo string       `cbor:"11,keyasint,omitempty"`
	Base          InterestBase `cbor:"12,keyasint,omitempty"`
	AccruedFen    int64        `cbor:"13,keyasint,omitempty"` // of the term, posted to interest payable so far
	// Copied from the product when it was opened.
	Method     InterestMethod  `cbor:"16,keyasint,omitempty"`
	MinimumFen int64           `cbor:"17,keyasint,omitempty"`
	MaxPartial int             `cbor:"18,keyasint,omitempty"` // part redemptions before maturity; zero: any number
	Subjects   DepositSubjects `cbor:"19,keyasint,omitzero"`

	Partials          int           `cbor:"20,keyasint,omitempty"` // so far
	OverdueAccruedFen int64         `cbor:"21,keyasint,omitempty"` // demand interest past the term, posted so far
	Holds             []DepositHold `cbor:"22,keyasint,omitempty"`
	RolledFrom        ContractNo    `cbor:"23,keyasint,omitempty"` // the deposit it follows
}

// CreditLine is a granted line (授信). What is still available is in the ledger.
type CreditLine struct {
	No         ContractNo `cbor:"1,keyasint,omitempty"`
	Product    string     `cbor:"2,keyasint,omitempty"`
	LimitFen   int64      `cbor:"3,keyasint,omitempty"`
	RateE6     int64      `cbor:"4,keyasint,omitempty"`
	ValidUntil Date       `cbor:"5,keyasint,omitempty"`
	Revolving  bool       `cbor:"6,keyasint,omitempty"`
	Purpose    string     `cbor:"7,keyasint,omitempty"`
}

// Loan (借据) is a drawdown and its schedule.
type Loan struct {
	No           ContractNo      `cbor:"1,keyasint,omitempty"`
	Line         ContractNo      `cbor:"2,keyasint,omitempty"`
	Account      AccountNo       `cbor:"3,keyasint,omitempty"`
	Product      string          `cbor:"4,keyasint,omitempty"`
	PrincipalFen int64           `cbor:"5,keyasint,omitempty"`
	RemainingFen int64           `cbor:"6,keyasint,omitempty"`
	RateE6       int64           `cbor:"7,keyasint,omitempty"`
	Method       RepaymentMethod `cbor:"8,keyasint,omitempty"`
	DueDay       int             `cbor:"9,keyasint,omitempty"`
	Periods      int             `cbor:"10,keyasint,omitempty"`
	OpenDate     Date            `cbor:"11,keyasint,omitempty"`
	Maturity     Date            `cbor:"12,keyasint,omitempty"`
	Purpose      string          `cbor:"13,keyasint,omitempty"`
	AccruedFen   int64           `cbor:"14,keyasint,omitempty"` // interest posted to accrued-not-due and not yet moved on
	Schedule     []Owed          `cbor:"15,keyasint,omitempty"`
	Settled      bool            `cbor:"16,keyasint,omitempty"`
}

// Owed is an instalment and what has been paid of it. Its stored fields stand beside the instalment's, so
// their numbers leave those room.
type Owed struct {
	Instalment
	Due              bool  `cbor:"17,keyasint,omitempty"` // interest has been moved to receivable (L07)
	PaidPrincipalFen int64 `cbor:"18,keyasint,omitempty"`
	PaidInterestFen  int64 `cbor:"19,keyasint,omitempty"`
}

// Open reports whether anything of the instalment is unpaid.
func (o *Owed) Open() bool {
	return o.PaidPrincipalFen < o.PrincipalFen || o.PaidInterestFen < o.InterestFen
}

func (c *Customer) account(no AccountNo) *EAccount {
	for i := range c.Accounts {
		if c.Accounts[i].No == no {
			return &c.Accounts[i]
		}
	}
	return nil
}

func (c *Customer) deposit(no ContractNo) *Deposit {
	if i := int(no.Seq()) - 1; no.Kind() == DepositContract && i < len(c.Deposits) {
		return &c.Deposits[i]
	}
	return nil
}

func (c *Customer) line(no ContractNo) *CreditLine {
	if i := int(no.Seq()) - 1; no.Kind() == LineContract && i < len(c.Lines) {
		return &c.Lines[i]
	}
	return nil
}

func (c *Customer) loan(no ContractNo) *Loan {
	if i := int(no.Seq()) - 1; no.Kind() == LoanContract && i < len(c.Loans) {
		return &c.Loans[i]
	}
	return nil
}

func (c *Customer) inFlight(txn TxnID) *InFlight {
	for i := range c.InFlight {
		if c.InFlight[i].Txn == txn {
			return &c.InFlight[i]
		}
	}
	return nil
}
