package channels

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// greatDay is a bank on a day of so many payments of its customers, one each, all of which succeeded. Its ledger makes
// up what it is asked for.
type greatDay struct {
	Bank    // nil: nothing else is asked
	byShard [bank.ShardCount][]bank.CustomerNo
}

func paymentOf(no bank.CustomerNo) bank.TxnID { return bank.NewTxnID(1_800_000_000_000, no, 1) }

func (g *greatDay) DoAll(_ context.Context, calls []*bank.Call) {
	for _, call := range calls {
		if m, ok := call.Command.(*bank.SettleClearing); ok {
			call.Receipt.Events = []bank.Event{&bank.ClearingSettled{NetFen: m.NetFen}}
		}
	}
}

func (g *greatDay) OpenTransfers(context.Context) ([]bank.Open, error) { return nil, nil }

func (g *greatDay) LookupAccounts(context.Context, []ledger.Uint128) ([]ledger.Account, error) {
	return nil, nil
}

func (g *greatDay) QueryTransfers(context.Context, ledger.QueryFilter) ([]ledger.Transfer, error) {
	return nil, nil
}

// AccountTransfers lists a request and its settlement for each customer; a timestamp is twice his place and one.
func (g *greatDay) AccountTransfers(_ context.Context, f ledger.AccountFilter) (out []ledger.Transfer, err error) {
	_, shard, _ := bank.SplitLedgerID(bank.U128(f.AccountID))
	for i, no := range g.byShard[shard] {
		t := ledger.Transfer{
			ID: ledger.U64(uint64(no) * 2), Timestamp: uint64(i)*2 + 1, CreditAccountID: f.AccountID, Amount: ledger.U64(100),
			UserData128: ledger.Uint128(paymentOf(no)), UserData32: f.UserData32, Code: 1112, Flags: ledger.TransferPending,
		}
		post := t
		post.ID, post.PendingID, post.Timestamp, post.Flags = ledger.U64(uint64(no)*2+1), t.ID, t.Timestamp+1, ledger.TransferPostPending
		for _, t := range []ledger.Transfer{t, post} {
			if t.Timestamp >= f.TimestampMin {
				out = append(out, t)
			}
			if len(out) == int(f.Limit) {
				return out, nil
			}
		}
	}
	return out, nil
}

// largeMemory bounds what reading the largest file takes beside what was there.
const largeMemory = 160 << 20

// The largest file is read within the memory that it is said to take: a bank must not die of a good day.
func TestTheLargestFileIsReadWithinItsMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a million rows")
	}
	var g greatDay
	path := filepath.Join(t.TempDir(), "file.csv")
	disk, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(disk)
	fmt.Fprintf(out, "%s,%s,%s,%s,,,,\n", fileWord, version, bank.ChannelIBPS, theDay)
	for i := range RowsMax {
		no := bank.CustomerNo(i + 1)
		g.byShard[no.Shard()] = append(g.byShard[no.Shard()], no)
		row := bank.FileRow{Serial: fmt.Sprintf("SERIAL-OF-THE-CHANNEL-%010d", i), Transfer: paymentOf(no), Direction: bank.Out, AmountFen: 100, Success: true, Day: theDay}
		out.Write(AppendRow(nil, &row))
	}
	fmt.Fprintf(out, "%s,%d,IN,0,OUT,%d,FEE,0\n", totalWord, RowsMax, RowsMax*100)
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	runtime.GC()
	before, most := heap(), uint64(0)
	stop, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for {
			most = max(most, heap())
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	begun := time.Now()
	report, err := (&Reconciler{Bank: &g, Books: &g, Dir: t.TempDir()}).Run(t.Context(), bank.ChannelIBPS, theDay, bufio.NewReader(disk), bank.By{})
	close(stop)
	<-watched
	if err != nil || report.Matched != RowsMax || report.DifferenceCount != 0 || report.sum.Covered[0].Fen != RowsMax*100 {
		t.Fatalf("%+v %v", report, err)
	}
	took := most - min(most, before)
	t.Logf("%d rows in %s, %d MiB of memory", RowsMax, time.Since(begun).Round(time.Millisecond), took>>20)
	if took > largeMemory {
		t.Errorf("it took %d MiB", took>>20)
	}
	if err := disk.Close(); err != nil {
		t.Error(err)
	}
}
