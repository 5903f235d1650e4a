package bank

import "testing"

// roundTrips checks that text a parser accepts is the one form of the value: what is printed is what
// was read, so two spellings can never name one account.
func roundTrips[T interface {
	comparable
	MarshalText() ([]byte, error)
	String() string
}](t *testing.T, s string, parse func(string) (T, error)) {
	v, err := parse(s)
	if err != nil {
		return
	}
	if v.String() != s {
		t.Fatalf("%q is printed as %q", s, v.String())
	}
	text, err := v.MarshalText()
	if again, err2 := parse(string(text)); err != nil || err2 != nil || again != v {
		t.Fatalf("%q does not come back: %v, %v", s, err, err2)
	}
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2026-11-24", "1900-01-01", "9999-12-31", "2024-02-29", "2026-02-29", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		roundTrips(t, s, ParseDate)
		if d, err := ParseDate(s); err == nil && d.AddDays(1).AddDays(-1) != d {
			t.Fatalf("%s is no real day", s)
		}
	})
}

func FuzzParseCustomerNo(f *testing.F) {
	f.Add(CustomerNo(1).String())
	f.Add(CustomerNoMax.String())
	f.Add("C0000000000")
	f.Fuzz(func(t *testing.T, s string) { roundTrips(t, s, ParseCustomerNo) })
}

func FuzzParseAccountNo(f *testing.F) {
	f.Add("9990222000000000013")
	f.Add(NewAccountNo(3, CustomerNoMax, 9).String())
	f.Fuzz(func(t *testing.T, s string) { roundTrips(t, s, ParseAccountNo) })
}

func FuzzParseContractNo(f *testing.F) {
	f.Add(NewContractNo(DepositContract, 1, 1).String())
	f.Add(NewContractNo(LoanContract, CustomerNoMax, ContractSeqMax).String())
	f.Fuzz(func(t *testing.T, s string) { roundTrips(t, s, ParseContractNo) })
}

func FuzzParseTxnID(f *testing.F) {
	f.Add(NewTxnID(1_764_000_000_000, 1, 1).String())
	f.Add(NewTxnID(1<<48-1, CustomerNoMax, 1<<40-1).String())
	f.Fuzz(func(t *testing.T, s string) { roundTrips(t, s, ParseTxnID) })
}

func FuzzParseIdentityNumber(f *testing.F) {
	f.Add("11010519491231002X")
	f.Add("11010519491231002x")
	f.Add("22011319850615000１")
	f.Fuzz(func(t *testing.T, s string) {
		const today = Date(20261124)
		n, fault := ParseIdentityNumber(s, today)
		if fault != NumberOK {
			return
		}
		again, fault := ParseIdentityNumber(string(n), today)
		if again != n || fault != NumberOK || n.Birth() > today || n.Age(today) < 0 || n.Region() < 110000 {
			t.Fatalf("%q was read as %q", s, n)
		}
	})
}

func FuzzCheckUSCC(f *testing.F) {
	f.Add("91350100M000100Y43")
	f.Fuzz(func(t *testing.T, s string) {
		if CheckUSCC(s) == NumberOK && len(s) != 18 {
			t.Fatalf("%q was accepted", s)
		}
	})
}
