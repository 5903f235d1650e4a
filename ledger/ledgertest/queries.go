package ledgertest

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// A statement that leaves out or repeats a transfer is a wrong statement.
var queryTests = []conformance{
	{"lookups find what is there, in the order asked, as often as asked", lookups},
	{"every account filter finds what a full scan finds", accountFilters},
	{"every query of transfers finds what a full scan finds", transferQueries},
	{"every query of accounts finds what a full scan finds", accountQueries},
	{"both bounds of time are inclusive", inclusiveBounds},
	{"pages add up to the whole, forward and back", paging},
	{"an invalid filter finds nothing", invalidFilters},
	{"history is the balance after each transfer, for accounts that keep it", histories},
	{"the change log shows both accounts after each event", changeLog},
	{"readers see whole chains while the ledger works", readersSeeWholeChains},
}

func lookups(d *teller) {
	a, b := d.open2(ledger.AccountHistory)
	x, y := d.pay(a, b, 1), d.pay(b, a, 2)
	x.UserData128, x.UserData64, x.UserData32 = fresh(), 1<<63, 1<<31
	d.expect(statuses{created, created}, x, y)
	got := d.accounts(b, fresh(), a, b, ledger.Uint128{}, ledger.AmountMax)
	if len(got) != 3 || got[0].ID != b || got[1].ID != a || got[2] != got[0] {
		d.Errorf("%d accounts", len(got))
	}
	list := d.transfers(y.ID, fresh(), x.ID, y.ID, a, ledger.Uint128{}, ledger.AmountMax)
	if len(list) != 3 || list[0].ID != y.ID || list[1].ID != x.ID || list[2] != list[0] {
		d.Fatalf("%d transfers", len(list))
	}
	x.Timestamp = list[1].Timestamp
	if list[1] != x {
		d.Errorf("kept as %+v, want %+v", list[1], x)
	}
	full := ledger.Account{
		ID: fresh(), UserData128: ledger.AmountMax, UserData64: 1<<64 - 1, UserData32: 1<<32 - 1,
		Ledger: d.book, Code: 1<<16 - 1, Flags: ledger.AccountHistory | ledger.AccountCreditsMustNotExceedDebits,
	}
	d.openAll([]ledger.Account{full})
	stored := d.account(full.ID)
	full.Timestamp = stored.Timestamp
	if stored != full {
		d.Errorf("kept as %+v, want %+v", stored, full)
	}
	// Ids of accounts and of transfers are different name spaces.
	same := d.pay(a, b, 1)
	same.ID = a
	d.one(created, same)
	if len(d.transfers(a)) != 1 || len(d.accounts(x.ID)) != 0 {
		d.Error("an account's id and a transfer's id are mixed up")
	}
}

// population fills the books with transfers of few accounts and few values.
type population struct {
	accounts  []ledger.Account // by time
	transfers []ledger.Transfer
	users     [3]ledger.Uint128 // of UserData128 beside zero
}

func (d *teller) populate(random *rand.Rand, transfers int) *population {
	d.Helper()
	p := &population{users: [3]ledger.Uint128{fresh(), fresh(), {Lo: 7}}}
	user := func() ledger.Uint128 {
		if i := random.IntN(4); i < 3 {
			return p.users[i]
		}
		return ledger.Uint128{}
	}
	for i := range 24 {
		a := d.newAccount()
		a.Code, a.UserData128, a.UserData64, a.UserData32 = uint16(1+random.IntN(3)), user(), random.Uint64N(3), random.Uint32N(3)
		if i%2 == 0 {
			a.Flags = ledger.AccountHistory
		}
		if i%6 == 5 {
			a.Ledger = d.otherBook
		}
		p.accounts = append(p.accounts, a)
	}
	for i, r := range d.createAccounts(p.accounts...) {
		p.accounts[i].Timestamp = r.Timestamp
	}
	hub := 4 // few accounts are busy, as in a bank
	for len(p.transfers) < transfers {
		d.pass(time.Millisecond)
		batch := make([]ledger.Transfer, min(100, transfers-len(p.transfers)))
		for i := range batch {
			from, to := random.IntN(hub), random.IntN(hub)
			if from == to {
				to = hub + random.IntN(8)
			}
			t := d.pay(p.accounts[from].ID, p.accounts[to].ID, random.Uint64N(9))
			if p.accounts[from].Ledger != d.book || p.accounts[to].Ledger != d.book {
				t.DebitAccountID, t.CreditAccountID, t.Ledger = p.accounts[5].ID, p.accounts[11].ID, d.otherBook
			}
			t.Code, t.UserData128, t.UserData64, t.UserData32 = uint16(1+random.IntN(3)), user(), random.Uint64N(3), random.Uint32N(3)
			batch[i] = t
		}
		for i, r := range d.send(batch...) {
			if r.Status != created {
				d.Fatalf("transfer %d: %v", i, r.Status)
			}
			batch[i].Timestamp = r.Timestamp
		}
		p.transfers = append(p.transfers, batch...)
	}
	return p
}

// scan answers a query by looking at everything.
func scan[T any](all []T, reversed bool, limit uint32, match func(*T) bool) []T {
	var found []T
	for i := range all {
		x := &all[i]
		if reversed {
			x = &all[len(all)-1-i]
		}
		if len(found) < int(limit) && match(x) {
			found = append(found, *x)
		}
	}
	return found
}

// span draws bounds of time around those of the events: none, exact, one beside.
func span(random *rand.Rand, at func() uint64) (from, to uint64) {
	if random.IntN(2) == 0 {
		from = at() + random.Uint64N(3) - 1
	}
	if random.IntN(2) == 0 {
		to = max(from, at()+random.Uint64N(3)-1)
	}
	return from, to
}

func limitOf(d *teller, random *rand.Rand) uint32 {
	switch random.IntN(4) {
	case 0:
		return uint32(d.Ledger.Limits().QueryMax)
	case 1:
		return 1
	}
	return 1 + random.Uint32N(200)
}

const (
	populationSize = 2000
	filtersTried   = 1500
)

func accountFilters(d *teller) {
	random := rand.New(rand.NewPCG(1, 2))
	p := d.populate(random, populationSize)
	for range filtersTried {
		a := p.accounts[random.IntN(14)]
		f := ledger.AccountFilter{AccountID: a.ID, Limit: limitOf(d, random), Flags: ledger.AccountFilterFlags(1 + random.IntN(3))}
		if random.IntN(2) == 0 {
			f.Flags |= ledger.AccountFilterReversed
		}
		f.TimestampMin, f.TimestampMax = span(random, func() uint64 { return p.transfers[random.IntN(len(p.transfers))].Timestamp })
		// Every combination of the four fields, most of them often.
		fields := random.IntN(16)
		if fields&1 != 0 {
			f.UserData128 = p.users[random.IntN(3)]
		}
		if fields&2 != 0 {
			f.UserData64 = 1 + random.Uint64N(3)
		}
		if fields&4 != 0 {
			f.UserData32 = 1 + random.Uint32N(3)
		}
		if fields&8 != 0 {
			f.Code = uint16(1 + random.IntN(4))
		}
		want := scan(p.transfers, f.Flags&ledger.AccountFilterReversed != 0, f.Limit, func(t *ledger.Transfer) bool {
			return (f.Flags&ledger.AccountFilterDebits != 0 && t.DebitAccountID == f.AccountID ||
				f.Flags&ledger.AccountFilterCredits != 0 && t.CreditAccountID == f.AccountID) &&
				t.Timestamp >= f.TimestampMin && (f.TimestampMax == 0 || t.Timestamp <= f.TimestampMax) &&
				(f.UserData128.IsZero() || t.UserData128 == f.UserData128) && (f.UserData64 == 0 || t.UserData64 == f.UserData64) &&
				(f.UserData32 == 0 || t.UserData32 == f.UserData32) && (f.Code == 0 || t.Code == f.Code)
		})
		if got := d.accountTransfers(f); !slices.Equal(got, want) {
			d.Fatalf("%+v: %d transfers, want %d", f, len(got), len(want))
		}
		if a.Flags&ledger.AccountHistory == 0 {
			want = nil
		}
		balances := d.accountBalances(f)
		if len(balances) != len(want) {
			d.Fatalf("%+v: %d balances, want %d", f, len(balances), len(want))
		}
		for i, b := range balances {
			if b.Timestamp != want[i].Timestamp {
				d.Fatalf("%+v: balance %d is of another transfer", f, i)
			}
		}
	}
	d.holdsTheBooks()
}

// query draws a filter of this test's ledger numbers, or of none where other fields select.
func (p *population) query(d *teller, random *rand.Rand, at func() uint64) ledger.QueryFilter {
	f := ledger.QueryFilter{Limit: limitOf(d, random)}
	if random.IntN(2) == 0 {
		f.Flags = ledger.QueryFilterReversed
	}
	f.TimestampMin, f.TimestampMax = span(random, at)
	fields := random.IntN(32)
	f.Ledger = d.book
	switch {
	case fields&16 != 0:
		f.Ledger = d.otherBook
	case fields&1 != 0:
		f.Ledger = 0 // the two random users are this test's own
	}
	if fields&1 != 0 {
		f.UserData128 = p.users[random.IntN(2)]
	}
	if fields&2 != 0 {
		f.UserData64 = 1 + random.Uint64N(3)
	}
	if fields&4 != 0 {
		f.UserData32 = 1 + random.Uint32N(3)
	}
	if fields&8 != 0 {
		f.Code = uint16(1 + random.IntN(4))
	}
	return f
}

func transferQueries(d *teller) {
	random := rand.New(rand.NewPCG(3, 4))
	p := d.populate(random, populationSize)
	for range filtersTried {
		f := p.query(d, random, func() uint64 { return p.transfers[random.IntN(len(p.transfers))].Timestamp })
		want := scan(p.transfers, f.Flags&ledger.QueryFilterReversed != 0, f.Limit, func(t *ledger.Transfer) bool {
			return t.Timestamp >= f.TimestampMin && (f.TimestampMax == 0 || t.Timestamp <= f.TimestampMax) &&
				(f.UserData128.IsZero() || t.UserData128 == f.UserData128) && (f.UserData64 == 0 || t.UserData64 == f.UserData64) &&
				(f.UserData32 == 0 || t.UserData32 == f.UserData32) && (f.Ledger == 0 || t.Ledger == f.Ledger) &&
				(f.Code == 0 || t.Code == f.Code)
		})
		if got := d.queryTransfers(f); !slices.Equal(got, want) {
			d.Fatalf("%+v: %d transfers, want %d", f, len(got), len(want))
		}
	}
	// A filter of times alone finds everyone's transfers, these among them.
	first, last := p.transfers[0].Timestamp, p.transfers[99].Timestamp
	if got := d.queryTransfers(ledger.QueryFilter{TimestampMin: first, TimestampMax: last, Limit: 500}); len(got) < 100 {
		d.Errorf("%d transfers in the time of the first hundred", len(got))
	}
}

func accountQueries(d *teller) {
	random := rand.New(rand.NewPCG(5, 6))
	p := d.populate(random, 100)
	for i := range p.accounts {
		p.accounts[i] = d.account(p.accounts[i].ID) // with its balances
	}
	for range filtersTried {
		f := p.query(d, random, func() uint64 { return p.accounts[random.IntN(len(p.accounts))].Timestamp })
		want := scan(p.accounts, f.Flags&ledger.QueryFilterReversed != 0, f.Limit, func(a *ledger.Account) bool {
			return a.Timestamp >= f.TimestampMin && (f.TimestampMax == 0 || a.Timestamp <= f.TimestampMax) &&
				(f.UserData128.IsZero() || a.UserData128 == f.UserData128) && (f.UserData64 == 0 || a.UserData64 == f.UserData64) &&
				(f.UserData32 == 0 || a.UserData32 == f.UserData32) && (f.Ledger == 0 || a.Ledger == f.Ledger) &&
				(f.Code == 0 || a.Code == f.Code)
		})
		if got := d.queryAccounts(f); !slices.Equal(got, want) {
			d.Fatalf("%+v: %d accounts, want %d", f, len(got), len(want))
		}
	}
}

func inclusiveBounds(d *teller) {
	a, b := d.open2(ledger.AccountHistory)
	var at [5]uint64
	for i := range at {
		d.pass(time.Millisecond)
		at[i] = d.one(created, d.pay(a, b, uint64(i)))
	}
	for _, c := range []struct {
		from, to uint64
		want     int
	}{
		{at[1], at[3], 3}, {at[1] + 1, at[3], 2}, {at[1], at[3] - 1, 2}, {at[1] + 1, at[3] - 1, 1}, {at[2], at[2], 1},
		{at[2] + 1, at[2] + 1, 0}, {0, at[0], 1}, {0, at[0] - 1, 0}, {at[4], 0, 1}, {at[4] + 1, 0, 0}, {1<<63 - 1, 0, 0}, {1, 1<<63 - 1, 5},
	} {
		for _, flags := range []ledger.AccountFilterFlags{bothSides, bothSides | ledger.AccountFilterReversed} {
			f := ledger.AccountFilter{AccountID: a, Flags: flags, Limit: 10, TimestampMin: c.from, TimestampMax: c.to}
			if got := len(d.accountTransfers(f)); got != c.want {
				d.Errorf("%d transfers of the account, want %d", got, c.want)
			}
			if got := len(d.accountBalances(f)); got != c.want {
				d.Errorf("%d balances, want %d", got, c.want)
			}
		}
		for _, flags := range []ledger.QueryFilterFlags{0, ledger.QueryFilterReversed} {
			f := ledger.QueryFilter{Ledger: d.book, Flags: flags, Limit: 10, TimestampMin: c.from, TimestampMax: c.to}
			if got := len(d.queryTransfers(f)); got != c.want {
				d.Errorf("%d transfers, want %d", got, c.want)
			}
		}
		events, err := d.Ledger.ChangeEvents(d.Context(), ledger.ChangeEventsFilter{TimestampMin: max(c.from, d.since), TimestampMax: c.to, Limit: 100})
		if err != nil {
			d.Fatal(err)
		}
		if got := len(events); got != c.want {
			d.Errorf("%d change events, want %d", got, c.want)
		}
	}
	opened := d.account(a).Timestamp
	for from, want := range map[uint64]int{opened: 2, opened + 1: 1, opened + 2: 0} {
		if got := d.queryAccounts(ledger.QueryFilter{Ledger: d.book, TimestampMin: from, Limit: 10}); len(got) != want {
			d.Errorf("%d accounts, want %d", len(got), want)
		}
	}
}

func paging(d *teller) {
	random := rand.New(rand.NewPCG(7, 8))
	p := d.populate(random, 700)
	for _, limit := range []uint32{1, 7, 64, 65, 699, 700, 701} {
		var forward, back []ledger.Transfer
		for from := d.since; ; {
			page := d.queryTransfers(ledger.QueryFilter{TimestampMin: from, Limit: limit})
			forward = append(forward, page...)
			if len(page) < int(limit) {
				break
			}
			from = page[len(page)-1].Timestamp + 1
		}
		for to := p.transfers[len(p.transfers)-1].Timestamp; ; {
			page := d.queryTransfers(ledger.QueryFilter{TimestampMin: d.since, TimestampMax: to, Limit: limit, Flags: ledger.QueryFilterReversed})
			back = append(back, page...)
			if len(page) < int(limit) {
				break
			}
			to = page[len(page)-1].Timestamp - 1
		}
		slices.Reverse(back)
		if !slices.Equal(forward, p.transfers) || !slices.Equal(back, p.transfers) {
			d.Errorf("pages of %d: %d transfers forward, %d back, want %d", limit, len(forward), len(back), len(p.transfers))
		}
		a := p.accounts[0].ID
		want := scan(p.transfers, false, 1<<30, func(t *ledger.Transfer) bool { return t.DebitAccountID == a || t.CreditAccountID == a })
		var list []ledger.Transfer
		for from := uint64(0); ; {
			page := d.accountTransfers(ledger.AccountFilter{AccountID: a, Flags: bothSides, TimestampMin: from, Limit: limit})
			list = append(list, page...)
			if len(page) < int(limit) {
				break
			}
			from = page[len(page)-1].Timestamp + 1
		}
		if !slices.Equal(list, want) {
			d.Errorf("pages of %d: %d transfers of an account, want %d", limit, len(list), len(want))
		}
	}
}

func invalidFilters(d *teller) {
	a, b := d.open2(ledger.AccountHistory)
	d.one(created, d.pay(a, b, 1))
	valid := ledger.AccountFilter{AccountID: a, Flags: bothSides, Limit: 10}
	if len(d.accountTransfers(valid)) != 1 || len(d.accountBalances(valid)) != 1 {
		d.Fatal("the valid filter finds nothing")
	}
	for name, spoil := range map[string]func(*ledger.AccountFilter){
		"no account":       func(f *ledger.AccountFilter) { f.AccountID = ledger.Uint128{} },
		"the highest id":   func(f *ledger.AccountFilter) { f.AccountID = ledger.AmountMax },
		"unknown account":  func(f *ledger.AccountFilter) { f.AccountID = fresh() },
		"no side":          func(f *ledger.AccountFilter) { f.Flags = ledger.AccountFilterReversed },
		"no flags":         func(f *ledger.AccountFilter) { f.Flags = 0 },
		"an unknown flag":  func(f *ledger.AccountFilter) { f.Flags |= 1 << 3 },
		"the highest flag": func(f *ledger.AccountFilter) { f.Flags |= 1 << 31 },
		"no limit":         func(f *ledger.AccountFilter) { f.Limit = 0 },
		"end before start": func(f *ledger.AccountFilter) { f.TimestampMin, f.TimestampMax = 9, 8 },
		"start too late":   func(f *ledger.AccountFilter) { f.TimestampMin = 1 << 63 },
		"end too late":     func(f *ledger.AccountFilter) { f.TimestampMax = 1 << 63 },
		"end far too late": func(f *ledger.AccountFilter) { f.TimestampMax = 1<<64 - 1 },
	} {
		f := valid
		spoil(&f)
		if n, m := len(d.accountTransfers(f)), len(d.accountBalances(f)); n+m != 0 {
			d.Errorf("%s: %d transfers, %d balances", name, n, m)
		}
	}
	validQuery := ledger.QueryFilter{Ledger: d.book, Limit: 10}
	if len(d.queryTransfers(validQuery)) != 1 || len(d.queryAccounts(validQuery)) != 2 {
		d.Fatal("the valid query finds nothing")
	}
	for name, spoil := range map[string]func(*ledger.QueryFilter){
		"an unknown flag":  func(f *ledger.QueryFilter) { f.Flags |= 1 << 1 },
		"the highest flag": func(f *ledger.QueryFilter) { f.Flags |= 1 << 31 },
		"no limit":         func(f *ledger.QueryFilter) { f.Limit = 0 },
		"end before start": func(f *ledger.QueryFilter) { f.TimestampMin, f.TimestampMax = 9, 8 },
		"start too late":   func(f *ledger.QueryFilter) { f.TimestampMin = 1 << 63 },
		"end too late":     func(f *ledger.QueryFilter) { f.TimestampMax = 1 << 63 },
	} {
		f := validQuery
		spoil(&f)
		if n, m := len(d.queryTransfers(f)), len(d.queryAccounts(f)); n+m != 0 {
			d.Errorf("%s: %d transfers, %d accounts", name, n, m)
		}
	}
	for name, f := range map[string]ledger.ChangeEventsFilter{
		"no limit":         {TimestampMin: d.since},
		"end before start": {TimestampMin: d.since, TimestampMax: d.since - 1, Limit: 10},
		"start too late":   {TimestampMin: 1 << 63, Limit: 10},
		"end too late":     {TimestampMin: d.since, TimestampMax: 1 << 63, Limit: 10},
	} {
		if events, err := d.Ledger.ChangeEvents(d.Context(), f); len(events) != 0 || err != nil {
			d.Errorf("%s: %d change events, %v", name, len(events), err)
		}
	}
}

func histories(d *teller) {
	a, b := d.open1(ledger.AccountHistory), d.open1(0)
	kept, out := d.timed(a, b, 20, 1000), d.timed(a, b, 30, 1)
	d.one(created, d.pay(b, a, 100))
	d.one(created, out)
	d.one(created, kept)
	d.pass(1500 * time.Millisecond) // out expires: it isn't a transfer and has no line of its own
	if !d.soon(func() bool { return d.account(a).DebitsPending == ledger.U64(20) }) {
		d.Fatal("the second hold didn't expire")
	}
	d.one(created, post(kept.ID, ledger.U64(15)))
	wide := d.pay(b, a, 0)
	wide.Amount = ledger.Uint128{Hi: 3, Lo: 7}
	d.one(created, wide)
	voided := d.hold(a, b, 1)
	d.expect(statuses{created, created, created}, voided, void(voided.ID), d.pay(a, b, 0))
	want := [][4]ledger.Uint128{
		four(0, 0, 0, 100), four(30, 0, 0, 100), four(50, 0, 0, 100), four(0, 15, 0, 100),
		{{}, ledger.U64(15), {}, {Hi: 3, Lo: 107}},
		{ledger.U64(1), ledger.U64(15), {}, {Hi: 3, Lo: 107}},
		{{}, ledger.U64(15), {}, {Hi: 3, Lo: 107}},
		{{}, ledger.U64(15), {}, {Hi: 3, Lo: 107}},
	}
	for _, flags := range []ledger.AccountFilterFlags{bothSides, bothSides | ledger.AccountFilterReversed} {
		got := d.accountBalances(ledger.AccountFilter{AccountID: a, Flags: flags, Limit: 10})
		if flags&ledger.AccountFilterReversed != 0 {
			slices.Reverse(got)
		}
		if len(got) != len(want) {
			d.Fatalf("%d balances, want %d", len(got), len(want))
		}
		for i, x := range got {
			if b := [4]ledger.Uint128{x.DebitsPending, x.DebitsPosted, x.CreditsPending, x.CreditsPosted}; b != want[i] {
				d.Errorf("after transfer %d: %v, want %v", i, decimals(b), decimals(want[i]))
			}
		}
	}
	if got := d.accountBalances(ledger.AccountFilter{AccountID: a, Flags: ledger.AccountFilterCredits, Limit: 10}); len(got) != 2 {
		d.Errorf("%d balances after credits, want 2", len(got))
	}
	if none := d.accountBalances(ledger.AccountFilter{AccountID: b, Flags: bothSides, Limit: 10}); len(none) != 0 {
		d.Error("an account without history has one")
	}
	d.holdsTheBooks()
}

// A consumer that follows the log must be able to keep its own balances from it.
func changeLog(d *teller) {
	a, b := d.open1(ledger.AccountHistory), d.newAccount()
	b.UserData128, b.UserData64, b.UserData32 = fresh(), 5, 6
	b.Flags = ledger.AccountCreditsMustNotExceedDebits
	d.openAll([]ledger.Account{b})
	x := d.pay(b.ID, a, 50)
	x.UserData128, x.UserData64, x.UserData32 = fresh(), 3, 4
	p, closing := d.hold(a, b.ID, 7), with(d.hold(a, b.ID, 1), ledger.TransferClosingCredit)
	posted, voided := post(p.ID, ledger.U64(3)), void(closing.ID)
	cut := with(d.pay(a, b.ID, 1000), ledger.TransferBalancingCredit)
	lapsing := d.timed(a, b.ID, 0, 1)
	sent := []ledger.Transfer{x, p, posted, closing, voided, cut, lapsing}
	for _, t := range sent {
		d.one(created, t)
	}
	d.one(ledger.TransferExceedsDebits, d.pay(a, b.ID, 1)) // what is refused isn't in it
	d.pass(1500 * time.Millisecond)
	var events []ledger.ChangeEvent
	d.soon(func() bool { events = d.events(d.since); return len(events) == 8 })
	want := []struct {
		kind          ledger.ChangeEventType
		transfer      int
		amount        uint64
		debit, credit [4]ledger.Uint128
		closed        bool
	}{
		{ledger.ChangeSinglePhase, 0, 50, four(0, 50, 0, 0), four(0, 0, 0, 50), false},
		{ledger.ChangeTwoPhasePending, 1, 7, four(7, 0, 0, 50), four(0, 50, 7, 0), false},
		{ledger.ChangeTwoPhasePosted, 2, 3, four(0, 3, 0, 50), four(0, 50, 0, 3), false},
		{ledger.ChangeTwoPhasePending, 3, 1, four(1, 3, 0, 50), four(0, 50, 1, 3), true},
		{ledger.ChangeTwoPhaseVoided, 4, 1, four(0, 3, 0, 50), four(0, 50, 0, 3), false},
		{ledger.ChangeSinglePhase, 5, 47, four(0, 50, 0, 50), four(0, 50, 0, 50), false},
		{ledger.ChangeTwoPhasePending, 6, 0, four(0, 50, 0, 50), four(0, 50, 0, 50), false},
		{ledger.ChangeTwoPhaseExpired, 6, 0, four(0, 50, 0, 50), four(0, 50, 0, 50), false},
	}
	if len(events) != len(want) {
		d.Fatalf("%d events, want %d", len(events), len(want))
	}
	accounts := map[ledger.Uint128]ledger.Account{a: d.account(a), b.ID: d.account(b.ID)}
	for i, w := range want {
		e := events[i]
		stored := d.transfer(sent[w.transfer].ID)
		if e.Type != w.kind || e.Ledger != d.book || e.Transfer != stored || e.Transfer.Amount != ledger.U64(w.amount) {
			d.Errorf("event %d: type %d, ledger %d, transfer %+v\nwant type %d of %+v", i, e.Type, e.Ledger, e.Transfer, w.kind, stored)
		}
		if expiry := w.kind == ledger.ChangeTwoPhaseExpired; expiry != (e.Timestamp != stored.Timestamp) || i > 0 && e.Timestamp <= events[i-1].Timestamp {
			d.Errorf("event %d is dated %d, its transfer %d", i, e.Timestamp, stored.Timestamp)
		}
		then := func(id ledger.Uint128, balances [4]ledger.Uint128, closed bool) ledger.Account {
			x := accounts[id]
			x.DebitsPending, x.DebitsPosted, x.CreditsPending, x.CreditsPosted = balances[0], balances[1], balances[2], balances[3]
			if closed {
				x.Flags |= ledger.AccountClosed
			}
			return x
		}
		debit, credit := then(stored.DebitAccountID, w.debit, false), then(stored.CreditAccountID, w.credit, w.closed)
		if e.DebitAccount != debit || e.CreditAccount != credit {
			d.Errorf("event %d shows %+v and %+v\nwant %+v and %+v", i, e.DebitAccount, e.CreditAccount, debit, credit)
		}
	}
	if tail := d.events(events[2].Timestamp + 1); len(tail) != len(want)-3 || tail[0] != events[3] {
		d.Error("the tail of the log doesn't begin after the last event seen")
	}
}

// Statements are read while the ledger works; under the race detector this fails if they touch
// what it writes.
func readersSeeWholeChains(d *teller) {
	a, b := d.open2(ledger.AccountHistory)
	user := fresh()
	const chains, length = 300, 3
	done := make(chan struct{}) // closed when the writer has finished
	var workers sync.WaitGroup
	workers.Go(func() {
		defer close(done)
		for i := range chains {
			chain := []ledger.Transfer{with(d.pay(a, b, 1), linked), with(d.pay(a, b, 1), linked), d.pay(a, b, 1)}
			if i%3 == 0 {
				chain[2].CreditAccountID = chain[2].DebitAccountID
			}
			for j := range chain {
				chain[j].UserData128 = user
			}
			if _, err := d.Ledger.CreateTransfers(d.Context(), chain); err != nil {
				d.Error(err)
				return
			}
		}
	})
	limit := uint32(min(chains*length, d.Ledger.Limits().QueryMax/length*length))
	f := ledger.AccountFilter{AccountID: a, Flags: bothSides, Limit: limit}
	q := ledger.QueryFilter{UserData128: user, Limit: limit}
	for name, read := range map[string]func() (int, error){
		"an account's transfers": func() (int, error) { got, err := d.Ledger.AccountTransfers(d.Context(), f); return len(got), err },
		"an account's balances":  func() (int, error) { got, err := d.Ledger.AccountBalances(d.Context(), f); return len(got), err },
		"a query":                func() (int, error) { got, err := d.Ledger.QueryTransfers(d.Context(), q); return len(got), err },
		"the balance": func() (int, error) {
			got, err := d.Ledger.LookupAccounts(d.Context(), []ledger.Uint128{a})
			if err != nil || len(got) != 1 {
				return 1, err
			}
			return int(got[0].DebitsPosted.Lo), nil
		},
	} {
		workers.Go(func() {
			for last := 0; ; {
				n, err := read()
				if err != nil || n%length != 0 || n < last {
					d.Errorf("%s: %d transfers after %d, not a growing multiple of a chain (%v)", name, n, last, err)
					return
				}
				last = n
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	workers.Wait()
	d.balances(a, 0, chains/3*2*length, 0, 0)
	d.holdsTheBooks()
}
