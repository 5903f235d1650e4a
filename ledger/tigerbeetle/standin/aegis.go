package standin

import (
	"encoding/binary"
	"math/bits"

	"github.com/suanpan-bank/suanpan/ledger"
)

// checksum computes what the protocol puts before every header and body: the 128-bit tag of
// AEGIS-128L (draft-irtf-cfrg-aegis-aead) with key and nonce zero, the message as associated data
// and nothing to encrypt. It runs on tables of the AES round, so on any machine, at about the
// speed a loopback test needs.
type checksum struct {
	substitute [256]byte      // the AES S-box
	round      [4][256]uint32 // SubBytes and MixColumns of a byte in each of the four rows
	start      aegisState     // after initialisation with key and nonce zero
}

// block is an AES state: four columns, the first row in the low byte. A struct, because the
// compiler keeps its fields in registers, which it doesn't do for an array.
type block struct{ c0, c1, c2, c3 uint32 }

type aegisState [8]block

const (
	aegisRate        = 32 // bytes absorbed by one update
	aegisInitRounds  = 10
	aegisFinalRounds = 7
)

func newChecksum() *checksum {
	c := new(checksum)
	c.fillTables()
	// The Fibonacci numbers modulo 256.
	fibonacci := [2]block{
		blockOf([]byte{0x00, 0x01, 0x01, 0x02, 0x03, 0x05, 0x08, 0x0d, 0x15, 0x22, 0x37, 0x59, 0x90, 0xe9, 0x79, 0x62}),
		blockOf([]byte{0xdb, 0x3d, 0x18, 0x55, 0x6d, 0xc2, 0x2f, 0xf1, 0x20, 0x11, 0x31, 0x42, 0x73, 0xb5, 0x28, 0xdd}),
	}
	c.start = aegisState{1: fibonacci[1], 2: fibonacci[0], 3: fibonacci[1], 5: fibonacci[0], 6: fibonacci[1], 7: fibonacci[0]}
	for range aegisInitRounds {
		c.update(&c.start, block{}, block{})
	}
	return c
}

// fillTables derives the S-box from its definition (FIPS 197, 5.1.1): the inverse in GF(2^8),
// then an affine map. p runs through the field by powers of 3, q through the inverses.
func (c *checksum) fillTables() {
	double := func(v byte) byte { return v<<1 ^ v>>7*0x1b }
	for p, q := byte(1), byte(1); ; {
		p ^= double(p)
		q ^= q << 1
		q ^= q << 2
		q ^= q << 4
		q ^= q >> 7 * 0x09
		c.substitute[p] = 0x63 ^ q ^ bits.RotateLeft8(q, 1) ^ bits.RotateLeft8(q, 2) ^ bits.RotateLeft8(q, 3) ^ bits.RotateLeft8(q, 4)
		if p == 1 {
			break
		}
	}
	c.substitute[0] = 0x63
	for i, s := range c.substitute {
		twice := double(s)
		column := uint32(twice) | uint32(s)<<8 | uint32(s)<<16 | uint32(twice^s)<<24
		for row := range c.round {
			c.round[row][i] = bits.RotateLeft32(column, 8*row)
		}
	}
}

// of returns the checksum of message.
func (c *checksum) of(message []byte) ledger.Uint128 {
	s := c.start
	rest := message
	for ; len(rest) >= aegisRate; rest = rest[aegisRate:] {
		c.update(&s, blockOf(rest), blockOf(rest[16:]))
	}
	if len(rest) > 0 {
		var last [aegisRate]byte
		copy(last[:], rest)
		c.update(&s, blockOf(last[:]), blockOf(last[16:]))
	}
	length := s[2]
	length.c0 ^= uint32(8 * uint64(len(message)))
	length.c1 ^= uint32(8 * uint64(len(message)) >> 32)
	for range aegisFinalRounds {
		c.update(&s, length, length)
	}
	var tag block
	for _, b := range s[:7] {
		tag = tag.xor(b)
	}
	return ledger.Uint128{Lo: uint64(tag.c0) | uint64(tag.c1)<<32, Hi: uint64(tag.c2) | uint64(tag.c3)<<32}
}

// update absorbs two blocks.
func (c *checksum) update(s *aegisState, first, second block) {
	last := s[7]
	s[7] = c.aesRound(s[6], s[7])
	s[6] = c.aesRound(s[5], s[6])
	s[5] = c.aesRound(s[4], s[5])
	s[4] = c.aesRound(s[3], s[4].xor(second))
	s[3] = c.aesRound(s[2], s[3])
	s[2] = c.aesRound(s[1], s[2])
	s[1] = c.aesRound(s[0], s[1])
	s[0] = c.aesRound(last, s[0].xor(first))
}

// aesRound is one round of AES: SubBytes, ShiftRows, MixColumns, AddRoundKey.
func (c *checksum) aesRound(in, key block) block {
	t := &c.round
	return block{
		t[0][byte(in.c0)] ^ t[1][byte(in.c1>>8)] ^ t[2][byte(in.c2>>16)] ^ t[3][in.c3>>24] ^ key.c0,
		t[0][byte(in.c1)] ^ t[1][byte(in.c2>>8)] ^ t[2][byte(in.c3>>16)] ^ t[3][in.c0>>24] ^ key.c1,
		t[0][byte(in.c2)] ^ t[1][byte(in.c3>>8)] ^ t[2][byte(in.c0>>16)] ^ t[3][in.c1>>24] ^ key.c2,
		t[0][byte(in.c3)] ^ t[1][byte(in.c0>>8)] ^ t[2][byte(in.c1>>16)] ^ t[3][in.c2>>24] ^ key.c3,
	}
}

func blockOf(b []byte) block {
	return block{
		binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]),
		binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:]),
	}
}

func (b block) xor(with block) block {
	return block{b.c0 ^ with.c0, b.c1 ^ with.c1, b.c2 ^ with.c2, b.c3 ^ with.c3}
}
