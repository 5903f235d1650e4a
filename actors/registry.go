package actors

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// registry gives out customer numbers, one to a person. A number given to a registration that is then
// lost is given again: only the journal makes it anybody's.
type registry struct {
	mu      sync.Mutex
	last    bank.CustomerNo
	persons map[bank.U128]bank.CustomerNo // by hash of the identity token
	pending map[bank.U128]bank.CustomerNo // registrations under way, by command id
}

func (r *registry) init() {
	r.persons = make(map[bank.U128]bank.CustomerNo)
	r.pending = make(map[bank.U128]bank.CustomerNo)
}

// replay notes a registration found in the journal.
func (r *registry) replay(e *bank.CustomerRegistered) {
	r.persons[personOf(e.Person.IDToken)] = e.CustomerNo
	r.last = max(r.last, e.CustomerNo)
}

func personOf(token string) bank.U128 {
	h := sha256.Sum256([]byte(token))
	return bank.U128{Lo: binary.LittleEndian.Uint64(h[0:]), Hi: binary.LittleEndian.Uint64(h[8:])}
}

// Enroll finds the customer number a registration is for: the one its key had before, or a new one.
// A refusal means that the person is a customer already.
func (n *Node) Enroll(req *Request, cmd *bank.RegisterCustomer) (*bank.Refusal, error) {
	r := &n.registry
	key, person := req.Call.Key, personOf(cmd.Person.IDToken)
	r.mu.Lock()
	defer r.mu.Unlock()
	if no, ok := r.pending[key]; ok {
		req.Customer = no // the same request twice at once: the second waits behind the first
		return nil, nil
	}
	rec, err := n.journal.FindCommand(ledger.Uint128(key))
	if err != nil {
		return nil, err
	}
	if rec != nil {
		req.Customer = bank.CustomerNo(rec.Customer)
		return nil, nil
	}
	if _, ok := r.persons[person]; ok {
		return &bank.Refusal{Code: bank.CustomerExists, Field: "id_number"}, nil
	}
	if r.last == bank.CustomerNoMax {
		return &bank.Refusal{Code: bank.ContractsMax}, nil
	}
	r.last++
	no := r.last
	req.Customer, cmd.Customer = no, no
	r.persons[person], r.pending[key] = no, no
	req.after = func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.pending, key)
		if req.err != nil || req.receipt.Refusal != nil {
			delete(r.persons, person)
		}
	}
	return nil, nil
}

// Customers is how many customers have been registered.
func (n *Node) Customers() int {
	n.registry.mu.Lock()
	defer n.registry.mu.Unlock()
	return len(n.registry.persons)
}
