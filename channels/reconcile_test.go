package channels

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/cluster"
	journal "github.com/suanpan-bank/suanpan/journal/embedded"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// branch is a bank with its actors, journal and ledger, and a channel whose answers the test gives.
type branch struct {
	*testing.T
	*cluster.Cluster
	engine *embedded.Engine
	files  string // where those that were read are
	rows   []byte // of the channel's file
	keys   uint64
}

const theDay bank.Date = 20261124

func openBranch(t *testing.T) *branch {
	t.Helper()
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.FixedZone("", 8*3600))
	engine := embedded.New(embedded.Options{})
	node := actors.NewNode(actors.Options{
		Engine: engine, Books: engine, Clock: func() time.Time { return at }, Catalogue: bank.DefaultCatalogue(),
		Unseal: func(b []byte) ([]byte, error) { return b, nil }, Logger: slog.New(slog.DiscardHandler), Sequence: 3,
	})
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal"), journal.Options{OnDurable: node.Durable, OnFault: node.Fault, SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Recover(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := node.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return &branch{T: t, Cluster: cluster.New(node, cluster.Single{Node: node}), engine: engine, files: t.TempDir()}
}

func (b *branch) do(cmd bank.Command) bank.Receipt {
	b.Helper()
	b.keys++
	call := &bank.Call{Command: cmd, Key: bank.U128{Lo: b.keys, Hi: 7}, Body: bank.U128{Lo: b.keys}}
	b.Do(b.Context(), call)
	if call.Err != nil {
		b.Fatalf("%s: %v", cmd.Operation(), call.Err)
	}
	return call.Receipt
}

func (b *branch) must(cmd bank.Command) bank.Receipt {
	b.Helper()
	r := b.do(cmd)
	if r.Refusal != nil {
		b.Fatalf("%s: %v", cmd.Operation(), r.Refusal)
	}
	return r
}

// customer opens a class Ⅰ account with money that a channel brought under a serial.
func (b *branch) customer(id, serial string, fen int64) bank.AccountNo {
	b.Helper()
	r := b.must(&bank.RegisterCustomer{IDKind: bank.ResidentID, Person: bank.PersonSealed{IDSealed: []byte("220113198506150001"), IDToken: id}})
	no := r.Events[0].(*bank.CustomerRegistered).CustomerNo
	account := b.must(&bank.OpenAccount{Customer: no, Class: 1, FaceToFace: true, Card: bank.CardSealed{Token: "card" + id}}).Events[0].(*bank.AccountOpened).AccountNo
	b.must(&bank.CreditInbound{Account: account, AmountFen: fen, Channel: bank.ChannelIBPS, ChannelSerial: serial})
	b.row(serial, bank.TxnID{}, bank.In, fen, true, "")
	return account
}

// out sends money out; answered says how the channel's answer was, if there was one.
func (b *branch) out(from bank.AccountNo, fen int64, answered ...bool) bank.TxnID {
	b.Helper()
	txn := b.must(&bank.TransferOut{Account: from, AmountFen: fen, PayeeToken: "p", Channel: bank.ChannelBranch}).Txn
	for _, success := range answered {
		b.must(&bank.ChannelResult{Transfer: txn, Success: success})
	}
	return txn
}

func (b *branch) row(serial string, txn bank.TxnID, direction bank.Direction, fen int64, success bool, account string) {
	b.rows = AppendRow(b.rows, &bank.FileRow{
		Serial: serial, Transfer: txn, Direction: direction, AmountFen: fen, FeeFen: 1, Success: success, Day: theDay, Account: account,
	})
}

// file is the channel's, of the rows so far.
func (b *branch) file() []byte {
	b.Helper()
	text, err := WholeFile(bank.ChannelIBPS, theDay, b.rows)
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// read has a file read that was sent as a channel's.
func (b *branch) read(through Bank, channel bank.Channel, text []byte) (*Report, error) {
	r := Reconciler{Bank: through, Books: b.engine, Dir: b.files}
	return r.Run(b.Context(), channel, 0, bytes.NewReader(text), bank.By{Operator: "finance"})
}

func (b *branch) reconcile() *Report {
	b.Helper()
	report, err := b.read(b, bank.ChannelIBPS, b.file())
	if err != nil {
		b.Fatal(err)
	}
	return report
}

// booked is what a bank's account has on its normal side: debits if its number begins with 1 or 6, else credits.
func (b *branch) booked(detail uint32, owner uint64) int64 {
	b.Helper()
	a, _ := b.engine.Account(ledger.Uint128(bank.LedgerID(detail, owner, 0)))
	debits, _ := a.DebitsPosted.Int64()
	credits, _ := a.CreditsPosted.Int64()
	if detail < 20_000_000 || detail == bank.DetailChannelCost {
		return debits - credits
	}
	return credits - debits
}

func (b *branch) available(no bank.AccountNo) int64 {
	b.Helper()
	v, err := b.Account(b.Context(), no)
	if err != nil {
		b.Fatal(err)
	}
	return v.AvailableFen
}

// badDay is a day on which everything goes wrong that can.
type badDay struct {
	*branch
	a                   bank.AccountNo
	waits, voided, only bank.TxnID
}

func openBadDay(t *testing.T) *badDay {
	t.Helper()
	b := openBranch(t)
	a := b.customer("a", "IN-1", 10_000_000)
	good, waits := b.out(a, 1_000, true), b.out(a, 2_000)
	paid, voided, posted, unpaid := b.out(a, 3_000), b.out(a, 4_000, false), b.out(a, 5_000, true), b.out(a, 6_000)
	more, less := b.out(a, 7_000, true), b.out(a, 8_000, true)
	only := b.out(a, 9_000, true)
	b.must(&bank.MarkUnknown{Transfer: paid})

	b.row("G", good, bank.Out, 1_000, true, "")
	b.row("K02", paid, bank.Out, 3_000, true, "")
	b.row("K02F", unpaid, bank.Out, 6_000, false, "")
	b.row("K03", voided, bank.Out, 4_000, true, "")
	b.row("K04", posted, bank.Out, 5_000, false, "")
	b.row("K05A", bank.TxnID{}, bank.In, 11_000, true, a.String())
	b.row("K05X", bank.TxnID{}, bank.In, 12_000, true, "6222000000000000001")
	b.row("K05O", bank.TxnID{}, bank.Out, 13_000, true, "")
	b.row("MORE", more, bank.Out, 7_500, true, "")
	b.row("LESS", less, bank.Out, 7_900, true, "")
	b.row("G2", good, bank.Out, 1_000, true, "") // the channel has it twice
	b.row("NONE", bank.TxnID{}, bank.In, 99, false, a.String())
	return &badDay{b, a, waits, voided, only}
}

// badDayBalance: 10,000,000 in; out: good 1,000, waits 2,000 held, paid 3,000, more 7,000, less 8,000, only 9,000;
// late credit 11,000.
const badDayBalance int64 = 10_000_000 - 1_000 - 2_000 - 3_000 - 7_000 - 8_000 - 9_000 + 11_000

// check looks whether each fen is where the rules say.
func (b *badDay) check() {
	b.Helper()
	ibps := uint64(bank.ChannelIBPS)
	for what, c := range map[string][2]int64{
		"the customer":          {b.available(b.a), badDayBalance},
		"shortage":              {b.booked(bank.DetailShortage, ibps), 4_000 + 13_000 + 500},
		"surplus":               {b.booked(bank.DetailSurplus, ibps), 12_000 + 100},
		"channel cost":          {b.booked(bank.DetailChannelCost, 0), 13},
		"compound control (R5)": {b.booked(bank.DetailCompound, 0), 0},
	} {
		if c[0] != c[1] {
			b.Errorf("%s: %d, want %d", what, c[0], c[1])
		}
	}
}

// Afterwards each fen is where the rules say, what is owed to the channel is nothing, and reading the file again
// changes nothing.
func TestEveryDifferenceIsPutRightOnce(t *testing.T) {
	b := openBadDay(t)
	report := b.reconcile()
	var text strings.Builder
	if err := report.Text(&text); err != nil {
		t.Fatal(err)
	}
	t.Log(text.String())
	want := map[string]bank.Resolution{
		"K02": bank.Resolved, "K02F": bank.Resolved, "K03": bank.Resolved, "K04": bank.Resolved, "K05A": bank.Resolved,
		"K05X": bank.Resolved, "K05O": bank.Resolved, "MORE": bank.Resolved, "LESS": bank.Resolved, "G2": bank.ForAPerson, "": bank.Waits,
	}
	if len(report.Differences) != len(want) || report.Matched != 3 {
		t.Errorf("%d differences, %d matched", len(report.Differences), report.Matched)
	}
	for _, d := range report.Differences {
		if d.Outcome != want[d.Serial] {
			t.Errorf("%s %s: %s %s", d.Serial, d.Kind, d.Outcome, d.Code)
		}
	}
	if i := slices.IndexFunc(report.Differences, func(d bank.Difference) bool { return d.Kind == bank.OursOnly }); i < 0 || report.Differences[i].Transfer != b.only {
		t.Error("what only we have is not listed")
	}

	b.check()
	// In the sums: what the file comes to is what it charges, what is booked for its lines, and what is for a person.
	sums := bank.FileSums{NetFen: 1_000 + 3_000 + 4_000 + 13_000 + 7_500 + 7_900 + 1_000 - 10_000_000 - 11_000 - 12_000 + 13, ChargesFen: 13, OpenFen: 1_000, OpenCount: 1, WaitCount: 1}
	sums.Covered = []bank.DaySum{{Date: theDay, Fen: sums.NetFen - sums.ChargesFen - sums.OpenFen}}
	sums.Waiting = []bank.Waiting{{Transfer: b.only, Direction: bank.Out, AmountFen: 9_000}}
	if !reflect.DeepEqual(report.sum, sums) {
		t.Errorf("the file's sums: %+v, wanted %+v", report.sum, sums)
	}
	// Only what the channel does not have yet is still owed to it; and what it has twice, it is to explain.
	if c := report.Clearing; c.OwedFen != 9_000-1_000 || !c.Agrees() || c.PendingOutFen != 2_000 || report.InFlight[0].TransferID != b.waits {
		t.Errorf("clearing: %+v", c)
	}

	again := b.reconcile()
	b.check()
	for _, d := range again.Differences {
		if d.Outcome == bank.Resolved {
			t.Errorf("%s %s is resolved once more", d.Serial, d.Kind)
		}
	}
	if again.NetFen != report.NetFen || again.Clearing != report.Clearing || !reflect.DeepEqual(again.sum, report.sum) {
		t.Errorf("read again: %+v, before %+v", again.Clearing, report.Clearing)
	}
	suspense, err := b.Suspense(t.Context())
	if err != nil || len(suspense) != 4 {
		t.Errorf("%d in suspense, %v", len(suspense), err)
	}
	b.must(&bank.RepayShortage{Transfer: b.voided})
	if got := b.available(b.a); got != badDayBalance-4_000 {
		t.Errorf("after the shortage is made good: %d", got)
	}
}

// dying is a bank whose process dies when so many commands have been carried out, before the answer to the last
// is heard.
type dying struct {
	Bank
	left int
}

var errDead = errors.New("the process died")

func (d *dying) DoAll(ctx context.Context, calls []*bank.Call) {
	for _, call := range calls {
		if d.left > 0 {
			d.left--
			d.Bank.DoAll(ctx, []*bank.Call{call})
		}
		if d.left == 0 {
			call.Receipt, call.Err = bank.Receipt{}, errDead
		}
	}
}

// Wherever a reconciliation dies, also behind a command whose answer nobody heard, sending the file again ends it
// as if nothing had happened.
func TestAReconciliationThatDiesAnywhereIsFinishedByTheNext(t *testing.T) {
	for commands := 0; ; commands++ {
		b := openBadDay(t)
		_, err := b.read(&dying{b, commands}, bank.ChannelIBPS, b.file())
		if err != nil && !errors.Is(err, errDead) {
			t.Fatal(err)
		}
		report := b.reconcile()
		b.check()
		if c := report.Clearing; c.OwedFen != 9_000-1_000 || !c.Agrees() {
			t.Errorf("dead after %d commands: clearing %+v", commands, c)
		}
		if t.Failed() || err == nil {
			if commands < 10 {
				t.Fatalf("only %d commands", commands)
			}
			return
		}
	}
}

// A channel that corrects its file does not have its charges paid twice; the report says what was booked.
func TestACorrectedFileDoesNotChargeTheDayAgain(t *testing.T) {
	b := openBranch(t)
	a := b.customer("a", "IN-1", 10_000)
	first := b.reconcile()
	b.row("LATE", bank.TxnID{}, bank.In, 500, true, a.String())
	corrected := b.reconcile()
	if first.FeeBookedFen != 1 || corrected.FeeFen != 2 || corrected.FeeBookedFen != 1 || b.booked(bank.DetailChannelCost, 0) != 1 {
		t.Errorf("charged %d, then %d of %d; cost %d", first.FeeBookedFen, corrected.FeeBookedFen, corrected.FeeFen, b.booked(bank.DetailChannelCost, 0))
	}
}

// What a channel brought and nobody could have is in the books, and its line is known by its serial, whatever shard has it.
func TestAReceiptThatIsHeldIsInItsFileBySerial(t *testing.T) {
	b := openBranch(t)
	b.must(&bank.BookSuspense{House: bank.HouseNo(700), Kind: bank.Held, Channel: bank.ChannelIBPS, AmountFen: 400, ChannelSerial: "H1", Reason: "x"})
	b.row("H1", bank.TxnID{}, bank.In, 400, true, "")
	report := b.reconcile()
	if report.Matched != 1 || report.DifferenceCount != 0 || !slices.Equal(report.sum.Covered, []bank.DaySum{{Date: theDay, Fen: -400}}) {
		t.Errorf("%+v", report)
	}
}

// Money that came back is in the channel's file as a line of its own, under the serial that came with it. It has been
// given back already: to take the line for money from outside would give it back twice.
func TestMoneyThatCameBackIsNotCreditedOnceMoreByItsLine(t *testing.T) {
	b := openBranch(t)
	a := b.customer("a", "IN-1", 100_000)
	out := b.out(a, 9_000, true)
	for i, serial := range []string{"BACK-1", "BACK-2"} { // in two parts
		b.must(&bank.ReturnTransfer{Transfer: out, AmountFen: 4_500, ChannelSerial: serial})
		b.row(serial, bank.TxnID{}, bank.In, 4_500, true, []string{"", a.String()}[i])
	}
	b.row("OUT", out, bank.Out, 9_000, true, "")
	report := b.reconcile()
	if report.Matched != 4 || report.DifferenceCount != 0 || b.available(a) != 100_000 || report.Clearing.OwedFen != 0 {
		t.Errorf("%+v, the customer has %d", report, b.available(a))
	}
	if want := []bank.DaySum{{Date: theDay, Fen: 9_000 - 4_500 - 4_500 - 100_000}}; !slices.Equal(report.sum.Covered, want) || report.sum.OpenFen != 0 {
		t.Errorf("%+v", report.sum)
	}
}

// A channel whose day ends before ours has in its next file what it had in the one before: nobody is to look for it.
func TestWhatTheFileOfTheDayBeforeHadIsNotMissedInTheNext(t *testing.T) {
	b := openBranch(t)
	a := b.customer("a", "IN-1", 10_000)
	early := b.out(a, 1_000, true)
	day := theDay.AddDays(-1)
	row := bank.FileRow{Serial: "S", Transfer: early, Direction: bank.Out, AmountFen: 1_000, Success: true, Day: day}
	file, err := WholeFile(bank.ChannelIBPS, day, AppendRow(nil, &row))
	if err != nil {
		t.Fatal(err)
	}
	before, err := b.read(b, bank.ChannelIBPS, file)
	if err != nil || before.Matched != 1 || !slices.Equal(before.sum.Covered, []bank.DaySum{{Date: theDay, Fen: 1_000}}) {
		t.Fatalf("%+v %v", before, err)
	}
	if report := b.reconcile(); report.DifferenceCount != 0 || report.sum.WaitCount != 0 {
		t.Errorf("%+v", report)
	}
}

// UnionPay's file says nothing of what went by NetsUnion, though both are under one subject.
func TestAChannelsFileIsNotComparedWithAnothersTransfers(t *testing.T) {
	b := openBranch(t)
	a := b.customer("a", "IN-1", 10_000)
	b.must(&bank.CreditInbound{Account: a, AmountFen: 70, Channel: bank.ChannelNetsUnion, ChannelSerial: "N1"})
	for channel, rows := range map[bank.Channel]string{bank.ChannelUnionPay: "", bank.ChannelNetsUnion: "N1,,IN,70,0,SUCCESS,2026-11-24,\n"} {
		file, err := WholeFile(channel, theDay, []byte(rows))
		if err != nil {
			t.Fatal(err)
		}
		report, err := b.read(b, channel, file)
		if err != nil || report.DifferenceCount != 0 || report.Matched != strings.Count(rows, "\n") || report.Clearing.OwedFen != 0 {
			t.Errorf("%s: %+v %v", channel, report, err)
		}
	}
}

// A day that went wrong altogether is told whole: the report shows the first and says how many more there are and where.
func TestAllDifferencesOfABadDayCanBeRead(t *testing.T) {
	b := openBranch(t)
	a := b.customer("a", "IN-1", 10_000)
	const many = DifferencesShown + 50
	for i := range many {
		b.row(fmt.Sprint("K", i), bank.TxnID{}, bank.In, 1, true, a.String())
	}
	good := b.out(a, 1_000, true)
	b.row("G", good, bank.Out, 1_000, true, "")
	b.row("G", good, bank.Out, 1_000, true, "") // for a person
	report := b.reconcile()
	if report.DifferenceCount != many+1 || len(report.Differences) < DifferencesShown || report.OpenCount != 1 {
		t.Fatalf("%d differences, %d listed, %d open", report.DifferenceCount, len(report.Differences), report.OpenCount)
	}
	if f := report.finished(); len(f.Differences) != bank.DifferencesListed || f.Differences[0].Outcome != bank.ForAPerson || f.DifferenceCount != many+1 {
		t.Errorf("the event lists %d of %d, first %+v", len(f.Differences), f.DifferenceCount, f.Differences[0])
	}
	var text strings.Builder
	if err := report.Text(&text); err != nil || !strings.Contains(text.String(), "more; 全部 all of them: GET /v1/channel/files/IBPS/2026-11-24/differences") {
		t.Errorf("%v\n%s", err, text.String())
	}
	all, err := os.ReadFile((&Reconciler{Dir: b.files}).Differences(bank.ChannelIBPS, theDay))
	if err != nil || bytes.Count(all, []byte("\n")) != many+2 || !bytes.Contains(all, []byte("DUPLICATE_ROW")) {
		t.Errorf("%d lines, %v", bytes.Count(all, []byte("\n")), err)
	}
	left, err := filepath.Glob(filepath.Join(b.files, readingDir+"*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestAFileOfAnotherChannelIsNotRead(t *testing.T) {
	b := openBranch(t)
	text, err := WholeFile(bank.ChannelUnionPay, theDay, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.read(b, bank.ChannelIBPS, text); !errors.Is(err, ErrChannel) {
		t.Error("UnionPay's file was taken for that of IBPS", err)
	}
}

func TestATransferOlderThanADayMustBeKnownToBeUnknown(t *testing.T) {
	open := []bank.Open{{Date: 20261123}, {Date: 20261123, Unknown: true}, {Date: 20261124}}
	if unmarked, all := Overdue(open, 20261124); len(unmarked) != 1 || all != 2 {
		t.Errorf("%v of %d", unmarked, all)
	}
}
