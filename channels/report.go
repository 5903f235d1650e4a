package channels

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/suanpan-bank/suanpan/bank"
)

// Report (对账报告) is what came of comparing a channel's file.
type Report struct {
	Channel  bank.Channel `json:"channel"`
	Day      bank.Date    `json:"date"`
	FileHash string       `json:"file_sha256"`
	Matched  int          `json:"matched"`
	Ours     bank.Side    `json:"ours"`            // succeeded or in flight here
	Theirs   bank.Side    `json:"theirs"`          // succeeded there
	FeeFen   int64        `json:"channel_fee_fen"` // by the file
	// FeeBookedFen is what was booked for the day; another file of the day does not change it.
	FeeBookedFen int64 `json:"channel_fee_booked_fen"`
	NetFen       int64 `json:"net_settled_fen"` // what we paid the central bank's clearing account; negative: received
	// Differences are the first DifferencesShown, and of those that wait for a person the first bank.DifferencesListed
	// in any case; DifferencesAt is where all are.
	Differences     []bank.Difference `json:"differences"`
	DifferenceCount int               `json:"difference_count"`
	OpenCount       int               `json:"open_count"` // that wait for a person or the next file
	DifferencesAt   string            `json:"differences_at"`
	InFlight        []bank.Open       `json:"in_flight"`
	Clearing        Clearing          `json:"clearing"`

	by      bank.By
	sum     bank.FileSums
	persons []bank.Difference // the first that wait for a person
}

// DifferencesShown is how many differences a report lists.
const DifferencesShown = 1000

// Clearing is the channel's clearing accounts beside its transfers in flight.
type Clearing struct {
	OwedFen        int64 `json:"owed_fen"` // posted: above zero we owe the channel
	PendingInFen   int64 `json:"pending_in_fen"`
	PendingOutFen  int64 `json:"pending_out_fen"`
	InFlightInFen  int64 `json:"in_flight_in_fen"`
	InFlightOutFen int64 `json:"in_flight_out_fen"`
}

// Agrees reports whether what is pending is what is in flight (R6).
func (c Clearing) Agrees() bool {
	return c.PendingInFen == c.InFlightInFen && c.PendingOutFen == c.InFlightOutFen
}

func newReport(file *spool, by bank.By) *Report {
	return &Report{
		Channel: file.Channel, Day: file.Day, FileHash: file.hash, by: by, Differences: []bank.Difference{},
		DifferencesAt: fmt.Sprintf("/v1/channel/files/%s/%s/differences", file.Channel, file.Day),
	}
}

// take counts differences when what came of them is known, and lists the first.
func (r *Report) take(some []bank.Difference) {
	for _, d := range some {
		r.DifferenceCount++
		if d.Outcome == bank.ForAPerson {
			r.sum.OpenCount++
		}
		switch {
		case len(r.Differences) < DifferencesShown:
			r.Differences = append(r.Differences, d)
		case d.Outcome == bank.ForAPerson && len(r.persons) < bank.DifferencesListed:
			r.Differences = append(r.Differences, d)
		}
		if d.Outcome == bank.ForAPerson && len(r.persons) < bank.DifferencesListed {
			r.persons = append(r.persons, d)
		}
	}
}

// sums takes what the comparison comes to.
func (r *Report) sums(c *bank.Comparison) {
	persons := r.sum.OpenCount
	r.Matched, r.Ours, r.Theirs, r.sum = c.Matched, c.Ours, c.Theirs, c.Sums()
	r.sum.OpenCount, r.FeeFen = persons, r.sum.ChargesFen
	r.OpenCount = persons + r.sum.WaitCount
	slices.SortStableFunc(r.Differences, func(a, b bank.Difference) int { // as the file has them; behind them what only we have
		return cmp.Or(cmp.Compare(min(1, b.Line), min(1, a.Line)), cmp.Compare(a.Line, b.Line))
	})
}

// finished is the event: of its differences those first that wait for a person.
func (r *Report) finished() *bank.ReconciliationFinished {
	listed := slices.Clone(r.persons)
	for i := 0; i < len(r.Differences) && len(listed) < bank.DifferencesListed; i++ {
		if r.Differences[i].Outcome != bank.ForAPerson {
			listed = append(listed, r.Differences[i])
		}
	}
	return &bank.ReconciliationFinished{
		By: r.by, Channel: r.Channel, Day: r.Day, FileHash: r.FileHash,
		OursCount: r.Ours.Count, OursFen: r.Ours.InFen + r.Ours.OutFen, TheirsCount: r.Theirs.Count, TheirsFen: r.Theirs.InFen + r.Theirs.OutFen,
		DifferenceCount: r.DifferenceCount, Differences: listed, FileSums: r.sum,
	}
}

// differencesFile writes all differences of a reading.
type differencesFile struct {
	disk *os.File
	out  *csv.Writer
}

func newDifferences(path string) (*differencesFile, error) {
	disk, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	d := &differencesFile{disk, csv.NewWriter(disk)}
	return d, d.out.Write([]string{"kind", "line", "serial", "transfer_id", "direction", "ours_amount_fen", "theirs_amount_fen", "action", "outcome", "code"})
}

func (f *differencesFile) write(some []bank.Difference) error {
	for i := range some {
		d := &some[i]
		if err := f.out.Write([]string{
			string(d.Kind), strconv.Itoa(d.Line), d.Serial, transferOf(d), string(d.Direction), strconv.FormatInt(d.OursFen, 10),
			strconv.FormatInt(d.TheirsFen, 10), d.Action, string(d.Outcome), string(d.Code),
		}); err != nil {
			return err
		}
	}
	return nil
}

func (f *differencesFile) close() error {
	f.out.Flush()
	return errors.Join(f.out.Error(), f.disk.Close())
}

// kinds explains the differences in both languages.
var kinds = map[bank.DifferenceKind][2]string{
	bank.PendingSucceeded: {"渠道成功,本行在途", "the channel paid, pending here"},
	bank.PendingFailed:    {"渠道失败,本行在途", "the channel did not pay, pending here"},
	bank.VoidedSucceeded:  {"渠道成功,本行已撤销", "the channel paid, voided here"},
	bank.PostedFailed:     {"渠道失败,本行已记账", "the channel did not pay, posted here"},
	bank.MissingSucceeded: {"渠道成功,本行无记录", "the channel paid, nothing here"},
	bank.AmountDiffers:    {"金额不符", "the amounts differ"},
	bank.DirectionDiffers: {"方向不符", "the directions differ"},
	bank.DuplicateRow:     {"渠道重复", "twice in the file"},
	bank.OursOnly:         {"本行有,渠道无", "only here"},
}

// outcomes explains what was done.
var outcomes = map[bank.Resolution][2]string{
	bank.Resolved:       {"已处理", "resolved"},
	bank.ResolvedBefore: {"此前已处理", "resolved before"},
	bank.ForAPerson:     {"待人工处理", "for a person"},
	bank.Waits:          {"待下一对账文件", "waits for the next file"},
}

// Text writes the report as an accountant reads it.
func (r *Report) Text(w io.Writer) error {
	out := &printer{w: w}
	out.line("对账报告 Reconciliation  %s  %s", r.Channel, r.Day)
	out.line("文件 File (SHA-256)  %s", r.FileHash)
	out.line("")
	out.line("%-22s %8s %18s %18s", "", "笔数 count", "转入 in", "转出 out")
	out.line("%-22s %8d %18s %18s", "本行 ours", r.Ours.Count, yuan(r.Ours.InFen), yuan(r.Ours.OutFen))
	out.line("%-22s %8d %18s %18s", "渠道 theirs", r.Theirs.Count, yuan(r.Theirs.InFen), yuan(r.Theirs.OutFen))
	out.line("相符 matched %d,差异 differences %d,待处理 open %d", r.Matched, r.DifferenceCount, r.OpenCount)
	out.line("渠道手续费 channel fee %s(已入账 booked %s),清算净额(付) net paid %s", yuan(r.FeeFen), yuan(r.FeeBookedFen), yuan(r.NetFen))
	if len(r.Differences) > 0 {
		out.line("")
		out.line("差异 Differences")
	}
	for i := range r.Differences {
		d := &r.Differences[i]
		kind, outcome := kinds[d.Kind], outcomes[d.Outcome]
		out.line("  行 line %-5d %s %s", d.Line, d.Serial, transferOf(d))
		out.line("    %s / %s: %s 本行 ours %s, 渠道 theirs %s", kind[0], kind[1], d.Direction, yuan(d.OursFen), yuan(d.TheirsFen))
		out.line("    %s / %s%s", outcome[0], outcome[1], done(d))
	}
	if more := r.DifferenceCount - len(r.Differences); more > 0 {
		out.line("  … 另有 and %d more; 全部 all of them: GET %s", more, r.DifferencesAt)
	}
	out.line("")
	out.line("在途 in flight %d:转入 in %s,转出 out %s", len(r.InFlight), yuan(r.Clearing.InFlightInFen), yuan(r.Clearing.InFlightOutFen))
	verdict := "相符 agrees"
	if !r.Clearing.Agrees() {
		verdict = "不符 DIFFERS"
	}
	out.line("清算户在途 pending on clearing accounts: 转入 in %s,转出 out %s  %s", yuan(r.Clearing.PendingInFen), yuan(r.Clearing.PendingOutFen), verdict)
	out.line("清算户余额(欠渠道) owed to the channel %s", yuan(r.Clearing.OwedFen))
	return out.err
}

// printer writes lines until one fails.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}

func transferOf(d *bank.Difference) string {
	if d.Transfer.IsZero() {
		return ""
	}
	return d.Transfer.String()
}

// done says by what a difference was resolved.
func done(d *bank.Difference) string {
	switch {
	case d.Action == "":
		return ""
	case d.Code == "":
		return " (" + d.Action + ")"
	}
	return fmt.Sprintf(" (%s, %s)", d.Action, d.Code)
}
