package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of CPU time in /proc: USER_HZ is 100 in every Linux ABI that Go runs on.
const tick = 10 * time.Millisecond

// processCPU is the CPU time a process has taken, its exited children not included.
func processCPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("CPU of process %d: %w", pid, err)
	}
	// The name, in brackets, may itself have spaces and brackets; utime is the 12th field after it.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	const utime, stime = 11, 12
	if len(fields) <= stime {
		return 0, fmt.Errorf("CPU of process %d: %q is not understood", pid, b)
	}
	u, err1 := strconv.ParseInt(fields[utime], 10, 64)
	s, err2 := strconv.ParseInt(fields[stime], 10, 64)
	return time.Duration(u+s) * tick, errors.Join(err1, err2)
}

// ownCPU is the CPU time this process has taken.
func ownCPU() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("own CPU: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// machineCPU is the CPU time all processes of the machine have taken, with what the hypervisor gave to
// others. Interrupts are left out: on loopback they are the work of whoever is measured.
func machineCPU() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("CPU of the machine: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal …
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("CPU of the machine: %q is not understood", line)
	}
	var sum time.Duration
	for _, i := range []int{1, 2, 3, 8} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("CPU of the machine: %w", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// busyShareMax is the share of the machine's cores that others may use before a figure is marked:
// beyond it, a thread that a flush wakes waits for its core and latencies grow tenfold.
const busyShareMax = 0.10

// meter tells how much CPU others used while something was measured. Ours are this process and those
// it names; what generators used is added when they have ended.
type meter struct {
	ours    []int
	begun   time.Time
	machine time.Duration
	own     time.Duration
}

func newMeter(pids ...int) (*meter, error) {
	m := &meter{ours: pids, begun: time.Now()}
	var err1, err2 error
	m.machine, err1 = machineCPU()
	m.own, err2 = m.ownership()
	return m, errors.Join(err1, err2)
}

func (m *meter) ownership() (time.Duration, error) {
	sum, err := ownCPU()
	for _, pid := range m.ours {
		cpu, e := processCPU(pid)
		sum, err = sum+cpu, errors.Join(err, e)
	}
	return sum, err
}

// share is the share of all cores that others have used since the meter began; ended is the CPU time of
// our processes that came and went meanwhile.
func (m *meter) share(ended time.Duration) (float64, error) {
	machine, err1 := machineCPU()
	own, err2 := m.ownership()
	others := machine - m.machine - (own - m.own) - ended
	cores := float64(others) / float64(time.Since(m.begun))
	return max(cores, 0) / float64(runtime.NumCPU()), errors.Join(err1, err2)
}

// peakMemory is the largest resident set a process has had, in bytes.
func peakMemory(pid int) (int64, error) { return memoryOf(pid, "VmHWM:") }

// residentMemory is the resident set it has now.
func residentMemory(pid int) (int64, error) { return memoryOf(pid, "VmRSS:") }

func memoryOf(pid int, what string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, what); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("memory of process %d: no %s", pid, what)
}

const (
	flushBytes = 4 << 10
	flushTime  = 500 * time.Millisecond
)

// flushLatency appends 4 KiB at a time to a new file in dir, flushing each to the device (fdatasync),
// and returns how long that took in the middle and for the slowest hundredth.
func flushLatency(dir string) (p50, p99 time.Duration, err error) {
	f, err := os.CreateTemp(dir, "flush-")
	if err != nil {
		return 0, 0, fmt.Errorf("measure a flush: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := bytes.Repeat([]byte("suanpan "), flushBytes/8)
	var took histogram
	for begun := time.Now(); time.Since(begun) < flushTime; {
		t := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, 0, fmt.Errorf("measure a flush: %w", err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, 0, fmt.Errorf("measure a flush: %w", err)
		}
		took.record(time.Since(t))
	}
	return took.quantile(0.5), took.quantile(0.99), nil
}

// inMemory reports whether dir is on a file system without a device, where a flush costs nothing.
func inMemory(dir string) bool {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return false // can't be told
	}
	return s.Type == unix.TMPFS_MAGIC || s.Type == unix.RAMFS_MAGIC
}
