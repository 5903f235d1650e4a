package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// twins are two ledgers that are told the same and must answer the same.
type twins struct {
	ctx      context.Context
	a, b     Subject
	absolute bool // they must give out the same timestamps, not only in the same order

	made             map[ledger.Uint128]moment // when each transfer was made
	opened           map[ledger.Uint128]moment
	books            map[uint32]bool // those of this run
	since            moment          // before everything
	last             moment          // of the last event judged
	accountStatuses  map[ledger.CreateAccountStatus]int
	transferStatuses map[ledger.CreateTransferStatus]int
	events           int

	asB []ledger.Transfer // the request in b's time
}

// moment is one point of the history on both clocks.
type moment struct{ a, b uint64 }

func (m moment) plus(n uint64) moment  { return moment{m.a + n, m.b + n} }
func (m moment) minus(n uint64) moment { return moment{m.a - n, m.b - n} }

// draft is a transfer to be sent, with its timestamp, if any, on both clocks.
type draft struct {
	ledger.Transfer
	at moment
}

type accountDraft struct {
	ledger.Account
	at moment
}

func newTwins(ctx context.Context, a, b Subject) (*twins, error) {
	w := &twins{
		ctx: ctx, a: a, b: b,
		absolute: a.Now != nil && b.Now != nil && a.Now() == b.Now(),
		made:     map[ledger.Uint128]moment{}, opened: map[ledger.Uint128]moment{}, books: map[uint32]bool{},
		accountStatuses: map[ledger.CreateAccountStatus]int{}, transferStatuses: map[ledger.CreateTransferStatus]int{},
	}
	// A transfer that changes nothing tells the time.
	results, err := w.createTransfers([]draft{{}})
	if err != nil {
		return nil, err
	}
	w.since = results[0].at
	return w, nil
}

// movable reports whether the twins' clocks can be moved.
func (w *twins) movable() bool { return w.a.Advance != nil && w.b.Advance != nil }

func (w *twins) advance(d time.Duration) {
	w.a.Advance(d)
	w.b.Advance(d)
}

// result is the answer both gave.
type result[S comparable] struct {
	status S
	at     moment
}

func (w *twins) createTransfers(drafts []draft) ([]result[ledger.CreateTransferStatus], error) {
	asA := make([]ledger.Transfer, len(drafts))
	w.asB = w.asB[:0]
	for i := range drafts {
		asA[i] = drafts[i].Transfer
		asA[i].Timestamp = drafts[i].at.a
		w.asB = append(w.asB, asA[i])
		w.asB[i].Timestamp = drafts[i].at.b
	}
	resultsA, err := w.a.Ledger.CreateTransfers(w.ctx, asA)
	if err != nil {
		return nil, fmt.Errorf("first ledger: %w", err)
	}
	resultsB, err := w.b.Ledger.CreateTransfers(w.ctx, w.asB)
	if err != nil {
		return nil, fmt.Errorf("second ledger: %w", err)
	}
	results := make([]result[ledger.CreateTransferStatus], len(drafts))
	if len(resultsA) != len(drafts) || len(resultsB) != len(drafts) {
		return nil, fmt.Errorf("%d and %d results for %d transfers", len(resultsA), len(resultsB), len(drafts))
	}
	var judge judge
	judge.begin(w)
	for i := range resultsA {
		x, y := resultsA[i], resultsB[i]
		at := moment{x.Timestamp, y.Timestamp}
		if x.Status != y.Status {
			return nil, fmt.Errorf("the first ledger says %v, the second %v\n%s", x.Status, y.Status, describe(drafts, i))
		}
		var err error
		switch {
		case x.Status == ledger.TransferExists:
			if original, ok := w.made[drafts[i].ID]; ok && at != original {
				err = fmt.Errorf("exists at %d and %d, made at %d and %d", at.a, at.b, original.a, original.b)
			}
		case drafts[i].Flags&ledger.TransferImported != 0 && (x.Status == created || x.Status == chainFailed) && at == drafts[i].at:
		default:
			err = judge.next(at)
		}
		if err != nil || w.absolute && at.a != at.b {
			return nil, fmt.Errorf("both say %v, at %d and %d: %w\n%s", x.Status, at.a, at.b, errTimes(err), describe(drafts, i))
		}
		if x.Status == created {
			w.made[drafts[i].ID] = at
		}
		w.transferStatuses[x.Status]++
		results[i] = result[ledger.CreateTransferStatus]{x.Status, at}
	}
	judge.end()
	w.events += len(drafts)
	return results, nil
}

func (w *twins) createAccounts(drafts []accountDraft) ([]result[ledger.CreateAccountStatus], error) {
	asA, asB := make([]ledger.Account, len(drafts)), make([]ledger.Account, len(drafts))
	for i := range drafts {
		asA[i], asB[i] = drafts[i].Account, drafts[i].Account
		asA[i].Timestamp, asB[i].Timestamp = drafts[i].at.a, drafts[i].at.b
	}
	resultsA, err := w.a.Ledger.CreateAccounts(w.ctx, asA)
	if err != nil {
		return nil, fmt.Errorf("first ledger: %w", err)
	}
	resultsB, err := w.b.Ledger.CreateAccounts(w.ctx, asB)
	if err != nil {
		return nil, fmt.Errorf("second ledger: %w", err)
	}
	if len(resultsA) != len(drafts) || len(resultsB) != len(drafts) {
		return nil, fmt.Errorf("%d and %d results for %d accounts", len(resultsA), len(resultsB), len(drafts))
	}
	results := make([]result[ledger.CreateAccountStatus], len(drafts))
	var judge judge
	judge.begin(w)
	for i := range resultsA {
		x, y := resultsA[i], resultsB[i]
		at := moment{x.Timestamp, y.Timestamp}
		if x.Status != y.Status {
			return nil, fmt.Errorf("the first ledger says %v, the second %v, of account %d of the request: %+v", x.Status, y.Status, i, drafts[i])
		}
		var err error
		switch {
		case x.Status == ledger.AccountExists:
			if original, ok := w.opened[drafts[i].ID]; ok && at != original {
				err = fmt.Errorf("exists at %d and %d, made at %d and %d", at.a, at.b, original.a, original.b)
			}
		case drafts[i].Flags&ledger.AccountImported != 0 && (x.Status == ledger.AccountCreated || x.Status == ledger.AccountLinkedEventFailed) && at == drafts[i].at:
		default:
			err = judge.next(at)
		}
		if err != nil || w.absolute && at.a != at.b {
			return nil, fmt.Errorf("both say %v, at %d and %d: %w: account %d of the request: %+v", x.Status, at.a, at.b, errTimes(err), i, drafts[i])
		}
		if x.Status == ledger.AccountCreated {
			w.opened[drafts[i].ID] = at
		}
		w.accountStatuses[x.Status]++
		results[i] = result[ledger.CreateAccountStatus]{x.Status, at}
	}
	judge.end()
	w.events += len(drafts)
	return results, nil
}

var errDates = errors.New("the timestamps differ")

func errTimes(err error) error {
	if err == nil {
		return errDates
	}
	return err
}

// judge checks that the events of a request are judged in order, after everything before it.
type judge struct {
	w    *twins
	last moment
}

func (j *judge) begin(w *twins) { j.w, j.last = w, w.last }

func (j *judge) next(at moment) error {
	if at.a <= j.last.a || at.b <= j.last.b {
		return fmt.Errorf("judged no later than the event before, at %d and %d", j.last.a, j.last.b)
	}
	j.last = at
	return nil
}

func (j *judge) end() { j.w.last = j.last }

// same compares what both answered to a query. Timestamps are taken out first where only their
// order counts; blank does that and returns the timestamp that must rise, or fall when reversed.
func same[T comparable](w *twins, what string, fromA, fromB []T, errA, errB error, reversed bool, blank func(*T) uint64) error {
	if errA != nil || errB != nil {
		return fmt.Errorf("%s: first ledger: %w; second: %w", what, orNone(errA), orNone(errB))
	}
	if len(fromA) != len(fromB) {
		return fmt.Errorf("%s: %d results from the first ledger, %d from the second", what, len(fromA), len(fromB))
	}
	if !w.absolute {
		for _, rows := range [][]T{fromA, fromB} {
			last := uint64(0)
			for i := range rows {
				at := blank(&rows[i])
				if i > 0 && (at <= last) != reversed {
					return fmt.Errorf("%s: result %d is out of order", what, i)
				}
				last = at
			}
		}
	}
	for i := range fromA {
		if fromA[i] != fromB[i] {
			return fmt.Errorf("%s: result %d differs:\n  first:  %+v\n  second: %+v", what, i, fromA[i], fromB[i])
		}
	}
	return nil
}

var errNone = errors.New("no error")

func orNone(err error) error {
	if err == nil {
		return errNone
	}
	return err
}

func clearAccount(x *ledger.Account) uint64        { return clearTime(&x.Timestamp) }
func clearTransfer(x *ledger.Transfer) uint64      { return clearTime(&x.Timestamp) }
func clearBalance(x *ledger.AccountBalance) uint64 { return clearTime(&x.Timestamp) }
func clearChangeEvent(x *ledger.ChangeEvent) uint64 {
	clearTime(&x.Transfer.Timestamp)
	clearTime(&x.DebitAccount.Timestamp)
	clearTime(&x.CreditAccount.Timestamp)
	return clearTime(&x.Timestamp)
}

func clearTime(timestamp *uint64) uint64 {
	at := *timestamp
	*timestamp = 0
	return at
}

func (w *twins) lookupAccounts(ids []ledger.Uint128) ([]ledger.Account, error) {
	x, errA := w.a.Ledger.LookupAccounts(w.ctx, ids)
	y, errB := w.b.Ledger.LookupAccounts(w.ctx, ids)
	clearAll(w, x, y, clearAccount)
	return x, same(w, "accounts by id", x, y, errA, errB, false, unordered[ledger.Account]())
}

func (w *twins) lookupTransfers(ids []ledger.Uint128) error {
	x, errA := w.a.Ledger.LookupTransfers(w.ctx, ids)
	y, errB := w.b.Ledger.LookupTransfers(w.ctx, ids)
	clearAll(w, x, y, clearTransfer)
	return same(w, "transfers by id", x, y, errA, errB, false, unordered[ledger.Transfer]())
}

// clearAll takes timestamps out of rows that are in no order of time.
func clearAll[T any](w *twins, x, y []T, blank func(*T) uint64) {
	if w.absolute {
		return
	}
	for i := range x {
		blank(&x[i])
	}
	for i := range y {
		blank(&y[i])
	}
}

// unordered makes up a rising time for rows asked for by id.
func unordered[T any]() func(*T) uint64 {
	n := uint64(0)
	return func(*T) uint64 { n++; return n }
}

// accountFilter asks both for an account's transfers and balances.
func (w *twins) accountFilter(f ledger.AccountFilter, from, to moment) error {
	g := f
	f.TimestampMin, f.TimestampMax = from.a, to.a
	g.TimestampMin, g.TimestampMax = from.b, to.b
	reversed := f.Flags&ledger.AccountFilterReversed != 0
	x, errA := w.a.Ledger.AccountTransfers(w.ctx, f)
	y, errB := w.b.Ledger.AccountTransfers(w.ctx, g)
	if err := same(w, fmt.Sprintf("transfers of %+v", f), x, y, errA, errB, reversed, clearTransfer); err != nil {
		return err
	}
	r, errA := w.a.Ledger.AccountBalances(w.ctx, f)
	s, errB := w.b.Ledger.AccountBalances(w.ctx, g)
	return same(w, fmt.Sprintf("balances of %+v", f), r, s, errA, errB, reversed, clearBalance)
}

func (w *twins) queryTransfers(f ledger.QueryFilter, from, to moment) error {
	g := f
	f.TimestampMin, f.TimestampMax = from.a, to.a
	g.TimestampMin, g.TimestampMax = from.b, to.b
	x, errA := w.a.Ledger.QueryTransfers(w.ctx, f)
	y, errB := w.b.Ledger.QueryTransfers(w.ctx, g)
	return same(w, fmt.Sprintf("transfers of %+v", f), x, y, errA, errB, f.Flags&ledger.QueryFilterReversed != 0, clearTransfer)
}

func (w *twins) queryAccounts(f ledger.QueryFilter, from, to moment) error {
	g := f
	f.TimestampMin, f.TimestampMax = from.a, to.a
	g.TimestampMin, g.TimestampMax = from.b, to.b
	x, errA := w.a.Ledger.QueryAccounts(w.ctx, f)
	y, errB := w.b.Ledger.QueryAccounts(w.ctx, g)
	return same(w, fmt.Sprintf("accounts of %+v", f), x, y, errA, errB, f.Flags&ledger.QueryFilterReversed != 0, clearAccount)
}

func (w *twins) changeEvents(from, to moment, limit uint32) error {
	x, errA := w.a.Ledger.ChangeEvents(w.ctx, ledger.ChangeEventsFilter{TimestampMin: from.a, TimestampMax: to.a, Limit: limit})
	y, errB := w.b.Ledger.ChangeEvents(w.ctx, ledger.ChangeEventsFilter{TimestampMin: from.b, TimestampMax: to.b, Limit: limit})
	return same(w, "change events", x, y, errA, errB, false, clearChangeEvent)
}

// everything compares all accounts, transfers and change events of the run, and the order in time
// of all of them together. Others' rows in a shared ledger are passed over.
func (w *twins) everything() error {
	var stamps [2][]uint64 // of the accounts
	accountsA, accountsB := streamAccounts(w.ctx, w.a.Ledger, ledger.QueryFilter{}, w.since.a), streamAccounts(w.ctx, w.b.Ledger, ledger.QueryFilter{}, w.since.b)
	accountsA.keep = func(a *ledger.Account) bool { return w.books[a.Ledger] }
	accountsB.keep = accountsA.keep
	opened, err := lockstep(w, accountsA, accountsB, clearAccount, func(x, y *ledger.Account) error {
		stamps[0], stamps[1] = append(stamps[0], x.Timestamp), append(stamps[1], y.Timestamp)
		return nil
	})
	if err != nil {
		return fmt.Errorf("in the end: account %d: %w", opened, err)
	}
	transfersA, transfersB := streamTransfers(w.ctx, w.a.Ledger, w.since.a), streamTransfers(w.ctx, w.b.Ledger, w.since.b)
	transfersA.keep = func(t *ledger.Transfer) bool { return w.books[t.Ledger] }
	transfersB.keep = transfersA.keep
	made, err := lockstep(w, transfersA, transfersB, clearTransfer, func(x, y *ledger.Transfer) error { return nil })
	if err != nil {
		return fmt.Errorf("in the end: transfer %d: %w", made, err)
	}
	changesA, changesB := streamChanges(w.ctx, w.a.Ledger, w.since.a), streamChanges(w.ctx, w.b.Ledger, w.since.b)
	changesA.keep = func(e *ledger.ChangeEvent) bool { return w.books[e.Ledger] }
	changesB.keep = changesA.keep
	var before [2]int // accounts opened before the change
	changes, err := lockstep(w, changesA, changesB, clearChangeEvent, func(x, y *ledger.ChangeEvent) error {
		for i, at := range []uint64{x.Timestamp, y.Timestamp} {
			for before[i] < len(stamps[i]) && stamps[i][before[i]] < at {
				before[i]++
			}
		}
		if before[0] != before[1] {
			return fmt.Errorf("%d accounts are older in the first ledger, %d in the second", before[0], before[1])
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("in the end: change event %d: %w", changes, err)
	}
	if opened != len(w.opened) || made != len(w.made) || changes < made {
		return fmt.Errorf("in the end there are %d accounts, %d transfers and %d changes; %d accounts and %d transfers were made",
			opened, made, changes, len(w.opened), len(w.made))
	}
	return nil
}

// lockstep reads two streams side by side and compares their rows, timestamps only where they must
// be equal. It returns how many rows were equal.
func lockstep[T comparable](w *twins, a, b *stream[T], blank func(*T) uint64, also func(x, y *T) error) (int, error) {
	for n := 0; ; n++ {
		x, err := a.next()
		if err != nil {
			return n, fmt.Errorf("first ledger: %w", err)
		}
		y, err := b.next()
		if err != nil {
			return n, fmt.Errorf("second ledger: %w", err)
		}
		switch {
		case x == nil && y == nil:
			return n, nil
		case x == nil || y == nil:
			return n, fmt.Errorf("only one ledger has it: %+v %+v", x, y)
		}
		if err := also(x, y); err != nil {
			return n, err
		}
		if !w.absolute {
			blank(x)
			blank(y)
		}
		if *x != *y {
			return n, fmt.Errorf("it differs:\n  first:  %+v\n  second: %+v", *x, *y)
		}
	}
}

var flagNames = [...]string{
	"linked", "pending", "post", "void", "balancing_debit", "balancing_credit", "closing_debit", "closing_credit", "imported",
}

// chainShownMax bounds how much of a chain describe shows before and after the event.
const chainShownMax = 12

// describe shows event i of a request with the chain it stands in.
func describe(drafts []draft, i int) string {
	first, last := i, i
	for first > 0 && i-first < chainShownMax && drafts[first-1].Flags&linked != 0 {
		first--
	}
	for last < len(drafts)-1 && last-i < chainShownMax && drafts[last].Flags&linked != 0 {
		last++
	}
	var out strings.Builder
	fmt.Fprintf(&out, "event %d of %d in the request:", i, len(drafts))
	for j := first; j <= last; j++ {
		mark := "  "
		if j == i {
			mark = "> "
		}
		fmt.Fprintf(&out, "\n%s%s", mark, describeTransfer(&drafts[j]))
	}
	return out.String()
}

func describeTransfer(d *draft) string {
	var flags []string
	for rest := uint16(d.Flags); rest != 0; rest &= rest - 1 {
		bit := bits.TrailingZeros16(rest)
		if bit < len(flagNames) {
			flags = append(flags, flagNames[bit])
		} else {
			flags = append(flags, fmt.Sprintf("bit %d", bit))
		}
	}
	s := fmt.Sprintf("transfer %v: %v to %v, amount %v, ledger %d, code %d", d.ID, d.DebitAccountID, d.CreditAccountID, d.Amount.Big(), d.Ledger, d.Code)
	if len(flags) > 0 {
		s += ", " + strings.Join(flags, "+")
	}
	if !d.PendingID.IsZero() {
		s += fmt.Sprintf(", of pending %v", d.PendingID)
	}
	if d.Timeout != 0 {
		s += fmt.Sprintf(", timeout %d s", d.Timeout)
	}
	if !d.UserData128.IsZero() || d.UserData64 != 0 || d.UserData32 != 0 {
		s += fmt.Sprintf(", user data %v %d %d", d.UserData128, d.UserData64, d.UserData32)
	}
	if d.at != (moment{}) {
		s += fmt.Sprintf(", timestamp %d and %d", d.at.a, d.at.b)
	}
	return s
}
