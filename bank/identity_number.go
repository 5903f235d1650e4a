package bank

import (
	"strings"
	"unicode/utf8"
)

// IdentityNumber is a resident identity number (公民身份号码, GB 11643-1999) that passed every check,
// upper-case X.
type IdentityNumber string

// NumberFault says why a number was refused; empty for none.
type NumberFault string

// The faults, in the order they are looked for (SPEC 2.1).
const (
	NumberOK        NumberFault = ""
	FaultLength     NumberFault = "LENGTH"
	FaultCharset    NumberFault = "CHARSET"
	FaultRegion     NumberFault = "REGION"
	FaultBirthDate  NumberFault = "BIRTHDATE"
	FaultCheckDigit NumberFault = "CHECK_DIGIT"
)

const (
	identityLength = 18
	digits         = "0123456789"
)

// ParseIdentityNumber reads an identity number as of a day: birth must not lie after it. First-generation
// numbers of 15 digits are refused by length, full-width digits by character set. The last character is
// compared with the one the other seventeen demand, so anything else there is a wrong check digit.
func ParseIdentityNumber(s string, today Date) (IdentityNumber, NumberFault) {
	if utf8.RuneCountInString(s) != identityLength {
		return "", FaultLength
	}
	if strings.Trim(s[:17], digits) != "" {
		return "", FaultCharset
	}
	n := IdentityNumber(strings.ToUpper(s))
	if !isProvince(n[:2]) {
		return "", FaultRegion
	}
	if birth, err := parseDigits(string(n[6:14])); err != nil || birth > today {
		return "", FaultBirthDate
	}
	if string(n[17:]) != string(identityCheckDigit(string(n[:17]))) {
		return "", FaultCheckDigit
	}
	return n, NumberOK
}

// Region is the six-digit administrative division (行政区划).
func (n IdentityNumber) Region() uint32 {
	var region uint32
	for i := range 6 {
		region = region*10 + uint32(n[i]-'0')
	}
	return region
}

// Birth is the date of birth.
func (n IdentityNumber) Birth() Date {
	birth, err := parseDigits(string(n[6:14]))
	if err != nil {
		panic("bank: an identity number that was not parsed")
	}
	return birth
}

// Sex by the last digit of the sequence: odd is male.
func (n IdentityNumber) Sex() Sex {
	if (n[16]-'0')%2 == 1 {
		return Male
	}
	return Female
}

// Age on a day, the accounting date.
func (n IdentityNumber) Age(on Date) int { return Age(n.Birth(), on) }

// Sex of a person.
type Sex byte

// The sexes the standard knows.
const (
	Male   Sex = 'M'
	Female Sex = 'F'
)

// isProvince knows the first two digits of GB/T 2260: the provinces, 71 Taiwan, 81 Hong Kong, 82 Macao,
// and 83, used for residents from Taiwan.
func isProvince[T ~string](code T) bool {
	switch code {
	case "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37",
		"41", "42", "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65",
		"71", "81", "82", "83":
		return true
	}
	return false
}

// identityCheckDigit is ISO 7064 MOD 11-2 over 17 digits.
func identityCheckDigit(body string) byte {
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(body[i]-'0') * w
	}
	return "10X98765432"[sum%11]
}

// CheckUSCC checks a unified social credit code (统一社会信用代码, GB 32100-2015) of a business borrower.
func CheckUSCC(s string) NumberFault {
	const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY" // no I O Z S V
	if utf8.RuneCountInString(s) != 18 {
		return FaultLength
	}
	sum, weight := 0, 1
	for i := range s {
		value := strings.IndexByte(alphabet, s[i])
		if value < 0 {
			return FaultCharset
		}
		if i < 17 {
			sum += value * weight
			weight = weight * 3 % 31
		}
	}
	if alphabet[(31-sum%31)%31] != s[17] {
		return FaultCheckDigit
	}
	return NumberOK
}

// IsCardNumber reports whether s has the length of a card number (ISO/IEC 7812-1) and a right check digit.
func IsCardNumber(s string) bool { return len(s) >= 8 && len(s) <= 19 && luhnValid(s) }

// The masks (脱敏) are what may be shown or logged (SPEC 7.6, JR/T 0171 annex A). Text too short for its
// mask is hidden whole.

// MaskName keeps the last two characters at most, and always hides one.
func MaskName(name string) string {
	n := utf8.RuneCountInString(name)
	return maskRunes(name, 0, max(0, min(2, n-1)))
}

// MaskIdentity keeps the first and the last character.
func MaskIdentity(number string) string { return maskRunes(number, 1, 1) }

// MaskMobile keeps three and four digits.
func MaskMobile(number string) string { return maskRunes(number, 3, 4) }

// MaskCard keeps the issuer's six digits and the last four.
func MaskCard(number string) string { return maskRunes(number, 6, 4) }

// MaskEmail keeps the first letter and the domain.
func MaskEmail(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 1 {
		return strings.Repeat("*", utf8.RuneCountInString(address))
	}
	_, first := utf8.DecodeRuneInString(address)
	return address[:first] + "***" + address[at:]
}

func maskRunes(s string, head, tail int) string {
	runes := []rune(s)
	if len(runes) <= head+tail {
		head, tail = 0, 0
	}
	for i := head; i < len(runes)-tail; i++ {
		runes[i] = '*'
	}
	return string(runes)
}
