package embedded

import (
	"sync"

	"github.com/suanpan-bank/suanpan/journal"
)

// tail keeps what was flushed last in memory: direct writes leave nothing in the page cache, and whoever
// follows the journal reads just this.
type tail struct {
	mu    sync.RWMutex
	kept  []flushed
	bytes int // of memory
}

// tailBytesMax bounds the memory of the tail.
const tailBytesMax = 8 << 20

type flushed struct {
	segment journal.Position
	offset  int64
	bytes   []byte // with its padding
}

// push keeps the flushed bytes, and appends memory that is no longer needed to spares, as far as it is worth keeping.
func (t *tail) push(f flushed, spares [][]byte) [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, f)
	t.bytes += cap(f.bytes)
	n := 0
	for ; t.bytes > tailBytesMax; n++ {
		free := t.kept[n].bytes
		t.bytes -= cap(free)
		if cap(free) <= batchKeep && len(spares) < sparesMax {
			spares = append(spares, free)
		}
	}
	if n > 0 {
		rest := copy(t.kept, t.kept[n:])
		clear(t.kept[rest:])
		t.kept = t.kept[:rest]
	}
	return spares
}

// read copies len(b) bytes of the segment's file if they are all kept.
func (t *tail) read(segment journal.Position, b []byte, offset int64) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for i := range t.kept {
		f := &t.kept[i]
		if f.segment != segment || offset >= f.offset+int64(len(f.bytes)) {
			continue
		}
		if offset < f.offset {
			return false
		}
		n := copy(b, f.bytes[offset-f.offset:])
		b, offset = b[n:], offset+int64(n)
		if len(b) == 0 {
			return true
		}
	}
	return false
}
