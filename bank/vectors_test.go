package bank

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/suanpan-bank/suanpan/internal/shared"
)

// readShared loads a file of the domain's tables or vectors, which are read and never retyped.
func readShared[T any](t testing.TB, elem ...string) T {
	t.Helper()
	b, err := os.ReadFile(shared.Path(t, append([]string{"domain"}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v: %v", elem, err)
	}
	return v
}

// same fails when a value of the bank differs from the vector's.
func same[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// on is a date written in a test.
func on(t testing.TB, s string) Date {
	t.Helper()
	d, err := ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
