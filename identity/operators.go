package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/suanpan-bank/suanpan/bank"
)

// Operators are the bank's own people and systems and the tokens they show. The zero value knows nobody.
type Operators struct {
	byToken map[[sha256.Size]byte]bank.Operator // hashes are compared, so that no time tells how much of one was right
}

// operatorEntry is an operator in the file.
type operatorEntry struct {
	bank.Operator
	Token string `json:"token"`
}

type operatorFile struct {
	Operators []operatorEntry `json:"operators"`
}

// ErrOperators is returned for a file of operators that can't be used.
var ErrOperators = errors.New("identity: not a file of operators")

// tokenMin is the shortest token taken, in characters: what can be guessed is no credential.
const tokenMin = 16

// firstOperators are those of a new bank, one for each role: who makes and who approves are two people.
var firstOperators = []bank.Operator{
	{Name: "teller", Roles: []bank.OperatorRole{bank.Teller}},
	{Name: "checker", Roles: []bank.OperatorRole{bank.Checker}},
	{Name: "finance", Roles: []bank.OperatorRole{bank.Finance}},
	{Name: "auditor", Roles: []bank.OperatorRole{bank.Auditor}},
}

// OpenOperators reads the file in path, which only its owner may read. If there is none it makes one with an
// operator for each role and random tokens.
func OpenOperators(path string, random io.Reader) (*Operators, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := createOperators(path, random); err != nil {
			return nil, err
		}
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	o, err := parseOperators(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}

func createOperators(path string, random io.Reader) error {
	var file operatorFile
	for _, o := range firstOperators {
		token := make([]byte, tokenBytes)
		if _, err := io.ReadFull(random, token); err != nil {
			return fmt.Errorf("identity: make a token: %w", err)
		}
		file.Operators = append(file.Operators, operatorEntry{o, hex.EncodeToString(token)})
	}
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	// Written aside and linked into place: a file that is there is whole.
	f, err := os.CreateTemp(filepath.Dir(path), ".operators-*")
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err = errors.Join(err, syncDir(filepath.Dir(path))); err != nil {
		return fmt.Errorf("identity: write %s: %w", path, err)
	}
	return nil
}

func parseOperators(text []byte) (*Operators, error) {
	var file operatorFile
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOperators, err)
	}
	o := &Operators{byToken: make(map[[sha256.Size]byte]bank.Operator, len(file.Operators))}
	names := map[string]bool{}
	for _, entry := range file.Operators {
		hash := sha256.Sum256([]byte(entry.Token))
		_, twice := o.byToken[hash]
		switch {
		case entry.Name == "" || names[entry.Name]:
			return nil, fmt.Errorf("%w: every operator needs a name of his own (%q)", ErrOperators, entry.Name)
		case len(entry.Token) < tokenMin || strings.ContainsFunc(entry.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
			return nil, fmt.Errorf("%w: the token of %s needs at least %d visible ASCII characters", ErrOperators, entry.Name, tokenMin)
		case twice:
			return nil, fmt.Errorf("%w: the token of %s is another's, too", ErrOperators, entry.Name)
		case entry.Is(bank.Teller) && entry.Is(bank.Checker):
			return nil, fmt.Errorf("%w: %s can't be both %s and %s", ErrOperators, entry.Name, bank.Teller, bank.Checker)
		}
		for _, role := range entry.Roles {
			if !slices.Contains(bank.OperatorRoles, role) {
				return nil, fmt.Errorf("%w: %s has the role %q; there are %v", ErrOperators, entry.Name, role, bank.OperatorRoles)
			}
		}
		names[entry.Name] = true
		o.byToken[hash] = entry.Operator
	}
	return o, nil
}

// Find tells whose token it is; false: nobody's.
func (o *Operators) Find(token string) (bank.Operator, bool) {
	found, ok := o.byToken[sha256.Sum256([]byte(token))]
	return found, ok
}
