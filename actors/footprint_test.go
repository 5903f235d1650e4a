package actors

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
)

// customerBytesMax is what a customer in memory may take beyond his contracts.
const customerBytesMax = 2 << 10

// A node whose customers take more holds fewer of them than InMemoryMax says, or dies of them. What counts is
// the slot with state and desk (one account with its bound card, no contracts), the actor, and what
// Proto.Actor keeps for it.
func TestACustomerInMemoryTakesAtMostTwoKibibytes(t *testing.T) {
	customers := bank.CustomerNo(InMemoryMaxDefault)
	if testing.Short() {
		customers /= 4
	}
	empty := heap()
	o := openOffice(t, savedCustomers(t, customers))
	o.node.registry.last.Store(uint64(customers))
	began := heap()
	first := make(map[uint16]bool)
	for no := range customers { // one of each shard: shards are not customers
		if shard := (no + 1).Shard(); !first[shard] {
			first[shard] = true
			o.visit(no + 1)
		}
	}
	shards := heap()
	for no := range customers {
		o.visit(no + 1)
	}
	each := float64(heap()-shards) / float64(int(customers)-len(first))
	t.Logf("%.0f B a customer; once: %d B, with what is saved of the customers", each, began-empty)
	t.Logf("%.0f B a shard with its first customer", float64(shards-began)/float64(len(first)))
	if got := o.node.InMemory(); got != int64(customers) {
		t.Fatalf("%d customers are in memory, not %d", got, customers)
	}
	if each > customerBytesMax {
		t.Errorf("a customer takes %.0f B, more than %d", each, customerBytesMax)
	}
}

// heap is how much memory is in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // empties the pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// visit brings a customer to memory with his actor.
func (o *office) visit(no bank.CustomerNo) {
	o.tb.Helper()
	q := NewQuery(no, func(*View) {})
	pid, err := o.node.Shard(no.Shard())
	if err != nil {
		o.tb.Fatal(err)
	}
	o.node.System().Root.Send(pid, q)
	if err := q.Wait(o.tb.Context(), nil); err != nil {
		o.tb.Fatal(err)
	}
}

// savedCustomers is a journal with saved states of customers as ingress makes them.
func savedCustomers(t *testing.T, customers bank.CustomerNo) *memoryJournal {
	t.Helper()
	j := newMemoryJournal()
	for n := range customers {
		no := n + 1
		token := func(kind string) string { return fmt.Sprintf("%s%032x", kind, no)[:32] }
		account := bank.NewAccountNo(1, no, 0)
		date := bank.DateOf(testClock())
		counter := bank.Counter{Day: date, DayFen: 1_000, YearFen: 2_000}
		head := journal.Head{Seq: 3, EventSeq: 4}
		state, err := bank.AppendState(nil, &bank.Customer{
			No: no, Seq: head.Seq, Registered: date, IDKind: bank.ResidentID, Region: 220113,
			Person: bank.PersonSealed{
				NameSealed: make([]byte, 42), IDSealed: make([]byte, 51), MobileSealed: make([]byte, 44),
				IDToken: token("i"), MobileToken: token("m"), NameToken: token("n"),
				NameMasked: "张*", IDMasked: "220113" + strings.Repeat("*", 8) + "0001", MobileMasked: "138****0000",
			},
			Accounts: []bank.EAccount{{
				No: account, Product: bank.ProductDemoCurrent, State: bank.AccountNormal, OpenedOn: date, Out: counter,
				Card: bank.CardSealed{Sealed: make([]byte, 52), Token: token("c"), Masked: "6222************001", Bank: "102100099996", Kind: "CLASS_1"},
			}},
		}, &bank.Desk{Accounts: []bank.Standing{{Account: account, Product: bank.ProductDemoCurrent, State: bank.AccountNormal, In: counter}}})
		if err != nil {
			t.Fatal(err)
		}
		j.snapshots[uint64(no)] = journal.Snapshot{Customer: uint64(no), Head: head, State: state}
		j.heads[uint64(no)] = head
	}
	return j
}
