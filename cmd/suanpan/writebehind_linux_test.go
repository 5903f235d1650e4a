package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What is left out is written by the system in one burst, and payments wait for it.
func TestFilesThatHaveChangedAreWritten(t *testing.T) {
	dir := t.TempDir()
	long := time.Now().Add(-time.Hour)
	for name, age := range map[string]time.Time{"old": long, "new": time.Now(), "below/new": time.Now()} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("events"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, age, age); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := beginWriting(dir, time.Now().Add(-time.Minute)); n != 2 || err != nil {
		t.Errorf("%d files, %v", n, err)
	}
	if n, err := beginWriting(filepath.Join(dir, "old"), long.Add(-time.Minute)); n != 1 || err != nil {
		t.Errorf("a file by itself: %d files, %v", n, err)
	}
	if n, err := beginWriting(filepath.Join(dir, "none"), long); n != 0 || err != nil {
		t.Errorf("nothing there: %d files, %v", n, err)
	}
}
