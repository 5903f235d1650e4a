package bank

import "testing"

// A house stands on its shard, and nobody's number can be taken for it.
func TestEveryShardHasAHouseOfItsOwn(t *testing.T) {
	for shard := range uint16(ShardCount) {
		no := HouseNo(shard)
		if no.Shard() != shard || !no.IsHouse() || no <= CustomerNoMax {
			t.Fatalf("the house of shard %d is %d on shard %d", shard, no, no.Shard())
		}
		if back, err := ParseCustomerNo(no.String()); err != nil || back != no {
			t.Fatalf("%s reads as %d, %v", no, back, err)
		}
		txn := NewTxnID(1_780_000_000_000, no, 7)
		if back, err := ParseTxnID(txn.String()); err != nil || back != txn || back.Customer() != no {
			t.Fatalf("%s reads as %v, %v", txn, back, err)
		}
		if id := TransferID(txn, 0, 0); id.Lo>>50|id.Hi&0xFFFF<<14 != uint64(no) {
			t.Fatalf("a transfer of house %d names %d", no, id.Lo>>50|id.Hi&0xFFFF<<14)
		}
	}
	for _, no := range []CustomerNo{0, 1, CustomerNoMax, houseBase - 1, houseBase + ShardCount} {
		if no.IsHouse() {
			t.Errorf("%d is a house", no)
		}
	}
	if _, err := ParseCustomerNo(string(appendLuhn([]byte("H000001024"), 1))); err == nil {
		t.Error("there is no shard 1024")
	}
}

func TestTheHouseTakesNoCustomersCommands(t *testing.T) {
	c := &Customer{No: HouseNo(3)}
	for _, cmd := range []Command{&OpenAccount{Customer: c.No, Class: 2}, &TransferIn{AmountFen: 1}, &ApplyLoan{Customer: c.No}} {
		if _, r := Decide(c, cmd, &Env{Catalogue: DefaultCatalogue()}); r == nil || r.Code != UnknownTo(cmd) {
			t.Errorf("%s: %v", cmd.Operation(), r)
		}
	}
	if (&Customer{No: 5}).Exists() || !c.Exists() {
		t.Error("the house exists, and a stranger does not")
	}
}
