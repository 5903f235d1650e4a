package actors

import (
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// simulatedBooks are the ledger's accounts added up from the journal, and the rules of SPEC 3.5 on them.
type simulatedBooks struct {
	*simulation
	engine   *embedded.Engine
	accounts map[ledger.Uint128]ledger.Account
	pending  map[ledger.Uint128]ledger.Transfer
	outside  int64                      // what has come by channels and not gone by them, as the events say
	onTop    map[bank.AccountNo]int64   // what the bank owed an account and paid, whatever its cap is
	undone   map[ledger.Uint128]*undone // by business
}

// undone is what all records of a business have moved, if it was reversed.
type undone struct {
	reversed bool
	net      map[ledger.Uint128]int64
}

func (b *simulatedBooks) enter(rec *journal.Record) {
	if b.onTop == nil {
		b.onTop, b.undone = map[bank.AccountNo]int64{}, map[ledger.Uint128]*undone{}
	}
	u := b.undone[rec.Subject]
	if u == nil {
		u = &undone{net: map[ledger.Uint128]int64{}}
		b.undone[rec.Subject] = u
	}
	for i := range rec.Transfers {
		b.post(&rec.Transfers[i], u)
	}
	own, others := b.eventsOf(rec)
	for _, e := range append(own, others...) {
		b.flow(e)
		if _, ok := e.(*bank.TransactionReversed); ok {
			u.reversed = true
		}
	}
}

// post enters a transfer, with the amount the ledger has chosen where it does.
func (b *simulatedBooks) post(t *ledger.Transfer, u *undone) {
	debit, credit, amount := t.DebitAccountID, t.CreditAccountID, t.Amount
	if t.Flags&(ledger.TransferBalancingDebit|ledger.TransferBalancingCredit) != 0 {
		stored, _ := b.engine.Transfer(t.ID)
		amount = stored.Amount
	}
	settles := t.Flags&(ledger.TransferPostPending|ledger.TransferVoidPending) != 0
	var held ledger.Uint128
	if settles {
		p := b.pending[t.PendingID]
		debit, credit, held = p.DebitAccountID, p.CreditAccountID, p.Amount
		if t.Flags&ledger.TransferVoidPending != 0 {
			amount = held
		}
		delete(b.pending, t.PendingID)
	}
	from, to := b.accounts[debit], b.accounts[credit]
	switch {
	case t.Flags&ledger.TransferPending != 0:
		p := *t
		p.Amount = amount
		b.pending[t.ID] = p
		from.DebitsPending, to.CreditsPending = plus(from.DebitsPending, amount), plus(to.CreditsPending, amount)
	case settles:
		from.DebitsPending, to.CreditsPending = minus(from.DebitsPending, held), minus(to.CreditsPending, held)
	}
	if t.Flags&(ledger.TransferPending|ledger.TransferVoidPending) == 0 {
		from.DebitsPosted, to.CreditsPosted = plus(from.DebitsPosted, amount), plus(to.CreditsPosted, amount)
		u.net[debit] -= net(amount, ledger.Uint128{})
		u.net[credit] += net(amount, ledger.Uint128{})
	}
	b.accounts[debit], b.accounts[credit] = from, to
}

// flow adds up what an event says has come from outside the bank or gone there, and what the bank owed an account.
func (b *simulatedBooks) flow(e bank.Event) {
	switch m := e.(type) {
	case *bank.InboundCredited:
		b.outside += m.AmountFen
	case *bank.TransferInSucceeded:
		b.outside += m.AmountFen
	case *bank.TransferOutSucceeded:
		b.outside -= m.AmountFen
	case *bank.TransferReturned:
		b.outside += m.AmountFen
		b.onTop[m.AccountNo] += m.AmountFen
	case *bank.FeeRefunded:
		b.onTop[m.AccountNo] += m.AmountFen
	case *bank.TransactionReversed:
		f := b.world.flights[m.TxnID]
		if m.Direction == bank.In {
			b.onTop[m.AccountNo] += m.AmountFen + m.FeeFen
		}
		switch {
		case f.payee != 0:
		case m.Direction == bank.In:
			b.outside += m.AmountFen
		default:
			b.outside -= m.AmountFen
		}
	case *bank.DemandInterestPaid:
		b.onTop[m.AccountNo] += m.InterestFen
	case *bank.AccountClosure:
		if m.To == 0 {
			b.outside -= m.PayoutFen
		}
	case *bank.DeductionRemitted:
		if m.Success {
			b.outside -= m.AmountFen
		}
	case *bank.ShortageClaimed:
		b.outside -= m.AmountFen
	case *bank.SuspenseBooked:
		b.outside += m.AmountFen
	case *bank.SuspenseEnded:
		b.outside -= m.AmountFen // to the channel, or as an inbound credit, which counts for itself
	}
}

func (b *simulatedBooks) check() {
	sums := map[uint32]ledger.Account{}
	clearing := int64(0)
	b.engine.EachAccount(func(a *ledger.Account) bool {
		own := b.accounts[a.ID]
		if own.DebitsPosted != a.DebitsPosted || own.CreditsPosted != a.CreditsPosted || own.DebitsPending != a.DebitsPending || own.CreditsPending != a.CreditsPending {
			b.failf("account %s: the ledger has %+v, the journal %+v", a.ID, a, own)
		}
		delete(b.accounts, a.ID)
		sum := sums[a.Ledger]
		sum.DebitsPosted, sum.CreditsPosted = plus(sum.DebitsPosted, a.DebitsPosted), plus(sum.CreditsPosted, a.CreditsPosted)
		sum.DebitsPending, sum.CreditsPending = plus(sum.DebitsPending, a.DebitsPending), plus(sum.CreditsPending, a.CreditsPending)
		sums[a.Ledger] = sum
		_, clears := bank.ClearingOf(bank.U128(a.ID))
		switch balance := net(a.CreditsPosted, a.DebitsPosted); {
		case clears:
			clearing -= balance
		case a.Code == controlSubject && balance != 0: // R5
			b.failf("control account %s has %d", a.ID, balance)
		}
		return true
	})
	for id := range b.accounts {
		b.failf("account %s is in the journal and not in the ledger", id)
	}
	for no, sum := range sums { // R1, R2
		if sum.DebitsPosted != sum.CreditsPosted || sum.DebitsPending != sum.CreditsPending {
			b.failf("ledger %d: debits and credits differ: %+v", no, sum)
		}
	}
	if clearing != b.outside { // R6
		b.failf("the clearing accounts hold %d, and %d have come from outside", clearing, b.outside)
	}
	for txn, u := range b.undone { // R12
		if u.reversed {
			b.checkUndone(txn, u)
		}
	}
	b.checkCustomers()
}

// controlSubject is the subject of the accounts that must be zero behind each chain (SPEC 6.1.11).
const controlSubject = 3001

// checkUndone checks that a business and its reversal leave nothing, but what was no longer there, which is owed now.
func (b *simulatedBooks) checkUndone(txn ledger.Uint128, u *undone) {
	sum, left := int64(0), 0
	for id, fen := range u.net {
		detail, _, _ := bank.SplitLedgerID(bank.U128(id))
		if fen == 0 {
			continue
		}
		left++
		sum += fen
		if _, customers := bank.AccountOf(bank.U128(id)); !customers && detail != bank.DetailAdvances {
			b.failf("business %s is reversed and has left %d on %s", txn, fen, id)
		}
	}
	if sum != 0 || left > 2 {
		b.failf("business %s is reversed and has left %v", txn, u.net)
	}
}

// checkCustomers compares every customer's state with the ledger.
func (b *simulatedBooks) checkCustomers() {
	pending := 0
	accrued := map[ledger.Uint128]int64{}
	owed := func(id bank.U128) int64 {
		a, _ := b.engine.Account(ledger.Uint128(id))
		return net(a.CreditsPosted, a.DebitsPosted)
	}
	isPending := func(what any, id bank.U128, fen int64) {
		pending++
		p, ok := b.pending[ledger.Uint128(id)]
		switch has := net(p.Amount, ledger.Uint128{}); {
		case !ok:
			b.failf("%v waits and is not pending", what)
		case has != fen:
			b.failf("%v waits with %d fen, and %d are pending", what, fen, has)
		}
	}
	for _, no := range b.world.customers {
		held := b.held(b.process, no)
		if held == nil {
			continue
		}
		c := &held.customer
		payable := func(detail uint32, fen int64) {
			accrued[ledger.Uint128(bank.LedgerID(detail, uint64(no.Shard()), 0))] += fen
		}
		for i := range c.Accounts {
			a := &c.Accounts[i]
			b.checkAccount(a, held.desk.Standing(a.No))
			demand := &held.desk.Standing(a.No).Demand
			payable(bank.DetailDemandPayable, demand.AccruedFen)
			for _, p := range demand.Due() {
				payable(bank.DetailDemandPayable, p.AccruedFen)
			}
			if a.State == bank.AccountStateClosed {
				pending++ // the mark that closes it in the ledger
			}
			if a.Special == nil {
				continue
			}
			for _, h := range a.Special.Holds {
				for _, part := range h.Parts {
					isPending(h.ID, part.Pending, part.Fen)
				}
			}
			for _, x := range a.Special.Deductions {
				isPending(x.ID, x.Pending, x.Fen)
			}
		}
		for i := range c.Deposits {
			t := &c.Deposits[i]
			if fen := owed(t.LedgerID()); fen != t.PrincipalFen { // R4
				b.failf("deposit %s: %d on the ledger, %d in the contract", t.No, fen, t.PrincipalFen)
			}
			if want := b.accruedOf(t, c.ClosedOn); t.AccruedFen != want {
				b.failf("deposit %s of %d: %d accrued, not %d", t.No, t.PrincipalFen, t.AccruedFen, want)
			}
			payable(t.Subjects.PayableDetail, t.AccruedFen)
			payable(bank.DetailDemandPayable, t.OverdueAccruedFen)
			for _, h := range t.Holds {
				if h.AmountFen == 0 && h.Kind == bank.DepositFreeze && h.Pending == (bank.U128{}) {
					continue // a freeze that waits, or has found nothing, keeps nothing
				}
				isPending(h.ID, h.Pending, h.AmountFen)
			}
		}
		for i := range c.Lines { // R8, of lines that do not revolve
			used := int64(0)
			for k := range c.Loans {
				if c.Loans[k].Line == c.Lines[i].No {
					used += c.Loans[k].PrincipalFen
				}
			}
			if fen := owed(c.Lines[i].LedgerID()); fen+used != c.Lines[i].LimitFen {
				b.failf("line %s: %d available and %d used of %d", c.Lines[i].No, fen, used, c.Lines[i].LimitFen)
			}
		}
		for i := range c.Loans { // R4
			if fen := -owed(bank.LedgerID(bank.DetailLoanPrincipal, uint64(no), c.Loans[i].No.Seq())); fen != c.Loans[i].RemainingFen {
				b.failf("loan %s: %d on the ledger, %d in the contract", c.Loans[i].No, fen, c.Loans[i].RemainingFen)
			}
		}
		for i := range c.InFlight { // R7: what is pending is known, and the channel has been asked
			f := &c.InFlight[i]
			isPending(f.Txn, f.PendingID, f.AmountFen)
			if f.FeePendingID != (bank.U128{}) {
				isPending(f.Txn, f.FeePendingID, f.FeeFen)
			}
			if _, ok := b.channel.asked[f.Txn]; !ok {
				b.failf("transfer %s waits for a channel that was not asked", f.Txn)
			}
		}
	}
	waiting := 0
	for _, p := range b.pending {
		if !p.Amount.IsZero() || p.Flags&ledger.TransferClosingDebit != 0 { // a hold that found nothing waits for nobody
			waiting++
		}
	}
	if pending != waiting {
		b.failf("%d transfers are pending, %d are known to wait", waiting, pending)
	}
	for id, fen := range accrued { // R3
		if there := owed(bank.U128(id)); there != fen {
			b.failf("%d fen of interest are accrued, %d payable on %s", fen, there, id)
		}
	}
}

// checkAccount compares an account's standing, which decides what comes next, with the ledger.
func (b *simulatedBooks) checkAccount(a *bank.EAccount, s *bank.Standing) {
	there, _ := b.engine.Account(ledger.Uint128(a.LedgerID()))
	has := balanceOf(a.No, there)
	switch {
	case has.PostedFen < 0: // R11
		b.failf("%s has %d", a.No, has.PostedFen)
	case a.No.Class() == 3 && has.PostedFen+has.PendingInFen > 200_000+b.onTop[a.No]:
		b.failf("%s of class III has %+v", a.No, has)
	case s.ReservedFen != 0 || s.AdmittedFen != 0:
		b.failf("%s: %d and %d fen stay reserved", a.No, s.ReservedFen, s.AdmittedFen)
	case s.BalanceFen() != has.PostedFen || s.Apart != bank.Apart{InFen: has.PendingInFen, OutFen: has.PendingOutFen}:
		b.failf("%s: the ledger has %+v, the desk %d and %+v", a.No, has, s.BalanceFen(), s.Apart)
	}
	advance, _ := b.engine.Account(ledger.Uint128(bank.LedgerID(bank.DetailAdvances, uint64(a.No.Customer()), 0)))
	if owes := net(advance.DebitsPosted, advance.CreditsPosted); s.AdvanceFen < 0 || s.AdvanceFen > owes {
		b.failf("%s owes %d, its customer %d", a.No, s.AdvanceFen, owes)
	}
}

// Rates of the simulated bank, a year's millionths.
const demandRateE6 = 2000

func depositRateE6(product string) (rateE6, months int64) {
	if product == bank.ProductJFC3M {
		return 13_500, 3
	}
	return 17_500, 12
}

// halfUp is a·b·c/d, rounded to the fen (四舍五入); all are small enough.
func halfUp(a, b, c, d int64) int64 { return (2*a*b*c + d) / (2 * d) }

// yuan is what of an amount earns interest (元位起息).
func yuan(fen int64) int64 { return fen / 100 * 100 }

// interestOf is what a payment out of a deposit must bring: demand interest of its days before its term, all of it
// at its end, and demand interest for the days behind it (SPEC 4.2).
func (s *simulation) interestOf(m *bank.DepositPaid, on bank.Date) int64 {
	if m.ValueDate != 0 {
		on = m.ValueDate
	}
	t := s.deposit(m.DepositNo)
	if on < t.maturity {
		return halfUp(yuan(m.PrincipalFen), demandRateE6, int64(bank.Days(t.opened, on)), 360_000_000)
	}
	rateE6, months := depositRateE6(t.product)
	return halfUp(yuan(m.PrincipalFen), rateE6, months, 12_000_000) +
		halfUp(yuan(m.PrincipalFen), demandRateE6, int64(bank.Days(t.maturity, on)), 360_000_000)
}

func (s *simulation) matures(no bank.ContractNo) bank.Date { return s.deposit(no).maturity }

func (s *simulation) redeemed(m *bank.RedeemDeposit) int64 {
	if m.All {
		return s.deposit(m.Deposit).fen
	}
	return m.AmountFen
}

// accruedOf is what a deposit has earned of its term by the end of the last day that was closed, by straight line.
func (b *simulatedBooks) accruedOf(t *bank.Deposit, closedOn bank.Date) int64 {
	if t.PrincipalFen == 0 || closedOn < t.OpenDate {
		return 0
	}
	rateE6, months := depositRateE6(t.Product)
	term := int64(bank.Days(t.OpenDate, t.MaturityDate))
	days := min(term, int64(bank.Days(t.OpenDate, closedOn.AddDays(1))))
	return halfUp(halfUp(yuan(t.PrincipalFen), rateE6, months, 12_000_000), days, 1, term)
}
