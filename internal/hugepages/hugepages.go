// Package hugepages has the runtime's heap lie in huge pages. A bank's customers are some hundred megabytes read at
// random: with pages of 4 KiB nearly every read also waits for the page tables, and with those of 2 MiB hardly any. Where
// the system gives huge pages only to who asks ("madvise", a usual setting) nobody asks for the heap.
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
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// checkEvery is how often it is looked whether the heap has grown.
const checkEvery = 2 * time.Second

// collapseStep is how much becomes huge pages at once; page faults wait meanwhile, some milliseconds. It is followed by a
// rest of collapseRest times as long.
const (
	collapseStep = hugePage
	collapseRest = 4
)

// mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// Keep asks for huge pages for the heap, and for what it grows by, until ctx ends. What can't be had is left as it
// is: nothing depends on it but speed.
func Keep(ctx context.Context) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	asked := map[uintptr]uintptr{} // from where up to where
	for {
		for _, m := range heap() {
			from := max(m.from, asked[m.from])
			if from < m.to {
				ask(ctx, mapping{from, m.to})
				asked[m.from] = m.to
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Prepare has what the heap grows by next, so many bytes, lie in huge pages from when it is first written to: no more than
// addresses are taken for it. What has grown without that has to be copied into them by Keep, some milliseconds for each
// page, and as long as that takes whoever needs new memory waits. Where addresses are limited nothing is prepared.
func Prepare(bytes uint64) {
	var addresses unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &addresses); err != nil || addresses.Cur != unix.RLIM_INFINITY {
		return
	}
	if mode, err := os.ReadFile(overcommitFile); err != nil || strings.TrimSpace(string(mode)) == neverOvercommit {
		return
	}
	if debug.SetMemoryLimit(-1) != math.MaxInt64 { // to the runtime it is memory
		return
	}
	heap := make([]byte, bytes) // of which nothing is written to
	from := (uintptr(unsafe.Pointer(unsafe.SliceData(heap))) + hugePage - 1) &^ (hugePage - 1)
	to := (uintptr(unsafe.Pointer(unsafe.SliceData(heap))) + uintptr(bytes)) &^ (hugePage - 1)
	if from < to {
		madvise(mapping{from, to}, unix.MADV_HUGEPAGE)
	}
	runtime.KeepAlive(heap)
	runtime.GC() // gives the addresses back to the heap
}

// Where the system backs every address with memory when it is taken, it may have none left for what is only prepared.
const (
	overcommitFile  = "/proc/sys/vm/overcommit_memory"
	neverOvercommit = "2"
)

// hugePage is the size of one where we run; on another processor less of the edges is prepared.
const hugePage = 2 << 20

// ask has a range lie in huge pages from now on, also what is there already.
func ask(ctx context.Context, m mapping) {
	if madvise(m, unix.MADV_HUGEPAGE) != 0 {
		return
	}
	for at := m.from; at < m.to && ctx.Err() == nil; at += collapseStep {
		begun := time.Now()
		madvise(mapping{at, min(at+collapseStep, m.to)}, unix.MADV_COLLAPSE) // since Linux 6.1
		time.Sleep(collapseRest * time.Since(begun))
	}
}

func madvise(m mapping, advice uintptr) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, advice)
	return errno
}

// heap finds the writable memory near what the runtime has just allocated.
func heap() (found []mapping) {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	here := uintptr(unsafe.Pointer(unsafe.SliceData(text)))
	for line := range bytes.Lines(text) {
		if m, ok := parse(line); ok && m.from < here+heapMax && here < m.to+heapMax {
			found = append(found, m)
		}
	}
	return found
}

// heapMax is how large a heap may be to be found as a whole: it lies in one piece, far from all that is not heap.
const heapMax = 64 << 30

// parse reads a line of /proc/self/maps; not ok: it is not writable memory without a file, or has a purpose.
func parse(line []byte) (m mapping, ok bool) {
	fields := strings.Fields(string(line))
	if len(fields) < 5 || fields[1] != "rw-p" || fields[4] != "0" {
		return m, false
	}
	if len(fields) > 5 && !strings.Contains(string(line), "[anon: Go: heap") { // as newer systems write it
		return m, false
	}
	first, last, _ := strings.Cut(fields[0], "-")
	from, err1 := strconv.ParseUint(first, 16, 64)
	to, err2 := strconv.ParseUint(last, 16, 64)
	return mapping{uintptr(from), uintptr(to)}, err1 == nil && err2 == nil && from < to
}
