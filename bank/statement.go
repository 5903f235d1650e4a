package bank

// StatementEntry (明细) is one posted entry of an account.
type StatementEntry struct {
	TransferID      TxnID  `json:"transfer_id"`
	Time            string `json:"time"` // RFC 3339 with nanoseconds
	AccountingDate  Date   `json:"accounting_date"`
	Code            uint16 `json:"code"`
	SummaryZh       string `json:"summary_zh"`
	SummaryEn       string `json:"summary_en"`
	Direction       string `json:"direction"` // CREDIT or DEBIT
	AmountFen       int64  `json:"amount_fen"`
	BalanceAfterFen int64  `json:"balance_after_fen"`
	Particulars
}

// The directions of an entry, as the account sees it.
const (
	EntryCredit = "CREDIT"
	EntryDebit  = "DEBIT"
)

// SignedFen is the entry's effect on the balance.
func (e *StatementEntry) SignedFen() int64 {
	if e.Direction == EntryDebit {
		return -e.AmountFen
	}
	return e.AmountFen
}

// StatementPage is a page of entries, oldest first; Next continues after them, zero at the end.
type StatementPage struct {
	AccountNo AccountNo        `json:"account_no"`
	Entries   []StatementEntry `json:"entries"`
	Next      uint64           `json:"next_cursor,string,omitzero"`
}

// StatementQuery selects posted entries of an account in the order in which they were booked.
type StatementQuery struct {
	Account  AccountNo
	From, To Date   // accounting dates, both included; zero: open
	After    uint64 // the cursor of an earlier page; zero: from the beginning
	Through  uint64 // no entries booked later, from StatementTotals; zero: open
	Limit    int    // entries of a page, or at most so many in totals; zero in totals: no limit
}

// StatementTotals (账单合计) are the sums of a statement: opening + credits − debits = closing. The opening
// balance is the sum of all entries of earlier accounting dates, so that one statement's closing is the
// next one's opening even if an entry was booked on an earlier date than the one before it.
type StatementTotals struct {
	OpeningFen int64 `json:"opening_fen"`
	CreditFen  int64 `json:"credit_fen"`
	DebitFen   int64 `json:"debit_fen"`
	ClosingFen int64 `json:"closing_fen"`
	Credits    int   `json:"credit_entries"`
	Debits     int   `json:"debit_entries"`

	// Through is the booking time in the ledger, ns, up to which the entries count.
	Through uint64 `json:"-"`
}

// Entries is how many there are.
func (t *StatementTotals) Entries() int { return t.Credits + t.Debits }

// Add counts an entry of the query's account; false once it has as many as it may.
func (t *StatementTotals) Add(q *StatementQuery, on Date, signedFen int64, booked uint64) bool {
	switch {
	case q.From != 0 && on < q.From:
		t.OpeningFen += signedFen
	case q.To != 0 && on > q.To:
		return true
	case q.Limit > 0 && t.Entries() == q.Limit:
		return false
	case signedFen < 0:
		t.DebitFen -= signedFen
		t.Debits++
	default:
		t.CreditFen += signedFen
		t.Credits++
	}
	t.ClosingFen = t.OpeningFen + t.CreditFen - t.DebitFen
	t.Through = booked
	return true
}

// Selects reports whether the query asks for entries of the accounting date.
func (q *StatementQuery) Selects(on Date) bool {
	return (q.From == 0 || on >= q.From) && (q.To == 0 || on <= q.To)
}

// Particulars (摘要要素) are what a transaction's events say of its entries beyond what the ledger holds.
// They are empty when the journal no longer keeps the events.
type Particulars struct {
	ValueDate        Date   `json:"value_date,omitzero"`        // 起息日; zero: the accounting date
	Counterparty     string `json:"counterparty,omitzero"`      // account or card, masked, or our contract's number
	CounterpartyBank string `json:"counterparty_bank,omitzero"` // empty: this bank
	Remark           string `json:"remark,omitzero"`            // the customer's own words
}

// returnedCode is that of money returned after it had gone out (E10).
const returnedCode uint16 = 1161

// Fold takes what an event says about the account's entries of a code in its transaction. What undoes a
// transaction has the same id and codes of its own.
func (p *Particulars) Fold(e Event, account AccountNo, code uint16) {
	undone := code > reversedSameDay || code == returnedCode
	switch m := e.(type) {
	case *TransferInRequested:
		p.Counterparty, p.CounterpartyBank, p.Remark = m.CardMasked, m.CardBank, m.Summary
	case *TransferOutRequested:
		p.Counterparty, p.CounterpartyBank, p.Remark = m.PayeeMasked, m.PayeeBank, m.Summary
	case *InboundCredited:
		p.Counterparty, p.CounterpartyBank, p.Remark, p.ValueDate = m.PayerMasked, m.PayerBank, m.Summary, m.ValueDate
	case *InternalTransferred:
		other := m.Payee
		if account == m.Payee {
			other = m.Payer
		}
		p.Counterparty, p.Remark = MaskCard(other.String()), m.Summary
	case *TransferReturned:
		if undone {
			p.ValueDate, p.Remark = m.ValueDate, m.Reason
		}
	case *TransactionReversed:
		if undone {
			p.ValueDate, p.Remark = m.ValueDate, m.Reason
		}
	case *HoldDeducted:
		p.Remark = m.DocumentNo
	case *AccountClosure:
		if m.To != 0 {
			p.Counterparty = MaskCard(m.To.String())
		}
	case *DepositOpened:
		p.Counterparty = m.DepositNo.String()
	case *DepositDeducted:
		p.Counterparty, p.Remark = m.DepositNo.String(), m.DocumentNo
	case *DepositRolledOver:
		p.Counterparty, p.ValueDate = m.DepositNo.String(), m.ValueDate
	case *DemandInterestPaid:
		p.ValueDate = m.ValueDate
	case *DepositMatured:
		p.Counterparty, p.ValueDate = m.DepositNo.String(), m.ValueDate
	case *DepositRedeemedEarly:
		p.Counterparty, p.ValueDate = m.DepositNo.String(), m.ValueDate
	case *DepositRedeemedAfterMaturity:
		p.Counterparty, p.ValueDate = m.DepositNo.String(), m.ValueDate
	case *LoanDisbursed:
		p.Counterparty = m.LoanNo.String()
	case *RepaymentApplied:
		p.Counterparty = m.LoanNo.String()
	case *LoanPrepaid:
		p.Counterparty = m.LoanNo.String()
	case *LoanSettled:
		p.Counterparty = m.LoanNo.String()
	}
}
