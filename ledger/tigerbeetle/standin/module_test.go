//go:build cgo

package standin_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle/standin"
)

// The client module's tests know their server as an executable three directories above them,
// which they format and start themselves, and connect to this address.
const moduleTestsAddress = "127.0.0.1:3000"

// executable stands where they look for the server. The stand-in is running already, so it has
// nothing to do; they kill it when they are through.
const executable = `#!/bin/sh
case "$1" in
format) exit 0 ;;
start) exec sleep 120 ;;
esac
exit 1
`

func TestTheClientModulesOwnTestsPassUnmodified(t *testing.T) {
	root := t.TempDir()
	tests := filepath.Join(root, "client.test")
	build := exec.Command("go", "test", "-c", "-o", tests, "github.com/tigerbeetle/tigerbeetle-go")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the module's tests: %v\n%s", err, output)
	}
	if err := os.WriteFile(filepath.Join(root, "tigerbeetle"), []byte(executable), 0o755); err != nil {
		t.Fatal(err)
	}
	directory := filepath.Join(root, "src", "clients", "go")
	if err := os.MkdirAll(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, run := range []struct {
		tests  string
		passes int // subtests included
	}{
		{"^TestClient$", 1 + 17},
		{"^TestImportedFlag$", 1 + 1},
		{"^Test_", 7},
	} {
		t.Run(run.tests, func(t *testing.T) {
			server := startAt(t, moduleTestsAddress)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			// One subtest after the other, as far as they let themselves: the last one wants the
			// events that those before it made.
			command := exec.CommandContext(ctx, tests, "-test.v", "-test.parallel=1", "-test.run", run.tests)
			command.Dir = directory
			// The executable holds on to the output too, if the tests die before they kill it.
			command.WaitDelay = time.Second
			output, err := command.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			if passes := len(regexp.MustCompile(`(?m)^\s*--- PASS: `).FindAll(output, -1)); passes != run.passes {
				t.Fatalf("%d tests passed, want %d\n%s", passes, run.passes, output)
			}
			t.Logf("%+v", server.Counts())
		})
	}
}

// startAt starts a stand-in with a ledger of its own on a fixed address. It waits for another run
// of these tests, on the same machine, to give the address up.
func startAt(t *testing.T, address string) *standin.Server {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		server, err := standin.Start(standin.Options{Address: address})
		if err == nil {
			t.Cleanup(func() {
				if err := server.Close(); err != nil {
					t.Error(err)
				}
			})
			return server
		}
		if time.Now().After(deadline) {
			t.Fatalf("another program has %s, which the client's tests need: %v", address, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
