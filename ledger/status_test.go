package ledger

import "testing"

// Other programs read these names and numbers: a wrong one turns a refusal into another.
func TestStatusesHaveTigerBeetlesNamesAndNumbers(t *testing.T) {
	for status, name := range map[CreateTransferStatus]string{
		0xFFFFFFFF: "created", 1: "linked_event_failed", 2: "linked_event_chain_open",
		5: "id_must_not_be_zero", 24: "transfer_must_have_the_same_ledger_as_accounts",
		36: "exists_with_different_flags", 41: "exists_with_different_user_data_128", 46: "exists",
		54: "exceeds_credits", 55: "exceeds_debits",
		61: "imported_event_timestamp_must_postdate_debit_account",
		66: "credit_account_already_closed", 67: "exists_with_different_ledger", 68: "id_already_failed",
		0: "create_transfer_status_0", 18: "create_transfer_status_18", 69: "create_transfer_status_69",
	} {
		if got := status.String(); got != name {
			t.Errorf("transfer status %d is called %q, want %q", uint32(status), got, name)
		}
	}
	for status, name := range map[CreateAccountStatus]string{
		0xFFFFFFFF: "created", 7: "id_must_not_be_int_max", 21: "exists",
		26: "imported_event_timestamp_must_not_regress", 0: "create_account_status_0", 27: "create_account_status_27",
	} {
		if got := status.String(); got != name {
			t.Errorf("account status %d is called %q, want %q", uint32(status), got, name)
		}
	}
}

// A missing one would let a late duplicate move money its sender was told did not move; one too
// many would make a sender give up an id that is still good.
func TestExactlySevenRefusalsBurnTheTransfersID(t *testing.T) {
	transient := 0
	for status := range transferStatusNames {
		if CreateTransferStatus(status).Transient() {
			transient++
		}
	}
	if transient != 7 {
		t.Errorf("%d transient statuses, want 7", transient)
	}
	if TransferCreated.Transient() || TransferExists.Transient() || TransferIDAlreadyFailed.Transient() {
		t.Error("a status that isn't a refusal by the ledger's state is transient")
	}
}

func TestCreatedAndExistsBothMeanDone(t *testing.T) {
	if !TransferCreated.Done() || !TransferExists.Done() || TransferExistsWithDifferentAmount.Done() || TransferIDAlreadyFailed.Done() {
		t.Error("a transfer's status answers wrongly whether it is done")
	}
	if !AccountCreated.Done() || !AccountExists.Done() || AccountExistsWithDifferentFlags.Done() {
		t.Error("an account's status answers wrongly whether it is done")
	}
}
