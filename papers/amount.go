package papers

import (
	"fmt"
	"strconv"
	"strings"
)

// Yuan writes fen as yuan with two decimals and commas: 1,234,567.89.
func Yuan(fen int64) string {
	plain := PlainYuan(fen)
	sign := ""
	if plain[0] == '-' {
		sign, plain = "-", plain[1:]
	}
	whole, cents := plain[:len(plain)-3], plain[len(plain)-3:]
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole + cents
}

// PlainYuan writes fen as yuan with two decimals, as spreadsheets read them: 1234567.89.
func PlainYuan(fen int64) string {
	u := uint64(fen)
	sign := ""
	if fen < 0 {
		sign, u = "-", -u
	}
	return fmt.Sprintf("%s%d.%02d", sign, u/100, u%100)
}

// Rate writes an annual rate in millionths as a percentage: 13500 is 1.35%.
func Rate(e6 int64) string {
	s := strings.TrimRight(fmt.Sprintf("%d.%04d", e6/10000, e6%10000), "0")
	if dot := strings.IndexByte(s, '.'); len(s)-dot < 3 {
		s += strings.Repeat("0", 3-(len(s)-dot))
	}
	return s + "%"
}

// Capital (中文大写) writes a positive amount in the numerals of the rules for filling in payment instruments
// (支付结算办法, annex 1: 正确填写票据和结算凭证的基本规定): 人民币壹佰零贰元零伍分.
func Capital(fen int64) string {
	const numerals = "零壹贰叁肆伍陆柒捌玖"
	digit := func(d byte) string { return string([]rune(numerals)[d-'0']) }
	var b strings.Builder
	b.WriteString("人民币")
	yuan, jiao, cent := fen/100, byte('0'+fen/10%10), byte('0'+fen%10)
	if yuan > 0 {
		s := strconv.FormatInt(yuan, 10)
		zero, group := false, false // a zero is due; the group of four has a digit
		for i := range len(s) {
			place := len(s) - 1 - i
			if s[i] == '0' {
				zero = true
			} else {
				if zero {
					b.WriteString("零")
				}
				zero, group = false, true
				b.WriteString(digit(s[i]))
				b.WriteString([]string{"", "拾", "佰", "仟"}[place%4])
			}
			if place%4 == 0 {
				if group {
					b.WriteString([]string{"", "万", "亿", "万亿"}[place/4])
				}
				group = false
			}
		}
		b.WriteString("元")
	}
	if jiao == '0' && cent == '0' {
		if yuan == 0 {
			b.WriteString("零元")
		}
		return b.String() + "整"
	}
	switch {
	case jiao != '0':
		b.WriteString(digit(jiao) + "角")
	case yuan > 0:
		b.WriteString("零")
	}
	if cent != '0' {
		b.WriteString(digit(cent) + "分")
	}
	return b.String()
}
