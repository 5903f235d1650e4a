package bank

import (
	"encoding/json"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestRoundingVectors(t *testing.T) {
	rules := readShared[struct {
		Calendar struct {
			Rounding []struct{ Num, Den, Expect json.Number }
		}
	}](t, "vectors", "rules.json")
	for _, v := range rules.Calendar.Rounding {
		num, _ := new(big.Int).SetString(v.Num.String(), 10)
		den, _ := new(big.Int).SetString(v.Den.String(), 10)
		same(t, v.Num.String()+"/"+v.Den.String(), HalfUp(num, den).String(), v.Expect.String())
		if num.IsInt64() && den.IsInt64() {
			want, _ := v.Expect.Int64()
			same(t, "fast "+v.Num.String(), HalfUp64(num.Int64(), den.Int64()), want)
		}
	}
}

// A difference of the two ways by one fen would pay different interest to different customers.
func TestTheFastRoundingIsTheExactOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Int64Range(-1e15, 1e15).Draw(t, "a")
		b := rapid.Int64Range(-1e6, 1e6).Draw(t, "b")
		c := rapid.Int64Range(-1e5, 1e5).Draw(t, "c")
		den := rapid.Int64Range(1, 4e10).Draw(t, "den")
		num := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
		want := HalfUp(num.Mul(num, big.NewInt(c)), big.NewInt(den))
		if !want.IsInt64() {
			t.Skip("beyond the bank's amounts")
		}
		if got := HalfUpProduct(a, b, c, den); got != want.Int64() {
			t.Fatalf("%d·%d·%d/%d: got %d, want %s", a, b, c, den, got, want)
		}
	})
}

func TestRoundingIsExactAtTiesAndAtTheEdgesOfTheMachineWord(t *testing.T) {
	const most = 1<<63 - 1
	for _, c := range []struct {
		name         string
		a, b, c, den int64
		want         int64
	}{
		{"half a fen rounds up", 1, 1, 1, 2, 1},
		{"half a fen below zero rounds away from zero", -1, 1, 1, 2, -1},
		{"less than half rounds down", 499, 1, 1, 1000, 0},
		{"the case a float gets wrong: 3,618,700.00 at 4.35% for 276 days", 361870000, 43500, 276, dayRateUnits, 12068365},
		{"the largest amount passes through", most, 1, 1, 1, most},
		{"a denominator of the largest size", most, most, 1, most, most},
		{"a zero stays zero whatever the signs", 0, -1, 1, 3, 0},
	} {
		same(t, c.name, HalfUpProduct(c.a, c.b, c.c, c.den), c.want)
	}
}

func TestAnAmountBeyondInt64StopsInsteadOfWrapping(t *testing.T) {
	const most = 1<<63 - 1
	for _, f := range []func(){
		func() { HalfUpProduct(most, 2, 1, 1) },
		func() { HalfUpProduct(most, most, most, most) },
		func() { HalfUpProduct(most, most, 4, most) },
		func() { HalfUpProduct(1, 1, 1, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		}()
	}
}
