package actors

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// registry gives out customer numbers, one to a person. A number given to a registration that is then lost
// may stay nobody's: only the journal makes it anybody's. Who is saved is found in the journal; here are
// those who are not, and what belongs to all customers.
type registry struct {
	last    atomic.Uint64 // the highest number given out; written with mu held
	mu      sync.Mutex
	persons map[bank.U128]registration    // by hash of the identity token
	pending map[bank.U128]bank.CustomerNo // registrations under way, by command id

	// mu may be held while the disk is read, and whoever comes to memory is noted here: so open has a lock of its own.
	opening sync.Mutex
	open    map[bank.CustomerNo]struct{} // customers with transfers whose channel has not answered
}

type registration struct {
	customer bank.CustomerNo
	by       journal.Position // durable by then; zero: under way
}

func (r *registry) init() {
	r.persons = make(map[bank.U128]registration)
	r.pending = make(map[bank.U128]bank.CustomerNo)
	r.open = make(map[bank.CustomerNo]struct{})
}

func (r *registry) highest() bank.CustomerNo { return bank.CustomerNo(r.last.Load()) }

// replay notes a registration found in the journal.
func (r *registry) replay(e *bank.CustomerRegistered, at journal.Position) {
	r.persons[personOf(e.Person.IDToken)] = registration{e.CustomerNo, at}
	r.last.Store(max(r.last.Load(), uint64(e.CustomerNo)))
}

// forget drops those whose state is saved up to the position or further: the journal finds them.
func (r *registry) forget(saved journal.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.persons, func(_ bank.U128, g registration) bool { return g.by != 0 && g.by <= saved })
}

// setOpen notes whether the customer has transfers whose channel has not answered.
func (r *registry) setOpen(no bank.CustomerNo, open bool) {
	r.opening.Lock()
	defer r.opening.Unlock()
	if open {
		r.open[no] = struct{}{}
	} else {
		delete(r.open, no)
	}
}

func (r *registry) isOpen(no bank.CustomerNo) bool {
	r.opening.Lock()
	defer r.opening.Unlock()
	_, ok := r.open[no]
	return ok
}

func (r *registry) opened() []bank.CustomerNo {
	r.opening.Lock()
	defer r.opening.Unlock()
	return slices.Sorted(maps.Keys(r.open))
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
		// Another process on the same journal may have given the number out.
		r.last.Store(max(r.last.Load(), rec.Customer))
		return nil, nil
	}
	known, err := n.known(person)
	switch {
	case err != nil:
		return nil, err
	case known:
		return &bank.Refusal{Code: bank.CustomerExists, Field: "id_number"}, nil
	case r.highest() == bank.CustomerNoMax:
		return &bank.Refusal{Code: bank.ContractsMax}, nil
	}
	no := bank.CustomerNo(r.last.Add(1))
	req.Customer, cmd.Customer = no, no
	r.persons[person], r.pending[key] = registration{customer: no}, no
	req.after = func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.pending, key)
		if req.err != nil || req.receipt.Refusal != nil {
			delete(r.persons, person)
		} else {
			r.persons[person] = registration{no, n.journal.Durable()}
		}
	}
	return nil, nil
}

// known reports whether the person is a customer or about to be one; the registry is locked.
func (n *Node) known(person bank.U128) (bool, error) {
	if _, ok := n.registry.persons[person]; ok {
		return true, nil
	}
	no, err := n.journal.FindPerson(ledger.Uint128(person))
	return no != 0, err
}

// Customers is how many customers have been registered.
func (n *Node) Customers() int { return n.pipeline.mark().registered }

// register is what is saved with the customers that belongs to all of them, as customer zero's state.
type register struct {
	at         journal.Position // the records up to there are counted in registered
	last       bank.CustomerNo
	registered int
	elsewhere  bool              // the ledger is in another process
	open       []bank.CustomerNo // as registry.open, rising
}

// registerVersion rises with the version of customers' states, so that a start with older ones says so. Since version 3
// days closed at rest are in the shards' books and not in the states, of which an older program knows nothing; what was
// saved before has no books, and is read.
const (
	registerVersion       = 3
	registerVersionOldest = 2
)

var errRegister = errors.New("the saved register of customers is malformed")

// errVersion: what an older program has saved lacks what this one reckons with; the records have it all.
var errVersion = errors.New("customers were saved by another version of the program. If the journal has all its records (no --journal-keep), " +
	"remove the directories index and ids in the journal's directory and start again: they are made anew from the records")

// snapshot is the register to be saved. But for registered it may count more than the records up to the mark:
// a number given out is not given again, and who is open is looked at again.
func (r *registry) snapshot(at mark, elsewhere bool) journal.Snapshot {
	saved := register{at.position, r.highest(), at.registered, elsewhere, r.opened()}
	return journal.Snapshot{State: saved.append(nil)}
}

func (r *register) append(b []byte) []byte {
	b = append(b, registerVersion, 0)
	if r.elsewhere {
		b[len(b)-1] = 1
	}
	b = binary.AppendUvarint(b, uint64(r.at))
	b = binary.AppendUvarint(b, uint64(r.last))
	b = binary.AppendUvarint(b, uint64(r.registered))
	b = binary.AppendUvarint(b, uint64(len(r.open)))
	before := bank.CustomerNo(0)
	for _, no := range r.open {
		b = binary.AppendUvarint(b, uint64(no-before))
		before = no
	}
	return b
}

func decodeRegister(b []byte) (*register, error) {
	switch {
	case len(b) > 0 && (b[0] < registerVersionOldest || b[0] > registerVersion):
		return nil, fmt.Errorf("%w (theirs is %d, this one reads %d to %d)", errVersion, b[0], registerVersionOldest, registerVersion)
	case len(b) < 2 || b[1] > 1:
		return nil, errRegister
	}
	r := &register{elsewhere: b[1] == 1}
	b = b[2:]
	next := func(most uint64) (v uint64, ok bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > most {
			return 0, false
		}
		b = b[n:]
		return v, true
	}
	at, ok1 := next(math.MaxInt64)
	last, ok2 := next(uint64(bank.CustomerNoMax))
	registered, ok3 := next(last)
	open, ok4 := next(min(last, uint64(len(b))))
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return nil, errRegister
	}
	r.at, r.last, r.registered = journal.Position(at), bank.CustomerNo(last), int(registered)
	no := uint64(0)
	for range open {
		step, ok := next(last - no)
		if !ok || step == 0 {
			return nil, errRegister
		}
		no += step
		r.open = append(r.open, bank.CustomerNo(no))
	}
	if len(b) > 0 {
		return nil, errRegister
	}
	return r, nil
}

// restoreRegister takes up what the last process saved of it, and tells up to where it counts registrations.
func (n *Node) restoreRegister() (counted journal.Position, err error) {
	saved, err := n.journal.Snapshot(0)
	if err != nil || saved.State == nil {
		return 0, err
	}
	r, err := decodeRegister(saved.State)
	if err != nil {
		return 0, err
	}
	if here := n.options.Engine != nil; here == r.elsewhere {
		return 0, fmt.Errorf("the saved customers: %w", ErrOtherLedger)
	}
	n.registry.last.Store(uint64(r.last))
	n.pipeline.registered = r.registered
	for _, no := range r.open {
		n.registry.open[no] = struct{}{}
	}
	return r.at, nil
}
