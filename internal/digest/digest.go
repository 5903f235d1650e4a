// Package digest takes halves of SHA-256 of short texts, two at a time. Each command brings two: of its key, and of what it asks.
package digest

import "crypto/sha256"

// Half is the first half of a SHA-256.
type Half [16]byte

// blockTextMax is how long a text is of which one block is made.
const blockTextMax = 55

// Halves are the halves of the SHA-256 of two texts.
func Halves(a, b []byte) (Half, Half) {
	if !together || len(a) > blockTextMax || len(b) > blockTextMax {
		return one(a), one(b)
	}
	var blocks [2][64]byte
	fill(&blocks[0], a)
	fill(&blocks[1], b)
	var out [2]Half
	pair(&blocks, &out)
	return out[0], out[1]
}

// fill makes the only block of a text (FIPS 180-4, 5.1.1).
func fill(block *[64]byte, text []byte) {
	n := copy(block[:blockTextMax], text)
	block[n] = 0x80
	block[62], block[63] = byte(n>>5), byte(n<<3)
}

func one(text []byte) (h Half) {
	sum := sha256.Sum256(text)
	copy(h[:], sum[:])
	return h
}
