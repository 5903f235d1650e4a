package ledger

import "fmt"

// CreateAccountStatus says what became of one account of a create request. The values are
// TigerBeetle's; zero is never an answer. The constants stand in the order of the checks: of
// several faults the first in this list is the one reported.
type CreateAccountStatus uint32

// The values are TigerBeetle's.
const (
	AccountCreated                              CreateAccountStatus = 0xFFFFFFFF
	AccountLinkedEventChainOpen                 CreateAccountStatus = 2
	AccountLinkedEventFailed                    CreateAccountStatus = 1
	AccountImportedEventExpected                CreateAccountStatus = 22
	AccountImportedEventNotExpected             CreateAccountStatus = 23
	AccountTimestampMustBeZero                  CreateAccountStatus = 3
	AccountImportedEventTimestampOutOfRange     CreateAccountStatus = 24
	AccountImportedEventTimestampMustNotAdvance CreateAccountStatus = 25
	AccountReservedField                        CreateAccountStatus = 4
	AccountReservedFlag                         CreateAccountStatus = 5
	AccountIDMustNotBeZero                      CreateAccountStatus = 6
	AccountIDMustNotBeIntMax                    CreateAccountStatus = 7
	AccountExistsWithDifferentFlags             CreateAccountStatus = 15
	AccountExistsWithDifferentUserData128       CreateAccountStatus = 16
	AccountExistsWithDifferentUserData64        CreateAccountStatus = 17
	AccountExistsWithDifferentUserData32        CreateAccountStatus = 18
	AccountExistsWithDifferentLedger            CreateAccountStatus = 19
	AccountExistsWithDifferentCode              CreateAccountStatus = 20
	AccountExists                               CreateAccountStatus = 21
	AccountFlagsAreMutuallyExclusive            CreateAccountStatus = 8
	AccountDebitsPendingMustBeZero              CreateAccountStatus = 9
	AccountDebitsPostedMustBeZero               CreateAccountStatus = 10
	AccountCreditsPendingMustBeZero             CreateAccountStatus = 11
	AccountCreditsPostedMustBeZero              CreateAccountStatus = 12
	AccountLedgerMustNotBeZero                  CreateAccountStatus = 13
	AccountCodeMustNotBeZero                    CreateAccountStatus = 14
	AccountImportedEventTimestampMustNotRegress CreateAccountStatus = 26
)

// Done reports whether the account is there as asked: created now, or by an earlier try.
func (s CreateAccountStatus) Done() bool { return s == AccountCreated || s == AccountExists }

// String is TigerBeetle's name of the status.
func (s CreateAccountStatus) String() string {
	if s == AccountCreated {
		return "created"
	}
	if uint64(s) < uint64(len(accountStatusNames)) && accountStatusNames[s] != "" {
		return accountStatusNames[s]
	}
	return fmt.Sprintf("create_account_status_%d", uint32(s))
}

// CreateTransferStatus says what became of one transfer of a create request. Values and order
// as for CreateAccountStatus.
type CreateTransferStatus uint32

// The values are TigerBeetle's.
const (
	TransferCreated                                         CreateTransferStatus = 0xFFFFFFFF
	TransferLinkedEventChainOpen                            CreateTransferStatus = 2
	TransferLinkedEventFailed                               CreateTransferStatus = 1
	TransferImportedEventExpected                           CreateTransferStatus = 56
	TransferImportedEventNotExpected                        CreateTransferStatus = 57
	TransferTimestampMustBeZero                             CreateTransferStatus = 3
	TransferImportedEventTimestampOutOfRange                CreateTransferStatus = 58
	TransferImportedEventTimestampMustNotAdvance            CreateTransferStatus = 59
	TransferReservedFlag                                    CreateTransferStatus = 4
	TransferIDMustNotBeZero                                 CreateTransferStatus = 5
	TransferIDMustNotBeIntMax                               CreateTransferStatus = 6
	TransferExistsWithDifferentFlags                        CreateTransferStatus = 36
	TransferExistsWithDifferentPendingID                    CreateTransferStatus = 40
	TransferExistsWithDifferentTimeout                      CreateTransferStatus = 44
	TransferExistsWithDifferentDebitAccountID               CreateTransferStatus = 37
	TransferExistsWithDifferentCreditAccountID              CreateTransferStatus = 38
	TransferExistsWithDifferentAmount                       CreateTransferStatus = 39
	TransferExistsWithDifferentUserData128                  CreateTransferStatus = 41
	TransferExistsWithDifferentUserData64                   CreateTransferStatus = 42
	TransferExistsWithDifferentUserData32                   CreateTransferStatus = 43
	TransferExistsWithDifferentLedger                       CreateTransferStatus = 67
	TransferExistsWithDifferentCode                         CreateTransferStatus = 45
	TransferExists                                          CreateTransferStatus = 46
	TransferIDAlreadyFailed                                 CreateTransferStatus = 68
	TransferFlagsAreMutuallyExclusive                       CreateTransferStatus = 7
	TransferDebitAccountIDMustNotBeZero                     CreateTransferStatus = 8
	TransferDebitAccountIDMustNotBeIntMax                   CreateTransferStatus = 9
	TransferCreditAccountIDMustNotBeZero                    CreateTransferStatus = 10
	TransferCreditAccountIDMustNotBeIntMax                  CreateTransferStatus = 11
	TransferAccountsMustBeDifferent                         CreateTransferStatus = 12
	TransferPendingIDMustBeZero                             CreateTransferStatus = 13
	TransferPendingIDMustNotBeZero                          CreateTransferStatus = 14
	TransferPendingIDMustNotBeIntMax                        CreateTransferStatus = 15
	TransferPendingIDMustBeDifferent                        CreateTransferStatus = 16
	TransferTimeoutReservedForPendingTransfer               CreateTransferStatus = 17
	TransferClosingTransferMustBePending                    CreateTransferStatus = 64
	TransferLedgerMustNotBeZero                             CreateTransferStatus = 19
	TransferCodeMustNotBeZero                               CreateTransferStatus = 20
	TransferDebitAccountNotFound                            CreateTransferStatus = 21
	TransferCreditAccountNotFound                           CreateTransferStatus = 22
	TransferAccountsMustHaveTheSameLedger                   CreateTransferStatus = 23
	TransferTransferMustHaveTheSameLedgerAsAccounts         CreateTransferStatus = 24
	TransferPendingTransferNotFound                         CreateTransferStatus = 25
	TransferPendingTransferNotPending                       CreateTransferStatus = 26
	TransferPendingTransferHasDifferentDebitAccountID       CreateTransferStatus = 27
	TransferPendingTransferHasDifferentCreditAccountID      CreateTransferStatus = 28
	TransferPendingTransferHasDifferentLedger               CreateTransferStatus = 29
	TransferPendingTransferHasDifferentCode                 CreateTransferStatus = 30
	TransferExceedsPendingTransferAmount                    CreateTransferStatus = 31
	TransferPendingTransferHasDifferentAmount               CreateTransferStatus = 32
	TransferPendingTransferAlreadyPosted                    CreateTransferStatus = 33
	TransferPendingTransferAlreadyVoided                    CreateTransferStatus = 34
	TransferPendingTransferExpired                          CreateTransferStatus = 35
	TransferImportedEventTimestampMustNotRegress            CreateTransferStatus = 60
	TransferImportedEventTimestampMustPostdateDebitAccount  CreateTransferStatus = 61
	TransferImportedEventTimestampMustPostdateCreditAccount CreateTransferStatus = 62
	TransferImportedEventTimeoutMustBeZero                  CreateTransferStatus = 63
	TransferDebitAccountAlreadyClosed                       CreateTransferStatus = 65
	TransferCreditAccountAlreadyClosed                      CreateTransferStatus = 66
	TransferOverflowsDebitsPending                          CreateTransferStatus = 47
	TransferOverflowsCreditsPending                         CreateTransferStatus = 48
	TransferOverflowsDebitsPosted                           CreateTransferStatus = 49
	TransferOverflowsCreditsPosted                          CreateTransferStatus = 50
	TransferOverflowsDebits                                 CreateTransferStatus = 51
	TransferOverflowsCredits                                CreateTransferStatus = 52
	TransferOverflowsTimeout                                CreateTransferStatus = 53
	TransferExceedsCredits                                  CreateTransferStatus = 54
	TransferExceedsDebits                                   CreateTransferStatus = 55
)

// Done reports whether the transfer is there as asked: created now, or by an earlier try.
func (s CreateTransferStatus) Done() bool { return s == TransferCreated || s == TransferExists }

// Transient reports whether the refusal came from the state of the ledger and not from the
// transfer itself. The ledger remembers the ids of such transfers and answers
// TransferIDAlreadyFailed ever after, so that a late duplicate can't move money which its sender
// was told did not move. To try again, use another id.
func (s CreateTransferStatus) Transient() bool {
	switch s {
	case TransferDebitAccountNotFound,
		TransferCreditAccountNotFound,
		TransferPendingTransferNotFound,
		TransferDebitAccountAlreadyClosed,
		TransferCreditAccountAlreadyClosed,
		TransferExceedsCredits,
		TransferExceedsDebits:
		return true
	}
	return false
}

// String is TigerBeetle's name of the status.
func (s CreateTransferStatus) String() string {
	if s == TransferCreated {
		return "created"
	}
	if uint64(s) < uint64(len(transferStatusNames)) && transferStatusNames[s] != "" {
		return transferStatusNames[s]
	}
	return fmt.Sprintf("create_transfer_status_%d", uint32(s))
}

var accountStatusNames = [...]string{
	AccountLinkedEventFailed:                    "linked_event_failed",
	AccountLinkedEventChainOpen:                 "linked_event_chain_open",
	AccountImportedEventExpected:                "imported_event_expected",
	AccountImportedEventNotExpected:             "imported_event_not_expected",
	AccountTimestampMustBeZero:                  "timestamp_must_be_zero",
	AccountImportedEventTimestampOutOfRange:     "imported_event_timestamp_out_of_range",
	AccountImportedEventTimestampMustNotAdvance: "imported_event_timestamp_must_not_advance",
	AccountReservedField:                        "reserved_field",
	AccountReservedFlag:                         "reserved_flag",
	AccountIDMustNotBeZero:                      "id_must_not_be_zero",
	AccountIDMustNotBeIntMax:                    "id_must_not_be_int_max",
	AccountExistsWithDifferentFlags:             "exists_with_different_flags",
	AccountExistsWithDifferentUserData128:       "exists_with_different_user_data_128",
	AccountExistsWithDifferentUserData64:        "exists_with_different_user_data_64",
	AccountExistsWithDifferentUserData32:        "exists_with_different_user_data_32",
	AccountExistsWithDifferentLedger:            "exists_with_different_ledger",
	AccountExistsWithDifferentCode:              "exists_with_different_code",
	AccountExists:                               "exists",
	AccountFlagsAreMutuallyExclusive:            "flags_are_mutually_exclusive",
	AccountDebitsPendingMustBeZero:              "debits_pending_must_be_zero",
	AccountDebitsPostedMustBeZero:               "debits_posted_must_be_zero",
	AccountCreditsPendingMustBeZero:             "credits_pending_must_be_zero",
	AccountCreditsPostedMustBeZero:              "credits_posted_must_be_zero",
	AccountLedgerMustNotBeZero:                  "ledger_must_not_be_zero",
	AccountCodeMustNotBeZero:                    "code_must_not_be_zero",
	AccountImportedEventTimestampMustNotRegress: "imported_event_timestamp_must_not_regress",
}

var transferStatusNames = [...]string{
	TransferLinkedEventFailed:                               "linked_event_failed",
	TransferLinkedEventChainOpen:                            "linked_event_chain_open",
	TransferImportedEventExpected:                           "imported_event_expected",
	TransferImportedEventNotExpected:                        "imported_event_not_expected",
	TransferTimestampMustBeZero:                             "timestamp_must_be_zero",
	TransferImportedEventTimestampOutOfRange:                "imported_event_timestamp_out_of_range",
	TransferImportedEventTimestampMustNotAdvance:            "imported_event_timestamp_must_not_advance",
	TransferReservedFlag:                                    "reserved_flag",
	TransferIDMustNotBeZero:                                 "id_must_not_be_zero",
	TransferIDMustNotBeIntMax:                               "id_must_not_be_int_max",
	TransferExistsWithDifferentFlags:                        "exists_with_different_flags",
	TransferExistsWithDifferentPendingID:                    "exists_with_different_pending_id",
	TransferExistsWithDifferentTimeout:                      "exists_with_different_timeout",
	TransferExistsWithDifferentDebitAccountID:               "exists_with_different_debit_account_id",
	TransferExistsWithDifferentCreditAccountID:              "exists_with_different_credit_account_id",
	TransferExistsWithDifferentAmount:                       "exists_with_different_amount",
	TransferExistsWithDifferentUserData128:                  "exists_with_different_user_data_128",
	TransferExistsWithDifferentUserData64:                   "exists_with_different_user_data_64",
	TransferExistsWithDifferentUserData32:                   "exists_with_different_user_data_32",
	TransferExistsWithDifferentLedger:                       "exists_with_different_ledger",
	TransferExistsWithDifferentCode:                         "exists_with_different_code",
	TransferExists:                                          "exists",
	TransferIDAlreadyFailed:                                 "id_already_failed",
	TransferFlagsAreMutuallyExclusive:                       "flags_are_mutually_exclusive",
	TransferDebitAccountIDMustNotBeZero:                     "debit_account_id_must_not_be_zero",
	TransferDebitAccountIDMustNotBeIntMax:                   "debit_account_id_must_not_be_int_max",
	TransferCreditAccountIDMustNotBeZero:                    "credit_account_id_must_not_be_zero",
	TransferCreditAccountIDMustNotBeIntMax:                  "credit_account_id_must_not_be_int_max",
	TransferAccountsMustBeDifferent:                         "accounts_must_be_different",
	TransferPendingIDMustBeZero:                             "pending_id_must_be_zero",
	TransferPendingIDMustNotBeZero:                          "pending_id_must_not_be_zero",
	TransferPendingIDMustNotBeIntMax:                        "pending_id_must_not_be_int_max",
	TransferPendingIDMustBeDifferent:                        "pending_id_must_be_different",
	TransferTimeoutReservedForPendingTransfer:               "timeout_reserved_for_pending_transfer",
	TransferClosingTransferMustBePending:                    "closing_transfer_must_be_pending",
	TransferLedgerMustNotBeZero:                             "ledger_must_not_be_zero",
	TransferCodeMustNotBeZero:                               "code_must_not_be_zero",
	TransferDebitAccountNotFound:                            "debit_account_not_found",
	TransferCreditAccountNotFound:                           "credit_account_not_found",
	TransferAccountsMustHaveTheSameLedger:                   "accounts_must_have_the_same_ledger",
	TransferTransferMustHaveTheSameLedgerAsAccounts:         "transfer_must_have_the_same_ledger_as_accounts",
	TransferPendingTransferNotFound:                         "pending_transfer_not_found",
	TransferPendingTransferNotPending:                       "pending_transfer_not_pending",
	TransferPendingTransferHasDifferentDebitAccountID:       "pending_transfer_has_different_debit_account_id",
	TransferPendingTransferHasDifferentCreditAccountID:      "pending_transfer_has_different_credit_account_id",
	TransferPendingTransferHasDifferentLedger:               "pending_transfer_has_different_ledger",
	TransferPendingTransferHasDifferentCode:                 "pending_transfer_has_different_code",
	TransferExceedsPendingTransferAmount:                    "exceeds_pending_transfer_amount",
	TransferPendingTransferHasDifferentAmount:               "pending_transfer_has_different_amount",
	TransferPendingTransferAlreadyPosted:                    "pending_transfer_already_posted",
	TransferPendingTransferAlreadyVoided:                    "pending_transfer_already_voided",
	TransferPendingTransferExpired:                          "pending_transfer_expired",
	TransferImportedEventTimestampMustNotRegress:            "imported_event_timestamp_must_not_regress",
	TransferImportedEventTimestampMustPostdateDebitAccount:  "imported_event_timestamp_must_postdate_debit_account",
	TransferImportedEventTimestampMustPostdateCreditAccount: "imported_event_timestamp_must_postdate_credit_account",
	TransferImportedEventTimeoutMustBeZero:                  "imported_event_timeout_must_be_zero",
	TransferDebitAccountAlreadyClosed:                       "debit_account_already_closed",
	TransferCreditAccountAlreadyClosed:                      "credit_account_already_closed",
	TransferOverflowsDebitsPending:                          "overflows_debits_pending",
	TransferOverflowsCreditsPending:                         "overflows_credits_pending",
	TransferOverflowsDebitsPosted:                           "overflows_debits_posted",
	TransferOverflowsCreditsPosted:                          "overflows_credits_posted",
	TransferOverflowsDebits:                                 "overflows_debits",
	TransferOverflowsCredits:                                "overflows_credits",
	TransferOverflowsTimeout:                                "overflows_timeout",
	TransferExceedsCredits:                                  "exceeds_credits",
	TransferExceedsDebits:                                   "exceeds_debits",
}
