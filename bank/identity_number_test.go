package bank

import (
	"strings"
	"testing"
)

type identityVectors struct {
	IDNumber []struct {
		ID         string
		Today      Date
		Result     string
		Note       string
		Birth      Date
		Sex        string
		Age        int
		Normalized string
	} `json:"id_number"`
	Missed int `json:"single_digit_errors_missed"`
	USCC   []struct{ USCC, Result string }
	Luhn   []struct {
		Card string
		OK   bool
	}
	Masks []struct{ Kind, In, Out string }
}

// resultName is the vectors' name for a fault.
func resultName(f NumberFault) string {
	if f == NumberOK {
		return "OK"
	}
	return string(f)
}

func TestIdentityNumberVectors(t *testing.T) {
	for _, v := range readShared[identityVectors](t, "vectors", "identity.json").IDNumber {
		n, fault := ParseIdentityNumber(v.ID, v.Today)
		same(t, v.ID+" ("+v.Note+")", resultName(fault), v.Result)
		if fault != NumberOK {
			continue
		}
		same(t, v.ID, string(n), v.Normalized)
		same(t, v.ID, n.Birth(), v.Birth)
		same(t, v.ID, string(n.Sex()), v.Sex)
		same(t, v.ID, n.Age(v.Today), v.Age)
	}
}

func TestFaultsAreFoundInTheStatedOrder(t *testing.T) {
	for _, c := range []struct {
		name, number string
		want         NumberFault
	}{
		{"length before everything", "00x", FaultLength},
		{"a letter in the body before a province that does not exist", "0001131985061500A1", FaultCharset},
		{"X anywhere but last", "22011319850615X001", FaultCharset},
		{"a full-width digit in the body", "2201１3198506150001", FaultCharset},
		{"a foreign last character", "22011319850615000A", FaultCheckDigit},
		{"the province before the birth date", "000113198513320000", FaultRegion},
		{"the birth date before the check digit", "220113198513320000", FaultBirthDate},
	} {
		_, got := ParseIdentityNumber(c.number, 20261122)
		same(t, c.name, got, c.want)
	}
}

func TestTheCheckDigitCatchesEverySingleWrongDigit(t *testing.T) {
	const sample = "11010519491231002X"
	missed := 0
	for place := range 17 {
		for digit := byte('0'); digit <= '9'; digit++ {
			if sample[place] == digit {
				continue
			}
			wrong := sample[:place] + string(digit) + sample[place+1:]
			if identityCheckDigit(wrong[:17]) == sample[17] {
				missed++
			}
		}
	}
	same(t, "missed", missed, readShared[identityVectors](t, "vectors", "identity.json").Missed)
}

func TestTheRegionIsTheFirstSixDigits(t *testing.T) {
	n, fault := ParseIdentityNumber("220113198506150001", 20261122)
	same(t, "fault", fault, NumberOK)
	same(t, "region", n.Region(), uint32(220113))
}

func TestUSCCVectors(t *testing.T) {
	for _, v := range readShared[identityVectors](t, "vectors", "identity.json").USCC {
		same(t, v.USCC, resultName(CheckUSCC(v.USCC)), v.Result)
	}
}

func TestLuhnVectors(t *testing.T) {
	for _, v := range readShared[identityVectors](t, "vectors", "identity.json").Luhn {
		same(t, v.Card, IsCardNumber(v.Card), v.OK)
	}
}

func TestMaskVectors(t *testing.T) {
	masks := map[string]func(string) string{
		"name": MaskName, "id_no": MaskIdentity, "phone": MaskMobile, "card": MaskCard, "email": MaskEmail,
	}
	for _, v := range readShared[identityVectors](t, "vectors", "identity.json").Masks {
		same(t, v.Kind+" "+v.In, masks[v.Kind](v.In), v.Out)
	}
}

func TestAMaskNeverShowsTextTooShortForIt(t *testing.T) {
	for _, mask := range []func(string) string{MaskName, MaskIdentity, MaskMobile, MaskCard, MaskEmail} {
		for _, s := range []string{"", "7", "12", "1234567", "1234567890"} {
			if got := mask(s); s != "" && !strings.Contains(got, "*") {
				t.Errorf("%q is shown as %q", s, got)
			}
		}
	}
}

func TestAccountNumberVectors(t *testing.T) {
	vectors := readShared[struct {
		Accounts []struct {
			Class  uint8
			Seq    uint64
			Number string `json:"account_no"`
		} `json:"e_account_no"`
	}](t, "vectors", "identity.json")
	for _, v := range vectors.Accounts {
		// The serial's last digit counts the customer's accounts; the digits before it are his number.
		no := NewAccountNo(Class(v.Class), CustomerNo(v.Seq/10), uint8(v.Seq%10))
		same(t, "number", no.String(), v.Number)
	}
}
