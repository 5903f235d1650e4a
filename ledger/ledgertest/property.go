package ledgertest

import (
	"context"
	"time"

	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Property is Diff in small: a property for rapid.Check, which shrinks a history that two ledgers
// answer differently to the shortest it finds. open returns two empty ledgers whose clocks can be
// moved.
func Property(open func() (a, b Subject)) func(*rapid.T) {
	return func(t *rapid.T) {
		a, b := open()
		w, err := newTwins(context.Background(), a, b)
		if err != nil {
			t.Fatal(err)
		}
		w.books[smallBook], w.books[smallBook+1] = true, true
		accounts, ids := smallAccounts()
		if _, err := w.createAccounts(accounts); err != nil {
			t.Fatal(err)
		}
		check := BooksCheck{Books: []uint32{smallBook, smallBook + 1}, Explain: true}
		for range rapid.IntRange(1, 10).Draw(t, "requests") {
			w.advance(time.Duration(rapid.IntRange(0, 300).Draw(t, "steps")) * clockStep)
			if _, err := w.createTransfers(rapid.SliceOfN(rapid.Custom(smallTransfer), 1, 10).Draw(t, "transfers")); err != nil {
				t.Fatal(err)
			}
			if _, err := w.lookupAccounts(ids); err != nil {
				t.Fatal(err)
			}
			for _, s := range []Subject{a, b} {
				if err := CheckBooks(w.ctx, s.Ledger, check); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, id := range ids {
			for _, sides := range []ledger.AccountFilterFlags{ledger.AccountFilterDebits, ledger.AccountFilterCredits | ledger.AccountFilterReversed} {
				if err := w.accountFilter(ledger.AccountFilter{AccountID: id, Flags: sides, Limit: 200}, moment{}, moment{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.everything(); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	smallBook         = 1
	smallAccountCount = 7
	smallIDs          = 60
)

func smallAccounts() (drafts []accountDraft, ids []ledger.Uint128) {
	for i := range uint64(smallAccountCount) {
		a := accountDraft{Account: ledger.Account{ID: ledger.U64(i + 1), Ledger: smallBook, Code: 1}}
		switch i % 4 {
		case 1:
			a.Flags = ledger.AccountDebitsMustNotExceedCredits | ledger.AccountHistory
		case 2:
			a.Flags = ledger.AccountCreditsMustNotExceedDebits
		case 3:
			a.Flags = ledger.AccountHistory
		}
		if i == smallAccountCount-1 {
			a.Ledger++
		}
		drafts, ids = append(drafts, a), append(ids, a.ID)
	}
	return drafts, ids
}

func smallTransfer(t *rapid.T) draft {
	id := func(label string, below uint64) ledger.Uint128 {
		return ledger.U64(rapid.Uint64Range(1, below).Draw(t, label))
	}
	amount := ledger.U64(rapid.Uint64Range(0, 20).Draw(t, "amount"))
	if rapid.IntRange(0, 30).Draw(t, "enormous") == 0 {
		amount.Hi = 1 << 63
	}
	d := draft{Transfer: ledger.Transfer{
		ID: id("id", smallIDs), DebitAccountID: id("debit", smallAccountCount+1), CreditAccountID: id("credit", smallAccountCount+1),
		Amount: amount, Ledger: smallBook, Code: 1, UserData128: ledger.U64(rapid.Uint64Range(0, 3).Draw(t, "user")),
	}}
	d.Flags = rapid.SampledFrom([]ledger.TransferFlags{
		0, 0, 0, ledger.TransferBalancingDebit, ledger.TransferBalancingCredit,
		pending, pending, pending | ledger.TransferBalancingDebit, pending | ledger.TransferClosingDebit, pending | ledger.TransferClosingCredit,
		ledger.TransferPostPending, ledger.TransferPostPending, ledger.TransferVoidPending, ledger.TransferVoidPending,
	}).Draw(t, "flags")
	switch {
	case d.Flags&(ledger.TransferPostPending|ledger.TransferVoidPending) != 0:
		d.PendingID = id("pending", smallIDs)
		d.DebitAccountID, d.CreditAccountID, d.Ledger = ledger.Uint128{}, ledger.Uint128{}, 0
		d.Amount = rapid.SampledFrom([]ledger.Uint128{{}, ledger.AmountMax, amount}).Draw(t, "settled")
		if rapid.IntRange(0, 5).Draw(t, "code") == 0 {
			d.Code = 2
		}
	case d.Flags&pending != 0:
		d.Timeout = rapid.Uint32Range(0, 3).Draw(t, "timeout")
	}
	if rapid.IntRange(0, 2).Draw(t, "linked") == 0 {
		d.Flags |= linked
	}
	return d
}
