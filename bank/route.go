package bank

// DeciderOf is the customer whose actor decides the command: the payer of an internal transfer, the
// owner of the account or contract otherwise.
func DeciderOf(cmd Command) CustomerNo {
	switch m := cmd.(type) {
	case *RegisterCustomer:
		return m.Customer
	case *OpenAccount:
		return m.Customer
	case *TransferIn:
		return m.Account.Customer()
	case *TransferOut:
		return m.Account.Customer()
	case *TransferInternal:
		return m.Payer.Customer()
	case *CreditInbound:
		return m.Account.Customer()
	case *ChannelResult:
		return m.Transfer.Customer()
	case *BuyDeposit:
		return m.Account.Customer()
	case *RedeemDeposit:
		return m.Deposit.Customer()
	case *ChangeRollover:
		return m.Deposit.Customer()
	case *MatureDeposit:
		return m.Deposit.Customer()
	case *HoldDeposit:
		return m.Deposit.Customer()
	case *ReleaseDepositHold:
		return m.Deposit.Customer()
	case *CloseDay:
		return m.Customer
	case *CreditInterest:
		return m.Account.Customer()
	case *ApplyLoan:
		return m.Customer
	case *DrawLoan:
		return m.Line.Customer()
	case *RepayLoan:
		return m.Loan.Customer()
	case ruled:
		return m.decider()
	}
	panic("bank: nobody decides " + cmd.Operation())
}

// UnknownTo is the refusal of a command whose decider is not a customer.
func UnknownTo(cmd Command) RefusalCode {
	switch m := cmd.(type) {
	case *TransferIn, *TransferOut, *TransferInternal, *CreditInbound, *BuyDeposit:
		return AccountUnknown
	case *ChannelResult:
		return TransferUnknown
	case *RedeemDeposit, *ChangeRollover, *HoldDeposit, *ReleaseDepositHold, *MatureDeposit:
		return DepositUnknown
	case *DrawLoan:
		return LineUnknown
	case *RepayLoan:
		return LoanUnknown
	case ruled:
		return m.unknown()
	}
	return CustomerUnknown
}

// ChannelOf is the channel a command came through; answers of a channel come through no other.
func ChannelOf(cmd Command) Channel {
	switch m := cmd.(type) {
	case *RegisterCustomer:
		return m.Channel
	case *OpenAccount:
		return m.Channel
	case *TransferIn:
		return m.Channel
	case *TransferOut:
		return m.Channel
	case *TransferInternal:
		return m.Channel
	case *CreditInbound:
		return m.Channel
	case *BuyDeposit:
		return m.Channel
	case *RedeemDeposit:
		return m.Channel
	case *ChangeRollover:
		return m.Channel
	case *HoldDeposit:
		return m.Channel
	case *ReleaseDepositHold:
		return m.Channel
	case *CloseDay, *CreditInterest, *MatureDeposit:
		return ChannelBatch
	case *ApplyLoan:
		return m.Channel
	case *DrawLoan:
		return m.Channel
	case *RepayLoan:
		return m.Channel
	case ruled:
		return m.through()
	}
	return 0
}

// NeedsDesk reports whether the command's rules look at the customer's own desk.
func NeedsDesk(cmd Command) bool {
	switch m := cmd.(type) {
	case *ChannelResult:
		return !m.Success // which may give a share of the limits back
	case *CloseDay, *CreditInterest, *EndDelay,
		*RestrictAccount, *PlaceHold, *FillHolds, *AnswerCardCheck, *LapseApplication, *RemoveCard, *SuspendUnused, *TurnDormant, *PrepareClosing, *CloseAccount:
		return true
	}
	return false
}

// NeedsBirth reports whether the command's rules look at the customer's age.
func NeedsBirth(cmd Command) bool {
	switch cmd.(type) {
	case *OpenAccount, *ApplyLoan:
		return true
	}
	return false
}

// BirthOf reads the birth date out of a resident identity number; zero if it is none.
func BirthOf(number string) Date {
	if len(number) != 18 {
		return 0
	}
	d, err := ParseDate(number[6:10] + "-" + number[10:12] + "-" + number[12:14])
	if err != nil {
		return 0
	}
	return d
}

// Refused is the empty decision that goes with a refusal found before Decide was asked.
func Refused(c *Customer, env *Env) Decision {
	return Decision{Txn: NewTxnID(env.Millis, c.No, c.Seq+1)}
}

// Fold folds an event about a transfer, with the time of its record, into the view of it.
func (v *TransferView) Fold(e Event, at string) {
	begin := func(txn TxnID, kind, status string, amount, fee int64) {
		v.TransferID, v.Kind, v.Status, v.AmountFen, v.FeeFen, v.RequestedAt = txn, kind, status, amount, fee, at
	}
	end := func(status string, m *TransferSettled) {
		v.Status, v.ChannelSerial, v.Reason, v.SettledAt = status, m.ChannelSerial, m.Reason, at
	}
	switch m := e.(type) {
	case *TransferInRequested:
		begin(m.TxnID, "in_bound", TransferPending, m.AmountFen, 0)
		v.FromAccount, v.ToAccount, v.Bound, v.Summary = m.CardMasked, m.AccountNo.String(), true, m.Summary
	case *TransferOutRequested:
		begin(m.TxnID, "out", TransferPending, m.AmountFen, m.FeeFen)
		v.FromAccount, v.ToAccount, v.Bound, v.Summary = m.AccountNo.String(), m.PayeeMasked, m.Bound, m.Summary
	case *InternalTransferred:
		begin(m.TxnID, "internal", TransferSucceeded, m.AmountFen, m.FeeFen)
		v.FromAccount, v.ToAccount, v.Summary = m.Payer.String(), m.Payee.String(), m.Summary
	case *InboundCredited:
		begin(m.TxnID, "inbound", TransferSucceeded, m.AmountFen, 0)
		v.FromAccount, v.ToAccount, v.ChannelSerial, v.Bound, v.Summary = m.PayerMasked, m.AccountNo.String(), m.ChannelSerial, m.Bound, m.Summary
	case *TransferInSucceeded:
		end(TransferSucceeded, &m.TransferSettled)
	case *TransferInFailed:
		end(TransferFailed, &m.TransferSettled)
	case *TransferOutSucceeded:
		end(TransferSucceeded, &m.TransferSettled)
	case *TransferOutFailed:
		end(TransferFailed, &m.TransferSettled)
	case folded:
		m.fold(v, at)
	}
}

// The states of a transfer as the API shows them.
const (
	TransferDelayed   = "DELAYED" // 风险暂缓
	TransferPending   = "PENDING"
	TransferSucceeded = "SUCCEEDED"
	TransferFailed    = "FAILED"
	TransferUncertain = "UNKNOWN"  // the channel has not answered in time
	TransferSentBack  = "RETURNED" // 退汇
	TransferReversed  = "REVERSED" // 抹账、冲正
	TransferClaimed   = "CLAIMED"  // voided here, paid by the channel: a shortage the customer owes
	TransferClaimPaid = "CLAIM_PAID"
)

// SummaryOf says in Chinese and English what a transfer code of the posting table means on a statement.
func SummaryOf(code uint16) (zh, en string) {
	switch code {
	case 1101:
		return "绑定卡转入", "Transfer in from bound card"
	case 1102:
		return "他行转入", "Credit from another bank"
	case 1111:
		return "转出至绑定卡", "Transfer out to bound card"
	case 1112:
		return "转出至他行", "Transfer out to another bank"
	case 1103:
		return "来账挂账", "Held receipt"
	case 1104:
		return "挂账入账", "Held receipt applied"
	case 1113:
		return "消费缴费", "Payment"
	case 1121:
		return "行内转账", "Internal transfer"
	case 1131:
		return "手续费", "Fee"
	case 1141:
		return "司法扣划", "Judicial deduction"
	case 1132:
		return "手续费退还", "Fee refund"
	case 1161:
		return "退汇", "Returned transfer"
	case 1183:
		return "垫款收回", "Advance collected"
	case 1151:
		return "活期结息", "Demand interest"
	case 1152:
		return "利息税", "Interest tax"
	case 1171:
		return "销户转出", "Closing payout"
	case 1181:
		return "转久悬", "To dormant balances"
	case 1182:
		return "久悬激活", "Back from dormant balances"
	case 1190:
		return "余额上限校验", "Balance cap check"
	case 2001:
		return "购买定期", "Term deposit purchase"
	case 2011:
		return "定期到期本金", "Term deposit principal"
	case 2012:
		return "定期利息", "Term deposit interest"
	case 2013:
		return "利息转存", "Interest rolled over"
	case 2014:
		return "定期转存", "Term deposit rolled over"
	case 2021:
		return "定期提前支取", "Term deposit early redemption"
	case 2022:
		return "提前支取利息", "Early redemption interest"
	case 2041:
		return "逾期支取利息", "Interest after maturity"
	case 4001:
		return "清算轧差", "Net settlement"
	case 4002:
		return "对账补入账", "Late credit by reconciliation"
	case 4003:
		return "清算短款", "Clearing shortage"
	case 4004:
		return "差错处置", "Difference settled"
	case 4005:
		return "渠道手续费", "Channel fee"
	case 3101:
		return "贷款放款", "Loan disbursement"
	case 3211:
		return "偿还贷款利息", "Loan interest repaid"
	case 3212:
		return "偿还贷款本金", "Loan principal repaid"
	case 3215:
		return "提前偿还本金", "Loan principal prepaid"
	case 3216:
		return "提前还款手续费", "Prepayment fee"
	case 1172:
		return "账户关闭", "Account closed in the ledger"
	case 1145:
		return "风险暂缓", "Delayed for review"
	case 1142:
		return "司法扣划划转", "Judicial deduction remitted"
	case 2031:
		return "利息计提", "Interest accrued"
	case 2032:
		return "计提冲回", "Accrual released"
	case 2033:
		return "利息补提", "Accrual trued up"
	case 3001:
		return "授信生效", "Credit line granted"
	case 3003:
		return "授信占用", "Credit line used"
	case 3004:
		return "授信恢复", "Credit line restored"
	case 3201:
		return "贷款利息计提", "Loan interest accrued"
	case 3202, 3203:
		return "贷款利息到期", "Loan interest due"
	}
	if code > reversedSameDay {
		return reversedSummary(code)
	}
	return "其他", "Other"
}

// reversedSummary is what a reversal of a code means.
func reversedSummary(code uint16) (zh, en string) {
	if code > reversedLater {
		zh, en = SummaryOf(code - reversedLater)
		return "冲正: " + zh, "Reversal: " + en
	}
	zh, en = SummaryOf(code - reversedSameDay)
	return "抹账: " + zh, "Same-day reversal: " + en
}
