package bank

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// AccountingDay (会计日) is the bank's own day: business state, journalled like any other, and not the clock
// (SPEC 3.5). It belongs to BankHouse, whose actor alone moves it.
//
// A day D ends with the day cut (日切): DayCutStarted says that D+1 has begun, DayCutFinished that nothing can be
// booked on D any more but the bank's own work of its end. That work is the steps of DaySteps, in order; the
// next cut waits for it.
type AccountingDay struct {
	Current   Date    `cbor:"1,keyasint,omitempty"` // what is booked now; zero: the bank has not opened
	CutMinute int     `cbor:"2,keyasint,omitempty"` // 日切时间: minutes after midnight in Shanghai, 0…1439
	FenceSeq  uint64  `cbor:"3,keyasint,omitempty"` // day cuts begun so far
	Closing   Date    `cbor:"4,keyasint,omitempty"` // the day before Current, while its last chains are under way; zero: none
	Working   Date    `cbor:"5,keyasint,omitempty"` // the day closed last, while steps of it are left; zero: none
	Done      DayStep `cbor:"6,keyasint,omitempty"` // the last step of Working that is finished; zero: none
}

// BankHouse is the house that keeps the accounting day.
var BankHouse = HouseNo(0)

// DayStep is a step of a day's end (日终) and of the next day's beginning (日初).
type DayStep uint8

// The steps, in their order (SPEC 3.5). The day cut comes before them.
const (
	StepReconcile   DayStep = iota + 1 // 渠道对账
	StepLoansDue                       // 贷款到期未还
	StepCustomers                      // 客户日终
	StepAccrue                         // 计提入账
	StepClassify                       // 分类与减值
	StepCheck                          // 试算平衡与核对
	StepBegin                          // 日初: 活期结息, 定期到期
	StepInstalments                    // 贷款到期应还与自动扣款
)

// DayStepName is what a step is called in journal and API, and by people.
type DayStepName struct {
	Step         DayStep
	Code, Zh, En string
}

// DaySteps names them, in order.
var DaySteps = []DayStepName{
	{StepReconcile, "RECONCILE", "渠道对账", "channels' files of the day before reconciled"},
	{StepLoansDue, "LOANS_DUE", "贷款逾期处理", "loans due and unpaid"},
	{StepCustomers, "CUSTOMERS", "客户日终", "every customer's day closed"},
	{StepAccrue, "ACCRUE", "计提入账", "interest accrued, by product and shard"},
	{StepClassify, "CLASSIFY", "分类与减值", "loans classified, losses expected"},
	{StepCheck, "CHECK", "试算平衡与核对", "trial balance and daily checks"},
	{StepBegin, "BEGIN", "日初: 结息与到期", "demand interest credited, deposits matured"},
	{StepInstalments, "INSTALMENTS", "贷款应还与自动扣款", "instalments due and their deduction"},
}

// String is the step's code.
func (s DayStep) String() string {
	for _, d := range DaySteps {
		if d.Step == s {
			return d.Code
		}
	}
	return ""
}

// MarshalText writes the form of String.
func (s DayStep) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// lastStep is the one behind which the day's work is done.
var lastStep = DaySteps[len(DaySteps)-1].Step

// minutesPerDay is also what CutMinute stays below.
const minutesPerDay = 24 * 60

// CutAt is when the date ends. A cut in the first half of a day ends the day before, one in the second half the
// day itself.
func (a *AccountingDay) CutAt(d Date) time.Time {
	midnight := time.Date(d.Year(), time.Month(d.Month()), d.Day()+1, 0, 0, 0, 0, shanghai)
	return midnight.Add(a.shift())
}

// DateAt is the date that the clock says it is, by the cut time.
func (a *AccountingDay) DateAt(t time.Time) Date { return DateOf(t.Add(-a.shift())) }

func (a *AccountingDay) shift() time.Duration {
	minutes := a.CutMinute
	if minutes >= minutesPerDay/2 {
		minutes -= minutesPerDay
	}
	return time.Duration(minutes) * time.Minute
}

// SystemCommand is something that the bank itself has a customer's actor decide at a day's end or beginning.
type SystemCommand struct {
	Command Command
	Step    string // what for, in one word: of the command's key
	Ref     string // which of the customer's accounts or contracts it is about; empty: himself
}

// Key is the command's id: the same each time that the step is taken for the date, so that nothing is done twice.
func (s *SystemCommand) Key(date Date) U128 {
	text := fmt.Appendf(nil, "system command\x00%s\x00%s\x00%s\x00%s", date, s.Step, DeciderOf(s.Command), s.Ref)
	h := sha256.Sum256(text)
	return U128{Lo: binary.LittleEndian.Uint64(h[0:]), Hi: binary.LittleEndian.Uint64(h[8:])}
}

// EndOfDay lists what is to be decided for the customer at the end of the date, in order. A customer for whom
// nothing is left to do has an empty list.
func EndOfDay(c *Customer, d *Desk, date Date, cat *Catalogue) []SystemCommand {
	return closing(c, d, date)
}

// BeginOfDay lists what is to be decided for the customer at the beginning of the date.
func BeginOfDay(c *Customer, d *Desk, date Date, cat *Catalogue) []SystemCommand {
	return slices.Concat(crediting(d, date), lapsing(c, date), maturing(c, date), accountsDue(c, d, date, cat), owing(d))
}

// OpenDay (开业) begins the bank's first accounting day.
type OpenDay struct {
	Date      Date
	CutMinute int
}

// StartDayCut (日切开始) begins the day after Date.
type StartDayCut struct{ Date Date }

// FinishDayCut (日切完成) says that nothing of the date is under way any more.
type FinishDayCut struct{ Date Date }

// FinishDayStep says that the steps of the date's end up to this one are done for all customers and shards.
type FinishDayStep struct {
	Date Date
	Step DayStep
}

// PostAccruals (计提入账, E17 and D02) posts what a shard's contracts have earned on a date: one transfer for each
// product.
type PostAccruals struct {
	Shard    uint16
	Date     Date
	Accruals []AccrualSum
}

// AccrualSum is the interest accrued in a day by all contracts of a product in a shard.
type AccrualSum struct {
	Product   string // of a deposit, or of the e-accounts that earn demand interest
	DeltaFen  int64  // below zero: less than had been accrued
	Contracts int
}

// RecordTrialBalance (试算平衡) keeps the balances by subject at the end of a date.
type RecordTrialBalance struct {
	Date     Date
	Ledger   uint32
	Subjects []SubjectBalance
}

// Operation names, stable.
func (*OpenDay) Operation() string            { return "open_day" }
func (*StartDayCut) Operation() string        { return "start_day_cut" }
func (*FinishDayCut) Operation() string       { return "finish_day_cut" }
func (*FinishDayStep) Operation() string      { return "finish_day_step" }
func (*PostAccruals) Operation() string       { return "post_accruals" }
func (*RecordTrialBalance) Operation() string { return "record_trial_balance" }

// DayOpened (开业).
type DayOpened struct {
	Date      Date `cbor:"1,keyasint" json:"date"`
	CutMinute int  `cbor:"2,keyasint,omitempty" json:"cut_minute"`
}

// DayCut is a day cut; the events that carry it say how far it is.
type DayCut struct {
	From     Date   `cbor:"1,keyasint" json:"from_date"`
	To       Date   `cbor:"2,keyasint" json:"to_date"`
	FenceSeq uint64 `cbor:"3,keyasint" json:"fence_seq"`
}

// The beginning and end of a day cut (日切).
type (
	DayCutStarted  struct{ DayCut }
	DayCutFinished struct{ DayCut }
)

// DayStepFinished (日终步骤完成): this step, and those before it, which had nothing to do.
type DayStepFinished struct {
	Date Date    `cbor:"1,keyasint" json:"date"`
	Step DayStep `cbor:"2,keyasint" json:"step"`
}

// InterestAccrued is what a shard's contracts of one product have earned on a date.
type InterestAccrued struct {
	TxnID   TxnID  `cbor:"1,keyasint" json:"txn_id"`
	Date    Date   `cbor:"2,keyasint" json:"accounting_date"`
	Product string `cbor:"3,keyasint" json:"product"`
	Shard   uint16 `cbor:"4,keyasint,omitempty" json:"shard"`
	SumFen  int64  `cbor:"5,keyasint,omitempty" json:"sum_amount_fen"`
}

// DemandInterestAccrued (活期计提).
type DemandInterestAccrued struct {
	InterestAccrued
	Accounts int `cbor:"6,keyasint,omitempty" json:"accounts"`
}

// DepositAccrued (定期计提).
type DepositAccrued struct {
	InterestAccrued
	Deposits int `cbor:"6,keyasint,omitempty" json:"deposits"`
}

// SubjectBalance is a subject's posted sums since the bank opened, in fen.
type SubjectBalance struct {
	Detail    uint32 `cbor:"1,keyasint" json:"detail"`
	DebitFen  int64  `cbor:"2,keyasint,omitempty" json:"debit_fen"`
	CreditFen int64  `cbor:"3,keyasint,omitempty" json:"credit_fen"`
}

// TrialBalanced (试算平衡): the subjects of a ledger at the end of a date.
type TrialBalanced struct {
	Date           Date             `cbor:"1,keyasint" json:"date"`
	Ledger         uint32           `cbor:"2,keyasint" json:"ledger"`
	Subjects       []SubjectBalance `cbor:"3,keyasint,omitempty" json:"subject_balances"`
	DebitTotalFen  int64            `cbor:"4,keyasint,omitempty" json:"debit_total_fen"`
	CreditTotalFen int64            `cbor:"5,keyasint,omitempty" json:"credit_total_fen"`
}

// EventType of each event.
func (*DayOpened) EventType() EventType             { return EventDayOpened }
func (*DayCutStarted) EventType() EventType         { return EventDayCutStarted }
func (*DayCutFinished) EventType() EventType        { return EventDayCutFinished }
func (*DayStepFinished) EventType() EventType       { return EventDayStepFinished }
func (*DemandInterestAccrued) EventType() EventType { return EventDemandInterestAccrued }
func (*DepositAccrued) EventType() EventType        { return EventDepositAccrued }
func (*TrialBalanced) EventType() EventType         { return EventTrialBalanced }

// DateBegun reports whether an event begins an accounting date, and which.
func DateBegun(e Event) (Date, bool) {
	switch m := e.(type) {
	case *DayOpened:
		return m.Date, true
	case *DayCutStarted:
		return m.To, true
	}
	return 0, false
}

// accountingDay is the customer's, who is the bank's house; the zero day before the bank has opened.
func (c *Customer) accountingDay() AccountingDay {
	if c.Day == nil {
		return AccountingDay{}
	}
	return *c.Day
}

func (*OpenDay) decider() CustomerNo  { return BankHouse }
func (*OpenDay) unknown() RefusalCode { return CustomerUnknown }
func (*OpenDay) through() Channel     { return ChannelBatch }
func (*OpenDay) ofHouse()             {}

func (m *OpenDay) decide(c *Customer, _ *Env, d *Decision) *Refusal {
	if c.Day != nil {
		return &Refusal{Code: DateClosed}
	}
	d.Events = []Event{&DayOpened{m.Date, m.CutMinute}}
	return nil
}

func (*StartDayCut) decider() CustomerNo  { return BankHouse }
func (*StartDayCut) unknown() RefusalCode { return CustomerUnknown }
func (*StartDayCut) through() Channel     { return ChannelBatch }
func (*StartDayCut) ofHouse()             {}

func (m *StartDayCut) decide(c *Customer, _ *Env, d *Decision) *Refusal {
	day := c.accountingDay()
	switch {
	case day.Current != m.Date:
		return &Refusal{Code: DateClosed}
	case day.Closing != 0 || day.Working != 0:
		return &Refusal{Code: DayUnfinished}
	}
	d.Events = []Event{&DayCutStarted{DayCut{m.Date, m.Date.AddDays(1), day.FenceSeq + 1}}}
	return nil
}

func (*FinishDayCut) decider() CustomerNo  { return BankHouse }
func (*FinishDayCut) unknown() RefusalCode { return CustomerUnknown }
func (*FinishDayCut) through() Channel     { return ChannelBatch }
func (*FinishDayCut) ofHouse()             {}

func (m *FinishDayCut) decide(c *Customer, _ *Env, d *Decision) *Refusal {
	day := c.accountingDay()
	if day.Closing != m.Date {
		return &Refusal{Code: DateClosed}
	}
	d.Events = []Event{&DayCutFinished{DayCut{m.Date, day.Current, day.FenceSeq}}}
	return nil
}

func (*FinishDayStep) decider() CustomerNo  { return BankHouse }
func (*FinishDayStep) unknown() RefusalCode { return CustomerUnknown }
func (*FinishDayStep) through() Channel     { return ChannelBatch }
func (*FinishDayStep) ofHouse()             {}

func (m *FinishDayStep) decide(c *Customer, _ *Env, d *Decision) *Refusal {
	day := c.accountingDay()
	switch {
	case day.Working != m.Date:
		return &Refusal{Code: DateClosed}
	case m.Step <= day.Done || m.Step > lastStep:
		return &Refusal{Code: FieldInvalid, Field: "step"}
	}
	d.Events = []Event{&DayStepFinished{m.Date, m.Step}}
	return nil
}

func (m *PostAccruals) decider() CustomerNo { return HouseNo(m.Shard) }
func (*PostAccruals) unknown() RefusalCode  { return CustomerUnknown }
func (*PostAccruals) through() Channel      { return ChannelBatch }
func (*PostAccruals) ofHouse()              {}

func (m *PostAccruals) decide(_ *Customer, env *Env, d *Decision) *Refusal {
	c := chain{txn: d.Txn}
	for _, a := range m.Accruals {
		accrued := InterestAccrued{d.Txn, m.Date, a.Product, m.Shard, a.DeltaFen}
		payable, expense := interestDetails(a.Product, env.Catalogue)
		if env.Catalogue.Deposit(a.Product) != nil {
			d.Events = append(d.Events, &DepositAccrued{accrued, a.Contracts})
		} else {
			d.Events = append(d.Events, &DemandInterestAccrued{accrued, a.Contracts})
		}
		c.trueUp(a.DeltaFen, 0, bankAccount(expense, 0, d), bankAccount(payable, uint64(m.Shard), d), 2031, 2032)
	}
	d.Legs = c.legs
	return nil
}

func (*RecordTrialBalance) decider() CustomerNo  { return BankHouse }
func (*RecordTrialBalance) unknown() RefusalCode { return CustomerUnknown }
func (*RecordTrialBalance) through() Channel     { return ChannelBatch }
func (*RecordTrialBalance) ofHouse()             {}

func (m *RecordTrialBalance) decide(_ *Customer, _ *Env, d *Decision) *Refusal {
	e := &TrialBalanced{Date: m.Date, Ledger: m.Ledger, Subjects: m.Subjects}
	for _, s := range m.Subjects {
		e.DebitTotalFen += s.DebitFen
		e.CreditTotalFen += s.CreditFen
	}
	d.Events = []Event{e}
	return nil
}

// AccrualChange is a change of what a contract has accrued and not paid, in the interest payable it stands in.
type AccrualChange struct {
	Payable uint32 // detail subject
	Fen     int64
}

// Accrues reports whether events of the type change what contracts have accrued.
func Accrues(t EventType) bool {
	switch t {
	case EventCustomerDayClosed, EventDepositMatured, EventDepositRolledOver, EventDepositRedeemedEarly,
		EventDepositRedeemedAfterMaturity, EventDepositDeducted, EventDemandInterestPaid:
		return true
	}
	return false
}

// AccrualChanges are those of an event.
func AccrualChanges(e Event, cat *Catalogue) (changes []AccrualChange) {
	change := func(product string, fen int64) {
		payable, _ := interestDetails(product, cat)
		changes = append(changes, AccrualChange{payable, fen})
	}
	paid := func(m *DepositPaid) {
		change(m.Product, -m.AccrualReleasedFen-m.InterestFen)
		changes = append(changes, AccrualChange{DetailDemandPayable, -m.OverdueReleasedFen - m.OverdueInterestFen})
	}
	switch m := e.(type) {
	case *CustomerDayClosed:
		for _, a := range m.Accruals {
			change(a.Product, a.DeltaFen)
		}
	case *DepositMatured:
		paid(&m.DepositPaid)
	case *DepositRedeemedEarly:
		paid(&m.DepositPaid)
	case *DepositRedeemedAfterMaturity:
		paid(&m.DepositPaid)
	case *DepositDeducted:
		paid(&m.DepositPaid)
	case *DepositRolledOver:
		change(m.Product, -m.InterestFen) // the term's accrual lands on it
	case *DemandInterestPaid:
		change(m.Product, -m.AccruedFen)
	}
	return changes
}

// interestDetails are the subjects in which a product's interest is payable and an expense: a deposit's own, or
// those of demand interest.
func interestDetails(product string, cat *Catalogue) (payable, expense uint32) {
	if p := cat.Deposit(product); p != nil {
		return p.PayableDetail, p.ExpenseDetail
	}
	return DetailDemandPayable, DetailDemandExpense
}

// applyDay folds an event of the accounting day into the house that keeps it.
func (c *Customer) applyDay(e Event) {
	switch m := e.(type) {
	case *DayOpened:
		c.Day = &AccountingDay{Current: m.Date, CutMinute: m.CutMinute}
	case *DayCutStarted:
		c.Day.Current, c.Day.Closing, c.Day.FenceSeq = m.To, m.From, m.FenceSeq
	case *DayCutFinished:
		c.Day.Closing, c.Day.Working, c.Day.Done = 0, m.From, 0
	case *DayStepFinished:
		if c.Day.Done = m.Step; m.Step == lastStep {
			c.Day.Working, c.Day.Done = 0, 0
		}
	}
}
