package bank

// Arrears (逾期) are the instalments of a loan that have fallen due, with what has been added to them
// since. Penalty and compound interest are kept as accumulations in fen·days and rounded only when
// asked for, so part payments on any day lose nothing (SPEC 0.7, 5.4).
type Arrears struct {
	Terms ArrearsTerms
	Items []ArrearsItem // oldest first
}

// ArrearsTerms are the contract's terms for late payment.
type ArrearsTerms struct {
	RateE6         int64
	PenaltyPercent int64 // of the rate: 130…150 late, 150…200 misuse (银发〔2003〕251号)
	GraceDays      int
	// CompoundOnInterest (复利) charges the penalty rate on unpaid due interest. Never on penalty or compound.
	CompoundOnInterest bool
}

// ArrearsItem is one due instalment.
type ArrearsItem struct {
	Due             Date
	FeeFen          int64
	PrincipalFen    int64 // unpaid
	InterestFen     int64 // unpaid
	PenaltyFenDays  int64 // unpaid principal × days from the due date
	CompoundFenDays int64 // unpaid interest × days from the due date
	PenaltyPaidFen  int64
	CompoundPaidFen int64
	Counted         Date // days before this one are in the accumulations
}

// NewArrearsItem is an instalment on its due date.
func NewArrearsItem(due Date, principalFen, interestFen int64) ArrearsItem {
	return ArrearsItem{Due: due, PrincipalFen: principalFen, InterestFen: interestFen, Counted: due}
}

// DaysPastDue (逾期天数) counts from the oldest unpaid due date; none inside the grace period.
func DaysPastDue(oldestUnpaidDue, on Date, graceDays int) int {
	days := Days(oldestUnpaidDue, on)
	if days <= graceDays {
		return 0
	}
	return days
}

// DaysPastDue of the oldest instalment not fully paid.
func (a *Arrears) DaysPastDue(on Date) int {
	for i := range a.Items {
		if owed := a.Owed(i, on); owed.TotalFen() > 0 && a.Items[i].Due <= on {
			return DaysPastDue(a.Items[i].Due, on, a.Terms.GraceDays)
		}
	}
	return 0
}

// Owed is what is owed on an instalment at the start of a day.
func (a *Arrears) Owed(i int, on Date) AmountsOwed {
	item := a.Items[i]
	item.advance(on)
	o := AmountsOwed{Due: item.Due}
	o.Fen[KindFee], o.Fen[KindInterest], o.Fen[KindPrincipal] = item.FeeFen, item.InterestFen, item.PrincipalFen
	if Days(item.Due, on) > a.Terms.GraceDays {
		o.Fen[KindPenalty] = a.Terms.chargeFen(item.PenaltyFenDays) - item.PenaltyPaidFen
		if a.Terms.CompoundOnInterest {
			o.Fen[KindCompound] = a.Terms.chargeFen(item.CompoundFenDays) - item.CompoundPaidFen
		}
	}
	return o
}

// TotalFen is what is owed on everything due by a day.
func (a *Arrears) TotalFen(on Date) int64 {
	var total int64
	for i := range a.Items {
		if a.Items[i].Due <= on {
			total += a.Owed(i, on).TotalFen()
		}
	}
	return total
}

// Pay applies money on a day to what is due, by the waterfall of the loan's standing. What is left
// over stays with the customer.
func (a *Arrears) Pay(on Date, amountFen int64) (paid []PaymentPart, unappliedFen int64) {
	order, scope := AccrualOrder, Vertical
	if IsNonAccrual(a.DaysPastDue(on)) {
		order, scope = NonAccrualOrder, Horizontal
	}
	var owed []AmountsOwed
	for i := range a.Items {
		if a.Items[i].Due <= on {
			owed = append(owed, a.Owed(i, on))
		}
	}
	paid, unappliedFen = Waterfall(order, scope, owed, amountFen)
	for i := range owed {
		a.Items[i].advance(on)
	}
	for _, p := range paid {
		a.Items[p.Item].pay(p.Kind, p.AmountFen)
	}
	for i := range owed {
		a.Items[i].forgiveInGrace(on, a.Terms.GraceDays)
	}
	return paid, unappliedFen
}

// advance counts the days before a date: the due date counts, the day of payment does not.
func (it *ArrearsItem) advance(to Date) {
	if to <= it.Counted {
		return
	}
	days := int64(Days(it.Counted, to))
	it.PenaltyFenDays += it.PrincipalFen * days
	it.CompoundFenDays += it.InterestFen * days
	it.Counted = to
}

func (it *ArrearsItem) pay(kind OwedKind, amountFen int64) {
	switch kind {
	case KindFee:
		it.FeeFen -= amountFen
	case KindCompound:
		it.CompoundPaidFen += amountFen
	case KindPenalty:
		it.PenaltyPaidFen += amountFen
	case KindInterest:
		it.InterestFen -= amountFen
	case KindPrincipal:
		it.PrincipalFen -= amountFen
	}
}

// forgiveInGrace (宽限期): an instalment fully paid inside the grace period was never late.
func (it *ArrearsItem) forgiveInGrace(on Date, graceDays int) {
	if it.PrincipalFen == 0 && it.InterestFen == 0 && Days(it.Due, on) <= graceDays {
		it.PenaltyFenDays, it.CompoundFenDays = 0, 0
	}
}

// chargeFen is an accumulation at the penalty rate: rate × percent/100, kept exact.
func (t ArrearsTerms) chargeFen(fenDays int64) int64 {
	return HalfUpProduct(fenDays, t.RateE6, t.PenaltyPercent, dayRateUnits*100)
}

// OwedKind is a kind of money owed on an instalment.
type OwedKind uint8

// The kinds.
const (
	KindFee       OwedKind = iota // 费用
	KindCompound                  // 复利
	KindPenalty                   // 罚息
	KindInterest                  // 利息
	KindPrincipal                 // 本金
	owedKinds
)

// String is the kind's name in events and vectors.
func (k OwedKind) String() string {
	return [owedKinds]string{"FEE", "COMPOUND", "PENALTY", "INTEREST", "PRINCIPAL"}[k]
}

// AmountsOwed is what is owed on one instalment, by kind.
type AmountsOwed struct {
	Due Date
	Fen [owedKinds]int64
}

// TotalFen is the sum of the kinds.
func (o AmountsOwed) TotalFen() int64 {
	var total int64
	for _, f := range o.Fen {
		total += f
	}
	return total
}

// PaymentPart is the part of a repayment that goes to one kind of one instalment.
type PaymentPart struct {
	Item      int // index of the instalment
	Due       Date
	Kind      OwedKind
	AmountFen int64
}

// WaterfallOrder (还款顺序) is the order in which kinds are paid.
type WaterfallOrder [owedKinds]OwedKind

// The orders: costs, interest, principal while accruing (民法典 art. 561); principal first once more
// than 90 days late (金融企业会计制度 2001, 先本后息).
var (
	AccrualOrder    = WaterfallOrder{KindFee, KindCompound, KindPenalty, KindInterest, KindPrincipal}
	NonAccrualOrder = WaterfallOrder{KindPrincipal, KindInterest, KindPenalty, KindCompound, KindFee}
)

// WaterfallScope says whether an instalment is paid in full before the next.
type WaterfallScope uint8

// The scopes.
const (
	Vertical   WaterfallScope = iota // instalment by instalment
	Horizontal                       // kind by kind
)

// Waterfall divides an amount over what is owed, the oldest first; what is left over is not applied.
func Waterfall(order WaterfallOrder, scope WaterfallScope, owed []AmountsOwed, amountFen int64) (paid []PaymentPart, unappliedFen int64) {
	unappliedFen = amountFen
	pay := func(item int, kind OwedKind) {
		part := min(unappliedFen, owed[item].Fen[kind])
		if part > 0 {
			paid = append(paid, PaymentPart{item, owed[item].Due, kind, part})
			unappliedFen -= part
		}
	}
	if scope == Vertical {
		for item := range owed {
			for _, kind := range order {
				pay(item, kind)
			}
		}
		return paid, unappliedFen
	}
	for _, kind := range order {
		for item := range owed {
			pay(item, kind)
		}
	}
	return paid, unappliedFen
}
