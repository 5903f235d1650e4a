package identity

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A sealed field that was changed by a single bit is not opened: who reads a name can rely on it.
func FuzzOpenSealed(f *testing.F) {
	v, err := Create(filepath.Join(f.TempDir(), "key"), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := v.Seal("220113198506150001")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add(sealed[:len(sealed)-1])
	f.Add(sealed[:1+keyIDBytes])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := v.Open(b)
		if err == nil && (string(b) != string(sealed) || string(plain) != "220113198506150001") {
			t.Fatalf("%x was opened as %q", b, plain)
		}
		if err != nil && !errors.Is(err, ErrSealed) {
			t.Fatal(err)
		}
	})
}

// A key file is read or refused.
func FuzzKeyFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "key")
	if _, err := Create(path, rand.Reader); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(keyPrefix))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := Open(path, rand.Reader)
		if err != nil {
			return
		}
		sealed, err := v.Seal("x")
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := v.Open(sealed); err != nil || string(plain) != "x" {
			t.Fatalf("%q %v", plain, err)
		}
	})
}

// A file of operators is read or refused; what is read knows nobody by an empty token.
func FuzzParseOperators(f *testing.F) {
	f.Add([]byte(`{"operators":[{"name":"ming","roles":["TELLER"],"token":"0123456789abcdef"}]}`))
	f.Add([]byte(`{"operators":[]}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parseOperators(b)
		if err != nil {
			if !errors.Is(err, ErrOperators) {
				t.Fatal(err)
			}
			return
		}
		if _, ok := o.Find(""); ok {
			t.Fatalf("%q lets everybody in", b)
		}
	})
}
