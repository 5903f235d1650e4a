package embedded

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/ledger"
)

// rowsLike makes rows that differ in these bits.
func rowsLike(random *rand.Rand, n int, first, differing wireRow) []wireRow {
	rows := make([]wireRow, n)
	for i := range rows {
		for w := range rows[i] {
			rows[i][w] = first[w] ^ random.Uint64()&differing[w]
		}
	}
	return rows
}

// Money that is logged packed is the money that was asked for: any requests come back as they were, whatever their rows
// share or don't.
func TestAPackedRequestIsUnpackedAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.OneOf(rapid.Just(uint64(0)), rapid.Just(uint64(math.MaxUint64)), rapid.Uint64())
		words := rapid.Custom(func(t *rapid.T) wireRow {
			return wireRow(rapid.SliceOfN(word, wireWords, wireWords).Draw(t, "words"))
		})
		// Bytes at the top, at the bottom and in the middle of a word.
		bits := rapid.Custom(func(t *rapid.T) (differing wireRow) {
			for w := range differing {
				differing[w] = word.Draw(t, "bits") << rapid.IntRange(0, 63).Draw(t, "up") >> rapid.IntRange(0, 63).Draw(t, "down")
			}
			return differing
		})
		n := rapid.OneOf(rapid.IntRange(0, 2*packedRows+2), rapid.SampledFrom([]int{1, packedRows, packedRows + 1, batchMax})).Draw(t, "rows")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		rows := rowsLike(random, n, words.Draw(t, "first"), bits.Draw(t, "differing"))
		before := []byte("before")
		packed := appendPacked(before, rows)
		if string(packed[:len(before)]) != "before" {
			t.Fatal("what was there before is gone")
		}
		transfers, err := unpack[ledger.Transfer](packed[len(before):])
		if err != nil || !slices.Equal(sliceOf[wireRow](bytesOf(transfers)), rows) {
			t.Fatalf("%d transfers are not what they were: %v", n, err)
		}
		accounts, err := unpack[ledger.Account](packed[len(before):])
		if err != nil || !slices.Equal(sliceOf[wireRow](bytesOf(accounts)), rows) {
			t.Fatalf("%d accounts are not what they were: %v", n, err)
		}
	})
}

// A request is never longer than its rows, and much shorter where they have much in common.
func TestARequestIsLoggedInTheShorterForm(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	random := rand.New(rand.NewPCG(1, 2))
	var all wireRow
	for w := range all {
		all[w] = math.MaxUint64
	}
	payments := func(n int) []ledger.Transfer {
		batch := make([]ledger.Transfer, n)
		newPayments(10_000_000).fill(batch)
		return batch
	}
	nonsense := sliceOf[ledger.Transfer](bytesOf(rowsLike(random, 500, wireRow{}, all)))
	accounts := make([]ledger.Account, 500)
	for i := range accounts {
		accounts[i] = ledger.Account{ID: accountID(uint64(i)), Ledger: 156, Code: 2011}
	}
	if err := e.logAccounts(1, accounts); err != nil {
		t.Fatal(err)
	}
	for _, transfers := range [][]ledger.Transfer{payments(1), payments(4), payments(packedFrom), payments(batchMax), nonsense} {
		if err := e.logTransfers(1, transfers); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.settled(context.Background(), e.position()); err != nil {
		t.Fatal(err)
	}
	want := []struct {
		what         uint16
		least, bytes int
	}{
		{loggedPackedAccounts, 0, 500 * 14},
		{loggedTransfers, 128, 128},
		{loggedTransfers, 4 * 128, 4 * 128},
		{loggedPackedTransfers, 0, 600},
		{loggedPackedTransfers, 0, batchMax * 48},
		{loggedTransfers, 500 * 128, 500 * 128},
	}
	err = e.log.journal.Scan(context.Background(), 1, func(rec *journal.Record) bool {
		if rec.Kind != journal.KindLedger {
			return true
		}
		if rec.Channel != want[0].what || len(rec.Receipt) > want[0].bytes || len(rec.Receipt) < want[0].least {
			t.Errorf("logged as %d in %d bytes, %d left: want %d in %d", rec.Channel, len(rec.Receipt), len(want), want[0].what, want[0].bytes)
		}
		want = want[1:]
		return true
	})
	if err != nil || len(want) > 0 {
		t.Fatal(err, len(want))
	}
}

// A ledger whose log was written before requests were packed opens with all its money, and goes on in the same log.
func TestALogFromBeforePackingIsReplayed(t *testing.T) {
	dir := t.TempDir()
	memory := New(Options{})
	ctx := context.Background()
	accounts := make([]ledger.Account, 100)
	for i := range accounts {
		accounts[i] = ledger.Account{ID: accountID(uint64(i + 1)), Ledger: 156, Code: 2011}
	}
	p := newPayments(len(accounts))
	for round := range 4 {
		e, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if difference := contentsOf(memory).difference(contentsOf(e)); difference != "" {
			t.Fatalf("opened for the %d. time: %s", round+1, difference)
		}
		if round == 0 {
			if err := e.log.append(0, loggedAccounts, bytesOf(accounts)); err != nil {
				t.Fatal(err)
			}
			memory.ExecuteAccounts(0, accounts, nil)
		}
		payments := make([]ledger.Transfer, 300)
		p.fill(payments)
		results := memory.ExecuteTransfers(0, payments, nil)
		if results[0].Status != ledger.TransferCreated {
			t.Fatal(results[0].Status)
		}
		if round < 2 { // a program from before
			if err := e.log.append(0, loggedTransfers, bytesOf(payments)); err != nil {
				t.Fatal(err)
			}
		} else if _, err := e.CreateTransfers(ctx, payments); err != nil {
			t.Fatal(err)
		}
		e.log.since = 0 // nothing but the log keeps it
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A packed request that makes no sense is refused before any of it is executed, and takes no memory for what it only
// says it has.
func TestAMalformedPackedRequestIsRefused(t *testing.T) {
	rows := make([]ledger.Transfer, packedRows+2)
	newPayments(1000).fill(rows)
	good := appendPacked(nil, sliceOf[wireRow](bytesOf(rows)))
	with := func(at int, value byte) []byte {
		b := slices.Clone(good)
		b[at] = value
		return b
	}
	bad := [][]byte{
		nil,
		append(slices.Clone(good), 0),
		with(0, byte(packedRows+1)), // one row less
		appendPacked(nil, make([]wireRow, batchMax+1)),
		with(packedHead, 9),
		with(packedHead+1, 0x18), // eight bytes, one above the lowest
		with(packedHead+2, 0xf0),
	}
	for n := range good {
		bad = append(bad, good[:n])
	}
	for _, b := range bad {
		if _, err := unpack[ledger.Transfer](b); !errors.Is(err, ErrDamaged) {
			t.Fatalf("%d bytes that begin %x: %v", len(b), b[:min(len(b), 8)], err)
		}
	}
	if _, err := unpack[ledger.Transfer](good); err != nil {
		t.Fatal(err)
	}
}

// Whatever bytes pass a record's checksum, they are a request or refused.
func FuzzUnpack(f *testing.F) {
	rows := make([]ledger.Transfer, packedRows+2)
	newPayments(1000).fill(rows)
	f.Add(appendPacked(nil, nil))
	f.Add(appendPacked(nil, sliceOf[wireRow](bytesOf(rows[:1]))))
	f.Add(appendPacked(nil, sliceOf[wireRow](bytesOf(rows))))
	f.Fuzz(func(t *testing.T, b []byte) {
		transfers, err := unpack[ledger.Transfer](b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		again, err := unpack[ledger.Transfer](appendPacked(nil, sliceOf[wireRow](bytesOf(transfers))))
		if err != nil || !slices.Equal(again, transfers) {
			t.Fatalf("%d transfers are not what they were: %v", len(transfers), err)
		}
	})
}

// Whatever was asked for, the log gives it back.
func FuzzPacking(f *testing.F) {
	rows := make([]ledger.Transfer, packedFrom)
	newPayments(1000).fill(rows)
	f.Add(bytesOf(rows), uint16(1))
	f.Add(bytesOf(rows), uint16(packedRows))
	f.Fuzz(func(t *testing.T, b []byte, times uint16) {
		some := make([]ledger.Transfer, 0, batchMax)
		for i := 0; i+ledger.WireBytes <= len(b); i += ledger.WireBytes {
			some = append(some, ledger.TransferOfWire(b[i:]))
		}
		rows := some
		for range times {
			rows = append(rows, some...)
		}
		rows = rows[:min(len(rows), batchMax)]
		back, err := unpack[ledger.Transfer](appendPacked(nil, sliceOf[wireRow](bytesOf(rows))))
		if err != nil || !slices.Equal(back, rows) {
			t.Fatalf("%d transfers are not what they were: %v", len(rows), err)
		}
	})
}

// BenchmarkPacking measures what a transfer of a full batch costs until it is packed, and until it is unpacked.
func BenchmarkPacking(b *testing.B) {
	batches := make([][]ledger.Transfer, 4) // more than the processor has near by
	p := newPayments(10_000_000)
	for i := range batches {
		batches[i] = make([]ledger.Transfer, batchMax)
		p.fill(batches[i])
	}
	var packed []byte
	b.Run("pack", func(b *testing.B) {
		for done := 0; done < b.N; done += batchMax {
			packed = appendPacked(packed[:0], sliceOf[wireRow](bytesOf(batches[done/batchMax%len(batches)])))
		}
		b.ReportMetric(float64(len(packed))/batchMax, "bytes")
	})
	b.Run("unpack", func(b *testing.B) {
		b.ReportAllocs()
		for done := 0; done < b.N; done += batchMax {
			if _, err := unpack[ledger.Transfer](packed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReplay measures a start that has to execute a log of a million transfers between a million accounts again, as it
// is written and as it was before requests were packed.
func BenchmarkReplay(b *testing.B) {
	const accounts, transfers = 1_000_000, 1_000_000
	for _, form := range []string{"packed", "plain"} {
		b.Run(form, func(b *testing.B) {
			dir := b.TempDir()
			e, err := Open(dir, Options{})
			if err != nil {
				b.Fatal(err)
			}
			write := func(what uint16, rows []byte) {
				if what == loggedTransfers && form == "packed" {
					err = e.log.appendRows(0, loggedPackedTransfers, loggedTransfers, rows)
				} else {
					err = e.log.append(0, what, rows)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			opened := make([]ledger.Account, 0, batchMax)
			for id := uint64(1); id <= accounts; id++ {
				opened = append(opened, ledger.Account{ID: accountID(id), Ledger: 156, Code: 2011})
				if len(opened) == cap(opened) || id == accounts {
					write(loggedAccounts, bytesOf(opened))
					opened = opened[:0]
				}
			}
			p := newPayments(accounts)
			batch := make([]ledger.Transfer, batchMax)
			for done := 0; done < transfers; done += batchMax {
				p.fill(batch)
				write(loggedTransfers, bytesOf(batch))
			}
			if err := e.Close(); err != nil { // saves nothing: nothing was executed
				b.Fatal(err)
			}
			for b.Loop() {
				if e, err = Open(dir, Options{}); err != nil {
					b.Fatal(err)
				}
				if e.transfers.n < transfers {
					b.Fatal(e.transfers.n)
				}
				b.StopTimer()
				if err := e.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}
