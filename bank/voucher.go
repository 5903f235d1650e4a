package bank

import (
	"cmp"
	"fmt"
)

// VoucherView (记账凭证) is one decision about a customer as an accountant reads it: what happened, and the
// entries (分录) that made it true. A decision of two customers is in the vouchers of both.
type VoucherView struct {
	Position uint64 `json:"position,string"` // in the bank's journal; as a cursor it continues behind it
	Teller   string `json:"teller"`          // 虚拟柜员
	// TellerSerial (柜员流水号) is its number in the teller's journal of the accounting date, from 1; with teller and date it
	// names the decision. Zero: it was made before tellers numbered their journals.
	TellerSerial   uint64         `json:"teller_serial,omitzero"`
	TransferID     TxnID          `json:"transfer_id"`
	AccountingDate Date           `json:"accounting_date"`
	Time           string         `json:"time"` // RFC 3339 with nanoseconds
	Events         []VoucherEvent `json:"events"`
	Legs           []VoucherLeg   `json:"legs"`
}

// VoucherEvent is an event of the customer in a decision.
type VoucherEvent struct {
	Type  string `json:"type"`
	Zh    string `json:"type_zh"`
	Event Event  `json:"event"`
}

// VoucherLeg is one transfer of the decision's chain, as the ledger carried it out.
type VoucherLeg struct {
	Code      uint16      `json:"code"`
	SummaryZh string      `json:"summary_zh"`
	SummaryEn string      `json:"summary_en"`
	Kind      string      `json:"kind"`
	Debit     VoucherSide `json:"debit"`
	Credit    VoucherSide `json:"credit"`
	AmountFen int64       `json:"amount_fen"`
	Ledger    uint32      `json:"ledger"`
}

// The kinds of legs.
const (
	LegPostedKind   = "POSTED"   // money has moved
	LegReservedKind = "RESERVED" // 预记: reserved until it is settled
	LegSettledKind  = "SETTLED"  // a reservation has become a movement
	LegReleasedKind = "RELEASED" // a reservation is given back; the amount is what was reserved
)

// VoucherSide is one side of a leg: whose account under which subject.
type VoucherSide struct {
	Subject    uint32     `json:"subject"` // 科目, eight digits
	Zh         string     `json:"subject_zh"`
	En         string     `json:"subject_en"`
	CustomerID CustomerNo `json:"customer_id,omitzero"` // zero: the bank's own
}

// SideOf tells what a ledger account is.
func SideOf(id U128) VoucherSide {
	detail, owner, _ := SplitLedgerID(id)
	side := VoucherSide{Subject: detail}
	subject, ok := SubjectOf(detail)
	if !ok {
		return side
	}
	side.Zh, side.En = subject.Zh, subject.En
	switch subject.Per {
	case PerCustomer, PerAccount, PerDeposit, PerLine, PerLoan:
		side.CustomerID = CustomerNo(owner)
	}
	return side
}

// VoucherPage is a page of vouchers, oldest first; Next continues after them, zero at the end.
type VoucherPage struct {
	Vouchers []VoucherView `json:"vouchers"`
	Next     uint64        `json:"next_cursor,string,omitzero"`
}

// TellerOf is the number of each channel's virtual teller (虚拟柜员) in a shard: from 1, so that zero is none. The ledger has it
// in every transfer's user_data_64, where a transfer that settles another with none would take the other's.
func TellerOf(shard uint16) uint16 { return shard + 1 }

// TellerName (虚拟柜员号) is a channel's virtual teller, such as IBPS-0017; BANK-0017 is the bank itself.
func TellerName(channel Channel, teller uint16) string {
	return fmt.Sprintf("%s-%04d", cmp.Or(channel.String(), "BANK"), teller)
}
