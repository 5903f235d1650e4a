package catalogue

import (
	"reflect"
	"strings"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
)

// A bank started without a file and one started with the printed file are the same.
func TestTheBuiltInFileIsTheBuiltInCatalogue(t *testing.T) {
	c, err := Parse(Default)
	if err != nil {
		t.Fatal(err)
	}
	if want := bank.DefaultCatalogue(); !reflect.DeepEqual(c, want) {
		t.Errorf("file %+v\nbuilt in %+v", c, want)
	}
}

func TestAFaultInTheFileIsToldWithItsLineAndField(t *testing.T) {
	for _, c := range []struct{ was, is, want string }{
		{"version: built-in", "version: built-in\ncolour: red", "colour: no such field"},
		{"version: built-in", "", "version: missing"},
		{"version: built-in", "version: built-in\nversion: other", "version"},
		{"rate: 1.35%", "rate: 1.35", "line 30: deposits[0].rates[0].rate: a rate a year"},
		{"rate: 1.35%", "rate: 1.35001%", "deposits[0].rates[0].rate: a rate a year"},
		{"rate: 1.35%", "rate: -1.35%", "deposits[0].rates[0].rate: a rate a year"},
		{"rate: 1.35%", "rate: 101%", "deposits[0].rates[0].rate: a rate a year"},
		{"from: 2020-01-01, rate: 1.35%", "from: 2020-02-30, rate: 1.35%", "deposits[0].rates[0].from: a date"},
		{"{from: 2020-01-01, rate: 1.35%}", "{from: 2020-01-01, rate: 1.35%}\n      - {from: 2019-01-01, rate: 1.30%}", "line 31: deposits[0].rates[1]: not after"},
		{"{from: 2020-01-01, rate: 1.35%}", "{from: 2020-01-01, rate: 1.35%}\n      - {from: 2020-01-01, rate: 1.30%}", "deposits[0].rates[1]: not after"},
		{"minimum: 50.00", "minimum: 50.001", "deposits[0].minimum: an amount"},
		{"minimum: 50.00", "minimum: -50", "deposits[0].minimum: an amount"},
		{"months: 3\n", "months: 0\n", "deposits[0].months: a whole number"},
		{"principal: 20110201", "principal: 22310201", "deposits[0].subjects.principal: no subject 2011"},
		{"code: SLC6M", "code: JFC3M", "line 31: deposits[1]: there is another product JFC3M"},
		{"code: SLC6M", "code: NJD", "there is another product NJD"},
		{"code: SLC6M", "code: slc", "deposits[1].code: capital letters"},
		{"interest_base: YUAN", "interest_base: JIAO", "deposits[0].interest_base: one of YUAN, FEN"},
		{"sale: [{}]", "sale: [{from: 2026-01-02, through: 2026-01-01}]", "deposits[0].sale[0].through: before from"},
		{"sale: [{}]", "sale: {}", "deposits[0].sale: a list"},
		{"sale: [{}]", "sale: [{}]\n    regions: [220]", "deposits[0].regions[0]: a division"},
		{"    rates:\n      - {from: 2020-01-01, rate: 1.35%}", "    rates: []", "deposits[0].rates: at least one"},
		{"version: built-in", "version: [", "yaml"},
	} {
		text := strings.Replace(string(Default), c.was, c.is, 1)
		if text == string(Default) {
			t.Fatalf("%q is not in the file", c.was)
		}
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v; wanted %q", c.is, err, c.want)
		}
	}
	if _, err := Parse(nil); err == nil {
		t.Error("an empty file was taken")
	}
}

func TestAProductsLimitsAndBandsAreRead(t *testing.T) {
	text := strings.Replace(string(Default), "    sale: [{}]\n", `    sale: [{from: 2026-01-01, through: 2026-06-30}, {from: 2027-01-01}]
    cap_per_person: 200000.00
    max_partial: 1
    regions: [22, 2101]
`, 1)
	text = strings.Replace(text, "{from: 2020-01-01, rate: 1.35%}", "{from: 2020-01-01, rate: 1.35%}\n      - {from: 2020-01-01, rate: 1.4501%, at_least: 10000}", 1)
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p := c.Deposit(bank.ProductJFC3M)
	if p.CapPerPersonFen != 20_000_000 || p.MaxPartial != 1 || !reflect.DeepEqual(p.Regions, []uint32{22, 2101}) || len(p.Sale) != 2 {
		t.Errorf("%+v", p)
	}
	for day, want := range map[bank.Date]bool{20251231: false, 20260101: true, 20260630: true, 20260701: false, 20990101: true} {
		if p.OnSaleOn(day) != want {
			t.Errorf("on sale on %s: %v", day, !want)
		}
	}
	for fen, want := range map[int64]int64{999_999: 13_500, 1_000_000: 14_501} {
		if rate, ok := p.Rates.For(fen, 20260101); rate != want || !ok {
			t.Errorf("rate for %d: %d", fen, rate)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Default)
	f.Add([]byte("version: x\ndeposits: [{code: A}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err == nil && (c.Version == "" || len(c.Demand) == 0) {
			t.Errorf("%q was taken without version or rate", text)
		}
	})
}
