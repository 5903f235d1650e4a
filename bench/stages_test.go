package main

import (
	"testing"

	"github.com/google/pprof/profile"
)

func TestASampleBelongsToTheInnermostStage(t *testing.T) {
	for want, frames := range map[string][]string{
		"kernel: sockets":               {"internal/runtime/syscall/linux.Syscall6", "syscall.write", "internal/poll.(*FD).Write", "net.(*netFD).Write", "github.com/valyala/fasthttp.(*Server).serveConn"},
		"kernel: disk":                  {"internal/runtime/syscall/linux.Syscall6", "internal/poll.(*FD).Write", "os.(*File).Write", "github.com/twmb/franz-go/pkg/kfake.(*Cluster).pushBatch"},
		"report, its database included": {"internal/runtime/syscall/linux.Syscall6", "modernc.org/libc.Xwrite", "database/sql.(*Tx).Commit"},
		"reply":                         {"runtime.memmove", "runtime.mallocgc", module + "ingress.appendBalance", module + "ingress.(*Server).one"},
		"parse, limits, key":            {"strconv.ParseUint", module + "ingress.(*transferRequest).scan", module + "ingress.(*Server).one"},
		"garbage collection":            {"runtime.scanobject", "runtime.gcDrain", "runtime.gcAssistAlloc", "runtime.mallocgc", module + "bank.Decide"},
		"decide":                        {"runtime.mallocgc", module + "bank.decideInternal", module + "actors.(*customerActor).handle"},
		"HTTP":                          {"github.com/valyala/fasthttp.(*RequestHeader).parse", module + "ingress.(*loop).plain", module + "ingress.(*loop).run"},
		otherStage:                      {"main.main"},
	} {
		s := &profile.Sample{Value: []int64{1, 10}}
		for _, name := range frames {
			s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: name}}}})
		}
		if got := stageOf(s); got != want {
			t.Errorf("%v: %s, want %s", frames, got, want)
		}
	}
}
