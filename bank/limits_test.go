package bank

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

type ruleVectors struct {
	Limits struct {
		Config map[string]struct {
			DayOut  int64  `json:"day_out"`
			YearOut int64  `json:"year_out"`
			DayIn   int64  `json:"day_in"`
			YearIn  int64  `json:"year_in"`
			Cap     *int64 `json:"cap"`
		}
		Cases []struct {
			Class, Note, Expect string
			Op                  Movement
			Amount              int64 `json:"amount_fen"`
			DayOut              int64 `json:"day_out"`
			YearOut             int64 `json:"year_out"`
			DayIn               int64 `json:"day_in"`
			YearIn              int64 `json:"year_in"`
			Balance             int64
			FaceToFace          bool `json:"face_to_face"`
			Funded              bool `json:"funded_from_bound"`
		}
	}
	Matrix struct {
		Columns []string
		Rows    map[Restriction][]string
	} `json:"state_matrix"`
	AML []struct {
		ID  string
		Txs []struct {
			Dir    Direction
			Amount int64 `json:"amount_fen"`
			Kind   LargeValueKind
		}
		Expect []string
	} `json:"aml_large_value"`
}

var classOfRoman = map[string]Class{"I": 1, "II": 2, "III": 3}

func TestClassLimitVectors(t *testing.T) {
	v := readShared[ruleVectors](t, "vectors", "rules.json").Limits
	for roman, c := range v.Config {
		want := ClassLimits{c.DayOut, c.YearOut, c.DayIn, c.YearIn, 0}
		if c.Cap != nil {
			want.CapFen = *c.Cap
		}
		same(t, "limits of "+roman, LimitsOfClass(classOfRoman[roman]), want)
	}
	names := map[RefusalCode]string{NoRefusal: "OK", AmountInvalid: "BAD_AMOUNT"}
	for _, c := range v.Cases {
		use := LimitUse{c.DayOut, c.YearOut, c.DayIn, c.YearIn, c.Balance, c.FaceToFace, c.Funded}
		code, _ := CheckClassLimits(classOfRoman[c.Class], c.Op, c.Amount, use)
		got, ok := names[code]
		if !ok {
			got = string(code)
		}
		same(t, c.Note, got, c.Expect)
	}
}

func TestStateMatrixVectors(t *testing.T) {
	v := readShared[ruleVectors](t, "vectors", "rules.json").Matrix
	same(t, "columns", len(v.Columns), int(accountActions))
	same(t, "rows, with that of an account that is not open", len(PermissionMatrix), len(v.Rows)+1)
	letters := map[Permission]string{Forbidden: "N", AboveFrozen: "A", Allowed: "Y"}
	for restriction, row := range v.Rows {
		for action, letter := range row {
			got := letters[Permitted(AccountAction(action), restriction)]
			same(t, fmt.Sprintf("%s, %s", restriction, v.Columns[action]), got, letter)
		}
	}
}

func TestTheStrictestRestrictionDecides(t *testing.T) {
	same(t, "none", Permitted(ActCustomerDebit), Allowed)
	same(t, "partly frozen", Permitted(ActCustomerDebit, Unrestricted, PartialFrozen), AboveFrozen)
	same(t, "and stopped", Permitted(ActCustomerDebit, PartialFrozen, DebitStop), Forbidden)
	same(t, "a restriction nobody knows", Permitted(ActSystemCredit, "SOMETHING_NEW"), Forbidden)
	rapid.Check(t, func(t *rapid.T) {
		var all []Restriction
		for r := range PermissionMatrix {
			all = append(all, r)
		}
		set := rapid.SliceOf(rapid.SampledFrom(all)).Draw(t, "set")
		more := rapid.SampledFrom(all).Draw(t, "one more")
		action := AccountAction(rapid.IntRange(0, int(accountActions)-1).Draw(t, "action"))
		if Permitted(action, append(set, more)...) > Permitted(action, set...) {
			t.Fatalf("%s loosens %v", more, set)
		}
	})
}

func TestLargeValueVectors(t *testing.T) {
	for _, v := range readShared[ruleVectors](t, "vectors", "rules.json").AML {
		var moves []CustomerMovement
		for _, tx := range v.Txs {
			moves = append(moves, CustomerMovement{tx.Dir, tx.Kind, tx.Amount})
		}
		got := []string{}
		for _, r := range LargeValues(moves) {
			got = append(got, fmt.Sprintf("%s:%s:%d", r.Kind, r.Direction, r.AmountFen))
		}
		same(t, v.ID, fmt.Sprint(got), fmt.Sprint(v.Expect))
	}
}

// Who watches the limits from outside hears when a payment that did not happen gives its share back, on whatever day.
func TestWhatIsGivenBackOfTheLimitsIsTold(t *testing.T) {
	k := newTeller(t, 20260701)
	no := k.open(1, 2, true)
	k.fund(no, 2_000_000)
	k.must(&CreditInbound{Account: no, AmountFen: 70})
	out := func(fen int64, bound bool) TxnID {
		return k.must(&TransferOut{Account: no, AmountFen: fen, Bound: bound, PayeeToken: "t"}).Txn
	}
	first, second, third := out(300, false), out(500, false), out(40, true)
	d := k.must(&ChannelResult{Transfer: first})
	want := LimitCounterChanged{
		TxnID: first, AccountNo: no, Day: 20260701, DayOutFen: 500, YearOutFen: 500, DayInFen: 70, YearInFen: 70, CountedOn: 20260701, ChangeFen: -300,
	}
	if told := d.Events[1].(*LimitCounterChanged); *told != want {
		t.Errorf("told %+v, want %+v", *told, want)
	}
	same(t, "events of one that used none", len(k.must(&ChannelResult{Transfer: third}).Events), 1)

	// On a later day only the year has it.
	k.env.Date = 20260702
	out(1_000, false)
	d = k.must(&ChannelResult{Transfer: second})
	want = LimitCounterChanged{
		TxnID: second, AccountNo: no, Day: 20260702, DayOutFen: 1_000, YearOutFen: 1_000, YearInFen: 70, CountedOn: 20260701, ChangeFen: -500,
	}
	told := d.Events[1].(*LimitCounterChanged)
	if *told != want {
		t.Errorf("told %+v, want %+v", *told, want)
	}
	a, _ := k.at(no)
	same(t, "the counter", a.Out, Counter{20260702, 1_000, 1_000})

	// Decided while another was under way, whose outcome is known by now: it is told anew.
	a.Out.Add(20260702, 7)
	if !k.cust[1].Total(told, 20260702) || told.DayOutFen != 1_007 || told.YearOutFen != 507 {
		t.Errorf("told anew: %+v", told)
	}
	if k.cust[1].Total(told, 20260702) {
		t.Error("told anew without a change")
	}
}
