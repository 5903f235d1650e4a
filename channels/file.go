package channels

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/suanpan-bank/suanpan/bank"
)

// A channel's daily file (渠道对账文件) is CSV (RFC 4180, UTF-8, lines ending in LF): a first line that says
// what it is, a line for each transfer, and a last one that says how many there are, so that a file cut short
// is refused. docs/channels.md has an example.
//
//	suanpan-channel-file,1,IBPS,2026-11-24,,,,
//	S1,01M8323BP50000000100000004,OUT,5000,6,SUCCESS,2026-11-24,
//	S2,,IN,10000,6,SUCCESS,2026-11-24,9990222000000000401
//	TOTAL,2,IN,10000,OUT,5000,FEE,12

// Limits of a file.
const (
	RowsMax   = 1_000_000
	serialMax = 40
	columns   = 8
	fileWord  = "suanpan-channel-file"
	version   = "1"
	totalWord = "TOTAL"
	succeeded = "SUCCESS"
	failed    = "FAILED"
)

// ErrFile is returned for what is not a channel's file.
var ErrFile = errors.New("not a channel's file")

// File says whose file it is.
type File struct {
	Channel bank.Channel
	Day     bank.Date
}

// ReadFile reads a file strictly, row by row: an error, which wraps ErrFile unless it is take's, names the line and what
// is wrong with it. What take was given counts only if there is none: whether the file is whole shows at its end.
func ReadFile(in io.Reader, take func(*File, *bank.FileRow) error) (*File, error) {
	r := csv.NewReader(in)
	r.FieldsPerRecord, r.ReuseRecord = columns, true
	f := &File{}
	var fault error // take's
	var total *totals
	var sum totals
	for line := 1; ; line++ {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrFile, err)
		case total != nil:
			return nil, fmt.Errorf("%w: line %d comes after the total", ErrFile, line)
		case line == 1:
			err = f.head(fields)
		case fields[0] == totalWord:
			total, err = readTotals(fields)
		case line > RowsMax+1:
			err = fmt.Errorf("more than %d transfers", RowsMax)
		default:
			var row bank.FileRow
			if row, err = readRow(fields, line); err == nil && row.Day != f.Day {
				err = fmt.Errorf("date %s in a file of %s", row.Day, f.Day)
			}
			if err == nil && !sum.add(&row) {
				err = errors.New("the total is beyond what can be counted")
			}
			if err == nil {
				fault = take(f, &row)
			}
		}
		if fault != nil {
			return nil, fault
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrFile, line, err)
		}
	}
	switch {
	case total == nil:
		return nil, fmt.Errorf("%w: the line %s is missing: the file is cut short", ErrFile, totalWord)
	case *total != sum:
		return nil, fmt.Errorf("%w: the lines come to %s, the total says %s", ErrFile, &sum, total)
	}
	return f, nil
}

func (f *File) head(fields []string) (err error) {
	if fields[0] != fileWord || fields[1] != version {
		return fmt.Errorf("it must begin with %s,%s", fileWord, version)
	}
	channel, ok := bank.ParseChannel(fields[2])
	if !ok || !channel.Clears() {
		return fmt.Errorf("no clearing channel is called %q", fields[2])
	}
	f.Channel = channel
	f.Day, err = bank.ParseDate(fields[3])
	if err != nil {
		return fmt.Errorf("date %q: %w", fields[3], err)
	}
	return nil
}

// totals are a file's last line: of the transfers that succeeded, and of all fees.
type totals struct {
	Count                 int
	InFen, OutFen, FeeFen int64
}

func (t *totals) String() string {
	return fmt.Sprintf("%d rows with %d fen in, %d out and %d of fees", t.Count, t.InFen, t.OutFen, t.FeeFen)
}

// sumMax bounds a file's sums.
const sumMax int64 = 1_000_000_000_000_000_000

func (t *totals) add(row *bank.FileRow) bool {
	t.Count++
	t.FeeFen += row.FeeFen
	if row.Success && row.Direction == bank.In {
		t.InFen += row.AmountFen
	}
	if row.Success && row.Direction == bank.Out {
		t.OutFen += row.AmountFen
	}
	return t.InFen <= sumMax && t.OutFen <= sumMax && t.FeeFen <= sumMax
}

func readTotals(fields []string) (*totals, error) {
	if fields[2] != "IN" || fields[4] != "OUT" || fields[6] != "FEE" {
		return nil, fmt.Errorf("the total is %s,count,IN,fen,OUT,fen,FEE,fen", totalWord)
	}
	var numbers [4]int64
	for i, at := range []int{1, 3, 5, 7} {
		n, err := number(fields[at], sumMax)
		if err != nil {
			return nil, err
		}
		numbers[i] = n
	}
	return &totals{int(numbers[0]), numbers[1], numbers[2], numbers[3]}, nil
}

// number reads a count or amount as it is written: no sign, no leading zero.
func number(s string, most int64) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > most || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("%q is not a whole number from 0 to %d", s, most)
	}
	return n, nil
}

// ParseRow reads one line of transfers as AppendRow writes it.
func ParseRow(line []byte, n int) (bank.FileRow, error) {
	fields := strings.Split(strings.TrimSuffix(string(line), "\n"), ",")
	if len(fields) != columns {
		return bank.FileRow{}, fmt.Errorf("%w: line %d: %d columns, not %d", ErrFile, n, len(fields), columns)
	}
	row, err := readRow(fields, n)
	if err != nil {
		return bank.FileRow{}, fmt.Errorf("%w: line %d: %w", ErrFile, n, err)
	}
	return row, nil
}

func readRow(fields []string, line int) (row bank.FileRow, err error) {
	row.Line = line
	if row.Serial, err = word("serial", fields[0], true); err != nil {
		return row, err
	}
	if fields[1] != "" {
		if row.Transfer, err = bank.ParseTxnID(fields[1]); err != nil {
			return row, fmt.Errorf("transfer_id %q: %w", fields[1], err)
		}
	}
	switch row.Direction = bank.Direction(fields[2]); row.Direction {
	case bank.In, bank.Out:
	default:
		return row, fmt.Errorf("direction %q: IN or OUT", fields[2])
	}
	if row.AmountFen, err = number(fields[3], bank.AmountMaxFen); err != nil || row.AmountFen == 0 {
		return row, fmt.Errorf("amount_fen %q: a whole number from 1 to %d", fields[3], bank.AmountMaxFen)
	}
	if row.FeeFen, err = number(fields[4], bank.AmountMaxFen); err != nil {
		return row, fmt.Errorf("fee_fen: %w", err)
	}
	switch fields[5] {
	case succeeded:
		row.Success = true
	case failed:
	default:
		return row, fmt.Errorf("status %q: %s or %s", fields[5], succeeded, failed)
	}
	if row.Day, err = bank.ParseDate(fields[6]); err != nil {
		return row, fmt.Errorf("date %q: %w", fields[6], err)
	}
	row.Account, err = word("account", fields[7], false)
	return row, err
}

// word reads a code of visible ASCII without the characters CSV must quote.
func word(name, s string, required bool) (string, error) {
	if required && s == "" || len(s) > serialMax {
		return "", fmt.Errorf("%s: 1 to %d characters", name, serialMax)
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == ',' || c == '"' {
			return "", fmt.Errorf("%s %q: visible ASCII without comma and quote", name, s)
		}
	}
	if s == totalWord {
		return "", fmt.Errorf("%s can't be %s", name, totalWord)
	}
	return s, nil
}

// AppendRow appends a line in the form that ReadFile reads.
func AppendRow(b []byte, r *bank.FileRow) []byte {
	transfer, status := "", failed
	if !r.Transfer.IsZero() {
		transfer = r.Transfer.String()
	}
	if r.Success {
		status = succeeded
	}
	return fmt.Appendf(b, "%s,%s,%s,%d,%d,%s,%s,%s\n", r.Serial, transfer, r.Direction, r.AmountFen, r.FeeFen, status, r.Day, r.Account)
}

// WholeFile makes a file of lines: it puts the first and the last one to them.
func WholeFile(channel bank.Channel, day bank.Date, rows []byte) ([]byte, error) {
	var sum totals
	n := 2
	for line := range bytes.Lines(rows) {
		row, err := ParseRow(line, n)
		if err != nil {
			return nil, err
		}
		sum.add(&row)
		n++
	}
	out := fmt.Appendf(nil, "%s,%s,%s,%s,,,,\n", fileWord, version, channel, day)
	out = append(out, rows...)
	return fmt.Appendf(out, "%s,%d,IN,%d,OUT,%d,FEE,%d\n", totalWord, sum.Count, sum.InFen, sum.OutFen, sum.FeeFen), nil
}
