package identity

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func created(t *testing.T) (*Vault, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.key")
	v, err := Create(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return v, path
}

func TestWhatWasSealedOpensAfterARestartAndNowhereElse(t *testing.T) {
	v, path := created(t)
	sealed, err := v.Seal("220113198506150001")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("1985")) {
		t.Error("the number can be read in what was sealed")
	}
	again, err := Open(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.Open(sealed); err != nil || string(plain) != "220113198506150001" {
		t.Errorf("%q %v", plain, err)
	}
	other, _ := created(t)
	if _, err := other.Open(sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("another key: %v", err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := v.Open(changed); !errors.Is(err, ErrSealed) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := v.Open(sealed[:i]); !errors.Is(err, ErrSealed) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	twice, err := v.Seal("220113198506150001")
	if err != nil || bytes.Equal(sealed, twice) {
		t.Error("sealing the same value twice shows that it is the same")
	}
}

func TestTokensAreEqualForEqualValuesOfAKindOnly(t *testing.T) {
	v, path := created(t)
	again, err := Open(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := created(t)
	token := v.Token("id", "220113198506150001")
	if token != again.Token("id", "220113198506150001") {
		t.Error("a restart changes tokens")
	}
	for what, different := range map[string]string{
		"value": v.Token("id", "220113198506150002"), "kind": v.Token("mobile", "220113198506150001"),
		"key": other.Token("id", "220113198506150001"), "split": v.Token("id2", "20113198506150001"),
	} {
		if token == different {
			t.Errorf("another %s has the same token", what)
		}
	}
}

// A new key over an old one would make every sealed field unreadable for ever.
func TestAKeyIsNeverReplacedAndNeverReadableByOthers(t *testing.T) {
	_, path := created(t)
	if _, err := Create(path, rand.Reader); err == nil {
		t.Error("replaced")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := Open(path+"x", rand.Reader); !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("suanpan-key-1:AAAA\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, rand.Reader); err == nil {
		t.Error("opened a file that is no key")
	}
}

func TestWhatIsCoveredCanBeSeenWithTheKeyOnly(t *testing.T) {
	v, path := created(t)
	plain := [16]byte{1, 2, 3}
	covered := v.Cover(plain)
	if covered == plain {
		t.Error("nothing is hidden")
	}
	again, err := Open(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if again.Uncover(covered) != plain {
		t.Error("it can't be found again after a restart")
	}
	if other, _ := created(t); other.Uncover(covered) == plain {
		t.Error("another key finds it")
	}
}
