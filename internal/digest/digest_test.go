package digest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"
)

// A digest that is not SHA-256 would not find the keys that are stored.
func TestHalvesAreThoseOfSHA256(t *testing.T) {
	if !together {
		t.Log("this processor takes one at a time")
	}
	rng := rand.NewChaCha8([32]byte{1})
	texts := make([]byte, 2*(blockTextMax+20))
	for a := range blockTextMax + 20 {
		for b := range blockTextMax + 20 {
			rng.Read(texts)
			first, second := texts[:a], texts[len(texts)-b:]
			x, y := Halves(first, second)
			for _, c := range []struct {
				half Half
				text []byte
			}{{x, first}, {y, second}} {
				if want := sha256.Sum256(c.text); !bytes.Equal(c.half[:], want[:16]) {
					t.Fatalf("%x of %x (lengths %d and %d) is not %x", c.half, c.text, a, b, want[:16])
				}
			}
		}
	}
}

func BenchmarkHalves(b *testing.B) {
	for _, size := range []int{40, 60} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			key, body := make([]byte, 27), make([]byte, size)
			for i := range b.N {
				key[0], body[0] = byte(i), byte(i>>8)
				Halves(key, body)
			}
		})
	}
}
