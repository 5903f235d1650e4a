package embedded

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

// history makes requests that use everything: chains that fail, pending transfers that are posted, voided
// and forgotten, closings, repeated and burnt ids, amounts beyond 64 bits.
type history struct {
	random *rand.Rand
	now    uint64
	ids    uint64
}

const historyAccounts = 300

func newHistory(seed uint64) *history {
	return &history{random: rand.New(rand.NewPCG(seed, 1)), now: 1}
}

func (h *history) accounts() entry {
	accounts := make([]ledger.Account, historyAccounts)
	for i := range accounts {
		accounts[i] = ledger.Account{ID: ledger.U64(uint64(i + 1)), Ledger: book, Code: 1, UserData128: ledger.U64(uint64(i % 7))}
		switch i % 4 {
		case 1:
			accounts[i].Flags = ledger.AccountDebitsMustNotExceedCredits | ledger.AccountHistory
		case 3:
			accounts[i].Flags = ledger.AccountHistory
		}
	}
	return entry{now: h.now, accounts: accounts}
}

// next makes the next request.
func (h *history) next() entry {
	h.now += h.random.Uint64N(second)
	if h.random.IntN(20) == 0 {
		return entry{now: h.now, pulse: true}
	}
	transfers := make([]ledger.Transfer, 1+h.random.IntN(1000))
	for i := range transfers {
		transfers[i] = h.transfer()
	}
	transfers[len(transfers)-1].Flags &^= linked
	return entry{now: h.now, transfers: transfers}
}

func (h *history) transfer() ledger.Transfer {
	h.ids++
	// A few accounts are busy.
	account := func() ledger.Uint128 {
		if h.random.IntN(3) == 0 {
			return ledger.U64(1 + h.random.Uint64N(3))
		}
		return ledger.U64(1 + h.random.Uint64N(historyAccounts))
	}
	t := ledger.Transfer{
		ID: ledger.U64(h.ids), DebitAccountID: account(), CreditAccountID: account(), Amount: ledger.U64(h.random.Uint64N(50)),
		Ledger: book, Code: uint16(1 + h.random.IntN(3)), UserData128: ledger.U64(h.random.Uint64N(5000)),
		UserData64: h.random.Uint64N(3), UserData32: uint32(h.random.IntN(40)),
	}
	switch h.random.IntN(12) {
	case 0, 1:
		t.Flags = ledger.TransferPending
		t.Timeout = uint32(h.random.IntN(20))
	case 2, 3:
		t.Flags = ledger.TransferPostPending
		if h.random.IntN(3) == 0 {
			t.Flags = ledger.TransferVoidPending
		}
		t.PendingID = ledger.U64(1 + h.random.Uint64N(h.ids))
		if h.random.IntN(2) == 0 {
			t.PendingID = ledger.U64(1 + h.ids - h.random.Uint64N(min(h.ids, 200)))
		}
		t.DebitAccountID, t.CreditAccountID, t.Ledger, t.Code, t.Amount = ledger.Uint128{}, ledger.Uint128{}, 0, 0, ledger.Uint128{}
		if t.Flags == ledger.TransferPostPending {
			t.Amount = ledger.AmountMax
		}
	case 4:
		t.ID = ledger.U64(1 + h.random.Uint64N(h.ids))
	case 5:
		t.Amount = ledger.Uint128{Hi: h.random.Uint64N(2)}
	case 6:
		t.Flags = ledger.TransferBalancingDebit
	case 7:
		if h.random.IntN(200) == 0 {
			t.Flags, t.Timeout = ledger.TransferPending|ledger.TransferClosingDebit, 1
		}
	}
	if h.random.IntN(3) == 0 {
		t.Flags |= linked
	}
	return t
}

// requests makes a history of at least so many transfers.
func (h *history) requests(transfers int) []entry {
	out := []entry{h.accounts()}
	for n := 0; n < transfers; {
		next := h.next()
		n += len(next.transfers)
		out = append(out, next)
	}
	return out
}

// run executes the history until so many transfers are made.
func (h *history) run(e *Engine, transfers uint32) {
	x := h.accounts()
	x.execute(e)
	for e.transfers.n < transfers {
		x = h.next()
		x.execute(e)
	}
}

func attach(t *testing.T, dir string) (*Engine, uint64) {
	t.Helper()
	e, mark, err := Attach(dir, Options{ResidentBytes: 1}) // the least there is: most rows are read from the disk
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e, mark
}

// save writes a snapshot.
func save(t *testing.T, e *Engine, mark uint64) {
	t.Helper()
	s, err := e.BeginSnapshot(mark)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(context.Background(), alwaysLogged); err != nil {
		t.Fatal(err)
	}
}

func alwaysLogged(context.Context) error { return nil }

// A bank's history lies on disk, and its answers must not depend on where.
func TestAnEngineOnDiskAnswersAsOneInMemory(t *testing.T) {
	memory := New(Options{})
	disk, _ := attach(t, t.TempDir())
	for i, x := range newHistory(1).requests(120_000) {
		want, expiredThere := x.execute(memory)
		got, expiredHere := x.execute(disk)
		if !slices.Equal(got, want) || expiredHere != expiredThere {
			t.Fatalf("request %d is answered otherwise", i)
		}
	}
	if disk.transfers.first == 0 || disk.marks.n == 0 || disk.wide.n == 0 || disk.expiries.n == 0 || disk.burnt.n == 0 {
		t.Fatal("the test was to have rows of every kind, and transfers on disk only")
	}
	if difference := contentsOf(memory).difference(contentsOf(disk)); difference != "" {
		t.Fatal(difference)
	}
	checkInvariants(t, disk)
}

// A node that starts again has its snapshot and the records behind it, and must have the same books. The
// snapshot is written while requests go on, which must not show in it.
func TestASnapshotTakenUnderTrafficAndTheRequestsBehindItMakeTheSameBooks(t *testing.T) {
	for seed := range uint64(3) {
		if seed > 0 && testing.Short() {
			break
		}
		dir := t.TempDir()
		requests := newHistory(seed).requests(60_000)
		random := rand.New(rand.NewPCG(seed, 2))
		e, mark := attach(t, dir)
		if mark != 0 {
			t.Fatal("a new directory has a mark")
		}
		// Several lives: each takes snapshots at times of its own, and dies with what it did behind the last.
		for at := 0; at < len(requests); {
			end := min(len(requests), at+1+random.IntN(len(requests)/2))
			var writing chan error
			for ; at < end; at++ {
				requests[at].execute(e)
				if writing == nil && random.IntN(20) == 0 {
					s, err := e.BeginSnapshot(uint64(at + 1))
					if err != nil {
						t.Fatal(err)
					}
					writing = make(chan error, 1)
					go func() { writing <- s.Write(context.Background(), alwaysLogged) }()
				}
				select {
				case err := <-writing:
					if err != nil {
						t.Fatal(err)
					}
					writing = nil
				default:
				}
			}
			if writing != nil {
				if err := <-writing; err != nil {
					t.Fatal(err)
				}
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			e, mark = attach(t, dir)
			at = int(mark)
			if end == len(requests) {
				break
			}
		}
		for i := int(mark); i < len(requests); i++ {
			requests[i].execute(e)
		}
		if mark == 0 {
			t.Fatal("no snapshot was there to begin from")
		}
		memory := New(Options{})
		for i := range requests {
			requests[i].execute(memory)
		}
		if difference := contentsOf(memory).difference(contentsOf(e)); difference != "" {
			t.Fatalf("seed %d, snapshot at %d of %d: %s", seed, mark, len(requests), difference)
		}
		if memory.Timestamp() != e.Timestamp() {
			t.Fatalf("seed %d: time differs", seed)
		}
		checkInvariants(t, e)
	}
}

// If the ledger remembered what its log has lost, a decision that nobody made would have moved money.
func TestASnapshotDoesNotCountBeforeTheLogIsDurable(t *testing.T) {
	dir := t.TempDir()
	e, _ := attach(t, dir)
	x := newHistory(1).accounts()
	x.execute(e)
	s, err := e.BeginSnapshot(1)
	if err != nil {
		t.Fatal(err)
	}
	lost := errors.New("the log's disk is gone")
	if err := s.Write(context.Background(), func(context.Context) error { return lost }); !errors.Is(err, lost) {
		t.Fatalf("got %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	unfinished := filepath.Join(dir, "snapshot-00000000000000000009.state.tmp")
	if err := os.WriteFile(unfinished, []byte("died here"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, mark := attach(t, dir)
	if mark != 0 || again.accounts.n != 0 {
		t.Fatalf("mark %d, %d accounts", mark, again.accounts.n)
	}
	if _, err := os.Stat(unfinished); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("an unfinished snapshot stays: %v", err)
	}
}

// The rows that fill a run of the index by field may be written last. Who has closed an engine may open the directory again,
// or remove it.
func TestNothingIsWrittenBehindAClosedEngine(t *testing.T) {
	e, _ := attach(t, t.TempDir())
	openAccounts(t, e, 1000)
	newPayments(1000).run(t, e, runRows, blockRows)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e.fields.mu.Lock()
	defer e.fields.mu.Unlock()
	if e.fields.filled != runRows || e.fields.building {
		t.Errorf("%d rows are in the index, and it works on: %t", e.fields.filled, e.fields.building)
	}
}

// A process may die between its snapshot's counting and the removal of the one before.
func TestASnapshotThatANewerOneReplacedGoesWithTheNextStart(t *testing.T) {
	dir := t.TempDir()
	e, _ := attach(t, dir)
	save(t, e, 1)
	before, err := snapshots(dir)
	if err != nil || len(before) != 1 {
		t.Fatal(before, err)
	}
	kept := filepath.Join(t.TempDir(), "kept")
	if err := os.Link(before[0], kept); err != nil {
		t.Fatal(err)
	}
	x := newHistory(1).accounts()
	x.execute(e)
	save(t, e, 2)
	accounts := e.accounts.n
	if err := errors.Join(e.Close(), os.Link(kept, before[0])); err != nil {
		t.Fatal(err)
	}
	again, mark := attach(t, dir)
	if mark != 2 || again.accounts.n != accounts || accounts == 0 {
		t.Fatalf("mark %d, %d accounts of %d", mark, again.accounts.n, accounts)
	}
	if left, err := snapshots(dir); err != nil || len(left) != 1 || left[0] == before[0] {
		t.Fatalf("snapshots left: %v %v", left, err)
	}
}

// A directory of an older program says what it is: taken for a damaged one it would be restored from a backup, which
// is of the same format.
func TestASnapshotOfAnotherFormatIsRefusedAndNamed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "snapshot-00000000000000000007.state")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(writeSection(file, sectionMeta, 0, []byte(`{"Version":1}`)), file.Close()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Attach(dir, Options{}); !errors.Is(err, ErrVersion) || errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the refused snapshot is gone: %v", err)
	}
}

// Not every file system takes direct writes, and some say so only when they are asked to write.
func TestAFileThatTakesNoDirectWritesIsWrittenThroughThePageCache(t *testing.T) {
	d, err := openDisk(filepath.Join(t.TempDir(), "rows"), os.O_RDWR|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.direct == nil {
		t.Skip("this file system takes none at all")
	}
	// Memory that is not aligned is refused as a page too small would be.
	page := alignedBytes(2 * pageBytes)[1 : 1+pageBytes]
	page[7] = 7
	if err := d.write(pageBytes, page); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, pageBytes)
	if _, err := d.ReadAt(got, pageBytes); err != nil || !bytes.Equal(got, page) {
		t.Fatalf("what was written is not what is read: %v", err)
	}
	if d.direct != nil {
		t.Fatal("the next write asks again for what was refused")
	}
}

// Two writers would make two histories.
func TestASecondEngineInTheSameDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	attach(t, dir)
	if _, _, err := Attach(dir, Options{}); !errors.Is(err, ErrInUse) {
		t.Fatalf("got %v", err)
	}
}

// An engine that can't be sure of its past must say so and where, and not answer from it.
func TestDamageOnDiskIsFound(t *testing.T) {
	long(t)
	dir := t.TempDir()
	e, _ := attach(t, dir)
	newHistory(2).run(e, runRows+20_000)
	save(t, e, 7)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	whole := New(Options{})
	newHistory(2).run(whole, runRows+20_000)
	want, err := answersOf(whole)
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5, 6))
	kinds := map[string]bool{}
	for _, file := range files {
		path := filepath.Join(dir, file.Name())
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(good) == 0 {
			continue
		}
		kinds[filepath.Ext(path)] = true
		for range 2 {
			bad := bytes.Clone(good)
			if random.IntN(3) == 0 {
				bad = bad[:random.IntN(len(bad))]
			} else {
				bad[random.IntN(len(bad))] ^= 1 << random.IntN(8)
			}
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			checkDamage(t, dir, file.Name(), want)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !kinds[".rows"] || !kinds[".state"] || !kinds[".run"] {
		t.Fatalf("the test was to damage rows, snapshot and field index, and met only %v", kinds)
	}
}

// checkDamage opens a damaged engine: it must refuse, or read everything right, or fail to read.
func checkDamage(t *testing.T, dir, name string, want []any) {
	t.Helper()
	e, _, err := Attach(dir, Options{ResidentBytes: 1})
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("%s damaged: %v", name, err)
		}
		return
	}
	defer e.Close()
	got, err := answersOf(e)
	if err == nil && !slices.Equal(got, want) {
		t.Fatalf("%s is damaged, and what is read is wrong without a word", name)
	}
	if err != nil && !errors.Is(err, ErrDamaged) {
		t.Fatalf("%s damaged: %v", name, err)
	}
}

// answersOf asks for what comes from every file.
func answersOf(e *Engine) (answers []any, err error) {
	ctx := context.Background()
	for from := uint64(0); ; {
		page, err := e.ChangeEvents(ctx, ledger.ChangeEventsFilter{TimestampMin: from, Limit: changeEventMax})
		if err != nil {
			return nil, err
		}
		for i := 0; i < len(page); i += 7 {
			answers = append(answers, page[i])
		}
		if len(page) < changeEventMax {
			break
		}
		from = page[len(page)-1].Timestamp + 1
	}
	for row := uint32(0); row < e.transfers.n; row += 7 {
		var space transferRow
		at, what := e.findTransfer(e.transfers.get(row, &space).id)
		answers = append(answers, at == row && what == isTransfer)
	}
	for id := uint64(1); id <= historyAccounts; id += 17 {
		page, err := e.AccountTransfers(ctx, ledger.AccountFilter{AccountID: ledger.U64(id), TimestampMin: 20 * second, Limit: queryMax, Flags: 3})
		if err != nil {
			return nil, err
		}
		answers = append(answers, len(page))
	}
	for user := uint64(1); user < 5000; user += 97 {
		page, err := e.QueryTransfers(ctx, ledger.QueryFilter{UserData128: ledger.U64(user), Limit: queryMax})
		if err != nil {
			return nil, err
		}
		answers = append(answers, len(page))
	}
	return answers, nil
}

// A node that lost the last decisions with its power makes others in their place. An index that still spoke
// of the lost ones would leave the new ones out of every answer.
func TestAFieldIndexOfTransfersBehindTheSnapshotIsForgotten(t *testing.T) {
	long(t)
	dir := t.TempDir()
	e, _ := attach(t, dir)
	newHistory(2).run(e, runRows+20_000)
	if err := e.store.settled(); err != nil {
		t.Fatal(err)
	}
	e.fields.ended.Wait()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(e.fields.path(0)); err != nil {
		t.Fatalf("the test was to have a run: %v", err)
	}
	again, _ := attach(t, dir) // no snapshot: all of it is to be made again
	if _, err := os.Stat(again.fields.path(0)); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the run is still there: %v", err)
	}
	newHistory(3).run(again, runRows+20_000)
	save(t, again, 1)
	checkQueries(t, again)
}

// A lost field index costs time, not answers.
func TestAMissingFieldIndexIsBuiltAgain(t *testing.T) {
	long(t)
	dir := t.TempDir()
	e, _ := attach(t, dir)
	newHistory(2).run(e, runRows+20_000)
	save(t, e, 1)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(e.fields.path(0)); err != nil {
		t.Fatal(err)
	}
	again, _ := attach(t, dir)
	again.fields.ended.Wait()
	if len(again.fields.runs) != 1 {
		t.Fatalf("%d runs", len(again.fields.runs))
	}
	checkQueries(t, again)
}

// The operator who asks for all transfers of a business, a day or a code must see all of them and no other.
func TestQueriesByFieldFindWhatAFullScanFinds(t *testing.T) {
	long(t)
	for name, e := range map[string]*Engine{"memory": New(Options{}), "disk": first(attach(t, t.TempDir()))} {
		t.Run(name, func(t *testing.T) {
			newHistory(3).run(e, runRows+20_001)
			if e.store != nil {
				if err := e.store.settled(); err != nil {
					t.Fatal(err)
				}
			}
			e.fields.ended.Wait()
			if len(e.fields.runs) == 0 || len(e.fields.fill.of[byCode].pairs) == 0 || !e.fields.fill.of[byLedger].alike || e.transfers.n == e.fields.filled {
				t.Fatal("the test was to have runs, pairs not yet in a run and transfers not yet in either")
			}
			checkQueries(t, e)
		})
	}
}

// long leaves a test with a long history out of -short, which is how the race detector is run.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("long: runs without -short")
	}
}

func first[A, B any](a A, _ B) A { return a }

func checkQueries(t *testing.T, e *Engine) {
	t.Helper()
	var all []ledger.Transfer
	for row := range e.transfers.n {
		all = append(all, e.transfer(row))
	}
	random := rand.New(rand.NewPCG(8, 9))
	for i := range 300 {
		like := all[random.IntN(len(all))]
		f := ledger.QueryFilter{Limit: uint32(1 + random.IntN(queryMax))}
		if random.IntN(2) == 0 {
			f.UserData128 = like.UserData128
		}
		if random.IntN(3) == 0 {
			f.UserData64 = like.UserData64
		}
		if random.IntN(3) == 0 {
			f.UserData32 = like.UserData32
		}
		if random.IntN(3) == 0 {
			f.Code = like.Code
		}
		if random.IntN(3) == 0 {
			f.Ledger = like.Ledger
		}
		if random.IntN(2) == 0 {
			a, b := all[random.IntN(len(all))].Timestamp, like.Timestamp
			f.TimestampMin, f.TimestampMax = min(a, b), max(a, b)
		}
		if random.IntN(2) == 0 {
			f.Flags = ledger.QueryFilterReversed
		}
		q, ok := newFieldQuery(f)
		if !ok {
			t.Fatal("the test asks what is not valid")
		}
		var want []ledger.Transfer
		q.scan(0, uint32(len(all)), func(row uint32) bool {
			if x := &all[row]; q.matches(x.UserData128, x.UserData64, x.UserData32, x.Ledger, x.Code, x.Timestamp) {
				want = append(want, *x)
			}
			return len(want) < int(f.Limit)
		})
		got, err := e.QueryTransfers(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("query %d %+v finds %d, a scan %d", i, f, len(got), len(want))
		}
	}
}
