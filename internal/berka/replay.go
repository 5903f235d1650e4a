package berka

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/suanpan-bank/suanpan/internal/client"
)

// Options of a replay. Dir and Server are required.
type Options struct {
	Dir         string
	Server      string    // URL of the API
	Connections int       // batches under way at once; zero: ConnectionsDefault
	BatchMax    int       // operations in a batch; zero: BatchDefault
	Progress    io.Writer // nil: none
}

// The defaults of Options.
const (
	ConnectionsDefault = 8
	BatchDefault       = 200
)

// Limits of a replay.
const (
	progressEvery = 2 * time.Second
	terminalEvery = 200 * time.Millisecond
	pendingMax    = 2 * time.Minute // how long the channel may take to answer the last transfers
	pageSize      = 1000
	shownMax      = 20
)

// Report is how a replay ended.
type Report struct {
	Accounts     int
	Transactions int
	Reconciled   int // accounts whose balance and entries are exactly our own sum
	Differences  []string
	Differing    int // accounts, also those not shown
	Repeated     int // operations that had been carried out by an earlier replay
	Rounding     Rounding
	RoundingOf   int // rows of the file
	Took         time.Duration
	PostingTook  time.Duration
}

// Write prints the report.
func (r *Report) Write(out io.Writer) {
	fmt.Fprintf(out, "accounts       %d\n", r.Accounts)
	fmt.Fprintf(out, "transactions   %d, of which %d had been posted before\n", r.Transactions, r.Repeated)
	fmt.Fprintf(out, "reconciled     %d accounts, exactly by our own sum\n", r.Reconciled)
	fmt.Fprintf(out, "differences    %d\n", r.Differing)
	for _, d := range r.Differences {
		fmt.Fprintf(out, "    %s\n", d)
	}
	fmt.Fprintf(out, "the file       %d of %d recorded balances follow from the one before within 0.%02d; %d of %d accounts to the heller\n",
		r.Rounding.Rows, r.RoundingOf, RoundingFen, r.Rounding.AccountsExact, r.Rounding.AccountsActive)
	fmt.Fprintf(out, "rate           %.0f transactions/s; %s in all\n", float64(r.Transactions)/max(r.PostingTook.Seconds(), 1e-9), r.Took.Round(time.Millisecond))
}

// replay is one under way.
type replay struct {
	options  Options
	bank     *Bank
	client   *client.Client
	done     atomic.Int64
	repeated atomic.Int64
	numbers  []string // e-account of each account
}

// Replay opens the bank's accounts at the server, posts its transactions and compares the result with our
// own sum. Everything has a key that depends on the data alone, so a replay that was killed can be run
// again: it ends with the same balances.
func Replay(ctx context.Context, options Options) (*Report, error) {
	if options.Connections <= 0 {
		options.Connections = ConnectionsDefault
	}
	if options.BatchMax <= 0 {
		options.BatchMax = BatchDefault
	}
	options.BatchMax = min(options.BatchMax, client.BatchMax)
	if options.Progress == nil {
		options.Progress = io.Discard
	}
	b, err := Load(options.Dir)
	if err != nil {
		return nil, err
	}
	r := &replay{options: options, bank: b, client: client.New(options.Server, options.Connections), numbers: make([]string, len(b.Accounts))}
	defer r.client.Close()
	start := time.Now()
	if err := r.phase(ctx, "accounts", len(b.Accounts), r.openAccounts); err != nil {
		return nil, err
	}
	posting := time.Now()
	if err := r.phase(ctx, "transactions", b.Rows, r.post); err != nil {
		return nil, err
	}
	posted := time.Since(posting)
	report := &Report{
		Accounts: len(b.Accounts), Transactions: b.Rows, Repeated: int(r.repeated.Load()),
		Rounding: b.Rounding(), RoundingOf: b.Rows, PostingTook: posted,
	}
	if err := r.phase(ctx, "reconciled", len(b.Accounts), func(ctx context.Context) error { return r.reconcile(ctx, report) }); err != nil {
		return nil, err
	}
	slices.Sort(report.Differences)
	report.Took = time.Since(start)
	return report, nil
}

// phase runs one part and shows how far it is: on one line of a terminal, elsewhere in a line now and then.
func (r *replay) phase(ctx context.Context, what string, total int, run func(context.Context) error) error {
	r.done.Store(0)
	start := time.Now()
	stop := make(chan struct{})
	var group sync.WaitGroup
	every, back, end := progressEvery, "", "\n"
	if terminal(r.options.Progress) {
		every, back, end = terminalEvery, "\r\x1b[K", ""
	}
	show := func(end string) {
		n := r.done.Load()
		fmt.Fprintf(r.options.Progress, "%s%-14s %d of %d  %.0f/s%s", back, what, n, total, float64(n)/max(time.Since(start).Seconds(), 1e-9), end)
	}
	group.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				show(end)
			case <-stop:
				return
			}
		}
	})
	err := run(ctx)
	close(stop)
	group.Wait()
	show("\n") // how far it came, also when it failed
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func terminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// each runs work for every account, in as many workers as connections. The first error ends them all.
func (r *replay) each(ctx context.Context, step int, work func(ctx context.Context, from, to int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for range r.options.Connections {
		group.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(int64(step))) - step
				if from >= len(r.bank.Accounts) {
					return
				}
				if err := work(ctx, from, min(from+step, len(r.bank.Accounts))); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

type object = map[string]any

// openAccounts registers an owner for each account and opens it, on the day it was opened in the data.
func (r *replay) openAccounts(ctx context.Context) error {
	return r.each(ctx, r.options.BatchMax, func(ctx context.Context, from, to int) error {
		accounts := r.bank.Accounts[from:to]
		operations := make([]client.Operation, len(accounts))
		for i := range accounts {
			a := &accounts[i]
			operations[i] = client.Operation{Customer: strconv.Itoa(a.ID), Key: fmt.Sprintf("berka-customer-%d", a.ID), Path: "/v1/customers", Body: object{
				"name": fmt.Sprintf("Berka %d", a.ID), "id_type": "OTHER", "id_number": fmt.Sprintf("BERKA-%d", a.ID),
				"mobile": fmt.Sprintf("199%08d", a.ID), "registered_on": a.Opened.String(),
			}}
		}
		results, err := r.batch(ctx, operations)
		if err != nil {
			return err
		}
		for i := range accounts {
			var customer struct {
				ID string `json:"customer_id"`
			}
			if err := json.Unmarshal(results[i].Body, &customer); err != nil {
				return err
			}
			operations[i] = client.Operation{
				Customer: strconv.Itoa(accounts[i].ID),
				Key:      fmt.Sprintf("berka-account-%d", accounts[i].ID), Path: "/v1/customers/" + customer.ID + "/accounts", Body: object{
					"class": "I", "product": "DEMO_CURRENT", "opened_on": accounts[i].Opened.String(),
					"bound_card": object{"card_no": cardOf(accounts[i].ID), "bank": "BERKA", "kind": "CLASS_1"},
				}}
		}
		if results, err = r.batch(ctx, operations); err != nil {
			return err
		}
		for i := range accounts {
			var account struct {
				No string `json:"account_no"`
			}
			if err := json.Unmarshal(results[i].Body, &account); err != nil {
				return err
			}
			r.numbers[from+i] = account.No
		}
		r.done.Add(int64(len(accounts)))
		return nil
	})
}

// batch carries out operations that must all succeed.
func (r *replay) batch(ctx context.Context, operations []client.Operation) ([]client.Result, error) {
	results, err := r.client.Batch(ctx, operations)
	if err != nil {
		return nil, err
	}
	for i := range results {
		if p := results[i].Problem(); p != nil {
			return nil, fmt.Errorf("%s: %w", operations[i].Key, p)
		}
	}
	return results, nil
}

// cardOf makes up the number of an account's bound card, with its check digit (ISO/IEC 7812-1).
func cardOf(id int) string {
	s := fmt.Sprintf("62284800%07d", id)
	sum := 0
	for i, c := range s {
		d := int(c - '0')
		if (len(s)-i)%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return fmt.Sprintf("%s%d", s, (10-sum%10)%10)
}

// groupSize is how many accounts one worker posts side by side.
const groupSize = 50

// post posts every transaction. A worker takes a group of accounts and posts their transactions in the
// order of their days, each account's in its own order.
func (r *replay) post(ctx context.Context) error {
	return r.each(ctx, groupSize, func(ctx context.Context, from, to int) error {
		type item struct {
			number string
			row    *Row
			place  int // in its account
		}
		var items []item
		for i := from; i < to; i++ {
			for k := range r.bank.Accounts[i].Rows {
				items = append(items, item{r.numbers[i], &r.bank.Accounts[i].Rows[k], k})
			}
		}
		slices.SortStableFunc(items, func(a, b item) int {
			return cmp.Or(cmp.Compare(a.row.Date, b.row.Date), cmp.Compare(a.row.Account, b.row.Account), cmp.Compare(a.place, b.place))
		})
		for len(items) > 0 {
			n := min(r.options.BatchMax, len(items))
			operations := make([]client.Operation, n)
			for i := range operations {
				operations[i] = operationOf(items[i].number, items[i].row)
			}
			results, err := r.batch(ctx, operations)
			if err != nil {
				return err
			}
			for i := range results {
				if results[i].Replayed {
					r.repeated.Add(1)
				}
			}
			r.done.Add(int64(n))
			items = items[n:]
		}
		return nil
	})
}

// operationOf is a transaction as a customer of ours would ask for it, or another bank.
func operationOf(number string, row *Row) client.Operation {
	body := object{"amount_fen": row.AmountFen, "accounting_date": row.Date.String()}
	if row.Symbol != "" {
		body["summary"] = row.Symbol
	}
	switch {
	case row.Credit:
		body["kind"], body["to_account"] = "inbound", number
		if row.Partner != "" {
			body["from_account"], body["from_bank"] = row.Partner, row.Bank
		}
	case row.Partner != "" && row.Bank != "":
		body["kind"], body["from_account"] = "out", number
		body["to_account"], body["to_bank"], body["to_name"] = row.Partner, row.Bank, "Berka "+row.Partner
	default: // cash and card: to the customer's own card
		body["kind"], body["from_account"], body["to_bound_card"] = "out", number, true
	}
	return client.Operation{Customer: number, Key: fmt.Sprintf("berka-transaction-%d", row.ID), Path: "/v1/transfers", Body: body}
}

// reconcile compares every account with our own sum: the balance, and entry by entry.
func (r *replay) reconcile(ctx context.Context, report *Report) error {
	var mu sync.Mutex
	return r.each(ctx, 1, func(ctx context.Context, i, _ int) error {
		difference, err := r.compare(ctx, &r.bank.Accounts[i], r.numbers[i])
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		r.done.Add(1)
		if difference == "" {
			report.Reconciled++
			return nil
		}
		if report.Differing++; len(report.Differences) < shownMax {
			report.Differences = append(report.Differences, fmt.Sprintf("account %d (%s): %s", r.bank.Accounts[i].ID, r.numbers[i], difference))
		}
		return nil
	})
}

// entry is what must be on a statement, in whatever order the channel's answers came.
type entry struct {
	date, direction string
	fen             int64
}

func (r *replay) compare(ctx context.Context, a *Account, number string) (difference string, err error) {
	want, sum := make(map[entry]int), int64(0)
	for k := range a.Rows {
		row := &a.Rows[k]
		direction := "DEBIT"
		if row.Credit {
			direction = "CREDIT"
		}
		want[entry{row.Date.String(), direction, row.AmountFen}]++
		sum += row.Change()
	}
	balance, err := r.settled(ctx, number)
	if err != nil {
		return "", err
	}
	if balance != sum {
		return fmt.Sprintf("the balance is %d, our sum %d", balance, sum), nil
	}
	running, entries := int64(0), 0
	for cursor := ""; ; {
		var page struct {
			Entries []struct {
				Date      string `json:"accounting_date"`
				Direction string `json:"direction"`
				AmountFen int64  `json:"amount_fen"`
				AfterFen  int64  `json:"balance_after_fen"`
			} `json:"entries"`
			Next string `json:"next_cursor"`
		}
		if err := r.client.Get(ctx, fmt.Sprintf("/v1/accounts/%s/transactions?limit=%d%s", number, pageSize, cursor), &page); err != nil {
			return "", err
		}
		for _, e := range page.Entries {
			entries++
			if e.Direction == "CREDIT" {
				running += e.AmountFen
			} else {
				running -= e.AmountFen
			}
			if e.AfterFen != running {
				return fmt.Sprintf("entry %d says %d after it, our sum is %d", entries, e.AfterFen, running), nil
			}
			want[entry{e.Date, e.Direction, e.AmountFen}]--
		}
		if page.Next == "" {
			break
		}
		cursor = "&cursor=" + page.Next
	}
	for e, n := range want {
		if n != 0 {
			return fmt.Sprintf("%s %s %d: %d too few on the statement (below zero: too many)", e.date, e.direction, e.fen, n), nil
		}
	}
	return "", nil
}

// settled waits until nothing is on its way to or from the account and returns its balance.
func (r *replay) settled(ctx context.Context, number string) (int64, error) {
	since := time.Now()
	for {
		var v struct {
			PostedFen     int64 `json:"posted_fen"`
			PendingInFen  int64 `json:"pending_in_fen"`
			PendingOutFen int64 `json:"pending_out_fen"`
		}
		if err := r.client.Get(ctx, "/v1/accounts/"+number, &v); err != nil {
			return 0, err
		}
		if v.PendingInFen == 0 && v.PendingOutFen == 0 {
			return v.PostedFen, nil
		}
		if time.Since(since) > pendingMax {
			return 0, fmt.Errorf("account %s still has %d fen on their way after %s: does the payment channel answer?", number, v.PendingInFen+v.PendingOutFen, pendingMax)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
