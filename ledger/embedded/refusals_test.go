package embedded

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Every refusal there is, and which of several comes first. Each table starts with an event in
// which everything is wrong; a row names the refusal expected, then puts that one fault right. A
// wrong refusal makes the bank retry what can't succeed, or give up what could.
func TestTheFirstFaultInTheOrderOfChecksIsTheOneReported(t *testing.T) {
	h := newHouse(t)
	accountsFaultByFault(h)
	movesFaultByFault(h)
	settlementsFaultByFault(h)
	repeatsFaultByFault(h)
	batchesFaultByFault(h)

	for _, kind := range []struct {
		name string
		last uint32
		of   func(uint32) string
	}{
		{"account", 26, func(s uint32) string { return ledger.CreateAccountStatus(s).String() }},
		{"transfer", 68, func(s uint32) string { return ledger.CreateTransferStatus(s).String() }},
	} {
		for s := uint32(1); s <= kind.last; s++ {
			name := kind.of(s)
			if !strings.HasPrefix(name, "create_") && !h.refused[kind.name+" "+name] {
				t.Errorf("%s: no event was refused with %s", kind.name, name)
			}
		}
	}
	if t.Failed() {
		t.Log("seen:", slices.Sorted(maps.Keys(h.refused)))
	}
}

func accountsFaultByFault(h *house) {
	const limits = ledger.AccountDebitsMustNotExceedCredits | ledger.AccountCreditsMustNotExceedDebits
	h.open(0, 90)
	original := ledger.Account{
		ID: ledger.U64(91), Ledger: book, Code: 2011, Flags: ledger.AccountHistory,
		UserData128: ledger.U64(1), UserData64: 2, UserData32: 3,
	}
	if got := h.account(original); got != ledger.AccountCreated {
		h.Fatal(got)
	}
	one := ledger.U64(1)
	a := ledger.Account{
		Reserved: 1, Flags: 1<<15 | limits, Timestamp: 1,
		DebitsPending: one, DebitsPosted: one, CreditsPending: one, CreditsPosted: one,
	}
	for _, step := range []struct {
		want ledger.CreateAccountStatus
		fix  func()
	}{
		{ledger.AccountTimestampMustBeZero, func() { a.Timestamp = 0 }},
		{ledger.AccountReservedField, func() { a.Reserved = 0 }},
		{ledger.AccountReservedFlag, func() { a.Flags = limits }},
		{ledger.AccountIDMustNotBeZero, func() { a.ID = ledger.AmountMax }},
		{ledger.AccountIDMustNotBeIntMax, func() { a.ID = original.ID }},
		{ledger.AccountExistsWithDifferentFlags, func() { a.Flags = original.Flags }},
		{ledger.AccountExistsWithDifferentUserData128, func() { a.UserData128 = original.UserData128 }},
		{ledger.AccountExistsWithDifferentUserData64, func() { a.UserData64 = original.UserData64 }},
		{ledger.AccountExistsWithDifferentUserData32, func() { a.UserData32 = original.UserData32 }},
		{ledger.AccountExistsWithDifferentLedger, func() { a.Ledger = original.Ledger }},
		{ledger.AccountExistsWithDifferentCode, func() { a.Code = original.Code }},
		{ledger.AccountExists, func() { a.ID, a.Flags, a.Ledger, a.Code = ledger.U64(92), limits, 0, 0 }},
		{ledger.AccountFlagsAreMutuallyExclusive, func() { a.Flags = ledger.AccountHistory }},
		{ledger.AccountDebitsPendingMustBeZero, func() { a.DebitsPending = ledger.Uint128{} }},
		{ledger.AccountDebitsPostedMustBeZero, func() { a.DebitsPosted = ledger.Uint128{} }},
		{ledger.AccountCreditsPendingMustBeZero, func() { a.CreditsPending = ledger.Uint128{} }},
		{ledger.AccountCreditsPostedMustBeZero, func() { a.CreditsPosted = ledger.Uint128{} }},
		{ledger.AccountLedgerMustNotBeZero, func() { a.Ledger = book }},
		{ledger.AccountCodeMustNotBeZero, func() { a.Code = 2011; a.Flags |= ledger.AccountImported; a.Timestamp = 1 }},
		{ledger.AccountImportedEventTimestampMustNotRegress, func() { a.Flags, a.Timestamp = 0, 0 }},
		{ledger.AccountCreated, func() {}},
	} {
		if got := h.account(a); got != step.want {
			h.Errorf("account: %v, want %v", got, step.want)
		}
		step.fix()
	}
}

func movesFaultByFault(h *house) {
	h.open(0, 1, 2, 3, 4)
	h.open(ledger.AccountDebitsMustNotExceedCredits, 5)
	h.open(ledger.AccountCreditsMustNotExceedDebits, 6)
	h.open(ledger.AccountClosed, 7, 8)
	if got := h.account(ledger.Account{ID: ledger.U64(9), Ledger: otherBook, Code: 2011}); got != ledger.AccountCreated {
		h.Fatal(got)
	}
	// 1 and 2 have nearly all there is in pending, 3 and 4 in posted balances.
	nearly, _ := ledger.AmountMax.Sub(ledger.U64(10))
	most := pay(101, 1, 2, 0)
	most.Amount, most.Flags = nearly, ledger.TransferPending
	h.one(ledger.TransferCreated, most)
	most = pay(102, 3, 4, 0)
	most.Amount = nearly
	h.one(ledger.TransferCreated, most)
	h.open(0, 10, 11, 20)

	eleven := ledger.U64(11)
	t := ledger.Transfer{
		Flags: 1<<15 | ledger.TransferClosingDebit, PendingID: ledger.U64(1), Timeout: 1, Timestamp: 1, Amount: eleven,
	}
	between := func(debit, credit uint64) {
		t.DebitAccountID, t.CreditAccountID = ledger.U64(debit), ledger.U64(credit)
	}
	for _, step := range []struct {
		want ledger.CreateTransferStatus
		fix  func()
	}{
		{ledger.TransferTimestampMustBeZero, func() { t.Timestamp = 0 }},
		{ledger.TransferReservedFlag, func() { t.Flags &^= 1 << 15 }},
		{ledger.TransferIDMustNotBeZero, func() { t.ID = ledger.AmountMax }},
		{ledger.TransferIDMustNotBeIntMax, func() { t.ID = h.fresh() }},
		{ledger.TransferDebitAccountIDMustNotBeZero, func() { t.DebitAccountID = ledger.AmountMax }},
		{ledger.TransferDebitAccountIDMustNotBeIntMax, func() { t.DebitAccountID = ledger.U64(777) }},
		{ledger.TransferCreditAccountIDMustNotBeZero, func() { t.CreditAccountID = ledger.AmountMax }},
		{ledger.TransferCreditAccountIDMustNotBeIntMax, func() { t.CreditAccountID = ledger.U64(777) }},
		{ledger.TransferAccountsMustBeDifferent, func() { t.CreditAccountID = ledger.U64(778) }},
		{ledger.TransferPendingIDMustBeZero, func() { t.PendingID = ledger.Uint128{} }},
		{ledger.TransferTimeoutReservedForPendingTransfer, func() { t.Timeout = 0 }},
		{ledger.TransferClosingTransferMustBePending, func() { t.Flags |= ledger.TransferPending; t.Timeout = 1<<32 - 1 }},
		{ledger.TransferLedgerMustNotBeZero, func() { t.Ledger = 5 }},
		{ledger.TransferCodeMustNotBeZero, func() { t.Code = 1121 }},
		{ledger.TransferDebitAccountNotFound, func() { t.DebitAccountID = ledger.U64(7) }},
		{ledger.TransferIDAlreadyFailed, func() { t.ID = h.fresh() }},
		{ledger.TransferCreditAccountNotFound, func() { t.ID = h.fresh(); t.CreditAccountID = ledger.U64(9) }},
		{ledger.TransferAccountsMustHaveTheSameLedger, func() { t.CreditAccountID = ledger.U64(8) }},
		{ledger.TransferTransferMustHaveTheSameLedgerAsAccounts, func() { t.Ledger = book }},
		{ledger.TransferDebitAccountAlreadyClosed, func() { t.ID = h.fresh(); between(1, 8) }},
		{ledger.TransferCreditAccountAlreadyClosed, func() { t.ID = h.fresh(); between(1, 2); h.now = 5 << 60 }},
		{ledger.TransferOverflowsDebitsPending, func() { between(10, 2) }},
		{ledger.TransferOverflowsCreditsPending, func() { between(3, 4) }},
		{ledger.TransferOverflowsDebitsPosted, func() { between(10, 4) }},
		{ledger.TransferOverflowsCreditsPosted, func() { t.Flags, t.Timeout = 0, 0; between(1, 2) }},
		{ledger.TransferOverflowsDebits, func() { between(5, 2) }},
		{ledger.TransferOverflowsCredits, func() { between(5, 6); t.Flags, t.Timeout = ledger.TransferPending, 1<<32-1 }},
		{ledger.TransferOverflowsTimeout, func() { t.Flags, t.Timeout = 0, 0 }},
		{ledger.TransferExceedsCredits, func() { t.ID = h.fresh(); between(20, 6) }},
		{ledger.TransferExceedsDebits, func() { t.ID = h.fresh(); between(20, 11) }},
		{ledger.TransferCreated, func() {}},
	} {
		h.one(step.want, t)
		step.fix()
	}
}

func settlementsFaultByFault(h *house) {
	const p = 201
	h.open(0, 30, 31, 32)
	h.one(ledger.TransferCreated, flagged(pay(p, 30, 31, 100), ledger.TransferPending))
	h.one(ledger.TransferCreated, pay(202, 30, 31, 1))
	t := ledger.Transfer{
		ID: h.fresh(), Flags: ledger.TransferPostPending | ledger.TransferVoidPending, Timeout: 1,
		DebitAccountID: ledger.U64(32), CreditAccountID: ledger.U64(32), Ledger: otherBook, Code: 9, Amount: ledger.U64(101),
	}
	for _, step := range []struct {
		want ledger.CreateTransferStatus
		fix  func()
	}{
		{ledger.TransferFlagsAreMutuallyExclusive, func() { t.Flags = ledger.TransferVoidPending | ledger.TransferBalancingDebit }},
		{ledger.TransferFlagsAreMutuallyExclusive, func() { t.Flags = ledger.TransferVoidPending | ledger.TransferClosingCredit }},
		{ledger.TransferFlagsAreMutuallyExclusive, func() { t.Flags = ledger.TransferVoidPending | ledger.TransferPending }},
		{ledger.TransferFlagsAreMutuallyExclusive, func() { t.Flags = ledger.TransferVoidPending }},
		{ledger.TransferPendingIDMustNotBeZero, func() { t.PendingID = ledger.AmountMax }},
		{ledger.TransferPendingIDMustNotBeIntMax, func() { t.PendingID = t.ID }},
		{ledger.TransferPendingIDMustBeDifferent, func() { t.PendingID = ledger.U64(777) }},
		{ledger.TransferTimeoutReservedForPendingTransfer, func() { t.Timeout = 0 }},
		{ledger.TransferPendingTransferNotFound, func() { t.ID = h.fresh(); t.PendingID = ledger.U64(202) }},
		{ledger.TransferPendingTransferNotPending, func() { t.PendingID = ledger.U64(p) }},
		{ledger.TransferPendingTransferHasDifferentDebitAccountID, func() { t.DebitAccountID = ledger.Uint128{} }},
		{ledger.TransferPendingTransferHasDifferentCreditAccountID, func() { t.CreditAccountID = ledger.U64(31) }},
		{ledger.TransferPendingTransferHasDifferentLedger, func() { t.Ledger = 0 }},
		{ledger.TransferPendingTransferHasDifferentCode, func() { t.Code = 1121 }},
		{ledger.TransferExceedsPendingTransferAmount, func() { t.Amount = ledger.U64(99) }},
		{ledger.TransferPendingTransferHasDifferentAmount, func() { t.Flags = ledger.TransferPostPending }},
		{ledger.TransferCreated, func() { t.ID = h.fresh() }},
		{ledger.TransferPendingTransferAlreadyPosted, func() {
			h.one(ledger.TransferCreated, timed(pay(203, 30, 31, 100), 5))
			h.one(ledger.TransferCreated, void(204, 203))
			t.PendingID = ledger.U64(203)
		}},
		{ledger.TransferPendingTransferAlreadyVoided, func() {
			h.one(ledger.TransferCreated, timed(pay(205, 30, 31, 100), 5))
			h.now += 6 * second
			t.PendingID = ledger.U64(205)
		}},
		{ledger.TransferPendingTransferExpired, func() {
			h.one(ledger.TransferCreated, flagged(pay(206, 30, 31, 100), ledger.TransferPending))
			h.one(ledger.TransferCreated, flagged(pay(207, 30, 32, 0), ledger.TransferPending|ledger.TransferClosingDebit))
			t.PendingID = ledger.U64(206)
		}},
		{ledger.TransferDebitAccountAlreadyClosed, func() {
			h.one(ledger.TransferCreated, void(208, 207))
			h.one(ledger.TransferCreated, flagged(pay(209, 32, 31, 0), ledger.TransferPending|ledger.TransferClosingCredit))
			t.ID = h.fresh()
		}},
		{ledger.TransferCreditAccountAlreadyClosed, func() {
			t.ID, t.Flags, t.Amount = h.fresh(), ledger.TransferVoidPending, ledger.Uint128{}
		}},
		{ledger.TransferCreated, func() {}},
	} {
		h.one(step.want, t)
		step.fix()
	}
}

func repeatsFaultByFault(h *house) {
	h.open(0, 40, 41, 42)
	original := timed(pay(301, 40, 41, 100), 60)
	original.UserData128, original.UserData64, original.UserData32 = ledger.U64(1), 2, 3
	h.one(ledger.TransferCreated, original)
	balancing := flagged(pay(302, 41, 40, 100), ledger.TransferBalancingDebit)
	h.one(ledger.TransferCreated, balancing) // of which 0 was there to move

	t := ledger.Transfer{ID: original.ID, PendingID: ledger.U64(1)}
	for _, step := range []struct {
		want ledger.CreateTransferStatus
		fix  func()
	}{
		{ledger.TransferExistsWithDifferentFlags, func() { t.Flags = original.Flags }},
		{ledger.TransferExistsWithDifferentPendingID, func() { t.PendingID = ledger.Uint128{} }},
		{ledger.TransferExistsWithDifferentTimeout, func() { t.Timeout = original.Timeout }},
		{ledger.TransferExistsWithDifferentDebitAccountID, func() { t.DebitAccountID = original.DebitAccountID }},
		{ledger.TransferExistsWithDifferentCreditAccountID, func() { t.CreditAccountID = original.CreditAccountID }},
		{ledger.TransferExistsWithDifferentAmount, func() { t.Amount = original.Amount }},
		{ledger.TransferExistsWithDifferentUserData128, func() { t.UserData128 = original.UserData128 }},
		{ledger.TransferExistsWithDifferentUserData64, func() { t.UserData64 = original.UserData64 }},
		{ledger.TransferExistsWithDifferentUserData32, func() { t.UserData32 = original.UserData32 }},
		{ledger.TransferExistsWithDifferentLedger, func() { t.Ledger = original.Ledger }},
		{ledger.TransferExistsWithDifferentCode, func() { t.Code = original.Code }},
		{ledger.TransferExists, func() { t = balancing; t.Amount = ledger.Uint128{} }},
		{ledger.TransferExists, func() { t = balancing }},
		{ledger.TransferExists, func() {}},
	} {
		h.one(step.want, t)
		step.fix()
	}
}

func batchesFaultByFault(h *house) {
	h.open(0, 50, 51)
	linked, imported := ledger.TransferLinked, ledger.TransferImported
	h.expect([]ledger.CreateTransferStatus{
		ledger.TransferCreated,
		ledger.TransferImportedEventNotExpected,
		ledger.TransferLinkedEventFailed,
		ledger.TransferLinkedEventFailed,
		ledger.TransferIDMustNotBeZero,
		ledger.TransferLinkedEventFailed,
		ledger.TransferLinkedEventFailed,
		ledger.TransferLinkedEventChainOpen,
	},
		pay(401, 50, 51, 1),
		flagged(pay(402, 50, 51, 1), imported),
		flagged(pay(403, 50, 51, 1), linked),
		flagged(pay(404, 50, 51, 1), linked),
		flagged(pay(0, 50, 51, 1), linked),
		pay(405, 50, 51, 1),
		flagged(pay(406, 50, 51, 1), linked),
		flagged(pay(407, 50, 51, 1), linked),
	)
	h.balances(50, 0, 1, 0, 0)
	at := func(t ledger.Transfer, timestamp uint64) ledger.Transfer {
		t.Timestamp = timestamp
		return flagged(t, imported)
	}
	h.now += 100 * second
	soon := h.now - second
	h.expect([]ledger.CreateTransferStatus{
		ledger.TransferImportedEventTimestampOutOfRange,
		ledger.TransferImportedEventTimestampOutOfRange,
		ledger.TransferImportedEventTimestampMustNotAdvance,
		ledger.TransferImportedEventExpected,
		ledger.TransferImportedEventTimestampMustNotRegress,
		ledger.TransferImportedEventTimeoutMustBeZero,
		ledger.TransferCreated,
	},
		at(pay(411, 50, 51, 1), 0),
		at(pay(412, 50, 51, 1), 1<<63),
		at(pay(413, 50, 51, 1), h.now+100),
		pay(414, 50, 51, 1),
		at(pay(415, 50, 51, 1), 7),
		at(timed(pay(416, 50, 51, 1), 1), soon),
		at(pay(417, 50, 51, 1), soon),
	)
	// Accounts younger than the transfer's time.
	h.open(0, 52)
	h.one(ledger.TransferImportedEventTimestampMustPostdateDebitAccount, at(pay(418, 52, 51, 1), soon+1))
	h.one(ledger.TransferImportedEventTimestampMustPostdateCreditAccount, at(pay(419, 51, 52, 1), soon+1))

	a := ledger.Account{ID: ledger.U64(53), Ledger: book, Code: 2011}
	old := a
	old.Flags |= ledger.AccountImported
	advanced := old
	advanced.Timestamp = h.now + 100
	chained := a
	chained.Flags |= ledger.AccountLinked
	for _, request := range []struct {
		want     []ledger.CreateAccountStatus
		accounts []ledger.Account
	}{
		{[]ledger.CreateAccountStatus{ledger.AccountImportedEventTimestampOutOfRange, ledger.AccountImportedEventExpected, ledger.AccountImportedEventTimestampMustNotAdvance},
			[]ledger.Account{old, a, advanced}},
		{[]ledger.CreateAccountStatus{ledger.AccountLinkedEventFailed, ledger.AccountImportedEventNotExpected},
			[]ledger.Account{chained, old}},
		{[]ledger.CreateAccountStatus{ledger.AccountLinkedEventFailed, ledger.AccountLinkedEventChainOpen},
			[]ledger.Account{chained, chained}},
	} {
		results, err := h.CreateAccounts(h.Context(), request.accounts)
		if err != nil {
			h.Fatal(err)
		}
		for i, r := range results {
			h.refused["account "+r.Status.String()] = true
			if r.Status != request.want[i] {
				h.Errorf("account %d of the request: %v, want %v", i, r.Status, request.want[i])
			}
		}
	}
	if _, ok := h.Account(ledger.U64(53)); ok {
		h.Error("an account of a broken chain exists")
	}
}
