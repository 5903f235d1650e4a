package bank

// TransferRules (转账参数) are what the bank sets for money that leaves by a channel or goes to another customer.
type TransferRules struct {
	// Fees is the fee table (手续费表). Empty: nothing costs anything, as for a person's online transfers
	// (SPEC 3.3).
	Fees FeeTable
	// IBPSMaxFen bounds one transfer through 超级网银; zero: nothing does.
	IBPSMaxFen int64
	// ConfirmDayFen is what may leave an account in a day before the customer is reminded and must confirm
	// (银发〔2016〕261号); zero: he never must.
	ConfirmDayFen int64
}

// The defaults of TransferRules (SPEC 3.2); parameters of the bank.
const (
	IBPSMaxFenDefault    int64 = 100_000_000
	ConfirmDayFenDefault int64 = 30_000_000
)

// MoveInternal is a transfer to another customer of this bank, as the fee table tells it apart.
const MoveInternal Movement = "INTERNAL"

// FeeRow is a line of the fee table. Zero fields match everything.
type FeeRow struct {
	From    Date // first day it is in force
	Product string
	Channel Channel // through which the customer asks
	Move    Movement
	UpToFen int64 // largest amount it is for
	FeeFen  int64
}

// FeeTable is the history of fees. Of the rows that match, the latest counts; of several of one day, the one
// whose band is narrowest, then the first.
type FeeTable []FeeRow

// On is the fee of a movement on a day, zero if no row matches.
func (t FeeTable) On(day Date, product string, channel Channel, move Movement, amountFen int64) int64 {
	var found *FeeRow
	for i := range t {
		r := &t[i]
		if r.From > day || r.Product != "" && r.Product != product || r.Channel != 0 && r.Channel != channel ||
			r.Move != "" && r.Move != move || r.UpToFen != 0 && amountFen > r.UpToFen {
			continue
		}
		if found == nil || r.From > found.From || r.From == found.From && narrower(r.UpToFen, found.UpToFen) {
			found = r
		}
	}
	if found == nil {
		return 0
	}
	return found.FeeFen
}

// narrower compares two ends of bands, of which zero is none.
func narrower(a, b int64) bool { return a != 0 && (b == 0 || a < b) }

// FeeCharged (手续费): a fee has been taken with what it is for.
type FeeCharged struct {
	TxnID     TxnID     `cbor:"1,keyasint" json:"txn_id"`
	AccountNo AccountNo `cbor:"2,keyasint" json:"account_no"`
	AmountFen int64     `cbor:"3,keyasint" json:"amount_fen"`
	FeeCode   string    `cbor:"4,keyasint" json:"fee_code"`
}

// FeeTransfer is the fee code of transfers.
const FeeTransfer = "TRANSFER"

// feeIncome is the account of fees, if there is one.
func feeIncome(feeFen int64, d *Decision) U128 {
	if feeFen == 0 {
		return U128{}
	}
	return bankAccount(DetailTransferFeeIncome, 0, d)
}
