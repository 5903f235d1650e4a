package bank

import (
	"math"
	"math/big"
	"math/bits"
)

// Rounding is half-up to the fen, away from zero (四舍五入到分), and only at the points SPEC names
// (0.3). Everything before that point is a fraction of integers: multiply first, divide last.

// HalfUp is num/den rounded half-up away from zero; den must be positive.
func HalfUp(num, den *big.Int) *big.Int {
	if den.Sign() <= 0 {
		panic("bank: HalfUp of a denominator that is not positive")
	}
	twice := new(big.Int).Lsh(new(big.Int).Abs(num), 1)
	twice.Add(twice, den)
	q := twice.Quo(twice, new(big.Int).Lsh(den, 1))
	if num.Sign() < 0 {
		q.Neg(q)
	}
	return q
}

// HalfUp64 is num/den rounded half-up away from zero; den must be positive.
func HalfUp64(num, den int64) int64 { return HalfUpProduct(num, 1, 1, den) }

// HalfUpProduct is a·b·c/den rounded half-up away from zero, exact: the product is kept in 128 bits. den
// must be positive. A result beyond int64 fen is a broken invariant, as limits on amounts, rates and
// terms keep the bank far below it.
func HalfUpProduct(a, b, c, den int64) int64 {
	if den <= 0 {
		panic("bank: HalfUpProduct of a denominator that is not positive")
	}
	q, ok := halfUp128(magnitude(a), magnitude(b), magnitude(c), uint64(den))
	if !ok || q > math.MaxInt64 {
		panic("bank: an amount beyond int64 fen")
	}
	if (a < 0) != (b < 0) != (c < 0) {
		return -int64(q)
	}
	return int64(q)
}

// halfUp128 is a·b·c/den; false when the quotient does not fit in 64 bits. A product that does not fit
// in 128 has none that does, since den is below 2^63.
func halfUp128(a, b, c, den uint64) (uint64, bool) {
	hi, lo := bits.Mul64(a, b)
	over, hi := bits.Mul64(hi, c)
	carry, lo := bits.Mul64(lo, c)
	hi, wrapped := bits.Add64(hi, carry, 0)
	if over != 0 || wrapped != 0 || hi >= den {
		return 0, false
	}
	q, rem := bits.Div64(hi, lo, den)
	if rem >= den-rem { // twice rem reaches den
		return q + 1, q+1 != 0
	}
	return q, true
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// fen narrows an exact result; amounts of the bank fit in int64.
func fen(n *big.Int) int64 {
	if !n.IsInt64() {
		panic("bank: an amount beyond int64 fen")
	}
	return n.Int64()
}
