package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/suanpan-bank/suanpan/ledger"
)

// BooksCheck says how much of the books CheckBooks looks at.
type BooksCheck struct {
	Books []uint32 // ledger numbers, each looked at whole

	// Explain also recomputes balances from the accounts' own transfers and from the expiries in
	// the change log. It reads all of that.
	Explain bool
	// ExplainMax bounds the number of accounts recomputed, spread evenly; 0: all of them.
	ExplainMax int
	// ChangesFrom is a time before the first of the books' transfers; 0: read the whole log.
	ChangesFrom uint64
}

// CheckBooks returns what is wrong with the books, if anything: debits that aren't credits,
// accounts beyond their limits, balances that the accounts' transfers don't explain. It must not
// run while somebody writes.
func CheckBooks(ctx context.Context, l ledger.Ledger, c BooksCheck) error {
	var all []ledger.Account
	for _, book := range c.Books {
		accounts, err := accountsOf(ctx, l, book)
		if err != nil {
			return err
		}
		if err := balanced(book, accounts); err != nil {
			return err
		}
		all = append(all, accounts...)
	}
	if !c.Explain || len(all) == 0 {
		return nil
	}
	lapsed, err := lapsedSince(ctx, l, c.ChangesFrom)
	if err != nil {
		return err
	}
	step := 1
	if c.ExplainMax > 0 && len(all) > c.ExplainMax {
		step = len(all) / c.ExplainMax
	}
	for i := 0; i < len(all); i += step {
		if err := explained(ctx, l, &all[i], lapsed); err != nil {
			return err
		}
	}
	return nil
}

// balanced checks one ledger number: what is debited is credited, and limits are kept.
func balanced(book uint32, accounts []ledger.Account) error {
	var debitsPending, debitsPosted, creditsPending, creditsPosted wideSum
	for i := range accounts {
		a := &accounts[i]
		debitsPending.add(a.DebitsPending)
		debitsPosted.add(a.DebitsPosted)
		creditsPending.add(a.CreditsPending)
		creditsPosted.add(a.CreditsPosted)
		if a.Flags&ledger.AccountDebitsMustNotExceedCredits != 0 {
			if debits, over := a.DebitsPending.Add(a.DebitsPosted); over || a.CreditsPosted.Less(debits) {
				return fmt.Errorf("account %v: debits exceed credits: %v", a.ID, decimals(balancesOf(*a)))
			}
		}
		if a.Flags&ledger.AccountCreditsMustNotExceedDebits != 0 {
			if credits, over := a.CreditsPending.Add(a.CreditsPosted); over || a.DebitsPosted.Less(credits) {
				return fmt.Errorf("account %v: credits exceed debits: %v", a.ID, decimals(balancesOf(*a)))
			}
		}
	}
	if debitsPending != creditsPending || debitsPosted != creditsPosted {
		return fmt.Errorf("ledger %d doesn't balance: debits pending %v, credits pending %v, debits posted %v, credits posted %v",
			book, debitsPending.big(), creditsPending.big(), debitsPosted.big(), creditsPosted.big())
	}
	return nil
}

// wideSum adds up more than fits into 128 bits.
type wideSum struct {
	low  ledger.Uint128
	high uint64
}

func (s *wideSum) add(v ledger.Uint128) {
	low, over := s.low.Add(v)
	s.low = low
	if over {
		s.high++
	}
}

func (s *wideSum) sub(v ledger.Uint128) {
	low, below := s.low.Sub(v)
	s.low = low
	if below {
		s.high--
	}
}

func (s *wideSum) big() *big.Int {
	high := new(big.Int).Lsh(new(big.Int).SetUint64(s.high), 128)
	return high.Add(high, s.low.Big())
}

// explained recomputes an account from its transfers.
func explained(ctx context.Context, l ledger.Ledger, a *ledger.Account, lapsed map[ledger.Uint128]bool) error {
	list, err := transfersOf(ctx, l, a.ID)
	if err != nil {
		return err
	}
	var sums [4]wideSum // in the order of balancesOf
	type opened struct {
		amount  ledger.Uint128
		closing bool
	}
	waiting := map[ledger.Uint128]opened{}
	closedOnce := false
	for i := range list {
		t := &list[i]
		var reserved, moved *wideSum
		closing := false
		switch a.ID {
		case t.DebitAccountID:
			reserved, moved = &sums[0], &sums[1]
			closing = t.Flags&ledger.TransferClosingDebit != 0
		case t.CreditAccountID:
			reserved, moved = &sums[2], &sums[3]
			closing = t.Flags&ledger.TransferClosingCredit != 0
		default:
			return fmt.Errorf("account %v: transfer %v is in its list and not between its accounts", a.ID, t.ID)
		}
		switch {
		case t.Flags&ledger.TransferPending != 0:
			closedOnce = closedOnce || closing
			if !lapsed[t.ID] {
				reserved.add(t.Amount)
				waiting[t.ID] = opened{t.Amount, closing}
			}
		case t.Flags&(ledger.TransferPostPending|ledger.TransferVoidPending) != 0:
			p, ok := waiting[t.PendingID]
			if !ok {
				return fmt.Errorf("account %v: transfer %v settles %v, which isn't waiting", a.ID, t.ID, t.PendingID)
			}
			delete(waiting, t.PendingID)
			reserved.sub(p.amount)
			if t.Flags&ledger.TransferPostPending != 0 {
				if p.amount.Less(t.Amount) {
					return fmt.Errorf("account %v: post %v moves more than was reserved", a.ID, t.ID)
				}
				moved.add(t.Amount)
			}
		default:
			moved.add(t.Amount)
		}
		if i > 0 && t.Timestamp <= list[i-1].Timestamp {
			return fmt.Errorf("account %v: transfer %v is out of order", a.ID, t.ID)
		}
	}
	var want [4]ledger.Uint128
	for i, s := range sums {
		if s.high != 0 {
			return fmt.Errorf("account %v: its transfers add up to more than 128 bits", a.ID)
		}
		want[i] = s.low
	}
	if got := balancesOf(*a); got != want {
		return fmt.Errorf("account %v: balances %v, but its transfers say %v", a.ID, decimals(got), decimals(want))
	}
	if closedOnce {
		still := false
		for _, p := range waiting {
			still = still || p.closing
		}
		if closed := a.Flags&ledger.AccountClosed != 0; closed != still {
			return fmt.Errorf("account %v: closed is %v, but a closing transfer waits: %v", a.ID, closed, still)
		}
	}
	return historyAgrees(ctx, l, a, list)
}

// historyAgrees checks that an account with history has a balance for each of its transfers, and
// that one without has none.
func historyAgrees(ctx context.Context, l ledger.Ledger, a *ledger.Account, list []ledger.Transfer) error {
	page := ledger.AccountFilter{AccountID: a.ID, Flags: bothSides, Limit: uint32(l.Limits().QueryMax)}
	balances, err := l.AccountBalances(ctx, page)
	if err != nil {
		return err
	}
	want := list[:min(len(list), l.Limits().QueryMax)]
	if a.Flags&ledger.AccountHistory == 0 {
		want = nil
	}
	if len(balances) != len(want) {
		return fmt.Errorf("account %v: %d balances for %d transfers", a.ID, len(balances), len(want))
	}
	for i := range balances {
		if balances[i].Timestamp != want[i].Timestamp {
			return fmt.Errorf("account %v: balance %d is of another time than transfer %v", a.ID, i, want[i].ID)
		}
	}
	return nil
}

// accountsOf reads all accounts of a ledger number.
func accountsOf(ctx context.Context, l ledger.Ledger, book uint32) ([]ledger.Account, error) {
	if book == 0 {
		return nil, errors.New("ledger number 0 is no ledger")
	}
	return streamAccounts(ctx, l, ledger.QueryFilter{Ledger: book}, 0).all()
}

// transfersOf reads all transfers of an account.
func transfersOf(ctx context.Context, l ledger.Ledger, account ledger.Uint128) ([]ledger.Transfer, error) {
	limit := l.Limits().QueryMax
	s := stream[ledger.Transfer]{
		limit: limit,
		read: func(from uint64) ([]ledger.Transfer, error) {
			return l.AccountTransfers(ctx, ledger.AccountFilter{AccountID: account, Flags: bothSides, TimestampMin: from, Limit: uint32(limit)})
		},
		timestamp: func(t *ledger.Transfer) uint64 { return t.Timestamp },
	}
	return s.all()
}

// lapsedSince lists the pending transfers that expired.
func lapsedSince(ctx context.Context, l ledger.Ledger, from uint64) (map[ledger.Uint128]bool, error) {
	lapsed := map[ledger.Uint128]bool{}
	s := streamChanges(ctx, l, from)
	for {
		e, err := s.next()
		if err != nil || e == nil {
			return lapsed, err
		}
		if e.Type == ledger.ChangeTwoPhaseExpired {
			lapsed[e.Transfer.ID] = true
		}
	}
}

func streamAccounts(ctx context.Context, l ledger.Ledger, f ledger.QueryFilter, from uint64) *stream[ledger.Account] {
	f.Limit = uint32(l.Limits().QueryMax)
	return &stream[ledger.Account]{
		limit: int(f.Limit), from: from,
		read: func(from uint64) ([]ledger.Account, error) {
			f.TimestampMin = from
			return l.QueryAccounts(ctx, f)
		},
		timestamp: func(a *ledger.Account) uint64 { return a.Timestamp },
	}
}

func streamTransfers(ctx context.Context, l ledger.Ledger, from uint64) *stream[ledger.Transfer] {
	limit := l.Limits().QueryMax
	return &stream[ledger.Transfer]{
		limit: limit, from: from,
		read: func(from uint64) ([]ledger.Transfer, error) {
			return l.QueryTransfers(ctx, ledger.QueryFilter{TimestampMin: from, Limit: uint32(limit)})
		},
		timestamp: func(t *ledger.Transfer) uint64 { return t.Timestamp },
	}
}

func streamChanges(ctx context.Context, l ledger.Ledger, from uint64) *stream[ledger.ChangeEvent] {
	limit := l.Limits().ChangeEventMax
	return &stream[ledger.ChangeEvent]{
		limit: limit, from: from,
		read: func(from uint64) ([]ledger.ChangeEvent, error) {
			return l.ChangeEvents(ctx, ledger.ChangeEventsFilter{TimestampMin: from, Limit: uint32(limit)})
		},
		timestamp: func(e *ledger.ChangeEvent) uint64 { return e.Timestamp },
	}
}

// stream reads everything a query finds, page by page, and that it comes in order of time.
type stream[T any] struct {
	limit     int
	read      func(from uint64) ([]T, error)
	timestamp func(*T) uint64
	keep      func(*T) bool // nil: all
	from      uint64        // where the next page begins, or the page at hand goes on
	page      []T
	last      bool // the page at hand is the last
}

// next returns the next row, which lives until the call after, or nil at the end.
func (s *stream[T]) next() (*T, error) {
	for {
		for len(s.page) > 0 {
			row := &s.page[0]
			s.page = s.page[1:]
			at := s.timestamp(row)
			if at < s.from {
				return nil, fmt.Errorf("a page goes back from %d to %d", s.from, at)
			}
			s.from = at + 1
			if s.keep == nil || s.keep(row) {
				return row, nil
			}
		}
		if s.last {
			return nil, nil
		}
		page, err := s.read(s.from)
		if err != nil {
			return nil, err
		}
		s.page, s.last = page, len(page) < s.limit
	}
}

func (s *stream[T]) all() ([]T, error) {
	var rows []T
	for {
		row, err := s.next()
		if err != nil || row == nil {
			return rows, err
		}
		rows = append(rows, *row)
	}
}
