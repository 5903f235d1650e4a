// Package shared finds the reference material kept beside the repository, in ../shared: domain
// tables and test vectors that are loaded rather than retyped.
package shared

import (
	"os"
	"path/filepath"
	"testing"
)

// Path returns the path of elem inside the shared directory next to the repository's root. It
// skips the test when the material isn't there: a checkout of the repository alone still passes.
func Path(t testing.TB, elem ...string) string {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatalf("shared: working directory: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(root)
		if parent == root {
			t.Fatal("shared: no go.mod above the test's directory")
		}
		root = parent
	}
	path := filepath.Join(append([]string{filepath.Dir(root), "shared"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("shared material not present: %s", filepath.Join(elem...))
	}
	return path
}
