package hugepages

import (
	"bytes"
	"context"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
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
	needsHugePages(t)
	const size = 64 << 20
	held := bytes.Repeat([]byte{1}, size)
	at := uintptr(unsafe.Pointer(unsafe.SliceData(held)))
	found := false
	for _, m := range heap() {
		found = found || m.from <= at && at < m.to // what was prepared may begin in the midst
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
	needsHugePages(t)
	for range 2 { // and again, of memory that has been used
		debug.FreeOSMemory() // else what is written may be there already
		before := memory(t, "AnonHugePages:")
		Prepare(256 << 20)
		if got := memory(t, "AnonHugePages:") - before; got > 64<<20 {
			t.Fatalf("%d bytes are taken before anything is written", got)
		}
		held := bytes.Repeat([]byte{1}, 192<<20)
		if got := memory(t, "AnonHugePages:") - before; got < 96<<20 {
			t.Fatalf("of %d bytes %d lie in huge pages", len(held), got)
		}
		runtime.KeepAlive(held)
	}
}

// What is prepared counts as memory there, of which there may not be so much.
func TestNothingIsPreparedWhereAddressesAreLimited(t *testing.T) {
	var mine unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &mine); err != nil {
		t.Fatal(err)
	}
	limit := func(cur uint64) error { return unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: cur, Max: mine.Max}) }
	for name, limited := range map[string]func() (end func()){
		"GOMEMLIMIT": func() func() {
			debug.SetMemoryLimit(1 << 50)
			return func() { debug.SetMemoryLimit(math.MaxInt64) }
		},
		"ulimit": func() func() {
			if err := limit(1 << 46); err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := limit(mine.Cur); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer limited()()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			Prepare(4 << 30)
			if runtime.ReadMemStats(&after); after.HeapSys > before.HeapSys+1<<30 {
				t.Fatalf("the heap has %d bytes more", after.HeapSys-before.HeapSys)
			}
		})
	}
}

func needsHugePages(t *testing.T) {
	t.Helper()
	if modes, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled"); err != nil || bytes.Contains(modes, []byte("[never]")) {
		t.Skip("the system has no huge pages")
	}
}

// memory is a line of the sums of all mappings, in bytes.
func memory(t *testing.T, name string) (bytes int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[0] == name {
			kilobytes, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	t.Fatalf("no %s", name)
	return 0
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
