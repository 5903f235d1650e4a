package identity

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
)

func TestANewBankHasAnOperatorForEachRoleAndKeepsThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "operators.json")
	first, err := OpenOperators(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: others could read the tokens", info.Mode(), err)
	}
	again, err := OpenOperators(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file operatorFile
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for i, role := range bank.OperatorRoles {
		entry := file.Operators[i]
		for _, o := range []*Operators{first, again} {
			found, ok := o.Find(entry.Token)
			if !ok || found.Name != entry.Name || !found.Is(role) {
				t.Errorf("the token of %s finds %v, %v; role %s wanted", entry.Name, found, ok, role)
			}
		}
	}
	if _, ok := first.Find(""); ok {
		t.Error("no token is an operator's")
	}
}

func TestAFileOfOperatorsThatCanNotBeMeantIsRefused(t *testing.T) {
	for _, c := range []struct{ file, because string }{
		{`{`, "EOF"},
		{`{"operators":[{"name":"","roles":["TELLER"],"token":"0123456789abcdef"}]}`, "name of his own"},
		{`{"operators":[{"name":"a","roles":["TELLER"],"token":"short"}]}`, "at least 16"},
		{`{"operators":[{"name":"a","roles":["TELLER"],"token":"0123456789 abcdef"}]}`, "visible ASCII"},
		{`{"operators":[{"name":"a","roles":["GOD"],"token":"0123456789abcdef"}]}`, `"GOD"`},
		{`{"operators":[{"name":"a","roles":["TELLER","CHECKER"],"token":"0123456789abcdef"}]}`, "both"},
		{`{"operators":[{"name":"a","roles":[],"token":"0123456789abcdef"},{"name":"b","roles":[],"token":"0123456789abcdef"}]}`, "another's"},
		{`{"operators":[{"name":"a","roles":[],"token":"0123456789abcdef"},{"name":"a","roles":[],"token":"fedcba9876543210"}]}`, "name of his own"},
		{`{"operators":[{"name":"a","rolls":[],"token":"0123456789abcdef"}]}`, "rolls"},
	} {
		path := filepath.Join(t.TempDir(), "operators.json")
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenOperators(path, rand.Reader)
		if !errors.Is(err, ErrOperators) || !strings.Contains(err.Error(), c.because) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v; wanted because of %q", c.file, err, c.because)
		}
	}
}
