package standin

import "testing"

// BenchmarkChecksum is what bounds a test that moves full requests.
func BenchmarkChecksum(b *testing.B) {
	c := newChecksum()
	message := make([]byte, messageSizeMax)
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		c.of(message)
	}
}
