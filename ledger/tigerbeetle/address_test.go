package tigerbeetle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestAddressesAreNumbersOrNamesWithAPort(t *testing.T) {
	resolver := func(_ context.Context, name string) ([]string, error) {
		found, ok := map[string][]string{
			"tb-0.tb":   {"10.0.0.7"},
			"localhost": {"::1", "127.0.0.1"},
			"six":       {"2001:db8::5"},
			"all.tb":    {"10.0.0.7", "10.0.0.8"},
			"empty":     {},
		}[name]
		if !ok {
			return nil, errors.New("no such host")
		}
		return found, nil
	}
	for _, test := range []struct {
		text, want string // want "": refused when parsed; "-": refused by the resolver's answer
	}{
		{"10.1.2.3:4000", "10.1.2.3:4000"},
		{"10.1.2.3", "10.1.2.3:3001"},
		{"4000", "127.0.0.1:4000"},
		{"[::1]:4000", "[::1]:4000"},
		{"::1", "[::1]:3001"},
		{"[::ffff:10.1.2.3]:4000", "10.1.2.3:4000"},
		{"tb-0.tb:4000", "10.0.0.7:4000"},
		{"tb-0.tb", "10.0.0.7:3001"},
		{"localhost:4000", "127.0.0.1:4000"},
		{"six:4000", "[2001:db8::5]:4000"},
		{"all.tb:4000", "-"},
		{"empty:4000", "-"},
		{"gone:4000", "-"},
		{"", ""},
		{"0", ""},
		{"tb-0.tb:0", ""},
		{"tb-0.tb:70000", ""},
		{"tb-0.tb:http", ""},
		{"10.1.2.3:4000,10.1.2.4:4000", ""},
		{"a b:4000", ""},
		{":4000", ""},
	} {
		addresses, err := parseAddresses([]string{test.text})
		if (err != nil) != (test.want == "") {
			t.Errorf("%q: parsed with %v", test.text, err)
		}
		if err != nil {
			continue
		}
		numeric, err := resolve(t.Context(), addresses, resolver)
		switch {
		case test.want == "-" && err == nil:
			t.Errorf("%q: resolved to %v", test.text, numeric)
		case test.want != "-" && (err != nil || !slices.Equal(numeric, []string{test.want})):
			t.Errorf("%q: %v %v, want %s", test.text, numeric, err, test.want)
		}
	}
	if _, err := parseAddresses(nil); err == nil {
		t.Error("no address at all was accepted")
	}
}

// What an operator writes as an address reaches a client that aborts the process on what it can't read.
func FuzzParseAddresses(f *testing.F) {
	for _, text := range []string{"3001", "127.0.0.1:3001", "[::1]:3001", "::1", "tb-0.tb:3001", "a,b:1", "", "0", "1.2.3.4:0", "1.2.3.4:65536"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addresses, err := parseAddresses([]string{text})
		if err != nil {
			return
		}
		a := addresses[0]
		if a.port == 0 || a.ip.IsValid() == (a.name != "") || strings.ContainsAny(a.name, ", \x00\n") {
			t.Fatalf("%q is read as %+v", text, a)
		}
	})
}
