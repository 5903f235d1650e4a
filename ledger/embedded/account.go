package embedded

import "github.com/suanpan-bank/suanpan/ledger"

const accountFlagsKnown = ledger.AccountLinked | ledger.AccountDebitsMustNotExceedCredits |
	ledger.AccountCreditsMustNotExceedDebits | ledger.AccountHistory | ledger.AccountImported | ledger.AccountClosed

// createAccount judges an account at timestamp at and creates it. The order of the checks is the
// order in which faults are reported.
func (e *Engine) createAccount(a *ledger.Account, at uint64) ledger.CreateAccountResult {
	if status := wellFormedAccount(a); status != ledger.AccountCreated {
		return ledger.CreateAccountResult{Timestamp: at, Status: status}
	}
	if row, ok := e.findAccount(a.ID); ok {
		was := e.account(row)
		status := sameAccount(a, &was)
		if status == ledger.AccountExists {
			at = was.Timestamp
		}
		return ledger.CreateAccountResult{Timestamp: at, Status: status}
	}
	if status := e.acceptableAccount(a); status != ledger.AccountCreated {
		return ledger.CreateAccountResult{Timestamp: at, Status: status}
	}
	if a.Flags&ledger.AccountImported != 0 {
		at = a.Timestamp
	}
	e.addAccount(a, at)
	return ledger.CreateAccountResult{Timestamp: at, Status: ledger.AccountCreated}
}

func wellFormedAccount(a *ledger.Account) ledger.CreateAccountStatus {
	switch {
	case a.Reserved != 0:
		return ledger.AccountReservedField
	case a.Flags&^accountFlagsKnown != 0:
		return ledger.AccountReservedFlag
	case a.ID.IsZero():
		return ledger.AccountIDMustNotBeZero
	case a.ID == ledger.AmountMax:
		return ledger.AccountIDMustNotBeIntMax
	}
	return ledger.AccountCreated
}

// sameAccount compares a with the account of the same id. The closed flag is compared too: an
// account closed since then answers exists_with_different_flags.
func sameAccount(a, was *ledger.Account) ledger.CreateAccountStatus {
	switch {
	case a.Flags != was.Flags:
		return ledger.AccountExistsWithDifferentFlags
	case a.UserData128 != was.UserData128:
		return ledger.AccountExistsWithDifferentUserData128
	case a.UserData64 != was.UserData64:
		return ledger.AccountExistsWithDifferentUserData64
	case a.UserData32 != was.UserData32:
		return ledger.AccountExistsWithDifferentUserData32
	case a.Ledger != was.Ledger:
		return ledger.AccountExistsWithDifferentLedger
	case a.Code != was.Code:
		return ledger.AccountExistsWithDifferentCode
	}
	return ledger.AccountExists
}

func (e *Engine) acceptableAccount(a *ledger.Account) ledger.CreateAccountStatus {
	const limits = ledger.AccountDebitsMustNotExceedCredits | ledger.AccountCreditsMustNotExceedDebits
	switch {
	case a.Flags&limits == limits:
		return ledger.AccountFlagsAreMutuallyExclusive
	case !a.DebitsPending.IsZero():
		return ledger.AccountDebitsPendingMustBeZero
	case !a.DebitsPosted.IsZero():
		return ledger.AccountDebitsPostedMustBeZero
	case !a.CreditsPending.IsZero():
		return ledger.AccountCreditsPendingMustBeZero
	case !a.CreditsPosted.IsZero():
		return ledger.AccountCreditsPostedMustBeZero
	case a.Ledger == 0:
		return ledger.AccountLedgerMustNotBeZero
	case a.Code == 0:
		return ledger.AccountCodeMustNotBeZero
	case a.Flags&ledger.AccountImported != 0 && e.accountRegresses(a.Timestamp):
		return ledger.AccountImportedEventTimestampMustNotRegress
	}
	return ledger.AccountCreated
}

// accountRegresses reports whether an imported account's timestamp isn't after the newest
// account's or is taken: timestamps are unique over everything in the ledger.
func (e *Engine) accountRegresses(timestamp uint64) bool {
	if n := e.accounts.n; n > 0 && timestamp <= e.details.at(n-1).timestamp {
		return true
	}
	return e.transferAt(timestamp) || e.expiredAt(timestamp)
}

func (e *Engine) addAccount(a *ledger.Account, timestamp uint64) {
	n, row := e.accounts.add()
	*row = accountRow{id: a.ID, ledger: a.Ledger, flags: a.Flags}
	_, details := e.details.add()
	*details = accountDetails{
		userData128:  a.UserData128,
		timestamp:    timestamp,
		userData64:   a.UserData64,
		userData32:   a.UserData32,
		previousUser: e.linkAccountUser(a.UserData128, n+1),
		code:         a.Code,
	}
	e.accountIDs.insert(hashOf(a.ID), n+1)
}

func (e *Engine) linkAccountUser(user ledger.Uint128, reference uint32) (previous uint32) {
	if user.IsZero() {
		return 0
	}
	if previous = e.newestAccountOf(user); previous != 0 {
		e.accountUsers.replace(hashOf(user), previous, reference)
	} else {
		e.accountUsers.insert(hashOf(user), reference)
	}
	return previous
}

// newestAccountOf returns the newest account with a UserData128 as row + 1, or 0.
func (e *Engine) newestAccountOf(user ledger.Uint128) uint32 {
	hash := hashOf(user)
	s, tag := e.accountUsers.shard(hash), tagOf(hash)
	for reference, next := s.probe(tag, s.find(tag)); reference != 0; reference, next = s.probe(tag, next) {
		if e.details.at(reference-1).userData128 == user {
			return reference
		}
	}
	return 0
}
