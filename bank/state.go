package bank

import (
	"errors"
	"fmt"
	"sync"
	"unique"

	"github.com/fxamacker/cbor/v2"
)

// stateVersion is the form of a stored state. A field added to Customer or Desk needs no new one; a field
// whose meaning changes does.
const stateVersion = 2

// ErrState: bytes that are no state of a customer, or one of a version this program does not know.
var ErrState = errors.New("bank: not a customer's state")

// storedState is everything the bank knows of a customer besides the journal. Credit permits under way are
// left out.
type storedState struct {
	Customer *Customer `cbor:"1,keyasint"`
	Desk     *Desk     `cbor:"2,keyasint"`
}

// AppendState appends the stored form of a customer's whole state.
func AppendState(b []byte, c *Customer, d *Desk) ([]byte, error) {
	s := storedState{c, d}
	if s.plain() {
		return append(s.appendStored(b), stateVersion), nil
	}
	stored, err := encoding().Marshal(s)
	if err != nil {
		return b, fmt.Errorf("state of customer %s: %w", c.No, err)
	}
	return append(append(b, stored...), stateVersion), nil
}

// DecodeState reads the form of AppendState; ErrState for anything else.
func DecodeState(b []byte, c *Customer, d *Desk) error {
	if len(b) == 0 {
		return fmt.Errorf("%w: empty", ErrState)
	}
	if version := b[len(b)-1]; version != stateVersion {
		return fmt.Errorf("%w: version %d, this program reads %d", ErrState, version, stateVersion)
	}
	*c, *d = Customer{}, Desk{}
	if err := stateDecoding().Unmarshal(b[:len(b)-1], &storedState{c, d}); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	share(&c.IDKind)
	for i := range c.Accounts {
		a := &c.Accounts[i]
		share(&a.Product)
		share(&a.State)
		share(&a.Card.Bank)
		share(&a.Card.Kind)
	}
	for i := range d.Accounts {
		share(&d.Accounts[i].Product)
		share(&d.Accounts[i].State)
	}
	return nil
}

// share lets a word that very many customers have take memory once, not 16 bytes for each of them.
func share[S ~string](word *S) { *word = S(unique.Make(string(*word)).Value()) }

// stateElementsMax lets a customer have all the contracts he can have, each with its instalments.
const stateElementsMax = ContractSeqMax + 1

// stateDecoding is decoding, for longer and deeper lists: the ids of a hold's parts lie nine deep.
var stateDecoding = sync.OnceValue(func() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		MaxArrayElements: stateElementsMax, MaxMapPairs: 1024, MaxNestedLevels: 10, TagsMd: cbor.TagsForbidden,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constant
	}
	return m
})
