package bank

import (
	"fmt"
	"slices"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// EventKind describes an event type: its name and topic in the stream (SPEC 8.2).
type EventKind struct {
	Type  EventType
	Name  string
	Zh    string
	Topic string
	fresh func() Event
}

// The topics of the stream, one per part of the bank; the key is always the customer, or the house of a shard.
const (
	TopicCustomer = "bank.customer.v1"
	TopicAccount  = "bank.account.v1"
	TopicDeposit  = "bank.deposit.v1"
	TopicLoan     = "bank.loan.v1"
	TopicChannel  = "bank.channel.v1"
	TopicDay      = "bank.day.v1"
)

// Topics lists them.
var Topics = []string{TopicCustomer, TopicAccount, TopicDeposit, TopicLoan, TopicChannel, TopicDay}

// EventKinds lists every event type, by number.
var EventKinds = []EventKind{
	{EventCustomerRegistered, "CustomerRegistered", "注册", TopicCustomer, func() Event { return new(CustomerRegistered) }},
	{EventBoundCardAdded, "BoundCardAdded", "绑卡", TopicCustomer, func() Event { return new(BoundCardAdded) }},
	{EventAccountOpened, "AccountOpened", "开户", TopicAccount, func() Event { return new(AccountOpened) }},
	{EventTransferInRequested, "TransferInRequested", "转入请求", TopicAccount, func() Event { return new(TransferInRequested) }},
	{EventTransferInSucceeded, "TransferInSucceeded", "转入成功", TopicAccount, func() Event { return new(TransferInSucceeded) }},
	{EventTransferInFailed, "TransferInFailed", "转入失败", TopicAccount, func() Event { return new(TransferInFailed) }},
	{EventInboundCredited, "InboundCredited", "来账入账", TopicAccount, func() Event { return new(InboundCredited) }},
	{EventTransferOutRequested, "TransferOutRequested", "转出请求", TopicAccount, func() Event { return new(TransferOutRequested) }},
	{EventTransferOutSucceeded, "TransferOutSucceeded", "转出成功", TopicAccount, func() Event { return new(TransferOutSucceeded) }},
	{EventTransferOutFailed, "TransferOutFailed", "转出失败", TopicAccount, func() Event { return new(TransferOutFailed) }},
	{EventInternalTransferred, "InternalTransferred", "行内转账", TopicAccount, func() Event { return new(InternalTransferred) }},
	{EventDepositOpened, "DepositOpened", "购买定期", TopicDeposit, func() Event { return new(DepositOpened) }},
	{EventDepositMatured, "DepositMatured", "到期兑付", TopicDeposit, func() Event { return new(DepositMatured) }},
	{EventDepositRedeemedEarly, "DepositRedeemedEarly", "提前支取", TopicDeposit, func() Event { return new(DepositRedeemedEarly) }},
	{EventDepositRedeemedAfterMaturity, "DepositRedeemedAfterMaturity", "逾期支取", TopicDeposit, func() Event { return new(DepositRedeemedAfterMaturity) }},
	{EventCustomerDayClosed, "CustomerDayClosed", "客户日终", TopicDay, func() Event { return new(CustomerDayClosed) }},
	{EventDemandInterestPaid, "DemandInterestPaid", "活期结息", TopicAccount, func() Event { return new(DemandInterestPaid) }},
	{EventDepositRolledOver, "DepositRolledOver", "转存", TopicDeposit, func() Event { return new(DepositRolledOver) }},
	{EventRolloverChanged, "DepositRolloverChanged", "变更转存方式", TopicDeposit, func() Event { return new(RolloverChanged) }},
	{EventDepositPledged, "DepositPledged", "质押", TopicDeposit, func() Event { return new(DepositPledged) }},
	{EventDepositFrozen, "DepositFrozen", "存单冻结", TopicDeposit, func() Event { return new(DepositFrozen) }},
	{EventDepositProofIssued, "DepositProofIssued", "存款证明", TopicDeposit, func() Event { return new(DepositProofIssued) }},
	{EventDepositHoldReleased, "DepositHoldReleased", "存单解押", TopicDeposit, func() Event { return new(DepositHoldReleased) }},
	{EventLoanApplied, "LoanApplied", "贷款申请", TopicLoan, func() Event { return new(LoanApplied) }},
	{EventRiskDecided, "RiskDecided", "风险决策", TopicLoan, func() Event { return new(RiskDecided) }},
	{EventCreditLineGranted, "CreditLineGranted", "授信生效", TopicLoan, func() Event { return new(CreditLineGranted) }},
	{EventLoanDisbursed, "LoanDisbursed", "放款", TopicLoan, func() Event { return new(LoanDisbursed) }},
	{EventInstalmentDue, "InstalmentDue", "到期应还", TopicLoan, func() Event { return new(InstalmentDue) }},
	{EventRepaymentApplied, "RepaymentApplied", "还款入账", TopicLoan, func() Event { return new(RepaymentApplied) }},
	{EventLoanPrepaid, "LoanPrepaid", "提前还款", TopicLoan, func() Event { return new(LoanPrepaid) }},
	{EventLoanSettled, "LoanSettled", "结清", TopicLoan, func() Event { return new(LoanSettled) }},
	{EventBoundCardRemoved, "BoundCardRemoved", "解绑", TopicCustomer, func() Event { return new(BoundCardRemoved) }},
	{EventIdentityVerified, "IdentityVerified", "身份核实", TopicCustomer, func() Event { return new(IdentityVerified) }},
	{EventAccountRestricted, "AccountRestricted", "止付冻结", TopicAccount, func() Event { return new(AccountRestricted) }},
	{EventAccountReleased, "AccountReleased", "解除止付冻结", TopicAccount, func() Event { return new(AccountReleased) }},
	{EventHoldPlaced, "HoldPlaced", "冻结", TopicAccount, func() Event { return new(HoldPlaced) }},
	{EventHoldReleased, "HoldReleased", "解冻", TopicAccount, func() Event { return new(HoldReleased) }},
	{EventHoldDeducted, "HoldDeducted", "扣划", TopicAccount, func() Event { return new(HoldDeducted) }},
	{EventDeductionRemitted, "DeductionRemitted", "扣划划款结果", TopicAccount, func() Event { return new(DeductionRemitted) }},
	{EventAccountDormant, "AccountDormant", "转久悬", TopicAccount, func() Event { return new(AccountDormant) }},
	{EventAccountReactivated, "AccountReactivated", "久悬激活", TopicAccount, func() Event { return new(AccountReactivated) }},
	{EventOwnLimitsSet, "OwnLimitsSet", "自设限额变更", TopicAccount, func() Event { return new(OwnLimitsSet) }},
	{EventAccountClosing, "AccountClosing", "预销户", TopicAccount, func() Event { return new(AccountClosing) }},
	{EventAccountClosed, "AccountClosed", "销户", TopicAccount, func() Event { return new(AccountClosure) }},
	{EventTransferInUnknown, "TransferInUnknown", "转入未知", TopicAccount, func() Event { return new(TransferInUnknown) }},
	{EventTransferOutUnknown, "TransferOutUnknown", "转出未知", TopicAccount, func() Event { return new(TransferOutUnknown) }},
	{EventTransferReturned, "TransferReturned", "退汇", TopicAccount, func() Event { return new(TransferReturned) }},
	{EventFeeCharged, "FeeCharged", "手续费", TopicAccount, func() Event { return new(FeeCharged) }},
	{EventFeeRefunded, "FeeRefunded", "手续费退还", TopicAccount, func() Event { return new(FeeRefunded) }},
	{EventTransactionReversed, "TransactionReversed", "抹账/冲正", TopicAccount, func() Event { return new(TransactionReversed) }},
	{EventAdvanceCollected, "AdvanceCollected", "垫款收回", TopicAccount, func() Event { return new(AdvanceCollected) }},
	{EventShortageClaimed, "ShortageClaimed", "短款追索", TopicAccount, func() Event { return new(ShortageClaimed) }},
	{EventShortageSettled, "ShortageSettled", "短款收回", TopicAccount, func() Event { return new(ShortageSettled) }},
	{EventSuspenseBooked, "SuspenseBooked", "挂账", TopicChannel, func() Event { return new(SuspenseBooked) }},
	{EventSuspenseEnded, "SuspenseEnded", "挂账处置", TopicChannel, func() Event { return new(SuspenseEnded) }},
	{EventClearingSettled, "ClearingSettled", "清算", TopicChannel, func() Event { return new(ClearingSettled) }},
	{EventChannelFeeCharged, "ChannelFeeCharged", "渠道手续费", TopicChannel, func() Event { return new(ChannelFeeCharged) }},
	{EventReconciliationFinished, "ReconciliationFinished", "对账完成", TopicChannel, func() Event { return new(ReconciliationFinished) }},
	{EventDayOpened, "DayOpened", "开业", TopicDay, func() Event { return new(DayOpened) }},
	{EventDayCutStarted, "DayCutStarted", "日切开始", TopicDay, func() Event { return new(DayCutStarted) }},
	{EventDayCutFinished, "DayCutFinished", "日切完成", TopicDay, func() Event { return new(DayCutFinished) }},
	{EventDayStepFinished, "DayStepFinished", "日终步骤完成", TopicDay, func() Event { return new(DayStepFinished) }},
	{EventDemandInterestAccrued, "DemandInterestAccrued", "活期计提", TopicAccount, func() Event { return new(DemandInterestAccrued) }},
	{EventDepositAccrued, "DepositAccrued", "定期计提", TopicDeposit, func() Event { return new(DepositAccrued) }},
	{EventTrialBalanced, "TrialBalanced", "试算平衡", TopicDay, func() Event { return new(TrialBalanced) }},
	{EventDepositDeducted, "DepositDeducted", "存单扣划", TopicDeposit, func() Event { return new(DepositDeducted) }},
	{EventDepositFreezeApplied, "DepositFreezeApplied", "存单冻结生效", TopicDeposit, func() Event { return new(DepositFreezeApplied) }},
	{EventDepositFreezeRenewed, "DepositFreezeRenewed", "存单续冻", TopicDeposit, func() Event { return new(DepositFreezeRenewed) }},
	{EventPaymentDelayed, "PaymentDelayed", "风险暂缓", TopicAccount, func() Event { return new(PaymentDelayed) }},
	{EventPaymentDelayEnded, "PaymentDelayEnded", "风险暂缓处置", TopicAccount, func() Event { return new(PaymentDelayEnded) }},
	{EventAccountApplied, "AccountApplied", "开户申请", TopicAccount, func() Event { return new(AccountApplied) }},
	{EventApplicationEnded, "AccountApplicationEnded", "开户申请终止", TopicAccount, func() Event { return new(ApplicationEnded) }},
	{EventLimitCounterChanged, "LimitCounterChanged", "限额占用", TopicAccount, func() Event { return new(LimitCounterChanged) }},
}

var eventKinds = sync.OnceValue(func() map[EventType]*EventKind {
	m := make(map[EventType]*EventKind, len(EventKinds))
	for i := range EventKinds {
		m[EventKinds[i].Type] = &EventKinds[i]
	}
	return m
})

// KindOf describes the event type; false for one this version does not know.
func KindOf(t EventType) (EventKind, bool) {
	k, ok := eventKinds()[t]
	if !ok {
		return EventKind{}, false
	}
	return *k, true
}

// The stored form is CBOR (RFC 8949) with integer keys: compact, and fields can be added without
// breaking old records. Decoding takes what we wrote: no duplicate keys, no indefinite lengths.
var (
	encoding = sync.OnceValue(func() cbor.EncMode {
		m, err := cbor.CoreDetEncOptions().EncMode()
		if err != nil {
			panic(err) // the options are constant
		}
		return m
	})
	decoding = sync.OnceValue(func() cbor.DecMode {
		m, err := cbor.DecOptions{
			DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
			MaxArrayElements: 4096, MaxMapPairs: 1024, MaxNestedLevels: 8, TagsMd: cbor.TagsForbidden,
		}.DecMode()
		if err != nil {
			panic(err)
		}
		return m
	})
)

// Encode returns the stored form of an event, command or other value of this package.
func Encode(v any) ([]byte, error) { return AppendEncoded(nil, v) }

// AppendEncoded appends the stored form to b.
func AppendEncoded(b []byte, v any) ([]byte, error) {
	if f, ok := v.(frequent); ok {
		return f.appendStored(slices.Grow(b, frequentSize)), nil
	}
	stored, err := encoding().Marshal(v)
	return append(b, stored...), err
}

// Decode reads the stored form into v; unknown fields are passed over, so older code reads newer records.
func Decode(b []byte, v any) error { return decoding().Unmarshal(b, v) }

// DecodeEvent reads an event from the journal.
func DecodeEvent(t EventType, body []byte) (Event, error) {
	if t == EventInternalTransferred {
		if e := new(InternalTransferred); e.readStored(body) {
			return e, nil
		}
	}
	k, ok := eventKinds()[t]
	if !ok {
		return nil, fmt.Errorf("event type %d is not known to this version", t)
	}
	e := k.fresh()
	if err := Decode(body, e); err != nil {
		return nil, fmt.Errorf("%s: %w", k.Name, err)
	}
	return e, nil
}
