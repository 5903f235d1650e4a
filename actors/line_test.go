package actors

import (
	"testing"
	"unsafe"
)

// lineSize is how much memory a processor reads at once.
const lineSize = 64

// Shards with lines of memory in common would have them taken from each other by two processors, and what is looked for in one would
// be in one line more.
func TestWhatEveryCommandReadsIsInFewLines(t *testing.T) {
	var n Node
	var s shardState
	if unsafe.Sizeof(s)%lineSize != 0 || unsafe.Offsetof(n.shards)%lineSize != 0 || unsafe.Offsetof(s.pid)+8 > lineSize {
		t.Errorf("a shard has %d bytes, its actor at %d; the first is at %d", unsafe.Sizeof(s), unsafe.Offsetof(s.pid), unsafe.Offsetof(n.shards))
	}
	var m shardMailbox
	if unsafe.Offsetof(m.due) >= lineSize {
		t.Error("what is sent is put into two lines of a mailbox")
	}
}
