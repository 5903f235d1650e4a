package bank

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// DayReport (日终报告) is what an accountant reads in the morning: the trial balance of a date and the daily
// checks R1 to R12 (SPEC 3.5).
type DayReport struct {
	Date      Date   `json:"date"`
	MadeAt    string `json:"made_at"`  // RFC 3339
	Position  uint64 `json:"position"` // of the journal, up to which everything is counted
	Fence     uint64 `json:"fence"`    // position with which the date's cut began; zero: the date goes on
	Agrees    bool   `json:"agrees"`   // no check is broken
	Customers int64  `json:"customers"`

	Checks  []DayCheck `json:"checks"`
	Ledgers []Trial    `json:"ledgers"`

	// Tellers is what each channel's virtual tellers have journalled on the date.
	Tellers []TellerTally `json:"tellers,omitempty"`

	// Tally is what the next day's report begins with.
	Tally DayTally `json:"tally"`
}

// DayCheck is one of the daily checks and what came of it.
type DayCheck struct {
	ID     string      `json:"id"` // R1…R12
	Zh     string      `json:"zh"`
	En     string      `json:"en"`
	Result CheckResult `json:"result"`
	// Detail says what was compared, or why nothing was.
	Detail string `json:"detail"`
	// Findings are the first differences; Differences is how many there are.
	Findings    []string `json:"findings,omitempty"`
	Differences int      `json:"differences,omitzero"`
}

// TellerTally (柜员轧账) sums up a channel's virtual tellers (虚拟柜员): one for each shard.
type TellerTally struct {
	Channel   Channel `json:"channel"` // empty: the bank itself
	Tellers   int     `json:"tellers"` // that have journalled something
	Records   int64   `json:"records"`
	PostedFen int64   `json:"posted_fen"` // debits, and as much of credits, of all ledgers
	First     uint64  `json:"first"`      // positions in the bank's journal
	Last      uint64  `json:"last"`
	// Each is each of them; nil in reports of before they numbered their journals.
	Each []TellerDay `json:"each,omitempty"`
}

// TellerDay is a virtual teller's journal of a date: from his first record (签到) to his last (签退), 1 to n.
type TellerDay struct {
	Teller  uint16         `json:"teller"` // TellerOf; with the channel his name (TellerName)
	Records int64          `json:"records"`
	First   uint64         `json:"first_serial"` // numbers in his journal (流水号)
	Last    uint64         `json:"last_serial"`
	Posted  []TellerPosted `json:"posted,omitempty"`
}

// TellerPosted is what a teller has posted in a ledger, which is a currency or a memo (表外).
type TellerPosted struct {
	Ledger    uint32 `json:"ledger"`
	Transfers int64  `json:"transfers"`
	Fen       int64  `json:"fen"` // debits, and as much of credits
}

// TellersAhead is what a channel's tellers have journalled of a date that had not begun.
type TellersAhead struct {
	Date    Date        `json:"date"`
	Channel Channel     `json:"channel"`
	Each    []TellerDay `json:"each"`
}

// CheckResult is what came of a check.
type CheckResult string

// The results.
const (
	CheckOK            CheckResult = "OK"
	CheckBroken        CheckResult = "BROKEN"
	CheckNotApplicable CheckResult = "NOT_APPLICABLE" // what it compares does not exist yet
)

// Trial (试算平衡表) is the trial balance of a ledger.
type Trial struct {
	Ledger    uint32     `json:"ledger"`
	Subjects  []TrialRow `json:"subjects"`
	DebitFen  int64      `json:"debit_total_fen"`
	CreditFen int64      `json:"credit_total_fen"`
}

// TrialRow is a subject's posted sums and balance, in fen.
type TrialRow struct {
	SubjectBalance
	Zh       string `json:"zh"`
	En       string `json:"en"`
	Accounts int    `json:"accounts"`
}

// DayTally is what records add up to: what the journal says that subjects, accruals and transfers in flight come to.
type DayTally struct {
	Subjects []SubjectTally `json:"subjects"`
	Accrued  []AccruedTally `json:"accrued"`
	InFlight []FlightTally  `json:"in_flight,omitempty"`
	// Clearing is of every channel that clears; nil in reports of before it was counted.
	Clearing []ClearingTally `json:"clearing,omitempty"`
	// Numbered: the tellers number their journals; not so in reports of before.
	Numbered bool           `json:"numbered,omitzero"`
	Ahead    []TellersAhead `json:"ahead,omitempty"`
}

// FlightTally is what is under way to or from a channel, by events.
type FlightTally struct {
	Channel   Channel   `json:"channel"`
	Direction Direction `json:"direction"`
	Fen       int64     `json:"fen"`
}

// ClearingTally is what a channel's clearing accounts and its files come to. Above zero: we owe the channel.
type ClearingTally struct {
	Channel Channel `json:"channel"`
	// OpeningFen is what the clearing accounts stood at before the first of Days; Opening says from when: zero, if the
	// books go back to the bank's first day.
	OpeningFen int64         `json:"opening_fen"`
	Opening    Date          `json:"opening,omitzero"`
	NetFen     int64         `json:"net_fen"`     // of the files of days before Days
	SettledFen int64         `json:"settled_fen"` // of them
	Days       []ClearingDay `json:"days"`        // ascending
}

// ClearingDay is a date of a channel: what was booked on it, and its file.
type ClearingDay struct {
	Date     Date  `json:"date"`
	MovedFen int64 `json:"moved_fen"` // entries of the date, credits less debits, without those about files as a whole
	// SettledFen and ChargedFen are what was booked of the date's file so far, on whatever date: K01 and K07.
	SettledFen int64      `json:"settled_fen,omitzero"`
	ChargedFen int64      `json:"charged_fen,omitzero"`
	File       *FileTally `json:"file,omitempty"` // nil: it has not come
}

// FileTally is what the last file of a channel's day came to.
type FileTally struct {
	FinishedOn Date `json:"finished_on"`
	FileSums
	Open []Difference `json:"open,omitempty"` // the first that wait for a person
}

// SubjectTally is a subject's posted sums by the journal's entries.
type SubjectTally struct {
	Ledger uint32 `json:"ledger"`
	SubjectBalance
}

// AccruedTally is what contracts of a product in a shard have accrued and not paid, by their events.
type AccruedTally struct {
	Payable uint32 `json:"payable"` // detail subject
	Shard   uint16 `json:"shard"`
	Fen     int64  `json:"fen"`
}

// Findings are differences that a check has found: the first ones, and how many.
type Findings struct {
	First []string
	Count int
}

// findingsShown is how many differences of a check a report names.
const findingsShown = 10

// Add counts a difference.
func (f *Findings) Add(format string, args ...any) {
	if f.Count++; len(f.First) < findingsShown {
		f.First = append(f.First, fmt.Sprintf(format, args...))
	}
}

// Join adds the differences that another look has found.
func (f *Findings) Join(other Findings) {
	f.Count += other.Count
	f.First = append(f.First, other.First[:min(len(other.First), findingsShown-len(f.First))]...)
}

var checkMarks = map[CheckResult]string{CheckOK: "✓ 相符 agrees", CheckBroken: "✗ 不符 BROKEN", CheckNotApplicable: "– 不适用 not applicable"}

// Text is the report for people, in Chinese and English.
func (r *DayReport) Text() string {
	var b strings.Builder
	verdict := "全部相符 all checks agree"
	if !r.Agrees {
		verdict = "有核对不符,请立即处理 CHECKS ARE BROKEN: act now"
	}
	fmt.Fprintf(&b, "日终报告 Report of the day  %s\n%s\n\n编制时间 made at %s, 日志位置 journal position %d, 客户数 customers %d\n\n核对 Checks\n",
		r.Date, verdict, r.MadeAt, r.Position, r.Customers)
	for i := range r.Checks {
		c := &r.Checks[i]
		fmt.Fprintf(&b, "  %-4s %s\n       %s  %s\n       %s\n", c.ID, checkMarks[c.Result], c.Zh, c.En, c.Detail)
		for _, f := range c.Findings {
			fmt.Fprintf(&b, "       * %s\n", f)
		}
		if more := c.Differences - len(c.Findings); more > 0 {
			fmt.Fprintf(&b, "       … 另有 and %d more\n", more)
		}
	}
	if len(r.Tellers) > 0 {
		fmt.Fprintf(&b, "\n柜员轧账 Tellers (元 yuan)\n  %-12s %8s %12s %20s  流水号 numbers\n", "渠道 channel", "柜员 tellers", "笔数 records", "借贷各 posted")
	}
	for _, t := range r.Tellers {
		fmt.Fprintf(&b, "  %-12s %8d %12d %20s  %s\n", cmp.Or(t.Channel.String(), "本行 bank"), t.Tellers, t.Records, Yuan(t.PostedFen), t.numbers())
	}
	for i := range r.Ledgers {
		t := &r.Ledgers[i]
		fmt.Fprintf(&b, "\n试算平衡表 Trial balance, 账套 ledger %d (元 yuan)\n  %-8s %20s %20s %20s  科目 subject\n", t.Ledger, "code", "借方 debits", "贷方 credits", "余额 balance")
		for _, row := range t.Subjects {
			fmt.Fprintf(&b, "  %08d %20s %20s %20s  %s %s (%d)\n", row.Detail, Yuan(row.DebitFen), Yuan(row.CreditFen), balanceText(row.DebitFen-row.CreditFen), row.Zh, row.En, row.Accounts)
		}
		fmt.Fprintf(&b, "  %-8s %20s %20s\n", "合计", Yuan(t.DebitFen), Yuan(t.CreditFen))
	}
	return b.String()
}

// numbers says from where to where the tellers' journals go; of a report from before they numbered them, from which position
// to which.
func (t *TellerTally) numbers() string {
	if t.Each == nil {
		return fmt.Sprintf("位置 positions %d…%d", t.First, t.Last)
	}
	most := slices.MaxFunc(t.Each, func(a, b TellerDay) int { return cmp.Compare(a.Last, b.Last) })
	return fmt.Sprintf("每柜员 each 1…n, 最多 most %d (%s)", most.Last, TellerName(t.Channel, most.Teller))
}

// balanceText is a balance with its side (借, 贷).
func balanceText(debitFen int64) string {
	switch {
	case debitFen > 0:
		return "借 Dr " + Yuan(debitFen)
	case debitFen < 0:
		return "贷 Cr " + Yuan(-debitFen)
	}
	return "平 0.00"
}

// Yuan writes fen as yuan with two decimals and the thousands apart.
func Yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	whole := fmt.Sprint(fen / 100)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return fmt.Sprintf("%s%s.%02d", sign, whole, fen%100)
}
