package papers

import "testing"

func TestAmountsInCapitalsAreThoseOfThePaymentRules(t *testing.T) {
	for _, c := range []struct {
		fen  int64
		want string
	}{
		{0, "人民币零元整"},
		{1, "人民币壹分"},
		{10, "人民币壹角"},
		{100, "人民币壹元整"},
		{105, "人民币壹元零伍分"},
		{1_000_00, "人民币壹仟元整"},
		{1_409_50, "人民币壹仟肆佰零玖元伍角"},
		{6_007_14, "人民币陆仟零柒元壹角肆分"},
		{107_000_53, "人民币壹拾万零柒仟元伍角叁分"},
		{16_409_02, "人民币壹万陆仟肆佰零玖元零贰分"},
		{100_050_00, "人民币壹拾万零伍拾元整"},
		{100_000_005_00, "人民币壹亿零伍元整"},
		{1_000_000_000_000_00, "人民币壹万亿元整"},
		{100_000_000_000_00, "人民币壹仟亿元整"}, // the largest amount of one transaction
	} {
		if got := Capital(c.fen); got != c.want {
			t.Errorf("%d fen: %s, want %s", c.fen, got, c.want)
		}
	}
}

func TestAmountsAndRatesAreWrittenToTheFenAndTheMillionth(t *testing.T) {
	for _, c := range []struct {
		fen         int64
		yuan, plain string
	}{
		{0, "0.00", "0.00"}, {5, "0.05", "0.05"}, {-5, "-0.05", "-0.05"}, {123456789, "1,234,567.89", "1234567.89"},
		{-100_000, "-1,000.00", "-1000.00"}, {99_999, "999.99", "999.99"},
		{-1 << 63, "-92,233,720,368,547,758.08", "-92233720368547758.08"},
	} {
		if Yuan(c.fen) != c.yuan || PlainYuan(c.fen) != c.plain {
			t.Errorf("%d: %s %s", c.fen, Yuan(c.fen), PlainYuan(c.fen))
		}
	}
	for e6, want := range map[int64]string{13500: "1.35%", 2000: "0.20%", 26000: "2.60%", 35: "0.0035%", 1_000_000: "100.00%"} {
		if got := Rate(e6); got != want {
			t.Errorf("%d: %s, want %s", e6, got, want)
		}
	}
}
