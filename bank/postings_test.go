package bank

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestThePostingTableInCodeIsTheTableOfTheDomain(t *testing.T) {
	type leg struct {
		N             any
		Debit, Credit string
		Amount        string
		Code          any
		Flags         string
	}
	table := readShared[[]struct {
		ID, Zh, En, Group, Note string
		Legs                    []leg
	}](t, "tables", "postings.json")
	same(t, "operations", len(Operations), len(table))
	same(t, "operations", len(table), 67)
	for i, want := range table {
		got := Operations[i]
		same(t, "operation", [5]string{got.ID, got.Zh, got.En, got.Group, got.Note}, [5]string{want.ID, want.Zh, want.En, want.Group, want.Note})
		same(t, want.ID+" legs", len(got.Legs), len(want.Legs))
		for k, l := range want.Legs {
			row := LegTemplate{fmt.Sprint(l.N), l.Debit, l.Credit, l.Amount, fmt.Sprint(l.Code), l.Flags}
			same(t, want.ID, got.Legs[k], row)
		}
	}
}

// account is the ledger account of a symbol or of a scenario's account name.
func account(name string) U128 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return U128{Lo: h.Sum64(), Hi: 1}
}

var (
	testTxn   = NewTxnID(1_764_000_000_000, 1, 1)
	earlier   = account("an earlier pending transfer")
	symbols   = DepositAccounts{account("TD"), account("CUST"), account("INTPAY"), account("INTEXP")}
	ofLoan    = LoanAccounts{account("CUST"), account("LN"), account("DUE"), account("ACC"), account("INC")}
	ofLine    = LineAccounts{account("LINE"), account("80019901"), account("70030101"), account("70039901")}
	payerPays = BookTransfer{account("CUST(payer)"), account("CUST(payee)"), account("60210101"), 100, 3}
)

// Each operation with every amount set, against the rows of the table it must follow. "3203" stands for
// the true-up that L20 and L21 take from L07.
func TestThePostingsFollowTheTable(t *testing.T) {
	for _, c := range []struct {
		name, op string
		rows     string // the table's row numbers, in order
		legs     interface {
			Legs(TxnID, []Leg) []Leg
		}
	}{
		{"a pull is requested", "E02", "1", PullRequest{account("CLR"), account("CUST"), 100}},
		{"a pull succeeds", "E02", "1a", PullResult{earlier, 100, true}},
		{"a pull fails", "E02", "1b", PullResult{earlier, 100, false}},
		{"money comes in", "E03", "1", InboundCredit{account("CLR"), account("CUST"), 100}},
		{"a push is requested", "E06", "1 2", PushRequest{account("CUST"), account("CLR"), account("60210101"), 100, 3, codeOutBound}},
		{"a receipt is held", "E04", "1", one{HeldReceipt{account("CLR"), account("22410201"), 100}}},
		{"a payment is requested", "E07", "1", PushRequest{account("CUST"), account("CLR"), U128{}, 100, 0, codePayment}},
		{"money that went out comes back", "E10", "1", one{OutReturned{account("CLR"), account("CUST"), 100}}},
		{"a fee is refunded", "E11", "1", one{FeeReturned{account("60210101"), account("CUST"), 3}}},
		{"a channel is paid what it is owed", "K01", "1", one{NetSettlement{account("CLR"), account("10030101"), 100}}},
		{"a channel pays what it owes", "K01", "1x", one{NetSettlement{account("CLR"), account("10030101"), -100}}},
		{"a shortage is booked", "K03", "1", one{ShortageBooked{account("12210101"), account("CLR"), 100}}},
		{"the customer makes it good", "K03", "2", one{ShortageRepaid{account("CUST"), account("12210101"), 100}}},
		{"a surplus is cleared", "K06", "1", one{DifferenceCleared{account("22410101"), account("63010101"), 100}}},
		{"a shortage is cleared", "K06", "1x", one{DifferenceCleared{account("67110101"), account("12210101"), 100}}},
		{"a channel charges", "K07", "1", one{ChannelCost{account("64210101"), account("CLR"), 3}}},
		{"a book transfer", "E08", "1 2", payerPays},
		{"a book transfer to class III", "E09", "1 2 3 4 5", classIIITransfer{
			BookTransfer{account("CUST(payer)"), account("CUST3"), account("60210101"), 100, 0}, account("30019101"), account("30019102"), 200_000,
		}},
		{"an amount is held", "E12", "1", HoldAmount{account("CUST or TD"), account("22410301"), 100, false}},
		{"a hold of two parts is released", "E13", "1 1", HoldRelease{[]HoldPart{{earlier, 60}, {earlier, 40}}}},
		{"a payment is delayed", "E15", "1", RiskDelay{account("CUST"), account("22410501"), 100}},
		{"a balance falls asleep", "E19", "1", DormantTransfer{account("CUST"), account("20110901"), 100, false}},
		{"a balance wakes", "E19", "1x", DormantTransfer{account("CUST"), account("20110901"), 100, true}},
		{"a deposit is bought", "D01", "1", DepositPurchase{account("CUST"), account("TD(new)"), 100}},
		{"a deposit matures", "D03", "1 2 3 4", DepositMaturity{symbols, account("22210201"), 100, 10, 9, 2}},
		{"demand interest is credited", "E16", "1 2 3", DemandSettlement{account("CUST"), account("22310101"), account("64110101"), account("22210201"), 10, 9, 2}},
		{"demand interest is credited, accrued too much", "E16", "1x 2", DemandSettlement{account("CUST"), account("22310101"), account("64110101"), U128{}, 10, 11, 0}},
		{"a deposit is pledged", "D09", "1", DepositHolding{account("TD"), account("22410301"), 100}},
		{"a deposit rolls over with interest", "D04", "1 2", DepositRollover{old(symbols), account("TD(new)"), 100, 10, 10, true, U128{}, 0}},
		{"a deposit rolls over without", "D05", "1 2", DepositRollover{old(symbols), account("TD(new)"), 100, 10, 10, false, U128{}, 0}},
		{"a deposit is redeemed early", "D06", "1 2 3", DepositEarlyRedemption{symbols, 100, 1, 9, 0}},
		{"part of a deposit is redeemed early", "D07", "1 2 3", DepositEarlyRedemption{symbols, 50, 1, 9, 4}},
		{"a deposit is redeemed late", "D08", "1 2 3 4", DepositLateRedemption{symbols, account("22310101"), account("64110101"), 100, 10, 10, 3, 1}},
		{"a part of a frozen deposit is deducted", "D07+E14", "D07.1 E14.1 D07.3 E16.3 D09.1 E14.2", DepositDeduction{
			DepositAccounts: symbols, TaxPayable: account("22210201"), Held: account("22410301"), Clearing: account("CLR"), Pending: earlier,
			HeldFen: 90, AmountFen: 50, Early: true, InterestFen: 10, AccruedFen: 14, TaxFen: 1,
		}},
		{"a frozen deposit is deducted after its term", "D08+E14", "E14.1 D08.3 D08.4 E14.2", DepositDeduction{
			DepositAccounts: symbols, DemandPayable: account("22310101"), Held: account("22410301"), Clearing: account("CLR"), Pending: earlier,
			HeldFen: 50, AmountFen: 50, InterestFen: 10, AccruedFen: 10, OverdueInterestFen: 3, OverdueAccruedFen: 3,
		}},
		{"a line is granted", "L01", "1 2", LineGrant{ofLine, 100}},
		{"a loan is drawn", "L02", "1 2 3", Drawdown{ofLine, account("LN"), account("CUST"), 100}},
		{"interest falls due, accrued too little", "L07", "1 2", InterestDue{ofLoan, 10, 9}},
		{"interest falls due, accrued too much", "L07", "1x 2", InterestDue{ofLoan, 10, 11}},
		{"an instalment is paid", "L08", "1 2", InstalmentRepayment{ofLoan, 10, 90}},
		{"an instalment under a revolving line is paid", "L08", "1 2 3 4", both{InstalmentRepayment{ofLoan, 10, 90}, LineRestore{ofLine, 90}}},
		{"a loan is prepaid", "L20", "1 2 3 4", EarlyRepayment{ofLoan, account("60210301"), 50, 10, 10, 1}},
		{"a loan is settled", "L21", "1 2 3 4", EarlyRepayment{ofLoan, account("60210301"), 50, 10, 10, 1}},
		{"a loan is prepaid and interest was accrued too little", "L20", "3203 1 2 3 4", EarlyRepayment{ofLoan, account("60210301"), 50, 10, 4, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			legs := c.legs.Legs(testTxn, nil)
			numbers := strings.Fields(c.rows)
			same(t, "legs", len(legs), len(numbers))
			for i, n := range numbers {
				op, n := c.op, n
				if of, row, ok := strings.Cut(n, "."); ok { // of another operation, or of several
					op, n = of, row
				}
				row := rowOf(op, n)
				leg := legs[i]
				if row.Debit != "" {
					same(t, n+" debit", leg.Debit, account(row.Debit))
					same(t, n+" credit", leg.Credit, account(row.Credit))
				} else {
					same(t, n+" has accounts of its own", leg.Debit.IsZero() && leg.Credit.IsZero() && !leg.Pending.IsZero(), true)
				}
				same(t, n+" code", strconv.Itoa(int(leg.Code)), strings.Fields(row.Code)[0])
				same(t, n+" flags", leg.Flags, flagsOf(row.Flags))
				same(t, n+" id", leg.ID, TransferID(testTxn, uint8(i), 0))
			}
		})
	}
}

// one is an operation that is always a chain of its own.
type one struct {
	alone interface{ Legs(TxnID) []Leg }
}

func (o one) Legs(txn TxnID, legs []Leg) []Leg { return append(legs, o.alone.Legs(txn)...) }

func old(a DepositAccounts) DepositAccounts {
	a.Deposit = account("TD(old)")
	return a
}

// both is two operations in one chain.
type both [2]interface {
	Legs(TxnID, []Leg) []Leg
}

func (b both) Legs(txn TxnID, legs []Leg) []Leg { return b[1].Legs(txn, b[0].Legs(txn, legs)) }

func rowOf(op, n string) LegTemplate {
	if n == "3203" {
		op, n = "L07", "1"
	}
	for _, o := range Operations {
		for _, row := range o.Legs {
			if o.ID == op && row.No == n {
				return row
			}
		}
	}
	panic("no row " + op + " " + n)
}

// flagsOf reads the flags the table prints; a link is not a flag of a leg, chains are linked as a whole.
func flagsOf(printed string) (flags LegFlags) {
	printed, _, _ = strings.Cut(printed, "then") // what is done to the leg later
	for word := range strings.FieldsSeq(strings.ReplaceAll(printed, ",", " ")) {
		flags |= map[string]LegFlags{
			"P": LegPending, "post": LegPost, "void": LegVoid, "bd": LegBalancingDebit, "cl": LegClosingDebit,
		}[word]
	}
	return flags
}

type scenario struct {
	ID    string
	Steps []scenarioStep
}

type scenarioStep struct {
	Op        string
	Transfers []struct {
		ID, Debit, Credit string
		Amount            any
		Code              uint16
		Flags             []string
		Pending           *string `json:"pending_id"`
	}
}

// The chains that a real history submits, fen by fen, as the ledger scenarios list them.
func TestThePostingsAreTheChainsOfTheLedgerScenarios(t *testing.T) {
	scenarios := readShared[struct{ Scenarios []scenario }](t, "vectors", "ledger_scenarios.json").Scenarios
	deposit := func(name, payable, expense string) DepositAccounts {
		return DepositAccounts{account(name), account("A"), account(payable), account(expense)}
	}
	loan := LoanAccounts{account("A"), account("LN"), account("DUE"), account("ACC"), account("INC")}
	line := LineAccounts{account("LINE"), account("LOP"), account("CM"), account("CMX")}
	bound := func(amount int64) classIIITransfer {
		return classIIITransfer{BookTransfer{Payer: account("A"), Payee: account("C"), AmountFen: amount}, account("CTL"), account("OPR"), 200_000}
	}
	for _, c := range []struct {
		scenario, op string
		nth          int // among the scenario's steps of that name
		legs         interface {
			Legs(TxnID, []Leg) []Leg
		}
	}{
		{"S1", "E02", 0, PullRequest{account("UP"), account("A"), 5_000_000}},
		{"S1", "E02 post", 0, PullResult{account("S1-001"), 5_000_000, true}},
		{"S1", "E02 void", 0, PullResult{account("S1-003"), 700_000, false}},
		{"S1", "E06", 0, PushRequest{account("A"), account("IBPS"), account("FEE"), 1_000_000, 200, codeOut}},
		{"S1", "E06 post", 0, PushResult{account("S1-006"), account("S1-007"), 1_000_000, 200, codeOut, true}},
		{"S1", "E06", 1, PushRequest{account("B"), account("IBPS"), account("FEE"), 500_000, 0, codeOutBound}},
		{"S1", "E06 void", 0, PushResult{account("S1-012"), U128{}, 500_000, 0, codeOutBound, false}},
		{"S1", "E08 exactly available", 0, BookTransfer{account("A"), account("B"), account("FEE"), 3_999_800, 0}},
		{"S1", "E14 deduct 1,500,000 out of the hold, hold the rest again", 0, HoldDeduction{
			account("B"), account("HOLD"), account("IBPS"), []HoldPart{{account("S1-018"), 4_088_600}, {account("S1-021"), 100_000}}, 1_500_000,
		}},
		{"S1", "E14 remit", 0, DeductionResult{account("HOLD"), account("IBPS"), account("S1-024"), 1_500_000, true}},
		{"S1", "E13 lift both holds", 0, HoldRelease{[]HoldPart{{account("S1-023"), 2_588_600}, {account("S1-021"), 100_000}}}},
		{"S1", "E18 close A", 0, ClosingPayout{account("A"), account("B")}},
		{"S2", "E03", 0, InboundCredit{account("UP"), account("A"), 14_000_000}},
		{"S2", "D01 6M", 0, DepositPurchase{account("A"), account("T6"), 10_000_000}},
		{"S2", "D07 TD11", 0, DepositEarlyRedemption{deposit("T6", "P6", "E6"), 4_000_000, 1_556, 29_972, 17_983}},
		{"S2", "D03 6M maturity", 0, DepositMaturity{deposit("T6", "P6", "E6"), U128{}, 6_000_000, 46_500, 46_500, 0}},
		{"S2", "D06 TD08", 0, DepositEarlyRedemption{deposit("T1Y", "P1", "E1"), 3_000_000, 3_167, 27_329, 0}},
		{"S2", "D04 TD14", 0, DepositRollover{deposit("T3", "P3", "E3"), account("T3B"), 1_000_000, 3_375, 3_375, true, U128{}, 0}},
		{"S3", "L01 limit 120,000", 0, LineGrant{line, 12_000_000}},
		{"S3", "L02 LN01", 0, Drawdown{line, account("LN"), account("A"), 10_000_000}},
		{"S3", "L07 due 1", 0, InterestDue{loan, 36_250, 36_250}},
		{"S3", "L08 pay 1", 0, InstalmentRepayment{loan, 36_250, 816_849}},
		{"S6", "void (wrongly, we were told failure)", 0, PushResult{account("S6-002"), U128{}, 800_000, 0, codeOut, false}},
		{"S6", "K03 channel says success", 0, one{ShortageBooked{account("SHORT"), account("IBPS"), 800_000}}},
		{"S6", "K03 claimed from the customer", 0, one{ShortageRepaid{account("A"), account("SHORT"), 800_000}}},
		{"S6", "K02", 0, PushResult{account("S6-006"), U128{}, 100_000, 0, codeOut, true}},
		{"S6", "K04", 0, one{OutReturned{account("IBPS"), account("A"), 100_000}}},
		{"S6", "K05 unknown owner", 0, one{LateReceipt{account("UP"), account("LONG"), 12_345}}},
		{"S6", "K06", 0, one{DifferenceCleared{account("LONG"), account("OTHI"), 12_345}}},
		{"S6", "K07", 0, one{ChannelCost{account("CHF"), account("UP"), 321}}},
		{"S6", "K01", 0, one{NetSettlement{account("UP"), account("PBOC"), -3_012_024}}},
		{"S5", "E09 150000", 0, bound(150_000)},
		{"S5", "E09 50000", 0, bound(50_000)},
	} {
		name := c.scenario + " " + c.op
		want := stepOf(t, scenarios, c.scenario, c.op, c.nth)
		legs := c.legs.Legs(testTxn, nil)
		same(t, name+" legs", len(legs), len(want.Transfers))
		ids := map[string]U128{}
		for i, x := range want.Transfers {
			leg := legs[i]
			ids[x.ID] = leg.ID
			if x.Debit != "" {
				same(t, name+" debit", leg.Debit, account(x.Debit))
				same(t, name+" credit", leg.Credit, account(x.Credit))
			}
			same(t, name+" all", leg.All, x.Amount == "MAX")
			if amount, ok := x.Amount.(float64); ok {
				same(t, name+" amount", leg.AmountFen, int64(amount))
			}
			same(t, name+" code", leg.Code, x.Code)
			same(t, name+" flags", leg.Flags, scenarioFlags(x.Flags))
			if x.Pending != nil {
				pending, inChain := ids[*x.Pending]
				if !inChain {
					pending = account(*x.Pending)
				}
				same(t, name+" pending", leg.Pending, pending)
			}
		}
	}
}

func stepOf(t *testing.T, scenarios []scenario, id, op string, nth int) scenarioStep {
	t.Helper()
	for _, s := range scenarios {
		for _, step := range s.Steps {
			if s.ID == id && step.Op == op {
				if nth == 0 {
					return step
				}
				nth--
			}
		}
	}
	t.Fatalf("no step %s %s", id, op)
	return scenarioStep{}
}

func scenarioFlags(names []string) (flags LegFlags) {
	for _, n := range names {
		flags |= map[string]LegFlags{
			"pending": LegPending, "post": LegPost, "void": LegVoid, "balancing_debit": LegBalancingDebit, "closing_debit": LegClosingDebit,
		}[n]
	}
	return flags
}

func TestARefusedLegTellsTheCallerWhatWasMissing(t *testing.T) {
	of := func(legs []Leg) string {
		var codes []RefusalCode
		for _, l := range legs {
			codes = append(codes, l.Refused)
		}
		b, _ := json.Marshal(codes)
		return string(b)
	}
	same(t, "push", of(PushRequest{AmountFen: 1, FeeFen: 1}.Legs(testTxn, nil)), `["INSUFFICIENT_FUNDS","INSUFFICIENT_FUNDS"]`)
	same(t, "class III", of(classIIITransfer{BookTransfer: BookTransfer{AmountFen: 1}, CapFen: 1}.Legs(testTxn, nil)),
		`["INSUFFICIENT_FUNDS","BALANCE_CAP","BALANCE_CAP","BALANCE_CAP","BALANCE_CAP"]`)
	same(t, "redemption", of(DepositEarlyRedemption{PrincipalFen: 1}.Legs(testTxn, nil)), `["OVER_DEPOSIT"]`)
	same(t, "drawdown", of(Drawdown{PrincipalFen: 1}.Legs(testTxn, nil)), `["OVER_LINE","",""]`)
}

// What was accrued and not yet paid or due must be gone after a contract's interest is settled, or the
// accrual accounts of a product drift for ever.
func TestAfterEverySettlementTheAccrualIsExactlyUsedUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) int64 { return rapid.Int64Range(0, 1e6).Draw(t, name) }
		interest, accrued, principal, fee := draw("interest"), draw("accrued"), draw("principal"), draw("fee")
		rest := rapid.Int64Range(0, accrued).Draw(t, "rest")
		for name, c := range map[string]struct {
			legs    []Leg
			account string
			rest    int64
		}{
			"interest due":  {InterestDue{ofLoan, interest, accrued}.Legs(testTxn, nil), "ACC", 0},
			"early payment": {EarlyRepayment{ofLoan, account("fee"), principal, interest, accrued, fee}.Legs(testTxn, nil), "ACC", 0},
			"maturity":      {DepositMaturity{symbols, account("tax"), principal, interest, accrued, 0}.Legs(testTxn, nil), "INTPAY", 0},
			"early redemption": {
				DepositEarlyRedemption{symbols, principal, interest, accrued, rest}.Legs(testTxn, nil), "INTPAY", rest,
			},
			"rollover": {DepositRollover{symbols, account("next"), principal, interest, accrued, true, U128{}, 0}.Legs(testTxn, nil), "INTPAY", 0},
			"late redemption": {
				DepositLateRedemption{symbols, account("dp"), account("de"), principal, interest, accrued, fee, 0}.Legs(testTxn, nil), "INTPAY", 0,
			},
		} {
			left := accrued
			increase := c.account == "INTPAY" // a credit increases what is payable, a debit what is receivable
			for _, leg := range c.legs {
				if leg.AmountFen <= 0 {
					t.Fatalf("%s: a leg of %d", name, leg.AmountFen)
				}
				if leg.Debit == account(c.account) {
					left += map[bool]int64{true: -leg.AmountFen, false: leg.AmountFen}[increase]
				}
				if leg.Credit == account(c.account) {
					left += map[bool]int64{true: leg.AmountFen, false: -leg.AmountFen}[increase]
				}
				if left < 0 {
					t.Fatalf("%s: the accrual falls below zero", name)
				}
			}
			if left != c.rest {
				t.Fatalf("%s: %d accrued are left, want %d", name, left, c.rest)
			}
		}
	})
}

func TestOperationsInOneChainNeverShareATransferID(t *testing.T) {
	legs := InterestDue{ofLoan, 10, 4}.Legs(testTxn, nil)
	legs = InstalmentRepayment{ofLoan, 10, 90}.Legs(testTxn, legs)
	legs = EarlyRepayment{ofLoan, account("fee"), 50, 5, 0, 1}.Legs(testTxn, legs)
	legs = LineRestore{ofLine, 140}.Legs(testTxn, legs)
	ids := map[U128]bool{}
	for _, leg := range legs {
		ids[leg.ID] = true
	}
	same(t, "ids", len(ids), len(legs))
	last := legs[len(legs)-2:]
	same(t, "ledgers", slices.Equal([]uint32{last[0].Ledger, last[1].Ledger}, []uint32{LedgerLimits, LedgerMemo}), true)
}

// classIIITransfer (E09, 行内转账至Ⅲ类户) is a BookTransfer with the cap of the payee behind it, as decideInternal puts it.
type classIIITransfer struct {
	BookTransfer
	Control, Operator U128
	CapFen            int64
}

// Legs appends E09, five legs without a fee.
func (p classIIITransfer) Legs(txn TxnID, legs []Leg) []Leg {
	legs = p.BookTransfer.Legs(txn, legs)
	return CapBound{p.Payee, p.Control, p.Operator, p.CapFen}.Legs(txn, legs)
}
