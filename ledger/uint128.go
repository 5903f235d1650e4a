package ledger

import (
	"encoding/hex"
	"errors"
	"math/big"
	"math/bits"
)

// Uint128 holds identifiers, amounts and user data. Bytes are little-endian, as on TigerBeetle's wire.
type Uint128 struct{ Lo, Hi uint64 }

// AmountMax stands for "all of it" in posts and balancing transfers; as an id it is refused.
var AmountMax = Uint128{^uint64(0), ^uint64(0)}

// U64 widens v.
func U64(v uint64) Uint128 { return Uint128{Lo: v} }

// IsZero reports whether u is zero.
func (u Uint128) IsZero() bool { return u.Lo|u.Hi == 0 }

// Less reports u < v.
func (u Uint128) Less(v Uint128) bool { return u.Hi < v.Hi || u.Hi == v.Hi && u.Lo < v.Lo }

// Add returns u+v and whether it overflowed.
func (u Uint128) Add(v Uint128) (Uint128, bool) {
	lo, c := bits.Add64(u.Lo, v.Lo, 0)
	hi, c := bits.Add64(u.Hi, v.Hi, c)
	return Uint128{lo, hi}, c != 0
}

// Sub returns u−v and whether it went below zero.
func (u Uint128) Sub(v Uint128) (Uint128, bool) {
	lo, b := bits.Sub64(u.Lo, v.Lo, 0)
	hi, b := bits.Sub64(u.Hi, v.Hi, b)
	return Uint128{lo, hi}, b != 0
}

// SubSat returns u−v, or zero when v is larger.
func (u Uint128) SubSat(v Uint128) Uint128 {
	d, below := u.Sub(v)
	if below {
		return Uint128{}
	}
	return d
}

// Int64 returns u and whether it fits.
func (u Uint128) Int64() (int64, bool) {
	return int64(u.Lo), u.Hi == 0 && u.Lo <= 1<<63-1
}

// Big returns u as a big integer.
func (u Uint128) Big() *big.Int {
	b := new(big.Int).SetUint64(u.Hi)
	return b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(u.Lo))
}

// String is lower-case hexadecimal without leading zeros, as TigerBeetle prints ids.
func (u Uint128) String() string { return u.Big().Text(16) }

// MarshalText writes 32 hexadecimal digits.
func (u Uint128) MarshalText() ([]byte, error) {
	var b [16]byte
	for i := range 8 {
		b[i] = byte(u.Hi >> (56 - 8*i))
		b[8+i] = byte(u.Lo >> (56 - 8*i))
	}
	return hex.AppendEncode(nil, b[:]), nil
}

// UnmarshalText reads the form of MarshalText.
func (u *Uint128) UnmarshalText(text []byte) error {
	var b [16]byte
	if len(text) != 2*len(b) {
		return errBadText
	}
	if _, err := hex.Decode(b[:], text); err != nil {
		return errBadText
	}
	*u = Uint128{}
	for i := range 8 {
		u.Hi = u.Hi<<8 | uint64(b[i])
		u.Lo = u.Lo<<8 | uint64(b[8+i])
	}
	return nil
}

var errBadText = errors.New("ledger: an id has 32 hexadecimal digits")
