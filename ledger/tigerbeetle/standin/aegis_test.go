package standin

import (
	"encoding/hex"
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
