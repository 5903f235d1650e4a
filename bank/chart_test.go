package bank

import (
	"slices"
	"strings"
	"testing"
)

func TestTheChartInCodeIsTheChartOfTheDomain(t *testing.T) {
	type row struct {
		Ledger      uint32
		Code        uint16
		Detail      uint32
		Zh          string `json:"name_zh"`
		En          string `json:"name_en"`
		Normal      string
		Flags       string
		Granularity Granularity
	}
	want := map[uint32]row{}
	for _, r := range readShared[[]row](t, "tables", "chart_of_accounts.json") {
		want[r.Detail] = r
	}
	same(t, "subjects", len(want), 69)
	for _, s := range Chart {
		if s.Demo {
			if _, ok := want[s.Detail]; ok {
				t.Errorf("%d is for demonstrations but in the bank's chart", s.Detail)
			}
			continue
		}
		got := row{s.Ledger, s.Code, s.Detail, s.Zh, s.En, string(s.Normal), flagNames(s.Rules), s.Per}
		same(t, s.Zh, got, want[s.Detail])
		delete(want, s.Detail)
	}
	for detail := range want {
		t.Errorf("%d is missing in code", detail)
	}
}

func flagNames(r SubjectRules) string {
	var names []string
	for _, f := range []struct {
		rule SubjectRules
		name string
	}{{DebitsCapped, "DC"}, {CreditsCapped, "CD"}, {KeepsHistory, "H"}} {
		if r&f.rule != 0 {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, "|")
}

func TestTheChartIsSortedSoThatLookupFindsEverySubject(t *testing.T) {
	if !slices.IsSortedFunc(Chart, func(a, b Subject) int { return int(a.Detail) - int(b.Detail) }) {
		t.Error("not in order of detail")
	}
	for _, s := range Chart {
		got, ok := SubjectOf(s.Detail)
		if !ok || got != s || uint32(s.Code) != s.Detail/10000 {
			t.Errorf("%d: found %v, %+v", s.Detail, ok, got)
		}
	}
	if _, ok := SubjectOf(20110199); ok {
		t.Error("found a subject that is none")
	}
}

func TestOnlyTheDemonstrationAccountMayBeOverdrawn(t *testing.T) {
	for _, s := range Chart {
		if s.Code == 2011 {
			same(t, s.Zh, s.Rules&DebitsCapped == 0, s.Demo)
		}
	}
}

func TestALedgerAccountOfASubjectCarriesItsRules(t *testing.T) {
	s, _ := SubjectOf(DetailClassII)
	got := s.Account(7, 2, U128{Lo: 9})
	want := LedgerAccount{
		ID: LedgerID(DetailClassII, 7, 2), Ledger: LedgerCNY, Code: 2011, Detail: DetailClassII, Owner: 7,
		Contract: U128{Lo: 9}, Rules: DebitsCapped | KeepsHistory,
	}
	same(t, "account", got, want)
}
