package hugepages

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"
)

func TestOnlyWritableMemoryWithoutAFileIsHeap(t *testing.T) {
	for line, want := range map[string]bool{
		"1066d9400000-1066edc00000 rw-p 00000000 00:00 0 \n":                    true,
		"1066d9400000-1066edc00000 rw-p 00000000 00:00 0    [anon: Go: heap]\n": true,
		"1066d9400000-1066edc00000 ---p 00000000 00:00 0 \n":                    false,
		"1066d9400000-1066edc00000 rw-p 00000000 fe:00 1234 /data/report.db\n":  false,
		"7ffd9e1f5000-7ffd9e217000 rw-p 00000000 00:00 0    [stack]\n":          false,
		"1066edc00000-1066d9400000 rw-p 00000000 00:00 0 \n":                    false,
		"rw-p\n": false,
		"":       false,
	} {
		if _, ok := parse([]byte(line)); ok != want {
			t.Errorf("%q is heap: %t", line, ok)
		}
	}
}

// With pages of 4 KiB a transfer takes an eighth more.
func TestWhatIsAllocatedLiesInHugePages(t *testing.T) {
	if modes, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled"); err != nil || bytes.Contains(modes, []byte("[never]")) {
		t.Skip("the system has no huge pages")
	}
	const size = 64 << 20
	held := bytes.Repeat([]byte{1}, size)
	at := uintptr(unsafe.Pointer(unsafe.SliceData(held)))
	found := false
	for _, m := range heap() {
		found = found || m.from <= at && at+size <= m.to
	}
	if !found {
		t.Fatalf("the heap at %x was not found", at)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- Keep(ctx) }()
	for deadline := time.Now().Add(30 * time.Second); !huge(t, at+size/2); {
		if time.Now().After(deadline) {
			t.Fatal("it does not lie in huge pages")
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if held[size-1] != 1 {
		t.Fatal("memory was lost")
	}
}

// Otherwise a bank that fills up copies its memory a second time, and its customers wait for that.
func TestPreparedMemoryIsHugeWhenItIsFirstWritten(t *testing.T) {
	if modes, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled"); err != nil || bytes.Contains(modes, []byte("[never]")) {
		t.Skip("the system has no huge pages")
	}
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	Prepare(256 << 20)
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if taken := after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc); taken > 32<<20 {
		t.Fatalf("%d bytes stay taken", taken)
	}
	if after.HeapSys-before.HeapSys < 128<<20 {
		t.Fatalf("the heap has %d bytes more", after.HeapSys-before.HeapSys)
	}
	held := bytes.Repeat([]byte{1}, 64<<20)
	if !huge(t, uintptr(unsafe.Pointer(&held[len(held)/2]))) {
		t.Fatal("it does not lie in huge pages")
	}
	runtime.KeepAlive(held)
}

// huge reports whether the mapping with the address has huge pages.
func huge(t *testing.T, at uintptr) bool {
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	in := false
	for line := range strings.Lines(string(text)) {
		if strings.Contains(strings.SplitN(line, " ", 2)[0], "-") {
			m, ok := parse([]byte(line))
			in = ok && m.from <= at && at < m.to
		}
		if fields := strings.Fields(line); in && fields[0] == "AnonHugePages:" {
			return fields[1] != "0"
		}
	}
	return false
}
