package bank

// Customer is everything the bank decides on for one customer: the fold of his events.
// Balances are not here: the ledger has them.
type Customer struct {
	No         CustomerNo
	Seq        uint64 // decisions taken so far
	Registered Date   // zero: not a customer (yet)
	IDKind     IDKind
	Person     PersonSealed
	Region     uint32

	Accounts     []EAccount
	Deposits     []Deposit
	Lines        []CreditLine
	Loans        []Loan
	Applications uint32

	// InFlight are two-phase transfers whose channel has not answered.
	InFlight []InFlight
}

// AccountState is the state of an e-account (SPEC 2.6).
type AccountState string

// The states reached so far.
const (
	AccountNormal      AccountState = "NORMAL"
	AccountStateClosed AccountState = "CLOSED"
)

// EAccount (电子账户) is the paying side of an account; the receiving side is its Standing.
type EAccount struct {
	No         AccountNo
	Product    string
	State      AccountState
	OpenedOn   Date
	FaceToFace bool
	Card       CardSealed
	Out        Counter // consumption, payment and transfers out to other than the bound card, one counter
}

// Counter adds up amounts per day and calendar year of the accounting date.
type Counter struct {
	Day     Date
	DayFen  int64
	YearFen int64 // of the year of Day
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
	Txn          TxnID
	Out          bool // to the channel; false: from it
	Account      AccountNo
	AmountFen    int64
	FeeFen       int64
	Bound        bool
	Channel      Channel
	PendingID    U128
	FeePendingID U128
	Date         Date // accounting date of the request
	CountedOn    Date // the day whose out counter it uses; zero: none
}

// Deposit is a term deposit (定期存款).
type Deposit struct {
	No            ContractNo
	Account       AccountNo
	Product       string
	OpenedFen     int64
	PrincipalFen  int64 // now; zero: paid out
	RateE6        int64
	TermMonths    int
	OpenDate      Date
	MaturityDate  Date
	Rollover      Rollover
	CertificateNo string
	Base          InterestBase
	AccruedFen    int64 // posted to interest payable so far
}

// CreditLine is a granted line (授信). What is still available is in the ledger.
type CreditLine struct {
	No         ContractNo
	Product    string
	LimitFen   int64
	RateE6     int64
	ValidUntil Date
	Revolving  bool
	Purpose    string
}

// Loan (借据) is a drawdown and its schedule.
type Loan struct {
	No           ContractNo
	Line         ContractNo
	Account      AccountNo
	Product      string
	PrincipalFen int64
	RemainingFen int64
	RateE6       int64
	Method       RepaymentMethod
	DueDay       int
	Periods      int
	OpenDate     Date
	Maturity     Date
	Purpose      string
	AccruedFen   int64 // interest posted to accrued-not-due and not yet moved on
	Schedule     []Owed
	Settled      bool
}

// Owed is an instalment and what has been paid of it.
type Owed struct {
	Instalment
	Due              bool // interest has been moved to receivable (L07)
	PaidPrincipalFen int64
	PaidInterestFen  int64
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
