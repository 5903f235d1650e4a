package bank

// ClassLimits (账户分类限额) are the amounts an account of a class may move; zero means no limit. Sources:
// 银发〔2015〕392号, 〔2016〕261号, 〔2016〕302号, 〔2018〕16号 (SPEC 2.4).
type ClassLimits struct {
	DayOutFen, YearOutFen int64 // consumption, payment and out to non-bound share one counter
	DayInFen, YearInFen   int64 // in from non-bound
	CapFen                int64 // balance at any time
}

// LimitsOfClass are the limits in force. Class Ⅲ non-bound in is quoted differently by older pages;
// the compliance office confirms it (SPEC 10.1).
func LimitsOfClass(class Class) ClassLimits {
	switch class {
	case 1:
		return ClassLimits{}
	case 2:
		return ClassLimits{1_000_000, 20_000_000, 1_000_000, 20_000_000, 0}
	}
	return ClassLimits{200_000, 5_000_000, 200_000, 5_000_000, 200_000}
}

// OwnLimits (自设限额) bound what leaves for other than the bound card, besides the law's limits; zero: no limit.
type OwnLimits struct {
	TransactionFen int64 `cbor:"1,keyasint,omitempty" json:"transaction_fen"`
	DayFen         int64 `cbor:"2,keyasint,omitempty" json:"day_fen"`
}

// within checks a payment against the limits.
func (l OwnLimits) within(amountFen, dayUsedFen int64) *Refusal {
	switch {
	case l.TransactionFen != 0 && amountFen > l.TransactionFen:
		return &Refusal{Code: TransactionLimit, Field: "amount_fen", LimitFen: l.TransactionFen}
	case l.DayFen != 0 && amountFen > l.DayFen-dayUsedFen:
		return &Refusal{Code: DayOutLimit, Field: "amount_fen", LimitFen: l.DayFen}
	}
	return nil
}

// limited checks a payment to other than the bound card against every limit: the law's for the class, the bank's
// for class Ⅰ away from the counter, and the customer's own.
func (a *EAccount) limited(amountFen, dayFen, yearFen int64, channel Channel, env *Env) *Refusal {
	code, limit := CheckClassLimits(a.No.Class(), MoveOutNonBound, amountFen, LimitUse{DayOutFen: dayFen, YearOutFen: yearFen})
	if code != NoRefusal {
		return &Refusal{Code: code, Field: "amount_fen", LimitFen: limit}
	}
	if a.No.Class() == 1 && channel.electronic() {
		if r := env.Catalogue.ClassI.within(amountFen, dayFen); r != nil {
			return r
		}
	}
	return a.special().Own.within(amountFen, dayFen)
}

// OwnLimitsSet (自设限额变更).
type OwnLimitsSet struct {
	AccountNo AccountNo `cbor:"1,keyasint" json:"account_no"`
	OwnLimits `cbor:"2,keyasint"`
}

// SetLimits (自设限额) sets the customer's own limits; zero takes one away.
type SetLimits struct {
	Account AccountNo `cbor:"1,keyasint"`
	Limits  OwnLimits `cbor:"2,keyasint"`
	Channel Channel   `cbor:"3,keyasint"`
}

// Operation name, stable.
func (*SetLimits) Operation() string { return "set_limits" }

func (m *SetLimits) decider() CustomerNo { return m.Account.Customer() }
func (*SetLimits) unknown() RefusalCode  { return AccountUnknown }
func (m *SetLimits) through() Channel    { return m.Channel }

func (m *SetLimits) decide(c *Customer, _ *Env, d *Decision) *Refusal {
	a, r := ownAccount(c, m.Account, "account_no")
	switch {
	case r != nil:
		return r
	case m.Limits.TransactionFen < 0 || m.Limits.TransactionFen > AmountMaxFen:
		return &Refusal{Code: AmountInvalid, Field: "transaction_fen", LimitFen: AmountMaxFen}
	case m.Limits.DayFen < 0 || m.Limits.DayFen > AmountMaxFen:
		return &Refusal{Code: AmountInvalid, Field: "day_fen", LimitFen: AmountMaxFen}
	}
	d.Events = []Event{&OwnLimitsSet{AccountNo: a.No, OwnLimits: m.Limits}}
	return nil
}

// LimitCounterChanged (限额占用): a share of the limits was given back. What uses them says the totals itself, in
// day_total_fen and year_total_fen, so that nothing has to be written twice for every payment.
type LimitCounterChanged struct {
	TxnID      TxnID     `cbor:"1,keyasint" json:"txn_id"` // of what did not happen
	AccountNo  AccountNo `cbor:"2,keyasint" json:"account_no"`
	Day        Date      `cbor:"3,keyasint" json:"day"` // the last on which anything was counted; the year is its
	DayOutFen  int64     `cbor:"4,keyasint,omitempty" json:"day_out_fen"`
	YearOutFen int64     `cbor:"5,keyasint,omitempty" json:"year_out_fen"`
	DayInFen   int64     `cbor:"6,keyasint,omitempty" json:"day_in_fen"`
	YearInFen  int64     `cbor:"7,keyasint,omitempty" json:"year_in_fen"`
	CountedOn  Date      `cbor:"8,keyasint" json:"counted_on"` // the day to which it was given back
	ChangeFen  int64     `cbor:"9,keyasint" json:"out_change_fen"`
}

// EventType of the event.
func (*LimitCounterChanged) EventType() EventType { return EventLimitCounterChanged }

// givenBack is the event that an amount counted on a day is given back, with what the owner's desk has counted in.
func (a *EAccount) givenBack(txn TxnID, amountFen int64, countedOn Date, desk *Desk) *LimitCounterChanged {
	e := &LimitCounterChanged{TxnID: txn, AccountNo: a.No, CountedOn: countedOn, ChangeFen: -amountFen}
	e.total(a)
	if s := desk.Standing(a.No); s != nil {
		e.DayInFen, e.YearInFen = s.In.On(e.Day)
	}
	return e
}

// total sets the totals from the account's counter before the event.
func (e *LimitCounterChanged) total(a *EAccount) {
	out := a.Out
	out.Add(e.CountedOn, e.ChangeFen)
	e.Day, e.DayOutFen, e.YearOutFen = out.Day, out.DayFen, out.YearFen
}

// AccountsOfClassMax is how many accounts of a class a person may hold here at one time.
func AccountsOfClassMax(class Class) int {
	if class == 1 {
		return 1
	}
	return 5
}

// Movement is a kind of movement the class limits tell apart.
type Movement string

// The movements.
const (
	MoveOutBound     Movement = "OUT_BOUND"     // to the bound card
	MoveOutNonBound  Movement = "OUT_NON_BOUND" // to anyone else
	MoveConsume      Movement = "CONSUME"       // 消费、缴费
	MoveInBound      Movement = "IN_BOUND"
	MoveInNonBound   Movement = "IN_NON_BOUND"
	MoveBuyDeposit   Movement = "BUY_DEPOSIT"
	MoveLoanDisburse Movement = "LOAN_DISBURSE"
	MoveLoanRepay    Movement = "LOAN_REPAY"
	MoveInterest     Movement = "INTEREST" // and other system credits: maturity payout, refund
)

// LimitUse is the account as the limits see it before the movement.
type LimitUse struct {
	DayOutFen, YearOutFen int64 // used, on the accounting date and in its calendar year
	DayInFen, YearInFen   int64
	BalanceFen            int64 // with holds: the cap counts money that is only reserved
	FaceToFace            bool  // identity confirmed in person (面签)
	FundedFromBound       bool  // has had a transfer in from the bound card
}

// CheckClassLimits is the decision of SPEC 2.4: the first rule that forbids the movement, with the limit
// it passes, or NoRefusal.
func CheckClassLimits(class Class, move Movement, amountFen int64, use LimitUse) (code RefusalCode, limitFen int64) {
	if amountFen <= 0 {
		return AmountInvalid, 0
	}
	if class == 1 {
		return NoRefusal, 0
	}
	limits := LimitsOfClass(class)
	switch move {
	case MoveOutNonBound, MoveConsume:
		return withinDayAndYear(amountFen, use.DayOutFen, use.YearOutFen, limits.DayOutFen, limits.YearOutFen, DayOutLimit, YearOutLimit)
	case MoveBuyDeposit:
		if class == 3 {
			return ClassNotAllowed, 0
		}
	case MoveInNonBound:
		if !use.FaceToFace && !(class == 3 && use.FundedFromBound) {
			return ClassNotAllowed, 0
		}
		code, limitFen = withinDayAndYear(amountFen, use.DayInFen, use.YearInFen, limits.DayInFen, limits.YearInFen, DayInLimit, YearInLimit)
		if code != NoRefusal {
			return code, limitFen
		}
		return withinCap(amountFen, use.BalanceFen, limits.CapFen)
	case MoveInBound, MoveLoanDisburse:
		return withinCap(amountFen, use.BalanceFen, limits.CapFen)
	}
	return NoRefusal, 0
}

func withinDayAndYear(amount, dayUsed, yearUsed, day, year int64, dayCode, yearCode RefusalCode) (RefusalCode, int64) {
	switch {
	case amount > day-dayUsed:
		return dayCode, day
	case amount > year-yearUsed:
		return yearCode, year
	}
	return NoRefusal, 0
}

func withinCap(amount, balance, limit int64) (RefusalCode, int64) {
	if limit != 0 && amount > limit-balance {
		return BalanceCap, limit
	}
	return NoRefusal, 0
}

// Restriction (账户状态与限制) is a state of an account or a restriction on it (SPEC 2.6).
type Restriction string

// The states and restrictions.
const (
	Unrestricted        Restriction = "NORMAL"
	PendingOpen         Restriction = "PENDING_OPEN"          // 待启用
	DebitStop           Restriction = "DEBIT_STOP"            // 只收不付
	FrozenAll           Restriction = "FROZEN_ALL"            // 司法冻结(全额)
	PartialFrozen       Restriction = "PARTIAL_FROZEN"        // 部分冻结
	AllStop             Restriction = "ALL_STOP"              // 不收不付
	EmergencyStop       Restriction = "EMERGENCY_STOP"        // 紧急止付
	NonCounterSuspended Restriction = "NON_COUNTER_SUSPENDED" // 暂停非柜面
	ReportedLost        Restriction = "LOST"                  // 挂失
	Dormant             Restriction = "DORMANT"               // 久悬
	PreClose            Restriction = "PRE_CLOSE"
	Closed              Restriction = "CLOSED"
)

// AccountAction is a kind of use a restriction may forbid.
type AccountAction uint8

// The actions, the columns of the matrix.
const (
	ActCustomerDebit  AccountAction = iota // out, pay
	ActCustomerCredit                      // in
	ActBuyDeposit                          // deposit or wealth product
	ActDrawLoan
	ActSystemCredit  // interest, maturity, refund, reversal
	ActAutoDeduction // 自动扣款
	accountActions
)

// Permission is what the matrix says; the strictest is the smallest.
type Permission byte

// The permissions.
const (
	Forbidden   Permission = iota
	AboveFrozen            // only the part above the frozen amount
	Allowed
)

// PermissionMatrix says what each state and restriction leaves allowed.
var PermissionMatrix = map[Restriction][accountActions]Permission{
	PendingOpen:         {Forbidden, Forbidden, Forbidden, Forbidden, Forbidden, Forbidden},
	Unrestricted:        {Allowed, Allowed, Allowed, Allowed, Allowed, Allowed},
	DebitStop:           {Forbidden, Allowed, Forbidden, Forbidden, Allowed, Forbidden},
	FrozenAll:           {Forbidden, Allowed, Forbidden, Forbidden, Allowed, Forbidden},
	PartialFrozen:       {AboveFrozen, Allowed, AboveFrozen, Allowed, Allowed, AboveFrozen},
	AllStop:             {Forbidden, Forbidden, Forbidden, Forbidden, Allowed, Forbidden},
	EmergencyStop:       {Forbidden, Allowed, Forbidden, Forbidden, Allowed, Forbidden},
	NonCounterSuspended: {Forbidden, Allowed, Forbidden, Forbidden, Allowed, Allowed},
	ReportedLost:        {Forbidden, Allowed, Forbidden, Forbidden, Allowed, Allowed},
	Dormant:             {Forbidden, Forbidden, Forbidden, Forbidden, Allowed, Forbidden},
	PreClose:            {Forbidden, Forbidden, Forbidden, Forbidden, Allowed, Forbidden},
	Closed:              {},
}

// Permitted is the strictest of a set of restrictions; one that is not known forbids.
func Permitted(action AccountAction, restrictions ...Restriction) Permission {
	strictest := Allowed
	for _, r := range restrictions {
		strictest = min(strictest, PermissionMatrix[r][action])
	}
	return strictest
}

// Direction of money as the customer sees it.
type Direction string

// The directions.
const (
	In  Direction = "IN"
	Out Direction = "OUT"
)

// LargeValueKind is a kind of movement that large-value reporting (大额交易报告) tells apart.
type LargeValueKind string

// The kinds.
const (
	LargeCash         LargeValueKind = "CASH"
	LargeOtherAccount LargeValueKind = "OTHER_ACCOUNT"
	LargeCrossBorder  LargeValueKind = "CROSS_BORDER"
	OwnAtThisBank     LargeValueKind = "OWN_SAME_BANK" // demand ↔ time of one person: exempt
)

// CustomerMovement is one of a customer's movements of a day.
type CustomerMovement struct {
	Direction Direction
	Kind      LargeValueKind
	AmountFen int64
}

// LargeValue is a day's sum that must be reported within five working days.
type LargeValue struct {
	Kind      LargeValueKind
	Direction Direction
	AmountFen int64
}

// largeValueThresholds for natural persons (金融机构大额交易和可疑交易报告管理办法, 2016 No. 3, SPEC 7.5), in the
// order reports list them.
var largeValueThresholds = []struct {
	kind         LargeValueKind
	thresholdFen int64
}{{LargeCash, 5_000_000}, {LargeOtherAccount, 50_000_000}, {LargeCrossBorder, 20_000_000}}

// LargeValues groups one customer's movements of one day by kind and side (in and out apart) and gives
// the sums that reach the threshold.
func LargeValues(movements []CustomerMovement) []LargeValue {
	var reports []LargeValue
	for _, rule := range largeValueThresholds {
		for _, direction := range []Direction{In, Out} {
			var sum int64
			for _, m := range movements {
				if m.Kind == rule.kind && m.Direction == direction {
					sum += m.AmountFen
				}
			}
			if sum >= rule.thresholdFen {
				reports = append(reports, LargeValue{rule.kind, direction, sum})
			}
		}
	}
	return reports
}
