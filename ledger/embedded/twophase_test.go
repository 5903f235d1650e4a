package embedded

import (
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

// A post moves what it names, no more and no less: 0 is nothing, AmountMax everything.
func TestAPostReleasesTheWholeHoldAndMovesItsAmount(t *testing.T) {
	for _, c := range []struct {
		name   string
		amount ledger.Uint128
		moved  uint64
	}{
		{"part", ledger.U64(40), 40},
		{"nothing", ledger.U64(0), 0},
		{"all", ledger.AmountMax, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			h.open(0, 1, 2)
			p := timed(pay(10, 1, 2, 100), 60)
			p.UserData128, p.UserData64, p.UserData32 = ledger.U64(7), 8, 9
			h.one(created, p)
			h.balances(1, 100, 0, 0, 0)
			settlement := post(11, 10, c.amount)
			settlement.UserData64 = 88
			h.one(created, settlement)
			h.balances(1, 0, c.moved, 0, 0)
			h.balances(2, 0, 0, 0, c.moved)
			got, _ := h.Transfer(ledger.U64(11))
			want := ledger.Transfer{
				ID: ledger.U64(11), DebitAccountID: p.DebitAccountID, CreditAccountID: p.CreditAccountID,
				Amount: ledger.U64(c.moved), PendingID: p.ID, UserData128: p.UserData128, UserData64: 88, UserData32: 9,
				Ledger: book, Code: p.Code, Flags: ledger.TransferPostPending, Timestamp: got.Timestamp,
			}
			if got != want {
				t.Errorf("stored %+v\nwant   %+v", got, want)
			}
			h.one(ledger.TransferExists, settlement)
			h.now += 61 * second
			if n := h.Pulse(h.now); n != 0 {
				t.Error("a posted transfer expired")
			}
			h.balances(1, 0, c.moved, 0, 0)
		})
	}
}

// A retried settlement is the same one when it comes to the same, however it says so.
func TestARepeatedPostOrVoidIsComparedWithWhatTheHoldFillsIn(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2, 3)
	h.one(created, flagged(pay(10, 1, 2, 100), ledger.TransferPending))
	h.one(created, post(11, 10, ledger.AmountMax))
	h.one(created, flagged(pay(20, 1, 2, 100), ledger.TransferPending))
	h.one(created, void(21, 20))

	change := func(t ledger.Transfer, f func(*ledger.Transfer)) ledger.Transfer {
		f(&t)
		return t
	}
	posting, voiding := post(11, 10, ledger.AmountMax), void(21, 20)
	for _, c := range []struct {
		want ledger.CreateTransferStatus
		t    ledger.Transfer
	}{
		{ledger.TransferExists, posting},
		{ledger.TransferExists, post(11, 10, ledger.U64(100))},
		{ledger.TransferExists, change(posting, func(t *ledger.Transfer) {
			t.DebitAccountID, t.CreditAccountID, t.Ledger, t.Code = ledger.U64(1), ledger.U64(2), book, 1121
		})},
		{ledger.TransferExistsWithDifferentAmount, post(11, 10, ledger.U64(0))},
		{ledger.TransferExistsWithDifferentAmount, post(11, 10, ledger.U64(99))},
		{ledger.TransferExistsWithDifferentPendingID, post(11, 20, ledger.AmountMax)},
		{ledger.TransferExistsWithDifferentFlags, void(11, 10)},
		{ledger.TransferExistsWithDifferentTimeout, change(posting, func(t *ledger.Transfer) { t.Timeout = 1 })},
		{ledger.TransferExistsWithDifferentDebitAccountID, change(posting, func(t *ledger.Transfer) { t.DebitAccountID = ledger.U64(3) })},
		{ledger.TransferExistsWithDifferentCreditAccountID, change(posting, func(t *ledger.Transfer) { t.CreditAccountID = ledger.U64(3) })},
		{ledger.TransferExistsWithDifferentUserData128, change(posting, func(t *ledger.Transfer) { t.UserData128 = ledger.U64(3) })},
		{ledger.TransferExistsWithDifferentUserData64, change(posting, func(t *ledger.Transfer) { t.UserData64 = 3 })},
		{ledger.TransferExistsWithDifferentUserData32, change(posting, func(t *ledger.Transfer) { t.UserData32 = 3 })},
		{ledger.TransferExistsWithDifferentLedger, change(posting, func(t *ledger.Transfer) { t.Ledger = 3 })},
		{ledger.TransferExistsWithDifferentCode, change(posting, func(t *ledger.Transfer) { t.Code = 3 })},
		{ledger.TransferExists, voiding},
		{ledger.TransferExists, change(voiding, func(t *ledger.Transfer) { t.Amount = ledger.U64(100) })},
		{ledger.TransferExistsWithDifferentAmount, change(voiding, func(t *ledger.Transfer) { t.Amount = ledger.U64(99) })},
	} {
		h.one(c.want, c.t)
	}
	h.balances(1, 0, 100, 0, 0)
}

// Otherwise money could leave an hour after the customer was told the hold had lapsed.
func TestAHoldIsOverByTheClockEvenBeforeTheSweep(t *testing.T) {
	h := newHouse(t)
	e := New(Options{}) // sweeps only when told
	h.Engine = e
	h.open(0, 1, 2)
	var results []ledger.CreateTransferResult
	results = e.ExecuteTransfers(h.now, []ledger.Transfer{timed(pay(10, 1, 2, 5), 60), timed(pay(11, 1, 2, 5), 60)}, results)
	expiry := results[0].Timestamp + 60*second
	results = e.ExecuteTransfers(expiry-2, []ledger.Transfer{post(20, 10, ledger.AmountMax)}, results[:0])
	if results[0].Status != created {
		t.Fatalf("a nanosecond before its time: %v", results[0])
	}
	results = e.ExecuteTransfers(expiry, []ledger.Transfer{post(21, 11, ledger.AmountMax), void(22, 11)}, results[:0])
	for _, r := range results {
		if r.Status != ledger.TransferPendingTransferExpired {
			t.Errorf("after its time: %v", r.Status)
		}
	}
	h.balances(1, 5, 5, 0, 0) // still reserved: the sweep gives it back
	if n := e.Pulse(expiry + second); n != 1 {
		t.Errorf("%d expired, want 1", n)
	}
	h.balances(1, 0, 5, 0, 0)
}

// An expiry gives back reservations in order of expiry, reopens accounts, and is in the change log.
func TestExpiriesComeInOrderOfTheirTimeAndReopenAccounts(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	h.one(created, timed(pay(10, 1, 2, 1), 30))
	h.one(created, timed(pay(11, 1, 2, 2), 10))
	h.one(created, timed(pay(12, 1, 2, 4), 20))
	h.one(created, flagged(timed(pay(13, 1, 2, 0), 10), ledger.TransferClosingCredit))
	h.one(ledger.TransferCreditAccountAlreadyClosed, pay(14, 1, 2, 1))
	start := h.now
	h.now += 25 * second
	found, _ := h.LookupAccounts(t.Context(), []ledger.Uint128{ledger.U64(2), ledger.U64(999), ledger.U64(2)})
	if len(found) != 2 || found[0].CreditsPending != ledger.U64(1) || found[0].Flags&ledger.AccountClosed != 0 {
		t.Fatalf("a read shows reservations that are over, or the account closed by one of them: %+v", found)
	}
	h.now += 25 * second
	events := h.events(ledger.ChangeEventsFilter{TimestampMin: start + second})
	want := []struct{ id, debitsPending uint64 }{{11, 5}, {13, 5}, {12, 1}, {10, 0}}
	if len(events) != len(want) {
		t.Fatalf("%d change events, want %d", len(events), len(want))
	}
	for i, w := range want {
		got := events[i]
		if got.Type != ledger.ChangeTwoPhaseExpired || got.Transfer.ID != ledger.U64(w.id) || got.DebitAccount.DebitsPending != ledger.U64(w.debitsPending) {
			t.Errorf("event %d: type %d of transfer %v leaves %v, want expiry of %d leaving %d",
				i, got.Type, got.Transfer.ID.Big(), got.DebitAccount.DebitsPending.Big(), w.id, w.debitsPending)
		}
		closed := got.CreditAccount.Flags&ledger.AccountClosed != 0
		if closed != (i == 0) {
			t.Errorf("event %d shows the credit account closed=%v", i, closed)
		}
	}
	if got, _ := h.Transfer(ledger.U64(13)); got.Flags&ledger.TransferPending == 0 {
		t.Error("an expiry changed the transfer itself")
	}
}

func TestAPulseExpiresAtMostOneBatchAndTheNextTheRest(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	const holds = batchMax + 100
	for done := uint64(0); done < holds; {
		var batch []ledger.Transfer
		for ; done < holds && len(batch) < batchMax; done++ {
			batch = append(batch, timed(pay(1000+done, 1, 2, 1), 1))
		}
		h.send(batch...)
	}
	h.now += 10 * second
	before := h.Timestamp()
	if n := h.Pulse(h.now); n != batchMax {
		t.Fatalf("the first pulse expired %d", n)
	}
	if n := h.Pulse(h.now); n != 100 {
		t.Fatalf("the second pulse expired %d", n)
	}
	if h.Timestamp() <= before+holds {
		t.Error("expiries share timestamps")
	}
	if h.Pulse(h.now) != 0 {
		t.Error("something expired twice")
	}
	h.balances(1, 0, 0, 0, 0)
}

// Otherwise settled holds would fill the memory until their timeouts pass.
func TestTheQueueForgetsSettledHolds(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	for i := range uint64(20 * sweepFloor) {
		h.one(created, timed(pay(100_000+2*i, 1, 2, 1), 86_400))
		h.one(created, void(100_001+2*i, 100_000+2*i))
	}
	if n := len(h.expiring.heap); n > 2*sweepFloor {
		t.Errorf("%d entries for holds that are settled", n)
	}
	if h.expiring.waiting != 0 {
		t.Errorf("%d holds are thought to wait", h.expiring.waiting)
	}
}

// A closed account takes no money, but what it had reserved can be given back.
func TestAClosedAccountRefusesPostsButNotVoids(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	h.one(created, flagged(pay(10, 1, 2, 5), ledger.TransferPending))
	h.one(created, flagged(pay(11, 1, 2, 0), ledger.TransferPending|ledger.TransferClosingDebit))
	h.one(ledger.TransferDebitAccountAlreadyClosed, pay(12, 1, 2, 0))
	h.one(ledger.TransferDebitAccountAlreadyClosed, post(13, 10, ledger.AmountMax))
	h.one(created, void(14, 10))
	a, _ := h.Account(ledger.U64(1))
	repeat := ledger.Account{ID: a.ID, Ledger: a.Ledger, Code: a.Code}
	if got := h.account(repeat); got != ledger.AccountExistsWithDifferentFlags {
		t.Errorf("creating the closed account again: %v", got)
	}
	h.one(created, void(15, 11))
	if got := h.account(repeat); got != ledger.AccountExists {
		t.Errorf("creating the reopened account again: %v", got)
	}
	h.one(created, pay(16, 1, 2, 1))
}

// Balancing moves what is there, with what is reserved left alone, and may move nothing.
func TestBalancingTransfersTakeWhatIsLeft(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 9)
	h.open(ledger.AccountDebitsMustNotExceedCredits, 2)
	h.open(ledger.AccountCreditsMustNotExceedDebits, 3)
	h.one(created, pay(10, 1, 2, 100))
	h.one(created, flagged(pay(11, 2, 1, 30), ledger.TransferPending))
	h.one(created, pay(12, 3, 1, 40))
	both := pay(13, 2, 3, 0)
	both.Amount = ledger.AmountMax
	h.one(created, flagged(both, ledger.TransferBalancingDebit|ledger.TransferBalancingCredit))
	h.balances(3, 0, 40, 0, 40)
	h.balances(2, 30, 40, 0, 100)
	h.one(created, flagged(pay(14, 2, 9, 1000), ledger.TransferBalancingDebit|ledger.TransferPending))
	h.balances(2, 60, 40, 0, 100)
	h.one(created, flagged(pay(15, 2, 9, 1000), ledger.TransferBalancingDebit))
	if got, _ := h.Transfer(ledger.U64(15)); !got.Amount.IsZero() {
		t.Errorf("moved %v from an account with nothing left", got.Amount.Big())
	}
	h.one(ledger.TransferExists, flagged(pay(14, 2, 9, 31), ledger.TransferBalancingDebit|ledger.TransferPending))
	h.one(ledger.TransferExistsWithDifferentAmount, flagged(pay(14, 2, 9, 29), ledger.TransferBalancingDebit|ledger.TransferPending))
}

// Records brought over from another ledger keep their own time, which only goes forward.
func TestImportedRecordsKeepTheirTimeAndNeverGoBack(t *testing.T) {
	h := newHouse(t)
	imported := func(t ledger.Transfer, timestamp uint64) ledger.Transfer {
		t.Timestamp = timestamp
		return flagged(t, ledger.TransferImported)
	}
	var accounts []ledger.Account
	for id := uint64(1); id <= 3; id++ {
		accounts = append(accounts, ledger.Account{ID: ledger.U64(id), Ledger: book, Code: 1, Flags: ledger.AccountImported, Timestamp: 100 * id})
	}
	results, _ := h.CreateAccounts(t.Context(), accounts)
	for i, r := range results {
		if r.Status != ledger.AccountCreated || r.Timestamp != accounts[i].Timestamp {
			t.Fatal(r)
		}
	}
	h.one(ledger.TransferImportedEventTimestampMustNotRegress, imported(pay(10, 1, 2, 1), 300)) // an account's
	h.one(ledger.TransferImportedEventTimestampMustPostdateDebitAccount, imported(pay(10, 3, 2, 1), 250))
	h.one(created, imported(flagged(pay(10, 1, 2, 9), ledger.TransferPending), 400))
	h.one(ledger.TransferImportedEventTimestampMustNotRegress, imported(pay(11, 1, 2, 1), 400))
	h.one(ledger.TransferImportedEventTimestampMustNotRegress, imported(post(12, 10, ledger.AmountMax), 399))
	h.one(created, imported(post(12, 10, ledger.AmountMax), 500))
	h.one(ledger.TransferExists, imported(post(12, 10, ledger.AmountMax), 600))
	if got := h.account(ledger.Account{ID: ledger.U64(4), Ledger: book, Code: 1, Flags: ledger.AccountImported, Timestamp: 400}); got != ledger.AccountImportedEventTimestampMustNotRegress {
		t.Errorf("an account at a transfer's time: %v", got)
	}
	chain := h.send(imported(flagged(pay(13, 1, 2, 1), linked), 700), imported(pay(14, 1, 1, 1), 701))
	if chain[0].Status != chainFailed || chain[0].Timestamp != 700 || chain[1].Timestamp < h.now {
		t.Errorf("a broken imported chain: %+v", chain)
	}
	h.one(created, imported(pay(15, 1, 2, 1), 700)) // what was undone doesn't count as the newest

	// An import may be older than an expiry: the change log is in order all the same.
	h.now = 2_000_000 * second
	e := h.Engine
	h.open(0, 21, 22)
	h.one(created, timed(pay(20, 21, 22, 1), 1))
	h.now += 1000 * second
	if e.Pulse(h.now) != 1 {
		t.Fatal("nothing expired")
	}
	h.now += 1000 * second
	h.one(created, imported(pay(23, 21, 22, 1), 2_000_500*second))
	events := h.events(ledger.ChangeEventsFilter{})
	for i := 1; i < len(events); i++ {
		if events[i].Timestamp <= events[i-1].Timestamp {
			t.Errorf("change event %d is out of order", i)
		}
	}
	lapse := events[len(events)-1]
	if lapse.Type != ledger.ChangeTwoPhaseExpired || events[len(events)-2].Transfer.ID != ledger.U64(23) {
		t.Error("the import isn't before the expiry")
	}
	h.now += 1000 * second
	h.one(ledger.TransferImportedEventTimestampMustNotRegress, imported(pay(24, 21, 22, 1), lapse.Timestamp))
}

// Two events at the same time, or time running backwards, would break every order in the bank.
func TestTimeOnlyGoesForwardWhateverTheClockSays(t *testing.T) {
	h := newHouse(t)
	h.open(0, 1, 2)
	last := h.Timestamp()
	for i, now := range []uint64{h.now, h.now - 500*second, 0, h.now + 500*second, h.now} {
		h.now = now
		results := h.send(pay(100+2*uint64(i), 1, 2, 1), pay(0, 1, 2, 1), pay(101+2*uint64(i), 1, 2, 1))
		for _, r := range results {
			if r.Timestamp <= last || r.Timestamp < now {
				t.Errorf("with the clock at %d: timestamp %d after %d", now, r.Timestamp, last)
			}
			last = r.Timestamp
		}
	}
}
