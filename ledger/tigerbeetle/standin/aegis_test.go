package standin

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"
)

func TestTheChecksumMatchesTheProtocolsVectors(t *testing.T) {
	c := newChecksum()
	for _, vector := range []struct {
		message []byte
		tag     string
	}{
		{nil, "83cc600dc4e3e7e62d4055826174f149"},
		{make([]byte, 16), "f72ad48dd05dd1656133101cd4be3a26"},
	} {
		var tag [16]byte
		putUint128(tag[:], c.of(vector.message))
		if got := hex.EncodeToString(tag[:]); got != vector.tag {
			t.Errorf("%d bytes: %s, want %s", len(vector.message), got, vector.tag)
		}
	}
}

// TestTheRoundIsTheOneOfAES encrypts with our tables and compares with the standard library. That
// the rounds are put together as AEGIS says is shown by the vectors above and by every message of
// a real client, captured or live.
func TestTheRoundIsTheOneOfAES(t *testing.T) {
	c := newChecksum()
	for seed := range byte(50) {
		var key, plain [aes.BlockSize]byte
		for i := range key {
			key[i], plain[i] = seed*7+byte(i)*31, seed*13^byte(i)*101
		}
		standard, err := aes.NewCipher(key[:])
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, aes.BlockSize)
		standard.Encrypt(want, plain[:])
		if got := c.encryptAES128(key, plain); !bytes.Equal(got, want) {
			t.Fatalf("key %x, plain %x: %x, want %x", key, plain, got, want)
		}
	}
}

// encryptAES128 is FIPS 197 over aesRound and substitute.
func (c *checksum) encryptAES128(key, plain [aes.BlockSize]byte) []byte {
	const rounds = 10
	words := make([][4]byte, 4*(rounds+1))
	for i := range 4 {
		copy(words[i][:], key[4*i:])
	}
	constant := byte(1)
	for i := 4; i < len(words); i++ {
		w := words[i-1]
		if i%4 == 0 {
			w = [4]byte{c.substitute[w[1]] ^ constant, c.substitute[w[2]], c.substitute[w[3]], c.substitute[w[0]]}
			constant = constant<<1 ^ constant>>7*0x1b
		}
		for j := range w {
			words[i][j] = words[i-4][j] ^ w[j]
		}
	}
	roundKey := func(round int) block {
		w := words[4*round:]
		return blockOf(slices.Concat(w[0][:], w[1][:], w[2][:], w[3][:]))
	}
	state := blockOf(plain[:]).xor(roundKey(0))
	for round := 1; round < rounds; round++ {
		state = c.aesRound(state, roundKey(round))
	}
	// The last round leaves MixColumns out.
	var before, last [aes.BlockSize]byte
	for i, column := range []uint32{state.c0, state.c1, state.c2, state.c3} {
		binary.LittleEndian.PutUint32(before[4*i:], column)
	}
	for i := range last {
		last[i] = c.substitute[before[(i+4*(i%4))%aes.BlockSize]]
	}
	lastKey := words[4*rounds:]
	for i := range last {
		last[i] ^= lastKey[i/4][i%4]
	}
	return last[:]
}
