package berka

import (
	"strings"
	"testing"

	"github.com/suanpan-bank/suanpan/internal/shared"
)

func TestTheWholeBankIsReadAndInOrder(t *testing.T) {
	b, err := Load(shared.Path(t, "data", "berka"))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Accounts) != 4500 || b.Rows != 49_102 {
		t.Errorf("%d accounts, %d transactions", len(b.Accounts), b.Rows)
	}
	// Published with the data: 49,070 rows follow. Our order of the days finds four more.
	if got := b.Rounding(); got != (Rounding{Rows: 49_074, AccountsExact: 342, AccountsActive: 1229}) {
		t.Errorf("%+v", got)
	}
}

func TestRowsOfADayAreOrderedByTheirBalances(t *testing.T) {
	day := []Row{
		{ID: 1, Date: 19930102, Credit: true, AmountFen: 100, BalanceFen: 1350},
		{ID: 2, Date: 19930102, AmountFen: 50, BalanceFen: 1250},
		{ID: 3, Date: 19930102, Credit: true, AmountFen: 300, BalanceFen: 1300},
		{ID: 4, Date: 19930101, Credit: true, AmountFen: 1000, BalanceFen: 1000},
	}
	var ids []int
	for _, r := range inPostingOrder(day) {
		ids = append(ids, r.ID)
	}
	if want := []int{4, 3, 2, 1}; len(ids) != 4 || ids[0] != want[0] || ids[1] != want[1] || ids[2] != want[2] || ids[3] != want[3] {
		t.Errorf("%v", ids)
	}
}

func TestWhatIsNoTransactionIsNamedByFileAndLine(t *testing.T) {
	const good = `695247;2378;930101;"PRIJEM";"VKLAD";700.00;700.00;"";;`
	for what, line := range map[string]string{
		"short":    `1;2;3`,
		"type":     strings.Replace(good, "PRIJEM", "PRIJMEM", 1),
		"date":     strings.Replace(good, "930101", "930231", 1),
		"amount":   strings.Replace(good, "700.00;700", "7e2;700", 1),
		"decimals": strings.Replace(good, "700.00;700", "700.005;700", 1),
		"negative": strings.Replace(good, "700.00;700", "-700.00;700", 1),
		"point":    strings.Replace(good, "700.00;700", "700.;700", 1),
		"quote":    strings.Replace(good, `"PRIJEM"`, `"PRIJEM`, 1),
		"account":  strings.Replace(good, "2378", "x", 1),
	} {
		err := parseLines(strings.NewReader(rowHeading+"\n"+good+"\n"+line+"\n"), "trans.asc", rowHeading, func(f []string) error {
			_, err := parseRow(f)
			return err
		})
		if err == nil || !strings.HasPrefix(err.Error(), "trans.asc:3: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzParseRow(f *testing.F) {
	f.Add(`695247;2378;930101;"PRIJEM";"VKLAD";700.00;700.00;"";;`)
	f.Add(`1;1;930101;"VYDAJ";"PREVOD NA UCET";0.1;-0.10;"SIPO";"AB";"12345"`)
	f.Fuzz(func(t *testing.T, line string) {
		_ = parseLines(strings.NewReader(rowHeading+"\n"+line), "x", rowHeading, func(fields []string) error {
			r, err := parseRow(fields)
			if err == nil && (r.AmountFen < 0 || r.Date < 19000101 || r.Date > 19991231) {
				t.Fatalf("%+v", r)
			}
			return err
		})
	})
}
