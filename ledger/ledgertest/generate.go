package ledgertest

import (
	"math/rand/v2"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// generator makes requests that go wrong in every way there is, each often, and right most of the
// time. It works in epochs with accounts and ledger numbers of their own, so that what it looks
// at after each request stays small; ids and holds of earlier epochs come up again.
type generator struct {
	w      *twins
	random *rand.Rand
	late   bool          // in the year when timeouts overflow
	behind time.Duration // how far the clocks are behind their furthest

	epochEnd   int // in events
	epochStart moment
	epochBooks [3]uint32
	epochIDs   []ledger.Uint128
	hubs       []ledger.Uint128 // without limits, never closed
	others     []ledger.Uint128 // with limits and history, sometimes closed
	elsewhere  []ledger.Uint128 // in the second ledger number
	huge       []ledger.Uint128 // in the third, with balances near the largest
	accounts   []accountDraft   // as sent

	live     ring // holds nobody settled, as far as known
	closings ring // holds that closed an account
	settled  ring // posted, voided and expired ones
	made     ring // any transfers
	burnt    ring
	failed   ring // refused for lasting reasons
	own      ring // holds of the request being made

	moments []moment
	drafts  []draft
}

// ring keeps some drafts, forgetting at random.
type ring []draft

const ringMax = 200

func (r *ring) add(random *rand.Rand, d draft) {
	if len(*r) < ringMax {
		*r = append(*r, d)
		return
	}
	(*r)[random.IntN(ringMax)] = d
}

func (r ring) pick(random *rand.Rand) (draft, bool) {
	if len(r) == 0 {
		return draft{}, false
	}
	return r[random.IntN(len(r))], true
}

func (r *ring) take(random *rand.Rand) (draft, bool) {
	if len(*r) == 0 {
		return draft{}, false
	}
	i := random.IntN(len(*r))
	d := (*r)[i]
	(*r)[i] = (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return d, true
}

const (
	epochEvents   = 4000
	epochHubs     = 8
	epochOthers   = 24
	epochHuge     = 8
	epochAccounts = 64 // with most of those that account requests add
	momentsMax    = 500
)

func newGenerator(w *twins, random *rand.Rand) *generator { return &generator{w: w, random: random} }

// id is random, so that a ledger that has seen the same seed before hasn't seen it.
func (g *generator) id() ledger.Uint128 { return fresh() }

func (g *generator) one(ids []ledger.Uint128) ledger.Uint128 { return ids[g.random.IntN(len(ids))] }

func (g *generator) chance(percent int) bool { return g.random.IntN(100) < percent }

// newEpoch opens the accounts of the next epoch.
func (g *generator) newEpoch() error {
	g.epochEnd, g.epochStart = g.w.events+epochEvents, g.w.last
	g.epochIDs, g.accounts = nil, nil
	for i := range g.epochBooks {
		g.epochBooks[i] = freshBook()
		g.w.books[g.epochBooks[i]] = true
	}
	var drafts []accountDraft
	open := func(n, book int, flags ...ledger.AccountFlags) (ids []ledger.Uint128) {
		for i := range n {
			a := g.account(book)
			a.Flags = flags[i%len(flags)]
			drafts = append(drafts, a)
			ids = append(ids, a.ID)
		}
		return ids
	}
	const debits, credits, history = ledger.AccountDebitsMustNotExceedCredits, ledger.AccountCreditsMustNotExceedDebits, ledger.AccountHistory
	g.hubs = open(epochHubs, 0, 0, history)
	g.others = open(epochOthers, 0, debits, credits, debits|history, 0, credits|history, history)
	g.elsewhere = open(3, 1, 0)
	g.huge = open(epochHuge, 2, 0, history, 0, debits, 0, credits|history)
	_, err := g.sendAccounts(drafts)
	return err
}

func (g *generator) account(book int) accountDraft {
	a := accountDraft{Account: ledger.Account{ID: g.id(), Ledger: g.epochBooks[book], Code: uint16(1 + g.random.IntN(3))}}
	a.UserData128, a.UserData64, a.UserData32 = g.userData()
	return a
}

// userData draws from few values, so that queries find several.
func (g *generator) userData() (ledger.Uint128, uint64, uint32) {
	n := g.random.Uint64()
	user := ledger.U64(n & 3)
	if n&3 != 0 {
		user.Hi = uint64(g.epochBooks[0]) // so that not every list is as long as the run
	}
	return user, n >> 8 & 3, uint32(n >> 16 & 3)
}

func (g *generator) sendAccounts(drafts []accountDraft) ([]result[ledger.CreateAccountStatus], error) {
	results, err := g.w.createAccounts(drafts)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		g.remember(r.at)
		if r.status == ledger.AccountCreated {
			g.epochIDs = append(g.epochIDs, drafts[i].ID)
			g.accounts = append(g.accounts, drafts[i])
		}
	}
	return results, nil
}

func (g *generator) remember(at moment) {
	if len(g.moments) < momentsMax {
		g.moments = append(g.moments, at)
		return
	}
	g.moments[g.random.IntN(momentsMax)] = at
}

// accountRequest opens accounts, some of them wrong, some there already.
func (g *generator) accountRequest() error {
	var drafts []accountDraft
	for range 1 + g.random.IntN(16) {
		a := g.account(0)
		a.Flags = ledger.AccountFlags(g.random.IntN(4)) << 2 // credits limit, history
		if g.chance(50) && len(g.accounts) > 0 {
			a = g.accounts[g.random.IntN(len(g.accounts))]
			a.at = moment{}
			if g.chance(60) {
				g.spoilAccount(&a, 6+g.random.IntN(5))
			}
		}
		spoilt := g.chance(50)
		if spoilt {
			g.spoilAccount(&a, g.random.IntN(18))
		}
		if g.chance(15) {
			a.Flags |= ledger.AccountLinked
		}
		if !spoilt && len(g.epochIDs)+len(drafts) >= epochAccounts {
			a.ID = g.one(g.epochIDs) // no more new ones
		}
		drafts = append(drafts, a)
	}
	results, err := g.sendAccounts(drafts)
	if err != nil {
		return err
	}
	for i, r := range results {
		if r.status == ledger.AccountCreated {
			g.others = append(g.others, drafts[i].ID)
		}
	}
	return nil
}

// spoilAccount makes an account wrong in the n-th of 18 ways; 6 to 10 are wrong only in repeats.
func (g *generator) spoilAccount(a *accountDraft, n int) {
	switch n {
	case 0:
		a.at = moment{1, 1}
	case 1:
		a.Flags |= ledger.AccountImported
	case 2:
		a.Reserved = 1
	case 3:
		a.Flags |= 1 << (6 + g.random.IntN(10))
	case 4:
		a.ID = ledger.Uint128{}
	case 5:
		a.ID = ledger.AmountMax
	case 6:
		a.UserData128.Hi++
	case 7:
		a.UserData64++
	case 8:
		a.UserData32++
	case 9:
		a.Ledger = g.epochBooks[1]
	case 10:
		a.Code++
	case 11:
		a.Flags |= bothLimits
	case 12:
		a.DebitsPending.Lo = 1
	case 13:
		a.DebitsPosted.Lo = 1
	case 14:
		a.CreditsPending.Hi = 1
	case 15:
		a.CreditsPosted.Hi = 1
	case 16:
		a.Ledger = 0
	case 17:
		a.Code = 0
	}
}

// transferRequest sends single transfers and chains.
func (g *generator) transferRequest() error {
	g.drafts, g.own = g.drafts[:0], g.own[:0]
	size := 1 + g.random.IntN(70)
	if g.chance(2) {
		size = 1 + g.random.IntN(600)
	}
	for len(g.drafts) < size {
		if g.chance(25) {
			g.chain()
		} else {
			g.drafts = append(g.drafts, g.any())
		}
	}
	if g.chance(3) {
		g.drafts[len(g.drafts)-1].Flags |= linked // a chain open at the end
	}
	if g.chance(2) {
		g.drafts[g.random.IntN(len(g.drafts))].Flags |= ledger.TransferImported
	}
	return g.send()
}

// chain adds a chain, most of them without a fault put in.
func (g *generator) chain() {
	length := 2 + g.random.IntN(4)
	if g.chance(20) {
		length = 2 + g.random.IntN(39)
	}
	safe := g.chance(75)
	// A hold that failed with another chain would break this one.
	before := g.own
	g.own = nil
	defer func() { g.own = before }()
	for i := range length {
		d := g.plain()
		if !safe && g.chance(60/length+5) {
			d = g.any()
		}
		if i < length-1 {
			d.Flags |= linked
		}
		g.drafts = append(g.drafts, d)
	}
}

// send sends the drafts and learns from the answers.
func (g *generator) send() error {
	for i := range g.drafts {
		if d := &g.drafts[i]; g.refusedWhole(d.Flags) {
			d.Flags &^= ledger.TransferImported
		}
	}
	results, err := g.w.createTransfers(g.drafts)
	if err != nil {
		return err
	}
	for i, r := range results {
		d := g.drafts[i]
		if i == 0 || i == len(results)-1 || r.status == created && g.chance(10) {
			g.remember(r.at)
		}
		switch {
		case r.status == created:
			if g.chance(30) {
				g.made.add(g.random, d)
			}
			switch {
			case d.Flags&(ledger.TransferClosingDebit|ledger.TransferClosingCredit) != 0:
				g.closings.add(g.random, d)
			case d.Flags&pending != 0:
				g.live.add(g.random, d)
			case d.Flags&(ledger.TransferPostPending|ledger.TransferVoidPending) != 0:
				if p, ok := g.forget(d.PendingID); ok {
					g.settled.add(g.random, p)
				}
			}
		case r.status == ledger.TransferPendingTransferExpired:
			if p, ok := g.forget(d.PendingID); ok {
				g.settled.add(g.random, p)
			}
		case r.status.Transient():
			g.burnt.add(g.random, d)
		case r.status != ledger.TransferExists && r.status != ledger.TransferIDAlreadyFailed:
			if g.chance(20) {
				g.failed.add(g.random, d)
			}
		}
	}
	return nil
}

// forget takes a hold out of those that are live.
func (g *generator) forget(id ledger.Uint128) (draft, bool) {
	for i := range g.live {
		if g.live[i].ID == id {
			d := g.live[i]
			g.live[i] = g.live[len(g.live)-1]
			g.live = g.live[:len(g.live)-1]
			return d, true
		}
	}
	return draft{}, false
}

// pay is a small transfer between two of the ids.
func (g *generator) pay(debit, credit ledger.Uint128) draft {
	d := draft{Transfer: ledger.Transfer{
		ID: g.id(), DebitAccountID: debit, CreditAccountID: credit, Amount: ledger.U64(g.random.Uint64N(100)),
		Ledger: g.epochBooks[0], Code: uint16(1 + g.random.IntN(3)),
	}}
	d.UserData128, d.UserData64, d.UserData32 = g.userData()
	return d
}

// two picks two different accounts.
func (g *generator) two(from, to []ledger.Uint128) (debit, credit ledger.Uint128) {
	debit, credit = g.one(from), g.one(to)
	for credit == debit {
		credit = g.one(to)
	}
	if g.chance(50) {
		return credit, debit
	}
	return debit, credit
}

// plain is a transfer that nothing speaks against.
func (g *generator) plain() draft {
	d := g.pay(g.two(g.hubs, g.hubs))
	switch n := g.random.IntN(10); {
	case n < 3:
		g.hold(&d)
	case n < 5 && len(g.own) > 0:
		p, _ := g.own.take(g.random)
		return g.settle(p)
	}
	return d
}

// hold makes d a pending transfer.
func (g *generator) hold(d *draft) {
	d.Flags |= pending
	if g.w.movable() && g.chance(60) {
		d.Timeout = 1 + g.random.Uint32N(timeoutMax)
		if g.late && g.chance(10) {
			d.Timeout = 1<<32 - 1
		}
	}
	g.own.add(g.random, *d)
}

// settle posts or voids p as it should be done.
func (g *generator) settle(p draft) draft {
	d := draft{Transfer: ledger.Transfer{ID: g.id(), PendingID: p.ID, Flags: ledger.TransferPostPending, Amount: ledger.AmountMax}}
	switch g.random.IntN(8) {
	case 0, 1, 2:
		d.Flags, d.Amount = ledger.TransferVoidPending, ledger.Uint128{}
	case 3:
		d.Amount = ledger.Uint128{}
	case 4:
		if p.Flags&(ledger.TransferBalancingDebit|ledger.TransferBalancingCredit) == 0 {
			d.Amount = ledger.U64(p.Amount.Lo / 2)
		}
	}
	if g.chance(30) {
		d.DebitAccountID, d.CreditAccountID, d.Ledger, d.Code = p.DebitAccountID, p.CreditAccountID, p.Ledger, p.Code
	}
	if g.chance(30) {
		d.UserData128, d.UserData64, d.UserData32 = g.userData()
	}
	return d
}

// any is a transfer of any kind, right or wrong.
func (g *generator) any() draft {
	switch n := g.random.IntN(100); {
	case n < 24:
		return g.plain()
	case n < 38: // limits are hit, closed accounts met
		return g.pay(g.two(g.hubs, g.others))
	case n < 44:
		d := g.pay(g.two(g.hubs, g.others))
		g.hold(&d)
		return d
	case n < 54:
		return g.settlement()
	case n < 60:
		return g.balancing()
	case n < 64:
		return g.closing()
	case n < 69:
		return g.again()
	case n < 75:
		return g.altered()
	case n < 77:
		if d, ok := g.burnt.pick(g.random); ok {
			d.Flags &^= linked
			return d
		}
		return g.plain()
	case n < 79: // may be right this time
		if d, ok := g.failed.take(g.random); ok {
			d.Flags &^= linked
			return d
		}
		return g.plain()
	case n < 90:
		return g.enormous()
	default:
		d := g.plain()
		if g.chance(30) {
			d = g.settlement()
		}
		g.spoil(&d)
		if g.chance(25) {
			g.spoil(&d)
		}
		return d
	}
}

// settlement posts or voids something, some of it wrongly.
func (g *generator) settlement() draft {
	p, ok := g.live.pick(g.random)
	if n := g.random.IntN(10); n < 2 && len(g.settled) > 0 {
		p, ok = g.settled.pick(g.random)
	} else if n < 5 && len(g.own) > 0 {
		p, ok = g.own.take(g.random)
	}
	if !ok {
		return g.plain()
	}
	d := g.settle(p)
	if !g.chance(25) {
		return d
	}
	switch g.random.IntN(11) {
	case 0:
		d.DebitAccountID = g.one(g.hubs)
	case 1:
		d.CreditAccountID = g.one(g.hubs)
	case 2:
		d.Ledger = g.epochBooks[1]
	case 3:
		d.Code = 77
	case 4:
		d.Amount = ledger.U64(1000)
	case 5:
		d.Flags, d.Amount = ledger.TransferVoidPending, ledger.U64(g.random.Uint64N(50))
	case 6:
		d.PendingID = g.id()
	case 7:
		if made, ok := g.made.pick(g.random); ok {
			d.PendingID = made.ID
		}
	case 8:
		d.PendingID = d.ID
	case 9:
		d.PendingID = ledger.AmountMax
	case 10:
		d.Flags |= 1 << (1 + g.random.IntN(7))
	}
	return d
}

func (g *generator) balancing() draft {
	d := g.pay(g.two(g.hubs, g.others))
	d.Flags |= ledger.TransferFlags(1+g.random.IntN(3)) << 4
	if g.chance(50) {
		d.Amount = ledger.AmountMax
	}
	if g.chance(30) {
		g.hold(&d)
	}
	return d
}

// closing closes an account other than the hubs, or opens one again.
func (g *generator) closing() draft {
	if g.chance(60) {
		if p, ok := g.closings.take(g.random); ok {
			d := g.settle(p)
			if g.chance(80) {
				d.Flags, d.Amount = ledger.TransferVoidPending, ledger.Uint128{}
			}
			return d
		}
	}
	d := g.pay(g.one(g.others), g.one(g.hubs))
	d.Flags |= pending | ledger.TransferClosingDebit
	if g.chance(40) {
		d.DebitAccountID, d.CreditAccountID = d.CreditAccountID, d.DebitAccountID
		d.Flags ^= ledger.TransferClosingDebit | ledger.TransferClosingCredit
	}
	if g.chance(10) {
		d.CreditAccountID, d.DebitAccountID = g.two(g.others, g.others)
		d.Flags |= ledger.TransferClosingDebit | ledger.TransferClosingCredit
	}
	if g.chance(80) {
		d.Amount = ledger.Uint128{}
	}
	if g.w.movable() && g.chance(50) {
		d.Timeout = 1 + g.random.Uint32N(timeoutMax)
	}
	return d
}

// again repeats a transfer as it was.
func (g *generator) again() draft {
	d, ok := g.made.pick(g.random)
	if !ok {
		return g.plain()
	}
	return d
}

// altered repeats a transfer with something changed.
func (g *generator) altered() draft {
	d, ok := g.made.pick(g.random)
	if !ok {
		return g.plain()
	}
	g.alter(&d)
	if g.chance(20) {
		g.alter(&d)
	}
	return d
}

func (g *generator) alter(d *draft) {
	switch g.random.IntN(12) {
	case 0:
		d.Flags ^= ledger.TransferFlags(1) << g.random.IntN(8)
	case 1:
		d.PendingID = g.id()
	case 2:
		d.Timeout++
	case 3:
		d.DebitAccountID = g.one(g.hubs)
	case 4:
		d.CreditAccountID = g.one(g.hubs)
	case 5:
		d.Amount = ledger.U64(g.random.Uint64N(50))
	case 6:
		d.UserData128.Hi++
	case 7:
		d.UserData64++
	case 8:
		d.UserData32++
	case 9:
		d.Ledger++
	case 10:
		d.Code++
	case 11: // what a post or void may leave out
		d.DebitAccountID, d.CreditAccountID, d.Ledger, d.Code = ledger.Uint128{}, ledger.Uint128{}, 0, 0
	}
}

// enormous moves amounts near the largest.
func (g *generator) enormous() draft {
	d := g.pay(g.two(g.huge, g.huge))
	d.Ledger = g.epochBooks[2]
	d.Amount = ledger.Uint128{Hi: 1 << (58 + g.random.IntN(6)), Lo: g.random.Uint64N(3)}
	switch g.random.IntN(6) {
	case 0:
		d.Amount, _ = ledger.AmountMax.Sub(ledger.U64(g.random.Uint64N(3)))
	case 1:
		d.Amount = ledger.Uint128{Hi: 3 << 62}
	}
	if g.chance(60) {
		g.hold(&d)
	}
	if g.chance(10) {
		d.Flags |= ledger.TransferFlags(1+g.random.IntN(3)) << 4
	}
	if g.chance(25) { // make room again
		if p, ok := g.live.pick(g.random); ok && p.Ledger == g.epochBooks[2] {
			d = g.settle(p)
			d.Flags, d.Amount = ledger.TransferVoidPending, ledger.Uint128{}
		}
	}
	return d
}

// spoil makes a transfer wrong in itself.
func (g *generator) spoil(d *draft) {
	switch g.random.IntN(19) {
	case 0:
		d.Flags |= 1 << (9 + g.random.IntN(7))
	case 1:
		d.at = moment{5, 5}
	case 2:
		d.ID = ledger.Uint128{}
	case 3:
		d.ID = ledger.AmountMax
	case 4:
		d.DebitAccountID = ledger.Uint128{}
	case 5:
		d.DebitAccountID = ledger.AmountMax
	case 6:
		d.CreditAccountID = ledger.Uint128{}
	case 7:
		d.CreditAccountID = ledger.AmountMax
	case 8:
		d.CreditAccountID = d.DebitAccountID
	case 9:
		d.PendingID = g.id()
	case 10:
		d.PendingID = ledger.Uint128{}
	case 11:
		d.Timeout = 3
	case 12:
		d.Flags |= ledger.TransferFlags(1+g.random.IntN(3)) << 6
	case 13:
		d.Ledger = 0
	case 14:
		d.Code = 0
	case 15:
		d.DebitAccountID = g.id()
	case 16:
		d.CreditAccountID = g.id()
	case 17:
		d.CreditAccountID = g.one(g.elsewhere)
	case 18:
		d.Ledger = g.epochBooks[1]
	}
}

// importRequest sends accounts and transfers with times of their own.
func (g *generator) importRequest() error {
	// Imports come between the last event and now. What is due expires first, so that no expiry
	// comes between: whether an import may have the time of an expiry isn't documented.
	if g.w.movable() {
		g.moveBy(g.behind + importGap)
	}
	at, err := g.gap()
	if err != nil {
		return err
	}
	if g.chance(30) {
		return g.importAccounts(at)
	}
	g.drafts, g.own = g.drafts[:0], g.own[:0]
	if g.chance(40) {
		// Accounts that are younger than what is imported.
		young := []accountDraft{g.account(0), g.account(0)}
		results, err := g.sendAccounts(young)
		if err != nil {
			return err
		}
		opened := results[0].at
		g.importing(g.pay(young[0].ID, g.one(g.hubs)), opened.minus(1))
		g.importing(g.pay(g.one(g.hubs), young[1].ID), opened.minus(1))
		g.importing(g.pay(g.one(g.hubs), young[1].ID), opened) // nobody's time but the account's
		if at, err = g.gap(); err != nil {
			return err
		}
	}
	for range 1 + g.random.IntN(30) {
		d := g.plain()
		if g.chance(35) {
			d = g.any()
		}
		d.Timeout = 0
		if g.refusedWhole(d.Flags | ledger.TransferImported) {
			continue
		}
		at = at.plus(1 + g.random.Uint64N(20))
		stamp := at
		switch g.random.IntN(40) {
		case 0:
			stamp = moment{}
		case 1:
			stamp = moment{1 << 63, 1 << 63}
		case 2:
			stamp = at.plus(1000 * second)
		case 3:
			stamp = at.minus(g.random.Uint64N(8))
		case 4:
			stamp = g.w.since
		case 5, 6, 7:
			if d.Flags&pending != 0 {
				d.Timeout = 1
			}
		}
		g.importing(d, stamp)
		if g.chance(25) {
			g.drafts[len(g.drafts)-1].Flags |= linked
		}
		if g.chance(4) {
			g.drafts[len(g.drafts)-1].Flags &^= ledger.TransferImported
		}
	}
	return g.send()
}

// importGap is long enough for the imports of a request to come between two events.
const importGap = 20 * time.Millisecond

// gap lets importGap pass and returns a time in it.
func (g *generator) gap() (moment, error) {
	results, err := g.w.createTransfers([]draft{{}}) // changes nothing and tells the time
	if err != nil {
		return moment{}, err
	}
	if g.w.movable() {
		g.moveBy(importGap)
	} else {
		time.Sleep(importGap)
	}
	return results[0].at.plus(10), nil
}

// refusedWhole says that one of the ledgers refuses a whole request for an imported transfer with these
// flags (Subject.RefusesImportedSettlement).
func (g *generator) refusedWhole(flags ledger.TransferFlags) bool {
	settles := flags&(ledger.TransferPostPending|ledger.TransferVoidPending) != 0
	return settles && flags&ledger.TransferImported != 0 && (g.w.a.RefusesImportedSettlement || g.w.b.RefusesImportedSettlement)
}

func (g *generator) importing(d draft, at moment) {
	d.Flags |= ledger.TransferImported
	d.at = at
	g.drafts = append(g.drafts, d)
}

func (g *generator) importAccounts(at moment) error {
	var drafts []accountDraft
	for range 1 + g.random.IntN(4) {
		a := g.account(0)
		a.Flags |= ledger.AccountImported
		at = at.plus(1 + g.random.Uint64N(20))
		a.at = at
		switch g.random.IntN(12) {
		case 0:
			a.at = moment{}
		case 1:
			a.at = moment{1 << 63, 1 << 63}
		case 2:
			a.at = at.plus(1000 * second)
		case 3:
			a.at = at.minus(g.random.Uint64N(8))
		case 4, 7, 8:
			a.at = g.w.since
		case 5:
			a.Flags &^= ledger.AccountImported
		case 6:
			a.Code = 0
		default:
			if len(g.epochIDs)+len(drafts) >= epochAccounts {
				a.ID = g.one(g.epochIDs)
			}
		}
		if g.chance(20) {
			a.Flags |= ledger.AccountLinked
		}
		drafts = append(drafts, a)
	}
	_, err := g.sendAccounts(drafts)
	return err
}

// read compares a page of some query.
func (g *generator) read() error {
	var from, to moment
	if len(g.moments) > 0 {
		if g.chance(50) {
			from = g.moments[g.random.IntN(len(g.moments))].plus(1).minus(g.random.Uint64N(3))
		}
		if g.chance(50) {
			to = g.moments[g.random.IntN(len(g.moments))].plus(1).minus(g.random.Uint64N(3))
		}
	}
	limit := 1 + g.random.Uint32N(60)
	if g.chance(10) {
		limit = 1 + g.random.Uint32N(1000)
	}
	book := g.epochBooks[g.random.IntN(3)]
	user, user64, user32 := g.userData()
	code := uint16(g.random.IntN(4))
	if g.chance(50) {
		user = ledger.Uint128{}
	}
	if g.chance(50) {
		user64, user32 = 0, 0
	}
	switch g.random.IntN(6) {
	case 0, 1:
		id := g.one(g.epochIDs)
		return g.w.accountFilter(ledger.AccountFilter{
			AccountID: id, UserData128: user, UserData64: user64, UserData32: user32, Code: code, Limit: limit,
			Flags: ledger.AccountFilterFlags(g.random.IntN(8)),
		}, from, to)
	case 2:
		if g.chance(97) && from.a < g.epochStart.a && (to.a == 0 || to.a > g.epochStart.a) {
			from = g.epochStart // reading the whole run each time would take the longest
		}
		return g.w.queryTransfers(ledger.QueryFilter{
			UserData128: user, UserData64: user64, UserData32: user32, Ledger: book, Code: code, Limit: limit,
			Flags: ledger.QueryFilterFlags(g.random.IntN(2)),
		}, from, to)
	case 3:
		return g.w.queryAccounts(ledger.QueryFilter{
			UserData128: user, UserData64: user64, UserData32: user32, Ledger: book, Code: code, Limit: limit,
			Flags: ledger.QueryFilterFlags(g.random.IntN(2)),
		}, from, to)
	case 4:
		if from == (moment{}) {
			from = g.w.since
		}
		return g.w.changeEvents(from, to, limit)
	}
	var ids []ledger.Uint128
	for _, r := range []ring{g.made, g.burnt, g.live, g.settled} {
		if d, ok := r.pick(g.random); ok {
			ids = append(ids, d.ID)
		}
	}
	return g.w.lookupTransfers(append(ids, g.id()))
}
