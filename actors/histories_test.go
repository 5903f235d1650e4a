package actors

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// history is a random life of a branch: clients that pay one another and repeat what they were not told,
// a ledger that loses one call in several, and a node that dies.
type history struct {
	*testing.T
	mu       sync.RWMutex // held for writing while the node is dead
	branch   *branch
	accounts []bank.AccountNo
	funds    int64
}

const (
	historyClients  = 6
	historyPayments = 40 // of each client
	historyDeaths   = 4
)

// Money is neither made nor lost, every key has one answer, and the balances are what the answers say,
// whatever fails.
func TestRandomHistoriesWithFailuresEndAsTheirAnswersSay(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := &history{T: t, funds: 2000}
			if seed%2 == 0 {
				h.branch = openBranch(t, newMemoryJournal(), newEngine())
			} else {
				h.branch = openBranch(t, newMemoryJournal(), newEngine(), crowded)
			}
			for i := range 8 {
				h.accounts = append(h.accounts, h.branch.customer(fmt.Sprint(i), h.funds))
			}
			h.run(seed)
		})
	}
}

func (h *history) run(seed uint64) {
	h.spoil(seed)
	var clients sync.WaitGroup
	done := make([][]*bank.Call, historyClients)
	for c := range historyClients {
		clients.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(c)))
			for range historyPayments {
				call := h.payment(rng)
				if !h.persist(call) {
					return
				}
				done[c] = append(done[c], call)
			}
		})
	}
	rng := rand.New(rand.NewPCG(seed, 99))
	for range historyDeaths {
		time.Sleep(time.Duration(20+rng.IntN(60)) * time.Millisecond)
		h.mu.Lock()
		h.branch = h.branch.restarted()
		h.mu.Unlock()
		h.spoil(rng.Uint64())
	}
	clients.Wait()
	h.branch.link.mend()
	h.branch.resolved()
	h.check(done)
}

// spoil lets the ledger fail at random: not sent, or sent and the answer lost.
func (h *history) spoil(seed uint64) {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 7))
	one := func(in int) bool {
		mu.Lock()
		defer mu.Unlock()
		return rng.IntN(in) == 0
	}
	l := h.branch.link
	l.set(func() {
		l.before = func(string, int) error {
			if one(8) {
				return ledger.ErrUnavailable
			}
			return nil
		}
		l.after = func(string) error {
			if one(8) {
				return ledger.ErrOutcomeUnknown
			}
			return nil
		}
	})
}

func (h *history) payment(rng *rand.Rand) *bank.Call {
	h.mu.RLock()
	defer h.mu.RUnlock()
	from, to := rng.IntN(len(h.accounts)), rng.IntN(len(h.accounts)-1)
	if to >= from {
		to++
	}
	fen := rng.Int64N(900) + 1
	return &bank.Call{
		Command: &bank.TransferInternal{Payer: h.accounts[from], Payee: h.accounts[to], AmountFen: fen},
		Key:     bank.U128{Lo: rng.Uint64(), Hi: rng.Uint64()}, Body: bank.U128{Lo: uint64(fen)},
	}
}

// persist repeats a call until it is answered, as clients do.
func (h *history) persist(call *bank.Call) bool {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		h.mu.RLock()
		try := again(call)
		h.branch.send(try)()
		h.mu.RUnlock()
		if try.Err == nil {
			call.Receipt = try.Receipt
			return true
		}
		if time.Now().After(deadline) {
			h.Errorf("no answer: %v", try.Err)
			return false
		}
	}
}

func (h *history) check(done [][]*bank.Call) {
	b := h.branch
	want := map[bank.AccountNo]int64{}
	refused, unexplained := 0, 0
	for _, calls := range done {
		for _, call := range calls {
			repeat := again(call)
			b.send(repeat)()
			first, second := call.Receipt, repeat.Receipt
			if repeat.Err != nil || first.Txn != second.Txn || (first.Refusal == nil) != (second.Refusal == nil) ||
				first.Refusal != nil && *first.Refusal != *second.Refusal || first.Balances[0] != second.Balances[0] {
				h.Fatalf("first %+v, repeated %+v %v", first, second, repeat.Err)
			}
			m := call.Command.(*bank.TransferInternal)
			switch {
			case first.Refusal == nil:
				want[m.Payer] -= m.AmountFen
				want[m.Payee] += m.AmountFen
			case first.Refusal.Code == bank.RefusedByLedger:
				unexplained++
			case first.Refusal.Code != bank.InsufficientFunds:
				h.Errorf("refused for %s", first.Refusal.Code)
			}
			if first.Refusal != nil {
				refused++
			}
		}
	}
	sum := int64(0)
	for _, no := range h.accounts {
		v := b.balance(no)
		sum += v.PostedFen
		if v.PostedFen != h.funds+want[no] || v.AvailableFen != v.PostedFen || v.PostedFen < 0 {
			h.Errorf("%s: has %+v, want %d", no, v, h.funds+want[no])
		}
		if s := b.node.slot(no.Customer()); s != nil && s.desk.Standing(no).ReservedFen != 0 {
			h.Errorf("%s: %d fen stay reserved", no, s.desk.Standing(no).ReservedFen)
		}
	}
	if sum != int64(len(h.accounts))*h.funds {
		h.Errorf("the branch holds %d fen", sum)
	}
	b.agrees()
	h.Logf("%d refused, %d of them without a reason; %d records", refused, unexplained, b.journal.Last())
	if err := b.node.Ready(); err != nil && !errors.Is(err, bank.ErrLedgerUnavailable) {
		h.Error(err)
	}
}
