package ledgertest

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/ledgertest/model"
)

// modelAt is the model with a clock of its own that starts at now (ns).
func modelAt(now uint64) Subject {
	m := model.New(func() uint64 { return now })
	return Subject{
		Ledger:  m,
		Advance: func(d time.Duration) { now += uint64(d) },
		Now:     func() uint64 { return now },
		Seed:    m.Seed,
	}
}

const start = 1_700_000_000_000_000_000

func TestAnythingEqualsItselfAndEveryStatusOccurs(t *testing.T) {
	Diff(t, 1, 50_000, modelAt(start), modelAt(start))
}

// Two ledgers whose clocks don't agree must still say the same in the same order; this one also
// counts reads in its timestamps, as a real cluster does.
func TestLedgersWithDifferentTimestampsAreComparedByOrder(t *testing.T) {
	ticking := modelAt(start + 123_456_789)
	ticking.Ledger = readsTick{ticking.Ledger}
	Diff(t, 2, 50_000, modelAt(start), ticking)
}

// readsTick takes timestamps for reads too.
type readsTick struct{ ledger.Ledger }

func (l readsTick) LookupAccounts(ctx context.Context, ids []ledger.Uint128) ([]ledger.Account, error) {
	if _, err := l.CreateTransfers(ctx, make([]ledger.Transfer, 1)); err != nil {
		return nil, err
	}
	return l.Ledger.LookupAccounts(ctx, ids)
}

func TestLedgersWhoseClocksStandStillAreCompared(t *testing.T) {
	a, b := modelAt(start), modelAt(start)
	a.Advance, b.Advance = nil, nil
	// Without a clock that moves there is no room for imports: give them a real one.
	wall := func() uint64 { return uint64(time.Now().UnixNano()) }
	a.Ledger, b.Ledger, a.Now, b.Now = model.New(wall), model.New(wall), nil, nil
	Diff(t, 3, 5_000, a, b)
}

func TestSmallHistoriesOfTheSameLedgerAgree(t *testing.T) {
	rapid.Check(t, Property(func() (a, b Subject) { return modelAt(start), modelAt(start + 1_000_000_007) }))
}

// A comparison that can't tell is worse than none. Each of these ledgers has one thing wrong.
func TestDiffTellsALedgerThatIsWrongInOneThing(t *testing.T) {
	for name, wrong := range map[string]func(ledger.Ledger) ledger.Ledger{
		"a fen is lost in one balance":          func(l ledger.Ledger) ledger.Ledger { return &deviating{Ledger: l, account: true} },
		"a transfer is kept with other data":    func(l ledger.Ledger) ledger.Ledger { return &deviating{Ledger: l, transfer: true} },
		"a status is another":                   func(l ledger.Ledger) ledger.Ledger { return &deviating{Ledger: l, status: true} },
		"exists carries the time of now":        func(l ledger.Ledger) ledger.Ledger { return &deviating{Ledger: l, exists: true} },
		"two events have the same time":         func(l ledger.Ledger) ledger.Ledger { return &deviating{Ledger: l, time: true} },
		"a change event shows a wrong balance":  func(l ledger.Ledger) ledger.Ledger { return &deviating{Ledger: l, change: true} },
		"an account's list lacks a transfer":    func(l ledger.Ledger) ledger.Ledger { return &deviating{Ledger: l, list: true} },
		"a history shows a balance of before":   func(l ledger.Ledger) ledger.Ledger { return &deviating{Ledger: l, history: true} },
		"a query leaves out its last result":    func(l ledger.Ledger) ledger.Ledger { return &deviating{Ledger: l, query: true} },
		"a query of accounts forgets the order": func(l ledger.Ledger) ledger.Ledger { return &deviating{Ledger: l, order: true} },
	} {
		for _, ahead := range []uint64{0, 987_654_321} {
			a, b := modelAt(start), modelAt(start+ahead)
			b.Ledger = wrong(b.Ledger)
			w, err := diff(t.Context(), 4, 30_000, a, b)
			if err == nil {
				t.Errorf("%s (clock ahead by %d ns): not noticed in %d events", name, ahead, w.events)
			}
		}
	}
}

// deviating is a ledger with one thing wrong, now and then.
type deviating struct {
	ledger.Ledger
	account, transfer, status, exists, time, change, list, history, query, order bool
	calls                                                                        int
}

// now reports whether this call is one to go wrong in.
func (l *deviating) now(chosen bool, rows int) bool {
	if !chosen || rows < 2 {
		return false
	}
	l.calls++
	return l.calls%10 == 0
}

func (l *deviating) LookupAccounts(ctx context.Context, ids []ledger.Uint128) ([]ledger.Account, error) {
	rows, err := l.Ledger.LookupAccounts(ctx, ids)
	if l.now(l.account, len(rows)) {
		rows[1].CreditsPosted.Lo ^= 1
	}
	return rows, err
}

func (l *deviating) LookupTransfers(ctx context.Context, ids []ledger.Uint128) ([]ledger.Transfer, error) {
	rows, err := l.Ledger.LookupTransfers(ctx, ids)
	if l.now(l.transfer, len(rows)) {
		rows[1].UserData32++
	}
	return rows, err
}

func (l *deviating) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.Ledger.CreateTransfers(ctx, transfers)
	if l.now(l.status, len(results)) {
		results[1].Status = ledger.TransferExceedsDebits
	}
	if l.now(l.time, len(results)) {
		results[1].Timestamp = results[0].Timestamp
	}
	if l.exists {
		for i := range results {
			if results[i].Status == ledger.TransferExists && i > 0 {
				results[i].Timestamp = results[0].Timestamp + uint64(i)
			}
		}
	}
	return results, err
}

func (l *deviating) ChangeEvents(ctx context.Context, f ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
	rows, err := l.Ledger.ChangeEvents(ctx, f)
	if l.change && len(rows) > 1 {
		rows[1].DebitAccount.DebitsPosted.Lo ^= 1
	}
	return rows, err
}

func (l *deviating) AccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	rows, err := l.Ledger.AccountTransfers(ctx, f)
	if l.now(l.list, len(rows)) {
		rows = rows[1:]
	}
	return rows, err
}

func (l *deviating) AccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	rows, err := l.Ledger.AccountBalances(ctx, f)
	if l.history && len(rows) > 1 {
		rows[1].DebitsPosted, rows[1].CreditsPosted = rows[0].DebitsPosted, rows[0].CreditsPosted
	}
	return rows, err
}

func (l *deviating) QueryTransfers(ctx context.Context, f ledger.QueryFilter) ([]ledger.Transfer, error) {
	rows, err := l.Ledger.QueryTransfers(ctx, f)
	if l.now(l.query, len(rows)) {
		rows = rows[:len(rows)-1]
	}
	return rows, err
}

func (l *deviating) QueryAccounts(ctx context.Context, f ledger.QueryFilter) ([]ledger.Account, error) {
	rows, err := l.Ledger.QueryAccounts(ctx, f)
	if l.now(l.order, len(rows)) {
		rows[0], rows[1] = rows[1], rows[0]
	}
	return rows, err
}

// The bank stops a node when its books are wrong; this is what tells.
func TestCheckBooksTellsWrongBooks(t *testing.T) {
	for name, spoil := range map[string]func(d *teller, a, b, limited ledger.Uint128){
		"debits that nobody was credited": func(d *teller, a, _, _ ledger.Uint128) {
			d.Seed(a, ledger.U64(0), ledger.U64(11), ledger.U64(0), ledger.U64(0))
		},
		"a hold on one side only": func(d *teller, a, _, _ ledger.Uint128) {
			d.Seed(a, ledger.U64(1), ledger.U64(10), ledger.U64(0), ledger.U64(0))
		},
		"a limit that isn't kept": func(d *teller, a, _, limited ledger.Uint128) {
			d.Seed(limited, ledger.U64(0), ledger.U64(1), ledger.U64(0), ledger.U64(0))
			d.Seed(a, ledger.U64(0), ledger.U64(10), ledger.U64(0), ledger.U64(1))
		},
		"a balance that no transfer explains": func(d *teller, a, b, _ ledger.Uint128) {
			d.Seed(a, ledger.U64(0), ledger.U64(12), ledger.U64(0), ledger.U64(0))
			d.Seed(b, ledger.U64(0), ledger.U64(0), ledger.U64(0), ledger.U64(12))
		},
		"a hold that no pending transfer explains": func(d *teller, a, b, _ ledger.Uint128) {
			d.Seed(a, ledger.U64(3), ledger.U64(10), ledger.U64(0), ledger.U64(0))
			d.Seed(b, ledger.U64(0), ledger.U64(0), ledger.U64(3), ledger.U64(10))
		},
	} {
		d := newTeller(t, modelAt(start))
		a, b := d.open2(ledger.AccountHistory)
		limited := d.open1(ledger.AccountDebitsMustNotExceedCredits)
		d.one(created, d.pay(a, b, 10))
		d.holdsTheBooks()
		spoil(d, a, b, limited)
		check := BooksCheck{Books: []uint32{d.book}, Explain: true, ChangesFrom: d.since}
		if err := CheckBooks(t.Context(), d.Ledger, check); err == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}

// The order in status.go is what readers go by; the suite must test the same.
func TestTheOrderTestedIsTheOneWrittenInTheLedger(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../status.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var accounts, transfers []string
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		of, ok := v.Type.(*ast.Ident)
		if !ok {
			return true
		}
		switch name := v.Names[0].Name; {
		case strings.HasSuffix(name, "Created"):
		case of.Name == "CreateAccountStatus":
			accounts = append(accounts, name)
		case of.Name == "CreateTransferStatus":
			transfers = append(transfers, name)
		}
		return true
	})
	plain := func(prefix, name string) string {
		return strings.ReplaceAll(strings.ToLower(prefix+name), "_", "")
	}
	lower := func(names []string) (out []string) {
		for _, name := range names {
			out = append(out, strings.ToLower(name))
		}
		return out
	}
	var wantAccounts, wantTransfers []string
	for _, s := range accountOrder {
		wantAccounts = append(wantAccounts, plain("account", s.String()))
	}
	for _, s := range transferOrder {
		wantTransfers = append(wantTransfers, plain("transfer", s.String()))
	}
	if got := lower(accounts); !slices.Equal(got, wantAccounts) {
		t.Errorf("accounts: %v\nwant %v", got, wantAccounts)
	}
	if got := lower(transfers); !slices.Equal(got, wantTransfers) {
		t.Errorf("transfers: %v\nwant %v", got, wantTransfers)
	}
}
