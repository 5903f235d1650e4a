// Package berka replays the history of a real bank through the API: the PKDD'99 financial data of a
// Czech bank by Petr Berka and Marta Sochorová. Start here: Load reads it, Replay (replay.go) posts it.
package berka

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/suanpan-bank/suanpan/bank"
)

// Bank is the data: accounts in order of their number.
type Bank struct {
	Accounts []Account
	Rows     int // transactions of all accounts
}

// Account with its transactions in posting order.
type Account struct {
	ID     int
	Opened bank.Date
	Rows   []Row
}

// Row is one transaction. Amounts are in hellers, which we post as fen.
type Row struct {
	ID         int
	Account    int
	Date       bank.Date
	Credit     bool
	Operation  string
	AmountFen  int64
	BalanceFen int64 // as recorded after the row
	Symbol     string
	Bank       string // of the other side
	Partner    string // account of the other side
}

// Change is what the row adds to the balance.
func (r *Row) Change() int64 {
	if r.Credit {
		return r.AmountFen
	}
	return -r.AmountFen
}

// Load reads account.asc and trans.asc of a directory.
func Load(dir string) (*Bank, error) {
	b := &Bank{}
	index := make(map[int]int)
	err := lines(filepath.Join(dir, "account.asc"), accountHeading, func(f []string) error {
		a, err := parseAccount(f)
		if err != nil {
			return err
		}
		if _, twice := index[a.ID]; twice {
			return fmt.Errorf("account %d occurs twice", a.ID)
		}
		index[a.ID] = len(b.Accounts)
		b.Accounts = append(b.Accounts, a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows := make(map[int]bool)
	err = lines(filepath.Join(dir, "trans.asc"), rowHeading, func(f []string) error {
		r, err := parseRow(f)
		if err != nil {
			return err
		}
		if rows[r.ID] { // its number is its idempotency key: the second would never be posted
			return fmt.Errorf("transaction %d occurs twice", r.ID)
		}
		rows[r.ID] = true
		i, ok := index[r.Account]
		if !ok {
			return fmt.Errorf("transaction %d is of account %d, which does not exist", r.ID, r.Account)
		}
		b.Accounts[i].Rows = append(b.Accounts[i].Rows, r)
		b.Rows++
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(b.Accounts, func(a, b Account) int { return cmp.Compare(a.ID, b.ID) })
	for i := range b.Accounts {
		b.Accounts[i].Rows = inPostingOrder(b.Accounts[i].Rows)
	}
	return b, nil
}

// The headings of the files we read. Another one means other columns.
const (
	accountHeading = `"account_id";"district_id";"frequency";"date"`
	rowHeading     = `"trans_id";"account_id";"date";"type";"operation";"amount";"balance";"k_symbol";"bank";"account"`
)

// lines calls fn with the fields of every line behind the heading.
func lines(path, heading string, fn func([]string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return parseLines(f, path, heading, fn)
}

func parseLines(in io.Reader, name, heading string, fn func([]string) error) error {
	scanner := bufio.NewScanner(in)
	n := 0
	for scanner.Scan() {
		n++
		line := strings.TrimSuffix(scanner.Text(), "\r")
		switch {
		case n == 1 && line != heading:
			return fmt.Errorf("%s:1: heading is %q, want %q", name, line, heading)
		case n == 1 || line == "":
			continue
		}
		f, err := fieldsOf(line, strings.Count(heading, ";")+1)
		if err == nil {
			err = fn(f)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", name, n+1, err)
	}
	if n == 0 {
		return fmt.Errorf("%s:1: no heading", name)
	}
	return nil
}

// fieldsOf splits a line. No field of the data holds a semicolon or a quote.
func fieldsOf(line string, want int) ([]string, error) {
	f := strings.Split(line, ";")
	if len(f) != want {
		return nil, fmt.Errorf("%d fields, want %d", len(f), want)
	}
	for i := range f {
		s := f[i]
		if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
			s = s[1 : len(s)-1]
		}
		if strings.Contains(s, `"`) {
			return nil, fmt.Errorf("field %d has a stray quote: %s", i+1, f[i])
		}
		f[i] = strings.TrimSpace(s)
	}
	return f, nil
}

func parseAccount(f []string) (a Account, err error) {
	var err1, err2 error
	a.ID, err1 = strconv.Atoi(f[0])
	a.Opened, err2 = parseDate(f[3])
	return a, errors.Join(err1, err2)
}

func parseRow(f []string) (r Row, err error) {
	var errs [5]error
	r.ID, errs[0] = strconv.Atoi(f[0])
	r.Account, errs[1] = strconv.Atoi(f[1])
	r.Date, errs[2] = parseDate(f[2])
	r.AmountFen, errs[3] = parseAmount(f[5])
	r.BalanceFen, errs[4] = parseAmount(f[6])
	switch f[3] {
	case "PRIJEM":
		r.Credit = true
	case "VYDAJ", "VYBER":
	default:
		err = fmt.Errorf("type %q is neither credit nor debit", f[3])
	}
	if r.AmountFen < 0 {
		err = fmt.Errorf("amount %s is negative", f[5])
	}
	r.Operation, r.Symbol, r.Bank, r.Partner = f[4], f[7], f[8], f[9]
	return r, errors.Join(append(errs[:], err)...)
}

// parseDate reads yymmdd of the twentieth century.
func parseDate(s string) (bank.Date, error) {
	if len(s) != 6 {
		return 0, fmt.Errorf("date %q is not yymmdd", s)
	}
	d, err := bank.ParseDate("19" + s[:2] + "-" + s[2:4] + "-" + s[4:])
	if err != nil {
		return 0, fmt.Errorf("date %q: %w", s, err)
	}
	return d, nil
}

// amountDigits bounds an amount's whole part; the largest in the data has seven.
const amountDigits = 12

// parseAmount reads crowns with up to two decimals, exactly.
func parseAmount(s string) (int64, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, part, point := strings.Cut(digits, ".")
	if whole == "" || point && part == "" || len(whole) > amountDigits || len(part) > 2 || strings.Trim(whole+part, "0123456789") != "" {
		return 0, fmt.Errorf("amount %q is not a number with at most two decimals", s)
	}
	fen, err := strconv.ParseInt(whole+(part + "00")[:2], 10, 64)
	if negative {
		fen = -fen
	}
	return fen, err
}

// RoundingFen is how far a recorded balance may be from the one before and the amount: amounts are
// recorded rounded to 0.10 crowns, balances exactly.
const RoundingFen = 10

// follows reports whether the row's recorded balance follows from the one before.
func (r *Row) follows(before int64) bool {
	off := r.BalanceFen - before - r.Change()
	return off >= -RoundingFen && off <= RoundingFen
}

// inPostingOrder sorts an account's rows by day, and those of a day so that as many balances as possible
// follow from the one before. The file does not keep the order within a day.
func inPostingOrder(rows []Row) []Row {
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.Date, b.Date) })
	out := make([]Row, 0, len(rows))
	before := int64(0)
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Date == rows[0].Date {
			n++
		}
		s := search{left: slices.Clone(rows[:n])}
		s.try(before, 0)
		out = append(out, s.best...)
		before = out[len(out)-1].BalanceFen
		rows = rows[n:]
	}
	return out
}

// search tries the orders of one day.
type search struct {
	left, taken, best []Row
	bestFollows       int
	steps             int
}

// searchMax bounds the steps for one day; a day has a handful of rows.
const searchMax = 100_000

func (s *search) try(before int64, follow int) {
	s.steps++
	if len(s.left) == 0 {
		if s.best == nil || follow > s.bestFollows {
			s.best, s.bestFollows = slices.Clone(s.taken), follow
		}
		return
	}
	all := len(s.taken) + len(s.left)
	for _, wanted := range []bool{true, false} { // rows that follow first
		for i := range s.left {
			if s.best != nil && (s.bestFollows == all || s.steps > searchMax) {
				return
			}
			r := s.left[i]
			if r.follows(before) != wanted {
				continue
			}
			next := follow
			if wanted {
				next++
			}
			s.left = slices.Delete(slices.Clone(s.left), i, i+1)
			s.taken = append(s.taken, r)
			s.try(r.BalanceFen, next)
			s.taken = s.taken[:len(s.taken)-1]
			s.left = slices.Insert(s.left, i, r)
		}
	}
}

// Rounding tells how well the recorded balances follow from the amounts, within RoundingFen.
type Rounding struct {
	Rows           int // that follow from the row before
	AccountsExact  int // whose every balance is our sum to the heller
	AccountsActive int // with a transaction
}

// Rounding compares the file with itself.
func (b *Bank) Rounding() (r Rounding) {
	for i := range b.Accounts {
		a := &b.Accounts[i]
		if len(a.Rows) == 0 {
			continue
		}
		r.AccountsActive++
		before, sum, exact := int64(0), int64(0), true
		for k := range a.Rows {
			row := &a.Rows[k]
			if row.follows(before) {
				r.Rows++
			}
			before = row.BalanceFen
			sum += row.Change()
			exact = exact && sum == row.BalanceFen
		}
		if exact {
			r.AccountsExact++
		}
	}
	return r
}
