package streams

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Consumers read what json.Marshal would have written, whatever is in an envelope.
func TestAnEnvelopeIsWrittenAsJSONMarshalWouldWriteIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := func() ledger.Uint128 {
			return ledger.Uint128{Lo: rapid.Uint64().Draw(t, "lo"), Hi: rapid.Uint64().Draw(t, "hi")}
		}
		text, plain := rapid.StringN(0, 20, -1), rapid.StringMatching(`[0-9A-Za-z]{0,30}`)
		env := Envelope{
			EventID: plain.Draw(t, "id"), Type: plain.Draw(t, "type"), SchemaVersion: rapid.IntRange(0, 9).Draw(t, "version"),
			OccurredAtNs: rapid.Int64().Draw(t, "at"), AccountingDate: rapid.SampledFrom([]bank.Date{0, 20261124, 19930101}).Draw(t, "date"),
			CustomerToken: plain.Draw(t, "customer"), ActorSeq: rapid.Uint64().Draw(t, "seq"), TxnID: bank.TxnID(id()), CausationID: bank.U128(id()),
			Channel: bank.Channel(rapid.IntRange(0, 10).Draw(t, "channel")), Teller: rapid.Uint16().Draw(t, "teller"), TellerSerial: rapid.Uint64().Draw(t, "serial"),
			Branch: text.Draw(t, "branch"), RegionCode: rapid.Uint32().Draw(t, "region"), TraceID: text.Draw(t, "trace"),
			Position: rapid.Uint64().Draw(t, "position"), Classification: "C2", PayloadHash: plain.Draw(t, "hash"), Payload: []byte(`{"a":[1,2]}`),
		}
		for range rapid.IntRange(0, 3).Draw(t, "transfers") {
			env.TransferIDs = append(env.TransferIDs, id())
			env.Entries = append(env.Entries, Entry{
				ID: id(), Ledger: rapid.Uint32().Draw(t, "ledger"), Code: rapid.Uint16().Draw(t, "code"), Phase: Post, Debit: id(), Credit: id(),
				AmountFen: rapid.Int64().Draw(t, "amount"), ReleasedFen: rapid.SampledFrom([]int64{0, 7, -7}).Draw(t, "released"),
			})
		}
		want, err := json.Marshal(&env)
		if err != nil {
			t.Fatal(err)
		}
		if got := env.appendJSON(nil); !bytes.Equal(got, want) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

// A closed day is written for every customer without reflection: what consumers read must not depend on that.
func TestAClosedDayIsWrittenAsJSONMarshalWouldWriteIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		no := bank.CustomerNo(rapid.Uint64Range(1, uint64(bank.CustomerNoMax)).Draw(t, "customer"))
		e := &bank.CustomerDayClosed{CustomerNo: no, Date: 20261124}
		for i := range rapid.IntRange(0, 2).Draw(t, "balances") {
			e.Balances = append(e.Balances, bank.ClosingBalance{Account: bank.NewAccountNo(1, no, uint8(i)), NetFen: rapid.Int64().Draw(t, "net")})
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "accruals") {
			a := bank.DayAccrual{Product: rapid.SampledFrom([]string{"JFC3M", "CLASS_I", `odd "one"`}).Draw(t, "product"), DeltaFen: rapid.Int64().Draw(t, "delta")}
			if rapid.Bool().Draw(t, "deposit") {
				a.Deposit = bank.NewContractNo(bank.DepositContract, no, uint32(i+1))
			} else {
				a.Account, a.PeriodStart = bank.NewAccountNo(1, no, 0), 20260921
			}
			e.Accruals = append(e.Accruals, a)
		}
		want, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := appendPayload(nil, e); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v\ngot  %s\nwant %s", err, got, want)
		}
	})
}
