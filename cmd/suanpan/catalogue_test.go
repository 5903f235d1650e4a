package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A bank with a mistake in its rates must not open.
func TestTheCatalogueIsPrintedAndChecked(t *testing.T) {
	run := func(args ...string) (string, error) {
		cmd := command()
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetArgs(append([]string{"catalogue"}, args...))
		err := cmd.Execute()
		return out.String(), err
	}
	printed, err := run()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "products.yaml")
	if err := os.WriteFile(path, []byte(printed), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := run(path); err != nil || !strings.Contains(said, "4 deposit products") {
		t.Errorf("the printed one: %q %v", said, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(printed, "1.35%", "much", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(path); err == nil || !strings.Contains(err.Error(), "line 30: deposits[0].rates[0].rate") {
		t.Errorf("a mistake: %v", err)
	}
	if _, err := readCatalogue(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there")
	}
}
