package audit

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
	"github.com/suanpan-bank/suanpan/streams"
	"github.com/suanpan-bank/suanpan/streams/reporting"
)

// evidence is of a bank that has posted n payments of 10 fen, all told on one partition.
func evidence(n int) (*Evidence, []*streams.Tailed) {
	a, b := ledger.U64(1), ledger.U64(2)
	fen := int64(10 * n)
	figures := []reporting.AccountFigures{
		{Ledger: 156, ID: a, Balances: streams.Balances{DebitsPosted: fen}}, {Ledger: 156, ID: b, Balances: streams.Balances{CreditsPosted: fen}},
	}
	e := &Evidence{Position: 100, Ledger: figures, Journal: append([]reporting.AccountFigures{}, figures...), Events: map[string]uint64{bank.CustomerNo(1).String(): uint64(n)}}
	e.Report = reporting.Figures{Accounts: append([]reporting.AccountFigures{}, figures...), Next: map[string][]int64{bank.TopicAccount: {int64(n)}}}
	var messages []*streams.Tailed
	for i := range n {
		env := streams.Envelope{
			Type: "InternalTransferred", CustomerToken: bank.CustomerNo(1).String(), ActorSeq: uint64(i + 1), Position: uint64(i + 1), Payload: []byte("{}"),
			TxnID:   bank.NewTxnID(1, 1, uint64(i+1)),
			Entries: []streams.Entry{{Ledger: 156, Phase: streams.Posted, Debit: a, Credit: b, AmountFen: 10}},
		}
		env.AccountingDate = 20261124
		value, err := json.Marshal(&env)
		if err != nil {
			panic(err)
		}
		messages = append(messages, &streams.Tailed{Topic: bank.TopicAccount, Offset: int64(i), First: i == 0, Value: value})
	}
	return e, messages
}

func check(t *testing.T, e *Evidence, messages []*streams.Tailed) (bool, string) {
	t.Helper()
	var out strings.Builder
	agree, err := Check(context.Background(), e, func(_ context.Context, fn func(*streams.Tailed) error) error {
		for _, m := range messages {
			if err := fn(m); err != nil {
				return err
			}
		}
		return nil
	}, &out)
	if err != nil {
		t.Fatal(err)
	}
	return agree, out.String()
}

func TestBooksThatAgreeDo(t *testing.T) {
	e, messages := evidence(5)
	if agree, out := check(t, e, messages); !agree {
		t.Error(out)
	}
	repeated := append(append([]*streams.Tailed{}, messages...), &streams.Tailed{Topic: bank.TopicAccount, Offset: 5, Value: messages[2].Value})
	if agree, out := check(t, e, repeated); !agree || !strings.Contains(out, "1 of them repeated") {
		t.Error(out)
	}
}

// Each is a way in which money could be lost between two parts; verify is there to see it.
func TestEveryDifferenceIsSeen(t *testing.T) {
	for what, change := range map[string]struct {
		do   func(*Evidence, []*streams.Tailed) []*streams.Tailed
		line string
	}{
		"a ledger that is not what the journal says": {func(e *Evidence, m []*streams.Tailed) []*streams.Tailed {
			e.Journal[0].DebitsPosted++
			return m
		}, "journal = ledger"},
		"a ledger that does not balance": {func(e *Evidence, m []*streams.Tailed) []*streams.Tailed {
			e.Ledger[0].DebitsPosted++
			return m
		}, "Σ debits = Σ credits"},
		"an event that is missing": {func(_ *Evidence, m []*streams.Tailed) []*streams.Tailed {
			return append(append([]*streams.Tailed{}, m[:2]...), m[3:]...)
		}, "no gap in the stream"},
		"an amount that differs": {func(_ *Evidence, m []*streams.Tailed) []*streams.Tailed {
			m[1].Value = []byte(strings.Replace(string(m[1].Value), `"amount_fen":10`, `"amount_fen":11`, 1))
			return m
		}, "stream = ledger"},
		"a report that counted twice": {func(e *Evidence, m []*streams.Tailed) []*streams.Tailed {
			e.Report.Accounts[0].DebitsPosted += 10
			e.Report.Accounts[1].CreditsPosted += 10
			return m
		}, "report = stream"},
		"a gap in the report": {func(e *Evidence, m []*streams.Tailed) []*streams.Tailed { e.Report.Gaps = []string{"C"}; return m }, "no gap in the report"},
		"a dead letter":       {func(e *Evidence, m []*streams.Tailed) []*streams.Tailed { e.Report.Dead = 1; return m }, "no dead letters"},
		"an unreadable event": {func(_ *Evidence, m []*streams.Tailed) []*streams.Tailed { m[4].Value = []byte("{"); return m }, "event readable"},
		"a kept record that is not what the stream says": {func(e *Evidence, m []*streams.Tailed) []*streams.Tailed {
			keptFrom(e, 3, 31)
			return m
		}, "stream = journal"},
		"kept records that move more than the ledger has": {func(e *Evidence, m []*streams.Tailed) []*streams.Tailed {
			keptFrom(e, 3, 51)
			return m
		}, "journal fits ledger"},
		"a stream cut short, and a report that is wrong": {func(e *Evidence, m []*streams.Tailed) []*streams.Tailed {
			m[2].First = true
			e.Report.Accounts[0].DebitsPosted++
			return m[2:]
		}, "report = ledger"},
	} {
		e, messages := evidence(5)
		agree, out := check(t, e, change.do(e, messages))
		if agree || !strings.Contains(out, fmt.Sprintf("%-26s DIFFERS", change.line)) {
			t.Errorf("%s is not seen:\n%s", what, out)
		}
	}
}

// keptFrom makes the evidence that of a journal that has let go what is before the position and has moved fen since.
func keptFrom(e *Evidence, from journal.Position, fen int64) {
	e.From = from
	e.Journal[0].DebitsPosted, e.Journal[1].CreditsPosted = fen, fen
}

func TestAJournalThatLetItsBeginningGoIsComparedFromThereOn(t *testing.T) {
	e, messages := evidence(5)
	keptFrom(e, 3, 30)
	if agree, out := check(t, e, messages); !agree || !strings.Contains(out, "stream = journal") {
		t.Error(out)
	}
}

func TestAStreamThatLostItsBeginningStillProvesTheReport(t *testing.T) {
	e, messages := evidence(5)
	e.Position = 4 // the last event came after the ledger was read
	for _, f := range [][]reporting.AccountFigures{e.Ledger, e.Journal} {
		f[0].DebitsPosted, f[1].CreditsPosted = 40, 40
	}
	e.Events[bank.CustomerNo(1).String()] = 4
	messages[2].First = true
	if agree, out := check(t, e, messages[2:]); !agree || !strings.Contains(out, "report = ledger") {
		t.Error(out)
	}
}

// paged is a ledger that answers three accounts at a time.
type paged struct{ *embedded.Engine }

func (paged) Limits() ledger.Limits { return ledger.Limits{BatchMax: 3, QueryMax: 3} }

// A ledger elsewhere is read page by page; an account between two pages must be neither missed nor read
// twice, or verify would see differences that are none.
func TestALedgerElsewhereIsReadWhole(t *testing.T) {
	for _, accounts := range []uint64{0, 2, 3, 4, 6, 7} {
		engine := embedded.New(embedded.Options{})
		for i := range accounts {
			engine.ExecuteAccounts(0, []ledger.Account{{ID: ledger.U64(i + 1), Ledger: 156, Code: 1}}, nil)
		}
		for i := uint64(1); i < accounts; i++ {
			engine.ExecuteTransfers(0, []ledger.Transfer{{ID: ledger.U64(100 + i), DebitAccountID: ledger.U64(i), CreditAccountID: ledger.U64(i + 1), Amount: ledger.U64(i), Ledger: 156, Code: 1}}, nil)
		}
		here, err := Ledger(engine, 5)
		if err != nil {
			t.Fatal(err)
		}
		there := NewBooks()
		err = EachAccount(t.Context(), paged{engine}, there.Add)
		if err != nil || len(there.Accounts) != int(accounts) {
			t.Fatalf("%d accounts: %+v %v", accounts, there, err)
		}
		if list, count := Differences(here, there, 10); count > 0 {
			t.Error(list)
		}
	}
}
